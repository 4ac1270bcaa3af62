// SPDX-License-Identifier: GPL-2.0-only
/* PCI functions as devices of a context, from where it gets them to how it loses them. */
#pragma once

#include "kit.h"

#include "pci.h"

namespace guest {

using iommukit::PciFunction;

/* Lets our driver have a function while this lives. */
class Loan {
    public:
	explicit Loan(const PciFunction &of);
	Loan(const Loan &) = delete;
	Loan &operator=(const Loan &) = delete;
	~Loan();

    private:
	PciFunction function;
};

/* A valid DEVICE_BIND, and others; a name that is too long loses its end. */
iommukit_device_bind bind_command(const std::string &name);

class PciDevice {
    public:
	PciDevice(const Context &context, const PciFunction &function);
	/* One that is bound already. */
	PciDevice(const Context &of, std::uint32_t id) : context(of), device(id) {}
	/* @device gets the id on success only. */
	static Errno attempt(const Context &context, const std::string &name,
			     std::uint32_t *device);

	std::uint32_t id() const { return device; }

	/* @hwpt gets what it is attached to, on success only. */
	Errno try_attach(std::uint32_t pt, std::uint32_t *hwpt = nullptr) const;
	Errno try_replace(std::uint32_t pt, std::uint32_t *hwpt = nullptr) const;
	Errno try_detach() const;
	/* Both return the HWPT. */
	std::uint32_t attach(std::uint32_t pt) const;
	std::uint32_t replace(std::uint32_t pt) const;
	void detach() const;

    private:
	Errno change(std::uint32_t flags, std::uint32_t pt, std::uint32_t *hwpt) const;

	const Context &context;
	std::uint32_t device = 0;
};

/* Takes a function from its driver, as an administrator does. */
void take_from_driver(const PciFunction &function);

/* A function that is taken off the bus as if it was pulled out, until the end of this. */
class Unplugged {
    public:
	explicit Unplugged(const PciFunction &of);
	Unplugged(const Unplugged &) = delete;
	Unplugged &operator=(const Unplugged &) = delete;
	~Unplugged();

    private:
	PciFunction function;
};

} // namespace guest

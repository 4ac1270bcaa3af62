// SPDX-License-Identifier: GPL-2.0-only
// PCI functions as sysfs shows them: which driver each has, what shares its IOMMU
// group, and how to give it to another driver and back.
#pragma once

#include "types.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace iommukit {

// The driver of ours that offers PCI functions to contexts.
constexpr std::string_view pci_offer_driver = "iommukit_pci";

// Who has a function, and who alone may have it.
struct PciOwner {
	std::optional<std::string> driver;
	std::optional<std::string> wanted;

	bool operator==(const PciOwner &) const = default;
};

// IOVA that means something else to the devices of a group than memory.
struct ReservedRegion {
	IovaRange range;
	std::string type; // of the kernel: "msi", "direct", "direct-relaxable" ...
};

class PciFunction {
    public:
	// All that the system has, by address.
	static std::vector<PciFunction> all();

	// "0000:00:05.0", or without the domain if that is 0. Throws Error: EINVAL if
	// the address is not one, ENODEV if there is no such function.
	explicit PciFunction(std::string_view address);

	// As the kernel names it.
	const std::string &address() const noexcept { return address_; }
	// It can be unplugged at any time.
	bool present() const noexcept;
	std::uint16_t vendor() const;
	std::uint16_t device() const;

	// The name of its driver; none if it has none.
	std::optional<std::string> driver() const;

	// The number of its IOMMU group. None if the IOMMU is off or it has none, and
	// with some IOMMUs if it never had a driver.
	std::optional<unsigned int> group() const;
	// The other functions of the group, by address.
	std::vector<PciFunction> siblings() const;
	std::vector<ReservedRegion> reserved() const;

	PciOwner owner() const;
	// Takes the function from its driver, if it has one, and lets the named one
	// have it, which is given no other. Throws Error if the kernel refuses, ENODEV
	// if the driver did not take it. Nothing is done if it has that driver.
	void give_to(std::string_view driver) const;
	// Undoes give_to(): whichever driver the kernel finds suitable has it then.
	void give_back() const;
	// To whom it belonged before; a function without a driver is left without.
	// Throws Error, ENODEV if the driver did not take it.
	void give_back(const PciOwner &before) const;

	bool operator==(const PciFunction &) const = default;

    private:
	struct Listed {};
	PciFunction(std::string address, Listed) : address_(std::move(address)) {}
	static std::vector<PciFunction> listed(const std::filesystem::path &directory);

	std::filesystem::path path(std::string_view attribute) const;
	void probe() const;
	void probe_for(std::string_view wanted) const;
	void move(const std::optional<std::string> &wanted) const;

	std::string address_;
};

// As the kernel writes it, whether there is such a function or not; none if it is no
// address.
std::optional<std::string> pci_address(std::string_view text);

bool has_pci_driver(std::string_view name);

// Whether the kernel uses an IOMMU.
bool has_iommu();

} // namespace iommukit

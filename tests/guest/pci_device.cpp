// SPDX-License-Identifier: GPL-2.0-only
#include "pci_device.h"

#include "sysfs.h"

namespace guest {

namespace sysfs = iommukit::sysfs;

Loan::Loan(const PciFunction &of) : function(of)
{
	function.give_to(iommukit::pci_offer_driver);
}

/* One that was unplugged in between has forgotten it. */
Loan::~Loan()
{
	CHECK_NOTHROW(function.give_back());
}

iommukit_device_bind bind_command(const std::string &name)
{
	auto cmd = command<iommukit_device_bind>();

	name.copy(reinterpret_cast<char *>(cmd.name), sizeof(cmd.name));
	return cmd;
}

Errno PciDevice::attempt(const Context &context, const std::string &name,
			 std::uint32_t *device)
{
	auto cmd = bind_command(name);
	const Errno error = call(context.fd(), IOMMUKIT_DEVICE_BIND, &cmd);

	if (error == ok)
		*device = cmd.out_dev_id;
	return error;
}

PciDevice::PciDevice(const Context &of, const PciFunction &function) : context(of)
{
	INFO(function.address());
	REQUIRE(attempt(context, function.address(), &device) == ok);
	REQUIRE(device != 0);
}

Errno PciDevice::change(std::uint32_t flags, std::uint32_t pt, std::uint32_t *hwpt) const
{
	auto cmd = command<iommukit_device_attach>();

	cmd.flags = flags;
	cmd.dev_id = device;
	cmd.pt_id = pt;
	const Errno error = call(context.fd(), IOMMUKIT_DEVICE_ATTACH, &cmd);

	if (error == ok && hwpt)
		*hwpt = cmd.pt_id;
	return error;
}

Errno PciDevice::try_attach(std::uint32_t pt, std::uint32_t *hwpt) const
{
	return change(0, pt, hwpt);
}

Errno PciDevice::try_replace(std::uint32_t pt, std::uint32_t *hwpt) const
{
	return change(IOMMUKIT_DEVICE_ATTACH_REPLACE, pt, hwpt);
}

Errno PciDevice::try_detach() const
{
	auto cmd = command<iommukit_device_detach>();

	cmd.dev_id = device;
	return call(context.fd(), IOMMUKIT_DEVICE_DETACH, &cmd);
}

std::uint32_t PciDevice::attach(std::uint32_t pt) const
{
	std::uint32_t hwpt = 0;

	REQUIRE(try_attach(pt, &hwpt) == ok);
	return hwpt;
}

std::uint32_t PciDevice::replace(std::uint32_t pt) const
{
	std::uint32_t hwpt = 0;

	REQUIRE(try_replace(pt, &hwpt) == ok);
	return hwpt;
}

void PciDevice::detach() const
{
	REQUIRE(try_detach() == ok);
}

namespace {

std::filesystem::path attribute(const PciFunction &function, const char *name)
{
	return sysfs::path("bus/pci/devices") / function.address() / name;
}

} // namespace

void take_from_driver(const PciFunction &function)
{
	sysfs::write(attribute(function, "driver/unbind"), function.address());
}

Unplugged::Unplugged(const PciFunction &of) : function(of)
{
	sysfs::write(attribute(function, "remove"), "1");
	REQUIRE_FALSE(sysfs::exists(attribute(function, "")));
}

Unplugged::~Unplugged()
{
	CHECK_NOTHROW(sysfs::write(sysfs::path("bus/pci/rescan"), "1"));
	CHECK(sysfs::exists(attribute(function, "")));
}

} // namespace guest

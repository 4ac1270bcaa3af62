// SPDX-License-Identifier: GPL-2.0-only
// The kernel has one errno for several reasons. Which it was is found out from what
// sysfs shows of the function's group, of the firmware and of the module.
#include "obstacles.h"

#include "context.h"
#include "devices.h"
#include "module_users.h"
#include "sysfs.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace ctl {

using namespace iommukit;

namespace {

// Drivers by which a program has the function: ours and those of VFIO, which has some
// for special devices, called after it.
bool lets_programs_have_it(std::string_view driver)
{
	return driver == pci_offer_driver || driver.ends_with("vfio-pci") ||
	       driver.ends_with("vfio_pci");
}

// The kernel counts these as if they were none.
bool leaves_dma_alone(std::string_view driver)
{
	return lets_programs_have_it(driver) || driver == "pci-stub" ||
	       driver == "pcieport";
}

std::string group_text(const PciFunction &function)
{
	auto group = function.group();

	return "IOMMU group" + (group ? " " + std::to_string(*group) : "");
}

Failure cannot_bind(const PciFunction &function, const Error &error,
		    const std::string &why, std::string hint)
{
	return {explain(error).exit(), "cannot bind " + function.address() + ": " + why,
		std::move(hint), error.number(), error.command()};
}

Failure shared_group(const PciFunction &function, const Error &error,
		     const std::vector<PciFunction> &others)
{
	std::string names;
	std::string commands;

	for (const auto &other : others) {
		std::string driver = other.driver().value_or("none");
		names += (names.empty() ? "" : ", ") + other.address() + " (driver " +
			 driver + ")";
		commands += (commands.empty() ? "" : "; ") +
			    ("echo " + other.address() + " > /sys/bus/pci/drivers/") +
			    driver + "/unbind";
	}
	return cannot_bind(function, error,
			   "it shares " + group_text(function) + " with " + names,
			   "take all of the group from their drivers: " + commands);
}

// Other processes that may have bound the function, or one of its group.
std::string users()
{
	std::string self = std::to_string(::getpid()) + " ";
	std::string out;

	for (const auto &process : processes_using(default_device()))
		if (!process.starts_with(self))
			out += (out.empty() ? "process " : ", process ") + process;
	return out;
}

bool unsafe_interrupts_allowed()
{
	return sysfs::read(sysfs::path("module/iommukit/parameters/"
				       "allow_unsafe_interrupts")) == "Y";
}

Failure not_permitted(const PciFunction &function, const Error &error)
{
	std::vector<PciFunction> others = in_the_way(function);

	if (!others.empty())
		return shared_group(function, error, others);
	std::vector<PciFunction> siblings = function.siblings();
	bool contested = std::ranges::any_of(siblings, [](const auto &other) {
		return lets_programs_have_it(other.driver().value_or(""));
	});
	if (!contested && !unsafe_interrupts_allowed())
		return cannot_bind(
			function, error,
			"nothing isolates its interrupts from those of other devices",
			"turn interrupt remapping on in the firmware; or, if the program "
			"and the device are trusted: echo 1 > /sys/module/iommukit/parameters/"
			"allow_unsafe_interrupts");
	std::string who = users();
	return cannot_bind(function, error, "another context has " + group_text(function),
			   who.empty() ? "bind all of a group in one context: context "
					 "show"
				       : "it may be that of " + who);
}

Failure in_use(const PciFunction &function, const Error &error)
{
	std::string who = users();

	return cannot_bind(function, error, "it is bound already",
			   who.empty() ? "in another context: context show"
				       : "perhaps by " + who);
}

} // namespace

std::vector<PciFunction> in_the_way(const PciFunction &function)
{
	std::vector<PciFunction> out = function.siblings();

	std::erase_if(out, [](const auto &other) {
		auto driver = other.driver();
		return !driver || leaves_dma_alone(*driver);
	});
	return out;
}

bool is_viable(const PciFunction &function)
{
	return function.group() && in_the_way(function).empty();
}

// The firmware describes the IOMMU in a table whose name is that of its kind.
std::string how_to_get_iommu()
{
	auto has_table = [](std::string_view name) {
		return sysfs::exists(sysfs::path("firmware/acpi/tables") / name);
	};

	if (has_table("DMAR"))
		return "boot with the kernel parameter intel_iommu=on";
	if (has_table("IVRS"))
		return "boot without the kernel parameters amd_iommu=off and iommu=off";
	if (has_table("VIOT"))
		return "let the initramfs load the module virtio_iommu";
	return "turn VT-d (Intel) or AMD-Vi (AMD) on in the firmware, or give the "
	       "virtual machine an IOMMU; Intel's also needs the kernel parameter "
	       "intel_iommu=on";
}

void check_bindable(const PciFunction &function)
{
	if (!has_iommu())
		throw Failure(Exit::refused,
			      "cannot bind " + function.address() +
				      ": the kernel uses no IOMMU",
			      how_to_get_iommu());
	if (!has_pci_driver(pci_offer_driver))
		throw Failure(Exit::absent,
			      "PCI functions are bound by the module iommukit_pci, which "
			      "is not loaded",
			      "load it: iommuctl module load pci");
}

Failure bind_failure(const PciFunction &function, const Error &error)
{
	switch (error.number()) {
	case EPERM:
		return not_permitted(function, error);
	case EBUSY:
		return in_use(function, error);
	case EINVAL:
		if (!function.group())
			return cannot_bind(function, error, "it has no IOMMU",
					   "device list shows those that have a group");
		break;
	}
	return explain(error);
}

// A software device asks for what is missing, and waits; no other does.
Failure ondemand_failure(Session &session, ObjectId ioas, const Error &error)
{
	Failure failure = explain(error);
	std::string names;

	if (error.number() != EOPNOTSUPP)
		return failure;
	for (const Device &device : devices(session))
		if (!device.port && device.ioas == ioas)
			names += (names.empty() ? "device " : ", device ") +
				 std::to_string(device.id.value) +
				 (device.pci ? " (" + device.pci->function.address() + ")"
					     : " (mock)");
	if (names.empty())
		return failure;
	return {failure.exit(),
		"cannot map on demand: " + names + " cannot wait for pages",
		"leave out ondemand, or map in an IOAS of its own: ioas add",
		error.number(), error.command()};
}

} // namespace ctl

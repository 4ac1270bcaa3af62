// SPDX-License-Identifier: GPL-2.0-only
// A function is given away by driver_override: a driver that is named there has the
// function if it is probed, and no other has. The name is written before the old
// driver lets go, so that nobody else gets it in between.
#include "pci.h"

#include "error.h"
#include "sysfs.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <sstream>

namespace iommukit {

namespace {

constexpr std::string_view bus = "bus/pci";

std::filesystem::path bus_path(std::string_view below)
{
	return sysfs::path(bus) / below;
}

// One number of an address, and the character behind it; false if it is malformed.
bool take(std::string_view &text, unsigned int &value, char behind)
{
	auto [end, error] =
		std::from_chars(text.data(), text.data() + text.size(), value, 16);

	if (error != std::errc())
		return false;
	text.remove_prefix(static_cast<std::size_t>(end - text.data()));
	if (!behind)
		return text.empty();
	if (!text.starts_with(behind))
		return false;
	text.remove_prefix(1);
	return true;
}

std::uint16_t read_id(const std::filesystem::path &attribute)
{
	auto text = sysfs::read(attribute);

	return static_cast<std::uint16_t>(text ? std::strtoul(text->c_str(), nullptr, 16)
					       : 0);
}

} // namespace

std::optional<std::string> pci_address(std::string_view text)
{
	unsigned int domain = 0, number = 0, slot = 0, function = 0;
	bool has_domain = text.find(':') != text.rfind(':');
	std::array<char, 40> out;

	if ((has_domain && !take(text, domain, ':')) || !take(text, number, ':') ||
	    !take(text, slot, '.') || !take(text, function, '\0'))
		return std::nullopt;
	if (number > 0xff || slot > 0x1f || function > 7)
		return std::nullopt;
	std::snprintf(out.data(), out.size(), "%04x:%02x:%02x.%x", domain, number, slot,
		      function);
	return out.data();
}

bool has_pci_driver(std::string_view name)
{
	return sysfs::exists(bus_path("drivers") / name);
}

PciFunction::PciFunction(std::string_view address)
	: address_(pci_address(address).value_or(""))
{
	const Subject subject{.path = std::string(address)};

	if (address_.empty())
		throw Error(make_errno(EINVAL), "find PCI function", subject);
	if (!present())
		throw Error(make_errno(ENODEV), "find PCI function", subject);
}

std::vector<PciFunction> PciFunction::listed(const std::filesystem::path &directory)
{
	std::vector<PciFunction> out;

	// A group may have devices of other buses, too.
	for (const auto &name : sysfs::list(directory))
		if (pci_address(name) == name)
			out.push_back(PciFunction(name, Listed()));
	return out;
}

std::vector<PciFunction> PciFunction::all()
{
	return listed(bus_path("devices"));
}

bool PciFunction::present() const noexcept
{
	return sysfs::exists(path(""));
}

std::filesystem::path PciFunction::path(std::string_view attribute) const
{
	return bus_path("devices") / address_ / attribute;
}

std::uint16_t PciFunction::vendor() const
{
	return read_id(path("vendor"));
}

std::uint16_t PciFunction::device() const
{
	return read_id(path("device"));
}

std::optional<std::string> PciFunction::driver() const
{
	return sysfs::link(path("driver"));
}

std::optional<unsigned int> PciFunction::group() const
{
	auto name = sysfs::link(path("iommu_group"));

	if (!name)
		return std::nullopt;
	return static_cast<unsigned int>(std::strtoul(name->c_str(), nullptr, 10));
}

std::vector<PciFunction> PciFunction::siblings() const
{
	std::vector<PciFunction> out = listed(path("iommu_group/devices"));

	std::erase(out, *this);
	return out;
}

// Lines like "0x00000000fee00000 0x00000000feefffff msi".
std::vector<ReservedRegion> PciFunction::reserved() const
{
	std::vector<ReservedRegion> out;

	for (const auto &line : sysfs::read_lines(path("iommu_group/reserved_regions"))) {
		std::istringstream words(line);
		ReservedRegion region;
		words >> std::hex >> region.range.first.value >>
			region.range.last.value >> region.type;
		if (words)
			out.push_back(std::move(region));
	}
	return out;
}

PciOwner PciFunction::owner() const
{
	auto wanted = sysfs::read(path("driver_override"));

	// That is how the kernel writes that there is none.
	if (wanted == "(null)" || wanted == "")
		wanted.reset();
	return {driver(), wanted};
}

void PciFunction::probe() const
{
	sysfs::write(bus_path("drivers_probe"), address_);
}

// The kernel takes it for no error if the driver refuses the function.
void PciFunction::probe_for(std::string_view wanted) const
{
	probe();
	if (driver() != wanted)
		throw Error(make_errno(ENODEV), "drivers_probe", {.path = address_});
}

void PciFunction::move(const std::optional<std::string> &wanted) const
{
	sysfs::write(path("driver_override"), wanted.value_or("") + "\n");
	if (driver())
		sysfs::write(path("driver/unbind"), address_);
}

void PciFunction::give_to(std::string_view driver) const
{
	const PciOwner before = owner();

	if (before.driver == driver)
		return;
	try {
		move(std::string(driver));
		probe_for(driver);
	} catch (const Error &) {
		try {
			give_back(before);
		} catch (const Error &) {
			// What is wrong with the function is what is thrown below.
		}
		throw;
	}
}

void PciFunction::give_back() const
{
	if (!owner().wanted)
		return;
	move(std::nullopt);
	probe();
}

void PciFunction::give_back(const PciOwner &before) const
{
	if (owner() == before)
		return;
	move(before.wanted);
	if (before.driver)
		probe_for(*before.driver);
}

bool has_iommu()
{
	return !sysfs::list(sysfs::path("class/iommu")).empty();
}

} // namespace iommukit

// SPDX-License-Identifier: GPL-2.0-only
// Everything comes from sysfs, and needs neither the module nor a right.
#include "pci_facts.h"

#include "obstacles.h"
#include "pci_bind.h"

#include <array>
#include <cstdio>

namespace ctl {

using namespace iommukit;

namespace {

constexpr std::array sibling_fields = {
	Field{"address", Show::text, "PCI address"},
	Field{"pci_id", Show::text, "vendor:device"},
	Field{"driver", Show::text, "its driver"},
};

constexpr std::array region_fields = {
	Field{"first", Show::address, "first IOVA"},
	Field{"last", Show::address, "last IOVA"},
	Field{"type", Show::text, "what the kernel calls it"},
};

constexpr std::array function_fields = {
	Field{"address", Show::text, "PCI address"},
	Field{"pci_id", Show::text, "vendor:device"},
	Field{"driver", Show::text, "its driver"},
	Field{"group", Show::number, "number of its IOMMU group"},
	Field{"viable", Show::boolean, "no driver of the group is in the way"},
	Field{"id", Show::number, "id of the device, if it is bound in this session"},
	Field{"ioas", Show::number, "the IOAS it works in"},
	Field{"hwpt", Show::number, "the HWPT it goes through"},
	Field{"siblings", Show::rows, "the other functions of its group", &sibling_table},
	Field{"reserved", Show::rows, "IOVA that the group does not translate",
	      &region_table},
};

std::string pci_id(const PciFunction &function)
{
	std::array<char, 16> out;

	std::snprintf(out.data(), out.size(), "%04x:%04x", function.vendor(),
		      function.device());
	return out.data();
}

Json or_null(const auto &value)
{
	return value ? Json(*value) : Json();
}

Json siblings(const PciFunction &function)
{
	Json out = Json::array();

	for (const auto &other : function.siblings())
		out.push_back(row_to_json(sibling_table, {other.address(), pci_id(other),
							  or_null(other.driver())}));
	return out;
}

Json reserved(const PciFunction &function)
{
	Json out = Json::array();

	for (const auto &region : function.reserved())
		out.push_back(row_to_json(region_table,
					  {region.range.first.value,
					   region.range.last.value, region.type}));
	return out;
}

Row function_row(Session &session, const PciFunction &function)
{
	const PciRecord *record = find_function(session, function.address());
	auto group = function.group();

	return {function.address(),
		pci_id(function),
		or_null(function.driver()),
		or_null(group),
		group ? Json(is_viable(function)) : Json(),
		record ? Json(record->device.id().value) : Json(),
		record ? optional_id(record->ioas) : Json(),
		record ? optional_id(record->hwpt) : Json(),
		siblings(function),
		reserved(function)};
}

} // namespace

constinit const FieldTable sibling_table = {"sibling", sibling_fields};
constinit const FieldTable region_table = {"region", region_fields};
constinit const FieldTable function_table = {"function", function_fields};

Report function_report(Session &session, const std::string &address)
{
	return Report(function_table, Report::Style::block,
		      {function_row(session, PciFunction(address))})
		.primary("address");
}

Report functions_report(Session &session)
{
	std::vector<Row> rows;

	for (const PciFunction &function : PciFunction::all())
		rows.push_back(function_row(session, function));
	return Report(function_table, Report::Style::table, std::move(rows))
		.primary("address")
		.as_list();
}

} // namespace ctl

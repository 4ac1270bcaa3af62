// SPDX-License-Identifier: GPL-2.0-only
// iommuctl device: what goes through a HWPT. A PCI function is bound, and works for
// the program that has it. A software device is a port of the DMA engine, so what it
// is to do is said with dma; a mock device does nothing by itself, and is there to have
// HWPTs like those of hardware.
#include "devices.h"
#include "dma_io.h"
#include "failure.h"
#include "hw_info.h"
#include "objects.h"
#include "pci_bind.h"
#include "pci_facts.h"
#include "records.h"

#include <algorithm>
#include <array>

namespace ctl {

using namespace iommukit;

namespace {

constexpr std::array device_fields = {
	Field{"id", Show::number, "id of the device in its context"},
	Field{"kind", Show::text, "pci, soft or mock"},
	Field{"context", Show::number, "number of the context"},
	Field{"port", Show::number, "port of the engine, if it is soft"},
	Field{"flags", Show::words, "what a mock device is like"},
	Field{"ioas", Show::number, "the IOAS it works in"},
	Field{"hwpt", Show::number, "the HWPT it goes through"},
	Field{"address", Show::text, "PCI address, if it has one"},
};
constexpr FieldTable device_table = {"device", device_fields};

constexpr std::array info_fields = {
	Field{"id", Show::number, "id of the device"},
	Field{"type", Show::text, "what the data is: none, intel-vtd, or a number"},
	Field{"capabilities", Show::words, "what the device and its IOMMU can do"},
	Field{"pasid_bits", Show::number, "bits of a PASID, 0 if it has none"},
	Field{"data", Show::text, "registers of the IOMMU, hexadecimal"},
	Field{"hitless", Show::boolean,
	      "what it has under way is never lost when its HWPT is replaced"},
};
constexpr FieldTable info_table = {"info", info_fields};

Json mock_flags(const Device &device)
{
	Json out = Json::array();

	if (!device.mock)
		return {};
	if (device.mock->use.no_dirty)
		out.push_back("no-dirty");
	if (device.mock->use.huge_iova)
		out.push_back("huge-iova");
	if (device.mock->use.pasid)
		out.push_back("pasid");
	return out;
}

Row device_row(Session &session, const Device &device)
{
	return {device.id.value,
		device.pci ? "pci" : device.mock ? "mock" : "soft",
		session.context().number,
		device.port ? Json(*device.port) : Json(),
		mock_flags(device),
		optional_id(device.ioas),
		optional_id(device.hwpt),
		device.pci ? Json(device.pci->function.address()) : Json()};
}

Device operand(Session &session, const Arguments &args)
{
	return find_device(session, args, "id");
}

Report device_report(Session &session, ObjectId id, std::string_view primary)
{
	std::vector<Device> list = devices(session);

	return Report(device_table, Report::Style::line,
		      {device_row(session, *std::ranges::find(list, id, &Device::id))})
		.primary(primary);
}

// Which of the parameters a kind of device has no use for.
void refuse(const Arguments &args, std::string_view kind,
	    std::initializer_list<std::string_view> names)
{
	for (auto name : names)
		if (args.has(name))
			throw usage_failure("a " + std::string(kind) + " device has no " +
						    std::string(name),
					    "help device");
}

Report add_soft(Session &session, const Arguments &args)
{
	refuse(args, "soft", {"no-dirty", "huge-iova", "pasid"});
	if (args.has("ioas") || args.has("hwpt"))
		throw usage_failure("a soft device is made without a page table",
				    "attach it afterwards: device attach");
	auto number = static_cast<std::uint32_t>(args.number("port").value_or(0));
	ObjectId id = bind_port(session, number, PortUse::device);
	return device_report(session, id, "id");
}

Report add_mock(Session &session, const Arguments &args)
{
	refuse(args, "mock", {"port"});
	ContextRecord &context = session.context();
	Target target = find_target(session, args);
	MockUse use{.no_dirty = args.has("no-dirty"),
		    .huge_iova = args.has("huge-iova"),
		    .pasid = args.has("pasid")};
	auto record = std::make_unique<MockRecord>(
		MockDevice::make(context.context, target.id, use), use, target.ioas);
	ObjectId id = record->mock.device();

	context.mocks.push_back(std::move(record));
	return device_report(session, id, "id");
}

Report run_add(Session &session, const Arguments &args)
{
	return args.need_text("kind") == "soft" ? add_soft(session, args)
						: add_mock(session, args);
}

// A mock device is attached when it is made, and until it is deleted.
std::uint32_t port_of(const Device &device, std::string_view doing,
		      std::string_view instead)
{
	if (!device.port)
		throw usage_failure("mock device " + std::to_string(device.id.value) +
					    " is attached for good and cannot be " +
					    std::string(doing),
				    std::string(instead));
	return *device.port;
}

Report run_attach(Session &session, const Arguments &args)
{
	Device device = operand(session, args);

	if (device.pci) {
		attach_function(*device.pci, find_target(session, args));
	} else {
		std::uint32_t port =
			port_of(device, "attached again", "move it with device replace");
		attach_port(session, port, find_target(session, args));
	}
	return device_report(session, device.id, "hwpt");
}

Report run_replace(Session &session, const Arguments &args)
{
	Device device = operand(session, args);
	Target target = find_target(session, args);

	if (device.pci) {
		replace_function(session.context(), *device.pci, target);
	} else if (device.port) {
		replace_port(session, *device.port, target);
	} else {
		device.mock->mock.replace(target.id);
		device.mock->ioas = target.ioas;
	}
	return device_report(session, device.id, "hwpt");
}

Report run_detach(Session &session, const Arguments &args)
{
	Device device = operand(session, args);

	if (device.pci)
		detach_function(*device.pci);
	else
		detach_port(session, port_of(device, "detached",
					     "move it with device replace, or end it "
					     "with device del"));
	return {};
}

Report run_del(Session &session, const Arguments &args)
{
	Device device = operand(session, args);

	if (device.pci)
		throw usage_failure(device.pci->function.address() + " is not made here",
				    "give it back: device unbind");
	if (device.port) {
		unbind_port(session, *device.port);
		return {};
	}
	device.mock->mock.destroy();
	std::erase_if(session.context().mocks,
		      [&](const auto &record) { return record.get() == device.mock; });
	return {};
}

Report run_bind(Session &session, const Arguments &args)
{
	ObjectId id = bind_function(session, *args.address("address"));

	return device_report(session, id, "id");
}

Report run_unbind(Session &session, const Arguments &args)
{
	auto address = args.address("id");

	if (address && !find_function(session, *address)) {
		reclaim_function(session, *address);
		return {};
	}
	Device device = operand(session, args);
	if (!device.pci)
		throw usage_failure("device " + std::to_string(device.id.value) +
					    " is no PCI function",
				    "end it with device del");
	unbind_function(session.context(), *device.pci);
	return {};
}

Report run_show(Session &session, const Arguments &args)
{
	std::vector<Row> rows;

	if (auto address = args.address("id"))
		return selected(function_report(session, *address), args);
	if (args.has("id"))
		rows.push_back(device_row(session, operand(session, args)));
	else
		for (const Device &device : devices(session))
			rows.push_back(device_row(session, device));
	return listed(Report(device_table, Report::Style::table, std::move(rows)), "id",
		      args);
}

Report run_list(Session &session, const Arguments &args)
{
	return selected(functions_report(session), args);
}

std::string type_text(std::uint32_t type)
{
	switch (type) {
	case IOMMUKIT_HW_INFO_TYPE_NONE:
		return "none";
	case IOMMUKIT_HW_INFO_TYPE_INTEL_VTD:
		return "intel-vtd";
	default:
		return hex(type);
	}
}

Json capabilities(const HwInfo &info)
{
	constexpr std::uint64_t known = IOMMUKIT_HW_CAP_DIRTY_TRACKING |
					IOMMUKIT_HW_CAP_PCI_PASID_EXEC |
					IOMMUKIT_HW_CAP_PCI_PASID_PRIV;
	Json out = Json::array();

	if (info.has(IOMMUKIT_HW_CAP_DIRTY_TRACKING))
		out.push_back("dirty-tracking");
	if (info.has(IOMMUKIT_HW_CAP_PCI_PASID_EXEC))
		out.push_back("pasid-exec");
	if (info.has(IOMMUKIT_HW_CAP_PCI_PASID_PRIV))
		out.push_back("pasid-priv");
	// A newer module may have some that this tool has no name for.
	if (info.capabilities & ~known)
		out.push_back(hex(info.capabilities & ~known));
	return out;
}

// A port never stops working. No IOMMU that this runs on changes over in one step:
// nothing is promised for a function. A mock device has nothing under way.
Json hitless(const Device &device)
{
	return device.mock ? Json() : Json(!device.pci);
}

Report run_info(Session &session, const Arguments &args)
{
	Device device = operand(session, args);
	HwInfo info = hw_info(session.context().context, device.id);
	std::vector<std::uint8_t> data;

	for (std::byte byte : info.data)
		data.push_back(std::to_integer<std::uint8_t>(byte));
	return Report(info_table, Report::Style::block,
		      {{device.id.value, type_text(info.type), capabilities(info),
			info.pasid_bits, data.empty() ? Json() : Json(hex_digits(data)),
			hitless(device)}})
		.primary("type");
}

constexpr std::array<std::string_view, 2> kinds = {"soft", "mock"};

constexpr Param id_param = {"id", Kind::device, Place::optional_operand,
			    "the device; the only one if left out"};
constexpr Param field_param = {"field", Kind::text, Place::optional_operand,
			       "print only this field, bare"};

constexpr std::array add_params = {
	Param{"kind", Kind::choice, Place::operand,
	      "soft: a port of the DMA engine, to be used with dma; mock: one of the "
	      "test module, attached for good",
	      kinds},
	Param{"port", Kind::number, Place::key, "soft: 0 or 1; 0 if left out"},
	Param{"ioas", Kind::id, Place::key,
	      "mock: the IOAS it is attached to; the only one if left out"},
	Param{"hwpt", Kind::id, Place::key, "mock: a HWPT, in place of an IOAS"},
	Param{"no-dirty", Kind::text, Place::flag, "mock: no dirty tracking"},
	Param{"huge-iova", Kind::text, Place::flag, "mock: dirty tracking by huge pages"},
	Param{"pasid", Kind::text, Place::flag, "mock: has PASIDs"},
};
constexpr std::array bind_params = {
	Param{"address", Kind::pci, Place::operand, "a PCI function of device list"},
};
constexpr std::array unbind_params = {
	Param{"id", Kind::device, Place::operand,
	      "the device, or a function that another session has left bound"},
};
constexpr std::array attach_params = {id_param, target_ioas_param, target_hwpt_param};
constexpr std::array id_params = {id_param};
constexpr std::array show_params = {
	Param{"id", Kind::device, Place::optional_operand,
	      "the device; all of the session if left out; by its address a PCI function, "
	      "bound or not"},
	field_param,
};
constexpr std::array list_params = {field_param};

constexpr std::array verbs = {
	Verb{"show", "list the devices and what they are attached to", show_params,
	     run_show},
	Verb{"list", "list the PCI functions of this machine", list_params, run_list},
	Verb{"add", "make a device in the current context", add_params, run_add},
	Verb{"bind", "take a PCI function from its driver into the current context",
	     bind_params, run_bind},
	Verb{"attach", "let a device work in an IOAS, or by a HWPT", attach_params,
	     run_attach},
	Verb{"replace", "move a device to another one; its group moves with it",
	     attach_params, run_replace},
	Verb{"detach", "take a device out of its IOAS", id_params, run_detach},
	Verb{"info", "show what the device and its IOMMU can do", id_params, run_info},
	Verb{"unbind", "give a PCI function back to its driver", unbind_params,
	     run_unbind},
	Verb{"del", "end a device that was made here; stops a job that uses it",
	     id_params, run_del},
};
constexpr std::array<const FieldTable *, 5> tables = {
	&device_table, &info_table, &function_table, &sibling_table, &region_table};

} // namespace

const Object device_object = {"device", "devices: PCI functions, and those of software",
			      verbs, "show", tables};

} // namespace ctl

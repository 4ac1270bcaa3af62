// SPDX-License-Identifier: GPL-2.0-only
// The kernel does not say what a device is attached to, so the session writes it
// down: here, for all commands that change it.
#include "devices.h"

#include "failure.h"

#include <algorithm>

namespace ctl {

using namespace iommukit;

Target find_target(Session &session, const Arguments &args)
{
	if (args.has("ioas") && args.has("hwpt"))
		throw usage_failure("ioas and hwpt exclude each other",
				    "a HWPT belongs to one IOAS: hwpt show");
	if (args.has("hwpt")) {
		HwptRecord &record = session.hwpt(args.id("hwpt"));
		return {record.hwpt.id(), record.ioas};
	}
	ObjectId id = session.ioas(args.id("ioas")).ioas.id();
	return {id, id};
}

Target find_port_target(Session &session, const Arguments &args)
{
	auto id = args.id("iotlb");

	if (id && (args.has("ioas") || args.has("hwpt")))
		throw usage_failure("iotlb excludes ioas and hwpt",
				    "an IOTLB leads to one IOAS: iotlb show");
	if (id)
		return {session.iotlb(id).iotlb.id(), *id, true};
	if (auto ioas = args.id("ioas"); ioas && session.find_iotlb(*ioas))
		return {*ioas, *ioas, true};
	return find_target(session, args);
}

Json optional_id(const std::optional<ObjectId> &id)
{
	return id ? Json(id->value) : Json();
}

ObjectId bind_port(Session &session, std::uint32_t number, PortUse use)
{
	PortRecord &port = session.port(number);
	ContextRecord &context = session.context();
	ObjectId id = session.open_engine().bind(number, context.context, use);

	port = {context.number, use, id, std::nullopt};
	return id;
}

void unbind_port(Session &session, std::uint32_t number)
{
	PortRecord &port = session.port(number);

	session.engine().unbind(number);
	port = {};
}

namespace {

// Only a device has anything to do with a HWPT, and only the others with an IOTLB.
PortRecord &check_target(Session &session, std::uint32_t number, const Target &target)
{
	PortRecord &port = session.port(number);

	if (target.iotlb && port.is_device())
		throw usage_failure("port " + std::to_string(number) + " is a device",
				    "an IOTLB is for ports of dma bind: device del, dma "
				    "bind");
	if (target.id != target.ioas && port.context && !port.is_device())
		throw usage_failure("port " + std::to_string(number) + " is no device",
				    "bind it with device add soft, or attach it to an "
				    "IOAS");
	return port;
}

void remember(PortRecord &port, const Target &target, ObjectId pt)
{
	port.ioas = target.iotlb ? std::nullopt : std::optional(target.ioas);
	port.iotlb = target.iotlb ? std::optional(target.id) : std::nullopt;
	if (port.is_device())
		port.hwpt = pt;
}

} // namespace

void attach_port(Session &session, std::uint32_t number, const Target &target)
{
	PortRecord &port = check_target(session, number, target);

	remember(port, target, session.engine().attach(number, target.id));
}

void replace_port(Session &session, std::uint32_t number, const Target &target)
{
	PortRecord &port = check_target(session, number, target);

	remember(port, target, session.engine().replace(number, target.id));
}

void detach_port(Session &session, std::uint32_t number)
{
	PortRecord &port = session.port(number);

	session.engine().detach(number);
	port.ioas.reset();
	port.hwpt.reset();
	port.iotlb.reset();
}

std::vector<Device> devices(Session &session)
{
	ContextRecord &context = session.context();
	std::vector<Device> out;

	for (std::uint32_t number = 0; number < IOMMUKIT_DMA_NR_PORTS; number++) {
		const PortRecord &port = session.port(number);
		if (port.is_device() && port.context == context.number)
			out.push_back({.id = port.id,
				       .port = number,
				       .ioas = port.ioas,
				       .hwpt = port.hwpt});
	}
	for (const auto &record : context.functions)
		out.push_back({.id = record->device.id(),
			       .pci = record.get(),
			       .ioas = record->ioas,
			       .hwpt = record->hwpt});
	for (const auto &record : context.mocks)
		out.push_back({.id = record->mock.device(),
			       .mock = record.get(),
			       .ioas = record->ioas,
			       .hwpt = record->mock.hwpt()});
	std::ranges::sort(out, {}, &Device::id);
	return out;
}

Device find_device(Session &session, const Arguments &args, std::string_view name)
{
	std::vector<Device> list = devices(session);
	auto id = args.id(name);
	auto address = args.address(name);

	if (!args.has(name) && list.size() == 1)
		return list[0];
	if (!args.has(name))
		throw usage_failure(
			list.empty() ? "there is no device in this session"
				     : "there are several devices",
			list.empty()
				? "make one with device add, or bind one with device "
				  "bind"
				: "name one; device show lists them");
	auto it = std::ranges::find_if(list, [&](const Device &device) {
		return address ? device.pci && device.pci->function.address() == *address
			       : device.id == *id;
	});
	if (it == list.end())
		throw Failure(Exit::refused,
			      "there is no device " + args.need_text(name) +
				      " in this session",
			      "device show lists them, device add makes one, device bind "
			      "binds one");
	return *it;
}

} // namespace ctl

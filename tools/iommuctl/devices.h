// SPDX-License-Identifier: GPL-2.0-only
// The devices of a session: PCI functions, ports of the engine that are devices, and
// those of the test module. What they are attached to is an IOAS, or a HWPT made on
// one.
#pragma once

#include "command_table.h"
#include "session.h"

#include <optional>
#include <vector>

namespace ctl {

// An IOAS, or a HWPT and the IOAS that it mirrors. An IOTLB stands for itself.
struct Target {
	iommukit::ObjectId id;
	iommukit::ObjectId ioas;
	bool iotlb = false;
};

// Keys of verbs that need a target, and what they name: the only IOAS if neither
// is given.
inline constexpr Param target_ioas_param = {
	"ioas", Kind::id, Place::key,
	"the IOAS; the only one if neither this nor hwpt is given"};
inline constexpr Param target_hwpt_param = {"hwpt", Kind::id, Place::key,
					    "a HWPT of hwpt add, in place of an IOAS"};
Target find_target(Session &session, const Arguments &args);

// A port takes an IOTLB as well, by a key of its own or where it takes an IOAS.
inline constexpr Param target_iotlb_param = {
	"iotlb", Kind::id, Place::key,
	"an IOTLB of iotlb add, in place of an IOAS; the port may be no device"};
Target find_port_target(Session &session, const Arguments &args);

// The engine first, then the session's books.
iommukit::ObjectId bind_port(Session &session, std::uint32_t number,
			     iommukit::PortUse use);
void unbind_port(Session &session, std::uint32_t number);
void attach_port(Session &session, std::uint32_t number, const Target &target);
void replace_port(Session &session, std::uint32_t number, const Target &target);
void detach_port(Session &session, std::uint32_t number);

// What a device is attached to, for a report.
Json optional_id(const std::optional<iommukit::ObjectId> &id);

// A device of the current context: a PCI function, a port, or a mock device.
struct Device {
	iommukit::ObjectId id;
	std::optional<std::uint32_t> port = {};
	MockRecord *mock = nullptr;
	PciRecord *pci = nullptr;

	// What it is attached to.
	std::optional<iommukit::ObjectId> ioas = {};
	std::optional<iommukit::ObjectId> hwpt = {};
};

std::vector<Device> devices(Session &session);
// By an argument that is an id or a PCI address; without it the only device there is.
Device find_device(Session &session, const Arguments &args, std::string_view name);

} // namespace ctl

// SPDX-License-Identifier: GPL-2.0-only
// What the module's netlink family tells of contexts, their objects, and what is in
// them. What it means is said by <linux/iommukit_netlink.h>.
#pragma once

#include "iotlb.h"
#include "netlink.h"
#include "ondemand.h"
#include "types.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

namespace iommukit {

// What an event leaves out is empty or 0.
struct ContextFacts {
	std::uint32_t id = 0;
	// Absent if it is not seen from here.
	std::optional<std::uint32_t> pid = {};
	std::string comm = {};
	std::uint32_t uid = 0;
	std::uint64_t age_ms = 0;
	iommukit_nl_account account = IOMMUKIT_NL_ACCOUNT_NONE;
	Bytes pinned = {};
	// Absent if nothing is counted, or the process has gone. All ones: no limit.
	std::optional<Bytes> memlock_limit = {};
	std::optional<Bytes> memlock_headroom = {};
	std::uint32_t objects = 0;
	// Of CONTEXT_LIMIT only: what could not be pinned
	std::optional<Bytes> refused = {};
};

struct IoasState {
	std::uint64_t areas = 0;
	Bytes mapped = {};
	std::uint32_t hwpts = 0;
	bool dirty_tracking = false;
	// Since that is on
	std::uint64_t dirtied_pages = 0;
	// Of on-demand areas
	std::uint64_t faults = 0;
	std::uint64_t invalidations = 0;
};

struct HwptState {
	// None: it is nested.
	std::optional<std::uint32_t> ioas = {};
	std::optional<std::uint32_t> parent = {};
	std::uint32_t domain = 0; // of enum iommukit_nl_domain
	std::uint32_t flags = 0;  // of enum iommukit_nl_hwpt_flags
	std::optional<std::uint32_t> fault_queue = {};
	std::uint32_t groups = 0;
};

struct DeviceState {
	std::string name = {};	 // empty: it is software
	std::string driver = {}; // or the module that it is software of; empty: none
	std::optional<std::uint32_t> iommu_group = {};
	// None: it is not attached.
	std::optional<std::uint32_t> hwpt = {};
	std::uint32_t outstanding_faults = 0;
};

struct AccessState {
	// An IOAS or an IOTLB; none: it is not attached.
	std::optional<std::uint32_t> stage = {};
	std::string driver = {};
	std::uint64_t pins = 0;
	std::uint64_t copies = 0;
};

struct IotlbState {
	// None: targets are addresses of the process.
	std::optional<std::uint32_t> ioas = {};
	std::uint32_t asids = 0;
	bool served = false;
	std::uint32_t max_entries = 0;
	IotlbStats stats = {};
};

struct FaultQueueState {
	std::uint32_t unread = 0;
	std::uint32_t unanswered = 0;
};

// None: an event, or something that a newer module has.
using ObjectState = std::variant<std::monostate, IoasState, HwptState, DeviceState,
				 AccessState, IotlbState, FaultQueueState>;

struct ObjectFacts {
	std::uint32_t context = 0;
	std::uint32_t id = 0;
	std::string type = {};
	std::uint32_t users = 0;
	ObjectState state = {};
};

struct AreaFacts {
	std::uint32_t context = 0;
	std::uint32_t ioas = 0;
	IovaRange range = {};
	std::uint32_t flags = 0; // of enum iommukit_nl_area_flags
	// Of the process that mapped it; of a file: the offset
	std::optional<std::uint64_t> user_address = {};
	// Of an on-demand area
	std::optional<Bytes> present = {};
	std::optional<OndemandStats> ondemand = {};
};

// What stays of an area as long as it is mapped, and so is told by events.
struct MappingFacts {
	std::uint32_t context = 0;
	std::uint32_t ioas = 0;
	IovaRange range = {};
	// enum iommukit_nl_area_flags, but for IOMMUKIT_NL_AREA_DEAD
	std::uint32_t flags = 0;
	// In the process, or the offset in the file
	std::uint64_t user_address = 0;

	auto operator<=>(const MappingFacts &) const = default;
	Bytes length() const { return range.last - range.first + Bytes(1); }
};

struct EntryFacts {
	std::uint32_t context = 0;
	std::uint32_t iotlb = 0;
	IotlbEntry entry = {};
};

struct OndemandFacts {
	std::uint32_t context = 0;
	std::uint32_t ioas = 0;
	Iova iova = {};
	Bytes length = {};
	// Of OD_DEAD
	std::optional<std::uint32_t> reason = {};
	// Of OD_UNMAP_ANOMALY: where, and how much was to be unmapped, and was
	std::optional<Iova> unmap_iova = {};
	std::optional<Bytes> unmap_asked = {};
	std::optional<Bytes> unmap_done = {};
};

struct IotlbFacts {
	std::uint32_t context = 0;
	std::uint32_t id = 0;
	std::uint64_t user_tag = 0;
};

ContextFacts context_facts(const NetlinkMessage &message);
ObjectFacts object_facts(const NetlinkMessage &message);
AreaFacts area_facts(const NetlinkMessage &message);
MappingFacts mapping_facts(const AreaFacts &area);
EntryFacts entry_facts(const NetlinkMessage &message);
OndemandFacts ondemand_facts(const NetlinkMessage &message);
IotlbFacts iotlb_facts(const NetlinkMessage &message);

} // namespace iommukit

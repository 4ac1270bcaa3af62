// SPDX-License-Identifier: GPL-2.0-only
// What a message leaves out stays as a newer tool finds it with an older module: 0, empty
// or none.
#include "facts.h"

#include <algorithm>

namespace iommukit {

namespace {

std::optional<Bytes> bytes(const NetlinkMessage &message, int attribute)
{
	auto value = message.u64(attribute);

	return value ? std::optional(Bytes(*value)) : std::nullopt;
}

IoasState ioas_state(const NetlinkMessage &m)
{
	return {m.u64(IOMMUKIT_NL_A_IOAS_AREAS).value_or(0),
		bytes(m, IOMMUKIT_NL_A_IOAS_MAPPED_BYTES).value_or(Bytes()),
		m.u32(IOMMUKIT_NL_A_IOAS_HWPTS).value_or(0),
		m.u32(IOMMUKIT_NL_A_IOAS_DIRTY_TRACKING).value_or(0) != 0,
		m.u64(IOMMUKIT_NL_A_IOAS_DIRTIED_PAGES).value_or(0),
		m.u64(IOMMUKIT_NL_A_IOAS_OD_FAULTS).value_or(0),
		m.u64(IOMMUKIT_NL_A_IOAS_OD_INVALIDATIONS).value_or(0)};
}

HwptState hwpt_state(const NetlinkMessage &m)
{
	return {m.u32(IOMMUKIT_NL_A_HWPT_IOAS_ID),
		m.u32(IOMMUKIT_NL_A_HWPT_PARENT_ID),
		m.u32(IOMMUKIT_NL_A_HWPT_DOMAIN).value_or(0),
		m.u32(IOMMUKIT_NL_A_HWPT_FLAGS).value_or(0),
		m.u32(IOMMUKIT_NL_A_HWPT_FAULT_ID),
		m.u32(IOMMUKIT_NL_A_HWPT_DEVICES).value_or(0)};
}

DeviceState device_state(const NetlinkMessage &m)
{
	return {m.text(IOMMUKIT_NL_A_DEVICE_NAME), m.text(IOMMUKIT_NL_A_DEVICE_DRIVER),
		m.u32(IOMMUKIT_NL_A_DEVICE_IOMMU_GROUP),
		m.u32(IOMMUKIT_NL_A_DEVICE_HWPT_ID),
		m.u32(IOMMUKIT_NL_A_DEVICE_OUTSTANDING_FAULTS).value_or(0)};
}

AccessState access_state(const NetlinkMessage &m)
{
	return {m.u32(IOMMUKIT_NL_A_ACCESS_STAGE_ID), m.text(IOMMUKIT_NL_A_ACCESS_DRIVER),
		m.u64(IOMMUKIT_NL_A_ACCESS_PINS).value_or(0),
		m.u64(IOMMUKIT_NL_A_ACCESS_COPIES).value_or(0)};
}

IotlbState iotlb_state(const NetlinkMessage &m)
{
	auto counters = m.array(IOMMUKIT_NL_A_IOTLB_STATE_COUNTERS);
	IotlbState state{m.u32(IOMMUKIT_NL_A_IOTLB_STATE_IOAS_ID),
			 m.u32(IOMMUKIT_NL_A_IOTLB_STATE_ASIDS).value_or(0),
			 m.u32(IOMMUKIT_NL_A_IOTLB_STATE_SERVER).value_or(0) != 0,
			 m.u32(IOMMUKIT_NL_A_IOTLB_STATE_MAX_ENTRIES).value_or(0),
			 {}};

	std::ranges::copy_n(counters.begin(),
			    static_cast<std::ptrdiff_t>(
				    std::min(counters.size(), state.stats.values.size())),
			    state.stats.values.begin());
	return state;
}

FaultQueueState fault_queue_state(const NetlinkMessage &m)
{
	return {m.u32(IOMMUKIT_NL_A_FAULT_QUEUE_UNREAD).value_or(0),
		m.u32(IOMMUKIT_NL_A_FAULT_QUEUE_UNANSWERED).value_or(0)};
}

ObjectState state_of(const NetlinkMessage &m)
{
	if (auto nest = m.nest(IOMMUKIT_NL_A_OBJECT_IOAS))
		return ioas_state(*nest);
	if (auto nest = m.nest(IOMMUKIT_NL_A_OBJECT_HWPT))
		return hwpt_state(*nest);
	if (auto nest = m.nest(IOMMUKIT_NL_A_OBJECT_DEVICE))
		return device_state(*nest);
	if (auto nest = m.nest(IOMMUKIT_NL_A_OBJECT_ACCESS))
		return access_state(*nest);
	if (auto nest = m.nest(IOMMUKIT_NL_A_OBJECT_IOTLB))
		return iotlb_state(*nest);
	if (auto nest = m.nest(IOMMUKIT_NL_A_OBJECT_FAULT_QUEUE))
		return fault_queue_state(*nest);
	return {};
}

} // namespace

ContextFacts context_facts(const NetlinkMessage &m)
{
	ContextFacts facts;

	facts.id = m.u32(IOMMUKIT_NL_A_CONTEXT_ID).value_or(0);
	facts.pid = m.u32(IOMMUKIT_NL_A_CONTEXT_PID);
	facts.comm = m.text(IOMMUKIT_NL_A_CONTEXT_COMM);
	facts.uid = m.u32(IOMMUKIT_NL_A_CONTEXT_UID).value_or(0);
	facts.age_ms = m.u64(IOMMUKIT_NL_A_CONTEXT_AGE_MS).value_or(0);
	facts.account = static_cast<iommukit_nl_account>(
		m.u32(IOMMUKIT_NL_A_CONTEXT_ACCOUNT).value_or(0));
	facts.pinned = bytes(m, IOMMUKIT_NL_A_CONTEXT_PINNED_BYTES).value_or(Bytes());
	facts.memlock_limit = bytes(m, IOMMUKIT_NL_A_CONTEXT_MEMLOCK_LIMIT);
	facts.memlock_headroom = bytes(m, IOMMUKIT_NL_A_CONTEXT_MEMLOCK_HEADROOM);
	facts.objects = m.u32(IOMMUKIT_NL_A_CONTEXT_OBJECTS).value_or(0);
	facts.refused = bytes(m, IOMMUKIT_NL_A_CONTEXT_REFUSED_BYTES);
	return facts;
}

ObjectFacts object_facts(const NetlinkMessage &m)
{
	return {m.u32(IOMMUKIT_NL_A_OBJECT_CONTEXT_ID).value_or(0),
		m.u32(IOMMUKIT_NL_A_OBJECT_ID).value_or(0),
		m.text(IOMMUKIT_NL_A_OBJECT_TYPE),
		m.u32(IOMMUKIT_NL_A_OBJECT_USERS).value_or(0), state_of(m)};
}

AreaFacts area_facts(const NetlinkMessage &m)
{
	AreaFacts facts;
	auto counters = m.array(IOMMUKIT_NL_A_AREA_COUNTERS);

	facts.context = m.u32(IOMMUKIT_NL_A_AREA_CONTEXT_ID).value_or(0);
	facts.ioas = m.u32(IOMMUKIT_NL_A_AREA_IOAS_ID).value_or(0);
	facts.range.first = Iova(m.u64(IOMMUKIT_NL_A_AREA_IOVA).value_or(0));
	facts.range.last = Iova(m.u64(IOMMUKIT_NL_A_AREA_LAST).value_or(0));
	facts.flags = m.u32(IOMMUKIT_NL_A_AREA_FLAGS).value_or(0);
	facts.user_address = m.u64(IOMMUKIT_NL_A_AREA_USER_ADDRESS);
	facts.present = bytes(m, IOMMUKIT_NL_A_AREA_PRESENT_BYTES);
	if (!counters.empty())
		facts.ondemand = ondemand_stats(counters);
	return facts;
}

MappingFacts mapping_facts(const AreaFacts &area)
{
	return {area.context, area.ioas, area.range,
		area.flags & ~std::uint32_t(IOMMUKIT_NL_AREA_DEAD),
		area.user_address.value_or(0)};
}

EntryFacts entry_facts(const NetlinkMessage &m)
{
	EntryFacts facts;
	IotlbEntry &entry = facts.entry;

	facts.context = m.u32(IOMMUKIT_NL_A_ENTRY_CONTEXT_ID).value_or(0);
	facts.iotlb = m.u32(IOMMUKIT_NL_A_ENTRY_IOTLB_ID).value_or(0);
	entry.range.first = Iova(m.u64(IOMMUKIT_NL_A_ENTRY_FIRST).value_or(0));
	entry.range.last = Iova(m.u64(IOMMUKIT_NL_A_ENTRY_LAST).value_or(0));
	entry.target = m.u64(IOMMUKIT_NL_A_ENTRY_TARGET).value_or(0);
	entry.permission = iotlb_permission(m.u32(IOMMUKIT_NL_A_ENTRY_PERM).value_or(0));
	entry.flags = m.u32(IOMMUKIT_NL_A_ENTRY_FLAGS).value_or(0);
	entry.asid = m.u32(IOMMUKIT_NL_A_ENTRY_ASID).value_or(0);
	return facts;
}

OndemandFacts ondemand_facts(const NetlinkMessage &m)
{
	OndemandFacts facts;

	facts.context = m.u32(IOMMUKIT_NL_A_OD_CONTEXT_ID).value_or(0);
	facts.ioas = m.u32(IOMMUKIT_NL_A_OD_IOAS_ID).value_or(0);
	facts.iova = Iova(m.u64(IOMMUKIT_NL_A_OD_IOVA).value_or(0));
	facts.length = bytes(m, IOMMUKIT_NL_A_OD_LENGTH).value_or(Bytes());
	facts.reason = m.u32(IOMMUKIT_NL_A_OD_REASON);
	if (auto iova = m.u64(IOMMUKIT_NL_A_OD_UNMAP_IOVA))
		facts.unmap_iova = Iova(*iova);
	facts.unmap_asked = bytes(m, IOMMUKIT_NL_A_OD_UNMAP_ASKED);
	facts.unmap_done = bytes(m, IOMMUKIT_NL_A_OD_UNMAP_DONE);
	return facts;
}

IotlbFacts iotlb_facts(const NetlinkMessage &m)
{
	return {m.u32(IOMMUKIT_NL_A_IOTLB_CONTEXT_ID).value_or(0),
		m.u32(IOMMUKIT_NL_A_IOTLB_ID).value_or(0),
		m.u64(IOMMUKIT_NL_A_IOTLB_USER_TAG).value_or(0)};
}

} // namespace iommukit

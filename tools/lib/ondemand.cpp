// SPDX-License-Identifier: GPL-2.0-only
// As in ioas.cpp, success is not believed blindly.
#include "ondemand.h"

#include "command.h"
#include "memory.h"
#include "raw.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace iommukit {

// The first mapping of a process is given up for any signal, which is handled before
// the next attempt.
Iova map_ondemand(const Ioas &ioas, const void *memory, Bytes length,
		  Permission permission, std::optional<Iova> fixed, FaultAround around)
{
	auto cmd = command<iommukit_ioas_map_ondemand>();
	Subject subject{.object = ioas.id(), .iova = fixed, .length = length};
	std::error_code error;

	cmd.flags = static_cast<std::uint32_t>(permission);
	if (fixed)
		cmd.flags |= IOMMUKIT_IOAS_MAP_FIXED_IOVA;
	cmd.ioas_id = ioas.id().value;
	cmd.fault_around = around.order;
	cmd.user_va = reinterpret_cast<std::uintptr_t>(memory);
	cmd.length = length.value;
	cmd.iova = fixed.value_or(Iova()).value;
	do
		error = raw(ioas.context(), IOMMUKIT_IOAS_MAP_ONDEMAND, &cmd);
	while (error.value() == EINTR);
	if (error)
		throw Error(error, std::string(command_name(IOMMUKIT_IOAS_MAP_ONDEMAND)),
			    subject);
	if (fixed && fixed->value != cmd.iova)
		bad_answer(IOMMUKIT_IOAS_MAP_ONDEMAND, subject);
	return Iova(cmd.iova);
}

std::uint64_t prefetch(const Ioas &ioas, Iova iova, Bytes length, std::uint32_t flags)
{
	auto cmd = command<iommukit_ioas_prefetch>();
	Subject subject{.object = ioas.id(), .iova = iova, .length = length};

	cmd.flags = flags;
	cmd.ioas_id = ioas.id().value;
	cmd.iova = iova.value;
	cmd.length = length.value;
	call(ioas.context().channel(), IOMMUKIT_IOAS_PREFETCH, &cmd, subject);
	// Success means the first page at least, and none outside.
	const std::uint64_t page = page_size().value, first = iova.value / page;
	const std::uint64_t last = (iova.value + length.value - 1) / page;
	if (!cmd.out_pages || cmd.out_pages > last - first + 1)
		bad_answer(IOMMUKIT_IOAS_PREFETCH, subject);
	return cmd.out_pages;
}

OndemandStats ondemand_stats(const Ioas &ioas, std::optional<Iova> iova,
			     OndemandReset reset)
{
	OndemandStats stats;
	auto &cmd = stats.counters;

	cmd = command<iommukit_ondemand_query>();
	cmd.flags = reset == OndemandReset::yes ? IOMMUKIT_ONDEMAND_QUERY_RESET : 0;
	cmd.ioas_id = ioas.id().value;
	cmd.iova = iova ? iova->value : IOMMUKIT_ONDEMAND_QUERY_SUM;
	call(ioas.context().channel(), IOMMUKIT_ONDEMAND_QUERY, &cmd,
	     {.object = ioas.id(), .iova = iova});
	stats.dead_process = cmd.out_state & IOMMUKIT_ONDEMAND_DEAD_MM;
	stats.quarantined = cmd.out_state & IOMMUKIT_ONDEMAND_QUARANTINED;
	stats.dead_context = cmd.out_state & IOMMUKIT_ONDEMAND_DEAD_CTX;
	return stats;
}

OndemandStats ondemand_stats(std::span<const std::uint64_t> values)
{
	constexpr std::size_t before = offsetof(iommukit_ondemand_query, out_faults_read);
	OndemandStats stats;
	auto *counters = reinterpret_cast<std::byte *>(&stats.counters);

	std::memcpy(counters + before, values.data(),
		    std::min(values.size_bytes(), sizeof(stats.counters) - before));
	return stats;
}

std::vector<OndemandCounter> OndemandStats::by_name() const
{
	const auto &c = counters;

	return {
		{"faults_read", c.out_faults_read},
		{"faults_write", c.out_faults_write},
		{"upgrades", c.out_upgrades},
		{"fault_errors", c.out_fault_errors},
		{"around_pages", c.out_around_pages},
		{"prefetch_pages", c.out_prefetch_pages},
		{"hits", c.out_hits},
		{"retries", c.out_retries},
		{"retry_max", c.out_retry_max},
		{"wait_max_us", c.out_wait_max_us},
		{"userfault_waits", c.out_userfault_waits},
		{"by_page", c.out_by_page},
		{"invalidations", c.out_invalidations},
		{"invalidations_empty", c.out_invalidations_empty},
		{"by_event_unmap", c.out_by_event[0]},
		{"by_event_clear", c.out_by_event[1]},
		{"by_event_protection", c.out_by_event[2]},
		{"by_event_protection_page", c.out_by_event[3]},
		{"by_event_soft_dirty", c.out_by_event[4]},
		{"by_event_release", c.out_by_event[5]},
		{"by_event_migrate", c.out_by_event[6]},
		{"by_event_exclusive", c.out_by_event[7]},
		{"zapped_pages", c.out_zapped_pages},
		{"downgraded_pages", c.out_downgraded_pages},
		{"refused", c.out_refused},
		{"present_pages", c.out_present_pages},
		{"present_peak", c.out_present_peak},
		{"huge", c.out_huge},
		{"chunks", c.out_chunks},
		{"table_bytes", c.out_table_bytes},
		{"dirtied_pages", c.out_dirtied_pages},
		{"hw_maps", c.out_hw_maps},
		{"hw_unmaps", c.out_hw_unmaps},
		{"hw_unmap_over", c.out_hw_unmap_over},
		{"hw_unmap_short", c.out_hw_unmap_short},
		{"tlb_syncs", c.out_tlb_syncs},
		{"quarantined_pages", c.out_quarantined_pages},
		{"pins_live", c.out_pins_live},
		{"pins_outlived", c.out_pins_outlived},
	};
}

} // namespace iommukit

// SPDX-License-Identifier: GPL-2.0-only
// What is known of an on-demand mapping beside the memory it stands for: which pages the
// module must have found and not yet forgotten, and what it has counted since the last
// RESET. Everything else it may know or count as it likes, within bounds.
#pragma once

#include "op.h"

#include <linux/iommukit.h>

#include <cstddef>
#include <memory>
#include <set>

namespace fuzz {

// The counters of a QUERY are words behind the state.
constexpr std::size_t query_head = offsetof(iommukit_ondemand_query, out_faults_read);
constexpr std::size_t query_counters =
	(sizeof(iommukit_ondemand_query) - query_head) / sizeof(std::uint64_t);

// The number of the counter at an offset in the structure.
constexpr std::size_t counter_at(std::size_t offset)
{
	return (offset - query_head) / sizeof(std::uint64_t);
}

#define FUZZ_COUNTER(name) counter_at(offsetof(iommukit_ondemand_query, out_##name))

enum Counter : std::size_t {
	faults_read = FUZZ_COUNTER(faults_read),
	faults_write = FUZZ_COUNTER(faults_write),
	fault_errors = FUZZ_COUNTER(fault_errors),
	prefetch_pages = FUZZ_COUNTER(prefetch_pages),
	userfault_waits = FUZZ_COUNTER(userfault_waits),
	invalidations = FUZZ_COUNTER(invalidations),
	invalidations_empty = FUZZ_COUNTER(invalidations_empty),
	by_event = FUZZ_COUNTER(by_event),
	zapped_pages = FUZZ_COUNTER(zapped_pages),
	refused = FUZZ_COUNTER(refused),
	present_pages = FUZZ_COUNTER(present_pages),
	present_peak = FUZZ_COUNTER(present_peak),
	huge = FUZZ_COUNTER(huge),
	chunks = FUZZ_COUNTER(chunks),
	table_bytes = FUZZ_COUNTER(table_bytes),
	hw_maps = FUZZ_COUNTER(hw_maps),
	quarantined_pages = FUZZ_COUNTER(quarantined_pages),
	pins_live = FUZZ_COUNTER(pins_live),
	pins_outlived = FUZZ_COUNTER(pins_outlived),
};
#undef FUZZ_COUNTER

// Events by their numbers.
constexpr std::size_t unmap_event = by_event, clear_event = by_event + 1,
		      soft_dirty_event = by_event + 4, release_event = by_event + 5,
		      exclusive_event = by_event + 7;

// Does RESET leave it as it is?
constexpr bool is_state(std::size_t counter)
{
	return counter == present_pages || counter == huge || counter == chunks ||
	       counter == table_bytes || counter == quarantined_pages ||
	       counter == pins_live;
}

using Counts = std::array<std::uint64_t, query_counters>;

struct Ondemand {
	// Pages that are there, by their number in the memory.
	std::set<std::uint64_t> found = {};
	// Pinned ones that are another page at their address by now.
	std::set<std::uint64_t> outlived = {};
	// What has happened since RESET, and what QUERY has said last.
	Counts least{}, seen{};
	// When that was, by the count of operations that it may count.
	std::uint64_t reset_at = 0;
};

// What a QUERY must answer.
struct OndemandAnswer {
	std::uint64_t state = 0;
	Counts least{}, most{};
	bool reset = false;
	// Of one mapping: those of later ones are no less.
	std::shared_ptr<Ondemand> of = {};
};

} // namespace fuzz

// SPDX-License-Identifier: GPL-2.0-only
// On-demand mappings: what they are made with, pages found ahead, and what has happened
// to them. What a command means, and each of its errnos, is told by
// <linux/iommukit_ondemand.h>.
#pragma once

#include "ioas.h"
#include "types.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace iommukit {

// Two to the power of this are the pages that are looked at around one that is touched.
struct FaultAround {
	std::uint32_t order = IOMMUKIT_ONDEMAND_FAULT_AROUND_DEFAULT;
};

// Maps addresses of this process; without a fixed IOVA the kernel chooses. Tried again
// if a signal came first.
Iova map_ondemand(const Ioas &ioas, const void *memory, Bytes length,
		  Permission permission = Permission::read_write,
		  std::optional<Iova> fixed = {}, FaultAround around = {});

// Flags of enum iommukit_ioas_prefetch_flags. Returns how many pages are there now, from
// the first one on; throws if not even that one is.
std::uint64_t prefetch(const Ioas &ioas, Iova iova, Bytes length,
		       std::uint32_t flags = 0);

struct OndemandCounter {
	std::string_view name;
	std::uint64_t value;
};

struct OndemandStats {
	bool dead_process = false;
	bool quarantined = false;
	bool dead_context = false;
	// Its members are the counters; those that the kernel lacks are 0.
	iommukit_ondemand_query counters = {};

	// All of them, called as the members without "out_", in their order.
	std::vector<OndemandCounter> by_name() const;
};

enum class OndemandReset { no, yes };

// Counters that are told elsewhere, in the order of the members; not their state.
OndemandStats ondemand_stats(std::span<const std::uint64_t> values);

// Of the mapping at that IOVA, or of all of the IOAS.
OndemandStats ondemand_stats(const Ioas &ioas, std::optional<Iova> iova = {},
			     OndemandReset reset = OndemandReset::no);

} // namespace iommukit

// SPDX-License-Identifier: GPL-2.0-only
// How often a command that watches reads, and how many times.
#pragma once

#include "command_table.h"

#include <chrono>
#include <cstdint>
#include <optional>

namespace ctl {

struct Pace {
	std::chrono::milliseconds interval{1000};
	// None: until it is interrupted.
	std::optional<std::uint64_t> count = {};

	bool goes_on(std::uint64_t readings) const { return !count || readings < *count; }
};

Pace pace_of(const Arguments &args);

inline constexpr Param interval_param = {
	"interval", Kind::number, Place::key,
	"milliseconds between readings; 1000 if left out"};
inline constexpr Param count_param = {"count", Kind::number, Place::key,
				      "readings; until Ctrl-C if left out"};

} // namespace ctl

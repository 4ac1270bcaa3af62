// SPDX-License-Identifier: GPL-2.0-only
// Many threads on the same objects. No model can follow them; what must hold at any
// time is checked: ids and areas are nobody else's, data are what was written to that
// page, nothing stays pinned, and no result is outside of the specification.
#pragma once

#include "op.h"

#include <functional>
#include <string>

namespace fuzz {

struct StressResult {
	std::uint64_t operations = 0;
	double seconds = 0;
	// The first thing that went wrong.
	std::string failure;
};

// Runs until so many seconds have passed or, if not 0, operations have been done. Says
// now and then how many there are.
StressResult stress(unsigned threads, std::uint64_t seed, std::uint64_t seconds,
		    std::uint64_t operations,
		    const std::function<void(std::uint64_t)> &progress);

} // namespace fuzz

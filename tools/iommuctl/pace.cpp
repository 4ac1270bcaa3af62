// SPDX-License-Identifier: GPL-2.0-only
// A day is longer than anybody looks, and short enough to be counted.
#include "pace.h"

#include "failure.h"

#include <string>

namespace ctl {

Pace pace_of(const Arguments &args)
{
	constexpr std::uint64_t longest = 24 * 60 * 60 * 1000;
	std::uint64_t interval = args.number("interval").value_or(1000);
	auto count = args.number("count");

	if (interval > longest)
		throw usage_failure("an interval of " + std::to_string(interval) +
					    " ms is too long",
				    "at most a day: " + std::to_string(longest));
	if (count && !*count)
		throw usage_failure("count is 0", "leave it out to watch until Ctrl-C");
	return {.interval = std::chrono::milliseconds(interval), .count = count};
}

} // namespace ctl

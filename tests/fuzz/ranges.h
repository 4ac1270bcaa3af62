// SPDX-License-Identifier: GPL-2.0-only
// Closed intervals, and lists of them.
#pragma once

#include <cstdint>
#include <vector>

namespace fuzz {

struct Range {
	std::uint64_t first, last;

	bool operator==(const Range &) const = default;
};

inline std::uint64_t last_of(std::uint64_t first, std::uint64_t length)
{
	return first + length - 1;
}

inline bool wraps(std::uint64_t first, std::uint64_t length)
{
	return last_of(first, length) < first;
}

inline bool overlap(const Range &a, const Range &b)
{
	return a.first <= b.last && b.first <= a.last;
}

// Does anything in the list overlap it?
bool hits(const std::vector<Range> &list, const Range &range);
void sort(std::vector<Range> &list);
// What no range of the list covers.
std::vector<Range> holes(std::vector<Range> list, const Range &within);

} // namespace fuzz

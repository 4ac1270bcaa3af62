// SPDX-License-Identifier: GPL-2.0-only
#include "ranges.h"

#include <algorithm>

namespace fuzz {

bool hits(const std::vector<Range> &list, const Range &range)
{
	return std::any_of(list.begin(), list.end(),
			   [&](const Range &r) { return overlap(r, range); });
}

void sort(std::vector<Range> &list)
{
	std::sort(list.begin(), list.end(),
		  [](const Range &a, const Range &b) { return a.first < b.first; });
}

// What no range of the list covers.
std::vector<Range> holes(std::vector<Range> list, const Range &within)
{
	std::uint64_t from = within.first;
	std::vector<Range> result;

	sort(list);
	for (const Range &range : list) {
		if (range.last < from)
			continue;
		if (range.first > within.last)
			break;
		if (range.first > from)
			result.push_back({from, range.first - 1});
		if (range.last >= within.last)
			return result;
		from = range.last + 1;
	}
	result.push_back({from, within.last});
	return result;
}

} // namespace fuzz

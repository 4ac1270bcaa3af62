// SPDX-License-Identifier: GPL-2.0-only
#include "iotlb.h"

#include <algorithm>

namespace fuzz {

namespace {

constexpr std::size_t log_length = 64;

} // namespace

Entries::const_iterator Space::at(std::uint64_t iova) const
{
	auto next = entries.upper_bound(iova);

	if (next != entries.begin() && std::prev(next)->second.last >= iova)
		next--;
	return next;
}

Entries Space::overlapping(const Range &range) const
{
	Entries found;

	for (auto entry = at(range.first);
	     entry != entries.end() && entry->first <= range.last; entry++)
		found.insert(*entry);
	return found;
}

// What sticks out of the range stays, as an entry of its own.
void Space::cut(const Range &range, bool pinned)
{
	for (const auto &[first, entry] : overlapping(range)) {
		Entry rest = entry;

		if (entry.content.pinned && !pinned)
			continue;
		entries.erase(first);
		if (entry.last > range.last)
			entries[range.last + 1] = entry;
		rest.last = range.first - 1;
		if (first < range.first)
			entries[first] = rest;
	}
}

void Space::put(const Range &range, const Content &content)
{
	cut(range, true);
	entries[range.first] = {range.last, content};
}

void Space::note(const Range &range)
{
	epoch++;
	log.push_back(range);
	if (log.size() > log_length)
		log.pop_front();
}

bool Space::invalidated(const Range &range, std::uint64_t since) const
{
	const std::uint64_t missed = epoch - since;

	return missed > log.size() ||
	       std::any_of(log.end() - static_cast<long>(missed), log.end(),
			   [&](const Range &gone) { return overlap(gone, range); });
}

std::size_t Space::pinned() const
{
	return static_cast<std::size_t>(
		std::count_if(entries.begin(), entries.end(), [](const auto &entry) {
			return entry.second.content.pinned;
		}));
}

std::size_t Iotlb::entries() const
{
	std::size_t sum = 0;

	for (const auto &[asid, space] : spaces)
		sum += space.entries.size();
	return sum;
}

std::size_t Iotlb::pinned() const
{
	std::size_t sum = 0;

	for (const auto &[asid, space] : spaces)
		sum += space.pinned();
	return sum;
}

const Space &Iotlb::space(std::uint64_t asid) const
{
	static const Space unused;
	const auto found = spaces.find(asid);

	return found == spaces.end() ? unused : found->second;
}

} // namespace fuzz

// SPDX-License-Identifier: GPL-2.0-only
// IOTLBs of the model: entries that do not overlap, in several address spaces.
#pragma once

#include "world.h"

#include <deque>

namespace fuzz {

struct Ioas;

// The address space of accesses.
constexpr std::uint64_t access_asid = 0;

// What an entry says, whatever its range is.
struct Content {
	// Target less IOVA.
	std::uint64_t delta = 0;
	std::uint8_t perm = 0;
	bool pinned = false, negative = false;

	bool operator==(const Content &) const = default;
	// To readers it is the same whether it is pinned.
	bool reads_as(const Content &other) const
	{
		return delta == other.delta && perm == other.perm &&
		       negative == other.negative;
	}
};

struct Entry {
	std::uint64_t last = 0;
	Content content = {};
	// It was put over what may have been forgotten, so it is open what readers see.
	bool stale = false;

	bool contains(std::uint64_t first, const Range &range) const
	{
		return first <= range.first && range.last <= last;
	}
};

using Entries = std::map<std::uint64_t, Entry>;

// An address space.
struct Space {
	Entries entries;
	// The number of the latest invalidation, and the latest of them, oldest first.
	std::uint64_t epoch = 1;
	bool epoch_known = true;
	std::deque<Range> log;

	// The first entry that ends at or behind an IOVA.
	Entries::const_iterator at(std::uint64_t iova) const;
	Entries overlapping(const Range &range) const;
	// Takes a range out of what is not pinned, or of everything.
	void cut(const Range &range, bool pinned);
	void put(const Range &range, const Content &content);
	void note(const Range &range);
	// Was anything of the range invalidated since?
	bool invalidated(const Range &range, std::uint64_t since) const;
	std::size_t pinned() const;
};

// As long as nothing had to be forgotten, it has exactly the entries that it was given.
// From then on those that are not pinned may be gone, until none is left.
struct Iotlb {
	std::uint64_t id = 0;
	std::shared_ptr<Ioas> ioas = {};
	std::uint64_t policy = 0, max_entries = 0, asids = 1;
	Range aperture = {0, all_ones};
	bool forgets = false;
	// Those that were ever used.
	std::map<std::uint64_t, Space> spaces = {};

	// How many there are of all spaces; the most, if some may be gone.
	std::size_t entries() const;
	std::size_t pinned() const;
	const Space &space(std::uint64_t asid) const;
};

// Of the commands that are about entries.
struct IotlbAnswer {
	struct Row {
		Range range;
		Content content;
	};

	// What SUBMIT is given, and the status of each that is told one.
	std::vector<Op> elements = {};
	std::vector<int> status = {};
	// What QUERY finds, or may find.
	std::vector<Row> rows = {};
	bool some_gone = false;
	std::uint64_t most = 0;
	std::uint64_t epoch = 0;
	bool epoch_known = true;
};

} // namespace fuzz

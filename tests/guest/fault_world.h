// SPDX-License-Identifier: GPL-2.0-only
/* States in which operations are failed, all of which can be seen. */
#pragma once

#include "access.h"
#include "fault.h"

namespace guest {

/*
 * Two address spaces, the first with three adjacent areas of four pages; their
 * memory is filled.
 */
class FaultWorld {
    public:
	/* Within what mock devices can map. */
	static constexpr std::uint64_t iova = 0x2000000;
	static constexpr std::uint64_t piece = 4 * page_size;
	static constexpr std::uint64_t mapped = 3 * piece;

	/* @rlimit_mode: value of the option, set before anything else. */
	explicit FaultWorld(std::uint64_t rlimit_mode = 0);

	void map_piece(std::uint64_t n) const;
	void map_all() const;
	void fill() const { memory.fill(1); }

	Snapshot look() const;
	void sweep(const Operation &operation) const;
	/* More to look at. */
	void observe(const std::string &what, std::function<std::uint64_t()> value);

	/* Destroyed last. */
	NothingLeft nothing_left;
	Context context;
	Memory memory{mapped};
	std::uint32_t first, second;

    private:
	struct Observer {
		std::string what;
		std::function<std::uint64_t()> value;
	};

	void look_at_ids(Snapshot &seen) const;
	void look_at_space(Snapshot &seen, std::uint32_t ioas) const;
	void look_at_memory(Snapshot &seen) const;

	std::vector<Observer> observers;
};

/* An access with one pin, from the second area into the third. */
class PinWorld : public FaultWorld {
    public:
	static constexpr std::uint64_t middle = iova + piece + page_size;
	static constexpr std::uint64_t middle_length = piece;

	explicit PinWorld(std::uint64_t rlimit_mode = 0, bool pinned = true);

	void pin() const { REQUIRE(try_pin() == ok); }
	Errno try_pin() const;
	void unpin() const { REQUIRE(access.try_unpin(item) == ok); }

	Access access;
	mutable std::uint32_t item = no_item;
};

/* Copies by page take few pages at a time, while it lives. */
class SmallBatches {
    public:
	explicit SmallBatches(const Context &of);
	SmallBatches(const SmallBatches &) = delete;
	SmallBatches &operator=(const SmallBatches &) = delete;
	~SmallBatches();

    private:
	const Context &context;
};

} // namespace guest

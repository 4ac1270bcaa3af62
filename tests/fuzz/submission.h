// SPDX-License-Identifier: GPL-2.0-only
// What the elements of a SUBMIT do to the entries of an IOTLB.
#pragma once

#include "iotlb.h"

namespace fuzz {

// A SUBMIT at work, on a copy.
class Submission {
    public:
	explicit Submission(const Iotlb &before) : after(before) {}

	// Its errno, or 0.
	int apply(const Op &element);

	Iotlb after;
	// What accesses lose, and what they would perhaps lose.
	std::vector<Range> gone, put;
	// Of the latest invalidation.
	std::uint64_t epoch = 0;
	bool epoch_known = true;

    private:
	void update(const Op &element, const Range &range);
	void invalidate(std::uint64_t asid, const Range &range, bool pinned);
	void make_room(const Space &space, const Space &changed, const Range &range,
		       const Content &content);
	void tell(const Space &space)
	{
		epoch = space.epoch;
		epoch_known = space.epoch_known;
	}
	bool may_be_gone(const Content &content) const
	{
		return after.forgets && !content.pinned;
	}
};

} // namespace fuzz

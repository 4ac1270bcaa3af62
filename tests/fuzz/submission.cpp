// SPDX-License-Identifier: GPL-2.0-only
#include "submission.h"

#include <linux/iommukit.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

namespace fuzz {

namespace {

bool has(const Op &element, std::uint64_t flag)
{
	return element[F::flags] & flag;
}

// What is wrong with an element whatever the entries are. Which of two mistakes is told
// is open.
void check_element(const Iotlb &iotlb, const Op &element)
{
	const std::uint64_t iova = element[F::iova], length = element[F::length];
	const bool update = element[F::value] == IOMMUKIT_IOTLB_OP_UPDATE;
	const bool invalidate = element[F::value] == IOMMUKIT_IOTLB_OP_INVALIDATE;
	const bool negative = has(element, IOMMUKIT_IOTLB_MSG_NEGATIVE);
	const bool is_range = length && !wraps(iova, length);
	const std::uint64_t flags =
		IOMMUKIT_IOTLB_MSG_PINNED |
		(update ? IOMMUKIT_IOTLB_MSG_PREFETCH | IOMMUKIT_IOTLB_MSG_NO_REPLACE |
				  IOMMUKIT_IOTLB_MSG_NEGATIVE
			: 0);
	std::set<int> wrong;
	const auto forbid = [&](bool is, int error) {
		if (is)
			wrong.insert(error);
	};

	forbid(!update && !invalidate && element[F::value] != IOMMUKIT_IOTLB_OP_FLUSH,
	       EINVAL);
	forbid(element[F::flags] & ~flags || element[F::reserved], EOPNOTSUPP);
	forbid(element[F::num] >= iotlb.asids, EINVAL);
	if (update || invalidate) {
		forbid(!length && (update || iova), EINVAL);
		forbid(length && wraps(iova, length), EOVERFLOW);
	}
	if (update) {
		forbid(negative ? element[F::option] || element[F::va]
				: !element[F::option] ||
					  element[F::option] > IOMMUKIT_IOTLB_PERM_RW,
		       EINVAL);
		forbid(length && wraps(element[F::va], length), EOVERFLOW);
		forbid(is_range && (iova < iotlb.aperture.first ||
				    last_of(iova, length) > iotlb.aperture.last),
		       ERANGE);
	}
	demand(wrong.size() <= 1, unmodelled);
	for (const int error : wrong)
		throw Refused{error};
}

} // namespace

// How many entries there would be, and whether they can be so many.
void Submission::make_room(const Space &space, const Space &changed, const Range &range,
			   const Content &content)
{
	const std::size_t sum =
		after.entries() - space.entries.size() + changed.entries.size();
	const std::size_t kept = after.pinned() - space.pinned() + changed.pinned() +
				 (content.pinned ? 0 : 1);
	std::size_t rests = 0;

	if (!after.forgets && sum <= after.max_entries)
		return;
	demand(after.forgets || after.policy != IOMMUKIT_IOTLB_EVICT_NONE, ENOSPC);
	for (const auto &[first, entry] : space.overlapping(range))
		if (!entry.content.pinned)
			rests += (first < range.first) + (entry.last > range.last);
	demand(kept <= after.max_entries, ENOSPC);
	// Whether what sticks out of the range can be forgotten is open; and how many
	// there are once some were, is not known.
	demand(kept + rests <= after.max_entries &&
		       after.policy != IOMMUKIT_IOTLB_EVICT_NONE,
	       unmodelled);
	after.forgets = true;
}

void Submission::update(const Op &element, const Range &range)
{
	const bool negative = has(element, IOMMUKIT_IOTLB_MSG_NEGATIVE);
	const Content content{negative ? 0 : element[F::va] - element[F::iova],
			      static_cast<std::uint8_t>(element[F::option]),
			      has(element, IOMMUKIT_IOTLB_MSG_PINNED), negative};
	const std::uint64_t asid = element[F::num], since = element[F::page];
	Space &space = after.spaces[asid];
	const Entries there = space.overlapping(range);
	bool others = false, maybe_others = false, loses = false, maybe_loses = false;

	if (since) {
		demand(space.epoch_known, unmodelled);
		demand(since <= space.epoch, EINVAL);
		demand(!space.invalidated(range, since), ESTALE);
	}
	for (const auto &[first, entry] : there) {
		const Content &old = entry.content;
		const bool more =
			!has(element, IOMMUKIT_IOTLB_MSG_NO_REPLACE) &&
			old.delta == content.delta && !(old.perm & ~content.perm) &&
			old.pinned == content.pinned && old.negative == content.negative;

		if (old == content
			    ? entry.contains(first, range)
			    : more && first == range.first && entry.last == range.last) {
			// If it was forgotten it is put in again, so there must be room.
			if (may_be_gone(old))
				demand(after.policy != IOMMUKIT_IOTLB_EVICT_NONE &&
					       after.pinned() + 3 <= after.max_entries,
				       unmodelled);
			space.entries[first].content = content;
			return;
		}
		const bool lost = !old.negative && (old.delta != content.delta ||
						    old.perm & ~content.perm);
		(may_be_gone(old) ? maybe_others : others) |= !old.reads_as(content);
		(may_be_gone(old) ? maybe_loses : loses) |= lost;
	}
	if (has(element, IOMMUKIT_IOTLB_MSG_NO_REPLACE)) {
		demand(!others, EEXIST);
		demand(!maybe_others, unmodelled);
	}
	Space changed = space;
	changed.put(range, content);
	make_room(space, changed, range, content);
	changed.entries[range.first].stale = maybe_others;
	changed.epoch_known &= loses || !maybe_loses;
	if (loses)
		changed.note(range);
	if (loses || maybe_loses)
		tell(changed);
	// Pins go with the whole range, even where nothing has changed.
	if (asid == access_asid) {
		put.push_back(range);
		if (loses)
			gone.push_back(range);
	}
	space = std::move(changed);
}

void Submission::invalidate(std::uint64_t asid, const Range &range, bool pinned)
{
	const auto found = after.spaces.find(asid);

	// Nobody can have used it.
	if (found == after.spaces.end())
		return;
	Space &space = found->second, changed = space;
	const auto whole = space.at(range.first);
	changed.cut(range, pinned);
	if (changed.entries.size() > space.entries.size()) {
		const std::size_t sum = after.entries() + 1;
		const bool of_pinned = whole->second.content.pinned;

		demand(!of_pinned || after.pinned() < after.max_entries, ENOSPC);
		if (after.policy == IOMMUKIT_IOTLB_EVICT_NONE) {
			demand(!of_pinned || !after.forgets, unmodelled);
			demand(!of_pinned || sum <= after.max_entries, ENOSPC);
			// There is no room for what is behind.
			if (sum > after.max_entries && !after.forgets)
				changed.entries.erase(range.last + 1);
		} else if (sum > after.max_entries) {
			after.forgets = true;
		}
	}
	for (auto &[first, entry] : changed.entries)
		entry.stale = false;
	changed.note(range);
	tell(changed);
	space = std::move(changed);
	if (asid == access_asid)
		gone.push_back(range);
}

int Submission::apply(const Op &element)
{
	const bool pinned = has(element, IOMMUKIT_IOTLB_MSG_PINNED);
	const std::uint64_t op = element[F::value];
	Range range{element[F::iova], last_of(element[F::iova], element[F::length])};

	try {
		check_element(after, element);
		if (op == IOMMUKIT_IOTLB_OP_UPDATE) {
			update(element, range);
			return 0;
		}
		if (op == IOMMUKIT_IOTLB_OP_FLUSH || !element[F::length])
			range = {0, all_ones};
		else
			range = {std::max(range.first, after.aperture.first),
				 std::min(range.last, after.aperture.last)};
		if (range.first <= range.last)
			invalidate(element[F::num], range, pinned);
		return 0;
	} catch (const Refused &refused) {
		demand(refused.error != unmodelled, unmodelled);
		return refused.error;
	}
}

} // namespace fuzz

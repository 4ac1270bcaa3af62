// SPDX-License-Identifier: GPL-2.0-only
// Operations on IOTLBs, and those of accesses that are attached to one.
#include "generator.h"

#include <linux/iommukit.h>

#include <algorithm>

namespace fuzz {

namespace {

constexpr std::size_t many_iotlbs = 3, many_entries = 60;
constexpr std::uint64_t busy_pages = 32;
constexpr std::uint64_t half = 1UL << 63;
constexpr std::uint64_t lengths[] = {1, 2, 1000, 2048, 4095, 4097};

} // namespace

// An IOAS, or an IOTLB as often.
std::uint64_t Generator::pick_anchor(const Context &context)
{
	if (!context.iotlbs.empty() && !random.one_in(3))
		return pick_key(context.iotlbs);
	return pick_ioas(context);
}

const Iotlb *Generator::iotlb_of(const Op &op) const
{
	return model.context[op.ctx]->iotlb(op[F::id]).get();
}

void Generator::fill_alloc(Op &op)
{
	constexpr std::uint64_t policies[] = {
		IOMMUKIT_IOTLB_EVICT_NONE, IOMMUKIT_IOTLB_EVICT_NONE,
		IOMMUKIT_IOTLB_EVICT_CLOCK, IOMMUKIT_IOTLB_EVICT_FIFO};

	op[F::flags] = IOMMUKIT_IOTLB_NO_CHANNEL;
	if (random.one_in(6))
		op[F::flags] |= IOMMUKIT_IOTLB_KEEP_ON_CLOSE;
	if (random.one_in(30))
		op[F::flags] ^= 1UL << random.below(32);
	op[F::reserved] = random.one_in(60);
	op[F::num] = random.one_in(3) ? random.below(5) : 1;
	if (random.one_in(30))
		op[F::num] = 4095 + random.below(3);
	op[F::number] = random.one_in(3) ? 0 : 16 + random.below(12);
	if (random.one_in(30))
		op[F::number] = random.one_in(2) ? random.below(17)
						 : (1UL << 20) + random.below(2);
	// Memory that is taken at once.
	op[F::value] = random.one_in(60) ? 65537 : 1 + random.below(4);
	op[F::source] = random.one_in(60) ? 3600001 : random.one_in(3) ? 100 : 0;
	op[F::option] = random.one_in(60) ? 3 : random.of(policies);
	op[F::length] = random.below(random.one_in(30) ? 33 : 31);
	op[F::page] = random.one_in(60) ? 1001 : 0;
	if (!random.one_in(5))
		return;
	op[F::first1] = random.below(busy_pages) * page_size + random.below(2);
	op[F::last1] = op[F::first1] + random.below(busy_pages * page_size);
	if (random.one_in(8))
		op[F::last1] = random.one_in(2) ? all_ones : op[F::first1] - 1;
}

// A part of a range, and a little beside.
void Generator::fill_near(Op &op, const Range &range)
{
	const std::uint64_t size = range.last - range.first;

	op[F::iova] = range.first;
	op[F::length] = size + 1;
	if (random.one_in(3) && size) {
		op[F::iova] += random.below(size);
		op[F::length] = 1 + random.below(range.last - op[F::iova]);
	}
	if (random.one_in(3))
		op[F::iova] += slip();
	if (random.one_in(3))
		op[F::length] += slip();
}

// Where an entry is, what was pinned, or the element before; or anywhere.
void Generator::fill_range(const Iotlb *iotlb, const Space &space, Op &op,
			   const Op &previous)
{
	const std::uint64_t reach =
		iotlb ? iotlb->aperture.last - iotlb->aperture.first : all_ones;

	op[F::iova] = random.below(busy_pages) * page_size;
	op[F::length] = (1 + random.below(4)) * page_size;
	if (random.one_in(3))
		op[F::length] = random.of(lengths);
	if (random.one_in(4))
		op[F::iova] += random.of(lengths);
	if (reach < all_ones && random.one_in(2))
		op[F::iova] = iotlb->aperture.first +
			      random.below(std::min(reach, busy_pages * page_size) + 1);
	if (random.one_in(30))
		op[F::iova] = -(random.one_in(2) ? op[F::length] : random.of(lengths));
	if (!space.entries.empty() && random.below(5) < 2) {
		const auto entry = pick_entry(space.entries);

		fill_near(op, {entry->first, entry->second.last});
	} else if (random.one_in(6)) {
		fill_near(op, {previous[F::iova],
			       previous[F::iova] + (previous[F::length] | 1)});
	} else if (random.one_in(200)) {
		op[F::iova] = random.one_in(2) ? half : 0;
		op[F::length] = half;
	}
	for (const auto &access : model.access)
		if (access && access->iotlb.get() == iotlb && !access->items.empty() &&
		    random.one_in(8))
			fill_near(op, pick_entry(access->items)->second.range);
	if (random.one_in(80))
		op[F::length] = random.one_in(2) ? 0 : pick_length(op[F::iova]);
}

// Mostly memory, at the same place in its page as the IOVA.
void Generator::fill_target(const Iotlb *iotlb, const Space &space, Op &op)
{
	std::uint64_t first;
	const Area *area = pick_area(iotlb ? iotlb->ioas.get() : nullptr, first);

	op[F::option] = IOMMUKIT_IOTLB_PERM_RW;
	if (random.one_in(4))
		op[F::option] = 1 + random.below(2);
	if (random.one_in(80))
		op[F::option] = random.one_in(2) ? 0 : 4 + random.below(252);
	if (!space.entries.empty() && random.one_in(4)) {
		auto like = space.at(op[F::iova]);

		// Mostly of what is there already.
		if (like == space.entries.end() || random.one_in(3))
			like = pick_entry(space.entries);
		op[F::va] = op[F::iova] + like->second.content.delta;
		return;
	}
	op[F::va] = area ? first + (random.below(area->last - first + 1) & -page_size)
			 : pick_iova(nullptr);
	if (!random.one_in(8))
		op[F::va] += op[F::iova] % page_size;
	if (random.one_in(60))
		op[F::va] = -op[F::length] + slip();
}

void Generator::fill_element(const Iotlb *iotlb, Op &op, const Op &previous)
{
	static const Space none;
	const std::uint64_t asids = iotlb ? iotlb->asids : 1;
	const std::size_t size = iotlb ? iotlb->entries() : 0;

	op.kind = Kind::iotlb_element;
	op[F::num] = random.one_in(3) ? random.below(std::min<std::uint64_t>(asids, 5))
				      : access_asid;
	if (random.one_in(100))
		op[F::num] = asids;
	const Space &space = iotlb ? iotlb->space(op[F::num]) : none;
	op[F::value] = random.below(100) < 75 ? IOMMUKIT_IOTLB_OP_UPDATE
					      : IOMMUKIT_IOTLB_OP_INVALIDATE;
	if (random.one_in(size > many_entries ? 6 : 150))
		op[F::value] = IOMMUKIT_IOTLB_OP_FLUSH;
	if (random.one_in(150))
		op[F::value] = random.below(256);
	fill_range(iotlb, space, op, previous);
	op[F::reserved] = random.one_in(150);
	op[F::number] = random.one_in(3) ? random.below(1UL << 32) : 0;
	if (random.one_in(8))
		op[F::flags] |= IOMMUKIT_IOTLB_MSG_PINNED;
	if (random.one_in(100))
		op[F::flags] |= 1UL << random.below(16);
	if (op[F::value] != IOMMUKIT_IOTLB_OP_UPDATE) {
		if (random.one_in(40))
			op[F::iova] = op[F::length] = 0;
		return;
	}
	fill_target(iotlb, space, op);
	if (random.one_in(12)) {
		op[F::flags] |= IOMMUKIT_IOTLB_MSG_NEGATIVE;
		if (!random.one_in(12))
			op[F::option] = op[F::va] = 0;
	}
	if (random.one_in(10))
		op[F::flags] |= IOMMUKIT_IOTLB_MSG_PREFETCH;
	if (random.one_in(10))
		op[F::flags] |= IOMMUKIT_IOTLB_MSG_NO_REPLACE;
	if (random.one_in(6))
		op[F::page] = space.epoch - random.below(random.one_in(4) ? 80 : 4);
	if (random.one_in(60) || op[F::page] > space.epoch)
		op[F::page] = random.one_in(2) ? space.epoch + 1 + random.below(2) : 1;
}

// The elements come first, each for itself: so one may be left out.
void Generator::fill_submit(Op &op)
{
	const Iotlb *iotlb = iotlb_of(op);
	const std::uint64_t number = 1 + random.below(random.one_in(3) ? 16 : 3);
	Op element;

	op[F::flags] = random.below(4);
	if (random.one_in(100))
		op[F::flags] = 1UL << random.below(32);
	op[F::reserved] = random.one_in(100);
	if (random.one_in(60)) {
		constexpr std::uint64_t counts[] = {1, all_ones, 65536, 65535};

		op[F::num] = random.of(counts);
	}
	if (random.one_in(8))
		op[F::length] = random.one_in(12) ? all_ones : 8 * random.below(3);
	if (random.one_in(60))
		op[F::value] = 1 + random.below(number);
	for (std::uint64_t n = 0; n < number; n++) {
		const Op previous = element;

		element = {};
		element.ctx = op.ctx;
		fill_element(iotlb, element, previous);
		pending.push_back(element);
	}
}

void Generator::fill_query(Op &op)
{
	const Iotlb *iotlb = iotlb_of(op);
	static const Space none;

	op[F::num] = iotlb && random.one_in(3)
			     ? random.below(std::min<std::uint64_t>(iotlb->asids + 1, 5))
			     : access_asid;
	const Space &space = iotlb ? iotlb->space(op[F::num]) : none;
	op[F::flags] = !random.one_in(4);
	if (random.one_in(60))
		op[F::flags] = 1UL << random.below(32);
	op[F::number] = random.below(random.one_in(3) ? 80 : 6);
	op[F::length] = random.one_in(8) ? 8 * random.below(3) : 0;
	if (random.one_in(60))
		op[F::length] = all_ones;
	op[F::va] = random.one_in(60);
	op[F::last1] = all_ones;
	if (random.one_in(2))
		return;
	op[F::first1] = random.below(busy_pages * page_size);
	if (!space.entries.empty()) {
		const auto entry = pick_entry(space.entries);

		op[F::first1] =
			(random.one_in(2) ? entry->first : entry->second.last) + slip();
	}
	op[F::last1] = op[F::first1] + pick_length(op[F::first1]);
}

void Generator::fill_iotlb(Op &op)
{
	const Context &context = *model.context[op.ctx];
	constexpr std::uint64_t values[] = {0,	0,  1,	2,    3,	15,
					    16, 17, 20, 1001, 1UL << 32};

	if (op.kind == Kind::iotlb) {
		fill_alloc(op);
		return;
	}
	op[F::id] =
		random.one_in(60) ? pick_key(context.objects) : pick_key(context.iotlbs);
	if (op.kind == Kind::iotlb_submit) {
		fill_submit(op);
	} else if (op.kind == Kind::iotlb_query) {
		fill_query(op);
	} else {
		op[F::flags] = random.one_in(60);
		op[F::option] = random.below(random.one_in(10) ? 7 : 4) + 1;
		op[F::value] = random.of(values);
	}
}

// By way of an entry, to where it leads.
bool Generator::fill_through_iotlb(Op &op)
{
	const Access *access = model.access[op[F::slot]].get();
	const Iotlb *iotlb = access ? access->iotlb.get() : nullptr;
	const bool pins = op.kind == Kind::pin;

	if (!iotlb)
		return false;
	const Entries &entries = iotlb->space(access_asid).entries;
	if (entries.empty() || random.one_in(12)) {
		op[F::iova] = pick_iova(nullptr);
		if (pins)
			op[F::length] = pick_length(op[F::iova]);
		return true;
	}
	auto entry = pick_entry(entries);
	const auto leads_on = [&] {
		const std::uint64_t delta = entry->second.content.delta;

		return iotlb->ioas->mapped({entry->first + delta, entry->first + delta});
	};
	for (unsigned n = 0; n < 4 && !leads_on(); n++)
		entry = pick_entry(entries);
	const std::uint64_t size = entry->second.last - entry->first + 1;
	const std::uint64_t delta = entry->second.content.delta;
	op[F::iova] = entry->first + random.below(size);
	if (random.one_in(3))
		op[F::iova] = entry->first;
	if (random.one_in(4))
		op[F::iova] = entry->second.last - random.below(op[F::length] + 1);
	if (!pins)
		return true;
	op[F::length] = pick_length(op[F::iova]);
	// A page of the IOAS begins there.
	if (!random.one_in(8))
		op[F::iova] = ((op[F::iova] + delta) & -page_size) - delta;
	if (random.one_in(2))
		op[F::length] = entry->second.last - op[F::iova] + 1;
	const auto area = iotlb->ioas->at(op[F::iova] + delta);
	if (op[F::iova] % page_size == 0 && random.one_in(3) &&
	    area != iotlb->ioas->areas.end())
		op[F::va] = (area->second.backing->base + area->second.offset +
			     (op[F::iova] + delta - area->first)) &
			    -page_size;
	return true;
}

void Generator::relieve_iotlbs(Op &op)
{
	const Context &context = *model.context[op.ctx];

	if (op.kind == Kind::iotlb && context.iotlbs.size() >= many_iotlbs) {
		op.kind = Kind::destroy;
		op[F::id] = pick_key(context.iotlbs);
	} else if (context.iotlbs.empty() &&
		   (op.kind == Kind::iotlb_submit || op.kind == Kind::iotlb_query ||
		    op.kind == Kind::iotlb_set)) {
		op.kind = Kind::iotlb;
	}
}

} // namespace fuzz

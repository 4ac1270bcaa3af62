// SPDX-License-Identifier: GPL-2.0-only
// Operations on mappings on demand, and on the memory they stand for.
#include "generator.h"

#include <linux/iommukit.h>

#include <algorithm>

namespace fuzz {

namespace {

constexpr std::uint64_t around_default = IOMMUKIT_ONDEMAND_FAULT_AROUND_DEFAULT;

// Where the kernel begins, and what a process cannot have.
constexpr std::uint64_t limits[] = {1UL << 56, 0x700000000000, all_ones & -page_size,
				    0xffff800000000000, all_ones / 2 + 1};

} // namespace

const Area *Generator::pick_ondemand(const Ioas *ioas, std::uint64_t &first)
{
	const Area *area = nullptr;

	for (unsigned n = 0; n < 4 && !(area && area->backing->ondemand); n++)
		area = pick_area(ioas, first);
	return area;
}

void Generator::fill_map_ondemand(Op &op)
{
	const Ioas *ioas = ioas_of(op);

	op[F::flags] = pick_flags();
	op[F::num] = random.one_in(2) ? around_default : random.below(10);
	if (random.one_in(60))
		op[F::num] = random.one_in(2) ? 10 : random.below(1UL << 32);
	op[F::iova] = pick_iova(ioas);
	op[F::length] = pick_length(op[F::iova]);
	op[F::va] = random.one_in(80) ? -op[F::length] + slip() : pick_va();
	if (!random.one_in(12)) {
		op[F::va] &= -page_size;
		op[F::iova] &= -page_size;
		op[F::length] = std::max(op[F::length] & -page_size, page_size);
	}
	if (random.one_in(40))
		op[F::va] = random.of(limits) - (random.one_in(2) ? op[F::length] : 0);
	if (random.one_in(20))
		op[F::length] = page_size << random.below(40);
}

// Now and then a flag that is not known, or a member that must be 0.
void Generator::spoil(Op &op)
{
	if (random.one_in(60))
		op[F::flags] = 1UL << random.below(32);
	op[F::reserved] = random.one_in(80);
}

void Generator::fill_prefetch(Op &op)
{
	std::uint64_t first;
	const Area *area = pick_ondemand(ioas_of(op), first);

	op[F::flags] = random.below(4);
	spoil(op);
	if (!area || random.one_in(12)) {
		op[F::iova] = pick_iova(ioas_of(op));
		op[F::length] = pick_length(op[F::iova]);
		return;
	}
	const std::uint64_t size = area->last - first + 1;
	op[F::iova] = first;
	op[F::length] = size;
	if (random.one_in(2))
		op[F::iova] += random.below(std::min(size, slots * page_size));
	if (random.one_in(2))
		op[F::length] = pick_length(op[F::iova]);
	else if (random.one_in(2))
		op[F::length] = size - (op[F::iova] - first);
	if (random.one_in(4))
		op[F::length] += slip();
}

void Generator::fill_query_ondemand(Op &op)
{
	std::uint64_t first;
	const Area *area = pick_ondemand(ioas_of(op), first);

	op[F::flags] = random.one_in(3);
	spoil(op);
	op[F::iova] = area ? first + random.below(area->last - first + 1)
			   : pick_iova(ioas_of(op));
	if (random.one_in(8))
		op[F::iova] += slip();
	if (random.one_in(5))
		op[F::iova] = IOMMUKIT_ONDEMAND_QUERY_SUM;
	// Programs of before know less.
	if (random.one_in(4))
		op[F::length] =
			query_head +
			random.below(sizeof(iommukit_ondemand_query) - query_head + 1);
	if (random.one_in(2))
		op[F::length] &= -8UL;
}

bool Generator::fill_ondemand(Op &op)
{
	switch (op.kind) {
	case Kind::map_ondemand:
		fill_map_ondemand(op);
		return true;
	case Kind::prefetch:
		fill_prefetch(op);
		return true;
	case Kind::ondemand_query:
		fill_query_ondemand(op);
		return true;
	default:
		return false;
	}
}

} // namespace fuzz

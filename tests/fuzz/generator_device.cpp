// SPDX-License-Identifier: GPL-2.0-only
// Operations on devices and HWPTs.
#include "generator.h"

#include <linux/iommukit.h>

#include <algorithm>

#include "../../kmod/test/iommukit_test_abi.h"

namespace fuzz {

namespace {

constexpr std::size_t many_mocks = 4, many_hwpts = 5;

} // namespace

// An IOAS or a HWPT, seldom what a device cannot be attached to.
std::uint64_t Generator::pick_target(const Context &context)
{
	if (!context.hwpts.empty() && random.one_in(3))
		return pick_key(context.hwpts);
	return random.one_in(20) ? pick_key(context.objects) : pick_ioas(context);
}

// A region near to the mappings, or in the middle of them.
void Generator::fill_region(Op &op)
{
	op[F::first1] = pick_iova(ioas_of(op));
	if (!random.one_in(4))
		op[F::first1] = IOMMUKIT_TEST_APERTURE_FIRST +
				(random.below(128) * page_size & -(16 * page_size));
	op[F::last1] = op[F::first1] + random.below(3) * page_size +
		       (random.one_in(4) ? random.below(page_size) : page_size - 1);
	op[F::last1] = std::max(op[F::first1], op[F::last1]);
}

// Part of a mapping, and the memory that it is of.
void Generator::fill_check(Op &op)
{
	const auto hwpt = model.context[op.ctx]->hwpt(op[F::id]);
	std::uint64_t first;
	const Area *area = pick_area(hwpt ? hwpt->ioas.get() : nullptr, first);

	op[F::length] = random.below(6) * mock_page;
	if (!area) {
		op[F::iova] = pick_iova(nullptr);
		op[F::va] = pick_va();
		return;
	}
	const std::uint64_t size = area->last - first + 1;
	const std::uint64_t skip = random.below(size) & -mock_page;
	op[F::iova] = first + skip;
	op[F::va] = area->backing->base + area->offset + skip;
	if (area->backing->of_file || random.one_in(10))
		op[F::va] = arena_base + op[F::va] % (shared_slots * page_size);
	if (random.one_in(2))
		op[F::length] = size - skip;
	if (random.one_in(20))
		op[F::va] += slip();
	op.who = 0;
	for (std::uint8_t n = 1; n < processes; n++)
		if (model.world.process[n] == area->backing->owner)
			op.who = n;
	if (!model.world.can_act(op))
		op.who = 0;
}

void Generator::fill_device(Op &op)
{
	constexpr std::uint64_t flags[] = {0, 0, IOMMUKIT_TEST_DEVICE_NO_DIRTY,
					   IOMMUKIT_TEST_DEVICE_HUGE_IOVA |
						   IOMMUKIT_TEST_DEVICE_PASID};
	const Context &context = *model.context[op.ctx];

	switch (op.kind) {
	case Kind::mock:
		op[F::id] = pick_target(context);
		op[F::flags] =
			random.one_in(30) ? 1UL << random.below(32) : random.of(flags);
		break;
	case Kind::mock_new:
		op[F::id] = pick_target(context);
		op[F::flags] = random.of(flags);
		if (random.one_in(2)) {
			op[F::flags] |= IOMMUKIT_TEST_DEVICE_REGION;
			fill_region(op);
		}
		if (!context.mocks.empty() && !random.one_in(4)) {
			op[F::source] = pick_key(context.mocks);
			const auto mock = context.mocks.find(op[F::source]);
			if (mock != context.mocks.end() && !random.one_in(4))
				op[F::id] = mock->second->group->hwpt->id;
		}
		break;
	case Kind::mock_replace:
		op[F::id] = pick_target(context);
		op[F::source] = pick_key(context.mocks);
		break;
	case Kind::hwpt_alloc:
		op[F::source] = pick_key(context.devices);
		op[F::flags] = random.below(4);
		if (random.one_in(3))
			op[F::flags] = IOMMUKIT_HWPT_ALLOC_DIRTY_TRACKING;
		if (random.one_in(30))
			op[F::flags] = 1UL << random.below(32);
		op[F::reserved] = random.one_in(60);
		op[F::length] = random.one_in(60);
		if (random.one_in(30))
			op[F::id] = pick_key(context.objects);
		break;
	case Kind::check_map:
		op[F::id] = random.one_in(30) ? pick_key(context.objects)
					      : pick_key(context.hwpts);
		fill_check(op);
		break;
	default:
		fill_dirty(op);
	}
}

// A range that is mapped, or nearly, in bits of any size.
void Generator::fill_dirty(Op &op)
{
	const Context &context = *model.context[op.ctx];
	const bool of_ioas = op.kind == Kind::ioas_track || op.kind == Kind::ioas_dirty;
	constexpr std::uint64_t granules[] = {
		1,	   512,	      mock_page,     mock_page,
		page_size, page_size, 2 * page_size, 16 * page_size};
	std::uint64_t first;

	switch (op.kind) {
	case Kind::hwpt_track:
	case Kind::ioas_track:
		op[F::flags] =
			random.one_in(40) ? 1UL << random.below(32) : !random.one_in(6);
		op[F::reserved] = random.one_in(40);
		break;
	case Kind::hwpt_dirty:
	case Kind::hwpt_mark:
	case Kind::ioas_dirty:
		break;
	default:
		return;
	}
	if (!of_ioas)
		op[F::id] = random.one_in(40) ? pick_key(context.objects)
					      : pick_tracking(context);
	const auto hwpt = context.hwpt(op[F::id]);
	const Ioas *ioas = of_ioas ? ioas_of(op) : hwpt ? hwpt->ioas.get() : nullptr;
	const Area *area = pick_area(ioas, first);
	const bool marks = op.kind == Kind::hwpt_mark;
	op[F::page] = marks ? mock_page : random.of(granules);
	op[F::value] = random.below(1UL << 32);
	if (random.one_in(60))
		op[F::page] = random.below(3 * page_size);
	op[F::iova] = area ? first : pick_iova(ioas);
	op[F::length] = area ? area->last - first + 1 : pick_length(op[F::iova]);
	if (random.one_in(2))
		op[F::iova] += random.below(op[F::length] | 1);
	if (random.one_in(2))
		op[F::length] = random.below(op[F::length] | 1);
	if (random.one_in(6))
		op[F::length] += slip();
	if (!random.one_in(20)) {
		const std::uint64_t step =
			std::max({op[F::page], ioas ? ioas->alignment() : 1, 1UL});

		op[F::iova] -= op[F::iova] % step;
		op[F::length] = std::max(op[F::length] - op[F::length] % step, step);
	}
	if (marks)
		return;
	if (op.kind == Kind::hwpt_dirty || op.kind == Kind::ioas_dirty) {
		op[F::flags] =
			random.one_in(60) ? 1UL << random.below(32) : random.one_in(4);
		op[F::reserved] = random.one_in(80);
		op[F::va] = random.one_in(30);
	}
}

// A HWPT that notes what is written, if there is one.
std::uint64_t Generator::pick_tracking(const Context &context)
{
	for (const auto &[id, hwpt] : context.hwpts)
		if (hwpt->tracks && random.one_in(2))
			return id;
	return pick_key(context.hwpts);
}

void Generator::relieve_devices(Op &op)
{
	const Context &context = *model.context[op.ctx];
	const bool mock = op.kind == Kind::mock || op.kind == Kind::mock_new;

	if (mock && context.mocks.size() >= many_mocks) {
		op.kind = Kind::destroy;
		op[F::id] = pick_key(context.mocks);
	} else if (op.kind == Kind::hwpt_alloc && context.hwpts.size() >= many_hwpts) {
		op.kind = Kind::destroy;
		op[F::id] = pick_key(context.hwpts);
	} else if (context.mocks.empty() &&
		   (op.kind == Kind::mock_replace || op.kind == Kind::hwpt_alloc)) {
		op.kind = Kind::mock;
	} else if ((op.kind == Kind::check_map || op.kind == Kind::hwpt_track ||
		    op.kind == Kind::hwpt_dirty || op.kind == Kind::hwpt_mark) &&
		   context.hwpts.empty()) {
		op.kind = Kind::ranges;
	}
}

// Where no device is yet, placement begins where mock devices cannot reach; nor have
// they pages of any size.
void Generator::suit_devices(Op &op)
{
	const Ioas *ioas = ioas_of(op);

	if (!devices || random.one_in(10))
		return;
	if (ioas && ioas->hwpts.empty() && !random.one_in(10))
		op[F::flags] |= IOMMUKIT_IOAS_MAP_FIXED_IOVA;
	for (const F field : {F::iova, F::length, F::va})
		op[field] &= -mock_page;
	op[F::length] = std::max(op[F::length], mock_page);
}

} // namespace fuzz

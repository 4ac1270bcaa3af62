// SPDX-License-Identifier: GPL-2.0-only
#include "generator.h"

#include <linux/iommukit.h>

#include <algorithm>
#include <numeric>

#include "../../kmod/test/iommukit_test_abi.h"

namespace fuzz {

namespace {

constexpr std::uint64_t read_write =
	IOMMUKIT_IOAS_MAP_READABLE | IOMMUKIT_IOAS_MAP_WRITEABLE;
// Most IOVA lie below, so that they meet.
constexpr std::uint64_t busy_pages = 64;
constexpr std::size_t many_areas = 40, many_reserved = 5, many_items = 12;
constexpr std::size_t many_objects = 3;
constexpr std::uint64_t sub_page[] = {1, 4, 512, 1024, 2047, 2048, 2049, 4095};
constexpr std::uint64_t edges[] = {0,
				   1,
				   page_size - 1,
				   page_size,
				   all_ones,
				   all_ones - 1,
				   all_ones - page_size,
				   all_ones - page_size + 1,
				   all_ones - 2 * page_size + 1,
				   all_ones / 2,
				   all_ones / 2 + 1,
				   all_ones / 2 - 1};
// Numbers without a command, inside and outside of the tables.
constexpr std::uint64_t no_commands[] = {0x7f, 0x95, 0x9a, 0x9f, 0xa1, 0xe0};

struct Weight {
	Kind kind;
	unsigned weight;
};

constexpr Weight weights[] = {
	{Kind::open, 30},	    {Kind::close, 6},	       {Kind::ioas_alloc, 60},
	{Kind::destroy, 25},	    {Kind::map, 1700},	       {Kind::map_file, 400},
	{Kind::copy, 1000},	    {Kind::unmap, 1400},       {Kind::allow, 120},
	{Kind::ranges, 120},	    {Kind::option, 180},       {Kind::reserve, 100},
	{Kind::access, 140},	    {Kind::access_new, 60},    {Kind::access_close, 40},
	{Kind::replace, 80},	    {Kind::attach, 90},	       {Kind::detach, 20},
	{Kind::pin, 1100},	    {Kind::unpin, 700},	       {Kind::read, 1400},
	{Kind::write, 1200},	    {Kind::stats, 80},	       {Kind::memory, 60},
	{Kind::poke, 150},	    {Kind::truncate, 15},      {Kind::fork, 10},
	{Kind::exit, 12},	    {Kind::limit, 20},	       {Kind::check_refs, 80},
	{Kind::check_account, 20},  {Kind::raw, 15},	       {Kind::mock, 60},
	{Kind::mock_new, 80},	    {Kind::mock_replace, 90},  {Kind::hwpt_alloc, 60},
	{Kind::check_map, 300},	    {Kind::hwpt_track, 60},    {Kind::hwpt_dirty, 300},
	{Kind::hwpt_mark, 250},	    {Kind::ioas_track, 40},    {Kind::ioas_dirty, 300},
	{Kind::iotlb, 60},	    {Kind::iotlb_submit, 900}, {Kind::iotlb_query, 500},
	{Kind::iotlb_set, 60},	    {Kind::map_ondemand, 40},  {Kind::prefetch, 40},
	{Kind::ondemand_query, 40},
};

// What an IOTLB is about.
constexpr Kind translated[] = {Kind::iotlb_submit, Kind::iotlb_submit, Kind::iotlb_query,
			       Kind::stats,	   Kind::pin,	       Kind::read,
			       Kind::write};

// What is on demand, and who may see it.
constexpr Kind noticed[] = {Kind::map_ondemand,
			    Kind::map_ondemand,
			    Kind::map_ondemand,
			    Kind::prefetch,
			    Kind::prefetch,
			    Kind::prefetch,
			    Kind::ondemand_query,
			    Kind::memory,
			    Kind::memory,
			    Kind::memory,
			    Kind::poke,
			    Kind::poke,
			    Kind::truncate,
			    Kind::write,
			    Kind::read,
			    Kind::read,
			    Kind::write,
			    Kind::write,
			    Kind::pin,
			    Kind::pin,
			    Kind::unpin,
			    Kind::check_refs};

constexpr unsigned total_weight = [] {
	unsigned sum = 0;

	for (const Weight &weight : weights)
		sum += weight.weight;
	return sum;
}();

std::size_t count_ioas(const Context &context)
{
	return static_cast<std::size_t>(
		std::count_if(context.objects.begin(), context.objects.end(),
			      [](const auto &object) { return object.second; }));
}

bool answers_size_errors(Kind kind)
{
	switch (kind) {
	case Kind::ioas_alloc:
	case Kind::destroy:
	case Kind::map:
	case Kind::map_file:
	case Kind::copy:
	case Kind::unmap:
	case Kind::allow:
	case Kind::ranges:
	case Kind::option:
	case Kind::reserve:
	case Kind::access:
	case Kind::replace:
	case Kind::pin:
	case Kind::unpin:
	case Kind::read:
	case Kind::write:
	case Kind::mock:
	case Kind::mock_new:
	case Kind::mock_replace:
	case Kind::hwpt_alloc:
	case Kind::check_map:
	case Kind::hwpt_track:
	case Kind::hwpt_dirty:
	case Kind::hwpt_mark:
	case Kind::ioas_track:
	case Kind::ioas_dirty:
	case Kind::iotlb:
	case Kind::iotlb_submit:
	case Kind::iotlb_query:
	case Kind::iotlb_set:
	case Kind::map_ondemand:
	case Kind::prefetch:
	case Kind::ondemand_query:
		return true;
	default:
		return false;
	}
}

} // namespace

// splitmix64
std::uint64_t Random::next()
{
	std::uint64_t z = state += 0x9e3779b97f4a7c15UL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9UL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebUL;
	return z ^ z >> 31;
}

Generator::Generator(const Model &m, std::uint64_t seed)
	: model(m), random(seed), devices(!random.one_in(4)),
	  translations(random.one_in(4)), ondemand(random.one_in(2))
{
}

Kind Generator::pick_kind()
{
	std::uint64_t at = random.below(total_weight);

	if (translations && random.one_in(2))
		return random.of(translated);
	if (ondemand && random.one_in(4))
		return random.of(noticed);
	for (const Weight &weight : weights) {
		if (at < weight.weight)
			return weight.kind;
		at -= weight.weight;
	}
	return Kind::map;
}

std::uint64_t Generator::pick_ioas(const Context &context)
{
	if (context.objects.empty() || random.one_in(60))
		return random.one_in(2) ? random.below(8) : random.of(edges) & 0xffffffff;
	auto object = context.objects.begin();
	std::advance(object, random.below(context.objects.size()));
	// Accesses and devices have ids too, but are seldom wanted.
	for (std::uint64_t n = 0; n < context.objects.size() && !object->second; n++) {
		if (n == 0 && random.one_in(20))
			break;
		if (++object == context.objects.end())
			object = context.objects.begin();
	}
	return object->first;
}

const Ioas *Generator::ioas_of(const Op &op, F id) const
{
	return model.context[op.ctx] ? model.context[op.ctx]->ioas(op[id]).get()
				     : nullptr;
}

const Area *Generator::pick_area(const Ioas *ioas, std::uint64_t &first)
{
	if (!ioas || ioas->areas.empty())
		return nullptr;
	auto area = ioas->areas.begin();
	std::advance(area, random.below(ioas->areas.size()));
	first = area->first;
	return &area->second;
}

std::uint64_t Generator::pick_slot(bool used)
{
	const std::uint64_t from = random.below(accesses);

	for (std::uint64_t n = 0; n < accesses; n++) {
		const std::uint64_t slot = (from + n) % accesses;

		if ((model.access[slot] != nullptr) == used)
			return slot;
	}
	return from;
}

// An access that can do it, if there is one.
std::uint64_t Generator::pick_able(Kind kind)
{
	const std::uint64_t from = pick_slot(!random.one_in(60));

	for (std::uint64_t n = 0; n < accesses && !random.one_in(20); n++) {
		const std::uint64_t slot = (from + n) % accesses;
		const Access *access = model.access[slot].get();

		if (!access || (kind == Kind::attach) != !access->ioas)
			continue;
		if (kind == Kind::unpin ? !access->items.empty()
					: access->pins || kind != Kind::pin)
			return slot;
	}
	return from;
}

// A little beside.
std::uint64_t Generator::slip()
{
	constexpr std::uint64_t steps[] = {0, 0, 0, 1, page_size, 2048, 2 * page_size};
	const std::uint64_t step = random.of(steps);

	return random.one_in(2) ? step : -step;
}

std::uint64_t Generator::pick_iova(const Ioas *ioas)
{
	const bool aligned = ioas && ioas->alignment() > 1 && !random.one_in(12);
	std::uint64_t iova = random.below(busy_pages) * page_size, first;

	if (devices && !random.one_in(20))
		iova += IOMMUKIT_TEST_APERTURE_FIRST;

	if (random.one_in(40))
		return random.of(edges);
	if (const Area *area = pick_area(ioas, first); area && random.below(5) < 2)
		iova = (random.one_in(2) ? first : area->last + 1) + slip();
	else if (ioas && !ioas->reserved.empty() && random.one_in(12))
		iova = ioas->reserved[random.below(ioas->reserved.size())].last + 1 +
		       slip();
	if (aligned)
		return iova & -page_size;
	return random.one_in(3) ? iova + random.of(sub_page) : iova;
}

std::uint64_t Generator::pick_length(std::uint64_t first)
{
	switch (random.below(40)) {
	case 0:
		return random.of(edges);
	case 1:
		return -first + slip();
	case 2:
		return random.below(1UL << random.below(64));
	case 3:
	case 4:
	case 5:
	case 6:
	case 7:
		return random.of(sub_page) + random.below(3) * page_size;
	default:
		return (1 + random.below(random.one_in(4) ? 12 : 4)) * page_size;
	}
}

std::uint64_t Generator::pick_va()
{
	const std::uint64_t at = arena_base + random.below(slots) * page_size;
	constexpr std::uint64_t odd[] = {0,
					 page_size,
					 arena_base - page_size,
					 arena_base + slots * page_size,
					 0xffff800000000000,
					 0x800000000000,
					 -2 * page_size,
					 -page_size,
					 all_ones};

	if (random.one_in(40))
		return random.of(odd);
	return random.one_in(5) ? at + random.of(sub_page) : at;
}

std::uint64_t Generator::pick_flags()
{
	const std::uint64_t fixed = random.one_in(3) ? 0 : IOMMUKIT_IOAS_MAP_FIXED_IOVA;

	if (random.one_in(80))
		return random.one_in(2) ? fixed : 1UL << random.below(32);
	if (random.one_in(4))
		return fixed | (random.one_in(2) ? IOMMUKIT_IOAS_MAP_READABLE
						 : IOMMUKIT_IOAS_MAP_WRITEABLE);
	return fixed | read_write;
}

void Generator::fill_map(Op &op)
{
	const Ioas *ioas = ioas_of(op);
	const bool aligned = ioas && ioas->alignment() > 1 && !random.one_in(10);

	op[F::flags] = pick_flags();
	op[F::iova] = pick_iova(ioas);
	op[F::length] = pick_length(op[F::iova]);
	if (op.kind == Kind::map_file) {
		op[F::file] = random.one_in(3) ? random.below(files + 1)
					       : random.below(file_read_only);
		op[F::va] = random.below(10) * page_size;
		if (random.one_in(4))
			op[F::va] += random.of(sub_page);
		if (random.one_in(60))
			op[F::va] = random.one_in(2) ? -op[F::length] : random.of(edges);
	} else {
		op[F::va] = random.one_in(80) ? -op[F::length] + slip() : pick_va();
		op[F::reserved] = random.one_in(150);
	}
	if (aligned) {
		op[F::length] = std::max(op[F::length] & -page_size, page_size);
		op[F::va] &= -page_size;
	}
	suit_devices(op);
}

void Generator::fill_copy(Op &op)
{
	std::uint64_t first;

	op[F::source] = pick_ioas(*model.context[op.ctx]);
	op[F::flags] = pick_flags();
	op[F::iova] = pick_iova(ioas_of(op));
	suit_devices(op);
	const Area *area = pick_area(ioas_of(op, F::source), first);
	if (!area || random.one_in(12)) {
		op[F::source_iova] = pick_iova(ioas_of(op, F::source));
		op[F::length] = pick_length(op[F::source_iova]);
		return;
	}
	const std::uint64_t size = area->last - first + 1;
	op[F::source_iova] = first;
	op[F::length] = size;
	if (random.one_in(2)) {
		const std::uint64_t skip = random.below(size);

		op[F::source_iova] += random.one_in(3) ? skip : skip & -page_size;
		op[F::length] = pick_length(op[F::source_iova]);
	}
	if (random.one_in(6))
		op[F::length] += slip();
}

void Generator::fill_unmap(Op &op)
{
	const Ioas *ioas = ioas_of(op);
	const bool crowded = ioas && ioas->areas.size() > many_areas;
	std::uint64_t first;
	const Area *area = pick_area(ioas, first);

	if (random.one_in(crowded ? 8 : 200)) {
		op[F::length] = all_ones;
		return;
	}
	if (!area || random.one_in(10)) {
		op[F::iova] = pick_iova(ioas);
		op[F::length] = pick_length(op[F::iova]);
		return;
	}
	op[F::iova] = first;
	op[F::length] = area->last - first + 1;
	if (random.one_in(5))
		op[F::iova] += slip();
	if (random.one_in(4))
		op[F::length] += random.one_in(2) ? slip() : pick_length(first);
}

void Generator::fill_allow(Op &op)
{
	constexpr F list[] = {F::first1, F::last1,  F::first2,
			      F::last2,	 F::first3, F::last3};

	op[F::reserved] = random.one_in(20);
	op[F::num] = random.one_in(3) ? 0 : random.below(random.one_in(10) ? 6 : 4);
	for (unsigned n = 0; n < std::size(list); n += 2) {
		const std::uint64_t first = pick_iova(ioas_of(op));

		op[list[n]] = first;
		op[list[n + 1]] =
			first + (random.one_in(8)
					 ? random.below(3) - 1
					 : random.below(24) * page_size + page_size - 1);
	}
}

void Generator::fill_option(Op &op)
{
	constexpr std::uint64_t values[] = {0, 1, 1, 1, 2, all_ones};

	op[F::option] = IOMMUKIT_OPTION_HUGE_PAGES;
	op[F::num] = random.one_in(20) ? random.below(0x10000) : random.below(2);
	op[F::value] = random.of(values);
	op[F::reserved] = random.one_in(30);
	if (random.one_in(3)) {
		op[F::option] = random.one_in(10) ? random.below(4) : 0;
		op[F::id] = random.one_in(10);
	}
}

void Generator::fill_create(Op &op)
{
	op[F::slot] = pick_slot(false);
	op[F::id] = pick_anchor(*model.context[op.ctx]);
	op[F::flags] = !random.one_in(4);
	if (op.kind == Kind::access) {
		if (random.one_in(20))
			op[F::flags] = 1UL << random.below(32);
		return;
	}
	if (random.one_in(3))
		op[F::id] = 0;
	else if (random.one_in(2))
		op[F::flags] |= 4;
}

void Generator::fill_pin(Op &op)
{
	const Access *access = model.access[op[F::slot]].get();
	const Ioas *ioas = access ? access->ioas.get() : nullptr;
	std::uint64_t first;
	const Area *area = pick_area(ioas, first);

	op[F::flags] = random.one_in(3);
	if (random.one_in(60))
		op[F::flags] = 1UL << random.below(32);
	if (random.one_in(150)) {
		op[F::length] = io_limit + random.below(2);
		return;
	}
	if (fill_through_iotlb(op))
		return;
	if (!area || random.one_in(12)) {
		op[F::iova] = pick_iova(ioas);
		op[F::length] = pick_length(op[F::iova]);
		return;
	}
	const std::uint64_t size = area->last - first + 1;
	op[F::iova] = first;
	if (random.one_in(2))
		op[F::iova] += random.below(size) & -page_size;
	op[F::length] = random.one_in(3) ? size - (op[F::iova] - first)
					 : pick_length(op[F::iova]);
	if (random.one_in(3)) {
		op[F::va] = area->backing->base + area->offset + (op[F::iova] - first);
		op[F::va] += random.one_in(8) ? page_size : 0;
		op[F::va] &= -page_size;
	}
}

void Generator::fill_rw(Op &op)
{
	const Access *access = model.access[op[F::slot]].get();
	const Ioas *ioas = access ? access->ioas.get() : nullptr;
	std::uint64_t first;
	const Area *area = pick_area(ioas, first);

	op[F::flags] = random.one_in(3) ? 4 : 0;
	if (random.one_in(80))
		op[F::flags] = 2UL << random.below(31);
	op[F::va] = random.one_in(60);
	op[F::value] = random.below(1UL << 32);
	op[F::length] = 1 + random.below(random.one_in(4) ? 3 * page_size : 64);
	if (random.one_in(100))
		op[F::length] = random.one_in(2) ? random.below(2) : io_limit + 1;
	if (fill_through_iotlb(op))
		return;
	if (!area || random.one_in(15)) {
		op[F::iova] = pick_iova(ioas);
		return;
	}
	// To the owner it is his own memory.
	if (area->backing->ondemand && random.one_in(4))
		pick_process(op);
	const std::uint64_t size = area->last - first + 1;
	op[F::iova] = first + random.below(size);
	// Across the end, or a page.
	if (random.one_in(4))
		op[F::iova] = area->last - random.below(op[F::length] + 1);
	else if (random.one_in(4))
		op[F::iova] =
			(op[F::iova] | (page_size - 1)) - random.below(op[F::length] + 1);
}

void Generator::fill_memory(Op &op)
{
	op[F::first] = random.below(slots);
	op[F::number] =
		1 + random.below(std::min<std::uint64_t>(6, slots - op[F::first]));
	op[F::value] = random.below(static_cast<std::uint64_t>(Change::count));
	op[F::page] = random.below(shared_slots - 6);
	if (op[F::value] == static_cast<std::uint64_t>(Change::move)) {
		op[F::number] = 1;
		op[F::page] = random.below(slots);
	}
	// Otherwise there would soon be little left.
	if (op[F::value] == 0 && random.one_in(2))
		op[F::value] = static_cast<std::uint64_t>(Change::fresh);
	if (op[F::value] == static_cast<std::uint64_t>(Change::none) && random.one_in(2))
		op[F::value] = static_cast<std::uint64_t>(Change::writable);
}

void Generator::fill(Op &op)
{
	if (fill_ondemand(op))
		return;
	switch (op.kind) {
	case Kind::ioas_alloc:
		op[F::flags] = random.one_in(20) ? 1UL << random.below(32) : 0;
		break;
	case Kind::map:
	case Kind::map_file:
		fill_map(op);
		break;
	case Kind::copy:
		fill_copy(op);
		break;
	case Kind::unmap:
		fill_unmap(op);
		break;
	case Kind::allow:
		fill_allow(op);
		break;
	case Kind::ranges:
		op[F::num] = random.below(8);
		op[F::value] = random.one_in(20);
		op[F::reserved] = random.one_in(30);
		break;
	case Kind::option:
		fill_option(op);
		break;
	case Kind::reserve:
		op[F::iova] = pick_iova(ioas_of(op));
		op[F::length] = random.one_in(3) ? 1 + random.below(page_size)
						 : pick_length(op[F::iova]);
		break;
	case Kind::access:
	case Kind::access_new:
		fill_create(op);
		break;
	case Kind::pin:
		fill_pin(op);
		break;
	case Kind::unpin:
		op[F::value] = random.below(4);
		if (const Access *access = model.access[op[F::slot]].get();
		    access && !access->items.empty() && !random.one_in(20)) {
			auto item = access->items.begin();

			std::advance(item, random.below(access->items.size()));
			op[F::value] = item->first;
		}
		break;
	case Kind::read:
	case Kind::write:
		fill_rw(op);
		break;
	case Kind::memory:
		fill_memory(op);
		break;
	case Kind::poke:
	case Kind::check_refs:
		op[F::va] = arena_base + random.below(slots) * page_size;
		if (op.kind == Kind::check_refs)
			break;
		op[F::va] += random.below(page_size);
		op[F::length] = 1 + random.below(std::min<std::uint64_t>(
					    64, page_size - op[F::va] % page_size));
		op[F::value] = random.below(1UL << 32);
		break;
	case Kind::truncate:
		op[F::value] = random.below(17) * page_size;
		if (random.one_in(4)) {
			op[F::length] = (1 + random.below(3)) * page_size;
			break;
		}
		op[F::value] -= random.one_in(4) ? std::min(op[F::value], 1000UL) : 0;
		break;
	case Kind::fork:
		op[F::value] = random.below(3);
		break;
	case Kind::limit:
		op[F::value] = random.below(user_limit * 2);
		break;
	case Kind::raw:
		op[F::value] = random.of(no_commands);
		break;
	case Kind::attach:
	case Kind::replace:
		op[F::id] = pick_anchor(*model.context[op.ctx]);
		break;
	case Kind::iotlb:
	case Kind::iotlb_submit:
	case Kind::iotlb_query:
	case Kind::iotlb_set:
		fill_iotlb(op);
		break;
	case Kind::destroy:
		if (random.one_in(2))
			op[F::id] = pick_key(model.context[op.ctx]->objects);
		break;
	default:
		fill_device(op);
	}
}

// An area that somebody has pinned and does not give back. It takes a second.
void Generator::add_stubborn_driver(const Op &op)
{
	const Access *access = model.access[op[F::slot]].get();

	if (!access || !access->ioas || access->items.empty())
		return;
	for (unsigned ctx = 0; ctx < contexts; ctx++) {
		if (model.context[ctx] != access->context)
			continue;
		for (const auto &[id, ioas] : access->context->objects) {
			if (ioas != access->ioas)
				continue;
			Op on, unmap, off;

			on.kind = off.kind = Kind::stubborn;
			on[F::slot] = off[F::slot] = op[F::slot];
			on[F::value] = 1;
			unmap.kind = Kind::unmap;
			on.ctx = off.ctx = unmap.ctx = static_cast<std::uint8_t>(ctx);
			unmap[F::id] = id;
			unmap[F::length] = all_ones;
			pending = {on, unmap, off};
		}
	}
}

// Too much of a kind gets in the way of everything else.
void Generator::relieve(Op &op)
{
	const Ioas *ioas = info(op.kind).has(F::id) ? ioas_of(op) : nullptr;
	const Access *access =
		op[F::slot] < accesses ? model.access[op[F::slot]].get() : nullptr;

	if (op.kind == Kind::pin && access && access->items.size() > many_items)
		op.kind = Kind::unpin;
	else if (op.kind == Kind::unpin && access && access->items.empty())
		op.kind = Kind::pin;
	if (op.kind == Kind::ioas_alloc &&
	    count_ioas(*model.context[op.ctx]) > many_objects)
		op.kind = Kind::destroy;
	relieve_devices(op);
	relieve_iotlbs(op);
	if (!ioas)
		return;
	if (ioas->areas.size() > many_areas &&
	    (op.kind == Kind::map || op.kind == Kind::copy || op.kind == Kind::map_file ||
	     op.kind == Kind::map_ondemand))
		op.kind = Kind::unmap;
	if (ioas->added.size() > many_reserved && op.kind == Kind::reserve)
		op.kind = Kind::destroy;
}

void Generator::pick_process(Op &op)
{
	op.who = static_cast<std::uint8_t>(random.below(processes));
	if (!model.world.can_act(op))
		op.who = 0;
}

// Who does it, in which context, on which object.
bool Generator::pick_actor(Op &op)
{
	op.ctx = random.one_in(6);
	if (!model.context[op.ctx])
		op.ctx = !op.ctx;
	if (!model.context[op.ctx] || op.kind == Kind::open) {
		op.ctx = static_cast<std::uint8_t>(random.below(contexts));
		op.kind = Kind::open;
		return false;
	}
	const Context &context = *model.context[op.ctx];
	if (count_ioas(context) < 2 && op.kind != Kind::option && !random.one_in(8))
		op.kind = Kind::ioas_alloc;
	if (op.kind == Kind::fork || op.kind == Kind::exit || op.kind == Kind::limit)
		op.who = static_cast<std::uint8_t>(1 + random.below(processes - 1));
	else if (random.one_in(op.kind == Kind::map || op.kind == Kind::map_file ||
					       op.kind == Kind::map_ondemand
				       ? 5
				       : 25))
		op.who = static_cast<std::uint8_t>(random.below(processes));
	if (!model.world.can_act(op))
		op.who = 0;
	op[F::slot] = pick_able(op.kind);
	op[F::id] = pick_ioas(context);
	return true;
}

Op Generator::next()
{
	Op op;

	if (!pending.empty()) {
		op = pending.front();
		pending.pop_front();
		return op;
	}
	op.kind = pick_kind();
	if (!pick_actor(op))
		return op;
	relieve(op);
	fill(op);
	if (answers_size_errors(op.kind) && random.one_in(60))
		op.pass = static_cast<Pass>(
			random.below(static_cast<std::uint64_t>(Pass::count)));
	if (op.kind == Kind::raw && op[F::value] < 0xa0 && op[F::value] > 0x80)
		op.pass = random.one_in(4) ? Pass::null : Pass::normal;
	if (op.kind == Kind::pin && random.one_in(1 << 14))
		add_stubborn_driver(op);
	for (unsigned n = 0; n < op.field.size(); n++)
		if (!info(op.kind).has(static_cast<F>(n)))
			op.field[n] = 0;
	if (pending.empty() || op.kind != Kind::iotlb_submit)
		return op;
	// Its elements first.
	pending.push_back(op);
	return next();
}

} // namespace fuzz

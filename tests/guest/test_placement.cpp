// SPDX-License-Identifier: GPL-2.0-only
/*
 * Automatic placement: the examples of the specification, and a naive model of
 * its rules next to the module, over random histories.
 */
#include "access.h"

#include <algorithm>
#include <optional>
#include <random>

using namespace guest;

namespace {

constexpr std::uint64_t aligned_va = 0x7f0000200000;

void needs_huge_alignment()
{
	if (alignment_cap() != huge_size)
		skip("the figures are for kernels with transparent huge pages");
}

struct Interval {
	std::uint64_t first;
	std::uint64_t last;
};

struct Placed {
	Errno error;
	std::uint64_t iova = 0;
};

/* What the specification says, as plainly as possible. */
class Model {
    public:
	std::uint64_t alignment = 1;
	std::vector<Interval> areas;
	std::vector<Interval> reserved;
	std::vector<Interval> allowed;

	Placed place(std::uint64_t hint, std::uint64_t length) const
	{
		const std::uint64_t align = search_alignment(hint, length);

		if (length % alignment || align < alignment)
			return {Errno{EINVAL}};
		for (const Interval &window : windows())
			if (auto iova = place_in(window, align, hint % page_size, length))
				return {ok, *iova};
		return {Errno{ENOSPC}};
	}

    private:
	static std::uint64_t search_alignment(std::uint64_t hint, std::uint64_t length)
	{
		std::uint64_t align = 1;

		while (align < length)
			align *= 2;
		if (hint)
			align = std::min(align, hint & -hint);
		return std::min(align, alignment_cap());
	}

	std::vector<Interval> windows() const
	{
		std::vector<Interval> sorted = allowed, merged;

		if (sorted.empty())
			sorted.push_back({0, all_ones});
		std::sort(sorted.begin(), sorted.end(),
			  [](auto &a, auto &b) { return a.first < b.first; });
		for (Interval window : sorted) {
			window.first = std::max(window.first, page_size);
			window.last = std::min(window.last, all_ones - page_size);
			if (window.first > window.last)
				continue;
			if (!merged.empty() && merged.back().last + 1 == window.first)
				merged.back().last = window.last;
			else
				merged.push_back(window);
		}
		return merged;
	}

	static std::optional<std::uint64_t> fit(const Interval &hole, std::uint64_t align,
						std::uint64_t offset,
						std::uint64_t length)
	{
		std::uint64_t start = hole.first;

		if (__builtin_add_overflow(start, align - 1, &start))
			return {};
		start = (start & ~(align - 1)) | offset;
		if (start >= hole.last || hole.last - start < length - 1)
			return {};
		return start;
	}

	std::optional<std::uint64_t> place_in(const Interval &window, std::uint64_t align,
					      std::uint64_t offset,
					      std::uint64_t length) const
	{
		const auto start = fit(window, align, offset, length);
		std::vector<Interval> used = areas;

		if (!start)
			return {};
		used.insert(used.end(), reserved.begin(), reserved.end());
		std::sort(used.begin(), used.end(),
			  [](auto &a, auto &b) { return a.first < b.first; });
		std::uint64_t from = *start;
		for (const Interval &block : used) {
			if (block.last < from)
				continue;
			if (block.first > window.last)
				break;
			if (block.first > from)
				if (auto iova = fit({from, block.first - 1}, align,
						    offset, length))
					return iova;
			if (block.last >= window.last)
				return {};
			from = block.last + 1;
		}
		return fit({from, window.last}, align, offset, length);
	}
};

struct World {
	World() : ioas(context.ioas()) {}

	Placed place(std::uint64_t hint, std::uint64_t length) const
	{
		Placed result;

		result.error = context.try_map_auto(ioas, hint, length, &result.iova);
		return result;
	}

	Context context;
	std::uint32_t ioas;
};

} // namespace

TEST_CASE("placement in an empty IOAS")
{
	const std::uint64_t cap = alignment_cap();
	const struct {
		std::uint64_t va, length, iova;
	} table[] = {
		{aligned_va, 0x1000, 0x1000},
		{aligned_va, 0x2000, 0x2000},
		{aligned_va, 0x3000, 0x4000},
		{aligned_va, huge_size, std::max(cap, page_size)},
		{aligned_va, 1UL << 30, std::max(cap, page_size)},
		{aligned_va + 0x1800, 0x1000, 0x1800},
		{aligned_va + 0xc00, 100, 0x1c00},
		{aligned_va + 1, 5, 0x1001},
		{0, 0x3000, 0x4000},
		{0, 1, 0x1000},
		{aligned_va, 1, 0x1000},
		{0, 1UL << 40, std::max(cap, page_size)},
	};

	needs_huge_alignment();
	for (const auto &row : table) {
		const World world;
		const Placed placed = world.place(row.va, row.length);

		INFO("address 0x" << std::hex << row.va << " length 0x" << row.length);
		CHECK(placed.error == ok);
		CHECK(placed.iova == row.iova);
		CHECK(world.context.unmap(world.ioas, row.iova, row.length) ==
		      row.length);
	}
}

TEST_CASE("placement takes the lowest hole that fits")
{
	needs_huge_alignment();
	const World world;

	for (std::uint64_t iova = 0x1000; iova <= 0x8000; iova += 0x1000)
		REQUIRE(world.place(aligned_va, 0x1000).iova == iova);
	REQUIRE(world.context.unmap(world.ioas, 0x3000, 0x1000) == 0x1000);
	REQUIRE(world.context.unmap(world.ioas, 0x5000, 0x3000) == 0x3000);
	CHECK(world.place(aligned_va, 0x2000).iova == 0x6000);
	CHECK(world.place(aligned_va, 0x1000).iova == 0x3000);
	CHECK(world.place(aligned_va, 0x1000).iova == 0x5000);
	CHECK(world.place(aligned_va, 0x1000).iova == 0x9000);
}

TEST_CASE("placement with an alignment of a page")
{
	const World world;

	REQUIRE(world.context.try_set_option(IOMMUKIT_OPTION_HUGE_PAGES, world.ioas, 0) ==
		ok);
	CHECK(world.place(aligned_va, 0x1000).iova == 0x1000);
	CHECK(world.place(aligned_va, 1024).error == Errno{EINVAL});
	CHECK(world.place(aligned_va + 0x400, 0x1000).error == Errno{EINVAL});
	CHECK(world.place(0, 0x1800).error == Errno{EINVAL});
	CHECK(world.place(aligned_va + 0x1000, 0x4000).iova == 0x2000);
}

TEST_CASE("placement inside the allowed list")
{
	needs_huge_alignment();
	const struct {
		const char *name;
		std::vector<iommukit_iova_range> allowed;
		std::uint64_t length;
		Placed expected;
	} table[] = {
		{"too short once aligned", {{0x1000, 0x2fff}}, 0x2000, {Errno{ENOSPC}}},
		{"adjacent ranges are one window",
		 {{0x1000, 0x1fff}, {0x2000, 0x3fff}},
		 0x2000,
		 {ok, 0x2000}},
		{"the first page is never used", {{0, 0xfff}}, 1, {Errno{ENOSPC}}},
		{"the last page is never used",
		 {{all_ones - page_size + 1, all_ones}},
		 1,
		 {Errno{ENOSPC}}},
		{"clipped at the first page", {{0x800, 0x17ff}}, 0x800, {ok, 0x1000}},
		{"ascending, whatever the order of the list",
		 {{0x9000, 0x9fff}, {0x5000, 0x5fff}},
		 0x1000,
		 {ok, 0x5000}},
		{"the first that fits",
		 {{0x1000, 0x17ff}, {0x9000, 0x9fff}},
		 0x1000,
		 {ok, 0x9000}},
		{"exactly one range long", {{0x9000, 0x9fff}}, 0x1000, {ok, 0x9000}},
	};

	for (const auto &row : table) {
		const World world;

		INFO(row.name);
		REQUIRE(world.context.try_allow(world.ioas, row.allowed) == ok);
		const Placed placed = world.place(aligned_va, row.length);
		CHECK(placed.error == row.expected.error);
		if (placed.error == ok)
			CHECK(placed.iova == row.expected.iova);
	}
}

TEST_CASE("placement around reserved IOVA")
{
	needs_huge_alignment();
	const World world;

	SECTION("nothing is large enough beside it")
	{
		REQUIRE(try_add_reserved(world.context, world.ioas, 6,
					 0xffffffffffff8006 - 6 + 1) == ok);
		CHECK(world.place(aligned_va, 0x5000).error == Errno{ENOSPC});
	}
	SECTION("behind overlapping reserved ranges")
	{
		REQUIRE(try_add_reserved(world.context, world.ioas, 0x1000, 0x5000) ==
			ok);
		REQUIRE(try_add_reserved(world.context, world.ioas, 0x2000, 0x1000) ==
			ok);
		REQUIRE(try_add_reserved(world.context, world.ioas, 0x4000, 0x3800) ==
			ok);
		CHECK(world.place(aligned_va, 0x1000).iova == 0x8000);
		CHECK(world.place(aligned_va + 0x800, 0x800).iova == 0x7800);
	}
}

TEST_CASE("placement leaves the last page, and IOVA 0, alone")
{
	const World world;
	constexpr std::uint64_t edge = all_ones - 0x2fff;

	REQUIRE(world.context.try_allow(world.ioas, {{edge, all_ones}}) == ok);
	CHECK(world.place(aligned_va, 0x1000).iova == edge);
	CHECK(world.place(aligned_va, 0x1000).iova == edge + 0x1000);
	CHECK(world.place(aligned_va, 1).error == Errno{ENOSPC});
}

TEST_CASE("placement of COPY takes the address of the first piece")
{
	const World world;
	const Context &context = world.context;
	const std::uint32_t to = context.ioas();
	auto cmd = command<iommukit_ioas_copy>();

	REQUIRE(context.try_map(world.ioas, aligned_va + 0x1800, 0x4800, 0x40000) == ok);
	cmd.flags = map_rw;
	cmd.dst_ioas_id = to;
	cmd.src_ioas_id = world.ioas;
	cmd.src_iova = 0x40000;
	cmd.length = 0x4800;
	REQUIRE(call(context.fd(), IOMMUKIT_IOAS_COPY, &cmd) == ok);
	CHECK(cmd.dst_iova == 0x1800);
	/* A sub-range begins elsewhere: this one at a multiple of 0x2000. */
	cmd.src_iova = 0x40800;
	cmd.length = 0x4000;
	REQUIRE(call(context.fd(), IOMMUKIT_IOAS_COPY, &cmd) == ok);
	CHECK(cmd.dst_iova == 0x6000);
}

TEST_CASE("every length up to two pages agrees with the model")
{
	const World world;
	const Model model;

	/* Odd and even ones in any case. */
	for (std::uint64_t length = 1; length < 2 * page_size;
	     length += 2 * slowness() - 1) {
		const Placed placed = world.place(aligned_va, length);

		INFO("length " << length);
		REQUIRE(placed.error == ok);
		REQUIRE(placed.iova == model.place(aligned_va, length).iova);
		REQUIRE(world.context.unmap(world.ioas, placed.iova, length) == length);
	}
}

TEST_CASE("random histories agree with the model")
{
	std::mt19937_64 random(seed());
	const auto pick = [&](std::uint64_t bound) { return random() % bound; };

	for (unsigned int round = 0; round < std::max(2U, 12 / slowness()); round++) {
		const World world;
		Model model;

		if (pick(3) == 0) {
			model.alignment = page_size;
			REQUIRE(world.context.try_set_option(IOMMUKIT_OPTION_HUGE_PAGES,
							     world.ioas, 0) == ok);
		}
		for (std::uint64_t i = pick(4); i > 0; i--) {
			const std::uint64_t start = pick(0x40000);
			const std::uint64_t length = 1 + pick(0x4000);

			REQUIRE(try_add_reserved(world.context, world.ioas, start,
						 length) == ok);
			model.reserved.push_back({start, start + length - 1});
		}
		if (pick(2) == 0) {
			std::vector<iommukit_iova_range> list;
			std::uint64_t first = 0;

			for (std::uint64_t i = 1 + pick(4); i > 0; i--) {
				first += pick(2) ? pick(0x8000) : 0;
				const std::uint64_t last = first + 1 + pick(0x20000);

				list.push_back({first, last});
				first = last + 1;
			}
			if (world.context.try_allow(world.ioas, list) == ok)
				for (const auto &range : list)
					model.allowed.push_back(
						{range.start, range.last});
		}
		for (unsigned int step = 0; step < 150; step++) {
			if (!model.areas.empty() && pick(4) == 0) {
				const std::size_t n = pick(model.areas.size());
				const Interval area = model.areas[n];

				REQUIRE(world.context.try_unmap(world.ioas, area.first,
								area.last - area.first +
									1) == ok);
				model.areas.erase(model.areas.begin() +
						  static_cast<long>(n));
				continue;
			}
			const std::uint64_t granule =
				pick(3) ? page_size : 1UL << pick(13);
			const std::uint64_t length = (1 + pick(8)) * granule;
			const std::uint64_t hint =
				pick(6) ? aligned_va + pick(512) * granule : 0;
			const Placed expected = model.place(hint, length);
			const Placed placed = world.place(hint, length);

			INFO("round " << round << " step " << step << ": hint 0x"
				      << std::hex << hint << " length 0x" << length);
			REQUIRE(placed.error == expected.error);
			if (placed.error != ok)
				continue;
			REQUIRE(placed.iova == expected.iova);
			model.areas.push_back({placed.iova, placed.iova + length - 1});
		}
	}
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * UNMAP_DMA of parts of mappings, as the first version of type1 could. What happens
 * while others are at work on the mapping is in test_concurrency.cpp and
 * test_userfault.cpp.
 */
#include "vfio.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <thread>

using namespace guest;

namespace {

constexpr std::uint64_t area_iova = 0x100000;
constexpr std::uint64_t npages = 16;
constexpr std::uint64_t mapped = npages * page_size;

constexpr std::uint64_t page(std::uint64_t n)
{
	return area_iova + n * page_size;
}

/* Sixteen pages in one mapping. */
struct World {
	explicit World(unsigned long type = VFIO_TYPE1_IOMMU,
		       std::uint64_t iova = area_iova)
		: start(iova), ioas(context.ioas()), access(context, ioas)
	{
		vfio_set(context, ioas);
		REQUIRE(vfio_answer(context, VFIO_SET_IOMMU, type) == 0);
		memory.fill(1);
		REQUIRE(try_map_dma(context, memory.va(), mapped, start) == ok);
	}

	/* Checks that of the pages just those in [first, last] are gone. */
	void check_gone(std::uint64_t first, std::uint64_t last) const
	{
		for (std::uint64_t n = 0; n < npages; n++) {
			std::vector<std::byte> content(page_size);
			const Errno error = access.try_read(start + n * page_size,
							    content.data(), page_size);

			INFO("page " << n);
			CHECK(error == Errno{n >= first && n <= last ? ENOENT : 0});
			if (error == ok)
				CHECK(content == pattern_of(1, n * page_size, page_size));
		}
	}
	void check_whole() const { check_gone(npages, 0); }

	std::uint64_t start;
	Context context;
	Memory memory{mapped};
	std::uint32_t ioas;
	Access access;
};

} // namespace

TEST_CASE("parts of a mapping are unmapped")
{
	const struct {
		const char *name;
		std::uint64_t first, last;
	} table[] = {
		{"the first page", 0, 0},	{"the lower half", 0, 7},
		{"a page in the middle", 8, 8}, {"all but the ends", 1, 14},
		{"the upper half", 8, 15},	{"the last page", 15, 15},
		{"everything", 0, 15},
	};

	for (const auto &row : table) {
		DYNAMIC_SECTION(row.name)
		{
			const World world;
			const std::uint64_t bytes =
				(row.last - row.first + 1) * page_size;
			std::uint64_t unmapped = 0;

			CHECK(try_unmap_dma(world.context, page(row.first), bytes,
					    &unmapped) == ok);
			CHECK(unmapped == bytes);
			world.check_gone(row.first, row.last);
			CHECK(try_unmap_dma(world.context, page(row.first), bytes,
					    &unmapped) == ok);
			CHECK(unmapped == 0);
			/* The place is free, and the rest of one piece on each side. */
			CHECK(try_map_dma(world.context,
					  world.memory.va() + row.first * page_size,
					  bytes, page(row.first)) == ok);
			world.check_whole();
			CHECK(world.context.unmap_all(world.ioas) == mapped);
			CHECK(check_refs(world.context, world.memory, 0) == ok);
		}
	}
}

TEST_CASE("a mapping is unmapped page by page in any order")
{
	const World world;
	std::vector<std::uint64_t> order(npages);
	std::mt19937_64 random(seed());

	for (unsigned int round = 0; round < 10; round++) {
		std::iota(order.begin(), order.end(), 0);
		std::ranges::shuffle(order, random);
		for (std::uint64_t n : order) {
			std::uint64_t unmapped = 0;

			REQUIRE(try_unmap_dma(world.context, page(n), page_size,
					      &unmapped) == ok);
			REQUIRE(unmapped == page_size);
			REQUIRE(world.access.try_pin(page(n), page_size) ==
				Errno{ENOENT});
		}
		REQUIRE(world.context.unmap_all(world.ioas) == 0);
		REQUIRE(try_map_dma(world.context, world.memory.va(), mapped,
				    area_iova) == ok);
		world.check_whole();
	}
}

TEST_CASE("a range over several mappings cuts the first and the last of them")
{
	const World world;
	std::uint64_t unmapped = 0;

	/* Behind a hole of a page. */
	REQUIRE(try_map_dma(world.context, world.memory.va(), mapped, page(npages + 1)) ==
		ok);
	CHECK(try_unmap_dma(world.context, page(4), (npages + 1) * page_size,
			    &unmapped) == ok);
	CHECK(unmapped == mapped);
	world.check_gone(4, npages - 1);
	CHECK(world.access.read(page(npages + 5), (npages - 4) * page_size) ==
	      pattern_of(1, 4 * page_size, (npages - 4) * page_size));
	CHECK(world.context.unmap_all(world.ioas) == mapped);
}

TEST_CASE("cuts at the ends of the IOVA space")
{
	std::uint64_t unmapped = 0;

	SECTION("at its beginning there is nothing before the range")
	{
		const World world(VFIO_TYPE1_IOMMU, 0);

		CHECK(try_unmap_dma(world.context, 0, page_size, &unmapped) == ok);
		CHECK(unmapped == page_size);
		world.check_gone(0, 0);
	}
	SECTION("at its end nothing behind")
	{
		const World world(VFIO_TYPE1_IOMMU, -mapped);

		CHECK(try_unmap_dma(world.context, -page_size, page_size, &unmapped) ==
		      ok);
		CHECK(unmapped == page_size);
		world.check_gone(npages - 1, npages - 1);
	}
}

TEST_CASE("the parts of a mapping stay what the mapping was")
{
	const World world;
	const Context &context = world.context;

	SECTION("its permissions")
	{
		char byte = 0;

		context.unmap_all(world.ioas);
		REQUIRE(try_map_dma(context, world.memory.va(), mapped, area_iova,
				    VFIO_DMA_MAP_FLAG_READ) == ok);
		REQUIRE(try_unmap_dma(context, page(8), page_size) == ok);
		for (std::uint64_t iova : {page(0), page(15)}) {
			CHECK(world.access.try_read(iova, &byte, 1) == ok);
			CHECK(world.access.try_write(iova, &byte, 1) == Errno{EPERM});
		}
	}
	SECTION("and can be pinned, together and each")
	{
		REQUIRE(try_unmap_dma(context, page(4), page_size) == ok);
		REQUIRE(try_map_dma(context, world.memory.va() + 4 * page_size, page_size,
				    page(4)) == ok);
		world.access.pin(page(0), mapped, 0, world.memory.va());
		world.access.pin(page(5), page_size, 0,
				 world.memory.va() + 5 * page_size);
		CHECK(check_refs(context, world.memory.va() + 6 * page_size,
				 10 * page_size, 1) == ok);
		CHECK(context.unmap_all(world.ioas) == mapped);
		CHECK(check_refs(context, world.memory, 0) == ok);
	}
	SECTION("and copies of it stay whole")
	{
		const std::uint32_t other = context.ioas();
		const Access access(context, other, 0);

		REQUIRE(context.try_copy(other, 0, world.ioas, area_iova, mapped) == ok);
		REQUIRE(try_unmap_dma(context, page(4), 4 * page_size) == ok);
		CHECK(access.read(0, mapped) == pattern_of(1, 0, mapped));
		CHECK(context.try_copy(other, mapped, world.ioas, page(2),
				       2 * page_size) == ok);
		CHECK(context.try_copy(other, 2 * mapped, world.ioas, page(2),
				       3 * page_size) == Errno{ENOENT});
		CHECK(context.unmap(other, 0, mapped) == mapped);
	}
	SECTION("and UNMAP takes each of them whole")
	{
		REQUIRE(try_unmap_dma(context, page(4), page_size) == ok);
		CHECK(context.try_unmap(world.ioas, page(5), page_size) == Errno{ENOENT});
		CHECK(context.unmap(world.ioas, page(5), 11 * page_size) ==
		      11 * page_size);
		CHECK(context.unmap(world.ioas, page(0), 4 * page_size) == 4 * page_size);
	}
}

TEST_CASE("the second version of type1 cuts nothing")
{
	const World world(VFIO_TYPE1v2_IOMMU);
	std::uint64_t unmapped = 1;

	for (std::uint64_t n = 0; n < npages; n++) {
		CHECK(try_unmap_dma(world.context, page(n), page_size, &unmapped) ==
		      Errno{ENOENT});
		CHECK(unmapped == 0);
	}
	world.check_whole();
	CHECK(try_unmap_dma(world.context, page(0), mapped, &unmapped) == ok);
	CHECK(unmapped == mapped);
}

TEST_CASE("the first version cuts nothing any more with huge pages on")
{
	const World world;

	REQUIRE(world.context.try_set_option(IOMMUKIT_OPTION_HUGE_PAGES, world.ioas, 1) ==
		ok);
	CHECK(try_unmap_dma(world.context, page(0), page_size) == Errno{ENOENT});
	/* And whoever switches them off by hand has it back. */
	REQUIRE(world.context.try_set_option(IOMMUKIT_OPTION_HUGE_PAGES, world.ioas, 0) ==
		ok);
	CHECK(try_unmap_dma(world.context, page(0), page_size) == ok);
	world.check_gone(0, 0);
}

TEST_CASE("cuts that are refused")
{
	const World world;
	const Context &context = world.context;
	std::uint64_t unmapped = 1;

	SECTION("because they are not aligned")
	{
		for (auto [first, bytes] : {std::pair{page(0), page_size + 1},
					    {page(0), 2 * page_size - 1},
					    {page(4), 2048UL},
					    {page(8) + 512, 8 * page_size - 512},
					    {page(15) + 1, 2 * page_size}}) {
			const std::uint64_t size = bytes;

			INFO("[" << first << ", +" << size << ")");
			CHECK(try_unmap_dma(context, first, size, &unmapped) ==
			      Errno{EINVAL});
			/* Nothing is told then. */
			CHECK(unmapped == size);
		}
	}
	SECTION("behind its first or before its last byte")
	{
		/* No cut at all, so the mapping sticks out. */
		CHECK(try_unmap_dma(context, page(0), 1, &unmapped) == Errno{ENOENT});
		CHECK(unmapped == 0);
		CHECK(try_unmap_dma(context, page(0) - 5, 6, &unmapped) == Errno{ENOENT});
		CHECK(try_unmap_dma(context, page(16) - 1, 1, &unmapped) ==
		      Errno{EINVAL});
	}
	SECTION("because the range is none, which is seen before")
	{
		/* The cut before it would be aligned, or not. */
		for (std::uint64_t iova : {page(4), page(4) + 1}) {
			CHECK(try_unmap_dma(context, iova, 0, &unmapped) ==
			      Errno{EINVAL});
			CHECK(try_unmap_dma(context, iova, -iova + 1, &unmapped) ==
			      Errno{EOVERFLOW});
			CHECK(unmapped == 0);
		}
		CHECK(context.try_unmap(world.ioas, page(4), 12 * page_size) ==
		      Errno{ENOENT});
	}
	SECTION("at the beginning, after that at the end was done")
	{
		CHECK(try_unmap_dma(context, page(4) + 1, 4 * page_size - 1, &unmapped) ==
		      Errno{EINVAL});
		CHECK(unmapped == 4 * page_size - 1);
		world.check_whole();
		CHECK(world.access.try_pin(page(0), mapped) == ok);
		CHECK(context.unmap(world.ioas, page(8), 8 * page_size) == 8 * page_size);
		CHECK(context.unmap(world.ioas, page(0), 8 * page_size) == 8 * page_size);
		return;
	}
	world.check_whole();
	/* It is of one piece still. */
	CHECK(context.try_unmap(world.ioas, page(0), mapped - 1) == Errno{ENOENT});
	CHECK(context.unmap(world.ioas, page(0), mapped) == mapped);
}

TEST_CASE("a pinned mapping is not cut")
{
	const World world;
	const Context &context = world.context;
	std::uint64_t unmapped = 1;
	const std::uint32_t item = world.access.pin(page(8), page_size, 0,
						    world.memory.va() + 8 * page_size);

	for (auto [first, bytes] : {std::pair{page(0), page_size},
				    {page(8), page_size},
				    {page(12), 4 * page_size},
				    {page(1), 14 * page_size}}) {
		const std::uint64_t size = bytes;

		CHECK(try_unmap_dma(context, first, size, &unmapped) == Errno{EINVAL});
		CHECK(unmapped == size);
	}
	/* Nobody was asked to unpin, nor is it closed. */
	CHECK(world.access.callbacks().calls == 0);
	CHECK(world.access.try_unpin(
		      world.access.pin(page(0), mapped, 0, world.memory.va())) == ok);
	world.check_whole();

	SECTION("but a neighbour is")
	{
		REQUIRE(try_map_dma(context, world.memory.va(), mapped, page(npages)) ==
			ok);
		CHECK(try_unmap_dma(context, page(npages), page_size, &unmapped) == ok);
		CHECK(unmapped == page_size);
		CHECK(world.access.callbacks().calls == 0);
	}
	SECTION("but unmapped as a whole")
	{
		CHECK(try_unmap_dma(context, page(0), mapped, &unmapped) == ok);
		CHECK(unmapped == mapped);
		CHECK(world.access.callbacks().calls == 1);
	}
	SECTION("until it is unpinned")
	{
		CHECK(world.access.try_unpin(item) == ok);
		CHECK(try_unmap_dma(context, page(8), page_size, &unmapped) == ok);
		CHECK(unmapped == page_size);
		world.check_gone(8, 8);
	}
}

TEST_CASE("a mapping that is being unmapped is not cut")
{
	const World world;
	const Context &context = world.context;
	std::uint64_t unmapped = 1;

	world.access.set_stubborn(true);
	const std::uint32_t item = world.access.pin(page(0), page_size);
	Errno error{-1};
	std::jthread unmapper(
		[&] { error = context.try_unmap(world.ioas, page(0), mapped); });
	REQUIRE(wait_until([&] { return world.access.callbacks().calls > 0; }));
	CHECK(try_unmap_dma(context, page(8), page_size, &unmapped) == Errno{EBUSY});
	CHECK(unmapped == page_size);
	/* This goes before the alignment. */
	CHECK(try_unmap_dma(context, page(8), 1, &unmapped) == Errno{EBUSY});
	CHECK(world.access.try_unpin(item) == ok);
	unmapper.join();
	CHECK(error == ok);
	CHECK(try_unmap_dma(context, page(8), page_size, &unmapped) == ok);
	CHECK(unmapped == 0);
}

TEST_CASE("a large mapping falls into single pages")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const std::uint64_t count = 4096 / slowness();
	std::vector<std::uint64_t> order(count);
	std::mt19937_64 random(seed());
	std::uint64_t unmapped = 0;

	vfio_set(context, ioas);
	REQUIRE(vfio_answer(context, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU) == 0);
	/* No memory is needed for that. */
	REQUIRE(try_map_dma(context, 0, count * page_size, area_iova) == ok);
	std::iota(order.begin(), order.end(), 0);
	std::ranges::shuffle(order, random);
	for (std::uint64_t n : order) {
		REQUIRE(try_unmap_dma(context, page(n), page_size, &unmapped) == ok);
		REQUIRE(unmapped == page_size);
	}
	CHECK(context.unmap_all(ioas) == 0);
}

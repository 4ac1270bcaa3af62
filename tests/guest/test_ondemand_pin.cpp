// SPDX-License-Identifier: GPL-2.0-only
/* Pins of on-demand mappings: of the pages that are there at that moment. */
#include "mm_tools.h"
#include "ondemand.h"
#include "pagemap.h"

#include <linux/capability.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

using namespace guest;

namespace {

constexpr std::uint64_t iova = OndemandWorld::iova;
constexpr std::uint64_t pages = 16;
constexpr std::uint64_t size = pages * page_size;

struct World : OndemandWorld {
	explicit World(Who who = Who::owner_slow, std::uint32_t flags = map_rw)
		: OndemandWorld(who)
	{
		madvise(memory.data(), size, MADV_NOHUGEPAGE);
		memory.fill(1);
		map(memory, flags);
	}

	const Access &access() const { return device.access(); }

	Memory memory{size, Memory::Kind::private_anonymous};
};

} // namespace

TEST_CASE("a pin is counted and charged as any other, while it lives")
{
	const World world;
	const long before = own_pages("VmPin");
	const std::uint32_t item =
		world.access().pin(iova, 4 * page_size, 0, world.memory.va());

	CHECK(world.stats().out_pins_live == 4);
	CHECK(own_pages("VmPin") == before + 4);
	CHECK(check_refs(world.context, world.memory.va(), 4 * page_size, 1) == ok);
	REQUIRE(world.access().try_unpin(item) == ok);
	CHECK(world.stats().out_pins_live == 0);
	CHECK(own_pages("VmPin") == before);
	CHECK(check_refs(world.context, world.memory, 0) == ok);
	CHECK(world.stats().out_pins_outlived == 0);
}

TEST_CASE("a pin beyond the limit leaves nothing")
{
	CHECK(in_child([] {
		      if (drop_capability(CAP_IPC_LOCK) || set_memlock(2 * page_size))
			      return 1;
		      const World world;
		      std::uint32_t item = no_item;

		      if (world.access().try_pin(iova, 4 * page_size) != Errno{ENOMEM})
			      return 2;
		      if (own_pages("VmPin") != 0 || world.stats().out_pins_live != 0)
			      return 3;
		      if (world.access().try_pin(iova, 2 * page_size, 0, 0, &item) != ok)
			      return 4;
		      /* Copies need no allowance. */
		      return world.shows(1, 0, size) ? 0 : 5;
	      }) == 0);
}

TEST_CASE("a pin keeps the page, while the IOVA follows the address")
{
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const World world(who);
			const std::uint32_t item =
				world.access().pin(iova, 4 * page_size, pin_write);

			SECTION("munmap")
			{
				world.memory.unmap(0, size);
				CHECK(world.touch(0) == Errno{EFAULT});
			}
			SECTION("DONTNEED")
			{
				world.memory.discard(0, size);
				CHECK(world.shows_zeros(0, size));
				world.memory.fill(2);
				CHECK(world.shows(2, 0, size));
			}
			CHECK(world.stats().out_pins_live == 4);
			CHECK(world.stats().out_pins_outlived == 4);
			/* Nobody was asked to let go of anything. */
			CHECK(world.access().callbacks().calls == 0);
			CHECK(world.access().try_unpin(item) == ok);
			CHECK(world.stats().out_pins_live == 0);
		}
	}
}

TEST_CASE("pages that are pinned at the same time are the same")
{
	const World world;
	const std::uint32_t first = world.access().pin(iova, page_size);

	/* Not that of the address now, but the one that others have. */
	world.memory.discard(0, page_size);
	world.memory.data()[0] = std::byte(9);
	const std::uint32_t second = world.access().pin(iova, page_size);
	CHECK(world.stats().out_pins_live == 1);
	CHECK(own_pages("VmPin") == 1);
	REQUIRE(world.access().try_unpin(first) == ok);
	CHECK(own_pages("VmPin") == 1);
	REQUIRE(world.access().try_unpin(second) == ok);
	CHECK(own_pages("VmPin") == 0);
	/* Without any, it is that of the address again. */
	const std::uint32_t third =
		world.access().pin(iova, page_size, 0, world.memory.va());
	REQUIRE(world.access().try_unpin(third) == ok);
}

TEST_CASE("what cannot be pinned")
{
	const World world;
	const World readable(Who::owner_slow, map_read);

	CHECK(readable.access().try_pin(iova, page_size, pin_write) == Errno{EPERM});
	CHECK(readable.access().try_pin(iova, page_size, 0, readable.memory.va()) == ok);
	world.memory.unmap(page_size, page_size);
	CHECK(world.access().try_pin(iova, 2 * page_size) == Errno{EFAULT});
	CHECK(world.stats().out_pins_live == 0);
	CHECK(world.access().try_pin(iova + size, page_size) == Errno{ENOENT});
	CHECK(own_pages("VmPin") == 1);
}

TEST_CASE("UNMAP asks drivers to let go of their pins")
{
	const World world;

	world.access().pin(iova, 2 * page_size);
	CHECK(world.context.unmap(world.ioas, iova, size) == size);
	CHECK(world.access().callbacks().calls == 1);
	CHECK(check_refs(world.context, world.memory, 0) == ok);
	CHECK(own_pages("VmPin") == 0);
}

TEST_CASE("a page that is pinned is the parent's after a fork")
{
	const World world;
	const std::uint32_t item = world.access().pin(iova, page_size, pin_write);
	const auto before = physical_pages(world.memory).at(0);

	CHECK(in_child([&] {
		      world.memory.fill(3);
		      return 0;
	      }) == 0);
	world.memory.data()[0] = std::byte(5);
	CHECK(physical_pages(world.memory).at(0) == before);
	CHECK(world.get(0) == std::byte(5));
	REQUIRE(world.access().try_unpin(item) == ok);
}

TEST_CASE("pages that are pinned stay, others are swapped")
{
	if (const auto reason = lacks_swap(); !reason.empty())
		skip(reason);
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const World world(who);
			const std::uint64_t half = size / 2;
			const std::uint32_t item = world.access().pin(iova, half);

			CHECK(world.shows(1, 0, size));
			CHECK(swap_out(world.memory.data() + half, half));
			madvise(world.memory.data(), half, MADV_PAGEOUT);
			for (std::uint64_t at = 0; at < half; at += page_size)
				CHECK((pagemap_entry(world.memory.va() + at) &
				       pagemap_present) != 0);
			CHECK(world.shows(1, 0, size));
			REQUIRE(world.access().try_unpin(item) == ok);
		}
	}
}

TEST_CASE("pages that are pinned are not merged")
{
	if (const auto reason = lacks_ksm(); !reason.empty())
		skip(reason);
	const World world;
	const Memory twin(size, Memory::Kind::private_anonymous);
	const std::uint32_t item = world.access().pin(iova, page_size);
	const auto before = physical_pages(world.memory).at(0);

	twin.fill(1);
	const Ksm ksm;
	REQUIRE(madvise(world.memory.data(), size, MADV_MERGEABLE) == 0);
	REQUIRE(madvise(twin.data(), size, MADV_MERGEABLE) == 0);
	CHECK(wait_until([] { return Ksm::sharing() >= pages - 1; }));
	CHECK(ksm.await_scan());
	CHECK(physical_pages(world.memory).at(0) == before);
	CHECK(physical_pages(twin).at(0) != before);
	CHECK(physical_pages(twin).at(1) == physical_pages(world.memory).at(1));
	CHECK(world.shows(1, 0, size));
	/* A write parts one page, and no other. */
	CHECK(world.put(2 * page_size, std::byte(7)) == ok);
	CHECK(physical_pages(twin).at(2) != physical_pages(world.memory).at(2));
	CHECK(physical_pages(twin).at(3) == physical_pages(world.memory).at(3));
	CHECK(twin.data()[2 * page_size] == pattern(1, 2 * page_size));
	REQUIRE(world.access().try_unpin(item) == ok);
}

TEST_CASE("pages that are pinned do not become a large one")
{
	if (const auto reason = lacks_thp(); !reason.empty())
		skip(reason);
	const OndemandWorld world;
	const Memory memory(huge_size, Memory::Kind::private_anonymous);

	madvise(memory.data(), huge_size, MADV_NOHUGEPAGE);
	memory.fill(1);
	world.map(memory);
	const std::uint32_t item = world.device.access().pin(iova, page_size);
	madvise(memory.data(), huge_size, MADV_HUGEPAGE);
	/* That fails on kernels without it as well. */
	CHECK(madvise(memory.data(), huge_size, MADV_COLLAPSE) != 0);
	CHECK(world.shows(1, 0, huge_size));
	REQUIRE(world.device.access().try_unpin(item) == ok);
}

// SPDX-License-Identifier: GPL-2.0-only
/* PREFETCH: pages that are found before anybody touches them. */
#include "mm_tools.h"
#include "ondemand.h"

#include <sys/mman.h>
#include <unistd.h>

#include <csignal>

using namespace guest;

namespace {

constexpr std::uint64_t iova = OndemandWorld::iova;
constexpr std::uint64_t pages = 64;
constexpr std::uint64_t size = pages * page_size;

/* Untouched memory, of small pages. */
struct World : OndemandWorld {
	explicit World(std::uint32_t flags = map_rw, Who who = Who::owner_slow)
		: OndemandWorld(who)
	{
		madvise(memory.data(), size, MADV_NOHUGEPAGE);
		map(memory, flags);
	}

	Errno try_it(std::uint64_t offset, std::uint64_t length, std::uint32_t flags = 0,
		     std::uint64_t *found = nullptr) const
	{
		return try_prefetch(context, ioas, iova + offset, length, flags, found);
	}
	void populate(std::uint64_t first, std::uint64_t number) const
	{
		for (std::uint64_t n = first; n < first + number; n++)
			memory.data()[n * page_size] = std::byte(1);
	}

	Memory memory{size, Memory::Kind::private_anonymous};
};

} // namespace

TEST_CASE("PREFETCH checks its arguments")
{
	using Cmd = iommukit_ioas_prefetch;
	const World world;
	auto valid = command<Cmd>();

	valid.ioas_id = world.ioas;
	valid.iova = iova;
	valid.length = size;
	check_ordered<Cmd>(
		{
			{"unknown flag", "flags", [](Cmd &c) { c.flags = 4; },
			 EOPNOTSUPP},
			{"no such IOAS", "ioas_id", [](Cmd &c) { c.ioas_id = 0x7fffff; },
			 ENOENT},
			{"nothing there", "iova", [](Cmd &c) { c.iova = huge_size; },
			 ENOENT},
		},
		valid, [&](Cmd &cmd) {
			return call(world.context.fd(), IOMMUKIT_IOAS_PREFETCH, &cmd);
		});
	/* Their places in the order are nobody's promise. */
	auto reserved = valid, empty = valid, wraps = valid;
	reserved.__reserved = 1;
	CHECK(call(world.context.fd(), IOMMUKIT_IOAS_PREFETCH, &reserved) ==
	      Errno{EOPNOTSUPP});
	empty.length = 0;
	CHECK(call(world.context.fd(), IOMMUKIT_IOAS_PREFETCH, &empty) == Errno{EINVAL});
	wraps.iova = all_ones - page_size + 1;
	wraps.length = 2 * page_size;
	CHECK(call(world.context.fd(), IOMMUKIT_IOAS_PREFETCH, &wraps) ==
	      Errno{EOVERFLOW});
	for (std::uint32_t bytes : {0, 4, 39}) {
		auto cmd = valid;

		cmd.size = bytes;
		CHECK(call(world.context.fd(), IOMMUKIT_IOAS_PREFETCH, &cmd) ==
		      Errno{EINVAL});
	}
}

TEST_CASE("PREFETCH to write populates")
{
	const World world;

	CHECK(world.prefetch(0, size, prefetch_write) == pages);
	CHECK(there(world.memory) == pages);
	const Stats before = world.stats();
	CHECK(before.out_present_pages == pages);
	CHECK(before.out_prefetch_pages == pages);
	for (std::uint64_t n = 0; n < pages; n++)
		CHECK(world.put(n * page_size, std::byte(1)) == ok);
	const Stats after = world.stats();
	CHECK(after.out_faults_write == before.out_faults_write);
	CHECK(after.out_upgrades == before.out_upgrades);
	CHECK(after.out_hits >= before.out_hits + pages);
}

TEST_CASE("PREFETCH to read populates with zeros that need no memory")
{
	const World world;
	const long before = own_pages("RssAnon");

	CHECK(world.prefetch(0, size) == pages);
	CHECK(world.stats().out_present_pages == pages);
	CHECK(own_pages("RssAnon") < before + long(pages) / 2);
	const auto faults = world.stats().out_faults_read;
	CHECK(world.shows_zeros(0, size));
	CHECK(world.stats().out_faults_read == faults);
}

TEST_CASE("PREFETCH without faults takes what the process has")
{
	const World world;
	std::uint64_t found = 77;

	world.populate(0, 5);
	world.populate(7, 3);
	CHECK(world.prefetch(0, size, prefetch_present) == 5);
	CHECK(there(world.memory) == 8);
	/* The first that is not there is the end. */
	CHECK(world.try_it(5 * page_size, page_size, prefetch_present, &found) ==
	      Errno{EFAULT});
	CHECK(world.prefetch(7 * page_size, 3 * page_size, prefetch_present) == 3);
	CHECK(world.stats().out_present_pages == 8);
	/* And with permission to write, which those have. */
	CHECK(world.prefetch(0, size, prefetch_present | prefetch_write) == 5);
	CHECK(there(world.memory) == 8);
}

TEST_CASE("PREFETCH of a part, and of pages that are partly in it")
{
	const World world;

	CHECK(world.prefetch(3 * page_size, 2 * page_size) == 2);
	CHECK(world.prefetch(10 * page_size + 1, page_size) == 2);
	CHECK(world.prefetch(20 * page_size + page_size - 1, 1) == 1);
}

TEST_CASE("PREFETCH stops where a page cannot be had")
{
	const World world;
	std::uint64_t found = 0;

	world.memory.unmap(6 * page_size, page_size);
	CHECK(world.prefetch(0, size, prefetch_write) == 6);
	CHECK(world.try_it(6 * page_size, 2 * page_size, 0, &found) == Errno{EFAULT});
	CHECK(world.prefetch(7 * page_size, page_size) == 1);
	REQUIRE(mprotect(world.memory.data(), 2 * page_size, PROT_READ) == 0);
	CHECK(world.prefetch(0, size) == 6);
	CHECK(world.try_it(0, size, prefetch_write) == Errno{EFAULT});
	REQUIRE(mprotect(world.memory.data() + page_size, page_size, PROT_NONE) == 0);
	CHECK(world.prefetch(0, size) == 1);
}

TEST_CASE("PREFETCH to write what must not be written")
{
	const World world(map_read);

	CHECK(world.try_it(0, size, prefetch_write) == Errno{EPERM});
	CHECK(world.prefetch(0, size) == pages);
	/* The permission ends with the mapping. */
	world.map(world.memory.va(), page_size, map_rw_fixed, iova - page_size);
	std::uint64_t found = 0;
	CHECK(try_prefetch(world.context, world.ioas, iova - page_size, size,
			   prefetch_write, &found) == ok);
	CHECK(found == 1);
}

TEST_CASE("PREFETCH goes on over other mappings, and to where there is none")
{
	const World world;
	const Memory normal(2 * page_size);
	std::uint64_t found = 0;

	world.context.map(world.ioas, normal, iova + size);
	world.map(world.memory.va(), page_size, map_rw, iova + size + 2 * page_size);
	CHECK(world.prefetch(0, size + 3 * page_size) == pages + 3);
	CHECK(world.prefetch(0, size + 9 * page_size) == pages + 3);
	CHECK(world.prefetch(size, page_size) == 1);
	CHECK(world.try_it(size + 3 * page_size, page_size, 0, &found) == Errno{ENOENT});
	CHECK(world.try_it(page_size, all_ones - iova - page_size, 0, &found) == ok);
	CHECK(found == pages + 2);
}

TEST_CASE("PREFETCH of all there is")
{
	const World world;
	std::uint64_t found = 0;

	world.map(world.memory.va(), 2 * page_size, map_rw_fixed, 0);
	/* From the first page to the last one. */
	CHECK(try_prefetch(world.context, world.ioas, 0, all_ones - page_size + 2, 0,
			   &found) == ok);
	CHECK(found == 2);
	CHECK(try_prefetch(world.context, world.ioas, 1, all_ones, 0, &found) == ok);
	CHECK(found == 2);
	CHECK(try_prefetch(world.context, world.ioas, 0, all_ones, prefetch_present,
			   &found) == ok);
	CHECK(found == 2);
}

TEST_CASE("PREFETCH of mappings that begin and end in the midst of a page")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Memory memory(4 * page_size);
	const std::uint64_t from = iova + 1;
	std::uint64_t found = 0;

	REQUIRE(context.try_map(ioas, memory.va() + 1, 2 * page_size, from) == ok);
	CHECK(try_prefetch(context, ioas, from, 2 * page_size, 0, &found) == ok);
	CHECK(found == 3);
	CHECK(try_prefetch(context, ioas, from + 10, 5, 0, &found) == ok);
	CHECK(found == 1);
	CHECK(try_prefetch(context, ioas, from - 1, 1, 0, &found) == Errno{ENOENT});
	CHECK(try_prefetch(context, ioas, from + 2 * page_size, 1, 0, &found) ==
	      Errno{ENOENT});
	/* What follows in the same page is none of it. */
	CHECK(try_prefetch(context, ioas, from + 2 * page_size - 1, 2, 0, &found) == ok);
	CHECK(found == 1);
}

TEST_CASE("PREFETCH by another process finds pages of the owner")
{
	const World world;

	CHECK(in_child([&] {
		      std::uint64_t found = 0;

		      if (world.try_it(0, size, prefetch_write, &found) != ok)
			      return 1;
		      return found == pages ? 0 : 2;
	      }) == 0);
	CHECK(there(world.memory) == pages);
}

/* It waits with no lock of the IOAS: others map and unmap meanwhile. */
TEST_CASE("PREFETCH that waits for a userfaultfd can be killed")
{
	if (const auto reason = lacks_userfault(); !reason.empty())
		skip(reason);
	const World world;
	const Userfault faults;
	const Memory other(page_size);

	faults.watch(world.memory.va(), size, UFFDIO_REGISTER_MODE_MISSING);
	Child child([&](const Child::Steps &) { return world.try_it(0, size).value; });
	CHECK(faults.await_touch() == world.memory.va());
	CHECK(world.context.try_map(world.ioas, other.va(), page_size,
				    iova - huge_size) == ok);
	CHECK(world.context.unmap(world.ioas, iova - huge_size, page_size) == page_size);
	child.kill();
	CHECK(child.join() == deadly_signal + SIGKILL);
	CHECK(world.context.unmap_all(world.ioas) == size);
}

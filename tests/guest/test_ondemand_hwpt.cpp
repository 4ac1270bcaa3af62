// SPDX-License-Identifier: GPL-2.0-only
/*
 * On-demand mappings in HWPTs of mock devices that wait for pages: what comes into a
 * HWPT, what leaves it with what, and domains that take out more or less than asked.
 */
#include "ondemand_hwpt.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

using namespace guest;

namespace {

constexpr std::uint64_t iova = OndemandWorld::iova;

using World = OndemandHwptWorld;

/* All of a run has gone, with one page that has changed, and nothing else. */
void check_neighbours(const World &world, const Run &run)
{
	for (std::uint64_t page = 0; page < world.pages; page++) {
		INFO("page " << page);
		CHECK(world.leads(page) == !run.has(page));
	}
	for (std::uint64_t page = run.first; page < run.end(); page++) {
		INFO("page " << page);
		CHECK(world.fault(page) == ok);
		CHECK(world.leads(page));
	}
}

} // namespace

/* ---- what comes into a HWPT ---- */

TEST_CASE("a HWPT has nothing before its device asks")
{
	const World world;

	CHECK(world.number_led() == 0);
	CHECK(world.stats().out_hw_maps == 0);
	CHECK(world.fault(20) == ok);
	/* Those around it that are there, aligned. */
	CHECK(world.leads(16, 16));
	CHECK(world.number_led() == 16);
	const Stats stats = world.stats();
	CHECK(stats.out_hw_maps >= 1);
	CHECK(stats.out_hw_maps <= 16);
	CHECK(stats.out_hw_unmaps == 0);
	CHECK(stats.out_faults_read == 1);
	CHECK(stats.out_around_pages == 15);
	/* What is there is not looked for again. */
	CHECK(world.fault(16, 16) == ok);
	CHECK(world.stats().out_hw_maps == stats.out_hw_maps);
	CHECK(world.stats().out_faults_read == 1);

	/* Nothing around it, if so asked. */
	const World alone(64, 0);
	CHECK(alone.fault(20) == ok);
	CHECK(alone.leads(20));
	CHECK(alone.number_led() == 1);
}

TEST_CASE("pages around one that are not there stay so")
{
	const World world;

	world.discard(16, 4);
	world.discard(24, 8);
	const long before = own_pages("VmRSS");
	CHECK(world.fault(20) == ok);
	CHECK(world.leads(20, 4));
	CHECK(own_pages("VmRSS") <= before + 4);
	CHECK(world.stats().out_around_pages == 3);
	for (const std::uint64_t page : {15, 16, 19, 24, 31, 32}) {
		INFO("page " << page);
		CHECK(!world.leads(page));
	}
}

TEST_CASE("pages that others have found are just put in")
{
	const World world;

	CHECK(world.prefetch(0, world.size, prefetch_write) == world.pages);
	const Stats before = world.stats();
	CHECK(world.write_fault(0, world.pages) == ok);
	CHECK(world.leads(0, world.pages));
	const Stats after = world.stats();
	CHECK(after.out_faults_read == before.out_faults_read);
	CHECK(after.out_faults_write == before.out_faults_write);
	CHECK(after.out_hw_maps == world.runs().size());
}

TEST_CASE("page by page if the IOAS says so")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Memory memory(64 * page_size, Memory::Kind::private_anonymous);

	memory.fill(1);
	REQUIRE(context.try_set_option(IOMMUKIT_OPTION_HUGE_PAGES, ioas, 0) == ok);
	REQUIRE(try_map_ondemand(context, ioas, memory.va(), memory.size(), iova) == ok);
	const Mock mock = mock_create(context, ioas, {.flags = mock_faults});
	CHECK(try_mock_fault(context, mock, iova, memory.size()) == ok);
	CHECK(check_map(context, mock.hwpt, iova, memory.size(), memory.va()) == ok);
	CHECK(query(context, ioas).out_hw_maps == 64);
	memory.discard(5 * page_size, page_size);
	CHECK(query(context, ioas).out_hw_unmaps == 1);
	CHECK(check_map(context, mock.hwpt, iova, 5 * page_size, memory.va()) == ok);
	CHECK(check_map(context, mock.hwpt, iova + 6 * page_size, 58 * page_size,
			memory.va() + 6 * page_size) == ok);
}

TEST_CASE("a page that is to be written is another one than that of zeros")
{
	const World world(64, 0);

	world.discard(0, 2);
	CHECK(world.fault(0, 2) == ok);
	CHECK(world.leads(0, 2));
	world.reset();
	CHECK(world.write_fault(0) == ok);
	/* The memory has changed, and with it where the device goes. */
	CHECK(world.leads(0, 2));
	const Stats stats = world.stats();
	CHECK(stats.out_faults_write == 1);
	CHECK(stats.out_hw_maps == 1);
	CHECK(stats.out_hw_unmaps == 1);
	CHECK(world.stats().out_tlb_syncs >= 1);
}

TEST_CASE("the permission of one page is raised")
{
	const World world(256, 0);

	const Run run = world.longest_run();

	CHECK(world.fault(0, world.pages) == ok);
	world.reset();
	CHECK(world.write_fault(run.first + 1) == ok);
	const Stats stats = world.stats();
	CHECK(stats.out_hw_unmaps == 1);
	CHECK(stats.out_tlb_syncs == 1);
	CHECK(stats.out_hw_maps == 1);
	CHECK(world.leads(run.first + 1));
	/* The others of its extent are asked for again. */
	for (std::uint64_t page = run.first; page < run.end(); page++)
		CHECK(world.leads(page) == (page == run.first + 1));
	CHECK(world.fault(0, world.pages) == ok);
	CHECK(world.leads(0, world.pages));
	/* It stays as it is. */
	CHECK(world.write_fault(run.first + 1) == ok);
	CHECK(world.stats().out_hw_unmaps == 1);
}

TEST_CASE("what a device may not do, and what is not there")
{
	const World world;
	const std::uint64_t read_only = iova + 4 * huge_size,
			    write_only = iova + 6 * huge_size,
			    plain = iova + 8 * huge_size;
	const Memory other(page_size);
	const auto fault = [&](std::uint64_t at, std::uint64_t bytes, bool write) {
		return try_mock_fault(world.context, world.mock, at, bytes, write);
	};

	world.map(world.va(0), world.size, map_read, read_only);
	world.map(world.va(0), world.size, map_write, write_only);
	world.context.map(world.ioas, other, plain);
	CHECK(fault(read_only, page_size, true) == Errno{EPERM});
	CHECK(fault(read_only, page_size, false) == ok);
	CHECK(fault(write_only, page_size, false) == Errno{EPERM});
	CHECK(fault(write_only, page_size, true) == ok);
	/* All of what is pinned is there: more there cannot be. */
	CHECK(fault(plain, page_size, false) == Errno{ENOENT});
	CHECK(fault(plain, page_size, true) == Errno{ENOENT});
	CHECK(fault(iova + huge_size, page_size, false) == Errno{ENOENT});
	CHECK(fault(iova + world.size - page_size, 2 * page_size, false) ==
	      Errno{ENOENT});
	CHECK(fault(all_ones, 2, false) == Errno{EOVERFLOW});
	/* Any byte of a page is as good as all. */
	CHECK(fault(iova + 17 * page_size - 1, 2, false) == ok);
	CHECK(world.leads(16, 2));

	world.protect(40, PROT_READ);
	CHECK(world.write_fault(40) == Errno{EFAULT});
	CHECK(world.fault(40) == ok);
	CHECK(world.leads(40));
	world.protect(40, PROT_NONE);
	CHECK(world.fault(40) == Errno{EFAULT});
	world.protect(40, PROT_READ | PROT_WRITE);
	CHECK(world.write_fault(40) == ok);
	CHECK(world.leads(40));

	CHECK(world.try_unmap_area() == ok);
	CHECK(world.fault(0) == Errno{ENOENT});
	CHECK(world.number_led() == 0);
	world.context.destroy(world.mock.stdev);
	CHECK(world.fault(0) == Errno{ENOENT});
}

TEST_CASE("memory that is made read only leaves a HWPT as far as it can be written")
{
	const World world(64, 0);

	CHECK(world.write_fault(3) == ok);
	CHECK(world.fault(5) == ok);
	/* A fork takes the permission to write away from all. */
	REQUIRE(in_child([] { return 0; }) == 0);
	CHECK(!world.leads(3));
	CHECK(world.leads(5));
	CHECK(world.write_fault(3) == ok);
	CHECK(world.leads(3));
}

/* ---- T56: devices that do not wait ---- */

TEST_CASE("devices that do not wait for pages")
{
	const Context context;
	const std::uint32_t ioas = context.ioas(), home = context.ioas(),
			    other = context.ioas();
	const Memory memory(16 * page_size), plain(page_size);
	Mock mock;
	std::uint32_t hwpt = 0, pt = ioas;
	const auto map = [&](std::uint32_t to) {
		return try_map_ondemand(context, to, memory.va(), memory.size(), iova);
	};

	REQUIRE(map(ioas) == ok);
	CHECK(try_mock(context, ioas, &mock) == Errno{EOPNOTSUPP});
	mock = make_mock(context, home);
	CHECK(try_hwpt(context, mock.device, ioas, &hwpt) == Errno{EOPNOTSUPP});
	CHECK(try_mock_replace(context, mock, &pt) == Errno{EOPNOTSUPP});
	CHECK(pt == ioas);

	/* The other way round. */
	CHECK(map(home) == Errno{EOPNOTSUPP});
	CHECK(context.try_copy(home, iova, ioas, iova, memory.size()) ==
	      Errno{EOPNOTSUPP});
	/* It is where it was, and nothing is in the way. */
	context.map(home, plain, iova);
	CHECK(check_map(context, mock.hwpt, iova, page_size, plain.va()) == ok);

	/* A HWPT that no device uses is one, too. */
	hwpt = make_hwpt(context, mock.device, other);
	CHECK(map(other) == Errno{EOPNOTSUPP});
	context.destroy(hwpt);
	CHECK(map(other) == ok);
	/* One device that waits does not make another do so. */
	const Mock waiting = mock_create(context, other, {.flags = mock_faults});
	CHECK(try_mock_fault(context, waiting, iova, page_size) == ok);
	CHECK(try_hwpt(context, mock.device, other, &hwpt) == Errno{EOPNOTSUPP});
	context.destroy(waiting.stdev);

	/* When nothing is on demand any more, all is as ever. */
	CHECK(context.unmap(other, iova, memory.size()) == memory.size());
	pt = other;
	CHECK(try_mock_replace(context, mock, &pt) == ok);
	CHECK(context.try_map(other, plain.va(), page_size, iova) == ok);
	CHECK(check_map(context, pt, iova, page_size, plain.va()) == ok);
}

/* ---- T51: what leaves together ---- */

TEST_CASE("what was put in by one call leaves as a whole")
{
	const World world(256);
	const Run run = world.longest_run();

	CHECK(world.fault(0, world.pages) == ok);
	CHECK(world.leads(0, world.pages));
	CHECK(world.stats(IOMMUKIT_ONDEMAND_QUERY_RESET).out_hw_maps ==
	      world.runs().size());
	world.discard(run.first + 1);
	const Stats stats = world.stats();
	CHECK(stats.out_hw_unmaps == 1);
	CHECK(stats.out_hw_unmap_over == 0);
	CHECK(stats.out_hw_unmap_short == 0);
	CHECK(stats.out_tlb_syncs == 1);
	CHECK(stats.out_zapped_pages == 1);
	check_neighbours(world, run);
}

TEST_CASE("a page of a large one leaves with all others")
{
	if (const auto reason = lacks_thp(); !reason.empty())
		skip(reason);
	const World world(chunk_pages, around_default, map_rw, MADV_HUGEPAGE);
	const auto runs = world.runs();

	if (runs.size() != 1)
		skip("no large page to be had");
	CHECK(world.fault(7) == ok);
	CHECK(world.leads(0, world.pages));
	CHECK(world.stats().out_hw_maps == 1);
	CHECK(world.stats().out_huge == 1);
	world.discard(100);
	CHECK(world.stats().out_hw_unmaps == 1);
	CHECK(world.stats().out_huge == 0);
	check_neighbours(world, runs[0]);
}

/* Kernels that know of large pages announce it for all that could be one. */
TEST_CASE("a page that is unmapped leaves, and what is around it comes back")
{
	const World world(256);
	const Run run = world.longest_run();
	const std::uint64_t gone = run.first + 1;

	CHECK(world.fault(0, world.pages) == ok);
	world.unmap(gone);
	for (std::uint64_t page = run.first; page < run.end(); page++) {
		INFO("page " << page);
		if (page != gone)
			CHECK(!world.leads(page));
	}
	CHECK(world.fault(gone) == Errno{EFAULT});
	CHECK(world.fault(0, gone) == ok);
	CHECK(world.leads(0, gone));
	CHECK(world.fault(gone + 1, world.pages - gone - 1) == ok);
	CHECK(world.leads(gone + 1, world.pages - gone - 1));
	CHECK(check_map(world.context, world.mock.hwpt, iova + gone * page_size,
			page_size, world.va(gone)) == Errno{EFAULT});
	CHECK(world.stats().out_quarantined_pages == 0);
}

/* ---- T52, T53: domains that do more, or less ---- */

TEST_CASE("a domain that takes out more than asked")
{
	const World world(64, 0);

	for (std::uint64_t page = 0; page < world.pages; page++)
		REQUIRE(world.write_fault(page) == ok);
	world.reset();
	{
		const UnmapHow more(world.context, IOMMUKIT_TEST_UNMAP_MORE);

		world.discard(10);
	}
	const Stats stats = world.stats();
	CHECK(stats.out_hw_unmaps == 1);
	CHECK(stats.out_hw_unmap_over == 1);
	CHECK(stats.out_tlb_syncs == 1);
	CHECK(stats.out_quarantined_pages == 0);
	CHECK(world.leads(0, 10));
	CHECK(world.number_led() == 10);
	/* What is noted agrees: all that is missing is put in again. */
	CHECK(world.write_fault(0, world.pages) == ok);
	CHECK(world.leads(0, world.pages));
	CHECK(world.try_unmap_area() == ok);
	CHECK(world.number_led() == 0);
}

TEST_CASE("a domain that takes out less than asked")
{
	const World world(256);
	const Run run = world.longest_run();

	CHECK(world.fault(0, world.pages) == ok);
	world.reset();
	{
		const UnmapHow less(world.context, IOMMUKIT_TEST_UNMAP_LESS);

		world.discard(run.first + 1);
	}
	const Stats stats = world.stats();
	CHECK(stats.out_hw_unmaps == run.pages);
	CHECK(stats.out_hw_unmap_short == run.pages - 1);
	CHECK(stats.out_tlb_syncs == 1);
	CHECK(stats.out_quarantined_pages == 0);
	CHECK(!(stats.out_state & IOMMUKIT_ONDEMAND_QUARANTINED));
	check_neighbours(world, run);
	const UnmapHow less(world.context, IOMMUKIT_TEST_UNMAP_LESS);
	CHECK(world.try_unmap_area() == ok);
	CHECK(!world.leads(run.first));
}

TEST_CASE("a domain that takes out nothing of pages that are not in it")
{
	const World world;
	const UnmapHow nothing(world.context, IOMMUKIT_TEST_UNMAP_NOTHING);

	CHECK(world.touch(0) == ok);
	world.unmap(0);
	CHECK(world.touch(page_size) == ok);
	CHECK(world.stats().out_hw_unmaps == 0);
	CHECK(world.stats().out_state == 0);
	CHECK(world.try_unmap_area() == ok);
}

/* ---- several mappings, several HWPTs ---- */

TEST_CASE("parts of a mapping in the same IOAS and in another")
{
	const World world;
	const std::uint32_t ioas = world.context.ioas();
	const std::uint64_t part = iova + 4 * huge_size + 5 * page_size;
	constexpr std::uint64_t first = 8, number = 8;
	const Mock other = mock_create(world.context, ioas, {.flags = mock_faults});
	const auto copy = [&](std::uint32_t to) {
		return world.context.try_copy(to, part, world.ioas,
					      iova + first * page_size,
					      number * page_size);
	};
	const auto led = [&](const Mock &mock) {
		std::uint64_t n = 0;

		for (std::uint64_t i = 0; i < number; i++)
			n += check_map(world.context, mock.hwpt, part + i * page_size,
				       page_size, world.va(first + i)) == ok;
		return n;
	};

	REQUIRE(copy(world.ioas) == ok);
	REQUIRE(copy(ioas) == ok);
	/* Each is asked for by itself, and ends where it ends. */
	CHECK(try_mock_fault(world.context, other, part + page_size, page_size) == ok);
	CHECK(led(other) == number);
	CHECK(led(world.mock) == 0);
	CHECK(world.number_led() == 0);
	for (const std::uint64_t at : {part - page_size, part + number * page_size})
		CHECK(check_map(world.context, other.hwpt, at, page_size,
				world.va(first - 1)) == Errno{EINVAL});
	CHECK(try_mock_fault(world.context, world.mock, part, number * page_size, true) ==
	      ok);
	CHECK(led(world.mock) == number);
	CHECK(world.number_led() == 0);
	CHECK(world.write_fault(0, world.pages) == ok);
	CHECK(world.leads(0, world.pages));

	/* A page leaves all three. */
	world.discard(first + 3);
	CHECK(!world.leads(first + 3));
	CHECK(led(world.mock) < number);
	CHECK(led(other) < number);
	for (const Mock &mock : {world.mock, other}) {
		CHECK(try_mock_fault(world.context, mock, part, number * page_size,
				     true) == ok);
		CHECK(led(mock) == number);
	}
	/* One goes, and the others stay. */
	CHECK(world.context.unmap(world.ioas, part, number * page_size) ==
	      number * page_size);
	CHECK(led(world.mock) == 0);
	CHECK(led(other) == number);
	CHECK(world.try_unmap_area() == ok);
	CHECK(world.number_led() == 0);
	CHECK(led(other) == number);
	world.discard(first, number);
	CHECK(led(other) == 0);
	CHECK(try_mock_fault(world.context, other, part, number * page_size, true) == ok);
	CHECK(led(other) == number);
}

TEST_CASE("a device goes to another IOAS, and back")
{
	World world;
	const std::uint32_t home = world.context.ioas();

	CHECK(world.fault(0, world.pages) == ok);
	std::uint32_t pt = home;
	REQUIRE(try_mock_replace(world.context, world.mock, &pt) == ok);
	CHECK(world.fault(0) == Errno{ENOENT});
	world.reset();
	world.discard(0, world.pages);
	CHECK(world.stats().out_hw_unmaps == 0);
	world.fill(2);
	pt = make_hwpt(world.context, world.mock.device, world.ioas);
	REQUIRE(try_mock_replace(world.context, world.mock, &pt) == ok);
	world.mock.hwpt = pt;
	CHECK(world.number_led() == 0);
	CHECK(world.fault(0, world.pages) == ok);
	CHECK(world.leads(0, world.pages));
}

TEST_CASE("a device behind a nested HWPT finds pages in that of the IOAS")
{
	const World world(64, 0);
	const std::uint32_t home = world.context.ioas();
	Mock mock = mock_create(world.context, home, {.flags = mock_faults});
	const std::uint32_t parent =
		make_hwpt(world.context, mock.device, world.ioas, hwpt_parent);
	std::uint32_t pt = make_nested(world.context, mock.device, parent);

	REQUIRE(try_mock_replace(world.context, mock, &pt) == ok);
	CHECK(try_mock_fault(world.context, mock, iova + 3 * page_size, page_size) == ok);
	CHECK(check_map(world.context, parent, iova + 3 * page_size, page_size,
			world.va(3)) == ok);
	CHECK(world.number_led() == 0);
}

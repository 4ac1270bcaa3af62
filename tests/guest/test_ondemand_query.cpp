// SPDX-License-Identifier: GPL-2.0-only
/* ONDEMAND_QUERY: what is counted, in structures of any length. */
#include "ondemand.h"

#include "iommukit.hpp"

#include <sys/mman.h>

#include <cstring>

using namespace guest;

namespace {

constexpr std::uint64_t iova = OndemandWorld::iova;
constexpr std::uint64_t pages = 32;
constexpr std::uint64_t size = pages * page_size;

struct World : OndemandWorld {
	explicit World(Who who = Who::owner_slow, std::uint32_t around = 0)
		: OndemandWorld(who)
	{
		madvise(memory.data(), size, MADV_NOHUGEPAGE);
		map(memory.va(), size, map_rw, iova, around);
	}

	Memory memory{size, Memory::Kind::private_anonymous};
};

std::uint64_t sum_of_events(const Stats &stats)
{
	std::uint64_t sum = 0;

	for (const std::uint64_t count : stats.out_by_event)
		sum += count;
	return sum;
}

} // namespace

TEST_CASE("QUERY checks its arguments")
{
	using Cmd = iommukit_ondemand_query;
	const World world;
	auto valid = command<Cmd>();

	valid.ioas_id = world.ioas;
	valid.iova = iova;
	check_ordered<Cmd>(
		{
			{"unknown flag", "flags", [](Cmd &c) { c.flags = 2; },
			 EOPNOTSUPP},
			{"no such IOAS", "ioas_id", [](Cmd &c) { c.ioas_id = 0x7fffff; },
			 ENOENT},
			{"before the mapping", "iova", [](Cmd &c) { c.iova = iova - 1; },
			 ENOENT},
			{"behind the mapping", "iova",
			 [](Cmd &c) { c.iova = iova + size; }, ENOENT},
		},
		valid, [&](Cmd &cmd) {
			return call(world.context.fd(), IOMMUKIT_ONDEMAND_QUERY, &cmd);
		});
	valid.__reserved = 1;
	CHECK(call(world.context.fd(), IOMMUKIT_ONDEMAND_QUERY, &valid) ==
	      Errno{EOPNOTSUPP});
}

TEST_CASE("QUERY of any IOVA of a mapping, and of those that are none")
{
	const World world;
	const Memory normal(page_size);
	Stats stats;

	world.context.map(world.ioas, normal, iova + size);
	for (std::uint64_t offset : {0UL, 1UL, size - 1})
		CHECK(try_query(world.context, world.ioas, iova + offset, &stats) == ok);
	CHECK(try_query(world.context, world.ioas, iova + size, &stats) == Errno{ENOENT});
	const std::uint32_t empty = world.context.ioas();
	CHECK(try_query(world.context, empty, all_ones, &stats) == Errno{ENOENT});
	world.context.unmap(world.ioas, iova, size);
	CHECK(try_query(world.context, world.ioas, all_ones, &stats) == Errno{ENOENT});
}

TEST_CASE("QUERY in structures of other lengths")
{
	const World world;
	struct {
		Stats stats;
		std::uint64_t tail;
	} larger{};
	const auto issue = [&](std::uint32_t bytes) {
		larger.stats.size = bytes;
		larger.stats.ioas_id = world.ioas;
		larger.stats.iova = iova;
		return call(world.context.fd(), IOMMUKIT_ONDEMAND_QUERY, &larger.stats);
	};

	CHECK(world.touch(0) == ok);
	for (std::uint32_t bytes = 0; bytes < 32; bytes += 4)
		CHECK(issue(bytes) == Errno{EINVAL});
	for (std::uint32_t bytes = 32; bytes <= sizeof(Stats); bytes += 8) {
		std::vector<std::byte> untouched(sizeof(Stats) - bytes, std::byte(0x5a));
		auto *raw = reinterpret_cast<std::byte *>(&larger.stats);

		std::memset(raw, 0, sizeof(larger));
		std::memcpy(raw + bytes, untouched.data(), untouched.size());
		CHECK(issue(bytes) == ok);
		CHECK(std::memcmp(raw + bytes, untouched.data(), untouched.size()) == 0);
		CHECK(larger.stats.out_state == 0);
		if (bytes >= offsetof(Stats, out_faults_write))
			CHECK(larger.stats.out_faults_read == 1);
	}
	larger = {};
	larger.tail = 1;
	CHECK(issue(sizeof(larger)) == Errno{E2BIG});
	larger = {};
	CHECK(issue(sizeof(larger)) == ok);
	CHECK(larger.stats.out_faults_read == 1);
}

TEST_CASE("a new mapping has counted nothing")
{
	const World world;

	for (const auto &stats : {world.stats(), query(world.context, world.ioas)}) {
		CHECK(stats.out_state == 0);
		CHECK(stats.out_faults_read == 0);
		CHECK(stats.out_faults_write == 0);
		CHECK(stats.out_hits == 0);
		CHECK(stats.out_zapped_pages == 0);
		CHECK(stats.out_present_pages == 0);
		CHECK(stats.out_present_peak == 0);
		CHECK(stats.out_chunks == 0);
		CHECK(stats.out_huge == 0);
		CHECK(stats.out_hw_maps == 0);
		CHECK(stats.out_pins_live == 0);
	}
}

TEST_CASE("faults, upgrades, hits and pages are counted")
{
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const World world(who);
			std::vector<std::byte> buffer(page_size);

			/* Zeros that are nobody's: to write is another fault. */
			CHECK(world.touch(0) == ok);
			CHECK(world.stats().out_faults_read == 1);
			CHECK(world.stats().out_present_pages == 1);
			CHECK(world.touch(1) == ok);
			CHECK(world.stats().out_faults_read == 1);
			CHECK(world.stats().out_hits >= 1);
			CHECK(world.put(0, std::byte(1)) == ok);
			CHECK(world.stats().out_faults_write == 1);
			CHECK(world.stats().out_present_pages == 1);
			CHECK(world.put(page_size, std::byte(1)) == ok);
			CHECK(world.stats().out_faults_write == 2);
			CHECK(world.stats().out_upgrades == 0);
			const Stats stats = world.stats();
			CHECK(stats.out_present_pages == 2);
			CHECK(stats.out_present_peak == 2);
			CHECK(stats.out_chunks == 1);
			CHECK(stats.out_table_bytes > 0);
			CHECK(stats.out_fault_errors == 0);
		}
	}
}

TEST_CASE("changes of the memory are counted by what they are")
{
	const World world;

	for (std::uint64_t n = 0; n < 8; n++)
		REQUIRE(world.put(n * page_size, std::byte(1)) == ok);
	const Stats before = world.stats(IOMMUKIT_ONDEMAND_QUERY_RESET);

	SECTION("munmap")
	{
		world.memory.unmap(4 * page_size, 4 * page_size);
		const Stats after = world.stats();
		CHECK(after.out_by_event[0] == 1);
		CHECK(after.out_zapped_pages == 4);
		CHECK(after.out_present_pages == before.out_present_pages - 4);
		CHECK(after.out_invalidations_empty == 0);
	}
	SECTION("DONTNEED")
	{
		world.memory.discard(0, page_size);
		CHECK(world.stats().out_by_event[1] == 1);
		CHECK(world.stats().out_zapped_pages == 1);
	}
	SECTION("of what nobody has touched")
	{
		world.memory.data()[20 * page_size] = std::byte(1);
		world.memory.discard(20 * page_size, page_size);
		CHECK(world.stats().out_invalidations >= 1);
		CHECK(world.stats().out_invalidations_empty ==
		      world.stats().out_invalidations);
		CHECK(world.stats().out_zapped_pages == 0);
	}
	SECTION("mprotect")
	{
		world.memory.protect(PROT_READ);
		CHECK(world.stats().out_by_event[2] >= 1);
		CHECK(world.stats().out_zapped_pages +
			      world.stats().out_downgraded_pages ==
		      8);
	}
	SECTION("fork")
	{
		CHECK(in_child([] { return 0; }) == 0);
		CHECK(world.stats().out_by_event[3] >= 1);
		CHECK(world.stats().out_zapped_pages +
			      world.stats().out_downgraded_pages ==
		      8);
	}
	const Stats after = world.stats();
	CHECK(sum_of_events(after) == after.out_invalidations);
}

TEST_CASE("a write by IOVA says that the page is dirty, at the latest when it goes")
{
	const World world;

	for (std::uint64_t n = 0; n < 4; n++)
		REQUIRE(world.put(n * page_size, std::byte(1)) == ok);
	REQUIRE(world.touch(8 * page_size) == ok);
	world.memory.discard(0, size);
	CHECK(world.stats().out_dirtied_pages >= 4);
	CHECK(world.stats().out_present_pages == 0);
}

TEST_CASE("what could not be found is counted")
{
	const World world;

	world.memory.unmap(0, page_size);
	CHECK(world.touch(0) == Errno{EFAULT});
	CHECK(world.stats().out_fault_errors == 1);
	/* And looked for again. */
	CHECK(world.touch(0) == Errno{EFAULT});
	CHECK(world.stats().out_fault_errors == 2);
	CHECK(world.stats().out_present_pages == 0);
}

TEST_CASE("RESET forgets events, and not what is there")
{
	const World world;

	for (std::uint64_t n = 0; n < 4; n++)
		REQUIRE(world.put(n * page_size, std::byte(1)) == ok);
	world.memory.discard(0, page_size);
	const Stats first = world.stats(IOMMUKIT_ONDEMAND_QUERY_RESET);
	CHECK(first.out_faults_write == 4);
	CHECK(first.out_zapped_pages == 1);
	const Stats second = world.stats();
	CHECK(second.out_faults_write == 0);
	CHECK(second.out_invalidations == 0);
	CHECK(sum_of_events(second) == 0);
	CHECK(second.out_zapped_pages == 0);
	CHECK(second.out_dirtied_pages == 0);
	CHECK(second.out_present_pages == 3);
	CHECK(second.out_chunks == first.out_chunks);
	CHECK(second.out_table_bytes == first.out_table_bytes);

	/* That of the sum is that of all. */
	CHECK(world.touch(9 * page_size) == ok);
	CHECK(query(world.context, world.ioas, all_ones, IOMMUKIT_ONDEMAND_QUERY_RESET)
		      .out_faults_read == 1);
	CHECK(world.stats().out_faults_read == 0);
}

TEST_CASE("a sum is one")
{
	const World world;
	const Memory other(size, Memory::Kind::private_anonymous);

	world.map(other.va(), size, map_rw, iova + huge_size, 0);
	CHECK(world.touch(0) == ok);
	CHECK(world.touch(huge_size) == ok);
	CHECK(world.touch(huge_size + page_size) == ok);
	CHECK(world.stats().out_faults_read == 1);
	CHECK(query(world.context, world.ioas, iova + huge_size).out_faults_read == 2);
	CHECK(query(world.context, world.ioas).out_faults_read == 3);
	CHECK(query(world.context, world.ioas).out_present_pages == 3);
}

TEST_CASE("pages around a fault are taken along if they are there")
{
	for (std::uint32_t order : {0U, 2U, around_default}) {
		DYNAMIC_SECTION("order " << order)
		{
			const World world(Who::owner_slow, order);
			const std::uint64_t window =
				1UL << (order == around_default ? 4 : order);

			world.memory.fill(1);
			CHECK(world.touch(17 * page_size) == ok);
			CHECK(world.stats().out_present_pages == window);
			CHECK(world.stats().out_around_pages == window - 1);
			/* Aligned, so that the pages of the window are known. */
			const std::uint64_t first = 17 & ~(window - 1);
			CHECK(world.shows(1, first * page_size, window * page_size));
			CHECK(world.stats().out_faults_read == 1);
		}
	}
}

TEST_CASE("pages around a fault are not made")
{
	const World world(Who::owner_slow, 4);

	world.memory.data()[3 * page_size] = std::byte(1);
	CHECK(world.put(0, std::byte(1)) == ok);
	CHECK(world.stats().out_present_pages == 2);
	CHECK(world.stats().out_around_pages == 1);
}

TEST_CASE("the library tells all of it by name")
{
	const iommukit::Context context;
	const iommukit::Ioas ioas(context);
	const auto memory = iommukit::Memory::anonymous(iommukit::Bytes(size));
	const auto at = iommukit::map_ondemand(ioas, memory.data(), memory.size());

	CHECK(iommukit::prefetch(ioas, at, memory.size(), IOMMUKIT_IOAS_PREFETCH_WRITE) ==
	      pages);
	const auto stats = iommukit::ondemand_stats(ioas, at);
	CHECK_FALSE(stats.dead_process);
	CHECK(stats.counters.out_prefetch_pages == pages);
	std::uint64_t present = 0;
	for (const auto &[name, value] : stats.by_name())
		if (name == "present_pages")
			present = value;
	CHECK(present == pages);
	CHECK(stats.by_name().size() ==
	      (sizeof(Stats) - offsetof(Stats, out_faults_read)) / sizeof(std::uint64_t));
	CHECK_THROWS_AS(iommukit::ondemand_stats(ioas, at + iommukit::Bytes(size)),
			iommukit::Error);
	CHECK_THROWS_AS(
		iommukit::prefetch(ioas, at + iommukit::Bytes(size), iommukit::Bytes(1)),
		iommukit::Error);
}

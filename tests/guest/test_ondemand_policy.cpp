// SPDX-License-Identifier: GPL-2.0-only
/* On-demand mappings: what an administrator can choose, by parameters of the module. */
#include "dirty_world.h"
#include "mm_tools.h"
#include "mock.h"
#include "modules.h"
#include "ondemand.h"
#include "threads.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace guest;

namespace {

constexpr std::uint64_t iova = OndemandWorld::iova;

void need(const std::string &reason)
{
	if (!reason.empty())
		skip(reason);
}

/* ---- which pages the kernel takes for being in use ---- */

constexpr std::uint64_t flag_referenced = 1UL << 2;

std::string lacks_page_flags()
{
	return exists("/proc/kpageflags") ? ""
					  : "this kernel does not show flags of pages";
}

bool is_in_use(std::uint64_t va)
{
	const Fd file(open("/proc/kpageflags", O_RDONLY | O_CLOEXEC));
	const std::uint64_t entry = pagemap_entry(va);
	std::uint64_t flags = 0;

	REQUIRE(file);
	REQUIRE(entry & pagemap_present);
	REQUIRE(pread(file.get(), &flags, sizeof(flags),
		      static_cast<off_t>((entry & ((1UL << 55) - 1)) * sizeof(flags))) ==
		static_cast<ssize_t>(sizeof(flags)));
	return flags & flag_referenced;
}

/* Pages that their process has touched once. */
struct TouchedWorld : OndemandWorld {
	static constexpr std::uint64_t pages = 16;

	explicit TouchedWorld(Who who)
		: OndemandWorld(who),
		  memory(2 * huge_size, Memory::Kind::private_anonymous),
		  va(memory.va() + -memory.va() % huge_size)
	{
		madvise(memory.data(), memory.size(), MADV_NOHUGEPAGE);
		memory.fill(1);
		/* One window: who finds a page finds all. */
		map(va, pages * page_size, map_rw, iova, 9);
	}
	bool in_use(std::uint64_t page) const { return is_in_use(va + page * page_size); }

	Memory memory;
	std::uint64_t va;
};

} // namespace

TEST_CASE("a page that is used by IOVA only is in use")
{
	need(lacks_page_flags());
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const TouchedWorld world(who);

			REQUIRE(!world.in_use(3));
			REQUIRE(!world.in_use(5));
			/* Found since it was needed, or along with that. */
			CHECK(world.prefetch(3 * page_size, page_size) == 1);
			CHECK(world.in_use(3));
			CHECK(world.stats().out_present_pages == world.pages);
			CHECK(!world.in_use(5));
			CHECK(world.touch(5 * page_size) == ok);
			CHECK(world.in_use(5));
		}
	}
}

TEST_CASE("the kernel is not told so if it shall not be")
{
	need(lacks_page_flags());
	const Parameter quiet("ondemand_mark_accessed", "N");

	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const TouchedWorld world(who);

			CHECK(world.prefetch(3 * page_size, page_size) == 1);
			CHECK(world.touch(5 * page_size) == ok);
			CHECK(world.put(7 * page_size, std::byte(2)) == ok);
			for (const std::uint64_t page : {3, 5, 7})
				CHECK(!world.in_use(page));
		}
	}
}

/* ---- how large a table may be ---- */

namespace {

/* Bytes of the table for one chunk of addresses, which a chunk of one page shows. */
std::uint64_t chunk_bytes()
{
	const OndemandWorld world;
	const Memory memory(page_size, Memory::Kind::private_anonymous);

	world.map(memory);
	REQUIRE(world.touch(0) == ok);
	REQUIRE(world.stats().out_chunks == 1);
	return world.stats().out_table_bytes;
}

/* Tables of so many chunks; 0: without a limit. */
struct TableLimit : Parameter {
	explicit TableLimit(std::uint64_t chunks)
		: Parameter("ondemand_table_bytes",
			    std::to_string(chunks * chunk_bytes()))
	{
	}
};

/* A page in each of many chunks, filled with the number of the chunk. */
struct WideWorld : OndemandWorld {
	static constexpr std::uint64_t chunks = 24;
	static constexpr std::uint64_t size = chunks * huge_size;

	explicit WideWorld(Who who = Who::owner_slow)
		: OndemandWorld(who),
		  memory(size + huge_size, Memory::Kind::private_anonymous),
		  first(memory.va() + -memory.va() % huge_size)
	{
		madvise(memory.data(), memory.size(), MADV_NOHUGEPAGE);
		for (std::uint64_t n = 0; n < chunks; n++)
			*at(n) = value(n);
		map(first, size, map_rw, iova, 0);
	}

	/* Where that of a chunk is: not at the same place in each. */
	static std::uint64_t offset(std::uint64_t chunk)
	{
		return chunk * huge_size + 13 * chunk * page_size;
	}
	static std::byte value(std::uint64_t chunk) { return std::byte(chunk + 1); }
	std::byte *at(std::uint64_t chunk) const
	{
		return reinterpret_cast<std::byte *>(first + offset(chunk));
	}

	Memory memory;
	std::uint64_t first;
};

} // namespace

TEST_CASE("a table keeps to its limit, and all is found again")
{
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			constexpr std::uint64_t most = 5;
			const TableLimit limit(most);
			const WideWorld world(who);

			for (unsigned int round = 0; round < 3; round++)
				for (std::uint64_t n = 0; n < world.chunks; n++) {
					INFO("round " << round << ", chunk " << n);
					CHECK(world.get(world.offset(n)) ==
					      world.value(n));
					CHECK(world.stats().out_chunks <= most);
					CHECK(world.stats().out_present_pages <= most);
				}
			const Stats stats = world.stats();
			CHECK(stats.out_chunks == most);
			CHECK(stats.out_table_bytes == most * chunk_bytes());
			CHECK(stats.out_faults_read > world.chunks);
			CHECK(stats.out_zapped_pages ==
			      stats.out_faults_read - stats.out_present_pages);
			CHECK(stats.out_invalidations == 0);
		}
	}
}

TEST_CASE("a limit that is less than one chunk, and one that comes later")
{
	const WideWorld world;
	const auto touch_all = [&] {
		for (std::uint64_t n = 0; n < world.chunks; n++)
			REQUIRE(world.get(world.offset(n)) == world.value(n));
		return world.stats().out_chunks;
	};

	CHECK(touch_all() == world.chunks);
	/* Nothing goes before something comes. */
	Parameter limit("ondemand_table_bytes", "1");
	CHECK(touch_all() == world.chunks);
	REQUIRE(world.context.unmap(world.ioas, OndemandWorld::iova, world.size) ==
		world.size);
	world.map(world.first, world.size, map_rw, OndemandWorld::iova, 0);
	CHECK(touch_all() == 1);

	/* A table that is too large becomes smaller with all that comes. */
	limit.set("0");
	for (std::uint64_t n = 0; n < world.chunks / 2; n++)
		REQUIRE(world.touch(world.offset(n)) == ok);
	CHECK(world.stats().out_chunks >= world.chunks / 2);
	limit.set(std::to_string(4 * chunk_bytes()));
	for (unsigned int round = 0; round < 3; round++)
		touch_all();
	CHECK(world.stats().out_chunks == 4);
}

/* The processor knows of no write after MADV_FREE: the page would be thrown away. */
TEST_CASE("what was written by IOVA is not lost with a table that was too large")
{
	const TableLimit limit(2);
	const WideWorld world;

	for (std::uint64_t n = 0; n < world.chunks; n++)
		REQUIRE(madvise(world.at(n), page_size, MADV_FREE) == 0);
	for (std::uint64_t n = 0; n < world.chunks; n++)
		REQUIRE(world.put(world.offset(n), std::byte(100 + n)) == ok);
	CHECK(world.stats().out_dirtied_pages == world.chunks - 2);
	for (std::uint64_t n = 0; n < world.chunks; n++)
		madvise(world.at(n), page_size, MADV_PAGEOUT);
	for (std::uint64_t n = 0; n < world.chunks; n++) {
		INFO("chunk " << n);
		CHECK(world.get(world.offset(n)) == std::byte(100 + n));
		CHECK(*world.at(n) == std::byte(100 + n));
	}
}

TEST_CASE("what is pinned stays in the table")
{
	const TableLimit limit(3);
	const WideWorld world;
	const Access &access = world.device.access();

	const std::uint32_t pin = access.pin(OndemandWorld::iova, page_size);
	for (unsigned int round = 0; round < 2; round++)
		for (std::uint64_t n = 1; n < world.chunks; n++)
			REQUIRE(world.get(world.offset(n)) == world.value(n));
	CHECK(world.stats().out_chunks == 3);
	CHECK(world.stats().out_pins_live == 1);
	CHECK(world.stats().out_pins_outlived == 0);
	/* It is still known. */
	world.memory.discard(world.first - world.memory.va(), page_size);
	CHECK(world.stats().out_pins_outlived == 1);
	CHECK(access.try_unpin(pin) == ok);
	CHECK(world.stats().out_pins_live == 0);
}

TEST_CASE("a device loses what is not in the table any more")
{
	const TableLimit limit(4);
	const WideWorld world;
	const Mock mock = mock_create(world.context, world.ioas, {.flags = mock_faults});
	const auto led = [&] {
		std::uint64_t number = 0;

		for (std::uint64_t n = 0; n < world.chunks; n++)
			number +=
				check_map(world.context, mock.hwpt,
					  OndemandWorld::iova + world.offset(n),
					  page_size, world.first + world.offset(n)) == ok;
		return number;
	};

	for (unsigned int round = 0; round < 2; round++)
		for (std::uint64_t n = 0; n < world.chunks; n++) {
			INFO("round " << round << ", chunk " << n);
			CHECK(try_mock_fault(world.context, mock,
					     OndemandWorld::iova + world.offset(n),
					     page_size, round) == ok);
		}
	const Stats stats = world.stats();
	CHECK(led() == 4);
	CHECK(stats.out_chunks == 4);
	CHECK(stats.out_hw_maps == 2 * world.chunks);
	CHECK(stats.out_hw_unmaps == 2 * world.chunks - 4);
	CHECK(stats.out_tlb_syncs == stats.out_hw_unmaps);
	REQUIRE(world.context.unmap(world.ioas, OndemandWorld::iova, world.size) ==
		world.size);
	CHECK(led() == 0);
}

/* What is still to be told of a chunk cannot be found again. */
TEST_CASE("what devices have written is told, also of what is not in the table")
{
	const TableLimit limit(4);
	const WideWorld world;
	const Mock mock =
		mock_create(world.context, world.context.ioas(), {.flags = mock_faults});
	std::uint32_t hwpt =
		make_hwpt(world.context, mock.device, world.ioas, hwpt_dirty);
	const BitmapGeometry all{OndemandWorld::iova, world.size, page_size};
	Bits expected(world.size / page_size / 8);

	REQUIRE(try_mock_replace(world.context, mock, &hwpt) == ok);
	REQUIRE(set_dirty(world.context, hwpt, true) == ok);
	for (std::uint64_t n = 0; n < world.chunks; n++) {
		const std::uint64_t page = world.offset(n) / page_size;
		const bool write = n % 2;

		REQUIRE(try_mock_fault(world.context, mock,
				       OndemandWorld::iova + page * page_size, page_size,
				       write) == ok);
		REQUIRE(world.touch(page * page_size) == ok);
		if (write)
			add_bits(expected, page, page);
	}
	/* The last that came are still there, and the device has not written to them. */
	const Bits found = dirty_bits(world.context, hwpt, all, get_no_clear);
	CHECK(either(found, expected) == expected);
	CHECK(count(found) >= world.chunks / 2 - 4);
	CHECK(dirty_bits(world.context, hwpt, all) == found);
	CHECK(count(dirty_bits(world.context, hwpt, all)) == 0);
	/* Then they can go. */
	for (unsigned int round = 0; round < 3; round++)
		for (std::uint64_t n = 0; n < world.chunks; n++)
			REQUIRE(world.touch(world.offset(n)) == ok);
	dirty_bits(world.context, hwpt, all);
	for (unsigned int round = 0; round < 3; round++)
		for (std::uint64_t n = 0; n < world.chunks; n++)
			REQUIRE(world.touch(world.offset(n)) == ok);
	CHECK(world.stats().out_chunks == 4);
}

/* One word each: nobody but its thread writes it, and the memory changes. */
TEST_CASE("readers, writers and devices while the table is made smaller")
{
	const TableLimit limit(3);
	const WideWorld world;
	const Device other(world.context, world.ioas, Who::other);
	const Access &access = world.device.access();
	const Mock mock =
		mock_create(world.context, world.context.ioas(), {.flags = mock_faults});
	std::uint32_t hwpt =
		make_hwpt(world.context, mock.device, world.ioas, hwpt_dirty);
	const BitmapGeometry all{OndemandWorld::iova, world.size, page_size};
	std::atomic<unsigned int> running = 4;
	const Clock clock;
	Verdict verdict;
	Threads threads;

	REQUIRE(try_mock_replace(world.context, mock, &hwpt) == ok);
	REQUIRE(set_dirty(world.context, hwpt, true) == ok);
	threads.start(2, [&](std::size_t number, auto &random) {
		const Device &device = number ? other : world.device;
		std::uint64_t values[WideWorld::chunks] = {};

		for (; !clock.over();) {
			const std::uint64_t n = random() % world.chunks;
			const auto place =
				OndemandWorld::iova + world.offset(n) + 8 * (number + 1);
			std::uint64_t found = ~0UL;

			verdict.expect("read", device.read(place, &found, 8), {0});
			verdict.expect("the last value", found == values[n]);
			values[n] = random();
			verdict.expect("write", device.write(place, &values[n], 8), {0});
		}
		running--;
	});
	threads.start(1, [&](std::size_t, auto &random) {
		for (; !clock.over();)
			verdict.expect("fault of a device",
				       try_mock_fault(world.context, mock,
						      OndemandWorld::iova +
							      random() % world.size,
						      1, random() % 2),
				       {0});
		running--;
	});
	threads.start(1, [&](std::size_t, auto &random) {
		for (; !clock.over();) {
			const std::uint64_t n = random() % world.chunks;

			if (random() % 4) {
				mprotect(world.at(n), page_size,
					 PROT_READ | PROT_WRITE |
						 (random() % 2 ? PROT_EXEC : 0));
				continue;
			}
			/* Of two chunks. */
			std::uint32_t pin = 0;
			verdict.expect("pin",
				       access.try_pin(OndemandWorld::iova +
							      (n % (world.chunks - 1) +
							       1) * huge_size -
							      page_size,
						      2 * page_size, 0, 0, &pin),
				       {0});
			verdict.expect("unpin", access.try_unpin(pin), {0});
		}
		running--;
	});
	threads.start(1, [&](std::size_t, auto &) {
		Bits bits(world.size / page_size / 8);

		while (running)
			verdict.expect(
				"read-out",
				get_dirty(world.context, hwpt, all,
					  reinterpret_cast<std::uint64_t>(bits.data())),
				{0});
	});
	threads.join();
	verdict.check();
	CHECK(world.stats().out_pins_live == 0);
	CHECK(world.context.unmap(world.ioas, OndemandWorld::iova, world.size) ==
	      world.size);
}

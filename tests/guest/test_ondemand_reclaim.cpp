// SPDX-License-Identifier: GPL-2.0-only
/* On-demand mappings of memory that the kernel takes away: swap, lazy freeing, files. */
#include "mm_tools.h"
#include "mock.h"
#include "ondemand.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <random>

using namespace guest;

namespace {

constexpr std::uint64_t iova = OndemandWorld::iova;
constexpr std::uint64_t pages = 16;
constexpr std::uint64_t size = pages * page_size;

/* @around 0: each page is found by itself. */
struct World : OndemandWorld {
	explicit World(Who who) : OndemandWorld(who)
	{
		madvise(memory.data(), size, MADV_NOHUGEPAGE);
		map(memory.va(), size, map_rw, iova, 0);
	}

	Memory memory{size, Memory::Kind::private_anonymous};
};

/* A shared mapping of a file on a disk. */
struct FileWorld : OndemandWorld {
	explicit FileWorld(Who who)
		: OndemandWorld(who),
		  file(open((std::string(disk_directory) + "/reclaim").c_str(),
			    O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600))
	{
		const auto content = pattern_of(1, 0, size);

		REQUIRE(file);
		REQUIRE(pwrite(file.get(), content.data(), size, 0) == long(size));
		REQUIRE(fsync(file.get()) == 0);
		memory.emplace(size, file.get(), PROT_READ | PROT_WRITE, MAP_SHARED);
		map(memory->va(), size, map_rw, iova, 0);
	}

	/* What is on the disk, not in the cache of the file. */
	std::vector<std::byte> on_disk() const
	{
		auto *buffer =
			static_cast<std::byte *>(std::aligned_alloc(page_size, size));
		const Fd direct(open((std::string(disk_directory) + "/reclaim").c_str(),
				     O_RDONLY | O_DIRECT | O_CLOEXEC));

		REQUIRE(direct);
		REQUIRE(pread(direct.get(), buffer, size, 0) == long(size));
		std::vector<std::byte> content(buffer, buffer + size);
		std::free(buffer);
		return content;
	}

	Fd file;
	std::optional<Memory> memory;
};

void need(const std::string &reason)
{
	if (!reason.empty())
		skip(reason);
}

} // namespace

/* Nobody but us knows that such a page was written. */
TEST_CASE("what was written by IOVA into freed pages is never lost")
{
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const World world(who);
			const unsigned int rounds = std::max(10U, 1000 / slowness() / 4);

			for (unsigned int n = 1; n <= rounds; n++) {
				const auto first = pattern_of(n, 0, size);
				const auto second = pattern_of(n + 1, 0, size);

				INFO("round " << n);
				REQUIRE(world.write(0, first.data(), size) == ok);
				REQUIRE(madvise(world.memory.data(), size, MADV_FREE) ==
					0);
				REQUIRE(world.write(0, second.data(), size) == ok);
				REQUIRE(madvise(world.memory.data(), size,
						MADV_PAGEOUT) == 0);
				REQUIRE(world.shows(n + 1, 0, size));
			}
		}
	}
}

TEST_CASE("the same under the pressure of a group")
{
	need(lacks_memory_groups());
	const World world(Who::owner_slow);
	const MemoryGroup group(16 * huge_size);
	const unsigned int rounds = slowness() > 1 ? 2 : 20;

	REQUIRE(group.enter(getpid()));
	{
		/* Of a file system in memory or of nothing: it can be dropped at once. */
		const Memory clutter(24 * huge_size, Memory::Kind::private_anonymous);

		madvise(clutter.data(), clutter.size(), MADV_NOHUGEPAGE);
		for (unsigned int n = 1; n <= rounds; n++) {
			const auto data = pattern_of(n, 0, size);

			/* Pages of the group, not those from before. */
			world.memory.discard(0, size);
			world.memory.fill(0);
			REQUIRE(madvise(world.memory.data(), size, MADV_FREE) == 0);
			REQUIRE(world.write(0, data.data(), size) == ok);
			/* More than there is room for, a part at a time. */
			for (std::uint64_t at = 0; at < clutter.size(); at += page_size) {
				clutter.data()[at] = std::byte(1);
				if (at % huge_size == 0)
					REQUIRE(madvise(clutter.data(), at + page_size,
							MADV_FREE) == 0);
			}
			REQUIRE(world.shows(n, 0, size));
		}
	}
	CHECK(MemoryGroup::leave(getpid()));
}

TEST_CASE("memory that was swapped out comes back")
{
	need(lacks_swap());
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const World world(who);
			const auto data = pattern_of(3, 0, size);

			REQUIRE(world.write(0, data.data(), size) == ok);
			REQUIRE(swap_out(world.memory.data(), size));
			CHECK(world.stats().out_present_pages < pages);
			CHECK(world.shows(3, 0, size));
			/* It is the owner's memory again. */
			CHECK((pagemap_entry(world.memory.va()) & pagemap_present) != 0);
			REQUIRE(swap_out(world.memory.data(), size));
			CHECK(world.prefetch(0, size) == pages);
			CHECK(world.put(0, std::byte(9)) == ok);
			CHECK(world.memory.data()[0] == std::byte(9));
		}
	}
}

/* Nine of ten touches go to a tenth of it. */
TEST_CASE("more memory than there is room for")
{
	need(lacks_memory_groups());
	need(lacks_swap());
	constexpr std::uint64_t areas = 3, area = 4 * huge_size;
	constexpr std::uint64_t room = 8 * huge_size, all = areas * area / page_size;
	const OndemandWorld world(Who::owner_slow);
	const Memory memory(areas * area, Memory::Kind::private_anonymous);
	const MemoryGroup group(room);
	std::vector<std::uint64_t> values(all);
	std::mt19937_64 random(seed());
	const auto check = [&](std::uint64_t page) {
		std::uint64_t found = ~0UL;

		INFO("page " << page);
		REQUIRE(world.read(page * page_size, &found, 8) == ok);
		REQUIRE(found == values[page]);
	};

	madvise(memory.data(), memory.size(), MADV_NOHUGEPAGE);
	for (std::uint64_t n = 0; n < areas; n++)
		world.map(memory.va() + n * area, area, map_rw_fixed, iova + n * area);
	REQUIRE(group.enter(getpid()));
	for (std::uint64_t n = 0; n < 2 * all; n++) {
		const bool usual = random() % 10;
		/* At first each once, so that all is there and some is out. */
		const std::uint64_t page =
			n < all ? n : random() % (usual ? all / 10 : all);

		check(page);
		values[page] = random();
		REQUIRE(world.write(page * page_size, &values[page], 8) == ok);
	}
	CHECK(own_pages("VmSwap") > 0);
	for (std::uint64_t page = 0; page < all; page++)
		check(page);
	CHECK(group.oom_kills() == 0);
	CHECK(MemoryGroup::leave(getpid()));

	/* As much cannot be pinned by who may lock that much. */
	CHECK(in_child([&] {
		      const Context context;
		      const std::uint32_t ioas = context.ioas();
		      make_mock(context, ioas);

		      if (int error = set_memlock(room) ?: drop_capability(CAP_IPC_LOCK))
			      return error;
		      return context.try_map(ioas, memory.va(), memory.size(), iova) ==
					     Errno{ENOMEM}
				     ? 0
				     : 1;
	      }) == 0);
}

TEST_CASE("a page of a file becomes writable where it is")
{
	need(lacks_disk());
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const FileWorld world(who);

			CHECK(world.get(0) == pattern(1, 0));
			CHECK(world.put(0, std::byte(7)) == ok);
			CHECK(world.stats().out_upgrades == 1);
			CHECK(world.stats().out_zapped_pages == 0);
			CHECK(world.put(1, std::byte(7)) == ok);
			CHECK(world.stats().out_upgrades == 1);
		}
	}
}

TEST_CASE("what is written by IOVA reaches the disk")
{
	need(lacks_disk());
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const FileWorld world(who);
			const auto data = pattern_of(2, 0, size);

			REQUIRE(world.write(0, data.data(), size) == ok);
			REQUIRE(fsync(world.file.get()) == 0);
			CHECK(world.on_disk() == data);
			/* Write-back has made the pages clean: the next write is a fault.
			 */
			REQUIRE(world.put(0, std::byte(0x55)) == ok);
			REQUIRE(fsync(world.file.get()) == 0);
			CHECK(world.on_disk()[0] == std::byte(0x55));
			REQUIRE(write_text("/proc/sys/vm/drop_caches", "1"));
			CHECK(world.get(0) == std::byte(0x55));
			CHECK(world.get(1) == pattern(2, 1));
			/* And what is written when it is unmapped is not lost. */
			REQUIRE(world.put(page_size, std::byte(0x66)) == ok);
			REQUIRE(munmap(world.memory->data(), size) == 0);
			REQUIRE(fsync(world.file.get()) == 0);
			CHECK(world.on_disk()[page_size] == std::byte(0x66));
		}
	}
}

TEST_CASE("what write() puts into a file is seen by IOVA, and the other way round")
{
	need(lacks_disk());
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const FileWorld world(who);
			const auto data = pattern_of(2, 0, page_size);
			std::byte byte{};

			CHECK(world.get(page_size) == pattern(1, page_size));
			REQUIRE(pwrite(world.file.get(), data.data(), page_size,
				       page_size) == long(page_size));
			CHECK(world.get(page_size) == pattern(2, 0));
			REQUIRE(world.put(0, std::byte(0x44)) == ok);
			REQUIRE(pread(world.file.get(), &byte, 1, 0) == 1);
			CHECK(byte == std::byte(0x44));
		}
	}
}

TEST_CASE("a file that ends earlier")
{
	need(lacks_disk());
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const FileWorld world(who);

			CHECK(world.shows(1, 0, size));
			REQUIRE(ftruncate(world.file.get(), page_size + 100) == 0);
			CHECK(world.touch(2 * page_size) == Errno{EFAULT});
			CHECK(world.shows(1, 0, page_size + 100));
			/* The rest of the last page is there, and empty. */
			CHECK(world.shows_zeros(page_size + 100, page_size - 100));
			REQUIRE(ftruncate(world.file.get(), size) == 0);
			CHECK(world.shows_zeros(2 * page_size, size - 2 * page_size));
		}
	}
}

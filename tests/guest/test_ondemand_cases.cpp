// SPDX-License-Identifier: GPL-2.0-only
/*
 * On-demand mappings, case by case, whichever way pages are reached: from the process
 * itself through the table of present pages, and from another one.
 */
#include "mm_tools.h"
#include "modules.h"
#include "ondemand.h"
#include "pagemap.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

using namespace guest;

namespace {

constexpr std::uint64_t iova = OndemandWorld::iova;
constexpr std::uint64_t pages = 16;
constexpr std::uint64_t size = pages * page_size;

struct World : OndemandWorld {
	explicit World(Who who, std::uint32_t flags = map_rw) : OndemandWorld(who)
	{
		madvise(memory.data(), size, MADV_NOHUGEPAGE);
		map(memory, flags);
	}

	Memory memory{size, Memory::Kind::private_anonymous};
};

} // namespace

TEST_CASE("memory that comes after its mapping")
{
	for (Who who : all_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const World world(who);

			world.memory.unmap(0, size);
			CHECK(world.touch(0) == Errno{EFAULT});
			CHECK(world.put(0, std::byte(1)) == Errno{EFAULT});
			REQUIRE(mmap(world.memory.data(), size, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				     0) == world.memory.data());
			world.memory.fill(2);
			CHECK(world.shows(2, 0, size));
			CHECK(world.put(0, std::byte(1)) == ok);
			REQUIRE(munmap(world.memory.data(), size) == 0);
			CHECK(world.touch(0) == Errno{EFAULT});
		}
	}
}

TEST_CASE("reading what nobody has touched needs no memory")
{
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const std::uint64_t length =
				(slowness() > 1 ? 8 : 64) * huge_size;
			const OndemandWorld world(who);
			const Memory memory(length, Memory::Kind::private_anonymous);
			std::vector<std::byte> buffer(huge_size);

			world.map(memory);
			REQUIRE(world.read(0, buffer.data(), huge_size) == ok);
			const long before = own_pages("RssAnon");
			for (std::uint64_t at = 0; at < length; at += huge_size) {
				std::fill(buffer.begin(), buffer.end(), std::byte(1));
				REQUIRE(world.read(at, buffer.data(), huge_size) == ok);
				CHECK(std::count(buffer.begin(), buffer.end(),
						 std::byte(0)) == long(huge_size));
			}
			CHECK(own_pages("RssAnon") <
			      before + long((1 << 20) / page_size));
		}
	}
}

TEST_CASE("writing makes one page, and none around")
{
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const OndemandWorld world(who);
			const Memory memory(4 * huge_size,
					    Memory::Kind::private_anonymous);

			madvise(memory.data(), memory.size(), MADV_NOHUGEPAGE);
			world.map(memory.va(), memory.size(), map_rw, iova, 9);
			for (std::uint64_t n = 0; n < 4; n++)
				CHECK(world.put(n * huge_size, std::byte(1)) == ok);
			CHECK(there(memory) == 4);
		}
	}
}

TEST_CASE("the processor and the device see each other's writes")
{
	for (Who who : all_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const World world(who);

			CHECK(world.get(5) == std::byte(0));
			world.memory.data()[5] = std::byte(1);
			CHECK(world.get(5) == std::byte(1));
			CHECK(world.put(5, std::byte(2)) == ok);
			CHECK(world.memory.data()[5] == std::byte(2));
			world.memory.data()[5] = std::byte(3);
			CHECK(world.get(5) == std::byte(3));
			/* Across pages, and all of it. */
			const auto data = pattern_of(4, 0, size);
			CHECK(world.write(0, data.data(), size) == ok);
			CHECK(std::equal(data.begin(), data.end(), world.memory.data()));
			CHECK(world.shows(4, page_size - 3, 2 * page_size));
		}
	}
}

TEST_CASE("permissions are those of the mapping and those of the memory")
{
	for (Who who : all_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const World readable(who, map_read);
			const World writable(who, map_write);
			const World both(who);

			both.memory.protect(PROT_READ);
			CHECK(readable.touch(0) == ok);
			CHECK(readable.put(0, std::byte(1)) == Errno{EPERM});
			CHECK(writable.put(0, std::byte(1)) == ok);
			CHECK(both.touch(0) == ok);
			CHECK(both.put(0, std::byte(1)) == Errno{EFAULT});
			CHECK(both.touch(0) == ok);
			/* EPERM whatever the memory says. */
			readable.memory.protect(PROT_NONE);
			CHECK(readable.put(0, std::byte(1)) == Errno{EPERM});
			if (copies_use_page_table() || who == Who::owner_slow ||
			    who == Who::other)
				CHECK(readable.touch(0) == Errno{EFAULT});
		}
	}
}

TEST_CASE("a page that was read can be written")
{
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const World world(who);

			world.memory.fill(1);
			/* What a child had is the parent's alone again. */
			CHECK(in_child([] { return 0; }) == 0);
			CHECK(world.get(0) == pattern(1, 0));
			CHECK(world.put(1, std::byte(7)) == ok);
			CHECK(world.get(0) == pattern(1, 0));
			CHECK(world.memory.data()[1] == std::byte(7));
			CHECK(world.stats().out_upgrades <= 1);
		}
	}
}

TEST_CASE("half of the memory goes")
{
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const World world(who);

			world.memory.fill(1);
			CHECK(world.shows(1, 0, size));
			CHECK(world.stats().out_present_pages == pages);
			world.memory.unmap(size / 2, size / 2);
			CHECK(world.stats().out_zapped_pages == pages / 2);
			CHECK(world.shows(1, 0, size / 2));
			CHECK(world.touch(size / 2) == Errno{EFAULT});
			CHECK(world.touch(size - 1) == Errno{EFAULT});
			/* Nothing of a copy that leads there is promised, but its end. */
			std::vector<std::byte> buffer(size);
			CHECK(world.read(0, buffer.data(), size) == Errno{EFAULT});
		}
	}
}

TEST_CASE("a copy over a hole in the mappings, and over two kinds of them")
{
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const World world(who);
			const Memory normal(page_size);
			std::vector<std::byte> buffer(size + page_size);

			world.memory.fill(1);
			normal.fill(2);
			CHECK(world.read(size - 1, buffer.data(), 2) == Errno{ENOENT});
			world.context.map(world.ioas, normal, iova + size);
			CHECK(world.read(0, buffer.data(), buffer.size()) == ok);
			CHECK(std::equal(normal.data(), normal.data() + page_size,
					 buffer.data() + size));
			CHECK(world.write(size - 1, "ab", 2) == ok);
			CHECK(world.memory.data()[size - 1] == std::byte('a'));
			CHECK(normal.data()[0] == std::byte('b'));
		}
	}
}

TEST_CASE("an IOAS that notes writes notes those, too")
{
	for (Who who : all_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const World world(who);
			auto track = command<iommukit_ioas_set_dirty_tracking>();
			auto get = command<iommukit_ioas_get_dirty_bitmap>();
			std::uint64_t bits = 0;

			track.ioas_id = get.ioas_id = world.ioas;
			track.flags = IOMMUKIT_IOAS_DIRTY_TRACKING_ENABLE;
			get.iova = iova;
			get.length = size;
			get.page_size = page_size;
			get.data = reinterpret_cast<std::uint64_t>(&bits);
			REQUIRE(call(world.context.fd(), IOMMUKIT_IOAS_SET_DIRTY_TRACKING,
				     &track) == ok);
			CHECK(world.touch(0) == ok);
			CHECK(world.put(3 * page_size, std::byte(1)) == ok);
			CHECK(world.write(7 * page_size - 1, "ab", 2) == ok);
			/* What becomes of the page plays no role. */
			world.memory.discard(3 * page_size, page_size);
			REQUIRE(call(world.context.fd(), IOMMUKIT_IOAS_GET_DIRTY_BITMAP,
				     &get) == ok);
			CHECK(bits == (1 << 3 | 1 << 6 | 1 << 7));
			bits = 0;
			REQUIRE(call(world.context.fd(), IOMMUKIT_IOAS_GET_DIRTY_BITMAP,
				     &get) == ok);
			CHECK(bits == 0);
		}
	}
}

TEST_CASE("two mappings of the same memory")
{
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const World world(who);
			const std::uint32_t second = world.context.ioas();
			const Access other(world.context, second, 0);
			std::byte byte{};

			REQUIRE(try_map_ondemand(world.context, second, world.memory.va(),
						 size, iova) == ok);
			CHECK(world.put(0, std::byte(3)) == ok);
			CHECK(other.try_read(iova, &byte, 1, rw_slow) == ok);
			CHECK(byte == std::byte(3));
			world.memory.unmap(0, size);
			CHECK(world.touch(0) == Errno{EFAULT});
			CHECK(other.try_read(iova, &byte, 1, rw_slow) == Errno{EFAULT});
			CHECK(query(world.context, second).out_present_pages == 0);
		}
	}
}

TEST_CASE("what may not be reached is not reached")
{
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const OndemandWorld world(who);

			/* Pages of the kernel, mapped as devices' memory is. */
			const auto vvar = find_mapping("[vvar]");
			if (vvar) {
				world.map(vvar->begin, page_size);
				CHECK(world.touch(0) == Errno{EFAULT});
				CHECK(world.put(0, std::byte(1)) == Errno{EFAULT});
			}
			const auto vdso = find_mapping("[vdso]");
			if (vdso) {
				const std::uint64_t at = iova + huge_size;

				world.map(vdso->begin, page_size, map_rw, at);
				CHECK(world.device.put(at, std::byte(1)) ==
				      Errno{EFAULT});
			}
			if (!vvar && !vdso)
				skip("there is no such memory");
		}
	}
}

TEST_CASE("secret memory stays secret")
{
	if (const auto reason = lacks_secret_memory(); !reason.empty())
		skip(reason);
#ifdef SYS_memfd_secret
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const OndemandWorld world(who);
			const Fd file(
				static_cast<int>(syscall(SYS_memfd_secret, O_CLOEXEC)));

			REQUIRE(ftruncate(file.get(), 2 * page_size) == 0);
			const Memory secret(2 * page_size, file.get(),
					    PROT_READ | PROT_WRITE, MAP_SHARED);

			world.map(secret);
			/* Whether it is there or not. */
			CHECK(world.touch(0) == Errno{EFAULT});
			secret.fill(1);
			CHECK(world.touch(0) == Errno{EFAULT});
			CHECK(world.put(page_size, std::byte(1)) == Errno{EFAULT});
			CHECK(try_prefetch(world.context, world.ioas, iova, page_size) ==
			      Errno{EFAULT});
			CHECK(try_prefetch(world.context, world.ioas, iova, page_size,
					   prefetch_present) == Errno{EFAULT});
			CHECK(world.device.access().try_pin(iova, page_size) ==
			      Errno{EFAULT});
			CHECK(secret.data()[page_size] == pattern(1, page_size));
			CHECK(world.stats().out_present_pages == 0);
		}
	}
#endif
}

TEST_CASE("a window around a fault does not take what is not to be taken")
{
	if (const auto reason = lacks_secret_memory(); !reason.empty())
		skip(reason);
#ifdef SYS_memfd_secret
	const World world(Who::owner_slow);
	const Fd file(static_cast<int>(syscall(SYS_memfd_secret, O_CLOEXEC)));

	REQUIRE(ftruncate(file.get(), page_size) == 0);
	world.memory.fill(1);
	REQUIRE(mmap(world.memory.data() + page_size, page_size, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_FIXED, file.get(),
		     0) == world.memory.data() + page_size);
	world.memory.data()[page_size] = std::byte(1);
	CHECK(world.get(0) == pattern(1, 0));
	CHECK(world.touch(page_size) == Errno{EFAULT});
	CHECK(world.get(2 * page_size) == pattern(1, 2 * page_size));
	std::vector<std::byte> buffer(size);
	CHECK(world.read(0, buffer.data(), size) == Errno{EFAULT});
#endif
}

TEST_CASE("a shadow stack is not written")
{
	constexpr long map_shadow_stack = 453;
	const long stack = syscall(map_shadow_stack, 0UL, page_size, 0U);

	if (stack < 0)
		skip("this kernel or machine has no shadow stacks");
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const OndemandWorld world(who);

			world.map(static_cast<std::uint64_t>(stack), page_size);
			CHECK(world.touch(0) == ok);
			CHECK(world.put(0, std::byte(1)) == Errno{EFAULT});
		}
	}
	munmap(reinterpret_cast<void *>(stack), page_size);
}

TEST_CASE("a private mapping of a file is copied, and the file is not written")
{
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const OndemandWorld world(who);
			const Fd file(memfd_create("private", MFD_CLOEXEC));
			const auto content = pattern_of(1, 0, page_size);
			std::vector<std::byte> in_file(page_size);

			REQUIRE(pwrite(file.get(), content.data(), page_size, 0) ==
				long(page_size));
			const Memory memory(page_size, file.get(), PROT_READ | PROT_WRITE,
					    MAP_PRIVATE);
			world.map(memory);
			CHECK(world.shows(1, 0, page_size));
			CHECK(world.put(3, std::byte(0x77)) == ok);
			CHECK(memory.data()[3] == std::byte(0x77));
			CHECK(world.get(3) == std::byte(0x77));
			REQUIRE(pread(file.get(), in_file.data(), page_size, 0) ==
				long(page_size));
			CHECK(in_file == content);
		}
	}
}

TEST_CASE("memory that seems to change all the time")
{
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			{
				const World world(who);
				const Trouble trouble(world.context,
						      IOMMUKIT_TEST_ONDEMAND_RETRIES, 20);

				CHECK(world.prefetch(0, page_size) == 1);
				CHECK(world.stats().out_retries == 20);
				CHECK(world.stats().out_retry_max == 20);
			}
			/* Copies need not go on for so long. */
			const World world(who);
			const Trouble trouble(world.context,
					      IOMMUKIT_TEST_ONDEMAND_RETRIES, 1000);

			world.memory.fill(1);
			CHECK(world.get(8 * page_size) == pattern(1, 8 * page_size));
			CHECK(world.put(9 * page_size, std::byte(1)) == ok);
			CHECK(world.memory.data()[9 * page_size] == std::byte(1));
			CHECK(world.stats().out_by_page >= 2);
		}
	}
}

TEST_CASE("large pages are one entry")
{
	if (const auto reason = lacks_thp(); !reason.empty())
		skip(reason);
	for (Who who : table_who) {
		DYNAMIC_SECTION(name_of(who))
		{
			const OndemandWorld world(who);
			const Memory memory(2 * huge_size,
					    Memory::Kind::private_anonymous);
			std::byte byte{};

			madvise(memory.data(), memory.size(), MADV_HUGEPAGE);
			for (std::uint64_t at : {0UL, huge_size})
				memory.data()[at] = std::byte(1);
			if (physical_pages(memory).at(511) !=
			    physical_pages(memory).at(0) + 511 * page_size)
				skip("the kernel had no large pages left");
			world.map(memory);
			CHECK(world.read(0, &byte, 1) == ok);
			CHECK(world.read(2 * huge_size - 1, &byte, 1) == ok);
			CHECK(world.stats().out_huge == 2);
			CHECK(world.stats().out_faults_read == 2);
			CHECK(world.stats().out_present_pages == 1024);
			memory.unmap(5 * page_size, page_size);
			CHECK(world.touch(4 * page_size) == ok);
			CHECK(world.touch(5 * page_size) == Errno{EFAULT});
			CHECK(world.touch(6 * page_size) == ok);
			CHECK(world.stats().out_huge == 1);
		}
	}
}

TEST_CASE("a fork costs what is there, not what is mapped")
{
	const OndemandWorld world;
	const std::uint64_t length = 10UL << 30;
	const Memory memory(length, -1, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);

	madvise(memory.data(), length, MADV_NOHUGEPAGE);
	world.map(memory);
	for (std::uint64_t n = 0; n < 3; n++)
		REQUIRE(world.put(n * (3UL << 30), std::byte(1)) == ok);
	CHECK(world.stats().out_chunks == 3);
	CHECK(in_child([] { return 0; }) == 0);
	CHECK(world.stats().out_zapped_pages + world.stats().out_downgraded_pages == 3);
	CHECK(world.stats().out_table_bytes < 64 * page_size);
}

TEST_CASE("the module stays while there is an on-demand mapping")
{
	const Modules modules;

	{
		const World world(Who::owner_slow);

		CHECK(world.touch(0) == ok);
		CHECK(unload(core) == Errno{in_use});
		CHECK(world.touch(page_size) == ok);
	}
	modules.unload_all();
}

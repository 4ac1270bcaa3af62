// SPDX-License-Identifier: GPL-2.0-only
/* Pinning through an access: rejections in order, sharing, which pages. */
#include "access.h"
#include "process.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>

using namespace guest;

namespace {

constexpr std::uint64_t area_iova = 0x100000;

struct World {
	World() : ioas(context.ioas()), access(context, ioas) {}

	void map(const Memory &memory, std::uint32_t flags = map_rw_fixed) const
	{
		context.map(ioas, memory, area_iova, flags);
	}
	Errno refs(const Memory &memory, std::uint64_t first_page, std::uint64_t pages,
		   std::uint32_t count) const
	{
		return check_refs(context, memory.va() + first_page * page_size,
				  pages * page_size, count);
	}

	Context context;
	std::uint32_t ioas;
	Access access;
};

} // namespace

TEST_CASE("pin rejections in order")
{
	using Test = iommukit_test_cmd;
	const World world;
	const Memory memory(8 * page_size);
	auto valid = test_command(IOMMUKIT_TEST_OP_ACCESS_PAGES, world.access.id());

	world.map(memory, map_read);
	valid.access_pages.iova = area_iova;
	valid.access_pages.length = 2 * page_size;
	valid.access_pages.uptr = memory.va();
	check_ordered<Test>(
		{
			{"longer than the test module takes", "length",
			 [](Test &cmd) {
				 cmd.access_pages.length =
					 IOMMUKIT_TEST_ACCESS_LENGTH_MAX + 1;
			 },
			 ENOMEM},
			{"unknown flag", "flags",
			 [](Test &cmd) { cmd.access_pages.flags = 1 << 1; }, EOPNOTSUPP},
			{"not an access", "id", [](Test &cmd) { cmd.id = 0; }, EBADFD},
			{"no file", "id", [](Test &cmd) { cmd.id = 12345; }, EBADFD},
			{"no length", "length",
			 [](Test &cmd) { cmd.access_pages.length = 0; }, EINVAL},
			{"wraps", "iova",
			 [](Test &cmd) {
				 cmd.access_pages.iova = all_ones - page_size + 2;
			 },
			 EOVERFLOW},
			{"not aligned", "iova",
			 [](Test &cmd) { cmd.access_pages.iova += 1; }, EINVAL},
			{"write to a mapping for reading", "flags",
			 [](Test &cmd) { cmd.access_pages.flags = pin_write; }, EPERM},
			{"ends in a gap", "iova",
			 [](Test &cmd) { cmd.access_pages.iova += 7 * page_size; },
			 ENOENT},
			{"pages are others", "uptr",
			 [](Test &cmd) { cmd.access_pages.uptr += page_size; }, EBADE},
			{"no pages to compare with", "uptr",
			 [](Test &cmd) { cmd.access_pages.uptr = page_size; }, EFAULT},
		},
		valid, [&](auto &cmd) { return test_call(world.context, cmd); });
	CHECK(check_refs(world.context, memory, 0) == ok);
	CHECK(world.access.try_unpin(0) == Errno{ENOENT});
}

TEST_CASE("flags of the kernel's pin call")
{
	const World world;
	const Memory memory(page_size);

	world.map(memory);
	for (unsigned int bit = 1; bit < 32; bit++)
		CHECK(world.access.pin_raw(area_iova, page_size, 1U << bit) ==
		      Errno{EINVAL});
	/* Flags are looked at before the range. */
	CHECK(world.access.pin_raw(all_ones, 2, 2) == Errno{EINVAL});
	CHECK(world.access.pin_raw(all_ones, 2, 0) == Errno{EOVERFLOW});
	CHECK(check_refs(world.context, memory, 0) == ok);
	CHECK(world.access.pin_raw(area_iova, page_size, pin_write) == ok);
	CHECK(check_refs(world.context, memory, 1) == ok);
}

TEST_CASE("a pin without an IOAS")
{
	const World world;
	const Memory memory(page_size);
	const Access access = Access::extended(world.context, 0, access_pins);

	world.map(memory);
	CHECK(access.try_pin(area_iova, page_size) == Errno{ENOENT});
	CHECK(access.try_pin(area_iova, 0) == Errno{EINVAL});
	CHECK(access.try_pin(all_ones, 2) == Errno{EOVERFLOW});
	REQUIRE(access.try_attach(world.ioas) == ok);
	CHECK(access.try_pin(area_iova, page_size) == ok);
	access.detach();
	CHECK(access.try_pin(area_iova, page_size) == Errno{ENOENT});
	CHECK(check_refs(world.context, memory, 0) == ok);
}

TEST_CASE("permissions of a pin")
{
	const World world;
	const Memory memory(page_size);
	const struct {
		const char *name;
		std::uint32_t map_flags;
		int read_error, write_error;
	} table[] = {
		{"read only", map_read, 0, EPERM},
		{"write only", map_write, EPERM, 0},
		{"both", map_rw, 0, 0},
	};

	for (const auto &row : table) {
		INFO(row.name);
		world.map(memory, row.map_flags);
		CHECK(world.access.try_pin(area_iova, page_size) ==
		      Errno{row.read_error});
		CHECK(world.access.try_pin(area_iova, page_size, pin_write) ==
		      Errno{row.write_error});
		CHECK(world.context.unmap_all(world.ioas) == page_size);
	}
}

TEST_CASE("which bytes a pin takes")
{
	const World world;
	const Memory memory(4 * page_size);

	world.map(memory);
	SECTION("one byte is a page")
	{
		world.access.pin(area_iova, 1, 0, memory.va());
		CHECK(world.refs(memory, 0, 1, 1) == ok);
		CHECK(world.refs(memory, 1, 3, 0) == ok);
	}
	SECTION("a partial last page is a page")
	{
		world.access.pin(area_iova + page_size, page_size + 1, 0,
				 memory.va() + page_size);
		CHECK(world.refs(memory, 0, 1, 0) == ok);
		CHECK(world.refs(memory, 1, 2, 1) == ok);
		CHECK(world.refs(memory, 3, 1, 0) == ok);
	}
	SECTION("up to the very last IOVA")
	{
		const std::uint64_t iova = all_ones - page_size + 1;

		REQUIRE(world.context.try_map(world.ioas, memory.va(), page_size, iova) ==
			ok);
		const std::uint32_t item =
			world.access.pin(iova, page_size, 0, memory.va());
		CHECK(world.access.try_unpin(item) == ok);
	}
}

TEST_CASE("pins across areas")
{
	const World world;
	const Context &context = world.context;
	const Memory memory(12 * page_size);
	constexpr std::uint64_t piece = 4 * page_size;
	const auto map_piece = [&](std::uint64_t n, std::uint32_t flags) {
		REQUIRE(context.try_map(world.ioas, memory.va() + n * piece, piece,
					area_iova + n * piece, flags | map_fixed) == ok);
	};

	SECTION("of adjacent ones are one pin")
	{
		for (std::uint64_t n : {0, 1, 2})
			map_piece(n, map_rw);
		const std::uint32_t item =
			world.access.pin(area_iova + page_size, 10 * page_size, pin_write,
					 memory.va() + page_size);
		CHECK(world.refs(memory, 0, 1, 0) == ok);
		CHECK(world.refs(memory, 1, 10, 1) == ok);
		CHECK(world.refs(memory, 11, 1, 0) == ok);
		CHECK(world.access.try_unpin(item) == ok);
	}
	SECTION("a gap is found behind the areas, which are released")
	{
		map_piece(0, map_rw);
		map_piece(2, map_rw);
		CHECK(world.access.try_pin(area_iova, 12 * page_size) == Errno{ENOENT});
		CHECK(world.access.try_pin(area_iova, piece + 1) == Errno{ENOENT});
	}
	SECTION("a refused area in front of the gap wins")
	{
		map_piece(0, map_rw);
		map_piece(1, map_read);
		CHECK(world.access.try_pin(area_iova, 12 * page_size, pin_write) ==
		      Errno{EPERM});
	}
	SECTION("a fault in front of the gap wins")
	{
		map_piece(0, map_rw);
		map_piece(1, map_rw);
		memory.unmap(piece, page_size);
		CHECK(world.access.try_pin(area_iova, 12 * page_size) == Errno{EFAULT});
		CHECK(world.refs(memory, 0, 4, 0) == ok);
		CHECK(world.refs(memory, 5, 7, 0) == ok);
		/* What is there can still be pinned. */
		CHECK(world.access.try_pin(area_iova, piece) == ok);
		return;
	}
	CHECK(check_refs(context, memory, 0) == ok);
}

TEST_CASE("pins of the same pages pin them once")
{
	const World world;
	const Memory memory(8 * page_size);
	const Access other(world.context, world.ioas);
	const auto pin = [&](const Access &access, std::uint64_t first,
			     std::uint64_t pages) {
		return access.pin(area_iova + first * page_size, pages * page_size, 0,
				  memory.va() + first * page_size);
	};

	world.map(memory);
	SECTION("the same range twice, released in either order")
	{
		for (bool first_in : {true, false}) {
			const std::uint32_t items[] = {pin(world.access, 2, 4),
						       pin(world.access, 2, 4)};

			CHECK(items[0] != items[1]);
			CHECK(world.refs(memory, 2, 4, 1) == ok);
			CHECK(world.access.try_unpin(items[first_in]) == ok);
			CHECK(world.refs(memory, 2, 4, 1) == ok);
			CHECK(world.access.try_unpin(items[!first_in]) == ok);
			CHECK(check_refs(world.context, memory, 0) == ok);
		}
	}
	SECTION("overlapping ranges")
	{
		const std::uint32_t low = pin(world.access, 0, 5);
		const std::uint32_t high = pin(world.access, 3, 5);
		const std::uint32_t inner = pin(world.access, 4, 1);

		CHECK(check_refs(world.context, memory, 1) == ok);
		CHECK(world.access.try_unpin(low) == ok);
		CHECK(world.refs(memory, 0, 3, 0) == ok);
		CHECK(world.refs(memory, 3, 5, 1) == ok);
		CHECK(world.access.try_unpin(high) == ok);
		CHECK(world.refs(memory, 4, 1, 1) == ok);
		CHECK(world.refs(memory, 5, 3, 0) == ok);
		CHECK(world.access.try_unpin(inner) == ok);
	}
	SECTION("two accesses")
	{
		const std::uint32_t mine = pin(world.access, 1, 2);
		const std::uint32_t theirs = pin(other, 1, 2);

		CHECK(world.access.try_unpin(mine) == ok);
		CHECK(world.refs(memory, 1, 2, 1) == ok);
		CHECK(other.try_unpin(theirs) == ok);
	}
	SECTION("an item is released once")
	{
		const std::uint32_t item = pin(world.access, 0, 1);

		CHECK(item == 0);
		CHECK(world.access.try_unpin(item) == ok);
		CHECK(world.access.try_unpin(item) == Errno{ENOENT});
		CHECK(world.access.try_unpin(99) == Errno{ENOENT});
	}
	CHECK(check_refs(world.context, memory, 0) == ok);
}

TEST_CASE("two mappings of the same memory are pinned separately")
{
	const World world;
	const Memory memory(page_size);

	world.map(memory);
	world.context.map(world.ioas, memory, 2 * area_iova);
	world.access.pin(area_iova, page_size, 0, memory.va());
	world.access.pin(2 * area_iova, page_size, 0, memory.va());
	CHECK(check_refs(world.context, memory, 2) == ok);
	CHECK(world.context.unmap(world.ioas, area_iova, page_size) == page_size);
	CHECK(check_refs(world.context, memory, 1) == ok);
}

TEST_CASE("a pin of memory that cannot be had")
{
	const World world;
	const Memory memory(4 * page_size);

	world.map(memory);
	SECTION("unmapped in the middle")
	{
		memory.unmap(2 * page_size, page_size);
		CHECK(world.access.try_pin(area_iova, 4 * page_size) == Errno{EFAULT});
		CHECK(world.refs(memory, 0, 2, 0) == ok);
		CHECK(world.access.try_pin(area_iova, 2 * page_size) == ok);
	}
	SECTION("no access")
	{
		memory.protect(PROT_NONE);
		CHECK(world.access.try_pin(area_iova, page_size) == Errno{EFAULT});
	}
	SECTION("writeable mapping of read-only memory, even for a read")
	{
		memory.protect(PROT_READ);
		CHECK(world.access.try_pin(area_iova, page_size) == Errno{EFAULT});
		CHECK(world.context.unmap_all(world.ioas) == memory.size());
		world.map(memory, map_read);
		CHECK(world.access.try_pin(area_iova, page_size) == ok);
	}
	SECTION("addresses that are none")
	{
		for (std::uint64_t va : {0UL, 0xffff888000000000UL}) {
			REQUIRE(world.context.try_map(world.ioas, va, page_size,
						      2 * area_iova) == ok);
			CHECK(world.access.try_pin(2 * area_iova, page_size) ==
			      Errno{EFAULT});
			CHECK(world.context.unmap(world.ioas, 2 * area_iova, page_size) ==
			      page_size);
		}
	}
}

TEST_CASE("a pin of pages that the kernel lends to the process")
{
	const World world;
	std::ifstream maps("/proc/self/maps");
	std::string line;
	std::uint64_t va = 0;
	char byte = 0;

	while (va == 0 && std::getline(maps, line))
		if (line.ends_with("[vvar]"))
			va = std::stoull(line, nullptr, 16);
	if (va == 0)
		skip("this process has no [vvar] pages");
	REQUIRE(world.context.try_map(world.ioas, va, page_size, area_iova,
				      map_read | map_fixed) == ok);
	CHECK(world.access.try_pin(area_iova, page_size) == Errno{EFAULT});
	CHECK(world.access.try_read(area_iova, &byte, 1, rw_slow) == Errno{EFAULT});
}

TEST_CASE("a pin whose answer cannot be written is undone")
{
	const World world;
	const Memory memory(2 * page_size);
	const PageAndHole page;
	auto cmd = test_command(IOMMUKIT_TEST_OP_ACCESS_PAGES, world.access.id());
	void *at = page.tail(sizeof(cmd));

	world.map(memory);
	cmd.access_pages.iova = area_iova;
	cmd.access_pages.length = memory.size();
	std::memcpy(at, &cmd, sizeof(cmd));
	page.write_protect();
	CHECK(call(world.context.fd(), IOMMUKIT_TEST_CMD, at) == Errno{EFAULT});
	CHECK(check_refs(world.context, memory, 0) == ok);
	CHECK(world.access.callbacks().items == 0);
}

TEST_CASE("a pin keeps the page whatever its owner does")
{
	const World world;
	const Memory memory(4 * page_size);

	memory.fill(3);
	world.map(memory);
	world.access.pin(area_iova, memory.size(), 0, memory.va());
	memory.unmap(0, memory.size());
	/* Copying by the pages, not by the address: they are all there. */
	CHECK(world.access.read(area_iova, memory.size(), rw_slow) ==
	      pattern_of(3, 0, memory.size()));
	CHECK(world.access.try_pin(area_iova, memory.size()) == ok);
	CHECK(world.context.unmap_all(world.ioas) == memory.size());
}

TEST_CASE("memory of all kinds")
{
	const World world;
	const auto pin_all = [&](const Memory &memory) {
		memory.fill(5);
		world.map(memory);
		world.access.pin(area_iova, memory.size(), pin_write, memory.va());
		CHECK(world.access.read(area_iova, 9000, rw_slow) ==
		      pattern_of(5, 0, 9000));
		CHECK(world.context.unmap_all(world.ioas) == memory.size());
	};

	SECTION("private, perhaps with huge pages")
	{
		pin_all(Memory(2 * huge_size, Memory::Kind::private_anonymous));
	}
	SECTION("shared")
	{
		pin_all(Memory(huge_size));
	}
	SECTION("hugetlb")
	{
		pin_all(Memory(2 * huge_size, Memory::Kind::huge));
	}
	SECTION("memfd")
	{
		const Fd file(memfd_create("pin", MFD_CLOEXEC));

		REQUIRE(ftruncate(file.get(), 64 * page_size) == 0);
		pin_all(Memory(64 * page_size, file.get(), PROT_READ | PROT_WRITE,
			       MAP_SHARED));
	}
}

TEST_CASE("parts of huge pages at odd offsets")
{
	const World world;
	const Memory memory(2 * huge_size, Memory::Kind::huge);
	const std::uint64_t around = huge_size - 3 * page_size;

	memory.fill(6);
	REQUIRE(world.context.try_map(world.ioas, memory.va() + around, 8 * page_size,
				      area_iova) == ok);
	const std::uint32_t item = world.access.pin(area_iova + page_size, 5 * page_size,
						    0, memory.va() + around + page_size);
	CHECK(world.access.read(area_iova, 8 * page_size, rw_slow) ==
	      pattern_of(6, around, 8 * page_size));
	CHECK(world.access.try_unpin(item) == ok);
}

/*
 * A page pinned for reading only must be the one the process sees after its
 * next write: copy-on-write has to be broken when pinning.
 */
TEST_CASE("pins for reading of private memory stay with the process")
{
	const World world;
	const Fd file(memfd_create("cow", MFD_CLOEXEC));

	REQUIRE(ftruncate(file.get(), 2 * page_size) == 0);
	SECTION("of a file")
	{
		const Memory memory(2 * page_size, file.get(), PROT_READ | PROT_WRITE,
				    MAP_PRIVATE);
		CHECK(memory.data()[0] == std::byte(0));
		world.map(memory, map_read);
		world.access.pin(area_iova, 2 * page_size);
		memory.fill(8);
		CHECK(world.access.try_pin(area_iova, 2 * page_size, 0, memory.va()) ==
		      ok);
		CHECK(world.access.read(area_iova, 2 * page_size, rw_slow) ==
		      pattern_of(8, 0, 2 * page_size));
	}
	SECTION("of a file, mapped without write")
	{
		const Memory memory(2 * page_size, file.get(), PROT_READ, MAP_PRIVATE);
		CHECK(memory.data()[0] == std::byte(0));
		world.map(memory, map_read);
		CHECK(world.access.try_pin(area_iova, 2 * page_size) == ok);
		memory.protect(PROT_READ | PROT_WRITE);
		memory.fill(9);
		CHECK(world.access.read(area_iova, 2 * page_size, rw_slow) ==
		      pattern_of(9, 0, 2 * page_size));
	}
	SECTION("anonymous and never written")
	{
		const Memory memory(2 * page_size, Memory::Kind::private_anonymous);
		CHECK(memory.data()[0] == std::byte(0));
		world.map(memory, map_read);
		world.access.pin(area_iova, 2 * page_size);
		memory.fill(10);
		CHECK(world.access.try_pin(area_iova, 2 * page_size, 0, memory.va()) ==
		      ok);
	}
	SECTION("shared memory that is read-only")
	{
		const Memory memory(2 * page_size, file.get(), PROT_READ, MAP_SHARED);
		world.map(memory, map_read);
		CHECK(world.access.try_pin(area_iova, 2 * page_size, 0, memory.va()) ==
		      ok);
	}
	CHECK(world.context.unmap_all(world.ioas) > 0);
}

TEST_CASE("pins for reading of private hugetlb that is read-only")
{
	const World world;
	const Memory memory(huge_size, -1, PROT_READ,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB);

	world.map(memory, map_read);
	CHECK(world.access.try_pin(area_iova, 4 * page_size, 0, memory.va()) == ok);
}

TEST_CASE("pins in small steps of temporary memory")
{
	const World world;
	const Memory memory(512 * page_size);
	struct Restore {
		const Context &context;
		~Restore()
		{
			set_temp_memory_limit(context, IOMMUKIT_TEST_TEMP_MEMORY_DEFAULT);
		}
	} restore{world.context};

	CHECK(set_temp_memory_limit(world.context, 11) == Errno{EINVAL});
	CHECK(set_temp_memory_limit(world.context, 0) == Errno{EINVAL});
	memory.fill(11);
	world.map(memory);
	for (std::uint32_t limit : {12U, 16U, 32U, 4096U}) {
		INFO("limit " << limit);
		REQUIRE(set_temp_memory_limit(world.context, limit) == ok);
		const std::uint32_t item = world.access.pin(area_iova, memory.size(),
							    pin_write, memory.va());
		CHECK(check_refs(world.context, memory, 1) == ok);
		CHECK(world.access.try_unpin(item) == ok);
		CHECK(check_refs(world.context, memory, 0) == ok);
		CHECK(world.access.read(area_iova + 1, memory.size() - 1, rw_slow) ==
		      pattern_of(11, 1, memory.size() - 1));
	}
}

TEST_CASE("many pins of many ranges")
{
	const World world;
	const Memory memory(64 * page_size);
	std::vector<std::uint32_t> items;

	world.map(memory);
	for (std::uint64_t first = 0; first < 64; first += 3)
		for (std::uint64_t pages = 1; first + pages <= 64; pages += 7)
			items.push_back(world.access.pin(
				area_iova + first * page_size, pages * page_size, 0,
				memory.va() + first * page_size));
	CHECK(world.refs(memory, 0, 60, 1) == ok);
	for (std::size_t i = 0; i < items.size(); i += 2)
		REQUIRE(world.access.try_unpin(items[i]) == ok);
	for (std::size_t i = 1; i < items.size(); i += 2)
		REQUIRE(world.access.try_unpin(items[i]) == ok);
	CHECK(check_refs(world.context, memory, 0) == ok);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copying through an access: by the owner of the memory, by another process and
 * by a kernel thread; within and across pages and mappings.
 */
#include "access.h"
#include "process.h"

#include <sys/mman.h>

#include <algorithm>
#include <memory>
#include <random>

using namespace guest;

namespace {

constexpr std::uint64_t area_iova = 0x100000;
constexpr std::uint64_t piece = 4 * page_size;

/* Who copies, and how the call is made. */
struct Mode {
	const char *name;
	bool owner_is_child;
	From from;
	std::uint32_t flags;
};

const Mode modes[] = {
	{"owner", false, From::caller, 0},
	{"owner, slow path", false, From::caller, rw_slow},
	{"owner that claims to be a kernel thread", false, From::caller, rw_kthread},
	{"other process", true, From::caller, 0},
	{"other process, slow path", true, From::caller, rw_slow},
	{"other process that claims to be a kernel thread", true, From::caller,
	 rw_kthread},
	{"kernel thread", true, From::kthread, rw_kthread},
	{"kernel thread without the flag", true, From::kthread, 0},
	{"kernel thread, slow path", true, From::kthread, rw_kthread | rw_slow},
};

/*
 * Twelve pages of shared memory, owned by this process or by a child, mapped in
 * two adjacent pieces with nothing around them.
 */
class World {
    public:
	explicit World(const Mode &how, std::uint64_t iova = area_iova)
		: mode(how), start(iova), ioas(context.ioas()), access(context, ioas, 0)
	{
		memory.fill(1);
		if (!mode.owner_is_child) {
			REQUIRE(map() == 0);
			return;
		}
		child = std::make_unique<Child>([&](const Child::Steps &step) {
			if (const int error = map())
				return error;
			step.meet();
			/* Unmaps the second page when told to. */
			memory.unmap(page_size, page_size);
			step.meet();
			return 0;
		});
		child->await();
	}

	Errno read(std::uint64_t offset, void *to, std::uint64_t length) const
	{
		return access.rw_raw(start + offset, to, length, mode.flags, mode.from);
	}
	Errno write(std::uint64_t offset, const void *data, std::uint64_t length) const
	{
		return access.rw_raw(start + offset, data, length, mode.flags | rw_write,
				     mode.from);
	}
	void unmap_second_page() const
	{
		if (!mode.owner_is_child) {
			memory.unmap(page_size, page_size);
			return;
		}
		child->resume();
		child->await();
	}
	std::vector<std::byte> content(std::uint64_t offset, std::uint64_t length) const
	{
		return {memory.data() + offset, memory.data() + offset + length};
	}

	const Mode &mode;
	std::uint64_t start;
	Context context;
	Memory memory{2 * piece};
	std::uint32_t ioas;
	Access access;

    private:
	int map() const
	{
		for (std::uint64_t n : {0UL, piece})
			if (const Errno error = context.try_map(ioas, memory.va() + n,
								piece, start + n);
			    error != ok)
				return error.value;
		return 0;
	}

	std::unique_ptr<Child> child;
};

struct Range {
	const char *name;
	std::uint64_t offset, length;
};

const Range ranges[] = {
	{"one byte", 5, 1},
	{"first byte", 0, 1},
	{"last byte", 2 * piece - 1, 1},
	{"inside a page", 100, 3000},
	{"a page", page_size, page_size},
	{"across a page", page_size - 7, 15},
	{"across a mapping", piece - 1, 2},
	{"several pages", 77, 3 * page_size},
	{"across pages and a mapping", piece - page_size - 3, 2 * page_size + 6},
	{"everything", 0, 2 * piece},
};

} // namespace

TEST_CASE("rw copies the bytes of the range and no other")
{
	for (const Mode &mode : modes) {
		DYNAMIC_SECTION(mode.name)
		{
			const World world(mode);

			for (const Range &range : ranges) {
				const auto data = pattern_of(2, 0, range.length);
				std::vector<std::byte> buffer(range.length);

				INFO(range.name);
				world.memory.fill(1);
				CHECK(world.read(range.offset, buffer.data(),
						 range.length) == ok);
				CHECK(buffer ==
				      pattern_of(1, range.offset, range.length));
				CHECK(world.write(range.offset, data.data(),
						  range.length) == ok);
				CHECK(world.content(range.offset, range.length) == data);
				CHECK(world.content(0, range.offset) ==
				      pattern_of(1, 0, range.offset));
				const std::uint64_t end = range.offset + range.length;
				CHECK(world.content(end, 2 * piece - end) ==
				      pattern_of(1, end, 2 * piece - end));
			}
		}
	}
}

TEST_CASE("rw into a gap fails after copying what is in front of it")
{
	for (const Mode &mode : modes) {
		DYNAMIC_SECTION(mode.name)
		{
			const World world(mode);
			const auto data = pattern_of(3, 0, 2 * piece);
			const std::uint64_t tail = 2 * piece - 10;
			std::vector<std::byte> buffer(100);

			CHECK(world.write(tail, data.data(), 11) == Errno{ENOENT});
			CHECK(world.content(tail, 10) == pattern_of(3, 0, 10));
			CHECK(world.read(tail, buffer.data(), 11) == Errno{ENOENT});
			CHECK(world.read(2 * piece, buffer.data(), 1) == Errno{ENOENT});
			CHECK(world.read(-1UL, buffer.data(), 1) == Errno{ENOENT});
			/* A gap in the middle, two areas behind it. */
			REQUIRE(world.context.unmap(world.ioas, world.start, piece) ==
				piece);
			CHECK(world.write(piece - 1, data.data(), 2) == Errno{ENOENT});
			CHECK(world.content(piece, 10) == pattern_of(1, piece, 10));
			CHECK(world.write(piece, data.data(), 10) == ok);
		}
	}
}

TEST_CASE("rw of memory that is not there")
{
	for (const Mode &mode : modes) {
		DYNAMIC_SECTION(mode.name)
		{
			const World world(mode);
			std::vector<std::byte> buffer(2 * piece);

			world.unmap_second_page();
			CHECK(world.read(page_size, buffer.data(), 8) == Errno{EFAULT});
			CHECK(world.write(page_size, buffer.data(), 8) == Errno{EFAULT});
			CHECK(world.read(0, buffer.data(), 2 * page_size) ==
			      Errno{EFAULT});
			CHECK(world.write(page_size - 1, buffer.data(), 2) ==
			      Errno{EFAULT});
			/* The fault comes before the gap behind it. */
			CHECK(world.read(page_size, buffer.data(), 2 * piece) ==
			      Errno{EFAULT});
			CHECK(world.read(0, buffer.data(), page_size) == ok);
			CHECK(world.write(2 * page_size, buffer.data(), page_size) == ok);
		}
	}
}

TEST_CASE("rw wherever the IOVA and the address lie within a page")
{
	std::mt19937_64 random(seed());

	for (const Mode &mode : modes) {
		DYNAMIC_SECTION(mode.name)
		{
			const World world(mode, area_iova + 2048 + 1);
			std::vector<std::byte> buffer(2 * piece);

			for (unsigned int i = 0; i < 60; i++) {
				const std::uint64_t offset = random() % (2 * piece);
				const std::uint64_t length =
					1 + random() % (2 * piece - offset);

				INFO(length << " bytes at " << offset);
				buffer.resize(length);
				REQUIRE(world.read(offset, buffer.data(), length) == ok);
				REQUIRE(buffer == pattern_of(1, offset, length));
				REQUIRE(world.write(offset, buffer.data(), length) == ok);
			}
			CHECK(world.content(0, 2 * piece) == pattern_of(1, 0, 2 * piece));
		}
	}
}

TEST_CASE("rw of mappings that begin inside a page")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Access access(context, ioas, 0);
	const Memory memory(4 * page_size);

	memory.fill(4);
	/* Three pieces of one buffer, with seams inside pages. */
	REQUIRE(context.try_map(ioas, memory.va() + 100, 5000, area_iova) == ok);
	REQUIRE(context.try_map(ioas, memory.va() + 9000, 700, area_iova + 5000) == ok);
	REQUIRE(context.try_map(ioas, memory.va() + 3, 1, area_iova + 5700) == ok);
	for (std::uint32_t flags : {0U, rw_slow}) {
		auto expected = pattern_of(4, 100, 5000);
		const auto second = pattern_of(4, 9000, 700);

		expected.insert(expected.end(), second.begin(), second.end());
		expected.push_back(pattern(4, 3));
		CHECK(access.read(area_iova, 5701, flags) == expected);
	}
}

TEST_CASE("rw rejections of the test command, in order")
{
	using Test = iommukit_test_cmd;
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Access access(context, ioas, 0);
	const Memory memory(page_size);
	const Memory buffer(page_size);
	auto valid = test_command(IOMMUKIT_TEST_OP_ACCESS_RW, access.id());
	const auto issue = [&](Test &cmd) { return test_call(context, cmd); };
	std::vector<Fault<Test>> faults{
		{"longer than the test module takes", "length",
		 [](Test &cmd) {
			 cmd.access_rw.length = IOMMUKIT_TEST_ACCESS_LENGTH_MAX + 1;
		 },
		 ENOMEM},
		{"unknown flag", "flags",
		 [](Test &cmd) { cmd.access_rw.flags |= rw_kthread; }, EOPNOTSUPP},
		{"not an access", "id", [](Test &cmd) { cmd.id = 12345; }, EBADFD},
	};
	const std::vector<Fault<Test>> of_the_range{
		{"no length", "length", [](Test &cmd) { cmd.access_rw.length = 0; },
		 EINVAL},
		{"wraps", "iova", [](Test &cmd) { cmd.access_rw.iova = all_ones - 8; },
		 EOVERFLOW},
		{"no mapping", "iova", [](Test &cmd) { cmd.access_rw.iova = 16; },
		 ENOENT},
	};
	const Fault<Test> bad_buffer{"bad buffer", "uptr",
				     [](Test &cmd) { cmd.access_rw.uptr = 16; }, EFAULT};

	context.map(ioas, memory, area_iova);
	valid.access_rw.iova = area_iova;
	valid.access_rw.length = 100;
	valid.access_rw.uptr = buffer.va();
	SECTION("write: the buffer is read first")
	{
		valid.access_rw.flags = rw_write;
		/* Nothing is read from a buffer of no length. */
		faults.push_back(bad_buffer);
		faults.insert(faults.end(), of_the_range.begin() + 1, of_the_range.end());
		check_ordered<Test>(faults, valid, issue);
	}
	SECTION("read: the buffer is written last")
	{
		faults.insert(faults.end(), of_the_range.begin(), of_the_range.end());
		faults.push_back(bad_buffer);
		check_ordered<Test>(faults, valid, issue);
	}
	SECTION("a failing read leaves the buffer alone")
	{
		auto cmd = valid;

		buffer.fill(7);
		cmd.access_rw.iova = area_iova + page_size - 50;
		CHECK(issue(cmd) == Errno{ENOENT});
		CHECK(std::vector(buffer.data(), buffer.data() + 100) ==
		      pattern_of(7, 0, 100));
	}
}

TEST_CASE("rw rejections of the kernel's call, in order")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Memory memory(page_size);
	const Access access = Access::extended(context, 0, 0);
	constexpr std::uint32_t unknown = 1 << 3;
	char data[16] = {};
	const auto rw = [&](std::uint64_t iova, std::uint64_t length,
			    std::uint32_t flags) {
		return access.rw_raw(iova, data, length, flags);
	};

	context.map(ioas, memory, area_iova, map_read);
	/* Not attached. */
	CHECK(rw(all_ones, 0, unknown) == Errno{EINVAL});
	CHECK(rw(all_ones, 2, unknown) == Errno{EOVERFLOW});
	CHECK(rw(all_ones, 2, 0) == Errno{EOVERFLOW});
	CHECK(rw(area_iova, 1, unknown) == Errno{EINVAL});
	CHECK(rw(area_iova, 1, 0) == Errno{ENOENT});
	REQUIRE(access.try_attach(ioas) == ok);
	CHECK(rw(area_iova, 1, 0) == ok);
	for (unsigned int bit = 3; bit < 32; bit++)
		CHECK(rw(area_iova, 1, 1U << bit) == Errno{EINVAL});
	/* Permission comes before the gap behind the mapping. */
	CHECK(rw(area_iova + page_size - 1, 2, rw_write) == Errno{EPERM});
	CHECK(rw(area_iova + page_size - 1, 2, 0) == Errno{ENOENT});
	access.detach();
	CHECK(rw(area_iova, 1, 0) == Errno{ENOENT});
}

TEST_CASE("permissions of rw")
{
	const struct {
		const char *name;
		std::uint32_t map_flags;
		int read_error, write_error;
	} table[] = {
		{"read only", map_read, 0, EPERM},
		{"write only", map_write, EPERM, 0},
		{"both", map_rw, 0, 0},
	};
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Access access(context, ioas, 0);
	const Memory memory(2 * page_size);
	char data[16] = {};

	for (const auto &row : table) {
		for (std::uint32_t flags : {0U, rw_slow}) {
			INFO(row.name << ", flags " << flags);
			context.map(ioas, memory, area_iova, row.map_flags);
			memory.fill(1);
			/* Across a page: a copy by pages. */
			const std::uint64_t at = area_iova + page_size - 8;

			CHECK(access.try_read(at, data, 16, flags) ==
			      Errno{row.read_error});
			CHECK(access.try_write(at, data, 16, flags) ==
			      Errno{row.write_error});
			if (row.write_error)
				CHECK(std::vector(memory.data(),
						  memory.data() + memory.size()) ==
				      pattern_of(1, 0, memory.size()));
			CHECK(context.unmap_all(ioas) == memory.size());
		}
	}
}

TEST_CASE("rw to memory that its owner may not write")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Access access(context, ioas, 0);
	const Memory memory(2 * page_size);
	char data[16] = {};

	context.map(ioas, memory, area_iova);
	memory.protect(PROT_READ);
	for (std::uint32_t flags : {0U, rw_slow})
		for (std::uint64_t at : {0UL, page_size - 8})
			CHECK(access.try_write(area_iova + at, data, 16, flags) ==
			      Errno{EFAULT});
	CHECK(access.try_read(area_iova + page_size - 8, data, 16) == ok);
}

TEST_CASE("after its address is gone, a pinned page is reached as such only")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Access pinner(context, ioas);
	const Memory memory(4 * page_size);
	std::vector<std::byte> buffer(4 * page_size);

	memory.fill(1);
	context.map(ioas, memory, area_iova);
	pinner.pin(area_iova, 4 * page_size);
	memory.unmap(0, 4 * page_size);
	/* By the address: the caller's own, or one page of another's. */
	CHECK(pinner.try_read(area_iova, buffer.data(), 4 * page_size) == Errno{EFAULT});
	CHECK(pinner.try_read(area_iova, buffer.data(), 8, rw_slow) == Errno{EFAULT});
	/* By the pages. */
	CHECK(pinner.read(area_iova, 4 * page_size, rw_slow) ==
	      pattern_of(1, 0, 4 * page_size));
}

TEST_CASE("rw leaves nothing pinned")
{
	for (const Mode &mode : modes) {
		const World world(mode);
		std::vector<std::byte> buffer(2 * piece);

		INFO(mode.name);
		CHECK(world.read(0, buffer.data(), 2 * piece) == ok);
		CHECK(world.write(3, buffer.data(), 2 * piece - 3) == ok);
		CHECK(check_refs(world.context, world.memory, 0) == ok);
	}
}

TEST_CASE("rw at the very last IOVA")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Access access(context, ioas, 0);
	const Memory memory(page_size);
	char data[2] = {};

	memory.fill(1);
	REQUIRE(context.try_map(ioas, memory.va(), page_size, all_ones - page_size + 1) ==
		ok);
	CHECK(access.read(all_ones, 1) == pattern_of(1, page_size - 1, 1));
	CHECK(access.read(all_ones, 1, rw_slow) == pattern_of(1, page_size - 1, 1));
	CHECK(access.try_read(all_ones, data, 2) == Errno{EOVERFLOW});
}

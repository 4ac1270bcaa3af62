// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO's type1 ioctls on the descriptor of iommukit, and the IOAS they work on.
 * Unmapping parts of mappings is in test_vfio_cut.cpp.
 */
#include "process.h"
#include "vfio.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

using namespace guest;

namespace {

constexpr std::uint64_t area_iova = 0x100000;
/* Bytes behind a structure that must not change. */
constexpr std::size_t guard = 64;

struct World {
	World() : ioas(context.ioas()) { vfio_set(context, ioas); }

	Context context;
	std::uint32_t ioas;
	Memory memory{4 * page_size};
};

/* The three commands with a structure, and what they read of it. */
struct Row {
	const char *name;
	unsigned long request;
	std::size_t read;
};

const Row rows[] = {
	{"GET_INFO", VFIO_IOMMU_GET_INFO, 16},
	{"MAP_DMA", VFIO_IOMMU_MAP_DMA, 32},
	{"UNMAP_DMA", VFIO_IOMMU_UNMAP_DMA, 24},
};

} // namespace

/* ---- VFIO_IOAS ---- */

TEST_CASE("VFIO_IOAS rejections")
{
	const World world;
	const Context &context = world.context;
	std::uint32_t access_id = 0;
	const Access access = Access::extended(context, 0, 0, &access_id);
	auto valid = command<iommukit_vfio_ioas>();
	const auto issue = [&](auto &cmd) {
		return call(context.fd(), IOMMUKIT_VFIO_IOAS, &cmd);
	};

	valid.op = IOMMUKIT_VFIO_IOAS_SET;
	valid.ioas_id = world.ioas;
	check_ordered<iommukit_vfio_ioas>(
		{
			{"reserved", "__reserved", [](auto &cmd) { cmd.__reserved = 1; },
			 EOPNOTSUPP},
			{"no such op", "op", [](auto &cmd) { cmd.op = 3; }, EOPNOTSUPP},
			{"the largest op", "op", [](auto &cmd) { cmd.op = 0xffff; },
			 EOPNOTSUPP},
			{"no id", "ioas_id", [](auto &cmd) { cmd.ioas_id = 0; }, ENOENT},
			{"no such object", "ioas_id", [](auto &cmd) { cmd.ioas_id = 99; },
			 ENOENT},
			{"no IOAS", "ioas_id",
			 [&](auto &cmd) { cmd.ioas_id = access_id; }, ENOENT},
		},
		valid, issue);
	/* All of them left it as it was. */
	CHECK(vfio_get(context) == world.ioas);

	SECTION("every op looks at the reserved bits, and only SET at the id")
	{
		for (std::uint16_t op :
		     {IOMMUKIT_VFIO_IOAS_GET, IOMMUKIT_VFIO_IOAS_CLEAR}) {
			auto cmd = valid;

			cmd.op = op;
			cmd.__reserved = 0x8000;
			CHECK(issue(cmd) == Errno{EOPNOTSUPP});
			cmd.__reserved = 0;
			cmd.ioas_id = 99;
			CHECK(issue(cmd) == ok);
		}
	}
	SECTION("only GET writes its structure")
	{
		const PageAndHole memory;
		auto *cmd = static_cast<iommukit_vfio_ioas *>(memory.tail(sizeof(valid)));
		const auto issue_as = [&](std::uint16_t op) {
			memory.make_writable();
			*cmd = valid;
			cmd->op = op;
			memory.write_protect();
			return issue(*cmd);
		};

		CHECK(issue_as(IOMMUKIT_VFIO_IOAS_GET) == Errno{EFAULT});
		CHECK(issue_as(IOMMUKIT_VFIO_IOAS_SET) == ok);
		CHECK(issue_as(IOMMUKIT_VFIO_IOAS_CLEAR) == ok);
	}
}

TEST_CASE("the compatibility IOAS")
{
	const Context context;
	const std::uint32_t one = context.ioas(), two = context.ioas();
	std::uint32_t id = 0;

	CHECK(try_vfio_get(context, &id) == Errno{ENODEV});
	CHECK(id == 0);
	vfio_set(context, two);
	CHECK(vfio_get(context) == two);

	SECTION("is chosen anew, or again")
	{
		for (std::uint32_t next : {two, one, one, two}) {
			vfio_set(context, next);
			CHECK(vfio_get(context) == next);
		}
	}
	SECTION("is given up, which destroys nothing")
	{
		vfio_clear(context);
		CHECK(try_vfio_get(context, &id) == Errno{ENODEV});
		vfio_clear(context);
		CHECK(context.try_destroy(two) == ok);
	}
	SECTION("is of its own context")
	{
		const Context other;

		CHECK(try_vfio_get(other, &id) == Errno{ENODEV});
		vfio_set(other, other.ioas());
		CHECK(vfio_get(other) == 1);
		CHECK(vfio_get(context) == two);
	}
	SECTION("is destroyed like any other, and then there is none")
	{
		CHECK(context.try_destroy(one) == ok);
		CHECK(vfio_get(context) == two);
		CHECK(context.try_destroy(two) == ok);
		CHECK(try_vfio_get(context, &id) == Errno{ENODEV});
		/* Not even when the ids are taken again. */
		CHECK(context.ioas() == one);
		CHECK(context.ioas() == two);
		CHECK(try_vfio_get(context, &id) == Errno{ENODEV});
		CHECK(try_map_dma(context, 0, page_size, area_iova) == Errno{ENODEV});
	}
	SECTION("is the one that is worked on")
	{
		const Memory memory(page_size);

		REQUIRE(try_map_dma(context, memory.va(), page_size, area_iova) == ok);
		vfio_set(context, one);
		CHECK(try_map_dma(context, memory.va(), page_size, area_iova) == ok);
		CHECK(context.unmap_all(one) == page_size);
		CHECK(context.unmap_all(two) == page_size);
	}
}

/* ---- the container ---- */

TEST_CASE("GET_API_VERSION and CHECK_EXTENSION")
{
	const Context context;
	const struct {
		unsigned long extension;
		int answer;
	} table[] = {
		{VFIO_TYPE1_IOMMU, 1},
		{VFIO_TYPE1v2_IOMMU, 1},
		{VFIO_UNMAP_ALL, 1},
		{VFIO_TYPE1_NESTING_IOMMU, 0},
		{VFIO_NOIOMMU_IOMMU, 0},
		{VFIO_UPDATE_VADDR, 0},
		{VFIO_SPAPR_TCE_IOMMU, 0},
		{0, 0},
		{11, 0},
		{all_ones, 0},
		{VFIO_TYPE1_IOMMU | 1UL << 32, 0},
	};
	const auto check_all = [&] {
		CHECK(vfio_answer(context, VFIO_GET_API_VERSION, 16) == 0);
		for (const auto &row : table) {
			INFO("extension " << row.extension);
			CHECK(vfio_answer(context, VFIO_CHECK_EXTENSION, row.extension) ==
			      row.answer);
		}
	};

	check_all();
	CHECK(vfio_answer(context, VFIO_CHECK_EXTENSION, VFIO_DMA_CC_IOMMU) == -ENODEV);
	vfio_set(context, context.ioas());
	check_all();
	CHECK(vfio_answer(context, VFIO_CHECK_EXTENSION, VFIO_DMA_CC_IOMMU) == 1);
}

TEST_CASE("SET_IOMMU")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const auto huge_pages = [&] {
		std::uint64_t value = 2;

		REQUIRE(context.try_option(IOMMUKIT_OPTION_HUGE_PAGES,
					   IOMMUKIT_OPTION_OP_GET, ioas, &value) == ok);
		return value;
	};
	const auto set = [&](unsigned long type) {
		return vfio_answer(context, VFIO_SET_IOMMU, type);
	};
	const auto check_others = [&] {
		for (unsigned long type :
		     {0UL, 2UL, 4UL, 6UL, 7UL, 8UL, 9UL, 1UL << 32 | 1, all_ones}) {
			INFO("type " << type);
			CHECK(set(type) == -EINVAL);
		}
	};

	/* A wrong type goes before the want of an IOAS. */
	check_others();
	CHECK(set(VFIO_TYPE1_IOMMU) == -ENODEV);
	CHECK(set(VFIO_TYPE1v2_IOMMU) == -ENODEV);
	vfio_set(context, ioas);
	check_others();

	SECTION("the second version changes nothing")
	{
		CHECK(set(VFIO_TYPE1v2_IOMMU) == 0);
		CHECK(huge_pages() == 1);
		CHECK(context.alignment(ioas) == 1);
	}
	SECTION("the first version switches huge pages off, for good")
	{
		for (unsigned long type :
		     {VFIO_TYPE1_IOMMU, VFIO_TYPE1_IOMMU, VFIO_TYPE1v2_IOMMU}) {
			CHECK(set(type) == 0);
			CHECK(huge_pages() == 0);
			CHECK(context.alignment(ioas) == page_size);
		}
	}
	SECTION("which mappings may forbid")
	{
		REQUIRE(context.try_map(ioas, 0, page_size, area_iova + 1) == ok);
		CHECK(set(VFIO_TYPE1_IOMMU) == -EADDRINUSE);
		CHECK(huge_pages() == 1);
		CHECK(set(VFIO_TYPE1v2_IOMMU) == 0);
		context.unmap_all(ioas);
		CHECK(set(VFIO_TYPE1_IOMMU) == 0);
	}
}

TEST_CASE("other ioctls of VFIO")
{
	const World world;
	const int fd = world.context.fd();
	std::uint32_t cmd[32] = {sizeof(cmd)};
	const unsigned long words[] = {
		VFIO_IOMMU_ENABLE,
		VFIO_IOMMU_DISABLE,
		VFIO_IOMMU_DIRTY_PAGES,
		VFIO_GROUP_GET_STATUS,
		VFIO_DEVICE_GET_INFO,
		/* The whole word counts. */
		_IOR(VFIO_TYPE, VFIO_BASE + 0, std::uint32_t),
		_IOW(VFIO_TYPE, VFIO_BASE + 13, vfio_iommu_type1_dma_map),
		_IO(VFIO_TYPE + 1, VFIO_BASE + 13),
		_IO(0, VFIO_BASE + 12),
	};

	for (unsigned long word : words) {
		INFO("command word 0x" << std::hex << word);
		for (void *argument : {static_cast<void *>(nullptr), bad_pointer(),
				       static_cast<void *>(cmd)})
			CHECK(call(fd, word, argument) == Errno{ENOTTY});
	}
}

TEST_CASE("a structure of VFIO that cannot be read")
{
	const World world;
	const PageAndHole memory;
	const int fd = world.context.fd();

	for (const Row &row : rows) {
		DYNAMIC_SECTION(row.name)
		{
			std::memset(memory.tail(page_size), 0, page_size);
			CHECK(call(fd, row.request, nullptr) == Errno{EFAULT});
			CHECK(call(fd, row.request, bad_pointer()) == Errno{EFAULT});
			/* It is read before argsz is looked at. */
			CHECK(call(fd, row.request, memory.tail(row.read - 1)) ==
			      Errno{EFAULT});
			CHECK(call(fd, row.request, memory.tail(row.read)) ==
			      Errno{EINVAL});
			/* No more is read than that. */
			auto *argsz = static_cast<std::uint32_t *>(memory.tail(row.read));
			*argsz = static_cast<std::uint32_t>(row.read - 1);
			CHECK(call(fd, row.request, argsz) == Errno{EINVAL});
			vfio_clear(world.context);
			for (std::size_t size : {row.read, row.read + 1, ~0UL}) {
				*argsz = static_cast<std::uint32_t>(size);
				CHECK(call(fd, row.request, argsz) == Errno{ENODEV});
			}
		}
	}
}

/* ---- MAP_DMA ---- */

TEST_CASE("MAP_DMA rejections")
{
	const World world;
	const Context &context = world.context;
	auto valid = map_dma(world.memory.va(), page_size, area_iova);
	const auto issue = [&](vfio_iommu_type1_dma_map &cmd) {
		return call(context.fd(), VFIO_IOMMU_MAP_DMA, &cmd);
	};
	using Map = vfio_iommu_type1_dma_map;

	REQUIRE(try_add_reserved(context, world.ioas, 0x800000, page_size) == ok);
	REQUIRE(context.try_map(world.ioas, 0, page_size, 0x900000) == ok);
	SECTION("in order")
	{
		const std::vector<Fault<Map>> body{
			{"no length", "size", [](Map &cmd) { cmd.size = 0; }, EINVAL},
			{"too long", "size", [](Map &cmd) { cmd.size = all_ones; },
			 EINVAL},
			{"a page too long", "size",
			 [](Map &cmd) { cmd.size = all_ones - page_size + 1; }, EINVAL},
			{"memory that wraps", "vaddr",
			 [](Map &cmd) { cmd.vaddr = -page_size; }, EOVERFLOW},
			{"IOVA that wraps", "iova",
			 [](Map &cmd) { cmd.iova = -page_size + 1; }, EOVERFLOW},
			{"reserved IOVA", "iova", [](Map &cmd) { cmd.iova = 0x800fff; },
			 EINVAL},
			{"IOVA in use", "iova", [](Map &cmd) { cmd.iova = 0x900fff; },
			 EEXIST},
		};
		std::vector<Fault<Map>> faults{
			{"argsz too small", "argsz", [](Map &cmd) { cmd.argsz = 31; },
			 EINVAL},
			{"a flag of VADDR", "flags",
			 [](Map &cmd) { cmd.flags |= VFIO_DMA_MAP_FLAG_VADDR; }, EINVAL},
			{"an unknown flag", "flags",
			 [](Map &cmd) { cmd.flags |= 1U << 31; }, EINVAL},
		};

		faults.insert(faults.end(), body.begin(), body.end());
		check_ordered<Map>(faults, valid, issue);
		/* The want of an IOAS goes behind the head and before the body. */
		vfio_clear(context);
		for (const auto &fault : faults) {
			auto cmd = valid;

			INFO(fault.name);
			fault.inject(cmd);
			CHECK(issue(cmd) ==
			      Errno{fault.member == std::string("argsz") ||
						    fault.member == std::string("flags")
					    ? EINVAL
					    : ENODEV});
		}
	}
	SECTION("alignment, in the order of MAP")
	{
		REQUIRE(vfio_answer(context, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU) == 0);
		check_ordered<Map>(
			{
				{"size", "size", [](Map &cmd) { cmd.size -= 512; },
				 EINVAL},
				{"IOVA", "iova", [](Map &cmd) { cmd.iova += 512; },
				 EINVAL},
				{"IOVA in use", "iova",
				 [](Map &cmd) { cmd.iova = 0x900000; }, EEXIST},
				{"address", "vaddr", [](Map &cmd) { cmd.vaddr += 512; },
				 EINVAL},
			},
			valid, issue);
	}
	/* Nothing is mapped but the one page. */
	CHECK(context.unmap_all(world.ioas) == page_size);
}

TEST_CASE("MAP_DMA")
{
	const World world;
	const Context &context = world.context;
	const Access access(context, world.ioas, 0);
	const std::uint64_t va = world.memory.va();
	char byte = 0;

	world.memory.fill(1);
	SECTION("maps at the IOVA that it is given")
	{
		REQUIRE(try_map_dma(context, va, world.memory.size(), area_iova) == ok);
		CHECK(access.read(area_iova, world.memory.size()) ==
		      pattern_of(1, 0, world.memory.size()));
		CHECK(context.unmap(world.ioas, area_iova, world.memory.size()) ==
		      world.memory.size());
	}
	SECTION("byte by byte, where nothing demands an alignment")
	{
		REQUIRE(try_map_dma(context, va + 7, 3, area_iova + 5) == ok);
		CHECK(access.read(area_iova + 5, 3) == pattern_of(1, 7, 3));
	}
	SECTION("at the ends of the IOVA space")
	{
		REQUIRE(try_map_dma(context, va, page_size, 0) == ok);
		REQUIRE(try_map_dma(context, va, 1, all_ones) == ok);
		REQUIRE(try_map_dma(context, va, page_size - 1,
				    all_ones - page_size + 1) == ok);
		CHECK(access.try_read(all_ones, &byte, 1) == ok);
		CHECK(access.read(all_ones - 1, 2) ==
		      std::vector{pattern(1, page_size - 2), pattern(1, 0)});
		CHECK(context.unmap_all(world.ioas) == 2 * page_size);
	}
	SECTION("with the permissions that it is given")
	{
		const struct {
			std::uint32_t flags;
			int read, write;
		} table[] = {
			{0, EPERM, EPERM},
			{VFIO_DMA_MAP_FLAG_READ, 0, EPERM},
			{VFIO_DMA_MAP_FLAG_WRITE, EPERM, 0},
			{VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE, 0, 0},
		};

		for (const auto &row : table) {
			INFO("flags " << row.flags);
			REQUIRE(try_map_dma(context, va, page_size, area_iova,
					    row.flags) == ok);
			CHECK(access.try_read(area_iova, &byte, 1) == Errno{row.read});
			CHECK(access.try_write(area_iova, &byte, 1) == Errno{row.write});
			/* What was mapped without writing stays so. */
			CHECK(context.try_copy(world.ioas, 2 * area_iova, world.ioas,
					       area_iova, page_size) == Errno{row.write});
			context.unmap_all(world.ioas);
		}
	}
	SECTION("memory that is not there")
	{
		CHECK(try_map_dma(context, 0, page_size, area_iova) == ok);
		CHECK(access.try_read(area_iova, &byte, 1) == Errno{EFAULT});
	}
	SECTION("writes nothing back")
	{
		const PageAndHole memory;
		auto *cmd = static_cast<vfio_iommu_type1_dma_map *>(memory.tail(32));

		*cmd = map_dma(va, page_size, area_iova);
		cmd->argsz = ~0U;
		memory.write_protect();
		CHECK(call(context.fd(), VFIO_IOMMU_MAP_DMA, cmd) == ok);
	}
	SECTION("where ALLOW_IOVAS does not let others be placed")
	{
		REQUIRE(context.try_allow(world.ioas, {{0x1000, 0x1fff}}) == ok);
		CHECK(try_map_dma(context, va, page_size, area_iova) == ok);
	}
}

/* Of the context, not always the process's as with VFIO itself. */
TEST_CASE("MAP_DMA is accounted for as the context says")
{
	for (std::uint64_t per_process : {0, 1}) {
		const Context context;

		INFO("rlimit mode " << per_process);
		REQUIRE(context.try_set_option(IOMMUKIT_OPTION_RLIMIT_MODE, 0,
					       per_process) == ok);
		const std::uint32_t ioas = context.ioas();
		const Memory memory(page_size);
		vfio_set(context, ioas);
		const Access access(context, ioas);
		Child child([&](const Child::Steps &step) {
			int error = become_user(60000, 16 * page_size);

			if (!error)
				error = try_map_dma(context, memory.va(), page_size,
						    area_iova)
						.value;
			step.meet();
			return error;
		});

		child.await();
		access.pin(area_iova, page_size);
		CHECK(status_pages(child.pid(), "VmPin") == 1);
		CHECK(status_pages(child.pid(), "VmLck") == long(per_process));
		child.resume();
		CHECK(child.join() == 0);
	}
}

/* ---- UNMAP_DMA ---- */

TEST_CASE("UNMAP_DMA rejections")
{
	using Unmap = vfio_iommu_type1_dma_unmap;
	const World world;
	const Context &context = world.context;
	const auto issue = [&](Unmap &cmd) {
		return call(context.fd(), VFIO_IOMMU_UNMAP_DMA, &cmd);
	};
	const auto valid = unmap_dma(area_iova, 4 * page_size);

	context.map(world.ioas, world.memory, area_iova);
	SECTION("in order")
	{
		check_ordered<Unmap>(
			{
				{"argsz too small", "argsz",
				 [](Unmap &cmd) { cmd.argsz = 23; }, EINVAL},
				{"the dirty bitmap", "flags",
				 [](Unmap &cmd) { cmd.flags = 1; }, EINVAL},
				{"VADDR", "flags", [](Unmap &cmd) { cmd.flags = 4; },
				 EINVAL},
				{"VADDR of all", "flags",
				 [](Unmap &cmd) { cmd.flags = 6; }, EINVAL},
				{"an unknown flag", "flags",
				 [](Unmap &cmd) { cmd.flags = 1U << 31; }, EINVAL},
				{"no size", "size", [](Unmap &cmd) { cmd.size = 0; },
				 EINVAL},
				{"a range that wraps", "size",
				 [](Unmap &cmd) { cmd.size = -area_iova + 1; },
				 EOVERFLOW},
				{"a mapping that sticks out", "iova",
				 [](Unmap &cmd) { cmd.iova += 1; }, ENOENT},
			},
			valid, issue);
	}
	SECTION("no compatibility IOAS")
	{
		vfio_clear(context);
		for (auto [argsz, flags, error] : {std::tuple{24U, 0U, ENODEV},
						   {24U, 2U, ENODEV},
						   {23U, 0U, EINVAL},
						   {24U, 1U, EINVAL}}) {
			auto cmd = valid;

			cmd.argsz = argsz;
			cmd.flags = flags;
			cmd.size = 0;
			CHECK(issue(cmd) == Errno{error});
		}
		vfio_set(context, world.ioas);
	}
	SECTION("all, but with a range")
	{
		for (auto [iova, size] : {std::pair{area_iova, 0UL},
					  {0UL, 4 * page_size},
					  {area_iova, 4 * page_size},
					  {0UL, all_ones}}) {
			auto cmd = unmap_dma(iova, size);

			cmd.flags = VFIO_DMA_UNMAP_FLAG_ALL;
			CHECK(issue(cmd) == Errno{EINVAL});
			CHECK(cmd.size == size);
		}
	}
	CHECK(context.unmap_all(world.ioas) == 4 * page_size);
}

TEST_CASE("UNMAP_DMA")
{
	const World world;
	const Context &context = world.context;
	std::uint64_t unmapped = 1;

	for (std::uint64_t n = 0; n < 4; n++)
		REQUIRE(try_map_dma(context, world.memory.va() + n * page_size, page_size,
				    area_iova + 2 * n * page_size) == ok);

	SECTION("tells what was mapped in the range")
	{
		CHECK(try_unmap_dma(context, 0, 2 * area_iova, &unmapped) == ok);
		CHECK(unmapped == 4 * page_size);
	}
	SECTION("succeeds where nothing is mapped")
	{
		CHECK(try_unmap_dma(context, area_iova + page_size, page_size,
				    &unmapped) == ok);
		CHECK(unmapped == 0);
		CHECK(try_unmap_dma(context, all_ones, 1, &unmapped) == ok);
		CHECK(try_unmap_dma(context, 1UL << 63, 1UL << 63, &unmapped) == ok);
		CHECK(unmapped == 0);
	}
	SECTION("of a size that only UNMAP refuses")
	{
		CHECK(try_unmap_dma(context, 0, all_ones, &unmapped) == ok);
		CHECK(unmapped == 4 * page_size);
	}
	SECTION("tells what is gone, also if a mapping sticks out")
	{
		CHECK(try_unmap_dma(context, area_iova, 4 * page_size + 1, &unmapped) ==
		      Errno{ENOENT});
		CHECK(unmapped == 2 * page_size);
		CHECK(context.unmap_all(world.ioas) == 2 * page_size);
	}
	SECTION("tells that nothing is gone, if the range wraps")
	{
		CHECK(try_unmap_dma(context, area_iova, -page_size, &unmapped) ==
		      Errno{EOVERFLOW});
		CHECK(unmapped == 0);
	}
	SECTION("of all")
	{
		auto cmd = unmap_dma(0, 0);

		cmd.flags = VFIO_DMA_UNMAP_FLAG_ALL;
		CHECK(call(context.fd(), VFIO_IOMMU_UNMAP_DMA, &cmd) == ok);
		CHECK(cmd.size == 4 * page_size);
		cmd.size = 0;
		CHECK(call(context.fd(), VFIO_IOMMU_UNMAP_DMA, &cmd) == ok);
		CHECK(cmd.size == 0);
	}
	SECTION("writes 24 bytes, whatever argsz")
	{
		std::vector<std::byte> buffer(24 + guard, std::byte(0xaa));
		auto cmd = unmap_dma(area_iova, 3 * page_size);

		cmd.argsz = 24 + guard;
		std::memcpy(buffer.data(), &cmd, 24);
		CHECK(call(context.fd(), VFIO_IOMMU_UNMAP_DMA, buffer.data()) == ok);
		cmd.size = 2 * page_size;
		CHECK(std::memcmp(buffer.data(), &cmd, 24) == 0);
		CHECK(std::all_of(buffer.begin() + 24, buffer.end(),
				  [](std::byte b) { return b == std::byte(0xaa); }));
	}
	SECTION("has its effect, even if it cannot be told")
	{
		const PageAndHole memory;
		auto *cmd = static_cast<vfio_iommu_type1_dma_unmap *>(memory.tail(24));
		const auto issue = [&](std::uint64_t size) {
			memory.make_writable();
			*cmd = unmap_dma(area_iova, size);
			memory.write_protect();
			return call(context.fd(), VFIO_IOMMU_UNMAP_DMA, cmd);
		};

		CHECK(issue(page_size) == Errno{EFAULT});
		/* This wins over what would be told. */
		CHECK(issue(2 * page_size + 1) == Errno{EFAULT});
		CHECK(issue(0) == Errno{EFAULT});
		CHECK(issue(3 * page_size) == Errno{EFAULT});
		CHECK(context.unmap_all(world.ioas) == 2 * page_size);
	}
}

/* ---- GET_INFO ---- */

namespace {

void put(std::vector<std::byte> &at, std::size_t offset, auto value)
{
	std::memcpy(&at[offset], &value, sizeof(value));
}

/* What GET_INFO makes of a buffer, as the specification has it. */
void answer(std::vector<std::byte> &buffer, std::uint32_t argsz,
	    const std::vector<iommukit_iova_range> &ranges)
{
	const std::size_t total = 56 + ranges.size() * 16;
	std::vector<std::byte> info(24);

	put(info, 0, static_cast<std::uint32_t>(total));
	put(info, 4, std::uint32_t{3});
	put(info, 8, std::uint64_t{0xfffffffffffff000});
	put(info, 16, std::uint32_t{argsz >= total ? 24U : 0});
	std::copy_n(info.begin(), std::min<std::size_t>(argsz, 24), buffer.begin());
	if (argsz >= 36) {
		put(buffer, 24, std::uint16_t{3});
		put(buffer, 26, std::uint16_t{1});
		put(buffer, 28, std::uint32_t{argsz >= 40 ? 40U : 0});
		put(buffer, 32, ~std::uint32_t{0});
	}
	if (argsz >= total) {
		put(buffer, 40, std::uint16_t{1});
		put(buffer, 42, std::uint16_t{1});
		put(buffer, 44, std::uint32_t{0});
		put(buffer, 48, static_cast<std::uint32_t>(ranges.size()));
		put(buffer, 52, std::uint32_t{0});
	}
	for (std::size_t n = 0; n < ranges.size() && 56 + (n + 1) * 16 <= argsz; n++)
		put(buffer, 56 + n * 16, ranges[n]);
}

void check_every_argsz(const Context &context,
		       const std::vector<iommukit_iova_range> &ranges)
{
	const std::size_t total = 56 + ranges.size() * 16;

	for (std::uint32_t argsz = 0; argsz <= total + 17; argsz++) {
		std::vector<std::byte> buffer(argsz + guard, std::byte(0xaa));

		INFO("argsz " << argsz << " of " << total);
		put(buffer, 0, argsz);
		auto expected = buffer;
		if (argsz >= 16)
			answer(expected, argsz, ranges);
		CHECK(call(context.fd(), VFIO_IOMMU_GET_INFO, buffer.data()) ==
		      Errno{argsz < 16 ? EINVAL : 0});
		CHECK(buffer == expected);
	}
}

} // namespace

TEST_CASE("GET_INFO, byte by byte")
{
	const World world;
	const Context &context = world.context;
	const auto reserve = [&](std::uint64_t start, std::uint64_t length) {
		REQUIRE(try_add_reserved(context, world.ioas, start, length) == ok);
	};

	SECTION("one range")
	{
		check_every_argsz(context, {{0, all_ones}});
	}
	SECTION("with mappings, an allowed list and page alignment")
	{
		context.map(world.ioas, world.memory, area_iova);
		REQUIRE(context.try_allow(world.ioas, {{0x1000, 0x1fff}}) == ok);
		REQUIRE(vfio_answer(context, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU) == 0);
		check_every_argsz(context, {{0, all_ones}});
	}
	SECTION("several ranges")
	{
		reserve(0x1000, 0x1000);
		reserve(0xfee00000, 0x100000);
		reserve(all_ones - 0xfff, 0x1000);
		check_every_argsz(context, {{0, 0xfff},
					    {0x2000, 0xfedfffff},
					    {0xfef00000, all_ones - 0x1000}});
	}
	SECTION("no range")
	{
		reserve(0, 1UL << 63);
		reserve(1UL << 63, 1UL << 63);
		check_every_argsz(context, {});
	}
}

TEST_CASE("GET_INFO where it cannot be written")
{
	const World world;
	const PageAndHole memory;
	const auto issue = [&](std::size_t room, std::uint32_t argsz) {
		auto *at = static_cast<std::byte *>(memory.tail(room));

		std::memset(at, 0xaa, room);
		std::memcpy(at, &argsz, sizeof(argsz));
		return call(world.context.fd(), VFIO_IOMMU_GET_INFO, at);
	};

	SECTION("because argsz promises more than there is")
	{
		for (std::size_t room : {16, 23, 24, 35, 36, 55, 56, 71}) {
			INFO("room for " << room);
			CHECK(issue(room, 72) == Errno{EFAULT});
			CHECK(issue(room, ~0U) == Errno{EFAULT});
			CHECK(issue(room, static_cast<std::uint32_t>(room)) == ok);
		}
		CHECK(issue(72, ~0U) == ok);
	}
	SECTION("because it is read-only")
	{
		for (std::uint32_t argsz : {16, 24, 72}) {
			memory.make_writable();
			auto *at = static_cast<std::byte *>(memory.tail(72));
			std::memset(at, 0xaa, 72);
			std::memcpy(at, &argsz, sizeof(argsz));
			memory.write_protect();
			CHECK(call(world.context.fd(), VFIO_IOMMU_GET_INFO, at) ==
			      Errno{EFAULT});
		}
	}
}

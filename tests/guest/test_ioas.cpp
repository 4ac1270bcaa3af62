// SPDX-License-Identifier: GPL-2.0-only
/* Objects and ids, allowed and reserved IOVA, the report of ranges, options. */
#include "access.h"
#include "process.h"

#include <linux/capability.h>
#include <sys/mman.h>

#include <cstring>

using namespace guest;

namespace {

constexpr std::uint64_t area_iova = 0x10000;

struct World {
	World() : ioas(context.ioas()) {}

	Context context;
	std::uint32_t ioas;
	Memory memory{4 * page_size};
};

bool same(const std::vector<iommukit_iova_range> &a,
	  const std::vector<iommukit_iova_range> &b)
{
	return a.size() == b.size() &&
	       std::memcmp(a.data(), b.data(), a.size() * sizeof(a[0])) == 0;
}

/* Where automatic placement puts one page shows which ranges are allowed. */
std::uint64_t first_page(const World &world)
{
	std::uint64_t iova = 0;

	REQUIRE(world.context.try_map_auto(world.ioas, world.memory.va(), page_size,
					   &iova) == ok);
	REQUIRE(world.context.unmap(world.ioas, iova, page_size) == page_size);
	return iova;
}

} // namespace

TEST_CASE("IOAS_ALLOC rejections")
{
	const Context context;

	SECTION("flags")
	{
		auto cmd = command<iommukit_ioas_alloc>();

		for (unsigned int bit = 0; bit < 32; bit++) {
			cmd.flags = 1U << bit;
			CHECK(call(context.fd(), IOMMUKIT_IOAS_ALLOC, &cmd) ==
			      Errno{EOPNOTSUPP});
		}
	}
	SECTION("a response that cannot be written removes the object again")
	{
		const PageAndHole memory;
		auto *cmd = static_cast<iommukit_ioas_alloc *>(
			memory.tail(sizeof(iommukit_ioas_alloc)));

		*cmd = command<iommukit_ioas_alloc>();
		memory.write_protect();
		CHECK(call(context.fd(), IOMMUKIT_IOAS_ALLOC, cmd) == Errno{EFAULT});
	}
	CHECK(context.try_destroy(1) == Errno{ENOENT});
	CHECK(context.ioas() == 1);
}

TEST_CASE("ids are the lowest free ones from 1 on")
{
	const Context context;

	CHECK(context.try_destroy(0) == Errno{ENOENT});
	for (std::uint32_t id = 1; id <= 20; id++)
		CHECK(context.ioas() == id);
	for (std::uint32_t id : {7U, 3U, 20U, 12U})
		context.destroy(id);
	for (std::uint32_t id : {3U, 7U, 12U, 20U, 21U})
		CHECK(context.ioas() == id);

	SECTION("accesses share them")
	{
		context.destroy(5);
		const Access access(context, 1);

		CHECK(context.try_destroy(5) == Errno{EBUSY});
		CHECK(context.ioas() == 22);
	}
}

TEST_CASE("DESTROY")
{
	const World world;
	const Context &context = world.context;

	SECTION("of ids that do not exist")
	{
		for (std::uint32_t id :
		     {0U, world.ioas + 1, 0x7fffffffU, 0x80000000U, ~0U})
			CHECK(context.try_destroy(id) == Errno{ENOENT});
		context.destroy(world.ioas);
		CHECK(context.try_destroy(world.ioas) == Errno{ENOENT});
	}
	SECTION("of an IOAS full of mappings")
	{
		for (unsigned int i = 0; i < 100; i++)
			context.map(world.ioas, world.memory,
				    area_iova + i * 8 * page_size);
		CHECK(context.try_destroy(world.ioas) == ok);
		CHECK(check_refs(context, world.memory, 0) == ok);
	}
	SECTION("of an IOAS with an access, and of the access")
	{
		Access access(context, world.ioas);
		const std::uint32_t access_id = world.ioas + 1;

		CHECK(context.try_destroy(world.ioas) == Errno{EBUSY});
		CHECK(context.try_destroy(access_id) == Errno{EBUSY});
		access.close();
		CHECK(context.try_destroy(access_id) == Errno{ENOENT});
		CHECK(context.try_destroy(world.ioas) == ok);
	}
	SECTION("of an IOAS with pinned pages leaves all as it was")
	{
		const Access access(context, world.ioas);

		context.map(world.ioas, world.memory, area_iova);
		const std::uint32_t item =
			access.pin(area_iova, page_size, 0, world.memory.va());
		CHECK(context.try_destroy(world.ioas) == Errno{EBUSY});
		CHECK(check_refs(context, world.memory.va(), page_size, 1) == ok);
		CHECK(access.try_unpin(item) == ok);
		CHECK(context.unmap_all(world.ioas) == world.memory.size());
	}
}

TEST_CASE("an id of another type does not exist")
{
	const World world;
	const Context &context = world.context;
	const Access access(context, world.ioas);
	const std::uint32_t wrong = world.ioas + 1;
	std::uint64_t value = 0;

	/* It is there, or the rest would prove nothing. */
	REQUIRE(context.try_destroy(wrong) == Errno{EBUSY});
	CHECK(context.try_map(wrong, world.memory.va(), page_size, area_iova) ==
	      Errno{ENOENT});
	CHECK(context.try_unmap(wrong, 0, all_ones) == Errno{ENOENT});
	CHECK(context.try_copy(wrong, 0x40000, world.ioas, area_iova, page_size) ==
	      Errno{ENOENT});
	CHECK(context.try_copy(world.ioas, 0x40000, wrong, area_iova, page_size) ==
	      Errno{ENOENT});
	CHECK(context.try_allow(wrong, {}) == Errno{ENOENT});
	CHECK(context.try_option(IOMMUKIT_OPTION_HUGE_PAGES, IOMMUKIT_OPTION_OP_GET,
				 wrong, &value) == Errno{ENOENT});
	auto cmd = command<iommukit_ioas_iova_ranges>();
	cmd.ioas_id = wrong;
	CHECK(call(context.fd(), IOMMUKIT_IOAS_IOVA_RANGES, &cmd) == Errno{ENOENT});
}

TEST_CASE("IOVA_RANGES")
{
	const World world;
	const Context &context = world.context;

	SECTION("of a fresh IOAS")
	{
		std::uint64_t alignment = 0;

		CHECK(same(context.ranges(world.ioas, &alignment), {{0, all_ones}}));
		CHECK(alignment == 1);
	}
	SECTION("mappings and the allowed list play no role")
	{
		context.map(world.ioas, world.memory, area_iova);
		REQUIRE(context.try_allow(world.ioas, {{0x1000, 0x8fff}}) == ok);
		CHECK(same(context.ranges(world.ioas), {{0, all_ones}}));
	}
	SECTION("holes of the reserved ranges, merged")
	{
		for (auto [start, length] : {std::pair{0x1000UL, 0x1000UL},
					     {0x2000UL, 0x800UL}, /* touches */
					     {0x1800UL, 0x200UL}, /* inside */
					     {0x5001UL, 1UL},
					     {all_ones, 1UL}})
			REQUIRE(try_add_reserved(context, world.ioas, start, length) ==
				ok);
		CHECK(same(context.ranges(world.ioas),
			   {{0, 0xfff}, {0x2800, 0x5000}, {0x5002, all_ones - 1}}));
	}
	SECTION("from 0 on")
	{
		REQUIRE(try_add_reserved(context, world.ioas, 0, 1) == ok);
		CHECK(same(context.ranges(world.ioas), {{1, all_ones}}));
	}
	SECTION("none is left")
	{
		REQUIRE(try_add_reserved(context, world.ioas, 0, 1UL << 63) == ok);
		REQUIRE(try_add_reserved(context, world.ioas, 1UL << 63, 1UL << 63) ==
			ok);
		CHECK(context.ranges(world.ioas).empty());
	}
}

TEST_CASE("IOVA_RANGES rejections")
{
	const World world;
	std::vector<iommukit_iova_range> room(4);
	auto valid = command<iommukit_ioas_iova_ranges>();
	const auto issue = [&](iommukit_ioas_iova_ranges &cmd) {
		return call(world.context.fd(), IOMMUKIT_IOAS_IOVA_RANGES, &cmd);
	};

	valid.ioas_id = world.ioas;
	valid.num_iovas = 4;
	valid.allowed_iovas = reinterpret_cast<std::uint64_t>(room.data());
	/* Two ranges, so that one more element than room can be asked for. */
	REQUIRE(try_add_reserved(world.context, world.ioas, 0x1000, 0x1000) == ok);
	SECTION("in order")
	{
		check_ordered<iommukit_ioas_iova_ranges>(
			{
				{"reserved", "__reserved",
				 [](auto &cmd) { cmd.__reserved = 1; }, EOPNOTSUPP},
				{"no such IOAS", "ioas_id",
				 [](auto &cmd) { cmd.ioas_id = 99; }, ENOENT},
				{"elements cannot be written", "allowed_iovas",
				 [](auto &cmd) { cmd.allowed_iovas = 16; }, EFAULT},
				{"too little room", "num_iovas",
				 [](auto &cmd) { cmd.num_iovas = 1; }, EMSGSIZE},
			},
			valid, issue);
	}
	SECTION("a fault writes nothing to the structure")
	{
		auto cmd = valid;

		cmd.allowed_iovas = 16;
		CHECK(issue(cmd) == Errno{EFAULT});
		CHECK(cmd.num_iovas == 4);
		CHECK(cmd.out_iova_alignment == 0);
	}
	SECTION("EMSGSIZE tells the count and fills what there is room for")
	{
		auto cmd = valid;

		room[1] = {0x11, 0x22};
		cmd.num_iovas = 1;
		CHECK(issue(cmd) == Errno{EMSGSIZE});
		CHECK(cmd.num_iovas == 2);
		CHECK(cmd.out_iova_alignment == 1);
		CHECK(room[0].start == 0);
		CHECK(room[0].last == 0xfff);
		CHECK(room[1].start == 0x11);
		CHECK(room[1].last == 0x22);
	}
	SECTION("a count of 0 needs no pointer")
	{
		auto cmd = valid;

		cmd.num_iovas = 0;
		cmd.allowed_iovas = 0;
		CHECK(issue(cmd) == Errno{EMSGSIZE});
		CHECK(cmd.num_iovas == 2);
	}
	SECTION("elements beyond the count stay untouched")
	{
		auto cmd = valid;

		room[2] = {0x11, 0x22};
		CHECK(issue(cmd) == ok);
		CHECK(cmd.num_iovas == 2);
		CHECK(room[1].start == 0x2000);
		CHECK(room[2].start == 0x11);
	}
	SECTION("a response that cannot be written wins over EMSGSIZE")
	{
		const PageAndHole memory;
		auto *cmd = static_cast<iommukit_ioas_iova_ranges *>(
			memory.tail(sizeof(valid)));

		*cmd = valid;
		cmd->num_iovas = 1;
		memory.write_protect();
		CHECK(issue(*cmd) == Errno{EFAULT});
	}
}

TEST_CASE("ALLOW_IOVAS rejections")
{
	const World world;
	std::vector<iommukit_iova_range> list{{0x40000, 0x4ffff}, {0x60000, 0x6ffff}};
	auto valid = command<iommukit_ioas_allow_iovas>();
	const auto issue = [&](iommukit_ioas_allow_iovas &cmd) {
		return call(world.context.fd(), IOMMUKIT_IOAS_ALLOW_IOVAS, &cmd);
	};

	valid.ioas_id = world.ioas;
	valid.num_iovas = 2;
	valid.allowed_iovas = reinterpret_cast<std::uint64_t>(list.data());
	REQUIRE(try_add_reserved(world.context, world.ioas, 0x100000, 0x10000) == ok);
	REQUIRE(world.context.try_allow(world.ioas, {{0x8000, 0x8fff}}) == ok);
	SECTION("in order")
	{
		check_ordered<iommukit_ioas_allow_iovas>(
			{
				{"reserved", "__reserved",
				 [](auto &cmd) { cmd.__reserved = 1; }, EOPNOTSUPP},
				{"no such IOAS", "ioas_id",
				 [](auto &cmd) { cmd.ioas_id = 99; }, ENOENT},
				{"elements cannot be read", "allowed_iovas",
				 [](auto &cmd) { cmd.allowed_iovas = 16; }, EFAULT},
			},
			valid, issue);
	}
	SECTION("elements")
	{
		const struct {
			const char *name;
			std::vector<iommukit_iova_range> list;
			int error;
		} table[] = {
			{"one byte", {{0x1000, 0x1000}}, EINVAL},
			{"backwards", {{0x2000, 0x1fff}}, EINVAL},
			{"overlap with an earlier one",
			 {{0x1000, 0x1fff}, {0x1fff, 0x2fff}},
			 EINVAL},
			{"same twice", {{0x1000, 0x1fff}, {0x1000, 0x1fff}}, EINVAL},
			{"around an earlier one",
			 {{0x1000, 0x1fff}, {0, 0x2fff}},
			 EINVAL},
			{"overlap with reserved",
			 {{0x1000, 0x1fff}, {0x10ffff, 0x110000}},
			 EADDRINUSE},
			{"an element is looked at before reserved IOVA is",
			 {{0x10ffff, 0x110000}, {0x1000, 0x1000}},
			 EINVAL},
		};

		for (const auto &row : table) {
			INFO(row.name);
			CHECK(world.context.try_allow(world.ioas, row.list) ==
			      Errno{row.error});
		}
	}
	SECTION("the first bad element decides, even if a later one faults")
	{
		const PageAndHole memory;
		auto *element = static_cast<iommukit_iova_range *>(
			memory.tail(sizeof(iommukit_iova_range)));
		auto cmd = valid;

		*element = {0x1000, 0x1000};
		cmd.allowed_iovas = reinterpret_cast<std::uint64_t>(element);
		CHECK(issue(cmd) == Errno{EINVAL});
		*element = {0x1000, 0x1fff};
		CHECK(issue(cmd) == Errno{EFAULT});
	}
	/* In each case the old list stays in force. */
	CHECK(first_page(world) == 0x8000);
}

TEST_CASE("ALLOW_IOVAS")
{
	const World world;
	const Context &context = world.context;

	SECTION("in any order, touching, next to reserved IOVA")
	{
		REQUIRE(try_add_reserved(context, world.ioas, 0x20000, 0x1000) == ok);
		CHECK(context.try_allow(world.ioas, {{0x21000, 0x21fff},
						     {0x1f000, 0x1ffff},
						     {0x1e000, 0x1efff}}) == ok);
		CHECK(first_page(world) == 0x1e000);
	}
	SECTION("replaces the old list, which it may overlap")
	{
		CHECK(context.try_allow(world.ioas, {{0x4000, 0x8fff}}) == ok);
		CHECK(first_page(world) == 0x4000);
		CHECK(context.try_allow(world.ioas, {{0x7000, 0x9fff}}) == ok);
		CHECK(first_page(world) == 0x7000);
		CHECK(context.try_allow(world.ioas, {}) == ok);
		CHECK(first_page(world) == 0x1000);
	}
	SECTION("does not look at mappings, and does not restrict fixed ones")
	{
		context.map(world.ioas, world.memory, area_iova);
		CHECK(context.try_allow(world.ioas, {{area_iova + 0x1000,
						      area_iova + 0x8fff}}) == ok);
		CHECK(first_page(world) == area_iova + world.memory.size());
		CHECK(context.try_map(world.ioas, world.memory.va(), page_size, 0x1000) ==
		      ok);
	}
	SECTION("up to both ends of the IOVA space")
	{
		CHECK(context.try_allow(world.ioas, {{0, all_ones}}) == ok);
		CHECK(first_page(world) == 0x1000);
		CHECK(context.try_allow(world.ioas, {{all_ones - 1, all_ones}, {0, 1}}) ==
		      ok);
	}
	SECTION("with many elements")
	{
		std::vector<iommukit_iova_range> many;

		for (std::uint64_t i = 5000; i-- > 0;)
			many.push_back(
				{0x100000 + i * 0x2000, 0x100000 + i * 0x2000 + 0xfff});
		CHECK(context.try_allow(world.ioas, many) == ok);
		CHECK(first_page(world) == 0x100000);
	}
}

TEST_CASE("reserved IOVA")
{
	const World world;
	const Context &context = world.context;

	SECTION("ADD_RESERVED rejections in order")
	{
		auto valid = test_command(IOMMUKIT_TEST_OP_ADD_RESERVED, world.ioas);

		valid.add_reserved.start = 0x1000;
		valid.add_reserved.length = 0x1000;
		context.map(world.ioas, world.memory, area_iova);
		check_ordered<iommukit_test_cmd>(
			{
				{"no length", "length",
				 [](auto &cmd) { cmd.add_reserved.length = 0; }, EINVAL},
				{"wraps", "length",
				 [](auto &cmd) { cmd.add_reserved.length = all_ones; },
				 EOVERFLOW},
				{"no such IOAS", "id", [](auto &cmd) { cmd.id = 99; },
				 ENOENT},
				{"on a mapping", "start",
				 [](auto &cmd) { cmd.add_reserved.start = area_iova; },
				 EADDRINUSE},
			},
			valid, [&](auto &cmd) { return test_call(context, cmd); });
		CHECK(same(context.ranges(world.ioas), {{0, all_ones}}));
	}
	SECTION("meets a mapping or an allowed range")
	{
		context.map(world.ioas, world.memory, area_iova);
		REQUIRE(context.try_allow(world.ioas, {{0x4000, 0x4fff}}) == ok);
		for (std::uint64_t start :
		     {area_iova - 1, area_iova + world.memory.size() - 1, area_iova + 5,
		      0x3fffUL, 0x4fffUL})
			CHECK(try_add_reserved(context, world.ioas, start, 2) ==
			      Errno{EADDRINUSE});
		for (std::uint64_t start :
		     {area_iova - 2, area_iova + world.memory.size(), 0x3ffeUL, 0x5000UL})
			CHECK(try_add_reserved(context, world.ioas, start, 2) == ok);
	}
	SECTION("is avoided, and refused to fixed mappings")
	{
		const std::uint64_t length = world.memory.size();

		REQUIRE(try_add_reserved(context, world.ioas, area_iova, 0x1000) == ok);
		for (std::uint64_t iova : {area_iova, area_iova + 0xfff,
					   area_iova - length + 1, area_iova - 0x1000})
			CHECK(context.try_map(world.ioas, world.memory.va(), length,
					      iova) == Errno{EINVAL});
		for (std::uint64_t iova : {area_iova - length, area_iova + 0x1000})
			CHECK(context.try_map(world.ioas, world.memory.va(), length,
					      iova) == ok);
	}
	SECTION("goes with the IOAS")
	{
		REQUIRE(try_add_reserved(context, world.ioas, 0, 0x1000) == ok);
		context.destroy(world.ioas);
		CHECK(same(context.ranges(context.ioas()), {{0, all_ones}}));
	}
}

TEST_CASE("OPTION rejections")
{
	const World world;
	auto valid = command<struct iommukit_option>();
	const auto issue = [&](struct iommukit_option &cmd) {
		return call(world.context.fd(), IOMMUKIT_OPTION, &cmd);
	};
	const std::vector<Fault<struct iommukit_option>> common{
		{"reserved", "__reserved", [](auto &cmd) { cmd.__reserved = 1; },
		 EOPNOTSUPP},
		{"unknown option", "option_id", [](auto &cmd) { cmd.option_id = 2; },
		 EOPNOTSUPP},
		{"unknown option", "option_id", [](auto &cmd) { cmd.option_id = ~0U; },
		 EOPNOTSUPP},
	};

	SECTION("RLIMIT_MODE")
	{
		auto faults = common;

		valid.option_id = IOMMUKIT_OPTION_RLIMIT_MODE;
		valid.op = IOMMUKIT_OPTION_OP_GET;
		faults.push_back({"an object", "object_id",
				  [](auto &cmd) { cmd.object_id = 1; }, EOPNOTSUPP});
		faults.push_back(
			{"unknown op", "op", [](auto &cmd) { cmd.op = 2; }, EOPNOTSUPP});
		/* The context has an IOAS. */
		faults.push_back({"set with objects", "op",
				  [](auto &cmd) { cmd.op = IOMMUKIT_OPTION_OP_SET; },
				  EBUSY});
		faults.push_back({"set a bad value with objects", "op",
				  [](auto &cmd) {
					  cmd.op = IOMMUKIT_OPTION_OP_SET;
					  cmd.val64 = 2;
				  },
				  EBUSY});
		check_ordered<struct iommukit_option>(faults, valid, issue);
	}
	SECTION("HUGE_PAGES")
	{
		auto faults = common;

		valid.option_id = IOMMUKIT_OPTION_HUGE_PAGES;
		valid.op = IOMMUKIT_OPTION_OP_GET;
		valid.object_id = world.ioas;
		faults.push_back({"no such IOAS", "object_id",
				  [](auto &cmd) { cmd.object_id = 99; }, ENOENT});
		faults.push_back({"object 0", "object_id",
				  [](auto &cmd) { cmd.object_id = 0; }, ENOENT});
		faults.push_back(
			{"unknown op", "op", [](auto &cmd) { cmd.op = 2; }, EOPNOTSUPP});
		faults.push_back({"bad value", "op",
				  [](auto &cmd) {
					  cmd.op = IOMMUKIT_OPTION_OP_SET;
					  cmd.val64 = 2;
				  },
				  EINVAL});
		check_ordered<struct iommukit_option>(faults, valid, issue);
	}
	SECTION("a response that cannot be written leaves SET effective")
	{
		const PageAndHole memory;
		std::uint64_t value = 5;
		auto *cmd =
			static_cast<struct iommukit_option *>(memory.tail(sizeof(valid)));

		*cmd = valid;
		cmd->option_id = IOMMUKIT_OPTION_HUGE_PAGES;
		cmd->op = IOMMUKIT_OPTION_OP_SET;
		cmd->object_id = world.ioas;
		memory.write_protect();
		CHECK(issue(*cmd) == Errno{EFAULT});
		CHECK(world.context.try_option(IOMMUKIT_OPTION_HUGE_PAGES,
					       IOMMUKIT_OPTION_OP_GET, world.ioas,
					       &value) == ok);
		CHECK(value == 0);
	}
}

TEST_CASE("OPTION RLIMIT_MODE")
{
	const Context context;
	const auto get = [&] {
		std::uint64_t value = 7;

		REQUIRE(context.try_option(IOMMUKIT_OPTION_RLIMIT_MODE,
					   IOMMUKIT_OPTION_OP_GET, 0, &value) == ok);
		return value;
	};
	const auto set = [&](std::uint64_t value) {
		return context.try_set_option(IOMMUKIT_OPTION_RLIMIT_MODE, 0, value);
	};

	CHECK(get() == 0);
	SECTION("can be changed while there are no objects")
	{
		CHECK(set(1) == ok);
		CHECK(get() == 1);
		CHECK(set(2) == Errno{EINVAL});
		CHECK(set(all_ones) == Errno{EINVAL});
		CHECK(get() == 1);
		const std::uint32_t ioas = context.ioas();
		CHECK(set(0) == Errno{EBUSY});
		CHECK(get() == 1);
		context.destroy(ioas);
		CHECK(set(0) == ok);
		CHECK(get() == 0);
	}
	SECTION("needs CAP_SYS_RESOURCE, which is looked at first")
	{
		CHECK(in_child([&] {
			      return drop_capability(CAP_SYS_RESOURCE) ?: set(1).value;
		      }) == EPERM);
		context.ioas();
		CHECK(in_child([&] {
			      return drop_capability(CAP_SYS_RESOURCE) ?: set(2).value;
		      }) == EPERM);
		CHECK(get() == 0);
	}
	SECTION("reading it needs nothing")
	{
		context.ioas();
		CHECK(in_child([&] {
			      std::uint64_t value = 0;

			      return become_user(60001, page_size)
					     ?: context.try_option(
							       IOMMUKIT_OPTION_RLIMIT_MODE,
							       IOMMUKIT_OPTION_OP_GET, 0,
							       &value)
							.value;
		      }) == 0);
	}
}

TEST_CASE("OPTION HUGE_PAGES")
{
	const World world;
	const Context &context = world.context;
	const auto get = [&] {
		std::uint64_t value = 7;

		REQUIRE(context.try_option(IOMMUKIT_OPTION_HUGE_PAGES,
					   IOMMUKIT_OPTION_OP_GET, world.ioas,
					   &value) == ok);
		return value;
	};
	const auto set = [&](std::uint64_t value) {
		return context.try_set_option(IOMMUKIT_OPTION_HUGE_PAGES, world.ioas,
					      value);
	};

	CHECK(get() == 1);
	SECTION("on and off, and what the alignment becomes")
	{
		CHECK(set(0) == ok);
		CHECK(get() == 0);
		CHECK(context.alignment(world.ioas) == page_size);
		CHECK(set(0) == ok);
		CHECK(set(2) == Errno{EINVAL});
		CHECK(get() == 0);
		CHECK(set(1) == ok);
		CHECK(context.alignment(world.ioas) == 1);
	}
	SECTION("off refuses a mapping that is not aligned to pages")
	{
		const std::uint64_t va = world.memory.va();
		const struct {
			const char *name;
			std::uint64_t va, length, iova;
		} table[] = {
			{"IOVA", va, page_size, area_iova + 2048},
			{"length", va, page_size + 1, area_iova},
			{"address", va + 1, page_size, area_iova},
		};

		for (const auto &row : table) {
			INFO(row.name);
			REQUIRE(context.try_map(world.ioas, row.va, row.length,
						row.iova) == ok);
			CHECK(set(0) == Errno{EADDRINUSE});
			CHECK(get() == 1);
			CHECK(context.alignment(world.ioas) == 1);
			CHECK(context.unmap_all(world.ioas) == row.length);
			REQUIRE(set(0) == ok);
			CHECK(context.try_map(world.ioas, row.va, row.length, row.iova) ==
			      Errno{EINVAL});
			REQUIRE(set(1) == ok);
		}
	}
	SECTION("SET echoes its value")
	{
		std::uint64_t value = 0;

		CHECK(context.try_option(IOMMUKIT_OPTION_HUGE_PAGES,
					 IOMMUKIT_OPTION_OP_SET, world.ioas,
					 &value) == ok);
		CHECK(value == 0);
	}
	SECTION("off and on again with pinned pages")
	{
		const Access access(context, world.ioas);

		context.map(world.ioas, world.memory, area_iova);
		access.pin(area_iova, page_size);
		CHECK(set(0) == ok);
		CHECK(set(1) == ok);
		CHECK(context.unmap_all(world.ioas) == world.memory.size());
	}
}

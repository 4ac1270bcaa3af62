// SPDX-License-Identifier: GPL-2.0-only
/* IOAS_MAP and IOAS_UNMAP: rejections, what stays after them, whole areas. */
#include "access.h"
#include "process.h"

#include <cstring>
#include <iterator>
#include <map>
#include <random>

using namespace guest;

namespace {

constexpr std::uint64_t area_iova = 0x100000;

/* Four pages at area_iova, reserved IOVA in front, an alignment to choose. */
struct World {
	explicit World(std::uint64_t alignment = 1) : ioas(context.ioas())
	{
		if (alignment != 1)
			REQUIRE(context.try_set_option(IOMMUKIT_OPTION_HUGE_PAGES, ioas,
						       0) == ok);
		context.map(ioas, memory, area_iova);
		REQUIRE(try_add_reserved(context, ioas, reserved_iova, page_size) == ok);
	}

	/* Whatever was refused: only the first mapping is there. */
	void check_unchanged() const { CHECK(context.unmap_all(ioas) == memory.size()); }

	static constexpr std::uint64_t reserved_iova = 0x80000;
	Context context;
	Memory memory{4 * page_size};
	std::uint32_t ioas;
};

iommukit_ioas_map valid_map(const World &world)
{
	auto cmd = command<iommukit_ioas_map>();

	cmd.flags = map_rw_fixed;
	cmd.ioas_id = world.ioas;
	cmd.user_va = world.memory.va();
	cmd.length = page_size;
	cmd.iova = 2 * area_iova;
	return cmd;
}

template <class Command>
Errno issue(const World &world, unsigned long request, Command &cmd)
{
	return call(world.context.fd(), request, &cmd);
}

/* The faults of MAP that do not depend on the alignment, in order. */
std::vector<Fault<iommukit_ioas_map>> common_map_faults()
{
	using Map = iommukit_ioas_map;

	return {
		{"unknown flag 3", "flags", [](Map &cmd) { cmd.flags |= 8; }, EOPNOTSUPP},
		{"unknown flag 31", "flags", [](Map &cmd) { cmd.flags |= 1U << 31; },
		 EOPNOTSUPP},
		{"reserved", "__reserved", [](Map &cmd) { cmd.__reserved = 1; },
		 EOPNOTSUPP},
		{"iova ULONG_MAX", "iova", [](Map &cmd) { cmd.iova = all_ones; },
		 EOVERFLOW},
		{"length ULONG_MAX", "length", [](Map &cmd) { cmd.length = all_ones; },
		 EOVERFLOW},
		{"neither read nor write", "flags",
		 [](Map &cmd) { cmd.flags &= map_fixed; }, EINVAL},
		{"no such IOAS", "ioas_id", [](Map &cmd) { cmd.ioas_id = 99; }, ENOENT},
		{"id 0", "ioas_id", [](Map &cmd) { cmd.ioas_id = 0; }, ENOENT},
		{"no length", "length", [](Map &cmd) { cmd.length = 0; }, EINVAL},
		{"length above SIZE_MAX - PAGE_SIZE", "length",
		 [](Map &cmd) { cmd.length = all_ones - page_size + 1; }, EINVAL},
		{"user_va + length is 2^64", "user_va",
		 [](Map &cmd) { cmd.user_va = -cmd.length; }, EOVERFLOW},
		{"user_va + length wraps", "user_va",
		 [](Map &cmd) { cmd.user_va = all_ones; }, EOVERFLOW},
	};
}

} // namespace

TEST_CASE("MAP rejections in order, at a fixed IOVA")
{
	const World world;
	auto faults = common_map_faults();

	faults.push_back({"the end of the IOVA wraps", "iova",
			  [](auto &cmd) { cmd.iova = all_ones - 1; }, EOVERFLOW});
	faults.push_back({"reserved IOVA", "iova",
			  [](auto &cmd) { cmd.iova = World::reserved_iova; }, EINVAL});
	faults.push_back(
		{"mapped IOVA", "iova", [](auto &cmd) { cmd.iova = area_iova; }, EEXIST});
	check_ordered<iommukit_ioas_map>(faults, valid_map(world), [&](auto &cmd) {
		return issue(world, IOMMUKIT_IOAS_MAP, cmd);
	});
	world.check_unchanged();
}

TEST_CASE("MAP rejections in order, automatic IOVA")
{
	const World world;
	auto faults = common_map_faults();
	auto valid = valid_map(world);

	valid.flags &= ~map_fixed;
	/* Half of the space and more: not even looked for. */
	faults.push_back({"length of half the IOVA space", "length",
			  [](auto &cmd) { cmd.length = all_ones / 2; }, EOVERFLOW});
	check_ordered<iommukit_ioas_map>(faults, valid, [&](auto &cmd) {
		return issue(world, IOMMUKIT_IOAS_MAP, cmd);
	});
	world.check_unchanged();
}

TEST_CASE("MAP checks the length before the wrap")
{
	const World world;
	auto cmd = valid_map(world);

	cmd.length = all_ones - 1;
	CHECK(issue(world, IOMMUKIT_IOAS_MAP, cmd) == Errno{EINVAL});
	cmd.length = all_ones - page_size;
	CHECK(issue(world, IOMMUKIT_IOAS_MAP, cmd) == Errno{EOVERFLOW});
	world.check_unchanged();
}

TEST_CASE("MAP rejections of an IOAS aligned to pages")
{
	const World world(page_size);
	const auto faults = [](int iova_error) {
		using Map = iommukit_ioas_map;

		return std::vector<Fault<Map>>{
			{"length not aligned", "length",
			 [](Map &cmd) { cmd.length += 1; }, EINVAL},
			{"half a page", "length",
			 [](Map &cmd) { cmd.length = page_size / 2; }, EINVAL},
			{"mapped IOVA", "iova", [](Map &cmd) { cmd.iova = area_iova; },
			 iova_error},
			{"user_va not aligned", "user_va",
			 [](Map &cmd) { cmd.user_va += 512; }, EINVAL},
		};
	};

	SECTION("fixed IOVA; a mapped one wins over the address")
	{
		check_ordered<iommukit_ioas_map>(
			faults(EEXIST), valid_map(world),
			[&](auto &cmd) { return issue(world, IOMMUKIT_IOAS_MAP, cmd); });
	}
	SECTION("fixed IOVA not aligned wins over what lies there")
	{
		auto cmd = valid_map(world);

		for (std::uint64_t iova :
		     {area_iova + 1, 2 * area_iova + 2048, all_ones - page_size}) {
			cmd.iova = iova;
			CHECK(issue(world, IOMMUKIT_IOAS_MAP, cmd) == Errno{EINVAL});
		}
		cmd.iova = all_ones - page_size + 1;
		cmd.length = 2 * page_size;
		CHECK(issue(world, IOMMUKIT_IOAS_MAP, cmd) == Errno{EOVERFLOW});
	}
	SECTION("automatic IOVA")
	{
		auto cmd = valid_map(world);

		cmd.flags = map_rw;
		cmd.user_va += 2048;
		CHECK(issue(world, IOMMUKIT_IOAS_MAP, cmd) == Errno{EINVAL});
		cmd = valid_map(world);
		cmd.flags = map_rw;
		cmd.length = page_size / 2;
		CHECK(issue(world, IOMMUKIT_IOAS_MAP, cmd) == Errno{EINVAL});
	}
	world.check_unchanged();
}

TEST_CASE("MAP at a fixed IOVA meets mappings")
{
	const World world;
	const std::uint64_t length = world.memory.size();
	const struct {
		const char *name;
		std::uint64_t iova, length;
		int error;
	} table[] = {
		{"the same", area_iova, length, EEXIST},
		{"first byte", area_iova - 4, 5, EEXIST},
		{"last byte", area_iova + length - 1, 5, EEXIST},
		{"inside", area_iova + 100, 7, EEXIST},
		{"around", area_iova - page_size, 2 * length, EEXIST},
		{"touches below", area_iova - page_size, page_size, 0},
		{"touches above", area_iova + length, page_size, 0},
		{"up to the end", all_ones - page_size + 1, page_size, 0},
		{"inside that", all_ones - 1, 1, EEXIST},
		{"from 0", 0, page_size, 0},
	};
	std::uint64_t mapped = length;

	for (const auto &row : table) {
		INFO(row.name);
		CHECK(world.context.try_map(world.ioas, world.memory.va(), row.length,
					    row.iova) == Errno{row.error});
		mapped += row.error ? 0 : row.length;
	}
	CHECK(world.context.unmap_all(world.ioas) == mapped);
}

TEST_CASE("MAP looks at no address before its pages are needed")
{
	const World world;
	std::uint64_t iova = area_iova * 2;

	for (std::uint64_t va :
	     {0UL, 0x80000000UL, 0xffff800000000000UL, 1UL, 0xfffffffffffffUL}) {
		INFO("address 0x" << std::hex << va);
		CHECK(world.context.try_map(world.ioas, va, 3 * page_size, iova) == ok);
		iova += 4 * page_size;
	}
}

TEST_CASE("MAP takes the largest length there is")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Access access(context, ioas, 0);
	constexpr std::uint64_t largest = all_ones - page_size;
	char byte = 0;

	REQUIRE(context.try_map(ioas, 0, largest, 0) == ok);
	CHECK(context.try_map(ioas, 0, 1, largest - 1) == Errno{EEXIST});
	CHECK(context.try_map(ioas, 0, 1, largest) == ok);
	/* What lies at an address of this process is found at that IOVA. */
	const std::uint64_t here = reinterpret_cast<std::uint64_t>(&byte);
	byte = 0x5a;
	CHECK(access.read(here, 1).front() == std::byte(0x5a));
	CHECK(access.try_read(largest - 1, &byte, 1) == Errno{EFAULT});
	CHECK(context.unmap_all(ioas) == largest + 1);
}

TEST_CASE("MAP takes any length and offset while nothing needs pages")
{
	const World world;
	std::mt19937_64 random(seed());
	std::uint64_t iova = area_iova * 2;
	std::uint64_t mapped = world.memory.size();

	for (unsigned int i = 0; i < 200; i++) {
		const std::uint64_t offset = random() % page_size;
		const std::uint64_t length =
			1 + random() % (world.memory.size() - offset);

		iova += random() % 3 ? 0 : 1 + random() % page_size;
		INFO("0x" << std::hex << iova << " + 0x" << length);
		REQUIRE(world.context.try_map(world.ioas, world.memory.va() + offset,
					      length, iova) == ok);
		iova += length;
		mapped += length;
	}
	CHECK(world.context.unmap_all(world.ioas) == mapped);
}

TEST_CASE("responses that cannot be written leave the effect")
{
	const World world;
	const PageAndHole memory;
	const auto issue_read_only = [&](unsigned long request, auto valid) {
		void *cmd = memory.tail(sizeof(valid));

		memory.make_writable();
		std::memcpy(cmd, &valid, sizeof(valid));
		memory.write_protect();
		return call(world.context.fd(), request, cmd);
	};

	SECTION("MAP")
	{
		CHECK(issue_read_only(IOMMUKIT_IOAS_MAP, valid_map(world)) ==
		      Errno{EFAULT});
		CHECK(world.context.unmap(world.ioas, 2 * area_iova, page_size) ==
		      page_size);
	}
	SECTION("COPY")
	{
		auto cmd = command<iommukit_ioas_copy>();

		cmd.flags = map_rw_fixed;
		cmd.dst_ioas_id = cmd.src_ioas_id = world.ioas;
		cmd.src_iova = area_iova;
		cmd.dst_iova = 2 * area_iova;
		cmd.length = page_size;
		CHECK(issue_read_only(IOMMUKIT_IOAS_COPY, cmd) == Errno{EFAULT});
		CHECK(world.context.unmap(world.ioas, 2 * area_iova, page_size) ==
		      page_size);
	}
	SECTION("UNMAP")
	{
		auto cmd = command<iommukit_ioas_unmap>();

		cmd.ioas_id = world.ioas;
		cmd.iova = area_iova;
		cmd.length = world.memory.size();
		CHECK(issue_read_only(IOMMUKIT_IOAS_UNMAP, cmd) == Errno{EFAULT});
		CHECK(world.context.unmap_all(world.ioas) == 0);
	}
}

TEST_CASE("UNMAP rejections in order")
{
	using Unmap = iommukit_ioas_unmap;
	const World world;
	auto valid = command<Unmap>();

	valid.ioas_id = world.ioas;
	valid.iova = area_iova;
	valid.length = world.memory.size();
	check_ordered<Unmap>(
		{
			{"no such IOAS", "ioas_id", [](Unmap &cmd) { cmd.ioas_id = 99; },
			 ENOENT},
			{"id 0", "ioas_id", [](Unmap &cmd) { cmd.ioas_id = 0; }, ENOENT},
			{"iova ULONG_MAX", "iova",
			 [](Unmap &cmd) { cmd.iova = all_ones; }, EOVERFLOW},
			{"length ULONG_MAX", "length",
			 [](Unmap &cmd) { cmd.length = all_ones; }, EOVERFLOW},
			{"no length", "length", [](Unmap &cmd) { cmd.length = 0; },
			 EINVAL},
			{"wraps", "iova", [](Unmap &cmd) { cmd.iova = all_ones - 1; },
			 EOVERFLOW},
			{"sticks out above", "length",
			 [](Unmap &cmd) { cmd.length -= 1; }, ENOENT},
			{"sticks out below", "iova", [](Unmap &cmd) { cmd.iova += 1; },
			 ENOENT},
			{"nothing there", "iova", [](Unmap &cmd) { cmd.iova *= 2; },
			 ENOENT},
		},
		valid, [&](auto &cmd) { return issue(world, IOMMUKIT_IOAS_UNMAP, cmd); });
	world.check_unchanged();
}

TEST_CASE("UNMAP of everything")
{
	const World world;
	const Context &context = world.context;

	SECTION("succeeds with nothing mapped")
	{
		const std::uint32_t empty = context.ioas();

		CHECK(context.unmap_all(empty) == 0);
		CHECK(context.unmap_all(empty) == 0);
	}
	SECTION("counts up to both ends of the space")
	{
		REQUIRE(context.try_map(world.ioas, world.memory.va(), 1, 0) == ok);
		REQUIRE(context.try_map(world.ioas, world.memory.va(), page_size,
					all_ones - page_size + 1) == ok);
		CHECK(context.unmap_all(world.ioas) ==
		      world.memory.size() + 1 + page_size);
	}
	SECTION("is not just any range from 0, nor of that length")
	{
		CHECK(context.try_unmap(world.ioas, 0, all_ones - 1) == ok);
		CHECK(context.try_unmap(world.ioas, 0, all_ones - 1) == Errno{ENOENT});
		CHECK(context.try_unmap(world.ioas, 1, all_ones) == Errno{EOVERFLOW});
		CHECK(context.try_unmap(world.ioas, 1, all_ones - 1) == Errno{ENOENT});
	}
}

TEST_CASE("UNMAP removes whole areas")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Memory memory(8 * page_size);
	constexpr std::uint64_t step = 16 * page_size;

	for (std::uint64_t i = 0; i < 4; i++)
		context.map(ioas, memory, area_iova + i * step);

	SECTION("with holes, from and to anywhere in them")
	{
		CHECK(context.unmap(ioas, area_iova - 4 * page_size, 60 * page_size) ==
		      32 * page_size);
		CHECK(context.unmap_all(ioas) == 0);
	}
	SECTION("sticking out at the start removes nothing")
	{
		CHECK(context.try_unmap(ioas, area_iova + 4 * page_size,
					60 * page_size) == Errno{ENOENT});
		CHECK(context.unmap_all(ioas) == 32 * page_size);
	}
	SECTION("sticking out at the end has removed those before")
	{
		std::uint64_t length = 0;

		CHECK(context.try_unmap(ioas, area_iova, 3 * step + 4 * page_size,
					&length) == Errno{ENOENT});
		/* The count is not reported with an error. */
		CHECK(length == 3 * step + 4 * page_size);
		CHECK(context.unmap(ioas, area_iova + 3 * step, 8 * page_size) ==
		      8 * page_size);
		CHECK(context.unmap_all(ioas) == 0);
	}
	SECTION("a hole alone is nothing")
	{
		CHECK(context.try_unmap(ioas, area_iova + 8 * page_size, 8 * page_size) ==
		      Errno{ENOENT});
	}
	SECTION("without regard to alignment")
	{
		CHECK(context.unmap(ioas, area_iova - 3, 8 * page_size + 5) ==
		      8 * page_size);
	}
	SECTION("frees the IOVA")
	{
		CHECK(context.unmap(ioas, area_iova, 8 * page_size) == 8 * page_size);
		CHECK(context.try_map(ioas, memory.va(), page_size,
				      area_iova + page_size) == ok);
	}
}

TEST_CASE("random maps and unmaps agree with a list of areas")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Memory memory(16 * page_size);
	std::mt19937_64 random(seed());
	std::map<std::uint64_t, std::uint64_t> areas;
	constexpr std::uint64_t space = 256 * page_size;

	for (unsigned int i = 0; i < 2000; i++) {
		const std::uint64_t iova = random() % space;
		const std::uint64_t length = 1 + random() % memory.size();
		const std::uint64_t last = iova + length - 1;
		/* The first area that ends at or behind iova. */
		auto first = areas.upper_bound(iova);
		if (first != areas.begin() &&
		    std::prev(first)->first + std::prev(first)->second > iova)
			first--;

		INFO("step " << i << ": 0x" << std::hex << iova << " + 0x" << length);
		if (random() % 3) {
			const bool hit = first != areas.end() && first->first <= last;

			REQUIRE(context.try_map(ioas, memory.va(), length, iova) ==
				Errno{hit ? EEXIST : 0});
			if (!hit)
				areas[iova] = length;
			continue;
		}
		std::uint64_t expected = 0, unmapped = 0;
		int error = 0;
		while (first != areas.end() && first->first <= last) {
			if (first->first < iova ||
			    first->first + first->second - 1 > last) {
				error = ENOENT;
				break;
			}
			expected += first->second;
			first = areas.erase(first);
		}
		if (expected == 0)
			error = ENOENT;
		REQUIRE(context.try_unmap(ioas, iova, length, &unmapped) == Errno{error});
		if (!error)
			REQUIRE(unmapped == expected);
	}
	std::uint64_t left = 0;
	for (const auto &area : areas)
		left += area.second;
	CHECK(context.unmap_all(ioas) == left);
}

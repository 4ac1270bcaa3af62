// SPDX-License-Identifier: GPL-2.0-only
/* IOAS_COPY: rejections, sub-ranges, shared pages, permissions. */
#include "access.h"

#include <algorithm>

using namespace guest;

namespace {

constexpr std::uint64_t source_iova = 0x100000;
constexpr std::uint64_t target_iova = 0x400000;

/* Three adjacent mappings of 4 pages each in @from, nothing in @to. */
struct World {
	World() : from(context.ioas()), to(context.ioas())
	{
		for (std::uint64_t i = 0; i < 3; i++)
			REQUIRE(context.try_map(from, memory.va() + i * piece, piece,
						source_iova + i * piece) == ok);
		memory.fill(1);
	}

	static constexpr std::uint64_t piece = 4 * page_size;
	Context context;
	Memory memory{3 * piece};
	std::uint32_t from, to;
};

iommukit_ioas_copy valid_copy(const World &world)
{
	auto cmd = command<iommukit_ioas_copy>();

	cmd.flags = map_rw_fixed;
	cmd.dst_ioas_id = world.to;
	cmd.src_ioas_id = world.from;
	cmd.length = World::piece;
	cmd.dst_iova = target_iova;
	cmd.src_iova = source_iova;
	return cmd;
}

Errno issue(const World &world, iommukit_ioas_copy &cmd)
{
	return call(world.context.fd(), IOMMUKIT_IOAS_COPY, &cmd);
}

} // namespace

TEST_CASE("COPY rejections in order")
{
	using Copy = iommukit_ioas_copy;
	const World world;

	REQUIRE(try_add_reserved(world.context, world.to, 0x8000, page_size) == ok);
	REQUIRE(world.context.try_map(world.to, world.memory.va(), page_size, 0x10000) ==
		ok);
	check_ordered<Copy>(
		{
			{"unknown flag 3", "flags", [](Copy &cmd) { cmd.flags |= 8; },
			 EOPNOTSUPP},
			{"unknown flag 31", "flags",
			 [](Copy &cmd) { cmd.flags |= 1U << 31; }, EOPNOTSUPP},
			{"length ULONG_MAX", "length",
			 [](Copy &cmd) { cmd.length = all_ones; }, EOVERFLOW},
			{"src_iova ULONG_MAX", "src_iova",
			 [](Copy &cmd) { cmd.src_iova = all_ones; }, EOVERFLOW},
			{"dst_iova ULONG_MAX", "dst_iova",
			 [](Copy &cmd) { cmd.dst_iova = all_ones; }, EOVERFLOW},
			{"neither read nor write", "flags",
			 [](Copy &cmd) { cmd.flags &= map_fixed; }, EINVAL},
			{"no source", "src_ioas_id",
			 [](Copy &cmd) { cmd.src_ioas_id = 99; }, ENOENT},
			{"no length", "length", [](Copy &cmd) { cmd.length = 0; },
			 EINVAL},
			{"source wraps", "src_iova",
			 [](Copy &cmd) { cmd.src_iova = all_ones - 1; }, EOVERFLOW},
			{"nothing at the source", "src_iova",
			 [](Copy &cmd) { cmd.src_iova = 0; }, ENOENT},
			{"begins in front of the source", "src_iova",
			 [](Copy &cmd) { cmd.src_iova = source_iova - 1; }, ENOENT},
			{"ends behind the source", "length",
			 [](Copy &cmd) { cmd.length = 3 * World::piece + 1; }, ENOENT},
			{"no target", "dst_ioas_id",
			 [](Copy &cmd) { cmd.dst_ioas_id = 99; }, ENOENT},
			{"target wraps", "dst_iova",
			 [](Copy &cmd) { cmd.dst_iova = all_ones - 1; }, EOVERFLOW},
			{"reserved target", "dst_iova",
			 [](Copy &cmd) { cmd.dst_iova = 0x8000; }, EINVAL},
			{"mapped target", "dst_iova",
			 [](Copy &cmd) { cmd.dst_iova = 0x10000; }, EEXIST},
		},
		valid_copy(world), [&](auto &cmd) { return issue(world, cmd); });
	CHECK(world.context.unmap_all(world.to) == page_size);
	CHECK(world.context.unmap_all(world.from) == world.memory.size());
}

TEST_CASE("COPY takes dst_iova for range checks although it chooses one")
{
	const World world;
	auto cmd = valid_copy(world);

	cmd.flags = map_rw;
	cmd.dst_iova = all_ones;
	CHECK(issue(world, cmd) == Errno{EOVERFLOW});
	cmd.dst_iova = all_ones - 1;
	CHECK(issue(world, cmd) == ok);
	CHECK(cmd.dst_iova == std::min<std::uint64_t>(World::piece, alignment_cap()));
}

TEST_CASE("COPY into an IOAS aligned to pages checks every piece")
{
	const World world;
	const Context &context = world.context;
	const std::uint32_t crooked = context.ioas();
	/* Two pieces with a seam inside a page. */
	const std::uint64_t seam = page_size + 512;

	REQUIRE(context.try_map(crooked, world.memory.va(), seam, source_iova) == ok);
	REQUIRE(context.try_map(crooked, world.memory.va() + World::piece,
				2 * page_size - 512, source_iova + seam) == ok);
	REQUIRE(context.try_set_option(IOMMUKIT_OPTION_HUGE_PAGES, world.to, 0) == ok);
	const auto copy = [&](std::uint64_t dst, std::uint64_t src,
			      std::uint64_t length) {
		return context.try_copy(world.to, dst, crooked, src, length);
	};

	CHECK(copy(target_iova, source_iova, 512) == Errno{EINVAL});
	CHECK(copy(target_iova + 512, source_iova, page_size) == Errno{EINVAL});
	CHECK(copy(target_iova, source_iova + 512, page_size) == Errno{EINVAL});
	CHECK(copy(target_iova, source_iova, 3 * page_size) == Errno{EINVAL});
	CHECK(copy(target_iova, source_iova + seam, page_size) == ok);
	CHECK(context.unmap_all(world.to) == page_size);

	SECTION("a seam that is aligned where it lands and in its page")
	{
		CHECK(context.try_copy(world.to, target_iova, world.from,
				       source_iova + page_size, World::piece) == ok);
		CHECK(context.unmap_all(world.to) == World::piece);
	}
	SECTION("a mapped target wins over the alignment of a piece")
	{
		context.map(world.to, world.memory, target_iova);
		CHECK(copy(target_iova, source_iova, 3 * page_size) == Errno{EEXIST});
	}
}

TEST_CASE("COPY finds no source across a hole")
{
	const World world;
	const Context &context = world.context;

	REQUIRE(context.unmap(world.from, source_iova + World::piece, World::piece) ==
		World::piece);
	CHECK(context.try_copy(world.to, target_iova, world.from, source_iova,
			       3 * World::piece) == Errno{ENOENT});
	CHECK(context.try_copy(world.to, target_iova, world.from, source_iova,
			       World::piece + 1) == Errno{ENOENT});
	CHECK(context.unmap_all(world.to) == 0);
	CHECK(context.try_copy(world.to, target_iova, world.from, source_iova,
			       World::piece) == ok);
}

TEST_CASE("COPY of any bytes shows the same bytes")
{
	const World world;
	const Access access(world.context, world.to, 0);
	const std::uint64_t all = world.memory.size();
	const struct {
		std::uint64_t offset, length, areas;
	} table[] = {
		{0, all, 3},
		{0, 1, 1},
		{all - 1, 1, 1},
		{511, 2048, 1},
		{World::piece - 1, 2, 2},
		{World::piece, World::piece, 1},
		{100, all - 200, 3},
	};

	for (const auto &row : table) {
		INFO("from " << row.offset << ", " << row.length << " bytes");
		REQUIRE(world.context.try_copy(world.to, target_iova + 3, world.from,
					       source_iova + row.offset,
					       row.length) == ok);
		CHECK(access.read(target_iova + 3, row.length) ==
		      pattern_of(1, row.offset, row.length));
		/* One area for each of the source. */
		const std::uint64_t first =
			std::min(row.length, World::piece - row.offset % World::piece);
		CHECK(world.context.try_unmap(world.to, target_iova + 3, first) == ok);
		CHECK(world.context.unmap_all(world.to) == row.length - first);
	}
}

TEST_CASE("COPY sweeps over the source byte by byte")
{
	const World world;
	constexpr std::uint64_t length = 2048, step = 511;
	const std::uint64_t last = source_iova + world.memory.size() - 1;

	for (std::uint64_t iova = source_iova - page_size; iova < last + page_size;
	     iova += step) {
		const bool inside = iova >= source_iova && iova + length - 1 <= last;

		INFO("0x" << std::hex << iova);
		REQUIRE(world.context.try_copy(world.to, target_iova, world.from, iova,
					       length) == Errno{inside ? 0 : ENOENT});
		REQUIRE(world.context.unmap_all(world.to) == (inside ? length : 0));
	}
}

TEST_CASE("COPY within one IOAS")
{
	const World world;
	const Context &context = world.context;

	for (std::uint64_t overlap : {source_iova, source_iova + 5, source_iova - 1})
		CHECK(context.try_copy(world.from, overlap, world.from, source_iova,
				       page_size) == Errno{EEXIST});
	CHECK(context.try_copy(world.from, source_iova - page_size, world.from,
			       source_iova, page_size) == ok);
	const Access access(context, world.from, 0);
	CHECK(access.read(source_iova - page_size, page_size) ==
	      pattern_of(1, 0, page_size));
	CHECK(context.unmap_all(world.from) == world.memory.size() + page_size);
}

TEST_CASE("COPY and permissions")
{
	const Context context;
	const std::uint32_t from = context.ioas(), to = context.ioas();
	const Memory memory(page_size);
	char byte = 1;
	const auto copy = [&](std::uint32_t flags) {
		return context.try_copy(to, target_iova, from, source_iova, page_size,
					flags | map_fixed);
	};

	SECTION("no write to pages that were mapped without it")
	{
		context.map(from, memory, source_iova, map_read);
		CHECK(copy(map_rw) == Errno{EPERM});
		CHECK(copy(map_write) == Errno{EPERM});
		CHECK(context.unmap_all(to) == 0);
		CHECK(copy(map_read) == ok);
	}
	SECTION("EPERM comes after the placement")
	{
		context.map(from, memory, source_iova, map_read);
		context.map(to, memory, target_iova);
		CHECK(copy(map_rw) == Errno{EEXIST});
	}
	SECTION("write to a copy of a read-only copy of writeable pages")
	{
		const std::uint32_t middle = context.ioas();

		context.map(from, memory, source_iova, map_rw);
		REQUIRE(context.try_copy(middle, 0, from, source_iova, page_size,
					 map_read | map_fixed) == ok);
		REQUIRE(context.try_copy(to, target_iova, middle, 0, page_size,
					 map_rw_fixed) == ok);
		const Access reader(context, middle, 0);
		const Access writer(context, to, 0);
		CHECK(reader.try_write(0, &byte, 1) == Errno{EPERM});
		CHECK(writer.try_write(target_iova, &byte, 1) == ok);
		CHECK(memory.data()[0] == std::byte(1));
	}
	SECTION("read from a copy of write-only pages")
	{
		context.map(from, memory, source_iova, map_write);
		CHECK(copy(map_read) == ok);
		const Access access(context, to, 0);
		CHECK(access.try_read(target_iova, &byte, 1) == ok);
		CHECK(access.try_write(target_iova, &byte, 1) == Errno{EPERM});
	}
	SECTION("one piece without write refuses all")
	{
		REQUIRE(context.try_map(from, memory.va(), 2048, source_iova,
					map_rw_fixed) == ok);
		REQUIRE(context.try_map(from, memory.va() + 2048, 2048,
					source_iova + 2048, map_read | map_fixed) == ok);
		CHECK(copy(map_rw) == Errno{EPERM});
		CHECK(context.unmap_all(to) == 0);
		CHECK(copy(map_read) == ok);
	}
}

TEST_CASE("copies share pinned pages and outlive the original")
{
	const World world;
	const Context &context = world.context;
	const Access first(context, world.from), second(context, world.to);
	const std::uint64_t va = world.memory.va();

	REQUIRE(context.try_copy(world.to, target_iova, world.from, source_iova,
				 world.memory.size()) == ok);
	REQUIRE(check_refs(context, world.memory, 0) == ok);

	SECTION("the same pages pinned through both are pinned once")
	{
		const std::uint32_t a = first.pin(source_iova, 2 * page_size, 0, va);
		const std::uint32_t b = second.pin(target_iova + page_size, 2 * page_size,
						   0, va + page_size);

		CHECK(check_refs(context, va, 3 * page_size, 1) == ok);
		CHECK(first.try_unpin(a) == ok);
		CHECK(check_refs(context, va, page_size, 0) == ok);
		CHECK(check_refs(context, va + page_size, 2 * page_size, 1) == ok);
		CHECK(second.try_unpin(b) == ok);
	}
	SECTION("unmapping the original concerns its own accesses only")
	{
		const std::uint32_t a = first.pin(source_iova, page_size);
		const std::uint32_t b = second.pin(target_iova, page_size, 0, va);

		CHECK(context.unmap_all(world.from) == world.memory.size());
		CHECK(first.try_unpin(a) == Errno{ENOENT});
		CHECK(check_refs(context, va, page_size, 1) == ok);
		CHECK(second.read(target_iova, page_size) == pattern_of(1, 0, page_size));
		CHECK(second.try_unpin(b) == ok);
	}
	SECTION("the source IOAS may go")
	{
		const std::uint32_t lone = context.ioas();

		REQUIRE(context.try_copy(lone, 0, world.to, target_iova, page_size) ==
			ok);
		const std::uint32_t copy = context.ioas();
		REQUIRE(context.try_copy(copy, 0, lone, 0, page_size) == ok);
		context.destroy(lone);
		const Access access(context, copy);
		access.pin(0, page_size, pin_write, va);
		CHECK(access.read(0, page_size) == pattern_of(1, 0, page_size));
	}
	CHECK(context.unmap_all(world.to) == world.memory.size());
	CHECK(check_refs(context, world.memory, 0) == ok);
}

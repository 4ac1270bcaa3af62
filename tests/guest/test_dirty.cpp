// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dirty tracking of HWPTs: what is refused, which bits are reported, and that no mark
 * is lost. How bits get into memory is the business of the bitmap's programs.
 */
#include "dirty_world.h"

#include <sys/mman.h>

#include <algorithm>
#include <random>

using namespace guest;

namespace {

using World = DirtyWorld;

constexpr std::uint64_t where = World::where;

} // namespace

TEST_CASE("SET_DIRTY_TRACKING: errors in their order")
{
	const World world;
	const std::uint32_t plain =
		make_hwpt(world.context, world.mock.device, world.ioas, hwpt_parent);
	const std::uint32_t nested = make_nested(world.context, world.mock.device, plain);
	using Cmd = iommukit_hwpt_set_dirty_tracking;
	const auto id = [](const char *name, std::uint32_t value, int error) {
		return Fault<Cmd>{name, "hwpt_id", [value](Cmd &c) { c.hwpt_id = value; },
				  error};
	};
	auto valid = command<Cmd>();

	valid.flags = IOMMUKIT_HWPT_DIRTY_TRACKING_ENABLE;
	valid.hwpt_id = world.hwpt;
	/* Old programs may pass anything there. */
	valid.__reserved = 1;
	const auto issue = [&](Cmd &cmd) {
		return call(world.context.fd(), IOMMUKIT_HWPT_SET_DIRTY_TRACKING, &cmd);
	};
	CHECK(issue(valid) == ok);
	check_ordered<Cmd>(
		{
			{"an unknown flag", "flags", [](Cmd &c) { c.flags |= 2; },
			 EOPNOTSUPP},
			{"an unknown flag alone", "flags", [](Cmd &c) { c.flags = 4; },
			 EOPNOTSUPP},
			id("no such object", 0, ENOENT),
			id("an IOAS", world.ioas, ENOENT),
			id("a device", world.mock.device, ENOENT),
			id("a nested HWPT", nested, ENOENT),
			id("an automatic HWPT", world.mock.hwpt, EOPNOTSUPP),
			id("a HWPT that does not track", plain, EOPNOTSUPP),
		},
		valid, issue);
	CHECK(set_dirty(world.context, plain, false) == Errno{EOPNOTSUPP});
}

TEST_CASE("GET_DIRTY_BITMAP: errors in their order")
{
	const World world;
	const std::uint32_t plain =
		make_hwpt(world.context, world.mock.device, world.ioas, hwpt_parent);
	const std::uint32_t nested = make_nested(world.context, world.mock.device, plain);
	const std::uint32_t off =
		make_hwpt(world.context, world.mock.device, world.ioas, hwpt_dirty);
	using Cmd = iommukit_hwpt_get_dirty_bitmap;
	const auto id = [](const char *name, std::uint32_t value, int error) {
		return Fault<Cmd>{name, "hwpt_id", [value](Cmd &c) { c.hwpt_id = value; },
				  error};
	};
	const auto at = [](const char *name, std::uint64_t iova, std::uint64_t length,
			   int error) {
		return Fault<Cmd>{name, "iova",
				  [=](Cmd &c) {
					  c.iova += iova;
					  c.length += length;
				  },
				  error};
	};
	Bits bits(world.range().nbytes());
	auto valid = command<Cmd>();

	valid.hwpt_id = world.hwpt;
	valid.iova = where;
	valid.length = world.memory.size();
	valid.page_size = mock_page;
	valid.data = reinterpret_cast<std::uint64_t>(bits.data());
	const auto issue = [&](Cmd &cmd) {
		return call(world.context.fd(), IOMMUKIT_HWPT_GET_DIRTY_BITMAP, &cmd);
	};
	CHECK(issue(valid) == ok);
	REQUIRE(world.mark(every(world.pages(), 2)) == world.pages() / 2);
	check_ordered<Cmd>(
		{
			{"an unknown flag", "flags", [](Cmd &c) { c.flags = 2; },
			 EOPNOTSUPP},
			{"__reserved", "__reserved", [](Cmd &c) { c.__reserved = 1; },
			 EOPNOTSUPP},
			id("no such object", 0, ENOENT),
			id("an IOAS", world.ioas, ENOENT),
			id("a device", world.mock.device, ENOENT),
			id("a nested HWPT", nested, ENOENT),
			at("around the end", -2 * where, where, EOVERFLOW),
			at("begins inside of a page", mock_page / 2, 0 - mock_page / 2,
			   EINVAL),
			at("ends inside of a page", 0, 0 - mock_page / 2, EINVAL),
			{"bits of no bytes", "page_size", [](Cmd &c) { c.page_size = 0; },
			 EINVAL},
			{"bits of more than there is", "page_size",
			 [](Cmd &c) { c.page_size = 1UL << 40; }, EINVAL},
			id("an automatic HWPT", world.mock.hwpt, EOPNOTSUPP),
			id("a HWPT that does not track", plain, EOPNOTSUPP),
			id("tracking is off", off, EINVAL),
			at("a hole at the end", mock_page, 0, EINVAL),
		},
		valid, issue);
}

TEST_CASE("GET_DIRTY_BITMAP: ranges that are refused")
{
	const World world;
	const BitmapMemory bitmap(0, 64);
	const BitmapGeometry refused[] = {
		{where, 0, mock_page},
		{where, 0, 1},
		{0, 0, mock_page},
		/* Of three pages each; the range is a multiple of that, too. */
		{where / 12288 * 12288 + 12288, 2 * 12288, 12288},
		{where, 6 * mock_page, 3 * mock_page},
		{where, 64 * page_size, mock_page + 1},
		/* Suits the bits, but not the pages of the IOAS. */
		{where + 512, 512, 512},
		{where, 512, 512},
		/* Suits the pages, but not the bits. */
		{where + mock_page, 2 * mock_page, page_size},
		{where, 3 * mock_page, page_size},
		{where + page_size, 1UL << 40, 1UL << 40},
		/* To the last byte that there is, where nothing is mapped. */
		{-page_size, page_size, mock_page},
		{0, page_size, mock_page},
	};

	world.mark(every(world.pages(), 1));
	for (const BitmapGeometry &range : refused) {
		INFO(range.iova << " " << range.length << " " << range.page_size);
		CHECK(get_dirty(world.context, world.hwpt, range, bitmap.va()) ==
		      Errno{EINVAL});
		bitmap.check(Bits(64));
	}
	CHECK(get_dirty(world.context, world.hwpt, {-page_size, 2 * page_size, mock_page},
			bitmap.va()) == Errno{EOVERFLOW});
	CHECK(world.read() == every(world.pages(), 1));
}

TEST_CASE("devices that cannot track")
{
	const World world;
	const Mock other = make_mock(world.context, world.home, mock_no_dirty);
	std::uint32_t hwpt = 0, pt = world.hwpt;
	Mock mock;

	CHECK(try_hwpt(world.context, other.device, world.ioas, &hwpt, hwpt_dirty) ==
	      Errno{EOPNOTSUPP});
	CHECK(try_mock(world.context, world.hwpt, &mock, mock_no_dirty) == Errno{EINVAL});
	CHECK(try_mock_replace(world.context, other, &pt) == Errno{EINVAL});
	CHECK(pt == world.hwpt);
	CHECK(try_mock_replace(world.context, world.mock, &pt) == ok);
}

TEST_CASE("what is marked is reported, once")
{
	for (const std::uint64_t npages : {1, 2, 4, 16, 32, 80, 1024}) {
		const World world(npages * page_size);
		const Bits marks = every(world.pages(), 2, 1);

		for (const std::uint64_t granule : {1UL, 512UL, mock_page, page_size}) {
			const Bits bits = expected(marks, world.range(granule));

			INFO(npages << " pages, a bit for " << granule << " bytes");
			CHECK(world.read(granule) == no_bits(world.range(granule)));
			CHECK(world.mark(marks) == npages);
			CHECK(world.read(granule, get_no_clear) == bits);
			CHECK(world.read(granule, get_no_clear) == bits);
			CHECK(world.read(granule) == bits);
			CHECK(world.read(granule) == no_bits(world.range(granule)));
		}
	}
}

TEST_CASE("random marks, read piece by piece")
{
	const World world(1024 * page_size);
	std::mt19937_64 random(seed());

	for (const std::uint64_t granule : {mock_page, 4 * page_size, 64 * page_size}) {
		const std::uint64_t piece = 128 * page_size;
		const Bits marks = some(world.pages(), random);
		const Bits bits = expected(marks, world.range(granule));
		Bits seen(bits.size());

		CHECK(world.mark(marks) == count(marks));
		for (std::uint64_t at = 0; at < world.memory.size(); at += piece) {
			const Bits part = dirty_bits(world.context, world.hwpt,
						     {where + at, piece, granule});

			for (std::uint64_t k = 0; k < piece / granule; k++)
				if (has_bit(part, k))
					add_bits(seen, at / granule + k,
						 at / granule + k);
		}
		CHECK(seen == bits);
		CHECK(world.read() == no_bits(world.range()));
	}
}

TEST_CASE("a large IO page is dirty as a whole")
{
	const World world(2 * huge_size, mock_huge_pages, Memory::Kind::huge);
	const std::uint64_t per_huge = mock_huge / mock_page;
	/* Somewhere in the second and in the fourth. */
	const Bits marks = every(world.pages(), 2 * per_huge, per_huge + 77);

	for (const std::uint64_t granule :
	     {mock_page, 16 * page_size, mock_huge, huge_size}) {
		INFO("a bit for " << granule << " bytes");
		CHECK(world.mark(marks) == 2);
		const Bits bits = expected(marks, world.range(granule), mock_huge);

		CHECK(world.read(granule, get_no_clear) == bits);
		CHECK(world.read(granule) == bits);
		CHECK(world.read(granule) == no_bits(world.range(granule)));
	}
}

TEST_CASE("a range that begins and ends inside of large IO pages")
{
	const World world(2 * huge_size, mock_huge_pages, Memory::Kind::huge);
	const std::uint64_t per_huge = mock_huge / mock_page;
	const BitmapGeometry middle{where + 3 * mock_huge / 2, mock_huge, mock_page};
	const BitmapGeometry last{where + 3 * mock_huge, mock_huge, mock_page};
	Bits half(middle.nbytes());

	/* The second of the four, of which the range has the end, and the last. */
	CHECK(world.mark(every(world.pages(), 2 * per_huge, per_huge + 77)) == 2);
	add_bits(half, 0, per_huge / 2 - 1);
	CHECK(dirty_bits(world.context, world.hwpt, middle) == half);
	CHECK(dirty_bits(world.context, world.hwpt, last) == every(per_huge, 1));
}

TEST_CASE("a bitmap at any address, and what is around it")
{
	const World world;
	std::mt19937_64 random(seed());

	for (const std::uint64_t nbits : {1, 13, 64, 77})
		for (std::uint64_t offset = 4080; offset < 4096 + 16; offset++) {
			const BitmapGeometry range{where, nbits * mock_page, mock_page};
			const BitmapMemory bitmap(offset % page_size, range.nbytes());
			const Bits marks = some(nbits, random);
			Bits bits = some(range.nbytes() * 8, random);

			INFO(nbits << " bits at " << offset % page_size);
			std::copy(bits.begin(), bits.end(), bitmap.bytes());
			REQUIRE(mark_dirty(world.context, world.hwpt,
					   {range.iova, range.length},
					   marks) == count(marks));
			REQUIRE(get_dirty(world.context, world.hwpt, range,
					  bitmap.va()) == ok);
			/* Nobody clears what was set before, or does not belong to it. */
			bitmap.check(either(bits, marks));
			REQUIRE(world.read() == no_bits(world.range()));
		}
}

TEST_CASE("a bitmap that cannot be written loses no mark")
{
	const World world;
	const BitmapMemory nowhere(0, 32), read_only(0, 32);
	const Bits marks = every(world.pages(), 3);

	nowhere.protect(0, PROT_NONE);
	read_only.protect(0, PROT_READ);
	for (const std::uint64_t data :
	     {nowhere.va(), read_only.va(), nowhere.va() + page_size, 16UL, 0UL,
	      0xffff800000000000UL, all_ones - 3}) {
		const NothingPinned nothing_pinned;

		INFO(data);
		world.mark(marks);
		for (const std::uint32_t flags : {0U, get_no_clear})
			CHECK(get_dirty(world.context, world.hwpt, world.range(), data,
					flags) == Errno{EFAULT});
		CHECK(world.read() == marks);
		CHECK(world.read() == no_bits(world.range()));
	}
}

TEST_CASE("a bitmap of which one page cannot be written")
{
	const World world;
	const Bits marks = every(world.pages(), 1);

	for (const std::uint64_t bad : {0, 1})
		for (const std::uint64_t offset : {4094, 4091, 4081}) {
			const BitmapMemory bitmap(offset, world.range().nbytes());

			INFO("page " << bad << ", bitmap at " << offset);
			world.mark(marks);
			bitmap.protect(bad, PROT_READ);
			REQUIRE(get_dirty(world.context, world.hwpt, world.range(),
					  bitmap.va()) == Errno{EFAULT});
			const Bits first(bitmap.bytes(), bitmap.bytes() + bitmap.size());
			const Bits left = world.read(mock_page, get_no_clear);

			CHECK(either(first, left) == marks);
			CHECK(count(left) > 0);
			/* Again, into the same memory. */
			bitmap.protect(bad, PROT_READ | PROT_WRITE);
			REQUIRE(get_dirty(world.context, world.hwpt, world.range(),
					  bitmap.va()) == ok);
			bitmap.check(marks);
			CHECK(world.read() == no_bits(world.range()));
		}
}

TEST_CASE("a bitmap without bits is not touched")
{
	const World world;
	const BitmapMemory bitmap(0, 32);

	bitmap.protect(0, PROT_NONE);
	CHECK(get_dirty(world.context, world.hwpt, world.range(), bitmap.va()) == ok);
}

TEST_CASE("a hole ends the read, and nothing before it or behind it is lost")
{
	const World world(16 * page_size);
	const std::uint64_t behind = where + world.memory.size() + page_size;
	const BitmapGeometry all{where, 33 * page_size, mock_page};
	const BitmapMemory bitmap(0, all.nbytes());
	Bits before(all.nbytes()), after(all.nbytes());

	add_bits(before, 3, 30);
	add_bits(after, 36, 60);
	world.context.map(world.ioas, world.memory, behind);
	CHECK(mark_dirty(world.context, world.hwpt, {all.iova, all.length},
			 every(all.nbits(), 1)) == 64);
	world.read();
	CHECK(dirty_bits(world.context, world.hwpt,
			 {behind, world.memory.size(), mock_page}) == Bits(4, 0xff));

	mark_dirty(world.context, world.hwpt, {all.iova, all.length},
		   either(before, after));
	CHECK(get_dirty(world.context, world.hwpt, all, bitmap.va()) == Errno{EINVAL});
	bitmap.check(before);
	CHECK(world.read() == no_bits(world.range()));
	CHECK(get_dirty(world.context, world.hwpt,
			{behind - page_size, 2 * page_size, mock_page},
			bitmap.va()) == Errno{EINVAL});
	bitmap.check(before);

	bitmap.clear();
	REQUIRE(world.context.try_map(world.ioas, world.memory.va(), page_size,
				      behind - page_size) == ok);
	CHECK(get_dirty(world.context, world.hwpt, all, bitmap.va()) == ok);
	bitmap.check(after);
}

TEST_CASE("switching on forgets, and off refuses")
{
	const World world;
	const Bits marks = every(world.pages(), 2);
	const BitmapMemory bitmap(0, world.range().nbytes());

	world.mark(marks);
	CHECK(set_dirty(world.context, world.hwpt, true) == ok);
	CHECK(world.read() == no_bits(world.range()));

	world.mark(marks);
	for (int i = 0; i < 2; i++) {
		CHECK(set_dirty(world.context, world.hwpt, false) == ok);
		CHECK(get_dirty(world.context, world.hwpt, world.range(), bitmap.va()) ==
		      Errno{EINVAL});
		CHECK(try_mark_dirty(world.context, world.hwpt,
				     {where, world.memory.size()},
				     marks) == Errno{EINVAL});
	}
	bitmap.check(no_bits(world.range()));
	CHECK(set_dirty(world.context, world.hwpt, true) == ok);
	CHECK(world.read() == no_bits(world.range()));
	CHECK(world.mark(marks) == world.pages() / 2);
	CHECK(world.read() == marks);
}

TEST_CASE("unmapping forgets, and what is mapped later begins clean")
{
	const World world;
	const Bits marks = every(world.pages(), 1);

	CHECK(world.mark(marks) == world.pages());
	world.context.unmap_all(world.ioas);
	/* There is nothing to mark. */
	CHECK(world.mark(marks) == 0);
	world.context.map(world.ioas, world.memory, where);
	CHECK(world.read() == no_bits(world.range()));
	CHECK(world.mark(marks) == world.pages());
	CHECK(world.read() == marks);
}

TEST_CASE("each HWPT of an IOAS has marks of its own")
{
	const World world;
	const std::uint32_t other =
		make_hwpt(world.context, world.mock.device, world.ioas, hwpt_dirty);
	const Bits odd = every(world.pages(), 2, 1), third = every(world.pages(), 3);

	world.mark(odd);
	REQUIRE(set_dirty(world.context, other, true) == ok);
	CHECK(dirty_bits(world.context, other, world.range()) == no_bits(world.range()));
	mark_dirty(world.context, other, {where, world.memory.size()}, third);
	CHECK(world.read() == odd);
	world.mark(odd);
	CHECK(dirty_bits(world.context, other, world.range()) == third);
	CHECK(set_dirty(world.context, other, false) == ok);
	world.context.destroy(other);
	CHECK(world.read() == odd);
}

TEST_CASE("marks stay with the HWPT when its device leaves")
{
	const World world;
	const Bits marks = every(world.pages(), 5);
	std::uint32_t pt = world.hwpt;

	REQUIRE(try_mock_replace(world.context, world.mock, &pt) == ok);
	world.mark(marks);
	pt = world.ioas;
	REQUIRE(try_mock_replace(world.context, world.mock, &pt) == ok);
	CHECK(pt != world.hwpt);
	CHECK(set_dirty(world.context, pt, true) == Errno{EOPNOTSUPP});
	CHECK(world.read(mock_page, get_no_clear) == marks);
	pt = world.hwpt;
	REQUIRE(try_mock_replace(world.context, world.mock, &pt) == ok);
	CHECK(world.read() == marks);
}

TEST_CASE("thousands of mappings in one read")
{
	const std::uint64_t areas = 4096 / slowness() / 4 * 4;
	const World world;
	const std::uint64_t there = where + 2 * huge_size;
	const BitmapGeometry range{there, areas * page_size, mock_page};
	const Bits marks = every(range.nbits(), 3);

	for (std::uint64_t n = 0; n < areas; n++)
		REQUIRE(world.context.try_map(world.ioas,
					      world.memory.va() + n % 64 * page_size,
					      page_size, there + n * page_size) == ok);
	CHECK(mark_dirty(world.context, world.hwpt, {there, range.length}, marks) ==
	      count(marks));
	CHECK(dirty_bits(world.context, world.hwpt, range, get_no_clear) == marks);
	world.context.unmap(world.ioas, there + range.length - page_size, page_size);
	Bits bits(range.nbytes());
	CHECK(get_dirty(world.context, world.hwpt, range,
			reinterpret_cast<std::uint64_t>(bits.data())) == Errno{EINVAL});
	Bits rest = marks;
	rest.back() &= 0x3f;
	CHECK(bits == rest);
}

TEST_CASE("a range of more than a gigabyte")
{
	const std::uint64_t times = 768 / slowness();
	const World world(huge_size, mock_huge_pages, Memory::Kind::huge);
	const BitmapGeometry range{where, times * huge_size, mock_page};
	const std::uint64_t per_huge = mock_huge / mock_page;
	const Bits marks = every(range.nbits(), 3 * per_huge, 1);

	for (std::uint64_t n = 1; n < times; n++)
		REQUIRE(world.context.try_map(world.ioas, world.memory.va(), huge_size,
					      where + n * huge_size) == ok);
	CHECK(mark_dirty(world.context, world.hwpt, {where, range.length}, marks) ==
	      count(marks));
	CHECK(dirty_bits(world.context, world.hwpt, range) ==
	      expected(marks, range, mock_huge));
	CHECK(dirty_bits(world.context, world.hwpt, range) == no_bits(range));
}

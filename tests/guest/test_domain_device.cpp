// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a software device does in its domain: copying, alone and while mappings
 * change, and the marks that its writes leave.
 */
#include "domain.h"
#include "threads.h"

#include <algorithm>
#include <cstring>

using namespace guest;

namespace {

constexpr std::uint64_t mio = 2048;
constexpr std::uint64_t iova = 1UL << 24;
const unsigned int steps = 3000 / slowness();
/* Of copies by one call, while others look for gaps between them */
constexpr std::uint32_t many = 100;

struct World {
	explicit World(const Geometry &geometry = soft_geometry)
		: domain(context, geometry)
	{
		memory.fill(1);
	}
	/* The domain's end unpins. */
	void check_pins(std::uint32_t pins) const
	{
		CHECK(check_refs(context, memory, pins) == ok);
	}

	Context context;
	Memory memory{16 * page_size};
	Domain domain;
};

std::vector<std::byte> read(const Domain &domain, std::uint64_t at, std::uint64_t length)
{
	std::vector<std::byte> data(length);

	REQUIRE(domain.try_read(at, data.data(), length) == ok);
	return data;
}

void touch(const Domain &domain, std::uint64_t at)
{
	const std::byte data{1};

	REQUIRE(domain.try_write(at, &data, 1) == ok);
}

bool all_are(std::byte value, const std::byte *data, std::size_t length)
{
	return std::all_of(data, data + length,
			   [value](std::byte byte) { return byte == value; });
}

} // namespace

TEST_CASE("a copy goes to where each piece is mapped")
{
	const World world(mock_geometry);
	constexpr std::uint64_t pieces = 8;
	std::vector<std::byte> expected;

	/* In half pages, from the last to the first. */
	for (std::uint64_t n = 0; n < pieces; n++) {
		const std::uint64_t offset = (pieces - 1 - n) * mio;
		const auto piece = pattern_of(1, offset, mio);

		world.domain.map(iova + n * mio, user(world.memory, offset), mio);
		expected.insert(expected.end(), piece.begin(), piece.end());
	}
	for (const std::uint64_t length : {1UL, 63UL, mio, mio + 1, 3 * page_size})
		for (std::uint64_t at = 0; at + length <= pieces * mio; at += 509) {
			const auto begin =
				expected.begin() + static_cast<std::ptrdiff_t>(at);
			std::vector<std::byte> data(length);

			INFO(length << " bytes at " << at);
			REQUIRE(world.domain.try_read(iova + at, data.data(), length) ==
				ok);
			REQUIRE(std::equal(data.begin(), data.end(), begin));
		}

	const auto other = pattern_of(2, 0, pieces * mio);
	REQUIRE(world.domain.try_write(iova + 1, &other[1], other.size() - 2) == ok);
	for (std::uint64_t n = 1; n < other.size() - 1; n++)
		REQUIRE(world.memory.data()[(pieces - 1 - n / mio) * mio + n % mio] ==
			other[n]);
	CHECK(world.memory.data()[(pieces - 1) * mio] == pattern(1, (pieces - 1) * mio));
}

TEST_CASE("a copy that cannot be is refused")
{
	const World world;
	const Domain &domain = world.domain;
	std::vector<std::byte> data(4 * page_size, std::byte(0xff));

	domain.map(iova, user(world.memory), page_size, domain_read);
	domain.map(iova + page_size, user(world.memory, page_size), page_size,
		   domain_write);
	domain.map(iova + 2 * page_size, user(world.memory, 2 * page_size), page_size);

	SECTION("by its range")
	{
		CHECK(domain.try_read(iova, data.data(), 0) == Errno{EINVAL});
		CHECK(domain.try_read(-page_size, data.data(), page_size + 1) ==
		      Errno{EOVERFLOW});
		CHECK(domain.try_read(-page_size, data.data(), page_size) ==
		      Errno{ENOENT});
		CHECK(domain.try_read(1UL << 48, data.data(), 1) == Errno{ENOENT});
		CHECK(domain.try_read(iova - 1, data.data(), 1) == Errno{ENOENT});
	}
	SECTION("by permissions")
	{
		CHECK(domain.try_read(iova, data.data(), page_size) == ok);
		CHECK(domain.try_write(iova, data.data(), 1) == Errno{EPERM});
		CHECK(domain.try_read(iova + page_size, data.data(), 1) == Errno{EPERM});
		CHECK(domain.try_read(iova, data.data(), 2 * page_size) == Errno{EPERM});
		CHECK(domain.try_write(iova + page_size, data.data(), 2 * page_size) ==
		      ok);
		CHECK(std::equal(world.memory.data(), world.memory.data() + page_size,
				 pattern_of(1, 0, page_size).begin()));
	}
	SECTION("by a hole, which what lies before does not feel")
	{
		CHECK(domain.try_write(iova + 2 * page_size, data.data(),
				       page_size + 1) == Errno{ENOENT});
		CHECK(all_are(std::byte(0xff), world.memory.data() + 2 * page_size,
			      page_size));
		CHECK(world.memory.data()[3 * page_size] == pattern(1, 3 * page_size));
	}
}

TEST_CASE("large and small pages lead to the same memory")
{
	const World world;
	const Domain &domain = world.domain;
	const std::uint64_t large = giga_size, small = giga_size + 7 * huge_size;
	const auto content = pattern_of(3, 0, huge_size);

	domain.map(large, buffer(), huge_size);
	domain.map(small, buffer(), huge_size, domain_rw, by_page);
	REQUIRE(domain.try_write(large, content.data(), huge_size) == ok);
	CHECK(read(domain, small, huge_size) == content);
	REQUIRE(domain.try_write(small + 12345, content.data(), page_size) == ok);
	CHECK(read(domain, large + 12345, page_size) == pattern_of(3, 0, page_size));
}

TEST_CASE("the last byte of all addresses")
{
	const World world(full_geometry);
	const Domain &domain = world.domain;

	domain.track(true);
	domain.map(-page_size, user(world.memory), page_size);
	CHECK(read(domain, -page_size, page_size) == pattern_of(1, 0, page_size));
	touch(domain, all_ones);
	CHECK(world.memory.data()[page_size - 1] == std::byte(1));
	CHECK(domain.read_dirty(-giga_size, giga_size) ==
	      std::vector<Dirty>{{-page_size, page_size}});
	CHECK(domain.read_dirty(1, all_ones).empty());
	CHECK(domain.unmap(-giga_size, giga_size) == page_size);
}

/* ---- while mappings change ---- */

TEST_CASE("after an unmap has returned nobody writes to the old page")
{
	const World world;
	Verdict verdict;
	Threads threads;
	std::atomic<bool> done = false;

	threads.start(1, [&](std::size_t, auto &) {
		for (unsigned int i = 0; !verdict.done(i, 2 * steps); i++) {
			verdict.expect(
				"map",
				world.domain.try_map(iova, user(world.memory), page_size),
				{0});
			std::this_thread::yield();
			verdict.expect("unmap", world.domain.unmap(iova, page_size,
								   wipe) == page_size);
			verdict.expect(
				"untouched",
				all_are(std::byte(0), world.memory.data(), page_size));
		}
		done = true;
	});
	threads.start(2, [&](std::size_t, auto &) {
		const std::vector<std::byte> ones(page_size, std::byte(0xff));

		while (!done) {
			const Errno error = world.domain.try_write(iova, ones.data(),
								   ones.size(), many);

			verdict.expect("write", error, {0, ENOENT});
			if (error == ok)
				verdict.hit();
		}
	});
	threads.join();
	verdict.check(1);
	world.check_pins(0);
}

TEST_CASE("readers find one page or the other while pages of all sizes come and go")
{
	const World world;
	const Domain &domain = world.domain;
	const auto content = pattern_of(4, 0, huge_size);
	Verdict verdict;
	Threads threads;
	std::atomic<bool> done = false;

	domain.map(giga_size, buffer(), huge_size);
	REQUIRE(domain.try_write(giga_size, content.data(), huge_size) == ok);
	threads.start(1, [&](std::size_t, auto &random) {
		for (unsigned int i = 0; !verdict.done(i, steps / 10); i++) {
			const std::uint64_t offset = random() % 512 * page_size;
			const bool part = random() % 2;

			verdict.expect(
				"map",
				part ? domain.try_map(offset, buffer(offset), page_size)
				     : domain.try_map(0, buffer(), huge_size, domain_rw,
						      random() % 2 ? by_page : 0),
				{0});
			std::this_thread::yield();
			verdict.expect("unmap", domain.unmap(0, huge_size) ==
							(part ? page_size : huge_size));
		}
		done = true;
	});
	threads.start(2, [&](std::size_t, auto &random) {
		std::vector<std::byte> data(100);

		while (!done) {
			const std::uint64_t at = random() % (huge_size - data.size());
			const Errno error =
				domain.try_read(at, data.data(), data.size(), many);

			verdict.expect("read", error, {0, ENOENT});
			if (error != ok)
				continue;
			verdict.hit();
			verdict.expect("content", std::memcmp(data.data(), &content[at],
							      data.size()) == 0);
		}
	});
	threads.join();
	verdict.check(1);
}

TEST_CASE("maps and unmaps of neighbours in parallel")
{
	constexpr std::uint64_t owners = 4, share = 128, together = owners * share;
	const World world;
	const std::uint64_t before = tables();
	Verdict verdict;
	Threads threads;

	/* A share for each in every table, so all work on the same ones. */
	threads.start(owners, [&](std::size_t owner, auto &random) {
		for (unsigned int i = 0; i < steps; i++) {
			const std::uint64_t first =
				random() % 3 * together + owner * share + random() % 64;
			const std::uint64_t at = iova + first * page_size;
			const std::uint64_t address = (1 + random() % 99999) * page_size;
			const std::uint64_t length = (1 + random() % 64) * page_size;

			verdict.expect("map",
				       world.domain.try_map(at, phys(address), length,
							    domain_rw, by_page),
				       {0});
			verdict.expect("check",
				       world.domain.check(at, phys(address), length),
				       {0});
			verdict.expect("unmap",
				       world.domain.unmap(at, length, by_page) == length);
		}
	});
	threads.join();
	verdict.check();
	CHECK(tables() == before);
	CHECK(world.domain.unmap(0, giga_size) == 0);
}

/* ---- what was written ---- */

TEST_CASE("writes leave marks while they are tracked")
{
	const World world;
	const Domain &domain = world.domain;
	const auto marked = [&](std::uint32_t flags = no_clear) {
		return domain.read_dirty(iova, 16 * page_size, flags);
	};
	const std::vector<Dirty> none, third{{iova + 3 * page_size, page_size}};

	domain.map(iova, user(world.memory), world.memory.size(), domain_rw, by_page);
	touch(domain, iova + 2 * page_size);
	CHECK(marked() == none);
	domain.track(true);
	CHECK(marked() == none);
	read(domain, iova, 16 * page_size);
	CHECK(marked() == none);
	touch(domain, iova + 3 * page_size + 5);
	CHECK(marked() == third);
	CHECK(marked() == third);
	domain.track(false);
	touch(domain, iova);
	CHECK(marked() == third);
	CHECK(marked(0) == third);
	CHECK(marked() == none);
	domain.track(true);
	touch(domain, iova + 3 * page_size);
	CHECK(marked(no_record) == none);
	CHECK(marked() == none);
	touch(domain, iova + 3 * page_size);
	CHECK(domain.unmap(iova, world.memory.size()) == world.memory.size());
	domain.map(iova, user(world.memory), world.memory.size(), domain_rw, by_page);
	CHECK(marked() == none);
}

TEST_CASE("pages are recorded as large as they are")
{
	const World world;
	const World mock(mock_geometry);
	const std::uint64_t large = huge_size, last = (1UL << 48) - page_size;

	world.domain.track(true);
	world.domain.map(large, buffer(), huge_size);
	world.domain.map(large + huge_size, user(world.memory), 4 * page_size, domain_rw,
			 by_page);
	world.domain.map(last, user(world.memory), page_size);
	touch(world.domain, large + 77);
	touch(world.domain, large + huge_size);
	touch(world.domain, large + huge_size + page_size);
	touch(world.domain, large + huge_size + 3 * page_size);
	touch(world.domain, last);
	CHECK(world.domain.read_dirty(0, 1UL << 48) ==
	      std::vector<Dirty>{{large, huge_size},
				 {large + huge_size, 2 * page_size},
				 {large + huge_size + 3 * page_size, page_size},
				 {last, page_size}});
	CHECK(world.domain.read_dirty(0, all_ones).empty());

	mock.domain.track(true);
	mock.domain.map(iova, user(mock.memory), page_size);
	touch(mock.domain, iova + page_size - 1);
	CHECK(mock.domain.read_dirty(iova, page_size) ==
	      std::vector<Dirty>{{iova + mio, mio}});
}

TEST_CASE("a page of which a part is read out keeps its mark")
{
	const World world;
	const Domain &domain = world.domain;

	domain.track(true);
	domain.map(huge_size, buffer(), huge_size);
	touch(domain, huge_size);
	CHECK(domain.read_dirty(0, huge_size + page_size) ==
	      std::vector<Dirty>{{huge_size, page_size}});
	CHECK(domain.read_dirty(2 * huge_size - page_size, huge_size) ==
	      std::vector<Dirty>{{2 * huge_size - page_size, page_size}});
	CHECK(domain.read_dirty(huge_size + mio, mio) ==
	      std::vector<Dirty>{{huge_size + mio, mio}});
	CHECK(domain.read_dirty(0, 2 * huge_size) ==
	      std::vector<Dirty>{{huge_size, huge_size}});
	CHECK(domain.read_dirty(0, 2 * huge_size).empty());
}

TEST_CASE("what could not be recorded keeps its mark")
{
	const World world;
	const Domain &domain = world.domain;
	const std::vector<Dirty> all{{iova, page_size},
				     {iova + 2 * page_size, page_size},
				     {iova + huge_size, page_size}};
	std::vector<Dirty> records;

	domain.track(true);
	domain.map(iova, user(world.memory), 4 * page_size, domain_rw, by_page);
	domain.map(iova + huge_size, user(world.memory, 4 * page_size), page_size);
	for (const Dirty &page : all)
		touch(domain, page.iova);
	CHECK(domain.try_read_dirty(0, all_ones, &records, 0, 0) == Errno{ENOSPC});
	CHECK(domain.read_dirty(0, all_ones, no_clear) == all);
	CHECK(domain.try_read_dirty(0, all_ones, &records, no_clear, 1) == Errno{ENOSPC});
	CHECK(domain.read_dirty(0, all_ones, no_clear) == all);
	/* The first is out, so it is clear; from the second on all stay. */
	CHECK(domain.try_read_dirty(0, all_ones, &records, 0, 1) == Errno{ENOSPC});
	CHECK(records == std::vector<Dirty>{all[0]});
	CHECK(domain.try_read_dirty(0, all_ones, &records, 0, 1) == Errno{ENOSPC});
	CHECK(records == std::vector<Dirty>{all[1]});
	CHECK(domain.try_read_dirty(0, all_ones, &records, 0, 1) == ok);
	CHECK(records == std::vector<Dirty>{all[2]});
	CHECK(domain.read_dirty(0, all_ones).empty());
}

/*
 * As a migration does it: copy the pages that were written since the last time,
 * until the writers stop, and once more. The copy is then the original.
 */
TEST_CASE("no write is lost while marks are read and cleared")
{
	constexpr std::uint64_t pages = 64;
	const World world;
	const Domain &domain = world.domain;
	const bool large = GENERATE(false, true);
	const std::uint64_t at = huge_size;
	std::vector<std::uint64_t> original(pages), copied(pages);
	std::atomic<unsigned int> writing = 2;
	std::uint64_t copies = 0;
	Memory memory(pages * page_size);
	Verdict verdict;
	Threads threads;

	INFO((large ? "a large page" : "small pages"));
	if (large)
		domain.map(at, buffer(), huge_size);
	else
		domain.map(at, user(memory), pages * page_size, domain_rw, by_page);
	domain.track(true);
	threads.start(writing, [&](std::size_t writer, auto &random) {
		for (std::uint64_t i = 1; i <= 10 * steps; i++) {
			const std::uint64_t n = random() % (pages / 2) * 2 + writer;

			original[n] = i;
			verdict.expect(
				"write",
				domain.try_write(at + n * page_size, &i, sizeof(i)), {0});
		}
		writing--;
	});
	threads.start(1, [&](std::size_t, auto &) {
		std::vector<Dirty> records;
		bool last = false;

		while (!last) {
			last = writing == 0;
			verdict.expect("read out",
				       domain.try_read_dirty(0, giga_size, &records),
				       {0});
			for (const Dirty &dirty : records)
				for (std::uint64_t n = (dirty.iova - at) / page_size;
				     n < pages &&
				     at + n * page_size < dirty.iova + dirty.length;
				     n++, copies++)
					verdict.expect("copy",
						       domain.try_read(at + n * page_size,
								       &copied[n],
								       sizeof(copied[n])),
						       {0});
		}
	});
	threads.join();
	verdict.check();
	CHECK(copied == original);
	CHECK(copies > pages);
	CHECK(domain.read_dirty(0, giga_size).empty());
}

/* The writer waits until its number was seen, so any that is lost stops it. */
TEST_CASE("no write is lost at any moment")
{
	const std::uint64_t last = 50'000 / slowness() & ~1U;
	const World world;
	std::uint64_t seen = 0;
	Verdict verdict;
	Threads threads;

	world.domain.map(iova, user(world.memory), page_size);
	world.domain.track(true);
	threads.start(1, [&](std::size_t, auto &) {
		verdict.expect("write", world.domain.chase(iova, &seen, last), {0});
	});
	threads.start(1, [&](std::size_t, auto &) {
		verdict.expect("read out", world.domain.follow(iova, &seen, last), {0});
	});
	threads.join();
	verdict.check();
	CHECK(seen == last);
}

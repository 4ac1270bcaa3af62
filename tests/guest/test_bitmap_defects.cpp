// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every defect that any published version of the facility had, once. The numbers
 * are those of the specification.
 */
#include "bitmap_vectors.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <thread>

using namespace guest;

namespace {

constexpr std::uint64_t k4 = 0x1000, mib = 1UL << 20;
/* IOVA that a page of bitmap covers with granules of 4 KiB */
constexpr std::uint64_t per_page = 128 * mib;

/* A bitmap of granules of 4 KiB that begins at IOVA 0. */
struct Plain {
	Plain(std::uint64_t length, std::uint64_t offset, bool mapped_behind = false)
		: geometry{0, length, k4},
		  memory(offset, geometry.nbytes(), mapped_behind)
	{
	}

	BitmapScript script(std::uint32_t flags = 0, std::uint32_t window_pages = 0) const
	{
		return {geometry, memory.va(), flags, window_pages};
	}
	/* Checks that these bits are set and no others. */
	void check(std::uint64_t first, std::uint64_t last) const
	{
		std::vector<std::uint8_t> bytes(memory.size());

		add_bits(bytes, first, last);
		memory.check(bytes);
	}
	void check_none() const
	{
		memory.check(std::vector<std::uint8_t>(memory.size()));
	}
	void check_all() const { check(0, geometry.nbits() - 1); }

	Context context;
	BitmapGeometry geometry;
	BitmapMemory memory;
};

} // namespace

TEST_CASE("D1: an unaligned bitmap continues at the start of its second page")
{
	for (const std::uint32_t flags : {0U, bitmap_prepin}) {
		const Plain plain(128 * k4, 0xff8, true);

		CHECK(plain.script(flags).set(0, 128 * k4).run(plain.context).result ==
		      0);
		plain.check_all();
	}
}

TEST_CASE("D2: of an unaligned bitmap the last page is pinned, too")
{
	const Plain plain(128 * k4, 0xff9);
	const BitmapRun run =
		plain.script().set(127 * k4, k4).set(0, k4).run(plain.context);

	CHECK(run.pages == 2);
	CHECK(plain.memory.bytes()[0] == 0x01);
	CHECK(plain.memory.bytes()[15] == 0x80);
}

TEST_CASE("D3: the first window of an unaligned bitmap is shorter")
{
	const Plain plain(256 * mib, 0x800);
	const BitmapRun run = plain.script(bitmap_prepin, 1).run(plain.context);

	CHECK(run.calls == std::vector<IovaRange>{{0, 64 * mib},
						  {64 * mib, 128 * mib},
						  {192 * mib, 64 * mib}});
}

TEST_CASE("D4: tails and straddles are not lost")
{
	check_vector("V07");
	check_vector("V08");
}

TEST_CASE("D5: the tail of a first window that is no word is not skipped")
{
	for (const std::uint32_t flags : {0U, bitmap_prepin}) {
		const Plain plain(2 * per_page, 0xff1);
		BitmapScript script = plain.script(flags, 1);

		/* Each granule in the window that it lies in. */
		script.series({0, k4}, k4, 15 * 8, 1)
			.series({15 * 8 * k4, k4}, k4, 32768, flags ? 2 : 1)
			.series({15 * 8 * k4 + per_page, k4}, k4, 32768 - 15 * 8,
				flags ? 3 : 1);
		CHECK(script.run(plain.context).result == 0);
		plain.check_all();
	}
}

TEST_CASE("D6: a bitmap of a byte needs no page behind it")
{
	const Plain plain(8 * k4, 0xfff);

	CHECK(plain.script().set(0, 8 * k4).run(plain.context).result == 0);
	plain.check_all();
}

TEST_CASE("D7: a record over three windows stays within their pages")
{
	const Plain plain(4 * per_page, 0);
	const BitmapRun run = plain.script(0, 1)
				      .set(per_page - k4, per_page + 2 * k4)
				      .run(plain.context);

	CHECK(run.result == 0);
	CHECK(run.windows == 3);
	plain.check(32767, 65536);
}

TEST_CASE("D8: what a record has in the next window is not dropped")
{
	for (const std::uint32_t flags : {0U, bitmap_prepin}) {
		const Plain plain(2 * per_page, 0);

		CHECK(plain.script(flags, 1)
			      .set(per_page - k4, 2 * mib)
			      .run(plain.context)
			      .result == 0);
		plain.check(32767, 32767 + 511);
	}
}

TEST_CASE("D9: nothing is pinned behind the bitmap")
{
	for (const std::uint32_t flags : {0U, bitmap_prepin}) {
		const Plain plain(2 * per_page, 0);
		const BitmapRun run = plain.script(flags, 1)
					      .set(per_page - mib, per_page + mib)
					      .run(plain.context);

		CHECK(run.result == 0);
		plain.check(32768 - 256, 65535);
	}
}

TEST_CASE("D10: large pages")
{
	for (const char *name : {"V23", "V24", "V25", "V26"})
		check_vector(name);
}

TEST_CASE("D11: records below the base")
{
	check_vector("V11");
	check_vector("V14");
}

TEST_CASE("D12: a record 2^59 below the base sets nothing")
{
	const BitmapGeometry geometry{1UL << 60, 0x100000, k4};
	const Context context;
	const BitmapMemory memory(0, geometry.nbytes());
	const BitmapRun run = BitmapScript(geometry, memory.va())
				      .set((1UL << 60) - (1UL << 59), k4)
				      .run(context);

	CHECK(run.result == 0);
	CHECK(run.clipped == 1);
	memory.check(std::vector<std::uint8_t>(memory.size()));
}

/* Both check that there was one window. */
TEST_CASE("D13: a window that ends at the end of all IOVA")
{
	check_vector("V21");
}

TEST_CASE("D14: a window that covers more than all IOVA")
{
	const BitmapGeometry geometry{1UL << 61, 1UL << 62, 1UL << 61};
	const Context context;

	check_vector("V24");
	for (const std::uint32_t flags : {0U, bitmap_prepin}) {
		const BitmapMemory memory(0, 1);
		const BitmapRun run = BitmapScript(geometry, memory.va(), flags)
					      .series({1UL << 61, 1}, 1UL << 61, 2)
					      .series({(1UL << 61) + 5, 1}, 1UL << 61, 2)
					      .run(context);

		CHECK(run.calls == std::vector<IovaRange>{{1UL << 61, 1UL << 62}});
		CHECK(run.windows == 1);
		memory.check({0x03});
	}
}

TEST_CASE("D15: a record of no length ends, and sets nothing")
{
	check_vector("V15");
}

TEST_CASE("D16: records over the end set nothing behind the bitmap")
{
	check_vector("V12");
	check_vector("V13");
}

TEST_CASE("D17: records over the end pin nothing again")
{
	const Plain plain(256 * k4, 0);
	const BitmapRun run =
		plain.script().series({255 * k4, 2 * k4}, 0, 8).run(plain.context);

	CHECK(run.windows == 1);
	CHECK(run.clipped == 8);
	plain.check(255, 255);
}

TEST_CASE("D18: of a record below the base the part inside is set")
{
	check_vector("V11");
}

/* Also R1, as far as there is no dirty state to clear. */
TEST_CASE("D19: a bitmap that is read-only is an error, and later loses nothing")
{
	for (const std::uint32_t flags : {0U, bitmap_prepin}) {
		const Plain plain(2 * per_page, 0);
		const auto records = [&] {
			return plain.script(flags, 1)
				.set(0, k4, 1)
				.set(per_page + k4, k4, flags ? 2 : 1)
				.run(plain.context);
		};

		plain.memory.protect(1, PROT_READ);
		const BitmapRun failed = records();
		CHECK(failed.result == -EFAULT);
		CHECK(failed.steps[0] == 0);
		plain.check(0, 0);
		plain.memory.protect(1, PROT_READ | PROT_WRITE);
		CHECK(records().result == 0);
		CHECK(plain.memory.bytes()[0] == 0x01);
		CHECK(plain.memory.bytes()[page_size] == 0x02);
	}
}

/* The command that reads dirty state out must pass it on. */
TEST_CASE("D20: an error of the callback is the error of the iteration")
{
	const Plain plain(256 * k4, 0);
	BitmapStep hole = bitmap_step(IOMMUKIT_TEST_BITMAP_RETURN);

	hole.length = static_cast<std::uint64_t>(-EINVAL);
	const BitmapRun run = plain.script().set(0, k4).add(hole).run(plain.context);
	CHECK(run.result == -EINVAL);
	plain.check(0, 0);
}

TEST_CASE("D21: a hole in the bitmap's memory is an error")
{
	for (const std::uint32_t flags : {0U, bitmap_prepin}) {
		for (const std::uint32_t window_pages : {0U, 1U}) {
			const Plain plain(3 * per_page, 0, true);

			plain.memory.protect(1, PROT_NONE);
			const BitmapRun run = plain.script(flags, window_pages)
						      .set(0, 3 * per_page)
						      .run(plain.context);
			plain.memory.protect(1, PROT_READ | PROT_WRITE);
			CHECK(run.result == -EFAULT);
			plain.check(0, 32767);
		}
	}
}

namespace {

/* A bitmap of 64 granules that differs in one thing from a good one. */
Errno make(std::uint64_t iova, std::uint64_t length, std::uint64_t granule)
{
	const Plain plain(64 * k4, 0);
	BitmapRun run;
	const Errno error = BitmapScript({iova, length, granule}, plain.memory.va())
				    .set(iova, length)
				    .attempt(plain.context, &run);

	if (error != ok)
		plain.check_none();
	return error;
}

} // namespace

TEST_CASE("D22: a page size that is no power of two is refused")
{
	for (const std::uint64_t granule : {0x3000UL, 3UL, ~0UL})
		CHECK(make(0, 64 * k4, granule) == Errno{EINVAL});
}

TEST_CASE("D23: no page size is refused")
{
	CHECK(make(0, 64 * k4, 0) == Errno{EINVAL});
}

TEST_CASE("D24: no length is refused")
{
	CHECK(make(0, 0, k4) == Errno{EINVAL});
	CHECK(make(k4, 0, k4) == Errno{EINVAL});
}

TEST_CASE("D31: what is refused when the bitmap is made arrives unchanged")
{
	CHECK(make(-k4, 2 * k4, k4) == Errno{EOVERFLOW});
	CHECK(make(0x800, 64 * k4, k4) == Errno{EINVAL});
	CHECK(make(0, -1UL, 1) == Errno{EFAULT});
}

namespace {

/* The last page that the process can map, with the stack or the like moved away. */
class LastPage {
    public:
	LastPage()
	{
		std::uint64_t low = page_size, high = 1UL << 57;

		while (high - low > page_size) {
			const std::uint64_t middle =
				low + (high - low) / 2 / page_size * page_size;

			(possible(middle) ? low : high) = middle;
		}
		address = low;
		mapped = map(address);
	}
	LastPage(const LastPage &) = delete;
	LastPage &operator=(const LastPage &) = delete;
	~LastPage()
	{
		if (mapped)
			munmap(reinterpret_cast<void *>(address), page_size);
	}

	explicit operator bool() const { return mapped; }
	std::uint64_t va() const { return address; }

    private:
	static bool map(std::uint64_t at)
	{
		return mmap(reinterpret_cast<void *>(at), page_size,
			    PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
			    0) != MAP_FAILED;
	}
	static bool possible(std::uint64_t at)
	{
		if (!map(at))
			return errno == EEXIST;
		munmap(reinterpret_cast<void *>(at), page_size);
		return true;
	}

	std::uint64_t address;
	bool mapped;
};

} // namespace

TEST_CASE("D25: no page is pinned that holds no byte of the bitmap")
{
	const Plain plain(64 * k4, 8);

	for (const std::uint32_t flags : {0U, bitmap_prepin}) {
		const BitmapRun run = plain.script(flags).set(0, k4).run(plain.context);
		CHECK(run.pages == 1);
	}
	plain.check(0, 0);
}

TEST_CASE("D25: an unaligned bitmap in the last page of all")
{
	const BitmapGeometry geometry{0, 64 * k4, k4};
	const Context context;
	const LastPage last;

	if (!last)
		skip("something else lies in the last page");
	const std::uint64_t at = last.va() + page_size - 8;
	CHECK(BitmapScript(geometry, at).set(0, 64 * k4).run(context).result == 0);
	CHECK(*reinterpret_cast<std::uint64_t *>(at) == all_ones);
}

namespace {

/* Drops what is clean of private memory whose content was said to be useless. */
void reclaim(const std::byte *page)
{
	void *address = const_cast<std::byte *>(page);

	if (madvise(address, page_size, MADV_PAGEOUT) != 0)
		skip("the kernel does not reclaim on demand");
}

void say_useless(const std::byte *page)
{
	REQUIRE(madvise(const_cast<std::byte *>(page), page_size, MADV_FREE) == 0);
}

} // namespace

/*
 * Memory given back by MADV_FREE stays until it is needed elsewhere, unless it is
 * written: the writing of bits must be seen as that.
 */
TEST_CASE("D26: pages that were clean are marked dirty")
{
	const Plain plain(64 * k4, 0);
	std::byte *page = plain.memory.page(0);

	say_useless(page);
	reclaim(page);
	if (page[100] != std::byte(0))
		skip("the kernel does not take back what is useless");

	SECTION("when they were pinned")
	{
		for (const std::uint32_t flags : {0U, bitmap_prepin}) {
			page[0] = std::byte(0);
			say_useless(page);
			CHECK(plain.script(flags).set(0, k4).run(plain.context).result ==
			      0);
			reclaim(page);
			CHECK(page[0] == std::byte(1));
		}
	}
	SECTION("while they were pinned")
	{
		for (const std::uint32_t flags : {0U, bitmap_prepin}) {
			page[0] = std::byte(0);
			BitmapMeeting meeting(
				[&] { madvise(page, page_size, MADV_FREE); });

			CHECK(plain.script(flags)
				      .set(0, k4)
				      .add(meeting.step())
				      .set(2 * k4, k4)
				      .run(plain.context)
				      .result == 0);
			reclaim(page);
			CHECK(page[0] == std::byte(5));
		}
	}
}

TEST_CASE("D27: descending records open no window again")
{
	const Plain plain(1000 * k4, 0);
	const BitmapRun run =
		plain.script().series({999 * k4, k4}, -k4, 1000).run(plain.context);

	CHECK(run.result == 0);
	CHECK(run.windows == 1);
	CHECK(run.pages == 1);
	plain.check_all();
}

/* The bitmap begins and ends within words that hold counters of another thread. */
TEST_CASE("D28: two bitmaps in one buffer lose no bit, and no byte of a neighbour")
{
	constexpr std::uint64_t granules = 65536 - 16;
	const unsigned int rounds = 1 + 15 / slowness();
	const Context context;
	const BitmapGeometry geometry{0, granules * k4, k4};
	const BitmapMemory memory(1, geometry.nbytes(), true);
	volatile std::uint8_t *const neighbours[] = {memory.bytes() - 1,
						     memory.bytes() + memory.size()};
	std::uint8_t counts[] = {*neighbours[0], *neighbours[1]};

	for (unsigned int round = 0; round < rounds; round++) {
		std::atomic<unsigned int> running = 2;
		const auto reader = [&](std::uint64_t first, std::uint32_t flags) {
			BitmapRun run;

			BitmapScript(geometry, memory.va(), flags)
				.series({first * k4, k4}, 2 * k4, granules / 2)
				.attempt(context, &run);
			running--;
		};

		memory.clear();
		std::jthread even(reader, 0, 0U);
		std::jthread odd(reader, 1, bitmap_prepin);
		while (running) {
			for (unsigned int i = 0; i < 2; i++) {
				*neighbours[i] =
					static_cast<std::uint8_t>(*neighbours[i] + 1);
				counts[i]++;
			}
		}
		even.join();
		odd.join();
		REQUIRE(std::all_of(memory.bytes(), memory.bytes() + memory.size(),
				    [](std::uint8_t byte) { return byte == 0xff; }));
		REQUIRE(*neighbours[0] == counts[0]);
		REQUIRE(*neighbours[1] == counts[1]);
	}
}

TEST_CASE("D29: what is pinned before can be recorded under a spinlock")
{
	const Plain plain(2 * per_page, 0);
	const BitmapRun run = plain.script(bitmap_prepin, 1)
				      .series({0, k4}, 2 * k4, 16385, 1,
					      IOMMUKIT_TEST_BITMAP_SET_ATOMIC)
				      .run(plain.context);

	/* The last one does not touch the window. */
	CHECK(run.steps == std::vector<int>{-EINVAL});
	CHECK(plain.memory.bytes()[page_size - 1] == 0x55);
}

TEST_CASE("D30: a bitmap in which nothing is recorded is not touched")
{
	const BitmapGeometry geometry{0, 2 * per_page, k4};
	const Context context;
	const Memory memory(2 * page_size, Memory::Kind::private_anonymous);
	const BitmapRun run = BitmapScript(geometry, memory.va()).run(context);
	unsigned char resident[2] = {1, 1};

	CHECK(run.result == 0);
	CHECK(run.pages == 0);
	REQUIRE(mincore(memory.data(), memory.size(), resident) == 0);
	CHECK((resident[0] & 1) == 0);
	CHECK((resident[1] & 1) == 0);
}

/* D32, arguments that can be swapped: there is no call that takes them so. */

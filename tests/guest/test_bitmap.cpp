// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOVA bitmaps: every vector of the specification in every mode, what is refused
 * when one is made, and the rules of iterating.
 */
#include "bitmap_vectors.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <string>

using namespace guest;

namespace {

constexpr std::uint64_t k4 = 0x1000, mib = 1UL << 20, gib = 1UL << 30;
/* IOVA that a page of bitmap covers with granules of 4 KiB */
constexpr std::uint64_t per_page = 128 * mib;

/* The parts of the range that windows of one page each cover */
std::vector<IovaRange> one_page_windows(const BitmapVector &vector)
{
	const BitmapGeometry &range = vector.geometry;
	const std::uint64_t first = per_page - vector.offset * 8 * k4;
	std::vector<IovaRange> windows{{range.iova, std::min(first, range.length)}};

	for (std::uint64_t at = first; at < range.length; at += per_page)
		windows.push_back(
			{range.iova + at, std::min(per_page, range.length - at)});
	return windows;
}

bool intersect(const IovaRange &a, const IovaRange &b)
{
	return a.iova < b.iova + b.length && b.iova < a.iova + a.length;
}

/* A vector whose windows are of one page, with how many are opened on demand. */
struct WindowVector {
	BitmapVector bits;
	std::uint64_t windows;
};

/* clang-format off */
const WindowVector window_vectors[] = {
	{{"X01", {0, 512 * mib, k4}, 0, {{0, 512 * mib}}, 131072, 16384,
	  {{0, 16383, 0xff}}}, 4},
	{{"X02", {0, 512 * mib, k4}, 0, {{128 * mib - k4, 2 * mib}}, 131072, 16384,
	  {{4095, 4095, 0x80}, {4096, 4158, 0xff}, {4159, 4159, 0x7f}}}, 2},
	{{"X03", {0, 512 * mib, k4}, 0, {{0x800, 128 * mib}}, 131072, 16384,
	  {{0, 4095, 0xff}, {4096, 4096, 0x01}}}, 2},
	{{"X04", {0, 256 * mib, k4}, 0x800, {{0, 256 * mib}}, 65536, 8192,
	  {{0, 8191, 0xff}}}, 3},
	{{"X05", {0, 256 * mib, k4}, 0xff1, {{0, 256 * mib}}, 65536, 8192,
	  {{0, 8191, 0xff}}}, 3},
	{{"X07", {0, 512 * mib, k4}, 0,
	  {{512 * mib - k4, k4}, {0, k4}, {256 * mib, k4}}, 131072, 16384,
	  {{16383, 16383, 0x80}, {0, 0, 0x01}, {8192, 8192, 0x01}}}, 3},
};
/* clang-format on */

} // namespace

TEST_CASE("vectors: bits and bytes")
{
	for (const BitmapVector &vector : bitmap_vectors())
		for (const BitmapMode &mode : bitmap_modes)
			check_vector(vector, mode);
}

TEST_CASE("vectors: windows of one page, on demand")
{
	const Context context;

	for (const auto &[vector, windows] : window_vectors) {
		const BitmapMemory memory(vector.offset, vector.nbytes);
		BitmapScript script(vector.geometry, memory.va(), 0, 1);

		INFO(vector.name);
		for (const IovaRange &record : vector.records)
			script.set(record.iova, record.length);
		const BitmapRun run = script.run(context);

		CHECK(run.result == 0);
		CHECK(run.windows == windows);
		CHECK(run.pages == windows);
		memory.check(vector.bytes());
	}
}

/* A record is made in the first callback whose window it touches. */
TEST_CASE("vectors: windows of one page, pre-pinned")
{
	const Context context;

	for (const auto &[vector, unused] : window_vectors) {
		const BitmapMemory memory(vector.offset, vector.nbytes);
		const auto windows = one_page_windows(vector);
		BitmapScript script(vector.geometry, memory.va(), bitmap_prepin, 1);

		INFO(vector.name);
		for (const IovaRange &record : vector.records) {
			std::uint32_t n = 0;

			while (!intersect(record, windows[n]))
				n++;
			script.set(record.iova, record.length, n + 1);
		}
		const BitmapRun run = script.run(context);

		CHECK(run.result == 0);
		CHECK(run.calls == windows);
		memory.check(vector.bytes());
	}
}

TEST_CASE("vectors: windows of one page mean nothing to kernel memory")
{
	const Context context;

	for (const auto &[vector, unused] : window_vectors) {
		const BitmapMemory memory(vector.offset & ~7UL, vector.nbytes, true);
		BitmapScript script(vector.geometry, memory.va(), bitmap_kbuf, 1);

		INFO(vector.name);
		for (const IovaRange &record : vector.records)
			script.set(record.iova, record.length);
		const BitmapRun run = script.run(context);

		CHECK(run.result == 0);
		CHECK(run.windows == 0);
		memory.check(vector.bytes());
	}
}

TEST_CASE("X06: what lies before a missing page is recorded, then EFAULT")
{
	const NothingPinned nothing_pinned;
	const Context context;
	const BitmapMemory memory(0, 16384);
	BitmapScript script({0, 512 * mib, k4}, memory.va(), 0, 1);

	memory.all().unmap(3 * page_size, page_size);
	const BitmapRun run = script.set(0, 512 * mib)
				      .set(0, k4)
				      .set(600 * mib, k4)
				      .set(0, 0)
				      .run(context);

	CHECK(run.result == -EFAULT);
	CHECK(run.error == -EFAULT);
	/* Nothing is tried any more, but what is nothing cannot fail. */
	CHECK(run.steps == std::vector<int>{-EFAULT, -EFAULT, -EFAULT, 0});
	CHECK(run.windows == 2);
	CHECK(std::all_of(memory.bytes(), memory.bytes() + 8192,
			  [](std::uint8_t byte) { return byte == 0xff; }));
}

TEST_CASE("X08, X09: one call for each pinned window, or one for all")
{
	const BitmapGeometry geometry{4 * gib, 124 * gib, k4};
	const Context context;
	const BitmapMemory memory(0, geometry.nbytes());

	const BitmapRun before =
		BitmapScript(geometry, memory.va(), bitmap_prepin, 512).run(context);
	CHECK(before.calls ==
	      std::vector<IovaRange>{{4 * gib, 64 * gib}, {68 * gib, 60 * gib}});
	CHECK(before.windows == 2);
	CHECK(before.pages == 992);

	const BitmapRun lazy = BitmapScript(geometry, memory.va()).run(context);
	CHECK(lazy.calls == std::vector<IovaRange>{{4 * gib, 124 * gib}});
	CHECK(lazy.windows == 0);
}

namespace {

/* Two windows of one page; @bits of the bitmap are expected. */
struct Overhang {
	Overhang() : memory(0, 8192), script(geometry, memory.va(), bitmap_prepin, 1)
	{
		script.options().how = IOMMUKIT_TEST_BITMAP_UNDELIVERED;
	}

	static constexpr BitmapGeometry geometry{0, 2 * per_page, k4};

	void check(std::uint64_t first, std::uint64_t last) const
	{
		std::vector<std::uint8_t> bits(8192);

		add_bits(bits, first, last);
		memory.check(bits);
	}

	Context context;
	BitmapMemory memory;
	BitmapScript script;
};

} // namespace

TEST_CASE("X10: a record that hangs over the end of the window")
{
	Overhang world;
	const BitmapRun run = world.script.set(per_page - k4, 2 * mib).run(world.context);

	CHECK(run.result == 0);
	CHECK(run.windows == 2);
	CHECK(run.undelivered.empty());
	world.check(32767, 32767 + 511);
}

TEST_CASE("X11: a record that hangs over the beginning of the window")
{
	Overhang world;
	const BitmapRun run =
		world.script.set(per_page - mib, 2 * mib, 2).run(world.context);

	CHECK(run.result == 0);
	CHECK(run.windows == 3);
	CHECK(run.calls.size() == 2);
	world.check(32512, 32512 + 511);
}

TEST_CASE("X12: a record that does not touch the window is refused")
{
	const Context context;
	const BitmapMemory memory(0, 16384);
	BitmapScript script({0, 512 * mib, k4}, memory.va(), bitmap_prepin, 1);
	const BitmapRun run =
		script.set(300 * mib, k4).set(0, k4).set(4 * k4, k4).run(context);

	CHECK(run.result == -EINVAL);
	CHECK(run.steps == std::vector<int>(3, -EINVAL));
	CHECK(run.windows == 1);
	CHECK(run.calls.size() == 1);
	memory.check(std::vector<std::uint8_t>(16384));
}

TEST_CASE("X13: overhang that cannot be written is told")
{
	const NothingPinned nothing_pinned;
	Overhang world;

	world.memory.protect(1, PROT_NONE);
	const BitmapRun run = world.script.set(per_page - k4, 2 * mib).run(world.context);
	world.memory.protect(1, PROT_READ | PROT_WRITE);

	CHECK(run.result == -EFAULT);
	CHECK(run.windows == 1);
	CHECK(run.steps == std::vector<int>{0});
	CHECK(run.undelivered == std::vector<IovaRange>{{per_page, 2 * mib - k4}});
	world.check(32767, 32767);
}

/* ---- what is refused ---- */

namespace {

using Options = iommukit_test_bitmap;

Errno make(Options &options)
{
	const Context context;
	auto test = test_command(IOMMUKIT_TEST_OP_BITMAP);

	test.bitmap.uptr = reinterpret_cast<std::uint64_t>(&options);
	return test_call(context, test);
}

Options valid_options(const BitmapMemory &memory, std::uint32_t flags)
{
	Options options{};

	options.iova = 0x100000;
	options.length = 0x100000;
	options.page_size = k4;
	options.data = memory.va();
	options.flags = flags;
	options.kbuf_bytes = flags & bitmap_kbuf ? 32 : 0;
	return options;
}

const std::vector<Fault<Options>> geometry_faults = {
	{"unknown flag", "flags", [](Options &o) { o.flags |= 4; }, EINVAL},
	{"too large windows", "window_pages", [](Options &o) { o.window_pages = 513; },
	 EINVAL},
	{"no page size", "page_size", [](Options &o) { o.page_size = 0; }, EINVAL},
	{"a page size of three", "page_size", [](Options &o) { o.page_size = 0x3000; },
	 EINVAL},
	{"no length", "length", [](Options &o) { o.length = 0; }, EINVAL},
	{"length wraps", "length", [](Options &o) { o.length = -k4; }, EOVERFLOW},
	{"IOVA wraps", "iova", [](Options &o) { o.iova = -k4; }, EOVERFLOW},
	{"misaligned IOVA", "iova", [](Options &o) { o.iova += 0x800; }, EINVAL},
};

} // namespace

TEST_CASE("a bitmap in user memory is refused for the first thing that is wrong")
{
	const BitmapMemory memory(0, 32);
	auto faults = geometry_faults;

	faults.insert(
		faults.begin() + 2,
		{{"kernel memory as well", "kbuf_bytes",
		  [](Options &o) { o.kbuf_bytes = 32; }, EINVAL},
		 {"undelivered although not pinned before", "how",
		  [](Options &o) { o.how = IOMMUKIT_TEST_BITMAP_UNDELIVERED; }, EINVAL}});
	faults.insert(faults.end(),
		      {{"made by a kernel thread", "how",
			[](Options &o) { o.how = IOMMUKIT_TEST_BITMAP_KTHREAD; }, EINVAL},
		       {"no user address", "data", [](Options &o) { o.data = 1UL << 63; },
			EFAULT},
		       {"the address wraps", "data", [](Options &o) { o.data = -16UL; },
			EFAULT}});
	check_ordered<Options>(faults, valid_options(memory, 0), make);
	Options options = valid_options(memory, 0);
	CHECK(make(options) == ok);
	CHECK(options.out_result == 0);
}

TEST_CASE("a bitmap in kernel memory is refused for the first thing that is wrong")
{
	const BitmapMemory memory(64, 64, true);
	auto faults = geometry_faults;

	faults.insert(
		faults.begin() + 2,
		{{"pinned before", "flags", [](Options &o) { o.flags |= bitmap_prepin; },
		  EINVAL},
		 {"user memory as well", "how",
		  [](Options &o) { o.how = IOMMUKIT_TEST_BITMAP_BOTH; }, EINVAL},
		 {"undelivered", "how",
		  [](Options &o) { o.how = IOMMUKIT_TEST_BITMAP_UNDELIVERED; }, EINVAL}});
	faults.insert(faults.end(), {{"misaligned memory", "data",
				      [](Options &o) { o.data += 4; }, EINVAL},
				     {"half a word", "kbuf_bytes",
				      [](Options &o) { o.kbuf_bytes = 36; }, EINVAL},
				     {"too few bytes", "kbuf_bytes",
				      [](Options &o) { o.kbuf_bytes = 24; }, EINVAL}});
	check_ordered<Options>(faults, valid_options(memory, bitmap_kbuf), make);
	Options options = valid_options(memory, bitmap_kbuf);
	CHECK(make(options) == ok);
	/* More than enough; and a kernel thread may as well. */
	options.kbuf_bytes = 40;
	options.how = IOMMUKIT_TEST_BITMAP_KTHREAD;
	CHECK(make(options) == ok);
}

TEST_CASE("all of the largest range that can be told")
{
	const BitmapGeometry geometry{0, -1UL, 1UL << 62};
	const Context context;
	const BitmapMemory memory(0, 1);
	const BitmapRun run =
		BitmapScript(geometry, memory.va()).set(-2UL, 1).run(context);

	CHECK(run.result == 0);
	CHECK(run.calls == std::vector<IovaRange>{{0, -1UL}});
	memory.check({0x08});
}

/* ---- iterating ---- */

namespace {

BitmapStep returning(std::uint64_t value, std::uint32_t when)
{
	BitmapStep step = bitmap_step(IOMMUKIT_TEST_BITMAP_RETURN, when);

	step.length = value;
	return step;
}

/* Four windows of a page, no bit set in the beginning. */
struct FourWindows {
	explicit FourWindows(std::uint32_t flags)
		: memory(0, 4 * page_size, true), script(geometry, memory.va(), flags, 1)
	{
	}

	void check(const std::vector<IovaRange> &bits) const
	{
		std::vector<std::uint8_t> bytes(memory.size());

		for (const IovaRange &range : bits)
			add_bits(bytes, range.iova / k4,
				 (range.iova + range.length - 1) / k4);
		memory.check(bytes);
	}

	static constexpr BitmapGeometry geometry{0, 4 * per_page, k4};
	Context context;
	BitmapMemory memory;
	BitmapScript script;
};

} // namespace

TEST_CASE("what the callback returns ends the iteration and is returned")
{
	for (const int value : {-EINVAL, -ERANGE, 5}) {
		for (const BitmapMode &mode : bitmap_modes) {
			const bool each = mode.flags & bitmap_prepin;
			const std::uint32_t n = each ? 2 : 1;
			FourWindows world(mode.flags);
			const BitmapRun run =
				world.script.set(0, k4)
					.set(per_page, k4, n)
					.add(returning(static_cast<std::uint64_t>(value),
						       n))
					.set(2 * k4, k4, n)
					.run(world.context);

			INFO(mode.name);
			CHECK(run.result == value);
			CHECK(run.error == 0);
			CHECK(run.calls.size() == n);
			world.check({{0, k4}, {per_page, k4}});
		}
	}
}

TEST_CASE("overhang is written although the callback fails")
{
	FourWindows world(bitmap_prepin);
	const BitmapRun run = world.script.set(2 * per_page - k4, per_page + 2 * k4, 2)
				      .set(per_page - 3 * k4, 4 * k4, 2)
				      .add(returning(7, 2))
				      .run(world.context);

	CHECK(run.result == 7);
	CHECK(run.steps == std::vector<int>{0, 0, 7});
	world.check(
		{{2 * per_page - k4, per_page + 2 * k4}, {per_page - 3 * k4, 4 * k4}});
}

TEST_CASE("overhang is written although a later record is refused")
{
	FourWindows world(bitmap_prepin);
	const BitmapRun run = world.script.set(per_page - k4, 2 * k4)
				      .set(3 * per_page, k4)
				      .run(world.context);

	CHECK(run.result == -EINVAL);
	CHECK(run.steps == std::vector<int>{0, -EINVAL});
	world.check({{per_page - k4, 2 * k4}});
}

TEST_CASE("overhang on both sides is told in two parts, each where it begins to fail")
{
	const NothingPinned nothing_pinned;
	FourWindows world(bitmap_prepin);

	world.script.options().how = IOMMUKIT_TEST_BITMAP_UNDELIVERED;
	world.memory.protect(3, PROT_NONE);
	/* The first page goes when its window is closed. */
	BitmapMeeting meeting(
		[&] { mprotect(world.memory.page(0), page_size, PROT_NONE); });
	const BitmapRun run = world.script.add(meeting.step(2))
				      .set(per_page - k4, 2 * per_page + 2 * k4, 2)
				      .run(world.context);
	world.memory.protect(0, PROT_READ | PROT_WRITE);
	world.memory.protect(3, PROT_READ | PROT_WRITE);

	CHECK(run.result == -EFAULT);
	CHECK(run.calls.size() == 2);
	CHECK(run.undelivered ==
	      std::vector<IovaRange>{{per_page - k4, k4}, {3 * per_page, k4}});
	world.check({{per_page, 2 * per_page}});
}

TEST_CASE("iterating within the iteration is refused, and again afterwards is not")
{
	for (const BitmapMode &mode : bitmap_modes) {
		const std::size_t calls = mode.flags & bitmap_prepin ? 4 : 1;
		FourWindows world(mode.flags);
		const BitmapRun run =
			world.script.add(bitmap_step(IOMMUKIT_TEST_BITMAP_ITERATE))
				.add(bitmap_step(IOMMUKIT_TEST_BITMAP_ITERATE, after_all))
				.set(0, 1)
				.run(world.context);

		INFO(mode.name);
		CHECK(run.result == 0);
		CHECK(run.steps == std::vector<int>{-EBUSY, 0, 0});
		CHECK(run.calls.size() == 2 * calls);
		world.check({{0, 1}});
	}
}

TEST_CASE("records outside of an iteration")
{
	SECTION("on demand, without any iteration")
	{
		FourWindows world(0);

		world.script.options().how = IOMMUKIT_TEST_BITMAP_NO_EACH;
		const BitmapRun run = world.script.set(0, k4, before_all)
					      .set(k4, k4, after_all)
					      .set(5 * k4, k4, after_all)
					      .run(world.context);
		CHECK(run.steps == std::vector<int>(3, 0));
		/* It stays open from one to the next. */
		CHECK(run.windows == 1);
		world.check({{0, 2 * k4}, {5 * k4, k4}});
	}
	SECTION("on demand and in kernel memory, around one")
	{
		for (const std::uint32_t flags : {0U, bitmap_kbuf}) {
			FourWindows world(flags);
			const BitmapRun run = world.script.set(0, k4, before_all)
						      .set(2 * k4, k4)
						      .set(4 * k4, k4, after_all)
						      .run(world.context);

			CHECK(run.result == 0);
			CHECK(run.steps == std::vector<int>(3, 0));
			world.check({{0, k4}, {2 * k4, k4}, {4 * k4, k4}});
		}
	}
	SECTION("pre-pinned: refused, with no other effect")
	{
		FourWindows world(bitmap_prepin);
		const BitmapRun run = world.script.set(0, k4, before_all)
					      .set(2 * k4, k4)
					      .set(4 * k4, k4, after_all)
					      .run(world.context);

		CHECK(run.result == 0);
		CHECK(run.error == 0);
		CHECK(run.steps == std::vector<int>{-EINVAL, 0, -EINVAL});
		world.check({{2 * k4, k4}});
	}
}

TEST_CASE("what a callback has recorded is in memory before the next one")
{
	FourWindows world(bitmap_prepin);
	std::uint8_t own = 0, overhang = 0;
	BitmapMeeting meeting([&] {
		own = world.memory.bytes()[page_size - 1];
		overhang = world.memory.bytes()[page_size];
	});
	const BitmapRun run = world.script.set(per_page - k4, 2 * k4)
				      .add(meeting.step(2))
				      .run(world.context);

	CHECK(run.steps == std::vector<int>{0, 0});
	CHECK(own == 0x80);
	CHECK(overhang == 0x01);
	CHECK(run.windows == 4);
}

TEST_CASE("who may record where")
{
	constexpr std::uint32_t in_kthread = IOMMUKIT_TEST_BITMAP_SET_KTHREAD;
	constexpr std::uint32_t atomically = IOMMUKIT_TEST_BITMAP_SET_ATOMIC;
	constexpr IovaRange record{0, k4};

	SECTION("anybody, in pages that are pinned and in kernel memory")
	{
		for (const std::uint32_t flags : {bitmap_prepin, bitmap_kbuf}) {
			FourWindows world(flags);
			const BitmapRun run =
				world.script.series(record, 2 * k4, 100, 1, in_kthread)
					.series({300 * k4, k4}, 2 * k4, 100, 1,
						atomically)
					.run(world.context);
			std::vector<IovaRange> bits;

			for (std::uint64_t i = 0; i < 100; i++)
				for (const std::uint64_t at : {2 * i, 300 + 2 * i})
					bits.push_back({at * k4, k4});
			CHECK(run.result == 0);
			CHECK(run.steps == std::vector<int>{0, 0});
			world.check(bits);
		}
	}
	SECTION("on demand, nobody without the mm")
	{
		FourWindows world(0);
		const BitmapRun run = world.script.series(record, 0, 1, 1, in_kthread)
					      .set(0, k4)
					      .run(world.context);

		CHECK(run.result == -EINVAL);
		CHECK(run.error == -EINVAL);
		CHECK(run.steps == std::vector<int>{-EINVAL, -EINVAL});
		CHECK(run.windows == 0);
		world.check({});
	}
	SECTION("in kernel memory, several at a time")
	{
		constexpr std::uint32_t records = 131072;
		FourWindows world(bitmap_kbuf);
		const BitmapRun run = world.script
					      .series(record, k4, records, 1,
						      IOMMUKIT_TEST_BITMAP_SET_PARALLEL)
					      .run(world.context);

		CHECK(run.result == 0);
		world.check({{0, 4 * per_page}});
	}
}

/* ---- windows ---- */

TEST_CASE("sequences open ever larger windows, and none twice")
{
	const BitmapGeometry geometry{0, 64 * gib, k4};
	const Context context;
	const BitmapMemory memory(0, geometry.nbytes());
	const BitmapRun run = BitmapScript(geometry, memory.va())
				      .series({0, 2 * mib}, 2 * mib, 32768)
				      .run(context);

	CHECK(run.result == 0);
	CHECK(run.windows == 6);
	CHECK(run.pages == 512);
	memory.check(std::vector<std::uint8_t>(memory.size(), 0xff));
}

TEST_CASE("strays open small windows")
{
	const BitmapGeometry geometry{0, 64 * gib, k4};
	const Context context;
	const BitmapMemory memory(0, geometry.nbytes());
	const BitmapRun run = BitmapScript(geometry, memory.va())
				      .set(0, k4)
				      .set(100 * per_page, k4)
				      .set(112 * per_page, k4)
				      .run(context);

	CHECK(run.result == 0);
	CHECK(run.windows == 3);
	/* The third is the successor of the second, to the next multiple of 32. */
	CHECK(run.pages == 16 + 16 + 16);
}

TEST_CASE("a missing page fails only those records that need it")
{
	const NothingPinned nothing_pinned;
	const Context context;
	const BitmapMemory memory(0, 4 * page_size, true);
	const BitmapGeometry geometry{0, 4 * per_page, k4};

	memory.protect(1, PROT_NONE);
	const BitmapRun run = BitmapScript(geometry, memory.va())
				      .set(2 * per_page, k4)
				      .set(0, k4)
				      .set(3 * per_page, k4)
				      .set(per_page, k4)
				      .set(0, k4)
				      .run(context);
	memory.protect(1, PROT_READ | PROT_WRITE);

	CHECK(run.steps == std::vector<int>{0, 0, 0, -EFAULT, -EFAULT});
	CHECK(run.result == -EFAULT);
	std::vector<std::uint8_t> expected(memory.size());
	expected[0] = expected[2 * page_size] = expected[3 * page_size] = 1;
	memory.check(expected);
}

TEST_CASE("pre-pinned windows end at a missing page")
{
	const NothingPinned nothing_pinned;
	const Context context;
	const BitmapMemory memory(0, 4 * page_size, true);
	const BitmapGeometry geometry{0, 4 * per_page, k4};

	memory.protect(2, PROT_NONE);
	const BitmapRun run = BitmapScript(geometry, memory.va(), bitmap_prepin)
				      .set(0, 2 * per_page)
				      .run(context);
	memory.protect(2, PROT_READ | PROT_WRITE);

	CHECK(run.calls == std::vector<IovaRange>{{0, 2 * per_page}});
	CHECK(run.result == -EFAULT);
	std::vector<std::uint8_t> expected(memory.size());
	add_bits(expected, 0, 65535);
	memory.check(expected);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Dirty tracking of an IOAS: what drivers and devices of software write. */
#include "engine.h"
#include "fault.h"
#include "mock.h"
#include "threads.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <mutex>

using namespace guest;

namespace {

constexpr std::uint64_t where = 0x40000000;
constexpr std::size_t npages = 64;
constexpr std::uint32_t no_clear = IOMMUKIT_IOAS_GET_DIRTY_BITMAP_NO_CLEAR;

using Set = iommukit_ioas_set_dirty_tracking;
using Get = iommukit_ioas_get_dirty_bitmap;

Errno track(const Context &context, std::uint32_t ioas, bool on)
{
	auto cmd = command<Set>();

	cmd.ioas_id = ioas;
	if (on)
		cmd.flags = IOMMUKIT_IOAS_DIRTY_TRACKING_ENABLE;
	return call(context.fd(), IOMMUKIT_IOAS_SET_DIRTY_TRACKING, &cmd);
}

Get get_command(std::uint32_t ioas, const BitmapGeometry &range, const void *data,
		std::uint32_t flags = 0)
{
	auto cmd = command<Get>();

	cmd.ioas_id = ioas;
	cmd.flags = flags;
	cmd.iova = range.iova;
	cmd.length = range.length;
	cmd.page_size = range.page_size;
	cmd.data = reinterpret_cast<std::uint64_t>(data);
	return cmd;
}

Errno try_get(const Context &context, Get cmd)
{
	return call(context.fd(), IOMMUKIT_IOAS_GET_DIRTY_BITMAP, &cmd);
}

/* An IOAS with a mapping, of which writes are noted. */
struct World {
	explicit World(std::uint64_t iova = where) : start(iova), ioas(context.ioas())
	{
		context.map(ioas, memory, start);
		REQUIRE(track(context, ioas, true) == ok);
	}
	BitmapGeometry range(std::uint64_t granule = page_size) const
	{
		return {start, memory.size(), granule};
	}
	Bits read(std::uint64_t granule = page_size, std::uint32_t flags = 0) const
	{
		Bits bits(range(granule).nbytes());

		REQUIRE(try_get(context, get_command(ioas, range(granule), bits.data(),
						     flags)) == ok);
		return bits;
	}
	std::uint64_t page(std::uint64_t n) const { return start + n * page_size; }

	std::uint64_t start;
	NothingLeft nothing_left;
	Context context;
	Memory memory{npages * page_size};
	std::uint32_t ioas;
};

Bits bits_of(std::initializer_list<std::uint64_t> pages)
{
	Bits bits(npages / 8);

	for (const std::uint64_t page : pages)
		add_bits(bits, page, page);
	return bits;
}

const Bits none = bits_of({});

} // namespace

TEST_CASE("copies of a driver mark the pages they write")
{
	const World world;
	const Access access(world.context, world.ioas, 0);
	std::vector<std::byte> data(3 * page_size);

	CHECK(world.read() == none);
	REQUIRE(access.try_read(world.page(0), data.data(), data.size()) == ok);
	CHECK(world.read() == none);
	for (const std::uint32_t flags : {0U, rw_slow}) {
		REQUIRE(access.try_write(world.page(3) + 7, data.data(), 1, flags) == ok);
		REQUIRE(access.try_write(world.page(9) - 1, data.data(), 2, flags) == ok);
		REQUIRE(access.try_write(world.page(20), data.data(), 2 * page_size,
					 flags) == ok);
		CHECK(world.read(page_size, no_clear) == bits_of({3, 8, 9, 20, 21}));
		CHECK(world.read() == bits_of({3, 8, 9, 20, 21}));
		CHECK(world.read() == none);
	}
	REQUIRE(access.rw_raw(world.page(5), data.data(), 8, rw_write | rw_kthread,
			      From::kthread) == ok);
	CHECK(world.read() == bits_of({5}));
	/* What was not allowed was not written. */
	CHECK(access.try_write(world.page(npages), data.data(), 1) == Errno{ENOENT});
	CHECK(world.read() == none);
}

TEST_CASE("bits of other sizes")
{
	const World world;
	const Access access(world.context, world.ioas, 0);

	REQUIRE(access.try_write(world.page(2), "x", 1) == ok);
	CHECK(world.read(512, no_clear) == [] {
		Bits bits(npages);

		add_bits(bits, 16, 23);
		return bits;
	}());
	CHECK(world.read(8 * page_size, no_clear) == Bits{1});
	CHECK(world.read(64 * page_size, no_clear) == Bits{1});

	/* A page that is in the range only in part is not forgotten. */
	const BitmapGeometry part{world.page(2) + 512, 1024, 512};
	Bits bits(1);

	CHECK(try_get(world.context, get_command(world.ioas, part, bits.data())) == ok);
	CHECK(bits == Bits{3});
	CHECK(world.read() == bits_of({2}));
}

TEST_CASE("a read of a part leaves the rest alone")
{
	const World world;
	const Access access(world.context, world.ioas, 0);

	for (std::uint64_t n = 0; n < npages; n++)
		REQUIRE(access.try_write(world.page(n), "x", 1) == ok);
	for (const auto &[first, count] :
	     {std::pair<std::uint64_t, std::uint64_t>{9, 3}, {0, 1}, {63, 1}, {20, 30}}) {
		const BitmapGeometry part{world.page(first), count * page_size,
					  page_size};
		Bits bits(part.nbytes()), left(npages / 8, 0xff);

		CHECK(try_get(world.context,
			      get_command(world.ioas, part, bits.data())) == ok);
		for (std::uint64_t k = 0; k < count; k++) {
			CHECK(has_bit(bits, k));
			left[(first + k) / 8] &=
				static_cast<std::uint8_t>(~(1U << (first + k) % 8));
		}
		CHECK(world.read() == left);
		for (std::uint64_t n = 0; n < npages; n++)
			REQUIRE(access.try_write(world.page(n), "x", 1) == ok);
	}
}

TEST_CASE("what is pinned for writing is reported again and again")
{
	const World world;
	const Access access(world.context, world.ioas);
	const std::uint32_t reading = access.pin(world.page(1), 2 * page_size);
	const std::uint32_t writing =
		access.pin(world.page(10), 3 * page_size, pin_write);

	for (unsigned int i = 0; i < 3; i++)
		CHECK(world.read() == bits_of({10, 11, 12}));
	CHECK(access.try_unpin(reading) == ok);
	CHECK(access.try_unpin(writing) == ok);
	CHECK(world.read() == bits_of({10, 11, 12}));
	CHECK(world.read() == none);

	/* Also if it was pinned before. */
	REQUIRE(track(world.context, world.ioas, false) == ok);
	access.pin(world.page(20), page_size, pin_write);
	REQUIRE(track(world.context, world.ioas, true) == ok);
	CHECK(world.read() == bits_of({20}));
}

TEST_CASE("a pin for reading that ends takes none for writing with it")
{
	const World world;
	const Access access(world.context, world.ioas);
	const auto pin = [&](std::uint32_t flags) {
		return access.pin(world.page(10), 3 * page_size, flags);
	};
	const bool writer_first = GENERATE(false, true);
	const std::uint32_t one = pin(writer_first ? pin_write : 0);
	const std::uint32_t other = pin(writer_first ? 0 : pin_write);
	const std::uint32_t reading = writer_first ? other : one;
	const std::uint32_t writing = writer_first ? one : other;

	CHECK(access.try_unpin(reading) == ok);
	for (unsigned int i = 0; i < 3; i++)
		CHECK(world.read() == bits_of({10, 11, 12}));
	CHECK(access.try_unpin(writing) == ok);
	CHECK(world.read() == bits_of({10, 11, 12}));
	CHECK(world.read() == none);
}

TEST_CASE("devices of software are noted whatever HWPT they use")
{
	World world;
	const Engine engine;
	const std::uint32_t device = engine.bind_device(0, world.context);
	const auto fill = [&](std::uint64_t iova, std::uint64_t length) {
		auto cmd = dma_transfer(IOMMUKIT_DMA_OP_FILL, 0, iova, length);

		REQUIRE(engine.try_transfer(cmd) == ok);
	};

	REQUIRE(engine.try_attach(0, world.ioas) == ok);
	fill(world.page(2) + 1, page_size);
	CHECK(world.read() == bits_of({2, 3}));

	/* One that comes later, with marks of its own. */
	const std::uint32_t hwpt =
		make_hwpt(world.context, device, world.ioas, hwpt_dirty);

	REQUIRE(engine.try_replace(0, hwpt) == ok);
	REQUIRE(set_dirty(world.context, hwpt, true) == ok);
	fill(world.page(5), page_size);
	CHECK(dirty_bits(world.context, hwpt, world.range()) == bits_of({5}));
	CHECK(world.read() == bits_of({5}));

	/* One that was there before. */
	REQUIRE(track(world.context, world.ioas, false) == ok);
	fill(world.page(6), page_size);
	REQUIRE(track(world.context, world.ioas, true) == ok);
	fill(world.page(7), page_size);
	CHECK(world.read() == bits_of({7}));
	CHECK(dirty_bits(world.context, hwpt, world.range()) == bits_of({6, 7}));
}

TEST_CASE("switching on forgets, switching off ends")
{
	const World world;
	const Access access(world.context, world.ioas, 0);
	Bits bits(npages / 8);
	const auto get = [&] {
		return try_get(world.context,
			       get_command(world.ioas, world.range(), bits.data()));
	};

	REQUIRE(access.try_write(world.page(1), "x", 1) == ok);
	CHECK(track(world.context, world.ioas, true) == ok);
	CHECK(world.read() == none);
	REQUIRE(access.try_write(world.page(1), "x", 1) == ok);
	CHECK(track(world.context, world.ioas, false) == ok);
	CHECK(get() == Errno{EINVAL});
	CHECK(track(world.context, world.ioas, false) == ok);
	CHECK(track(world.context, world.ioas, true) == ok);
	CHECK(world.read() == none);
	CHECK(bits == none);
}

TEST_CASE("what is mapped later is noted as well")
{
	const World world;
	const Access access(world.context, world.ioas, 0);
	const BitmapGeometry both{where, (npages + 8) * page_size, page_size};
	Bits bits(both.nbytes());

	REQUIRE(world.context.try_map(world.ioas, world.memory.va(), 8 * page_size,
				      world.page(npages)) == ok);
	REQUIRE(access.try_write(world.page(npages) - 4, "12345678", 8) == ok);
	REQUIRE(try_get(world.context, get_command(world.ioas, both, bits.data())) == ok);
	CHECK(has_bit(bits, npages - 1));
	CHECK(has_bit(bits, npages));
	CHECK(std::count(bits.begin(), bits.end(), 0) == long(bits.size()) - 2);

	/* Unmapping forgets. */
	REQUIRE(access.try_write(world.page(npages), "x", 1) == ok);
	CHECK(world.context.unmap(world.ioas, world.page(npages), 8 * page_size) ==
	      8 * page_size);
	REQUIRE(world.context.try_map(world.ioas, world.memory.va(), 8 * page_size,
				      world.page(npages)) == ok);
	std::fill(bits.begin(), bits.end(), 0);
	REQUIRE(try_get(world.context, get_command(world.ioas, both, bits.data())) == ok);
	CHECK(bits == Bits(bits.size()));
}

TEST_CASE("mappings that begin and end inside of pages")
{
	const World world(where + 512);
	const Access access(world.context, world.ioas, 0);

	/* The memory's second page is in two pages of IOVA. */
	REQUIRE(access.try_write(world.page(1), std::string(page_size, 'x').data(),
				 page_size) == ok);
	CHECK(world.read(512) == [] {
		Bits bits(npages);

		add_bits(bits, 7, 22);
		return bits;
	}());
	CHECK(world.read(512) == Bits(npages));
	REQUIRE(access.try_write(world.start, "x", 1) == ok);
	CHECK(world.read(512)[0] == 0x7f);
	REQUIRE(access.try_write(world.start + world.memory.size() - 1, "x", 1) == ok);
	CHECK(world.read(512)[npages - 1] == 0x80);
	CHECK(world.read(512) == Bits(npages));
}

TEST_CASE("a hole ends the range with what lies before it")
{
	const World world;
	const Access access(world.context, world.ioas, 0);
	const BitmapGeometry more{where, (npages + 1) * page_size, page_size};
	Bits bits(more.nbytes());

	REQUIRE(access.try_write(world.page(npages - 1), "x", 1) == ok);
	CHECK(try_get(world.context, get_command(world.ioas, more, bits.data())) ==
	      Errno{EINVAL});
	CHECK(has_bit(bits, npages - 1));
	CHECK(world.read() == none);
}

TEST_CASE("a bitmap that cannot be written loses nothing")
{
	const World world;
	const Access access(world.context, world.ioas, 0);
	const PageAndHole page;
	const Bits written = bits_of({0, 33, 63});

	for (const std::uint64_t n : {0, 33, 63})
		REQUIRE(access.try_write(world.page(n), "x", 1) == ok);
	CHECK(try_get(world.context, get_command(world.ioas, world.range(),
						 page.hole())) == Errno{EFAULT});
	/* Half of it. */
	CHECK(try_get(world.context, get_command(world.ioas, world.range(),
						 page.tail(4))) == Errno{EFAULT});
	Bits first(4);

	std::memcpy(first.data(), page.tail(4), 4);
	first.resize(npages / 8);
	Bits rest = world.read();

	std::transform(rest.begin(), rest.end(), first.begin(), rest.begin(),
		       std::bit_or<>());
	CHECK(rest == written);
}

TEST_CASE("IOAS dirty tracking: rejections in order")
{
	const World world;
	const Access access(world.context, world.ioas, access_pins);
	std::vector<std::uint8_t> bits(npages / 8);
	const std::vector<Fault<Get>> faults = {
		{"flag", "flags", [](Get &cmd) { cmd.flags = 2; }, EOPNOTSUPP},
		{"reserved", "__reserved", [](Get &cmd) { cmd.__reserved = 1; },
		 EOPNOTSUPP},
		{"no IOAS", "ioas_id", [](Get &cmd) { cmd.ioas_id = 12345; }, ENOENT},
		{"nothing", "length", [](Get &cmd) { cmd.length = 0; }, EINVAL},
		{"wraps", "length", [](Get &cmd) { cmd.length = -cmd.iova + 1; },
		 EOVERFLOW},
		{"page size 0", "page_size", [](Get &cmd) { cmd.page_size = 0; }, EINVAL},
		{"page size 3", "page_size", [](Get &cmd) { cmd.page_size = 3 * 4096; },
		 EINVAL},
		{"misaligned", "iova", [](Get &cmd) { cmd.iova += 2048; }, EINVAL},
	};

	check_ordered<Get>(faults, get_command(world.ioas, world.range(), bits.data()),
			   [&](Get &cmd) { return try_get(world.context, cmd); });

	const std::vector<Fault<Set>> set_faults = {
		{"flag", "flags", [](Set &cmd) { cmd.flags = 2; }, EOPNOTSUPP},
		{"reserved", "__reserved", [](Set &cmd) { cmd.__reserved = 1; },
		 EOPNOTSUPP},
		{"no IOAS", "ioas_id", [](Set &cmd) { cmd.ioas_id = 12345; }, ENOENT},
	};
	auto valid = command<Set>();

	valid.ioas_id = world.ioas;
	check_ordered<Set>(set_faults, valid, [&](Set &cmd) {
		return call(world.context.fd(), IOMMUKIT_IOAS_SET_DIRTY_TRACKING, &cmd);
	});
	CHECK(track(world.context, make_mock(world.context, world.context.ioas()).hwpt,
		    true) == Errno{ENOENT});
}

TEST_CASE("a mapping may be too large to be noted")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	Bits bits(1);

	/* Nothing is there, and nobody minds. */
	REQUIRE(context.try_map(ioas, 0, 64UL << 40, 0) == ok);
	CHECK(track(context, ioas, true) == Errno{ENOMEM});
	CHECK(try_get(context, get_command(ioas, {0, page_size, page_size},
					   bits.data())) == Errno{EINVAL});
	CHECK(context.unmap_all(ioas) == 64UL << 40);
	CHECK(track(context, ioas, true) == ok);
	CHECK(context.try_map(ioas, 0, 64UL << 40, 0) == Errno{ENOMEM});
	CHECK(context.try_map(ioas, 0, page_size, 0) == ok);
}

TEST_CASE("every allocation of IOAS dirty tracking may fail")
{
	const World world;

	REQUIRE(track(world.context, world.ioas, false) == ok);
	sweep({"switch on",
	       1,
	       [&] { return track(world.context, world.ioas, true); },
	       [&] { REQUIRE(track(world.context, world.ioas, false) == ok); },
	       {ENOMEM, ENOENT}},
	      no_state);
}

/*
 * Writers leave rising numbers, in steps of a driver's copies and of a device. A
 * reader copies what is reported. At the end both have the same.
 */
TEST_CASE("no write is lost between two readings")
{
	const unsigned int rounds = 20000 / slowness();
	const World world;
	const Engine engine;
	std::vector<std::byte> shadow(world.memory.size());
	std::atomic<unsigned int> writing = 3;
	Verdict verdict;
	Threads threads;

	engine.bind_device(0, world.context);
	REQUIRE(engine.try_attach(0, world.ioas) == ok);
	std::memcpy(shadow.data(), world.memory.data(), shadow.size());

	const auto follow = [&] {
		Bits bits(npages / 8);

		verdict.expect(
			"read",
			try_get(world.context,
				get_command(world.ioas, world.range(), bits.data())),
			{0});
		for (std::size_t n = 0; n < npages; n++)
			if (has_bit(bits, n))
				std::memcpy(shadow.data() + n * page_size,
					    world.memory.data() + n * page_size,
					    page_size);
	};

	threads.start(2, [&](std::size_t, auto &random) {
		const Access access(world.context, world.ioas, 0);

		for (std::uint64_t i = 0; i < rounds; i++)
			verdict.expect(
				"write",
				access.try_write(where + random() % npages * page_size +
							 random() % 512 * 8,
						 &i, sizeof(i)),
				{0});
		writing--;
	});
	threads.start(1, [&](std::size_t, auto &random) {
		for (std::uint64_t i = 0; i < rounds; i++) {
			auto cmd = dma_transfer(IOMMUKIT_DMA_OP_FILL, 0,
						where + random() % npages * page_size +
							random() % 512 * 8,
						sizeof(i));

			cmd.pattern = i;
			verdict.expect("fill", engine.try_transfer(cmd), {0});
		}
		writing--;
	});
	threads.start(1, [&](std::size_t, auto &) {
		while (writing > 0)
			follow();
		follow();
	});
	threads.join();
	verdict.check();
	CHECK(!std::memcmp(shadow.data(), world.memory.data(), shadow.size()));
}

TEST_CASE("tracking goes on and off, and mappings come and go, all at once")
{
	const unsigned int rounds = 2000 / slowness();
	const World world;
	Verdict verdict;
	Threads threads;

	threads.start(1, [&](std::size_t, auto &) {
		for (unsigned int i = 0; i < rounds; i++)
			verdict.expect("switch", track(world.context, world.ioas, i % 2),
				       {0});
	});
	threads.start(1, [&](std::size_t, auto &) {
		for (unsigned int i = 0; i < rounds; i++) {
			verdict.expect("map",
				       world.context.try_map(
					       world.ioas, world.memory.va(),
					       world.memory.size(), world.page(npages)),
				       {0});
			verdict.expect("unmap",
				       world.context.try_unmap(world.ioas,
							       world.page(npages),
							       world.memory.size()),
				       {0});
		}
	});
	threads.start(1, [&](std::size_t, auto &) {
		const Access access(world.context, world.ioas, 0);

		for (unsigned int i = 0; i < rounds; i++)
			verdict.expect(
				"write",
				access.try_write(world.page(npages) - 4, "12345678", 8),
				{0, ENOENT});
	});
	threads.start(1, [&](std::size_t, auto &) {
		Bits bits(npages / 4);

		for (unsigned int i = 0; i < rounds; i++)
			verdict.expect("read",
				       try_get(world.context,
					       get_command(world.ioas,
							   {where, 2 * npages * page_size,
							    page_size},
							   bits.data())),
				       {0, EINVAL});
	});
	threads.join();
	verdict.check();
}

// SPDX-License-Identifier: GPL-2.0-only
/* Marks that are read while everything else goes on: each is reported, and once. */
#include "dirty_world.h"
#include "threads.h"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <numeric>

using namespace guest;

namespace {

using World = DirtyWorld;

constexpr std::uint64_t where = World::where;

std::uint64_t address(const Bits &bits)
{
	return reinterpret_cast<std::uint64_t>(bits.data());
}

bool clean(Bits::const_iterator first, Bits::const_iterator end)
{
	return std::all_of(first, end, [](std::uint8_t byte) { return byte == 0; });
}

} // namespace

TEST_CASE("marks are read while others map and unmap")
{
	const unsigned int rounds = 2000 / slowness();
	const World world;
	const std::uint64_t slot = 4 * page_size;
	const BitmapGeometry range{where, 2 * world.memory.size(), mock_page};
	Verdict verdict;
	Threads threads;
	std::atomic<bool> done = false;

	threads.start(1, [&](std::size_t, auto &random) {
		for (unsigned int i = 0; i < rounds; i++) {
			const Bits marks = some(world.pages(), random);
			Bits bits(range.nbytes());

			verdict.expect("mark",
				       try_mark_dirty(world.context, world.hwpt,
						      {where, world.memory.size()},
						      marks),
				       {0});
			verdict.expect("read",
				       get_dirty(world.context, world.hwpt, range,
						 address(bits)),
				       {0, EINVAL});
			/* What the others leave alone; all of theirs is clean. */
			const auto end = bits.begin() + long(marks.size());
			verdict.expect("marks",
				       std::equal(bits.begin(), end, marks.begin()));
			verdict.expect("clean", clean(end, bits.end()));
		}
		done = true;
	});
	threads.start(2, [&](std::size_t, auto &random) {
		while (!done) {
			const std::uint64_t at =
				where + world.memory.size() + random() % 16 * slot;

			verdict.expect("map",
				       world.context.try_map(world.ioas,
							     world.memory.va(), slot, at),
				       {0, EEXIST});
			verdict.expect("unmap",
				       world.context.try_unmap(world.ioas, at, slot),
				       {0, ENOENT});
		}
	});
	threads.join();
	verdict.check();
}

TEST_CASE("a mark behind the hole that another one makes is reported later")
{
	const unsigned int rounds = 1000 / slowness();
	const World world;
	const std::uint64_t behind = where + world.memory.size() + page_size;
	const BitmapGeometry range{where, 2 * world.memory.size() + page_size, mock_page};
	const IovaRange last{behind, world.memory.size()};
	std::vector<unsigned int> seen(128);
	unsigned int marked = 0;
	Verdict verdict;
	Threads threads;
	std::atomic<bool> done = false;

	world.context.map(world.ioas, world.memory, behind);
	const auto read = [&](const BitmapGeometry &what, std::uint64_t skip) {
		Bits bits(what.nbytes());
		const Errno error =
			get_dirty(world.context, world.hwpt, what, address(bits));

		for (std::uint64_t k = 0; skip + k < what.nbits(); k++)
			seen[k] += has_bit(bits, skip + k);
		return error;
	};
	threads.start(1, [&](std::size_t, auto &) {
		for (unsigned int i = 0; !verdict.done(i, rounds); i++) {
			verdict.expect("mark",
				       try_mark_dirty(world.context, world.hwpt, last,
						      every(128, 1)),
				       {0});
			marked++;
			const Errno error = read(range, 130);

			verdict.expect("read", error, {0, EINVAL});
			if (error == ok)
				verdict.hit();
			else
				verdict.expect(
					"the rest",
					read({last.iova, last.length, mock_page}, 0),
					{0});
		}
		done = true;
	});
	threads.start(1, [&](std::size_t, auto &) {
		while (!done) {
			verdict.expect("map",
				       world.context.try_map(world.ioas,
							     world.memory.va(), page_size,
							     behind - page_size),
				       {0});
			std::this_thread::yield();
			verdict.expect("unmap",
				       world.context.try_unmap(
					       world.ioas, behind - page_size, page_size),
				       {0});
			std::this_thread::yield();
		}
	});
	threads.join();
	verdict.check(1);
	CHECK(seen == std::vector<unsigned int>(128, marked));
}

TEST_CASE("of two readers one at least gets a mark")
{
	const unsigned int rounds = 5000 / slowness();
	constexpr std::uint64_t nbits = 77, nbytes = 10;
	const World world;
	const BitmapGeometry range{where, nbits * mock_page, mock_page};
	Bits marks, buffer(2 * nbytes + 3);
	Verdict verdict;
	std::barrier meet(2);
	Threads threads;

	threads.start(2, [&](std::size_t number, auto &random) {
		for (unsigned int i = 0; i < rounds; i++) {
			const auto one = buffer.begin() + 3, two = one + long(nbytes);

			if (number == 0) {
				marks = some(nbits, random);
				std::fill(buffer.begin(), buffer.end(), 0);
				verdict.expect("mark",
					       try_mark_dirty(world.context, world.hwpt,
							      {where, range.length},
							      marks),
					       {0});
			}
			meet.arrive_and_wait();
			/* Their bitmaps adjoin inside of a word. */
			verdict.expect("read",
				       get_dirty(world.context, world.hwpt, range,
						 address(buffer) + 3 + number * nbytes),
				       {0});
			meet.arrive_and_wait();
			if (number != 0)
				continue;
			for (std::uint64_t k = 0; k < nbytes; k++) {
				const unsigned int a = one[long(k)], b = two[long(k)];

				verdict.expect("all of them", (a | b) == marks[k]);
			}
		}
	});
	threads.join();
	verdict.check();
	CHECK(world.read() == no_bits(world.range()));
}

TEST_CASE("a mark made during a read is in this one or in the next")
{
	const unsigned int rounds = 20 / slowness() + 1;
	const World world(256 * page_size);
	std::vector<unsigned int> seen(world.pages());
	Verdict verdict;
	std::atomic<bool> done = false;
	const auto read = [&] {
		Bits bits(world.range().nbytes());

		verdict.expect("read",
			       get_dirty(world.context, world.hwpt, world.range(),
					 address(bits)),
			       {0});
		for (std::uint64_t k = 0; k < seen.size(); k++)
			seen[k] += has_bit(bits, k);
	};

	for (unsigned int i = 0; i < rounds; i++) {
		Threads threads;

		done = false;
		threads.start(1, [&](std::size_t, auto &random) {
			std::vector<std::uint64_t> order(world.pages());

			std::iota(order.begin(), order.end(), 0);
			std::shuffle(order.begin(), order.end(), random);
			for (const std::uint64_t page : order)
				verdict.expect("mark",
					       try_mark_dirty(world.context, world.hwpt,
							      {where + page * mock_page,
							       mock_page},
							      {1}),
					       {0});
			done = true;
		});
		threads.start(1, [&](std::size_t, auto &) {
			while (!done)
				read();
			read();
		});
		threads.join();
		verdict.check();
		CHECK(seen == std::vector<unsigned int>(seen.size(), i + 1));
	}
}

TEST_CASE("tracking is switched while others map, unmap and read")
{
	const unsigned int rounds = 2000 / slowness();
	const World world;
	const std::uint64_t behind = where + world.memory.size();
	Verdict verdict;
	Threads threads;
	std::atomic<bool> done = false;

	threads.start(1, [&](std::size_t, auto &random) {
		for (unsigned int i = 0; i < rounds; i++)
			verdict.expect("switch",
				       set_dirty(world.context, world.hwpt, random() % 3),
				       {0});
		done = true;
	});
	threads.start(1, [&](std::size_t, auto &) {
		Bits bits(world.range().nbytes());

		while (!done) {
			verdict.expect("read",
				       get_dirty(world.context, world.hwpt, world.range(),
						 address(bits)),
				       {0, EINVAL});
			verdict.expect("mark",
				       try_mark_dirty(world.context, world.hwpt,
						      {where, world.memory.size()},
						      every(world.pages(), 2)),
				       {0, EINVAL});
		}
	});
	threads.start(1, [&](std::size_t, auto &) {
		while (!done) {
			verdict.expect("map",
				       world.context.try_map(world.ioas,
							     world.memory.va(), page_size,
							     behind),
				       {0});
			verdict.expect(
				"unmap",
				world.context.try_unmap(world.ioas, behind, page_size),
				{0});
		}
	});
	threads.join();
	verdict.check();
	CHECK(set_dirty(world.context, world.hwpt, true) == ok);
	CHECK(world.read() == no_bits(world.range()));
}

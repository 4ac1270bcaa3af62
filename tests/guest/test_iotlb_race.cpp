// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many threads on one IOTLB. A word that nobody may read any more stands where memory
 * was translated to before; who reads it has used a translation that was gone.
 */
#include "access.h"
#include "iotlb_world.h"
#include "threads.h"

#include <atomic>

using namespace guest;

namespace {

constexpr std::uint64_t target = IotlbWorld::target;
constexpr std::uint64_t sentinel = 0x5e5e5e5e5e5e5e5e;
constexpr std::uint64_t good = 0x600d600d600d600d;
/* Each pair of pages of the memory is translated to in turn. */
constexpr std::uint64_t slots = IotlbWorld::pages / 2;
const unsigned int steps = 1000 / slowness() + 20;

/* The first words of a page; readers look at none but these. */
void put(const IotlbWorld &world, std::uint64_t page, std::uint64_t value)
{
	__atomic_store_n(reinterpret_cast<std::uint64_t *>(world.at(page * page_size)),
			 value, __ATOMIC_RELAXED);
	std::atomic_thread_fence(std::memory_order_seq_cst);
}

std::uint64_t get(const IotlbWorld &world, std::uint64_t page)
{
	return __atomic_load_n(
		reinterpret_cast<std::uint64_t *>(world.at(page * page_size)),
		__ATOMIC_RELAXED);
}

std::uint64_t page_of(std::uint64_t slot, unsigned int turn)
{
	return 2 * slot + turn % 2;
}

IotlbMessage mapping(std::uint64_t slot, unsigned int turn)
{
	return update_of(slot * page_size, page_size,
			 target + page_of(slot, turn) * page_size);
}

/* Reads all slots, over and over, until @done. */
void read_slots(const IotlbWorld &world, Verdict &verdict, const std::atomic<bool> &done,
		std::uint32_t how)
{
	const Reader reader(world.client);

	while (!done) {
		Loop loop{.words = slots,
			  .count = 4 * slots,
			  .value = sentinel,
			  .how = how,
			  .timeout_ms = 1};
		const Errno error = reader.try_loop(loop);

		verdict.expect("loop", error, {0, ETIMEDOUT});
		verdict.expect("nothing that is gone", loop.equal == 0);
		if (loop.copied)
			verdict.hit();
	}
}

} // namespace

/* ---- removed translations ---- */

TEST_CASE("what was invalidated is read by nobody")
{
	const IotlbWorld world;
	constexpr unsigned int invalidators = 4;
	std::atomic<unsigned int> left = invalidators;
	std::atomic<bool> done = false;
	Verdict verdict;
	Threads threads;

	for (std::uint64_t page = 0; page < 2 * slots; page++)
		put(world, page, sentinel);
	threads.start(invalidators, [&](std::size_t number, auto &random) {
		for (unsigned int i = 0; !verdict.done(i, steps); i++) {
			/* Each has slots of its own. */
			const std::uint64_t slot =
				number + random() % (slots / invalidators) * invalidators;
			const std::uint64_t page = page_of(slot, i);

			put(world, page, good);
			verdict.expect("update", world.channel.try_send(mapping(slot, i)),
				       {0});
			std::this_thread::yield();
			verdict.expect("invalidate",
				       random() % 2
					       ? world.channel.try_send(invalidate_of(
							 slot * page_size, page_size))
					       : world.iotlb.try_submit(invalidate_of(
							 slot * page_size, page_size)),
				       {0});
			put(world, page, sentinel);
		}
		if (--left == 0)
			done = true;
	});
	threads.start(4, [&](std::size_t number, auto &) {
		read_slots(world, verdict, done,
			   number % 2 ? IOMMUKIT_TEST_IOTLB_LOOP_NOWAIT : 0);
	});
	threads.join();
	verdict.check(1);
}

TEST_CASE("what was flushed is read by nobody")
{
	const IotlbWorld world;
	std::atomic<bool> done = false;
	Verdict verdict;
	Threads threads;

	for (std::uint64_t page = 0; page < 2 * slots; page++)
		put(world, page, sentinel);
	threads.start(1, [&](std::size_t, auto &random) {
		for (unsigned int i = 0; !verdict.done(i, steps); i++) {
			std::vector<IotlbMessage> all;

			for (std::uint64_t slot = 0; slot < slots; slot++) {
				put(world, page_of(slot, i), good);
				all.push_back(mapping(slot, i));
			}
			verdict.expect("update", world.channel.try_send(all), {0});
			std::this_thread::yield();
			verdict.expect(
				"flush",
				world.channel.try_send(
					random() % 2 ? message_of(IOMMUKIT_IOTLB_OP_FLUSH)
						     : invalidate_of(0, 0)),
				{0});
			for (std::uint64_t slot = 0; slot < slots; slot++)
				put(world, page_of(slot, i), sentinel);
		}
		done = true;
	});
	threads.start(3, [&](std::size_t number, auto &) {
		read_slots(world, verdict, done,
			   number % 2 ? IOMMUKIT_TEST_IOTLB_LOOP_NOWAIT : 0);
	});
	threads.join();
	verdict.check(1);
}

TEST_CASE("what was replaced is read by nobody")
{
	const IotlbWorld world(
		0, [](auto &how) { how.evict_policy = IOMMUKIT_IOTLB_EVICT_NONE; });
	std::atomic<bool> done = false;
	Verdict verdict;
	Threads threads;

	for (std::uint64_t slot = 0; slot < slots; slot++) {
		put(world, page_of(slot, 0), sentinel);
		put(world, page_of(slot, 1), good);
		world.iotlb.submit(mapping(slot, 1));
	}
	threads.start(1, [&](std::size_t, auto &random) {
		std::vector<unsigned int> turns(slots, 1);

		for (unsigned int i = 0; !verdict.done(i, 4 * steps); i++) {
			const std::uint64_t slot = random() % slots;
			const unsigned int turn = ++turns[slot];

			put(world, page_of(slot, turn), good);
			verdict.expect("update",
				       world.channel.try_send(mapping(slot, turn)), {0});
			put(world, page_of(slot, turn + 1), sentinel);
		}
		done = true;
	});
	threads.start(3,
		      [&](std::size_t, auto &) { read_slots(world, verdict, done, 0); });
	threads.join();
	verdict.check(1);
	/* Something was there all the time. */
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_CREATED) == 0);
}

TEST_CASE("nobody writes to what was invalidated")
{
	const IotlbWorld world;
	std::atomic<bool> done = false;
	Verdict verdict;
	Threads threads;

	threads.start(1, [&](std::size_t, auto &) {
		for (unsigned int i = 0; !verdict.done(i, steps); i++) {
			verdict.expect("update", world.channel.try_send(mapping(0, i)),
				       {0});
			std::this_thread::yield();
			verdict.expect(
				"invalidate",
				world.channel.try_send(invalidate_of(0, page_size)), {0});
			put(world, page_of(0, i), 0);
			std::this_thread::yield();
			verdict.expect("untouched", get(world, page_of(0, i)) == 0);
		}
		done = true;
	});
	threads.start(3, [&](std::size_t, auto &) {
		const Reader reader(world.client);

		while (!done) {
			Loop loop{.count = 64,
				  .value = sentinel,
				  .write = true,
				  .timeout_ms = 1};

			verdict.expect("loop", reader.try_loop(loop), {0, ETIMEDOUT});
			if (loop.copied)
				verdict.hit();
		}
	});
	threads.join();
	verdict.check(1);
}

TEST_CASE("an answer that was overtaken by an invalidation is not used")
{
	const IotlbWorld world(IOMMUKIT_IOTLB_CHAN_EPOCH);
	std::atomic<unsigned int> turn = 0;
	std::atomic<bool> done = false;
	Verdict verdict;
	Threads threads;

	/* The page of the current turn is good, the other one is not. */
	put(world, 0, good);
	put(world, 1, sentinel);
	threads.start(1, [&](std::size_t, auto &) {
		for (unsigned int i = 0; !verdict.done(i, steps); i++) {
			put(world, page_of(0, turn + 1), good);
			turn++;
			verdict.expect(
				"invalidate",
				world.channel.try_send(invalidate_of(0, page_size)), {0});
			put(world, page_of(0, turn + 1), sentinel);
			std::this_thread::yield();
		}
		done = true;
	});
	/* Servers that are slow between looking and answering. */
	world.channel.set_nonblocking();
	threads.start(2, [&](std::size_t, auto &random) {
		IotlbMessage miss;

		while (!done) {
			if (world.channel.try_read(&miss, sizeof(miss)) != ok) {
				std::this_thread::yield();
				continue;
			}
			const unsigned int seen = turn;

			for (unsigned int n = random() % 8; n; n--)
				std::this_thread::yield();
			const Errno error = world.channel.try_send(
				answer_to(miss, 0, page_size,
					  target + page_of(0, seen) * page_size));
			verdict.expect("answer", error, {0, ESTALE});
		}
	});
	threads.start(2, [&](std::size_t, auto &) {
		const Reader reader(world.client);

		while (!done) {
			Loop loop{.count = 16, .value = sentinel, .timeout_ms = 50};

			verdict.expect("loop", reader.try_loop(loop), {0, ETIMEDOUT});
			verdict.expect("nothing that is gone", loop.equal == 0);
			if (loop.copied)
				verdict.hit();
		}
	});
	threads.join();
	verdict.check(1);
}

TEST_CASE("pins are gone when an invalidation is complete")
{
	const IotlbWorld world;
	std::atomic<bool> done = false;
	Verdict verdict;
	Threads threads;

	threads.start(1, [&](std::size_t, auto &) {
		for (unsigned int i = 0; !verdict.done(i, steps / 4); i++) {
			verdict.expect("update", world.channel.try_send(mapping(0, 0)),
				       {0});
			std::this_thread::yield();
			verdict.expect(
				"invalidate",
				world.channel.try_send(invalidate_of(0, page_size)), {0});
			verdict.expect("pins",
				       check_refs(world.context, world.memory.va(),
						  page_size, 0),
				       {0});
		}
		done = true;
	});
	threads.start(3, [&](std::size_t, auto &) {
		const Reader reader(world.client, reader_thread);

		while (!done) {
			if (reader.probe(0, page_size, perm_read,
					 {.how = IOMMUKIT_TEST_IOTLB_KEEP})
				    .error != ok)
				continue;
			if (reader.pin() == ok)
				verdict.hit();
			verdict.expect("exit", reader.exit(), {0});
		}
	});
	threads.join();
	verdict.check(1);
}

/* ---- misses ---- */

TEST_CASE("an update that comes while a reader is about to ask")
{
	const IotlbWorld world;
	Verdict verdict;
	Threads threads;
	const unsigned int pages = 2000 / slowness() + 50;
	std::atomic<unsigned int> reading = 0, updating = 0;

	/* Nobody answers: whoever misses the update waits until he fails. */
	threads.start(1, [&](std::size_t, auto &) {
		for (unsigned int n = 0; n < pages; n++) {
			reading = n;
			while (updating < n)
				std::this_thread::yield();
			verdict.expect("translate",
				       world.reader.translate(n * page_size, 1).error,
				       {0});
		}
		reading = pages;
	});
	threads.start(1, [&](std::size_t, auto &random) {
		for (unsigned int n = 0; n < pages; n++) {
			updating = n;
			while (reading < n)
				std::this_thread::yield();
			for (std::atomic<unsigned int> spin = random() % 2000; spin;)
				spin--;
			verdict.expect("update",
				       world.iotlb.try_submit(update_of(
					       n * page_size, page_size, target)),
				       {0});
		}
		updating = pages;
	});
	threads.join();
	verdict.check();
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_PENDING) == 0);
}

TEST_CASE("readers that give up while they are answered")
{
	const IotlbWorld world;
	Verdict verdict;
	Threads threads;
	std::atomic<bool> done = false;
	const Server server(world.channel, serve_pages(world.channel, target));

	threads.start(1, [&](std::size_t, auto &) {
		for (unsigned int i = 0; !verdict.done(i, steps); i++) {
			auto cancel = test_command(
				IOMMUKIT_TEST_OP_IOTLB_CANCEL,
				static_cast<std::uint32_t>(world.client.fd()));

			cancel.iotlb_cancel.on = i % 2;
			verdict.expect("cancel", test_call(world.context, cancel), {0});
			verdict.expect("flush",
				       world.iotlb.try_submit(invalidate_of(0, 0)), {0});
			/* Or no answer is ever in time: it is cancelled again at once. */
			if (i % 16 == 0)
				usleep(2000);
		}
		done = true;
	});
	threads.start(3, [&](std::size_t, auto &random) {
		const Reader reader(world.client);

		while (!done) {
			const Look look{.timeout_ms = random() % 2 ? 1U : patience_ms};
			const Errno error =
				reader.translate(random() % 64 * page_size,
						 1 + random() % 9999, perm_read, look)
					.error;

			verdict.expect("translate", error,
				       {0, ECANCELED, ETIMEDOUT, EBUSY});
			if (error == ok)
				verdict.hit();
		}
	});
	threads.join();
	verdict.check(1);
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_PENDING) == 0);
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_CREATED) ==
	      world.iotlb.stat(IOMMUKIT_IOTLB_STAT_RESOLVED) +
		      world.iotlb.stat(IOMMUKIT_IOTLB_STAT_WITHDRAWN));
}

TEST_CASE("clients and readers come and go while everything is in motion")
{
	const IotlbWorld world;
	Verdict verdict;
	Threads threads;
	std::atomic<bool> done = false;
	const Server server(world.channel, serve_pages(world.channel, target));

	threads.start(2, [&](std::size_t, auto &random) {
		for (unsigned int i = 0; !verdict.done(i, steps / 8); i++) {
			Fd client;
			std::uint32_t index = 0;

			verdict.expect("attach",
				       IotlbClient::attempt(world.context,
							    world.iotlb.id(), 0, 0,
							    &client),
				       {0});
			auto create =
				test_command(IOMMUKIT_TEST_OP_IOTLB_READER_CREATE,
					     static_cast<std::uint32_t>(client.get()));
			verdict.expect("reader", test_call(world.context, create), {0});
			index = create.iotlb_reader_create.out_reader;
			iommukit_test_iotlb look{};
			look.reader = index;
			look.what = IOMMUKIT_TEST_IOTLB_NOWAIT;
			look.prot = perm_read;
			look.max = 1;
			look.length = 1;
			look.iova = random() % 64 * page_size;
			auto run = test_command(IOMMUKIT_TEST_OP_IOTLB_RUN, create.id);
			run.iotlb_run.uptr = reinterpret_cast<std::uint64_t>(&look);
			verdict.expect("run", test_call(world.context, run), {0});
			if (look.out_result == -EAGAIN)
				verdict.hit();
			/* Its end meets the answer, and the invalidations. */
		}
		done = true;
	});
	threads.start(1, [&](std::size_t, auto &) {
		while (!done)
			verdict.expect("flush",
				       world.iotlb.try_submit(invalidate_of(0, 0)), {0});
	});
	threads.join();
	verdict.check(1);
	CHECK(wait_until(
		[&] { return world.iotlb.stat(IOMMUKIT_IOTLB_STAT_PENDING) == 0; }));
}

TEST_CASE("looking in timers while messages are read")
{
	const IotlbWorld world;
	Verdict verdict;
	Threads threads;
	std::atomic<bool> done = false;

	threads.start(1, [&](std::size_t, auto &random) {
		const Reader reader(world.client);

		for (unsigned int i = 0; i < steps / 4; i++) {
			const Errno error =
				reader.nowait(random() % 64 * page_size, 1, perm_read,
					      {.how = IOMMUKIT_TEST_IOTLB_TIMER})
					.error;

			verdict.expect("nowait", error, {0, EAGAIN});
			if (i % 16 == 0)
				verdict.expect(
					"flush",
					world.iotlb.try_submit(invalidate_of(0, 0)), {0});
		}
		done = true;
	});
	const Server server(world.channel, serve_pages(world.channel, target));
	threads.join();
	verdict.check();
	CHECK(done);
	CHECK(server.served() > 0);
}

/* ---- much of everything ---- */

TEST_CASE("flushes of a full IOTLB keep little in memory")
{
	const std::uint64_t entries = 20000 / slowness() + 100;
	const IotlbWorld world(0, [&](auto &how) {
		how.max_entries = static_cast<std::uint32_t>(2 * entries);
	});
	Verdict verdict;
	Threads threads;
	std::atomic<bool> done = false;
	std::vector<IotlbMessage> all;

	for (std::uint64_t n = 0; n < entries; n++)
		all.push_back(update_of(n * page_size, page_size, target));
	threads.start(1, [&](std::size_t, auto &) {
		for (unsigned int i = 0; i < 20; i++) {
			auto messages = all;
			const Submitted filled = world.iotlb.submit(messages);

			verdict.expect("fill", filled.error, {0});
			verdict.expect("flush",
				       world.iotlb.try_submit(
					       message_of(IOMMUKIT_IOTLB_OP_FLUSH)),
				       {0});
			/* One old table, at the most, and what is on its way. */
			verdict.expect("memory",
				       world.iotlb.stat(IOMMUKIT_IOTLB_STAT_DEFERRED) <=
					       2 * entries + 65536);
		}
		done = true;
	});
	threads.start(2, [&](std::size_t, auto &) {
		const Reader reader(world.client);

		while (!done) {
			Loop loop{.words = 1000,
				  .count = 1000,
				  .value = sentinel,
				  .how = IOMMUKIT_TEST_IOTLB_LOOP_NOWAIT};

			verdict.expect("loop", reader.try_loop(loop), {0});
			if (loop.copied)
				verdict.hit();
		}
	});
	threads.join();
	verdict.check(1);
	CHECK(world.iotlb.dump().empty());
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_FLUSHES) == 20);
	CHECK(wait_until(
		[&] { return world.iotlb.stat(IOMMUKIT_IOTLB_STAT_DEFERRED) == 0; }));
}

// SPDX-License-Identifier: GPL-2.0-only
/* Misses of an IOTLB: who waits for them, and how that ends. */
#include "iotlb_world.h"
#include "process.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <memory>

using namespace guest;

namespace {

constexpr std::uint64_t target = IotlbWorld::target;
constexpr auto pending = IOMMUKIT_IOTLB_STAT_PENDING;
constexpr auto created = IOMMUKIT_IOTLB_STAT_CREATED;
/* A time that is to pass. */
constexpr std::uint32_t short_ms = 20;

/* Created misses are accounted for, when nothing goes on. */
void check_identity(const Iotlb &iotlb)
{
	CHECK(iotlb.stat(created) == iotlb.stat(IOMMUKIT_IOTLB_STAT_RESOLVED) +
					     iotlb.stat(IOMMUKIT_IOTLB_STAT_DENIED) +
					     iotlb.stat(IOMMUKIT_IOTLB_STAT_LOST) +
					     iotlb.stat(IOMMUKIT_IOTLB_STAT_WITHDRAWN) +
					     iotlb.stat(pending));
}

/* Many readers, each in a thread that waits for one byte. */
struct Crowd {
	Crowd(const IotlbWorld &world, std::uint64_t count,
	      const std::function<std::uint64_t(std::uint64_t)> &where)
	{
		for (std::uint64_t n = 0; n < count; n++) {
			const Reader &reader = *readers.emplace_back(
				std::make_unique<Reader>(world.client));
			const std::uint64_t iova = where(n);

			waiting.push_back(std::make_unique<Running<Lookup>>(
				[&reader, iova] { return reader.translate(iova, 1); }));
		}
	}
	std::vector<Errno> get() const
	{
		std::vector<Errno> errors;

		for (const auto &one : waiting)
			errors.push_back(one->get().error);
		return errors;
	}
	void check(Errno expected) const
	{
		for (const Errno error : get())
			CHECK(error == expected);
	}

	std::vector<std::unique_ptr<Reader>> readers;
	std::vector<std::unique_ptr<Running<Lookup>>> waiting;
};

} // namespace

/* ---- many readers ---- */

TEST_CASE("one message for all who need the same page")
{
	const IotlbWorld world;
	constexpr std::uint64_t count = 64;
	const Crowd crowd(world, count, [](std::uint64_t n) { return page_size + n; });

	CHECK(world.iotlb.await(IOMMUKIT_IOTLB_STAT_JOINED, count - 1));
	const IotlbMessage miss = world.channel.next();
	CHECK(miss.iova >= page_size);
	CHECK(miss.iova < page_size + count);
	CHECK(world.channel.quiet());
	world.channel.send(answer_to(miss, page_size, page_size, target));
	crowd.check(ok);
	CHECK(world.iotlb.stat(created) == 1);
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_DELIVERED) == 1);
	check_identity(world.iotlb);
}

TEST_CASE("answers in any order")
{
	const IotlbWorld world;
	constexpr std::uint64_t count = 64;
	const Crowd crowd(world, count, [](std::uint64_t n) { return n * page_size; });
	std::vector<IotlbMessage> misses;

	CHECK(world.iotlb.await(pending, count));
	for (std::uint64_t n = 0; n < count; n++)
		misses.push_back(world.channel.next());
	CHECK(world.channel.quiet());
	CHECK(world.channel.info().out_delivered == count);
	std::reverse(misses.begin(), misses.end());
	for (const IotlbMessage &miss : misses)
		world.channel.send(answer_to(miss, miss.iova, page_size, target));
	crowd.check(ok);
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_MAX_PENDING) == count);
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_RESOLVED) == count);
	check_identity(world.iotlb);
}

TEST_CASE("an answer for a part of a granule")
{
	const IotlbWorld world;
	const Reader other(world.client);
	auto low = in_background([&] { return world.reader.translate(0x100, 1); });
	CHECK(world.iotlb.await(pending, 1));
	auto high = in_background([&] { return other.translate(0x900, 1); });
	CHECK(world.iotlb.await(IOMMUKIT_IOTLB_STAT_JOINED, 1));
	const IotlbMessage first = world.channel.next();

	CHECK(first.iova == 0x100);
	world.channel.send(answer_to(first, 0, 0x800, target));
	CHECK(low.get().error == ok);
	const IotlbMessage second = world.channel.next();
	CHECK(second.iova == 0x900);
	CHECK(second.cookie != first.cookie);
	CHECK_FALSE(high.finished());
	world.channel.send(answer_to(second, 0x800, 0x800, target + 0x800));
	CHECK(high.get().error == ok);
	CHECK(world.channel.quiet());
}

TEST_CASE("more misses than there is room for")
{
	const IotlbWorld world(0, [](auto &how) { how.max_pending = 4; });
	constexpr std::uint64_t count = 12;
	const Crowd crowd(world, count, [](std::uint64_t n) { return n * page_size; });
	const Reader async(world.client);

	CHECK(world.iotlb.await(pending, 4));
	CHECK(world.iotlb.await(IOMMUKIT_IOTLB_STAT_SPACE_WAITS, count - 4));
	CHECK(async.nowait(100 * page_size, 1).error == Errno{EAGAIN});
	CHECK(async.resumed() == 0);
	unsigned int served = 0;
	const Server server(world.channel, [&](const IotlbMessage &miss) {
		served = std::max(served, world.channel.info().out_pending);
		(void)world.channel.try_send(
			answer_to(miss, miss.iova, page_size, target));
	});
	crowd.check(ok);
	CHECK(wait_until([&] { return async.resumed() == 1; }));
	CHECK(served <= 4);
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_MAX_PENDING) <= 4);
}

/* ---- denial ---- */

TEST_CASE("a miss is denied")
{
	const IotlbWorld world;
	const struct {
		int status, error;
	} table[] = {{EPERM, EPERM},   {ENOENT, ENOENT}, {EIO, EIO},   {EFAULT, EFAULT},
		     {EINVAL, EFAULT}, {0, EFAULT},	 {-1, EFAULT}, {12345, EFAULT}};

	for (const auto &row : table) {
		INFO("status " << row.status);
		auto waiting =
			in_background([&] { return world.reader.translate(0, 1); });
		world.channel.send(denial_of(world.channel.next(), row.status));
		CHECK(waiting.get().error == Errno{row.error});
	}
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_DENIED) == std::size(table));
	/* It is asked for again, for nobody remembers. */
	CHECK(world.reader.nowait(0, 1).error == Errno{EAGAIN});
	check_identity(world.iotlb);
}

TEST_CASE("misses are denied by their range")
{
	const IotlbWorld world;
	std::vector<std::unique_ptr<Reader>> readers;
	const auto miss = [&](std::uint64_t iova, std::uint32_t prot) {
		readers.push_back(std::make_unique<Reader>(world.client));
		CHECK(readers.back()->nowait(iova, 1, prot).error == Errno{EAGAIN});
		return readers.size() - 1;
	};
	const std::size_t low = miss(0x1000, perm_read), high = miss(0x2fff, perm_read),
			  beyond = miss(0x3000, perm_read),
			  writer = miss(0x9000, perm_write);
	auto denial = message_of(IOMMUKIT_IOTLB_OP_ACCESS_FAIL, 0x1000, 0x2000);

	denial.perm = perm_write;
	denial.status = EIO;
	world.channel.send(denial);
	CHECK(world.iotlb.stat(pending) == 4);
	denial.perm = perm_read;
	world.channel.send(denial);
	CHECK(world.iotlb.stat(pending) == 2);
	CHECK(readers[low]->nowait(0x1000, 1).error == Errno{EIO});
	CHECK(readers[high]->nowait(0x2fff, 1).error == Errno{EIO});
	CHECK(readers[beyond]->resumed() == 0);
	/* Of no length it is one byte, and without a permission it is for all. */
	denial = message_of(IOMMUKIT_IOTLB_OP_ACCESS_FAIL, 0x9000, 0);
	world.channel.send(denial);
	CHECK(readers[writer]->nowait(0x9000, 1, perm_write).error == Errno{EFAULT});
	/* A cookie that is none is no error. */
	denial.cookie = 0x7777777777;
	CHECK(world.channel.try_send(denial) == ok);
	CHECK(readers[beyond]->resumed() == 0);
}

TEST_CASE("a denial in the messages of vhost")
{
	PlainWorld plain;
	std::uint8_t bytes[72] = {1};

	plain.miss(0);
	bytes[33] = IOMMUKIT_IOTLB_OP_ACCESS_FAIL;
	CHECK(plain.channel.try_write(bytes, sizeof(bytes)) == ok);
	CHECK(plain.readers[0]->resumed() == 1);
	CHECK(plain.readers[0]->nowait(0, 1).error == Errno{EFAULT});
}

/* ---- without waiting ---- */

TEST_CASE("a reader that does not wait is told once")
{
	const IotlbWorld world;
	const Reader &reader = world.reader;

	for (unsigned int kick = 0; kick < 5; kick++)
		CHECK(reader.nowait(0x1000 + kick, 1).error == Errno{EAGAIN});
	const IotlbMessage miss = world.channel.next();
	CHECK(world.channel.quiet());
	CHECK(world.iotlb.stat(created) == 1);
	CHECK(reader.resumed() == 0);
	world.channel.send(answer_to(miss, 0x1000, 0x1000, target));
	CHECK(reader.resumed() == 1);
	CHECK(reader.nowait(0x1000, 1).error == ok);
	CHECK(world.client.stats().out_resumes == 1);
	/* What it does not need any more is not asked for any more. */
	CHECK(reader.nowait(0x5000, 1).error == Errno{EAGAIN});
	CHECK(reader.nowait(0x6000, 1).error == Errno{EAGAIN});
	CHECK(world.channel.next().iova == 0x6000);
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_WITHDRAWN) == 1);
}

TEST_CASE("an error waits for the reader, once")
{
	const IotlbWorld world;
	const Reader &reader = world.reader;

	CHECK(reader.nowait(0x1000, 1).error == Errno{EAGAIN});
	world.channel.send(denial_of(world.channel.next(), EIO));
	CHECK(reader.resumed() == 1);
	CHECK(reader.nowait(0x1000, 1).error == Errno{EIO});
	CHECK(reader.nowait(0x1000, 1).error == Errno{EAGAIN});
	CHECK(reader.resumed() == 1);
	world.channel.send(denial_of(world.channel.next(), EIO));
	/* Who asks for something else does not get it. */
	CHECK(reader.nowait(0x8000, 1).error == Errno{EAGAIN});
}

TEST_CASE("the server never answers a reader that does not wait")
{
	const IotlbWorld world(0, [](auto &how) { how.miss_timeout_ms = short_ms; });
	const Reader &reader = world.reader;

	CHECK(reader.nowait(0, 1).error == Errno{EAGAIN});
	CHECK(world.channel.next().iova == 0);
	CHECK(wait_until([&] { return reader.resumed() == 1; }));
	CHECK(world.iotlb.stat(pending) == 0);
	CHECK(reader.nowait(0, 1).error == Errno{ETIMEDOUT});
	CHECK(reader.nowait(0, 1).error == Errno{EAGAIN});
	CHECK(world.iotlb.stat(created) == 2);
	CHECK(world.channel.next().iova == 0);
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_TIMED_OUT) >= 1);
	CHECK(wait_until([&] { return reader.resumed() == 2; }));
	check_identity(world.iotlb);
}

/* ---- ends of a wait ---- */

TEST_CASE("the time is up, and then the answer comes")
{
	const IotlbWorld world;

	CHECK(world.reader.translate(0, 1, perm_read, {.timeout_ms = short_ms}).error ==
	      Errno{ETIMEDOUT});
	CHECK(world.iotlb.stat(pending) == 0);
	CHECK(world.channel.quiet());
	world.channel.send(update_of(0, page_size, target));
	CHECK(world.reader.translate(0, 1).error == ok);
	CHECK(world.iotlb.stat(created) == 1);
	check_identity(world.iotlb);

	/* The same, of a miss that was read. */
	auto waiting = in_background([&] {
		return world.reader.translate(page_size, 1, perm_read,
					      {.timeout_ms = short_ms});
	});
	const IotlbMessage miss = world.channel.next();
	CHECK(waiting.get().error == Errno{ETIMEDOUT});
	world.channel.send(answer_to(miss, page_size, page_size, target));
	CHECK(world.reader.translate(page_size, 1).error == ok);
}

TEST_CASE("the time of the IOTLB, and a change of it")
{
	const IotlbWorld world(0, [](auto &how) { how.miss_timeout_ms = short_ms; });

	CHECK(world.reader.translate(0, 1).error == Errno{ETIMEDOUT});
	REQUIRE(world.iotlb.try_set(IOMMUKIT_IOTLB_PARAM_MISS_TIMEOUT_MS, patience_ms) ==
		ok);
	auto waiting = in_background([&] { return world.reader.translate(0, 1); });
	CHECK(world.iotlb.await(pending, 1));
	world.channel.send(update_of(0, page_size, target));
	CHECK(waiting.get().error == ok);
}

TEST_CASE("who does not want to wait does not")
{
	const IotlbWorld world;
	const Look nomiss{.flags = translate_nomiss};

	CHECK(world.reader.translate(0, 1, perm_read, nomiss).error == Errno{EAGAIN});
	CHECK(world.channel.quiet());
	CHECK(world.iotlb.stat(created) == 0);
	world.iotlb.update(0, page_size, target);
	CHECK(world.reader.translate(0, 1, perm_read, nomiss).error == ok);
}

TEST_CASE("who takes a part waits for the first byte")
{
	const IotlbWorld world;
	auto waiting = in_background([&] {
		return world.reader.translate(0, 4 * page_size, perm_read,
					      {.flags = translate_partial});
	});
	const IotlbMessage miss = world.channel.next();

	CHECK(miss.iova == 0);
	world.channel.send(answer_to(miss, 0, page_size, target));
	const Lookup found = waiting.get();
	CHECK(found.error == ok);
	CHECK(leads(found, 0, page_size, target));
	CHECK(world.channel.quiet());
}

TEST_CASE("cancelling ends what waits, and what will")
{
	const IotlbWorld world;
	const Reader thread(world.client, reader_thread);

	world.iotlb.update(page_size, page_size, target);
	const Crowd crowd(world, 8, [](std::uint64_t) { return 0; });
	REQUIRE(thread.begin(9 * page_size, 1, perm_read, {.timeout_ms = for_ever}) ==
		ok);
	CHECK(world.iotlb.await(IOMMUKIT_IOTLB_STAT_JOINED, 7));
	CHECK(world.iotlb.await(pending, 2));
	world.client.cancel();
	world.client.cancel();
	crowd.check(Errno{ECANCELED});
	CHECK(thread.finish().error == Errno{ECANCELED});
	CHECK(world.iotlb.stat(pending) == 0);
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_CANCELLED) == 9);
	/* Also if nothing is missing; but not without waiting. */
	CHECK(world.reader.translate(page_size, 1).error == Errno{ECANCELED});
	CHECK(world.reader.nowait(page_size, 1).error == ok);
	CHECK(world.reader.nowait(0, 1).error == Errno{EAGAIN});
	world.client.cancel(false);
	CHECK(world.reader.translate(page_size, 1).error == ok);
	check_identity(world.iotlb);
}

TEST_CASE("a signal ends the wait of a reader that lets itself be interrupted")
{
	const IotlbWorld world;
	const Reader reader(world.client, reader_interruptible);
	std::atomic<pthread_t> thread = 0;
	struct sigaction ignored {
	}, before;

	ignored.sa_handler = [](int) {};
	REQUIRE(sigaction(SIGUSR1, &ignored, &before) == 0);
	auto waiting = in_background([&] {
		thread = pthread_self();
		return reader.translate(0, 1);
	});
	CHECK(world.iotlb.await(pending, 1));
	REQUIRE(pthread_kill(thread, SIGUSR1) == 0);
	CHECK(waiting.get().error == restarted);
	CHECK(world.iotlb.stat(pending) == 0);
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_INTERRUPTED) == 1);
	/* What comes after it is as if nothing had been. */
	auto again = in_background([&] { return reader.translate(0, 1); });
	const IotlbMessage miss = world.channel.next();
	CHECK(world.channel.quiet());
	world.channel.send(answer_to(miss, 0, page_size, target));
	CHECK(leads(again.get(), 0, 1, target));
	REQUIRE(sigaction(SIGUSR1, &before, nullptr) == 0);
}

TEST_CASE("a signal does not end the wait of others, unless it is fatal")
{
	const IotlbWorld world;
	Child waiting([&](const Child::Steps &) {
		signal(SIGUSR1, [](int) {});
		return world.reader.translate(0, 1).error.value;
	});

	CHECK(world.iotlb.await(pending, 1));
	REQUIRE(::kill(waiting.pid(), SIGUSR1) == 0);
	SECTION("an answer")
	{
		world.channel.send(update_of(0, page_size, target));
		CHECK(waiting.join() == 0);
	}
	SECTION("a kill")
	{
		waiting.kill();
		CHECK(waiting.join() == deadly_signal + SIGKILL);
		CHECK(world.iotlb.stat(pending) == 0);
		CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_INTERRUPTED) == 1);
		/* The reader is as good as before. */
		world.channel.send(update_of(0, page_size, target));
		CHECK(world.reader.translate(0, 1).error == ok);
	}
}

TEST_CASE("the wait of a kernel thread ends when the thread is to stop")
{
	const IotlbWorld world;
	const Reader reader(world.client, reader_thread | reader_kthread_stop);

	REQUIRE(reader.begin(0, 1, perm_read, {.timeout_ms = for_ever}) == ok);
	CHECK(world.iotlb.await(pending, 1));
	reader.stop();
	CHECK(reader.finish().error == Errno{ECANCELED});
	CHECK(world.iotlb.stat(pending) == 0);
}

TEST_CASE("the channel is closed under many that wait")
{
	IotlbWorld world;
	const Crowd crowd(world, 100, [](std::uint64_t n) { return n * page_size; });
	const Reader async(world.client);

	CHECK(world.iotlb.await(pending, 100));
	CHECK(async.nowait(0, 1).error == Errno{EAGAIN});
	for (unsigned int n = 0; n < 50; n++)
		world.channel.next();
	world.iotlb.channel.close();
	crowd.check(Errno{EPIPE});
	CHECK(async.resumed() == 1);
	CHECK(async.nowait(0, 1).error == Errno{EPIPE});
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_LOST) == 100);
	check_identity(world.iotlb);
	/* Another server does not know of them. */
	world.iotlb.open();
	CHECK(world.channel.quiet());
	CHECK(async.nowait(0, 1).error == Errno{EAGAIN});
	CHECK_FALSE(world.channel.quiet());
}

/* ---- answers that are no good ---- */

TEST_CASE("an answer that is late is refused, and asked for once more")
{
	const IotlbWorld world(IOMMUKIT_IOTLB_CHAN_EPOCH);
	auto waiting = in_background([&] { return world.reader.translate(0x5010, 1); });
	const IotlbMessage miss = world.channel.next();

	world.channel.send(invalidate_of(0x5000, 0x1000));
	CHECK(world.channel.try_send(answer_to(miss, 0x5000, 0x1000, target)) ==
	      Errno{ESTALE});
	CHECK_FALSE(world.iotlb.holds(0x5010));
	const IotlbMessage again = world.channel.next();
	CHECK(again.iova == 0x5010);
	CHECK(again.cookie == miss.cookie);
	CHECK(again.flags == IOMMUKIT_IOTLB_MSG_REQUEUED);
	CHECK(again.epoch == miss.epoch + 1);
	/* Elsewhere it would have done. */
	world.channel.send(invalidate_of(0x6000, 0x1000));
	world.channel.send(answer_to(again, 0x5000, 0x1000, target + 0x1000));
	CHECK(leads(waiting.get(), 0x5010, 1, target + 0x1010));
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_STALE) == 1);
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_REQUEUED) == 1);
	check_identity(world.iotlb);
}

TEST_CASE("how far back epochs are known")
{
	const IotlbWorld world(IOMMUKIT_IOTLB_CHAN_EPOCH);
	const auto try_at = [&](std::uint64_t epoch) {
		auto message = update_of(0x5000, 0x1000, target);

		message.epoch = epoch;
		return world.channel.try_send(message);
	};

	world.channel.send(update_of(0, 1, target));
	const std::uint64_t start = world.channel.info().out_inval_seq;
	for (std::uint64_t n = 1; n <= 64; n++)
		world.channel.send(invalidate_of(0x8000 + n * 0x1000, 1));
	CHECK(world.channel.info().out_inval_seq == start + 64);
	CHECK(try_at(start) == ok);
	CHECK(try_at(start + 64) == ok);
	CHECK(try_at(start + 65) == Errno{EINVAL});
	world.channel.send(invalidate_of(0x1000, 1));
	CHECK(try_at(start) == Errno{ESTALE});
	CHECK(try_at(start + 1) == ok);
	/* What is replaced, or may be used less, counts as well. */
	const std::uint64_t now = world.channel.info().out_inval_seq;
	world.channel.send(update_of(0x5000, 0x1000, target, perm_read));
	CHECK(try_at(now) == Errno{ESTALE});
	CHECK(try_at(0) == ok);
}

TEST_CASE("epochs mean nothing to a server that has not asked for them")
{
	const IotlbWorld world;
	auto waiting = in_background([&] { return world.reader.translate(0, 1); });
	const IotlbMessage miss = world.channel.next();

	world.channel.send(invalidate_of(0, page_size));
	world.channel.send(answer_to(miss, 0, page_size, target));
	CHECK(waiting.get().error == ok);
}

TEST_CASE("answers that lead elsewhere answer nothing")
{
	const IotlbWorld world;
	const Server server(world.channel, [&](const IotlbMessage &miss) {
		(void)world.channel.try_send(
			answer_to(miss, miss.iova + page_size, page_size, target));
	});

	CHECK(world.reader.translate(0, 1, perm_read, {.timeout_ms = short_ms}).error ==
	      Errno{ETIMEDOUT});
	CHECK(world.iotlb.stat(pending) == 0);
}

TEST_CASE("answers that are taken back at once")
{
	const IotlbWorld world;
	const Server server(world.channel, [&](const IotlbMessage &miss) {
		(void)world.channel.try_send(
			{answer_to(miss, miss.iova & ~(page_size - 1), page_size, target),
			 invalidate_of(0, 0)});
	});

	/* Given up, but not for ever. */
	CHECK(world.reader.translate(0, 8 * page_size).error == Errno{EBUSY});
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_THRASH) == 1);
	CHECK(world.iotlb.stat(pending) == 0);
}

TEST_CASE("a request that is larger than the IOTLB")
{
	const IotlbWorld world(0, [](auto &how) { how.max_entries = 16; });
	constexpr std::uint64_t pages = 17;
	/* Each page goes to the same one, so that no two are one piece. */
	const Server server(world.channel, [&](const IotlbMessage &miss) {
		(void)world.channel.try_send(
			answer_to(miss, miss.iova & ~(page_size - 1), page_size, target));
	});
	const Lookup all = world.reader.translate(0, pages * page_size);

	/* What was forgotten the reader may have kept. */
	if (all.error == ok)
		CHECK(all.segs.size() == pages);
	else
		CHECK(all.error == Errno{EBUSY});
	std::uint64_t done = 0;
	for (unsigned int rounds = 0; done < pages * page_size && rounds < 1000;
	     rounds++) {
		const Lookup part =
			world.reader.translate(done, pages * page_size - done, perm_read,
					       {.flags = translate_partial});

		REQUIRE(part.error == ok);
		REQUIRE(part.done > 0);
		done += part.done;
	}
	CHECK(done == pages * page_size);
}

TEST_CASE("a server that uses the device itself")
{
	const IotlbWorld world;
	const Reader own(world.client);
	Errno inner;
	std::atomic<bool> recursed = false;
	const Server server(world.channel, [&](const IotlbMessage &miss) {
		if (!recursed.exchange(true))
			inner = own.translate(0x8000, 1, perm_read,
					      {.timeout_ms = short_ms})
					.error;
		(void)world.channel.try_send(
			answer_to(miss, miss.iova & ~(page_size - 1), page_size, target));
	});

	CHECK(world.reader.translate(0, 1).error == ok);
	CHECK(inner == Errno{ETIMEDOUT});
}

TEST_CASE("who spins before it sleeps finds the same")
{
	const IotlbWorld world(0, [](auto &how) { how.spin_us = 1000; });

	CHECK(world.reader.translate(0, 1, perm_read, {.timeout_ms = short_ms}).error ==
	      Errno{ETIMEDOUT});
	const Server server(world.channel, serve_pages(world.channel, target));
	for (std::uint64_t n = 0; n < 100; n++) {
		const Lookup found = world.reader.translate(n * page_size, 1);

		REQUIRE(leads(found, n * page_size, 1, target + n * page_size));
	}
	CHECK(server.served() == 100);
	world.client.cancel();
	CHECK(world.reader.translate(1 << 30, 1).error == Errno{ECANCELED});
	check_identity(world.iotlb);
}

TEST_CASE("latencies are told")
{
	const IotlbWorld world;
	const Server server(world.channel, serve_pages(world.channel, target));
	std::uint64_t sum = 0;

	for (std::uint64_t n = 0; n < 10; n++)
		CHECK(world.reader.translate(n * page_size, 1).error == ok);
	for (int n = 0; n < 16; n++)
		sum += world.iotlb.stat(static_cast<iommukit_iotlb_stat>(
			IOMMUKIT_IOTLB_STAT_LATENCY_HIST + n));
	CHECK(sum == 10);
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_LATENCY_MAX_NS) > 0);
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_LATENCY_SUM_NS) >=
	      world.iotlb.stat(IOMMUKIT_IOTLB_STAT_LATENCY_MAX_NS));
}

// SPDX-License-Identifier: GPL-2.0-only
/* The ring of an IOTLB's channel: its mappings, its messages, and who is woken. */
#include "iotlb_ring.h"
#include "iotlb_world.h"
#include "process.h"
#include "threads.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <memory>
#include <optional>
#include <random>

using namespace guest;

namespace {

constexpr std::uint64_t target = IotlbWorld::target;
constexpr std::uint64_t ring_off = IOMMUKIT_IOTLB_RING_OFF;
constexpr std::uint64_t cons_off = IOMMUKIT_IOTLB_CONS_OFF;
constexpr std::uint32_t entries = 16;
constexpr int read_only = PROT_READ, read_write = PROT_READ | PROT_WRITE;

/* An IOTLB whose server has a ring and an eventfd. */
struct World {
	World() : event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
	{
		world.channel.configure(0, entries, event.get());
		ring.emplace(world.channel, entries);
	}
	void miss(std::uint64_t page)
	{
		readers.push_back(std::make_unique<Reader>(world.client));
		REQUIRE(readers.back()->nowait(page * page_size, 1).error ==
			Errno{EAGAIN});
	}
	/* How often it was signalled since. */
	std::uint64_t signals() const
	{
		std::uint64_t count = 0;

		return read(event.get(), &count, sizeof(count)) < 0 ? 0 : count;
	}

	Fd event;
	IotlbWorld world;
	std::optional<IotlbRing> ring;
	std::vector<std::unique_ptr<Reader>> readers;
};

/* How many open files the whole kernel has. */
long open_files()
{
	std::ifstream file("/proc/sys/fs/file-nr");
	long count = -1;

	file >> count;
	return count;
}

} // namespace

/* ---- mappings ---- */

TEST_CASE("mappings of the ring that are refused")
{
	const World world;
	const Channel &channel = world.world.channel;
	const std::size_t size = IotlbRing::size(entries);
	const struct {
		const char *name;
		std::uint64_t offset;
		std::size_t length;
		int protection;
		bool shared;
		int error;
	} table[] = {
		{"a copy of the ring", ring_off, size, read_only, false, EINVAL},
		{"a copy of the consumer's page", cons_off, page_size, read_write, false,
		 EINVAL},
		{"to be written", ring_off, size, read_write, true, EPERM},
		{"to be run", ring_off, size, PROT_READ | PROT_EXEC, true, EPERM},
		{"the consumer's page to be run", cons_off, page_size,
		 read_write | PROT_EXEC, true, EPERM},
		{"one page", ring_off + page_size, page_size, read_only, true, EINVAL},
		{"too much", ring_off, size + page_size, read_only, true, EINVAL},
		{"two pages of the consumer", cons_off, 2 * page_size, read_write, true,
		 EINVAL},
		{"elsewhere", cons_off + page_size, page_size, read_write, true, EINVAL},
		{"elsewhere, too", cons_off - page_size, page_size, read_only, true,
		 EINVAL},
		{"right", ring_off, size, read_only, true, 0},
		{"right, too", cons_off, page_size, read_write, true, 0},
		{"the consumer's page, to look at it", cons_off, page_size, read_only,
		 true, 0},
	};

	for (const auto &row : table) {
		const Mapping mapping(channel, row.offset, row.length, row.protection,
				      row.shared);

		INFO(row.name);
		CHECK(mapping.error() == Errno{row.error});
	}
	/* Nor can it be made writeable. */
	const Mapping mapping(channel, ring_off, size, read_only);
	REQUIRE(mapping.error() == ok);
	CHECK(mprotect(mapping.as<void>(), size, read_write) == -1);
	CHECK(errno == EACCES);
	CHECK(mprotect(mapping.as<void>(), size, PROT_READ | PROT_EXEC) == -1);
	CHECK(mremap(mapping.as<void>(), size, 2 * size, MREMAP_MAYMOVE) == MAP_FAILED);
}

TEST_CASE("mappings of a channel without a ring")
{
	const IotlbWorld world;

	CHECK(Mapping(world.channel, ring_off, page_size, read_only).error() ==
	      Errno{ENODEV});
	CHECK(Mapping(world.channel, cons_off, page_size, read_write).error() ==
	      Errno{ENODEV});
}

TEST_CASE("rings of all sizes")
{
	for (const std::uint32_t number : {16U, 32U, 64U, 1024U, 65536U}) {
		const IotlbWorld world;

		world.channel.configure(0, number);
		const IotlbRing ring(world.channel, number);
		CHECK(ring.header().version == 1);
		CHECK(ring.header().entries == number);
		CHECK(ring.header().entry_size == sizeof(IotlbMessage));
		CHECK(ring.header().head == 0);
		CHECK(ring.header().flags == 0);
		CHECK(ring.header().lost == 0);
		for (const std::uint32_t word : ring.header().__reserved)
			CHECK(word == 0);
	}
}

TEST_CASE("a child does not inherit the ring")
{
	const World world;
	const Mapping mapping(world.world.channel, ring_off, IotlbRing::size(entries),
			      read_only);

	REQUIRE(mapping.error() == ok);
	CHECK(in_child([&] {
		      return static_cast<int>(mapping.as<iommukit_iotlb_ring>()->magic);
	      }) == deadly_signal + SIGSEGV);
}

/* ---- messages ---- */

TEST_CASE("misses go into the ring")
{
	World world;

	world.miss(3);
	CHECK(world.ring->head() == 1);
	CHECK(world.signals() == 1);
	CHECK(world.world.channel.info().out_delivered == 1);
	CHECK((world.world.channel.events() & POLLIN));
	const auto miss = world.ring->take();
	REQUIRE(miss);
	CHECK(miss->type == IOMMUKIT_IOTLB_MSG_NATIVE);
	CHECK(miss->op == IOMMUKIT_IOTLB_OP_MISS);
	CHECK(miss->iova == 3 * page_size);
	CHECK(miss->perm == perm_read);
	CHECK(miss->cookie != 0);
	CHECK(miss->epoch == world.world.channel.info().out_inval_seq);
	CHECK_FALSE(world.ring->take());
	CHECK_FALSE((world.world.channel.events() & POLLIN));
	/* There is nothing to read. */
	IotlbMessage message;
	world.world.channel.set_nonblocking();
	CHECK(world.world.channel.try_read(&message, sizeof(message)) == Errno{EAGAIN});
	world.world.channel.send(answer_to(*miss, 3 * page_size, page_size, target));
	CHECK(world.readers[0]->resumed() == 1);
}

TEST_CASE("who looks at the ring is not woken")
{
	World world;

	world.ring->set_no_wakeup(true);
	world.miss(1);
	CHECK(world.ring->head() == 1);
	CHECK(world.signals() == 0);
	world.ring->set_no_wakeup(false);
	world.miss(2);
	CHECK(world.signals() == 1);
}

TEST_CASE("what finds no room waits for it, in order")
{
	World world;
	const Channel &channel = world.world.channel;
	constexpr std::uint32_t more = 5;

	for (std::uint32_t n = 0; n < entries + more; n++)
		world.miss(n);
	CHECK(world.ring->head() == entries);
	CHECK((world.ring->flags() & IOMMUKIT_IOTLB_RING_BACKLOG));
	CHECK(channel.info().out_backlog == more);
	CHECK(world.world.iotlb.stat(IOMMUKIT_IOTLB_STAT_RING_BACKLOG) == more);
	CHECK(channel.try_kick() == ok);
	CHECK(world.ring->head() == entries);
	for (std::uint32_t n = 0; n < entries; n++)
		CHECK(world.ring->take()->iova == n * page_size);
	CHECK_FALSE(world.ring->take());

	SECTION("a kick brings it in")
	{
		CHECK(channel.try_kick() == ok);
	}
	SECTION("so does a write")
	{
		channel.send(invalidate_of(0x1000000, 1));
	}
	SECTION("so does another miss")
	{
		world.miss(100);
	}
	SECTION("or it is read")
	{
		IotlbMessage messages[more + 1];
		std::size_t done = 0;

		CHECK(channel.try_read(messages, sizeof(messages), &done) == ok);
		CHECK(done == more * sizeof(messages[0]));
		for (std::uint32_t n = 0; n < more; n++)
			CHECK(messages[n].iova == (entries + n) * page_size);
		CHECK_FALSE((world.ring->flags() & IOMMUKIT_IOTLB_RING_BACKLOG));
		return;
	}
	for (std::uint32_t n = 0; n < more; n++) {
		const auto miss = world.ring->take();

		REQUIRE(miss);
		CHECK(miss->iova == (entries + n) * page_size);
	}
	CHECK_FALSE((world.ring->flags() & IOMMUKIT_IOTLB_RING_BACKLOG));
	CHECK(channel.info().out_backlog == 0);
}

TEST_CASE("what was answered before it found room is not sent")
{
	World world;

	for (std::uint32_t n = 0; n < entries + 2; n++)
		world.miss(n);
	/* The last but one, by whom nobody has asked. */
	world.world.channel.send(update_of(entries * page_size, page_size, target));
	for (std::uint32_t n = 0; n < entries; n++)
		REQUIRE(world.ring->take());
	CHECK(world.world.channel.try_kick() == ok);
	CHECK(world.ring->take()->iova == (entries + 1) * page_size);
	CHECK_FALSE(world.ring->take());
}

TEST_CASE("tails that cannot be")
{
	World world;
	std::mt19937 random(seed());
	const unsigned int rounds = 2000 / slowness() + 10;

	for (unsigned int round = 0; round < rounds; round++) {
		const std::uint64_t page = round % 64;
		const Reader &reader = *world.readers.emplace_back(
			std::make_unique<Reader>(world.world.client));

		/* Most are nonsense, some are true by accident or on purpose. */
		world.ring->set_tail(round % 4 ? static_cast<std::uint32_t>(random())
					       : world.ring->head());
		(void)reader.nowait(page * page_size, 1);
		CHECK(world.world.channel.try_kick() == ok);
		if (world.readers.size() == 64)
			world.readers.clear();
	}
	CHECK(world.world.iotlb.stat(IOMMUKIT_IOTLB_STAT_RING_CORRUPT) > 0);
	/* With a good one everything comes through. */
	world.readers.clear();
	world.ring->set_tail(world.ring->head());
	CHECK(world.world.channel.try_kick() == ok);
	while (world.ring->take())
		;
	world.miss(500);
	CHECK(world.ring->take()->iova == 500 * page_size);
}

TEST_CASE("reports that found no room")
{
	const Fd event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	const IotlbWorld world;

	world.channel.configure(IOMMUKIT_IOTLB_CHAN_ACCESS_FAIL, entries, event.get());
	IotlbRing ring(world.channel, entries);

	world.iotlb.update(0, 0x1000000, 0, perm_read);
	for (std::uint64_t n = 0; n < 200; n++)
		CHECK(world.reader.translate(n * page_size, 1, perm_write).error ==
		      Errno{EPERM});
	CHECK((ring.flags() & IOMMUKIT_IOTLB_RING_LOST));
	CHECK(ring.header().lost == world.iotlb.stat(IOMMUKIT_IOTLB_STAT_EVENTS_LOST));
	CHECK(ring.header().lost == 200 - entries - 64);
	CHECK(ring.take()->op == IOMMUKIT_IOTLB_OP_ACCESS_FAIL);
}

/* ---- its end ---- */

TEST_CASE("the end of the IOTLB, seen through the ring")
{
	World world;
	const Channel &channel = world.world.channel;
	IotlbMessage message;

	world.miss(1);
	world.readers.clear();
	auto reading = in_background(
		[&] { return channel.try_read(&message, sizeof(message)); });
	CHECK(reading.sleeps());
	world.world.client.close();
	world.world.context.destroy(world.world.iotlb.id());
	CHECK(reading.get() == Errno{ENODEV});
	CHECK((world.ring->flags() & IOMMUKIT_IOTLB_RING_DEAD));
	CHECK((channel.events() & (POLLERR | POLLHUP)) == (POLLERR | POLLHUP));
	CHECK(channel.try_kick() == Errno{ENODEV});
	CHECK(channel.try_send(update_of(0, 1, 0)) == Errno{ENODEV});
	/* What was in it can be read as before. */
	CHECK(world.ring->header().magic == IOMMUKIT_IOTLB_RING_MAGIC);
	CHECK(world.ring->take()->iova == page_size);
}

TEST_CASE("a mapping keeps the channel open")
{
	World world;
	Fd opened;

	auto waiting = in_background([&] { return world.world.reader.translate(0, 1); });
	CHECK(world.world.iotlb.await(IOMMUKIT_IOTLB_STAT_PENDING, 1));
	world.world.iotlb.channel.close();
	CHECK(world.world.iotlb.try_open(&opened) == Errno{EBUSY});
	CHECK_FALSE(waiting.finished());
	world.ring.reset();
	CHECK(waiting.get().error == Errno{EPIPE});
	CHECK(world.world.iotlb.try_open(&opened) == ok);
}

/* ---- the eventfd ---- */

TEST_CASE("the eventfd is replaced while it is signalled")
{
	World world;
	const Channel &channel = world.world.channel;
	const long before = open_files();
	std::atomic<bool> done = false;
	Verdict verdict;
	Threads threads;

	threads.start(1, [&](std::size_t, auto &) {
		/* Each waits for a grace period. */
		for (unsigned int n = 0; n < 60 / slowness() + 5; n++) {
			const Fd event(eventfd(0, EFD_CLOEXEC));
			auto cmd = chan_config();

			cmd.eventfd = n % 3 ? event.get() : IOMMUKIT_IOTLB_EVENTFD_NONE;
			verdict.expect("config", channel.try_configure(cmd), {0});
		}
		done = true;
	});
	threads.start(1, [&](std::size_t, auto &) {
		const Reader &reader = world.world.reader;

		/* Each asks for something else, and withdraws what was before. */
		for (std::uint64_t n = 0; !done; n++) {
			verdict.expect("nowait",
				       reader.nowait(n % 999 * page_size, 1).error,
				       {EAGAIN});
			world.ring->set_tail(world.ring->head());
		}
	});
	threads.join();
	verdict.check();
	auto cmd = chan_config();
	cmd.eventfd = IOMMUKIT_IOTLB_EVENTFD_NONE;
	CHECK(channel.try_configure(cmd) == ok);
	CHECK(wait_until([&] { return open_files() <= before; }));
}

TEST_CASE("channels come and go, and leave nothing open")
{
	const Context context;
	Iotlb iotlb(context, context.ioas());
	const Fd event(eventfd(0, EFD_CLOEXEC));
	const long before = open_files();

	for (unsigned int n = 0; n < 200 / slowness() + 1; n++) {
		iotlb.channel.configure(IOMMUKIT_IOTLB_CHAN_EPOCH, 64, event.get());
		{
			const IotlbRing ring(iotlb.channel, 64);
		}
		iotlb.channel.close();
		iotlb.open();
	}
	CHECK(wait_until([&] { return open_files() <= before; }));
}

/* ---- many messages ---- */

TEST_CASE("no message is slept through")
{
	World world;
	const Channel &channel = world.world.channel;
	constexpr std::uint64_t readers = 2;
	const std::uint64_t each = 4000 / slowness() + 100;
	Verdict verdict;
	Threads threads;

	/* A page is asked for once, so there are as many messages as pages. */
	threads.start(readers, [&](std::size_t number, auto &) {
		const Reader reader(world.world.client);

		for (std::uint64_t n = 0; n < each; n++)
			verdict.expect(
				"translate",
				reader.translate((number << 32) + n * page_size, 1).error,
				{0});
	});
	/* The server looks for a while, then it sleeps. */
	threads.start(1, [&](std::size_t, auto &random) {
		pollfd wait{.fd = world.event.get(), .events = POLLIN, .revents = 0};
		std::uint64_t served = 0;

		while (served < readers * each) {
			world.ring->set_no_wakeup(true);
			for (unsigned int looks = random() % 200; looks; looks--) {
				while (const auto miss = world.ring->take()) {
					verdict.expect("answer",
						       channel.try_send(answer_to(
							       *miss, miss->iova,
							       page_size, target)),
						       {0});
					served++;
				}
			}
			world.ring->set_no_wakeup(false);
			if (!world.ring->empty() || served == readers * each)
				continue;
			verdict.expect("woken", poll(&wait, 1, 60000) == 1);
			world.signals();
		}
	});
	threads.join();
	verdict.check();
	CHECK(world.world.iotlb.stat(IOMMUKIT_IOTLB_STAT_DELIVERED) == readers * each);
	CHECK(world.ring->head() == readers * each);
}

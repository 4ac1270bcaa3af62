// SPDX-License-Identifier: GPL-2.0-only
/* Clients of IOTLBs: how they come and go, their readers, hints, and their mistakes. */
#include "access.h"
#include "iotlb_world.h"
#include "mock.h"
#include "module_log.h"

#include <unistd.h>

#include <memory>
#include <string>

using namespace guest;

namespace {

constexpr std::uint64_t target = IotlbWorld::target;
constexpr Look keep{.how = IOMMUKIT_TEST_IOTLB_KEEP};

/* Kernels that notice misuse by themselves have more to say than can be borne. */
void need_plain_kernel()
{
	if (access("/proc/lockdep", F_OK) == 0)
		skip("the kernel itself complains of misuse");
}

} // namespace

/* ---- coming and going ---- */

TEST_CASE("clients that are refused")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Mock mock = make_mock(context, ioas);
	const Iotlb iotlb(context, ioas);
	Fd client;
	const struct {
		const char *name;
		std::uint32_t id, asid, flags;
		int error;
	} table[] = {
		{"no object", 0, 0, 0, ENOENT},
		{"an IOAS", ioas, 0, 0, ENOENT},
		{"a HWPT", mock.hwpt, 0, 0, ENOENT},
		{"no such address space", iotlb.id(), 1, 0, EINVAL},
		{"no address space at all", iotlb.id(), ~0U, 0, EINVAL},
		{"no operations", iotlb.id(), 0, IOMMUKIT_TEST_IOTLB_NO_OPS, EINVAL},
	};

	for (const auto &row : table) {
		INFO(row.name);
		CHECK(IotlbClient::attempt(context, row.id, row.flags, row.asid,
					   &client) == Errno{row.error});
	}
	CHECK(context.try_destroy(iotlb.id()) == ok);
}

TEST_CASE("a client may lack every callback")
{
	const IotlbWorld world;
	const IotlbClient client(world.context, world.iotlb.id(),
				 IOMMUKIT_TEST_IOTLB_NO_INVALIDATE |
					 IOMMUKIT_TEST_IOTLB_NO_RESUME |
					 IOMMUKIT_TEST_IOTLB_NO_STAGE2_UNMAP);
	const Reader reader(client);

	/* Nobody could be told of the end of a miss. */
	CHECK(reader.nowait(0, 1).error == Errno{EAGAIN});
	CHECK(world.channel.quiet());
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_CREATED) == 0);
	world.iotlb.update(0, page_size, target);
	CHECK(reader.nowait(0, 1).error == ok);
	world.iotlb.invalidate(0, page_size);
	CHECK(reader.nowait(0, 1).error == Errno{EAGAIN});
	/* It may wait all the same. */
	const Server server(world.channel, serve_pages(world.channel, target));
	CHECK(reader.translate(0, 1).error == ok);
}

TEST_CASE("a client keeps its context")
{
	auto world = std::make_unique<IotlbWorld>();
	std::uint64_t word = 0;

	world->iotlb.update(0, page_size, target);
	world->context.close();
	CHECK(world->reader.try_read(0, &word, sizeof(word)) == ok);
	CHECK(world->channel.try_send(update_of(page_size, page_size, target)) == ok);
	CHECK(world->reader.translate(page_size, 1).error == ok);
	world.reset();
}

TEST_CASE("a client that ends withdraws its misses")
{
	IotlbWorld world;
	const IotlbClient other(world.context, world.iotlb.id());
	const Reader reader(world.client), staying(other);

	CHECK(reader.nowait(0, 1).error == Errno{EAGAIN});
	CHECK(reader.nowait(page_size, 1).error == Errno{EAGAIN});
	CHECK(staying.nowait(2 * page_size, 1).error == Errno{EAGAIN});
	/* A reader asks for one thing at a time. */
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_PENDING) == 2);
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_WITHDRAWN) == 1);
	CHECK(world.client.try_destroy_reader(reader.index()) == ok);
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_PENDING) == 1);
	CHECK(world.channel.next().iova == 2 * page_size);
	CHECK(world.channel.quiet());
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_WITHDRAWN) == 2);
}

TEST_CASE("closing a client ends its threads, wherever they are")
{
	IotlbWorld world;
	const Reader waits(world.client, reader_thread),
		inside(world.client, reader_thread);

	world.iotlb.update(0, page_size, target);
	REQUIRE(waits.begin(page_size, 1, perm_read, {.timeout_ms = for_ever}) == ok);
	REQUIRE(inside.probe(0, 8, perm_read, keep).error == ok);
	REQUIRE(inside.pin() == ok);
	CHECK(world.iotlb.await(IOMMUKIT_IOTLB_STAT_PENDING, 1));
	world.client.close();
	CHECK(wait_until(
		[&] { return world.iotlb.stat(IOMMUKIT_IOTLB_STAT_PENDING) == 0; }));
	CHECK(check_refs(world.context, world.memory, 0) == ok);
	world.iotlb.flush();
	CHECK(world.context.try_destroy(world.iotlb.id()) == ok);
}

/* ---- the gate ---- */

TEST_CASE("the gate nests, and an invalidation waits for the last way out")
{
	const IotlbWorld world;
	const Reader inside(world.client, reader_thread);

	world.iotlb.update(0, page_size, target);
	CHECK(inside.exit() == no_sense);
	REQUIRE(inside.enter() == ok);
	REQUIRE(inside.enter() == ok);
	auto invalidating = in_background(
		[&] { return world.iotlb.try_submit(invalidate_of(0, 1)); });
	CHECK(invalidating.sleeps());
	REQUIRE(inside.exit() == ok);
	CHECK(invalidating.sleeps());
	CHECK(world.client.stats().out_invalidates == 0);
	REQUIRE(inside.exit() == ok);
	CHECK(invalidating.get() == ok);
	CHECK(world.client.stats().out_invalidates == 1);
}

TEST_CASE("an invalidation does not wait for who has entered since")
{
	const IotlbWorld world;
	const Reader early(world.client, reader_thread),
		late(world.client, reader_thread);

	REQUIRE(early.enter() == ok);
	auto invalidating = in_background(
		[&] { return world.iotlb.try_submit(invalidate_of(0, 1)); });
	CHECK(invalidating.sleeps());
	REQUIRE(late.enter() == ok);
	REQUIRE(early.exit() == ok);
	CHECK(invalidating.get() == ok);
	REQUIRE(late.exit() == ok);
}

TEST_CASE("relax lets an invalidation pass")
{
	const IotlbWorld world;
	const Reader inside(world.client, reader_thread);

	world.iotlb.update(0, page_size, target);
	REQUIRE(inside.probe(0, 8, perm_read, keep).error == ok);
	CHECK_FALSE(inside.relax());
	auto invalidating = in_background(
		[&] { return world.iotlb.try_submit(invalidate_of(0, 1)); });
	CHECK(invalidating.sleeps());

	SECTION("not from deep inside")
	{
		REQUIRE(inside.enter() == ok);
		CHECK_FALSE(inside.relax());
		CHECK_FALSE(invalidating.finished());
		REQUIRE(inside.exit() == ok);
	}
	CHECK(wait_until([&] { return inside.relax(); }));
	CHECK(invalidating.get() == ok);
	CHECK_FALSE(inside.relax());
	CHECK(inside.probe(0, 8).error == Errno{EAGAIN});
	CHECK(inside.exit() == ok);
}

TEST_CASE("updates that take nothing away wait for nobody")
{
	const IotlbWorld world(IOMMUKIT_IOTLB_CHAN_NEGATIVE);
	const Reader inside(world.client, reader_thread);

	world.channel.send(
		update_of(4 * page_size, 1, 0, 0, IOMMUKIT_IOTLB_MSG_NEGATIVE));
	world.iotlb.update(0, page_size, target, perm_read);
	REQUIRE(inside.probe(0, 8, perm_read, keep).error == ok);
	/* Would not end, if one of them did. */
	world.iotlb.update(page_size, page_size, target);
	world.iotlb.update(0, page_size, target, perm_rw);
	world.iotlb.update(4 * page_size, page_size, target);
	CHECK(inside.exit() == ok);
	CHECK(world.client.stats().out_invalidates == 0);
}

TEST_CASE("an invalidation waits for the callback")
{
	const IotlbWorld world;

	world.client.behave(IOMMUKIT_TEST_IOTLB_HOLD);
	auto invalidating = in_background(
		[&] { return world.channel.try_send(invalidate_of(0x1000, 0x234)); });
	CHECK(wait_until([&] { return world.client.stats().out_running == 1; }));
	CHECK(world.client.stats().out_first == 0x1000);
	CHECK(world.client.stats().out_last == 0x1233);
	CHECK_FALSE(invalidating.finished());
	/* Meanwhile everything else goes on. */
	world.iotlb.update(0, page_size, target);
	CHECK(world.reader.translate(0, 1).error == ok);
	CHECK(world.reader.nowait(0x1000, 1).error == Errno{EAGAIN});
	CHECK(world.channel.next().iova == 0x1000);
	world.client.behave(0);
	CHECK(invalidating.get() == ok);
}

/* ---- hints ---- */

TEST_CASE("prefetches are asked for, and nobody waits")
{
	const IotlbWorld world(IOMMUKIT_IOTLB_CHAN_PREFETCH);
	int result = 0;

	world.iotlb.update(0x10000, 0x1000, target);
	REQUIRE(world.client.try_prefetch({{0x10000, 0x1000}, {0x20000, 1}, {0x30000, 8}},
					  perm_read, &result) == ok);
	CHECK(result == 2);
	const IotlbMessage first = world.channel.next(), second = world.channel.next();
	CHECK(first.flags == IOMMUKIT_IOTLB_MSG_PREFETCH);
	CHECK(first.iova == 0x20000);
	CHECK(first.perm == perm_read);
	CHECK(second.iova == 0x30000);
	CHECK(world.channel.quiet());
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_PREFETCHES) == 2);
	world.channel.send(answer_to(first, 0x20000, 0x1000, target));
	world.channel.send(denial_of(second, EPERM));
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_PENDING) == 0);
	CHECK(world.reader.translate(0x20000, 1).error == ok);
	/* In any context. */
	REQUIRE(world.client.try_prefetch({{0x40000, 1}}, perm_rw, &result,
					  IOMMUKIT_TEST_IOTLB_ATOMIC) == ok);
	CHECK(result == 1);
	CHECK(world.channel.next().perm == perm_rw);
	CHECK(world.client.stats().out_resumes == 0);
}

TEST_CASE("a prefetch that somebody comes to wait for is one no more")
{
	const IotlbWorld world(IOMMUKIT_IOTLB_CHAN_PREFETCH);
	int result = 0;

	REQUIRE(world.client.try_prefetch({{0x1000, 1}, {0x2000, 1}}, perm_read,
					  &result) == ok);
	CHECK(world.reader.nowait(0x2000, 1).error == Errno{EAGAIN});
	const IotlbMessage first = world.channel.next();
	CHECK(first.iova == 0x2000);
	CHECK(first.flags == 0);
	CHECK(world.channel.next().flags == IOMMUKIT_IOTLB_MSG_PREFETCH);
}

TEST_CASE("prefetches give way to misses")
{
	const IotlbWorld world(IOMMUKIT_IOTLB_CHAN_PREFETCH,
			       [](auto &how) { how.max_pending = 4; });
	std::vector<std::unique_ptr<Reader>> readers;
	int result = 0;

	REQUIRE(world.client.try_prefetch(
			{{0x1000, 1}, {0x2000, 1}, {0x3000, 1}, {0x4000, 1}}, perm_read,
			&result) == ok);
	/* They take no more than a half. */
	CHECK(result == 2);
	for (std::uint64_t n = 0; n < 4; n++) {
		readers.push_back(std::make_unique<Reader>(world.client));
		CHECK(readers.back()->nowait(0x10000 + n * 0x1000, 1).error ==
		      Errno{EAGAIN});
	}
	for (std::uint64_t n = 0; n < 4; n++)
		CHECK(world.channel.next().iova == 0x10000 + n * 0x1000);
	CHECK(world.channel.quiet());
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_PREFETCH_DROPS) >= 2);
}

TEST_CASE("prefetches that are not sent")
{
	const IotlbWorld world;
	int result = 7;

	/* The server has not asked for any. */
	REQUIRE(world.client.try_prefetch({{0x1000, 1}}, perm_read, &result) == ok);
	CHECK(result == 0);
	CHECK(world.channel.quiet());
	for (const std::uint32_t prot : {0, 4}) {
		REQUIRE(world.client.try_prefetch({{0x1000, 1}}, prot, &result) == ok);
		CHECK(result == -EINVAL);
	}
}

/* ---- counters ---- */

TEST_CASE("counters of lookups")
{
	const IotlbWorld world;
	const Reader other(world.client);

	world.iotlb.update(0, page_size, target, perm_read);
	for (unsigned int n = 0; n < 10; n++)
		CHECK(world.reader.probe(0, 1).error == ok);
	CHECK(world.reader.probe(page_size, 1).error == Errno{EAGAIN});
	CHECK(other.probe(0, 1).error == ok);
	const ClientStats stats = world.client.stats();
	CHECK(stats.out_lookups >= 12);
	CHECK(stats.out_map_hits >= 2);
	CHECK(stats.out_cache_hits >= 1);
	CHECK(stats.out_cache_hits + stats.out_map_hits == 11);
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_LOOKUPS) == stats.out_lookups);
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_CACHE_HITS) == stats.out_cache_hits);
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_MAP_HITS) == stats.out_map_hits);
}

TEST_CASE("as many readers as there may be")
{
	const IotlbWorld world;
	std::vector<std::uint32_t> readers(4096);
	std::uint32_t one_more = 0;

	/* The world has one. */
	for (std::size_t n = 1; n < readers.size(); n++)
		REQUIRE(world.client.try_reader(0, &readers[n]) == ok);
	CHECK(world.client.try_reader(0, &one_more) == Errno{ENOSPC});
	world.iotlb.invalidate(0, page_size);
	CHECK(world.client.try_destroy_reader(readers[1]) == ok);
	CHECK(world.client.try_reader(0, &one_more) == ok);
}

/* ---- mistakes ---- */

TEST_CASE("who waits inside of a gate is told so")
{
	need_plain_kernel();
	const IotlbWorld world;
	const Reader inside(world.client, reader_thread);
	std::uint64_t word = 0;
	ModuleLog log;

	world.iotlb.update(0, page_size, target);
	REQUIRE(inside.enter() == ok);
	for (unsigned int again = 0; again < 3; again++) {
		CHECK(inside.translate(0, 1).error == Errno{EDEADLK});
		CHECK(inside.translate(page_size, 1).error == Errno{EDEADLK});
		CHECK(inside.translate(0, 0).error == Errno{EDEADLK});
		CHECK(inside.try_read(0, &word, sizeof(word), copy_kthread) ==
		      Errno{EDEADLK});
	}
	CHECK(log.lines() <= 1);
	REQUIRE(inside.exit() == ok);
	CHECK(inside.translate(0, 1).error == ok);
	CHECK(world.channel.quiet());
}

TEST_CASE("who waits where nobody can is told so")
{
	need_plain_kernel();
	const IotlbWorld world;
	const Look atomic{.how = IOMMUKIT_TEST_IOTLB_ATOMIC};
	std::uint64_t word = 0;
	ModuleLog log;

	world.iotlb.update(0, page_size, target);
	for (unsigned int again = 0; again < 3; again++) {
		CHECK(world.reader.translate(0, 1, perm_read, atomic).error ==
		      Errno{EDEADLK});
		CHECK(world.reader.translate(page_size, 1, perm_read, atomic).error ==
		      Errno{EDEADLK});
		CHECK(world.reader.try_read(0, &word, sizeof(word), 0,
					    IOMMUKIT_TEST_IOTLB_ATOMIC) ==
		      Errno{EDEADLK});
	}
	CHECK(log.lines() <= 1);
	CHECK(world.channel.quiet());
	CHECK(world.reader.translate(0, 1).error == ok);
}

TEST_CASE("looking without waiting may be done anywhere")
{
	const IotlbWorld world;

	world.iotlb.update(0, page_size, target);
	for (const std::uint32_t how : std::initializer_list<std::uint32_t>{
		     IOMMUKIT_TEST_IOTLB_ATOMIC, IOMMUKIT_TEST_IOTLB_TIMER,
		     IOMMUKIT_TEST_IOTLB_MUTEX,
		     IOMMUKIT_TEST_IOTLB_MUTEX | IOMMUKIT_TEST_IOTLB_ATOMIC}) {
		const Reader reader(world.client);
		const Look look{.how = how};

		CHECK(reader.probe(0, 8, perm_read, look).error == ok);
		CHECK(leads(reader.nowait(0, 8, perm_read, look), 0, 8, target));
		CHECK(reader.nowait(page_size, 1, perm_read, look).error ==
		      Errno{EAGAIN});
		const IotlbMessage miss = world.channel.next();
		CHECK(miss.iova == page_size);
		world.channel.send(denial_of(miss, EIO));
		CHECK(reader.resumed() == 1);
		CHECK(reader.nowait(page_size, 1, perm_read, look).error == Errno{EIO});
	}
}

TEST_CASE("a lock of the driver is its own affair, if nobody needs it")
{
	need_plain_kernel();
	const IotlbWorld world;
	const Server server(world.channel, serve_pages(world.channel, target));

	CHECK(world.reader.translate(0, 1, perm_read, {.how = IOMMUKIT_TEST_IOTLB_MUTEX})
		      .error == ok);
}

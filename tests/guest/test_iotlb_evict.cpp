// SPDX-License-Identifier: GPL-2.0-only
/* What an IOTLB forgets when it is full, and what that means to readers. */
#include "iotlb_world.h"

using namespace guest;

namespace {

constexpr std::uint64_t target = IotlbWorld::target;
constexpr std::uint64_t capacity = 16;
constexpr std::uint16_t pinned = IOMMUKIT_IOTLB_MSG_PINNED;
constexpr std::uint16_t prefetch = IOMMUKIT_IOTLB_MSG_PREFETCH;

struct Small : IotlbWorld {
	explicit Small(std::uint32_t policy)
		: IotlbWorld(0, [policy](auto &how) {
			  how.max_entries = capacity;
			  how.evict_policy = policy;
		  })
	{
	}

	static std::uint64_t page(std::uint64_t n) { return n * page_size; }
	void add(std::uint64_t n, std::uint16_t flags = 0) const
	{
		iotlb.update(page(n), page_size, target, perm_rw, flags);
	}
	bool has(std::uint64_t n) const { return iotlb.holds(page(n)); }
	std::uint64_t entries() const { return iotlb.stat(IOMMUKIT_IOTLB_STAT_ENTRIES); }
	/* So often that not all of it is found in the reader's cache. */
	void touch(std::uint64_t n) const
	{
		Loop loop{.iova = page(n), .count = 1100};

		REQUIRE(reader.try_loop(loop) == ok);
	}
};

} // namespace

TEST_CASE("what is used is kept, what nobody has asked for is not")
{
	const Small world(IOMMUKIT_IOTLB_EVICT_CLOCK);

	world.add(0);
	for (std::uint64_t n = 1; n < capacity; n++)
		world.add(n, prefetch);
	for (std::uint64_t n = capacity; n < 6 * capacity; n++) {
		iommukit_iotlb_entry entry{};

		world.touch(0);
		REQUIRE(world.iotlb.try_query(0, &entry) == ok);
		CHECK((entry.flags & IOMMUKIT_IOTLB_ENTRY_REFERENCED));
		world.add(n, prefetch);
		REQUIRE(world.has(0));
		REQUIRE(world.has(n));
		REQUIRE(world.entries() == capacity);
	}
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_EVICTIONS) == 5 * capacity);
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_MAX_ENTRIES) == capacity);
}

TEST_CASE("of what was asked for, something is forgotten as well")
{
	const Small world(IOMMUKIT_IOTLB_EVICT_CLOCK);

	for (std::uint64_t n = 0; n < 10 * capacity; n++) {
		world.add(n);
		REQUIRE(world.has(n));
	}
	CHECK(world.entries() == capacity);
}

TEST_CASE("first in, first out")
{
	const Small world(IOMMUKIT_IOTLB_EVICT_FIFO);

	for (std::uint64_t n = 0; n < capacity; n++)
		world.add(n);
	for (std::uint64_t n = capacity; n < 4 * capacity; n++) {
		/* Use does not help. */
		world.touch(n - capacity);
		world.add(n);
		REQUIRE_FALSE(world.has(n - capacity));
		REQUIRE(world.has(n - capacity + 1));
		REQUIRE(world.has(n));
	}
}

TEST_CASE("nothing is forgotten")
{
	const Small world(IOMMUKIT_IOTLB_EVICT_NONE);

	for (std::uint64_t n = 0; n < capacity; n++)
		world.add(n);
	const auto before = world.iotlb.dump();
	CHECK(world.iotlb.try_submit(update_of(world.page(99), 1, 0)) == Errno{ENOSPC});
	CHECK(world.channel.try_send(update_of(world.page(99), 1, 0)) == Errno{ENOSPC});
	CHECK(world.iotlb.dump() == before);
	/* What replaces an entry needs no room, what cuts one in two does. */
	CHECK(world.iotlb.try_submit(update_of(world.page(3), page_size, 0)) == ok);
	CHECK(world.iotlb.try_submit(update_of(world.page(4) + 8, 8, 0)) ==
	      Errno{ENOSPC});
	CHECK(world.has(4));
	world.iotlb.invalidate(world.page(5), page_size);
	CHECK(world.iotlb.try_submit(update_of(world.page(99), 1, 0)) == ok);
}

TEST_CASE("what is pinned is never forgotten")
{
	for (const std::uint32_t policy :
	     {IOMMUKIT_IOTLB_EVICT_CLOCK, IOMMUKIT_IOTLB_EVICT_FIFO}) {
		const Small world(policy);

		for (std::uint64_t n = 0; n < capacity - 2; n++)
			world.add(n, pinned);
		for (std::uint64_t n = 0; n < 3 * capacity; n++)
			world.add(100 + n);
		for (std::uint64_t n = 0; n < capacity - 2; n++)
			CHECK(world.has(n));
		CHECK(world.entries() == capacity);
		world.add(capacity - 2, pinned);
		world.add(capacity - 1, pinned);
		CHECK(world.entries() == capacity);
		CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_PINNED) == capacity);
		CHECK(world.iotlb.try_submit(update_of(world.page(200), 1, 0)) ==
		      Errno{ENOSPC});
		CHECK(world.iotlb.try_submit(update_of(world.page(200), 1, 0, perm_rw,
						       pinned)) == Errno{ENOSPC});
	}
}

TEST_CASE("an entry that falls into many pieces")
{
	for (const std::uint32_t policy :
	     {IOMMUKIT_IOTLB_EVICT_CLOCK, IOMMUKIT_IOTLB_EVICT_FIFO,
	      IOMMUKIT_IOTLB_EVICT_NONE}) {
		const Small world(policy);

		world.iotlb.update(0, 1 << 20, target);
		for (std::uint64_t n = 1; n < 256; n += 2) {
			REQUIRE(world.channel.try_send(
					invalidate_of(world.page(n), page_size)) == ok);
			REQUIRE(world.entries() <= capacity);
			/* A piece may be lost, but not be where it was removed. */
			REQUIRE_FALSE(world.has(n));
			REQUIRE(world.reader.probe(world.page(n), 1).error ==
				Errno{EAGAIN});
		}
		for (const IotlbEntry &entry : world.iotlb.dump())
			CHECK(entry.target == target + entry.first);
	}
}

TEST_CASE("what was forgotten may be used until it is invalidated, no longer")
{
	const Small world(IOMMUKIT_IOTLB_EVICT_FIFO);

	world.add(0);
	CHECK(world.reader.translate(0, 8).error == ok);
	for (std::uint64_t n = 1; n <= capacity; n++)
		world.add(n);
	REQUIRE_FALSE(world.has(0));
	/* There is nothing, but somebody may have kept it. */
	world.channel.send(invalidate_of(0, page_size));
	CHECK(world.reader.probe(0, 8).error == Errno{EAGAIN});
	CHECK(world.client.stats().out_invalidates == 1);
}

TEST_CASE("the server gets its entries when it comes, and loses them when it goes")
{
	for (const std::uint32_t flags :
	     {0U, std::uint32_t(IOMMUKIT_IOTLB_KEEP_ON_CLOSE)}) {
		IotlbWorld world(0, [flags](auto &how) { how.flags = flags; });

		world.iotlb.update(0, page_size, target);
		world.iotlb.update(page_size, page_size, target, perm_rw, pinned);
		CHECK(world.reader.translate(0, 2 * page_size).error == ok);
		world.iotlb.channel.close();
		CHECK(wait_until([&] { return world.client.stats().out_downs == 1; }));
		CHECK(world.iotlb.holds(0) == (flags != 0));
		CHECK(world.iotlb.holds(page_size));
		CHECK(world.reader.probe(0, 1).error == (flags ? ok : Errno{EAGAIN}));
		CHECK(world.reader.probe(page_size, 1).error == ok);
		CHECK(world.reader.translate(5 * page_size, 1).error == Errno{EPIPE});
		CHECK(world.reader.nowait(5 * page_size, 1).error == Errno{EPIPE});
		world.iotlb.open();
		CHECK(wait_until([&] { return world.client.stats().out_ups == 1; }));
		CHECK(world.reader.nowait(5 * page_size, 1).error == Errno{EAGAIN});
	}
}

TEST_CASE("what the next server tells does not go with the last one")
{
	IotlbWorld world;
	const unsigned int rounds = 200 / slowness() + 5;

	for (unsigned int round = 1; round <= rounds; round++) {
		world.iotlb.channel.close();
		world.iotlb.open();
		world.channel.configure();
		REQUIRE(world.channel.try_send(update_of(0, page_size, target)) == ok);
		REQUIRE(wait_until(
			[&] { return world.client.stats().out_downs == round; }));
		REQUIRE(wait_until(
			[&] { return world.client.stats().out_ups == round; }));
		REQUIRE(world.iotlb.holds(0));
		REQUIRE(world.reader.probe(0, 1).error == ok);
	}
}

TEST_CASE("a large IOTLB is flushed, again and again")
{
	const std::uint64_t entries = 20000 / slowness() + 100;
	const IotlbWorld world(0, [&](auto &how) {
		how.max_entries = static_cast<std::uint32_t>(entries);
	});
	std::vector<IotlbMessage> all;

	for (std::uint64_t n = 0; n < entries; n++)
		all.push_back(update_of(n * page_size, page_size, target));
	for (unsigned int round = 0; round < 8; round++) {
		REQUIRE(world.iotlb.submit(all).error == ok);
		CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_ENTRIES) == entries);
		CHECK(world.reader.probe((entries - 1) * page_size, 1).error == ok);
		/* Not all at once, but piece by piece, every other time. */
		for (std::uint64_t n = 0; round % 2 && n < entries; n += 2)
			REQUIRE(world.iotlb.try_submit(
					invalidate_of(n * page_size, page_size)) == ok);
		world.iotlb.flush();
		CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_ENTRIES) == 0);
		CHECK(world.iotlb.dump().empty());
	}
	CHECK(wait_until(
		[&] { return world.iotlb.stat(IOMMUKIT_IOTLB_STAT_DEFERRED) == 0; }));
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses that are attached to an IOTLB where others are attached to an IOAS: their
 * drivers know nothing of it.
 */
#include "access.h"
#include "engine.h"
#include "iotlb_world.h"

#include <algorithm>
#include <cstring>

using namespace guest;

namespace {

constexpr std::uint64_t target = IotlbWorld::target;
constexpr std::uint64_t area = 0x70000;

/* Pages from @area on lead to those of the memory, in reverse. */
struct World : IotlbWorld {
	World()
	{
		for (std::uint64_t n = 0; n < pages; n++)
			iotlb.update(area + n * page_size, page_size,
				     target + (pages - 1 - n) * page_size);
	}
	std::vector<std::byte> page(std::uint64_t n) const
	{
		const std::byte *from = at((pages - 1 - n) * page_size);

		return {from, from + page_size};
	}
	/* How often is what is behind a page pinned? */
	Errno refs(std::uint64_t n, std::uint32_t times) const
	{
		return check_refs(context, memory.va() + (pages - 1 - n) * page_size,
				  page_size, times);
	}
	void check_unpinned() const { CHECK(check_refs(context, memory, 0) == ok); }
};

} // namespace

/* ---- copies ---- */

TEST_CASE("an access copies through an IOTLB")
{
	const World world;
	const Access access(world.context, world.iotlb.id(), 0);
	std::vector<std::byte> expected, buffer(3 * page_size, std::byte(5));

	for (const std::uint64_t n : {2, 3, 4}) {
		const auto page = world.page(n);

		expected.insert(expected.end(), page.begin(), page.end());
	}
	CHECK(access.read(area + 2 * page_size, 3 * page_size) == expected);
	CHECK(access.read(area + 2 * page_size + 100, 1000) ==
	      std::vector<std::byte>(expected.begin() + 100, expected.begin() + 1100));
	REQUIRE(access.try_write(area + 6 * page_size + 8, buffer.data(),
				 2 * page_size) == ok);
	CHECK(access.read(area + 6 * page_size + 8, 2 * page_size) ==
	      std::vector<std::byte>(2 * page_size, std::byte(5)));
	CHECK(world.page(8)[7] == std::byte(5));
	CHECK(world.page(8)[8] == pattern(1, (world.pages - 9) * page_size + 8));
	CHECK(access.rw_raw(area, buffer.data(), 16, rw_kthread, From::kthread) == ok);
	CHECK(std::equal(buffer.begin(), buffer.begin() + 16, world.page(0).begin()));
}

TEST_CASE("an access waits for what the IOTLB does not know")
{
	const IotlbWorld world;
	const Access access(world.context, world.iotlb.id());
	const Server server(world.channel, [&](const IotlbMessage &miss) {
		const std::uint64_t page = miss.iova & ~(page_size - 1);

		(void)world.channel.try_send(
			answer_to(miss, page, page_size, target + page - area));
	});

	CHECK(access.read(area + 5, 3 * page_size) == pattern_of(1, 5, 3 * page_size));
	CHECK(server.served() == 4);
	const std::uint32_t item =
		access.pin(area + 6 * page_size, 2 * page_size, pin_write,
			   world.memory.va() + 6 * page_size);
	CHECK(server.served() == 6);
	CHECK(access.try_unpin(item) == ok);
}

TEST_CASE("errors of an access that copies through an IOTLB")
{
	const IotlbWorld world(IOMMUKIT_IOTLB_CHAN_NEGATIVE, [](auto &how) {
		how.num_asids = 2;
		how.iova_last = 0xffffff;
		how.miss_timeout_ms = 20;
	});
	const Access access(world.context, world.iotlb.id());
	char byte = 0;
	const auto both = [&](std::uint64_t iova, int error) {
		INFO(std::hex << iova);
		CHECK(access.try_read(iova, &byte, 1) == Errno{error});
		CHECK(access.try_pin(iova & ~(page_size - 1), page_size) == Errno{error});
	};

	world.iotlb.update(area, page_size, target, perm_read);
	world.iotlb.update(area + page_size, page_size, 0x7777000);
	world.channel.send(update_of(area + 2 * page_size, page_size, 0, 0,
				     IOMMUKIT_IOTLB_MSG_NEGATIVE));
	/* Its address space is the first. */
	world.iotlb.submit(update_of(area + 3 * page_size, page_size, target), 1);
	both(area, 0);
	CHECK(access.try_write(area, &byte, 1) == Errno{EPERM});
	CHECK(access.try_pin(area, page_size, pin_write) == Errno{EPERM});
	both(area + page_size, ENOENT);
	both(area + 2 * page_size, EFAULT);
	both(area + 3 * page_size, ETIMEDOUT);
	both(0x1000000, EFAULT);
	CHECK(access.try_read(all_ones, &byte, 2) == Errno{EOVERFLOW});
	CHECK(access.try_pin(area, 0) == Errno{EINVAL});
	CHECK(access.try_pin(all_ones, 2) == Errno{EOVERFLOW});
	/* No more than what there was before. */
	world.context.unmap_all(world.ioas);
	both(area, ENOENT);
	const_cast<Iotlb &>(world.iotlb).channel.close();
	both(area + 4 * page_size, EPIPE);
	CHECK(access.callbacks().items == 0);
}

TEST_CASE("denials reach an access as they are")
{
	const IotlbWorld world;
	const Access access(world.context, world.iotlb.id());
	int status = 0;
	const Server server(world.channel, [&](const IotlbMessage &miss) {
		(void)world.channel.try_send(denial_of(miss, status));
	});
	char byte = 0;

	for (const int error : {EPERM, ENOENT, EIO, EFAULT}) {
		status = error;
		CHECK(access.try_read(area, &byte, 1) == Errno{error});
		CHECK(access.try_pin(area, page_size) == Errno{error});
	}
}

/* ---- pins ---- */

TEST_CASE("an access pins through an IOTLB")
{
	const World world;
	const Access access(world.context, world.iotlb.id());
	std::uint32_t item = no_item;

	/* One page at a time can be compared, for they are in reverse. */
	for (const std::uint64_t n : {0UL, 5UL, World::pages - 1}) {
		item = access.pin(area + n * page_size, page_size, pin_write,
				  world.memory.va() + (World::pages - 1 - n) * page_size);
		CHECK(world.refs(n, 1) == ok);
		CHECK(access.try_unpin(item) == ok);
		CHECK(world.refs(n, 0) == ok);
	}
	item = access.pin(area + 2 * page_size, 4 * page_size);
	for (std::uint64_t n = 0; n < 8; n++)
		CHECK(world.refs(n, n >= 2 && n < 6) == ok);
	CHECK(access.try_unpin(item) == ok);
	world.check_unpinned();
	/* A range that goes on where the IOTLB knows nothing leaves nothing behind. */
	world.iotlb.invalidate(area + 3 * page_size, page_size);
	auto pinning = in_background(
		[&] { return access.try_pin(area + 2 * page_size, 2 * page_size); });
	const IotlbMessage miss = world.channel.next();
	CHECK(miss.iova == area + 3 * page_size);
	world.channel.send(denial_of(miss, EIO));
	CHECK(pinning.get() == Errno{EIO});
	world.check_unpinned();
}

TEST_CASE("pins of what is not aligned behind the IOTLB")
{
	const IotlbWorld world;
	const Access access(world.context, world.iotlb.id());

	world.iotlb.update(area, page_size, target + 0x800);
	CHECK(access.try_pin(area, page_size) != ok);
	/* Pages of one half each are no pages. */
	world.iotlb.flush();
	world.iotlb.update(area, page_size / 2, target);
	world.iotlb.update(area + page_size / 2, page_size / 2, target + 4 * page_size);
	CHECK(access.try_pin(area, page_size) != ok);
	CHECK(check_refs(world.context, world.memory, 0) == ok);
	std::vector<std::byte> buffer(page_size);
	CHECK(access.try_read(area, buffer.data(), page_size) == ok);
	CHECK(std::memcmp(buffer.data(), world.at(0), page_size / 2) == 0);
	CHECK(std::memcmp(&buffer[page_size / 2], world.at(4 * page_size),
			  page_size / 2) == 0);
}

TEST_CASE("an invalidation is an unmap")
{
	const World world;
	const Access access(world.context, world.iotlb.id()),
		other(world.context, world.iotlb.id());
	constexpr std::uint64_t pinned = area + 4 * page_size, length = 2 * page_size;

	access.pin(pinned, length);
	SECTION("of what is pinned")
	{
		world.iotlb.invalidate(pinned, length);
		CHECK(access.callbacks().iova == pinned);
		CHECK(access.callbacks().length == length);
	}
	SECTION("of a part of it, by the server")
	{
		CHECK(world.channel.try_send(invalidate_of(pinned + page_size, 1)) == ok);
	}
	SECTION("of everything")
	{
		CHECK(world.channel.try_send(message_of(IOMMUKIT_IOTLB_OP_FLUSH)) == ok);
	}
	SECTION("when it leads elsewhere")
	{
		world.iotlb.update(pinned, page_size, target);
	}
	SECTION("when it may not be written any more")
	{
		world.iotlb.update(pinned, page_size,
				   target + (World::pages - 5) * page_size, perm_read);
	}
	SECTION("when the server has gone")
	{
		const_cast<Iotlb &>(world.iotlb).channel.close();
		CHECK(wait_until([&] { return access.callbacks().items == 0; }));
	}
	CHECK(access.callbacks().calls >= 1);
	CHECK(access.callbacks().items == 0);
	CHECK(other.callbacks().calls == 0);
	world.check_unpinned();
}

TEST_CASE("invalidations of what an access has not pinned are nothing to it")
{
	const World world;
	const Access access(world.context, world.iotlb.id());
	constexpr std::uint64_t pinned = area + 4 * page_size;

	access.pin(pinned, page_size);
	world.iotlb.invalidate(area, 4 * page_size);
	world.iotlb.invalidate(pinned + page_size, 0x100000);
	CHECK(access.callbacks().calls == 0);
	CHECK(world.refs(4, 1) == ok);
}

TEST_CASE("an unmap of the IOAS is one of the IOTLB's addresses")
{
	const World world;
	const Access access(world.context, world.iotlb.id()),
		direct(world.context, world.ioas);
	constexpr std::uint64_t pinned = area + 4 * page_size;

	access.pin(pinned, 2 * page_size);
	direct.pin(target, page_size);
	CHECK(world.context.unmap_all(world.ioas) == world.memory.size());
	CHECK(access.callbacks().items == 0);
	CHECK(access.callbacks().iova >= area);
	CHECK(access.callbacks().iova <= pinned + page_size);
	CHECK(direct.callbacks().iova == target);
	CHECK(direct.callbacks().items == 0);
	world.check_unpinned();
	/* The IOTLB is as it was. */
	CHECK(world.iotlb.dump().size() == World::pages);
	world.context.map(world.ioas, world.memory, target);
	CHECK(access.try_pin(pinned, page_size) == ok);
}

TEST_CASE("who waits for the IOTLB does not keep others from invalidating")
{
	const World world;
	const Access access(world.context, world.iotlb.id());
	constexpr std::uint64_t unknown = area + 100 * page_size;
	std::uint64_t word = 0;

	access.pin(area, page_size);
	/* The driver holds its lock over the pin, and its callback needs it. */
	auto waiting = in_background([&] { return access.try_pin(unknown, page_size); });
	const IotlbMessage miss = world.channel.next();
	CHECK(miss.iova == unknown);
	SECTION("what is pinned")
	{
		world.iotlb.invalidate(area, page_size);
	}
	SECTION("what is behind it")
	{
		CHECK(world.context.unmap_all(world.ioas) == world.memory.size());
	}
	CHECK(waiting.get() == Errno{EAGAIN});
	CHECK(access.callbacks().items == 0);
	/* It just tries again. */
	world.channel.send(answer_to(miss, unknown, page_size, target));
	CHECK(access.try_read(unknown, &word, sizeof(word)) != Errno{EAGAIN});
}

TEST_CASE("a copy that waits gives way, too")
{
	const World world;
	const Access access(world.context, world.iotlb.id());
	constexpr std::uint64_t unknown = area + 100 * page_size;
	std::uint64_t word = 0;

	access.pin(area, page_size);
	auto waiting = in_background(
		[&] { return access.try_read(unknown, &word, sizeof(word)); });
	CHECK(world.channel.next().iova == unknown);
	/* It ends while the callback runs, however short that is on other machines. */
	access.set_delay(300 * slowness());
	world.iotlb.invalidate(area, page_size);
	CHECK(waiting.get() == Errno{EAGAIN});
	CHECK(access.callbacks().items == 0);
}

/* ---- coming and going ---- */

TEST_CASE("an access moves between an IOAS and an IOTLB")
{
	const World world;
	const Access access(world.context, world.ioas);
	const auto reads = [&](std::uint64_t iova) {
		char byte = 0;

		return access.try_read(iova, &byte, 1);
	};

	CHECK(reads(target) == ok);
	access.pin(target, page_size);
	REQUIRE(access.try_replace(world.iotlb.id()) == ok);
	CHECK(access.callbacks().items == 0);
	CHECK(reads(area) == ok);
	CHECK(world.context.try_destroy(world.iotlb.id()) == Errno{EBUSY});
	access.pin(area, page_size);
	REQUIRE(access.try_replace(world.ioas) == ok);
	CHECK(access.callbacks().items == 0);
	CHECK(reads(target) == ok);
	CHECK(reads(area) == Errno{ENOENT});
	world.check_unpinned();
	/* And to another IOTLB, and away. */
	const Iotlb other(world.context, world.ioas);
	REQUIRE(access.try_replace(world.iotlb.id()) == ok);
	REQUIRE(access.try_replace(other.id()) == ok);
	other.update(0, page_size, target);
	CHECK(reads(0) == ok);
	access.detach();
	CHECK(reads(0) == Errno{ENOENT});
	CHECK(access.try_attach(world.iotlb.id()) == ok);
	CHECK(reads(area) == ok);
	CHECK(world.context.try_destroy(other.id()) == ok);
}

TEST_CASE("what an access cannot be attached to")
{
	const Context context;
	const Memory memory(4 * page_size);
	const std::uint32_t ioas = context.ioas();
	const Iotlb user(context, iotlb_alloc(0, IOMMUKIT_IOTLB_TARGET_UVA)),
		iotlb(context, ioas);
	const Access copies = Access::extended(context, ioas, 0),
		     pins = Access::extended(context, 0, access_pins);
	Fd access;

	memory.fill(1);
	context.map(ioas, memory, target);
	CHECK(pins.try_attach(user.id()) == Errno{EOPNOTSUPP});
	CHECK(Access::attempt(context, user.id(), access_pins, &access) ==
	      Errno{EOPNOTSUPP});
	REQUIRE(pins.try_attach(ioas) == ok);
	CHECK(pins.try_pin(target, page_size) == ok);
	CHECK(pins.try_replace(user.id()) == Errno{EOPNOTSUPP});
	/* It is where it was. */
	CHECK(pins.try_pin(target, page_size) == ok);
	CHECK(pins.try_replace(0) == Errno{ENOENT});
	/* One that only copies can. */
	REQUIRE(copies.try_replace(user.id()) == ok);
	user.update(area, memory.size(), memory.va());
	CHECK(copies.read(area + 100, 2 * page_size) ==
	      pattern_of(1, 100, 2 * page_size));
	const char byte = 7;
	CHECK(copies.try_write(area, &byte, 1) == ok);
	CHECK(memory.data()[0] == std::byte(7));
	CHECK(context.try_destroy(user.id()) == Errno{EBUSY});
	copies.detach();
	CHECK(context.try_destroy(user.id()) == ok);
	CHECK(context.try_destroy(iotlb.id()) == ok);
}

TEST_CASE("an access that is detached does not wait for the IOTLB")
{
	/* Longer than anything here: only the change can end the wait. */
	const IotlbWorld world(0,
			       [](auto &how) { how.miss_timeout_ms = 30 * 60 * 1000; });
	const Access access(world.context, world.iotlb.id());
	char byte = 0;
	auto waiting = in_background([&] { return access.try_read(area, &byte, 1); });
	const IotlbMessage miss = world.channel.next();

	CHECK(miss.iova == area);
	auto leaving = in_background([&] { return access.try_detach(); });
	const bool left = wait_until([&] { return leaving.finished(); });
	/* If it does not, this does, so that there is an end. */
	world.channel.send(denial_of(miss, EIO));
	CHECK(left);
	CHECK(waiting.get() == Errno{ECANCELED});
	CHECK(leaving.get() == ok);
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_PENDING) == 0);
}

/* ---- a driver that knows nothing of all that ---- */

TEST_CASE("the DMA engine works through an IOTLB")
{
	const World world;
	const Server server(world.channel, serve_pages(world.channel, target - 0x100000));
	const Memory buffer(4 * page_size);

	for (const std::uint32_t flags :
	     {0U, dma_pin, dma_kthread, dma_pin | dma_kthread}) {
		const Engine engine(world.context, world.iotlb.id());
		auto cmd = dma_transfer(IOMMUKIT_DMA_OP_COPY, area, area + 8 * page_size,
					4 * page_size, flags);

		INFO("flags " << flags);
		world.memory.fill(flags + 2);
		REQUIRE(engine.try_transfer(cmd) == ok);
		for (std::uint64_t n = 0; n < 4; n++)
			CHECK(world.page(8 + n) == world.page(n));
		if (flags & dma_kthread)
			continue;
		/* What is not known is asked for, and found. */
		cmd = dma_transfer(IOMMUKIT_DMA_OP_READ, 0x100000, 0, 4 * page_size,
				   flags);
		cmd.user_va = buffer.va();
		REQUIRE(engine.try_transfer(cmd) == ok);
		CHECK(std::memcmp(buffer.data(), world.at(0), buffer.size()) == 0);
		CHECK(engine.status().out_pinned_pages == 0);
		world.iotlb.invalidate(0x100000, 4 * page_size);
	}
	world.check_unpinned();
}

TEST_CASE("an invalidation stops a job of the DMA engine")
{
	const World world;
	const Engine engine(world.context, world.iotlb.id());

	engine.start(dma_job(IOMMUKIT_DMA_OP_FILL, 0, area + 2 * page_size, page_size,
			     dma_pin));
	engine.await_passes(2);
	CHECK(world.refs(2, 1) == ok);
	world.iotlb.invalidate(area, page_size);
	CHECK(engine.status().out_state == IOMMUKIT_DMA_RUNNING);
	CHECK(world.channel.try_send(invalidate_of(area + 2 * page_size, 8)) == ok);
	CHECK(world.refs(2, 0) == ok);
	CHECK(engine.await_end() == IOMMUKIT_DMA_REVOKED);
	world.check_unpinned();
}

// SPDX-License-Identifier: GPL-2.0-only
/* IOTLBs whose server, owner or device ends, all at once or one by one. */
#include "iotlb_ring.h"
#include "iotlb_world.h"
#include "late_page.h"
#include "modules.h"
#include "process.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <optional>

using namespace guest;

namespace {

constexpr std::uint64_t target = IotlbWorld::target;
constexpr auto pending = IOMMUKIT_IOTLB_STAT_PENDING;

} // namespace

/* ---- servers ---- */

TEST_CASE("a server in another process is killed")
{
	IotlbWorld world;

	for (const bool with_ring : {false, true}) {
		Child server([&](const Child::Steps &steps) {
			std::optional<IotlbRing> ring;

			world.channel.configure(0, with_ring ? 16 : 0);
			if (with_ring)
				ring.emplace(world.channel, 16);
			steps.meet();
			steps.meet();
			return 0;
		});

		server.await();
		world.iotlb.channel.close();
		auto waiting =
			in_background([&] { return world.reader.translate(0, 1); });
		CHECK(world.iotlb.await(pending, 1));
		CHECK_FALSE(waiting.finished());
		server.kill();
		CHECK(server.join() == deadly_signal + SIGKILL);
		CHECK(waiting.get().error == Errno{EPIPE});
		world.iotlb.open();
	}
}

TEST_CASE("a child of the server has the channel as well")
{
	IotlbWorld world(0, [](auto &how) { how.miss_timeout_ms = 20; });
	Child heir([&](const Child::Steps &steps) {
		steps.meet();
		return 0;
	});

	heir.await();
	/* The server ends, but nobody can tell. */
	world.iotlb.channel.close();
	CHECK(world.reader.translate(0, 1).error == Errno{ETIMEDOUT});
	heir.resume();
	CHECK(heir.join() == 0);
	CHECK(world.reader.translate(0, 1).error == Errno{EPIPE});
}

TEST_CASE("a process that is killed was server, owner and device in one")
{
	for (const std::uint32_t behaviour :
	     {0U, std::uint32_t(IOMMUKIT_TEST_IOTLB_NO_CANCEL)}) {
		/* The kernel closes in the order of descriptors. */
		for (const bool device_first : {true, false}) {
			Child process([&](const Child::Steps &steps) {
				IotlbWorld world(0, [](auto &how) {
					how.miss_timeout_ms = IOMMUKIT_IOTLB_NO_TIMEOUT;
				});
				const Reader thread(world.client, reader_thread);
				const int channel = world.channel.fd();
				Fd moved;

				world.client.behave(behaviour);
				if (device_first) {
					moved.reset(fcntl(channel, F_DUPFD_CLOEXEC, 200));
					world.iotlb.channel.close();
				}
				if (thread.begin(0, 1) != ok ||
				    !world.iotlb.await(pending, 1))
					return 1;
				steps.meet();
				return 2;
			});

			INFO("behaviour " << behaviour << ", device first "
					  << device_first);
			process.await();
			process.kill();
			CHECK(process.join() == deadly_signal + SIGKILL);
		}
	}
}

TEST_CASE("a device inside of its gate waits for a page of a server that ends")
{
	need_late_pages();
	Child process([&](const Child::Steps &steps) {
		const Context context;
		const LatePage late;
		const std::uint32_t ioas = context.ioas();
		const Iotlb iotlb(context, ioas);
		const IotlbClient client(context, iotlb.id());
		const Reader thread(client, reader_thread);

		iotlb.channel.configure();
		context.map(ioas, late.page(), target);
		iotlb.update(0, page_size, target);
		if (thread.begin_read(0, 8) != ok || !late.await_touch())
			return 1;
		/* This waits for the device, and is to be ended as well. */
		auto invalidating = in_background(
			[&] { return iotlb.channel.try_send(invalidate_of(0, 1)); });
		if (!invalidating.sleeps())
			return 2;
		steps.meet();
		return 3;
	});

	process.await();
	process.kill();
	CHECK(process.join() == deadly_signal + SIGKILL);
}

TEST_CASE("a device elsewhere waits for a page of a server that ends")
{
	need_late_pages();
	const Context context;
	const Shared<int> number;
	Child owner([&](const Child::Steps &steps) {
		const Context own;
		const LatePage late;
		const std::uint32_t ioas = own.ioas();
		const Iotlb iotlb(own, ioas);
		const IotlbClient client(own, iotlb.id());

		own.map(ioas, late.page(), target);
		iotlb.update(0, page_size, target);
		*number = client.fd();
		steps.meet();
		if (!late.await_touch())
			return 1;
		steps.meet();
		return 2;
	});

	owner.await();
	const IotlbClient client(context, descriptor_of(owner.pid(), *number));
	const Reader reader(client);
	std::uint64_t word = 0;
	auto reading =
		in_background([&] { return reader.try_read(0, &word, sizeof(word)); });
	owner.resume();
	owner.await();
	CHECK_FALSE(reading.finished());
	owner.kill();
	CHECK(owner.join() == deadly_signal + SIGKILL);
	/* The page is empty, or gone. */
	const Errno error = reading.get();
	CHECK((error == ok || error == Errno{EFAULT}));
	/* And with the server went what it had told. */
	CHECK(wait_until([&] { return client.stats().out_downs == 1; }));
	CHECK(reader.probe(0, 1).error == Errno{EAGAIN});
}

/* ---- memory that comes late ---- */

TEST_CASE("a read into a page that comes late blocks nobody else")
{
	need_late_pages();
	const IotlbWorld world;
	const LatePage late;
	const Reader other(world.client);
	IotlbMessage message;

	CHECK(world.reader.nowait(0, 1).error == Errno{EAGAIN});
	auto reading = in_background([&] {
		return world.channel.try_read(late.page().data(), sizeof(IotlbMessage));
	});
	const bool touched = late.await_touch();
	/* Whatever happens to the first miss meanwhile is fine. */
	CHECK(other.nowait(page_size, 1).error == Errno{EAGAIN});
	CHECK(world.channel.try_next(&message) == ok);
	CHECK(world.channel.try_send(update_of(0, 2 * page_size, target)) == ok);
	CHECK(world.reader.resumed() == 1);
	CHECK(other.resumed() == 1);
	CHECK(world.channel.try_send(invalidate_of(0, 0)) == ok);
	CHECK_FALSE(reading.finished());
	late.release();
	CHECK(touched);
	CHECK(reading.get() == ok);
}

TEST_CASE("data in a page that comes late blocks invalidations, which can be killed")
{
	need_late_pages();
	const Context context;
	const LatePage late;
	const std::uint32_t ioas = context.ioas();
	const Iotlb iotlb(context, ioas);
	const IotlbClient client(context, iotlb.id());
	const Reader reader(client), other(client);
	std::uint64_t word = 1;

	context.map(ioas, late.page(), target);
	iotlb.update(0, page_size, target);
	auto reading = in_background([&] { return reader.try_read(0, &word, 8); });
	CHECK(late.await_touch());
	/* Lookups go on. */
	CHECK(other.translate(0, 1).error == ok);
	Child invalidating([&](const Child::Steps &) {
		return iotlb.try_submit(invalidate_of(0, page_size)).value;
	});
	CHECK(iotlb.await(IOMMUKIT_IOTLB_STAT_INVALIDATIONS, 1));
	invalidating.kill();
	CHECK(invalidating.join() == deadly_signal + SIGKILL);
	CHECK_FALSE(iotlb.holds(0));
	CHECK(client.stats().out_invalidates == 0);
	late.release();
	CHECK(reading.get() == ok);
	CHECK(word == 0);
	/* It is completed by somebody else. */
	CHECK(wait_until([&] { return client.stats().out_invalidates == 1; }));
}

/* ---- the module ---- */

TEST_CASE("the modules go right after a lot was forgotten")
{
	const Modules modules;

	{
		const IotlbWorld world;
		const Server server(world.channel, serve_pages(world.channel, target));

		for (std::uint64_t n = 0; n < 2000 / slowness() + 10; n++) {
			REQUIRE(world.reader.translate(n * page_size, 1).error == ok);
			if (n % 16 == 0)
				REQUIRE(world.iotlb.try_submit(invalidate_of(0, 0)) ==
					ok);
		}
		world.iotlb.flush();
	}
	modules.unload_all();
	CHECK_FALSE(exists("/dev/iommukit"));
	modules.load_all();
	CHECK(exists("/dev/iommukit"));
	const Context context;
	const Iotlb iotlb(context, context.ioas());
	CHECK(iotlb.dump().empty());
}

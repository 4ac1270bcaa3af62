// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the netlink family tells without being asked, to one who listens, to one who does
 * not read, and when there is no memory for it.
 */
#include "fault.h"
#include "iotlb_world.h"
#include "mm_tools.h"
#include "mock.h"
#include "netlink.h"
#include "ondemand.h"
#include "process.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <thread>

using namespace guest;

namespace {

constexpr std::uint8_t context_new = IOMMUKIT_NL_CMD_CONTEXT_NEW;
constexpr std::uint8_t context_del = IOMMUKIT_NL_CMD_CONTEXT_DEL;
constexpr std::uint8_t object_new = IOMMUKIT_NL_CMD_OBJECT_NEW;
constexpr std::uint8_t object_del = IOMMUKIT_NL_CMD_OBJECT_DEL;
constexpr std::uint64_t iova = OndemandWorld::iova;
constexpr int large_buffer = 8 << 20;

/* A socket that listens. */
struct Listener : Netlink {
	explicit Listener(int buffer = large_buffer) { listen(buffer); }

	/* Reads all there is; how many of a command, and whether some were lost. */
	struct Seen {
		unsigned int events = 0, losses = 0;
	};
	Seen drain(std::uint8_t command) const
	{
		NetlinkMessage event;
		Seen seen;

		while (!quiet()) {
			const Errno error = try_next(&event);

			if (error == ok) {
				seen.events += event.command == command;
				continue;
			}
			REQUIRE(error == Errno{ENOBUFS});
			seen.losses++;
		}
		return seen;
	}
};

void check_object(const NetlinkMessage &event, std::uint32_t context, std::uint32_t id,
		  const char *type)
{
	CHECK(event.u32(IOMMUKIT_NL_A_OBJECT_CONTEXT_ID) == context);
	CHECK(event.u32(IOMMUKIT_NL_A_OBJECT_ID) == id);
	CHECK(event.text(IOMMUKIT_NL_A_OBJECT_TYPE) == type);
}

void check_mapping(const NetlinkMessage &event, std::uint32_t context, std::uint32_t ioas,
		   std::uint64_t length)
{
	CHECK(event.u32(IOMMUKIT_NL_A_OD_CONTEXT_ID) == context);
	CHECK(event.u32(IOMMUKIT_NL_A_OD_IOAS_ID) == ioas);
	CHECK(event.u64(IOMMUKIT_NL_A_OD_IOVA) == iova);
	CHECK(event.u64(IOMMUKIT_NL_A_OD_LENGTH) == length);
}

} // namespace

/* ---- what comes and goes ---- */

TEST_CASE("contexts and objects come and go")
{
	const Listener listener;
	std::uint32_t id, ioas;

	{
		const Context context;

		ioas = context.ioas();
		id = last_context(listener);
	}
	const NetlinkMessage came = listener.next(context_new);
	CHECK(came.u32(IOMMUKIT_NL_A_CONTEXT_ID) == id);
	CHECK(came.u32(IOMMUKIT_NL_A_CONTEXT_PID) == static_cast<unsigned>(getpid()));
	CHECK(came.u32(IOMMUKIT_NL_A_CONTEXT_UID) == 0);
	CHECK(came.text(IOMMUKIT_NL_A_CONTEXT_COMM).find("test-netlink-ev") == 0);
	check_object(listener.next(object_new), id, ioas, "ioas");
	check_object(listener.next(object_del), id, ioas, "ioas");
	CHECK(listener.next(context_del).u32(IOMMUKIT_NL_A_CONTEXT_ID) == id);
	CHECK(listener.quiet());
}

TEST_CASE("every way in which an object ends")
{
	const Listener listener;
	const Context context;
	const std::uint32_t ioas = context.ioas();
	std::uint32_t access_id = 0;
	std::map<std::uint32_t, std::string> there;
	NetlinkMessage event;

	{
		const Mock mock = make_mock(context, ioas);
		const Access access =
			Access::extended(context, ioas, access_pins, &access_id);
		/* The HWPT goes with the device. */
		context.destroy(mock.stdev);
	}
	context.destroy(ioas);
	while (!listener.quiet()) {
		REQUIRE(listener.try_next(&event) == ok);
		if (event.command != object_new && event.command != object_del)
			continue;
		const std::uint32_t id = event.u32(IOMMUKIT_NL_A_OBJECT_ID);
		const std::string type = event.text(IOMMUKIT_NL_A_OBJECT_TYPE);

		if (event.command == object_new) {
			CHECK(there.emplace(id, type).second);
		} else {
			CHECK(there[id] == type);
			there.erase(id);
		}
	}
	CHECK(there.empty());
}

TEST_CASE("nothing is told to those who do not listen")
{
	const Netlink netlink;
	const Context context;

	context.ioas();
	CHECK(netlink.quiet());
}

TEST_CASE("an event tells the truth about its number")
{
	constexpr unsigned int workers = 4;
	const unsigned int rounds = 2000 / slowness();
	const Listener listener;
	const Context context;
	std::atomic<bool> over = false;
	std::vector<std::thread> threads;
	std::map<std::uint32_t, bool> there;
	std::uint64_t wrong = 0, events = 0;
	NetlinkMessage event;

	/* They share the lowest numbers. */
	for (unsigned int i = 0; i < workers; i++)
		threads.emplace_back([&] {
			for (unsigned int n = 0; n < rounds; n++) {
				std::uint32_t id;

				if (context.try_ioas(&id) == ok)
					context.try_destroy(id);
			}
		});
	std::thread end([&] {
		for (std::thread &thread : threads)
			thread.join();
		over = true;
	});
	while (!over || !listener.quiet()) {
		if (listener.quiet())
			continue;
		const Errno error = listener.try_next(&event);
		if (error != ok)
			wrong++;
		if (error != ok ||
		    (event.command != object_new && event.command != object_del))
			continue;
		bool &is = there[event.u32(IOMMUKIT_NL_A_OBJECT_ID)];
		const bool came = event.command == object_new;

		wrong += is == came;
		is = came;
		events++;
	}
	end.join();
	CHECK(wrong == 0);
	CHECK(events == 2UL * workers * rounds);
}

/* ---- what is lost ---- */

TEST_CASE("a listener that does not read")
{
	constexpr unsigned int rounds = 3000;
	const Listener lazy(4096);
	const Listener reader;
	const Context context;
	const std::uint32_t id = last_context(reader);

	for (unsigned int i = 0; i < rounds; i++)
		context.destroy(context.ioas());
	const std::uint32_t ioas = context.ioas();
	/* Nobody else loses anything by it. */
	const Listener::Seen all = reader.drain(object_new);
	CHECK(all.events == rounds + 1);
	CHECK(all.losses == 0);
	const Listener::Seen some = lazy.drain(object_new);
	CHECK(some.losses == 1);
	CHECK(some.events < rounds);
	/* It asks for everything again, and hears of what follows. */
	const NetlinkAnswer answer =
		lazy.ask(NetlinkRequest(IOMMUKIT_NL_CMD_OBJECT_GET, netlink_dump)
				 .add(IOMMUKIT_NL_A_OBJECT_CONTEXT_ID, id));
	REQUIRE(answer.messages.size() == 1);
	CHECK(answer.messages[0].u32(IOMMUKIT_NL_A_OBJECT_ID) == ioas);
	context.destroy(ioas);
	check_object(lazy.next(object_del), id, ioas, "ioas");
}

TEST_CASE("fail-nth: an event for which there is no memory")
{
	const Injector injector(Source::core);
	const Listener listener;
	unsigned int lost = 0;

	REQUIRE(injector);
	for (unsigned int n = 1;; n++) {
		Fd device;

		REQUIRE(injector.arm(n));
		device.reset(open("/dev/iommukit", O_RDWR | O_CLOEXEC));
		const Errno error{device ? 0 : errno};
		const Injector::Outcome outcome = injector.disarm();
		const Listener::Seen seen = listener.drain(context_new);

		INFO("point " << n << " " << outcome.where);
		device.reset();
		if (!outcome.fired) {
			CHECK(seen.events == 1);
			break;
		}
		/* Either there is no context, or who listens knows that it missed one. */
		CHECK((error == ok || error == Errno{ENOMEM}));
		CHECK(seen.events == 0);
		CHECK(seen.losses == (error == ok ? 1 : 0));
		lost += seen.losses;
		const Listener::Seen end = listener.drain(context_del);
		CHECK(end.events == (error == ok ? 1 : 0));
	}
	CHECK(lost == 1);
}

TEST_CASE("fail-nth: an object that nobody hears of")
{
	const Injector injector(Source::core);
	const Listener listener;
	const Context context;
	unsigned int lost = 0;

	REQUIRE(injector);
	for (unsigned int n = 1;; n++) {
		std::uint32_t id = 0;

		listener.drain(object_new);
		REQUIRE(injector.arm(n));
		const Errno error = context.try_ioas(&id);
		const Injector::Outcome outcome = injector.disarm();
		const Listener::Seen seen = listener.drain(object_new);

		INFO("point " << n << " " << outcome.where);
		CHECK(seen.events == (outcome.fired ? 0 : 1));
		CHECK(seen.losses == (outcome.fired && error == ok ? 1 : 0));
		lost += seen.losses;
		if (error == ok)
			context.destroy(id);
		if (!outcome.fired)
			break;
	}
	CHECK(lost == 1);
}

/* ---- on-demand memory ---- */

TEST_CASE("the process of on-demand memory has gone")
{
	constexpr std::uint64_t size = 4 * page_size;
	const Listener listener;
	const Context context;
	const std::uint32_t id = last_context(listener), ioas = context.ioas();
	const bool killed = GENERATE(false, true);
	Child child([&](const Child::Steps &step) -> int {
		const Memory memory(size, Memory::Kind::private_anonymous);
		const Errno error =
			try_map_ondemand(context, ioas, memory.va(), size, iova);

		step.meet();
		/* Without its destructor */
		_exit(error.value);
	});

	child.await();
	CHECK(listener.drain(IOMMUKIT_NL_CMD_OD_MM_EXIT).events == 0);
	if (killed)
		child.kill();
	else
		child.resume();
	child.join();
	check_mapping(listener.next(IOMMUKIT_NL_CMD_OD_MM_EXIT), id, ioas, size);
	/* What has gone goes once, and its end is no event. */
	CHECK(context.unmap(ioas, iova, size) == size);
	context.destroy(ioas);
	check_object(listener.next(object_del), id, ioas, "ioas");
	CHECK(listener.drain(IOMMUKIT_NL_CMD_OD_MM_EXIT).events == 0);
}

TEST_CASE("a process that goes with its own context")
{
	constexpr std::uint64_t size = 4 * page_size;
	const Listener listener;
	const Shared<std::uint32_t> ioas;
	Child child([&](const Child::Steps &step) -> int {
		const Context context;
		const Memory memory(size, Memory::Kind::private_anonymous);

		*ioas = context.ioas();
		const Errno error =
			try_map_ondemand(context, *ioas, memory.va(), size, iova);
		step.meet();
		_exit(error.value);
	});

	child.await();
	const std::uint32_t id = contexts_of(listener, child.pid())[0];
	child.resume();
	CHECK(child.join() == 0);
	check_mapping(listener.next(IOMMUKIT_NL_CMD_OD_MM_EXIT), id, *ioas, size);
}

namespace {

/* Pages in a page table of a mock device that waits for them. */
struct AnomalyWorld : OndemandWorld {
	static constexpr std::uint64_t pages = 16;

	AnomalyWorld()
	{
		madvise(memory.data(), memory.size(), MADV_NOHUGEPAGE);
		memory.fill(1);
		map(memory.va(), memory.size(), map_rw_fixed, iova, 0);
		add_mock();
		copies_use_page_table();
		id = last_context(listener);
	}

	void add_mock()
	{
		mock = mock_create(context, ioas, {.flags = mock_faults});

		for (std::uint64_t page = 0; page < pages; page++)
			REQUIRE(try_mock_fault(context, mock, iova + page * page_size,
					       page_size, true) == ok);
	}
	void discard(std::uint64_t page) const
	{
		memory.discard(page * page_size, page_size);
	}

	Listener listener;
	Mock mock;
	Memory memory{pages * page_size, Memory::Kind::private_anonymous};
	std::uint32_t id;
};

} // namespace

TEST_CASE("a page table that lets go of more than asked")
{
	AnomalyWorld world;
	const UnmapHow more(world.context, IOMMUKIT_TEST_UNMAP_MORE);

	world.discard(5);
	const NetlinkMessage event =
		world.listener.next(IOMMUKIT_NL_CMD_OD_UNMAP_ANOMALY);
	check_mapping(event, world.id, world.ioas, world.memory.size());
	CHECK(event.u64(IOMMUKIT_NL_A_OD_UNMAP_IOVA) == iova + 5 * page_size);
	CHECK(event.u64(IOMMUKIT_NL_A_OD_UNMAP_ASKED) == page_size);
	CHECK(event.u64(IOMMUKIT_NL_A_OD_UNMAP_DONE) > page_size);
	/* Once for each page table. */
	const std::uint64_t before = world.stats().out_hw_unmap_over;
	world.discard(2);
	CHECK(world.stats().out_hw_unmap_over == before + 1);
	world.context.destroy(world.mock.stdev);
	world.add_mock();
	CHECK(world.listener.drain(IOMMUKIT_NL_CMD_OD_UNMAP_ANOMALY).events == 0);
	world.discard(9);
	world.listener.next(IOMMUKIT_NL_CMD_OD_UNMAP_ANOMALY);
	CHECK(world.listener.drain(IOMMUKIT_NL_CMD_OD_UNMAP_ANOMALY).events == 0);
}

TEST_CASE("a page table that does not let go")
{
	AnomalyWorld world;

	{
		const UnmapHow nothing(world.context, IOMMUKIT_TEST_UNMAP_NOTHING);

		world.discard(5);
	}
	const NetlinkMessage anomaly =
		world.listener.next(IOMMUKIT_NL_CMD_OD_UNMAP_ANOMALY);
	CHECK(anomaly.u64(IOMMUKIT_NL_A_OD_UNMAP_DONE) == 0);
	const NetlinkMessage event = world.listener.next(IOMMUKIT_NL_CMD_OD_DEAD);
	check_mapping(event, world.id, world.ioas, world.memory.size());
	CHECK(event.u32(IOMMUKIT_NL_A_OD_REASON) == IOMMUKIT_NL_OD_REASON_UNMAP);
	CHECK(world.stats().out_state & IOMMUKIT_ONDEMAND_QUARANTINED);
	CHECK(world.listener.drain(IOMMUKIT_NL_CMD_OD_DEAD).events == 0);
}

TEST_CASE("only administrators listen")
{
	CHECK(in_child([] {
		      const Netlink netlink;

		      if (become_user(1000, 0))
			      return 1;
		      return netlink.try_listen() == Errno{EPERM} ? 0 : 2;
	      }) == 0);
}

TEST_CASE("what happens while nobody listens is not told later")
{
	constexpr std::uint64_t size = 4 * page_size;
	const Context context;
	const std::uint32_t ioas = context.ioas();

	CHECK(in_child([&]() -> int {
		      const Memory memory(size, Memory::Kind::private_anonymous);

		      _exit(try_map_ondemand(context, ioas, memory.va(), size, iova)
				    .value);
	      }) == 0);
	const Listener listener;
	CHECK((query(context, ioas).out_state & IOMMUKIT_ONDEMAND_DEAD_MM) != 0);
	context.destroy(ioas);
	listener.next(object_del);
	CHECK(listener.drain(IOMMUKIT_NL_CMD_OD_MM_EXIT).events == 0);
}

/* ---- limits ---- */

TEST_CASE("the limit of locked memory keeps memory from being pinned")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	make_mock(context, ioas);
	const Memory memory(16 * page_size);
	const Listener listener;

	CHECK(in_child([&] {
		      if (become_user(61900, 4 * page_size))
			      return 1;
		      return context.try_map(ioas, memory.va(), memory.size(),
					     aperture_first) == Errno{ENOMEM}
				     ? 0
				     : 2;
	      }) == 0);
	const NetlinkMessage event = listener.next(IOMMUKIT_NL_CMD_CONTEXT_LIMIT);
	CHECK(event.u32(IOMMUKIT_NL_A_CONTEXT_ID) == last_context(listener));
	CHECK(event.u32(IOMMUKIT_NL_A_CONTEXT_PID) ==
	      static_cast<std::uint32_t>(getpid()));
	CHECK(event.u32(IOMMUKIT_NL_A_CONTEXT_ACCOUNT) == IOMMUKIT_NL_ACCOUNT_USER);
	CHECK(event.u64(IOMMUKIT_NL_A_CONTEXT_REFUSED_BYTES) == memory.size());
	context.map(ioas, memory, aperture_first);
	CHECK(listener.drain(IOMMUKIT_NL_CMD_CONTEXT_LIMIT).events == 0);
}

/* ---- IOTLB ---- */

TEST_CASE("the server of an IOTLB has gone")
{
	const Listener listener;
	IotlbWorld world(0,
			 [](iommukit_iotlb_alloc &cmd) { cmd.user_tag = 0x123456789a; });

	for (int round = 0; round < 2; round++) {
		world.iotlb.channel.close();
		const NetlinkMessage event =
			listener.next(IOMMUKIT_NL_CMD_IOTLB_SERVER_LOST);
		CHECK(event.u32(IOMMUKIT_NL_A_IOTLB_CONTEXT_ID) ==
		      last_context(listener));
		CHECK(event.u32(IOMMUKIT_NL_A_IOTLB_ID) == world.iotlb.id());
		CHECK(event.u64(IOMMUKIT_NL_A_IOTLB_USER_TAG) == 0x123456789a);
		world.iotlb.open();
	}
}

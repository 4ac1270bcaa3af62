// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every command on an IOTLB and its channel, and the calls of drivers that use one,
 * failed at each of their points in turn; see fault.h.
 */
#include "fault_world.h"
#include "iotlb_ring.h"
#include "iotlb_world.h"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <sstream>
#include <string_view>

using namespace guest;

namespace {

constexpr std::uint64_t target = FaultWorld::iova;
constexpr std::uint64_t mapped = FaultWorld::mapped;
/* What leads to all that is mapped. */
constexpr std::uint64_t area = 0x100000;
constexpr std::uint16_t pinned = IOMMUKIT_IOTLB_MSG_PINNED;

/*
 * As sweep(), for what may succeed although a point of the core has failed: where it
 * has another way, as invalidations must have, or more than one place to look.
 */
void sweep_yielding(const FaultWorld &world, const Operation &operation)
{
	const Injector injector(Source::core);
	const Snapshot before = world.look();

	REQUIRE(operation.run() == ok);
	const Snapshot after = world.look();
	operation.undo();
	for (unsigned int n = 1;; n++) {
		REQUIRE(n < 1000);
		REQUIRE(injector.arm(n));
		const Errno error = operation.run();
		const Injector::Outcome outcome = injector.disarm();

		INFO(operation.name << ", point " << n << ' ' << outcome.where << ": "
				    << error);
		if (error != ok) {
			REQUIRE(outcome.fired);
			CHECK((error == outcome.error || operation.translates));
			if (operation.partial)
				operation.undo();
			const bool done = operation.lasting && error == Errno{EFAULT};

			REQUIRE(world.look() == (done ? after : before));
			if (!done)
				REQUIRE(operation.run() == ok);
		}
		REQUIRE(world.look() == after);
		operation.undo();
		REQUIRE(world.look() == before);
		if (!outcome.fired)
			break;
	}
	if (Injector(Source::kernel))
		sweep(Source::kernel, operation, [&] { return world.look(); });
}

/* An IOTLB on the first IOAS, with two entries, one of them pinned. */
struct World : FaultWorld {
	World() : iotlb(context, iotlb_alloc(first))
	{
		iotlb.channel.configure(IOMMUKIT_IOTLB_CHAN_EPOCH);
		fill_iotlb();
		observe("entries", [this] { return hash_of_entries(); });
		observe("misses",
			[this] { return iotlb.stat(IOMMUKIT_IOTLB_STAT_PENDING); });
	}

	void fill_iotlb() const
	{
		iotlb.flush(pinned);
		iotlb.update(area, mapped, target);
		iotlb.update(area + mapped, page_size, target, perm_read, pinned);
	}
	/* A change of the owner, and the same of the server. */
	void sweep_change(const std::string &name, const IotlbMessage &message) const
	{
		std::vector<IotlbMessage> messages{message};
		const auto undo = [&] { fill_iotlb(); };

		sweep_yielding(*this, {"IOTLB_SUBMIT " + name,
				       0,
				       [&] { return iotlb.submit(messages).error; },
				       undo,
				       {ENOENT, ENOMEM},
				       true});
		if (message.flags & pinned)
			return;
		sweep_yielding(*this, {"channel write " + name,
				       0,
				       [&] { return iotlb.channel.try_send(message); },
				       undo,
				       {ENOMEM}});
	}

	Iotlb iotlb;

    private:
	/* An entry that was cut in two says the same as before. */
	std::uint64_t hash_of_entries() const
	{
		std::vector<IotlbEntry> joined;
		std::ostringstream text;

		for (const IotlbEntry &entry : iotlb.dump()) {
			IotlbEntry next = entry;

			if (!joined.empty()) {
				next.first = joined.back().first;
				next.target = joined.back().target;
			}
			if (!joined.empty() && joined.back().last + 1 == entry.first &&
			    joined.back().perm == entry.perm &&
			    joined.back().flags == entry.flags &&
			    entry.target - entry.first == next.target - next.first)
				joined.back().last = entry.last;
			else
				joined.push_back(entry);
		}
		for (const IotlbEntry &entry : joined)
			text << entry << '\n';
		return std::hash<std::string>{}(text.str());
	}
};

/* With a client and a reader. */
struct ClientWorld : World {
	ClientWorld()
		: channel(iotlb.channel), client(context, iotlb.id()), reader(client)
	{
		observe("pins", [this] { return client.stats().out_pins; });
	}

	const Channel &channel;
	IotlbClient client;
	Reader reader;
};

/* With an access. */
struct AccessWorld : World {
	AccessWorld() : access(context, first)
	{
		observe("items", [this] { return access.callbacks().items; });
	}

	Access access;
};

} // namespace

/* ---- commands ---- */

TEST_CASE("fail-nth: IOTLB_ALLOC and DESTROY")
{
	const FaultWorld world;
	iommukit_iotlb_alloc cmd{};
	const struct {
		const char *name;
		std::uint32_t ioas, flags;
	} table[] = {
		{"with a channel", world.first, 0},
		{"without one", world.first, IOMMUKIT_IOTLB_NO_CHANNEL},
		{"for addresses", 0, IOMMUKIT_IOTLB_TARGET_UVA},
	};

	for (const auto &row : table) {
		const auto alloc = [&] {
			cmd = iotlb_alloc(row.ioas, row.flags);
			return try_iotlb(world.context, cmd);
		};
		const auto close_channel = [&] {
			if (cmd.out_channel_fd >= 0)
				::close(cmd.out_channel_fd);
		};

		world.sweep({std::string("IOTLB_ALLOC ") + row.name,
			     row.ioas ? 3U : 2U,
			     alloc,
			     [&] {
				     close_channel();
				     world.context.destroy(cmd.out_iotlb_id);
			     },
			     {ENOENT, ENOMEM, ENFILE, EMFILE}});
		REQUIRE(alloc() == ok);
		const std::uint32_t id = cmd.out_iotlb_id;
		world.sweep({std::string("DESTROY of an IOTLB ") + row.name,
			     1,
			     [&] { return world.context.try_destroy(id); },
			     [&] {
				     close_channel();
				     REQUIRE(alloc() == ok);
				     REQUIRE(cmd.out_iotlb_id == id);
			     },
			     {ENOENT}});
		close_channel();
		world.context.destroy(id);
	}
}

TEST_CASE("fail-nth: changes of an IOTLB")
{
	const World world;
	const IotlbMessage flush = message_of(IOMMUKIT_IOTLB_OP_FLUSH);

	world.sweep_change("UPDATE", update_of(0, page_size, target));
	world.sweep_change("UPDATE of a pin",
			   update_of(0, page_size, target, perm_rw, pinned));
	world.sweep_change("UPDATE inside of an entry",
			   update_of(area + page_size, page_size, target));
	world.sweep_change("UPDATE over entries",
			   update_of(area + mapped - page_size, page_size, target));
	world.sweep_change("INVALIDATE", invalidate_of(area, mapped));
	world.sweep_change("INVALIDATE of everything", invalidate_of(0, 0));
	world.sweep_change("FLUSH", flush);
	world.sweep_change("FLUSH of pins",
			   message_of(IOMMUKIT_IOTLB_OP_FLUSH, 0, 0, pinned));
}

/*
 * What is left of an entry may be lost for lack of memory, but what is to be removed
 * never stays.
 */
TEST_CASE("fail-nth: INVALIDATE of a part of an entry")
{
	const ClientWorld world;
	const std::uint64_t hole = area + page_size;
	const auto remove = [&](Source source, bool owner) {
		const Injector injector(source);

		for (unsigned int n = 1;; n++) {
			world.fill_iotlb();
			REQUIRE(world.reader.probe(area, mapped).error == ok);
			std::vector<IotlbMessage> messages{
				invalidate_of(hole, page_size)};
			REQUIRE(n < 1000);
			REQUIRE(injector.arm(n));
			const Errno error = owner ? world.iotlb.submit(messages).error
						  : world.channel.try_send(messages);
			const Injector::Outcome outcome = injector.disarm();

			INFO("point " << n << ' ' << outcome.where << ": " << error);
			/* The command, or the message, could not be had. */
			if (error != ok)
				REQUIRE_THAT(
					(std::vector{ENOENT, ENOMEM, EFAULT}),
					Catch::Matchers::VectorContains(error.value));
			const bool answer_lost = owner && error == Errno{EFAULT};

			if (error == ok)
				REQUIRE_FALSE(world.iotlb.holds(hole));
			if (error != ok && !answer_lost)
				REQUIRE(world.iotlb.holds(hole));
			REQUIRE((world.reader.probe(hole, 1).error == ok) ==
				world.iotlb.holds(hole));
			/* Pinned is pinned. */
			REQUIRE(world.reader.probe(area + mapped, page_size).error == ok);
			if (!outcome.fired)
				break;
		}
	};

	for (const bool owner : {true, false}) {
		remove(Source::core, owner);
		if (Injector(Source::kernel))
			remove(Source::kernel, owner);
	}
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_FALLBACKS) > 0);
}

/* The owner's, of what is pinned, may fail, and then nothing has happened. */
TEST_CASE("fail-nth: INVALIDATE of a part of a pin")
{
	const World world;
	std::vector<IotlbMessage> messages{invalidate_of(area + mapped + 8, 8, pinned)};

	world.sweep({"IOTLB_SUBMIT INVALIDATE of a part of a pin",
		     2,
		     [&] { return world.iotlb.submit(messages).error; },
		     [&] { world.fill_iotlb(); },
		     {ENOENT, ENOMEM},
		     true});
}

TEST_CASE("fail-nth: many changes in one go")
{
	const World world;
	constexpr std::uint64_t count = 40;
	std::vector<IotlbMessage> messages;

	for (std::uint64_t n = 0; n < count; n++)
		messages.push_back(
			update_of(2 * n * page_size + (1 << 24), page_size, target));
	/* What was done before the one that fails stays. */
	world.sweep({"IOTLB_SUBMIT of many",
		     2,
		     [&] { return world.iotlb.submit(messages).error; },
		     [&] { world.fill_iotlb(); },
		     {ENOENT, ENOMEM},
		     true,
		     true});
	sweep_yielding(world, {"channel write of many",
			       0,
			       [&] { return world.iotlb.channel.try_send(messages); },
			       [&] { world.fill_iotlb(); },
			       {ENOMEM, EIO},
			       false,
			       true,
			       {},
			       true});
}

TEST_CASE("fail-nth: looking at an IOTLB")
{
	const World world;
	iommukit_iotlb_entry entry{};
	std::uint64_t counters[IOMMUKIT_IOTLB_NR_STATS];
	auto stats = command<iommukit_iotlb_stats>();
	auto caps = command<iommukit_iotlb_get_caps>();

	world.sweep({"IOTLB_QUERY",
		     1,
		     [&] { return world.iotlb.try_query(area, &entry); },
		     {},
		     {ENOENT, ENOMEM}});
	world.sweep({"IOTLB_STATS",
		     1,
		     [&] {
			     stats.iotlb_id = world.iotlb.id();
			     stats.count = IOMMUKIT_IOTLB_NR_STATS;
			     stats.array = reinterpret_cast<std::uint64_t>(counters);
			     return call(world.context.fd(), IOMMUKIT_IOTLB_STATS,
					 &stats);
		     },
		     {},
		     {ENOENT, ENOMEM}});
	world.sweep({"IOTLB_SET",
		     1,
		     [&] { return world.iotlb.try_set(IOMMUKIT_IOTLB_PARAM_SPIN_US, 0); },
		     {},
		     {ENOENT}});
	world.sweep(
		{"IOTLB_GET_CAPS",
		 1,
		 [&] { return call(world.context.fd(), IOMMUKIT_IOTLB_GET_CAPS, &caps); },
		 {},
		 {}});
}

/* ---- the channel ---- */

TEST_CASE("fail-nth: IOTLB_CHANNEL_OPEN")
{
	World world;
	Fd opened;

	/* What a server has told goes a moment after it. */
	const auto close = [&](auto &&channel) {
		channel();
		REQUIRE(wait_until([&] { return !world.iotlb.holds(area); }));
		world.fill_iotlb();
	};
	close([&] { world.iotlb.channel.close(); });
	world.sweep({"IOTLB_CHANNEL_OPEN",
		     2,
		     [&] { return world.iotlb.try_open(&opened); },
		     [&] { close([&] { opened.reset(); }); },
		     {ENOENT, ENOMEM, ENFILE, EMFILE}});
}

TEST_CASE("fail-nth: CHAN_CONFIG, and mappings of what it makes")
{
	World world;
	const Fd event(eventfd(0, EFD_CLOEXEC));
	auto cmd = chan_config();
	void *page = nullptr;
	const auto map = [&](std::uint64_t offset, std::size_t size, int protection) {
		page = mmap(nullptr, size, protection, MAP_SHARED,
			    world.iotlb.channel.fd(), static_cast<off_t>(offset));
		return page == MAP_FAILED ? Errno{errno} : ok;
	};
	const auto configure = [&] {
		cmd = chan_config();
		cmd.format = IOMMUKIT_IOTLB_MSG_NATIVE;
		cmd.ring_entries = 256;
		cmd.eventfd = event.get();
		return world.iotlb.channel.try_configure(cmd);
	};

	world.observe("format", [&] { return world.iotlb.channel.info().out_format; });
	world.observe("features",
		      [&] { return world.iotlb.channel.info().out_features; });
	world.observe("a ring", [&] { return world.iotlb.channel.try_kick() == ok; });
	const auto reopen = [&] {
		world.iotlb.channel.close();
		REQUIRE(wait_until([&] { return !world.iotlb.holds(area); }));
		world.iotlb.open();
		world.fill_iotlb();
	};
	reopen();
	world.sweep({"CHAN_CONFIG", 2, configure, reopen, {ENOMEM}, true});
	REQUIRE(configure() == ok);
	world.sweep({"mmap of the ring",
		     0,
		     [&] {
			     return map(IOMMUKIT_IOTLB_RING_OFF, IotlbRing::size(256),
					PROT_READ);
		     },
		     [&] { munmap(page, IotlbRing::size(256)); },
		     {ENOMEM}});
	world.sweep({"mmap of the consumer's page",
		     0,
		     [&] {
			     return map(IOMMUKIT_IOTLB_CONS_OFF, page_size,
					PROT_READ | PROT_WRITE);
		     },
		     [&] { munmap(page, page_size); },
		     {ENOMEM}});
}

TEST_CASE("fail-nth: other commands of a channel")
{
	const World world;
	const Channel &channel = world.iotlb.channel;
	auto info = command<iommukit_iotlb_chan_info>();

	world.sweep({"CHAN_INFO", 0, [&] { return channel.try_info(info); }, {}, {}});
	world.sweep({"SET_BACKEND_FEATURES",
		     0,
		     [&] { return channel.try_acknowledge(0); },
		     {},
		     {}});
}

TEST_CASE("fail-nth: a channel is read")
{
	ClientWorld world;
	const Channel &channel = world.iotlb.channel;
	IotlbMessage miss{};
	const auto ask = [&] {
		REQUIRE(world.reader.nowait(0, 1).error == Errno{EAGAIN});
	};

	channel.set_nonblocking();
	world.observe("can be read", [&] { return !channel.quiet(); });
	ask();
	world.sweep({"channel read",
		     0,
		     [&] { return channel.try_read(&miss, sizeof(miss)); },
		     [&] {
			     channel.send(denial_of(miss, EIO));
			     REQUIRE(world.reader.nowait(0, 1).error == Errno{EIO});
			     ask();
		     },
		     {}});
}

/* ---- drivers with readers ---- */

TEST_CASE("fail-nth: client attach")
{
	const World world;
	Fd client;

	world.sweep({"IOTLB client attach",
		     3,
		     [&] {
			     return IotlbClient::attempt(world.context, world.iotlb.id(),
							 0, 0, &client);
		     },
		     [&] { client.reset(); },
		     {ENOENT, ENOMEM, ENFILE, EMFILE}});
}

TEST_CASE("fail-nth: reader create")
{
	const ClientWorld world;
	std::uint32_t index = 0;

	for (const std::uint32_t flags : {0U, reader_thread})
		world.sweep(
			{flags ? "reader create, with a thread" : "reader create",
			 1,
			 [&] { return world.client.try_reader(flags, &index); },
			 [&] { REQUIRE(world.client.try_destroy_reader(index) == ok); },
			 {ENOMEM, EINTR, EAGAIN}});
}

TEST_CASE("fail-nth: reader rw")
{
	const ClientWorld world;
	std::vector<std::byte> buffer(FaultWorld::piece);

	/* From one area of the IOAS into the next. */
	world.sweep({"reader read",
		     0,
		     [&] {
			     return world.reader.try_read(area + page_size, buffer.data(),
							  buffer.size());
		     },
		     {},
		     {ENOMEM, EINVAL}});
	buffer.assign(buffer.size(), std::byte(1));
	world.sweep({"reader write",
		     0,
		     [&] {
			     return world.reader.try_write(area + page_size,
							   buffer.data(), buffer.size());
		     },
		     [&] { world.fill(); },
		     {ENOMEM, EINVAL},
		     false,
		     true});
}

/* ---- accesses ---- */

TEST_CASE("fail-nth: access attach to an IOTLB")
{
	const World world;
	const Access access = Access::extended(world.context, 0, access_pins);
	Fd created;

	sweep_yielding(world, {"access attach to an IOTLB",
			       0,
			       [&] { return access.try_attach(world.iotlb.id()); },
			       [&] { access.detach(); },
			       {ENOENT, ENOMEM}});
	sweep_yielding(world, {"access create attached to an IOTLB",
			       0,
			       [&] {
				       return Access::attempt(world.context,
							      world.iotlb.id(),
							      access_pins, &created);
			       },
			       [&] { created.reset(); },
			       {ENOENT, ENOMEM, ENFILE}});
}

TEST_CASE("fail-nth: access replace by an IOTLB, and of one")
{
	const AccessWorld world;

	sweep_yielding(world,
		       {"access replace by an IOTLB",
			0,
			[&] { return world.access.try_replace(world.iotlb.id()); },
			[&] { REQUIRE(world.access.try_replace(world.first) == ok); },
			{ENOENT, ENOMEM}});
	REQUIRE(world.access.try_replace(world.iotlb.id()) == ok);
	world.sweep({"access replace of an IOTLB",
		     3,
		     [&] { return world.access.try_replace(world.second); },
		     [&] { REQUIRE(world.access.try_replace(world.iotlb.id()) == ok); },
		     {ENOENT, ENOMEM}});
}

TEST_CASE("fail-nth: access rw and pin through an IOTLB")
{
	const AccessWorld world;
	std::vector<std::byte> buffer(FaultWorld::piece, std::byte(1));
	std::uint32_t item = no_item;

	REQUIRE(world.access.try_replace(world.iotlb.id()) == ok);
	/* Two entries, two areas. */
	world.iotlb.update(area, 2 * page_size, target);
	world.sweep({"access read through an IOTLB",
		     0,
		     [&] {
			     return world.access.try_read(area + page_size, buffer.data(),
							  buffer.size());
		     },
		     {},
		     {ENOMEM, EINVAL}});
	buffer.assign(buffer.size(), std::byte(1));
	world.sweep({"access write through an IOTLB",
		     0,
		     [&] {
			     return world.access.try_write(area + page_size,
							   buffer.data(), buffer.size());
		     },
		     [&] { world.fill(); },
		     {ENOMEM, EINVAL},
		     false,
		     true});
	world.sweep({"access pin through an IOTLB",
		     9,
		     [&] {
			     return world.access.try_pin(area + page_size,
							 FaultWorld::piece, pin_write, 0,
							 &item);
		     },
		     [&] { REQUIRE(world.access.try_unpin(item) == ok); },
		     {ENOMEM, EFAULT, EINVAL}});
}

TEST_CASE("fail-nth: invalidation of what an access has pinned")
{
	const AccessWorld world;
	const auto pin = [&] {
		world.fill_iotlb();
		world.access.pin(area + page_size, FaultWorld::piece);
	};

	REQUIRE(world.access.try_replace(world.iotlb.id()) == ok);
	pin();
	std::vector<IotlbMessage> messages{invalidate_of(area, mapped)};
	sweep_yielding(world, {"IOTLB_SUBMIT INVALIDATE of pins",
			       0,
			       [&] { return world.iotlb.submit(messages).error; },
			       pin,
			       {ENOENT, ENOMEM},
			       true});
	sweep_yielding(world, {"channel write INVALIDATE of pins",
			       0,
			       [&] { return world.iotlb.channel.try_send(messages[0]); },
			       pin,
			       {ENOMEM}});
	world.sweep({"IOAS_UNMAP of pins behind an IOTLB",
		     2,
		     [&] { return world.context.try_unmap(world.first, target, mapped); },
		     [&] {
			     world.map_all();
			     pin();
		     },
		     {ENOENT},
		     true});
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the library makes of the netlink family: typed answers, events, the repair of what
 * is lost, and messages that are not the kernel's.
 */
#include "access.h"
#include "administration.h"
#include "error.h"
#include "mock.h"
#include "netlink.h"
#include "process.h"

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <set>
#include <thread>

using namespace guest;
using iommukit::Administration;
using iommukit::ContextFacts;
using iommukit::Event;
using iommukit::EventScope;
using iommukit::EventStream;
using iommukit::MappingFacts;
using iommukit::ObjectFacts;

namespace {

/* Of the contexts of this process, that with the highest number. */
ContextFacts newest()
{
	ContextFacts found;

	for (const ContextFacts &facts : Administration().contexts())
		if (facts.pid == static_cast<std::uint32_t>(getpid()))
			found = facts;
	REQUIRE(found.id != 0);
	return found;
}

/* The next event, which comes. */
Event next(EventStream &stream)
{
	std::optional<Event> event;

	REQUIRE(wait_until([&] { return (event = stream.next()).has_value(); }));
	return *event;
}

ObjectFacts object_of(const Event &event, std::uint8_t command)
{
	REQUIRE(event.command == command);
	return std::get<ObjectFacts>(event.facts);
}

/* A message of the family as the kernel would send it, to the socket of somebody else. */
int forge(std::uint32_t port, std::uint16_t family, std::uint8_t command,
	  std::uint32_t context)
{
	const Fd sock(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC));
	struct {
		nlmsghdr head;
		genlmsghdr general;
		nlattr attribute;
		std::uint32_t value;
	} message = {};
	sockaddr_nl to{};

	message.head.nlmsg_len = sizeof(message);
	message.head.nlmsg_type = family;
	message.general.cmd = command;
	message.general.version = IOMMUKIT_FAMILY_VERSION;
	message.attribute.nla_len = NLA_HDRLEN + sizeof(context);
	message.attribute.nla_type = IOMMUKIT_NL_A_CONTEXT_ID;
	message.value = context;
	to.nl_family = AF_NETLINK;
	to.nl_pid = port;
	return sendto(sock.get(), &message, sizeof(message), 0,
		      reinterpret_cast<const sockaddr *>(&to),
		      sizeof(to)) == sizeof(message)
		       ? 0
		       : errno;
}

std::uint32_t port_of(int fd)
{
	sockaddr_nl address{};
	socklen_t length = sizeof(address);

	REQUIRE(getsockname(fd, reinterpret_cast<sockaddr *>(&address), &length) == 0);
	return address.nl_pid;
}

} // namespace

TEST_CASE("answers have types")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Access access(context, ioas);
	const ContextFacts facts = newest();

	CHECK(facts.comm == "test-administra");
	CHECK(facts.uid == 0);
	CHECK(facts.account == IOMMUKIT_NL_ACCOUNT_NONE);
	CHECK(facts.objects == 2);
	CHECK(facts.pinned.value == 0);
	CHECK(!facts.memlock_limit);
	CHECK(Administration().context(facts.id).objects == 2);
	const std::vector<ObjectFacts> objects = Administration().objects(facts.id);
	REQUIRE(objects.size() == 2);
	CHECK(objects[0].context == facts.id);
	CHECK(objects[0].id == ioas);
	CHECK(objects[0].type == "ioas");
	CHECK(objects[0].users == 1);
	CHECK(objects[1].type == "access");
	CHECK(Administration().objects().size() == 2);
}

TEST_CASE("a dump that changes all the time comes to its end")
{
	const Context context;
	std::atomic<bool> over = false;
	std::vector<std::uint32_t> ids;

	for (int i = 0; i < 300; i++)
		ids.push_back(context.ioas());
	std::thread changer([&] {
		while (!over) {
			std::uint32_t id = 0;

			if (context.try_ioas(&id) == ok)
				context.try_destroy(id);
		}
	});
	Administration administration;
	const std::uint32_t id = newest().id;
	for (int i = 0; i < 20; i++) {
		const auto objects = administration.objects(id);

		/* Those that were there all the time */
		CHECK(objects.size() >= ids.size());
		CHECK(objects.size() <= ids.size() + 1);
	}
	over = true;
	changer.join();
}

TEST_CASE("what is refused is an exception that says why")
{
	Administration administration;

	try {
		administration.context(0x7ffffff0);
		FAIL("there is no such context");
	} catch (const iommukit::Error &error) {
		CHECK(error.number() == ENOENT);
		CHECK(error.command() == "CONTEXT_GET");
		CHECK(error.subject().path == "no context has that number");
	}
	try {
		administration.objects(0x7ffffff0);
		FAIL("there is no such context");
	} catch (const iommukit::Error &error) {
		CHECK(error.number() == ENOENT);
		CHECK(error.subject().path == "no context has that number");
	}
	/* It is of use as before. */
	const Context context;
	CHECK(administration.contexts().size() == 1);
}

TEST_CASE("events of what comes after the beginning")
{
	const Context before;
	const std::uint32_t old = before.ioas();
	EventStream stream;

	CHECK(!stream.next());
	const std::uint32_t id = before.ioas();
	CHECK(object_of(next(stream), IOMMUKIT_NL_CMD_OBJECT_NEW).id == id);
	before.destroy(old);
	CHECK(object_of(next(stream), IOMMUKIT_NL_CMD_OBJECT_DEL).id == old);
	{
		const Context another;

		const Event event = next(stream);
		REQUIRE(event.command == IOMMUKIT_NL_CMD_CONTEXT_NEW);
		CHECK(std::get<ContextFacts>(event.facts).id == newest().id);
		CHECK(!event.repaired);
	}
	CHECK(next(stream).command == IOMMUKIT_NL_CMD_CONTEXT_DEL);
	CHECK(!stream.next());
	CHECK(stream.losses() == 0);
}

TEST_CASE("what is lost is repaired")
{
	const int small = 4096;
	std::optional<Context> goes(std::in_place), comes;
	const Context context;
	const std::uint32_t gone = context.ioas(), changes = context.ioas();
	std::uint32_t id = newest().id;
	EventStream stream;
	unsigned int lost = 0;
	std::set<std::uint32_t> contexts;
	/* By number, of which type */
	std::map<std::uint32_t, std::string> objects = {{gone, "ioas"},
							{changes, "ioas"}};
	std::uint32_t came, goes_id = 0;

	for (const ContextFacts &facts : Administration().contexts()) {
		contexts.insert(facts.id);
		goes_id = facts.id != id ? facts.id : goes_id;
	}
	REQUIRE(setsockopt(stream.fd(), SOL_SOCKET, SO_RCVBUFFORCE, &small,
			   sizeof(small)) == 0);
	for (int i = 0; i < 1000; i++)
		context.destroy(context.ioas());
	context.destroy(gone);
	/* The lowest number, which another one has had. */
	came = context.ioas();
	/* So it is something else. */
	context.destroy(changes);
	const FaultQueue queue = make_fault_queue(context);
	CHECK(queue.id == changes);
	const std::uint32_t second = context.ioas();
	goes.reset();
	comes.emplace();

	while (const std::optional<Event> event = stream.next()) {
		if (event->command == 0)
			lost++;
		if (const auto *facts = std::get_if<ContextFacts>(&event->facts)) {
			CHECK(event->repaired);
			if (event->command == IOMMUKIT_NL_CMD_CONTEXT_NEW)
				CHECK(contexts.insert(facts->id).second);
			else
				CHECK(contexts.erase(facts->id) == 1);
		}
		if (const auto *facts = std::get_if<ObjectFacts>(&event->facts)) {
			CHECK(facts->context == id);
			if (event->command == IOMMUKIT_NL_CMD_OBJECT_NEW)
				CHECK(objects.emplace(facts->id, facts->type).second);
			else
				CHECK(objects.erase(facts->id) == 1);
		}
	}
	CHECK(lost == 1);
	CHECK(stream.losses() == 1);
	CHECK(objects == std::map<std::uint32_t, std::string>{{came, "ioas"},
							      {changes, "fault-queue"},
							      {second, "ioas"}});
	CHECK(contexts == std::set<std::uint32_t>{id, newest().id});
	CHECK(!contexts.count(goes_id));
	/* And it goes on. */
	context.destroy(second);
	CHECK(object_of(next(stream), IOMMUKIT_NL_CMD_OBJECT_DEL).id == second);
}

namespace {

/* What events say is mapped, beginning with what was there. Returns how many there were.
 */
unsigned int follow(EventStream &stream, std::set<MappingFacts> &mappings)
{
	unsigned int events = 0;

	while (const std::optional<Event> event = stream.next()) {
		events++;
		const auto *facts = std::get_if<MappingFacts>(&event->facts);
		if (!facts)
			continue;
		if (event->command == IOMMUKIT_NL_CMD_AREA_NEW)
			CHECK(mappings.insert(*facts).second);
		else
			CHECK(mappings.erase(*facts) == 1);
	}
	return events;
}

std::set<MappingFacts> mapped(std::uint32_t context, std::uint32_t ioas)
{
	std::set<MappingFacts> all;

	for (const auto &area : Administration().areas(context, ioas))
		all.insert(mapping_facts(area));
	return all;
}

} // namespace

TEST_CASE("mappings that are lost are repaired")
{
	const int small = 4096;
	const Context context;
	const std::uint32_t ioas = context.ioas(), goes = context.ioas();
	const std::uint32_t id = newest().id;
	const Memory memory(4 * page_size);
	constexpr std::uint64_t at = 0x100000;

	for (std::uint64_t n = 0; n < 4; n++)
		REQUIRE(context.try_map(ioas, memory.va(), page_size,
					at + n * page_size) == ok);
	context.map(goes, memory, at);
	std::set<MappingFacts> known = mapped(id, ioas);
	CHECK(known.size() == 4);
	known.merge(mapped(id, goes));
	EventStream stream(EventScope::mappings);
	CHECK(!stream.next());
	REQUIRE(setsockopt(stream.fd(), SOL_SOCKET, SO_RCVBUFFORCE, &small,
			   sizeof(small)) == 0);
	/* What is where something was before is something else. */
	context.unmap(ioas, at, page_size);
	for (int i = 0; i < 1000; i++) {
		REQUIRE(context.try_map(ioas, memory.va(), page_size, at) == ok);
		context.unmap(ioas, at, page_size);
	}
	REQUIRE(context.try_map(ioas, memory.va() + page_size, page_size, at) == ok);
	context.unmap(ioas, at + page_size, page_size);
	REQUIRE(context.try_map(ioas, memory.va(), page_size, 2 * at,
				map_read | map_fixed) == ok);
	context.destroy(goes);

	follow(stream, known);
	CHECK(stream.losses() == 1);
	CHECK(known == mapped(id, ioas));
	/* And it goes on. */
	context.unmap_all(ioas);
	follow(stream, known);
	CHECK(known.empty());
	CHECK(stream.losses() == 1);
}

TEST_CASE("who cannot keep up with mappings is right again as soon as they end")
{
	const int small = 4096;
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const std::uint32_t id = newest().id;
	const Memory memory(page_size);
	EventStream stream(EventScope::mappings);
	std::atomic<bool> over = false;
	std::set<MappingFacts> known;
	std::atomic<unsigned int> mapped_so_often = 0;
	/* What is told of so many does not fit. */
	constexpr unsigned int too_many = 100;

	REQUIRE(setsockopt(stream.fd(), SOL_SOCKET, SO_RCVBUFFORCE, &small,
			   sizeof(small)) == 0);
	std::thread mapper([&] {
		std::uint64_t n = 0;

		while (!over) {
			const std::uint64_t at = (1 + n++ % 16) * page_size;

			(void)context.try_map(ioas, memory.va(), page_size, at);
			if (n % 3)
				(void)context.try_unmap(ioas, at, page_size);
			mapped_so_often++;
		}
	});
	/* It comes to its end again and again, though there is always more. */
	for (int round = 0; round < 20; round++) {
		const unsigned int before = mapped_so_often;

		CHECK(wait_until([&] { return mapped_so_often - before >= too_many; }));
		while (const std::optional<Event> event = stream.next()) {
			const auto *facts = std::get_if<MappingFacts>(&event->facts);

			if (facts && event->command == IOMMUKIT_NL_CMD_AREA_NEW)
				known.insert(*facts);
			else if (facts)
				known.erase(*facts);
		}
	}
	over = true;
	mapper.join();
	CHECK(stream.losses() >= 20);
	follow(stream, known);
	CHECK(known == mapped(id, ioas));
}

TEST_CASE("messages of other processes are ignored")
{
	const Netlink netlink;
	EventStream stream;
	const std::uint32_t port = port_of(stream.fd());
	const std::uint16_t family = netlink.number();

	REQUIRE(port != 0);
	for (int i = 0; i < 3; i++)
		CHECK(in_child([&] {
			      return forge(port, family, IOMMUKIT_NL_CMD_CONTEXT_NEW, 77);
		      }) == 0);
	const Context context;
	const std::uint32_t mine = newest().id;
	CHECK(in_child([&] {
		      return forge(port, family, IOMMUKIT_NL_CMD_CONTEXT_DEL, mine);
	      }) == 0);
	const Event event = next(stream);
	REQUIRE(event.command == IOMMUKIT_NL_CMD_CONTEXT_NEW);
	CHECK(std::get<ContextFacts>(event.facts).id == mine);
	CHECK(!stream.next());
	/* Nobody without privileges could have sent them. */
	CHECK(in_child([&] {
		      return become_user(2007, 0)
				     ?: forge(port, family, IOMMUKIT_NL_CMD_CONTEXT_NEW,
					      77);
	      }) == EPERM);
}

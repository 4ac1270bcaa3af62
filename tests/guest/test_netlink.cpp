// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests of the netlink family: contexts and objects as seen from other processes, and
 * requests that are refused. What is told without being asked: test_netlink_events.cpp.
 */
#include "access.h"
#include "fault.h"
#include "iotlb_world.h"
#include "mock.h"
#include "netlink.h"
#include "process.h"

#include <linux/netlink.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <set>

using namespace guest;

namespace {

constexpr std::uint8_t context_get = IOMMUKIT_NL_CMD_CONTEXT_GET;
constexpr std::uint8_t object_get = IOMMUKIT_NL_CMD_OBJECT_GET;
constexpr std::uint64_t iova = aperture_first;

/* Anybody may open the device, until its end. */
class OpenToAll {
    public:
	OpenToAll() { REQUIRE(chmod("/dev/iommukit", 0666) == 0); }
	OpenToAll(const OpenToAll &) = delete;
	OpenToAll &operator=(const OpenToAll &) = delete;
	~OpenToAll() { chmod("/dev/iommukit", 0660); }
};

/* A process of a user, with an open context and some objects. */
struct Owner {
	Owner(unsigned int uid, unsigned int ioases, std::uint64_t memlock = 1 << 20)
		: uid(uid), ioases(ioases), child([=](const Child::Steps &step) {
			  const int error = become_user(uid, memlock);
			  const Context context;

			  if (error)
				  return error;
			  for (unsigned int i = 0; i < ioases; i++)
				  context.ioas();
			  step.meet();
			  return 0;
		  })
	{
		child.await();
	}

	void check(const Netlink &netlink) const
	{
		const auto ids = contexts_of(netlink, child.pid());
		REQUIRE(ids.size() == 1);
		const NetlinkMessage facts = context_facts(netlink, ids[0]);

		CHECK(facts.u32(IOMMUKIT_NL_A_CONTEXT_UID) == uid);
		CHECK(facts.text(IOMMUKIT_NL_A_CONTEXT_COMM) == "test-netlink");
		CHECK(facts.u32(IOMMUKIT_NL_A_CONTEXT_OBJECTS) == ioases);
		CHECK(facts.u32(IOMMUKIT_NL_A_CONTEXT_ACCOUNT) ==
		      IOMMUKIT_NL_ACCOUNT_USER);
		CHECK(facts.u64(IOMMUKIT_NL_A_CONTEXT_PINNED_BYTES) == 0);
		CHECK(facts.u64(IOMMUKIT_NL_A_CONTEXT_MEMLOCK_LIMIT) == 1 << 20);
		CHECK(facts.u64(IOMMUKIT_NL_A_CONTEXT_MEMLOCK_HEADROOM) == 1 << 20);
	}

	unsigned int uid, ioases;
	Child child;
};

NetlinkAnswer dump_contexts(const Netlink &netlink)
{
	return netlink.ask(NetlinkRequest(context_get, netlink_dump));
}

NetlinkRequest objects_of(std::uint32_t context)
{
	return NetlinkRequest(object_get, netlink_dump)
		.add(IOMMUKIT_NL_A_OBJECT_CONTEXT_ID, context);
}

NetlinkRequest one_object(std::uint32_t context, std::uint32_t id)
{
	return NetlinkRequest(object_get, netlink_do)
		.add(IOMMUKIT_NL_A_OBJECT_CONTEXT_ID, context)
		.add(IOMMUKIT_NL_A_OBJECT_ID, id);
}

std::uint64_t pinned(const Netlink &netlink, std::uint32_t id)
{
	return context_facts(netlink, id).u64(IOMMUKIT_NL_A_CONTEXT_PINNED_BYTES);
}

/* Of an answer with all objects of a context */
std::vector<std::uint32_t> ids_in(const NetlinkAnswer &answer)
{
	std::vector<std::uint32_t> ids;

	REQUIRE(answer.error == 0);
	for (const NetlinkMessage &message : answer.messages)
		ids.push_back(message.u32(IOMMUKIT_NL_A_OBJECT_ID));
	return ids;
}

} // namespace

/* ---- contexts ---- */

TEST_CASE("contexts of two users as a third process sees them")
{
	const OpenToAll open;
	const Owner one(2001, 1), two(2002, 3);
	const Netlink netlink;

	SECTION("of root")
	{
		one.check(netlink);
		two.check(netlink);
	}
	SECTION("without any privilege")
	{
		/* The same, for nothing that is said is a secret. */
		const auto look = [&] {
			if (become_user(2003, 0))
				return 1;
			const Netlink mine;

			one.check(mine);
			two.check(mine);
			return dump_contexts(mine).error;
		};
		CHECK(in_child(look) == 0);
	}
}

TEST_CASE("a context that this process has opened")
{
	const Netlink netlink;
	const Context context;
	const std::uint32_t id = last_context(netlink);
	const NetlinkMessage facts = context_facts(netlink, id);

	CHECK(facts.u32(IOMMUKIT_NL_A_CONTEXT_ID) == id);
	CHECK(facts.u32(IOMMUKIT_NL_A_CONTEXT_PID) == static_cast<unsigned>(getpid()));
	CHECK(facts.u32(IOMMUKIT_NL_A_CONTEXT_UID) == 0);
	CHECK(facts.u32(IOMMUKIT_NL_A_CONTEXT_OBJECTS) == 0);
	/* Root has CAP_IPC_LOCK: no limit is of any matter. */
	CHECK(facts.u32(IOMMUKIT_NL_A_CONTEXT_ACCOUNT) == IOMMUKIT_NL_ACCOUNT_NONE);
	CHECK(!facts.has(IOMMUKIT_NL_A_CONTEXT_MEMLOCK_LIMIT));
	CHECK(!facts.has(IOMMUKIT_NL_A_CONTEXT_MEMLOCK_HEADROOM));
	CHECK(wait_until([&] {
		return context_facts(netlink, id).u64(IOMMUKIT_NL_A_CONTEXT_AGE_MS) >
		       facts.u64(IOMMUKIT_NL_A_CONTEXT_AGE_MS);
	}));
}

TEST_CASE("what a context has pinned")
{
	const Netlink netlink;
	const Context context, other;
	const std::uint32_t id = contexts_of(netlink, getpid())[0];
	const std::uint32_t ioas = context.ioas();
	const Memory memory(8 * page_size);
	const Access access(context, ioas);

	context.map(ioas, memory, iova);
	CHECK(pinned(netlink, id) == 0);
	const std::uint32_t item = access.pin(iova, 3 * page_size);
	CHECK(pinned(netlink, id) == 3 * page_size);
	/* A page is pinned once. */
	const std::uint32_t again = access.pin(iova + page_size, 4 * page_size);
	CHECK(pinned(netlink, id) == 5 * page_size);
	CHECK(pinned(netlink, last_context(netlink)) == 0);
	REQUIRE(access.try_unpin(item) == ok);
	REQUIRE(access.try_unpin(again) == ok);
	CHECK(pinned(netlink, id) == 0);
	make_mock(context, ioas);
	CHECK(pinned(netlink, id) == memory.size());
}

TEST_CASE("how much of the limit is left")
{
	const OpenToAll open;
	const std::uint64_t limit = 64 * page_size;
	const Netlink netlink;
	const bool by_mm = GENERATE(false, true);
	Child child([&](const Child::Steps &step) {
		/* Only who may raise limits may choose, so the owner is root then. */
		int error = by_mm ? 0 : become_user(2004, limit);
		const Context context;
		std::uint64_t one = 1;

		if (by_mm)
			error = context.try_option(IOMMUKIT_OPTION_RLIMIT_MODE,
						   IOMMUKIT_OPTION_OP_SET, 0, &one)
						.value
					?: become_user(2005, limit);
		if (error)
			return error;
		const std::uint32_t ioas = context.ioas();
		const Memory memory(16 * page_size);
		const Access access(context, ioas);

		context.map(ioas, memory, iova);
		access.pin(iova, 10 * page_size);
		step.meet();
		return 0;
	});

	child.await();
	const std::uint32_t id = contexts_of(netlink, child.pid())[0];
	const NetlinkMessage facts = context_facts(netlink, id);
	CHECK(facts.u32(IOMMUKIT_NL_A_CONTEXT_ACCOUNT) ==
	      (by_mm ? IOMMUKIT_NL_ACCOUNT_MM : IOMMUKIT_NL_ACCOUNT_USER));
	CHECK(facts.u64(IOMMUKIT_NL_A_CONTEXT_PINNED_BYTES) == 10 * page_size);
	CHECK(facts.u64(IOMMUKIT_NL_A_CONTEXT_MEMLOCK_LIMIT) == limit);
	CHECK(facts.u64(IOMMUKIT_NL_A_CONTEXT_MEMLOCK_HEADROOM) ==
	      limit - 10 * page_size);
	child.resume();
	CHECK(child.join() == 0);
}

TEST_CASE("a context whose owner has gone")
{
	const Netlink netlink;
	const Shared<int> number;
	Child child([&](const Child::Steps &step) {
		const Context context;

		*number = context.fd();
		step.meet();
		return 0;
	});

	child.await();
	const std::uint32_t id = contexts_of(netlink, child.pid())[0];
	const Fd process(static_cast<int>(syscall(SYS_pidfd_open, child.pid(), 0)));
	Fd kept(static_cast<int>(syscall(SYS_pidfd_getfd, process.get(), *number, 0)));
	REQUIRE(kept);
	child.resume();
	CHECK(child.join() == 0);
	const NetlinkMessage facts = context_facts(netlink, id);
	CHECK(facts.text(IOMMUKIT_NL_A_CONTEXT_COMM) == "test-netlink");
	CHECK(!facts.has(IOMMUKIT_NL_A_CONTEXT_MEMLOCK_LIMIT));
	kept.reset();
	CHECK(netlink.ask(NetlinkRequest(context_get, netlink_do)
				  .add(IOMMUKIT_NL_A_CONTEXT_ID, id))
		      .error == ENOENT);
}

TEST_CASE("a reader in another PID namespace")
{
	const OpenToAll open;
	const Owner owner(2006, 0);
	const Netlink netlink;
	const std::uint32_t id = contexts_of(netlink, owner.child.pid())[0];
	const auto look = [&] {
		if (unshare(CLONE_NEWPID))
			return 2;
		const pid_t inner = fork();

		if (inner == 0) {
			const NetlinkMessage facts = context_facts(Netlink(), id);

			_exit(facts.has(IOMMUKIT_NL_A_CONTEXT_PID));
		}
		int status = -1;

		waitpid(inner, &status, 0);
		return WIFEXITED(status) ? WEXITSTATUS(status) : 3;
	};

	CHECK(in_child(look) == 0);
}

TEST_CASE("a number is not used again at once")
{
	const Netlink netlink;
	std::set<std::uint32_t> seen;

	for (int i = 0; i < 20; i++) {
		const Context context;

		CHECK(seen.insert(last_context(netlink)).second);
	}
	for (const std::uint32_t id : seen) {
		const NetlinkAnswer answer =
			netlink.ask(NetlinkRequest(context_get, netlink_do)
					    .add(IOMMUKIT_NL_A_CONTEXT_ID, id));

		CHECK(answer.error == ENOENT);
		CHECK(answer.reason == "no context has that number");
		CHECK(netlink.ask(objects_of(id)).error == ENOENT);
	}
}

/* ---- objects ---- */

TEST_CASE("objects of all types")
{
	const Netlink netlink;
	const IotlbWorld world;
	const std::uint32_t other = world.context.ioas();
	const Mock mock = make_mock(world.context, other);
	const std::uint32_t context = last_context(netlink);
	const NetlinkAnswer answer = netlink.ask(objects_of(context));
	std::map<std::string, unsigned int> types;
	std::map<std::uint32_t, std::uint32_t> users;

	REQUIRE(answer.error == 0);
	CHECK(!answer.interrupted);
	for (const NetlinkMessage &message : answer.messages) {
		CHECK(message.u32(IOMMUKIT_NL_A_OBJECT_CONTEXT_ID) == context);
		types[message.text(IOMMUKIT_NL_A_OBJECT_TYPE)]++;
		users[message.u32(IOMMUKIT_NL_A_OBJECT_ID)] =
			message.u32(IOMMUKIT_NL_A_OBJECT_USERS);
	}
	CHECK(types["ioas"] == 2);
	CHECK(types["iotlb"] == 1);
	CHECK(types["access"] >= 1);
	CHECK(types["device"] == 1);
	CHECK(types["hwpt"] == 1);
	CHECK(types["mock"] == 1);
	/* The IOTLB, and the access of its client */
	CHECK(users.at(world.ioas) == 2);
	CHECK(users.at(other) == 1);
	CHECK(users.at(mock.hwpt) == 1);
	CHECK(users.at(mock.stdev) == 0);
	CHECK(context_facts(netlink, context).u32(IOMMUKIT_NL_A_CONTEXT_OBJECTS) ==
	      users.size());
	for (const auto &[id, count] : users) {
		const NetlinkAnswer one = netlink.ask(one_object(context, id));

		REQUIRE(one.messages.size() == 1);
		CHECK(one.messages[0].u32(IOMMUKIT_NL_A_OBJECT_USERS) == count);
	}
}

TEST_CASE("objects of all contexts")
{
	const Netlink netlink;
	const Context one, none, two;
	std::set<std::pair<std::uint32_t, std::uint32_t>> wanted, found;
	const std::vector<std::uint32_t> contexts = contexts_of(netlink, getpid());

	REQUIRE(contexts.size() == 3);
	for (int i = 0; i < 100; i++) {
		wanted.emplace(contexts[0], one.ioas());
		wanted.emplace(contexts[2], two.ioas());
	}
	const NetlinkAnswer answer =
		netlink.ask(NetlinkRequest(object_get, netlink_dump));
	REQUIRE(answer.error == 0);
	CHECK(!answer.interrupted);
	for (const NetlinkMessage &message : answer.messages)
		CHECK(found.emplace(message.u32(IOMMUKIT_NL_A_OBJECT_CONTEXT_ID),
				    message.u32(IOMMUKIT_NL_A_OBJECT_ID))
			      .second);
	CHECK(found == wanted);
}

TEST_CASE("a dump of many objects goes on where it was")
{
	constexpr unsigned int number = 500;
	const Netlink netlink;
	const Context context;
	std::vector<std::uint32_t> wanted;
	unsigned int pieces = 0;

	for (unsigned int i = 0; i < number; i++)
		wanted.push_back(context.ioas());
	const NetlinkAnswer answer =
		netlink.ask(objects_of(last_context(netlink)), [&] { pieces++; });
	CHECK(ids_in(answer) == wanted);
	CHECK(!answer.interrupted);
	CHECK(pieces > 2);
}

TEST_CASE("a dump that something came or went under")
{
	constexpr unsigned int number = 500;
	const Netlink netlink;
	std::optional<Context> context(std::in_place);
	const std::uint32_t id = last_context(netlink);
	std::set<std::uint32_t> wanted;
	bool first = true;

	for (unsigned int i = 0; i < number; i++)
		wanted.insert(context->ioas());
	const auto dump = [&](const std::function<void()> &change) {
		return netlink.ask(objects_of(id), [&, change] {
			if (first)
				change();
			first = false;
		});
	};
	SECTION("an object came")
	{
		const NetlinkAnswer answer = dump([&] { context->ioas(); });
		const std::vector<std::uint32_t> found = ids_in(answer);

		CHECK(answer.interrupted);
		CHECK(std::includes(found.begin(), found.end(), wanted.begin(),
				    wanted.end()));
	}
	SECTION("an object went")
	{
		const NetlinkAnswer answer = dump([&] { context->destroy(number); });
		const std::vector<std::uint32_t> found = ids_in(answer);

		CHECK(answer.interrupted);
		CHECK(found.size() == number - 1);
	}
	SECTION("the context went")
	{
		const NetlinkAnswer answer = dump([&] { context.reset(); });

		CHECK(answer.error == 0);
		CHECK(answer.interrupted);
		CHECK(answer.messages.size() < number);
	}
	SECTION("contexts do not care of objects, but of contexts")
	{
		/* The kernel is a part ahead of who reads. */
		std::vector<std::unique_ptr<Context>> many;

		for (unsigned int i = 0; i < 200; i++)
			many.push_back(std::make_unique<Context>());
		const auto contexts = [&](const std::function<void()> &change) {
			return netlink.ask(NetlinkRequest(context_get, netlink_dump),
					   change);
		};
		CHECK(!contexts([&] { context->ioas(); }).interrupted);
		CHECK(contexts([] { const Context another; }).interrupted);
	}
}

/* ---- what is refused ---- */

namespace {

struct Refusal {
	const char *name;
	NetlinkRequest request;
	int error;
	/* If empty: the core of the kernel says it in words of its own. */
	const char *reason;
};

NetlinkRequest get_context()
{
	return {context_get, netlink_do};
}

NetlinkRequest with(NetlinkRequest request, std::size_t more)
{
	request.payload.resize(request.payload.size() + more);
	return request;
}

std::vector<Refusal> refusals(std::uint32_t context)
{
	constexpr std::uint32_t no_such = 0x7ffffff0;
	const std::uint16_t half = 1;
	const auto id = IOMMUKIT_NL_A_CONTEXT_ID;
	const auto of = IOMMUKIT_NL_A_OBJECT_CONTEXT_ID;
	const auto object = IOMMUKIT_NL_A_OBJECT_ID;
	NetlinkRequest reserved = get_context().add(id, context);
	const NetlinkRequest dump{context_get, netlink_dump},
		get_object{object_get, netlink_do},
		dump_objects{object_get, netlink_dump};

	reserved.reserved = 1;
	return {
		{"no context", get_context(), EINVAL,
		 "which context? Its number is missing"},
		{"unknown context", get_context().add(id, no_such), ENOENT,
		 "no context has that number"},
		{"context 0", get_context().add(id, 0), ENOENT,
		 "no context has that number"},
		{"an answer's attribute",
		 get_context().add(id, context).add(IOMMUKIT_NL_A_CONTEXT_OBJECTS, 1),
		 EINVAL, ""},
		{"unknown attribute", get_context().add(id, context).add(1000, 1), EINVAL,
		 ""},
		{"short attribute", get_context().add(id, &half, sizeof(half)), EINVAL,
		 ""},
		{"long attribute", get_context().add(id, "12345678", 8), EINVAL, ""},
		{"bytes behind the attributes", with(get_context().add(id, context), 3),
		 EINVAL, ""},
		{"reserved bits of the header", reserved, EINVAL, ""},
		{"unknown flags",
		 NetlinkRequest(context_get, NLM_F_ATOMIC).add(id, context), EINVAL, ""},
		{"dump of one context", NetlinkRequest(dump).add(id, context), EINVAL,
		 "a dump is of all contexts; ask for one without NLM_F_DUMP"},
		{"dump with an unknown attribute", NetlinkRequest(dump).add(1000, 1),
		 EINVAL, ""},
		{"object of no context", NetlinkRequest(get_object).add(object, 1),
		 EINVAL, "an object of which context? Its number is missing"},
		{"no object", NetlinkRequest(get_object).add(of, context), EINVAL,
		 "which object? Its id is missing"},
		{"object of an unknown context", one_object(no_such, 1), ENOENT,
		 "no context has that number"},
		{"unknown object", one_object(context, no_such), ENOENT,
		 "the context has no such object"},
		{"dump of one object",
		 NetlinkRequest(dump_objects).add(of, context).add(object, 1), EINVAL,
		 "a dump is of all objects; ask for one without NLM_F_DUMP"},
		{"dump of an unknown context",
		 NetlinkRequest(dump_objects).add(of, no_such), ENOENT,
		 "no context has that number"},
	};
}

} // namespace

TEST_CASE("requests that are refused, and what is said to that")
{
	const Netlink netlink;
	const Context context;
	const std::uint32_t id = last_context(netlink);

	context.ioas();
	for (const Refusal &refusal : refusals(id)) {
		DYNAMIC_SECTION(refusal.name)
		{
			const NetlinkAnswer answer = netlink.ask(refusal.request);

			CHECK(Errno{answer.error} == Errno{refusal.error});
			CHECK(answer.messages.empty());
			CHECK(!answer.reason.empty());
			if (refusal.reason[0])
				CHECK(answer.reason == refusal.reason);
			/* Nothing is left of it. */
			CHECK(context_facts(netlink, id)
				      .u32(IOMMUKIT_NL_A_CONTEXT_OBJECTS) == 1);
		}
	}
}

TEST_CASE("a refusal points at what is wrong")
{
	const Netlink netlink;
	const NetlinkAnswer answer =
		netlink.ask(NetlinkRequest(context_get, netlink_do)
				    .add(IOMMUKIT_NL_A_CONTEXT_ID, 0x7ffffff0));

	REQUIRE(answer.where);
	CHECK(*answer.where == NLMSG_HDRLEN + 4);
}

TEST_CASE("requests that the kernel's core refuses without a word")
{
	const Netlink netlink;
	NetlinkRequest request(context_get, netlink_do);

	SECTION("events are no requests")
	{
		request.command = IOMMUKIT_NL_CMD_CONTEXT_NEW;
		CHECK(netlink.ask(request).error == EOPNOTSUPP);
	}
	SECTION("an unknown one")
	{
		request.command = 200;
		CHECK(netlink.ask(request).error == EOPNOTSUPP);
	}
	SECTION("the header ends early")
	{
		request.longer = -2;
		CHECK(netlink.ask(request).error == EINVAL);
	}
}

TEST_CASE("requests of random bytes")
{
	const Netlink netlink;
	const Context context;
	unsigned int random = seed();
	const auto next = [&] { return random = random * 1664525 + 1013904223; };

	for (unsigned int i = 0; i < 20000 / slowness(); i++) {
		NetlinkRequest request(next() >> 24 & 7, next() >> 31 ? netlink_dump : 0);

		request.payload.resize(next() >> 26);
		for (std::byte &byte : request.payload)
			byte = std::byte(next() >> 24 & (next() >> 30 ? 0x07 : 0xff));
		const NetlinkAnswer answer = netlink.ask(request);
		if (answer.error)
			CHECK(answer.messages.empty());
	}
	CHECK(contexts_of(netlink, getpid()).size() == 1);
}

/* ---- no memory ---- */

TEST_CASE("fail-nth: CONTEXT_GET and OBJECT_GET")
{
	const Netlink netlink;
	const Context context;
	const std::uint32_t id = last_context(netlink), ioas = context.ioas();
	const bool object = GENERATE(false, true);
	const NetlinkRequest request =
		object ? one_object(id, ioas)
		       : get_context().add(IOMMUKIT_NL_A_CONTEXT_ID, id);
	NetlinkAnswer answer;

	/* The kernel's own points would fail the test's sending and receiving as well. */
	sweep(Source::core,
	      {object ? "OBJECT_GET" : "CONTEXT_GET",
	       1,
	       [&] {
		       answer = netlink.ask(request);
		       CHECK(answer.reason ==
			     (answer.error ? "no memory for the answer" : ""));
		       return Errno{answer.error};
	       },
	       [] {},
	       {ENOMEM}},
	      no_state);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is mapped where, as administrators see it by netlink: dumps of areas, while
 * nothing and while everything changes; and who may see neither that nor what IOTLBs
 * translate, for which see test_netlink_entry.cpp.
 */
#include "access.h"
#include "fault.h"
#include "iotlb_world.h"
#include "mock.h"
#include "netlink.h"
#include "ondemand.h"
#include "process.h"

#include <linux/capability.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <optional>
#include <set>
#include <thread>

using namespace guest;

namespace {

constexpr std::uint8_t area_get = IOMMUKIT_NL_CMD_AREA_GET;
constexpr std::uint8_t entry_get = IOMMUKIT_NL_CMD_ENTRY_GET;
constexpr std::uint64_t iova = 0x1000000;
constexpr std::uint64_t stride = 2 * page_size;
constexpr std::uint32_t no_such = 0x7ffffff0;

NetlinkRequest areas_in(std::uint32_t context, std::uint32_t ioas, std::uint64_t first,
			std::uint64_t last)
{
	return areas_of(context, ioas)
		.add_u64(IOMMUKIT_NL_A_AREA_IOVA, first)
		.add_u64(IOMMUKIT_NL_A_AREA_LAST, last);
}

std::vector<std::uint64_t> iovas_in(const NetlinkAnswer &answer)
{
	std::vector<std::uint64_t> found;

	INFO(answer.reason);
	REQUIRE(answer.error == 0);
	for (const NetlinkMessage &message : answer.messages)
		found.push_back(message.u64(IOMMUKIT_NL_A_AREA_IOVA));
	return found;
}

/* An IOAS with areas of one page, and holes of one between them. */
struct Areas {
	explicit Areas(std::uint64_t number) : number(number)
	{
		for (std::uint64_t i = 0; i < number; i++)
			map(i);
	}

	static std::uint64_t at(std::uint64_t i) { return iova + i * stride; }
	void map(std::uint64_t i) const
	{
		REQUIRE(context->try_map(ioas, memory.va(), page_size, at(i)) == ok);
	}
	void unmap(std::uint64_t i) const { context->unmap(ioas, at(i), page_size); }
	NetlinkAnswer dump(const std::function<void()> &between = [] {}) const
	{
		return netlink.ask(areas_of(id, ioas), between);
	}
	/* The change comes when the first part was read. */
	NetlinkAnswer dump_and(const std::function<void()> &change) const
	{
		bool first = true;

		return dump([&] {
			if (first)
				change();
			first = false;
		});
	}
	std::vector<std::uint64_t> all() const
	{
		std::vector<std::uint64_t> iovas;

		for (std::uint64_t i = 0; i < number; i++)
			iovas.push_back(at(i));
		return iovas;
	}

	std::uint64_t number;
	Netlink netlink;
	std::optional<Context> context{std::in_place};
	std::uint32_t id = last_context(netlink), ioas = context->ioas();
	Memory memory{page_size};
};

bool contains(const std::vector<std::uint64_t> &values, std::uint64_t value)
{
	return std::find(values.begin(), values.end(), value) != values.end();
}

void check_area(const NetlinkMessage &area, std::uint64_t at, std::uint64_t length,
		std::uint32_t flags, std::uint64_t address)
{
	CHECK(area.u64(IOMMUKIT_NL_A_AREA_IOVA) == at);
	CHECK(area.u64(IOMMUKIT_NL_A_AREA_LAST) == at + length - 1);
	CHECK(area.u32(IOMMUKIT_NL_A_AREA_FLAGS) == flags);
	CHECK(area.u64(IOMMUKIT_NL_A_AREA_USER_ADDRESS) == address);
	const bool ondemand = flags & IOMMUKIT_NL_AREA_ONDEMAND;
	CHECK(area.has(IOMMUKIT_NL_A_AREA_PRESENT_BYTES) == ondemand);
	CHECK(area.has(IOMMUKIT_NL_A_AREA_COUNTERS) == ondemand);
}

} // namespace

/* ---- areas ---- */

TEST_CASE("areas of all kinds")
{
	constexpr std::uint32_t rw =
		IOMMUKIT_NL_AREA_READABLE | IOMMUKIT_NL_AREA_WRITEABLE;
	const OndemandWorld world;
	const Netlink netlink;
	const std::uint32_t id = last_context(netlink), copied = world.context.ioas();
	const Memory memory(4 * page_size, Memory::Kind::private_anonymous);
	const Fd file(memfd_create("areas", MFD_CLOEXEC));

	madvise(memory.data(), memory.size(), MADV_NOHUGEPAGE);
	memory.fill(1);
	REQUIRE(ftruncate(file.get(), 8 * page_size) == 0);
	/* Where nobody pins, nothing needs to be aligned. */
	const std::uint32_t crooked = world.context.ioas();
	REQUIRE(world.context.try_map(crooked, memory.va() + 100, 1000, iova + 3) == ok);
	REQUIRE(world.context.try_map(world.ioas, memory.va() + page_size, page_size,
				      iova + page_size, map_read | map_fixed) == ok);
	REQUIRE(world.context.try_map_file(world.ioas, file.get(), 2 * page_size,
					   page_size, iova + 2 * page_size) == ok);
	world.map(memory.va(), memory.size(), map_rw_fixed, OndemandWorld::iova, 0);
	REQUIRE(world.touch(0) == ok);
	REQUIRE(world.touch(2 * page_size) == ok);
	REQUIRE(world.context.try_copy(copied, 0, world.ioas,
				       OndemandWorld::iova + page_size, 2 * page_size,
				       map_read | map_fixed) == ok);

	const NetlinkAnswer answer = netlink.ask(areas_of(id, world.ioas));
	REQUIRE(answer.error == 0);
	CHECK(!answer.interrupted);
	REQUIRE(answer.messages.size() == 3);
	for (const NetlinkMessage &message : answer.messages) {
		CHECK(message.u32(IOMMUKIT_NL_A_AREA_CONTEXT_ID) == id);
		CHECK(message.u32(IOMMUKIT_NL_A_AREA_IOAS_ID) == world.ioas);
	}
	check_area(answer.messages[0], iova + page_size, page_size,
		   IOMMUKIT_NL_AREA_READABLE, memory.va() + page_size);
	check_area(answer.messages[1], iova + 2 * page_size, page_size,
		   rw | IOMMUKIT_NL_AREA_FILE, 2 * page_size);
	check_area(answer.messages[2], OndemandWorld::iova, memory.size(),
		   rw | IOMMUKIT_NL_AREA_ONDEMAND, memory.va());
	CHECK(answer.messages[2].u64(IOMMUKIT_NL_A_AREA_PRESENT_BYTES) == 2 * page_size);
	const Stats stats = world.stats();
	const auto counters = answer.messages[2].array(IOMMUKIT_NL_A_AREA_COUNTERS);
	REQUIRE(sizeof(stats) - offsetof(Stats, out_faults_read) ==
		counters.size() * sizeof(counters[0]));
	CHECK(std::memcmp(&stats.out_faults_read, counters.data(),
			  counters.size() * sizeof(counters[0])) == 0);

	const NetlinkAnswer other = netlink.ask(areas_of(id, copied));
	REQUIRE(other.messages.size() == 1);
	check_area(other.messages[0], 0, 2 * page_size,
		   IOMMUKIT_NL_AREA_READABLE | IOMMUKIT_NL_AREA_ONDEMAND,
		   memory.va() + page_size);
	const NetlinkAnswer third = netlink.ask(areas_of(id, crooked));
	REQUIRE(third.messages.size() == 1);
	check_area(third.messages[0], iova + 3, 1000, rw, memory.va() + 100);
}

TEST_CASE("an area whose process has gone")
{
	const Netlink netlink;
	const Context context;
	const std::uint32_t id = last_context(netlink), ioas = context.ioas();

	CHECK(in_child([&]() -> int {
		      const Memory memory(page_size, Memory::Kind::private_anonymous);

		      _exit(try_map_ondemand(context, ioas, memory.va(), page_size, iova)
				    .value);
	      }) == 0);
	const NetlinkAnswer answer = netlink.ask(areas_of(id, ioas));
	REQUIRE(answer.messages.size() == 1);
	CHECK((answer.messages[0].u32(IOMMUKIT_NL_A_AREA_FLAGS) &
	       IOMMUKIT_NL_AREA_DEAD) != 0);
}

TEST_CASE("areas of a range")
{
	const Areas areas(5);
	const auto found = [&](std::uint64_t first, std::uint64_t last) {
		return iovas_in(
			areas.netlink.ask(areas_in(areas.id, areas.ioas, first, last)));
	};
	const auto from = [&](std::uint64_t first) {
		return iovas_in(areas.netlink.ask(
			areas_of(areas.id, areas.ioas)
				.add_u64(IOMMUKIT_NL_A_AREA_IOVA, first)));
	};
	using Iovas = std::vector<std::uint64_t>;

	CHECK(found(0, all_ones) == areas.all());
	CHECK(found(0, iova - 1).empty());
	CHECK(found(0, iova) == Iovas{Areas::at(0)});
	/* The last byte of one, and the first of another */
	CHECK(found(Areas::at(1) + page_size - 1, Areas::at(2)) ==
	      Iovas{Areas::at(1), Areas::at(2)});
	CHECK(found(Areas::at(1) + page_size, Areas::at(2) - 1).empty());
	CHECK(found(Areas::at(3) + 7, Areas::at(3) + 7) == Iovas{Areas::at(3)});
	CHECK(from(Areas::at(4)) == Iovas{Areas::at(4)});
	CHECK(from(Areas::at(4) + page_size).empty());
	CHECK(from(all_ones).empty());
	CHECK(iovas_in(areas.netlink.ask(
		      areas_of(areas.id, areas.ioas)
			      .add_u64(IOMMUKIT_NL_A_AREA_LAST, Areas::at(1) - 1))) ==
	      Iovas{Areas::at(0)});
}

TEST_CASE("the area at the end of all IOVA")
{
	const Areas areas(0);
	const std::uint64_t last_page = all_ones - 2 * page_size + 1;

	REQUIRE(areas.context->try_map(areas.ioas, areas.memory.va(), page_size,
				       last_page) == ok);
	CHECK(iovas_in(areas.dump()) == std::vector<std::uint64_t>{last_page});
}

TEST_CASE("an IOAS without areas")
{
	const Areas areas(0);
	const NetlinkAnswer answer = areas.dump();

	CHECK(answer.error == 0);
	CHECK(!answer.interrupted);
	CHECK(answer.messages.empty());
}

TEST_CASE("a dump of many areas goes on where it was")
{
	Areas areas(2 * many());
	unsigned int parts = 0;
	const std::size_t at_once = GENERATE(4096, 32768);

	areas.netlink.read_at_once(at_once);
	const NetlinkAnswer answer = areas.dump([&] { parts++; });
	CHECK(iovas_in(answer) == areas.all());
	CHECK(!answer.interrupted);
	CHECK(parts > 2);
	/* The first part is a page long whatever is read. */
	CHECK(parts < areas.number * 100 / at_once + 3);
}

TEST_CASE("a dump under which areas come and go")
{
	const Areas areas(many());

	SECTION("one comes ahead")
	{
		const auto found = areas.dump_and([&] { areas.map(2 * areas.number); });

		CHECK(found.interrupted);
		CHECK(iovas_in(found).size() == areas.number + 1);
	}
	SECTION("one comes behind")
	{
		const auto found = areas.dump_and([&] {
			REQUIRE(areas.context->try_map(areas.ioas, areas.memory.va(),
						       page_size, 0) == ok);
		});

		CHECK(found.interrupted);
		CHECK(iovas_in(found) == areas.all());
	}
	SECTION("one goes ahead")
	{
		const auto found = areas.dump_and([&] { areas.unmap(areas.number - 1); });

		CHECK(found.interrupted);
		CHECK(iovas_in(found).size() == areas.number - 1);
		CHECK(!contains(iovas_in(found), Areas::at(areas.number - 1)));
	}
	SECTION("one goes behind")
	{
		const auto found = areas.dump_and([&] { areas.unmap(0); });

		CHECK(found.interrupted);
		CHECK(iovas_in(found) == areas.all());
	}
	SECTION("all go")
	{
		const auto found =
			areas.dump_and([&] { areas.context->unmap_all(areas.ioas); });

		CHECK(found.interrupted);
		CHECK(found.error == 0);
		CHECK(found.messages.size() < areas.number);
	}
	SECTION("those of another IOAS do")
	{
		const auto found = areas.dump_and([&] {
			REQUIRE(areas.context->try_map(areas.context->ioas(),
						       areas.memory.va(), page_size,
						       0) == ok);
		});

		CHECK(!found.interrupted);
		CHECK(iovas_in(found) == areas.all());
	}
}

TEST_CASE("a dump under which the IOAS goes")
{
	Areas areas(many());
	NetlinkAnswer found;

	SECTION("by command")
	{
		found = areas.dump_and([&] { areas.context->destroy(areas.ioas); });
	}
	SECTION("with its context")
	{
		found = areas.dump_and([&] { areas.context.reset(); });
		CHECK(!areas.context);
	}
	SECTION("and another one has its id")
	{
		found = areas.dump_and([&] {
			areas.context->destroy(areas.ioas);
			REQUIRE(areas.context->ioas() == areas.ioas);
			areas.map(areas.number - 1);
		});
	}
	SECTION("and something else has its id")
	{
		found = areas.dump_and([&] {
			areas.context->destroy(areas.ioas);
			REQUIRE(make_fault_queue(*areas.context).id == areas.ioas);
		});
	}
	CHECK(found.error == 0);
	CHECK(found.interrupted);
	CHECK(found.messages.size() < areas.number);
}

TEST_CASE("areas that stay while others come and go in other threads")
{
	const std::uint64_t number = 2 * many() / 4 * 4;
	const Areas areas(number);
	std::atomic<bool> over = false;
	std::atomic<std::uint64_t> wrong = 0, changes = 0;
	const unsigned int dumps = 50 / slowness() + 5;
	unsigned int interrupted = 0;
	std::thread changer([&] {
		/* Of each four the second one */
		for (std::uint64_t i = 1; !over; i = (i + 4) % number) {
			std::uint64_t bytes = 0;

			wrong += areas.context->try_unmap(areas.ioas, Areas::at(i),
							  page_size, &bytes) != ok;
			wrong += areas.context->try_map(areas.ioas, areas.memory.va(),
							page_size, Areas::at(i)) != ok;
			changes++;
		}
	});

	for (unsigned int n = 0; n < dumps || !interrupted; n++) {
		const NetlinkAnswer answer = areas.dump();
		std::vector<std::uint64_t> stay;

		wrong += answer.error != 0;
		interrupted += answer.interrupted;
		const std::vector<std::uint64_t> found = iovas_in(answer);
		wrong += !std::is_sorted(found.begin(), found.end());
		wrong += std::set(found.begin(), found.end()).size() != found.size();
		for (const std::uint64_t at : found)
			if ((at - iova) / stride % 4 != 1)
				stay.push_back(at);
		wrong += stay.size() != number - number / 4;
	}
	over = true;
	changer.join();
	CHECK(wrong == 0);
	CHECK(changes > 0);
	/* What is not marked is as it was at some time. */
	CHECK(interrupted > 0);
}

TEST_CASE("whoever looks makes nothing that ends fail")
{
	const unsigned int rounds = 60 / slowness() + 6;
	const NothingLeft nothing_left;
	std::atomic<bool> over = false;
	std::atomic<std::uint32_t> context_id = 0, ioas_id = 0, iotlb_id = 0;
	std::atomic<std::uint64_t> seen = 0;
	std::uint64_t wrong = 0;
	const auto look = [&](bool areas) {
		const Netlink netlink;

		while (!over) {
			const NetlinkAnswer answer =
				netlink.ask(areas ? areas_of(context_id, ioas_id)
						  : entries_of(context_id, iotlb_id));

			seen += answer.messages.size();
		}
	};
	std::thread one(look, true), two(look, true), three(look, false);
	const Netlink netlink;

	for (unsigned int i = 0; i < rounds; i++) {
		std::optional<Context> context(std::in_place);
		const Memory memory(page_size);
		const std::uint32_t ioas = context->ioas();
		std::optional<Iotlb> iotlb(std::in_place, *context, ioas);

		context_id = last_context(netlink);
		ioas_id = ioas;
		iotlb_id = iotlb->id();
		for (std::uint64_t n = 0; n < 100; n++) {
			wrong += context->try_map(ioas, memory.va(), page_size,
						  Areas::at(n)) != ok;
			wrong += iotlb->try_submit(update_of(n * stride, page_size,
							     Areas::at(n))) != ok;
		}
		/* By command, and with the context */
		if (i % 2) {
			wrong += context->try_destroy(iotlb->id()) != ok;
			wrong += context->try_destroy(ioas) != ok;
		}
	}
	over = true;
	one.join();
	two.join();
	three.join();
	CHECK(wrong == 0);
	CHECK(seen > 0);
}

/* ---- what is refused ---- */

TEST_CASE("addresses are for administrators")
{
	const IotlbWorld world;
	const std::uint32_t id = last_context(Netlink());
	const bool entries = GENERATE(false, true);
	const NetlinkRequest request =
		entries ? entries_of(id, world.iotlb.id()) : areas_of(id, world.ioas);
	const auto look = [&](const std::function<int()> &become) {
		return in_child([&] {
			/* Also by a socket of who might. */
			const Netlink before;
			if (const int error = become())
				return error;
			const Netlink after;
			for (const Netlink *netlink : {&before, &after}) {
				const NetlinkAnswer answer = netlink->ask(request);

				if (answer.error != EPERM || !answer.messages.empty() ||
				    answer.reason !=
					    "addresses are for who has CAP_SYS_ADMIN")
					return 200;
			}
			return 0;
		});
	};

	CHECK(look([] { return become_user(2008, 0); }) == 0);
	CHECK(look([] { return drop_capability(CAP_SYS_ADMIN); }) == 0);
	/* Whoever is root of a namespace of his own, where there are such */
	if (access("/proc/self/ns/user", F_OK) == 0)
		CHECK(look([] { return unshare(CLONE_NEWUSER) ? errno : 0; }) == 0);
	const NetlinkAnswer answer = Netlink().ask(request);
	CHECK(answer.error == 0);
}

namespace {

struct Refusal {
	const char *name;
	NetlinkRequest request;
	int error;
	/* If empty: the core of the kernel says it in words of its own. */
	const char *reason;
};

NetlinkRequest cut(NetlinkRequest request, std::size_t less)
{
	request.payload.resize(request.payload.size() - less);
	return request;
}

std::vector<Refusal> refusals(std::uint32_t id, std::uint32_t ioas, std::uint32_t iotlb)
{
	const NetlinkRequest area{area_get, netlink_dump}, entry{entry_get, netlink_dump};
	const auto of = IOMMUKIT_NL_A_AREA_CONTEXT_ID;
	const auto entry_of = IOMMUKIT_NL_A_ENTRY_CONTEXT_ID;
	const std::uint16_t half = 1;

	return {
		{"areas of no context",
		 NetlinkRequest(area).add(IOMMUKIT_NL_A_AREA_IOAS_ID, ioas), EINVAL,
		 "areas of which context? Its number is missing"},
		{"areas of no IOAS", NetlinkRequest(area).add(of, id), EINVAL,
		 "areas of which IOAS? Its id is missing"},
		{"areas of an unknown context", areas_of(no_such, ioas), ENOENT,
		 "no context has that number"},
		{"areas of an unknown IOAS", areas_of(id, no_such), ENOENT,
		 "the context has no such IOAS"},
		{"areas of an IOTLB", areas_of(id, iotlb), ENOENT,
		 "the context has no such IOAS"},
		{"a range backwards", areas_in(id, ioas, 2, 1), EINVAL,
		 "the range ends before it begins"},
		{"an IOVA of half the size",
		 areas_of(id, ioas).add(IOMMUKIT_NL_A_AREA_IOVA, 1), EINVAL, ""},
		{"an id of half the size",
		 NetlinkRequest(area).add(of, id).add(IOMMUKIT_NL_A_AREA_IOAS_ID, &half,
						      sizeof(half)),
		 EINVAL, ""},
		{"an attribute of answers",
		 areas_of(id, ioas).add(IOMMUKIT_NL_A_AREA_FLAGS, 1), EINVAL, ""},
		{"an unknown attribute", areas_of(id, ioas).add(1000, 1), EINVAL, ""},
		{"a request that ends in an attribute", cut(areas_in(id, ioas, 0, 1), 4),
		 EINVAL, ""},
		{"entries of no context",
		 NetlinkRequest(entry).add(IOMMUKIT_NL_A_ENTRY_IOTLB_ID, iotlb), EINVAL,
		 "entries of which context? Its number is missing"},
		{"entries of no IOTLB", NetlinkRequest(entry).add(entry_of, id), EINVAL,
		 "entries of which IOTLB? Its id is missing"},
		{"entries of an unknown context", entries_of(no_such, iotlb), ENOENT,
		 "no context has that number"},
		{"entries of an IOAS", entries_of(id, ioas), ENOENT,
		 "the context has no such IOTLB"},
		{"entries of an unknown address space",
		 entries_of(id, iotlb).add(IOMMUKIT_NL_A_ENTRY_ASID, 1), EINVAL,
		 "the IOTLB has no such address space"},
		{"an attribute of entries",
		 entries_of(id, iotlb).add_u64(IOMMUKIT_NL_A_ENTRY_FIRST, 1), EINVAL, ""},
		{"a request for entries that ends in an attribute",
		 cut(entries_of(id, iotlb), 2), EINVAL, ""},
	};
}

} // namespace

TEST_CASE("dumps that are refused, and what is said to that")
{
	const Netlink netlink;
	const IotlbWorld world;
	const std::uint32_t id = last_context(netlink);

	for (const Refusal &refusal : refusals(id, world.ioas, world.iotlb.id())) {
		DYNAMIC_SECTION(refusal.name)
		{
			const NetlinkAnswer answer = netlink.ask(refusal.request);

			CHECK(Errno{answer.error} == Errno{refusal.error});
			CHECK(answer.messages.empty());
			CHECK(!answer.reason.empty());
			if (refusal.reason[0])
				CHECK(answer.reason == refusal.reason);
			CHECK(netlink.ask(areas_of(id, world.ioas)).error == 0);
		}
	}
}

TEST_CASE("there are only dumps of areas and entries")
{
	const Netlink netlink;
	const IotlbWorld world;
	const std::uint32_t id = last_context(netlink);
	NetlinkRequest area = areas_of(id, world.ioas);
	NetlinkRequest entry = entries_of(id, world.iotlb.id());

	area.flags = netlink_do;
	entry.flags = netlink_do;
	CHECK(netlink.ask(area).error == EOPNOTSUPP);
	CHECK(netlink.ask(entry).error == EOPNOTSUPP);
}

/* ---- failures ---- */

TEST_CASE("fail-nth: AREA_GET")
{
	const std::size_t number = 240;
	const Areas areas(number);
	NetlinkAnswer answer;

	/* Each part looks for the object again. */
	sweep(Source::core,
	      {"AREA_GET",
	       4,
	       [&] {
		       answer = areas.dump();
		       /* It goes for whoever has seen some of it, or it never was. */
		       if (answer.messages.size() == number)
			       return answer.interrupted ? Errno{EIO} : ok;
		       if (!answer.messages.empty())
			       return Errno{answer.interrupted && !answer.error ? ENOENT
										: EIO};
		       CHECK(answer.reason == "the context has no such IOAS");
		       return Errno{answer.error};
	       },
	       [] {},
	       {ENOENT}},
	      no_state);
}

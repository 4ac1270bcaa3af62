// SPDX-License-Identifier: GPL-2.0-only
/* Device IOTLBs by the commands of their owner: making, ending, looking, limits. */
#include "iotlb_world.h"
#include "mock.h"
#include "process.h"

#include <poll.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

using namespace guest;

namespace {

constexpr std::uint64_t target = IotlbWorld::target;
constexpr std::uint32_t minute_ms = 60 * 1000;

std::uint64_t parameter(const std::string &name)
{
	std::uint64_t value = 0;

	REQUIRE(std::ifstream("/sys/module/iommukit/parameters/" + name) >> value);
	return value;
}

/* How many descriptors this process has. */
std::size_t descriptors()
{
	const std::filesystem::directory_iterator all("/proc/self/fd");

	return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

/* An IOTLB with as many entries of one page. */
struct Filled {
	explicit Filled(std::uint64_t entries = 0,
			std::uint32_t policy = IOMMUKIT_IOTLB_EVICT_NONE)
		: ioas(context.ioas()), iotlb(context, how(ioas, policy))
	{
		for (std::uint64_t n = 0; n < entries; n++)
			iotlb.update(n * page_size, page_size, 2 * n * page_size);
	}
	static iommukit_iotlb_alloc how(std::uint32_t ioas, std::uint32_t policy)
	{
		auto cmd = iotlb_alloc(ioas);

		cmd.evict_policy = policy;
		return cmd;
	}

	Context context;
	std::uint32_t ioas;
	Iotlb iotlb;
};

/* An IOTLB that is destroyed as soon as it has been made. */
Errno probe_alloc(const Context &context, iommukit_iotlb_alloc &cmd)
{
	const Errno error = try_iotlb(context, cmd);

	if (error == ok) {
		if (cmd.out_channel_fd >= 0)
			::close(cmd.out_channel_fd);
		context.destroy(cmd.out_iotlb_id);
	}
	return error;
}

} // namespace

/* ---- IOTLB_ALLOC ---- */

TEST_CASE("IOTLB_ALLOC: errors in their order")
{
	using Cmd = iommukit_iotlb_alloc;
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Mock mock = make_mock(context, ioas);
	const auto most = static_cast<std::uint32_t>(parameter("iotlb_max_entries"));

	check_ordered<Cmd>(
		{
			{"an unknown flag", "flags", [](Cmd &c) { c.flags |= 1 << 3; },
			 EOPNOTSUPP},
			{"__reserved", "__reserved", [](Cmd &c) { c.__reserved = 1; },
			 EOPNOTSUPP},
			{"addresses of the process, and an IOAS", "ioas_id",
			 [](Cmd &c) { c.flags |= IOMMUKIT_IOTLB_TARGET_UVA; }, EINVAL},
			{"too many address spaces", "num_asids",
			 [](Cmd &c) { c.num_asids = 4097; }, EINVAL},
			{"too few entries", "max_entries",
			 [](Cmd &c) { c.max_entries = 15; }, EINVAL},
			{"one entry", "max_entries", [](Cmd &c) { c.max_entries = 1; },
			 EINVAL},
			{"too many entries", "max_entries",
			 [most](Cmd &c) { c.max_entries = most + 1; }, EINVAL},
			{"too many misses", "max_pending",
			 [](Cmd &c) { c.max_pending = 65537; }, EINVAL},
			{"too much time", "miss_timeout_ms",
			 [](Cmd &c) { c.miss_timeout_ms = 60 * minute_ms + 1; }, EINVAL},
			{"nearly for ever", "miss_timeout_ms",
			 [](Cmd &c) { c.miss_timeout_ms = for_ever - 1; }, EINVAL},
			{"an unknown policy", "evict_policy",
			 [](Cmd &c) { c.evict_policy = 3; }, EOPNOTSUPP},
			{"an aperture that ends before it begins", "iova_first",
			 [](Cmd &c) {
				 c.iova_first = 2;
				 c.iova_last = 1;
			 },
			 EINVAL},
			{"too large a granule", "granule_shift",
			 [](Cmd &c) { c.granule_shift = 31; }, EINVAL},
			{"too long a spin", "spin_us", [](Cmd &c) { c.spin_us = 1001; },
			 EINVAL},
			{"no object", "ioas_id", [](Cmd &c) { c.ioas_id = 0; }, ENOENT},
			{"an id that is free", "ioas_id",
			 [](Cmd &c) { c.ioas_id = 0xffffff; }, ENOENT},
			{"a HWPT", "ioas_id", [&](Cmd &c) { c.ioas_id = mock.hwpt; },
			 ENOENT},
			{"a device", "ioas_id", [&](Cmd &c) { c.ioas_id = mock.device; },
			 ENOENT},
		},
		iotlb_alloc(ioas), [&](Cmd &cmd) { return probe_alloc(context, cmd); });
}

TEST_CASE("IOTLB_ALLOC: each member at its limits")
{
	using Cmd = iommukit_iotlb_alloc;
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const auto most = static_cast<std::uint32_t>(parameter("iotlb_max_entries"));
	const struct {
		const char *name;
		std::function<void(Cmd &)> set;
	} table[] = {
		{"defaults",
		 [&](Cmd &c) {
			 c = command<Cmd>();
			 c.ioas_id = ioas;
		 }},
		{"most address spaces", [](Cmd &c) { c.num_asids = 4096; }},
		{"one address space", [](Cmd &c) { c.num_asids = 1; }},
		{"fewest entries", [](Cmd &c) { c.max_entries = 16; }},
		{"most entries", [&](Cmd &c) { c.max_entries = most; }},
		{"most misses", [](Cmd &c) { c.max_pending = 65536; }},
		{"one miss", [](Cmd &c) { c.max_pending = 1; }},
		{"an hour", [](Cmd &c) { c.miss_timeout_ms = 60 * minute_ms; }},
		{"for ever",
		 [](Cmd &c) { c.miss_timeout_ms = IOMMUKIT_IOTLB_NO_TIMEOUT; }},
		{"first in, first out",
		 [](Cmd &c) { c.evict_policy = IOMMUKIT_IOTLB_EVICT_FIFO; }},
		{"nothing is forgotten",
		 [](Cmd &c) { c.evict_policy = IOMMUKIT_IOTLB_EVICT_NONE; }},
		{"an aperture of one byte",
		 [](Cmd &c) { c.iova_first = c.iova_last = 5; }},
		{"an aperture of everything", [](Cmd &c) { c.iova_last = all_ones; }},
		{"an aperture at the end",
		 [](Cmd &c) { c.iova_first = c.iova_last = all_ones; }},
		{"largest granule", [](Cmd &c) { c.granule_shift = 30; }},
		{"longest spin", [](Cmd &c) { c.spin_us = 1000; }},
		{"kept entries", [](Cmd &c) { c.flags = IOMMUKIT_IOTLB_KEEP_ON_CLOSE; }},
		{"addresses of the process",
		 [](Cmd &c) {
			 c.flags = IOMMUKIT_IOTLB_TARGET_UVA;
			 c.ioas_id = 0;
		 }},
		{"any tag", [](Cmd &c) { c.user_tag = all_ones; }},
	};

	for (const auto &row : table) {
		INFO(row.name);
		auto cmd = iotlb_alloc(ioas);

		row.set(cmd);
		CHECK(probe_alloc(context, cmd) == ok);
		CHECK(cmd.out_iotlb_id != 0);
		CHECK(cmd.out_channel_fd >= 0);
	}
	auto cmd = iotlb_alloc(ioas, IOMMUKIT_IOTLB_NO_CHANNEL);

	cmd.out_channel_fd = 77;
	CHECK(probe_alloc(context, cmd) == ok);
	CHECK(cmd.out_channel_fd == -1);
}

TEST_CASE("IOTLB_ALLOC: an answer that cannot be written leaves nothing behind")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const PageAndHole memory;
	auto *cmd = static_cast<iommukit_iotlb_alloc *>(
		memory.tail(sizeof(iommukit_iotlb_alloc)));
	const std::size_t before = descriptors();

	*cmd = iotlb_alloc(ioas);
	memory.write_protect();
	CHECK(call(context.fd(), IOMMUKIT_IOTLB_ALLOC, cmd) == Errno{EFAULT});
	CHECK(descriptors() == before);
	/* Ids are the lowest that are free. */
	CHECK(context.ioas() == ioas + 1);
	CHECK(context.try_destroy(ioas) == ok);
}

TEST_CASE("as many IOTLBs as the parameter says")
{
	const auto most = parameter("iotlb_max_objects");
	const Context context, other;
	const std::uint32_t ioas = context.ioas();
	auto cmd = iotlb_alloc(ioas, IOMMUKIT_IOTLB_NO_CHANNEL);

	cmd.max_entries = 16;
	cmd.max_pending = 1;
	for (std::uint64_t n = 0; n < most; n++)
		REQUIRE(try_iotlb(context, cmd) == ok);
	const std::uint32_t last = cmd.out_iotlb_id;

	CHECK(try_iotlb(context, cmd) == Errno{ENOSPC});
	context.destroy(last);
	CHECK(try_iotlb(context, cmd) == ok);
	/* Another context has its own. */
	cmd.ioas_id = other.ioas();
	CHECK(try_iotlb(other, cmd) == ok);
}

/* ---- life ---- */

TEST_CASE("an IOTLB keeps its IOAS")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Iotlb iotlb(context, ioas);

	CHECK(context.try_destroy(ioas) == Errno{EBUSY});
	CHECK(context.try_destroy(iotlb.id()) == ok);
	CHECK(context.try_destroy(iotlb.id()) == Errno{ENOENT});
	CHECK(context.try_destroy(ioas) == ok);
}

TEST_CASE("a client keeps the IOTLB, a channel does not")
{
	IotlbWorld world;
	const std::uint32_t id = world.iotlb.id();

	CHECK(world.context.try_destroy(id) == Errno{EBUSY});
	CHECK(world.reader.probe(0, 1).error == Errno{EAGAIN});
	world.client.close();
	CHECK(world.context.try_destroy(id) == ok);
	CHECK(world.channel.events() & (POLLERR | POLLHUP));
}

TEST_CASE("one channel at a time")
{
	Filled filled;
	Fd opened;

	CHECK(filled.iotlb.try_open(&opened) == Errno{EBUSY});
	CHECK(try_channel_open(filled.context, filled.ioas, &opened) == Errno{ENOENT});
	CHECK(try_channel_open(filled.context, 0, &opened) == Errno{ENOENT});
	filled.iotlb.channel.configure(IOMMUKIT_IOTLB_CHAN_EPOCH);
	filled.iotlb.channel.close();
	filled.iotlb.open();
	/* It begins anew. */
	CHECK(filled.iotlb.channel.info().out_format == IOMMUKIT_IOTLB_MSG_V1);
	CHECK(filled.iotlb.channel.info().out_features == 0);
	CHECK(filled.iotlb.try_open(&opened) == Errno{EBUSY});
}

TEST_CASE("an IOTLB without a channel gets one later")
{
	const Context context;
	Iotlb iotlb(context, iotlb_alloc(context.ioas(), IOMMUKIT_IOTLB_NO_CHANNEL));
	const IotlbClient client(context, iotlb.id());
	const Reader reader(client);

	CHECK(reader.translate(0, 1).error == Errno{ENOTCONN});
	CHECK(reader.nowait(0, 1).error == Errno{ENOTCONN});
	CHECK(reader.probe(0, 1).error == Errno{EAGAIN});
	iotlb.update(0, page_size, 0);
	CHECK(reader.translate(0, 1).error == ok);
	iotlb.open();
	CHECK(reader.nowait(page_size, 1).error == Errno{EAGAIN});
}

TEST_CASE("who has the channel does not keep the context")
{
	Context context;
	const Memory memory(16 * page_size);
	const std::uint32_t ioas = context.ioas();
	Iotlb iotlb(context, ioas);

	context.map(ioas, memory, aperture_first);
	make_mock(context, ioas);
	CHECK(check_refs(context, memory, 1) == ok);
	Child server([&](const Child::Steps &steps) {
		context.close();
		steps.meet();
		char message[128];
		return iotlb.channel.try_read(message, sizeof(message)).value;
	});

	server.await();
	context.close();
	iotlb.channel.close();
	const Context another;
	CHECK(check_refs(another, memory, 0) == ok);
	server.resume();
	CHECK(server.join() == ENODEV);
}

/* ---- IOTLB_QUERY ---- */

TEST_CASE("IOTLB_QUERY: one entry")
{
	const Filled filled;
	iommukit_iotlb_entry entry{};

	filled.iotlb.update(0x1234, 0x100, 0x98765, perm_read, IOMMUKIT_IOTLB_MSG_PINNED);
	for (const std::uint64_t iova : {0x1234, 0x1300, 0x1333}) {
		REQUIRE(filled.iotlb.try_query(iova, &entry) == ok);
		CHECK(entry.first == 0x1234);
		CHECK(entry.last == 0x1333);
		CHECK(entry.target == 0x98765);
		CHECK(entry.perm == perm_read);
		CHECK((entry.flags & ~IOMMUKIT_IOTLB_ENTRY_REFERENCED) ==
		      IOMMUKIT_IOTLB_ENTRY_PINNED);
		CHECK(entry.asid == 0);
		CHECK(entry.__reserved == 0);
		CHECK(entry.__reserved2 == 0);
	}
	CHECK(filled.iotlb.try_query(0x1233, &entry) == Errno{ENOENT});
	CHECK(filled.iotlb.try_query(0x1334, &entry) == Errno{ENOENT});
}

TEST_CASE("IOTLB_QUERY: errors")
{
	using Cmd = iommukit_iotlb_query;
	const Filled filled(1);
	iommukit_iotlb_entry entries[2] = {};
	auto valid = command<Cmd>();

	valid.iotlb_id = filled.iotlb.id();
	valid.array = reinterpret_cast<std::uint64_t>(entries);
	valid.count = 1;
	valid.entry_size = sizeof(entries[0]);
	check_ordered<Cmd>(
		{
			{"an unknown flag", "flags", [](Cmd &c) { c.flags = 1 << 2; },
			 EOPNOTSUPP},
			{"what is for the answer", "flags",
			 [](Cmd &c) { c.flags = IOMMUKIT_IOTLB_QUERY_MORE; }, EOPNOTSUPP},
			{"no object", "iotlb_id", [](Cmd &c) { c.iotlb_id = 0; }, ENOENT},
			{"an IOAS", "iotlb_id", [&](Cmd &c) { c.iotlb_id = filled.ioas; },
			 ENOENT},
		},
		valid, [&](Cmd &c) {
			return call(filled.context.fd(), IOMMUKIT_IOTLB_QUERY, &c);
		});
	const Fault<Cmd> others[] = {
		{"no such address space", "asid", [](Cmd &c) { c.asid = 1; }, EINVAL},
		{"a small element", "entry_size", [](Cmd &c) { c.entry_size = 47; },
		 EINVAL},
		{"no room", "count", [](Cmd &c) { c.count = 0; }, EINVAL},
		{"nothing there", "iova_first", [](Cmd &c) { c.iova_first = page_size; },
		 ENOENT},
		{"a range the wrong way round", "iova_last",
		 [](Cmd &c) {
			 c.flags = IOMMUKIT_IOTLB_QUERY_DUMP;
			 c.iova_first = 1;
		 },
		 EINVAL},
		{"no memory", "array", [](Cmd &c) { c.array = 16; }, EFAULT},
		{"no memory for a list", "array",
		 [](Cmd &c) {
			 c.flags = IOMMUKIT_IOTLB_QUERY_DUMP;
			 c.array = 16;
		 },
		 EFAULT},
	};

	for (const auto &other : others) {
		Cmd cmd = valid;

		INFO(other.name);
		other.inject(cmd);
		CHECK(call(filled.context.fd(), IOMMUKIT_IOTLB_QUERY, &cmd) ==
		      Errno{other.error});
	}
	CHECK(call(filled.context.fd(), IOMMUKIT_IOTLB_QUERY, &valid) == ok);
}

TEST_CASE("IOTLB_QUERY: a list, part by part")
{
	const Filled filled(5);
	/* Elements may be larger than the kernel knows. */
	struct {
		iommukit_iotlb_entry entry;
		std::uint64_t more;
	} room[2] = {};
	auto cmd = command<iommukit_iotlb_query>();
	std::vector<std::uint64_t> found;
	unsigned int parts = 0;

	cmd.iotlb_id = filled.iotlb.id();
	cmd.iova_first = 1;
	cmd.iova_last = 5 * page_size;
	cmd.array = reinterpret_cast<std::uint64_t>(room);
	cmd.entry_size = sizeof(room[0]);
	do {
		cmd.flags = IOMMUKIT_IOTLB_QUERY_DUMP;
		cmd.count = 2;
		REQUIRE(call(filled.context.fd(), IOMMUKIT_IOTLB_QUERY, &cmd) == ok);
		REQUIRE(cmd.count <= 2);
		for (std::uint32_t i = 0; i < cmd.count; i++)
			found.push_back(room[i].entry.first);
		if (cmd.flags & IOMMUKIT_IOTLB_QUERY_MORE)
			CHECK(cmd.out_next == room[1].entry.last + 1);
		cmd.iova_first = cmd.out_next;
	} while (++parts < 5 && cmd.flags & IOMMUKIT_IOTLB_QUERY_MORE);
	CHECK(found == std::vector<std::uint64_t>{0, page_size, 2 * page_size,
						  3 * page_size, 4 * page_size});

	SECTION("how many there are")
	{
		for (const auto &[first, last, count] : {std::tuple{0UL, all_ones, 5U},
							 {1UL, page_size - 1, 1U},
							 {page_size - 1, page_size, 2U},
							 {5 * page_size, all_ones, 0U}}) {
			cmd.flags = IOMMUKIT_IOTLB_QUERY_DUMP;
			cmd.count = 0;
			cmd.iova_first = first;
			cmd.iova_last = last;
			REQUIRE(call(filled.context.fd(), IOMMUKIT_IOTLB_QUERY, &cmd) ==
				ok);
			CHECK(cmd.count == count);
		}
	}
	SECTION("the last one there can be is the end")
	{
		filled.iotlb.update(all_ones, 1, 0);
		cmd.flags = IOMMUKIT_IOTLB_QUERY_DUMP;
		cmd.count = 1;
		cmd.iova_first = 6 * page_size;
		cmd.iova_last = all_ones;
		REQUIRE(call(filled.context.fd(), IOMMUKIT_IOTLB_QUERY, &cmd) == ok);
		CHECK(cmd.count == 1);
		CHECK(room[0].entry.first == all_ones);
		CHECK_FALSE(cmd.flags & IOMMUKIT_IOTLB_QUERY_MORE);
	}
}

TEST_CASE("IOTLB_QUERY tells the epoch of the latest invalidation")
{
	const Filled filled(1);
	auto cmd = command<iommukit_iotlb_query>();
	const auto epoch = [&] {
		cmd.iotlb_id = filled.iotlb.id();
		cmd.flags = IOMMUKIT_IOTLB_QUERY_DUMP;
		cmd.iova_last = all_ones;
		cmd.count = 0;
		cmd.entry_size = sizeof(iommukit_iotlb_entry);
		REQUIRE(call(filled.context.fd(), IOMMUKIT_IOTLB_QUERY, &cmd) == ok);
		return cmd.out_epoch;
	};
	const std::uint64_t before = epoch();

	CHECK(before >= 1);
	filled.iotlb.update(page_size, page_size, 0);
	CHECK(epoch() == before);
	std::vector<IotlbMessage> messages{invalidate_of(page_size, 1)};
	CHECK(filled.iotlb.submit(messages).epoch == before + 1);
	CHECK(epoch() == before + 1);
	filled.iotlb.flush();
	CHECK(epoch() == before + 2);
	CHECK(filled.iotlb.channel.info().out_inval_seq == before + 2);
}

/* ---- IOTLB_STATS, _SET, _GET_CAPS ---- */

TEST_CASE("IOTLB_STATS: room, and beginning anew")
{
	const Filled filled(3);
	std::vector<std::uint64_t> counters(IOMMUKIT_IOTLB_NR_STATS + 2, 77);
	auto cmd = command<iommukit_iotlb_stats>();
	const auto issue = [&](std::uint32_t count, std::uint32_t flags = 0) {
		cmd.iotlb_id = filled.iotlb.id();
		cmd.flags = flags;
		cmd.count = count;
		cmd.array = reinterpret_cast<std::uint64_t>(counters.data());
		return call(filled.context.fd(), IOMMUKIT_IOTLB_STATS, &cmd);
	};

	filled.iotlb.invalidate(0, 1);
	REQUIRE(issue(0) == ok);
	CHECK(cmd.count == IOMMUKIT_IOTLB_NR_STATS);
	CHECK(counters[0] == 77);
	REQUIRE(issue(2) == ok);
	CHECK(counters[1] == 3);
	CHECK(counters[2] == 77);
	REQUIRE(issue(IOMMUKIT_IOTLB_NR_STATS + 2) == ok);
	CHECK(cmd.count == IOMMUKIT_IOTLB_NR_STATS);
	CHECK(counters[IOMMUKIT_IOTLB_NR_STATS] == 77);
	CHECK(counters[IOMMUKIT_IOTLB_STAT_ENTRIES] == 3);
	CHECK(counters[IOMMUKIT_IOTLB_STAT_UPDATES] == 3);
	CHECK(counters[IOMMUKIT_IOTLB_STAT_INVALIDATIONS] == 1);
	CHECK(counters[IOMMUKIT_IOTLB_STAT_TRIMS] == 1);

	REQUIRE(issue(IOMMUKIT_IOTLB_NR_STATS, IOMMUKIT_IOTLB_STATS_RESET) == ok);
	CHECK(counters[IOMMUKIT_IOTLB_STAT_UPDATES] == 3);
	REQUIRE(issue(IOMMUKIT_IOTLB_NR_STATS) == ok);
	CHECK(counters[IOMMUKIT_IOTLB_STAT_UPDATES] == 0);
	CHECK(counters[IOMMUKIT_IOTLB_STAT_INVALIDATIONS] == 0);
	CHECK(counters[IOMMUKIT_IOTLB_STAT_ENTRIES] == 3);

	CHECK(issue(1, 1 << 1) == Errno{EOPNOTSUPP});
	cmd.array = 16;
	cmd.flags = 0;
	cmd.count = 1;
	CHECK(call(filled.context.fd(), IOMMUKIT_IOTLB_STATS, &cmd) == Errno{EFAULT});
}

TEST_CASE("IOTLB_SET: errors in their order")
{
	using Cmd = iommukit_iotlb_set;
	const Filled filled;
	auto valid = command<Cmd>();

	valid.iotlb_id = filled.iotlb.id();
	valid.param = IOMMUKIT_IOTLB_PARAM_SPIN_US;
	check_ordered<Cmd>(
		{
			{"a flag", "flags", [](Cmd &c) { c.flags = 1; }, EOPNOTSUPP},
			{"no object", "iotlb_id", [](Cmd &c) { c.iotlb_id = 0; }, ENOENT},
			{"an IOAS", "iotlb_id", [&](Cmd &c) { c.iotlb_id = filled.ioas; },
			 ENOENT},
		},
		valid, [&](Cmd &c) {
			return call(filled.context.fd(), IOMMUKIT_IOTLB_SET, &c);
		});
	const struct {
		std::uint32_t param;
		std::uint64_t value;
		int error;
	} table[] = {
		{0, 0, EOPNOTSUPP},
		{5, 0, EOPNOTSUPP},
		{IOMMUKIT_IOTLB_PARAM_MAX_ENTRIES, 15, EINVAL},
		{IOMMUKIT_IOTLB_PARAM_MAX_ENTRIES, parameter("iotlb_max_entries") + 1,
		 EINVAL},
		{IOMMUKIT_IOTLB_PARAM_MAX_ENTRIES, 1UL << 32 | 16, EINVAL},
		{IOMMUKIT_IOTLB_PARAM_MISS_TIMEOUT_MS, 60 * minute_ms + 1, EINVAL},
		{IOMMUKIT_IOTLB_PARAM_MISS_TIMEOUT_MS, 1UL << 32 | 1, EINVAL},
		{IOMMUKIT_IOTLB_PARAM_EVICT_POLICY, 3, EOPNOTSUPP},
		{IOMMUKIT_IOTLB_PARAM_SPIN_US, 1001, EINVAL},
		{IOMMUKIT_IOTLB_PARAM_MAX_ENTRIES, 16, 0},
		{IOMMUKIT_IOTLB_PARAM_MAX_ENTRIES, 0, 0},
		{IOMMUKIT_IOTLB_PARAM_MISS_TIMEOUT_MS, IOMMUKIT_IOTLB_NO_TIMEOUT, 0},
		{IOMMUKIT_IOTLB_PARAM_MISS_TIMEOUT_MS, 0, 0},
		{IOMMUKIT_IOTLB_PARAM_EVICT_POLICY, IOMMUKIT_IOTLB_EVICT_FIFO, 0},
		{IOMMUKIT_IOTLB_PARAM_SPIN_US, 1000, 0},
		{IOMMUKIT_IOTLB_PARAM_SPIN_US, 0, 0},
	};

	for (const auto &row : table) {
		INFO("param " << row.param << ", value " << row.value);
		CHECK(filled.iotlb.try_set(row.param, row.value) == Errno{row.error});
	}
}

TEST_CASE("IOTLB_SET: fewer entries than there are")
{
	const Filled filled(0, IOMMUKIT_IOTLB_EVICT_CLOCK);
	const Iotlb &iotlb = filled.iotlb;
	constexpr auto param = IOMMUKIT_IOTLB_PARAM_MAX_ENTRIES;
	const auto entries = [&] { return iotlb.stat(IOMMUKIT_IOTLB_STAT_ENTRIES); };

	for (std::uint64_t n = 0; n < 17; n++)
		iotlb.update(n * page_size, page_size, 0, perm_rw,
			     IOMMUKIT_IOTLB_MSG_PINNED);
	for (std::uint64_t n = 17; n < 40; n++)
		iotlb.update(n * page_size, page_size, 0);
	CHECK(iotlb.try_set(param, 20) == ok);
	CHECK(entries() == 20);
	CHECK(iotlb.stat(IOMMUKIT_IOTLB_STAT_EVICTIONS) == 20);
	/* Those cannot be forgotten, and the limit is as it was. */
	CHECK(iotlb.try_set(param, 16) == Errno{EBUSY});
	for (std::uint64_t n = 100; n < 110; n++)
		iotlb.update(n * page_size, page_size, 0);
	CHECK(entries() == 20);
	for (std::uint64_t n = 0; n < 17; n++)
		CHECK(iotlb.holds(n * page_size));
}

TEST_CASE("IOTLB_SET: the policy, from now on")
{
	Filled filled(0);
	const Iotlb &iotlb = filled.iotlb;

	REQUIRE(iotlb.try_set(IOMMUKIT_IOTLB_PARAM_MAX_ENTRIES, 16) == ok);
	for (std::uint64_t n = 0; n < 16; n++)
		iotlb.update(n * page_size, page_size, 0);
	CHECK(iotlb.try_submit(update_of(16 * page_size, 1, 0)) == Errno{ENOSPC});
	REQUIRE(iotlb.try_set(IOMMUKIT_IOTLB_PARAM_EVICT_POLICY,
			      IOMMUKIT_IOTLB_EVICT_FIFO) == ok);
	CHECK(iotlb.try_submit(update_of(16 * page_size, 1, 0)) == ok);
	CHECK_FALSE(iotlb.holds(0));
}

TEST_CASE("IOTLB_GET_CAPS")
{
	const Context context;
	auto cmd = command<iommukit_iotlb_get_caps>();

	REQUIRE(call(context.fd(), IOMMUKIT_IOTLB_GET_CAPS, &cmd) == ok);
	CHECK(cmd.out_alloc_flags == 7);
	CHECK(cmd.out_channel_features == 0x3f);
	CHECK(cmd.out_max_entries == parameter("iotlb_max_entries"));
	CHECK(cmd.out_max_pending == 65536);
	CHECK(cmd.out_max_asids == 4096);
	CHECK(cmd.out_ops == 0xfe);
	CHECK(cmd.out_formats == (1U << 1 | 1U << 2 | 1U << 16));
	CHECK(cmd.__reserved == 0);
	cmd.flags = 1;
	CHECK(call(context.fd(), IOMMUKIT_IOTLB_GET_CAPS, &cmd) == Errno{EOPNOTSUPP});

	auto info = command<iommukit_info>();
	REQUIRE(call(context.fd(), IOMMUKIT_INFO, &info) == ok);
	CHECK(info.out_features & IOMMUKIT_FEATURE_IOTLB);
}

TEST_CASE("IOTLB_CHANNEL_OPEN: an answer that cannot be written opens nothing")
{
	Filled filled;
	const PageAndHole memory;
	auto *cmd = static_cast<iommukit_iotlb_channel_open *>(
		memory.tail(sizeof(iommukit_iotlb_channel_open)));

	filled.iotlb.channel.close();
	*cmd = command<iommukit_iotlb_channel_open>();
	cmd->iotlb_id = filled.iotlb.id();
	cmd->flags = 1;
	CHECK(call(filled.context.fd(), IOMMUKIT_IOTLB_CHANNEL_OPEN, cmd) ==
	      Errno{EOPNOTSUPP});
	cmd->flags = 0;
	const std::size_t before = descriptors();
	memory.write_protect();
	CHECK(call(filled.context.fd(), IOMMUKIT_IOTLB_CHANNEL_OPEN, cmd) ==
	      Errno{EFAULT});
	CHECK(descriptors() == before);
	filled.iotlb.open();
}

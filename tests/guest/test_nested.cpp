// SPDX-License-Identifier: GPL-2.0-only
/* HWPTs nested in others: how they are made, invalidated, attached and destroyed. */
#include "fault.h"
#include "mock.h"
#include "threads.h"

#include <array>
#include <atomic>

using namespace guest;

namespace {

constexpr std::uint64_t where = aperture_first + 4 * page_size;
constexpr std::uint32_t fresh = IOMMUKIT_TEST_IOTLB_DEFAULT;
constexpr std::uint32_t all = IOMMUKIT_TEST_INVALIDATE_ALL;
constexpr std::uint32_t most_entries = 1 << 19;

/* A device on an IOAS with a mapping, which a parent mirrors. */
struct World {
	World()
		: ioas(context.ioas()), mock(make_mock(context, ioas)),
		  parent(make_hwpt(context, mock.device, ioas, hwpt_parent)),
		  plain(make_hwpt(context, mock.device, ioas))
	{
		context.map(ioas, memory, where);
	}
	std::uint32_t nested(std::uint32_t fault = 0) const
	{
		return make_nested(context, mock.device, parent, fault);
	}
	Errno replace(std::uint32_t to) const
	{
		std::uint32_t pt = to;
		const Errno error = try_mock_replace(context, mock, &pt);

		CHECK((error != ok || to == ioas || pt == to));
		return error;
	}

	NothingLeft nothing_left;
	Context context;
	Memory memory{4 * page_size};
	std::uint32_t ioas;
	Mock mock;
	std::uint32_t parent, plain;
};

/* Does the cache consist of these entries? */
bool caches(const World &world, std::uint32_t hwpt,
	    const std::array<std::uint32_t, IOMMUKIT_TEST_IOTLB_NUM> &entries)
{
	for (std::uint32_t i = 0; i < entries.size(); i++)
		if (check_iotlb(world.context, hwpt, i, entries[i]) != ok)
			return false;
	return true;
}

Errno issue(const World &world, iommukit_hwpt_invalidate &cmd)
{
	return call(world.context.fd(), IOMMUKIT_HWPT_INVALIDATE, &cmd);
}

Errno allocate(const World &world, iommukit_hwpt_alloc &cmd)
{
	return call(world.context.fd(), IOMMUKIT_HWPT_ALLOC, &cmd);
}

} // namespace

TEST_CASE("HWPT_ALLOC of a nested one: errors in their order")
{
	const World world;
	const FaultQueue queue = make_fault_queue(world.context);
	const std::uint32_t nested = world.nested();
	using Cmd = iommukit_hwpt_alloc;
	const auto pt = [](const char *name, std::uint32_t value) {
		return Fault<Cmd>{name, "pt_id", [value](Cmd &c) { c.pt_id = value; },
				  EINVAL};
	};
	const auto data = [](const char *name, std::uint32_t type, std::uint32_t length,
			     int error) {
		return Fault<Cmd>{name, "data",
				  [=](Cmd &c) {
					  c.data_type = type;
					  c.data_len = length;
				  },
				  error};
	};
	const std::uint32_t type = IOMMUKIT_TEST_HWPT_DATA_TYPE;

	check_ordered<Cmd>(
		{
			{"__reserved", "__reserved", [](Cmd &c) { c.__reserved = 1; },
			 EOPNOTSUPP},
			data("data without a type", 0, 4, EINVAL),
			data("a type without data", type, 0, EINVAL),
			{"no such device", "dev_id", [](Cmd &c) { c.dev_id = 0; },
			 ENOENT},
			{"an IOAS for a device", "dev_id",
			 [&](Cmd &c) { c.dev_id = world.ioas; }, ENOENT},
			pt("no such object", 0),
			pt("a device for a parent", world.mock.device),
			pt("a nested HWPT for a parent", nested),
			pt("a queue for a parent", queue.id),
			{"a parent of parents", "flags",
			 [](Cmd &c) { c.flags |= hwpt_parent; }, EOPNOTSUPP},
			{"dirty tracking", "flags", [](Cmd &c) { c.flags |= hwpt_dirty; },
			 EOPNOTSUPP},
			{"an unknown flag", "flags", [](Cmd &c) { c.flags |= 1 << 9; },
			 EOPNOTSUPP},
			data("nothing", 0, 0, EOPNOTSUPP),
			pt("a HWPT that is no parent", world.plain),
			pt("an automatic HWPT", world.mock.hwpt),
			{"no such queue", "fault_id", [](Cmd &c) { c.fault_id = ~0U; },
			 ENOENT},
			{"a HWPT for a queue", "fault_id",
			 [&](Cmd &c) { c.fault_id = world.parent; }, ENOENT},
			data("an unknown type", type + 1, 4, EOPNOTSUPP),
			data("a known type of another driver", IOMMUKIT_HWPT_DATA_VTD_S1,
			     24, EOPNOTSUPP),
			data("an unknown type, too short", type + 1, 3, EOPNOTSUPP),
			data("data that are too short", type, 3, EINVAL),
			data("data that are too long", type, 5, EINVAL),
			{"data that cannot be read", "data_uptr",
			 [](Cmd &c) { c.data_uptr = 0; }, EFAULT},
		},
		nested_command(world.mock.device, world.parent, queue.id), [&](Cmd &cmd) {
			const Errno error = allocate(world, cmd);

			if (error == ok)
				world.context.destroy(cmd.out_hwpt_id);
			else
				CHECK(cmd.out_hwpt_id == 0);
			return error;
		});
}

TEST_CASE("HWPT_ALLOC on an IOAS takes neither data nor a queue")
{
	const World world;
	const FaultQueue queue = make_fault_queue(world.context);
	auto cmd = nested_command(world.mock.device, world.ioas);

	CHECK(allocate(world, cmd) == Errno{EOPNOTSUPP});
	for (const std::uint32_t flags : {0U, hwpt_parent, hwpt_dirty}) {
		cmd = command<iommukit_hwpt_alloc>();
		cmd.flags = flags | IOMMUKIT_HWPT_FAULT_ID_VALID;
		cmd.dev_id = world.mock.device;
		cmd.pt_id = world.ioas;
		for (const std::uint32_t id : {queue.id, 0U}) {
			cmd.fault_id = id;
			CHECK(allocate(world, cmd) == Errno{EOPNOTSUPP});
		}
	}
}

TEST_CASE("members of HWPT_ALLOC that nobody looks at")
{
	const World world;
	auto cmd = nested_command(world.mock.device, world.parent);

	/* Without its flag, the queue. */
	cmd.fault_id = ~0U;
	cmd.__reserved2 = 1;
	REQUIRE(allocate(world, cmd) == ok);
	CHECK(caches(world, cmd.out_hwpt_id, {fresh, fresh, fresh, fresh}));
	world.context.destroy(cmd.out_hwpt_id);
	/* The structure of an older program ends before the queue. */
	cmd.size = offsetof(iommukit_hwpt_alloc, fault_id);
	REQUIRE(allocate(world, cmd) == ok);
	world.context.destroy(cmd.out_hwpt_id);
}

TEST_CASE("nested HWPTs that fail leave nothing")
{
	const World world;
	const FaultQueue queue = make_fault_queue(world.context);
	const std::uint32_t id = world.context.ioas();
	const PageAndHole page;
	auto cmd = nested_command(world.mock.device, world.parent, queue.id);

	world.context.destroy(id);
	SECTION("half of the data cannot be read")
	{
		cmd.data_uptr = reinterpret_cast<std::uint64_t>(page.tail(2));
		CHECK(allocate(world, cmd) == Errno{EFAULT});
	}
	SECTION("the answer cannot be written")
	{
		auto *at = static_cast<iommukit_hwpt_alloc *>(page.tail(sizeof(cmd)));

		*at = cmd;
		page.write_protect();
		CHECK(call(world.context.fd(), IOMMUKIT_HWPT_ALLOC, at) == Errno{EFAULT});
	}
	CHECK(world.context.ioas() == id);
	CHECK(world.context.try_destroy(world.parent) == ok);
}

TEST_CASE("who keeps a nested HWPT, and whom it keeps")
{
	const World world;
	const std::uint32_t one = world.nested(), two = world.nested();

	CHECK(world.context.try_destroy(world.parent) == Errno{EBUSY});
	CHECK(world.replace(one) == ok);
	CHECK(world.context.try_destroy(one) == Errno{EBUSY});
	CHECK(world.replace(two) == ok);
	CHECK(world.context.try_destroy(two) == Errno{EBUSY});
	CHECK(world.context.try_destroy(one) == ok);
	CHECK(world.replace(one) == Errno{ENOENT});
	CHECK(world.context.try_destroy(world.parent) == Errno{EBUSY});
	CHECK(world.replace(world.parent) == ok);
	CHECK(world.context.try_destroy(two) == ok);
	CHECK(world.context.try_destroy(world.parent) == Errno{EBUSY});
	CHECK(world.replace(world.plain) == ok);
	CHECK(world.context.try_destroy(world.parent) == ok);
	CHECK(world.replace(world.ioas) == ok);
	CHECK(world.context.try_destroy(world.plain) == ok);
	CHECK(world.context.try_destroy(world.ioas) == Errno{EBUSY});
	world.context.destroy(world.mock.stdev);
	CHECK(world.context.try_destroy(world.ioas) == ok);
}

TEST_CASE("a device that is made on a nested HWPT")
{
	const World world;
	const std::uint32_t nested = world.nested();
	const Mock mock = make_mock(world.context, nested);

	CHECK(mock.hwpt == nested);
	CHECK(world.context.try_destroy(nested) == Errno{EBUSY});
	/* More can be made for it, and for others, on the same parent. */
	const std::uint32_t more = make_nested(world.context, mock.device, world.parent);
	CHECK(world.replace(more) == ok);
	world.context.destroy(mock.stdev);
	CHECK(world.context.try_destroy(nested) == ok);
	CHECK(world.context.try_destroy(more) == Errno{EBUSY});
}

TEST_CASE("the parent of an attached HWPT mirrors its IOAS all the time")
{
	const World world;
	const std::uint32_t nested = world.nested();
	const Memory more(2 * page_size);
	const std::uint64_t there = where + world.memory.size();

	world.context.destroy(world.plain);
	REQUIRE(world.replace(nested) == ok);
	CHECK(check_map(world.context, world.parent, where, world.memory.size(),
			world.memory.va()) == ok);
	world.context.map(world.ioas, more, there);
	CHECK(check_map(world.context, world.parent, there, more.size(), more.va()) ==
	      ok);
	CHECK(check_refs(world.context, more, 1) == ok);
	world.context.unmap_all(world.ioas);
	CHECK(check_map(world.context, world.parent, where, page_size,
			world.memory.va()) == Errno{EINVAL});
	CHECK(check_refs(world.context, more, 0) == ok);
	/* It has no table of its own to look into. */
	CHECK(check_map(world.context, nested, where, page_size, world.memory.va()) ==
	      Errno{ENOENT});
	CHECK(world.context.ranges(world.ioas).size() == 1);
	CHECK(world.context.ranges(world.ioas)[0].start == aperture_first);
}

TEST_CASE("HWPT_INVALIDATE: errors in their order")
{
	const World world;
	const std::uint32_t nested = world.nested();
	const std::vector<Invalidation> requests{{0, 1}}, bad_flag{{2, 1}},
		all_flags{{~0U, 1}}, bad_entry{{0, 4}}, bad_all{{all, 4}}, both{{2, 4}};
	using Cmd = iommukit_hwpt_invalidate;
	const auto id = [](const char *name, std::uint32_t value) {
		return Fault<Cmd>{name, "hwpt_id", [value](Cmd &c) { c.hwpt_id = value; },
				  ENOENT};
	};
	const auto length = [](const char *name, std::uint32_t value) {
		return Fault<Cmd>{name, "entry_len",
				  [value](Cmd &c) { c.entry_len = value; }, EINVAL};
	};
	const auto array = [](const char *name, const std::vector<Invalidation> &from,
			      int error) {
		return Fault<Cmd>{name, "data_uptr",
				  [&from](Cmd &c) {
					  c.data_uptr = reinterpret_cast<std::uint64_t>(
						  from.data());
				  },
				  error};
	};

	check_ordered<Cmd>(
		{
			{"__reserved", "__reserved", [](Cmd &c) { c.__reserved = 1; },
			 EOPNOTSUPP},
			{"no array", "data_uptr", [](Cmd &c) { c.data_uptr = 0; },
			 EINVAL},
			length("entries of no bytes", 0),
			length("entries of more than a page", page_size + 1),
			{"too many entries", "entry_num",
			 [](Cmd &c) { c.entry_num = most_entries + 1; }, EINVAL},
			id("no such object", 0),
			id("a parent", world.parent),
			id("an IOAS", world.ioas),
			id("a device", world.mock.device),
			{"an unknown type", "data_type",
			 [](Cmd &c) { c.data_type = 0xdadbeef; }, EINVAL},
			{"a type of another driver", "data_type",
			 [](Cmd &c) {
				 c.data_type = IOMMUKIT_HWPT_INVALIDATE_DATA_VTD_S1;
			 },
			 EINVAL},
			length("entries that are too short", 1),
			length("entries that are too long", 9),
			length("entries of a page", page_size),
			{"an array that cannot be read", "data_uptr",
			 [](Cmd &c) { c.data_uptr = 16; }, EFAULT},
			array("an unknown flag", bad_flag, EOPNOTSUPP),
			array("all flags", all_flags, EOPNOTSUPP),
			array("an unknown flag and entry", both, EOPNOTSUPP),
			array("an entry that is not there", bad_entry, EINVAL),
			array("the same of all", bad_all, EINVAL),
		},
		invalidate_command(nested, requests), [&](Cmd &cmd) {
			const Errno error = issue(world, cmd);

			CHECK(cmd.entry_num == 0);
			return error;
		});
	CHECK(caches(world, nested, {fresh, fresh, fresh, fresh}));
}

TEST_CASE("requests are carried out up to the first that is bad")
{
	const World world;
	const std::uint32_t nested = world.nested(), other = world.nested();
	std::uint32_t handled = 9;
	const auto run = [&](const std::vector<Invalidation> &requests) {
		return invalidate(world.context, nested, requests, &handled);
	};

	CHECK(check_iotlb(world.context, nested, 4, fresh) == Errno{EINVAL});
	CHECK(check_iotlb(world.context, world.parent, 0, fresh) == Errno{ENOENT});
	CHECK(run({{0, 0}, {2, 1}, {0, 2}}) == Errno{EOPNOTSUPP});
	CHECK(handled == 1);
	CHECK(caches(world, nested, {0, fresh, fresh, fresh}));
	CHECK(run({{0, 3}, {0, 0}, {0, 4}}) == Errno{EINVAL});
	CHECK(handled == 2);
	CHECK(caches(world, nested, {0, fresh, fresh, 0}));
	CHECK(run({{0, 1}}) == ok);
	CHECK(handled == 1);
	CHECK(caches(world, nested, {0, 0, fresh, 0}));
	CHECK(caches(world, other, {fresh, fresh, fresh, fresh}));
	CHECK(invalidate(world.context, other, {{0, 0}, {0, 1}}, &handled) == ok);
	CHECK(handled == 2);
	CHECK(caches(world, other, {0, 0, fresh, fresh}));
	CHECK(invalidate(world.context, other, {{all, 0}}, &handled) == ok);
	CHECK(handled == 1);
	CHECK(caches(world, other, {0, 0, 0, 0}));
	CHECK(caches(world, nested, {0, 0, fresh, 0}));
}

TEST_CASE("the end of the array cannot be read")
{
	const World world;
	const std::uint32_t nested = world.nested();
	const PageAndHole page;

	for (const std::size_t bytes : {8, 12}) {
		const std::uint32_t entry = bytes == 8 ? 0 : 1;
		auto cmd = invalidate_command(nested, {});

		cmd.data_uptr = reinterpret_cast<std::uint64_t>(page.tail(bytes));
		cmd.entry_num = 3;
		*static_cast<Invalidation *>(page.tail(bytes)) = {0, entry};
		CHECK(issue(world, cmd) == Errno{EFAULT});
		CHECK(cmd.entry_num == 1);
	}
	CHECK(caches(world, nested, {0, 0, fresh, fresh}));
}

TEST_CASE("no request asks whether the type is known")
{
	const World world;
	const std::uint32_t nested = world.nested();
	auto cmd = invalidate_command(nested, {});

	for (const std::uint32_t length : {0U, 1U, 8U, ~0U})
		for (const std::uint64_t array : {0UL, 16UL}) {
			cmd.entry_len = length;
			cmd.data_uptr = array;
			CHECK(issue(world, cmd) == ok);
			CHECK(cmd.entry_num == 0);
		}
	cmd.data_type++;
	CHECK(issue(world, cmd) == Errno{EINVAL});
	cmd.hwpt_id = world.parent;
	CHECK(issue(world, cmd) == Errno{ENOENT});
	cmd.__reserved = 1;
	CHECK(issue(world, cmd) == Errno{EOPNOTSUPP});
	CHECK(cmd.entry_num == 0);
	CHECK(caches(world, nested, {fresh, fresh, fresh, fresh}));
}

TEST_CASE("as many requests as there may be")
{
	const World world;
	const std::uint32_t nested = world.nested();
	std::vector<Invalidation> requests(most_entries);
	std::uint32_t handled = 0;

	requests[1000] = {0, 4};
	CHECK(invalidate(world.context, nested, requests, &handled) == Errno{EINVAL});
	CHECK(handled == 1000);
	CHECK(caches(world, nested, {0, fresh, fresh, fresh}));
	/* One more are refused before the first of them. */
	requests[0] = {0, 1};
	requests.push_back({});
	CHECK(invalidate(world.context, nested, requests, &handled) == Errno{EINVAL});
	CHECK(handled == 0);
	CHECK(caches(world, nested, {0, fresh, fresh, fresh}));
}

TEST_CASE("how many were carried out cannot be written")
{
	const World world;
	const std::uint32_t nested = world.nested();
	const std::vector<Invalidation> requests{{0, 2}};
	const PageAndHole page;
	using Cmd = iommukit_hwpt_invalidate;
	auto *at = static_cast<Cmd *>(page.tail(sizeof(Cmd)));
	const std::function<void(Cmd &)> changes[] = {
		[](Cmd &) {},
		[](Cmd &c) { c.__reserved = 1; },
		[](Cmd &c) { c.data_uptr = 0; },
		[](Cmd &c) { c.hwpt_id = 0; },
		[](Cmd &c) { c.data_type = 0; },
		[](Cmd &c) { c.entry_num = 0; },
	};

	for (const auto &change : changes) {
		*at = invalidate_command(nested, requests);
		change(*at);
		page.write_protect();
		CHECK(issue(world, *at) == Errno{EFAULT});
		page.make_writable();
	}
	CHECK(caches(world, nested, {fresh, fresh, 0, fresh}));
}

TEST_CASE("a parent is destroyed while others nest in it")
{
	const unsigned int rounds = 200 / slowness() + 10;
	const World world;
	Verdict verdict;
	Threads threads;
	std::atomic<std::uint32_t> parent = world.parent;
	std::atomic<bool> done = false;

	threads.start(1, [&](std::size_t, auto &) {
		for (unsigned int i = 0; !verdict.done(i, rounds); i++) {
			std::uint32_t hwpt = 0;

			while (world.context.try_destroy(parent) != ok)
				std::this_thread::yield();
			verdict.expect("parent",
				       try_hwpt(world.context, world.mock.device,
						world.ioas, &hwpt, hwpt_parent),
				       {0});
			parent = hwpt;
		}
		done = true;
	});
	threads.start(2, [&](std::size_t, auto &) {
		while (!done) {
			std::uint32_t nested = 0;
			/* The id may be one of ours, or not used. */
			const Errno error = try_nested(world.context, world.mock.device,
						       parent, &nested);

			verdict.expect("nested", error, {0, EINVAL});
			if (error != ok)
				continue;
			verdict.hit();
			verdict.expect("invalidate",
				       invalidate(world.context, nested, {{all, 0}}),
				       {0});
			verdict.expect("destroy", world.context.try_destroy(nested), {0});
		}
	});
	threads.join();
	verdict.check(1);
	CHECK(world.context.try_destroy(parent) == ok);
}

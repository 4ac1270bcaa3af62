// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that join a group, groups that move, and the commands of HWPTs, failed at
 * each of their points in turn; see fault.h. Regions show which IOAS a device is on.
 */
#include "dirty_world.h"
#include "fault_world.h"

#include <algorithm>

using namespace guest;

namespace {

constexpr std::uint64_t region = 0x10000000, region_size = 0x100000;

MockOptions with_region(std::uint64_t n, std::uint32_t flags, std::uint32_t sibling)
{
	const std::uint64_t start = region + 2 * n * region_size;

	return {flags, sibling, start, start + region_size - 1};
}

/* A group of two devices on the first IOAS; the second one has a page of its own. */
struct GroupWorld : public FaultWorld {
	GroupWorld()
		: one(mock_create(context, first, with_region(0, mock_region, 0))),
		  two(mock_create(context, first, with_region(1, mock_msi, one.stdev)))
	{
		REQUIRE(context.try_map(second, memory.va(), page_size, iova) == ok);
		observe("attached", [this] { return mock_stats(context, one).attached; });
	}
	Errno replace(std::uint32_t to) const
	{
		return try_mock_replace(context, two, &to);
	}
	void back(std::uint32_t to) const { REQUIRE(replace(to) == ok); }

	Mock one, two;
};

} // namespace

TEST_CASE("fail-nth: a device joins a group")
{
	const GroupWorld world;
	const std::uint32_t hwpt = world.one.hwpt;
	Mock mock;

	for (const std::uint32_t pt : {world.first, hwpt})
		for (const std::uint32_t flags : {mock_region, mock_msi})
			world.sweep(
				{"MOCK_CREATE in a group",
				 4,
				 [&] {
					 return try_mock_create(
						 world.context, pt,
						 with_region(flags == mock_msi ? 1 : 2,
							     flags, world.one.stdev),
						 &mock);
				 },
				 [&] { world.context.destroy(mock.stdev); },
				 {ENOENT, ENOMEM, EFAULT, EINVAL}});
}

TEST_CASE("fail-nth: a group moves to another IOAS")
{
	const GroupWorld world;
	const std::uint32_t hwpt =
		make_hwpt(world.context, world.one.device, world.second);

	for (const std::uint32_t to : {world.second, hwpt})
		world.sweep({"REPLACE of a group",
			     4,
			     [&] { return world.replace(to); },
			     [&] { world.back(world.first); },
			     {ENOENT, ENOMEM, EFAULT, EINVAL},
			     true});
}

TEST_CASE("fail-nth: a group moves within one IOAS")
{
	const GroupWorld world;
	const std::uint32_t plain =
		make_hwpt(world.context, world.one.device, world.first, hwpt_parent);
	const std::uint32_t nested = make_nested(world.context, world.one.device, plain);
	const std::uint32_t other =
		make_hwpt(world.context, world.one.device, world.first);

	world.back(other);
	for (const std::uint32_t to : {plain, nested, world.first})
		world.sweep({"REPLACE of a group within an IOAS",
			     2,
			     [&] { return world.replace(to); },
			     [&] { world.back(other); },
			     {ENOENT, ENOMEM, EFAULT, EINVAL},
			     true});
}

TEST_CASE("fail-nth: a group moves between HWPTs with queues")
{
	const GroupWorld world;
	const FaultQueue queue = make_fault_queue(world.context);
	const std::uint32_t parent =
		make_hwpt(world.context, world.one.device, world.first, hwpt_parent);
	const std::uint32_t from =
		make_nested(world.context, world.one.device, parent, queue.id);
	const std::uint32_t to =
		make_nested(world.context, world.one.device, parent, queue.id);

	for (const std::uint32_t other : {to, parent}) {
		world.back(from);
		world.sweep({"REPLACE of a group with faults",
			     2,
			     [&] { return world.replace(other); },
			     [&] { world.back(from); },
			     {ENOENT, ENOMEM, EFAULT, EINVAL},
			     true});
	}
}

TEST_CASE("fail-nth: nested HWPTs and queues")
{
	const GroupWorld world;
	const std::uint32_t parent =
		make_hwpt(world.context, world.one.device, world.first, hwpt_parent);
	FaultQueue queue = make_fault_queue(world.context), made;
	std::uint32_t nested = 0;

	world.sweep({"FAULT_QUEUE_ALLOC",
		     2,
		     [&] { return try_fault_queue(world.context, &made); },
		     [&] {
			     made.fd.reset();
			     world.context.destroy(made.id);
		     },
		     {ENOMEM, EFAULT, EMFILE}});
	world.sweep({"HWPT_ALLOC of a nested one",
		     4,
		     [&] {
			     return try_nested(world.context, world.one.device, parent,
					       &nested, queue.id);
		     },
		     [&] { world.context.destroy(nested); },
		     {ENOENT, ENOMEM, EFAULT, EINVAL},
		     false,
		     false,
		     {},
		     true});
	nested = make_nested(world.context, world.one.device, parent, queue.id);
	world.sweep({"HWPT_INVALIDATE",
		     1,
		     [&] {
			     return invalidate(world.context, nested, {{0, 0}});
		     },
		     [] {},
		     {ENOENT, ENOMEM, EFAULT},
		     true});
	world.sweep({"GET_HW_INFO",
		     1,
		     [&] {
			     std::uint64_t data = 0;

			     return hw_info(world.context, world.one.device, &data,
					    sizeof(data));
		     },
		     [] {},
		     {ENOENT, ENOMEM, EFAULT},
		     true});
}

TEST_CASE("fail-nth: dirty tracking")
{
	const GroupWorld world;
	const std::uint32_t hwpt =
		make_hwpt(world.context, world.one.device, world.first, hwpt_dirty);
	const IovaRange range{FaultWorld::iova, FaultWorld::mapped};
	const BitmapGeometry bits{range.iova, range.length, mock_page};
	const Bits marks(bits.nbytes(), 0x5a);
	Bits buffer(bits.nbytes());

	world.sweep({"SET_DIRTY_TRACKING",
		     1,
		     [&] { return set_dirty(world.context, hwpt, true); },
		     [] {},
		     {ENOENT, ENOMEM, EFAULT},
		     true});
	const auto reset = [&] {
		/* What is not in memory, because it failed, can be read again. */
		REQUIRE(either(buffer, dirty_bits(world.context, hwpt, bits,
						  get_no_clear)) == marks);
		std::fill(buffer.begin(), buffer.end(), 0);
		mark_dirty(world.context, hwpt, range, marks);
	};
	mark_dirty(world.context, hwpt, range, marks);
	world.sweep({"GET_DIRTY_BITMAP",
		     1,
		     [&] {
			     return get_dirty(
				     world.context, hwpt, bits,
				     reinterpret_cast<std::uint64_t>(buffer.data()));
		     },
		     reset,
		     {ENOENT, ENOMEM, EFAULT},
		     false,
		     true});
}

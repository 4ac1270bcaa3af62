// SPDX-License-Identifier: GPL-2.0-only
/*
 * What devices and HWPTs come and go by, failed at each of its points in turn; see
 * fault.h. The IOASes have pages mapped, so that filling fails as well.
 */
#include "fault_world.h"
#include "mock.h"

using namespace guest;

namespace {

constexpr std::uint64_t iova = FaultWorld::iova;
constexpr std::uint64_t behind = iova + FaultWorld::mapped;

/* A device on the first IOAS; the second one has a page of its own. */
struct DeviceWorld : public FaultWorld {
	DeviceWorld() : mock(make_mock(context, first))
	{
		REQUIRE(context.try_map(second, memory.va(), page_size, iova) == ok);
		observe("HWPT leads to memory", [this] {
			return check_map(context, hwpt(), iova, mapped, memory.va()) ==
			       ok;
		});
	}
	/* Of the device on the first IOAS; automatic ones may be made anew. */
	std::uint32_t hwpt() const
	{
		std::uint32_t pt = first;

		REQUIRE(try_mock_replace(context, mock, &pt) == ok);
		return pt;
	}

	Mock mock;
};

} // namespace

TEST_CASE("fail-nth: MOCK_DOMAIN on an IOAS")
{
	const FaultWorld world;
	Mock mock;

	world.sweep({"MOCK_DOMAIN on an IOAS",
		     8,
		     [&] { return try_mock(world.context, world.first, &mock); },
		     [&] { world.context.destroy(mock.stdev); },
		     {ENOENT, ENOMEM, EFAULT, EINVAL}});
}

TEST_CASE("fail-nth: MOCK_DOMAIN on an automatic HWPT")
{
	const DeviceWorld world;
	Mock mock;

	world.sweep({"MOCK_DOMAIN on an automatic HWPT",
		     4,
		     [&] { return try_mock(world.context, world.first, &mock); },
		     [&] { world.context.destroy(mock.stdev); },
		     {ENOENT, ENOMEM, EFAULT}});
}

TEST_CASE("fail-nth: MOCK_DOMAIN on a HWPT")
{
	const DeviceWorld world;
	const std::uint32_t hwpt =
		make_hwpt(world.context, world.mock.device, world.second);
	Mock mock;

	world.sweep({"MOCK_DOMAIN on a HWPT",
		     4,
		     [&] { return try_mock(world.context, hwpt, &mock); },
		     [&] { world.context.destroy(mock.stdev); },
		     {ENOENT, ENOMEM, EFAULT, EINVAL}});
}

TEST_CASE("fail-nth: MOCK_DOMAIN_REPLACE")
{
	const DeviceWorld world;
	const std::uint32_t hwpt =
		make_hwpt(world.context, world.mock.device, world.first);
	std::uint32_t pt = 0;
	const auto back = [&] { world.hwpt(); };
	const auto replace = [&](std::uint32_t to) {
		pt = to;
		return try_mock_replace(world.context, world.mock, &pt);
	};

	world.sweep({"REPLACE to an IOAS",
		     8,
		     [&] { return replace(world.second); },
		     back,
		     {ENOENT, ENOMEM, EFAULT, EINVAL},
		     true});
	world.sweep({"REPLACE to a HWPT",
		     3,
		     [&] { return replace(hwpt); },
		     back,
		     {ENOENT, ENOMEM},
		     true});
}

TEST_CASE("fail-nth: HWPT_ALLOC")
{
	const DeviceWorld world;
	std::uint32_t hwpt = 0;

	for (const std::uint32_t flags : {0U, hwpt_dirty | hwpt_parent})
		world.sweep({"HWPT_ALLOC",
			     8,
			     [&] {
				     return try_hwpt(world.context, world.mock.device,
						     world.second, &hwpt, flags);
			     },
			     [&] { world.context.destroy(hwpt); },
			     {ENOENT, ENOMEM, EFAULT, EINVAL},
			     false,
			     false,
			     {},
			     true});
}

TEST_CASE("fail-nth: MAP into several HWPTs")
{
	const DeviceWorld world;
	const std::uint32_t hwpt =
		make_hwpt(world.context, world.mock.device, world.first);

	world.sweep({"MAP into several HWPTs",
		     6,
		     [&] {
			     return world.context.try_map(world.first, world.memory.va(),
							  2 * page_size, behind);
		     },
		     [&] { world.context.unmap(world.first, behind, 2 * page_size); },
		     {ENOENT, ENOMEM, EFAULT, EINVAL},
		     true});
	world.sweep(
		{"COPY into several HWPTs",
		 6,
		 [&] {
			 return world.context.try_copy(world.first, behind, world.first,
						       iova, FaultWorld::mapped);
		 },
		 [&] { world.context.unmap(world.first, behind, FaultWorld::mapped); },
		 {ENOENT, ENOMEM, EFAULT, EINVAL},
		 true});
	world.context.destroy(hwpt);
}

TEST_CASE("fail-nth: ends of devices and HWPTs")
{
	const DeviceWorld world;
	std::uint32_t hwpt = make_hwpt(world.context, world.mock.device, world.second);
	Mock mock = make_mock(world.context, world.second);

	world.sweep({"DESTROY of a device",
		     1,
		     [&] { return world.context.try_destroy(mock.stdev); },
		     [&] { mock = make_mock(world.context, world.second); },
		     {ENOENT}});
	world.sweep({"DESTROY of a HWPT",
		     1,
		     [&] { return world.context.try_destroy(hwpt); },
		     [&] {
			     hwpt = make_hwpt(world.context, world.mock.device,
					      world.second);
		     },
		     {ENOENT}});
}

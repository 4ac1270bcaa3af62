// SPDX-License-Identifier: GPL-2.0-only
/*
 * Groups of several devices: they share a HWPT, but each has reserved regions of its
 * own; and what is left as it was when one of them cannot join or move.
 */
#include "fault_world.h"
#include "mock.h"
#include "threads.h"

#include <atomic>

using namespace guest;

namespace {

constexpr std::uint64_t iova = FaultWorld::iova;
/* Regions that devices reserve, apart from each other and from all mappings. */
constexpr std::uint64_t region = 0x10000000, region_size = 0x100000;

using Ranges = std::vector<iommukit_iova_range>;

constexpr iommukit_iova_range reserved(std::uint64_t n)
{
	return {region + 2 * n * region_size, region + (2 * n + 1) * region_size - 1};
}

MockOptions with_region(std::uint64_t n, std::uint32_t sibling = 0)
{
	return {mock_region, sibling, reserved(n).start, reserved(n).last};
}

MockOptions with_msi(std::uint64_t n, std::uint32_t sibling = 0)
{
	return {mock_msi, sibling, reserved(n).start, reserved(n).last};
}

/* What is left of the aperture, or of all if no device is there. */
Ranges usable(const std::vector<std::uint64_t> &regions, bool attached = true)
{
	Ranges ranges;
	std::uint64_t from = attached ? aperture_first : 0;

	for (const std::uint64_t n : regions) {
		ranges.push_back({from, reserved(n).start - 1});
		from = reserved(n).last + 1;
	}
	ranges.push_back({from, attached ? aperture_last : all_ones});
	return ranges;
}

bool has_ranges(const Context &context, std::uint32_t ioas, const Ranges &expected)
{
	const Ranges found = context.ranges(ioas);

	return std::equal(found.begin(), found.end(), expected.begin(), expected.end(),
			  [](const auto &a, const auto &b) {
				  return a.start == b.start && a.last == b.last;
			  });
}

/* A group of two devices with a region each, on the first of two IOASes. */
struct World {
	World()
		: first(context.ioas()), second(context.ioas()),
		  one(mock_create(context, first, with_region(0))),
		  two(mock_create(context, first, with_region(1, one.stdev)))
	{
		context.map(first, memory, iova);
		context.map(second, memory, iova);
	}
	bool first_has(const Ranges &expected) const
	{
		return has_ranges(context, first, expected);
	}
	bool second_has(const Ranges &expected) const
	{
		return has_ranges(context, second, expected);
	}
	Errno replace(const Mock &mock, std::uint32_t *pt) const
	{
		return try_mock_replace(context, mock, pt);
	}
	/* Returns the HWPT. */
	std::uint32_t move(const Mock &mock, std::uint32_t to) const
	{
		REQUIRE(replace(mock, &to) == ok);
		return to;
	}
	Errno destroy(std::uint32_t id) const { return context.try_destroy(id); }
	std::uint32_t switches() const { return mock_stats(context, one).switches; }
	Errno leads_to_memory(std::uint32_t hwpt) const
	{
		return check_map(context, hwpt, iova, memory.size(), memory.va());
	}

	NothingLeft nothing_left;
	Context context;
	Memory memory{4 * page_size};
	std::uint32_t first, second;
	Mock one, two;
};

} // namespace

TEST_CASE("a second device joins its group's HWPT, by either name")
{
	const World world;
	const Mock by_hwpt =
		mock_create(world.context, world.one.hwpt, {.sibling = world.one.stdev});
	const Mock by_ioas =
		mock_create(world.context, world.first, {.sibling = by_hwpt.stdev});

	CHECK(world.two.hwpt == world.one.hwpt);
	CHECK(by_hwpt.hwpt == world.one.hwpt);
	CHECK(by_ioas.hwpt == world.one.hwpt);
	/* The hardware hears of the first only. */
	CHECK(world.switches() == 1);
	for (const Mock &mock : {world.one, world.two, by_hwpt, by_ioas}) {
		CHECK(mock_stats(world.context, mock).attached == 1);
		CHECK(mock_stats(world.context, mock).switches == 1);
	}
}

TEST_CASE("a second device cannot be on another HWPT")
{
	const World world;
	const std::uint32_t other =
		make_hwpt(world.context, world.one.device, world.first, hwpt_parent);
	const std::uint32_t nested = make_nested(world.context, world.one.device, other);
	const std::uint32_t far =
		make_hwpt(world.context, world.one.device, world.second);
	const Mock alone = make_mock(world.context, world.second);
	const auto refused = [&](std::uint32_t pt, int error) {
		Mock mock;

		INFO("pt " << pt);
		CHECK(try_mock_create(world.context, pt, with_region(2, world.one.stdev),
				      &mock) == Errno{error});
		CHECK(mock.stdev == 0);
		CHECK(world.first_has(usable({0, 1})));
		CHECK(world.second_has(usable({})));
	};

	for (const std::uint32_t pt : {other, nested, far, alone.hwpt, world.second})
		refused(pt, EINVAL);
	refused(0, ENOENT);
	refused(world.one.device, EINVAL);
	refused(world.one.stdev, EINVAL);
	CHECK(world.switches() == 1);
	/* No HWPT was made in vain. */
	world.context.destroy(alone.stdev);
	CHECK(world.destroy(far) == ok);
	CHECK(world.destroy(world.second) == ok);
}

TEST_CASE("another HWPT is refused before a region is looked at")
{
	const World world;
	Mock mock;

	REQUIRE(world.context.try_map(world.second, world.memory.va(), page_size,
				      reserved(2).start) == ok);
	CHECK(try_mock_create(world.context, world.second,
			      with_region(2, world.one.stdev), &mock) == Errno{EINVAL});
	CHECK(try_mock_create(world.context, world.second, with_region(2), &mock) ==
	      Errno{EADDRINUSE});
}

TEST_CASE("a group on an explicit HWPT is not joined by the IOAS")
{
	const World world;
	const std::uint32_t hwpt =
		make_hwpt(world.context, world.one.device, world.second);
	Mock mock;

	CHECK(world.move(world.one, hwpt) == hwpt);
	for (const std::uint32_t pt : {world.second, world.first})
		CHECK(try_mock_create(world.context, pt, {.sibling = world.one.stdev},
				      &mock) == Errno{EINVAL});
	CHECK(world.second_has(usable({0, 1})));
	CHECK(world.first_has(usable({}, false)));
	mock = mock_create(world.context, hwpt, with_region(2, world.one.stdev));
	CHECK(mock.hwpt == hwpt);
	CHECK(world.second_has(usable({0, 1, 2})));
	for (const Mock &each : {world.one, world.two, mock}) {
		CHECK(world.destroy(hwpt) == Errno{EBUSY});
		world.context.destroy(each.stdev);
	}
	CHECK(world.destroy(hwpt) == ok);
	CHECK(world.destroy(world.second) == ok);
}

TEST_CASE("regions come and go with their devices")
{
	const World world;

	CHECK(world.first_has(usable({0, 1})));
	CHECK(world.second_has(usable({}, false)));
	const Mock three =
		mock_create(world.context, world.first, with_region(2, world.two.stdev));
	/* Of another group, the same region as somebody else's. */
	const Mock alone = mock_create(world.context, world.first, with_region(1));
	CHECK(alone.hwpt == world.one.hwpt);
	CHECK(world.first_has(usable({0, 1, 2})));
	CHECK(world.context.try_map(world.first, world.memory.va(), page_size,
				    reserved(2).start) == Errno{EINVAL});
	world.context.destroy(world.two.stdev);
	CHECK(world.first_has(usable({0, 1, 2})));
	world.context.destroy(alone.stdev);
	CHECK(world.first_has(usable({0, 2})));
	world.context.destroy(world.one.stdev);
	CHECK(world.first_has(usable({2})));
	CHECK(mock_stats(world.context, three).attached == 1);
	CHECK(mock_stats(world.context, three).switches == 1);
	CHECK(world.leads_to_memory(three.hwpt) == ok);
	world.context.destroy(three.stdev);
	CHECK(world.first_has(usable({}, false)));
	CHECK(world.destroy(three.hwpt) == Errno{ENOENT});
}

TEST_CASE("a device whose region is in use does not join")
{
	const World world;
	Mock mock;
	const auto refused = [&](const MockOptions &options) {
		CHECK(try_mock_create(world.context, world.first, options, &mock) ==
		      Errno{EADDRINUSE});
		CHECK(world.first_has(usable({0, 1})));
		CHECK(world.switches() == 1);
		CHECK(world.leads_to_memory(world.one.hwpt) == ok);
	};

	SECTION("by a mapping")
	{
		REQUIRE(world.context.try_map(world.first, world.memory.va(), page_size,
					      reserved(2).last + 1 - page_size) == ok);
		refused(with_region(2, world.one.stdev));
		refused(with_region(2));
		world.context.unmap(world.first, reserved(2).last + 1 - page_size,
				    page_size);
	}
	SECTION("by an allowed range")
	{
		REQUIRE(world.context.try_allow(
				world.first,
				{{reserved(2).last, reserved(2).last + 1}}) == ok);
		refused(with_region(2, world.one.stdev));
		refused(with_msi(2));
		REQUIRE(world.context.try_allow(world.first, {}) == ok);
	}
	mock = mock_create(world.context, world.first, with_region(2, world.one.stdev));
	CHECK(world.first_has(usable({0, 1, 2})));
}

TEST_CASE("replace moves the group, through whichever device")
{
	const World world;
	const std::uint32_t left = world.one.hwpt;
	const std::uint32_t hwpt = world.move(world.two, world.second);

	CHECK(world.destroy(left) == Errno{ENOENT});
	CHECK(world.first_has(usable({}, false)));
	CHECK(world.second_has(usable({0, 1})));
	CHECK(world.leads_to_memory(hwpt) == ok);
	CHECK(world.switches() == 2);
	/* The sibling is there already. */
	CHECK(world.move(world.one, world.second) == hwpt);
	CHECK(world.move(world.one, hwpt) == hwpt);
	CHECK(world.switches() == 2);
	CHECK(world.destroy(world.first) == ok);

	world.context.destroy(world.two.stdev);
	CHECK(world.second_has(usable({0})));
	CHECK(world.destroy(hwpt) == Errno{EBUSY});
	world.context.destroy(world.one.stdev);
	CHECK(world.destroy(hwpt) == Errno{ENOENT});
	CHECK(world.destroy(world.second) == ok);
}

TEST_CASE("replace moves a reference for each device of the group")
{
	const World world;
	const std::uint32_t near =
		make_hwpt(world.context, world.one.device, world.first, hwpt_parent);
	const std::uint32_t far =
		make_hwpt(world.context, world.one.device, world.second);
	const std::uint32_t nested = make_nested(world.context, world.one.device, near);

	for (const std::uint32_t hwpt : {near, far, nested, far, near, nested}) {
		world.move(world.one, hwpt);
		CHECK(world.destroy(hwpt) == Errno{EBUSY});
		CHECK(world.first_has(hwpt == far ? usable({}) : usable({0, 1})));
		CHECK(world.second_has(hwpt == far ? usable({0, 1}) : usable({})));
	}
	CHECK(world.destroy(near) == Errno{EBUSY});
	CHECK(world.destroy(far) == ok);
	world.context.destroy(world.one.stdev);
	CHECK(world.destroy(nested) == Errno{EBUSY});
	CHECK(world.first_has(usable({1})));
	world.context.destroy(world.two.stdev);
	CHECK(world.destroy(nested) == ok);
	CHECK(world.destroy(near) == ok);
	CHECK(world.destroy(world.first) == ok);
}

TEST_CASE("a region of any device keeps the group from moving")
{
	const World world;
	const std::uint32_t hwpt =
		make_hwpt(world.context, world.one.device, world.second);
	const auto refused = [&] {
		for (const std::uint32_t to : {world.second, hwpt})
			for (const Mock &mock : {world.one, world.two}) {
				std::uint32_t pt = to;

				CHECK(world.replace(mock, &pt) == Errno{EADDRINUSE});
				CHECK(pt == to);
				CHECK(world.first_has(usable({0, 1})));
				CHECK(world.second_has(usable({})));
				CHECK(world.destroy(world.one.hwpt) == Errno{EBUSY});
			}
	};

	for (const std::uint64_t n : {0, 1}) {
		REQUIRE(world.context.try_map(world.second, world.memory.va(), page_size,
					      reserved(n).start) == ok);
		refused();
		world.context.unmap(world.second, reserved(n).start, page_size);
		REQUIRE(world.context.try_allow(
				world.second, {{reserved(n).start, reserved(n).last}}) ==
			ok);
		refused();
		REQUIRE(world.context.try_allow(world.second, {}) == ok);
	}
	CHECK(world.switches() == 1);
	CHECK(world.leads_to_memory(world.one.hwpt) == ok);
	CHECK(world.move(world.one, hwpt) == hwpt);
	world.move(world.two, world.first);
	/* Nobody counts on it any more. */
	CHECK(world.destroy(hwpt) == ok);
}

TEST_CASE("a replace within one IOAS that fails keeps the regions")
{
	const World world;
	const Mock other = make_mock(world.context, world.second);
	const Mock simple = mock_create(
		world.context, world.first,
		{mock_region | mock_no_dirty, 0, reserved(3).start, reserved(3).last});
	std::uint32_t pt =
		make_hwpt(world.context, other.device, world.first, hwpt_dirty);

	CHECK(world.replace(simple, &pt) == Errno{EINVAL});
	CHECK(world.first_has(usable({0, 1, 3})));
	CHECK(world.context.try_map(world.first, world.memory.va(), page_size,
				    reserved(3).start) == Errno{EINVAL});
	CHECK(mock_stats(world.context, simple).attached == 1);
	CHECK(world.move(simple, world.first) == world.one.hwpt);
	CHECK(world.move(world.one, pt) == pt);
	CHECK(world.first_has(usable({0, 1, 3})));
}

TEST_CASE("one device of a group cannot do what a HWPT demands")
{
	const World world;
	const Mock simple =
		mock_create(world.context, world.first,
			    {.flags = mock_no_dirty, .sibling = world.one.stdev});
	const std::uint32_t hwpt =
		make_hwpt(world.context, world.one.device, world.first, hwpt_dirty);
	std::uint32_t pt = hwpt;

	CHECK(world.replace(world.one, &pt) == Errno{EINVAL});
	CHECK(world.first_has(usable({0, 1})));
	CHECK(world.destroy(hwpt) == ok);
	CHECK(world.move(simple, world.second) != simple.hwpt);
	CHECK(world.second_has(usable({0, 1})));
}

TEST_CASE("interrupts: a HWPT is prepared once")
{
	const World world;
	const auto msi = [&](const Mock &mock) {
		return mock_stats(world.context, mock).msi;
	};
	const Mock mock = mock_create(world.context, world.second, with_msi(0));

	CHECK(world.second_has(usable({0})));
	CHECK(msi(mock) == 1);
	const Mock sibling =
		mock_create(world.context, world.second, with_msi(0, mock.stdev));
	const Mock alone = mock_create(world.context, world.second, with_msi(0));
	CHECK(alone.hwpt == mock.hwpt);
	CHECK(msi(mock) + msi(alone) == 1);
	CHECK(msi(sibling) == 1);

	/* Each further one, too, and whoever is the first to come. */
	const std::uint32_t hwpt =
		make_hwpt(world.context, mock.device, world.second, hwpt_parent);
	const std::uint32_t nested = make_nested(world.context, mock.device, hwpt);
	world.move(sibling, nested);
	CHECK(msi(mock) == 2);
	world.move(mock, hwpt);
	world.move(mock, mock.hwpt);
	world.move(alone, hwpt);
	CHECK(msi(mock) == 2);
	CHECK(msi(alone) == 0);
	world.context.destroy(sibling.stdev);
	world.context.destroy(mock.stdev);
	world.context.destroy(alone.stdev);
	CHECK(world.second_has(usable({})));
}

TEST_CASE("interrupts: one address for each HWPT")
{
	const World world;
	const Mock one = mock_create(world.context, world.second, with_msi(0));
	const Mock two = mock_create(world.context, world.second, with_msi(1));
	std::uint32_t pt = one.hwpt;
	Mock mock;

	/* The automatic one does not suit. */
	CHECK(two.hwpt != one.hwpt);
	CHECK(world.second_has(usable({0, 1})));
	CHECK(try_mock_create(world.context, one.hwpt, with_msi(1), &mock) ==
	      Errno{EINVAL});
	CHECK(try_mock_create(world.context, one.hwpt, with_msi(2), &mock) ==
	      Errno{EINVAL});
	CHECK(world.replace(two, &pt) == Errno{EINVAL});
	CHECK(world.second_has(usable({0, 1})));
	CHECK(mock_stats(world.context, two).attached == 1);
	/* Devices without such a window go anywhere. */
	CHECK(mock_create(world.context, one.hwpt, with_region(2)).hwpt == one.hwpt);
	pt = two.hwpt;
	CHECK(world.replace(world.one, &pt) == ok);
	CHECK(world.second_has(usable({0, 1, 2})));
}

TEST_CASE("a group of many devices")
{
	constexpr std::uint64_t most = 24;
	const World world;
	std::vector<Mock> mocks{world.one, world.two};
	std::vector<std::uint64_t> all{0, 1};

	for (std::uint64_t n = 2; n < most; n++) {
		mocks.push_back(mock_create(world.context, world.first,
					    with_region(n, mocks[n / 2].stdev)));
		all.push_back(n);
	}
	CHECK(world.first_has(usable(all)));
	world.move(mocks[most / 2], world.second);
	CHECK(world.first_has(usable({}, false)));
	while (!mocks.empty()) {
		CHECK(world.second_has(usable(all)));
		world.context.destroy(mocks.front().stdev);
		mocks.erase(mocks.begin());
		all.erase(all.begin());
	}
	CHECK(world.second_has(usable({}, false)));
}

TEST_CASE("siblings join, leave and move at the same time")
{
	const unsigned int rounds = 1500 / slowness();
	const World world;
	Verdict verdict;
	Threads threads;
	std::atomic<bool> done = false;

	threads.start(2, [&](std::size_t number, auto &random) {
		for (unsigned int i = 0; number == 1 ? !done : i < rounds; i++) {
			std::uint32_t pt = random() % 2 ? world.first : world.second;

			verdict.expect("replace",
				       world.replace(number ? world.one : world.two, &pt),
				       {0});
		}
		done = true;
	});
	threads.start(2, [&](std::size_t number, auto &random) {
		while (!done) {
			const std::uint32_t pt =
				random() % 2 ? world.first : world.second;
			Mock mock;

			/* The group may be elsewhere just then. */
			verdict.expect(
				"join",
				try_mock_create(world.context, pt,
						with_region(number, world.one.stdev),
						&mock),
				{0, EINVAL});
			if (mock.stdev)
				verdict.expect("leave",
					       world.context.try_destroy(mock.stdev),
					       {0});
		}
	});
	threads.join();
	verdict.check();
	world.move(world.one, world.first);
	CHECK(world.first_has(usable({0, 1})));
	CHECK(world.second_has(usable({}, false)));
	world.context.destroy(world.one.stdev);
	world.context.destroy(world.two.stdev);
	CHECK(check_refs(world.context, world.memory, 0) == ok);
	CHECK(world.destroy(world.first) == ok);
	CHECK(world.destroy(world.second) == ok);
}

TEST_CASE("siblings move their group at the same time")
{
	const unsigned int rounds = 500 / slowness() + 10;
	const Context context;
	const Memory memory(4 * page_size);
	const std::uint32_t first = context.ioas(), second = context.ioas();
	context.map(first, memory, iova);
	context.map(second, memory, iova);
	const Mock one = mock_create(context, first, {});
	const Mock two = mock_create(context, first, {0, one.stdev});
	const std::uint32_t hwpt = make_hwpt(context, one.device, first);
	Verdict verdict;
	Threads threads;

	/* An automatic HWPT is made, and left by the other at once. */
	threads.start(2, [&](std::size_t number, auto &) {
		for (unsigned int i = 0; i < rounds; i++) {
			std::uint32_t pt = number ? hwpt : second;

			verdict.expect("replace",
				       try_mock_replace(context, number ? two : one, &pt),
				       {0});
		}
	});
	threads.join();
	verdict.check();
	context.destroy(one.stdev);
	context.destroy(two.stdev);
	CHECK(context.try_destroy(hwpt) == ok);
	CHECK(context.try_destroy(first) == ok);
	CHECK(context.try_destroy(second) == ok);
}

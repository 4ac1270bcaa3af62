// SPDX-License-Identifier: GPL-2.0-only
/* Devices and HWPTs: who mirrors what, what they reserve, and how they end. */
#include "mock.h"
#include "process.h"
#include "threads.h"

#include <sys/mman.h>

#include <array>
#include <atomic>

using namespace guest;

namespace {

constexpr std::uint64_t where = aperture_first + 4 * page_size;
constexpr std::size_t npages = 16;

/* An IOAS with a mapping, and another one without. */
struct World {
	World() : first(context.ioas()), second(context.ioas())
	{
		memory.fill(1);
		context.map(first, memory, where);
	}
	/* Are all pages pinned, or none? */
	Errno pinned(std::uint32_t times) const
	{
		return check_refs(context, memory, times);
	}
	Errno leads_to_memory(std::uint32_t hwpt) const
	{
		return check_map(context, hwpt, where, memory.size(), memory.va());
	}

	Context context;
	Memory memory{npages * page_size};
	std::uint32_t first, second;
};

std::vector<iommukit_iova_range> outside_of_aperture()
{
	return {{aperture_first, aperture_last}};
}

bool operator==(const iommukit_iova_range &a, const iommukit_iova_range &b)
{
	return a.start == b.start && a.last == b.last;
}

bool same(const std::vector<iommukit_iova_range> &a,
	  const std::vector<iommukit_iova_range> &b)
{
	return std::equal(a.begin(), a.end(), b.begin(), b.end(),
			  [](const auto &x, const auto &y) { return x == y; });
}

} // namespace

TEST_CASE("a device that is attached to an IOAS gets a HWPT of it")
{
	const World world;
	std::uint64_t alignment = 0;

	CHECK(world.pinned(0) == ok);
	const Mock mock = make_mock(world.context, world.first);

	CHECK(mock.hwpt != world.first);
	CHECK(world.pinned(1) == ok);
	CHECK(world.leads_to_memory(mock.hwpt) == ok);
	CHECK(same(world.context.ranges(world.first, &alignment), outside_of_aperture()));
	CHECK(alignment == mock_page);
	CHECK(world.context.try_destroy(world.first) == Errno{EBUSY});
	CHECK(world.context.try_destroy(mock.hwpt) == Errno{EBUSY});
	CHECK(world.context.try_destroy(mock.device) == Errno{EBUSY});

	world.context.destroy(mock.stdev);
	CHECK(world.context.try_destroy(mock.hwpt) == Errno{ENOENT});
	CHECK(world.context.try_destroy(mock.device) == Errno{ENOENT});
	CHECK(world.pinned(0) == ok);
	CHECK(world.context.ranges(world.first, &alignment).size() == 1);
	CHECK(alignment == 1);
	CHECK(world.context.try_destroy(world.first) == ok);
}

TEST_CASE("a second device joins the automatic HWPT, but no other")
{
	const World world;
	const Mock one = make_mock(world.context, world.first);
	const Mock two = make_mock(world.context, world.first);
	const std::uint32_t hwpt = make_hwpt(world.context, one.device, world.first);

	CHECK(two.hwpt == one.hwpt);
	CHECK(hwpt != one.hwpt);
	CHECK(make_mock(world.context, world.first).hwpt == one.hwpt);
	CHECK(world.pinned(1) == ok);
	CHECK(world.leads_to_memory(hwpt) == ok);
	world.context.destroy(one.stdev);
	CHECK(world.leads_to_memory(two.hwpt) == ok);
	CHECK(world.context.try_destroy(hwpt) == ok);
	CHECK(world.pinned(1) == ok);
}

TEST_CASE("maps and unmaps reach every HWPT at once")
{
	const World world;
	const Mock mock = make_mock(world.context, world.first);
	const std::uint32_t hwpt = make_hwpt(world.context, mock.device, world.first);
	const Memory more(4 * page_size);
	const std::uint64_t there = where + world.memory.size();

	world.context.map(world.first, more, there);
	for (const std::uint32_t id : {mock.hwpt, hwpt})
		CHECK(check_map(world.context, id, there, more.size(), more.va()) == ok);
	CHECK(check_refs(world.context, more, 1) == ok);
	CHECK(world.context.unmap(world.first, there, more.size()) == more.size());
	for (const std::uint32_t id : {mock.hwpt, hwpt})
		CHECK(check_map(world.context, id, there, page_size, more.va()) ==
		      Errno{EINVAL});
	CHECK(check_refs(world.context, more, 0) == ok);
	CHECK(world.context.unmap_all(world.first) == world.memory.size());
	CHECK(world.pinned(0) == ok);
}

TEST_CASE("mappings that begin and end inside of pages")
{
	for (const std::uint32_t flags : {0U, mock_huge_pages}) {
		const World world;
		const Mock mock = make_mock(world.context, world.second, flags);

		for (std::uint64_t from = 0; from < 3 * page_size; from += mock_page)
			for (std::uint64_t to = from + mock_page; to <= 5 * page_size;
			     to += mock_page) {
				const std::uint64_t va = world.memory.va() + from;

				INFO(from << " to " << to);
				REQUIRE(world.context.try_map(world.second, va, to - from,
							      where + mock_page) == ok);
				REQUIRE(check_map(world.context, mock.hwpt,
						  where + mock_page, to - from,
						  va) == ok);
				REQUIRE(world.context.unmap_all(world.second) ==
					to - from);
			}
		CHECK(world.pinned(0) == ok);
	}
}

TEST_CASE("a copy shares the pins")
{
	const World world;
	const Mock mock = make_mock(world.context, world.second);

	REQUIRE(world.context.try_copy(world.second, where, world.first, where,
				       world.memory.size()) == ok);
	CHECK(world.leads_to_memory(mock.hwpt) == ok);
	CHECK(world.pinned(1) == ok);
	const Mock other = make_mock(world.context, world.first);

	CHECK(world.pinned(1) == ok);
	CHECK(world.context.unmap_all(world.second) == world.memory.size());
	CHECK(world.pinned(1) == ok);
	CHECK(world.leads_to_memory(other.hwpt) == ok);
	world.context.destroy(other.stdev);
	CHECK(world.pinned(0) == ok);
}

TEST_CASE("replace moves a device and leaves nothing behind")
{
	const World world;
	const Mock mock = make_mock(world.context, world.first);
	const std::uint32_t hwpt = make_hwpt(world.context, mock.device, world.first);
	std::uint32_t pt = world.second;

	REQUIRE(try_mock_replace(world.context, mock, &pt) == ok);
	CHECK(world.context.try_destroy(mock.hwpt) == Errno{ENOENT});
	/* The explicit one holds the pages. */
	CHECK(world.pinned(1) == ok);
	CHECK(world.context.try_destroy(pt) == Errno{EBUSY});
	const std::uint32_t left = pt;

	pt = world.second;
	REQUIRE(try_mock_replace(world.context, mock, &pt) == ok);
	CHECK(pt == left);
	pt = hwpt;
	REQUIRE(try_mock_replace(world.context, mock, &pt) == ok);
	CHECK(pt == hwpt);
	CHECK(world.context.try_destroy(left) == Errno{ENOENT});
	CHECK(world.context.try_destroy(world.second) == ok);
	CHECK(world.context.try_destroy(hwpt) == Errno{EBUSY});
	world.context.destroy(mock.stdev);
	CHECK(world.context.try_destroy(hwpt) == ok);
	CHECK(world.pinned(0) == ok);
}

TEST_CASE("what a replace refuses leaves everything as it was")
{
	const World world;
	const Mock mock = make_mock(world.context, world.first);
	const auto ranges = world.context.ranges(world.first);
	const auto refused = [&](std::uint32_t to, int error) {
		std::uint32_t pt = to;

		CHECK(try_mock_replace(world.context, mock, &pt) == Errno{error});
		CHECK(pt == to);
		CHECK(world.leads_to_memory(mock.hwpt) == ok);
		CHECK(same(world.context.ranges(world.first), ranges));
		CHECK(world.pinned(1) == ok);
	};

	refused(0, ENOENT);
	refused(mock.device, EINVAL);
	refused(mock.stdev, EINVAL);
	/* Outside of the aperture, and not there. */
	REQUIRE(world.context.try_map(world.second, world.memory.va(), page_size, 0) ==
		ok);
	refused(world.second, EADDRINUSE);
	world.context.unmap_all(world.second);
	REQUIRE(world.context.try_map(world.second, 0x1000, page_size, where) == ok);
	refused(world.second, EFAULT);
	world.context.unmap_all(world.second);
	/* Not aligned to what the device can map. */
	REQUIRE(world.context.try_map(world.second, world.memory.va() + 1, 1,
				      where + 1) == ok);
	refused(world.second, EADDRINUSE);
	world.context.unmap_all(world.second);
	REQUIRE(world.context.try_allow(world.second, {{0, aperture_first}}) == ok);
	refused(world.second, EADDRINUSE);
	CHECK(world.context.ranges(world.second).size() == 1);
	CHECK(world.context.ranges(world.second)[0].start == 0);
}

TEST_CASE("HWPT_ALLOC: errors in their order")
{
	const World world;
	const Mock mock = make_mock(world.context, world.first);
	const Mock plain = make_mock(world.context, world.first, mock_no_dirty);
	using Cmd = iommukit_hwpt_alloc;
	auto valid = command<Cmd>();

	valid.dev_id = mock.device;
	valid.pt_id = world.second;
	check_ordered<Cmd>(
		{
			{"__reserved", "__reserved", [](Cmd &c) { c.__reserved = 1; },
			 EOPNOTSUPP},
			{"data without a type", "data", [](Cmd &c) { c.data_len = 4; },
			 EINVAL},
			{"a type without data", "data",
			 [](Cmd &c) { c.data_type = 0xdead; }, EINVAL},
			{"no such device", "dev_id", [](Cmd &c) { c.dev_id = 0; },
			 ENOENT},
			{"an IOAS for a device", "dev_id",
			 [&](Cmd &c) { c.dev_id = world.first; }, ENOENT},
			{"no such object", "pt_id", [](Cmd &c) { c.pt_id = 0; }, EINVAL},
			{"a device for an IOAS", "pt_id",
			 [&](Cmd &c) { c.pt_id = mock.device; }, EINVAL},
			{"an unknown flag", "flags", [](Cmd &c) { c.flags = 1 << 9; },
			 EOPNOTSUPP},
			{"a fault queue", "flags",
			 [](Cmd &c) { c.flags = IOMMUKIT_HWPT_FAULT_ID_VALID; },
			 EOPNOTSUPP},
		},
		valid, [&](Cmd &cmd) { return probe_hwpt(world.context, cmd); });

	std::uint32_t hwpt = 0;
	CHECK(try_hwpt(world.context, plain.device, world.second, &hwpt, hwpt_dirty) ==
	      Errno{EOPNOTSUPP});
	hwpt = make_hwpt(world.context, mock.device, world.second,
			 hwpt_dirty | hwpt_parent);
	std::uint32_t pt = hwpt;
	CHECK(try_mock_replace(world.context, plain, &pt) == Errno{EINVAL});
	CHECK(try_mock_replace(world.context, mock, &pt) == ok);
}

TEST_CASE("HWPT_ALLOC whose answer cannot be written makes nothing")
{
	const World world;
	const Mock mock = make_mock(world.context, world.second);
	const PageAndHole page;
	auto cmd = command<iommukit_hwpt_alloc>();

	cmd.dev_id = mock.device;
	cmd.pt_id = world.first;
	auto *at = static_cast<iommukit_hwpt_alloc *>(page.tail(sizeof(cmd)));
	*at = cmd;
	page.write_protect();
	CHECK(call(world.context.fd(), IOMMUKIT_HWPT_ALLOC, at) == Errno{EFAULT});
	CHECK(world.pinned(0) == ok);
	CHECK(world.context.alignment(world.first) == 1);
	CHECK(world.context.try_destroy(world.first) == ok);
}

TEST_CASE("a map that fails half way leaves no HWPT with a part of it")
{
	const World world;
	const Mock mock = make_mock(world.context, world.second);
	const std::uint32_t hwpt = make_hwpt(world.context, mock.device, world.second);

	world.memory.unmap(8 * page_size, 8 * page_size);
	CHECK(world.context.try_map(world.second, world.memory.va(), world.memory.size(),
				    where) == Errno{EFAULT});
	for (const std::uint32_t id : {mock.hwpt, hwpt})
		CHECK(check_map(world.context, id, where, mock_page, world.memory.va()) ==
		      Errno{EINVAL});
	CHECK(check_refs(world.context, world.memory.va(), 8 * page_size, 0) == ok);
	/* The place is free again. */
	CHECK(world.context.try_map(world.second, world.memory.va(), 8 * page_size,
				    where) == ok);
}

TEST_CASE("accesses and HWPTs pin a page once")
{
	const World world;
	const Access access(world.context, world.first);
	const std::uint32_t item = access.pin(where + page_size, 4 * page_size);
	const Mock mock = make_mock(world.context, world.first);

	CHECK(world.pinned(1) == ok);
	CHECK(world.leads_to_memory(mock.hwpt) == ok);
	CHECK(access.try_unpin(item) == ok);
	CHECK(world.pinned(1) == ok);
	access.pin(where + 2 * page_size, 3 * page_size);
	world.context.destroy(mock.stdev);
	CHECK(check_refs(world.context, world.memory.va() + 2 * page_size, 3 * page_size,
			 1) == ok);
	CHECK(check_refs(world.context, world.memory.va(), 2 * page_size, 0) == ok);
}

TEST_CASE("large pages cannot be disabled under a HWPT with mappings")
{
	const World world;
	const Mock mock = make_mock(world.context, world.first);
	const auto set = [&](std::uint64_t on) {
		return world.context.try_set_option(IOMMUKIT_OPTION_HUGE_PAGES,
						    world.first, on);
	};

	CHECK(set(0) == Errno{EINVAL});
	CHECK(world.context.unmap_all(world.first) == world.memory.size());
	CHECK(set(0) == ok);
	CHECK(world.context.alignment(world.first) == page_size);
	world.context.map(world.first, world.memory, where);
	CHECK(world.leads_to_memory(mock.hwpt) == ok);
	CHECK(set(0) == ok);
	CHECK(set(1) == ok);
}

TEST_CASE("the owner is gone")
{
	const World world;
	Child owner([&](const Child::Steps &step) {
		const bool mapped = world.context.try_map(world.second, world.memory.va(),
							  page_size, where) == ok;

		step.meet();
		return mapped ? 0 : 1;
	});

	owner.await();
	const Mock mock = make_mock(world.context, world.second);

	owner.resume();
	REQUIRE(owner.join() == 0);
	/* What is pinned stays good, also for others. */
	const std::uint32_t hwpt = make_hwpt(world.context, mock.device, world.second);

	CHECK(check_map(world.context, hwpt, where, page_size, world.memory.va()) == ok);
	world.context.destroy(mock.stdev);
	world.context.destroy(hwpt);
	Mock late;
	CHECK(try_mock(world.context, world.second, &late) == Errno{EFAULT});
}

TEST_CASE("a context that is closed ends its devices")
{
	World world;
	const Mock one = make_mock(world.context, world.first);
	const Mock two = make_mock(world.context, one.hwpt);
	std::uint32_t pt = make_hwpt(world.context, two.device, world.second);

	REQUIRE(try_mock_replace(world.context, two, &pt) == ok);
	world.context.close();
	const Context observer;

	CHECK(check_refs(observer, world.memory, 0) == ok);
}

TEST_CASE("HWPTs come and go while others map and unmap")
{
	const unsigned int rounds = 1500 / slowness();
	const World world;
	const Mock mock = make_mock(world.context, world.second);
	const Memory memory(64 * page_size);
	Verdict verdict;
	Threads threads;
	std::atomic<bool> done = false;

	memory.fill(2);
	threads.start(1, [&](std::size_t, auto &random) {
		for (unsigned int i = 0; i < rounds; i++) {
			std::uint32_t hwpt = 0;

			verdict.expect(
				"hwpt",
				try_hwpt(world.context, mock.device, world.first, &hwpt),
				{0});
			if (random() % 2)
				std::this_thread::yield();
			verdict.expect("what was mapped before",
				       world.leads_to_memory(hwpt), {0});
			verdict.expect("destroy", world.context.try_destroy(hwpt), {0});
		}
		done = true;
	});
	threads.start(1, [&](std::size_t, auto &random) {
		while (!done) {
			std::uint32_t pt = random() % 2 ? world.first : world.second;

			verdict.expect("replace",
				       try_mock_replace(world.context, mock, &pt), {0});
		}
	});
	threads.start(2, [&](std::size_t number, auto &random) {
		const std::uint64_t base = where + (1 + number) * 0x100000;

		while (!done) {
			const std::uint64_t at = base + random() % 16 * 4 * page_size;
			const std::uint64_t length = (1 + random() % 4) * page_size;
			const std::uint64_t va = memory.va() + random() % 60 * page_size;

			const Errno mapped =
				world.context.try_map(world.first, va, length, at);
			verdict.expect("map", mapped, {0, EEXIST});
			verdict.expect(
				"unmap",
				world.context.try_unmap(world.first, at, 4 * page_size),
				{0, ENOENT});
		}
	});
	threads.join();
	verdict.check();
	CHECK(world.context.unmap_all(world.first) >= world.memory.size());
	CHECK(check_refs(world.context, memory, 0) == ok);
	CHECK(world.pinned(0) == ok);
}

TEST_CASE("one device is replaced by several threads")
{
	const unsigned int rounds = 1000 / slowness();
	const World world;
	const Mock mock = make_mock(world.context, world.second);
	const Mock other = make_mock(world.context, world.second);
	Verdict verdict;
	Threads threads;

	threads.start(3, [&](std::size_t number, auto &random) {
		for (unsigned int i = 0; i < rounds; i++) {
			std::uint32_t pt = random() % 2 ? world.first : world.second;
			const Mock &which = number == 1 ? other : mock;
			Mock made;

			verdict.expect("replace",
				       try_mock_replace(world.context, which, &pt), {0});
			if (random() % 4)
				continue;
			/* The HWPT may be gone, and its id another object's. */
			verdict.expect("mock", try_mock(world.context, pt, &made),
				       {0, ENOENT, EINVAL});
			if (made.stdev)
				verdict.expect("destroy",
					       world.context.try_destroy(made.stdev),
					       {0});
		}
	});
	threads.join();
	verdict.check();
	world.context.destroy(mock.stdev);
	world.context.destroy(other.stdev);
	/* No automatic HWPT was forgotten. */
	CHECK(world.pinned(0) == ok);
	CHECK(world.context.try_destroy(world.first) == ok);
	CHECK(world.context.try_destroy(world.second) == ok);
}

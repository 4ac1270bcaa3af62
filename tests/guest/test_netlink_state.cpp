// SPDX-License-Identifier: GPL-2.0-only
/* What objects of each type say of their state to those who ask by netlink. */
#include "access.h"
#include "fault.h"
#include "iotlb_world.h"
#include "late_page.h"
#include "mock.h"
#include "netlink.h"
#include "ondemand.h"
#include "process.h"
#include "queue_world.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <thread>

using namespace guest;

namespace {

constexpr std::uint64_t iova = aperture_first;

/* The objects of the context that was opened last before it. */
struct Viewer {
	NetlinkMessage ioas(std::uint32_t id) const
	{
		return state(id, IOMMUKIT_NL_A_OBJECT_IOAS);
	}
	NetlinkMessage hwpt(std::uint32_t id) const
	{
		return state(id, IOMMUKIT_NL_A_OBJECT_HWPT);
	}
	NetlinkMessage device(std::uint32_t id) const
	{
		return state(id, IOMMUKIT_NL_A_OBJECT_DEVICE);
	}
	NetlinkMessage access(std::uint32_t id) const
	{
		return state(id, IOMMUKIT_NL_A_OBJECT_ACCESS);
	}
	NetlinkMessage iotlb(std::uint32_t id) const
	{
		return state(id, IOMMUKIT_NL_A_OBJECT_IOTLB);
	}
	NetlinkMessage queue(std::uint32_t id) const
	{
		return state(id, IOMMUKIT_NL_A_OBJECT_FAULT_QUEUE);
	}
	NetlinkMessage state(std::uint32_t id, unsigned int nest) const
	{
		return object_state(netlink, context, id, nest);
	}
	/* Ids of all objects of a type, in their order */
	std::vector<std::uint32_t> all(const std::string &type) const
	{
		const NetlinkAnswer answer = netlink.ask(
			NetlinkRequest(IOMMUKIT_NL_CMD_OBJECT_GET, netlink_dump)
				.add(IOMMUKIT_NL_A_OBJECT_CONTEXT_ID, context));
		std::vector<std::uint32_t> ids;

		REQUIRE(answer.error == 0);
		for (const NetlinkMessage &message : answer.messages)
			if (message.text(IOMMUKIT_NL_A_OBJECT_TYPE) == type)
				ids.push_back(message.u32(IOMMUKIT_NL_A_OBJECT_ID));
		return ids;
	}

	Netlink netlink;
	std::uint32_t context = last_context(netlink);
};

void check_areas(const NetlinkMessage &ioas, std::uint64_t areas, std::uint64_t bytes)
{
	CHECK(ioas.u64(IOMMUKIT_NL_A_IOAS_AREAS) == areas);
	CHECK(ioas.u64(IOMMUKIT_NL_A_IOAS_MAPPED_BYTES) == bytes);
}

} // namespace

/* ---- IOAS ---- */

TEST_CASE("state: areas of an IOAS come and go")
{
	const Context context;
	const Viewer view;
	const std::uint32_t ioas = context.ioas(), other = context.ioas();
	const Memory memory(8 * page_size);

	check_areas(view.ioas(ioas), 0, 0);
	context.map(ioas, memory, iova);
	check_areas(view.ioas(ioas), 1, memory.size());
	REQUIRE(context.try_map(ioas, memory.va(), 3 * page_size, iova + (1 << 20)) ==
		ok);
	check_areas(view.ioas(ioas), 2, memory.size() + 3 * page_size);
	check_areas(view.ioas(other), 0, 0);
	/* What is refused leaves nothing. */
	REQUIRE(context.try_map(ioas, memory.va(), page_size, iova) == Errno{EEXIST});
	/* Nobody has looked yet whether there is memory. */
	REQUIRE(context.try_map(ioas, 0x1000, page_size, iova + (2 << 20)) == ok);
	check_areas(view.ioas(ioas), 3, memory.size() + 4 * page_size);
	Mock mock;
	CHECK(try_mock(context, ioas, &mock) == Errno{EFAULT});
	CHECK(view.ioas(ioas).u32(IOMMUKIT_NL_A_IOAS_HWPTS) == 0);
	context.unmap(ioas, iova + (2 << 20), page_size);
	make_mock(context, ioas);
	/* That cannot be pinned, and goes again. */
	REQUIRE(context.try_map(ioas, 0x1000, page_size, iova + (2 << 20)) ==
		Errno{EFAULT});
	REQUIRE(context.try_copy(other, 0, ioas, iova, memory.size()) == ok);
	check_areas(view.ioas(ioas), 2, memory.size() + 3 * page_size);
	check_areas(view.ioas(other), 1, memory.size());
	context.unmap(ioas, iova, memory.size());
	check_areas(view.ioas(ioas), 1, 3 * page_size);
	context.unmap_all(ioas);
	check_areas(view.ioas(ioas), 0, 0);
	check_areas(view.ioas(other), 1, memory.size());
}

TEST_CASE("state: HWPTs of an IOAS")
{
	const Context context;
	const Viewer view;
	const std::uint32_t ioas = context.ioas();
	const auto hwpts = [&] { return view.ioas(ioas).u32(IOMMUKIT_NL_A_IOAS_HWPTS); };

	CHECK(hwpts() == 0);
	const Mock mock = make_mock(context, ioas);
	CHECK(hwpts() == 1);
	const std::uint32_t parent = make_hwpt(context, mock.device, ioas, hwpt_parent);
	CHECK(hwpts() == 2);
	/* It has nothing of its own from the IOAS. */
	const std::uint32_t nested = make_nested(context, mock.device, parent);
	CHECK(hwpts() == 2);
	context.destroy(nested);
	context.destroy(parent);
	CHECK(hwpts() == 1);
	context.destroy(mock.stdev);
	CHECK(hwpts() == 0);
}

TEST_CASE("state: what accesses have dirtied")
{
	const Context context;
	const Viewer view;
	const std::uint32_t ioas = context.ioas();
	const Memory memory(256 * page_size);
	const Access access(context, ioas);
	const std::vector<std::byte> data(memory.size());
	const auto track = [&](bool on) {
		auto cmd = command<iommukit_ioas_set_dirty_tracking>();

		cmd.ioas_id = ioas;
		cmd.flags = on ? IOMMUKIT_IOAS_DIRTY_TRACKING_ENABLE : 0;
		REQUIRE(call(context.fd(), IOMMUKIT_IOAS_SET_DIRTY_TRACKING, &cmd) == ok);
	};
	const auto dirtied = [&] {
		return view.ioas(ioas).u64(IOMMUKIT_NL_A_IOAS_DIRTIED_PAGES);
	};
	const auto write = [&](std::uint64_t page, std::uint64_t pages) {
		REQUIRE(access.try_write(iova + page * page_size, data.data(),
					 pages * page_size) == ok);
	};

	context.map(ioas, memory, iova);
	CHECK(view.ioas(ioas).u32(IOMMUKIT_NL_A_IOAS_DIRTY_TRACKING) == 0);
	write(0, 1);
	CHECK(dirtied() == 0);
	track(true);
	CHECK(view.ioas(ioas).u32(IOMMUKIT_NL_A_IOAS_DIRTY_TRACKING) == 1);
	write(3, 1);
	CHECK(dirtied() == 1);
	/* The same once more is nothing new. */
	write(3, 1);
	CHECK(dirtied() == 1);
	/* Parts of words, and whole ones */
	write(2, 3);
	CHECK(dirtied() == 3);
	write(60, 136);
	CHECK(dirtied() == 139);
	write(0, 256);
	CHECK(dirtied() == 256);
	/* When it was read out it is new again. */
	std::vector<std::uint64_t> bits(4);
	auto get = command<iommukit_ioas_get_dirty_bitmap>();
	get.ioas_id = ioas;
	get.iova = iova;
	get.length = memory.size();
	get.page_size = page_size;
	get.data = reinterpret_cast<std::uint64_t>(bits.data());
	REQUIRE(call(context.fd(), IOMMUKIT_IOAS_GET_DIRTY_BITMAP, &get) == ok);
	CHECK(bits == std::vector<std::uint64_t>(4, all_ones));
	CHECK(dirtied() == 256);
	write(64, 64);
	CHECK(dirtied() == 320);
	/* So does it begin anew. */
	track(true);
	CHECK(dirtied() == 0);
	write(9, 1);
	track(false);
	CHECK(view.ioas(ioas).u32(IOMMUKIT_NL_A_IOAS_DIRTY_TRACKING) == 0);
	CHECK(dirtied() == 1);
}

TEST_CASE("state: on-demand memory of an IOAS")
{
	constexpr std::uint64_t pages = 64;
	OndemandWorld world;
	const Viewer view;
	const Memory memory(pages * page_size, Memory::Kind::private_anonymous);
	const std::uint32_t other = world.context.ioas();
	const auto faults = [&](std::uint32_t ioas) {
		return view.ioas(ioas).u64(IOMMUKIT_NL_A_IOAS_OD_FAULTS);
	};
	const auto changes = [&](std::uint32_t ioas) {
		return view.ioas(ioas).u64(IOMMUKIT_NL_A_IOAS_OD_INVALIDATIONS);
	};

	madvise(memory.data(), memory.size(), MADV_NOHUGEPAGE);
	memory.fill(1);
	CHECK(faults(world.ioas) == 0);
	CHECK(changes(world.ioas) == 0);
	world.map(memory.va(), memory.size(), map_rw_fixed, OndemandWorld::iova, 0);
	REQUIRE(world.touch(0) == ok);
	REQUIRE(world.touch(20 * page_size) == ok);
	CHECK(faults(world.ioas) == 2);
	/* That was there. */
	REQUIRE(world.touch(0) == ok);
	CHECK(faults(world.ioas) == 2);
	const std::uint64_t before = changes(world.ioas);
	memory.discard(20 * page_size, page_size);
	CHECK(changes(world.ioas) > before);
	REQUIRE(world.touch(20 * page_size) == ok);
	const Stats stats = world.stats();
	CHECK(faults(world.ioas) == stats.out_faults_read + stats.out_faults_write);
	CHECK(faults(world.ioas) == 3);
	CHECK(changes(world.ioas) == stats.out_invalidations);
	/* Nobody takes them back, and where it is copied to they do not count. */
	world.stats(IOMMUKIT_ONDEMAND_QUERY_RESET);
	CHECK(faults(world.ioas) == 3);
	REQUIRE(world.context.try_copy(other, iova, world.ioas, OndemandWorld::iova,
				       memory.size()) == ok);
	const Device device(world.context, other, Who::owner_slow);
	REQUIRE(device.touch(iova + 40 * page_size) == ok);
	CHECK(faults(other) == 0);
	CHECK(faults(world.ioas) == 4);
	/* Also when it is not mapped there any more. */
	world.context.unmap_all(world.ioas);
	REQUIRE(device.touch(iova + 50 * page_size) == ok);
	CHECK(faults(world.ioas) == 5);
}

/* ---- HWPT and devices ---- */

TEST_CASE("state: HWPTs")
{
	const Context context;
	const Viewer view;
	const std::uint32_t ioas = context.ioas();
	const Mock mock = make_mock(context, ioas);
	const FaultQueue queue = make_fault_queue(context);
	const std::uint32_t parent =
		make_hwpt(context, mock.device, ioas, hwpt_parent | hwpt_dirty);
	const std::uint32_t nested = make_nested(context, mock.device, parent, queue.id);
	const NetlinkMessage automatic = view.hwpt(mock.hwpt);

	CHECK(automatic.u32(IOMMUKIT_NL_A_HWPT_IOAS_ID) == ioas);
	CHECK(!automatic.has(IOMMUKIT_NL_A_HWPT_PARENT_ID));
	CHECK(!automatic.has(IOMMUKIT_NL_A_HWPT_FAULT_ID));
	CHECK(automatic.u32(IOMMUKIT_NL_A_HWPT_DOMAIN) == IOMMUKIT_NL_DOMAIN_DRIVER);
	CHECK(automatic.u32(IOMMUKIT_NL_A_HWPT_FLAGS) == IOMMUKIT_NL_HWPT_AUTO);
	CHECK(automatic.u32(IOMMUKIT_NL_A_HWPT_DEVICES) == 1);

	CHECK(view.hwpt(parent).u32(IOMMUKIT_NL_A_HWPT_FLAGS) ==
	      IOMMUKIT_NL_HWPT_NEST_PARENT);
	CHECK(view.hwpt(parent).u32(IOMMUKIT_NL_A_HWPT_DEVICES) == 0);
	REQUIRE(set_dirty(context, parent, true) == ok);
	CHECK(view.hwpt(parent).u32(IOMMUKIT_NL_A_HWPT_FLAGS) ==
	      (IOMMUKIT_NL_HWPT_NEST_PARENT | IOMMUKIT_NL_HWPT_DIRTY_TRACKING));
	REQUIRE(set_dirty(context, parent, false) == ok);
	CHECK(view.hwpt(parent).u32(IOMMUKIT_NL_A_HWPT_FLAGS) ==
	      IOMMUKIT_NL_HWPT_NEST_PARENT);

	const NetlinkMessage inner = view.hwpt(nested);
	CHECK(inner.u32(IOMMUKIT_NL_A_HWPT_PARENT_ID) == parent);
	CHECK(!inner.has(IOMMUKIT_NL_A_HWPT_IOAS_ID));
	CHECK(inner.u32(IOMMUKIT_NL_A_HWPT_FAULT_ID) == queue.id);
	CHECK(inner.u32(IOMMUKIT_NL_A_HWPT_DOMAIN) == IOMMUKIT_NL_DOMAIN_DRIVER);
	CHECK(inner.u32(IOMMUKIT_NL_A_HWPT_FLAGS) == 0);
}

TEST_CASE("state: who is attached to what")
{
	const Context context;
	const Viewer view;
	const std::uint32_t ioas = context.ioas(), other = context.ioas();
	const Mock one = make_mock(context, ioas);
	const Mock two = make_mock(context, ioas);
	Mock sibling;
	const auto groups = [&](std::uint32_t hwpt) {
		return view.hwpt(hwpt).u32(IOMMUKIT_NL_A_HWPT_DEVICES);
	};
	const auto hwpt_of = [&](const Mock &mock) {
		return view.device(mock.device).u32(IOMMUKIT_NL_A_DEVICE_HWPT_ID);
	};

	REQUIRE(one.hwpt == two.hwpt);
	REQUIRE(try_mock_create(context, ioas, {.sibling = one.stdev}, &sibling) == ok);
	CHECK(groups(one.hwpt) == 2);
	CHECK(hwpt_of(one) == one.hwpt);
	CHECK(hwpt_of(sibling) == one.hwpt);
	/* A group moves as a whole. */
	std::uint32_t to = other;
	REQUIRE(try_mock_replace(context, one, &to) == ok);
	CHECK(hwpt_of(one) == to);
	CHECK(hwpt_of(sibling) == to);
	CHECK(hwpt_of(two) == one.hwpt);
	CHECK(groups(one.hwpt) == 1);
	CHECK(groups(to) == 1);
	std::uint32_t none = 0x7ffffff0;
	REQUIRE(try_mock_replace(context, one, &none) == Errno{ENOENT});
	CHECK(groups(to) == 1);
	context.destroy(one.stdev);
	CHECK(groups(to) == 1);
	CHECK(hwpt_of(sibling) == to);
	REQUIRE(mock_detach(context, two) == ok);
	CHECK(!view.device(two.device).has(IOMMUKIT_NL_A_DEVICE_HWPT_ID));
}

TEST_CASE("state: a device of a driver")
{
	const Context context;
	const Viewer view;
	const Mock mock = make_mock(context, context.ioas());
	const NetlinkMessage device = view.device(mock.device);

	CHECK(device.text(IOMMUKIT_NL_A_DEVICE_DRIVER) == "iommukit_test");
	CHECK(!device.has(IOMMUKIT_NL_A_DEVICE_NAME));
	CHECK(!device.has(IOMMUKIT_NL_A_DEVICE_IOMMU_GROUP));
	CHECK(device.u32(IOMMUKIT_NL_A_DEVICE_OUTSTANDING_FAULTS) == 0);
}

TEST_CASE("state: faults in a queue, and of its devices")
{
	const QueueWorld world;
	const Viewer view;
	const auto check = [&](std::uint32_t unread, std::uint32_t unanswered) {
		const NetlinkMessage queue = view.queue(world.queue.id);

		CHECK(queue.u32(IOMMUKIT_NL_A_FAULT_QUEUE_UNREAD) == unread);
		CHECK(queue.u32(IOMMUKIT_NL_A_FAULT_QUEUE_UNANSWERED) == unanswered);
		CHECK(view.device(world.mock.device)
			      .u32(IOMMUKIT_NL_A_DEVICE_OUTSTANDING_FAULTS) ==
		      unread + unanswered);
	};

	check(0, 0);
	world.fault(1);
	world.fault(2, 3);
	check(4, 0);
	const std::vector<PageFault> first = read_faults(world.queue, 1);
	REQUIRE(first.size() == 1);
	check(3, 1);
	/* What cannot be read is put back. */
	CHECK(read_queue(world.queue, bad_pointer(), 3 * fault_bytes) == -EFAULT);
	check(3, 1);
	const std::vector<PageFault> second = read_faults(world.queue);
	REQUIRE(second.size() == 3);
	check(0, 4);
	REQUIRE(answer(world.queue, first[0].cookie) == sizeof(PageResponse));
	check(0, 3);
	CHECK(answer(world.queue, first[0].cookie) == -EINVAL);
	check(0, 3);
	world.fault(3);
	check(1, 3);
	/* Whoever is moved has nothing there any more. */
	world.replace(world.mock, world.parent);
	check(0, 0);
}

TEST_CASE("state: pages that the kernel looks for on behalf of a device")
{
	const LatePage late;
	const OndemandWorld world;
	const Viewer view;
	const auto outstanding = [&](const Mock &mock) {
		return view.device(mock.device)
			.u32(IOMMUKIT_NL_A_DEVICE_OUTSTANDING_FAULTS);
	};

	world.map(late.page());
	const Mock mock = mock_create(world.context, world.ioas, {.flags = mock_faults});
	const PageRequest request{OndemandWorld::iova, fault_read, 0};
	REQUIRE(try_mock_report(world.context, mock, {request, request}) == ok);
	REQUIRE(late.await_touch());
	CHECK(outstanding(mock) == 2);
	late.release();
	REQUIRE(mock_await(world.context, mock) == ok);
	CHECK(outstanding(mock) == 0);
}

TEST_CASE("state: a HWPT that has failed")
{
	OndemandWorld world;
	const Viewer view;
	const Memory memory(4 * page_size, Memory::Kind::private_anonymous);

	madvise(memory.data(), memory.size(), MADV_NOHUGEPAGE);
	memory.fill(1);
	world.map(memory.va(), memory.size(), map_rw_fixed, OndemandWorld::iova, 0);
	const Mock mock = mock_create(world.context, world.ioas, {.flags = mock_faults});
	REQUIRE(try_mock_fault(world.context, mock, OndemandWorld::iova, memory.size(),
			       true) == ok);
	CHECK(view.hwpt(mock.hwpt).u32(IOMMUKIT_NL_A_HWPT_FLAGS) ==
	      IOMMUKIT_NL_HWPT_AUTO);
	{
		const UnmapHow nothing(world.context, IOMMUKIT_TEST_UNMAP_NOTHING);

		memory.discard(0, page_size);
	}
	/* Objects of a dead context are told of as ever. */
	CHECK(view.hwpt(mock.hwpt).u32(IOMMUKIT_NL_A_HWPT_FLAGS) ==
	      (IOMMUKIT_NL_HWPT_AUTO | IOMMUKIT_NL_HWPT_DEAD));
	check_areas(view.ioas(world.ioas), 1, memory.size());
}

/* ---- accesses ---- */

TEST_CASE("state: an access")
{
	const Context context;
	const Viewer view;
	const std::uint32_t ioas = context.ioas(), other = context.ioas();
	const Memory memory(8 * page_size);
	std::uint32_t id = 0;
	char data[16] = {};

	context.map(ioas, memory, iova);
	const Access access = Access::extended(context, 0, access_pins, &id);
	NetlinkMessage state = view.access(id);
	CHECK(state.text(IOMMUKIT_NL_A_ACCESS_DRIVER) == "iommukit_test");
	CHECK(!state.has(IOMMUKIT_NL_A_ACCESS_STAGE_ID));
	CHECK(state.u64(IOMMUKIT_NL_A_ACCESS_PINS) == 0);
	CHECK(state.u64(IOMMUKIT_NL_A_ACCESS_COPIES) == 0);

	REQUIRE(access.try_attach(ioas) == ok);
	CHECK(view.access(id).u32(IOMMUKIT_NL_A_ACCESS_STAGE_ID) == ioas);
	const std::uint32_t item = access.pin(iova, 3 * page_size);
	access.pin(iova + page_size, page_size);
	REQUIRE(access.try_pin(iova - page_size, page_size) == Errno{ENOENT});
	for (int i = 0; i < 5; i++)
		REQUIRE(access.try_write(iova + 8 * i, data, 8) == ok);
	REQUIRE(access.try_read(iova, data, sizeof(data)) == ok);
	REQUIRE(access.try_read(iova - 8, data, sizeof(data)) == Errno{ENOENT});
	state = view.access(id);
	CHECK(state.u64(IOMMUKIT_NL_A_ACCESS_PINS) == 2);
	CHECK(state.u64(IOMMUKIT_NL_A_ACCESS_COPIES) == 6);
	REQUIRE(access.try_unpin(item) == ok);
	CHECK(view.access(id).u64(IOMMUKIT_NL_A_ACCESS_PINS) == 1);
	REQUIRE(access.try_replace(other) == ok);
	state = view.access(id);
	CHECK(state.u32(IOMMUKIT_NL_A_ACCESS_STAGE_ID) == other);
	CHECK(state.u64(IOMMUKIT_NL_A_ACCESS_PINS) == 0);
	CHECK(state.u64(IOMMUKIT_NL_A_ACCESS_COPIES) == 6);
	access.detach();
	CHECK(!view.access(id).has(IOMMUKIT_NL_A_ACCESS_STAGE_ID));
}

TEST_CASE("state: an access through an IOTLB")
{
	const IotlbWorld world;
	const Viewer view;
	std::uint32_t id = 0;
	char byte = 0;
	const Access access = Access::extended(world.context, 0, access_pins, &id);

	REQUIRE(access.try_attach(world.iotlb.id()) == ok);
	CHECK(view.access(id).u32(IOMMUKIT_NL_A_ACCESS_STAGE_ID) == world.iotlb.id());
	world.iotlb.update(0x5000, page_size, IotlbWorld::target);
	REQUIRE(access.try_read(0x5000, &byte, 1) == ok);
	REQUIRE(access.pin_raw(0x5000, page_size, 0) == ok);
	CHECK(view.access(id).u64(IOMMUKIT_NL_A_ACCESS_PINS) == 1);
	CHECK(view.access(id).u64(IOMMUKIT_NL_A_ACCESS_COPIES) == 1);
	access.unpin_raw(0x5000, page_size);
	CHECK(view.access(id).u64(IOMMUKIT_NL_A_ACCESS_PINS) == 0);
	/* The IOTLB has accesses of its own, for its clients. */
	bool own = false;
	for (const std::uint32_t other : view.all("access"))
		own = own ||
		      view.access(other).text(IOMMUKIT_NL_A_ACCESS_DRIVER) == "iommukit";
	CHECK(own);
}

/* ---- IOTLB ---- */

TEST_CASE("state: an IOTLB")
{
	IotlbWorld world(0, [](iommukit_iotlb_alloc &cmd) {
		cmd.num_asids = 3;
		cmd.max_entries = 64;
	});
	const Viewer view;
	const auto state = [&] { return view.iotlb(world.iotlb.id()); };
	const auto counter = [&](iommukit_iotlb_stat which) {
		return state().array(IOMMUKIT_NL_A_IOTLB_STATE_COUNTERS).at(which);
	};

	CHECK(state().u32(IOMMUKIT_NL_A_IOTLB_STATE_IOAS_ID) == world.ioas);
	CHECK(state().u32(IOMMUKIT_NL_A_IOTLB_STATE_ASIDS) == 3);
	CHECK(state().u32(IOMMUKIT_NL_A_IOTLB_STATE_MAX_ENTRIES) == 64);
	REQUIRE(world.iotlb.try_set(IOMMUKIT_IOTLB_PARAM_MAX_ENTRIES, 128) == ok);
	CHECK(state().u32(IOMMUKIT_NL_A_IOTLB_STATE_MAX_ENTRIES) == 128);
	CHECK(state().u32(IOMMUKIT_NL_A_IOTLB_STATE_SERVER) == 1);

	for (std::uint64_t n = 0; n < 5; n++)
		world.iotlb.update(0x10000 + n * 2 * page_size, page_size,
				   IotlbWorld::target);
	world.iotlb.invalidate(0x10000, page_size);
	CHECK(world.reader.translate(0x12000, page_size).error == ok);
	CHECK(counter(IOMMUKIT_IOTLB_STAT_ENTRIES) == 4);
	CHECK(counter(IOMMUKIT_IOTLB_STAT_REMOVED) == 1);
	CHECK(counter(IOMMUKIT_IOTLB_STAT_LOOKUPS) == 1);
	const std::vector<std::uint64_t> counters =
		state().array(IOMMUKIT_NL_A_IOTLB_STATE_COUNTERS);
	REQUIRE(counters.size() == IOMMUKIT_IOTLB_NR_STATS);
	for (unsigned int i = 0; i < IOMMUKIT_IOTLB_NR_STATS; i++) {
		/* Entries of all IOTLBs that wait for their end */
		if (i == IOMMUKIT_IOTLB_STAT_DEFERRED)
			continue;
		INFO("counter " << i);
		CHECK(counters[i] ==
		      world.iotlb.stat(static_cast<iommukit_iotlb_stat>(i)));
	}
	world.iotlb.channel.close();
	CHECK(state().u32(IOMMUKIT_NL_A_IOTLB_STATE_SERVER) == 0);
	world.iotlb.open();
	CHECK(state().u32(IOMMUKIT_NL_A_IOTLB_STATE_SERVER) == 1);
}

TEST_CASE("state: an IOTLB that leads to addresses of its owner")
{
	const Context context;
	const Viewer view;
	const Iotlb iotlb(context, iotlb_alloc(0, IOMMUKIT_IOTLB_TARGET_UVA));

	CHECK(!view.iotlb(iotlb.id()).has(IOMMUKIT_NL_A_IOTLB_STATE_IOAS_ID));
}

/* ---- whoever looks on ---- */

TEST_CASE("state: without any privilege")
{
	const IotlbWorld world;
	const Viewer view;
	const auto look = [&] {
		if (become_user(2007, 0))
			return 1;
		const Netlink mine;
		const NetlinkMessage ioas = object_state(mine, view.context, world.ioas,
							 IOMMUKIT_NL_A_OBJECT_IOAS);

		return ioas.u64(IOMMUKIT_NL_A_IOAS_AREAS) == 1 ? 0 : 2;
	};

	CHECK(in_child(look) == 0);
}

TEST_CASE("state: objects that come and go while others look")
{
	const unsigned int rounds = 300 / slowness() + 1;
	const NothingLeft nothing_left;
	std::atomic<bool> over = false;
	const Context context;
	const std::uint32_t id = last_context(Netlink());
	std::atomic<std::uint64_t> seen = 0, wrong = 0;
	const auto look = [&] {
		const Netlink netlink;

		while (!over) {
			const NetlinkAnswer answer = netlink.ask(
				NetlinkRequest(IOMMUKIT_NL_CMD_OBJECT_GET, netlink_dump));

			wrong += answer.error != 0;
			seen += answer.messages.size();
		}
	};
	std::thread one(look), two(look);

	/* Nobody who looks on makes a DESTROY fail, nor the end of a context. */
	for (unsigned int i = 0; i < rounds; i++) {
		const Context other;
		const Memory memory(page_size);
		const std::uint32_t ioas = context.ioas();

		context.map(ioas, memory, iova);
		const Mock mock = make_mock(context, ioas);
		{
			const Access access(context, ioas);
			const Iotlb iotlb(context, ioas);
			const FaultQueue queue = make_fault_queue(context);

			other.ioas();
			access.pin(iova, page_size);
			context.destroy(iotlb.id());
		}
		wrong += context.try_destroy(mock.stdev) != ok;
		wrong += context.try_destroy(ioas) != ok;
	}
	over = true;
	one.join();
	two.join();
	CHECK(wrong == 0);
	CHECK(seen > 0);
	CHECK(context_facts(Netlink(), id).u32(IOMMUKIT_NL_A_CONTEXT_OBJECTS) == rounds);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Contexts in which a HWPT has failed to let go of memory: what they still do. */
#include "engine.h"
#include "iotlb_world.h"
#include "mock.h"
#include "ondemand.h"
#include "vfio.h"

#include <cstring>

using namespace guest;

namespace {

constexpr std::uint64_t iova = OndemandWorld::iova;
constexpr std::uint64_t aside = iova + 4 * huge_size;

/* Makes any context dead. */
void kill_context(const Context &context)
{
	const std::uint32_t ioas = context.ioas();
	const Memory memory(page_size, Memory::Kind::private_anonymous);

	memory.fill(1);
	REQUIRE(try_map_ondemand(context, ioas, memory.va(), page_size, iova) == ok);
	const Mock mock = mock_create(context, ioas, {.flags = mock_faults});
	REQUIRE(try_mock_fault(context, mock, iova, page_size, true) == ok);
	const UnmapHow nothing(context, IOMMUKIT_TEST_UNMAP_NOTHING);
	memory.discard(0, page_size);
}

struct Row {
	const char *name;
	unsigned long request;
	std::uint32_t bytes;
};

#define COMMAND(name, type)                                     \
	{                                                       \
#name, IOMMUKIT_##name, sizeof(iommukit_##type) \
	}
constexpr Row refused[] = {
	COMMAND(IOAS_ALLOC, ioas_alloc),
	COMMAND(IOAS_ALLOW_IOVAS, ioas_allow_iovas),
	COMMAND(IOAS_COPY, ioas_copy),
	COMMAND(IOAS_IOVA_RANGES, ioas_iova_ranges),
	COMMAND(IOAS_MAP, ioas_map),
	COMMAND(IOAS_MAP_FILE, ioas_map_file),
	COMMAND(OPTION, option),
	COMMAND(VFIO_IOAS, vfio_ioas),
	COMMAND(HWPT_ALLOC, hwpt_alloc),
	COMMAND(GET_HW_INFO, hw_info),
	COMMAND(HWPT_SET_DIRTY_TRACKING, hwpt_set_dirty_tracking),
	COMMAND(HWPT_GET_DIRTY_BITMAP, hwpt_get_dirty_bitmap),
	COMMAND(HWPT_INVALIDATE, hwpt_invalidate),
	COMMAND(FAULT_QUEUE_ALLOC, fault_alloc),
	COMMAND(INFO, info),
	COMMAND(IOAS_MAP_ONDEMAND, ioas_map_ondemand),
	COMMAND(IOAS_PREFETCH, ioas_prefetch),
	COMMAND(DEVICE_BIND, device_bind),
	COMMAND(DEVICE_ATTACH, device_attach),
	COMMAND(DEVICE_DETACH, device_detach),
	COMMAND(IOAS_SET_DIRTY_TRACKING, ioas_set_dirty_tracking),
	COMMAND(IOAS_GET_DIRTY_BITMAP, ioas_get_dirty_bitmap),
	COMMAND(IOTLB_ALLOC, iotlb_alloc),
	COMMAND(IOTLB_SUBMIT, iotlb_submit),
	COMMAND(IOTLB_QUERY, iotlb_query),
	COMMAND(IOTLB_STATS, iotlb_stats),
	COMMAND(IOTLB_SET, iotlb_set),
	COMMAND(IOTLB_CHANNEL_OPEN, iotlb_channel_open),
	COMMAND(IOTLB_GET_CAPS, iotlb_get_caps),
};
#undef COMMAND

} // namespace

TEST_CASE("what a dead context refuses, and what it does not")
{
	const Context context;
	const std::uint32_t ioas = context.ioas(), other = context.ioas();
	const Memory memory(4 * page_size);

	context.map(ioas, memory, aside);
	vfio_set(context, ioas);
	kill_context(context);
	for (const Row &row : refused) {
		std::vector<std::byte> buffer(row.bytes);

		INFO(row.name);
		std::memcpy(buffer.data(), &row.bytes, sizeof(row.bytes));
		CHECK(call(context.fd(), row.request, buffer.data()) == Errno{EIO});
		/* It is not even read. */
		CHECK(call(context.fd(), row.request, bad_pointer()) == Errno{EFAULT});
	}
	CHECK(vfio_answer(context, VFIO_GET_API_VERSION, 0) == -EIO);
	CHECK(vfio_answer(context, VFIO_CHECK_EXTENSION, VFIO_TYPE1_IOMMU) == -EIO);
	CHECK(vfio_answer(context, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU) == -EIO);
	CHECK(try_map_dma(context, memory.va(), page_size, 0) == Errno{EIO});
	CHECK(call(context.fd(), _IO(IOMMUKIT_TYPE, 0xdf), nullptr) == Errno{EFAULT});
	CHECK(vfio_answer(context, _IO(IOMMUKIT_TYPE, 0x10), 0) == -ENOTTY);

	Stats stats;
	CHECK(try_query(context, ioas, aside, &stats) == Errno{ENOENT});
	SECTION("unmapping")
	{
		CHECK(context.unmap(ioas, aside, memory.size()) == memory.size());
		CHECK(context.try_unmap(ioas, aside, memory.size()) == Errno{ENOENT});
	}
	SECTION("unmapping as VFIO does")
	{
		CHECK(try_unmap_dma(context, aside, memory.size()) == ok);
	}
	CHECK(context.try_destroy(other) == ok);
	CHECK(context.try_destroy(other) == Errno{ENOENT});
	CHECK(context.try_destroy(ioas) == ok);
}

TEST_CASE("what drivers have of a dead context")
{
	const Context context;
	const std::uint32_t ioas = context.ioas(), other = context.ioas();
	const Memory memory(4 * page_size);

	context.map(ioas, memory, aside);
	const Access access(context, ioas);
	const Access idle = Access::extended(context, 0, access_pins);
	const std::uint32_t item = access.pin(aside, page_size, pin_write, memory.va());
	const Engine engine;
	const std::uint32_t device = engine.bind_device(0, context);
	std::uint32_t hwpt = 0;
	std::byte byte{};

	REQUIRE(engine.try_attach(0, ioas, &hwpt) == ok);
	REQUIRE(device);
	kill_context(context);
	CHECK(access.try_read(aside, &byte, 1) == Errno{EIO});
	CHECK(access.try_write(aside, &byte, 1) == Errno{EIO});
	CHECK(access.try_pin(aside, page_size) == Errno{EIO});
	CHECK(access.try_replace(other) == Errno{EIO});
	CHECK(idle.try_attach(other) == Errno{EIO});
	/* What is pinned stays what it is, and can be given back. */
	CHECK(check_refs(context, memory, 1) == ok);
	CHECK(access.try_unpin(item) == ok);
	CHECK(check_refs(context, memory, 1) == ok);

	/* Of devices as well; what it has, this one keeps. */
	const Engine late;
	CHECK(late.try_bind(0, context.fd(), IOMMUKIT_DMA_PORT_HWPT) == Errno{EIO});
	CHECK(engine.try_replace(0, other, &hwpt) == Errno{EIO});
	CHECK(engine.try_detach(0) == ok);
	CHECK(engine.try_attach(0, ioas, &hwpt) == Errno{EIO});
	CHECK(engine.try_unbind(0) == ok);
	CHECK(access.try_detach() == ok);
	CHECK(check_refs(context, memory, 0) == ok);
}

TEST_CASE("what clients have of an IOTLB in a dead context")
{
	const IotlbWorld world;
	std::byte byte{};
	Fd client;
	int asked = 0;

	world.iotlb.update(page_size, page_size, IotlbWorld::target);
	REQUIRE(world.reader.try_read(page_size, &byte, 1) == ok);
	kill_context(world.context);
	CHECK(world.reader.try_read(page_size, &byte, 1) == Errno{EIO});
	CHECK(world.reader.translate(page_size, 1).error == Errno{EIO});
	CHECK(world.reader.nowait(2 * page_size, 1).error == Errno{EIO});
	CHECK(world.client.try_prefetch({{2 * page_size, page_size}}, perm_read,
					&asked) == ok);
	CHECK(asked == -EIO);
	CHECK(IotlbClient::attempt(world.context, world.iotlb.id(), 0, 0, &client) ==
	      Errno{EIO});
}

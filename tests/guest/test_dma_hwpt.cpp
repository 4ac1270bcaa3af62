// SPDX-License-Identifier: GPL-2.0-only
/* An engine that is a device: what it does goes by a HWPT, replaced at any time. */
#include "engine.h"
#include "mock.h"
#include "threads.h"

#include <algorithm>
#include <cstring>

using namespace guest;

namespace {

constexpr std::uint64_t src_iova = 0x40000000;
constexpr std::uint64_t dst_iova = 0x80000000;
constexpr std::size_t npages = 32;
constexpr std::size_t bytes = npages * page_size;

/* Two IOASes with the same memory at the same IOVA, and port 0 in the first. */
struct World {
	World()
	{
		for (std::uint32_t &id : ioas) {
			id = context.ioas();
			context.map(id, src, src_iova);
			context.map(id, dst, dst_iova);
		}
		device = engine.bind_device(0, context);
	}
	void attach(std::uint32_t pt) { REQUIRE(engine.try_attach(0, pt, &hwpt) == ok); }
	Errno transfer(std::uint32_t op, std::uint64_t from = src_iova,
		       std::uint64_t to = dst_iova, std::uint64_t length = bytes,
		       void *user = nullptr, std::uint32_t flags = 0) const
	{
		auto cmd = dma_transfer(op, from, to, length, flags);

		cmd.user_va = reinterpret_cast<std::uint64_t>(user);
		return engine.try_transfer(cmd);
	}
	bool copied() const { return !std::memcmp(src.data(), dst.data(), bytes); }

	Context context;
	Memory src{bytes}, dst{bytes};
	std::uint32_t ioas[2];
	Engine engine;
	std::uint32_t device = 0, hwpt = 0;
};

} // namespace

TEST_CASE("a port that is a device translates by a HWPT")
{
	World world;
	std::vector<std::byte> buffer(bytes);

	world.src.fill(1);
	CHECK(world.transfer(IOMMUKIT_DMA_OP_COPY) == Errno{ENOENT});
	CHECK(check_refs(world.context, world.src, 0) == ok);
	world.attach(world.ioas[0]);
	CHECK(world.hwpt != world.ioas[0]);
	CHECK(check_refs(world.context, world.src, 1) == ok);
	for (const std::uint32_t flags : {0U, dma_kthread}) {
		std::memset(world.dst.data(), 0, bytes);
		CHECK(world.transfer(IOMMUKIT_DMA_OP_COPY, src_iova, dst_iova, bytes,
				     nullptr, flags) == ok);
		CHECK(world.copied());
	}
	CHECK(world.transfer(IOMMUKIT_DMA_OP_READ, src_iova + 1, 0, bytes - 1,
			     buffer.data()) == ok);
	CHECK(!std::memcmp(buffer.data(), world.src.data() + 1, bytes - 1));
	buffer = pattern_of(7, 0, bytes);
	CHECK(world.transfer(IOMMUKIT_DMA_OP_WRITE, 0, dst_iova + 3, bytes - 3,
			     buffer.data()) == ok);
	CHECK(!std::memcmp(buffer.data(), world.dst.data() + 3, bytes - 3));

	CHECK(world.transfer(IOMMUKIT_DMA_OP_COPY, src_iova, dst_iova, bytes + 1) ==
	      Errno{ENOENT});
	CHECK(world.engine.try_detach(0) == ok);
	CHECK(world.transfer(IOMMUKIT_DMA_OP_COPY) == Errno{ENOENT});
	CHECK(check_refs(world.context, world.src, 0) == ok);
}

TEST_CASE("a device has the permissions of the mapping")
{
	World world;
	const Memory memory(2 * page_size);

	memory.fill(1);
	REQUIRE(world.context.try_map(world.ioas[0], memory.va(), page_size, 0x1000,
				      map_fixed | map_read) == ok);
	REQUIRE(world.context.try_map(world.ioas[0], memory.va() + page_size, page_size,
				      0x2000, map_fixed | map_write) == ok);
	world.attach(world.ioas[0]);
	CHECK(world.transfer(IOMMUKIT_DMA_OP_COPY, 0x1000, 0x2000, page_size) == ok);
	CHECK(!std::memcmp(memory.data(), memory.data() + page_size, page_size));
	CHECK(world.transfer(IOMMUKIT_DMA_OP_COPY, 0x2000, dst_iova, page_size) ==
	      Errno{EPERM});
	CHECK(world.transfer(IOMMUKIT_DMA_OP_FILL, 0, 0x1000, page_size) == Errno{EPERM});
}

TEST_CASE("what a device's port refuses")
{
	World world;
	std::uint32_t pt = 77;

	CHECK(world.engine.try_bind(0, world.context.fd(), IOMMUKIT_DMA_PORT_HWPT) ==
	      Errno{EBUSY});
	CHECK(world.engine.try_bind(1, world.context.fd(),
				    IOMMUKIT_DMA_PORT_HWPT | IOMMUKIT_DMA_PORT_PIN) ==
	      Errno{EINVAL});
	CHECK(world.engine.try_bind(1, world.context.fd(), 4) == Errno{EOPNOTSUPP});
	CHECK(world.engine.try_replace(0, world.ioas[0], &pt) == Errno{ENOENT});
	CHECK(world.engine.try_detach(0) == Errno{ENOENT});
	CHECK(world.engine.try_attach(0, 12345, &pt) == Errno{ENOENT});
	CHECK(world.engine.try_attach(0, world.device, &pt) == Errno{EINVAL});
	CHECK(pt == 77);
	world.attach(world.ioas[0]);
	CHECK(world.engine.try_attach(0, world.ioas[0]) == Errno{EINVAL});
	CHECK(world.engine.try_replace(0, 12345) == Errno{ENOENT});
	CHECK(world.transfer(IOMMUKIT_DMA_OP_COPY, src_iova, dst_iova, bytes, nullptr,
			     dma_pin) == Errno{EINVAL});

	/* Devices of another kind have HWPTs of their own. */
	const Mock mock = make_mock(world.context, world.context.ioas());

	CHECK(world.engine.try_replace(0, mock.hwpt) == Errno{EINVAL});
	CHECK(world.transfer(IOMMUKIT_DMA_OP_COPY) == ok);

	for (const std::uint32_t id : {world.device, world.hwpt, world.ioas[0]})
		CHECK(world.context.try_destroy(id) == Errno{EBUSY});
	CHECK(world.engine.try_unbind(0) == ok);
	CHECK(world.context.try_destroy(world.device) == Errno{ENOENT});
	CHECK(world.context.try_destroy(world.hwpt) == Errno{ENOENT});
	CHECK(world.context.try_destroy(world.ioas[0]) == ok);
}

TEST_CASE("a device keeps its context alive")
{
	World world;

	world.src.fill(3);
	world.attach(world.ioas[0]);
	world.context.close();
	CHECK(world.transfer(IOMMUKIT_DMA_OP_COPY) == ok);
	CHECK(world.copied());
	world.engine.close();

	const Context context;

	CHECK(wait_until([&] { return check_refs(context, world.src, 0) == ok; }));
}

TEST_CASE("an unmap ends what a device does there")
{
	World world;

	world.attach(world.ioas[0]);
	world.engine.start(dma_job(IOMMUKIT_DMA_OP_FILL, 0, dst_iova, bytes));
	world.engine.await_passes(2);
	CHECK(world.context.unmap(world.ioas[0], dst_iova, bytes) == bytes);
	CHECK(check_refs(world.context, world.dst, 0) == ok);
	std::memset(world.dst.data(), 1, bytes);
	CHECK(world.engine.await_end() == IOMMUKIT_DMA_FAILED);
	CHECK(world.engine.status().out_error == ENOENT);
	CHECK(std::all_of(world.dst.data(), world.dst.data() + bytes,
			  [](std::byte b) { return b == std::byte(1); }));
}

TEST_CASE("a device that works finds each page by one HWPT or by the other")
{
	const unsigned int rounds = 5000 / slowness() + 100;
	World world;
	const Memory other(bytes);

	world.src.fill(1);
	other.fill(2);
	world.context.unmap(world.ioas[1], src_iova, bytes);
	world.context.map(world.ioas[1], other, src_iova);
	world.attach(world.ioas[0]);
	world.engine.start(dma_job(IOMMUKIT_DMA_OP_COPY, src_iova, dst_iova, bytes));
	for (unsigned int i = 0; i < rounds; i++)
		REQUIRE(world.engine.try_replace(0, world.ioas[(i + 1) % 2]) == ok);
	world.engine.await_passes(2);
	CHECK(world.engine.status().out_state == IOMMUKIT_DMA_RUNNING);
	CHECK(world.engine.try_stop() == ok);

	for (std::size_t n = 0; n < npages; n++) {
		const std::byte *page = world.dst.data() + n * page_size;

		INFO("page " << n);
		CHECK((!std::memcmp(page, world.src.data() + n * page_size, page_size) ||
		       !std::memcmp(page, other.data() + n * page_size, page_size)));
	}
}

/*
 * As a machine is moved: pages that are reported are copied, until nobody writes any
 * more. Then the copy is what the memory is.
 */
TEST_CASE("no write of a device is lost while its HWPT is replaced")
{
	const unsigned int rounds = 5000 / slowness() + 100;
	World world;
	const BitmapGeometry range{dst_iova, bytes, page_size};
	std::vector<std::byte> shadow(bytes);
	std::uint32_t hwpt[2];
	std::mt19937_64 random(seed());
	std::uint64_t reported = 0;

	for (unsigned int i = 0; i < 2; i++) {
		hwpt[i] =
			make_hwpt(world.context, world.device, world.ioas[i], hwpt_dirty);
		REQUIRE(set_dirty(world.context, hwpt[i], true) == ok);
	}
	const auto follow = [&] {
		for (const std::uint32_t id : hwpt) {
			const Bits bits = dirty_bits(world.context, id, range);

			for (std::size_t n = 0; n < npages; n++) {
				if (!has_bit(bits, n))
					continue;
				std::memcpy(shadow.data() + n * page_size,
					    world.dst.data() + n * page_size, page_size);
				reported++;
			}
		}
	};

	std::memcpy(shadow.data(), world.dst.data(), bytes);
	world.attach(hwpt[0]);
	world.engine.start(dma_job(IOMMUKIT_DMA_OP_COPY, src_iova, dst_iova, bytes));
	for (unsigned int i = 0; i < rounds; i++) {
		REQUIRE(world.engine.try_replace(0, hwpt[(i + 1) % 2]) == ok);
		std::memset(world.src.data() + random() % npages * page_size,
			    static_cast<int>(i), page_size);
		if (i % 7 == 0)
			follow();
	}
	world.engine.await_passes(2);
	CHECK(world.engine.status().out_state == IOMMUKIT_DMA_RUNNING);
	CHECK(world.engine.try_stop() == ok);
	follow();
	CHECK(reported > 0);
	CHECK(!std::memcmp(shadow.data(), world.dst.data(), bytes));
	/* And it was no empty exercise. */
	CHECK(world.transfer(IOMMUKIT_DMA_OP_COPY) == ok);
	CHECK(world.copied());
}

TEST_CASE("others map and unmap while a device works and moves")
{
	const unsigned int rounds = 500 / slowness() + 20;
	constexpr std::size_t piece = 8 * page_size;
	World world;
	const Memory memory(2 * piece);
	Verdict verdict;
	Threads threads;

	world.src.fill(5);
	world.attach(world.ioas[0]);
	world.engine.start(dma_job(IOMMUKIT_DMA_OP_COPY, src_iova, dst_iova, bytes));
	threads.start(2, [&](std::size_t number, auto &) {
		const std::uint64_t va = memory.va() + number * piece;
		const std::uint64_t iova = 0x10000000 + number * 0x100000;

		for (unsigned int i = 0; i < rounds; i++) {
			for (const std::uint32_t id : world.ioas)
				verdict.expect("map",
					       world.context.try_map(id, va, piece, iova),
					       {0});
			for (const std::uint32_t id : world.ioas)
				verdict.expect("unmap",
					       world.context.try_unmap(id, iova, piece),
					       {0});
		}
	});
	threads.start(1, [&](std::size_t, auto &) {
		for (unsigned int i = 0; i < rounds; i++)
			verdict.expect(
				"replace",
				world.engine.try_replace(0, world.ioas[(i + 1) % 2]),
				{0});
	});
	threads.join();
	verdict.check();
	world.engine.await_passes(1);
	CHECK(world.engine.status().out_state == IOMMUKIT_DMA_RUNNING);
	CHECK(world.engine.try_stop() == ok);
	CHECK(world.copied());
}

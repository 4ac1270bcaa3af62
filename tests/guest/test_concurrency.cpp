// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many threads on one IOAS. Every round has a fixed number of steps; what is
 * checked are invariants: allowed results only, bytes of the right mapping,
 * nothing pinned in the end.
 */
#include "access.h"
#include "engine.h"
#include "process.h"
#include "threads.h"
#include "vfio.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <memory>
#include <thread>

using namespace guest;

namespace {

constexpr std::uint64_t area_iova = 0x100000;
constexpr std::uint64_t slot = 4 * page_size;
const unsigned int steps = 3000 / slowness();

struct World {
	World() : ioas(context.ioas()) { memory.fill(1); }

	Context context;
	Memory memory{8 * slot};
	std::uint32_t ioas;
};

} // namespace

TEST_CASE("concurrent maps and unmaps of the same places")
{
	const World world;
	Verdict verdict;
	Threads threads;
	std::atomic<std::uint64_t> balance = 0;

	threads.start(4, [&](std::size_t, auto &random) {
		for (unsigned int i = 0; i < steps; i++) {
			const std::uint64_t iova = area_iova + random() % 8 * slot;
			std::uint64_t unmapped = 0;

			if (random() % 2) {
				const Errno error = world.context.try_map(
					world.ioas, world.memory.va(), slot, iova);

				verdict.expect("map", error, {0, EEXIST});
				if (error == ok)
					balance += slot;
				continue;
			}
			const Errno error = world.context.try_unmap(world.ioas, iova,
								    slot, &unmapped);

			verdict.expect("unmap", error, {0, ENOENT, EBUSY});
			if (error == ok) {
				verdict.expect("unmapped", unmapped == slot);
				balance -= unmapped;
			}
		}
	});
	threads.join();
	verdict.check();
	CHECK(world.context.unmap_all(world.ioas) == balance);
}

TEST_CASE("concurrent automatic placement gives everyone another IOVA")
{
	const World world;
	Verdict verdict;
	Threads threads;
	std::vector<std::uint64_t> found[4];

	threads.start(4, [&](std::size_t n, auto &) {
		for (unsigned int i = 0; i < steps; i++) {
			std::uint64_t iova = 0;

			verdict.expect("map",
				       world.context.try_map_auto(world.ioas,
								  world.memory.va(),
								  page_size, &iova),
				       {0});
			found[n].push_back(iova);
		}
	});
	threads.join();
	verdict.check();
	std::vector<std::uint64_t> all;
	for (const auto &list : found)
		all.insert(all.end(), list.begin(), list.end());
	std::sort(all.begin(), all.end());
	CHECK(std::adjacent_find(all.begin(), all.end()) == all.end());
	/* First fit: without gaps, whoever came first. */
	CHECK(all.front() == page_size);
	CHECK(all.back() == all.size() * page_size);
}

TEST_CASE("copies see one mapping or none while it changes")
{
	const World world;
	const Access access(world.context, world.ioas, 0);
	const Memory other(slot);
	Verdict verdict;
	Threads threads;
	std::atomic<bool> done = false;

	other.fill(2);
	threads.start(1, [&](std::size_t, auto &) {
		for (unsigned int i = 0; !verdict.done(i, steps); i++) {
			const Memory &memory = i % 2 ? other : world.memory;

			verdict.expect("map",
				       world.context.try_map(world.ioas, memory.va(),
							     slot, area_iova),
				       {0});
			std::this_thread::yield();
			verdict.expect(
				"unmap",
				world.context.try_unmap(world.ioas, area_iova, slot),
				{0});
		}
		done = true;
	});
	threads.start(2, [&](std::size_t, auto &random) {
		const auto one = pattern_of(1, 0, slot);
		const auto two = pattern_of(2, 0, slot);

		while (!done) {
			std::vector<std::byte> buffer(slot);
			const std::uint32_t flags = random() % 2 ? rw_slow : 0;
			const Errno error =
				access.try_read(area_iova, buffer.data(), slot, flags);

			verdict.expect("read", error, {0, ENOENT});
			if (error != ok)
				continue;
			verdict.hit();
			verdict.expect("bytes of one mapping",
				       buffer == one || buffer == two);
		}
	});
	threads.join();
	verdict.check(1);
	CHECK(check_refs(world.context, world.memory, 0) == ok);
}

TEST_CASE("after UNMAP has returned nobody writes to the old pages")
{
	const World world;
	const Access access(world.context, world.ioas);
	Verdict verdict;
	Threads threads;
	std::atomic<bool> done = false;

	threads.start(1, [&](std::size_t, auto &) {
		for (unsigned int i = 0; i < steps / 2; i++) {
			verdict.expect("map",
				       world.context.try_map(world.ioas,
							     world.memory.va(), slot,
							     area_iova),
				       {0});
			std::this_thread::yield();
			verdict.expect(
				"unmap",
				world.context.try_unmap(world.ioas, area_iova, slot),
				{0});
			std::memset(world.memory.data(), 0, slot);
			std::this_thread::yield();
			verdict.expect("untouched",
				       std::all_of(world.memory.data(),
						   world.memory.data() + slot,
						   [](std::byte b) {
							   return b == std::byte(0);
						   }));
		}
		done = true;
	});
	threads.start(2, [&](std::size_t, auto &random) {
		const std::vector<std::byte> ones(slot, std::byte(0xff));

		while (!done) {
			const std::uint32_t flags = random() % 2 ? rw_slow : 0;

			verdict.expect(
				"write",
				access.try_write(area_iova, ones.data(), slot, flags),
				{0, ENOENT});
		}
	});
	threads.join();
	verdict.check();
}

TEST_CASE("pins and unpins of several accesses while mappings change")
{
	const World world;
	const Access accesses[] = {Access(world.context, world.ioas),
				   Access(world.context, world.ioas)};
	Verdict verdict;
	Threads threads;
	std::atomic<bool> done = false;

	threads.start(1, [&](std::size_t, auto &random) {
		for (unsigned int i = 0; !verdict.done(i, steps); i++) {
			const std::uint64_t n = random() % 4;

			verdict.expect("map",
				       world.context.try_map(world.ioas,
							     world.memory.va() + n * slot,
							     slot, area_iova + n * slot),
				       {0, EEXIST});
			std::this_thread::yield();
			verdict.expect("unmap",
				       world.context.try_unmap(
					       world.ioas,
					       area_iova + random() % 4 * slot, slot),
				       {0, ENOENT});
		}
		done = true;
	});
	for (const Access &access : accesses)
		threads.start(2, [&](std::size_t, auto &random) {
			while (!done) {
				const std::uint64_t offset = random() % 12 * page_size;
				std::uint32_t item = no_item;
				/* The item checks that the pages are right. */
				const Errno error =
					access.try_pin(area_iova + offset,
						       (1 + random() % 4) * page_size, 0,
						       world.memory.va() + offset, &item);

				verdict.expect("pin", error, {0, ENOENT, EINVAL});
				if (error == ok)
					verdict.hit();
				if (error == ok && random() % 4)
					verdict.expect("unpin", access.try_unpin(item),
						       {0, ENOENT});
			}
		});
	threads.join();
	verdict.check(1);
	world.context.unmap_all(world.ioas);
	for (const Access &access : accesses)
		CHECK(access.callbacks().items == 0);
	CHECK(check_refs(world.context, world.memory, 0) == ok);
}

/*
 * Which of equal records an unpin takes is the core's choice, but not one that
 * another thread is still making. That takes longer with several areas; of eight,
 * a record that was freed meanwhile shows without KASAN, too: the allocator links
 * free ones where it names the fourth.
 */
TEST_CASE("pins and unpins of one range through one access without a lock")
{
	constexpr std::uint64_t areas = 8, length = areas * page_size;
	const World world;
	const Access access(world.context, world.ioas);
	Verdict verdict;
	Threads threads;

	for (std::uint64_t n = 0; n < areas; n++)
		REQUIRE(world.context.try_map(
				world.ioas, world.memory.va() + n * page_size, page_size,
				area_iova + n * page_size) == ok);
	threads.start(4, [&](std::size_t, auto &) {
		for (unsigned int i = 0; i < steps; i++) {
			verdict.expect("pin", access.try_pin_unlocked(area_iova, length),
				       {0});
			verdict.expect("unpin", access.try_unpin_raw(area_iova, length),
				       {0});
		}
	});
	threads.join();
	verdict.check();
	CHECK(check_refs(world.context, world.memory, 0) == ok);
	CHECK(status_pages(getpid(), "VmPin") == 0);
	CHECK(access.read(area_iova, length) == pattern_of(1, 0, length));
	/* Nobody is left in the areas, who would be waited for. */
	CHECK(world.context.unmap_all(world.ioas) == length);
	CHECK(access.callbacks().calls == 0);
}

TEST_CASE("accesses change their IOAS while they are used")
{
	const World world;
	const std::uint32_t other = world.context.ioas();
	const Access access(world.context, world.ioas);
	Verdict verdict;
	Threads threads;
	std::atomic<bool> done = false;

	world.context.map(world.ioas, world.memory, area_iova);
	world.context.map(other, world.memory, area_iova);
	threads.start(1, [&](std::size_t, auto &) {
		for (unsigned int i = 0; !verdict.done(i, steps); i++)
			verdict.expect("replace",
				       access.try_replace(i % 2 ? world.ioas : other),
				       {0});
		done = true;
	});
	threads.start(1, [&](std::size_t, auto &) {
		while (!done)
			for (std::uint32_t id : {world.ioas, other}) {
				const std::uint64_t iova = 9 * area_iova;

				verdict.expect("map",
					       world.context.try_map(id, 0, slot, iova),
					       {0});
				verdict.expect("unmap",
					       world.context.try_unmap(id, iova, slot),
					       {0});
			}
	});
	threads.start(2, [&](std::size_t, auto &random) {
		std::vector<std::byte> buffer(slot);

		while (!done) {
			const std::uint64_t offset = random() % 7 * slot;
			std::uint32_t item = no_item;
			const Errno pinned =
				access.try_pin(area_iova + offset, slot, 0,
					       world.memory.va() + offset, &item);

			verdict.expect("pin", pinned, {0, ENOENT});
			if (pinned == ok)
				verdict.expect("unpin", access.try_unpin(item),
					       {0, ENOENT});
			const Errno read =
				access.try_read(area_iova + offset, buffer.data(), slot);
			verdict.expect("read", read, {0, ENOENT});
			if (read != ok)
				continue;
			verdict.hit();
			verdict.expect("bytes", buffer == pattern_of(1, offset, slot));
		}
	});
	threads.join();
	verdict.check(1);
	CHECK(access.try_replace(world.ioas) == ok);
	CHECK(world.context.try_destroy(other) == ok);
	CHECK(check_refs(world.context, world.memory, 0) == ok);
}

TEST_CASE("accesses come and go under unmaps")
{
	const World world;
	Verdict verdict;
	Threads threads;
	std::atomic<bool> done = false;

	threads.start(1, [&](std::size_t, auto &) {
		for (unsigned int i = 0; !verdict.done(i, steps); i++) {
			verdict.expect("map",
				       world.context.try_map(world.ioas,
							     world.memory.va(), slot,
							     area_iova),
				       {0});
			std::this_thread::yield();
			/* Never EDEADLOCK: everybody behaves. */
			verdict.expect(
				"unmap",
				world.context.try_unmap(world.ioas, area_iova, slot),
				{0});
		}
		done = true;
	});
	threads.start(3, [&](std::size_t, auto &random) {
		while (!done) {
			Fd access;

			verdict.expect("create",
				       Access::attempt(world.context, world.ioas,
						       access_pins, &access),
				       {0});
			auto cmd = test_command(IOMMUKIT_TEST_OP_ACCESS_PAGES,
						static_cast<std::uint32_t>(access.get()));
			cmd.access_pages.iova = area_iova + random() % 4 * page_size;
			cmd.access_pages.length = page_size;
			const Errno error = test_call(world.context, cmd);

			verdict.expect("pin", error, {0, ENOENT, EINVAL});
			if (error == ok)
				verdict.hit();
		}
	});
	threads.join();
	verdict.check(1);
	CHECK(check_refs(world.context, world.memory, 0) == ok);
	CHECK(world.context.try_destroy(world.ioas) == ok);
}

TEST_CASE("objects are destroyed while others use them")
{
	const Context context;
	const Memory memory(slot);
	Verdict verdict;
	Threads threads;
	std::atomic<bool> done = false;

	threads.start(2, [&](std::size_t, auto &random) {
		for (unsigned int i = 0; i < steps; i++) {
			std::uint32_t id = 0;

			verdict.expect("alloc", context.try_ioas(&id), {0});
			std::this_thread::yield();
			/* Somebody else may have been faster. */
			verdict.expect("destroy",
				       context.try_destroy(random() % 2 ? id : 1),
				       {0, ENOENT});
		}
		done = true;
	});
	threads.start(3, [&](std::size_t, auto &random) {
		while (!done) {
			const auto id = static_cast<std::uint32_t>(1 + random() % 4);
			std::uint64_t value = 0;

			verdict.expect("map",
				       context.try_map(id, memory.va(), slot,
						       random() % 8 * slot),
				       {0, ENOENT, EEXIST});
			verdict.expect("copy",
				       context.try_copy(id, (8 + random() % 8) * slot,
							1 + random() % 4,
							random() % 8 * slot, slot),
				       {0, ENOENT, EEXIST});
			verdict.expect("option",
				       context.try_option(IOMMUKIT_OPTION_HUGE_PAGES,
							  IOMMUKIT_OPTION_OP_GET, id,
							  &value),
				       {0, ENOENT});
			verdict.expect("unmap", context.try_unmap(id, 0, all_ones),
				       {0, ENOENT, EBUSY});
		}
	});
	threads.join();
	verdict.check();
	/* Every id can be had again, from the lowest. */
	for (std::uint32_t id = 1; id < 4 * steps; id++)
		context.try_destroy(id);
	CHECK(context.ioas() == 1);
}

TEST_CASE("contexts open and close with everything in them")
{
	const Context observer;
	const Memory memory(slot);
	std::vector<std::unique_ptr<Child>> children;

	for (unsigned int n = 0; n < 4; n++)
		children.push_back(std::make_unique<Child>([&](const Child::Steps &) {
			Errno error;

			for (unsigned int i = 0; i < steps / 8 && error == ok; i++) {
				const Context context;
				const std::uint32_t ioas = context.ioas();
				const Access access(context, ioas);

				context.map(ioas, memory, area_iova);
				error = access.try_pin(area_iova, slot);
			}
			return error.value;
		}));
	for (const auto &child : children)
		CHECK(child->join() == 0);
	CHECK(check_refs(observer, memory, 0) == ok);
}

TEST_CASE("engines transfer and run while mappings change")
{
	const World world;
	const Engine engine(world.context, world.ioas);
	const Engine runner(world.context, world.ioas);
	Verdict verdict;
	Threads threads;
	std::atomic<bool> done = false;

	threads.start(1, [&](std::size_t, auto &) {
		for (unsigned int i = 0; !verdict.done(i, steps / 2); i++) {
			verdict.expect("map",
				       world.context.try_map(world.ioas,
							     world.memory.va(), 2 * slot,
							     area_iova),
				       {0});
			std::this_thread::yield();
			verdict.expect(
				"unmap",
				world.context.try_unmap(world.ioas, area_iova, 2 * slot),
				{0});
		}
		done = true;
	});
	threads.start(2, [&](std::size_t, auto &random) {
		while (!done) {
			auto cmd = dma_transfer(random() % 2 ? IOMMUKIT_DMA_OP_FILL
							     : IOMMUKIT_DMA_OP_COPY,
						area_iova, area_iova + slot, slot,
						static_cast<std::uint32_t>(random() % 4));

			const Errno error = engine.try_transfer(cmd);

			verdict.expect("transfer", error, {0, ENOENT, ECANCELED, EINVAL});
			if (error == ok)
				verdict.hit();
		}
	});
	threads.start(1, [&](std::size_t, auto &random) {
		while (!done) {
			verdict.expect("start",
				       runner.try_start(
					       dma_job(IOMMUKIT_DMA_OP_FILL, 0, area_iova,
						       slot, random() % 2 ? dma_pin : 0)),
				       {0, ENOENT, EINVAL, EBUSY});
			if (random() % 2)
				verdict.expect("stop", runner.try_stop(), {0});
		}
	});
	threads.join();
	verdict.check(1);
	CHECK(runner.try_stop() == ok);
	CHECK(engine.status().out_pinned_pages == 0);
	CHECK(runner.status().out_pinned_pages == 0);
	CHECK(check_refs(world.context, world.memory, 0) == ok);
}

TEST_CASE("owners are killed under pins, copies and unmaps")
{
	for (unsigned int round = 0; round < 5; round++) {
		const World world;
		const Access access(world.context, world.ioas);
		Child owner([&](const Child::Steps &step) {
			if (world.context.try_map(world.ioas, world.memory.va(), 4 * slot,
						  area_iova) != ok)
				return 1;
			step.meet();
			return 0;
		});
		Verdict verdict;
		Threads threads;

		owner.await();
		threads.start(3, [&](std::size_t, auto &random) {
			std::vector<std::byte> buffer(slot);

			for (unsigned int i = 0; i < steps / 4; i++) {
				const std::uint64_t iova =
					area_iova + random() % 3 * slot;
				std::uint32_t item = no_item;

				verdict.expect("pin",
					       access.try_pin(iova, slot, 0, 0, &item),
					       {0, EFAULT});
				verdict.expect("read",
					       access.try_read(iova, buffer.data(), slot),
					       {0, EFAULT});
				if (item != no_item)
					access.try_unpin(item);
			}
		});
		owner.kill();
		threads.join();
		verdict.check();
		CHECK(owner.join() == deadly_signal + SIGKILL);
		CHECK(world.context.unmap_all(world.ioas) == 4 * slot);
		CHECK(check_refs(world.context, world.memory, 0) == ok);
	}
}

TEST_CASE("ioctls of VFIO find the compatibility IOAS or none")
{
	const Context context;
	Verdict verdict;
	Threads threads;
	std::atomic<bool> done = false;

	threads.start(1, [&](std::size_t, auto &) {
		for (unsigned int i = 0; !verdict.done(i, steps); i++) {
			std::uint32_t id = 0;
			std::uint64_t unmapped = 1;

			verdict.expect("alloc", context.try_ioas(&id), {0});
			verdict.expect("set", try_vfio_set(context, id), {0});
			std::this_thread::yield();
			verdict.expect("destroy", context.try_destroy(id), {0});
			/* Most probably of the same id, and not chosen. */
			verdict.expect("alloc", context.try_ioas(&id), {0});
			std::this_thread::yield();
			verdict.expect("unmap",
				       context.try_unmap(id, 0, all_ones, &unmapped),
				       {0});
			verdict.expect("nothing is mapped", unmapped == 0);
			verdict.expect("destroy", context.try_destroy(id), {0});
		}
		done = true;
	});
	threads.start(2, [&](std::size_t, auto &random) {
		while (!done) {
			std::uint32_t id = 0;
			const Errno error = try_map_dma(context, 0, page_size,
							random() % 64 * page_size);

			verdict.expect("MAP_DMA", error, {0, ENODEV, EEXIST});
			if (error == ok)
				verdict.hit();
			verdict.expect("GET", try_vfio_get(context, &id), {0, ENODEV});
		}
	});
	threads.join();
	verdict.check(1);
}

TEST_CASE("parts of a mapping go while others copy and pin")
{
	const World world;
	const Access access(world.context, world.ioas);
	const std::vector<std::byte> ones(slot, std::byte(0xff));
	const auto first = pattern_of(1, 0, slot);
	Verdict verdict;

	vfio_set(world.context, world.ioas);
	REQUIRE(vfio_answer(world.context, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU) == 0);
	for (unsigned int i = 0; !verdict.done(i, steps / 50 + 1); i++) {
		Threads threads;
		std::atomic<unsigned int> cutters = 2;

		REQUIRE(try_map_dma(world.context, world.memory.va(), 8 * slot,
				    area_iova) == ok);
		/* The first slot stays, the others go, one at a time. */
		threads.start(2, [&](std::size_t number, auto &) {
			for (std::uint64_t n = 1 + number; n < 8;) {
				std::byte *data = world.memory.data() + n * slot;
				const Errno error = try_unmap_dma(
					world.context, area_iova + n * slot, slot);

				/* While it is one with what is pinned. */
				verdict.expect("UNMAP_DMA", error, {0, EINVAL});
				std::this_thread::yield();
				if (error != ok)
					continue;
				std::memset(data, 0, slot);
				std::this_thread::yield();
				verdict.expect(
					"untouched",
					std::all_of(data, data + slot, [](std::byte b) {
						return b == std::byte(0);
					}));
				n += 2;
			}
			cutters--;
		});
		threads.start(1, [&](std::size_t, auto &) {
			std::vector<std::byte> buffer(slot);

			while (cutters) {
				verdict.expect(
					"read of what stays",
					access.try_read(area_iova, buffer.data(), slot),
					{0});
				verdict.expect("bytes", buffer == first);
			}
		});
		threads.start(1, [&](std::size_t, auto &random) {
			while (cutters) {
				const std::uint64_t at =
					area_iova + slot + random() % (6 * slot);
				const Errno error =
					access.try_write(at, ones.data(), slot);

				verdict.expect("write", error, {0, ENOENT});
				if (error == ok)
					verdict.hit();
			}
		});
		threads.start(1, [&](std::size_t, auto &random) {
			while (cutters) {
				const std::uint64_t at = random() % 2 * slot;
				std::uint32_t item = no_item;
				const Errno error =
					access.try_pin(area_iova + at, slot, 0,
						       world.memory.va() + at, &item);

				if (at == 0)
					verdict.expect("pin of what stays", error, {0});
				else
					verdict.expect("pin", error, {0, ENOENT, EINVAL});
				if (error == ok)
					verdict.expect("unpin", access.try_unpin(item),
						       {0, ENOENT});
				std::this_thread::yield();
			}
		});
		threads.join();
		REQUIRE(world.context.unmap_all(world.ioas) == slot);
		REQUIRE(check_refs(world.context, world.memory, 0) == ok);
	}
	verdict.check(1);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Jobs of the software DMA engine: running, revoked, and with owners that die. */
#include "access.h"
#include "engine.h"
#include "process.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <string>

using namespace guest;

namespace {

constexpr std::uint64_t area_iova = 0x100000;
constexpr std::uint64_t piece = 4 * page_size;

struct World {
	World() : ioas(context.ioas()), engine(context, ioas)
	{
		for (std::uint64_t n = 0; n < 2; n++)
			REQUIRE(context.try_map(ioas, memory.va() + n * piece, piece,
						area_iova + n * piece) == ok);
	}

	/* Fills the first area, for ever. */
	iommukit_dma_start fill_job(std::uint32_t flags = dma_pin) const
	{
		auto cmd = dma_job(IOMMUKIT_DMA_OP_FILL, 0, area_iova, piece, flags);

		cmd.pattern = all_ones;
		return cmd;
	}
	void run(std::uint32_t flags = dma_pin) const
	{
		engine.start(fill_job(flags));
		engine.await_passes(2);
	}

	Context context;
	Memory memory{2 * piece};
	std::uint32_t ioas;
	Engine engine;
};

/* The engine has let go: what is written now stays. */
void check_untouched(const World &world)
{
	std::memset(world.memory.data(), 0, piece);
	for (unsigned int i = 0; i < 2000; i++)
		sched_yield();
	CHECK(std::all_of(world.memory.data(), world.memory.data() + piece,
			  [](std::byte b) { return b == std::byte(0); }));
	CHECK(check_refs(world.context, world.memory, 0) == ok);
	CHECK(world.engine.status().out_pinned_pages == 0);
}

} // namespace

TEST_CASE("DMA START rejections")
{
	using Start = iommukit_dma_start;
	const World world;
	auto valid = dma_job(IOMMUKIT_DMA_OP_COPY, area_iova, area_iova + piece, 100);
	const struct {
		const char *name;
		std::function<void(Start &)> inject;
		int error;
	} table[] = {
		{"unknown flag", [](Start &cmd) { cmd.flags |= 4; }, EOPNOTSUPP},
		{"KTHREAD", [](Start &cmd) { cmd.flags |= dma_kthread; }, EOPNOTSUPP},
		{"unknown op", [](Start &cmd) { cmd.op = 6; }, EOPNOTSUPP},
		{"READ", [](Start &cmd) { cmd.op = IOMMUKIT_DMA_OP_READ; }, EOPNOTSUPP},
		{"WRITE", [](Start &cmd) { cmd.op = IOMMUKIT_DMA_OP_WRITE; }, EOPNOTSUPP},
		{"reserved", [](Start &cmd) { cmd.__reserved = 1; }, EOPNOTSUPP},
		{"port 2", [](Start &cmd) { cmd.src_port = 2; }, EINVAL},
		{"no length", [](Start &cmd) { cmd.length = 0; }, EINVAL},
		{"port not bound", [](Start &cmd) { cmd.dst_port = 1; }, ENODEV},
	};
	const struct {
		const char *name;
		std::function<void(Start &)> inject;
		int error;
	} when_pinned[] = {
		{"no source", [](Start &cmd) { cmd.src_iova = 0; }, ENOENT},
		{"no target", [](Start &cmd) { cmd.dst_iova = 0; }, ENOENT},
		{"wraps", [](Start &cmd) { cmd.src_iova = -99UL; }, EOVERFLOW},
		{"more than 1 GiB", [](Start &cmd) { cmd.length = (1UL << 30) + 1; },
		 EINVAL},
	};

	for (std::uint32_t flags : {0U, dma_pin})
		for (const auto &row : table) {
			auto cmd = valid;

			INFO(row.name << ", flags " << flags);
			cmd.flags = flags;
			row.inject(cmd);
			CHECK(world.engine.try_start(cmd) == Errno{row.error});
		}
	/* Pages are pinned before START returns. */
	for (const auto &row : when_pinned) {
		auto cmd = valid;

		INFO(row.name);
		cmd.flags = dma_pin;
		row.inject(cmd);
		CHECK(world.engine.try_start(cmd) == Errno{row.error});
	}
	CHECK(world.engine.status().out_state == IOMMUKIT_DMA_IDLE);
	CHECK(check_refs(world.context, world.memory, 0) == ok);
	SECTION("one job at a time")
	{
		world.engine.start(valid);
		CHECK(world.engine.try_start(valid) == Errno{EBUSY});
		CHECK(world.engine.try_stop() == ok);
		CHECK(world.engine.try_start(valid) == ok);
	}
}

TEST_CASE("DMA STOP and STATUS")
{
	const World world;
	auto stop = command<iommukit_dma_stop>();
	auto status = command<iommukit_dma_status>();

	stop.flags = 1;
	CHECK(call(world.engine.fd(), IOMMUKIT_DMA_STOP, &stop) == Errno{EOPNOTSUPP});
	status.flags = 1;
	CHECK(call(world.engine.fd(), IOMMUKIT_DMA_STATUS, &status) == Errno{EOPNOTSUPP});
	/* No job is no error. */
	CHECK(world.engine.try_stop() == ok);
	CHECK(world.engine.try_stop() == ok);
	CHECK(world.engine.status().out_state == IOMMUKIT_DMA_IDLE);
	CHECK(world.engine.status().out_passes == 0);
	CHECK(world.engine.status().out_bytes == 0);
}

TEST_CASE("DMA job runs until it is stopped")
{
	for (std::uint32_t flags : {0U, dma_pin}) {
		DYNAMIC_SECTION("flags " << flags)
		{
			const World world;

			world.run(flags);
			const auto running = world.engine.status();
			CHECK(running.out_state == IOMMUKIT_DMA_RUNNING);
			CHECK(running.out_error == 0);
			CHECK(running.out_bytes >= 2 * piece);
			CHECK(running.out_pinned_pages ==
			      (flags ? piece / page_size : 0));
			if (flags)
				CHECK(check_refs(world.context, world.memory.va(), piece,
						 1) == ok);
			CHECK(world.memory.data()[piece - 1] == std::byte(0xff));
			CHECK(world.memory.data()[piece] == std::byte(0));
			CHECK(world.engine.try_stop() == ok);
			CHECK(world.engine.status().out_state == IOMMUKIT_DMA_IDLE);
			check_untouched(world);
			/* And once more. */
			world.run(flags);
			CHECK(world.engine.try_stop() == ok);
		}
	}
}

TEST_CASE("DMA jobs of every op")
{
	const World world;
	std::string crc(1, '\x83');

	crc += "\x92\x06\xe3";
	std::memcpy(world.memory.data(), "123456789", 9);
	for (std::uint32_t flags : {0U, dma_pin}) {
		world.engine.start(
			dma_job(IOMMUKIT_DMA_OP_CRC32C, area_iova, 0, 9, flags));
		world.engine.await_passes(3);
		CHECK(std::memcmp(world.engine.status().out_digest, crc.data(), 4) == 0);
		CHECK(world.engine.try_stop() == ok);

		world.engine.start(
			dma_job(IOMMUKIT_DMA_OP_SHA256, area_iova, 0, 2 * piece, flags));
		world.engine.await_passes(3);
		CHECK(world.engine.try_stop() == ok);

		world.engine.start(dma_job(IOMMUKIT_DMA_OP_COPY, area_iova,
					   area_iova + piece, piece, flags));
		world.engine.await_passes(1);
		CHECK(world.engine.try_stop() == ok);
		CHECK(std::memcmp(world.memory.data() + piece, "123456789", 9) == 0);
		std::memset(world.memory.data() + piece, 0, piece);
	}
}

TEST_CASE("DMA job on pinned pages is revoked by UNMAP")
{
	const World world;

	world.run();
	SECTION("of its area, and no other")
	{
		CHECK(world.context.unmap(world.ioas, area_iova + piece, piece) == piece);
		CHECK(world.engine.status().out_state == IOMMUKIT_DMA_RUNNING);
		CHECK(world.engine.status().out_unmap_calls == 0);
		CHECK(world.context.unmap(world.ioas, area_iova, piece) == piece);
		check_untouched(world);
		const auto status = world.engine.status();
		CHECK(status.out_state == IOMMUKIT_DMA_REVOKED);
		CHECK(status.out_error == 0);
		CHECK(status.out_unmap_calls == 1);
		CHECK(status.out_unmap_iova == area_iova);
		CHECK(status.out_unmap_length == piece);
	}
	SECTION("of everything")
	{
		CHECK(world.context.unmap_all(world.ioas) == 2 * piece);
		check_untouched(world);
		CHECK(world.engine.status().out_state == IOMMUKIT_DMA_REVOKED);
	}
	SECTION("and can be started on the next mapping")
	{
		for (unsigned int i = 0; i < 10; i++) {
			REQUIRE(world.context.unmap(world.ioas, area_iova, piece) ==
				piece);
			REQUIRE(world.context.try_map(world.ioas, world.memory.va(),
						      piece, area_iova) == ok);
			world.run();
		}
		CHECK(world.engine.status().out_unmap_calls == 10);
	}
}

TEST_CASE("DMA job over several areas is revoked by each of them")
{
	for (std::uint64_t n = 0; n < 2; n++) {
		DYNAMIC_SECTION("area " << n)
		{
			const World world;
			auto cmd = world.fill_job();

			cmd.length = 2 * piece;
			world.engine.start(cmd);
			world.engine.await_passes(1);
			CHECK(world.context.unmap(world.ioas, area_iova + n * piece,
						  piece) == piece);
			CHECK(world.engine.status().out_state == IOMMUKIT_DMA_REVOKED);
			check_untouched(world);
		}
	}
}

TEST_CASE("DMA job that copies fails when its mapping goes")
{
	const World world;

	world.run(0);
	CHECK(world.context.unmap(world.ioas, area_iova, piece) == piece);
	CHECK(world.engine.await_end() == IOMMUKIT_DMA_FAILED);
	CHECK(world.engine.status().out_error == ENOENT);
	CHECK(world.engine.status().out_unmap_calls == 0);
	check_untouched(world);
}

TEST_CASE("DMA job ends when its port changes")
{
	for (std::uint32_t flags : {0U, dma_pin}) {
		DYNAMIC_SECTION("flags " << flags)
		{
			const World world;
			const std::uint32_t other = world.context.ioas();

			world.run(flags);
			SECTION("DETACH")
			{
				CHECK(world.engine.try_detach(0) == ok);
			}
			SECTION("REPLACE")
			{
				CHECK(world.engine.try_replace(0, other) == ok);
			}
			SECTION("UNBIND")
			{
				CHECK(world.engine.try_unbind(0) == ok);
			}
			CHECK(world.engine.status().out_state == IOMMUKIT_DMA_REVOKED);
			check_untouched(world);
			CHECK(world.context.try_destroy(world.ioas) == ok);
		}
	}
}

TEST_CASE("DMA job between two address spaces is revoked from both")
{
	for (bool source : {false, true}) {
		DYNAMIC_SECTION((source ? "source" : "target"))
		{
			const World world;
			const Context stranger;
			const std::uint32_t to = stranger.ioas();
			const Memory target(piece);
			auto cmd = dma_job(IOMMUKIT_DMA_OP_COPY, area_iova, area_iova,
					   piece, dma_pin);

			stranger.map(to, target, area_iova);
			world.engine.join(1, stranger, to);
			world.memory.fill(1);
			cmd.dst_port = 1;
			world.engine.start(cmd);
			world.engine.await_passes(1);
			CHECK(world.engine.status().out_pinned_pages ==
			      2 * piece / page_size);
			if (source)
				CHECK(world.context.unmap_all(world.ioas) == 2 * piece);
			else
				CHECK(stranger.unmap_all(to) == piece);
			CHECK(world.engine.status().out_state == IOMMUKIT_DMA_REVOKED);
			CHECK(check_refs(stranger, target, 0) == ok);
			CHECK(check_refs(stranger, world.memory, 0) == ok);
		}
	}
}

TEST_CASE("DMA engine that is closed")
{
	World world;

	SECTION("releases its pages and the address space")
	{
		world.run();
		world.engine.close();
		CHECK(check_refs(world.context, world.memory, 0) == ok);
		CHECK(world.context.try_destroy(world.ioas) == ok);
	}
	SECTION("while it copies")
	{
		world.run(0);
		world.engine.close();
		CHECK(world.context.try_destroy(world.ioas) == ok);
	}
	SECTION("by one of two processes goes on")
	{
		world.run();
		CHECK(in_child([&] {
			      world.engine.close();
			      return 0;
		      }) == 0);
		CHECK(world.engine.status().out_state == IOMMUKIT_DMA_RUNNING);
	}
	SECTION("keeps its context until then")
	{
		const Context other;

		world.run();
		world.context.close();
		CHECK(world.engine.status().out_state == IOMMUKIT_DMA_RUNNING);
		CHECK(check_refs(other, world.memory.va(), piece, 1) == ok);
		world.engine.close();
		CHECK(check_refs(other, world.memory, 0) == ok);
	}
}

TEST_CASE("DMA for an owner that dies")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Engine engine(context, ioas);
	const Memory memory(piece);
	Child owner([&](const Child::Steps &step) {
		if (context.try_map(ioas, memory.va(), piece, area_iova) != ok)
			return 1;
		step.meet();
		return 0;
	});
	const auto die = [&] {
		owner.kill();
		return owner.join() == deadly_signal + SIGKILL;
	};
	auto job = dma_job(IOMMUKIT_DMA_OP_FILL, 0, area_iova, piece, dma_pin);

	owner.await();
	job.pattern = all_ones;
	SECTION("before a transfer")
	{
		REQUIRE(die());
		for (std::uint32_t flags :
		     {0U, dma_pin, dma_kthread, dma_pin | dma_kthread}) {
			auto cmd = dma_transfer(IOMMUKIT_DMA_OP_FILL, 0, area_iova, piece,
						flags);

			INFO("flags " << flags);
			CHECK(engine.try_transfer(cmd) == Errno{EFAULT});
		}
		CHECK(engine.try_start(job) == Errno{EFAULT});
	}
	SECTION("under a job on pinned pages, which goes on")
	{
		engine.start(job);
		engine.await_passes(1);
		REQUIRE(die());
		const std::uint64_t passes = engine.status().out_passes;
		engine.await_passes(passes + 2);
		/* The memory is shared: this process sees the engine write. */
		CHECK(memory.data()[piece - 1] == std::byte(0xff));
		CHECK(engine.status().out_state == IOMMUKIT_DMA_RUNNING);
		CHECK(context.unmap_all(ioas) == piece);
		CHECK(engine.status().out_state == IOMMUKIT_DMA_REVOKED);
	}
	SECTION("under a job that copies, which fails")
	{
		job.flags = 0;
		engine.start(job);
		engine.await_passes(1);
		REQUIRE(die());
		CHECK(engine.await_end() == IOMMUKIT_DMA_FAILED);
		CHECK(engine.status().out_error == EFAULT);
	}
	SECTION("after its job")
	{
		engine.start(job);
		engine.await_passes(1);
		CHECK(engine.try_stop() == ok);
		REQUIRE(die());
	}
	context.unmap_all(ioas);
	CHECK(check_refs(context, memory, 0) == ok);
}

TEST_CASE("DMA engine and context of a process that is killed")
{
	const Context other;
	const Memory memory(piece);

	for (std::uint32_t flags : {0U, dma_pin}) {
		Child child([&](const Child::Steps &step) {
			const Context context;
			const std::uint32_t ioas = context.ioas();
			const Engine engine(context, ioas);

			context.map(ioas, memory, area_iova);
			engine.start(dma_job(IOMMUKIT_DMA_OP_FILL, 0, area_iova, piece,
					     flags));
			engine.await_passes(1);
			step.meet();
			return 0;
		});

		INFO("flags " << flags);
		child.await();
		child.kill();
		CHECK(child.join() == deadly_signal + SIGKILL);
		/* Descriptors are closed before the parent may reap. */
		CHECK(check_refs(other, memory, 0) == ok);
	}
}

TEST_CASE("DMA engines share pinned pages")
{
	const World world;
	const Engine second(world.context, world.ioas);

	world.run();
	second.start(world.fill_job());
	second.await_passes(1);
	CHECK(check_refs(world.context, world.memory.va(), piece, 1) == ok);
	CHECK(world.context.unmap(world.ioas, area_iova, piece) == piece);
	CHECK(world.engine.status().out_state == IOMMUKIT_DMA_REVOKED);
	CHECK(second.status().out_state == IOMMUKIT_DMA_REVOKED);
	check_untouched(world);
}

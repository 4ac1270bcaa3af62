// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every command of the DMA engine, failed at each of its points in turn; see
 * fault.h. The engine has no points of its own: it shows what a driver makes of
 * a core that fails, and, where the kernel injects, of all else that fails.
 */
#include "engine.h"
#include "fault_world.h"

#include <fcntl.h>

#include <cstring>
#include <string_view>

using namespace guest;

namespace {

constexpr std::uint64_t iova = FaultWorld::iova;
constexpr std::uint64_t piece = FaultWorld::piece;
constexpr std::uint64_t mapped = FaultWorld::mapped;

/* An engine whose port 0 is attached to the first IOAS. */
struct EngineWorld : FaultWorld {
	EngineWorld() : engine(context, first)
	{
		observe("state", [this] { return engine.status().out_state; });
		observe("pinned by the engine",
			[this] { return engine.status().out_pinned_pages; });
	}

	void attach() const { REQUIRE(engine.try_attach(0, first) == ok); }

	Engine engine;
};

struct Mode {
	const char *name;
	std::uint32_t flags;
	/* Points of the core that each side of a transfer has, two areas. */
	unsigned int points;
};

/* What the engine's thread meets is not injected into. */
const Mode modes[] = {
	{"copying", 0, 0},
	{"pinning", dma_pin, 9},
	{"copying in a thread", dma_kthread, 0},
	{"pinning in a thread", dma_pin | dma_kthread, 0},
};

struct Transfer {
	const char *name;
	std::uint32_t op;
	unsigned int sides;
	bool user;
};

const Transfer transfers[] = {
	{"READ", IOMMUKIT_DMA_OP_READ, 1, true},
	{"WRITE", IOMMUKIT_DMA_OP_WRITE, 1, true},
	{"COPY", IOMMUKIT_DMA_OP_COPY, 2, false},
	{"FILL", IOMMUKIT_DMA_OP_FILL, 1, false},
	{"CRC32C", IOMMUKIT_DMA_OP_CRC32C, 1, false},
	{"SHA256", IOMMUKIT_DMA_OP_SHA256, 1, false},
};

/* A job that changes nothing, and so cannot be seen in memory. */
iommukit_dma_start quiet_job(std::uint32_t flags)
{
	return dma_job(IOMMUKIT_DMA_OP_CRC32C, iova + page_size, 0, piece, flags);
}

} // namespace

TEST_CASE("fail-nth: DMA open")
{
	int fd = -1;

	sweep({"DMA open",
	       0,
	       [&] {
		       fd = open("/dev/iommukit-dma", O_RDWR | O_CLOEXEC);
		       return fd < 0 ? Errno{errno} : ok;
	       },
	       [&] { close(fd); },
	       {ENOMEM, ENFILE}},
	      no_state);
}

TEST_CASE("fail-nth: DMA BIND and UNBIND")
{
	const EngineWorld world;
	const Engine &engine = world.engine;

	/* A port that is bound shows in the ids. */
	world.sweep({"DMA BIND",
		     2,
		     [&] { return engine.try_bind(1, world.context.fd()); },
		     [&] { REQUIRE(engine.try_unbind(1) == ok); },
		     {ENOMEM},
		     true});
	world.sweep({"DMA UNBIND",
		     0,
		     [&] { return engine.try_unbind(0); },
		     [&] {
			     REQUIRE(engine.try_bind(0, world.context.fd()) == ok);
			     world.attach();
		     },
		     {},
		     true});
}

TEST_CASE("fail-nth: an engine that is a device")
{
	const EngineWorld world;
	const Engine &engine = world.engine;
	const Memory more(page_size);

	world.sweep({"DMA BIND of a device",
		     3,
		     [&] {
			     return engine.try_bind(1, world.context.fd(),
						    IOMMUKIT_DMA_PORT_HWPT);
		     },
		     [&] { REQUIRE(engine.try_unbind(1) == ok); },
		     {ENOMEM},
		     true});
	engine.bind_device(1, world.context);
	REQUIRE(world.context.try_map(world.second, more.va(), page_size, iova) == ok);
	world.sweep({"DMA ATTACH of a device",
		     8,
		     [&] { return engine.try_attach(1, world.first); },
		     [&] { REQUIRE(engine.try_detach(1) == ok); },
		     {ENOENT, ENOMEM, EFAULT, EINVAL},
		     true});
	REQUIRE(engine.try_attach(1, world.first) == ok);
	world.sweep({"DMA REPLACE of a device",
		     8,
		     [&] { return engine.try_replace(1, world.second); },
		     [&] { REQUIRE(engine.try_replace(1, world.first) == ok); },
		     {ENOENT, ENOMEM, EFAULT, EINVAL},
		     true});
}

TEST_CASE("fail-nth: DMA ATTACH, REPLACE and DETACH")
{
	const EngineWorld world;
	const Engine &engine = world.engine;

	world.sweep({"DMA DETACH",
		     0,
		     [&] { return engine.try_detach(0); },
		     [&] { world.attach(); },
		     {},
		     true});
	world.sweep({"DMA REPLACE",
		     3,
		     [&] { return engine.try_replace(0, world.second); },
		     [&] { REQUIRE(engine.try_replace(0, world.first) == ok); },
		     {ENOENT, ENOMEM},
		     true});
	REQUIRE(engine.try_detach(0) == ok);
	world.sweep({"DMA ATTACH",
		     3,
		     [&] { return engine.try_attach(0, world.first); },
		     [&] { REQUIRE(engine.try_detach(0) == ok); },
		     {ENOENT, ENOMEM},
		     true});
}

TEST_CASE("fail-nth: DMA TRANSFER")
{
	EngineWorld world;
	const Memory buffer(piece);
	const auto restore = [&] {
		world.fill();
		std::memset(buffer.data(), 1, buffer.size());
	};

	restore();
	world.observe("buffer", [&] {
		return std::hash<std::string_view>{}(
			{reinterpret_cast<const char *>(buffer.data()), buffer.size()});
	});
	for (const Transfer &transfer : transfers) {
		for (const Mode &mode : modes) {
			if (transfer.user && (mode.flags & dma_kthread))
				continue;
			world.sweep(
				{std::string("DMA ") + transfer.name + ' ' + mode.name,
				 transfer.sides * mode.points,
				 [&] {
					 /* Each side goes from one area into another. */
					 auto cmd = dma_transfer(transfer.op,
								 iova + page_size,
								 iova + piece + page_size,
								 piece, mode.flags);

					 cmd.user_va = buffer.va();
					 return world.engine.try_transfer(cmd);
				 },
				 restore,
				 {ENOMEM, EINVAL},
				 true,
				 true});
		}
	}
}

TEST_CASE("fail-nth: DMA START and STOP")
{
	const EngineWorld world;
	const Engine &engine = world.engine;
	const auto stop = [&] { REQUIRE(engine.try_stop() == ok); };

	for (const std::uint32_t flags : {0U, dma_pin}) {
		const std::string how = flags ? "pinning" : "copying";

		world.sweep({"DMA START " + how,
			     flags ? 9U : 0U,
			     [&] { return engine.try_start(quiet_job(flags)); },
			     stop,
			     {ENOMEM, EINVAL},
			     true});
		engine.start(quiet_job(flags));
		world.sweep({"DMA STOP " + how,
			     0,
			     [&] { return engine.try_stop(); },
			     [&] { engine.start(quiet_job(flags)); },
			     {},
			     true});
		world.sweep({"DMA STATUS " + how,
			     0,
			     [&] {
				     auto cmd = command<iommukit_dma_status>();

				     return call(engine.fd(), IOMMUKIT_DMA_STATUS, &cmd);
			     },
			     {},
			     {},
			     true});
		stop();
	}
}

/* The unmap callback ends the job on its way. */
TEST_CASE("fail-nth: IOAS_UNMAP under a DMA job")
{
	const EngineWorld world;
	const auto start = [&] { world.engine.start(quiet_job(dma_pin)); };

	start();
	world.sweep({"IOAS_UNMAP under a job",
		     2,
		     [&] { return world.context.try_unmap(world.first, iova, mapped); },
		     [&] {
			     REQUIRE(world.engine.try_stop() == ok);
			     world.map_all();
			     start();
		     },
		     {ENOENT},
		     true});
}

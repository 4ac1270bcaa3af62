// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every command of /dev/iommukit, and sequences of them, failed at each of their
 * points in turn; see fault.h. The calls of drivers: test_fail_nth_access.cpp.
 */
#include "fault_world.h"
#include "vfio.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

using namespace guest;

namespace {

constexpr std::uint64_t iova = FaultWorld::iova;
constexpr std::uint64_t piece = FaultWorld::piece;
constexpr std::uint64_t mapped = FaultWorld::mapped;

Errno open_device(Fd *device)
{
	device->reset(open("/dev/iommukit", O_RDWR | O_CLOEXEC));
	return *device ? ok : Errno{errno};
}

} // namespace

/* ---- the device and its objects ---- */

TEST_CASE("fail-nth: open")
{
	Fd device;

	sweep({"open",
	       2,
	       [&] { return open_device(&device); },
	       [&] { device.reset(); },
	       {ENOMEM, ENFILE}},
	      no_state);
}

TEST_CASE("fail-nth: IOAS_ALLOC")
{
	const FaultWorld world;
	std::uint32_t id = 0;

	world.sweep({"IOAS_ALLOC",
		     3,
		     [&] { return world.context.try_ioas(&id); },
		     [&] { world.context.destroy(id); },
		     {ENOMEM}});
}

TEST_CASE("fail-nth: DESTROY")
{
	const FaultWorld world;

	/* The empty one; its id is the lowest free one then. */
	world.sweep({"DESTROY",
		     1,
		     [&] { return world.context.try_destroy(world.second); },
		     [&] { REQUIRE(world.context.ioas() == world.second); },
		     {ENOENT}});
}

TEST_CASE("fail-nth: DESTROY of an IOAS that is full")
{
	const FaultWorld world;

	world.sweep({"DESTROY full",
		     1,
		     [&] { return world.context.try_destroy(world.first); },
		     [&] {
			     REQUIRE(world.context.ioas() == world.first);
			     world.map_all();
		     },
		     {ENOENT}});
}

TEST_CASE("fail-nth: OPTION")
{
	const FaultWorld world;
	const Context empty;
	std::uint64_t value = 0;
	const auto set = [&](std::uint64_t on) {
		return world.context.try_set_option(IOMMUKIT_OPTION_HUGE_PAGES,
						    world.first, on);
	};

	world.sweep({"OPTION set huge pages",
		     1,
		     [&] { return set(0); },
		     [&] { REQUIRE(set(1) == ok); },
		     {ENOENT},
		     true});
	world.sweep({"OPTION get huge pages",
		     1,
		     [&] {
			     return world.context.try_option(IOMMUKIT_OPTION_HUGE_PAGES,
							     IOMMUKIT_OPTION_OP_GET,
							     world.first, &value);
		     },
		     {},
		     {ENOENT}});
	const auto mode = [&] {
		std::uint64_t now = 2;

		REQUIRE(empty.try_option(IOMMUKIT_OPTION_RLIMIT_MODE,
					 IOMMUKIT_OPTION_OP_GET, 0, &now) == ok);
		return Snapshot{observation("mode", now)};
	};
	const auto set_mode = [&](std::uint64_t to) {
		return empty.try_set_option(IOMMUKIT_OPTION_RLIMIT_MODE, 0, to);
	};
	sweep({"OPTION set rlimit mode",
	       0,
	       [&] { return set_mode(1); },
	       [&] { REQUIRE(set_mode(0) == ok); },
	       {},
	       true},
	      mode);
}

TEST_CASE("fail-nth: INFO")
{
	const Context context;
	auto cmd = command<iommukit_info>();

	sweep({"INFO",
	       1,
	       [&] { return call(context.fd(), IOMMUKIT_INFO, &cmd); },
	       {},
	       {}},
	      no_state);
}

/* ---- IOVA ---- */

TEST_CASE("fail-nth: IOAS_ALLOW_IOVAS")
{
	const FaultWorld world;
	std::array<iommukit_iova_range, 3> ranges{
		{{0x1000, 0x1fff}, {0x8000, 0xffff}, {0x100000, 0x1fffff}}};
	auto cmd = command<iommukit_ioas_allow_iovas>();

	cmd.ioas_id = world.second;
	cmd.num_iovas = ranges.size();
	cmd.allowed_iovas = reinterpret_cast<std::uint64_t>(ranges.data());
	/* Seen by where a mapping is placed. */
	const auto look = [&] {
		Snapshot seen = world.look();
		std::uint64_t at = 0;

		REQUIRE(world.context.try_map_auto(world.second, world.memory.va(),
						   2 * page_size, &at) == ok);
		seen.push_back(observation("placed", at));
		world.context.unmap(world.second, at, 2 * page_size);
		return seen;
	};
	sweep({"IOAS_ALLOW_IOVAS",
	       4,
	       [&] { return call(world.context.fd(), IOMMUKIT_IOAS_ALLOW_IOVAS, &cmd); },
	       [&] { REQUIRE(world.context.try_allow(world.second, {}) == ok); },
	       {ENOENT, ENOMEM}},
	      look);
}

TEST_CASE("fail-nth: IOAS_IOVA_RANGES")
{
	const FaultWorld world;
	std::array<iommukit_iova_range, 4> ranges{};
	auto cmd = command<iommukit_ioas_iova_ranges>();

	for (std::uint64_t n = 1; n < 4; n++)
		REQUIRE(try_add_reserved(world.context, world.second, n << 20,
					 page_size) == ok);
	world.sweep({"IOAS_IOVA_RANGES",
		     3,
		     [&] {
			     cmd.ioas_id = world.second;
			     cmd.num_iovas = ranges.size();
			     cmd.allowed_iovas =
				     reinterpret_cast<std::uint64_t>(ranges.data());
			     return call(world.context.fd(), IOMMUKIT_IOAS_IOVA_RANGES,
					 &cmd);
		     },
		     {},
		     {ENOENT, ENOMEM}});
	CHECK(cmd.num_iovas == 4);
}

TEST_CASE("fail-nth: IOAS_MAP")
{
	const FaultWorld world;
	const Context &context = world.context;
	std::uint64_t at = 0;

	world.sweep({"IOAS_MAP fixed",
		     5,
		     [&] {
			     return context.try_map(world.first, world.memory.va(), piece,
						    iova + mapped);
		     },
		     [&] { context.unmap(world.first, iova + mapped, piece); },
		     {ENOENT, ENOMEM},
		     true});
	world.sweep({"IOAS_MAP placed",
		     5,
		     [&] {
			     return context.try_map_auto(world.second, world.memory.va(),
							 mapped, &at);
		     },
		     [&] { context.unmap_all(world.second); },
		     {ENOENT, ENOMEM},
		     true});
}

TEST_CASE("fail-nth: IOAS_MAP_FILE")
{
	const FaultWorld world;
	const Fd file(memfd_create("fail-nth", MFD_CLOEXEC));

	REQUIRE(ftruncate(file.get(), piece) == 0);
	world.sweep({"IOAS_MAP_FILE",
		     5,
		     [&] {
			     return world.context.try_map_file(world.first, file.get(), 0,
							       piece, iova + mapped);
		     },
		     [&] { world.context.unmap(world.first, iova + mapped, piece); },
		     {ENOENT, ENOMEM},
		     true});
}

TEST_CASE("fail-nth: IOAS_COPY")
{
	const FaultWorld world;
	const Context &context = world.context;

	/* Three areas, of which the outer ones are cut. */
	world.sweep({"IOAS_COPY of three areas",
		     9,
		     [&] {
			     return context.try_copy(world.second, iova, world.first,
						     iova + page_size, 2 * piece);
		     },
		     [&] { context.unmap_all(world.second); },
		     {ENOENT, ENOMEM},
		     true});
	world.sweep({"IOAS_COPY inside an IOAS",
		     5,
		     [&] {
			     return context.try_copy(world.first, iova + mapped,
						     world.first, iova, piece);
		     },
		     [&] { context.unmap(world.first, iova + mapped, piece); },
		     {ENOENT, ENOMEM},
		     true});
}

namespace {

/* The second IOAS with one area for each byte from iova on. */
struct CrumbledWorld : FaultWorld {
	explicit CrumbledWorld(std::uint64_t number) : bytes(number) { map(); }

	void map() const
	{
		for (std::uint64_t n = 0; n < bytes; n++)
			REQUIRE(context.try_map(second, memory.va() + n, 1, iova + n) ==
				ok);
	}
	/* Which of the bytes are mapped, to twice their number. */
	Snapshot look() const
	{
		const Access spy(context, second, 0);
		Snapshot seen = FaultWorld::look();
		std::string holes;
		char byte = 0;

		for (std::uint64_t n = 0; n < 2 * bytes; n++)
			holes += spy.try_read(iova + n, &byte, 1) == ok ? '1' : '0';
		seen.push_back(holes);
		return seen;
	}

	std::uint64_t bytes;
};

} // namespace

TEST_CASE("fail-nth: IOAS_COPY of so many areas that the tree grows")
{
	const CrumbledWorld world(12);
	const Context &context = world.context;
	const std::uint64_t bytes = world.bytes;

	sweep({"IOAS_COPY of many areas",
	       2 + 2 * 12 + 1,
	       [&] {
		       return context.try_copy(world.second, iova + bytes, world.second,
					       iova, bytes);
	       },
	       [&] { context.unmap(world.second, iova + bytes, bytes); },
	       {ENOENT, ENOMEM},
	       true},
	      [&] { return world.look(); });
}

TEST_CASE("fail-nth: IOAS_UNMAP")
{
	const FaultWorld world;
	const Context &context = world.context;

	world.sweep({"IOAS_UNMAP",
		     2,
		     [&] { return context.try_unmap(world.first, iova + piece, piece); },
		     [&] { world.map_piece(1); },
		     {ENOENT},
		     true});
	world.sweep({"IOAS_UNMAP of all",
		     2,
		     [&] { return context.try_unmap(world.first, 0, all_ones); },
		     [&] { world.map_all(); },
		     {ENOENT},
		     true});
}

TEST_CASE("fail-nth: IOAS_UNMAP out of a large tree")
{
	const CrumbledWorld world(24);

	/* Emptying nodes makes the tree rebuild others: that must not fail. */
	sweep({"IOAS_UNMAP of many areas",
	       2,
	       [&] { return world.context.try_unmap(world.second, iova + 4, 16); },
	       [&] {
		       world.context.unmap_all(world.second);
		       world.map();
	       },
	       {ENOENT},
	       true},
	      [&] { return world.look(); });
}

TEST_CASE("fail-nth: IOAS_UNMAP with pins")
{
	const PinWorld world;

	world.sweep({"IOAS_UNMAP with pins",
		     2,
		     [&] { return world.context.try_unmap(world.first, iova, mapped); },
		     [&] {
			     world.map_all();
			     world.pin();
		     },
		     {ENOENT},
		     true});
}

/* ---- VFIO ---- */

namespace {

/* The first IOAS is the compatibility IOAS. */
struct VfioWorld : FaultWorld {
	VfioWorld()
	{
		vfio_set(context, first);
		observe("compatibility IOAS", [this] {
			std::uint32_t id = 0;

			try_vfio_get(context, &id);
			return id;
		});
	}
	Errno answer(unsigned long request, unsigned long argument) const
	{
		return Errno{std::max(0, -vfio_answer(context, request, argument))};
	}
};

} // namespace

TEST_CASE("fail-nth: VFIO_IOAS")
{
	const VfioWorld world;
	const Context &context = world.context;
	std::uint32_t id = 0;

	world.sweep({"VFIO_IOAS get",
		     2,
		     [&] { return try_vfio_get(context, &id); },
		     {},
		     {ENODEV}});
	world.sweep({"VFIO_IOAS set",
		     1,
		     [&] { return try_vfio_set(context, world.second); },
		     [&] { vfio_set(context, world.first); },
		     {ENOENT}});
}

/* They neither allocate nor copy, so the kernel has no points there. */
TEST_CASE("fail-nth: CHECK_EXTENSION and SET_IOMMU")
{
	const VfioWorld world;
	const auto look = [&] { return world.look(); };

	sweep(Source::core,
	      {"CHECK_EXTENSION",
	       1,
	       [&] { return world.answer(VFIO_CHECK_EXTENSION, VFIO_DMA_CC_IOMMU); },
	       {},
	       {ENODEV}},
	      look);
	sweep(Source::core,
	      {"SET_IOMMU",
	       1,
	       [&] { return world.answer(VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU); },
	       [&] {
		       REQUIRE(world.context.try_set_option(IOMMUKIT_OPTION_HUGE_PAGES,
							    world.first, 1) == ok);
	       },
	       {ENODEV}},
	      look);
}

TEST_CASE("fail-nth: GET_INFO")
{
	const VfioWorld world;
	std::uint32_t info[18] = {};

	world.sweep({"GET_INFO",
		     3,
		     [&] {
			     info[0] = sizeof(info);
			     return call(world.context.fd(), VFIO_IOMMU_GET_INFO, info);
		     },
		     {},
		     {ENODEV, ENOMEM}});
}

TEST_CASE("fail-nth: MAP_DMA and UNMAP_DMA")
{
	const VfioWorld world;
	const Context &context = world.context;

	world.sweep({"MAP_DMA",
		     4,
		     [&] {
			     return try_map_dma(context, world.memory.va(), piece,
						iova + mapped);
		     },
		     [&] { context.unmap(world.first, iova + mapped, piece); },
		     {ENODEV, ENOMEM}});
	world.sweep({"UNMAP_DMA",
		     2,
		     [&] { return try_unmap_dma(context, iova + piece, piece); },
		     [&] { world.map_piece(1); },
		     {ENODEV},
		     true});
}

TEST_CASE("fail-nth: UNMAP_DMA of a part")
{
	const VfioWorld world;
	const Context &context = world.context;

	REQUIRE(world.answer(VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU) == ok);
	/* The two pages in the middle of the second area. */
	world.sweep({"UNMAP_DMA of a part",
		     8,
		     [&] {
			     return try_unmap_dma(context, iova + piece + page_size,
						  2 * page_size);
		     },
		     [&] {
			     context.unmap(world.first, iova + piece, piece);
			     world.map_piece(1);
		     },
		     {ENODEV, ENOMEM},
		     true});
}

namespace {

/* The second IOAS with one area, of which every other page is cut out. */
struct CombWorld : VfioWorld {
	explicit CombWorld(std::uint64_t number) : pages(number)
	{
		vfio_set(context, second);
		REQUIRE(answer(VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU) == ok);
		map();
	}

	void map() const
	{
		REQUIRE(try_map_dma(context, 0, pages * page_size, iova) == ok);
	}
	Errno cut() const
	{
		Errno error = ok;

		for (std::uint64_t n = 1; n < pages && error == ok; n += 2)
			error = try_unmap_dma(context, iova + n * page_size, page_size);
		return error;
	}

	std::uint64_t pages;
};

} // namespace

TEST_CASE("fail-nth: UNMAP_DMA of so many parts that the tree grows")
{
	const CombWorld world(60);

	/* What was cut before a failure stays so. */
	sweep({"UNMAP_DMA of many parts",
	       8 * 29,
	       [&] { return world.cut(); },
	       [&] {
		       world.context.unmap_all(world.second);
		       world.map();
	       },
	       {ENODEV, ENOMEM},
	       false,
	       true},
	      [&] { return world.look(); });
}

/* ---- sequences, as programs use the device ---- */

namespace {

constexpr std::uint64_t much = 2UL << 20;

/* Opens, maps, copies, unmaps; the last unmap has no length. */
Errno basic(const Memory &memory)
{
	std::array<iommukit_iova_range, 10> ranges{};
	iommukit_iova_range allowed{0x10000, 1UL << 30};
	auto alloc = command<iommukit_ioas_alloc>();
	auto usable = command<iommukit_ioas_iova_ranges>();
	auto allow = command<iommukit_ioas_allow_iovas>();
	auto map = command<iommukit_ioas_map>();
	auto copy = command<iommukit_ioas_copy>();
	auto unmap = command<iommukit_ioas_unmap>();
	Fd device;
	Errno error = open_device(&device);
	const auto step = [&](unsigned long request, auto &cmd) {
		if (error == ok)
			error = call(device.get(), request, &cmd);
	};

	step(IOMMUKIT_IOAS_ALLOC, alloc);
	usable.ioas_id = allow.ioas_id = map.ioas_id = unmap.ioas_id = alloc.out_ioas_id;
	copy.src_ioas_id = copy.dst_ioas_id = alloc.out_ioas_id;
	usable.num_iovas = ranges.size();
	usable.allowed_iovas = reinterpret_cast<std::uint64_t>(ranges.data());
	step(IOMMUKIT_IOAS_IOVA_RANGES, usable);
	allow.num_iovas = 1;
	allow.allowed_iovas = reinterpret_cast<std::uint64_t>(&allowed);
	step(IOMMUKIT_IOAS_ALLOW_IOVAS, allow);
	map.flags = copy.flags = map_rw;
	map.user_va = memory.va();
	map.length = much;
	step(IOMMUKIT_IOAS_MAP, map);
	copy.length = 160;
	copy.src_iova = map.iova;
	step(IOMMUKIT_IOAS_COPY, copy);
	unmap.iova = map.iova;
	unmap.length = much;
	step(IOMMUKIT_IOAS_UNMAP, unmap);
	/* One that is refused after the lookup. */
	unmap.length = 0;
	step(IOMMUKIT_IOAS_UNMAP, unmap);
	return error == Errno{EINVAL} ? ok : error;
}

} // namespace

TEST_CASE("fail-nth: sequence basic")
{
	const NothingLeft nothing_left;
	const Memory memory(much);

	sweep({"sequence basic",
	       19,
	       [&] { return basic(memory); },
	       {},
	       {ENOENT, ENOMEM, ENFILE}},
	      no_state);
}

TEST_CASE("fail-nth: sequence access_rw")
{
	const NothingLeft nothing_left;
	const Context context;
	const SmallBatches batches(context);
	const Memory memory(much);
	const std::uint32_t ioas = context.ioas();
	std::vector<std::byte> buffer(32 << 10);

	context.map(ioas, memory, iova);
	sweep({"sequence access_rw",
	       11,
	       [&] {
		       auto cmd = test_command(IOMMUKIT_TEST_OP_CREATE_ACCESS, ioas);
		       Errno error = test_call(context, cmd);

		       if (error != ok)
			       return error;
		       const Fd access(static_cast<int>(cmd.create_access.out_access_fd));
		       const auto step = [&](std::uint64_t length, std::uint32_t flags) {
			       auto rw = test_command(IOMMUKIT_TEST_OP_ACCESS_RW,
						      cmd.create_access.out_access_fd);

			       rw.access_rw.iova = iova;
			       rw.access_rw.length = length;
			       rw.access_rw.uptr =
				       reinterpret_cast<std::uint64_t>(buffer.data());
			       rw.access_rw.flags = flags;
			       if (error == ok)
				       error = test_call(context, rw);
		       };
		       step(64, 0);
		       step(64, rw_write);
		       step(64, rw_slow);
		       step(64, rw_slow | rw_write);
		       step(buffer.size(), rw_slow);
		       return error;
	       },
	       {},
	       {ENOENT, ENOMEM, EINVAL, ENFILE}},
	      no_state);
}

TEST_CASE("fail-nth: sequence access_pin")
{
	const NothingLeft nothing_left;
	const Context context;
	const SmallBatches batches(context);
	const Memory memory(much);
	const std::uint32_t ioas = context.ioas();

	context.map(ioas, memory, iova);
	memory.fill(1);
	std::optional<Access> access(std::in_place, context, ioas);
	sweep({"sequence access_pin",
	       5,
	       [&] {
		       std::uint32_t item = no_item;
		       Errno error = access->try_pin(iova, much, 0, memory.va(), &item);

		       if (error == ok)
			       error = access->try_unpin(item);
		       access->close();
		       return error;
	       },
	       [&] { access.emplace(context, ioas); },
	       {ENOMEM, EINVAL},
	       false,
	       true},
	      [&] {
		      return Snapshot{observation(
			      "pinned", static_cast<std::uint64_t>(
						check_refs(context, memory, 0).value))};
	      });
}

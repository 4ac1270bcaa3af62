// SPDX-License-Identifier: GPL-2.0-only
/*
 * MAP_ONDEMAND itself, and what other commands do with such mappings. What they show:
 * test_ondemand_mm.cpp and its neighbours.
 */
#include "mock.h"
#include "ondemand.h"
#include "vfio.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <csignal>

using namespace guest;

namespace {

constexpr std::uint64_t iova = OndemandWorld::iova;
/* Beyond what a process can have. */
constexpr std::uint64_t no_user_va = 1UL << 62;

struct World : OndemandWorld {
	World() : valid(ondemand_command(ioas, memory.va(), memory.size(), iova)) {}

	Errno issue(iommukit_ioas_map_ondemand &cmd) const
	{
		return call(context.fd(), IOMMUKIT_IOAS_MAP_ONDEMAND, &cmd);
	}

	Memory memory{4 * page_size, Memory::Kind::private_anonymous};
	iommukit_ioas_map_ondemand valid;
};

} // namespace

TEST_CASE("INFO tells of on-demand mappings")
{
	const Context context;
	auto cmd = command<iommukit_info>();

	REQUIRE(call(context.fd(), IOMMUKIT_INFO, &cmd) == ok);
	CHECK((cmd.out_features & IOMMUKIT_FEATURE_ONDEMAND) != 0);
}

TEST_CASE("MAP_ONDEMAND checks its arguments in order")
{
	using Cmd = iommukit_ioas_map_ondemand;
	const World world;

	check_ordered<Cmd>(
		{
			{"unknown flag", "flags", [](Cmd &c) { c.flags |= 8; },
			 EOPNOTSUPP},
			{"highest flag", "flags", [](Cmd &c) { c.flags |= 1U << 31; },
			 EOPNOTSUPP},
			{"fault around of 10", "fault_around",
			 [](Cmd &c) { c.fault_around = 10; }, EINVAL},
			{"fault around just below the default", "fault_around",
			 [](Cmd &c) { c.fault_around = around_default - 1; }, EINVAL},
			{"iova beyond the limit", "iova",
			 [](Cmd &c) { c.iova = all_ones; }, EOVERFLOW},
			{"length beyond the limit", "length",
			 [](Cmd &c) { c.length = all_ones; }, EOVERFLOW},
			{"no permission", "flags", [](Cmd &c) { c.flags = map_fixed; },
			 EINVAL},
			{"no such IOAS", "ioas_id", [](Cmd &c) { c.ioas_id = 0x7fffff; },
			 ENOENT},
			{"no length", "length", [](Cmd &c) { c.length = 0; }, EINVAL},
			{"user_va and length wrap", "user_va",
			 [](Cmd &c) { c.user_va = all_ones - page_size + 1; }, EOVERFLOW},
			{"user_va not aligned", "user_va", [](Cmd &c) { c.user_va += 1; },
			 EINVAL},
			{"length not aligned", "length", [](Cmd &c) { c.length -= 1; },
			 EINVAL},
			{"iova not aligned", "iova", [](Cmd &c) { c.iova += 0x800; },
			 EINVAL},
			{"user_va of the kernel", "user_va",
			 [](Cmd &c) { c.user_va = no_user_va; }, EFAULT},
		},
		world.valid, [](Cmd &cmd) {
			const World fresh;

			if (cmd.ioas_id != 0x7fffff)
				cmd.ioas_id = fresh.ioas;
			return fresh.issue(cmd);
		});
}

TEST_CASE("MAP_ONDEMAND beyond the last IOVA")
{
	const World world;

	CHECK(try_map_ondemand(world.context, world.ioas, world.memory.va(),
			       2 * page_size,
			       all_ones - page_size + 1) == Errno{EOVERFLOW});
	CHECK(world.context.try_unmap(world.ioas, 0, all_ones) == ok);
}

TEST_CASE("MAP_ONDEMAND and the size of its structure")
{
	const World world;
	struct {
		iommukit_ioas_map_ondemand cmd;
		std::uint64_t tail;
	} larger{world.valid, 0};

	for (std::uint32_t size : {0, 4, 39}) {
		auto cmd = world.valid;

		cmd.size = size;
		CHECK(world.issue(cmd) == Errno{EINVAL});
	}
	larger.cmd.size = sizeof(larger);
	larger.tail = 1;
	CHECK(world.issue(larger.cmd) == Errno{E2BIG});
	larger.tail = 0;
	CHECK(world.issue(larger.cmd) == ok);
}

TEST_CASE("MAP_ONDEMAND does not look at the memory")
{
	const World world;
	const Memory memory(8 * page_size, Memory::Kind::private_anonymous);

	memory.unmap(0, 8 * page_size);
	world.map(memory.va(), page_size);
	CHECK(world.touch(0) == Errno{EFAULT});
	/* Whatever the fault around, and the address: the first page, and the last. */
	std::uint64_t at = iova;
	for (std::uint32_t around : {0U, 9U, around_default})
		CHECK(try_map_ondemand(world.context, world.ioas, page_size, page_size,
				       at += page_size, map_rw_fixed, around) == ok);
	CHECK(world.context.unmap_all(world.ioas) == 4 * page_size);
}

TEST_CASE("MAP_ONDEMAND up to the limit of addresses, and beyond")
{
	const World world;
	std::uint64_t last = 0, beyond = no_user_va;

	/* The limit is the kernel's matter: it lies where refusals begin. */
	while (beyond - last > page_size) {
		const std::uint64_t middle =
			(last + (beyond - last) / 2) & ~(page_size - 1);
		const Errno error = try_map_ondemand(world.context, world.ioas, middle,
						     page_size, iova);

		if (error != ok) {
			REQUIRE(error == Errno{EFAULT});
			beyond = middle;
			continue;
		}
		world.context.unmap_all(world.ioas);
		last = middle;
	}
	CHECK(last > world.memory.va());
	CHECK(try_map_ondemand(world.context, world.ioas, last, page_size, iova) == ok);
	CHECK(try_map_ondemand(world.context, world.ioas, last, 2 * page_size,
			       iova + huge_size) == Errno{EFAULT});
}

TEST_CASE("placement of on-demand mappings is that of others")
{
	const World world;
	const Context &context = world.context;

	SECTION("chosen by the kernel")
	{
		auto cmd = world.valid;

		cmd.flags = map_rw;
		cmd.iova = 0x123;
		REQUIRE(world.issue(cmd) == ok);
		CHECK(cmd.iova % page_size == 0);
		CHECK(world.device.touch(cmd.iova) == ok);
		CHECK(context.unmap(world.ioas, cmd.iova, world.memory.size()) ==
		      world.memory.size());
	}
	SECTION("congruent to the memory where that may save faults")
	{
		const std::uint64_t cap = alignment_cap();
		const Memory large(2 * huge_size, Memory::Kind::private_anonymous);
		auto cmd = ondemand_command(world.ioas, large.va(), large.size(), 0);

		cmd.flags = map_rw;
		REQUIRE(world.issue(cmd) == ok);
		CHECK(cmd.iova % cap == large.va() % cap);
	}
	SECTION("where another one is")
	{
		const Memory other(page_size);

		world.map(world.memory);
		for (std::uint64_t n : {0, 1, 3}) {
			auto cmd = ondemand_command(world.ioas, other.va(), page_size,
						    iova + n * page_size);

			CHECK(world.issue(cmd) == Errno{EEXIST});
			CHECK(context.try_map(world.ioas, other.va(), page_size,
					      iova + n * page_size) == Errno{EEXIST});
		}
		CHECK(try_map_ondemand(context, world.ioas, other.va(), page_size,
				       iova + 4 * page_size) == ok);
	}
	SECTION("where a normal one is")
	{
		context.map(world.ioas, world.memory, iova);
		auto cmd = world.valid;
		CHECK(world.issue(cmd) == Errno{EEXIST});
	}
	SECTION("in reserved ranges")
	{
		auto cmd = world.valid;

		REQUIRE(try_add_reserved(context, world.ioas, iova, page_size) == ok);
		CHECK(world.issue(cmd) == Errno{EINVAL});
	}
	SECTION("without room")
	{
		auto cmd = world.valid;

		cmd.flags = map_rw;
		REQUIRE(context.try_allow(world.ioas, {{iova, iova + page_size - 1}}) ==
			ok);
		CHECK(world.issue(cmd) == Errno{ENOSPC});
	}
}

TEST_CASE("an answer that cannot be written leaves no on-demand mapping")
{
	const World world;
	const PageAndHole page;
	auto *cmd =
		static_cast<iommukit_ioas_map_ondemand *>(page.tail(sizeof(world.valid)));

	*cmd = world.valid;
	page.write_protect();
	CHECK(world.issue(*cmd) == Errno{EFAULT});
	page.make_writable();
	/* As ever: either done, or not at all. */
	const Errno again = world.issue(*cmd);
	CHECK((again == ok || again == Errno{EEXIST}));
	CHECK(world.context.unmap_all(world.ioas) == world.memory.size());
}

TEST_CASE("UNMAP takes on-demand mappings as a whole")
{
	const World world;
	const std::uint64_t size = world.memory.size();

	world.map(world.memory);
	CHECK(world.touch(0) == ok);
	CHECK(world.context.try_unmap(world.ioas, iova, page_size) == Errno{ENOENT});
	CHECK(world.context.try_unmap(world.ioas, iova + page_size, size - page_size) ==
	      Errno{ENOENT});
	CHECK(world.touch(page_size) == ok);
	CHECK(world.context.unmap(world.ioas, iova, size) == size);
	CHECK(world.touch(0) == Errno{ENOENT});
	CHECK(world.context.try_unmap(world.ioas, iova, size) == Errno{ENOENT});
	/* Others in the same range go with it. */
	world.map(world.memory);
	world.context.map(world.ioas, world.memory, iova + huge_size);
	CHECK(world.context.unmap_all(world.ioas) == 2 * size);
}

TEST_CASE("VFIO's unmap does not cut on-demand mappings")
{
	const World world;
	const std::uint64_t size = world.memory.size();

	vfio_set(world.context, world.ioas);
	REQUIRE(vfio_answer(world.context, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU) == 0);
	world.map(world.memory);
	for (std::uint64_t n : {0, 1, 3})
		CHECK(try_unmap_dma(world.context, iova + n * page_size, page_size) ==
		      Errno{EBUSY});
	CHECK(world.touch(page_size) == ok);
	CHECK(try_unmap_dma(world.context, iova, size) == ok);
	CHECK(world.touch(0) == Errno{ENOENT});
}

TEST_CASE("VFIO's map and MAP_FILE make no on-demand mappings")
{
	const World world;
	const Fd file(memfd_create("ondemand", MFD_CLOEXEC));
	Stats stats;

	REQUIRE(ftruncate(file.get(), page_size) == 0);
	vfio_set(world.context, world.ioas);
	REQUIRE(vfio_answer(world.context, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU) == 0);
	REQUIRE(try_map_dma(world.context, world.memory.va(), page_size, iova) == ok);
	REQUIRE(world.context.try_map_file(world.ioas, file.get(), 0, page_size,
					   iova + huge_size) == ok);
	CHECK(try_query(world.context, world.ioas, iova, &stats) == Errno{ENOENT});
	CHECK(try_query(world.context, world.ioas, iova + huge_size, &stats) ==
	      Errno{ENOENT});
	CHECK(try_query(world.context, world.ioas, all_ones, &stats) == Errno{ENOENT});
}

TEST_CASE("COPY of an on-demand mapping shares what is behind it")
{
	const World world;
	const std::uint64_t size = world.memory.size(), copy = iova + huge_size;
	const Device &device = world.device;

	world.memory.fill(1);
	world.map(world.memory);
	SECTION("and its counters")
	{
		REQUIRE(world.context.try_copy(world.ioas, copy, world.ioas, iova,
					       size) == ok);
		CHECK(device.touch(copy) == ok);
		CHECK(world.stats().out_faults_read == 1);
		CHECK(query(world.context, world.ioas, copy).out_faults_read == 1);
		CHECK(query(world.context, world.ioas).out_faults_read == 1);
		/* What one has found, the other has. */
		CHECK(device.touch(iova) == ok);
		CHECK(world.stats().out_faults_read == 1);
		CHECK(query(world.context, world.ioas).out_present_pages ==
		      world.stats().out_present_pages);
	}
	SECTION("and not its permissions")
	{
		REQUIRE(world.context.try_copy(world.ioas, copy, world.ioas, iova, size,
					       map_read | map_fixed) == ok);
		CHECK(device.touch(copy) == ok);
		CHECK(device.put(copy, std::byte(1)) == Errno{EPERM});
		CHECK(device.put(iova, std::byte(1)) == ok);
		CHECK(device.get(copy) == std::byte(1));
		/* Nor does the entry that can be written make the copy so. */
		CHECK(device.put(copy, std::byte(2)) == Errno{EPERM});
	}
	SECTION("of a part, which outlives the whole")
	{
		REQUIRE(world.context.try_copy(world.ioas, copy, world.ioas,
					       iova + page_size, page_size) == ok);
		CHECK(world.context.unmap(world.ioas, iova, size) == size);
		CHECK(device.touch(iova) == Errno{ENOENT});
		CHECK(device.get(copy) == pattern(1, page_size));
		world.memory.discard(page_size, page_size);
		CHECK(device.get(copy) == std::byte(0));
		CHECK(device.touch(copy + page_size) == Errno{ENOENT});
	}
	SECTION("of less than it has permission for")
	{
		const std::uint64_t readable = iova + 2 * huge_size;

		world.map(world.memory.va(), size, map_read, readable);
		CHECK(world.context.try_copy(world.ioas, copy, world.ioas, readable,
					     size) == Errno{EPERM});
	}
}

TEST_CASE("page tables of devices and on-demand mappings exclude each other")
{
	const World world;
	std::uint32_t hwpt = 0;
	const std::uint64_t low = IOMMUKIT_TEST_APERTURE_FIRST + huge_size;
	Stats stats;

	SECTION("a device comes second")
	{
		Mock mock{};

		world.map(world.memory.va(), world.memory.size(), map_rw_fixed, low);
		CHECK(try_mock(world.context, world.ioas, &mock) == Errno{EOPNOTSUPP});
		CHECK(world.device.touch(low) == ok);
		const Mock elsewhere = make_mock(world.context, world.context.ioas());
		CHECK(try_hwpt(world.context, elsewhere.device, world.ioas, &hwpt) ==
		      Errno{EOPNOTSUPP});
		std::uint32_t pt = world.ioas;
		CHECK(try_mock_replace(world.context, elsewhere, &pt) ==
		      Errno{EOPNOTSUPP});
		/* Nothing has stayed of the attempts. */
		world.context.unmap_all(world.ioas);
		make_mock(world.context, world.ioas);
	}
	SECTION("the mapping comes second")
	{
		make_mock(world.context, world.ioas);
		CHECK(try_map_ondemand(world.context, world.ioas, world.memory.va(),
				       page_size, low) == Errno{EOPNOTSUPP});
		CHECK(try_query(world.context, world.ioas, low, &stats) == Errno{ENOENT});
		CHECK(world.context.try_map(world.ioas, world.memory.va(), page_size,
					    low) == ok);
		/* What is wrong in the command is found before. */
		CHECK(try_map_ondemand(world.context, world.ioas, no_user_va, page_size,
				       low + huge_size) == Errno{EFAULT});
	}
	SECTION("a copy comes second")
	{
		const std::uint32_t other = world.context.ioas();

		make_mock(world.context, other);
		world.map(world.memory.va(), page_size, map_rw_fixed, low);
		CHECK(world.context.try_copy(other, low, world.ioas, low, page_size) ==
		      Errno{EOPNOTSUPP});
	}
}

TEST_CASE("a signal that is pending only delays a mapping")
{
	/* The first one of a process is the one that can be interrupted. */
	CHECK(in_child([] {
		      const World world;
		      auto cmd = world.valid;
		      static volatile sig_atomic_t handled = 0;
		      Errno error;
		      Stats stats;

		      signal(SIGALRM, [](int) { handled = handled + 1; });
		      sigset_t alarms;
		      sigemptyset(&alarms);
		      sigaddset(&alarms, SIGALRM);
		      /* Signals that come all the time, of which none is lost. */
		      const itimerval often{{0, 50}, {0, 50}};
		      setitimer(ITIMER_REAL, &often, nullptr);
		      for (int n = 0; n < 100; n++) {
			      error = world.issue(cmd);
			      if (error != ok && error != Errno{EINTR})
				      return 1;
			      if (error == Errno{EINTR} &&
				  try_query(world.context, world.ioas, iova, &stats) !=
					  Errno{ENOENT})
				      return 2;
			      if (error == ok && world.context.unmap_all(world.ioas) !=
							 world.memory.size())
				      return 3;
		      }
		      const itimerval never{};
		      setitimer(ITIMER_REAL, &never, nullptr);
		      return world.issue(cmd) == ok ? 0 : 4;
	      }) == 0);
}

TEST_CASE("ten thousand on-demand mappings")
{
	const World world;
	const std::uint64_t number = 10000 / slowness();
	const Memory memory(number * page_size, Memory::Kind::private_anonymous);

	memory.discard(0, memory.size());
	for (std::uint64_t n = 0; n < number; n++)
		REQUIRE(try_map_ondemand(world.context, world.ioas,
					 memory.va() + n * page_size, page_size,
					 iova + n * page_size) == ok);
	for (std::uint64_t n = 0; n < number; n += number / 10)
		CHECK(world.touch(n * page_size) == ok);
	memory.unmap(0, memory.size());
	CHECK(world.touch(0) == Errno{EFAULT});
	CHECK(query(world.context, world.ioas).out_present_pages == 0);
}

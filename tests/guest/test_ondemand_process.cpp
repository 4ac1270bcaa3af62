// SPDX-License-Identifier: GPL-2.0-only
/*
 * On-demand mappings and processes: limits of the owner, its end, and what remains.
 * The owner is a child; who reads is the test.
 */
#include "mm_tools.h"
#include "mock.h"
#include "ondemand.h"

#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <fstream>
#include <thread>

using namespace guest;

namespace {

constexpr std::uint64_t iova = OndemandWorld::iova;
constexpr std::uint64_t size = 16 * page_size;

/* A context, and an access of this process, which never owns the memory. */
struct World {
	World() : ioas(context.ioas()), access(context, ioas) {}

	Errno touch(std::uint64_t offset = 0) const
	{
		std::byte byte;

		return access.try_read(iova + offset, &byte, 1);
	}
	/* Every way to memory whose process is gone. */
	void check_dead() const
	{
		std::byte byte{};

		CHECK(touch() == Errno{EFAULT});
		CHECK(access.try_read(iova, &byte, 1, rw_slow) == Errno{EFAULT});
		CHECK(access.try_write(iova, &byte, 1) == Errno{EFAULT});
		CHECK(access.rw_raw(iova, &byte, 1, rw_kthread, From::kthread) ==
		      Errno{EFAULT});
		CHECK(access.try_pin(iova, page_size) == Errno{EFAULT});
		CHECK(try_prefetch(context, ioas, iova, page_size) == Errno{EFAULT});
		CHECK(try_prefetch(context, ioas, iova, page_size, prefetch_present) ==
		      Errno{EFAULT});
		const Stats stats = query(context, ioas, iova);
		CHECK((stats.out_state & IOMMUKIT_ONDEMAND_DEAD_MM) != 0);
		CHECK(stats.out_present_pages == 0);
		CHECK(stats.out_by_event[5] == 1);
		CHECK((query(context, ioas).out_state & IOMMUKIT_ONDEMAND_DEAD_MM) != 0);
		CHECK(context.unmap(ioas, iova, size) == size);
		CHECK(touch() == Errno{ENOENT});
	}

	Context context;
	std::uint32_t ioas;
	Access access;
};

/* A process that maps, is read once, and then goes as @end says. */
int own(const World &world, const Child::Steps &step, const std::function<int()> &end)
{
	const Memory memory(size, Memory::Kind::private_anonymous);

	memory.fill(1);
	if (const Errno error =
		    try_map_ondemand(world.context, world.ioas, memory.va(), size, iova);
	    error != ok)
		return error.value;
	step.meet();
	return end();
}

/* The kernel's log shows a trace when it kills for memory; that is none of ours. */
void announce(const char *what)
{
	std::ofstream("/dev/kmsg")
		<< "<6>iommukit-box: forced failures " << what << std::flush;
}

} // namespace

TEST_CASE("a large mapping needs neither an allowance nor memory")
{
	CHECK(in_child([] {
		      constexpr std::uint64_t length = 10UL << 30;
		      constexpr std::uint64_t low = IOMMUKIT_TEST_APERTURE_FIRST;

		      if (drop_capability(CAP_IPC_LOCK) || set_memlock(0))
			      return 1;
		      const World world;
		      const Memory memory(length, -1, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
		      /* What a child finds of its program counts, too; the first time. */
		      own_pages("VmRSS");
		      const long rss = own_pages("VmRSS");

		      if (try_map_ondemand(world.context, world.ioas, memory.va(), length,
					   1UL << 40) != ok)
			      return 2;
		      if (own_pages("VmPin") != 0 || own_pages("VmLck") != 0)
			      return 3;
		      /* The kernel counts by the hundred. */
		      if (own_pages("VmRSS") > rss + 256)
			      return 4;
		      /* What others would do to a device is charged. */
		      const std::uint32_t other = world.context.ioas();
		      Mock mock{};
		      if (try_mock(world.context, other, &mock) != ok)
			      return 5;
		      return world.context.try_map(other, memory.va(), 16 * huge_size,
						   low) == Errno{ENOMEM}
				     ? 0
				     : 6;
	      }) == 0);
}

TEST_CASE("the end of the owner")
{
	const World world;

	SECTION("it exits")
	{
		Child owner([&](const Child::Steps &step) {
			return own(world, step, [] { return 0; });
		});

		owner.await();
		CHECK(world.touch() == ok);
		owner.resume();
		CHECK(owner.join() == 0);
	}
	SECTION("it is killed")
	{
		Child owner([&](const Child::Steps &step) {
			return own(world, step, [] { return pause(); });
		});

		owner.await();
		CHECK(world.touch() == ok);
		owner.kill();
		CHECK(owner.join() == deadly_signal + SIGKILL);
	}
	SECTION("it runs another program")
	{
		Child owner([&](const Child::Steps &step) {
			return own(world, step, [] {
				return execl("/bin/sleep", "sleep", "60", nullptr);
			});
		});

		owner.await();
		CHECK(world.touch() == ok);
		owner.resume();
		owner.await_departure();
		/* The pipe closes before the old memory goes. */
		CHECK(wait_until([&] { return world.touch() == Errno{EFAULT}; }));
		CHECK(wait_until([&] {
			return query(world.context, world.ioas, iova).out_state != 0;
		}));
	}
	world.check_dead();
}

TEST_CASE("who got the descriptor of a context does not become its owner")
{
	const World world;
	Child owner([&](const Child::Steps &step) {
		return own(world, step, [&] {
			step.meet();
			return 0;
		});
	});

	owner.await();
	/* An address of this process that was the owner's, too. */
	CHECK(world.touch() == ok);
	CHECK(in_child([&] { return world.touch().value; }) == 0);
	owner.resume();
	owner.await();
	CHECK(world.touch() == ok);
	CHECK(world.context.unmap(world.ioas, iova, size) == size);
	owner.resume();
	CHECK(owner.join() == 0);
}

TEST_CASE("mappings of two processes in one IOAS")
{
	const World world;
	const Memory memory(size, Memory::Kind::private_anonymous);
	const std::uint64_t own_iova = iova + huge_size;
	std::byte byte{};

	memory.fill(2);
	Child owner([&](const Child::Steps &step) {
		return own(world, step, [] { return 0; });
	});
	owner.await();
	REQUIRE(try_map_ondemand(world.context, world.ioas, memory.va(), size,
				 own_iova) == ok);
	CHECK(world.access.try_read(iova, &byte, 1, rw_slow) == ok);
	CHECK(byte == pattern(1, 0));
	CHECK(world.access.try_read(own_iova, &byte, 1, rw_slow) == ok);
	CHECK(byte == pattern(2, 0));
	owner.resume();
	CHECK(owner.join() == 0);
	CHECK(world.access.try_read(own_iova, &byte, 1, rw_slow) == ok);
	CHECK(query(world.context, world.ioas, own_iova).out_state == 0);
	CHECK(query(world.context, world.ioas).out_state == IOMMUKIT_ONDEMAND_DEAD_MM);
	world.check_dead();
}

TEST_CASE("nothing of the owner's memory remains")
{
	if (const auto reason = lacks_memory_groups(); !reason.empty())
		skip(reason);
	const World world;
	const MemoryGroup group(all_ones >> 1 & ~(page_size - 1));
	constexpr std::uint64_t length = 8 * huge_size;

	Child owner([&](const Child::Steps &step) {
		if (!group.enter(getpid()))
			return 1;
		const Memory memory(length, Memory::Kind::private_anonymous);
		if (try_map_ondemand(world.context, world.ioas, memory.va(), length,
				     iova) != ok)
			return 2;
		step.meet();
		return 0;
	});
	owner.await();
	/* What is found for another process is the owner's. */
	std::vector<std::byte> buffer(huge_size, std::byte(1));
	const std::uint64_t before = group.usage();
	for (std::uint64_t at = 0; at < length; at += huge_size)
		REQUIRE(world.access.try_write(iova + at, buffer.data(), huge_size) ==
			ok);
	CHECK(group.usage() >= before + length / 2);
	owner.resume();
	CHECK(owner.join() == 0);
	CHECK(world.touch() == Errno{EFAULT});
	CHECK(wait_until([&] { return group.usage() < length / 2; }));
	CHECK(world.context.unmap(world.ioas, iova, length) == length);
}

namespace {

/* A process that needs more than it may have, after it was met twice. */
int grow(const World &world, const MemoryGroup &group, const Child::Steps &step)
{
	constexpr std::uint64_t length = 32 * huge_size;

	if (!group.enter(getpid()))
		return 1;
	const Memory memory(length, Memory::Kind::private_anonymous);
	madvise(memory.data(), length, MADV_NOHUGEPAGE);
	std::memset(memory.data(), 1, size);
	if (try_map_ondemand(world.context, world.ioas, memory.va(), length, iova) != ok)
		return 2;
	step.meet();
	std::memset(memory.data(), 2, length);
	return 0;
}

} // namespace

TEST_CASE("an owner that is killed for its memory, while others read")
{
	if (const auto reason = lacks_memory_groups(); !reason.empty())
		skip(reason);
	const World world;
	const MemoryGroup group(8 * huge_size);
	std::atomic<bool> over = false;
	std::atomic<unsigned int> reads = 0, wrong = 0;

	Child owner([&](const Child::Steps &step) { return grow(world, group, step); });
	owner.await();
	std::jthread reader([&] {
		std::vector<std::byte> buffer(size);

		while (!over) {
			const Errno error =
				world.access.try_read(iova, buffer.data(), size, rw_slow);

			reads++;
			if (error != ok && error != Errno{EFAULT})
				wrong++;
			if (error == ok)
				for (std::byte byte : buffer)
					wrong += byte != std::byte(1) &&
						 byte != std::byte(2);
		}
	});
	CHECK(wait_until([&] { return reads > 0; }));
	announce("begin");
	owner.resume();
	CHECK(owner.join() == deadly_signal + SIGKILL);
	announce("end");
	CHECK(group.oom_kills() >= 1);
	over = true;
	reader.join();
	CHECK(wrong == 0);
	CHECK(world.touch() == Errno{EFAULT});
	CHECK(world.context.unmap_all(world.ioas) > 0);
}

/*
 * The reader has its lock far longer than the kernel gives a victim before it takes its
 * memory by force, which must not wait.
 */
TEST_CASE("an owner that is killed for its memory, while a reader has the lock")
{
	if (const auto reason = lacks_memory_groups(); !reason.empty())
		skip(reason);
	const World world;
	const MemoryGroup group(8 * huge_size);

	Child owner([&](const Child::Steps &step) { return grow(world, group, step); });
	owner.await();
	REQUIRE(world.touch() == ok);
	{
		const Trouble trouble(world.context, IOMMUKIT_TEST_ONDEMAND_HOLD_MS,
				      8000);
		std::byte byte{};
		Errno error;
		std::jthread reader(
			[&] { error = world.access.try_read(iova, &byte, 1, rw_slow); });

		/* Nobody can tell when it has the lock. It does at once. */
		usleep(200000);
		announce("begin");
		owner.resume();
		CHECK(owner.join() == deadly_signal + SIGKILL);
		announce("end");
		reader.join();
		CHECK(error == ok);
		CHECK(byte == std::byte(1));
	}
	CHECK(query(world.context, world.ioas, iova).out_refused > 0);
	CHECK(world.touch() == Errno{EFAULT});
}

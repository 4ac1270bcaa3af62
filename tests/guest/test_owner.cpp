// SPDX-License-Identifier: GPL-2.0-only
/* What becomes of mappings when their owner forks, execs, exits or unmaps. */
#include "access.h"
#include "process.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

using namespace guest;

namespace {

constexpr std::uint64_t area_iova = 0x100000;
constexpr std::uint64_t length = 8 * page_size;

struct World {
	World() : ioas(context.ioas()), access(context, ioas) {}

	Errno read(std::uint64_t offset, std::uint64_t bytes,
		   std::uint32_t flags = 0) const
	{
		std::vector<std::byte> buffer(bytes);

		return access.try_read(area_iova + offset, buffer.data(), bytes, flags);
	}
	/* Every way to get at pages that nobody has pinned. */
	void check_unreachable(std::uint64_t offset) const
	{
		char byte = 0;

		CHECK(access.try_pin(area_iova + offset, page_size) == Errno{EFAULT});
		CHECK(read(offset, 1) == Errno{EFAULT});
		CHECK(read(offset, 2 * page_size) == Errno{EFAULT});
		CHECK(access.try_write(area_iova + offset, &byte, 1) == Errno{EFAULT});
		CHECK(access.rw_raw(area_iova + offset, &byte, 1, rw_kthread,
				    From::kthread) == Errno{EFAULT});
	}

	Context context;
	std::uint32_t ioas;
	Access access;
};

/* A child that maps private memory with a content, and waits. */
int own(const World &world, const Child::Steps &step, unsigned int salt)
{
	const Memory memory(length, Memory::Kind::private_anonymous);

	memory.fill(salt);
	if (const Errno error =
		    world.context.try_map(world.ioas, memory.va(), length, area_iova);
	    error != ok)
		return error.value;
	step.meet();
	return 0;
}

} // namespace

TEST_CASE("an owner that is another process")
{
	const World world;
	Child owner([&](const Child::Steps &step) { return own(world, step, 1); });

	owner.await();
	for (std::uint32_t flags : {0U, rw_slow}) {
		CHECK(world.access.read(area_iova + 5, 100, flags) ==
		      pattern_of(1, 5, 100));
		CHECK(world.access.read(area_iova + 5, 5 * page_size, flags) ==
		      pattern_of(1, 5, 5 * page_size));
	}
	world.access.pin(area_iova, length);
	CHECK(status_pages(owner.pid(), "VmPin") == length / page_size);
	CHECK(world.context.unmap_all(world.ioas) == length);
	CHECK(status_pages(owner.pid(), "VmPin") == 0);
	owner.resume();
	CHECK(owner.join() == 0);
}

TEST_CASE("an owner that is gone before its pages were needed")
{
	for (bool killed : {false, true}) {
		DYNAMIC_SECTION((killed ? "killed" : "exited"))
		{
			const World world;
			Child owner([&](const Child::Steps &step) {
				return own(world, step, 1);
			});

			owner.await();
			if (killed)
				owner.kill();
			else
				owner.resume();
			CHECK(owner.join() == (killed ? deadly_signal + SIGKILL : 0));
			world.check_unreachable(0);
			CHECK(world.context.unmap_all(world.ioas) == length);
		}
	}
}

TEST_CASE("an owner that is gone leaves what is pinned")
{
	const World world;
	Child owner([&](const Child::Steps &step) { return own(world, step, 1); });

	owner.await();
	const std::uint32_t item =
		world.access.pin(area_iova + 2 * page_size, 3 * page_size);
	owner.kill();
	CHECK(owner.join() == deadly_signal + SIGKILL);

	for (std::uint32_t flags : {0U, rw_slow})
		CHECK(world.access.read(area_iova + 2 * page_size + 1, 3 * page_size - 1,
					flags) ==
		      pattern_of(1, 2 * page_size + 1, 3 * page_size - 1));
	world.check_unreachable(0);
	world.check_unreachable(4 * page_size + page_size);
	CHECK(world.read(4 * page_size, page_size + 1) == Errno{EFAULT});

	SECTION("which can be pinned once more")
	{
		const std::uint32_t again =
			world.access.pin(area_iova + 3 * page_size, page_size);

		CHECK(world.access.try_unpin(item) == ok);
		world.check_unreachable(2 * page_size);
		CHECK(world.access.read(area_iova + 3 * page_size, page_size) ==
		      pattern_of(1, 3 * page_size, page_size));
		CHECK(world.access.try_unpin(again) == ok);
		world.check_unreachable(3 * page_size);
	}
	SECTION("which can be written, and be reached by a copy")
	{
		const std::uint32_t to = world.context.ioas();
		const Access access(world.context, to);
		const auto data = pattern_of(2, 0, 2 * page_size);

		REQUIRE(world.context.try_copy(to, 0, world.ioas, area_iova, length) ==
			ok);
		CHECK(access.try_write(2 * page_size + 9, data.data(), data.size()) ==
		      ok);
		CHECK(world.access.read(area_iova + 2 * page_size + 9, data.size()) ==
		      data);
		CHECK(access.try_pin(2 * page_size, 3 * page_size) == ok);
		CHECK(access.try_pin(0, page_size) == Errno{EFAULT});
	}
	CHECK(world.context.unmap_all(world.ioas) == length);
}

TEST_CASE("an owner that execs")
{
	const World world;
	const Memory memory(length, Memory::Kind::private_anonymous);
	Child owner([&](const Child::Steps &step) {
		memory.fill(1);
		if (world.context.try_map(world.ioas, memory.va(), length, area_iova) !=
		    ok)
			return 1;
		step.meet();
		/* Stays until it is killed with its Child. */
		execl("/bin/sh", "sh", "-c", "kill -STOP $$", nullptr);
		return errno;
	});

	owner.await();
	world.access.pin(area_iova, page_size);
	owner.resume();
	owner.await_departure();
	/* The pipe closes during exec; the memory goes a little later. */
	CHECK(wait_until([&] { return world.read(page_size, 1) == Errno{EFAULT}; }));
	world.check_unreachable(page_size);
	CHECK(world.access.read(area_iova, page_size, rw_slow) ==
	      pattern_of(1, 0, page_size));
	CHECK(world.context.unmap_all(world.ioas) == length);
}

TEST_CASE("every process owns what it maps")
{
	const World world;
	const Memory memory(page_size, Memory::Kind::private_anonymous);

	/* The same address in both, with another content in each. */
	memory.fill(1);
	Child child([&](const Child::Steps &step) {
		memory.fill(2);
		if (world.context.try_map(world.ioas, memory.va(), page_size,
					  2 * area_iova) != ok)
			return 1;
		step.meet();
		return 0;
	});
	child.await();
	world.context.map(world.ioas, memory, area_iova);
	CHECK(world.access.read(area_iova, page_size) == pattern_of(1, 0, page_size));
	CHECK(world.access.read(2 * area_iova, page_size) == pattern_of(2, 0, page_size));
	world.access.pin(area_iova, page_size);
	world.access.pin(2 * area_iova, page_size);
	CHECK(world.access.read(2 * area_iova, page_size, rw_slow) ==
	      pattern_of(2, 0, page_size));
	child.resume();
	CHECK(child.join() == 0);
}

TEST_CASE("a pinned page stays with the parent over fork")
{
	const World world;
	const Memory memory(2 * page_size, Memory::Kind::private_anonymous);

	memory.fill(1);
	world.context.map(world.ioas, memory, area_iova);
	world.access.pin(area_iova, 2 * page_size);
	/* Both write: the page of the parent must be the pinned one. */
	Child child([&](const Child::Steps &step) {
		memory.fill(2);
		step.meet();
		return memory.data()[7] == pattern(2, 7) ? 0 : 1;
	});
	child.await();
	memory.fill(3);
	CHECK(world.access.read(area_iova, 2 * page_size, rw_slow) ==
	      pattern_of(3, 0, 2 * page_size));
	CHECK(world.access.try_pin(area_iova, 2 * page_size, 0, memory.va()) == ok);
	child.resume();
	CHECK(child.join() == 0);
}

TEST_CASE("mappings of a parent before fork stay the parent's")
{
	const World world;
	const Memory memory(page_size, Memory::Kind::private_anonymous);

	memory.fill(1);
	world.context.map(world.ioas, memory, area_iova);
	CHECK(in_child([&] {
		      memory.fill(2);
		      return world.access.read(area_iova, page_size) ==
					     pattern_of(1, 0, page_size)
				     ? 0
				     : 1;
	      }) == 0);
}

TEST_CASE("an owner that unmaps, remaps or discards")
{
	const World world;
	const Memory memory(length, Memory::Kind::private_anonymous);

	memory.fill(1);
	world.context.map(world.ioas, memory, area_iova);
	world.access.pin(area_iova, 2 * page_size);

	SECTION("unmapped: what is pinned stays, the rest is gone")
	{
		memory.unmap(0, 4 * page_size);
		CHECK(world.access.read(area_iova, 2 * page_size, rw_slow) ==
		      pattern_of(1, 0, 2 * page_size));
		world.check_unreachable(2 * page_size);
		CHECK(world.access.read(area_iova + 4 * page_size, 4 * page_size) ==
		      pattern_of(1, 4 * page_size, 4 * page_size));
	}
	SECTION("other memory at the address is found where nothing is pinned")
	{
		REQUIRE(mmap(memory.data(), length, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			     0) == memory.data());
		memory.fill(2);
		CHECK(world.access.read(area_iova + 2 * page_size, 6 * page_size) ==
		      pattern_of(2, 2 * page_size, 6 * page_size));
		CHECK(world.access.read(area_iova, length, rw_slow).front() ==
		      pattern(1, 0));
		CHECK(world.access.try_pin(area_iova, page_size, 0, memory.va()) ==
		      Errno{EBADE});
		CHECK(world.access.try_pin(area_iova + 2 * page_size, page_size, 0,
					   memory.va() + 2 * page_size) == ok);
	}
	SECTION("moved elsewhere: the pin goes on with the old page")
	{
		const Memory room(page_size, Memory::Kind::private_anonymous);

		REQUIRE(mremap(memory.data(), page_size, page_size,
			       MREMAP_MAYMOVE | MREMAP_FIXED,
			       room.data()) == room.data());
		/* The old address is free now: not the memory's to unmap. */
		memory.unmap(0, page_size);
		room.data()[3] = std::byte(0x77);
		CHECK(world.access.read(area_iova, 2 * page_size, rw_slow)[3] ==
		      std::byte(0x77));
	}
	SECTION("discarded: the pin keeps the old content")
	{
		memory.discard(0, length);
		CHECK(memory.data()[1] == std::byte(0));
		CHECK(world.access.read(area_iova, 2 * page_size, rw_slow) ==
		      pattern_of(1, 0, 2 * page_size));
		CHECK(world.access.read(area_iova + 4 * page_size, 4) ==
		      std::vector<std::byte>(4));
	}
	CHECK(world.context.unmap_all(world.ioas) == length);
}

TEST_CASE("an owner that is killed while others copy from it")
{
	for (unsigned int round = 0; round < 10; round++) {
		const World world;
		Child owner(
			[&](const Child::Steps &step) { return own(world, step, 1); });
		Errno error;
		unsigned int copies = 0;

		owner.await();
		owner.kill();
		/* Some copies may still succeed; in the end none does. */
		REQUIRE(wait_until([&] {
			error = world.read(0, (copies++ % 8 + 1) * page_size);
			return error != ok;
		}));
		CHECK(error == Errno{EFAULT});
		CHECK(owner.join() == deadly_signal + SIGKILL);
		world.check_unreachable(0);
		CHECK(world.context.unmap_all(world.ioas) == length);
	}
}

TEST_CASE("an owner that is killed while others pin from it")
{
	for (unsigned int round = 0; round < 10; round++) {
		const World world;
		Child owner(
			[&](const Child::Steps &step) { return own(world, step, 1); });
		Errno error;

		owner.await();
		owner.kill();
		REQUIRE(wait_until([&] {
			std::uint32_t item = no_item;

			error = world.access.try_pin(area_iova, length, 0, 0, &item);
			if (error == ok)
				world.access.try_unpin(item);
			return error != ok;
		}));
		CHECK(error == Errno{EFAULT});
		CHECK(owner.join() == deadly_signal + SIGKILL);
		CHECK(world.context.unmap_all(world.ioas) == length);
	}
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pinned pages against RLIMIT_MEMLOCK, per user and per process. The mappings
 * are those of unprivileged children: root is not limited.
 */
#include "access.h"
#include "process.h"

#include <linux/capability.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace guest;

namespace {

constexpr std::uint64_t area_iova = 0x100000;
constexpr std::uint64_t limit_pages = 16;
constexpr std::uint64_t limit_bytes = limit_pages * page_size;

enum class Mode { user, process };

/* Every test has a user of its own, whose count starts at 0. */
unsigned int new_user()
{
	static unsigned int last = 61000;

	return ++last;
}

struct World {
	explicit World(Mode mode = Mode::user)
		: ioas(make_ioas(mode)), access(context, ioas)
	{
	}

	/* Pages of the mapping, counted from its start. */
	Errno pin(std::uint64_t first, std::uint64_t pages,
		  std::uint32_t *item = nullptr) const
	{
		return access.try_pin(area_iova + first * page_size, pages * page_size, 0,
				      0, item);
	}
	int map() const
	{
		return context.try_map(ioas, memory.va(), memory.size(), area_iova).value;
	}

	Context context;
	Memory memory{4 * limit_bytes};
	std::uint32_t ioas;
	Access access;

    private:
	std::uint32_t make_ioas(Mode mode) const
	{
		if (mode == Mode::process)
			REQUIRE(context.try_set_option(IOMMUKIT_OPTION_RLIMIT_MODE, 0,
						       1) == ok);
		return context.ioas();
	}
};

/* A child that maps as a user with a limit and stays. */
class Owner {
    public:
	Owner(const World &world, unsigned int uid, std::uint64_t memlock = limit_bytes)
		: child([&world, uid, memlock](const Child::Steps &step) {
			  const int error = become_user(uid, memlock) ?: world.map();

			  if (error)
				  return error;
			  step.meet();
			  return 0;
		  })
	{
		child.await();
	}

	long pinned() const { return status_pages(child.pid(), "VmPin"); }
	long locked() const { return status_pages(child.pid(), "VmLck"); }
	int leave()
	{
		child.resume();
		return child.join();
	}

    private:
	Child child;
};

long own_pinned()
{
	return status_pages(getpid(), "VmPin");
}

} // namespace

TEST_CASE("the limit counts distinct pinned pages")
{
	for (Mode mode : {Mode::user, Mode::process}) {
		DYNAMIC_SECTION((mode == Mode::user ? "per user" : "per process"))
		{
			const World world(mode);
			Owner owner(world, new_user());
			std::uint32_t item = no_item, inner = no_item;
			const long locked = mode == Mode::process;

			CHECK(owner.pinned() == 0);
			CHECK(world.pin(0, limit_pages, &item) == ok);
			CHECK(owner.pinned() == limit_pages);
			CHECK(owner.locked() == locked * long(limit_pages));
			/* Inside, and exactly the same, for nothing. */
			CHECK(world.pin(3, 5, &inner) == ok);
			CHECK(world.pin(0, limit_pages) == ok);
			CHECK(owner.pinned() == limit_pages);
			/* One more is too much, and leaves no trace. */
			CHECK(world.pin(limit_pages, 1) == Errno{ENOMEM});
			CHECK(world.pin(1, limit_pages) == Errno{ENOMEM});
			CHECK(owner.pinned() == limit_pages);
			CHECK(owner.locked() == locked * long(limit_pages));
			CHECK(check_refs(world.context, world.memory.va() + limit_bytes,
					 3 * limit_bytes, 0) == ok);
			CHECK(world.context.unmap_all(world.ioas) == world.memory.size());
			CHECK(owner.pinned() == 0);
			CHECK(owner.locked() == 0);
			CHECK(owner.leave() == 0);
		}
	}
}

TEST_CASE("what is released can be pinned again")
{
	const World world;
	const Owner owner(world, new_user());

	for (unsigned int i = 0; i < 20; i++) {
		std::uint32_t item = no_item;

		REQUIRE(world.pin(i, limit_pages, &item) == ok);
		REQUIRE(world.pin(i + limit_pages, 1) == Errno{ENOMEM});
		REQUIRE(world.access.try_unpin(item) == ok);
	}
	CHECK(owner.pinned() == 0);
}

TEST_CASE("overlapping pins are released page by page")
{
	const World world;
	const Owner owner(world, new_user());
	std::uint32_t low = no_item, high = no_item;

	REQUIRE(world.pin(0, 10, &low) == ok);
	REQUIRE(world.pin(5, 10, &high) == ok);
	CHECK(owner.pinned() == 15);
	CHECK(world.access.try_unpin(low) == ok);
	CHECK(owner.pinned() == 10);
	CHECK(world.pin(0, 5) == ok);
	CHECK(world.pin(15, 2) == Errno{ENOMEM});
	CHECK(world.pin(15, 1) == ok);
}

TEST_CASE("a limit is rounded down to pages")
{
	const World world;
	const Owner owner(world, new_user(), limit_bytes + page_size - 1);

	CHECK(world.pin(0, limit_pages + 1) == Errno{ENOMEM});
	CHECK(world.pin(0, limit_pages) == ok);
}

TEST_CASE("a pin that fails for another reason charges nothing")
{
	const World world;
	const Owner owner(world, new_user());

	/* Pages of the limit, then a gap behind the mapping. */
	CHECK(world.access.try_pin(area_iova + world.memory.size() - limit_bytes,
				   2 * limit_bytes) == Errno{ENOENT});
	CHECK(owner.pinned() == 0);
	CHECK(world.pin(0, limit_pages) == ok);
}

TEST_CASE("a pin of several mappings fails as a whole")
{
	const World world;
	const unsigned int uid = new_user();
	Child child([&](const Child::Steps &step) {
		int error = become_user(uid, limit_bytes);

		for (std::uint64_t n = 0; n < 2 && !error; n++)
			error = world.context
					.try_map(world.ioas,
						 world.memory.va() + n * 10 * page_size,
						 10 * page_size,
						 area_iova + n * 10 * page_size)
					.value;
		step.meet();
		return error;
	});

	child.await();
	CHECK(world.pin(0, 20) == Errno{ENOMEM});
	CHECK(check_refs(world.context, world.memory, 0) == ok);
	CHECK(status_pages(child.pid(), "VmPin") == 0);
	CHECK(world.pin(4, 16) == ok);
	child.resume();
	CHECK(child.join() == 0);
}

TEST_CASE("the processes of a user share its count, or have their own")
{
	for (Mode mode : {Mode::user, Mode::process}) {
		DYNAMIC_SECTION((mode == Mode::user ? "per user" : "per process"))
		{
			const unsigned int uid = new_user();
			const World first(mode), second(mode);
			const Owner one(first, uid), two(second, uid);

			REQUIRE(first.pin(0, 10) == ok);
			if (mode == Mode::user) {
				CHECK(second.pin(0, 7) == Errno{ENOMEM});
				CHECK(two.pinned() == 0);
				CHECK(second.pin(0, 6) == ok);
				CHECK(first.pin(10, 1) == Errno{ENOMEM});
			} else {
				CHECK(second.pin(0, limit_pages) == ok);
				CHECK(first.pin(10, 6) == ok);
			}
		}
	}
}

TEST_CASE("other users are not counted")
{
	const World first, second;
	const Owner one(first, new_user()), two(second, new_user());

	CHECK(first.pin(0, limit_pages) == ok);
	CHECK(second.pin(0, limit_pages) == ok);
}

TEST_CASE("who pins does not matter")
{
	const World world;
	const Owner owner(world, new_user());
	const long before = own_pinned();

	/* This process is privileged, and pins what belongs to a user. */
	CHECK(world.pin(0, limit_pages) == ok);
	CHECK(world.pin(limit_pages, 1) == Errno{ENOMEM});
	CHECK(own_pinned() == before);
	CHECK(owner.pinned() == limit_pages);
}

TEST_CASE("CAP_IPC_LOCK at the time of MAP lifts the limit")
{
	const World world;
	const auto pin_as_child = [&](const std::function<int()> &before,
				      const std::function<int()> &after) {
		return in_child([&] {
			return before() ?: world.map() ?: after() ?:
			       world.pin(0, limit_pages).value;
		});
	};
	const auto nothing = [] { return 0; };
	const auto no_lock = [] {
		return set_memlock(0) ?: drop_capability(CAP_IPC_LOCK);
	};

	SECTION("a process that has it")
	{
		CHECK(pin_as_child([] { return set_memlock(0); }, nothing) == 0);
	}
	SECTION("one that drops it later")
	{
		CHECK(pin_as_child(nothing, no_lock) == 0);
	}
	SECTION("one that has dropped it")
	{
		CHECK(pin_as_child(no_lock, nothing) == ENOMEM);
	}
	SECTION("what it pins is counted all the same")
	{
		const long before = own_pinned();

		REQUIRE(world.map() == 0);
		CHECK(world.pin(0, limit_pages) == ok);
		CHECK(own_pinned() == before + long(limit_pages));
		CHECK(world.context.unmap_all(world.ioas) > 0);
		CHECK(own_pinned() == before);
	}
	SECTION("and stays above a mode per process")
	{
		const World process(Mode::process);
		const long before = status_pages(getpid(), "VmLck");

		REQUIRE(process.map() == 0);
		CHECK(process.pin(0, limit_pages) == ok);
		CHECK(status_pages(getpid(), "VmLck") == before);
	}
}

TEST_CASE("the limit of the moment counts")
{
	const World world;
	const auto pin_lowered = [&](unsigned int uid, std::uint64_t pages) {
		return in_child([&] {
			return become_user(uid, limit_bytes) ?: world.map() ?:
			       set_memlock(page_size) ?:
			       world.pin(0, pages).value;
		});
	};

	CHECK(pin_lowered(new_user(), 2) == ENOMEM);
	CHECK(world.context.unmap_all(world.ioas) == world.memory.size());
	CHECK(pin_lowered(new_user(), 1) == 0);
}

TEST_CASE("copies are free, a second mapping is not")
{
	const World world;
	const unsigned int uid = new_user();
	const Owner owner(world, uid);
	const std::uint32_t to = world.context.ioas();
	const Access access(world.context, to);

	REQUIRE(world.context.try_copy(to, 0, world.ioas, area_iova, limit_bytes) == ok);
	REQUIRE(world.pin(0, limit_pages) == ok);
	CHECK(access.try_pin(0, limit_bytes) == ok);
	CHECK(owner.pinned() == limit_pages);

	SECTION("which is charged until the last pin goes")
	{
		CHECK(world.context.unmap_all(world.ioas) == world.memory.size());
		CHECK(owner.pinned() == limit_pages);
		CHECK(world.context.unmap_all(to) == limit_bytes);
		CHECK(owner.pinned() == 0);
	}
	SECTION("a mapping of the same memory")
	{
		const World other;
		const Owner twin(other, uid);

		CHECK(other.pin(0, 1) == Errno{ENOMEM});
	}
}

TEST_CASE("rw charges nothing")
{
	const World world;
	const Owner owner(world, new_user(), 0);
	std::vector<std::byte> buffer(limit_bytes);

	CHECK(world.pin(0, 1) == Errno{ENOMEM});
	CHECK(world.access.try_read(area_iova, buffer.data(), limit_bytes, rw_slow) ==
	      ok);
	CHECK(world.access.try_write(area_iova, buffer.data(), limit_bytes) == ok);
	CHECK(owner.pinned() == 0);
}

TEST_CASE("pages of a file are charged to who mapped it")
{
	const World world;
	const Fd file(memfd_create("accounting", MFD_CLOEXEC));

	const unsigned int uid = new_user();

	REQUIRE(ftruncate(file.get(), 4 * limit_bytes) == 0);
	CHECK(in_child([&] {
		      const int error =
			      become_user(uid, limit_bytes)
				      ?: world.context
						 .try_map_file(world.ioas, file.get(), 0,
							       4 * limit_bytes, area_iova)
						 .value;

		      return error
				     ?: world.pin(0, limit_pages + 1).value != ENOMEM
					? 1
					: world.pin(0, limit_pages).value;
	      }) == 0);
}

TEST_CASE("the charge of an owner that is gone")
{
	SECTION("stays with its user until the pages go")
	{
		const unsigned int uid = new_user();
		const World world, other;
		std::uint32_t item = no_item;
		Owner gone(world, uid);

		REQUIRE(world.pin(0, limit_pages, &item) == ok);
		REQUIRE(gone.leave() == 0);
		const Owner heir(other, uid);
		CHECK(other.pin(0, 1) == Errno{ENOMEM});
		CHECK(world.access.try_unpin(item) == ok);
		CHECK(other.pin(0, limit_pages) == ok);
	}
	SECTION("goes with its process")
	{
		const World world(Mode::process);
		std::uint32_t a = no_item, b = no_item;
		Owner gone(world, new_user());

		REQUIRE(world.pin(0, 8, &a) == ok);
		REQUIRE(world.pin(4, 12, &b) == ok);
		REQUIRE(gone.leave() == 0);
		CHECK(world.access.try_unpin(a) == ok);
		/* Pages that are still there can be pinned once more. */
		CHECK(world.pin(5, 3) == ok);
		CHECK(world.access.try_unpin(b) == ok);
		CHECK(world.context.unmap_all(world.ioas) == world.memory.size());
		CHECK(check_refs(world.context, world.memory, 0) == ok);
	}
}

TEST_CASE("nothing stays charged when a context is closed")
{
	const unsigned int uid = new_user();

	for (unsigned int i = 0; i < 3; i++) {
		const World world;
		const Owner owner(world, uid);

		CHECK(world.pin(0, limit_pages) == ok);
	}
	const World world;
	const Owner owner(world, uid);

	CHECK(world.pin(0, limit_pages) == ok);
}

TEST_CASE("huge pages are charged by their pages")
{
	const World world;
	const Memory huge(huge_size, Memory::Kind::huge);
	const unsigned int uid = new_user();
	const auto pin_of = [&](std::uint64_t memlock, std::uint64_t length) {
		return in_child([&] {
			return become_user(uid, memlock) ?:
			       world.context
				       .try_map(world.ioas, huge.va(),
						huge_size, area_iova)
				       .value ?:
			       world.access.try_pin(area_iova, length).value;
		});
	};

	SECTION("only those of the range")
	{
		CHECK(pin_of(limit_bytes, limit_bytes) == 0);
	}
	SECTION("all of them")
	{
		CHECK(pin_of(huge_size, huge_size) == 0);
	}
	SECTION("too many")
	{
		CHECK(pin_of(huge_size - 1, huge_size) == ENOMEM);
	}
}

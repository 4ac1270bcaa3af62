// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands whose user memory is filled in by another thread of the program: the
 * thread that answers must be able to use the same IOAS meanwhile.
 */
#include "access.h"
#include "late_page.h"
#include "process.h"
#include "vfio.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <string>
#include <thread>

using namespace guest;

namespace {

/* The state of a task, as ps shows it. */
char task_state(const std::string &task)
{
	std::ifstream file("/proc/" + task + "/stat");
	std::string line;

	/* The name in parentheses may contain anything. */
	std::getline(file, line);
	const std::size_t name_end = line.rfind(") ");
	return name_end == std::string::npos ? '?' : line[name_end + 2];
}

/* A thread that issues one command, and can be seen to wait in it. */
class Issuer {
    public:
	explicit Issuer(const std::function<Errno()> &issue)
		: thread([this, issue] {
			  tid = gettid();
			  result = issue();
			  finished = true;
		  })
	{
	}

	/* Waits until the command sleeps or is over; true if it sleeps. */
	bool sleeps() const
	{
		REQUIRE(wait_until([&] {
			const char state = task_state("self/task/" + std::to_string(tid));

			return finished || state == 'S' || state == 'D';
		}));
		return !finished;
	}
	Errno join()
	{
		thread.join();
		return result;
	}

    private:
	std::atomic<int> tid = 0;
	std::atomic<bool> finished = false;
	Errno result;
	/* Started last: it uses the rest. */
	std::jthread thread;
};

struct World {
	World() : ioas(context.ioas()) {}

	Context context;
	Memory memory{page_size};
	std::uint32_t ioas;
};

std::string release()
{
	utsname name;

	REQUIRE(uname(&name) == 0);
	return name.release;
}

} // namespace

TEST_CASE("IOVA_RANGES blocks nobody while its elements are written")
{
	const World world;
	const LatePage page;
	auto cmd = command<iommukit_ioas_iova_ranges>();
	std::atomic<bool> mapped = false;
	Errno ranges, map, unmap, allow, set;

	cmd.ioas_id = world.ioas;
	cmd.num_iovas = 4;
	cmd.allowed_iovas = page.va();
	std::jthread reader([&] {
		ranges = call(world.context.fd(), IOMMUKIT_IOAS_IOVA_RANGES, &cmd);
	});
	const bool touched = page.await_touch();
	std::jthread other([&] {
		map = world.context.try_map(world.ioas, world.memory.va(), page_size, 0);
		allow = world.context.try_allow(world.ioas, {{0, 0xffff}});
		set = world.context.try_set_option(IOMMUKIT_OPTION_HUGE_PAGES, world.ioas,
						   0);
		unmap = world.context.try_unmap(world.ioas, 0, page_size);
		mapped = true;
	});
	const bool meanwhile = wait_until([&] { return mapped.load(); });

	page.release();
	reader.join();
	other.join();
	CHECK(touched);
	CHECK(meanwhile);
	CHECK(ranges == ok);
	CHECK(cmd.num_iovas == 1);
	for (Errno error : {map, allow, set, unmap})
		CHECK(error == ok);
}

TEST_CASE("ALLOW_IOVAS blocks nobody while its elements are read")
{
	const World world;
	const LatePage page;
	auto cmd = command<iommukit_ioas_allow_iovas>();
	std::atomic<bool> mapped = false;
	Errno allow, map;

	cmd.ioas_id = world.ioas;
	cmd.num_iovas = 1;
	cmd.allowed_iovas = page.va();
	std::jthread writer([&] {
		allow = call(world.context.fd(), IOMMUKIT_IOAS_ALLOW_IOVAS, &cmd);
	});
	const bool touched = page.await_touch();
	std::jthread other([&] {
		map = world.context.try_map(world.ioas, world.memory.va(), page_size, 0);
		mapped = true;
	});
	const bool meanwhile = wait_until([&] { return mapped.load(); });

	page.release();
	writer.join();
	other.join();
	CHECK(touched);
	CHECK(meanwhile);
	CHECK(map == ok);
	/* The page reads as zeros: an element of one byte. */
	CHECK(allow == Errno{EINVAL});
}

TEST_CASE("a page that comes late is copied all the same")
{
	const World world;
	const LatePage page;
	const Access access(world.context, world.ioas, 0);
	std::vector<std::byte> buffer(page_size, std::byte(1));
	Errno error;

	/* Nothing is touched by mapping it, or the map would never return. */
	REQUIRE(world.context.try_map(world.ioas, page.va(), page_size, 0) == ok);
	std::jthread reader(
		[&] { error = access.try_read(0, buffer.data(), page_size); });
	CHECK(page.await_touch());
	page.release();
	reader.join();
	CHECK(error == ok);
	CHECK(buffer == std::vector<std::byte>(page_size));
}

TEST_CASE("UNMAP waits for a copy that is under way")
{
	const World world;
	const LatePage page;
	const Access access(world.context, world.ioas, 0);
	char byte = 0;

	REQUIRE(world.context.try_map(world.ioas, page.va(), page_size, 0) == ok);
	Issuer reader([&] { return access.try_read(0, &byte, 1); });
	CHECK(page.await_touch());
	Issuer unmapper(
		[&] { return world.context.try_unmap(world.ioas, 0, page_size); });
	CHECK(unmapper.sleeps());
	page.release();
	CHECK(reader.join() == ok);
	CHECK(unmapper.join() == ok);
}

/*
 * The UNMAP closes the area and waits for the copy. Then it meets, further down,
 * a new mapping that sticks out of its range, and leaves the area behind.
 */
TEST_CASE("an UNMAP that fails opens again what it has closed")
{
	constexpr std::uint64_t iova = 2 * page_size;
	const World world;
	const LatePage page;
	const Memory below(iova);
	const Access access(world.context, world.ioas);
	char byte = 1;

	REQUIRE(world.context.try_map(world.ioas, page.va(), page_size, iova,
				      map_read | map_fixed) == ok);
	Issuer reader([&] { return access.try_read(iova, &byte, 1); });
	CHECK(page.await_touch());
	Issuer unmapper([&] {
		return world.context.try_unmap(world.ioas, page_size, 2 * page_size);
	});
	/* What is not allowed touches no page, and is not even asked here. */
	CHECK(wait_until([&] {
		const char other = 2;

		return access.try_write(iova, &other, 1) == Errno{ENOENT};
	}));
	CHECK(unmapper.sleeps());
	CHECK(world.context.try_map(world.ioas, below.va(), below.size(), 0) == ok);
	page.release();
	CHECK(reader.join() == ok);
	CHECK(unmapper.join() == Errno{ENOENT});

	CHECK(byte == 0);
	CHECK(access.try_read(iova, &byte, 1) == ok);
	CHECK(access.try_write(iova, &byte, 1) == Errno{EPERM});
	CHECK(access.try_pin(iova, page_size, 0, page.va()) == ok);
	CHECK(check_refs(world.context, page.va(), page_size, 1) == ok);
	CHECK(access.callbacks().calls == 0);
	CHECK(world.context.unmap_all(world.ioas) == below.size() + page_size);
	CHECK(check_refs(world.context, page.va(), page_size, 0) == ok);
}

TEST_CASE("DESTROY waits for a command that is under way")
{
	const World world;
	const LatePage page;
	auto cmd = command<iommukit_ioas_allow_iovas>();

	cmd.ioas_id = world.ioas;
	cmd.num_iovas = 1;
	cmd.allowed_iovas = page.va();
	Issuer writer([&] {
		return call(world.context.fd(), IOMMUKIT_IOAS_ALLOW_IOVAS, &cmd);
	});
	CHECK(page.await_touch());
	Issuer destroyer([&] { return world.context.try_destroy(world.ioas); });
	CHECK(destroyer.sleeps());
	page.release();
	/* An element of one byte. */
	CHECK(writer.join() == Errno{EINVAL});
	CHECK(destroyer.join() == ok);
	CHECK(world.context.try_destroy(world.ioas) == Errno{ENOENT});
}

namespace {

/* Four pages in one mapping that can be cut; the first one comes late. */
struct CutWorld {
	CutWorld() : ioas(context.ioas()), access(context, ioas)
	{
		vfio_set(context, ioas);
		REQUIRE(vfio_answer(context, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU) == 0);
		REQUIRE(try_map_dma(context, page.va(), 4 * page_size, 0) == ok);
	}

	Errno cut_away(std::uint64_t n) const
	{
		return try_unmap_dma(context, n * page_size, page_size);
	}
	Errno read(std::uint64_t n) const
	{
		std::vector<std::byte> buffer(page_size);
		const Errno error =
			access.try_read(n * page_size, buffer.data(), page_size);

		if (error == ok && buffer != pattern_of(1, n * page_size, page_size))
			return Errno{EIO};
		return error;
	}

	Context context;
	LatePage page{4};
	std::uint32_t ioas;
	Access access;
	char byte = 0;
};

} // namespace

TEST_CASE("a cut waits for a copy that is under way, and others wait for it")
{
	CutWorld world;
	const Memory memory(page_size);
	Issuer reader([&] { return world.access.try_read(0, &world.byte, 1); });

	CHECK(world.page.await_touch());
	Issuer cutter([&] { return world.cut_away(2); });
	CHECK(cutter.sleeps());
	Issuer second([&] { return world.cut_away(1); });
	CHECK(second.sleeps());
	Issuer other([&] { return world.read(3); });
	CHECK(other.sleeps());
	/* Who has to do with other mappings need not wait. */
	CHECK(try_map_dma(world.context, memory.va(), page_size, 4 * page_size) == ok);
	CHECK(world.access.try_read(4 * page_size, &world.byte, 1) == ok);
	CHECK(world.context.unmap(world.ioas, 4 * page_size, page_size) == page_size);
	world.page.release();
	CHECK(reader.join() == ok);
	CHECK(cutter.join() == ok);
	CHECK(second.join() == ok);
	CHECK(other.join() == ok);
	for (std::uint64_t n : {1, 2})
		CHECK(world.read(n) == Errno{ENOENT});
	CHECK(world.read(3) == ok);
	CHECK(world.context.unmap_all(world.ioas) == 2 * page_size);
}

TEST_CASE("a process that waits for a cut can be killed")
{
	CutWorld world;
	Issuer reader([&] { return world.access.try_read(0, &world.byte, 1); });

	CHECK(world.page.await_touch());
	Child child([&](const Child::Steps &) { return world.cut_away(2).value; });
	const auto sleeps = [](pid_t pid) {
		return wait_until([&] { return task_state(std::to_string(pid)) == 'D'; });
	};
	CHECK(sleeps(child.pid()));

	SECTION("the one that cuts, which then leaves the mapping as it was")
	{
		child.kill();
		CHECK(child.join() == deadly_signal + SIGKILL);
		CHECK(world.read(2) == ok);
		world.page.release();
		CHECK(reader.join() == ok);
		CHECK(world.context.try_unmap(world.ioas, 0, 2 * page_size) ==
		      Errno{ENOENT});
		CHECK(world.cut_away(2) == ok);
	}
	SECTION("the one that wants to enter")
	{
		Child other([&](const Child::Steps &) { return world.read(3).value; });

		CHECK(sleeps(other.pid()));
		other.kill();
		CHECK(other.join() == deadly_signal + SIGKILL);
		world.page.release();
		CHECK(reader.join() == ok);
		CHECK(child.join() == 0);
		CHECK(world.read(3) == ok);
	}
	SECTION("one of two that cut, which leaves it to the other")
	{
		Issuer second([&] { return world.cut_away(1); });

		CHECK(second.sleeps());
		child.kill();
		CHECK(child.join() == deadly_signal + SIGKILL);
		CHECK(second.sleeps());
		world.page.release();
		CHECK(reader.join() == ok);
		CHECK(second.join() == ok);
		CHECK(world.read(2) == ok);
	}
}

TEST_CASE("a cut gives way to an unmap")
{
	CutWorld world;
	Issuer reader([&] { return world.access.try_read(0, &world.byte, 1); });

	CHECK(world.page.await_touch());
	Issuer cutter([&] { return world.cut_away(2); });
	CHECK(cutter.sleeps());
	Issuer unmapper(
		[&] { return world.context.try_unmap(world.ioas, 0, 4 * page_size); });
	CHECK(unmapper.sleeps());
	/* Nobody waits any more, for all of it is going. */
	CHECK(wait_until([&] { return world.read(3) == Errno{ENOENT}; }));
	CHECK(world.cut_away(1) == Errno{EBUSY});
	world.page.release();
	CHECK(reader.join() == ok);
	CHECK(unmapper.join() == ok);
	const Errno cut = cutter.join();
	CHECK((cut == ok || cut == Errno{EBUSY}));
	CHECK(world.context.unmap_all(world.ioas) == 0);
}

TEST_CASE("a cut is refused if the call that it waits for pins")
{
	/* They do since 6.2. Before, a kernel with checkers prints who tried. */
	if (release().starts_with("6.1."))
		skip("pins of this kernel do not wait for user space");

	CutWorld world;
	std::uint32_t item = no_item;
	Issuer pinner([&] { return world.access.try_pin(0, page_size, 0, 0, &item); });

	CHECK(pinner.sleeps());
	CHECK(world.page.await_touch());
	Issuer cutter([&] { return world.cut_away(2); });
	CHECK(cutter.sleeps());
	Issuer other([&] { return world.read(3); });
	CHECK(other.sleeps());
	world.page.release();
	CHECK(pinner.join() == ok);
	CHECK(cutter.join() == Errno{EINVAL});
	CHECK(other.join() == ok);
	CHECK(world.read(2) == ok);
	CHECK(world.access.try_unpin(item) == ok);
	CHECK(world.cut_away(2) == ok);
	CHECK(world.read(2) == Errno{ENOENT});
}

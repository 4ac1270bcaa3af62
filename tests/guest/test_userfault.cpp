// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands whose user memory is filled in by another thread of the program: the
 * thread that answers must be able to use the same IOAS meanwhile.
 */
#include "access.h"
#include "process.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <fstream>
#include <string>
#include <thread>

using namespace guest;

namespace {

/* A page that blocks who touches it until release(). */
class LatePage {
    public:
	LatePage() : memory(page_size, Memory::Kind::private_anonymous), faults(open_it())
	{
		uffdio_api api{UFFD_API, 0, 0};
		uffdio_register registration{};

		REQUIRE(ioctl(faults.get(), UFFDIO_API, &api) == 0);
		registration.range = {memory.va(), page_size};
		registration.mode = UFFDIO_REGISTER_MODE_MISSING;
		REQUIRE(ioctl(faults.get(), UFFDIO_REGISTER, &registration) == 0);
	}

	std::uint64_t va() const { return memory.va(); }
	/* Has somebody touched the page, and waits? */
	bool await_touch() const
	{
		pollfd wait{.fd = faults.get(), .events = POLLIN, .revents = 0};

		return poll(&wait, 1, 60000) == 1;
	}
	void release() const
	{
		uffdio_zeropage zero{};

		zero.range = {memory.va(), page_size};
		CHECK(ioctl(faults.get(), UFFDIO_ZEROPAGE, &zero) == 0);
	}

    private:
	static int open_it()
	{
		const long fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

		if (fd < 0 && errno == ENOSYS)
			skip("this kernel has no userfaultfd");
		REQUIRE(fd >= 0);
		return static_cast<int>(fd);
	}

	Memory memory;
	Fd faults;
};

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
		REQUIRE(wait_until(
			[&] { return finished || state() == 'S' || state() == 'D'; }));
		return !finished;
	}
	Errno join()
	{
		thread.join();
		return result;
	}

    private:
	char state() const
	{
		std::ifstream file("/proc/self/task/" + std::to_string(tid) + "/stat");
		std::string line;

		/* The name in parentheses may contain anything. */
		std::getline(file, line);
		const std::size_t name_end = line.rfind(") ");
		return name_end == std::string::npos ? '?' : line[name_end + 2];
	}

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

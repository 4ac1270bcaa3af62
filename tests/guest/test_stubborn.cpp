// SPDX-License-Identifier: GPL-2.0-only
/* Drivers that do not release their pages when asked, or misuse the interface. */
#include "access.h"
#include "process.h"

#include <atomic>
#include <csignal>
#include <fstream>
#include <thread>

using namespace guest;

namespace {

constexpr std::uint64_t area_iova = 0x100000;
constexpr std::uint64_t piece = 4 * page_size;
constexpr unsigned int shortest_ms = 1000;
/* Longer than any test takes: an event ends the wait, or the test has failed. */
constexpr unsigned int endless_ms = 60 * 1000;

const char *const parameter = "/sys/module/iommukit/parameters/unmap_timeout_ms";

unsigned int unmap_timeout()
{
	unsigned int value = 0;

	std::ifstream(parameter) >> value;
	return value;
}

/* Sets the time that UNMAP waits for drivers, for as long as it lives. */
class UnmapTimeout {
    public:
	explicit UnmapTimeout(unsigned int milliseconds) : before(unmap_timeout())
	{
		set(milliseconds);
		REQUIRE(unmap_timeout() == milliseconds);
	}
	UnmapTimeout(const UnmapTimeout &) = delete;
	UnmapTimeout &operator=(const UnmapTimeout &) = delete;
	~UnmapTimeout() { set(before); }

	static bool set(unsigned int milliseconds)
	{
		std::ofstream file(parameter);

		file << milliseconds << std::flush;
		return file.good();
	}

    private:
	unsigned int before;
};

/* Three adjacent areas; the middle one is pinned by a stubborn access. */
struct World {
	explicit World(unsigned int timeout_ms)
		: timeout(timeout_ms), ioas(context.ioas()), access(context, ioas)
	{
		for (std::uint64_t n = 0; n < 3; n++)
			REQUIRE(context.try_map(ioas, memory.va() + n * piece, piece,
						area_iova + n * piece) == ok);
		access.set_stubborn(true);
		item = access.pin(middle, page_size, 0, memory.va() + piece);
	}

	/* What a failed UNMAP leaves of the middle area. */
	void check_refused() const
	{
		char byte = 0;

		CHECK(access.try_pin(middle, page_size) == Errno{EINVAL});
		CHECK(access.try_pin(middle + page_size, page_size) == Errno{EINVAL});
		CHECK(access.try_read(middle, &byte, 1) == Errno{EINVAL});
		CHECK(access.try_write(middle + piece - 1, &byte, 1) == Errno{EINVAL});
		/* Also from a neighbour. */
		CHECK(access.try_read(middle + piece - 1, &byte, 2) == Errno{EINVAL});
	}
	/* The pin can be released, and then the area be unmapped. */
	void check_recovers() const
	{
		CHECK(access.try_unpin(item) == ok);
		check_refused();
		access.set_stubborn(false);
		CHECK(context.unmap(ioas, middle, piece) == piece);
		CHECK(check_refs(context, memory.va() + piece, piece, 0) == ok);
		CHECK(context.try_map(ioas, memory.va(), piece, middle) == ok);
		CHECK(access.try_pin(middle, piece) == ok);
	}

	static constexpr std::uint64_t middle = area_iova + piece;
	UnmapTimeout timeout;
	Context context;
	Memory memory{3 * piece};
	std::uint32_t ioas;
	Access access;
	std::uint32_t item;
};

void wait_for_call(const Access &access)
{
	REQUIRE(wait_until([&] { return access.callbacks().calls > 0; }));
}

/*
 * Two threads that ask for the middle area, which an UNMAP has closed, again and
 * again: one copies, one pins, by turns with a part of the area before.
 */
class Refused {
    public:
	explicit Refused(const World &world) : access(world.context, world.ioas)
	{
		for (std::size_t n : {0, 1})
			threads[n] = std::jthread([this, n] {
				while (!done)
					expect_refusal(n, n == 0 ? copy() : pin());
			});
	}
	~Refused() { done = true; }

	bool await(unsigned int times) const
	{
		return wait_until(
			[&] { return refusals[0] >= times && refusals[1] >= times; });
	}
	void stop()
	{
		done = true;
		for (std::jthread &thread : threads)
			thread.join();
		CHECK(others == 0);
		/* It has nothing that it could give back. */
		CHECK(access.callbacks().calls == 0);
	}

    private:
	Errno copy() const
	{
		char byte = 0;

		return access.try_read(World::middle, &byte, 1);
	}
	Errno pin()
	{
		across = !across;
		return across ? access.try_pin(World::middle - page_size, 2 * page_size)
			      : access.try_pin(World::middle, page_size);
	}
	void expect_refusal(std::size_t n, Errno error)
	{
		if (error == Errno{EINVAL})
			refusals[n]++;
		else
			others++;
	}

	Access access;
	std::atomic<bool> done = false;
	std::atomic<unsigned int> refusals[2] = {};
	std::atomic<unsigned int> others = 0;
	bool across = false;
	/* Last: they use the rest. */
	std::jthread threads[2];
};

} // namespace

TEST_CASE("the time that UNMAP waits for drivers")
{
	CHECK(unmap_timeout() == 10000);
	{
		const UnmapTimeout timeout(shortest_ms);

		/* Refused, or taken for the least there is. */
		UnmapTimeout::set(shortest_ms - 1);
		CHECK(unmap_timeout() >= shortest_ms);
		UnmapTimeout::set(0);
		CHECK(unmap_timeout() >= shortest_ms);
	}
	CHECK(unmap_timeout() == 10000);
}

TEST_CASE("a driver that keeps its pages makes UNMAP fail with EDEADLOCK")
{
	const World world(shortest_ms);
	const Context &context = world.context;
	char byte = 0;

	CHECK(context.try_unmap(world.ioas, area_iova, 3 * piece) == Errno{EDEADLOCK});
	CHECK(world.access.callbacks().calls >= 1);
	CHECK(world.access.callbacks().iova == World::middle);
	CHECK(world.access.callbacks().length == piece);
	world.check_refused();

	SECTION("what was unmapped before stays so, the rest is as it was")
	{
		CHECK(world.access.try_read(area_iova, &byte, 1) == Errno{ENOENT});
		CHECK(world.access.try_read(World::middle + piece, &byte, 1) == ok);
		CHECK(world.access.try_pin(World::middle + piece, piece) == ok);
	}
	SECTION("the pinned page stays pinned, the IOVA taken")
	{
		CHECK(check_refs(context, world.memory.va() + piece, page_size, 1) == ok);
		CHECK(context.try_map(world.ioas, 0, page_size, World::middle) ==
		      Errno{EEXIST});
		CHECK(context.try_destroy(world.ioas) == Errno{EBUSY});
	}
	SECTION("COPY from it works on")
	{
		const std::uint32_t to = context.ioas();

		CHECK(context.try_copy(to, 0, world.ioas, World::middle, piece) == ok);
		const Access access(context, to);
		CHECK(access.try_pin(0, piece) == ok);
	}
	SECTION("it fails again as long as nothing changes")
	{
		CHECK(context.try_unmap(world.ioas, World::middle, piece) ==
		      Errno{EDEADLOCK});
		CHECK(context.try_unmap(world.ioas, 0, all_ones) == Errno{EDEADLOCK});
	}
	world.check_recovers();
}

TEST_CASE("UNMAP waits for a driver that releases its pages late")
{
	World world(endless_ms);
	const Context &context = world.context;
	Errno unmapped{-1};
	std::jthread unmapper(
		[&] { unmapped = context.try_unmap(world.ioas, area_iova, 3 * piece); });

	wait_for_call(world.access);
	/* Meanwhile the area is closed, and the rest is not locked. */
	world.check_refused();
	CHECK(context.try_map(world.ioas, world.memory.va(), page_size, 0) == ok);
	CHECK(context.unmap(world.ioas, 0, page_size) == page_size);
	CHECK(world.access.try_unpin(
		      world.access.pin(World::middle + piece, page_size)) == ok);

	SECTION("by unpinning")
	{
		CHECK(world.access.try_unpin(world.item) == ok);
	}
	SECTION("by closing the access")
	{
		world.access.close();
		CHECK(check_refs(context, world.memory, 0) == ok);
	}
	SECTION("by leaving the IOAS")
	{
		const std::uint32_t other = context.ioas();

		CHECK(world.access.try_replace(other) == ok);
	}
	unmapper.join();
	CHECK(unmapped == ok);
	CHECK(context.unmap_all(world.ioas) == 0);
}

TEST_CASE("UNMAP waits for every stubborn driver")
{
	World world(endless_ms);
	Access second(world.context, world.ioas);
	Errno unmapped{-1};

	second.set_stubborn(true);
	const std::uint32_t item = second.pin(World::middle, piece);
	std::jthread unmapper([&] {
		unmapped = world.context.try_unmap(world.ioas, World::middle, piece);
	});
	wait_for_call(world.access);
	wait_for_call(second);
	CHECK(world.access.try_unpin(world.item) == ok);
	world.check_refused();
	CHECK(second.try_unpin(item) == ok);
	unmapper.join();
	CHECK(unmapped == ok);
}

TEST_CASE("a fatal signal ends the wait of UNMAP")
{
	const World world(endless_ms);
	Child unmapper([&](const Child::Steps &) {
		return world.context.try_unmap(world.ioas, World::middle, piece).value;
	});

	wait_for_call(world.access);
	unmapper.kill();
	CHECK(unmapper.join() == deadly_signal + SIGKILL);
	world.check_refused();
	world.check_recovers();
}

TEST_CASE("an ordinary signal does not end the wait of UNMAP")
{
	World world(endless_ms);
	Child unmapper([&](const Child::Steps &) {
		signal(SIGUSR1, [](int) {});
		return world.context.try_unmap(world.ioas, World::middle, piece).value;
	});

	wait_for_call(world.access);
	REQUIRE(::kill(unmapper.pid(), SIGUSR1) == 0);
	world.check_refused();
	CHECK(world.access.try_unpin(world.item) == ok);
	CHECK(unmapper.join() == 0);
	CHECK(world.context.unmap_all(world.ioas) == 2 * piece);
}

TEST_CASE("two threads wait in UNMAP for one stubborn driver")
{
	World world(endless_ms);
	Errno errors[2];
	const auto unmap = [&](Errno &error) {
		return std::jthread([&world, &error] {
			error = world.context.try_unmap(world.ioas, World::middle, piece);
		});
	};
	std::jthread threads[] = {unmap(errors[0]), unmap(errors[1])};

	REQUIRE(wait_until([&] { return world.access.callbacks().calls >= 2; }));
	CHECK(world.access.try_unpin(world.item) == ok);
	for (std::jthread &thread : threads)
		thread.join();
	const bool first_won = errors[0] == ok;
	const Errno loser = errors[first_won ? 1 : 0];

	INFO(errors[0] << " and " << errors[1]);
	CHECK((first_won || errors[1] == ok));
	CHECK((loser == Errno{ENOENT} || loser == Errno{EBUSY}));
}

/*
 * A refusal is no event that an UNMAP waits for: it asks its drivers once, and
 * once more when something was unpinned or its time is up.
 */
TEST_CASE("who is refused does not wake an UNMAP")
{
	const World world(endless_ms);
	Errno unmapped{-1};
	std::jthread unmapper([&] {
		unmapped = world.context.try_unmap(world.ioas, World::middle, piece);
	});

	wait_for_call(world.access);
	Refused refused(world);
	CHECK(refused.await(300));
	refused.stop();
	CHECK(world.access.callbacks().calls == 1);
	CHECK(world.access.try_unpin(world.item) == ok);
	unmapper.join();
	CHECK(unmapped == ok);
}

TEST_CASE("who is refused does not keep an UNMAP from giving up")
{
	const World world(shortest_ms);
	std::atomic<bool> ended = false;
	Errno unmapped{-1};
	std::jthread unmapper([&] {
		unmapped = world.context.try_unmap(world.ioas, World::middle, piece);
		ended = true;
	});

	wait_for_call(world.access);
	Refused refused(world);
	CHECK(wait_until([&] { return ended || world.access.callbacks().calls > 2; }));
	CHECK(ended);
	refused.stop();
	unmapper.join();
	CHECK(unmapped == Errno{EDEADLOCK});
	CHECK(world.access.callbacks().calls <= 2);
	world.check_refused();
	world.check_recovers();
}

TEST_CASE("calls that a driver must not make change nothing")
{
	const Context context;
	const std::uint32_t ioas = context.ioas(), other = context.ioas();
	const Memory memory(piece);

	context.map(ioas, memory, area_iova);
	SECTION("a pin by an access that did not declare any")
	{
		const Access access(context, ioas, 0);

		CHECK(access.pin_raw(area_iova, page_size, 0) == Errno{EINVAL});
		CHECK(access.pin_raw(all_ones, 2, 0) == Errno{EINVAL});
		CHECK(check_refs(context, memory, 0) == ok);
	}
	SECTION("the test command refuses that pin by itself")
	{
		const Access access(context, ioas, 0);

		CHECK(access.try_pin(area_iova, page_size) == Errno{EOPNOTSUPP});
	}
	SECTION("an attach of what is attached")
	{
		const Access access(context, ioas);

		for (std::uint32_t id : {ioas, other, 99U})
			CHECK(access.try_attach(id) == Errno{EINVAL});
		CHECK(context.try_destroy(other) == ok);
		CHECK(access.try_pin(area_iova, piece) == ok);
	}
	SECTION("a detach of what is not attached")
	{
		const Access access = Access::extended(context, 0, access_pins);

		access.detach();
		CHECK(access.callbacks().calls == 0);
		CHECK(access.try_attach(ioas) == ok);
		CHECK(access.try_pin(area_iova, piece) == ok);
	}
}

TEST_CASE("an unpin of what is not pinned changes nothing")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Memory memory(2 * piece);
	const Access access(context, ioas), other(context, ioas);
	constexpr std::uint64_t pinned = area_iova + page_size, length = 2 * page_size;
	const auto check_pins = [&](std::uint32_t pins) {
		CHECK(check_refs(context, memory.va(), page_size, 0) == ok);
		CHECK(check_refs(context, memory.va() + page_size, length, pins) == ok);
		CHECK(check_refs(context, memory.va() + page_size + length,
				 2 * piece - page_size - length, 0) == ok);
	};

	for (std::uint64_t n = 0; n < 2; n++)
		REQUIRE(context.try_map(ioas, memory.va() + n * piece, piece,
					area_iova + n * piece) == ok);
	const std::uint32_t item = access.pin(pinned, length, 0, memory.va() + page_size);

	SECTION("by range")
	{
		struct {
			std::uint64_t iova, length;
		} const ranges[] = {
			{pinned, page_size},
			{pinned + page_size, page_size},
			{pinned, length - 1},
			{pinned, length + 1},
			{pinned - 1, length + 1},
			{pinned - page_size, page_size},
			{area_iova, 2 * piece},
			{0, page_size},
			{0, all_ones},
			{pinned, 0},
			{all_ones, 2},
		};

		for (const auto &range : ranges) {
			INFO("unpin of " << range.iova << ", " << range.length);
			access.unpin_raw(range.iova, range.length);
			check_pins(1);
		}
	}
	SECTION("by another access")
	{
		other.unpin_raw(pinned, length);
		check_pins(1);
		REQUIRE(other.try_pin(pinned, length) == ok);
		other.unpin_raw(pinned, length);
		other.unpin_raw(pinned, length);
		check_pins(1);
	}
	SECTION("once too often")
	{
		/* What is pinned twice is unpinned twice. */
		REQUIRE(access.try_pin(pinned, length) == ok);
		access.unpin_raw(pinned, length);
		check_pins(1);
		access.unpin_raw(pinned, length);
		check_pins(0);
		access.unpin_raw(pinned, length);
		check_pins(0);
		REQUIRE(other.try_pin(pinned, length) == ok);
		access.unpin_raw(pinned, length);
		check_pins(1);
		REQUIRE(context.unmap_all(ioas) == 2 * piece);
		check_pins(0);
		return;
	}
	SECTION("after it has left the IOAS")
	{
		access.detach();
		access.unpin_raw(pinned, length);
		check_pins(0);
		REQUIRE(access.try_attach(ioas) == ok);
		access.unpin_raw(pinned, length);
		return;
	}
	CHECK(access.try_unpin(item) == ok);
	check_pins(0);
	CHECK(context.unmap_all(ioas) == 2 * piece);
}

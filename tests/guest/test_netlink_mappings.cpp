// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is mapped and unmapped, as it is told to those who listen to it: who may, each way
 * in which a mapping comes and goes, and what becomes of listeners that are too slow.
 */
#include "fault.h"
#include "mock.h"
#include "netlink.h"
#include "ondemand.h"
#include "process.h"
#include "vfio.h"

#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <thread>

using namespace guest;

namespace {

constexpr std::uint8_t area_new = IOMMUKIT_NL_CMD_AREA_NEW;
constexpr std::uint8_t area_del = IOMMUKIT_NL_CMD_AREA_DEL;
constexpr const char *mappings = IOMMUKIT_NL_MCGRP_MAPPINGS;
constexpr std::uint32_t rw = IOMMUKIT_NL_AREA_READABLE | IOMMUKIT_NL_AREA_WRITEABLE;
constexpr std::uint64_t iova = 0x100000;
constexpr int large_buffer = 64 << 20;

/* What an event says of an area, and whether it came. */
struct Told {
	bool came;
	std::uint32_t ioas;
	std::uint64_t first, last;
	std::uint32_t flags;
	std::uint64_t address;

	bool operator==(const Told &) const = default;
};

std::ostream &operator<<(std::ostream &out, const Told &told)
{
	return out << (told.came ? '+' : '-') << told.ioas << std::hex << " ["
		   << told.first << ", " << told.last << "] flags " << told.flags
		   << " address " << told.address << std::dec;
}

/* Of an area that memory of this process is mapped in, for reading and writing. */
Told told(bool came, std::uint32_t ioas, std::uint64_t first, std::uint64_t length,
	  std::uint64_t address, std::uint32_t flags = rw)
{
	return {came, ioas, first, first + length - 1, flags, address};
}

struct Listener : Netlink {
	explicit Listener(int buffer = large_buffer) { listen(buffer, mappings); }

	/* All that was told by now, of which nothing is lost; it is of that context. */
	std::vector<Told> all(std::uint32_t context) const
	{
		std::vector<Told> seen;
		NetlinkMessage event;

		while (!quiet()) {
			REQUIRE(try_next(&event) == ok);
			seen.push_back(decode(event, context));
		}
		return seen;
	}
	/* The next so many, which come. */
	std::vector<Told> await(std::uint32_t context, std::size_t count) const
	{
		std::vector<Told> seen;
		NetlinkMessage event;

		while (seen.size() < count) {
			REQUIRE(try_next(&event) == ok);
			seen.push_back(decode(event, context));
		}
		CHECK(quiet());
		return seen;
	}

    private:
	static Told decode(const NetlinkMessage &event, std::uint32_t context)
	{
		REQUIRE((event.command == area_new || event.command == area_del));
		CHECK(event.u32(IOMMUKIT_NL_A_AREA_CONTEXT_ID) == context);
		CHECK(!event.has(IOMMUKIT_NL_A_AREA_COUNTERS));
		return {event.command == area_new,
			event.u32(IOMMUKIT_NL_A_AREA_IOAS_ID),
			event.u64(IOMMUKIT_NL_A_AREA_IOVA),
			event.u64(IOMMUKIT_NL_A_AREA_LAST),
			event.u32(IOMMUKIT_NL_A_AREA_FLAGS),
			event.u64(IOMMUKIT_NL_A_AREA_USER_ADDRESS)};
	}
};

using All = std::vector<Told>;

/* Somebody who listens, and an IOAS of which there is something to be told. */
struct World {
	World() : ioas(context.ioas()), id(last_context(listener)) {}

	All all() const { return listener.all(id); }

	Listener listener;
	Context context;
	std::uint32_t ioas, id;
	Memory memory{16 * page_size};
};

} // namespace

/* ---- who may listen ---- */

TEST_CASE("only who may see all of the machine listens to mappings")
{
	CHECK(in_child([] {
		      const Netlink netlink;

		      if (become_user(1000, 0))
			      return 1;
		      return netlink.try_listen(mappings) == Errno{EPERM} ? 0 : 2;
	      }) == 0);
	/* Whoever administers networks only, listens to the rest. */
	CHECK(in_child([] {
		      const Netlink netlink;

		      if (drop_capability(CAP_SYS_ADMIN))
			      return 1;
		      if (netlink.try_listen(mappings) != Errno{EPERM})
			      return 2;
		      return netlink.try_listen() == ok ? 0 : 3;
	      }) == 0);
}

TEST_CASE("mappings are not told to those who listen to the rest")
{
	Netlink other;
	const Context context;
	const Memory memory(page_size);
	const std::uint32_t ioas = context.ioas();

	other.listen();
	context.map(ioas, memory, iova);
	context.unmap_all(ioas);
	CHECK(other.quiet());
	/* Nor the other way round. */
	const World world;
	world.context.destroy(world.context.ioas());
	CHECK(world.listener.quiet());
}

/* ---- how mappings come and go ---- */

TEST_CASE("map and unmap")
{
	const World world;
	const std::uint64_t va = world.memory.va();

	world.context.map(world.ioas, world.memory, iova);
	CHECK(world.all() == All{told(true, world.ioas, iova, world.memory.size(), va)});
	CHECK(world.context.unmap(world.ioas, iova, world.memory.size()) ==
	      world.memory.size());
	CHECK(world.all() == All{told(false, world.ioas, iova, world.memory.size(), va)});
}

TEST_CASE("bytes, permissions and places are told as they are")
{
	const World world;
	const std::uint64_t va = world.memory.va();
	std::uint64_t placed = 0;

	REQUIRE(world.context.try_map(world.ioas, va + 16, 100, iova + 8,
				      map_read | map_fixed) == ok);
	REQUIRE(world.context.try_map(world.ioas, va, 1, all_ones - 1,
				      map_write | map_fixed) == ok);
	REQUIRE(world.context.try_map_auto(world.ioas, va, page_size, &placed) == ok);
	CHECK(world.all() ==
	      All{told(true, world.ioas, iova + 8, 100, va + 16,
		       IOMMUKIT_NL_AREA_READABLE),
		  told(true, world.ioas, all_ones - 1, 1, va, IOMMUKIT_NL_AREA_WRITEABLE),
		  told(true, world.ioas, placed, page_size, va)});
}

TEST_CASE("files and on-demand memory are told apart")
{
	const World world;
	const Fd file(memfd_create("mapped", MFD_CLOEXEC));
	const Memory memory(page_size, Memory::Kind::private_anonymous);

	REQUIRE(ftruncate(file.get(), 4 * page_size) == 0);
	REQUIRE(world.context.try_map_file(world.ioas, file.get(), 2 * page_size,
					   page_size, iova) == ok);
	REQUIRE(try_map_ondemand(world.context, world.ioas, memory.va(), page_size,
				 2 * iova) == ok);
	CHECK(world.all() == All{told(true, world.ioas, iova, page_size, 2 * page_size,
				      rw | IOMMUKIT_NL_AREA_FILE),
				 told(true, world.ioas, 2 * iova, page_size, memory.va(),
				      rw | IOMMUKIT_NL_AREA_ONDEMAND)});
	world.context.unmap_all(world.ioas);
	CHECK(world.all() == All{told(false, world.ioas, iova, page_size, 2 * page_size,
				      rw | IOMMUKIT_NL_AREA_FILE),
				 told(false, world.ioas, 2 * iova, page_size, memory.va(),
				      rw | IOMMUKIT_NL_AREA_ONDEMAND)});
}

TEST_CASE("a copy is told area by area")
{
	const World world;
	const std::uint32_t other = world.context.ioas();
	const std::uint64_t va = world.memory.va();

	for (std::uint64_t n = 0; n < 2; n++)
		REQUIRE(world.context.try_map(world.ioas, va + 8 * n * page_size,
					      page_size, iova + n * page_size) == ok);
	world.all();
	REQUIRE(world.context.try_copy(other, 2 * iova, world.ioas, iova + page_size / 2,
				       page_size, map_read | map_fixed) == ok);
	const std::uint64_t half = page_size / 2;
	CHECK(world.all() ==
	      All{told(true, other, 2 * iova, half, va + half, IOMMUKIT_NL_AREA_READABLE),
		  told(true, other, 2 * iova + half, half, va + 8 * page_size,
		       IOMMUKIT_NL_AREA_READABLE)});
}

TEST_CASE("unmap all, destroy and close tell of each mapping")
{
	World world;
	const std::uint64_t va = world.memory.va();
	All gone;
	const std::string way = GENERATE("unmap all", "destroy", "close");

	for (std::uint64_t n = 0; n < 16; n++) {
		const std::uint64_t at = iova + 2 * n * page_size;

		REQUIRE(world.context.try_map(world.ioas, va + n * page_size, page_size,
					      at) == ok);
		gone.push_back(
			told(false, world.ioas, at, page_size, va + n * page_size));
	}
	CHECK(world.all().size() == gone.size());
	INFO(way);
	if (way == "close")
		world.context.close();
	else if (way == "destroy")
		world.context.destroy(world.ioas);
	else
		world.context.unmap_all(world.ioas);
	CHECK(world.listener.await(world.id, gone.size()) == gone);
}

TEST_CASE("a process that is killed leaves no mapping behind that is not told")
{
	const Listener listener;
	constexpr std::uint64_t count = 5;
	const Shared<std::uint32_t> ioas;
	const Shared<std::uint64_t> address;
	Child child([&](const Child::Steps &step) -> int {
		const Context context;
		const Memory memory(count * page_size);

		*ioas = context.ioas();
		*address = memory.va();
		for (std::uint64_t n = 0; n < count; n++)
			if (context.try_map(*ioas, *address + n * page_size, page_size,
					    iova + n * page_size) != ok)
				_exit(1);
		step.meet();
		_exit(2);
	});
	All expected;

	child.await();
	const std::uint32_t id = contexts_of(listener, child.pid())[0];
	for (const bool came : {true, false})
		for (std::uint64_t n = 0; n < count; n++)
			expected.push_back(told(came, *ioas, iova + n * page_size,
						page_size, *address + n * page_size));
	child.kill();
	child.join();
	CHECK(listener.await(id, expected.size()) == expected);
}

TEST_CASE("with page tables a mapping is told when it is in all of them")
{
	const World world;
	const std::uint64_t at = aperture_first, va = world.memory.va();

	const Mock mock = make_mock(world.context, world.ioas);
	world.context.map(world.ioas, world.memory, at);
	CHECK(world.all() == All{told(true, world.ioas, at, world.memory.size(), va)});
	/* One that comes later, and goes, changes nothing. */
	const std::uint32_t hwpt = make_hwpt(world.context, mock.device, world.ioas);
	world.context.destroy(hwpt);
	CHECK(world.all().empty());
	world.context.unmap_all(world.ioas);
	CHECK(world.all() == All{told(false, world.ioas, at, world.memory.size(), va)});
}

/* Its id is the next one's as soon as it may be. */
TEST_CASE("what is told of an IOAS that ends comes before what is of the next one")
{
	constexpr std::uint64_t areas = 512;
	const World world;
	const std::uint64_t last = iova + (areas - 1) * page_size;

	for (unsigned int round = 0; round < 20; round++) {
		const std::uint32_t first = world.context.ioas();
		std::uint32_t next = 0;

		for (std::uint64_t n = 0; n < areas; n++)
			REQUIRE(world.context.try_map(first, world.memory.va(), page_size,
						      iova + n * page_size) == ok);
		std::thread end([&] { world.context.destroy(first); });
		next = world.context.ioas();
		REQUIRE(world.context.try_map(next, world.memory.va(), page_size, last) ==
			ok);
		end.join();
		world.context.destroy(next);
		std::set<std::pair<std::uint32_t, std::uint64_t>> mapped;
		for (const Told &each : world.all()) {
			const std::pair at(each.ioas, each.first);

			CHECK((each.came ? mapped.insert(at).second
					 : mapped.erase(at) == 1));
		}
		CHECK(mapped.empty());
	}
}

TEST_CASE("what is refused is not told")
{
	const World world;
	const std::uint64_t va = world.memory.va();

	world.context.map(world.ioas, world.memory, iova);
	world.all();
	CHECK(world.context.try_map(world.ioas, va, page_size, iova) == Errno{EEXIST});
	CHECK(world.context.try_map(world.ioas, va, 0, 0) == Errno{EINVAL});
	CHECK(world.context.try_unmap(world.ioas, iova, page_size) == Errno{ENOENT});
	CHECK(world.context.try_unmap(world.ioas, 2 * iova, page_size) == Errno{ENOENT});
	/* Memory that is not there is noticed when it is put into a page table. */
	make_mock(world.context, world.context.ioas());
	const std::uint32_t other = world.context.ioas();
	make_mock(world.context, other);
	const Memory hole(2 * page_size);
	hole.unmap(page_size, page_size);
	CHECK(world.context.try_map(other, hole.va(), hole.size(), aperture_first) ==
	      Errno{EFAULT});
	CHECK(world.all().empty());
}

TEST_CASE("a cut is told as one mapping that goes, and two that come")
{
	const World world;
	const std::uint64_t va = world.memory.va(), size = world.memory.size();
	std::uint64_t unmapped = 0;

	vfio_set(world.context, world.ioas);
	REQUIRE(vfio_answer(world.context, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU) == 0);
	REQUIRE(try_map_dma(world.context, va, size, iova) == ok);
	world.all();
	REQUIRE(try_unmap_dma(world.context, iova, page_size, &unmapped) == ok);
	CHECK(world.all() == All{told(false, world.ioas, iova, size, va),
				 told(true, world.ioas, iova, page_size, va),
				 told(true, world.ioas, iova + page_size,
				      size - page_size, va + page_size),
				 told(false, world.ioas, iova, page_size, va)});
}

TEST_CASE("what was told last of an IOVA is true")
{
	constexpr unsigned int workers = 4;
	const unsigned int rounds = 2000 / slowness();
	const World world;
	std::atomic<bool> over = false;
	std::vector<std::thread> threads;
	std::uint64_t events = 0, wrong = 0;
	/* Of what is mapped there; 0: nothing is */
	std::uint64_t there = 0;

	/* All want the same IOVA. */
	for (unsigned int i = 0; i < workers; i++)
		threads.emplace_back([&, i] {
			for (unsigned int n = 0; n < rounds; n++) {
				(void)world.context.try_map(
					world.ioas, world.memory.va() + i * page_size,
					page_size, iova);
				(void)world.context.try_unmap(world.ioas, iova,
							      page_size);
			}
		});
	std::thread end([&] {
		for (std::thread &thread : threads)
			thread.join();
		over = true;
	});
	while (!over || !world.listener.quiet()) {
		for (const Told &one : world.all()) {
			wrong += there != (one.came ? 0 : one.address);
			there = one.came ? one.address : 0;
			events++;
		}
	}
	end.join();
	CHECK(wrong == 0);
	CHECK(events > 0);
	/* Whoever came last may have left it there. */
	CHECK(world.context.unmap_all(world.ioas) == (there ? page_size : 0));
}

/* ---- listeners that are too slow ---- */

namespace {

/* So many events: the half of them of mappings that come. */
void tell(const Context &context, std::uint32_t ioas, const Memory &memory,
	  unsigned int events)
{
	for (unsigned int n = 0; n < events; n += 2) {
		if (context.try_map(ioas, memory.va(), page_size, iova) != ok ||
		    context.try_unmap(ioas, iova, page_size) != ok)
			throw std::runtime_error("cannot map what is to be told");
	}
}

struct Counted {
	std::uint64_t received = 0, losses = 0;
};

/* Reads until nothing comes any more, each message by itself. */
Counted count(const Netlink &listener, const std::atomic<bool> &over)
{
	std::byte message[512];
	Counted counted;

	for (;;) {
		const bool last = over;

		if (recv(listener.fd(), message, sizeof(message), MSG_DONTWAIT) > 0)
			counted.received++;
		else if (errno == ENOBUFS)
			counted.losses++;
		else if (last)
			return counted;
	}
}

} // namespace

TEST_CASE("a hundred thousand events are received, or are told to be lost")
{
	/* So many where no checker of the kernel looks on. */
	const unsigned int events = 100'000 / slowness();
	const int buffer = GENERATE(large_buffer, 1 << 16);
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Memory memory(page_size);
	const Listener listener(buffer);
	std::atomic<bool> over = false;
	std::thread teller([&] {
		tell(context, ioas, memory, events);
		over = true;
	});
	const Counted counted = count(listener, over);

	teller.join();
	INFO("buffer " << buffer << " losses " << counted.losses);
	const std::uint64_t lost = listener.backlog().lost;
	CHECK(counted.received + lost == events);
	CHECK((lost != 0) == (counted.losses != 0));
	/* There was room for all. */
	if (buffer == large_buffer)
		CHECK(lost == 0);
}

TEST_CASE("a listener that never reads is in nobody's way")
{
	constexpr unsigned int events = 20'000;
	const World world;
	const Listener never(1 << 14);

	tell(world.context, world.ioas, world.memory, events);
	/* It has what there was room for, and one message more. */
	const Netlink::Backlog backlog = never.backlog();
	CHECK(backlog.bytes > 0);
	CHECK(backlog.bytes < backlog.room + (1 << 12));
	CHECK(backlog.lost > 0);
	CHECK(backlog.lost < events);
	/* All others have everything. */
	CHECK(world.listener.backlog().lost == 0);
	CHECK(world.all().size() == events);
	/* And as soon as it reads, it is told. */
	NetlinkMessage event;
	CHECK(never.try_next(&event) == Errno{ENOBUFS});
	while (!never.quiet())
		REQUIRE(never.try_next(&event) == ok);
	CHECK(never.backlog().bytes == 0);
	world.context.map(world.ioas, world.memory, iova);
	CHECK(never.await(world.id, 1) ==
	      All{told(true, world.ioas, iova, world.memory.size(), world.memory.va())});
}

/* ---- without memory ---- */

namespace {

/* What became of an operation, whose n-th point has failed. */
struct Failed {
	Errno error;
	bool fired;
	std::uint64_t events, losses;
};

Failed fail(const Injector &injector, const World &world, unsigned int n,
	    const std::function<Errno()> &run)
{
	NetlinkMessage event;
	Failed failed{};

	REQUIRE(injector.arm(n));
	failed.error = run();
	const Injector::Outcome outcome = injector.disarm();
	failed.fired = outcome.fired;
	while (!world.listener.quiet()) {
		const Errno error = world.listener.try_next(&event);

		if (error == ok)
			failed.events++;
		else
			failed.losses++;
	}
	return failed;
}

/* @run has that many events; @undo returns whether there was anything to undo. */
void check_each_point(const World &world, std::uint64_t events,
		      const std::function<Errno()> &run,
		      const std::function<bool()> &undo)
{
	const Injector injector(Source::core);
	std::uint64_t silent = 0;

	REQUIRE(injector);
	for (unsigned int n = 1;; n++) {
		const Failed failed = fail(injector, world, n, run);

		INFO("point " << n << ": " << failed.error);
		if (!failed.fired) {
			CHECK(failed.error == ok);
			CHECK(failed.events == events);
			CHECK(undo());
			break;
		}
		/* Either nothing has happened, or who listens knows that something has.
		 */
		if (failed.error == ok) {
			CHECK(failed.events == events - 1);
			CHECK(failed.losses == 1);
			silent++;
			CHECK(undo());
		} else {
			/* Or it has, and only the answer could not be written. */
			CHECK(failed.events == (undo() ? events : 0));
			CHECK(failed.losses == 0);
		}
		world.all();
	}
	world.all();
	/* Each of them failed once. */
	CHECK(silent == events);
}

} // namespace

TEST_CASE("fail-nth: mappings that nobody hears of")
{
	const World world;
	const bool tables = GENERATE(false, true);
	const std::uint64_t at = aperture_first;

	if (tables)
		make_mock(world.context, world.ioas);
	check_each_point(
		world, 1,
		[&] {
			return world.context.try_map(world.ioas, world.memory.va(),
						     page_size, at);
		},
		[&] { return world.context.unmap_all(world.ioas) != 0; });
}

TEST_CASE("fail-nth: unmapping that nobody hears of")
{
	const World world;
	const auto map = [&] {
		unsigned int done = 0;

		for (std::uint64_t n = 0; n < 3; n++)
			done += world.context.try_map(world.ioas, world.memory.va(),
						      page_size,
						      iova + n * page_size) == ok;
		return done == 3;
	};

	REQUIRE(map());
	world.all();
	check_each_point(
		world, 3,
		[&] { return world.context.try_unmap(world.ioas, 0, all_ones); }, map);
}

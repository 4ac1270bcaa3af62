// SPDX-License-Identifier: GPL-2.0-only
/*
 * IO page faults on on-demand mappings: what devices ask for and the kernel finds, and
 * what they are told. The answers come in their own time; each comes once.
 */
#include "fault.h"
#include "late_page.h"
#include "mock.h"
#include "modules.h"
#include "ondemand.h"
#include "threads.h"

#include <sys/mman.h>
#include <unistd.h>

#include <csignal>

using namespace guest;

namespace {

constexpr std::uint64_t iova = OndemandWorld::iova;
constexpr std::uint64_t number = 64;
constexpr std::uint32_t patience = IOMMUKIT_TEST_ONDEMAND_PATIENCE_MS;
/* Longer than any test takes: not time, but an event ends the wait. */
constexpr std::uint32_t endless_ms = 10 * 60 * 1000;
/* What the kernel has at a time for one device. */
constexpr std::uint32_t most = 1024;

struct Answers {
	std::uint32_t success = 0, invalid = 0, failure = 0;

	bool operator==(const Answers &) const = default;
};

std::ostream &operator<<(std::ostream &out, const Answers &answers)
{
	return out << answers.success << " to look again, " << answers.invalid
		   << " invalid, " << answers.failure << " failures";
}

constexpr Answers again{.success = 1}, invalid{.invalid = 1}, failure{.failure = 1};

Answers answers_of(const Context &context, const Mock &mock)
{
	const MockStats stats = mock_stats(context, mock);

	return {stats.success, stats.invalid, stats.failure};
}

/* A device, and what it waits for: the machine may be slow, so without end. */
struct World : OndemandWorld {
	explicit World(std::uint32_t wait_ms = endless_ms)
		: wait(context, patience, wait_ms)
	{
		madvise(memory.data(), memory.size(), MADV_NOHUGEPAGE);
		memory.fill(1);
		OndemandWorld::map(memory.va(), memory.size(), map_rw_fixed, iova, 0);
		mock = mock_create(context, ioas, {.flags = mock_faults});
	}

	PageRequest page(std::uint64_t n, std::uint32_t perm = fault_read) const
	{
		return {iova + n * page_size, perm, 0};
	}
	void report(const std::vector<PageRequest> &requests, std::uint32_t times = 1,
		    std::uint32_t flags = 0) const
	{
		REQUIRE(try_mock_report(context, mock, requests, times, flags) == ok);
	}
	void await(std::uint32_t pending = 0) const
	{
		REQUIRE(mock_await(context, mock, pending) == ok);
	}
	Answers answers() const { return answers_of(context, mock); }
	/* One group, and what is said to it. */
	Answers ask(const std::vector<PageRequest> &requests,
		    std::uint32_t flags = 0) const
	{
		const Answers before = answers();

		report(requests, 1, flags);
		await();
		const Answers now = answers();
		return {now.success - before.success, now.invalid - before.invalid,
			now.failure - before.failure};
	}
	bool leads(std::uint64_t n) const
	{
		return check_map(context, mock.hwpt, iova + n * page_size, page_size,
				 memory.va() + n * page_size) == ok;
	}
	std::uint64_t number_led() const
	{
		std::uint64_t led = 0;

		for (std::uint64_t n = 0; n < number; n++)
			led += leads(n);
		return led;
	}

	Trouble wait;
	Memory memory{number * page_size, Memory::Kind::private_anonymous};
	Mock mock;
};

/* Its page comes when somebody lets it; until then who waits for it waits. */
struct LateWorld : World {
	static constexpr std::uint64_t at = iova + huge_size;

	explicit LateWorld(std::uint32_t wait_ms = endless_ms) : World(wait_ms)
	{
		OndemandWorld::map(late.va(), page_size, map_rw_fixed, at, 0);
	}

	void start(std::uint32_t times = 1) const
	{
		report({{at, fault_read, 0}}, times);
		REQUIRE(late.await_touch());
	}
	Answers ask_late() const { return ask({{at, fault_read, 0}}); }
	/* Not to be asked before the page is there: to look is to wait as well. */
	bool leads_late() const
	{
		return check_map(context, mock.hwpt, at, page_size, late.va()) == ok;
	}

	LatePage late;
};

} // namespace

TEST_CASE("a group is answered when all of its pages have been looked for")
{
	const World world;

	CHECK(world.ask({world.page(3)}) == again);
	CHECK(world.leads(3));
	CHECK(world.number_led() == 1);
	/* In any order, some of them more than once, some for both. */
	CHECK(world.ask({world.page(9),
			 world.page(4, fault_write),
			 world.page(9),
			 world.page(4),
			 world.page(7, fault_read | fault_write),
			 world.page(3),
			 world.page(63),
			 world.page(9, fault_write),
			 {iova + 20 * page_size + 77, fault_read, 0}}) == again);
	for (const std::uint64_t n : {3, 4, 7, 9, 20, 63}) {
		INFO("page " << n);
		CHECK(world.leads(n));
	}
	CHECK(world.number_led() == 6);
	/* What is there is there, and may be asked for again. */
	CHECK(world.ask({world.page(9)}) == again);
	CHECK(world.number_led() == 6);
	/* Who wants nothing wants to look. */
	CHECK(world.ask({world.page(30, 0)}) == again);
	CHECK(world.leads(30));

	/* Of a group as large as there can be, and out of an interrupt. */
	std::vector<PageRequest> all;
	for (std::uint64_t n = 0; n < number; n++)
		all.push_back(world.page(n, fault_write));
	world.memory.discard(0, world.memory.size());
	CHECK(world.number_led() == 0);
	CHECK(world.ask(all, IOMMUKIT_TEST_REPORT_IRQ) == again);
	CHECK(world.number_led() == number);
}

TEST_CASE("T57: what a device may not do, and what is not there")
{
	const World world;
	const Memory other(page_size);
	const std::uint64_t read_only = iova + 2 * huge_size,
			    write_only = iova + 4 * huge_size,
			    plain = iova + 6 * huge_size,
			    plain_read = iova + 8 * huge_size,
			    gone = iova + 10 * huge_size, nothing = iova + 12 * huge_size;
	const std::uint32_t pasid = IOMMUKIT_PGFAULT_FLAGS_PASID_VALID;

	world.map(world.memory.va(), page_size, map_read | map_fixed, read_only);
	world.map(world.memory.va(), page_size, map_write | map_fixed, write_only);
	world.context.map(world.ioas, other, plain);
	world.context.map(world.ioas, other, plain_read, map_read | map_fixed);
	{
		const Memory unmapped(page_size);

		world.map(unmapped.va(), page_size, map_rw_fixed, gone);
	}
	const struct {
		const char *name;
		std::vector<PageRequest> requests;
		Answers expected;
	} table[] = {
		{"nothing mapped", {{nothing, fault_read, 0}}, invalid},
		{"the end of all addresses", {{all_ones, fault_read, 0}}, invalid},
		{"may be read", {{read_only, fault_read, 0}}, again},
		{"may only be read", {{read_only, fault_write, 0}}, invalid},
		{"... of both", {{read_only, fault_read | fault_write, 0}}, invalid},
		{"may be written", {{write_only, fault_write, 0}}, again},
		{"may only be written", {{write_only, fault_read, 0}}, invalid},
		{"execute",
		 {{iova, fault_read | IOMMUKIT_PGFAULT_PERM_EXEC, 0}},
		 invalid},
		{"privileged",
		 {{iova, fault_read | IOMMUKIT_PGFAULT_PERM_PRIV, 0}},
		 invalid},
		{"a PASID", {{iova, fault_read, pasid}}, invalid},
		{"no memory", {{gone, fault_read, 0}}, invalid},
		/* It is there: so it was not when the device looked. */
		{"not on demand", {{plain, fault_write, 0}}, again},
		{"not on demand, to be written", {{plain_read, fault_write, 0}}, invalid},
		/* One is enough, wherever it is. */
		{"the first page is bad",
		 {{nothing, fault_read, 0}, world.page(1), world.page(2)},
		 invalid},
		{"the last page is bad",
		 {world.page(3), world.page(4), {gone, fault_read, 0}},
		 invalid},
		{"two are bad",
		 {world.page(5),
		  {read_only, fault_write, 0},
		  {gone, fault_read, 0},
		  world.page(6)},
		 invalid},
	};

	for (const auto &row : table) {
		INFO(row.name);
		CHECK(world.ask(row.requests) == row.expected);
	}
	/* The others of a bad group have been found all the same. */
	for (std::uint64_t n = 1; n <= 6; n++)
		CHECK(world.leads(n));
	CHECK(!world.leads(0));
	CHECK(world.ask({world.page(0)}) == again);
}

TEST_CASE("T57: no device is attached to anything")
{
	const World world;
	const Mock other = mock_create(world.context, world.ioas, {.flags = mock_faults});

	REQUIRE(mock_detach(world.context, other) == ok);
	REQUIRE(try_mock_report(world.context, other, {world.page(0)}) == ok);
	REQUIRE(mock_await(world.context, other) == ok);
	CHECK(answers_of(world.context, other) == invalid);
	CHECK(world.ask({world.page(0)}) == again);
}

TEST_CASE("T57: the area goes while its page is looked for")
{
	const LateWorld world;

	world.start();
	CHECK(world.context.unmap(world.ioas, world.at, page_size) == page_size);
	CHECK(world.answers() == Answers{});
	world.late.release();
	world.await();
	CHECK(world.answers() == again);
	/* It looks again, and there is nothing. */
	CHECK(world.ask_late() == invalid);
}

TEST_CASE("the area goes with its memory while its page is looked for")
{
	for (const bool mapped : {true, false}) {
		DYNAMIC_SECTION((mapped ? "the memory alone" : "both"))
		{
			const LateWorld world;

			world.start();
			if (!mapped)
				CHECK(world.context.unmap(world.ioas, world.at,
							  page_size) == page_size);
			/* Whoever waits for it looks again, and it is not there. */
			world.late.page().unmap(0, page_size);
			world.late.wake();
			world.await();
			CHECK(world.answers() == (mapped ? invalid : again));
			CHECK(world.ask_late() == invalid);
		}
	}
}

TEST_CASE("a page that comes late")
{
	const LateWorld world;

	world.start();
	/* Others that the device asks for do not wait for it. */
	world.report({world.page(1)});
	world.await(1);
	CHECK(world.leads(1));
	CHECK(world.answers() == again);
	world.late.release();
	world.await();
	CHECK(world.answers() == Answers{.success = 2});
	CHECK(world.leads_late());
}

TEST_CASE("a page that comes too late")
{
	const LateWorld world(1);

	/* The device waits no more, and asks as often as it likes. */
	for (unsigned int i = 0; i < 3; i++) {
		CHECK(world.ask_late() == again);
		CHECK(query(world.context, world.ioas, world.at).out_present_pages == 0);
	}
	world.late.release();
	REQUIRE(wait_until([&] {
		CHECK(world.ask_late() == again);
		return world.leads_late();
	}));
	/* That is no error of the memory. */
	CHECK(query(world.context, world.ioas, world.at).out_fault_errors == 0);
}

TEST_CASE("a device is detached while it waits, and nobody waits for its page")
{
	LateWorld world;

	world.start(3);
	world.report({world.page(1), {world.at, fault_read, 0}, world.page(2)});
	REQUIRE(mock_detach(world.context, world.mock) == ok);
	CHECK(world.answers() == Answers{.invalid = 4});
	CHECK(mock_await(world.context, world.mock) == ok);
	/* All that it used can go. */
	world.context.destroy(world.mock.stdev);
	CHECK(world.context.unmap(world.ioas, world.at, page_size) == page_size);

	world.mock = mock_create(world.context, world.ioas, {.flags = mock_faults});
	CHECK(world.ask({world.page(5)}) == again);
	world.late.release();
	CHECK(world.answers() == again);
}

TEST_CASE("a context is closed while devices wait")
{
	need_late_pages();
	const NothingLeft nothing_left;
	const LatePage late;
	const Memory memory(page_size);

	for (unsigned int i = 0; i < 3; i++) {
		const Context context;
		const Trouble wait(context, patience, endless_ms);
		const std::uint32_t ioas = context.ioas();

		REQUIRE(try_map_ondemand(context, ioas, late.va(), page_size, iova) ==
			ok);
		REQUIRE(try_map_ondemand(context, ioas, memory.va(), page_size,
					 iova + huge_size) == ok);
		const Mock mock = mock_create(context, ioas, {.flags = mock_faults});
		REQUIRE(try_mock_report(context, mock,
					{{iova, fault_read, 0},
					 {iova + huge_size, fault_write, 0}},
					2) == ok);
		if (!i)
			CHECK(late.await_touch());
	}
	late.release();
}

TEST_CASE("a device is moved while it waits")
{
	const LateWorld world;
	const std::uint32_t other = world.context.ioas();
	std::uint32_t pt = other;

	REQUIRE(try_map_ondemand(world.context, other, world.memory.va(), page_size,
				 world.at) == ok);
	world.start(2);
	REQUIRE(try_mock_replace(world.context, world.mock, &pt) == ok);
	/* It is to look where it is now. */
	CHECK(world.answers() == Answers{.success = 2});
	CHECK(world.ask_late() == again);
	CHECK(check_map(world.context, pt, world.at, page_size, world.memory.va()) == ok);
	world.late.release();
	CHECK(world.answers() == Answers{.success = 3});
}

TEST_CASE("one of a group of devices waits")
{
	const LateWorld world;
	const Mock sibling =
		mock_create(world.context, world.ioas,
			    {.flags = mock_faults, .sibling = world.mock.stdev});

	world.start();
	REQUIRE(try_mock_report(world.context, sibling, {{world.at, fault_read, 0}}) ==
		ok);
	world.context.destroy(sibling.stdev);
	CHECK(world.answers() == Answers{});
	world.late.release();
	world.await();
	CHECK(world.answers() == again);
	CHECK(world.leads_late());
}

TEST_CASE("a process that has gone")
{
	const World world;
	const std::uint64_t at = iova + huge_size;
	Child owner([&](const Child::Steps &step) {
		const Memory memory(page_size, Memory::Kind::private_anonymous);

		if (try_map_ondemand(world.context, world.ioas, memory.va(), page_size,
				     at) != ok)
			return 1;
		step.meet();
		return 0;
	});

	owner.await();
	CHECK(world.ask({{at, fault_write, 0}}) == again);
	owner.resume();
	REQUIRE(owner.join() == 0);
	CHECK(world.ask({{at, fault_read, 0}}) == invalid);
}

TEST_CASE("a process is killed while a device waits for its page")
{
	need_late_pages();
	const World world;
	const std::uint64_t at = iova + huge_size;
	Child owner([&](const Child::Steps &step) {
		const LatePage late;

		if (try_map_ondemand(world.context, world.ioas, late.va(), page_size,
				     at) != ok)
			return 1;
		step.meet();
		if (!late.await_touch())
			return 2;
		step.meet();
		return 3;
	});

	owner.await();
	world.report({{at, fault_read, 0}});
	owner.resume();
	owner.await();
	owner.kill();
	CHECK(owner.join() == deadly_signal + SIGKILL);
	world.await();
	/* The end of the userfaultfd may let a last page through. */
	const Answers answers = world.answers();
	CHECK((answers == again || answers == invalid));
	/* Its memory may last a moment longer than it does. */
	REQUIRE(wait_until([&] { return world.ask({{at, fault_read, 0}}) == invalid; }));
}

TEST_CASE("nested HWPTs")
{
	const World world;
	const FaultQueue queue = make_fault_queue(world.context);
	const std::uint32_t parent =
		make_hwpt(world.context, world.mock.device, world.ioas, hwpt_parent);
	const std::uint32_t plain = make_nested(world.context, world.mock.device, parent);
	const std::uint32_t queued =
		make_nested(world.context, world.mock.device, parent, queue.id);
	const auto leads = [&](std::uint64_t n) {
		return check_map(world.context, parent, iova + n * page_size, page_size,
				 world.memory.va() + n * page_size) == ok;
	};
	const auto move = [&](std::uint32_t to) {
		REQUIRE(try_mock_replace(world.context, world.mock, &to) == ok);
	};

	/* Without a queue they go into the parent. */
	move(plain);
	CHECK(world.ask({world.page(2)}) == again);
	CHECK(leads(2));
	CHECK(world.ask({{iova + huge_size, fault_read, 0}}) == invalid);

	/* With one they are user space's. */
	move(queued);
	world.report({world.page(3)});
	const auto faults = read_faults(queue);
	REQUIRE(faults.size() == 1);
	CHECK(faults[0].addr == iova + 3 * page_size);
	CHECK(!leads(3));
	world.report({world.page(4)});
	const Answers before = world.answers();
	move(plain);
	CHECK(world.answers().invalid == before.invalid + 2);
	CHECK(answer(queue, faults[0].cookie) == -EINVAL);
	CHECK(read_faults(queue).empty());
	CHECK(world.ask({world.page(3)}) == again);
	CHECK(leads(3));
	move(parent);
	CHECK(world.ask({world.page(4)}) == again);
	CHECK(leads(4));
}

TEST_CASE("memory that changes all the time")
{
	const World world;

	{
		const Trouble retries(world.context, IOMMUKIT_TEST_ONDEMAND_RETRIES, 20);

		CHECK(world.ask({world.page(3)}) == again);
	}
	CHECK(world.leads(3));
	CHECK(world.stats().out_retries == 20);
	{
		const Trouble wait(world.context, patience, 1);
		const Trouble retries(world.context, IOMMUKIT_TEST_ONDEMAND_RETRIES,
				      INT32_MAX);

		CHECK(world.ask({world.page(4)}) == again);
		CHECK(world.stats().out_retries > 20);
	}
	CHECK(!world.leads(4));
	CHECK(world.stats().out_fault_errors == 0);
	REQUIRE(wait_until([&] {
		CHECK(world.ask({world.page(4)}) == again);
		return world.leads(4);
	}));
}

TEST_CASE("a device that gets nothing for want of memory, again and again")
{
	const World world;
	const auto starve = [&](std::uint32_t times) {
		for (std::uint32_t i = 0; i < times; i++) {
			const Trouble nomem(world.context, IOMMUKIT_TEST_ONDEMAND_NOMEM,
					    1);

			CHECK(world.ask({world.page(i)}) == again);
			CHECK(!world.leads(i));
		}
	};

	starve(3);
	{
		const Trouble nomem(world.context, IOMMUKIT_TEST_ONDEMAND_NOMEM, 2);

		CHECK(world.ask({world.page(3)}) == invalid);
		CHECK(world.ask({world.page(3)}) == invalid);
	}
	/* Anything else ends the row. */
	CHECK(world.ask({world.page(10)}) == again);
	starve(3);
	CHECK(world.ask({{iova + huge_size, fault_read, 0}}) == invalid);
	starve(3);
	CHECK(world.ask({world.page(0)}) == again);
	CHECK(world.leads(0));
}

TEST_CASE("an IO page table that keeps pages")
{
	const World world;
	const std::uint64_t nothing = iova + huge_size;

	CHECK(world.ask({world.page(3, fault_write)}) == again);
	{
		const UnmapHow how(world.context, IOMMUKIT_TEST_UNMAP_NOTHING);

		world.memory.discard(3 * page_size, page_size);
	}
	/* Whatever it asks for. */
	CHECK(world.ask({world.page(4)}) == failure);
	CHECK(world.ask({{nothing, fault_read, 0}, world.page(4)}) == failure);
}

TEST_CASE("more than the kernel has at a time")
{
	const LateWorld world;

	world.start(2000);
	/* Those that were not taken are to be asked again at once. */
	CHECK(mock_stats(world.context, world.mock).again == 2000 - most);
	CHECK(world.answers() == Answers{.success = 2000 - most});
	/* A group is taken as a whole or not. */
	CHECK(try_mock_report(world.context, world.mock,
			      {world.page(1), world.page(2)}) == ok);
	CHECK(mock_stats(world.context, world.mock).again == 2001 - most);
	CHECK(!world.leads(1));
	/* It is a matter of this device only. */
	const Mock other = mock_create(world.context, world.ioas, {.flags = mock_faults});
	REQUIRE(try_mock_report(world.context, other, {world.page(1)}) == ok);
	CHECK(mock_await(world.context, other) == ok);
	CHECK(check_map(world.context, other.hwpt, iova + page_size, page_size,
			world.memory.va() + page_size) == ok);
	world.late.release();
	world.await();
	CHECK(world.answers() == Answers{.success = 2001});
	/* All ask for the same: the page was looked for once. */
	CHECK(query(world.context, world.ioas, world.at).out_userfault_waits == 1);
	CHECK(world.leads_late());
	world.report({world.page(1), world.page(2)});
	world.await();
	CHECK(world.leads(1));
}

TEST_CASE("pages of many places that do not come keep nobody else waiting")
{
	need_late_pages();
	constexpr std::uint64_t places = 64;
	const World world;
	const Memory memory(places * huge_size, Memory::Kind::private_anonymous);
	const Userfault faults;

	faults.watch(memory.va(), memory.size(), UFFDIO_REGISTER_MODE_MISSING);
	world.map(memory.va(), memory.size(), map_rw_fixed, iova + huge_size, 0);
	const Mock other = mock_create(world.context, world.ioas, {.flags = mock_faults});
	for (std::uint64_t n = 1; n <= places; n++)
		REQUIRE(try_mock_report(world.context, other,
					{{iova + n * huge_size, fault_read, 0}}) == ok);
	CHECK(faults.await_touch());
	CHECK(world.ask({world.page(3)}) == again);
	CHECK(world.leads(3));
	CHECK(answers_of(world.context, other) == Answers{});
	REQUIRE(mock_detach(world.context, other) == ok);
	CHECK(answers_of(world.context, other) == Answers{.invalid = places});
}

TEST_CASE("modules are unloaded while a page is on its way to nobody")
{
	need_late_pages();
	const Modules modules;
	const LatePage late;

	{
		const Context context;
		const std::uint32_t ioas = context.ioas();

		REQUIRE(try_map_ondemand(context, ioas, late.va(), page_size, iova) ==
			ok);
		const Mock mock = mock_create(context, ioas, {.flags = mock_faults});
		REQUIRE(try_mock_report(context, mock, {{iova, fault_read, 0}}, 10) ==
			ok);
		CHECK(late.await_touch());
	}
	modules.unload_all();
	CHECK(loaded().empty());
}

TEST_CASE("devices ask, move and go while mappings and memory do")
{
	const World world;
	const Clock clock;
	const std::uint32_t other = world.context.ioas();
	Verdict verdict;
	Threads threads;
	std::atomic<std::uint32_t> reports = 0;

	REQUIRE(world.context.try_copy(other, iova, world.ioas, iova,
				       world.memory.size()) == ok);
	threads.start(2, [&](std::size_t, auto &random) {
		while (!clock.over()) {
			std::vector<PageRequest> requests;

			for (std::uint64_t n = 0; n < 1 + random() % 8; n++)
				requests.push_back(world.page(random() % number,
							      random() % 2 ? fault_write
									   : fault_read));
			verdict.expect(
				"report",
				try_mock_report(world.context, world.mock, requests, 1,
						random() % 2 ? IOMMUKIT_TEST_REPORT_IRQ
							     : 0),
				{0});
			reports++;
		}
	});
	threads.start(1, [&](std::size_t, auto &) {
		for (unsigned int i = 0; !clock.over(); i++) {
			std::uint32_t pt = i % 2 ? world.ioas : other;

			verdict.expect("replace",
				       try_mock_replace(world.context, world.mock, &pt),
				       {0});
		}
	});
	threads.start(1, [&](std::size_t, auto &) {
		while (!clock.over()) {
			verdict.expect("unmap",
				       world.context.try_unmap(world.ioas, iova,
							       world.memory.size()),
				       {0});
			verdict.expect("map",
				       try_map_ondemand(world.context, world.ioas,
							world.memory.va(),
							world.memory.size(), iova),
				       {0});
		}
	});
	threads.start(1, [&](std::size_t, auto &random) {
		while (!clock.over())
			world.memory.discard(random() % number * page_size, page_size);
	});
	threads.join();
	verdict.check();
	world.await();
	const Answers answers = world.answers();
	CHECK(answers.failure == 0);
	CHECK(answers.success + answers.invalid == reports);
	CHECK(answers.success > 0);
	REQUIRE(mock_detach(world.context, world.mock) == ok);
	CHECK(world.answers() == answers);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * HWPTs with on-demand mappings: devices that come and go, and what they ask for, failed
 * at each of its points in turn; see fault.h.
 */
#include "fault_world.h"
#include "mock.h"
#include "ondemand.h"

#include <sys/mman.h>

#include <cstring>

using namespace guest;

namespace {

/* Beside what else there is. */
constexpr std::uint64_t od_iova = FaultWorld::iova + huge_size;
constexpr std::uint64_t od_pages = 8;
constexpr std::uint64_t od_size = od_pages * page_size;

/* Two on-demand mappings of the same memory in the first IOAS, one in the second. */
class HwptFaults : public FaultWorld {
    public:
	HwptFaults()
	{
		madvise(od_memory.data(), od_size, MADV_NOHUGEPAGE);
		od_memory.fill(5);
		map(first, od_iova);
		map(first, od_iova + huge_size);
		map(second, od_iova);
		for (std::uint64_t n = 0; n < 3; n++)
			observe("mapping on demand", [this, n] {
				Stats stats;

				return try_query(context, first, od_iova + n * huge_size,
						 &stats) == ok;
			});
	}

	void map(std::uint32_t ioas, std::uint64_t at) const
	{
		REQUIRE(try_map_ondemand(context, ioas, od_memory.va(), od_size, at) ==
			ok);
	}
	/* Nothing is known of its pages any more. */
	void renew() const
	{
		REQUIRE(context.unmap(first, od_iova, od_size) == od_size);
		map(first, od_iova);
	}
	Errno fault(const Mock &mock, bool write) const
	{
		return try_mock_fault(context, mock, od_iova, od_size, write);
	}
	bool leads(const Mock &mock) const
	{
		return check_map(context, mock.hwpt, od_iova, od_size, od_memory.va()) ==
		       ok;
	}
	Errno try_create(std::uint32_t pt, Mock *mock) const
	{
		return try_mock_create(context, pt, {.flags = mock_faults}, mock);
	}

	Memory od_memory{od_size, Memory::Kind::private_anonymous};
};

/*
 * What is short of memory tries again, and may well succeed. So no sweep: it has all, or
 * it is ENOMEM and nothing is in the way of another attempt.
 */
void sweep_fault(const HwptFaults &world, const Mock &mock, Source source, bool write,
		 const std::function<void()> &prepare)
{
	const Injector injector(source);
	const unsigned int stride = source == Source::kernel ? slowness() : 1;
	unsigned int failed = 0;

	if (!injector)
		return;
	for (unsigned int n = 1 + seed() % stride; n < 1000; n += stride) {
		prepare();
		REQUIRE(injector.arm(n));
		const Errno error = world.fault(mock, write);
		const Injector::Outcome outcome = injector.disarm();

		INFO("point " << n << ' ' << outcome.where);
		if (!outcome.fired)
			REQUIRE(error == ok);
		if (error == ok)
			REQUIRE(world.leads(mock));
		else
			failed++;
		INFO(error);
		if (error == Errno{EFAULT})
			REQUIRE(source == Source::kernel);
		else if (error != ok && error != Errno{ENOMEM})
			REQUIRE(error == outcome.error);
		REQUIRE(world.fault(mock, write) == ok);
		REQUIRE(world.leads(mock));
		if (!outcome.fired) {
			if (source == Source::core)
				REQUIRE(failed > 0);
			return;
		}
	}
	FAIL("no end");
}

/* A group that could not be taken is to be asked for again; it is answered, too. */
void sweep_report(const HwptFaults &world, const Mock &mock, Source source)
{
	const std::vector<PageRequest> requests = {{od_iova, fault_write, 0},
						   {od_iova + page_size, fault_read, 0}};
	const Injector injector(source);
	unsigned int untaken = 0;

	if (!injector)
		return;
	const auto answers = [&] { return mock_stats(world.context, mock); };
	const auto report = [&] {
		return try_mock_report(world.context, mock, requests);
	};
	const auto leads = [&] {
		return check_map(world.context, mock.hwpt, od_iova, 2 * page_size,
				 world.od_memory.va()) == ok;
	};
	for (unsigned int n = 1; n < 100; n++) {
		world.renew();
		const MockStats before = answers();
		REQUIRE(injector.arm(n));
		const Errno error = report();
		const Injector::Outcome outcome = injector.disarm();

		INFO("point " << n << ' ' << outcome.where);
		REQUIRE(mock_await(world.context, mock) == ok);
		if (!outcome.fired)
			REQUIRE(error == ok);
		else if (error != ok)
			REQUIRE((error == Errno{ENOENT} || error == Errno{ENOMEM} ||
				 error == Errno{EFAULT}));
		const MockStats now = answers();
		REQUIRE(now.success == before.success + (error == ok));
		REQUIRE(now.invalid == before.invalid);
		if (error == ok && !leads())
			untaken++;
		REQUIRE(report() == ok);
		REQUIRE(mock_await(world.context, mock) == ok);
		REQUIRE(leads());
		if (!outcome.fired) {
			if (source == Source::core)
				REQUIRE(untaken > 0);
			return;
		}
	}
	FAIL("no end");
}

} // namespace

TEST_CASE("fail-nth: MOCK_CREATE on an IOAS with on-demand mappings")
{
	const HwptFaults world;
	Mock mock;

	world.sweep({"MOCK_CREATE on demand",
		     10,
		     [&] { return world.try_create(world.first, &mock); },
		     [&] { world.context.destroy(mock.stdev); },
		     {ENOENT, ENOMEM, EINTR, EINVAL, EFAULT}});
}

TEST_CASE("fail-nth: HWPT_ALLOC and REPLACE with on-demand mappings")
{
	HwptFaults world;
	Mock mock;
	std::uint32_t hwpt = 0;

	REQUIRE(world.try_create(world.second, &mock) == ok);
	for (const std::uint32_t flags : {0U, hwpt_dirty})
		world.sweep({"HWPT_ALLOC on demand",
			     10,
			     [&] {
				     return try_hwpt(world.context, mock.device,
						     world.first, &hwpt, flags);
			     },
			     [&] { world.context.destroy(hwpt); },
			     {ENOENT, ENOMEM, EINTR, EINVAL},
			     false,
			     false,
			     {},
			     true});
	std::uint32_t pt = 0;
	const auto replace = [&](std::uint32_t to) {
		pt = to;
		return try_mock_replace(world.context, mock, &pt);
	};
	/* Only while it is being moved is what is not there no error. */
	world.observe("answers to a fault on nothing", [&] {
		const std::uint32_t before = mock_stats(world.context, mock).invalid;

		REQUIRE(try_mock_report(world.context, mock,
					{{od_iova + 16 * huge_size, fault_read, 0}}) ==
			ok);
		REQUIRE(mock_await(world.context, mock) == ok);
		return mock_stats(world.context, mock).invalid - before;
	});
	world.sweep({"REPLACE on demand",
		     10,
		     [&] { return replace(world.first); },
		     [&] { REQUIRE(replace(world.second) == ok); },
		     {ENOENT, ENOMEM, EINTR, EINVAL},
		     true});
}

TEST_CASE("fail-nth: MAP_ONDEMAND, COPY and UNMAP with a HWPT")
{
	const HwptFaults world;
	const std::uint64_t at = od_iova + 2 * huge_size;
	Mock mock;

	REQUIRE(world.try_create(world.first, &mock) == ok);
	const auto unmap = [&] {
		const Errno error = world.context.try_unmap(world.first, at, od_size);

		REQUIRE((error == ok || error == Errno{ENOENT}));
	};
	world.sweep({"MAP_ONDEMAND with a HWPT",
		     4,
		     [&] {
			     return try_map_ondemand(world.context, world.first,
						     world.od_memory.va(), od_size, at);
		     },
		     unmap,
		     {ENOENT, ENOMEM, EINTR},
		     true});
	world.sweep({"COPY on demand with a HWPT",
		     4,
		     [&] {
			     return world.context.try_copy(world.first, at, world.second,
							   od_iova, od_size);
		     },
		     unmap,
		     {ENOENT, ENOMEM},
		     true});
	const auto map = [&] {
		world.map(world.first, at);
		REQUIRE(try_mock_fault(world.context, mock, at, od_size, true) == ok);
	};
	map();
	world.sweep({"UNMAP on demand with a HWPT",
		     1,
		     [&] { return world.context.try_unmap(world.first, at, od_size); },
		     map,
		     {ENOENT},
		     true});
}

TEST_CASE("fail-nth: what a device asks for")
{
	const HwptFaults world;
	Mock mock;

	REQUIRE(world.try_create(world.first, &mock) == ok);
	for (const Source source : {Source::core, Source::kernel})
		for (const bool write : {false, true}) {
			INFO("kernel: " << (source == Source::kernel)
					<< ", write: " << write);
			/* Nothing is known; then, it is but not in the HWPT. */
			sweep_fault(world, mock, source, write, [&] { world.renew(); });
			sweep_fault(world, mock, source, write, [&] {
				world.renew();
				REQUIRE(try_prefetch(world.context, world.first, od_iova,
						     od_size, prefetch_write) == ok);
			});
			/* Only to be read. */
			sweep_fault(world, mock, source, write, [&] {
				world.renew();
				REQUIRE(world.fault(mock, false) == ok);
				if (!write)
					world.od_memory.discard(0, page_size);
			});
		}
}

TEST_CASE("fail-nth: what a device asks for, and does not wait for")
{
	const HwptFaults world;
	Mock mock;

	REQUIRE(world.try_create(world.first, &mock) == ok);
	for (const Source source : {Source::core, Source::kernel})
		sweep_report(world, mock, source);
}

TEST_CASE("fail-nth: a device that goes, with pages on demand")
{
	const HwptFaults world;
	Mock mock;
	const auto create = [&] {
		REQUIRE(world.try_create(world.first, &mock) == ok);
		REQUIRE(world.fault(mock, true) == ok);
	};

	create();
	world.sweep({"DESTROY on demand",
		     0,
		     [&] { return world.context.try_destroy(mock.stdev); },
		     create,
		     {ENOENT}});
}

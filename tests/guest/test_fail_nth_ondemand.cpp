// SPDX-License-Identifier: GPL-2.0-only
/*
 * On-demand mappings: every command, and every way to their pages, failed at each of
 * its points in turn; see fault.h.
 */
#include "fault_world.h"
#include "ondemand.h"
#include "process.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <string_view>

using namespace guest;

namespace {

/* Beside what else there is: aligned, and with a hole before it. */
constexpr std::uint64_t od_iova = FaultWorld::iova + huge_size;
constexpr std::uint64_t od_pages = 8;
constexpr std::uint64_t od_size = od_pages * page_size;

/*
 * An on-demand mapping that is made anew before each attempt, so that there are no
 * tables yet. What was found is no state: it may go at any time.
 */
class OndemandFaults : public FaultWorld {
    public:
	OndemandFaults() : access(context, first)
	{
		madvise(od_memory.data(), od_size, MADV_NOHUGEPAGE);
		refill();
		map_od();
		observe("on demand", [this] { return content(); });
		observe("pins on demand", [this] { return stat(&Stats::out_pins_live); });
	}

	Errno try_map_od() const
	{
		return try_map_ondemand(context, first, od_memory.va(), od_size, od_iova);
	}
	void map_od() const { REQUIRE(try_map_od() == ok); }
	void unmap_od() const
	{
		REQUIRE(context.unmap(first, od_iova, od_size) == od_size);
	}
	/* What an answer that could not be written has left, or not. */
	void unmap_if_there(std::uint32_t ioas, std::uint64_t at) const
	{
		const Errno error = context.try_unmap(ioas, at, od_size);

		REQUIRE((error == ok || error == Errno{ENOENT}));
	}
	/* All as in the beginning, as far as the mapping goes. */
	void renew() const
	{
		unmap_od();
		refill();
		map_od();
	}
	void refill() const { od_memory.fill(5); }

	Memory od_memory{od_size, Memory::Kind::private_anonymous};
	Access access;
	mutable std::uint32_t item = no_item;

    private:
	/* By the caller's own page table, which leaves no traces. */
	std::uint64_t content() const
	{
		std::vector<char> buffer(od_size);
		const Errno error = access.try_read(od_iova, buffer.data(), od_size);

		if (error != ok)
			return static_cast<std::uint64_t>(error.value);
		return std::hash<std::string_view>{}({buffer.data(), buffer.size()});
	}
	std::uint64_t stat(decltype(Stats::out_pins_live) Stats::*which) const
	{
		Stats stats;

		return try_query(context, first, od_iova, &stats) == ok ? stats.*which
									: 0;
	}
};

} // namespace

TEST_CASE("fail-nth: MAP_ONDEMAND and UNMAP")
{
	const OndemandFaults world;

	world.unmap_od();
	world.sweep({"MAP_ONDEMAND",
		     3,
		     [&] { return world.try_map_od(); },
		     [&] { world.unmap_od(); },
		     {ENOENT, ENOMEM, EINTR},
		     true});
	auto anywhere = ondemand_command(world.first, world.od_memory.va(), od_size, 0);
	anywhere.flags = map_rw;
	/* Where it is, also if the answer cannot be written. */
	REQUIRE(call(world.context.fd(), IOMMUKIT_IOAS_MAP_ONDEMAND, &anywhere) == ok);
	const std::uint64_t chosen = anywhere.iova;
	world.context.unmap(world.first, chosen, od_size);
	world.sweep({"MAP_ONDEMAND anywhere",
		     3,
		     [&] {
			     return call(world.context.fd(), IOMMUKIT_IOAS_MAP_ONDEMAND,
					 &anywhere);
		     },
		     [&] { world.unmap_if_there(world.first, chosen); },
		     {ENOENT, ENOMEM, EINTR},
		     true});
	world.map_od();
	world.sweep(
		{"UNMAP on demand",
		 1,
		 [&] { return world.context.try_unmap(world.first, od_iova, od_size); },
		 [&] { world.map_od(); },
		 {ENOENT},
		 true});
	/* With pages. */
	world.sweep(
		{"UNMAP on demand with pages",
		 1,
		 [&] { return world.context.try_unmap(world.first, od_iova, od_size); },
		 [&] {
			 world.map_od();
			 REQUIRE(try_prefetch(world.context, world.first, od_iova,
					      od_size, prefetch_write) == ok);
		 },
		 {ENOENT},
		 true});
}

TEST_CASE("fail-nth: COPY of an on-demand mapping")
{
	const OndemandFaults world;
	const std::uint64_t copy = od_iova + huge_size;

	world.sweep({"COPY on demand",
		     3,
		     [&] {
			     return world.context.try_copy(world.second, copy,
							   world.first, od_iova, od_size);
		     },
		     [&] { world.unmap_if_there(world.second, copy); },
		     {ENOENT, ENOMEM},
		     true});
}

TEST_CASE("fail-nth: PREFETCH")
{
	const OndemandFaults world;

	for (const std::uint32_t flags : {0U, prefetch_write, prefetch_present}) {
		Operation operation{"PREFETCH, flags " + std::to_string(flags),
				    2,
				    [&, flags] {
					    return try_prefetch(world.context,
								world.first, od_iova,
								od_size, flags);
				    },
				    [&] { world.renew(); },
				    {ENOENT, ENOMEM}};

		operation.partial = true;
		world.sweep(operation);
	}
}

TEST_CASE("fail-nth: PREFETCH of what is not there")
{
	const OndemandFaults world;
	Operation operation{"PREFETCH that populates",
			    2,
			    [&] {
				    return try_prefetch(world.context, world.first,
							od_iova, od_size, prefetch_write);
			    },
			    [&] {
				    world.renew();
				    world.od_memory.discard(0, od_size);
			    },
			    {ENOENT, ENOMEM}};

	operation.partial = true;
	world.od_memory.discard(0, od_size);
	world.sweep(operation);
}

TEST_CASE("fail-nth: ONDEMAND_QUERY")
{
	const OndemandFaults world;
	Stats stats;

	world.sweep(
		{"ONDEMAND_QUERY",
		 1,
		 [&] { return try_query(world.context, world.first, od_iova, &stats); },
		 {},
		 {ENOENT}});
	world.sweep(
		{"ONDEMAND_QUERY of the sum",
		 1,
		 [&] { return try_query(world.context, world.first, all_ones, &stats); },
		 {},
		 {ENOENT, ENOMEM}});
}

TEST_CASE("fail-nth: rw of an on-demand mapping")
{
	OndemandFaults world;
	const Memory buffer(od_size);

	std::memset(buffer.data(), 0, od_size);
	world.observe("buffer", [&] {
		return std::hash<std::string_view>{}(
			{reinterpret_cast<const char *>(buffer.data()), buffer.size()});
	});
	for (const std::uint64_t length : {std::uint64_t(64), od_size}) {
		const std::string name = std::to_string(length) + " bytes on demand";
		Operation read{"read of " + name,
			       1,
			       [&, length] {
				       return world.access.try_read(
					       od_iova, buffer.data(), length, rw_slow);
			       },
			       [&] {
				       std::memset(buffer.data(), 0, od_size);
				       world.renew();
			       },
			       {ENOMEM}};
		Operation write{"write of " + name,
				1,
				[&, length] {
					return world.access.try_write(
						od_iova, buffer.data(), length, rw_slow);
				},
				[&] { world.renew(); },
				{ENOMEM}};

		read.partial = write.partial = true;
		world.sweep(read);
		world.sweep(write);
	}
}

TEST_CASE("fail-nth: rw of memory of another process")
{
	FaultWorld world;
	const Access access(world.context, world.first, 0);
	std::vector<std::byte> buffer(od_size);
	const Memory shared(od_size);

	shared.fill(6);
	Child owner([&](const Child::Steps &step) {
		for (;;) {
			if (try_map_ondemand(world.context, world.first, shared.va(),
					     od_size, od_iova) != ok)
				return 1;
			step.meet();
		}
		return 0;
	});
	owner.await();
	const auto renew = [&] {
		REQUIRE(world.context.unmap(world.first, od_iova, od_size) == od_size);
		owner.resume();
		owner.await();
		shared.fill(6);
	};
	Operation read{"read of another process's memory on demand",
		       1,
		       [&] { return access.try_read(od_iova, buffer.data(), od_size); },
		       renew,
		       {ENOMEM}};
	Operation write{"write of another process's memory on demand",
			1,
			[&] { return access.try_write(od_iova, buffer.data(), od_size); },
			renew,
			{ENOMEM}};

	read.partial = write.partial = true;
	world.observe("the other's memory", [&] {
		return std::hash<std::string_view>{}(
			{reinterpret_cast<const char *>(shared.data()), shared.size()});
	});
	world.sweep(read);
	world.sweep(write);
}

TEST_CASE("fail-nth: pin and unpin of an on-demand mapping")
{
	const OndemandFaults world;
	const auto pin = [&] {
		return world.access.try_pin(od_iova + page_size, 4 * page_size, pin_write,
					    0, &world.item);
	};
	const auto unpin = [&] { REQUIRE(world.access.try_unpin(world.item) == ok); };

	world.sweep({"pin on demand", 3, pin, unpin, {ENOMEM, EINVAL}});
	REQUIRE(pin() == ok);
	const std::uint32_t outer = world.item;
	world.sweep({"pin on demand inside of pins",
		     1,
		     [&] {
			     return world.access.try_pin(od_iova + 2 * page_size,
							 page_size, 0, 0, &world.item);
		     },
		     unpin,
		     {ENOMEM, EINVAL}});
	REQUIRE(world.access.try_unpin(outer) == ok);
}

TEST_CASE("fail-nth: close with on-demand mappings")
{
	const NothingLeft nothing_left;
	const Memory memory(od_size, Memory::Kind::private_anonymous);
	std::optional<Context> context;
	const auto open_and_map = [&] {
		context.emplace();
		const std::uint32_t ioas = context->ioas();
		REQUIRE(try_map_ondemand(*context, ioas, memory.va(), od_size, od_iova) ==
			ok);
		REQUIRE(try_prefetch(*context, ioas, od_iova, od_size) == ok);
	};

	open_and_map();
	sweep({"close with pages on demand",
	       0,
	       [&] {
		       context->close();
		       return ok;
	       },
	       open_and_map,
	       {}},
	      no_state);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the library makes of the state of objects, and of what is in them. That it is true
 * is the netlink tests' business; here it is that each number gets into its place.
 */
#include "access.h"
#include "administration.h"
#include "error.h"
#include "iotlb.h"
#include "ondemand.h"
#include "process.h"

#include <unistd.h>

#include <functional>
#include <thread>

using namespace guest;
using iommukit::Administration;
using iommukit::AreaFacts;
using iommukit::EntryFacts;
using iommukit::IovaRange;
using iommukit::ObjectFacts;

namespace {

/* Of the contexts of this process, that with the highest number. */
std::uint32_t newest()
{
	std::uint32_t found = 0;

	for (const auto &facts : Administration().contexts())
		if (facts.pid == static_cast<std::uint32_t>(getpid()))
			found = facts.id;
	REQUIRE(found != 0);
	return found;
}

template <class State> State state_of(std::uint32_t id)
{
	const ObjectFacts facts = Administration().object(newest(), id);

	CHECK(facts.id == id);
	return std::get<State>(facts.state);
}

ObjectFacts only_one(const char *type)
{
	std::vector<ObjectFacts> found;

	for (const ObjectFacts &facts : Administration().objects(newest()))
		if (facts.type == type)
			found.push_back(facts);
	REQUIRE(found.size() == 1);
	return found[0];
}

int refusal(const std::function<void(Administration &)> &question)
{
	Administration administration;

	try {
		question(administration);
	} catch (const iommukit::Error &error) {
		return error.number();
	}
	return 0;
}

void track_dirty(const Context &context, std::uint32_t ioas)
{
	auto cmd = command<iommukit_ioas_set_dirty_tracking>();

	cmd.ioas_id = ioas;
	cmd.flags = IOMMUKIT_IOAS_DIRTY_TRACKING_ENABLE;
	REQUIRE(call(context.fd(), IOMMUKIT_IOAS_SET_DIRTY_TRACKING, &cmd) == ok);
}

} // namespace

TEST_CASE("states have types")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Access access(context, ioas);
	const Memory memory(4 * page_size), ondemand(2 * page_size);
	const std::byte written{1};

	context.map(ioas, memory, 0x100000);
	REQUIRE(try_map_ondemand(context, ioas, ondemand.va(), ondemand.size(),
				 0x200000) == ok);
	track_dirty(context, ioas);
	REQUIRE(access.try_write(0x100000, &written, 1) == ok);
	/* A kernel thread has no other way to a page than to find it. */
	REQUIRE(access.rw_raw(0x200000, &written, 1, rw_write, From::kthread) == ok);
	const std::uint32_t item = access.pin(0x100000, page_size);

	const auto state = state_of<iommukit::IoasState>(ioas);
	CHECK(state.areas == 2);
	CHECK(state.mapped.value == 6 * page_size);
	CHECK(state.hwpts == 0);
	CHECK(state.dirty_tracking);
	CHECK(state.dirtied_pages == 2);
	CHECK(state.faults >= 1);
	CHECK(state.invalidations == 0);
	const auto used = std::get<iommukit::AccessState>(only_one("access").state);
	CHECK(used.stage == ioas);
	CHECK(used.driver == "iommukit_test");
	CHECK(used.pins == 1);
	CHECK(used.copies == 2);
	CHECK(access.try_unpin(item) == ok);
}

TEST_CASE("an IOTLB has its counters")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	iommukit_iotlb_alloc how = iotlb_alloc(ioas);
	how.num_asids = 3;
	const Iotlb iotlb(context, how);

	iotlb.update(0x1000, 0x1000, 0x5000);
	const auto state = state_of<iommukit::IotlbState>(iotlb.id());
	CHECK(state.ioas == ioas);
	CHECK(state.asids == 3);
	CHECK(state.max_entries == how.max_entries);
	CHECK(state.stats[IOMMUKIT_IOTLB_STAT_ENTRIES] == 1);
	CHECK(state.stats[IOMMUKIT_IOTLB_STAT_UPDATES] == 1);
}

TEST_CASE("areas have types")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Memory memory(4 * page_size), ondemand(2 * page_size);

	context.map(ioas, memory, 0x300000, map_fixed | IOMMUKIT_IOAS_MAP_READABLE);
	REQUIRE(try_map_ondemand(context, ioas, ondemand.va(), ondemand.size(),
				 0x200000) == ok);
	REQUIRE(try_prefetch(context, ioas, 0x200000, page_size) == ok);

	const auto areas = Administration().areas(newest(), ioas);
	REQUIRE(areas.size() == 2);
	CHECK(areas[0].context == newest());
	CHECK(areas[0].ioas == ioas);
	CHECK(areas[0].range.first.value == 0x200000);
	CHECK(areas[0].range.last.value == 0x200000 + 2 * page_size - 1);
	CHECK(areas[0].flags == (IOMMUKIT_NL_AREA_READABLE | IOMMUKIT_NL_AREA_WRITEABLE |
				 IOMMUKIT_NL_AREA_ONDEMAND));
	CHECK(areas[0].user_address == ondemand.va());
	REQUIRE(areas[0].present.has_value());
	CHECK(areas[0].present->value >= page_size);
	REQUIRE(areas[0].ondemand.has_value());
	const Stats stats = query(context, ioas, 0x200000);
	CHECK(areas[0].ondemand->counters.out_prefetch_pages == stats.out_prefetch_pages);
	CHECK(areas[0].ondemand->counters.out_present_pages == stats.out_present_pages);
	CHECK(areas[0].ondemand->counters.out_table_bytes == stats.out_table_bytes);
	CHECK(areas[1].range.first.value == 0x300000);
	CHECK(areas[1].flags == IOMMUKIT_NL_AREA_READABLE);
	CHECK(areas[1].user_address == memory.va());
	CHECK(!areas[1].present);
	CHECK(!areas[1].ondemand);

	/* A range that only touches the second, or none. */
	const IovaRange second{iommukit::Iova(0x300fff), iommukit::Iova(0x300fff)};
	const auto some = Administration().areas(newest(), ioas, second);
	REQUIRE(some.size() == 1);
	CHECK(some[0].range.first.value == 0x300000);
	const IovaRange none{iommukit::Iova(0), iommukit::Iova(0x1fffff)};
	CHECK(Administration().areas(newest(), ioas, none).empty());
}

TEST_CASE("entries have types")
{
	const Context context;
	iommukit_iotlb_alloc how = iotlb_alloc(context.ioas());
	how.num_asids = 2;
	const Iotlb iotlb(context, how);

	iotlb.update(0x1000, 0x2000, 0x5000, perm_read, IOMMUKIT_IOTLB_MSG_PINNED);
	iotlb.submit(update_of(0x8000, 0x1000, 0x9000), 1);
	const auto all = Administration().entries(newest(), iotlb.id());
	REQUIRE(all.size() == 2);
	CHECK(all[0].context == newest());
	CHECK(all[0].iotlb == iotlb.id());
	CHECK(all[0].entry.range.first.value == 0x1000);
	CHECK(all[0].entry.range.last.value == 0x2fff);
	CHECK(all[0].entry.target == 0x5000);
	CHECK(all[0].entry.permission == iommukit::Permission::read);
	CHECK((all[0].entry.flags & IOMMUKIT_IOTLB_ENTRY_PINNED) != 0);
	CHECK(all[0].entry.asid == 0);
	const auto some = Administration().entries(newest(), iotlb.id(), 1);
	REQUIRE(some.size() == 1);
	CHECK(some[0].entry.range.first.value == 0x8000);
	CHECK(some[0].entry.asid == 1);
}

/* Each is dumped once, and what was there all the time is not missed. */
TEST_CASE("a dump of areas that change all the time comes to its end")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Memory memory(page_size);
	constexpr std::uint64_t kept = 500;

	for (std::uint64_t i = 0; i < kept; i++)
		REQUIRE(context.try_map(ioas, memory.va(), page_size,
					i * 2 * page_size) == ok);
	const std::jthread changer([&](std::stop_token stop) {
		for (std::uint64_t i = 0; !stop.stop_requested(); i = (i + 1) % kept) {
			std::uint64_t iova = (i * 2 + 1) * page_size;

			if (context.try_map(ioas, memory.va(), page_size, iova) == ok)
				context.try_unmap(ioas, iova, page_size);
		}
	});
	Administration administration;
	const std::uint32_t id = newest();
	for (int round = 0; round < 5; round++) {
		std::uint64_t found = 0, last = 0;
		bool ascending = true;

		for (const AreaFacts &area : administration.areas(id, ioas)) {
			std::uint64_t iova = area.range.first.value;

			ascending &= !found || iova > last;
			last = iova;
			found += iova % (2 * page_size) == 0;
		}
		CHECK(ascending);
		CHECK(found == kept);
	}
}

TEST_CASE("what cannot be asked for is refused")
{
	const Context context;
	const std::uint32_t ioas = context.ioas();
	const Iotlb iotlb(context, ioas);
	const std::uint32_t id = newest();

	CHECK(refusal([&](auto &a) { a.object(id, 1000); }) == ENOENT);
	CHECK(refusal([&](auto &a) { a.areas(0x7ffffff0, ioas); }) == ENOENT);
	CHECK(refusal([&](auto &a) { a.areas(id, 1000); }) == ENOENT);
	CHECK(refusal([&](auto &a) { a.areas(id, iotlb.id()); }) != 0);
	CHECK(refusal([&](auto &a) { a.entries(id, ioas); }) != 0);
	/* Addresses are for administrators, sizes for anybody. */
	CHECK(in_child([&] {
		      return become_user(2007, 0)
				     ?: refusal([&](auto &a) { a.areas(id, ioas); });
	      }) == EPERM);
	CHECK(in_child([&] {
		      return become_user(2007, 0) ?: refusal([&](auto &a) {
			      a.entries(id, iotlb.id());
		      });
	      }) == EPERM);
	CHECK(in_child([&] {
		      return become_user(2007, 0)
				     ?: refusal([&](auto &a) { a.object(id, ioas); });
	      }) == 0);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What IOTLBs translate, as administrators see it by netlink: dumps of entries, while
 * nothing and while everything changes. Those that are refused: test_netlink_area.cpp.
 */
#include "fault.h"
#include "iotlb_world.h"
#include "netlink.h"

using namespace guest;

namespace {

constexpr std::uint64_t stride = 2 * page_size;

} // namespace

namespace {

struct SeenEntry {
	std::uint32_t asid;
	IotlbEntry entry;

	bool operator==(const SeenEntry &) const = default;
};

std::vector<SeenEntry> entries_in(const NetlinkAnswer &answer)
{
	std::vector<SeenEntry> found;

	INFO(answer.reason);
	REQUIRE(answer.error == 0);
	for (const NetlinkMessage &message : answer.messages)
		found.push_back({message.u32(IOMMUKIT_NL_A_ENTRY_ASID),
				 {message.u64(IOMMUKIT_NL_A_ENTRY_FIRST),
				  message.u64(IOMMUKIT_NL_A_ENTRY_LAST),
				  message.u64(IOMMUKIT_NL_A_ENTRY_TARGET),
				  message.u32(IOMMUKIT_NL_A_ENTRY_PERM),
				  message.u32(IOMMUKIT_NL_A_ENTRY_FLAGS) &
					  ~IOMMUKIT_IOTLB_ENTRY_REFERENCED}});
	return found;
}

/* As the owner sees them */
std::vector<SeenEntry> entries_of_owner(const Iotlb &iotlb, std::uint32_t asids)
{
	std::vector<SeenEntry> found;

	for (std::uint32_t asid = 0; asid < asids; asid++)
		for (const IotlbEntry &entry : iotlb.dump(asid))
			found.push_back({asid, entry});
	return found;
}

struct Entries {
	static constexpr std::uint32_t asids = 6;

	explicit Entries(std::uint64_t number)
		: world(0, [](iommukit_iotlb_alloc &cmd) { cmd.num_asids = asids; }),
		  id(last_context(netlink))
	{
		/* Some address spaces are never used. */
		for (const std::uint32_t asid : {0U, 2U, 3U})
			for (std::uint64_t i = 0; i < number; i++)
				world.iotlb.submit(update_of(i * stride, page_size,
							     IotlbWorld::target),
						   asid);
	}
	NetlinkAnswer dump_and(const std::function<void()> &change) const
	{
		bool first = true;

		return netlink.ask(entries_of(id, world.iotlb.id()), [&] {
			if (first)
				change();
			first = false;
		});
	}

	Netlink netlink;
	IotlbWorld world;
	std::uint32_t id;
};

} // namespace

TEST_CASE("entries of all kinds")
{
	const Entries entries(3);
	const Iotlb &iotlb = entries.world.iotlb;

	iotlb.submit(update_of(0x100000, 5 * page_size, 0x7000, perm_read), 5);
	IotlbMessage pinned = update_of(0x200000, page_size, 0x9000);
	pinned.flags = IOMMUKIT_IOTLB_MSG_PINNED;
	iotlb.submit(pinned, 5);
	IotlbMessage negative = update_of(0x300000, page_size, 0, 0);
	negative.flags = IOMMUKIT_IOTLB_MSG_NEGATIVE;
	iotlb.submit(negative, 5);
	const std::uint64_t last_page = all_ones - page_size + 1;
	iotlb.submit(update_of(last_page, page_size, 0x9000), 3);

	const NetlinkAnswer answer =
		entries.netlink.ask(entries_of(entries.id, iotlb.id()));
	const std::vector<SeenEntry> found = entries_in(answer);
	CHECK(!answer.interrupted);
	CHECK(found.size() == 13);
	CHECK((found == entries_of_owner(iotlb, Entries::asids)));
	for (const NetlinkMessage &message : answer.messages) {
		CHECK(message.u32(IOMMUKIT_NL_A_ENTRY_CONTEXT_ID) == entries.id);
		CHECK(message.u32(IOMMUKIT_NL_A_ENTRY_IOTLB_ID) == iotlb.id());
	}
	const std::vector<SeenEntry> five = entries_in(entries.netlink.ask(
		entries_of(entries.id, iotlb.id()).add(IOMMUKIT_NL_A_ENTRY_ASID, 5)));
	REQUIRE(five.size() == 3);
	CHECK(five[0].entry == IotlbEntry{0x100000, 0x104fff, 0x7000, perm_read, 0});
	CHECK(five[1].entry.flags == IOMMUKIT_IOTLB_ENTRY_PINNED);
	CHECK(five[2].entry.flags == IOMMUKIT_IOTLB_ENTRY_NEGATIVE);
	CHECK(five[2].entry.perm == 0);
	for (const std::uint32_t empty : {1U, 4U})
		CHECK(entries_in(entries.netlink.ask(
					 entries_of(entries.id, iotlb.id())
						 .add(IOMMUKIT_NL_A_ENTRY_ASID, empty)))
			      .empty());
}

TEST_CASE("a dump of many entries goes on where it was")
{
	const Entries entries(many() / 2);
	const NetlinkAnswer answer = entries.dump_and([] {});
	const std::vector<SeenEntry> found = entries_in(answer);

	CHECK(!answer.interrupted);
	CHECK(found.size() == 3 * (many() / 2));
	CHECK((found == entries_of_owner(entries.world.iotlb, Entries::asids)));
}

TEST_CASE("a dump under which entries come and go")
{
	const std::uint64_t each = many() / 2;
	const Entries entries(each);
	const Iotlb &iotlb = entries.world.iotlb;
	const auto dump = [&](const std::function<void()> &change) {
		const NetlinkAnswer answer = entries.dump_and(change);

		CHECK(answer.interrupted);
		CHECK(answer.error == 0);
		return answer.messages.size();
	};

	SECTION("one comes")
	{
		CHECK(dump([&] {
			      iotlb.submit(update_of(1UL << 40, page_size, 0), 3);
		      }) == 3 * each + 1);
	}
	SECTION("one goes")
	{
		CHECK(dump([&] {
			      iotlb.submit(invalidate_of((each - 1) * stride, page_size),
					   3);
		      }) == 3 * each - 1);
	}
	SECTION("one becomes shorter")
	{
		CHECK(dump([&] { iotlb.submit(invalidate_of(0, page_size / 2), 0); }) ==
		      3 * each);
	}
	SECTION("all of an address space go")
	{
		CHECK(dump([&] { iotlb.flush(0, 3); }) == 2 * each);
	}
	SECTION("the IOTLB goes")
	{
		const Iotlb other(entries.world.context, entries.world.ioas);

		for (std::uint64_t i = 0; i < each; i++)
			other.update(i * stride, page_size, IotlbWorld::target);
		bool first = true;
		const NetlinkAnswer answer =
			entries.netlink.ask(entries_of(entries.id, other.id()), [&] {
				if (first)
					entries.world.context.destroy(other.id());
				first = false;
			});
		CHECK(answer.interrupted);
		CHECK(answer.error == 0);
		CHECK(answer.messages.size() < each);
	}
}

/* ---- failures ---- */

TEST_CASE("fail-nth: ENTRY_GET")
{
	const std::size_t number = 240;
	const Entries entries(number / 3);
	NetlinkAnswer answer;

	/* Each part looks for the object again. */
	sweep(Source::core,
	      {"ENTRY_GET",
	       4,
	       [&] {
		       answer = entries.dump_and([] {});
		       /* It goes for whoever has seen some of it, or it never was. */
		       if (answer.messages.size() == number)
			       return answer.interrupted ? Errno{EIO} : ok;
		       if (!answer.messages.empty())
			       return Errno{answer.interrupted && !answer.error ? ENOENT
										: EIO};
		       CHECK(answer.reason == "the context has no such IOTLB");
		       return Errno{answer.error};
	       },
	       [] {},
	       {ENOENT}},
	      no_state);
}

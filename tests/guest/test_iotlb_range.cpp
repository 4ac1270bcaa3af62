// SPDX-License-Identifier: GPL-2.0-only
/* Ranges of an IOTLB as readers see them: what is translated, and what is missed. */
#include "iotlb_world.h"

#include <cstring>

using namespace guest;

namespace {

constexpr std::uint64_t target = IotlbWorld::target;
constexpr std::uint64_t half = 1UL << 63;
constexpr Look partial{.flags = translate_partial};
constexpr Look and_copy{.how = IOMMUKIT_TEST_IOTLB_AND_COPY};

std::vector<std::byte> content(std::uint64_t offset, std::uint64_t length)
{
	return pattern_of(1, offset, length);
}

} // namespace

/* ---- misses ---- */

TEST_CASE("a miss on the first, a middle and the last byte of an update")
{
	const IotlbWorld world;
	constexpr std::uint64_t first = 5 * page_size + 7, length = 100;

	for (const std::uint64_t iova : {first, first + 50, first + length - 1}) {
		INFO("byte " << iova - first);
		auto waiting =
			in_background([&] { return world.reader.translate(iova, 1); });
		const IotlbMessage miss = world.channel.next();

		CHECK(miss.op == IOMMUKIT_IOTLB_OP_MISS);
		CHECK(miss.iova == iova);
		CHECK(miss.perm == perm_read);
		world.channel.send(answer_to(miss, first, length, target));
		const Lookup found = waiting.get();
		CHECK(found.error == ok);
		CHECK(leads(found, iova, 1, target + (iova - first)));
		world.iotlb.flush();
	}
	/* The bytes beside it are no answer. */
	auto waiting = in_background([&] { return world.reader.translate(first, 1); });
	const IotlbMessage miss = world.channel.next();
	world.channel.send(answer_to(miss, first - length, length, target));
	world.channel.send(answer_to(miss, first + 1, length, target));
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_PENDING) == 1);
	CHECK_FALSE(waiting.finished());
	world.channel.send(answer_to(miss, first, 1, target));
	CHECK(waiting.get().error == ok);
}

TEST_CASE("single bytes with gaps between them")
{
	const IotlbWorld world;
	constexpr std::uint64_t first = 0x7001;

	for (std::uint64_t n = 0; n < 8; n++)
		world.iotlb.update(first + 2 * n, 1, target + n);
	const Lookup found = world.reader.translate(first, 4, perm_read, partial);
	CHECK(found.error == ok);
	CHECK(leads(found, first, 1, target));
	auto waiting = in_background([&] { return world.reader.translate(first, 3); });
	IotlbMessage miss = world.channel.next();
	CHECK(miss.iova == first + 1);
	world.channel.send(answer_to(miss, first + 1, 1, target + 0x100));
	const Lookup all = waiting.get();
	CHECK(all.error == ok);
	CHECK(all.done == 3);
	REQUIRE(all.segs.size() == 3);
	CHECK(all.segs[0].target == target);
	CHECK(all.segs[1].target == target + 0x100);
	CHECK(all.segs[2].target == target + 1);
	CHECK(all.segs[2].iova == first + 2);
	CHECK(all.segs[2].length == 1);
	CHECK(world.channel.quiet());
}

TEST_CASE("how much is needed, for who wants to know")
{
	const IotlbWorld world(IOMMUKIT_IOTLB_CHAN_LEN_HINT);
	const auto hint = [&](std::uint64_t iova, std::uint64_t length) {
		const Reader reader(world.client);

		CHECK(reader.nowait(iova, length).error == Errno{EAGAIN});
		const IotlbMessage miss = world.channel.next();
		CHECK(miss.iova == iova);
		return miss.aux;
	};

	CHECK(hint(0x1000, 1) == 1);
	CHECK(hint(0x1234, 0x10000) == 0x10000);
	/* No more than up to the next entry. */
	world.iotlb.update(0x8000, 0x1000, target);
	CHECK(hint(0x7ff0, 0x10000) == 0x10);
	CHECK(hint(0x9000, 0x10000) == 0x10000);
}

/* ---- bounds ---- */

TEST_CASE("all addresses there are")
{
	const IotlbWorld world;
	const auto check = [&](std::uint64_t iova, std::uint64_t length) {
		const Lookup found = world.reader.probe(iova, length);

		INFO(std::hex << iova << ", " << length);
		CHECK(found.error == ok);
		CHECK(leads(found, iova, length, iova));
	};

	world.iotlb.update(0, half, 0);
	world.iotlb.update(half, half, half);
	check(0, 1);
	check(half - 1, 1);
	check(half - 8, 16);
	check(all_ones, 1);
	check(all_ones - 7, 8);
	check(1, all_ones);
	CHECK(world.iotlb.holds(0));
	CHECK(world.iotlb.holds(all_ones));
	CHECK(world.iotlb.dump() ==
	      std::vector<IotlbEntry>{{0, half - 1, 0}, {half, all_ones, half}});
	world.iotlb.invalidate(half, 1);
	CHECK(world.iotlb.dump() ==
	      std::vector<IotlbEntry>{{0, half - 1, 0}, {half + 1, all_ones, half + 1}});
	CHECK(world.reader.probe(half, 1).error == Errno{EAGAIN});
	CHECK(world.reader.probe(half - 1, 2).error == Errno{EAGAIN});
	check(half - 1, 1);
	check(half + 1, 1);
	world.iotlb.invalidate(0, all_ones);
	CHECK(world.iotlb.dump() ==
	      std::vector<IotlbEntry>{{all_ones, all_ones, all_ones}});
}

TEST_CASE("the last byte")
{
	const IotlbWorld world;

	CHECK(world.iotlb.try_submit(update_of(all_ones, 2, target)) == Errno{EOVERFLOW});
	world.iotlb.update(all_ones, 1, target + 3);
	const Lookup found = world.reader.translate(all_ones, 1, perm_read, and_copy);
	CHECK(found.error == ok);
	CHECK(found.data == content(3, 1));
	auto waiting =
		in_background([&] { return world.reader.translate(all_ones - 1, 2); });
	const IotlbMessage miss = world.channel.next();
	CHECK(miss.iova == all_ones - 1);
	world.channel.send(answer_to(miss, all_ones - 1, 1, target + 2));
	CHECK(leads(waiting.get(), all_ones - 1, 2, target + 2));
	world.iotlb.invalidate(all_ones, 1);
	CHECK(world.reader.probe(all_ones, 1).error == Errno{EAGAIN});
	CHECK(world.reader.probe(all_ones - 1, 1).error == ok);
}

TEST_CASE("an INVALIDATE of nothing is of everything at 0 only")
{
	const IotlbWorld world;
	const auto fill = [&] {
		world.iotlb.update(0, page_size, target);
		world.iotlb.update(0x10000, 0x10000, target);
		world.iotlb.update(all_ones, 1, target);
	};

	fill();
	const auto before = world.iotlb.dump();
	CHECK(before.size() == 3);
	for (const std::uint64_t iova : {1UL, 0x18000UL, 0x10000UL, all_ones}) {
		CHECK(world.iotlb.try_submit(invalidate_of(iova, 0)) == Errno{EINVAL});
		CHECK(world.channel.try_send(invalidate_of(iova, 0)) == Errno{EINVAL});
	}
	CHECK(world.iotlb.dump() == before);
	CHECK(world.channel.try_send(invalidate_of(0, 0)) == ok);
	CHECK(world.iotlb.dump().empty());
	fill();
	world.iotlb.invalidate(0, 0);
	CHECK(world.iotlb.dump().empty());
	CHECK(world.reader.probe(0x18000, 1).error == Errno{EAGAIN});
	CHECK(world.client.stats().out_first == 0);
	CHECK(world.client.stats().out_last == all_ones);
}

TEST_CASE("what is outside of the aperture")
{
	const IotlbWorld world(0, [](auto &how) {
		how.iova_first = 0x10000;
		how.iova_last = 0x1ffff;
	});
	const auto clipped = update_of(0x10000, 0x10000, target);

	world.iotlb.submit(clipped);
	for (const auto &[iova, length] : {std::pair{0xffffUL, 1UL},
					   {0xffffUL, 2UL},
					   {0x20000UL, 1UL},
					   {0x1ffffUL, 2UL}}) {
		INFO(std::hex << iova << ", " << length);
		CHECK(world.reader.translate(iova, length).error == Errno{EFAULT});
		CHECK(world.reader.nowait(iova, length).error == Errno{EFAULT});
		CHECK(world.reader.probe(iova, length).error == Errno{EFAULT});
		CHECK(world.iotlb.try_submit(update_of(iova, length, target)) ==
		      Errno{ERANGE});
		CHECK(world.channel.try_send(update_of(iova, length, target)) ==
		      Errno{ERANGE});
	}
	CHECK(world.channel.quiet());
	CHECK(world.reader.translate(0x10000, 0x10000).error == ok);
	/* Of an invalidation only the rest counts. */
	world.iotlb.invalidate(0, 0x1000);
	world.iotlb.invalidate(0x20000, 0x1000);
	CHECK(world.iotlb.dump().size() == 1);
	world.iotlb.invalidate(0, 0x18000);
	CHECK(world.iotlb.dump() ==
	      std::vector<IotlbEntry>{{0x18000, 0x1ffff, target + 0x8000}});
}

TEST_CASE("lookups that make no sense")
{
	const IotlbWorld world;
	const Reader &reader = world.reader;
	const Look none{.max = 0};

	world.iotlb.update(0, all_ones, 0);
	world.iotlb.update(all_ones, 1, 0);
	const auto all = [&](std::uint64_t iova, std::uint64_t length, std::uint32_t prot,
			     int error, const Look &look = {}) {
		INFO(std::hex << iova << ", " << length << ", " << prot);
		CHECK(reader.translate(iova, length, prot, look).error == Errno{error});
		CHECK(reader.nowait(iova, length, prot, look).error == Errno{error});
		CHECK(reader.probe(iova, length, prot, look).error == Errno{error});
	};

	all(0, 0, perm_read, EINVAL);
	all(0, 1, 0, EINVAL);
	all(0, 1, 4, EINVAL);
	all(0, 1, 7, EINVAL);
	all(0, 1, perm_read, EINVAL, none);
	all(all_ones, 2, perm_read, EOVERFLOW);
	all(2, all_ones, perm_read, EOVERFLOW);
	/* Before it is looked at where it is. */
	all(all_ones, 2, perm_read, EINVAL, none);
	all(1, 1, perm_read, 0);
	CHECK(reader.try_read(all_ones, nullptr, 0) != ok);
	CHECK(world.channel.quiet());
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_CREATED) == 0);
}

TEST_CASE("more fragments than there is room for")
{
	const IotlbWorld world;
	constexpr std::uint64_t piece = 8, count = 64;

	/* In the opposite order, so that none goes on where another ends. */
	for (std::uint64_t n = 0; n < count; n++)
		world.iotlb.update(n * piece, piece, target + (count - n) * piece);
	Lookup found = world.reader.translate(0, count * piece, perm_read, {.max = 16});
	CHECK(found.error == Errno{ENOBUFS});
	CHECK(found.done == 16 * piece);
	found = world.reader.nowait(0, count * piece, perm_read, {.max = 16});
	CHECK(found.error == Errno{ENOBUFS});
	CHECK(found.done == 16 * piece);
	found = world.reader.translate(0, count * piece, perm_read,
				       {.flags = translate_partial, .max = 16});
	CHECK(found.error == ok);
	CHECK(found.done == 16 * piece);
	REQUIRE(found.segs.size() == 16);
	for (std::uint64_t n = 0; n < 16; n++) {
		CHECK(found.segs[n].iova == n * piece);
		CHECK(found.segs[n].length == piece);
		CHECK(found.segs[n].target == target + (count - n) * piece);
		CHECK(found.segs[n].perm == perm_rw);
		CHECK(found.segs[n].flags == 0);
	}
	CHECK(world.reader.translate(0, count * piece).segs.size() == count);
	/* Copies need no room. */
	std::vector<std::byte> buffer(count * piece);
	REQUIRE(world.reader.try_read(0, buffer.data(), buffer.size()) == ok);
	for (std::uint64_t n = 0; n < count; n++)
		CHECK(std::memcmp(&buffer[n * piece], world.at((count - n) * piece),
				  piece) == 0);
}

/* ---- cutting ---- */

TEST_CASE("the middle of a large entry is invalidated")
{
	const IotlbWorld world;
	constexpr std::uint64_t giga = 1UL << 30, hole = 3 * giga / 2;

	world.iotlb.update(giga, giga, 7 * giga);
	CHECK(world.reader.probe(hole, 1).error == ok);
	world.iotlb.invalidate(hole, page_size);
	CHECK(world.iotlb.dump() ==
	      std::vector<IotlbEntry>{
		      {giga, hole - 1, 7 * giga},
		      {hole + page_size, 2 * giga - 1, 7 * giga + giga / 2 + page_size},
	      });
	CHECK(leads(world.reader.probe(hole - 1, 1), hole - 1, 1, hole - 1 + 6 * giga));
	CHECK(leads(world.reader.probe(hole + page_size, 1), hole + page_size, 1,
		    hole + page_size + 6 * giga));
	for (const std::uint64_t iova : {hole, hole + page_size - 1})
		CHECK(world.reader.probe(iova, 1).error == Errno{EAGAIN});
}

TEST_CASE("an update over parts of three entries")
{
	const IotlbWorld world;

	for (std::uint64_t n = 0; n < 3; n++)
		world.iotlb.update(n * 0x1000, 0x1000, 0x10000 * (n + 1));
	world.iotlb.reset_stats();
	world.iotlb.update(0x800, 0x1900, 0x90000, perm_read);
	CHECK(world.iotlb.dump() == std::vector<IotlbEntry>{
					    {0, 0x7ff, 0x10000},
					    {0x800, 0x20ff, 0x90000, perm_read},
					    {0x2100, 0x2fff, 0x30100},
				    });
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_ENTRIES) == 3);
	CHECK(leads(world.reader.probe(0x7f0, 0x10), 0x7f0, 0x10, 0x107f0));
	CHECK(leads(world.reader.probe(0x1000, 0x1000), 0x1000, 0x1000, 0x90800));
	CHECK(leads(world.reader.probe(0x2100, 0xf00), 0x2100, 0xf00, 0x30100));
}

TEST_CASE("an update inside of an entry")
{
	const IotlbWorld world;

	world.iotlb.update(0x10000, 0x10000, 0);
	world.iotlb.update(0x14000, 0x1000, 0x777000);
	CHECK(world.iotlb.dump() == std::vector<IotlbEntry>{
					    {0x10000, 0x13fff, 0},
					    {0x14000, 0x14fff, 0x777000},
					    {0x15000, 0x1ffff, 0x5000},
				    });
	/* The same once more changes nothing. */
	const std::uint64_t epoch = world.channel.info().out_inval_seq;
	world.iotlb.update(0x14000, 0x1000, 0x777000);
	world.iotlb.update(0x14800, 0x100, 0x777800);
	CHECK(world.iotlb.dump().size() == 3);
	CHECK(world.channel.info().out_inval_seq == epoch);
}

TEST_CASE("address spaces know nothing of each other")
{
	const IotlbWorld world(0, [](auto &how) { how.num_asids = 3; });
	const IotlbClient other(world.context, world.iotlb.id(), 0, 2);
	const Reader far(other);

	world.iotlb.submit(update_of(0, page_size, target), 0);
	world.iotlb.submit(update_of(0, page_size, target + page_size), 2);
	CHECK(leads(world.reader.translate(0, 8), 0, 8, target));
	CHECK(leads(far.translate(0, 8), 0, 8, target + page_size));
	world.iotlb.flush(0, 0);
	CHECK(world.reader.probe(0, 8).error == Errno{EAGAIN});
	CHECK(leads(far.translate(0, 8), 0, 8, target + page_size));
	CHECK(world.client.stats().out_invalidates == 1);
	CHECK(other.stats().out_invalidates == 0);
	CHECK(world.iotlb.dump(2).size() == 1);
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_ENTRIES) == 1);
	/* One that was never used. */
	world.iotlb.flush(0, 1);
	CHECK(world.iotlb.dump(1).empty());
	/* Misses say where they are from. */
	CHECK(far.nowait(page_size, 1).error == Errno{EAGAIN});
	IotlbMessage miss = world.channel.next();
	CHECK(miss.asid == 2);
	miss.asid = 0;
	world.channel.send(update_of(page_size, page_size, target));
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_PENDING) == 1);
	miss.asid = 2;
	world.channel.send(answer_to(miss, page_size, page_size, target));
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_PENDING) == 0);
}

TEST_CASE("an address space that the server cannot be told of")
{
	const PlainWorld plain(2);
	const IotlbClient client(plain.context, plain.iotlb.id(), 0, 1);
	const Reader reader(client), zero(plain.client);

	for (const std::uint64_t features :
	     {std::uint64_t(0), std::uint64_t(IOMMUKIT_IOTLB_BACKEND_MSG_V2)}) {
		REQUIRE(plain.channel.try_acknowledge(features) == ok);
		CHECK(reader.translate(0, 1).error == Errno{ENOTCONN});
		CHECK(reader.nowait(0, 1).error == Errno{ENOTCONN});
	}
	CHECK(plain.channel.quiet());
	CHECK(zero.nowait(0, 1).error == Errno{EAGAIN});
	CHECK_FALSE(plain.channel.quiet());
	REQUIRE(plain.channel.try_acknowledge(IOMMUKIT_IOTLB_BACKEND_MSG_V2 |
					      IOMMUKIT_IOTLB_BACKEND_ASID) == ok);
	CHECK(reader.nowait(0, 1).error == Errno{EAGAIN});
	/* What is there needs no server. */
	plain.iotlb.submit(update_of(0, page_size, 0), 1);
	plain.iotlb.submit(update_of(page_size, 1, 0), 1);
	REQUIRE(plain.channel.try_acknowledge(0) == ok);
	CHECK(reader.translate(page_size, 1).error == ok);
}

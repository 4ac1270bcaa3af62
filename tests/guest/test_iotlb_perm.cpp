// SPDX-License-Identifier: GPL-2.0-only
/* Permissions of an IOTLB: what is enough, and what happens if it is not. */
#include "iotlb_world.h"

using namespace guest;

namespace {

constexpr std::uint64_t target = IotlbWorld::target;
constexpr std::uint64_t upgrade = IOMMUKIT_IOTLB_CHAN_UPGRADE;
constexpr std::uint64_t access_fail = IOMMUKIT_IOTLB_CHAN_ACCESS_FAIL;
constexpr std::uint16_t negative = IOMMUKIT_IOTLB_MSG_NEGATIVE;

} // namespace

TEST_CASE("every bit that is needed must be there")
{
	const IotlbWorld world;

	for (const std::uint8_t has : {perm_read, perm_write, perm_rw}) {
		world.iotlb.update(0, page_size, target, has);
		for (const std::uint8_t needs : {perm_read, perm_write, perm_rw}) {
			const Errno expected = (has & needs) == needs ? ok : Errno{EPERM};
			const Lookup found = world.reader.translate(0, 1, needs);

			INFO("has " << int(has) << ", needs " << int(needs));
			CHECK(found.error == expected);
			CHECK(world.reader.nowait(0, 1, needs).error == expected);
			CHECK(world.reader.probe(0, 1, needs).error == expected);
			if (expected == ok)
				CHECK(found.segs.at(0).perm == has);
		}
		world.iotlb.flush();
	}
	CHECK(world.channel.quiet());
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_PERM_FAILURES) >= 12);
	CHECK(world.client.stats().out_perm_failures >= 12);
}

TEST_CASE("an update that permits more needs no invalidation")
{
	const IotlbWorld world;
	const std::uint64_t word = 0x1122334455667788;

	world.iotlb.update(0, page_size, target, perm_read);
	CHECK(world.reader.try_write(0, &word, sizeof(word)) == Errno{EPERM});
	CHECK(world.channel.try_send(update_of(0, page_size, target, perm_rw)) == ok);
	CHECK(world.reader.try_write(0, &word, sizeof(word)) == ok);
	CHECK(*reinterpret_cast<std::uint64_t *>(world.at(0)) == word);
	/* Nothing was taken away, so nobody was told. */
	CHECK(world.client.stats().out_invalidates == 0);
}

TEST_CASE("only what is granted becomes writeable")
{
	const IotlbWorld world;
	const auto writeable = [&](std::uint64_t iova) {
		return world.reader.translate(iova, 1, perm_write).error == ok;
	};

	world.iotlb.update(0x10000, 0x10000, target, perm_read);
	CHECK(world.reader.translate(0x10000, 0x10000).error == ok);
	world.iotlb.update(0x14000, 0x1000, target + 0x4000, perm_rw);
	for (const std::uint64_t iova : {0x10000, 0x13fff, 0x15000, 0x1ffff})
		CHECK_FALSE(writeable(iova));
	CHECK(writeable(0x14000));
	CHECK(writeable(0x14fff));
	CHECK(leads(world.reader.translate(0x10000, 0x10000), 0x10000, 0x10000, target));
}

TEST_CASE("permission is taken away from those who use it")
{
	const IotlbWorld world;
	const Reader inside(world.client, reader_thread);

	world.iotlb.update(0x10000, 0x10000, target, perm_rw);
	REQUIRE(inside.probe(0x14000, 8, perm_write, {.how = IOMMUKIT_TEST_IOTLB_KEEP})
			.error == ok);
	auto updating = in_background([&] {
		return world.iotlb.try_submit(
			update_of(0x14000, 0x1000, target + 0x4000, perm_read));
	});
	CHECK(updating.sleeps());
	CHECK(world.client.stats().out_invalidates == 0);
	REQUIRE(inside.exit() == ok);
	CHECK(updating.get() == ok);
	CHECK(world.client.stats().out_invalidates == 1);
	CHECK(world.client.stats().out_first == 0x14000);
	CHECK(world.client.stats().out_last == 0x14fff);
	for (const Reader *reader : {&inside, &world.reader}) {
		CHECK(reader->translate(0x14000, 8, perm_write).error == Errno{EPERM});
		CHECK(reader->translate(0x14000, 8, perm_read).error == ok);
		CHECK(reader->translate(0x13ff8, 8, perm_write).error == ok);
		CHECK(reader->translate(0x15000, 8, perm_write).error == ok);
	}
}

/* ---- more than there is ---- */

TEST_CASE("too little permission is an error at once")
{
	const IotlbWorld world;

	world.iotlb.update(0, page_size, target, perm_read);
	CHECK(world.reader.translate(0, 1, perm_write).error == Errno{EPERM});
	CHECK(world.channel.quiet());
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_CREATED) == 0);
}

TEST_CASE("too little permission is asked for, if the server knows that")
{
	const IotlbWorld world(upgrade);

	world.iotlb.update(0, page_size, target, perm_read);
	CHECK(world.reader.probe(8, 1, perm_write).error != ok);
	CHECK(world.channel.quiet());
	auto waiting =
		in_background([&] { return world.reader.translate(8, 1, perm_write); });
	const IotlbMessage miss = world.channel.next();
	CHECK(miss.iova == 8);
	CHECK(miss.perm == perm_rw);
	CHECK(miss.flags == IOMMUKIT_IOTLB_MSG_UPGRADE);
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_UPGRADES) == 1);

	SECTION("and granted")
	{
		world.channel.send(answer_to(miss, 0, page_size, target, perm_rw));
		CHECK(waiting.get().error == ok);
	}
	SECTION("and not granted by the answer")
	{
		world.channel.send(answer_to(miss, 0, page_size, target, perm_read));
		CHECK(waiting.get().error == Errno{EPERM});
		CHECK(world.reader.translate(8, 1, perm_read).error == ok);
	}
	SECTION("and denied")
	{
		world.channel.send(denial_of(miss, EPERM));
		CHECK(waiting.get().error == Errno{EPERM});
	}
	SECTION("an update that is no answer does not end it")
	{
		world.channel.send(update_of(0, page_size, target, perm_read));
		CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_PENDING) == 1);
		CHECK_FALSE(waiting.finished());
		world.channel.send(update_of(0, page_size, target, perm_rw));
		CHECK(waiting.get().error == ok);
	}
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_PENDING) == 0);
}

TEST_CASE("a miss that asks for too little does for nobody else")
{
	const IotlbWorld world(upgrade);
	const Reader other(world.client);

	auto reading =
		in_background([&] { return world.reader.translate(0, 1, perm_read); });
	const IotlbMessage first = world.channel.next();
	auto writing = in_background([&] { return other.translate(4, 1, perm_write); });
	const IotlbMessage second = world.channel.next();

	CHECK(first.perm == perm_read);
	CHECK((second.perm & perm_write));
	CHECK(second.cookie != first.cookie);
	world.channel.send(answer_to(first, 0, page_size, target, perm_read));
	CHECK(reading.get().error == ok);
	CHECK_FALSE(writing.finished());
	world.channel.send(answer_to(second, 0, page_size, target, perm_rw));
	CHECK(writing.get().error == ok);
}

TEST_CASE("one message, while nobody has read it, for all that is needed")
{
	const IotlbWorld world;
	const Reader one(world.client), two(world.client);

	CHECK(one.nowait(0x100, 1, perm_read).error == Errno{EAGAIN});
	CHECK(two.nowait(0x080, 1, perm_write).error == Errno{EAGAIN});
	const IotlbMessage miss = world.channel.next();
	CHECK(miss.perm == perm_rw);
	CHECK(miss.iova == 0x80);
	CHECK(world.channel.quiet());
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_CREATED) == 1);
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_JOINED) == 1);
	world.channel.send(answer_to(miss, 0, page_size, target, perm_read));
	CHECK(one.resumed() == 1);
	CHECK(two.resumed() == 1);
	CHECK(one.nowait(0x100, 1, perm_read).error == ok);
	CHECK(two.nowait(0x080, 1, perm_write).error == Errno{EPERM});
}

/* ---- reports ---- */

TEST_CASE("too little permission is reported, if the server wants to know")
{
	const IotlbWorld world(access_fail);

	world.iotlb.update(0, 0x10000, target, perm_read);
	for (unsigned int again = 0; again < 3; again++)
		CHECK(world.reader.translate(0x2345, 1, perm_write).error ==
		      Errno{EPERM});
	const IotlbMessage event = world.channel.next();
	CHECK(event.op == IOMMUKIT_IOTLB_OP_ACCESS_FAIL);
	CHECK(event.iova == 0x2345);
	CHECK((event.perm & perm_write));
	CHECK(event.status == EPERM);
	CHECK(event.cookie == 0);
	CHECK(event.asid == 0);
	CHECK(event.epoch == world.channel.info().out_inval_seq);
	/* Once, until something has changed. */
	CHECK(world.channel.quiet());
	world.iotlb.invalidate(0x8000, 1);
	CHECK(world.reader.translate(0x2345, 1, perm_write).error == Errno{EPERM});
	CHECK(world.channel.next().op == IOMMUKIT_IOTLB_OP_ACCESS_FAIL);
	CHECK(world.channel.quiet());
	/* Nothing to do for who is just looking. */
	CHECK(world.reader.probe(0x5000, 1, perm_write).error == Errno{EPERM});
}

TEST_CASE("reports in the messages of vhost")
{
	const PlainWorld plain;
	const Reader reader(plain.client);
	auto cmd = chan_config();
	std::uint8_t bytes[72];
	std::uint64_t iova = 0;

	cmd.features = access_fail;
	REQUIRE(plain.channel.try_configure(cmd) == ok);
	plain.iotlb.update(0, page_size, target, perm_read);
	CHECK(reader.translate(5, 1, perm_write).error == Errno{EPERM});
	REQUIRE(plain.channel.try_read(bytes, sizeof(bytes)) == ok);
	std::copy_n(&bytes[8], sizeof(iova), reinterpret_cast<std::uint8_t *>(&iova));
	CHECK(bytes[0] == 1);
	CHECK(iova == 5);
	CHECK((bytes[32] & perm_write));
	CHECK(bytes[33] == IOMMUKIT_IOTLB_OP_ACCESS_FAIL);
	for (std::size_t i = 34; i < sizeof(bytes); i++)
		CHECK(bytes[i] == 0);
}

TEST_CASE("misses go before reports, of which there are so many")
{
	const IotlbWorld world(access_fail);
	const Reader other(world.client);
	unsigned int events = 0;

	world.iotlb.update(0, 0x1000000, 0, perm_read);
	for (std::uint64_t n = 0; n < 100; n++)
		CHECK(world.reader.translate(n * 0x1000, 1, perm_write).error ==
		      Errno{EPERM});
	CHECK(other.nowait(0x2000000, 1).error == Errno{EAGAIN});
	CHECK(world.channel.next().op == IOMMUKIT_IOTLB_OP_MISS);
	while (!world.channel.quiet()) {
		const IotlbMessage event = world.channel.next();

		CHECK(event.op == IOMMUKIT_IOTLB_OP_ACCESS_FAIL);
		CHECK(event.iova == events * 0x1000);
		events++;
	}
	CHECK(events == 64);
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_EVENTS_LOST) == 36);
}

/* ---- no translation ---- */

TEST_CASE("an entry that says that there is no translation")
{
	const IotlbWorld world(IOMMUKIT_IOTLB_CHAN_NEGATIVE);

	world.channel.send(update_of(page_size, page_size, 0, 0, negative));
	CHECK(world.iotlb.dump() ==
	      std::vector<IotlbEntry>{{page_size, 2 * page_size - 1, 0, 0,
				       IOMMUKIT_IOTLB_ENTRY_NEGATIVE}});
	for (const std::uint8_t needs : {perm_read, perm_write, perm_rw}) {
		CHECK(world.reader.translate(page_size, 1, needs).error == Errno{EFAULT});
		CHECK(world.reader.nowait(page_size, 1, needs).error == Errno{EFAULT});
		CHECK(world.reader.probe(page_size, 1, needs).error == Errno{EFAULT});
	}
	CHECK(world.channel.quiet());
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_NEGATIVE_HITS) >= 9);
	/* What is before it can be had. */
	world.channel.send(update_of(0, page_size, target));
	CHECK(world.reader.translate(page_size - 8, 16).error == Errno{EFAULT});
	CHECK(world.reader
		      .translate(page_size - 8, 16, perm_read,
				 {.flags = translate_partial})
		      .done == 8);

	SECTION("until an update")
	{
		world.channel.send(update_of(page_size, page_size, target));
		CHECK(world.reader.translate(page_size, 1).error == ok);
	}
	SECTION("or an invalidation")
	{
		world.channel.send(invalidate_of(page_size, page_size));
		CHECK(world.reader.nowait(page_size, 1).error == Errno{EAGAIN});
	}
	SECTION("it ends misses")
	{
		auto waiting = in_background(
			[&] { return world.reader.translate(9 * page_size, 1); });
		const IotlbMessage miss = world.channel.next();
		IotlbMessage answer = answer_to(miss, 9 * page_size, page_size, 0, 0);

		answer.flags = negative;
		world.channel.send(answer);
		CHECK(waiting.get().error == Errno{EFAULT});
	}
}

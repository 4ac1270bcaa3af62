// SPDX-License-Identifier: GPL-2.0-only
/* How the channel of an IOTLB is configured, and its batches. */
#include "access.h"
#include "iotlb_world.h"

#include <fcntl.h>
#include <sys/eventfd.h>

#include <array>

using namespace guest;

namespace {

constexpr std::uint64_t v2 = IOMMUKIT_IOTLB_BACKEND_MSG_V2;
constexpr std::uint64_t batch = IOMMUKIT_IOTLB_BACKEND_BATCH;
constexpr std::uint64_t asids = IOMMUKIT_IOTLB_BACKEND_ASID;

} // namespace

/* ---- configuration ---- */

TEST_CASE("features of the back end")
{
	PlainWorld plain;
	std::uint64_t features = 0;

	REQUIRE(call(plain.channel.fd(), IOMMUKIT_IOTLB_GET_BACKEND_FEATURES,
		     &features) == ok);
	CHECK(features == (v2 | batch | asids));
	for (unsigned int bit = 0; bit < 64; bit++) {
		if ((v2 | batch | asids) >> bit & 1)
			continue;
		CHECK(plain.channel.try_acknowledge(1UL << bit | v2) ==
		      Errno{EOPNOTSUPP});
	}
	/* Nothing of that has happened: it is still the first format. */
	std::array<std::uint8_t, 72> bytes{};
	plain.miss(0);
	REQUIRE(plain.channel.try_read(bytes.data(), bytes.size()) == ok);
	CHECK(bytes[0] == 1);
	REQUIRE(plain.channel.try_acknowledge(v2) == ok);
	plain.miss(page_size);
	REQUIRE(plain.channel.try_read(bytes.data(), bytes.size()) == ok);
	CHECK(bytes[0] == 2);
	REQUIRE(plain.channel.try_acknowledge(0) == ok);
	plain.miss(2 * page_size);
	REQUIRE(plain.channel.try_read(bytes.data(), bytes.size()) == ok);
	CHECK(bytes[0] == 1);
	CHECK(call(plain.channel.fd(), IOMMUKIT_IOTLB_SET_BACKEND_FEATURES,
		   bad_pointer()) == Errno{EFAULT});
	CHECK(call(plain.channel.fd(), IOMMUKIT_IOTLB_GET_BACKEND_FEATURES,
		   bad_pointer()) == Errno{EFAULT});
}

TEST_CASE("CHAN_CONFIG: each member that is wrong, and nothing changes")
{
	using Cmd = iommukit_iotlb_chan_config;
	const PlainWorld plain;
	const Fd event(eventfd(0, EFD_CLOEXEC)), file(open("/dev/null", O_RDWR));
	const struct {
		const char *name;
		std::function<void(Cmd &)> change;
		int error;
	} table[] = {
		{"a flag", [](Cmd &c) { c.flags = 1; }, EOPNOTSUPP},
		{"__reserved", [](Cmd &c) { c.__reserved = 1; }, EOPNOTSUPP},
		{"a format of vhost", [](Cmd &c) { c.format = 1; }, EINVAL},
		{"the other one", [](Cmd &c) { c.format = 2; }, EINVAL},
		{"an unknown format", [](Cmd &c) { c.format = 0x11; }, EINVAL},
		{"a small ring", [](Cmd &c) { c.ring_entries = 8; }, EINVAL},
		{"a large ring", [](Cmd &c) { c.ring_entries = 1 << 17; }, EINVAL},
		{"no power of two", [](Cmd &c) { c.ring_entries = 48; }, EINVAL},
		{"a ring of another format",
		 [](Cmd &c) {
			 c.format = 0;
			 c.features = 0;
		 },
		 EINVAL},
		{"epochs of another format",
		 [](Cmd &c) {
			 c.format = 0;
			 c.ring_entries = 0;
		 },
		 EINVAL},
		{"an unknown feature", [](Cmd &c) { c.features |= 1 << 6; }, EOPNOTSUPP},
		{"no descriptor", [](Cmd &c) { c.eventfd = 12345; }, EBADF},
		{"a descriptor below all", [](Cmd &c) { c.eventfd = -3; }, EBADF},
		{"not an eventfd", [&](Cmd &c) { c.eventfd = file.get(); }, EINVAL},
	};
	auto valid = chan_config();

	valid.format = IOMMUKIT_IOTLB_MSG_NATIVE;
	valid.ring_entries = 16;
	valid.eventfd = event.get();
	valid.features = IOMMUKIT_IOTLB_CHAN_EPOCH;
	for (const auto &row : table) {
		INFO(row.name);
		Cmd cmd = valid;

		row.change(cmd);
		CHECK(plain.channel.try_configure(cmd) == Errno{row.error});
		CHECK(plain.channel.info().out_format == IOMMUKIT_IOTLB_MSG_V1);
		CHECK(plain.channel.info().out_features == 0);
		CHECK(plain.channel.try_kick() == Errno{EINVAL});
	}
	CHECK(plain.channel.try_configure(valid) == ok);
	CHECK(valid.out_ring_off == IOMMUKIT_IOTLB_RING_OFF);
	CHECK(valid.out_cons_off == IOMMUKIT_IOTLB_CONS_OFF);
	CHECK(plain.channel.info().out_format == IOMMUKIT_IOTLB_MSG_NATIVE);
	CHECK(plain.channel.info().out_features == IOMMUKIT_IOTLB_CHAN_EPOCH);
	CHECK(plain.channel.try_kick() == ok);
}

TEST_CASE("CHAN_CONFIG: after the first message only the eventfd changes")
{
	PlainWorld plain;
	std::array<std::uint8_t, 72> bytes{};
	const Fd event(eventfd(0, EFD_CLOEXEC));
	auto cmd = chan_config();

	plain.channel.configure();
	plain.miss(0);
	REQUIRE(plain.channel.try_read(bytes.data(), bytes.size()) == ok);
	cmd.features = IOMMUKIT_IOTLB_CHAN_UPGRADE;
	CHECK(plain.channel.try_configure(cmd) == Errno{EBUSY});
	cmd.features = 0;
	cmd.ring_entries = 16;
	CHECK(plain.channel.try_configure(cmd) == Errno{EBUSY});
	cmd.ring_entries = 0;
	for (const int fd :
	     {event.get(), IOMMUKIT_IOTLB_EVENTFD_NONE, IOMMUKIT_IOTLB_EVENTFD_KEEP}) {
		cmd.eventfd = fd;
		CHECK(plain.channel.try_configure(cmd) == ok);
	}
	/* What is so already is no change. */
	cmd.format = IOMMUKIT_IOTLB_MSG_NATIVE;
	CHECK(plain.channel.try_configure(cmd) == ok);
}

TEST_CASE("CHAN_CONFIG: the format, too late")
{
	PlainWorld plain;
	std::array<std::uint8_t, 72> bytes{};
	auto cmd = chan_config();

	plain.miss(0);
	REQUIRE(plain.channel.try_read(bytes.data(), bytes.size()) == ok);
	cmd.format = IOMMUKIT_IOTLB_MSG_NATIVE;
	CHECK(plain.channel.try_configure(cmd) == Errno{EBUSY});
	CHECK(plain.channel.info().out_format == IOMMUKIT_IOTLB_MSG_V1);
}

TEST_CASE("CHAN_INFO")
{
	const Context context;
	auto how = iotlb_alloc(context.ioas());
	how.num_asids = 3;
	how.granule_shift = 16;
	how.max_pending = 99;
	how.iova_first = 0x1000;
	how.iova_last = 0xfffff;
	const Iotlb iotlb(context, how);
	const IotlbClient client(context, iotlb.id());
	const Reader one(client), two(client);
	IotlbMessage message;

	iotlb.channel.configure(IOMMUKIT_IOTLB_CHAN_LEN_HINT);
	CHECK(one.nowait(0x1000, 1).error == Errno{EAGAIN});
	CHECK(two.nowait(0x20000, 1).error == Errno{EAGAIN});
	REQUIRE(iotlb.channel.try_next(&message) == ok);
	iotlb.submit(update_of(0x1000, 1, 0), 2);
	iotlb.flush(0, 2);
	iotlb.flush(0, 2);
	const auto info = iotlb.channel.info(2);

	CHECK(info.asid == 2);
	CHECK(info.out_iotlb_id == iotlb.id());
	CHECK(info.out_state == IOMMUKIT_IOTLB_CHAN_STATE_OPEN);
	CHECK(info.out_pending == 2);
	CHECK(info.out_delivered == 1);
	CHECK(info.out_backlog == 1);
	CHECK(info.out_num_asids == 3);
	CHECK(info.out_granule_shift == 16);
	CHECK(info.out_max_pending == 99);
	CHECK(info.out_format == IOMMUKIT_IOTLB_MSG_NATIVE);
	CHECK(info.out_iova_first == 0x1000);
	CHECK(info.out_iova_last == 0xfffff);
	CHECK(info.out_inval_seq == iotlb.channel.info(0).out_inval_seq + 2);
	CHECK(info.out_features == IOMMUKIT_IOTLB_CHAN_LEN_HINT);
	auto cmd = command<iommukit_iotlb_chan_info>();
	cmd.asid = 3;
	CHECK(iotlb.channel.try_info(cmd) == Errno{EINVAL});
	/* Members that were left out have their defaults. */
	const Iotlb plain(context, context.ioas());
	CHECK(plain.channel.info().out_granule_shift == 12);
	CHECK(plain.channel.info().out_num_asids == 1);
	CHECK(plain.channel.info().out_iova_first == 0);
	CHECK(plain.channel.info().out_iova_last == all_ones);
}

/* ---- batches ---- */

namespace {

/* An IOTLB with batches, whose client is held inside of its gate. */
struct Batched {
	Batched() : world(0, [](auto &how) { how.num_asids = 2; })
	{
		world.iotlb.update(0, page_size, IotlbWorld::target);
	}
	Errno update(std::uint32_t asid) const
	{
		auto message = update_of(page_size, page_size, 0);

		message.asid = asid;
		return world.channel.try_send(message);
	}
	Errno write(std::uint8_t op, std::uint64_t iova = 0, std::uint64_t size = 0,
		    std::uint32_t asid = 0) const
	{
		auto message = message_of(static_cast<iommukit_iotlb_op>(op), iova, size);

		message.asid = asid;
		return world.channel.try_send(message);
	}

	IotlbWorld world;
};

constexpr std::uint8_t begin_batch = IOMMUKIT_IOTLB_OP_BATCH_BEGIN;
constexpr std::uint8_t end_batch = IOMMUKIT_IOTLB_OP_BATCH_END;
constexpr std::uint8_t drop = IOMMUKIT_IOTLB_OP_INVALIDATE;

} // namespace

TEST_CASE("invalidations of a batch are complete at its end")
{
	Batched batched;
	IotlbWorld &world = batched.world;
	const Reader inside(world.client, reader_thread);

	REQUIRE(inside.enter() == ok);
	REQUIRE(inside.probe(0, 1).error == ok);
	/* Neither waits for the reader, or this would never end. */
	auto begun = in_background([&] {
		if (batched.write(begin_batch) != ok)
			return Errno{EIO};
		return batched.write(drop, 0, page_size);
	});
	CHECK(begun.get() == ok);
	CHECK_FALSE(world.iotlb.holds(0));
	CHECK(world.reader.probe(0, 1).error == Errno{EAGAIN});

	SECTION("BATCH_END")
	{
		auto ended = in_background([&] { return batched.write(end_batch); });

		CHECK(ended.sleeps());
		CHECK(world.client.stats().out_invalidates == 0);
		REQUIRE(inside.exit() == ok);
		CHECK(ended.get() == ok);
	}
	SECTION("or with the channel")
	{
		world.iotlb.update(page_size, page_size, 0);
		world.iotlb.channel.close();
		CHECK(world.client.stats().out_invalidates == 0);
		REQUIRE(inside.exit() == ok);
		CHECK(wait_until(
			[&] { return world.client.stats().out_invalidates > 0; }));
	}
	CHECK(world.client.stats().out_first == 0);
	CHECK(world.client.stats().out_last >= page_size - 1);
}

TEST_CASE("a batch is of one address space, and begins once")
{
	const Batched batched;

	CHECK(batched.write(end_batch) == ok);
	CHECK(batched.write(begin_batch) == ok);
	CHECK(batched.write(begin_batch) == ok);
	CHECK(batched.write(drop, 0, 1, 1) == Errno{EINVAL});
	CHECK(batched.update(1) == Errno{EINVAL});
	CHECK(batched.write(begin_batch, 0, 0, 1) == Errno{EINVAL});
	CHECK(batched.update(0) == ok);
	CHECK(batched.write(end_batch) == ok);
	CHECK(batched.write(end_batch) == ok);
	CHECK(batched.update(1) == ok);
}

TEST_CASE("the client is told of all invalidations of a large batch")
{
	const Batched batched;
	const IotlbWorld &world = batched.world;
	const Reader pinner(world.client, reader_thread);
	constexpr std::uint64_t count = 40;

	/* Every other page, each with a pin that only the right call releases. */
	for (std::uint64_t n = 1; n <= count; n++) {
		const std::uint64_t iova = 2 * n * page_size;

		world.iotlb.update(iova, page_size, IotlbWorld::target);
		REQUIRE(pinner.probe(iova, page_size, perm_read,
				     {.how = IOMMUKIT_TEST_IOTLB_KEEP})
				.error == ok);
		REQUIRE(pinner.pin() == ok);
		REQUIRE(pinner.exit() == ok);
	}
	CHECK(world.client.stats().out_pins == count);
	CHECK(batched.write(begin_batch) == ok);
	for (std::uint64_t n = 1; n <= count; n++)
		CHECK(batched.write(drop, 2 * n * page_size, page_size) == ok);
	CHECK(world.client.stats().out_pins == count);
	CHECK(batched.write(end_batch) == ok);
	CHECK(world.client.stats().out_pins == 0);
	CHECK(world.client.stats().out_invalidates <= count);
	CHECK(check_refs(world.context, world.memory, 0) == ok);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Messages on the channel of an IOTLB, byte by byte. */
#include "iotlb_world.h"
#include "process.h"
#include "threads.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <memory>

using namespace guest;

namespace {

constexpr std::uint64_t v2 = IOMMUKIT_IOTLB_BACKEND_MSG_V2;
constexpr std::uint64_t asids = IOMMUKIT_IOTLB_BACKEND_ASID;
constexpr std::size_t vhost_size = 72;
constexpr std::size_t vhost_least = 40;

using Bytes = std::array<std::uint8_t, vhost_size>;

/* A message of vhost, by its layout. */
Bytes vhost_message(std::uint32_t type, std::uint8_t op, std::uint64_t iova,
		    std::uint64_t size, std::uint64_t uaddr, std::uint8_t perm,
		    std::uint32_t asid = 0)
{
	Bytes bytes{};

	std::memcpy(&bytes[0], &type, 4);
	std::memcpy(&bytes[4], &asid, 4);
	std::memcpy(&bytes[8], &iova, 8);
	std::memcpy(&bytes[16], &size, 8);
	std::memcpy(&bytes[24], &uaddr, 8);
	bytes[32] = perm;
	bytes[33] = op;
	return bytes;
}

Bytes vhost_update(std::uint64_t iova, std::uint32_t type = 1, std::uint32_t asid = 0)
{
	return vhost_message(type, IOMMUKIT_IOTLB_OP_UPDATE, iova, page_size, 0x5000,
			     perm_rw, asid);
}

Bytes vhost_op(std::uint8_t op, std::uint64_t iova = 0, std::uint64_t size = 0,
	       std::uint32_t type = 1, std::uint32_t asid = 0)
{
	return vhost_message(type, op, iova, size, 0, 0, asid);
}

/* Writes messages of vhost in one go. */
Errno write_all(const Channel &channel, const std::vector<Bytes> &messages,
		std::size_t *taken)
{
	return channel.try_write(messages.data(), messages.size() * vhost_size, taken);
}

Errno write_one(const Channel &channel, const Bytes &bytes)
{
	std::size_t taken = 0;
	const Errno error = write_all(channel, {bytes}, &taken);

	if (error == ok)
		CHECK(taken == vhost_size);
	return error;
}

} // namespace

/* ---- reading ---- */

TEST_CASE("a miss, byte by byte")
{
	PlainWorld plain;
	std::array<std::uint8_t, 100> read;
	std::size_t done = 0;
	const std::uint64_t iova = 0x123456789abcdef1;

	read.fill(0xee);
	SECTION("as the first format of vhost")
	{
		plain.miss(iova, perm_write);
		REQUIRE(plain.channel.try_read(read.data(), read.size(), &done) == ok);
		CHECK(done == vhost_size);
		CHECK(std::memcmp(read.data(),
				  vhost_message(1, 1, iova, 0, 0, perm_write).data(),
				  vhost_size) == 0);
	}
	SECTION("as the second one, even if it was asked for before")
	{
		plain.miss(iova, perm_rw);
		REQUIRE(plain.channel.try_acknowledge(v2) == ok);
		REQUIRE(plain.channel.try_read(read.data(), read.size(), &done) == ok);
		CHECK(done == vhost_size);
		CHECK(std::memcmp(read.data(),
				  vhost_message(2, 1, iova, 0, 0, perm_rw).data(),
				  vhost_size) == 0);
	}
	SECTION("as our own")
	{
		IotlbMessage message;

		plain.channel.configure();
		plain.miss(iova);
		REQUIRE(plain.channel.try_read(read.data(), read.size(), &done) == ok);
		CHECK(done == sizeof(message));
		std::memcpy(&message, read.data(), sizeof(message));
		CHECK(message.cookie != 0);
		CHECK(message.epoch == plain.channel.info().out_inval_seq);
		IotlbMessage expected = message_of(IOMMUKIT_IOTLB_OP_MISS, iova);
		expected.perm = perm_read;
		expected.cookie = message.cookie;
		expected.epoch = message.epoch;
		CHECK(std::memcmp(&message, &expected, sizeof(message)) == 0);
	}
	CHECK(read[done] == 0xee);
}

TEST_CASE("a miss of another address space than the first")
{
	const PlainWorld plain(3);
	const IotlbClient client(plain.context, plain.iotlb.id(), 0, 2);
	const Reader reader(client);
	Bytes bytes{};

	REQUIRE(plain.channel.try_acknowledge(v2 | asids) == ok);
	CHECK(reader.nowait(page_size, 1).error == Errno{EAGAIN});
	REQUIRE(plain.channel.try_read(bytes.data(), vhost_size) == ok);
	CHECK(bytes ==
	      vhost_message(2, IOMMUKIT_IOTLB_OP_MISS, page_size, 0, 0, perm_read, 2));
	/* The answer to another one is none. */
	CHECK(write_one(plain.channel, vhost_update(page_size, 2, 0)) == ok);
	CHECK(reader.resumed() == 0);
	CHECK(write_one(plain.channel, vhost_update(page_size, 2, 2)) == ok);
	CHECK(reader.resumed() == 1);
}

TEST_CASE("several threads read, and each message goes to one of them")
{
	const IotlbWorld world;
	constexpr std::uint64_t count = 64;
	std::vector<std::unique_ptr<Reader>> readers;
	std::vector<std::uint64_t> found[3];
	Threads threads;

	for (std::uint64_t n = 0; n < count; n++) {
		readers.push_back(std::make_unique<Reader>(world.client));
		REQUIRE(readers[n]->nowait(n * page_size, 1).error == Errno{EAGAIN});
	}
	world.channel.set_nonblocking();
	threads.start(std::size(found), [&](std::size_t number, auto &) {
		IotlbMessage message;

		while (world.channel.try_read(&message, sizeof(message)) == ok)
			found[number].push_back(message.iova / page_size);
	});
	threads.join();
	std::vector<std::uint64_t> all, expected;
	for (const auto &some : found) {
		CHECK(std::is_sorted(some.begin(), some.end()));
		all.insert(all.end(), some.begin(), some.end());
	}
	for (std::uint64_t n = 0; n < count; n++)
		expected.push_back(n);
	std::sort(all.begin(), all.end());
	CHECK(all == expected);
}

TEST_CASE("as many messages as fit are read, the oldest first")
{
	PlainWorld plain;
	std::array<Bytes, 4> read;
	std::size_t done = 0;
	const auto iova = [&](std::size_t n) {
		std::uint64_t value = 0;

		std::memcpy(&value, &read[n][8], sizeof(value));
		return value;
	};

	for (std::uint64_t n = 1; n <= 5; n++)
		plain.miss(n * page_size);
	CHECK(plain.channel.try_read(read.data(), vhost_size - 1) == Errno{EINVAL});
	CHECK(plain.channel.try_read(read.data(), 0) == Errno{EINVAL});
	REQUIRE(plain.channel.try_read(read.data(), vhost_size, &done) == ok);
	CHECK(done == vhost_size);
	CHECK(iova(0) == page_size);
	REQUIRE(plain.channel.try_read(read.data(), 200, &done) == ok);
	CHECK(done == 2 * vhost_size);
	CHECK(iova(0) == 2 * page_size);
	CHECK(iova(1) == 3 * page_size);
	REQUIRE(plain.channel.try_read(read.data(), sizeof(read), &done) == ok);
	CHECK(done == 2 * vhost_size);
	CHECK(iova(1) == 5 * page_size);
	CHECK(plain.channel.try_read(read.data(), sizeof(read)) == Errno{EAGAIN});
	CHECK(plain.iotlb.stat(IOMMUKIT_IOTLB_STAT_DELIVERED) == 5);
	/* Also when there is none. */
	CHECK(plain.channel.try_read(read.data(), vhost_size - 1) == Errno{EINVAL});
}

TEST_CASE("what cannot be copied is read once more")
{
	PlainWorld plain;
	const PageAndHole memory;
	IotlbMessage first{}, second{};
	std::size_t done = 0;

	plain.channel.configure();
	plain.miss(page_size);
	plain.miss(2 * page_size);
	CHECK(plain.channel.try_read(memory.hole(), sizeof(first)) == Errno{EFAULT});
	CHECK(plain.channel.try_read(memory.tail(sizeof(first) - 1), sizeof(first)) ==
	      Errno{EFAULT});
	/* The first one fits, the second one does not. */
	REQUIRE(plain.channel.try_read(memory.tail(sizeof(first) + 9), 2 * sizeof(first),
				       &done) == ok);
	CHECK(done == sizeof(first));
	std::memcpy(&first, memory.tail(sizeof(first) + 9), sizeof(first));
	CHECK(first.iova == page_size);
	CHECK(first.flags == IOMMUKIT_IOTLB_MSG_REQUEUED);
	REQUIRE(plain.channel.try_read(&second, sizeof(second), &done) == ok);
	CHECK(second.iova == 2 * page_size);
	CHECK(second.flags == IOMMUKIT_IOTLB_MSG_REQUEUED);
	CHECK(plain.channel.quiet());
	CHECK(plain.iotlb.stat(IOMMUKIT_IOTLB_STAT_REQUEUED) == 3);
	CHECK(plain.iotlb.stat(IOMMUKIT_IOTLB_STAT_PENDING) == 2);
}

TEST_CASE("poll tells of messages, and the channel does not seek")
{
	PlainWorld plain;
	char byte = 0;

	CHECK(plain.channel.events() == POLLOUT);
	plain.miss(0);
	CHECK(plain.channel.events() == (POLLIN | POLLOUT));
	CHECK(lseek(plain.channel.fd(), 0, SEEK_SET) == -1);
	CHECK(errno == ESPIPE);
	CHECK(pread(plain.channel.fd(), &byte, 1, 0) == -1);
	CHECK(errno == ESPIPE);
	CHECK(pwrite(plain.channel.fd(), &byte, 1, 0) == -1);
	CHECK(errno == ESPIPE);
	CHECK((fcntl(plain.channel.fd(), F_GETFD) & FD_CLOEXEC));
	CHECK(write_one(plain.channel, vhost_update(0)) == ok);
	/* It was answered before anybody had asked what the question was. */
	CHECK(plain.channel.events() == POLLOUT);
}

TEST_CASE("a read waits for a miss, or for the end")
{
	PlainWorld plain;
	Bytes bytes{};

	REQUIRE(fcntl(plain.channel.fd(), F_SETFL, 0) == 0);
	auto reading = in_background(
		[&] { return plain.channel.try_read(bytes.data(), vhost_size); });
	REQUIRE(reading.sleeps());
	SECTION("a miss")
	{
		plain.miss(page_size);
		CHECK(reading.get() == ok);
	}
	SECTION("the end of the IOTLB")
	{
		plain.client.close();
		plain.context.destroy(plain.iotlb.id());
		CHECK(reading.get() == Errno{ENODEV});
		CHECK((plain.channel.events() & (POLLERR | POLLHUP)) ==
		      (POLLERR | POLLHUP));
		CHECK(write_one(plain.channel, vhost_update(0)) == Errno{ENODEV});
		CHECK(plain.channel.try_acknowledge(v2) == Errno{ENODEV});
		auto config = chan_config();
		CHECK(plain.channel.try_configure(config) == Errno{ENODEV});
		CHECK(plain.channel.try_kick() == Errno{ENODEV});
		auto info = command<iommukit_iotlb_chan_info>();
		CHECK(plain.channel.try_info(info) == Errno{ENODEV});
	}
}

TEST_CASE("a fatal signal ends a read")
{
	PlainWorld plain;
	Bytes bytes{};

	REQUIRE(fcntl(plain.channel.fd(), F_SETFL, 0) == 0);
	Child server([&](const Child::Steps &steps) {
		steps.meet();
		return plain.channel.try_read(bytes.data(), vhost_size).value;
	});

	server.await();
	server.resume();
	server.kill();
	CHECK(server.join() == deadly_signal + SIGKILL);
}

/* ---- writing ---- */

TEST_CASE("an update in each format")
{
	const PlainWorld plain;
	const std::vector<IotlbEntry> expected{{page_size, 2 * page_size - 1, 0x5000}};

	SECTION("the first of vhost, also with a hole that is not empty")
	{
		CHECK(write_one(plain.channel, vhost_update(page_size, 1, 0xdeadbeef)) ==
		      ok);
	}
	SECTION("the second")
	{
		CHECK(write_one(plain.channel, vhost_update(page_size, 2)) == ok);
	}
	SECTION("the second, where the address space is not one yet")
	{
		CHECK(write_one(plain.channel, vhost_update(page_size, 2, 0xdeadbeef)) ==
		      ok);
	}
	SECTION("with anything behind what counts")
	{
		Bytes bytes = vhost_update(page_size, 2);

		std::fill(bytes.begin() + 34, bytes.end(), 0xff);
		CHECK(write_one(plain.channel, bytes) == ok);
	}
	SECTION("our own")
	{
		plain.channel.configure();
		CHECK(plain.channel.try_send(update_of(page_size, page_size, 0x5000)) ==
		      ok);
	}
	SECTION("all of them in one write")
	{
		std::vector<std::uint8_t> bytes;
		const auto native = update_of(page_size, page_size, 0x5000);
		const auto append = [&](const void *from, std::size_t size) {
			const auto *first = static_cast<const std::uint8_t *>(from);

			bytes.insert(bytes.end(), first, first + size);
		};
		std::size_t taken = 0;

		plain.channel.configure();
		append(vhost_update(page_size, 1).data(), vhost_size);
		append(&native, sizeof(native));
		append(vhost_update(page_size, 2).data(), vhost_size);
		CHECK(plain.channel.try_write(bytes.data(), bytes.size(), &taken) == ok);
		CHECK(taken == bytes.size());
		CHECK(plain.iotlb.stat(IOMMUKIT_IOTLB_STAT_UPDATES) == 3);
	}
	CHECK(plain.iotlb.dump() == expected);
}

TEST_CASE("how long a write is, and what it returns")
{
	const PlainWorld plain;
	const Channel &channel = plain.channel;
	const std::vector<Bytes> good{vhost_update(page_size),
				      vhost_update(2 * page_size)};
	std::vector<Bytes> bad = good;
	std::size_t taken = 0;

	bad[1][32] = 0;
	for (std::size_t length = vhost_least; length <= vhost_size; length++) {
		CHECK(channel.try_write(good.data(), length, &taken) == ok);
		CHECK(taken == length);
	}
	for (const std::size_t length : {std::size_t(0), std::size_t(3), vhost_least - 1})
		CHECK(channel.try_write(good.data(), length) == Errno{EINVAL});
	CHECK(channel.try_write(good.data(), 2 * vhost_size, &taken) == ok);
	CHECK(taken == 2 * vhost_size);
	plain.iotlb.flush();
	CHECK(channel.try_write(bad.data(), 2 * vhost_size, &taken) == ok);
	CHECK(taken == vhost_size);
	CHECK(plain.iotlb.holds(page_size));
	CHECK_FALSE(plain.iotlb.holds(2 * page_size));
	CHECK(write_one(channel, bad[1]) == Errno{EINVAL});
	/* What is left is a message, too, but not a whole one. */
	for (const std::size_t more : {1, 39, 40, 71}) {
		CHECK(channel.try_write(good.data(), vhost_size + more, &taken) == ok);
		CHECK(taken == vhost_size);
	}
	CHECK_FALSE(plain.iotlb.holds(2 * page_size));

	const PageAndHole memory;
	std::memcpy(memory.tail(vhost_size), good[0].data(), vhost_size);
	CHECK(channel.try_write(memory.tail(vhost_size), 2 * vhost_size, &taken) == ok);
	CHECK(taken == vhost_size);
	CHECK(channel.try_write(memory.hole(), vhost_size) == Errno{EFAULT});
}

TEST_CASE("messages that are refused")
{
	const PlainWorld plain(2);
	const struct {
		const char *name;
		Bytes bytes;
		int error;
	} table[] = {
		{"type 0", vhost_update(0, 0), EINVAL},
		{"type 3", vhost_update(0, 3), EINVAL},
		{"our type, but it was not asked for", vhost_update(0, 0x10), EINVAL},
		{"op 0", vhost_op(0), EINVAL},
		{"MISS", vhost_op(IOMMUKIT_IOTLB_OP_MISS, 0, 1), EINVAL},
		{"BATCH_BEGIN", vhost_op(IOMMUKIT_IOTLB_OP_BATCH_BEGIN), EINVAL},
		{"BATCH_END", vhost_op(IOMMUKIT_IOTLB_OP_BATCH_END), EINVAL},
		{"FLUSH", vhost_op(IOMMUKIT_IOTLB_OP_FLUSH), EINVAL},
		{"op 9", vhost_op(9), EINVAL},
		{"op 255", vhost_op(255), EINVAL},
		{"UPDATE of nothing", vhost_message(1, 2, page_size, 0, 0, perm_rw),
		 EINVAL},
		{"permission 0", vhost_message(1, 2, 0, 1, 0, 0), EINVAL},
		{"permission 4", vhost_message(1, 2, 0, 1, 0, 4), EINVAL},
		{"permission 255", vhost_message(1, 2, 0, 1, 0, 255), EINVAL},
		{"INVALIDATE of nothing",
		 vhost_op(IOMMUKIT_IOTLB_OP_INVALIDATE, page_size, 0), EINVAL},
		{"UPDATE that wraps", vhost_message(1, 2, all_ones, 2, 0, perm_rw),
		 EOVERFLOW},
	};

	for (const auto &row : table) {
		INFO(row.name);
		CHECK(write_one(plain.channel, row.bytes) == Errno{row.error});
	}
	REQUIRE(plain.channel.try_acknowledge(v2 | asids) == ok);
	CHECK(write_one(plain.channel, vhost_update(0, 2, 2)) == Errno{EINVAL});
	CHECK(plain.iotlb.dump().empty());
	CHECK(plain.iotlb.dump(1).empty());
	CHECK(write_one(plain.channel, vhost_update(0, 2, 1)) == ok);
	CHECK(plain.iotlb.dump(1).size() == 1);
}

TEST_CASE("our own messages that are refused")
{
	const PlainWorld plain;
	const auto plain_update = update_of(page_size, page_size, 0);
	const struct {
		const char *name;
		std::function<void(IotlbMessage &)> change;
		int error;
	} table[] = {
		{"type 0", [](auto &m) { m.type = 0; }, EINVAL},
		{"no such address space", [](auto &m) { m.asid = 1; }, EINVAL},
		{"op 8", [](auto &m) { m.op = 8; }, EINVAL},
		{"MISS", [](auto &m) { m.op = IOMMUKIT_IOTLB_OP_MISS; }, EINVAL},
		{"an unknown flag", [](auto &m) { m.flags = 1 << 15; }, EOPNOTSUPP},
		{"UPGRADE", [](auto &m) { m.flags = IOMMUKIT_IOTLB_MSG_UPGRADE; },
		 EOPNOTSUPP},
		{"aux", [](auto &m) { m.aux = 1; }, EOPNOTSUPP},
		{"NEGATIVE that was not agreed on",
		 [](auto &m) {
			 m.flags = IOMMUKIT_IOTLB_MSG_NEGATIVE;
			 m.perm = 0;
		 },
		 EOPNOTSUPP},
		{"a flag of UPDATE",
		 [](auto &m) { m = invalidate_of(0, 1, IOMMUKIT_IOTLB_MSG_NO_REPLACE); },
		 EOPNOTSUPP},
		{"a flag of a denial",
		 [](auto &m) {
			 m = message_of(IOMMUKIT_IOTLB_OP_ACCESS_FAIL, 0, 1,
					IOMMUKIT_IOTLB_MSG_PREFETCH);
		 },
		 EOPNOTSUPP},
		{"PINNED", [](auto &m) { m.flags = IOMMUKIT_IOTLB_MSG_PINNED; }, EPERM},
	};

	plain.channel.configure();
	for (const auto &row : table) {
		INFO(row.name);
		IotlbMessage message = plain_update;

		row.change(message);
		CHECK(plain.channel.try_send(message) == Errno{row.error});
	}
	CHECK(plain.iotlb.dump().empty());
	CHECK(plain.channel.try_write(&plain_update, sizeof(plain_update) - 1) ==
	      Errno{EINVAL});
}

// SPDX-License-Identifier: GPL-2.0-only
/* What is behind the targets of an IOTLB: copies and pins through both stages. */
#include "access.h"
#include "iotlb_world.h"
#include "process.h"

#include <sys/mman.h>

#include <csignal>
#include <cstring>

using namespace guest;

namespace {

constexpr std::uint64_t target = IotlbWorld::target;
constexpr Look keep{.how = IOMMUKIT_TEST_IOTLB_KEEP};
constexpr Look and_copy{.how = IOMMUKIT_TEST_IOTLB_AND_COPY};

/* An IOTLB into the memory of this process. */
struct UserWorld {
	UserWorld()
		: iotlb(context, iotlb_alloc(0, IOMMUKIT_IOTLB_TARGET_UVA |
							IOMMUKIT_IOTLB_NO_CHANNEL)),
		  client(context, iotlb.id()), reader(client)
	{
		memory.fill(1);
	}

	Context context;
	Memory memory{4 * page_size, Memory::Kind::private_anonymous};
	Iotlb iotlb;
	IotlbClient client;
	Reader reader;
};

/* A reader with a thread, which is inside of its gate with one translation. */
void enter_with(const Reader &reader, std::uint64_t iova, std::uint64_t length)
{
	REQUIRE(reader.probe(iova, length, perm_read, keep).error == ok);
}

} // namespace

/* ---- copies ---- */

TEST_CASE("a copy goes from entry to entry")
{
	const IotlbWorld world;
	std::vector<std::byte> buffer(3 * page_size);

	/* Pages in reverse, cut where no page ends. */
	for (std::uint64_t n = 0; n < 4; n++)
		world.iotlb.update(0x123 + n * page_size, page_size,
				   target + (3 - n) * page_size);
	REQUIRE(world.reader.try_read(0x200, buffer.data(), buffer.size()) == ok);
	std::vector<std::byte> expected;
	for (std::uint64_t offset = 0x200 - 0x123; expected.size() < buffer.size();
	     offset++)
		expected.push_back(pattern(1, (3 - offset / page_size) * page_size +
						      offset % page_size));
	CHECK(buffer == expected);
	std::fill(buffer.begin(), buffer.end(), std::byte(7));
	REQUIRE(world.reader.try_write(0x123 + page_size, buffer.data(), 2 * page_size) ==
		ok);
	CHECK(std::memcmp(world.at(page_size), buffer.data(), 2 * page_size) == 0);
	CHECK(*world.at(0) == pattern(1, 0));
	CHECK(*world.at(3 * page_size) == pattern(1, 3 * page_size));
}

TEST_CASE("a copy waits for what is missing")
{
	const IotlbWorld world;
	const Server server(world.channel, serve_pages(world.channel, target));
	std::vector<std::byte> buffer(5 * page_size);

	REQUIRE(world.reader.try_read(100, buffer.data(), buffer.size()) == ok);
	CHECK(buffer == pattern_of(1, 100, buffer.size()));
	CHECK(server.served() == 6);
	/* A thread that has no memory of its own. */
	const Reader thread(world.client, reader_thread);
	REQUIRE(thread.try_read(0x6000 + 8, buffer.data(), 100, copy_kthread) == ok);
	CHECK(std::memcmp(buffer.data(), world.at(0x6008), 100) == 0);
	CHECK(server.served() == 7);
}

TEST_CASE("copies inside of the gate, through what was translated")
{
	const IotlbWorld world;
	const Reader reader(world.client, reader_thread);
	std::vector<std::byte> buffer(16);

	world.iotlb.update(0, 8, target);
	world.iotlb.update(8, 24, target + page_size);
	CHECK(reader.copy(0, buffer.data(), 1) == no_sense);
	enter_with(reader, 0, 32);
	REQUIRE(reader.copy(2, buffer.data(), 16) == ok);
	CHECK(std::memcmp(buffer.data(), world.at(2), 6) == 0);
	CHECK(std::memcmp(&buffer[6], world.at(page_size), 10) == 0);
	std::fill(buffer.begin(), buffer.end(), std::byte(9));
	CHECK(reader.copy(4, buffer.data(), 8, copy_kthread | copy_write) == ok);
	CHECK(std::memcmp(world.at(4), buffer.data(), 4) == 0);
	CHECK(std::memcmp(world.at(page_size), buffer.data(), 4) == 0);
	/* No further than they go. */
	CHECK(reader.copy(32, buffer.data(), 1) != ok);
	CHECK(reader.copy(25, buffer.data(), 8) != ok);
	CHECK(reader.exit() == ok);
	const Lookup found = world.reader.translate(0, 32, perm_read, and_copy);
	CHECK(found.error == ok);
	CHECK(std::memcmp(found.data.data(), world.at(0), 8) == 0);
	CHECK(std::memcmp(&found.data[8], world.at(page_size), 24) == 0);
}

TEST_CASE("a copy is refused by what is behind the target")
{
	const IotlbWorld world;
	std::uint64_t word = 0;

	world.iotlb.update(0, page_size, target);
	world.iotlb.update(page_size, page_size, 0x77000);
	CHECK(world.reader.try_read(0, &word, sizeof(word)) == ok);
	CHECK(world.reader.try_read(page_size, &word, sizeof(word)) == Errno{ENOENT});
	CHECK(world.reader.translate(page_size, 8, perm_read, and_copy).error ==
	      Errno{ENOENT});
	/* Gone, and there again: the IOTLB has nothing to do with it. */
	const std::uint64_t lookups = world.iotlb.stat(IOMMUKIT_IOTLB_STAT_CREATED);
	CHECK(world.context.unmap_all(world.ioas) == world.memory.size());
	CHECK(world.reader.try_read(0, &word, sizeof(word)) == Errno{ENOENT});
	world.context.map(world.ioas, world.memory, target, map_read);
	CHECK(world.reader.try_read(0, &word, sizeof(word)) == ok);
	CHECK(world.reader.try_write(0, &word, sizeof(word)) == Errno{EPERM});
	CHECK(world.iotlb.stat(IOMMUKIT_IOTLB_STAT_CREATED) == lookups);
	CHECK(world.channel.quiet());
}

/* ---- pins ---- */

TEST_CASE("pins last until something is invalidated, or unmapped")
{
	const IotlbWorld world;
	const Reader reader(world.client, reader_thread);
	const auto pinned = [&](std::uint64_t page, std::uint32_t times) {
		return check_refs(world.context, world.memory.va() + page * page_size,
				  page_size, times) == ok;
	};

	world.iotlb.update(0, 2 * page_size, target);
	world.iotlb.update(4 * page_size, page_size, target + 4 * page_size);
	CHECK(reader.pin() == no_sense);
	enter_with(reader, 0, 2 * page_size);
	CHECK(reader.pin(0, copy_write) == ok);
	CHECK(reader.exit() == ok);
	enter_with(reader, 4 * page_size, page_size);
	CHECK(reader.pin() == ok);
	CHECK(reader.exit() == ok);
	CHECK(world.client.stats().out_pins == 2);
	for (const std::uint64_t page : {0, 1, 4})
		CHECK(pinned(page, 1));
	CHECK(pinned(2, 0));

	SECTION("a part of it is invalidated")
	{
		world.iotlb.invalidate(page_size + 5, 1);
		CHECK(world.client.stats().out_first <= page_size + 5);
		CHECK(world.client.stats().out_last >= page_size + 5);
		CHECK(world.client.stats().out_pins == 1);
		CHECK(pinned(0, 0));
		CHECK(pinned(4, 1));
	}
	SECTION("the server invalidates everything")
	{
		CHECK(world.channel.try_send(message_of(IOMMUKIT_IOTLB_OP_FLUSH)) == ok);
		CHECK(world.client.stats().out_pins == 0);
	}
	SECTION("the IOAS loses it")
	{
		CHECK(world.context.unmap_all(world.ioas) == world.memory.size());
		CHECK(world.client.stats().out_stage2_unmaps >= 1);
		CHECK(world.client.stats().out_invalidates == 0);
		CHECK(world.client.stats().out_pins == 0);
		/* The translations are as they were. */
		CHECK(world.reader.probe(0, 2 * page_size).error == ok);
	}
	SECTION("it is given back")
	{
		CHECK(reader.unpin(0) == ok);
		CHECK(reader.unpin(0) == Errno{ENOENT});
		CHECK(pinned(0, 0));
		CHECK(pinned(4, 1));
	}
	SECTION("the server goes, and with it the translation")
	{
		Channel &channel = const_cast<Iotlb &>(world.iotlb).channel;

		channel.close();
		CHECK(wait_until([&] { return world.client.stats().out_pins == 0; }));
		CHECK(world.iotlb.dump().empty());
	}
}

TEST_CASE("pins that are refused")
{
	const IotlbWorld world;
	const Reader reader(world.client, reader_thread);
	const auto pin = [&](const Reader &with, std::uint32_t flags = 0) {
		enter_with(with, 0, page_size);
		const Errno error = with.pin(0, flags);

		REQUIRE(with.exit() == ok);
		return error;
	};

	SECTION("nothing is mapped there")
	{
		world.iotlb.update(0, page_size, 0x77000);
		CHECK(pin(reader) == Errno{ENOENT});
	}
	SECTION("it may not be written")
	{
		world.context.unmap_all(world.ioas);
		world.context.map(world.ioas, world.memory, target, map_read);
		world.iotlb.update(0, page_size, target);
		CHECK(pin(reader, copy_write) == Errno{EPERM});
		CHECK(pin(reader) == ok);
		world.iotlb.flush();
	}
	SECTION("the target is in the middle of a page")
	{
		world.iotlb.update(0, page_size, target + 0x800);
		CHECK(pin(reader) != ok);
	}
	SECTION("the driver could not give it back")
	{
		world.iotlb.update(0, page_size, target);
		for (const std::uint32_t lack : {IOMMUKIT_TEST_IOTLB_NO_INVALIDATE,
						 IOMMUKIT_TEST_IOTLB_NO_STAGE2_UNMAP}) {
			const IotlbClient client(world.context, world.iotlb.id(), lack);
			const Reader other(client, reader_thread);

			CHECK(pin(other) == Errno{EOPNOTSUPP});
		}
	}
	SECTION("the target is an address")
	{
		const UserWorld user;
		const Reader other(user.client, reader_thread);

		user.iotlb.update(0, page_size, user.memory.va());
		CHECK(pin(other) == Errno{EOPNOTSUPP});
	}
	CHECK(world.client.stats().out_pins == 0);
	CHECK(check_refs(world.context, world.memory, 0) == ok);
}

/* ---- addresses of a process ---- */

TEST_CASE("targets that are addresses of the process")
{
	const UserWorld world;
	const Reader thread(world.client, reader_thread);
	std::vector<std::byte> buffer(2 * page_size);

	world.iotlb.update(0x70000, 4 * page_size, world.memory.va());
	SECTION("read and written by the process")
	{
		REQUIRE(world.reader.try_read(0x70010, buffer.data(), buffer.size()) ==
			ok);
		CHECK(buffer == pattern_of(1, 0x10, buffer.size()));
		buffer.assign(buffer.size(), std::byte(3));
		REQUIRE(world.reader.try_write(0x70010, buffer.data(), buffer.size()) ==
			ok);
		CHECK(std::memcmp(world.memory.data() + 0x10, buffer.data(),
				  buffer.size()) == 0);
	}
	SECTION("by a thread that borrows its memory")
	{
		REQUIRE(thread.try_read(0x70ff0, buffer.data(), 0x20, copy_kthread) ==
			ok);
		CHECK(std::memcmp(buffer.data(), world.memory.data() + 0xff0, 0x20) == 0);
		CHECK(thread.try_write(0x70ff0, buffer.data(), 0x10, copy_kthread) == ok);
	}
	SECTION("by another process")
	{
		CHECK(in_child([&] {
			      std::uint64_t word = 0;

			      if (world.reader.try_read(0x71000, &word, sizeof(word)) !=
				  ok)
				      return 1;
			      /* A page that the child has changed is not the one. */
			      std::memset(world.memory.data(), 0xaa, page_size);
			      word = 0x1234;
			      return world.reader.try_write(0x70000, &word,
							    sizeof(word)) == ok
					     ? 0
					     : 2;
		      }) == 0);
		CHECK(*reinterpret_cast<std::uint64_t *>(world.memory.data()) == 0x1234);
	}
	SECTION("with what is not mapped, or not to be written")
	{
		world.memory.unmap(page_size, page_size);
		CHECK(world.reader.try_read(0x71000, buffer.data(), 8) == Errno{EFAULT});
		CHECK(thread.try_read(0x71000, buffer.data(), 8, copy_kthread) ==
		      Errno{EFAULT});
		CHECK(world.reader.try_read(0x72000, buffer.data(), 8) == ok);
		REQUIRE(mprotect(world.memory.data() + 2 * page_size, page_size,
				 PROT_READ) == 0);
		CHECK(world.reader.try_read(0x72000, buffer.data(), 8) == ok);
		CHECK(world.reader.try_write(0x72000, buffer.data(), 8) == Errno{EFAULT});
	}
}

TEST_CASE("the process whose addresses they were has gone")
{
	const Context context;
	const Shared<int> number;
	Child owner([&](const Child::Steps &steps) {
		const UserWorld world;
		const Reader reader(world.client);

		world.iotlb.update(0, page_size, world.memory.va());
		*number = world.client.fd();
		steps.meet();
		return 0;
	});

	owner.await();
	const IotlbClient client(context, descriptor_of(owner.pid(), *number));
	const Reader reader(client), thread(client, reader_thread);
	std::uint64_t word = 0;

	CHECK(reader.try_read(0, &word, sizeof(word)) == ok);
	owner.kill();
	CHECK(owner.join() == deadly_signal + SIGKILL);
	CHECK(reader.translate(0, 8).error == ok);
	CHECK(reader.try_read(0, &word, sizeof(word)) == Errno{EFAULT});
	CHECK(reader.try_write(0, &word, sizeof(word)) == Errno{EFAULT});
	CHECK(thread.try_read(0, &word, sizeof(word), copy_kthread) == Errno{EFAULT});
}

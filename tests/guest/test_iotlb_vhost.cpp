// SPDX-License-Identifier: GPL-2.0-only
/*
 * A server that was written for vhost: it knows <linux/vhost.h> and nothing else, and
 * serves our channel as it would serve a vhost device.
 */
#include "iotlb_vhost.h"
#include "iotlb_world.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstring>

using namespace guest;

namespace {

constexpr std::uint64_t target = IotlbWorld::target;
/* Pages in reverse, the second one only for reading. */
VhostGuest guest_of(std::uint64_t first, std::uint64_t count)
{
	VhostGuest guest;

	for (std::uint64_t n = 0; n < count; n++)
		guest.pages[first + n * page_size] = {
			target + (count - 1 - n) * page_size, n != 1};
	return guest;
}

std::uint32_t mapped_ioas(const Context &context, const Memory &memory)
{
	const std::uint32_t ioas = context.ioas();

	memory.fill(1);
	context.map(ioas, memory, target);
	return ioas;
}

struct World {
	World()
		: iotlb(context, mapped_ioas(context, memory)),
		  client(context, iotlb.id())
	{
	}

	Context context;
	Memory memory{8 * page_size};
	Iotlb iotlb;
	IotlbClient client;
};

} // namespace

TEST_CASE("the numbers of vhost are ours")
{
	CHECK(IOMMUKIT_IOTLB_SET_BACKEND_FEATURES == VHOST_SET_BACKEND_FEATURES);
	CHECK(IOMMUKIT_IOTLB_GET_BACKEND_FEATURES == VHOST_GET_BACKEND_FEATURES);
	CHECK(IOMMUKIT_IOTLB_BACKEND_MSG_V2 == 1 << VHOST_BACKEND_F_IOTLB_MSG_V2);
	CHECK(IOMMUKIT_IOTLB_BACKEND_BATCH == 1 << VHOST_BACKEND_F_IOTLB_BATCH);
	CHECK(IOMMUKIT_IOTLB_BACKEND_ASID == 1 << VHOST_BACKEND_F_IOTLB_ASID);
	CHECK(int(IOMMUKIT_IOTLB_MSG_V1) == VHOST_IOTLB_MSG);
	CHECK(int(IOMMUKIT_IOTLB_MSG_V2) == VHOST_IOTLB_MSG_V2);
	CHECK(int(IOMMUKIT_IOTLB_OP_MISS) == VHOST_IOTLB_MISS);
	CHECK(int(IOMMUKIT_IOTLB_OP_UPDATE) == VHOST_IOTLB_UPDATE);
	CHECK(int(IOMMUKIT_IOTLB_OP_INVALIDATE) == VHOST_IOTLB_INVALIDATE);
	CHECK(int(IOMMUKIT_IOTLB_OP_ACCESS_FAIL) == VHOST_IOTLB_ACCESS_FAIL);
	CHECK(int(IOMMUKIT_IOTLB_OP_BATCH_BEGIN) == VHOST_IOTLB_BATCH_BEGIN);
	CHECK(int(IOMMUKIT_IOTLB_OP_BATCH_END) == VHOST_IOTLB_BATCH_END);
	CHECK(int(IOMMUKIT_IOTLB_PERM_RW) == VHOST_ACCESS_RW);
	CHECK(offsetof(IotlbMessage, iova) == offsetof(vhost_msg_v2, iotlb.iova));
	CHECK(offsetof(IotlbMessage, length) == offsetof(vhost_msg_v2, iotlb.size));
	CHECK(offsetof(IotlbMessage, target) == offsetof(vhost_msg_v2, iotlb.uaddr));
	CHECK(offsetof(IotlbMessage, perm) == offsetof(vhost_msg_v2, iotlb.perm));
	CHECK(offsetof(IotlbMessage, op) == offsetof(vhost_msg_v2, iotlb.type));
	CHECK(offsetof(IotlbMessage, asid) == offsetof(vhost_msg_v2, asid));
}

TEST_CASE("a server of vhost serves a device")
{
	for (const bool v2 : {false, true}) {
		const World world;
		const VhostGuest guest = guest_of(0x40000, 4);
		VhostServer server(world.iotlb.channel.fd(), guest, v2);
		const Reader reader(world.client);
		std::vector<std::byte> buffer(4 * page_size - 0x20);

		INFO((v2 ? "second" : "first") << " format");
		REQUIRE(reader.try_read(0x40010, buffer.data(), buffer.size()) == ok);
		for (std::uint64_t i = 0; i < buffer.size(); i += 997) {
			const std::uint64_t at = i + 0x10;

			CHECK(buffer[i] == pattern(1, (3 - at / page_size) * page_size +
							      at % page_size));
		}
		CHECK(reader.try_write(0x42000, buffer.data(), page_size) == ok);
		CHECK(std::memcmp(world.memory.data() + page_size, buffer.data(),
				  page_size) == 0);
		/* As vhost has it: no message, but an error. */
		CHECK(reader.try_write(0x41000, buffer.data(), 1) == Errno{EPERM});
		const auto asked = server.asked();
		REQUIRE(asked.size() == 4);
		CHECK(reads_as(asked[0], 0x40010, VHOST_ACCESS_RO));
		for (std::uint64_t n = 1; n < 4; n++)
			CHECK(reads_as(asked[n], 0x40000 + n * page_size,
				       VHOST_ACCESS_RO));
	}
}

TEST_CASE("what a server of vhost says about unmapping")
{
	for (const bool v2 : {false, true}) {
		const World world;
		const VhostGuest guest = guest_of(0, 8);
		VhostServer server(world.iotlb.channel.fd(), guest, v2);
		const Reader reader(world.client);
		std::vector<std::byte> buffer(8 * page_size);

		INFO((v2 ? "second" : "first") << " format");
		REQUIRE(reader.try_read(0, buffer.data(), buffer.size()) == ok);
		CHECK(world.iotlb.dump().size() == 8);
		CHECK(server.invalidate(2 * page_size, 2 * page_size));
		CHECK(world.iotlb.dump().size() == 6);
		CHECK(reader.probe(2 * page_size, 1).error == Errno{EAGAIN});
		/* A flush of everything. */
		CHECK(server.invalidate(0, 0));
		CHECK(world.iotlb.dump().empty());
		/* One that would wrap, and was undefined once. */
		REQUIRE(reader.try_read(0, buffer.data(), 1) == ok);
		CHECK_FALSE(server.invalidate(5, 0));
		CHECK(world.iotlb.dump().size() == 1);
	}
}

TEST_CASE("a server of vhost that knows of nothing there keeps silent")
{
	const World world;
	const VhostGuest guest = guest_of(0, 1);
	VhostServer server(world.iotlb.channel.fd(), guest, true);
	const Reader reader(world.client);

	CHECK(reader.translate(0x8000, 1, perm_rw, {.timeout_ms = 20}).error ==
	      Errno{ETIMEDOUT});
	CHECK(reader.translate(0, 1, perm_write).error == ok);
	const auto asked = server.asked();
	REQUIRE(asked.size() <= 2);
	CHECK(reads_as(asked.back(), 0, VHOST_ACCESS_WO));
}

TEST_CASE("a server of vdpa sends batches, and for several address spaces")
{
	const Context context;
	auto how = iotlb_alloc(context.ioas());
	how.num_asids = 2;
	const Iotlb iotlb(context, how);
	const std::uint64_t features = vhost_v2 | 1UL << VHOST_BACKEND_F_IOTLB_BATCH |
				       1UL << VHOST_BACKEND_F_IOTLB_ASID;
	std::uint64_t offered = 0;
	const auto send = [&](std::uint8_t type, std::uint64_t iova = 0,
			      std::uint64_t size = 0) {
		vhost_msg_v2 message{};

		message.type = VHOST_IOTLB_MSG_V2;
		message.asid = 1;
		message.iotlb.type = type;
		message.iotlb.iova = iova;
		message.iotlb.size = size;
		message.iotlb.uaddr = iova;
		message.iotlb.perm = VHOST_ACCESS_RW;
		return write(iotlb.channel.fd(), &message, sizeof(message)) ==
		       sizeof(message);
	};

	REQUIRE(ioctl(iotlb.channel.fd(), VHOST_GET_BACKEND_FEATURES, &offered) == 0);
	CHECK((offered & features) == features);
	REQUIRE(ioctl(iotlb.channel.fd(), VHOST_SET_BACKEND_FEATURES, &features) == 0);
	CHECK(send(VHOST_IOTLB_BATCH_BEGIN));
	for (std::uint64_t n = 0; n < 10; n++)
		CHECK(send(VHOST_IOTLB_UPDATE, n * page_size, page_size));
	CHECK(send(VHOST_IOTLB_INVALIDATE, 0, page_size));
	CHECK(send(VHOST_IOTLB_BATCH_END));
	CHECK(iotlb.dump(1).size() == 9);
	CHECK(iotlb.dump(0).empty());
}

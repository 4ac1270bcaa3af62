// SPDX-License-Identifier: GPL-2.0-only
/*
 * One server, one ring, two devices that send what is in it: the kernel's vhost-net, and
 * a reader of an IOTLB that goes the same way. They must ask for the same.
 */
#include "iotlb_vhost.h"
#include "iotlb_world.h"
#include "modules.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_config.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>

using namespace guest;

namespace {

/* The parts of a ring, as the specification of virtio has them. */
struct Descriptor {
	std::uint64_t address;
	std::uint32_t length;
	std::uint16_t flags, next;
};
constexpr std::uint16_t has_next = 1;
constexpr std::uint16_t entries = 4;
struct Available {
	std::uint16_t flags, index, ring[entries], event;
};
struct Used {
	std::uint16_t flags, index;
	struct {
		std::uint32_t id, length;
	} ring[entries];
	std::uint16_t event;
};

/* Where the device finds what. The frame begins near the end of a page. */
constexpr std::uint64_t descriptors_at = 0x10000, available_at = 0x20000,
			used_at = 0x30000, header_at = 0x40120, frame_at = 0x50ff0;
/* Of the first format since virtio 1.0. */
constexpr std::uint32_t header_size = 12, frame_size = 96;

/* The driver of the device: it has the memory, and maps it in disorder. */
class Driver {
    public:
	Driver()
	{
		const std::uint64_t iovas[] = {descriptors_at, available_at,
					       used_at,	       header_at & ~0xfffUL,
					       0x50000,	       0x51000};

		std::memset(memory.data(), 0, memory.size());
		for (std::size_t n = 0; n < std::size(iovas); n++)
			guest.pages[iovas[n]] = {
				memory.va() + (std::size(iovas) - 1 - n) * page_size,
				n == 2};
		const Descriptor chain[] = {{header_at, header_size, has_next, 1},
					    {frame_at, frame_size, 0, 0}};
		std::memcpy(at(descriptors_at), chain, sizeof(chain));
		for (std::uint32_t n = 0; n < frame_size; n++)
			*at(frame_at + n) = frame(n);
	}

	/* A broadcast of a type for experiments. */
	static std::byte frame(std::uint32_t n)
	{
		return n < 6	 ? std::byte(0xff)
		       : n == 6	 ? std::byte(2)
		       : n == 12 ? std::byte(0x88)
		       : n == 13 ? std::byte(0xb5)
				 : std::byte(n);
	}
	std::byte *at(std::uint64_t iova) const
	{
		const VhostGuest::Page &page = guest.pages.at(iova & ~(page_size - 1));

		return reinterpret_cast<std::byte *>(page.address) + iova % page_size;
	}
	/* Makes the only chain available once more. */
	void post() const
	{
		auto *available = reinterpret_cast<Available *>(at(available_at));

		available->ring[available->index % entries] = 0;
		__atomic_store_n(&available->index, available->index + 1,
				 __ATOMIC_RELEASE);
	}
	std::uint16_t used() const
	{
		return __atomic_load_n(
			&reinterpret_cast<const Used *>(at(used_at))->index,
			__ATOMIC_ACQUIRE);
	}

	VhostGuest guest;

    private:
	Memory memory{6 * page_size};
};

/* What a kick does, in our place. */
class OurDevice {
    public:
	OurDevice()
		: iotlb(context, iotlb_alloc(0, IOMMUKIT_IOTLB_TARGET_UVA)),
		  client(context, iotlb.id()), reader(client)
	{
	}

	int fd() const { return iotlb.channel.fd(); }
	void start(const VhostServer &) {}
	std::uint64_t sent() const { return frames; }
	Errno kick()
	{
		Available available;
		Descriptor chain[entries];
		Errno error = reader.translate(descriptors_at, sizeof(chain)).error;

		/* The ring as a whole comes first. */
		if (error == ok)
			error = reader.translate(available_at, sizeof(available)).error;
		if (error == ok)
			error = reader.translate(used_at, sizeof(Used), perm_write).error;
		if (error == ok)
			error = reader.try_read(available_at, &available,
						sizeof(available));
		if (error == ok)
			error = reader.try_read(descriptors_at, chain, sizeof(chain));
		while (error == ok && done != available.index)
			error = send(chain, available.ring[done % entries]);
		return error;
	}

    private:
	Errno send(const Descriptor *chain, std::uint16_t head)
	{
		std::vector<std::byte> packet;
		std::uint16_t at = head;
		const std::uint64_t element = head;

		for (;;) {
			const std::size_t before = packet.size();

			packet.resize(before + chain[at].length);
			const Errno error =
				reader.try_read(chain[at].address, packet.data() + before,
						chain[at].length);
			if (error != ok)
				return error;
			if (!(chain[at].flags & has_next))
				break;
			at = chain[at].next;
		}
		bool whole = packet.size() == header_size + frame_size;
		for (std::uint32_t n = 0; whole && n < frame_size; n++)
			whole = packet[header_size + n] == Driver::frame(n);
		frames += whole;
		Errno error = reader.try_write(used_at + offsetof(Used, ring) +
						       done % entries * sizeof(element),
					       &element, sizeof(element));
		done++;
		if (error == ok)
			error = reader.try_write(used_at + offsetof(Used, index), &done,
						 sizeof(done));
		return error;
	}

	Context context;
	Iotlb iotlb;
	IotlbClient client;
	Reader reader;
	std::uint16_t done = 0;
	std::uint64_t frames = 0;
};

/* The end of a tap that leads into the kernel's network. */
class Tap {
    public:
	Tap() : file(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC))
	{
		const int header = header_size, room = INT_MAX;
		ifreq request{};

		REQUIRE(file);
		std::strcpy(request.ifr_name, "box%d");
		request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
		REQUIRE(ioctl(fd(), TUNSETIFF, &request) == 0);
		name = request.ifr_name;
		REQUIRE(ioctl(fd(), TUNSETVNETHDRSZ, &header) == 0);
		REQUIRE(ioctl(fd(), TUNSETSNDBUF, &room) == 0);
		const Fd any(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
		request.ifr_flags = IFF_UP;
		REQUIRE(ioctl(any.get(), SIOCSIFFLAGS, &request) == 0);
	}

	int fd() const { return file.get(); }
	std::uint64_t received() const
	{
		std::ifstream counter("/sys/class/net/" + name +
				      "/statistics/rx_packets");
		std::uint64_t value = 0;

		counter >> value;
		return value;
	}

    private:
	Fd file;
	std::string name;
};

class VhostNet {
    public:
	VhostNet()
		: device(open("/dev/vhost-net", O_RDWR | O_CLOEXEC)),
		  kicked(eventfd(0, EFD_CLOEXEC)), called(eventfd(0, EFD_CLOEXEC))
	{
		const vhost_memory nothing{};
		const std::uint64_t features =
			1UL << VIRTIO_F_VERSION_1 | 1UL << VIRTIO_F_ACCESS_PLATFORM;
		std::uint64_t offered = 0;

		REQUIRE(device);
		REQUIRE(ioctl(fd(), VHOST_SET_OWNER) == 0);
		REQUIRE(ioctl(fd(), VHOST_GET_FEATURES, &offered) == 0);
		REQUIRE((offered & features) == features);
		REQUIRE(ioctl(fd(), VHOST_SET_FEATURES, &features) == 0);
		/* It wants a table of its memory, although it does not go by that. */
		REQUIRE(ioctl(fd(), VHOST_SET_MEM_TABLE, &nothing) == 0);
	}

	int fd() const { return device.get(); }
	void start(const VhostServer &server)
	{
		vhost_vring_state state{transmit, entries};
		vhost_vring_addr address{};
		vhost_vring_file file{transmit, kicked.get()};

		REQUIRE(ioctl(fd(), VHOST_SET_VRING_NUM, &state) == 0);
		state.num = 0;
		REQUIRE(ioctl(fd(), VHOST_SET_VRING_BASE, &state) == 0);
		address.index = transmit;
		address.desc_user_addr = descriptors_at;
		address.avail_user_addr = available_at;
		address.used_user_addr = used_at;
		REQUIRE(ioctl(fd(), VHOST_SET_VRING_ADDR, &address) == 0);
		REQUIRE(ioctl(fd(), VHOST_SET_VRING_KICK, &file) == 0);
		file.fd = called.get();
		REQUIRE(ioctl(fd(), VHOST_SET_VRING_CALL, &file) == 0);
		/* This one writes to the ring, and does not wait. */
		REQUIRE(server.update(used_at));
		file.fd = tap.fd();
		REQUIRE(ioctl(fd(), VHOST_NET_SET_BACKEND, &file) == 0);
	}
	std::uint64_t sent() const { return tap.received(); }
	Errno kick()
	{
		std::uint64_t one = 1;
		pollfd wait{.fd = called.get(), .events = POLLIN, .revents = 0};

		if (write(kicked.get(), &one, sizeof(one)) != sizeof(one))
			return Errno{errno};
		if (poll(&wait, 1, 60000) != 1)
			return Errno{ETIME};
		return read(called.get(), &one, sizeof(one)) == sizeof(one)
			       ? ok
			       : Errno{errno};
	}

    private:
	static constexpr unsigned int transmit = 1;

	Tap tap;
	Fd device, kicked, called;
};

void need_vhost_net()
{
	for (const char *name : {"tun", "vhost_net"})
		if (std::system(
			    ("modprobe " + std::string(name) + " 2>/dev/null").c_str()) !=
		    0)
			skip("this kernel has no module " + std::string(name));
	REQUIRE(wait_until(
		[] { return exists("/dev/net/tun") && exists("/dev/vhost-net"); }));
}

/* What a device asks for when it is kicked and nothing is known. */
template <class Device> std::vector<vhost_iotlb_msg> misses_of(bool second)
{
	const Driver driver;
	Device device;
	VhostServer server(device.fd(), driver.guest, second);

	device.start(server);
	/* Starting may have been reason enough to look at the ring. */
	driver.post();
	REQUIRE(device.kick() == ok);
	CHECK(driver.used() == 1);
	for (const auto &[iova, page] : driver.guest.pages)
		REQUIRE(server.invalidate(iova, page_size));
	server.forget();
	driver.post();
	REQUIRE(device.kick() == ok);
	CHECK(driver.used() == 2);
	CHECK(wait_until([&] { return device.sent() == 2; }));
	/* Those that are known are not asked for. */
	const auto asked = server.asked();
	driver.post();
	REQUIRE(device.kick() == ok);
	CHECK(driver.used() == 3);
	CHECK(server.asked().size() == asked.size());
	return asked;
}

void check_misses(const std::vector<vhost_iotlb_msg> &asked)
{
	REQUIRE(asked.size() == 6);
	CHECK(reads_as(asked[0], descriptors_at, VHOST_ACCESS_RO));
	CHECK(reads_as(asked[1], available_at, VHOST_ACCESS_RO));
	CHECK(reads_as(asked[2], used_at, VHOST_ACCESS_WO));
	CHECK(reads_as(asked[3], header_at, VHOST_ACCESS_RO));
	CHECK(reads_as(asked[4], frame_at, VHOST_ACCESS_RO));
	CHECK(reads_as(asked[5], 0x51000, VHOST_ACCESS_RO));
}

bool equal(const vhost_iotlb_msg &one, const vhost_iotlb_msg &other)
{
	return one.iova == other.iova && one.size == other.size &&
	       one.uaddr == other.uaddr && one.perm == other.perm &&
	       one.type == other.type;
}

} // namespace

TEST_CASE("what a device with an IOTLB asks for when it is kicked")
{
	for (const bool second : {false, true}) {
		INFO((second ? "second" : "first") << " format");
		check_misses(misses_of<OurDevice>(second));
	}
}

TEST_CASE("vhost-net asks for the same")
{
	need_vhost_net();
	for (const bool second : {false, true}) {
		INFO((second ? "second" : "first") << " format");
		const auto theirs = misses_of<VhostNet>(second);
		const auto ours = misses_of<OurDevice>(second);

		check_misses(theirs);
		REQUIRE(ours.size() == theirs.size());
		for (std::size_t n = 0; n < ours.size(); n++) {
			INFO("miss " << n);
			CHECK(equal(ours[n], theirs[n]));
		}
	}
}

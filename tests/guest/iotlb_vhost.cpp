// SPDX-License-Identifier: GPL-2.0-only
#include "iotlb_vhost.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstring>

namespace guest {

VhostServer::VhostServer(int channel, const VhostGuest &guest, bool second)
	: fd(channel), table(guest), v2(second), stopper(eventfd(0, EFD_CLOEXEC))
{
	if (v2)
		REQUIRE(ioctl(fd, VHOST_SET_BACKEND_FEATURES, &vhost_v2) == 0);
	REQUIRE(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	thread = std::jthread([this] { run(); });
}

void VhostServer::stop()
{
	const std::uint64_t one = 1;

	if (thread.joinable() && write(stopper.get(), &one, sizeof(one)) > 0)
		thread.join();
}

bool VhostServer::update(std::uint64_t page) const
{
	const auto found = table.pages.find(page);
	vhost_iotlb_msg update{};

	/* Such a server says nothing about what is not mapped. */
	if (found == table.pages.end())
		return false;
	update.iova = page;
	update.size = page_size;
	update.uaddr = found->second.address;
	update.perm = found->second.writeable ? VHOST_ACCESS_RW : VHOST_ACCESS_RO;
	update.type = VHOST_IOTLB_UPDATE;
	return send(update);
}

bool VhostServer::invalidate(std::uint64_t iova, std::uint64_t size) const
{
	vhost_iotlb_msg message{};

	message.iova = iova;
	message.size = size;
	message.type = VHOST_IOTLB_INVALIDATE;
	return send(message);
}

std::vector<vhost_iotlb_msg> VhostServer::asked()
{
	const std::lock_guard guard(lock);

	return misses;
}

void VhostServer::forget()
{
	const std::lock_guard guard(lock);

	misses.clear();
}

void VhostServer::run()
{
	pollfd wait[] = {{.fd = fd, .events = POLLIN, .revents = 0},
			 {.fd = stopper.get(), .events = POLLIN, .revents = 0}};
	vhost_iotlb_msg message;

	while (poll(wait, 2, -1) > 0 && !wait[1].revents)
		while (receive(message))
			answer(message);
}

bool VhostServer::receive(vhost_iotlb_msg &message) const
{
	if (!v2) {
		vhost_msg first;

		if (read(fd, &first, sizeof(first)) <= 0)
			return false;
		message = first.iotlb;
		return first.type == VHOST_IOTLB_MSG;
	}
	vhost_msg_v2 second;

	if (read(fd, &second, sizeof(second)) <= 0)
		return false;
	message = second.iotlb;
	return second.type == VHOST_IOTLB_MSG_V2 && second.asid == 0;
}

bool VhostServer::send(const vhost_iotlb_msg &message) const
{
	/* As some do, with whatever was in memory behind the message. */
	vhost_msg first;
	vhost_msg_v2 second;

	std::memset(static_cast<void *>(&first), 0xa5, sizeof(first));
	std::memset(static_cast<void *>(&second), 0xa5, sizeof(second));
	first.type = VHOST_IOTLB_MSG;
	first.iotlb = message;
	second.type = VHOST_IOTLB_MSG_V2;
	second.asid = 0;
	second.iotlb = message;
	return v2 ? write(fd, &second, sizeof(second)) == sizeof(second)
		  : write(fd, &first, sizeof(first)) == sizeof(first);
}

void VhostServer::answer(const vhost_iotlb_msg &miss)
{
	{
		const std::lock_guard guard(lock);

		misses.push_back(miss);
	}
	if (miss.type == VHOST_IOTLB_MISS)
		update(miss.iova & ~(page_size - 1));
}

bool reads_as(const vhost_iotlb_msg &miss, std::uint64_t iova, std::uint8_t perm)
{
	return miss.iova == iova && miss.perm == perm && miss.size == 0 &&
	       miss.uaddr == 0 && miss.type == VHOST_IOTLB_MISS;
}

} // namespace guest

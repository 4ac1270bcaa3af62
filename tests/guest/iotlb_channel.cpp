// SPDX-License-Identifier: GPL-2.0-only
#include "iotlb_channel.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

namespace guest {

namespace {

constexpr int limit_ms = 60000;

} // namespace

IotlbMessage message_of(iommukit_iotlb_op op, std::uint64_t iova, std::uint64_t length,
			std::uint16_t flags)
{
	IotlbMessage message{};

	message.type = IOMMUKIT_IOTLB_MSG_NATIVE;
	message.op = static_cast<std::uint8_t>(op);
	message.iova = iova;
	message.length = length;
	message.flags = flags;
	return message;
}

IotlbMessage update_of(std::uint64_t iova, std::uint64_t length, std::uint64_t target,
		       std::uint8_t perm, std::uint16_t flags)
{
	IotlbMessage message = message_of(IOMMUKIT_IOTLB_OP_UPDATE, iova, length, flags);

	message.target = target;
	message.perm = perm;
	return message;
}

IotlbMessage invalidate_of(std::uint64_t iova, std::uint64_t length, std::uint16_t flags)
{
	return message_of(IOMMUKIT_IOTLB_OP_INVALIDATE, iova, length, flags);
}

IotlbMessage answer_to(const IotlbMessage &miss, std::uint64_t iova, std::uint64_t length,
		       std::uint64_t target, std::uint8_t perm)
{
	IotlbMessage message = update_of(iova, length, target, perm);

	message.asid = miss.asid;
	message.cookie = miss.cookie;
	message.epoch = miss.epoch;
	return message;
}

IotlbMessage denial_of(const IotlbMessage &miss, int status)
{
	IotlbMessage message =
		message_of(IOMMUKIT_IOTLB_OP_ACCESS_FAIL, miss.iova, miss.length);

	message.asid = miss.asid;
	message.perm = miss.perm;
	message.cookie = miss.cookie;
	message.status = status;
	return message;
}

iommukit_iotlb_chan_config chan_config()
{
	auto cmd = command<iommukit_iotlb_chan_config>();

	cmd.eventfd = IOMMUKIT_IOTLB_EVENTFD_KEEP;
	return cmd;
}

Errno Channel::try_configure(iommukit_iotlb_chan_config &cmd) const
{
	return call(fd(), IOMMUKIT_IOTLB_CHAN_CONFIG, &cmd);
}

void Channel::configure(std::uint64_t features, std::uint32_t ring_entries,
			int eventfd) const
{
	auto cmd = chan_config();

	cmd.format = IOMMUKIT_IOTLB_MSG_NATIVE;
	cmd.features = features;
	cmd.ring_entries = ring_entries;
	cmd.eventfd = eventfd;
	REQUIRE(try_configure(cmd) == ok);
}

Errno Channel::try_acknowledge(std::uint64_t features) const
{
	return call(fd(), IOMMUKIT_IOTLB_SET_BACKEND_FEATURES, &features);
}

Errno Channel::try_kick() const
{
	auto cmd = command<iommukit_iotlb_chan_kick>();

	return call(fd(), IOMMUKIT_IOTLB_CHAN_KICK, &cmd);
}

Errno Channel::try_info(iommukit_iotlb_chan_info &cmd) const
{
	return call(fd(), IOMMUKIT_IOTLB_CHAN_INFO, &cmd);
}

iommukit_iotlb_chan_info Channel::info(std::uint32_t asid) const
{
	auto cmd = command<iommukit_iotlb_chan_info>();

	cmd.asid = asid;
	REQUIRE(try_info(cmd) == ok);
	return cmd;
}

void Channel::set_nonblocking() const
{
	REQUIRE(fcntl(fd(), F_SETFL, O_NONBLOCK) == 0);
}

Errno Channel::try_read(void *to, std::size_t length, std::size_t *done) const
{
	const ssize_t result = read(fd(), to, length);

	if (result < 0)
		return Errno{errno};
	if (done)
		*done = static_cast<std::size_t>(result);
	return ok;
}

Errno Channel::try_write(const void *from, std::size_t length, std::size_t *done) const
{
	const ssize_t result = write(fd(), from, length);

	if (result < 0)
		return Errno{errno};
	if (done)
		*done = static_cast<std::size_t>(result);
	return ok;
}

short Channel::events() const
{
	pollfd wait{.fd = fd(), .events = POLLIN | POLLOUT, .revents = 0};

	static_assert(POLLIN == POLLIN_EVENT);
	REQUIRE(poll(&wait, 1, 0) >= 0);
	return wait.revents;
}

Errno Channel::try_send(const std::vector<IotlbMessage> &messages) const
{
	const std::size_t length = messages.size() * sizeof(messages[0]);
	std::size_t done = 0;
	const Errno error = try_write(messages.data(), length, &done);

	if (error != ok)
		return error;
	return done == length ? ok : Errno{EIO};
}

Errno Channel::try_send(const IotlbMessage &message) const
{
	return try_send(std::vector{message});
}

void Channel::send(const IotlbMessage &message) const
{
	REQUIRE(try_send(message) == ok);
}

/* A miss that was seen may be withdrawn before it is read. */
Errno Channel::try_next(IotlbMessage *message) const
{
	pollfd wait{.fd = fd(), .events = POLLIN, .revents = 0};
	std::size_t done = 0;
	Errno error;

	do {
		if (poll(&wait, 1, limit_ms) != 1)
			return Errno{ETIME};
		error = try_read(message, sizeof(*message), &done);
	} while (error == Errno{EAGAIN});
	if (error != ok)
		return error;
	return done == sizeof(*message) ? ok : Errno{EIO};
}

IotlbMessage Channel::next() const
{
	IotlbMessage message{};

	REQUIRE(try_next(&message) == ok);
	return message;
}

Server::Server(const Channel &channel, Serve serve) : stopper(eventfd(0, EFD_CLOEXEC))
{
	channel.set_nonblocking();
	thread = std::thread(
		[this, &channel, serve = std::move(serve)] { run(channel, serve); });
}

void Server::stop()
{
	const std::uint64_t one = 1;

	if (!thread.joinable())
		return;
	if (write(stopper.get(), &one, sizeof(one)) == sizeof(one))
		thread.join();
}

void Server::run(const Channel &channel, const Serve &serve)
{
	pollfd wait[] = {{.fd = channel.fd(), .events = POLLIN, .revents = 0},
			 {.fd = stopper.get(), .events = POLLIN, .revents = 0}};
	IotlbMessage message;

	while (poll(wait, 2, -1) > 0 && !wait[1].revents) {
		const Errno error = channel.try_read(&message, sizeof(message));

		if (error == ok) {
			messages++;
			serve(message);
		} else if (error != Errno{EAGAIN}) {
			return;
		}
	}
}

Server::Serve serve_pages(const Channel &channel, std::uint64_t target, std::uint8_t perm)
{
	return [&channel, target, perm](const IotlbMessage &miss) {
		const std::uint64_t iova = miss.iova & ~(page_size - 1);

		/* What is refused, as stale, is asked for once more. */
		(void)channel.try_send(
			answer_to(miss, iova, page_size, target + iova, perm));
	};
}

} // namespace guest

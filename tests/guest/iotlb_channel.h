// SPDX-License-Identifier: GPL-2.0-only
/* The channel of an IOTLB, and who serves it. */
#pragma once

#include "kit.h"

#include <atomic>
#include <optional>
#include <thread>

namespace guest {

using IotlbMessage = iommukit_iotlb_msg;

constexpr std::uint8_t perm_read = IOMMUKIT_IOTLB_PERM_READ;
constexpr std::uint8_t perm_write = IOMMUKIT_IOTLB_PERM_WRITE;
constexpr std::uint8_t perm_rw = IOMMUKIT_IOTLB_PERM_RW;

/* Native messages. */
IotlbMessage message_of(iommukit_iotlb_op op, std::uint64_t iova = 0,
			std::uint64_t length = 0, std::uint16_t flags = 0);
IotlbMessage update_of(std::uint64_t iova, std::uint64_t length, std::uint64_t target,
		       std::uint8_t perm = perm_rw, std::uint16_t flags = 0);
IotlbMessage invalidate_of(std::uint64_t iova, std::uint64_t length,
			   std::uint16_t flags = 0);
/* The UPDATE that answers a miss, with its cookie and epoch. */
IotlbMessage answer_to(const IotlbMessage &miss, std::uint64_t iova, std::uint64_t length,
		       std::uint64_t target, std::uint8_t perm = perm_rw);
/* Denies it, for that errno. */
IotlbMessage denial_of(const IotlbMessage &miss, int status);

/* A CHAN_CONFIG that changes nothing. */
iommukit_iotlb_chan_config chan_config();

/* Methods that return an Errno may be called in any thread, the others assert. */
class Channel {
    public:
	Channel() = default;
	explicit Channel(Fd channel) : channel(std::move(channel)) {}

	int fd() const { return channel.get(); }
	void close() { channel.reset(); }

	Errno try_configure(iommukit_iotlb_chan_config &cmd) const;
	/* Native messages, from now on. */
	void configure(std::uint64_t features = 0, std::uint32_t ring_entries = 0,
		       int eventfd = IOMMUKIT_IOTLB_EVENTFD_KEEP) const;
	/* VHOST_SET_BACKEND_FEATURES */
	Errno try_acknowledge(std::uint64_t features) const;
	Errno try_kick() const;
	Errno try_info(iommukit_iotlb_chan_info &cmd) const;
	iommukit_iotlb_chan_info info(std::uint32_t asid = 0) const;
	void set_nonblocking() const;

	/* read() and write() as they are; @done gets their result. */
	Errno try_read(void *to, std::size_t length, std::size_t *done = nullptr) const;
	Errno try_write(const void *from, std::size_t length,
			std::size_t *done = nullptr) const;
	/* What poll tells at once. */
	short events() const;
	bool quiet() const { return !(events() & POLLIN_EVENT); }

	/* In one write; EIO if a part was taken only. */
	Errno try_send(const std::vector<IotlbMessage> &messages) const;
	Errno try_send(const IotlbMessage &message) const;
	void send(const IotlbMessage &message) const;
	/* Waits for a native message. */
	Errno try_next(IotlbMessage *message) const;
	IotlbMessage next() const;

    private:
	static constexpr short POLLIN_EVENT = 1;

	Fd channel;
};

/*
 * A thread that is given each native message of a channel, which does not block from
 * then on, until it is stopped.
 */
class Server {
    public:
	using Serve = std::function<void(const IotlbMessage &message)>;

	Server(const Channel &channel, Serve serve);
	Server(const Server &) = delete;
	Server &operator=(const Server &) = delete;
	~Server() { stop(); }

	void stop();
	/* How many messages it was given. */
	unsigned int served() const { return messages; }

    private:
	void run(const Channel &channel, const Serve &serve);

	Fd stopper;
	std::atomic<unsigned int> messages = 0;
	std::thread thread;
};

/* Answers each miss with the page around it, to the same offset behind @target. */
Server::Serve serve_pages(const Channel &channel, std::uint64_t target,
			  std::uint8_t perm = perm_rw);

} // namespace guest

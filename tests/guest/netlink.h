// SPDX-License-Identifier: GPL-2.0-only
/*
 * Generic netlink by hand, so that requests may be wrong: what the kernel answers to
 * them, and what it tells without being asked.
 */
#pragma once

#include "kit.h"

#include <linux/iommukit_netlink.h>

#include <deque>
#include <map>
#include <optional>

namespace guest {

/* A message of the family. */
struct NetlinkMessage {
	std::uint8_t command = 0;
	std::uint16_t flags = 0;
	std::map<unsigned int, std::vector<std::byte>> attributes;

	bool has(unsigned int attribute) const { return attributes.count(attribute); }
	/* Which must be there, and of that size. */
	std::uint32_t u32(unsigned int attribute) const;
	std::uint64_t u64(unsigned int attribute) const;
	std::string text(unsigned int attribute) const;
	/* An array of u64, and the attributes in an attribute. */
	std::vector<std::uint64_t> array(unsigned int attribute) const;
	NetlinkMessage nest(unsigned int attribute) const;
};

/* All that came upon a request. */
struct NetlinkAnswer {
	int error = 0;
	/* What the kernel says to that, and at which byte of the request. */
	std::string reason;
	std::optional<std::uint32_t> where;
	std::vector<NetlinkMessage> messages;
	bool interrupted = false;
};

/* A request, as wrong as one likes. */
class NetlinkRequest {
    public:
	NetlinkRequest(std::uint8_t command, std::uint16_t flags);

	NetlinkRequest &add(unsigned int type, const void *data, std::size_t length);
	NetlinkRequest &add(unsigned int type, std::uint32_t value)
	{
		return add(type, &value, sizeof(value));
	}
	NetlinkRequest &add_u64(unsigned int type, std::uint64_t value)
	{
		return add(type, &value, sizeof(value));
	}

	std::uint16_t flags;
	std::uint16_t reserved = 0;
	std::uint8_t command, version = IOMMUKIT_FAMILY_VERSION;
	std::vector<std::byte> payload;
	/* What the header says is so much longer than what there is. */
	std::int32_t longer = 0;
};

/* A socket, in the network namespace of the calling process. */
class Netlink {
    public:
	/* The family must be there. */
	Netlink();

	int fd() const { return sock.get(); }
	/* Of the family */
	std::uint16_t number() const { return family; }
	/* Events of a group come from now on. */
	void listen(int receive_buffer = 0,
		    const std::string &group = IOMMUKIT_NL_MCGRP_EVENTS);
	Errno try_listen(const std::string &group = IOMMUKIT_NL_MCGRP_EVENTS) const;
	/* So much is read at a time, and dumps come in parts of that size. */
	void read_at_once(std::size_t bytes) { room = bytes; }

	/* @between is called after each part of a long answer. */
	NetlinkAnswer ask(
		const NetlinkRequest &request,
		const std::function<void()> &between = [] {}) const;
	/* The next event, or why there is none: ENOBUFS if some are lost. */
	Errno try_next(NetlinkMessage *event) const;
	/* The next one of a kind; those of other kinds are dropped. */
	NetlinkMessage next(std::uint8_t command) const;
	/* Whether one comes at once. */
	bool quiet() const;
	/* What waits to be read, in bytes as the kernel counts them, and what was lost.
	 */
	struct Backlog {
		std::uint32_t bytes, room, lost;
	};
	Backlog backlog() const;

    private:
	void send(const NetlinkRequest &request, std::uint32_t seq) const;

	Fd sock;
	std::uint16_t family = 0;
	std::map<std::string, std::uint32_t> groups;
	std::size_t room = 4096;
	mutable std::uint32_t last_seq = 1;
	mutable std::deque<NetlinkMessage> read_ahead;
};

constexpr std::uint16_t netlink_do = 0;
/* NLM_F_DUMP */
constexpr std::uint16_t netlink_dump = 0x300;

/* What is said of a context, which must be there. */
NetlinkMessage context_facts(const Netlink &netlink, std::uint32_t id);
/* What is said of an object, which must be there; and what it says itself in a nest. */
NetlinkMessage object_facts(const Netlink &netlink, std::uint32_t context,
			    std::uint32_t id);
NetlinkMessage object_state(const Netlink &netlink, std::uint32_t context,
			    std::uint32_t id, unsigned int nest);
/* Numbers of the contexts that a process has opened, which must be one at least. */
std::vector<std::uint32_t> contexts_of(const Netlink &netlink, pid_t pid);
/* The number of the one context that this process has opened last. */
std::uint32_t last_context(const Netlink &netlink);

/* Enough for some parts of a dump, and not more than a slow machine can make. */
std::uint64_t many();
NetlinkRequest areas_of(std::uint32_t context, std::uint32_t ioas);
NetlinkRequest entries_of(std::uint32_t context, std::uint32_t iotlb);

} // namespace guest

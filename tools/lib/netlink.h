// SPDX-License-Identifier: GPL-2.0-only
// A socket of the module's generic netlink family: requests, dumps that are repeated
// until nothing came or went under them, and events. What did not come from the kernel is
// ignored: any process of root can send messages to any socket.
#pragma once

#include <linux/iommukit_netlink.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

struct nl_sock;

namespace iommukit {

// The attributes of a message that are there, and of the size they should have.
class NetlinkMessage {
    public:
	std::uint8_t command = 0;
	std::map<int, std::vector<std::byte>> attributes = {};

	std::optional<std::uint32_t> u32(int attribute) const;
	std::optional<std::uint64_t> u64(int attribute) const;
	std::string text(int attribute) const;
	// The numbers of an array; none of one whose size cannot be.
	std::vector<std::uint64_t> array(int attribute) const;
	// The attributes in a nest.
	std::optional<NetlinkMessage> nest(int attribute) const;
};

struct NetlinkAttribute {
	int type;
	std::variant<std::uint32_t, std::uint64_t> value;
};

// What has come to a socket and was not read.
struct NetlinkBacklog {
	// Not more than so many messages
	std::uint32_t waiting = 0;
	// So many there was no room for; it wraps.
	std::uint32_t lost = 0;
};

class NetlinkSocket {
    public:
	// Throws Error: command "netlink" with ENOENT if there is no such family, which
	// is as long as the module is not loaded.
	NetlinkSocket();

	int fd() const noexcept;

	// The answer to a request. A refusal is thrown as an Error of @name, in which the
	// path is what the kernel says to it.
	NetlinkMessage ask(const char *name, std::uint8_t command,
			   const std::vector<NetlinkAttribute> &attributes);
	std::vector<NetlinkMessage> dump(const char *name, std::uint8_t command,
					 const std::vector<NetlinkAttribute> &attributes);

	// Events of the groups come from now on; no requests are made then. EPERM if the
	// process may not listen to one.
	void join(const std::vector<const char *> &groups);
	// Some of what has come, or nothing if nothing has: it does not wait. nullopt:
	// some were lost, since too little was read, or the kernel was short of memory.
	// Throws Error: command "netlink" with ENODEV if the module was unloaded: nothing
	// comes any more then, also if it is loaded again.
	std::optional<std::vector<NetlinkMessage>> receive();
	NetlinkBacklog backlog() const;

    private:
	struct Free {
		void operator()(nl_sock *sock) const noexcept;
	};

	std::unique_ptr<nl_sock, Free> sock_;
	int family_ = 0;
};

} // namespace iommukit

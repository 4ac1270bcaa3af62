// SPDX-License-Identifier: GPL-2.0-only
#include "netlink.h"

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <source_location>
#include <stdexcept>

namespace guest {

namespace {

/* No longer event comes. */
constexpr std::size_t most_of_event = 4096;
constexpr int limit_ms = 60000;

using Bytes = std::vector<std::byte>;
using Attributes = std::map<unsigned int, Bytes>;

Attributes parse(const std::byte *data, std::size_t length)
{
	Attributes found;

	while (length >= NLA_HDRLEN) {
		nlattr head;

		std::memcpy(&head, data, sizeof(head));
		if (head.nla_len < NLA_HDRLEN || head.nla_len > length)
			throw std::runtime_error("the kernel sent a broken attribute");
		found[head.nla_type & NLA_TYPE_MASK] =
			Bytes(data + NLA_HDRLEN, data + head.nla_len);
		const std::size_t step =
			std::min<std::size_t>(NLA_ALIGN(head.nla_len), length);
		data += step;
		length -= step;
	}
	return found;
}

/* Threads look on as well, and REQUIRE() is for one of them only. */
void need(bool good, std::source_location where = std::source_location::current())
{
	if (!good)
		throw std::runtime_error("not as it has to be, " +
					 std::string(where.file_name()) + ":" +
					 std::to_string(where.line()));
}

const Bytes &required(const Attributes &attributes, unsigned int attribute)
{
	auto it = attributes.find(attribute);

	if (it == attributes.end())
		throw std::runtime_error("no attribute " + std::to_string(attribute));
	return it->second;
}

template <class T> T value_of(const Bytes &bytes)
{
	T value{};

	need(bytes.size() == sizeof(value));
	std::memcpy(&value, bytes.data(), sizeof(value));
	return value;
}

std::string text_of(const Bytes &bytes)
{
	return reinterpret_cast<const char *>(bytes.data());
}

NetlinkMessage message_of(const nlmsghdr &head, const std::byte *payload)
{
	const std::size_t length = head.nlmsg_len - NLMSG_HDRLEN;
	NetlinkMessage message;

	message.flags = head.nlmsg_flags;
	message.command = std::to_integer<std::uint8_t>(payload[0]);
	message.attributes = parse(payload + GENL_HDRLEN, length - GENL_HDRLEN);
	return message;
}

/* An error, or the end of a dump. */
void take_end(const nlmsghdr &head, const std::byte *payload, NetlinkAnswer &answer)
{
	std::size_t skip = sizeof(int);
	int error;

	std::memcpy(&error, payload, sizeof(error));
	answer.error = -error;
	if (head.nlmsg_type == NLMSG_ERROR) {
		skip = sizeof(nlmsgerr);
		if (!(head.nlmsg_flags & NLM_F_CAPPED)) {
			nlmsgerr whole;

			std::memcpy(&whole, payload, sizeof(whole));
			skip += NLMSG_ALIGN(whole.msg.nlmsg_len) - NLMSG_HDRLEN;
		}
	}
	if (!(head.nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	const Attributes more =
		parse(payload + skip, head.nlmsg_len - NLMSG_HDRLEN - skip);
	if (more.count(NLMSGERR_ATTR_MSG))
		answer.reason = text_of(more.at(NLMSGERR_ATTR_MSG));
	if (more.count(NLMSGERR_ATTR_OFFS))
		answer.where = value_of<std::uint32_t>(more.at(NLMSGERR_ATTR_OFFS));
}

/* Calls @take for each message in @data until it returns false, and returns that. */
template <class Take>
bool each_message(const std::byte *data, std::size_t length, Take take)
{
	while (length >= NLMSG_HDRLEN) {
		nlmsghdr head;

		std::memcpy(&head, data, sizeof(head));
		need(head.nlmsg_len >= NLMSG_HDRLEN);
		need(head.nlmsg_len <= length);
		if (!take(head, data + NLMSG_HDRLEN))
			return false;
		const std::size_t step =
			std::min<std::size_t>(NLMSG_ALIGN(head.nlmsg_len), length);
		data += step;
		length -= step;
	}
	return true;
}

bool readable(int fd, int timeout_ms)
{
	pollfd poll_for{fd, POLLIN, 0};

	return poll(&poll_for, 1, timeout_ms) == 1;
}

} // namespace

/* ---- messages ---- */

std::uint32_t NetlinkMessage::u32(unsigned int attribute) const
{
	return value_of<std::uint32_t>(required(attributes, attribute));
}

std::uint64_t NetlinkMessage::u64(unsigned int attribute) const
{
	return value_of<std::uint64_t>(required(attributes, attribute));
}

std::string NetlinkMessage::text(unsigned int attribute) const
{
	return text_of(required(attributes, attribute));
}

std::vector<std::uint64_t> NetlinkMessage::array(unsigned int attribute) const
{
	const Bytes &bytes = required(attributes, attribute);
	std::vector<std::uint64_t> values(bytes.size() / sizeof(std::uint64_t));

	need(bytes.size() % sizeof(std::uint64_t) == 0);
	std::memcpy(values.data(), bytes.data(), bytes.size());
	return values;
}

NetlinkMessage NetlinkMessage::nest(unsigned int attribute) const
{
	NetlinkMessage inner;
	const Bytes &bytes = required(attributes, attribute);

	inner.attributes = parse(bytes.data(), bytes.size());
	return inner;
}

NetlinkRequest::NetlinkRequest(std::uint8_t command, std::uint16_t flags)
	: flags(flags), command(command)
{
}

NetlinkRequest &NetlinkRequest::add(unsigned int type, const void *data,
				    std::size_t length)
{
	const nlattr head{static_cast<std::uint16_t>(NLA_HDRLEN + length),
			  static_cast<std::uint16_t>(type)};
	const auto *from = reinterpret_cast<const std::byte *>(&head);

	payload.insert(payload.end(), from, from + sizeof(head));
	from = static_cast<const std::byte *>(data);
	payload.insert(payload.end(), from, from + length);
	payload.resize(NLA_ALIGN(payload.size()));
	return *this;
}

/* ---- the socket ---- */

Netlink::Netlink() : sock(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC))
{
	const int on = 1;
	NetlinkRequest request(CTRL_CMD_GETFAMILY, netlink_do);

	need(static_cast<bool>(sock));
	need(setsockopt(fd(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)) == 0);
	need(setsockopt(fd(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) == 0);
	family = GENL_ID_CTRL;
	request.add(CTRL_ATTR_FAMILY_NAME, IOMMUKIT_FAMILY_NAME,
		    sizeof(IOMMUKIT_FAMILY_NAME));
	const NetlinkAnswer answer = ask(request);
	need(answer.error == 0);
	need(answer.messages.size() == 1);
	const NetlinkMessage &info = answer.messages[0];
	family = value_of<std::uint16_t>(info.attributes.at(CTRL_ATTR_FAMILY_ID));
	need(info.u32(CTRL_ATTR_VERSION) == IOMMUKIT_FAMILY_VERSION);
	const Bytes &all = info.attributes.at(CTRL_ATTR_MCAST_GROUPS);
	for (const auto &[number, one] : parse(all.data(), all.size())) {
		const Attributes about = parse(one.data(), one.size());

		groups[text_of(about.at(CTRL_ATTR_MCAST_GRP_NAME))] =
			value_of<std::uint32_t>(about.at(CTRL_ATTR_MCAST_GRP_ID));
	}
	need(groups.size() == 2);
}

void Netlink::listen(int receive_buffer, const std::string &group)
{
	if (receive_buffer)
		need(setsockopt(fd(), SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer,
				sizeof(receive_buffer)) == 0);
	need(try_listen(group) == ok);
}

Errno Netlink::try_listen(const std::string &group) const
{
	const std::uint32_t number = groups.at(group);

	return Errno{setsockopt(fd(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &number,
				sizeof(number))
			     ? errno
			     : 0};
}

void Netlink::send(const NetlinkRequest &request, std::uint32_t seq) const
{
	nlmsghdr head{};
	genlmsghdr general{request.command, request.version, request.reserved};
	Bytes bytes(NLMSG_HDRLEN + GENL_HDRLEN);

	head.nlmsg_len = bytes.size() + request.payload.size() + request.longer;
	head.nlmsg_type = family;
	/* Each answer ends with an acknowledgement, or with the end of a dump. */
	head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | request.flags;
	head.nlmsg_seq = seq;
	std::memcpy(bytes.data(), &head, sizeof(head));
	std::memcpy(bytes.data() + NLMSG_HDRLEN, &general, sizeof(general));
	bytes.insert(bytes.end(), request.payload.begin(), request.payload.end());
	need(::send(fd(), bytes.data(), bytes.size(), 0) ==
	     static_cast<ssize_t>(bytes.size()));
}

NetlinkAnswer Netlink::ask(const NetlinkRequest &request,
			   const std::function<void()> &between) const
{
	const std::uint32_t seq = ++last_seq;
	NetlinkAnswer answer;
	Bytes bytes(room);
	bool more = true;

	send(request, seq);
	while (more) {
		need(readable(fd(), limit_ms));
		const ssize_t got = recv(fd(), bytes.data(), bytes.size(), MSG_TRUNC);

		need(got > 0);
		need(got <= static_cast<ssize_t>(bytes.size()));
		more = each_message(bytes.data(), got,
				    [&](const nlmsghdr &head, const std::byte *at) {
					    if (head.nlmsg_flags & NLM_F_DUMP_INTR)
						    answer.interrupted = true;
					    if (head.nlmsg_type >= NLMSG_MIN_TYPE) {
						    if (head.nlmsg_seq == seq)
							    answer.messages.push_back(
								    message_of(head, at));
						    else
							    read_ahead.push_back(
								    message_of(head, at));
						    return true;
					    }
					    take_end(head, at, answer);
					    return false;
				    });
		if (more)
			between();
	}
	return answer;
}

Errno Netlink::try_next(NetlinkMessage *event) const
{
	Bytes bytes(most_of_event);

	while (read_ahead.empty()) {
		if (!readable(fd(), limit_ms))
			return Errno{ETIMEDOUT};
		const ssize_t got = recv(fd(), bytes.data(), bytes.size(), 0);

		if (got < 0)
			return Errno{errno};
		each_message(bytes.data(), got,
			     [&](const nlmsghdr &head, const std::byte *at) {
				     read_ahead.push_back(message_of(head, at));
				     return true;
			     });
	}
	*event = read_ahead.front();
	read_ahead.pop_front();
	return ok;
}

NetlinkMessage Netlink::next(std::uint8_t command) const
{
	NetlinkMessage event;

	do {
		need(try_next(&event) == ok);
	} while (event.command != command);
	return event;
}

bool Netlink::quiet() const
{
	return read_ahead.empty() && !readable(fd(), 0);
}

Netlink::Backlog Netlink::backlog() const
{
	std::uint32_t info[SK_MEMINFO_VARS] = {};
	socklen_t size = sizeof(info);

	need(getsockopt(fd(), SOL_SOCKET, SO_MEMINFO, info, &size) == 0);
	return {info[SK_MEMINFO_RMEM_ALLOC], info[SK_MEMINFO_RCVBUF],
		info[SK_MEMINFO_DROPS]};
}

/* ---- what is asked often ---- */

NetlinkMessage context_facts(const Netlink &netlink, std::uint32_t id)
{
	const NetlinkAnswer answer =
		netlink.ask(NetlinkRequest(IOMMUKIT_NL_CMD_CONTEXT_GET, netlink_do)
				    .add(IOMMUKIT_NL_A_CONTEXT_ID, id));

	INFO(answer.reason);
	REQUIRE(answer.error == 0);
	REQUIRE(answer.messages.size() == 1);
	return answer.messages[0];
}

NetlinkMessage object_facts(const Netlink &netlink, std::uint32_t context,
			    std::uint32_t id)
{
	const NetlinkAnswer answer =
		netlink.ask(NetlinkRequest(IOMMUKIT_NL_CMD_OBJECT_GET, netlink_do)
				    .add(IOMMUKIT_NL_A_OBJECT_CONTEXT_ID, context)
				    .add(IOMMUKIT_NL_A_OBJECT_ID, id));

	INFO(answer.reason);
	REQUIRE(answer.error == 0);
	REQUIRE(answer.messages.size() == 1);
	return answer.messages[0];
}

NetlinkMessage object_state(const Netlink &netlink, std::uint32_t context,
			    std::uint32_t id, unsigned int nest)
{
	const NetlinkMessage facts = object_facts(netlink, context, id);

	for (unsigned int other = IOMMUKIT_NL_A_OBJECT_IOAS;
	     other <= IOMMUKIT_NL_A_OBJECT_MAX; other++)
		CHECK(facts.has(other) == (other == nest));
	return facts.nest(nest);
}

std::vector<std::uint32_t> contexts_of(const Netlink &netlink, pid_t pid)
{
	const NetlinkAnswer answer =
		netlink.ask(NetlinkRequest(IOMMUKIT_NL_CMD_CONTEXT_GET, netlink_dump));
	std::vector<std::uint32_t> found;

	REQUIRE(answer.error == 0);
	for (const NetlinkMessage &message : answer.messages)
		if (message.has(IOMMUKIT_NL_A_CONTEXT_PID) &&
		    message.u32(IOMMUKIT_NL_A_CONTEXT_PID) ==
			    static_cast<std::uint32_t>(pid))
			found.push_back(message.u32(IOMMUKIT_NL_A_CONTEXT_ID));
	REQUIRE(!found.empty());
	return found;
}

std::uint32_t last_context(const Netlink &netlink)
{
	const std::vector<std::uint32_t> mine = contexts_of(netlink, getpid());

	return *std::max_element(mine.begin(), mine.end());
}

std::uint64_t many()
{
	return 1000 / std::min(slowness(), 4U);
}

NetlinkRequest areas_of(std::uint32_t context, std::uint32_t ioas)
{
	return NetlinkRequest(IOMMUKIT_NL_CMD_AREA_GET, netlink_dump)
		.add(IOMMUKIT_NL_A_AREA_CONTEXT_ID, context)
		.add(IOMMUKIT_NL_A_AREA_IOAS_ID, ioas);
}

NetlinkRequest entries_of(std::uint32_t context, std::uint32_t iotlb)
{
	return NetlinkRequest(IOMMUKIT_NL_CMD_ENTRY_GET, netlink_dump)
		.add(IOMMUKIT_NL_A_ENTRY_CONTEXT_ID, context)
		.add(IOMMUKIT_NL_A_ENTRY_IOTLB_ID, iotlb);
}

} // namespace guest

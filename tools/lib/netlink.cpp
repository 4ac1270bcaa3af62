// SPDX-License-Identifier: GPL-2.0-only
// libnl calls back from within its receiving; nothing is thrown through it.
#include "netlink.h"

#include "error.h"

#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <new>

namespace iommukit {

namespace {

// So often is a dump repeated that something came or went under. Then it is taken as it
// is: on a machine where that goes on for ever nothing else can be had.
constexpr int patience = 20;

// Some thousand events
constexpr int event_buffer = 4 << 20;

// With its management no message occupies less.
constexpr std::uint32_t message_min = 256;

template <class T>
std::optional<T> value_of(const std::map<int, std::vector<std::byte>> &attributes,
			  int attribute)
{
	auto it = attributes.find(attribute);
	T value;

	if (it == attributes.end() || it->second.size() != sizeof(value))
		return std::nullopt;
	std::memcpy(&value, it->second.data(), sizeof(value));
	return value;
}

// What the callbacks of one receiving have seen.
struct Received {
	std::vector<NetlinkMessage> messages = {};
	std::string reason = {};
	int error = 0;
	bool over = false;
	// Its end is told by the family of families.
	int family = 0;
	bool gone = false;
	std::exception_ptr failure = {};
};

NetlinkMessage parse(std::uint8_t command, const nlattr *attr, int left)
{
	NetlinkMessage message;

	message.command = command;
	for (; nla_ok(attr, left); attr = nla_next(attr, &left)) {
		auto *data = static_cast<const std::byte *>(nla_data(attr));
		message.attributes[nla_type(attr)].assign(data, data + nla_len(attr));
	}
	return message;
}

NetlinkMessage parse(nl_msg *msg)
{
	auto *head = static_cast<genlmsghdr *>(nlmsg_data(nlmsg_hdr(msg)));

	return parse(head->cmd, genlmsg_attrdata(head, 0), genlmsg_attrlen(head, 0));
}

int take_message(nl_msg *msg, void *opaque)
{
	auto &received = *static_cast<Received *>(opaque);

	try {
		NetlinkMessage message = parse(msg);

		if (nlmsg_hdr(msg)->nlmsg_type != GENL_ID_CTRL)
			received.messages.push_back(std::move(message));
		else if (message.command == CTRL_CMD_DELFAMILY)
			received.gone |= value_of<std::uint16_t>(message.attributes,
								 CTRL_ATTR_FAMILY_ID) ==
					 received.family;
	} catch (...) {
		received.failure = std::current_exception();
		return NL_STOP;
	}
	return NL_OK;
}

// The sender's port is 0 for the kernel only.
int check_sender(nl_msg *msg, void *)
{
	return nlmsg_get_src(msg)->nl_pid ? NL_SKIP : NL_OK;
}

int any_sequence(nl_msg *, void *)
{
	return NL_OK;
}

// What the kernel says to a refusal is behind @skip bytes of the message.
std::string reason_of(const nlmsghdr *head, std::size_t skip)
{
	if (!(head->nlmsg_flags & NLM_F_ACK_TLVS))
		return {};
	int left = static_cast<int>(head->nlmsg_len - NLMSG_HDRLEN - skip);
	const auto *first = reinterpret_cast<const nlattr *>(
		static_cast<const char *>(nlmsg_data(head)) + skip);
	auto *text = left > 0 ? nla_find(first, left, NLMSGERR_ATTR_MSG) : nullptr;

	return text ? std::string(nla_get_string(text),
				  strnlen(nla_get_string(text), nla_len(text)))
		    : std::string();
}

// The end of a dump has an errno as well, which libnl does not look at.
int take_end(nl_msg *msg, void *opaque)
{
	auto &received = *static_cast<Received *>(opaque);
	const nlmsghdr *head = nlmsg_hdr(msg);
	int error = 0;

	received.over = true;
	if (head->nlmsg_type != NLMSG_DONE || nlmsg_datalen(head) < int(sizeof(error)))
		return NL_STOP;
	try {
		std::memcpy(&error, nlmsg_data(head), sizeof(error));
		received.error = -error;
		received.reason = reason_of(head, sizeof(error));
	} catch (...) {
		received.failure = std::current_exception();
	}
	return NL_STOP;
}

// There the request, or its header, lies between.
int take_error(sockaddr_nl *, nlmsgerr *error, void *opaque)
{
	auto &received = *static_cast<Received *>(opaque);
	const auto *head = reinterpret_cast<const nlmsghdr *>(
		reinterpret_cast<const char *>(error) - NLMSG_HDRLEN);
	std::size_t skip = sizeof(*error);

	try {
		received.error = -error->error;
		if (!(head->nlmsg_flags & NLM_F_CAPPED))
			skip += NLMSG_ALIGN(error->msg.nlmsg_len) - NLMSG_HDRLEN;
		received.reason = reason_of(head, skip);
	} catch (...) {
		received.failure = std::current_exception();
	}
	received.over = true;
	return NL_STOP;
}

struct FreeCallbacks {
	void operator()(nl_cb *cb) const noexcept { nl_cb_put(cb); }
};
using Callbacks = std::unique_ptr<nl_cb, FreeCallbacks>;

Callbacks callbacks(Received &received)
{
	Callbacks cb(nl_cb_alloc(NL_CB_CUSTOM));

	if (!cb)
		throw std::bad_alloc();
	nl_cb_set(cb.get(), NL_CB_MSG_IN, NL_CB_CUSTOM, check_sender, nullptr);
	nl_cb_set(cb.get(), NL_CB_VALID, NL_CB_CUSTOM, take_message, &received);
	nl_cb_set(cb.get(), NL_CB_FINISH, NL_CB_CUSTOM, take_end, &received);
	nl_cb_set(cb.get(), NL_CB_ACK, NL_CB_CUSTOM, take_end, &received);
	nl_cb_err(cb.get(), NL_CB_CUSTOM, take_error, &received);
	return cb;
}

// libnl has numbers of its own for what went wrong.
[[noreturn]] void fail(const char *name, int number)
{
	switch (-number) {
	case NLE_OBJ_NOTFOUND:
		throw Error(make_errno(ENOENT), name);
	case NLE_NOMEM:
		throw Error(make_errno(ENOMEM), name);
	case NLE_PERM:
	case NLE_NOACCESS:
		throw Error(make_errno(EPERM), name);
	case NLE_AF_NOSUPPORT:
		throw Error(make_errno(EAFNOSUPPORT), name);
	default:
		throw Error(make_errno(EPROTO), name, {.path = nl_geterror(number)});
	}
}

int check(const char *name, int result)
{
	if (result < 0)
		fail(name, result);
	return result;
}

struct FreeMessage {
	void operator()(nl_msg *msg) const noexcept { nlmsg_free(msg); }
};

void send(nl_sock *sock, const char *name, int family, int flags, std::uint8_t command,
	  const std::vector<NetlinkAttribute> &attributes)
{
	std::unique_ptr<nl_msg, FreeMessage> msg(nlmsg_alloc());

	if (!msg || !genlmsg_put(msg.get(), NL_AUTO_PORT, NL_AUTO_SEQ, family, 0,
				 flags | NLM_F_ACK, command, IOMMUKIT_FAMILY_VERSION))
		throw std::bad_alloc();
	for (const auto &attribute : attributes)
		std::visit(
			[&](const auto &value) {
				check(name, nla_put(msg.get(), attribute.type,
						    sizeof(value), &value));
			},
			attribute.value);
	check(name, nl_send_auto(sock, msg.get()));
}

// Until the kernel has said that this was all. Returns whether something changed
// meanwhile.
bool receive_all(nl_sock *sock, const char *name, Received &received)
{
	Callbacks cb = callbacks(received);
	bool changed = false;

	while (!received.over) {
		int result = nl_recvmsgs(sock, cb.get());

		if (received.failure)
			std::rethrow_exception(received.failure);
		if (result == -NLE_DUMP_INTR)
			changed = true;
		else if (result < 0 && !received.over && result != -NLE_INTR)
			fail(name, result);
	}
	if (received.error)
		throw Error(make_errno(received.error), name, {.path = received.reason});
	return changed;
}

} // namespace

std::optional<std::uint32_t> NetlinkMessage::u32(int attribute) const
{
	return value_of<std::uint32_t>(attributes, attribute);
}

std::optional<std::uint64_t> NetlinkMessage::u64(int attribute) const
{
	return value_of<std::uint64_t>(attributes, attribute);
}

std::string NetlinkMessage::text(int attribute) const
{
	auto it = attributes.find(attribute);

	if (it == attributes.end())
		return {};
	const auto *data = reinterpret_cast<const char *>(it->second.data());
	return {data, strnlen(data, it->second.size())};
}

std::vector<std::uint64_t> NetlinkMessage::array(int attribute) const
{
	auto it = attributes.find(attribute);
	std::vector<std::uint64_t> out;

	if (it == attributes.end() || it->second.size() % sizeof(std::uint64_t))
		return out;
	out.resize(it->second.size() / sizeof(std::uint64_t));
	std::memcpy(out.data(), it->second.data(), it->second.size());
	return out;
}

// A vector's memory is aligned well enough for attributes.
std::optional<NetlinkMessage> NetlinkMessage::nest(int attribute) const
{
	auto it = attributes.find(attribute);

	if (it == attributes.end())
		return std::nullopt;
	return parse(command, reinterpret_cast<const nlattr *>(it->second.data()),
		     static_cast<int>(it->second.size()));
}

void NetlinkSocket::Free::operator()(nl_sock *sock) const noexcept
{
	nl_socket_free(sock);
}

NetlinkSocket::NetlinkSocket() : sock_(nl_socket_alloc())
{
	const int on = 1;

	if (!sock_)
		throw std::bad_alloc();
	check("netlink", genl_connect(sock_.get()));
	family_ = check("netlink", genl_ctrl_resolve(sock_.get(), IOMMUKIT_FAMILY_NAME));
	// Without it the kernel says less, but the same.
	(void)::setsockopt(fd(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
}

int NetlinkSocket::fd() const noexcept
{
	return nl_socket_get_fd(sock_.get());
}

NetlinkMessage NetlinkSocket::ask(const char *name, std::uint8_t command,
				  const std::vector<NetlinkAttribute> &attributes)
{
	Received received;

	send(sock_.get(), name, family_, 0, command, attributes);
	receive_all(sock_.get(), name, received);
	if (received.messages.size() != 1)
		throw Error(make_errno(EPROTO), name);
	return std::move(received.messages[0]);
}

std::vector<NetlinkMessage>
NetlinkSocket::dump(const char *name, std::uint8_t command,
		    const std::vector<NetlinkAttribute> &attributes)
{
	for (int left = patience;; left--) {
		Received received;

		send(sock_.get(), name, family_, NLM_F_DUMP, command, attributes);
		if (!receive_all(sock_.get(), name, received) || !left)
			return std::move(received.messages);
	}
}

void NetlinkSocket::join(const std::vector<const char *> &groups)
{
	std::vector<int> numbers{
		check("netlink", genl_ctrl_resolve_grp(sock_.get(), "nlctrl", "notify"))};

	for (const char *group : groups)
		numbers.push_back(check(
			"netlink",
			genl_ctrl_resolve_grp(sock_.get(), IOMMUKIT_FAMILY_NAME, group)));
	// More than the usual; who may not have it does with less.
	if (::setsockopt(fd(), SOL_SOCKET, SO_RCVBUFFORCE, &event_buffer,
			 sizeof(event_buffer)) < 0)
		(void)::setsockopt(fd(), SOL_SOCKET, SO_RCVBUF, &event_buffer,
				   sizeof(event_buffer));
	check("netlink", nl_socket_set_nonblocking(sock_.get()));
	for (int number : numbers)
		check("netlink", nl_socket_add_membership(sock_.get(), number));
}

NetlinkBacklog NetlinkSocket::backlog() const
{
	std::array<std::uint32_t, SK_MEMINFO_VARS> info = {};
	socklen_t size = sizeof(info);

	if (::getsockopt(fd(), SOL_SOCKET, SO_MEMINFO, info.data(), &size) < 0)
		throw Error(last_error(), "netlink");
	return {info[SK_MEMINFO_RMEM_ALLOC] / message_min, info[SK_MEMINFO_DROPS]};
}

std::optional<std::vector<NetlinkMessage>> NetlinkSocket::receive()
{
	Received received;
	Callbacks cb = callbacks(received);

	received.family = family_;
	// Events have no numbers.
	nl_cb_set(cb.get(), NL_CB_SEQ_CHECK, NL_CB_CUSTOM, any_sequence, nullptr);
	int result = nl_recvmsgs(sock_.get(), cb.get());

	if (received.failure)
		std::rethrow_exception(received.failure);
	if (result == -NLE_NOMEM)
		return std::nullopt;
	if (result < 0 && result != -NLE_AGAIN && result != -NLE_INTR)
		fail("netlink", result);
	if (received.gone)
		throw Error(make_errno(ENODEV), "netlink");
	return std::move(received.messages);
}

} // namespace iommukit

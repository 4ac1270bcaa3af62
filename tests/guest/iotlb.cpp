// SPDX-License-Identifier: GPL-2.0-only
#include "iotlb.h"

namespace guest {

iommukit_iotlb_alloc iotlb_alloc(std::uint32_t ioas, std::uint32_t flags)
{
	auto cmd = command<iommukit_iotlb_alloc>();

	cmd.flags = flags;
	cmd.ioas_id = ioas;
	cmd.max_entries = 4096;
	cmd.max_pending = 128;
	cmd.miss_timeout_ms = patience_ms;
	return cmd;
}

std::ostream &operator<<(std::ostream &out, const IotlbEntry &entry)
{
	return out << std::hex << '[' << entry.first << ", " << entry.last << "] -> "
		   << entry.target << std::dec << " perm " << entry.perm << " flags "
		   << entry.flags;
}

Errno try_iotlb(const Context &context, iommukit_iotlb_alloc &cmd)
{
	return call(context.fd(), IOMMUKIT_IOTLB_ALLOC, &cmd);
}

Errno try_channel_open(const Context &context, std::uint32_t iotlb, Fd *channel)
{
	auto cmd = command<iommukit_iotlb_channel_open>();

	cmd.iotlb_id = iotlb;
	const Errno error = call(context.fd(), IOMMUKIT_IOTLB_CHANNEL_OPEN, &cmd);

	if (error == ok)
		channel->reset(cmd.out_fd);
	return error;
}

Iotlb::Iotlb(const Context &owner, iommukit_iotlb_alloc how) : context(owner)
{
	REQUIRE(try_iotlb(context, how) == ok);
	REQUIRE(how.out_iotlb_id != 0);
	object = how.out_iotlb_id;
	channel = Channel(Fd(how.out_channel_fd));
}

Submitted Iotlb::submit(std::vector<IotlbMessage> &messages, std::uint32_t flags) const
{
	auto cmd = command<iommukit_iotlb_submit>();

	cmd.flags = flags;
	cmd.iotlb_id = object;
	cmd.count = static_cast<std::uint32_t>(messages.size());
	cmd.array = reinterpret_cast<std::uint64_t>(messages.data());
	cmd.entry_size = sizeof(IotlbMessage);
	const Errno error = call(context.fd(), IOMMUKIT_IOTLB_SUBMIT, &cmd);

	return {error, cmd.out_done, cmd.out_epoch};
}

Errno Iotlb::try_submit(std::vector<IotlbMessage> messages) const
{
	return submit(messages, 0).error;
}

Errno Iotlb::try_submit(const IotlbMessage &message) const
{
	return try_submit(std::vector{message});
}

void Iotlb::submit(IotlbMessage message, std::uint32_t asid) const
{
	message.asid = asid;
	REQUIRE(try_submit(message) == ok);
}

void Iotlb::update(std::uint64_t iova, std::uint64_t length, std::uint64_t target,
		   std::uint8_t perm, std::uint16_t flags) const
{
	submit(update_of(iova, length, target, perm, flags));
}

void Iotlb::invalidate(std::uint64_t iova, std::uint64_t length,
		       std::uint16_t flags) const
{
	submit(invalidate_of(iova, length, flags));
}

void Iotlb::flush(std::uint16_t flags, std::uint32_t asid) const
{
	submit(message_of(IOMMUKIT_IOTLB_OP_FLUSH, 0, 0, flags), asid);
}

Errno Iotlb::try_query(std::uint64_t iova, iommukit_iotlb_entry *entry,
		       std::uint32_t asid) const
{
	auto cmd = command<iommukit_iotlb_query>();

	cmd.iotlb_id = object;
	cmd.asid = asid;
	cmd.iova_first = iova;
	cmd.array = reinterpret_cast<std::uint64_t>(entry);
	cmd.count = 1;
	cmd.entry_size = sizeof(*entry);
	return call(context.fd(), IOMMUKIT_IOTLB_QUERY, &cmd);
}

bool Iotlb::holds(std::uint64_t iova, std::uint32_t asid) const
{
	iommukit_iotlb_entry entry{};
	const Errno error = try_query(iova, &entry, asid);

	if (error == Errno{ENOENT})
		return false;
	REQUIRE(error == ok);
	CHECK(entry.first <= iova);
	CHECK(entry.last >= iova);
	CHECK(entry.asid == asid);
	return true;
}

std::vector<IotlbEntry> Iotlb::dump(std::uint32_t asid, std::uint64_t first,
				    std::uint64_t last) const
{
	std::vector<iommukit_iotlb_entry> room(64);
	std::vector<IotlbEntry> found;
	auto cmd = command<iommukit_iotlb_query>();

	cmd.iotlb_id = object;
	cmd.asid = asid;
	cmd.iova_first = first;
	cmd.iova_last = last;
	cmd.array = reinterpret_cast<std::uint64_t>(room.data());
	cmd.entry_size = sizeof(room[0]);
	do {
		cmd.flags = IOMMUKIT_IOTLB_QUERY_DUMP;
		cmd.count = static_cast<std::uint32_t>(room.size());
		REQUIRE(call(context.fd(), IOMMUKIT_IOTLB_QUERY, &cmd) == ok);
		for (std::uint32_t i = 0; i < cmd.count; i++)
			found.push_back(
				{room[i].first, room[i].last, room[i].target,
				 room[i].perm,
				 room[i].flags & ~IOMMUKIT_IOTLB_ENTRY_REFERENCED});
		cmd.iova_first = cmd.out_next;
	} while (cmd.flags & IOMMUKIT_IOTLB_QUERY_MORE);
	return found;
}

std::vector<std::uint64_t> Iotlb::stats(std::uint32_t flags) const
{
	std::vector<std::uint64_t> counters(IOMMUKIT_IOTLB_NR_STATS);
	auto cmd = command<iommukit_iotlb_stats>();

	cmd.flags = flags;
	cmd.iotlb_id = object;
	cmd.count = IOMMUKIT_IOTLB_NR_STATS;
	cmd.array = reinterpret_cast<std::uint64_t>(counters.data());
	REQUIRE(call(context.fd(), IOMMUKIT_IOTLB_STATS, &cmd) == ok);
	return counters;
}

std::uint64_t Iotlb::stat(iommukit_iotlb_stat counter) const
{
	return stats(0).at(counter);
}

void Iotlb::reset_stats() const
{
	stats(IOMMUKIT_IOTLB_STATS_RESET);
}

bool Iotlb::await(iommukit_iotlb_stat counter, std::uint64_t value) const
{
	return wait_until([&] { return stat(counter) >= value; });
}

Errno Iotlb::try_set(std::uint32_t param, std::uint64_t value) const
{
	auto cmd = command<iommukit_iotlb_set>();

	cmd.iotlb_id = object;
	cmd.param = param;
	cmd.value = value;
	return call(context.fd(), IOMMUKIT_IOTLB_SET, &cmd);
}

Errno Iotlb::try_open(Fd *opened) const
{
	return try_channel_open(context, object, opened);
}

void Iotlb::open()
{
	Fd opened;

	REQUIRE(try_open(&opened) == ok);
	channel = Channel(std::move(opened));
}

} // namespace guest

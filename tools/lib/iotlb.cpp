// SPDX-License-Identifier: GPL-2.0-only
// A list of entries comes in pieces, each of which says where the next one begins.
#include "iotlb.h"

#include "command.h"

#include <cerrno>

namespace iommukit {

Iotlb::Allocated Iotlb::alloc(const Context &context, std::optional<ObjectId> ioas,
			      const IotlbUse &use)
{
	auto cmd = command<iommukit_iotlb_alloc>();
	const Subject subject{.object = ioas};

	if (!ioas)
		cmd.flags |= IOMMUKIT_IOTLB_TARGET_UVA;
	if (use.keep_on_close)
		cmd.flags |= IOMMUKIT_IOTLB_KEEP_ON_CLOSE;
	if (!use.channel)
		cmd.flags |= IOMMUKIT_IOTLB_NO_CHANNEL;
	cmd.ioas_id = ioas ? ioas->value : 0;
	cmd.num_asids = use.num_asids;
	cmd.max_entries = use.max_entries;
	cmd.max_pending = use.max_pending;
	cmd.miss_timeout_ms = use.timeout_ms;
	cmd.evict_policy = use.evict;
	cmd.iova_first = use.aperture.first.value;
	cmd.iova_last = use.aperture.last.value;
	cmd.granule_shift = use.granule_shift;
	cmd.spin_us = use.spin_us;
	call(context.channel(), IOMMUKIT_IOTLB_ALLOC, &cmd, subject);
	Fd channel(cmd.out_channel_fd);
	if (!cmd.out_iotlb_id)
		bad_answer(IOMMUKIT_IOTLB_ALLOC, subject);
	return {ObjectId(cmd.out_iotlb_id), std::move(channel)};
}

Iotlb::Iotlb(const Ioas &ioas, const IotlbUse &use)
	: Iotlb(ioas.context(), alloc(ioas.context(), ioas.id(), use))
{
}

Iotlb::Iotlb(const Context &context, const IotlbUse &use)
	: Iotlb(context, alloc(context, std::nullopt, use))
{
}

Fd Iotlb::open_channel() const
{
	auto cmd = command<iommukit_iotlb_channel_open>();

	cmd.iotlb_id = id().value;
	call(context().channel(), IOMMUKIT_IOTLB_CHANNEL_OPEN, &cmd, {.object = id()});
	return Fd(cmd.out_fd);
}

IotlbSubmitted Iotlb::submit(std::span<const IotlbMessage> messages) const
{
	auto cmd = command<iommukit_iotlb_submit>();
	Subject subject{.object = id()};

	cmd.iotlb_id = id().value;
	cmd.count = static_cast<std::uint32_t>(messages.size());
	cmd.array = reinterpret_cast<std::uintptr_t>(messages.data());
	cmd.entry_size = sizeof(IotlbMessage);

	// Most have one, and then it is what the error is about.
	if (messages.size() == 1 && messages[0].length) {
		subject.iova = Iova(messages[0].iova);
		subject.length = Bytes(messages[0].length);
	}
	call(context().channel(), IOMMUKIT_IOTLB_SUBMIT, &cmd, subject);
	return {cmd.out_done, cmd.out_epoch};
}

namespace {

iommukit_iotlb_query question(ObjectId id, std::span<iommukit_iotlb_entry> room,
			      std::uint32_t asid)
{
	auto cmd = command<iommukit_iotlb_query>();

	cmd.iotlb_id = id.value;
	cmd.asid = asid;
	cmd.array = reinterpret_cast<std::uintptr_t>(room.data());
	cmd.count = static_cast<std::uint32_t>(room.size());
	cmd.entry_size = sizeof(iommukit_iotlb_entry);
	return cmd;
}

IotlbEntry known(const iommukit_iotlb_entry &entry)
{
	return {.range = {Iova(entry.first), Iova(entry.last)},
		.target = entry.target,
		.permission = iotlb_permission(entry.perm),
		.flags = entry.flags,
		.asid = entry.asid};
}

} // namespace

std::optional<IotlbEntry> Iotlb::query(Iova iova, std::uint32_t asid) const
{
	std::array<iommukit_iotlb_entry, 1> room{};
	auto cmd = question(id(), room, asid);

	cmd.iova_first = iova.value;
	try {
		call(context().channel(), IOMMUKIT_IOTLB_QUERY, &cmd,
		     {.object = id(), .iova = iova});
	} catch (const Error &error) {
		if (error.number() != ENOENT)
			throw;
		return std::nullopt;
	}
	return known(room[0]);
}

std::vector<IotlbEntry> Iotlb::entries(const IovaRange &range, std::uint32_t asid) const
{
	const Subject subject{.object = id(), .iova = range.first};
	std::vector<iommukit_iotlb_entry> room(256);
	std::vector<IotlbEntry> out;

	for (std::uint64_t first = range.first.value;;) {
		auto cmd = question(id(), room, asid);
		cmd.flags = IOMMUKIT_IOTLB_QUERY_DUMP;
		cmd.iova_first = first;
		cmd.iova_last = range.last.value;
		call(context().channel(), IOMMUKIT_IOTLB_QUERY, &cmd, subject);
		if (cmd.count > room.size())
			bad_answer(IOMMUKIT_IOTLB_QUERY, subject);
		for (std::uint32_t i = 0; i < cmd.count; i++)
			out.push_back(known(room[i]));
		if (!(cmd.flags & IOMMUKIT_IOTLB_QUERY_MORE) ||
		    cmd.out_next > range.last.value)
			return out;
		// It would never end.
		if (cmd.out_next <= first)
			bad_answer(IOMMUKIT_IOTLB_QUERY, subject);
		first = cmd.out_next;
	}
}

IotlbStats Iotlb::stats(Reset reset) const
{
	auto cmd = command<iommukit_iotlb_stats>();
	IotlbStats stats;

	cmd.flags = reset == Reset::yes ? IOMMUKIT_IOTLB_STATS_RESET : 0;
	cmd.iotlb_id = id().value;
	cmd.count = static_cast<std::uint32_t>(stats.values.size());
	cmd.array = reinterpret_cast<std::uintptr_t>(stats.values.data());
	call(context().channel(), IOMMUKIT_IOTLB_STATS, &cmd, {.object = id()});
	return stats;
}

void Iotlb::set(iommukit_iotlb_param param, std::uint64_t value) const
{
	auto cmd = command<iommukit_iotlb_set>();

	cmd.iotlb_id = id().value;
	cmd.param = param;
	cmd.value = value;
	call(context().channel(), IOMMUKIT_IOTLB_SET, &cmd, {.object = id()});
}

iommukit_iotlb_get_caps iotlb_caps(const Context &context)
{
	auto cmd = command<iommukit_iotlb_get_caps>();

	call(context.channel(), IOMMUKIT_IOTLB_GET_CAPS, &cmd);
	return cmd;
}

} // namespace iommukit

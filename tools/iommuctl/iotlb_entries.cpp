// SPDX-License-Identifier: GPL-2.0-only
// Each command is one message, so its error says which.
#include "iotlb_entries.h"

#include "failure.h"
#include "session.h"

namespace ctl {

using namespace iommukit;

namespace {

constexpr std::array entry_fields = {
	Field{"first", Show::address, "first IOVA"},
	Field{"last", Show::address, "last IOVA, inclusive"},
	Field{"target", Show::address, "what the first IOVA is translated to"},
	Field{"permission", Show::text, "r, w or rw: what drivers may do; none: nothing"},
	Field{"flags", Show::words, "pinned, negative, referenced (used of late)"},
	Field{"asid", Show::number, "address space"},
};

constexpr std::array change_fields = {
	Field{"op", Show::text, "update, invalidate or flush"},
	Field{"id", Show::number, "id of the IOTLB"},
	Field{"asid", Show::number, "address space"},
	Field{"iova", Show::address, "first byte"},
	Field{"length", Show::size, "bytes"},
	Field{"target", Show::address, "what the first byte is translated to"},
	Field{"epoch", Show::number, "number of the latest invalidation"},
};

Json permission_json(const IotlbEntry &entry)
{
	return entry.permission ? Json(permission_text(*entry.permission)) : Json();
}

Json entry_flags(const IotlbEntry &entry)
{
	Json out = Json::array();

	if (entry.flags & IOMMUKIT_IOTLB_ENTRY_PINNED)
		out.push_back("pinned");
	if (entry.flags & IOMMUKIT_IOTLB_ENTRY_NEGATIVE)
		out.push_back("negative");
	if (entry.flags & IOMMUKIT_IOTLB_ENTRY_REFERENCED)
		out.push_back("referenced");
	return out;
}

std::uint32_t asid_of(const Arguments &args)
{
	std::uint64_t asid = args.number("asid").value_or(0);

	if (asid > UINT32_MAX)
		throw usage_failure("there is no asid " + std::to_string(asid),
				    "they count from 0; iotlb show tells how many there "
				    "are");
	return static_cast<std::uint32_t>(asid);
}

IovaRange range_of(const Arguments &args)
{
	Iova first = *args.iova("iova");

	// One that ends beyond the last IOVA wraps, and is refused as it would be.
	return {first, first + *args.size("length") - Bytes(1)};
}

Report change(IotlbRecord &record, std::string_view op, const IotlbMessage &message)
{
	IotlbSubmitted done = record.iotlb.submit({&message, 1});
	bool ranged = message.op != IOMMUKIT_IOTLB_OP_FLUSH;
	bool targeted = message.perm != 0;

	return Report(change_table, Report::Style::line,
		      {{op, record.iotlb.id().value, message.asid,
			ranged ? Json(message.iova) : Json(),
			ranged ? Json(message.length) : Json(),
			targeted ? Json(message.target) : Json(), done.epoch}})
		.primary("epoch");
}

} // namespace

constinit const FieldTable entry_table = {"entry", entry_fields};
constinit const FieldTable change_table = {"change", change_fields};

Row entry_row(const IotlbEntry &entry)
{
	return {entry.range.first.value,
		entry.range.last.value,
		entry.permission ? Json(entry.target) : Json(),
		permission_json(entry),
		entry_flags(entry),
		entry.asid};
}

Report run_dump(Session &session, const Arguments &args)
{
	IotlbRecord &record = session.iotlb(args.id("id"));
	IovaRange range = args.ranges().empty() ? all_iovas : args.ranges().front();
	std::uint32_t first = asid_of(args);
	std::uint32_t count =
		args.has("asid") ? 1 : std::max<std::uint32_t>(record.use.num_asids, 1);
	std::vector<Row> rows;

	for (std::uint32_t asid = first; asid - first < count; asid++)
		for (const IotlbEntry &entry : record.iotlb.entries(range, asid))
			rows.push_back(entry_row(entry));
	return Report(entry_table, Report::Style::table, std::move(rows))
		.primary("target")
		.as_list();
}

Report run_update(Session &session, const Arguments &args)
{
	IotlbRecord &record = session.iotlb(args.id("id"));
	bool negative = args.has("negative");
	auto target = args.number("target");
	IovaRange range = range_of(args);

	if (negative && (target || args.has("perm")))
		throw usage_failure("a negative entry has neither target nor permission",
				    "help iotlb");
	if (!negative && !target)
		throw usage_failure("iotlb update needs TARGET, or negative",
				    "help iotlb");
	IotlbMessage message =
		negative ? iotlb_negative(range, asid_of(args))
			 : iotlb_update({range, *target,
					 parse_permission(args.text("perm"),
							  Permission::read_write)},
					asid_of(args));
	if (args.has("pinned"))
		message.flags |= IOMMUKIT_IOTLB_MSG_PINNED;
	if (args.has("prefetch"))
		message.flags |= IOMMUKIT_IOTLB_MSG_PREFETCH;
	if (args.has("no-replace"))
		message.flags |= IOMMUKIT_IOTLB_MSG_NO_REPLACE;
	return change(record, "update", message);
}

Report run_invalidate(Session &session, const Arguments &args)
{
	IotlbRecord &record = session.iotlb(args.id("id"));
	IotlbMessage message = iotlb_invalidate(range_of(args), asid_of(args));

	if (args.has("pinned"))
		message.flags |= IOMMUKIT_IOTLB_MSG_PINNED;
	return change(record, "invalidate", message);
}

Report run_flush(Session &session, const Arguments &args)
{
	IotlbRecord &record = session.iotlb(args.id("id"));
	IotlbMessage message = iotlb_flush(asid_of(args));

	if (args.has("pinned"))
		message.flags |= IOMMUKIT_IOTLB_MSG_PINNED;
	return change(record, "flush", message);
}

} // namespace ctl

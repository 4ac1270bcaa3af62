// SPDX-License-Identifier: GPL-2.0-only
// iommuctl hwpt: page tables of devices. Only those that were made by command are
// here; a device that is attached to an IOAS gets one of its own accord, which
// device show names.
#include "devices.h"
#include "failure.h"
#include "objects.h"
#include "records.h"

#include <array>

namespace ctl {

using namespace iommukit;

namespace {

constexpr std::array hwpt_fields = {
	Field{"id", Show::number, "id of the HWPT in its context"},
	Field{"context", Show::number, "number of the context"},
	Field{"device", Show::number, "the device it was made for"},
	Field{"ioas", Show::number, "the IOAS that it mirrors"},
	Field{"dirty", Show::boolean, "it can note what devices write"},
	Field{"nest_parent", Show::boolean, "others may be nested in it"},
	Field{"tracking", Show::boolean, "it notes what devices write"},
};
constexpr FieldTable hwpt_table = {"hwpt", hwpt_fields};

Row hwpt_row(const ContextRecord &context, const HwptRecord &record)
{
	return {record.hwpt.id().value,	   context.number,
		record.device.value,	   record.ioas.value,
		record.use.dirty_tracking, record.use.nest_parent,
		record.tracking.on};
}

Report run_add(Session &session, const Arguments &args)
{
	ContextRecord &context = session.context();
	IoasRecord &ioas = session.ioas(args.id("ioas"));
	Device device = find_device(session, args, "device");
	HwptUse use{.dirty_tracking = args.has("dirty"),
		    .nest_parent = args.has("nest-parent")};

	context.hwpts.push_back(std::make_unique<HwptRecord>(ioas.ioas, device.id, use));
	return Report(hwpt_table, Report::Style::line,
		      {hwpt_row(context, *context.hwpts.back())})
		.primary("id");
}

Report run_del(Session &session, const Arguments &args)
{
	HwptRecord &record = session.hwpt(args.id("id"));

	record.hwpt.destroy();
	forget(session.context().hwpts, record);
	return {};
}

Report run_show(Session &session, const Arguments &args)
{
	ContextRecord &context = session.context();
	auto named = [&]() -> HwptRecord & { return session.hwpt(args.id("id")); };
	auto row = [&](const HwptRecord &record) { return hwpt_row(context, record); };

	return listed(Report(hwpt_table, Report::Style::table,
			     rows_of(context.hwpts, args, named, row)),
		      "id", args);
}

constexpr std::array add_params = {
	Param{"device", Kind::device, Place::key,
	      "the device that it shall suit; the only one if left out"},
	Param{"ioas", Kind::id, Place::key,
	      "the IOAS to mirror; the only one if left out"},
	Param{"dirty", Kind::text, Place::flag, "it can note what devices write"},
	Param{"nest-parent", Kind::text, Place::flag, "others may be nested in it"},
};
constexpr std::array del_params = {
	Param{"id", Kind::id, Place::operand, "the HWPT"},
};
constexpr std::array show_params = {
	Param{"id", Kind::id, Place::optional_operand, "the HWPT; all if left out"},
	Param{"field", Kind::text, Place::optional_operand,
	      "print only this field, bare"},
};

constexpr std::array verbs = {
	Verb{"show", "list the HWPTs that were made by command", show_params, run_show},
	Verb{"add", "make a HWPT; it has all mappings of the IOAS, pinned", add_params,
	     run_add},
	Verb{"del", "destroy a HWPT that no device uses", del_params, run_del},
};
constexpr std::array<const FieldTable *, 1> tables = {&hwpt_table};

} // namespace

const Object hwpt_object = {"hwpt", "page tables of devices", verbs, "show", tables};

} // namespace ctl

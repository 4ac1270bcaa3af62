// SPDX-License-Identifier: GPL-2.0-only
// iommuctl context: open descriptors of the device, and what the module says
// of itself. Ids of objects mean something only inside their context, so there
// is always one context that commands work on; a second one is for a driver
// that copies between the two.
#include "all_contexts.h"
#include "failure.h"
#include "objects.h"
#include "records.h"
#include "session.h"

#include <array>

namespace ctl {

using namespace iommukit;

namespace {

constexpr std::array fields = {
	Field{"context", Show::number, "number of the context in this session"},
	Field{"current", Show::boolean, "commands work on this one"},
	Field{"device", Show::text, "the node it was opened on"},
	Field{"module_version", Show::text, "version of the module"},
	Field{"tool_version", Show::text, "version of iommuctl"},
	Field{"page_sizes", Show::sizes, "page sizes of the machine, smallest first"},
	Field{"features", Show::words, "optional features of the module"},
	Field{"rlimit_mode", Show::text, "pinned pages count per user or per process"},
	Field{"ioases", Show::number, "IOASes of this session in it"},
};
constexpr FieldTable context_table = {"context", fields};

constexpr std::array option_fields = {
	Field{"object", Show::text, "what the option belongs to"},
	Field{"id", Show::number, "id of the object, 0 for the context"},
	Field{"option", Show::text, "name of the option"},
	Field{"value", Show::text, "its value"},
};
constexpr FieldTable option_table = {"option", option_fields};

Json page_sizes(std::uint64_t sizes)
{
	Json out = Json::array();

	for (; sizes; sizes &= sizes - 1)
		out.push_back(sizes & -sizes);
	return out;
}

Json features(std::uint64_t bits)
{
	constexpr std::uint64_t known =
		IOMMUKIT_FEATURE_MAP_FILE | IOMMUKIT_FEATURE_TEST |
		IOMMUKIT_FEATURE_IOAS_DIRTY | IOMMUKIT_FEATURE_DEVICE_BIND |
		IOMMUKIT_FEATURE_IOTLB;
	Json out = Json::array();

	if (bits & IOMMUKIT_FEATURE_MAP_FILE)
		out.push_back("map-file");
	if (bits & IOMMUKIT_FEATURE_TEST)
		out.push_back("test");
	if (bits & IOMMUKIT_FEATURE_IOAS_DIRTY)
		out.push_back("ioas-dirty");
	if (bits & IOMMUKIT_FEATURE_DEVICE_BIND)
		out.push_back("device-bind");
	if (bits & IOMMUKIT_FEATURE_IOTLB)
		out.push_back("iotlb");
	// A newer module may have features that this tool has no name for.
	if (bits & ~known)
		out.push_back(hex(bits & ~known));
	return out;
}

std::string mode_text(const ContextRecord &record)
{
	return record.context.per_process_accounting() ? "process" : "user";
}

Row context_row(const Session &session, const ContextRecord &record)
{
	return {record.number,
		record.number == session.current(),
		default_device(),
		record.info.version.text(),
		tool_version().text(),
		page_sizes(record.info.page_sizes),
		features(record.info.features),
		mode_text(record),
		record.ioases.size()};
}

Report run_add(Session &session, const Arguments &)
{
	ContextRecord &record = session.add_context();

	return Report(context_table, Report::Style::line, {context_row(session, record)})
		.primary("context");
}

Report run_del(Session &session, const Arguments &args)
{
	session.remove_context(args.need_number("number"));
	return {};
}

Report run_use(Session &session, const Arguments &args)
{
	session.use_context(args.need_number("number"));
	return {};
}

Report run_show(Session &session, const Arguments &args)
{
	std::vector<Row> rows;

	// Without any, show what one would be like.
	session.context();
	for (const auto &record : session.contexts())
		rows.push_back(context_row(session, *record));
	return listed(Report(context_table, Report::Style::block, std::move(rows)),
		      "context", args);
}

Report run_option(Session &session, const Arguments &args)
{
	ContextRecord &record = session.context();

	if (auto value = args.text("value"))
		record.context.set_per_process_accounting(*value == "process");
	return Report(option_table, Report::Style::line,
		      {{"context", 0, "rlimit-mode", mode_text(record)}})
		.primary("value");
}

constexpr std::array<std::string_view, 1> options = {"rlimit-mode"};
constexpr std::array<std::string_view, 2> modes = {"user", "process"};

constexpr std::array del_params = {
	Param{"number", Kind::number, Place::operand, "the context to close"},
};
constexpr std::array use_params = {
	Param{"number", Kind::number, Place::operand, "the context to work on"},
};
constexpr std::array show_params = {
	Param{"field", Kind::text, Place::optional_operand,
	      "print only this field, bare"},
};
constexpr std::array option_params = {
	Param{"option", Kind::choice, Place::operand, "the option", options},
	Param{"value", Kind::choice, Place::optional_operand,
	      "set it; only before the first object is made, needs CAP_SYS_RESOURCE",
	      modes},
};

constexpr std::array verbs = {
	Verb{"show", "show the contexts of this session and the module's answers",
	     show_params, run_show},
	Verb{"add", "open another context and use it", {}, run_add},
	Verb{"del", "close a context and everything in it", del_params, run_del},
	Verb{"use", "let the next commands work on another context", use_params, run_use},
	Verb{"option", "show or set where pinned pages are counted", option_params,
	     run_option},
	Verb{"list", "show the contexts of all processes", show_params,
	     list_all_contexts},
	Verb{"objects", "show the objects of all processes, or of one context",
	     all_objects_params, list_all_objects},
};
constexpr std::array<const FieldTable *, 4> tables = {
	&context_table, &option_table, &all_contexts_table, &all_objects_table};

} // namespace

const Object context_object = {"context", "open descriptors of the device", verbs, "show",
			       tables};

} // namespace ctl

// SPDX-License-Identifier: GPL-2.0-only
#include "all_contexts.h"

#include "foreign.h"
#include "records.h"
#include "session.h"
#include "words.h"

namespace ctl {

using namespace iommukit;

namespace {

constexpr std::array context_fields = {
	Field{"context", Show::number, "number of the context in the kernel"},
	Field{"pid", Show::number, "process that opened it, if it is seen from here"},
	Field{"process", Show::text, "what it was called then"},
	Field{"uid", Show::number, "its user then"},
	Field{"age_ms", Show::number, "since then"},
	Field{"account", Show::text,
	      "where its pages would be counted: user, process or none"},
	Field{"pinned", Show::size, "memory that is pinned for it"},
	Field{"memlock_limit", Show::size,
	      "how much its process may have pinned; none: anything, or it has gone"},
	Field{"memlock_headroom", Show::size, "how much of that is left"},
	Field{"objects", Show::number, "number of its objects"},
};

constexpr std::array object_fields = {
	Field{"context", Show::number, "number of the context in the kernel"},
	Field{"id", Show::number, "id of the object, of use in that context"},
	Field{"type", Show::text, "what it is"},
	Field{"users", Show::number, "others that use it, and keep it from being ended"},
};

Row context_row(const ContextFacts &facts)
{
	return {facts.id,
		pid_json(facts),
		printable(facts.comm),
		facts.uid,
		facts.age_ms,
		account_text(facts.account),
		facts.pinned.value,
		limit_json(facts.memlock_limit),
		limit_json(facts.memlock_headroom),
		facts.objects};
}

} // namespace

constinit const FieldTable all_contexts_table = {"contexts", context_fields};
constinit const FieldTable all_objects_table = {"objects", object_fields};

Report list_all_contexts(Session &session, const Arguments &args)
{
	std::vector<Row> rows;

	if (session.dry_run())
		return {};
	for (const auto &facts : Administration().contexts())
		rows.push_back(context_row(facts));
	return listed(Report(all_contexts_table, Report::Style::table, std::move(rows)),
		      "context", args);
}

Report list_all_objects(Session &session, const Arguments &args)
{
	auto context = wanted_context(args);
	std::vector<Row> rows;

	if (session.dry_run())
		return {};
	auto objects = ask_foreign(context, {}, [&](Administration &administration) {
		return administration.objects(context);
	});
	for (const auto &facts : objects)
		rows.push_back({facts.context, facts.id, facts.type, facts.users});
	return listed(Report(all_objects_table, Report::Style::table, std::move(rows)),
		      "id", args);
}

} // namespace ctl

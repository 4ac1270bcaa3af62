// SPDX-License-Identifier: GPL-2.0-only
// iommuctl explain: why a context may pin no more, or how much it may, and what changes
// that. ENOMEM is all that the process itself gets to know. And what an errno means.
#include "error.h"
#include "foreign.h"
#include "hints.h"
#include "objects.h"
#include "records.h"
#include "session.h"
#include "words.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

namespace ctl {

using namespace iommukit;

namespace {

constexpr std::array other_fields = {
	Field{"context", Show::number, "number of another context of the user"},
	Field{"process", Show::text, "the process that opened it"},
	Field{"pinned", Show::size, "memory that is pinned for it"},
};
constexpr FieldTable other_table = {"others", other_fields};

constexpr std::array change_fields = {
	Field{"command", Show::text, "what to type"},
	Field{"effect", Show::text, "what that does"},
};
constexpr FieldTable change_table = {"changes", change_fields};

constexpr std::array limit_fields = {
	Field{"context", Show::number, "number of the context in the kernel"},
	Field{"pid", Show::number, "process that opened it, if it is seen from here"},
	Field{"process", Show::text, "what it was called then"},
	Field{"uid", Show::number, "its user then"},
	Field{"account", Show::text,
	      "where its pages are counted: user, process or none"},
	Field{"pinned", Show::size, "memory that is pinned for it"},
	Field{"memlock_limit", Show::size, "RLIMIT_MEMLOCK of the process"},
	Field{"elsewhere", Show::size,
	      "how much of that others have: other contexts and programs of the user, or "
	      "memory that the process has locked"},
	Field{"memlock_headroom", Show::size, "how much more may be pinned"},
	Field{"state", Show::text,
	      "not-counted, unknown, unlimited, limited, or reached: no page more"},
	Field{"why", Show::text, "the reason in words"},
	Field{"others", Show::rows, "contexts that are counted together with it",
	      &other_table},
	Field{"changes", Show::rows, "what changes that", &change_table},
};
constexpr FieldTable limit_table = {"limit", limit_fields};

enum class State { not_counted, unknown, unlimited, limited, reached };

State state_of(const ContextFacts &facts)
{
	if (facts.account == IOMMUKIT_NL_ACCOUNT_NONE)
		return State::not_counted;
	if (!facts.memlock_limit || !facts.memlock_headroom)
		return State::unknown;
	if (facts.memlock_limit->value == std::numeric_limits<std::uint64_t>::max())
		return State::unlimited;
	return facts.memlock_headroom->value ? State::limited : State::reached;
}

const char *state_name(State state)
{
	constexpr std::array names = {"not-counted", "unknown", "unlimited", "limited",
				      "reached"};

	return names[static_cast<std::size_t>(state)];
}

std::string counted_text(const ContextFacts &facts)
{
	return facts.account == IOMMUKIT_NL_ACCOUNT_MM
		       ? "all that the process has pinned or locked is counted together"
		       : "all that user " + std::to_string(facts.uid) +
				 " has pinned in any process is counted together";
}

std::string why(const ContextFacts &facts, State state)
{
	switch (state) {
	case State::not_counted:
		return "the process has CAP_IPC_LOCK, and what such a one pins is not "
		       "counted";
	case State::unknown:
		return "the process that opened it has gone, and its limit with it";
	case State::unlimited:
		return counted_text(facts) + ", but RLIMIT_MEMLOCK of the process is "
					     "unlimited";
	case State::limited:
		return counted_text(facts) +
		       "; a mapping that is to pin more than is left of RLIMIT_MEMLOCK "
		       "fails with ENOMEM";
	case State::reached:
		return counted_text(facts) +
		       ", and has come to RLIMIT_MEMLOCK: a mapping that is to pin a "
		       "page more fails with ENOMEM";
	}
	return {};
}

bool has_limit(State state)
{
	return state == State::limited || state == State::reached;
}

// Of the limit, what is neither left nor of this context.
Json elsewhere(const ContextFacts &facts, State state)
{
	if (!has_limit(state))
		return {};
	std::uint64_t mine = facts.pinned.value + facts.memlock_headroom->value;
	return facts.memlock_limit->value > mine ? facts.memlock_limit->value - mine : 0;
}

// Those whose pages are counted in the same place.
Json others(const ContextFacts &facts,
	    const std::map<std::uint32_t, ContextFacts> &contexts)
{
	Json out = Json::array();

	if (facts.account != IOMMUKIT_NL_ACCOUNT_USER)
		return out;
	for (const auto &[number, other] : contexts)
		if (number != facts.id && other.uid == facts.uid &&
		    other.account == IOMMUKIT_NL_ACCOUNT_USER)
			out.push_back(
				row_to_json(other_table, {number, printable(other.comm),
							  other.pinned.value}));
	return out;
}

// Room for as much again, but not for less than 64 MiB.
std::uint64_t suggested_limit(const ContextFacts &facts, State state)
{
	std::uint64_t now =
		has_limit(state) ? facts.memlock_limit->value : facts.pinned.value;

	return std::max<std::uint64_t>(64 << 20, now * 2);
}

Json changes(const ContextFacts &facts, State state)
{
	std::uint64_t limit = suggested_limit(facts, state);
	Json out = Json::array();

	auto add = [&](const std::string &command, const char *effect) {
		out.push_back(row_to_json(change_table, {command, effect}));
	};
	if (state == State::not_counted)
		add("setpriv --bounding-set -ipc_lock COMMAND",
		    "starts it without CAP_IPC_LOCK, so that RLIMIT_MEMLOCK is heeded");
	if (facts.pid && (has_limit(state) || state == State::unlimited))
		add("prlimit --pid " + std::to_string(*facts.pid) +
			    " --memlock=" + std::to_string(limit),
		    has_limit(state) ? "raises the limit while it runs, as root"
				     : "sets a limit while it runs");
	if (has_limit(state))
		add("ulimit -l " + std::to_string(limit >> 10),
		    "raises it before it is started; for good: memlock in "
		    "/etc/security/limits.d, LimitMEMLOCK= of a service");
	if (has_limit(state) && facts.account == IOMMUKIT_NL_ACCOUNT_USER)
		add("iommuctl -c 'context option rlimit-mode process'",
		    "counts by process, if the program does as much before its first "
		    "object, with CAP_SYS_RESOURCE");
	return out;
}

Row limit_row(const ContextFacts &facts,
	      const std::map<std::uint32_t, ContextFacts> &contexts)
{
	State state = state_of(facts);

	return {facts.id,
		pid_json(facts),
		printable(facts.comm),
		facts.uid,
		account_text(facts.account),
		facts.pinned.value,
		limit_json(facts.memlock_limit),
		elsewhere(facts, state),
		limit_json(facts.memlock_headroom),
		state_name(state),
		why(facts, state),
		others(facts, contexts),
		changes(facts, state)};
}

// A command stands in a line of its own, to be copied.
std::string limit_text(Row row)
{
	constexpr std::size_t width = 18;
	Json changes = std::move(row.back());
	std::string name(limit_fields.back().name);

	row.back() = Json::array();
	std::string out = Report(limit_table, Report::Style::block, {row}).text();
	for (const auto &change : changes)
		out += name + std::string(width - name.size(), ' ') +
		       change["command"].get<std::string>() + "\n" +
		       std::string(width, ' ') + change["effect"].get<std::string>() +
		       "\n";
	return out;
}

constexpr std::array meaning_fields = {
	Field{"command", Show::text,
	      "command of the module that fails with it; none: any"},
	Field{"meaning", Show::text, "what it means then, and what to do"},
};
constexpr FieldTable meaning_table = {"meanings", meaning_fields};

Report explain_errno(int number, const Arguments &args)
{
	std::vector<Row> rows = {{nullptr, std::strerror(number)}};

	for (const Hint &hint : hints_for(number))
		rows.push_back(
			{hint.command.empty() ? Json() : Json(hint.command), hint.text});
	return listed(Report(meaning_table, Report::Style::table, std::move(rows)),
		      "meaning", args);
}

Report explain_context(Session &session, const Arguments &args)
{
	std::uint32_t number = *wanted_context(args);

	if (session.dry_run())
		return {};
	auto contexts = ask_foreign(number, {}, contexts_by_number);
	auto it = contexts.find(number);
	if (it == contexts.end())
		throw Failure(Exit::refused,
			      "there is no context " + std::to_string(number),
			      "context list", ENOENT, "CONTEXT_GET");
	Row row = limit_row(it->second, contexts);
	std::string text = limit_text(row);
	Report report = Report::drawn(limit_table, {std::move(row)}, std::move(text));
	report.primary("state");
	return selected(std::move(report), args);
}

Report run_explain(Session &session, const Arguments &args)
{
	// One that is a number is a context.
	if (auto number = errno_number(args.need_text("context")))
		return explain_errno(*number, args);
	return explain_context(session, args);
}

constexpr std::array params = {
	Param{"context", Kind::cause, Place::operand,
	      "the context, by its number in context list, or an errno like ENOMEM"},
	field_operand,
};
constexpr std::array verbs = {
	Verb{"",
	     "tell why a context may pin no more, or what an errno means, and what changes "
	     "that",
	     params, run_explain},
};
constexpr std::array<const FieldTable *, 4> tables = {&limit_table, &other_table,
						      &change_table, &meaning_table};

} // namespace

const Object explain_object = {"explain",
			       "why a context may pin no more, or what an errno means",
			       verbs, "", tables};

} // namespace ctl

// SPDX-License-Identifier: GPL-2.0-only
// iommuctl top: what goes on in the contexts of all processes, again and again, as rates.
//
// Counters belong to objects, which come and go with what they have counted. So the
// difference is taken of each, and of one that is new all it has: it came since. On a
// terminal the picture is drawn again after each reading; elsewhere it follows the last.
#include "amounts.h"
#include "foreign.h"
#include "interruption.h"
#include "objects.h"
#include "pace.h"
#include "screen.h"
#include "session.h"
#include "words.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <tuple>

namespace ctl {

using namespace iommukit;
using namespace std::chrono;

namespace {

constexpr std::array context_fields = {
	Field{"context", Show::number, "number of the context in the kernel"},
	Field{"pid", Show::number, "process that opened it, if it is seen from here"},
	Field{"process", Show::text, "what it was called then"},
	Field{"uid", Show::number, "its user then"},
	Field{"objects", Show::number, "objects now"},
	Field{"mapped", Show::size, "bytes that are mapped now"},
	Field{"pinned", Show::size, "memory that is pinned now"},
	Field{"copies_per_s", Show::number, "reads and writes of drivers a second"},
	Field{"misses_per_s", Show::number, "misses of IOTLBs a second"},
	Field{"faults_per_s", Show::number, "finds of pages on demand a second"},
	Field{"dirtied_per_s", Show::number,
	      "pages a second that were noted as written, while that is on"},
};
constexpr FieldTable context_table = {"contexts", context_fields};

constexpr std::array tick_fields = {
	Field{"tick", Show::number, "number of the reading, from 1"},
	Field{"interval_ms", Show::number, "since the reading before"},
	Field{"contexts", Show::rows, "the contexts there are", &context_table},
};
constexpr FieldTable tick_table = {"tick", tick_fields};

constexpr std::array top_fields = {
	Field{"ticks", Show::number, "how often was read"},
	Field{"interval_ms", Show::number, "of all readings together"},
	Field{"contexts", Show::number, "contexts that were seen"},
	Field{"copies", Show::number, "reads and writes of drivers"},
	Field{"misses", Show::number, "misses of IOTLBs"},
	Field{"faults", Show::number, "finds of pages on demand"},
	Field{"dirtied", Show::number, "pages that were noted as written"},
};
constexpr FieldTable top_table = {"top", top_fields};

// What people see of a context, with sizes that are short.
constexpr std::array line_fields = {
	Field{"context", Show::text, ""},  Field{"process", Show::text, ""},
	Field{"uid", Show::text, ""},	   Field{"objects", Show::text, ""},
	Field{"mapped", Show::text, ""},   Field{"pinned", Show::text, ""},
	Field{"rw/s", Show::text, ""},	   Field{"misses/s", Show::text, ""},
	Field{"faults/s", Show::text, ""}, Field{"dirty/s", Show::text, ""},
};
constexpr FieldTable line_table = {"lines", line_fields};

struct Counts {
	std::uint64_t copies = 0;
	std::uint64_t misses = 0;
	std::uint64_t faults = 0;
	std::uint64_t dirtied = 0;

	Counts &operator+=(const Counts &other)
	{
		copies += other.copies;
		misses += other.misses;
		faults += other.faults;
		dirtied += other.dirtied;
		return *this;
	}
};

// What is smaller than before is that of another object with the same id, or was reset.
std::uint64_t growth(std::uint64_t now, std::uint64_t then)
{
	return now >= then ? now - then : now;
}

Counts counts_since(const Counts &now, const Counts &then)
{
	return {growth(now.copies, then.copies), growth(now.misses, then.misses),
		growth(now.faults, then.faults), growth(now.dirtied, then.dirtied)};
}

Counts counts_of(const ObjectState &state)
{
	if (const auto *ioas = std::get_if<IoasState>(&state))
		return {.faults = ioas->faults, .dirtied = ioas->dirtied_pages};
	if (const auto *access = std::get_if<AccessState>(&state))
		return {.copies = access->copies};
	if (const auto *iotlb = std::get_if<IotlbState>(&state))
		return {.misses = iotlb->stats[IOMMUKIT_IOTLB_STAT_CREATED]};
	return {};
}

// Context, id and type of an object
using Key = std::tuple<std::uint32_t, std::uint32_t, std::string>;

struct Reading {
	steady_clock::time_point time = {};
	std::map<std::uint32_t, ContextFacts> contexts = {};
	std::map<std::uint32_t, Bytes> mapped = {};
	std::map<Key, Counts> counts = {};
};

Reading read(Administration &administration, std::optional<std::uint32_t> only)
{
	Reading out;

	out.contexts = contexts_by_number(administration);
	if (only)
		std::erase_if(out.contexts,
			      [&](const auto &entry) { return entry.first != *only; });
	// It may go between the two questions, so all are asked for.
	for (const auto &object : administration.objects()) {
		if (only && object.context != *only)
			continue;
		out.counts[{object.context, object.id, object.type}] =
			counts_of(object.state);
		if (const auto *ioas = std::get_if<IoasState>(&object.state)) {
			Bytes &mapped = out.mapped[object.context];
			mapped = mapped + ioas->mapped;
		}
	}
	out.time = steady_clock::now();
	return out;
}

std::int64_t in_ms(nanoseconds time)
{
	return duration_cast<milliseconds>(time).count();
}

// From one reading to the next.
struct Stretch {
	const Reading &from, &to;

	nanoseconds time() const { return to.time - from.time; }
	std::map<std::uint32_t, Counts> counts() const;
	Counts all() const;
	std::vector<Row> rows() const;
};

std::map<std::uint32_t, Counts> Stretch::counts() const
{
	std::map<std::uint32_t, Counts> out;

	for (const auto &[key, now] : to.counts) {
		auto before = from.counts.find(key);
		out[std::get<0>(key)] += before == from.counts.end()
						 ? now
						 : counts_since(now, before->second);
	}
	return out;
}

Counts Stretch::all() const
{
	Counts out;

	for (const auto &[context, counts] : counts())
		out += counts;
	return out;
}

std::vector<Row> Stretch::rows() const
{
	auto counted = counts();
	std::vector<Row> out;

	auto rate = [&](std::uint64_t count) {
		return per_second(static_cast<double>(count), time());
	};
	for (const auto &[number, facts] : to.contexts) {
		const Counts &count = counted[number];
		auto mapped = to.mapped.find(number);
		out.push_back({number, pid_json(facts), printable(facts.comm), facts.uid,
			       facts.objects,
			       mapped == to.mapped.end() ? 0 : mapped->second.value,
			       facts.pinned.value, rate(count.copies), rate(count.misses),
			       rate(count.faults), rate(count.dirtied)});
	}
	return out;
}

Row short_line(const Row &row)
{
	Row out;

	for (std::size_t i = 0; i < row.size(); i++) {
		const Field &field = context_fields[i];
		if (field.name == "pid")
			continue;
		if (field.name == "process" && !row[i - 1].is_null())
			out.push_back(row[i].get<std::string>() + " (" +
				      row[i - 1].dump() + ")");
		else if (field.show == Show::size)
			out.push_back(human_size(row[i].get<std::uint64_t>()));
		else
			out.push_back(bare_text(field, row[i]));
	}
	return out;
}

std::string table_text(const std::vector<Row> &rows)
{
	std::vector<Row> lines;

	for (const auto &row : rows)
		lines.push_back(short_line(row));
	return lines.empty() ? "no context is open\n"
			     : Report(line_table, Report::Style::table, std::move(lines))
				       .text();
}

// What fits: lines that are wrapped, or scroll away, cannot be drawn over.
std::string picture(const Output &output, const std::string &text)
{
	std::vector<std::string> lines;

	for (std::size_t at = 0; at < text.size();) {
		std::size_t end = text.find('\n', at);
		lines.push_back(text.substr(at, std::min(end - at, output.columns())));
		at = end + 1;
	}
	return stack_lines(lines.size(), output.lines() - 2,
			   [&](std::size_t i) { return lines[i] + "\n"; });
}

Report tick_report(std::uint64_t number, const Stretch &stretch,
		   const std::vector<Row> &rows)
{
	Json contexts = Json::array();

	for (const auto &row : rows)
		contexts.push_back(row_to_json(context_table, row));
	std::int64_t ms = in_ms(stretch.time());
	return Report::drawn(tick_table, {{number, ms, contexts}},
			     "tick " + std::to_string(number) + " interval_ms " +
				     std::to_string(ms) + "\n" + table_text(rows));
}

struct Totals {
	std::uint64_t ticks = 0;
	nanoseconds interval = {};
	std::map<std::uint32_t, bool> contexts = {};
	Counts counts = {};

	void see(const Reading &reading)
	{
		for (const auto &[number, facts] : reading.contexts)
			contexts[number] = true;
	}
	void add(const Stretch &stretch)
	{
		ticks++;
		interval += stretch.time();
		see(stretch.to);
		counts += stretch.all();
	}
	Report report() const;
};

Report Totals::report() const
{
	auto text = [](std::uint64_t count, const char *what) {
		return std::to_string(count) + what;
	};

	return Report::drawn(top_table,
			     {{ticks, in_ms(interval), contexts.size(), counts.copies,
			       counts.misses, counts.faults, counts.dirtied}},
			     text(ticks, ticks == 1 ? " reading, " : " readings, ") +
				     text(contexts.size(), contexts.size() == 1
								   ? " context, "
								   : " contexts, ") +
				     text(counts.copies, " rw, ") +
				     text(counts.misses, " misses, ") +
				     text(counts.faults, " faults, ") +
				     text(counts.dirtied, " dirty pages\n"))
		.primary("copies");
}

Report watch(Administration &administration, const Output &output, const Pace &pace,
	     std::optional<std::uint32_t> only)
{
	Interruption interruption;
	Screen screen(output);
	Reading last = read(administration, only);
	Totals totals;

	if (only && last.contexts.empty())
		throw Failure(Exit::refused,
			      "there is no context " + std::to_string(*only),
			      "context list", ENOENT);
	totals.see(last);
	while (pace.goes_on(totals.ticks) && !interruption.wait(pace.interval)) {
		Reading now = read(administration, only);
		Stretch stretch{last, now};
		// There will be nothing more of it.
		if (only && now.contexts.empty())
			break;
		totals.add(stretch);
		auto rows = stretch.rows();
		if (output.live())
			screen.show(picture(output, table_text(rows)));
		else
			output.data(tick_report(totals.ticks, stretch, rows));
		last = std::move(now);
	}
	return totals.report();
}

Report run_top(Session &session, const Arguments &args)
{
	auto only = wanted_context(args);
	Pace pace = pace_of(args);

	// A dry run has no time that passes.
	if (session.dry_run())
		return {};
	return ask_foreign(only, {}, [&](Administration &administration) {
		return watch(administration, session.output(), pace, only);
	});
}

constexpr std::array params = {
	context_key,
	interval_param,
	count_param,
};
constexpr std::array verbs = {
	Verb{"", "show what goes on in the contexts of all processes", params, run_top},
};
constexpr std::array<const FieldTable *, 3> tables = {&tick_table, &context_table,
						      &top_table};

} // namespace

const Object top_object = {"top", "what goes on in all contexts, live", verbs, "",
			   tables};

} // namespace ctl

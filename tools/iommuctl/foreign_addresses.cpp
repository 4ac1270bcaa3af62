// SPDX-License-Identifier: GPL-2.0-only
// The kernel has the last word on who may see addresses; here it is only explained.
#include "foreign_addresses.h"

#include "iotlb_counters.h"
#include "iotlb_entries.h"
#include "latency_histogram.h"
#include "layout.h"
#include "records.h"
#include "session.h"
#include "svg.h"
#include "words.h"

namespace ctl {

using namespace iommukit;

namespace {

constexpr std::array counter_fields = {
	Field{"counter", Show::text, "its name, as in ondemand show"},
	Field{"value", Show::number, "what was counted"},
};

constexpr std::array area_fields = {
	Field{"iova", Show::address, "first IOVA"},
	Field{"last", Show::address, "last IOVA, inclusive"},
	Field{"length", Show::size, "bytes"},
	Field{"permission", Show::text, "r, w or rw: what devices and drivers may do"},
	Field{"backing", Show::text, "memory of a process, or a file"},
	Field{"ondemand", Show::boolean,
	      "it stands for addresses, and nothing is pinned"},
	Field{"dead", Show::boolean, "on demand, and of no use any more"},
	Field{"address", Show::address,
	      "where it is in the process that mapped it, or at which offset in the file"},
	Field{"present", Show::size,
	      "on demand: memory that devices reach without a fault"},
	Field{"faults", Show::number, "on demand: finds of pages"},
	Field{"invalidations", Show::number,
	      "on demand: announced changes of the memory"},
	Field{"counters", Show::rows, "on demand: all that is counted", &counter_table},
};

std::string permission_of(std::uint32_t flags)
{
	return std::string(flags & IOMMUKIT_NL_AREA_READABLE ? "r" : "") +
	       (flags & IOMMUKIT_NL_AREA_WRITEABLE ? "w" : "");
}

const char *backing_of(std::uint32_t flags)
{
	return flags & IOMMUKIT_NL_AREA_FILE ? "file" : "memory";
}

Json counters_json(const OndemandStats &stats)
{
	Json out = Json::array();

	for (const auto &counter : stats.by_name())
		out.push_back(row_to_json(counter_table, {counter.name, counter.value}));
	return out;
}

Row area_row(const AreaFacts &area)
{
	const IovaRange &range = area.range;
	Row row{range.first.value,
		range.last.value,
		range.last.value - range.first.value + 1,
		permission_of(area.flags),
		backing_of(area.flags),
		(area.flags & IOMMUKIT_NL_AREA_ONDEMAND) != 0,
		(area.flags & IOMMUKIT_NL_AREA_DEAD) != 0,
		area.user_address ? Json(*area.user_address) : Json(),
		area.present ? Json(area.present->value) : Json(),
		{},
		{},
		{}};

	if (const auto &stats = area.ondemand) {
		const auto &c = stats->counters;
		row[9] = c.out_faults_read + c.out_faults_write;
		row[10] = c.out_invalidations;
		row[11] = counters_json(*stats);
	}
	return row;
}

Segment segment_of(const AreaFacts &area)
{
	std::string text = mapped_text(permission_of(area.flags), backing_of(area.flags),
				       area.flags & IOMMUKIT_NL_AREA_ONDEMAND);

	if (area.flags & IOMMUKIT_NL_AREA_DEAD)
		text += " (dead)";
	if (area.user_address)
		text += " at " + hex(*area.user_address);
	return {area.range, Segment::Use::mapped, text};
}

// "object 1 of context 3, iommuctl (process 123)"
std::string title_of(Administration &administration, const char *what,
		     std::uint32_t context, std::uint32_t object)
{
	ContextFacts facts = administration.context(context);

	return std::string(what) + " " + std::to_string(object) + " of context " +
	       std::to_string(context) +
	       (facts.comm.empty() ? "" : ", " + printable(facts.comm)) +
	       (facts.pid ? " (process " + std::to_string(*facts.pid) + ")" : "");
}

// Created before anything is asked: a path that is wrong is better known at once.
std::optional<SvgFile> svg_of(const Arguments &args)
{
	auto path = args.text("svg");

	return path ? std::optional<SvgFile>(*path) : std::nullopt;
}

std::optional<std::uint32_t> wanted_asid(const Arguments &args)
{
	auto asid = args.number("asid");

	if (asid && *asid > UINT32_MAX)
		throw usage_failure("there is no asid " + std::to_string(*asid),
				    "they count from 0; show context N tells how many "
				    "there are");
	return asid;
}

} // namespace

constinit const FieldTable counter_table = {"counters", counter_fields};
constinit const FieldTable area_table = {"areas", area_fields};

Report show_areas(Session &session, const Arguments &args)
{
	std::uint32_t context = *wanted_context(args);
	std::uint32_t ioas = *wanted_object(args, "ioas");
	std::optional<IovaRange> range;
	std::vector<Segment> mapped;
	std::vector<Row> rows;

	if (!args.ranges().empty())
		range = args.ranges().front();
	if (session.dry_run())
		return {};
	auto svg = svg_of(args);
	ask_foreign(context, ioas, [&](Administration &administration) {
		for (const auto &area : administration.areas(context, ioas, range)) {
			rows.push_back(area_row(area));
			if (svg)
				mapped.push_back(segment_of(area));
		}
		if (svg)
			svg->write(layout_svg(
				with_gaps(std::move(mapped), range.value_or(all_iovas)),
				title_of(administration, "IOAS", context, ioas)));
	});
	return listed(Report(area_table, Report::Style::table, std::move(rows)).sparse(),
		      "iova", args);
}

Report show_entries(Session &session, const Arguments &args)
{
	std::uint32_t context = *wanted_context(args);
	std::uint32_t iotlb = *wanted_object(args, "iotlb");
	auto asid = wanted_asid(args);
	std::vector<Row> rows;

	if (session.dry_run())
		return {};
	ask_foreign(context, iotlb, [&](Administration &administration) {
		for (const auto &facts : administration.entries(context, iotlb, asid))
			rows.push_back(entry_row(facts.entry));
	});
	return listed(Report(entry_table, Report::Style::table, std::move(rows)),
		      "target", args);
}

Report show_counters(Session &session, const Arguments &args)
{
	std::uint32_t context = *wanted_context(args);
	std::uint32_t iotlb = *wanted_object(args, "iotlb");
	IotlbStats stats;

	if (session.dry_run())
		return {};
	auto svg = svg_of(args);
	ask_foreign(context, iotlb, [&](Administration &administration) {
		ObjectFacts facts = administration.object(context, iotlb);
		auto *state = std::get_if<IotlbState>(&facts.state);

		if (!state && facts.type == "iotlb")
			throw Failure(Exit::unsupported,
				      "the module does not tell the counters of IOTLBs",
				      "module status compares the versions");
		if (!state)
			throw Failure(Exit::refused,
				      "object " + std::to_string(iotlb) + " of context " +
					      std::to_string(context) +
					      " is no IOTLB, but of type " + facts.type,
				      "show context " + std::to_string(context));
		stats = state->stats;
		if (svg)
			svg->write(latency_svg(stats, title_of(administration, "IOTLB",
							       context, iotlb)));
	});
	Report report(stats_table, Report::Style::block, {stats_row(iotlb, stats)});
	report.primary("created");
	return selected(std::move(report), args);
}

} // namespace ctl

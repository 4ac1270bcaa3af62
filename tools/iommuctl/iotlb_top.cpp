// SPDX-License-Identifier: GPL-2.0-only
// The first reading tells what happened since the reading of an earlier command, or since
// the IOTLB was made. On a terminal the picture is drawn again after each; elsewhere each
// is a line, and the picture comes last.
#include "iotlb_top.h"

#include "amounts.h"
#include "interruption.h"
#include "iotlb_counters.h"
#include "latency_histogram.h"
#include "screen.h"
#include "session.h"
#include "svg.h"

#include <algorithm>

namespace ctl {

using namespace iommukit;
using namespace std::chrono;

namespace {

constexpr std::array tick_fields = {
	Field{"tick", Show::number, "number of the reading, from 1"},
	Field{"interval_ms", Show::number, "since the reading before"},
	Field{"lookups_per_s", Show::number, "lookups a second"},
	Field{"hit_percent", Show::number, "lookups that found their translation"},
	Field{"misses_per_s", Show::number, "misses a second"},
	Field{"latency_us", Show::number, "from miss to answer, the mean, microseconds"},
	Field{"updates_per_s", Show::number, "updates a second"},
	Field{"invalidations_per_s", Show::number, "invalidations and flushes a second"},
	Field{"evictions_per_s", Show::number, "entries forgotten a second"},
	Field{"entries", Show::number, "entries now"},
	Field{"pending", Show::number, "misses that wait now"},
	Field{"timed_out", Show::number, "readers that got no answer in time"},
	Field{"latency", Show::rows, "misses of this reading by the time to their answer",
	      &latency_table},
};

constexpr std::array top_fields = {
	Field{"id", Show::number, "id of the IOTLB"},
	Field{"ticks", Show::number, "how often was read"},
	Field{"interval_ms", Show::number, "of all readings together"},
	Field{"lookups", Show::number, "lookups"},
	Field{"hit_percent", Show::number, "lookups that found their translation"},
	Field{"misses", Show::number, "misses"},
	Field{"latency_us", Show::number, "from miss to answer, the mean, microseconds"},
	Field{"updates", Show::number, "updates"},
	Field{"invalidations", Show::number, "invalidations and flushes"},
	Field{"svg", Show::text, "the file that was drawn"},
	Field{"latency", Show::rows, "misses by the time to their answer",
	      &latency_table},
};

// Of a range, and of a whole address space.
std::uint64_t invalidations(const IotlbStats &stats)
{
	return stats[IOMMUKIT_IOTLB_STAT_INVALIDATIONS] +
	       stats[IOMMUKIT_IOTLB_STAT_FLUSHES];
}

struct Reading {
	std::uint64_t number = 0;
	IotlbStats stats; // of the interval
	nanoseconds interval = {};

	double rate(iommukit_iotlb_stat stat) const { return rate(stats[stat]); }
	double rate(std::uint64_t count) const
	{
		return per_second(static_cast<double>(count), interval);
	}
	std::int64_t interval_ms() const
	{
		return duration_cast<milliseconds>(interval).count();
	}
};

Reading read(IotlbRecord &record, std::uint64_t number)
{
	IotlbStats now = record.iotlb.stats();
	auto time = steady_clock::now();
	Reading reading{number, stats_since(now, record.seen), time - record.since};

	record.seen = now;
	record.since = time;
	return reading;
}

Report reading_report(const Reading &reading)
{
	const IotlbStats &stats = reading.stats;

	return {tick_table,
		Report::Style::line,
		{{reading.number, reading.interval_ms(),
		  reading.rate(IOMMUKIT_IOTLB_STAT_LOOKUPS), hit_percent(stats),
		  reading.rate(IOMMUKIT_IOTLB_STAT_CREATED), mean_latency_us(stats),
		  reading.rate(IOMMUKIT_IOTLB_STAT_UPDATES),
		  reading.rate(invalidations(stats)),
		  reading.rate(IOMMUKIT_IOTLB_STAT_EVICTIONS),
		  stats[IOMMUKIT_IOTLB_STAT_ENTRIES], stats[IOMMUKIT_IOTLB_STAT_PENDING],
		  stats[IOMMUKIT_IOTLB_STAT_TIMED_OUT], latency_rows(stats)}}};
}

std::string or_none(const Json &value, std::string_view unit)
{
	return value.is_null() ? "-" : value.dump() + std::string(unit);
}

std::string number(double value)
{
	return Json(value).dump();
}

// Short enough for a terminal: a line that is wrapped cannot be drawn over.
std::string state_lines(const Output &output, const Reading &reading)
{
	const IotlbStats &stats = reading.stats;
	std::string rates = "  " + number(reading.rate(IOMMUKIT_IOTLB_STAT_LOOKUPS)) +
			    " lookups/s, " + or_none(hit_percent(stats), " %") +
			    " hit, " + number(reading.rate(IOMMUKIT_IOTLB_STAT_CREATED)) +
			    " misses/s, " + or_none(mean_latency_us(stats), " us");
	std::string changes =
		"  " + number(reading.rate(IOMMUKIT_IOTLB_STAT_UPDATES)) +
		" updates/s, " + number(reading.rate(invalidations(stats))) +
		" invalidations/s, " +
		std::to_string(stats[IOMMUKIT_IOTLB_STAT_ENTRIES]) + " entries, " +
		std::to_string(stats[IOMMUKIT_IOTLB_STAT_PENDING]) + " pending";

	return rates.substr(0, output.columns()) + "\n" +
	       changes.substr(0, output.columns()) + "\n";
}

struct Totals {
	std::uint64_t readings = 0;
	nanoseconds interval = {};
	IotlbStats stats = {};

	void add(const Reading &reading)
	{
		readings++;
		interval += reading.interval;
		for (std::size_t i = 0; i < stats.values.size(); i++)
			stats.values[i] += reading.stats.values[i];
	}
};

std::string counted(std::uint64_t count, const char *one, const char *many)
{
	return std::to_string(count) + " " + (count == 1 ? one : many);
}

std::string summary(const IotlbRecord &record, const Totals &totals)
{
	const IotlbStats &stats = totals.stats;
	auto of = [&](iommukit_iotlb_stat stat, const char *one, const char *many) {
		return counted(stats[stat], one, many);
	};

	return "iotlb " + std::to_string(record.iotlb.id().value) + ": " +
	       of(IOMMUKIT_IOTLB_STAT_LOOKUPS, "lookup, ", "lookups, ") +
	       or_none(hit_percent(stats), " %") + " hit, " +
	       of(IOMMUKIT_IOTLB_STAT_CREATED, "miss, ", "misses, ") +
	       or_none(mean_latency_us(stats), " us") + ", " +
	       of(IOMMUKIT_IOTLB_STAT_UPDATES, "update, ", "updates, ") +
	       counted(invalidations(stats), "invalidation", "invalidations");
}

Report top_report(const Output &output, const IotlbRecord &record, const Totals &totals,
		  const std::optional<std::string> &svg)
{
	const IotlbStats &stats = totals.stats;
	auto interval = duration_cast<milliseconds>(totals.interval).count();
	// A terminal has the picture already.
	std::string text = output.live() ? "" : latency_text(output, stats);

	return Report::drawn(top_table,
			     {{record.iotlb.id().value, totals.readings, interval,
			       stats[IOMMUKIT_IOTLB_STAT_LOOKUPS], hit_percent(stats),
			       stats[IOMMUKIT_IOTLB_STAT_CREATED], mean_latency_us(stats),
			       stats[IOMMUKIT_IOTLB_STAT_UPDATES], invalidations(stats),
			       svg ? Json(*svg) : Json(), latency_rows(stats)}},
			     text + summary(record, totals) + "\n")
		.primary("misses");
}

} // namespace

constinit const FieldTable tick_table = {"tick", tick_fields};
constinit const FieldTable top_table = {"top", top_fields};

Report run_top(Session &session, const Arguments &args)
{
	const Output &output = session.output();
	IotlbRecord &record = session.iotlb(args.id("id"));
	Pace pace = pace_of(args);
	auto path = args.text("svg");
	std::optional<SvgFile> svg;
	Totals totals;

	Interruption interruption;
	Screen screen(output);
	if (path && !session.dry_run())
		svg.emplace(*path);
	while (pace.goes_on(totals.readings)) {
		if (totals.readings && interruption.wait(pace.interval))
			break;
		Reading reading = read(record, totals.readings + 1);
		// A dry run has no time that passes.
		if (session.dry_run())
			return {};
		totals.add(reading);
		if (output.live())
			screen.show(latency_text(output, totals.stats) +
				    state_lines(output, reading));
		else
			output.data(reading_report(reading));
	}
	if (svg)
		svg->write(latency_svg(totals.stats, summary(record, totals)));
	return top_report(output, record, totals, path);
}

} // namespace ctl

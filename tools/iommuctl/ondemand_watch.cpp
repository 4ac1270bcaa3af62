// SPDX-License-Identifier: GPL-2.0-only
// The kernel is asked when the watch begins; each reading tells what happened since the
// one before. On a terminal it is drawn over that, elsewhere each is a line.
#include "ondemand_watch.h"

#include "amounts.h"
#include "interruption.h"
#include "screen.h"
#include "words.h"

namespace ctl {

using namespace iommukit;
using namespace std::chrono;

namespace {

constexpr std::array tick_fields = {
	Field{"tick", Show::number, "number of the reading, from 1"},
	Field{"interval_ms", Show::number, "since the reading before"},
	Field{"faults_per_s", Show::number, "finds of pages a second, to read or write"},
	Field{"prefetched_per_s", Show::number, "pages a second found by prefetch"},
	Field{"hits_per_s", Show::number, "copies a second that found all they needed"},
	Field{"invalidations_per_s", Show::number,
	      "announced changes of the memory a second"},
	Field{"zapped_per_s", Show::number, "pages forgotten a second"},
	Field{"retries_per_s", Show::number,
	      "finds a second that the memory changed under"},
	Field{"present_pages", Show::number, "pages there are"},
	Field{"huge", Show::number, "blocks of 2 MiB that are one page"},
	Field{"table_bytes", Show::size, "memory of the tables"},
	Field{"pins_live", Show::number, "pages that drivers have pinned"},
};

constexpr std::array watch_fields = {
	Field{"ioas", Show::number, "id of the IOAS"},
	Field{"iova", Show::address, "an IOVA of the mapping; none: all of the IOAS"},
	Field{"ticks", Show::number, "how often was read"},
	Field{"interval_ms", Show::number, "of all readings together"},
	Field{"faults", Show::number, "finds of pages"},
	Field{"prefetched", Show::number, "pages found by prefetch"},
	Field{"hits", Show::number, "copies that found all they needed"},
	Field{"invalidations", Show::number, "announced changes of the memory"},
	Field{"zapped", Show::number, "pages forgotten"},
	Field{"retries", Show::number, "finds that the memory changed under"},
	Field{"present_pages", Show::number, "pages there are"},
};

// What is counted, in a time or all in all.
struct Counts {
	std::uint64_t faults = 0;
	std::uint64_t prefetched = 0;
	std::uint64_t hits = 0;
	std::uint64_t invalidations = 0;
	std::uint64_t zapped = 0;
	std::uint64_t retries = 0;
};

Counts counts_of(const iommukit_ondemand_query &query)
{
	return {query.out_faults_read + query.out_faults_write,
		query.out_prefetch_pages,
		query.out_hits,
		query.out_invalidations,
		query.out_zapped_pages,
		query.out_retries};
}

// What is smaller than before was reset meanwhile.
std::uint64_t growth(std::uint64_t now, std::uint64_t then)
{
	return now >= then ? now - then : now;
}

Counts counts_since(const Counts &now, const Counts &then)
{
	return {growth(now.faults, then.faults),
		growth(now.prefetched, then.prefetched),
		growth(now.hits, then.hits),
		growth(now.invalidations, then.invalidations),
		growth(now.zapped, then.zapped),
		growth(now.retries, then.retries)};
}

struct Reading {
	iommukit_ondemand_query query = {};
	steady_clock::time_point time = {};
};

Reading read(const OndemandTarget &target)
{
	iommukit_ondemand_query query = target.stats().counters;

	return {query, steady_clock::now()};
}

std::int64_t in_ms(nanoseconds time)
{
	return duration_cast<milliseconds>(time).count();
}

// From one reading to another: to the next, or from the first to the last.
struct Stretch {
	Reading from, to;

	nanoseconds time() const { return to.time - from.time; }
	Counts counts() const
	{
		return counts_since(counts_of(to.query), counts_of(from.query));
	}
	double rate(std::uint64_t count) const
	{
		return per_second(static_cast<double>(count), time());
	}
	Report report(std::uint64_t number) const;
	std::string picture(const Output &output) const;
};

Report Stretch::report(std::uint64_t number) const
{
	Counts count = counts();

	return {ondemand_tick_table,
		Report::Style::line,
		{{number, in_ms(time()), rate(count.faults), rate(count.prefetched),
		  rate(count.hits), rate(count.invalidations), rate(count.zapped),
		  rate(count.retries), to.query.out_present_pages, to.query.out_huge,
		  to.query.out_table_bytes, to.query.out_pins_live}}};
}

// Short enough for a terminal: a line that is wrapped cannot be drawn over.
std::string Stretch::picture(const Output &output) const
{
	Counts count = counts();
	auto text = [&](std::uint64_t what) { return Json(rate(what)).dump(); };
	std::string rates = "  " + text(count.faults) + " faults/s, " + text(count.hits) +
			    " hits/s, " + text(count.invalidations) +
			    " invalidations/s, " + text(count.zapped) +
			    " pages forgotten/s";
	std::string now = "  " + std::to_string(to.query.out_present_pages) +
			  " pages there, " + human_size(to.query.out_table_bytes) +
			  " of tables, " + std::to_string(to.query.out_pins_live) +
			  " pinned";

	return rates.substr(0, output.columns()) + "\n" +
	       now.substr(0, output.columns()) + "\n";
}

Report summary(const OndemandTarget &target, std::uint64_t ticks, const Stretch &all)
{
	Counts count = all.counts();
	std::string text = target.name() + ": " + std::to_string(ticks) +
			   (ticks == 1 ? " reading, " : " readings, ") +
			   std::to_string(count.faults) + " faults, " +
			   std::to_string(count.hits) + " hits, " +
			   std::to_string(count.invalidations) + " invalidations, " +
			   std::to_string(count.zapped) + " pages forgotten, " +
			   std::to_string(all.to.query.out_present_pages) + " there\n";

	return Report::drawn(ondemand_watch_table,
			     {{target.ioas.ioas.id().value,
			       target.iova ? Json(target.iova->value) : Json(), ticks,
			       in_ms(all.time()), count.faults, count.prefetched,
			       count.hits, count.invalidations, count.zapped,
			       count.retries, all.to.query.out_present_pages}},
			     text)
		.primary("faults");
}

} // namespace

constinit const FieldTable ondemand_tick_table = {"tick", tick_fields};
constinit const FieldTable ondemand_watch_table = {"watch", watch_fields};

Report watch_ondemand(Session &session, const Arguments &args)
{
	const Output &output = session.output();
	OndemandTarget target = find_ondemand(session, args);
	Pace pace = pace_of(args);
	Interruption interruption;
	Screen screen(output);
	Reading first = read(target), last = first;
	std::uint64_t ticks = 0;

	// A dry run has no time that passes.
	if (session.dry_run())
		return {};
	while (pace.goes_on(ticks) && !interruption.wait(pace.interval)) {
		Stretch stretch{last, read(target)};
		last = stretch.to;
		ticks++;
		if (output.live())
			screen.show(stretch.picture(output));
		else
			output.data(stretch.report(ticks));
	}
	return summary(target, ticks, {first, last});
}

} // namespace ctl

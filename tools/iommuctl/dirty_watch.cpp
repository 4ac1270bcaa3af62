// SPDX-License-Identifier: GPL-2.0-only
// On a terminal the picture is drawn again after each reading; elsewhere each
// reading is a line, and the picture comes last.
#include "dirty_watch.h"

#include "heat_map.h"
#include "interruption.h"
#include "screen.h"
#include "svg.h"
#include "words.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace ctl {

using namespace iommukit;
using namespace std::chrono;

namespace {

constexpr std::array reading_fields = {
	Field{"reading", Show::number, "number of the reading, from 1"},
	Field{"dirty_pages", Show::number, "pages that were written"},
	Field{"dirty_bytes", Show::size, "the same in bytes"},
	Field{"interval_ms", Show::number, "since the reading before, or dirty on"},
	Field{"mib_per_s", Show::number, "dirty memory a second, in MiB"},
	Field{"pages_per_s", Show::number, "dirty pages a second"},
	Field{"read_us", Show::number, "what the kernel took to read, microseconds"},
};

constexpr std::array heat_fields = {
	Field{"first", Show::address, "first IOVA of a row"},
	Field{"last", Show::address, "last IOVA of the row, inclusive"},
	Field{"cell", Show::size, "bytes that a cell stands for"},
	Field{"heat", Show::words, "of each cell the share that was dirty, 0 to 1"},
};

constexpr std::array watch_fields = {
	Field{"object", Show::text, "ioas or hwpt"},
	Field{"id", Show::number, "its id"},
	Field{"readings", Show::number, "how often was read"},
	Field{"page_size", Show::size, "bytes of a page"},
	Field{"pages", Show::number, "pages that were looked at"},
	Field{"dirty_pages", Show::number, "dirty pages of all readings together"},
	Field{"dirty_bytes", Show::size, "the same in bytes"},
	Field{"interval_ms", Show::number, "of all readings together"},
	Field{"mib_per_s", Show::number, "dirty memory a second, in MiB"},
	Field{"pages_per_s", Show::number, "dirty pages a second"},
	Field{"read_us", Show::number, "time of a reading, the mean, microseconds"},
	Field{"read_us_most", Show::number, "time of the slowest reading"},
	Field{"svg", Show::text, "the file that was drawn"},
	Field{"heat", Show::rows, "the picture", &heat_table},
};

std::int64_t in_us(nanoseconds time)
{
	return duration_cast<microseconds>(time).count();
}

std::int64_t in_ms(nanoseconds time)
{
	return duration_cast<milliseconds>(time).count();
}

struct Totals {
	std::uint64_t readings = 0;
	std::uint64_t dirty_pages = 0;
	nanoseconds interval = {};
	nanoseconds took = {};
	nanoseconds most = {};

	void add(const DirtyReading &reading)
	{
		readings++;
		dirty_pages += reading.dirty_pages();
		interval += reading.interval;
		took += reading.took;
		most = std::max(most, reading.took);
	}
};

// Short enough for a terminal: a line that is wrapped cannot be drawn over.
std::string status_line(const Output &output, std::uint64_t number,
			const DirtyReading &reading)
{
	Bytes dirty = reading.dirty_bytes();
	std::string out =
		"  reading " + std::to_string(number) + ": " + human_size(dirty.value) +
		" dirty, " + Json(mib_per_second(dirty, reading.interval)).dump() +
		" MiB/s, " +
		Json(pages_per_second(reading.dirty_pages(), reading.interval)).dump() +
		" pages/s, read in " + std::to_string(in_us(reading.took)) + " us";

	return out.substr(0, output.columns()) + "\n";
}

Report reading_report(std::uint64_t number, const DirtyReading &reading)
{
	return {reading_table,
		Report::Style::line,
		{{number, reading.dirty_pages(), reading.dirty_bytes().value,
		  in_ms(reading.interval),
		  mib_per_second(reading.dirty_bytes(), reading.interval),
		  pages_per_second(reading.dirty_pages(), reading.interval),
		  in_us(reading.took)}}};
}

Json heat_json(const HeatMap &map)
{
	Json out = Json::array();

	for (const auto &row : map.rows()) {
		Json heat = Json::array();
		for (std::size_t cell = 0; cell < row.dirty.size(); cell++)
			heat.push_back(std::round(map.heat(row, cell) * 1000) / 1000);
		out.push_back(row_to_json(heat_table,
					  {row.range.first.value, row.range.last.value,
					   map.cell_size(row).value, heat}));
	}
	return out;
}

struct Watch {
	const DirtySource &source;
	const DirtyArea &area;
	const WatchOptions &options;
	HeatMap map;
	Totals totals = {};
	std::uint64_t pages = 0;

	std::string summary() const;
	Report report(const Output &output) const;
};

std::string Watch::summary() const
{
	Bytes dirty(totals.dirty_pages * area.page_size.value);
	std::string out = source.name() + ": " + std::to_string(totals.readings) +
			  (totals.readings == 1 ? " reading" : " readings") + " of " +
			  human_size(pages * area.page_size.value) + ", " +
			  human_size(dirty.value) + " dirty";

	if (!totals.readings)
		return out;
	return out + ", " + Json(mib_per_second(dirty, totals.interval)).dump() +
	       " MiB/s, " +
	       Json(pages_per_second(totals.dirty_pages, totals.interval)).dump() +
	       " pages/s, " +
	       std::to_string(in_us(totals.took) /
			      static_cast<std::int64_t>(totals.readings)) +
	       " us a reading";
}

Report Watch::report(const Output &output) const
{
	Bytes dirty(totals.dirty_pages * area.page_size.value);
	auto readings =
		static_cast<std::int64_t>(std::max<std::uint64_t>(totals.readings, 1));
	// A terminal has the picture already.
	std::string text = output.live() ? "" : map.text(output);

	return Report::drawn(
		       watch_table,
		       {{source.kind(), source.id().value, totals.readings,
			 area.page_size.value, pages, totals.dirty_pages, dirty.value,
			 in_ms(totals.interval), mib_per_second(dirty, totals.interval),
			 pages_per_second(totals.dirty_pages, totals.interval),
			 in_us(totals.took) / readings, in_us(totals.most),
			 options.svg ? Json(*options.svg) : Json(), heat_json(map)}},
		       text + summary() + "\n")
		.primary("dirty_pages");
}

} // namespace

constinit const FieldTable reading_table = {"reading", reading_fields};
constinit const FieldTable heat_table = {"heat", heat_fields};
constinit const FieldTable watch_table = {"watch", watch_fields};

Report watch_dirty(Session &session, const DirtySource &source, const DirtyArea &area,
		   const WatchOptions &options)
{
	const Output &output = session.output();
	std::optional<SvgFile> svg;
	Interruption interruption;
	Screen screen(output);
	Watch watch{source, area, options,
		    HeatMap(area.ranges, area.page_size, heat_columns(output))};

	if (options.svg && !session.dry_run())
		svg.emplace(*options.svg);
	while (options.pace.goes_on(watch.totals.readings)) {
		if (watch.totals.readings && interruption.wait(options.pace.interval))
			break;
		DirtyReading reading = read_dirty(source, area, Marks::clear);
		// A dry run has no time that passes.
		if (session.dry_run())
			return {};
		watch.pages = reading.pages();
		watch.totals.add(reading);
		watch.map.add(reading.bitmaps);
		if (output.live())
			screen.show(watch.map.text(output) +
				    status_line(output, watch.totals.readings, reading));
		else
			output.data(reading_report(watch.totals.readings, reading));
	}
	if (svg)
		svg->write(watch.map.svg(watch.summary()));
	return watch.report(output);
}

} // namespace ctl

// SPDX-License-Identifier: GPL-2.0-only
// iommuctl dirty: which pages were written. An IOAS notes what software writes by
// way of it, whatever HWPT a software device uses; a HWPT what devices write by it.
#include "devices.h"
#include "dirty_reading.h"
#include "dirty_watch.h"
#include "failure.h"
#include "objects.h"
#include "words.h"

#include <array>

namespace ctl {

using namespace iommukit;

namespace {

constexpr std::size_t most_lines = 64;

constexpr std::array tracking_fields = {
	Field{"object", Show::text, "ioas or hwpt"},
	Field{"id", Show::number, "its id"},
	Field{"on", Show::boolean, "what is written is noted"},
};
constexpr FieldTable tracking_table = {"tracking", tracking_fields};

constexpr std::array range_fields = {
	Field{"first", Show::address, "first IOVA of a dirty range"},
	Field{"last", Show::address, "last IOVA, inclusive"},
	Field{"pages", Show::number, "pages of it"},
};
constexpr FieldTable range_table = {"range", range_fields};

constexpr std::array dirty_fields = {
	Field{"object", Show::text, "ioas or hwpt"},
	Field{"id", Show::number, "its id"},
	Field{"page_size", Show::size, "bytes of a page"},
	Field{"pages", Show::number, "pages that were looked at"},
	Field{"dirty_pages", Show::number, "pages that were written"},
	Field{"dirty_bytes", Show::size, "the same in bytes"},
	Field{"interval_ms", Show::number, "since the reading before, or dirty on"},
	Field{"mib_per_s", Show::number, "dirty memory a second, in MiB"},
	Field{"pages_per_s", Show::number, "dirty pages a second"},
	Field{"read_us", Show::number, "what the kernel took to read, microseconds"},
	Field{"cleared", Show::boolean, "it will not be reported again"},
	Field{"ranges", Show::rows, "the dirty ranges", &range_table},
};
constexpr FieldTable dirty_table = {"dirty", dirty_fields};

Report switch_tracking(Session &session, const Arguments &args, bool on)
{
	DirtySource source = find_dirty_source(session, args);

	source.track(on);
	return Report(tracking_table, Report::Style::line,
		      {{source.kind(), source.id().value, on}})
		.primary("id");
}

Report run_on(Session &session, const Arguments &args)
{
	return switch_tracking(session, args, true);
}

Report run_off(Session &session, const Arguments &args)
{
	return switch_tracking(session, args, false);
}

std::vector<IovaRange> dirty_ranges(const DirtyReading &reading)
{
	std::vector<IovaRange> out;

	for (const auto &bitmap : reading.bitmaps)
		for (const IovaRange &range : bitmap.ranges())
			out.push_back(range);
	return out;
}

std::string range_line(const IovaRange &range)
{
	return "  " + pad_left(hex(range.first.value), 18) + "  " +
	       pad_left(hex(range.last.value), 18) + "  " +
	       pad_left(human_size((range.last - range.first).value + 1), 10) + "\n";
}

std::string reading_text(const DirtySource &source, const DirtyReading &reading,
			 const std::vector<IovaRange> &ranges)
{
	std::uint64_t dirty = reading.dirty_pages();
	std::string out = source.name() + ": " + std::to_string(dirty) + " of " +
			  std::to_string(reading.pages()) + " pages of " +
			  human_size(reading.bitmaps.front().page_size().value) +
			  " dirty, " + human_size(reading.dirty_bytes().value) + " in " +
			  std::to_string(ranges.size()) +
			  (ranges.size() == 1 ? " range\n" : " ranges\n");

	if (ranges.empty())
		return out;
	return out + "  " + pad_left("first", 18) + "  " + pad_left("last", 18) + "  " +
	       pad_left("size", 10) + "\n" +
	       stack_lines(ranges.size(), most_lines,
			   [&](std::size_t i) { return range_line(ranges[i]); });
}

Report run_read(Session &session, const Arguments &args)
{
	DirtySource source = find_dirty_source(session, args);
	DirtyArea area = find_dirty_area(session, source, args);
	bool clear = !args.has("no-clear");
	DirtyReading reading =
		read_dirty(source, area, clear ? Marks::clear : Marks::keep);
	std::vector<IovaRange> ranges = dirty_ranges(reading);
	Json rows = Json::array();

	for (const IovaRange &range : ranges)
		rows.push_back(row_to_json(
			range_table,
			{range.first.value, range.last.value,
			 (range.last - range.first).value / area.page_size.value + 1}));
	auto us = std::chrono::duration_cast<std::chrono::microseconds>(reading.took);
	auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(reading.interval);
	return Report::drawn(dirty_table,
			     {{source.kind(), source.id().value, area.page_size.value,
			       reading.pages(), reading.dirty_pages(),
			       reading.dirty_bytes().value, ms.count(),
			       mib_per_second(reading.dirty_bytes(), reading.interval),
			       pages_per_second(reading.dirty_pages(), reading.interval),
			       us.count(), clear, rows}},
			     reading_text(source, reading, ranges))
		.primary("dirty_pages");
}

Report run_watch(Session &session, const Arguments &args)
{
	DirtySource source = find_dirty_source(session, args);
	DirtyArea area = find_dirty_area(session, source, args);

	return watch_dirty(session, source, area,
			   {.pace = pace_of(args), .svg = args.text("svg")});
}

constexpr Param ioas_param = {"ioas", Kind::id, Place::key,
			      "what software writes by way of this IOAS; the only one "
			      "if neither this nor hwpt is given"};
constexpr Param hwpt_param = {"hwpt", Kind::id, Place::key,
			      "what devices write by this HWPT, made with dirty"};
constexpr Param page_size_param = {
	"page-size", Kind::size, Place::key,
	"bytes that are reported together, a power of two; a page if left out"};
constexpr Param ranges_param = {"ranges", Kind::ranges, Place::rest,
				"what to look at, without a hole; all that is mapped if "
				"left out"};

constexpr std::array switch_params = {ioas_param, hwpt_param};
constexpr std::array read_params = {
	ioas_param,
	hwpt_param,
	page_size_param,
	Param{"no-clear", Kind::text, Place::flag, "report it again next time"},
	ranges_param,
};
constexpr std::array watch_params = {
	ioas_param,
	hwpt_param,
	page_size_param,
	interval_param,
	count_param,
	Param{"svg", Kind::path, Place::key, "draw the picture to a file, too"},
	ranges_param,
};

constexpr std::array verbs = {
	Verb{"on", "note from now on what is written", switch_params, run_on},
	Verb{"off", "note it no longer", switch_params, run_off},
	Verb{"read", "list what was written since it was last read", read_params,
	     run_read},
	Verb{"watch", "read again and again, and draw where how much is written",
	     watch_params, run_watch},
};
constexpr std::array<const FieldTable *, 6> tables = {&tracking_table, &dirty_table,
						      &range_table,    &reading_table,
						      &watch_table,    &heat_table};

} // namespace

const Object dirty_object = {"dirty", "what was written by way of an IOAS or a HWPT",
			     verbs, "", tables};

} // namespace ctl

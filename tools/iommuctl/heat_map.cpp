// SPDX-License-Identifier: GPL-2.0-only
// Stretches share the rows by their size, but each has one at least: a page that
// is written all the time is to be seen beside a gigabyte that is not.
#include "heat_map.h"

#include "words.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>

namespace ctl {

using namespace iommukit;

namespace {

// With a heading, a legend and a line of state it fits a terminal of 24 lines.
constexpr std::uint64_t wanted_rows = 12;
constexpr std::size_t most_lines = 18;
// "  ADDRESS  SIZE  |" and "|"
constexpr std::size_t label_width = 2 + 18 + 2 + 8 + 2 + 1 + 1;

// Of a cell: not at all, then quarters.
constexpr std::array<const char *, 5> plain = {".", ":", "+", "*", "#"};
constexpr std::array<const char *, 5> blocks = {"\u00b7", "\u2591", "\u2592", "\u2593",
						"\u2588"};
constexpr std::array<Colour, 5> colours = {Colour::dim, Colour::green, Colour::yellow,
					   Colour::red, Colour::red};

std::size_t level(double heat)
{
	return static_cast<std::size_t>(std::ceil(heat * 4));
}

// What a pipe gets must not depend on where it was made.
const std::array<const char *, 5> &glyphs(const Output &output)
{
	if (!output.live())
		return plain;
	for (const char *name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
		const char *value = std::getenv(name);
		if (value && *value)
			return std::strstr(value, "UTF-8") || std::strstr(value, "utf8")
				       ? blocks
				       : plain;
	}
	return plain;
}

// Neighbours that look alike share an escape sequence.
std::string cells_text(const Output &output, const std::vector<std::size_t> &levels)
{
	const auto &look = glyphs(output);
	std::string out;

	for (std::size_t i = 0; i < levels.size();) {
		std::string same;
		std::size_t value = levels[i];
		for (; i < levels.size() && levels[i] == value; i++)
			same += look[value];
		out += output.coloured(colours[value], same);
	}
	return out;
}

std::string legend(const Output &output)
{
	constexpr std::array<const char *, 5> names = {" clean", " to 25", " to 50",
						       " to 75", " to 100"};
	std::string out = " ";

	for (std::size_t i = 0; i < names.size(); i++)
		out += " " + cells_text(output, {i}) + names[i];
	return out + " % dirty\n";
}

} // namespace

HeatMap::HeatMap(const std::vector<IovaRange> &stretches, Bytes page_size,
		 std::size_t columns)
	: page_size_(page_size)
{
	std::uint64_t width = std::bit_floor(std::max<std::size_t>(columns, 1));
	std::uint64_t total = 0;

	for (const IovaRange &stretch : stretches)
		total += (stretch.last - stretch.first).value / page_size.value + 1;
	// As many pages a cell as let everything fit into the rows.
	std::uint64_t budget = wanted_rows * width;
	for (std::size_t number = 0; number < stretches.size(); number++) {
		const IovaRange &stretch = stretches[number];
		std::uint64_t pages =
			(stretch.last - stretch.first).value / page_size.value + 1;
		std::uint64_t cells = std::max(
			width, static_cast<std::uint64_t>(static_cast<double>(pages) /
							  static_cast<double>(total) *
							  static_cast<double>(budget)));
		std::uint64_t per_cell = std::bit_ceil((pages + cells - 1) / cells);
		for (std::uint64_t at = 0; at < pages; at += per_cell * width) {
			std::uint64_t here = std::min(pages - at, per_cell * width);
			Iova first = stretch.first + Bytes(at * page_size.value);
			rows_.push_back(
				{{first, first + Bytes(here * page_size.value - 1)},
				 number,
				 at,
				 per_cell,
				 here,
				 std::vector<std::uint64_t>((here + per_cell - 1) /
							    per_cell)});
		}
	}
}

void HeatMap::add(const std::vector<DirtyBitmap> &bitmaps)
{
	for (Row &row : rows_)
		for (std::size_t cell = 0; cell < row.dirty.size(); cell++) {
			std::uint64_t skipped = cell * row.cell_pages;
			row.dirty[cell] += bitmaps[row.stretch].count(
				row.first_page + skipped,
				std::min(row.cell_pages, row.pages - skipped));
		}
	readings_++;
}

double HeatMap::heat(const Row &row, std::size_t cell) const
{
	std::uint64_t pages = std::min(row.cell_pages, row.pages - cell * row.cell_pages);

	if (!readings_)
		return 0;
	return static_cast<double>(row.dirty[cell]) /
	       static_cast<double>(pages * readings_);
}

std::string HeatMap::text(const Output &output) const
{
	std::string out =
		"  " + pad_left("first", 18) + "  " + pad_left("a cell", 8) + "\n";

	out += stack_lines(rows_.size(), most_lines, [&](std::size_t i) {
		const Row &row = rows_[i];
		std::vector<std::size_t> levels;
		for (std::size_t cell = 0; cell < row.dirty.size(); cell++)
			levels.push_back(level(heat(row, cell)));
		return "  " + pad_left(hex(row.range.first.value), 18) + "  " +
		       pad_left(human_size(cell_size(row).value), 8) + "  |" +
		       cells_text(output, levels) + "|\n";
	});
	return out + legend(output);
}

std::size_t heat_columns(const Output &output)
{
	std::size_t columns = output.columns();

	return columns > label_width ? columns - label_width : 1;
}

} // namespace ctl

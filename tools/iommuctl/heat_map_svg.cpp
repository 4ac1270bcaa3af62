// SPDX-License-Identifier: GPL-2.0-only
// The same cells as in the text, but with all shades, and each says what it is when
// the pointer rests on it.
#include "heat_map.h"

#include "svg.h"
#include "words.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace ctl {

using namespace iommukit;

namespace {

constexpr std::size_t cell_width = 10;
constexpr std::size_t row_height = 16;
constexpr std::size_t left = 170;
constexpr std::size_t top = 48;
constexpr std::size_t bottom = 40;
constexpr std::size_t legend_steps = 10;

// From pale yellow to dark red; what is clean is grey.
std::string shade(double heat)
{
	char text[8];

	if (heat <= 0)
		return "#eeeeee";
	auto part = [&](double from, double to) {
		return static_cast<unsigned>(std::lround(from + (to - from) * heat));
	};
	std::snprintf(text, sizeof(text), "#%02x%02x%02x", part(255, 160), part(220, 0),
		      part(120, 20));
	return text;
}

std::string percent(double heat)
{
	return std::to_string(std::lround(heat * 100)) + " %";
}

std::string box(std::size_t x, std::size_t y, std::string fill, std::string title)
{
	return svg_box({x, y, cell_width - 1, row_height - 2, std::move(fill),
			std::move(title)});
}

std::string svg_legend(std::size_t y)
{
	std::string out = svg_label(left - 8, y + 11, "clean", " text-anchor='end'");

	for (std::size_t i = 0; i <= legend_steps; i++)
		out += box(left + i * cell_width, y,
			   shade(static_cast<double>(i) / legend_steps), "");
	return out + svg_label(left + (legend_steps + 1) * cell_width + 8, y + 11,
			       "every page in every reading");
}

} // namespace

std::string HeatMap::svg(const std::string &title) const
{
	std::size_t cells = 0;
	std::string body;

	for (std::size_t i = 0; i < rows_.size(); i++) {
		const Row &row = rows_[i];
		std::size_t y = top + i * row_height;
		cells = std::max(cells, row.dirty.size());
		body += svg_label(left - 8, y + 11, hex(row.range.first.value),
				  " text-anchor='end'");
		for (std::size_t cell = 0; cell < row.dirty.size(); cell++) {
			Iova first = row.range.first + Bytes(cell * cell_size(row).value);
			body += box(left + cell * cell_width, y, shade(heat(row, cell)),
				    hex(first.value) + ", " +
					    human_size(cell_size(row).value) + ": " +
					    percent(heat(row, cell)));
		}
	}
	std::size_t end = top + rows_.size() * row_height;
	// The title and the legend need room, however few the cells are.
	std::size_t width = 20 + std::max({left + cells * cell_width, title.size() * 8,
					   left + std::size_t(480)});
	return svg_picture(width, end + bottom, title, body + svg_legend(end + 12));
}

} // namespace ctl

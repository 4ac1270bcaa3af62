// SPDX-License-Identifier: GPL-2.0-only
// The same lines as in the text, and more of them: a picture can be scrolled.
#include "layout.h"

#include "svg.h"
#include "words.h"

#include <algorithm>
#include <array>

namespace ctl {

using namespace iommukit;

namespace {

constexpr std::size_t most_rows = 2000;
constexpr std::size_t row_height = 18;
constexpr std::size_t left = 190;
constexpr std::size_t top = 48;
constexpr std::size_t bar_width = 320;
constexpr std::size_t character_width = 8;

std::string words(const Segment &segment)
{
	return range_size_text(segment.range) + "  " + segment.text;
}

std::string row(const Segment &segment, std::size_t y)
{
	// By their use: free, allowed, reserved, mapped.
	constexpr std::array<const char *, 4> fills = {"#eeeeee", "#c4dff6", "#cc0000",
						       "#4e9a06"};
	std::string first = hex(segment.range.first.value);
	std::string last = hex(segment.range.last.value);

	return svg_label(left - 8, y + 13, first, " text-anchor='end'") +
	       svg_box({left, y, bar_length(segment.range, bar_width), row_height - 2,
			fills[static_cast<std::size_t>(segment.use)],
			first + " to " + last + ": " + words(segment)}) +
	       svg_label(left + bar_width + 8, y + 13, words(segment));
}

} // namespace

std::string layout_svg(const std::vector<Segment> &segments, const std::string &title)
{
	std::size_t shown = std::min(segments.size(), most_rows);
	std::size_t hidden = segments.size() - shown;
	std::size_t longest = 0, y = top;
	std::string body;

	for (std::size_t i = 0; i < shown; i++, y += row_height) {
		if (hidden && i == shown / 2) {
			body += svg_label(left, y + 13,
					  "... " + std::to_string(hidden) + " more ...");
			y += row_height;
		}
		const Segment &segment = segments[i < shown / 2 ? i : i + hidden];
		body += row(segment, y);
		longest = std::max(longest, words(segment).size());
	}
	return svg_picture(std::max(left + bar_width + 8 + longest * character_width,
				    title.size() * character_width) +
				   20,
			   y + 20, title, body);
}

} // namespace ctl

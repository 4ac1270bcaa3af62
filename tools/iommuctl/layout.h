// SPDX-License-Identifier: GPL-2.0-only
// The IOVA space of an IOAS as a picture: made of text, or an SVG file.
#pragma once

#include "session.h"

#include <string>
#include <vector>

namespace ctl {

// One stretch of IOVA in which everything is alike.
struct Segment {
	enum class Use { free, allowed, reserved, mapped };

	iommukit::IovaRange range;
	Use use;
	std::string text; // what is there
};

// The whole space, ascending and without gaps. With an allowed list, only what
// lies on it counts as allowed; without one everything usable is free.
std::vector<Segment> segments(const IoasRecord &ioas,
			      const std::vector<iommukit::IovaRange> &usable);

// Of what is mapped in a range, ascending, and of what else there may be between.
std::vector<Segment> with_gaps(std::vector<Segment> mapped,
			       const iommukit::IovaRange &whole);

// "rw memfd (on demand)"
std::string mapped_text(const std::string &permission, const std::string &what,
			bool ondemand);
// Length of the bar, of so many characters or pixels, that stands for the size.
std::size_t bar_length(const iommukit::IovaRange &range, std::size_t width);
std::string range_size_text(const iommukit::IovaRange &range);

std::string layout_svg(const std::vector<Segment> &segments, const std::string &title);
std::string draw(const Output &output, const std::vector<Segment> &segments);

} // namespace ctl

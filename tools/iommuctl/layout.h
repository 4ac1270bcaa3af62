// SPDX-License-Identifier: GPL-2.0-only
// The IOVA space of an IOAS as a picture made of text.
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
	const MappingRecord *mapping = nullptr;
};

// The whole space, ascending and without gaps. With an allowed list, only what
// lies on it counts as allowed; without one everything usable is free.
std::vector<Segment> segments(const IoasRecord &ioas,
			      const std::vector<iommukit::IovaRange> &usable);

std::string draw(const Output &output, const std::vector<Segment> &segments);

} // namespace ctl

// SPDX-License-Identifier: GPL-2.0-only
// Reading again and again what was written, and what that says in the end.
#pragma once

#include "dirty_reading.h"
#include "pace.h"
#include "report.h"

#include <optional>
#include <string>

namespace ctl {

extern const FieldTable reading_table;
extern const FieldTable heat_table;
extern const FieldTable watch_table;

struct WatchOptions {
	Pace pace = {};
	// A file to draw the picture to.
	std::optional<std::string> svg = {};
};

Report watch_dirty(Session &session, const DirtySource &source, const DirtyArea &area,
		   const WatchOptions &options);

} // namespace ctl

// SPDX-License-Identifier: GPL-2.0-only
// Reading again and again what was written, and what that says in the end.
#pragma once

#include "dirty_reading.h"
#include "report.h"

#include <chrono>
#include <optional>
#include <string>

namespace ctl {

extern const FieldTable reading_table;
extern const FieldTable heat_table;
extern const FieldTable watch_table;

struct WatchOptions {
	std::chrono::milliseconds interval{1000};
	// None: until it is interrupted.
	std::optional<std::uint64_t> count = {};
	// A file to draw the picture to.
	std::optional<std::string> svg = {};
};

Report watch_dirty(Session &session, const DirtySource &source, const DirtyArea &area,
		   const WatchOptions &options);

} // namespace ctl

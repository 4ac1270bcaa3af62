// SPDX-License-Identifier: GPL-2.0-only
// iommuctl show areas, entries, counters: what is in an IOAS or an IOTLB of another
// process.
#pragma once

#include "command_table.h"
#include "foreign.h"

#include <array>

namespace ctl {

extern const FieldTable area_table;
extern const FieldTable counter_table;

Report show_areas(Session &session, const Arguments &args);
Report show_entries(Session &session, const Arguments &args);
Report show_counters(Session &session, const Arguments &args);

inline constexpr Param iotlb_operand = {"iotlb", Kind::id, Place::operand,
					"id of the IOTLB in it"};

inline constexpr std::array show_areas_params = {
	context_operand,
	Param{"ioas", Kind::id, Place::operand, "id of the IOAS in it"},
	field_operand,
	Param{"range", Kind::ranges, Place::key,
	      "only what lies in this range, or sticks out of it"},
	Param{"svg", Kind::path, Place::key, "draw the IOVA layout to a file, too"},
};
inline constexpr std::array show_entries_params = {
	context_operand,
	iotlb_operand,
	field_operand,
	Param{"asid", Kind::number, Place::key,
	      "only this address space; all if left out"},
};
inline constexpr std::array show_counters_params = {
	context_operand,
	iotlb_operand,
	field_operand,
	Param{"svg", Kind::path, Place::key, "draw how long misses took to a file, too"},
};

} // namespace ctl

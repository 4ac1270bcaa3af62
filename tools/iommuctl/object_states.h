// SPDX-License-Identifier: GPL-2.0-only
// iommuctl show: the objects of all processes, and what state they are in.
#pragma once

#include "command_table.h"
#include "foreign.h"

#include <array>

namespace ctl {

extern const FieldTable object_state_table;

Report show_objects(Session &session, const Arguments &args);

inline constexpr std::array show_objects_params = {
	context_key,
	Param{"object", Kind::id, Place::key,
	      "only this one, by its id in the context, which must be named"},
	field_operand,
};

} // namespace ctl

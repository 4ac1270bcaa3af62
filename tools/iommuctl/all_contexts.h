// SPDX-License-Identifier: GPL-2.0-only
// iommuctl context list, context objects: what all processes have, as the module tells
// anybody. Nothing of that can be used from here, for there is no descriptor.
#pragma once

#include "command_table.h"
#include "foreign.h"

#include <array>

namespace ctl {

extern const FieldTable all_contexts_table;
extern const FieldTable all_objects_table;

Report list_all_contexts(Session &session, const Arguments &args);
Report list_all_objects(Session &session, const Arguments &args);

inline constexpr std::array all_objects_params = {
	context_key,
	field_operand,
};

} // namespace ctl

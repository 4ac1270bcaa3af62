// SPDX-License-Identifier: GPL-2.0-only
// The fields of a mapping: of what map and copy print, and of ioas show.
#pragma once

#include "report.h"
#include "session.h"

namespace ctl {

extern const FieldTable mapping_table;

Row mapping_row(const IoasRecord &ioas, const MappingRecord &mapping);

} // namespace ctl

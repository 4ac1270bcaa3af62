// SPDX-License-Identifier: GPL-2.0-only
// iommuctl iotlb top: the counters of an IOTLB again and again, as rates.
#pragma once

#include "command_table.h"
#include "iotlb_entries.h"
#include "pace.h"

#include <array>

namespace ctl {

extern const FieldTable tick_table;
extern const FieldTable top_table;

Report run_top(Session &session, const Arguments &args);

inline constexpr std::array top_params = {
	optional_iotlb_param,
	interval_param,
	count_param,
	Param{"svg", Kind::path, Place::key, "draw the picture to a file, too"},
};

} // namespace ctl

// SPDX-License-Identifier: GPL-2.0-only
// iommuctl ondemand watch: the counters of on-demand mappings again and again, as rates.
#pragma once

#include "ondemand_target.h"
#include "pace.h"

#include <array>

namespace ctl {

extern const FieldTable ondemand_tick_table;
extern const FieldTable ondemand_watch_table;

Report watch_ondemand(Session &session, const Arguments &args);

inline constexpr std::array ondemand_watch_params = {
	ondemand_where_param,
	ondemand_ioas_param,
	interval_param,
	count_param,
};

} // namespace ctl

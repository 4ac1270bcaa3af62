// SPDX-License-Identifier: GPL-2.0-only
// iommuctl iotlb stats: the counters of an IOTLB, and what is computed from them.
#pragma once

#include "command_table.h"
#include "iotlb.h"
#include "iotlb_entries.h"

#include <array>

namespace ctl {

extern const FieldTable stats_table;
extern const FieldTable latency_table;

Row stats_row(std::uint32_t iotlb, const iommukit::IotlbStats &stats);
// The histogram, up to the slowest miss, as rows of latency_table.
Json latency_rows(const iommukit::IotlbStats &stats);
// Of lookups that found their translation, null if there was no lookup.
Json hit_percent(const iommukit::IotlbStats &stats);
// From a miss to its answer, the mean in microseconds, null if there was no answer.
Json mean_latency_us(const iommukit::IotlbStats &stats);
// What was counted since then; values that are those of now stay.
iommukit::IotlbStats stats_since(const iommukit::IotlbStats &now,
				 const iommukit::IotlbStats &then);

Report run_stats(Session &session, const Arguments &args);

inline constexpr std::array stats_params = {
	optional_iotlb_param,
	Param{"field", Kind::text, Place::optional_operand,
	      "print only this field, bare"},
	Param{"reset", Kind::text, Place::flag, "begin to count anew, after this"},
};

} // namespace ctl

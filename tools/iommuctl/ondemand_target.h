// SPDX-License-Identifier: GPL-2.0-only
// Which on-demand mapping a command is about, or all of an IOAS together.
#pragma once

#include "command_table.h"
#include "ondemand.h"
#include "session.h"

#include <optional>
#include <string>

namespace ctl {

struct OndemandTarget {
	IoasRecord &ioas;
	std::optional<iommukit::Iova> iova; // none: all of the IOAS

	iommukit::OndemandStats
	stats(iommukit::OndemandReset reset = iommukit::OndemandReset::no) const
	{
		return iommukit::ondemand_stats(ioas.ioas, iova, reset);
	}
	// "ioas 1", "ioas 1 0x1000"
	std::string name() const;
};

OndemandTarget find_ondemand(Session &session, const Arguments &args);

inline constexpr Param ondemand_where_param = {
	"where", Kind::text, Place::optional_operand,
	"an IOVA of the mapping, or all (of the IOAS together); all if left out"};
inline constexpr Param ondemand_ioas_param = {"ioas", Kind::id, Place::key,
					      "the IOAS; the only one if left out"};

} // namespace ctl

// SPDX-License-Identifier: GPL-2.0-only
// iommuctl iotlb dump, update, invalidate, flush: what is in an IOTLB, and changing it
// as its owner.
#pragma once

#include "command_table.h"
#include "iotlb.h"

#include <array>

namespace ctl {

extern const FieldTable entry_table;
extern const FieldTable change_table;

Row entry_row(const iommukit::IotlbEntry &entry);

Report run_dump(Session &session, const Arguments &args);
Report run_update(Session &session, const Arguments &args);
Report run_invalidate(Session &session, const Arguments &args);
Report run_flush(Session &session, const Arguments &args);

inline constexpr Param optional_iotlb_param = {"id", Kind::id, Place::optional_operand,
					       "the IOTLB; the only one if left out"};
inline constexpr Param iotlb_param = {"id", Kind::id, Place::operand, "the IOTLB"};
inline constexpr Param asid_param = {"asid", Kind::number, Place::key,
				     "address space; 0 if left out"};
inline constexpr std::array<std::string_view, 3> iotlb_permissions = {"r", "w", "rw"};

inline constexpr std::array dump_params = {
	optional_iotlb_param,
	Param{"asid", Kind::number, Place::key,
	      "only this address space; all if left out"},
	Param{"range", Kind::ranges, Place::key,
	      "only what lies in this range, or sticks out of it"},
};
inline constexpr std::array update_params = {
	iotlb_param,
	Param{"iova", Kind::address, Place::operand, "first byte"},
	Param{"length", Kind::size, Place::operand, "bytes"},
	Param{"target", Kind::address, Place::optional_operand,
	      "what the first byte is translated to; none with negative"},
	Param{"perm", Kind::choice, Place::key, "what drivers may do; rw if left out",
	      iotlb_permissions},
	asid_param,
	Param{"pinned", Kind::text, Place::flag,
	      "never forget it, and let no server change it"},
	Param{"negative", Kind::text, Place::flag,
	      "there is no translation: drivers fail, and nobody is asked"},
	Param{"prefetch", Kind::text, Place::flag,
	      "nobody has asked: it is the first to be forgotten"},
	Param{"no-replace", Kind::text, Place::flag,
	      "refuse it if another entry is in the way"},
};
inline constexpr std::array invalidate_params = {
	iotlb_param,
	Param{"iova", Kind::address, Place::operand, "first byte"},
	Param{"length", Kind::size, Place::operand, "bytes"},
	asid_param,
	Param{"pinned", Kind::text, Place::flag, "pinned entries as well"},
};
inline constexpr std::array flush_params = {
	optional_iotlb_param,
	asid_param,
	Param{"pinned", Kind::text, Place::flag, "pinned entries as well"},
};

} // namespace ctl

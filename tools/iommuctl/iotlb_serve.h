// SPDX-License-Identifier: GPL-2.0-only
// iommuctl iotlb serve, stop: a server for an IOTLB, in this session.
#pragma once

#include "command_table.h"
#include "iotlb_entries.h"

#include <array>

namespace ctl {

extern const FieldTable service_table;

Report run_serve(Session &session, const Arguments &args);
Report run_stop(Session &session, const Arguments &args);

inline constexpr std::array serve_params = {
	optional_iotlb_param,
	Param{"map", Kind::path, Place::key,
	      "answer from a file with lines IOVA LENGTH TARGET PERM"},
	Param{"identity", Kind::text, Place::flag, "translate each IOVA to itself"},
	Param{"background", Kind::text, Place::flag,
	      "go on with the session, until iotlb stop or its end"},
	Param{"page", Kind::size, Place::key,
	      "answer with the page of that size, a power of two; with all that is known "
	      "if left out"},
	Param{"ahead", Kind::number, Place::key,
	      "answer with up to so many translations more, if the reader needs them"},
	Param{"ring", Kind::number, Place::key,
	      "take misses from a ring of so many entries, a power of two from 16 on; read "
	      "them if left out"},
	Param{"latency", Kind::duration, Place::key, "wait before an answer"},
	Param{"drop", Kind::rate, Place::key, "do not answer, by chance or each N-th"},
	Param{"wrong", Kind::rate, Place::key,
	      "answer with another target, or too little permission, in turns"},
	Param{"seed", Kind::number, Place::key,
	      "of what happens by chance; 0 if left out"},
	Param{"count", Kind::number, Place::key, "end after so many misses"},
};
inline constexpr std::array stop_params = {optional_iotlb_param};

} // namespace ctl

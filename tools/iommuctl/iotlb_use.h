// SPDX-License-Identifier: GPL-2.0-only
// What an IOTLB is made with, and what of it can be changed: the parameters of iotlb add
// and iotlb set.
#pragma once

#include "command_table.h"
#include "iotlb_entries.h"
#include "session.h"

#include <array>

namespace ctl {

// By enum iommukit_iotlb_evict.
inline constexpr std::array<std::string_view, 3> iotlb_policies = {"clock", "fifo",
								   "none"};

iommukit::IotlbUse iotlb_use(const Arguments &args);
// The kernel first, then the session's books.
void set_iotlb(IotlbRecord &record, const Arguments &args);

inline constexpr Param iotlb_no_timeout_param = {"no-timeout", Kind::text, Place::flag,
						 "readers wait for ever"};
inline constexpr std::string_view iotlb_evict_help =
	"what is forgotten when it is full; clock, which iotlb add takes if left out: what "
	"was not used of late; fifo: what came first; none: nothing, so that updates fail";

inline constexpr std::array iotlb_add_params = {
	Param{"ioas", Kind::id, Place::key,
	      "the IOAS that targets are IOVAs of; the only one if left out"},
	Param{"uva", Kind::text, Place::flag,
	      "targets are addresses of iommuctl: the field address of a mapping"},
	Param{"asids", Kind::number, Place::key, "address spaces; 1 if left out"},
	Param{"entries", Kind::number, Place::key,
	      "most entries, of all address spaces; 65536 if left out"},
	Param{"pending", Kind::number, Place::key,
	      "most misses at a time; 256 if left out"},
	Param{"timeout", Kind::duration, Place::key,
	      "how long a reader waits for an answer; 5s if left out"},
	iotlb_no_timeout_param,
	Param{"evict", Kind::choice, Place::key, iotlb_evict_help, iotlb_policies},
	Param{"aperture", Kind::ranges, Place::key,
	      "IOVAs that may have a translation; all if left out"},
	Param{"granule", Kind::size, Place::key,
	      "misses in so many bytes are asked for once; 4K if left out"},
	Param{"spin", Kind::duration, Place::key,
	      "how long a reader spins before it sleeps; not at all if left out"},
	Param{"keep", Kind::text, Place::flag, "entries stay when the server goes"},
	Param{"no-channel", Kind::text, Place::flag,
	      "open the channel when it is served, and not before"},
};
inline constexpr std::array iotlb_set_params = {
	optional_iotlb_param,
	Param{"entries", Kind::number, Place::key,
	      "most entries; forgets what is too much"},
	Param{"timeout", Kind::duration, Place::key,
	      "how long readers wait that begin to from now on"},
	iotlb_no_timeout_param,
	Param{"evict", Kind::choice, Place::key, iotlb_evict_help, iotlb_policies},
	Param{"spin", Kind::duration, Place::key,
	      "how long a reader spins before it sleeps"},
};

} // namespace ctl

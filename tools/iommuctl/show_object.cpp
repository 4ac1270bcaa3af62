// SPDX-License-Identifier: GPL-2.0-only
// iommuctl show: what there is in the contexts of all processes. Sizes and counters are
// told to anybody, addresses to administrators.
#include "all_contexts.h"
#include "foreign_addresses.h"
#include "iotlb_counters.h"
#include "iotlb_entries.h"
#include "object_states.h"
#include "objects.h"

#include <array>

namespace ctl {

namespace {

constexpr std::array contexts_params = {field_operand};

constexpr std::array verbs = {
	Verb{"objects", "show the objects of all contexts, of one, or one of them",
	     show_objects_params, show_objects},
	Verb{"contexts", "show the contexts of all processes", contexts_params,
	     list_all_contexts},
	Verb{"areas", "show what is mapped in an IOAS, as root", show_areas_params,
	     show_areas},
	Verb{"entries", "show the translations of an IOTLB, as root", show_entries_params,
	     show_entries},
	Verb{"counters", "show the counters of an IOTLB", show_counters_params,
	     show_counters},
};
constexpr std::array<const FieldTable *, 6> tables = {
	&object_state_table, &all_contexts_table, &area_table,
	&counter_table,	     &entry_table,	  &stats_table};

} // namespace

const Object show_object = {"show", "objects of all processes, and the state they are in",
			    verbs, "objects", tables};

} // namespace ctl

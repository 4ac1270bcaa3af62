// SPDX-License-Identifier: GPL-2.0-only
// The objects that make up the command table; each lives in a file of its own.
#pragma once

#include "command_table.h"

namespace ctl {

extern const Object module_object;
extern const Object context_object;
extern const Object ioas_object;
extern const Object map_object;
extern const Object unmap_object;
extern const Object copy_object;
extern const Object ranges_object;
extern const Object dma_object;
extern const Object device_object;
extern const Object hwpt_object;
extern const Object dirty_object;
extern const Object iotlb_object;
extern const Object prefetch_object;
extern const Object ondemand_object;
extern const Object show_object;
extern const Object top_object;
extern const Object explain_object;
extern const Object monitor_object;

} // namespace ctl

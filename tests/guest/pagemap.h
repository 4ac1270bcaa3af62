// SPDX-License-Identifier: GPL-2.0-only
/* Where memory of this process is in that of the machine. */
#pragma once

#include "kit.h"

namespace guest {

/* The physical address of each page, all of which have to be there. */
std::vector<std::uint64_t> physical_pages(const Memory &memory);

} // namespace guest

// SPDX-License-Identifier: GPL-2.0-only
/* Memory of large pages: reserved ones if there are enough, else what the kernel makes.
 */
#pragma once

#include "kit.h"

namespace guest {

/* All of it is there, and zero. */
class LargeMemory : public Memory {
    public:
	explicit LargeMemory(std::uint64_t bytes);
};

} // namespace guest

// SPDX-License-Identifier: GPL-2.0-only
// Processors: who measures two threads says where they run.
#pragma once

#include "bench.h"

#include <iommukit.hpp>

#include <sched.h>
#include <unistd.h>

namespace bench {

inline void need_two_processors()
{
	if (::sysconf(_SC_NPROCESSORS_ONLN) < 2)
		throw NotHere("there is one processor");
}

// The calling thread stays on one processor as long as this lives.
class Pinned {
    public:
	explicit Pinned(unsigned processor)
	{
		cpu_set_t one;

		CPU_ZERO(&one);
		CPU_SET(processor, &one);
		if (::sched_getaffinity(0, sizeof(before_), &before_) ||
		    ::sched_setaffinity(0, sizeof(one), &one))
			throw iommukit::Error(iommukit::last_error(),
					      "sched_setaffinity");
	}
	Pinned(const Pinned &) = delete;
	Pinned &operator=(const Pinned &) = delete;
	~Pinned() { ::sched_setaffinity(0, sizeof(before_), &before_); }

    private:
	cpu_set_t before_;
};

} // namespace bench

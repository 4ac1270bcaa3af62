// SPDX-License-Identifier: GPL-2.0-only
// A process of its own that measures: what one side does to its memory is of no concern
// to the other side.
#pragma once

#include "bench.h"

#include <iommukit.hpp>

#include <sys/types.h>

#include <functional>

namespace bench {

class Worker {
    public:
	// The process measures a slice each time that it is asked.
	explicit Worker(const std::function<Slice()> &measure);
	Worker(const Worker &) = delete;
	Worker &operator=(const Worker &) = delete;
	~Worker();

	Slice slice() const;

    private:
	[[noreturn]] static void work(const std::function<Slice()> &measure, int orders,
				      int answers);

	iommukit::Fd orders_, answers_;
	pid_t child_ = -1;
};

} // namespace bench

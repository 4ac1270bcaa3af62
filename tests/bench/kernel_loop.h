// SPDX-License-Identifier: GPL-2.0-only
// Loops that iommukit_bench runs inside the kernel.
#pragma once

#include <iommukit.hpp>

#include "../../kmod/bench/iommukit_bench_abi.h"

#include <cstdint>

namespace bench {

struct Loop {
	iommukit_bench_op op = IOMMUKIT_BENCH_OP_MEMCPY;
	// Where; what these mean depends on the op.
	const iommukit::Ioas *ioas = nullptr;
	std::uint64_t iova = 0;
	iommukit::Bytes length;
	iommukit::Bytes stride = {};
	unsigned threads = 0;
};

class KernelLoop {
    public:
	KernelLoop();

	// Nanoseconds from the first start to the last end.
	double run(const Loop &loop, std::uint32_t iterations) const;
	// How many iterations make a round of a length that the clock and the
	// scheduler do not blur.
	std::uint32_t calibrate(const Loop &loop) const;

    private:
	iommukit::Fd fd_;
};

} // namespace bench

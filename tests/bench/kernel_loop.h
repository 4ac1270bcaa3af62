// SPDX-License-Identifier: GPL-2.0-only
// Loops that iommukit_bench, or iommufd_bench, runs inside the kernel.
#pragma once

#include "bench.h"

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
	// Copies only; pins take the page for writing, as drivers do.
	bool write = false;
};

class KernelLoop {
    public:
	explicit KernelLoop(const std::string &device = "/dev/iommukit-bench");

	// Nanoseconds from the first start to the last end.
	double run(const Loop &loop, std::uint32_t iterations) const;
	// How many iterations take that long, for one thread.
	std::uint32_t calibrate(Loop loop, double wanted_ns) const;

    private:
	iommukit::Fd fd_;
};

// A loop and the module that runs it.
struct Timed {
	const KernelLoop &kernel;
	Loop loop;
};

// Mapping and unmapping of memory, without the system call around it.
class MapLoop {
    public:
	MapLoop(const std::string &device, const iommukit::Ioas &ioas, const void *memory,
		iommukit::Bytes length);

	Timed timed() { return {kernel_, loop_}; }

    private:
	KernelLoop kernel_;
	iommukit_bench_map commands_;
	Loop loop_;
};

// Nanoseconds of one iteration each.
Figures compare(const Timed &ours, const Timed &peer);

} // namespace bench

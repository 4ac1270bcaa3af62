// SPDX-License-Identifier: GPL-2.0-only
#include "kernel_loop.h"

#include <fcntl.h>

#include <algorithm>

namespace bench {

using namespace iommukit;

static constexpr const char *device = "/dev/iommukit-bench";
static constexpr double round_ns = 15e6;
static constexpr double iterations_max = 1e6;

KernelLoop::KernelLoop() : fd_(::open(device, O_RDWR | O_CLOEXEC))
{
	if (!fd_)
		throw Error(last_error(), "open", {.path = device});
}

double KernelLoop::run(const Loop &loop, std::uint32_t iterations) const
{
	auto cmd = command<iommukit_bench_run>();

	cmd.op = loop.op;
	cmd.fd = loop.ioas ? loop.ioas->context().fd() : -1;
	cmd.ioas_id = loop.ioas ? loop.ioas->id().value : 0;
	cmd.iova = loop.iova;
	cmd.length = loop.length.value;
	cmd.stride = loop.stride.value;
	cmd.iterations = iterations;
	cmd.threads = loop.threads;
	// Pins take the page for writing, as drivers do; copies read.
	cmd.write = loop.op != IOMMUKIT_BENCH_OP_RW;
	if (const auto error = raw(fd_.get(), IOMMUKIT_BENCH_RUN, &cmd))
		throw Error(error, "BENCH_RUN",
			    {.iova = Iova(loop.iova), .length = loop.length});
	return static_cast<double>(cmd.out_ns);
}

std::uint32_t KernelLoop::calibrate(const Loop &loop) const
{
	std::uint32_t n = 1;

	// The first call also warms everything up.
	for (double ns = run(loop, 1); n < iterations_max; n *= 8) {
		ns = run(loop, n);
		if (ns > round_ns / 10) {
			const double wanted = n * round_ns / ns;
			return static_cast<std::uint32_t>(
				std::clamp(wanted, 1.0, iterations_max));
		}
	}
	return n;
}

} // namespace bench

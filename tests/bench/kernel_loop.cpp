// SPDX-License-Identifier: GPL-2.0-only
#include "kernel_loop.h"

#include <fcntl.h>

#include <algorithm>

namespace bench {

using namespace iommukit;

static constexpr double iterations_max = 1e7;

KernelLoop::KernelLoop(const std::string &device)
	: fd_(::open(device.c_str(), O_RDWR | O_CLOEXEC))
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
	cmd.write = loop.write || (loop.op != IOMMUKIT_BENCH_OP_RW &&
				   loop.op != IOMMUKIT_BENCH_OP_RW_FOREIGN);
	if (const auto error = raw(fd_.get(), IOMMUKIT_BENCH_RUN, &cmd))
		throw Error(error, "BENCH_RUN",
			    {.iova = Iova(loop.iova), .length = loop.length});
	return static_cast<double>(cmd.out_ns);
}

std::uint32_t KernelLoop::calibrate(Loop loop, double wanted_ns) const
{
	std::uint32_t n = 1;

	// Several threads begin one after the other, which may take longer.
	loop.threads = std::min(loop.threads, 1U);
	// The first call also warms everything up.
	for (double ns = run(loop, 1); n < iterations_max; n *= 8) {
		ns = run(loop, n);
		if (ns > wanted_ns / 10) {
			const double wanted = n * wanted_ns / ns;
			return static_cast<std::uint32_t>(
				std::clamp(wanted, 1.0, iterations_max));
		}
	}
	return n;
}

MapLoop::MapLoop(const std::string &device, const Ioas &ioas, const void *memory,
		 Bytes length)
	: kernel_(device)
{
	commands_.map = command<iommukit_ioas_map>();
	commands_.map.flags = IOMMUKIT_IOAS_MAP_READABLE | IOMMUKIT_IOAS_MAP_WRITEABLE;
	commands_.map.ioas_id = ioas.id().value;
	commands_.map.user_va = reinterpret_cast<std::uintptr_t>(memory);
	commands_.map.length = length.value;
	commands_.unmap = command<iommukit_ioas_unmap>();
	commands_.unmap.ioas_id = ioas.id().value;
	commands_.unmap.length = length.value;
	loop_.op = IOMMUKIT_BENCH_OP_MAP;
	loop_.ioas = &ioas;
	loop_.iova = reinterpret_cast<std::uintptr_t>(&commands_);
	loop_.length = length;
}

Figures compare(const Timed &ours, const Timed &peer)
{
	// Threads begin one after the other: a long slice hides that.
	const auto slices_of = [](const Timed &timed) {
		const auto n = timed.kernel.calibrate(
			timed.loop, timed.loop.threads > 1 ? round_ns : slice_ns);

		return [&timed, n] {
			const double ns = timed.kernel.run(timed.loop, n);
			return Slice{ns, ns / n};
		};
	};

	return alternate(slices_of(ours), slices_of(peer));
}

} // namespace bench

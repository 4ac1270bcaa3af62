// SPDX-License-Identifier: GPL-2.0-only
// access/rw-8-allocs: what a copy of eight bytes allocates, which is nothing.
// Counted by the kernel's own trace events, in a trace instance of ours.
#include "bench.h"
#include "kernel_loop.h"
#include "owner.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace bench {

using namespace iommukit;
using namespace iommukit::literals;

namespace {

// Counts allocations of this thread while it exists.
class AllocationTrace {
    public:
	AllocationTrace()
	{
		if (::access("/sys/kernel/tracing/events/kmem", F_OK))
			throw NotHere("this kernel has no trace events");
		if (::mkdir(directory, 0700) && errno != EEXIST)
			throw Error(last_error(), "mkdir", {.path = directory});
		set("set_event_pid", std::to_string(::getpid()));
		for (const auto *event : {"kmem_cache_alloc", "kmalloc", "mm_page_alloc"})
			set(std::string("events/kmem/") + event + "/enable", "1");
	}
	AllocationTrace(const AllocationTrace &) = delete;
	AllocationTrace &operator=(const AllocationTrace &) = delete;
	~AllocationTrace() { ::rmdir(directory); }

	void clear() const { set("trace", ""); }

	unsigned long entries() const
	{
		const long cpus = ::sysconf(_SC_NPROCESSORS_CONF);
		unsigned long sum = 0;

		for (long cpu = 0; cpu < cpus; cpu++)
			sum += entries_of(cpu);
		return sum;
	}

    private:
	static constexpr const char *directory =
		"/sys/kernel/tracing/instances/iommukit-bench";

	static void set(const std::string &name, const std::string &value)
	{
		const std::string path = std::string(directory) + "/" + name;
		std::ofstream file(path);

		if (!(file << value << std::flush))
			throw Error(last_error(), "write", {.path = path});
	}

	static unsigned long entries_of(long cpu)
	{
		const std::string path = std::string(directory) + "/per_cpu/cpu" +
					 std::to_string(cpu) + "/stats";
		std::ifstream file(path);
		unsigned long value, sum = 0, found = 0;
		std::string word;

		while (file >> word >> value) {
			if (word == "entries:" || word == "overrun:") {
				sum += value;
				found++;
			}
			std::getline(file, word);
			if (found == 2)
				return sum;
		}
		throw Error(make_errno(ENODATA), "read", {.path = path});
	}
};

// The command allocates too; what counts is how much more a long loop does.
Figures measure_allocations(bool remote)
{
	constexpr std::uint32_t many = 10'000;
	const Context context;
	const Ioas ioas(context);
	const Owner owner(ioas, 2_MiB, remote ? Owner::Who::child : Owner::Who::self);
	const KernelLoop kernel;
	const AllocationTrace trace;
	const Loop loop = {.op = IOMMUKIT_BENCH_OP_RW,
			   .ioas = &ioas,
			   .iova = owner.iova().value,
			   .length = 8_B};
	const auto count = [&](std::uint32_t iterations) {
		trace.clear();
		kernel.run(loop, iterations);
		return static_cast<double>(trace.entries());
	};

	count(1);
	const double one = count(1);

	if (one == 0)
		throw std::runtime_error("no allocation was traced, not even the access");
	return {.ours = {std::max(0.0, count(many) - one) / many}, .peer = {one}};
}

} // namespace

void add_alloc_cases(std::vector<Case> &cases)
{
	for (const bool remote : {false, true})
		cases.push_back(
			{.name = std::string("access/rw-8-allocs-") +
				 (remote ? "remote" : "local"),
			 .unit = "allocs",
			 .peer_name = "the command around it",
			 .measure = [remote] { return measure_allocations(remote); },
			 // A timer or a new slab may come in between, once in 10000.
			 .bound = Bound{Bound::Of::ours, Bound::Sense::at_most, 0.01}});
}

} // namespace bench

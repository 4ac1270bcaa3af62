// SPDX-License-Identifier: GPL-2.0-only
// upstream/: the same operations on the kernel's own iommufd. Its commands are
// the same, its calls inside the kernel go through iommufd_bench, and both work
// on the same pages at the same IOVA.
#include "bench.h"
#include "crowd.h"
#include "kernel_loop.h"
#include "owner.h"
#include "upstream.h"

#include <sys/stat.h>
#include <unistd.h>

namespace bench {

using namespace iommukit;
using namespace iommukit::literals;

namespace {

dev_t device_number(const char *path)
{
	struct stat status;

	return ::stat(path, &status) ? dev_t(0) : status.st_rdev;
}

} // namespace

// Without an iommufd of the kernel's, /dev/iommu is a name of ours.
void need_upstream()
{
	const dev_t theirs = device_number(their_device);

	if (!theirs || theirs == device_number(our_device))
		throw NotHere("the kernel's own iommufd is not loaded");
	if (!device_number(their_loops))
		throw NotHere("iommufd_bench is not loaded");
}

namespace {

// Both implementations with the same memory.
class Both {
    public:
	Both(Bytes length, Owner::Who who)
		: contexts_{open(our_device), open(their_device)},
		  ioases_{Ioas(contexts_[0]), Ioas(contexts_[1])},
		  loops_{KernelLoop(our_loops), KernelLoop(their_loops)},
		  owner_({&ioases_[0], &ioases_[1]}, length, who)
	{
	}

	Figures measure(Loop loop) const
	{
		return compare(timed(0, loop), timed(1, loop));
	}

    private:
	static Context open(const char *device)
	{
		need_upstream();
		return Context(device);
	}

	Timed timed(std::size_t which, Loop loop) const
	{
		loop.ioas = &ioases_[which];
		loop.iova = owner_.iova().value;
		return {loops_[which], loop};
	}

	Context contexts_[2];
	Ioas ioases_[2];
	KernelLoop loops_[2];
	Owner owner_;
};

// Who works on the memory: the process that mapped it, another one, a kernel
// thread that borrows its address space, or two of them at once.
struct Caller {
	const char *name;
	Owner::Who owner;
	unsigned threads;
};

constexpr Caller local = {"local", Owner::Who::self, 0};
constexpr Caller remote = {"remote", Owner::Who::child, 0};
constexpr Caller kthread = {"kthread", Owner::Who::self, 1};
constexpr Caller parallel = {"parallel", Owner::Who::self, 2};

struct Size {
	const char *name;
	Bytes bytes;
};

constexpr Size rw_sizes[] = {
	{"8", 8_B}, {"64", 64_B}, {"4k", 4_KiB}, {"64k", 64_KiB}, {"1m", 1_MiB},
};

constexpr Size pin_sizes[] = {
	{"4k", 4_KiB},
	{"64k", 64_KiB},
	{"2m", 2_MiB},
	{"64m", 64_MiB},
};

Figures measure_rw(Bytes length, const Caller &caller, bool write)
{
	constexpr Bytes stride = 1_MiB;

	if (caller.threads > ::sysconf(_SC_NPROCESSORS_ONLN))
		throw NotHere("there are not enough processors");
	return Both(stride + stride, caller.owner)
		.measure({.op = IOMMUKIT_BENCH_OP_RW,
			  .length = length,
			  .stride = stride,
			  .threads = caller.threads,
			  .write = write});
}

Figures measure_pin(Bytes length, const Caller &caller)
{
	return Both(length, caller.owner)
		.measure({.op = IOMMUKIT_BENCH_OP_PIN, .length = length});
}

// Mapping and unmapping among as many other areas.
Figures measure_map(Bytes length, unsigned areas)
{
	need_upstream();
	const Crowd ours(areas, Crowd::Layout::dense, our_device);
	const Crowd theirs(areas, Crowd::Layout::dense, their_device);
	const Reservation memory(length);
	MapLoop a(our_loops, ours.ioas(), memory.data(), length);
	MapLoop b(their_loops, theirs.ioas(), memory.data(), length);

	return compare(a.timed(), b.timed());
}

constexpr Bound at_most(double value, double blur = 0)
{
	return {Bound::Of::ratio, Bound::Sense::at_most, value, blur};
}

void add(std::vector<Case> &cases, const std::string &name,
	 std::function<Figures()> measure, std::optional<Bound> bound)
{
	cases.push_back({.name = "upstream/" + name,
			 .unit = "ns",
			 .peer_name = "iommufd",
			 .measure = std::move(measure),
			 .bound = bound});
}

void add_rw(std::vector<Case> &cases, const Size &size, const Caller &caller, bool write)
{
	// From here on all but everything is the copying itself.
	const double blur = size.bytes >= 64_KiB ? 0.02 : 0;

	add(
		cases,
		std::string(write ? "write-" : "rw-") + size.name + '-' + caller.name,
		[=] { return measure_rw(size.bytes, caller, write); },
		at_most(1.0, blur));
}

} // namespace

void add_upstream_cases(std::vector<Case> &cases)
{
	for (const auto &caller : {local, remote, kthread})
		for (const auto &size : rw_sizes)
			add_rw(cases, size, caller, false);
	for (const auto &caller : {local, remote})
		for (const auto &size : rw_sizes)
			add_rw(cases, size, caller, true);
	for (const auto &size : {rw_sizes[0], rw_sizes[2]})
		add_rw(cases, size, parallel, false);
	for (const auto &caller : {local, remote})
		for (const auto &size : pin_sizes)
			add(
				cases,
				std::string("pin-") + size.name + '-' + caller.name,
				[=] { return measure_pin(size.bytes, caller); },
				at_most(size.bytes >= 64_MiB ? 0.5 : 1.0));
	for (const auto &size : pin_sizes)
		add(cases, std::string("map-") + size.name,
		    [=] { return measure_map(size.bytes, 0); }, {});
	add(cases, "place-1k", [] { return measure_map(4_KiB, 1'000); }, {});
	add(
		cases, "place-20k", [] { return measure_map(4_KiB, 20'000); },
		at_most(0.1));
}

} // namespace bench

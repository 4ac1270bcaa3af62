// SPDX-License-Identifier: GPL-2.0-only
// ondemand/: memory in use: by several threads at the same time, from the first page to
// the last one, while it changes all the time, and while the kernel merges it.
#include "bench.h"
#include "kernel_loop.h"
#include "ondemand_range.h"
#include "owner.h"
#include "pinned.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <barrier>
#include <chrono>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace bench {

using namespace iommukit;
using namespace iommukit::literals;

namespace {

// ---- kernel threads that copy, none of which has memory of its own ----

struct Copy {
	const char *name;
	Bytes length;
	// At most as slow as a mapping that pins, for one thread.
	double most;
};

constexpr Copy copies[] = {
	{"8", 8_B, 1.0},
	{"4k", 4_KiB, 1.0},
	{"1m", 1_MiB, 1.0},
};

Figures measure_copies(const Copy &copy, unsigned threads)
{
	constexpr Bytes apart = 1_MiB;

	if (::sysconf(_SC_NPROCESSORS_ONLN) < static_cast<long>(threads))
		throw NotHere("there are too few processors");
	const Context context;
	const Ioas usual(context), ondemand(context);
	const Owner owner({&usual}, Bytes(threads * apart.value), Owner::Who::self,
			  &ondemand);
	const KernelLoop kernel;
	const auto loop = [&](const Ioas &ioas) {
		return Timed{kernel,
			     {.op = IOMMUKIT_BENCH_OP_RW_FOREIGN,
			      .ioas = &ioas,
			      .iova = owner.iova().value,
			      .length = copy.length,
			      .stride = apart,
			      .threads = threads}};
	};

	return compare(loop(ondemand), loop(usual));
}

// ---- two threads that find pages, each in chunks of its own ----

// Twice what one does in the time of two.
double speedup(double one, double two)
{
	return 2 * one / two;
}

double seconds_of_touching(const Range &range, Bytes half, unsigned threads)
{
	std::barrier turn(threads + 1);
	std::vector<std::jthread> toucher;

	for (unsigned i = 0; i < threads; i++)
		toucher.emplace_back([&, i] {
			turn.arrive_and_wait();
			range.touch(Bytes(i * half.value), half);
			turn.arrive_and_wait();
		});
	turn.arrive_and_wait();
	return seconds([&] { turn.arrive_and_wait(); });
}

// Threads of a process would do, but of those User Mode Linux runs one at a time, as the
// peer shows. It has one lock, too, for all page tables of a process: x86 goes further.
Figures measure_two_threads()
{
	constexpr Bytes half = 32_MiB;
	const Range range(Bytes(2 * half.value));
	const KernelLoop kernel;
	const auto found = [&](unsigned threads) {
		range.forget();
		return kernel.run({.op = IOMMUKIT_BENCH_OP_RW_FOREIGN,
				   .ioas = &range.ioas(),
				   .iova = first_iova.value,
				   .length = half,
				   .stride = half,
				   .threads = threads,
				   .write = true},
				  1);
	};
	const auto touched = [&](unsigned threads) {
		range.forget();
		return seconds_of_touching(range, half, threads);
	};
	Figures figures;

	need_two_processors();
	for (unsigned round = 0; round < default_rounds; round++) {
		figures.ours.push_back(speedup(found(1), found(2)));
		figures.peer.push_back(speedup(touched(1), touched(2)));
	}
	return figures;
}

// ---- a device that reads all of it ----

struct Stream {
	const char *name;
	std::uint32_t around;
	bool prefetched;
};

constexpr Stream streams[] = {
	{"around-0", 0, false},
	{"around-4", 4, false},
	{"around-9", 9, false},
	{"prefetch", 4, true},
};

// Not a time: how often the device has to wait, in each MiB.
Figures measure_stream(const Stream &stream)
{
	constexpr Bytes length = 16_MiB;
	constexpr auto mib = static_cast<double>(length.value) / (1 << 20);
	const Range range(length, FaultAround{stream.around});
	const MockDevice device(range.ioas(), MockDevice::Kind::waits);

	range.touch({}, length);
	if (stream.prefetched)
		range.find({}, length, false);
	for (std::uint64_t i = 0; i < length.value; i += page.value)
		device.fault(Iova(first_iova.value + i), page, false);
	const auto counters = ondemand_stats(range.ioas()).counters;
	return {.ours = {static_cast<double>(counters.out_faults_read) / mib},
		.peer = {static_cast<double>((1_MiB).value / page.value)}};
}

// ---- memory that changes all the time ----

// A read finds the page anew, nearly each time; the peer is left alone.
Figures measure_storm()
{
	const Range range(2_MiB);
	const KernelLoop kernel;
	const Loop loop = {.op = IOMMUKIT_BENCH_OP_RW_FOREIGN,
			   .ioas = &range.ioas(),
			   .iova = first_iova.value,
			   .length = 8_B,
			   .threads = 1};
	Figures figures;

	need_two_processors();
	range.touch({}, page);
	const auto n = kernel.calibrate(loop, slice_ns);
	for (unsigned round = 0; round < default_rounds; round++) {
		figures.peer.push_back(kernel.run(loop, n) / n);
		std::atomic<bool> blows = false;
		const std::jthread storm([&](const std::stop_token &stop) {
			for (unsigned i = 0; !stop.stop_requested(); i++) {
				::mprotect(range.data(), (2_MiB).value,
					   PROT_READ | PROT_WRITE |
						   (i % 2 ? PROT_EXEC : 0));
				blows = true;
			}
		});

		while (!blows)
			std::this_thread::yield();
		figures.ours.push_back(kernel.run(loop, n) / n);
	}
	const auto counters = ondemand_stats(range.ioas()).counters;
	figures.note = std::to_string(counters.out_invalidations) + " changes, " +
		       std::to_string(counters.out_retry_max) + " tries at most, " +
		       std::to_string(counters.out_by_page) + " pages copied without";
	return figures;
}

// ---- memory that is the same everywhere ----

constexpr char ksm_directory[] = "/sys/kernel/mm/ksm/";

std::uint64_t ksm_value(const std::string &name)
{
	std::uint64_t value = 0;

	std::ifstream(ksm_directory + name) >> value;
	return value;
}

void set_ksm(const std::string &name, unsigned value)
{
	std::ofstream(ksm_directory + name) << value;
}

// Until all has been looked at twice.
void await_scans()
{
	const auto until = ksm_value("full_scans") + 3;
	const auto late = std::chrono::steady_clock::now() + std::chrono::minutes(5);

	while (ksm_value("full_scans") < until) {
		if (std::chrono::steady_clock::now() > late)
			throw std::runtime_error("ksmd does not come round");
		std::this_thread::sleep_for(std::chrono::milliseconds(10));
	}
}

void make_mergeable(void *data, Bytes length, Bytes period)
{
	if (::madvise(data, length.value, MADV_MERGEABLE))
		throw Error(last_error(), "madvise", {.length = length});
	for (std::uint64_t i = 0; i < length.value; i += page.value) {
		const std::uint64_t word = i % period.value + 1;

		std::memcpy(static_cast<char *>(data) + i, &word, sizeof(word));
	}
}

double merged_mib()
{
	await_scans();
	return static_cast<double>(ksm_value("pages_sharing") * page.value) / (1 << 20);
}

// Not a time: what merging sixteen equal parts saves.
Figures measure_merging()
{
	constexpr Bytes part = 2_MiB, length(16 * part.value);
	Figures figures;

	if (::access(ksm_directory, F_OK))
		throw NotHere("this kernel merges nothing");
	set_ksm("pages_to_scan", 10000);
	set_ksm("sleep_millisecs", 1);
	set_ksm("run", 1);
	{
		const Range range(length);

		make_mergeable(range.data(), length, part);
		range.find({}, length);
		figures.ours.push_back(merged_mib());
	}
	{
		const PinnedRange range(length);

		make_mergeable(range.data(), length, part);
		range.map();
		figures.peer.push_back(merged_mib());
		range.unmap();
	}
	// Nothing is merged any more.
	set_ksm("run", 2);
	set_ksm("run", 0);
	return figures;
}

} // namespace

void add_ondemand_flow_cases(std::vector<Case> &cases)
{
	for (const auto &copy : copies)
		for (const unsigned threads : {1, 2, 4, 8})
			cases.push_back(
				{.name = std::string("ondemand/rw-") + copy.name +
					 "-threads-" + std::to_string(threads),
				 .unit = "ns",
				 .peer_name = "a mapping that pins",
				 .measure =
					 [&copy, threads] {
						 return measure_copies(copy, threads);
					 },
				 .bound = Bound{Bound::Of::ratio, Bound::Sense::at_most,
						copy.most}});
	cases.push_back({.name = "ondemand/threads-2",
			 .unit = "x",
			 .peer_name = "the process itself, 2 threads to 1",
			 .measure = measure_two_threads,
			 .bound = Bound{Bound::Of::ours, Bound::Sense::at_least, 1.6}});
	for (const auto &stream : streams)
		cases.push_back(
			{.name = std::string("ondemand/stream-") + stream.name,
			 .unit = "waits",
			 .peer_name = "pages of a MiB",
			 .measure = [&stream] { return measure_stream(stream); }});
	cases.push_back({.name = "ondemand/storm",
			 .unit = "ns",
			 .peer_name = "memory that stays",
			 .measure = measure_storm});
	cases.push_back({.name = "ondemand/merged-32m",
			 .unit = "MiB",
			 .peer_name = "all of it pinned",
			 .measure = measure_merging,
			 .bound = Bound{Bound::Of::ours, Bound::Sense::at_least, 29}});
}

} // namespace bench

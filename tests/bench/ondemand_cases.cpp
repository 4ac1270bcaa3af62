// SPDX-License-Identifier: GPL-2.0-only
// ondemand/: mappings that pin nothing, next to those that do, and to the process's own
// use of its memory.
#include "bench.h"
#include "kernel_loop.h"
#include "ondemand_range.h"
#include "owner.h"

#include <sys/mman.h>
#include <unistd.h>

#include <stdexcept>
#include <string>

namespace bench {

using namespace iommukit;
using namespace iommukit::literals;

namespace {

constexpr Bytes huge_range = 10_GiB;
// What a device touches at once.
constexpr Bytes window = 64_KiB;

Figures measure_map(Bytes length, Bytes peer_length)
{
	const Context context;
	const Ioas ioas(context);
	const Reservation memory(length);
	const auto slices_of = [&](Bytes bytes) {
		return [&, bytes] {
			return slice_of_calls([&] {
				ioas.unmap(map_ondemand(ioas, memory.data(), bytes),
					   bytes);
			});
		};
	};

	return alternate(slices_of(length), slices_of(peer_length));
}

// Pages that are there, against a mapping that pins, or would.
Figures measure_rw(Bytes length, Owner::Who who)
{
	const Context context;
	const Ioas usual(context), ondemand(context);
	const Owner owner({&usual}, 2_MiB, who, &ondemand);
	const KernelLoop kernel;
	const auto loop = [&](const Ioas &ioas) {
		return Timed{kernel,
			     {.op = IOMMUKIT_BENCH_OP_RW,
			      .ioas = &ioas,
			      .iova = owner.iova().value,
			      .length = length}};
	};

	return compare(loop(ondemand), loop(usual));
}

// What nobody has touched before, a window at a time.
Figures measure_first_touch()
{
	const Range range(chunk);
	constexpr auto windows = chunk.value / window.value;
	const auto slice_of = [&](auto what) {
		range.forget();
		const double ns = 1e9 * seconds([&] {
					  for (std::uint64_t i = 0; i < windows; i++)
						  what(Bytes(i * window.value));
				  });
		return Slice{ns, ns / windows};
	};

	return alternate(
		[&] { return slice_of([&](Bytes at) { range.find(at, window); }); },
		[&] { return slice_of([&](Bytes at) { range.touch(at, window); }); });
}

// The process gives up all of it, of which some pages are there.
Figures measure_forget(unsigned pages)
{
	const Range range(huge_range);
	const Reservation plain(huge_range);
	const auto touch_plain = [&](std::uint64_t offset) {
		*(static_cast<volatile char *>(plain.data()) + offset) = 1;
	};
	const auto offset = [&](unsigned i) {
		return (i + 1) * (huge_range.value / (pages + 1)) & ~(chunk.value - 1);
	};
	const auto timed = [](auto &&what) {
		const double ns = 1e9 * seconds(what);
		return Slice{ns, ns};
	};

	::madvise(plain.data(), huge_range.value, MADV_NOHUGEPAGE);
	return alternate(
		[&] {
			for (unsigned i = 0; i < pages; i++)
				range.find(Bytes(offset(i)), page);
			return timed([&] { range.forget(); });
		},
		[&] {
			for (unsigned i = 0; i < pages; i++)
				touch_plain(offset(i));
			return timed([&] {
				::madvise(plain.data(), huge_range.value, MADV_DONTNEED);
			});
		});
}

struct RwCase {
	const char *name;
	Bytes length;
	Owner::Who who;
	double most;
};

// Of the process itself both are the same copy; others would have to look each page up.
constexpr RwCase rw_cases[] = {
	{"8-local", 8_B, Owner::Who::self, 1.2},
	{"4k-local", 4_KiB, Owner::Who::self, 1.2},
	{"1m-local", 1_MiB, Owner::Who::self, 1.2},
	{"8-remote", 8_B, Owner::Who::child, 1.0},
	{"4k-remote", 4_KiB, Owner::Who::child, 1.0},
	{"1m-remote", 1_MiB, Owner::Who::child, 1.0},
};

Bound at_most(double value)
{
	return {Bound::Of::ratio, Bound::Sense::at_most, value};
}

} // namespace

void add_ondemand_cases(std::vector<Case> &cases)
{
	cases.push_back({.name = "ondemand/map-10g",
			 .unit = "ns",
			 .peer_name = "the same of 4 KiB",
			 .measure = [] { return measure_map(huge_range, page); },
			 .bound = at_most(2)});
	for (const auto &rw : rw_cases)
		cases.push_back(
			{.name = std::string("ondemand/rw-") + rw.name,
			 .unit = "ns",
			 .peer_name = "a mapping that pins",
			 .measure = [&rw] { return measure_rw(rw.length, rw.who); },
			 .bound = at_most(rw.most)});
	cases.push_back({.name = "ondemand/first-touch-64k",
			 .unit = "ns",
			 .peer_name = "the process itself",
			 .measure = measure_first_touch,
			 .bound = at_most(1.5)});
	cases.push_back({.name = "ondemand/forget-10g-0",
			 .unit = "ns",
			 .peer_name = "memory without a mapping",
			 .measure = [] { return measure_forget(0); }});
	cases.push_back({.name = "ondemand/forget-10g-3",
			 .unit = "ns",
			 .peer_name = "memory without a mapping",
			 .measure = [] { return measure_forget(3); }});
}

} // namespace bench

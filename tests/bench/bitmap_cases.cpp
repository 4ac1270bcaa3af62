// SPDX-License-Identifier: GPL-2.0-only
// bitmap/: IOVA bitmaps, against those of the kernel's own iommufd.
#include "kernel_loop.h"
#include "upstream.h"

namespace bench {

using namespace iommukit;
using namespace iommukit::literals;

namespace {

struct BitmapCase {
	const char *name;
	Bytes length;
	// Between two pages that are recorded one by one; 0: all at once.
	Bytes stride;
	Bound bound;
};

constexpr Bound at_most(Bound::Of of, double value)
{
	return {of, Bound::Sense::at_most, value};
}

constexpr BitmapCase bitmap_cases[] = {
	{"dense-64g", 64_GiB, 0_B, at_most(Bound::Of::ours, 1e6)},
	{"single-1g", 1_GiB, 64_KiB, at_most(Bound::Of::ratio, 1.0)},
	{"sequence-1g", 1_GiB, 4_KiB, at_most(Bound::Of::ratio, 0.2)},
};

Figures measure(const BitmapCase &bitmap)
{
	need_upstream();
	const std::uint64_t nbits = bitmap.length.value / page_size().value;
	const Memory memory = Memory::anonymous(Bytes(nbits / 8));
	const KernelLoop ours(our_loops), theirs(their_loops);
	const Loop loop{.op = IOMMUKIT_BENCH_OP_BITMAP,
			.iova = reinterpret_cast<std::uintptr_t>(memory.data()),
			.length = bitmap.length,
			.stride = bitmap.stride};

	return compare({ours, loop}, {theirs, loop});
}

} // namespace

void add_bitmap_cases(std::vector<Case> &cases)
{
	for (const auto &bitmap : bitmap_cases)
		cases.push_back({.name = std::string("bitmap/") + bitmap.name,
				 .unit = "ns",
				 .peer_name = "iommufd",
				 .measure = [&bitmap] { return measure(bitmap); },
				 .bound = bitmap.bound});
}

} // namespace bench

// SPDX-License-Identifier: GPL-2.0-only
// ioas/memory-area: kernel memory of a mapping of one page, pages not pinned.
#include "bench.h"
#include "slab.h"

#include <iommukit.hpp>

namespace bench {

using namespace iommukit;
using namespace iommukit::literals;

static Figures measure_area(unsigned areas)
{
	const Memory memory = Memory::anonymous(4_KiB);
	const Context context;
	const Ioas ioas(context);
	const SlabGrowth growth;

	for (unsigned i = 0; i < areas; i++)
		ioas.map(memory.data(), 4_KiB);
	return {.ours = {growth.total() / areas},
		.peer = {320},
		.note = growth.describe(areas)};
}

void add_memory_cases(std::vector<Case> &cases)
{
	cases.push_back({.name = "ioas/memory-area",
			 .unit = "bytes",
			 .peer_name = "what is allowed",
			 .measure = [] { return measure_area(100'000); },
			 .bound = Bound{Bound::Of::ours, Bound::Sense::at_most, 320}});
}

} // namespace bench

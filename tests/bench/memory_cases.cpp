// SPDX-License-Identifier: GPL-2.0-only
// ioas/memory-area: kernel memory of a mapping of one page, pages not pinned.
// What counts is what the slab allocator took from the system, all caches
// together, so nothing hides in caches with a general name. The machine should
// be booted with slab_nomerge, or the note below the table names the wrong ones.
#include "bench.h"

#include <iommukit.hpp>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>
#include <vector>

namespace bench {

using namespace iommukit;
using namespace iommukit::literals;

namespace {

using Slab = std::map<std::string, double>; // bytes of each cache

Slab slab_bytes()
{
	const double page = static_cast<double>(page_size().value);
	std::ifstream file("/proc/slabinfo");
	std::string line;
	Slab slab;

	if (!file.is_open())
		throw NotHere("this kernel has no /proc/slabinfo");
	// name active objects size per-slab pages-per-slab : tunables a b c
	// : slabdata active-slabs slabs shared
	while (std::getline(file, line)) {
		std::istringstream fields(line);
		std::string name, skip;
		double active, objects, size, per_slab, pages, active_slabs, slabs;

		fields >> name >> active >> objects >> size >> per_slab >> pages;
		for (int i = 0; i < 7; i++)
			fields >> skip;
		if (fields >> active_slabs >> slabs)
			slab[name] = slabs * pages * page;
	}
	if (slab.empty())
		throw Error(make_errno(ENODATA), "read", {.path = "/proc/slabinfo"});
	return slab;
}

// The caches that grew, the largest first.
std::string describe(std::vector<std::pair<double, std::string>> grown, double areas)
{
	std::ostringstream out;

	std::sort(grown.rbegin(), grown.rend());
	out.precision(1);
	out << std::fixed;
	for (const auto &[bytes, name] : grown)
		if (bytes / areas >= 1)
			out << (out.tellp() > 0 ? ", " : "") << name << ' '
			    << bytes / areas;
	return out.str();
}

Figures measure_area(unsigned areas)
{
	const Memory memory = Memory::anonymous(4_KiB);
	const Context context;
	const Ioas ioas(context);
	std::vector<std::pair<double, std::string>> grown;
	double total = 0;

	const Slab before = slab_bytes();
	for (unsigned i = 0; i < areas; i++)
		ioas.map(memory.data(), 4_KiB);

	for (const auto &[name, bytes] : slab_bytes()) {
		const auto old = before.find(name);
		const double growth = bytes - (old == before.end() ? 0 : old->second);

		total += growth;
		grown.emplace_back(growth, name);
	}
	return {.ours = {total / areas}, .peer = {320}, .note = describe(grown, areas)};
}

} // namespace

void add_memory_cases(std::vector<Case> &cases)
{
	cases.push_back({.name = "ioas/memory-area",
			 .unit = "bytes",
			 .peer_name = "what is allowed",
			 .measure = [] { return measure_area(100'000); },
			 .bound = Bound{Bound::Of::ours, Bound::Sense::at_most, 320}});
}

} // namespace bench

// SPDX-License-Identifier: GPL-2.0-only
#include "slab.h"

#include "bench.h"

#include <iommukit.hpp>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

namespace bench {

using namespace iommukit;

using Slab = std::map<std::string, double>; // bytes of each cache

static Slab slab_bytes()
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

SlabGrowth::SlabGrowth() : before_(slab_bytes()) {}

Slab SlabGrowth::caches() const
{
	Slab grown;

	for (const auto &[name, bytes] : slab_bytes()) {
		const auto old = before_.find(name);

		grown[name] = bytes - (old == before_.end() ? 0 : old->second);
	}
	std::erase_if(grown, [](const auto &cache) { return cache.second == 0; });
	return grown;
}

double SlabGrowth::total() const
{
	double sum = 0;

	for (const auto &[name, bytes] : caches())
		sum += bytes;
	return sum;
}

std::string SlabGrowth::describe(double objects) const
{
	std::vector<std::pair<double, std::string>> grown;
	std::ostringstream out;

	for (const auto &[name, bytes] : caches())
		grown.emplace_back(bytes, name);
	std::sort(grown.rbegin(), grown.rend());
	out.precision(1);
	out << std::fixed;
	for (const auto &[bytes, name] : grown)
		if (bytes / objects >= 1)
			out << (out.tellp() > 0 ? ", " : "") << name << ' '
			    << bytes / objects;
	return out.str();
}

} // namespace bench

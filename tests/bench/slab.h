// SPDX-License-Identifier: GPL-2.0-only
// What the slab allocator took from the system, all caches together, so that nothing
// hides in caches with a general name. The machine should be booted with slab_nomerge,
// or what is said of single caches is wrong.
#pragma once

#include <map>
#include <string>

namespace bench {

class SlabGrowth {
    public:
	// Counts from now on.
	SlabGrowth();

	// Bytes until now, of each cache that has changed.
	std::map<std::string, double> caches() const;
	double total() const;
	// Bytes of each of so many objects, by cache, the largest first.
	std::string describe(double objects) const;

    private:
	std::map<std::string, double> before_;
};

} // namespace bench

// SPDX-License-Identifier: GPL-2.0-only
// Reading what was written by way of an IOAS or a HWPT: all that the session has
// mapped there, or some ranges of it.
#pragma once

#include "dirty.h"
#include "session.h"

#include <chrono>
#include <string>
#include <vector>

namespace ctl {

class Arguments;

// An IOAS or a HWPT, whichever the arguments name.
struct DirtySource {
	IoasRecord *ioas;
	HwptRecord *hwpt; // null: the IOAS itself

	std::string kind() const { return hwpt ? "hwpt" : "ioas"; }
	iommukit::ObjectId id() const;
	Tracking &tracking() const;
	// "hwpt 3"
	std::string name() const;
	void track(bool on) const;
};

DirtySource find_dirty_source(Session &session, const Arguments &args);

// What is to be read: stretches that are mapped without a hole, in pages of one
// size.
struct DirtyArea {
	std::vector<iommukit::IovaRange> ranges;
	iommukit::Bytes page_size;
};

// The ranges and the page-size of the arguments, or all mappings, those that touch
// joined, and the pages of the machine.
DirtyArea find_dirty_area(Session &session, const DirtySource &source,
			  const Arguments &args);

struct DirtyReading {
	std::vector<iommukit::DirtyBitmap> bitmaps; // one a range
	// That the kernel took, and since the reading before or the switching on.
	std::chrono::nanoseconds took = {};
	std::chrono::nanoseconds interval = {};

	std::uint64_t pages() const;
	std::uint64_t dirty_pages() const;
	iommukit::Bytes dirty_bytes() const;
};

// Throws Failure if tracking is off.
DirtyReading read_dirty(const DirtySource &source, const DirtyArea &area,
			iommukit::Marks marks);

// Per second, rounded for people.
double pages_per_second(std::uint64_t pages, std::chrono::nanoseconds time);
double mib_per_second(iommukit::Bytes bytes, std::chrono::nanoseconds time);

} // namespace ctl

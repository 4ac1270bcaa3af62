// SPDX-License-Identifier: GPL-2.0-only
// The kernel reads a range that is mapped without a hole, and says EINVAL for a lot
// of reasons. What the session can know of them it says itself.
#include "dirty_reading.h"

#include "amounts.h"
#include "arguments.h"
#include "failure.h"

#include <bit>

namespace ctl {

using namespace iommukit;
using std::chrono::steady_clock;

ObjectId DirtySource::id() const
{
	return hwpt ? hwpt->hwpt.id() : ioas->ioas.id();
}

Tracking &DirtySource::tracking() const
{
	return hwpt ? hwpt->tracking : ioas->tracking;
}

std::string DirtySource::name() const
{
	return kind() + " " + std::to_string(id().value);
}

void DirtySource::track(bool on) const
{
	// If switching on fails, it is off.
	tracking().on = false;
	if (hwpt)
		hwpt->hwpt.track_dirty(on);
	else
		ioas->ioas.track_dirty(on);
	tracking() = {on, steady_clock::now()};
}

DirtySource find_dirty_source(Session &session, const Arguments &args)
{
	if (args.has("ioas") && args.has("hwpt"))
		throw usage_failure("ioas and hwpt exclude each other",
				    "a HWPT notes what devices write by it, an IOAS what "
				    "software writes");
	if (!args.has("hwpt"))
		return {&session.ioas(args.id("ioas")), nullptr};
	HwptRecord &hwpt = session.hwpt(args.id("hwpt"));
	return {&session.ioas(hwpt.ioas), &hwpt};
}

namespace {

std::vector<IovaRange> joined_mappings(const IoasRecord &ioas)
{
	std::vector<IovaRange> out;

	for (const auto &[iova, mapping] : ioas.mappings) {
		if (!out.empty() && out.back().last + Bytes(1) == iova)
			out.back().last = mapping.last();
		else
			out.push_back({iova, mapping.last()});
	}
	return out;
}

} // namespace

DirtyArea find_dirty_area(Session &session, const DirtySource &source,
			  const Arguments &args)
{
	Bytes page = args.size("page-size")
			     .value_or(Bytes(session.context().info.page_size()));
	DirtyArea area{args.ranges().empty() ? joined_mappings(*source.ioas)
					     : args.ranges(),
		       page};

	if (!std::has_single_bit(page.value))
		throw usage_failure("page-size " + hex(page.value) +
					    " is no power of two",
				    "4K or 2M, for instance");
	if (area.ranges.empty())
		throw usage_failure("nothing is mapped in ioas " +
					    std::to_string(source.ioas->ioas.id().value),
				    "map something, or name ranges: FIRST-LAST");
	for (const IovaRange &range : area.ranges)
		if ((range.first.value | (range.last.value + 1)) & (page.value - 1))
			throw usage_failure("the range " + hex(range.first.value) + "-" +
						    hex(range.last.value) +
						    " does not consist of pages of " +
						    hex(page.value),
					    "give a smaller page-size, or ranges that "
					    "do");
	return area;
}

std::uint64_t DirtyReading::pages() const
{
	std::uint64_t sum = 0;

	for (const auto &bitmap : bitmaps)
		sum += bitmap.pages();
	return sum;
}

std::uint64_t DirtyReading::dirty_pages() const
{
	std::uint64_t sum = 0;

	for (const auto &bitmap : bitmaps)
		sum += bitmap.count();
	return sum;
}

Bytes DirtyReading::dirty_bytes() const
{
	return Bytes(dirty_pages() * bitmaps.front().page_size().value);
}

DirtyReading read_dirty(const DirtySource &source, const DirtyArea &area, Marks marks)
{
	DirtyReading reading;

	if (!source.tracking().on)
		throw Failure(Exit::refused,
			      "dirty tracking of " + source.name() + " is off",
			      "switch it on: dirty on " + source.name());
	for (const IovaRange &range : area.ranges)
		reading.bitmaps.emplace_back(range, area.page_size);
	auto start = steady_clock::now();
	for (DirtyBitmap &bitmap : reading.bitmaps) {
		if (source.hwpt)
			source.hwpt->hwpt.read_dirty(bitmap, marks);
		else
			source.ioas->ioas.read_dirty(bitmap, marks);
	}
	reading.took = steady_clock::now() - start;
	reading.interval = start - source.tracking().since;
	// What is written while it is read may be in this reading or in the next.
	if (marks == Marks::clear)
		source.tracking().since = start;
	return reading;
}

double pages_per_second(std::uint64_t pages, std::chrono::nanoseconds time)
{
	return per_second(static_cast<double>(pages), time);
}

double mib_per_second(Bytes bytes, std::chrono::nanoseconds time)
{
	return per_second(static_cast<double>(bytes.value) / (1 << 20), time);
}

} // namespace ctl

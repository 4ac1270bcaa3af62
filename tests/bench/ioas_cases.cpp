// SPDX-License-Identifier: GPL-2.0-only
// ioas/: map, unmap and automatic placement, as a program sees them.
#include "bench.h"
#include "crowd.h"

namespace bench {

using namespace iommukit;
using namespace iommukit::literals;

namespace {

// Against a command that does next to nothing.
Figures measure_map(Bytes length)
{
	const Context context;
	const Ioas ioas(context);
	const Reservation memory(length);
	const auto once = [&] { ioas.unmap(ioas.map(memory.data(), length), length); };

	once();
	return alternate([&] { return slice_of_calls(once); },
			 [&] { return slice_of_calls([&] { context.info(); }); });
}

Figures measure_place(unsigned areas, unsigned peer_areas, Crowd::Layout layout)
{
	const Crowd many(areas, layout);
	const Crowd few(peer_areas, layout);

	return alternate([&] { return many.place(); }, [&] { return few.place(); });
}

struct PlaceCase {
	const char *name;
	unsigned areas;
	unsigned peer_areas;
	const char *peer_name;
	Crowd::Layout layout;
	std::optional<Bound> bound;
};

constexpr Bound twice = {Bound::Of::ratio, Bound::Sense::at_most, 2.0};

const PlaceCase place_cases[] = {
	{"1k", 1'000, 1, "1 area", Crowd::Layout::dense, {}},
	{"100k", 100'000, 1'000, "1000 areas", Crowd::Layout::dense, twice},
	{"1m", 1'000'000, 1'000, "1000 areas", Crowd::Layout::dense, {}},
	{"100k-holes", 100'000, 1'000, "1000 areas", Crowd::Layout::holes, twice},
	{"10k-misaligned", 10'000, 1'000, "1000 areas", Crowd::Layout::misaligned, {}},
};

} // namespace

void add_ioas_cases(std::vector<Case> &cases)
{
	static const std::pair<const char *, Bytes> sizes[] = {
		{"4k", 4_KiB}, {"2m", 2_MiB}, {"1g", 1_GiB}};

	for (const auto &[name, length] : sizes)
		cases.push_back(
			{.name = std::string("ioas/map-") + name,
			 .unit = "ns",
			 .peer_name = "INFO command",
			 .measure = [length = length] { return measure_map(length); }});
	for (const auto &place : place_cases)
		cases.push_back({.name = std::string("ioas/place-") + place.name,
				 .unit = "ns",
				 .peer_name = place.peer_name,
				 .measure =
					 [&place] {
						 return measure_place(place.areas,
								      place.peer_areas,
								      place.layout);
					 },
				 .bound = place.bound});
}

} // namespace bench

// SPDX-License-Identifier: GPL-2.0-only
// ioas/: map, unmap and automatic placement, as a program sees them.
#include "bench.h"

#include <iommukit.hpp>

#include <sys/mman.h>

#include <memory>

namespace bench {

using namespace iommukit;
using namespace iommukit::literals;

namespace {

// Addresses without memory behind them: what is mapped is never touched.
class Reservation {
    public:
	explicit Reservation(Bytes length)
		: length_(length),
		  data_(::mmap(nullptr, length.value, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))
	{
		if (data_ == MAP_FAILED)
			throw Error(last_error(), "mmap", {.length = length});
	}
	Reservation(const Reservation &) = delete;
	Reservation &operator=(const Reservation &) = delete;
	~Reservation() { ::munmap(data_, length_.value); }

	void *data() const noexcept { return data_; }

    private:
	Bytes length_;
	void *data_;
};

constexpr unsigned maps_per_round = 200;

// Nanoseconds of a command that does next to nothing.
double info_ns(const Context &context)
{
	return seconds([&] {
		       for (unsigned i = 0; i < maps_per_round; i++)
			       context.info();
	       }) *
	       1e9 / maps_per_round;
}

Figures measure_map(Bytes length)
{
	const Context context;
	const Ioas ioas(context);
	const Reservation memory(length);
	const auto once = [&] { ioas.unmap(ioas.map(memory.data(), length), length); };

	once();
	return alternate(
		default_rounds,
		[&] {
			return seconds([&] {
				       for (unsigned i = 0; i < maps_per_round; i++)
					       once();
			       }) *
			       1e9 / maps_per_round;
		},
		[&] { return info_ns(context); });
}

// An IOAS with many areas of one page each, and what to place there.
class Crowd {
    public:
	// How the areas lie: side by side; with holes of one page, into which
	// two pages do not fit; with holes of two pages, into which two aligned
	// pages do not fit.
	enum class Layout { dense, holes, misaligned };

	Crowd(unsigned areas, Layout layout)
		: ioas_(context_), memory_(2_MiB), layout_(layout)
	{
		for (std::uint64_t i = 0; i < areas; i++)
			fill(i);
	}

	// Nanoseconds of an automatic placement; unmapping again is not timed.
	double place_ns() const
	{
		const Bytes length = layout_ == Layout::dense ? 4_KiB : 8_KiB;
		std::vector<Iova> placed;

		placed.reserve(maps_per_round);
		const double taken = seconds([&] {
			for (unsigned i = 0; i < maps_per_round; i++)
				placed.push_back(ioas_.map(memory_.data(), length));
		});

		for (const auto iova : placed)
			ioas_.unmap(iova, length);
		return taken * 1e9 / maps_per_round;
	}

    private:
	void fill(std::uint64_t i) const
	{
		constexpr std::uint64_t page = 4096;

		switch (layout_) {
		case Layout::dense:
			ioas_.map(memory_.data(), 4_KiB);
			break;
		case Layout::holes:
			ioas_.map(memory_.data(), 4_KiB, Permission::read_write,
				  Iova(2 * page * i));
			break;
		case Layout::misaligned:
			// Pages 3 and 4 of each four are taken: 1 and 2 are free,
			// counted from an odd page.
			ioas_.map(memory_.data(), i ? 8_KiB : 4_KiB,
				  Permission::read_write,
				  Iova(i ? page * (4 * i - 1) : 0));
			break;
		}
	}

	Context context_;
	Ioas ioas_;
	Reservation memory_;
	Layout layout_;
};

Figures measure_place(unsigned areas, unsigned peer_areas, Crowd::Layout layout)
{
	const Crowd many(areas, layout);
	const Crowd few(peer_areas, layout);

	return alternate(
		default_rounds, [&] { return many.place_ns(); },
		[&] { return few.place_ns(); });
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

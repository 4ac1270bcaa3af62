// SPDX-License-Identifier: GPL-2.0-only
// IOAS full of areas, with memory that is never touched.
#pragma once

#include "bench.h"

#include <iommukit.hpp>

namespace bench {

// Addresses without memory behind them.
class Reservation {
    public:
	explicit Reservation(iommukit::Bytes length);
	Reservation(const Reservation &) = delete;
	Reservation &operator=(const Reservation &) = delete;
	~Reservation();

	void *data() const noexcept { return data_; }

    private:
	iommukit::Bytes length_;
	void *data_;
};

// An IOAS with many areas of one page each, and what to place there.
class Crowd {
    public:
	// How the areas lie: side by side; with holes of one page, into which
	// two pages do not fit; with holes of two pages, into which two aligned
	// pages do not fit.
	enum class Layout { dense, holes, misaligned };

	Crowd(unsigned areas, Layout layout, const std::string &device = "/dev/iommukit");

	// Where an area is if they lie side by side. The first page is never chosen for
	// anything.
	static constexpr iommukit::Iova dense_place(std::uint64_t i)
	{
		return iommukit::Iova(page * (i + 1));
	}
	// Automatic placement; unmapping again is not timed.
	Slice place() const;
	const iommukit::Ioas &ioas() const noexcept { return ioas_; }

    private:
	static constexpr std::uint64_t page = 4096;

	void fill(std::uint64_t i) const;

	iommukit::Context context_;
	iommukit::Ioas ioas_;
	Reservation memory_;
	Layout layout_;
};

} // namespace bench

// SPDX-License-Identifier: GPL-2.0-only
// How often which part of a space was written, as rows of cells: a picture made of
// text, or an SVG file.
#pragma once

#include "dirty.h"
#include "output.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ctl {

class HeatMap {
    public:
	// Cells of one stretch of pages. Not all rows have as many.
	struct Row {
		iommukit::IovaRange range;
		std::size_t stretch;	  // number of the stretch it is a part of
		std::uint64_t first_page; // in the stretch
		std::uint64_t cell_pages; // that a cell stands for
		std::uint64_t pages;
		std::vector<std::uint64_t> dirty; // a cell: dirty pages of all readings
	};

	// At most so many cells in a row; a power of two of it is taken, so that
	// rows begin at round addresses.
	HeatMap(const std::vector<iommukit::IovaRange> &stretches,
		iommukit::Bytes page_size, std::size_t columns);

	void add(const std::vector<iommukit::DirtyBitmap> &bitmaps);

	const std::vector<Row> &rows() const noexcept { return rows_; }
	iommukit::Bytes cell_size(const Row &row) const
	{
		return iommukit::Bytes(row.cell_pages * page_size_.value);
	}
	// The share of pages and readings that were dirty, 0 to 1.
	double heat(const Row &row, std::size_t cell) const;

	std::string text(const Output &output) const;
	std::string svg(const std::string &title) const;

    private:
	iommukit::Bytes page_size_;
	std::uint64_t readings_ = 0;
	std::vector<Row> rows_;
};

// Cells that fit beside what text() writes in front of them.
std::size_t heat_columns(const Output &output);

} // namespace ctl

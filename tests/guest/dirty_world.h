// SPDX-License-Identifier: GPL-2.0-only
/* A HWPT that tracks what is written, and what is expected of its bitmaps. */
#pragma once

#include "fault.h"
#include "mock.h"

namespace guest {

constexpr std::uint32_t get_no_clear = IOMMUKIT_HWPT_GET_DIRTY_BITMAP_NO_CLEAR;

/* Each @stride-th of @nbits, beginning with @first. */
Bits every(std::uint64_t nbits, std::uint64_t stride, std::uint64_t first = 0);
Bits no_bits(const BitmapGeometry &range);
std::uint64_t count(const Bits &bits);
Bits either(const Bits &a, const Bits &b);
/* Marks of mock pages as bits of the range, if IO pages have @unit bytes. */
Bits expected(const Bits &marks, const BitmapGeometry &range,
	      std::uint64_t unit = mock_page);

template <class Random> Bits some(std::uint64_t nbits, Random &random)
{
	Bits bits((nbits + 7) / 8);

	for (std::uint64_t k = 0; k < nbits; k++)
		if (random() % 3 == 0)
			add_bits(bits, k, k);
	return bits;
}

/* An IOAS with one mapping. The device of its HWPT is attached elsewhere. */
struct DirtyWorld {
	/* Aligned to all pages that there are. */
	static constexpr std::uint64_t where = aperture_first + huge_size;

	explicit DirtyWorld(std::uint64_t bytes = 64 * page_size, std::uint32_t flags = 0,
			    Memory::Kind kind = Memory::Kind::shared_anonymous);

	/* All of the mapping, a bit for @granule bytes. */
	BitmapGeometry range(std::uint64_t granule = mock_page) const
	{
		return {where, memory.size(), granule};
	}
	std::uint64_t pages() const { return memory.size() / mock_page; }
	/* Returns how many were marked. */
	std::uint64_t mark(const Bits &bits) const;
	Bits read(std::uint64_t granule = mock_page, std::uint32_t flags = 0) const;

	NothingLeft nothing_left;
	Context context;
	Memory memory;
	std::uint32_t home, ioas;
	Mock mock;
	std::uint32_t hwpt;
};

} // namespace guest

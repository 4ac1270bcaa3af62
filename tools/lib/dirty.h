// SPDX-License-Identifier: GPL-2.0-only
// Which pages of a range of IOVA were written: a bitmap as the kernel fills it
// in, one bit a page, and the questions that are asked of it.
#pragma once

#include "types.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace iommukit {

// What reading does to the marks in the kernel: report each write once, or again
// next time.
enum class Marks { clear, keep };

class DirtyBitmap {
    public:
	// EINVAL unless the range consists of whole pages of a power of two of
	// bytes; EOVERFLOW for all of the space, whose length has no number.
	DirtyBitmap(IovaRange range, Bytes page_size);

	IovaRange range() const noexcept { return range_; }
	Bytes page_size() const noexcept { return page_size_; }
	Bytes length() const noexcept { return range_.last - range_.first + Bytes(1); }

	std::uint64_t pages() const noexcept { return pages_; }
	bool test(std::uint64_t page) const noexcept
	{
		return words_[page / 64] >> page % 64 & 1;
	}
	void set(std::uint64_t page) noexcept
	{
		words_[page / 64] |= std::uint64_t(1) << page % 64;
	}

	// Dirty pages, of all or of some.
	std::uint64_t count() const noexcept { return count(0, pages_); }
	std::uint64_t count(std::uint64_t first, std::uint64_t npages) const noexcept;
	// The stretches of dirty pages, ascending; no two of them touch.
	std::vector<IovaRange> ranges() const;

	// For the kernel, which sets bits and clears none.
	std::span<std::uint64_t> words() noexcept { return words_; }

    private:
	std::uint64_t find(std::uint64_t page, bool dirty) const noexcept;

	IovaRange range_;
	Bytes page_size_;
	std::uint64_t pages_;
	std::vector<std::uint64_t> words_;
};

} // namespace iommukit

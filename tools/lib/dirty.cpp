// SPDX-License-Identifier: GPL-2.0-only
// Everything goes by words of 64 bits: a bitmap of a terabyte has 256 million
// bits, most of which are alike. Bits behind the last page are never looked at.
#include "dirty.h"

#include "error.h"

#include <algorithm>
#include <bit>
#include <cerrno>

namespace iommukit {

namespace {

// The bits of one word from a page on, as many as asked for.
constexpr std::uint64_t mask(std::uint64_t first, std::uint64_t nbits)
{
	std::uint64_t ones = nbits == 64 ? UINT64_MAX : (std::uint64_t(1) << nbits) - 1;

	return ones << first;
}

std::uint64_t count_pages(const IovaRange &range, Bytes page_size)
{
	const Subject subject{.iova = range.first};
	std::uint64_t last = range.last.value - range.first.value;

	if (range.last < range.first || !std::has_single_bit(page_size.value))
		throw Error(make_errno(EINVAL), "dirty bitmap", subject);
	if (last == UINT64_MAX)
		throw Error(make_errno(EOVERFLOW), "dirty bitmap", subject);
	if ((range.first.value | (last + 1)) % page_size.value)
		throw Error(make_errno(EINVAL), "dirty bitmap", subject);
	return (last + 1) / page_size.value;
}

} // namespace

DirtyBitmap::DirtyBitmap(IovaRange range, Bytes page_size)
	: range_(range), page_size_(page_size), pages_(count_pages(range, page_size)),
	  words_((pages_ + 63) / 64)
{
}

std::uint64_t DirtyBitmap::count(std::uint64_t first, std::uint64_t npages) const noexcept
{
	std::uint64_t end = std::min(pages_, first + npages);
	std::uint64_t sum = 0;

	for (std::uint64_t page = first; page < end;) {
		std::uint64_t nbits = std::min(64 - page % 64, end - page);
		std::uint64_t bits = words_[page / 64] & mask(page % 64, nbits);
		sum += static_cast<std::uint64_t>(std::popcount(bits));
		page += nbits;
	}
	return sum;
}

// The first page from there on that is dirty, or that is not; pages() if none is.
std::uint64_t DirtyBitmap::find(std::uint64_t page, bool dirty) const noexcept
{
	while (page < pages_) {
		std::uint64_t word = words_[page / 64];
		std::uint64_t bits = (dirty ? word : ~word) >> page % 64;
		if (bits)
			return std::min(pages_, page + static_cast<std::uint64_t>(
							       std::countr_zero(bits)));
		page += 64 - page % 64;
	}
	return pages_;
}

std::vector<IovaRange> DirtyBitmap::ranges() const
{
	std::vector<IovaRange> out;

	for (std::uint64_t page = find(0, true); page < pages_;) {
		std::uint64_t end = find(page, false);
		out.push_back({range_.first + Bytes(page * page_size_.value),
			       range_.first + Bytes(end * page_size_.value - 1)});
		page = find(end, true);
	}
	return out;
}

} // namespace iommukit

// SPDX-License-Identifier: GPL-2.0-only
/* The bitmap of libiommukit, which needs no module: what it says of its bits. */
#include "kit.h"

#include "dirty.h"
#include "error.h"

#include <random>

using iommukit::Bytes;
using iommukit::DirtyBitmap;
using iommukit::Iova;
using iommukit::IovaRange;

namespace {

constexpr Iova start(0x40000000);

IovaRange pages(std::uint64_t first, std::uint64_t npages)
{
	const Iova iova = start + Bytes(first * guest::page_size);

	return {iova, iova + Bytes(npages * guest::page_size - 1)};
}

DirtyBitmap bitmap(std::uint64_t npages)
{
	return {pages(0, npages), Bytes(guest::page_size)};
}

int refusal(IovaRange range, std::uint64_t page_size)
{
	try {
		DirtyBitmap refused(range, Bytes(page_size));
		return 0;
	} catch (const iommukit::Error &error) {
		return error.number();
	}
}

} // namespace

TEST_CASE("a bitmap knows its range")
{
	const DirtyBitmap bits = bitmap(70);

	CHECK(bits.pages() == 70);
	CHECK(bits.range() == pages(0, 70));
	CHECK(bits.length() == Bytes(70 * guest::page_size));
	CHECK(bits.count() == 0);
	CHECK(bits.ranges().empty());
}

TEST_CASE("ranges that are no pages are refused")
{
	CHECK(refusal({Iova(0), Iova(0xfff)}, 4096) == 0);
	CHECK(refusal({Iova(UINT64_MAX - 4095), Iova(UINT64_MAX)}, 4096) == 0);
	CHECK(refusal({Iova(0), Iova(0xffe)}, 4096) == EINVAL);
	CHECK(refusal({Iova(1), Iova(0x1000)}, 4096) == EINVAL);
	CHECK(refusal({Iova(0x1000), Iova(0)}, 4096) == EINVAL);
	CHECK(refusal({Iova(0), Iova(0xbff)}, 3072) == EINVAL);
	CHECK(refusal({Iova(0), Iova(0xfff)}, 0) == EINVAL);
	CHECK(refusal({Iova(0), Iova(UINT64_MAX)}, 4096) == EOVERFLOW);
}

TEST_CASE("dirty pages make stretches")
{
	DirtyBitmap bits = bitmap(200);

	for (const std::uint64_t page : {0, 62, 63, 64, 65, 127, 128, 199})
		bits.set(page);
	CHECK(bits.ranges() ==
	      std::vector{pages(0, 1), pages(62, 4), pages(127, 2), pages(199, 1)});
	CHECK(bits.count() == 8);
	CHECK(bits.count(62, 3) == 3);
	CHECK(bits.count(66, 61) == 0);
	CHECK(bits.count(190, 1000) == 1);
	CHECK(bits.count(200, 1) == 0);
}

TEST_CASE("bits behind the last page are not looked at")
{
	DirtyBitmap bits = bitmap(65);

	for (std::uint64_t &word : bits.words())
		word = UINT64_MAX;
	CHECK(bits.count() == 65);
	CHECK(bits.ranges() == std::vector{pages(0, 65)});
}

TEST_CASE("counts and stretches are those of the single bits")
{
	std::mt19937_64 random(guest::seed());

	for (unsigned int round = 0; round < 200; round++) {
		const std::uint64_t npages = random() % 300 + 1;
		const std::uint64_t first = random() % npages;
		const std::uint64_t some = random() % npages;
		DirtyBitmap bits = bitmap(npages);
		std::vector<IovaRange> ranges;
		std::uint64_t all = 0, part = 0;

		for (std::uint64_t page = 0; page < npages; page++) {
			/* Long stretches as well as single pages. */
			if (random() % (round % 7 + 2) == 0)
				continue;
			bits.set(page);
			all++;
			part += page >= first && page < first + some;
			if (page && bits.test(page - 1))
				ranges.back().last = pages(page, 1).last;
			else
				ranges.push_back(pages(page, 1));
		}
		INFO("round " << round << ", " << npages << " pages");
		CHECK(bits.count() == all);
		CHECK(bits.count(first, some) == part);
		CHECK(bits.ranges() == ranges);
	}
}

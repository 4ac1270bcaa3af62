// SPDX-License-Identifier: GPL-2.0-only
#include "bitmap_vectors.h"

#include <algorithm>

namespace guest {

namespace {

constexpr std::uint64_t k4 = 0x1000;

std::vector<IovaRange> descending(std::uint64_t from, unsigned int count)
{
	std::vector<IovaRange> records;

	for (unsigned int i = 0; i < count; i++)
		records.push_back({from - i * k4, k4});
	return records;
}

/* clang-format off */
const std::vector<BitmapVector> vectors = {
	{"V01", {0, 0x40000, k4}, 0, {{0, k4}}, 64, 8, {{0, 0, 0x01}}},
	{"V02", {0x100000, 0x40000, k4}, 0, {{0x13f000, k4}}, 64, 8, {{7, 7, 0x80}}},
	{"V03", {0x100000, 0x41000, k4}, 0, {{0x140000, k4}}, 65, 9, {{8, 8, 0x01}}},
	{"V04", {0x40000000, 0x80000, k4}, 0, {{0x4003c000, 0x8000}}, 128, 16,
	 {{7, 7, 0xf0}, {8, 8, 0x0f}}},
	{"V05", {0x40000000, 0x2000, k4}, 0, {{0x40000000, 0x2000}}, 2, 1,
	 {{0, 0, 0x03}}},
	{"V06", {0x1000, 0x4000, 0x800}, 0, {{0x1800, 0x800}, {0x3800, 0x1000}}, 8, 1,
	 {{0, 0, 0x62}}},
	{"V07", {0, 0x100000, k4}, 0, {{0x800, 0x1000}}, 256, 32, {{0, 0, 0x03}}},
	{"V08", {0, 0x100000, k4}, 0, {{0xfff, 2}}, 256, 32, {{0, 0, 0x03}}},
	{"V09", {0, 0x100000, k4}, 0, {{0x5001, 1}}, 256, 32, {{0, 0, 0x20}}},
	{"V10", {0, 0x100000, k4}, 0, {{0x5fff, 1}}, 256, 32, {{0, 0, 0x20}}},
	{"V11", {0x100000, 0x100000, k4}, 0, {{0xfe000, 0x4000}}, 256, 32,
	 {{0, 0, 0x03}}},
	{"V12", {0x100000, 0x100000, k4}, 0, {{0x1ff000, 0x10000}}, 256, 32,
	 {{31, 31, 0x80}}},
	{"V13", {0x100000, 0x100000, k4}, 0, {{0, 0xffffffffffffffff}}, 256, 32,
	 {{0, 31, 0xff}}},
	{"V14", {0x100000, 0x100000, k4}, 0, {{0x200000, k4}, {0xff000, k4}}, 256, 32,
	 {}},
	{"V15", {0x100000, 0x100000, k4}, 0, {{0x100000, 0}, {0x101000, 0}}, 256, 32,
	 {}},
	{"V16", {0, 0xa000, k4}, 0, {{0, 0xa000}}, 10, 2,
	 {{0, 0, 0xff}, {1, 1, 0x03}}},
	{"V17", {0, 0x9001, k4}, 0, {{0x9000, 1}}, 10, 2, {{1, 1, 0x02}}},
	{"V18", {0, 0x2000000, 0x200000}, 0, {{0x300000, k4}, {0x1f00000, 0x100000}},
	 16, 2, {{0, 0, 0x02}, {1, 1, 0x80}}},
	{"V19", {0, 0x10000, k4}, 0xff1, {{0, 0x10000}}, 16, 2, {{0, 1, 0xff}}},
	{"V20", {0, 0x80000, k4}, 0xff9, {{0x37000, 0x2000}}, 128, 16,
	 {{6, 6, 0x80}, {7, 7, 0x01}}},
	{"V21", {-0x5000UL, 0x5000, k4}, 0,
	 {{-0x5000UL, k4}, {-0x4000UL, k4}, {-0x3000UL, k4}, {-0x2000UL, k4},
	  {-0x1000UL, k4}},
	 5, 1, {{0, 0, 0x1f}}},
	{"V22", {-0x1000UL, 0xfff, k4}, 0, {{-0x1000UL, 0xfff}}, 1, 1, {{0, 0, 0x01}}},
	{"V23", {0, 1UL << 36, 1UL << 32}, 0, {{1UL << 32, 1UL << 32}, {15UL << 32, 1}},
	 16, 2, {{0, 0, 0x02}, {1, 1, 0x80}}},
	{"V24", {1UL << 61, 1UL << 62, 1UL << 61}, 0, {{1UL << 62, 1}}, 2, 1,
	 {{0, 0, 0x02}}},
	{"V25", {0, 1UL << 63, 1UL << 63}, 0, {{123, 1}}, 1, 1, {{0, 0, 0x01}}},
	{"V26", {1UL << 63, (1UL << 63) - 1, 1UL << 63}, 0, {{1UL << 63, 0x1000}}, 1, 1,
	 {{0, 0, 0x01}}},
	{"V27", {0, 64, 1}, 0, {{3, 5}}, 64, 8, {{0, 0, 0xf8}}},
	{"V28", {0, 0x3000, k4}, 0xfff, {{0, 0x3000}}, 3, 1, {{0, 0, 0x07}}},
	{"V29", {0, 0x100000, k4}, 0, {{-0x1000UL, 0x2000}}, 256, 32, {}},
	{"V30", {0, 0x40000, k4}, 0, descending(0x3f000, 64), 64, 8, {{0, 7, 0xff}}},
};
/* clang-format on */

} // namespace

std::vector<std::uint8_t> BitmapVector::bytes() const
{
	std::vector<std::uint8_t> all(nbytes);

	for (const BytesOf &range : expected)
		std::fill(all.begin() + static_cast<std::ptrdiff_t>(range.first),
			  all.begin() + static_cast<std::ptrdiff_t>(range.last + 1),
			  range.value);
	return all;
}

const std::vector<BitmapVector> &bitmap_vectors()
{
	return vectors;
}

/* All bits are in one window, of as few pages as there are bytes of the bitmap in. */
void check_vector(const BitmapVector &vector, const BitmapMode &mode)
{
	const bool kernel = mode.flags & bitmap_kbuf;
	/* Kernel memory is aligned. */
	const std::uint64_t offset = kernel ? vector.offset & ~7UL : vector.offset;
	const Context context;
	const BitmapMemory memory(offset, vector.nbytes, kernel);
	BitmapScript script(vector.geometry, memory.va(), mode.flags);

	INFO(vector.name << ", " << mode.name);
	REQUIRE(vector.geometry.nbits() == vector.nbits);
	REQUIRE(vector.geometry.nbytes() == vector.nbytes);
	for (const IovaRange &record : vector.records)
		script.set(record.iova, record.length);
	const BitmapRun run = script.run(context);

	CHECK(run.result == 0);
	CHECK(run.steps == std::vector<int>(vector.records.size(), 0));
	CHECK(run.calls ==
	      std::vector<IovaRange>{{vector.geometry.iova, vector.geometry.length}});
	memory.check(vector.bytes());
	const bool pins =
		mode.flags & bitmap_prepin || (!kernel && !vector.expected.empty());
	CHECK(run.windows == (pins ? 1 : 0));
	CHECK(run.pages == (pins ? memory.npages() : 0));
}

void check_vector(const std::string &name)
{
	const auto vector =
		std::find_if(vectors.begin(), vectors.end(),
			     [&](const BitmapVector &v) { return v.name == name; });

	REQUIRE(vector != vectors.end());
	for (const BitmapMode &mode : bitmap_modes)
		check_vector(*vector, mode);
}

} // namespace guest

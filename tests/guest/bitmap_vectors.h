// SPDX-License-Identifier: GPL-2.0-only
/* The vectors of the specification, and how one is checked in every mode. */
#pragma once

#include "bitmap.h"

#include <string>

namespace guest {

/* Bytes first..last of a bitmap have this value. */
struct BytesOf {
	std::uint64_t first, last;
	std::uint8_t value;
};

struct BitmapVector {
	const char *name;
	BitmapGeometry geometry;
	std::uint64_t offset;
	std::vector<IovaRange> records;
	std::uint64_t nbits, nbytes;
	std::vector<BytesOf> expected;

	std::vector<std::uint8_t> bytes() const;
};

struct BitmapMode {
	const char *name;
	std::uint32_t flags;
};

constexpr BitmapMode bitmap_modes[] = {
	{"on demand", 0},
	{"pre-pinned", bitmap_prepin},
	{"kernel memory", bitmap_kbuf},
};

const std::vector<BitmapVector> &bitmap_vectors();

void check_vector(const BitmapVector &vector, const BitmapMode &mode);
/* Checks the one of that name in all modes. */
void check_vector(const std::string &name);

} // namespace guest

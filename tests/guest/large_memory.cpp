// SPDX-License-Identifier: GPL-2.0-only
#include "large_memory.h"

#include <sys/mman.h>

#include <cstring>
#include <fstream>

namespace guest {

namespace {

bool is_reserved(std::uint64_t bytes)
{
	std::ifstream file("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
	std::uint64_t free = 0;

	return file >> free && free >= bytes / huge_size;
}

} // namespace

LargeMemory::LargeMemory(std::uint64_t bytes)
	: Memory(bytes, is_reserved(bytes) ? Kind::huge : Kind::private_anonymous)
{
	/* Of no use to reserved ones, which refuse it. */
	madvise(data(), bytes, MADV_HUGEPAGE);
	std::memset(data(), 0, bytes);
}

} // namespace guest

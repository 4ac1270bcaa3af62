// SPDX-License-Identifier: GPL-2.0-only
#include "pagemap.h"

#include <fcntl.h>
#include <unistd.h>

namespace guest {

std::vector<std::uint64_t> physical_pages(const Memory &memory)
{
	/* Of an entry of pagemap: the page is there; the bits of its frame. */
	constexpr std::uint64_t present = 1UL << 63, frame = (1UL << 55) - 1;
	const Fd file(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
	std::vector<std::uint64_t> pages(memory.size() / page_size);
	const std::size_t bytes = pages.size() * sizeof(pages[0]);

	REQUIRE(file);
	REQUIRE(pread(file.get(), pages.data(), bytes,
		      static_cast<off_t>(memory.va() / page_size * sizeof(pages[0]))) ==
		static_cast<ssize_t>(bytes));
	for (std::uint64_t &page : pages) {
		const bool there = page & present && page & frame;

		if (!there)
			FAIL("pagemap does not tell where a page is");
		page = (page & frame) * page_size;
	}
	return pages;
}

} // namespace guest

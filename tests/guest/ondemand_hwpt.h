// SPDX-License-Identifier: GPL-2.0-only
/* An on-demand mapping in the HWPT of a mock device that waits for pages. */
#pragma once

#include "mm_tools.h"
#include "mock.h"
#include "ondemand.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace guest {

constexpr std::uint64_t chunk_pages = huge_size / page_size;

/* Pages one behind the other in memory, and so what is put into a HWPT by one call. */
struct Run {
	std::uint64_t first, pages;

	std::uint64_t end() const { return first + pages; }
	bool has(std::uint64_t page) const { return page >= first && page < end(); }
};

/*
 * Memory, aligned and filled, and a device. Pages are named by their numbers; that
 * there is memory aside of them keeps others away from what is unmapped.
 */
struct OndemandHwptWorld : OndemandWorld {
	explicit OndemandHwptWorld(std::uint64_t number = 64,
				   std::uint32_t around = around_default,
				   std::uint32_t flags = map_rw,
				   int advice = MADV_NOHUGEPAGE)
		: pages(number), size(pages * page_size),
		  memory(2 * huge_size, Memory::Kind::private_anonymous),
		  offset(-memory.va() % huge_size)
	{
		REQUIRE(size <= huge_size);
		madvise(memory.data(), memory.size(), advice);
		fill(1);
		map(va(0), size, flags, iova, around);
		mock = mock_create(context, ioas, {.flags = mock_faults});
		copies_use_page_table();
	}

	std::uint64_t va(std::uint64_t page) const
	{
		return memory.va() + offset + page * page_size;
	}
	std::byte *at(std::uint64_t page) const
	{
		return memory.data() + offset + page * page_size;
	}
	void fill(unsigned int salt) const
	{
		const auto data = pattern_of(salt, 0, size);

		std::memcpy(at(0), data.data(), size);
	}
	void unmap(std::uint64_t page, std::uint64_t number = 1) const
	{
		memory.unmap(offset + page * page_size, number * page_size);
	}
	void discard(std::uint64_t page, std::uint64_t number = 1) const
	{
		memory.discard(offset + page * page_size, number * page_size);
	}
	void protect(std::uint64_t page, int protection) const
	{
		REQUIRE(mprotect(at(page), page_size, protection) == 0);
	}

	Errno fault(std::uint64_t page, std::uint64_t number = 1,
		    bool write = false) const
	{
		return try_mock_fault(context, mock, iova + page * page_size,
				      number * page_size, write);
	}
	Errno write_fault(std::uint64_t page, std::uint64_t number = 1) const
	{
		return fault(page, number, true);
	}
	/* Does the device get to the memory of all of these pages? */
	bool leads(std::uint64_t page, std::uint64_t number = 1) const
	{
		const Errno error = check_map(context, mock.hwpt, iova + page * page_size,
					      number * page_size, va(page));

		REQUIRE((error == ok || error == Errno{EINVAL}));
		return error == ok;
	}
	std::uint64_t number_led() const
	{
		std::uint64_t n = 0;

		for (std::uint64_t page = 0; page < pages; page++)
			n += leads(page);
		return n;
	}

	std::vector<Run> runs() const
	{
		std::vector<Run> found;
		std::uint64_t last = 0;

		for (std::uint64_t page = 0; page < pages; page++) {
			const std::uint64_t frame = frame_of(va(page));

			if (page && frame == last + 1)
				found.back().pages++;
			else
				found.push_back({page, 1});
			last = frame;
		}
		return found;
	}
	/*
	 * Before anything is found. Free pages may come from the last to the first, so
	 * they are taken from either end.
	 */
	Run longest_run(std::uint64_t least = 3) const
	{
		for (unsigned int tries = 0; tries < 8; tries++) {
			const auto all = runs();
			const Run run = *std::max_element(
				all.begin(), all.end(), [](const Run &a, const Run &b) {
					return a.pages < b.pages;
				});

			if (run.pages >= least)
				return run;
			discard(0, pages);
			for (std::uint64_t n = 0; n < pages; n++)
				*at(tries % 2 ? n : pages - 1 - n) = std::byte(1);
			fill(1);
		}
		skip("no adjacent pages of memory");
	}

	Stats stats(std::uint32_t flags = 0) const
	{
		return query(context, ioas, iova, flags);
	}
	void reset() const { stats(IOMMUKIT_ONDEMAND_QUERY_RESET); }
	Errno try_unmap_area() const { return context.try_unmap(ioas, iova, size); }

	std::uint64_t pages, size;
	Memory memory;
	std::uint64_t offset;
	Mock mock;
};

} // namespace guest

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that move between two IOASes. Both map the same IOVA to memory of their own,
 * in which each device has a page to write to; all others are canaries, also those
 * beside it.
 */
#pragma once

#include "edu_world.h"

#include <memory>

namespace guest {

class ReplaceWorld {
	/* They end after the context does. */
	std::vector<std::unique_ptr<Loan>> loans;

    public:
	static constexpr std::uint64_t source_iova = 0x100000;
	static constexpr std::uint64_t area_iova = 0x400000;
	static constexpr std::uint64_t pages = 32;

	/*
	 * Where the write of a device went. It is no single event: where a device is
	 * kept from memory for a moment, a part of it may be missing, and what comes
	 * before that may have gone elsewhere than what comes after.
	 */
	enum class Fate { lost, first, second, torn };

	/* All are bound, none is attached; device n has read the data of n. */
	explicit ReplaceWorld(const std::vector<PciFunction> &functions);

	std::size_t size() const { return lanes.size(); }
	const PciDevice &device(std::size_t n = 0) const { return lanes[n]->device; }
	const Edu &edu(std::size_t n = 0) const { return lanes[n]->edu; }
	/* Where device n writes to. */
	static std::uint64_t iova(std::size_t n = 0)
	{
		return area_iova + target(n) * page_size;
	}

	/*
	 * Looks where the write that device n has ended went to, and cleans up there.
	 * No byte may have come to both, and none but these may have changed.
	 */
	Fate judge(std::size_t n = 0) const;

	Context context;
	std::uint32_t first, second;
	Memory in_first{pages * page_size}, in_second{pages * page_size};

    private:
	struct Lane {
		Lane(const Context &context, const PciFunction &function)
			: device(context, function), edu(function)
		{
		}

		PciDevice device;
		Edu edu;
	};

	/* With canaries between those of two devices. */
	static std::uint64_t target(std::size_t n) { return 5 + 8 * n; }
	bool is_target(std::uint64_t page) const;
	void check_canaries(const Memory &memory) const;
	std::size_t take(const Memory &memory, std::size_t n) const;

	std::vector<std::unique_ptr<Lane>> lanes;
};

} // namespace guest

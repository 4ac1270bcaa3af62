// SPDX-License-Identifier: GPL-2.0-only
// Memory that is mapped on demand, and changed all the time: unmapped, mapped anew,
// discarded, made unreadable, forked with a child that writes to its copy. An IOVA is
// always that of the same address, so whoever reads finds what was written there once,
// or zeros, or an errno, and never what a child has in its place.
#pragma once

#include "generator.h"

#include "fd.h"

#include <functional>

namespace fuzz {

class ShiftingMemory {
    public:
	static constexpr std::uint64_t pages = 64, block_pages = 4;
	static constexpr std::uint64_t blocks = pages / block_pages, windows = 3;
	static constexpr std::uint64_t block_length = block_pages * page_size;

	explicit ShiftingMemory(int device);
	ShiftingMemory(const ShiftingMemory &) = delete;
	ShiftingMemory &operator=(const ShiftingMemory &) = delete;
	~ShiftingMemory();

	unsigned char *block(std::uint64_t number) const
	{
		return base + number * block_length;
	}
	static std::uint64_t iova(std::uint64_t window, std::uint64_t block);
	// What was written once, if it was not there.
	static bool is_word(std::uint64_t value, std::uint64_t iova);
	static std::uint64_t word(std::uint64_t iova, std::uint64_t random);
	// Has nobody but children written something else? When all threads are done.
	bool intact() const;

	std::uint32_t ioas;
	// Of each address, a word of it, and one that only a child has.
	iommukit::Fd words, foreign;

    private:
	unsigned char *const base;
};

// What one thread does.
class Shifter {
    public:
	using Call = std::function<int(Kind, unsigned long, void *)>;
	using Blame = std::function<void(const char *)>;

	Shifter(ShiftingMemory &memory, Random &random, int device, Call call,
		Blame blame);

	void step();

    private:
	void map();
	void copy();
	void unmap();
	void prefetch();
	void query();
	void read_or_write();
	void pin();
	void unpin();
	void change();
	void poke();
	void fork();
	void device();

	void demand(bool holds, const char *what) const;
	std::uint64_t pick_iova();

	ShiftingMemory &memory;
	Random &random;
	const Call call;
	const Blame blame;
	iommukit::Fd access;
	std::vector<std::uint32_t> items;
	std::array<std::uint64_t, 2 * page_size / 8> buffer{};
};

} // namespace fuzz

// SPDX-License-Identifier: GPL-2.0-only
// Pages that move behind IOTLBs while threads use them. When one has been moved away
// from, which is when SUBMIT has returned, nobody may see it or write to it any more:
// it is filled with a mark that tells.
#pragma once

#include "generator.h"

#include "fd.h"

#include <linux/iommukit.h>

#include <atomic>
#include <functional>

namespace fuzz {

// Each slot is a page of the device's IOVA, and in one of two pages of memory.
class MovingMemory {
    public:
	// More than the second IOTLB can keep, so that it forgets some.
	static constexpr unsigned slots = 40, iotlbs = 2;

	explicit MovingMemory(int device);
	MovingMemory(const MovingMemory &) = delete;
	MovingMemory &operator=(const MovingMemory &) = delete;
	~MovingMemory();

	bool unpinned(int device) const;
	unsigned char *page(unsigned iotlb, unsigned slot, unsigned which) const;
	// Of the page in the IOAS.
	static std::uint64_t target(unsigned iotlb, unsigned slot, unsigned which);

	// The first forgets nothing.
	std::array<std::uint32_t, iotlbs> id{};
	std::uint32_t ioas;
	// What is being moved, so that others can be in the way.
	std::array<std::atomic<unsigned>, iotlbs> hot{};

    private:
	unsigned char *const base;
};

// What one thread does: it moves the slots that are its own, and uses all.
class Mover {
    public:
	using Call = std::function<int(Kind, unsigned long, void *)>;
	using Blame = std::function<void(const char *)>;

	Mover(MovingMemory &memory, Random &random, unsigned number, unsigned threads,
	      Call call, Blame blame);

	void step();

    private:
	struct Item {
		unsigned slot;
		std::uint32_t id;
	};
	enum class State { absent, first, second };

	void move();
	void use();
	void pin();
	void unpin();
	void look();
	void count();
	void hop();
	void short_iotlb();

	void demand(bool holds, const char *what) const;
	bool owns(unsigned slot) const;
	unsigned pick_slot();
	void submit(unsigned iotlb, const std::vector<iommukit_iotlb_msg> &elements);
	void retire(unsigned iotlb, unsigned slot);
	int release(std::uint32_t item);

	MovingMemory &memory;
	Random &random;
	const unsigned number, threads;
	const Call call;
	const Blame blame;
	// Which IOTLB the access is attached to, and what was pinned with it.
	iommukit::Fd access;
	unsigned at = 0;
	std::vector<Item> items;
	std::array<std::array<State, MovingMemory::slots>, MovingMemory::iotlbs> state{};
	std::array<std::uint64_t, 2 * page_size / 8> words{};
};

} // namespace fuzz

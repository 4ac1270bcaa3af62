// SPDX-License-Identifier: GPL-2.0-only
/* IOVA bitmaps of the test module: scripts, and the memory they write. */
#pragma once

#include "access.h"

#include <atomic>
#include <thread>

namespace guest {

/* Flags of the kernel's own interface */
constexpr std::uint32_t bitmap_prepin = 1 << 0;
constexpr std::uint32_t bitmap_kbuf = 1 << 1;

using BitmapStep = iommukit_test_bitmap_step;
constexpr std::uint32_t before_all = IOMMUKIT_TEST_BITMAP_BEFORE;
constexpr std::uint32_t after_all = IOMMUKIT_TEST_BITMAP_AFTER;

/* A range of IOVA */
struct IovaRange {
	std::uint64_t iova, length;

	bool operator==(const IovaRange &) const = default;
};
std::ostream &operator<<(std::ostream &out, const IovaRange &range);

struct BitmapGeometry {
	std::uint64_t iova, length, page_size;

	unsigned int shift() const;
	std::uint64_t last() const { return iova + length - 1; }
	std::uint64_t nbits() const { return ((length - 1) >> shift()) + 1; }
	std::uint64_t nbytes() const { return (nbits() - 1) / 8 + 1; }
};

/*
 * The bytes of a bitmap, at an offset in a page, and a pattern in all others that
 * lie around them, of which there are at least a page in front. The page behind
 * those of the bitmap is not there, unless @mapped_behind.
 */
class BitmapMemory {
    public:
	explicit BitmapMemory(std::uint64_t offset, std::uint64_t nbytes,
			      bool mapped_behind = false,
			      Memory::Kind kind = Memory::Kind::private_anonymous);

	std::uint64_t va() const { return memory.va() + page_size + offset; }
	std::uint8_t *bytes() const
	{
		return reinterpret_cast<std::uint8_t *>(memory.data()) + page_size +
		       offset;
	}
	std::uint64_t size() const { return nbytes; }
	std::uint64_t npages() const
	{
		return (offset + nbytes + page_size - 1) / page_size;
	}
	/* The address of a page of the bitmap */
	std::byte *page(std::uint64_t n) const
	{
		return memory.data() + (n + 1) * page_size;
	}
	const Memory &all() const { return memory; }

	void clear() const;
	/* Changes the protection of a page of the bitmap. */
	void protect(std::uint64_t n, int protection) const;
	/* Checks the bitmap and that nothing has changed around it. */
	void check(const std::vector<std::uint8_t> &expected) const;

    private:
	Memory memory;
	std::uint64_t offset, nbytes;
};

/* What a script has seen. Results are those of the kernel: 0 or -errno. */
struct BitmapRun {
	int result = 0;
	int error = 0;
	std::uint64_t windows = 0, pages = 0, clipped = 0;
	std::vector<IovaRange> calls, undelivered;
	std::vector<int> steps;
};

class BitmapScript {
    public:
	BitmapScript(const BitmapGeometry &geometry, std::uint64_t data,
		     std::uint32_t flags = 0, std::uint32_t window_pages = 0);

	BitmapScript &add(const BitmapStep &step);
	BitmapScript &set(std::uint64_t iova, std::uint64_t length,
			  std::uint32_t when = 1);
	/* @count records, @stride apart */
	BitmapScript &series(const IovaRange &first, std::uint64_t stride,
			     std::uint32_t count, std::uint32_t when = 1,
			     std::uint32_t what = IOMMUKIT_TEST_BITMAP_SET);
	/* Other members than steps */
	iommukit_test_bitmap &options() { return cmd; }

	/* The errno of making the bitmap; @run is valid if it is 0. */
	Errno attempt(const Context &context, BitmapRun *run);
	BitmapRun run(const Context &context);

    private:
	iommukit_test_bitmap cmd{};
	std::vector<BitmapStep> steps;
};

BitmapStep bitmap_step(std::uint32_t what, std::uint32_t when = 1);

/* A step in which a script waits while another thread does something, once. */
class BitmapMeeting {
    public:
	explicit BitmapMeeting(std::function<void()> what);
	BitmapStep step(std::uint32_t when = 1);

    private:
	std::atomic<std::uint32_t> state = 0;
	/* Started last: it uses the rest. */
	std::jthread thread;
};

/* Bit k of a bitmap */
bool has_bit(const std::vector<std::uint8_t> &bytes, std::uint64_t k);
void add_bits(std::vector<std::uint8_t> &bytes, std::uint64_t first, std::uint64_t last);

/*
 * Checks at its end that of the pages pinned since its beginning all are released,
 * by whomever.
 */
class NothingPinned {
    public:
	NothingPinned();
	NothingPinned(const NothingPinned &) = delete;
	NothingPinned &operator=(const NothingPinned &) = delete;
	~NothingPinned();

    private:
	std::int64_t before;
};

} // namespace guest

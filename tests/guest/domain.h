// SPDX-License-Identifier: GPL-2.0-only
/* Software domains of the test module: an IO page table and a device that uses it. */
#pragma once

#include "access.h"

namespace guest {

constexpr std::uint32_t domain_read = IOMMUKIT_TEST_DOMAIN_READ;
constexpr std::uint32_t domain_write = IOMMUKIT_TEST_DOMAIN_WRITE;
constexpr std::uint32_t domain_rw = domain_read | domain_write;
constexpr std::uint32_t by_page = IOMMUKIT_TEST_DOMAIN_BY_PAGE;
constexpr std::uint32_t wipe = IOMMUKIT_TEST_DOMAIN_WIPE;
constexpr std::uint32_t no_clear = IOMMUKIT_TEST_DOMAIN_NO_CLEAR;
constexpr std::uint32_t no_record = IOMMUKIT_TEST_DOMAIN_NO_RECORD;

constexpr std::uint64_t giga_size = 1UL << 30;

struct Geometry {
	std::uint64_t page_sizes, first, last;
	std::uint32_t flags = 0;
};

/* Of software devices, and of mock devices without and with large pages. */
constexpr Geometry soft_geometry{page_size | huge_size | giga_size, 0, (1UL << 48) - 1};
constexpr Geometry mock_geometry{2048, 1UL << 24, (1UL << 31) - 1};
constexpr Geometry mock_huge_geometry{2048 | 1UL << 20, 1UL << 24, (1UL << 31) - 1};
/* Of a mock device without large pages, if nobody asks what it has written. */
constexpr Geometry mock_no_dirty_geometry{2048, 1UL << 24, (1UL << 31) - 1,
					  IOMMUKIT_TEST_DOMAIN_NO_DIRTY};
/* All addresses there are. */
constexpr Geometry full_geometry{page_size | huge_size | giga_size, 0, all_ones};

/* What is mapped: memory, or an address that no memory belongs to. */
struct Backing {
	std::uint32_t kind;
	std::uint64_t address;
};

inline Backing user(const Memory &memory, std::uint64_t offset = 0)
{
	return {IOMMUKIT_TEST_DOMAIN_USER, memory.va() + offset};
}
/* 2 MiB of the kernel's, in one piece. */
inline Backing buffer(std::uint64_t offset = 0)
{
	return {IOMMUKIT_TEST_DOMAIN_BUFFER, offset};
}
inline Backing phys(std::uint64_t address)
{
	return {IOMMUKIT_TEST_DOMAIN_PHYS, address};
}

/* A range that was written. */
struct Dirty {
	std::uint64_t iova, length;

	bool operator==(const Dirty &) const = default;
};
std::ostream &operator<<(std::ostream &out, const Dirty &dirty);

class Domain {
    public:
	Domain(const Context &context, const Geometry &geometry);
	static Errno attempt(const Context &context, const Geometry &geometry,
			     Fd *domain);
	void close() { domain.reset(); }

	Errno try_map(std::uint64_t iova, Backing backing, std::uint64_t length,
		      std::uint32_t prot = domain_rw, std::uint32_t flags = 0) const;
	void map(std::uint64_t iova, Backing backing, std::uint64_t length,
		 std::uint32_t prot = domain_rw, std::uint32_t flags = 0) const;
	/* Returns how many bytes were unmapped, or all_ones if it failed. */
	std::uint64_t unmap(std::uint64_t iova, std::uint64_t length,
			    std::uint32_t flags = 0) const;

	/* Is this what the range leads to? EINVAL says no. */
	Errno check(std::uint64_t iova, Backing backing, std::uint64_t length) const;
	Errno translate(std::uint64_t iova, std::uint32_t prot = domain_read) const;
	/* Done @times more than once, they are soon in the way of others. */
	Errno try_read(std::uint64_t iova, void *data, std::uint64_t length,
		       std::uint32_t times = 0) const;
	Errno try_write(std::uint64_t iova, const void *data, std::uint64_t length,
			std::uint32_t times = 0) const;

	void track(bool on) const;
	/* At most @max records; ENOSPC if there are more. */
	Errno try_read_dirty(std::uint64_t iova, std::uint64_t length,
			     std::vector<Dirty> *records, std::uint32_t flags = 0,
			     std::uint32_t max = 4096) const;
	std::vector<Dirty> read_dirty(std::uint64_t iova, std::uint64_t length,
				      std::uint32_t flags = 0) const;
	/* A writer, and who reads its marks; see the test ABI. */
	Errno chase(std::uint64_t iova, std::uint64_t *seen, std::uint64_t last) const;
	Errno follow(std::uint64_t iova, std::uint64_t *seen, std::uint64_t last) const;

    private:
	iommukit_test_cmd command(std::uint32_t op) const;
	Errno rw(std::uint64_t iova, std::uint64_t uptr, std::uint64_t length,
		 std::uint32_t prot, std::uint32_t times) const;
	Errno race(std::uint32_t op, std::uint64_t iova, std::uint64_t *seen,
		   std::uint64_t last) const;

	Fd device;
	Fd domain;
};

/* How many tables all domains together have. */
std::uint64_t tables();

} // namespace guest

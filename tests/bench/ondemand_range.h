// SPDX-License-Identifier: GPL-2.0-only
// Addresses that are mapped on demand, or so that they are pinned, and a device that
// has what is there in its own tables.
#pragma once

#include "crowd.h"

#include <iommukit.hpp>

#include <cstdint>

namespace bench {

constexpr iommukit::Bytes page{4UL << 10};
// Of the table of what is there.
constexpr iommukit::Bytes chunk{2UL << 20};

// A mock device of an IOAS. It waits for pages if they come on demand.
class MockDevice {
    public:
	enum class Kind { plain, waits };

	MockDevice(const iommukit::Ioas &ioas, Kind kind);

	// As a device that waits does when it does not find a page.
	void fault(iommukit::Iova iova, iommukit::Bytes length, bool write) const;

    private:
	int fd_;
	std::uint32_t id_ = 0;
};

// Where ranges are mapped: mock devices can reach that.
constexpr iommukit::Iova first_iova{0x40000000};

// Addresses of which nothing is there at first, in small pages unless told otherwise.
class Range {
    public:
	explicit Range(iommukit::Bytes length, iommukit::FaultAround around = {});

	// As a device does that reads or writes there for the first time.
	void find(iommukit::Bytes offset, iommukit::Bytes length,
		  bool write = true) const;
	// As the process does.
	void touch(iommukit::Bytes offset, iommukit::Bytes length) const;
	void forget() const;

	const iommukit::Ioas &ioas() const noexcept { return ioas_; }
	void *data() const noexcept { return memory_.data(); }

    private:
	iommukit::Context context_;
	iommukit::Ioas ioas_;
	Reservation memory_;
	iommukit::Bytes length_;
};

// Touches a byte of each page.
void touch_pages(void *first, iommukit::Bytes length);

// The counterpart: addresses that a mapping pins as soon as it is there.
class PinnedRange {
    public:
	explicit PinnedRange(iommukit::Bytes length);

	// Finds all pages there, until unmap().
	void map() const;
	void unmap() const;
	void forget() const;
	void *data() const noexcept { return memory_.data(); }

    private:
	iommukit::Context context_;
	iommukit::Ioas ioas_;
	MockDevice device_;
	Reservation memory_;
	iommukit::Bytes length_;
};

} // namespace bench

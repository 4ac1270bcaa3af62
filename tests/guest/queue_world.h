// SPDX-License-Identifier: GPL-2.0-only
/* A device whose faults go to a queue, and what was read from it. */
#pragma once

#include "fault.h"
#include "mock.h"

namespace guest {

constexpr std::uint64_t fault_iova = aperture_first + 0x123000;
constexpr std::size_t fault_bytes = sizeof(PageFault);
constexpr std::uint32_t last_page = IOMMUKIT_PGFAULT_FLAGS_LAST_PAGE;
constexpr std::uint32_t pasid_valid = IOMMUKIT_PGFAULT_FLAGS_PASID_VALID;

using Numbers = std::vector<std::uint32_t>;

/* Of the groups that were read: the devices' numbers, and the cookies. */
Numbers groups(const std::vector<PageFault> &faults);
Numbers cookies(const std::vector<PageFault> &faults);

/* A device on a nested HWPT with a queue. */
struct QueueWorld {
	QueueWorld();

	void replace(const Mock &which, std::uint32_t to) const;
	/* A group of @count whose number is @grpid. */
	void fault(const Mock &which, std::uint32_t grpid, std::uint32_t count = 1) const;
	void fault(std::uint32_t grpid, std::uint32_t count = 1) const
	{
		fault(mock, grpid, count);
	}
	/* Has the device got as many answers of each kind? */
	bool answered(std::uint32_t success, std::uint32_t invalid) const;

	NothingLeft nothing_left;
	Context context;
	std::uint32_t ioas;
	FaultQueue queue;
	Mock mock;
	std::uint32_t parent, nested;
};

} // namespace guest

// SPDX-License-Identifier: GPL-2.0-only
// What a device and its IOMMU can do.
#pragma once

#include "context.h"
#include "types.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace iommukit {

struct HwInfo {
	std::uint32_t type = 0; // enum iommukit_hw_info_type, or one of a driver
	std::vector<std::byte> data;
	unsigned pasid_bits = 0; // 0: the device has no PASID
	std::uint64_t capabilities = 0;

	bool has(std::uint64_t capability) const noexcept
	{
		return (capabilities & capability) == capability;
	}
};

HwInfo hw_info(const Context &context, ObjectId device);

} // namespace iommukit

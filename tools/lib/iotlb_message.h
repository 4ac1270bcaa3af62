// SPDX-License-Identifier: GPL-2.0-only
// What an owner and a server say to the kernel of an IOTLB: an element of SUBMIT and
// a native message of the channel are one structure. Everything is in bytes, and
// nothing has to be aligned.
#pragma once

#include "ioas.h"
#include "types.h"

#include <linux/iommukit.h>

#include <cstdint>
#include <optional>

namespace iommukit {

using IotlbMessage = iommukit_iotlb_msg;

// Bits of enum iommukit_iotlb_perm; none is that of a range without a translation.
std::uint8_t iotlb_perm(Permission permission) noexcept;
std::optional<Permission> iotlb_permission(std::uint32_t perm) noexcept;

// The target is that of the first byte: an IOVA of the IOAS, or an address of the
// process that made the IOTLB.
struct IotlbTranslation {
	IovaRange range;
	std::uint64_t target = 0;
	Permission permission = Permission::read_write;

	// What is left of it inside a range, which must contain a byte of it.
	IotlbTranslation clip(const IovaRange &to) const noexcept;
};

// All of the space has no length: it takes two updates. Invalidated it may be.
IotlbMessage iotlb_update(const IotlbTranslation &translation,
			  std::uint32_t asid = 0) noexcept;
// There is no translation, and nobody is to be asked for it.
IotlbMessage iotlb_negative(const IovaRange &range, std::uint32_t asid = 0) noexcept;
IotlbMessage iotlb_invalidate(const IovaRange &range, std::uint32_t asid = 0) noexcept;
IotlbMessage iotlb_flush(std::uint32_t asid = 0) noexcept;
// Those who wait for a miss fail with EPERM, ENOENT or EIO, with anything else EFAULT.
IotlbMessage iotlb_denial(const IotlbMessage &miss, int number) noexcept;

} // namespace iommukit

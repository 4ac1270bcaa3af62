// SPDX-License-Identifier: GPL-2.0-only
// The permissions of mappings and of IOTLBs are different bits.
#include "iotlb_message.h"

#include <algorithm>

namespace iommukit {

namespace {

IotlbMessage message(iommukit_iotlb_op op, std::uint32_t asid)
{
	IotlbMessage out{};

	out.type = IOMMUKIT_IOTLB_MSG_NATIVE;
	out.asid = asid;
	out.op = op;
	return out;
}

IotlbMessage message(iommukit_iotlb_op op, const IovaRange &range, std::uint32_t asid)
{
	IotlbMessage out = message(op, asid);

	out.iova = range.first.value;
	// 0 if it is all of the space.
	out.length = (range.last - range.first).value + 1;
	return out;
}

} // namespace

std::uint8_t iotlb_perm(Permission permission) noexcept
{
	switch (permission) {
	case Permission::read:
		return IOMMUKIT_IOTLB_PERM_READ;
	case Permission::write:
		return IOMMUKIT_IOTLB_PERM_WRITE;
	case Permission::read_write:
		break;
	}
	return IOMMUKIT_IOTLB_PERM_RW;
}

std::optional<Permission> iotlb_permission(std::uint32_t perm) noexcept
{
	switch (perm) {
	case IOMMUKIT_IOTLB_PERM_READ:
		return Permission::read;
	case IOMMUKIT_IOTLB_PERM_WRITE:
		return Permission::write;
	case IOMMUKIT_IOTLB_PERM_RW:
		return Permission::read_write;
	default:
		return std::nullopt;
	}
}

IotlbTranslation IotlbTranslation::clip(const IovaRange &to) const noexcept
{
	Iova first = std::max(range.first, to.first);

	return {{first, std::min(range.last, to.last)},
		target + (first - range.first).value,
		permission};
}

IotlbMessage iotlb_update(const IotlbTranslation &translation,
			  std::uint32_t asid) noexcept
{
	IotlbMessage out = message(IOMMUKIT_IOTLB_OP_UPDATE, translation.range, asid);

	out.target = translation.target;
	out.perm = iotlb_perm(translation.permission);
	return out;
}

IotlbMessage iotlb_negative(const IovaRange &range, std::uint32_t asid) noexcept
{
	IotlbMessage out = message(IOMMUKIT_IOTLB_OP_UPDATE, range, asid);

	out.flags = IOMMUKIT_IOTLB_MSG_NEGATIVE;
	return out;
}

IotlbMessage iotlb_invalidate(const IovaRange &range, std::uint32_t asid) noexcept
{
	return message(IOMMUKIT_IOTLB_OP_INVALIDATE, range, asid);
}

IotlbMessage iotlb_flush(std::uint32_t asid) noexcept
{
	return message(IOMMUKIT_IOTLB_OP_FLUSH, asid);
}

IotlbMessage iotlb_denial(const IotlbMessage &miss, int number) noexcept
{
	IotlbMessage out = message(IOMMUKIT_IOTLB_OP_ACCESS_FAIL, miss.asid);

	out.iova = miss.iova;
	out.length = 1;
	out.perm = miss.perm;
	out.status = number;
	out.cookie = miss.cookie;
	return out;
}

} // namespace iommukit

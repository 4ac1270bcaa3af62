// SPDX-License-Identifier: GPL-2.0-only
// The kernel reads and writes whole messages only, so bytes are multiples of them.
#include "iotlb_channel.h"

#include "command.h"
#include "iotlb_ring.h"

#include <unistd.h>

namespace iommukit {

std::unique_ptr<IotlbRing> IotlbChannel::configure(const IotlbChannelUse &use) const
{
	auto cmd = command<iommukit_iotlb_chan_config>();

	cmd.format = IOMMUKIT_IOTLB_MSG_NATIVE;
	cmd.ring_entries = use.ring_entries;
	cmd.eventfd = use.eventfd;
	cmd.features = use.features;
	call(*channel_, IOMMUKIT_IOTLB_CHAN_CONFIG, &cmd);
	// A dry run has nothing to map.
	if (!use.ring_entries || fd() < 0)
		return nullptr;
	return std::make_unique<IotlbRing>(fd(), use.ring_entries, cmd.out_ring_off,
					   cmd.out_cons_off);
}

iommukit_iotlb_chan_info IotlbChannel::info(std::uint32_t asid) const
{
	auto cmd = command<iommukit_iotlb_chan_info>();

	cmd.asid = asid;
	call(*channel_, IOMMUKIT_IOTLB_CHAN_INFO, &cmd);
	return cmd;
}

void IotlbChannel::kick() const
{
	auto cmd = command<iommukit_iotlb_chan_kick>();

	call(*channel_, IOMMUKIT_IOTLB_CHAN_KICK, &cmd);
}

std::error_code IotlbChannel::try_read(std::span<IotlbMessage> to,
				       std::size_t &count) const noexcept
{
	ssize_t bytes = ::read(fd(), to.data(), to.size_bytes());

	count = bytes < 0 ? 0 : static_cast<std::size_t>(bytes) / sizeof(IotlbMessage);
	return bytes < 0 ? last_error() : std::error_code();
}

std::error_code IotlbChannel::try_write(std::span<const IotlbMessage> from,
					std::size_t &count) const noexcept
{
	ssize_t bytes = ::write(fd(), from.data(), from.size_bytes());

	count = bytes < 0 ? 0 : static_cast<std::size_t>(bytes) / sizeof(IotlbMessage);
	return bytes < 0 ? last_error() : std::error_code();
}

} // namespace iommukit

// SPDX-License-Identifier: GPL-2.0-only
// The channel of an IOTLB: all that a server has, and all that it needs. The descriptor
// may come from another process. Messages are native ones. The last close of it is the
// end of the server: who waits for an answer fails.
//
// Several threads may read and write; a server that invalidates writes
// iotlb_invalidate() when its own tables do not give the old translation any more, and
// before it tells whoever asked for it.
#pragma once

#include "channel.h"
#include "fd.h"
#include "iotlb_message.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <system_error>

namespace iommukit {

class IotlbRing;

struct IotlbChannelUse {
	// What the server understands: enum iommukit_iotlb_chan_features.
	std::uint64_t features = 0;
	// A power of two from 16 to 65536; 0: no ring, messages are read.
	std::uint32_t ring_entries = 0;
	// Signalled when something was put into the ring.
	int eventfd = IOMMUKIT_IOTLB_EVENTFD_NONE;
};

class IotlbChannel {
    public:
	explicit IotlbChannel(Fd fd)
		: IotlbChannel(std::make_shared<DeviceChannel>(std::move(fd)))
	{
	}
	explicit IotlbChannel(std::shared_ptr<Channel> channel) noexcept
		: channel_(std::move(channel))
	{
	}

	int fd() const noexcept { return channel_->fd(); }

	// Before the first message; returns the ring, if there is to be one.
	std::unique_ptr<IotlbRing> configure(const IotlbChannelUse &use) const;
	// Members of struct iommukit_iotlb_chan_info.
	iommukit_iotlb_chan_info info(std::uint32_t asid = 0) const;
	// Brings into the ring what found no room in it.
	void kick() const;

	// One read() and one write(); they tell how many messages that were. A message
	// that is refused ends a write, and its errno is that of the next one, which
	// begins with it. EAGAIN: there is none, and the descriptor does not block;
	// ENODEV: the IOTLB is gone; ESTALE: an UPDATE came too late, and its miss will
	// be asked for once more.
	std::error_code try_read(std::span<IotlbMessage> to,
				 std::size_t &count) const noexcept;
	std::error_code try_write(std::span<const IotlbMessage> from,
				  std::size_t &count) const noexcept;

    private:
	std::shared_ptr<Channel> channel_;
};

} // namespace iommukit

// SPDX-License-Identifier: GPL-2.0-only
// The ring of a channel: messages that the kernel has put into memory which the server
// maps, so that it need not read(). One thread takes them out. The ring keeps the
// channel open as long as it is mapped: it must go first.
#pragma once

#include "iotlb_message.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace iommukit {

class IotlbRing {
    public:
	// Of a channel that has been configured with so many entries. EPROTO if what is
	// mapped is no ring that this library knows.
	IotlbRing(int channel, std::uint32_t entries, std::uint64_t ring_offset,
		  std::uint64_t consumer_offset);
	IotlbRing(const IotlbRing &) = delete;
	IotlbRing &operator=(const IotlbRing &) = delete;
	~IotlbRing();

	// Takes out what is there, the oldest first, and returns how many that were.
	std::size_t take(std::span<IotlbMessage> to) noexcept;

	// Messages wait for room: a write, a read or a kick brings them in.
	bool backlog() const noexcept;
	// The IOTLB is gone.
	bool dead() const noexcept;

	// Asks to be woken, and returns true if there is nothing to wait for: only then
	// the eventfd, or poll(), may be slept on.
	bool arm() noexcept;
	// Asks not to be woken, for the ring is being looked at.
	void disarm() noexcept;

    private:
	const IotlbMessage *messages() const noexcept;

	// Of the kernel: never written, although the type would let it.
	iommukit_iotlb_ring *ring_;
	iommukit_iotlb_ring_consumer *consumer_;
	std::size_t ring_size_;
	std::size_t consumer_size_;
	std::uint32_t entries_;
	std::uint32_t tail_ = 0;
};

} // namespace iommukit

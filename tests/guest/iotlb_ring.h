// SPDX-License-Identifier: GPL-2.0-only
/* The ring of an IOTLB's channel, as a server uses it. */
#pragma once

#include "iotlb_channel.h"

#include <optional>

namespace guest {

/* A mapping, or the errno of what was refused. */
class Mapping {
    public:
	Mapping(const Channel &channel, std::uint64_t offset, std::size_t length,
		int protection, bool shared = true);
	Mapping(const Mapping &) = delete;
	Mapping &operator=(const Mapping &) = delete;
	~Mapping();

	Errno error() const { return failed; }
	template <class T> T *as() const { return static_cast<T *>(address); }

    private:
	void *address;
	std::size_t length;
	Errno failed;
};

class IotlbRing {
    public:
	/* Maps what CHAN_CONFIG has made of @entries. */
	IotlbRing(const Channel &channel, std::uint32_t entries);

	/* In pages, with the header. */
	static std::size_t size(std::uint32_t entries);

	/* What the kernel writes. */
	std::uint32_t head() const;
	std::uint32_t flags() const;
	const iommukit_iotlb_ring &header() const { return *ring; }

	/* Takes a message out, if there is one. */
	std::optional<IotlbMessage> take();
	bool empty() const { return head() == tail; }
	/* Looks at a message that was put in as number @n. */
	const IotlbMessage &entry(std::uint32_t n) const;
	void set_tail(std::uint32_t tail);
	void set_no_wakeup(bool on);

    private:
	Mapping ring_mapping, consumer_mapping;
	const iommukit_iotlb_ring *ring;
	iommukit_iotlb_ring_consumer *consumer;
	std::uint32_t entries, tail = 0;
};

} // namespace guest

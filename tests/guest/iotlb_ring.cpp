// SPDX-License-Identifier: GPL-2.0-only
#include "iotlb_ring.h"

#include <sys/mman.h>

#include <atomic>
#include <cerrno>

namespace guest {

namespace {

/* The kernel's side is not declared atomic. */
template <class T> T load(const T &value)
{
	return __atomic_load_n(&value, __ATOMIC_ACQUIRE);
}

} // namespace

Mapping::Mapping(const Channel &channel, std::uint64_t offset, std::size_t bytes,
		 int protection, bool shared)
	: address(mmap(nullptr, bytes, protection, shared ? MAP_SHARED : MAP_PRIVATE,
		       channel.fd(), static_cast<off_t>(offset))),
	  length(bytes), failed{address == MAP_FAILED ? errno : 0}
{
}

Mapping::~Mapping()
{
	if (failed == ok)
		munmap(address, length);
}

std::size_t IotlbRing::size(std::uint32_t entries)
{
	const std::size_t bytes =
		sizeof(iommukit_iotlb_ring) + entries * sizeof(IotlbMessage);

	return (bytes + page_size - 1) & ~(page_size - 1);
}

IotlbRing::IotlbRing(const Channel &channel, std::uint32_t number)
	: ring_mapping(channel, IOMMUKIT_IOTLB_RING_OFF, size(number), PROT_READ),
	  consumer_mapping(channel, IOMMUKIT_IOTLB_CONS_OFF, page_size,
			   PROT_READ | PROT_WRITE),
	  ring(ring_mapping.as<const iommukit_iotlb_ring>()),
	  consumer(consumer_mapping.as<iommukit_iotlb_ring_consumer>()), entries(number)
{
	REQUIRE(ring_mapping.error() == ok);
	REQUIRE(consumer_mapping.error() == ok);
	REQUIRE(ring->magic == IOMMUKIT_IOTLB_RING_MAGIC);
}

std::uint32_t IotlbRing::head() const
{
	return load(ring->head);
}

std::uint32_t IotlbRing::flags() const
{
	return load(ring->flags);
}

const IotlbMessage &IotlbRing::entry(std::uint32_t n) const
{
	return reinterpret_cast<const IotlbMessage *>(ring + 1)[n % entries];
}

std::optional<IotlbMessage> IotlbRing::take()
{
	if (head() == tail)
		return {};
	const IotlbMessage message = entry(tail);

	set_tail(tail + 1);
	return message;
}

void IotlbRing::set_tail(std::uint32_t to)
{
	tail = to;
	__atomic_store_n(&consumer->tail, to, __ATOMIC_RELEASE);
}

/* Whoever clears it looks at the head behind a full barrier. */
void IotlbRing::set_no_wakeup(bool on)
{
	__atomic_store_n(&consumer->flags, on ? IOMMUKIT_IOTLB_RING_NO_WAKEUP : 0,
			 __ATOMIC_RELEASE);
	std::atomic_thread_fence(std::memory_order_seq_cst);
}

} // namespace guest

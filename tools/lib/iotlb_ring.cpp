// SPDX-License-Identifier: GPL-2.0-only
// Who orders what against what:
//
//  - the kernel stores an entry, then head, released; head is loaded here, acquired,
//    before the entry is;
//  - the entry is copied before tail is stored, released, for behind it the kernel
//    writes the next one; it loads tail, acquired;
//  - the kernel stores head, then, behind a full barrier, loads NO_WAKEUP; here
//    NO_WAKEUP is cleared, then, behind a full barrier, head is loaded. At least one of
//    the two sees what the other has done, so no wake-up is lost.
//
// Head and tail are numbers of messages modulo 2^32, not indexes.
#include "iotlb_ring.h"

#include "error.h"
#include "memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

namespace iommukit {

namespace {

using Shared = std::atomic_ref<std::uint32_t>;

std::size_t whole_pages(std::size_t size)
{
	std::size_t page = page_size().value;

	return (size + page - 1) / page * page;
}

void *map(int fd, std::size_t size, int prot, std::uint64_t offset)
{
	void *memory =
		::mmap(nullptr, size, prot, MAP_SHARED, fd, static_cast<off_t>(offset));

	if (memory == MAP_FAILED)
		throw Error(last_error(), "mmap", {.length = Bytes(size)});
	return memory;
}

} // namespace

IotlbRing::IotlbRing(int channel, std::uint32_t entries, std::uint64_t ring_offset,
		     std::uint64_t consumer_offset)
	: ring_size_(whole_pages(sizeof(*ring_) + entries * sizeof(IotlbMessage))),
	  consumer_size_(whole_pages(sizeof(*consumer_))), entries_(entries)
{
	ring_ = static_cast<iommukit_iotlb_ring *>(
		map(channel, ring_size_, PROT_READ, ring_offset));
	try {
		if (ring_->magic != IOMMUKIT_IOTLB_RING_MAGIC || ring_->version != 1 ||
		    ring_->entries != entries ||
		    ring_->entry_size != sizeof(IotlbMessage))
			throw Error(make_errno(EPROTO), "mmap",
				    {.length = Bytes(ring_size_)});
		consumer_ = static_cast<iommukit_iotlb_ring_consumer *>(
			map(channel, consumer_size_, PROT_READ | PROT_WRITE,
			    consumer_offset));
	} catch (...) {
		::munmap(ring_, ring_size_);
		throw;
	}
	tail_ = Shared(consumer_->tail).load(std::memory_order_relaxed);
}

IotlbRing::~IotlbRing()
{
	::munmap(consumer_, consumer_size_);
	::munmap(ring_, ring_size_);
}

const IotlbMessage *IotlbRing::messages() const noexcept
{
	return reinterpret_cast<const IotlbMessage *>(ring_ + 1);
}

std::size_t IotlbRing::take(std::span<IotlbMessage> to) noexcept
{
	std::uint32_t head = Shared(ring_->head).load(std::memory_order_acquire);
	std::size_t count = std::min<std::size_t>(head - tail_, to.size());

	if (!count)
		return 0;
	for (std::size_t i = 0; i < count; i++)
		to[i] = messages()[(tail_ + i) % entries_];
	tail_ += static_cast<std::uint32_t>(count);
	Shared(consumer_->tail).store(tail_, std::memory_order_release);
	return count;
}

bool IotlbRing::backlog() const noexcept
{
	return Shared(ring_->flags).load(std::memory_order_acquire) &
	       IOMMUKIT_IOTLB_RING_BACKLOG;
}

bool IotlbRing::dead() const noexcept
{
	return Shared(ring_->flags).load(std::memory_order_acquire) &
	       IOMMUKIT_IOTLB_RING_DEAD;
}

bool IotlbRing::arm() noexcept
{
	Shared(consumer_->flags).store(0, std::memory_order_relaxed);
	std::atomic_thread_fence(std::memory_order_seq_cst);
	return Shared(ring_->head).load(std::memory_order_acquire) == tail_ &&
	       !backlog() && !dead();
}

void IotlbRing::disarm() noexcept
{
	Shared(consumer_->flags)
		.store(IOMMUKIT_IOTLB_RING_NO_WAKEUP, std::memory_order_relaxed);
}

} // namespace iommukit

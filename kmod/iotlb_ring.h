/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ring of a channel. Its memory is there as long as somebody has it mapped; the
 * kernel's view of it as long as the channel or a call of mmap() has a count.
 */
#ifndef IOMMUKIT_IOTLB_RING_H
#define IOMMUKIT_IOTLB_RING_H

#include <linux/refcount.h>
#include <linux/types.h>
#include <uapi/linux/iommukit.h>

struct iotlb_channel;
struct page;
struct vm_area_struct;

#define IOTLB_RING_MIN 16
#define IOTLB_RING_MAX 65536

/* So many messages are moved with interrupts off at a time. */
#define IOTLB_RING_BURST 64

/**
 * struct iotlb_ring_map - A ring; what changes does so under the lock of its channel
 * @refs: the channel, and calls of mmap()
 * @pages: @nr_pages of the ring, and one of the consumer
 * @nr_pages: how many
 * @entries: messages that fit in, a power of two
 * @shared: what the server reads; never read here
 * @consumer: what the server writes
 * @head: of @shared
 * @flags: of @shared
 * @left: messages that were not moved into it when this was last tried
 */
struct iotlb_ring_map {
	refcount_t refs;
	struct page **pages;
	unsigned int nr_pages;
	u32 entries;
	struct iommukit_iotlb_ring *shared;
	struct iommukit_iotlb_ring_consumer *consumer;
	u32 head;
	u32 flags;
	u32 left;
};

struct iotlb_ring_map *iotlb_ring_alloc(u32 entries);
void iotlb_ring_put(struct iotlb_ring_map *ring);
int iotlb_ring_mmap(const struct iotlb_ring_map *ring,
		    struct vm_area_struct *vma);
bool iotlb_ring_is_empty_locked(const struct iotlb_ring_map *ring);
unsigned int iotlb_ring_fill_locked(struct iotlb_channel *chan);
unsigned int iotlb_ring_wake_locked(const struct iotlb_ring_map *ring);
void iotlb_ring_kill_locked(struct iotlb_ring_map *ring);

#endif /* IOMMUKIT_IOTLB_RING_H */

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ring of a channel: memory in which the server finds messages without a system
 * call. The kernel writes it under the lock of the channel, the server reads it.
 *
 * The server is not trusted. Of what it can write, the kernel reads how far it has come,
 * and whether it wants to be woken: a wrong answer harms nobody but the server. Where the
 * next message goes, and what the flags are, the kernel knows itself.
 *
 * Pages are counted by those who map them. So a ring that nobody has seen a message in may
 * be replaced while it is mapped: old mappings stay, and show nothing any more.
 */
#include "iotlb_ring.h"

#include <linux/build_bug.h>
#include <linux/gfp.h>
#include <linux/math.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "fail.h"
#include "iotlb.h"

/* ---- memory ---- */

static void ring_free(struct iotlb_ring_map *ring)
{
	unsigned int i;

	vunmap(ring->shared);
	for (i = 0; ring->pages && i <= ring->nr_pages; i++)
		if (ring->pages[i])
			put_page(ring->pages[i]);
	kvfree(ring->pages);
	kfree(ring);
}

/**
 * iotlb_ring_put - drop a count
 * @ring: the ring, or NULL
 *
 * Context: may sleep.
 */
void iotlb_ring_put(struct iotlb_ring_map *ring)
{
	if (ring && refcount_dec_and_test(&ring->refs))
		ring_free(ring);
}

static int ring_alloc_pages(struct iotlb_ring_map *ring)
{
	unsigned int i;

	ring->pages = fail_alloc(kvcalloc(ring->nr_pages + 1,
					  sizeof(*ring->pages),
					  GFP_KERNEL_ACCOUNT));
	if (!ring->pages)
		return -ENOMEM;
	for (i = 0; i <= ring->nr_pages; i++) {
		ring->pages[i] = fail_alloc(alloc_page(GFP_KERNEL_ACCOUNT |
						       __GFP_ZERO));
		if (!ring->pages[i])
			return -ENOMEM;
	}
	ring->shared = fail_alloc(vmap(ring->pages, ring->nr_pages + 1, VM_MAP,
				       PAGE_KERNEL));
	return ring->shared ? 0 : -ENOMEM;
}

/**
 * iotlb_ring_alloc - make an empty ring
 * @entries: messages that fit in, a power of two
 *
 * Context: may sleep.
 * Return: the ring for iotlb_ring_put(), or -ENOMEM.
 */
struct iotlb_ring_map *iotlb_ring_alloc(u32 entries)
{
	size_t size = sizeof(struct iommukit_iotlb_ring) +
		      entries * sizeof(struct iommukit_iotlb_msg);
	struct iotlb_ring_map *ring = fail_alloc(kzalloc(sizeof(*ring),
							 GFP_KERNEL_ACCOUNT));
	int rc;

	BUILD_BUG_ON(sizeof(struct iommukit_iotlb_ring) != 64 ||
		     sizeof(struct iommukit_iotlb_msg) != 64);
	if (!ring)
		return ERR_PTR(-ENOMEM);
	refcount_set(&ring->refs, 1);
	ring->entries = entries;
	ring->nr_pages = DIV_ROUND_UP(size, PAGE_SIZE);
	rc = ring_alloc_pages(ring);
	if (rc) {
		ring_free(ring);
		return ERR_PTR(rc);
	}
	ring->consumer = (void *)ring->shared + ring->nr_pages * PAGE_SIZE;
	ring->shared->magic = IOMMUKIT_IOTLB_RING_MAGIC;
	ring->shared->version = 1;
	ring->shared->entries = entries;
	ring->shared->entry_size = sizeof(struct iommukit_iotlb_msg);
	return ring;
}

/**
 * iotlb_ring_mmap - show a ring to the server
 * @ring: the ring, that the caller has a count of; NULL if there is none
 * @vma: where it is wanted, and which part
 *
 * A child does not get the mapping: it would keep the channel open.
 *
 * Context: may sleep; called by mmap().
 * Return: 0; -EINVAL for a private mapping, a wrong offset or length; -EPERM to write to
 * the ring, or to execute; -ENODEV if there is no ring; -ENOMEM.
 */
int iotlb_ring_mmap(const struct iotlb_ring_map *ring,
		    struct vm_area_struct *vma)
{
	bool consumer = vma->vm_pgoff == IOMMUKIT_IOTLB_CONS_OFF >> PAGE_SHIFT;
	unsigned int first, nr;

	if (!(vma->vm_flags & VM_SHARED) ||
	    (!consumer && vma->vm_pgoff != IOMMUKIT_IOTLB_RING_OFF >> PAGE_SHIFT))
		return -EINVAL;
	if (vma->vm_flags & (consumer ? VM_EXEC : VM_EXEC | VM_WRITE))
		return -EPERM;
	if (!ring)
		return -ENODEV;
	first = consumer ? ring->nr_pages : 0;
	nr = consumer ? 1 : ring->nr_pages;
	if (vma_pages(vma) != nr)
		return -EINVAL;
	vm_flags_clear(vma, consumer ? VM_MAYEXEC : VM_MAYEXEC | VM_MAYWRITE);
	vm_flags_set(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP);
	return fail_point(-ENOMEM) ?:
	       vm_map_pages_zero(vma, ring->pages + first, nr);
}

/* ---- messages ---- */

/* How many the server has not taken yet. More than there can be, if it lies. */
static u32 ring_used(const struct iotlb_ring_map *ring)
{
	/*
	 * What the server has read is read before the next message is written over it:
	 * pairs with its release of tail.
	 */
	return ring->head - smp_load_acquire(&ring->consumer->tail);
}

/**
 * iotlb_ring_is_empty_locked - whether the server has taken all messages
 * @ring: the ring; the lock of its channel is held
 *
 * Context: any.
 */
bool iotlb_ring_is_empty_locked(const struct iotlb_ring_map *ring)
{
	return !ring_used(ring);
}

static u32 ring_room(struct iotlb_channel *chan)
{
	const struct iotlb_ring_map *ring = chan->ring;
	u32 used = ring_used(ring);

	if (used <= ring->entries)
		return ring->entries - used;
	chan->counts[IOMMUKIT_IOTLB_STAT_RING_CORRUPT]++;
	return 0;
}

static void ring_set_flags(struct iotlb_ring_map *ring, u32 flags)
{
	ring->flags = flags;
	WRITE_ONCE(ring->shared->flags, flags);
}

/**
 * iotlb_ring_fill_locked - move what waits into the ring
 * @chan: a channel with a ring; its lock is held
 *
 * As much as there is room for, but not more than IOTLB_RING_BURST messages.
 *
 * Context: any but NMI.
 * Return: how many were moved.
 */
unsigned int iotlb_ring_fill_locked(struct iotlb_channel *chan)
{
	struct iotlb_ring_map *ring = chan->ring;
	struct iommukit_iotlb_msg *msgs = (void *)(ring->shared + 1);
	struct iommukit_iotlb_msg msg;
	u32 room = 0, nr = 0, flags = 0;

	lockdep_assert_held(&chan->lock);
	if (iotlb_has_message_locked(chan))
		room = min_t(u32, ring_room(chan), IOTLB_RING_BURST);
	while (nr < room && iotlb_take_message_locked(chan, &msg)) {
		memcpy(&msgs[ring->head & (ring->entries - 1)], &msg,
		       sizeof(msg));
		ring->head++;
		nr++;
	}
	if (nr) {
		chan->delivered = true;
		/* Messages come before head: pairs with the server's acquire. */
		smp_store_release(&ring->shared->head, ring->head);
	}
	ring->left = chan->nr_queued + chan->nr_events;
	if (ring->left)
		flags |= IOMMUKIT_IOTLB_RING_BACKLOG;
	if (chan->lost)
		flags |= IOMMUKIT_IOTLB_RING_LOST;
	WRITE_ONCE(ring->shared->lost, chan->lost);
	ring_set_flags(ring, flags);
	return nr;
}

/**
 * iotlb_ring_wake_locked - whom to wake, now that the ring has changed
 * @ring: the ring; the lock of its channel is held
 *
 * Context: any.
 * Return: IOTLB_WAKE_*.
 */
unsigned int iotlb_ring_wake_locked(const struct iotlb_ring_map *ring)
{
	/*
	 * Head and flags are written before the server's wish is read. Pairs with the
	 * barrier between its clearing of NO_WAKEUP and its last look at them: one of
	 * the two sees what the other has done.
	 */
	smp_mb();
	if (READ_ONCE(ring->consumer->flags) & IOMMUKIT_IOTLB_RING_NO_WAKEUP)
		return 0;
	return IOTLB_WAKE_READERS | IOTLB_WAKE_EVENTFD;
}

/**
 * iotlb_ring_kill_locked - tell the server that there will be no messages any more
 * @ring: the ring; the lock of its channel is held
 *
 * Context: any.
 */
void iotlb_ring_kill_locked(struct iotlb_ring_map *ring)
{
	ring_set_flags(ring, ring->flags | IOMMUKIT_IOTLB_RING_DEAD);
}

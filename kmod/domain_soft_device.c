// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device's side of software domains: where an IOVA leads, copying there, and
 * the marks of what was written.
 *
 * A write marks its page after the data is there and before it leaves the tree; a
 * read-out clears a mark after it was recorded. So a mark that is missing means
 * that whoever reads the memory now sees the data.
 */
#include "domain_soft.h"

#include <linux/bitmap.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/pfn.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "domain_soft_tree.h"

/**
 * struct soft_hit - What an IOVA leads to; good while the tree may be read
 * @slot: the entry of the page
 * @entry: what was in it
 * @phys: the address
 * @room: bytes from there to the end of the page
 */
struct soft_hit {
	u64 *slot;
	u64 entry;
	phys_addr_t phys;
	unsigned long room;
};

/* The tree may be read. @need: permissions, or 0. */
static int soft_find(struct soft_domain *soft, unsigned long iova, u64 need,
		     struct soft_hit *hit)
{
	struct soft_path path;

	/* Beyond the aperture the tables would begin anew. */
	if (iova > soft->domain.last)
		return -ENOENT;
	hit->entry = soft_walk(soft, iova, &path);
	if (!soft_is_page(hit->entry))
		return -ENOENT;
	if ((hit->entry & need) != need)
		return -EPERM;
	hit->slot = path.slot[path.level];
	hit->phys = (hit->entry & SOFT_ADDRESS) +
		    (iova - soft_first(soft, iova, path.level));
	hit->room = soft_last(soft, iova, path.level) - iova + 1;
	return 0;
}

static int soft_lookup(struct soft_domain *soft, unsigned long iova, u64 need,
		       phys_addr_t *phys)
{
	rwlock_t *lock = soft_reader(&soft->readers);
	unsigned long irq;
	struct soft_hit hit;
	int rc;

	read_lock_irqsave(lock, irq);
	rc = soft_find(soft, iova, need, &hit);
	read_unlock_irqrestore(lock, irq);
	if (!rc)
		*phys = hit.phys;
	return rc;
}

/* domain_ops.iova_to_phys */
phys_addr_t soft_iova_to_phys(struct domain *domain, unsigned long iova)
{
	phys_addr_t phys = PHYS_ADDR_MAX;

	soft_lookup(soft_of(domain), iova, 0, &phys);
	return phys;
}

/**
 * domain_soft_translate - where an IOVA leads, for a device
 * @domain: a software domain
 * @iova: the IOVA
 * @write: the device wants to write there, else to read
 * @phys: gets the physical address
 *
 * Nothing keeps the memory there when this has returned, and writing to it leaves
 * no mark: see domain_soft_rw().
 *
 * Context: any but NMI.
 * Return: 0; -ENOENT if nothing is mapped there; -EPERM if it may not be read, or
 * not be written.
 */
int domain_soft_translate(struct domain *domain, unsigned long iova,
			  bool write, phys_addr_t *phys)
{
	return soft_lookup(soft_of(domain), iova,
			   write ? SOFT_WRITE : SOFT_READ, phys);
}
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(domain_soft_translate);

/* ---- copying ---- */

/* Note a write; the data is in place. Not if another page is mapped by now. */
static void soft_mark(const struct soft_hit *hit)
{
	u64 entry;

	/*
	 * Pairs with soft_unmark(): either the mark that is seen here is cleared
	 * later, by somebody who sees the data then, or it is seen missing.
	 */
	smp_mb();
	entry = READ_ONCE(*hit->slot);
	while (!((entry ^ hit->entry) & ~SOFT_DIRTY) &&
	       !(entry & SOFT_DIRTY) &&
	       !try_cmpxchg(hit->slot, &entry, entry | SOFT_DIRTY))
		;
}

/* Copy what lies in one page of memory; returns the number of bytes. */
static ssize_t soft_rw_page(struct soft_domain *soft, unsigned long iova,
			    void *data, size_t length, bool write)
{
	rwlock_t *lock = soft_reader(&soft->readers);
	unsigned long irq;
	struct soft_hit hit;
	struct page *page;
	size_t offset;
	int rc;

	read_lock_irqsave(lock, irq);
	rc = soft_find(soft, iova, write ? SOFT_WRITE : SOFT_READ, &hit);
	if (rc) {
		read_unlock_irqrestore(lock, irq);
		return rc;
	}
	page = pfn_to_page(PHYS_PFN(hit.phys));
	offset = offset_in_page(hit.phys);
	length = min3(length, PAGE_SIZE - offset, hit.room);
	if (write) {
		memcpy_to_page(page, offset, data, length);
		if (READ_ONCE(soft->domain.dirty_tracking))
			soft_mark(&hit);
		domain_observe(&soft->domain, iova, length);
	} else {
		memcpy_from_page(data, page, offset, length);
	}
	read_unlock_irqrestore(lock, irq);
	return length;
}

/**
 * domain_soft_rw - copy between a buffer and memory that is mapped
 * @domain: a software domain; what is mapped in it has a struct page
 * @iova: first byte
 * @data: kernel memory
 * @length: bytes
 * @write: towards the mapped memory
 *
 * Once domain_ops.unmap and domain_ops.sync have returned, nothing is read or
 * written any more that was mapped there. Not atomic: on failure, what lies before
 * the IOVA that failed has been copied. Does not yield the CPU: a caller with very
 * much to copy does so between parts.
 *
 * Context: any but NMI; with PREEMPT_RT not in hard interrupts.
 * Return: 0; -EINVAL if @length is 0; -EOVERFLOW if the range wraps around;
 * -ENOENT if something of it is not mapped; -EPERM if it may not be read, or not be
 * written.
 */
int domain_soft_rw(struct domain *domain, unsigned long iova, void *data,
		   size_t length, bool write)
{
	unsigned long last;

	if (!length)
		return -EINVAL;
	if (check_add_overflow(iova, length - 1, &last))
		return -EOVERFLOW;
	while (length) {
		ssize_t n = soft_rw_page(soft_of(domain), iova, data, length,
					 write);

		if (n < 0)
			return n;
		iova += n;
		data += n;
		length -= n;
	}
	return 0;
}
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(domain_soft_rw);

/* ---- what was written ---- */

/**
 * domain_soft_mark - mark what an IOVA leads to as written
 * @domain: a software domain
 * @iova: the IOVA
 *
 * Context: any but NMI.
 * Return: 0, or -ENOENT if nothing is mapped there.
 */
int domain_soft_mark(struct domain *domain, unsigned long iova)
{
	rwlock_t *lock = soft_reader(&soft_of(domain)->readers);
	unsigned long irq;
	struct soft_hit hit;
	int rc;

	read_lock_irqsave(lock, irq);
	rc = soft_find(soft_of(domain), iova, 0, &hit);
	if (!rc)
		soft_mark(&hit);
	read_unlock_irqrestore(lock, irq);
	return rc;
}
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(domain_soft_mark);

/**
 * struct soft_window - Entries of one table, in a read-out
 * @first: IOVA of the first
 * @size: what each stands for
 * @nr: how many, at least 1
 * @level: of the table
 * @dirty: which are marked
 */
struct soft_window {
	unsigned long first;
	unsigned long size;
	unsigned int nr;
	unsigned int level;
	DECLARE_BITMAP(dirty, SOFT_ENTRIES);
};

/* Look at what is in one table of a range. */
static void soft_dirty_look(struct soft_domain *soft, unsigned long iova,
			    unsigned long last, struct soft_window *window)
{
	rwlock_t *lock = soft_reader(&soft->readers);
	unsigned long irq;
	unsigned int i = 0, nr;
	struct soft_path path;
	u64 entry, *slot;

	read_lock_irqsave(lock, irq);
	entry = soft_walk(soft, iova, &path);
	slot = path.slot[path.level];
	nr = soft_count(soft, iova, last, path.level);
	bitmap_zero(window->dirty, SOFT_ENTRIES);
	do {
		if (entry & SOFT_DIRTY)
			__set_bit(i, window->dirty);
		if (++i == nr)
			break;
		entry = READ_ONCE(slot[i]);
	} while (!(entry & SOFT_TABLE));
	read_unlock_irqrestore(lock, irq);

	window->level = path.level;
	window->size = soft_size(soft, path.level);
	window->first = soft_first(soft, iova, path.level);
	window->nr = i;
}

static void soft_unmark(u64 *slot)
{
	u64 entry = READ_ONCE(*slot);

	/* Pairs with soft_mark(): the memory is looked at after that. */
	while ((entry & SOFT_DIRTY) &&
	       !try_cmpxchg(slot, &entry, entry & ~SOFT_DIRTY))
		;
}

/* If there are pages of another size by now, they keep their marks. */
static void soft_dirty_clear(struct soft_domain *soft, unsigned long iova,
			     unsigned long last,
			     const struct soft_window *window)
{
	rwlock_t *lock = soft_reader(&soft->readers);
	unsigned long irq;
	struct soft_path path;
	unsigned int i;

	read_lock_irqsave(lock, irq);
	soft_walk(soft, iova, &path);
	if (path.level == window->level) {
		for_each_set_bit(i, window->dirty, window->nr) {
			unsigned long first = window->first + i * window->size;

			if (first >= iova && first + (window->size - 1) <= last)
				soft_unmark(&path.slot[path.level][i]);
		}
	}
	read_unlock_irqrestore(lock, irq);
}

/* Record what is marked; what could not be is not in the window any more. */
static int soft_dirty_record(struct soft_window *window, unsigned long iova,
			     unsigned long last,
			     int (*record)(void *opaque, unsigned long iova,
					   size_t length),
			     void *opaque)
{
	unsigned int from, to;

	for_each_set_bitrange(from, to, window->dirty, window->nr) {
		unsigned long first = window->first + from * window->size;
		unsigned long end = window->first + to * window->size - 1;
		int rc;

		first = max(first, iova);
		end = min(end, last);
		rc = record(opaque, first, end - first + 1);
		if (rc) {
			bitmap_clear(window->dirty, from, window->nr - from);
			return rc;
		}
	}
	return 0;
}

/* domain_ops.read_dirty */
int soft_read_dirty(struct domain *domain, unsigned long iova,
		    unsigned long last, unsigned int flags,
		    int (*record)(void *opaque, unsigned long iova,
				  size_t length),
		    void *opaque)
{
	struct soft_domain *soft = soft_of(domain);
	struct soft_window window;
	int rc = 0;

	last = min(last, domain->last);
	if (iova > last)
		return 0;
	for (;;) {
		soft_dirty_look(soft, iova, last, &window);
		if (record)
			rc = soft_dirty_record(&window, iova, last, record,
					       opaque);
		if (!(flags & DOMAIN_DIRTY_NO_CLEAR))
			soft_dirty_clear(soft, iova, last, &window);
		iova = window.first + window.nr * window.size;
		if (rc || iova - 1 >= last)
			return rc;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
}

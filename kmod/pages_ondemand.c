// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of a process's memory that are whatever is at the address at the moment.
 *
 * A thread of that process copies by its own page table; others copy the pages that
 * are known to be there, and have the caller find those that are not, for that may
 * take any time. Pins are as those of other memory, and do not follow the address:
 * while they last others share them, for who unpins names a range and not pages.
 */
#include <linux/iommukit.h>
#include <linux/mm.h>

#include "ondemand.h"
#include "pages.h"

static unsigned long address_of(const struct pages *pages, unsigned long offset)
{
	return pages->base + offset;
}

static int ondemand_pages_pin(struct pages *pages, unsigned long index,
			      unsigned long npages, struct page **out)
{
	int rc;

	if (READ_ONCE(pages->ondemand->dead))
		return -EIO;
	rc = pages_user_pin(pages, index, npages, out);
	if (rc)
		return rc;
	rc = ondemand_note_pins(pages->ondemand,
				address_of(pages, index * PAGE_SIZE), npages);
	if (rc)
		unpin_user_pages(out, npages);
	return rc;
}

static void ondemand_pages_unpinned(struct pages *pages, unsigned long index,
				    unsigned long npages)
{
	ondemand_drop_pins(pages->ondemand,
			   address_of(pages, index * PAGE_SIZE), npages);
}

/* Up to the end of one page, which is kept for as long as it takes. */
static int rw_by_page(struct pages *pages, unsigned long offset, void *data,
		      unsigned long *length, bool write)
{
	int rc;

	*length = min(*length, PAGE_SIZE - offset_in_page(offset));
	rc = pages_user_rw_page(pages, offset, data, *length, write);
	if (!rc)
		ondemand_count(pages->ondemand, ONDEMAND_BY_PAGE, 1);
	return rc == PAGES_RW_BY_PAGE ? -EFAULT : rc;
}

static int ondemand_pages_rw(struct pages *pages, unsigned long offset,
			     void *data, unsigned long length,
			     unsigned int flags, unsigned long *done)
{
	bool write = flags & IOMMUKIT_ACCESS_RW_WRITE;
	int rc;

	if (READ_ONCE(pages->ondemand->dead))
		return -EIO;
	rc = pages_user_rw(pages, offset, data, length, flags);
	if (rc != PAGES_RW_BY_PAGE)
		return rc;
	for (*done = 0;; cond_resched()) {
		unsigned long n = length - *done;
		unsigned long copied;

		copied = ondemand_copy(pages->ondemand,
				       address_of(pages, offset + *done),
				       data + *done, n, write);
		if (!copied) {
			if (!(flags & PAGES_RW_FLEETING))
				return PAGES_RW_ABSENT;
			flags &= ~PAGES_RW_FLEETING;
			rc = rw_by_page(pages, offset + *done, data + *done, &n,
					write);
			if (rc)
				return rc;
			copied = n;
		}
		*done += copied;
		if (*done == length)
			return 0;
	}
}

static int ondemand_pages_find(struct pages *pages, unsigned long offset,
			       unsigned long length, bool write)
{
	unsigned long address = address_of(pages, offset);
	unsigned long npages = DIV_ROUND_UP(offset_in_page(address) + length,
					    PAGE_SIZE);
	long rc = ondemand_fault(pages->ondemand, address & PAGE_MASK, npages,
				 write ? ONDEMAND_FAULT_WRITE : 0, NULL, 0);

	return min(rc, 0L);
}

static void ondemand_pages_release(struct pages *pages)
{
	if (pages->ondemand)
		ondemand_destroy(pages->ondemand);
}

static const struct pages_ops ondemand_pages_ops = {
	.pin = ondemand_pages_pin,
	.unpinned = ondemand_pages_unpinned,
	.rw = ondemand_pages_rw,
	.find = ondemand_pages_find,
	.release = ondemand_pages_release,
};

/**
 * pages_create_ondemand - create a pages object for addresses of the caller
 * @ctx: the context
 * @uva: the first one, that of a page
 * @length: bytes, whole pages; at least one
 * @writable: whether the pages may be written
 * @around: pages that are looked at around one, a power of two
 * @totals: where it is counted as well
 *
 * Context: process context, may sleep; no lock is held.
 * Return: the object; -ENOMEM; -EINTR if a signal came in between.
 */
struct pages *pages_create_ondemand(struct iommukit_ctx *ctx, unsigned long uva,
				    unsigned long length, bool writable,
				    unsigned int around,
				    struct ondemand_totals *totals)
{
	struct pages *pages = pages_alloc(ctx, &ondemand_pages_ops, uva,
					  writable);
	struct ondemand *od;

	if (!pages)
		return ERR_PTR(-ENOMEM);
	od = ondemand_create(uva, length, writable, around, totals);
	if (IS_ERR(od)) {
		pages_put(pages);
		return ERR_CAST(od);
	}
	pages->ondemand = od;
	return pages;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of a process's memory, got with get_user_pages().
 *
 * Lasting pins ask for write access whenever the pages object is writable, for
 * later users share them. When the owner's address space is gone nothing can be
 * got any more: -EFAULT. What was pinned before stays good.
 */
#include <linux/iommukit.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mmu_context.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "fail.h"
#include "pages.h"
#include "private.h"

static unsigned long user_address(struct pages *pages, unsigned long index)
{
	return pages->base + index * PAGE_SIZE;
}

/*
 * Pages that are only read, and only for now, need a reference. All others must
 * be pinned, which is counted and costs several times as much.
 */
static bool user_needs_pin(unsigned int gup_flags)
{
	return gup_flags & (FOLL_WRITE | FOLL_LONGTERM);
}

static void user_release(struct page **out, unsigned long npages,
			 unsigned int gup_flags)
{
	unsigned long i;

	if (user_needs_pin(gup_flags))
		return unpin_user_pages(out, npages);
	for (i = 0; i < npages; i++)
		put_page(out[i]);
}

/* One call of GUP for up to @npages; returns how many it got. */
static long user_gup(struct pages *pages, unsigned long index,
		     unsigned long npages, unsigned int gup_flags,
		     struct page **out)
{
	unsigned long start = user_address(pages, index);
	int locked = 1;
	bool pin = user_needs_pin(gup_flags);
	long nr;

	if (fail_point(-EFAULT))
		return -EFAULT;
	if (current->mm == pages->mm && compat_can_pin_fast(gup_flags)) {
		nr = pin ? pin_user_pages_fast(start, npages, gup_flags, out) :
			   get_user_pages_fast(start, npages, gup_flags, out);
		return nr ?: -EFAULT;
	}
	if (mmap_read_lock_killable(pages->mm))
		return -EINTR;
	nr = pin ? compat_pin_user_pages_remote(pages->mm, start, npages,
						gup_flags, out, &locked) :
		   compat_get_user_pages_remote(pages->mm, start, npages,
						gup_flags, out, &locked);
	if (locked)
		mmap_read_unlock(pages->mm);
	return nr ?: -EFAULT;
}

/* Returns PAGES_RW_BY_PAGE when the owner's address space is gone. */
static int user_gup_all(struct pages *pages, unsigned long index,
			unsigned long npages, unsigned int gup_flags,
			struct page **out)
{
	unsigned long done = 0;
	long nr = 0;

	/* At the end of all addresses GUP would speak of an overflow. */
	if (!access_ok((void __user *)user_address(pages, index),
		       npages * PAGE_SIZE))
		return -EFAULT;
	if (!mmget_not_zero(pages->mm))
		return PAGES_RW_BY_PAGE;
	while (done < npages) {
		nr = user_gup(pages, index + done, npages - done, gup_flags,
			      out + done);
		if (nr < 0)
			break;
		done += nr;
	}
	mmput(pages->mm);
	if (nr >= 0)
		return 0;
	user_release(out, done, gup_flags);
	return nr;
}

/* For those who have no other way to the pages. */
static int user_gup_or_fault(struct pages *pages, unsigned long index,
			     unsigned long npages, unsigned int gup_flags,
			     struct page **out)
{
	int rc = user_gup_all(pages, index, npages, gup_flags, out);

	return rc == PAGES_RW_BY_PAGE ? -EFAULT : rc;
}

/**
 * pages_user_pin - pages_ops.pin of memory of a process
 * @pages: the pages object
 * @index: first page
 * @npages: how many
 * @out: gets them
 *
 * Context: may sleep and fault.
 * Return: 0; -EFAULT; -EINTR; other errnos of GUP.
 */
int pages_user_pin(struct pages *pages, unsigned long index,
		   unsigned long npages, struct page **out)
{
	return user_gup_or_fault(pages, index, npages,
				 FOLL_LONGTERM |
				 (pages->writable ? FOLL_WRITE : 0), out);
}

static int user_get(struct pages *pages, unsigned long index,
		    unsigned long npages, bool write, struct page **out)
{
	return user_gup_or_fault(pages, index, npages, write ? FOLL_WRITE : 0,
				 out);
}

static void user_put(struct page **out, unsigned long npages, bool write)
{
	if (write)
		unpin_user_pages_dirty_lock(out, npages, true);
	else
		user_release(out, npages, 0);
}

static int user_copy(struct pages *pages, unsigned long offset, void *data,
		     unsigned long length, bool write)
{
	void __user *user = (void __user *)(pages->base + offset);

	while (length) {
		/* One copy takes less than 2 GiB and sees no signals. */
		unsigned long n = min_t(unsigned long, length, SZ_16M);

		if (write ? copy_to_user(user, data, n) :
			    copy_from_user(data, user, n))
			return -EFAULT;
		user += n;
		data += n;
		length -= n;
		if (length && fatal_signal_pending(current))
			return -EINTR;
	}
	return 0;
}

/* A thread may borrow an mm only if it is the kernel's and has none. */
static int user_rw_borrowed(struct pages *pages, unsigned long offset,
			    void *data, unsigned long length, bool write)
{
	int rc;

	if (!mmget_not_zero(pages->mm))
		return PAGES_RW_BY_PAGE;
	kthread_use_mm(pages->mm);
	rc = user_copy(pages, offset, data, length, write);
	kthread_unuse_mm(pages->mm);
	mmput(pages->mm);
	return rc;
}

/**
 * pages_user_rw_page - copy inside one page: what is at the address now
 * @pages: the pages object
 * @offset: first byte
 * @data: kernel memory
 * @length: bytes, not beyond the page
 * @write: towards the page
 *
 * Context: may sleep and fault.
 * Return: 0; PAGES_RW_BY_PAGE if the owner's address space is gone; an errno of GUP.
 */
int pages_user_rw_page(struct pages *pages, unsigned long offset, void *data,
		       unsigned long length, bool write)
{
	struct page *page;
	int rc;

	rc = user_gup_all(pages, offset >> PAGE_SHIFT, 1,
			  write ? FOLL_WRITE : 0, &page);
	if (rc)
		return rc;
	pages_copy(&page, offset_in_page(offset), data, length, write);
	user_put(&page, 1, write);
	return 0;
}

/**
 * pages_user_rw - copy as the process itself would, if the calling thread can
 * @pages: the pages object
 * @offset: first byte
 * @data: kernel memory
 * @length: bytes
 * @flags: as for iommukit_access_rw()
 *
 * Context: may sleep and fault.
 * Return: 0; PAGES_RW_BY_PAGE if it cannot; -EFAULT; -EINTR.
 */
int pages_user_rw(struct pages *pages, unsigned long offset, void *data,
		  unsigned long length, unsigned int flags)
{
	bool write = flags & IOMMUKIT_ACCESS_RW_WRITE;
	bool slow = flags & __IOMMUKIT_ACCESS_RW_SLOW_PATH;

	if (current->mm == pages->mm && !slow)
		return user_copy(pages, offset, data, length, write);
	if ((flags & IOMMUKIT_ACCESS_RW_KTHREAD) && !current->mm &&
	    (current->flags & PF_KTHREAD))
		return user_rw_borrowed(pages, offset, data, length, write);
	return PAGES_RW_BY_PAGE;
}

static int user_rw(struct pages *pages, unsigned long offset, void *data,
		   unsigned long length, unsigned int flags, unsigned long *done)
{
	int rc = pages_user_rw(pages, offset, data, length, flags);

	if (rc != PAGES_RW_BY_PAGE ||
	    offset_in_page(offset) + length > PAGE_SIZE)
		return rc;
	return fail_point(-EINVAL) ?:
	       pages_user_rw_page(pages, offset, data, length,
				  flags & IOMMUKIT_ACCESS_RW_WRITE);
}

static const struct pages_ops user_pages_ops = {
	.pin = pages_user_pin,
	.get = user_get,
	.put = user_put,
	.rw = user_rw,
};

/**
 * pages_create_user - create a pages object for the caller's memory
 * @ctx: the context
 * @uva: address of the first byte; nothing about it is checked yet
 * @writable: whether the pages may be written
 *
 * Context: process context, may sleep.
 * Return: the object, or -ENOMEM.
 */
struct pages *pages_create_user(struct iommukit_ctx *ctx, unsigned long uva,
				bool writable)
{
	return pages_alloc(ctx, &user_pages_ops, uva, writable) ?:
	       ERR_PTR(-ENOMEM);
}

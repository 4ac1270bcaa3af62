// SPDX-License-Identifier: GPL-2.0-only
/*
 * What drivers do with accesses: pin, unpin and copy.
 *
 * Each pin is written down with the areas and the indexes it took, so that
 * unpinning walks neither areas nor address spaces. An area cannot go while it
 * is pinned, so a pin may point at it.
 */
#include <linux/interval_tree.h>
#include <linux/iommukit.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "access.h"
#include "compat.h"
#include "fail.h"
#include "ioas.h"
#include "pages.h"
#include "private.h"
#include "test_hooks.h"
#include "trace.h"

/* ---- pinning ---- */

/**
 * access_pin_mark - mark in the log what may be written
 * @pin: the pin; the areas stay while it is there
 * @first: first IOVA of interest
 * @last: last one
 *
 * Context: any but NMI.
 */
void access_pin_mark(const struct access_pin *pin, unsigned long first,
		     unsigned long last)
{
	unsigned long iova = pin->node.start;
	unsigned int i;

	for (i = 0; pin->write && i < pin->nr && iova <= last; i++) {
		struct iova_area *area = pin->slices[i].area;
		unsigned long end = min(area->last, pin->node.last);

		if (end >= first)
			iova_area_mark(area, max(iova, first), min(end, last));
		iova = end + 1;
	}
}

/* Whether there is an area at @iova; if so, @last gets its last IOVA. */
static bool find_last(struct iova_space *space, unsigned long iova,
		      unsigned long *last)
{
	struct iova_area *area;

	rcu_read_lock();
	area = iova_space_lookup(space, iova);
	if (area)
		*last = area->last;
	rcu_read_unlock();
	return area;
}

/*
 * How many areas without a hole between them lie in [iova, last]. They may come
 * and go meanwhile: it is for the size of a pin's records only.
 */
static unsigned int count_areas(struct iova_space *space, unsigned long iova,
				unsigned long last)
{
	unsigned int nr = 0;
	unsigned long end;

	while (find_last(space, iova, &end)) {
		nr++;
		if (end >= last || fatal_signal_pending(current))
			break;
		iova = end + 1;
		cond_resched();
	}
	return nr;
}

static bool area_allows(const struct iova_area *area, unsigned int flags)
{
	bool write = flags & IOMMUKIT_ACCESS_RW_WRITE;

	return area->prot & (write ? IOVA_WRITE : IOVA_READ);
}

/* Make the part of [iova, last] in @area, which was entered, a slice of a pin. */
static int take_slice(struct pin_slice *slice, struct iova_area *area,
		      unsigned long iova, unsigned long last,
		      unsigned int flags)
{
	unsigned long start = area->offset + (iova - area->iova);
	unsigned long end = area->offset + (min(last, area->last) - area->iova);

	/* The pages of the next area must go on where this one's end. */
	if (offset_in_page(start) ||
	    (last > area->last && offset_in_page(end + 1)))
		return -EINVAL;
	slice->area = area;
	slice->first = start >> PAGE_SHIFT;
	slice->last = end >> PAGE_SHIFT;
	return area_allows(area, flags) ? 0 : -EPERM;
}

/*
 * Enter the areas of [iova, last]. Returns what is wrong after the last area
 * entered: that shows only when the pages before it are pinned, for what is
 * wrong with them goes first. 1: one was cut after they had been counted.
 */
static int take_areas(struct access_pin *pin, struct iova_space *space,
		      unsigned long iova, unsigned long last,
		      unsigned int flags)
{
	unsigned int nr = pin->nr;
	struct iova_area *area;
	int rc;

	for (pin->nr = 0; pin->nr < nr; pin->nr++) {
		area = iova_area_get(space, iova);
		if (IS_ERR(area))
			return PTR_ERR(area);
		rc = take_slice(&pin->slices[pin->nr], area, iova, last, flags);
		if (rc) {
			iova_area_idle(space, area);
			return rc;
		}
		iova = area->last + 1;
	}
	if (area->last >= last)
		return 0;
	return find_last(space, iova, &iova) ? 1 : -ENOENT;
}

static void unpin_slices(struct ioas *ioas, const struct pin_slice *slices,
			 unsigned int nr)
{
	for (; nr; nr--, slices++) {
		pages_unpin(slices->area->pages, slices->first, slices->last);
		iova_area_unpinned(&ioas->space, slices->area);
	}
}

/*
 * Take a pin of exactly this range out of the records. Which of several the driver
 * means it does not say: those for writing go last, for as long as one of them is
 * there read-outs of the log mark the range. One that another thread is just making
 * is still in its hands.
 */
static struct access_pin *take_pin(struct iommukit_access *access,
				   unsigned long iova, unsigned long last)
{
	struct access_pin *found = NULL;
	struct interval_tree_node *node;

	spin_lock(&access->pins_lock);
	for (node = interval_tree_iter_first(&access->pins, iova, iova);
	     node && (!found || found->write);
	     node = interval_tree_iter_next(node, iova, iova)) {
		struct access_pin *pin =
			container_of(node, struct access_pin, node);

		if (node->start == iova && node->last == last && pin->settled &&
		    (!found || !pin->write))
			found = pin;
	}
	if (found) {
		interval_tree_remove(&found->node, &access->pins);
		WRITE_ONCE(access->nr_pins, access->nr_pins - 1);
	}
	spin_unlock(&access->pins_lock);
	return found;
}

/* Pin the slices one after the other; on failure none is. */
static int pin_slices(struct ioas *ioas, struct access_pin *pin, int wrong,
		      struct page **out)
{
	unsigned int i;
	int rc = 0;

	for (i = 0; i < pin->nr; i++) {
		struct pin_slice *slice = &pin->slices[i];

		rc = pages_pin(slice->area->pages, slice->first, slice->last,
			       out);
		if (rc)
			break;
		atomic_inc(&slice->area->pins);
		out += slice->last - slice->first + 1;
	}
	rc = rc ?: wrong;
	if (rc)
		unpin_slices(ioas, pin->slices, i);
	return rc;
}

/* Returns 1 if it has to be tried again. */
static int try_pin(struct iommukit_access *access, struct ioas *ioas,
		   unsigned long iova, unsigned long last, struct page **out,
		   unsigned int flags)
{
	struct iova_space *space = &ioas->space;
	struct access_pin *pin;
	unsigned int i, nr;
	int rc;

	nr = count_areas(space, iova, last);
	if (fatal_signal_pending(current))
		return -EINTR;
	if (!nr)
		return -ENOENT;
	pin = fail_alloc(kvmalloc(struct_size(pin, slices, nr),
				  GFP_KERNEL_ACCOUNT | __GFP_NOWARN));
	if (!pin)
		return -ENOMEM;
	pin->node.start = iova;
	pin->node.last = last;
	pin->nr = nr;
	pin->settled = false;
	pin->write = flags & IOMMUKIT_ACCESS_RW_WRITE;
	rc = take_areas(pin, space, iova, last, flags);
	if (rc <= 0)
		rc = pin_slices(ioas, pin, rc, out);
	nr = pin->nr;
	if (!rc) {
		spin_lock(&access->pins_lock);
		interval_tree_insert(&pin->node, &access->pins);
		WRITE_ONCE(access->nr_pins, access->nr_pins + 1);
		spin_unlock(&access->pins_lock);
		access_pin_mark(pin, 0, ULONG_MAX);
	}
	/* Only now may an unmap go on: it finds the pin. */
	for (i = 0; i < nr; i++)
		iova_area_idle(space, pin->slices[i].area);
	if (rc) {
		kvfree(pin);
		return rc;
	}
	spin_lock(&access->pins_lock);
	pin->settled = true;
	spin_unlock(&access->pins_lock);
	return 0;
}

static int pin_in_ioas(struct iommukit_access *access, struct ioas *ioas,
		       unsigned long iova, unsigned long last,
		       struct page **out, unsigned int flags)
{
	int rc;

	do {
		rc = try_pin(access, ioas, iova, last, out, flags);
	} while (rc > 0);
	return rc;
}

static bool unpin_in_ioas(struct iommukit_access *access, struct ioas *ioas,
			  unsigned long iova, unsigned long last)
{
	struct access_pin *pin = take_pin(access, iova, last);

	if (!pin)
		return false;
	/* The driver's last write was before. */
	access_pin_mark(pin, 0, ULONG_MAX);
	unpin_slices(ioas, pin->slices, pin->nr);
	kvfree(pin);
	return true;
}

/**
 * iommukit_access_pin_pages - pin the pages behind a range of IOVA
 * @access: an access with needs_pin_pages
 * @iova: first IOVA; its byte must be the first of a page
 * @length: bytes; the last page may be used in part
 * @out_pages: gets the pages, DIV_ROUND_UP(@length, PAGE_SIZE) of them; the
 *	content is undefined on failure
 * @flags: IOMMUKIT_ACCESS_RW_WRITE if the pages will be written, or 0
 *
 * The pages stay what they are until iommukit_access_unpin_pages() is called
 * with the same @iova and @length, as often as they were pinned, even if the
 * process unmaps or maps something else at the address. They count against the
 * memlock limit of the process that mapped them. All or nothing.
 *
 * Context: process context, may sleep, no mmap_lock held. The lock that the
 * driver's unmap takes may be held, and should be: see "Unmapping, and the lock
 * of the driver".
 * Return: 0; -EINVAL for an access without needs_pin_pages, unknown flags, no
 * length, wrong alignment, or a mapping that is being unmapped; -EOVERFLOW if
 * the range wraps; -ENOENT if the access is not attached or the range has a
 * hole; -EPERM if the mapping does not allow it; -ENOMEM, also for the memlock
 * limit; -EFAULT if the memory or its process is not there; -EIO if the context is dead,
 * see "Dead contexts"; -EINTR on a fatal signal; other errnos of
 * get_user_pages(); through an IOTLB, those that iommukit_iotlb_translate() has when
 * it waits, and -EAGAIN.
 */
int iommukit_access_pin_pages(struct iommukit_access *access,
			      unsigned long iova, unsigned long length,
			      struct page **out_pages, unsigned int flags)
{
	unsigned long last;
	int rc;

	if (!access->ops->needs_pin_pages) {
		access_misuse(access, "pins without needs_pin_pages");
		return -EINVAL;
	}
	if ((flags & ~IOMMUKIT_ACCESS_RW_WRITE) || !length)
		return -EINVAL;
	if (check_add_overflow(iova, length - 1, &last))
		return -EOVERFLOW;
	rc = ctx_check(access->ctx);
	if (rc)
		return rc;
	if (down_read_killable(&access->lock))
		return -EINTR;
	rc = -ENOENT;
	if (access->open && access->place.stage)
		rc = access_stage_pin(access->place.stage, iova, last,
				      out_pages, flags);
	else if (access->open)
		rc = pin_in_ioas(access, access->place.ioas, iova, last,
				 out_pages, flags);
	up_read(&access->lock);
	trace_access_pin(access->ctx->id, access->obj.id, iova, length, rc);
	return rc;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_access_pin_pages);

/**
 * iommukit_access_unpin_pages - undo iommukit_access_pin_pages()
 * @access: the access that pinned
 * @iova: as pinned
 * @length: as pinned
 *
 * The caller no longer uses the pages. They are marked dirty if the memory was
 * mapped writable. Of several pins of the same range those for reading end first:
 * the log of the IOAS has the range at each read-out until the last pin for writing
 * is gone. A range that this access has not pinned is the driver's
 * mistake: it is reported, and nothing happens.
 *
 * Context: process context, may sleep, no mmap_lock held. The lock that the
 * driver's unmap takes may be held; meant to be called from unmap.
 */
void iommukit_access_unpin_pages(struct iommukit_access *access,
				 unsigned long iova, unsigned long length)
{
	struct access_place *place = &access->place;
	unsigned long last;
	bool found = false;

	if (!length || check_add_overflow(iova, length - 1, &last)) {
		access_misuse(access, "unpin of an impossible range");
		return;
	}
	down_read(&access->lock);
	if (place->stage)
		found = access_stage_unpin(place->stage, iova, last);
	else if (place->ioas)
		found = unpin_in_ioas(access, place->ioas, iova, last);
	if (found)
		trace_access_unpin(access->ctx->id, access->obj.id, iova,
				   length, 0);
	else
		access_misuse(access, "unpin of what it has not pinned");
	up_read(&access->lock);
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_access_unpin_pages);

/* ---- copying ---- */

/**
 * access_check_rw_flags - check the flags of a copy
 * @flags: as for iommukit_access_rw()
 *
 * Context: any.
 * Return: 0 or -EINVAL.
 */
int access_check_rw_flags(unsigned int flags)
{
	unsigned int known = IOMMUKIT_ACCESS_RW_WRITE |
			     IOMMUKIT_ACCESS_RW_KTHREAD;

	if (iommukit_test_present())
		known |= __IOMMUKIT_ACCESS_RW_SLOW_PATH;
	return flags & ~known ? -EINVAL : 0;
}

/*
 * Copy in the area at @iova. Pages that must be found first are found once nobody is kept
 * from unmapping the area: who provides them may do just that. Returns PAGES_RW_ABSENT
 * then, with PAGES_RW_FLEETING in @flags if they do not stay; @done gets the bytes copied.
 */
static int rw_in_area(struct iova_space *space, unsigned long iova,
		      unsigned long last, void *data, unsigned int *flags,
		      unsigned long *done)
{
	bool write = *flags & IOMMUKIT_ACCESS_RW_WRITE;
	struct iova_area *area = iova_area_get(space, iova);
	struct pages *pages = NULL;
	unsigned long offset, n;
	int rc = -EPERM;

	if (IS_ERR(area))
		return PTR_ERR(area);
	offset = area->offset + (iova - area->iova);
	n = min(last, area->last) - iova + 1;
	*done = n;
	if (area_allows(area, *flags)) {
		rc = pages_rw(area->pages, offset, data, n, *flags, done);
		/* Also if it failed: a part may be written. */
		if (write && *done)
			iova_area_mark(area, iova, iova + *done - 1);
	}
	if (rc == PAGES_RW_ABSENT) {
		pages = area->pages;
		refcount_inc(&pages->refs);
	}
	iova_area_idle(space, area);
	if (pages) {
		rc = pages_find(pages, offset + *done, n - *done, write);
		pages_put(pages);
		if (rc == -EAGAIN)
			*flags |= PAGES_RW_FLEETING;
		if (!rc || rc == -EAGAIN)
			rc = PAGES_RW_ABSENT;
	}
	return rc;
}

/* So often pages may go again before they are copied. */
#define FLEETING_MIN 8

static int rw_in_ioas(struct iova_space *space, unsigned long iova,
		      unsigned long last, void *data, unsigned int flags)
{
	unsigned int fruitless = 0;

	for (;;) {
		unsigned long n;
		int rc = rw_in_area(space, iova, last, data, &flags, &n);

		if (rc < 0)
			return rc;
		if (n == last - iova + 1)
			return 0;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		fruitless = n ? 0 : fruitless + 1;
		if (n)
			flags &= ~PAGES_RW_FLEETING;
		else if (fruitless >= FLEETING_MIN)
			flags |= PAGES_RW_FLEETING;
		data += n;
		iova += n;
	}
}

/**
 * iommukit_access_rw - copy between a buffer and the memory behind IOVA
 * @access: the access
 * @iova: first IOVA; no alignment is needed
 * @data: kernel memory that is legal for user copies: not inside an object of
 *	a slab cache without a usercopy window, not beyond an object's end.
 *	Some paths check that and stop the kernel, others do not.
 * @length: bytes
 * @flags: IOMMUKIT_ACCESS_RW_READ (memory to @data), IOMMUKIT_ACCESS_RW_WRITE
 *	(@data to memory); with IOMMUKIT_ACCESS_RW_KTHREAD a kernel thread that
 *	has no mm borrows that of the process, in other threads it is ignored
 *
 * Not atomic: a hole or an error further on leaves a part copied that is not
 * reported. After a failed read treat all of @data as garbage. Nothing stays
 * pinned and nothing is charged.
 *
 * Context: process context, may sleep, no mmap_lock held. The lock that the
 * driver's unmap takes may be held.
 * Return: 0; -EINVAL for unknown flags, no length, or a mapping that is being
 * unmapped; -EOVERFLOW if the range wraps; -ENOENT if the access is not
 * attached or the range has a hole; -EPERM if the mapping does not allow it;
 * -EFAULT if the memory or its process is not there; -EIO if the context is dead, see
 * "Dead contexts"; -ENOMEM; -EINTR on a fatal signal; other errnos of
 * get_user_pages(); through an IOTLB, those that iommukit_iotlb_translate() has when
 * it waits, and -EAGAIN.
 */
int iommukit_access_rw(struct iommukit_access *access, unsigned long iova,
		       void *data, size_t length, unsigned int flags)
{
	unsigned long last;
	int rc;

	if (!length)
		return -EINVAL;
	if (check_add_overflow(iova, length - 1, &last))
		return -EOVERFLOW;
	rc = access_check_rw_flags(flags) ?: ctx_check(access->ctx);
	if (rc)
		return rc;
	if (down_read_killable(&access->lock))
		return -EINTR;
	rc = -ENOENT;
	if (access->open && access->place.stage)
		rc = access_stage_rw(access->place.stage, iova, data, length,
				     flags);
	else if (access->open)
		rc = rw_in_ioas(&access->place.ioas->space, iova, last, data,
				flags);
	/* One instruction, or nearly: that may lose one now and then. */
	if (!rc)
		raw_cpu_inc(*access->copies);
	up_read(&access->lock);
	return rc;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_access_rw);

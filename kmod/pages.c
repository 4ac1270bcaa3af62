// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages objects: life, charging, pinned segments, copying by page.
 *
 * Segments hold what is pinned. A pin that begins or ends inside a segment cuts
 * it, so a segment always lies inside or outside of any pin, and its count is
 * the number of pins that cover it. Unpinning the exact range of a pin finds
 * the cuts in place and needs no memory. Segments are bounded, so that cutting
 * one is cheap and getting one neither hogs the CPU nor outlasts a signal.
 *
 * Pages are got without pages.lock held, for the owner's memory may take any
 * time to appear. Whoever comes back second finds the first one's segment and
 * uses that.
 */
#include "netlink.h"
#include "pages.h"

#include <linux/highmem.h>
#include <linux/interval_tree.h>
#include <linux/iommukit.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "context.h"
#include "fail.h"
#include "private.h"
#include "runs.h"

#define PAGES_BATCH_MAX 32U

/* A segment is within a stretch of this many pages, aligned by address. */
#define SEGMENT_PAGES (SZ_16M / PAGE_SIZE)

/* A segment of huge pages has no more runs: it need not be gone through twice. */
#define RUNS_FEW 8

static struct kmem_cache *pages_cache;

/* Pages that one step of a copy by page takes; the test module lowers it. */
static unsigned int pages_batch = PAGES_BATCH_MAX;

/**
 * struct pages_segment - Pinned pages that the same pins cover
 * @node: the range of indexes
 * @pins: how many pins cover it
 * @next: for collecting segments to be freed
 * @runs: the page frames
 */
struct pages_segment {
	struct interval_tree_node node;
	unsigned long pins;
	struct pages_segment *next;
	struct pfn_runs runs;
};

/* ---- charging ---- */

static int charge_user(struct pages *pages, unsigned long npages)
{
	unsigned long limit = task_rlimit(pages->task, RLIMIT_MEMLOCK) >>
			      PAGE_SHIFT;
	long now = atomic_long_read(&pages->user->locked_vm);

	do {
		if (now + npages > limit)
			return -ENOMEM;
	} while (!atomic_long_try_cmpxchg(&pages->user->locked_vm, &now,
					  now + npages));
	return 0;
}

static int charge_mm(struct pages *pages, unsigned long npages)
{
	int rc = -EINTR;

	if (!mmget_not_zero(pages->mm))
		return -EINVAL;
	if (!mmap_write_lock_killable(pages->mm)) {
		rc = __account_locked_vm(pages->mm, npages, true, pages->task,
					 false);
		mmap_write_unlock(pages->mm);
	}
	mmput(pages->mm);
	return rc;
}

/* An address space that is gone has no count to correct any more. */
static void uncharge_mm(struct pages *pages, unsigned long npages)
{
	if (!mmget_not_zero(pages->mm))
		return;
	mmap_write_lock(pages->mm);
	__account_locked_vm(pages->mm, npages, false, pages->task, false);
	mmap_write_unlock(pages->mm);
	mmput(pages->mm);
}

/*
 * Charging comes after getting the pages, since who comes second must not be
 * charged. The limit is exceeded by at most one segment meanwhile.
 */
static int pages_charge(struct pages *pages, unsigned long npages)
{
	int rc = fail_point(-ENOMEM);

	if (rc)
		return rc;
	if (pages->account == PAGES_ACCOUNT_USER)
		rc = charge_user(pages, npages);
	else if (pages->account == PAGES_ACCOUNT_MM)
		rc = charge_mm(pages, npages);
	if (rc == -ENOMEM)
		netlink_context_limit(pages->ctx,
				      pages->account == PAGES_ACCOUNT_MM ?
					      IOMMUKIT_NL_ACCOUNT_MM :
					      IOMMUKIT_NL_ACCOUNT_USER,
				      (u64)npages << PAGE_SHIFT);
	if (rc)
		return rc;
	atomic64_add(npages, &pages->mm->pinned_vm);
	atomic_long_add(npages, &pages->ctx->npinned);
	return 0;
}

static void pages_uncharge(struct pages *pages, unsigned long npages)
{
	atomic_long_sub(npages, &pages->ctx->npinned);
	atomic64_sub(npages, &pages->mm->pinned_vm);
	if (pages->account == PAGES_ACCOUNT_USER)
		atomic_long_sub(npages, &pages->user->locked_vm);
	else if (pages->account == PAGES_ACCOUNT_MM)
		uncharge_mm(pages, npages);
}

/* ---- segments ---- */

static unsigned long segment_npages(const struct pages_segment *seg)
{
	return seg->node.last - seg->node.start + 1;
}

static struct pages_segment *segment_alloc(unsigned long nr_runs)
{
	return fail_alloc(kvmalloc(sizeof(struct pages_segment) +
					   nr_runs * sizeof(struct pfn_run),
				   GFP_KERNEL_ACCOUNT));
}

/* The lowest segment that intersects a range. */
static struct pages_segment *segment_first(struct pages *pages,
					   unsigned long first,
					   unsigned long last)
{
	struct interval_tree_node *node;

	lockdep_assert_held(&pages->lock);
	node = interval_tree_iter_first(&pages->segments, first, last);
	return node ? container_of(node, struct pages_segment, node) : NULL;
}

/* Let go of the pages as well. */
static void segment_free(struct pages *pages, struct pages_segment *seg,
			 bool dirty)
{
	if (pages->ops->unpinned)
		pages->ops->unpinned(pages, seg->node.start,
				     segment_npages(seg));
	runs_unpin(&seg->runs, dirty);
	kvfree(seg);
}

/* Get pages and describe them; nothing is charged yet. */
static struct pages_segment *segment_create(struct pages *pages,
					    unsigned long first,
					    unsigned long last,
					    struct page **out)
{
	unsigned long npages = last - first + 1;
	struct pfn_run few[RUNS_FEW];
	struct pages_segment *seg;
	unsigned long nr;
	int rc;

	rc = pages->ops->pin(pages, first, npages, out);
	if (rc)
		return ERR_PTR(rc);
	nr = runs_scan(first, out, npages, few, RUNS_FEW);
	seg = segment_alloc(nr);
	if (!seg) {
		if (pages->ops->unpinned)
			pages->ops->unpinned(pages, first, npages);
		unpin_user_pages(out, npages);
		return ERR_PTR(-ENOMEM);
	}
	seg->node.start = first;
	seg->node.last = last;
	seg->pins = 1;
	seg->runs.last = last;
	seg->runs.nr = nr;
	if (nr <= RUNS_FEW)
		memcpy(seg->runs.run, few, nr * sizeof(*few));
	else
		runs_scan(first, out, npages, seg->runs.run, nr);
	return seg;
}

/*
 * Charge for a new segment and make it known. -EAGAIN if somebody was faster:
 * theirs are the pages then, and theirs is the charge.
 */
static int segment_add(struct pages *pages, struct pages_segment *seg)
{
	int rc;

	lockdep_assert_held(&pages->lock);
	if (segment_first(pages, seg->node.start, seg->node.last))
		return -EAGAIN;
	rc = fail_point(-EINVAL) ?: pages_charge(pages, segment_npages(seg));
	if (!rc)
		interval_tree_insert(&seg->node, &pages->segments);
	return rc;
}

static struct pages_segment *segment_slice(const struct pages_segment *seg,
					   unsigned long first,
					   unsigned long last)
{
	struct pages_segment *slice;

	slice = segment_alloc(runs_slice_count(&seg->runs, first, last));
	if (!slice)
		return NULL;
	slice->node.start = first;
	slice->node.last = last;
	slice->pins = seg->pins;
	runs_slice(&seg->runs, first, last, &slice->runs);
	return slice;
}

/*
 * One more pin on the part of a segment that lies in [first, last]. If that is
 * not all of it, the segment gives way to two or three that are.
 */
static struct pages_segment *segment_pin(struct pages *pages,
					 struct pages_segment *seg,
					 unsigned long first,
					 unsigned long last)
{
	struct pages_segment *before = NULL, *part, *after = NULL;

	lockdep_assert_held(&pages->lock);
	first = max(first, seg->node.start);
	last = min(last, seg->node.last);
	if (first == seg->node.start && last == seg->node.last) {
		seg->pins++;
		return seg;
	}

	part = segment_slice(seg, first, last);
	if (first > seg->node.start)
		before = segment_slice(seg, seg->node.start, first - 1);
	if (last < seg->node.last)
		after = segment_slice(seg, last + 1, seg->node.last);
	if (!part || (first > seg->node.start && !before) ||
	    (last < seg->node.last && !after)) {
		kvfree(part);
		kvfree(before);
		kvfree(after);
		return NULL;
	}
	interval_tree_remove(&seg->node, &pages->segments);
	kvfree(seg);
	interval_tree_insert(&part->node, &pages->segments);
	if (before)
		interval_tree_insert(&before->node, &pages->segments);
	if (after)
		interval_tree_insert(&after->node, &pages->segments);
	part->pins++;
	return part;
}

/*
 * Where a segment beginning at @index has to end: not beyond what one step of
 * getting pages may take, nor in the midst of a huge page.
 */
static unsigned long segment_limit(const struct pages *pages,
				   unsigned long index)
{
	unsigned long base = pages->base >> PAGE_SHIFT;

	return ((base + index) | (SEGMENT_PAGES - 1)) - base;
}

/**
 * pages_pin - pin a range of pages
 * @pages: the pages object
 * @first: index of the first page
 * @last: index of the last page
 * @out: gets the pages, last - first + 1 of them; NULL if pages_walk() will do
 *
 * Pages that are pinned already are shared. All or nothing; on failure the
 * content of @out is undefined.
 *
 * Context: may sleep and fault in the owner's memory.
 * Return: 0; -ENOMEM, also if RLIMIT_MEMLOCK would be exceeded; -EFAULT if the
 * memory or its owner is not there; -EINVAL if file pages shall be charged to
 * an mm that is gone; -EINTR on a fatal signal; other errnos of
 * get_user_pages().
 */
int pages_pin(struct pages *pages, unsigned long first, unsigned long last,
	      struct page **out)
{
	struct page **scratch = NULL;
	unsigned long index = first;
	struct pages_segment *seg;
	unsigned long end;
	int rc = 0;

	if (!out) {
		scratch = fail_alloc(kvmalloc_array(min(last - first + 1,
							SEGMENT_PAGES),
						    sizeof(*scratch),
						    GFP_KERNEL_ACCOUNT));
		if (!scratch)
			return -ENOMEM;
	}
	mutex_lock(&pages->lock);
	while (index <= last && !rc) {
		seg = segment_first(pages, index, last);
		if (seg && seg->node.start <= index) {
			seg = segment_pin(pages, seg, index, last);
			if (!seg) {
				rc = -ENOMEM;
				break;
			}
			end = seg->node.last;
			if (out)
				runs_to_pages(&seg->runs, index, end,
					      out + (index - first));
			index = end + 1;
			continue;
		}

		end = min(seg ? seg->node.start - 1 : last,
			  segment_limit(pages, index));
		mutex_unlock(&pages->lock);
		seg = segment_create(pages, index, end,
				     scratch ?: out + (index - first));
		mutex_lock(&pages->lock);
		if (IS_ERR(seg)) {
			rc = PTR_ERR(seg);
			break;
		}
		rc = segment_add(pages, seg);
		if (!rc) {
			index = end + 1;
			continue;
		}
		segment_free(pages, seg, false);
		if (rc == -EAGAIN)
			rc = 0;
	}
	mutex_unlock(&pages->lock);
	kvfree(scratch);

	/* Others may have shared and written what is given back here. */
	if (rc && index > first)
		pages_unpin(pages, first, index - 1);
	return rc;
}

/**
 * pages_unpin - undo pages_pin()
 * @pages: the pages object
 * @first: index of the first page
 * @last: index of the last page; together exactly as pinned
 *
 * Pages that no pin covers any more are marked dirty, if they are writable, and
 * unpinned.
 *
 * Context: may sleep. Cannot fail.
 */
void pages_unpin(struct pages *pages, unsigned long first, unsigned long last)
{
	struct pages_segment *seg, *unused = NULL;
	unsigned long index = first, npages;

	mutex_lock(&pages->lock);
	while (index <= last) {
		seg = segment_first(pages, index, last);
		if (WARN_ON_ONCE(!seg || seg->node.start != index ||
				 seg->node.last > last))
			break;
		index = seg->node.last + 1;
		if (--seg->pins)
			continue;
		interval_tree_remove(&seg->node, &pages->segments);
		seg->next = unused;
		unused = seg;
	}
	mutex_unlock(&pages->lock);

	while (unused) {
		seg = unused;
		unused = seg->next;
		npages = segment_npages(seg);
		segment_free(pages, seg, pages->writable);
		pages_uncharge(pages, npages);
		cond_resched();
	}
}

/* The part of one segment; returns what @fn returns. */
static int segment_walk(const struct pages_segment *seg, unsigned long first,
			unsigned long last, pages_run_fn fn, void *opaque)
{
	unsigned long i = runs_find(&seg->runs, first);
	int rc = 0;

	for (; first <= last && !rc; i++) {
		const struct pfn_run *run = &seg->runs.run[i];
		unsigned long end = min(run_last(&seg->runs, i), last);

		rc = fn(opaque, first, run->pfn + (first - run->index),
			end - first + 1);
		first = end + 1;
	}
	return rc;
}

/**
 * pages_walk - go through the page frames of a range
 * @pages: the pages object
 * @first: index of the first page
 * @last: index of the last page; the caller has the range pinned
 * @fn: called for each run of consecutive frames, ascending
 * @opaque: its argument
 *
 * Context: may sleep. @fn is called with pages.lock held.
 * Return: 0, or what @fn returned if that was not 0, which ends the walk.
 */
int pages_walk(struct pages *pages, unsigned long first, unsigned long last,
	       pages_run_fn fn, void *opaque)
{
	int rc = 0;

	while (first <= last && !rc) {
		struct pages_segment *seg;
		unsigned long end;

		/* Not longer than for one segment: others want to pin. */
		mutex_lock(&pages->lock);
		seg = segment_first(pages, first, first);
		if (WARN_ON_ONCE(!seg)) {
			mutex_unlock(&pages->lock);
			return -EFAULT;
		}
		end = min(seg->node.last, last);
		rc = segment_walk(seg, first, end, fn, opaque);
		mutex_unlock(&pages->lock);
		first = end + 1;
		cond_resched();
	}
	return rc;
}

/* ---- copying ---- */

/**
 * pages_copy - copy between a buffer and pages
 * @pages: the pages
 * @offset: first byte, in the first page
 * @data: the buffer
 * @length: bytes
 * @write: towards the pages
 *
 * Context: any.
 */
void pages_copy(struct page **pages, unsigned long offset, void *data,
		unsigned long length, bool write)
{
	while (length) {
		unsigned long n = min(length, PAGE_SIZE - offset);

		if (write)
			memcpy_to_page(*pages, offset, data, n);
		else
			memcpy_from_page(data, *pages, offset, n);
		pages++;
		offset = 0;
		data += n;
		length -= n;
	}
}

/*
 * Copy up to one batch. Pages that are pinned are taken from where they are
 * recorded, the lock keeping them pinned; others are got for the moment.
 * Returns the number of bytes copied or an errno.
 */
static long pages_rw_batch(struct pages *pages, unsigned long offset,
			   void *data, unsigned long length, bool write)
{
	unsigned long index = offset >> PAGE_SHIFT;
	unsigned long in_page = offset_in_page(offset);
	unsigned long npages = min_t(unsigned long, READ_ONCE(pages_batch),
				     DIV_ROUND_UP(in_page + length, PAGE_SIZE));
	struct page *batch[PAGES_BATCH_MAX];
	struct pages_segment *seg;
	int rc;

	mutex_lock(&pages->lock);
	seg = segment_first(pages, index, index + npages - 1);
	if (seg && seg->node.start <= index) {
		npages = min(npages, seg->node.last - index + 1);
		length = min(length, npages * PAGE_SIZE - in_page);
		runs_to_pages(&seg->runs, index, index + npages - 1, batch);
		pages_copy(batch, in_page, data, length, write);
		mutex_unlock(&pages->lock);
		return length;
	}
	if (seg)
		npages = seg->node.start - index;
	mutex_unlock(&pages->lock);

	length = min(length, npages * PAGE_SIZE - in_page);
	rc = pages->ops->get(pages, index, npages, write, batch);
	if (rc)
		return rc;
	pages_copy(batch, in_page, data, length, write);
	pages->ops->put(batch, npages, write);
	return length;
}

/**
 * pages_rw - copy between a buffer and the memory of a pages object
 * @pages: the pages object; writable if written
 * @offset: first byte
 * @data: kernel memory that is legal for user copies
 * @length: bytes, at least 1
 * @flags: as for iommukit_access_rw(); PAGES_RW_FLEETING
 * @done: gets the bytes that are copied if more pages must be found
 *
 * Not atomic: on failure an unknown part has been copied.
 *
 * Context: may sleep and fault in the owner's memory.
 * Return: 0; PAGES_RW_ABSENT: pages_find() for the rest, then copy that; an errno as
 * pages_pin().
 */
int pages_rw(struct pages *pages, unsigned long offset, void *data,
	     unsigned long length, unsigned int flags, unsigned long *done)
{
	if (pages->ops->rw) {
		int rc = pages->ops->rw(pages, offset, data, length, flags,
					done);

		if (rc != PAGES_RW_BY_PAGE)
			return rc;
	}
	while (length) {
		long n = pages_rw_batch(pages, offset, data, length,
					flags & IOMMUKIT_ACCESS_RW_WRITE);

		if (n < 0)
			return n;
		offset += n;
		data += n;
		length -= n;
		cond_resched();
	}
	return 0;
}

/**
 * pages_find - have the pages found that pages_rw() lacks
 * @pages: a pages object of which it returned PAGES_RW_ABSENT
 * @offset: first byte that was not copied
 * @length: bytes that are left; not all of their pages need be found at once
 * @write: they will be written
 *
 * Context: may sleep and fault in the owner's memory, which may wait for user space; so
 * nothing is held that would be in its way.
 * Return: 0; -EAGAIN if they do not stay found; an errno as pages_pin().
 */
int pages_find(struct pages *pages, unsigned long offset, unsigned long length,
	       bool write)
{
	return pages->ops->find(pages, offset, length, write);
}

/**
 * pages_set_batch - limit the pages that one step of a copy takes
 * @npages: limit; at least 1 and at most PAGES_BATCH_MAX are taken
 */
void pages_set_batch(unsigned int npages)
{
	WRITE_ONCE(pages_batch, clamp(npages, 1U, PAGES_BATCH_MAX));
}

/* ---- life ---- */

/**
 * pages_alloc - create a pages object of the calling process
 * @ctx: the context; its accounting mode is latched
 * @ops: the backing
 * @start: first byte: user address or offset in the file
 * @writable: whether the pages may be written
 *
 * Context: process context, may sleep.
 * Return: the object with one reference, or NULL.
 */
struct pages *pages_alloc(struct iommukit_ctx *ctx, const struct pages_ops *ops,
			  unsigned long start, bool writable)
{
	struct pages *pages = fail_alloc(kmem_cache_zalloc(pages_cache,
							   GFP_KERNEL));

	if (!pages)
		return NULL;
	pages->ops = ops;
	pages->ctx = ctx;
	context_get(ctx);
	refcount_set(&pages->refs, 1);
	if (capable(CAP_IPC_LOCK))
		pages->account = PAGES_ACCOUNT_NONE;
	else if (READ_ONCE(ctx->account_mm))
		pages->account = PAGES_ACCOUNT_MM;
	else
		pages->account = PAGES_ACCOUNT_USER;
	pages->writable = writable;
	pages->base = start & PAGE_MASK;
	pages->mm = current->mm;
	mmgrab(pages->mm);
	pages->task = get_task_struct(current->group_leader);
	pages->user = get_uid(current_user());
	mutex_init(&pages->lock);
	pages->segments = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&pages->lost);
	return pages;
}

/**
 * pages_put - drop a reference
 * @pages: the pages object; nothing of it is pinned when the last one goes
 */
void pages_put(struct pages *pages)
{
	if (!refcount_dec_and_test(&pages->refs))
		return;
	WARN_ON(!RB_EMPTY_ROOT(&pages->segments.rb_root));
	if (pages->ops->release)
		pages->ops->release(pages);
	mutex_destroy(&pages->lock);
	free_uid(pages->user);
	put_task_struct(pages->task);
	mmdrop(pages->mm);
	context_put(pages->ctx);
	kmem_cache_free(pages_cache, pages);
}

/* What domains have kept, and what protects the list */
static LIST_HEAD(lost_pages);
static DEFINE_SPINLOCK(lost_lock);

/**
 * pages_lose - keep pages, for a device may reach some of them for ever
 * @pages: the pages object
 *
 * What is pinned now and not unpinned stays pinned until the module goes, when no
 * domain is left that could lead there.
 *
 * Context: any but interrupts.
 */
void pages_lose(struct pages *pages)
{
	spin_lock(&lost_lock);
	if (list_empty(&pages->lost)) {
		refcount_inc(&pages->refs);
		list_add(&pages->lost, &lost_pages);
	}
	spin_unlock(&lost_lock);
}

/* Nobody is left. A range may be pinned several times. */
static void free_lost_pages(void)
{
	struct pages *pages, *next;
	struct pages_segment *seg;

	list_for_each_entry_safe(pages, next, &lost_pages, lost) {
		for (;;) {
			unsigned long first, last;

			mutex_lock(&pages->lock);
			seg = segment_first(pages, 0, ULONG_MAX);
			if (seg) {
				first = seg->node.start;
				last = seg->node.last;
			}
			mutex_unlock(&pages->lock);
			if (!seg)
				break;
			pages_unpin(pages, first, last);
		}
		pages_put(pages);
	}
}

int pages_cache_create(void)
{
	pages_cache = kmem_cache_create("iommukit_pages", sizeof(struct pages),
					0, SLAB_ACCOUNT, NULL);
	return pages_cache ? 0 : -ENOMEM;
}

void pages_cache_destroy(void)
{
	free_lost_pages();
	kmem_cache_destroy(pages_cache);
}

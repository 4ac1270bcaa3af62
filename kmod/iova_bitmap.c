// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOVA bitmaps: ranges of IOVA, recorded as bits in the memory of a process or of
 * the kernel. What users must know is in <linux/iommukit.h>.
 *
 * Inside, a bit goes by its position: its distance, in bits, from the start of the
 * page that holds the first byte of the bitmap. Pages and words are then found by
 * shifting, however the bitmap is aligned, and words are aligned and never cross a
 * page. A word that becomes all ones is stored; into any other the bits are ORed
 * atomically, which loses no store of anybody to any byte of it, be that byte the
 * bitmap's or a neighbour's.
 *
 * The window is the part of the user's memory that is pinned. The run is what was
 * recorded last and is not written yet. It lies in the window, so writing it needs
 * nothing that could fail, and a record that returned 0 is safe.
 */
#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/iommukit.h>
#include <linux/highmem.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "fail.h"
#include "iova_bitmap.h"
#include "words.h"

#define PAGE_BITS (PAGE_SIZE * BITS_PER_BYTE)

/* Windows: the smallest, which need no allocation, and the largest */
#define WINDOW_PAGES_MIN 16
#define WINDOW_PAGES_MAX 512

/* There is no run: nothing follows it. */
#define NO_RUN ULONG_MAX

/**
 * struct iommukit_iova_bitmap - One range of IOVA and where its bits are
 * @run: the run; its iova is NO_RUN if there is none. First member.
 * @args: as given, but for the address of the user's memory: see @base
 * @last: last IOVA
 * @shift: log2 of the page size
 * @first: position of the first bit
 * @end: position behind the last bit
 * @base: address of position 0 in user memory
 * @mm: whose memory that is
 * @error: the first one, sticky
 * @iterating: in for_each
 * @win_first: position at which the window begins
 * @win_end: position behind it; equal to @win_first if none is open
 * @win_iova: first IOVA that it has a bit for; the last one is @run.limit
 * @over_first: PREPIN: lowest position of the records that touch the window, at
 *	most @win_first
 * @over_end: position behind the highest, at least @win_end
 * @next: number of the page behind the latest window
 * @want: pages that it should have had
 * @npages: pages of the window
 * @pages: these, in @few or in an array of args.window_pages
 * @few: room for small windows
 * @stats: what was done
 */
struct iommukit_iova_bitmap {
	struct iommukit_iova_bitmap_run run;
	struct iommukit_iova_bitmap_args args;
	unsigned long last;
	unsigned int shift;
	unsigned long first;
	unsigned long end;
	unsigned long base;
	struct mm_struct *mm;
	int error;
	bool iterating;
	unsigned long win_first;
	unsigned long win_end;
	unsigned long win_iova;
	unsigned long over_first;
	unsigned long over_end;
	unsigned long next;
	unsigned int want;
	unsigned int npages;
	struct page **pages;
	struct page *few[WINDOW_PAGES_MIN];
	struct iova_bitmap_stats stats;
};

static unsigned long position(const struct iommukit_iova_bitmap *bitmap,
			      unsigned long iova)
{
	return bitmap->first + ((iova - bitmap->args.iova) >> bitmap->shift);
}

/* First IOVA of the granule at a position */
static unsigned long granule(const struct iommukit_iova_bitmap *bitmap,
			     unsigned long at)
{
	return bitmap->args.iova + ((at - bitmap->first) << bitmap->shift);
}

/* Bytes of IOVA from one position up to another; the last granule may be short. */
static size_t granules_length(const struct iommukit_iova_bitmap *bitmap,
			      unsigned long at, unsigned long end)
{
	unsigned long last = granule(bitmap, end - 1) +
			     (BIT(bitmap->shift) - 1);

	return min(last, bitmap->last) - granule(bitmap, at) + 1;
}

/* ---- words ---- */

#ifdef __BIG_ENDIAN
#error "which byte of a word holds a bit is different: an unaligned bitmap needs more"
#endif

/* ---- run and window ---- */

/* All in one word */
static __always_inline void word_write(struct iommukit_iova_bitmap *bitmap,
				       unsigned long at, unsigned long end)
{
	unsigned long offset = at - bitmap->win_first;
	unsigned long *words = kmap_local_page(bitmap->pages[offset / PAGE_BITS]);

	word_or(&words[offset % PAGE_BITS / BITS_PER_LONG],
		(~0UL >> (BITS_PER_LONG - (end - at))) << at % BITS_PER_LONG);
	kunmap_local(words);
}

static void run_flush(struct iommukit_iova_bitmap *bitmap)
{
	unsigned long at, end;

	if (bitmap->run.iova == NO_RUN)
		return;
	at = position(bitmap, bitmap->run.iova);
	end = position(bitmap, bitmap->run.last) + 1;
	bitmap->run.iova = NO_RUN;
	bitmap->run.last = 0;
	/* Strays need not look for the ends of pages. */
	if (at / BITS_PER_LONG == (end - 1) / BITS_PER_LONG) {
		word_write(bitmap, at, end);
		return;
	}
	while (at < end) {
		unsigned long page = at / PAGE_BITS;
		unsigned long stop = min(end, (page + 1) * PAGE_BITS);
		void *words = kmap_local_page(bitmap->pages[page - bitmap->win_first / PAGE_BITS]);

		words_set(words, at % PAGE_BITS, stop - page * PAGE_BITS);
		kunmap_local(words);
		at = stop;
	}
}

/* The new run, inside the window */
static void run_set(struct iommukit_iova_bitmap *bitmap, unsigned long iova,
		    unsigned long last)
{
	run_flush(bitmap);
	bitmap->run.iova = iova;
	bitmap->run.last = last;
}

/* The same, of the granules from one position up to another */
static void run_set_granules(struct iommukit_iova_bitmap *bitmap,
			     unsigned long at, unsigned long end)
{
	unsigned long iova = granule(bitmap, at);

	run_set(bitmap, iova, iova + (granules_length(bitmap, at, end) - 1));
}

static int keep_error(struct iommukit_iova_bitmap *bitmap, int error)
{
	/* Without a run every record comes to where the error is looked at. */
	run_flush(bitmap);
	if (!bitmap->error)
		bitmap->error = error;
	return error;
}

static void window_close(struct iommukit_iova_bitmap *bitmap)
{
	run_flush(bitmap);
	/* What was written behind the page tables' back may be clean there. */
	unpin_user_pages_dirty_lock(bitmap->pages, bitmap->npages, true);
	bitmap->npages = 0;
	bitmap->win_first = 0;
	bitmap->win_end = 0;
	bitmap->win_iova = NO_RUN;
	bitmap->run.limit = 0;
}

/* Choose how many pages to pin, so that sequences pin many and strays few. */
static unsigned int window_want(struct iommukit_iova_bitmap *bitmap,
				unsigned long page)
{
	unsigned int want = WINDOW_PAGES_MIN;
	struct page **many;

	if (bitmap->args.flags & IOMMUKIT_IOVA_BITMAP_PREPIN)
		want = WINDOW_PAGES_MAX;
	else if (page == bitmap->next)
		want = 2 * bitmap->want;
	want = min(want, bitmap->args.window_pages);
	if (want <= WINDOW_PAGES_MIN || bitmap->pages != bitmap->few)
		return want;
	many = kmalloc_array(bitmap->args.window_pages, sizeof(*many),
			     GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!many)
		return WINDOW_PAGES_MIN;
	bitmap->pages = many;
	return want;
}

static long window_pin(struct iommukit_iova_bitmap *bitmap, unsigned long first,
		       unsigned long end)
{
	return pin_user_pages_fast(bitmap->base + first * PAGE_SIZE,
				   end - first, FOLL_WRITE, bitmap->pages);
}

/*
 * Close the window and open one that holds a position. It lies at a multiple of
 * its size, so that a sequence in either direction stays in it for long.
 */
static int window_open(struct iommukit_iova_bitmap *bitmap, unsigned long at)
{
	unsigned long page = at / PAGE_BITS;
	unsigned long first, end;
	long nr;

	window_close(bitmap);
	cond_resched();
	if (fatal_signal_pending(current))
		return -EINTR;
	/* It is the caller's memory that will be pinned. */
	if (current->mm != bitmap->mm)
		return -EINVAL;
	if (fail_point(-EFAULT))
		return -EFAULT;
	bitmap->want = window_want(bitmap, page);
	first = page - page % bitmap->want;
	end = min(first + bitmap->want, DIV_ROUND_UP(bitmap->end, PAGE_BITS));
	if (page == bitmap->next)
		first = page;
	nr = window_pin(bitmap, first, end);
	if (first < page && nr <= (long)(page - first)) {
		/* A page in front is missing, but it is not needed. */
		if (nr > 0)
			unpin_user_pages(bitmap->pages, nr);
		first = page;
		nr = window_pin(bitmap, first, end);
	}
	if (nr <= 0)
		return nr == -ENOMEM || nr == -EINTR ? nr : -EFAULT;
	bitmap->next = first + nr;
	bitmap->npages = nr;
	bitmap->win_first = first * PAGE_BITS;
	bitmap->win_end = min(bitmap->next * PAGE_BITS, bitmap->end);
	at = max(bitmap->win_first, bitmap->first);
	bitmap->win_iova = granule(bitmap, at);
	bitmap->run.limit = bitmap->win_iova +
			   (granules_length(bitmap, at, bitmap->win_end) - 1);
	bitmap->stats.windows++;
	bitmap->stats.pages += nr;
	return 0;
}

static bool window_holds(const struct iommukit_iova_bitmap *bitmap,
			 unsigned long at)
{
	return at >= bitmap->win_first && at < bitmap->win_end;
}

/* Set the bits from *@at up to @end; on failure *@at is the first that is not. */
static int window_write(struct iommukit_iova_bitmap *bitmap, unsigned long *at,
			unsigned long end)
{
	while (*at < end) {
		unsigned long stop;

		if (!window_holds(bitmap, *at)) {
			int rc = window_open(bitmap, *at);

			if (rc)
				return keep_error(bitmap, rc);
		}
		stop = min(end, bitmap->win_end);
		run_set_granules(bitmap, *at, stop);
		*at = stop;
	}
	return 0;
}

/* ---- records ---- */

/* Sets what lies in the window; the rest is for overhang_write(). */
static int record_prepinned(struct iommukit_iova_bitmap *bitmap,
			    unsigned long at, unsigned long end)
{
	if (!bitmap->iterating)
		return -EINVAL;
	if (at >= bitmap->win_end || end <= bitmap->win_first)
		return keep_error(bitmap, -EINVAL);
	bitmap->over_first = min(bitmap->over_first, at);
	bitmap->over_end = max(bitmap->over_end, end);
	run_set_granules(bitmap, max(at, bitmap->win_first),
			 min(end, bitmap->win_end));
	return 0;
}

/* Neither goes on with the run nor stays in the window, or there is none. */
static noinline int record_slow(struct iommukit_iova_bitmap *bitmap,
				unsigned long iova, unsigned long last)
{
	unsigned long at, end;

	if (unlikely(last < iova))
		last = ULONG_MAX;
	if (unlikely(iova < bitmap->args.iova || last > bitmap->last)) {
		atomic_long_inc(&bitmap->stats.clipped);
		if (last < bitmap->args.iova || iova > bitmap->last)
			return bitmap->error;
		iova = max(iova, bitmap->args.iova);
		last = min(last, bitmap->last);
	}
	at = position(bitmap, iova);
	end = position(bitmap, last) + 1;
	if (bitmap->args.kbuf) {
		words_set(bitmap->args.kbuf, at, end);
		return 0;
	}
	if (bitmap->error)
		return bitmap->error;
	if (bitmap->args.flags & IOMMUKIT_IOVA_BITMAP_PREPIN)
		return record_prepinned(bitmap, at, end);
	might_sleep();
	return window_write(bitmap, &at, end);
}

/* From @iova to @last, or to the end of all IOVA if @last wraps */
static __always_inline int record(struct iommukit_iova_bitmap *bitmap,
				  unsigned long iova, unsigned long last)
{
	if (likely(iova >= bitmap->win_iova && last >= iova &&
		   last <= bitmap->run.limit && !bitmap->error)) {
		run_set(bitmap, iova, last);
		return 0;
	}
	return record_slow(bitmap, iova, last);
}

/* What iommukit_iova_bitmap_set() calls if the run does not simply go on */
int __iommukit_iova_bitmap_set(struct iommukit_iova_bitmap *bitmap,
			       unsigned long iova, size_t length)
{
	return length ? record(bitmap, iova, iova + length - 1) : 0;
}
EXPORT_SYMBOL_IOMMUKIT(__iommukit_iova_bitmap_set);

/**
 * iommukit_iova_bitmap_or_bits - record what another bitmap says
 * @bitmap: the bitmap
 * @iova: first IOVA of the other one
 * @src: its bits, in kernel memory
 * @nbits: how many
 * @src_shift: log2 of the bytes of IOVA that each stands for, below 64; that may
 *	be more or less than in @bitmap
 *
 * Context: as iommukit_iova_bitmap_set().
 * Return: as iommukit_iova_bitmap_set(); if not 0, a part may be recorded.
 */
int iommukit_iova_bitmap_or_bits(struct iommukit_iova_bitmap *bitmap,
				 unsigned long iova, const unsigned long *src,
				 unsigned long nbits, unsigned int src_shift)
{
	unsigned long at, end;
	int rc;

	if (!nbits)
		return 0;
	/* Bits behind the end of all IOVA mean nothing. */
	nbits = min(nbits - 1, (ULONG_MAX - iova) >> src_shift) + 1;
	for_each_set_bitrange(at, end, src, nbits) {
		rc = record(bitmap, iova + (at << src_shift),
			    iova + (end << src_shift) - 1);
		if (rc)
			return rc;
	}
	return 0;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_iova_bitmap_or_bits);

/* ---- iteration ---- */

/* What has been recorded with success is written, or told. */
static void overhang_write(struct iommukit_iova_bitmap *bitmap, unsigned long at,
			   unsigned long end, void *opaque)
{
	if (window_write(bitmap, &at, end) && bitmap->args.undelivered)
		bitmap->args.undelivered(bitmap, granule(bitmap, at),
					 granules_length(bitmap, at, end),
					 opaque);
}

static int call_for_windows(struct iommukit_iova_bitmap *bitmap, void *opaque,
			    iommukit_iova_bitmap_fn_t fn)
{
	unsigned long at, start, stop;
	int rc;

	for (at = bitmap->first; at < bitmap->end; at = stop) {
		if (bitmap->error)
			return bitmap->error;
		if (!window_holds(bitmap, at)) {
			rc = window_open(bitmap, at);
			if (rc)
				return keep_error(bitmap, rc);
		}
		start = bitmap->win_first;
		stop = bitmap->win_end;
		bitmap->over_first = start;
		bitmap->over_end = stop;
		rc = fn(bitmap, granule(bitmap, at),
			granules_length(bitmap, at, stop), opaque);
		/* The second may open the window that is needed next. */
		overhang_write(bitmap, bitmap->over_first, start, opaque);
		overhang_write(bitmap, stop, bitmap->over_end, opaque);
		run_flush(bitmap);
		if (rc)
			return rc;
	}
	return bitmap->error;
}

/**
 * iommukit_iova_bitmap_for_each - call a function for all IOVA of a bitmap
 * @bitmap: the bitmap
 * @opaque: argument for @fn, and for undelivered
 * @fn: does the recording; see "IOVA bitmaps". What it returns, if not 0, ends the
 *	iteration and is returned.
 *
 * With PREPIN, @fn is called for one window after the other, which together are
 * the range of the bitmap; otherwise once for all of it. On return, failed or not,
 * all that was recorded is in memory, and no page is pinned.
 *
 * Context: process context, may sleep; no lock is held that @fn or the pinning of
 * user memory takes. @fn is called without any lock.
 * Return: 0; what @fn returned; the error of a record in @fn; -EBUSY from within
 * @fn; with PREPIN, -EFAULT if the user's memory is not there or cannot be written,
 * -ENOMEM, -EINTR on a fatal signal, -EINVAL if the caller does not run in the mm
 * that made the bitmap. What was recorded before an error is good.
 */
int iommukit_iova_bitmap_for_each(struct iommukit_iova_bitmap *bitmap,
				  void *opaque, iommukit_iova_bitmap_fn_t fn)
{
	int rc = bitmap->error;

	if (bitmap->iterating)
		return -EBUSY;
	bitmap->iterating = true;
	if (bitmap->args.flags & IOMMUKIT_IOVA_BITMAP_PREPIN)
		rc = call_for_windows(bitmap, opaque, fn);
	else if (!rc)
		rc = fn(bitmap, bitmap->args.iova, bitmap->args.length,
			opaque) ?: bitmap->error;
	window_close(bitmap);
	bitmap->iterating = false;
	return rc;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_iova_bitmap_for_each);

/* ---- life ---- */

static int check_memory(const struct iommukit_iova_bitmap_args *args,
			unsigned long data)
{
	unsigned long nbits = ((args->length - 1) >> ilog2(args->page_size)) + 1;
	unsigned long nbytes = (nbits - 1) / BITS_PER_BYTE + 1;

	if (!(args->flags & IOMMUKIT_IOVA_BITMAP_KBUF))
		return nbytes <= TASK_SIZE_MAX && data <= TASK_SIZE_MAX - nbytes ?
		       0 : -EFAULT;
	return args->kbuf && args->kbuf_bytes >= nbytes &&
	       IS_ALIGNED((unsigned long)args->kbuf | args->kbuf_bytes, 8) ?
	       0 : -EINVAL;
}

static int check_args(const struct iommukit_iova_bitmap_args *args,
		      unsigned long data)
{
	bool kbuf = args->flags & IOMMUKIT_IOVA_BITMAP_KBUF;
	bool prepin = args->flags & IOMMUKIT_IOVA_BITMAP_PREPIN;
	unsigned long last;

	if ((args->flags & ~(IOMMUKIT_IOVA_BITMAP_PREPIN |
			     IOMMUKIT_IOVA_BITMAP_KBUF)) ||
	    (kbuf && (prepin || args->data)) ||
	    (!kbuf && (args->kbuf || args->kbuf_bytes)) ||
	    (!prepin && args->undelivered) ||
	    args->window_pages > WINDOW_PAGES_MAX ||
	    !is_power_of_2(args->page_size) || !args->length)
		return -EINVAL;
	if (check_add_overflow(args->iova, args->length - 1, &last))
		return -EOVERFLOW;
	if (!IS_ALIGNED(args->iova, args->page_size) || (!kbuf && !current->mm))
		return -EINVAL;
	return check_memory(args, data);
}

/**
 * iommukit_iova_bitmap_alloc - describe a bitmap
 * @args: what and where; not needed afterwards
 *
 * The memory is neither touched nor looked at.
 *
 * Context: process context, may sleep. Unless the bitmap is in kernel memory, in
 * the mm whose memory it is.
 * Return: the bitmap, or an ERR_PTR(). In this order: -EINVAL for unknown flags or
 * options that contradict each other, for a page size that is no power of two, for
 * no length; -EOVERFLOW if the range wraps; -EINVAL if @iova is no multiple of the
 * page size, or for user memory of a thread without an mm; -EFAULT if it ends
 * behind all user addresses; -EINVAL if kernel memory is misaligned or too small;
 * -ENOMEM.
 */
struct iommukit_iova_bitmap *
iommukit_iova_bitmap_alloc(const struct iommukit_iova_bitmap_args *args)
{
	unsigned long data = untagged_addr((unsigned long)args->data);
	struct iommukit_iova_bitmap *bitmap;
	int rc = check_args(args, data);

	if (rc)
		return ERR_PTR(rc);
	bitmap = fail_alloc(kzalloc(sizeof(*bitmap), GFP_KERNEL_ACCOUNT));
	if (!bitmap)
		return ERR_PTR(-ENOMEM);
	bitmap->args = *args;
	bitmap->args.window_pages = args->window_pages ?: WINDOW_PAGES_MAX;
	bitmap->last = args->iova + (args->length - 1);
	bitmap->shift = ilog2(args->page_size);
	if (!(args->flags & IOMMUKIT_IOVA_BITMAP_KBUF)) {
		bitmap->first = offset_in_page(data) * BITS_PER_BYTE;
		bitmap->base = data & PAGE_MASK;
		bitmap->mm = current->mm;
		mmgrab(bitmap->mm);
	}
	bitmap->end = position(bitmap, bitmap->last) + 1;
	bitmap->run.iova = NO_RUN;
	bitmap->win_iova = NO_RUN;
	bitmap->next = ULONG_MAX;
	bitmap->pages = bitmap->few;
	return bitmap;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_iova_bitmap_alloc);

/**
 * iommukit_iova_bitmap_error - the error that stays
 * @bitmap: the bitmap
 *
 * Context: any.
 * Return: the first error of a record, or 0.
 */
int iommukit_iova_bitmap_error(const struct iommukit_iova_bitmap *bitmap)
{
	return bitmap->error;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_iova_bitmap_error);

/**
 * iommukit_iova_bitmap_free - write what is recorded, and forget the bitmap
 * @bitmap: the bitmap; NULL or an ERR_PTR() is nothing to free
 *
 * Not to be called from the function of iommukit_iova_bitmap_for_each().
 *
 * Context: process context, may sleep; in any mm.
 */
void iommukit_iova_bitmap_free(struct iommukit_iova_bitmap *bitmap)
{
	if (IS_ERR_OR_NULL(bitmap) || WARN_ON_ONCE(bitmap->iterating))
		return;
	window_close(bitmap);
	if (bitmap->pages != bitmap->few)
		kfree(bitmap->pages);
	if (bitmap->mm)
		mmdrop(bitmap->mm);
	kfree(bitmap);
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_iova_bitmap_free);

/* For the test module */
const struct iova_bitmap_stats *
iova_bitmap_stats(const struct iommukit_iova_bitmap *bitmap)
{
	return &bitmap->stats;
}
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(iova_bitmap_stats);

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The log of a space: which pages of IOVA were written, by whoever writes without
 * IOMMU hardware that could tell. While there is one, each area has a bit for each
 * page of IOVA that it touches.
 *
 * Whoever writes marks afterwards, and a reader clears what it has recorded. So a
 * mark that is missing means that who reads the memory now sees the data. Pages that
 * are pinned for writing may be written at any time: they are marked when they are
 * pinned, at each read-out, and when they are unpinned.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "domain.h"
#include "fail.h"
#include "iova_space.h"
#include "words.h"

/* Bits that are looked at in one go */
#define LOG_WINDOW 512
/*
 * Areas that get a log, or lose it, before others get the lock; so many pages of one
 * count as another area
 */
#define LOG_BATCH 64
#define LOG_BATCH_PAGES (SZ_512M / PAGE_SIZE)
/* What the bits of one area may take: 8 TiB and a quarter of a GiB */
#define LOG_BYTES_MAX SZ_256M

/**
 * struct area_log - Marks of one area
 * @rcu: for freeing it
 * @space: the space of the area
 * @bits: one for each page of IOVA
 */
struct area_log {
	struct rcu_head rcu;
	struct iova_space *space;
	unsigned long bits[];
};

static unsigned long log_bit(const struct iova_area *area, unsigned long iova)
{
	return (iova >> PAGE_SHIFT) - (area->iova >> PAGE_SHIFT);
}

/* The part of a page that is in the area */
static unsigned long bit_first(const struct iova_area *area, unsigned long bit)
{
	return bit ? ((area->iova >> PAGE_SHIFT) + bit) << PAGE_SHIFT :
		     area->iova;
}

static unsigned long bit_last(const struct iova_area *area, unsigned long bit)
{
	return min(bit_first(area, bit) | ~PAGE_MASK, area->last);
}

/* ---- being there ---- */

/**
 * iova_area_add_log - give an area a log
 * @space: its space
 * @area: an area that has its IOVA; nobody else gives it one or takes it
 * @marked: all of it may have been written
 *
 * Context: may sleep.
 * Return: 0, also if it has one; -ENOMEM.
 */
int iova_area_add_log(struct iova_space *space, struct iova_area *area,
		      bool marked)
{
	unsigned long nr = log_bit(area, area->last) + 1;
	unsigned long bytes = BITS_TO_LONGS(nr) * sizeof(long);
	struct area_log *log;

	if (rcu_access_pointer(area->log))
		return 0;
	if (bytes > LOG_BYTES_MAX)
		return -ENOMEM;
	log = fail_alloc(kvzalloc(sizeof(*log) + bytes, GFP_KERNEL_ACCOUNT));
	if (!log)
		return -ENOMEM;
	log->space = space;
	if (marked)
		bitmap_fill(log->bits, nr);
	rcu_assign_pointer(area->log, log);
	return 0;
}

/**
 * iova_area_free_log - free the log of an area that nobody can find any more
 * @area: the area
 *
 * Context: any but NMI.
 */
void iova_area_free_log(struct iova_area *area)
{
	kvfree(rcu_access_pointer(area->log));
}

static void area_drop_log(struct iova_area *area)
{
	struct area_log *log = rcu_dereference_protected(area->log, true);

	if (!log)
		return;
	RCU_INIT_POINTER(area->log, NULL);
	kvfree_rcu(log, rcu);
}

/* Somebody may be marking; that is as if he came later. */
static void area_clear_log(struct iova_area *area)
{
	struct area_log *log = rcu_dereference_protected(area->log, true);
	unsigned long i, words = BITS_TO_LONGS(log_bit(area, area->last) + 1);

	for (i = 0; i < words; i++)
		WRITE_ONCE(log->bits[i], 0);
}

/*
 * All areas get an empty log, or lose it. Whoever maps one meanwhile does what
 * space->logging says by himself.
 */
static int update_areas(struct iova_space *space, bool on)
{
	MA_STATE(mas, &space->areas, 0, 0);
	struct iova_area *area;
	int rc = 0;

	for (;;) {
		unsigned long n = 0;

		if (on && fatal_signal_pending(current))
			return -EINTR;
		down_write(&space->lock);
		mas_for_each(&mas, area, ULONG_MAX) {
			if (!on)
				area_drop_log(area);
			else if (rcu_access_pointer(area->log))
				area_clear_log(area);
			else
				rc = iova_area_add_log(space, area, false);
			n += 1 + log_bit(area, area->last) / LOG_BATCH_PAGES;
			if (rc || n >= LOG_BATCH)
				break;
		}
		if (rc || !area || area->last == ULONG_MAX) {
			up_write(&space->lock);
			return rc;
		}
		mas_set(&mas, area->last + 1);
		up_write(&space->lock);
		cond_resched();
	}
}

static void domain_written(void *opaque, unsigned long iova, size_t length)
{
	struct iova_space *space = opaque;
	unsigned long last = iova + (length - 1);

	rcu_read_lock();
	for (;;) {
		struct iova_area *area = iova_space_lookup(space, iova);
		unsigned long end;

		/* It is being unmapped: what was written there is of no interest. */
		if (!area)
			break;
		end = min(area->last, last);
		iova_area_mark(area, iova, end);
		if (end == last)
			break;
		iova = end + 1;
	}
	rcu_read_unlock();
}

/**
 * iova_space_watch_domain - let a domain tell the log what devices write, or not
 * @space: the space; domains neither come nor go meanwhile
 * @domain: a domain of the space
 * @on: whether to tell
 *
 * Context: may sleep. Writes that end after it returned are told, or not.
 */
void iova_space_watch_domain(struct iova_space *space, struct domain *domain,
			     bool on)
{
	struct domain_gather gather;

	WRITE_ONCE(domain->observer.opaque, space);
	/* Pairs with domain_observe(). */
	smp_store_release(&domain->observer.written, on ? domain_written : NULL);
	domain_gather_init(&gather);
	domain->ops->sync(domain, &gather);
}

static void watch_domains(struct iova_space *space, bool on)
{
	struct iova_domain *d;

	down_read(&space->domains_lock);
	list_for_each_entry(d, &space->domains, link)
		iova_space_watch_domain(space, d->domain, on);
	up_read(&space->domains_lock);
}

static void set_logging(struct iova_space *space, bool on)
{
	down_write(&space->lock);
	space->logging = on;
	up_write(&space->lock);
}

/**
 * iova_space_stop_log - note writes no longer
 * @space: the space; the caller excludes other calls that start or stop the log, or
 *	add or remove domains
 *
 * Context: may sleep.
 */
void iova_space_stop_log(struct iova_space *space)
{
	watch_domains(space, false);
	set_logging(space, false);
	update_areas(space, false);
}

/**
 * iova_space_start_log - note all writes from now on, and forget earlier ones
 * @space: the space; the caller excludes other calls that start or stop the log, or
 *	add or remove domains
 *
 * Context: may sleep; killable.
 * Return: 0; -ENOMEM or -EINTR, then there is no log.
 */
int iova_space_start_log(struct iova_space *space)
{
	int rc;

	atomic64_set(&space->dirtied, 0);
	set_logging(space, true);
	rc = update_areas(space, true);
	if (rc) {
		iova_space_stop_log(space);
		return rc;
	}
	/* Who has found no log has written what he wrote by then. */
	synchronize_rcu_expedited();
	watch_domains(space, true);
	return 0;
}

/* ---- marking ---- */

/**
 * iova_area_mark - note that a range was written
 * @area: an area that cannot be freed meanwhile
 * @first: first IOVA, in the area
 * @last: last IOVA, in the area
 *
 * Context: any but NMI.
 */
void iova_area_mark(struct iova_area *area, unsigned long first,
		    unsigned long last)
{
	struct area_log *log;
	unsigned long n;

	rcu_read_lock();
	log = rcu_dereference(area->log);
	if (log) {
		/*
		 * Pairs with log_clear(): either the mark that is seen here is
		 * cleared later, by somebody who sees the data then, or it is seen
		 * missing.
		 */
		smp_mb();
		n = words_set_new(log->bits, log_bit(area, first),
				  log_bit(area, last) + 1);
		/* Who writes the same pages again and again pays nothing. */
		if (n)
			atomic64_add(n, &log->space->dirtied);
	}
	rcu_read_unlock();
}

/* ---- reading ---- */

/**
 * struct log_window - Marks that are being read out
 * @bit: the first one's number, a multiple of the size
 * @nr: how many
 * @marks: what they are
 */
struct log_window {
	unsigned long bit;
	unsigned int nr;
	DECLARE_BITMAP(marks, LOG_WINDOW);
};

/* Returns false if there is no log. */
static bool log_look(const struct iova_area *area, unsigned long first,
		     unsigned long last, struct log_window *window)
{
	unsigned long from = log_bit(area, first), to = log_bit(area, last);
	struct area_log *log;
	unsigned int i;

	window->bit = round_down(from, LOG_WINDOW);
	window->nr = min_t(unsigned long, to - window->bit + 1, LOG_WINDOW);
	rcu_read_lock();
	log = rcu_dereference(area->log);
	if (log)
		for (i = 0; i < BITS_TO_LONGS(window->nr); i++)
			window->marks[i] =
				READ_ONCE(log->bits[BIT_WORD(window->bit) + i]);
	rcu_read_unlock();
	/* What is looked at comes in words, what is asked for does not. */
	bitmap_clear(window->marks, 0, from - window->bit);
	bitmap_clear(window->marks, window->nr,
		     round_up(window->nr, BITS_PER_LONG) - window->nr);
	return log;
}

/* What could not be recorded is not in the window any more. */
static int log_record(const struct iova_area *area, unsigned long first,
		      unsigned long last, struct log_window *window,
		      int (*record)(void *opaque, unsigned long iova,
				    size_t length),
		      void *opaque)
{
	unsigned int from, to;
	int rc;

	for_each_set_bitrange(from, to, window->marks, window->nr) {
		unsigned long start = max(bit_first(area, window->bit + from),
					  first);
		unsigned long end = min(bit_last(area, window->bit + to - 1),
					last);

		rc = record(opaque, start, end - start + 1);
		if (rc) {
			bitmap_clear(window->marks, from, window->nr - from);
			return rc;
		}
	}
	return 0;
}

/* Pages that lie in the range only partly keep their marks. */
static void log_clear(const struct iova_area *area, unsigned long first,
		      unsigned long last, struct log_window *window)
{
	struct area_log *log;
	unsigned int i;

	if (bit_first(area, log_bit(area, first)) != first)
		bitmap_clear(window->marks, log_bit(area, first) - window->bit, 1);
	if (bit_last(area, log_bit(area, last)) != last &&
	    log_bit(area, last) - window->bit < window->nr)
		bitmap_clear(window->marks, log_bit(area, last) - window->bit, 1);

	rcu_read_lock();
	log = rcu_dereference(area->log);
	if (log)
		for (i = 0; i < BITS_TO_LONGS(window->nr); i++)
			if (window->marks[i])
				atomic_long_andnot(window->marks[i],
					(atomic_long_t *)&log->bits[BIT_WORD(window->bit) + i]);
	rcu_read_unlock();
	/* Pairs with iova_area_mark(): the memory is looked at after that. */
	smp_mb();
}

static int read_area(const struct iova_area *area, unsigned long first,
		     unsigned long last, bool clear,
		     int (*record)(void *opaque, unsigned long iova,
				   size_t length),
		     void *opaque)
{
	struct log_window window;
	int rc;

	for (;;) {
		if (!log_look(area, first, last, &window))
			return -EINVAL;
		rc = log_record(area, first, last, &window, record, opaque);
		if (clear)
			log_clear(area, first, last, &window);
		if (rc || window.bit + window.nr > log_bit(area, last))
			return rc;
		if (fatal_signal_pending(current))
			return -EINTR;
		first = bit_first(area, window.bit + window.nr);
		cond_resched();
	}
}

/* What is pinned for writing may have been written by now. */
static void mark_pinned(struct iova_space *space, unsigned long first,
			unsigned long last)
{
	struct iova_member *member;
	unsigned long slot;

	if (!READ_ONCE(space->logging))
		return;
	xa_lock(&space->members);
	xa_for_each(&space->members, slot, member)
		member->ops->mark(member->owner, first, last);
	xa_unlock(&space->members);
}

/**
 * iova_space_read_log - read what was written
 * @space: the space
 * @first: first IOVA
 * @last: last IOVA
 * @clear: forget what was recorded
 * @record: called for what was written, ascending and inside the range; may sleep
 * @opaque: argument for it
 *
 * Memory that is read after it returned has all writes that are not marked any more,
 * but for pages that are pinned for writing.
 *
 * Context: may sleep; killable.
 * Return: 0; -EINVAL at the first hole in the range, if something in it is being
 * unmapped, or if there is no log; -EINTR; the first error of @record. What was not
 * recorded stays marked.
 */
int iova_space_read_log(struct iova_space *space, unsigned long first,
			unsigned long last, bool clear,
			int (*record)(void *opaque, unsigned long iova,
				      size_t length),
			void *opaque)
{
	mark_pinned(space, first, last);
	for (;;) {
		struct iova_area *area = iova_area_get(space, first);
		unsigned long end;
		int rc;

		if (IS_ERR(area))
			return PTR_ERR(area) == -EINTR ? -EINTR : -EINVAL;
		end = min(area->last, last);
		rc = read_area(area, first, end, clear, record, opaque);
		iova_area_idle(space, area);
		if (rc || end == last)
			return rc;
		first = end + 1;
		cond_resched();
	}
}

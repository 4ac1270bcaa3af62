// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of on-demand memory: the pages that are known, by chunks of addresses.
 *
 * When pages are forgotten, what goes are bits. So that takes time for those that are
 * there, however long the range of addresses is, and no memory.
 */
#include <linux/delay.h>
#include <linux/highmem.h>
#include <linux/hmm.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/pagemap.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/swap.h>

#include "ondemand.h"

static bool ondemand_mark_accessed = true;
module_param(ondemand_mark_accessed, bool, 0644);
MODULE_PARM_DESC(ondemand_mark_accessed,
		 "Tell the kernel which on-demand pages are in use, or it swaps them first (Y)");

static unsigned int hold_ms;

/**
 * ondemand_set_hold_ms - hold the lock longer over each copy
 * @ms: for how long
 */
void ondemand_set_hold_ms(unsigned int ms)
{
	WRITE_ONCE(hold_ms, ms);
}

/* ---- copying ---- */

/* How many bytes from a page on are there, and can be written if they shall be. */
static unsigned long chunk_reach(const struct ondemand_chunk *chunk,
				 unsigned long address, unsigned long length,
				 bool write)
{
	const unsigned long *bits = write ? chunk->writable : chunk->present;
	unsigned int nr = ondemand_page_nr(address), end;
	unsigned long reach;

	if (offset_in_page(address) + length <= PAGE_SIZE)
		return test_bit(nr, bits) ? length : 0;
	end = find_next_zero_bit(bits, ONDEMAND_CHUNK_PAGES, nr);
	reach = (end - nr) * PAGE_SIZE;
	return min(length, reach ? reach - offset_in_page(address) : 0);
}

/*
 * Memory that only devices use looks unused, and would be the first to be swapped.
 * To say so each time would cost more than the copy.
 */
static bool chunk_is_due(struct ondemand_chunk *chunk)
{
	unsigned long last = READ_ONCE(chunk->accessed);

	if (likely(time_before(jiffies, last + HZ)))
		return false;
	WRITE_ONCE(chunk->accessed, jiffies);
	WRITE_ONCE(chunk->used, jiffies);
	return READ_ONCE(ondemand_mark_accessed);
}

static void chunk_copy(struct ondemand_chunk *chunk, unsigned long address,
		       void *data, unsigned long length, bool write)
{
	unsigned int nr = ondemand_page_nr(address);
	unsigned long in_page = offset_in_page(address);
	bool tell = chunk_is_due(chunk);

	for (; length; nr++) {
		struct page *page = pfn_to_page(chunk->pfns[nr]);
		unsigned long n = min(length, PAGE_SIZE - in_page);

		if (write) {
			memcpy_to_page(page, in_page, data, n);
			/* Others copy as well. */
			if (!test_bit(nr, chunk->written))
				set_bit(nr, chunk->written);
		} else {
			memcpy_from_page(data, page, in_page, n);
		}
		if (tell)
			mark_page_accessed(page);
		data += n;
		length -= n;
		in_page = 0;
	}
}

/**
 * ondemand_copy - copy between a buffer and pages that are there
 * @od: the memory
 * @address: first address
 * @data: kernel memory
 * @length: bytes, at least 1, up to the end of the range at most
 * @write: towards the memory
 *
 * Not beyond the end of the chunk.
 *
 * Context: may sleep, but for no user space.
 * Return: bytes copied; 0 if the first page is not there.
 */
unsigned long ondemand_copy(struct ondemand *od, unsigned long address,
			    void *data, unsigned long length, bool write)
{
	struct ondemand_chunk *chunk;

	down_read(&od->lock);
	chunk = xa_load(&od->chunks, ondemand_chunk_nr(address));
	length = chunk ? chunk_reach(chunk, address, length, write) : 0;
	if (length) {
		chunk_copy(chunk, address, data, length, write);
		/* One count may get lost; where interrupts are dear, one costs more. */
		raw_cpu_inc(*od->hits);
		if (unlikely(READ_ONCE(hold_ms)))
			msleep(READ_ONCE(hold_ms));
	}
	up_read(&od->lock);
	return length;
}

/* ---- entering ---- */

static void chunk_set_huge(struct ondemand *od, struct ondemand_chunk *chunk,
			   bool huge)
{
	if (chunk->huge == huge)
		return;
	chunk->huge = huge;
	ondemand_count(od, ONDEMAND_HUGE, huge ? 1 : -1);
}

static void count_present(struct ondemand *od, s64 n)
{
	ondemand_count_max(od, ONDEMAND_PRESENT_PEAK,
			   atomic64_add_return(n, &od->stats[ONDEMAND_PRESENT_PAGES]));
}

/**
 * ondemand_enter - take pages that were found into the table
 * @od: the memory; its lock is held for writing, and nothing has changed since
 * @chunk: the chunk
 * @from: first page in it
 * @to: last one
 * @hmm_pfns: what hmm_range_fault() has found, for the pages of the whole chunk
 *
 * Pages that may be written are entered as such also if they were found for reading:
 * so they are not looked for twice.
 *
 * Context: as who holds the lock.
 */
void ondemand_enter(struct ondemand *od, struct ondemand_chunk *chunk,
		    unsigned int from, unsigned int to,
		    const unsigned long *hmm_pfns)
{
	unsigned int nr, present = 0, upgrades = 0;

	lockdep_assert_held_write(&od->lock);
	for (nr = from; nr <= to; nr++) {
		bool writable = od->writable && (hmm_pfns[nr] & HMM_PFN_WRITE);
		unsigned long pfn;

		if (!(hmm_pfns[nr] & HMM_PFN_VALID))
			continue;
		pfn = page_to_pfn(hmm_pfn_to_page(hmm_pfns[nr]));
		if (!test_bit(nr, chunk->present)) {
			present++;
		} else {
			WARN_ON_ONCE(chunk->pfns[nr] != pfn);
			upgrades += writable && !test_bit(nr, chunk->writable);
		}
		chunk->pfns[nr] = pfn;
		__set_bit(nr, chunk->present);
		if (writable)
			__set_bit(nr, chunk->writable);
	}
	count_present(od, present);
	ondemand_count(od, ONDEMAND_UPGRADES, upgrades);
	if (bitmap_full(chunk->present, ONDEMAND_CHUNK_PAGES) &&
	    hmm_pfn_to_map_order(hmm_pfns[from]) >=
	    ilog2(ONDEMAND_CHUNK_PAGES))
		chunk_set_huge(od, chunk, true);
}

/**
 * ondemand_mark_needed - tell the kernel that pages are in use, since somebody needs them
 * @od: the memory; its lock is held for writing
 * @chunk: the chunk
 * @from: first page in it
 * @to: last one; those that are not there are left out
 *
 * Of those that were entered along with them nobody knows.
 *
 * Context: as who holds the lock.
 */
void ondemand_mark_needed(struct ondemand *od, struct ondemand_chunk *chunk,
			  unsigned int from, unsigned int to)
{
	struct folio *folio, *last = NULL;
	unsigned int nr = from;

	lockdep_assert_held_write(&od->lock);
	if (!READ_ONCE(ondemand_mark_accessed))
		return;
	for_each_set_bit_from(nr, chunk->present, to + 1) {
		folio = page_folio(pfn_to_page(chunk->pfns[nr]));
		if (folio != last)
			folio_mark_accessed(folio);
		last = folio;
	}
}

/* ---- forgetting ---- */

/*
 * Nobody else knows that they were written. The page may be locked by who announces
 * the change, so the plain call it is; until we return the page is what it was.
 */
static void chunk_tell_dirty(struct ondemand *od, struct ondemand_chunk *chunk,
			     const unsigned long *range)
{
	DECLARE_BITMAP(dirty, ONDEMAND_CHUNK_PAGES);
	struct folio *folio, *last = NULL;
	unsigned int nr;

	if (!bitmap_and(dirty, chunk->written, range, ONDEMAND_CHUNK_PAGES))
		return;
	for_each_set_bit(nr, dirty, ONDEMAND_CHUNK_PAGES) {
		folio = page_folio(pfn_to_page(chunk->pfns[nr]));
		if (folio != last)
			folio_mark_dirty(folio);
		last = folio;
	}
	bitmap_andnot(chunk->written, chunk->written, range,
		      ONDEMAND_CHUNK_PAGES);
	ondemand_count(od, ONDEMAND_DIRTIED_PAGES,
		       bitmap_weight(dirty, ONDEMAND_CHUNK_PAGES));
}

static unsigned int bits_take(unsigned long *bits, const unsigned long *range)
{
	unsigned int before = bitmap_weight(bits, ONDEMAND_CHUNK_PAGES);

	bitmap_andnot(bits, bits, range, ONDEMAND_CHUNK_PAGES);
	return before - bitmap_weight(bits, ONDEMAND_CHUNK_PAGES);
}

/* Forget pages, or that they can be written. Returns how many it concerned. */
static unsigned int chunk_zap(struct ondemand *od, struct ondemand_chunk *chunk,
			      unsigned int from, unsigned int to,
			      bool keep_readable)
{
	DECLARE_BITMAP(range, ONDEMAND_CHUNK_PAGES);
	unsigned int n;

	bitmap_zero(range, ONDEMAND_CHUNK_PAGES);
	bitmap_set(range, from, to - from + 1);
	chunk_tell_dirty(od, chunk, range);
	n = bits_take(chunk->writable, range);
	if (keep_readable) {
		ondemand_count(od, ONDEMAND_DOWNGRADED_PAGES, n);
		return n;
	}
	n = bits_take(chunk->present, range);
	count_present(od, -(s64)n);
	ondemand_count(od, ONDEMAND_ZAPPED_PAGES, n);
	ondemand_count(od, ONDEMAND_PINS_OUTLIVED,
		       bits_take(chunk->pinned, range));
	if (n)
		chunk_set_huge(od, chunk, false);
	return n;
}

static bool nothing_is_there(struct ondemand *od)
{
	return !atomic64_read(&od->stats[ONDEMAND_PRESENT_PAGES]) &&
	       !atomic64_read(&od->stats[ONDEMAND_PINS_LIVE]);
}

/**
 * ondemand_zap - forget pages
 * @od: the memory; its lock is held for writing
 * @first: first address
 * @last: last one
 * @keep_readable: forget only that they can be written
 * @may_sleep: between chunks
 *
 * What was written is said to be dirty first.
 *
 * Context: as who holds the lock; neither allocates nor frees.
 * Return: how many pages it concerned.
 */
unsigned long ondemand_zap(struct ondemand *od, unsigned long first,
			   unsigned long last, bool keep_readable, bool may_sleep)
{
	struct ondemand_chunk *chunk;
	unsigned long nr, n = 0;
	unsigned int from, to;

	lockdep_assert_held_write(&od->lock);
	if (nothing_is_there(od))
		return 0;
	/* Devices first: what they can still write is still said to be dirty. */
	ondemand_unload(od, first, last, keep_readable, may_sleep);
	xa_for_each_range(&od->chunks, nr, chunk, ondemand_chunk_nr(first),
			  ondemand_chunk_nr(last)) {
		ondemand_chunk_part(nr, first, last, &from, &to);
		n += chunk_zap(od, chunk, from, to, keep_readable);
		if (may_sleep)
			cond_resched();
	}
	return n;
}

/* ---- pins ---- */

/* Set or clear the bits of pages that are pinned. Chunks that lack have none. */
static void mark_pins(struct ondemand *od, unsigned long address,
		      unsigned long npages, bool pinned)
{
	while (npages) {
		struct ondemand_chunk *chunk =
			xa_load(&od->chunks, ondemand_chunk_nr(address));
		unsigned int nr = ondemand_page_nr(address);
		unsigned long n = min(npages, ONDEMAND_CHUNK_PAGES - nr);

		if (chunk && pinned)
			bitmap_set(chunk->pinned, nr, n);
		else if (chunk)
			bitmap_clear(chunk->pinned, nr, n);
		address += n * PAGE_SIZE;
		npages -= n;
	}
}

/**
 * ondemand_note_pins - note that pages were pinned
 * @od: the memory
 * @address: of the first one
 * @npages: how many
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int ondemand_note_pins(struct ondemand *od, unsigned long address,
		       unsigned long npages)
{
	unsigned long first = ondemand_chunk_nr(address), nr;
	unsigned long last = ondemand_chunk_nr(address + (npages - 1) * PAGE_SIZE);
	int rc = 0;

	for (nr = first; nr <= last; nr++) {
		if (!ondemand_chunk_get(od, nr)) {
			rc = -ENOMEM;
			break;
		}
	}
	if (!rc) {
		down_write(&od->lock);
		mark_pins(od, address, npages, true);
		ondemand_count(od, ONDEMAND_PINS_LIVE, npages);
		up_write(&od->lock);
	}
	/* As long as they have a user they stay. */
	while (nr-- > first)
		ondemand_chunk_put(xa_load(&od->chunks, nr));
	return rc;
}

/**
 * ondemand_drop_pins - undo ondemand_note_pins()
 * @od: the memory
 * @address: of the first page
 * @npages: how many
 *
 * Context: may sleep.
 */
void ondemand_drop_pins(struct ondemand *od, unsigned long address,
			unsigned long npages)
{
	down_write(&od->lock);
	mark_pins(od, address, npages, false);
	ondemand_count(od, ONDEMAND_PINS_LIVE, -(s64)npages);
	up_write(&od->lock);
}

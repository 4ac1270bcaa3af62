// SPDX-License-Identifier: GPL-2.0-only
/*
 * What devices may have written to on-demand memory, and has left a domain since: there it
 * can be read no more.
 */
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "ondemand_load.h"

/* What the attachment of a domain that has @iova has of a chunk, or NULL */
static struct ondemand_load *load_at(struct ondemand *od,
				     const struct domain *domain,
				     unsigned long iova,
				     struct ondemand_chunk *chunk)
{
	struct ondemand_attachment *att = ondemand_find_attachment(od, domain, iova);

	return att ? ondemand_find_load(chunk, att) : NULL;
}

/* Take the log of a part of a chunk, or look at it only. Returns whether it has any. */
static bool log_take(struct ondemand *od, const struct domain *domain,
		     unsigned long iova, struct ondemand_chunk *chunk,
		     unsigned long *range, bool clear)
{
	struct ondemand_load *load;
	bool any = false;

	down_write(&od->lock);
	load = load_at(od, domain, iova, chunk);
	if (load) {
		any = bitmap_and(range, range, load->log, ONDEMAND_CHUNK_PAGES);
		if (clear)
			bitmap_andnot(load->log, load->log, range,
				      ONDEMAND_CHUNK_PAGES);
	}
	up_write(&od->lock);
	return any;
}

/* What could not be recorded goes back. */
static void log_return(struct ondemand *od, const struct domain *domain,
		       unsigned long iova, struct ondemand_chunk *chunk,
		       const unsigned long *bits)
{
	struct ondemand_load *load;

	down_write(&od->lock);
	load = load_at(od, domain, iova, chunk);
	if (load)
		bitmap_or(load->log, load->log, bits, ONDEMAND_CHUNK_PAGES);
	up_write(&od->lock);
}

/* Record the runs of pages that a chunk at @base has, and clear those. */
static int record_bits(unsigned long *bits, unsigned long base,
		       int (*record)(void *opaque, unsigned long iova,
				     size_t length),
		       void *opaque)
{
	unsigned int from, to;
	int rc;

	for_each_set_bitrange(from, to, bits, ONDEMAND_CHUNK_PAGES) {
		rc = record(opaque, base + from * PAGE_SIZE,
			    (to - from) * PAGE_SIZE);
		if (rc)
			return rc;
		bitmap_clear(bits, from, to - from);
	}
	return 0;
}

/**
 * ondemand_read_log - read what devices may have written before it left a domain
 * @od: the memory
 * @domain: the domain
 * @iova: first IOVA of interest
 * @address: its address, that of a page
 * @length: bytes, whole pages, in one attachment
 * @clear: forget what was recorded
 * @record: called for each run of such pages, ascending; may sleep; or NULL
 * @opaque: argument for it
 *
 * Context: may sleep.
 * Return: 0; -EINTR on a fatal signal; the first error of @record; what follows stays as
 * it was.
 */
int ondemand_read_log(struct ondemand *od, const struct domain *domain,
		      unsigned long iova, unsigned long address,
		      unsigned long length, bool clear,
		      int (*record)(void *opaque, unsigned long iova,
				    size_t length),
		      void *opaque)
{
	unsigned long last = address + length - 1, nr;
	struct ondemand_chunk *chunk;
	int rc = 0;

	xa_for_each_range(&od->chunks, nr, chunk, ondemand_chunk_nr(address),
			  ondemand_chunk_nr(last)) {
		DECLARE_BITMAP(bits, ONDEMAND_CHUNK_PAGES);
		unsigned int from, to;

		bitmap_zero(bits, ONDEMAND_CHUNK_PAGES);
		ondemand_chunk_part(nr, address, last, &from, &to);
		bitmap_set(bits, from, to - from + 1);
		cond_resched();
		if (fatal_signal_pending(current))
			return -EINTR;
		/* It may have gone, but has then no log. */
		chunk = ondemand_chunk_find(od, nr);
		if (!chunk)
			continue;
		if (log_take(od, domain, iova, chunk, bits, clear) && record)
			rc = record_bits(bits, iova + (nr * ONDEMAND_CHUNK - address),
					 record, opaque);
		if (rc && clear)
			log_return(od, domain, iova, chunk, bits);
		ondemand_chunk_put(chunk);
		if (rc)
			return rc;
	}
	return 0;
}

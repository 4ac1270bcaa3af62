// SPDX-License-Identifier: GPL-2.0-only
/*
 * IO page tables that have pages of on-demand memory, for devices that wait for what is
 * not there. A part of the range that an area stands for, and one domain, are an
 * attachment; each chunk knows what is in the domain of each. There may be as many of them
 * as an IOAS has areas.
 *
 * What one call put into a domain is an extent, and is taken out as a whole: the domain
 * may have made a huge page of it, and some cannot cut one. So of what surrounds a page
 * that goes, devices have to ask again.
 *
 * Where that happens again and again pages go in one by one for a while, so that each
 * time only those go that must.
 *
 * Whether a device has written to a page that it could write is not asked: that would
 * take too long where this runs. It has, as far as the process and a read-out of what is
 * dirty are concerned.
 *
 * A domain may fail to let go of a page. The process gets rid of it nevertheless, for it
 * cannot be told to wait, but nobody else gets it: a reference keeps it. Who owns the
 * domain is told, cuts devices off from it, and then has the page given back. Meanwhile
 * the memory is dead, and its table stays, for it says which pages these are.
 */
#include <linux/jiffies.h>
#include <linux/llist.h>
#include <linux/mm.h>
#include <linux/pfn.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "fail.h"
#include "ondemand_load.h"
#include "trace.h"

/* After so many cuts in a chunk its extents are pages, until none came for so long. */
#define CUTS_MAX 8
#define CUTS_QUIET (60 * HZ)

static unsigned long iova_of(const struct ondemand_attachment *att,
			     unsigned long chunk_nr, unsigned int nr)
{
	return att->iova + (chunk_nr * ONDEMAND_CHUNK + nr * PAGE_SIZE - att->first);
}

/* ---- finding ---- */

/* What is looked for */
struct place {
	const struct domain *domain;
	unsigned long iova;
};

static struct ondemand_attachment *attachment_of(const struct rb_node *node)
{
	return rb_entry(node, struct ondemand_attachment, node);
}

static int compare_place(const void *key, const struct rb_node *node)
{
	const struct ondemand_attachment *att = attachment_of(node);
	const struct place *place = key;

	if (place->domain != att->domain)
		return place->domain < att->domain ? -1 : 1;
	if (place->iova < att->iova)
		return -1;
	return place->iova - att->iova > att->last - att->first;
}

static bool attachment_is_less(struct rb_node *a, const struct rb_node *b)
{
	const struct ondemand_attachment *att = attachment_of(a);
	const struct place place = { att->domain, att->iova };

	return compare_place(&place, b) < 0;
}

/**
 * ondemand_find_attachment - the attachment of a domain that has an IOVA
 * @od: the memory; its lock is held
 * @domain: the domain
 * @iova: the IOVA
 *
 * Context: as who holds the lock.
 * Return: the attachment, or NULL.
 */
struct ondemand_attachment *
ondemand_find_attachment(const struct ondemand *od, const struct domain *domain,
			 unsigned long iova)
{
	const struct place place = { domain, iova };
	struct rb_node *node = rb_find(&place, &od->attachments, compare_place);

	return node ? attachment_of(node) : NULL;
}

static struct ondemand_load *load_of(const struct rb_node *node)
{
	return rb_entry(node, struct ondemand_load, node);
}

static int compare_attachment(const void *key, const struct rb_node *node)
{
	const struct ondemand_attachment *att = load_of(node)->att;

	return key < (const void *)att ? -1 : key > (const void *)att;
}

static bool load_is_less(struct rb_node *a, const struct rb_node *b)
{
	return compare_attachment(load_of(a)->att, b) < 0;
}

/**
 * ondemand_find_load - what an attachment has of a chunk
 * @chunk: the chunk; the lock of its memory is held
 * @att: the attachment
 *
 * Context: as who holds the lock.
 * Return: that, or NULL.
 */
struct ondemand_load *ondemand_find_load(const struct ondemand_chunk *chunk,
					 const struct ondemand_attachment *att)
{
	struct rb_node *node = rb_find(att, &chunk->loads, compare_attachment);

	return node ? load_of(node) : NULL;
}

/* ---- taking out ---- */

/* Whoever owns the domain has to give pages back. What is listed keeps the memory. */
static void list_kept(struct ondemand *od, struct ondemand_attachment *att,
		      unsigned long iova, unsigned long length)
{
	struct domain *domain = att->domain;

	WRITE_ONCE(domain->failed, true);
	if (att->listed)
		return;
	att->listed = true;
	att->refs++;
	refcount_inc(&od->refs);
	if (llist_add(&att->kept, &domain->kept) && domain->owner.kept)
		domain->owner.kept(domain->owner.opaque, iova, length);
}

/*
 * A device may reach the pages. They are kept from everybody else; what they were is of
 * no use any more, for they do not follow the address. Until we return they are what the
 * table says, so there is something to refer to.
 */
static void keep_pages(struct ondemand *od, struct ondemand_chunk *chunk,
		       unsigned long chunk_nr, struct ondemand_load *load,
		       unsigned int from, unsigned int to)
{
	unsigned int nr;

	for (nr = from; nr <= to; nr++) {
		if (test_bit(nr, load->writable))
			__set_bit(nr, load->kept_writable);
		if (__test_and_set_bit(nr, load->kept))
			continue;
		get_page(pfn_to_page(chunk->pfns[nr]));
		ondemand_count(od, ONDEMAND_QUARANTINED_PAGES, 1);
	}
	if (!od->dead) {
		WRITE_ONCE(od->dead, true);
		ondemand_report(od, ONDEMAND_REPORT_DEAD);
	}
	list_kept(od, load->att, iova_of(load->att, chunk_nr, from),
		  (to - from + 1) * PAGE_SIZE);
}

/* Pages that are not in the domain any more, or that nothing can be done about. */
static void forget_loaded(struct ondemand_chunk *chunk,
			  struct ondemand_load *load, unsigned int from,
			  unsigned int to)
{
	const struct ondemand_attachment *att = load->att;
	unsigned int nr;

	for (nr = from; nr <= to; nr++) {
		__clear_bit(nr, load->loaded);
		__clear_bit(nr, load->starts);
		if (!__test_and_clear_bit(nr, load->writable))
			continue;
		__set_bit(nr, chunk->written);
		if (READ_ONCE(att->domain->dirty_tracking))
			__set_bit(nr, load->log);
	}
	/* What is left of an extent is one: else it would have no start. */
	if (to + 1 < ONDEMAND_CHUNK_PAGES && test_bit(to + 1, load->loaded))
		__set_bit(to + 1, load->starts);
}

/* Take out an extent. It may be more than that, and less than asked. */
static void unload_extent(struct ondemand *od, struct ondemand_chunk *chunk,
			  unsigned long chunk_nr, struct ondemand_load *load,
			  unsigned int from, unsigned int to)
{
	struct ondemand_attachment *att = load->att;
	bool again = false;

	while (from <= to) {
		unsigned long n = to - from + 1;
		struct netlink_unmap unmap = {
			.iova = iova_of(att, chunk_nr, from),
			.asked = n * PAGE_SIZE,
		};
		unsigned long got;

		unmap.done = att->domain->ops->unmap(att->domain, unmap.iova,
						     unmap.asked, &att->gather);
		got = unmap.done / PAGE_SIZE;
		trace_hwpt_unmap(att->domain->ctx_id, att->domain->hwpt_id,
				 unmap.iova, unmap.asked, got == n ? 0 : -EIO);
		if (list_empty(&att->unsynced))
			list_add(&att->unsynced, &od->unsynced);
		ondemand_count(od, ONDEMAND_HW_UNMAPS, 1);
		ondemand_count(od, ONDEMAND_HW_UNMAP_OVER, got > n);
		ondemand_count(od, ONDEMAND_HW_UNMAP_SHORT, got < n);
		if (got != n)
			ondemand_report_unmap(od, att->domain, &unmap);
		if (!got && !again) {
			again = true;
			continue;
		}
		if (!got) {
			keep_pages(od, chunk, chunk_nr, load, from, to);
			got = n;
		}
		got = min(got, ONDEMAND_CHUNK_PAGES - from);
		forget_loaded(chunk, load, from, from + got - 1);
		from += got;
	}
}

/* The last page of the extent that begins at @start */
static unsigned int extent_end(const struct ondemand_load *load,
			       unsigned int start)
{
	unsigned int hole = find_next_zero_bit(load->loaded,
					       ONDEMAND_CHUNK_PAGES, start);
	unsigned int next = find_next_bit(load->starts, ONDEMAND_CHUNK_PAGES,
					  start + 1);

	return min(hole, next) - 1;
}

static unsigned int extent_start(const struct ondemand_load *load,
				 unsigned int nr)
{
	while (!test_bit(nr, load->starts))
		nr--;
	return nr;
}

/*
 * Take out all extents that touch [from, to], or only those that can be written. Returns
 * whether more than that went.
 */
static bool unload_range(struct ondemand *od, struct ondemand_chunk *chunk,
			 unsigned long chunk_nr, struct ondemand_load *load,
			 unsigned int from, unsigned int to, bool writable_only)
{
	unsigned int nr = from;
	bool cut = false;

	for (;;) {
		unsigned int start, end;

		nr = find_next_bit(load->loaded, ONDEMAND_CHUNK_PAGES, nr);
		if (nr > to)
			return cut;
		start = extent_start(load, nr);
		end = extent_end(load, start);
		/* All of an extent have the same permissions. */
		if (!writable_only || test_bit(start, load->writable)) {
			unload_extent(od, chunk, chunk_nr, load, start, end);
			cut = cut || start < from || end > to;
		}
		nr = end + 1;
	}
}

static bool is_quiet(const struct ondemand_load *load)
{
	return time_after(jiffies, load->cut_at + CUTS_QUIET);
}

/* Most pages of an extent */
static unsigned long load_step(const struct ondemand_load *load)
{
	return load->cuts >= CUTS_MAX && !is_quiet(load) ? 1 : load->att->step;
}

/* Something has changed there. If all has, what comes is something new. */
static void note_cut(struct ondemand_load *load, unsigned long chunk_nr,
		     unsigned int from, unsigned int to, bool cut)
{
	const struct ondemand_attachment *att = load->att;
	unsigned int first, last;

	ondemand_chunk_part(chunk_nr, att->first, att->last, &first, &last);
	if (from <= first && to >= last) {
		load->cuts = 0;
	} else if (cut) {
		load->cuts = is_quiet(load) ? 1 : load->cuts + 1;
		load->cut_at = jiffies;
	}
}

static void sync_attachment(struct ondemand *od, struct ondemand_attachment *att)
{
	if (list_empty(&att->unsynced))
		return;
	att->domain->ops->sync(att->domain, &att->gather);
	list_del_init(&att->unsynced);
	ondemand_count(od, ONDEMAND_TLB_SYNCS, 1);
}

/**
 * ondemand_unload - take pages out of all domains
 * @od: the memory; its lock is held for writing
 * @first: first address
 * @last: last one
 * @keep_readable: take out what devices can write only
 * @may_sleep: between chunks
 *
 * No device reaches them when it returns, but those that are kept.
 *
 * Context: as who holds the lock; does not allocate.
 */
void ondemand_unload(struct ondemand *od, unsigned long first,
		     unsigned long last, bool keep_readable, bool may_sleep)
{
	struct ondemand_attachment *att, *next;
	struct ondemand_chunk *chunk;
	unsigned int from, to;
	struct rb_node *node;
	unsigned long nr;
	bool cut;

	lockdep_assert_held_write(&od->lock);
	if (RB_EMPTY_ROOT(&od->attachments))
		return;
	xa_for_each_range(&od->chunks, nr, chunk, ondemand_chunk_nr(first),
			  ondemand_chunk_nr(last)) {
		ondemand_chunk_part(nr, first, last, &from, &to);
		for (node = rb_first(&chunk->loads); node; node = rb_next(node)) {
			struct ondemand_load *load = load_of(node);

			cut = unload_range(od, chunk, nr, load, from, to,
					   keep_readable);
			note_cut(load, nr, from, to, cut);
		}
		if (may_sleep)
			cond_resched();
	}
	list_for_each_entry_safe(att, next, &od->unsynced, unsynced)
		sync_attachment(od, att);
}

/* ---- putting in ---- */

/**
 * ondemand_load_alloc - get ready to note what a domain has of a chunk
 *
 * Context: may sleep.
 * Return: something for ondemand_loading.spare, or NULL.
 */
struct ondemand_load *ondemand_load_alloc(void)
{
	return fail_alloc(kzalloc(sizeof(struct ondemand_load),
				  GFP_KERNEL_ACCOUNT));
}

/**
 * ondemand_load_free - undo ondemand_load_alloc()
 * @load: what it returned
 */
void ondemand_load_free(struct ondemand_load *load)
{
	kfree(load);
}

static struct ondemand_load *get_load(struct ondemand_chunk *chunk,
				      struct ondemand_attachment *att,
				      struct ondemand_load **spare)
{
	struct ondemand_load *load = ondemand_find_load(chunk, att);

	if (load)
		return load;
	load = *spare;
	*spare = NULL;
	load->att = att;
	rb_add(&load->node, &chunk->loads, load_is_less);
	return load;
}

/* Pages that are loaded by one call: to be written, or read only */
static bool goes_writable(const struct ondemand_loading *l,
			  const struct ondemand_chunk *chunk,
			  const struct ondemand_attachment *att, unsigned int nr)
{
	return l->write && nr >= l->first && nr <= l->last &&
	       (att->prot & DOMAIN_WRITE) && test_bit(nr, chunk->writable);
}

static int load_extent(struct ondemand *od, struct ondemand_chunk *chunk,
		       unsigned long chunk_nr, struct ondemand_load *load,
		       unsigned int from, unsigned int to, bool writable)
{
	struct ondemand_attachment *att = load->att;
	unsigned int prot = att->prot & (writable ? DOMAIN_READ | DOMAIN_WRITE :
						    DOMAIN_READ);
	unsigned int n = to - from + 1;
	int rc;

	/* What can be written only is of no use before it is written. */
	if (!prot)
		return 0;
	rc = fail_point(-ENOMEM) ?:
	     att->domain->ops->map_nowait(att->domain,
					  iova_of(att, chunk_nr, from),
					  PFN_PHYS(chunk->pfns[from]),
					  n * PAGE_SIZE, prot);
	trace_hwpt_map(att->domain->ctx_id, att->domain->hwpt_id,
		       iova_of(att, chunk_nr, from), n * PAGE_SIZE, rc);
	if (rc)
		return rc;
	ondemand_count(od, ONDEMAND_HW_MAPS, 1);
	bitmap_set(load->loaded, from, n);
	__set_bit(from, load->starts);
	if (writable)
		bitmap_set(load->writable, from, n);
	return 0;
}

/**
 * ondemand_load_pages - put pages of the table into a domain
 * @od: the memory; its lock is held for writing
 * @chunk: the chunk
 * @l: which pages, and where they go
 *
 * Pages that are not needed go along if they are there, for reading.
 *
 * Context: as who holds the lock; does not sleep.
 * Return: 0, also if they do not belong there any more; -ENOMEM; -EIO if a domain has kept
 * pages of this memory, or the domain pages of any, or does so now.
 */
int ondemand_load_pages(struct ondemand *od, struct ondemand_chunk *chunk,
			const struct ondemand_loading *l)
{
	unsigned long chunk_nr = ondemand_chunk_nr(l->address);
	unsigned long base = chunk_nr * ONDEMAND_CHUNK;
	struct ondemand_attachment *att;
	unsigned int nr, from, to, end;
	struct ondemand_load *load;
	unsigned long step;
	int rc = 0;

	lockdep_assert_held_write(&od->lock);
	if (od->dead)
		return -EIO;
	att = ondemand_find_attachment(od, l->domain, l->iova);
	/* Something else may have taken its place. */
	if (!att || att->first + (l->iova - att->iova) != l->address)
		return 0;
	/* Of other memory, maybe: what comes there would be kept as well. */
	if (READ_ONCE(att->domain->failed))
		return -EIO;
	load = get_load(chunk, att, l->spare);
	step = load_step(load);
	from = att->first > base + l->from * PAGE_SIZE ?
	       ondemand_page_nr(att->first) : l->from;
	to = att->last < base + l->to * PAGE_SIZE ?
	     ondemand_page_nr(att->last) : l->to;

	for (nr = from; nr <= to && !rc; nr = end + 1) {
		bool writable = goes_writable(l, chunk, att, nr);

		end = nr;
		if (!test_bit(nr, chunk->present))
			continue;
		if (test_bit(nr, load->loaded)) {
			if (!writable || test_bit(nr, load->writable))
				continue;
			unload_range(od, chunk, chunk_nr, load, nr, nr, false);
			sync_attachment(od, att);
			if (od->dead)
				return -EIO;
		}
		while (end < to && end - nr + 1 < step &&
		       test_bit(end + 1, chunk->present) &&
		       !test_bit(end + 1, load->loaded) &&
		       chunk->pfns[end + 1] == chunk->pfns[end] + 1 &&
		       goes_writable(l, chunk, att, end + 1) == writable)
			end++;
		rc = load_extent(od, chunk, chunk_nr, load, nr, end, writable);
		/* Those that are needed are what counts. */
		if (rc && (end < l->first || nr > l->last))
			rc = 0;
	}
	return rc;
}

/* ---- life ---- */

/**
 * ondemand_attach - let a domain have pages of memory
 * @od: the memory
 * @domain: the domain; nothing is mapped in it there
 * @iova: where the first address goes
 * @address: first address
 * @length: bytes, whole pages
 * @prot: DOMAIN_READ, DOMAIN_WRITE
 * @step: most pages that are put there together, at least 1
 *
 * They are put there when a device asks for them.
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int ondemand_attach(struct ondemand *od, struct domain *domain,
		    unsigned long iova, unsigned long address,
		    unsigned long length, unsigned int prot, unsigned long step)
{
	struct ondemand_attachment *att =
		fail_alloc(kzalloc(sizeof(*att), GFP_KERNEL_ACCOUNT));

	if (!att)
		return -ENOMEM;
	att->od = od;
	att->refs = 1;
	att->domain = domain;
	att->iova = iova;
	att->first = address;
	att->last = address + length - 1;
	att->prot = prot;
	att->step = step;
	domain_gather_init(&att->gather);
	att->gather.nowait = true;
	INIT_LIST_HEAD(&att->unsynced);
	down_write(&od->lock);
	rb_add(&att->node, &od->attachments, attachment_is_less);
	up_write(&od->lock);
	return 0;
}

/* Take the notes of an attachment about a chunk away; it has nothing of it. */
static void remove_load(struct ondemand_chunk *chunk,
			const struct ondemand_attachment *att)
{
	struct ondemand_load *load = ondemand_find_load(chunk, att);

	if (!load)
		return;
	rb_erase(&load->node, &chunk->loads);
	ondemand_load_free(load);
}

/* The lock is held for writing. */
static void put_attachment(struct ondemand *od, struct ondemand_attachment *att)
{
	struct ondemand_chunk *chunk;
	unsigned long nr;

	if (--att->refs)
		return;
	xa_for_each_range(&od->chunks, nr, chunk, ondemand_chunk_nr(att->first),
			  ondemand_chunk_nr(att->last)) {
		remove_load(chunk, att);
		cond_resched();
	}
	kfree(att);
}

/**
 * ondemand_detach - undo ondemand_attach()
 * @od: the memory
 * @domain: the domain
 * @iova: as there
 *
 * What the domain does not let go of is kept, and the memory with it, until
 * ondemand_release_kept().
 *
 * Context: may sleep. Cannot fail.
 */
void ondemand_detach(struct ondemand *od, const struct domain *domain,
		     unsigned long iova)
{
	struct ondemand_attachment *att;
	struct ondemand_chunk *chunk;
	unsigned long nr;

	down_write(&od->lock);
	att = ondemand_find_attachment(od, domain, iova);
	xa_for_each_range(&od->chunks, nr, chunk, ondemand_chunk_nr(att->first),
			  ondemand_chunk_nr(att->last)) {
		struct ondemand_load *load = ondemand_find_load(chunk, att);

		if (load)
			unload_range(od, chunk, nr, load, 0,
				     ONDEMAND_CHUNK_PAGES - 1, false);
		cond_resched();
	}
	sync_attachment(od, att);
	rb_erase(&att->node, &od->attachments);
	put_attachment(od, att);
	up_write(&od->lock);
}

/* ---- chunks that go ---- */

/**
 * ondemand_has_notes - whether there is more to a chunk than what can be found again
 * @chunk: the chunk; the lock of its memory is held
 *
 * Return: whether a domain has kept pages, or what devices have written is still to be
 * read out.
 */
bool ondemand_has_notes(const struct ondemand_chunk *chunk)
{
	const struct rb_node *node;

	for (node = rb_first(&chunk->loads); node; node = rb_next(node)) {
		const struct ondemand_load *load = load_of(node);

		if (!bitmap_empty(load->kept, ONDEMAND_CHUNK_PAGES) ||
		    !bitmap_empty(load->log, ONDEMAND_CHUNK_PAGES))
			return true;
	}
	return false;
}

/**
 * ondemand_free_loads - forget that domains have nothing of a chunk
 * @chunk: a chunk that is in no table, of which there is nothing to be noted
 */
void ondemand_free_loads(struct ondemand_chunk *chunk)
{
	struct ondemand_load *load, *next;

	rbtree_postorder_for_each_entry_safe(load, next, &chunk->loads, node)
		ondemand_load_free(load);
}

/* ---- what was kept ---- */

/* Of one chunk. A page may be locked by who waits for our lock: it is not held here. */
static void release_chunk(struct ondemand_attachment *att,
			  struct ondemand_chunk *chunk)
{
	DECLARE_BITMAP(kept, ONDEMAND_CHUNK_PAGES);
	DECLARE_BITMAP(dirty, ONDEMAND_CHUNK_PAGES);
	struct ondemand *od = att->od;
	struct ondemand_load *load;
	unsigned int nr;

	down_write(&od->lock);
	load = ondemand_find_load(chunk, att);
	if (load) {
		bitmap_copy(kept, load->kept, ONDEMAND_CHUNK_PAGES);
		bitmap_copy(dirty, load->kept_writable, ONDEMAND_CHUNK_PAGES);
		bitmap_zero(load->kept, ONDEMAND_CHUNK_PAGES);
		bitmap_zero(load->kept_writable, ONDEMAND_CHUNK_PAGES);
	}
	up_write(&od->lock);
	if (!load)
		return;
	/* In dead memory no page takes the place of another. */
	for_each_set_bit(nr, kept, ONDEMAND_CHUNK_PAGES) {
		struct page *page = pfn_to_page(chunk->pfns[nr]);

		/* Written until just now, when the process had said good-bye to it. */
		if (test_bit(nr, dirty))
			set_page_dirty_lock(page);
		put_page(page);
	}
	ondemand_count(od, ONDEMAND_DIRTIED_PAGES,
		       bitmap_weight(dirty, ONDEMAND_CHUNK_PAGES));
	ondemand_count(od, ONDEMAND_QUARANTINED_PAGES,
		       -(s64)bitmap_weight(kept, ONDEMAND_CHUNK_PAGES));
}

/* It comes back to the list if its domain keeps more from now on. */
static void release_attachment(struct ondemand_attachment *att)
{
	struct ondemand *od = att->od;
	struct ondemand_chunk *chunk;
	unsigned long nr;

	down_write(&od->lock);
	att->listed = false;
	up_write(&od->lock);
	xa_for_each_range(&od->chunks, nr, chunk, ondemand_chunk_nr(att->first),
			  ondemand_chunk_nr(att->last)) {
		/* It may have gone, but has then kept nothing. */
		chunk = ondemand_chunk_find(od, nr);
		if (!chunk)
			continue;
		release_chunk(att, chunk);
		ondemand_chunk_put(chunk);
		cond_resched();
	}
	down_write(&od->lock);
	put_attachment(od, att);
	up_write(&od->lock);
	ondemand_put(od);
}

/**
 * ondemand_release_kept - give pages back that a domain has kept
 * @domain: the domain; no device uses it from the call on
 *
 * Context: may sleep; no lock is held that notifications take, nor a page locked.
 */
void ondemand_release_kept(struct domain *domain)
{
	struct llist_node *list = llist_del_all(&domain->kept);
	struct ondemand_attachment *att, *next;

	llist_for_each_entry_safe(att, next, list, kept)
		release_attachment(att);
}

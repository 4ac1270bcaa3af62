// SPDX-License-Identifier: GPL-2.0-only
/*
 * Address spaces of an IOTLB, each with two tables: the one that readers see, and one that
 * is empty, or being emptied. To take everything away at once is to let them change
 * places, however much there is.
 */
#include "iotlb_table.h"

#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "private.h"
#include "trace.h"

/* A table with more is not emptied, but replaced by an empty one. */
#define FLUSH_IN_PLACE_MAX 64

/* ---- lookup ---- */

/* Under RCU. @out gets the bounds. */
static struct iotlb_entry *find_entry(const struct iotlb_tree *tree, u64 iova,
				      struct iotlb_translation *out)
{
	struct iotlb_entry *entry = NULL, *before;

	do {
		before = entry;
		entry = iotlb_tree_find(tree, iova);
		if (!entry)
			return NULL;
		out->first = READ_ONCE(entry->first);
		out->last = READ_ONCE(entry->last);
		if (out->first <= iova && out->last >= iova)
			return entry;
		/*
		 * Was it made shorter since it was found, then what has come in its place
		 * is there. Pairs with what cut_split() and cut_finish() do last.
		 */
		smp_rmb();
	} while (entry != before);
	return NULL;
}

/**
 * iotlb_look - find what an IOVA is translated to, as it was at some generation or later
 * @space: the address space
 * @iova: the IOVA
 * @out: gets the translation, but for its generation; without permission, there is none
 * @reference: it is used
 *
 * Context: any but NMI. The reader is in its gate, or wlock or the lock of the channel is
 * held.
 * Return: whether there is an entry.
 */
bool iotlb_look(struct iotlb_space *space, u64 iova,
		struct iotlb_translation *out, bool reference)
{
	struct iotlb_entry *entry;

	rcu_read_lock();
	entry = find_entry(&rcu_dereference(space->table)->map, iova, out);
	if (entry) {
		out->delta = entry->delta;
		out->perm = READ_ONCE(entry->perm);
		if (reference && !READ_ONCE(entry->ref))
			WRITE_ONCE(entry->ref, 1);
	}
	rcu_read_unlock();
	return entry;
}

/**
 * iotlb_lookup - find what an IOVA is translated to now
 * @space: the address space
 * @iova: the IOVA
 * @out: gets the translation; without permission, there is none
 *
 * Context: as iotlb_look().
 * Return: whether there is an entry.
 */
bool iotlb_lookup(struct iotlb_space *space, u64 iova,
		  struct iotlb_translation *out)
{
	/* Before the map: a later removal raises it beyond what is noted here. */
	out->gen = smp_load_acquire(&space->gen);
	return iotlb_look(space, iova, out, false);
}

/**
 * iotlb_gap - how far there is nothing else to be translated
 * @space: the address space
 * @iova: an IOVA without an entry, or with one that does not do
 * @most: bytes of interest, at least 1
 *
 * Context: any but NMI.
 * Return: bytes up to the next entry, or the end of the one at @iova; 1 to @most.
 */
u64 iotlb_gap(struct iotlb_space *space, u64 iova, u64 most)
{
	struct iotlb_entry *entry;
	u64 end = iova + most - 1;

	rcu_read_lock();
	entry = iotlb_tree_next(&rcu_dereference(space->table)->map, iova, end);
	if (entry) {
		u64 first = READ_ONCE(entry->first);

		end = min(end, first > iova ? first - 1 : READ_ONCE(entry->last));
	}
	rcu_read_unlock();
	return end - iova + 1;
}

/* ---- flush ---- */

static struct iotlb_table *other_table(struct iotlb_space *space)
{
	return &space->tables[iotlb_space_table(space) == &space->tables[0]];
}

static void table_init(struct iotlb_table *table)
{
	RCU_INIT_POINTER(table->map.root, NULL);
	INIT_LIST_HEAD(&table->clock);
	INIT_LIST_HEAD(&table->pinned);
	table->nr = 0;
}

static void free_entries(struct list_head *list)
{
	struct iotlb_entry *entry, *next;

	list_for_each_entry_safe(entry, next, list, link) {
		iotlb_entry_free(entry);
		cond_resched();
	}
}

/* Nobody can see the table any more, once a grace period is over. */
static void retire_work(struct work_struct *work)
{
	struct iotlb_space *space =
		container_of(work, struct iotlb_space, retire);
	struct iotlb *iotlb = space->iotlb;
	struct iotlb_table *table;

	synchronize_rcu();
	mutex_lock(&iotlb->wlock);
	table = other_table(space);
	mutex_unlock(&iotlb->wlock);
	free_entries(&table->clock);
	iotlb_tree_destroy(&table->map);
	table_init(table);
	mutex_lock(&iotlb->wlock);
	space->retired = false;
	mutex_unlock(&iotlb->wlock);
}

/* Pinned entries go over to the other table. Returns whether they could. */
static bool move_pinned(struct iotlb_table *from, struct iotlb_table *to)
{
	struct iotlb_entry *entry;

	list_for_each_entry(entry, &from->pinned, link) {
		if (iotlb_tree_store(&to->map, entry, GFP_KERNEL)) {
			iotlb_tree_destroy(&to->map);
			return false;
		}
		to->nr++;
	}
	from->nr -= to->nr;
	list_splice_init(&from->pinned, &to->pinned);
	return true;
}

/*
 * A table of any size goes at once; what is in it is freed later. Returns whether there
 * was memory for what stays.
 */
static bool swap_tables(struct iotlb_space *space, bool pinned)
{
	struct iotlb_table *from = iotlb_space_table(space), *to = other_table(space);
	struct iotlb *iotlb = space->iotlb;
	struct iotlb_entry *entry;

	if (pinned) {
		list_for_each_entry(entry, &from->pinned, link)
			iotlb->nr_pinned--;
		list_splice_tail_init(&from->pinned, &from->clock);
	} else if (!move_pinned(from, to)) {
		to->nr = 0;
		iotlb->counts[IOMMUKIT_IOTLB_STAT_FALLBACKS]++;
		return false;
	}
	iotlb->nr_entries -= from->nr;
	iotlb->counts[IOMMUKIT_IOTLB_STAT_REMOVED] += from->nr;
	rcu_assign_pointer(space->table, to);
	space->retired = true;
	queue_work(iotlb_wq, &space->retire);
	return true;
}

/* Wait until there is an empty table to go over to. Returns with wlock held. */
static int lock_for_flush(struct iotlb_space *space)
{
	struct iotlb *iotlb = space->iotlb;

	for (;;) {
		if (mutex_lock_killable(&iotlb->wlock))
			return -EINTR;
		if (!space->retired)
			return 0;
		mutex_unlock(&iotlb->wlock);
		flush_work(&space->retire);
	}
}

/**
 * iotlb_table_flush - take all translations away
 * @space: the address space
 * @pinned: pinned ones as well
 * @changes: gets what readers have still to be waited for
 *
 * Context: may sleep; no lock is held, nor a gate.
 * Return: 0; -EINTR on a fatal signal; with @pinned, -ENOMEM. On failure nothing has
 * changed.
 */
int iotlb_table_flush(struct iotlb_space *space, bool pinned,
		      struct iotlb_changes *changes)
{
	struct iotlb *iotlb = space->iotlb;
	int rc = lock_for_flush(space);

	if (rc)
		return rc;
	if (iotlb_space_table(space)->nr <= FLUSH_IN_PLACE_MAX ||
	    !swap_tables(space, pinned)) {
		rc = iotlb_invalidate_locked(space, 0, U64_MAX, pinned, changes);
	} else {
		iotlb_log_removal(space, 0, U64_MAX, changes);
		iotlb_raise_gen(space);
		iotlb_changes_add(iotlb, changes, space, 0, U64_MAX);
		trace_iotlb_invalidate(iotlb->ctx->id, iotlb->obj.id,
				       space->asid, 0, U64_MAX, 0, 0, 0);
	}
	if (!rc)
		iotlb->counts[IOMMUKIT_IOTLB_STAT_FLUSHES]++;
	mutex_unlock(&iotlb->wlock);
	if (!rc)
		iotlb_miss_drop_prefetches(space);
	return rc;
}

/* ---- dump ---- */

/**
 * iotlb_table_dump - list entries
 * @space: the address space
 * @first: first IOVA of interest; gets where to go on
 * @last: last one
 * @out: gets them, or NULL to count them
 * @max: how many at most; fewer: there are no more
 * @changes: gets how many changes there were before, or NULL
 *
 * Context: may sleep; wlock is not held.
 * Return: how many there were.
 */
unsigned int iotlb_table_dump(struct iotlb_space *space, u64 *first, u64 last,
			      struct iommukit_iotlb_entry *out,
			      unsigned int max, u32 *changes)
{
	struct iotlb_entry *entry;
	unsigned int nr = 0;

	mutex_lock(&space->iotlb->wlock);
	if (changes)
		*changes = space->iotlb->changes;
	iotlb_tree_for_each(&iotlb_space_table(space)->map, entry, *first, last) {
		if (out)
			out[nr] = (struct iommukit_iotlb_entry){
				.first = entry->first,
				.last = entry->last,
				.target = entry->perm ?
					  entry->first + entry->delta : 0,
				.perm = entry->perm,
				.flags = entry->flags |
					 (READ_ONCE(entry->ref) ?
					  IOMMUKIT_IOTLB_ENTRY_REFERENCED : 0),
				.asid = entry->asid,
			};
		*first = entry->last + 1;
		if (++nr == max)
			break;
	}
	mutex_unlock(&space->iotlb->wlock);
	return nr;
}

/* ---- life ---- */

/**
 * iotlb_space_init - make an address space that has no entries
 * @space: zeroed
 * @iotlb: its IOTLB
 * @asid: its number
 */
void iotlb_space_init(struct iotlb_space *space, struct iotlb *iotlb, u32 asid)
{
	space->iotlb = iotlb;
	space->asid = asid;
	space->gen = 1;
	space->inval_seq = 1;
	INIT_LIST_HEAD(&space->readers);
	spin_lock_init(&space->readers_lock);
	atomic64_set(&space->epoch, IOTLB_EPOCH_FIRST);
	init_waitqueue_head(&space->drained);
	INIT_WORK(&space->retire, retire_work);
	table_init(&space->tables[0]);
	table_init(&space->tables[1]);
	RCU_INIT_POINTER(space->table, &space->tables[0]);
}

/**
 * iotlb_space_free - end an address space
 * @space: one without readers, that nobody changes any more
 *
 * Context: may sleep.
 */
void iotlb_space_free(struct iotlb_space *space)
{
	struct iotlb_table *table;

	cancel_work_sync(&space->retire);
	for (table = space->tables; table < space->tables + 2; table++) {
		iotlb_tree_destroy(&table->map);
		free_entries(&table->clock);
		free_entries(&table->pinned);
	}
	kfree(space);
}

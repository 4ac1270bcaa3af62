// SPDX-License-Identifier: GPL-2.0-only
/*
 * Address spaces of an IOTLB, each with two tables: the one that readers see, and one that
 * is empty, or being emptied. To take everything away at once is to let them change
 * places, however much there is.
 */
#include "iotlb_table.h"

#include <linux/rcupdate.h>
#include <linux/slab.h>

/* A table with more is not emptied, but replaced by an empty one. */
#define FLUSH_IN_PLACE_MAX 64

/* ---- lookup ---- */

/**
 * iotlb_lookup - find what an IOVA is translated to
 * @space: the address space
 * @iova: the IOVA
 * @out: gets the translation; without permission, there is none
 * @reference: it is used
 *
 * Context: any but NMI. The reader is in its gate, or wlock or the lock of the channel is
 * held.
 * Return: whether there is an entry.
 */
bool iotlb_lookup(struct iotlb_space *space, u64 iova,
		  struct iotlb_translation *out, bool reference)
{
	struct iotlb_entry *entry;
	struct iotlb_table *table;

	/* Before the map: a later removal raises it beyond what is noted here. */
	out->gen = smp_load_acquire(&space->gen);
	rcu_read_lock();
	table = rcu_dereference(space->table);
	{
		MA_STATE(mas, &table->map, iova, iova);

		entry = mas_walk(&mas);
		if (entry && READ_ONCE(entry->dead))
			entry = NULL;
		if (entry) {
			out->first = mas.index;
			out->last = mas.last;
			out->delta = entry->delta;
			out->perm = READ_ONCE(entry->perm);
			if (reference && !READ_ONCE(entry->ref))
				WRITE_ONCE(entry->ref, 1);
		}
	}
	rcu_read_unlock();
	return entry;
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
	{
		MA_STATE(mas, &rcu_dereference(space->table)->map, iova, iova);

		mas_for_each(&mas, entry, end) {
			if (READ_ONCE(entry->dead))
				continue;
			end = mas.index > iova ? mas.index - 1 :
						 min_t(u64, mas.last, end);
			break;
		}
	}
	rcu_read_unlock();
	return end - iova + 1;
}

/* ---- flush ---- */

static struct iotlb_table *other_table(struct iotlb_space *space)
{
	return &space->tables[iotlb_space_table(space) == &space->tables[0]];
}

/*
 * The gaps are of no interest. But of a node without, the kernel takes the last slot,
 * where it has noted how many are used, for a node when it frees a subtree of four levels
 * after a grace period: so it does for whatever a large store covers. Seen in 6.1 to 7.2.
 */
static void table_init(struct iotlb_space *space, struct iotlb_table *table)
{
	mt_init_flags(&table->map, MT_FLAGS_ALLOC_RANGE | MT_FLAGS_USE_RCU |
				   MT_FLAGS_LOCK_EXTERN);
	mt_set_external_lock(&table->map, &space->iotlb->wlock);
	INIT_LIST_HEAD(&table->clock);
	INIT_LIST_HEAD(&table->pinned);
	table->nr = 0;
	table->nr_dead = 0;
}

/* Nobody can see the map; wlock is held. */
static void map_destroy(struct iotlb_table *table)
{
	mt_clear_in_rcu(&table->map);
	__mt_destroy(&table->map);
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
	mutex_lock(&iotlb->wlock);
	map_destroy(table);
	table_init(space, table);
	space->retired = false;
	mutex_unlock(&iotlb->wlock);
}

/* Pinned entries go over to the other table. Returns whether they could. */
static bool move_pinned(struct iotlb_space *space, struct iotlb_table *from,
			struct iotlb_table *to)
{
	struct iotlb_entry *entry, *next;

	list_for_each_entry(entry, &from->pinned, link) {
		if (entry->dead ||
		    !iotlb_map_store(to, entry->first, entry->last, entry,
				     GFP_KERNEL))
			continue;
		map_destroy(to);
		table_init(space, to);
		return false;
	}
	list_for_each_entry_safe(entry, next, &from->pinned, link) {
		if (entry->dead) {
			list_move_tail(&entry->link, &from->clock);
			continue;
		}
		list_move_tail(&entry->link, &to->pinned);
		from->nr--;
		to->nr++;
	}
	return true;
}

static void kill_unpinned(struct iotlb_space *space)
{
	struct iotlb_table *table = iotlb_space_table(space);
	struct iotlb_entry *entry;

	list_for_each_entry(entry, &table->clock, link)
		iotlb_entry_kill(space->iotlb, table, entry);
	queue_work(iotlb_late_wq, &space->iotlb->late);
}

/* A table of any size goes at once; what is in it is freed later. */
static void swap_tables(struct iotlb_space *space, bool pinned)
{
	struct iotlb_table *from = iotlb_space_table(space), *to = other_table(space);
	struct iotlb *iotlb = space->iotlb;
	struct iotlb_entry *entry;

	if (pinned) {
		list_for_each_entry(entry, &from->pinned, link)
			iotlb->nr_pinned -= !entry->dead;
		list_splice_tail_init(&from->pinned, &from->clock);
	} else if (!move_pinned(space, from, to)) {
		kill_unpinned(space);
		return;
	}
	iotlb->nr_entries -= from->nr;
	iotlb->counts[IOMMUKIT_IOTLB_STAT_REMOVED] += from->nr;
	rcu_assign_pointer(space->table, to);
	space->retired = true;
	queue_work(iotlb_wq, &space->retire);
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
	struct iotlb_table *table;
	int rc = lock_for_flush(space);

	if (rc)
		return rc;
	table = iotlb_space_table(space);
	if (table->nr + table->nr_dead <= FLUSH_IN_PLACE_MAX) {
		rc = iotlb_invalidate_locked(space, 0, U64_MAX, pinned, changes);
	} else {
		iotlb_log_removal(space, 0, U64_MAX, changes);
		swap_tables(space, pinned);
		iotlb_raise_gen(space);
		iotlb_changes_add(iotlb, changes, space, 0, U64_MAX);
	}
	if (!rc)
		iotlb->counts[IOMMUKIT_IOTLB_STAT_FLUSHES]++;
	mutex_unlock(&iotlb->wlock);
	if (!rc)
		iotlb_miss_drop_prefetches(space);
	return rc;
}

/* Of what cannot be erased even now nobody is in a hurry. */
static void repair_list(struct iotlb_space *space, struct list_head *list)
{
	struct iotlb_table *table = iotlb_space_table(space);
	struct iotlb_entry *entry, *next;

	list_for_each_entry_safe(entry, next, list, link) {
		MA_STATE(mas, &table->map, entry->first, entry->last);

		if (!entry->dead)
			continue;
		if (mas_store_gfp(&mas, NULL, GFP_REMOVE))
			break;
		iotlb_entry_remove(space->iotlb, table, entry);
	}
}

/**
 * iotlb_table_repair - take dead entries out
 * @space: the address space
 *
 * Context: may sleep; wlock is not held.
 */
void iotlb_table_repair(struct iotlb_space *space)
{
	struct iotlb *iotlb = space->iotlb;
	struct iotlb_table *table;

	mutex_lock(&iotlb->wlock);
	table = iotlb_space_table(space);
	if (table->nr_dead) {
		repair_list(space, &table->clock);
		repair_list(space, &table->pinned);
	}
	mutex_unlock(&iotlb->wlock);
}

/* ---- dump ---- */

/**
 * iotlb_table_dump - list entries
 * @space: the address space
 * @first: first IOVA of interest; gets where to go on
 * @last: last one
 * @out: gets them, or NULL to count them
 * @max: how many at most; fewer: there are no more
 *
 * Context: may sleep; wlock is not held.
 * Return: how many there were.
 */
unsigned int iotlb_table_dump(struct iotlb_space *space, u64 *first, u64 last,
			      struct iommukit_iotlb_entry *out,
			      unsigned int max)
{
	struct iotlb_entry *entry;
	unsigned int nr = 0;

	mutex_lock(&space->iotlb->wlock);
	{
		MA_STATE(mas, &iotlb_space_table(space)->map, *first, *first);

		mas_for_each(&mas, entry, last) {
			if (entry->dead)
				continue;
			if (out)
				out[nr] = (struct iommukit_iotlb_entry){
					.first = mas.index,
					.last = mas.last,
					.target = entry->perm ?
						  mas.index + entry->delta : 0,
					.perm = entry->perm,
					.flags = entry->flags |
						 (READ_ONCE(entry->ref) ?
						  IOMMUKIT_IOTLB_ENTRY_REFERENCED : 0),
					.asid = entry->asid,
				};
			*first = mas.last + 1;
			if (++nr == max)
				break;
		}
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
	atomic64_set(&space->epoch, 1);
	init_waitqueue_head(&space->drained);
	INIT_WORK(&space->retire, retire_work);
	table_init(space, &space->tables[0]);
	table_init(space, &space->tables[1]);
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
	struct iotlb *iotlb = space->iotlb;
	struct iotlb_table *table;

	cancel_work_sync(&space->retire);
	for (table = space->tables; table < space->tables + 2; table++) {
		mutex_lock(&iotlb->wlock);
		map_destroy(table);
		mutex_unlock(&iotlb->wlock);
		free_entries(&table->clock);
		free_entries(&table->pinned);
	}
	kfree(space);
}

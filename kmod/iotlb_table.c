// SPDX-License-Identifier: GPL-2.0-only
/*
 * The entries of an IOTLB: a map for each address space, that readers walk under RCU and
 * one writer at a time changes under wlock.
 *
 * An entry lies in one place. Before something is stored in the middle of one its right
 * part gets an entry of its own; if what follows fails, that is a split which nobody
 * notices.
 *
 * What removes a translation cannot fail for want of memory: to take an entry out, or to
 * make it shorter, needs none. What is right of a hole may get lost.
 *
 * A generation tells readers that what they have kept may be wrong. It is raised after
 * the map was changed, and they look at it before they look into the map.
 */
#include "iotlb_table.h"

#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "fail.h"
#include "private.h"
#include "trace.h"

/* So many wait for a grace period before whoever makes more waits for it. */
#define DEFERRED_MAX 65536

static struct kmem_cache *entry_cache;
atomic_long_t iotlb_nr_deferred;

/* ---- entries ---- */

static struct iotlb_entry *entry_alloc(void)
{
	return fail_alloc(kmem_cache_zalloc(entry_cache, GFP_KERNEL_ACCOUNT));
}

static void entry_free_rcu(struct rcu_head *rcu)
{
	kmem_cache_free(entry_cache, container_of(rcu, struct iotlb_entry, rcu));
	atomic_long_dec(&iotlb_nr_deferred);
}

/**
 * iotlb_entry_free - free an entry that no reader can see
 * @entry: the entry
 */
void iotlb_entry_free(struct iotlb_entry *entry)
{
	kmem_cache_free(entry_cache, entry);
}

static void entry_retire(struct iotlb_entry *entry)
{
	list_del(&entry->link);
	atomic_long_inc(&iotlb_nr_deferred);
	call_rcu(&entry->rcu, entry_free_rcu);
}

/**
 * iotlb_deferred - entries and nodes of trees that wait for a grace period
 *
 * Return: how many, of all IOTLBs.
 */
u64 iotlb_deferred(void)
{
	return atomic_long_read(&iotlb_nr_deferred);
}

/**
 * iotlb_throttle - keep a flood of changes from outrunning RCU
 *
 * Context: may sleep; wlock is not held.
 */
void iotlb_throttle(void)
{
	if (atomic_long_read(&iotlb_nr_deferred) > DEFERRED_MAX)
		rcu_barrier();
}

static bool entry_is_negative(const struct iotlb_entry *entry)
{
	return entry->flags & IOMMUKIT_IOTLB_ENTRY_NEGATIVE;
}

static void table_count(struct iotlb *iotlb, struct iotlb_table *table,
			const struct iotlb_entry *entry, int by)
{
	table->nr += by;
	iotlb->nr_entries += by;
	iotlb->changes++;
	if (entry_is_pinned(entry))
		iotlb->nr_pinned += by;
	if (iotlb->nr_entries > iotlb->counts[IOMMUKIT_IOTLB_STAT_MAX_ENTRIES])
		iotlb->counts[IOMMUKIT_IOTLB_STAT_MAX_ENTRIES] =
			iotlb->nr_entries;
}

/* An entry that is not in the map any more is freed once no reader can see it. */
static void entry_remove(struct iotlb *iotlb, struct iotlb_table *table,
			 struct iotlb_entry *entry)
{
	table_count(iotlb, table, entry, -1);
	entry_retire(entry);
}

/* ---- what is about to be replaced ---- */

/**
 * struct cut - Entries in the way of a store to [first, last]
 * @covered: those that lie in it, taken from their lists
 * @left: one that begins before it, or NULL
 * @right: one that ends behind it, or NULL; may be the same
 */
struct cut {
	struct list_head covered;
	struct iotlb_entry *left;
	struct iotlb_entry *right;
};

static void cut_collect(struct iotlb_table *table, u64 first, u64 last,
			struct cut *cut)
{
	struct iotlb_entry *entry;

	INIT_LIST_HEAD(&cut->covered);
	cut->left = NULL;
	cut->right = NULL;
	iotlb_tree_for_each(&table->map, entry, first, last) {
		if (entry->first < first)
			cut->left = entry;
		if (entry->last > last)
			cut->right = entry;
		if (entry->first >= first && entry->last <= last)
			list_move_tail(&entry->link, &cut->covered);
		cond_resched();
	}
}

static bool cut_is_empty(const struct cut *cut)
{
	return !cut->left && !cut->right && list_empty(&cut->covered);
}

static bool cut_splits(const struct cut *cut)
{
	return cut->left && cut->left == cut->right;
}

static void cut_undo(struct iotlb_table *table, struct cut *cut)
{
	struct iotlb_entry *entry, *next;

	list_for_each_entry_safe_reverse(entry, next, &cut->covered, link)
		list_move(&entry->link, entry_is_pinned(entry) ? &table->pinned :
							   &table->clock);
}

/*
 * Give what is right of @last an entry of its own. On success that is what the cut has
 * to its right, and the entry that was split ends at @last.
 */
static int cut_split(struct iotlb *iotlb, struct iotlb_table *table,
		     struct cut *cut, u64 last)
{
	struct iotlb_entry *entry = cut->right, *spare = entry_alloc();
	int rc;

	if (!spare)
		return -ENOMEM;
	spare->delta = entry->delta;
	spare->perm = entry->perm;
	spare->flags = entry->flags;
	spare->ref = entry->ref;
	spare->asid = entry->asid;
	spare->first = last + 1;
	spare->last = entry->last;
	rc = iotlb_tree_store(&table->map, spare, GFP_KERNEL_ACCOUNT);
	if (rc) {
		kmem_cache_free(entry_cache, spare);
		return rc;
	}
	/* Who sees that it is shorter finds the spare one. */
	smp_store_release(&entry->last, last);
	list_add(&spare->link, &entry->link);
	table_count(iotlb, table, spare, 1);
	cut->right = spare;
	return 0;
}

/* The store was made. Returns how many entries are gone. */
static unsigned int cut_finish(struct iotlb *iotlb, struct iotlb_table *table,
			       struct cut *cut, u64 first, u64 last)
{
	struct iotlb_entry *entry, *next;
	unsigned int nr = 0;

	if (cut->left) {
		/* Who sees that an entry is shorter finds what has come in its place. */
		smp_store_release(&cut->left->last, first - 1);
		iotlb->counts[IOMMUKIT_IOTLB_STAT_TRIMS]++;
	}
	if (cut->right && cut->right->first <= last) {
		/* The same. */
		smp_store_release(&cut->right->first, last + 1);
		iotlb->counts[IOMMUKIT_IOTLB_STAT_TRIMS]++;
	}
	list_for_each_entry_safe(entry, next, &cut->covered, link) {
		entry_remove(iotlb, table, entry);
		nr++;
		cond_resched();
	}
	return nr;
}

/* ---- eviction ---- */

/* Whether an entry is to be spared, this time or for good. */
static bool is_spared(const struct iotlb *iotlb, struct iotlb_entry *entry,
		      bool protect, u64 first, u64 last)
{
	if (protect && entry->first <= last && entry->last >= first)
		return true;
	if (iotlb->evict_policy != IOMMUKIT_IOTLB_EVICT_CLOCK ||
	    !READ_ONCE(entry->ref))
		return false;
	WRITE_ONCE(entry->ref, 0);
	return true;
}

/* [first, last] is not to be touched if @protect. */
static bool evict_from(struct iotlb_space *space, bool protect, u64 first,
		       u64 last)
{
	struct iotlb_table *table = iotlb_space_table(space);
	struct iotlb *iotlb = space->iotlb;
	/* Once to take the references away, and once to find one without. */
	u64 budget = 2ULL * table->nr;
	struct iotlb_entry *entry;

	for (; budget && !list_empty(&table->clock); budget--) {
		entry = list_first_entry(&table->clock, struct iotlb_entry,
					 link);
		if (is_spared(iotlb, entry, protect, first, last)) {
			list_move_tail(&entry->link, &table->clock);
			continue;
		}
		iotlb->counts[IOMMUKIT_IOTLB_STAT_EVICTIONS]++;
		iotlb_tree_erase(&table->map, entry->first, entry->last);
		entry_remove(iotlb, table, entry);
		return true;
	}
	return false;
}

/* One address space after the other gives one. @protected gives none of a range. */
static bool evict_one(struct iotlb *iotlb, const struct iotlb_space *protected,
		      u64 first, u64 last)
{
	unsigned long asid = iotlb->hand;
	struct iotlb_space *space;
	int turn;

	lockdep_assert_held(&iotlb->wlock);
	if (iotlb->evict_policy == IOMMUKIT_IOTLB_EVICT_NONE)
		return false;
	/* From the hand to the end, then from the beginning. */
	for (turn = 0; turn < 2; turn++, asid = 0) {
		xa_for_each_start(&iotlb->spaces, asid, space, asid) {
			if (!evict_from(space, space == protected, first, last))
				continue;
			iotlb->hand = asid + 1;
			return true;
		}
	}
	return false;
}

/* Whether @more entries fit in, if need be without others that are not in a range. */
static bool make_room(struct iotlb_space *space, u64 first, u64 last, int more)
{
	struct iotlb *iotlb = space->iotlb;

	while ((s64)iotlb->nr_entries + more > iotlb->max_entries)
		if (!evict_one(iotlb, space, first, last))
			return false;
	return true;
}

/**
 * iotlb_evict_to - forget entries until there are few enough
 * @iotlb: the IOTLB; its wlock is held
 * @limit: how many there may be
 *
 * What is forgotten stays true, and readers may go on to use it.
 *
 * Context: may sleep.
 * Return: whether there are.
 */
bool iotlb_evict_to(struct iotlb *iotlb, u32 limit)
{
	while (iotlb->nr_entries > limit)
		if (!evict_one(iotlb, NULL, 0, 0))
			return false;
	return true;
}

/* ---- generations ---- */

/**
 * iotlb_log_removal - write down that readers cannot have a range any more
 * @space: the address space; wlock is held
 * @first: first IOVA
 * @last: last one
 * @changes: of the command
 */
void iotlb_log_removal(struct iotlb_space *space, u64 first, u64 last,
			struct iotlb_changes *changes)
{
	u64 seq = space->inval_seq + 1;

	space->iotlb->changes++;
	space->log[seq % IOTLB_LOG].first = first;
	space->log[seq % IOTLB_LOG].last = last;
	/* Read by whoever delivers a miss: too old a value costs one more round. */
	WRITE_ONCE(space->inval_seq, seq);
	changes->inval_seq = seq;
}

/**
 * iotlb_raise_gen - what readers have kept may be wrong from here on
 * @space: the address space, changed already; wlock is held
 */
void iotlb_raise_gen(struct iotlb_space *space)
{
	/* After the map: who sees the new one sees the map as it is now. */
	smp_store_release(&space->gen, space->gen + 1);
}

static int check_epoch(const struct iotlb_space *space,
		       const struct iotlb_update *up)
{
	u64 seq = space->inval_seq;

	if (!up->epoch || !(up->from & IOTLB_FROM_EPOCH))
		return 0;
	if (up->epoch > seq)
		return -EINVAL;
	if (seq - up->epoch > IOTLB_LOG)
		return -ESTALE;
	for (; seq > up->epoch; seq--)
		if (space->log[seq % IOTLB_LOG].first <= up->last &&
		    space->log[seq % IOTLB_LOG].last >= up->first)
			return -ESTALE;
	return 0;
}

/* ---- update ---- */

enum { UPDATE_STORE, UPDATE_NOTHING, UPDATE_WIDEN };

/**
 * struct plan - What an update has to do
 * @what: one of the above
 * @entry: WIDEN: which
 * @covered: entries that it covers
 * @splits: it lies within another one
 * @removes: readers must not use what was there
 * @gen: or need not look for it in vain
 */
struct plan {
	int what;
	struct iotlb_entry *entry;
	unsigned int covered;
	bool splits;
	bool removes;
	bool gen;
};

/* One negative entry is as good as any. */
static u64 update_delta(const struct iotlb_update *up)
{
	return up->perm ? up->target - up->first : 0;
}

static u8 entry_flags(const struct iotlb_update *up)
{
	return (up->flags & IOMMUKIT_IOTLB_MSG_PINNED ?
		IOMMUKIT_IOTLB_ENTRY_PINNED : 0) |
	       (up->flags & IOMMUKIT_IOTLB_MSG_NEGATIVE ?
		IOMMUKIT_IOTLB_ENTRY_NEGATIVE : 0);
}

/* Look at what is there. Returns -EEXIST if it is in the way. */
static int plan_update(struct iotlb_table *table, const struct iotlb_update *up,
		       struct plan *plan)
{
	struct iotlb_entry *entry;
	u64 delta = update_delta(up);

	*plan = (struct plan){};
	iotlb_tree_for_each(&table->map, entry, up->first, up->last) {
		bool same = entry->delta == delta && entry->perm == up->perm &&
			    entry_is_negative(entry) == !up->perm;
		bool contains = entry->first <= up->first &&
				entry->last >= up->last;
		bool exact = entry->first == up->first && entry->last == up->last;

		if (entry_is_pinned(entry) && !(up->from & IOTLB_FROM_OWNER) &&
		    !(same && contains))
			return -EEXIST;
		if (!same && (up->flags & IOMMUKIT_IOTLB_MSG_NO_REPLACE))
			return -EEXIST;
		if (same && contains &&
		    (entry->flags == entry_flags(up) ||
		     !(up->from & IOTLB_FROM_OWNER)))
			plan->what = UPDATE_NOTHING;
		else if (exact && entry->delta == delta &&
			 entry->flags == entry_flags(up) &&
			 !(entry->perm & ~up->perm))
			plan->what = UPDATE_WIDEN;
		plan->entry = entry;
		plan->covered += entry->first >= up->first &&
				 entry->last <= up->last;
		plan->splits |= entry->first < up->first &&
				entry->last > up->last;
		plan->gen |= entry_is_negative(entry);
		plan->removes |= !entry_is_negative(entry) &&
				 (entry->delta != delta ||
				  (entry->perm & ~up->perm));
	}
	return 0;
}

static int store_update(struct iotlb_space *space, const struct iotlb_update *up)
{
	struct iotlb_table *table = iotlb_space_table(space);
	struct iotlb *iotlb = space->iotlb;
	struct iotlb_entry *entry = entry_alloc();
	struct cut cut;
	int rc = 0;

	if (!entry)
		return -ENOMEM;
	entry->delta = update_delta(up);
	entry->perm = up->perm;
	entry->flags = entry_flags(up);
	entry->ref = !(up->flags & IOMMUKIT_IOTLB_MSG_PREFETCH);
	entry->asid = space->asid;
	entry->first = up->first;
	entry->last = up->last;

	cut_collect(table, up->first, up->last, &cut);
	if (cut_splits(&cut))
		rc = cut_split(iotlb, table, &cut, up->last);
	if (!rc)
		rc = iotlb_tree_store(&table->map, entry, GFP_KERNEL_ACCOUNT);
	if (rc) {
		cut_undo(table, &cut);
		kmem_cache_free(entry_cache, entry);
		return rc;
	}
	iotlb->counts[IOMMUKIT_IOTLB_STAT_REPLACED] +=
		cut_finish(iotlb, table, &cut, up->first, up->last);
	list_add_tail(&entry->link, entry_is_pinned(entry) ? &table->pinned :
						       &table->clock);
	table_count(iotlb, table, entry, 1);
	return 0;
}

static int update_locked(struct iotlb_space *space,
			 const struct iotlb_update *up,
			 struct iotlb_changes *changes)
{
	struct iotlb_translation got = {
		.first = up->first,
		.last = up->last,
		.delta = update_delta(up),
		.perm = up->perm,
	};
	struct plan plan;
	int rc;

	rc = check_epoch(space, up);
	if (rc == -ESTALE) {
		space->iotlb->counts[IOMMUKIT_IOTLB_STAT_STALE]++;
		iotlb_miss_stale(space->iotlb->chan, up->cookie);
	}
	rc = rc ?: plan_update(iotlb_space_table(space), up, &plan);
	if (rc)
		return rc;
	if (plan.what == UPDATE_WIDEN) {
		WRITE_ONCE(plan.entry->perm, up->perm);
		space->iotlb->changes++;
	} else if (plan.what == UPDATE_STORE) {
		if (!make_room(space, up->first, up->last,
			       1 + plan.splits - (int)plan.covered))
			return -ENOSPC;
		rc = store_update(space, up);
		if (rc)
			return rc;
		if (plan.removes) {
			iotlb_log_removal(space, up->first, up->last, changes);
			iotlb_changes_add(space->iotlb, changes, space,
					  up->first, up->last);
		}
		if (plan.removes || plan.gen)
			iotlb_raise_gen(space);
	}
	space->iotlb->counts[IOMMUKIT_IOTLB_STAT_UPDATES]++;
	got.gen = space->gen;
	iotlb_miss_resolve(space, up, &got, &changes->resume);
	return 0;
}

/**
 * iotlb_table_update - put a translation in
 * @space: the address space
 * @up: what was found to be right
 * @changes: gets what it has removed, and who is to be resumed
 *
 * Records that it answers are resolved.
 *
 * Context: may sleep; no lock is held, nor a gate.
 * Return: 0; -EINVAL, -ESTALE, -EEXIST, -ENOSPC, -ENOMEM as the header says; -EINTR on a
 * fatal signal. On failure nothing has changed.
 */
int iotlb_table_update(struct iotlb_space *space, const struct iotlb_update *up,
		       struct iotlb_changes *changes)
{
	int rc;

	if (mutex_lock_killable(&space->iotlb->wlock))
		return -EINTR;
	rc = update_locked(space, up, changes);
	mutex_unlock(&space->iotlb->wlock);
	return rc;
}

/* ---- invalidation ---- */

/* What of an entry is right of @last gets one of its own, unless that is not possible. */
static bool split_right(struct iotlb_space *space, struct cut *cut, u64 first,
			u64 last)
{
	struct iotlb *iotlb = space->iotlb;

	if (!make_room(space, first, last, 1))
		return false;
	if (!cut_split(iotlb, iotlb_space_table(space), cut, last))
		return true;
	iotlb->counts[IOMMUKIT_IOTLB_STAT_FALLBACKS]++;
	return false;
}

/* Erase a range in which all entries may go. */
static void erase(struct iotlb_space *space, u64 first, u64 last)
{
	struct iotlb_table *table = iotlb_space_table(space);
	struct iotlb *iotlb = space->iotlb;
	struct cut cut;

	cut_collect(table, first, last, &cut);
	if (cut_is_empty(&cut))
		return;
	if (cut_splits(&cut) && !split_right(space, &cut, first, last)) {
		/* To invalidate too much is never wrong. */
		last = cut.right->last;
		cut.right = NULL;
	}
	iotlb_tree_erase(&table->map, first, last);
	iotlb->counts[IOMMUKIT_IOTLB_STAT_REMOVED] +=
		cut_finish(iotlb, table, &cut, first, last);
}

/* Erase a range but for pinned entries. */
static void erase_unpinned(struct iotlb_space *space, u64 first, u64 last)
{
	struct iotlb_table *table = iotlb_space_table(space);
	struct iotlb_entry *entry;

	while (!list_empty(&table->pinned)) {
		iotlb_tree_for_each(&table->map, entry, first, last) {
			if (entry_is_pinned(entry))
				break;
			cond_resched();
		}
		if (!entry)
			break;
		if (entry->first > first)
			erase(space, first, entry->first - 1);
		if (entry->last >= last)
			return;
		first = entry->last + 1;
	}
	erase(space, first, last);
}

/*
 * The owner may cut a pinned entry. That is the one removal that can fail; so if it is cut
 * in two, its right part becomes an entry of its own before anything else is done.
 */
static int split_pinned(struct iotlb_space *space, u64 first, u64 last)
{
	struct iotlb_table *table = iotlb_space_table(space);
	struct iotlb_entry *entry = iotlb_tree_next(&table->map, last, last);
	struct cut cut = {};

	if (!entry || !entry_is_pinned(entry) || entry->first >= first ||
	    entry->last <= last)
		return 0;
	if (!make_room(space, first, last, 1))
		return -ENOSPC;
	cut.right = entry;
	return cut_split(space->iotlb, table, &cut, last);
}

/**
 * iotlb_invalidate_locked - iotlb_table_invalidate() with wlock held
 * @space: as there, as what follows
 * @first: as there
 * @last: as there
 * @pinned: as there
 * @changes: as there
 *
 * Return: as there, but for -EINTR.
 */
int iotlb_invalidate_locked(struct iotlb_space *space, u64 first, u64 last,
			     bool pinned, struct iotlb_changes *changes)
{
	int rc = pinned ? split_pinned(space, first, last) : 0;

	if (rc)
		return rc;
	iotlb_log_removal(space, first, last, changes);
	if (pinned)
		erase(space, first, last);
	else
		erase_unpinned(space, first, last);
	/* Also if there was nothing: readers may have kept what was evicted. */
	iotlb_raise_gen(space);
	iotlb_changes_add(space->iotlb, changes, space, first, last);
	trace_iotlb_invalidate(space->iotlb->ctx->id, space->iotlb->obj.id,
			       space->asid, first, trace_length(first, last), 0,
			       0, 0);
	return 0;
}

/**
 * iotlb_table_invalidate - take translations away
 * @space: the address space
 * @first: first IOVA
 * @last: last one
 * @pinned: pinned ones as well
 * @changes: gets what readers have still to be waited for
 *
 * Context: may sleep; no lock is held, nor a gate.
 * Return: 0; -EINTR on a fatal signal; with @pinned, -ENOMEM or -ENOSPC if an entry cannot
 * be cut. On failure nothing has changed.
 */
int iotlb_table_invalidate(struct iotlb_space *space, u64 first, u64 last,
			   bool pinned, struct iotlb_changes *changes)
{
	struct iotlb *iotlb = space->iotlb;
	int rc;

	if (mutex_lock_killable(&iotlb->wlock))
		return -EINTR;
	rc = iotlb_invalidate_locked(space, first, last, pinned, changes);
	if (!rc)
		iotlb->counts[IOMMUKIT_IOTLB_STAT_INVALIDATIONS]++;
	mutex_unlock(&iotlb->wlock);
	return rc;
}

/* ---- life ---- */

int iotlb_cache_create(void)
{
	entry_cache = kmem_cache_create("iommukit_iotlb_entry",
					sizeof(struct iotlb_entry), 16,
					SLAB_ACCOUNT, NULL);
	if (!entry_cache)
		return -ENOMEM;
	if (iotlb_nodes_create()) {
		kmem_cache_destroy(entry_cache);
		return -ENOMEM;
	}
	return 0;
}

void iotlb_cache_destroy(void)
{
	/* Entries and nodes are freed by callbacks of ours. */
	rcu_barrier();
	iotlb_nodes_destroy();
	kmem_cache_destroy(entry_cache);
}

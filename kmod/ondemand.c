// SPDX-License-Identifier: GPL-2.0-only
/*
 * On-demand memory: life and notifications. See ondemand.h for the rules.
 *
 * A notification comes under any lock of the memory management, and from any thread
 * that needs memory: it takes our lock, but nothing above it, and neither allocates
 * nor frees. When memory ends everything is forgotten at once, while notifications
 * still come: afterwards the table would name pages that belong to others. To remove
 * the notifier is to wait for whatever is going on in that process, so a work does.
 */
#include "ondemand.h"

#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "describe.h"
#include "domain.h"
#include "fail.h"
#include "trace.h"

/* The end of memory waits for the last report of it. */
static struct workqueue_struct *end_wq, *report_wq;

/* ---- reports ---- */

/*
 * A notification cannot tell anybody anything, since that takes memory. It leaves a note,
 * and a work goes by it.
 */
static void report_work(struct work_struct *work)
{
	struct ondemand *od = container_of(work, struct ondemand, report);
	struct netlink_mapping mapping;
	struct netlink_unmap unmap;
	unsigned int reports = 0;

	down_write(&od->lock);
	if (od->placed)
		swap(reports, od->reports);
	mapping = od->mapping;
	unmap = od->unmap;
	up_write(&od->lock);

	if (reports & ONDEMAND_REPORT_UNMAP)
		netlink_unmap_anomaly(&mapping, &unmap);
	if (reports & ONDEMAND_REPORT_DEAD)
		netlink_ondemand_dead(&mapping, IOMMUKIT_NL_OD_REASON_UNMAP);
	if (reports & ONDEMAND_REPORT_MM_EXIT)
		netlink_ondemand_mm_exit(&mapping);
}

/**
 * ondemand_report - tell listeners of something, soon
 * @od: the memory; its lock is held for writing
 * @report: what has happened
 *
 * What nobody listens to is not told to who comes later: see ondemand_query().
 *
 * Context: as who holds the lock; neither sleeps nor allocates.
 */
void ondemand_report(struct ondemand *od, enum ondemand_report report)
{
	lockdep_assert_held_write(&od->lock);
	if (!netlink_has_audience(NETLINK_EVENTS))
		return;
	od->reports |= report;
	queue_work(report_wq, &od->report);
}

/**
 * ondemand_report_unmap - tell listeners the first time that a domain misbehaves
 * @od: the memory; its lock is held for writing
 * @domain: the domain, which may have other memory as well
 * @unmap: what it was to do, and did
 *
 * Context: as ondemand_report().
 */
void ondemand_report_unmap(struct ondemand *od, struct domain *domain,
			   const struct netlink_unmap *unmap)
{
	lockdep_assert_held_write(&od->lock);
	/* Of another domain that is not told yet: this one will be another time. */
	if (!netlink_has_audience(NETLINK_EVENTS) || (od->reports & ONDEMAND_REPORT_UNMAP) ||
	    atomic_xchg(&domain->anomalous, 1))
		return;
	od->unmap = *unmap;
	ondemand_report(od, ONDEMAND_REPORT_UNMAP);
}

/**
 * ondemand_placed - let reports name the mapping
 * @od: the memory, kept by the caller
 * @mapping: where it was mapped
 *
 * Context: may sleep.
 */
void ondemand_placed(struct ondemand *od, const struct netlink_mapping *mapping)
{
	down_write(&od->lock);
	od->mapping = *mapping;
	od->placed = true;
	/* Somebody may have used it already. */
	if (od->reports)
		queue_work(report_wq, &od->report);
	up_write(&od->lock);
}

/* ---- notifications ---- */

/*
 * The page stays the same, and is announced again before it is not. Of permissions of
 * whole mappings we do not know whether reading is still one.
 */
static bool event_keeps_pages(enum mmu_notifier_event event)
{
	return event == MMU_NOTIFY_PROTECTION_PAGE ||
	       event == MMU_NOTIFY_SOFT_DIRTY;
}

static void trace_invalidation(const struct ondemand *od,
			       const struct mmu_notifier_range *range, int result)
{
	unsigned long first = max(range->start, od->first);
	unsigned long last = min(range->end - 1, od->last);

	trace_ondemand_invalidate(READ_ONCE(od->mapping.ctx_id),
				  READ_ONCE(od->mapping.ioas_id),
				  ondemand_iova(od, first), last - first + 1,
				  result);
}

static bool ondemand_invalidate(struct mmu_interval_notifier *notifier,
				const struct mmu_notifier_range *range,
				unsigned long seq)
{
	struct ondemand *od = container_of(notifier, struct ondemand, notifier);
	bool may_sleep = mmu_notifier_range_blockable(range);

	if (may_sleep) {
		down_write(&od->lock);
	} else if (!down_write_trylock(&od->lock)) {
		ondemand_count(od, ONDEMAND_REFUSED, 1);
		trace_invalidation(od, range, -EAGAIN);
		return false;
	}
	mmu_interval_set_seq(notifier, seq);
	if (range->event == MMU_NOTIFY_RELEASE && !od->dead_mm) {
		WRITE_ONCE(od->dead_mm, true);
		ondemand_report(od, ONDEMAND_REPORT_MM_EXIT);
	}
	ondemand_count_locked(od, ONDEMAND_INVALIDATIONS);
	ondemand_count_total(od, ONDEMAND_TOTAL_INVALIDATIONS);
	if (range->event < IOMMUKIT_ONDEMAND_NR_EVENTS)
		ondemand_count_locked(od, ONDEMAND_BY_EVENT + range->event);
	if (!ondemand_zap(od, max(range->start, od->first),
			  min(range->end - 1, od->last),
			  event_keeps_pages(range->event), may_sleep))
		ondemand_count_locked(od, ONDEMAND_INVALIDATIONS_EMPTY);
	trace_invalidation(od, range, 0);
	up_write(&od->lock);
	return true;
}

static const struct mmu_interval_notifier_ops ondemand_notifier_ops = {
	.invalidate = ondemand_invalidate,
};

/* ---- life ---- */

/* Whoever sleeps for memory under the lock hears of it before memory is short. */
static void teach_lockdep(struct ondemand *od)
{
	fs_reclaim_acquire(GFP_KERNEL);
	down_write(&od->lock);
	up_write(&od->lock);
	fs_reclaim_release(GFP_KERNEL);
}

/* By itself: how long that takes is up to the process whose memory it is. */
static void end_work(struct work_struct *work)
{
	struct ondemand *od = container_of(work, struct ondemand, end);

	mmu_interval_notifier_remove(&od->notifier);
	/* Nobody is left who would leave a note. */
	flush_work(&od->report);
	ondemand_free_chunks(od);
	ondemand_totals_put(od->totals);
	free_percpu(od->hits);
	kfree(od);
}

/**
 * ondemand_create - know the pages of a range of addresses of the calling process
 * @first: first address, that of a page
 * @length: bytes, whole pages; at least one, and not beyond the end of all addresses
 * @writable: they may be written
 * @around: pages to be looked at around one, a power of two up to
 *	ONDEMAND_CHUNK_PAGES
 * @totals: where it is counted as well
 *
 * Context: process context; may sleep, with no lock held, mmap_lock least of all.
 * Return: the memory; -ENOMEM; -EINTR if a signal, fatal or not, came in between.
 */
struct ondemand *ondemand_create(unsigned long first, unsigned long length,
				 bool writable, unsigned int around,
				 struct ondemand_totals *totals)
{
	struct ondemand *od = fail_alloc(kzalloc(sizeof(*od),
						 GFP_KERNEL_ACCOUNT));
	int rc = -ENOMEM;

	if (!od)
		return ERR_PTR(-ENOMEM);
	od->hits = fail_alloc(alloc_percpu_gfp(u64, GFP_KERNEL_ACCOUNT));
	if (!od->hits)
		goto err_free;
	init_rwsem(&od->lock);
	xa_init_flags(&od->chunks, XA_FLAGS_ACCOUNT);
	od->attachments = RB_ROOT;
	INIT_LIST_HEAD(&od->unsynced);
	refcount_set(&od->refs, 1);
	INIT_WORK(&od->report, report_work);
	INIT_WORK(&od->end, end_work);
	od->first = first;
	od->last = first + length - 1;
	od->writable = writable;
	od->around = around;
	od->window = around;
	od->totals = totals;
	refcount_inc(&totals->refs);
	teach_lockdep(od);
	might_lock(&current->mm->mmap_lock);
	rc = fail_point(-ENOMEM) ?:
	     mmu_interval_notifier_insert(&od->notifier, current->mm, first,
					  length, &ondemand_notifier_ops);
	if (rc)
		goto err_totals;
	return od;

err_totals:
	ondemand_totals_put(totals);
	free_percpu(od->hits);
err_free:
	kfree(od);
	return ERR_PTR(rc);
}

/**
 * ondemand_put - drop a reference
 * @od: the memory; its end comes after the last one
 *
 * Context: any that may take its lock.
 */
void ondemand_put(struct ondemand *od)
{
	if (refcount_dec_and_test(&od->refs))
		queue_work(end_wq, &od->end);
}

/**
 * ondemand_destroy - forget memory
 * @od: the memory; nobody uses it any more, and no domain is attached
 *
 * What domains have kept of it stays, and so does its table, until they are rid of it.
 *
 * Context: may sleep. Locks of ours may be held, but none that notifications take.
 */
void ondemand_destroy(struct ondemand *od)
{
	down_write(&od->lock);
	ondemand_zap(od, od->first, od->last, false, true);
	up_write(&od->lock);
	ondemand_put(od);
}

/* ---- statistics ---- */

/**
 * ondemand_totals_create - for an IOAS that is going to have on-demand memory
 *
 * Context: may sleep.
 * Return: for ondemand_totals_put(), or NULL.
 */
struct ondemand_totals *ondemand_totals_create(void)
{
	struct ondemand_totals *totals =
		fail_alloc(kzalloc(sizeof(*totals), GFP_KERNEL_ACCOUNT));

	if (!totals)
		return NULL;
	totals->cpu = fail_alloc(alloc_percpu_gfp(struct ondemand_counts,
						  GFP_KERNEL_ACCOUNT));
	if (!totals->cpu) {
		kfree(totals);
		return NULL;
	}
	refcount_set(&totals->refs, 1);
	return totals;
}

/**
 * ondemand_totals_put - drop a reference
 * @totals: the totals, or NULL
 *
 * Context: any.
 */
void ondemand_totals_put(struct ondemand_totals *totals)
{
	if (!totals || !refcount_dec_and_test(&totals->refs))
		return;
	free_percpu(totals->cpu);
	kfree(totals);
}

/**
 * ondemand_total - how often something has happened
 * @totals: the totals, or NULL if there never was anything
 * @total: what
 *
 * Context: any.
 */
u64 ondemand_total(const struct ondemand_totals *totals,
		   enum ondemand_total total)
{
	u64 sum = 0;
	int cpu;

	if (!totals)
		return 0;
	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(totals->cpu, cpu)->counts[total]);
	return sum;
}

static u64 take_hits(const struct ondemand *od, bool reset)
{
	u64 hits = 0;
	int cpu;

	for_each_possible_cpu(cpu) {
		u64 *n = per_cpu_ptr(od->hits, cpu);

		hits += READ_ONCE(*n);
		/* Hits at this moment may be lost, or counted on. */
		if (reset)
			WRITE_ONCE(*n, 0);
	}
	return hits;
}

/* What is there now, rather than what has happened */
static bool stat_is_state(enum ondemand_stat stat)
{
	return stat == ONDEMAND_PRESENT_PAGES || stat == ONDEMAND_HUGE ||
	       stat == ONDEMAND_CHUNKS || stat == ONDEMAND_TABLE_BYTES ||
	       stat == ONDEMAND_QUARANTINED_PAGES || stat == ONDEMAND_PINS_LIVE;
}

static bool stat_is_max(enum ondemand_stat stat)
{
	return stat == ONDEMAND_RETRY_MAX || stat == ONDEMAND_WAIT_MAX_US;
}

/**
 * ondemand_query - tell what has happened
 * @od: the memory
 * @state: gets a combination of enum iommukit_ondemand_state besides what it has
 * @stats: gets the counters, ONDEMAND_NR_STATS of them
 * @reset: set those that are not a state to 0
 *
 * Context: any that may sleep.
 */
void ondemand_query(struct ondemand *od, u64 *state, u64 *stats, bool reset)
{
	enum ondemand_stat i;

	down_write(&od->lock);
	for (i = 0; i < ONDEMAND_NR_STATS; i++)
		stats[i] = reset && !stat_is_state(i) ?
			   atomic64_xchg(&od->stats[i], 0) :
			   atomic64_read(&od->stats[i]);
	if (reset)
		atomic64_set(&od->stats[ONDEMAND_PRESENT_PEAK],
			     stats[ONDEMAND_PRESENT_PAGES]);
	up_write(&od->lock);
	stats[ONDEMAND_HITS] = take_hits(od, reset);
	if (READ_ONCE(od->dead_mm))
		*state |= IOMMUKIT_ONDEMAND_DEAD_MM;
	if (READ_ONCE(od->dead))
		*state |= IOMMUKIT_ONDEMAND_QUARANTINED;
}

/**
 * ondemand_describe - say what has happened to those who look on
 * @od: the memory
 * @skb: where, in an area
 *
 * Does without the lock, for that may take as long as a copy.
 *
 * Context: any.
 * Return: 0 or -EMSGSIZE.
 */
int ondemand_describe(const struct ondemand *od, struct sk_buff *skb)
{
	u64 stats[ONDEMAND_NR_STATS];
	enum ondemand_stat i;

	for (i = 0; i < ONDEMAND_NR_STATS; i++)
		stats[i] = atomic64_read(&od->stats[i]);
	stats[ONDEMAND_HITS] = take_hits(od, false);
	return describe_u64(skb, IOMMUKIT_NL_A_AREA_PRESENT_BYTES,
			    stats[ONDEMAND_PRESENT_PAGES] * PAGE_SIZE,
			    IOMMUKIT_NL_A_AREA_PAD) ?:
	       describe_array(skb, IOMMUKIT_NL_A_AREA_COUNTERS, stats,
			      ARRAY_SIZE(stats));
}

/**
 * ondemand_is_useless - whether no page of it is ever found again
 * @od: the memory
 *
 * Context: any.
 */
bool ondemand_is_useless(const struct ondemand *od)
{
	return READ_ONCE(od->dead) || READ_ONCE(od->dead_mm);
}

/**
 * ondemand_sum - add counters to others
 * @sum: gets the sums, ONDEMAND_NR_STATS of them
 * @stats: to be added
 */
void ondemand_sum(u64 *sum, const u64 *stats)
{
	enum ondemand_stat i;

	for (i = 0; i < ONDEMAND_NR_STATS; i++)
		sum[i] = stat_is_max(i) ? max(sum[i], stats[i]) :
					  sum[i] + stats[i];
}

int ondemand_init(void)
{
	/* What it waits for may need memory, and nobody waits for it but the module. */
	end_wq = alloc_workqueue("iommukit_ondemand", WQ_UNBOUND, 0);
	if (!end_wq)
		return -ENOMEM;
	report_wq = alloc_workqueue("iommukit_report", WQ_UNBOUND, 0);
	if (report_wq)
		return 0;
	destroy_workqueue(end_wq);
	return -ENOMEM;
}

void ondemand_exit(void)
{
	destroy_workqueue(end_wq);
	destroy_workqueue(report_wq);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domains of a space: IO page tables that hold what the areas say.
 *
 * Pages are pinned once for all domains of a space, before the first of them gets
 * an area, and unpinned after the last one has lost it and was synced. Pinning may
 * wait for user space and happens without any lock; only the domain's own work is
 * done with domains_lock held for reading.
 *
 * A domain is filled, and emptied, area by area while others map and unmap. There
 * is at most one such move in a space at a time; the caller's lock sees to that.
 * Each move has a number, the turn. An area that the move has come to, or that was
 * mapped since it began, bears that number and knows whether it is in the moving
 * domain; for all others iova_space.moving_default says so. All areas are in all
 * other domains. An area being set up is in none, and nobody's but its mapper's.
 *
 * On-demand memory is not pinned, nor put into domains: they get to know of it, and
 * their devices ask for pages.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "domain.h"
#include "fail.h"
#include "iova_space.h"
#include "netlink.h"
#include "ondemand.h"
#include "pages.h"
#include "trace.h"

/* So many areas are taken out of a leaving domain by one sync. */
#define LEAVE_BATCH 32

static unsigned long area_first_page(const struct iova_area *area)
{
	return area->offset >> PAGE_SHIFT;
}

static unsigned long area_last_page(const struct iova_area *area)
{
	return (area->offset + (area->last - area->iova)) >> PAGE_SHIFT;
}

static int area_hold(struct iova_area *area)
{
	int rc;

	if (area->held)
		return 0;
	/* Pages are found when devices ask for them. */
	if (area->pages->ondemand) {
		area->held = true;
		return 0;
	}
	rc = pages_pin(area->pages, area_first_page(area), area_last_page(area),
		       NULL);
	area->held = !rc;
	return rc;
}

/**
 * iova_area_unhold - let go of the pages that domains needed
 * @area: an area that is in no domain, or whose parts hold the pages instead
 *
 * Context: may sleep.
 */
void iova_area_unhold(struct iova_area *area)
{
	if (!area->held)
		return;
	area->held = false;
	if (!area->lost && !area->pages->ondemand)
		pages_unpin(area->pages, area_first_page(area),
			    area_last_page(area));
}

/**
 * iova_area_hold_parts - let two areas hold what one does
 * @area: an area that nobody uses; to be let go of once it is out of its space
 * @low: what takes the place of its lower part
 * @high: what takes the place of the rest, from a whole page on
 *
 * Both are in the domains that the area is in.
 *
 * Context: may sleep; faults nothing in, for the pages are pinned.
 * Return: 0; -ENOMEM; -EINTR.
 */
int iova_area_hold_parts(const struct iova_area *area, struct iova_area *low,
			 struct iova_area *high)
{
	int rc;

	low->lost = area->lost;
	high->lost = area->lost;
	low->in_moving = area->in_moving;
	high->in_moving = area->in_moving;
	low->turn = area->turn;
	high->turn = area->turn;
	if (!area->held || area->lost) {
		low->held = area->held;
		high->held = area->held;
		return 0;
	}
	rc = area_hold(low) ?: area_hold(high);
	if (rc)
		iova_area_unhold(low);
	return rc;
}

/* ---- one area and one domain ---- */

static bool area_is_in(const struct iova_space *space,
		       const struct iova_area *area, const struct iova_domain *d)
{
	if (d != space->moving)
		return true;
	return area->turn == space->turn ? area->in_moving :
					   space->moving_default;
}

static void area_set_in_moving(const struct iova_space *space,
			       struct iova_area *area, bool in)
{
	area->in_moving = in;
	area->turn = space->turn;
}

/**
 * struct area_mapping - Putting an area into a domain
 * @area: the area
 * @domain: the domain
 * @iova: the next IOVA to be mapped
 * @prot: DOMAIN_READ, DOMAIN_WRITE
 * @step: most pages of one call
 */
struct area_mapping {
	const struct iova_area *area;
	struct domain *domain;
	unsigned long iova;
	unsigned int prot;
	unsigned long step;
};

/* An area may begin and end in the midst of a page. */
static int map_run(void *opaque, unsigned long index, unsigned long pfn,
		   unsigned long npages)
{
	struct area_mapping *m = opaque;

	while (npages) {
		unsigned long n = min(npages, m->step);
		unsigned long in_page = index == area_first_page(m->area) ?
					offset_in_page(m->area->offset) : 0;
		unsigned long length = min(n * PAGE_SIZE - in_page,
					   m->area->last - m->iova + 1);
		int rc;

		if (fatal_signal_pending(current))
			return -EINTR;
		rc = fail_point(-ENOMEM) ?:
		     m->domain->ops->map(m->domain, m->iova,
					 PFN_PHYS(pfn) + in_page, length,
					 m->prot);
		trace_hwpt_map(m->domain->ctx_id, m->domain->hwpt_id, m->iova,
			       length, rc);
		if (rc)
			return rc;
		m->iova += length;
		index += n;
		pfn += n;
		npages -= n;
	}
	return 0;
}

/* Once for a domain, as of on-demand memory: what more it keeps is in the kernel's log. */
static void tell_anomaly(const struct iova_space *space,
			 const struct iova_area *area, struct domain *domain,
			 const struct netlink_unmap *unmap)
{
	const struct netlink_mapping mapping = {
		.ctx_id = space->ctx_id,
		.ioas_id = space->ioas_id,
		.iova = area->iova,
		.length = area->last - area->iova + 1,
	};

	if (netlink_has_audience(NETLINK_EVENTS) &&
	    !atomic_xchg(&domain->anomalous, 1))
		netlink_unmap_anomaly(&mapping, unmap);
}

/*
 * Take the first bytes of an area out. Before a sync the memory is still reached. A
 * domain that does not let go of it keeps it for ever: lost pages harm nobody, pages
 * that somebody else gets do. Of on-demand memory it keeps single pages, which come back
 * when it has no devices any more.
 */
static void area_unmap_part(const struct iova_space *space,
			    struct iova_area *area, unsigned long length,
			    struct iova_domain *d, struct domain_gather *gather)
{
	struct netlink_unmap unmap = { .iova = area->iova, .asked = length };

	if (area->pages->ondemand) {
		ondemand_detach(area->pages->ondemand, d->domain, area->iova);
		return;
	}
	unmap.done = d->domain->ops->unmap(d->domain, area->iova, length, gather);
	trace_hwpt_unmap(d->domain->ctx_id, d->domain->hwpt_id, area->iova,
			 length, unmap.done == length ? 0 : -EIO);
	if (unmap.done == length)
		return;
	pr_err_ratelimited("a domain kept a part of [%#lx, %#lx]; the memory is lost\n",
			   area->iova, area->last);
	pages_lose(area->pages);
	area->lost = true;
	tell_anomaly(space, area, d->domain, &unmap);
}

static void area_unmap(const struct iova_space *space, struct iova_area *area,
		       struct iova_domain *d, struct domain_gather *gather)
{
	area_unmap_part(space, area, area->last - area->iova + 1, d, gather);
}

static int area_map(const struct iova_space *space, struct iova_area *area,
		    struct iova_domain *d)
{
	struct area_mapping m = {
		.area = area,
		.domain = d->domain,
		.iova = area->iova,
		.prot = (area->prot & IOVA_READ ? DOMAIN_READ : 0) |
			(area->prot & IOVA_WRITE ? DOMAIN_WRITE : 0),
		.step = READ_ONCE(space->no_huge) ? 1 : ULONG_MAX >> PAGE_SHIFT,
	};
	struct domain_gather gather;
	int rc;

	if (area->pages->ondemand)
		return ondemand_attach(area->pages->ondemand, d->domain,
				       area->iova,
				       area->pages->base + area->offset,
				       area->last - area->iova + 1, m.prot,
				       m.step);
	rc = pages_walk(area->pages, area_first_page(area), area_last_page(area),
			map_run, &m);
	if (rc && m.iova != area->iova) {
		domain_gather_init(&gather);
		area_unmap_part(space, area, m.iova - area->iova, d, &gather);
		d->domain->ops->sync(d->domain, &gather);
	}
	return rc;
}

/* ---- mapping and unmapping ---- */

static int enter_domains(struct iova_space *space, struct iova_area *area)
{
	struct domain_gather gather;
	struct iova_domain *d;
	bool entered = false;
	int rc = 0;

	lockdep_assert_held(&space->domains_lock);
	list_for_each_entry(d, &space->domains, link) {
		if (d == space->moving && space->leaving)
			continue;
		rc = area_map(space, area, d);
		if (rc)
			goto err_unmap;
		entered = true;
	}
	area_set_in_moving(space, area, space->moving && !space->leaving);
	/* Those that were there may have gone. */
	if (!entered)
		iova_area_unhold(area);
	return 0;

err_unmap:
	list_for_each_entry_continue_reverse(d, &space->domains, link) {
		if (d == space->moving && space->leaving)
			continue;
		domain_gather_init(&gather);
		area_unmap(space, area, d, &gather);
		d->domain->ops->sync(d->domain, &gather);
	}
	return rc;
}

static void open_areas(struct iova_space *space, struct iova_area *areas)
{
	struct iova_area *area;

	down_write(&space->lock);
	for (area = areas; area; area = area->next) {
		area->setup = false;
		/* Nobody but the mapper could be at work on it. */
		atomic_set(&area->pins, 0);
		atomic_set(&area->busy, 0);
		iova_area_came(space, area);
	}
	up_write(&space->lock);
	/* Unmaps that wait for it have to close it again. */
	iova_space_pins_changed(space);
}

/**
 * iova_areas_leave_domains - take areas out of all domains and unpin their pages
 * @space: the space; its domains_lock is held
 * @areas: linked by next; nobody uses them, and no move comes to them
 *
 * Context: may sleep. Cannot fail.
 * Return: whether no memory was lost because a domain kept it.
 */
bool iova_areas_leave_domains(struct iova_space *space, struct iova_area *areas)
{
	struct domain_gather gather;
	struct iova_domain *d;
	struct iova_area *area;
	bool whole = true;

	lockdep_assert_held(&space->domains_lock);
	list_for_each_entry(d, &space->domains, link) {
		domain_gather_init(&gather);
		for (area = areas; area; area = area->next)
			if (area_is_in(space, area, d))
				area_unmap(space, area, d, &gather);
		d->domain->ops->sync(d->domain, &gather);
	}
	for (area = areas; area; area = area->next) {
		whole = whole && !area->lost;
		iova_area_unhold(area);
		cond_resched();
	}
	return whole;
}

/**
 * iova_areas_enter_domains - put new areas into all domains and open them
 * @space: the space
 * @areas: areas that are being set up, linked by next; in no domain on failure,
 *	and not open
 *
 * Context: may sleep and fault in the owner's memory; killable.
 * Return: 0 or an errno of pages_pin() or domain_ops.map; -EINTR.
 */
int iova_areas_enter_domains(struct iova_space *space, struct iova_area *areas)
{
	struct iova_area *area, *end;
	int rc = 0;

	for (area = areas; area && !rc; area = area->next)
		rc = area_hold(area);
	if (!rc && down_read_killable(&space->domains_lock))
		rc = -EINTR;
	if (rc)
		goto err_unhold;

	for (area = areas; area && !rc; area = area->next)
		rc = enter_domains(space, area);
	if (rc) {
		/* The last one that was tried is in none. */
		for (end = areas; end->next != area; end = end->next)
			;
		for (area = areas; area != end; area = area->next) {
			struct iova_area *next = area->next;

			area->next = NULL;
			iova_areas_leave_domains(space, area);
			area->next = next;
		}
		up_read(&space->domains_lock);
		goto err_unhold;
	}
	open_areas(space, areas);
	up_read(&space->domains_lock);
	return 0;

err_unhold:
	for (area = areas; area; area = area->next)
		iova_area_unhold(area);
	return rc;
}

/* ---- moves ---- */

/*
 * The next area that the move has to come to, kept from going; NULL at the end.
 * Its unmapping waits meanwhile, and drivers may well enter and leave it.
 */
static struct iova_area *next_area(struct iova_space *space, unsigned long iova)
{
	MA_STATE(mas, &space->areas, iova, iova);
	bool want = space->leaving;
	struct iova_area *area;

	down_read(&space->lock);
	mas_for_each(&mas, area, ULONG_MAX) {
		if (!area->setup && !area->going &&
		    area_is_in(space, area, space->moving) == want) {
			atomic_inc(&area->busy);
			break;
		}
	}
	up_read(&space->lock);
	return area;
}

static int fill(struct iova_space *space, struct iova_domain *d)
{
	unsigned long next = 0;
	struct iova_area *area;
	int rc = 0;

	while (!rc && (area = next_area(space, next))) {
		bool held = area->held;

		next = area->last + 1;
		rc = area_hold(area) ?: area_map(space, area, d);
		if (!rc)
			area_set_in_moving(space, area, true);
		else if (!held)
			iova_area_unhold(area);
		iova_area_idle(space, area);
		if (!next)
			break;
		cond_resched();
	}
	return rc;
}

/* Take a batch of areas out; returns where the next one begins, 0 at the end. */
static unsigned long empty_batch(struct iova_space *space, struct iova_domain *d,
				 unsigned long iova)
{
	bool alone = list_is_singular(&space->domains);
	struct iova_area *batch[LEAVE_BATCH];
	struct domain_gather gather;
	unsigned int i, n = 0;
	unsigned long next = iova;

	domain_gather_init(&gather);
	do {
		batch[n] = next_area(space, next);
		if (!batch[n])
			break;
		area_unmap(space, batch[n], d, &gather);
		next = batch[n++]->last + 1;
	} while (next && n < LEAVE_BATCH);
	d->domain->ops->sync(d->domain, &gather);

	for (i = 0; i < n; i++) {
		area_set_in_moving(space, batch[i], false);
		if (alone)
			iova_area_unhold(batch[i]);
		iova_area_idle(space, batch[i]);
	}
	return n == LEAVE_BATCH ? next : 0;
}

static int reserve_outside(struct iova_space *space, const struct iova_domain *d)
{
	unsigned long first = d->domain->first, last = d->domain->last;
	int rc = 0;

	if (first)
		rc = iova_reserve_locked(space, 0, first - 1, d);
	if (!rc && last != ULONG_MAX)
		rc = iova_reserve_locked(space, last + 1, ULONG_MAX, d);
	return rc;
}

static int join(struct iova_space *space, struct iova_domain *d)
{
	int rc;

	if (BIT(__ffs(d->domain->page_sizes)) > PAGE_SIZE)
		return -EINVAL;
	if (!d->domain->faults && iova_space_has_ondemand(space))
		return -EOPNOTSUPP;
	list_add_tail(&d->link, &space->domains);
	rc = iova_update_alignment(space) ?:
	     reserve_outside(space, d) ?: fail_point(-ENOMEM);
	if (!rc)
		return 0;
	list_del(&d->link);
	iova_unreserve_locked(space, d);
	iova_update_alignment(space);
	return rc;
}

/**
 * iova_space_add_domain - let a domain mirror a space from now on
 * @space: the space; the caller excludes other calls that add or remove domains,
 *	or start or stop the log
 * @d: the domain, with nothing mapped in it
 *
 * All areas are in the domain when this returns. Others may map and unmap
 * meanwhile.
 *
 * Context: may sleep and fault in the memory of owners; killable.
 * Return: 0, else nothing has changed: -EOPNOTSUPP if there is on-demand memory, and
 * devices do not wait for it; -EINVAL if the domain's smallest page is larger than the
 * kernel's; -EADDRINUSE if an area or an allowed range is outside of what it can map,
 * or an area not aligned as it needs; -ENOMEM; -EINTR; errnos of pages_pin() and
 * domain_ops.map.
 */
int iova_space_add_domain(struct iova_space *space, struct iova_domain *d)
{
	int rc = -EINTR;

	if (down_write_killable(&space->domains_lock))
		return -EINTR;
	if (!down_write_killable(&space->lock)) {
		rc = join(space, d);
		if (!rc) {
			space->moving = d;
			space->moving_default = false;
			space->turn++;
		}
		up_write(&space->lock);
	}
	up_write(&space->domains_lock);
	if (rc)
		return rc;

	/* A device may write what it finds from the first area on. */
	if (space->logging)
		iova_space_watch_domain(space, d->domain, true);
	rc = fill(space, d);
	if (rc) {
		iova_space_remove_domain(space, d);
		return rc;
	}
	down_write(&space->domains_lock);
	space->moving = NULL;
	up_write(&space->domains_lock);
	return 0;
}

/**
 * iova_space_remove_domain - end the mirroring
 * @space: the space; the caller excludes other calls that add or remove domains
 * @d: one of its domains; nothing is mapped in it on return
 *
 * Context: may sleep. Cannot fail and needs no memory.
 */
void iova_space_remove_domain(struct iova_space *space, struct iova_domain *d)
{
	unsigned long next = 0;

	down_write(&space->domains_lock);
	/* Else it is on its way in: what it has got goes again. */
	if (space->moving != d) {
		space->moving = d;
		space->moving_default = true;
		space->turn++;
	}
	space->leaving = true;
	up_write(&space->domains_lock);

	do {
		next = empty_batch(space, d, next);
		cond_resched();
	} while (next);

	down_write(&space->domains_lock);
	down_write(&space->lock);
	space->moving = NULL;
	space->leaving = false;
	list_del(&d->link);
	iova_unreserve_locked(space, d);
	iova_update_alignment(space);
	up_write(&space->lock);
	up_write(&space->domains_lock);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Areas: how they are found, entered, and put into the tree or taken out of it. Who
 * looks one up under RCU enters it by its busy count, which keeps it from going.
 */
#include "iova_space.h"

#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "fail.h"
#include "netlink.h"
#include "pages.h"
#include "trace.h"

static struct kmem_cache *area_cache;

/**
 * iova_area_alloc - create an area that has no IOVA yet
 * @pages: what it stands for; the caller's reference goes to the area
 * @offset: first byte of @pages
 * @length: bytes
 * @prot: IOVA_READ, IOVA_WRITE
 *
 * Context: may sleep.
 * Return: the area, to be linked by its next member, or NULL.
 */
struct iova_area *iova_area_alloc(struct pages *pages, unsigned long offset,
				  unsigned long length, u8 prot)
{
	struct iova_area *area = fail_alloc(kmem_cache_zalloc(area_cache,
							      GFP_KERNEL));

	if (!area)
		return NULL;
	area->last = length - 1;
	area->pages = pages;
	area->offset = offset;
	area->prot = prot;
	atomic_set(&area->busy, IOVA_AREA_CLOSED);
	return area;
}

static void area_free_rcu(struct rcu_head *rcu)
{
	struct iova_area *area = container_of(rcu, struct iova_area, rcu);

	iova_area_free_log(area);
	kmem_cache_free(area_cache, area);
}

/**
 * iova_area_free - free an area that is in no space any more
 * @area: the area
 *
 * Context: may sleep.
 */
void iova_area_free(struct iova_area *area)
{
	/*
	 * A driver that left without unpinning may still use the pages: they
	 * are lost rather than freed under it. It was named when it left. The
	 * kernel goes on to tell us of changes of on-demand memory.
	 */
	if (!(atomic_read(&area->pins) & ~IOVA_AREA_CLOSED))
		pages_put(area->pages);
	else if (area->pages->ondemand)
		__module_get(THIS_MODULE);
	call_rcu(&area->rcu, area_free_rcu);
}

/**
 * iova_areas_free - free areas that are in no space
 * @areas: the first, linked by next
 */
void iova_areas_free(struct iova_area *areas)
{
	while (areas) {
		struct iova_area *area = areas;

		areas = area->next;
		iova_area_free(area);
		cond_resched();
	}
}

/**
 * iova_space_find - the lowest area that intersects [first, last]
 * @space: the space; its lock is held
 * @first: first IOVA
 * @last: last IOVA
 */
struct iova_area *iova_space_find(struct iova_space *space, unsigned long first,
				  unsigned long last)
{
	MA_STATE(mas, &space->areas, first, first);

	lockdep_assert_held(&space->lock);
	return mas_find(&mas, last);
}

/**
 * iova_space_lookup - the area at an IOVA
 * @space: the space
 * @iova: the IOVA
 *
 * Context: under RCU.
 * Return: the area, which may be on its way out, or NULL.
 */
struct iova_area *iova_space_lookup(struct iova_space *space,
				    unsigned long iova)
{
	struct iova_area *area = rcu_dereference(space->recent);

	if (area && area->iova <= iova && iova <= area->last)
		return area;
	return mtree_load(&space->areas, iova);
}

/* Keep an area, found under RCU, from going. */
static int area_enter(struct iova_area *area)
{
	int busy = atomic_read(&area->busy);

	/* A closed count is left alone: who waits for it must not see us there. */
	while (busy >= 0) {
		if (atomic_try_cmpxchg(&area->busy, &busy, busy + 1))
			return 0;
	}
	if (busy & IOVA_AREA_CUT)
		return -EAGAIN;
	return READ_ONCE(area->revoked) ? -EINVAL : -ENOENT;
}

/* A call is at work on it: whoever looks for one like that finds it at once. */
static void area_note(struct iova_space *space, struct iova_area *area)
{
	if (rcu_access_pointer(space->recent) != area)
		rcu_assign_pointer(space->recent, area);
}

/* As iova_area_get(), but -EAGAIN if the area is being cut. */
static struct iova_area *area_try_get(struct iova_space *space,
				      unsigned long iova)
{
	struct iova_area *area;
	int rc = -ENOENT;

	rcu_read_lock();
	area = iova_space_lookup(space, iova);
	if (area)
		rc = area_enter(area);
	if (!rc)
		area_note(space, area);
	rcu_read_unlock();
	return rc ? ERR_PTR(rc) : area;
}

/**
 * iova_area_get - find the area at an IOVA and enter it
 * @space: the space
 * @iova: the IOVA
 *
 * Context: may sleep while the area is being cut; killable. Needs no lock. Undone
 * by iova_area_idle().
 * Return: the area; -ENOENT if nothing is mapped there or it is being unmapped;
 * -EINVAL if drivers were asked to unpin it; -EINTR.
 */
struct iova_area *iova_area_get(struct iova_space *space, unsigned long iova)
{
	struct iova_area *area;

	while ((area = area_try_get(space, iova)) == ERR_PTR(-EAGAIN)) {
		if (iova_cut_wait(space, iova))
			return ERR_PTR(-EINTR);
	}
	return area;
}

/**
 * iova_area_get_now - iova_area_get() for who cannot wait
 * @space: the space
 * @iova: the IOVA
 *
 * Context: any but NMI. Undone by iova_area_idle().
 * Return: the area; -ENOENT if nothing is mapped there; -EINVAL if drivers were asked to
 * unpin it; -EAGAIN if what is there is being cut, mapped or unmapped.
 */
struct iova_area *iova_area_get_now(struct iova_space *space, unsigned long iova)
{
	struct iova_area *area;
	int rc = -ENOENT;

	rcu_read_lock();
	area = iova_space_lookup(space, iova);
	if (area) {
		rc = area_enter(area);
		if (!rc)
			area_note(space, area);
		else if (rc != -EINVAL)
			rc = -EAGAIN;
	}
	rcu_read_unlock();
	return rc ? ERR_PTR(rc) : area;
}

/*
 * Reshaping a node of the tree may need memory, and this must not fail. Some
 * kernels give up in spite of __GFP_NOFAIL; a failed state is of no use then.
 */
static void areas_store(struct iova_space *space, const struct iova_area *area,
			struct iova_area *entry)
{
	MA_STATE(mas, &space->areas, area->iova, area->last);

	lockdep_assert_held_write(&space->lock);
	while (mas_store_gfp(&mas, entry, GFP_KERNEL | __GFP_NOFAIL)) {
		mas_set_range(&mas, area->iova, area->last);
		cond_resched();
	}
}

/**
 * iova_area_count - count an area that has come into its space, or left it
 * @space: the space; its lock is held for writing
 * @area: the area
 * @there: it has come
 *
 * Who only wants to know how much there is reads the counts without the lock.
 */
void iova_area_count(struct iova_space *space, const struct iova_area *area,
		     bool there)
{
	unsigned long length = area->last - area->iova + 1;

	lockdep_assert_held_write(&space->lock);
	space->changes++;
	WRITE_ONCE(space->nr_areas, space->nr_areas + (there ? 1 : -1));
	WRITE_ONCE(space->mapped, space->mapped + (there ? length : -length));
}

/* By itself: of each map and unmap, the tests are all there is while nobody looks on. */
static noinline void tell_area(const struct iova_space *space,
			       const struct iova_area *area, bool came)
{
	unsigned long length = area->last - area->iova + 1;

	if (came)
		trace_ioas_map(space->ctx_id, space->ioas_id, area->iova, length, 0);
	else
		trace_ioas_unmap(space->ctx_id, space->ioas_id, area->iova, length, 0);
	netlink_area_event(space, area, came);
}

/**
 * iova_area_came - tell those who look on that memory is mapped
 * @space: the space; its lock is held for writing
 * @area: the area, in the space and open
 *
 * Under the lock: what was told last of an IOVA is true.
 *
 * Context: may sleep, but does not.
 */
void iova_area_came(struct iova_space *space, const struct iova_area *area)
{
	lockdep_assert_held_write(&space->lock);
	/* A dump leaves out what is not quite there yet. */
	space->changes++;
	if (trace_ioas_map_enabled() || netlink_has_audience(NETLINK_MAPPINGS))
		tell_area(space, area, true);
}

/**
 * iova_area_gone - tell those who look on that memory is not mapped any more
 * @space: the space; its lock is held for writing
 * @area: an area of which iova_area_came() told
 *
 * Context: as there.
 */
void iova_area_gone(struct iova_space *space, const struct iova_area *area)
{
	lockdep_assert_held_write(&space->lock);
	if (trace_ioas_unmap_enabled() || netlink_has_audience(NETLINK_MAPPINGS))
		tell_area(space, area, false);
}

/**
 * iova_area_no_map - tell those who look on that a range could not be mapped
 * @space: the space
 * @iova: first IOVA
 * @length: bytes
 * @error: a negative errno
 *
 * Context: any.
 */
void iova_area_no_map(const struct iova_space *space, unsigned long iova,
		      unsigned long length, int error)
{
	trace_ioas_map(space->ctx_id, space->ioas_id, iova, length, error);
}

/**
 * iova_area_no_unmap - tell those who look on that a range could not be unmapped
 * @space: the space
 * @first: first IOVA
 * @last: last IOVA
 * @error: a negative errno
 *
 * Context: any.
 */
void iova_area_no_unmap(const struct iova_space *space, unsigned long first,
			unsigned long last, int error)
{
	trace_ioas_unmap(space->ctx_id, space->ioas_id, first,
			 trace_length(first, last), error);
}

/**
 * iova_area_erase - take an area out of its space, and keep it
 * @space: the space; its lock is held for writing
 * @area: the area
 *
 * Context: may sleep. Cannot fail.
 */
void iova_area_erase(struct iova_space *space, const struct iova_area *area)
{
	areas_store(space, area, NULL);
	iova_area_count(space, area, false);
}

/**
 * iova_space_erase - take an area out of its space
 * @space: the space; its lock is held for writing
 * @area: the area; freed
 */
void iova_space_erase(struct iova_space *space, struct iova_area *area)
{
	iova_area_erase(space, area);
	if (rcu_access_pointer(space->recent) == area)
		RCU_INIT_POINTER(space->recent, NULL);
	iova_area_gone(space, area);
	iova_area_free(area);
}

/* A new area for a part of one, to be put in its place: open. */
static struct iova_area *area_part(const struct iova_area *area,
				   unsigned long first, unsigned long last)
{
	struct iova_area *part;

	part = iova_area_alloc(area->pages, area->offset + (first - area->iova),
			       last - first + 1, area->prot);
	if (!part)
		return NULL;
	refcount_inc(&area->pages->refs);
	part->iova = first;
	part->last = last;
	atomic_set(&part->busy, 0);
	return part;
}

/**
 * iova_area_split - put two areas in the place of one
 * @space: the space; its lock is held for writing
 * @area: an area that is not used, and closed by a cut; freed on success
 * @last: last IOVA of the lower one, above the first of @area and below the last
 *
 * Who looks up an IOVA of it under RCU finds the old area or a new one.
 *
 * Context: may sleep.
 * Return: 0 or, with nothing changed, -ENOMEM or -EINTR.
 */
int iova_area_split(struct iova_space *space, struct iova_area *area,
		    unsigned long last)
{
	MA_STATE(mas, &space->areas, last + 1, area->last);
	struct iova_area *low, *high;
	int rc = -ENOMEM;

	lockdep_assert_held_write(&space->lock);
	low = area_part(area, area->iova, last);
	high = area_part(area, last + 1, area->last);
	if (!low || !high)
		goto err_free;
	/* Devices may be marking it just now: all may have been written. */
	if (space->logging)
		rc = iova_area_add_log(space, low, true) ?:
		     iova_area_add_log(space, high, true);
	else
		rc = 0;
	rc = rc ?: iova_area_hold_parts(area, low, high);
	if (rc)
		goto err_free;
	rc = fail_point(-ENOMEM) ?:
	     mas_store_gfp(&mas, high, GFP_KERNEL_ACCOUNT);
	if (rc)
		goto err_unhold;
	areas_store(space, low, low);
	iova_area_count(space, area, false);
	iova_area_count(space, low, true);
	iova_area_count(space, high, true);
	iova_area_gone(space, area);
	iova_area_came(space, low);
	iova_area_came(space, high);
	if (rcu_access_pointer(space->recent) == area)
		RCU_INIT_POINTER(space->recent, NULL);
	iova_area_unhold(area);
	iova_area_free(area);
	return 0;

err_unhold:
	iova_area_unhold(low);
	iova_area_unhold(high);
err_free:
	iova_areas_free(low);
	iova_areas_free(high);
	return rc;
}

int iova_cache_create(void)
{
	area_cache = kmem_cache_create("iommukit_area",
				       sizeof(struct iova_area), 0,
				       SLAB_ACCOUNT, NULL);
	return area_cache ? 0 : -ENOMEM;
}

void iova_cache_destroy(void)
{
	/* Areas on their way to area_free_rcu(). */
	rcu_barrier();
	kmem_cache_destroy(area_cache);
}

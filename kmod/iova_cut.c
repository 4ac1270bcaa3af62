// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cutting an area in two, so that a part of it can be unmapped. Only the first
 * version of VFIO's type1 knows this.
 *
 * Calls at work on an area use its bounds without a lock, and pins point at it. So
 * it never changes: two new areas take its place. Before that the cut closes it
 * and waits for the calls in it to leave; a pinned one is not cut. Whoever wants
 * to enter meanwhile waits as well, for all that he asks for may stay mapped.
 *
 * Cuts of one area share its being closed: each looks again when it has waited.
 * An unmap takes it over from them.
 */
#include <linux/sched/signal.h>

#include "iova_space.h"
#include "pages.h"

#define CLOSED_BY_CUT (IOVA_AREA_CLOSED | IOVA_AREA_CUT)

/* How many calls are in the area at @iova if it is closed by a cut, else -1. */
static int calls_in_cut(struct iova_space *space, unsigned long iova)
{
	struct iova_area *area;
	int busy = 0;

	rcu_read_lock();
	area = iova_space_lookup(space, iova);
	if (area)
		busy = atomic_read(&area->busy);
	rcu_read_unlock();
	return busy & IOVA_AREA_CUT ? busy & ~CLOSED_BY_CUT : -1;
}

/**
 * iova_cut_wait - wait until the area at an IOVA is not being cut any more
 * @space: the space
 * @iova: the IOVA
 *
 * Context: may sleep; killable. The caller may be at work on lower areas.
 * Return: 0 or -EINTR.
 */
int iova_cut_wait(struct iova_space *space, unsigned long iova)
{
	return wait_event_killable(space->wait,
				   calls_in_cut(space, iova) < 0) ? -EINTR : 0;
}

/* Returns -EAGAIN if calls are in the area. It is closed then, or if it fails. */
static int cut_locked(struct iova_space *space, unsigned long last)
{
	struct iova_area *area = iova_space_find(space, last, last);
	unsigned long offset;
	int busy;

	if (!area || last == area->iova || last == area->last)
		return 0;
	busy = atomic_read(&area->busy);
	if (area->pages->ondemand || (busy < 0 && !(busy & IOVA_AREA_CUT)))
		return -EBUSY;
	/* Domains may have it in pieces that are larger. */
	if (area->held && !space->no_huge)
		return -EINVAL;
	offset = area->offset + (last + 1 - area->iova);
	if (!IS_ALIGNED((last + 1) | offset, space->alignment))
		return -EINVAL;
	busy = atomic_fetch_or(CLOSED_BY_CUT, &area->busy) & ~CLOSED_BY_CUT;
	/* After @busy was seen 0, nobody makes new ones. */
	if (atomic_read(&area->pins))
		return -EINVAL;
	return busy ? -EAGAIN : iova_area_split(space, area, last);
}

/* Open the area again, if it is closed by a cut. */
static void cut_give_up(struct iova_space *space, unsigned long last)
{
	struct iova_area *area;

	down_write(&space->lock);
	area = iova_space_find(space, last, last);
	if (area && (atomic_read(&area->busy) & IOVA_AREA_CUT))
		atomic_andnot(CLOSED_BY_CUT, &area->busy);
	up_write(&space->lock);
}

/**
 * iova_space_cut - let an area end at an IOVA, and a new one begin behind it
 * @space: the space
 * @last: the IOVA; nothing happens if it is in no area, or the first or last one
 *	of its area
 *
 * Context: may sleep; killable.
 * Return: 0; -EBUSY if the area is being mapped or unmapped, or is on demand; -EINVAL if
 * the areas would not be aligned, or the area is pinned, or in domains by huge pages;
 * -ENOMEM; -EINTR. On failure nothing has changed.
 */
int iova_space_cut(struct iova_space *space, unsigned long last)
{
	int rc;

	do {
		rc = -EINTR;
		if (down_write_killable(&space->lock))
			break;
		rc = cut_locked(space, last);
		up_write(&space->lock);
		if (rc == -EAGAIN &&
		    wait_event_killable(space->wait,
					calls_in_cut(space, last) <= 0))
			rc = -EINTR;
	} while (rc == -EAGAIN);
	if (rc)
		cut_give_up(space, last);
	/* Others who wait for the area, to enter it or to cut it. */
	if (wq_has_sleeper(&space->wait))
		wake_up_all(&space->wait);
	return rc;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unmapping, and the members of a space: those who pin pages of it and must
 * give them back first.
 *
 * An unmap that meets a pinned area closes it to new pins, drops all locks and
 * asks each member that holds pins there. Then it looks again. If pins are left
 * it sleeps until one is dropped anywhere in the space and asks once more, up to
 * a limit for each area. The area is named by its IOVA meanwhile, never by its
 * address: another unmap may free it.
 *
 * Some let go by themselves and are just waited for, without a limit: calls that
 * are copying or about to pin, and members that are leaving.
 */
#include <linux/moduleparam.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>

#include "fail.h"
#include "iova_space.h"

#define STOP_REPORT (60 * HZ)
#define UNMAP_TIMEOUT_MIN_MS 1000
#define UNMAP_TIMEOUT_MAX_MS 3600000

static unsigned int unmap_timeout_ms = 10000;

static int unmap_timeout_set(const char *val, const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, UNMAP_TIMEOUT_MIN_MS,
				     UNMAP_TIMEOUT_MAX_MS);
}

static const struct kernel_param_ops unmap_timeout_ops = {
	.set = unmap_timeout_set,
	.get = param_get_uint,
};
module_param_cb(unmap_timeout_ms, &unmap_timeout_ops, &unmap_timeout_ms, 0644);
MODULE_PARM_DESC(unmap_timeout_ms,
		 "How long an unmap waits for a driver to unpin one mapping, in ms (default 10000)");

/**
 * iova_space_join - become a member of a space
 * @space: the space
 * @member: the new member, in nobody's list
 *
 * Context: may sleep; killable.
 * Return: 0; -ENOMEM; -EBUSY if there are 65536 members; -EADDRINUSE if areas
 * are not aligned as the member needs; -EINTR.
 */
int iova_space_join(struct iova_space *space, struct iova_member *member)
{
	int rc;

	if (down_write_killable(&space->lock))
		return -EINTR;
	rc = fail_point(-ENOMEM) ?:
	     xa_alloc(&space->members, &member->slot, member,
		      XA_LIMIT(0, U16_MAX), GFP_KERNEL_ACCOUNT);
	if (!rc && member->needs_page_alignment) {
		rc = iova_align_page_members(space, 1);
		if (rc)
			xa_erase(&space->members, member->slot);
	}
	up_write(&space->lock);
	return rc;
}

/**
 * iova_member_activate - begin to ask a member
 * @space: the space
 * @member: a member that is going to pin, and has no pins of another space
 *
 * Context: any.
 */
void iova_member_activate(struct iova_space *space, struct iova_member *member)
{
	xa_lock(&space->members);
	member->active = true;
	xa_unlock(&space->members);
}

/**
 * iova_member_stop - have no more calls of a member's unmap
 * @space: the space
 * @member: a member that will unpin everything by itself and leave
 *
 * Waits for running calls, without giving up: the driver could free what they
 * use.
 *
 * Context: may sleep. Must not be called from the member's unmap.
 */
void iova_member_stop(struct iova_space *space, struct iova_member *member)
{
	xa_lock(&space->members);
	member->leaving = true;
	xa_unlock(&space->members);
	while (!wait_event_timeout(space->wait, !READ_ONCE(member->notifying),
				   STOP_REPORT))
		pr_crit("still waiting for a driver's unmap to return\n");
	/* Whoever made it 0 may still be inside the lock. */
	xa_lock(&space->members);
	xa_unlock(&space->members);
}

/**
 * iova_space_leave - end membership
 * @space: the space
 * @member: a member for which iova_member_stop() was called
 *
 * Context: may sleep. Cannot fail.
 */
void iova_space_leave(struct iova_space *space, struct iova_member *member)
{
	down_write(&space->lock);
	xa_erase(&space->members, member->slot);
	if (member->needs_page_alignment)
		iova_align_page_members(space, -1);
	up_write(&space->lock);
	iova_space_pins_changed(space);
}

/**
 * iova_space_pins_changed - let waiting unmaps look again
 * @space: the space
 *
 * Context: any.
 */
void iova_space_pins_changed(struct iova_space *space)
{
	atomic_inc(&space->pin_drops);
	if (wq_has_sleeper(&space->wait))
		wake_up_all(&space->wait);
}

/**
 * iova_area_unpinned - drop one pin of an area
 * @space: the space, which the caller keeps alive
 * @area: the area; may be gone on return
 *
 * Context: any.
 */
void iova_area_unpinned(struct iova_space *space, struct iova_area *area)
{
	if (atomic_dec_return(&area->pins) == IOVA_AREA_CLOSED)
		iova_space_pins_changed(space);
}

/**
 * iova_area_idle - a call is no longer at work on an area
 * @space: the space, which the caller keeps alive
 * @area: the area; may be gone on return
 *
 * Context: any.
 */
void iova_area_idle(struct iova_space *space, struct iova_area *area)
{
	int busy = atomic_dec_return(&area->busy);

	if ((busy & ~IOVA_AREA_CUT) == IOVA_AREA_CLOSED)
		iova_space_pins_changed(space);
}

/* ---- unmap ---- */

/**
 * struct revocation - Progress in freeing one area of its users
 * @iova: first IOVA of the area
 * @last: last IOVA of the area
 * @deadline: when patience ends, in jiffies
 * @seen: iova_space.pin_drops before the members were asked
 * @busy: calls are at work on it
 * @draining: a leaving member holds pins there
 * @asked: the members were asked at least once
 * @wait: that area is in the way
 */
struct revocation {
	unsigned long iova;
	unsigned long last;
	unsigned long deadline;
	int seen;
	bool busy;
	bool draining;
	bool asked;
	bool wait;
};

static struct iova_member *next_holder(struct iova_space *space,
				       struct revocation *r,
				       unsigned long *slot)
{
	struct iova_member *member;

	xa_lock(&space->members);
	xa_for_each_start(&space->members, *slot, member, *slot) {
		if (!member->active ||
		    !member->ops->holds(member->owner, r->iova, r->last))
			continue;
		if (!member->leaving) {
			member->notifying++;
			break;
		}
		r->draining = true;
	}
	xa_unlock(&space->members);
	return member;
}

static void ask_holders(struct iova_space *space, struct revocation *r)
{
	struct iova_member *member;
	unsigned long slot = 0;

	r->seen = atomic_read(&space->pin_drops);
	r->draining = false;
	r->asked = true;
	while ((member = next_holder(space, r, &slot))) {
		member->ops->unmap(member->owner, r->iova,
				   r->last - r->iova + 1);
		xa_lock(&space->members);
		member->notifying--;
		/* The member may wait for this in order to go. */
		wake_up_all(&space->wait);
		xa_unlock(&space->members);
		slot++;
	}
}

static unsigned long new_deadline(void)
{
	return jiffies + msecs_to_jiffies(READ_ONCE(unmap_timeout_ms));
}

/*
 * Ask, or wait and then ask again, for the pins of an area. No lock is held.
 * @seen was read before the last look at the area, so no drop is missed.
 */
static int revoke_pins(struct iova_space *space, struct revocation *r)
{
	long rc, left = MAX_SCHEDULE_TIMEOUT;

	if (r->asked) {
		if (r->busy || r->draining)
			r->deadline = new_deadline();
		else
			left = r->deadline - jiffies;
		if (left <= 0) {
			pr_warn_once("unmap of [%#lx, %#lx]: a driver did not unpin in time\n",
				     r->iova, r->last);
			return -EDEADLOCK;
		}
		rc = wait_event_killable_timeout(space->wait,
						 atomic_read(&space->pin_drops) != r->seen,
						 left);
		if (rc < 0)
			return -EINTR;
	}
	ask_holders(space, r);
	return 0;
}

/*
 * Let nobody enter an area any more, and note it in @r if somebody uses it.
 * Returns whether so. A pin is raised by one who is busy there: after @busy was
 * seen 0, pins only fall.
 */
static bool close_area(struct iova_area *area, struct revocation *r)
{
	int busy, pins;

	/* A cut that waits for the area gives way. */
	atomic_andnot(IOVA_AREA_CUT, &area->busy);
	busy = atomic_fetch_or(IOVA_AREA_CLOSED, &area->busy) &
	       ~IOVA_AREA_CLOSED;
	pins = atomic_fetch_or(IOVA_AREA_CLOSED, &area->pins) &
	       ~IOVA_AREA_CLOSED;
	/* Another unmap is at work on it, and will not take long. */
	if (area->going)
		busy++;
	if (!busy && !pins)
		return false;
	if (pins)
		WRITE_ONCE(area->revoked, true);
	if (r->iova != area->iova || r->last != area->last)
		*r = (struct revocation){
			.iova = area->iova,
			.last = area->last,
			.deadline = new_deadline(),
		};
	r->busy = busy;
	return true;
}

/*
 * Areas that are going, so that a domain is synced once for all of them. As many
 * as others can wait for.
 */
struct departure {
	struct iova_area *areas;
	unsigned long pages;
};

#define DEPARTURE_PAGES (SZ_256M / PAGE_SIZE)

static bool departure_is_full(const struct departure *gone)
{
	return gone->pages >= DEPARTURE_PAGES;
}

static void departure_add(struct departure *gone, struct iova_area *area)
{
	area->going = true;
	area->next = gone->areas;
	gone->areas = area;
	gone->pages += (area->last - area->iova) / PAGE_SIZE + 1;
}

/*
 * Remove areas from @first on until one is in use; that one is closed and noted
 * in @r. Those in domains are only listed in @gone. Returns -EAGAIN for an area
 * in use or if the list is full, 0 at the end.
 */
static int unmap_unpinned(struct iova_space *space, unsigned long first,
			  unsigned long last, unsigned long *unmapped,
			  struct departure *gone, struct revocation *r)
{
	unsigned long iova = first;
	struct iova_area *area;

	r->wait = false;
	while ((area = iova_space_find(space, iova, last))) {
		if (area->iova < first || area->last > last)
			return -ENOENT;
		if (fatal_signal_pending(current))
			return -EINTR;
		if (departure_is_full(gone))
			return -EAGAIN;
		if (close_area(area, r)) {
			r->wait = true;
			return -EAGAIN;
		}
		*unmapped += area->last - area->iova + 1;
		iova = area->last;
		if (area->held)
			departure_add(gone, area);
		else
			iova_space_erase(space, area);
		if (iova++ == last)
			break;
		cond_resched();
	}
	return 0;
}

/*
 * Take areas out of the domains, and then away. The domains have been the same
 * since the areas were listed. Returns whether no memory was lost.
 */
static bool unmap_domains(struct iova_space *space, const struct departure *gone)
{
	struct iova_area *area, *next;
	bool whole;

	if (!gone->areas)
		return true;
	whole = iova_areas_leave_domains(space, gone->areas);
	down_write(&space->lock);
	for (area = gone->areas; area; area = next) {
		next = area->next;
		iova_space_erase(space, area);
		cond_resched();
	}
	up_write(&space->lock);
	/* Other unmaps may be waiting for them. */
	iova_space_pins_changed(space);
	return whole;
}

/* An unmap gives up on an area that was only waiting for calls to leave. */
static void reopen(struct iova_space *space, const struct revocation *r)
{
	struct iova_area *area;

	down_write(&space->lock);
	area = iova_space_find(space, r->iova, r->last);
	if (area && !area->revoked && !area->setup && !area->going) {
		atomic_andnot(IOVA_AREA_CLOSED, &area->pins);
		atomic_andnot(IOVA_AREA_CLOSED | IOVA_AREA_CUT, &area->busy);
	}
	up_write(&space->lock);
	/* Another unmap that waits for it has to close it again. */
	iova_space_pins_changed(space);
}

/**
 * iova_space_unmap - remove the areas inside a range
 * @space: the space
 * @first: first IOVA
 * @last: last IOVA
 * @unmapped: gets the number of bytes that were mapped there
 *
 * Not atomic: on failure some areas are gone already.
 *
 * Context: may sleep; killable. Members' unmap is called without a lock.
 * Return: 0, also if there was nothing; -ENOENT if an area sticks out;
 * -EDEADLOCK if a member keeps its pins; -EINTR.
 */
int iova_space_unmap(struct iova_space *space, unsigned long first,
		     unsigned long last, unsigned long *unmapped)
{
	/* No area is like this one, so the first pinned one starts afresh. */
	struct revocation r = { .iova = 1, .last = 0 };
	bool whole = true;
	int rc;

	*unmapped = 0;
	do {
		struct departure gone = {};

		rc = -EINTR;
		if (down_read_killable(&space->domains_lock))
			break;
		if (!down_write_killable(&space->lock)) {
			rc = unmap_unpinned(space, first, last, unmapped, &gone,
					    &r);
			up_write(&space->lock);
			whole = unmap_domains(space, &gone) && whole;
		}
		up_read(&space->domains_lock);
		if (rc == -EAGAIN && r.wait)
			rc = revoke_pins(space, &r) ?: -EAGAIN;
	} while (rc == -EAGAIN);
	/* It may have closed an area that it leaves behind. */
	if (rc && r.iova <= r.last)
		reopen(space, &r);
	rc = rc ?: whole ? 0 : -EIO;
	if (rc)
		iova_area_no_unmap(space, first, last, rc);
	return rc;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages: what owner and server may say, and when it is complete.
 *
 * A removal is complete when no reader can use what was removed, and no client has
 * anything derived from it: readers are waited for first, for until they leave their gates
 * they may go on to derive. That is done once for all messages of a command, or of a
 * batch. What a killed command leaves to be done, and all at the end of a server, is done
 * by a work item: nobody may rely on having waited then.
 */
#include <linux/overflow.h>
#include <linux/sched/mm.h>
#include <linux/wait_bit.h>

#include "iotlb.h"
#include "iotlb_reader.h"
#include "netlink.h"
#include "pages.h"
#include "private.h"

/* ---- completion ---- */

/**
 * iotlb_changes_init - begin a command
 * @changes: its changes
 */
void iotlb_changes_init(struct iotlb_changes *changes)
{
	changes->nr = 0;
	changes->all = false;
	changes->from_server = false;
	changes->inval_seq = 0;
	INIT_LIST_HEAD(&changes->resume);
}

/* Make one of what was removed from the same address space. */
static void changes_merge(struct iotlb_changes *changes)
{
	unsigned int i, j, nr = 0;

	for (i = 0; i < changes->nr; i++) {
		struct iotlb_removal *from = &changes->ranges[i];

		for (j = 0; j < nr && changes->ranges[j].space != from->space; j++)
			;
		if (j < nr) {
			struct iotlb_removal *to = &changes->ranges[j];

			to->first = min(to->first, from->first);
			to->last = max(to->last, from->last);
		} else {
			changes->ranges[nr++] = *from;
		}
	}
	changes->nr = nr;
}

/**
 * iotlb_changes_add - something was removed
 * @iotlb: the IOTLB; its wlock is held
 * @changes: of the command; if it is part of a batch, that has it then
 * @space: where
 * @first: first IOVA
 * @last: last one
 */
void iotlb_changes_add(struct iotlb *iotlb, struct iotlb_changes *changes,
		       struct iotlb_space *space, u64 first, u64 last)
{
	lockdep_assert_held(&iotlb->wlock);
	if (changes->from_server && iotlb->batch_open)
		changes = &iotlb->batch;
	if (changes->nr == IOTLB_CHANGES)
		changes_merge(changes);
	if (changes->nr == IOTLB_CHANGES) {
		/* Too many address spaces: too much is never wrong. */
		changes->all = true;
		return;
	}
	changes->ranges[changes->nr++] = (struct iotlb_removal){
		.space = space,
		.first = first,
		.last = last,
	};
}

static int drain(struct iotlb_space *space, bool killable)
{
	struct iotlb_channel *chan = space->iotlb->chan;
	u64 slept_ns;
	int rc = iotlb_drain(space, killable, &slept_ns);

	spin_lock_irq(&chan->lock);
	chan->counts[IOMMUKIT_IOTLB_STAT_DRAINS]++;
	chan->counts[IOMMUKIT_IOTLB_STAT_DRAIN_SLEEPS] += !!slept_ns;
	if (slept_ns > chan->counts[IOMMUKIT_IOTLB_STAT_DRAIN_MAX_NS])
		chan->counts[IOMMUKIT_IOTLB_STAT_DRAIN_MAX_NS] = slept_ns;
	spin_unlock_irq(&chan->lock);
	return rc;
}

static int drain_all(struct iotlb *iotlb, const struct iotlb_changes *changes)
{
	struct iotlb_space *space;
	unsigned long asid;
	unsigned int i;
	int rc = 0;

	for (i = 0; i < changes->nr && !rc; i++)
		if (!i || changes->ranges[i].space != changes->ranges[i - 1].space)
			rc = drain(changes->ranges[i].space, true);
	if (rc || !changes->all)
		return rc;
	xa_for_each(&iotlb->spaces, asid, space) {
		rc = drain(space, true);
		if (rc)
			break;
	}
	return rc;
}

static void notify_all(struct iotlb *iotlb, const struct iotlb_changes *changes)
{
	struct iotlb_space *space;
	unsigned long asid;
	unsigned int i;

	for (i = 0; i < changes->nr; i++)
		iotlb_clients_invalidate(changes->ranges[i].space,
					 changes->ranges[i].first,
					 changes->ranges[i].last);
	if (!changes->all)
		return;
	xa_for_each(&iotlb->spaces, asid, space)
		iotlb_clients_invalidate(space, 0, U64_MAX);
}

static void leave_space(struct iotlb_space *space, u64 first, u64 last)
{
	space->late_first = space->late ? min(space->late_first, first) : first;
	space->late_last = space->late ? max(space->late_last, last) : last;
	space->late = true;
}

/* Somebody else does the rest; wlock is held. */
static void leave_locked(struct iotlb *iotlb, struct iotlb_changes *changes)
{
	struct iotlb_space *space;
	unsigned long asid;
	unsigned int i;

	for (i = 0; i < changes->nr; i++)
		leave_space(changes->ranges[i].space, changes->ranges[i].first,
			    changes->ranges[i].last);
	if (changes->all)
		xa_for_each(&iotlb->spaces, asid, space)
			leave_space(space, 0, U64_MAX);
	changes->nr = 0;
	changes->all = false;
}

/**
 * iotlb_changes_complete - end a command
 * @iotlb: the IOTLB
 * @changes: what it has done
 *
 * Context: may sleep, as long as gates and drivers take; no lock is held, nor a gate.
 * Return: 0; -EINTR if a fatal signal came first, and a work item does the rest.
 */
int iotlb_changes_complete(struct iotlb *iotlb, struct iotlb_changes *changes)
{
	iotlb_resume(&changes->resume);
	if (!changes->nr && !changes->all)
		return 0;
	if (!drain_all(iotlb, changes)) {
		notify_all(iotlb, changes);
		return 0;
	}
	mutex_lock(&iotlb->wlock);
	leave_locked(iotlb, changes);
	mutex_unlock(&iotlb->wlock);
	queue_work(iotlb_late_wq, &iotlb->late);
	return -EINTR;
}

/* ---- what nobody waits for ---- */

/**
 * iotlb_server_lost - the server has gone, and what it said is not true any more
 * @iotlb: the IOTLB
 *
 * Context: any; it is done by a work item.
 */
void iotlb_server_lost(struct iotlb *iotlb)
{
	WRITE_ONCE(iotlb->lost, true);
	queue_work(iotlb_late_wq, &iotlb->late);
}

static void tell_clients(struct iotlb *iotlb, bool up)
{
	if (iotlb->server_up == up)
		return;
	iotlb->server_up = up;
	iotlb_clients_tell(iotlb, up);
}

static void remove_lost(struct iotlb *iotlb)
{
	struct iotlb_changes changes;
	struct iotlb_space *space;
	unsigned long asid;

	if (!READ_ONCE(iotlb->lost))
		return;
	netlink_iotlb_server_lost(iotlb->ctx->id, iotlb->obj.id,
				  iotlb->user_tag);
	iotlb_changes_init(&changes);
	mutex_lock(&iotlb->wlock);
	iotlb->batch_open = false;
	leave_locked(iotlb, &iotlb->batch);
	mutex_unlock(&iotlb->wlock);
	xa_for_each(&iotlb->spaces, asid, space)
		if (!iotlb->keep_on_close)
			iotlb_table_flush(space, false, &changes);
	mutex_lock(&iotlb->wlock);
	leave_locked(iotlb, &changes);
	mutex_unlock(&iotlb->wlock);
	/* Who was told that its miss is lost waits for the next server to be told of. */
	tell_clients(iotlb, false);
	/* Now there may be another server. */
	WRITE_ONCE(iotlb->lost, false);
	smp_mb(); /* or a waiter that sees the old value is not seen */
	wake_up_var(&iotlb->lost);
}

static void complete_late(struct iotlb_space *space)
{
	struct iotlb *iotlb = space->iotlb;
	u64 first, last;
	bool late;

	mutex_lock(&iotlb->wlock);
	late = space->late;
	first = space->late_first;
	last = space->late_last;
	space->late = false;
	mutex_unlock(&iotlb->wlock);
	if (!late)
		return;
	drain(space, false);
	iotlb_clients_invalidate(space, first, last);
}

/**
 * iotlb_late_work - do what nobody waits for
 * @work: late of an IOTLB
 */
void iotlb_late_work(struct work_struct *work)
{
	struct iotlb *iotlb = container_of(work, struct iotlb, late);
	struct iotlb_space *space;
	unsigned long asid;

	remove_lost(iotlb);
	xa_for_each(&iotlb->spaces, asid, space)
		complete_late(space);
	tell_clients(iotlb, READ_ONCE(iotlb->chan->state) ==
			    IOMMUKIT_IOTLB_CHAN_STATE_OPEN);
}

/* ---- what may be said ---- */

static int check_range(const struct iommukit_iotlb_msg *msg, u64 *last)
{
	if (!msg->length)
		return -EINVAL;
	if (check_add_overflow(msg->iova, msg->length - 1, last))
		return -EOVERFLOW;
	return 0;
}

static int check_target(const struct iotlb *iotlb,
			const struct iommukit_iotlb_msg *msg)
{
	u64 last;
	bool wraps = check_add_overflow(msg->target, msg->length - 1, &last);

	if (msg->flags & IOMMUKIT_IOTLB_MSG_NEGATIVE)
		return 0;
	if (iotlb->uva)
		return wraps || last >= iotlb->uva->mm->task_size ? -EFAULT : 0;
	return wraps ? -EOVERFLOW : 0;
}

static int check_perm(const struct iommukit_iotlb_msg *msg)
{
	if (msg->flags & IOMMUKIT_IOTLB_MSG_NEGATIVE)
		return msg->perm || msg->target ? -EINVAL : 0;
	return !msg->perm || msg->perm > IOMMUKIT_IOTLB_PERM_RW ? -EINVAL : 0;
}

static int check_flags(const struct iommukit_iotlb_msg *msg, unsigned int known,
		       unsigned int from)
{
	if ((msg->flags & ~known) || msg->aux)
		return -EOPNOTSUPP;
	if ((msg->flags & IOMMUKIT_IOTLB_MSG_PINNED) &&
	    !(from & IOTLB_FROM_OWNER))
		return -EPERM;
	return 0;
}

static int apply_update(struct iotlb *iotlb, const struct iommukit_iotlb_msg *msg,
			unsigned int from, struct iotlb_changes *changes)
{
	unsigned int known = IOMMUKIT_IOTLB_MSG_PREFETCH |
			     IOMMUKIT_IOTLB_MSG_PINNED |
			     IOMMUKIT_IOTLB_MSG_NO_REPLACE;
	struct iotlb_update up = {
		.first = msg->iova,
		.target = msg->target,
		.cookie = msg->cookie,
		.epoch = from & IOTLB_FROM_EPOCH ? msg->epoch : 0,
		.perm = msg->perm,
		.flags = msg->flags,
		.from = from,
	};
	struct iotlb_space *space;
	int rc;

	if (from & IOTLB_FROM_NEGATIVE)
		known |= IOMMUKIT_IOTLB_MSG_NEGATIVE;
	rc = check_flags(msg, known, from) ?:
	     check_range(msg, &up.last) ?:
	     check_perm(msg);
	if (rc)
		return rc;
	if (up.first < iotlb->first || up.last > iotlb->last)
		return -ERANGE;
	rc = check_target(iotlb, msg);
	if (rc)
		return rc;
	space = iotlb_space_make(iotlb, msg->asid);
	if (IS_ERR(space))
		return PTR_ERR(space);
	return iotlb_table_update(space, &up, changes);
}

static int apply_flush(struct iotlb *iotlb, const struct iommukit_iotlb_msg *msg,
		       unsigned int from, struct iotlb_changes *changes)
{
	struct iotlb_space *space = iotlb_space(iotlb, msg->asid);
	bool pinned = msg->flags & IOMMUKIT_IOTLB_MSG_PINNED;
	int rc = check_flags(msg, IOMMUKIT_IOTLB_MSG_PINNED, from);

	/* One that was never used has nothing, nor anybody to tell. */
	if (rc || !space)
		return rc;
	return iotlb_table_flush(space, pinned, changes);
}

static int apply_invalidate(struct iotlb *iotlb,
			    const struct iommukit_iotlb_msg *msg,
			    unsigned int from, struct iotlb_changes *changes)
{
	struct iotlb_space *space = iotlb_space(iotlb, msg->asid);
	u64 first = msg->iova, last;
	int rc;

	if (!msg->iova && !msg->length)
		return apply_flush(iotlb, msg, from, changes);
	rc = check_flags(msg, IOMMUKIT_IOTLB_MSG_PINNED, from) ?:
	     check_range(msg, &last);
	if (rc)
		return rc;
	first = max(first, iotlb->first);
	last = min(last, iotlb->last);
	if (!space || first > last)
		return 0;
	return iotlb_table_invalidate(space, first, last,
				      msg->flags & IOMMUKIT_IOTLB_MSG_PINNED,
				      changes);
}

static int apply_deny(struct iotlb *iotlb, const struct iommukit_iotlb_msg *msg,
		      struct iotlb_changes *changes)
{
	struct iotlb_space *space = iotlb_space(iotlb, msg->asid);
	u64 last, length = msg->length ?: 1;

	if (msg->flags || msg->aux)
		return -EOPNOTSUPP;
	if (msg->perm > IOMMUKIT_IOTLB_PERM_RW)
		return -EINVAL;
	if (check_add_overflow(msg->iova, length - 1, &last))
		return -EOVERFLOW;
	if (space)
		iotlb_miss_deny(space, msg, last, &changes->resume);
	return 0;
}

static int apply_batch(struct iotlb *iotlb, const struct iommukit_iotlb_msg *msg,
		       struct iotlb_changes *changes)
{
	if (msg->flags || msg->aux)
		return -EOPNOTSUPP;
	if (mutex_lock_killable(&iotlb->wlock))
		return -EINTR;
	if (msg->op == IOMMUKIT_IOTLB_OP_BATCH_BEGIN) {
		iotlb->batch_open = true;
		iotlb->batch_asid = msg->asid;
	} else if (iotlb->batch_open) {
		unsigned int i;

		iotlb->batch_open = false;
		for (i = 0; i < iotlb->batch.nr; i++)
			iotlb_changes_add(iotlb, changes,
					  iotlb->batch.ranges[i].space,
					  iotlb->batch.ranges[i].first,
					  iotlb->batch.ranges[i].last);
		changes->all |= iotlb->batch.all;
		iotlb_changes_init(&iotlb->batch);
	}
	mutex_unlock(&iotlb->wlock);
	return 0;
}

/* Whether a message is for another address space than the batch that it would join */
static bool breaks_batch(struct iotlb *iotlb,
			 const struct iommukit_iotlb_msg *msg)
{
	bool breaks;

	mutex_lock(&iotlb->wlock);
	breaks = iotlb->batch_open && iotlb->batch_asid != msg->asid;
	mutex_unlock(&iotlb->wlock);
	return breaks;
}

/**
 * iotlb_apply - do what a message says
 * @iotlb: the IOTLB
 * @msg: the message, in native form
 * @from: IOTLB_FROM_*: what its sender may say
 * @changes: of the command, which iotlb_changes_complete() ends
 *
 * Context: may sleep; no lock is held, nor a gate.
 * Return: 0, or an errno of struct iommukit_iotlb_msg; -EINTR on a fatal signal.
 */
int iotlb_apply(struct iotlb *iotlb, const struct iommukit_iotlb_msg *msg,
		unsigned int from, struct iotlb_changes *changes)
{
	bool owner = from & IOTLB_FROM_OWNER;

	changes->from_server = !owner;
	if (msg->asid >= iotlb->num_asids)
		return -EINVAL;
	if (!owner && (from & IOTLB_FROM_BATCHER) && breaks_batch(iotlb, msg))
		return -EINVAL;
	switch (msg->op) {
	case IOMMUKIT_IOTLB_OP_UPDATE:
		return apply_update(iotlb, msg, from, changes);
	case IOMMUKIT_IOTLB_OP_INVALIDATE:
		return apply_invalidate(iotlb, msg, from, changes);
	case IOMMUKIT_IOTLB_OP_FLUSH:
		return from & (IOTLB_FROM_OWNER | IOTLB_FROM_NATIVE) ?
		       apply_flush(iotlb, msg, from, changes) : -EINVAL;
	case IOMMUKIT_IOTLB_OP_ACCESS_FAIL:
		return owner ? -EINVAL : apply_deny(iotlb, msg, changes);
	case IOMMUKIT_IOTLB_OP_BATCH_BEGIN:
	case IOMMUKIT_IOTLB_OP_BATCH_END:
		return !owner && (from & IOTLB_FROM_BATCHER) ?
		       apply_batch(iotlb, msg, changes) : -EINVAL;
	default:
		return -EINVAL;
	}
}

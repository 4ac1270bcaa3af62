// SPDX-License-Identifier: GPL-2.0-only
/*
 * Misses: who needs a translation that is not there, and waits for it.
 *
 * Who waits is a thread, that sleeps, or a reader, whose driver is told to try again once
 * no lock is held any more: until then it is in a list. Both look into the table once more
 * under the lock of the channel. An answer is put into the table before it is looked who
 * waits for it; so none is missed.
 */
#include "iotlb_record.h"

#include <linux/freezer.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/sched/signal.h>

#include "iotlb_reader.h"

/**
 * iotlb_miss_count - count something that happened without the lock
 * @chan: the channel
 * @stat: what
 */
void iotlb_miss_count(struct iotlb_channel *chan, enum iommukit_iotlb_stat stat)
{
	unsigned long flags;

	spin_lock_irqsave(&chan->lock, flags);
	iotlb_count(chan, stat);
	spin_unlock_irqrestore(&chan->lock, flags);
}

/* ---- raising ---- */

static void record_join(struct iotlb_channel *chan, struct iotlb_record *record,
			u64 iova, u32 perm, u16 flags, u64 hint)
{
	iotlb_count(chan, IOMMUKIT_IOTLB_STAT_JOINED);
	record->perm |= perm;
	record->flags |= flags;
	record->lo = min(record->lo, iova);
	record->hi = max(record->hi, iova);
	record->hint = max(record->hint, hint);
	if (!(record->flags & IOMMUKIT_IOTLB_MSG_PREFETCH))
		return;
	record->flags &= ~IOMMUKIT_IOTLB_MSG_PREFETCH;
	if (record->state == IOTLB_RECORD_QUEUED)
		list_move_tail(&record->link, &chan->queue);
	else
		list_del_init(&record->link);
}

/* A permission was not enough. One place is reported once. */
static void report_event(struct iotlb_channel *chan,
			 struct iommukit_iotlb_reader *reader, u64 iova,
			 u32 perm, u64 gen)
{
	u64 granule = iova >> chan->granule_shift;
	struct iotlb_event *event;

	if (!(chan->features & IOMMUKIT_IOTLB_CHAN_ACCESS_FAIL) ||
	    !iotlb_chan_expresses(chan, reader->space->asid) ||
	    (reader->reported_gen == gen && reader->reported_iova == granule))
		return;
	reader->reported_gen = gen;
	reader->reported_iova = granule;
	if (chan->nr_events == IOTLB_EVENTS) {
		iotlb_count(chan, IOMMUKIT_IOTLB_STAT_EVENTS_LOST);
		chan->lost++;
		return;
	}
	event = &chan->events[(chan->first_event + chan->nr_events++) %
			      IOTLB_EVENTS];
	event->asid = reader->space->asid;
	event->iova = iova;
	event->perm = perm;
}

static int check_state(const struct iotlb_channel *chan)
{
	switch (chan->state) {
	case IOMMUKIT_IOTLB_CHAN_STATE_OPEN:
		return 0;
	case IOMMUKIT_IOTLB_CHAN_STATE_CLOSED:
		return -EPIPE;
	case IOMMUKIT_IOTLB_CHAN_STATE_DEAD:
		return -ENODEV;
	default:
		return -ENOTCONN;
	}
}

/*
 * Look once more, now that an answer cannot come in between. 0: it has come; 1: there is
 * somebody to be asked, @perm for @flags; else what is wrong.
 */
static int look_again(struct iotlb_channel *chan, struct iotlb_waiter *waiter,
		      u32 *perm, u16 *flags)
{
	struct iommukit_iotlb_reader *reader = waiter->reader;
	struct iotlb_translation t;
	int rc = check_state(chan);

	*perm = waiter->perm;
	*flags = 0;
	if (iotlb_lookup(reader->space, waiter->iova, &t)) {
		if (!t.perm || !(waiter->perm & ~t.perm))
			return 0;
		if (rc || !(chan->features & IOMMUKIT_IOTLB_CHAN_UPGRADE)) {
			if (!rc)
				report_event(chan, reader, waiter->iova,
					     waiter->perm, t.gen);
			return -EPERM;
		}
		*perm |= t.perm;
		*flags = IOMMUKIT_IOTLB_MSG_UPGRADE;
	}
	if (!rc && !iotlb_chan_expresses(chan, reader->space->asid))
		rc = -ENOTCONN;
	return rc ?: 1;
}

/* Returns 1 if @waiter waits, 0 if the table is worth another look, or an errno. */
static int raise(struct iotlb_channel *chan, struct iotlb_waiter *waiter,
		 u64 hint, struct list_head *resume)
{
	struct iotlb_space *space = waiter->reader->space;
	struct iotlb_record *record;
	u16 flags;
	u32 perm;
	int rc;

	lockdep_assert_held(&chan->lock);
	rc = look_again(chan, waiter, &perm, &flags);
	if (rc <= 0)
		return rc;
	if (chan->features & IOMMUKIT_IOTLB_CHAN_LEN_HINT)
		hint = iotlb_gap(space, waiter->iova, hint);
	record = iotlb_record_find(chan, space, waiter->iova, perm);
	if (record) {
		record_join(chan, record, waiter->iova, perm, flags, hint);
	} else {
		if (list_empty(&chan->free))
			iotlb_record_drop_prefetch(chan, resume);
		record = iotlb_record_make(chan, space, waiter->iova, perm, flags,
				     hint);
	}
	if (record && (flags & IOMMUKIT_IOTLB_MSG_UPGRADE))
		iotlb_count(chan, IOMMUKIT_IOTLB_STAT_UPGRADES);
	if (!record)
		iotlb_count(chan, IOMMUKIT_IOTLB_STAT_SPACE_WAITS);
	list_add_tail(&waiter->link, record ? &record->waiters : &chan->room);
	waiter->record = record;
	waiter->waiting = true;
	return 1;
}

static u64 nr_messages(const struct iotlb_channel *chan)
{
	/* The ring tells of lost ones, too. */
	return chan->cookies + chan->nr_events + chan->lost;
}

/* Who joins a miss has nothing to tell the server. */
static unsigned int push_new(struct iotlb_channel *chan, u64 before)
{
	return nr_messages(chan) != before ? iotlb_chan_push_locked(chan) : 0;
}

/* ---- threads ---- */

static unsigned int sleep_state(const struct iommukit_iotlb_reader *reader)
{
	/* No load, and nothing that is reported as hung. */
	if (current->flags & PF_KTHREAD)
		return TASK_KILLABLE | TASK_NOLOAD;
	if (reader->flags & IOMMUKIT_IOTLB_READER_INTERRUPTIBLE)
		return TASK_INTERRUPTIBLE | TASK_FREEZABLE;
	return TASK_KILLABLE | TASK_FREEZABLE;
}

static bool is_to_stop(const struct iommukit_iotlb_reader *reader)
{
	return (reader->flags & IOMMUKIT_IOTLB_READER_KTHREAD_STOP) &&
	       (current->flags & PF_KTHREAD) && kthread_should_stop();
}

static void spin(const struct iotlb_waiter *waiter, u32 us)
{
	u64 end = ktime_get_ns() + us * NSEC_PER_USEC;

	while (READ_ONCE(waiter->waiting) && !need_resched() &&
	       ktime_get_ns() < end)
		cpu_relax();
}

/* Why the wait has ended, if it was not the answer */
static int wait_for_answer(const struct iotlb_waiter *waiter, long *timeout)
{
	struct iommukit_iotlb_reader *reader = waiter->reader;
	u32 spin_us = READ_ONCE(reader->space->iotlb->spin_us);
	unsigned int state = sleep_state(reader);
	int rc = 0;

	if (spin_us)
		spin(waiter, spin_us);
	for (;;) {
		set_current_state(state);
		if (!READ_ONCE(waiter->waiting))
			break;
		if (is_to_stop(reader))
			rc = -ECANCELED;
		else if (fatal_signal_pending(current))
			rc = -EINTR;
		else if (signal_pending_state(state, current))
			rc = -ERESTARTSYS;
		else if (!*timeout)
			rc = -ETIMEDOUT;
		if (rc)
			break;
		*timeout = schedule_timeout(*timeout);
	}
	__set_current_state(TASK_RUNNING);
	return rc;
}

static void count_end(struct iotlb_channel *chan, int rc)
{
	if (rc == -ETIMEDOUT)
		iotlb_count(chan, IOMMUKIT_IOTLB_STAT_TIMED_OUT);
	else if (rc == -ECANCELED)
		iotlb_count(chan, IOMMUKIT_IOTLB_STAT_CANCELLED);
	else
		iotlb_count(chan, IOMMUKIT_IOTLB_STAT_INTERRUPTED);
}

/* Whether a thread of this client may wait at all */
static int check_client(const struct iommukit_iotlb_client *client)
{
	if (client->cancelled)
		return -ECANCELED;
	return client->revoking ? -EAGAIN : 0;
}

/**
 * iotlb_miss_wait - ask the server, and wait for the answer
 * @reader: the reader, outside of its gate
 * @iova: the byte that is missing
 * @perm: what for
 * @hint: how many bytes are needed from there on
 * @timeout: jiffies to wait; gets what is left
 *
 * Context: may sleep, as long as the server takes.
 * Return: 0 to look again; 1 as well, but there was no room to ask; errnos of
 * iommukit_iotlb_translate().
 */
int iotlb_miss_wait(struct iommukit_iotlb_reader *reader, u64 iova, u32 perm,
		    u64 hint, long *timeout)
{
	struct iotlb_channel *chan = reader->space->iotlb->chan;
	struct iotlb_waiter waiter = {
		.reader = reader,
		.task = current,
		.iova = iova,
		.perm = perm,
	};
	unsigned int wake;
	u64 before;
	LIST_HEAD(resume);
	bool room;
	int rc;

	spin_lock_irq(&chan->lock);
	before = nr_messages(chan);
	rc = check_client(reader->client) ?:
	     raise(chan, &waiter, hint, &resume);
	if (rc > 0)
		list_add_tail(&waiter.kin, &reader->client->sleepers);
	room = !waiter.record;
	wake = push_new(chan, before);
	spin_unlock_irq(&chan->lock);
	iotlb_chan_wake(chan, wake);
	iotlb_resume(&resume);
	if (rc <= 0)
		return rc;

	rc = wait_for_answer(&waiter, timeout);
	spin_lock_irq(&chan->lock);
	if (waiter.waiting) {
		iotlb_waiter_leave(chan, &waiter, &resume);
		count_end(chan, rc);
	} else {
		/* What came first counts. */
		rc = waiter.result;
	}
	/* The room may not be needed any more: then it is the next one's. */
	if (room)
		iotlb_room_serve(chan, &resume);
	spin_unlock_irq(&chan->lock);
	iotlb_resume(&resume);
	if (!rc && waiter.got.perm && waiter.got.first <= iova &&
	    waiter.got.last >= iova)
		iotlb_reader_keep(reader, iova, &waiter.got);
	return rc ?: room;
}

/* Whatever it is that threads of a client wait for, they are told @result. */
static void end_sleepers(struct iommukit_iotlb_client *client, int result,
			 struct list_head *resume)
{
	struct iotlb_channel *chan = client->iotlb->chan;

	while (!list_empty(&client->sleepers)) {
		struct iotlb_waiter *waiter =
			list_first_entry(&client->sleepers, struct iotlb_waiter,
					 kin);

		iotlb_waiter_abort(chan, waiter, result, resume);
		if (result == -ECANCELED)
			iotlb_count(chan, IOMMUKIT_IOTLB_STAT_CANCELLED);
	}
}

/**
 * iotlb_miss_cancel - let no thread of a client wait, or again
 * @client: the client
 * @cancelled: whether they may not
 *
 * Context: any but NMI; the lock of the channel is not held.
 */
void iotlb_miss_cancel(struct iommukit_iotlb_client *client, bool cancelled)
{
	struct iotlb_channel *chan = client->iotlb->chan;
	unsigned long flags;
	LIST_HEAD(resume);

	spin_lock_irqsave(&chan->lock, flags);
	WRITE_ONCE(client->cancelled, cancelled);
	if (cancelled)
		end_sleepers(client, -ECANCELED, &resume);
	spin_unlock_irqrestore(&chan->lock, flags);
	iotlb_resume(&resume);
}

/**
 * iotlb_miss_revoke - let no thread of a client wait for a while
 * @client: the client
 * @begin: whether it begins; else it ends. May be nested.
 *
 * For who calls a driver that needs a lock with which a thread of it may wait.
 *
 * Context: any but NMI; the lock of the channel is not held.
 */
void iotlb_miss_revoke(struct iommukit_iotlb_client *client, bool begin)
{
	struct iotlb_channel *chan = client->iotlb->chan;
	unsigned long flags;
	LIST_HEAD(resume);

	spin_lock_irqsave(&chan->lock, flags);
	if (begin) {
		client->revoking++;
		end_sleepers(client, -EAGAIN, &resume);
	} else {
		client->revoking--;
	}
	spin_unlock_irqrestore(&chan->lock, flags);
	iotlb_resume(&resume);
}

/* ---- readers that are resumed ---- */

static bool is_same_miss(const struct iotlb_channel *chan, u64 iova, u32 perm,
			 u64 other_iova, u32 other_perm)
{
	return iova >> chan->granule_shift ==
		       other_iova >> chan->granule_shift &&
	       !(perm & ~other_perm);
}

/* Returns -EAGAIN if the reader is going to be resumed, as iotlb_miss_async() else. */
static int async_locked(struct iommukit_iotlb_reader *reader, u64 iova,
			u32 perm, u64 hint, struct list_head *resume)
{
	struct iotlb *iotlb = reader->space->iotlb;
	u32 ms = READ_ONCE(iotlb->miss_timeout_ms);
	struct iotlb_waiter *waiter = &reader->waiter;
	struct iotlb_channel *chan = iotlb->chan;
	int rc = reader->error;

	if (rc && is_same_miss(chan, iova, perm, reader->error_iova,
			       reader->error_perm)) {
		reader->error = 0;
		return rc;
	}
	if (waiter->waiting) {
		if (is_same_miss(chan, iova, perm, waiter->iova, waiter->perm))
			return -EAGAIN;
		iotlb_waiter_leave(chan, waiter, resume);
	}
	waiter->iova = iova;
	waiter->perm = perm;
	rc = raise(chan, waiter, hint, resume);
	if (rc <= 0)
		return rc;
	list_add_tail(&waiter->kin, &chan->asyncs);
	if (ms == IOMMUKIT_IOTLB_NO_TIMEOUT) {
		waiter->deadline = jiffies + MAX_JIFFY_OFFSET;
		return -EAGAIN;
	}
	waiter->deadline = jiffies + msecs_to_jiffies(ms);
	/* They do not come in order if the timeout is changed. */
	if (!delayed_work_pending(&iotlb->expire) ||
	    time_before(waiter->deadline, iotlb->expire.timer.expires))
		mod_delayed_work(iotlb_wq, &iotlb->expire,
				 msecs_to_jiffies(ms));
	return -EAGAIN;
}

/**
 * iotlb_miss_async - ask the server, and have the reader resumed
 * @reader: the reader, in its gate
 * @iova: the byte that is missing
 * @perm: what for
 * @hint: how many bytes are needed from there on
 *
 * Context: any but NMI.
 * Return: 0 to look again at once; -EAGAIN if it is going to be resumed; other errnos of
 * iommukit_iotlb_translate_nowait().
 */
int iotlb_miss_async(struct iommukit_iotlb_reader *reader, u64 iova, u32 perm,
		     u64 hint)
{
	struct iotlb_channel *chan = reader->space->iotlb->chan;
	unsigned long flags;
	LIST_HEAD(resume);
	unsigned int wake;
	u64 before;
	int rc;

	spin_lock_irqsave(&chan->lock, flags);
	before = nr_messages(chan);
	rc = async_locked(reader, iova, perm, hint, &resume);
	wake = push_new(chan, before);
	spin_unlock_irqrestore(&chan->lock, flags);
	iotlb_chan_wake(chan, wake);
	iotlb_resume(&resume);
	return rc;
}

/**
 * iotlb_miss_withdraw - the reader does not want to be resumed any more
 * @reader: the reader, which is being destroyed
 *
 * It may be in the list of somebody who is going to resume it, with a count.
 *
 * Context: any but NMI.
 */
void iotlb_miss_withdraw(struct iommukit_iotlb_reader *reader)
{
	struct iotlb_channel *chan = reader->space->iotlb->chan;
	unsigned long flags;
	LIST_HEAD(resume);

	spin_lock_irqsave(&chan->lock, flags);
	if (reader->waiter.waiting)
		iotlb_waiter_leave(chan, &reader->waiter, &resume);
	spin_unlock_irqrestore(&chan->lock, flags);
	iotlb_resume(&resume);
}

static void expire_one(struct iotlb_channel *chan, struct iotlb_waiter *waiter,
		       struct list_head *resume)
{
	iotlb_waiter_abort(chan, waiter, -ETIMEDOUT, resume);
	iotlb_count(chan, IOMMUKIT_IOTLB_STAT_TIMED_OUT);
}

static struct iotlb_waiter *first_deadline(struct iotlb_channel *chan)
{
	struct iotlb_waiter *waiter, *first = NULL;

	list_for_each_entry(waiter, &chan->asyncs, kin)
		if (!first || time_before(waiter->deadline, first->deadline))
			first = waiter;
	return first;
}

/**
 * iotlb_miss_expire - resume readers whose time is over
 * @work: expire of an IOTLB
 */
void iotlb_miss_expire(struct work_struct *work)
{
	struct iotlb *iotlb = container_of(work, struct iotlb, expire.work);
	struct iotlb_channel *chan = iotlb->chan;
	struct iotlb_waiter *waiter;
	bool expired;

	do {
		LIST_HEAD(resume);

		spin_lock_irq(&chan->lock);
		waiter = first_deadline(chan);
		expired = waiter && !time_before(jiffies, waiter->deadline);
		if (expired)
			expire_one(chan, waiter, &resume);
		else if (waiter)
			mod_delayed_work(iotlb_wq, &iotlb->expire,
					 waiter->deadline - jiffies);
		spin_unlock_irq(&chan->lock);
		iotlb_resume(&resume);
	} while (expired);
}

/* ---- prefetch and reports ---- */

/**
 * iotlb_miss_prefetch - ask for something that nobody waits for
 * @space: the address space
 * @iova: first IOVA
 * @length: bytes that will be needed
 * @perm: what for
 *
 * Context: any but NMI.
 * Return: whether it is asked for.
 */
bool iotlb_miss_prefetch(struct iotlb_space *space, u64 iova, u64 length,
			 u32 perm)
{
	struct iotlb_channel *chan = space->iotlb->chan;
	struct iotlb_record *record = NULL;
	struct iotlb_translation t;
	unsigned int wake = 0;
	unsigned long flags;

	spin_lock_irqsave(&chan->lock, flags);
	if (!check_state(chan) && iotlb_chan_expresses(chan, space->asid) &&
	    (chan->features & IOMMUKIT_IOTLB_CHAN_PREFETCH) &&
	    chan->nr_pending < chan->max_pending / 2 &&
	    !iotlb_lookup(space, iova, &t) &&
	    !iotlb_record_find(chan, space, iova, perm))
		record = iotlb_record_make(chan, space, iova, perm,
				     IOMMUKIT_IOTLB_MSG_PREFETCH,
				     iotlb_gap(space, iova, length));
	if (record) {
		iotlb_count(chan, IOMMUKIT_IOTLB_STAT_PREFETCHES);
		wake = iotlb_chan_push_locked(chan);
	}
	spin_unlock_irqrestore(&chan->lock, flags);
	iotlb_chan_wake(chan, wake);
	return record;
}

static void drop_prefetches(struct iotlb_channel *chan, struct list_head *list,
			    const struct iotlb_space *space,
			    struct list_head *resume)
{
	struct iotlb_record *record, *next;

	list_for_each_entry_safe(record, next, list, link) {
		if (record->space != space)
			continue;
		iotlb_count(chan, IOMMUKIT_IOTLB_STAT_PREFETCH_DROPS);
		iotlb_record_free(chan, record, IOMMUKIT_IOTLB_STAT_WITHDRAWN,
				  resume);
	}
}

/**
 * iotlb_miss_drop_prefetches - what was to be fetched is wrong by now
 * @space: the address space, that was emptied
 *
 * Context: may sleep.
 */
void iotlb_miss_drop_prefetches(struct iotlb_space *space)
{
	struct iotlb_channel *chan = space->iotlb->chan;
	LIST_HEAD(resume);

	spin_lock_irq(&chan->lock);
	drop_prefetches(chan, &chan->prefetches, space, &resume);
	drop_prefetches(chan, &chan->prefetched, space, &resume);
	spin_unlock_irq(&chan->lock);
	iotlb_resume(&resume);
}


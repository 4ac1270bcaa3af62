// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records: misses that the server is asked for, and what comes of them.
 *
 * A record is shared by all who need the same granule. It is queued until the server has
 * it, then delivered, and ends with an answer, a denial, the server, or the last one who
 * waits. It comes from a pool, for nothing can be allocated when a translation is
 * missing; who finds the pool empty waits for room.
 *
 * An answer means only that it is worth looking again: whether the translation is there,
 * and enough, is what the table says.
 */
#include "iotlb_record.h"

#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "fail.h"
#include "iotlb_reader.h"
#include "iotlb_trace.h"

/* So many records are ended with interrupts off at a time. */
#define BATCH 64

/* The number of a record in the pool, in its cookies */
#define COOKIE_BITS 16
#define MAX_PENDING (1U << COOKIE_BITS)

/* Under the lock of the channel */
void iotlb_count(struct iotlb_channel *chan, enum iommukit_iotlb_stat stat)
{
	chan->counts[stat]++;
}

/* ---- the index ---- */

/**
 * struct record_key - Where a record is in the index
 * @asid: address space
 * @granule: granule
 * @cookie: cookie
 */
struct record_key {
	u32 asid;
	u64 granule;
	u64 cookie;
};

static struct iotlb_record *to_record(struct rb_node *node)
{
	return rb_entry_safe(node, struct iotlb_record, node);
}

static bool record_before(const struct iotlb_record *record,
			  const struct record_key *key)
{
	if (record->space->asid != key->asid)
		return record->space->asid < key->asid;
	if (record->granule != key->granule)
		return record->granule < key->granule;
	return record->cookie < key->cookie;
}

static bool record_less(struct rb_node *node, const struct rb_node *other)
{
	const struct iotlb_record *record =
		rb_entry(other, struct iotlb_record, node);
	struct record_key key = {
		.asid = record->space->asid,
		.granule = record->granule,
		.cookie = record->cookie,
	};

	return record_before(to_record(node), &key);
}

/* The first record that is not before @key */
static struct iotlb_record *record_from(struct iotlb_channel *chan,
					const struct record_key *key)
{
	struct rb_node *node = chan->index.rb_node;
	struct iotlb_record *found = NULL;

	while (node) {
		struct iotlb_record *record = to_record(node);

		if (record_before(record, key)) {
			node = node->rb_right;
		} else {
			found = record;
			node = node->rb_left;
		}
	}
	return found;
}

static struct iotlb_record *record_next(struct iotlb_record *record)
{
	return to_record(rb_next(&record->node));
}

static struct iotlb_record *record_by_cookie(struct iotlb_channel *chan,
					     u64 cookie)
{
	u64 number = cookie & (MAX_PENDING - 1);
	struct iotlb_record *record;

	if (!cookie || number >= chan->max_pending)
		return NULL;
	record = &chan->pool[number];
	return record->state != IOTLB_RECORD_FREE && record->cookie == cookie ?
	       record : NULL;
}

/**
 * iotlb_record_find - find a record that will do, or that can be made to
 * @chan: the channel; its lock is held
 * @space: the address space
 * @iova: what is missing
 * @perm: what for
 *
 * Return: the record, or NULL.
 */
struct iotlb_record *iotlb_record_find(struct iotlb_channel *chan,
					   struct iotlb_space *space, u64 iova,
					   u32 perm)
{
	struct record_key key = {
		.asid = space->asid,
		.granule = iova >> chan->granule_shift,
	};
	struct iotlb_record *record, *found = NULL;

	for (record = record_from(chan, &key);
	     record && record->space == space && record->granule == key.granule;
	     record = record_next(record)) {
		if (!(perm & ~record->perm))
			return record;
		if (record->state == IOTLB_RECORD_QUEUED)
			found = record;
	}
	return found;
}

/* ---- who waits ---- */

/**
 * iotlb_waiter_end - a wait has come to its end
 * @chan: the channel; its lock is held
 * @waiter: who waits
 * @result: 0 to look again, or an errno
 * @got: the answer, or NULL
 * @resume: gets it, if it is a reader that is to be resumed
 *
 * Threads are woken under the lock, for what they wait with is on their stack.
 */
void iotlb_waiter_end(struct iotlb_channel *chan, struct iotlb_waiter *waiter,
		       int result, const struct iotlb_translation *got,
		       struct list_head *resume)
{
	struct iommukit_iotlb_reader *reader = waiter->reader;

	list_del_init(&waiter->link);
	list_del_init(&waiter->kin);
	waiter->record = NULL;
	waiter->result = result;
	waiter->got.perm = 0;
	if (got)
		waiter->got = *got;
	if (waiter->task) {
		struct task_struct *task = waiter->task;

		WRITE_ONCE(waiter->waiting, false);
		wake_up_process(task);
		return;
	}
	waiter->waiting = false;
	reader->error = result;
	reader->error_iova = waiter->iova;
	reader->error_perm = waiter->perm;
	/* Who is to be resumed already need not be twice. */
	if (list_empty(&waiter->resume) && iotlb_reader_get(reader))
		list_add_tail(&waiter->resume, resume);
}

/**
 * iotlb_resume - tell drivers to try again
 * @resume: struct iotlb_waiter; empty on return
 *
 * Context: any but NMI; no lock is held.
 */
void iotlb_resume(struct list_head *resume)
{
	while (!list_empty(resume)) {
		struct iotlb_waiter *waiter =
			list_first_entry(resume, struct iotlb_waiter, resume);
		struct iommukit_iotlb_reader *reader = waiter->reader;
		struct iotlb_channel *chan = reader->space->iotlb->chan;
		unsigned long flags;

		/* What ends from here on is worth another call. */
		spin_lock_irqsave(&chan->lock, flags);
		list_del_init(&waiter->resume);
		spin_unlock_irqrestore(&chan->lock, flags);
		iotlb_reader_resume(reader);
	}
}

/* ---- records ---- */

static void unqueue(struct iotlb_channel *chan, struct iotlb_record *record)
{
	list_del_init(&record->link);
	if (record->state == IOTLB_RECORD_QUEUED)
		chan->nr_queued--;
}

static void queue(struct iotlb_channel *chan, struct iotlb_record *record)
{
	record->state = IOTLB_RECORD_QUEUED;
	chan->nr_queued++;
	list_add_tail(&record->link,
		      record->flags & IOMMUKIT_IOTLB_MSG_PREFETCH ?
		      &chan->prefetches : &chan->queue);
}

/**
 * iotlb_room_serve - let those who wait for room try again, if there is some
 * @chan: the channel; its lock is held
 * @resume: gets readers that are to be resumed
 *
 * Who is told may need no record any more. A thread calls this once more itself; whether
 * a reader's driver comes back nobody knows, so the next one is told, too.
 */
void iotlb_room_serve(struct iotlb_channel *chan, struct list_head *resume)
{
	bool thread = false;

	while (!thread && !list_empty(&chan->room) && !list_empty(&chan->free)) {
		struct iotlb_waiter *next =
			list_first_entry(&chan->room, struct iotlb_waiter, link);

		thread = next->task;
		iotlb_waiter_end(chan, next, 0, NULL, resume);
	}
}

/**
 * iotlb_record_free - nobody waits for a record any more
 * @chan: the channel; its lock is held
 * @record: the record
 * @stat: how it has ended
 * @resume: gets readers that are to be resumed
 *
 * One who waits for room is served.
 */
void iotlb_record_free(struct iotlb_channel *chan, struct iotlb_record *record,
			enum iommukit_iotlb_stat stat, struct list_head *resume)
{
	unqueue(chan, record);
	rb_erase(&record->node, &chan->index);
	record->state = IOTLB_RECORD_FREE;
	list_add(&record->link, &chan->free);
	chan->nr_pending--;
	iotlb_count(chan, stat);
	iotlb_room_serve(chan, resume);
}

/* All who wait are told the same. */
static void record_end(struct iotlb_channel *chan, struct iotlb_record *record,
		       enum iommukit_iotlb_stat stat, int result,
		       const struct iotlb_translation *got,
		       struct list_head *resume)
{
	struct iotlb_waiter *waiter, *next;

	trace_record_end(record, result, got);
	list_for_each_entry_safe(waiter, next, &record->waiters, link)
		iotlb_waiter_end(chan, waiter, result, got, resume);
	iotlb_record_free(chan, record, stat, resume);
}

static void withdraw_unused(struct iotlb_channel *chan, struct iotlb_record *record,
			    struct list_head *resume)
{
	if (record && list_empty(&record->waiters))
		iotlb_record_free(chan, record, IOMMUKIT_IOTLB_STAT_WITHDRAWN, resume);
}

/**
 * iotlb_waiter_leave - it does not want to wait any more
 * @chan: the channel; its lock is held
 * @waiter: who waits, and calls this
 * @resume: gets readers that are to be resumed
 */
void iotlb_waiter_leave(struct iotlb_channel *chan, struct iotlb_waiter *waiter,
			 struct list_head *resume)
{
	struct iotlb_record *record = waiter->record;

	list_del_init(&waiter->link);
	list_del_init(&waiter->kin);
	waiter->record = NULL;
	waiter->waiting = false;
	withdraw_unused(chan, record, resume);
}

/**
 * iotlb_waiter_abort - somebody else does not want it to wait any more
 * @chan: the channel; its lock is held
 * @waiter: who waits
 * @result: what it is told
 * @resume: gets readers that are to be resumed
 */
void iotlb_waiter_abort(struct iotlb_channel *chan, struct iotlb_waiter *waiter,
			int result, struct list_head *resume)
{
	struct iotlb_record *record = waiter->record;

	iotlb_waiter_end(chan, waiter, result, NULL, resume);
	withdraw_unused(chan, record, resume);
}

/**
 * iotlb_record_drop_prefetch - what nobody waits for makes room for what somebody does
 * @chan: the channel; its lock is held
 * @resume: gets readers that are to be resumed
 */
void iotlb_record_drop_prefetch(struct iotlb_channel *chan, struct list_head *resume)
{
	struct list_head *list = list_empty(&chan->prefetches) ?
				 &chan->prefetched : &chan->prefetches;
	struct iotlb_record *record =
		list_first_entry_or_null(list, struct iotlb_record, link);

	if (!record)
		return;
	iotlb_count(chan, IOMMUKIT_IOTLB_STAT_PREFETCH_DROPS);
	iotlb_record_free(chan, record, IOMMUKIT_IOTLB_STAT_WITHDRAWN, resume);
}

/**
 * iotlb_record_make - have the server asked
 * @chan: the channel; its lock is held
 * @space: the address space
 * @iova: what is missing
 * @perm: what for
 * @flags: IOMMUKIT_IOTLB_MSG_*
 * @hint: how many bytes are needed
 *
 * Return: the record, queued; NULL if the pool is empty.
 */
struct iotlb_record *iotlb_record_make(struct iotlb_channel *chan,
					struct iotlb_space *space, u64 iova,
					u32 perm, u16 flags, u64 hint)
{
	struct iotlb_record *record =
		list_first_entry_or_null(&chan->free, struct iotlb_record, link);

	if (!record)
		return NULL;
	list_del_init(&record->link);
	INIT_LIST_HEAD(&record->waiters);
	record->cookie = ++chan->cookies << COOKIE_BITS |
			 (record - chan->pool);
	record->granule = iova >> chan->granule_shift;
	record->lo = iova;
	record->hi = iova;
	record->hint = hint;
	record->raised_ns = ktime_get_ns();
	record->space = space;
	record->perm = perm;
	record->flags = flags;
	rb_add(&record->node, &chan->index, record_less);
	queue(chan, record);
	trace_record_miss(record);
	iotlb_count(chan, IOMMUKIT_IOTLB_STAT_CREATED);
	chan->nr_pending++;
	if (chan->nr_pending > chan->counts[IOMMUKIT_IOTLB_STAT_MAX_PENDING])
		chan->counts[IOMMUKIT_IOTLB_STAT_MAX_PENDING] =
			chan->nr_pending;
	return record;
}

/* ---- answers ---- */

static void count_latency(struct iotlb_channel *chan,
			  const struct iotlb_record *record)
{
	u64 ns = ktime_get_ns() - record->raised_ns;
	u64 us = div_u64(ns, NSEC_PER_USEC);
	unsigned int slot = us ? min(ilog2(us), 15) : 0;

	if (list_empty(&record->waiters))
		return;
	chan->counts[IOMMUKIT_IOTLB_STAT_LATENCY_HIST + slot]++;
	chan->counts[IOMMUKIT_IOTLB_STAT_LATENCY_SUM_NS] += ns;
	if (ns > chan->counts[IOMMUKIT_IOTLB_STAT_LATENCY_MAX_NS])
		chan->counts[IOMMUKIT_IOTLB_STAT_LATENCY_MAX_NS] = ns;
}

/* The answer is not enough for all. Those it is enough for need not wait on. */
static void resolve_in_part(struct iotlb_channel *chan,
			    struct iotlb_record *record,
			    const struct iotlb_translation *got, int others,
			    struct list_head *resume)
{
	struct iotlb_waiter *waiter, *next;

	list_for_each_entry_safe(waiter, next, &record->waiters, link) {
		bool enough = !(waiter->perm & ~got->perm);

		if (enough && (others || (waiter->iova >= got->first &&
					  waiter->iova <= got->last)))
			iotlb_waiter_end(chan, waiter, 0, got, resume);
		else if (others)
			iotlb_waiter_end(chan, waiter, enough ? 0 : others, NULL,
				   resume);
	}
	if (list_empty(&record->waiters))
		record_end(chan, record, IOMMUKIT_IOTLB_STAT_RESOLVED, others,
			   got, resume);
}

static void resolve(struct iotlb_channel *chan, struct iotlb_record *record,
		    const struct iotlb_update *up,
		    const struct iotlb_translation *got,
		    struct list_head *resume)
{
	bool enough = !got->perm || !(record->perm & ~got->perm);

	/* Of what nobody waits for any answer is the end: there comes no other. */
	if (enough || !(chan->features & IOMMUKIT_IOTLB_CHAN_UPGRADE) ||
	    (record->flags & IOMMUKIT_IOTLB_MSG_PREFETCH)) {
		count_latency(chan, record);
		record_end(chan, record, IOMMUKIT_IOTLB_STAT_RESOLVED, 0, got,
			   resume);
	} else {
		/* Only the one who was asked has said that there is no more. */
		resolve_in_part(chan, record, got,
				up->cookie == record->cookie ? -EPERM : 0,
				resume);
	}
}

typedef void (*record_fn)(struct iotlb_channel *chan,
			  struct iotlb_record *record, const void *arg,
			  struct list_head *resume);

/*
 * Call @fn, which may end it, for each record of which somebody needs a byte of
 * [first, last].
 */
static void walk_records(struct iotlb_space *space, u64 first, u64 last,
			 record_fn fn, const void *arg,
			 struct list_head *resume)
{
	struct iotlb_channel *chan = space->iotlb->chan;
	struct record_key key = {
		.asid = space->asid,
		.granule = first >> chan->granule_shift,
	};
	struct iotlb_record *record, *next;
	unsigned int nr;

	do {
		spin_lock_irq(&chan->lock);
		record = record_from(chan, &key);
		for (nr = 0; record && nr < BATCH; nr++, record = next) {
			if (record->space != space ||
			    record->granule > last >> chan->granule_shift) {
				record = NULL;
				break;
			}
			next = record_next(record);
			/* Go on behind it, whether it is still there or not. */
			key.granule = record->granule;
			key.cookie = record->cookie + 1;
			if (record->lo <= last && record->hi >= first)
				fn(chan, record, arg, resume);
		}
		spin_unlock_irq(&chan->lock);
	} while (record);
}

struct resolution {
	const struct iotlb_update *up;
	const struct iotlb_translation *got;
};

static void resolve_one(struct iotlb_channel *chan, struct iotlb_record *record,
			const void *arg, struct list_head *resume)
{
	const struct resolution *resolution = arg;

	resolve(chan, record, resolution->up, resolution->got, resume);
}

/**
 * iotlb_miss_resolve - there is an answer
 * @space: the address space; it is in the table already
 * @up: the update
 * @got: the same as a translation
 * @resume: gets readers to be resumed
 *
 * Context: may sleep; wlock is held.
 */
void iotlb_miss_resolve(struct iotlb_space *space, const struct iotlb_update *up,
			const struct iotlb_translation *got,
			struct list_head *resume)
{
	struct resolution resolution = { .up = up, .got = got };

	walk_records(space, up->first, up->last, resolve_one, &resolution,
		     resume);
}

/**
 * iotlb_miss_stale - the answer was out of date: ask once more
 * @chan: the channel
 * @cookie: whose answer it was
 *
 * Context: may sleep.
 */
void iotlb_miss_stale(struct iotlb_channel *chan, u64 cookie)
{
	struct iotlb_record *record;
	unsigned int wake = 0;

	spin_lock_irq(&chan->lock);
	record = record_by_cookie(chan, cookie);
	if (record && record->state == IOTLB_RECORD_DELIVERED) {
		list_del_init(&record->link);
		record->flags |= IOMMUKIT_IOTLB_MSG_REQUEUED;
		queue(chan, record);
		iotlb_count(chan, IOMMUKIT_IOTLB_STAT_REQUEUED);
		wake = iotlb_chan_push_locked(chan);
	}
	spin_unlock_irq(&chan->lock);
	iotlb_chan_wake(chan, wake);
}

static int denial(s32 status)
{
	switch (status) {
	case EPERM:
	case ENOENT:
	case EIO:
		return -status;
	default:
		return -EFAULT;
	}
}

static void deny_one(struct iotlb_channel *chan, struct iotlb_record *record,
		     const void *arg, struct list_head *resume)
{
	const struct iommukit_iotlb_msg *msg = arg;

	if (msg->perm && !(record->perm & msg->perm))
		return;
	count_latency(chan, record);
	record_end(chan, record, IOMMUKIT_IOTLB_STAT_DENIED,
		   denial(msg->status), NULL, resume);
}

/**
 * iotlb_miss_deny - the server says no
 * @space: the address space
 * @msg: its message; with a cookie, that record is meant, else all in the range
 * @last: last IOVA of that
 * @resume: gets readers to be resumed
 *
 * Context: may sleep.
 */
void iotlb_miss_deny(struct iotlb_space *space,
		     const struct iommukit_iotlb_msg *msg, u64 last,
		     struct list_head *resume)
{
	struct iotlb_channel *chan = space->iotlb->chan;
	struct iotlb_record *record;

	if (!msg->cookie) {
		walk_records(space, msg->iova, last, deny_one, msg, resume);
		return;
	}
	spin_lock_irq(&chan->lock);
	record = record_by_cookie(chan, msg->cookie);
	if (record) {
		count_latency(chan, record);
		record_end(chan, record, IOMMUKIT_IOTLB_STAT_DENIED,
			   denial(msg->status), NULL, resume);
	}
	spin_unlock_irq(&chan->lock);
}

/* Returns whether there may be more. */
static bool fail_some(struct iotlb_channel *chan, int error,
		      struct list_head *resume)
{
	struct iotlb_waiter *waiter;
	struct rb_node *node;
	unsigned int nr;

	/* Those first, or they would be told that there is room. */
	for (nr = 0; nr < BATCH; nr++) {
		waiter = list_first_entry_or_null(&chan->room,
						  struct iotlb_waiter, link);
		if (!waiter)
			break;
		iotlb_waiter_end(chan, waiter, error, NULL, resume);
	}
	for (; nr < BATCH; nr++) {
		node = rb_first(&chan->index);
		if (!node)
			break;
		record_end(chan, to_record(node), IOMMUKIT_IOTLB_STAT_LOST,
			   error, NULL, resume);
	}
	return nr == BATCH;
}

/**
 * iotlb_miss_fail_all - there will be no answers any more
 * @chan: the channel, in a state in which nothing is asked for
 * @error: what those who wait are told
 * @resume: gets readers to be resumed
 *
 * Context: any but NMI; the lock of the channel is not held.
 */
void iotlb_miss_fail_all(struct iotlb_channel *chan, int error,
			 struct list_head *resume)
{
	unsigned long flags;
	bool more;

	do {
		spin_lock_irqsave(&chan->lock, flags);
		more = fail_some(chan, error, resume);
		spin_unlock_irqrestore(&chan->lock, flags);
	} while (more);
}

/* ---- messages ---- */

/**
 * iotlb_has_message_locked - whether there is something for the server to read
 * @chan: the channel; its lock is held
 */
bool iotlb_has_message_locked(const struct iotlb_channel *chan)
{
	lockdep_assert_held(&chan->lock);
	return chan->nr_queued || chan->nr_events;
}

static void record_message(struct iotlb_channel *chan,
			   struct iotlb_record *record,
			   struct iommukit_iotlb_msg *msg)
{
	/* The server's walk begins after all that is logged by now. */
	record->epoch = READ_ONCE(record->space->inval_seq);
	*msg = (struct iommukit_iotlb_msg){
		.type = IOMMUKIT_IOTLB_MSG_NATIVE,
		.asid = record->space->asid,
		.iova = record->lo,
		.perm = record->perm,
		.op = IOMMUKIT_IOTLB_OP_MISS,
		.flags = record->flags,
		.cookie = record->cookie,
		.epoch = record->epoch,
	};
	if (chan->features & IOMMUKIT_IOTLB_CHAN_LEN_HINT)
		msg->aux = record->hint;
}

static void event_message(struct iotlb_channel *chan,
			  struct iommukit_iotlb_msg *msg)
{
	const struct iotlb_event *event = &chan->events[chan->first_event];
	const struct iotlb_space *space =
		iotlb_space(chan->iotlb, event->asid);

	chan->first_event = (chan->first_event + 1) % IOTLB_EVENTS;
	chan->nr_events--;
	*msg = (struct iommukit_iotlb_msg){
		.type = IOMMUKIT_IOTLB_MSG_NATIVE,
		.asid = event->asid,
		.iova = event->iova,
		.perm = event->perm,
		.op = IOMMUKIT_IOTLB_OP_ACCESS_FAIL,
		.status = EPERM,
		.epoch = READ_ONCE(space->inval_seq),
	};
}

/**
 * iotlb_take_message_locked - deliver the next message
 * @chan: the channel of an IOTLB that is there; its lock is held
 * @msg: gets it, in native form
 *
 * Context: any but NMI.
 * Return: whether there was one.
 */
bool iotlb_take_message_locked(struct iotlb_channel *chan,
			       struct iommukit_iotlb_msg *msg)
{
	struct iotlb_record *record;

	lockdep_assert_held(&chan->lock);
	record = list_first_entry_or_null(list_empty(&chan->queue) ?
					  &chan->prefetches : &chan->queue,
					  struct iotlb_record, link);
	if (!record) {
		if (!chan->nr_events)
			return false;
		event_message(chan, msg);
		return true;
	}
	unqueue(chan, record);
	record->state = IOTLB_RECORD_DELIVERED;
	if (record->flags & IOMMUKIT_IOTLB_MSG_PREFETCH)
		list_add_tail(&record->link, &chan->prefetched);
	iotlb_count(chan, IOMMUKIT_IOTLB_STAT_DELIVERED);
	record_message(chan, record, msg);
	return true;
}

/**
 * iotlb_put_message_back - a message could not be handed over
 * @chan: the channel
 * @msg: the message, as it was taken
 *
 * Somebody else may have answered it meanwhile.
 *
 * Context: may sleep.
 */
void iotlb_put_message_back(struct iotlb_channel *chan,
			    const struct iommukit_iotlb_msg *msg)
{
	struct iotlb_record *record;
	unsigned int wake = 0;

	spin_lock_irq(&chan->lock);
	record = record_by_cookie(chan, msg->cookie);
	if (record && record->state == IOTLB_RECORD_DELIVERED) {
		list_del_init(&record->link);
		record->flags |= IOMMUKIT_IOTLB_MSG_REQUEUED;
		queue(chan, record);
		list_move(&record->link,
			  record->flags & IOMMUKIT_IOTLB_MSG_PREFETCH ?
			  &chan->prefetches : &chan->queue);
		iotlb_count(chan, IOMMUKIT_IOTLB_STAT_REQUEUED);
		wake = IOTLB_WAKE_READERS;
	} else if (msg->op == IOMMUKIT_IOTLB_OP_ACCESS_FAIL &&
		   chan->nr_events < IOTLB_EVENTS) {
		chan->first_event = (chan->first_event + IOTLB_EVENTS - 1) %
				    IOTLB_EVENTS;
		chan->nr_events++;
		chan->events[chan->first_event] = (struct iotlb_event){
			.asid = msg->asid,
			.iova = msg->iova,
			.perm = msg->perm,
		};
		wake = IOTLB_WAKE_READERS;
	}
	spin_unlock_irq(&chan->lock);
	iotlb_chan_wake(chan, wake);
}

/* ---- life ---- */

/**
 * iotlb_misses_init - make the pool
 * @chan: the channel, initialised but for that
 * @max_pending: records
 * @granule_shift: misses in one granule share a record
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int iotlb_misses_init(struct iotlb_channel *chan, u32 max_pending,
		      u32 granule_shift)
{
	u32 i;

	BUILD_BUG_ON(IOMMUKIT_IOTLB_STAT_LATENCY_HIST + 16 !=
		     IOMMUKIT_IOTLB_NR_STATS);
	chan->pool = fail_alloc(kvcalloc(max_pending, sizeof(*chan->pool),
					 GFP_KERNEL_ACCOUNT));
	if (!chan->pool)
		return -ENOMEM;
	chan->max_pending = max_pending;
	chan->granule_shift = granule_shift;
	for (i = 0; i < max_pending; i++)
		list_add_tail(&chan->pool[i].link, &chan->free);
	return 0;
}

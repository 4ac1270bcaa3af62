// SPDX-License-Identifier: GPL-2.0-only
/*
 * Readers: translating without a lock.
 *
 * A reader says that it is in its gate, then looks at the generation and into the map.
 * Who removes something changes the map and the generation, then looks who is in a gate.
 * With a full barrier on both sides at least one sees the other; so once those are out
 * that were in when something was removed, nobody has it. A drain counts the epoch up,
 * and who comes in later shows the new one: new readers do not hold it up.
 *
 * What a reader keeps in its cache is good for one generation. It may have been evicted
 * from the map, which does not make it wrong.
 */
#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/lockdep.h>
#include <linux/rculist.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat.h"
#include "fail.h"
#include "iotlb.h"
#include "iotlb_reader.h"
#include "private.h"

#define READERS_MAX 4096
/* A drain does not sleep at once: most gates are shorter than a sleep. */
#define DRAIN_SPIN_NS 20000
/* One of so many hits goes by the map, or what is used most would look unused. */
#define HITS_BEFORE_MAP 1024

/* ---- gates ---- */

/**
 * iommukit_iotlb_enter - enter the gate of a reader
 * @reader: the reader
 *
 * May be nested; see "The gate" in <linux/iommukit_iotlb_client.h>.
 *
 * Context: any but NMI.
 */
void iommukit_iotlb_enter(struct iommukit_iotlb_reader *reader)
{
	if (reader->depth++)
		return;
	/* Fully ordered: then look at the generation. Pairs with iotlb_drain(). */
	xchg(&reader->seq, atomic64_read(&reader->space->epoch));
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_iotlb_enter);

static void leave_gate(struct iommukit_iotlb_reader *reader)
{
	struct iotlb_space *space = reader->space;

	/*
	 * A release: what was copied is there for whoever sees the reader outside. Unlike
	 * smp_store_release() it is no full barrier on UML either.
	 */
	__clear_bit_unlock(IOTLB_EPOCH_INSIDE, &reader->seq);
	/* One that begins to sleep just now, unseen, looks again by itself. */
	if (atomic_read(&space->drainers))
		wake_up_all(&space->drained);
}

/**
 * iommukit_iotlb_exit - leave the gate
 * @reader: the reader, in its gate
 *
 * Context: any but NMI.
 */
void iommukit_iotlb_exit(struct iommukit_iotlb_reader *reader)
{
	if (!--reader->depth)
		leave_gate(reader);
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_iotlb_exit);

/**
 * iommukit_iotlb_relax - let an invalidation pass
 * @reader: the reader, in its gate
 *
 * Context: any but NMI.
 * Return: true if the gate was left and entered again: all translations are void.
 */
bool iommukit_iotlb_relax(struct iommukit_iotlb_reader *reader)
{
	if (reader->depth != 1 ||
	    atomic64_read(&reader->space->epoch) == reader->seq)
		return false;
	iommukit_iotlb_exit(reader);
	iommukit_iotlb_enter(reader);
	return true;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_iotlb_relax);

static bool is_inside(struct iommukit_iotlb_reader *reader, u64 epoch)
{
	/* What it did before it left is done; pairs with leave_gate(). */
	unsigned long seq = smp_load_acquire(&reader->seq);

	return (seq & BIT(IOTLB_EPOCH_INSIDE)) && seq < epoch;
}

/* Sleep until a reader is out. Returns -EINTR on a fatal signal. */
static int drain_sleep(struct iotlb_space *space,
		       struct iommukit_iotlb_reader *reader, u64 epoch,
		       bool killable)
{
	int rc = 0;

	atomic_inc(&space->drainers);
	/* It is seen by who leaves, or it sees that it has left; see leave_gate(). */
	smp_mb__after_atomic();
	/* A wake-up may be missed, therefore for one jiffy at a time. */
	while (!rc && is_inside(reader, epoch)) {
		if (killable)
			rc = wait_event_killable_timeout(space->drained,
							 !is_inside(reader, epoch),
							 1);
		else
			wait_event_idle_timeout(space->drained,
						!is_inside(reader, epoch), 1);
		rc = min(rc, 0);
	}
	atomic_dec(&space->drainers);
	return rc ? -EINTR : 0;
}

static struct iommukit_iotlb_reader *find_inside(struct iotlb_space *space,
						 u64 epoch, u64 spin_end)
{
	struct iommukit_iotlb_reader *reader;

	list_for_each_entry_rcu(reader, &space->readers, link) {
		while (is_inside(reader, epoch) && ktime_get_ns() < spin_end)
			cpu_relax();
		/* One that is being destroyed is outside. */
		if (is_inside(reader, epoch) && iotlb_reader_get(reader))
			return reader;
	}
	return NULL;
}

/**
 * iotlb_drain - wait for readers that may use what was removed
 * @space: the address space, changed before
 * @killable: give up on a fatal signal
 * @slept_ns: gets how long was slept
 *
 * Context: may sleep, as long as a gate takes; no lock is held, nor a gate.
 * Return: 0 or -EINTR.
 */
int iotlb_drain(struct iotlb_space *space, bool killable, u64 *slept_ns)
{
	u64 begin = ktime_get_ns();
	u64 epoch;
	int rc = 0;

	*slept_ns = 0;
	/* A full barrier: the change, then the look at readers. */
	epoch = atomic64_add_return(IOTLB_EPOCH_STEP, &space->epoch);
	while (!rc) {
		struct iommukit_iotlb_reader *reader;

		rcu_read_lock();
		reader = find_inside(space, epoch, begin + DRAIN_SPIN_NS);
		rcu_read_unlock();
		if (!reader)
			break;
		rc = drain_sleep(space, reader, epoch, killable);
		iotlb_reader_put(reader);
		*slept_ns = ktime_get_ns() - begin;
	}
	return rc;
}

/* ---- lookup ---- */

static struct iotlb_cache_set *cache_set(struct iommukit_iotlb_reader *reader,
					 u64 page)
{
	/* Small pages spread best; of large ones each part has a place. */
	return &reader->cache[hash_64(page, IOTLB_CACHE_BITS)];
}

static bool is_within(const struct iotlb_translation *t, u64 iova)
{
	return t->first <= iova && t->last >= iova;
}

/**
 * iotlb_reader_keep - put a translation into the cache of a reader
 * @reader: the reader; this is its context
 * @iova: an IOVA that it is for
 * @t: the translation
 */
void iotlb_reader_keep(struct iommukit_iotlb_reader *reader, u64 iova,
		       const struct iotlb_translation *t)
{
	u64 page = iova >> PAGE_SHIFT;
	struct iotlb_cache_set *set = cache_set(reader, page);
	unsigned int way;

	/* What is of no use any more, or the same one. */
	for (way = 0; way < IOTLB_CACHE_WAYS; way++)
		if (set->kept[way].gen != t->gen ||
		    (set->page[way] == page && is_within(&set->kept[way], iova)))
			break;
	if (way == IOTLB_CACHE_WAYS)
		way = reader->victim++ % IOTLB_CACHE_WAYS;
	set->page[way] = page;
	set->kept[way] = *t;
}

static const struct iotlb_translation *
cache_find(struct iommukit_iotlb_reader *reader, u64 iova, u32 prot)
{
	u64 page = iova >> PAGE_SHIFT;
	const struct iotlb_cache_set *set = cache_set(reader, page);
	/* Before the use of what is found; a removal waits for the gate. */
	u64 gen = READ_ONCE(reader->space->gen);
	unsigned int way;

	/* Pages first: of them it can be foretold that they differ, of bounds it cannot. */
	for (way = 0; way < IOTLB_CACHE_WAYS; way++)
		if (set->page[way] == page && set->kept[way].gen == gen &&
		    is_within(&set->kept[way], iova) &&
		    !(prot & ~set->kept[way].perm))
			return &set->kept[way];
	return NULL;
}

static void count_cache_hit(struct iommukit_iotlb_reader *reader, u64 iova)
{
	struct iotlb_translation found;

	reader->counts[IOTLB_COUNT_LOOKUPS]++;
	if (unlikely(!(++reader->counts[IOTLB_COUNT_CACHE_HITS] % HITS_BEFORE_MAP)))
		iotlb_look(reader->space, iova, &found, true);
}

static bool map_look(struct iommukit_iotlb_reader *reader, u64 iova,
		     struct iotlb_translation *out)
{
	struct iotlb_space *space = reader->space;

	if (unlikely(reader->gen != READ_ONCE(space->gen)))
		/* Once for each: whoever has seen it never sees an older map. */
		reader->gen = smp_load_acquire(&space->gen);
	out->gen = reader->gen;
	return iotlb_look(space, iova, out, true);
}

/* -EAGAIN: a miss; -EPERM, -EFAULT: as the entry says */
static int map_find(struct iommukit_iotlb_reader *reader, u64 iova, u32 prot,
		    struct iotlb_translation *out)
{
	if (!map_look(reader, iova, out))
		return -EAGAIN;
	if (!out->perm) {
		reader->counts[IOTLB_COUNT_NEGATIVE_HITS]++;
		return -EFAULT;
	}
	if (prot & ~out->perm) {
		reader->counts[IOTLB_COUNT_PERM_FAILURES]++;
		return -EPERM;
	}
	reader->counts[IOTLB_COUNT_MAP_HITS]++;
	iotlb_reader_keep(reader, iova, out);
	return 0;
}

/**
 * struct walk - A request on its way through the translations
 * @reader: the reader, in its gate
 * @iova: first IOVA
 * @last: last one
 * @prot: what for
 * @segs: gets the segments
 * @max: room in it
 * @nsegs: how many there are
 * @at: first IOVA that is not translated, unless all of it is
 * @done: bytes that are
 */
struct walk {
	struct iommukit_iotlb_reader *reader;
	u64 iova;
	u64 last;
	u32 prot;
	struct iommukit_iotlb_seg *segs;
	unsigned int max;
	unsigned int nsegs;
	u64 at;
	u64 done;
};

/* Returns false if there is no room. */
static bool walk_add(struct walk *walk, const struct iotlb_translation *t,
		     u64 end)
{
	struct iommukit_iotlb_seg *seg = &walk->segs[walk->nsegs - 1];
	u64 length = end - walk->at + 1;

	/* Targets go on from the last one to 0, but nothing that is behind them does. */
	if (walk->nsegs && seg->target - seg->iova == t->delta &&
	    walk->at + t->delta) {
		seg->length += length;
		seg->perm &= t->perm;
	} else {
		if (walk->nsegs == walk->max)
			return false;
		walk->segs[walk->nsegs++] = (struct iommukit_iotlb_seg){
			.iova = walk->at,
			.target = walk->at + t->delta,
			.length = length,
			.perm = t->perm,
		};
	}
	walk->done += length;
	walk->at = end + 1;
	return true;
}

/* Translate as much as there is; -ENOBUFS, or why not more as map_find() */
static int walk_run(struct walk *walk)
{
	struct iommukit_iotlb_reader *reader = walk->reader;

	walk->at = walk->iova;
	walk->done = 0;
	walk->nsegs = 0;
	for (;;) {
		const struct iotlb_translation *t;
		struct iotlb_translation found;
		u64 end;

		t = cache_find(reader, walk->at, walk->prot);
		if (t) {
			count_cache_hit(reader, walk->at);
		} else {
			int rc = map_find(reader, walk->at, walk->prot, &found);

			reader->counts[IOTLB_COUNT_LOOKUPS]++;
			if (rc)
				return rc;
			t = &found;
		}
		end = min(t->last, walk->last);
		if (!walk_add(walk, t, end))
			return -ENOBUFS;
		if (end == walk->last)
			return 0;
	}
}

/* What is wrong with a request, whatever is in the table */
static int walk_init(struct walk *walk, struct iommukit_iotlb_reader *reader,
		     u64 iova, u64 length, u32 prot,
		     struct iommukit_iotlb_seg *segs, unsigned int max)
{
	const struct iotlb *iotlb = reader->space->iotlb;

	*walk = (struct walk){
		.reader = reader,
		.iova = iova,
		.prot = prot,
		.segs = segs,
		.max = max,
	};
	if (!length || !max || !prot ||
	    (prot & ~(IOMMUKIT_IOTLB_READ | IOMMUKIT_IOTLB_WRITE)))
		return -EINVAL;
	if (check_add_overflow(iova, length - 1, &walk->last))
		return -EOVERFLOW;
	if (iova < iotlb->first || walk->last > iotlb->last)
		return -EFAULT;
	return 0;
}

static void walk_result(const struct walk *walk, unsigned int *nsegs, u64 *done)
{
	*nsegs = walk->nsegs;
	*done = walk->done;
}

/* ---- without waiting ---- */

/*
 * Most requests lie in one translation. It is in the aperture, so they are; what else may
 * be wrong with a request, walk_init() finds. Returns false if it takes more than this.
 */
static bool translate_plain(struct iommukit_iotlb_reader *reader, u64 iova,
			    u64 length, u32 prot, struct iommukit_iotlb_seg *segs,
			    unsigned int max, unsigned int *nsegs, u64 *done)
{
	const struct iotlb_translation *t;
	struct iotlb_translation found;

	if (unlikely(!length || !max || !prot))
		return false;
	t = cache_find(reader, iova, prot);
	if (!t) {
		if (!map_look(reader, iova, &found) || (prot & ~found.perm))
			return false;
		t = &found;
	}
	if (unlikely(length - 1 > t->last - iova))
		return false;
	if (t != &found) {
		count_cache_hit(reader, iova);
	} else {
		reader->counts[IOTLB_COUNT_LOOKUPS]++;
		reader->counts[IOTLB_COUNT_MAP_HITS]++;
		iotlb_reader_keep(reader, iova, t);
	}
	*segs = (struct iommukit_iotlb_seg){
		.iova = iova,
		.target = iova + t->delta,
		.length = length,
		.perm = t->perm,
	};
	*nsegs = 1;
	*done = length;
	return true;
}

/**
 * iommukit_iotlb_probe - translate what is there
 * @reader: the reader, in its gate
 * @iova: first IOVA
 * @length: bytes
 * @prot: IOMMUKIT_IOTLB_READ, IOMMUKIT_IOTLB_WRITE or both
 * @segs: gets the segments, which cover the range in order
 * @max: room in @segs
 * @nsegs: gets how many there are
 * @done: gets how many bytes they cover, also on failure
 *
 * Nobody is asked for what is missing.
 *
 * Context: any but NMI.
 * Return: 0; -EINVAL for no length, room or permission; -EOVERFLOW if the range wraps;
 * -EFAULT if it is not in the aperture, or is known to have no translation; -EPERM;
 * -ENOBUFS if @segs is too small; -EAGAIN if something is missing.
 */
int iommukit_iotlb_probe(struct iommukit_iotlb_reader *reader, u64 iova,
			 u64 length, u32 prot, struct iommukit_iotlb_seg *segs,
			 unsigned int max, unsigned int *nsegs, u64 *done)
{
	struct walk walk;
	int rc;

	if (likely(translate_plain(reader, iova, length, prot, segs, max, nsegs,
				   done)))
		return 0;
	rc = walk_init(&walk, reader, iova, length, prot, segs, max) ?:
	     walk_run(&walk);
	walk_result(&walk, nsegs, done);
	return rc;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_iotlb_probe);

/**
 * iommukit_iotlb_translate_nowait - translate, or have resume called
 * @reader: the reader, in its gate
 * @iova: first IOVA
 * @length: bytes
 * @prot: IOMMUKIT_IOTLB_READ, IOMMUKIT_IOTLB_WRITE or both
 * @segs: gets the segments, which cover the range in order
 * @max: room in @segs
 * @nsegs: gets how many there are
 * @done: gets how many bytes they cover, also on failure
 *
 * What is missing is asked for, if the client has a resume; a reader has one miss at a
 * time. How a miss has ended is returned when it is asked for again. Nothing is
 * allocated.
 *
 * Context: any but NMI.
 * Return: as iommukit_iotlb_probe(); for -EAGAIN resume is called once, after the miss has
 * ended, at the latest when the timeout of the IOTLB is over. Also -ETIMEDOUT, -EIO,
 * -ENOENT, -EPERM and -EFAULT of such a miss; -EIO instead of asking if the context is
 * dead; -ENOTCONN if there was no server yet or its
 * messages cannot express the address space; -EPIPE if it has gone.
 */
int iommukit_iotlb_translate_nowait(struct iommukit_iotlb_reader *reader,
				    u64 iova, u64 length, u32 prot,
				    struct iommukit_iotlb_seg *segs,
				    unsigned int max, unsigned int *nsegs,
				    u64 *done)
{
	struct walk walk;
	int rc;

	if (likely(translate_plain(reader, iova, length, prot, segs, max, nsegs,
				   done)))
		return 0;
	rc = walk_init(&walk, reader, iova, length, prot, segs, max) ?:
	     ctx_check(reader->space->iotlb->ctx);
	while (!rc) {
		rc = walk_run(&walk);
		if ((rc != -EAGAIN && rc != -EPERM) ||
		    !reader->client->ops->resume)
			break;
		/* 0: the answer has come in between. */
		rc = iotlb_miss_async(reader, walk.at, prot,
				      walk.last - walk.at + 1);
		if (rc)
			break;
	}
	walk_result(&walk, nsegs, done);
	return rc;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_iotlb_translate_nowait);

/* ---- waiting ---- */

static bool may_wait(struct iommukit_iotlb_reader *reader)
{
	if (likely(!reader->depth && !preempt_count() && !irqs_disabled()))
		return true;
	pr_warn_once("driver with resume %ps: waits for a translation in a gate, or where it cannot sleep\n",
		     reader->client->ops->resume);
	return false;
}

/* What a walk that has ended in its gate means; -EAGAIN: go on by waiting */
static int walk_verdict(struct walk *walk, int rc, unsigned int flags)
{
	if (!rc)
		return 0;
	/* What there is, is enough. */
	if (walk->done && (flags & IOMMUKIT_IOTLB_TRANSLATE_PARTIAL))
		return 0;
	return rc;
}

/* Whether a thread has to ask the server, rather than to give up. */
static bool is_a_miss(int rc)
{
	return rc == -EAGAIN || rc == -EPERM;
}

static int wait_rounds(struct walk *walk, unsigned int flags, long timeout)
{
	struct iommukit_iotlb_reader *reader = walk->reader;
	struct iotlb_channel *chan = reader->space->iotlb->chan;
	unsigned int rounds = 0, most = 0;
	int rc;

	for (;;) {
		if (READ_ONCE(reader->client->cancelled))
			return -ECANCELED;
		iommukit_iotlb_enter(reader);
		rc = walk_verdict(walk, walk_run(walk), flags);
		if (!rc)
			return 0;
		iommukit_iotlb_exit(reader);
		if (!is_a_miss(rc))
			return rc;
		if (flags & IOMMUKIT_IOTLB_TRANSLATE_NOMISS)
			return rc == -EPERM && READ_ONCE(chan->features) &
					IOMMUKIT_IOTLB_CHAN_UPGRADE ?
			       -EAGAIN : rc;
		most = max(most, walk->nsegs + 1);
		/* They are forgotten as fast as they come. */
		if (rounds >= 2 * most + 16) {
			iotlb_miss_count(chan,
					 IOMMUKIT_IOTLB_STAT_THRASH);
			return -EBUSY;
		}
		rc = iotlb_miss_wait(reader, walk->at, walk->prot,
				     walk->last - walk->at + 1, &timeout);
		if (rc < 0)
			return rc;
		/* That there was no room is nobody's answer. */
		rounds += !rc;
	}
}

/**
 * iotlb_translate - iommukit_iotlb_translate() under locks that the caller answers for
 * @reader: as there, as what follows
 * @iova: as there
 * @length: as there
 * @prot: as there
 * @segs: as there
 * @max: as there
 * @nsegs: as there
 * @done: as there
 * @flags: as there
 * @timeout_ms: as there
 *
 * Context: may sleep, as long as the server takes.
 * Return: as there; -EAGAIN if somebody who revokes may need a lock of the caller.
 */
int iotlb_translate(struct iommukit_iotlb_reader *reader, u64 iova, u64 length,
		    u32 prot, struct iommukit_iotlb_seg *segs, unsigned int max,
		    unsigned int *nsegs, u64 *done, unsigned int flags,
		    unsigned int timeout_ms)
{
	unsigned int known = IOMMUKIT_IOTLB_TRANSLATE_PARTIAL |
			     IOMMUKIT_IOTLB_TRANSLATE_NOMISS;
	struct walk walk;
	long timeout;
	int rc;

	*nsegs = 0;
	*done = 0;
	if (!may_wait(reader))
		return -EDEADLK;
	might_sleep();
	if (flags & ~known)
		return -EINVAL;
	rc = walk_init(&walk, reader, iova, length, prot, segs, max) ?:
	     ctx_check(reader->space->iotlb->ctx);
	if (rc)
		return rc;
	timeout_ms = timeout_ms ?:
		     READ_ONCE(reader->space->iotlb->miss_timeout_ms);
	timeout = timeout_ms == IOMMUKIT_IOTLB_FOR_EVER ?
		  MAX_SCHEDULE_TIMEOUT : msecs_to_jiffies(timeout_ms);
	rc = wait_rounds(&walk, flags, timeout);
	walk_result(&walk, nsegs, done);
	return rc;
}

/**
 * iommukit_iotlb_translate - translate, and wait for what is missing
 * @reader: the reader, outside of its gate; inside on success, and it leaves it then
 * @iova: first IOVA
 * @length: bytes
 * @prot: IOMMUKIT_IOTLB_READ, IOMMUKIT_IOTLB_WRITE or both
 * @segs: gets the segments, which cover the range in order
 * @max: room in @segs
 * @nsegs: gets how many there are
 * @done: gets how many bytes they cover, also on failure
 * @flags: IOMMUKIT_IOTLB_TRANSLATE_PARTIAL: return as soon as one byte is translated;
 *	IOMMUKIT_IOTLB_TRANSLATE_NOMISS: do not wait
 * @timeout_ms: how long to wait in all; 0: as the IOTLB says;
 *	IOMMUKIT_IOTLB_FOR_EVER
 *
 * All or nothing, without PARTIAL.
 *
 * Context: process context, may sleep as long as the server takes; see "The lock rule".
 * Return: 0; -EDEADLK in a gate or where sleeping is not possible, which is the driver's
 * mistake and reported; -EINVAL, -EOVERFLOW, -EFAULT, -EPERM, -ENOBUFS as
 * iommukit_iotlb_probe(); -EAGAIN with NOMISS; -EFAULT, -EPERM, -ENOENT, -EIO as the
 * server denies it; -EIO if the context is dead; -ETIMEDOUT; -EINTR on a fatal signal;
 * -ERESTARTSYS on any with IOMMUKIT_IOTLB_READER_INTERRUPTIBLE; -ECANCELED if the client
 * is cancelled, or the thread is to stop; -EBUSY if answers are forgotten before they can
 * be used; -ENOTCONN if there was no server yet, or its messages cannot express the
 * address space; -EPIPE if it has gone.
 */
int iommukit_iotlb_translate(struct iommukit_iotlb_reader *reader, u64 iova,
			     u64 length, u32 prot,
			     struct iommukit_iotlb_seg *segs, unsigned int max,
			     unsigned int *nsegs, u64 *done, unsigned int flags,
			     unsigned int timeout_ms)
{
	lockdep_assert_none_held_once();
	return iotlb_translate(reader, iova, length, prot, segs, max, nsegs,
			       done, flags, timeout_ms);
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_iotlb_translate);

/* ---- life ---- */

/**
 * iotlb_reader_get - keep a reader from being freed
 * @reader: a reader that is found under RCU, or under the lock of the channel
 *
 * Context: any.
 * Return: whether it is not being destroyed.
 */
bool iotlb_reader_get(struct iommukit_iotlb_reader *reader)
{
	return refcount_inc_not_zero(&reader->refs);
}

/**
 * iotlb_reader_put - undo iotlb_reader_get()
 * @reader: the reader
 *
 * Context: any.
 */
void iotlb_reader_put(struct iommukit_iotlb_reader *reader)
{
	if (refcount_dec_and_test(&reader->refs))
		complete(&reader->unused);
}

/**
 * iotlb_reader_resume - tell a driver that a miss has ended, and put the reader
 * @reader: a reader of iotlb_reader_get()
 *
 * Context: any but NMI; no lock is held.
 */
void iotlb_reader_resume(struct iommukit_iotlb_reader *reader)
{
	reader->client->ops->resume(reader->client->data, reader->priv);
	iotlb_reader_put(reader);
}

/**
 * iommukit_iotlb_reader_create - make a reader
 * @client: the client
 * @flags: combination of IOMMUKIT_IOTLB_READER_*
 * @priv: argument for resume
 *
 * Context: process context, may sleep.
 * Return: the reader; -EINVAL for unknown flags; -ENOMEM; -ENOSPC if the IOTLB has 4096.
 */
struct iommukit_iotlb_reader *
iommukit_iotlb_reader_create(struct iommukit_iotlb_client *client,
			     unsigned int flags, void *priv)
{
	struct iotlb_space *space = client->space;
	struct iotlb *iotlb = client->iotlb;
	struct iommukit_iotlb_reader *reader;

	if (flags & ~(IOMMUKIT_IOTLB_READER_KTHREAD_STOP |
		      IOMMUKIT_IOTLB_READER_INTERRUPTIBLE))
		return ERR_PTR(-EINVAL);
	if (!atomic_add_unless(&iotlb->nr_readers, 1, READERS_MAX))
		return ERR_PTR(-ENOSPC);
	reader = fail_alloc(kvzalloc(sizeof(*reader), GFP_KERNEL_ACCOUNT));
	if (!reader) {
		atomic_dec(&iotlb->nr_readers);
		return ERR_PTR(-ENOMEM);
	}
	reader->space = space;
	reader->client = client;
	reader->priv = priv;
	reader->flags = flags;
	reader->waiter.reader = reader;
	INIT_LIST_HEAD(&reader->waiter.link);
	INIT_LIST_HEAD(&reader->waiter.kin);
	INIT_LIST_HEAD(&reader->waiter.resume);
	refcount_set(&reader->refs, 1);
	init_completion(&reader->unused);
	atomic_inc(&client->nr_readers);
	spin_lock(&space->readers_lock);
	list_add_tail_rcu(&reader->link, &space->readers);
	spin_unlock(&space->readers_lock);
	return reader;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_iotlb_reader_create);

/**
 * iommukit_iotlb_reader_destroy - end a reader
 * @reader: outside of its gate; NULL and error pointers are ignored
 *
 * A miss that it waits for is withdrawn. When it returns its resume is not running, and
 * will not run.
 *
 * Context: process context, may sleep; not from resume, and without locks that resume
 * needs.
 */
void iommukit_iotlb_reader_destroy(struct iommukit_iotlb_reader *reader)
{
	struct iommukit_iotlb_client *client;
	struct iotlb_space *space;
	unsigned int i;

	if (IS_ERR_OR_NULL(reader))
		return;
	client = reader->client;
	space = reader->space;
	if (WARN_ON_ONCE(reader->depth))
		leave_gate(reader);
	iotlb_miss_withdraw(reader);
	spin_lock(&space->readers_lock);
	list_del_rcu(&reader->link);
	for (i = 0; i < IOTLB_NR_COUNTS; i++) {
		client->gone[i] += reader->counts[i];
		space->gone[i] += reader->counts[i];
	}
	spin_unlock(&space->readers_lock);
	iotlb_reader_put(reader);
	wait_for_completion(&reader->unused);
	atomic_dec(&client->iotlb->nr_readers);
	if (atomic_dec_and_test(&client->nr_readers))
		wake_up_var(&client->nr_readers);
	kvfree_rcu(reader, rcu);
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_iotlb_reader_destroy);

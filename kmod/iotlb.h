/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Device IOTLBs, inside:
 *
 *	iotlb.c		the object and its commands
 *	iotlb_msg.c	messages of owner and server: what is right, and when it is complete
 *	iotlb_table.c	entries: updates, invalidations, eviction
 *	iotlb_tree.c	which entry has an IOVA
 *	iotlb_space.c	address spaces: looking up, flushing, listing
 *	iotlb_reader.c	readers, their gates and caches, translating
 *	iotlb_stats.c	what was counted
 *	iotlb_client.c	drivers, and what they do with translations
 *	iotlb_miss.c	who waits for a translation that is missing
 *	iotlb_record.c	what the server is asked for, and its answers
 *	iotlb_channel.c	the server's descriptor; iotlb_channel_cmd.c its commands
 *	iotlb_ring.c	the ring in memory that the server maps
 *
 * Requests go down: translate looks into the table, then raises a miss in the channel.
 * Answers come from a message: the table changes first, then records are resolved, which
 * wakes readers; they look again. So who raises a miss looks into the table once more
 * under the lock of the channel, and cannot come between.
 */
#ifndef IOMMUKIT_IOTLB_H
#define IOMMUKIT_IOTLB_H

#include <linux/iommukit.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <uapi/linux/iommukit.h>

#include "iotlb_tree.h"
#include "object.h"

struct eventfd_ctx;
struct ioas;
struct iommukit_ucmd;
struct iotlb;
struct iotlb_ring_map;
struct pages;
struct sk_buff;

/* ---- entries ---- */

/**
 * struct iotlb_entry - A range with one translation
 * @first: first IOVA; may grow
 * @last: last one; may become less
 * @delta: what is added to an IOVA, modulo 2^64; never changes
 * @perm: may grow
 * @flags: IOMMUKIT_IOTLB_ENTRY_PINNED and _NEGATIVE
 * @ref: a reader has used it since eviction last came by
 * @asid: its address space
 * @link: in a list of its table
 * @rcu: for its end
 */
struct iotlb_entry {
	u64 first;
	u64 last;
	u64 delta;
	u8 perm;
	u8 flags;
	u8 ref;
	u32 asid;
	union {
		struct list_head link;
		struct rcu_head rcu;
	};
};

/**
 * struct iotlb_table - The entries of an address space
 * @map: the entries by IOVA
 * @clock: those that may be evicted, the next one first
 * @pinned: the others
 * @nr: how many there are
 */
struct iotlb_table {
	struct iotlb_tree map;
	struct list_head clock;
	struct list_head pinned;
	unsigned int nr;
};

/**
 * struct iotlb_translation - An entry as a reader got it
 * @first: first IOVA
 * @last: last one
 * @delta: what is added to an IOVA
 * @gen: of the address space when it was true
 * @perm: permissions
 */
struct iotlb_translation {
	u64 first;
	u64 last;
	u64 delta;
	u64 gen;
	u32 perm;
};

#define IOTLB_LOG 64

/* Epochs are odd; a reader that leaves its gate takes this bit from the one it shows. */
#define IOTLB_EPOCH_INSIDE 0
#define IOTLB_EPOCH_FIRST 1
#define IOTLB_EPOCH_STEP 2

/* What readers count, in the order of struct iommukit_iotlb_client_stats */
enum iotlb_reader_count {
	IOTLB_COUNT_LOOKUPS,
	IOTLB_COUNT_CACHE_HITS,
	IOTLB_COUNT_MAP_HITS,
	IOTLB_COUNT_PERM_FAILURES,
	IOTLB_COUNT_NEGATIVE_HITS,
	IOTLB_NR_COUNTS,
};

/**
 * struct iotlb_space - An address space of an IOTLB; lasts as long as that
 * @table: what readers see; the other one of @tables is empty, or being emptied
 * @gen: changes whenever something that readers have kept becomes wrong
 * @iotlb: the IOTLB
 * @asid: number
 * @readers: struct iommukit_iotlb_reader, under RCU
 * @readers_lock: spinlock: changes of @readers
 * @epoch: counts drains; a reader that is in its gate shows what it was then
 * @drainers: how many sleep in @drained
 * @drained: woken when a reader leaves its gate
 * @tables: see @table
 * @retired: the other table is being emptied; under wlock as what follows
 * @retire: does that
 * @inval_seq: number of the latest invalidation; written under wlock
 * @log: the latest invalidations, by number modulo IOTLB_LOG
 * @late: readers have still to be waited for, and clients told
 * @late_first: of what
 * @late_last: of what
 * @gone: what readers have counted that are not in @readers any more; under @readers_lock
 */
struct iotlb_space {
	struct iotlb_table __rcu *table;
	u64 gen;
	struct iotlb *iotlb;
	u32 asid;

	struct list_head readers ____cacheline_aligned;
	spinlock_t readers_lock;
	atomic64_t epoch;
	atomic_t drainers;
	wait_queue_head_t drained;

	struct iotlb_table tables[2];
	bool retired;
	struct work_struct retire;
	u64 inval_seq;
	struct {
		u64 first;
		u64 last;
	} log[IOTLB_LOG];
	bool late;
	u64 late_first;
	u64 late_last;
	u64 gone[IOTLB_NR_COUNTS];
};

/* ---- misses ---- */

enum iotlb_record_state {
	IOTLB_RECORD_FREE,
	IOTLB_RECORD_QUEUED,
	IOTLB_RECORD_DELIVERED,
};

/**
 * struct iotlb_record - A miss that was asked for, and is shared by all who wait
 * @node: in the channel's index, by address space and granule
 * @link: in a queue until it is delivered; in the list of free ones
 * @waiters: struct iotlb_waiter
 * @cookie: number of the record in the pool, and above that a count: never used twice
 * @granule: of the IOVA
 * @lo: lowest IOVA that is waited for
 * @hi: highest one
 * @hint: bytes that the first of them needs
 * @epoch: inval_seq when it was delivered
 * @raised_ns: when it was raised
 * @space: the address space
 * @perm: what all of them need
 * @state: one of enum iotlb_record_state
 * @flags: IOMMUKIT_IOTLB_MSG_UPGRADE, _PREFETCH, _REQUEUED
 */
struct iotlb_record {
	struct rb_node node;
	struct list_head link;
	struct list_head waiters;
	u64 cookie;
	u64 granule;
	u64 lo;
	u64 hi;
	u64 hint;
	u64 epoch;
	u64 raised_ns;
	struct iotlb_space *space;
	u8 perm;
	u8 state;
	u16 flags;
};

/**
 * struct iotlb_waiter - One who waits for a record, or for one to become free
 * @link: in the list of the record, or of those who wait for room
 * @kin: in the list of the threads of its client, or of all readers
 * @resume: in a list of readers that are to be resumed
 * @reader: whose it is
 * @task: the thread; NULL if the reader is to be resumed
 * @record: what it waits for; NULL for room
 * @iova: the byte that it needs
 * @perm: what for
 * @waiting: its wait has not come to an end
 * @result: then: 0 to look again, or an errno
 * @got: then: what the answer was; without permission, nothing
 * @deadline: jiffies when a reader is resumed at the latest
 */
struct iotlb_waiter {
	struct list_head link;
	struct list_head kin;
	struct list_head resume;
	struct iommukit_iotlb_reader *reader;
	struct task_struct *task;
	struct iotlb_record *record;
	u64 iova;
	u32 perm;
	bool waiting;
	int result;
	struct iotlb_translation got;
	unsigned long deadline;
};

#define IOTLB_EVENTS 64

/**
 * struct iotlb_event - A report that a permission was not enough
 * @asid: address space
 * @perm: what was needed
 * @iova: where
 */
struct iotlb_event {
	u32 asid;
	u32 perm;
	u64 iova;
};

/**
 * struct iotlb_channel - What an IOTLB and its server share; outlives both
 * @kref: one of the IOTLB, one of each descriptor
 * @lock: spinlock, in interrupts as well: protects all that follows
 * @iotlb: the IOTLB; NULL once it is DEAD
 * @inside: operations of the server that are at work on @iotlb
 * @left: woken when @inside falls to 0
 * @state: one of enum iommukit_iotlb_chan_state
 * @instance: number of the present descriptor
 * @pool: @max_pending records
 * @max_pending: how many
 * @granule_shift: as it says
 * @free: records that are free
 * @index: the others
 * @queue: those that wait to be delivered, oldest first
 * @prefetches: the same, of those that nobody waits for
 * @prefetched: those of them that were delivered
 * @nr_pending: records in @index
 * @nr_queued: records in @queue and @prefetches
 * @cookies: counts records
 * @room: struct iotlb_waiter that wait for a free record
 * @asyncs: struct iotlb_waiter of readers that are resumed
 * @events: reports that wait to be delivered, a ring
 * @first_event: the oldest of them
 * @nr_events: how many
 * @lost: reports that found no room, since the descriptor was opened
 * @read_wait: poll, and readers of the descriptor
 * @backend: enum iommukit_iotlb_backend_features that were acknowledged
 * @features: enum iommukit_iotlb_chan_features that were
 * @native: the format is native
 * @delivered: the first message was
 * @ring: the ring, or NULL
 * @eventfd: signalled for it, or NULL; an RCU pointer
 * @signal: does that where it cannot be done at once
 * @counts: by enum iommukit_iotlb_stat, those that are counted under @lock
 */
struct iotlb_channel {
	struct kref kref;
	spinlock_t lock;
	struct iotlb *iotlb;
	unsigned int inside;
	wait_queue_head_t left;
	u32 state;
	u64 instance;

	struct iotlb_record *pool;
	u32 max_pending;
	u32 granule_shift;
	struct list_head free;
	struct rb_root index;
	struct list_head queue;
	struct list_head prefetches;
	struct list_head prefetched;
	u32 nr_pending;
	u32 nr_queued;
	u64 cookies;
	struct list_head room;
	struct list_head asyncs;
	struct iotlb_event events[IOTLB_EVENTS];
	unsigned int first_event;
	unsigned int nr_events;
	u32 lost;

	wait_queue_head_t read_wait;
	u64 backend;
	u64 features;
	bool native;
	bool delivered;
	struct iotlb_ring_map *ring;
	struct eventfd_ctx __rcu *eventfd;
	struct work_struct signal;
	u64 counts[IOMMUKIT_IOTLB_NR_STATS];
};

/* ---- the object ---- */

#define IOTLB_CHANGES 32

/**
 * struct iotlb_removal - A range that was removed
 * @space: where
 * @first: first IOVA
 * @last: last one
 */
struct iotlb_removal {
	struct iotlb_space *space;
	u64 first;
	u64 last;
};

/**
 * struct iotlb_changes - What a command has removed, and has still to wait for
 * @nr: ranges
 * @all: too many to be told: everything, everywhere
 * @from_server: it joins a batch
 * @ranges: what was removed
 * @resume: struct iotlb_waiter of readers that are to be resumed
 * @inval_seq: number of the latest invalidation, or 0
 */
struct iotlb_changes {
	unsigned int nr;
	bool all;
	bool from_server;
	struct iotlb_removal ranges[IOTLB_CHANGES];
	struct list_head resume;
	u64 inval_seq;
};

/**
 * struct iotlb - IOTLB object
 * @obj: the object; clients are users
 * @ctx: its context
 * @ioas: what targets are IOVAs of, or NULL
 * @uva: the owner's memory from address 0 on, if they are addresses
 * @keep_on_close: entries stay when the server goes
 * @num_asids: address spaces
 * @first: of the aperture
 * @last: of the aperture
 * @user_tag: as it says
 * @miss_timeout_ms: how long is waited for an answer; READ_ONCE()
 * @spin_us: how long of it without sleeping; READ_ONCE()
 * @wlock: mutex: changes of all tables, and what follows
 * @spaces: struct iotlb_space by number; made when first used, and never go
 * @max_entries: limit of @nr_entries
 * @evict_policy: one of enum iommukit_iotlb_evict
 * @nr_entries: entries of all tables
 * @nr_pinned: pinned ones
 * @changes: counts changes of entries, for who lists them, from some number on that
 *	another IOTLB is not likely to have
 * @hand: address space that eviction goes on with
 * @batch_open: the server has begun a batch
 * @batch_asid: its address space
 * @batch: what it has removed
 * @lost: the server has gone, and its entries are to go
 * @counts: by enum iommukit_iotlb_stat, those that are counted under @wlock
 * @chan: misses and server
 * @clients_lock: spinlock: @clients, and who calls them; never held over a call
 * @clients: struct iommukit_iotlb_client
 * @nr_readers: readers of all of them
 * @read_base: what readers had counted at the last reset; under @clients_lock
 * @server_up: what clients have been told last; of @late
 * @late: what nobody waits for: the rest of killed commands, and of the server's end
 * @expire: resumes readers whose time is over
 */
struct iotlb {
	struct iommukit_object obj;
	struct iommukit_ctx *ctx;
	struct ioas *ioas;
	struct pages *uva;
	bool keep_on_close;
	u32 num_asids;
	u64 first;
	u64 last;
	u64 user_tag;
	u32 miss_timeout_ms;
	u32 spin_us;

	struct mutex wlock;
	struct xarray spaces;
	u32 max_entries;
	u32 evict_policy;
	u32 nr_entries;
	u32 nr_pinned;
	u32 changes;
	u32 hand;
	bool batch_open;
	u32 batch_asid;
	struct iotlb_changes batch;
	bool lost;
	u64 counts[IOMMUKIT_IOTLB_NR_STATS];

	struct iotlb_channel *chan;
	spinlock_t clients_lock;
	struct list_head clients;
	atomic_t nr_readers;
	u64 read_base[IOTLB_NR_COUNTS];
	bool server_up;
	struct work_struct late;
	struct delayed_work expire;
};

/* iotlb.c */
extern const struct object_ops iotlb_object_ops;
struct iotlb *iotlb_get(struct iommukit_ctx *ctx, u32 id);
void iotlb_put(struct iotlb *iotlb);
struct iotlb_space *iotlb_space(struct iotlb *iotlb, u32 asid);
struct iotlb_space *iotlb_space_make(struct iotlb *iotlb, u32 asid);
int iotlb_init(void);
void iotlb_exit(void);
/* What may take as long as a gate has a queue of its own. */
extern struct workqueue_struct *iotlb_wq, *iotlb_late_wq;

int iotlb_cmd_alloc(struct iommukit_ucmd *ucmd);
int iotlb_cmd_submit(struct iommukit_ucmd *ucmd);
int iotlb_cmd_query(struct iommukit_ucmd *ucmd);
int iotlb_cmd_set(struct iommukit_ucmd *ucmd);
int iotlb_cmd_channel_open(struct iommukit_ucmd *ucmd);
int iotlb_cmd_get_caps(struct iommukit_ucmd *ucmd);

/* iotlb_stats.c */
int iotlb_cmd_stats(struct iommukit_ucmd *ucmd);
int iotlb_describe(struct iommukit_object *obj, struct sk_buff *skb);

/* iotlb_msg.c */

/* What the sender of a message may do: that of the owner, or of a server */
#define IOTLB_FROM_OWNER BIT(0)
#define IOTLB_FROM_NATIVE BIT(1)
#define IOTLB_FROM_BATCHER BIT(2)
#define IOTLB_FROM_NEGATIVE BIT(3)
#define IOTLB_FROM_EPOCH BIT(4)

void iotlb_changes_init(struct iotlb_changes *changes);
void iotlb_changes_add(struct iotlb *iotlb, struct iotlb_changes *changes,
		       struct iotlb_space *space, u64 first, u64 last);
int iotlb_changes_complete(struct iotlb *iotlb, struct iotlb_changes *changes);
int iotlb_apply(struct iotlb *iotlb, const struct iommukit_iotlb_msg *msg,
		unsigned int from, struct iotlb_changes *changes);
void iotlb_server_lost(struct iotlb *iotlb);
void iotlb_late_work(struct work_struct *work);

/* iotlb_table.c */

/**
 * struct iotlb_update - An update that was found to be right
 * @first: first IOVA
 * @last: last one
 * @target: of the first
 * @cookie: the record that it answers, or 0
 * @epoch: to be checked, or 0
 * @perm: permissions
 * @flags: IOMMUKIT_IOTLB_MSG_*
 * @from: IOTLB_FROM_*
 */
struct iotlb_update {
	u64 first;
	u64 last;
	u64 target;
	u64 cookie;
	u64 epoch;
	u8 perm;
	u16 flags;
	unsigned int from;
};

void iotlb_space_init(struct iotlb_space *space, struct iotlb *iotlb, u32 asid);
void iotlb_space_free(struct iotlb_space *space);
bool iotlb_look(struct iotlb_space *space, u64 iova,
		struct iotlb_translation *out, bool reference);
bool iotlb_lookup(struct iotlb_space *space, u64 iova,
		  struct iotlb_translation *out);
u64 iotlb_gap(struct iotlb_space *space, u64 iova, u64 most);
int iotlb_table_update(struct iotlb_space *space, const struct iotlb_update *up,
		       struct iotlb_changes *changes);
int iotlb_table_invalidate(struct iotlb_space *space, u64 first, u64 last,
			   bool pinned, struct iotlb_changes *changes);
int iotlb_table_flush(struct iotlb_space *space, bool pinned,
		      struct iotlb_changes *changes);
bool iotlb_evict_to(struct iotlb *iotlb, u32 limit);
unsigned int iotlb_table_dump(struct iotlb_space *space, u64 *first, u64 last,
			      struct iommukit_iotlb_entry *out,
			      unsigned int max, u32 *changes);
u64 iotlb_deferred(void);
void iotlb_throttle(void);
int iotlb_cache_create(void);
void iotlb_cache_destroy(void);

/* iotlb_reader.c */
int iotlb_drain(struct iotlb_space *space, bool killable, u64 *slept_ns);
bool iotlb_reader_get(struct iommukit_iotlb_reader *reader);
void iotlb_reader_put(struct iommukit_iotlb_reader *reader);
void iotlb_reader_resume(struct iommukit_iotlb_reader *reader);

/* iotlb_miss.c */

/* What has to be done once the lock of a channel is free; see iotlb_chan_wake() */
#define IOTLB_WAKE_READERS BIT(0)
#define IOTLB_WAKE_EVENTFD BIT(1)

int iotlb_misses_init(struct iotlb_channel *chan, u32 max_pending,
		      u32 granule_shift);
int iotlb_miss_wait(struct iommukit_iotlb_reader *reader, u64 iova, u32 perm,
		    u64 hint, long *timeout);
int iotlb_miss_async(struct iommukit_iotlb_reader *reader, u64 iova, u32 perm,
		     u64 hint);
void iotlb_miss_withdraw(struct iommukit_iotlb_reader *reader);
bool iotlb_miss_prefetch(struct iotlb_space *space, u64 iova, u64 length,
			 u32 perm);
void iotlb_miss_cancel(struct iommukit_iotlb_client *client, bool cancelled);
void iotlb_miss_revoke(struct iommukit_iotlb_client *client, bool begin);
void iotlb_miss_count(struct iotlb_channel *chan, enum iommukit_iotlb_stat stat);
void iotlb_miss_resolve(struct iotlb_space *space, const struct iotlb_update *up,
			const struct iotlb_translation *got,
			struct list_head *resume);
void iotlb_miss_stale(struct iotlb_channel *chan, u64 cookie);
void iotlb_miss_deny(struct iotlb_space *space,
		     const struct iommukit_iotlb_msg *msg, u64 last,
		     struct list_head *resume);
void iotlb_miss_fail_all(struct iotlb_channel *chan, int error,
			 struct list_head *resume);
void iotlb_miss_drop_prefetches(struct iotlb_space *space);
void iotlb_miss_expire(struct work_struct *work);
void iotlb_resume(struct list_head *resume);

bool iotlb_has_message_locked(const struct iotlb_channel *chan);
bool iotlb_take_message_locked(struct iotlb_channel *chan,
			       struct iommukit_iotlb_msg *msg);
void iotlb_put_message_back(struct iotlb_channel *chan,
			    const struct iommukit_iotlb_msg *msg);

/* iotlb_channel.c */
struct iotlb_channel *iotlb_channel_alloc(struct iotlb *iotlb, u32 max_pending,
					  u32 granule_shift);
void iotlb_channel_put(struct iotlb_channel *chan);
struct file *iotlb_channel_file(struct iotlb_channel *chan);
int iotlb_channel_start(struct iotlb_channel *chan, struct file *file);
void iotlb_channel_kill(struct iotlb_channel *chan);
unsigned int iotlb_chan_push_locked(struct iotlb_channel *chan);
void iotlb_chan_wake(struct iotlb_channel *chan, unsigned int what);
bool iotlb_chan_expresses(const struct iotlb_channel *chan, u32 asid);

#endif /* IOMMUKIT_IOTLB_H */

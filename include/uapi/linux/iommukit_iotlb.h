/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Userspace ABI of iommukit: device IOTLBs, which user space fills. A part of
 * <linux/iommukit.h>, which has the rules and numbers of all commands.
 */
#ifndef _UAPI_LINUX_IOMMUKIT_IOTLB_H
#define _UAPI_LINUX_IOMMUKIT_IOTLB_H

#ifndef _UAPI_LINUX_IOMMUKIT_H
#include <linux/iommukit.h>
#endif

/**
 * DOC: IOTLBs
 *
 * An IOTLB translates what a software device calls an address into a *target*: an
 * IOVA of an IOAS, or an address of the process that made the IOTLB. It is a cache.
 * What it lacks is asked for on a *channel*, a descriptor of its own that may be given
 * to another process, the *server*: the virtual IOMMU of a virtual machine, say.
 *
 * **Who is who.** The *owner* has the context's descriptor: it makes the IOTLB and may
 * change it with IOMMUKIT_IOTLB_SUBMIT. The server has the channel and nothing else; it
 * is not trusted. *Readers* are drivers in the kernel.
 *
 * **Entries** are ranges of bytes without any alignment, with a permission. Those of
 * one address space (*asid*) do not overlap: an update replaces what it covers, and
 * what it does not cover stays. The cache may forget entries, but for pinned ones.
 *
 * **A miss** is asked for once, however many readers wait for it. The server answers
 * with UPDATE, or denies it with ACCESS_FAIL. A reader that waits longer than the
 * IOTLB says fails with ETIMEDOUT; with EPIPE if the server has gone.
 *
 * **Invalidation is synchronous.** When the write, or IOMMUKIT_IOTLB_SUBMIT, has
 * returned, no reader uses a translation that was removed, and nothing that drivers
 * have derived from it is left. The server invalidates *after* its own tables do not
 * give the old translation any more, and before it says so to whoever asked. Replacing
 * an entry by UPDATE is as good only with IOMMUKIT_IOTLB_EVICT_NONE; with eviction a
 * reader may have kept what is not there to be replaced any more.
 *
 * **Late answers.** A MISS carries an *epoch*. An UPDATE that repeats it is refused with
 * ESTALE if its range was invalidated in between, and the miss is asked for once more.
 * A server that cannot do that keeps its walks and its invalidations apart itself.
 */

/* Of the entries, misses and answers; 0 with IOMMUKIT_IOTLB_MSG_NEGATIVE only */
enum iommukit_iotlb_perm {
	IOMMUKIT_IOTLB_PERM_READ = 1,
	IOMMUKIT_IOTLB_PERM_WRITE = 2,
	IOMMUKIT_IOTLB_PERM_RW = 3,
};

/**
 * enum iommukit_iotlb_op - What a message is
 * @IOMMUKIT_IOTLB_OP_MISS: From the kernel: a translation is needed
 * @IOMMUKIT_IOTLB_OP_UPDATE: A translation
 * @IOMMUKIT_IOTLB_OP_INVALIDATE: There is no translation any more. @iova and @size 0
 *	is all of the address space; @size 0 is EINVAL otherwise. What is outside of
 *	the aperture is ignored.
 * @IOMMUKIT_IOTLB_OP_ACCESS_FAIL: From the kernel: the permission was not enough. From
 *	the server: the miss is denied, with 1 (EPERM), 2 (ENOENT) or 5 (EIO) as
 *	@status, anything else is EFAULT; without a cookie, all that intersects the range
 * @IOMMUKIT_IOTLB_OP_BATCH_BEGIN: Invalidations from here on need not be complete before
 * @IOMMUKIT_IOTLB_OP_BATCH_END: is. All are of one address space (EINVAL). Owner: EINVAL
 * @IOMMUKIT_IOTLB_OP_FLUSH: INVALIDATE of all of the address space; native only
 */
enum iommukit_iotlb_op {
	IOMMUKIT_IOTLB_OP_MISS = 1,
	IOMMUKIT_IOTLB_OP_UPDATE = 2,
	IOMMUKIT_IOTLB_OP_INVALIDATE = 3,
	IOMMUKIT_IOTLB_OP_ACCESS_FAIL = 4,
	IOMMUKIT_IOTLB_OP_BATCH_BEGIN = 5,
	IOMMUKIT_IOTLB_OP_BATCH_END = 6,
	IOMMUKIT_IOTLB_OP_FLUSH = 7,
};

/**
 * enum iommukit_iotlb_msg_flags - Flags of a message
 * @IOMMUKIT_IOTLB_MSG_UPGRADE: MISS: there is an entry, with too little permission
 * @IOMMUKIT_IOTLB_MSG_PREFETCH: MISS: nobody waits. UPDATE: nobody has asked, so it is
 *	the first to be forgotten
 * @IOMMUKIT_IOTLB_MSG_REQUEUED: MISS: asked for before; the answer was stale, or the
 *	message could not be delivered
 * @IOMMUKIT_IOTLB_MSG_PINNED: UPDATE of the owner: never forgotten, and out of reach of
 *	the server. INVALIDATE and FLUSH of the owner: pinned entries as well
 * @IOMMUKIT_IOTLB_MSG_NO_REPLACE: UPDATE: EEXIST if another entry is in the way
 * @IOMMUKIT_IOTLB_MSG_NEGATIVE: UPDATE without permission and target: there is no
 *	translation; readers fail with EFAULT, and nobody is asked
 */
enum iommukit_iotlb_msg_flags {
	IOMMUKIT_IOTLB_MSG_UPGRADE = 1 << 0,
	IOMMUKIT_IOTLB_MSG_PREFETCH = 1 << 1,
	IOMMUKIT_IOTLB_MSG_REQUEUED = 1 << 2,
	IOMMUKIT_IOTLB_MSG_PINNED = 1 << 3,
	IOMMUKIT_IOTLB_MSG_NO_REPLACE = 1 << 4,
	IOMMUKIT_IOTLB_MSG_NEGATIVE = 1 << 5,
};

/* The types of messages on a channel; the first two are those of vhost */
enum iommukit_iotlb_msg_type {
	IOMMUKIT_IOTLB_MSG_V1 = 1,
	IOMMUKIT_IOTLB_MSG_V2 = 2,
	IOMMUKIT_IOTLB_MSG_NATIVE = 0x10,
};

/**
 * struct iommukit_iotlb_msg - A message, and an element of IOMMUKIT_IOTLB_SUBMIT
 * @type: IOMMUKIT_IOTLB_MSG_NATIVE; ignored by SUBMIT
 * @asid: Address space
 * @iova: First byte
 * @length: Bytes
 * @target: UPDATE: what @iova is translated to
 * @perm: One of enum iommukit_iotlb_perm
 * @op: One of enum iommukit_iotlb_op; SUBMIT takes UPDATE, INVALIDATE and FLUSH
 * @flags: Combination of enum iommukit_iotlb_msg_flags; EOPNOTSUPP where it has no
 *	meaning
 * @status: ACCESS_FAIL: a positive errno. SUBMIT with
 *	IOMMUKIT_IOTLB_SUBMIT_WRITE_STATUS: the result, 0 or a positive errno
 * @cookie: MISS: its identity, which answers repeat; 0 for none
 * @epoch: MISS: when it was delivered. UPDATE: that of the MISS, or out_inval_seq of
 *	IOMMUKIT_IOTLB_CHAN_INFO; 0: do not check. EINVAL if it lies in the future
 * @aux: MISS, with IOMMUKIT_IOTLB_CHAN_LEN_HINT: bytes that the reader still needs;
 *	otherwise 0 (EOPNOTSUPP)
 *
 * The first 34 bytes are those of struct vhost_msg_v2.
 *
 * Errnos of an element, on SUBMIT and on the channel: EINVAL for an address space that
 * is not there, an impossible length, permission or op; EOVERFLOW if the range wraps,
 * of the IOVA or of the target in an IOAS; EFAULT if the target is not in user space;
 * ERANGE for an UPDATE that is not all in the aperture; EEXIST with NO_REPLACE, or, for
 * the server, if a pinned entry is in the way that does not say the same of all of it;
 * EPERM for PINNED of the server; ESTALE; ENOSPC if nothing can be forgotten; ENOMEM.
 */
struct iommukit_iotlb_msg {
	__u32 type;
	__u32 asid;
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 target;
	__u8 perm;
	__u8 op;
	__u16 flags;
	__s32 status;
	__aligned_u64 cookie;
	__aligned_u64 epoch;
	__aligned_u64 aux;
};

/**
 * enum iommukit_iotlb_alloc_flags - Flags of IOTLB_ALLOC
 * @IOMMUKIT_IOTLB_TARGET_UVA: Targets are addresses of the calling process
 * @IOMMUKIT_IOTLB_KEEP_ON_CLOSE: Entries stay when the server goes
 * @IOMMUKIT_IOTLB_NO_CHANNEL: No server yet; see IOMMUKIT_IOTLB_CHANNEL_OPEN
 */
enum iommukit_iotlb_alloc_flags {
	IOMMUKIT_IOTLB_TARGET_UVA = 1 << 0,
	IOMMUKIT_IOTLB_KEEP_ON_CLOSE = 1 << 1,
	IOMMUKIT_IOTLB_NO_CHANNEL = 1 << 2,
};

/**
 * enum iommukit_iotlb_evict - What is forgotten when the IOTLB is full
 * @IOMMUKIT_IOTLB_EVICT_CLOCK: Something that was not used of late
 * @IOMMUKIT_IOTLB_EVICT_FIFO: What came first
 * @IOMMUKIT_IOTLB_EVICT_NONE: Nothing; updates fail with ENOSPC
 */
enum iommukit_iotlb_evict {
	IOMMUKIT_IOTLB_EVICT_CLOCK = 0,
	IOMMUKIT_IOTLB_EVICT_FIFO = 1,
	IOMMUKIT_IOTLB_EVICT_NONE = 2,
};

/* miss_timeout_ms: wait for ever */
#define IOMMUKIT_IOTLB_NO_TIMEOUT 0xffffffffU

/**
 * struct iommukit_iotlb_alloc - ioctl(IOMMUKIT_IOTLB_ALLOC)
 * @size: sizeof(struct iommukit_iotlb_alloc)
 * @flags: Combination of enum iommukit_iotlb_alloc_flags
 * @ioas_id: IOAS that the targets are IOVAs of; with TARGET_UVA 0
 * @num_asids: Address spaces, up to 4096; 0 is 1
 * @max_entries: Entries of all of them, from 16 to the module parameter
 *	iotlb_max_entries; 0 is 65536
 * @max_pending: Misses at a time, up to 65536; 0 is 256. Their memory is taken now
 * @miss_timeout_ms: How long a reader waits, up to an hour; 0 is 5000
 * @evict_policy: One of enum iommukit_iotlb_evict (EOPNOTSUPP)
 * @iova_first: First IOVA of the aperture, outside of which there are no entries
 * @iova_last: Last one; both 0 is everything
 * @user_tag: Means nothing to the kernel, but is shown
 * @granule_shift: Misses in one granule of 2^n bytes are asked for once; up to 30, 0 is
 *	12
 * @spin_us: How long a reader spins before it sleeps, up to 1000
 * @out_iotlb_id: Output id of the new object
 * @out_channel_fd: The channel; -1 with NO_CHANNEL
 * @__reserved: Must be 0
 *
 * Make an IOTLB. On success members that were 0 tell what they stood for. Its IOAS cannot
 * be destroyed before it. An open channel does not keep it from being destroyed: the
 * channel fails with ENODEV then.
 *
 *  - EINVAL: a member out of its range
 *  - ENOSPC: the context has as many as the module parameter iotlb_max_objects says
 *  - ENOENT: no such IOAS
 *  - EMFILE, ENFILE: no descriptor
 */
struct iommukit_iotlb_alloc {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__u32 num_asids;
	__u32 max_entries;
	__u32 max_pending;
	__u32 miss_timeout_ms;
	__u32 evict_policy;
	__aligned_u64 iova_first;
	__aligned_u64 iova_last;
	__aligned_u64 user_tag;
	__u32 granule_shift;
	__u32 spin_us;
	__u32 out_iotlb_id;
	__s32 out_channel_fd;
	__aligned_u64 __reserved;
};
#define IOMMUKIT_IOTLB_ALLOC _IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_IOTLB_ALLOC)

/**
 * enum iommukit_iotlb_submit_flags - Flags of IOTLB_SUBMIT
 * @IOMMUKIT_IOTLB_SUBMIT_WRITE_STATUS: Write the result of each element to its status
 * @IOMMUKIT_IOTLB_SUBMIT_CONTINUE: Go on after ESTALE, EEXIST and ENOSPC, and fail with
 *	the first of them at the end
 */
enum iommukit_iotlb_submit_flags {
	IOMMUKIT_IOTLB_SUBMIT_WRITE_STATUS = 1 << 0,
	IOMMUKIT_IOTLB_SUBMIT_CONTINUE = 1 << 1,
};

/**
 * struct iommukit_iotlb_submit - ioctl(IOMMUKIT_IOTLB_SUBMIT)
 * @size: sizeof(struct iommukit_iotlb_submit)
 * @flags: Combination of enum iommukit_iotlb_submit_flags
 * @iotlb_id: The IOTLB
 * @count: Elements, 1 to 65536 (E2BIG)
 * @array: Of struct iommukit_iotlb_msg
 * @entry_size: Bytes from one element to the next, at least 64; what the kernel does
 *	not know must be 0 (E2BIG)
 * @out_done: Elements that were done
 * @out_epoch: Of the latest invalidation of this call; if there was none, of the
 *	address space of the last element
 * @__reserved: Must be 0
 *
 * Change an IOTLB as its owner: element after element, until one fails with the errno
 * of the command. The structure is written back in that case, too. All invalidations
 * are complete when it returns; if a fatal signal comes while they are waited for
 * (EINTR), soon after.
 */
struct iommukit_iotlb_submit {
	__u32 size;
	__u32 flags;
	__u32 iotlb_id;
	__u32 count;
	__aligned_u64 array;
	__u32 entry_size;
	__u32 out_done;
	__aligned_u64 out_epoch;
	__aligned_u64 __reserved;
};
#define IOMMUKIT_IOTLB_SUBMIT _IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_IOTLB_SUBMIT)

/**
 * enum iommukit_iotlb_entry_flags - Flags of an entry
 * @IOMMUKIT_IOTLB_ENTRY_PINNED: It is never forgotten
 * @IOMMUKIT_IOTLB_ENTRY_NEGATIVE: There is no translation
 * @IOMMUKIT_IOTLB_ENTRY_REFERENCED: It was used of late
 */
enum iommukit_iotlb_entry_flags {
	IOMMUKIT_IOTLB_ENTRY_PINNED = 1 << 0,
	IOMMUKIT_IOTLB_ENTRY_NEGATIVE = 1 << 1,
	IOMMUKIT_IOTLB_ENTRY_REFERENCED = 1 << 2,
};

/**
 * struct iommukit_iotlb_entry - An entry
 * @first: First IOVA
 * @last: Last one
 * @target: Of the first
 * @perm: One of enum iommukit_iotlb_perm
 * @flags: Combination of enum iommukit_iotlb_entry_flags
 * @asid: Address space
 * @__reserved: 0
 * @__reserved2: 0
 */
struct iommukit_iotlb_entry {
	__aligned_u64 first;
	__aligned_u64 last;
	__aligned_u64 target;
	__u32 perm;
	__u32 flags;
	__u32 asid;
	__u32 __reserved;
	__aligned_u64 __reserved2;
};

/**
 * enum iommukit_iotlb_query_flags - Flags of IOTLB_QUERY
 * @IOMMUKIT_IOTLB_QUERY_DUMP: All entries of a range
 * @IOMMUKIT_IOTLB_QUERY_MORE: Out: there may be more, from out_next on
 */
enum iommukit_iotlb_query_flags {
	IOMMUKIT_IOTLB_QUERY_DUMP = 1 << 0,
	IOMMUKIT_IOTLB_QUERY_MORE = 1 << 1,
};

/**
 * struct iommukit_iotlb_query - ioctl(IOMMUKIT_IOTLB_QUERY)
 * @size: sizeof(struct iommukit_iotlb_query)
 * @flags: In: IOMMUKIT_IOTLB_QUERY_DUMP or 0. Out: also IOMMUKIT_IOTLB_QUERY_MORE
 * @iotlb_id: The IOTLB
 * @asid: Address space (EINVAL)
 * @iova_first: IOVA to look up, or the first of the range
 * @iova_last: DUMP: the last one
 * @array: Of struct iommukit_iotlb_entry
 * @count: In: room. Out: entries written; of a DUMP without room: how many there are
 * @entry_size: Bytes from one element to the next, at least 48
 * @out_next: MORE: where to go on
 * @out_epoch: Of the latest invalidation of the address space
 *
 * Look an entry up (ENOENT), or list those that intersect a range, whole and in order.
 * A list is no snapshot; what was gone before the command is not in it.
 */
struct iommukit_iotlb_query {
	__u32 size;
	__u32 flags;
	__u32 iotlb_id;
	__u32 asid;
	__aligned_u64 iova_first;
	__aligned_u64 iova_last;
	__aligned_u64 array;
	__u32 count;
	__u32 entry_size;
	__aligned_u64 out_next;
	__aligned_u64 out_epoch;
};
#define IOMMUKIT_IOTLB_QUERY _IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_IOTLB_QUERY)

/**
 * enum iommukit_iotlb_stat - Counters of IOTLB_STATS, by index
 *
 * Those that say "now" are not reset. When nothing goes on, CREATED is the sum of
 * RESOLVED, DENIED, LOST, WITHDRAWN and PENDING.
 *
 * @IOMMUKIT_IOTLB_STAT_ENTRIES: Entries now
 * @IOMMUKIT_IOTLB_STAT_MAX_ENTRIES: Most of them
 * @IOMMUKIT_IOTLB_STAT_PINNED: Pinned ones now
 * @IOMMUKIT_IOTLB_STAT_UPDATES: Updates
 * @IOMMUKIT_IOTLB_STAT_REPLACED: Entries that an update covered
 * @IOMMUKIT_IOTLB_STAT_LOOKUPS: Lookups of readers
 * @IOMMUKIT_IOTLB_STAT_CACHE_HITS: found in the cache of the reader
 * @IOMMUKIT_IOTLB_STAT_MAP_HITS: found in the table
 * @IOMMUKIT_IOTLB_STAT_PERM_FAILURES: found without the permission
 * @IOMMUKIT_IOTLB_STAT_NEGATIVE_HITS: found to have no translation
 * @IOMMUKIT_IOTLB_STAT_CREATED: Misses asked for
 * @IOMMUKIT_IOTLB_STAT_DELIVERED: Deliveries to the server
 * @IOMMUKIT_IOTLB_STAT_RESOLVED: Misses that ended with an update
 * @IOMMUKIT_IOTLB_STAT_DENIED: by the server's word
 * @IOMMUKIT_IOTLB_STAT_LOST: with the server
 * @IOMMUKIT_IOTLB_STAT_WITHDRAWN: with the last reader that waited
 * @IOMMUKIT_IOTLB_STAT_PENDING: Misses that wait now
 * @IOMMUKIT_IOTLB_STAT_JOINED: Readers that joined a miss asked for already
 * @IOMMUKIT_IOTLB_STAT_TIMED_OUT: Waits that ended with the time
 * @IOMMUKIT_IOTLB_STAT_INTERRUPTED: with a signal
 * @IOMMUKIT_IOTLB_STAT_CANCELLED: by the driver
 * @IOMMUKIT_IOTLB_STAT_SPACE_WAITS: Waits for room for a miss
 * @IOMMUKIT_IOTLB_STAT_THRASH: Requests given up, for they were forgotten too soon
 * @IOMMUKIT_IOTLB_STAT_UPGRADES: Misses of permission
 * @IOMMUKIT_IOTLB_STAT_STALE: Updates refused with ESTALE
 * @IOMMUKIT_IOTLB_STAT_REQUEUED: Misses asked for once more
 * @IOMMUKIT_IOTLB_STAT_MAX_PENDING: Most that waited
 * @IOMMUKIT_IOTLB_STAT_INVALIDATIONS: Invalidations of ranges
 * @IOMMUKIT_IOTLB_STAT_FLUSHES: and of whole address spaces
 * @IOMMUKIT_IOTLB_STAT_REMOVED: Entries removed by them
 * @IOMMUKIT_IOTLB_STAT_TRIMS: Entries cut
 * @IOMMUKIT_IOTLB_STAT_EVICTIONS: Entries forgotten
 * @IOMMUKIT_IOTLB_STAT_DRAINS: Waits for readers
 * @IOMMUKIT_IOTLB_STAT_DRAIN_SLEEPS: of which slept
 * @IOMMUKIT_IOTLB_STAT_DRAIN_MAX_NS: The longest
 * @IOMMUKIT_IOTLB_STAT_PREFETCHES: Prefetches asked for
 * @IOMMUKIT_IOTLB_STAT_PREFETCH_DROPS: and given up
 * @IOMMUKIT_IOTLB_STAT_RING_BACKLOG: Messages that found the ring full
 * @IOMMUKIT_IOTLB_STAT_RING_CORRUPT: Tails of the ring that cannot be
 * @IOMMUKIT_IOTLB_STAT_EVENTS_LOST: Reports that found no room
 * @IOMMUKIT_IOTLB_STAT_DEFERRED: Entries and parts of tables that wait to be freed now
 * @IOMMUKIT_IOTLB_STAT_FALLBACKS: Removals without memory
 * @IOMMUKIT_IOTLB_STAT_LATENCY_SUM_NS: From miss to answer, all
 * @IOMMUKIT_IOTLB_STAT_LATENCY_MAX_NS: The longest
 * @IOMMUKIT_IOTLB_STAT_LATENCY_HIST: The first of 16: less than 2, 4, 8, ...
 *	microseconds; the last has all that is longer
 * @IOMMUKIT_IOTLB_NR_STATS: How many
 */
enum iommukit_iotlb_stat {
	IOMMUKIT_IOTLB_STAT_ENTRIES = 0,
	IOMMUKIT_IOTLB_STAT_MAX_ENTRIES = 1,
	IOMMUKIT_IOTLB_STAT_PINNED = 2,
	IOMMUKIT_IOTLB_STAT_UPDATES = 3,
	IOMMUKIT_IOTLB_STAT_REPLACED = 4,
	IOMMUKIT_IOTLB_STAT_LOOKUPS = 5,
	IOMMUKIT_IOTLB_STAT_CACHE_HITS = 6,
	IOMMUKIT_IOTLB_STAT_MAP_HITS = 7,
	IOMMUKIT_IOTLB_STAT_PERM_FAILURES = 8,
	IOMMUKIT_IOTLB_STAT_NEGATIVE_HITS = 9,
	IOMMUKIT_IOTLB_STAT_CREATED = 10,
	IOMMUKIT_IOTLB_STAT_DELIVERED = 11,
	IOMMUKIT_IOTLB_STAT_RESOLVED = 12,
	IOMMUKIT_IOTLB_STAT_DENIED = 13,
	IOMMUKIT_IOTLB_STAT_LOST = 14,
	IOMMUKIT_IOTLB_STAT_WITHDRAWN = 15,
	IOMMUKIT_IOTLB_STAT_PENDING = 16,
	IOMMUKIT_IOTLB_STAT_JOINED = 17,
	IOMMUKIT_IOTLB_STAT_TIMED_OUT = 18,
	IOMMUKIT_IOTLB_STAT_INTERRUPTED = 19,
	IOMMUKIT_IOTLB_STAT_CANCELLED = 20,
	IOMMUKIT_IOTLB_STAT_SPACE_WAITS = 21,
	IOMMUKIT_IOTLB_STAT_THRASH = 22,
	IOMMUKIT_IOTLB_STAT_UPGRADES = 23,
	IOMMUKIT_IOTLB_STAT_STALE = 24,
	IOMMUKIT_IOTLB_STAT_REQUEUED = 25,
	IOMMUKIT_IOTLB_STAT_MAX_PENDING = 26,
	IOMMUKIT_IOTLB_STAT_INVALIDATIONS = 27,
	IOMMUKIT_IOTLB_STAT_FLUSHES = 28,
	IOMMUKIT_IOTLB_STAT_REMOVED = 29,
	IOMMUKIT_IOTLB_STAT_TRIMS = 30,
	IOMMUKIT_IOTLB_STAT_EVICTIONS = 31,
	IOMMUKIT_IOTLB_STAT_DRAINS = 32,
	IOMMUKIT_IOTLB_STAT_DRAIN_SLEEPS = 33,
	IOMMUKIT_IOTLB_STAT_DRAIN_MAX_NS = 34,
	IOMMUKIT_IOTLB_STAT_PREFETCHES = 35,
	IOMMUKIT_IOTLB_STAT_PREFETCH_DROPS = 36,
	IOMMUKIT_IOTLB_STAT_RING_BACKLOG = 37,
	IOMMUKIT_IOTLB_STAT_RING_CORRUPT = 38,
	IOMMUKIT_IOTLB_STAT_EVENTS_LOST = 39,
	IOMMUKIT_IOTLB_STAT_DEFERRED = 40,
	IOMMUKIT_IOTLB_STAT_FALLBACKS = 41,
	IOMMUKIT_IOTLB_STAT_LATENCY_SUM_NS = 42,
	IOMMUKIT_IOTLB_STAT_LATENCY_MAX_NS = 43,
	IOMMUKIT_IOTLB_STAT_LATENCY_HIST = 44,
	IOMMUKIT_IOTLB_NR_STATS = 60,
};

/**
 * enum iommukit_iotlb_stats_flags - Flags of IOTLB_STATS
 * @IOMMUKIT_IOTLB_STATS_RESET: Begin anew with those that can
 */
enum iommukit_iotlb_stats_flags {
	IOMMUKIT_IOTLB_STATS_RESET = 1 << 0,
};

/**
 * struct iommukit_iotlb_stats - ioctl(IOMMUKIT_IOTLB_STATS)
 * @size: sizeof(struct iommukit_iotlb_stats)
 * @flags: Combination of enum iommukit_iotlb_stats_flags
 * @iotlb_id: The IOTLB
 * @count: In: room. Out: counters that the kernel has; no more are written
 * @array: Of __u64, by enum iommukit_iotlb_stat
 */
struct iommukit_iotlb_stats {
	__u32 size;
	__u32 flags;
	__u32 iotlb_id;
	__u32 count;
	__aligned_u64 array;
};
#define IOMMUKIT_IOTLB_STATS _IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_IOTLB_STATS)

/**
 * enum iommukit_iotlb_param - What IOTLB_SET changes
 * @IOMMUKIT_IOTLB_PARAM_MAX_ENTRIES: Forgets entries down to it; EBUSY if it cannot
 * @IOMMUKIT_IOTLB_PARAM_MISS_TIMEOUT_MS: Of waits that begin from now on
 * @IOMMUKIT_IOTLB_PARAM_EVICT_POLICY: One of enum iommukit_iotlb_evict
 * @IOMMUKIT_IOTLB_PARAM_SPIN_US: As at allocation
 */
enum iommukit_iotlb_param {
	IOMMUKIT_IOTLB_PARAM_MAX_ENTRIES = 1,
	IOMMUKIT_IOTLB_PARAM_MISS_TIMEOUT_MS = 2,
	IOMMUKIT_IOTLB_PARAM_EVICT_POLICY = 3,
	IOMMUKIT_IOTLB_PARAM_SPIN_US = 4,
};

/**
 * struct iommukit_iotlb_set - ioctl(IOMMUKIT_IOTLB_SET)
 * @size: sizeof(struct iommukit_iotlb_set)
 * @flags: Must be 0
 * @iotlb_id: The IOTLB
 * @param: One of enum iommukit_iotlb_param (EOPNOTSUPP)
 * @value: As at allocation, where 0 means the default
 */
struct iommukit_iotlb_set {
	__u32 size;
	__u32 flags;
	__u32 iotlb_id;
	__u32 param;
	__aligned_u64 value;
};
#define IOMMUKIT_IOTLB_SET _IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_IOTLB_SET)

/**
 * struct iommukit_iotlb_channel_open - ioctl(IOMMUKIT_IOTLB_CHANNEL_OPEN)
 * @size: sizeof(struct iommukit_iotlb_channel_open)
 * @flags: Must be 0
 * @iotlb_id: The IOTLB
 * @out_fd: The channel
 *
 * Open a channel, the first or another one after it was closed; EBUSY if there is one.
 */
struct iommukit_iotlb_channel_open {
	__u32 size;
	__u32 flags;
	__u32 iotlb_id;
	__s32 out_fd;
};
#define IOMMUKIT_IOTLB_CHANNEL_OPEN \
	_IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_IOTLB_CHANNEL_OPEN)

/**
 * struct iommukit_iotlb_get_caps - ioctl(IOMMUKIT_IOTLB_GET_CAPS)
 * @size: sizeof(struct iommukit_iotlb_get_caps)
 * @flags: Must be 0
 * @out_alloc_flags: enum iommukit_iotlb_alloc_flags
 * @out_channel_features: enum iommukit_iotlb_chan_features
 * @out_max_entries: The module parameter iotlb_max_entries
 * @out_max_pending: Most misses at a time
 * @out_max_asids: Most address spaces
 * @out_ops: One bit for each of enum iommukit_iotlb_op
 * @out_formats: One bit for each of enum iommukit_iotlb_msg_type
 * @__reserved: 0
 *
 * What the kernel can do.
 */
struct iommukit_iotlb_get_caps {
	__u32 size;
	__u32 flags;
	__aligned_u64 out_alloc_flags;
	__aligned_u64 out_channel_features;
	__u32 out_max_entries;
	__u32 out_max_pending;
	__u32 out_max_asids;
	__u32 out_ops;
	__u32 out_formats;
	__u32 __reserved;
};
#define IOMMUKIT_IOTLB_GET_CAPS _IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_IOTLB_GET_CAPS)

/**
 * DOC: The channel
 *
 * A descriptor that works as that of a vhost device does for its IOTLB: what speaks
 * struct vhost_msg and struct vhost_msg_v2 to that, and VHOST_SET_BACKEND_FEATURES,
 * speaks to this. It may do better with messages of its own, struct
 * iommukit_iotlb_msg, which begin as those of vhost do.
 *
 * **read** gives as many messages as fit, oldest first; EINVAL if not one does, EAGAIN
 * if there is none and the descriptor does not block. What could not be copied is
 * given once more. **write** takes any number of messages and returns the bytes that it
 * has taken: of a message that is refused, the errno is returned when it is the first.
 * A single message of vhost may be cut to 40 bytes. The invalidations of one write are
 * complete when it returns; if a fatal signal comes while they are waited for (EINTR),
 * soon after. **poll** tells of messages (EPOLLIN), and of the end of the IOTLB
 * (EPOLLERR, EPOLLHUP), after which all fail with ENODEV.
 *
 * The last close of the descriptor, and of what was mapped from it, is the end of the
 * server: all readers that wait fail with EPIPE, and unless the IOTLB keeps them,
 * entries that are not pinned go, soon after.
 *
 * **The ring** saves the read. At offset IOMMUKIT_IOTLB_RING_OFF, for reading, is
 * struct iommukit_iotlb_ring, with entries behind it; at IOMMUKIT_IOTLB_CONS_OFF is one
 * page with struct iommukit_iotlb_ring_consumer. The kernel writes entry head %
 * entries, then head; the server reads entries from tail on, then writes tail. What
 * finds no room waits, IOMMUKIT_IOTLB_RING_BACKLOG says so, and any write to the
 * channel, or IOMMUKIT_IOTLB_CHAN_KICK, brings it in; so does a read. A server that polls
 * head sets IOMMUKIT_IOTLB_RING_NO_WAKEUP; before it sleeps it clears that, and looks at
 * head and flags once more behind a full barrier.
 */

/*
 * As VHOST_SET_BACKEND_FEATURES and VHOST_GET_BACKEND_FEATURES. EBUSY if a miss waits that
 * could not be expressed any more.
 */
#define IOMMUKIT_IOTLB_SET_BACKEND_FEATURES _IOW(0xaf, 0x25, __u64)
#define IOMMUKIT_IOTLB_GET_BACKEND_FEATURES _IOR(0xaf, 0x26, __u64)

/* Bits of those, as vhost has them; others are EOPNOTSUPP */
enum iommukit_iotlb_backend_features {
	IOMMUKIT_IOTLB_BACKEND_MSG_V2 = 1 << 1,
	IOMMUKIT_IOTLB_BACKEND_BATCH = 1 << 2,
	IOMMUKIT_IOTLB_BACKEND_ASID = 1 << 3,
};

/**
 * enum iommukit_iotlb_chan_features - What a server understands
 * @IOMMUKIT_IOTLB_CHAN_EPOCH: Epochs are checked; native only (EINVAL)
 * @IOMMUKIT_IOTLB_CHAN_UPGRADE: Too little permission is a MISS, not EPERM
 * @IOMMUKIT_IOTLB_CHAN_LEN_HINT: MISS says how much is needed; in messages of vhost as
 *	size
 * @IOMMUKIT_IOTLB_CHAN_ACCESS_FAIL: Too little permission is reported
 * @IOMMUKIT_IOTLB_CHAN_PREFETCH: Misses that nobody waits for are sent
 * @IOMMUKIT_IOTLB_CHAN_NEGATIVE: IOMMUKIT_IOTLB_MSG_NEGATIVE is accepted
 */
enum iommukit_iotlb_chan_features {
	IOMMUKIT_IOTLB_CHAN_EPOCH = 1 << 0,
	IOMMUKIT_IOTLB_CHAN_UPGRADE = 1 << 1,
	IOMMUKIT_IOTLB_CHAN_LEN_HINT = 1 << 2,
	IOMMUKIT_IOTLB_CHAN_ACCESS_FAIL = 1 << 3,
	IOMMUKIT_IOTLB_CHAN_PREFETCH = 1 << 4,
	IOMMUKIT_IOTLB_CHAN_NEGATIVE = 1 << 5,
};

/* Of eventfd in struct iommukit_iotlb_chan_config */
#define IOMMUKIT_IOTLB_EVENTFD_NONE (-1)
#define IOMMUKIT_IOTLB_EVENTFD_KEEP (-2)

/**
 * struct iommukit_iotlb_chan_config - ioctl(IOMMUKIT_IOTLB_CHAN_CONFIG) of a channel
 * @size: sizeof(struct iommukit_iotlb_chan_config)
 * @flags: Must be 0
 * @format: IOMMUKIT_IOTLB_MSG_NATIVE, or 0 to keep what it is
 * @ring_entries: A power of two, 16 to 65536, or 0 to keep what it is; needs native
 * @eventfd: Signalled when something was put into the ring; or
 *	IOMMUKIT_IOTLB_EVENTFD_NONE, IOMMUKIT_IOTLB_EVENTFD_KEEP
 * @__reserved: Must be 0
 * @features: Combination of enum iommukit_iotlb_chan_features
 * @out_ring_off: Where to map the ring
 * @out_cons_off: Where to map the consumer's page
 *
 * All or nothing. EBUSY if anything but the eventfd changes after the first message was
 * delivered, or somebody else changes it at the same time; EBADF and EINVAL for what is no
 * eventfd.
 */
struct iommukit_iotlb_chan_config {
	__u32 size;
	__u32 flags;
	__u32 format;
	__u32 ring_entries;
	__s32 eventfd;
	__u32 __reserved;
	__aligned_u64 features;
	__aligned_u64 out_ring_off;
	__aligned_u64 out_cons_off;
};
#define IOMMUKIT_IOTLB_CHAN_CONFIG _IO(IOMMUKIT_TYPE, 0xd8)

/**
 * struct iommukit_iotlb_chan_kick - ioctl(IOMMUKIT_IOTLB_CHAN_KICK) of a channel
 * @size: sizeof(struct iommukit_iotlb_chan_kick)
 * @flags: Must be 0
 *
 * There is room in the ring. EINVAL without a ring.
 */
struct iommukit_iotlb_chan_kick {
	__u32 size;
	__u32 flags;
};
#define IOMMUKIT_IOTLB_CHAN_KICK _IO(IOMMUKIT_TYPE, 0xd9)

/* State of a channel; that of a descriptor is always OPEN, else it gives ENODEV */
enum iommukit_iotlb_chan_state {
	IOMMUKIT_IOTLB_CHAN_STATE_NEVER = 0,
	IOMMUKIT_IOTLB_CHAN_STATE_OPEN = 1,
	IOMMUKIT_IOTLB_CHAN_STATE_CLOSED = 2,
	IOMMUKIT_IOTLB_CHAN_STATE_DEAD = 3,
};

/**
 * struct iommukit_iotlb_chan_info - ioctl(IOMMUKIT_IOTLB_CHAN_INFO) of a channel
 * @size: sizeof(struct iommukit_iotlb_chan_info)
 * @flags: Must be 0
 * @asid: In: address space (EINVAL)
 * @out_iotlb_id: Id of the IOTLB, in its owner's context
 * @out_state: One of enum iommukit_iotlb_chan_state
 * @out_pending: Misses that wait
 * @out_delivered: of which were delivered
 * @out_backlog: and were not
 * @out_num_asids: Address spaces
 * @out_granule_shift: As at allocation
 * @out_max_pending: As at allocation
 * @out_format: One of enum iommukit_iotlb_msg_type
 * @out_iova_first: First IOVA of the aperture
 * @out_iova_last: Last one
 * @out_inval_seq: Epoch of an UPDATE of @asid that nobody has asked for
 * @out_features: enum iommukit_iotlb_chan_features
 */
struct iommukit_iotlb_chan_info {
	__u32 size;
	__u32 flags;
	__u32 asid;
	__u32 out_iotlb_id;
	__u32 out_state;
	__u32 out_pending;
	__u32 out_delivered;
	__u32 out_backlog;
	__u32 out_num_asids;
	__u32 out_granule_shift;
	__u32 out_max_pending;
	__u32 out_format;
	__aligned_u64 out_iova_first;
	__aligned_u64 out_iova_last;
	__aligned_u64 out_inval_seq;
	__aligned_u64 out_features;
};
#define IOMMUKIT_IOTLB_CHAN_INFO _IO(IOMMUKIT_TYPE, 0xda)

#define IOMMUKIT_IOTLB_RING_OFF 0
#define IOMMUKIT_IOTLB_CONS_OFF 0x10000000
#define IOMMUKIT_IOTLB_RING_MAGIC 0x494f544c

/**
 * enum iommukit_iotlb_ring_flags - Flags of the ring
 * @IOMMUKIT_IOTLB_RING_BACKLOG: Messages wait for room
 * @IOMMUKIT_IOTLB_RING_DEAD: The IOTLB is gone
 * @IOMMUKIT_IOTLB_RING_LOST: Reports found no room
 */
enum iommukit_iotlb_ring_flags {
	IOMMUKIT_IOTLB_RING_BACKLOG = 1 << 0,
	IOMMUKIT_IOTLB_RING_DEAD = 1 << 1,
	IOMMUKIT_IOTLB_RING_LOST = 1 << 2,
};

/**
 * struct iommukit_iotlb_ring - What the kernel writes
 * @magic: IOMMUKIT_IOTLB_RING_MAGIC
 * @version: 1
 * @entries: How many follow
 * @entry_size: sizeof(struct iommukit_iotlb_msg)
 * @head: Messages ever put in, modulo 2^32
 * @flags: Combination of enum iommukit_iotlb_ring_flags
 * @lost: Reports that found no room
 * @__reserved: 0
 *
 * struct iommukit_iotlb_msg follow.
 */
struct iommukit_iotlb_ring {
	__u32 magic;
	__u32 version;
	__u32 entries;
	__u32 entry_size;
	__u32 head;
	__u32 flags;
	__u32 lost;
	__u32 __reserved[9];
};

/* Flags of the consumer: do not signal, and do not wake */
enum iommukit_iotlb_ring_consumer_flags {
	IOMMUKIT_IOTLB_RING_NO_WAKEUP = 1 << 0,
};

/**
 * struct iommukit_iotlb_ring_consumer - What the server writes
 * @tail: Messages ever taken out, modulo 2^32
 * @flags: Combination of enum iommukit_iotlb_ring_consumer_flags
 */
struct iommukit_iotlb_ring_consumer {
	__u32 tail;
	__u32 flags;
};

#endif /* _UAPI_LINUX_IOMMUKIT_IOTLB_H */

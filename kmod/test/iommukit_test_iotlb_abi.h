/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * What a program and a client of an IOTLB in iommukit_test.ko have to say to each other;
 * the rest of the module's commands is in iommukit_test_abi.h.
 */
#ifndef _IOMMUKIT_TEST_IOTLB_ABI_H
#define _IOMMUKIT_TEST_IOTLB_ABI_H

#include <linux/types.h>

/**
 * DOC: Readers of IOTLBs
 *
 * IOMMUKIT_TEST_OP_IOTLB_RUN lets a reader do one thing. Its errno is that of what
 * makes no sense; the result of the kAPI is in the structure. A reader does one
 * thing at a time.
 *
 * One without a thread does it in the caller, and is outside of its gate when the
 * command returns: what is to be done inside is part of the same command. One with
 * a thread stays inside over several commands, until EXIT, or until it ends. Its
 * thread goes on when the caller of RUN is killed, or does not want to wait: then
 * WAIT gets the result, at another place if it likes.
 */

#define IOMMUKIT_TEST_IOTLB_SEGS 128U

/* What a reader does */
enum {
	/* With a thread only, as EXIT, RELAX, COPY, PIN */
	IOMMUKIT_TEST_IOTLB_ENTER,
	IOMMUKIT_TEST_IOTLB_EXIT,
	/* The result is 1 if translations are void */
	IOMMUKIT_TEST_IOTLB_RELAX,
	/* With the gate held, or ATOMIC: misuse. The core warns of that */
	IOMMUKIT_TEST_IOTLB_TRANSLATE,
	/* These two enter the gate, once more or for the first time */
	IOMMUKIT_TEST_IOTLB_NOWAIT,
	IOMMUKIT_TEST_IOTLB_PROBE,
	/* As TRANSLATE */
	IOMMUKIT_TEST_IOTLB_RW,
	/* Through the segments got last, @offset bytes behind their beginning */
	IOMMUKIT_TEST_IOTLB_COPY,
	/* Pins segment number @offset of those until a callback wants it back */
	IOMMUKIT_TEST_IOTLB_PIN,
	/* Unpins what is pinned at @iova; ENOENT */
	IOMMUKIT_TEST_IOTLB_UNPIN,
	/*
	 * @count times: translates 8 bytes at @iova, @iova + @length, ..., @max of
	 * them in turn, and reads them, or writes @value. Those that were equal to
	 * @value are counted; so are EAGAIN and what was forgotten too soon, EBUSY.
	 * Anything else ends it.
	 */
	IOMMUKIT_TEST_IOTLB_LOOP,
	/* The end of what was begun with ASYNC */
	IOMMUKIT_TEST_IOTLB_WAIT,
};

/* How it does that */
enum {
	/* Stays inside of the gate, if translated; with a thread only */
	IOMMUKIT_TEST_IOTLB_KEEP = 1 << 0,
	/* TRANSLATE, NOWAIT, PROBE: copies through what was translated, too */
	IOMMUKIT_TEST_IOTLB_AND_COPY = 1 << 1,
	/* With a mutex held */
	IOMMUKIT_TEST_IOTLB_MUTEX = 1 << 2,
	/* TRANSLATE, NOWAIT, PROBE, RW, prefetch: with interrupts off */
	IOMMUKIT_TEST_IOTLB_ATOMIC = 1 << 3,
	/* NOWAIT, PROBE: in a timer */
	IOMMUKIT_TEST_IOTLB_TIMER = 1 << 4,
	/* With a thread only: returns at once */
	IOMMUKIT_TEST_IOTLB_ASYNC = 1 << 5,
	/* LOOP: does not wait for misses */
	IOMMUKIT_TEST_IOTLB_LOOP_NOWAIT = 1 << 6,
};

struct iommukit_test_iotlb_seg {
	__aligned_u64 iova;
	__aligned_u64 target;
	__aligned_u64 length;
	__u32 perm;
	__u32 flags;
};

struct iommukit_test_iotlb {
	__u32 reader;
	__u32 what;
	__u32 how;
	/* For the kAPI as they are: of translate, rw and pin; of copy; the rest */
	__u32 flags;
	__u32 copy_flags;
	__u32 prot;
	__u32 max;
	__u32 timeout_ms;
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 offset;
	__aligned_u64 count;
	__aligned_u64 value;
	/* What is copied */
	__aligned_u64 uptr;
	/* Room for @max of struct iommukit_test_iotlb_seg, or NULL */
	__aligned_u64 segs;

	__aligned_u64 out_done;
	__u32 out_nsegs;
	__s32 out_result;
	/* LOOP */
	__aligned_u64 out_copied;
	__aligned_u64 out_equal;
	__aligned_u64 out_missed;
};

struct iommukit_test_iotlb_stats {
	/* Which one @out_resumed is about; else it is 0 */
	__u32 reader;
	__u32 out_resumed;

	/* Calls; of these, running now; arguments of the latest */
	__u32 out_invalidates;
	__u32 out_running;
	__aligned_u64 out_first;
	__aligned_u64 out_last;
	__u32 out_resumes;
	__u32 out_ups;
	__u32 out_downs;
	__u32 out_stage2_unmaps;
	__aligned_u64 out_stage2_iova;
	__aligned_u64 out_stage2_length;
	/* Pinned now */
	__u32 out_pins;
	__u32 __reserved;

	/* struct iommukit_iotlb_client_stats */
	__aligned_u64 out_lookups;
	__aligned_u64 out_cache_hits;
	__aligned_u64 out_map_hits;
	__aligned_u64 out_perm_failures;
	__aligned_u64 out_negative_hits;
};

#endif /* _IOMMUKIT_TEST_IOTLB_ABI_H */

/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * ABI of iotlb_bench.ko, /dev/iotlb-bench, and of vhost_iotlb_bench.ko,
 * /dev/vhost-iotlb-bench: lookups inside the kernel, in an IOTLB of iommukit and in a
 * table of vhost_iotlb. Nothing here is stable.
 *
 * /dev/vhost-iotlb-bench takes IOMMUKIT_IOTLB_SUBMIT as well, for the table of that
 * descriptor: UPDATE, INVALIDATE and FLUSH without flags, each done as vhost does it,
 * which is to say that an UPDATE replaces nothing.
 */
#ifndef _IOTLB_BENCH_ABI_H
#define _IOTLB_BENCH_ABI_H

#include <linux/ioctl.h>
#include <linux/types.h>
#ifdef __KERNEL__
#include <uapi/linux/iommukit.h>
#else
#include <linux/iommukit.h>
#endif

#define IOTLB_BENCH_ENTRIES_MAX 0x200000U
#define IOTLB_BENCH_THREADS_MAX 8U
#define IOTLB_BENCH_HOT_MAX 4096U
#define IOTLB_BENCH_PER_GATE_MAX 64U

/**
 * struct iotlb_bench_attach - ioctl(IOTLB_BENCH_ATTACH)
 * @size: sizeof(struct iotlb_bench_attach), exactly
 * @fd: iommukit: descriptor of /dev/iommukit
 * @iotlb_id: iommukit: the IOTLB; its address space 0 is used
 * @limit: vhost: most entries, 1 to IOTLB_BENCH_ENTRIES_MAX
 * @retire: vhost: above the limit the oldest one goes; else an UPDATE fails with ENOSPC
 * @__reserved: Must be 0
 *
 * What the runs of this descriptor look up in, until it is closed. EBUSY the second
 * time.
 */
struct iotlb_bench_attach {
	__u32 size;
	__s32 fd;
	__u32 iotlb_id;
	__u32 limit;
	__u32 retire;
	__u32 __reserved;
};

#define IOTLB_BENCH_ATTACH _IO(';', 0xf1)

/**
 * enum iotlb_bench_op - What one iteration does
 * @IOTLB_BENCH_OP_IDLE: A key is chosen, that is all
 * @IOTLB_BENCH_OP_LOOKUP: A key is chosen and looked up
 * @IOTLB_BENCH_OP_WATCH: The same with a clock around each
 * @IOTLB_BENCH_OP_MISS: The next key, in order, is translated, and waited for
 *	(EOPNOTSUPP for vhost)
 */
enum iotlb_bench_op {
	IOTLB_BENCH_OP_IDLE = 0,
	IOTLB_BENCH_OP_LOOKUP = 1,
	IOTLB_BENCH_OP_WATCH = 2,
	IOTLB_BENCH_OP_MISS = 3,
};

/**
 * struct iotlb_bench_run - ioctl(IOTLB_BENCH_RUN)
 * @size: sizeof(struct iotlb_bench_run), exactly
 * @op: One of enum iotlb_bench_op
 * @iova: Key 0
 * @stride: From one key to the next
 * @seed: Of the choice of keys; each thread has a sequence of its own
 * @keys: How many there are, 1 to IOTLB_BENCH_ENTRIES_MAX
 * @hot: If not 0, only as many of them are used, up to IOTLB_BENCH_HOT_MAX: chosen at
 *	random, but always the same
 * @length: Bytes of a lookup, at least 1
 * @per_gate: Lookups between entering and leaving the gate, 1 to
 *	IOTLB_BENCH_PER_GATE_MAX; WATCH and MISS always do one. A table of vhost has a
 *	lock instead, taken for each lookup
 * @iterations: Of each thread, at least 1
 * @threads: Kernel threads, each with a reader and a processor of its own (EINVAL if
 *	there are fewer)
 * @out_ns: From the start of the first thread to the end of the last
 * @out_lookups: Of all threads; fewer than asked for after IOTLB_BENCH_STOP
 * @out_missed: of which found nothing
 * @out_sum: Sum of the targets: the same for the same table and seed
 * @out_worst_ns: WATCH: the longest
 */
struct iotlb_bench_run {
	__u32 size;
	__u32 op;
	__aligned_u64 iova;
	__aligned_u64 stride;
	__aligned_u64 seed;
	__u32 keys;
	__u32 hot;
	__u32 length;
	__u32 per_gate;
	__u32 iterations;
	__u32 threads;
	__aligned_u64 out_ns;
	__aligned_u64 out_lookups;
	__aligned_u64 out_missed;
	__aligned_u64 out_sum;
	__aligned_u64 out_worst_ns;
};

#define IOTLB_BENCH_RUN _IO(';', 0xf2)

/* The run of this descriptor ends, or the next one does at once. Takes no argument. */
#define IOTLB_BENCH_STOP _IO(';', 0xf3)

#endif /* _IOTLB_BENCH_ABI_H */

/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * ABI of iommukit_bench.ko, /dev/iommukit-bench, and of iommufd_bench.ko,
 * /dev/iommufd-bench: timed loops inside the kernel, for calls so short that a
 * system call would hide them. Nothing here is stable.
 */
#ifndef _IOMMUKIT_BENCH_ABI_H
#define _IOMMUKIT_BENCH_ABI_H

#include <linux/ioctl.h>
#include <linux/types.h>
#ifdef __KERNEL__
#include <uapi/linux/iommukit.h>
#else
#include <linux/iommukit.h>
#endif

/**
 * enum iommukit_bench_op - What one iteration does
 * @IOMMUKIT_BENCH_OP_MEMCPY: memcpy() between two kernel buffers, in pieces of
 *	at most 1 MiB
 * @IOMMUKIT_BENCH_OP_RW: iommufd_access_rw()
 * @IOMMUKIT_BENCH_OP_PIN: iommufd_access_pin_pages() and its unpin
 * @IOMMUKIT_BENCH_OP_GUP: pin_user_pages_fast() and its unpin; @iova is an
 *	address of the caller
 * @IOMMUKIT_BENCH_OP_MAP: the commands IOAS_MAP and IOAS_UNMAP, without the way
 *	from user space and back
 * @IOMMUKIT_BENCH_OP_BITMAP: an IOVA bitmap of @length bytes of IOVA from 0 on, at
 *	the address @iova: made, filled and freed. Each page that is a multiple of
 *	@stride is recorded; without @stride, all at once
 * @IOMMUKIT_BENCH_OP_RW_FOREIGN: RW, by threads that do not borrow the memory of its
 *	owner, as those of a driver that has none
 */
enum iommukit_bench_op {
	IOMMUKIT_BENCH_OP_MEMCPY = 0,
	IOMMUKIT_BENCH_OP_RW = 1,
	IOMMUKIT_BENCH_OP_PIN = 2,
	IOMMUKIT_BENCH_OP_GUP = 3,
	IOMMUKIT_BENCH_OP_MAP = 4,
	IOMMUKIT_BENCH_OP_BITMAP = 5,
	IOMMUKIT_BENCH_OP_RW_FOREIGN = 6,
};

#define IOMMUKIT_BENCH_THREADS_MAX 8U
#define IOMMUKIT_BENCH_LENGTH_MAX 0x40000000ULL

/**
 * struct iommukit_bench_map - Both commands of an iteration of MAP
 * @map: Maps; the IOVA is chosen
 * @unmap: Unmaps what was mapped; its iova is filled in
 */
struct iommukit_bench_map {
	struct iommukit_ioas_map map;
	struct iommukit_ioas_unmap unmap;
};

/**
 * struct iommukit_bench_run - ioctl(IOMMUKIT_BENCH_RUN)
 * @size: sizeof(struct iommukit_bench_run), exactly
 * @op: One of enum iommukit_bench_op
 * @fd: Descriptor of /dev/iommukit or /dev/iommu, for RW, RW_FOREIGN,
 *	PIN and MAP
 * @ioas_id: IOAS to work in, for RW, RW_FOREIGN and PIN
 * @iova: First byte; for MAP the address of a struct iommukit_bench_map
 * @length: Bytes of one iteration, 1 to IOMMUKIT_BENCH_LENGTH_MAX, or more for
 *	BITMAP
 * @stride: Thread n works at @iova + n * @stride
 * @iterations: Of each thread, at least 1
 * @threads: 0: the caller does it. Else as many kernel threads, each on a
 *	processor of its own (EINVAL if there are fewer), all on one access
 * @write: RW, RW_FOREIGN: write user memory; PIN and GUP: pin for writing
 * @__reserved: Must be 0
 * @out_ns: From the start of the first thread to the end of the last
 */
struct iommukit_bench_run {
	__u32 size;
	__u32 op;
	__s32 fd;
	__u32 ioas_id;
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 stride;
	__u32 iterations;
	__u32 threads;
	__u32 write;
	__u32 __reserved;
	__aligned_u64 out_ns;
};

#define IOMMUKIT_BENCH_RUN _IO(';', 0xf0)

#endif /* _IOMMUKIT_BENCH_ABI_H */

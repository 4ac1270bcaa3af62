/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside of iommukit_bench.ko and iommufd_bench.ko: bench_main.c has the device,
 * bench_loop.c what is repeated. Both are written against upstream's interface, so
 * that iommukit and upstream are measured by the same code.
 */
#ifndef IOMMUKIT_BENCH_H
#define IOMMUKIT_BENCH_H

#include <linux/iommufd.h>
#include <linux/types.h>

#include "bench_threads.h"
#include "iommukit_bench_abi.h"

struct file;
struct page;

/**
 * struct bench_loop - What one thread does
 * @thread: The thread; without one, the times are there all the same
 * @run: The request
 * @access: Shared by all threads; NULL for the ops without one
 * @file: For MAP
 * @iova: Where this thread works
 * @rw_flags: For the kAPI
 * @memory: kvmalloc() memory for RW and MEMCPY
 * @buf: The part of it that is used
 * @pages: Array for PIN and GUP
 */
struct bench_loop {
	struct bench_thread thread;
	const struct iommukit_bench_run *run;
	struct iommufd_access *access;
	struct file *file;
	unsigned long iova;
	unsigned int rw_flags;
	void *memory;
	void *buf;
	struct page **pages;
};

int bench_loop_check(const struct iommukit_bench_run *run);
bool bench_loop_needs_access(const struct iommukit_bench_run *run);
bool bench_loop_needs_file(const struct iommukit_bench_run *run);
int bench_loop_alloc(struct bench_loop *loop);
void bench_loop_free(struct bench_loop *loop);
int bench_loop_run(struct bench_loop *loop);

extern const struct iommufd_access_ops bench_access_ops;

#endif /* IOMMUKIT_BENCH_H */

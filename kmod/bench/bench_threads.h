/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel threads that do the same thing at the same time, each on a processor of its
 * own. Every bench module has its copy.
 */
#ifndef IOMMUKIT_BENCH_THREADS_H
#define IOMMUKIT_BENCH_THREADS_H

#include <linux/completion.h>
#include <linux/ktime.h>
#include <linux/types.h>

struct bench_start;
struct task_struct;

/**
 * struct bench_thread - One of them, inside of what its loop works on
 * @loop: what it does; gives 0 or a negative errno
 * @begin: set by @loop: when it began
 * @end: set by @loop: when it ended
 * @stop: give up, with -EINTR; READ_ONCE()
 * @task: the thread; NULL if it was not created
 * @start: shared by all
 * @done: @loop has ended
 * @ret: how
 */
struct bench_thread {
	int (*loop)(struct bench_thread *thread);
	ktime_t begin;
	ktime_t end;
	bool stop;

	struct task_struct *task;
	struct bench_start *start;
	struct completion done;
	int ret;
};

int bench_threads_run(struct bench_thread **threads, unsigned int n, u64 *out_ns);

#endif /* IOMMUKIT_BENCH_THREADS_H */

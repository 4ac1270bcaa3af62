// SPDX-License-Identifier: GPL-2.0-only
/* Threads of a run. None outlives it, even if whoever waits for them is killed. */
#include "bench_threads.h"

#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/minmax.h>
#include <linux/processor.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

/**
 * struct bench_start - Lets threads begin together
 * @go: all of them were created
 * @missing: so many do not run yet
 */
struct bench_start {
	struct completion go;
	atomic_t missing;
};

/*
 * Waking an idle processor may take as long as a tick, on User Mode Linux: those that
 * run wait for those that do not, or they would have the machine to themselves.
 */
static int bench_thread_begin(struct bench_thread *thread)
{
	struct bench_start *start = thread->start;

	wait_for_completion(&start->go);
	atomic_dec(&start->missing);
	while (!READ_ONCE(thread->stop)) {
		if (!atomic_read(&start->missing))
			return 0;
		cpu_relax();
		cond_resched();
	}
	return -EINTR;
}

static int bench_thread_main(void *data)
{
	struct bench_thread *thread = data;

	/* A loop may wait for user space: it has to be possible to give up. */
	allow_kernel_signal(SIGKILL);
	thread->ret = bench_thread_begin(thread);
	if (!thread->ret)
		thread->ret = thread->loop(thread);
	complete(&thread->done);
	return 0;
}

static int bench_thread_create(struct bench_thread *thread, unsigned int nr,
			       struct bench_start *start)
{
	struct task_struct *task;

	thread->start = start;
	init_completion(&thread->done);
	task = kthread_create(bench_thread_main, thread, "bench/%u", nr);
	if (IS_ERR(task))
		return PTR_ERR(task);
	kthread_bind(task, cpumask_nth(nr, cpu_online_mask));
	thread->task = task;
	get_task_struct(task);
	wake_up_process(task);
	return 0;
}

static void bench_threads_kill(struct bench_thread **threads, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (!threads[i]->task)
			continue;
		WRITE_ONCE(threads[i]->stop, true);
		send_sig(SIGKILL, threads[i]->task, 1);
	}
}

/* Wait for all; the result is that of the first one that failed. */
static int bench_threads_wait(struct bench_thread **threads, unsigned int n,
			      u64 *out_ns)
{
	ktime_t begin = KTIME_MAX;
	ktime_t end = 0;
	unsigned int i;

	for (i = 0; i < n; i++)
		if (wait_for_completion_killable(&threads[i]->done))
			return -EINTR;
	for (i = 0; i < n; i++) {
		if (threads[i]->ret)
			return threads[i]->ret;
		begin = min(begin, threads[i]->begin);
		end = max(end, threads[i]->end);
	}
	*out_ns = ktime_to_ns(ktime_sub(end, begin));
	return 0;
}

/**
 * bench_threads_run() - run loops, and wait for their end
 * @threads: with nothing set but the loop
 * @n: how many, up to the number of processors
 * @out_ns: from the first begin to the last end
 *
 * Return: 0 or a negative errno: -EINTR if the caller was killed, or that of a loop.
 */
int bench_threads_run(struct bench_thread **threads, unsigned int n, u64 *out_ns)
{
	struct bench_start start;
	unsigned int i;
	int ret = 0;

	init_completion(&start.go);
	atomic_set(&start.missing, n);
	for (i = 0; i < n && !ret; i++)
		ret = bench_thread_create(threads[i], i, &start);
	/* A thread that waits for the start cannot be ended otherwise. */
	if (ret)
		bench_threads_kill(threads, n);
	complete_all(&start.go);
	if (!ret)
		ret = bench_threads_wait(threads, n, out_ns);
	if (ret)
		bench_threads_kill(threads, n);
	for (i = 0; i < n; i++) {
		if (!threads[i]->task)
			continue;
		kthread_stop(threads[i]->task);
		put_task_struct(threads[i]->task);
	}
	return ret;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/iommukit-bench and /dev/iommufd-bench. A run has its own access, made
 * before and destroyed after the clock runs, so that nothing of it outlives the
 * command.
 */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "bench.h"

/**
 * struct bench_thread - A kernel thread of a run
 * @loop: What it repeats
 * @task: NULL if it was not created
 * @start: Shared by all: lets them begin together
 * @done: It has ended
 * @ret: How
 */
struct bench_thread {
	struct bench_loop loop;
	struct task_struct *task;
	struct completion *start;
	struct completion done;
	int ret;
};

static int bench_thread_main(void *data)
{
	struct bench_thread *thread = data;

	/* rw may wait for user space: it has to be possible to give up. */
	allow_kernel_signal(SIGKILL);
	wait_for_completion(thread->start);
	thread->ret = READ_ONCE(thread->loop.stop) ? -EINTR :
		      bench_loop_run(&thread->loop);
	complete(&thread->done);
	return 0;
}

static int bench_thread_create(struct bench_thread *thread,
			       const struct bench_loop *loop, unsigned int nr,
			       struct completion *start)
{
	struct task_struct *task;
	int ret;

	thread->loop = *loop;
	thread->loop.iova += nr * loop->run->stride;
	thread->start = start;
	init_completion(&thread->done);
	ret = bench_loop_alloc(&thread->loop);
	if (ret)
		return ret;
	task = kthread_create(bench_thread_main, thread, "bench/%u", nr);
	if (IS_ERR(task))
		return PTR_ERR(task);
	kthread_bind(task, cpumask_nth(nr, cpu_online_mask));
	thread->task = task;
	get_task_struct(task);
	wake_up_process(task);
	return 0;
}

static void bench_threads_kill(struct bench_thread *threads, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (!threads[i].task)
			continue;
		WRITE_ONCE(threads[i].loop.stop, true);
		send_sig(SIGKILL, threads[i].task, 1);
	}
}

/* Wait for all; the result is that of the first one that failed. */
static int bench_threads_wait(struct bench_thread *threads, unsigned int n,
			      u64 *out_ns)
{
	ktime_t begin = KTIME_MAX;
	ktime_t end = 0;
	unsigned int i;

	for (i = 0; i < n; i++)
		if (wait_for_completion_killable(&threads[i].done))
			return -EINTR;
	for (i = 0; i < n; i++) {
		if (threads[i].ret)
			return threads[i].ret;
		begin = min(begin, threads[i].loop.begin);
		end = max(end, threads[i].loop.end);
	}
	*out_ns = ktime_to_ns(ktime_sub(end, begin));
	return 0;
}

static int bench_run_threads(const struct bench_loop *loop, u64 *out_ns)
{
	unsigned int n = loop->run->threads;
	struct bench_thread *threads;
	struct completion start;
	unsigned int i;
	int ret = 0;

	threads = kcalloc(n, sizeof(*threads), GFP_KERNEL);
	if (!threads)
		return -ENOMEM;
	init_completion(&start);
	for (i = 0; i < n && !ret; i++)
		ret = bench_thread_create(&threads[i], loop, i, &start);
	/* A thread that waits for the start cannot be ended otherwise. */
	if (ret)
		bench_threads_kill(threads, n);
	complete_all(&start);
	if (!ret)
		ret = bench_threads_wait(threads, n, out_ns);
	if (ret)
		bench_threads_kill(threads, n);
	for (i = 0; i < n; i++) {
		if (threads[i].task) {
			kthread_stop(threads[i].task);
			put_task_struct(threads[i].task);
		}
		bench_loop_free(&threads[i].loop);
	}
	kfree(threads);
	return ret;
}

static int bench_run_caller(struct bench_loop *loop, u64 *out_ns)
{
	int ret = bench_loop_alloc(loop);

	if (!ret)
		ret = bench_loop_run(loop);
	if (!ret)
		*out_ns = ktime_to_ns(ktime_sub(loop->end, loop->begin));
	bench_loop_free(loop);
	return ret;
}

static struct iommufd_access *
bench_access_create(const struct iommukit_bench_run *run)
{
	struct iommufd_access *access;
	struct iommufd_ctx *ictx;
	u32 id;
	int ret;

	ictx = iommufd_ctx_from_fd(run->fd);
	if (IS_ERR(ictx))
		return ERR_CAST(ictx);
	access = iommufd_access_create(ictx, &bench_access_ops, NULL, &id);
	iommufd_ctx_put(ictx);
	if (IS_ERR(access))
		return access;
	ret = iommufd_access_attach(access, run->ioas_id);
	if (ret) {
		iommufd_access_destroy(access);
		return ERR_PTR(ret);
	}
	return access;
}

/* The file of @run, if it is one of those that the commands are for. */
static struct file *bench_file_get(const struct iommukit_bench_run *run)
{
	struct file *file = fget(run->fd);
	struct iommufd_ctx *ictx;

	if (!file)
		return ERR_PTR(-EBADF);
	ictx = iommufd_ctx_from_file(file);
	if (IS_ERR(ictx)) {
		fput(file);
		return ERR_CAST(ictx);
	}
	iommufd_ctx_put(ictx);
	return file;
}

static int bench_run(struct iommukit_bench_run *run)
{
	struct bench_loop loop = { .run = run, .iova = run->iova };
	int ret;

	ret = bench_loop_check(run);
	if (ret)
		return ret;
	if (run->write)
		loop.rw_flags |= IOMMUFD_ACCESS_RW_WRITE;
	if (run->threads && run->op == IOMMUKIT_BENCH_OP_RW)
		loop.rw_flags |= IOMMUFD_ACCESS_RW_KTHREAD;
	if (bench_loop_needs_access(run)) {
		loop.access = bench_access_create(run);
		if (IS_ERR(loop.access))
			return PTR_ERR(loop.access);
	}
	if (bench_loop_needs_file(run)) {
		loop.file = bench_file_get(run);
		if (IS_ERR(loop.file))
			return PTR_ERR(loop.file);
	}
	if (run->threads)
		ret = bench_run_threads(&loop, &run->out_ns);
	else
		ret = bench_run_caller(&loop, &run->out_ns);
	if (loop.access)
		iommufd_access_destroy(loop.access);
	if (loop.file)
		fput(loop.file);
	return ret;
}

static long bench_ioctl(struct file *file, unsigned int cmd, unsigned long uptr)
{
	void __user *uarg = (void __user *)uptr;
	struct iommukit_bench_run run;
	int ret;

	if (cmd != IOMMUKIT_BENCH_RUN)
		return -ENOTTY;
	if (copy_from_user(&run, uarg, sizeof(run)))
		return -EFAULT;
	if (run.size != sizeof(run))
		return -EINVAL;
	ret = bench_run(&run);
	if (ret)
		return ret;
	return copy_to_user(uarg, &run, sizeof(run)) ? -EFAULT : 0;
}

static const struct file_operations bench_fops = {
	.owner = THIS_MODULE,
	.open = nonseekable_open,
	.unlocked_ioctl = bench_ioctl,
};

static struct miscdevice bench_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = BENCH_DEVICE,
	.fops = &bench_fops,
	.mode = 0600,
};
module_misc_device(bench_device);

MODULE_DESCRIPTION("iommukit: timed loops inside the kernel");
MODULE_LICENSE("GPL");
MODULE_VERSION(IOMMUKIT_VERSION);
/* MODULE_IMPORT_NS(), the same on every kernel; iommukit's comes by the header. */
MODULE_INFO(import_ns, "IOMMUFD");

// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/iommukit-bench and /dev/iommufd-bench. A run has its own access, made
 * before and destroyed after the clock runs, so that nothing of it outlives the
 * command.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "bench.h"

static int bench_thread_loop(struct bench_thread *thread)
{
	return bench_loop_run(container_of(thread, struct bench_loop, thread));
}

static int bench_run_threads(const struct bench_loop *loop, u64 *out_ns)
{
	struct bench_thread *threads[IOMMUKIT_BENCH_THREADS_MAX];
	unsigned int n = loop->run->threads;
	struct bench_loop *loops;
	unsigned int i;
	int ret = 0;

	loops = kcalloc(n, sizeof(*loops), GFP_KERNEL);
	if (!loops)
		return -ENOMEM;
	for (i = 0; i < n && !ret; i++) {
		loops[i] = *loop;
		loops[i].iova += i * loop->run->stride;
		loops[i].thread.loop = bench_thread_loop;
		threads[i] = &loops[i].thread;
		ret = bench_loop_alloc(&loops[i]);
	}
	if (!ret)
		ret = bench_threads_run(threads, n, out_ns);
	for (i = 0; i < n; i++)
		bench_loop_free(&loops[i]);
	kfree(loops);
	return ret;
}

static int bench_run_caller(struct bench_loop *loop, u64 *out_ns)
{
	int ret = bench_loop_alloc(loop);

	if (!ret)
		ret = bench_loop_run(loop);
	if (!ret)
		*out_ns = ktime_to_ns(ktime_sub(loop->thread.end,
						loop->thread.begin));
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

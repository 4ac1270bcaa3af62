// SPDX-License-Identifier: GPL-2.0-only
/* What is timed. Allocations are made before, and there is one clock call. */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/iova_bitmap.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "bench.h"

/*
 * A translation cache that is indexed by the low bits of the page number, such
 * as that of QEMU without hardware acceleration, holds only one of two pages
 * that agree in them: a copy between these is ten times slower. So buffers lie
 * half of this away from its multiples, where callers have their memory.
 */
#define BENCH_COLOUR SZ_256K

/* How many iterations go between two looks at signals and the scheduler. */
#define BENCH_BATCH 64

/*
 * Held over pin and unpin: an unmap callback that gets it finds nothing pinned.
 * One for all runs is enough, for threads pin one after the other anyway.
 */
static DEFINE_MUTEX(bench_pin_lock);

static void bench_access_unmap(void *data, unsigned long iova,
			       unsigned long length)
{
	mutex_lock(&bench_pin_lock);
	mutex_unlock(&bench_pin_lock);
}

const struct iommufd_access_ops bench_access_ops = {
	.needs_pin_pages = 1,
	.unmap = bench_access_unmap,
};

static int bench_memcpy(struct bench_loop *loop)
{
	size_t piece = min_t(u64, loop->run->length, SZ_1M);
	size_t left = loop->run->length;
	const void *src = loop->buf + ALIGN(piece, BENCH_COLOUR) +
			  BENCH_COLOUR / 2;

	while (left) {
		size_t len = min(left, piece);

		memcpy(loop->buf, src, len);
		/* Every copy counts, though nobody reads it. */
		barrier();
		left -= len;
	}
	return 0;
}

static int bench_rw(struct bench_loop *loop)
{
	return iommufd_access_rw(loop->access, loop->iova, loop->buf,
				 loop->run->length, loop->rw_flags);
}

static int bench_pin(struct bench_loop *loop)
{
	int ret;

	mutex_lock(&bench_pin_lock);
	ret = iommufd_access_pin_pages(loop->access, loop->iova,
				       loop->run->length, loop->pages,
				       loop->rw_flags);
	if (!ret)
		iommufd_access_unpin_pages(loop->access, loop->iova,
					   loop->run->length);
	mutex_unlock(&bench_pin_lock);
	return ret;
}

static int bench_gup(struct bench_loop *loop)
{
	unsigned int flags = FOLL_LONGTERM | (loop->run->write ? FOLL_WRITE : 0);
	int npages = DIV_ROUND_UP(loop->run->length, PAGE_SIZE);
	int pinned;

	pinned = pin_user_pages_fast(loop->iova, npages, flags, loop->pages);
	if (pinned <= 0)
		return pinned ?: -EFAULT;
	unpin_user_pages_dirty_lock(loop->pages, pinned, loop->run->write);
	return pinned == npages ? 0 : -EFAULT;
}

static int bench_map(struct bench_loop *loop)
{
	struct iommukit_bench_map __user *cmds = (void __user *)loop->iova;
	struct file *file = loop->file;
	u64 iova;
	long ret;

	ret = file->f_op->unlocked_ioctl(file, IOMMUKIT_IOAS_MAP,
					 (unsigned long)&cmds->map);
	if (ret)
		return ret;
	if (get_user(iova, &cmds->map.iova) ||
	    put_user(iova, &cmds->unmap.iova))
		return -EFAULT;
	return file->f_op->unlocked_ioctl(file, IOMMUKIT_IOAS_UNMAP,
					  (unsigned long)&cmds->unmap);
}

static int bench_record(struct iova_bitmap *bitmap, unsigned long iova,
			size_t length, void *opaque)
{
	const struct bench_loop *loop = opaque;
	unsigned long stride = loop->run->stride;
	unsigned long at;

	if (!stride)
		iova_bitmap_set(bitmap, iova, length);
	else
		for (at = round_up(iova, stride); at < iova + length; at += stride)
			iova_bitmap_set(bitmap, at, PAGE_SIZE);
	return 0;
}

static int bench_bitmap(struct bench_loop *loop)
{
	struct iova_bitmap *bitmap;
	int ret;

	bitmap = iova_bitmap_alloc(0, loop->run->length, PAGE_SIZE,
				   (u64 __user *)loop->iova);
	if (IS_ERR(bitmap))
		return PTR_ERR(bitmap);
	ret = iova_bitmap_for_each(bitmap, loop, bench_record);
	iova_bitmap_free(bitmap);
	return ret;
}

static const struct {
	int (*once)(struct bench_loop *loop);
	bool access;
	bool file;
	bool pages;
	bool buffer;
	/* a kernel thread has no user memory to pin, and nowhere a command */
	bool caller_only;
	bool long_range;
} bench_ops[] = {
	[IOMMUKIT_BENCH_OP_MEMCPY] = { .once = bench_memcpy, .buffer = true },
	[IOMMUKIT_BENCH_OP_RW] = { .once = bench_rw, .access = true,
				   .buffer = true },
	[IOMMUKIT_BENCH_OP_PIN] = { .once = bench_pin, .access = true,
				    .pages = true },
	[IOMMUKIT_BENCH_OP_GUP] = { .once = bench_gup, .pages = true,
				    .caller_only = true },
	[IOMMUKIT_BENCH_OP_MAP] = { .once = bench_map, .file = true,
				    .caller_only = true },
	[IOMMUKIT_BENCH_OP_BITMAP] = { .once = bench_bitmap,
				       .caller_only = true,
				       .long_range = true },
	[IOMMUKIT_BENCH_OP_RW_FOREIGN] = { .once = bench_rw, .access = true,
					   .buffer = true },
};

int bench_loop_check(const struct iommukit_bench_run *run)
{
	if (run->op >= ARRAY_SIZE(bench_ops) || run->__reserved)
		return -EOPNOTSUPP;
	if (!run->length || (run->length > IOMMUKIT_BENCH_LENGTH_MAX &&
			     !bench_ops[run->op].long_range) ||
	    !run->iterations || run->threads > IOMMUKIT_BENCH_THREADS_MAX ||
	    run->threads > num_online_cpus() ||
	    (run->threads && bench_ops[run->op].caller_only))
		return -EINVAL;
	return 0;
}

bool bench_loop_needs_access(const struct iommukit_bench_run *run)
{
	return bench_ops[run->op].access;
}

bool bench_loop_needs_file(const struct iommukit_bench_run *run)
{
	return bench_ops[run->op].file;
}

int bench_loop_alloc(struct bench_loop *loop)
{
	const struct iommukit_bench_run *run = loop->run;
	u64 size = run->length;

	if (bench_ops[run->op].pages) {
		/* One more for a range that begins inside a page. */
		loop->pages = kvcalloc(size / PAGE_SIZE + 2,
				       sizeof(*loop->pages), GFP_KERNEL_ACCOUNT);
		return loop->pages ? 0 : -ENOMEM;
	}
	if (!bench_ops[run->op].buffer)
		return 0;
	if (run->op == IOMMUKIT_BENCH_OP_MEMCPY)
		size = 2 * ALIGN(min_t(u64, size, SZ_1M), BENCH_COLOUR) +
		       BENCH_COLOUR / 2;
	loop->memory = kvzalloc(size + 2 * BENCH_COLOUR, GFP_KERNEL_ACCOUNT);
	if (!loop->memory)
		return -ENOMEM;
	loop->buf = PTR_ALIGN(loop->memory, BENCH_COLOUR) + BENCH_COLOUR / 2;
	return 0;
}

void bench_loop_free(struct bench_loop *loop)
{
	kvfree(loop->memory);
	kvfree(loop->pages);
}

int bench_loop_run(struct bench_loop *loop)
{
	int (*once)(struct bench_loop *loop) = bench_ops[loop->run->op].once;
	u32 i;
	int ret;

	loop->thread.begin = ktime_get();
	for (i = 0; i < loop->run->iterations; i++) {
		ret = once(loop);
		if (ret)
			return ret;
		if (i % BENCH_BATCH)
			continue;
		if (fatal_signal_pending(current) || READ_ONCE(loop->thread.stop))
			return -EINTR;
		cond_resched();
	}
	loop->thread.end = ktime_get();
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/* IOVA bitmaps whose users are scripts; see iommukit_test_abi.h. */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "iova_bitmap.h"
#include "test.h"

#define GUARD IOMMUKIT_TEST_BITMAP_GUARD

/**
 * struct script - One bitmap and its script
 * @cmd: What is asked, and the answer
 * @args: For the kAPI
 * @bitmap: The bitmap
 * @steps: The script
 * @memory: Kernel memory with what is around it, or NULL
 */
struct script {
	struct iommukit_test_bitmap cmd;
	struct iommukit_iova_bitmap_args args;
	struct iommukit_iova_bitmap *bitmap;
	struct iommukit_test_bitmap_step *steps;
	void *memory;
};

/**
 * struct script_thread - Something done in a thread without an mm
 * @script: For this script
 * @step: This step; NULL: make the bitmap
 * @task: The thread
 * @done: It is done
 * @ret: The result
 */
struct script_thread {
	struct script *script;
	const struct iommukit_test_bitmap_step *step;
	struct task_struct *task;
	struct completion done;
	int ret;
};

static DEFINE_SPINLOCK(script_lock);

/* Record every @nth of the ranges of a step, beginning with number @i. */
static int script_records(struct script *script,
			  const struct iommukit_test_bitmap_step *step, u32 i,
			  u32 nth)
{
	int ret = 0;

	for (; i < max(step->count, 1U) && !ret; i += nth)
		ret = iommukit_iova_bitmap_set(script->bitmap,
					       step->iova + i * step->stride,
					       step->length);
	return ret;
}

static int script_set_atomic(struct script *script,
			     const struct iommukit_test_bitmap_step *step)
{
	int ret;

	spin_lock(&script_lock);
	ret = script_records(script, step, 0, 1);
	spin_unlock(&script_lock);
	return ret;
}

static int script_thread_main(void *data)
{
	struct script_thread *thread = data;
	struct script *script = thread->script;
	const struct iommukit_test_bitmap_step *step = thread->step;
	bool parallel;

	if (!step) {
		script->bitmap = iommukit_iova_bitmap_alloc(&script->args);
	} else {
		parallel = step->what == IOMMUKIT_TEST_BITMAP_SET_PARALLEL;
		thread->ret = script_records(script, step, parallel ? 1 : 0,
					     parallel ? 2 : 1);
	}
	complete(&thread->done);
	return 0;
}

static int script_thread_start(struct script_thread *thread)
{
	init_completion(&thread->done);
	thread->task = kthread_create(script_thread_main, thread,
				      "iommukit-test");
	if (IS_ERR(thread->task))
		return PTR_ERR(thread->task);
	get_task_struct(thread->task);
	wake_up_process(thread->task);
	return 0;
}

static int script_thread_end(struct script_thread *thread)
{
	wait_for_completion(&thread->done);
	kthread_stop(thread->task);
	put_task_struct(thread->task);
	return thread->ret;
}

static int script_set_kthread(struct script *script,
			      const struct iommukit_test_bitmap_step *step)
{
	struct script_thread thread = { .script = script, .step = step };
	int other, ret;

	ret = script_thread_start(&thread);
	if (ret)
		return ret;
	if (step->what == IOMMUKIT_TEST_BITMAP_SET_PARALLEL)
		ret = script_records(script, step, 0, 2);
	other = script_thread_end(&thread);
	return ret ?: other;
}

static int script_or_bits(struct script *script,
			  const struct iommukit_test_bitmap_step *step)
{
	unsigned long *src;
	int ret;

	if (step->length / BITS_PER_BYTE > IOMMUKIT_TEST_BITMAP_BYTES_MAX ||
	    step->stride >= BITS_PER_LONG)
		return -EINVAL;
	src = vmemdup_user(u64_to_user_ptr(step->uptr),
			   BITS_TO_LONGS(step->length) * sizeof(*src));
	if (IS_ERR(src))
		return PTR_ERR(src);
	ret = iommukit_iova_bitmap_or_bits(script->bitmap, step->iova, src,
					   step->length, step->stride);
	kvfree(src);
	return ret;
}

static int script_meet(const struct iommukit_test_bitmap_step *step)
{
	u32 __user *state = u64_to_user_ptr(step->uptr);
	u32 seen;

	if (put_user(1, state))
		return -EFAULT;
	for (;;) {
		if (get_user(seen, state))
			return -EFAULT;
		if (seen == 2)
			return 0;
		if (fatal_signal_pending(current))
			return -EINTR;
		usleep_range(50, 500);
	}
}

static int script_call(struct iommukit_iova_bitmap *bitmap, unsigned long iova,
		       size_t length, void *opaque);

static int script_step(struct script *script,
		       const struct iommukit_test_bitmap_step *step)
{
	switch (step->what) {
	case IOMMUKIT_TEST_BITMAP_SET:
		return script_records(script, step, 0, 1);
	case IOMMUKIT_TEST_BITMAP_SET_ATOMIC:
		return script_set_atomic(script, step);
	case IOMMUKIT_TEST_BITMAP_SET_KTHREAD:
	case IOMMUKIT_TEST_BITMAP_SET_PARALLEL:
		return script_set_kthread(script, step);
	case IOMMUKIT_TEST_BITMAP_OR_BITS:
		return script_or_bits(script, step);
	case IOMMUKIT_TEST_BITMAP_MEET:
		return script_meet(step);
	case IOMMUKIT_TEST_BITMAP_ITERATE:
		return iommukit_iova_bitmap_for_each(script->bitmap,
						     script, script_call);
	case IOMMUKIT_TEST_BITMAP_RETURN:
		return step->length;
	}
	return -EOPNOTSUPP;
}

/* Returns what a step RETURN asked for, or 0. */
static int script_steps(struct script *script, u32 when)
{
	u32 i;

	for (i = 0; i < script->cmd.nsteps; i++) {
		struct iommukit_test_bitmap_step *step = &script->steps[i];

		if (step->when != when)
			continue;
		step->out_result = script_step(script, step);
		if (step->what == IOMMUKIT_TEST_BITMAP_RETURN)
			return step->out_result;
	}
	return 0;
}

static void script_note(struct script *script, unsigned long iova,
			size_t length, bool undelivered)
{
	struct iommukit_test_bitmap_call call = {
		.iova = iova,
		.length = length,
		.undelivered = undelivered,
	};
	struct iommukit_test_bitmap_call __user *calls =
		u64_to_user_ptr(script->cmd.calls);
	u32 nr = script->cmd.out_ncalls++;

	if (nr < script->cmd.ncalls && copy_to_user(&calls[nr], &call, sizeof(call)))
		pr_debug("the caller's memory for calls is gone\n");
}

static int script_call(struct iommukit_iova_bitmap *bitmap, unsigned long iova,
		       size_t length, void *opaque)
{
	struct script *script = opaque;

	script_note(script, iova, length, false);
	return script_steps(script, script->cmd.out_ncalls);
}

static void script_undelivered(struct iommukit_iova_bitmap *bitmap,
			       unsigned long iova, size_t length, void *opaque)
{
	script_note(opaque, iova, length, true);
}

static int script_alloc(struct script *script)
{
	struct script_thread thread = { .script = script };
	int ret;

	if (script->cmd.how & IOMMUKIT_TEST_BITMAP_KTHREAD) {
		ret = script_thread_start(&thread);
		if (ret)
			return ret;
		script_thread_end(&thread);
	} else {
		script->bitmap = iommukit_iova_bitmap_alloc(&script->args);
	}
	return PTR_ERR_OR_ZERO(script->bitmap);
}

static int script_run(struct script *script)
{
	struct iommukit_test_bitmap *cmd = &script->cmd;
	const struct iova_bitmap_stats *stats;
	int ret;

	ret = script_alloc(script);
	if (ret)
		return ret;
	script_steps(script, IOMMUKIT_TEST_BITMAP_BEFORE);
	if (!(cmd->how & IOMMUKIT_TEST_BITMAP_NO_EACH))
		cmd->out_result = iommukit_iova_bitmap_for_each(script->bitmap,
								script,
								script_call);
	script_steps(script, IOMMUKIT_TEST_BITMAP_AFTER);
	cmd->out_error = iommukit_iova_bitmap_error(script->bitmap);
	stats = iova_bitmap_stats(script->bitmap);
	cmd->out_windows = stats->windows;
	cmd->out_pages = stats->pages;
	cmd->out_clipped = atomic_long_read(&stats->clipped);
	iommukit_iova_bitmap_free(script->bitmap);
	return 0;
}

/* Kernel memory that is as much or as little aligned as the caller's. */
static int script_run_kbuf(struct script *script)
{
	void __user *user = u64_to_user_ptr(script->cmd.data - GUARD);
	size_t size = script->cmd.kbuf_bytes + 2 * GUARD;
	void *copy;
	int ret;

	if (script->cmd.kbuf_bytes > IOMMUKIT_TEST_BITMAP_BYTES_MAX)
		return -EINVAL;
	script->memory = kvmalloc(size + sizeof(u64), GFP_KERNEL_ACCOUNT);
	if (!script->memory)
		return -ENOMEM;
	copy = script->memory + script->cmd.data % sizeof(u64);
	if (copy_from_user(copy, user, size))
		return -EFAULT;
	if (!(script->cmd.how & IOMMUKIT_TEST_BITMAP_BOTH))
		script->args.data = NULL;
	script->args.kbuf = copy + GUARD;
	ret = script_run(script);
	if (!ret && copy_to_user(user, copy, size))
		ret = -EFAULT;
	return ret;
}

static int script_start(struct script *script)
{
	struct iommukit_test_bitmap *cmd = &script->cmd;
	void __user *steps = u64_to_user_ptr(cmd->steps);
	size_t size = cmd->nsteps * sizeof(*script->steps);
	int ret;

	if (cmd->nsteps > IOMMUKIT_TEST_BITMAP_STEPS_MAX)
		return -EINVAL;
	if (size) {
		script->steps = vmemdup_user(steps, size);
		if (IS_ERR(script->steps))
			return PTR_ERR(script->steps);
	}
	script->args = (struct iommukit_iova_bitmap_args){
		.iova = cmd->iova,
		.length = cmd->length,
		.page_size = cmd->page_size,
		.data = u64_to_user_ptr(cmd->data),
		.kbuf_bytes = cmd->kbuf_bytes,
		.flags = cmd->flags,
		.window_pages = cmd->window_pages,
	};
	if (cmd->how & IOMMUKIT_TEST_BITMAP_UNDELIVERED)
		script->args.undelivered = script_undelivered;
	if (cmd->flags & IOMMUKIT_IOVA_BITMAP_KBUF)
		ret = script_run_kbuf(script);
	else
		ret = script_run(script);
	if (!ret && copy_to_user(steps, script->steps, size))
		ret = -EFAULT;
	kvfree(script->memory);
	kvfree(script->steps);
	return ret;
}

int test_bitmap(const struct test_request *req)
{
	void __user *uptr = u64_to_user_ptr(req->cmd->bitmap.uptr);
	struct script *script;
	int ret = -EFAULT;

	script = kzalloc(sizeof(*script), GFP_KERNEL_ACCOUNT);
	if (!script)
		return -ENOMEM;
	if (!copy_from_user(&script->cmd, uptr, sizeof(script->cmd)))
		ret = script_start(script);
	if (!ret && copy_to_user(uptr, &script->cmd, sizeof(script->cmd)))
		ret = -EFAULT;
	kfree(script);
	return ret;
}

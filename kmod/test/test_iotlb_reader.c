// SPDX-License-Identifier: GPL-2.0-only
/*
 * Readers of IOTLBs, with a thread and without. Who lets a reader do something has
 * it for himself meanwhile, without any lock: some of it waits for the test. A gate
 * that stays entered from one command to the next belongs to the thread, for a
 * program is never inside of one.
 */
#include "test_iotlb.h"

#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/completion.h>
#include <linux/file.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/uaccess.h>

#include "test.h"

void test_iotlb_resume(void *data, void *reader_priv)
{
	struct test_reader *reader = reader_priv;
	struct test_iotlb *ti = data;

	atomic_inc(&reader->resumed);
	atomic_inc(&ti->resumes);
}

/* ---- threads ---- */

static bool test_reader_posted(struct test_reader *reader)
{
	/* What is to be done was written before. */
	return smp_load_acquire(&reader->posted);
}

/* What was posted is done even if the thread is to stop. */
static int test_reader_main(void *data)
{
	struct test_reader *reader = data;

	/* A copy may wait for user space: let it be given up. */
	allow_kernel_signal(SIGKILL);
	for (;;) {
		wait_event_idle(reader->wait, test_reader_posted(reader) ||
				kthread_should_stop());
		if (!test_reader_posted(reader))
			break;
		WRITE_ONCE(reader->posted, false);
		test_reader_run(reader);
		complete(&reader->done);
	}
	while (reader->depth)
		test_reader_exit(reader);
	return 0;
}

static int test_reader_start(struct test_reader *reader)
{
	struct task_struct *task;

	task = kthread_create(test_reader_main, reader, "iommukit-test");
	if (IS_ERR(task))
		return PTR_ERR(task);
	get_task_struct(task);
	reader->task = task;
	wake_up_process(task);
	return 0;
}

/* Nothing is posted any more when it has no task. */
static void test_reader_stop(struct test_reader *reader, bool kill)
{
	struct task_struct *task;

	lockdep_assert_held(&reader->ti->life);
	xa_lock(&reader->ti->readers);
	task = reader->task;
	reader->task = NULL;
	xa_unlock(&reader->ti->readers);
	if (!task)
		return;
	if (kill)
		send_sig(SIGKILL, task, 1);
	kthread_stop(task);
	put_task_struct(task);
}

/* ---- coming and going ---- */

static void test_reader_end(struct test_reader *reader, bool kill)
{
	test_reader_stop(reader, kill);
	if (reader->reader)
		iommukit_iotlb_reader_destroy(reader->reader);
	kvfree(reader->data);
	kfree(reader);
}

static struct test_reader *test_reader_create(struct test_iotlb *ti, u32 flags)
{
	struct iommukit_iotlb_reader *created;
	struct test_reader *reader;
	int ret = 0;

	reader = kzalloc(sizeof(*reader), GFP_KERNEL_ACCOUNT);
	if (!reader)
		return ERR_PTR(-ENOMEM);
	reader->ti = ti;
	reader->flags = flags;
	init_waitqueue_head(&reader->wait);
	init_completion(&reader->done);
	init_completion(&reader->fired);
	timer_setup(&reader->timer, test_reader_fire, 0);
	created = iommukit_iotlb_reader_create(ti->client,
					       flags & ~IOMMUKIT_TEST_IOTLB_THREAD,
					       reader);
	if (IS_ERR(created))
		ret = PTR_ERR(created);
	else
		reader->reader = created;
	if (!ret && flags & IOMMUKIT_TEST_IOTLB_THREAD)
		ret = test_reader_start(reader);
	if (!ret)
		return reader;
	test_reader_end(reader, false);
	return ERR_PTR(ret);
}

int test_iotlb_reader_create(const struct test_request *req)
{
	struct iommukit_test_cmd *cmd = req->cmd;
	struct test_reader *reader;
	struct test_iotlb *ti;
	struct file *file;
	int ret;

	ti = test_iotlb_get(cmd->id, &file);
	if (IS_ERR(ti))
		return PTR_ERR(ti);
	mutex_lock(&ti->life);
	reader = test_reader_create(ti, cmd->iotlb_reader_create.flags);
	ret = PTR_ERR_OR_ZERO(reader);
	if (ret)
		goto out;
	/* Nobody knows the number yet. */
	ret = xa_alloc(&ti->readers, &cmd->iotlb_reader_create.out_reader,
		       reader, xa_limit_31b, GFP_KERNEL_ACCOUNT);
	if (ret) {
		test_reader_end(reader, false);
		goto out;
	}
	ret = test_respond(req);
	if (ret) {
		xa_erase(&ti->readers, cmd->iotlb_reader_create.out_reader);
		test_reader_end(reader, false);
	}
out:
	mutex_unlock(&ti->life);
	fput(file);
	return ret;
}

int test_iotlb_reader_destroy(const struct test_request *req)
{
	u32 index = req->cmd->iotlb_reader.reader;
	struct test_reader *reader;
	struct test_iotlb *ti;
	struct file *file;

	ti = test_iotlb_get(req->cmd->id, &file);
	if (IS_ERR(ti))
		return PTR_ERR(ti);
	mutex_lock(&ti->life);
	xa_lock(&ti->readers);
	reader = xa_load(&ti->readers, index);
	if (reader && !reader->busy)
		__xa_erase(&ti->readers, index);
	else
		reader = NULL;
	xa_unlock(&ti->readers);
	if (reader)
		test_reader_end(reader, false);
	mutex_unlock(&ti->life);
	fput(file);
	return reader ? 0 : -EBADRQC;
}

int test_iotlb_reader_stop(const struct test_request *req)
{
	struct test_reader *reader;
	struct test_iotlb *ti;
	struct file *file;
	int ret = -EBADRQC;

	ti = test_iotlb_get(req->cmd->id, &file);
	if (IS_ERR(ti))
		return PTR_ERR(ti);
	/* Keeps it: only under this mutex readers go. */
	mutex_lock(&ti->life);
	reader = xa_load(&ti->readers, req->cmd->iotlb_reader.reader);
	if (reader && reader->flags & IOMMUKIT_IOTLB_READER_KTHREAD_STOP) {
		test_reader_stop(reader, false);
		ret = 0;
	}
	mutex_unlock(&ti->life);
	fput(file);
	return ret;
}

/*
 * Of a client that ends: nobody else knows any of them. Page fault or miss, what is
 * waited for may be up to the very process that is exiting.
 */
void test_iotlb_readers_end(struct test_iotlb *ti)
{
	bool kill = !(ti->behaviour & IOMMUKIT_TEST_IOTLB_NO_CANCEL);
	struct test_reader *reader;
	unsigned long index;

	mutex_lock(&ti->life);
	xa_for_each(&ti->readers, index, reader) {
		xa_erase(&ti->readers, index);
		test_reader_end(reader, kill);
	}
	mutex_unlock(&ti->life);
}

u32 test_iotlb_resumed(struct test_iotlb *ti, u32 reader)
{
	struct test_reader *found;
	u32 resumed = 0;

	xa_lock(&ti->readers);
	found = xa_load(&ti->readers, reader);
	if (found)
		resumed = atomic_read(&found->resumed);
	xa_unlock(&ti->readers);
	return resumed;
}

/* ---- commands ---- */

/* Take a reader that does nothing, or, for WAIT, one whose result waits. */
static struct test_reader *test_reader_get(struct test_iotlb *ti, u32 index,
					   bool parked)
{
	struct test_reader *reader;

	xa_lock(&ti->readers);
	reader = xa_load(&ti->readers, index);
	if (!reader || (parked ? !reader->parked : reader->busy)) {
		reader = ERR_PTR(-EBADRQC);
	} else {
		reader->busy = true;
		reader->parked = false;
	}
	xa_unlock(&ti->readers);
	return reader;
}

static void test_reader_park(struct test_reader *reader)
{
	xa_lock(&reader->ti->readers);
	reader->parked = true;
	xa_unlock(&reader->ti->readers);
}

static void test_reader_put(struct test_reader *reader)
{
	kvfree(reader->data);
	reader->data = NULL;
	xa_lock(&reader->ti->readers);
	reader->busy = false;
	xa_unlock(&reader->ti->readers);
}

/* Is something copied, and into the caller's memory? */
static bool test_reader_copies(const struct iommukit_test_iotlb *cmd, bool *in)
{
	u32 flags = cmd->what == IOMMUKIT_TEST_IOTLB_RW ? cmd->flags :
							  cmd->copy_flags;

	*in = !(flags & IOMMUKIT_ACCESS_RW_WRITE);
	return cmd->what == IOMMUKIT_TEST_IOTLB_RW ||
	       cmd->what == IOMMUKIT_TEST_IOTLB_COPY ||
	       cmd->how & IOMMUKIT_TEST_IOTLB_AND_COPY;
}

/* What can be done like that, in this kind of reader? */
static bool test_reader_sane(const struct iommukit_test_iotlb *cmd, bool thread)
{
	const u32 look = BIT(IOMMUKIT_TEST_IOTLB_NOWAIT) |
			 BIT(IOMMUKIT_TEST_IOTLB_PROBE);
	const u32 translate = look | BIT(IOMMUKIT_TEST_IOTLB_TRANSLATE);
	const u32 inside = BIT(IOMMUKIT_TEST_IOTLB_ENTER) |
			   BIT(IOMMUKIT_TEST_IOTLB_EXIT) |
			   BIT(IOMMUKIT_TEST_IOTLB_RELAX) |
			   BIT(IOMMUKIT_TEST_IOTLB_COPY) |
			   BIT(IOMMUKIT_TEST_IOTLB_PIN);
	const u32 atomic = IOMMUKIT_TEST_IOTLB_ATOMIC |
			   IOMMUKIT_TEST_IOTLB_TIMER;
	const u32 keeps = IOMMUKIT_TEST_IOTLB_KEEP |
			  IOMMUKIT_TEST_IOTLB_AND_COPY;
	u32 what = cmd->what < BITS_PER_TYPE(u32) ? BIT(cmd->what) : 0;

	if (!thread && (what & inside ||
			cmd->how & (IOMMUKIT_TEST_IOTLB_KEEP |
				    IOMMUKIT_TEST_IOTLB_ASYNC)))
		return false;
	if (cmd->how & keeps && (!(what & translate) || cmd->how & atomic))
		return false;
	if (cmd->how & IOMMUKIT_TEST_IOTLB_TIMER && !(what & look))
		return false;
	if (cmd->how & IOMMUKIT_TEST_IOTLB_ATOMIC &&
	    !(what & (translate | BIT(IOMMUKIT_TEST_IOTLB_RW))))
		return false;
	return cmd->length <= IOMMUKIT_TEST_ACCESS_LENGTH_MAX ||
	       (what & translate &&
		!(cmd->how & IOMMUKIT_TEST_IOTLB_AND_COPY));
}

static int test_reader_post(struct test_reader *reader)
{
	bool thread;

	xa_lock(&reader->ti->readers);
	thread = reader->task;
	if (thread) {
		/* Pairs with test_reader_posted(). */
		smp_store_release(&reader->posted, true);
	}
	xa_unlock(&reader->ti->readers);
	wake_up(&reader->wait);
	return thread ? 0 : -EBADRQC;
}

/* Begin what the caller asks for. */
static int test_reader_begin(struct test_reader *reader,
			     const struct iommukit_test_iotlb *cmd)
{
	bool thread = reader->flags & IOMMUKIT_TEST_IOTLB_THREAD;
	bool copies, in;

	if (!test_reader_sane(cmd, thread) ||
	    (cmd->what != IOMMUKIT_TEST_IOTLB_LOOP &&
	     cmd->max > IOMMUKIT_TEST_IOTLB_SEGS))
		return -EBADRQC;
	copies = test_reader_copies(cmd, &in);
	if (copies) {
		reader->data = kvzalloc(max_t(u64, cmd->length, 1),
					GFP_KERNEL_ACCOUNT);
		if (!reader->data)
			return -ENOMEM;
	}
	if (copies && !in &&
	    copy_from_user(reader->data, u64_to_user_ptr(cmd->uptr),
			   cmd->length))
		return -EFAULT;
	reader->cmd = *cmd;
	reader->cmd.out_done = 0;
	reader->cmd.out_nsegs = 0;
	reader->cmd.out_copied = 0;
	reader->cmd.out_equal = 0;
	reader->cmd.out_missed = 0;
	reinit_completion(&reader->done);
	if (thread)
		return test_reader_post(reader);
	test_reader_run(reader);
	complete(&reader->done);
	return 0;
}

/* Tell the caller, in the structure that he gave last. */
static int test_reader_tell(struct test_reader *reader,
			    const struct iommukit_test_iotlb *cmd,
			    struct iommukit_test_iotlb __user *ucmd)
{
	struct iommukit_test_iotlb *done = &reader->cmd;
	u32 nsegs = min(done->out_nsegs, done->max);
	bool in;

	if (test_reader_copies(done, &in) && in && !done->out_result &&
	    copy_to_user(u64_to_user_ptr(cmd->uptr), reader->data,
			 done->length))
		return -EFAULT;
	if (cmd->segs && done->what != IOMMUKIT_TEST_IOTLB_LOOP &&
	    copy_to_user(u64_to_user_ptr(cmd->segs), reader->segs,
			 nsegs * sizeof(*reader->segs)))
		return -EFAULT;
	done->uptr = cmd->uptr;
	done->segs = cmd->segs;
	return copy_to_user(ucmd, done, sizeof(*done)) ? -EFAULT : 0;
}

static int test_iotlb_do(struct test_iotlb *ti,
			 struct iommukit_test_iotlb *cmd,
			 struct iommukit_test_iotlb __user *ucmd)
{
	bool waits = cmd->what == IOMMUKIT_TEST_IOTLB_WAIT;
	struct test_reader *reader;
	int ret = 0;

	reader = test_reader_get(ti, cmd->reader, waits);
	if (IS_ERR(reader))
		return PTR_ERR(reader);
	if (!waits)
		ret = test_reader_begin(reader, cmd);
	if (!ret && cmd->how & IOMMUKIT_TEST_IOTLB_ASYNC) {
		test_reader_park(reader);
		return 0;
	}
	if (!ret && wait_for_completion_killable(&reader->done)) {
		test_reader_park(reader);
		return -EINTR;
	}
	if (!ret)
		ret = test_reader_tell(reader, cmd, ucmd);
	test_reader_put(reader);
	return ret;
}

int test_iotlb_run(const struct test_request *req)
{
	struct iommukit_test_iotlb __user *ucmd =
		u64_to_user_ptr(req->cmd->iotlb_run.uptr);
	struct iommukit_test_iotlb cmd;
	struct test_iotlb *ti;
	struct file *file;
	int ret;

	BUILD_BUG_ON(sizeof(struct iommukit_iotlb_seg) !=
		     sizeof(struct iommukit_test_iotlb_seg));

	if (copy_from_user(&cmd, ucmd, sizeof(cmd)))
		return -EFAULT;
	ti = test_iotlb_get(req->cmd->id, &file);
	if (IS_ERR(ti))
		return PTR_ERR(ti);
	ret = test_iotlb_do(ti, &cmd, ucmd);
	fput(file);
	return ret;
}

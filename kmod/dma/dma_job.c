// SPDX-License-Identifier: GPL-2.0-only
/*
 * Passes done by a kernel thread: one for a transfer that asks for it, or one
 * after the other for a job, until the job is stopped or its pages are revoked.
 *
 * A thread that copies takes page faults in memory of user space, which decides
 * when they end, if ever. So whoever ends a thread first sets stop, then sends
 * SIGKILL, which every place where it may wait for user space gives way to, and
 * only then waits for it with kthread_stop().
 */
#include <linux/kthread.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "dma.h"

/* The caller gets a reference; ikdma_thread_join() drops it. */
static struct task_struct *ikdma_thread_create(int (*fn)(void *), void *data,
					       const char *what)
{
	struct task_struct *task = kthread_create(fn, data, "ikdma-%s", what);

	if (!IS_ERR(task))
		get_task_struct(task);
	return task;
}

/* A thread that was never woken does not run at all. */
static void ikdma_thread_join(struct task_struct *task)
{
	kthread_stop(task);
	put_task_struct(task);
}

static void ikdma_thread_kill(struct task_struct *task, struct ikdma_pass *pass)
{
	WRITE_ONCE(pass->stop, true);
	/* The thread looks at stop after it made itself killable. */
	send_sig(SIGKILL, task, 1);
}

struct ikdma_once {
	struct ikdma_pass *pass;
	struct completion done;
	int ret;
};

static int ikdma_once_thread(void *data)
{
	struct ikdma_once *once = data;

	allow_kernel_signal(SIGKILL);
	once->ret = ikdma_pass_run(once->pass);
	complete(&once->done);
	return 0;
}

/**
 * ikdma_pass_run_kthread() - ikdma_pass_run() in a kernel thread
 * @pass: What to do
 *
 * Context: Sleeps, killable.
 * Return: As ikdma_pass_run(); the thread is gone in any case
 */
int ikdma_pass_run_kthread(struct ikdma_pass *pass)
{
	struct ikdma_once once = { .pass = pass, .ret = -EINTR };
	struct task_struct *task;
	int ret;

	init_completion(&once.done);
	task = ikdma_thread_create(ikdma_once_thread, &once, "transfer");
	if (IS_ERR(task))
		return PTR_ERR(task);
	wake_up_process(task);
	ret = wait_for_completion_killable(&once.done);
	if (ret)
		ikdma_thread_kill(task, pass);
	ikdma_thread_join(task);
	return ret ? -EINTR : once.ret;
}

static int ikdma_job_thread(void *data)
{
	struct ikdma_engine *engine = data;
	struct ikdma_job *job = &engine->job;
	struct ikdma_pass *pass = &job->pass;
	int ret;

	allow_kernel_signal(SIGKILL);
	do {
		ret = ikdma_pass_run(pass);
		if (ret)
			break;
		ret = mutex_lock_killable(&engine->pin_lock);
		if (ret)
			break;
		job->passes++;
		memcpy(job->digest, pass->digest, sizeof(job->digest));
		mutex_unlock(&engine->pin_lock);
	} while (!READ_ONCE(pass->stop));

	mutex_lock(&engine->pin_lock);
	ikdma_pass_unpin_locked(pass);
	/* Whoever set stop has said why. */
	if (job->state == IOMMUKIT_DMA_RUNNING) {
		job->state = IOMMUKIT_DMA_FAILED;
		job->error = -ret;
	}
	mutex_unlock(&engine->pin_lock);
	return 0;
}

/* The job's pages were taken away, or its port left: it ends here. */
void ikdma_job_revoke_locked(struct ikdma_engine *engine)
{
	struct ikdma_job *job = &engine->job;

	lockdep_assert_held(&engine->pin_lock);
	if (job->state != IOMMUKIT_DMA_RUNNING)
		return;
	job->state = IOMMUKIT_DMA_REVOKED;
	WRITE_ONCE(job->pass.stop, true);
	/* What is left of it on the other side is of no use any more. */
	ikdma_pass_unpin_locked(&job->pass);
	job->pass.src.pin.revoked = true;
	job->pass.dst.pin.revoked = true;
}

/* End the job if there is one, and reap a thread that ended by itself. */
void ikdma_job_stop(struct ikdma_engine *engine, u32 state)
{
	struct ikdma_job *job = &engine->job;

	if (!job->task)
		return;
	mutex_lock(&engine->pin_lock);
	if (job->state == IOMMUKIT_DMA_RUNNING)
		job->state = state;
	mutex_unlock(&engine->pin_lock);
	ikdma_thread_kill(job->task, &job->pass);
	ikdma_thread_join(job->task);
	job->task = NULL;
	ikdma_pass_exit(&job->pass);
}

/* Pin what is to be pinned, and from then on the job can be revoked. */
static int ikdma_job_launch(struct ikdma_engine *engine)
{
	struct ikdma_job *job = &engine->job;
	int ret;

	ret = mutex_lock_killable(&engine->pin_lock);
	if (ret)
		return ret;
	if (job->pass.pinned)
		ret = ikdma_pass_pin_locked(&job->pass);
	if (!ret) {
		job->state = IOMMUKIT_DMA_RUNNING;
		job->error = 0;
		job->passes = 0;
		memset(job->digest, 0, sizeof(job->digest));
	}
	mutex_unlock(&engine->pin_lock);
	return ret;
}

int ikdma_start(struct ikdma_engine *engine, union ikdma_arg *arg)
{
	const struct iommukit_dma_start *start = &arg->start;
	struct iommukit_dma_transfer request = {
		.flags = start->flags | IOMMUKIT_DMA_KTHREAD,
		.op = start->op,
		.src_port = start->src_port,
		.dst_port = start->dst_port,
		.__reserved = start->__reserved,
		.src_iova = start->src_iova,
		.dst_iova = start->dst_iova,
		.length = start->length,
		.pattern = start->pattern,
	};
	struct ikdma_job *job = &engine->job;
	struct task_struct *task;
	int ret;

	if (start->flags & ~IOMMUKIT_DMA_PIN ||
	    start->op == IOMMUKIT_DMA_OP_READ ||
	    start->op == IOMMUKIT_DMA_OP_WRITE)
		return -EOPNOTSUPP;
	/* Only this function makes it RUNNING, and command_lock is held. */
	if (READ_ONCE(job->state) == IOMMUKIT_DMA_RUNNING)
		return -EBUSY;
	ikdma_job_stop(engine, IOMMUKIT_DMA_IDLE);

	ret = ikdma_pass_init(&job->pass, engine, &request, true);
	if (ret)
		return ret;
	task = ikdma_thread_create(ikdma_job_thread, engine, "job");
	if (IS_ERR(task)) {
		ret = PTR_ERR(task);
		goto err_pass;
	}
	/* The thread comes first: once pages are pinned nothing may fail. */
	ret = ikdma_job_launch(engine);
	if (ret)
		goto err_task;
	job->task = task;
	wake_up_process(task);
	return 0;

err_task:
	ikdma_thread_join(task);
err_pass:
	ikdma_pass_exit(&job->pass);
	return ret;
}

int ikdma_stop(struct ikdma_engine *engine, union ikdma_arg *arg)
{
	if (arg->stop.flags)
		return -EOPNOTSUPP;
	ikdma_job_stop(engine, IOMMUKIT_DMA_IDLE);
	return 0;
}

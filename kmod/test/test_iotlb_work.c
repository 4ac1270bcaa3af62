// SPDX-License-Identifier: GPL-2.0-only
/*
 * What readers of IOTLBs do for the test, and where: with a lock, in a timer, with
 * interrupts off. Runs in the caller, or in the reader's thread.
 */
#include "test_iotlb.h"

#include <linux/completion.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/timer.h>

/* ---- what is done ---- */

static void test_reader_enter(struct test_reader *reader)
{
	iommukit_iotlb_enter(reader->reader);
	reader->depth++;
}

void test_reader_exit(struct test_reader *reader)
{
	iommukit_iotlb_exit(reader->reader);
	if (!--reader->depth)
		reader->nsegs = 0;
}

static int test_reader_copy(struct test_reader *reader, u64 offset, void *data,
			    size_t length)
{
	return iommukit_iotlb_copy(reader->reader, reader->segs, reader->nsegs,
				   offset, data, length,
				   reader->cmd.copy_flags);
}

static void test_reader_note(struct test_reader *reader, unsigned int nsegs,
			     u64 done)
{
	reader->cmd.out_nsegs = nsegs;
	reader->cmd.out_done = done;
	reader->nsegs = min(nsegs, IOMMUKIT_TEST_IOTLB_SEGS);
}

/* Inside of the gate, with what was translated: copy, leave. */
static int test_reader_translated(struct test_reader *reader)
{
	const struct iommukit_test_iotlb *cmd = &reader->cmd;
	int ret = 0;

	if (cmd->how & IOMMUKIT_TEST_IOTLB_AND_COPY)
		ret = test_reader_copy(reader, 0, reader->data,
				       min(cmd->out_done, cmd->length));
	if (ret || !(cmd->how & IOMMUKIT_TEST_IOTLB_KEEP))
		test_reader_exit(reader);
	return ret;
}

static int test_reader_translate(struct test_reader *reader)
{
	const struct iommukit_test_iotlb *cmd = &reader->cmd;
	unsigned int nsegs = 0;
	u64 done = 0;
	int ret;

	ret = iommukit_iotlb_translate(reader->reader, cmd->iova, cmd->length,
				       cmd->prot, reader->segs, cmd->max,
				       &nsegs, &done, cmd->flags,
				       cmd->timeout_ms);
	test_reader_note(reader, nsegs, done);
	if (ret)
		return ret;
	reader->depth++;
	return test_reader_translated(reader);
}

static int test_reader_look(struct test_reader *reader)
{
	const struct iommukit_test_iotlb *cmd = &reader->cmd;
	unsigned int nsegs = 0;
	u64 done = 0;
	int ret;

	test_reader_enter(reader);
	if (cmd->what == IOMMUKIT_TEST_IOTLB_PROBE)
		ret = iommukit_iotlb_probe(reader->reader, cmd->iova,
					   cmd->length, cmd->prot, reader->segs,
					   cmd->max, &nsegs, &done);
	else
		ret = iommukit_iotlb_translate_nowait(reader->reader, cmd->iova,
						      cmd->length, cmd->prot,
						      reader->segs, cmd->max,
						      &nsegs, &done);
	test_reader_note(reader, nsegs, done);
	if (!ret)
		return test_reader_translated(reader);
	test_reader_exit(reader);
	return ret;
}

static int test_reader_lookup_word(struct test_reader *reader, u64 iova)
{
	const struct iommukit_test_iotlb *cmd = &reader->cmd;
	unsigned int nsegs = 0;
	u64 done;
	int ret;

	if (!(cmd->how & IOMMUKIT_TEST_IOTLB_LOOP_NOWAIT)) {
		ret = iommukit_iotlb_translate(reader->reader, iova,
					       sizeof(u64), cmd->prot,
					       reader->segs, sizeof(u64),
					       &nsegs, &done, cmd->flags,
					       cmd->timeout_ms);
		if (!ret)
			reader->depth++;
	} else {
		test_reader_enter(reader);
		ret = iommukit_iotlb_translate_nowait(reader->reader, iova,
						      sizeof(u64), cmd->prot,
						      reader->segs, sizeof(u64),
						      &nsegs, &done);
		if (ret)
			test_reader_exit(reader);
	}
	reader->nsegs = nsegs;
	return ret;
}

static int test_reader_once(struct test_reader *reader, u64 iova)
{
	struct iommukit_test_iotlb *cmd = &reader->cmd;
	int ret;

	ret = test_reader_lookup_word(reader, iova);
	if (ret == -EAGAIN || ret == -EBUSY) {
		cmd->out_missed++;
		return 0;
	}
	if (ret)
		return ret;
	reader->word = cmd->value;
	ret = test_reader_copy(reader, 0, &reader->word, sizeof(u64));
	test_reader_exit(reader);
	if (ret)
		return ret;
	cmd->out_copied++;
	if (reader->word == cmd->value)
		cmd->out_equal++;
	return 0;
}

static int test_reader_loop(struct test_reader *reader)
{
	const struct iommukit_test_iotlb *cmd = &reader->cmd;
	u32 slot = 0;
	u64 i;
	int ret;

	for (i = 0; i < cmd->count; i++) {
		ret = test_reader_once(reader, cmd->iova + slot * cmd->length);
		if (ret)
			return ret;
		slot = slot + 1 < cmd->max ? slot + 1 : 0;
		if (fatal_signal_pending(current))
			return -EINTR;
		if (current->flags & PF_KTHREAD && kthread_should_stop())
			return -ECANCELED;
		cond_resched();
	}
	return 0;
}

static int test_reader_relax(struct test_reader *reader)
{
	if (!iommukit_iotlb_relax(reader->reader))
		return 0;
	reader->nsegs = 0;
	return 1;
}

static int test_reader_pin(struct test_reader *reader)
{
	const struct iommukit_test_iotlb *cmd = &reader->cmd;

	if (cmd->offset >= reader->nsegs)
		return -EBADRQC;
	return test_iotlb_pin(reader->ti, reader->reader,
			      &reader->segs[cmd->offset], cmd->flags);
}

static int test_reader_do(struct test_reader *reader)
{
	const struct iommukit_test_iotlb *cmd = &reader->cmd;

	switch (cmd->what) {
	case IOMMUKIT_TEST_IOTLB_ENTER:
		test_reader_enter(reader);
		return 0;
	case IOMMUKIT_TEST_IOTLB_TRANSLATE:
		return test_reader_translate(reader);
	case IOMMUKIT_TEST_IOTLB_NOWAIT:
	case IOMMUKIT_TEST_IOTLB_PROBE:
		return test_reader_look(reader);
	case IOMMUKIT_TEST_IOTLB_RW:
		return iommukit_iotlb_rw(reader->reader, cmd->iova,
					 reader->data, cmd->length, cmd->flags);
	case IOMMUKIT_TEST_IOTLB_UNPIN:
		return test_iotlb_unpin(reader->ti, cmd->iova);
	case IOMMUKIT_TEST_IOTLB_LOOP:
		/* Inside of the gate it would be misuse, over and over again. */
		return reader->depth ? -EBADRQC : test_reader_loop(reader);
	}
	/* The rest is for inside of the gate. */
	if (!reader->depth)
		return -EBADRQC;
	switch (cmd->what) {
	case IOMMUKIT_TEST_IOTLB_EXIT:
		test_reader_exit(reader);
		return 0;
	case IOMMUKIT_TEST_IOTLB_RELAX:
		return test_reader_relax(reader);
	case IOMMUKIT_TEST_IOTLB_COPY:
		return test_reader_copy(reader, cmd->offset, reader->data,
					cmd->length);
	case IOMMUKIT_TEST_IOTLB_PIN:
		return test_reader_pin(reader);
	}
	return -EBADRQC;
}

/* ---- where it is done ---- */

void test_reader_fire(struct timer_list *timer)
{
	struct test_reader *reader = container_of(timer, struct test_reader,
						  timer);

	reader->cmd.out_result = test_reader_do(reader);
	complete(&reader->fired);
}

static DEFINE_MUTEX(test_reader_mutex);

/* Do what the reader is told, and take note of the result. */
void test_reader_run(struct test_reader *reader)
{
	struct iommukit_test_iotlb *cmd = &reader->cmd;
	unsigned long flags;

	if (cmd->how & IOMMUKIT_TEST_IOTLB_MUTEX)
		mutex_lock(&test_reader_mutex);
	if (cmd->how & IOMMUKIT_TEST_IOTLB_TIMER) {
		reinit_completion(&reader->fired);
		mod_timer(&reader->timer, jiffies);
		wait_for_completion(&reader->fired);
		timer_delete_sync(&reader->timer);
	} else if (cmd->how & IOMMUKIT_TEST_IOTLB_ATOMIC) {
		local_irq_save(flags);
		cmd->out_result = test_reader_do(reader);
		local_irq_restore(flags);
	} else {
		cmd->out_result = test_reader_do(reader);
	}
	if (cmd->how & IOMMUKIT_TEST_IOTLB_MUTEX)
		mutex_unlock(&test_reader_mutex);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the driver of IOTLBs share: its clients, and their readers. */
#ifndef IOMMUKIT_TEST_IOTLB_H
#define IOMMUKIT_TEST_IOTLB_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/iommukit.h>
#include <linux/iommukit_iotlb_client.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "iommukit_test_abi.h"
#include "iommukit_test_iotlb_abi.h"

struct file;
struct task_struct;

/**
 * struct test_iotlb - What belongs to the file of a client
 * @client: The client; NULL only while it is being created
 * @ops: What it has of callbacks
 * @readers: struct test_reader by index; its lock says who uses which
 * @life: mutex: readers come and go, and lose their threads
 * @lock: mutex: held over pin and taking note of it; taken by the callbacks.
 *	Protects @pins
 * @pins: What is pinned
 * @seen_lock: spinlock: protects @seen
 * @seen: What the callbacks have seen; the other members are not used
 * @resumes: Calls of resume, which comes in any context
 * @wait: Woken when @behaviour changes
 * @behaviour: IOMMUKIT_TEST_IOTLB_HOLD, NO_CANCEL
 * @delay_ms: Slept in each invalidate callback
 */
struct test_iotlb {
	struct iommukit_iotlb_client *client;
	struct iommukit_iotlb_client_ops ops;
	struct xarray readers;
	struct mutex life; /* coming and going of readers */
	struct mutex lock; /* pins */
	struct list_head pins;
	spinlock_t seen_lock; /* seen */
	struct iommukit_test_iotlb_stats seen;
	atomic_t resumes;
	wait_queue_head_t wait;
	u32 behaviour;
	u32 delay_ms;
};

/**
 * struct test_reader - A reader
 * @reader: The reader
 * @ti: Its client
 * @flags: As the test gave them
 * @busy: Somebody has it; under the lock of the client's readers, as the next two
 * @parked: It is busy, and its result is still to be got by WAIT
 * @task: Its thread, or NULL
 * @wait: Where the thread waits
 * @posted: There is something to do for the thread
 * @done: It has done it
 * @timer: For what is to be done in one
 * @fired: It has been done
 * @resumed: How often it was resumed
 * @depth: How often it has entered its gate
 * @cmd: What it does
 * @data: What it copies, or NULL
 * @word: As well, of a loop
 * @nsegs: How many of @segs there are
 * @segs: What it has translated last
 */
struct test_reader {
	struct iommukit_iotlb_reader *reader;
	struct test_iotlb *ti;
	u32 flags;
	bool busy;
	bool parked;
	struct task_struct *task;
	wait_queue_head_t wait;
	bool posted;
	struct completion done;
	struct timer_list timer;
	struct completion fired;
	atomic_t resumed;
	unsigned int depth;
	struct iommukit_test_iotlb cmd;
	void *data;
	u64 word;
	unsigned int nsegs;
	struct iommukit_iotlb_seg segs[IOMMUKIT_TEST_IOTLB_SEGS];
};

struct test_iotlb *test_iotlb_get(u32 fd, struct file **file);
int test_iotlb_pin(struct test_iotlb *ti, struct iommukit_iotlb_reader *reader,
		   const struct iommukit_iotlb_seg *seg, unsigned int flags);
int test_iotlb_unpin(struct test_iotlb *ti, u64 iova);

u32 test_iotlb_resumed(struct test_iotlb *ti, u32 reader);
void test_iotlb_readers_end(struct test_iotlb *ti);
void test_iotlb_resume(void *data, void *reader_priv);

void test_reader_run(struct test_reader *reader);
void test_reader_exit(struct test_reader *reader);
void test_reader_fire(struct timer_list *timer);

#endif /* IOMMUKIT_TEST_IOTLB_H */

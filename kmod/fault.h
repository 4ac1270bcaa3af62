/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fault queues: page faults of devices on their way to user space, and the answers
 * on their way back.
 */
#ifndef IOMMUKIT_FAULT_H
#define IOMMUKIT_FAULT_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/xarray.h>
#include <uapi/linux/iommukit.h>

#include "object.h"

struct iommukit_ctx;
struct iommukit_device;
struct iommukit_ucmd;

/**
 * struct device_fault - A page fault
 * @flags: IOMMUKIT_PGFAULT_FLAGS_*
 * @pasid: if it has one
 * @grpid: the device's own number of the group
 * @perm: IOMMUKIT_PGFAULT_PERM_*
 * @addr: where
 */
struct device_fault {
	u32 flags;
	u32 pasid;
	u32 grpid;
	u32 perm;
	u64 addr;
};

/**
 * struct fault_group - Page faults that are answered together
 * @link: in the queue's list, until it was read
 * @refs: one of the queue until it is answered, one of each reader
 * @cookie: number in the queue once it was read
 * @dev: the device that waits for the answer; looked at until then only
 * @turn: which of its attachments it was
 * @answer: how it gets it, with one of IOMMUKIT_PAGE_RESP_*
 * @priv: argument for that
 * @nr: how many
 * @faults: as user space sees them
 */
struct fault_group {
	struct list_head link;
	refcount_t refs;
	u32 cookie;
	const struct iommukit_device *dev;
	unsigned int turn;
	void (*answer)(void *priv, u32 code);
	void *priv;
	unsigned int nr;
	struct iommukit_hwpt_pgfault faults[];
};

/**
 * struct fault_queue - Fault queue object
 * @obj: the object; its file and each HWPT with it are users
 * @ctx: its context
 * @lock: mutex: protects @unanswered; answers are given under it. Never held while
 *	user memory is touched.
 * @unanswered: groups that were read, by cookie
 * @unread_lock: spinlock: protects @unread and @nr_unread; taken in interrupts
 * @unread: groups that were not, oldest first
 * @nr_unread: how many
 * @wait: poll
 */
struct fault_queue {
	struct iommukit_object obj;
	struct iommukit_ctx *ctx;
	struct mutex lock;
	struct xarray unanswered;
	spinlock_t unread_lock;
	struct list_head unread;
	unsigned int nr_unread;
	wait_queue_head_t wait;
};

struct fault_queue *fault_queue_get(struct iommukit_ctx *ctx, u32 id);
int fault_queue_cmd_alloc(struct iommukit_ucmd *ucmd);

void device_new_turn(struct iommukit_device *dev);
void device_set_queue(struct iommukit_device *dev, struct fault_queue *queue);
int device_report_faults(struct iommukit_device *dev,
			 const struct device_fault *faults, unsigned int nr,
			 void (*answer)(void *priv, u32 code), void *priv);

#endif /* IOMMUKIT_FAULT_H */

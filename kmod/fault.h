/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page faults of devices, and the answers on their way back.
 *
 *	fault.c			where they go; and queues, which take them to user space
 *	fault_ondemand.c	groups that the kernel answers: on-demand memory
 *	fault_async.c		the pages that it finds for them
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

struct domain;
struct fault_resolver;
struct hwpt;
struct iommukit_ctx;
struct iommukit_device;
struct iommukit_ucmd;
struct pages;

/* Beside IOMMUKIT_PAGE_RESP_*, and only of the kernel: do not even look again. */
#define DEVICE_RESP_FAILURE 2

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
	struct iommukit_device *dev;
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
 * @unanswered_faults: faults in them; read without the lock by who looks on
 * @unread_lock: spinlock: protects @unread, @nr_unread and @unread_faults; taken in
 *	interrupts
 * @unread: groups that were not, oldest first
 * @nr_unread: how many
 * @unread_faults: faults in them, as above
 * @wait: poll
 */
struct fault_queue {
	struct iommukit_object obj;
	struct iommukit_ctx *ctx;
	struct mutex lock;
	struct xarray unanswered;
	unsigned int unanswered_faults;
	spinlock_t unread_lock;
	struct list_head unread;
	unsigned int nr_unread;
	unsigned int unread_faults;
	wait_queue_head_t wait;
};

struct fault_queue *fault_queue_get(struct iommukit_ctx *ctx, u32 id);
int fault_queue_cmd_alloc(struct iommukit_ucmd *ucmd);

void device_new_turn(struct iommukit_device *dev);
void device_same_turn(struct iommukit_device *dev);
void device_route_faults(struct iommukit_device *dev, struct hwpt *hwpt);
int device_report_faults(struct iommukit_device *dev,
			 const struct device_fault *faults, unsigned int nr,
			 void (*answer)(void *priv, u32 code), void *priv);

/* fault_ondemand.c */
u32 device_fault_code(struct iommukit_device *dev, int rc);
int device_resolve_faults(struct iommukit_device *dev,
			  const struct device_fault *faults, unsigned int nr,
			  void (*answer)(void *priv, u32 code), void *priv);

/**
 * struct device_request - A page that the kernel finds for a device
 * @iova: an IOVA in it
 * @prot: IOVA_READ, IOVA_WRITE: what the device wants
 * @rc: an errno if it is not to be looked for; gets what has become of it
 * @done: called when that is known; may free it
 * @priv: the caller's
 * @link: the rest is fault_async.c's: the list that it is in
 * @pages: the on-demand memory, with a reference, or NULL if there is none
 * @address: address of the page there
 * @domain: where it is loaded
 * @deadline: when it is too late, in jiffies
 */
struct device_request {
	unsigned long iova;
	unsigned int prot;
	int rc;
	void (*done)(struct device_request *req);
	void *priv;
	struct list_head link;
	struct pages *pages;
	unsigned long address;
	const struct domain *domain;
	unsigned long deadline;
};

/* fault_async.c */
int device_fault_async(struct iommukit_device *dev, struct device_request *reqs,
		       unsigned int nr);
bool device_faults_async(const struct iommukit_device *dev);
unsigned int device_faults_outstanding(const struct iommukit_device *dev);
void fault_resolver_prepare(struct fault_resolver *r, bool moving);
void fault_resolver_move(struct fault_resolver *r, struct hwpt *hwpt);
struct fault_resolver *fault_resolver_create(void);
void fault_resolver_put(struct fault_resolver *r);

/* For the test module */
void fault_async_set_patience(unsigned int ms);

int fault_async_init(void);
void fault_async_exit(void);

#endif /* IOMMUKIT_FAULT_H */

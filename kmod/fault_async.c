// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that devices ask the kernel for, from any context, and which it finds
 * meanwhile.
 *
 * What is mapped at the IOVA is looked up when the device asks, and held from then on;
 * so who finds the page, which may take any time, needs nothing of the device, its
 * HWPT or its IOAS. When the device is detached or moved, the requests are taken away
 * from those who are at work on them: it never waits for memory, nor for the process
 * whose memory it is. A request is in one list until somebody takes it out, under the
 * lock, and that one ends it.
 *
 * Requests for pages of one chunk are left to one worker, one behind the other: they
 * need the same locks, and often one has brought what the next one asks for.
 */
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "device.h"
#include "domain.h"
#include "fail.h"
#include "fault.h"
#include "ioas.h"
#include "ondemand.h"
#include "pages.h"

/* So many requests of a device wait; IOMMUs have fewer on their way. */
#define OUTSTANDING_MAX 1024

/* So many threads are at work for a device, however long each of them waits. */
#define NR_WORKERS 8

/* A device waits so long for a page, then it is to ask again. */
#define PATIENCE_MS 1000

static unsigned int patience_ms = PATIENCE_MS;
static struct workqueue_struct *resolver_wq;

/**
 * struct fault_worker - Who finds pages for a device
 * @work: is queued while @busy
 * @resolver: whose it is
 * @requests: for pages of one chunk, or one that needs none
 * @now: the first of them, which it is at work on; NULL if that was taken away
 * @busy: it is running, or about to, and has a reference of @resolver
 */
struct fault_worker {
	struct work_struct work;
	struct fault_resolver *resolver;
	struct list_head requests;
	struct device_request *now;
	bool busy;
};

/**
 * struct fault_resolver - The requests of a device
 * @refs: one of the device, one of each worker that is busy
 * @lock: spinlock: protects all that follows; may be taken in interrupts
 * @space: where the device's IOVA are looked up, or NULL: there are no requests
 * @domain: what it translates by
 * @moving: it may translate by something else already
 * @waiting: requests that no worker has yet, oldest first
 * @outstanding: requests in all lists
 * @turn: number of the attachment
 * @ending: how many workers are ending requests, of this turn or the last one
 * @wait: woken when one of those falls to 0
 * @workers: who finds the pages
 */
struct fault_resolver {
	refcount_t refs;
	spinlock_t lock;
	struct iova_space *space;
	const struct domain *domain;
	bool moving;
	struct list_head waiting;
	unsigned int outstanding;
	unsigned int turn;
	unsigned int ending[2];
	wait_queue_head_t wait;
	struct fault_worker workers[NR_WORKERS];
};

/* ---- requests ---- */

static bool same_chunk(const struct device_request *a,
		       const struct device_request *b)
{
	return a->pages && a->pages == b->pages &&
	       a->address / ONDEMAND_CHUNK == b->address / ONDEMAND_CHUNK;
}

/*
 * Whether what became of @a is what becomes of @b: if it was found, who wants less has it
 * as well; if not, that may be what is missing.
 */
static bool answers(const struct device_request *a, int rc,
		    const struct device_request *b)
{
	return a->pages && a->pages == b->pages && a->address == b->address &&
	       (a->iova & PAGE_MASK) == (b->iova & PAGE_MASK) &&
	       (rc ? b->prot == a->prot : !(b->prot & ~a->prot));
}

/* No lock of ours is held. Whom they belong to may free them. */
static void end_requests(struct list_head *list, int rc)
{
	struct device_request *req, *next;

	list_for_each_entry_safe(req, next, list, link) {
		struct pages *pages = req->pages;

		list_del(&req->link);
		req->rc = rc;
		req->done(req);
		if (pages)
			pages_put(pages);
	}
}

/* ---- workers ---- */

/* All that waits for pages of the same chunk as the first one that waits. */
static void take_chunk(struct fault_worker *w)
{
	struct fault_resolver *r = w->resolver;
	struct device_request *first, *req, *next;

	lockdep_assert_held(&r->lock);
	first = list_first_entry_or_null(&r->waiting, struct device_request,
					 link);
	list_for_each_entry_safe(req, next, &r->waiting, link)
		if (req == first || same_chunk(req, first))
			list_move_tail(&req->link, &w->requests);
}

/* The next request gets to @job, with a reference to its pages. */
static bool begin_request(struct fault_worker *w, struct device_request *job)
{
	struct fault_resolver *r = w->resolver;
	struct device_request *req;

	spin_lock_irq(&r->lock);
	if (list_empty(&w->requests))
		take_chunk(w);
	req = list_first_entry_or_null(&w->requests, struct device_request,
				       link);
	w->now = req;
	if (req) {
		*job = *req;
		if (job->pages)
			refcount_inc(&job->pages->refs);
	} else {
		w->busy = false;
	}
	spin_unlock_irq(&r->lock);
	return req;
}

static int run_request(const struct device_request *job)
{
	if (!job->pages)
		return job->rc;
	return ondemand_fault_until(job->pages->ondemand, job->address,
				    job->prot & IOVA_WRITE, job->domain,
				    job->iova & PAGE_MASK, job->deadline);
}

/* Whether something else may be mapped there by now, for the device as it is. */
static bool may_have_changed(const struct fault_resolver *r,
			     const struct device_request *job)
{
	return r->moving ||
	       (job->pages && !iova_space_shows(r->space, job->iova, job->pages,
						job->address));
}

/*
 * Take out what was answered, unless it has been taken away. That nothing was found is
 * of no interest then.
 */
static void take_answered(struct fault_worker *w,
			  const struct device_request *job, int *rc,
			  struct list_head *answered)
{
	struct fault_resolver *r = w->resolver;
	struct device_request *req, *next;

	lockdep_assert_held(&r->lock);
	if (!w->now)
		return;
	if (*rc && may_have_changed(r, job))
		*rc = -EAGAIN;
	list_for_each_entry_safe(req, next, &w->requests, link) {
		if (req != w->now && !answers(job, *rc, req))
			continue;
		list_move_tail(&req->link, answered);
		r->outstanding--;
	}
	w->now = NULL;
}

static void end_request(struct fault_worker *w, const struct device_request *job,
			int rc)
{
	struct fault_resolver *r = w->resolver;
	LIST_HEAD(answered);
	unsigned int turn;

	spin_lock_irq(&r->lock);
	take_answered(w, job, &rc, &answered);
	turn = r->turn % 2;
	r->ending[turn]++;
	spin_unlock_irq(&r->lock);

	end_requests(&answered, rc);

	spin_lock_irq(&r->lock);
	if (!--r->ending[turn])
		wake_up_all(&r->wait);
	spin_unlock_irq(&r->lock);
	if (job->pages)
		pages_put(job->pages);
}

static void worker_run(struct work_struct *work)
{
	struct fault_worker *w = container_of(work, struct fault_worker, work);
	struct fault_resolver *r = w->resolver;
	struct device_request job;

	while (begin_request(w, &job)) {
		end_request(w, &job, run_request(&job));
		cond_resched();
	}
	fault_resolver_put(r);
}

static void start_worker(struct fault_resolver *r)
{
	struct fault_worker *w;

	lockdep_assert_held(&r->lock);
	for (w = r->workers; w < r->workers + NR_WORKERS; w++) {
		if (w->busy)
			continue;
		w->busy = true;
		refcount_inc(&r->refs);
		queue_work(resolver_wq, &w->work);
		return;
	}
}

/* ---- from devices ---- */

/* Where it belongs: who is at work on its chunk, or the end of those that wait. */
static struct list_head *place_of(struct fault_resolver *r,
				  const struct device_request *req)
{
	struct fault_worker *w;

	for (w = r->workers; w < r->workers + NR_WORKERS; w++) {
		if (!list_empty(&w->requests) &&
		    same_chunk(req, list_first_entry(&w->requests,
						     struct device_request,
						     link)))
			return &w->requests;
	}
	return &r->waiting;
}

static void add_request(struct fault_resolver *r, struct device_request *req)
{
	struct list_head *place;

	lockdep_assert_held(&r->lock);
	req->pages = NULL;
	if (!req->rc)
		req->rc = iova_space_fault_now(r->space, req->iova, req->prot,
					       &req->pages, &req->address);
	req->domain = r->domain;
	req->deadline = jiffies + msecs_to_jiffies(READ_ONCE(patience_ms));
	place = place_of(r, req);
	list_add_tail(&req->link, place);
	r->outstanding++;
	if (place == &r->waiting)
		start_worker(r);
}

/**
 * device_fault_async - have pages found for a device while it does something else
 * @dev: the device
 * @reqs: the pages; the caller's until the last of them is done
 * @nr: how many
 *
 * Each of them gets an errno, or 0, and its done() is called exactly once:
 *
 *	0	it is there, or was a moment ago: the device looks again. Also of what is
 *		not on-demand memory, which is there as long as it is mapped
 *	-ENOENT	there was nothing at the IOVA when it was asked for; or the device has
 *		been detached
 *	-EAGAIN	the device is to ask again: what was mapped there is on its way, or has
 *		gone meanwhile; it took too long; or the device translates by another HWPT
 *	-EINVAL	drivers were asked to unpin what is mapped there, and it is closed
 *	-EPERM	the mapping does not allow it
 *	-EFAULT	the process has nothing there, or has gone
 *	-EIO	an IO page table has kept pages of this memory
 *	-ENOMEM
 *
 * or what the caller has put there before.
 *
 * done() is called in process context, and may sleep and ask for more. No lock is held,
 * but that of the device's group if the device is detached or moved: it neither does
 * that nor waits for who does. All that were asked for before are done by the time when
 * either is.
 *
 * Context: any but NMI.
 * Return: 0; -ENODEV if the device is not attached to a HWPT that the kernel finds pages
 * for; -EIO if the context is dead; -EAGAIN if too many are outstanding. On failure none
 * of them will be done.
 */
int device_fault_async(struct iommukit_device *dev, struct device_request *reqs,
		       unsigned int nr)
{
	struct fault_resolver *r = dev->resolver;
	unsigned long flags;
	unsigned int i;
	int rc = 0;

	spin_lock_irqsave(&r->lock, flags);
	if (!r->space)
		rc = -ENODEV;
	else if (ctx_check(dev->ctx))
		rc = -EIO;
	else if (nr > OUTSTANDING_MAX - r->outstanding)
		rc = -EAGAIN;
	for (i = 0; !rc && i < nr; i++)
		add_request(r, &reqs[i]);
	spin_unlock_irqrestore(&r->lock, flags);
	return rc;
}

/**
 * device_faults_async - whether device_fault_async() would find pages
 * @dev: the device
 *
 * Context: any.
 */
bool device_faults_async(const struct iommukit_device *dev)
{
	return READ_ONCE(dev->resolver->space);
}

/**
 * device_faults_outstanding - how many pages the kernel is looking for, for a device
 * @dev: the device
 *
 * Context: any.
 */
unsigned int device_faults_outstanding(const struct iommukit_device *dev)
{
	return READ_ONCE(dev->resolver->outstanding);
}

/* ---- attaching ---- */

/* What a device asks for as long as it is attached there, if that is the kernel's. */
static struct ioas *resolved_by_kernel(struct hwpt *hwpt,
				       const struct domain **domain)
{
	if (!hwpt || hwpt->queue)
		return NULL;
	*domain = hwpt_of_tables(hwpt)->domain;
	return (*domain)->faults ? hwpt->ioas : NULL;
}

static void take_all(struct fault_resolver *r, struct list_head *list)
{
	struct fault_worker *w;

	lockdep_assert_held(&r->lock);
	for (w = r->workers; w < r->workers + NR_WORKERS; w++) {
		list_splice_tail_init(&w->requests, list);
		w->now = NULL;
	}
	list_splice_tail_init(&r->waiting, list);
	r->outstanding = 0;
}

/**
 * fault_resolver_prepare - a device is going to be moved, or is not after all
 * @r: of the device
 * @moving: it is
 *
 * What it asks for may be a matter of what it comes to: meanwhile nothing is an error.
 *
 * Context: process context.
 */
void fault_resolver_prepare(struct fault_resolver *r, bool moving)
{
	spin_lock_irq(&r->lock);
	r->moving = moving;
	spin_unlock_irq(&r->lock);
}

/**
 * fault_resolver_move - let a device ask for what another HWPT maps
 * @r: of the device
 * @hwpt: what it is attached to from now on, or NULL
 *
 * All that it has asked for is done on return. Only one at a time.
 *
 * Context: may sleep, but waits for no memory.
 */
void fault_resolver_move(struct fault_resolver *r, struct hwpt *hwpt)
{
	const struct domain *domain = NULL;
	struct ioas *ioas = resolved_by_kernel(hwpt, &domain);
	unsigned int turn;
	LIST_HEAD(left);

	spin_lock_irq(&r->lock);
	take_all(r, &left);
	WRITE_ONCE(r->space, ioas ? &ioas->space : NULL);
	r->domain = domain;
	r->moving = false;
	turn = r->turn++ % 2;
	spin_unlock_irq(&r->lock);
	end_requests(&left, hwpt ? -EAGAIN : -ENOENT);
	wait_event(r->wait, !READ_ONCE(r->ending[turn]));
}

/**
 * fault_resolver_create - for a device that is not attached
 *
 * Context: may sleep.
 * Return: for fault_resolver_put(), or NULL.
 */
struct fault_resolver *fault_resolver_create(void)
{
	struct fault_resolver *r = fail_alloc(kzalloc(sizeof(*r),
						      GFP_KERNEL_ACCOUNT));
	struct fault_worker *w;

	if (!r)
		return NULL;
	refcount_set(&r->refs, 1);
	spin_lock_init(&r->lock);
	INIT_LIST_HEAD(&r->waiting);
	init_waitqueue_head(&r->wait);
	for (w = r->workers; w < r->workers + NR_WORKERS; w++) {
		INIT_WORK(&w->work, worker_run);
		w->resolver = r;
		INIT_LIST_HEAD(&w->requests);
	}
	return r;
}

/**
 * fault_resolver_put - the device has ended, and is not attached
 * @r: of the device, or NULL; workers may go on with it for a while
 *
 * Context: any.
 */
void fault_resolver_put(struct fault_resolver *r)
{
	if (r && refcount_dec_and_test(&r->refs))
		kfree(r);
}

/**
 * fault_async_set_patience - let devices wait longer or shorter for a page
 * @ms: for how long; 0: as ever
 */
void fault_async_set_patience(unsigned int ms)
{
	WRITE_ONCE(patience_ms, ms ?: PATIENCE_MS);
}

int fault_async_init(void)
{
	/* Workers wait for memory, and whoever waits for them holds no lock. */
	resolver_wq = alloc_workqueue("iommukit_fault", WQ_UNBOUND, 0);
	return resolver_wq ? 0 : -ENOMEM;
}

void fault_async_exit(void)
{
	destroy_workqueue(resolver_wq);
}

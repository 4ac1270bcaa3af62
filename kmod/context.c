// SPDX-License-Identifier: GPL-2.0-only
/*
 * Life of contexts, and the list of all of them.
 *
 * A context is in the list from the moment it is complete until its last object has
 * ended: what takes long to end is seen for as long.
 */
#include "context.h"

#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "fail.h"
#include "netlink.h"
#include "object.h"

static DEFINE_XARRAY_FLAGS(contexts, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
/* Under its lock: the last number, and how many contexts have come and gone */
static u32 last_id;
static unsigned int changes;

static void note_owner(struct iommukit_ctx *ctx)
{
	ctx->pid = get_pid(task_tgid(current));
	ctx->mm = current->mm;
	if (ctx->mm)
		mmgrab(ctx->mm);
	ctx->user = get_uid(current_user());
	ctx->uid = current_uid();
	get_task_comm(ctx->comm, current->group_leader);
	ctx->created = ktime_get_boottime_ns();
}

/**
 * context_create - make the context of a file
 * @file: the file, being opened by the current process
 *
 * Context: process context, may sleep.
 * Return: the context for context_end(); -ENOMEM; -EBUSY when all numbers are taken.
 */
struct iommukit_ctx *context_create(struct file *file)
{
	struct iommukit_ctx *ctx = fail_alloc(kzalloc(sizeof(*ctx),
						      GFP_KERNEL_ACCOUNT));
	int rc;

	if (!ctx)
		return ERR_PTR(-ENOMEM);
	rc = fail_point(-ENOMEM) ?:
	     xa_alloc_cyclic(&contexts, &ctx->id, NULL,
			     XA_LIMIT(1, CONTEXT_ID_MAX), &last_id,
			     GFP_KERNEL_ACCOUNT);
	if (rc < 0) {
		kfree(ctx);
		return ERR_PTR(rc);
	}
	ctx->file = file;
	refcount_set(&ctx->refs, 1);
	note_owner(ctx);
	xa_init_flags(&ctx->objects, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	init_waitqueue_head(&ctx->wait);
	mutex_init(&ctx->groups_lock);
	INIT_LIST_HEAD(&ctx->groups);

	xa_lock(&contexts);
	__xa_store(&contexts, ctx->id, ctx, 0);
	changes++;
	netlink_context_event(ctx, true);
	xa_unlock(&contexts);
	return ctx;
}

/**
 * context_end - end a context with all its objects
 * @ctx: the context, whose file nobody has any more; the structure may stay
 *
 * Context: process context, may sleep.
 */
void context_end(struct iommukit_ctx *ctx)
{
	objects_destroy_all(ctx);
	WARN_ON(!list_empty(&ctx->groups));
	xa_lock(&contexts);
	__xa_erase(&contexts, ctx->id);
	changes++;
	netlink_context_event(ctx, false);
	xa_unlock(&contexts);
	context_put(ctx);
}

/**
 * context_free - free the structure of a context
 * @ctx: the context; for context_put() only
 *
 * Context: may sleep.
 */
void context_free(struct iommukit_ctx *ctx)
{
	mutex_destroy(&ctx->groups_lock);
	put_pid(ctx->pid);
	if (ctx->mm)
		mmdrop(ctx->mm);
	free_uid(ctx->user);
	kfree(ctx);
}

/**
 * context_next - find the context with the lowest number from some number on
 * @id: that number
 *
 * Context: any.
 * Return: the context for context_put(), or NULL.
 */
struct iommukit_ctx *context_next(u32 id)
{
	struct iommukit_ctx *ctx;
	unsigned long index = id;

	xa_lock(&contexts);
	ctx = xa_find(&contexts, &index, CONTEXT_ID_MAX, XA_PRESENT);
	if (ctx)
		context_get(ctx);
	xa_unlock(&contexts);
	return ctx;
}

/**
 * contexts_changes - a number that changes when a context comes or goes
 *
 * Context: any.
 */
unsigned int contexts_changes(void)
{
	return READ_ONCE(changes);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ids, counts and ends of objects.
 *
 * An object is created in two steps. Reserving takes the id and everything that
 * can fail; lookups do not see the object. Publishing cannot fail and is the
 * last step of a successful command, after the response reached user space.
 *
 * Counts go up only under the lock of the table; they may fall anywhere. A
 * destroyer that finds both at 1 under the lock is therefore alone.
 */
#include "object.h"

#include <linux/module.h>
#include <linux/slab.h>

#include "fail.h"
#include "netlink.h"
#include "private.h"

/* The first mark is the array's own. */
#define OBJECT_MARK XA_MARK_1

/* How many have come and gone, in all contexts */
static atomic_t changes;

/* An object is found from now on, or not any more; under the lock of the table. */
static void object_came(struct iommukit_ctx *ctx, struct iommukit_object *obj)
{
	ctx->nr_objects++;
	atomic_inc(&changes);
	netlink_object_event(ctx, obj, true);
}

/*
 * Its id stays reserved, for the caller to free: what is told of an object while it ends
 * could be taken for the next one's.
 */
static void object_went(struct iommukit_ctx *ctx, struct iommukit_object *obj)
{
	__xa_clear_mark(&ctx->objects, obj->id, OBJECT_MARK);
	__xa_store(&ctx->objects, obj->id, NULL, 0);
	ctx->nr_objects--;
	atomic_inc(&changes);
	netlink_object_event(ctx, obj, false);
}

static void object_free(struct iommukit_object *obj)
{
	struct module *owner = obj->ops->owner;

	kfree(obj);
	module_put(owner);
}

static void object_destroy(struct iommukit_ctx *ctx,
			   struct iommukit_object *obj)
{
	u32 id = obj->id;

	obj->ops->destroy(obj);
	object_free(obj);
	xa_erase(&ctx->objects, id);
}

/**
 * object_reserve - create an object that nobody can look up yet
 * @ctx: the context
 * @size: size of the structure whose first member the object is
 * @ops: its type
 *
 * Context: may sleep.
 * Return: the zeroed object with the lowest free id and one count each, or
 * -ENOMEM, or -EBUSY when all ids are taken.
 */
struct iommukit_object *object_reserve(struct iommukit_ctx *ctx, size_t size,
				       const struct object_ops *ops)
{
	struct iommukit_object *obj;
	int rc;

	obj = fail_alloc(kzalloc(size, GFP_KERNEL_ACCOUNT));
	if (!obj)
		return ERR_PTR(-ENOMEM);
	/* One of its functions is running. */
	__module_get(ops->owner);
	obj->ops = ops;
	refcount_set(&obj->users, 1);
	refcount_set(&obj->busy, 1);

	rc = fail_point(-ENOMEM) ?:
	     xa_alloc(&ctx->objects, &obj->id, NULL, XA_LIMIT(1, INT_MAX),
		      GFP_KERNEL_ACCOUNT);
	if (rc) {
		object_free(obj);
		return ERR_PTR(rc);
	}
	return obj;
}

/**
 * object_publish - let lookups find a reserved object
 * @ctx: the context
 * @obj: from object_reserve(), initialised completely
 *
 * The slot exists since the id was reserved, so nothing is allocated.
 */
void object_publish(struct iommukit_ctx *ctx, struct iommukit_object *obj)
{
	void *old;

	xa_lock(&ctx->objects);
	old = __xa_store(&ctx->objects, obj->id, obj, 0);
	object_came(ctx, obj);
	xa_unlock(&ctx->objects);
	WARN_ON(old);
}

/**
 * object_abort - give up a reserved object
 * @ctx: the context
 * @obj: from object_reserve(), never published; what it owns is the caller's
 *	to undo
 */
void object_abort(struct iommukit_ctx *ctx, struct iommukit_object *obj)
{
	xa_erase(&ctx->objects, obj->id);
	object_free(obj);
}

/**
 * object_get - look an object up for the time of a command
 * @ctx: the context
 * @id: its id
 * @ops: the type it must have, or NULL
 *
 * Context: any. Undone by object_put().
 * Return: the object, or -ENOENT if there is none of that id and type, or the context
 * ends.
 */
struct iommukit_object *object_get(struct iommukit_ctx *ctx, u32 id,
				   const struct object_ops *ops)
{
	struct iommukit_object *obj;

	if (fail_point(-ENOENT))
		return ERR_PTR(-ENOENT);
	xa_lock(&ctx->objects);
	obj = ctx->ending ? NULL : xa_load(&ctx->objects, id);
	if (obj && (!ops || obj->ops == ops)) {
		refcount_inc(&obj->users);
		refcount_inc(&obj->busy);
	} else {
		obj = ERR_PTR(-ENOENT);
	}
	xa_unlock(&ctx->objects);
	return obj;
}

/**
 * object_tryget - object_get() for who has a pointer
 * @ctx: the context
 * @obj: an object whose destroy routine cannot have come to its end, being kept
 *	by a lock of the caller's
 *
 * Context: any. Undone by object_put().
 * Return: false if it is being destroyed, or not published yet.
 */
bool object_tryget(struct iommukit_ctx *ctx, struct iommukit_object *obj)
{
	bool found;

	xa_lock(&ctx->objects);
	found = xa_load(&ctx->objects, obj->id) == obj;
	if (found) {
		refcount_inc(&obj->users);
		refcount_inc(&obj->busy);
	}
	xa_unlock(&ctx->objects);
	return found;
}

/**
 * object_get_marked - look the marked object up for the time of a command
 * @ctx: the context
 *
 * Context: any. Undone by object_put().
 * Return: the object, or NULL.
 */
struct iommukit_object *object_get_marked(struct iommukit_ctx *ctx)
{
	struct iommukit_object *obj;
	unsigned long id = 0;

	xa_lock(&ctx->objects);
	obj = xa_find(&ctx->objects, &id, ULONG_MAX, OBJECT_MARK);
	if (obj) {
		refcount_inc(&obj->users);
		refcount_inc(&obj->busy);
	}
	xa_unlock(&ctx->objects);
	return obj;
}

/**
 * object_set_marked - mark an object, and no other
 * @ctx: the context
 * @obj: an object the caller has from object_get(), or NULL
 *
 * The mark is no use of the object. It goes when the object leaves the table.
 *
 * Context: any.
 */
void object_set_marked(struct iommukit_ctx *ctx, struct iommukit_object *obj)
{
	unsigned long id = 0;

	xa_lock(&ctx->objects);
	if (xa_find(&ctx->objects, &id, ULONG_MAX, OBJECT_MARK))
		__xa_clear_mark(&ctx->objects, id, OBJECT_MARK);
	if (obj)
		__xa_set_mark(&ctx->objects, obj->id, OBJECT_MARK);
	xa_unlock(&ctx->objects);
}

/**
 * object_put_busy - end the command's part of object_get() only
 * @ctx: the context
 * @obj: an object from object_get(); the caller stays its user
 */
void object_put_busy(struct iommukit_ctx *ctx, struct iommukit_object *obj)
{
	refcount_dec(&obj->busy);
	/* From here on @obj may be destroyed; @ctx is held by the command. */
	if (wq_has_sleeper(&ctx->wait))
		wake_up_all(&ctx->wait);
}

/**
 * object_put - undo object_get()
 * @ctx: the context
 * @obj: the object; may be gone on return
 */
void object_put(struct iommukit_ctx *ctx, struct iommukit_object *obj)
{
	/* In this order: who sees busy fall sees that users fell as well. */
	refcount_dec(&obj->users);
	object_put_busy(ctx, obj);
}

/*
 * Take the object out of the table if nobody uses it, and hand it out; or hand
 * out why not. Returns false while only commands use it.
 */
static bool object_erased(struct iommukit_ctx *ctx, u32 id,
			  struct iommukit_object **out)
{
	struct iommukit_object *obj;
	unsigned int busy, users;
	bool decided = true;

	xa_lock(&ctx->objects);
	obj = xa_load(&ctx->objects, id);
	if (!obj) {
		*out = ERR_PTR(-ENOENT);
		goto out_unlock;
	}
	/* Against the order of object_put(), or a user just gone would count. */
	busy = refcount_read(&obj->busy);
	smp_rmb(); /* pairs with the release of refcount_dec() there */
	users = refcount_read(&obj->users);
	*out = obj;
	if (users > busy)
		*out = ERR_PTR(-EBUSY);
	else if (busy > 1)
		decided = false;
	else
		object_went(ctx, obj);
out_unlock:
	xa_unlock(&ctx->objects);
	return decided;
}

/**
 * object_destroy_id - destroy an object on behalf of user space
 * @ctx: the context
 * @id: the object's id
 *
 * Waits for other commands on the object.
 *
 * Context: may sleep; killable.
 * Return: 0; -ENOENT if there is no such object; -EBUSY if it has lasting
 * users; -EINTR if a fatal signal came while waiting.
 */
int object_destroy_id(struct iommukit_ctx *ctx, u32 id)
{
	struct iommukit_object *obj;
	int rc;

	if (fail_point(-ENOENT))
		return -ENOENT;
	rc = wait_event_killable(ctx->wait, object_erased(ctx, id, &obj));
	if (rc)
		return -EINTR;
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	object_destroy(ctx, obj);
	return 0;
}

/* Whether it is decided what becomes of an object that a lasting user leaves. */
static bool object_left(struct iommukit_ctx *ctx, struct iommukit_object *obj,
			bool destroy, bool *alone)
{
	unsigned int busy, users;
	bool decided = true;

	xa_lock(&ctx->objects);
	busy = refcount_read(&obj->busy);
	smp_rmb(); /* as in object_erased() */
	users = refcount_read(&obj->users);
	*alone = false;
	if (users > busy + 1) {
		refcount_dec(&obj->users);
	} else if (busy > 1) {
		decided = false;
	} else {
		object_went(ctx, obj);
		if (!destroy)
			__xa_erase(&ctx->objects, obj->id);
		*alone = true;
	}
	xa_unlock(&ctx->objects);
	return decided;
}

/**
 * object_end_user - stop using an object and end it, if nobody else uses it
 * @ctx: the context
 * @obj: an object of object_hold()
 * @destroy: call its destroy routine and free it; otherwise that is up to the
 *	caller
 *
 * Waits for running commands on it, for one of them may be about to use it.
 *
 * Context: may sleep.
 * Return: whether nobody else used it.
 */
bool object_end_user(struct iommukit_ctx *ctx, struct iommukit_object *obj,
		     bool destroy)
{
	bool alone;

	wait_event_idle(ctx->wait, object_left(ctx, obj, destroy, &alone));
	if (alone && destroy)
		object_destroy(ctx, obj);
	return alone;
}

/**
 * object_take - take an object out of the table on behalf of what it stands for
 * @ctx: its context
 * @obj: an object that never has lasting users, and whose destroy routine cannot
 *	have come to its end, being kept by a lock of the caller's
 *
 * Context: any.
 * Return: true if its end is up to the caller, by object_end_taken(), and the context
 * waits for that; false if somebody else is ending it.
 */
bool object_take(struct iommukit_ctx *ctx, struct iommukit_object *obj)
{
	bool mine;

	xa_lock(&ctx->objects);
	mine = xa_load(&ctx->objects, obj->id) == obj;
	if (mine) {
		object_went(ctx, obj);
		ctx->taken++;
	}
	xa_unlock(&ctx->objects);
	return mine;
}

/**
 * object_end_taken - end an object of object_take()
 * @ctx: its context; may be gone on return
 * @obj: the object
 *
 * Waits for commands that run on it. There are no new ones.
 *
 * Context: may sleep.
 */
void object_end_taken(struct iommukit_ctx *ctx, struct iommukit_object *obj)
{
	wait_event_idle(ctx->wait, refcount_read(&obj->busy) == 1);
	object_destroy(ctx, obj);
	xa_lock(&ctx->objects);
	ctx->taken--;
	wake_up_all(&ctx->wait);
	xa_unlock(&ctx->objects);
}

/**
 * object_remove - take an object out of the table on behalf of its driver
 * @ctx: the context
 * @obj: an object the caller is the last lasting user of
 *
 * No command looks accesses up, so there is nobody to wait for. The
 * destroy routine is not called; freeing with kfree() is up to the caller.
 *
 * Context: any.
 */
void object_remove(struct iommukit_ctx *ctx, struct iommukit_object *obj)
{
	xa_lock(&ctx->objects);
	object_went(ctx, obj);
	__xa_erase(&ctx->objects, obj->id);
	xa_unlock(&ctx->objects);
}

/* Returns whether there were some that others have taken out of the table. */
static bool await_taken(struct iommukit_ctx *ctx)
{
	bool some;

	/* Whoever brought the last one to its end may still be inside the lock. */
	xa_lock(&ctx->objects);
	some = ctx->taken;
	xa_unlock(&ctx->objects);
	if (some)
		wait_event_idle(ctx->wait, !READ_ONCE(ctx->taken));
	return some;
}

/**
 * objects_destroy_all - end all objects when their context ends
 * @ctx: the context; there is nobody else but who looks on
 *
 * An object may be used by others, so passes over the table destroy what is not
 * used until nothing is left.
 */
void objects_destroy_all(struct iommukit_ctx *ctx)
{
	struct iommukit_object *obj;
	unsigned long id;
	bool progress;

	/* Or those who look on, by turns, would keep an object for ever. */
	xa_lock(&ctx->objects);
	ctx->ending = true;
	xa_unlock(&ctx->objects);
	do {
		progress = false;
		xa_for_each(&ctx->objects, id, obj) {
			/* Who only looks on is about to be done with it. */
			wait_event_idle(ctx->wait, object_erased(ctx, id, &obj));
			if (IS_ERR(obj))
				continue;
			object_destroy(ctx, obj);
			progress = true;
			cond_resched();
		}
	} while (await_taken(ctx) || progress);
	WARN_ON(!xa_empty(&ctx->objects));
	xa_destroy(&ctx->objects);
}

/* ---- for who looks on ---- */

/**
 * object_next - tell of the object with the lowest id from some id on
 * @ctx: the context; need not have a file any more
 * @id: that id
 * @tell: called for it
 * @opaque: argument for that
 *
 * Context: any.
 * Return: what @tell has returned, or -ENOENT if there is none.
 */
int object_next(struct iommukit_ctx *ctx, u32 id, object_tell_fn tell,
		void *opaque)
{
	struct iommukit_object *obj;
	unsigned int busy, users;
	unsigned long index = id;
	int rc = -ENOENT;

	xa_lock(&ctx->objects);
	obj = xa_find(&ctx->objects, &index, ULONG_MAX, XA_PRESENT);
	if (obj) {
		busy = refcount_read(&obj->busy);
		smp_rmb(); /* as in object_erased() */
		users = refcount_read(&obj->users);
		rc = tell(opaque, obj, users > busy ? users - busy : 0);
	}
	xa_unlock(&ctx->objects);
	return rc;
}

/**
 * objects_changes - a number that changes when an object comes or goes anywhere
 *
 * Context: any.
 */
unsigned int objects_changes(void)
{
	return atomic_read(&changes);
}

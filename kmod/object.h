/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Objects: things with an id in a context.
 *
 * An object has two counts. @users is raised by everything that must keep the
 * object from being destroyed. @busy is raised together with it for the time of
 * one command only. So users > busy means that somebody lasting uses the
 * object (destroying it is refused), while users == busy > 1 means that just
 * commands run on it (destroying waits for them). The dumps of netlink are such
 * commands, but of those who have not opened the context: each of their messages
 * is one, so that destroying waits for that only.
 */
#ifndef IOMMUKIT_OBJECT_H
#define IOMMUKIT_OBJECT_H

#include <linux/build_bug.h>
#include <linux/refcount.h>
#include <linux/types.h>

struct iommukit_ctx;
struct iommukit_object;
struct module;
struct sk_buff;

/**
 * struct object_ops - A type of objects
 * @name: what it is called
 * @owner: module that stays while there is an object of the type; NULL for ours
 * @destroy: end the object's life, before its memory is freed. May sleep; the
 *	id is gone and nobody else has a reference. Cannot fail.
 * @nest: attribute of enum iommukit_nl_a_object in which it describes itself
 * @describe: put the attributes of its state, or return -EMSGSIZE. Called under the lock
 *	of the table, so that whoever looks on keeps nobody from ending the object: takes
 *	no lock but spinlocks that are inside of it. What it looks at is there until the
 *	object has left the table. NULL: there is nothing to say.
 */
struct object_ops {
	const char *name;
	struct module *owner;
	void (*destroy)(struct iommukit_object *obj);
	int nest;
	int (*describe)(struct iommukit_object *obj, struct sk_buff *skb);
};

/**
 * struct iommukit_object - First member of everything that has an id
 * @ops: the type
 * @users: 1 for the table, and 1 for each user
 * @busy: 1 for the table, and 1 for each running command
 * @id: the id, 1 to INT_MAX
 */
struct iommukit_object {
	const struct object_ops *ops;
	refcount_t users;
	refcount_t busy;
	u32 id;
};

/**
 * typedef object_tell_fn - Tells of an object that was found
 * @opaque: as given to object_next()
 * @obj: the object, which stays until this returns, and no longer
 * @users: who use it beyond a command, and keep it from being destroyed
 *
 * Context: under the lock of the table.
 * Return: what object_next() shall return; not -ENOENT.
 */
typedef int (*object_tell_fn)(void *opaque, struct iommukit_object *obj,
			      u32 users);

struct iommukit_object *object_reserve(struct iommukit_ctx *ctx, size_t size,
				       const struct object_ops *ops);
void object_publish(struct iommukit_ctx *ctx, struct iommukit_object *obj);
void object_abort(struct iommukit_ctx *ctx, struct iommukit_object *obj);
struct iommukit_object *object_get(struct iommukit_ctx *ctx, u32 id,
				   const struct object_ops *ops);
struct iommukit_object *object_get_marked(struct iommukit_ctx *ctx);
void object_set_marked(struct iommukit_ctx *ctx, struct iommukit_object *obj);
void object_put(struct iommukit_ctx *ctx, struct iommukit_object *obj);
void object_put_busy(struct iommukit_ctx *ctx, struct iommukit_object *obj);
int object_destroy_id(struct iommukit_ctx *ctx, u32 id);
bool object_tryget(struct iommukit_ctx *ctx, struct iommukit_object *obj);
bool object_end_user(struct iommukit_ctx *ctx, struct iommukit_object *obj,
		    bool destroy);
bool object_take(struct iommukit_ctx *ctx, struct iommukit_object *obj);
void object_end_taken(struct iommukit_ctx *ctx, struct iommukit_object *obj);
void object_remove(struct iommukit_ctx *ctx, struct iommukit_object *obj);
void objects_destroy_all(struct iommukit_ctx *ctx);
int object_next(struct iommukit_ctx *ctx, u32 id, object_tell_fn tell,
		void *opaque);
unsigned int objects_changes(void);

/**
 * object_hold - use an object beyond the running command
 * @obj: an object the caller has from object_get()
 *
 * Context: any. Undone by object_release().
 */
static inline void object_hold(struct iommukit_object *obj)
{
	refcount_inc(&obj->users);
}

/**
 * object_release - undo object_hold()
 * @obj: the object
 *
 * Context: any. The object may be gone on return.
 */
static inline void object_release(struct iommukit_object *obj)
{
	refcount_dec(&obj->users);
}

#endif /* IOMMUKIT_OBJECT_H */

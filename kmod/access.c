// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses: a driver's handle on an IOAS, or on an IOTLB that leads to one. The rules
 * for drivers, and who calls unmap when, are in <linux/iommukit.h>.
 *
 * While an access changes it has its old place still, but is not open any more: rw and
 * pin fail, and the driver's unmap may give pins back. All of them run in parallel under
 * the read side of @lock; a change takes the write side, but never while it calls unmap.
 */
#include <linux/file.h>
#include <linux/interval_tree.h>
#include <linux/iommukit.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "access.h"
#include "compat.h"
#include "describe.h"
#include "fail.h"
#include "ioas.h"
#include "pages.h"
#include "private.h"
#include "test_hooks.h"

static u64 count_copies(const struct iommukit_access *access)
{
	u64 copies = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		copies += READ_ONCE(*per_cpu_ptr(access->copies, cpu));
	return copies;
}

static int access_describe(struct iommukit_object *obj, struct sk_buff *skb)
{
	const struct iommukit_access *access =
		container_of(obj, struct iommukit_access, obj);
	u32 place_id = READ_ONCE(access->place_id);
	int rc = 0;

	if (place_id)
		rc = describe_u32(skb, IOMMUKIT_NL_A_ACCESS_STAGE_ID, place_id);
	return rc ?:
	       describe_string(skb, IOMMUKIT_NL_A_ACCESS_DRIVER, access->driver) ?:
	       describe_u64(skb, IOMMUKIT_NL_A_ACCESS_PINS,
			    READ_ONCE(access->nr_pins), IOMMUKIT_NL_A_ACCESS_PAD) ?:
	       describe_u64(skb, IOMMUKIT_NL_A_ACCESS_COPIES,
			    count_copies(access), IOMMUKIT_NL_A_ACCESS_PAD);
}

/* The table holds one user, the driver another: only the driver can end it. */
static const struct object_ops access_object_ops = {
	.name = "access",
	.nest = IOMMUKIT_NL_A_OBJECT_ACCESS,
	.describe = access_describe,
};

/* ---- membership ---- */

static bool access_holds(void *owner, unsigned long first, unsigned long last)
{
	struct iommukit_access *access = owner;
	bool holds;

	spin_lock(&access->pins_lock);
	holds = interval_tree_iter_first(&access->pins, first, last);
	spin_unlock(&access->pins_lock);
	return holds;
}

static void access_unmap(void *owner, unsigned long iova, unsigned long length)
{
	struct iommukit_access *access = owner;

	access->ops->unmap(access->data, iova, length);
	if (!access->relays && access_holds(access, iova, iova + length - 1))
		access_misuse(access, "returned with pins left in an unmapped range");
}

static void access_mark(void *owner, unsigned long first, unsigned long last)
{
	struct iommukit_access *access = owner;
	struct interval_tree_node *node;

	spin_lock(&access->pins_lock);
	for (node = interval_tree_iter_first(&access->pins, first, last); node;
	     node = interval_tree_iter_next(node, first, last))
		access_pin_mark(container_of(node, struct access_pin, node),
				first, last);
	spin_unlock(&access->pins_lock);
}

static const struct iova_member_ops access_member_ops = {
	.holds = access_holds,
	.mark = access_mark,
	.unmap = access_unmap,
};

/* Look an IOAS up and use it for long. */
static struct ioas *access_hold_ioas(struct iommukit_access *access, u32 id)
{
	struct ioas *ioas = ioas_get(access->ctx, id);

	if (IS_ERR(ioas))
		return ioas;
	object_hold(&ioas->obj);
	ioas_put(access->ctx, ioas);
	return ioas;
}

static void access_release_ioas(struct iommukit_access *access,
				struct ioas *ioas)
{
	object_release(&ioas->obj);
	/* A DESTROY that found this user does not wait; nobody to wake. */
}

static struct iova_member *access_join(struct iommukit_access *access,
				       struct ioas *ioas)
{
	struct iova_member *member;
	int rc;

	member = fail_alloc(kzalloc(sizeof(*member), GFP_KERNEL_ACCOUNT));
	if (!member)
		return ERR_PTR(-ENOMEM);
	member->ops = &access_member_ops;
	member->owner = access;
	member->needs_page_alignment = access->ops->needs_pin_pages;
	rc = iova_space_join(&ioas->space, member);
	if (rc) {
		kfree(member);
		return ERR_PTR(rc);
	}
	return member;
}

/* ---- places ---- */

static int place_join_ioas(struct iommukit_access *access, struct ioas *ioas,
			   struct access_place *place)
{
	struct iova_member *member = access_join(access, ioas);

	if (IS_ERR(member)) {
		access_release_ioas(access, ioas);
		return PTR_ERR(member);
	}
	*place = (struct access_place){ .ioas = ioas, .member = member };
	return 0;
}

/* Get ready to be attached to @id. Returns 1 if the access is there already. */
static int place_join(struct iommukit_access *access, u32 id,
		      struct access_place *place)
{
	struct ioas *ioas = access_hold_ioas(access, id);
	struct access_stage *stage;

	if (!IS_ERR(ioas)) {
		if (ioas != access->place.ioas)
			return place_join_ioas(access, ioas, place);
		access_release_ioas(access, ioas);
		return 1;
	}
	if (ioas != ERR_PTR(-ENOENT))
		return PTR_ERR(ioas);
	if (access->place.stage && access_stage_id(access->place.stage) == id)
		return 1;
	stage = access_stage_attach(access, id);
	if (IS_ERR(stage))
		return PTR_ERR(stage);
	*place = (struct access_place){ .stage = stage };
	return 0;
}

static void place_open(struct iommukit_access *access,
		       const struct access_place *place)
{
	if (place->ioas)
		iova_member_activate(&place->ioas->space, place->member);
	access->place = *place;
	access->open = access_is_attached(access);
	WRITE_ONCE(access->place_id, place->ioas ? place->ioas->obj.id :
				     place->stage ? access_stage_id(place->stage) : 0);
}

/* From here on only who changes the access calls the driver's unmap. */
static void place_stop(const struct access_place *place)
{
	if (place->stage)
		access_stage_stop(place->stage);
	else
		iova_member_stop(&place->ioas->space, place->member);
}

static void place_leave(struct iommukit_access *access,
			const struct access_place *place)
{
	if (place->stage) {
		access_stage_detach(place->stage);
		return;
	}
	kfree(place->member);
	access_release_ioas(access, place->ioas);
}

/* Pins that the driver did not give back stay pinned for ever. */
static void access_forget_pins(struct iommukit_access *access)
{
	struct access_pin *pin, *next;
	struct rb_root_cached pins;

	if (access->place.stage)
		access_stage_forget(access->place.stage);
	spin_lock(&access->pins_lock);
	pins = access->pins;
	access->pins = RB_ROOT_CACHED;
	WRITE_ONCE(access->nr_pins, 0);
	spin_unlock(&access->pins_lock);
	if (RB_EMPTY_ROOT(&pins.rb_root))
		return;
	access_misuse(access, "left an IOAS without unpinning; the pages are lost");
	rbtree_postorder_for_each_entry_safe(pin, next, &pins.rb_root, node.rb)
		kvfree(pin);
}

/*
 * Leave the old place and make @place, if it is one, the new one. The caller has closed
 * the access, so nobody else changes it meanwhile.
 */
static void access_drain(struct iommukit_access *access,
			 const struct access_place *place)
{
	struct access_place old = access->place;

	place_stop(&old);
	if (access->ops->unmap)
		access->ops->unmap(access->data, 0, ULONG_MAX);

	down_write(&access->lock);
	access_forget_pins(access);
	if (old.ioas)
		iova_space_leave(&old.ioas->space, old.member);
	place_open(access, place);
	up_write(&access->lock);
	place_leave(access, &old);
}

static const struct access_place nowhere;

/* Threads that wait for a server must not be waited for. */
static void access_cancel(struct iommukit_access *access)
{
	down_read(&access->lock);
	if (access->place.stage)
		access_stage_cancel(access->place.stage);
	up_read(&access->lock);
}

/* ---- life ---- */

/**
 * __iommukit_access_create - iommukit_access_create() of a module
 * @ictx: the context
 * @ops: what the core needs to know of the driver
 * @data: passed to @ops->unmap
 * @id: gets the id of the object
 * @driver: name of the module
 *
 * Context: as there.
 * Return: as there.
 */
struct iommukit_access *
__iommukit_access_create(struct iommukit_ctx *ictx,
			 const struct iommukit_access_ops *ops, void *data,
			 u32 *id, const char *driver)
{
	struct iommukit_access *access;
	struct iommukit_object *obj;
	u64 __percpu *copies;

	BUILD_BUG_ON(offsetof(struct iommukit_access, obj));
	if (!ictx || !ops || !id || (ops->needs_pin_pages && !ops->unmap))
		return ERR_PTR(-EINVAL);
	copies = fail_alloc(alloc_percpu_gfp(u64, GFP_KERNEL_ACCOUNT));
	if (!copies)
		return ERR_PTR(-ENOMEM);
	obj = object_reserve(ictx, sizeof(*access), &access_object_ops);
	if (IS_ERR(obj)) {
		free_percpu(copies);
		return ERR_CAST(obj);
	}
	access = container_of(obj, struct iommukit_access, obj);
	access->ctx = ictx;
	access->ops = ops;
	access->data = data;
	access->driver = driver;
	access->copies = copies;
	init_rwsem(&access->lock);
	spin_lock_init(&access->pins_lock);
	access->pins = RB_ROOT_CACHED;
	object_hold(obj);
	get_file(ictx->file);
	*id = obj->id;
	object_publish(ictx, obj);
	return access;
}
EXPORT_SYMBOL_IOMMUKIT(__iommukit_access_create);

/**
 * __iommukit_access_create_attached - iommukit_access_create_attached() of a module
 * @ictx: the context
 * @ioas_id: the IOAS
 * @ops: what the core needs to know of the driver
 * @data: passed to @ops->unmap
 * @id: gets the id of the object; undefined on failure
 * @driver: name of the module
 *
 * Context: as there.
 * Return: as there.
 */
struct iommukit_access *
__iommukit_access_create_attached(struct iommukit_ctx *ictx, u32 ioas_id,
				  const struct iommukit_access_ops *ops,
				  void *data, u32 *id, const char *driver)
{
	struct iommukit_access *access;
	int rc;

	access = __iommukit_access_create(ictx, ops, data, id, driver);
	if (IS_ERR(access))
		return access;
	rc = iommukit_access_attach(access, ioas_id);
	if (rc) {
		iommukit_access_destroy(access);
		return ERR_PTR(rc);
	}
	return access;
}
EXPORT_SYMBOL_IOMMUKIT(__iommukit_access_create_attached);

/**
 * iommukit_access_destroy - end an access
 * @access: the access; NULL and error pointers are ignored
 *
 * Waits until running calls of the driver's unmap have returned. If the access
 * is attached it then calls unmap for everything, from this thread, and leaves
 * the IOAS. After return unmap is not running and will not run.
 *
 * The driver must have ended all its other calls on the access, but for unpin
 * from within unmap.
 *
 * Context: process context, may sleep, no mmap_lock held, no lock that the
 * driver's unmap takes, and not from within unmap.
 */
void iommukit_access_destroy(struct iommukit_access *access)
{
	struct iommukit_ctx *ctx;

	if (IS_ERR_OR_NULL(access))
		return;
	ctx = access->ctx;
	access_cancel(access);
	down_write(&access->lock);
	access->open = false;
	up_write(&access->lock);
	if (access_is_attached(access))
		access_drain(access, &nowhere);
	object_remove(ctx, &access->obj);
	free_percpu(access->copies);
	kfree(access);
	fput(ctx->file);
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_access_destroy);

/**
 * iommukit_access_attach - attach an access to an IOAS
 * @access: an access that is not attached
 * @ioas_id: the IOAS, or an IOTLB, whose address space 0 is meant
 *
 * Through an IOTLB all is as with an IOAS, but what is not known there is asked for, and
 * waited for: see "Through an IOTLB" in <linux/iommukit.h>.
 *
 * Context: process context, may sleep, no mmap_lock held, and no lock that the
 * driver's unmap takes.
 * Return: 0; -EINVAL if it is attached already, which is the driver's mistake;
 * -ENOENT if there is no such IOAS or IOTLB; -EIO if the context is dead; -EBUSY if it
 * is being detached or replaced, or the IOAS has 65536 accesses; -ENOMEM; -EADDRINUSE if
 * pages shall be pinned and mappings are not aligned to pages; -EOPNOTSUPP if pages shall
 * be pinned, and the IOTLB leads to addresses of its owner; -EINTR on a fatal signal.
 */
int iommukit_access_attach(struct iommukit_access *access, u32 ioas_id)
{
	struct access_place place;
	int rc = ctx_check(access->ctx);

	if (rc)
		return rc;
	if (down_write_killable(&access->lock))
		return -EINTR;
	if (access->open) {
		access_misuse(access, "attach of an attached access");
		rc = -EINVAL;
	} else if (access_is_attached(access)) {
		rc = -EBUSY;
	} else {
		rc = place_join(access, ioas_id, &place);
	}
	if (!rc)
		place_open(access, &place);
	up_write(&access->lock);
	return rc;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_access_attach);

/**
 * iommukit_access_replace - move an access to another IOAS
 * @access: an attached access
 * @ioas_id: the IOAS or IOTLB to move to; the present one is no move
 *
 * Calls the driver's unmap for everything once the new IOAS has accepted the
 * access. Until the move is done pin and rw of other threads fail with -ENOENT.
 * On failure the attachment and all pins are as before.
 *
 * Context: process context, may sleep, no mmap_lock held, no lock that the
 * driver's unmap takes, and not from within unmap.
 * Return: 0; -ENOENT if it is not attached, is being changed by another thread,
 * or there is no such IOAS or IOTLB; -EIO, -ENOMEM, -EBUSY, -EADDRINUSE, -EOPNOTSUPP,
 * -EINTR as iommukit_access_attach().
 */
int iommukit_access_replace(struct iommukit_access *access, u32 ioas_id)
{
	struct access_place place;
	int rc = ctx_check(access->ctx);

	if (rc)
		return rc;
	if (down_write_killable(&access->lock))
		return -EINTR;
	rc = -ENOENT;
	if (access->open)
		rc = place_join(access, ioas_id, &place);
	if (!rc)
		access->open = false;
	up_write(&access->lock);
	if (!rc)
		access_drain(access, &place);
	return min(rc, 0);
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_access_replace);

/**
 * iommukit_access_detach - leave the IOAS
 * @access: an attached access; else nothing happens but a report
 *
 * Waits until running calls of rw and pin have returned, which may depend on
 * user space, then calls the driver's unmap for everything.
 *
 * Context: process context, may sleep, no mmap_lock held, no lock that the
 * driver's unmap takes, and not from within unmap.
 */
void iommukit_access_detach(struct iommukit_access *access)
{
	bool attached;

	access_cancel(access);
	down_write(&access->lock);
	attached = access->open;
	access->open = false;
	up_write(&access->lock);
	if (attached)
		access_drain(access, &nowhere);
	else
		access_misuse(access, "detach of an access that is not attached");
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_access_detach);

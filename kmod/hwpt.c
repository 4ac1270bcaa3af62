// SPDX-License-Identifier: GPL-2.0-only
/*
 * HWPT: a domain with an id, which holds all that its IOAS maps, attached or not.
 *
 * It comes and goes under the mutex of its IOAS. One that is still being made is
 * aborted with that mutex held; one that was published is destroyed without it.
 */
#include <linux/err.h>
#include <linux/module.h>
#include <uapi/linux/iommukit.h>

#include "describe.h"
#include "device.h"
#include "domain.h"
#include "fault.h"
#include "ioas.h"
#include "private.h"

static void hwpt_free_domain(struct hwpt *hwpt)
{
	hwpt_failure_end(hwpt);
	hwpt->domain->ops->free(hwpt->domain);
	module_put(hwpt->ops->owner);
	object_release(&hwpt->ioas->obj);
}

static void hwpt_unlink(struct hwpt *hwpt)
{
	struct ioas *ioas = hwpt->ioas;

	lockdep_assert_held(&ioas->lock);
	list_del(&hwpt->link);
	WRITE_ONCE(ioas->nr_hwpts, ioas->nr_hwpts - 1);
}

static void hwpt_destroy(struct iommukit_object *obj)
{
	struct hwpt *hwpt = container_of(obj, struct hwpt, obj);

	mutex_lock(&hwpt->ioas->lock);
	hwpt_unlink(hwpt);
	iova_space_remove_domain(&hwpt->ioas->space, &hwpt->mirror);
	mutex_unlock(&hwpt->ioas->lock);
	hwpt_free_domain(hwpt);
}

static u32 hwpt_flags(const struct hwpt *hwpt)
{
	return (hwpt->automatic ? IOMMUKIT_NL_HWPT_AUTO : 0) |
	       (READ_ONCE(hwpt->domain->dirty_tracking) ?
			IOMMUKIT_NL_HWPT_DIRTY_TRACKING : 0) |
	       (hwpt->nestable ? IOMMUKIT_NL_HWPT_NEST_PARENT : 0) |
	       (READ_ONCE(hwpt->domain->failed) ? IOMMUKIT_NL_HWPT_DEAD : 0);
}

/**
 * hwpt_describe - say what state a HWPT is in; object_ops.describe
 * @obj: the HWPT, nested or not
 * @skb: where
 *
 * Context: any.
 * Return: 0 or -EMSGSIZE.
 */
int hwpt_describe(struct iommukit_object *obj, struct sk_buff *skb)
{
	const struct hwpt *hwpt = container_of(obj, struct hwpt, obj);
	int rc;

	if (hwpt->parent)
		rc = describe_u32(skb, IOMMUKIT_NL_A_HWPT_PARENT_ID,
				  hwpt->parent->obj.id);
	else
		rc = describe_u32(skb, IOMMUKIT_NL_A_HWPT_IOAS_ID,
				  hwpt->ioas->obj.id);
	if (!rc && hwpt->queue)
		rc = describe_u32(skb, IOMMUKIT_NL_A_HWPT_FAULT_ID,
				  hwpt->queue->obj.id);
	return rc ?:
	       describe_u32(skb, IOMMUKIT_NL_A_HWPT_DOMAIN, hwpt->ops->domain) ?:
	       describe_u32(skb, IOMMUKIT_NL_A_HWPT_FLAGS, hwpt_flags(hwpt)) ?:
	       describe_u32(skb, IOMMUKIT_NL_A_HWPT_DEVICES,
			    atomic_read(&hwpt->groups));
}

const struct object_ops hwpt_object_ops = {
	.name = "hwpt",
	.destroy = hwpt_destroy,
	.nest = IOMMUKIT_NL_A_OBJECT_HWPT,
	.describe = hwpt_describe,
};

/**
 * hwpt_get - look a HWPT up for the time of a command
 * @ctx: the context
 * @id: its id
 *
 * Return: the HWPT for object_put(), or -ENOENT.
 */
struct hwpt *hwpt_get(struct iommukit_ctx *ctx, u32 id)
{
	struct iommukit_object *obj = object_get(ctx, id, &hwpt_object_ops);

	if (IS_ERR(obj))
		return ERR_CAST(obj);
	return container_of(obj, struct hwpt, obj);
}

/**
 * hwpt_create - make a HWPT for a device, with nothing in it
 * @dev: the device
 * @ioas: what it will mirror; its mutex is held
 * @flags: DOMAIN_CREATE_*
 *
 * Context: may sleep.
 * Return: the HWPT for hwpt_publish() or hwpt_abort(); -ENOMEM; errnos of
 * object_reserve() and device_ops.domain_create.
 */
struct hwpt *hwpt_create(struct iommukit_device *dev, struct ioas *ioas,
			 unsigned int flags)
{
	struct iommukit_object *obj;
	struct domain *domain;
	struct hwpt *hwpt;

	lockdep_assert_held(&ioas->lock);
	BUILD_BUG_ON(offsetof(struct hwpt, obj));
	obj = object_reserve(dev->ctx, sizeof(*hwpt), &hwpt_object_ops);
	if (IS_ERR(obj))
		return ERR_CAST(obj);
	domain = dev->desc->ops->domain_create(dev->desc->priv, flags);
	if (IS_ERR(domain)) {
		object_abort(dev->ctx, obj);
		return ERR_CAST(domain);
	}
	hwpt = container_of(obj, struct hwpt, obj);
	hwpt->ctx = dev->ctx;
	hwpt->domain = domain;
	domain->ctx_id = dev->ctx->id;
	domain->hwpt_id = obj->id;
	hwpt->ops = dev->desc->ops;
	/* One of its functions has just run, for a device that is bound. */
	__module_get(hwpt->ops->owner);
	hwpt->ioas = ioas;
	hwpt->mirror.domain = domain;
	hwpt_failure_init(hwpt);
	hwpt->dirty = flags & DOMAIN_CREATE_DIRTY;
	hwpt->nestable = flags & DOMAIN_CREATE_PARENT;
	INIT_LIST_HEAD(&hwpt->link);
	object_hold(&ioas->obj);
	return hwpt;
}

/**
 * hwpt_populate - put all mappings of the IOAS into a new HWPT
 * @hwpt: the HWPT; the mutex of its IOAS is held
 *
 * Return: 0 or an errno of iova_space_add_domain(); then only hwpt_abort() is left.
 */
int hwpt_populate(struct hwpt *hwpt)
{
	struct ioas *ioas = hwpt->ioas;
	int rc = iova_space_add_domain(&ioas->space, &hwpt->mirror);

	if (!rc) {
		list_add_tail(&hwpt->link, &ioas->hwpts);
		WRITE_ONCE(ioas->nr_hwpts, ioas->nr_hwpts + 1);
	}
	return rc;
}

/**
 * hwpt_publish - let others find a HWPT
 * @hwpt: the HWPT, populated
 */
void hwpt_publish(struct hwpt *hwpt)
{
	object_publish(hwpt->ctx, &hwpt->obj);
}

/**
 * hwpt_abort - give up a HWPT that was not published
 * @hwpt: the HWPT, with no device attached; the mutex of its IOAS is held
 */
void hwpt_abort(struct hwpt *hwpt)
{
	lockdep_assert_held(&hwpt->ioas->lock);
	if (!list_empty(&hwpt->link)) {
		hwpt_unlink(hwpt);
		iova_space_remove_domain(&hwpt->ioas->space, &hwpt->mirror);
	}
	hwpt_free_domain(hwpt);
	object_abort(hwpt->ctx, &hwpt->obj);
}

/**
 * hwpt_leave - a device is no longer attached to a HWPT
 * @hwpt: the HWPT; may be gone on return
 *
 * Context: may sleep; no lock is held, for it may be the end of an automatic one.
 */
void hwpt_leave(struct hwpt *hwpt)
{
	if (hwpt->automatic)
		object_end_user(hwpt->ctx, &hwpt->obj, true);
	else
		object_release(&hwpt->obj);
}

/* ---- the command ---- */

#define ALLOC_FLAGS (IOMMUKIT_HWPT_ALLOC_NEST_PARENT | \
		     IOMMUKIT_HWPT_ALLOC_DIRTY_TRACKING)

static int alloc_check(const struct iommukit_hwpt_alloc *cmd,
		       const struct iommukit_device *dev)
{
	unsigned int abilities = dev->desc->abilities;

	if ((cmd->flags || cmd->data_type != IOMMUKIT_HWPT_DATA_NONE) &&
	    !(abilities & DEVICE_USER_DOMAINS))
		return -EOPNOTSUPP;
	if (cmd->flags & ~ALLOC_FLAGS)
		return -EOPNOTSUPP;
	if ((cmd->flags & IOMMUKIT_HWPT_ALLOC_DIRTY_TRACKING) &&
	    !(abilities & DEVICE_DIRTY_TRACKING))
		return -EOPNOTSUPP;
	return cmd->data_type == IOMMUKIT_HWPT_DATA_NONE ? 0 : -EOPNOTSUPP;
}

static unsigned int alloc_create_flags(u32 flags)
{
	return (flags & IOMMUKIT_HWPT_ALLOC_DIRTY_TRACKING ?
			DOMAIN_CREATE_DIRTY : 0) |
	       (flags & IOMMUKIT_HWPT_ALLOC_NEST_PARENT ?
			DOMAIN_CREATE_PARENT : 0);
}

static int alloc_paging(struct iommukit_ucmd *ucmd, struct iommukit_device *dev,
			struct ioas *ioas)
{
	struct iommukit_hwpt_alloc *cmd = ucmd->cmd;
	struct hwpt *hwpt;
	int rc;

	rc = alloc_check(cmd, dev);
	if (rc)
		return rc;
	if (mutex_lock_killable(&ioas->lock))
		return -EINTR;
	hwpt = hwpt_create(dev, ioas, alloc_create_flags(cmd->flags));
	if (IS_ERR(hwpt)) {
		rc = PTR_ERR(hwpt);
		goto out_unlock;
	}
	rc = hwpt_populate(hwpt);
	if (!rc) {
		cmd->out_hwpt_id = hwpt->obj.id;
		rc = ucmd_respond(ucmd, sizeof(*cmd));
	}
	if (rc)
		hwpt_abort(hwpt);
	else
		hwpt_publish(hwpt);
out_unlock:
	mutex_unlock(&ioas->lock);
	return rc;
}

int hwpt_cmd_alloc(struct iommukit_ucmd *ucmd)
{
	struct iommukit_hwpt_alloc *cmd = ucmd->cmd;
	struct iommukit_device *dev;
	struct iommukit_object *obj;
	int rc = -EINVAL;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	if ((cmd->data_type == IOMMUKIT_HWPT_DATA_NONE) != !cmd->data_len)
		return -EINVAL;
	dev = iommukit_device_get(ucmd->ctx, cmd->dev_id);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	obj = object_get(ucmd->ctx, cmd->pt_id, NULL);
	if (!IS_ERR(obj)) {
		if (obj->ops == &ioas_object_ops)
			rc = alloc_paging(ucmd, dev,
					  container_of(obj, struct ioas, obj));
		else if (obj->ops == &hwpt_object_ops)
			rc = hwpt_alloc_nested(ucmd, dev,
					       container_of(obj, struct hwpt,
							    obj));
		object_put(ucmd->ctx, obj);
	}
	object_put(ucmd->ctx, &dev->obj);
	return rc;
}

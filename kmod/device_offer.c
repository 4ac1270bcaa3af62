// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that drivers offer and user space takes, by name.
 *
 * A device that was taken is an object of the context, and ends with that, by
 * command, or with its driver, whichever comes first. The object's table decides
 * which: whoever takes the object out of it ends the device, others wait for that.
 */
#include <linux/device.h>
#include <linux/err.h>
#include <linux/iommukit.h>
#include <linux/kref.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <uapi/linux/iommukit.h>

#include "compat.h"
#include "device.h"
#include "device_iommu.h"
#include "device_offer.h"
#include "fail.h"
#include "private.h"

/**
 * struct iommukit_offer - A device that user space may take
 * @link: in offers
 * @kref: of the driver, of whoever has bound the device, and of running commands
 * @dev: the device; valid until the driver has taken the offer back
 * @ops: the driver
 * @user: as the device knows it
 * @lock: mutex: protects @bound, @binding and @gone
 * @bound: the device as an object, or NULL
 * @binding: a command is making that, and has not told its caller yet
 * @gone: the driver takes the offer back
 * @change: mutex: one attach, replace or detach at a time
 * @wait: woken when @bound becomes NULL
 */
struct iommukit_offer {
	struct list_head link;
	struct kref kref;
	struct device *dev;
	const struct iommukit_offer_ops *ops;
	struct hw_device_user user;
	struct mutex lock;
	struct iommukit_device *bound;
	bool binding;
	bool gone;
	struct mutex change;
	wait_queue_head_t wait;
};

static LIST_HEAD(offers);
static DEFINE_MUTEX(offers_lock);

static void offer_free(struct kref *kref)
{
	struct iommukit_offer *offer = container_of(kref, struct iommukit_offer,
						    kref);

	mutex_destroy(&offer->lock);
	mutex_destroy(&offer->change);
	kfree(offer);
}

static void offer_put(struct iommukit_offer *offer)
{
	kref_put(&offer->kref, offer_free);
}

static struct iommukit_offer *offer_get(const char *name)
{
	struct iommukit_offer *offer;

	mutex_lock(&offers_lock);
	list_for_each_entry(offer, &offers, link) {
		if (!strcmp(dev_name(offer->dev), name)) {
			kref_get(&offer->kref);
			goto out_unlock;
		}
	}
	offer = ERR_PTR(-ENODEV);
out_unlock:
	mutex_unlock(&offers_lock);
	return offer;
}

/* ---- the end of a device that was taken ---- */

static struct iommukit_offer *to_offer(struct hw_device_user *user)
{
	return container_of(user, struct iommukit_offer, user);
}

static void offer_stop(struct hw_device_user *user)
{
	struct iommukit_offer *offer = to_offer(user);

	offer->ops->stop(offer->dev);
}

/* The driver waits for this before it lets the device go. */
static void offer_unbound(struct iommukit_offer *offer)
{
	lockdep_assert_held(&offer->lock);
	offer->ops->end(offer->dev);
	offer->bound = NULL;
	wake_up_all(&offer->wait);
}

static void offer_release(struct hw_device_user *user)
{
	struct iommukit_offer *offer = to_offer(user);

	mutex_lock(&offer->lock);
	offer_unbound(offer);
	mutex_unlock(&offer->lock);
	offer_put(offer);
}

static const struct hw_device_user_ops offer_user_ops = {
	.stop = offer_stop,
	.release = offer_release,
};

/* ---- drivers ---- */

/**
 * iommukit_offer_add - let user space take a device
 * @dev: the device, of a driver with driver_managed_dma
 * @ops: the driver; stays until iommukit_offer_remove() has returned
 *
 * Context: process context, may sleep.
 * Return: the offer for iommukit_offer_remove(), or -ENOMEM.
 */
struct iommukit_offer *iommukit_offer_add(struct device *dev,
					  const struct iommukit_offer_ops *ops)
{
	struct iommukit_offer *offer;

	offer = fail_alloc(kzalloc(sizeof(*offer), GFP_KERNEL));
	if (!offer)
		return ERR_PTR(-ENOMEM);
	kref_init(&offer->kref);
	offer->dev = dev;
	offer->ops = ops;
	offer->user.ops = &offer_user_ops;
	mutex_init(&offer->lock);
	mutex_init(&offer->change);
	init_waitqueue_head(&offer->wait);
	mutex_lock(&offers_lock);
	list_add_tail(&offer->link, &offers);
	mutex_unlock(&offers_lock);
	return offer;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_offer_add);

/* Returns the device if its end is up to the caller. */
static struct iommukit_device *offer_reclaim(struct iommukit_offer *offer)
{
	struct iommukit_device *dev = NULL;

	mutex_lock(&offer->lock);
	offer->gone = true;
	if (offer->bound) {
		/* At once: what runs on it may take its time. */
		offer->ops->stop(offer->dev);
		/* It is still there: offer_release() waits for the lock. */
		if (!offer->binding &&
		    object_take(offer->bound->ctx, &offer->bound->obj))
			dev = offer->bound;
	}
	mutex_unlock(&offer->lock);
	return dev;
}

/**
 * iommukit_offer_remove - let user space no longer have a device
 * @offer: the offer; NULL and error pointers are ignored
 *
 * If it has it, the device is stopped at once; when the commands that run on it have
 * ended, it is detached and unbound. Its id is gone. On return no function of the
 * driver will be called.
 *
 * Context: process context, may sleep; usually in the driver's remove. Waits for user
 * space's commands, which end when their process is killed.
 */
void iommukit_offer_remove(struct iommukit_offer *offer)
{
	struct iommukit_device *dev;

	if (IS_ERR_OR_NULL(offer))
		return;
	mutex_lock(&offers_lock);
	list_del(&offer->link);
	mutex_unlock(&offers_lock);

	dev = offer_reclaim(offer);
	if (dev)
		object_end_taken(dev->ctx, &dev->obj);
	wait_event_idle(offer->wait, !READ_ONCE(offer->bound));
	/* Whoever made it NULL may still be inside the lock. */
	mutex_lock(&offer->lock);
	mutex_unlock(&offer->lock);
	offer_put(offer);
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_offer_remove);

/* ---- commands ---- */

static int offer_take(struct iommukit_offer *offer, struct iommukit_ctx *ctx)
{
	struct iommukit_device *dev;
	int rc;

	if (offer->gone)
		return -ENODEV;
	if (offer->bound)
		return -EBUSY;
	dev = hw_device_create(ctx, offer->dev, &offer->user);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	rc = fail_point(-EIO) ?: offer->ops->start(offer->dev);
	if (rc) {
		hw_device_abort(dev);
		return rc;
	}
	offer->bound = dev;
	offer->binding = true;
	return 0;
}

/* The device becomes an object, or nobody's again. */
static void offer_settle(struct iommukit_offer *offer, bool keep)
{
	struct iommukit_device *dev = offer->bound;

	offer->binding = false;
	if (keep) {
		kref_get(&offer->kref);
		device_object_publish(dev);
		return;
	}
	offer->ops->stop(offer->dev);
	hw_device_abort(dev);
	offer_unbound(offer);
}

/* User memory may be long in coming: the driver need not wait for it to stop. */
static int offer_bind(struct iommukit_offer *offer, struct iommukit_ucmd *ucmd)
{
	struct iommukit_device_bind *cmd = ucmd->cmd;
	int rc;

	if (mutex_lock_killable(&offer->lock))
		return -EINTR;
	rc = offer_take(offer, ucmd->ctx);
	if (!rc)
		cmd->out_dev_id = iommukit_device_to_id(offer->bound);
	mutex_unlock(&offer->lock);
	if (rc)
		return rc;

	rc = ucmd_respond(ucmd, sizeof(*cmd));
	mutex_lock(&offer->lock);
	if (!rc && offer->gone)
		rc = -ENODEV;
	offer_settle(offer, !rc);
	mutex_unlock(&offer->lock);
	return rc;
}

int device_cmd_bind(struct iommukit_ucmd *ucmd)
{
	struct iommukit_device_bind *cmd = ucmd->cmd;
	struct iommukit_offer *offer;
	int rc;

	if (cmd->flags || cmd->__reserved)
		return -EOPNOTSUPP;
	if (strnlen(cmd->name, sizeof(cmd->name)) == sizeof(cmd->name))
		return -EINVAL;
	offer = offer_get(cmd->name);
	if (IS_ERR(offer))
		return PTR_ERR(offer);
	rc = offer_bind(offer, ucmd);
	offer_put(offer);
	return rc;
}

/* Look a device up that was taken, and keep others from changing it. */
static struct iommukit_device *change_begin(struct iommukit_ctx *ctx, u32 id)
{
	struct iommukit_device *dev = iommukit_device_get(ctx, id);
	struct hw_device_user *user;
	int rc = -ENOENT;

	if (IS_ERR(dev))
		return dev;
	user = hw_device_get_user(dev);
	if (user && !mutex_lock_killable(&to_offer(user)->change))
		return dev;
	if (user)
		rc = -EINTR;
	object_put(ctx, &dev->obj);
	return ERR_PTR(rc);
}

static void change_end(struct iommukit_ctx *ctx, struct iommukit_device *dev)
{
	mutex_unlock(&to_offer(hw_device_get_user(dev))->change);
	object_put(ctx, &dev->obj);
}

/* What it has left may be gone: see whether the caller can be told before. */
static int replace(struct iommukit_ucmd *ucmd, struct iommukit_device *dev)
{
	struct iommukit_device_attach *cmd = ucmd->cmd;

	return ucmd_respond(ucmd, sizeof(*cmd)) ?:
	       iommukit_device_replace(dev, &cmd->pt_id) ?:
	       ucmd_respond(ucmd, sizeof(*cmd));
}

static int attach(struct iommukit_ucmd *ucmd, struct iommukit_device *dev)
{
	struct iommukit_device_attach *cmd = ucmd->cmd;
	int rc;

	rc = iommukit_device_attach(dev, &cmd->pt_id);
	if (rc)
		return rc;
	rc = ucmd_respond(ucmd, sizeof(*cmd));
	if (rc)
		device_try_detach(dev);
	return rc;
}

int device_cmd_attach(struct iommukit_ucmd *ucmd)
{
	struct iommukit_device_attach *cmd = ucmd->cmd;
	struct iommukit_device *dev;
	int rc;

	if (cmd->flags & ~IOMMUKIT_DEVICE_ATTACH_REPLACE)
		return -EOPNOTSUPP;
	dev = change_begin(ucmd->ctx, cmd->dev_id);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	rc = cmd->flags & IOMMUKIT_DEVICE_ATTACH_REPLACE ? replace(ucmd, dev) :
							   attach(ucmd, dev);
	change_end(ucmd->ctx, dev);
	return rc;
}

int device_cmd_detach(struct iommukit_ucmd *ucmd)
{
	struct iommukit_device_detach *cmd = ucmd->cmd;
	struct iommukit_device *dev = change_begin(ucmd->ctx, cmd->dev_id);
	int rc;

	if (IS_ERR(dev))
		return PTR_ERR(dev);
	rc = device_try_detach(dev);
	change_end(ucmd->ctx, dev);
	return rc;
}

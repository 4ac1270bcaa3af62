// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices: binding them to a context, and attaching them to HWPTs.
 *
 * The IOMMU knows groups only. The first device of a group that is attached brings
 * the group to a HWPT, others join it there, and the last one that is detached
 * takes it away; each brings its own reserved regions. Replace moves the group with
 * all that are attached.
 *
 * An automatic HWPT is made for a device that is attached to an IOAS, shared by
 * others that it suits, and ends when the last one leaves.
 */
#include <linux/err.h>
#include <linux/iommukit.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat.h"
#include "device.h"
#include "fail.h"
#include "fault.h"
#include "ioas.h"
#include "private.h"
#include "trace.h"

static void device_object_destroy(struct iommukit_object *obj);

/*
 * The table holds one user, the driver another: only the driver can end the device.
 * One that is user space's has no other, also while it is attached.
 */
static const struct object_ops device_object_ops = {
	.name = "device",
	.destroy = device_object_destroy,
	.nest = IOMMUKIT_NL_A_OBJECT_DEVICE,
	.describe = device_describe,
};

static bool is_users(const struct iommukit_device *dev)
{
	return dev->desc->stop;
}

/**
 * iommukit_device_get - look a device up for the time of a command
 * @ctx: the context
 * @id: its id
 *
 * Return: the device for object_put(), or -ENOENT.
 */
struct iommukit_device *iommukit_device_get(struct iommukit_ctx *ctx, u32 id)
{
	struct iommukit_object *obj = object_get(ctx, id, &device_object_ops);

	if (IS_ERR(obj))
		return ERR_CAST(obj);
	return container_of(obj, struct iommukit_device, obj);
}

/* ---- binding ---- */

/**
 * device_object_create - make a device of any kind an object of a context
 * @ctx: the context; held, unless @desc says that it owns the device
 * @desc: the device
 *
 * Nothing that the device accesses is translated until it is attached.
 *
 * Context: may sleep.
 * Return: the device for device_object_publish() or device_object_abort(); -ENOMEM;
 * -EBUSY if the context has no id left; -EIO if it is dead.
 */
struct iommukit_device *device_object_create(struct iommukit_ctx *ctx,
					     const struct device_desc *desc)
{
	struct iommukit_device *dev;
	struct iommukit_object *obj;
	int rc = ctx_check(ctx);

	BUILD_BUG_ON(offsetof(struct iommukit_device, obj));
	if (rc)
		return ERR_PTR(rc);
	obj = object_reserve(ctx, sizeof(*dev), &device_object_ops);
	if (IS_ERR(obj))
		return ERR_CAST(obj);
	dev = container_of(obj, struct iommukit_device, obj);
	dev->resolver = fault_resolver_create();
	dev->group = dev->resolver ? device_group_get(ctx, desc->group) : NULL;
	if (!dev->group) {
		fault_resolver_put(dev->resolver);
		object_abort(ctx, obj);
		return ERR_PTR(-ENOMEM);
	}
	dev->ctx = ctx;
	dev->desc = desc;
	INIT_LIST_HEAD(&dev->link);
	spin_lock_init(&dev->faults_lock);
	return dev;
}

/**
 * device_object_publish - let others find a device
 * @dev: the device; if it is user space's, it may be gone on return
 */
void device_object_publish(struct iommukit_device *dev)
{
	if (!dev->desc->owned_by_ctx)
		iommukit_ctx_get(dev->ctx);
	if (!is_users(dev))
		object_hold(&dev->obj);
	object_publish(dev->ctx, &dev->obj);
}

/**
 * device_object_abort - give up a device that was not published
 * @dev: the device; its description is the caller's again
 *
 * Context: may sleep.
 */
void device_object_abort(struct iommukit_device *dev)
{
	fault_resolver_put(dev->resolver);
	device_group_put(dev->ctx, dev->group);
	object_abort(dev->ctx, &dev->obj);
}

/**
 * iommukit_device_add - device_object_create() and device_object_publish()
 * @ctx: the context
 * @desc: the device
 * @id: gets the id of the object
 *
 * Context: may sleep.
 * Return: the device or an errno of device_object_create().
 */
struct iommukit_device *iommukit_device_add(struct iommukit_ctx *ctx,
					    const struct device_desc *desc,
					    u32 *id)
{
	struct iommukit_device *dev = device_object_create(ctx, desc);

	if (!IS_ERR(dev)) {
		*id = dev->obj.id;
		device_object_publish(dev);
	}
	return dev;
}

/* It is unbound, so whatever it could not be kept from it does not use any more. */
static void leave_group(struct iommukit_device *dev)
{
	fault_resolver_put(dev->resolver);
	device_group_put(dev->ctx, dev->group);
	if (dev->desc->release)
		dev->desc->release(dev->desc->priv);
	if (dev->left)
		hwpt_leave(dev->left);
}

/**
 * iommukit_device_unbind - take a device from its context
 * @idev: the device, not attached; gone on return
 *
 * Waits for running commands on it. What of DMA was refused before is refused no
 * more, once the last device of the group is unbound.
 *
 * Context: process context, may sleep.
 */
void iommukit_device_unbind(struct iommukit_device *idev)
{
	struct iommukit_ctx *ctx = idev->ctx;
	bool owned = idev->desc->owned_by_ctx;

	if (WARN_ON_ONCE(!object_end_user(ctx, &idev->obj, false)))
		return;
	leave_group(idev);
	kfree(idev);
	if (!owned)
		iommukit_ctx_put(ctx);
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_device_unbind);

/* ---- reserved regions ---- */

static int reserve_regions(struct iommukit_device *dev, struct ioas *ioas)
{
	const struct device_desc *desc = dev->desc;
	unsigned int i;
	int rc;

	for (i = 0; i < desc->nr_regions; i++) {
		rc = iova_space_reserve(&ioas->space, desc->regions[i].first,
					desc->regions[i].last, dev);
		if (rc) {
			iova_space_unreserve(&ioas->space, dev);
			return rc;
		}
	}
	return 0;
}

static void unreserve_regions(struct iommukit_device *dev, struct ioas *ioas)
{
	if (dev->desc->nr_regions)
		iova_space_unreserve(&ioas->space, dev);
}

/* ---- interrupts ---- */

static const struct device_region *msi_region(const struct device_desc *desc)
{
	unsigned int i;

	for (i = 0; i < desc->nr_regions; i++)
		if (desc->regions[i].sw_msi)
			return &desc->regions[i];
	return NULL;
}

/* Once for a HWPT; it lasts as long as that. */
static int prepare_msi(struct iommukit_device *dev, struct hwpt *hwpt)
{
	const struct device_region *region = msi_region(dev->desc);
	static DEFINE_MUTEX(msi_lock);
	int rc = 0;

	if (!region)
		return 0;
	hwpt = hwpt_of_tables(hwpt);
	mutex_lock(&msi_lock);
	if (!hwpt->msi) {
		rc = fail_point(-ENOMEM) ?:
		     dev->desc->ops->set_msi(dev->desc->priv, hwpt->domain,
					     region->first);
		if (!rc) {
			hwpt->msi = true;
			hwpt->msi_base = region->first;
		}
	} else if (hwpt->msi_base != region->first) {
		rc = -EINVAL;
	}
	mutex_unlock(&msi_lock);
	return rc;
}

/* ---- attaching to a HWPT ---- */

static bool is_attached(const struct iommukit_device *dev)
{
	lockdep_assert_held(&dev->group->lock);
	return !list_empty(&dev->link);
}

static bool suits(const struct iommukit_device *dev, const struct hwpt *hwpt)
{
	return hwpt->ops == dev->desc->ops &&
	       (!hwpt->dirty || dev->desc->abilities & DEVICE_DIRTY_TRACKING);
}

/* What comes before the change, and what a driver that is asked to make it refuses */
static int prepare_domain(struct iommukit_device *dev, struct hwpt *hwpt)
{
	return suits(dev, hwpt) ? prepare_msi(dev, hwpt) : -EINVAL;
}

static int set_domain(struct iommukit_device *dev, struct hwpt *hwpt)
{
	int rc = fail_point(-ENOMEM) ?:
		 dev->desc->ops->set_domain(dev->desc->priv, hwpt->domain);

	if (rc == -EIO)
		dev->group->broken = true;
	return rc;
}

static int attach_locked(struct iommukit_device *dev, struct hwpt *hwpt)
{
	struct device_group *group = dev->group;
	int rc;

	if (is_attached(dev))
		return -EBUSY;
	if (group->broken)
		return -EIO;
	if (group->hwpt && group->hwpt != hwpt)
		return -EINVAL;
	rc = reserve_regions(dev, hwpt->ioas);
	if (rc)
		return rc;
	rc = prepare_domain(dev, hwpt);
	if (rc)
		goto err_unreserve;
	/* Before there can be faults. */
	device_route_faults(dev, hwpt);
	if (!group->hwpt) {
		rc = set_domain(dev, hwpt);
		if (rc)
			goto err_unroute;
	}
	object_hold(&hwpt->obj);
	if (!is_users(dev))
		object_hold(&dev->obj);
	list_add_tail(&dev->link, &group->attached);
	if (!group->hwpt)
		atomic_inc(&hwpt->groups);
	group->hwpt = hwpt;
	WRITE_ONCE(dev->hwpt_id, hwpt->obj.id);
	return 0;

err_unroute:
	device_route_faults(dev, NULL);
err_unreserve:
	unreserve_regions(dev, hwpt->ioas);
	return rc;
}

/* Of all attached devices of the group, in the IOAS that they come to. */
static int reserve_group(struct device_group *group, struct ioas *ioas)
{
	struct iommukit_device *dev;
	int rc;

	list_for_each_entry(dev, &group->attached, link) {
		rc = reserve_regions(dev, ioas);
		if (rc)
			goto err_unreserve;
	}
	return 0;

err_unreserve:
	list_for_each_entry_continue_reverse(dev, &group->attached, link)
		unreserve_regions(dev, ioas);
	return rc;
}

static void unreserve_group(struct device_group *group, struct ioas *ioas)
{
	struct iommukit_device *dev;

	list_for_each_entry(dev, &group->attached, link)
		unreserve_regions(dev, ioas);
}

/* All that can fail but for the change itself. */
static int prepare_group(struct device_group *group, struct hwpt *hwpt)
{
	struct iommukit_device *dev;
	int rc = 0;

	if (group->hwpt->ioas != hwpt->ioas)
		rc = reserve_group(group, hwpt->ioas);
	if (rc)
		return rc;
	list_for_each_entry(dev, &group->attached, link) {
		rc = prepare_domain(dev, hwpt);
		if (rc)
			break;
	}
	if (rc && group->hwpt->ioas != hwpt->ioas)
		unreserve_group(group, hwpt->ioas);
	return rc;
}

/**
 * struct attach_rest - What a change leaves to do when no lock is held any more
 * @old: what was left, if by anybody
 * @moved: by how many devices of the group
 * @made: a HWPT that was made meanwhile, and is still held, or NULL
 */
struct attach_rest {
	struct hwpt *old;
	unsigned int moved;
	struct hwpt *made;
};

static int replace_locked(struct iommukit_device *dev, struct hwpt *hwpt,
			  struct attach_rest *rest)
{
	struct device_group *group = dev->group;
	struct iommukit_device *each;
	int rc;

	if (!is_attached(dev))
		return -EINVAL;
	if (group->broken)
		return -EIO;
	if (group->hwpt == hwpt)
		return 0;
	rc = prepare_group(group, hwpt);
	if (rc)
		return rc;
	/* What is reported from now on may be a fault on what it comes to. */
	list_for_each_entry(each, &group->attached, link)
		device_new_turn(each);
	rc = set_domain(dev, hwpt);
	/* Whichever IOAS it does not use after all, unless both are the same. */
	if (group->hwpt->ioas != hwpt->ioas)
		unreserve_group(group, rc ? hwpt->ioas : group->hwpt->ioas);
	if (rc) {
		list_for_each_entry(each, &group->attached, link)
			device_same_turn(each);
		return rc;
	}
	rest->old = group->hwpt;
	list_for_each_entry(each, &group->attached, link) {
		/* Faults on what it has left would be answered too late. */
		device_route_faults(each, hwpt);
		object_hold(&hwpt->obj);
		WRITE_ONCE(each->hwpt_id, hwpt->obj.id);
		rest->moved++;
	}
	atomic_dec(&group->hwpt->groups);
	atomic_inc(&hwpt->groups);
	group->hwpt = hwpt;
	return 0;
}

static int change_hwpt(struct iommukit_device *dev, struct hwpt *hwpt,
		       bool replace, struct attach_rest *rest)
{
	int rc;

	mutex_lock(&dev->group->lock);
	/* Under the lock: device_groups_block() comes to groups after it is dead. */
	rc = ctx_check(dev->ctx);
	if (!rc && replace)
		rc = replace_locked(dev, hwpt, rest);
	else if (!rc)
		rc = attach_locked(dev, hwpt);
	mutex_unlock(&dev->group->lock);
	return rc;
}

/* Take the device out; returns what it was attached to. */
static struct hwpt *detach_locked(struct iommukit_device *dev)
{
	struct device_group *group = dev->group;
	struct hwpt *hwpt = group->hwpt;

	list_del_init(&dev->link);
	WRITE_ONCE(dev->hwpt_id, 0);
	if (list_empty(&group->attached)) {
		int rc = dev->desc->ops->set_domain(dev->desc->priv, NULL);

		if (rc)
			hwpt_failure_clings(hwpt);
		else if (group->loose)
			hwpt_failure_retry(hwpt);
		atomic_dec(&hwpt->groups);
		group->hwpt = NULL;
		group->broken = false;
		group->loose = false;
	}
	device_route_faults(dev, NULL);
	unreserve_regions(dev, hwpt->ioas);
	if (!is_users(dev))
		object_release(&dev->obj);
	return hwpt;
}

/* Returns what a device was attached to, for hwpt_leave(), or NULL. */
static struct hwpt *detach(struct iommukit_device *dev)
{
	struct hwpt *hwpt = NULL;

	mutex_lock(&dev->group->lock);
	if (is_attached(dev))
		hwpt = detach_locked(dev);
	mutex_unlock(&dev->group->lock);
	if (hwpt)
		trace_device_detach(dev->ctx->id, dev->obj.id, hwpt->obj.id, 0);
	return hwpt;
}

/* ---- what devices ask for ---- */

/*
 * What it gets to the IOAS by at the moment: the domain may go at any time, the IOAS
 * stays.
 */
static struct ioas *hold_ioas(struct iommukit_device *dev,
			      const struct domain **domain)
{
	struct ioas *ioas = ERR_PTR(-ENOENT);

	if (mutex_lock_killable(&dev->group->lock))
		return ERR_PTR(-EINTR);
	if (is_attached(dev)) {
		struct hwpt *hwpt = dev->group->hwpt;

		*domain = hwpt_of_tables(hwpt)->domain;
		ioas = hwpt->ioas;
		object_hold(&ioas->obj);
	}
	mutex_unlock(&dev->group->lock);
	return ioas;
}

/**
 * device_fault - have what a device did not find found
 * @dev: the device
 * @iova: first IOVA
 * @length: bytes, at least 1
 * @write: it wants to write
 *
 * Context: as iova_space_fault().
 * Return: 0 if there is a point in trying again; -ENOENT if not; -EOVERFLOW if the range
 * wraps; -EIO if the context is dead; other errnos of iova_space_fault().
 */
int device_fault(struct iommukit_device *dev, unsigned long iova, size_t length,
		 bool write)
{
	const struct domain *domain;
	unsigned long last;
	struct ioas *ioas;
	bool any = false;
	int rc;

	if (check_add_overflow(iova, length - 1, &last))
		return -EOVERFLOW;
	rc = ctx_check(dev->ctx);
	if (rc)
		return rc;
	ioas = hold_ioas(dev, &domain);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	do {
		rc = iova_space_fault(&ioas->space, domain, &iova, last, write);
		any = any || rc > 0;
		if (fatal_signal_pending(current))
			rc = -EINTR;
		cond_resched();
	} while (rc >= 0 && iova - 1 != last);
	object_release(&ioas->obj);
	/* Of memory that changes all the time, the device may find some. */
	if (rc == -EAGAIN)
		return 0;
	return rc < 0 ? rc : any ? 0 : -ENOENT;
}

/* ---- the end of what user space has ---- */

/*
 * User space has ended it, or the context ends. The last part may wait for the pages
 * of somebody: then the device has gone already.
 */
static void device_object_destroy(struct iommukit_object *obj)
{
	struct iommukit_device *dev = container_of(obj, struct iommukit_device,
						   obj);
	struct hwpt *hwpt;

	if (WARN_ON_ONCE(!is_users(dev)))
		return;
	dev->desc->stop(dev->desc->priv);
	hwpt = detach(dev);
	leave_group(dev);
	if (hwpt)
		hwpt_leave(hwpt);
}

/* ---- attaching to an IOAS ---- */

/* Whether there is a point in making a new HWPT for a device. */
static int check_group(struct iommukit_device *dev, bool replace)
{
	int rc = 0;

	mutex_lock(&dev->group->lock);
	if (!replace && is_attached(dev))
		rc = -EBUSY;
	else if (replace ? !is_attached(dev) : !!dev->group->hwpt)
		rc = -EINVAL;
	mutex_unlock(&dev->group->lock);
	return rc;
}

/*
 * The device is attached before anything is mapped: some IOMMUs know only then
 * what the domain can do. It may reach nothing until then, so nothing is missing.
 */
static int attach_then_populate(struct iommukit_device *dev, struct hwpt *hwpt,
				struct attach_rest *rest)
{
	int rc = change_hwpt(dev, hwpt, false, rest);

	if (rc)
		return rc;
	rc = hwpt_populate(hwpt);
	if (rc) {
		mutex_lock(&dev->group->lock);
		detach_locked(dev);
		mutex_unlock(&dev->group->lock);
		object_release(&hwpt->obj);
	}
	return rc;
}

static int change_new(struct iommukit_device *dev, struct ioas *ioas,
		      bool replace, u32 *pt_id, struct attach_rest *rest)
{
	struct hwpt *hwpt;
	int rc;

	rc = check_group(dev, replace);
	if (rc)
		return rc;
	hwpt = hwpt_create(dev, ioas, 0);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	hwpt->automatic = true;
	/* Others of the group may leave it before it is published. */
	object_hold(&hwpt->obj);
	if (replace)
		rc = hwpt_populate(hwpt) ?: change_hwpt(dev, hwpt, true, rest);
	else
		rc = attach_then_populate(dev, hwpt, rest);
	if (rc) {
		object_release(&hwpt->obj);
		hwpt_abort(hwpt);
		return rc;
	}
	*pt_id = hwpt->obj.id;
	hwpt_publish(hwpt);
	rest->made = hwpt;
	return 0;
}

static int change_ioas(struct iommukit_device *dev, struct ioas *ioas,
		       bool replace, u32 *pt_id, struct attach_rest *rest)
{
	struct hwpt *hwpt;
	int rc;

	if (mutex_lock_killable(&ioas->lock))
		return -EINTR;
	list_for_each_entry(hwpt, &ioas->hwpts, link) {
		if (!hwpt->automatic || !object_tryget(dev->ctx, &hwpt->obj))
			continue;
		rc = change_hwpt(dev, hwpt, replace, rest);
		if (!rc)
			*pt_id = hwpt->obj.id;
		object_put(dev->ctx, &hwpt->obj);
		/* Another one may suit where this one does not. */
		if (rc != -EINVAL)
			goto out_unlock;
	}
	rc = change_new(dev, ioas, replace, pt_id, rest);
out_unlock:
	mutex_unlock(&ioas->lock);
	return rc;
}

static int change(struct iommukit_device *dev, u32 *pt_id, bool replace)
{
	struct attach_rest rest = {};
	struct iommukit_object *obj;
	int rc = ctx_check(dev->ctx);

	if (rc)
		return rc;
	obj = object_get(dev->ctx, *pt_id, NULL);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	rc = -EINVAL;
	if (obj->ops == &hwpt_object_ops ||
	    obj->ops == &hwpt_nested_object_ops)
		rc = change_hwpt(dev, container_of(obj, struct hwpt, obj),
				 replace, &rest);
	else if (obj->ops == &ioas_object_ops)
		rc = change_ioas(dev, container_of(obj, struct ioas, obj),
				 replace, pt_id, &rest);
	object_put(dev->ctx, obj);
	for (; rest.moved; rest.moved--)
		hwpt_leave(rest.old);
	if (rest.made)
		hwpt_leave(rest.made);
	return rc;
}

/**
 * iommukit_device_attach - let a device translate
 * @idev: the device
 * @pt_id: an IOAS or a HWPT; on success the HWPT, else not changed
 *
 * Its group goes there with its first device that is attached; the others can be
 * attached to the same only. All that is mapped is pinned.
 *
 * Context: process context, may sleep; killable. No mmap_lock held. The driver
 * serialises attach, replace, detach and unbind of one device; devices of one group
 * need not be.
 * Return: 0; -ENOENT if there is no such object; -EINVAL if it is of another kind,
 * does not suit the device, or the group uses another HWPT; -EBUSY if the device
 * is attached, or being reset; -EADDRINUSE if something is mapped or allowed where the
 * device does not translate, or is not aligned as its IOMMU needs; -EIO if the
 * group is broken, see iommukit_device_replace(), or the context dead; -ENOMEM; -EINTR;
 * -EFAULT and other errnos of iommukit_access_pin_pages(); errnos of the IOMMU driver.
 */
int iommukit_device_attach(struct iommukit_device *idev, u32 *pt_id)
{
	int rc = change(idev, pt_id, false);

	trace_device_attach(idev->ctx->id, idev->obj.id, *pt_id, rc);
	return rc;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_device_attach);

/**
 * iommukit_device_replace - let a device's group use something else from now on
 * @idev: an attached device
 * @pt_id: as for iommukit_device_attach()
 *
 * What devices of the group access meanwhile goes by the old HWPT or by the new one,
 * or is refused for a moment: before Linux 6.11 always, later as the IOMMU driver
 * can. On return nothing goes by the old one any more.
 *
 * Context: as iommukit_device_attach().
 * Return: as iommukit_device_attach(), after which nothing has changed; but -EINVAL if
 * the device is not attached; -EIO if the context is dead, or the IOMMU driver has refused
 * to go back to the old HWPT, against its promise: all DMA of the group is refused until
 * its last device is detached.
 */
int iommukit_device_replace(struct iommukit_device *idev, u32 *pt_id)
{
	int rc = change(idev, pt_id, true);

	trace_device_replace(idev->ctx->id, idev->obj.id, *pt_id, rc);
	return rc;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_device_replace);

/**
 * device_try_detach - detach a device if it is attached
 * @dev: the device
 *
 * Context: may sleep.
 * Return: 0, or -EINVAL if it is not attached.
 */
int device_try_detach(struct iommukit_device *dev)
{
	struct hwpt *hwpt = detach(dev);

	if (!hwpt)
		return -EINVAL;
	/* Of two that it has left one after the other it may use the last. */
	if (hwpt_clings(hwpt))
		swap(dev->left, hwpt);
	if (hwpt)
		hwpt_leave(hwpt);
	return 0;
}

/**
 * iommukit_device_detach - let a device translate no more
 * @idev: an attached device
 *
 * What its group uses stays in use until the last of the group is detached; from then
 * on all DMA of the group is refused. If the IOMMU fails to do that, the HWPT stays until
 * the device is unbound.
 *
 * Context: process context, may sleep. Cannot fail.
 */
void iommukit_device_detach(struct iommukit_device *idev)
{
	if (device_try_detach(idev))
		pr_warn_once("detach of a device that is not attached\n");
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_device_detach);

/**
 * iommukit_device_to_ctx - the context that a device is bound to
 * @idev: the device
 *
 * Context: any.
 * Return: the context, without another reference.
 */
struct iommukit_ctx *iommukit_device_to_ctx(struct iommukit_device *idev)
{
	return idev->ctx;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_device_to_ctx);

/**
 * iommukit_device_to_id - the id of a device
 * @idev: the device
 *
 * Context: any.
 * Return: the id in its context.
 */
u32 iommukit_device_to_id(struct iommukit_device *idev)
{
	return idev->obj.id;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_device_to_id);

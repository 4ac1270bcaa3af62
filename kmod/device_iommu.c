// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices of hardware, behind an IOMMU that the kernel has a driver for.
 *
 * What the kernel gives away is an IOMMU group: all its DMA is refused while a
 * context has it, until it is attached to a domain. A claim is that, and counts the
 * devices of the group that the context has bound; another context gets none of them.
 *
 * There are no domains with flags, no nested ones and no page faults: dirty bits need
 * a writer of bitmaps that stock kernels leave out of their IOMMU drivers, and of the
 * others no machine was there to see them work. For page faults, which kernels from 6.12
 * on hand to the domain of an attachment by a handle, there would have to be: domains
 * that map and unmap without sleeping, a handler that puts its groups into
 * device_report_faults() and takes the answers back to the kernel's queue, and on 6.12
 * the device's IOPF feature, on before the first attachment and off after the last.
 */
#include <linux/err.h>
#include <linux/iommu.h>
#include <linux/iommukit.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <uapi/linux/iommukit.h>

#include "compat.h"
#include "device.h"
#include "device_iommu.h"
#include "domain_iommu.h"
#include "fail.h"
#include "private.h"

/* See iommu_attach_group_handle() in compat.h; nothing to kernels that have none. */
MODULE_INFO(import_ns, "IOMMUFD_INTERNAL");

static bool allow_unsafe_interrupts;
module_param(allow_unsafe_interrupts, bool, 0644);
MODULE_PARM_DESC(allow_unsafe_interrupts,
		 "Bind devices that can send interrupts to what is not theirs (default N)");

/**
 * struct group_claim - An IOMMU group that a context has
 * @link: in claims
 * @bound: devices of it that are bound
 * @group: the group
 * @ctx: the context
 * @lock: mutex: protects what follows; inside device_group.lock
 * @domain: what it is attached to, or NULL
 * @handle: of the attachment
 * @believe: the IOMMU believed its devices about caches in the last domain
 */
struct group_claim {
	struct list_head link;
	unsigned int bound;
	struct iommu_group *group;
	const struct iommukit_ctx *ctx;
	struct mutex lock;
	struct domain *domain;
	struct iommu_attach_handle *handle;
	bool believe;
};

/* struct group_claim, and how many devices each has; outside of the kernel's locks */
static LIST_HEAD(claims);
static DEFINE_MUTEX(claims_lock);

/**
 * struct hw_device - A device of hardware
 * @desc: what the core knows of it
 * @dev: the device
 * @claim: its group
 * @user: who has bound it for user space, or NULL
 * @hw_info: what its IOMMU says of itself, or NULL
 * @hw_info_length: bytes of it
 * @hw_info_type: what it is
 * @regions: what it does not translate
 */
struct hw_device {
	struct device_desc desc;
	struct device *dev;
	struct group_claim *claim;
	struct hw_device_user *user;
	void *hw_info;
	u32 hw_info_length;
	u32 hw_info_type;
	struct device_region regions[];
};

/* ---- claims ---- */

static struct group_claim *claim_find(const struct iommu_group *group)
{
	struct group_claim *claim;

	lockdep_assert_held(&claims_lock);
	list_for_each_entry(claim, &claims, link)
		if (claim->group == group)
			return claim;
	return NULL;
}

static struct group_claim *claim_new(const struct iommukit_ctx *ctx,
				     struct iommu_group *group)
{
	struct group_claim *claim;
	int rc;

	claim = fail_alloc(kzalloc(sizeof(*claim), GFP_KERNEL_ACCOUNT));
	if (!claim)
		return ERR_PTR(-ENOMEM);
	rc = fail_point(-ENOMEM) ?: iommu_group_claim_dma_owner(group, claim);
	if (rc) {
		kfree(claim);
		return ERR_PTR(rc);
	}
	claim->bound = 1;
	claim->group = group;
	claim->ctx = ctx;
	mutex_init(&claim->lock);
	list_add(&claim->link, &claims);
	return claim;
}

/* Uses the reference to the group up if it succeeds. */
static struct group_claim *claim_get(const struct iommukit_ctx *ctx,
				     struct iommu_group *group)
{
	struct group_claim *claim;

	mutex_lock(&claims_lock);
	claim = claim_find(group);
	if (!claim) {
		claim = claim_new(ctx, group);
	} else if (claim->ctx != ctx) {
		claim = ERR_PTR(-EPERM);
	} else {
		claim->bound++;
		iommu_group_put(group);
	}
	mutex_unlock(&claims_lock);
	return claim;
}

static void claim_put(struct group_claim *claim)
{
	bool last;

	mutex_lock(&claims_lock);
	last = !--claim->bound;
	if (last) {
		list_del(&claim->link);
		iommu_group_release_dma_owner(claim->group);
	}
	mutex_unlock(&claims_lock);
	if (!last)
		return;
	iommu_group_put(claim->group);
	mutex_destroy(&claim->lock);
	kfree(claim);
}

/**
 * iommukit_ctx_has_group - whether a device of a group is bound to a context
 * @ictx: the context
 * @group: the group
 *
 * Context: process context, may sleep.
 * Return: true if so; false also if one of them is NULL.
 */
bool iommukit_ctx_has_group(struct iommukit_ctx *ictx, struct iommu_group *group)
{
	struct group_claim *claim;
	bool found;

	if (!ictx || !group)
		return false;
	mutex_lock(&claims_lock);
	claim = claim_find(group);
	found = claim && claim->ctx == ictx;
	mutex_unlock(&claims_lock);
	return found;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_ctx_has_group);

/* ---- domains ---- */

/*
 * The kernel says nothing of a driver that does not keep a device from memory, but that
 * the group is where it was. There is no second try: what it has left may go.
 */
static bool claim_has_left(const struct hw_device *hdev,
			   const struct iommu_domain *hw)
{
	if (!hw || iommu_get_domain_for_dev(hdev->dev) != hw)
		return true;
	dev_err(hdev->dev, "its IOMMU driver has not detached it\n");
	return false;
}

static void claim_detach(struct group_claim *claim)
{
	if (!claim->domain)
		return;
	iommu_detach_group_handle(domain_iommu_hw(claim->domain), claim->group);
	kfree(claim->handle);
	claim->handle = NULL;
	claim->domain = NULL;
}

/* The kernel looks at handles without a lock: each attachment gets a new one. */
static void claim_attached(struct group_claim *claim, struct domain *domain,
			   struct iommu_attach_handle *handle)
{
	kfree(claim->handle);
	claim->handle = handle;
	claim->domain = domain;
}

/*
 * The group could not go over to another domain. Some drivers leave a device with
 * nothing then, although the kernel takes it to be where it was. Uses the handle up.
 */
static int claim_go_back(struct group_claim *claim,
			 struct iommu_attach_handle *handle)
{
	struct domain *domain = claim->domain;

	claim_detach(claim);
	handle->domain = domain_iommu_hw(domain);
	if (!iommu_attach_group_handle(handle->domain, claim->group, handle)) {
		claim_attached(claim, domain, handle);
		return 0;
	}
	kfree(handle);
	pr_err("IOMMU group %d cannot go back to its page table, and is kept from all memory\n",
	       iommu_group_id(claim->group));
	return -EIO;
}

static int claim_attach(struct group_claim *claim, struct domain *domain)
{
	struct iommu_domain *hw = domain_iommu_hw(domain);
	struct iommu_attach_handle *handle;
	int rc;

	handle = fail_alloc(kzalloc(sizeof(*handle), GFP_KERNEL_ACCOUNT));
	if (!handle)
		return -ENOMEM;
	handle->domain = hw;
	domain_iommu_attach_begin(domain);
	if (claim->domain)
		rc = compat_iommu_replace_group(claim->group,
						domain_iommu_hw(claim->domain),
						hw, handle);
	else
		rc = iommu_attach_group_handle(hw, claim->group, handle);
	domain_iommu_attach_end(domain);
	if (!rc) {
		claim_attached(claim, domain, handle);
		claim->believe = !domain_iommu_enforces(domain);
		return 0;
	}
	/* To the core it means that there is no way back. */
	if (rc == -EIO)
		rc = -ENODEV;
	/* Nothing is touched while the device is being reset. */
	if (claim->domain && rc != -EBUSY)
		return claim_go_back(claim, handle) ?: rc;
	kfree(handle);
	return rc;
}

/*
 * Some drivers know what a domain can do, and whether it suits a device, only when it
 * was attached. There is nothing in it yet, and nothing gets lost unless the group is
 * at work with another one. The caller frees the domain if this fails.
 */
static int claim_try(struct group_claim *claim, struct domain *domain)
{
	int rc = 0;

	lockdep_assert_held(&claim->lock);
	if (!claim->domain) {
		rc = claim_attach(claim, domain);
		if (!rc)
			claim_detach(claim);
	}
	if (!rc && !domain_iommu_complete(domain, claim->domain))
		rc = -EOPNOTSUPP;
	return rc;
}

static struct domain *create_and_try(struct hw_device *hdev, bool believe)
{
	struct domain *domain = domain_iommu_create(hdev->dev, !believe);
	int rc;

	if (IS_ERR(domain))
		return domain;
	rc = claim_try(hdev->claim, domain);
	if (!rc)
		return domain;
	domain->ops->free(domain);
	return ERR_PTR(rc);
}

static struct domain *hw_domain_create(void *priv, unsigned int flags)
{
	struct hw_device *hdev = priv;
	struct group_claim *claim = hdev->claim;
	struct domain *domain;

	if (flags)
		return ERR_PTR(-EOPNOTSUPP);
	mutex_lock(&claim->lock);
	domain = create_and_try(hdev, claim->believe);
	/* What 6.1 says if it has to believe the devices. */
	if (domain == ERR_PTR(-EOPNOTSUPP) && !claim->believe)
		domain = create_and_try(hdev, true);
	mutex_unlock(&claim->lock);
	return domain;
}

static int hw_set_domain(void *priv, struct domain *domain)
{
	struct hw_device *hdev = priv;
	struct group_claim *claim = hdev->claim;
	struct iommu_domain *hw = NULL;
	int rc = 0;

	mutex_lock(&claim->lock);
	if (!domain) {
		if (claim->domain)
			hw = domain_iommu_hw(claim->domain);
		claim_detach(claim);
		rc = claim_has_left(hdev, hw) ? 0 : -EIO;
	} else if (!domain_iommu_suits(domain, hdev->dev)) {
		rc = -EINVAL;
	} else {
		rc = claim_attach(claim, domain);
	}
	mutex_unlock(&claim->lock);
	/* What drivers say of devices that a domain does not suit. */
	return rc == -EOPNOTSUPP || rc == -EFAULT ? -EINVAL : rc;
}

static int hw_set_msi(void *priv, struct domain *domain, unsigned long base)
{
	return iommu_get_msi_cookie(domain_iommu_hw(domain), base);
}

static const void *hw_get_info(void *priv, u32 *type, size_t *length)
{
	struct hw_device *hdev = priv;

	if (*type != IOMMUKIT_HW_INFO_TYPE_DEFAULT &&
	    *type != hdev->hw_info_type)
		return ERR_PTR(-EOPNOTSUPP);
	*type = hdev->hw_info_type;
	*length = hdev->hw_info_length;
	return hdev->hw_info;
}

static const struct device_ops hw_device_ops = {
	.domain = IOMMUKIT_NL_DOMAIN_HARDWARE,
	.domain_create = hw_domain_create,
	.set_domain = hw_set_domain,
	.set_msi = hw_set_msi,
	.hw_info = hw_get_info,
};

/* ---- devices ---- */

/*
 * What firmware has a device do in certain memory goes on while nobody has mapped
 * that. Some kernels find out when half of a group is blocked already.
 */
static bool firmware_needs(struct iommu_group *group)
{
	struct iommu_resv_region *region, *next;
	bool found = false;
	LIST_HEAD(list);

	if (iommu_get_group_resv_regions(group, &list))
		found = true;
	list_for_each_entry_safe(region, next, &list, list) {
		if (region->type == IOMMU_RESV_DIRECT)
			found = true;
		kfree(region);
	}
	return found;
}

static int take_regions(struct hw_device *hdev, const struct list_head *list)
{
	const struct iommu_resv_region *region;
	unsigned int hw_msi = 0, sw_msi = 0;

	list_for_each_entry(region, list, list) {
		/* The other kinds may not be mapped, this one had better not be. */
		if (region->type == IOMMU_RESV_DIRECT_RELAXABLE ||
		    !region->length)
			continue;
		hw_msi += region->type == IOMMU_RESV_MSI;
		sw_msi += region->type == IOMMU_RESV_SW_MSI;
		hdev->regions[hdev->desc.nr_regions++] = (struct device_region){
			.first = region->start,
			.last = region->start + region->length - 1,
			.sw_msi = region->type == IOMMU_RESV_SW_MSI,
		};
	}
	/* Interrupts are translated or they are not, and in one place. */
	if (sw_msi > 1 || (sw_msi && hw_msi)) {
		dev_err(hdev->dev, "its IOMMU driver contradicts itself about interrupts\n");
		return -EINVAL;
	}
	return 0;
}

static void hw_device_free(struct hw_device *hdev)
{
	if (hdev->claim)
		claim_put(hdev->claim);
	kfree(hdev->hw_info);
	put_device(hdev->dev);
	kfree(hdev);
}

static struct hw_device *hw_device_alloc(struct device *dev)
{
	struct iommu_resv_region *region;
	struct hw_device *hdev;
	LIST_HEAD(list);
	size_t nr = 0;
	void *info;
	int rc = 0;

	compat_iommu_get_resv_regions(dev, &list);
	list_for_each_entry(region, &list, list)
		nr++;
	hdev = fail_alloc(kzalloc(struct_size(hdev, regions, nr),
				  GFP_KERNEL_ACCOUNT));
	if (hdev) {
		hdev->dev = get_device(dev);
		rc = take_regions(hdev, &list);
	}
	iommu_put_resv_regions(dev, &list);
	if (!hdev)
		return ERR_PTR(-ENOMEM);
	if (rc)
		goto err_free;
	info = compat_iommu_hw_info(dev, &hdev->hw_info_length,
				    &hdev->hw_info_type);
	rc = PTR_ERR_OR_ZERO(info);
	if (rc)
		goto err_free;
	hdev->hw_info = info;
	return hdev;

err_free:
	hw_device_free(hdev);
	return ERR_PTR(rc);
}

static void hw_device_stop(void *priv)
{
	struct hw_device *hdev = priv;

	hdev->user->ops->stop(hdev->user);
}

static void hw_device_release(void *priv)
{
	struct hw_device *hdev = priv;
	struct hw_device_user *user = hdev->user;

	hw_device_free(hdev);
	if (user)
		user->ops->release(user);
}

static int check_interrupts(struct device *dev, struct iommu_group *group)
{
	if (compat_iommu_group_has_isolated_msi(group))
		return 0;
	if (!READ_ONCE(allow_unsafe_interrupts))
		return -EPERM;
	dev_warn_ratelimited(dev, "bound although it can send interrupts to what is not its own\n");
	return 0;
}

/**
 * hw_device_create - iommukit_device_bind(), also for user space
 * @ctx: the context
 * @dev: the device
 * @user: who binds it on behalf of user space, which then ends it; NULL if a driver
 *	does
 *
 * Context: may sleep.
 * Return: the device for device_object_publish() or hw_device_abort(); errnos of
 * iommukit_device_bind().
 */
struct iommukit_device *hw_device_create(struct iommukit_ctx *ctx,
					 struct device *dev,
					 struct hw_device_user *user)
{
	struct iommukit_device *idev;
	struct group_claim *claim;
	struct iommu_group *group;
	struct hw_device *hdev;
	int rc;

	if (!device_iommu_capable(dev, IOMMU_CAP_CACHE_COHERENCY))
		return ERR_PTR(-EINVAL);
	group = iommu_group_get(dev);
	if (!group)
		return ERR_PTR(-ENODEV);
	rc = check_interrupts(dev, group);
	if (!rc && firmware_needs(group))
		rc = -EINVAL;
	if (rc)
		goto err_put_group;
	hdev = hw_device_alloc(dev);
	if (IS_ERR(hdev)) {
		rc = PTR_ERR(hdev);
		goto err_put_group;
	}
	claim = claim_get(ctx, group);
	if (IS_ERR(claim)) {
		rc = PTR_ERR(claim);
		hw_device_free(hdev);
		goto err_put_group;
	}
	hdev->claim = claim;
	hdev->user = user;
	hdev->desc.ops = &hw_device_ops;
	hdev->desc.priv = hdev;
	hdev->desc.group = hdev->claim;
	hdev->desc.regions = hdev->regions;
	hdev->desc.dev = hdev->dev;
	hdev->desc.owned_by_ctx = user;
	hdev->desc.stop = user ? hw_device_stop : NULL;
	hdev->desc.release = hw_device_release;
	idev = device_object_create(ctx, &hdev->desc);
	if (IS_ERR(idev))
		hw_device_free(hdev);
	return idev;

err_put_group:
	iommu_group_put(group);
	return ERR_PTR(rc);
}

/**
 * hw_device_abort - give up a device that was not published
 * @idev: the device
 *
 * Its user is not told.
 *
 * Context: may sleep.
 */
void hw_device_abort(struct iommukit_device *idev)
{
	struct hw_device *hdev = idev->desc->priv;

	device_object_abort(idev);
	hw_device_free(hdev);
}

/**
 * hw_device_get_user - who has bound a device for user space
 * @idev: a device of any kind
 *
 * Context: any.
 * Return: the same as in hw_device_create(), or NULL if it is not such a device.
 */
struct hw_device_user *hw_device_get_user(const struct iommukit_device *idev)
{
	struct hw_device *hdev = idev->desc->priv;

	return idev->desc->ops == &hw_device_ops ? hdev->user : NULL;
}

/**
 * iommukit_device_bind - give a device to a context
 * @ictx: the context, which is kept until the device is unbound
 * @dev: the device, of a driver with driver_managed_dma, that has not done DMA yet
 * @id: gets the id of the device
 *
 * All DMA of its IOMMU group is refused, until a device of it is attached.
 *
 * Context: process context, may sleep. No call on the device may run beside
 * iommukit_device_unbind().
 * Return: the device; -EINVAL if an argument is missing, the device has no IOMMU or
 * one that does not keep caches coherent, or firmware needs it to reach certain
 * memory; -ENODEV if it has no IOMMU group; -EPERM if another device of the group is
 * in use by its driver or by another context, or its interrupts cannot be told from
 * those of others and the module parameter allow_unsafe_interrupts is off; -EBUSY if
 * the group is not in its default domain, or the context has no id left; -EIO if the
 * context is dead; -ENOMEM; errnos of the IOMMU driver.
 */
struct iommukit_device *iommukit_device_bind(struct iommukit_ctx *ictx,
					     struct device *dev, u32 *id)
{
	struct iommukit_device *idev;

	if (!ictx || !dev || !id)
		return ERR_PTR(-EINVAL);
	idev = hw_device_create(ictx, dev, NULL);
	if (IS_ERR(idev))
		return idev;
	*id = iommukit_device_to_id(idev);
	device_object_publish(idev);
	return idev;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_device_bind);

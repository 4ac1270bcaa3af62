// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domains of hardware, over the kernel's IOMMU API.
 *
 * What a domain can map is decided by the kernel's driver, by some drivers only when
 * a device is attached for the first time. Some then change the tables, and trust that
 * nothing is mapped or unmapped meanwhile.
 */
#include <linux/err.h>
#include <linux/iommu.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/rwsem.h>
#include <linux/slab.h>

#include "compat.h"
#include "domain_iommu.h"
#include "fail.h"

/**
 * struct iommu_backed - A domain of hardware
 * @domain: as the others see it
 * @hw: as the kernel's IOMMU API sees it
 * @driver: the IOMMU driver that made it, and is kept
 * @attaching: rwsem: read to map and unmap, written to attach a device
 * @enforces: it does not believe devices about caches
 */
struct iommu_backed {
	struct domain domain;
	struct iommu_domain *hw;
	const struct iommu_ops *driver;
	struct rw_semaphore attaching;
	bool enforces;
};

static struct iommu_backed *to_backed(struct domain *domain)
{
	return container_of(domain, struct iommu_backed, domain);
}

/* User space has no means to keep caches and devices in agreement: coherent, always. */
static int hw_map(struct domain *domain, unsigned long iova, phys_addr_t phys,
		  size_t length, unsigned int prot)
{
	struct iommu_backed *backed = to_backed(domain);
	int rc;

	down_read(&backed->attaching);
	rc = compat_iommu_map(backed->hw, iova, phys, length,
			      IOMMU_CACHE |
			      (prot & DOMAIN_READ ? IOMMU_READ : 0) |
			      (prot & DOMAIN_WRITE ? IOMMU_WRITE : 0));
	up_read(&backed->attaching);
	return rc;
}

static size_t hw_unmap(struct domain *domain, unsigned long iova, size_t length,
		       struct domain_gather *gather)
{
	struct iommu_backed *backed = to_backed(domain);
	size_t unmapped;

	down_read(&backed->attaching);
	unmapped = iommu_unmap_fast(backed->hw, iova, length, &gather->hw);
	up_read(&backed->attaching);
	if (unmapped)
		gather->hw_pending = true;
	return unmapped;
}

/* Drivers take an empty gather for a range, and a strange one. */
static void hw_sync(struct domain *domain, struct domain_gather *gather)
{
	struct iommu_backed *backed = to_backed(domain);

	if (!gather->hw_pending)
		return;
	down_read(&backed->attaching);
	iommu_iotlb_sync(backed->hw, &gather->hw);
	up_read(&backed->attaching);
	gather->hw_pending = false;
}

static phys_addr_t hw_iova_to_phys(struct domain *domain, unsigned long iova)
{
	return iommu_iova_to_phys(to_backed(domain)->hw, iova) ?:
	       PHYS_ADDR_MAX;
}

static void hw_free(struct domain *domain)
{
	struct iommu_backed *backed = to_backed(domain);

	iommu_domain_free(backed->hw);
	module_put(backed->driver->owner);
	kfree(backed);
}

/* What devices write is not noted; device_iommu.c says why. */
static const struct domain_ops hw_domain_ops = {
	.map = hw_map,
	.unmap = hw_unmap,
	.sync = hw_sync,
	.iova_to_phys = hw_iova_to_phys,
	.free = hw_free,
};

/* NULL if the driver has left the device. */
static const struct iommu_ops *driver_of(const struct device *dev)
{
	return dev->iommu && dev->iommu->iommu_dev ?
	       dev->iommu->iommu_dev->ops : NULL;
}

/**
 * domain_iommu_create - make a domain for a device
 * @dev: a device with an IOMMU
 * @enforce: whether its IOMMU may be able not to believe the device when it says that
 *	caches need not be looked at, if the kernel does not know. Where it is able to,
 *	it does not, and others can use the domain only if theirs are, too.
 *
 * Context: may sleep.
 * Return: the domain, empty, and to be looked at by domain_iommu_complete(); -ENODEV
 * if the IOMMU's driver is leaving; -ENOMEM; errnos of that driver.
 */
struct domain *domain_iommu_create(struct device *dev, bool enforce)
{
	const struct iommu_ops *driver = driver_of(dev);
	struct iommu_backed *backed;
	struct iommu_domain *hw;

	/* The domain may outlive the device. */
	if (!driver || !try_module_get(driver->owner))
		return ERR_PTR(-ENODEV);
	backed = fail_alloc(kzalloc(sizeof(*backed), GFP_KERNEL_ACCOUNT));
	if (!backed) {
		hw = ERR_PTR(-ENOMEM);
		goto err_put;
	}
	hw = compat_iommu_domain_alloc(dev);
	if (IS_ERR(hw))
		goto err_put;
	backed->domain.ops = &hw_domain_ops;
	backed->hw = hw;
	backed->driver = driver;
	init_rwsem(&backed->attaching);
	/* Before the first mapping: some IOMMUs know it of each one. */
	backed->enforces = compat_iommu_enforces_coherency(dev, enforce) &&
			   hw->ops->enforce_cache_coherency &&
			   hw->ops->enforce_cache_coherency(hw);
	return &backed->domain;

err_put:
	module_put(driver->owner);
	kfree(backed);
	return ERR_CAST(hw);
}

/**
 * domain_iommu_hw - a domain as the kernel's IOMMU API sees it
 * @domain: a domain of domain_iommu_create()
 *
 * Return: the same.
 */
struct iommu_domain *domain_iommu_hw(struct domain *domain)
{
	return to_backed(domain)->hw;
}

/**
 * domain_iommu_suits - whether it may be tried to attach a device to a domain
 * @domain: a domain of domain_iommu_create()
 * @dev: a device with an IOMMU
 *
 * The kernel does not check it each time.
 *
 * Return: whether the same driver is responsible for both.
 */
bool domain_iommu_suits(struct domain *domain, struct device *dev)
{
	return to_backed(domain)->driver == driver_of(dev);
}

/**
 * domain_iommu_attach_begin - keep others from changing what is mapped
 * @domain: a domain of domain_iommu_create(), that a device will be attached to
 *
 * Context: may sleep.
 */
void domain_iommu_attach_begin(struct domain *domain)
{
	down_write(&to_backed(domain)->attaching);
}

/**
 * domain_iommu_attach_end - let others change what is mapped
 * @domain: the domain of domain_iommu_attach_begin()
 *
 * Context: may sleep.
 */
void domain_iommu_attach_end(struct domain *domain)
{
	up_write(&to_backed(domain)->attaching);
}

/**
 * domain_iommu_enforces - whether a domain does not believe devices about caches
 * @domain: a domain of domain_iommu_create()
 *
 * Return: the same.
 */
bool domain_iommu_enforces(struct domain *domain)
{
	return to_backed(domain)->enforces;
}

/**
 * domain_iommu_complete - see what a domain can map
 * @domain: a domain of domain_iommu_create(), in which nothing is mapped
 * @other: a domain that the device is attached to, or NULL; some drivers know only
 *	for such a one how far it reaches
 *
 * Return: false if it is not known before the domain was attached to a device.
 */
bool domain_iommu_complete(struct domain *domain, const struct domain *other)
{
	const struct iommu_domain *hw = to_backed(domain)->hw;

	domain->page_sizes = hw->pgsize_bitmap;
	domain->first = hw->geometry.aperture_start;
	domain->last = hw->geometry.aperture_end;
	if (other)
		domain->last = min(domain->last, other->last);
	return domain->page_sizes && domain->last;
}

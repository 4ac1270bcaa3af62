/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices of hardware, behind an IOMMU that the kernel has a driver for.
 */
#ifndef IOMMUKIT_DEVICE_IOMMU_H
#define IOMMUKIT_DEVICE_IOMMU_H

#include <linux/err.h>
#include <linux/types.h>

struct device;
struct iommukit_ctx;
struct iommukit_device;
struct hw_device_user;

/**
 * struct hw_device_user_ops - What ends a device that user space has bound
 * @stop: see struct device_desc
 * @release: see struct device_desc
 */
struct hw_device_user_ops {
	void (*stop)(struct hw_device_user *user);
	void (*release)(struct hw_device_user *user);
};

/**
 * struct hw_device_user - Who has bound a device for user space
 * @ops: how it ends
 */
struct hw_device_user {
	const struct hw_device_user_ops *ops;
};

#ifdef CONFIG_IOMMU_API
struct iommukit_device *hw_device_create(struct iommukit_ctx *ctx,
					 struct device *dev,
					 struct hw_device_user *user);
void hw_device_abort(struct iommukit_device *idev);
struct hw_device_user *hw_device_get_user(const struct iommukit_device *idev);
#else
/* A device without an IOMMU is one that does not keep caches coherent. */
static inline struct iommukit_device *
hw_device_create(struct iommukit_ctx *ctx, struct device *dev,
		 struct hw_device_user *user)
{
	return ERR_PTR(-EINVAL);
}

static inline void hw_device_abort(struct iommukit_device *idev)
{
}

static inline struct hw_device_user *
hw_device_get_user(const struct iommukit_device *idev)
{
	return NULL;
}
#endif

#endif /* IOMMUKIT_DEVICE_IOMMU_H */

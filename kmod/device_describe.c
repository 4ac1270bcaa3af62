// SPDX-License-Identifier: GPL-2.0-only
/* What devices say of their state to those who look on. */
#include <linux/device.h>
#include <linux/iommu.h>

#include "describe.h"
#include "device.h"
#include "fault.h"

/* Its driver gives it back before it lets go of it: until then it has that one. */
static int describe_hardware(struct device *dev, struct sk_buff *skb)
{
	const struct device_driver *driver = READ_ONCE(dev->driver);
	struct iommu_group *group = iommu_group_get(dev);
	int rc = describe_string(skb, IOMMUKIT_NL_A_DEVICE_NAME, dev_name(dev));

	if (!rc && driver)
		rc = describe_string(skb, IOMMUKIT_NL_A_DEVICE_DRIVER,
				     driver->name);
	if (!rc && group)
		rc = describe_u32(skb, IOMMUKIT_NL_A_DEVICE_IOMMU_GROUP,
				  iommu_group_id(group));
	iommu_group_put(group);
	return rc;
}

/**
 * device_describe - say what state a device is in; object_ops.describe
 * @obj: the device
 * @skb: where
 *
 * Context: any.
 * Return: 0 or -EMSGSIZE.
 */
int device_describe(struct iommukit_object *obj, struct sk_buff *skb)
{
	const struct iommukit_device *dev =
		container_of(obj, struct iommukit_device, obj);
	u32 hwpt_id = READ_ONCE(dev->hwpt_id);
	int rc = 0;

	if (dev->desc->dev)
		rc = describe_hardware(dev->desc->dev, skb);
	else if (dev->desc->driver)
		rc = describe_string(skb, IOMMUKIT_NL_A_DEVICE_DRIVER,
				     dev->desc->driver);
	if (!rc && hwpt_id)
		rc = describe_u32(skb, IOMMUKIT_NL_A_DEVICE_HWPT_ID, hwpt_id);
	return rc ?:
	       describe_u32(skb, IOMMUKIT_NL_A_DEVICE_OUTSTANDING_FAULTS,
			    atomic_read(&dev->nr_queued) +
			    device_faults_outstanding(dev));
}

// SPDX-License-Identifier: GPL-2.0-only
/* What the IOMMU of a device is and can do, as far as user space is concerned. */
#include <linux/err.h>
#include <uapi/linux/iommukit.h>

#include "device.h"
#include "private.h"

/* As much of the data as there is room for, and zeros behind it. */
static int copy_data(const struct iommukit_hw_info *cmd, const void *data,
		     size_t length)
{
	void __user *to = u64_to_user_ptr(cmd->data_uptr);
	size_t room = cmd->data_len;
	size_t n = min(room, length);

	if (copy_to_user(to, data, n) || clear_user(to + n, room - n))
		return -EFAULT;
	return 0;
}

static int hw_info(struct iommukit_ucmd *ucmd, const struct device_desc *desc)
{
	struct iommukit_hw_info *cmd = ucmd->cmd;
	u32 type = cmd->flags & IOMMUKIT_HW_INFO_FLAG_INPUT_TYPE ?
			   cmd->in_data_type : IOMMUKIT_HW_INFO_TYPE_DEFAULT;
	const void *data = NULL;
	size_t length = 0;
	int rc;

	if (desc->ops->hw_info) {
		data = desc->ops->hw_info(desc->priv, &type, &length);
		if (IS_ERR(data))
			return PTR_ERR(data);
	} else if (type != IOMMUKIT_HW_INFO_TYPE_DEFAULT) {
		return -EOPNOTSUPP;
	}
	rc = copy_data(cmd, data, length);
	if (rc)
		return rc;
	cmd->data_len = length;
	cmd->out_data_type = type;
	cmd->out_max_pasid_log2 = desc->pasid_bits;
	cmd->out_capabilities = desc->abilities & DEVICE_DIRTY_TRACKING ?
					IOMMUKIT_HW_CAP_DIRTY_TRACKING : 0;
	return ucmd_respond(ucmd, sizeof(*cmd));
}

int device_cmd_hw_info(struct iommukit_ucmd *ucmd)
{
	struct iommukit_hw_info *cmd = ucmd->cmd;
	struct iommukit_device *dev;
	int rc;

	if ((cmd->flags & ~IOMMUKIT_HW_INFO_FLAG_INPUT_TYPE) ||
	    cmd->__reserved[0] || cmd->__reserved[1] || cmd->__reserved[2])
		return -EOPNOTSUPP;
	dev = iommukit_device_get(ucmd->ctx, cmd->dev_id);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	rc = hw_info(ucmd, dev->desc);
	object_put(ucmd->ctx, &dev->obj);
	return rc;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dirty tracking of HWPTs: which IOVA devices have written. The marks are the
 * domain's; here is what user space asks of them.
 *
 * Maps and unmaps go on meanwhile. What is unmapped during a read-out is reported or
 * not, and what is mapped anew begins without marks, so nothing needs to be locked
 * but the look at how far the areas reach.
 */
#include <linux/err.h>
#include <linux/iommukit.h>
#include <linux/log2.h>
#include <linux/overflow.h>
#include <uapi/linux/iommukit.h>

#include "device.h"
#include "dirty.h"
#include "domain.h"
#include "ioas.h"
#include "private.h"

static int set_tracking(struct hwpt *hwpt, bool on)
{
	struct domain *domain = hwpt->domain;
	int rc;

	if (!hwpt->dirty)
		return -EOPNOTSUPP;
	if (on) {
		rc = domain->ops->read_dirty(domain, domain->first,
					     domain->last, 0, NULL, NULL);
		if (rc)
			return rc;
	}
	return domain->ops->set_dirty_tracking(domain, on);
}

int hwpt_cmd_set_dirty_tracking(struct iommukit_ucmd *ucmd)
{
	struct iommukit_hwpt_set_dirty_tracking *cmd = ucmd->cmd;
	struct hwpt *hwpt;
	int rc;

	if (cmd->flags & ~IOMMUKIT_HWPT_DIRTY_TRACKING_ENABLE)
		return -EOPNOTSUPP;
	hwpt = hwpt_get(ucmd->ctx, cmd->hwpt_id);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	rc = set_tracking(hwpt, cmd->flags & IOMMUKIT_HWPT_DIRTY_TRACKING_ENABLE);
	object_put(ucmd->ctx, &hwpt->obj);
	return rc;
}

static int record(void *opaque, unsigned long iova, size_t length)
{
	return iommukit_iova_bitmap_set(opaque, iova, length);
}

/* Up to the first hole, which is an error. */
static int read_range(struct hwpt *hwpt, unsigned long iova, unsigned long last,
		      unsigned int flags, struct iommukit_iova_bitmap *bitmap)
{
	struct domain *domain = hwpt->domain;
	unsigned long reach;
	int rc;

	for (;;) {
		rc = iova_space_reach(&hwpt->ioas->space, iova, last, &reach);
		if (rc)
			return rc == -ENOENT ? -EINVAL : rc;
		rc = domain->ops->read_dirty(domain, iova, reach, flags,
					     record, bitmap);
		if (rc || reach == last)
			return rc;
		iova = reach + 1;
		cond_resched();
	}
}

static int check_range(struct hwpt *hwpt,
		       const struct iommukit_hwpt_get_dirty_bitmap *cmd,
		       unsigned long *last)
{
	unsigned long alignment = READ_ONCE(hwpt->ioas->space.alignment);

	if (!cmd->length)
		return -EINVAL;
	if (check_add_overflow(cmd->iova, cmd->length - 1, last))
		return -EOVERFLOW;
	if (!is_power_of_2(cmd->page_size) ||
	    !IS_ALIGNED(cmd->iova | cmd->length, max(cmd->page_size, alignment)))
		return -EINVAL;
	if (!hwpt->dirty)
		return -EOPNOTSUPP;
	return READ_ONCE(hwpt->domain->dirty_tracking) ? 0 : -EINVAL;
}

static int get_bitmap(struct hwpt *hwpt,
		      const struct iommukit_hwpt_get_dirty_bitmap *cmd)
{
	const struct iommukit_iova_bitmap_args args = {
		.iova = cmd->iova,
		.length = cmd->length,
		.page_size = cmd->page_size,
		.data = u64_to_user_ptr(cmd->data),
	};
	struct iommukit_iova_bitmap *bitmap;
	unsigned int flags = 0;
	unsigned long last;
	int rc;

	rc = check_range(hwpt, cmd, &last);
	if (rc)
		return rc;
	bitmap = iommukit_iova_bitmap_alloc(&args);
	if (IS_ERR(bitmap))
		return PTR_ERR(bitmap);
	if (cmd->flags & IOMMUKIT_HWPT_GET_DIRTY_BITMAP_NO_CLEAR)
		flags = DOMAIN_DIRTY_NO_CLEAR;
	rc = read_range(hwpt, cmd->iova, last, flags, bitmap);
	iommukit_iova_bitmap_free(bitmap);
	return rc;
}

int hwpt_cmd_get_dirty_bitmap(struct iommukit_ucmd *ucmd)
{
	struct iommukit_hwpt_get_dirty_bitmap *cmd = ucmd->cmd;
	struct hwpt *hwpt;
	int rc;

	if ((cmd->flags & ~IOMMUKIT_HWPT_GET_DIRTY_BITMAP_NO_CLEAR) ||
	    cmd->__reserved)
		return -EOPNOTSUPP;
	hwpt = hwpt_get(ucmd->ctx, cmd->hwpt_id);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	rc = get_bitmap(hwpt, cmd);
	object_put(ucmd->ctx, &hwpt->obj);
	return rc;
}

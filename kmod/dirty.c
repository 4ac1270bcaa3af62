// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dirty tracking: which IOVA were written, as user space asks for it. There are two
 * sources: the marks of a HWPT's domain, for what devices attached to it write, and
 * the log of an IOAS, for what software writes.
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
#include "trace.h"

/**
 * struct dirty_range - What is asked for
 * @space: the space that it is a range of
 * @domain: whose marks, or NULL: the space's log
 * @clear: forget what was recorded
 * @iova: first IOVA
 * @length: bytes
 * @page_size: bytes that a bit stands for
 * @data: the bitmap
 */
struct dirty_range {
	struct iova_space *space;
	struct domain *domain;
	bool clear;
	u64 iova;
	u64 length;
	u64 page_size;
	u64 data;
};

static int check_range(const struct dirty_range *range)
{
	u64 align = max_t(u64, range->page_size,
			  READ_ONCE(range->space->alignment));
	unsigned long last;

	if (!range->length)
		return -EINVAL;
	if (check_add_overflow(range->iova, range->length - 1, &last))
		return -EOVERFLOW;
	if (!is_power_of_2(range->page_size) ||
	    !IS_ALIGNED(range->iova | range->length, align))
		return -EINVAL;
	return 0;
}

static int record(void *opaque, unsigned long iova, size_t length)
{
	return iommukit_iova_bitmap_set(opaque, iova, length);
}

/* Up to the first hole, which is an error. */
static int read_domain(const struct dirty_range *range, unsigned long last,
		       struct iommukit_iova_bitmap *bitmap)
{
	unsigned int flags = range->clear ? 0 : DOMAIN_DIRTY_NO_CLEAR;
	struct domain *domain = range->domain;
	unsigned long iova = range->iova;
	unsigned long reach;
	int rc;

	for (;;) {
		rc = iova_space_reach(range->space, iova, last, &reach);
		if (rc)
			return rc == -ENOENT ? -EINVAL : rc;
		rc = domain->ops->read_dirty(domain, iova, reach, flags,
					     record, bitmap) ?:
		     iova_space_read_unloaded(range->space, domain, iova, reach,
					      range->clear, record, bitmap);
		if (rc || reach == last)
			return rc;
		iova = reach + 1;
		cond_resched();
	}
}

static int read_range(const struct dirty_range *range)
{
	const struct iommukit_iova_bitmap_args args = {
		.iova = range->iova,
		.length = range->length,
		.page_size = range->page_size,
		.data = u64_to_user_ptr(range->data),
	};
	unsigned long last = range->iova + (range->length - 1);
	struct iommukit_iova_bitmap *bitmap;
	int rc;

	bitmap = iommukit_iova_bitmap_alloc(&args);
	if (IS_ERR(bitmap))
		return PTR_ERR(bitmap);
	if (range->domain)
		rc = read_domain(range, last, bitmap);
	else
		rc = iova_space_read_log(range->space, range->iova, last,
					 range->clear, record, bitmap);
	iommukit_iova_bitmap_free(bitmap);
	return rc;
}

/* ---- of a HWPT ---- */

static int set_tracking(struct hwpt *hwpt, bool on)
{
	struct domain *domain = hwpt->domain;
	int rc;

	if (!hwpt->dirty)
		return -EOPNOTSUPP;
	if (on) {
		rc = domain->ops->read_dirty(domain, domain->first,
					     domain->last, 0, NULL, NULL) ?:
		     iova_space_read_unloaded(&hwpt->ioas->space, domain,
					      domain->first, domain->last, true,
					      NULL, NULL);
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

static int read_hwpt(const struct hwpt *hwpt, const struct dirty_range *range)
{
	int rc = check_range(range);

	if (rc)
		return rc;
	if (!hwpt->dirty)
		return -EOPNOTSUPP;
	if (!READ_ONCE(hwpt->domain->dirty_tracking))
		return -EINVAL;
	return read_range(range);
}

int hwpt_cmd_get_dirty_bitmap(struct iommukit_ucmd *ucmd)
{
	struct iommukit_hwpt_get_dirty_bitmap *cmd = ucmd->cmd;
	struct dirty_range range = {
		.clear = !(cmd->flags & IOMMUKIT_HWPT_GET_DIRTY_BITMAP_NO_CLEAR),
		.iova = cmd->iova,
		.length = cmd->length,
		.page_size = cmd->page_size,
		.data = cmd->data,
	};
	struct hwpt *hwpt;
	int rc;

	if ((cmd->flags & ~IOMMUKIT_HWPT_GET_DIRTY_BITMAP_NO_CLEAR) ||
	    cmd->__reserved)
		return -EOPNOTSUPP;
	hwpt = hwpt_get(ucmd->ctx, cmd->hwpt_id);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	range.space = &hwpt->ioas->space;
	range.domain = hwpt->domain;
	rc = read_hwpt(hwpt, &range);
	trace_dirty_read(ucmd->ctx->id, cmd->hwpt_id, cmd->iova, cmd->length, rc);
	object_put(ucmd->ctx, &hwpt->obj);
	return rc;
}

/* ---- of an IOAS ---- */

static int set_log(struct ioas *ioas, bool on)
{
	int rc = 0;

	if (mutex_lock_killable(&ioas->lock))
		return -EINTR;
	if (on)
		rc = iova_space_start_log(&ioas->space);
	else
		iova_space_stop_log(&ioas->space);
	mutex_unlock(&ioas->lock);
	return rc;
}

int ioas_cmd_set_dirty_tracking(struct iommukit_ucmd *ucmd)
{
	struct iommukit_ioas_set_dirty_tracking *cmd = ucmd->cmd;
	struct ioas *ioas;
	int rc;

	if ((cmd->flags & ~IOMMUKIT_IOAS_DIRTY_TRACKING_ENABLE) ||
	    cmd->__reserved)
		return -EOPNOTSUPP;
	ioas = ioas_get(ucmd->ctx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = set_log(ioas, cmd->flags & IOMMUKIT_IOAS_DIRTY_TRACKING_ENABLE);
	ioas_put(ucmd->ctx, ioas);
	return rc;
}

int ioas_cmd_get_dirty_bitmap(struct iommukit_ucmd *ucmd)
{
	struct iommukit_ioas_get_dirty_bitmap *cmd = ucmd->cmd;
	struct dirty_range range = {
		.clear = !(cmd->flags & IOMMUKIT_IOAS_GET_DIRTY_BITMAP_NO_CLEAR),
		.iova = cmd->iova,
		.length = cmd->length,
		.page_size = cmd->page_size,
		.data = cmd->data,
	};
	struct ioas *ioas;
	int rc;

	if ((cmd->flags & ~IOMMUKIT_IOAS_GET_DIRTY_BITMAP_NO_CLEAR) ||
	    cmd->__reserved)
		return -EOPNOTSUPP;
	ioas = ioas_get(ucmd->ctx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	range.space = &ioas->space;
	rc = check_range(&range) ?: read_range(&range);
	trace_dirty_read(ucmd->ctx->id, cmd->ioas_id, cmd->iova, cmd->length, rc);
	ioas_put(ucmd->ctx, ioas);
	return rc;
}

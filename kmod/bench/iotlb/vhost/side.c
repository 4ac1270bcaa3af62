// SPDX-License-Identifier: GPL-2.0-only
#include "side.h"

#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "iotlb_bench_abi.h"

/* How many elements are copied at once, and how many entries freed in one go. */
#define SIDE_BATCH 64U

int side_attach(struct side *side, const struct iotlb_bench_attach *attach)
{
	if (!attach->limit || attach->limit > IOTLB_BENCH_ENTRIES_MAX)
		return -EINVAL;
	side->iotlb = vhost_iotlb_alloc(attach->limit, attach->retire ?
					VHOST_IOTLB_FLAG_RETIRE : 0);
	if (!side->iotlb)
		return -ENOMEM;
	spin_lock_init(&side->lock);
	side->limit = attach->limit;
	side->retire = attach->retire;
	return 0;
}

/* Nobody else is there any more. All at once would take too long. */
void side_detach(struct side *side)
{
	struct vhost_iotlb_map *map;
	unsigned int n = 0;

	while ((map = list_first_entry_or_null(&side->iotlb->list,
					       struct vhost_iotlb_map, link))) {
		vhost_iotlb_map_free(side->iotlb, map);
		if (++n % SIDE_BATCH == 0)
			cond_resched();
	}
	vhost_iotlb_free(side->iotlb);
}

static int side_update(struct side *side, const struct iommukit_iotlb_msg *msg,
		       u64 last)
{
	if (!msg->perm || msg->perm & ~IOMMUKIT_IOTLB_PERM_RW)
		return -EINVAL;
	if (!side->retire && side->iotlb->nmaps >= side->limit)
		return -ENOSPC;
	return vhost_iotlb_add_range(side->iotlb, msg->iova, last, msg->target,
				     msg->perm);
}

static int side_apply(struct side *side, const struct iommukit_iotlb_msg *msg)
{
	u64 last = 0;
	int ret = 0;

	if (msg->flags || msg->asid)
		return -EOPNOTSUPP;
	if (msg->op != IOMMUKIT_IOTLB_OP_FLUSH) {
		if (!msg->length)
			return -EINVAL;
		if (check_add_overflow(msg->iova, msg->length - 1, &last))
			return -EOVERFLOW;
	}

	spin_lock(&side->lock);
	switch (msg->op) {
	case IOMMUKIT_IOTLB_OP_UPDATE:
		ret = side_update(side, msg, last);
		break;
	case IOMMUKIT_IOTLB_OP_INVALIDATE:
		vhost_iotlb_del_range(side->iotlb, msg->iova, last);
		break;
	case IOMMUKIT_IOTLB_OP_FLUSH:
		vhost_iotlb_reset(side->iotlb);
		break;
	default:
		ret = -EINVAL;
	}
	spin_unlock(&side->lock);
	return ret;
}

static int side_apply_all(struct side *side, struct iommukit_iotlb_msg *batch,
			  struct iommukit_iotlb_submit *cmd)
{
	const struct iommukit_iotlb_msg __user *umsg = u64_to_user_ptr(cmd->array);
	u32 i, n;
	int ret;

	while (cmd->out_done < cmd->count) {
		n = min(cmd->count - cmd->out_done, SIDE_BATCH);
		if (copy_from_user(batch, umsg + cmd->out_done,
				   n * sizeof(*batch)))
			return -EFAULT;
		for (i = 0; i < n; i++) {
			ret = side_apply(side, &batch[i]);
			if (ret)
				return ret;
			cmd->out_done++;
		}
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

int side_submit(struct side *side, void __user *uarg)
{
	struct iommukit_iotlb_msg *batch;
	struct iommukit_iotlb_submit cmd;
	int ret;

	if (copy_from_user(&cmd, uarg, sizeof(cmd)))
		return -EFAULT;
	if (cmd.size != sizeof(cmd) || cmd.entry_size != sizeof(*batch))
		return -EINVAL;
	if (cmd.flags || cmd.__reserved)
		return -EOPNOTSUPP;
	batch = kmalloc_array(SIDE_BATCH, sizeof(*batch), GFP_KERNEL_ACCOUNT);
	if (!batch)
		return -ENOMEM;
	cmd.out_done = 0;
	cmd.out_epoch = 0;
	ret = side_apply_all(side, batch, &cmd);
	kfree(batch);
	if (copy_to_user(uarg, &cmd, sizeof(cmd)))
		return -EFAULT;
	return ret;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nested HWPTs: tables of user space, in front of those of a HWPT that mirrors an
 * IOAS. The core only keeps both together, and passes requests on.
 */
#include <linux/err.h>
#include <linux/module.h>
#include <uapi/linux/iommukit.h>

#include "describe.h"
#include "device.h"
#include "domain.h"
#include "fault.h"
#include "private.h"

/* So many requests at a time, each of up to a page */
#define REQUESTS_MAX (1U << 19)

static void nested_destroy(struct iommukit_object *obj)
{
	struct hwpt *hwpt = container_of(obj, struct hwpt, obj);

	hwpt->domain->ops->free(hwpt->domain);
	module_put(hwpt->ops->owner);
	if (hwpt->queue)
		object_release(&hwpt->queue->obj);
	object_release(&hwpt->parent->obj);
}

const struct object_ops hwpt_nested_object_ops = {
	.name = "hwpt-nested",
	.destroy = nested_destroy,
	.nest = IOMMUKIT_NL_A_OBJECT_HWPT,
	.describe = hwpt_describe,
};

/**
 * hwpt_nested_get - look a nested HWPT up for the time of a command
 * @ctx: the context
 * @id: its id
 *
 * Return: the HWPT for object_put(), or -ENOENT.
 */
struct hwpt *hwpt_nested_get(struct iommukit_ctx *ctx, u32 id)
{
	struct iommukit_object *obj = object_get(ctx, id,
						 &hwpt_nested_object_ops);

	if (IS_ERR(obj))
		return ERR_CAST(obj);
	return container_of(obj, struct hwpt, obj);
}

static int alloc_with_queue(struct iommukit_ucmd *ucmd,
			    struct iommukit_device *dev, struct hwpt *parent,
			    struct fault_queue *queue)
{
	struct iommukit_hwpt_alloc *cmd = ucmd->cmd;
	const struct device_ops *ops = dev->desc->ops;
	const struct device_user_data data = {
		.data = u64_to_user_ptr(cmd->data_uptr),
		.type = cmd->data_type,
		.length = cmd->data_len,
	};
	struct iommukit_object *obj;
	struct domain *domain;
	struct hwpt *hwpt;
	int rc;

	obj = object_reserve(ucmd->ctx, sizeof(*hwpt), &hwpt_nested_object_ops);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	domain = ops->nested_create(dev->desc->priv, parent->domain, &data);
	if (IS_ERR(domain)) {
		rc = PTR_ERR(domain);
		goto err_abort;
	}
	cmd->out_hwpt_id = obj->id;
	rc = ucmd_respond(ucmd, sizeof(*cmd));
	if (rc) {
		domain->ops->free(domain);
		goto err_abort;
	}
	hwpt = container_of(obj, struct hwpt, obj);
	hwpt->ctx = ucmd->ctx;
	hwpt->domain = domain;
	hwpt->ops = ops;
	/* One of its functions has just run, for a device that is bound. */
	__module_get(ops->owner);
	hwpt->parent = parent;
	object_hold(&parent->obj);
	hwpt->queue = queue;
	if (queue)
		object_hold(&queue->obj);
	hwpt->ioas = parent->ioas;
	hwpt->dirty = parent->dirty;
	object_publish(ucmd->ctx, obj);
	return 0;

err_abort:
	object_abort(ucmd->ctx, obj);
	return rc;
}

/**
 * hwpt_alloc_nested - the half of HWPT_ALLOC that is for nested ones
 * @ucmd: the command
 * @dev: the device that it shall suit
 * @parent: what it shall be nested in
 *
 * Context: may sleep.
 * Return: 0 or the errno of the command.
 */
int hwpt_alloc_nested(struct iommukit_ucmd *ucmd, struct iommukit_device *dev,
		      struct hwpt *parent)
{
	struct iommukit_hwpt_alloc *cmd = ucmd->cmd;
	struct fault_queue *queue;
	int rc;

	if ((cmd->flags & ~IOMMUKIT_HWPT_FAULT_ID_VALID) || !cmd->data_len ||
	    !dev->desc->ops->nested_create)
		return -EOPNOTSUPP;
	if (parent->automatic || !parent->nestable ||
	    parent->ops != dev->desc->ops)
		return -EINVAL;
	if (!(cmd->flags & IOMMUKIT_HWPT_FAULT_ID_VALID))
		return alloc_with_queue(ucmd, dev, parent, NULL);

	queue = fault_queue_get(ucmd->ctx, cmd->fault_id);
	if (IS_ERR(queue))
		return PTR_ERR(queue);
	rc = alloc_with_queue(ucmd, dev, parent, queue);
	object_put(ucmd->ctx, &queue->obj);
	return rc;
}

/* ---- requests ---- */

static int check_requests(const struct iommukit_hwpt_invalidate *cmd)
{
	if (!cmd->entry_num)
		return 0;
	return cmd->data_uptr && cmd->entry_len && cmd->entry_len <= PAGE_SIZE &&
	       cmd->entry_num <= REQUESTS_MAX ? 0 : -EINVAL;
}

static int invalidate(struct iommukit_ucmd *ucmd,
		      struct domain_requests *requests)
{
	struct iommukit_hwpt_invalidate *cmd = ucmd->cmd;
	struct hwpt *hwpt;
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	rc = check_requests(cmd);
	if (rc)
		return rc;
	hwpt = hwpt_nested_get(ucmd->ctx, cmd->hwpt_id);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	rc = hwpt->domain->ops->invalidate(hwpt->domain, requests);
	object_put(ucmd->ctx, &hwpt->obj);
	return rc;
}

int hwpt_cmd_invalidate(struct iommukit_ucmd *ucmd)
{
	struct iommukit_hwpt_invalidate *cmd = ucmd->cmd;
	struct domain_requests requests = {
		.data = u64_to_user_ptr(cmd->data_uptr),
		.type = cmd->data_type,
		.entry_len = cmd->entry_len,
		.nr = cmd->entry_num,
	};
	int rc = invalidate(ucmd, &requests);

	/* However it ended: the caller has to know how far it came. */
	cmd->entry_num = requests.done;
	return ucmd_respond(ucmd, sizeof(*cmd)) ?: rc;
}

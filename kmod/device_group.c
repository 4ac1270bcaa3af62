// SPDX-License-Identifier: GPL-2.0-only
/* Groups of devices in a context: their life. */
#include <linux/list.h>
#include <linux/slab.h>

#include "device.h"
#include "fail.h"
#include "private.h"

/**
 * device_group_get - one more device of a group
 * @ctx: the context
 * @key: device_desc.group
 *
 * Context: may sleep.
 * Return: the group for device_group_put(), or NULL if there is no memory.
 */
struct device_group *device_group_get(struct iommukit_ctx *ctx, const void *key)
{
	struct device_group *group;

	mutex_lock(&ctx->groups_lock);
	list_for_each_entry(group, &ctx->groups, link) {
		if (group->key == key) {
			group->bound++;
			goto out_unlock;
		}
	}
	group = fail_alloc(kzalloc(sizeof(*group), GFP_KERNEL_ACCOUNT));
	if (group) {
		group->bound = 1;
		group->key = key;
		mutex_init(&group->lock);
		INIT_LIST_HEAD(&group->attached);
		list_add(&group->link, &ctx->groups);
	}
out_unlock:
	mutex_unlock(&ctx->groups_lock);
	return group;
}

/**
 * device_group_put - undo device_group_get()
 * @ctx: the context
 * @group: the group; may be gone on return
 *
 * Context: may sleep.
 */
void device_group_put(struct iommukit_ctx *ctx, struct device_group *group)
{
	mutex_lock(&ctx->groups_lock);
	if (--group->bound)
		group = NULL;
	else
		list_del(&group->link);
	mutex_unlock(&ctx->groups_lock);
	if (group)
		mutex_destroy(&group->lock);
	kfree(group);
}

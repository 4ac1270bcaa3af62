// SPDX-License-Identifier: GPL-2.0-only
/*
 * Groups of devices in a context: their life, and cutting them off from a HWPT that has
 * failed.
 */
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

/* The group after @group, or the first one; its lock can be taken. @group is put. */
static struct device_group *group_next(struct iommukit_ctx *ctx,
				       struct device_group *group)
{
	struct device_group *next;

	mutex_lock(&ctx->groups_lock);
	next = group ? list_next_entry(group, link) :
		       list_first_entry(&ctx->groups, struct device_group, link);
	if (list_entry_is_head(next, &ctx->groups, link))
		next = NULL;
	else
		next->bound++;
	mutex_unlock(&ctx->groups_lock);
	if (group)
		device_group_put(ctx, group);
	return next;
}

/* Returns whether no device of the group uses the HWPT any more. */
static bool group_block(struct device_group *group, const struct hwpt *hwpt)
{
	bool blocked = true;

	mutex_lock(&group->lock);
	if (group->hwpt && hwpt_of_tables(group->hwpt) == hwpt) {
		struct iommukit_device *dev =
			list_first_entry(&group->attached,
					 struct iommukit_device, link);

		/* It is asked once; what has failed is tried again when it leaves. */
		if (!group->broken) {
			group->broken = true;
			group->loose = dev->desc->ops->set_domain(dev->desc->priv,
								  NULL);
		}
		blocked = !group->loose;
	}
	mutex_unlock(&group->lock);
	return blocked;
}

/**
 * device_groups_block - cut devices off from a HWPT that has failed
 * @ctx: its context, dead: nobody else comes to it
 * @hwpt: the HWPT; those nested in it as well
 *
 * They stay attached, but reach nothing until they are detached.
 *
 * Context: may sleep.
 * Return: whether none of them uses it any more.
 */
bool device_groups_block(struct iommukit_ctx *ctx, const struct hwpt *hwpt)
{
	struct device_group *group = NULL;
	bool blocked = true;

	while ((group = group_next(ctx, group)))
		blocked = group_block(group, hwpt) && blocked;
	return blocked;
}

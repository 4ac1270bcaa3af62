// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commands of an IOAS: check, look up, let the IOVA space do it, respond.
 * The order of the checks is ABI.
 */
#include "ioas.h"

#include <linux/err.h>
#include <linux/interval_tree.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <uapi/linux/iommukit.h>

#include "describe.h"
#include "ondemand.h"
#include "pages.h"
#include "private.h"

static void ioas_destroy(struct iommukit_object *obj)
{
	struct ioas *ioas = container_of(obj, struct ioas, obj);

	iova_space_destroy(&ioas->space);
	ondemand_totals_put(ioas->totals);
	mutex_destroy(&ioas->lock);
}

static int describe_ondemand(const struct ioas *ioas, struct sk_buff *skb)
{
	/* Pairs with ioas_totals(). */
	const struct ondemand_totals *totals = smp_load_acquire(&ioas->totals);

	return describe_u64(skb, IOMMUKIT_NL_A_IOAS_OD_FAULTS,
			    ondemand_total(totals, ONDEMAND_TOTAL_FAULTS),
			    IOMMUKIT_NL_A_IOAS_PAD) ?:
	       describe_u64(skb, IOMMUKIT_NL_A_IOAS_OD_INVALIDATIONS,
			    ondemand_total(totals, ONDEMAND_TOTAL_INVALIDATIONS),
			    IOMMUKIT_NL_A_IOAS_PAD);
}

static int ioas_describe(struct iommukit_object *obj, struct sk_buff *skb)
{
	const struct ioas *ioas = container_of(obj, struct ioas, obj);
	const struct iova_space *space = &ioas->space;

	return describe_u64(skb, IOMMUKIT_NL_A_IOAS_AREAS,
			    READ_ONCE(space->nr_areas), IOMMUKIT_NL_A_IOAS_PAD) ?:
	       describe_u64(skb, IOMMUKIT_NL_A_IOAS_MAPPED_BYTES,
			    READ_ONCE(space->mapped), IOMMUKIT_NL_A_IOAS_PAD) ?:
	       describe_u32(skb, IOMMUKIT_NL_A_IOAS_HWPTS,
			    READ_ONCE(ioas->nr_hwpts)) ?:
	       describe_u32(skb, IOMMUKIT_NL_A_IOAS_DIRTY_TRACKING,
			    READ_ONCE(space->logging)) ?:
	       describe_u64(skb, IOMMUKIT_NL_A_IOAS_DIRTIED_PAGES,
			    atomic64_read(&space->dirtied),
			    IOMMUKIT_NL_A_IOAS_PAD) ?:
	       describe_ondemand(ioas, skb);
}

const struct object_ops ioas_object_ops = {
	.name = "ioas",
	.destroy = ioas_destroy,
	.nest = IOMMUKIT_NL_A_OBJECT_IOAS,
	.describe = ioas_describe,
};

/**
 * ioas_get - look an IOAS up for the time of a command
 * @ctx: the context
 * @id: its id
 *
 * Return: the IOAS, or -ENOENT.
 */
struct ioas *ioas_get(struct iommukit_ctx *ctx, u32 id)
{
	struct iommukit_object *obj = object_get(ctx, id, &ioas_object_ops);

	if (IS_ERR(obj))
		return ERR_CAST(obj);
	return container_of(obj, struct ioas, obj);
}

/**
 * ioas_put - undo ioas_get()
 * @ctx: the context
 * @ioas: the IOAS
 */
void ioas_put(struct iommukit_ctx *ctx, struct ioas *ioas)
{
	object_put(ctx, &ioas->obj);
}

int ioas_cmd_alloc(struct iommukit_ucmd *ucmd)
{
	struct iommukit_ioas_alloc *cmd = ucmd->cmd;
	struct iommukit_object *obj;
	struct ioas *ioas;
	int rc;

	BUILD_BUG_ON(offsetof(struct ioas, obj));
	if (cmd->flags)
		return -EOPNOTSUPP;
	obj = object_reserve(ucmd->ctx, sizeof(*ioas), &ioas_object_ops);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	ioas = container_of(obj, struct ioas, obj);
	iova_space_init(&ioas->space, ucmd->ctx->id, obj->id);
	mutex_init(&ioas->lock);
	INIT_LIST_HEAD(&ioas->hwpts);

	cmd->out_ioas_id = obj->id;
	rc = ucmd_respond(ucmd, sizeof(*cmd));
	if (rc) {
		iova_space_destroy(&ioas->space);
		object_abort(ucmd->ctx, obj);
		return rc;
	}
	object_publish(ucmd->ctx, obj);
	return 0;
}

/* Read the caller's list into a set; on failure the set is the caller's too. */
static int read_allowed(struct rb_root_cached *allowed,
			struct iommukit_iova_range __user *ranges, u32 count)
{
	struct iommukit_iova_range range;
	int rc;

	for (; count; count--, ranges++) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (copy_from_user(&range, ranges, sizeof(range)))
			return -EFAULT;
		if (range.start >= range.last ||
		    iova_ranges_intersect(allowed, range.start, range.last))
			return -EINVAL;
		rc = iova_ranges_add(allowed, range.start, range.last, NULL);
		if (rc)
			return rc;
		cond_resched();
	}
	return 0;
}

int ioas_cmd_allow_iovas(struct iommukit_ucmd *ucmd)
{
	struct iommukit_ioas_allow_iovas *cmd = ucmd->cmd;
	struct rb_root_cached allowed = RB_ROOT_CACHED;
	struct ioas *ioas;
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	ioas = ioas_get(ucmd->ctx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = read_allowed(&allowed, u64_to_user_ptr(cmd->allowed_iovas),
			  cmd->num_iovas);
	if (!rc)
		rc = iova_space_allow(&ioas->space, &allowed);
	iova_ranges_free(&allowed);
	ioas_put(ucmd->ctx, ioas);
	return rc;
}

int ioas_cmd_iova_ranges(struct iommukit_ucmd *ucmd)
{
	struct iommukit_ioas_iova_ranges *cmd = ucmd->cmd;
	struct iommukit_iova_range *ranges;
	struct ioas *ioas;
	u32 room = cmd->num_iovas;
	int rc = -EINTR;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	ioas = ioas_get(ucmd->ctx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	if (!down_read_killable(&ioas->space.lock)) {
		cmd->out_iova_alignment = ioas->space.alignment;
		rc = iova_space_usable(&ioas->space, &ranges, room,
				       &cmd->num_iovas);
		up_read(&ioas->space.lock);
	}
	ioas_put(ucmd->ctx, ioas);
	if (rc)
		return rc;

	if (copy_to_user(u64_to_user_ptr(cmd->allowed_iovas), ranges,
			 min(room, cmd->num_iovas) * sizeof(*ranges)))
		rc = -EFAULT;
	kvfree(ranges);
	if (rc)
		return rc;
	return ucmd_respond(ucmd, sizeof(*cmd)) ?:
	       (cmd->num_iovas > room ? -EMSGSIZE : 0);
}

static u8 map_prot(u32 flags)
{
	return (flags & IOMMUKIT_IOAS_MAP_READABLE ? IOVA_READ : 0) |
	       (flags & IOMMUKIT_IOAS_MAP_WRITEABLE ? IOVA_WRITE : 0);
}

/**
 * ioas_check_map - the checks that all commands begin with that map new memory
 * @flags: enum iommukit_ioas_map_flags
 * @iova: where to map
 * @length: bytes
 *
 * Return: 0; -EOPNOTSUPP; -EOVERFLOW; -EINVAL.
 */
int ioas_check_map(u32 flags, u64 iova, u64 length)
{
	if (flags & ~IOAS_MAP_FLAGS)
		return -EOPNOTSUPP;
	if (iova >= ULONG_MAX || length >= ULONG_MAX)
		return -EOVERFLOW;
	return map_prot(flags) ? 0 : -EINVAL;
}

/**
 * ioas_map_pages - map a new pages object
 * @ioas: the IOAS
 * @pages: the object, whose reference is used up in any case; or an errno
 * @start: address, or offset in the file, of the first byte
 * @length: bytes
 * @flags: enum iommukit_ioas_map_flags
 * @iova: where to map if the IOVA is fixed; gets where it is mapped
 *
 * Context: may sleep; killable.
 * Return: 0; that errno; -ENOMEM; other errnos of iova_space_insert().
 */
int ioas_map_pages(struct ioas *ioas, struct pages *pages, u64 start,
		   u64 length, u32 flags, u64 *iova)
{
	unsigned long at = *iova;
	struct iova_area *area;
	int rc;

	if (IS_ERR(pages))
		return PTR_ERR(pages);
	area = iova_area_alloc(pages, offset_in_page(start), length,
			       map_prot(flags));
	if (!area) {
		pages_put(pages);
		return -ENOMEM;
	}
	rc = iova_space_insert(&ioas->space, area, length, start,
			       flags & IOMMUKIT_IOAS_MAP_FIXED_IOVA, &at);
	if (rc) {
		iova_areas_free(area);
		return rc;
	}
	*iova = at;
	return 0;
}

/**
 * ioas_map_user - map memory of the calling process
 * @ctx: the context
 * @ioas: the IOAS
 * @user_va: address of the memory
 * @length: bytes
 * @flags: enum iommukit_ioas_map_flags; may lack any permission
 * @iova: where to map if the IOVA is fixed; gets where it is mapped
 *
 * Context: process context, may sleep; killable.
 * Return: 0; -EINVAL if @length is 0 or beyond reason; -EOVERFLOW if the memory
 * wraps; -ENOMEM; other errnos of iova_space_insert().
 */
int ioas_map_user(struct iommukit_ctx *ctx, struct ioas *ioas, u64 user_va,
		  u64 length, u32 flags, u64 *iova)
{
	struct pages *pages;
	u64 end;

	if (!length || length > SIZE_MAX - PAGE_SIZE)
		return -EINVAL;
	if (check_add_overflow(user_va, length, &end))
		return -EOVERFLOW;
	pages = pages_create_user(ctx, user_va,
				  flags & IOMMUKIT_IOAS_MAP_WRITEABLE);
	return ioas_map_pages(ioas, pages, user_va, length, flags, iova);
}

int ioas_cmd_map(struct iommukit_ucmd *ucmd)
{
	struct iommukit_ioas_map *cmd = ucmd->cmd;
	struct ioas *ioas;
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	rc = ioas_check_map(cmd->flags, cmd->iova, cmd->length);
	if (rc)
		return rc;
	ioas = ioas_get(ucmd->ctx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = ioas_map_user(ucmd->ctx, ioas, cmd->user_va, cmd->length,
			   cmd->flags, &cmd->iova);
	ioas_put(ucmd->ctx, ioas);
	return rc ?: ucmd_respond(ucmd, sizeof(*cmd));
}

int ioas_cmd_map_file(struct iommukit_ucmd *ucmd)
{
	struct iommukit_ioas_map_file *cmd = ucmd->cmd;
	struct pages *pages;
	struct ioas *ioas;
	u64 last;
	int rc;

	rc = ioas_check_map(cmd->flags, cmd->iova, cmd->length);
	if (rc)
		return rc;
	ioas = ioas_get(ucmd->ctx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	if (!cmd->length) {
		rc = -EINVAL;
	} else if (check_add_overflow(cmd->start, cmd->length - 1, &last)) {
		rc = -EOVERFLOW;
	} else {
		pages = pages_create_file(ucmd->ctx, cmd->fd, cmd->start,
					  cmd->length,
					  cmd->flags & IOMMUKIT_IOAS_MAP_WRITEABLE);
		rc = ioas_map_pages(ioas, pages, cmd->start, cmd->length,
				    cmd->flags, &cmd->iova);
	}
	ioas_put(ucmd->ctx, ioas);
	return rc ?: ucmd_respond(ucmd, sizeof(*cmd));
}

static int copy_collect(struct iommukit_ctx *ctx,
			const struct iommukit_ioas_copy *cmd,
			struct iova_area **areas)
{
	struct ioas *src = ioas_get(ctx, cmd->src_ioas_id);
	u64 last;
	int rc;

	if (IS_ERR(src))
		return PTR_ERR(src);
	if (!cmd->length)
		rc = -EINVAL;
	else if (check_add_overflow(cmd->src_iova, cmd->length - 1, &last))
		rc = -EOVERFLOW;
	else
		rc = iova_space_collect(&src->space, cmd->src_iova, cmd->length,
					map_prot(cmd->flags), areas);
	ioas_put(ctx, src);
	return rc;
}

int ioas_cmd_copy(struct iommukit_ucmd *ucmd)
{
	struct iommukit_ioas_copy *cmd = ucmd->cmd;
	unsigned long at = cmd->dst_iova;
	struct iova_area *areas;
	struct ioas *dst;
	int rc;

	if (cmd->flags & ~IOAS_MAP_FLAGS)
		return -EOPNOTSUPP;
	if (cmd->length >= ULONG_MAX || cmd->src_iova >= ULONG_MAX ||
	    cmd->dst_iova >= ULONG_MAX)
		return -EOVERFLOW;
	if (!map_prot(cmd->flags))
		return -EINVAL;
	rc = copy_collect(ucmd->ctx, cmd, &areas);
	if (rc)
		return rc;
	dst = ioas_get(ucmd->ctx, cmd->dst_ioas_id);
	if (IS_ERR(dst)) {
		rc = PTR_ERR(dst);
		goto err_free;
	}
	rc = iova_space_insert(&dst->space, areas, cmd->length,
			       areas->pages->base + areas->offset,
			       cmd->flags & IOMMUKIT_IOAS_MAP_FIXED_IOVA, &at);
	ioas_put(ucmd->ctx, dst);
	if (rc)
		goto err_free;
	cmd->dst_iova = at;
	return ucmd_respond(ucmd, sizeof(*cmd));

err_free:
	iova_areas_free(areas);
	return rc;
}

static int unmap_range(struct iommukit_ioas_unmap *cmd, struct iova_space *space,
		       unsigned long *unmapped)
{
	unsigned long last;
	int rc;

	if (!cmd->iova && cmd->length == U64_MAX)
		return iova_space_unmap(space, 0, ULONG_MAX, unmapped);
	if (cmd->iova >= ULONG_MAX || cmd->length >= ULONG_MAX)
		return -EOVERFLOW;
	if (!cmd->length)
		return -EINVAL;
	if (check_add_overflow((unsigned long)cmd->iova,
			       (unsigned long)cmd->length - 1, &last))
		return -EOVERFLOW;
	rc = iova_space_unmap(space, cmd->iova, last, unmapped);
	return rc ?: (*unmapped ? 0 : -ENOENT);
}

int ioas_cmd_unmap(struct iommukit_ucmd *ucmd)
{
	struct iommukit_ioas_unmap *cmd = ucmd->cmd;
	unsigned long unmapped = 0;
	struct ioas *ioas;
	int rc;

	ioas = ioas_get(ucmd->ctx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = unmap_range(cmd, &ioas->space, &unmapped);
	ioas_put(ucmd->ctx, ioas);
	if (rc)
		return rc;
	cmd->length = unmapped;
	return ucmd_respond(ucmd, sizeof(*cmd));
}

/* The part of OPTION that concerns an IOAS; the caller writes val64 back. */
int ioas_option_huge_pages(struct iommukit_ucmd *ucmd)
{
	struct iommukit_option *cmd = ucmd->cmd;
	struct ioas *ioas;
	int rc = 0;

	ioas = ioas_get(ucmd->ctx, cmd->object_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	if (cmd->op == IOMMUKIT_OPTION_OP_GET)
		cmd->val64 = !READ_ONCE(ioas->space.no_huge);
	else if (cmd->op != IOMMUKIT_OPTION_OP_SET)
		rc = -EOPNOTSUPP;
	else if (cmd->val64 > 1)
		rc = -EINVAL;
	else
		rc = iova_space_set_no_huge(&ioas->space, !cmd->val64);
	ioas_put(ucmd->ctx, ioas);
	return rc;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls of a VFIO container with a type1 IOMMU, on the descriptor of a
 * context. They work on its compatibility IOAS: the marked object.
 *
 * Their structures are not negotiated as those of our own commands: what is read
 * has a fixed size, whatever argsz says, and the answer is told only as far as
 * argsz reaches.
 */
#include "vfio_compat.h"

#include <linux/err.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <uapi/linux/iommukit.h>
#include <uapi/linux/vfio.h>

#include "ioas.h"
#include "private.h"

#define MAP_DMA_FLAGS (VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

/* The compatibility IOAS, for ioas_put(), or -ENODEV. */
static struct ioas *compat_ioas_get(struct iommukit_ctx *ctx)
{
	struct iommukit_object *obj;

	obj = fail_point(-ENODEV) ? NULL : object_get_marked(ctx);
	return obj ? container_of(obj, struct ioas, obj) : ERR_PTR(-ENODEV);
}

/**
 * vfio_compat_cmd_ioas - run VFIO_IOAS: read or choose the compatibility IOAS
 * @ucmd: the command
 *
 * Context: may sleep.
 * Return: 0; -EOPNOTSUPP; -ENODEV if there is none; -ENOENT if no IOAS has that
 * id; -EFAULT.
 */
int vfio_compat_cmd_ioas(struct iommukit_ucmd *ucmd)
{
	struct iommukit_vfio_ioas *cmd = ucmd->cmd;
	struct ioas *ioas;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	switch (cmd->op) {
	case IOMMUKIT_VFIO_IOAS_GET:
		ioas = compat_ioas_get(ucmd->ctx);
		if (IS_ERR(ioas))
			return PTR_ERR(ioas);
		cmd->ioas_id = ioas->obj.id;
		ioas_put(ucmd->ctx, ioas);
		return ucmd_respond(ucmd, sizeof(*cmd));
	case IOMMUKIT_VFIO_IOAS_SET:
		ioas = ioas_get(ucmd->ctx, cmd->ioas_id);
		if (IS_ERR(ioas))
			return PTR_ERR(ioas);
		object_set_marked(ucmd->ctx, &ioas->obj);
		ioas_put(ucmd->ctx, ioas);
		return 0;
	case IOMMUKIT_VFIO_IOAS_CLEAR:
		object_set_marked(ucmd->ctx, NULL);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

/* ---- the container ---- */

static long check_extension(struct iommukit_ctx *ctx, unsigned long extension)
{
	struct ioas *ioas;

	switch (extension) {
	case VFIO_TYPE1_IOMMU:
	case VFIO_TYPE1v2_IOMMU:
	case VFIO_UNMAP_ALL:
		return 1;
	case VFIO_DMA_CC_IOMMU:
		ioas = compat_ioas_get(ctx);
		if (IS_ERR(ioas))
			return PTR_ERR(ioas);
		ioas_put(ctx, ioas);
		return 1;
	default:
		return 0;
	}
}

static long set_iommu(struct iommukit_ctx *ctx, unsigned long type)
{
	struct ioas *ioas;
	int rc = 0;

	if (type != VFIO_TYPE1_IOMMU && type != VFIO_TYPE1v2_IOMMU)
		return -EINVAL;
	ioas = compat_ioas_get(ctx);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	/* So that parts of a mapping can be unmapped, as the first version could. */
	if (type == VFIO_TYPE1_IOMMU)
		rc = iova_space_set_no_huge(&ioas->space, true);
	ioas_put(ctx, ioas);
	return rc;
}

/* ---- mapping ---- */

static long map_dma(struct iommukit_ctx *ctx, void __user *arg)
{
	const size_t size = offsetofend(struct vfio_iommu_type1_dma_map, size);
	struct vfio_iommu_type1_dma_map map;
	u32 flags = IOMMUKIT_IOAS_MAP_FIXED_IOVA;
	struct ioas *ioas;
	int rc;

	if (copy_from_user(&map, arg, size))
		return -EFAULT;
	if (map.argsz < size || (map.flags & ~MAP_DMA_FLAGS))
		return -EINVAL;
	if (map.flags & VFIO_DMA_MAP_FLAG_READ)
		flags |= IOMMUKIT_IOAS_MAP_READABLE;
	if (map.flags & VFIO_DMA_MAP_FLAG_WRITE)
		flags |= IOMMUKIT_IOAS_MAP_WRITEABLE;
	ioas = compat_ioas_get(ctx);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = ioas_map_user(ctx, ioas, map.vaddr, map.size, flags, &map.iova);
	ioas_put(ctx, ioas);
	return rc;
}

/*
 * What comes first: if this fails, nothing is told. A range that is none is left
 * to run_unmap().
 */
static int prepare_unmap(struct iova_space *space,
			 const struct vfio_iommu_type1_dma_unmap *unmap)
{
	unsigned long last = unmap->iova + unmap->size - 1;
	int rc;

	if (unmap->flags & VFIO_DMA_UNMAP_FLAG_ALL)
		return unmap->iova || unmap->size ? -EINVAL : 0;
	if (!unmap->size || last < unmap->iova || !READ_ONCE(space->no_huge))
		return 0;
	rc = iova_space_cut(space, last);
	if (rc || !unmap->iova)
		return rc;
	return iova_space_cut(space, unmap->iova - 1);
}

static int run_unmap(struct iova_space *space,
		     const struct vfio_iommu_type1_dma_unmap *unmap,
		     unsigned long *unmapped)
{
	unsigned long last;

	if (unmap->flags & VFIO_DMA_UNMAP_FLAG_ALL)
		return iova_space_unmap(space, 0, ULONG_MAX, unmapped);
	if (!unmap->size)
		return -EINVAL;
	if (check_add_overflow((unsigned long)unmap->iova,
			       (unsigned long)unmap->size - 1, &last))
		return -EOVERFLOW;
	return iova_space_unmap(space, unmap->iova, last, unmapped);
}

static long unmap_dma(struct iommukit_ctx *ctx, void __user *arg)
{
	const size_t size = offsetofend(struct vfio_iommu_type1_dma_unmap, size);
	struct vfio_iommu_type1_dma_unmap unmap;
	unsigned long unmapped = 0;
	struct ioas *ioas;
	int rc;

	if (copy_from_user(&unmap, arg, size))
		return -EFAULT;
	if (unmap.argsz < size || (unmap.flags & ~VFIO_DMA_UNMAP_FLAG_ALL))
		return -EINVAL;
	ioas = compat_ioas_get(ctx);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = prepare_unmap(&ioas->space, &unmap);
	if (rc)
		goto out_put;
	rc = run_unmap(&ioas->space, &unmap, &unmapped);
	/* What is gone is told, even if the rest failed. */
	unmap.size = unmapped;
	if (fail_point(-EFAULT) || copy_to_user(arg, &unmap, size))
		rc = -EFAULT;
out_put:
	ioas_put(ctx, ioas);
	return rc;
}

/* ---- information ---- */

/* Where the parts of the answer to GET_INFO lie */
#define AVAIL_OFFSET sizeof(struct vfio_iommu_type1_info)
#define LIST_OFFSET (AVAIL_OFFSET + \
		     ALIGN(sizeof(struct vfio_iommu_type1_info_dma_avail), 8))
#define RANGES_OFFSET (LIST_OFFSET + \
		       sizeof(struct vfio_iommu_type1_info_cap_iova_range))

/**
 * struct info_ranges - The usable ranges of IOVA, for GET_INFO
 * @nr: how many there are
 * @room: how many of them the caller has room for
 * @page_sizes: of the pages that all domains have
 * @range: those, for kvfree()
 */
struct info_ranges {
	u32 nr;
	u32 room;
	u64 page_sizes;
	struct iommukit_iova_range *range;
};

static int read_ranges(struct iova_space *space, u32 argsz,
		       struct info_ranges *ranges)
{
	u32 room = 0;
	int rc;

	BUILD_BUG_ON(sizeof(*ranges->range) != sizeof(struct vfio_iova_range));
	if (argsz > RANGES_OFFSET)
		room = (argsz - RANGES_OFFSET) / sizeof(*ranges->range);
	if (down_read_killable(&space->lock))
		return -EINTR;
	rc = iova_space_usable(space, &ranges->range, room, &ranges->nr);
	ranges->page_sizes = iova_space_page_sizes(space);
	up_read(&space->lock);
	ranges->room = min(room, ranges->nr);
	return rc;
}

/* Each part is written if all of it fits into argsz; of the ranges each. */
static int write_info(void __user *arg, u32 argsz,
		      const struct info_ranges *ranges)
{
	size_t ranges_size = ranges->room * sizeof(*ranges->range);
	size_t total = RANGES_OFFSET + ranges->nr * sizeof(*ranges->range);
	struct vfio_iommu_type1_info_cap_iova_range list = {
		.header.id = VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE,
		.header.version = 1,
		.nr_iovas = ranges->nr,
	};
	struct vfio_iommu_type1_info_dma_avail avail = {
		.header.id = VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL,
		.header.version = 1,
		.header.next = argsz >= LIST_OFFSET ? LIST_OFFSET : 0,
		.avail = U32_MAX,
	};
	struct vfio_iommu_type1_info info;

	memset(&info, 0, sizeof(info)); /* with its padding */
	info.argsz = total;
	info.flags = VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS;
	info.iova_pgsizes = ranges->page_sizes;
	if (argsz >= total)
		info.cap_offset = AVAIL_OFFSET;

	if (fail_point(-EFAULT) ||
	    copy_to_user(arg, &info, min_t(size_t, argsz, sizeof(info))))
		return -EFAULT;
	if (argsz >= AVAIL_OFFSET + sizeof(avail) &&
	    copy_to_user(arg + AVAIL_OFFSET, &avail, sizeof(avail)))
		return -EFAULT;
	if (argsz >= total &&
	    copy_to_user(arg + LIST_OFFSET, &list, sizeof(list)))
		return -EFAULT;
	if (copy_to_user(arg + RANGES_OFFSET, ranges->range, ranges_size))
		return -EFAULT;
	return 0;
}

static long get_info(struct iommukit_ctx *ctx, void __user *arg)
{
	const size_t size = offsetofend(struct vfio_iommu_type1_info,
					iova_pgsizes);
	struct vfio_iommu_type1_info info;
	struct info_ranges ranges;
	struct ioas *ioas;
	int rc;

	if (copy_from_user(&info, arg, size))
		return -EFAULT;
	if (info.argsz < size)
		return -EINVAL;
	ioas = compat_ioas_get(ctx);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = read_ranges(&ioas->space, info.argsz, &ranges);
	ioas_put(ctx, ioas);
	if (rc)
		return rc;
	rc = write_info(arg, info.argsz, &ranges);
	kvfree(ranges.range);
	return rc;
}

/**
 * vfio_compat_ioctl - run an ioctl that is none of our own
 * @ctx: the context
 * @word: the command word
 * @arg: its argument; not touched if the word is not known
 *
 * Context: may sleep.
 * Return: what the ioctl returns; -ENOTTY if the word is not known; -EIO if the context
 * is dead, of all but the one that unmaps.
 */
long vfio_compat_ioctl(struct iommukit_ctx *ctx, unsigned int word,
		       unsigned long arg)
{
	void __user *user = (void __user *)arg;
	int rc = ctx_check(ctx);

	switch (word) {
	case VFIO_GET_API_VERSION:
		return rc ?: VFIO_API_VERSION;
	case VFIO_CHECK_EXTENSION:
		return rc ?: check_extension(ctx, arg);
	case VFIO_SET_IOMMU:
		return rc ?: set_iommu(ctx, arg);
	case VFIO_IOMMU_GET_INFO:
		return rc ?: get_info(ctx, user);
	case VFIO_IOMMU_MAP_DMA:
		return rc ?: map_dma(ctx, user);
	case VFIO_IOMMU_UNMAP_DMA:
		return unmap_dma(ctx, user);
	default:
		return -ENOTTY;
	}
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A table of vhost_iotlb with a spinlock, which is held for each lookup and for each
 * change: what drivers that share one between queues do.
 */
#ifndef IOMMUKIT_IOTLB_BENCH_SIDE_H
#define IOMMUKIT_IOTLB_BENCH_SIDE_H

#include <linux/errno.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/vhost_iotlb.h>

struct iotlb_bench_attach;

#define SIDE_DEVICE "vhost-iotlb-bench"
#define SIDE_HAS_MISSES false

/**
 * struct side - A table
 * @lock: spinlock: protects @iotlb
 * @iotlb: the table
 * @limit: of entries; kernels before 7.2 do not look at it themselves
 * @retire: the table makes room itself
 */
struct side {
	spinlock_t lock;
	struct vhost_iotlb *iotlb;
	u32 limit;
	bool retire;
};

struct side_reader {
	struct side *side;
};

/* What holds of a translation after the lock is the driver's business there. */
static inline void side_enter(struct side_reader *reader) {}
static inline void side_exit(struct side_reader *reader) {}

/* -ENOENT if nothing is there. */
static inline int side_lookup(struct side_reader *reader, u64 iova, u64 length,
			      u64 *target)
{
	struct side *side = reader->side;
	const struct vhost_iotlb_map *map;
	int ret = 0;

	spin_lock(&side->lock);
	map = vhost_iotlb_itree_first(side->iotlb, iova, iova + length - 1);
	if (!map || map->start > iova)
		ret = -ENOENT;
	else if (!(map->perm & VHOST_MAP_RO))
		ret = -EPERM;
	else
		*target = map->addr + (iova - map->start);
	spin_unlock(&side->lock);
	return ret;
}

static inline int side_translate(struct side_reader *reader, u64 iova,
				 u64 length, u64 *target)
{
	return -EOPNOTSUPP;
}

static inline int side_reader_create(struct side *side,
				     struct side_reader *reader)
{
	reader->side = side;
	return 0;
}

static inline void side_reader_destroy(struct side_reader *reader) {}

int side_attach(struct side *side, const struct iotlb_bench_attach *attach);
void side_detach(struct side *side);
int side_submit(struct side *side, void __user *uarg);

#endif /* IOMMUKIT_IOTLB_BENCH_SIDE_H */

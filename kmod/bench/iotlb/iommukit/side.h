/* SPDX-License-Identifier: GPL-2.0-only */
/* An IOTLB of iommukit, as a driver uses it. */
#ifndef IOMMUKIT_IOTLB_BENCH_SIDE_H
#define IOMMUKIT_IOTLB_BENCH_SIDE_H

#include <linux/errno.h>
#include <linux/iommukit.h>
#include <linux/iommukit_iotlb_client.h>
#include <linux/types.h>

struct iotlb_bench_attach;

#define SIDE_DEVICE "iotlb-bench"
#define SIDE_HAS_MISSES true

struct side {
	struct iommukit_iotlb_client *client;
};

struct side_reader {
	struct iommukit_iotlb_reader *reader;
};

static inline void side_enter(struct side_reader *reader)
{
	iommukit_iotlb_enter(reader->reader);
}

static inline void side_exit(struct side_reader *reader)
{
	iommukit_iotlb_exit(reader->reader);
}

/* -ENOENT if nothing is there. Inside the gate. */
static inline int side_lookup(struct side_reader *reader, u64 iova, u64 length,
			      u64 *target)
{
	struct iommukit_iotlb_seg seg;
	unsigned int nsegs;
	u64 done;
	int ret;

	ret = iommukit_iotlb_translate_nowait(reader->reader, iova, length,
					      IOMMUKIT_IOTLB_READ, &seg, 1,
					      &nsegs, &done);
	if (ret)
		return ret == -EAGAIN ? -ENOENT : ret;
	*target = seg.target;
	return 0;
}

/* Waits for the server. Outside of the gate. */
static inline int side_translate(struct side_reader *reader, u64 iova,
				 u64 length, u64 *target)
{
	struct iommukit_iotlb_seg seg;
	unsigned int nsegs;
	u64 done;
	int ret;

	ret = iommukit_iotlb_translate(reader->reader, iova, length,
				       IOMMUKIT_IOTLB_READ, &seg, 1, &nsegs,
				       &done, 0, 0);
	if (ret)
		return ret;
	*target = seg.target;
	iommukit_iotlb_exit(reader->reader);
	return 0;
}

/* The owner changes an IOTLB at iommukit's own device. */
static inline int side_submit(struct side *side, void __user *uarg)
{
	return -ENOTTY;
}

int side_attach(struct side *side, const struct iotlb_bench_attach *attach);
void side_detach(struct side *side);
int side_reader_create(struct side *side, struct side_reader *reader);
void side_reader_destroy(struct side_reader *reader);

#endif /* IOMMUKIT_IOTLB_BENCH_SIDE_H */

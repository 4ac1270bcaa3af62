/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What IOVA bitmaps count, for the test module. Users of the facility include
 * <linux/iommukit.h>.
 */
#ifndef IOMMUKIT_IOVA_BITMAP_H
#define IOMMUKIT_IOVA_BITMAP_H

#include <linux/atomic.h>

struct iommukit_iova_bitmap;

/**
 * struct iova_bitmap_stats - What one bitmap has done
 * @windows: parts of the user's memory that were made accessible
 * @pages: pages pinned for them
 * @clipped: records that were not entirely inside, by any number of threads
 */
struct iova_bitmap_stats {
	unsigned long windows;
	unsigned long pages;
	atomic_long_t clipped;
};

const struct iova_bitmap_stats *
iova_bitmap_stats(const struct iommukit_iova_bitmap *bitmap);

#endif /* IOMMUKIT_IOVA_BITMAP_H */

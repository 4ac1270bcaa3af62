/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Upstream's IOVA bitmaps, served by iommukit's. A record that fails is told by
 * iommukit_iova_bitmap_error() only: these calls have nowhere to.
 */
#ifndef _IOVA_BITMAP_H_
#define _IOVA_BITMAP_H_

#include <linux/iommukit.h>

#define iova_bitmap		iommukit_iova_bitmap
#define iova_bitmap_fn_t	iommukit_iova_bitmap_fn_t
#define iova_bitmap_for_each	iommukit_iova_bitmap_for_each
#define iova_bitmap_free	iommukit_iova_bitmap_free

static inline struct iommukit_iova_bitmap *
iova_bitmap_alloc(unsigned long iova, size_t length, unsigned long page_size,
		  u64 __user *data)
{
	const struct iommukit_iova_bitmap_args args = {
		.iova = iova,
		.length = length,
		.page_size = page_size,
		.data = data,
	};

	return iommukit_iova_bitmap_alloc(&args);
}

static inline void iova_bitmap_set(struct iommukit_iova_bitmap *bitmap,
				   unsigned long iova, size_t length)
{
	iommukit_iova_bitmap_set(bitmap, iova, length);
}

#endif /* _IOVA_BITMAP_H_ */

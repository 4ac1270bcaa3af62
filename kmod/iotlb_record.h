/* SPDX-License-Identifier: GPL-2.0-only */
/* Records of misses, for those who wait for them. */
#ifndef IOMMUKIT_IOTLB_RECORD_H
#define IOMMUKIT_IOTLB_RECORD_H

#include "iotlb.h"

void iotlb_count(struct iotlb_channel *chan, enum iommukit_iotlb_stat stat);
struct iotlb_record *iotlb_record_find(struct iotlb_channel *chan,
				       struct iotlb_space *space, u64 iova,
				       u32 perm);
struct iotlb_record *iotlb_record_make(struct iotlb_channel *chan,
				       struct iotlb_space *space, u64 iova,
				       u32 perm, u16 flags, u64 hint);
void iotlb_record_free(struct iotlb_channel *chan, struct iotlb_record *record,
		       enum iommukit_iotlb_stat stat, struct list_head *resume);
void iotlb_room_serve(struct iotlb_channel *chan, struct list_head *resume);
void iotlb_record_drop_prefetch(struct iotlb_channel *chan,
				struct list_head *resume);
void iotlb_waiter_end(struct iotlb_channel *chan, struct iotlb_waiter *waiter,
		      int result, const struct iotlb_translation *got,
		      struct list_head *resume);
void iotlb_waiter_leave(struct iotlb_channel *chan, struct iotlb_waiter *waiter,
			struct list_head *resume);
void iotlb_waiter_abort(struct iotlb_channel *chan, struct iotlb_waiter *waiter,
			int result, struct list_head *resume);

#endif /* IOMMUKIT_IOTLB_RECORD_H */

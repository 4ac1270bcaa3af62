/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tracepoints say of misses. */
#ifndef IOMMUKIT_IOTLB_TRACE_H
#define IOMMUKIT_IOTLB_TRACE_H

#include "iotlb.h"
#include "private.h"
#include "trace.h"

/* A record was made, under the lock of its channel. */
static inline void trace_record_miss(const struct iotlb_record *record)
{
	const struct iotlb_space *space = record->space;

	trace_iotlb_miss(space->iotlb->ctx->id, space->iotlb->obj.id,
			 space->asid, record->lo, record->hint, record->perm,
			 record->cookie, 0);
}

/* It is about to be freed, under that lock; @got is the answer, or NULL. */
static inline void trace_record_end(const struct iotlb_record *record, int result,
				    const struct iotlb_translation *got)
{
	const struct iotlb_space *space = record->space;
	u64 first = got ? got->first : record->lo;
	u64 last = got ? got->last : record->hi;

	trace_iotlb_answer(space->iotlb->ctx->id, space->iotlb->obj.id,
			   space->asid, first, trace_length(first, last),
			   got ? got->perm : record->perm, record->cookie,
			   result);
}

#endif /* IOMMUKIT_IOTLB_TRACE_H */

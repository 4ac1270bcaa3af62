/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints: what is done to memory, devices and translations, whoever asks for it.
 *
 * All name the context by its number, and the object by its id in there, as netlink does.
 * There are three classes: what is done to a range of an object's IOVA, what becomes of a
 * device, and what an IOTLB is asked for. A result is 0 or a negative errno. None is where
 * memory is only read or written, or where a translation is found: who is interested in
 * those reads the counters.
 *
 * iommuctl(1) says what each of them means.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM iommukit

#if !defined(IOMMUKIT_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define IOMMUKIT_TRACE_H

#include <linux/tracepoint.h>
#include <linux/types.h>

#ifndef TRACE_HEADER_MULTI_READ
/* Of everything it is all ones. */
static inline u64 trace_length(u64 first, u64 last)
{
	return last - first + 1 ?: U64_MAX;
}
#endif

/* ---- ranges ---- */

DECLARE_EVENT_CLASS(iommukit_range,
	TP_PROTO(u32 ctx, u32 id, u64 iova, u64 length, int result),
	TP_ARGS(ctx, id, iova, length, result),
	TP_STRUCT__entry(
		__field(u32, ctx)
		__field(u32, id)
		__field(u64, iova)
		__field(u64, length)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->ctx = ctx;
		__entry->id = id;
		__entry->iova = iova;
		__entry->length = length;
		__entry->result = result;
	),
	TP_printk("ctx=%u id=%u iova=%#llx length=%#llx result=%d",
		  __entry->ctx, __entry->id, __entry->iova, __entry->length,
		  __entry->result)
);

/* An area is there, or one that was asked for is not. Of an IOAS, as the next one */
DEFINE_EVENT(iommukit_range, ioas_map,
	TP_PROTO(u32 ctx, u32 id, u64 iova, u64 length, int result),
	TP_ARGS(ctx, id, iova, length, result)
);

/* An area is not there any more, or a range could not be unmapped. */
DEFINE_EVENT(iommukit_range, ioas_unmap,
	TP_PROTO(u32 ctx, u32 id, u64 iova, u64 length, int result),
	TP_ARGS(ctx, id, iova, length, result)
);

/* A driver wanted pages to stay. Of an access, as the next one */
DEFINE_EVENT(iommukit_range, access_pin,
	TP_PROTO(u32 ctx, u32 id, u64 iova, u64 length, int result),
	TP_ARGS(ctx, id, iova, length, result)
);

/* A driver lets them go. */
DEFINE_EVENT(iommukit_range, access_unpin,
	TP_PROTO(u32 ctx, u32 id, u64 iova, u64 length, int result),
	TP_ARGS(ctx, id, iova, length, result)
);

/* Memory in one piece goes into an IO page table. Of a HWPT, as the next one */
DEFINE_EVENT(iommukit_range, hwpt_map,
	TP_PROTO(u32 ctx, u32 id, u64 iova, u64 length, int result),
	TP_ARGS(ctx, id, iova, length, result)
);

/* An IO page table has let go of a range: -EIO if not of all of it, or of more. */
DEFINE_EVENT(iommukit_range, hwpt_unmap,
	TP_PROTO(u32 ctx, u32 id, u64 iova, u64 length, int result),
	TP_ARGS(ctx, id, iova, length, result)
);

/* Pages of on-demand memory were looked for. Of an IOAS, as the next one */
DEFINE_EVENT(iommukit_range, ondemand_fault,
	TP_PROTO(u32 ctx, u32 id, u64 iova, u64 length, int result),
	TP_ARGS(ctx, id, iova, length, result)
);

/* The kernel takes them away, or changes them: -EAGAIN if it has to come again. */
DEFINE_EVENT(iommukit_range, ondemand_invalidate,
	TP_PROTO(u32 ctx, u32 id, u64 iova, u64 length, int result),
	TP_ARGS(ctx, id, iova, length, result)
);

/* What was written is read. Of a HWPT or an IOAS */
DEFINE_EVENT(iommukit_range, dirty_read,
	TP_PROTO(u32 ctx, u32 id, u64 iova, u64 length, int result),
	TP_ARGS(ctx, id, iova, length, result)
);

/* ---- devices ---- */

DECLARE_EVENT_CLASS(iommukit_device,
	TP_PROTO(u32 ctx, u32 id, u32 pt_id, int result),
	TP_ARGS(ctx, id, pt_id, result),
	TP_STRUCT__entry(
		__field(u32, ctx)
		__field(u32, id)
		__field(u32, pt_id)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->ctx = ctx;
		__entry->id = id;
		__entry->pt_id = pt_id;
		__entry->result = result;
	),
	TP_printk("ctx=%u id=%u pt_id=%u result=%d", __entry->ctx, __entry->id,
		  __entry->pt_id, __entry->result)
);

/* @pt_id is the HWPT, or if it failed what was asked for; so in the next one. */
DEFINE_EVENT(iommukit_device, device_attach,
	TP_PROTO(u32 ctx, u32 id, u32 pt_id, int result),
	TP_ARGS(ctx, id, pt_id, result)
);

DEFINE_EVENT(iommukit_device, device_replace,
	TP_PROTO(u32 ctx, u32 id, u32 pt_id, int result),
	TP_ARGS(ctx, id, pt_id, result)
);

/* @pt_id is the HWPT that it was attached to. */
DEFINE_EVENT(iommukit_device, device_detach,
	TP_PROTO(u32 ctx, u32 id, u32 pt_id, int result),
	TP_ARGS(ctx, id, pt_id, result)
);

/* ---- IOTLBs ---- */

DECLARE_EVENT_CLASS(iommukit_iotlb,
	TP_PROTO(u32 ctx, u32 id, u32 asid, u64 iova, u64 length, u32 perm,
		 u64 cookie, int result),
	TP_ARGS(ctx, id, asid, iova, length, perm, cookie, result),
	TP_STRUCT__entry(
		__field(u32, ctx)
		__field(u32, id)
		__field(u32, asid)
		__field(u32, perm)
		__field(u64, iova)
		__field(u64, length)
		__field(u64, cookie)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->ctx = ctx;
		__entry->id = id;
		__entry->asid = asid;
		__entry->perm = perm;
		__entry->iova = iova;
		__entry->length = length;
		__entry->cookie = cookie;
		__entry->result = result;
	),
	TP_printk("ctx=%u id=%u asid=%u iova=%#llx length=%#llx perm=%u cookie=%#llx result=%d",
		  __entry->ctx, __entry->id, __entry->asid, __entry->iova,
		  __entry->length, __entry->perm, __entry->cookie,
		  __entry->result)
);

/* The server will be asked. */
DEFINE_EVENT(iommukit_iotlb, iotlb_miss,
	TP_PROTO(u32 ctx, u32 id, u32 asid, u64 iova, u64 length, u32 perm,
		 u64 cookie, int result),
	TP_ARGS(ctx, id, asid, iova, length, perm, cookie, result)
);

/* All who wait for what was asked for by that cookie go on. */
DEFINE_EVENT(iommukit_iotlb, iotlb_answer,
	TP_PROTO(u32 ctx, u32 id, u32 asid, u64 iova, u64 length, u32 perm,
		 u64 cookie, int result),
	TP_ARGS(ctx, id, asid, iova, length, perm, cookie, result)
);

/* Translations were taken away. Who uses them may not have noticed yet. */
DEFINE_EVENT(iommukit_iotlb, iotlb_invalidate,
	TP_PROTO(u32 ctx, u32 id, u32 asid, u64 iova, u64 length, u32 perm,
		 u64 cookie, int result),
	TP_ARGS(ctx, id, asid, iova, length, perm, cookie, result)
);

#endif /* IOMMUKIT_TRACE_H */

/* The directory is where the compiler looks for headers of ours: see Kbuild. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>

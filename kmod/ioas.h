/* SPDX-License-Identifier: GPL-2.0-only */
/* The IOAS object: an IOVA space with an id, and the commands on it. */
#ifndef IOMMUKIT_IOAS_H
#define IOMMUKIT_IOAS_H

#include <linux/mutex.h>

#include <uapi/linux/iommukit.h>

#include "iova_space.h"
#include "object.h"
#include "private.h"

#define IOAS_MAP_FLAGS (IOMMUKIT_IOAS_MAP_FIXED_IOVA | \
			IOMMUKIT_IOAS_MAP_WRITEABLE |  \
			IOMMUKIT_IOAS_MAP_READABLE)

struct iommukit_ucmd;
struct ondemand_totals;
struct pages;

/**
 * struct ioas - IO address space
 * @obj: the object
 * @space: the map
 * @lock: mutex: protects @hwpts, and lets one HWPT come or go at a time
 * @hwpts: struct hwpt that mirror it
 * @nr_hwpts: how many; read without the lock by who looks on
 * @totals: of the on-demand memory that was mapped here; NULL before there was any
 */
struct ioas {
	struct iommukit_object obj;
	struct iova_space space;
	struct mutex lock;
	struct list_head hwpts;
	unsigned int nr_hwpts;
	struct ondemand_totals *totals;
};

extern const struct object_ops ioas_object_ops;

struct ioas *ioas_get(struct iommukit_ctx *ctx, u32 id);
void ioas_put(struct iommukit_ctx *ctx, struct ioas *ioas);
int ioas_check_map(u32 flags, u64 iova, u64 length);
int ioas_map_pages(struct ioas *ioas, struct pages *pages, u64 start,
		   u64 length, u32 flags, u64 *iova);
int ioas_map_user(struct iommukit_ctx *ctx, struct ioas *ioas, u64 user_va,
		  u64 length, u32 flags, u64 *iova);

int ioas_cmd_alloc(struct iommukit_ucmd *ucmd);
int ioas_cmd_allow_iovas(struct iommukit_ucmd *ucmd);
int ioas_cmd_copy(struct iommukit_ucmd *ucmd);
int ioas_cmd_iova_ranges(struct iommukit_ucmd *ucmd);
int ioas_cmd_map(struct iommukit_ucmd *ucmd);
int ioas_cmd_map_file(struct iommukit_ucmd *ucmd);
int ioas_cmd_unmap(struct iommukit_ucmd *ucmd);
int ioas_option_huge_pages(struct iommukit_ucmd *ucmd);

#if IOMMUKIT_HAS_ONDEMAND
int ioas_cmd_map_ondemand(struct iommukit_ucmd *ucmd);
int ioas_cmd_ondemand_query(struct iommukit_ucmd *ucmd);
int ioas_cmd_prefetch(struct iommukit_ucmd *ucmd);
#else
static inline int ioas_cmd_map_ondemand(struct iommukit_ucmd *ucmd)
{
	return -EOPNOTSUPP;
}

static inline int ioas_cmd_ondemand_query(struct iommukit_ucmd *ucmd)
{
	return -EOPNOTSUPP;
}

static inline int ioas_cmd_prefetch(struct iommukit_ucmd *ucmd)
{
	return -EOPNOTSUPP;
}
#endif

#endif /* IOMMUKIT_IOAS_H */

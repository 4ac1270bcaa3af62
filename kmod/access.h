/* SPDX-License-Identifier: GPL-2.0-only */
/* Accesses: what is written down of them and their pins. */
#ifndef IOMMUKIT_ACCESS_H
#define IOMMUKIT_ACCESS_H

#include <linux/interval_tree.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>

#include "object.h"

struct ioas;
struct iommukit_access_ops;
struct iommukit_ctx;
struct iova_area;
struct iova_member;

/**
 * struct pin_slice - The part of a pin that lies in one area
 * @area: the area
 * @first: index of the first page in the area's pages object
 * @last: index of the last page
 */
struct pin_slice {
	struct iova_area *area;
	unsigned long first;
	unsigned long last;
};

/**
 * struct access_pin - One pin: a range of IOVA; pinned twice, there are two
 * @node: the range
 * @nr: number of slices
 * @settled: the call that pinned needs it no more; under @pins_lock
 * @write: the pages may be written
 * @slices: what was pinned
 */
struct access_pin {
	struct interval_tree_node node;
	unsigned int nr;
	bool settled;
	bool write;
	struct pin_slice slices[];
};

/**
 * struct iommukit_access - Access object
 * @obj: the object
 * @ctx: its context, whose file it holds
 * @ops: the driver's
 * @data: argument of the driver's unmap
 * @lock: see above
 * @ioas: where rw and pin work
 * @ioas_unpin: where unpin works
 * @member: membership of @ioas_unpin
 * @pins_lock: protects @pins; inside the lock of a space's members
 * @pins: struct access_pin by IOVA
 */
struct iommukit_access {
	struct iommukit_object obj;
	struct iommukit_ctx *ctx;
	const struct iommukit_access_ops *ops;
	void *data;
	struct rw_semaphore lock;
	struct ioas *ioas;
	struct ioas *ioas_unpin;
	struct iova_member *member;
	spinlock_t pins_lock;
	struct rb_root_cached pins;
};

/* Reports of a driver's mistakes name the driver, once. */
#define access_misuse(access, fmt, ...) \
	pr_warn_once("driver with unmap %ps: " fmt "\n", (access)->ops->unmap, \
		     ##__VA_ARGS__)

void access_pin_mark(const struct access_pin *pin, unsigned long first,
		     unsigned long last);
int access_check_rw_flags(unsigned int flags);

#endif /* IOMMUKIT_ACCESS_H */

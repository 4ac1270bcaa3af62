/* SPDX-License-Identifier: GPL-2.0-only */
/* Accesses: what is written down of them and their pins. */
#ifndef IOMMUKIT_ACCESS_H
#define IOMMUKIT_ACCESS_H

#include <linux/interval_tree.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>

#include "object.h"

struct access_stage;
struct ioas;
struct iommukit_access;
struct iommukit_access_ops;
struct iommukit_ctx;
struct iova_area;
struct iova_member;
struct page;

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
 * struct access_place - What an access is attached to
 * @ioas: an IOAS,
 * @member: and the membership of it;
 * @stage: or an IOTLB; without any of them, nothing
 */
struct access_place {
	struct ioas *ioas;
	struct iova_member *member;
	struct access_stage *stage;
};

/**
 * struct iommukit_access - Access object
 * @obj: the object
 * @ctx: its context, whose file it holds
 * @ops: the driver's
 * @data: argument of the driver's unmap
 * @driver: name of its module
 * @lock: see above
 * @open: rw and pin work
 * @relays: its driver is another access, which may be just about to note a pin that unmap
 *	has to give back
 * @place: where they do, and unpin as long as there is one
 * @pins_lock: protects @pins; inside the lock of a space's members
 * @pins: struct access_pin by IOVA, in an IOAS
 * @nr_pins: how many there are, in an IOAS or through an IOTLB; changed with the lock of
 *	those, read without by who looks on, as what follows
 * @place_id: id of what it is attached to, or 0
 * @copies: for each CPU, how often it has copied
 */
struct iommukit_access {
	struct iommukit_object obj;
	struct iommukit_ctx *ctx;
	const struct iommukit_access_ops *ops;
	void *data;
	const char *driver;
	struct rw_semaphore lock;
	bool open;
	bool relays;
	struct access_place place;
	spinlock_t pins_lock;
	struct rb_root_cached pins;
	unsigned long nr_pins;
	u32 place_id;
	u64 __percpu *copies;
};

static inline bool access_is_attached(const struct iommukit_access *access)
{
	return access->place.ioas || access->place.stage;
}

/* Reports of a driver's mistakes name the driver, once. */
#define access_misuse(access, fmt, ...) \
	pr_warn_once("driver with unmap %ps: " fmt "\n", (access)->ops->unmap, \
		     ##__VA_ARGS__)

void access_pin_mark(const struct access_pin *pin, unsigned long first,
		     unsigned long last);
int access_check_rw_flags(unsigned int flags);

/* access_stage.c */
struct access_stage *access_stage_attach(struct iommukit_access *access, u32 id);
u32 access_stage_id(const struct access_stage *stage);
void access_stage_cancel(struct access_stage *stage);
void access_stage_stop(struct access_stage *stage);
void access_stage_forget(struct access_stage *stage);
void access_stage_detach(struct access_stage *stage);
int access_stage_pin(struct access_stage *stage, unsigned long iova,
		     unsigned long last, struct page **out, unsigned int flags);
bool access_stage_unpin(struct access_stage *stage, unsigned long iova,
			unsigned long last);
int access_stage_rw(struct access_stage *stage, unsigned long iova, void *data,
		    size_t length, unsigned int flags);

#endif /* IOMMUKIT_ACCESS_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices, their groups and the page tables made for them (HWPT). What differs
 * between kinds of devices is behind struct device_ops.
 */
#ifndef IOMMUKIT_DEVICE_H
#define IOMMUKIT_DEVICE_H

#include <linux/atomic.h>
#include <linux/iommukit.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <uapi/linux/iommukit_netlink.h>

#include "iova_space.h"
#include "object.h"

struct device;
struct domain;
struct fault_queue;
struct fault_resolver;
struct hwpt;
struct ioas;
struct iommukit_ctx;
struct iommukit_ucmd;
struct sk_buff;

/* Abilities of a device's IOMMU */
enum {
	/* domains can note what was written */
	DEVICE_DIRTY_TRACKING = 1 << 0,
	/* domains can be made for user space, with flags */
	DEVICE_USER_DOMAINS = 1 << 1,
};

/* Flags of device_ops.domain_create */
enum {
	/* must be able to note what was written */
	DOMAIN_CREATE_DIRTY = 1 << 0,
	/* must be able to be the parent of nested ones */
	DOMAIN_CREATE_PARENT = 1 << 1,
};

/**
 * struct device_region - IOVA that a device does not translate
 * @first: first IOVA
 * @last: last IOVA
 * @sw_msi: interrupts of the device are translated there, once the domain is
 *	prepared for it; at most one of a device
 */
struct device_region {
	unsigned long first;
	unsigned long last;
	bool sw_msi;
};

/**
 * struct device_user_data - What user space says of a nested domain
 * @data: the data
 * @type: what it is: the driver's own numbers
 * @length: its bytes, at least 1
 */
struct device_user_data {
	const void __user *data;
	u32 type;
	u32 length;
};

/**
 * struct device_ops - A kind of devices
 * @owner: module that stays as long as there are domains
 * @domain: who translates by them
 * @domain_create: make an empty domain that the device can use. Returns it or an
 *	errno.
 * @set_domain: let all devices of a group use @domain, or none if NULL, from now
 *	on; no device of the group uses the former one when it returns. @priv is
 *	the device on whose behalf. Returns 0, else nothing has changed: -EINVAL if
 *	the domain does not suit the group; -EIO if the group can use none until
 *	it was set to NULL. For NULL, which may be said twice, only -EIO: it may still
 *	use the former one.
 * @nested_create: make a domain that is nested in @parent, which was made with
 *	DOMAIN_CREATE_PARENT by the same kind of devices and stays meanwhile.
 *	Returns it; -EOPNOTSUPP if the type of the data is not known; -EINVAL if it
 *	has a wrong length; -EFAULT; -ENOMEM. NULL: there are none.
 * @set_msi: let @domain take interrupts to a region with sw_msi, which begins at
 *	@base. Called once for a domain. NULL if there are no such regions.
 * @hw_info: what there is to say of the device's IOMMU: its type to *@type, which
 *	is not 0, and bytes to *@length; stays until the device is unbound. *@type
 *	is what user space asks for, or 0. Returns -EOPNOTSUPP if it is not known.
 *	NULL: nothing.
 *
 * All may sleep.
 */
struct device_ops {
	struct module *owner;
	enum iommukit_nl_domain domain;
	struct domain *(*domain_create)(void *priv, unsigned int flags);
	int (*set_domain)(void *priv, struct domain *domain);
	struct domain *(*nested_create)(void *priv, struct domain *parent,
					const struct device_user_data *data);
	int (*set_msi)(void *priv, struct domain *domain, unsigned long base);
	const void *(*hw_info)(void *priv, u32 *type, size_t *length);
};

/**
 * struct device_desc - What the core needs to know of a device
 * @ops: its kind
 * @priv: argument for @ops
 * @group: devices with the same one cannot be told apart by their IOMMU
 * @abilities: DEVICE_*
 * @pasid_bits: width of a PASID, or 0
 * @regions: what it does not translate
 * @nr_regions: how many
 * @dev: the device as the kernel knows it, or NULL; stays as long as @priv, and bound to
 *	its driver
 * @driver: if that is NULL, the name of the module that it is software of
 * @owned_by_ctx: it ends with the context, rather than keeping it alive
 * @stop: only of a device that is user space's to end, and then does so by itself:
 *	called with @priv before it is detached for good, to keep it from memory
 * @release: called with @priv when the device has ended, which was the last use of
 *	all this; or NULL. Both may sleep.
 *
 * Must stay until the device is unbound.
 */
struct device_desc {
	const struct device_ops *ops;
	void *priv;
	const void *group;
	unsigned int abilities;
	unsigned int pasid_bits;
	const struct device_region *regions;
	unsigned int nr_regions;
	struct device *dev;
	const char *driver;
	bool owned_by_ctx;
	void (*stop)(void *priv);
	void (*release)(void *priv);
};

/**
 * struct device_group - Devices of one context that use the same domain
 * @link: in the context's list, under its groups_lock
 * @bound: number of devices, under the same
 * @key: device_desc.group
 * @lock: mutex: protects all that follows; outside of the locks of a space
 * @hwpt: what they are attached to, or NULL: nothing is translated
 * @broken: they are attached, but nothing is translated for them until they are
 *	detached
 * @loose: @broken is not quite true: it was tried, and something may be
 * @attached: struct iommukit_device
 */
struct device_group {
	struct list_head link;
	unsigned int bound;
	const void *key;
	struct mutex lock;
	struct hwpt *hwpt;
	bool broken;
	bool loose;
	struct list_head attached;
};

/**
 * struct iommukit_device - Device object
 * @obj: the object
 * @ctx: its context
 * @desc: the driver's
 * @group: its group
 * @link: in device_group.attached, if attached
 * @faults_lock: spinlock: protects @queue and @turn, which change with the group's
 *	lock held; may be taken in interrupts
 * @queue: where its page faults go, or NULL
 * @turn: number of the attachment: faults of the last one are of no use any more
 * @resolver: answers them if there is no queue, and the kernel can
 * @short_of_memory: so many groups in a row got no answer of it for want of memory
 * @left: what it was detached from and may still use, or NULL; see hwpt_clings()
 * @hwpt_id: what it is attached to, or 0; for who looks on, as what follows
 * @nr_queued: faults of it in @queue that are not answered
 */
struct iommukit_device {
	struct iommukit_object obj;
	struct iommukit_ctx *ctx;
	const struct device_desc *desc;
	struct device_group *group;
	struct list_head link;
	spinlock_t faults_lock;
	struct fault_queue *queue;
	unsigned int turn;
	struct fault_resolver *resolver;
	atomic_t short_of_memory;
	struct hwpt *left;
	u32 hwpt_id;
	atomic_t nr_queued;
};

/**
 * struct hwpt_failure - What is done about a domain that has kept pages
 * @work: does it
 * @iova: the first IOVA of which it was found out; set before the first @work
 * @length: its bytes; 0: all is well
 * @clings: a group was detached, and may use it nevertheless
 * @told: somebody was told, by @work
 * @told_loose: ... that it could not be helped
 */
struct hwpt_failure {
	struct work_struct work;
	unsigned long iova;
	size_t length;
	bool clings;
	bool told;
	bool told_loose;
};

/**
 * struct hwpt - A domain that user space knows
 * @obj: the object; each attached device is a user
 * @ctx: its context
 * @groups: how many groups of devices are attached
 * @domain: the domain
 * @ops: the kind of devices that can use it
 * @parent: what it is nested in, and a user of, or NULL; then most that follows is
 *	of no meaning
 * @queue: where page faults of attached devices go, or NULL; the HWPT is a user
 * @ioas: what it, or its parent, mirrors; a HWPT without parent is a user
 * @mirror: the domain as the IOAS knows it
 * @failure: what is done if it fails
 * @link: in the IOAS's list
 * @automatic: made and ended by attaching and detaching
 * @dirty: for devices with DEVICE_DIRTY_TRACKING only
 * @nestable: others can be nested in it
 * @msi: interrupts are taken to ...
 * @msi_base: ... this region
 */
struct hwpt {
	struct iommukit_object obj;
	struct iommukit_ctx *ctx;
	atomic_t groups;
	struct domain *domain;
	const struct device_ops *ops;
	struct hwpt *parent;
	struct fault_queue *queue;
	struct ioas *ioas;
	struct iova_domain mirror;
	struct hwpt_failure failure;
	struct list_head link;
	bool automatic;
	bool dirty;
	bool nestable;
	bool msi;
	unsigned long msi_base;
};

/* Whose tables those of a HWPT lead to: what is mapped for its devices is in there. */
static inline struct hwpt *hwpt_of_tables(struct hwpt *hwpt)
{
	return hwpt->parent ?: hwpt;
}

struct iommukit_device *iommukit_device_add(struct iommukit_ctx *ctx,
					    const struct device_desc *desc,
					    u32 *id);
struct iommukit_device *device_object_create(struct iommukit_ctx *ctx,
					     const struct device_desc *desc);
void device_object_publish(struct iommukit_device *dev);
void device_object_abort(struct iommukit_device *dev);
int device_try_detach(struct iommukit_device *dev);
struct iommukit_device *iommukit_device_get(struct iommukit_ctx *ctx, u32 id);
int device_fault(struct iommukit_device *dev, unsigned long iova, size_t length,
		 bool write);
int device_cmd_hw_info(struct iommukit_ucmd *ucmd);
int device_describe(struct iommukit_object *obj, struct sk_buff *skb);

struct device_group *device_group_get(struct iommukit_ctx *ctx, const void *key);
void device_group_put(struct iommukit_ctx *ctx, struct device_group *group);
bool device_groups_block(struct iommukit_ctx *ctx, const struct hwpt *hwpt);

extern const struct object_ops hwpt_object_ops;
extern const struct object_ops hwpt_nested_object_ops;
int hwpt_describe(struct iommukit_object *obj, struct sk_buff *skb);
struct hwpt *hwpt_get(struct iommukit_ctx *ctx, u32 id);
struct hwpt *hwpt_create(struct iommukit_device *dev, struct ioas *ioas,
			 unsigned int flags);
int hwpt_populate(struct hwpt *hwpt);
void hwpt_publish(struct hwpt *hwpt);
void hwpt_abort(struct hwpt *hwpt);
void hwpt_leave(struct hwpt *hwpt);
void hwpt_failure_init(struct hwpt *hwpt);
void hwpt_failure_retry(struct hwpt *hwpt);
void hwpt_failure_clings(struct hwpt *hwpt);
bool hwpt_clings(struct hwpt *hwpt);
void hwpt_failure_end(struct hwpt *hwpt);

int hwpt_cmd_alloc(struct iommukit_ucmd *ucmd);
int hwpt_alloc_nested(struct iommukit_ucmd *ucmd, struct iommukit_device *dev,
		      struct hwpt *parent);
struct hwpt *hwpt_nested_get(struct iommukit_ctx *ctx, u32 id);
int hwpt_cmd_invalidate(struct iommukit_ucmd *ucmd);

#endif /* IOMMUKIT_DEVICE_H */

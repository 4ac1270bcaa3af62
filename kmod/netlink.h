/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The generic netlink family: what other processes may ask, and what they are told of.
 *
 *	netlink.c		the family, and what its requests share
 *	netlink_context.c	requests: contexts
 *	netlink_object.c	requests: objects
 *	netlink_area.c		requests: areas of an IOAS
 *	netlink_entry.c		requests: entries of an IOTLB
 *	netlink_event.c		events
 *
 * What it looks like is in Documentation/netlink/iommukit.yaml.
 *
 * An event costs one test while nobody listens. That something came or went is told
 * under the lock of the table that it is in: so the last that was told of a number is
 * true. That goes for areas, too, under the lock of their space. An event for which there is no memory counts as one that a listener had no room
 * for: the listener is told that something is missing, and asks for everything again.
 */
#ifndef IOMMUKIT_NETLINK_H
#define IOMMUKIT_NETLINK_H

#include <linux/kconfig.h>
#include <linux/types.h>
#include <uapi/linux/iommukit_netlink.h>

struct iommukit_ctx;
struct iommukit_object;
struct iova_area;
struct iova_space;

/**
 * struct netlink_mapping - What events say of memory that something happened to
 * @ctx_id: the context
 * @ioas_id: the IOAS
 * @iova: first IOVA
 * @length: bytes
 */
struct netlink_mapping {
	u32 ctx_id;
	u32 ioas_id;
	u64 iova;
	u64 length;
};

/**
 * struct netlink_unmap - An unmap that did something else than it was asked
 * @iova: first IOVA
 * @asked: bytes
 * @done: bytes that it said it unmapped
 */
struct netlink_unmap {
	u64 iova;
	u64 asked;
	u64 done;
};

/* Who listens to what */
enum netlink_group {
	NETLINK_EVENTS,
	NETLINK_MAPPINGS,
};

#if IS_ENABLED(CONFIG_NET) && !defined(IOMMUKIT_NO_EVENTS)

#include <net/genetlink.h>

/* netlink.c */
extern struct genl_family netlink_family;

int netlink_init(void);
void netlink_exit(void);

/* netlink_event.c */
void netlink_context_event(const struct iommukit_ctx *ctx, bool came);
void netlink_context_limit(const struct iommukit_ctx *ctx,
			   enum iommukit_nl_account account, u64 bytes);
void netlink_object_event(const struct iommukit_ctx *ctx,
			  const struct iommukit_object *obj, bool came);
void netlink_ondemand_dead(const struct netlink_mapping *mapping,
			   enum iommukit_nl_od_reason reason);
void netlink_ondemand_mm_exit(const struct netlink_mapping *mapping);
void netlink_unmap_anomaly(const struct netlink_mapping *mapping,
			   const struct netlink_unmap *unmap);
void netlink_iotlb_server_lost(u32 ctx_id, u32 iotlb_id, u64 user_tag);
void netlink_area_event(const struct iova_space *space,
			const struct iova_area *area, bool came);

/* netlink_area.c */
int netlink_put_area(struct sk_buff *skb, const struct iova_space *space,
		     const struct iova_area *area);

/**
 * netlink_has_audience - whether anybody listens to the events of a group
 * @group: the group
 *
 * Context: any.
 */
static inline bool netlink_has_audience(enum netlink_group group)
{
	return genl_has_listeners(&netlink_family, &init_net, group);
}

#else /* without networks, or to measure the costs: nobody asks, and nobody listens */

static inline int netlink_init(void)
{
	return 0;
}

static inline void netlink_exit(void)
{
}

static inline bool netlink_has_audience(enum netlink_group group)
{
	return false;
}

static inline void netlink_context_event(const struct iommukit_ctx *ctx,
					 bool came)
{
}

static inline void netlink_context_limit(const struct iommukit_ctx *ctx,
					 enum iommukit_nl_account account,
					 u64 bytes)
{
}

static inline void netlink_object_event(const struct iommukit_ctx *ctx,
					const struct iommukit_object *obj,
					bool came)
{
}

static inline void netlink_ondemand_dead(const struct netlink_mapping *mapping,
					 enum iommukit_nl_od_reason reason)
{
}

static inline void netlink_ondemand_mm_exit(const struct netlink_mapping *mapping)
{
}

static inline void netlink_unmap_anomaly(const struct netlink_mapping *mapping,
					 const struct netlink_unmap *unmap)
{
}

static inline void netlink_iotlb_server_lost(u32 ctx_id, u32 iotlb_id,
					     u64 user_tag)
{
}

static inline void netlink_area_event(const struct iova_space *space,
				      const struct iova_area *area, bool came)
{
}

#endif

#endif /* IOMMUKIT_NETLINK_H */

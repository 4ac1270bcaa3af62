/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the requests of the netlink family share.
 *
 * A dump goes on by number where its last message ended, and holds nothing meanwhile. It
 * is marked as interrupted if something came or went since it began. What is wrong with
 * the request is said at its end: when a dump starts 6.1 has no way to say it.
 */
#ifndef IOMMUKIT_NETLINK_REQUEST_H
#define IOMMUKIT_NETLINK_REQUEST_H

#include <net/genetlink.h>

#include "netlink.h"
#include "object.h"

/* Messages of a dump are told apart from those of another one by it, so it is not 0. */
static inline unsigned int dump_seq(unsigned int changes)
{
	return changes ?: 1;
}

/**
 * struct dump_state - Where a dump goes on
 * @only: the one context whose objects are wanted, or 0
 * @ctx_id: number of the next context
 * @id: id of the next object in it
 * @begun: the request has been looked at
 */
struct dump_state {
	u32 only;
	u32 ctx_id;
	u32 id;
	bool begun;
};

static inline struct dump_state *dump_state(struct netlink_callback *cb)
{
	BUILD_BUG_ON(sizeof(struct dump_state) > sizeof(cb->ctx));
	return (struct dump_state *)cb->ctx;
}

/**
 * struct dump_place - The object that a dump looks into
 * @ctx_id: number of its context
 * @id: its id
 * @ctx: the context, while a message is made
 * @seen: it was there before
 */
struct dump_place {
	u32 ctx_id;
	u32 id;
	struct iommukit_ctx *ctx;
	bool seen;
};

/* netlink.c */
int netlink_refuse(struct netlink_ext_ack *extack, const struct nlattr *attr,
		   const char *text, int error);
int netlink_require(struct genl_info *info, int attr, const char *text);
struct iommukit_ctx *netlink_find_context(const struct nlattr *attr,
					  struct netlink_ext_ack *extack);
struct sk_buff *netlink_answer(struct genl_info *info, void **head);
int netlink_answer_end(struct genl_info *info, struct sk_buff *skb, void *head,
		       int rc);
int netlink_require_dump(struct netlink_callback *cb, int attr,
			 const char *text);
struct iommukit_object *netlink_dump_object(struct netlink_callback *cb,
					    struct dump_place *place,
					    const struct object_ops *ops,
					    const char *missing);
void netlink_dump_object_put(struct dump_place *place,
			     struct iommukit_object *obj);
void *netlink_dump_put(struct sk_buff *skb, struct netlink_callback *cb,
		       enum iommukit_nl_cmd cmd);
int netlink_dump_end(struct sk_buff *skb, struct netlink_callback *cb,
		     void *head, int rc);

/* netlink_context.c */
int context_get_do(struct sk_buff *request, struct genl_info *info);
int context_get_dump(struct sk_buff *skb, struct netlink_callback *cb);

/* netlink_object.c */
int object_get_do(struct sk_buff *request, struct genl_info *info);
int object_get_dump(struct sk_buff *skb, struct netlink_callback *cb);

/* netlink_area.c */
int area_get_dump(struct sk_buff *skb, struct netlink_callback *cb);

/* netlink_entry.c */
int entry_get_dump(struct sk_buff *skb, struct netlink_callback *cb);

#endif /* IOMMUKIT_NETLINK_REQUEST_H */

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events of the netlink family. They go to one group, and areas to another one, in the
 * initial network namespace.
 *
 * Numbers of processes and users are those of the initial namespaces: one message serves
 * all listeners. Who wants its own asks for the context.
 */
#include "netlink.h"

#include <linux/cred.h>
#include <linux/gfp.h>
#include <linux/pid.h>
#include <linux/uidgid.h>
#include <net/genetlink.h>

#include "fail.h"
#include "object.h"
#include "private.h"

/*
 * Room for the attributes of the longest event. A listener's buffer is charged with what
 * a message occupies, so it shall not be larger.
 */
#define EVENT_SIZE (3 * nla_total_size(sizeof(u32)) + \
		    5 * nla_total_size_64bit(sizeof(u64)))

/**
 * struct event - An event on its way
 * @skb: the message
 * @head: as genlmsg_put() said
 * @gfp: how memory is had
 * @group: who gets it
 */
struct event {
	struct sk_buff *skb;
	void *head;
	gfp_t gfp;
	enum netlink_group group;
};

/* Begin an event. Returns false if nobody will get it. */
static bool event_begin_for(enum netlink_group group, struct event *event,
			    enum iommukit_nl_cmd cmd, gfp_t gfp)
{
	if (!netlink_has_audience(group))
		return false;
	event->gfp = gfp;
	event->group = group;
	event->skb = fail_alloc(genlmsg_new(EVENT_SIZE, gfp));
	if (!event->skb) {
		genl_set_err(&netlink_family, &init_net, 0, group, -ENOBUFS);
		return false;
	}
	event->head = genlmsg_put(event->skb, 0, 0, &netlink_family, 0, cmd);
	return true;
}

static bool event_begin(struct event *event, enum iommukit_nl_cmd cmd, gfp_t gfp)
{
	return event_begin_for(NETLINK_EVENTS, event, cmd, gfp);
}

/* Send it; @rc is what putting its attributes has come to: there was room. */
static void event_send(struct event *event, int rc)
{
	if (WARN_ON_ONCE(rc)) {
		nlmsg_free(event->skb);
		return;
	}
	genlmsg_end(event->skb, event->head);
	genlmsg_multicast(&netlink_family, event->skb, 0, event->group,
			  event->gfp);
}

static int put_context(struct sk_buff *skb, const struct iommukit_ctx *ctx)
{
	return nla_put_u32(skb, IOMMUKIT_NL_A_CONTEXT_ID, ctx->id) ?:
	       nla_put_u32(skb, IOMMUKIT_NL_A_CONTEXT_PID, pid_nr(ctx->pid)) ?:
	       nla_put_string(skb, IOMMUKIT_NL_A_CONTEXT_COMM, ctx->comm) ?:
	       nla_put_u32(skb, IOMMUKIT_NL_A_CONTEXT_UID,
			   from_kuid_munged(&init_user_ns, ctx->uid));
}

/**
 * netlink_context_event - tell that a context has come or gone
 * @ctx: the context
 * @came: which of both
 *
 * Context: any but interrupts; under the lock of the list of contexts.
 */
void netlink_context_event(const struct iommukit_ctx *ctx, bool came)
{
	struct event e;

	if (!event_begin(&e, came ? IOMMUKIT_NL_CMD_CONTEXT_NEW :
				    IOMMUKIT_NL_CMD_CONTEXT_DEL, GFP_ATOMIC))
		return;
	event_send(&e, put_context(e.skb, ctx));
}

/**
 * netlink_context_limit - tell that RLIMIT_MEMLOCK has kept memory from being pinned
 * @ctx: the context
 * @account: where it would have been counted
 * @bytes: how much it was
 *
 * Context: may sleep.
 */
void netlink_context_limit(const struct iommukit_ctx *ctx,
			   enum iommukit_nl_account account, u64 bytes)
{
	struct event e;

	if (!event_begin(&e, IOMMUKIT_NL_CMD_CONTEXT_LIMIT, GFP_KERNEL))
		return;
	event_send(&e, put_context(e.skb, ctx) ?:
		       nla_put_u32(e.skb, IOMMUKIT_NL_A_CONTEXT_ACCOUNT,
				   account) ?:
		       nla_put_u64_64bit(e.skb,
					 IOMMUKIT_NL_A_CONTEXT_REFUSED_BYTES,
					 bytes, IOMMUKIT_NL_A_CONTEXT_PAD));
}

/**
 * netlink_object_event - tell that an object has come or gone
 * @ctx: its context
 * @obj: the object
 * @came: which of both
 *
 * Context: any but interrupts; under the lock of the table of objects.
 */
void netlink_object_event(const struct iommukit_ctx *ctx,
			  const struct iommukit_object *obj, bool came)
{
	struct event e;

	if (!event_begin(&e, came ? IOMMUKIT_NL_CMD_OBJECT_NEW :
				    IOMMUKIT_NL_CMD_OBJECT_DEL, GFP_ATOMIC))
		return;
	event_send(&e, nla_put_u32(e.skb, IOMMUKIT_NL_A_OBJECT_CONTEXT_ID,
				   ctx->id) ?:
		       nla_put_u32(e.skb, IOMMUKIT_NL_A_OBJECT_ID, obj->id) ?:
		       nla_put_string(e.skb, IOMMUKIT_NL_A_OBJECT_TYPE,
				      obj->ops->name));
}

static int put_mapping(struct sk_buff *skb, const struct netlink_mapping *m)
{
	return nla_put_u32(skb, IOMMUKIT_NL_A_OD_CONTEXT_ID, m->ctx_id) ?:
	       nla_put_u32(skb, IOMMUKIT_NL_A_OD_IOAS_ID, m->ioas_id) ?:
	       nla_put_u64_64bit(skb, IOMMUKIT_NL_A_OD_IOVA, m->iova,
				 IOMMUKIT_NL_A_OD_PAD) ?:
	       nla_put_u64_64bit(skb, IOMMUKIT_NL_A_OD_LENGTH, m->length,
				 IOMMUKIT_NL_A_OD_PAD);
}

/**
 * netlink_ondemand_dead - tell that on-demand memory is of no use any more
 * @mapping: the memory
 * @reason: why
 *
 * Context: may sleep.
 */
void netlink_ondemand_dead(const struct netlink_mapping *mapping,
			   enum iommukit_nl_od_reason reason)
{
	struct event e;

	if (!event_begin(&e, IOMMUKIT_NL_CMD_OD_DEAD, GFP_KERNEL))
		return;
	event_send(&e, put_mapping(e.skb, mapping) ?:
		       nla_put_u32(e.skb, IOMMUKIT_NL_A_OD_REASON, reason));
}

/**
 * netlink_ondemand_mm_exit - tell that the process of on-demand memory has gone
 * @mapping: the memory
 *
 * Context: may sleep.
 */
void netlink_ondemand_mm_exit(const struct netlink_mapping *mapping)
{
	struct event e;

	if (event_begin(&e, IOMMUKIT_NL_CMD_OD_MM_EXIT, GFP_KERNEL))
		event_send(&e, put_mapping(e.skb, mapping));
}

/**
 * netlink_unmap_anomaly - tell that an IO page table did not do as it was told
 * @mapping: the memory
 * @unmap: what was asked, and what it did
 *
 * Context: may sleep.
 */
void netlink_unmap_anomaly(const struct netlink_mapping *mapping,
			   const struct netlink_unmap *unmap)
{
	struct event e;

	if (!event_begin(&e, IOMMUKIT_NL_CMD_OD_UNMAP_ANOMALY, GFP_KERNEL))
		return;
	event_send(&e, put_mapping(e.skb, mapping) ?:
		       nla_put_u64_64bit(e.skb, IOMMUKIT_NL_A_OD_UNMAP_IOVA,
					 unmap->iova, IOMMUKIT_NL_A_OD_PAD) ?:
		       nla_put_u64_64bit(e.skb, IOMMUKIT_NL_A_OD_UNMAP_ASKED,
					 unmap->asked, IOMMUKIT_NL_A_OD_PAD) ?:
		       nla_put_u64_64bit(e.skb, IOMMUKIT_NL_A_OD_UNMAP_DONE,
					 unmap->done, IOMMUKIT_NL_A_OD_PAD));
}

/**
 * netlink_iotlb_server_lost - tell that the server of an IOTLB has gone
 * @ctx_id: the context
 * @iotlb_id: the IOTLB
 * @user_tag: what its owner calls it
 *
 * Context: may sleep.
 */
void netlink_iotlb_server_lost(u32 ctx_id, u32 iotlb_id, u64 user_tag)
{
	struct event e;

	if (!event_begin(&e, IOMMUKIT_NL_CMD_IOTLB_SERVER_LOST, GFP_KERNEL))
		return;
	event_send(&e, nla_put_u32(e.skb, IOMMUKIT_NL_A_IOTLB_CONTEXT_ID,
				   ctx_id) ?:
		       nla_put_u32(e.skb, IOMMUKIT_NL_A_IOTLB_ID, iotlb_id) ?:
		       nla_put_u64_64bit(e.skb, IOMMUKIT_NL_A_IOTLB_USER_TAG,
					 user_tag, IOMMUKIT_NL_A_IOTLB_PAD));
}

/**
 * netlink_area_event - tell that an area has come or gone
 * @space: its space; the lock is held for writing
 * @area: the area
 * @came: which of both
 *
 * Under that lock memory is not waited for, and so neither is a listener: netlink lets one
 * run whose buffer is half full, if it may sleep. Who maps does not depend on who looks on.
 *
 * Context: any but interrupts.
 */
void netlink_area_event(const struct iova_space *space,
			const struct iova_area *area, bool came)
{
	struct event e;

	if (event_begin_for(NETLINK_MAPPINGS, &e,
			    came ? IOMMUKIT_NL_CMD_AREA_NEW :
				   IOMMUKIT_NL_CMD_AREA_DEL,
			    GFP_NOWAIT | __GFP_NOWARN))
		event_send(&e, netlink_put_area(e.skb, space, area));
}

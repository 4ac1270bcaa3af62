// SPDX-License-Identifier: GPL-2.0-only
/*
 * The netlink family, and what all of its requests do: say what is wrong with them, find
 * what they name, and begin and end messages.
 */
#include "netlink_request.h"

#include <linux/capability.h>
#include <linux/module.h>

#include "compat.h"
#include "context.h"
#include "fail.h"

/**
 * netlink_refuse - say why a request is refused
 * @extack: where to say it, or NULL
 * @attr: the attribute that is wrong, or NULL
 * @text: what is wrong with it
 * @error: the errno, negative
 *
 * Context: any.
 * Return: @error.
 */
int netlink_refuse(struct netlink_ext_ack *extack, const struct nlattr *attr,
		   const char *text, int error)
{
	if (extack) {
		extack->_msg = text;
		extack->bad_attr = attr;
	}
	return error;
}

/**
 * netlink_require - refuse a request that lacks an attribute
 * @info: the request
 * @attr: the attribute
 * @text: what is said if it is missing
 *
 * Context: any.
 * Return: 0 or -EINVAL.
 */
int netlink_require(struct genl_info *info, int attr, const char *text)
{
	if (!GENL_REQ_ATTR_CHECK(info, attr))
		return 0;
	return netlink_refuse(info->extack, NULL, text, -EINVAL);
}

/**
 * netlink_find_context - the context that a request names
 * @attr: the attribute with its number
 * @extack: where to say that there is none
 *
 * Context: any.
 * Return: the context for context_put(), or -ENOENT.
 */
struct iommukit_ctx *netlink_find_context(const struct nlattr *attr,
					  struct netlink_ext_ack *extack)
{
	u32 id = nla_get_u32(attr);
	struct iommukit_ctx *ctx = context_next(id);

	if (ctx && ctx->id == id)
		return ctx;
	if (ctx)
		context_put(ctx);
	return ERR_PTR(netlink_refuse(extack, attr,
				      "no context has that number", -ENOENT));
}

/**
 * netlink_answer - begin an answer of one message
 * @info: the request
 * @head: gets what netlink_answer_end() needs
 *
 * Context: may sleep.
 * Return: the message, or NULL if there is no memory, which is said.
 */
struct sk_buff *netlink_answer(struct genl_info *info, void **head)
{
	struct sk_buff *skb = fail_alloc(genlmsg_new(GENLMSG_DEFAULT_SIZE,
						     GFP_KERNEL));

	if (!skb) {
		netlink_refuse(info->extack, NULL, "no memory for the answer",
			       -ENOMEM);
		return NULL;
	}
	*head = genlmsg_put_reply(skb, info, &netlink_family, 0,
				  info->genlhdr->cmd);
	return skb;
}

/**
 * netlink_answer_end - send an answer
 * @info: the request
 * @skb: the answer; freed
 * @head: of netlink_answer()
 * @rc: what putting its attributes has come to: there was room
 *
 * Context: may sleep.
 * Return: 0 or an errno.
 */
int netlink_answer_end(struct genl_info *info, struct sk_buff *skb, void *head,
		       int rc)
{
	if (WARN_ON_ONCE(rc)) {
		nlmsg_free(skb);
		return rc;
	}
	genlmsg_end(skb, head);
	return genlmsg_reply(skb, info);
}

/**
 * netlink_require_dump - refuse a dump that lacks an attribute, or whoever may not look
 * @cb: the dump, which begins
 * @attr: the attribute
 * @text: what is said if it is missing
 *
 * Context: may sleep.
 * Return: 0; -EPERM; -EINVAL.
 */
int netlink_require_dump(struct netlink_callback *cb, int attr,
			 const char *text)
{
	if (!netlink_capable(cb->skb, CAP_SYS_ADMIN))
		return netlink_refuse(cb->extack, NULL,
				      "addresses are for who has CAP_SYS_ADMIN",
				      -EPERM);
	if (compat_genl_dump_attrs(cb)[attr])
		return 0;
	return netlink_refuse(cb->extack, NULL, text, -EINVAL);
}

/*
 * What was dumped so far has gone, so it is over; if there was no message yet, there is
 * nobody to whom it could matter.
 */
static int vanished(struct netlink_callback *cb)
{
	cb->seq = dump_seq(cb->prev_seq + 1);
	return -ENOENT;
}

/**
 * netlink_dump_object - find the object that a dump looks into
 * @cb: the dump
 * @place: what it looks into
 * @ops: the type that it must have
 * @missing: what is said if the context has none like that
 *
 * Context: any.
 * Return: the object for netlink_dump_object_put(), which is used until then: destroying
 * it waits for that. -ENOENT: if it was seen before, the dump ends as an interrupted one;
 * else it is said what is missing.
 */
struct iommukit_object *netlink_dump_object(struct netlink_callback *cb,
					    struct dump_place *place,
					    const struct object_ops *ops,
					    const char *missing)
{
	struct iommukit_ctx *ctx = context_next(place->ctx_id);
	struct iommukit_object *obj = ERR_PTR(-ENOENT);

	if (ctx && ctx->id == place->ctx_id)
		obj = object_get(ctx, place->id, ops);
	else
		missing = "no context has that number";
	if (!IS_ERR(obj)) {
		place->ctx = ctx;
		place->seen = true;
		return obj;
	}
	if (ctx)
		context_put(ctx);
	return ERR_PTR(place->seen ? vanished(cb) :
				     netlink_refuse(cb->extack, NULL, missing,
						    -ENOENT));
}

/**
 * netlink_dump_object_put - undo netlink_dump_object()
 * @place: what the dump looks into
 * @obj: the object
 *
 * Context: may sleep.
 */
void netlink_dump_object_put(struct dump_place *place,
			     struct iommukit_object *obj)
{
	object_put(place->ctx, obj);
	context_put(place->ctx);
	place->ctx = NULL;
}

/**
 * netlink_dump_put - begin a message of a dump
 * @skb: the messages so far
 * @cb: the dump
 * @cmd: the command
 *
 * Context: any.
 * Return: what netlink_dump_end() needs.
 */
void *netlink_dump_put(struct sk_buff *skb, struct netlink_callback *cb,
		       enum iommukit_nl_cmd cmd)
{
	return genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			   &netlink_family, NLM_F_MULTI, cmd);
}

/**
 * netlink_dump_end - end a message of a dump
 * @skb: the messages
 * @cb: the dump, whose seq is up to date
 * @head: of netlink_dump_put(); NULL if the message was not even begun
 * @rc: what putting its attributes has come to; if it is an errno, it is taken back
 *
 * Context: any.
 * Return: @rc, or -EMSGSIZE if it was not begun.
 */
int netlink_dump_end(struct sk_buff *skb, struct netlink_callback *cb,
		     void *head, int rc)
{
	if (!head)
		return -EMSGSIZE;
	if (rc) {
		genlmsg_cancel(skb, head);
	} else {
		/* Not before: it tells of an interruption once. */
		genl_dump_check_consistent(cb, head);
		genlmsg_end(skb, head);
	}
	return rc;
}

/* ---- the family ---- */

static const struct nla_policy context_get_policy[IOMMUKIT_NL_A_CONTEXT_ID + 1] = {
	[IOMMUKIT_NL_A_CONTEXT_ID] = { .type = NLA_U32 },
};

static const struct nla_policy object_get_policy[IOMMUKIT_NL_A_OBJECT_ID + 1] = {
	[IOMMUKIT_NL_A_OBJECT_CONTEXT_ID] = { .type = NLA_U32 },
	[IOMMUKIT_NL_A_OBJECT_ID] = { .type = NLA_U32 },
};

static const struct nla_policy area_get_policy[IOMMUKIT_NL_A_AREA_LAST + 1] = {
	[IOMMUKIT_NL_A_AREA_CONTEXT_ID] = { .type = NLA_U32 },
	[IOMMUKIT_NL_A_AREA_IOAS_ID] = { .type = NLA_U32 },
	[IOMMUKIT_NL_A_AREA_IOVA] = { .type = NLA_U64 },
	[IOMMUKIT_NL_A_AREA_LAST] = { .type = NLA_U64 },
};

static const struct nla_policy entry_get_policy[IOMMUKIT_NL_A_ENTRY_ASID + 1] = {
	[IOMMUKIT_NL_A_ENTRY_CONTEXT_ID] = { .type = NLA_U32 },
	[IOMMUKIT_NL_A_ENTRY_IOTLB_ID] = { .type = NLA_U32 },
	[IOMMUKIT_NL_A_ENTRY_ASID] = { .type = NLA_U32 },
};

static const struct genl_ops netlink_ops[] = {
	{
		.cmd = IOMMUKIT_NL_CMD_CONTEXT_GET,
		.policy = context_get_policy,
		.maxattr = ARRAY_SIZE(context_get_policy) - 1,
		.doit = context_get_do,
		.dumpit = context_get_dump,
	},
	{
		.cmd = IOMMUKIT_NL_CMD_OBJECT_GET,
		.policy = object_get_policy,
		.maxattr = ARRAY_SIZE(object_get_policy) - 1,
		.doit = object_get_do,
		.dumpit = object_get_dump,
	},
	{
		.cmd = IOMMUKIT_NL_CMD_AREA_GET,
		.policy = area_get_policy,
		.maxattr = ARRAY_SIZE(area_get_policy) - 1,
		.dumpit = area_get_dump,
	},
	{
		.cmd = IOMMUKIT_NL_CMD_ENTRY_GET,
		.policy = entry_get_policy,
		.maxattr = ARRAY_SIZE(entry_get_policy) - 1,
		.dumpit = entry_get_dump,
	},
};

static const struct genl_multicast_group netlink_groups[] = {
	/*
	 * Each listener makes events dearer for all, and they name IOVA. Who has the
	 * capability in a user namespace of his own only, can make them dearer as well,
	 * for listeners are counted in all network namespaces; but gets none.
	 */
	[NETLINK_EVENTS] = {
		.name = IOMMUKIT_NL_MCGRP_EVENTS,
		.flags = GENL_MCAST_CAP_NET_ADMIN,
	},
	[NETLINK_MAPPINGS] = {
		.name = IOMMUKIT_NL_MCGRP_MAPPINGS,
		.flags = GENL_MCAST_CAP_SYS_ADMIN,
	},
};

struct genl_family netlink_family = {
	.name = IOMMUKIT_FAMILY_NAME,
	.version = IOMMUKIT_FAMILY_VERSION,
	.module = THIS_MODULE,
	.parallel_ops = true,
	.ops = netlink_ops,
	.n_ops = ARRAY_SIZE(netlink_ops),
	/* None was ever without these checks. */
	.resv_start_op = IOMMUKIT_NL_CMD_CONTEXT_GET,
	.mcgrps = netlink_groups,
	.n_mcgrps = ARRAY_SIZE(netlink_groups),
};

int netlink_init(void)
{
	return genl_register_family(&netlink_family);
}

void netlink_exit(void)
{
	genl_unregister_family(&netlink_family);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests of the netlink family: objects, one of them or all, and what they say of
 * themselves.
 */
#include "netlink_request.h"

#include "compat.h"
#include "context.h"
#include "object.h"

/**
 * struct telling - A message that an object is told in
 * @skb: the message
 * @cb: the dump that it is one of, or NULL: it has been begun
 * @ctx_id: number of the context
 * @id: the one object that is asked for; in a dump, gets which one it was
 */
struct telling {
	struct sk_buff *skb;
	struct netlink_callback *cb;
	u32 ctx_id;
	u32 id;
};

static int put_state(struct sk_buff *skb, struct iommukit_object *obj)
{
	struct nlattr *nest;
	int rc;

	if (!obj->ops->describe)
		return 0;
	nest = nla_nest_start(skb, obj->ops->nest);
	if (!nest)
		return -EMSGSIZE;
	rc = obj->ops->describe(obj, skb);
	if (!rc)
		nla_nest_end(skb, nest);
	return rc;
}

static int put_object(struct sk_buff *skb, u32 ctx_id,
		      struct iommukit_object *obj, u32 users)
{
	return nla_put_u32(skb, IOMMUKIT_NL_A_OBJECT_CONTEXT_ID, ctx_id) ?:
	       nla_put_u32(skb, IOMMUKIT_NL_A_OBJECT_ID, obj->id) ?:
	       nla_put_string(skb, IOMMUKIT_NL_A_OBJECT_TYPE, obj->ops->name) ?:
	       nla_put_u32(skb, IOMMUKIT_NL_A_OBJECT_USERS, users) ?:
	       put_state(skb, obj);
}

static int tell_one(void *opaque, struct iommukit_object *obj, u32 users)
{
	struct telling *to = opaque;

	/* There is one, but with another id. */
	if (obj->id != to->id)
		return -ENODEV;
	return put_object(to->skb, to->ctx_id, obj, users);
}

static int answer_object(struct genl_info *info, struct iommukit_ctx *ctx)
{
	const struct nlattr *id = info->attrs[IOMMUKIT_NL_A_OBJECT_ID];
	struct telling to = { .ctx_id = ctx->id, .id = nla_get_u32(id) };
	void *head;
	int rc;

	to.skb = netlink_answer(info, &head);
	if (!to.skb)
		return -ENOMEM;
	rc = object_next(ctx, to.id, tell_one, &to);
	if (rc != -ENOENT && rc != -ENODEV)
		return netlink_answer_end(info, to.skb, head, rc);
	nlmsg_free(to.skb);
	return netlink_refuse(info->extack, id, "the context has no such object",
			      -ENOENT);
}

int object_get_do(struct sk_buff *request, struct genl_info *info)
{
	struct iommukit_ctx *ctx;
	int rc;

	rc = netlink_require(info, IOMMUKIT_NL_A_OBJECT_CONTEXT_ID,
			     "an object of which context? Its number is missing") ?:
	     netlink_require(info, IOMMUKIT_NL_A_OBJECT_ID,
			     "which object? Its id is missing");
	if (rc)
		return rc;
	ctx = netlink_find_context(info->attrs[IOMMUKIT_NL_A_OBJECT_CONTEXT_ID],
				   info->extack);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	rc = answer_object(info, ctx);
	context_put(ctx);
	return rc;
}

static int object_get_begin(struct netlink_callback *cb)
{
	struct nlattr **attrs = compat_genl_dump_attrs(cb);
	const struct nlattr *only = attrs[IOMMUKIT_NL_A_OBJECT_CONTEXT_ID];
	struct dump_state *state = dump_state(cb);
	struct iommukit_ctx *ctx;

	state->begun = true;
	if (attrs[IOMMUKIT_NL_A_OBJECT_ID])
		return netlink_refuse(cb->extack, attrs[IOMMUKIT_NL_A_OBJECT_ID],
				      "a dump is of all objects; ask for one without NLM_F_DUMP",
				      -EINVAL);
	if (!only)
		return 0;
	ctx = netlink_find_context(only, cb->extack);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	state->only = ctx->id;
	state->ctx_id = ctx->id;
	context_put(ctx);
	return 0;
}

static int tell_next(void *opaque, struct iommukit_object *obj, u32 users)
{
	struct telling *to = opaque;
	void *head = netlink_dump_put(to->skb, to->cb, IOMMUKIT_NL_CMD_OBJECT_GET);

	to->id = obj->id;
	return netlink_dump_end(to->skb, to->cb, head,
				head ? put_object(to->skb, to->ctx_id, obj,
						  users) : 0);
}

static int dump_objects(struct sk_buff *skb, struct netlink_callback *cb,
			struct iommukit_ctx *ctx)
{
	struct telling to = { .skb = skb, .cb = cb, .ctx_id = ctx->id };
	struct dump_state *state = dump_state(cb);
	int rc;

	while (!(rc = object_next(ctx, state->id, tell_next, &to))) {
		state->id = to.id + 1;
		cond_resched();
	}
	return rc == -ENOENT ? 0 : rc;
}

int object_get_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct dump_state *state = dump_state(cb);
	struct iommukit_ctx *ctx;
	int rc = 0;

	if (!state->begun)
		rc = object_get_begin(cb);
	cb->seq = dump_seq(contexts_changes() + objects_changes());
	while (!rc && (ctx = context_next(state->ctx_id))) {
		bool wanted = !state->only || state->only == ctx->id;

		if (ctx->id != state->ctx_id)
			state->id = 0;
		state->ctx_id = ctx->id;
		if (wanted)
			rc = dump_objects(skb, cb, ctx);
		context_put(ctx);
		if (!wanted)
			break;
		if (!rc) {
			state->ctx_id++;
			state->id = 0;
		}
		cond_resched();
	}
	return skb->len ?: rc;
}

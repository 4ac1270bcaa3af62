// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests of the netlink family: objects, one of them or all.
 */
#include "netlink_request.h"

#include "compat.h"
#include "context.h"
#include "object.h"

static int put_object(struct sk_buff *skb, const struct iommukit_ctx *ctx,
		      const struct object_facts *facts)
{
	return nla_put_u32(skb, IOMMUKIT_NL_A_OBJECT_CONTEXT_ID, ctx->id) ?:
	       nla_put_u32(skb, IOMMUKIT_NL_A_OBJECT_ID, facts->id) ?:
	       nla_put_string(skb, IOMMUKIT_NL_A_OBJECT_TYPE, facts->type) ?:
	       nla_put_u32(skb, IOMMUKIT_NL_A_OBJECT_USERS, facts->users);
}

static int answer_object(struct genl_info *info, struct iommukit_ctx *ctx)
{
	const struct nlattr *id = info->attrs[IOMMUKIT_NL_A_OBJECT_ID];
	struct object_facts facts;
	struct sk_buff *skb;
	void *head;

	if (!object_next(ctx, nla_get_u32(id), &facts) ||
	    facts.id != nla_get_u32(id))
		return netlink_refuse(info->extack, id,
				      "the context has no such object", -ENOENT);
	skb = netlink_answer(info, &head);
	return skb ? netlink_answer_end(info, skb, head,
					put_object(skb, ctx, &facts)) :
		     -ENOMEM;
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

static int dump_objects(struct sk_buff *skb, struct netlink_callback *cb,
			struct iommukit_ctx *ctx)
{
	struct dump_state *state = dump_state(cb);
	struct object_facts facts;

	while (object_next(ctx, state->id, &facts)) {
		void *head = netlink_dump_put(skb, cb, IOMMUKIT_NL_CMD_OBJECT_GET);
		int rc = netlink_dump_end(skb, head,
					  head ? put_object(skb, ctx, &facts) : 0);

		if (rc)
			return rc;
		state->id = facts.id + 1;
	}
	return 0;
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

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests of the netlink family: contexts and objects, one of them or all.
 *
 * A dump goes on by number where its last message ended, and holds nothing meanwhile. It
 * is marked as interrupted if something came or went since it began. What is wrong with
 * the request is said at its end: when a dump starts 6.1 has no way to say it.
 *
 * Whoever asks need not be who opened a context, so nothing here waits for the owner of
 * one, nor for its memory.
 */
#include "netlink.h"

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/mm_types.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/user.h>
#include <linux/timekeeping.h>
#include <net/genetlink.h>

#include "compat.h"
#include "context.h"
#include "fail.h"
#include "object.h"

/* Messages of a dump are told apart from those of another one by it, so it is not 0. */
static unsigned int dump_seq(unsigned int changes)
{
	return changes ?: 1;
}

static int refuse(struct netlink_ext_ack *extack, const struct nlattr *attr,
		  const char *text, int error)
{
	if (extack) {
		extack->_msg = text;
		extack->bad_attr = attr;
	}
	return error;
}

/* Returns 0 or -EINVAL if a request lacks @attr. */
static int require(struct genl_info *info, int attr, const char *text)
{
	if (!GENL_REQ_ATTR_CHECK(info, attr))
		return 0;
	return refuse(info->extack, NULL, text, -EINVAL);
}

/* ---- contexts ---- */

/* How much of RLIMIT_MEMLOCK is left, in pages, if @used are */
static u64 headroom(unsigned long limit, unsigned long used)
{
	if (limit == RLIM_INFINITY)
		return U64_MAX;
	limit >>= PAGE_SHIFT;
	return limit > used ? (u64)(limit - used) << PAGE_SHIFT : 0;
}

static int put_limit(struct sk_buff *skb, const struct iommukit_ctx *ctx,
		     const struct task_struct *owner)
{
	unsigned long limit = task_rlimit(owner, RLIMIT_MEMLOCK), used;

	if (!READ_ONCE(ctx->account_mm))
		used = atomic_long_read(&ctx->user->locked_vm);
	else if (ctx->mm)
		used = READ_ONCE(ctx->mm->locked_vm);
	else
		return 0;
	return nla_put_u64_64bit(skb, IOMMUKIT_NL_A_CONTEXT_MEMLOCK_LIMIT,
				 limit == RLIM_INFINITY ? U64_MAX : limit,
				 IOMMUKIT_NL_A_CONTEXT_PAD) ?:
	       nla_put_u64_64bit(skb, IOMMUKIT_NL_A_CONTEXT_MEMLOCK_HEADROOM,
				 headroom(limit, used),
				 IOMMUKIT_NL_A_CONTEXT_PAD);
}

static int put_accounting(struct sk_buff *skb, const struct iommukit_ctx *ctx)
{
	struct task_struct *owner = get_pid_task(ctx->pid, PIDTYPE_TGID);
	u32 account = READ_ONCE(ctx->account_mm) ? IOMMUKIT_NL_ACCOUNT_MM :
						   IOMMUKIT_NL_ACCOUNT_USER;
	int rc;

	if (owner && has_capability_noaudit(owner, CAP_IPC_LOCK))
		account = IOMMUKIT_NL_ACCOUNT_NONE;
	rc = nla_put_u32(skb, IOMMUKIT_NL_A_CONTEXT_ACCOUNT, account) ?:
	     nla_put_u64_64bit(skb, IOMMUKIT_NL_A_CONTEXT_PINNED_BYTES,
			       (u64)atomic_long_read(&ctx->npinned) << PAGE_SHIFT,
			       IOMMUKIT_NL_A_CONTEXT_PAD);
	if (!rc && owner && account != IOMMUKIT_NL_ACCOUNT_NONE)
		rc = put_limit(skb, ctx, owner);
	if (owner)
		put_task_struct(owner);
	return rc;
}

/* As the current process sees it, which is the one that asks */
static int put_owner(struct sk_buff *skb, const struct iommukit_ctx *ctx)
{
	pid_t pid = pid_nr_ns(ctx->pid, task_active_pid_ns(current));
	u64 age = ktime_get_boottime_ns() - ctx->created;
	int rc = 0;

	/* Whoever cannot see the process is not told its name either. */
	if (pid)
		rc = nla_put_u32(skb, IOMMUKIT_NL_A_CONTEXT_PID, pid) ?:
		     nla_put_string(skb, IOMMUKIT_NL_A_CONTEXT_COMM,
				    ctx->comm);
	return rc ?:
	       nla_put_u32(skb, IOMMUKIT_NL_A_CONTEXT_UID,
			   from_kuid_munged(current_user_ns(), ctx->uid)) ?:
	       nla_put_u64_64bit(skb, IOMMUKIT_NL_A_CONTEXT_AGE_MS,
				 div_u64(age, NSEC_PER_MSEC),
				 IOMMUKIT_NL_A_CONTEXT_PAD);
}

static int put_context(struct sk_buff *skb, const struct iommukit_ctx *ctx)
{
	return nla_put_u32(skb, IOMMUKIT_NL_A_CONTEXT_ID, ctx->id) ?:
	       put_owner(skb, ctx) ?: put_accounting(skb, ctx) ?:
	       nla_put_u32(skb, IOMMUKIT_NL_A_CONTEXT_OBJECTS,
			   READ_ONCE(ctx->nr_objects));
}

/* The context that a request names by @attr, for context_put() */
static struct iommukit_ctx *find_context(const struct nlattr *attr,
					 struct netlink_ext_ack *extack)
{
	u32 id = nla_get_u32(attr);
	struct iommukit_ctx *ctx = context_next(id);

	if (ctx && ctx->id == id)
		return ctx;
	if (ctx)
		context_put(ctx);
	return ERR_PTR(refuse(extack, attr, "no context has that number",
			      -ENOENT));
}

/* Begin an answer of one message. */
static struct sk_buff *answer_begin(struct genl_info *info, void **head)
{
	struct sk_buff *skb = fail_alloc(genlmsg_new(GENLMSG_DEFAULT_SIZE,
						     GFP_KERNEL));

	if (!skb) {
		refuse(info->extack, NULL, "no memory for the answer", -ENOMEM);
		return NULL;
	}
	*head = genlmsg_put_reply(skb, info, &netlink_family, 0,
				  info->genlhdr->cmd);
	return skb;
}

static int answer_end(struct genl_info *info, struct sk_buff *skb, void *head,
		      int rc)
{
	if (WARN_ON_ONCE(rc)) {
		nlmsg_free(skb);
		return rc;
	}
	genlmsg_end(skb, head);
	return genlmsg_reply(skb, info);
}

static int context_get_do(struct sk_buff *request, struct genl_info *info)
{
	struct iommukit_ctx *ctx;
	struct sk_buff *skb;
	void *head;
	int rc;

	rc = require(info, IOMMUKIT_NL_A_CONTEXT_ID,
		     "which context? Its number is missing");
	if (rc)
		return rc;
	ctx = find_context(info->attrs[IOMMUKIT_NL_A_CONTEXT_ID], info->extack);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	skb = answer_begin(info, &head);
	rc = skb ? answer_end(info, skb, head, put_context(skb, ctx)) : -ENOMEM;
	context_put(ctx);
	return rc;
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

static struct dump_state *dump_state(struct netlink_callback *cb)
{
	BUILD_BUG_ON(sizeof(struct dump_state) > sizeof(cb->ctx));
	return (struct dump_state *)cb->ctx;
}

static void *dump_put(struct sk_buff *skb, struct netlink_callback *cb,
		      enum iommukit_nl_cmd cmd)
{
	void *head = genlmsg_put(skb, NETLINK_CB(cb->skb).portid,
				 cb->nlh->nlmsg_seq, &netlink_family,
				 NLM_F_MULTI, cmd);

	if (head)
		genl_dump_check_consistent(cb, head);
	return head;
}

/* End a message of a dump. Returns @rc, or -EMSGSIZE if it was not even begun. */
static int dump_end(struct sk_buff *skb, void *head, int rc)
{
	if (!head)
		return -EMSGSIZE;
	if (rc)
		genlmsg_cancel(skb, head);
	else
		genlmsg_end(skb, head);
	return rc;
}

static int context_get_begin(struct netlink_callback *cb)
{
	const struct nlattr *id = compat_genl_dump_attrs(cb)[IOMMUKIT_NL_A_CONTEXT_ID];

	dump_state(cb)->begun = true;
	if (id)
		return refuse(cb->extack, id,
			      "a dump is of all contexts; ask for one without NLM_F_DUMP",
			      -EINVAL);
	return 0;
}

static int context_get_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct dump_state *state = dump_state(cb);
	struct iommukit_ctx *ctx;
	int rc = 0;

	if (!state->begun)
		rc = context_get_begin(cb);
	cb->seq = dump_seq(contexts_changes());
	while (!rc && (ctx = context_next(state->ctx_id))) {
		void *head = dump_put(skb, cb, IOMMUKIT_NL_CMD_CONTEXT_GET);

		rc = dump_end(skb, head, head ? put_context(skb, ctx) : 0);
		if (!rc)
			state->ctx_id = ctx->id + 1;
		context_put(ctx);
	}
	return skb->len ?: rc;
}

/* ---- objects ---- */

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
		return refuse(info->extack, id, "the context has no such object",
			      -ENOENT);
	skb = answer_begin(info, &head);
	return skb ? answer_end(info, skb, head, put_object(skb, ctx, &facts)) :
		     -ENOMEM;
}

static int object_get_do(struct sk_buff *request, struct genl_info *info)
{
	struct iommukit_ctx *ctx;
	int rc;

	rc = require(info, IOMMUKIT_NL_A_OBJECT_CONTEXT_ID,
		     "an object of which context? Its number is missing") ?:
	     require(info, IOMMUKIT_NL_A_OBJECT_ID,
		     "which object? Its id is missing");
	if (rc)
		return rc;
	ctx = find_context(info->attrs[IOMMUKIT_NL_A_OBJECT_CONTEXT_ID],
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
		return refuse(cb->extack, attrs[IOMMUKIT_NL_A_OBJECT_ID],
			      "a dump is of all objects; ask for one without NLM_F_DUMP",
			      -EINVAL);
	if (!only)
		return 0;
	ctx = find_context(only, cb->extack);
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
		void *head = dump_put(skb, cb, IOMMUKIT_NL_CMD_OBJECT_GET);
		int rc = dump_end(skb, head,
				  head ? put_object(skb, ctx, &facts) : 0);

		if (rc)
			return rc;
		state->id = facts.id + 1;
	}
	return 0;
}

static int object_get_dump(struct sk_buff *skb, struct netlink_callback *cb)
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

/* ---- the family ---- */

static const struct nla_policy context_get_policy[IOMMUKIT_NL_A_CONTEXT_ID + 1] = {
	[IOMMUKIT_NL_A_CONTEXT_ID] = { .type = NLA_U32 },
};

static const struct nla_policy object_get_policy[IOMMUKIT_NL_A_OBJECT_ID + 1] = {
	[IOMMUKIT_NL_A_OBJECT_CONTEXT_ID] = { .type = NLA_U32 },
	[IOMMUKIT_NL_A_OBJECT_ID] = { .type = NLA_U32 },
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
};

static const struct genl_multicast_group netlink_groups[] = {
	/* Each listener makes events dearer for all, and they name IOVA. */
	[NETLINK_EVENTS] = {
		.name = IOMMUKIT_NL_MCGRP_EVENTS,
		.flags = GENL_MCAST_CAP_NET_ADMIN,
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

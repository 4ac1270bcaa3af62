// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests of the netlink family: contexts, one of them or all.
 *
 * Whoever asks need not be who opened a context, so nothing here waits for the owner of
 * one, nor for its memory.
 */
#include "netlink_request.h"

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/mm_types.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/user.h>
#include <linux/timekeeping.h>

#include "compat.h"
#include "context.h"

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

int context_get_do(struct sk_buff *request, struct genl_info *info)
{
	struct iommukit_ctx *ctx;
	struct sk_buff *skb;
	void *head;
	int rc;

	rc = netlink_require(info, IOMMUKIT_NL_A_CONTEXT_ID,
			     "which context? Its number is missing");
	if (rc)
		return rc;
	ctx = netlink_find_context(info->attrs[IOMMUKIT_NL_A_CONTEXT_ID], info->extack);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	skb = netlink_answer(info, &head);
	rc = skb ? netlink_answer_end(info, skb, head, put_context(skb, ctx)) : -ENOMEM;
	context_put(ctx);
	return rc;
}

static int context_get_begin(struct netlink_callback *cb)
{
	const struct nlattr *id = compat_genl_dump_attrs(cb)[IOMMUKIT_NL_A_CONTEXT_ID];

	dump_state(cb)->begun = true;
	if (id)
		return netlink_refuse(cb->extack, id,
				      "a dump is of all contexts; ask for one without NLM_F_DUMP",
				      -EINVAL);
	return 0;
}

int context_get_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct dump_state *state = dump_state(cb);
	struct iommukit_ctx *ctx;
	int rc = 0;

	if (!state->begun)
		rc = context_get_begin(cb);
	cb->seq = dump_seq(contexts_changes());
	while (!rc && (ctx = context_next(state->ctx_id))) {
		void *head = netlink_dump_put(skb, cb, IOMMUKIT_NL_CMD_CONTEXT_GET);

		rc = netlink_dump_end(skb, cb, head,
				      head ? put_context(skb, ctx) : 0);
		if (!rc)
			state->ctx_id = ctx->id + 1;
		context_put(ctx);
	}
	return skb->len ?: rc;
}

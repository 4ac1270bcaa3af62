// SPDX-License-Identifier: GPL-2.0-only
/*
 * The IOTLB object and the commands of its owner.
 *
 * An IOTLB has no access to its IOAS: that would hold the context's file, and the context
 * could not end. Each client has one. What is shared with the server is the channel,
 * which does not keep the IOTLB.
 */
#include "iotlb.h"

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait_bit.h>

#include "describe.h"
#include "fail.h"
#include "ioas.h"
#include "iotlb_reader.h"
#include "pages.h"
#include "private.h"

#define ASIDS_MAX 4096
#define ENTRIES_MIN 16
#define ENTRIES_DEFAULT 65536
#define PENDING_MAX 65536
#define PENDING_DEFAULT 256
#define TIMEOUT_MS_MAX 3600000
#define TIMEOUT_MS_DEFAULT 5000
#define GRANULE_SHIFT_MAX 30
#define SPIN_US_MAX 1000
#define SUBMIT_MAX 65536
#define ENTRY_CHUNK 16

static unsigned int iotlb_max_entries = 1048576;
module_param(iotlb_max_entries, uint, 0644);
MODULE_PARM_DESC(iotlb_max_entries, "Most entries of an IOTLB (1048576)");

static unsigned int iotlb_max_objects = 1024;
module_param(iotlb_max_objects, uint, 0644);
MODULE_PARM_DESC(iotlb_max_objects, "Most IOTLBs of a context (1024)");

struct workqueue_struct *iotlb_wq, *iotlb_late_wq;

/* ---- the object ---- */

static void iotlb_free(struct iotlb *iotlb)
{
	struct iotlb_space *space;
	unsigned long asid;

	cancel_delayed_work_sync(&iotlb->expire);
	cancel_work_sync(&iotlb->late);
	xa_for_each(&iotlb->spaces, asid, space)
		iotlb_space_free(space);
	xa_destroy(&iotlb->spaces);
	iotlb_channel_put(iotlb->chan);
	if (iotlb->uva)
		pages_put(iotlb->uva);
	if (iotlb->ioas)
		object_release(&iotlb->ioas->obj);
	atomic_dec(&iotlb->ctx->nr_iotlbs);
	mutex_destroy(&iotlb->wlock);
}

static void iotlb_destroy(struct iommukit_object *obj)
{
	struct iotlb *iotlb = container_of(obj, struct iotlb, obj);

	iotlb_channel_kill(iotlb->chan);
	iotlb_free(iotlb);
}

const struct object_ops iotlb_object_ops = {
	.name = "iotlb",
	.destroy = iotlb_destroy,
	.nest = IOMMUKIT_NL_A_OBJECT_IOTLB,
	.describe = iotlb_describe,
};

/**
 * iotlb_get - look an IOTLB up for the time of a command
 * @ctx: the context
 * @id: its id
 *
 * Return: the IOTLB for iotlb_put(), or -ENOENT.
 */
struct iotlb *iotlb_get(struct iommukit_ctx *ctx, u32 id)
{
	struct iommukit_object *obj = object_get(ctx, id, &iotlb_object_ops);

	if (IS_ERR(obj))
		return ERR_CAST(obj);
	return container_of(obj, struct iotlb, obj);
}

/**
 * iotlb_put - undo iotlb_get()
 * @iotlb: the IOTLB; may be gone on return
 */
void iotlb_put(struct iotlb *iotlb)
{
	object_put(iotlb->ctx, &iotlb->obj);
}

/**
 * iotlb_space - find an address space
 * @iotlb: the IOTLB
 * @asid: its number
 *
 * Context: any.
 * Return: the address space, or NULL if it was never used.
 */
struct iotlb_space *iotlb_space(struct iotlb *iotlb, u32 asid)
{
	return xa_load(&iotlb->spaces, asid);
}

/**
 * iotlb_space_make - find an address space, or make it
 * @iotlb: the IOTLB
 * @asid: its number, which must be one of those that the IOTLB has
 *
 * Context: may sleep.
 * Return: the address space, or -ENOMEM.
 */
struct iotlb_space *iotlb_space_make(struct iotlb *iotlb, u32 asid)
{
	struct iotlb_space *space = iotlb_space(iotlb, asid), *old;

	if (space)
		return space;
	space = fail_alloc(kzalloc(sizeof(*space), GFP_KERNEL_ACCOUNT));
	if (!space)
		return ERR_PTR(-ENOMEM);
	iotlb_space_init(space, iotlb, asid);
	old = fail_point(-ENOMEM) ? XA_ERROR(-ENOMEM) :
	      xa_cmpxchg(&iotlb->spaces, asid, NULL, space,
			 GFP_KERNEL_ACCOUNT);
	if (!old)
		return space;
	iotlb_space_free(space);
	return xa_is_err(old) ? ERR_PTR(xa_err(old)) : old;
}

/* ---- ALLOC ---- */

static bool bad_entries(u64 value)
{
	return value < ENTRIES_MIN || value > READ_ONCE(iotlb_max_entries);
}

static bool bad_timeout(u64 value)
{
	return value > TIMEOUT_MS_MAX && value != IOMMUKIT_IOTLB_NO_TIMEOUT;
}

/* Nothing of @cmd is 0 afterwards that stands for something else. */
static void alloc_defaults(struct iommukit_iotlb_alloc *cmd)
{
	cmd->num_asids = cmd->num_asids ?: 1;
	cmd->max_entries = cmd->max_entries ?:
			   min_t(u32, ENTRIES_DEFAULT,
				 READ_ONCE(iotlb_max_entries));
	cmd->max_pending = cmd->max_pending ?: PENDING_DEFAULT;
	cmd->miss_timeout_ms = cmd->miss_timeout_ms ?: TIMEOUT_MS_DEFAULT;
	cmd->granule_shift = cmd->granule_shift ?: PAGE_SHIFT;
	if (!cmd->iova_first && !cmd->iova_last)
		cmd->iova_last = U64_MAX;
}

static int alloc_check(const struct iommukit_iotlb_alloc *cmd)
{
	if ((cmd->flags & ~(IOMMUKIT_IOTLB_TARGET_UVA |
			    IOMMUKIT_IOTLB_KEEP_ON_CLOSE |
			    IOMMUKIT_IOTLB_NO_CHANNEL)) || cmd->__reserved)
		return -EOPNOTSUPP;
	if ((cmd->flags & IOMMUKIT_IOTLB_TARGET_UVA) &&
	    (cmd->ioas_id || !current->mm))
		return -EINVAL;
	if (cmd->num_asids > ASIDS_MAX || bad_entries(cmd->max_entries) ||
	    cmd->max_pending > PENDING_MAX || bad_timeout(cmd->miss_timeout_ms))
		return -EINVAL;
	if (cmd->evict_policy > IOMMUKIT_IOTLB_EVICT_NONE)
		return -EOPNOTSUPP;
	if (cmd->iova_last < cmd->iova_first ||
	    cmd->granule_shift > GRANULE_SHIFT_MAX ||
	    cmd->spin_us > SPIN_US_MAX)
		return -EINVAL;
	return 0;
}

static void iotlb_setup(struct iotlb *iotlb, struct iommukit_ctx *ctx,
			const struct iommukit_iotlb_alloc *cmd)
{
	iotlb->ctx = ctx;
	iotlb->keep_on_close = cmd->flags & IOMMUKIT_IOTLB_KEEP_ON_CLOSE;
	iotlb->num_asids = cmd->num_asids;
	iotlb->first = cmd->iova_first;
	iotlb->last = cmd->iova_last;
	iotlb->user_tag = cmd->user_tag;
	iotlb->miss_timeout_ms = cmd->miss_timeout_ms;
	iotlb->spin_us = cmd->spin_us;
	iotlb->max_entries = cmd->max_entries;
	iotlb->evict_policy = cmd->evict_policy;
	mutex_init(&iotlb->wlock);
	xa_init_flags(&iotlb->spaces, XA_FLAGS_ACCOUNT);
	spin_lock_init(&iotlb->clients_lock);
	INIT_LIST_HEAD(&iotlb->clients);
	iotlb->changes = get_random_u32();
	iotlb_changes_init(&iotlb->batch);
	INIT_WORK(&iotlb->late, iotlb_late_work);
	INIT_DELAYED_WORK(&iotlb->expire, iotlb_miss_expire);
}

static int iotlb_take_target(struct iotlb *iotlb,
			     const struct iommukit_iotlb_alloc *cmd)
{
	struct ioas *ioas;

	if (cmd->flags & IOMMUKIT_IOTLB_TARGET_UVA) {
		struct pages *uva = pages_create_user(iotlb->ctx, 0, true);

		if (IS_ERR(uva))
			return PTR_ERR(uva);
		iotlb->uva = uva;
		return 0;
	}
	ioas = ioas_get(iotlb->ctx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	object_hold(&ioas->obj);
	ioas_put(iotlb->ctx, ioas);
	iotlb->ioas = ioas;
	return 0;
}

/* Makes the object; iotlb_abort() undoes it. */
static struct iotlb *iotlb_create(struct iommukit_ctx *ctx,
				  const struct iommukit_iotlb_alloc *cmd)
{
	struct iommukit_object *obj;
	struct iotlb_channel *chan;
	struct iotlb *iotlb;
	int rc;

	BUILD_BUG_ON(offsetof(struct iotlb, obj));
	if (!atomic_add_unless(&ctx->nr_iotlbs, 1,
			       READ_ONCE(iotlb_max_objects)))
		return ERR_PTR(-ENOSPC);
	obj = object_reserve(ctx, sizeof(*iotlb), &iotlb_object_ops);
	if (IS_ERR(obj)) {
		rc = PTR_ERR(obj);
		goto err_count;
	}
	iotlb = container_of(obj, struct iotlb, obj);
	iotlb_setup(iotlb, ctx, cmd);
	chan = iotlb_channel_alloc(iotlb, cmd->max_pending, cmd->granule_shift);
	if (IS_ERR(chan)) {
		rc = PTR_ERR(chan);
		goto err_abort;
	}
	iotlb->chan = chan;
	rc = iotlb_take_target(iotlb, cmd);
	if (!rc)
		return iotlb;
	iotlb_channel_kill(chan);
	iotlb_channel_put(chan);
err_abort:
	object_abort(ctx, obj);
err_count:
	atomic_dec(&ctx->nr_iotlbs);
	return ERR_PTR(rc);
}

static void iotlb_abort(struct iotlb *iotlb)
{
	struct iommukit_ctx *ctx = iotlb->ctx;

	iotlb_channel_kill(iotlb->chan);
	iotlb_free(iotlb);
	object_abort(ctx, &iotlb->obj);
}

/* A descriptor and a file for a channel */
static int channel_prepare(struct iotlb *iotlb, struct file **file)
{
	int fd = fail_point(-EMFILE) ?: get_unused_fd_flags(O_CLOEXEC);

	if (fd < 0)
		return fd;
	*file = iotlb_channel_file(iotlb->chan);
	if (!IS_ERR(*file))
		return fd;
	put_unused_fd(fd);
	return PTR_ERR(*file);
}

int iotlb_cmd_alloc(struct iommukit_ucmd *ucmd)
{
	struct iommukit_iotlb_alloc *cmd = ucmd->cmd;
	struct file *file = NULL;
	struct iotlb *iotlb;
	int rc, fd = -1;

	alloc_defaults(cmd);
	rc = alloc_check(cmd);
	if (rc)
		return rc;
	iotlb = iotlb_create(ucmd->ctx, cmd);
	if (IS_ERR(iotlb))
		return PTR_ERR(iotlb);
	if (!(cmd->flags & IOMMUKIT_IOTLB_NO_CHANNEL)) {
		fd = channel_prepare(iotlb, &file);
		if (fd < 0) {
			rc = fd;
			goto err_abort;
		}
	}
	cmd->out_iotlb_id = iotlb->obj.id;
	cmd->out_channel_fd = fd;
	rc = ucmd_respond(ucmd, sizeof(*cmd));
	if (rc)
		goto err_file;
	if (file) {
		iotlb_channel_start(iotlb->chan, file);
		iotlb->server_up = true;
	}
	object_publish(ucmd->ctx, &iotlb->obj);
	if (file)
		fd_install(fd, file);
	return 0;

err_file:
	if (file) {
		fput(file);
		put_unused_fd(fd);
	}
err_abort:
	iotlb_abort(iotlb);
	return rc;
}

/* What the last server has left goes before the next one comes. */
static int channel_await(struct iotlb *iotlb)
{
	struct iotlb_channel *chan = iotlb->chan;
	bool open;

	/* When it is closed under the lock, what it leaves is known. */
	spin_lock_irq(&chan->lock);
	open = chan->state == IOMMUKIT_IOTLB_CHAN_STATE_OPEN;
	spin_unlock_irq(&chan->lock);
	if (open)
		return -EBUSY;
	return wait_var_event_killable(&iotlb->lost, !READ_ONCE(iotlb->lost)) ?
	       -EINTR : 0;
}

int iotlb_cmd_channel_open(struct iommukit_ucmd *ucmd)
{
	struct iommukit_iotlb_channel_open *cmd = ucmd->cmd;
	struct file *file;
	struct iotlb *iotlb;
	int fd, rc;

	if (cmd->flags)
		return -EOPNOTSUPP;
	iotlb = iotlb_get(ucmd->ctx, cmd->iotlb_id);
	if (IS_ERR(iotlb))
		return PTR_ERR(iotlb);
	rc = channel_await(iotlb);
	if (rc)
		goto out_put;
	fd = channel_prepare(iotlb, &file);
	if (fd < 0) {
		rc = fd;
		goto out_put;
	}
	cmd->out_fd = fd;
	rc = ucmd_respond(ucmd, sizeof(*cmd)) ?:
	     iotlb_channel_start(iotlb->chan, file);
	if (rc) {
		fput(file);
		put_unused_fd(fd);
		goto out_put;
	}
	queue_work(iotlb_late_wq, &iotlb->late);
	fd_install(fd, file);
out_put:
	iotlb_put(iotlb);
	return rc;
}

/* ---- SUBMIT ---- */

static bool may_continue(int rc)
{
	return rc == -ESTALE || rc == -EEXIST || rc == -ENOSPC;
}

static int submit_one(struct iotlb *iotlb,
		      const struct iommukit_iotlb_submit *cmd, u32 i,
		      u32 *asid, struct iotlb_changes *changes)
{
	void __user *element = u64_to_user_ptr(cmd->array) +
			       (size_t)i * cmd->entry_size;
	struct iommukit_iotlb_msg __user *umsg = element;
	struct iommukit_iotlb_msg msg;
	int rc;

	rc = copy_struct_from_user(&msg, sizeof(msg), element, cmd->entry_size);
	if (rc)
		return rc;
	*asid = msg.asid;
	iotlb_throttle();
	rc = iotlb_apply(iotlb, &msg, IOTLB_FROM_OWNER | IOTLB_FROM_NEGATIVE |
				      IOTLB_FROM_EPOCH, changes);
	/* The next element may be in memory that does not come for long. */
	iotlb_resume(&changes->resume);
	if ((cmd->flags & IOMMUKIT_IOTLB_SUBMIT_WRITE_STATUS) &&
	    put_user(-rc, &umsg->status))
		return -EFAULT;
	return rc;
}

static int submit(struct iotlb *iotlb, struct iommukit_iotlb_submit *cmd)
{
	bool go_on = cmd->flags & IOMMUKIT_IOTLB_SUBMIT_CONTINUE;
	struct iotlb_changes changes;
	struct iotlb_space *space;
	int rc = 0, first = 0;
	u32 asid = 0;

	iotlb_changes_init(&changes);
	for (cmd->out_done = 0; cmd->out_done < cmd->count; cmd->out_done++) {
		rc = fatal_signal_pending(current) ? -EINTR :
		     submit_one(iotlb, cmd, cmd->out_done, &asid, &changes);
		first = first ?: rc;
		if (rc && !(go_on && may_continue(rc)))
			break;
		cond_resched();
	}
	rc = iotlb_changes_complete(iotlb, &changes) ?: first;
	space = iotlb_space(iotlb, asid);
	cmd->out_epoch = changes.inval_seq ?:
			 (space ? READ_ONCE(space->inval_seq) : 1);
	return rc;
}

int iotlb_cmd_submit(struct iommukit_ucmd *ucmd)
{
	struct iommukit_iotlb_submit *cmd = ucmd->cmd;
	struct iotlb *iotlb;
	int rc;

	if ((cmd->flags & ~(IOMMUKIT_IOTLB_SUBMIT_WRITE_STATUS |
			    IOMMUKIT_IOTLB_SUBMIT_CONTINUE)) || cmd->__reserved)
		return -EOPNOTSUPP;
	if (!cmd->count)
		return -EINVAL;
	if (cmd->count > SUBMIT_MAX)
		return -E2BIG;
	if (cmd->entry_size < sizeof(struct iommukit_iotlb_msg))
		return -EINVAL;
	iotlb = iotlb_get(ucmd->ctx, cmd->iotlb_id);
	if (IS_ERR(iotlb))
		return PTR_ERR(iotlb);
	rc = submit(iotlb, cmd);
	iotlb_put(iotlb);
	/* What was done must be known, also if it was not all. */
	return ucmd_respond(ucmd, sizeof(*cmd)) ?: rc;
}

/* ---- QUERY ---- */

static int put_entry(const struct iommukit_iotlb_query *cmd, u32 i,
		     const struct iommukit_iotlb_entry *entry)
{
	void __user *to = u64_to_user_ptr(cmd->array) +
			  (size_t)i * cmd->entry_size;

	if (copy_to_user(to, entry, sizeof(*entry)) ||
	    clear_user(to + sizeof(*entry), cmd->entry_size - sizeof(*entry)))
		return -EFAULT;
	return 0;
}

static int query_one(struct iotlb_space *space, struct iommukit_iotlb_query *cmd)
{
	struct iommukit_iotlb_entry entry;
	u64 first = cmd->iova_first;

	if (!iotlb_table_dump(space, &first, first, &entry, 1, NULL))
		return -ENOENT;
	cmd->count = 1;
	return put_entry(cmd, 0, &entry);
}

static int query_count(struct iotlb_space *space,
		       struct iommukit_iotlb_query *cmd)
{
	u64 first = cmd->iova_first;
	unsigned int nr;

	do {
		if (fatal_signal_pending(current))
			return -EINTR;
		nr = iotlb_table_dump(space, &first, cmd->iova_last, NULL, 1024,
				      NULL);
		cmd->count += nr;
		cond_resched();
	} while (nr == 1024 && first && first <= cmd->iova_last);
	return 0;
}

static int query_dump(struct iotlb_space *space,
		      struct iommukit_iotlb_query *cmd)
{
	struct iommukit_iotlb_entry entries[ENTRY_CHUNK];
	u32 i, nr, max, room = cmd->count;
	u64 first = cmd->iova_first;
	bool more = true;
	int rc;

	for (cmd->count = 0; more && cmd->count < room; ) {
		if (fatal_signal_pending(current))
			return -EINTR;
		max = min_t(u32, ENTRY_CHUNK, room - cmd->count);
		nr = iotlb_table_dump(space, &first, cmd->iova_last, entries,
				      max, NULL);
		for (i = 0; i < nr; i++) {
			rc = put_entry(cmd, cmd->count++, &entries[i]);
			if (rc)
				return rc;
		}
		more = nr == max && first && first <= cmd->iova_last;
		cond_resched();
	}
	cmd->out_next = first;
	if (more && iotlb_table_dump(space, &first, cmd->iova_last, NULL, 1,
				     NULL))
		cmd->flags |= IOMMUKIT_IOTLB_QUERY_MORE;
	else
		cmd->out_next = 0;
	return 0;
}

static int query(struct iotlb *iotlb, struct iommukit_iotlb_query *cmd)
{
	bool dump = cmd->flags & IOMMUKIT_IOTLB_QUERY_DUMP;
	struct iotlb_space *space;

	if (cmd->asid >= iotlb->num_asids ||
	    cmd->entry_size < sizeof(struct iommukit_iotlb_entry))
		return -EINVAL;
	if (dump ? cmd->iova_last < cmd->iova_first : !cmd->count)
		return -EINVAL;
	space = iotlb_space(iotlb, cmd->asid);
	cmd->out_next = 0;
	cmd->out_epoch = space ? READ_ONCE(space->inval_seq) : 1;
	if (!space) {
		cmd->count = 0;
		return dump ? 0 : -ENOENT;
	}
	if (!dump)
		return query_one(space, cmd);
	return cmd->count ? query_dump(space, cmd) : query_count(space, cmd);
}

int iotlb_cmd_query(struct iommukit_ucmd *ucmd)
{
	struct iommukit_iotlb_query *cmd = ucmd->cmd;
	struct iotlb *iotlb;
	int rc;

	if (cmd->flags & ~IOMMUKIT_IOTLB_QUERY_DUMP)
		return -EOPNOTSUPP;
	iotlb = iotlb_get(ucmd->ctx, cmd->iotlb_id);
	if (IS_ERR(iotlb))
		return PTR_ERR(iotlb);
	rc = query(iotlb, cmd);
	iotlb_put(iotlb);
	return rc ?: ucmd_respond(ucmd, sizeof(*cmd));
}

/* ---- SET, GET_CAPS ---- */

static int set_max_entries(struct iotlb *iotlb, u64 value)
{
	int rc = 0;

	value = value ?: ENTRIES_DEFAULT;
	if (bad_entries(value))
		return -EINVAL;
	if (mutex_lock_killable(&iotlb->wlock))
		return -EINTR;
	if (iotlb_evict_to(iotlb, value))
		WRITE_ONCE(iotlb->max_entries, value);
	else
		rc = -EBUSY;
	mutex_unlock(&iotlb->wlock);
	return rc;
}

static int set_param(struct iotlb *iotlb, u32 param, u64 value)
{
	switch (param) {
	case IOMMUKIT_IOTLB_PARAM_MAX_ENTRIES:
		return set_max_entries(iotlb, value);
	case IOMMUKIT_IOTLB_PARAM_MISS_TIMEOUT_MS:
		if (bad_timeout(value))
			return -EINVAL;
		WRITE_ONCE(iotlb->miss_timeout_ms, value ?: TIMEOUT_MS_DEFAULT);
		return 0;
	case IOMMUKIT_IOTLB_PARAM_EVICT_POLICY:
		if (value > IOMMUKIT_IOTLB_EVICT_NONE)
			return -EOPNOTSUPP;
		WRITE_ONCE(iotlb->evict_policy, value);
		return 0;
	case IOMMUKIT_IOTLB_PARAM_SPIN_US:
		if (value > SPIN_US_MAX)
			return -EINVAL;
		WRITE_ONCE(iotlb->spin_us, value);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

int iotlb_cmd_set(struct iommukit_ucmd *ucmd)
{
	struct iommukit_iotlb_set *cmd = ucmd->cmd;
	struct iotlb *iotlb;
	int rc;

	if (cmd->flags)
		return -EOPNOTSUPP;
	iotlb = iotlb_get(ucmd->ctx, cmd->iotlb_id);
	if (IS_ERR(iotlb))
		return PTR_ERR(iotlb);
	rc = set_param(iotlb, cmd->param, cmd->value);
	iotlb_put(iotlb);
	return rc;
}

int iotlb_cmd_get_caps(struct iommukit_ucmd *ucmd)
{
	struct iommukit_iotlb_get_caps *cmd = ucmd->cmd;

	if (cmd->flags)
		return -EOPNOTSUPP;
	cmd->out_alloc_flags = IOMMUKIT_IOTLB_TARGET_UVA |
			       IOMMUKIT_IOTLB_KEEP_ON_CLOSE |
			       IOMMUKIT_IOTLB_NO_CHANNEL;
	cmd->out_channel_features = IOMMUKIT_IOTLB_CHAN_EPOCH |
				    IOMMUKIT_IOTLB_CHAN_UPGRADE |
				    IOMMUKIT_IOTLB_CHAN_LEN_HINT |
				    IOMMUKIT_IOTLB_CHAN_ACCESS_FAIL |
				    IOMMUKIT_IOTLB_CHAN_PREFETCH |
				    IOMMUKIT_IOTLB_CHAN_NEGATIVE;
	cmd->out_max_entries = READ_ONCE(iotlb_max_entries);
	cmd->out_max_pending = PENDING_MAX;
	cmd->out_max_asids = ASIDS_MAX;
	cmd->out_ops = GENMASK(IOMMUKIT_IOTLB_OP_FLUSH, IOMMUKIT_IOTLB_OP_MISS);
	cmd->out_formats = BIT(IOMMUKIT_IOTLB_MSG_V1) |
			   BIT(IOMMUKIT_IOTLB_MSG_V2) |
			   BIT(IOMMUKIT_IOTLB_MSG_NATIVE);
	cmd->__reserved = 0;
	return ucmd_respond(ucmd, sizeof(*cmd));
}

/* ---- the module ---- */

int iotlb_init(void)
{
	int rc = -ENOMEM;

	iotlb_wq = alloc_workqueue("iommukit", WQ_UNBOUND, 0);
	if (!iotlb_wq)
		return rc;
	iotlb_late_wq = alloc_workqueue("iommukit_late", WQ_UNBOUND, 0);
	if (!iotlb_late_wq)
		goto err_wq;
	rc = iotlb_cache_create();
	if (!rc)
		return 0;
	destroy_workqueue(iotlb_late_wq);
err_wq:
	destroy_workqueue(iotlb_wq);
	return rc;
}

void iotlb_exit(void)
{
	destroy_workqueue(iotlb_late_wq);
	destroy_workqueue(iotlb_wq);
	iotlb_cache_destroy();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commands of the server's descriptor: those of vhost, by which it says what it
 * understands of that, and our own.
 *
 * A configuration is taken as a whole, under the lock of the channel. What can fail comes
 * before, the answer as well; what was replaced is freed after.
 */
#include <linux/err.h>
#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/rcupdate.h>
#include <linux/uaccess.h>

#include "fail.h"
#include "iotlb_channel.h"
#include "iotlb_ring.h"

#define BACKEND_FEATURES						\
	((u64)(IOMMUKIT_IOTLB_BACKEND_MSG_V2 |				\
	       IOMMUKIT_IOTLB_BACKEND_BATCH | IOMMUKIT_IOTLB_BACKEND_ASID))
#define CHAN_FEATURES							\
	((u64)(IOMMUKIT_IOTLB_CHAN_EPOCH | IOMMUKIT_IOTLB_CHAN_UPGRADE | \
	       IOMMUKIT_IOTLB_CHAN_LEN_HINT |				\
	       IOMMUKIT_IOTLB_CHAN_ACCESS_FAIL |			\
	       IOMMUKIT_IOTLB_CHAN_PREFETCH | IOMMUKIT_IOTLB_CHAN_NEGATIVE))

/* ---- those of vhost ---- */

/* Whether a miss waits that cannot be expressed without address spaces */
static bool asids_needed_locked(const struct iotlb_channel *chan)
{
	struct rb_node *last = rb_last(&chan->index);

	return last && rb_entry(last, struct iotlb_record, node)->space->asid;
}

static int set_backend_locked(struct iotlb_channel *chan, u64 features)
{
	bool asids = iotlb_chan_expresses(chan, 1);
	u64 old = chan->backend;

	chan->backend = features;
	if (!asids || iotlb_chan_expresses(chan, 1))
		return 0;
	if (asids_needed_locked(chan)) {
		chan->backend = old;
		return -EBUSY;
	}
	/* Reports may be lost. */
	chan->nr_events = 0;
	return 0;
}

static int channel_set_backend(const struct iotlb_server *server,
			       const u64 __user *arg)
{
	struct iotlb_channel *chan = server->chan;
	u64 features;
	int rc;

	if (get_user(features, arg))
		return -EFAULT;
	if (features & ~BACKEND_FEATURES)
		return -EOPNOTSUPP;
	spin_lock_irq(&chan->lock);
	rc = iotlb_server_is_current(server) ?
	     set_backend_locked(chan, features) : -ENODEV;
	spin_unlock_irq(&chan->lock);
	return rc;
}

static int channel_get_backend(u64 __user *arg)
{
	return put_user(BACKEND_FEATURES, arg) ? -EFAULT : 0;
}

/* ---- our own ---- */

static int channel_respond(void __user *ucmd, const void *cmd, size_t size)
{
	return fail_point(-EFAULT) ?:
	       (copy_to_user(ucmd, cmd, size) ? -EFAULT : 0);
}

static int config_check(const struct iommukit_iotlb_chan_config *cmd)
{
	if (cmd->flags || cmd->__reserved || (cmd->features & ~CHAN_FEATURES))
		return -EOPNOTSUPP;
	if (cmd->format && cmd->format != IOMMUKIT_IOTLB_MSG_NATIVE)
		return -EINVAL;
	if (cmd->ring_entries && (!is_power_of_2(cmd->ring_entries) ||
				  cmd->ring_entries < IOTLB_RING_MIN ||
				  cmd->ring_entries > IOTLB_RING_MAX))
		return -EINVAL;
	return 0;
}

/* Whether the configuration may become this one. @anew: with another ring */
static int config_allowed_locked(const struct iotlb_server *server,
				 const struct iommukit_iotlb_chan_config *cmd,
				 bool *anew)
{
	const struct iotlb_channel *chan = server->chan;

	if (!iotlb_server_is_current(server))
		return -ENODEV;
	if (!cmd->format && !chan->native &&
	    (cmd->ring_entries || (cmd->features & IOMMUKIT_IOTLB_CHAN_EPOCH)))
		return -EINVAL;
	*anew = cmd->ring_entries &&
		(!chan->ring || chan->ring->entries != cmd->ring_entries);
	if (chan->delivered && (*anew || (cmd->format && !chan->native) ||
				cmd->features != chan->features))
		return -EBUSY;
	return 0;
}

/* Get what can fail to be got; the ring only if another one is needed. */
static int config_prepare(const struct iotlb_server *server,
			  const struct iommukit_iotlb_chan_config *cmd,
			  struct iotlb_ring_map **ring,
			  struct eventfd_ctx **eventfd)
{
	struct iotlb_channel *chan = server->chan;
	bool anew;
	int rc;

	spin_lock_irq(&chan->lock);
	rc = config_allowed_locked(server, cmd, &anew);
	spin_unlock_irq(&chan->lock);
	if (rc)
		return rc;
	if (cmd->eventfd != IOMMUKIT_IOTLB_EVENTFD_NONE &&
	    cmd->eventfd != IOMMUKIT_IOTLB_EVENTFD_KEEP) {
		struct eventfd_ctx *ctx = eventfd_ctx_fdget(cmd->eventfd);

		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
		*eventfd = ctx;
	}
	if (anew) {
		struct iotlb_ring_map *map = iotlb_ring_alloc(cmd->ring_entries);

		if (IS_ERR(map))
			return PTR_ERR(map);
		*ring = map;
	}
	return 0;
}

/* All or nothing. @ring and @eventfd become what is not needed any more. */
static int config_commit(const struct iotlb_server *server,
			 const struct iommukit_iotlb_chan_config *cmd,
			 struct iotlb_ring_map **ring,
			 struct eventfd_ctx **eventfd)
{
	struct iotlb_channel *chan = server->chan;
	bool anew;
	int rc;

	spin_lock_irq(&chan->lock);
	rc = config_allowed_locked(server, cmd, &anew);
	/* Another configuration has come between. */
	if (!rc && anew && !*ring)
		rc = -EBUSY;
	if (rc)
		goto out_unlock;
	if (cmd->format)
		chan->native = true;
	chan->features = cmd->features;
	if (!(cmd->features & IOMMUKIT_IOTLB_CHAN_ACCESS_FAIL))
		chan->nr_events = 0;
	if (anew)
		swap(chan->ring, *ring);
	if (cmd->eventfd != IOMMUKIT_IOTLB_EVENTFD_KEEP)
		*eventfd = rcu_replace_pointer(chan->eventfd, *eventfd,
					       lockdep_is_held(&chan->lock));
out_unlock:
	spin_unlock_irq(&chan->lock);
	return rc;
}

static int channel_cmd_config(const struct iotlb_server *server, void *arg,
			      void __user *ucmd)
{
	struct iommukit_iotlb_chan_config *cmd = arg;
	struct iotlb_ring_map *ring = NULL;
	struct eventfd_ctx *eventfd = NULL;
	int rc;

	rc = config_check(cmd);
	if (rc)
		return rc;
	cmd->out_ring_off = IOMMUKIT_IOTLB_RING_OFF;
	cmd->out_cons_off = IOMMUKIT_IOTLB_CONS_OFF;
	rc = config_prepare(server, cmd, &ring, &eventfd) ?:
	     channel_respond(ucmd, cmd, sizeof(*cmd)) ?:
	     config_commit(server, cmd, &ring, &eventfd);
	/* What waits belongs into the ring from now on. */
	if (!rc)
		iotlb_server_bring_in(server);
	iotlb_ring_put(ring);
	iotlb_eventfd_put(eventfd);
	return rc;
}

static int channel_cmd_kick(const struct iotlb_server *server, void *arg,
			    void __user *ucmd)
{
	const struct iommukit_iotlb_chan_kick *cmd = arg;

	return cmd->flags ? -EOPNOTSUPP : iotlb_server_bring_in(server);
}

static void info_fill(struct iotlb *iotlb, struct iommukit_iotlb_chan_info *cmd)
{
	struct iotlb_space *space = iotlb_space(iotlb, cmd->asid);
	struct iotlb_channel *chan = iotlb->chan;

	cmd->out_iotlb_id = iotlb->obj.id;
	cmd->out_num_asids = iotlb->num_asids;
	cmd->out_iova_first = iotlb->first;
	cmd->out_iova_last = iotlb->last;
	/* One that nobody has used yet is as it will begin. */
	cmd->out_inval_seq = space ? READ_ONCE(space->inval_seq) : 1;
	spin_lock_irq(&chan->lock);
	cmd->out_state = chan->state;
	cmd->out_pending = chan->nr_pending;
	cmd->out_delivered = chan->nr_pending - chan->nr_queued;
	cmd->out_backlog = chan->nr_queued;
	cmd->out_granule_shift = chan->granule_shift;
	cmd->out_max_pending = chan->max_pending;
	cmd->out_format = iotlb_chan_format(chan);
	cmd->out_features = chan->features;
	spin_unlock_irq(&chan->lock);
}

static int channel_cmd_info(const struct iotlb_server *server, void *arg,
			    void __user *ucmd)
{
	struct iommukit_iotlb_chan_info *cmd = arg;
	struct iotlb *iotlb;
	int rc = 0;

	if (cmd->flags)
		return -EOPNOTSUPP;
	iotlb = iotlb_server_enter(server);
	if (!iotlb)
		return -ENODEV;
	if (cmd->asid < iotlb->num_asids)
		info_fill(iotlb, cmd);
	else
		rc = -EINVAL;
	iotlb_server_leave(server);
	return rc ?: channel_respond(ucmd, cmd, sizeof(*cmd));
}

/**
 * struct channel_command - A command with a structure of its own
 * @word: the full command word
 * @size: size of the structure
 * @run: serves it
 */
struct channel_command {
	unsigned int word;
	unsigned int size;
	int (*run)(const struct iotlb_server *server, void *cmd, void __user *ucmd);
};

static const struct channel_command channel_commands[] = {
	{ IOMMUKIT_IOTLB_CHAN_CONFIG, sizeof(struct iommukit_iotlb_chan_config),
	  channel_cmd_config },
	{ IOMMUKIT_IOTLB_CHAN_KICK, sizeof(struct iommukit_iotlb_chan_kick),
	  channel_cmd_kick },
	{ IOMMUKIT_IOTLB_CHAN_INFO, sizeof(struct iommukit_iotlb_chan_info),
	  channel_cmd_info },
};

static int channel_run(const struct iotlb_server *server,
		       const struct channel_command *command, void __user *ucmd)
{
	union {
		struct iommukit_iotlb_chan_config config;
		struct iommukit_iotlb_chan_kick kick;
		struct iommukit_iotlb_chan_info info;
	} cmd;
	u32 size;
	int rc;

	if (get_user(size, (u32 __user *)ucmd))
		return -EFAULT;
	if (size < command->size)
		return -EINVAL;
	rc = copy_struct_from_user(&cmd, command->size, ucmd, size);
	return rc ?: command->run(server, &cmd, ucmd);
}

/**
 * iotlb_server_ioctl - a command of the server
 * @file: its descriptor
 * @word: which
 * @arg: its argument, a pointer
 *
 * Context: may sleep.
 * Return: 0; -ENODEV if the server is not the channel's; -ENOTTY for what is no command;
 * else as the command says.
 */
long iotlb_server_ioctl(struct file *file, unsigned int word, unsigned long arg)
{
	const struct iotlb_server *server = file->private_data;
	void __user *ucmd = (void __user *)arg;
	struct iotlb_channel *chan = server->chan;
	unsigned int i;
	bool good;

	spin_lock_irq(&chan->lock);
	good = iotlb_server_is_current(server);
	spin_unlock_irq(&chan->lock);
	if (!good)
		return -ENODEV;
	switch (word) {
	case IOMMUKIT_IOTLB_SET_BACKEND_FEATURES:
		return channel_set_backend(server, ucmd);
	case IOMMUKIT_IOTLB_GET_BACKEND_FEATURES:
		return channel_get_backend(ucmd);
	}
	for (i = 0; i < ARRAY_SIZE(channel_commands); i++)
		if (channel_commands[i].word == word)
			return channel_run(server, &channel_commands[i], ucmd);
	return -ENOTTY;
}

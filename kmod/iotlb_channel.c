// SPDX-License-Identifier: GPL-2.0-only
/*
 * The channel of an IOTLB, and the descriptor that its server has of it.
 *
 * A descriptor has the number of the channel's instance that it was opened as. It is good
 * while the channel is open and has that number, which is looked at whenever the lock has
 * been taken; else everything fails with ENODEV.
 *
 * Who works on the IOTLB without the lock is counted as being inside; the end of the
 * IOTLB, and the next server, wait for those. So there is no access to the server's memory
 * inside, and no waiting for messages: both may take as long as the server likes, and a
 * server must not be able to hold up the owner.
 *
 * A message is put into the server's format when it is delivered. No miss waits that the
 * format cannot express.
 */
#include "iotlb_channel.h"

#include <linux/anon_inodes.h>
#include <linux/build_bug.h>
#include <linux/compat.h>
#include <linux/err.h>
#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uio.h>

#include "compat.h"
#include "fail.h"
#include "iotlb_ring.h"

/* A message of vhost: its size, the least that is written of it, and what is used */
#define VHOST_SIZE 72
#define VHOST_MIN 40
#define VHOST_USED offsetofend(struct iommukit_iotlb_msg, op)

/**
 * iotlb_server_enter - begin to work on the IOTLB
 * @server: the server
 *
 * Context: may sleep. Neither the server's memory is touched inside nor a message waited
 * for.
 * Return: the IOTLB, which stays until iotlb_server_leave(), as the server stays the
 * channel's, unless that is DEAD; NULL if it is not that now.
 */
struct iotlb *iotlb_server_enter(const struct iotlb_server *server)
{
	struct iotlb_channel *chan = server->chan;
	struct iotlb *iotlb = NULL;

	spin_lock_irq(&chan->lock);
	if (iotlb_server_is_current(server)) {
		iotlb = chan->iotlb;
		chan->inside++;
	}
	spin_unlock_irq(&chan->lock);
	return iotlb;
}

/**
 * iotlb_server_leave - undo iotlb_server_enter()
 * @server: the server
 *
 * Context: may sleep.
 */
void iotlb_server_leave(const struct iotlb_server *server)
{
	struct iotlb_channel *chan = server->chan;

	spin_lock_irq(&chan->lock);
	if (!--chan->inside)
		wake_up_all(&chan->left);
	spin_unlock_irq(&chan->lock);
}

/* ---- telling the server ---- */

/* Whoever replaces the eventfd waits until nobody signals the old one. */
static void signal_eventfd(struct iotlb_channel *chan)
{
	struct eventfd_ctx *eventfd;

	rcu_read_lock();
	eventfd = rcu_dereference(chan->eventfd);
	if (eventfd)
		compat_eventfd_signal(eventfd);
	rcu_read_unlock();
}

static void channel_signal_work(struct work_struct *work)
{
	struct iotlb_channel *chan =
		container_of(work, struct iotlb_channel, signal);

	signal_eventfd(chan);
	iotlb_channel_put(chan);
}

/**
 * iotlb_chan_wake - tell the server that something has happened
 * @chan: the channel
 * @what: IOTLB_WAKE_*, as iotlb_chan_push_locked() has said
 *
 * Who waits for an eventfd may have code of its own run right here. Such code may have
 * raised the miss, too, and from there no eventfd may be signalled.
 *
 * Context: any but NMI; the lock of the channel is not held.
 */
void iotlb_chan_wake(struct iotlb_channel *chan, unsigned int what)
{
	if (what & IOTLB_WAKE_READERS)
		wake_up_poll(&chan->read_wait, EPOLLIN | EPOLLRDNORM);
	if (!(what & IOTLB_WAKE_EVENTFD) || !rcu_access_pointer(chan->eventfd))
		return;
	if (eventfd_signal_allowed()) {
		signal_eventfd(chan);
		return;
	}
	kref_get(&chan->kref);
	/* The caller has a count, so this is not the last. */
	if (!queue_work(iotlb_wq, &chan->signal))
		iotlb_channel_put(chan);
}

/**
 * iotlb_chan_push_locked - messages have been queued
 * @chan: the channel; its lock is held
 *
 * Context: any but NMI.
 * Return: what iotlb_chan_wake() has to do once the lock is free.
 */
unsigned int iotlb_chan_push_locked(struct iotlb_channel *chan)
{
	struct iotlb_ring_map *ring = chan->ring;
	unsigned int moved, what = 0;
	u32 before;

	lockdep_assert_held(&chan->lock);
	if (chan->state != IOMMUKIT_IOTLB_CHAN_STATE_OPEN)
		return 0;
	if (!ring)
		return iotlb_has_message_locked(chan) ? IOTLB_WAKE_READERS : 0;
	before = ring->left;
	moved = iotlb_ring_fill_locked(chan);
	if (ring->left > before)
		chan->counts[IOMMUKIT_IOTLB_STAT_RING_BACKLOG] +=
			ring->left - before;
	if (moved || ring->left)
		what = iotlb_ring_wake_locked(ring);
	/* What is in the ring may be seen there; what is not, somebody may wait for. */
	return ring->left ? what | IOTLB_WAKE_READERS : what;
}

/**
 * iotlb_server_bring_in - move what waits into the ring, where there may be room by now
 * @server: the server
 *
 * Context: may sleep.
 * Return: 0; -ENODEV if the server is not the channel's; -EINVAL if there is no ring.
 */
int iotlb_server_bring_in(const struct iotlb_server *server)
{
	struct iotlb_channel *chan = server->chan;
	unsigned int moved, what;
	int rc;

	do {
		moved = 0;
		what = 0;
		rc = 0;
		spin_lock_irq(&chan->lock);
		if (!iotlb_server_is_current(server))
			rc = -ENODEV;
		else if (!chan->ring)
			rc = -EINVAL;
		else
			moved = iotlb_ring_fill_locked(chan);
		if (moved)
			what = iotlb_ring_wake_locked(chan->ring);
		spin_unlock_irq(&chan->lock);
		iotlb_chan_wake(chan, what);
		cond_resched();
	} while (moved == IOTLB_RING_BURST && !fatal_signal_pending(current));
	return rc;
}

/* ---- reading ---- */

/**
 * iotlb_chan_format - how messages are delivered
 * @chan: the channel; its lock is held
 *
 * Context: any.
 * Return: one of enum iommukit_iotlb_msg_type.
 */
u32 iotlb_chan_format(const struct iotlb_channel *chan)
{
	lockdep_assert_held(&chan->lock);
	if (chan->native)
		return IOMMUKIT_IOTLB_MSG_NATIVE;
	return chan->backend & IOMMUKIT_IOTLB_BACKEND_MSG_V2 ?
	       IOMMUKIT_IOTLB_MSG_V2 : IOMMUKIT_IOTLB_MSG_V1;
}

/* The messages of a 32-bit struct vhost_msg are others, which nobody needs. */
static bool format_is_foreign(u32 format)
{
	return format == IOMMUKIT_IOTLB_MSG_V1 && in_compat_syscall();
}

static size_t format_size(u32 format)
{
	return format == IOMMUKIT_IOTLB_MSG_NATIVE ?
	       sizeof(struct iommukit_iotlb_msg) : VHOST_SIZE;
}

/**
 * iotlb_chan_expresses - whether a miss can be put into a message
 * @chan: the channel; its lock is held
 * @asid: address space of the miss
 *
 * Context: any.
 */
bool iotlb_chan_expresses(const struct iotlb_channel *chan, u32 asid)
{
	const u64 needed = IOMMUKIT_IOTLB_BACKEND_MSG_V2 |
			   IOMMUKIT_IOTLB_BACKEND_ASID;

	lockdep_assert_held(&chan->lock);
	return !asid || chan->native || (chan->backend & needed) == needed;
}

/* The oldest message, and the format that it is to be delivered in */
static int message_take(const struct iotlb_server *server, size_t room,
			struct iommukit_iotlb_msg *msg, u32 *format)
{
	struct iotlb_channel *chan = server->chan;
	int rc = 0;

	spin_lock_irq(&chan->lock);
	*format = iotlb_chan_format(chan);
	if (!iotlb_server_is_current(server))
		rc = -ENODEV;
	else if (room < format_size(*format) || format_is_foreign(*format))
		rc = -EINVAL;
	else if (iotlb_take_message_locked(chan, msg))
		chan->delivered = true;
	else
		rc = -EAGAIN;
	spin_unlock_irq(&chan->lock);
	return rc;
}

static int message_deliver(const struct iommukit_iotlb_msg *msg, u32 format,
			   struct iov_iter *to)
{
	struct {
		struct iommukit_iotlb_msg msg;
		u8 rest[VHOST_SIZE - sizeof(struct iommukit_iotlb_msg)];
	} out = {};
	size_t size = format_size(format);

	BUILD_BUG_ON(sizeof(out) != VHOST_SIZE);
	if (format == IOMMUKIT_IOTLB_MSG_NATIVE) {
		out.msg = *msg;
	} else {
		memcpy(&out, msg, VHOST_USED);
		out.msg.type = format;
		out.msg.length = msg->aux;
		out.msg.target = 0;
	}
	return fail_point(-EFAULT) ?:
	       (copy_to_iter(&out, size, to) == size ? 0 : -EFAULT);
}

static bool channel_has_news(const struct iotlb_server *server)
{
	struct iotlb_channel *chan = server->chan;
	bool news;

	spin_lock_irq(&chan->lock);
	news = !iotlb_server_is_current(server) || iotlb_has_message_locked(chan);
	spin_unlock_irq(&chan->lock);
	return news;
}

static ssize_t channel_read(struct kiocb *iocb, struct iov_iter *to)
{
	const struct iotlb_server *server = iocb->ki_filp->private_data;
	bool wait = !(iocb->ki_filp->f_flags & O_NONBLOCK) &&
		    !(iocb->ki_flags & IOCB_NOWAIT);
	struct iommukit_iotlb_msg msg;
	size_t done = 0;
	u32 format;
	int rc;

	do {
		rc = message_take(server, iov_iter_count(to), &msg, &format);
		if (rc == -EAGAIN && wait && !done) {
			rc = wait_event_interruptible(server->chan->read_wait,
						      channel_has_news(server));
			if (!rc)
				continue;
		}
		if (rc)
			break;
		rc = message_deliver(&msg, format, to);
		if (rc) {
			/* By its cookie: it may have been answered meanwhile. */
			iotlb_put_message_back(server->chan, &msg);
			break;
		}
		done += format_size(format);
	} while (iov_iter_count(to));
	iotlb_server_bring_in(server);
	return done ?: rc;
}

static __poll_t channel_poll(struct file *file, struct poll_table_struct *wait)
{
	const struct iotlb_server *server = file->private_data;
	struct iotlb_channel *chan = server->chan;
	__poll_t events = EPOLLOUT | EPOLLWRNORM;

	poll_wait(file, &chan->read_wait, wait);
	spin_lock_irq(&chan->lock);
	if (!iotlb_server_is_current(server))
		events |= EPOLLERR | EPOLLHUP;
	else if (iotlb_has_message_locked(chan) ||
		 (chan->ring && !iotlb_ring_is_empty_locked(chan->ring)))
		events |= EPOLLIN | EPOLLRDNORM;
	spin_unlock_irq(&chan->lock);
	return events;
}

/* ---- writing ---- */

/*
 * Messages are copied, so many at a time, and then done together. Their removals are
 * waited for at once: not more than struct iotlb_changes can tell apart.
 */
#define WRITE_MANY IOTLB_CHANGES
#define WRITE_FEW 4

/* Only a message of vhost that is alone in its write may be short. */
static size_t message_size(const struct iommukit_iotlb_msg *msg, size_t vhost)
{
	return msg->type == IOMMUKIT_IOTLB_MSG_NATIVE ? sizeof(*msg) : vhost;
}

static int message_copy(struct iommukit_iotlb_msg *msg, size_t vhost,
			struct iov_iter *from)
{
	const size_t head = sizeof(msg->type);
	size_t used, size, left = iov_iter_count(from);

	memset(msg, 0, sizeof(*msg));
	if (left < head)
		return -EINVAL;
	if (fail_point(-EFAULT) || !copy_from_iter_full(msg, head, from))
		return -EFAULT;
	if (msg->type == IOMMUKIT_IOTLB_MSG_NATIVE)
		used = sizeof(*msg);
	else if (msg->type == IOMMUKIT_IOTLB_MSG_V2 ||
		 (msg->type == IOMMUKIT_IOTLB_MSG_V1 &&
		  !format_is_foreign(msg->type)))
		used = VHOST_USED;
	else
		return -EINVAL;
	size = message_size(msg, vhost);
	if (left < size)
		return -EINVAL;
	if (!copy_from_iter_full((void *)msg + head, used - head, from))
		return -EFAULT;
	/* Of a message of vhost the rest may be anything. */
	iov_iter_advance(from, size - used);
	return 0;
}

/* Complete @msg by the configuration, and say what it may do. */
static int message_judge(struct iotlb_channel *chan,
			 struct iommukit_iotlb_msg *msg, unsigned int *from)
{
	u64 backend, features;
	bool native;

	spin_lock_irq(&chan->lock);
	backend = chan->backend;
	features = chan->features;
	native = chan->native;
	spin_unlock_irq(&chan->lock);

	*from = 0;
	if (msg->type == IOMMUKIT_IOTLB_MSG_NATIVE) {
		if (!native)
			return -EINVAL;
		*from |= IOTLB_FROM_NATIVE | IOTLB_FROM_BATCHER;
	} else if (msg->type == IOMMUKIT_IOTLB_MSG_V1 ||
		   !(backend & IOMMUKIT_IOTLB_BACKEND_ASID)) {
		msg->asid = 0;
	}
	if (backend & IOMMUKIT_IOTLB_BACKEND_BATCH)
		*from |= IOTLB_FROM_BATCHER;
	if (features & IOMMUKIT_IOTLB_CHAN_NEGATIVE)
		*from |= IOTLB_FROM_NEGATIVE;
	if (features & IOMMUKIT_IOTLB_CHAN_EPOCH)
		*from |= IOTLB_FROM_EPOCH;
	return 0;
}

/* Do messages up to the first that is refused. @done: gets the bytes that they are */
static int messages_apply(const struct iotlb_server *server,
			  struct iommukit_iotlb_msg *msgs, unsigned int nr,
			  size_t vhost, size_t *done)
{
	struct iotlb *iotlb = iotlb_server_enter(server);
	struct iotlb_changes changes;
	unsigned int i, from;
	int rc = 0, interrupted;

	if (!iotlb)
		return -ENODEV;
	iotlb_changes_init(&changes);
	for (i = 0; i < nr; i++) {
		iotlb_throttle();
		rc = message_judge(server->chan, &msgs[i], &from) ?:
		     iotlb_apply(iotlb, &msgs[i], from, &changes);
		if (rc)
			break;
		*done += message_size(&msgs[i], vhost);
	}
	interrupted = iotlb_changes_complete(iotlb, &changes);
	iotlb_server_leave(server);
	return interrupted ?: rc;
}

static int messages_write(const struct iotlb_server *server,
			  struct iommukit_iotlb_msg *msgs, unsigned int max,
			  size_t vhost, struct iov_iter *from, size_t *done)
{
	unsigned int nr;
	int rc = 0, error;

	for (nr = 0; nr < max && iov_iter_count(from); nr++) {
		rc = message_copy(&msgs[nr], vhost, from);
		if (rc)
			break;
	}
	if (!nr)
		return rc;
	error = messages_apply(server, msgs, nr, vhost, done);
	return error ?: rc;
}

static ssize_t channel_write(struct kiocb *iocb, struct iov_iter *from)
{
	const struct iotlb_server *server = iocb->ki_filp->private_data;
	struct iommukit_iotlb_msg few[WRITE_FEW], *many = NULL;
	size_t count = iov_iter_count(from), done = 0;
	size_t vhost = min_t(size_t, count, VHOST_SIZE);
	int rc;

	rc = iotlb_server_bring_in(server);
	if (rc == -ENODEV)
		return rc;
	if (count < VHOST_MIN)
		return -EINVAL;
	/* An invalidation does not fail for want of memory. */
	if (count > WRITE_FEW * VHOST_SIZE)
		many = fail_alloc(kmalloc_array(WRITE_MANY, sizeof(*many),
						GFP_KERNEL | __GFP_NOWARN));
	do {
		rc = fatal_signal_pending(current) ? -EINTR :
		     messages_write(server, many ?: few,
				    many ? WRITE_MANY : WRITE_FEW, vhost, from,
				    &done);
		cond_resched();
	} while (!rc && iov_iter_count(from));
	kfree(many);
	if (rc == -EINTR)
		return rc;
	return done ?: rc;
}

/* ---- mapping, and the end of a descriptor ---- */

static int channel_mmap(struct file *file, struct vm_area_struct *vma)
{
	const struct iotlb_server *server = file->private_data;
	struct iotlb_channel *chan = server->chan;
	struct iotlb_ring_map *ring = NULL;
	int rc = -ENODEV;
	bool good;

	spin_lock_irq(&chan->lock);
	good = iotlb_server_is_current(server);
	if (good && chan->ring) {
		ring = chan->ring;
		refcount_inc(&ring->refs);
	}
	spin_unlock_irq(&chan->lock);
	if (good)
		rc = iotlb_ring_mmap(ring, vma);
	iotlb_ring_put(ring);
	return rc;
}

static void wake_for_good(struct iotlb_channel *chan)
{
	wake_up_poll(&chan->read_wait,
		     EPOLLIN | EPOLLRDNORM | EPOLLERR | EPOLLHUP);
}

/**
 * iotlb_eventfd_put - let go of an eventfd that was replaced
 * @eventfd: the eventfd, or NULL
 *
 * Context: may sleep, until nobody signals it any more.
 */
void iotlb_eventfd_put(struct eventfd_ctx *eventfd)
{
	if (!eventfd)
		return;
	synchronize_rcu();
	eventfd_ctx_put(eventfd);
}

/* The server has gone. No gate is waited for, see iotlb_server_lost(). */
static void channel_lose(const struct iotlb_server *server)
{
	struct iotlb_channel *chan = server->chan;
	struct eventfd_ctx *eventfd;
	struct iotlb_ring_map *ring;
	LIST_HEAD(resume);

	spin_lock_irq(&chan->lock);
	if (!iotlb_server_is_current(server)) {
		spin_unlock_irq(&chan->lock);
		return;
	}
	/* Together: who sees that there is no server sees that one was lost. */
	chan->state = IOMMUKIT_IOTLB_CHAN_STATE_CLOSED;
	iotlb_server_lost(chan->iotlb);
	chan->inside++;
	ring = chan->ring;
	chan->ring = NULL;
	eventfd = rcu_replace_pointer(chan->eventfd, NULL,
				      lockdep_is_held(&chan->lock));
	spin_unlock_irq(&chan->lock);

	iotlb_miss_fail_all(chan, -EPIPE, &resume);
	iotlb_resume(&resume);
	iotlb_server_leave(server);
	wake_for_good(chan);
	iotlb_ring_put(ring);
	iotlb_eventfd_put(eventfd);
}

/*
 * When a process exits, all its descriptors are closed before any of them is released.
 * The release of another one may wait for a driver that waits for this server, which is
 * the process itself: so the end comes now if this is the last descriptor.
 */
static int channel_flush(struct file *file, fl_owner_t id)
{
	if ((current->flags & PF_EXITING) && file_count(file) == 1)
		channel_lose(file->private_data);
	return 0;
}

static int channel_release(struct inode *inode, struct file *file)
{
	struct iotlb_server *server = file->private_data;

	if (server->instance) {
		channel_lose(server);
		iotlb_channel_put(server->chan);
	}
	kfree(server);
	return 0;
}

static const struct file_operations channel_fops = {
	.owner = THIS_MODULE,
	.read_iter = channel_read,
	.write_iter = channel_write,
	.poll = channel_poll,
	.unlocked_ioctl = iotlb_server_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = channel_mmap,
	.flush = channel_flush,
	.release = channel_release,
};

/**
 * iotlb_channel_file - a descriptor to be
 * @chan: the channel; the file does not keep it before it is started
 *
 * Context: may sleep.
 * Return: a file for iotlb_channel_start(), or an errno.
 */
struct file *iotlb_channel_file(struct iotlb_channel *chan)
{
	struct iotlb_server *server = fail_alloc(kzalloc(sizeof(*server),
							 GFP_KERNEL_ACCOUNT));
	struct file *file;

	if (!server)
		return ERR_PTR(-ENOMEM);
	server->chan = chan;
	file = fail_alloc(anon_inode_getfile("[iommukit-iotlb]", &channel_fops,
					     server, O_RDWR)) ?: ERR_PTR(-ENOMEM);
	if (IS_ERR(file))
		kfree(server);
	else
		stream_open(file_inode(file), file);
	return file;
}

/**
 * iotlb_channel_start - a server comes
 * @chan: the channel
 * @file: its descriptor, that nobody has seen yet
 *
 * Context: may sleep, until the end of the server before is over.
 * Return: 0; -EBUSY if there is one; -ENODEV if the IOTLB has come to its end.
 */
int iotlb_channel_start(struct iotlb_channel *chan, struct file *file)
{
	struct iotlb_server *server = file->private_data;
	int rc = 0;

	spin_lock_irq(&chan->lock);
	wait_event_lock_irq(chan->left,
			    chan->state != IOMMUKIT_IOTLB_CHAN_STATE_CLOSED ||
			    !chan->inside, chan->lock);
	if (chan->state == IOMMUKIT_IOTLB_CHAN_STATE_OPEN) {
		rc = -EBUSY;
	} else if (chan->state == IOMMUKIT_IOTLB_CHAN_STATE_DEAD) {
		rc = -ENODEV;
	} else if (READ_ONCE(chan->iotlb->lost)) {
		/* There was one since the caller has looked; what it said is to go. */
		rc = -EBUSY;
	} else {
		chan->state = IOMMUKIT_IOTLB_CHAN_STATE_OPEN;
		chan->backend = 0;
		chan->features = 0;
		chan->native = false;
		chan->delivered = false;
		chan->nr_events = 0;
		chan->lost = 0;
		server->instance = ++chan->instance;
		kref_get(&chan->kref);
	}
	spin_unlock_irq(&chan->lock);
	return rc;
}

/* ---- the channel ---- */

/**
 * iotlb_channel_alloc - make a channel
 * @iotlb: what it is of
 * @max_pending: misses at a time
 * @granule_shift: misses in one granule share a record
 *
 * Context: may sleep.
 * Return: the channel for iotlb_channel_put(), or -ENOMEM.
 */
struct iotlb_channel *iotlb_channel_alloc(struct iotlb *iotlb, u32 max_pending,
					  u32 granule_shift)
{
	struct iotlb_channel *chan = fail_alloc(kzalloc(sizeof(*chan),
							GFP_KERNEL_ACCOUNT));
	int rc;

	if (!chan)
		return ERR_PTR(-ENOMEM);
	kref_init(&chan->kref);
	spin_lock_init(&chan->lock);
	chan->iotlb = iotlb;
	init_waitqueue_head(&chan->left);
	chan->state = IOMMUKIT_IOTLB_CHAN_STATE_NEVER;
	INIT_LIST_HEAD(&chan->free);
	chan->index = RB_ROOT;
	INIT_LIST_HEAD(&chan->queue);
	INIT_LIST_HEAD(&chan->prefetches);
	INIT_LIST_HEAD(&chan->prefetched);
	INIT_LIST_HEAD(&chan->room);
	INIT_LIST_HEAD(&chan->asyncs);
	init_waitqueue_head(&chan->read_wait);
	INIT_WORK(&chan->signal, channel_signal_work);
	rc = iotlb_misses_init(chan, max_pending, granule_shift);
	if (rc) {
		iotlb_channel_put(chan);
		return ERR_PTR(rc);
	}
	return chan;
}

/* Who might still signal the eventfd has a count, so nobody does. */
static void channel_free(struct kref *kref)
{
	struct iotlb_channel *chan =
		container_of(kref, struct iotlb_channel, kref);
	struct eventfd_ctx *eventfd = rcu_dereference_protected(chan->eventfd,
								true);

	if (eventfd)
		eventfd_ctx_put(eventfd);
	iotlb_ring_put(chan->ring);
	kvfree(chan->pool);
	kfree(chan);
}

/**
 * iotlb_channel_put - drop a count
 * @chan: the channel
 *
 * Context: may sleep if it is the last.
 */
void iotlb_channel_put(struct iotlb_channel *chan)
{
	kref_put(&chan->kref, channel_free);
}

/**
 * iotlb_channel_kill - the IOTLB comes to its end
 * @chan: its channel; there is no client any more
 *
 * Context: may sleep, until the server is not at work on the IOTLB.
 */
void iotlb_channel_kill(struct iotlb_channel *chan)
{
	LIST_HEAD(resume);

	spin_lock_irq(&chan->lock);
	chan->state = IOMMUKIT_IOTLB_CHAN_STATE_DEAD;
	chan->iotlb = NULL;
	if (chan->ring)
		iotlb_ring_kill_locked(chan->ring);
	spin_unlock_irq(&chan->lock);

	iotlb_miss_fail_all(chan, -ENODEV, &resume);
	iotlb_resume(&resume);
	wake_for_good(chan);
	/* Whatever the server has wished: it may look at nothing but the ring. */
	iotlb_chan_wake(chan, IOTLB_WAKE_EVENTFD);

	spin_lock_irq(&chan->lock);
	wait_event_lock_irq(chan->left, !chan->inside, chan->lock);
	spin_unlock_irq(&chan->lock);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault queues, and which of them a device has, if any. A group of faults is unread, then
 * unanswered, then gone. It always gets exactly one answer: of user space, or INVALID when
 * its device is detached or moved, for then there is nothing any more that user space
 * could have mended.
 */
#include "fault.h"

#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/iommukit.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "describe.h"
#include "device.h"
#include "fail.h"
#include "private.h"

static void group_put(struct fault_group *group)
{
	if (refcount_dec_and_test(&group->refs))
		kfree(group);
}

static void group_answer(struct fault_group *group, u32 code)
{
	atomic_sub(group->nr, &group->dev->nr_queued);
	group->answer(group->priv, code);
	group_put(group);
}

/* ---- from devices ---- */

/* So many groups wait to be read. Devices have limits of their own that are lower. */
#define UNREAD_MAX 4096

/* A group has come into the list of unread ones, or left it. */
static void unread_count(struct fault_queue *queue,
			 const struct fault_group *group, bool there)
{
	int nr = group->nr;

	lockdep_assert_held(&queue->unread_lock);
	queue->nr_unread += there ? 1 : -1;
	WRITE_ONCE(queue->unread_faults,
		   queue->unread_faults + (there ? nr : -nr));
}

/* As well, those that were read. */
static void unanswered_count(struct fault_queue *queue,
			     const struct fault_group *group, bool there)
{
	int nr = group->nr;

	lockdep_assert_held(&queue->lock);
	WRITE_ONCE(queue->unanswered_faults,
		   queue->unanswered_faults + (there ? nr : -nr));
}

/* Returns false if nobody seems to read. */
static bool queue_add(struct fault_queue *queue, struct fault_group *group)
{
	unsigned long flags;
	bool room;

	spin_lock_irqsave(&queue->unread_lock, flags);
	room = queue->nr_unread < UNREAD_MAX;
	if (room) {
		list_add_tail(&group->link, &queue->unread);
		unread_count(queue, group, true);
	}
	spin_unlock_irqrestore(&queue->unread_lock, flags);
	if (room)
		wake_up_poll(&queue->wait, EPOLLIN | EPOLLRDNORM);
	return room;
}

/* What it asked for is looked for in vain; or by the kernel, if it asks again. */
static u32 code_without_queue(const struct iommukit_device *dev,
			      const struct fault_group *group)
{
	return group->turn == dev->turn && device_faults_async(dev) ?
	       IOMMUKIT_PAGE_RESP_SUCCESS : IOMMUKIT_PAGE_RESP_INVALID;
}

/*
 * Nothing of a device may stay that is not reported to this queue any more. What it
 * waits for since before its present attachment is of no use to it; what it has
 * reported since goes to the next queue, unless somebody has read it.
 */
static void queue_leave(struct fault_queue *queue,
			const struct iommukit_device *dev,
			struct fault_queue *next)
{
	struct fault_group *group, *tmp;
	unsigned long cookie;
	LIST_HEAD(taken);

	mutex_lock(&queue->lock);
	spin_lock_irq(&queue->unread_lock);
	list_for_each_entry_safe(group, tmp, &queue->unread, link) {
		if (group->dev != dev)
			continue;
		list_move_tail(&group->link, &taken);
		unread_count(queue, group, false);
	}
	spin_unlock_irq(&queue->unread_lock);

	list_for_each_entry_safe(group, tmp, &taken, link) {
		list_del_init(&group->link);
		if (!next || group->turn != dev->turn ||
		    !queue_add(next, group))
			group_answer(group, code_without_queue(dev, group));
	}
	xa_for_each(&queue->unanswered, cookie, group) {
		if (group->dev != dev ||
		    (next == queue && group->turn == dev->turn))
			continue;
		xa_erase(&queue->unanswered, cookie);
		unanswered_count(queue, group, false);
		group_answer(group, code_without_queue(dev, group));
	}
	mutex_unlock(&queue->lock);
}

/**
 * device_new_turn - tell faults of the next attachment from those of the last one
 * @dev: an attached device that is about to be moved; the lock of its group is held
 *
 * If it is not moved after all, that is up to device_same_turn().
 *
 * Context: process context.
 */
void device_new_turn(struct iommukit_device *dev)
{
	lockdep_assert_held(&dev->group->lock);
	spin_lock_irq(&dev->faults_lock);
	dev->turn++;
	spin_unlock_irq(&dev->faults_lock);
	fault_resolver_prepare(dev->resolver, true);
}

/**
 * device_same_turn - a device was not moved after all
 * @dev: the device of device_new_turn(); the lock of its group is still held
 *
 * To the queue, nothing has happened.
 *
 * Context: process context.
 */
void device_same_turn(struct iommukit_device *dev)
{
	lockdep_assert_held(&dev->group->lock);
	fault_resolver_prepare(dev->resolver, false);
}

/**
 * device_route_faults - where the faults of a device go from now on
 * @dev: a device that is being attached, moved or detached; the lock of its group is
 *	held
 * @hwpt: what it is attached to, or NULL
 *
 * To the queue of @hwpt; or to the kernel, if there is none and it finds pages for
 * devices on @hwpt; or nowhere. All that it reported before has been answered on
 * return; when it is moved from a queue, all that it reported before device_new_turn().
 *
 * Context: may sleep, but neither waits for memory nor for user space.
 */
void device_route_faults(struct iommukit_device *dev, struct hwpt *hwpt)
{
	struct fault_queue *old, *queue = hwpt ? hwpt->queue : NULL;

	lockdep_assert_held(&dev->group->lock);
	/* The kernel is asked first: who reports finds one of both at any time. */
	if (!queue)
		fault_resolver_move(dev->resolver, hwpt);
	spin_lock_irq(&dev->faults_lock);
	old = dev->queue;
	WRITE_ONCE(dev->queue, queue);
	spin_unlock_irq(&dev->faults_lock);
	if (queue)
		fault_resolver_move(dev->resolver, hwpt);
	if (old)
		queue_leave(old, dev, queue);
}

static struct fault_group *group_create(struct iommukit_device *dev,
					const struct device_fault *faults,
					unsigned int nr)
{
	struct fault_group *group;
	unsigned int i;

	group = fail_alloc(kzalloc(struct_size(group, faults, nr),
				   GFP_ATOMIC | __GFP_ACCOUNT));
	if (!group)
		return NULL;
	refcount_set(&group->refs, 1);
	group->dev = dev;
	group->nr = nr;
	for (i = 0; i < nr; i++) {
		struct iommukit_hwpt_pgfault *to = &group->faults[i];

		to->flags = faults[i].flags;
		to->dev_id = dev->obj.id;
		to->pasid = faults[i].pasid;
		to->grpid = faults[i].grpid;
		to->perm = faults[i].perm;
		to->addr = faults[i].addr;
	}
	return group;
}

/* The half of device_report_faults() that asks user space */
static int queue_faults(struct iommukit_device *dev,
			const struct device_fault *faults, unsigned int nr,
			void (*answer)(void *priv, u32 code), void *priv)
{
	struct fault_group *group = group_create(dev, faults, nr);
	struct fault_queue *queue;
	unsigned long flags;
	int rc = 0;

	if (!group)
		return -ENOMEM;
	group->answer = answer;
	group->priv = priv;
	/* It may be answered as soon as it is in the queue. */
	atomic_add(nr, &dev->nr_queued);
	spin_lock_irqsave(&dev->faults_lock, flags);
	queue = dev->queue;
	group->turn = dev->turn;
	if (!queue)
		rc = -ENODEV;
	else if (!queue_add(queue, group))
		rc = -EBUSY;
	spin_unlock_irqrestore(&dev->faults_lock, flags);
	if (rc) {
		atomic_sub(nr, &dev->nr_queued);
		kfree(group);
	}
	return rc;
}

static bool has_route(const struct iommukit_device *dev)
{
	return READ_ONCE(dev->queue) || device_faults_async(dev);
}

/**
 * device_report_faults - ask for pages: user space, or the kernel
 * @dev: a device
 * @faults: one or several, that are answered together
 * @nr: how many
 * @answer: called once with one of IOMMUKIT_PAGE_RESP_*, or with DEVICE_RESP_FAILURE,
 *	before the device is detached; may sleep, and report faults, but not attach or
 *	detach
 * @priv: argument for that
 *
 * Context: any but NMI.
 * Return: 0; -ENODEV if the device is not attached to anything with a queue, or for
 * which the kernel finds pages; -EBUSY if too much waits in the queue, -EAGAIN if so
 * with the kernel; -EIO if the context is dead; -ENOMEM.
 * On failure there will be no answer.
 */
int device_report_faults(struct iommukit_device *dev,
			 const struct device_fault *faults, unsigned int nr,
			 void (*answer)(void *priv, u32 code), void *priv)
{
	int rc;

	/* Who is moved from one to the other just now may be found at neither. */
	do {
		rc = device_resolve_faults(dev, faults, nr, answer, priv);
		if (rc == -ENODEV)
			rc = queue_faults(dev, faults, nr, answer, priv);
	} while (rc == -ENODEV && has_route(dev));
	return rc;
}

/* ---- to user space and back ---- */

static size_t group_size(const struct fault_group *group)
{
	return group->nr * sizeof(group->faults[0]);
}

static struct fault_group *queue_first(struct fault_queue *queue)
{
	struct fault_group *group;

	lockdep_assert_held(&queue->lock);
	spin_lock_irq(&queue->unread_lock);
	group = list_first_entry_or_null(&queue->unread, struct fault_group,
					 link);
	spin_unlock_irq(&queue->unread_lock);
	return group;
}

/* The oldest group, with a cookie and a reference; NULL if there is none. */
static struct fault_group *queue_take(struct fault_queue *queue, size_t room)
{
	struct fault_group *group;
	unsigned int i;
	int rc;

	if (mutex_lock_interruptible(&queue->lock))
		return ERR_PTR(-ERESTARTSYS);
	/* Only with the mutex held is one taken out: it stays the first. */
	group = queue_first(queue);
	if (!group)
		goto out_unlock;
	if (group_size(group) > room) {
		group = ERR_PTR(-EINVAL);
		goto out_unlock;
	}
	rc = fail_point(-ENOMEM) ?:
	     xa_alloc(&queue->unanswered, &group->cookie, group,
		      XA_LIMIT(1, INT_MAX), GFP_KERNEL_ACCOUNT);
	if (rc) {
		group = ERR_PTR(rc);
		goto out_unlock;
	}
	spin_lock_irq(&queue->unread_lock);
	list_del_init(&group->link);
	unread_count(queue, group, false);
	spin_unlock_irq(&queue->unread_lock);
	unanswered_count(queue, group, true);
	for (i = 0; i < group->nr; i++)
		group->faults[i].cookie = group->cookie;
	refcount_inc(&group->refs);
out_unlock:
	mutex_unlock(&queue->lock);
	return group;
}

/* It could not be read, unless somebody answered it all the same. */
static void queue_put_back(struct fault_queue *queue, struct fault_group *group)
{
	mutex_lock(&queue->lock);
	if (xa_load(&queue->unanswered, group->cookie) == group) {
		xa_erase(&queue->unanswered, group->cookie);
		unanswered_count(queue, group, false);
		spin_lock_irq(&queue->unread_lock);
		list_add(&group->link, &queue->unread);
		unread_count(queue, group, true);
		spin_unlock_irq(&queue->unread_lock);
		/* Others may have seen it empty. */
		wake_up_poll(&queue->wait, EPOLLIN | EPOLLRDNORM);
	}
	mutex_unlock(&queue->lock);
}

static ssize_t queue_read(struct file *file, char __user *buf, size_t count,
			  loff_t *pos)
{
	struct fault_queue *queue = file->private_data;
	struct fault_group *group;
	size_t done = 0;
	ssize_t rc = 0;

	if (*pos || count % sizeof(group->faults[0]))
		return -ESPIPE;
	for (;;) {
		group = queue_take(queue, count - done);
		if (IS_ERR_OR_NULL(group)) {
			rc = PTR_ERR_OR_ZERO(group);
			break;
		}
		if (copy_to_user(buf + done, group->faults,
				 group_size(group))) {
			queue_put_back(queue, group);
			group_put(group);
			rc = -EFAULT;
			break;
		}
		done += group_size(group);
		group_put(group);
	}
	return done ?: rc;
}

static int queue_answer(struct fault_queue *queue, u32 cookie, u32 code)
{
	struct fault_group *group;

	if (code != IOMMUKIT_PAGE_RESP_SUCCESS &&
	    code != IOMMUKIT_PAGE_RESP_INVALID)
		return -EINVAL;
	if (mutex_lock_interruptible(&queue->lock))
		return -ERESTARTSYS;
	group = xa_erase(&queue->unanswered, cookie);
	if (group) {
		unanswered_count(queue, group, false);
		group_answer(group, code);
	}
	mutex_unlock(&queue->lock);
	return group ? 0 : -EINVAL;
}

static ssize_t queue_write(struct file *file, const char __user *buf,
			   size_t count, loff_t *pos)
{
	struct fault_queue *queue = file->private_data;
	struct iommukit_hwpt_page_response response;
	size_t done;
	int rc = 0;

	if (*pos || count % sizeof(response))
		return -ESPIPE;
	for (done = 0; done < count; done += sizeof(response)) {
		rc = copy_from_user(&response, buf + done, sizeof(response)) ?
		     -EFAULT :
		     queue_answer(queue, response.cookie, response.code);
		if (rc)
			break;
	}
	return done ?: rc;
}

static __poll_t queue_poll(struct file *file, struct poll_table_struct *wait)
{
	struct fault_queue *queue = file->private_data;
	__poll_t events = EPOLLOUT | EPOLLWRNORM;

	poll_wait(file, &queue->wait, wait);
	spin_lock_irq(&queue->unread_lock);
	if (!list_empty(&queue->unread))
		events |= EPOLLIN | EPOLLRDNORM;
	spin_unlock_irq(&queue->unread_lock);
	return events;
}

static int queue_release(struct inode *inode, struct file *file)
{
	struct fault_queue *queue = file->private_data;
	struct iommukit_ctx *ctx;

	/* It was never given to user space. */
	if (!queue)
		return 0;
	ctx = queue->ctx;
	object_release(&queue->obj);
	iommukit_ctx_put(ctx);
	return 0;
}

static const struct file_operations queue_fops = {
	.owner = THIS_MODULE,
	.read = queue_read,
	.write = queue_write,
	.poll = queue_poll,
	.release = queue_release,
};

/* ---- the object ---- */

/* Neither its file nor a HWPT is there any more, so no device has faults in it. */
static void queue_destroy(struct iommukit_object *obj)
{
	struct fault_queue *queue = container_of(obj, struct fault_queue, obj);

	WARN_ON(!list_empty(&queue->unread) || !xa_empty(&queue->unanswered));
	xa_destroy(&queue->unanswered);
	mutex_destroy(&queue->lock);
}

static int queue_describe(struct iommukit_object *obj, struct sk_buff *skb)
{
	const struct fault_queue *queue = container_of(obj, struct fault_queue,
						       obj);

	return describe_u32(skb, IOMMUKIT_NL_A_FAULT_QUEUE_UNREAD,
			    READ_ONCE(queue->unread_faults)) ?:
	       describe_u32(skb, IOMMUKIT_NL_A_FAULT_QUEUE_UNANSWERED,
			    READ_ONCE(queue->unanswered_faults));
}

static const struct object_ops queue_object_ops = {
	.name = "fault-queue",
	.destroy = queue_destroy,
	.nest = IOMMUKIT_NL_A_OBJECT_FAULT_QUEUE,
	.describe = queue_describe,
};

/**
 * fault_queue_get - look a fault queue up for the time of a command
 * @ctx: the context
 * @id: its id
 *
 * Return: the queue for object_put(), or -ENOENT.
 */
struct fault_queue *fault_queue_get(struct iommukit_ctx *ctx, u32 id)
{
	struct iommukit_object *obj = object_get(ctx, id, &queue_object_ops);

	if (IS_ERR(obj))
		return ERR_CAST(obj);
	return container_of(obj, struct fault_queue, obj);
}

int fault_queue_cmd_alloc(struct iommukit_ucmd *ucmd)
{
	struct iommukit_fault_alloc *cmd = ucmd->cmd;
	struct fault_queue *queue;
	struct iommukit_object *obj;
	struct file *file;
	int fd, rc;

	if (cmd->flags)
		return -EOPNOTSUPP;
	BUILD_BUG_ON(offsetof(struct fault_queue, obj));
	obj = object_reserve(ucmd->ctx, sizeof(*queue), &queue_object_ops);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	queue = container_of(obj, struct fault_queue, obj);
	queue->ctx = ucmd->ctx;
	mutex_init(&queue->lock);
	xa_init_flags(&queue->unanswered, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	spin_lock_init(&queue->unread_lock);
	INIT_LIST_HEAD(&queue->unread);
	init_waitqueue_head(&queue->wait);

	fd = fail_point(-EMFILE) ?: get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		rc = fd;
		goto err_abort;
	}
	file = fail_alloc(anon_inode_getfile("[iommukit-pgfault]", &queue_fops,
					     NULL, O_RDWR)) ?: ERR_PTR(-ENOMEM);
	if (IS_ERR(file)) {
		rc = PTR_ERR(file);
		goto err_put_fd;
	}
	cmd->out_fault_id = obj->id;
	cmd->out_fault_fd = fd;
	rc = ucmd_respond(ucmd, sizeof(*cmd));
	if (rc)
		goto err_put_file;
	object_hold(obj);
	iommukit_ctx_get(ucmd->ctx);
	file->private_data = queue;
	object_publish(ucmd->ctx, obj);
	fd_install(fd, file);
	return 0;

err_put_file:
	fput(file);
err_put_fd:
	put_unused_fd(fd);
err_abort:
	object_abort(ucmd->ctx, obj);
	return rc;
}

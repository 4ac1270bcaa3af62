// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/iommukit-dma, a software DMA engine. It moves and reads memory of user
 * space by IOVA, and it is the example of a driver that uses iommukit: it needs
 * nothing but <linux/iommukit.h>.
 */

/**
 * DOC: Writing a driver against iommukit
 *
 * A driver gets a descriptor of /dev/iommukit from its user, turns it into a
 * context with iommukit_ctx_from_fd(), creates an access in it with
 * iommukit_access_create() and may put the context at once, for the access
 * holds it: ikdma_bind() below. iommukit_access_attach() binds the access to
 * the IOAS whose IOVAs the user will talk of.
 *
 * **Copying.** iommukit_access_rw() copies between a kernel buffer and the
 * memory behind an IOVA. No pin, no lock, no alignment, no callback to write;
 * the right way for all that is small or rare. The buffer must be one that a
 * user copy may touch: from kmalloc() or kvmalloc(), not out of a slab cache of
 * the driver's own. The copy may fault in user memory and take as long as user
 * space likes; hold no lock that must become free soon.
 *
 * **Pinning.** iommukit_access_pin_pages() gives struct pages that stay until
 * iommukit_access_unpin_pages(), for hardware, and for software that touches
 * the same memory again and again. The price is the unmap callback: user space
 * may withdraw the memory at any time, and the driver has to let go.
 *
 * **The lock.** There is one lock, L, that the callback takes to find out what
 * is pinned; pin_lock here. Four rules make it right:
 *
 * 1. Pin and take note of the pin in one critical section of L. An unmap may
 *    begin the moment the pin is made. If its callback comes before the note
 *    was taken, it finds nothing, releases nothing, and the unmap fails.
 *    See ikdma_pin_locked().
 * 2. Use pinned pages only inside L, after looking whether they are still
 *    there, and in pieces that are short. Then the callback, just by waiting
 *    for L, has waited for the engine. Hardware is stopped by the callback
 *    itself instead. See ikdma_pin_copy().
 * 3. The callback unpins with exactly the IOVA and length that were pinned,
 *    even if only part of it goes away, marks the pin as gone, and returns.
 *    Whoever comes for the pages later sees the mark and gives up. A pin is
 *    thus released once, by the callback or by its user, and L decides who.
 *    See ikdma_port_unmap().
 * 4. Never hold L over attach, replace, detach or destroy, for these call the
 *    callback or wait for one that is running; and never touch user memory
 *    inside L, for then the callback waits for user space. READ of a pinned
 *    port therefore copies to a buffer inside L and to the user outside.
 *
 * **Threads.** A kernel thread has no memory of its own, so it says
 * IOMMUKIT_ACCESS_RW_KTHREAD and rw borrows the owner's. A page fault in there
 * can last for ever (userfaultfd), so the thread must be one that SIGKILL
 * reaches: allow_kernel_signal(), and send_sig() before kthread_stop(), see
 * dma_job.c.
 *
 * **End.** Destroy the access when the driver's own file is released, after
 * everything that uses it has ended. Pins that are left are asked for by the
 * callback. Set .owner of the file operations: the module then stays while its
 * callback may be called.
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "dma.h"

struct ikdma_command {
	unsigned int cmd;
	unsigned int size;
	/* needs no command_lock */
	bool unlocked;
	int (*run)(struct ikdma_engine *engine, union ikdma_arg *arg);
};

static const struct ikdma_command ikdma_commands[] = {
	{ IOMMUKIT_DMA_BIND, sizeof(struct iommukit_dma_bind), false,
	  ikdma_bind },
	{ IOMMUKIT_DMA_UNBIND, sizeof(struct iommukit_dma_port), false,
	  ikdma_unbind },
	{ IOMMUKIT_DMA_ATTACH, sizeof(struct iommukit_dma_attach), false,
	  ikdma_attach },
	{ IOMMUKIT_DMA_REPLACE, sizeof(struct iommukit_dma_attach), false,
	  ikdma_replace },
	{ IOMMUKIT_DMA_DETACH, sizeof(struct iommukit_dma_port), false,
	  ikdma_detach },
	{ IOMMUKIT_DMA_TRANSFER, sizeof(struct iommukit_dma_transfer), false,
	  ikdma_transfer },
	{ IOMMUKIT_DMA_START, sizeof(struct iommukit_dma_start), false,
	  ikdma_start },
	{ IOMMUKIT_DMA_STOP, sizeof(struct iommukit_dma_stop), false,
	  ikdma_stop },
	{ IOMMUKIT_DMA_STATUS, sizeof(struct iommukit_dma_status), true,
	  ikdma_status },
};

static const struct ikdma_command *ikdma_command_find(unsigned int cmd)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ikdma_commands); i++)
		if (ikdma_commands[i].cmd == cmd)
			return &ikdma_commands[i];
	return NULL;
}

static long ikdma_ioctl(struct file *file, unsigned int cmd, unsigned long uptr)
{
	struct ikdma_engine *engine = file->private_data;
	void __user *uarg = (void __user *)uptr;
	const struct ikdma_command *command = ikdma_command_find(cmd);
	union ikdma_arg arg = {};
	u32 size;
	int ret;

	if (!command)
		return -ENOTTY;
	if (get_user(size, (u32 __user *)uarg))
		return -EFAULT;
	if (size < command->size)
		return -EINVAL;
	ret = copy_struct_from_user(&arg, command->size, uarg, size);
	if (ret)
		return ret;

	if (command->unlocked) {
		ret = command->run(engine, &arg);
	} else {
		ret = mutex_lock_killable(&engine->command_lock);
		if (ret)
			return ret;
		ret = command->run(engine, &arg);
		mutex_unlock(&engine->command_lock);
	}
	if (ret)
		return ret;
	return copy_to_user(uarg, &arg, command->size) ? -EFAULT : 0;
}

int ikdma_status(struct ikdma_engine *engine, union ikdma_arg *arg)
{
	struct iommukit_dma_status *status = &arg->status;
	struct ikdma_job *job = &engine->job;
	int ret;

	if (status->flags)
		return -EOPNOTSUPP;
	ret = mutex_lock_killable(&engine->pin_lock);
	if (ret)
		return ret;
	status->out_state = job->state;
	status->out_error = job->error;
	status->out_passes = job->passes;
	status->out_bytes = atomic64_read(&engine->bytes);
	status->out_unmap_calls = engine->unmap_calls;
	status->out_unmap_iova = engine->unmap_iova;
	status->out_unmap_length = engine->unmap_length;
	status->out_pinned_pages = engine->pinned_pages;
	memcpy(status->out_digest, job->digest, sizeof(status->out_digest));
	mutex_unlock(&engine->pin_lock);
	return 0;
}

static int ikdma_open(struct inode *inode, struct file *file)
{
	struct ikdma_engine *engine;
	unsigned int i;

	engine = kzalloc(sizeof(*engine), GFP_KERNEL_ACCOUNT);
	if (!engine)
		return -ENOMEM;
	mutex_init(&engine->command_lock);
	mutex_init(&engine->attach_lock);
	mutex_init(&engine->pin_lock);
	for (i = 0; i < ARRAY_SIZE(engine->ports); i++) {
		engine->ports[i].engine = engine;
		INIT_LIST_HEAD(&engine->ports[i].pins);
	}
	engine->job.state = IOMMUKIT_DMA_IDLE;
	file->private_data = engine;
	return nonseekable_open(inode, file);
}

/* No command is running: each has a reference on the file. */
static int ikdma_release(struct inode *inode, struct file *file)
{
	struct ikdma_engine *engine = file->private_data;
	unsigned int i;

	ikdma_job_stop(engine, IOMMUKIT_DMA_IDLE);
	for (i = 0; i < ARRAY_SIZE(engine->ports); i++)
		ikdma_port_destroy(&engine->ports[i]);
	WARN_ON(engine->pinned_pages);
	mutex_destroy(&engine->pin_lock);
	mutex_destroy(&engine->attach_lock);
	mutex_destroy(&engine->command_lock);
	kfree(engine);
	return 0;
}

static const struct file_operations ikdma_fops = {
	.owner = THIS_MODULE,
	.open = ikdma_open,
	.release = ikdma_release,
	.unlocked_ioctl = ikdma_ioctl,
};

static struct miscdevice ikdma_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "iommukit-dma",
	.fops = &ikdma_fops,
	.mode = 0660,
};
module_misc_device(ikdma_device);

MODULE_DESCRIPTION("iommukit: software DMA engine, the example of a driver");
MODULE_LICENSE("GPL");
MODULE_VERSION(IOMMUKIT_VERSION);
IOMMUKIT_IMPORT_NS;

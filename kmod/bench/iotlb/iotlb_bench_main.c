// SPDX-License-Identifier: GPL-2.0-only
/* /dev/iotlb-bench and /dev/vhost-iotlb-bench. */
#include "iotlb_bench.h"

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

static int session_attach(struct iotlb_session *session, void __user *uarg)
{
	struct iotlb_bench_attach attach;
	int ret;

	if (copy_from_user(&attach, uarg, sizeof(attach)))
		return -EFAULT;
	if (attach.size != sizeof(attach))
		return -EINVAL;
	if (attach.__reserved)
		return -EOPNOTSUPP;
	ret = mutex_lock_killable(&session->lock);
	if (ret)
		return ret;
	ret = session->attached ? -EBUSY : side_attach(&session->side, &attach);
	if (!ret)
		/* For those that do not take the lock. */
		smp_store_release(&session->attached, true);
	mutex_unlock(&session->lock);
	return ret;
}

static int session_run_locked(struct iotlb_session *session,
			      struct iotlb_bench_run *run)
{
	int ret;

	if (!session->attached)
		return -ENOTCONN;
	ret = iotlb_loop_run(session, run);
	/* It was for this run. */
	WRITE_ONCE(session->stop, false);
	return ret;
}

static int session_run(struct iotlb_session *session, void __user *uarg)
{
	struct iotlb_bench_run run;
	int ret;

	if (copy_from_user(&run, uarg, sizeof(run)))
		return -EFAULT;
	if (run.size != sizeof(run))
		return -EINVAL;
	ret = iotlb_loop_check(&run);
	if (ret)
		return ret;
	ret = mutex_lock_killable(&session->lock);
	if (ret)
		return ret;
	ret = session_run_locked(session, &run);
	mutex_unlock(&session->lock);
	if (ret)
		return ret;
	return copy_to_user(uarg, &run, sizeof(run)) ? -EFAULT : 0;
}

static long session_ioctl(struct file *file, unsigned int cmd,
			  unsigned long uptr)
{
	struct iotlb_session *session = file->private_data;
	void __user *uarg = (void __user *)uptr;

	switch (cmd) {
	case IOTLB_BENCH_ATTACH:
		return session_attach(session, uarg);
	case IOTLB_BENCH_RUN:
		return session_run(session, uarg);
	case IOTLB_BENCH_STOP:
		WRITE_ONCE(session->stop, true);
		return 0;
	case IOMMUKIT_IOTLB_SUBMIT:
		/* Beside a run, so without the lock. */
		if (!smp_load_acquire(&session->attached))
			return -ENOTCONN;
		return side_submit(&session->side, uarg);
	default:
		return -ENOTTY;
	}
}

static int session_open(struct inode *inode, struct file *file)
{
	struct iotlb_session *session;

	session = kzalloc(sizeof(*session), GFP_KERNEL_ACCOUNT);
	if (!session)
		return -ENOMEM;
	mutex_init(&session->lock);
	file->private_data = session;
	return nonseekable_open(inode, file);
}

static int session_release(struct inode *inode, struct file *file)
{
	struct iotlb_session *session = file->private_data;

	if (session->attached)
		side_detach(&session->side);
	mutex_destroy(&session->lock);
	kfree(session);
	return 0;
}

static const struct file_operations session_fops = {
	.owner = THIS_MODULE,
	.open = session_open,
	.release = session_release,
	.unlocked_ioctl = session_ioctl,
};

static struct miscdevice session_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = SIDE_DEVICE,
	.fops = &session_fops,
	.mode = 0600,
};
module_misc_device(session_device);

MODULE_DESCRIPTION("iommukit: timed lookups in IOTLBs");
MODULE_LICENSE("GPL");
MODULE_VERSION(IOMMUKIT_VERSION);

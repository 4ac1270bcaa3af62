// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module, its device node, and the way of a command from the ioctl to the
 * function that serves it.
 *
 * Three tables make up the command space: the compatible commands, where holes
 * are answered as the original answers commands it does not know; the test
 * command at their end while the test module is loaded; and the extensions. What
 * lies outside of them may be a command of VFIO.
 */
#include <linux/file.h>
#include <linux/iommukit.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/pgtable.h>
#include <uapi/linux/iommukit.h>

#include "compat.h"
#include "context.h"
#include "device.h"
#include "device_offer.h"
#include "dirty.h"
#include "domain_soft.h"
#include "fail.h"
#include "fault.h"
#include "ioas.h"
#include "iotlb.h"
#include "netlink.h"
#include "ondemand.h"
#include "pages.h"
#include "private.h"
#include "test_hooks.h"
#include "vfio_compat.h"

/* The original's table ends here; so do its answers to unknown commands. */
#define CMD_COMPAT_LAST 0x94
#define CMD_EXT_LAST 0xdf
#define CMD_TEST_WORD _IO(IOMMUKIT_TYPE, 0xa0)

/**
 * struct command - A row of a command table
 * @word: the full command word
 * @size: size of the structure
 * @min_size: size of its first version
 * @in_dead: also in a context that is dead
 * @run: serves it
 */
struct command {
	unsigned int word;
	unsigned int size;
	unsigned int min_size;
	bool in_dead;
	int (*run)(struct iommukit_ucmd *ucmd);
};

static int cmd_destroy(struct iommukit_ucmd *ucmd)
{
	struct iommukit_destroy *cmd = ucmd->cmd;

	return object_destroy_id(ucmd->ctx, cmd->id);
}

/* The mode is latched into pages objects, so it holds for all or for none. */
static int option_rlimit_mode(struct iommukit_ucmd *ucmd)
{
	struct iommukit_option *cmd = ucmd->cmd;
	struct iommukit_ctx *ctx = ucmd->ctx;
	int rc = 0;

	if (cmd->object_id)
		return -EOPNOTSUPP;
	if (cmd->op == IOMMUKIT_OPTION_OP_GET) {
		cmd->val64 = READ_ONCE(ctx->account_mm);
		return 0;
	}
	if (cmd->op != IOMMUKIT_OPTION_OP_SET)
		return -EOPNOTSUPP;
	if (!capable(CAP_SYS_RESOURCE))
		return -EPERM;
	xa_lock(&ctx->objects);
	if (!xa_empty(&ctx->objects))
		rc = -EBUSY;
	else if (cmd->val64 > 1)
		rc = -EINVAL;
	else
		WRITE_ONCE(ctx->account_mm, cmd->val64);
	xa_unlock(&ctx->objects);
	return rc;
}

static int cmd_option(struct iommukit_ucmd *ucmd)
{
	struct iommukit_option *cmd = ucmd->cmd;
	struct iommukit_option __user *ucommand = ucmd->ubuffer;
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	switch (cmd->option_id) {
	case IOMMUKIT_OPTION_RLIMIT_MODE:
		rc = option_rlimit_mode(ucmd);
		break;
	case IOMMUKIT_OPTION_HUGE_PAGES:
		rc = ioas_option_huge_pages(ucmd);
		break;
	default:
		return -EOPNOTSUPP;
	}
	if (rc)
		return rc;
	return copy_to_user(&ucommand->val64, &cmd->val64,
			    sizeof(cmd->val64)) ? -EFAULT : 0;
}

static unsigned int version[3];

static int cmd_info(struct iommukit_ucmd *ucmd)
{
	struct iommukit_info *cmd = ucmd->cmd;

	if (cmd->flags || cmd->__reserved)
		return -EOPNOTSUPP;
	cmd->out_version_major = version[0];
	cmd->out_version_minor = version[1];
	cmd->out_version_patch = version[2];
	cmd->out_features = IOMMUKIT_FEATURE_MAP_FILE |
			    IOMMUKIT_FEATURE_IOAS_DIRTY |
			    IOMMUKIT_FEATURE_IOTLB;
	if (IOMMUKIT_HAS_ONDEMAND)
		cmd->out_features |= IOMMUKIT_FEATURE_ONDEMAND;
	if (IS_ENABLED(CONFIG_IOMMU_API))
		cmd->out_features |= IOMMUKIT_FEATURE_DEVICE_BIND;
	if (iommukit_test_present())
		cmd->out_features |= IOMMUKIT_FEATURE_TEST;
	cmd->out_page_sizes = PAGE_SIZE;
	if (IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) ||
	    IS_ENABLED(CONFIG_HUGETLB_PAGE))
		cmd->out_page_sizes |= PMD_SIZE;
	return ucmd_respond(ucmd, sizeof(*cmd));
}

/* As large as the largest structure, or as the test module's may be. */
union command_buffer {
	struct iommukit_device_attach device_attach;
	struct iommukit_device_bind device_bind;
	struct iommukit_device_detach device_detach;
	struct iommukit_destroy destroy;
	struct iommukit_fault_alloc fault_alloc;
	struct iommukit_hw_info hw_info;
	struct iommukit_hwpt_alloc hwpt_alloc;
	struct iommukit_hwpt_get_dirty_bitmap hwpt_get_dirty_bitmap;
	struct iommukit_hwpt_invalidate hwpt_invalidate;
	struct iommukit_hwpt_set_dirty_tracking hwpt_set_dirty_tracking;
	struct iommukit_info info;
	struct iommukit_ioas_alloc ioas_alloc;
	struct iommukit_ioas_allow_iovas ioas_allow_iovas;
	struct iommukit_ioas_copy ioas_copy;
	struct iommukit_ioas_get_dirty_bitmap ioas_get_dirty_bitmap;
	struct iommukit_ioas_iova_ranges ioas_iova_ranges;
	struct iommukit_ioas_map ioas_map;
	struct iommukit_ioas_map_file ioas_map_file;
	struct iommukit_ioas_map_ondemand ioas_map_ondemand;
	struct iommukit_ioas_prefetch ioas_prefetch;
	struct iommukit_ioas_set_dirty_tracking ioas_set_dirty_tracking;
	struct iommukit_ioas_unmap ioas_unmap;
	struct iommukit_iotlb_alloc iotlb_alloc;
	struct iommukit_iotlb_channel_open iotlb_channel_open;
	struct iommukit_iotlb_get_caps iotlb_get_caps;
	struct iommukit_iotlb_query iotlb_query;
	struct iommukit_iotlb_set iotlb_set;
	struct iommukit_iotlb_stats iotlb_stats;
	struct iommukit_iotlb_submit iotlb_submit;
	struct iommukit_ondemand_query ondemand_query;
	struct iommukit_option option;
	struct iommukit_vfio_ioas vfio_ioas;
	u8 test[IOMMUKIT_TEST_SIZE_MAX];
};

/* Both tables begin at a multiple of 64. */
#define COMMAND_SLOT(nr) ((nr) & 0x3f)
#define COMMAND(_word, _run, _struct, _last, ...)			\
	[COMMAND_SLOT(_IOC_NR(_word))] = {				\
		.word = _word,						\
		.size = sizeof(_struct) +				\
			BUILD_BUG_ON_ZERO(sizeof(union command_buffer) < \
					  sizeof(_struct)),		\
		.min_size = offsetofend(_struct, _last),		\
		.run = _run,						\
		__VA_ARGS__						\
	}

/* Of those that are good for the end, and for seeing why it has come */
#define IN_DEAD .in_dead = true

static const struct command compat_commands[] = {
	COMMAND(IOMMUKIT_DESTROY, cmd_destroy, struct iommukit_destroy, id,
		IN_DEAD),
	COMMAND(IOMMUKIT_IOAS_ALLOC, ioas_cmd_alloc,
		struct iommukit_ioas_alloc, out_ioas_id),
	COMMAND(IOMMUKIT_IOAS_ALLOW_IOVAS, ioas_cmd_allow_iovas,
		struct iommukit_ioas_allow_iovas, allowed_iovas),
	COMMAND(IOMMUKIT_IOAS_COPY, ioas_cmd_copy,
		struct iommukit_ioas_copy, src_iova),
	COMMAND(IOMMUKIT_IOAS_IOVA_RANGES, ioas_cmd_iova_ranges,
		struct iommukit_ioas_iova_ranges, out_iova_alignment),
	COMMAND(IOMMUKIT_IOAS_MAP, ioas_cmd_map,
		struct iommukit_ioas_map, iova),
	COMMAND(IOMMUKIT_IOAS_MAP_FILE, ioas_cmd_map_file,
		struct iommukit_ioas_map_file, iova),
	COMMAND(IOMMUKIT_IOAS_UNMAP, ioas_cmd_unmap,
		struct iommukit_ioas_unmap, length, IN_DEAD),
	COMMAND(IOMMUKIT_OPTION, cmd_option,
		struct iommukit_option, val64),
	COMMAND(IOMMUKIT_VFIO_IOAS, vfio_compat_cmd_ioas,
		struct iommukit_vfio_ioas, __reserved),
	COMMAND(IOMMUKIT_HWPT_ALLOC, hwpt_cmd_alloc,
		struct iommukit_hwpt_alloc, __reserved),
	COMMAND(IOMMUKIT_GET_HW_INFO, device_cmd_hw_info,
		struct iommukit_hw_info, __reserved),
	COMMAND(IOMMUKIT_HWPT_SET_DIRTY_TRACKING, hwpt_cmd_set_dirty_tracking,
		struct iommukit_hwpt_set_dirty_tracking, __reserved),
	COMMAND(IOMMUKIT_HWPT_GET_DIRTY_BITMAP, hwpt_cmd_get_dirty_bitmap,
		struct iommukit_hwpt_get_dirty_bitmap, data),
	COMMAND(IOMMUKIT_HWPT_INVALIDATE, hwpt_cmd_invalidate,
		struct iommukit_hwpt_invalidate, __reserved),
	COMMAND(IOMMUKIT_FAULT_QUEUE_ALLOC, fault_queue_cmd_alloc,
		struct iommukit_fault_alloc, out_fault_fd),
	[COMMAND_SLOT(CMD_COMPAT_LAST)] = {},
};

static const struct command ext_commands[] = {
	COMMAND(IOMMUKIT_IOAS_MAP_ONDEMAND, ioas_cmd_map_ondemand,
		struct iommukit_ioas_map_ondemand, iova),
	COMMAND(IOMMUKIT_IOAS_PREFETCH, ioas_cmd_prefetch,
		struct iommukit_ioas_prefetch, out_pages),
	COMMAND(IOMMUKIT_ONDEMAND_QUERY, ioas_cmd_ondemand_query,
		struct iommukit_ondemand_query, out_state, IN_DEAD),
	COMMAND(IOMMUKIT_DEVICE_BIND, device_cmd_bind,
		struct iommukit_device_bind, name),
	COMMAND(IOMMUKIT_DEVICE_ATTACH, device_cmd_attach,
		struct iommukit_device_attach, pt_id),
	COMMAND(IOMMUKIT_DEVICE_DETACH, device_cmd_detach,
		struct iommukit_device_detach, dev_id),
	COMMAND(IOMMUKIT_IOAS_SET_DIRTY_TRACKING, ioas_cmd_set_dirty_tracking,
		struct iommukit_ioas_set_dirty_tracking, __reserved),
	COMMAND(IOMMUKIT_IOAS_GET_DIRTY_BITMAP, ioas_cmd_get_dirty_bitmap,
		struct iommukit_ioas_get_dirty_bitmap, data),
	COMMAND(IOMMUKIT_IOTLB_ALLOC, iotlb_cmd_alloc,
		struct iommukit_iotlb_alloc, out_channel_fd),
	COMMAND(IOMMUKIT_IOTLB_SUBMIT, iotlb_cmd_submit,
		struct iommukit_iotlb_submit, out_epoch),
	COMMAND(IOMMUKIT_IOTLB_QUERY, iotlb_cmd_query,
		struct iommukit_iotlb_query, out_next),
	COMMAND(IOMMUKIT_IOTLB_STATS, iotlb_cmd_stats,
		struct iommukit_iotlb_stats, array),
	COMMAND(IOMMUKIT_IOTLB_SET, iotlb_cmd_set,
		struct iommukit_iotlb_set, value),
	COMMAND(IOMMUKIT_IOTLB_CHANNEL_OPEN, iotlb_cmd_channel_open,
		struct iommukit_iotlb_channel_open, out_fd),
	COMMAND(IOMMUKIT_IOTLB_GET_CAPS, iotlb_cmd_get_caps,
		struct iommukit_iotlb_get_caps, __reserved),
	COMMAND(IOMMUKIT_INFO, cmd_info, struct iommukit_info, out_page_sizes),
	[COMMAND_SLOT(CMD_EXT_LAST)] = {},
};

/* Read the structure as large as the caller sees it; the rest is zero. */
static int read_command(struct iommukit_ucmd *ucmd, size_t size,
			size_t min_size)
{
	if (ucmd->user_size < min_size)
		return -EINVAL;
	return copy_struct_from_user(ucmd->cmd, size, ucmd->ubuffer,
				     ucmd->user_size);
}

static int run_command(struct iommukit_ucmd *ucmd, unsigned int word,
		       const struct command *table, unsigned int nr)
{
	unsigned int slot = COMMAND_SLOT(_IOC_NR(word));
	const struct command *cmd = &table[array_index_nospec(slot, nr)];
	int rc;

	if (get_user(ucmd->user_size, (u32 __user *)ucmd->ubuffer))
		return -EFAULT;
	if (cmd->word != word)
		return -ENOTTY;
	rc = cmd->in_dead ? 0 : ctx_check(ucmd->ctx);
	return rc ?: read_command(ucmd, cmd->size, cmd->min_size) ?:
	       cmd->run(ucmd);
}

/* The test module makes the table longer by its command and a hole before. */
static int run_test_command(struct iommukit_ucmd *ucmd, unsigned int word)
{
	const struct iommukit_test_ops *ops = iommukit_test_ops_get();
	int rc;

	if (!ops)
		return -ENOTTY;
	if (get_user(ucmd->user_size, (u32 __user *)ucmd->ubuffer))
		rc = -EFAULT;
	else if (word != CMD_TEST_WORD)
		rc = -ENOTTY;
	else
		rc = read_command(ucmd, ops->size, ops->min_size) ?:
		     ops->command(ucmd->ctx, ucmd->cmd, ucmd->ubuffer,
				  ucmd->user_size);
	module_put(ops->owner);
	return rc;
}

static long ctx_ioctl(struct file *file, unsigned int word, unsigned long arg)
{
	unsigned int nr = _IOC_NR(word);
	union command_buffer buffer;
	struct iommukit_ucmd ucmd = {
		.ctx = file->private_data,
		.ubuffer = (void __user *)arg,
		.cmd = &buffer,
	};

	if (nr >= IOMMUKIT_CMD_BASE && nr <= CMD_COMPAT_LAST)
		return run_command(&ucmd, word, compat_commands,
				   ARRAY_SIZE(compat_commands));
	if (nr > CMD_COMPAT_LAST && nr <= _IOC_NR(CMD_TEST_WORD))
		return run_test_command(&ucmd, word);
	if (nr >= IOMMUKIT_CMD_EXT_BASE && nr <= CMD_EXT_LAST)
		return run_command(&ucmd, word, ext_commands,
				   ARRAY_SIZE(ext_commands));
	return vfio_compat_ioctl(ucmd.ctx, word, arg);
}

static int ctx_open(struct inode *inode, struct file *file)
{
	struct iommukit_ctx *ctx = context_create(file);

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	file->private_data = ctx;
	return 0;
}

static int ctx_release(struct inode *inode, struct file *file)
{
	context_end(file->private_data);
	return 0;
}

static const struct file_operations ctx_fops = {
	.owner = THIS_MODULE,
	.open = ctx_open,
	.release = ctx_release,
	.unlocked_ioctl = ctx_ioctl,
};

/**
 * iommukit_ctx_from_file - the context behind an open file
 * @file: a file; the caller keeps its own reference
 *
 * Context: any.
 * Return: the context with a reference for iommukit_ctx_put(), or -EBADFD if
 * the file is not of /dev/iommukit.
 */
struct iommukit_ctx *iommukit_ctx_from_file(struct file *file)
{
	struct iommukit_ctx *ictx;

	if (file->f_op != &ctx_fops)
		return ERR_PTR(-EBADFD);
	ictx = file->private_data;
	iommukit_ctx_get(ictx);
	return ictx;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_ctx_from_file);

/**
 * iommukit_ctx_from_fd - the context behind a descriptor of this process
 * @fd: the descriptor; it is not used up
 *
 * Context: process context.
 * Return: the context with a reference for iommukit_ctx_put(); -EBADF if the
 * descriptor is not open; -EBADFD if it is not of /dev/iommukit.
 */
struct iommukit_ctx *iommukit_ctx_from_fd(int fd)
{
	struct file *file = fget(fd);
	struct iommukit_ctx *ictx;

	if (!file)
		return ERR_PTR(-EBADF);
	ictx = iommukit_ctx_from_file(file);
	fput(file);
	return ictx;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_ctx_from_fd);

/**
 * iommukit_ctx_get - one more reference
 * @ictx: a context the caller has a reference to
 *
 * A reference keeps the file open, and so all objects and pinned memory, after
 * user space has closed its descriptor.
 *
 * Context: any.
 */
void iommukit_ctx_get(struct iommukit_ctx *ictx)
{
	get_file(ictx->file);
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_ctx_get);

/**
 * iommukit_ctx_put - drop a reference
 * @ictx: the context; do not assume that it is gone on return
 *
 * Context: any.
 */
void iommukit_ctx_put(struct iommukit_ctx *ictx)
{
	fput(ictx->file);
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_ctx_put);

static struct miscdevice iommukit_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "iommukit",
	.fops = &ctx_fops,
	.nodename = "iommukit",
	.mode = 0660,
};

static int __init iommukit_init(void)
{
	int rc;

	if (sscanf(IOMMUKIT_VERSION, "%u.%u.%u", &version[0], &version[1],
		   &version[2]) != 3)
		return -EINVAL;
	rc = netlink_init();
	if (rc)
		return rc;
	rc = ondemand_init();
	if (rc)
		goto err_netlink;
	rc = pages_cache_create();
	if (rc)
		goto err_ondemand;
	rc = iova_cache_create();
	if (rc)
		goto err_pages;
	rc = domain_soft_cache_create();
	if (rc)
		goto err_iova;
	rc = iotlb_init();
	if (rc)
		goto err_domain_soft;
	rc = fault_async_init();
	if (rc)
		goto err_iotlb;
	rc = misc_register(&iommukit_misc);
	if (rc)
		goto err_fault_async;
	return 0;

err_fault_async:
	fault_async_exit();
err_iotlb:
	iotlb_exit();
err_domain_soft:
	domain_soft_cache_destroy();
err_iova:
	iova_cache_destroy();
err_pages:
	pages_cache_destroy();
err_ondemand:
	ondemand_exit();
err_netlink:
	netlink_exit();
	return rc;
}

static void __exit iommukit_exit(void)
{
	misc_deregister(&iommukit_misc);
	/* May still have memory, on behalf of devices that have gone. */
	fault_async_exit();
	iotlb_exit();
	domain_soft_cache_destroy();
	iova_cache_destroy();
	pages_cache_destroy();
	ondemand_exit();
	netlink_exit();
}

module_init(iommukit_init);
module_exit(iommukit_exit);
MODULE_DESCRIPTION("IO address spaces for user space and drivers");
MODULE_AUTHOR("The iommukit authors");
MODULE_LICENSE("GPL");
MODULE_VERSION(IOMMUKIT_VERSION);

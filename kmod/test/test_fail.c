// SPDX-License-Identifier: GPL-2.0-only
/*
 * The knob of fault injection, fail_nth in debugfs; what it means is in
 * iommukit_test_abi.h. An injector lasts as long as its file is open, which
 * also keeps this module from being unloaded.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "fail.h"
#include "test.h"

static struct dentry *test_fail_dir;

static int test_fail_open(struct inode *inode, struct file *file)
{
	struct fail_nth *fail = kzalloc(sizeof(*fail), GFP_KERNEL_ACCOUNT);

	if (!fail)
		return -ENOMEM;
	fail_nth_add(fail);
	file->private_data = fail;
	return 0;
}

static int test_fail_release(struct inode *inode, struct file *file)
{
	struct fail_nth *fail = file->private_data;

	fail_nth_remove(fail);
	kfree(fail);
	return 0;
}

static ssize_t test_fail_write(struct file *file, const char __user *buf,
			       size_t count, loff_t *pos)
{
	unsigned int n;
	int ret;

	ret = kstrtouint_from_user(buf, count, 0, &n);
	if (ret)
		return ret;
	fail_nth_arm(file->private_data, n);
	return count;
}

static ssize_t test_fail_read(struct file *file, char __user *buf, size_t count,
			      loff_t *pos)
{
	struct fail_nth state = fail_nth_state(file->private_data);
	char line[128];
	int length;

	if (state.where)
		length = scnprintf(line, sizeof(line), "%u %d %pS\n", state.left,
				   -state.error, (void *)state.where);
	else
		length = scnprintf(line, sizeof(line), "%u 0 -\n", state.left);
	return simple_read_from_buffer(buf, count, pos, line, length);
}

static const struct file_operations test_fail_fops = {
	.owner = THIS_MODULE,
	.open = test_fail_open,
	.release = test_fail_release,
	.read = test_fail_read,
	.write = test_fail_write,
};

/* Without debugfs there is no knob, and the tests that need it say so. */
void test_fail_init(void)
{
	test_fail_dir = debugfs_create_dir("iommukit_test", NULL);
	debugfs_create_file("fail_nth", 0600, test_fail_dir, NULL,
			    &test_fail_fops);
}

void test_fail_exit(void)
{
	debugfs_remove(test_fail_dir);
}

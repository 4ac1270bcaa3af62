// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver of IOTLBs that does what the test tells it: clients, each of which
 * belongs to a file of its own and ends with it, and their callbacks. What is
 * pinned is a list under a mutex that the callbacks take as well. What readers do
 * is in test_iotlb_reader.c.
 */
#include "test_iotlb.h"

#include <linux/anon_inodes.h>
#include <linux/build_bug.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "test.h"

#define TEST_IOTLB_RANGES_MAX 256

/* ---- pins ---- */

/**
 * struct test_iotlb_pinned - A segment that is pinned
 * @link: In the list
 * @seg: As it was pinned
 */
struct test_iotlb_pinned {
	struct list_head link;
	struct iommukit_iotlb_seg seg;
};

static void test_iotlb_release_pin(struct test_iotlb *ti,
				   struct test_iotlb_pinned *pinned)
{
	lockdep_assert_held(&ti->lock);
	iommukit_iotlb_unpin(ti->client, &pinned->seg);
	list_del(&pinned->link);
	kfree(pinned);
}

/* Release what was translated from, or to, something in [first, last]. */
static void test_iotlb_release_pins(struct test_iotlb *ti, u64 first, u64 last,
				    bool target)
{
	struct test_iotlb_pinned *pinned, *next;

	mutex_lock(&ti->lock);
	list_for_each_entry_safe(pinned, next, &ti->pins, link) {
		u64 start = target ? pinned->seg.target : pinned->seg.iova;

		if (start <= last && start + (pinned->seg.length - 1) >= first)
			test_iotlb_release_pin(ti, pinned);
	}
	mutex_unlock(&ti->lock);
}

/* Called inside the gate of @reader. */
int test_iotlb_pin(struct test_iotlb *ti, struct iommukit_iotlb_reader *reader,
		   const struct iommukit_iotlb_seg *seg, unsigned int flags)
{
	struct test_iotlb_pinned *pinned;
	struct page **pages;
	int ret = -ENOMEM;

	if (seg->length > IOMMUKIT_TEST_ACCESS_LENGTH_MAX)
		return -ENOMEM;
	pinned = kzalloc(sizeof(*pinned), GFP_KERNEL_ACCOUNT);
	if (!pinned)
		return -ENOMEM;
	pinned->seg = *seg;
	pages = kvcalloc(DIV_ROUND_UP(offset_in_page(seg->target) + seg->length,
				      PAGE_SIZE), sizeof(*pages),
			 GFP_KERNEL_ACCOUNT);
	if (!pages)
		goto out;
	mutex_lock(&ti->lock);
	ret = iommukit_iotlb_pin(reader, seg, pages, flags);
	if (!ret)
		list_add(&pinned->link, &ti->pins);
	mutex_unlock(&ti->lock);
	kvfree(pages);
out:
	if (ret)
		kfree(pinned);
	return ret;
}

int test_iotlb_unpin(struct test_iotlb *ti, u64 iova)
{
	struct test_iotlb_pinned *pinned;
	int ret = -ENOENT;

	mutex_lock(&ti->lock);
	list_for_each_entry(pinned, &ti->pins, link) {
		if (pinned->seg.iova == iova) {
			test_iotlb_release_pin(ti, pinned);
			ret = 0;
			break;
		}
	}
	mutex_unlock(&ti->lock);
	return ret;
}

/* ---- callbacks ---- */

/* Recorded before the delay, so that a test can tell that it is running. */
static void test_iotlb_invalidate(void *data, u64 first, u64 last)
{
	struct test_iotlb *ti = data;
	u32 delay_ms = READ_ONCE(ti->delay_ms);

	spin_lock(&ti->seen_lock);
	ti->seen.out_invalidates++;
	ti->seen.out_running++;
	ti->seen.out_first = first;
	ti->seen.out_last = last;
	spin_unlock(&ti->seen_lock);

	if (delay_ms)
		msleep(delay_ms);
	/* Killable, or who is to end the wait may never come to it. */
	if (wait_event_killable(ti->wait, !(READ_ONCE(ti->behaviour) &
					    IOMMUKIT_TEST_IOTLB_HOLD)))
		pr_debug("a held callback was killed\n");
	test_iotlb_release_pins(ti, first, last, false);

	spin_lock(&ti->seen_lock);
	ti->seen.out_running--;
	spin_unlock(&ti->seen_lock);
}

static void test_iotlb_server_state(void *data, bool up)
{
	struct test_iotlb *ti = data;

	spin_lock(&ti->seen_lock);
	if (up)
		ti->seen.out_ups++;
	else
		ti->seen.out_downs++;
	spin_unlock(&ti->seen_lock);
}

static void test_iotlb_stage2_unmap(void *data, unsigned long iova,
				    unsigned long length)
{
	unsigned long last = length == ULONG_MAX ? ULONG_MAX :
						   iova + (length - 1);
	struct test_iotlb *ti = data;

	spin_lock(&ti->seen_lock);
	ti->seen.out_stage2_unmaps++;
	ti->seen.out_stage2_iova = iova;
	ti->seen.out_stage2_length = length;
	spin_unlock(&ti->seen_lock);
	test_iotlb_release_pins(ti, iova, last, true);
}

/* ---- the file of a client ---- */

static int test_iotlb_release(struct inode *inode, struct file *file)
{
	struct test_iotlb *ti = file->private_data;

	WRITE_ONCE(ti->behaviour, ti->behaviour & ~IOMMUKIT_TEST_IOTLB_HOLD);
	wake_up_all(&ti->wait);
	if (ti->client) {
		/* First, for what threads wait for may be about to exit. */
		if (!(ti->behaviour & IOMMUKIT_TEST_IOTLB_NO_CANCEL))
			iommukit_iotlb_cancel(ti->client);
		test_iotlb_readers_end(ti);
		test_iotlb_release_pins(ti, 0, U64_MAX, false);
		iommukit_iotlb_detach(ti->client);
	}
	xa_destroy(&ti->readers);
	mutex_destroy(&ti->lock);
	mutex_destroy(&ti->life);
	kfree(ti);
	return 0;
}

static const struct file_operations test_iotlb_fops = {
	.owner = THIS_MODULE,
	.release = test_iotlb_release,
};

static struct file *test_iotlb_file(u32 flags)
{
	struct test_iotlb *ti = kzalloc(sizeof(*ti), GFP_KERNEL_ACCOUNT);
	struct file *file;

	if (!ti)
		return ERR_PTR(-ENOMEM);
	xa_init_flags(&ti->readers, XA_FLAGS_ALLOC);
	mutex_init(&ti->life);
	mutex_init(&ti->lock);
	INIT_LIST_HEAD(&ti->pins);
	spin_lock_init(&ti->seen_lock);
	init_waitqueue_head(&ti->wait);
	ti->ops.server_state = test_iotlb_server_state;
	if (!(flags & IOMMUKIT_TEST_IOTLB_NO_INVALIDATE))
		ti->ops.invalidate = test_iotlb_invalidate;
	if (!(flags & IOMMUKIT_TEST_IOTLB_NO_RESUME))
		ti->ops.resume = test_iotlb_resume;
	if (!(flags & IOMMUKIT_TEST_IOTLB_NO_STAGE2_UNMAP))
		ti->ops.stage2_unmap = test_iotlb_stage2_unmap;
	file = anon_inode_getfile("[iommukit_test_iotlb]", &test_iotlb_fops, ti,
				  O_RDWR | O_CLOEXEC);
	if (IS_ERR(file))
		kfree(ti);
	return file;
}

static int test_iotlb_attach(struct test_iotlb *ti,
			     const struct test_request *req)
{
	const struct iommukit_iotlb_client_ops *ops = &ti->ops;
	struct iommukit_iotlb_client *client;

	if (req->cmd->iotlb_client_create.flags & IOMMUKIT_TEST_IOTLB_NO_OPS)
		ops = NULL;
	client = iommukit_iotlb_attach(req->ictx, req->cmd->id,
				       req->cmd->iotlb_client_create.asid, ops,
				       ti);
	if (IS_ERR(client))
		return PTR_ERR(client);
	ti->client = client;
	return 0;
}

int test_iotlb_client_create(const struct test_request *req)
{
	u32 flags = req->cmd->iotlb_client_create.flags;
	struct file *file;
	int fd, ret;

	if (flags & ~(IOMMUKIT_TEST_IOTLB_NO_INVALIDATE |
		      IOMMUKIT_TEST_IOTLB_NO_RESUME |
		      IOMMUKIT_TEST_IOTLB_NO_STAGE2_UNMAP |
		      IOMMUKIT_TEST_IOTLB_NO_OPS))
		return -EOPNOTSUPP;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	file = test_iotlb_file(flags);
	if (IS_ERR(file)) {
		ret = PTR_ERR(file);
		goto err_fd;
	}
	ret = test_iotlb_attach(file->private_data, req);
	if (ret)
		goto err_file;
	req->cmd->iotlb_client_create.out_fd = fd;
	ret = test_respond(req);
	if (ret)
		goto err_file;
	fd_install(fd, file);
	return 0;

err_file:
	fput(file);
err_fd:
	put_unused_fd(fd);
	return ret;
}

/* The client of a descriptor; see test_file_get(). */
struct test_iotlb *test_iotlb_get(u32 fd, struct file **file)
{
	return test_file_get(fd, &test_iotlb_fops, file);
}

/* ---- commands ---- */

int test_iotlb_behaviour(const struct test_request *req)
{
	u32 flags = req->cmd->iotlb_behaviour.flags;
	struct test_iotlb *ti;
	struct file *file;

	if (flags & ~(IOMMUKIT_TEST_IOTLB_HOLD | IOMMUKIT_TEST_IOTLB_NO_CANCEL))
		return -EOPNOTSUPP;
	ti = test_iotlb_get(req->cmd->id, &file);
	if (IS_ERR(ti))
		return PTR_ERR(ti);
	WRITE_ONCE(ti->delay_ms, req->cmd->iotlb_behaviour.delay_ms);
	WRITE_ONCE(ti->behaviour, flags);
	wake_up_all(&ti->wait);
	fput(file);
	return 0;
}

int test_iotlb_cancel(const struct test_request *req)
{
	struct test_iotlb *ti;
	struct file *file;

	ti = test_iotlb_get(req->cmd->id, &file);
	if (IS_ERR(ti))
		return PTR_ERR(ti);
	if (req->cmd->iotlb_cancel.on)
		iommukit_iotlb_cancel(ti->client);
	else
		iommukit_iotlb_uncancel(ti->client);
	fput(file);
	return 0;
}

static void test_iotlb_look(struct test_iotlb *ti,
			    struct iommukit_test_iotlb_stats *stats)
{
	struct iommukit_iotlb_client_stats counters;
	struct test_iotlb_pinned *pinned;
	u32 reader = stats->reader;

	spin_lock(&ti->seen_lock);
	*stats = ti->seen;
	spin_unlock(&ti->seen_lock);
	stats->reader = reader;
	stats->out_resumes = atomic_read(&ti->resumes);
	stats->out_resumed = test_iotlb_resumed(ti, reader);
	mutex_lock(&ti->lock);
	list_for_each_entry(pinned, &ti->pins, link)
		stats->out_pins++;
	mutex_unlock(&ti->lock);
	iommukit_iotlb_stats(ti->client, &counters);
	stats->out_lookups = counters.lookups;
	stats->out_cache_hits = counters.cache_hits;
	stats->out_map_hits = counters.map_hits;
	stats->out_perm_failures = counters.perm_failures;
	stats->out_negative_hits = counters.negative_hits;
}

int test_iotlb_stats(const struct test_request *req)
{
	void __user *uptr = u64_to_user_ptr(req->cmd->iotlb_stats.uptr);
	struct iommukit_test_iotlb_stats stats;
	struct test_iotlb *ti;
	struct file *file;

	if (copy_from_user(&stats, uptr, sizeof(stats)))
		return -EFAULT;
	ti = test_iotlb_get(req->cmd->id, &file);
	if (IS_ERR(ti))
		return PTR_ERR(ti);
	test_iotlb_look(ti, &stats);
	fput(file);
	return copy_to_user(uptr, &stats, sizeof(stats)) ? -EFAULT : 0;
}

int test_iotlb_prefetch(const struct test_request *req)
{
	struct iommukit_test_cmd *cmd = req->cmd;
	bool atomic = cmd->iotlb_prefetch.how & IOMMUKIT_TEST_IOTLB_ATOMIC;
	u32 count = cmd->iotlb_prefetch.count;
	struct iommukit_iotlb_range *ranges;
	unsigned long flags;
	struct test_iotlb *ti;
	struct file *file;

	BUILD_BUG_ON(sizeof(*ranges) != 2 * sizeof(u64));

	if (count > TEST_IOTLB_RANGES_MAX ||
	    cmd->iotlb_prefetch.how & ~IOMMUKIT_TEST_IOTLB_ATOMIC)
		return -EBADRQC;
	/* One more, for a count of 0 that the core is to judge. */
	ranges = kcalloc(count + 1, sizeof(*ranges), GFP_KERNEL_ACCOUNT);
	if (!ranges)
		return -ENOMEM;
	if (copy_from_user(ranges, u64_to_user_ptr(cmd->iotlb_prefetch.uptr),
			   count * sizeof(*ranges))) {
		kfree(ranges);
		return -EFAULT;
	}
	ti = test_iotlb_get(cmd->id, &file);
	if (IS_ERR(ti)) {
		kfree(ranges);
		return PTR_ERR(ti);
	}
	if (atomic)
		local_irq_save(flags);
	cmd->iotlb_prefetch.out_result =
		iommukit_iotlb_prefetch(ti->client, ranges, count,
					cmd->iotlb_prefetch.prot);
	if (atomic)
		local_irq_restore(flags);
	fput(file);
	kfree(ranges);
	return test_respond(req);
}

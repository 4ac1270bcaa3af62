// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver that does with its access what the test tells it, good and bad. Each
 * access belongs to a file of its own, and ends with it. What is pinned is a
 * list of items under a mutex that the unmap callback takes as well.
 */
#include <linux/anon_inodes.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "test.h"

/**
 * struct test_access - What belongs to an access file
 * @access: NULL only while it is being created: the unmap callback can come
 *	before create_attached has returned, but finds no items then
 * @needs_pin: It was created with needs_pin_pages
 * @lock: Held over pin and taking note of the item; taken by the callback.
 *	Protects all that follows
 * @items: What is pinned
 * @next_id: For the next item
 * @behaviour: IOMMUKIT_TEST_ACCESS_STUBBORN or 0
 * @delay_ms: Slept in each callback
 * @calls: Callbacks so far
 * @running: Of these, running now
 * @max_running: Most at a time
 * @last_iova: Argument of the latest
 * @last_length: Argument of the latest
 */
struct test_access {
	struct iommukit_access *access;
	bool needs_pin;
	struct mutex lock; /* the items and all that follows */
	struct list_head items;
	u32 next_id;
	u32 behaviour;
	u32 delay_ms;
	u32 calls;
	u32 running;
	u32 max_running;
	unsigned long last_iova;
	unsigned long last_length;
};

struct test_item {
	struct list_head link;
	u32 id;
	unsigned long iova;
	unsigned long length;
};

static void test_item_release(struct test_access *ta, struct test_item *item)
{
	lockdep_assert_held(&ta->lock);
	iommukit_access_unpin_pages(ta->access, item->iova, item->length);
	list_del(&item->link);
	kfree(item);
}

/* Release the items that intersect [iova, last]. */
static void test_items_release(struct test_access *ta, unsigned long iova,
			       unsigned long last)
{
	struct test_item *item, *next;

	list_for_each_entry_safe(item, next, &ta->items, link)
		if (item->iova <= last &&
		    item->iova + (item->length - 1) >= iova)
			test_item_release(ta, item);
}

/* Recorded before the delay, so that a test can tell that it is running. */
static void test_access_unmap(void *data, unsigned long iova,
			      unsigned long length)
{
	bool everything = length == ULONG_MAX;
	struct test_access *ta = data;
	u32 delay_ms;

	mutex_lock(&ta->lock);
	ta->calls++;
	ta->running++;
	ta->max_running = max(ta->max_running, ta->running);
	ta->last_iova = iova;
	ta->last_length = length;
	delay_ms = ta->delay_ms;
	mutex_unlock(&ta->lock);

	if (delay_ms)
		msleep(delay_ms);

	mutex_lock(&ta->lock);
	if (everything || !(ta->behaviour & IOMMUKIT_TEST_ACCESS_STUBBORN))
		test_items_release(ta, iova, everything ? ULONG_MAX :
				   iova + (length - 1));
	ta->running--;
	mutex_unlock(&ta->lock);
}

/* Index: needs pin pages, has no callback. The last row is refused by core. */
static const struct iommukit_access_ops test_ops[2][2] = {
	{ { .unmap = test_access_unmap }, {} },
	{ { .needs_pin_pages = 1, .unmap = test_access_unmap },
	  { .needs_pin_pages = 1 } },
};

static int test_access_release(struct inode *inode, struct file *file)
{
	struct test_access *ta = file->private_data;

	if (ta->access) {
		mutex_lock(&ta->lock);
		test_items_release(ta, 0, ULONG_MAX);
		mutex_unlock(&ta->lock);
		iommukit_access_destroy(ta->access);
	}
	mutex_destroy(&ta->lock);
	kfree(ta);
	return 0;
}

static const struct file_operations test_access_fops = {
	.owner = THIS_MODULE,
	.release = test_access_release,
};

static struct file *test_access_file(void)
{
	struct test_access *ta;
	struct file *file;

	ta = kzalloc(sizeof(*ta), GFP_KERNEL_ACCOUNT);
	if (!ta)
		return ERR_PTR(-ENOMEM);
	mutex_init(&ta->lock);
	INIT_LIST_HEAD(&ta->items);
	/* Programs look for this name under /proc. */
	file = anon_inode_getfile("[iommufd_test_staccess]", &test_access_fops,
				  ta, O_RDWR | O_CLOEXEC);
	if (IS_ERR(file))
		kfree(ta);
	return file;
}

/* Create the access of @ta; what was created is cleaned up by release. */
static int test_access_open(struct test_access *ta,
			    const struct test_request *req, u32 flags, u32 *id)
{
	bool pin = flags & IOMMUKIT_TEST_ACCESS_CREATE_NEEDS_PIN_PAGES;
	bool no_unmap = flags & IOMMUKIT_TEST_ACCESS_CREATE_NO_UNMAP;
	const struct iommukit_access_ops *ops = &test_ops[pin][no_unmap];
	struct iommukit_access *access;

	ta->needs_pin = pin;
	if (flags & IOMMUKIT_TEST_ACCESS_CREATE_ATTACHED)
		access = iommukit_access_create_attached(req->ictx,
							 req->cmd->id, ops, ta,
							 id);
	else
		access = iommukit_access_create(req->ictx, ops, ta, id);
	if (IS_ERR(access))
		return PTR_ERR(access);
	ta->access = access;
	if (flags & IOMMUKIT_TEST_ACCESS_CREATE_ATTACHED || !req->cmd->id)
		return 0;
	return iommukit_access_attach(access, req->cmd->id);
}

static int test_access_install(const struct test_request *req, u32 flags,
			       u32 *out_fd, u32 *out_id)
{
	struct file *file;
	int fd, ret;

	fd = get_unused_fd_flags(O_CLOEXEC);
	/* A full table of descriptors is lack of memory to this ABI. */
	if (fd < 0)
		return -ENOMEM;
	file = test_access_file();
	if (IS_ERR(file)) {
		ret = PTR_ERR(file);
		goto err_fd;
	}
	ret = test_access_open(file->private_data, req, flags, out_id);
	if (ret)
		goto err_file;
	*out_fd = fd;
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

int test_access_create(const struct test_request *req)
{
	struct iommukit_test_cmd *cmd = req->cmd;
	u32 flags = cmd->create_access.flags;
	u32 access_id;

	if (flags & ~IOMMUKIT_TEST_ACCESS_CREATE_NEEDS_PIN_PAGES)
		return -EOPNOTSUPP;
	/* Here 0 is an IOAS that does not exist, not the lack of one. */
	return test_access_install(req, flags |
				   IOMMUKIT_TEST_ACCESS_CREATE_ATTACHED,
				   &cmd->create_access.out_access_fd,
				   &access_id);
}

int test_access_create_ext(const struct test_request *req)
{
	struct iommukit_test_cmd *cmd = req->cmd;

	if (cmd->access_create.flags &
	    ~(IOMMUKIT_TEST_ACCESS_CREATE_NEEDS_PIN_PAGES |
	      IOMMUKIT_TEST_ACCESS_CREATE_NO_UNMAP |
	      IOMMUKIT_TEST_ACCESS_CREATE_ATTACHED))
		return -EOPNOTSUPP;
	return test_access_install(req, cmd->access_create.flags,
				   &cmd->access_create.out_access_fd,
				   &cmd->access_create.out_access_id);
}

/* The access of a descriptor; see test_file_get(). */
static struct test_access *test_access_get(u32 fd, struct file **file)
{
	return test_file_get(fd, &test_access_fops, file);
}

int test_access_behaviour(const struct test_request *req)
{
	struct iommukit_test_cmd *cmd = req->cmd;
	struct test_access *ta;
	struct file *file;

	if (cmd->access_behaviour.flags & ~IOMMUKIT_TEST_ACCESS_STUBBORN)
		return -EOPNOTSUPP;
	ta = test_access_get(cmd->id, &file);
	if (IS_ERR(ta))
		return PTR_ERR(ta);
	mutex_lock(&ta->lock);
	ta->behaviour = cmd->access_behaviour.flags;
	ta->delay_ms = cmd->access_behaviour.delay_ms;
	mutex_unlock(&ta->lock);
	fput(file);
	return 0;
}

int test_access_stats(const struct test_request *req)
{
	struct iommukit_test_cmd *cmd = req->cmd;
	struct test_item *item;
	struct test_access *ta;
	struct file *file;
	u32 items = 0;

	ta = test_access_get(cmd->id, &file);
	if (IS_ERR(ta))
		return PTR_ERR(ta);
	mutex_lock(&ta->lock);
	list_for_each_entry(item, &ta->items, link)
		items++;
	cmd->access_stats.out_calls = ta->calls;
	cmd->access_stats.out_running = ta->running;
	cmd->access_stats.out_max_running = ta->max_running;
	cmd->access_stats.out_items = items;
	cmd->access_stats.out_last_iova = ta->last_iova;
	cmd->access_stats.out_last_length = ta->last_length;
	mutex_unlock(&ta->lock);
	fput(file);
	return test_respond(req);
}

int test_access_attach(const struct test_request *req)
{
	struct test_access *ta;
	struct file *file;
	int ret;

	ta = test_access_get(req->cmd->id, &file);
	if (IS_ERR(ta))
		return PTR_ERR(ta);
	ret = iommukit_access_attach(ta->access,
				     req->cmd->access_attach.ioas_id);
	fput(file);
	return ret;
}

int test_access_replace(const struct test_request *req)
{
	struct test_access *ta;
	struct file *file;
	int ret;

	ta = test_access_get(req->cmd->id, &file);
	if (IS_ERR(ta))
		return PTR_ERR(ta);
	ret = iommukit_access_replace(ta->access,
				      req->cmd->access_replace_ioas.ioas_id);
	fput(file);
	return ret;
}

int test_access_detach(const struct test_request *req)
{
	struct test_access *ta;
	struct file *file;

	ta = test_access_get(req->cmd->id, &file);
	if (IS_ERR(ta))
		return PTR_ERR(ta);
	iommukit_access_detach(ta->access);
	fput(file);
	return 0;
}

/* Are the pinned pages those that the caller has mapped at @uptr? */
static int test_pages_compare(unsigned long uptr, struct page **pages,
			      unsigned long npages)
{
	unsigned long i;

	for (i = 0; i < npages; i++, uptr += PAGE_SIZE) {
		struct page *page;
		int ret;

		ret = get_user_pages_fast(uptr, 1, 0, &page);
		if (ret < 0)
			return ret;
		if (!ret)
			return -EFAULT;
		put_page(page);
		if (page != pages[i])
			return -EBADE;
	}
	return 0;
}

/* Pin, compare, take note and tell the caller, or leave nothing behind. */
static int test_pages_pin(struct test_access *ta,
			  const struct test_request *req, struct page **pages,
			  unsigned long npages)
{
	struct iommukit_test_cmd *cmd = req->cmd;
	unsigned long iova = cmd->access_pages.iova;
	struct test_item *item;
	int ret;

	item = kzalloc(sizeof(*item), GFP_KERNEL_ACCOUNT);
	if (!item)
		return -ENOMEM;
	item->iova = iova;
	item->length = cmd->access_pages.length;

	mutex_lock(&ta->lock);
	ret = iommukit_access_pin_pages(ta->access, iova, item->length, pages,
					cmd->access_pages.flags);
	if (ret) {
		mutex_unlock(&ta->lock);
		kfree(item);
		return ret;
	}
	item->id = ta->next_id;
	list_add(&item->link, &ta->items);
	if (cmd->access_pages.uptr)
		ret = test_pages_compare(cmd->access_pages.uptr -
					 offset_in_page(iova), pages, npages);
	if (!ret) {
		cmd->access_pages.out_access_pages_id = item->id;
		ret = test_respond(req);
	}
	if (ret)
		test_item_release(ta, item);
	else
		ta->next_id++;
	mutex_unlock(&ta->lock);
	return ret;
}

/* @raw: the core is to judge, about flags and a lacking NEEDS_PIN_PAGES. */
static int test_pages(const struct test_request *req, bool raw)
{
	u64 length = req->cmd->access_pages.length;
	unsigned long npages;
	struct page **pages;
	struct test_access *ta;
	struct file *file;
	int ret;

	if (length > IOMMUKIT_TEST_ACCESS_LENGTH_MAX)
		return -ENOMEM;
	if (!raw && req->cmd->access_pages.flags & ~IOMMUKIT_TEST_ACCESS_WRITE)
		return -EOPNOTSUPP;
	ta = test_access_get(req->cmd->id, &file);
	if (IS_ERR(ta))
		return PTR_ERR(ta);
	ret = -EOPNOTSUPP;
	if (!raw && !ta->needs_pin)
		goto out_file;

	npages = DIV_ROUND_UP(offset_in_page(req->cmd->access_pages.iova) +
			      length, PAGE_SIZE);
	ret = -ENOMEM;
	/* One more, for a length of 0 that the core is to refuse. */
	pages = kvcalloc(npages + 1, sizeof(*pages), GFP_KERNEL_ACCOUNT);
	if (!pages)
		goto out_file;
	ret = test_pages_pin(ta, req, pages, npages);
	kvfree(pages);
out_file:
	fput(file);
	return ret;
}

int test_access_pages(const struct test_request *req)
{
	return test_pages(req, false);
}

int test_access_pages_raw(const struct test_request *req)
{
	return test_pages(req, true);
}

int test_access_destroy_pages(const struct test_request *req)
{
	struct test_item *item;
	struct test_access *ta;
	struct file *file;
	int ret = -ENOENT;

	ta = test_access_get(req->cmd->id, &file);
	if (IS_ERR(ta))
		return PTR_ERR(ta);
	mutex_lock(&ta->lock);
	list_for_each_entry(item, &ta->items, link) {
		if (item->id == req->cmd->destroy_access_pages.access_pages_id) {
			test_item_release(ta, item);
			ret = 0;
			break;
		}
	}
	mutex_unlock(&ta->lock);
	fput(file);
	return ret;
}

/*
 * As a driver without a lock pins: several threads at a time, and no item tells
 * the callback.
 */
int test_access_pin_raw(const struct test_request *req)
{
	unsigned long iova = req->cmd->access_pin_raw.iova;
	u64 length = req->cmd->access_pin_raw.length;
	struct page **pages;
	struct test_access *ta;
	struct file *file;
	int ret = -ENOMEM;

	if (length > IOMMUKIT_TEST_ACCESS_LENGTH_MAX)
		return -ENOMEM;
	ta = test_access_get(req->cmd->id, &file);
	if (IS_ERR(ta))
		return PTR_ERR(ta);
	pages = kvcalloc(DIV_ROUND_UP(offset_in_page(iova) + length, PAGE_SIZE) +
			 1, sizeof(*pages), GFP_KERNEL_ACCOUNT);
	if (!pages)
		goto out_file;
	ret = iommukit_access_pin_pages(ta->access, iova, length, pages, 0);
	kvfree(pages);
out_file:
	fput(file);
	return ret;
}

int test_access_unpin_raw(const struct test_request *req)
{
	struct test_access *ta;
	struct file *file;

	ta = test_access_get(req->cmd->id, &file);
	if (IS_ERR(ta))
		return PTR_ERR(ta);
	iommukit_access_unpin_pages(ta->access,
				    req->cmd->access_unpin_raw.iova,
				    req->cmd->access_unpin_raw.length);
	fput(file);
	return 0;
}

struct test_rw {
	struct iommukit_access *access;
	unsigned long iova;
	void *buf;
	size_t length;
	unsigned int flags;
	struct completion done;
	bool stop;
	int ret;
};

static void test_rw_run(struct test_rw *rw)
{
	rw->ret = iommukit_access_rw(rw->access, rw->iova, rw->buf, rw->length,
				     rw->flags);
}

static int test_rw_thread(void *data)
{
	struct test_rw *rw = data;

	/* The copy may wait for user space: let it be given up. */
	allow_kernel_signal(SIGKILL);
	if (!READ_ONCE(rw->stop))
		test_rw_run(rw);
	complete(&rw->done);
	return 0;
}

static void test_rw_run_kthread(struct test_rw *rw)
{
	struct task_struct *task;

	rw->ret = -EINTR;
	init_completion(&rw->done);
	task = kthread_create(test_rw_thread, rw, "iommukit-test");
	if (IS_ERR(task)) {
		rw->ret = PTR_ERR(task);
		return;
	}
	get_task_struct(task);
	wake_up_process(task);
	if (wait_for_completion_killable(&rw->done)) {
		WRITE_ONCE(rw->stop, true);
		send_sig(SIGKILL, task, 1);
	}
	kthread_stop(task);
	put_task_struct(task);
}

static int test_rw(const struct test_request *req, unsigned int flags,
		   bool kthread)
{
	struct test_rw rw = {
		.iova = req->cmd->access_rw.iova,
		.length = req->cmd->access_rw.length,
		.flags = flags,
	};
	void __user *uptr = u64_to_user_ptr(req->cmd->access_rw.uptr);
	bool write = flags & IOMMUKIT_ACCESS_RW_WRITE;
	struct test_access *ta;
	struct file *file;
	int ret = -ENOMEM;

	ta = test_access_get(req->cmd->id, &file);
	if (IS_ERR(ta))
		return PTR_ERR(ta);
	rw.access = ta->access;
	/* kvmalloc: the core may copy between it and user memory directly. */
	rw.buf = kvzalloc(rw.length, GFP_KERNEL_ACCOUNT);
	if (!rw.buf)
		goto out_file;
	ret = -EFAULT;
	if (write && copy_from_user(rw.buf, uptr, rw.length))
		goto out_buf;
	if (kthread)
		test_rw_run_kthread(&rw);
	else
		test_rw_run(&rw);
	ret = rw.ret;
	if (!ret && !write && copy_to_user(uptr, rw.buf, rw.length))
		ret = -EFAULT;
out_buf:
	kvfree(rw.buf);
out_file:
	fput(file);
	return ret;
}

int test_access_rw(const struct test_request *req)
{
	u32 flags = req->cmd->access_rw.flags;

	if (req->cmd->access_rw.length > IOMMUKIT_TEST_ACCESS_LENGTH_MAX)
		return -ENOMEM;
	if (flags & ~(IOMMUKIT_TEST_ACCESS_RW_WRITE |
		      IOMMUKIT_TEST_ACCESS_RW_SLOW_PATH))
		return -EOPNOTSUPP;
	return test_rw(req, flags, false);
}

int test_access_rw_raw(const struct test_request *req)
{
	u32 how = req->cmd->access_rw_raw.how;

	/* The common members have the same place. */
	BUILD_BUG_ON(offsetof(struct iommukit_test_cmd, access_rw.uptr) !=
		     offsetof(struct iommukit_test_cmd, access_rw_raw.uptr));

	if (req->cmd->access_rw_raw.length > IOMMUKIT_TEST_ACCESS_LENGTH_MAX)
		return -ENOMEM;
	if (how & ~IOMMUKIT_TEST_ACCESS_FROM_KTHREAD)
		return -EOPNOTSUPP;
	return test_rw(req, req->cmd->access_rw_raw.rw_flags,
		       how & IOMMUKIT_TEST_ACCESS_FROM_KTHREAD);
}

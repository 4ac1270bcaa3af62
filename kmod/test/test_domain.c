// SPDX-License-Identifier: GPL-2.0-only
/*
 * Software domains that do what the test tells them. Each belongs to a file of its
 * own, and ends with it. This is the floor above a domain at its plainest: it pins
 * the caller's pages for as long as they are mapped, and maps run by run.
 */
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "domain.h"
#include "domain_soft.h"
#include "test.h"

/**
 * struct test_domain - What belongs to a domain file
 * @domain: The domain
 * @buffer: Memory in one piece, or NULL
 * @phys: Addresses without memory are mapped
 * @lock: Protects @items, and the making of @buffer
 * @items: What is mapped, if pages are pinned for it
 */
struct test_domain {
	struct domain *domain;
	struct page *buffer;
	bool phys;
	struct mutex lock; /* items and buffer */
	struct list_head items;
};

#define TEST_BUFFER_ORDER get_order(SZ_2M)

/**
 * struct test_pinned - A mapping of user memory
 * @link: In the list
 * @iova: Its first IOVA
 * @length: Of the mapping
 * @npages: How many pages
 * @pages: The pages
 */
struct test_pinned {
	struct list_head link;
	unsigned long iova;
	unsigned long length;
	unsigned long npages;
	struct page *pages[];
};

static void test_pinned_free(struct test_pinned *pinned)
{
	unpin_user_pages_dirty_lock(pinned->pages, pinned->npages, true);
	kvfree(pinned);
}

static void test_pinned_wipe(const struct test_pinned *pinned)
{
	unsigned long i;

	for (i = 0; i < pinned->npages; i++)
		memzero_page(pinned->pages[i], 0, PAGE_SIZE);
}

/* Unpin what was mapped in [iova, last]. */
static void test_domain_release(struct test_domain *td, unsigned long iova,
				unsigned long last, bool wipe)
{
	struct test_pinned *pinned, *next;
	LIST_HEAD(unused);

	mutex_lock(&td->lock);
	list_for_each_entry_safe(pinned, next, &td->items, link)
		if (pinned->iova >= iova &&
		    pinned->iova + (pinned->length - 1) <= last)
			list_move(&pinned->link, &unused);
	mutex_unlock(&td->lock);
	list_for_each_entry_safe(pinned, next, &unused, link) {
		if (wipe)
			test_pinned_wipe(pinned);
		test_pinned_free(pinned);
	}
}

static int test_domain_close(struct inode *inode, struct file *file)
{
	struct test_domain *td = file->private_data;

	if (td->domain)
		td->domain->ops->free(td->domain);
	test_domain_release(td, 0, ULONG_MAX, false);
	if (td->buffer)
		__free_pages(td->buffer, TEST_BUFFER_ORDER);
	mutex_destroy(&td->lock);
	kfree(td);
	return 0;
}

static const struct file_operations test_domain_fops = {
	.owner = THIS_MODULE,
	.release = test_domain_close,
};

static struct file *test_domain_file(void)
{
	struct test_domain *td = kzalloc(sizeof(*td), GFP_KERNEL_ACCOUNT);
	struct file *file;

	if (!td)
		return ERR_PTR(-ENOMEM);
	mutex_init(&td->lock);
	INIT_LIST_HEAD(&td->items);
	file = anon_inode_getfile("[iommukit_test_domain]", &test_domain_fops,
				  td, O_RDWR | O_CLOEXEC);
	if (IS_ERR(file))
		kfree(td);
	return file;
}

int test_domain_create(const struct test_request *req)
{
	struct iommukit_test_cmd *cmd = req->cmd;
	struct test_domain *td;
	struct domain *domain;
	struct file *file;
	int fd, ret;

	if (cmd->domain_create.flags & ~IOMMUKIT_TEST_DOMAIN_NO_DIRTY)
		return -EINVAL;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	file = test_domain_file();
	if (IS_ERR(file)) {
		ret = PTR_ERR(file);
		goto err_fd;
	}
	td = file->private_data;
	domain = domain_soft_create(cmd->domain_create.page_sizes,
				    cmd->domain_create.first,
				    cmd->domain_create.last,
				    !(cmd->domain_create.flags &
				      IOMMUKIT_TEST_DOMAIN_NO_DIRTY));
	if (IS_ERR(domain)) {
		ret = PTR_ERR(domain);
		goto err_file;
	}
	td->domain = domain;
	cmd->domain_create.out_fd = fd;
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

/* The domain of a descriptor, with a reference on *@file. */
static struct test_domain *test_domain_get(u32 fd, struct file **file)
{
	return test_file_get(fd, &test_domain_fops, file);
}

/* ---- where memory is ---- */

static struct test_pinned *test_domain_pin(unsigned long uptr,
					   unsigned long length)
{
	struct test_pinned *pinned;
	unsigned long npages, done = 0;

	npages = DIV_ROUND_UP(offset_in_page(uptr) + length, PAGE_SIZE);
	pinned = kvzalloc(struct_size(pinned, pages, npages),
			  GFP_KERNEL_ACCOUNT);
	if (!pinned)
		return ERR_PTR(-ENOMEM);
	while (done < npages) {
		long n = pin_user_pages_fast((uptr & PAGE_MASK) + done * PAGE_SIZE,
					     npages - done,
					     FOLL_WRITE | FOLL_LONGTERM,
					     pinned->pages + done);

		if (n <= 0) {
			unpin_user_pages(pinned->pages, done);
			kvfree(pinned);
			return ERR_PTR(n ?: -EFAULT);
		}
		done += n;
	}
	pinned->npages = npages;
	return pinned;
}

static int test_domain_make_buffer(struct test_domain *td)
{
	int ret = 0;

	mutex_lock(&td->lock);
	if (!td->buffer)
		td->buffer = alloc_pages(GFP_KERNEL_ACCOUNT | __GFP_ZERO,
					 TEST_BUFFER_ORDER);
	if (!td->buffer)
		ret = -ENOMEM;
	mutex_unlock(&td->lock);
	return ret;
}

/**
 * struct test_memory - What a command maps, or compares a mapping with
 * @source: IOMMUKIT_TEST_DOMAIN_USER, BUFFER or PHYS
 * @address: As the command has it
 * @length: Of it
 * @base: Of the buffer, or 0
 * @pinned: The pages, for USER
 */
struct test_memory {
	u32 source;
	u64 address;
	u64 length;
	phys_addr_t base;
	struct test_pinned *pinned;
};

static int test_memory_get(struct test_domain *td, struct test_memory *memory)
{
	u64 last;
	int ret;

	if (!memory->length ||
	    check_add_overflow(memory->address, memory->length - 1, &last))
		return -EINVAL;
	switch (memory->source) {
	case IOMMUKIT_TEST_DOMAIN_USER:
		memory->pinned = test_domain_pin(memory->address,
						 memory->length);
		return PTR_ERR_OR_ZERO(memory->pinned);
	case IOMMUKIT_TEST_DOMAIN_BUFFER:
		if (last >= SZ_2M)
			return -EINVAL;
		ret = test_domain_make_buffer(td);
		if (!ret)
			memory->base = page_to_phys(td->buffer);
		return ret;
	case IOMMUKIT_TEST_DOMAIN_PHYS:
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static void test_memory_put(struct test_memory *memory)
{
	if (memory->pinned)
		test_pinned_free(memory->pinned);
}

/* The physical address at an offset, and how much is in one piece there. */
static phys_addr_t test_memory_at(const struct test_memory *memory, u64 offset,
				  u64 *length)
{
	struct page **pages;
	unsigned long i, n;
	u64 in_page;

	if (!memory->pinned) {
		*length = memory->length - offset;
		return memory->base + memory->address + offset;
	}
	in_page = offset_in_page(memory->address + offset);
	pages = memory->pinned->pages;
	i = (offset_in_page(memory->address) + offset) >> PAGE_SHIFT;
	for (n = 1; i + n < memory->pinned->npages; n++)
		if (page_to_pfn(pages[i + n]) != page_to_pfn(pages[i]) + n)
			break;
	*length = min(n * PAGE_SIZE - in_page, memory->length - offset);
	return page_to_phys(pages[i]) + in_page;
}

/* ---- mapping ---- */

static void test_domain_undo(struct test_domain *td, unsigned long iova,
			     size_t length)
{
	struct domain_gather gather;

	domain_gather_init(&gather);
	td->domain->ops->unmap(td->domain, iova, length, &gather);
	td->domain->ops->sync(td->domain, &gather);
}

static int test_domain_map_memory(struct test_domain *td, unsigned long iova,
				  const struct test_memory *memory, u32 prot,
				  u64 most)
{
	u64 done, length;
	int ret;

	for (done = 0; done < memory->length; done += length) {
		phys_addr_t phys = test_memory_at(memory, done, &length);

		length = min(length, most);
		ret = td->domain->ops->map(td->domain, iova + done, phys,
					   length, prot);
		if (ret) {
			test_domain_undo(td, iova, done);
			return ret;
		}
	}
	return 0;
}

static u64 test_domain_step(const struct test_domain *td, u32 flags)
{
	return flags & IOMMUKIT_TEST_DOMAIN_BY_PAGE ?
	       BIT_ULL(__ffs(td->domain->page_sizes)) : ULONG_MAX;
}

int test_domain_map(const struct test_request *req)
{
	struct iommukit_test_cmd *cmd = req->cmd;
	struct test_memory memory = {
		.source = cmd->domain_map.source,
		.address = cmd->domain_map.address,
		.length = cmd->domain_map.length,
	};
	struct test_domain *td;
	struct file *file;
	int ret;

	if (cmd->domain_map.flags & ~IOMMUKIT_TEST_DOMAIN_BY_PAGE)
		return -EOPNOTSUPP;
	td = test_domain_get(cmd->id, &file);
	if (IS_ERR(td))
		return PTR_ERR(td);
	if (memory.source == IOMMUKIT_TEST_DOMAIN_PHYS)
		td->phys = true;
	ret = test_memory_get(td, &memory);
	if (ret)
		goto out_file;
	ret = test_domain_map_memory(td, cmd->domain_map.iova, &memory,
				     cmd->domain_map.prot,
				     test_domain_step(td, cmd->domain_map.flags));
	if (ret) {
		test_memory_put(&memory);
	} else if (memory.pinned) {
		memory.pinned->iova = cmd->domain_map.iova;
		memory.pinned->length = memory.length;
		mutex_lock(&td->lock);
		list_add(&memory.pinned->link, &td->items);
		mutex_unlock(&td->lock);
	}
out_file:
	fput(file);
	return ret;
}

int test_domain_unmap(const struct test_request *req)
{
	struct iommukit_test_cmd *cmd = req->cmd;
	unsigned long iova = cmd->domain_unmap.iova;
	u64 length = cmd->domain_unmap.length, done, step;
	u32 flags = cmd->domain_unmap.flags;
	struct domain_gather gather;
	struct test_domain *td;
	struct file *file;

	if (flags & ~(IOMMUKIT_TEST_DOMAIN_BY_PAGE | IOMMUKIT_TEST_DOMAIN_WIPE))
		return -EOPNOTSUPP;
	td = test_domain_get(cmd->id, &file);
	if (IS_ERR(td))
		return PTR_ERR(td);
	cmd->domain_unmap.out_unmapped = 0;
	domain_gather_init(&gather);
	step = test_domain_step(td, flags);
	for (done = 0; done < length; done += step) {
		step = min(step, length - done);
		cmd->domain_unmap.out_unmapped +=
			td->domain->ops->unmap(td->domain, iova + done, step,
					       &gather);
	}
	td->domain->ops->sync(td->domain, &gather);
	if (length)
		test_domain_release(td, iova, iova + (length - 1),
				    flags & IOMMUKIT_TEST_DOMAIN_WIPE);
	fput(file);
	return test_respond(req);
}

/* ---- looking up ---- */

static int test_domain_compare(struct test_domain *td, unsigned long iova,
			       const struct test_memory *memory)
{
	u64 step = test_domain_step(td, IOMMUKIT_TEST_DOMAIN_BY_PAGE);
	struct domain *domain = td->domain;
	u64 done, length;

	for (done = 0; done < memory->length; done += step) {
		phys_addr_t phys = test_memory_at(memory, done, &length);

		if (domain->ops->iova_to_phys(domain, iova + done) != phys)
			return -EINVAL;
		/* The last byte is in the same page. */
		length = min(step, memory->length - done) - 1;
		if (domain->ops->iova_to_phys(domain, iova + done + length) !=
		    phys + length)
			return -EINVAL;
		cond_resched();
	}
	return 0;
}

int test_domain_check(const struct test_request *req)
{
	struct iommukit_test_cmd *cmd = req->cmd;
	struct test_memory memory = {
		.source = cmd->domain_map.source,
		.address = cmd->domain_map.address,
		.length = cmd->domain_map.length,
	};
	struct test_domain *td;
	struct file *file;
	int ret;

	td = test_domain_get(cmd->id, &file);
	if (IS_ERR(td))
		return PTR_ERR(td);
	ret = test_memory_get(td, &memory);
	if (!ret) {
		ret = test_domain_compare(td, cmd->domain_map.iova, &memory);
		test_memory_put(&memory);
	}
	fput(file);
	return ret;
}

int test_domain_translate(const struct test_request *req)
{
	struct iommukit_test_cmd *cmd = req->cmd;
	struct test_domain *td;
	struct file *file;
	phys_addr_t phys;
	int ret;

	td = test_domain_get(cmd->id, &file);
	if (IS_ERR(td))
		return PTR_ERR(td);
	ret = domain_soft_translate(td->domain, cmd->domain_rw.iova,
				    cmd->domain_rw.prot &
					    IOMMUKIT_TEST_DOMAIN_WRITE,
				    &phys);
	fput(file);
	return ret;
}

int test_domain_rw(const struct test_request *req)
{
	struct iommukit_test_cmd *cmd = req->cmd;
	void __user *uptr = u64_to_user_ptr(cmd->domain_rw.uptr);
	bool write = cmd->domain_rw.prot & IOMMUKIT_TEST_DOMAIN_WRITE;
	u64 length = cmd->domain_rw.length;
	u32 left = cmd->domain_rw.times;
	struct test_domain *td;
	struct file *file;
	void *data;
	int ret;

	if (length > IOMMUKIT_TEST_ACCESS_LENGTH_MAX)
		return -ENOMEM;
	td = test_domain_get(cmd->id, &file);
	if (IS_ERR(td))
		return PTR_ERR(td);
	ret = -EOPNOTSUPP;
	if (td->phys)
		goto out_file;
	ret = -ENOMEM;
	data = kvzalloc(length, GFP_KERNEL_ACCOUNT);
	if (!data)
		goto out_file;
	ret = -EFAULT;
	if (write && copy_from_user(data, uptr, length))
		goto out_data;
	do {
		ret = domain_soft_rw(td->domain, cmd->domain_rw.iova, data,
				     length, write);
		cond_resched();
	} while (left--);
	if (!ret && !write && copy_to_user(uptr, data, length))
		ret = -EFAULT;
out_data:
	kvfree(data);
out_file:
	fput(file);
	return ret;
}

/* ---- what was written ---- */

int test_domain_set_dirty_tracking(const struct test_request *req)
{
	struct test_domain *td;
	struct file *file;
	int ret;

	td = test_domain_get(req->cmd->id, &file);
	if (IS_ERR(td))
		return PTR_ERR(td);
	ret = td->domain->ops->set_dirty_tracking(td->domain,
						  req->cmd->domain_dirty_tracking.on);
	fput(file);
	return ret;
}

static int test_domain_record(void *opaque, unsigned long iova, size_t length)
{
	struct iommukit_test_cmd *cmd = opaque;
	struct iommukit_test_dirty __user *out =
		u64_to_user_ptr(cmd->domain_read_dirty.uptr);
	struct iommukit_test_dirty dirty = {
		.iova = iova,
		.length = length,
	};

	if (cmd->domain_read_dirty.out_nr == cmd->domain_read_dirty.max)
		return -ENOSPC;
	if (copy_to_user(out + cmd->domain_read_dirty.out_nr, &dirty,
			 sizeof(dirty)))
		return -EFAULT;
	cmd->domain_read_dirty.out_nr++;
	return 0;
}

int test_domain_read_dirty(const struct test_request *req)
{
	struct iommukit_test_cmd *cmd = req->cmd;
	u64 iova = cmd->domain_read_dirty.iova;
	u64 length = cmd->domain_read_dirty.length;
	u32 flags = cmd->domain_read_dirty.flags;
	struct test_domain *td;
	struct file *file;
	int ret;

	td = test_domain_get(cmd->id, &file);
	if (IS_ERR(td))
		return PTR_ERR(td);
	cmd->domain_read_dirty.out_nr = 0;
	ret = td->domain->ops->read_dirty(td->domain, iova, iova + length - 1,
					  flags & IOMMUKIT_TEST_DOMAIN_NO_CLEAR ?
						  DOMAIN_DIRTY_NO_CLEAR : 0,
					  flags & IOMMUKIT_TEST_DOMAIN_NO_RECORD ?
						  NULL : test_domain_record,
					  cmd);
	fput(file);
	return test_respond(req) ?: ret;
}

/* Wait for a word of the caller's. */
static int test_domain_await(u64 __user *uptr, u64 value)
{
	unsigned long limit = jiffies + HZ;
	u64 now;

	do {
		if (get_user(now, uptr))
			return -EFAULT;
		if (now == value)
			return 0;
		cond_resched();
	} while (time_before(jiffies, limit));
	return -ETIME;
}

int test_domain_chase(const struct test_request *req)
{
	struct iommukit_test_cmd *cmd = req->cmd;
	u64 __user *uptr = u64_to_user_ptr(cmd->domain_chase.uptr);
	u64 *page = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	struct test_domain *td;
	struct file *file;
	int ret = 0;
	u64 n;

	if (!page)
		return -ENOMEM;
	td = test_domain_get(cmd->id, &file);
	if (IS_ERR(td)) {
		free_page((unsigned long)page);
		return PTR_ERR(td);
	}
	for (n = 1; n <= cmd->domain_chase.last && !ret; n++) {
		page[PAGE_SIZE / sizeof(*page) - 1] = n;
		ret = domain_soft_rw(td->domain, cmd->domain_chase.iova, page,
				     PAGE_SIZE, true);
		if (!ret && !(n % 2))
			ret = test_domain_await(uptr, n);
	}
	fput(file);
	free_page((unsigned long)page);
	return ret;
}

static int test_domain_notice(void *opaque, unsigned long iova, size_t length)
{
	*(bool *)opaque = true;
	return 0;
}

int test_domain_follow(const struct test_request *req)
{
	struct iommukit_test_cmd *cmd = req->cmd;
	u64 __user *uptr = u64_to_user_ptr(cmd->domain_chase.uptr);
	unsigned long iova = cmd->domain_chase.iova;
	unsigned long limit = jiffies + 2 * HZ;
	struct test_domain *td;
	struct file *file;
	int ret = 0;
	u64 n = 0;

	td = test_domain_get(cmd->id, &file);
	if (IS_ERR(td))
		return PTR_ERR(td);
	while (n != cmd->domain_chase.last && !ret) {
		bool noticed = false;

		ret = td->domain->ops->read_dirty(td->domain, iova,
						  iova + PAGE_SIZE - 1, 0,
						  test_domain_notice, &noticed);
		if (!ret && noticed) {
			ret = domain_soft_rw(td->domain,
					     iova + PAGE_SIZE - sizeof(n), &n,
					     sizeof(n), false);
			if (!ret && put_user(n, uptr))
				ret = -EFAULT;
			limit = jiffies + 2 * HZ;
		}
		if (time_after(jiffies, limit))
			ret = -ETIME;
		cond_resched();
	}
	fput(file);
	return ret;
}

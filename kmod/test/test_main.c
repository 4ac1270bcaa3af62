// SPDX-License-Identifier: GPL-2.0-only
/*
 * iommukit_test.ko: IOMMUKIT_TEST_CMD on the main device. The ops of /dev/iommu
 * check in the same order and give the same errno, so that its test suite runs;
 * those from 0x100 on are for our own tests.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/uaccess.h>

#include "test.h"
#include "test_hooks.h"

/* Write back as much of the command as the caller knows of. */
int test_respond(const struct test_request *req)
{
	size_t size = min_t(size_t, req->user_size, sizeof(*req->cmd));

	return copy_to_user(req->ucmd, req->cmd, size) ? -EFAULT : 0;
}

/*
 * What belongs to a descriptor of a kind. The reference on *@file keeps it, and keeps
 * release, which ends it, from running beside any other call.
 */
void *test_file_get(u32 fd, const struct file_operations *fops,
		    struct file **file)
{
	*file = fget(fd);
	if (!*file)
		return ERR_PTR(-EBADFD);
	if ((*file)->f_op != fops) {
		fput(*file);
		return ERR_PTR(-EBADFD);
	}
	return (*file)->private_data;
}

static int test_add_reserved(const struct test_request *req)
{
	u64 start = req->cmd->add_reserved.start;
	u64 length = req->cmd->add_reserved.length;
	unsigned long last;

	if (!length)
		return -EINVAL;
	if (check_add_overflow(start, length - 1, &last))
		return -EOVERFLOW;
	return iommukit_test_add_reserved(req->ictx, req->cmd->id, start, last);
}

/* How often is the caller's page at @uptr pinned? */
static int test_check_page_refs(unsigned long uptr, u32 refs)
{
	struct page *page;
	int ret;

	ret = get_user_pages_fast(uptr, 1, 0, &page);
	if (ret < 0)
		return ret;
	if (!ret)
		return -EFAULT;
	/*
	 * Only of single pages are pins counted in the reference count, in
	 * steps so large that the one just taken does not matter.
	 */
	ret = 0;
	if (!PageCompound(page) &&
	    page_ref_count(page) / GUP_PIN_COUNTING_BIAS != refs)
		ret = -EIO;
	put_page(page);
	return ret;
}

static int test_check_refs(const struct test_request *req)
{
	u64 length = req->cmd->check_refs.length;
	u64 uptr = req->cmd->check_refs.uptr;
	unsigned long end;
	int ret;

	if (!PAGE_ALIGNED(length) || !PAGE_ALIGNED(uptr) ||
	    check_add_overflow(uptr, length, &end))
		return -EINVAL;
	for (; uptr != end; uptr += PAGE_SIZE) {
		ret = test_check_page_refs(uptr, req->cmd->check_refs.refs);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

static int test_set_temp_memory_limit(const struct test_request *req)
{
	u32 limit = req->cmd->memory_limit.limit;

	if (limit < IOMMUKIT_TEST_TEMP_MEMORY_MIN)
		return -EINVAL;
	iommukit_test_set_temp_memory_limit(limit);
	return 0;
}

/* Longer is a mistake: nobody can be killed meanwhile. */
#define HOLD_MS_MAX 60000

static int test_ondemand_trouble(const struct test_request *req)
{
	u32 value = req->cmd->ondemand_trouble.value;

	switch (req->cmd->ondemand_trouble.what) {
	case IOMMUKIT_TEST_ONDEMAND_HOLD_MS:
		if (value > HOLD_MS_MAX)
			return -EINVAL;
		iommukit_test_hold_ondemand(value);
		return 0;
	case IOMMUKIT_TEST_ONDEMAND_RETRIES:
		if (value > INT_MAX)
			return -EINVAL;
		iommukit_test_retry_ondemand(value);
		return 0;
	case IOMMUKIT_TEST_ONDEMAND_NOMEM:
		if (value > INT_MAX)
			return -EINVAL;
		iommukit_test_starve_ondemand(value);
		return 0;
	case IOMMUKIT_TEST_ONDEMAND_PATIENCE_MS:
		iommukit_test_device_patience(value);
		return 0;
	}
	return -EOPNOTSUPP;
}

static int test_ctx_from_fd(const struct test_request *req)
{
	struct iommukit_ctx *ictx = iommukit_ctx_from_fd(req->cmd->id);

	if (IS_ERR(ictx))
		return PTR_ERR(ictx);
	iommukit_ctx_put(ictx);
	return 0;
}

static const struct {
	u32 op;
	int (*run)(const struct test_request *req);
} test_ops[] = {
	{ IOMMUKIT_TEST_OP_ADD_RESERVED, test_add_reserved },
	{ IOMMUKIT_TEST_OP_MOCK_DOMAIN, test_mock_domain },
	{ IOMMUKIT_TEST_OP_MD_CHECK_MAP, test_check_map },
	{ IOMMUKIT_TEST_OP_MD_CHECK_REFS, test_check_refs },
	{ IOMMUKIT_TEST_OP_CREATE_ACCESS, test_access_create },
	{ IOMMUKIT_TEST_OP_DESTROY_ACCESS_PAGES, test_access_destroy_pages },
	{ IOMMUKIT_TEST_OP_ACCESS_PAGES, test_access_pages },
	{ IOMMUKIT_TEST_OP_ACCESS_RW, test_access_rw },
	{ IOMMUKIT_TEST_OP_SET_TEMP_MEMORY_LIMIT, test_set_temp_memory_limit },
	{ IOMMUKIT_TEST_OP_MOCK_DOMAIN_REPLACE, test_mock_domain_replace },
	{ IOMMUKIT_TEST_OP_ACCESS_REPLACE_IOAS, test_access_replace },
	{ IOMMUKIT_TEST_OP_MOCK_DOMAIN_FLAGS, test_mock_domain },
	{ IOMMUKIT_TEST_OP_DIRTY, test_dirty },
	{ IOMMUKIT_TEST_OP_MD_CHECK_IOTLB, test_check_iotlb },
	{ IOMMUKIT_TEST_OP_TRIGGER_IOPF, test_trigger_iopf },
	{ IOMMUKIT_TEST_OP_ACCESS_CREATE, test_access_create_ext },
	{ IOMMUKIT_TEST_OP_ACCESS_BEHAVIOUR, test_access_behaviour },
	{ IOMMUKIT_TEST_OP_ACCESS_STATS, test_access_stats },
	{ IOMMUKIT_TEST_OP_ACCESS_ATTACH, test_access_attach },
	{ IOMMUKIT_TEST_OP_ACCESS_DETACH, test_access_detach },
	{ IOMMUKIT_TEST_OP_ACCESS_RW_RAW, test_access_rw_raw },
	{ IOMMUKIT_TEST_OP_ACCESS_PAGES_RAW, test_access_pages_raw },
	{ IOMMUKIT_TEST_OP_CTX_FROM_FD, test_ctx_from_fd },
	{ IOMMUKIT_TEST_OP_ACCESS_UNPIN_RAW, test_access_unpin_raw },
	{ IOMMUKIT_TEST_OP_ACCESS_PIN_RAW, test_access_pin_raw },
	{ IOMMUKIT_TEST_OP_BITMAP, test_bitmap },
	{ IOMMUKIT_TEST_OP_DOMAIN_CREATE, test_domain_create },
	{ IOMMUKIT_TEST_OP_DOMAIN_MAP, test_domain_map },
	{ IOMMUKIT_TEST_OP_DOMAIN_UNMAP, test_domain_unmap },
	{ IOMMUKIT_TEST_OP_DOMAIN_CHECK, test_domain_check },
	{ IOMMUKIT_TEST_OP_DOMAIN_TRANSLATE, test_domain_translate },
	{ IOMMUKIT_TEST_OP_DOMAIN_RW, test_domain_rw },
	{ IOMMUKIT_TEST_OP_DOMAIN_SET_DIRTY_TRACKING,
	  test_domain_set_dirty_tracking },
	{ IOMMUKIT_TEST_OP_DOMAIN_READ_DIRTY, test_domain_read_dirty },
	{ IOMMUKIT_TEST_OP_DOMAIN_CHASE, test_domain_chase },
	{ IOMMUKIT_TEST_OP_DOMAIN_FOLLOW, test_domain_follow },
	{ IOMMUKIT_TEST_OP_MOCK_CREATE, test_mock_create },
	{ IOMMUKIT_TEST_OP_MOCK_FAULTS, test_trigger_iopf },
	{ IOMMUKIT_TEST_OP_MOCK_STATS, test_mock_stats },
	{ IOMMUKIT_TEST_OP_MOCK_FAULT, test_mock_fault },
	{ IOMMUKIT_TEST_OP_MOCK_UNMAP_HOW, test_mock_unmap_how },
	{ IOMMUKIT_TEST_OP_MOCK_REPORT, test_mock_report },
	{ IOMMUKIT_TEST_OP_MOCK_AWAIT, test_mock_await },
	{ IOMMUKIT_TEST_OP_MOCK_DETACH, test_mock_detach },
	{ IOMMUKIT_TEST_OP_MOCK_RW, test_mock_rw },
	{ IOMMUKIT_TEST_OP_MOCK_CLING, test_mock_cling },
	{ IOMMUKIT_TEST_OP_IOTLB_CLIENT_CREATE, test_iotlb_client_create },
	{ IOMMUKIT_TEST_OP_IOTLB_BEHAVIOUR, test_iotlb_behaviour },
	{ IOMMUKIT_TEST_OP_IOTLB_CANCEL, test_iotlb_cancel },
	{ IOMMUKIT_TEST_OP_IOTLB_STATS, test_iotlb_stats },
	{ IOMMUKIT_TEST_OP_IOTLB_PREFETCH, test_iotlb_prefetch },
	{ IOMMUKIT_TEST_OP_IOTLB_READER_CREATE, test_iotlb_reader_create },
	{ IOMMUKIT_TEST_OP_IOTLB_READER_DESTROY, test_iotlb_reader_destroy },
	{ IOMMUKIT_TEST_OP_IOTLB_READER_STOP, test_iotlb_reader_stop },
	{ IOMMUKIT_TEST_OP_IOTLB_RUN, test_iotlb_run },
	{ IOMMUKIT_TEST_OP_ONDEMAND_TROUBLE, test_ondemand_trouble },
};

static int test_command(struct iommukit_ctx *ictx, void *cmd,
			void __user *ucmd, u32 user_size)
{
	struct test_request req = {
		.ictx = ictx,
		.cmd = cmd,
		.ucmd = ucmd,
		.user_size = user_size,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(test_ops); i++)
		if (test_ops[i].op == req.cmd->op)
			return test_ops[i].run(&req);
	return -EOPNOTSUPP;
}

static const struct iommukit_test_ops test_hooks = {
	.owner = THIS_MODULE,
	.size = sizeof(struct iommukit_test_cmd),
	.min_size = offsetofend(struct iommukit_test_cmd, last),
	.command = test_command,
};

static int __init test_init(void)
{
	int rc;

	BUILD_BUG_ON(sizeof(struct iommukit_test_cmd) != 72);
	BUILD_BUG_ON(offsetof(struct iommukit_test_cmd, last) != 64);

	rc = iommukit_test_register(&test_hooks);
	if (!rc)
		test_fail_init();
	return rc;
}

static void __exit test_exit(void)
{
	test_fail_exit();
	iommukit_test_set_temp_memory_limit(IOMMUKIT_TEST_TEMP_MEMORY_DEFAULT);
	iommukit_test_hold_ondemand(0);
	iommukit_test_retry_ondemand(0);
	iommukit_test_unregister(&test_hooks);
}

module_init(test_init);
module_exit(test_exit);
MODULE_DESCRIPTION("iommukit: test commands");
MODULE_LICENSE("GPL");
MODULE_VERSION(IOMMUKIT_VERSION);
IOMMUKIT_IMPORT_NS;
MODULE_INFO(import_ns, "IOMMUKIT_INTERNAL");

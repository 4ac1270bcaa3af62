/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside of iommukit_test.ko: test_main.c has the table of ops and those that
 * need no access, test_access.c a driver that does what it is told, test_bitmap.c
 * IOVA bitmaps, test_domain.c software domains, test_iotlb.c and what begins like
 * that another driver, of IOTLBs, test_mock.c and test_nested.c mock devices,
 * test_fail.c the knob of fault injection.
 */
#ifndef IOMMUKIT_TEST_H
#define IOMMUKIT_TEST_H

#include <linux/fs.h>
#include <linux/iommukit.h>
#include <linux/types.h>

#include "iommukit_test_abi.h"

/**
 * struct test_request - One test command
 * @ictx: The context it was called on
 * @cmd: The kernel's copy
 * @ucmd: The caller's structure
 * @user_size: Size of @ucmd
 */
struct test_request {
	struct iommukit_ctx *ictx;
	struct iommukit_test_cmd *cmd;
	void __user *ucmd;
	u32 user_size;
};

int test_respond(const struct test_request *req);
void *test_file_get(u32 fd, const struct file_operations *fops,
		    struct file **file);

int test_access_create(const struct test_request *req);
int test_access_create_ext(const struct test_request *req);
int test_access_behaviour(const struct test_request *req);
int test_access_stats(const struct test_request *req);
int test_access_attach(const struct test_request *req);
int test_access_replace(const struct test_request *req);
int test_access_detach(const struct test_request *req);
int test_access_pages(const struct test_request *req);
int test_access_pages_raw(const struct test_request *req);
int test_access_destroy_pages(const struct test_request *req);
int test_access_rw(const struct test_request *req);
int test_access_rw_raw(const struct test_request *req);
int test_access_unpin_raw(const struct test_request *req);
int test_access_pin_raw(const struct test_request *req);

int test_bitmap(const struct test_request *req);
int test_domain_create(const struct test_request *req);
int test_domain_map(const struct test_request *req);
int test_domain_unmap(const struct test_request *req);
int test_domain_check(const struct test_request *req);
int test_domain_translate(const struct test_request *req);
int test_domain_rw(const struct test_request *req);
int test_domain_set_dirty_tracking(const struct test_request *req);
int test_domain_read_dirty(const struct test_request *req);
int test_domain_chase(const struct test_request *req);
int test_domain_follow(const struct test_request *req);
int test_mock_domain(const struct test_request *req);
int test_mock_domain_replace(const struct test_request *req);
int test_mock_create(const struct test_request *req);
int test_mock_stats(const struct test_request *req);
int test_mock_fault(const struct test_request *req);
int test_mock_report(const struct test_request *req);
int test_mock_await(const struct test_request *req);
int test_mock_detach(const struct test_request *req);
int test_mock_unmap_how(const struct test_request *req);
int test_mock_rw(const struct test_request *req);
int test_mock_cling(const struct test_request *req);
int test_trigger_iopf(const struct test_request *req);
int test_check_map(const struct test_request *req);
int test_check_iotlb(const struct test_request *req);
int test_dirty(const struct test_request *req);

int test_iotlb_client_create(const struct test_request *req);
int test_iotlb_behaviour(const struct test_request *req);
int test_iotlb_cancel(const struct test_request *req);
int test_iotlb_stats(const struct test_request *req);
int test_iotlb_prefetch(const struct test_request *req);
int test_iotlb_reader_create(const struct test_request *req);
int test_iotlb_reader_destroy(const struct test_request *req);
int test_iotlb_reader_stop(const struct test_request *req);
int test_iotlb_run(const struct test_request *req);

void test_fail_init(void);
void test_fail_exit(void);

#endif /* IOMMUKIT_TEST_H */

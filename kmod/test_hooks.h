/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the core offers to iommukit_test.ko and to nobody else. Exported in the
 * symbol namespace IOMMUKIT_INTERNAL.
 */
#ifndef IOMMUKIT_TEST_HOOKS_H
#define IOMMUKIT_TEST_HOOKS_H

#include <linux/types.h>

/* What a test command's structure may have */
#define IOMMUKIT_TEST_SIZE_MAX 128

struct iommukit_ctx;
struct module;

/**
 * struct iommukit_test_ops - The test module, as the core sees it
 * @owner: Held while a command runs
 * @size: Full size of the command structure
 * @min_size: Smallest size a caller may pass
 * @command: Runs a command. @cmd is the kernel's copy, zero filled to @size;
 *	@ucmd and @user_size are the caller's, for writing back. May sleep, no
 *	lock is held. Returns 0 or an errno.
 */
struct iommukit_test_ops {
	struct module *owner;
	u32 size;
	u32 min_size;
	int (*command)(struct iommukit_ctx *ictx, void *cmd, void __user *ucmd,
		       u32 user_size);
};

int iommukit_test_register(const struct iommukit_test_ops *ops);
void iommukit_test_unregister(const struct iommukit_test_ops *ops);

/* For the core */
bool iommukit_test_present(void);
const struct iommukit_test_ops *iommukit_test_ops_get(void);

/* For the test module */

int iommukit_test_add_reserved(struct iommukit_ctx *ictx, u32 ioas_id,
			       unsigned long start, unsigned long last);
void iommukit_test_set_temp_memory_limit(u32 bytes);
void iommukit_test_hold_ondemand(u32 ms);
void iommukit_test_retry_ondemand(u32 n);
void iommukit_test_starve_ondemand(u32 n);
void iommukit_test_device_patience(u32 ms);

#endif /* IOMMUKIT_TEST_HOOKS_H */

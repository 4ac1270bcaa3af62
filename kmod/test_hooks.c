// SPDX-License-Identifier: GPL-2.0-only
/*
 * The door for iommukit_test.ko: one command, and what it needs of the inside.
 */
#include "test_hooks.h"

#include <linux/err.h>
#include <linux/iommukit.h>
#include <linux/mm.h>
#include <linux/rwsem.h>

#include "compat.h"
#include "device.h"
#include "fault.h"
#include "domain_soft.h"
#include "ioas.h"
#include "ondemand.h"
#include "pages.h"

static DECLARE_RWSEM(test_lock);
static const struct iommukit_test_ops *test_ops;

/**
 * iommukit_test_register - add the test command to every context
 * @ops: the test module
 *
 * Context: may sleep.
 * Return: 0; -EINVAL if the structure is too large; -EBUSY if there is a test
 * module already.
 */
int iommukit_test_register(const struct iommukit_test_ops *ops)
{
	int rc = -EBUSY;

	if (ops->size > IOMMUKIT_TEST_SIZE_MAX)
		return -EINVAL;
	down_write(&test_lock);
	if (!test_ops) {
		WRITE_ONCE(test_ops, ops);
		rc = 0;
	}
	up_write(&test_lock);
	return rc;
}
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(iommukit_test_register);

/**
 * iommukit_test_unregister - remove the test command
 * @ops: as registered; not used any more on return
 *
 * Context: may sleep.
 */
void iommukit_test_unregister(const struct iommukit_test_ops *ops)
{
	down_write(&test_lock);
	if (test_ops == ops)
		WRITE_ONCE(test_ops, NULL);
	up_write(&test_lock);
}
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(iommukit_test_unregister);

/**
 * iommukit_test_present - whether the test module is loaded
 */
bool iommukit_test_present(void)
{
	return READ_ONCE(test_ops);
}

/**
 * iommukit_test_ops_get - use the test module
 *
 * Context: may sleep. Undone by module_put() of the owner.
 * Return: its ops, or NULL.
 */
const struct iommukit_test_ops *iommukit_test_ops_get(void)
{
	const struct iommukit_test_ops *ops;

	down_read(&test_lock);
	ops = test_ops;
	if (ops && !try_module_get(ops->owner))
		ops = NULL;
	up_read(&test_lock);
	return ops;
}

/**
 * iommukit_test_add_reserved - reserve a range of IOVA until the IOAS ends
 * @ictx: the context
 * @ioas_id: the IOAS
 * @start: first IOVA
 * @last: last IOVA
 *
 * Context: may sleep; killable.
 * Return: 0; -ENOENT; -EADDRINUSE if something is mapped or allowed there;
 * -ENOMEM; -EINTR.
 */
int iommukit_test_add_reserved(struct iommukit_ctx *ictx, u32 ioas_id,
			       unsigned long start, unsigned long last)
{
	struct ioas *ioas = ioas_get(ictx, ioas_id);
	int rc;

	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = iova_space_reserve(&ioas->space, start, last, NULL);
	ioas_put(ictx, ioas);
	return rc;
}
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(iommukit_test_add_reserved);

/**
 * iommukit_test_set_temp_memory_limit - limit the memory of copies by page
 * @bytes: for the list of pages
 */
void iommukit_test_set_temp_memory_limit(u32 bytes)
{
	pages_set_batch(bytes / sizeof(struct page *));
}
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(iommukit_test_set_temp_memory_limit);

/**
 * iommukit_test_hold_ondemand - hold the lock of on-demand memory longer over each copy
 * @ms: for how long
 */
void iommukit_test_hold_ondemand(u32 ms)
{
	ondemand_set_hold_ms(ms);
}
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(iommukit_test_hold_ondemand);

/**
 * iommukit_test_retry_ondemand - let memory seem to change while pages are found
 * @n: the next so many times
 */
void iommukit_test_retry_ondemand(u32 n)
{
	ondemand_set_retries(n);
}
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(iommukit_test_retry_ondemand);

/**
 * iommukit_test_starve_ondemand - let memory seem to be short while pages are looked for
 * @n: the next so many times
 */
void iommukit_test_starve_ondemand(u32 n)
{
	ondemand_set_nomem(n);
}
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(iommukit_test_starve_ondemand);

/**
 * iommukit_test_device_patience - let devices wait longer or shorter for a page
 * @ms: for how long; 0: as ever
 */
void iommukit_test_device_patience(u32 ms)
{
	fault_async_set_patience(ms);
}
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(iommukit_test_device_patience);

/* Mock devices are objects of a context like others. */
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(object_reserve);
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(object_publish);
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(object_abort);
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(object_get);
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(object_put);
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(iommukit_device_add);
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(iommukit_device_get);
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(device_fault);
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(device_fault_code);
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(device_report_faults);
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(hwpt_get);
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(hwpt_nested_get);

// SPDX-License-Identifier: GPL-2.0-only
/*
 * HWPTs whose domain does not let go of on-demand memory. The process is rid of the pages
 * and does not wait, devices may still reach them: nobody else gets the pages until no
 * device uses the HWPT any more. That is up to a work, for whoever has found out may
 * neither sleep nor allocate; all that it can do at once is to make the context dead, so
 * that nothing comes to the HWPT any more.
 *
 * What cannot be cut off keeps the pages until its devices are detached, or if that does
 * not help until they are unbound: the HWPT stays as long. So does the file of its context,
 * and by that the module.
 */
#include <linux/printk.h>
#include <linux/workqueue.h>

#include "device.h"
#include "domain.h"
#include "ondemand.h"
#include "private.h"

/*
 * Where anybody is told. Once for a HWPT, and once more if its devices could not be cut
 * off. By the work, so it may sleep.
 */
static void report(struct hwpt *hwpt, bool blocked)
{
	struct hwpt_failure *failure = &hwpt->failure;

	if (!failure->told)
		pr_err_ratelimited("HWPT %u did not let go of IOVA [%#lx, %#lx]: its context is dead, and its devices are kept from memory\n",
				   hwpt->obj.id, failure->iova,
				   failure->iova + (failure->length - 1));
	if (!blocked && !failure->told_loose)
		pr_err_ratelimited("HWPT %u: a device could not be kept from it; pages stay until it is detached\n",
				   hwpt->obj.id);
	failure->told = true;
	failure->told_loose = failure->told_loose || !blocked;
}

static void failure_work(struct work_struct *work)
{
	struct hwpt *hwpt = container_of(work, struct hwpt, failure.work);
	bool blocked = device_groups_block(hwpt->ctx, hwpt) &&
		       !READ_ONCE(hwpt->failure.clings);

	report(hwpt, blocked);
	if (blocked)
		ondemand_release_kept(hwpt->domain);
}

/* domain_owner.kept. Not before the first work is over is there a second call. */
static void hwpt_kept(void *opaque, unsigned long iova, size_t length)
{
	struct hwpt *hwpt = opaque;
	struct hwpt_failure *failure = &hwpt->failure;

	if (!failure->length) {
		failure->iova = iova;
		failure->length = length;
	}
	WRITE_ONCE(hwpt->ctx->dead, true);
	schedule_work(&failure->work);
}

/**
 * hwpt_failure_init - answer for the domain of a HWPT
 * @hwpt: the HWPT, with a domain that nobody uses yet
 */
void hwpt_failure_init(struct hwpt *hwpt)
{
	INIT_WORK(&hwpt->failure.work, failure_work);
	hwpt->domain->owner.kept = hwpt_kept;
	hwpt->domain->owner.opaque = hwpt;
}

/**
 * hwpt_failure_retry - a group of devices that could not be cut off has left
 * @hwpt: what it has left, which it still keeps
 *
 * Context: any.
 */
void hwpt_failure_retry(struct hwpt *hwpt)
{
	schedule_work(&hwpt_of_tables(hwpt)->failure.work);
}

/**
 * hwpt_failure_clings - a group of devices was detached, and could not be cut off
 * @hwpt: what it may still use, although nobody knows of it any more
 *
 * If its domain fails, or has failed, pages stay until it ends, which is not before the
 * device is unbound: nobody can do more.
 *
 * Context: any.
 */
void hwpt_failure_clings(struct hwpt *hwpt)
{
	WRITE_ONCE(hwpt_of_tables(hwpt)->failure.clings, true);
}

/**
 * hwpt_clings - whether a device that was detached may still use it
 * @hwpt: the HWPT
 *
 * Then it must not end before the device is unbound.
 *
 * Context: any.
 */
bool hwpt_clings(struct hwpt *hwpt)
{
	return READ_ONCE(hwpt_of_tables(hwpt)->failure.clings);
}

/**
 * hwpt_failure_end - be done with what the domain of a HWPT has kept
 * @hwpt: the HWPT; no device is attached, and its domain mirrors nothing any more
 *
 * Context: may sleep; the lock of a group is not held.
 */
void hwpt_failure_end(struct hwpt *hwpt)
{
	flush_work(&hwpt->failure.work);
	/* It may have found a device that has left since. */
	ondemand_release_kept(hwpt->domain);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Groups of page faults that the kernel answers: those of devices on a HWPT that has no
 * fault queue, but whose devices wait for on-demand memory.
 *
 * A group is answered when all its pages have been looked for, and exactly once. The
 * first page of which something is to be said decides:
 *
 *	SUCCESS	 is to look again: there was nothing to complain of; the mapping went
 *		 while its pages were looked for, so something else may be there; it took
 *		 too long; memory was short for a moment; the device was moved
 *	INVALID	 there was nothing mapped when the device asked, or its permission does
 *		 not suffice; the process has no memory there; the device asked for more
 *		 than a device is allowed to; it was detached
 *	FAILURE	 pages of this memory could not be taken away from an IO page table
 *
 * So a device that meets a mapping on its way out looks again, and then, if there is
 * nothing, gets INVALID: by the time of the second request there is nothing to race
 * with.
 */
#include <linux/atomic.h>
#include <linux/slab.h>

#include "device.h"
#include "fail.h"
#include "fault.h"
#include "iova_space.h"

/* So many groups in a row have to look again for want of memory. */
#define SHORT_OF_MEMORY_MAX 3

/**
 * struct asked_group - Page faults that are answered together
 * @dev: the device that waits for the answer
 * @answer: how it gets it
 * @priv: argument for that
 * @left: how many of @reqs are not done
 * @nr: how many there are
 * @reqs: the faults
 */
struct asked_group {
	struct iommukit_device *dev;
	void (*answer)(void *priv, u32 code);
	void *priv;
	atomic_t left;
	unsigned int nr;
	struct device_request reqs[];
};

static int first_error(const struct asked_group *group)
{
	unsigned int i;

	for (i = 0; i < group->nr; i++)
		if (group->reqs[i].rc)
			return group->reqs[i].rc;
	return 0;
}

static u32 code_of(int rc)
{
	switch (rc) {
	case 0:
	case -EAGAIN:
		return IOMMUKIT_PAGE_RESP_SUCCESS;
	case -EIO:
		return DEVICE_RESP_FAILURE;
	default:
		return IOMMUKIT_PAGE_RESP_INVALID;
	}
}

/**
 * device_fault_code - what a device is told
 * @dev: the device
 * @rc: 0 or an errno of its fault, or of device_report_faults()
 *
 * Context: any.
 * Return: one of IOMMUKIT_PAGE_RESP_*, or DEVICE_RESP_FAILURE.
 */
u32 device_fault_code(struct iommukit_device *dev, int rc)
{
	if (rc != -ENOMEM) {
		atomic_set(&dev->short_of_memory, 0);
		return code_of(rc);
	}
	return atomic_inc_return(&dev->short_of_memory) <= SHORT_OF_MEMORY_MAX ?
	       IOMMUKIT_PAGE_RESP_SUCCESS : IOMMUKIT_PAGE_RESP_INVALID;
}

static void request_done(struct device_request *req)
{
	struct asked_group *group = req->priv;

	if (!atomic_dec_and_test(&group->left))
		return;
	group->answer(group->priv, device_fault_code(group->dev, first_error(group)));
	kfree(group);
}

/* No domain of ours belongs to a PASID, and devices are no privileged users. */
static bool is_allowed(const struct device_fault *fault)
{
	return !(fault->flags & IOMMUKIT_PGFAULT_FLAGS_PASID_VALID) &&
	       !(fault->perm & ~(IOMMUKIT_PGFAULT_PERM_READ |
				 IOMMUKIT_PGFAULT_PERM_WRITE));
}

static void fill_request(struct device_request *req,
			 const struct device_fault *fault,
			 struct asked_group *group)
{
	bool write = fault->perm & IOMMUKIT_PGFAULT_PERM_WRITE;
	bool read = fault->perm & IOMMUKIT_PGFAULT_PERM_READ;

	req->iova = fault->addr;
	/* Who wants nothing wants to look at least. */
	req->prot = (write ? IOVA_WRITE : 0) | (read || !write ? IOVA_READ : 0);
	req->rc = is_allowed(fault) ? 0 : -EPERM;
	req->done = request_done;
	req->priv = group;
}

/**
 * device_resolve_faults - the half of device_report_faults() that asks the kernel
 * @dev: a device
 * @faults: one or several
 * @nr: how many
 * @answer: called once, see there
 * @priv: argument for that
 *
 * Context: any but NMI.
 * Return: 0; -ENOMEM; errnos of device_fault_async(). On failure there will be no
 * answer.
 */
int device_resolve_faults(struct iommukit_device *dev,
			  const struct device_fault *faults, unsigned int nr,
			  void (*answer)(void *priv, u32 code), void *priv)
{
	struct asked_group *group;
	unsigned int i;
	int rc;

	if (!device_faults_async(dev))
		return -ENODEV;
	group = fail_alloc(kzalloc(struct_size(group, reqs, nr),
				   GFP_ATOMIC | __GFP_ACCOUNT));
	if (!group)
		return -ENOMEM;
	group->dev = dev;
	group->answer = answer;
	group->priv = priv;
	atomic_set(&group->left, nr);
	group->nr = nr;
	for (i = 0; i < nr; i++)
		fill_request(&group->reqs[i], &faults[i], group);
	rc = device_fault_async(dev, group->reqs, nr);
	if (rc)
		kfree(group);
	return rc;
}

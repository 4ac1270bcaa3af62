// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mock devices: they translate nothing, but their IO page tables are real, and can
 * be looked at. Each is an object of the context, and a group of its own unless it
 * was asked to join another's.
 */
#include <linux/err.h>
#include <linux/irq_work.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/rwsem.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "device.h"
#include "domain.h"
#include "domain_soft.h"
#include "fault.h"
#include "test.h"
#include "test_mock.h"

#define MOCK_HUGE_SIZE (512 * MOCK_PAGE_SIZE)
#define MOCK_FLAGS (IOMMUKIT_TEST_DEVICE_NO_DIRTY |   \
		    IOMMUKIT_TEST_DEVICE_HUGE_IOVA |  \
		    IOMMUKIT_TEST_DEVICE_PASID)
#define MOCK_CREATE_FLAGS (MOCK_FLAGS | IOMMUKIT_TEST_DEVICE_REGION | \
			   IOMMUKIT_TEST_DEVICE_SW_MSI | \
			   IOMMUKIT_TEST_DEVICE_KEEPS | \
			   IOMMUKIT_TEST_DEVICE_FAULTS)
#define MOCK_FAULTS_MAX 8

/**
 * struct mock_group - Devices whose IOMMU cannot tell them apart
 * @kref: One of each device
 * @switches: How often they got another domain, or none
 * @lock: Read while a device uses @domain
 * @domain: What they are attached to, or NULL
 * @msi: How often a domain was prepared for interrupts
 */
struct mock_group {
	struct kref kref;
	u32 switches;
	struct rw_semaphore lock;
	struct domain *domain;
	atomic_t msi;
};

/**
 * struct mock_device - Object that stands for a device
 * @obj: The object
 * @desc: What the core knows of it
 * @region: What it does not translate
 * @group: Its group
 * @dev: The device object, bound and attached
 * @flags: IOMMUKIT_TEST_DEVICE_*
 * @detached: It is attached no more
 * @answers: How many groups of faults were answered, by code
 * @again: How many were not taken, so that it has to ask again
 * @pending: How many wait for an answer
 * @wait: Woken by each
 */
struct mock_device {
	struct iommukit_object obj;
	struct device_desc desc;
	struct device_region region;
	struct mock_group *group;
	struct iommukit_device *dev;
	u32 flags;
	atomic_t detached;
	atomic_t answers[DEVICE_RESP_FAILURE + 1];
	atomic_t again;
	atomic_t pending;
	wait_queue_head_t wait;
};

static void mock_group_release(struct kref *kref)
{
	kfree(container_of(kref, struct mock_group, kref));
}

static void mock_group_put(struct mock_group *group)
{
	kref_put(&group->kref, mock_group_release);
}

/* ---- as the core sees it ---- */

/* Those of a domain that keeps something, of one that faults, and of any other */
static struct domain_ops mock_keeping_ops;
static struct domain_ops mock_faulting_ops;
static const struct domain_ops *mock_ops;

static u32 mock_unmap_how;
static bool mock_cling;

static size_t mock_unmap_less(struct domain *domain, unsigned long iova,
			      size_t length, struct domain_gather *gather)
{
	return mock_ops->unmap(domain, iova, length - MOCK_PAGE_SIZE, gather);
}

/* As IOMMUs that take a large entry away as a whole */
static size_t mock_unmap_more(struct domain *domain, unsigned long iova,
			      size_t length, struct domain_gather *gather)
{
	unsigned long end = iova + length;

	while (end % SZ_2M &&
	       domain->ops->iova_to_phys(domain, end) != PHYS_ADDR_MAX)
		end += MOCK_PAGE_SIZE;
	return mock_ops->unmap(domain, iova, end - iova, gather);
}

static size_t mock_unmap_somehow(struct domain *domain, unsigned long iova,
				 size_t length, struct domain_gather *gather)
{
	switch (READ_ONCE(mock_unmap_how)) {
	case IOMMUKIT_TEST_UNMAP_MORE:
		return mock_unmap_more(domain, iova, length, gather);
	case IOMMUKIT_TEST_UNMAP_LESS:
		length = min(length, PAGE_SIZE);
		break;
	case IOMMUKIT_TEST_UNMAP_NOTHING:
		return 0;
	}
	return mock_ops->unmap(domain, iova, length, gather);
}

static struct domain *mock_domain_create(void *priv, unsigned int flags)
{
	struct mock_device *mock = priv;
	bool by_page = (flags & DOMAIN_CREATE_DIRTY) ||
		       (mock->flags & (IOMMUKIT_TEST_DEVICE_KEEPS |
				       IOMMUKIT_TEST_DEVICE_FAULTS));
	unsigned long sizes = MOCK_PAGE_SIZE;
	struct domain *domain;

	if (mock->flags & IOMMUKIT_TEST_DEVICE_HUGE_IOVA)
		sizes |= MOCK_HUGE_SIZE;
	domain = domain_soft_create(sizes, IOMMUKIT_TEST_APERTURE_FIRST,
				    IOMMUKIT_TEST_APERTURE_LAST, by_page);
	if (!IS_ERR(domain) && (mock->flags & IOMMUKIT_TEST_DEVICE_KEEPS)) {
		struct domain_ops ops = *domain->ops;

		/* The same each time */
		mock_ops = domain->ops;
		ops.unmap = mock_unmap_less;
		mock_keeping_ops = ops;
		domain->ops = &mock_keeping_ops;
	}
	if (!IS_ERR(domain) && (mock->flags & IOMMUKIT_TEST_DEVICE_FAULTS)) {
		struct domain_ops ops = *domain->ops;

		mock_ops = domain->ops;
		ops.unmap = mock_unmap_somehow;
		mock_faulting_ops = ops;
		domain->ops = &mock_faulting_ops;
		domain->faults = true;
	}
	return domain;
}

static int mock_set_domain(void *priv, struct domain *domain)
{
	struct mock_device *mock = priv;

	if (!domain && READ_ONCE(mock_cling))
		return -EIO;
	down_write(&mock->group->lock);
	mock->group->switches++;
	mock->group->domain = domain;
	up_write(&mock->group->lock);
	return 0;
}

static int mock_set_msi(void *priv, struct domain *domain, unsigned long base)
{
	struct mock_device *mock = priv;

	atomic_inc(&mock->group->msi);
	return 0;
}

static const void *mock_hw_info(void *priv, u32 *type, size_t *length)
{
	static const struct iommukit_test_hw_info info = {
		.test_reg = IOMMUKIT_TEST_HW_INFO_REGVAL,
	};

	if (*type && *type != IOMMUKIT_TEST_HW_INFO_TYPE)
		return ERR_PTR(-EOPNOTSUPP);
	*type = IOMMUKIT_TEST_HW_INFO_TYPE;
	*length = sizeof(info);
	return &info;
}

const struct device_ops mock_device_ops = {
	.owner = THIS_MODULE,
	.domain = IOMMUKIT_NL_DOMAIN_DRIVER,
	.domain_create = mock_domain_create,
	.set_domain = mock_set_domain,
	.nested_create = mock_nested_create,
	.set_msi = mock_set_msi,
	.hw_info = mock_hw_info,
};

/* ---- as user space sees it ---- */

static void mock_destroy(struct iommukit_object *obj)
{
	struct mock_device *mock = container_of(obj, struct mock_device, obj);

	if (!atomic_xchg(&mock->detached, 1))
		iommukit_device_detach(mock->dev);
	iommukit_device_unbind(mock->dev);
	WARN_ON(atomic_read(&mock->pending));
	mock_group_put(mock->group);
}

static const struct object_ops mock_object_ops = {
	.name = "mock",
	.owner = THIS_MODULE,
	.destroy = mock_destroy,
};

static struct mock_device *mock_get(struct iommukit_ctx *ictx, u32 id)
{
	struct iommukit_object *obj = object_get(ictx, id, &mock_object_ops);

	if (IS_ERR(obj))
		return ERR_CAST(obj);
	return container_of(obj, struct mock_device, obj);
}

/**
 * struct mock_spec - A mock device that is asked for
 * @pt_id: What it is attached to; then the HWPT
 * @flags: IOMMUKIT_TEST_DEVICE_*
 * @sibling: Whose group it joins, or 0
 * @region: What it does not translate
 */
struct mock_spec {
	u32 pt_id;
	u32 flags;
	u32 sibling;
	struct device_region region;
};

static struct mock_group *mock_group_get(struct iommukit_ctx *ictx, u32 sibling)
{
	struct mock_device *mock;
	struct mock_group *group;

	if (!sibling) {
		group = kzalloc(sizeof(*group), GFP_KERNEL_ACCOUNT);
		if (!group)
			return ERR_PTR(-ENOMEM);
		kref_init(&group->kref);
		init_rwsem(&group->lock);
		return group;
	}
	mock = mock_get(ictx, sibling);
	if (IS_ERR(mock))
		return ERR_CAST(mock);
	group = mock->group;
	kref_get(&group->kref);
	object_put(ictx, &mock->obj);
	return group;
}

static int mock_create(const struct test_request *req, struct mock_spec *spec)
{
	struct iommukit_test_cmd *cmd = req->cmd;
	struct iommukit_object *obj;
	struct mock_device *mock;
	u32 dev_id;
	int ret;

	BUILD_BUG_ON(offsetof(struct mock_device, obj));
	obj = object_reserve(req->ictx, sizeof(*mock), &mock_object_ops);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	mock = container_of(obj, struct mock_device, obj);
	mock->flags = spec->flags;
	mock->region = spec->region;
	init_waitqueue_head(&mock->wait);
	mock->group = mock_group_get(req->ictx, spec->sibling);
	if (IS_ERR(mock->group)) {
		ret = PTR_ERR(mock->group);
		goto err_abort;
	}
	mock->desc = (struct device_desc){
		.ops = &mock_device_ops,
		.priv = mock,
		.group = mock->group,
		.abilities = DEVICE_USER_DOMAINS |
			     (spec->flags & IOMMUKIT_TEST_DEVICE_NO_DIRTY ?
				      0 : DEVICE_DIRTY_TRACKING),
		.pasid_bits = spec->flags & IOMMUKIT_TEST_DEVICE_PASID ?
				      IOMMUKIT_TEST_PASID_WIDTH : 0,
		.regions = &mock->region,
		.nr_regions = !!(spec->flags & (IOMMUKIT_TEST_DEVICE_REGION |
						IOMMUKIT_TEST_DEVICE_SW_MSI)),
		.driver = KBUILD_MODNAME,
		.owned_by_ctx = true,
	};
	mock->dev = iommukit_device_add(req->ictx, &mock->desc, &dev_id);
	if (IS_ERR(mock->dev)) {
		ret = PTR_ERR(mock->dev);
		goto err_put_group;
	}
	ret = iommukit_device_attach(mock->dev, &spec->pt_id);
	if (ret)
		goto err_unbind;
	cmd->mock_domain.out_stdev_id = obj->id;
	cmd->mock_domain.out_hwpt_id = spec->pt_id;
	cmd->mock_domain.out_idev_id = dev_id;
	ret = test_respond(req);
	if (ret)
		goto err_detach;
	object_publish(req->ictx, obj);
	return 0;

err_detach:
	iommukit_device_detach(mock->dev);
err_unbind:
	iommukit_device_unbind(mock->dev);
err_put_group:
	mock_group_put(mock->group);
err_abort:
	object_abort(req->ictx, obj);
	return ret;
}

int test_mock_domain(const struct test_request *req)
{
	struct iommukit_test_cmd *cmd = req->cmd;
	struct mock_spec spec = { .pt_id = cmd->id };

	if (cmd->op == IOMMUKIT_TEST_OP_MOCK_DOMAIN_FLAGS)
		spec.flags = cmd->mock_domain.dev_flags;
	if (spec.flags & ~MOCK_FLAGS)
		return -EINVAL;
	return mock_create(req, &spec);
}

int test_mock_create(const struct test_request *req)
{
	struct iommukit_test_cmd *cmd = req->cmd;
	struct mock_spec spec = {
		.pt_id = cmd->id,
		.flags = cmd->mock_create.dev_flags,
		.sibling = cmd->mock_create.sibling,
		.region = {
			.first = cmd->mock_create.first,
			.last = cmd->mock_create.last,
			.sw_msi = cmd->mock_create.dev_flags &
				  IOMMUKIT_TEST_DEVICE_SW_MSI,
		},
	};

	if ((spec.flags & ~MOCK_CREATE_FLAGS) || cmd->mock_create.__reserved ||
	    spec.region.first > spec.region.last ||
	    (spec.flags & IOMMUKIT_TEST_DEVICE_KEEPS &&
	     spec.flags & IOMMUKIT_TEST_DEVICE_FAULTS))
		return -EINVAL;
	return mock_create(req, &spec);
}

int test_mock_domain_replace(const struct test_request *req)
{
	struct iommukit_test_cmd *cmd = req->cmd;
	u32 pt_id = cmd->mock_domain_replace.pt_id;
	struct mock_device *mock;
	int ret;

	mock = mock_get(req->ictx, cmd->id);
	if (IS_ERR(mock))
		return PTR_ERR(mock);
	ret = iommukit_device_replace(mock->dev, &pt_id);
	object_put(req->ictx, &mock->obj);
	if (ret)
		return ret;
	cmd->mock_domain_replace.pt_id = pt_id;
	return test_respond(req);
}

int test_mock_fault(const struct test_request *req)
{
	struct iommukit_test_cmd *cmd = req->cmd;
	struct mock_device *mock;
	int ret;

	if (!cmd->mock_fault.length)
		return -EINVAL;
	mock = mock_get(req->ictx, cmd->id);
	if (IS_ERR(mock))
		return PTR_ERR(mock);
	ret = device_fault(mock->dev, cmd->mock_fault.iova,
			   cmd->mock_fault.length, cmd->mock_fault.write);
	object_put(req->ictx, &mock->obj);
	return ret;
}

int test_mock_unmap_how(const struct test_request *req)
{
	u32 how = req->cmd->mock_unmap_how.how;

	if (how > IOMMUKIT_TEST_UNMAP_NOTHING)
		return -EINVAL;
	WRITE_ONCE(mock_unmap_how, how);
	return 0;
}

int test_mock_cling(const struct test_request *req)
{
	WRITE_ONCE(mock_cling, req->cmd->mock_cling.on);
	return 0;
}

/* What comes of it on the bus: -ENOENT also if nothing is translated. */
static int mock_dma(struct mock_group *group, u64 iova, void *data, size_t length,
		    bool write)
{
	int ret = -ENOENT;

	down_read(&group->lock);
	if (group->domain)
		ret = domain_soft_rw(mock_tables(group->domain), iova, data,
				     length, write);
	up_read(&group->lock);
	return ret;
}

int test_mock_rw(const struct test_request *req)
{
	struct iommukit_test_cmd *cmd = req->cmd;
	void __user *user = u64_to_user_ptr(cmd->mock_rw.uptr);
	size_t length = cmd->mock_rw.length;
	bool write = cmd->mock_rw.write;
	struct mock_device *mock;
	void *data;
	int ret = 0;

	if (!length || length > PAGE_SIZE)
		return -EINVAL;
	data = kzalloc(PAGE_SIZE, GFP_KERNEL_ACCOUNT);
	if (!data)
		return -ENOMEM;
	mock = mock_get(req->ictx, cmd->id);
	if (IS_ERR(mock)) {
		ret = PTR_ERR(mock);
		goto out_free;
	}
	if (write && copy_from_user(data, user, length))
		ret = -EFAULT;
	ret = ret ?: mock_dma(mock->group, cmd->mock_rw.iova, data, length,
			      write);
	object_put(req->ictx, &mock->obj);
	if (!ret && !write && copy_to_user(user, data, length))
		ret = -EFAULT;
out_free:
	kfree(data);
	return ret;
}

int test_mock_stats(const struct test_request *req)
{
	struct iommukit_test_cmd *cmd = req->cmd;
	struct mock_device *mock = mock_get(req->ictx, cmd->id);

	if (IS_ERR(mock))
		return PTR_ERR(mock);
	cmd->mock_stats.out_success =
		atomic_read(&mock->answers[IOMMUKIT_PAGE_RESP_SUCCESS]);
	cmd->mock_stats.out_invalid =
		atomic_read(&mock->answers[IOMMUKIT_PAGE_RESP_INVALID]);
	cmd->mock_stats.out_failure =
		atomic_read(&mock->answers[DEVICE_RESP_FAILURE]);
	cmd->mock_stats.out_again = atomic_read(&mock->again);
	cmd->mock_stats.out_switches = READ_ONCE(mock->group->switches);
	cmd->mock_stats.out_attached = !!READ_ONCE(mock->group->domain);
	cmd->mock_stats.out_msi = atomic_read(&mock->group->msi);
	object_put(req->ictx, &mock->obj);
	return test_respond(req);
}

/* ---- faults ---- */

static void mock_answer(void *priv, u32 code)
{
	struct mock_device *mock = priv;

	atomic_inc(&mock->answers[code]);
	atomic_dec(&mock->pending);
	wake_up_all(&mock->wait);
}

/* As an IOMMU does: nobody there to answer is an answer as well. */
static void mock_report(struct mock_device *mock,
			const struct device_fault *faults, unsigned int nr)
{
	int ret;

	atomic_inc(&mock->pending);
	ret = device_report_faults(mock->dev, faults, nr, mock_answer, mock);
	if (!ret)
		return;
	if (ret == -EAGAIN)
		atomic_inc(&mock->again);
	mock_answer(mock, device_fault_code(mock->dev, ret));
}

int test_trigger_iopf(const struct test_request *req)
{
	struct iommukit_test_cmd *cmd = req->cmd;
	bool several = cmd->op == IOMMUKIT_TEST_OP_MOCK_FAULTS;
	u32 i, nr = several ? cmd->trigger_iopf.count : 1;
	struct device_fault faults[MOCK_FAULTS_MAX] = {};
	struct iommukit_device *dev;
	struct mock_device *mock;

	if (!nr || nr > MOCK_FAULTS_MAX)
		return -EINVAL;
	dev = iommukit_device_get(req->ictx, cmd->trigger_iopf.dev_id);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	if (dev->desc->ops != &mock_device_ops) {
		object_put(req->ictx, &dev->obj);
		return -EINVAL;
	}
	for (i = 0; i < nr; i++) {
		faults[i].flags = cmd->trigger_iopf.pasid ?
				  IOMMUKIT_PGFAULT_FLAGS_PASID_VALID : 0;
		faults[i].pasid = cmd->trigger_iopf.pasid;
		faults[i].grpid = cmd->trigger_iopf.grpid;
		faults[i].perm = cmd->trigger_iopf.perm;
		faults[i].addr = cmd->trigger_iopf.addr + i * PAGE_SIZE;
	}
	faults[nr - 1].flags |= IOMMUKIT_PGFAULT_FLAGS_LAST_PAGE;
	mock = dev->desc->priv;
	mock_report(mock, faults, nr);
	object_put(req->ictx, &dev->obj);
	return 0;
}

/**
 * struct mock_irq - A report out of an interrupt
 * @work: The interrupt
 * @mock: Who reports
 * @faults: What
 * @nr: How many
 */
struct mock_irq {
	struct irq_work work;
	struct mock_device *mock;
	const struct device_fault *faults;
	unsigned int nr;
};

static void mock_irq_run(struct irq_work *work)
{
	struct mock_irq *irq = container_of(work, struct mock_irq, work);

	mock_report(irq->mock, irq->faults, irq->nr);
}

static void mock_report_by_irq(struct mock_device *mock,
			       const struct device_fault *faults,
			       unsigned int nr)
{
	struct mock_irq irq = {
		.work = IRQ_WORK_INIT_HARD(mock_irq_run),
		.mock = mock,
		.faults = faults,
		.nr = nr,
	};

	irq_work_queue(&irq.work);
	irq_work_sync(&irq.work);
}

static struct device_fault *mock_read_faults(const struct iommukit_test_cmd *cmd)
{
	u32 i, nr = cmd->mock_report.nr;
	const struct iommukit_test_page_fault __user *uptr =
		u64_to_user_ptr(cmd->mock_report.uptr);
	struct device_fault *faults;

	faults = kcalloc(nr, sizeof(*faults), GFP_KERNEL_ACCOUNT);
	if (!faults)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < nr; i++) {
		struct iommukit_test_page_fault from;

		if (copy_from_user(&from, &uptr[i], sizeof(from))) {
			kfree(faults);
			return ERR_PTR(-EFAULT);
		}
		faults[i].addr = from.addr;
		faults[i].perm = from.perm;
		faults[i].flags = from.flags;
	}
	return faults;
}

int test_mock_report(const struct test_request *req)
{
	struct iommukit_test_cmd *cmd = req->cmd;
	u32 i, nr = cmd->mock_report.nr;
	struct device_fault *faults;
	struct mock_device *mock;
	int ret = 0;

	if (!nr || nr > IOMMUKIT_TEST_REPORT_MAX ||
	    (cmd->mock_report.flags & ~IOMMUKIT_TEST_REPORT_IRQ))
		return -EINVAL;
	faults = mock_read_faults(cmd);
	if (IS_ERR(faults))
		return PTR_ERR(faults);
	mock = mock_get(req->ictx, cmd->id);
	if (IS_ERR(mock)) {
		ret = PTR_ERR(mock);
		goto out_free;
	}
	for (i = 0; i < cmd->mock_report.times; i++) {
		if (cmd->mock_report.flags & IOMMUKIT_TEST_REPORT_IRQ)
			mock_report_by_irq(mock, faults, nr);
		else
			mock_report(mock, faults, nr);
		cond_resched();
		if (fatal_signal_pending(current)) {
			ret = -EINTR;
			break;
		}
	}
	object_put(req->ictx, &mock->obj);
out_free:
	kfree(faults);
	return ret;
}

int test_mock_await(const struct test_request *req)
{
	struct mock_device *mock = mock_get(req->ictx, req->cmd->id);
	long left;

	if (IS_ERR(mock))
		return PTR_ERR(mock);
	left = wait_event_interruptible_timeout(
		mock->wait,
		atomic_read(&mock->pending) <= (int)req->cmd->mock_await.pending,
		60 * HZ);
	object_put(req->ictx, &mock->obj);
	if (left < 0)
		return left;
	return left ? 0 : -ETIME;
}

int test_mock_detach(const struct test_request *req)
{
	struct mock_device *mock = mock_get(req->ictx, req->cmd->id);

	if (IS_ERR(mock))
		return PTR_ERR(mock);
	if (!atomic_xchg(&mock->detached, 1))
		iommukit_device_detach(mock->dev);
	object_put(req->ictx, &mock->obj);
	return 0;
}

/* ---- page tables ---- */

static struct hwpt *mock_hwpt_get(const struct test_request *req)
{
	struct hwpt *hwpt = hwpt_get(req->ictx, req->cmd->id);

	if (IS_ERR(hwpt) || hwpt->ops == &mock_device_ops)
		return hwpt;
	object_put(req->ictx, &hwpt->obj);
	return ERR_PTR(-EINVAL);
}

/* Does @iova lead to the memory that is at @uptr? */
static int mock_check_page(struct domain *domain, unsigned long iova,
			   unsigned long uptr)
{
	phys_addr_t phys;
	struct page *page;
	int ret;

	ret = get_user_pages_fast(uptr, 1, 0, &page);
	/* Kernels differ in what they say of the end of all addresses. */
	if (!ret || ret == -EOVERFLOW)
		return -EFAULT;
	if (ret < 0)
		return ret;
	phys = PFN_PHYS(page_to_pfn(page)) + offset_in_page(uptr);
	put_page(page);
	return domain->ops->iova_to_phys(domain, iova) == phys ? 0 : -EINVAL;
}

int test_check_map(const struct test_request *req)
{
	u64 iova = req->cmd->check_map.iova;
	u64 length = req->cmd->check_map.length;
	u64 uptr = req->cmd->check_map.uptr;
	struct hwpt *hwpt;
	u64 end;
	int ret = 0;

	if (!IS_ALIGNED(iova | length | uptr, MOCK_PAGE_SIZE) ||
	    check_add_overflow(uptr, length, &end))
		return -EINVAL;
	hwpt = mock_hwpt_get(req);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	for (; !ret && uptr != end; uptr += MOCK_PAGE_SIZE) {
		ret = mock_check_page(hwpt->domain, iova, uptr);
		iova += MOCK_PAGE_SIZE;
		cond_resched();
	}
	object_put(req->ictx, &hwpt->obj);
	return ret;
}

/* As if a device had written where bits of the caller's are set. */
static int mock_mark(struct domain *domain, struct iommukit_test_cmd *cmd)
{
	u64 nr = cmd->dirty.length / cmd->dirty.page_size;
	const u8 __user *bits = u64_to_user_ptr(cmd->dirty.uptr);
	u8 byte = 0;
	u64 i;

	cmd->dirty.out_nr_dirty = 0;
	for (i = 0; i < nr; i++) {
		if (!(i % 8) && get_user(byte, &bits[i / 8]))
			return -EFAULT;
		if ((byte & BIT(i % 8)) &&
		    !domain_soft_mark(domain, cmd->dirty.iova +
						      i * cmd->dirty.page_size))
			cmd->dirty.out_nr_dirty++;
		if (!(i % 4096)) {
			if (fatal_signal_pending(current))
				return -EINTR;
			cond_resched();
		}
	}
	return 0;
}

int test_dirty(const struct test_request *req)
{
	struct iommukit_test_cmd *cmd = req->cmd;
	u64 page_size = cmd->dirty.page_size;
	struct hwpt *hwpt;
	int ret;

	if (!page_size || !cmd->dirty.length || !cmd->dirty.uptr ||
	    cmd->dirty.iova % page_size || cmd->dirty.length % page_size)
		return -EINVAL;
	hwpt = mock_hwpt_get(req);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	ret = hwpt->domain->dirty_tracking ? mock_mark(hwpt->domain, cmd) :
					     -EINVAL;
	object_put(req->ictx, &hwpt->obj);
	return ret ?: test_respond(req);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mock devices: they translate nothing, but their IO page tables are real, and can
 * be looked at. Each is a group of its own, and an object of the context.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "device.h"
#include "domain.h"
#include "domain_soft.h"
#include "test.h"

#define MOCK_PAGE_SIZE (PAGE_SIZE / 2)
#define MOCK_HUGE_SIZE (512 * MOCK_PAGE_SIZE)
#define MOCK_FLAGS (IOMMUKIT_TEST_DEVICE_NO_DIRTY |   \
		    IOMMUKIT_TEST_DEVICE_HUGE_IOVA |  \
		    IOMMUKIT_TEST_DEVICE_PASID)

/**
 * struct mock_device - Object that stands for a device
 * @obj: The object
 * @ictx: Its context
 * @desc: What the core knows of it
 * @dev: The device object, bound and attached
 * @flags: IOMMUKIT_TEST_DEVICE_*
 * @domain: What it uses, or NULL
 */
struct mock_device {
	struct iommukit_object obj;
	struct iommukit_ctx *ictx;
	struct device_desc desc;
	struct iommukit_device *dev;
	u32 flags;
	struct domain *domain;
};

static struct domain *mock_domain_create(void *priv, unsigned int flags)
{
	struct mock_device *mock = priv;
	unsigned long sizes = MOCK_PAGE_SIZE;

	if (mock->flags & IOMMUKIT_TEST_DEVICE_HUGE_IOVA)
		sizes |= MOCK_HUGE_SIZE;
	return domain_soft_create(sizes, IOMMUKIT_TEST_APERTURE_FIRST,
				  IOMMUKIT_TEST_APERTURE_LAST);
}

static int mock_set_domain(void *priv, struct domain *domain)
{
	struct mock_device *mock = priv;

	mock->domain = domain;
	return 0;
}

static const struct device_ops mock_device_ops = {
	.domain_create = mock_domain_create,
	.set_domain = mock_set_domain,
};

static void mock_destroy(struct iommukit_object *obj)
{
	struct mock_device *mock = container_of(obj, struct mock_device, obj);

	iommukit_device_detach(mock->dev);
	iommukit_device_unbind(mock->dev);
}

static const struct object_ops mock_object_ops = {
	.owner = THIS_MODULE,
	.destroy = mock_destroy,
};

int test_mock_domain(const struct test_request *req)
{
	struct iommukit_test_cmd *cmd = req->cmd;
	bool with_flags = cmd->op == IOMMUKIT_TEST_OP_MOCK_DOMAIN_FLAGS;
	u32 flags = with_flags ? cmd->mock_domain.dev_flags : 0;
	u32 pt_id = cmd->id;
	struct iommukit_object *obj;
	struct mock_device *mock;
	u32 dev_id;
	int ret;

	BUILD_BUG_ON(offsetof(struct mock_device, obj));
	if (flags & ~MOCK_FLAGS)
		return -EINVAL;
	obj = object_reserve(req->ictx, sizeof(*mock), &mock_object_ops);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	mock = container_of(obj, struct mock_device, obj);
	mock->ictx = req->ictx;
	mock->flags = flags;
	mock->desc = (struct device_desc){
		.ops = &mock_device_ops,
		.priv = mock,
		.group = mock,
		.abilities = DEVICE_USER_DOMAINS |
			     (flags & IOMMUKIT_TEST_DEVICE_NO_DIRTY ?
				      0 : DEVICE_DIRTY_TRACKING),
		.owned_by_ctx = true,
	};
	mock->dev = iommukit_device_bind(req->ictx, &mock->desc, &dev_id);
	if (IS_ERR(mock->dev)) {
		ret = PTR_ERR(mock->dev);
		goto err_abort;
	}
	ret = iommukit_device_attach(mock->dev, &pt_id);
	if (ret)
		goto err_unbind;
	cmd->mock_domain.out_stdev_id = obj->id;
	cmd->mock_domain.out_hwpt_id = pt_id;
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
err_abort:
	object_abort(req->ictx, obj);
	return ret;
}

int test_mock_domain_replace(const struct test_request *req)
{
	struct iommukit_test_cmd *cmd = req->cmd;
	struct iommukit_object *obj;
	u32 pt_id = cmd->mock_domain_replace.pt_id;
	int ret;

	obj = object_get(req->ictx, cmd->id, &mock_object_ops);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	ret = iommukit_device_replace(container_of(obj, struct mock_device, obj)->dev,
			     &pt_id);
	object_put(req->ictx, obj);
	if (ret)
		return ret;
	cmd->mock_domain_replace.pt_id = pt_id;
	return test_respond(req);
}

/* Does @iova lead to the memory that is at @uptr? */
static int mock_check_page(struct domain *domain, unsigned long iova,
			   unsigned long uptr)
{
	phys_addr_t phys;
	struct page *page;
	int ret;

	ret = get_user_pages_fast(uptr, 1, 0, &page);
	if (ret < 0)
		return ret;
	if (!ret)
		return -EFAULT;
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
	hwpt = hwpt_get(req->ictx, req->cmd->id);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	if (hwpt->ops != &mock_device_ops)
		ret = -EINVAL;
	for (; !ret && uptr != end; uptr += MOCK_PAGE_SIZE) {
		ret = mock_check_page(hwpt->mirror.domain, iova, uptr);
		iova += MOCK_PAGE_SIZE;
		cond_resched();
	}
	object_put(req->ictx, &hwpt->obj);
	return ret;
}

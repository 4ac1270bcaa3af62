// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nested domains of mock devices: no tables, only a cache, which user space fills and
 * empties, and looks at.
 */
#include <linux/err.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "device.h"
#include "domain.h"
#include "test.h"
#include "test_mock.h"

/**
 * struct mock_nested - A nested domain
 * @domain: The domain
 * @parent: What it is nested in
 * @iotlb: Its cache
 */
struct mock_nested {
	struct domain domain;
	struct domain *parent;
	u32 iotlb[IOMMUKIT_TEST_IOTLB_NUM];
};

static struct mock_nested *nested_of(struct domain *domain)
{
	return container_of(domain, struct mock_nested, domain);
}

static int nested_forget(struct mock_nested *nested,
			 const struct iommukit_test_invalidate *request)
{
	u32 i;

	if (request->flags & ~IOMMUKIT_TEST_INVALIDATE_ALL)
		return -EOPNOTSUPP;
	if (request->iotlb_id >= IOMMUKIT_TEST_IOTLB_NUM)
		return -EINVAL;
	if (!(request->flags & IOMMUKIT_TEST_INVALIDATE_ALL))
		WRITE_ONCE(nested->iotlb[request->iotlb_id], 0);
	else
		for (i = 0; i < IOMMUKIT_TEST_IOTLB_NUM; i++)
			WRITE_ONCE(nested->iotlb[i], 0);
	return 0;
}

static int nested_invalidate(struct domain *domain,
			     struct domain_requests *requests)
{
	const struct iommukit_test_invalidate __user *data = requests->data;
	struct iommukit_test_invalidate request;
	int ret;

	if (requests->type != IOMMUKIT_TEST_INVALIDATE_TYPE ||
	    (requests->nr && requests->entry_len != sizeof(request)))
		return -EINVAL;
	for (; requests->done < requests->nr; requests->done++) {
		if (copy_from_user(&request, &data[requests->done],
				   sizeof(request)))
			return -EFAULT;
		ret = nested_forget(nested_of(domain), &request);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

static void nested_free(struct domain *domain)
{
	kfree(nested_of(domain));
}

static const struct domain_ops nested_ops = {
	.invalidate = nested_invalidate,
	.free = nested_free,
};

struct domain *mock_nested_create(void *priv, struct domain *parent,
				  const struct device_user_data *data)
{
	struct iommukit_test_hwpt user;
	struct mock_nested *nested;
	u32 i;

	if (data->type != IOMMUKIT_TEST_HWPT_DATA_TYPE)
		return ERR_PTR(-EOPNOTSUPP);
	if (data->length != sizeof(user))
		return ERR_PTR(-EINVAL);
	if (copy_from_user(&user, data->data, sizeof(user)))
		return ERR_PTR(-EFAULT);
	nested = kzalloc(sizeof(*nested), GFP_KERNEL_ACCOUNT);
	if (!nested)
		return ERR_PTR(-ENOMEM);
	nested->domain.ops = &nested_ops;
	nested->parent = parent;
	for (i = 0; i < IOMMUKIT_TEST_IOTLB_NUM; i++)
		nested->iotlb[i] = user.iotlb;
	return &nested->domain;
}

/* Where a device gets by a domain of any kind: those that are nested translate nothing. */
struct domain *mock_tables(struct domain *domain)
{
	return domain->ops == &nested_ops ? nested_of(domain)->parent : domain;
}

int test_check_iotlb(const struct test_request *req)
{
	u32 id = req->cmd->check_iotlb.id;
	struct hwpt *hwpt;
	int ret = -EINVAL;

	hwpt = hwpt_nested_get(req->ictx, req->cmd->id);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	if (hwpt->ops == &mock_device_ops && id < IOMMUKIT_TEST_IOTLB_NUM &&
	    READ_ONCE(nested_of(hwpt->domain)->iotlb[id]) ==
		    req->cmd->check_iotlb.iotlb)
		ret = 0;
	object_put(req->ictx, &hwpt->obj);
	return ret;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the mock devices share. */
#ifndef IOMMUKIT_TEST_MOCK_H
#define IOMMUKIT_TEST_MOCK_H

#include <linux/mm.h>

struct device_user_data;
struct domain;

#define MOCK_PAGE_SIZE (PAGE_SIZE / 2)

extern const struct device_ops mock_device_ops;

struct domain *mock_tables(struct domain *domain);
struct domain *mock_nested_create(void *priv, struct domain *parent,
				  const struct device_user_data *data);

#endif /* IOMMUKIT_TEST_MOCK_H */

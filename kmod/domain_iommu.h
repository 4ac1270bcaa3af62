/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Domains of hardware: IO page tables of the kernel's IOMMU drivers.
 */
#ifndef IOMMUKIT_DOMAIN_IOMMU_H
#define IOMMUKIT_DOMAIN_IOMMU_H

#include "domain.h"

struct device;
struct iommu_domain;
struct iommu_ops;

struct domain *domain_iommu_create(struct device *dev, bool enforce);
struct iommu_domain *domain_iommu_hw(struct domain *domain);
void domain_iommu_attach_begin(struct domain *domain);
void domain_iommu_attach_end(struct domain *domain);
bool domain_iommu_suits(struct domain *domain, struct device *dev);
bool domain_iommu_complete(struct domain *domain, const struct domain *other);
bool domain_iommu_enforces(struct domain *domain);

#endif /* IOMMUKIT_DOMAIN_IOMMU_H */

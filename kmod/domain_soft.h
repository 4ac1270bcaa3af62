/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A domain for devices that are software: the IO page table is a radix tree, and
 * the device looks its addresses up with the functions here.
 */
#ifndef IOMMUKIT_DOMAIN_SOFT_H
#define IOMMUKIT_DOMAIN_SOFT_H

#include <linux/types.h>

struct domain;

struct domain *domain_soft_create(unsigned long page_sizes, unsigned long first,
				  unsigned long last, bool dirty);

int domain_soft_translate(struct domain *domain, unsigned long iova,
			  bool write, phys_addr_t *phys);
int domain_soft_rw(struct domain *domain, unsigned long iova, void *data,
		   size_t length, bool write);
int domain_soft_mark(struct domain *domain, unsigned long iova);

int domain_soft_cache_create(void);
void domain_soft_cache_destroy(void);

#endif /* IOMMUKIT_DOMAIN_SOFT_H */

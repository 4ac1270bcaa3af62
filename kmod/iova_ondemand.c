// SPDX-License-Identifier: GPL-2.0-only
/*
 * On-demand memory in a space: whether its domains suit, what their devices ask for, and
 * what they have written.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "domain.h"
#include "iova_space.h"
#include "ondemand.h"
#include "pages.h"

/**
 * iova_space_has_ondemand - whether there is on-demand memory
 * @space: the space; its lock is held
 */
bool iova_space_has_ondemand(struct iova_space *space)
{
	MA_STATE(mas, &space->areas, 0, 0);
	struct iova_area *area;

	lockdep_assert_held(&space->lock);
	mas_for_each(&mas, area, ULONG_MAX) {
		if (area->pages->ondemand)
			return true;
	}
	return false;
}

/**
 * iova_space_faults - whether the devices of all domains wait for what is not mapped
 * @space: the space; its lock is held
 */
bool iova_space_faults(const struct iova_space *space)
{
	const struct iova_domain *d;

	lockdep_assert_held(&space->lock);
	list_for_each_entry(d, &space->domains, link)
		if (!d->domain->faults)
			return false;
	return true;
}

/**
 * iova_space_fault - find what a device asks for
 * @space: the space
 * @domain: the device's domain, only compared
 * @iova: first IOVA; gets where to go on, behind @last at the most
 * @last: last one
 * @write: the device wants to write
 *
 * What is found may have gone again before the device has looked.
 *
 * Context: process context, may sleep and fault in the memory, which may depend on user
 * space; no lock is held.
 * Return: 1; 0 if it is not on-demand memory, and so all there is; -ENOENT if nothing is
 * mapped there; -EPERM if the area does not allow it; -EINVAL if it is being unmapped;
 * errnos of ondemand_fault().
 */
int iova_space_fault(struct iova_space *space, const struct domain *domain,
		     unsigned long *iova, unsigned long last, bool write)
{
	struct iova_area *area = iova_area_get(space, *iova);
	unsigned long address, page = *iova & PAGE_MASK;
	struct pages *pages = NULL;
	long n = 0;

	if (IS_ERR(area))
		return PTR_ERR(area);
	last = min(last, area->last);
	address = area->pages->base + area->offset + (*iova - area->iova);
	if (!(area->prot & (write ? IOVA_WRITE : IOVA_READ)))
		n = -EPERM;
	else if (area->pages->ondemand)
		pages = area->pages;
	if (pages)
		refcount_inc(&pages->refs);
	iova_area_idle(space, area);
	if (pages) {
		n = ondemand_fault(pages->ondemand, address & PAGE_MASK,
				   (last - page) / PAGE_SIZE + 1,
				   write ? ONDEMAND_FAULT_WRITE : 0, domain, page);
		pages_put(pages);
	}
	if (n < 0)
		return n;
	*iova = pages ? min(page + n * PAGE_SIZE - 1, last) + 1 : last + 1;
	return pages ? 1 : 0;
}

/**
 * iova_space_read_unloaded - what devices may have written, and is not in a domain any more
 * @space: the space
 * @domain: the domain, of the space; the caller keeps it
 * @first: first IOVA
 * @last: last one
 * @clear: forget what was recorded
 * @record: called for it, ascending; may sleep
 * @opaque: argument for it
 *
 * Context: may sleep; killable.
 * Return: 0; -EINTR; the first error of @record.
 */
int iova_space_read_unloaded(struct iova_space *space,
			     const struct domain *domain, unsigned long first,
			     unsigned long last, bool clear,
			     int (*record)(void *opaque, unsigned long iova,
					   size_t length),
			     void *opaque)
{
	int rc = 0;

	while (!rc && first <= last) {
		struct iova_area *area = iova_area_get(space, first);
		unsigned long end;

		/* What is being unmapped is a hole. */
		if (IS_ERR(area))
			return area == ERR_PTR(-EINTR) ? -EINTR : 0;
		end = min(last, area->last);
		if (area->pages->ondemand)
			rc = ondemand_read_log(area->pages->ondemand, domain, first,
					       area->pages->base + area->offset +
					       (first - area->iova),
					       end - first + 1, clear, record,
					       opaque);
		iova_area_idle(space, area);
		if (end == last)
			break;
		first = end + 1;
	}
	return rc;
}

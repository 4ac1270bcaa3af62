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

static unsigned long page_address_at(const struct iova_area *area,
				     unsigned long iova)
{
	return (area->pages->base + area->offset + (iova - area->iova)) &
	       PAGE_MASK;
}

/* What an area has for a device that asks for all of @prot: see iova_space_fault_now(). */
static int area_memory(struct iova_area *area, unsigned int prot,
		       struct pages **pages)
{
	*pages = NULL;
	if ((area->prot & prot) != prot)
		return -EPERM;
	if (area->pages->ondemand) {
		*pages = area->pages;
		refcount_inc(&area->pages->refs);
	}
	return 0;
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
	struct pages *pages;
	long n;

	if (IS_ERR(area))
		return PTR_ERR(area);
	last = min(last, area->last);
	address = page_address_at(area, *iova);
	n = area_memory(area, write ? IOVA_WRITE : IOVA_READ, &pages);
	iova_area_idle(space, area);
	if (pages) {
		n = ondemand_fault(pages->ondemand, address,
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
 * iova_space_fault_now - the part of iova_space_fault() that needs the space
 * @space: the space
 * @iova: the IOVA
 * @prot: IOVA_READ, IOVA_WRITE: what the device wants
 * @pages: gets the on-demand memory, with a reference, or NULL if it is not
 * @address: gets the address of the page there
 *
 * Context: any but NMI.
 * Return: 0; -ENOENT if nothing is mapped there; -EPERM if the area does not allow it;
 * -EINVAL if drivers were asked to unpin it; -EAGAIN if that cannot be told at the moment.
 */
int iova_space_fault_now(struct iova_space *space, unsigned long iova,
			 unsigned int prot, struct pages **pages,
			 unsigned long *address)
{
	struct iova_area *area = iova_area_get_now(space, iova);
	int rc;

	*pages = NULL;
	if (IS_ERR(area))
		return PTR_ERR(area);
	*address = page_address_at(area, iova);
	rc = area_memory(area, prot, pages);
	iova_area_idle(space, area);
	return rc;
}

/**
 * iova_space_shows - whether it still is as iova_space_fault_now() has found it
 * @space: the space
 * @iova: the IOVA
 * @pages: the memory that was there
 * @address: the address of the page
 *
 * Context: any but NMI.
 */
bool iova_space_shows(struct iova_space *space, unsigned long iova,
		      const struct pages *pages, unsigned long address)
{
	struct iova_area *area = iova_area_get_now(space, iova);
	bool same;

	/* It is closed, maybe for good, and still what is mapped there. */
	if (IS_ERR(area))
		return area == ERR_PTR(-EINVAL);
	same = area->pages == pages && page_address_at(area, iova) == address;
	iova_area_idle(space, area);
	return same;
}

/**
 * struct ondemand_part - What an area of on-demand memory has of a range
 * @pages: the memory, with a reference
 * @iova: first IOVA
 * @last: last one
 * @address: address of the first byte
 */
struct ondemand_part {
	struct pages *pages;
	unsigned long iova;
	unsigned long last;
	unsigned long address;
};

/* The first part that is in [first, last]. Returns -ENOENT if there is none; -EINTR. */
static int next_part(struct iova_space *space, unsigned long first,
		     unsigned long last, struct ondemand_part *part)
{
	MA_STATE(mas, &space->areas, first, first);
	struct iova_area *area;

	if (down_read_killable(&space->lock))
		return -EINTR;
	mas_for_each(&mas, area, last) {
		if (!area->pages->ondemand)
			continue;
		part->pages = area->pages;
		refcount_inc(&part->pages->refs);
		part->iova = max(first, area->iova);
		part->last = min(last, area->last);
		part->address = area->pages->base + area->offset +
				(part->iova - area->iova);
		break;
	}
	up_read(&space->lock);
	return area ? 0 : -ENOENT;
}

/**
 * iova_space_read_unloaded - what devices may have written, and is not in a domain any more
 * @space: the space
 * @domain: the domain, of the space; the caller keeps it
 * @first: first IOVA
 * @last: last one
 * @clear: forget what was recorded
 * @record: called for it, ascending; may sleep; NULL if it shall be forgotten only
 * @opaque: argument for it
 *
 * Areas may be unmapped meanwhile: @record may wait for user space.
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
	struct ondemand_part part;
	int rc;

	do {
		rc = next_part(space, first, last, &part);
		if (rc)
			return rc == -ENOENT ? 0 : rc;
		rc = ondemand_read_log(part.pages->ondemand, domain, part.iova,
				       part.address, part.last - part.iova + 1,
				       clear, record, opaque);
		pages_put(part.pages);
		first = part.last + 1;
	} while (!rc && part.last != last);
	return rc;
}

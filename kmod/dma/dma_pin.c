// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pinned pages, and the callback that takes them away. The invariant: a pin is
 * in its port's list exactly while the core counts it as pinned, and both
 * change within one critical section of pin_lock.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "dma.h"

/* A transfer has at most this much pinned at a time, on each side. */
#define IKDMA_WINDOW_PAGES 512UL
#define IKDMA_WINDOW_BYTES (IKDMA_WINDOW_PAGES * PAGE_SIZE)

int ikdma_pin_alloc(struct ikdma_pin *pin, struct ikdma_port *port,
		    unsigned long max_pages)
{
	INIT_LIST_HEAD(&pin->item);
	pin->port = port;
	pin->revoked = false;
	pin->max_pages = max_pages ?: IKDMA_WINDOW_PAGES;
	pin->pages = kvmalloc_array(pin->max_pages, sizeof(*pin->pages),
				    GFP_KERNEL_ACCOUNT);
	return pin->pages ? 0 : -ENOMEM;
}

void ikdma_pin_free(struct ikdma_pin *pin)
{
	kvfree(pin->pages);
	pin->pages = NULL;
}

static bool ikdma_pin_active(const struct ikdma_pin *pin)
{
	return !list_empty(&pin->item);
}

static unsigned long ikdma_pin_last(const struct ikdma_pin *pin)
{
	return pin->iova + (pin->length - 1);
}

/* Pin [first, last]; first must be the first byte of a page. */
int ikdma_pin_locked(struct ikdma_pin *pin, unsigned long first,
		     unsigned long last, unsigned int rw_flags)
{
	struct ikdma_engine *engine = pin->port->engine;
	unsigned long length = last - first + 1;
	int ret;

	lockdep_assert_held(&engine->pin_lock);
	ret = iommukit_access_pin_pages(pin->port->access, first, length,
					pin->pages, rw_flags);
	if (ret)
		return ret;
	pin->iova = first;
	pin->length = length;
	list_add(&pin->item, &pin->port->pins);
	engine->pinned_pages += DIV_ROUND_UP(length, PAGE_SIZE);
	return 0;
}

/* Harmless if it was released before, be it by the callback. */
void ikdma_pin_release_locked(struct ikdma_pin *pin)
{
	struct ikdma_engine *engine = pin->port->engine;

	lockdep_assert_held(&engine->pin_lock);
	if (!ikdma_pin_active(pin))
		return;
	iommukit_access_unpin_pages(pin->port->access, pin->iova, pin->length);
	list_del_init(&pin->item);
	engine->pinned_pages -= DIV_ROUND_UP(pin->length, PAGE_SIZE);
}

/**
 * ikdma_port_unmap() - unmap callback of all accesses
 * @data: The port
 * @iova: First IOVA that user space wants back
 * @length: Length; ULONG_MAX means everything: the port leaves its IOAS
 *
 * Waiting for pin_lock is waiting for the engine, which touches pinned pages
 * only inside. What it finds revoked afterwards it does not touch again.
 */
void ikdma_port_unmap(void *data, unsigned long iova, unsigned long length)
{
	bool everything = length == ULONG_MAX;
	struct ikdma_port *port = data;
	struct ikdma_engine *engine = port->engine;
	struct ikdma_pass *job = &engine->job.pass;
	unsigned long last = everything ? ULONG_MAX : iova + (length - 1);
	struct ikdma_pin *pin, *next;
	bool ends_job;

	mutex_lock(&engine->pin_lock);
	engine->unmap_calls++;
	engine->unmap_iova = iova;
	engine->unmap_length = length;
	/*
	 * Everything is announced by commands only, so nobody can be setting
	 * up a job now; for the rest the pass is only compared by address.
	 */
	ends_job = everything && ikdma_pass_uses(job, port);
	list_for_each_entry_safe(pin, next, &port->pins, item) {
		if (pin->iova > last || ikdma_pin_last(pin) < iova)
			continue;
		ikdma_pin_release_locked(pin);
		pin->revoked = true;
		if (pin == &job->src.pin || pin == &job->dst.pin)
			ends_job = true;
	}
	if (ends_job)
		ikdma_job_revoke_locked(engine);
	mutex_unlock(&engine->pin_lock);
}

/* Move the window of a transfer to where it covers [first, last]. */
static int ikdma_pin_slide_locked(const struct ikdma_pass *pass,
				  struct ikdma_side *side, unsigned long first,
				  unsigned long last)
{
	struct ikdma_pin *pin = &side->pin;
	unsigned long pass_last = side->iova + (pass->length - 1);

	if (ikdma_pin_active(pin) && pin->iova <= first &&
	    ikdma_pin_last(pin) >= last)
		return 0;
	ikdma_pin_release_locked(pin);
	/* Reach as far as the window goes in the direction of the pass. */
	if (pass->backward) {
		first = side->iova & PAGE_MASK;
		if (last - first >= IKDMA_WINDOW_BYTES)
			first = PAGE_ALIGN(last - (IKDMA_WINDOW_BYTES - 1));
	} else {
		first &= PAGE_MASK;
		last = pass_last;
		if (last - first >= IKDMA_WINDOW_BYTES)
			last = first + (IKDMA_WINDOW_BYTES - 1);
	}
	return ikdma_pin_locked(pin, first, last, side->rw_flags);
}

static void ikdma_pin_memcpy(const struct ikdma_pin *pin, unsigned long iova,
			     u8 *buf, size_t len, bool write)
{
	/* The pin begins at a page, so this counts from the first one. */
	unsigned long at = iova - pin->iova;

	while (len) {
		struct page *page = pin->pages[at >> PAGE_SHIFT];
		size_t offset = offset_in_page(at);
		size_t n = min_t(size_t, len, PAGE_SIZE - offset);

		if (write)
			memcpy_to_page(page, offset, buf, n);
		else
			memcpy_from_page(buf, page, offset, n);
		at += n;
		buf += n;
		len -= n;
	}
}

/**
 * ikdma_pin_copy() - Move a chunk between a buffer and pinned pages
 * @pass: The pass
 * @side: Its source (copies to @buf) or destination (copies from @buf)
 * @offset: Of the chunk in the pass
 * @buf: Kernel memory
 * @len: Bytes, small enough for the unmap callback to wait for
 *
 * Context: Sleeps, takes pin_lock.
 * Return: 0, ECANCELED if the pages were revoked, EINTR, errors of pinning
 */
int ikdma_pin_copy(const struct ikdma_pass *pass, struct ikdma_side *side,
		   unsigned long offset, void *buf, size_t len)
{
	struct ikdma_engine *engine = pass->engine;
	unsigned long iova = side->iova + offset;
	int ret;

	ret = mutex_lock_killable(&engine->pin_lock);
	if (ret)
		return ret;
	if (side->pin.revoked)
		ret = -ECANCELED;
	else
		ret = ikdma_pin_slide_locked(pass, side, iova, iova + len - 1);
	if (!ret)
		ikdma_pin_memcpy(&side->pin, iova, buf, len,
				 side->rw_flags & IOMMUKIT_ACCESS_RW_WRITE);
	mutex_unlock(&engine->pin_lock);
	return ret;
}

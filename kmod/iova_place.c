// SPDX-License-Identifier: GPL-2.0-only
/*
 * Automatic placement: the lowest hole of a space that takes a new area.
 *
 * The address is a multiple of an alignment that lets huge pages be used: as
 * much as the length and the hint (the memory's own address) are worth. Gaps
 * between areas come from the maple tree, which skips those that are too short;
 * reserved ranges are few and are stepped over one by one.
 */
#include "iova_space.h"

#include <linux/interval_tree.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>

struct placement {
	struct iova_space *space;
	unsigned long length;
	unsigned long align;
	unsigned long offset;
};

static unsigned long placement_align(unsigned long length, unsigned long hint)
{
	unsigned long align = roundup_pow_of_two(length);
	unsigned long max = PAGE_SIZE;

	if (IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE))
		max = PMD_SIZE;
	if (hint)
		align = min(align, 1UL << __ffs(hint));
	return min(align, max);
}

/* Does the area fit into [start, last]? A window of one byte never does. */
static bool placement_fits(const struct placement *p, unsigned long start,
			   unsigned long last, unsigned long *iova)
{
	unsigned long at;

	if (check_add_overflow(start, p->align - 1, &at))
		return false;
	at = (at & ~(p->align - 1)) | p->offset;
	if (at < start || at >= last || last - at < p->length - 1)
		return false;
	*iova = at;
	return true;
}

/* Try the holes that reserved ranges leave in a gap between areas. */
static bool placement_in_gap(const struct placement *p, unsigned long start,
			     unsigned long last, unsigned long *iova)
{
	struct interval_tree_node *node;
	unsigned long hole = start;

	/* Sorted by start, so the first that reaches behind @hole counts. */
	for (node = interval_tree_iter_first(&p->space->reserved, start, last);
	     node; node = interval_tree_iter_next(node, start, last)) {
		if (node->start > hole &&
		    placement_fits(p, hole, node->start - 1, iova))
			return true;
		if (node->last >= last)
			return false;
		hole = max(hole, node->last + 1);
	}
	return placement_fits(p, hole, last, iova);
}

static int placement_in_window(const struct placement *p, unsigned long start,
			       unsigned long last, unsigned long *iova)
{
	if (!placement_fits(p, start, last, &start))
		return -ENOSPC;
	for (;;) {
		MA_STATE(mas, &p->space->areas, start, start);
		struct iova_area *next;
		unsigned long gap_last;

		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		if (start > last || last - start < p->length - 1 ||
		    mas_empty_area(&mas, start, last, p->length))
			return -ENOSPC;
		start = mas.index;
		next = iova_space_find(p->space, start, last);
		gap_last = next ? next->iova - 1 : last;
		if (placement_in_gap(p, start, gap_last, iova))
			return 0;
		if (gap_last == last)
			return -ENOSPC;
		start = gap_last + 1;
	}
}

/* The allowed range, merged with its neighbours, from @node on. */
static struct interval_tree_node *
allowed_window(struct interval_tree_node *node, unsigned long *first,
	       unsigned long *last)
{
	*first = node->start;
	do {
		*last = node->last;
		node = interval_tree_iter_next(node, 0, ULONG_MAX);
	} while (node && node->start == *last + 1);
	return node;
}

/**
 * iova_place - choose an IOVA
 * @space: the space; its lock is held
 * @length: bytes, at least 1
 * @hint: user address or file offset of the memory
 * @iova: gets the lowest IOVA that fits
 *
 * Neither the first nor the last page of the IOVA space is ever used.
 *
 * Return: 0; -EOVERFLOW if @length is beyond reason; -EINVAL if the hint is not
 * aligned as the space demands; -ENOSPC if nothing fits; -EINTR on a fatal
 * signal.
 */
int iova_place(struct iova_space *space, unsigned long length,
	       unsigned long hint, unsigned long *iova)
{
	struct interval_tree_node *node;
	struct placement p = {
		.space = space,
		.length = length,
		.offset = offset_in_page(hint),
	};
	int rc;

	lockdep_assert_held(&space->lock);
	if (length >= ULONG_MAX / 2)
		return -EOVERFLOW;
	p.align = placement_align(length, hint);
	if (p.align < space->alignment)
		return -EINVAL;

	node = interval_tree_iter_first(&space->allowed, 0, ULONG_MAX);
	if (!node)
		return placement_in_window(&p, PAGE_SIZE,
					   ULONG_MAX - PAGE_SIZE, iova);
	rc = -ENOSPC;
	while (node && rc == -ENOSPC) {
		unsigned long first, last;

		node = allowed_window(node, &first, &last);
		first = max(first, PAGE_SIZE);
		last = min(last, ULONG_MAX - PAGE_SIZE);
		if (first < last)
			rc = placement_in_window(&p, first, last, iova);
		cond_resched();
	}
	return rc;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What may be mapped where in a space: areas, allowed and reserved ranges, and the
 * alignment they all keep.
 *
 * Invariants: areas overlap neither each other nor reserved ranges; allowed
 * ranges overlap neither each other nor reserved ones; every area's IOVA,
 * length and offset are multiples of the alignment.
 */
#include "iova_space.h"

#include <linux/interval_tree.h>
#include <linux/iommukit.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <uapi/linux/iommukit.h>

#include "domain.h"
#include "fail.h"
#include "pages.h"

/* ---- plain ranges ---- */

/* An element of a set of ranges, and who wanted it there */
struct owned_range {
	struct interval_tree_node node;
	const void *owner;
};

/**
 * iova_ranges_add - add [first, last] to a set of ranges
 * @root: the set
 * @first: first IOVA
 * @last: last IOVA
 * @owner: whose range it is, or NULL
 *
 * Return: 0 or -ENOMEM.
 */
int iova_ranges_add(struct rb_root_cached *root, unsigned long first,
		    unsigned long last, const void *owner)
{
	struct owned_range *range = fail_alloc(kmalloc(sizeof(*range),
						       GFP_KERNEL_ACCOUNT));

	if (!range)
		return -ENOMEM;
	range->node.start = first;
	range->node.last = last;
	range->owner = owner;
	interval_tree_insert(&range->node, root);
	return 0;
}

/**
 * iova_ranges_intersect - whether a range of the set has a byte of [first, last]
 * @root: the set
 * @first: first IOVA
 * @last: last IOVA
 */
bool iova_ranges_intersect(struct rb_root_cached *root, unsigned long first,
			   unsigned long last)
{
	return interval_tree_iter_first(root, first, last);
}

/**
 * iova_ranges_free - empty a set of ranges
 * @root: the set
 */
void iova_ranges_free(struct rb_root_cached *root)
{
	struct owned_range *range, *next;

	rbtree_postorder_for_each_entry_safe(range, next, &root->rb_root,
					     node.rb) {
		kfree(range);
		cond_resched();
	}
	*root = RB_ROOT_CACHED;
}

/* ---- areas ---- */

static bool area_is_aligned(const struct iova_area *area, unsigned long align)
{
	return IS_ALIGNED(area->iova | (area->last + 1) | area->offset, align);
}

static int check_fixed(struct iova_space *space, unsigned long iova,
		       unsigned long length)
{
	unsigned long last;

	if (!IS_ALIGNED(iova, space->alignment))
		return -EINVAL;
	if (check_add_overflow(iova, length - 1, &last))
		return -EOVERFLOW;
	if (iova_ranges_intersect(&space->reserved, iova, last))
		return -EINVAL;
	if (iova_space_find(space, iova, last))
		return -EEXIST;
	return 0;
}

/* Checks that concern each piece; @areas know their lengths by now. */
static int check_pieces(struct iova_space *space, struct iova_area *areas)
{
	struct iova_area *area;

	for (area = areas; area; area = area->next) {
		bool ondemand = area->pages->ondemand;

		if ((area->prot & IOVA_WRITE) && !area->pages->writable)
			return -EPERM;
		if (!area_is_aligned(area, ondemand ? PAGE_SIZE :
						      space->alignment))
			return -EINVAL;
		if (ondemand && !iova_space_faults(space))
			return -EOPNOTSUPP;
	}
	return 0;
}

/*
 * With domains, the areas are in the way of others from now on, but not open: a
 * call is at work on each.
 */
static int insert_locked(struct iova_space *space, struct iova_area *areas)
{
	bool setup = !list_empty(&space->domains);
	struct iova_area *area;
	int rc;

	for (area = areas; area; area = area->next) {
		MA_STATE(mas, &space->areas, area->iova, area->last);

		area->setup = setup;
		if (setup)
			atomic_inc(&area->busy);
		rc = -EINTR;
		if (!fatal_signal_pending(current))
			rc = fail_point(-ENOMEM) ?:
			     mas_store_gfp(&mas, area, GFP_KERNEL_ACCOUNT);
		if (rc)
			goto err_erase;
		iova_area_count(space, area, true);
		cond_resched();
	}
	/* Not before the last one is in, which may have failed. */
	for (area = areas; area && !setup; area = area->next) {
		atomic_andnot(IOVA_AREA_CLOSED, &area->busy);
		iova_area_came(space, area);
	}
	return 0;

err_erase:
	for (; areas != area; areas = areas->next)
		iova_area_erase(space, areas);
	return rc;
}

/* Put inserted areas into the domains and open them, or take them out again. */
static int finish_setup(struct iova_space *space, struct iova_area *areas)
{
	struct iova_area *area;
	int rc = iova_areas_enter_domains(space, areas);

	if (!rc)
		return 0;
	down_write(&space->lock);
	for (area = areas; area; area = area->next)
		iova_area_erase(space, area);
	up_write(&space->lock);
	/* Unmaps may be waiting for the areas. */
	iova_space_pins_changed(space);
	return rc;
}

static int add_logs(struct iova_space *space, struct iova_area *areas)
{
	int rc = 0;

	for (; space->logging && areas && !rc; areas = areas->next)
		rc = iova_area_add_log(space, areas, false);
	return rc;
}

/**
 * iova_space_insert - give new areas their place, one behind the other
 * @space: the space
 * @areas: the first, linked by next; the space's on success only
 * @length: sum of their lengths
 * @hint: user address or file offset of the first, for placement
 * @fixed: insert at *@iova
 * @iova: where they begin
 *
 * Context: may sleep; killable.
 * Return: 0; -EINVAL for misalignment or reserved IOVA; -EOVERFLOW; -EEXIST if
 * an area is in the way; -ENOSPC; -EPERM if a piece shall be writable but its
 * pages are not; -ENOMEM; -EINTR; with domains also -EOPNOTSUPP for on-demand
 * pages, and errnos of pages_pin() and domain_ops.map.
 */
int iova_space_insert(struct iova_space *space, struct iova_area *areas,
		      unsigned long length, unsigned long hint, bool fixed,
		      unsigned long *iova)
{
	unsigned long first = *iova;
	struct iova_area *area;
	bool setup = false;
	int rc;

	if (down_write_killable(&space->lock))
		return -EINTR;
	rc = -EINVAL;
	if (!IS_ALIGNED(length, space->alignment))
		goto out_unlock;
	if (fixed)
		rc = check_fixed(space, first, length);
	else
		rc = iova_place(space, length, hint, &first);
	if (rc)
		goto out_unlock;

	*iova = first;
	for (area = areas; area; area = area->next) {
		unsigned long bytes = area->last - area->iova + 1;

		area->iova = first;
		area->last = first + bytes - 1;
		first += bytes;
	}
	rc = check_pieces(space, areas) ?: add_logs(space, areas) ?:
	     insert_locked(space, areas);
	/* Others may unmap them at once if they are all there. */
	setup = !rc && areas->setup;
out_unlock:
	up_write(&space->lock);
	if (setup)
		rc = finish_setup(space, areas);
	if (rc)
		iova_area_no_map(space, *iova, length, rc);
	return rc;
}

/* So many areas are looked at before others get the lock. */
#define REACH_BATCH 4096

/**
 * iova_space_reach - how far areas reach without a hole
 * @space: the space
 * @first: first IOVA
 * @last: last IOVA that matters
 * @reach: gets the last IOVA up to @last before a hole; less if there are very many
 *	areas
 *
 * Context: may sleep; killable.
 * Return: 0; -ENOENT if nothing is mapped at @first; -EINTR.
 */
int iova_space_reach(struct iova_space *space, unsigned long first,
		     unsigned long last, unsigned long *reach)
{
	MA_STATE(mas, &space->areas, first, first);
	unsigned long next = first;
	struct iova_area *area;
	unsigned int n = 0;

	if (down_read_killable(&space->lock))
		return -EINTR;
	mas_for_each(&mas, area, last) {
		if (area->setup || area->iova > next)
			break;
		next = min(area->last, last) + 1;
		if (!next || next > last || ++n == REACH_BATCH)
			break;
	}
	up_read(&space->lock);
	*reach = next - 1;
	return next == first ? -ENOENT : 0;
}

/**
 * iova_space_collect - make copies of the areas that cover a range
 * @space: the space
 * @iova: first IOVA
 * @length: bytes; the range does not wrap
 * @prot: permission of the copies
 * @out: gets the copies, linked by next, without IOVA
 *
 * Context: may sleep; killable.
 * Return: 0; -ENOENT if the range has a hole; -ENOMEM; -EINTR.
 */
int iova_space_collect(struct iova_space *space, unsigned long iova,
		       unsigned long length, u8 prot, struct iova_area **out)
{
	unsigned long last = iova + length - 1;
	struct iova_area *copies = NULL, **tail = &copies;
	struct iova_area *area;
	int rc = -ENOENT;

	if (down_read_killable(&space->lock))
		return -EINTR;
	for (;;) {
		unsigned long end;

		area = iova_space_find(space, iova, iova);
		if (!area)
			break;
		if (fatal_signal_pending(current)) {
			rc = -EINTR;
			break;
		}
		cond_resched();
		end = min(last, area->last);
		*tail = iova_area_alloc(area->pages,
					area->offset + (iova - area->iova),
					end - iova + 1, prot);
		if (!*tail) {
			rc = -ENOMEM;
			break;
		}
		refcount_inc(&area->pages->refs);
		tail = &(*tail)->next;
		if (end == last) {
			rc = 0;
			break;
		}
		iova = end + 1;
	}
	up_read(&space->lock);

	if (rc)
		iova_areas_free(copies);
	else
		*out = copies;
	return rc;
}

/* ---- alignment ---- */

/**
 * iova_update_alignment - find the alignment anew
 * @space: the space; its lock is held for writing
 *
 * Return: 0; -EADDRINUSE if it would grow and an area does not keep to it.
 */
int iova_update_alignment(struct iova_space *space)
{
	MA_STATE(mas, &space->areas, 0, 0);
	struct iova_domain *d;
	struct iova_area *area;
	unsigned long align = 1;

	lockdep_assert_held_write(&space->lock);
	if (space->no_huge || space->page_members)
		align = PAGE_SIZE;
	list_for_each_entry(d, &space->domains, link)
		align = max(align, BIT(__ffs(d->domain->page_sizes)));
	if (align > space->alignment) {
		mas_for_each(&mas, area, ULONG_MAX) {
			if (!area_is_aligned(area, align))
				return -EADDRINUSE;
		}
	}
	space->alignment = align;
	return 0;
}

/**
 * iova_space_page_sizes - the sizes of pages that all domains have
 * @space: the space; its lock is held
 *
 * Return: bit n for pages of 2^n bytes; the kernel's page stands for all smaller
 * ones. Not less than the alignment.
 */
unsigned long iova_space_page_sizes(const struct iova_space *space)
{
	unsigned long sizes = ULONG_MAX;
	const struct iova_domain *d;

	lockdep_assert_held(&space->lock);
	list_for_each_entry(d, &space->domains, link)
		sizes &= d->domain->page_sizes;
	if (sizes & ~PAGE_MASK)
		sizes = (sizes & PAGE_MASK) | PAGE_SIZE;
	return max(sizes, space->alignment);
}

/**
 * iova_align_page_members - count members that pin whole pages
 * @space: the space; its lock is held for writing
 * @change: 1 or -1
 *
 * Return: 0; -EADDRINUSE if areas are not aligned to pages, only for 1.
 */
int iova_align_page_members(struct iova_space *space, int change)
{
	int rc;

	space->page_members += change;
	rc = iova_update_alignment(space);
	if (rc)
		space->page_members -= change;
	return rc;
}

/**
 * iova_space_set_no_huge - map page by page, or not
 * @space: the space
 * @no_huge: the choice
 *
 * Context: may sleep; killable.
 * Return: 0; -EINVAL if areas are in domains already in larger pages;
 * -EADDRINUSE if areas are not aligned to pages; -EINTR.
 */
int iova_space_set_no_huge(struct iova_space *space, bool no_huge)
{
	bool old;
	int rc;

	if (down_write_killable(&space->lock))
		return -EINTR;
	old = space->no_huge;
	if (no_huge && !old && !list_empty(&space->domains) &&
	    !mtree_empty(&space->areas)) {
		rc = -EINVAL;
		goto out_unlock;
	}
	space->no_huge = no_huge;
	rc = iova_update_alignment(space);
	if (rc)
		space->no_huge = old;
out_unlock:
	up_write(&space->lock);
	return rc;
}

/* ---- allowed and reserved ---- */

/**
 * iova_space_allow - replace the allowed ranges
 * @space: the space
 * @allowed: the new ones; gets the old ones on success
 *
 * Context: may sleep; killable.
 * Return: 0; -EADDRINUSE if one is reserved in part; -EINTR.
 */
int iova_space_allow(struct iova_space *space, struct rb_root_cached *allowed)
{
	struct interval_tree_node *node;
	int rc = 0;

	if (down_write_killable(&space->lock))
		return -EINTR;
	/* The reserved ranges are few, the allowed ones as many as a user likes. */
	for (node = interval_tree_iter_first(&space->reserved, 0, ULONG_MAX);
	     node; node = interval_tree_iter_next(node, 0, ULONG_MAX)) {
		if (iova_ranges_intersect(allowed, node->start, node->last)) {
			rc = -EADDRINUSE;
			break;
		}
	}
	if (!rc)
		swap(space->allowed, *allowed);
	up_write(&space->lock);
	return rc;
}

/**
 * iova_reserve_locked - iova_space_reserve() for who has the lock
 * @space: the space; its lock is held for writing
 * @first: first IOVA
 * @last: last IOVA
 * @owner: as there
 *
 * Return: 0; -EADDRINUSE; -ENOMEM.
 */
int iova_reserve_locked(struct iova_space *space, unsigned long first,
			unsigned long last, const void *owner)
{
	if (iova_space_find(space, first, last) ||
	    iova_ranges_intersect(&space->allowed, first, last))
		return -EADDRINUSE;
	return iova_ranges_add(&space->reserved, first, last, owner);
}

/**
 * iova_space_reserve - keep everybody from mapping [first, last]
 * @space: the space
 * @first: first IOVA
 * @last: last IOVA
 * @owner: for iova_space_unreserve(); NULL: as long as the space
 *
 * Context: may sleep; killable.
 * Return: 0; -EADDRINUSE if something is mapped or allowed there; -ENOMEM;
 * -EINTR.
 */
int iova_space_reserve(struct iova_space *space, unsigned long first,
		       unsigned long last, const void *owner)
{
	int rc;

	if (down_write_killable(&space->lock))
		return -EINTR;
	rc = iova_reserve_locked(space, first, last, owner);
	up_write(&space->lock);
	return rc;
}

/**
 * iova_unreserve_locked - iova_space_unreserve() for who has the lock
 * @space: the space; its lock is held for writing
 * @owner: as there
 */
void iova_unreserve_locked(struct iova_space *space, const void *owner)
{
	struct interval_tree_node *node, *next;
	struct owned_range *range;

	for (node = interval_tree_iter_first(&space->reserved, 0, ULONG_MAX);
	     node; node = next) {
		next = interval_tree_iter_next(node, 0, ULONG_MAX);
		range = container_of(node, struct owned_range, node);
		if (range->owner != owner)
			continue;
		interval_tree_remove(node, &space->reserved);
		kfree(range);
	}
}

/**
 * iova_space_unreserve - give up what was reserved
 * @space: the space
 * @owner: whose ranges go; not NULL
 *
 * Context: may sleep. Cannot fail.
 */
void iova_space_unreserve(struct iova_space *space, const void *owner)
{
	down_write(&space->lock);
	iova_unreserve_locked(space, owner);
	up_write(&space->lock);
}

/* Go through the holes between reserved ranges; fill up to @max of @ranges. */
static u32 usable_walk(struct iova_space *space,
		       struct iommukit_iova_range *ranges, u32 max)
{
	struct interval_tree_node *node;
	unsigned long hole = 0;
	u32 count = 0;

	for (node = interval_tree_iter_first(&space->reserved, 0, ULONG_MAX);
	     node; node = interval_tree_iter_next(node, 0, ULONG_MAX)) {
		if (node->start > hole) {
			if (count < max)
				ranges[count] = (struct iommukit_iova_range){
					.start = hole,
					.last = node->start - 1,
				};
			count++;
		}
		if (node->last == ULONG_MAX)
			return count;
		hole = max(hole, node->last + 1);
	}
	if (count < max)
		ranges[count] = (struct iommukit_iova_range){
			.start = hole,
			.last = ULONG_MAX,
		};
	return count + 1;
}

/**
 * iova_space_usable - the ranges that are not reserved
 * @space: the space; its lock is held
 * @ranges: gets an array for kvfree() of the lowest of them, or NULL
 * @max: how many the array shall have at most
 * @count: gets the number of ranges there are
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int iova_space_usable(struct iova_space *space,
		      struct iommukit_iova_range **ranges, u32 max, u32 *count)
{
	lockdep_assert_held(&space->lock);
	*ranges = NULL;
	*count = usable_walk(space, NULL, 0);
	max = min(max, *count);
	if (!max)
		return 0;
	*ranges = fail_alloc(kvmalloc_array(max, sizeof(**ranges),
					    GFP_KERNEL_ACCOUNT));
	if (!*ranges)
		return -ENOMEM;
	usable_walk(space, *ranges, max);
	return 0;
}

/* ---- life ---- */

/**
 * iova_space_init - make an empty space
 * @space: the space
 * @ctx_id: number of its context
 * @ioas_id: id of its IOAS
 */
void iova_space_init(struct iova_space *space, u32 ctx_id, u32 ioas_id)
{
	init_rwsem(&space->domains_lock);
	INIT_LIST_HEAD(&space->domains);
	init_rwsem(&space->lock);
	mt_init_flags(&space->areas, MT_FLAGS_ALLOC_RANGE |
				     MT_FLAGS_LOCK_EXTERN | MT_FLAGS_USE_RCU);
	mt_set_external_lock(&space->areas, &space->lock);
	space->allowed = RB_ROOT_CACHED;
	space->reserved = RB_ROOT_CACHED;
	space->alignment = 1;
	space->ctx_id = ctx_id;
	space->ioas_id = ioas_id;
	space->changes = get_random_u32();
	xa_init_flags(&space->members, XA_FLAGS_ALLOC);
	init_waitqueue_head(&space->wait);
}

/**
 * iova_space_destroy - free all that is in a space
 * @space: the space; it has no members any more
 *
 * Context: may sleep. Cannot fail and needs no memory.
 */
void iova_space_destroy(struct iova_space *space)
{
	MA_STATE(mas, &space->areas, 0, 0);
	struct iova_area *area;

	WARN_ON(!xa_empty(&space->members));
	/* Nobody else is here; the tree wants to see its lock. */
	down_write(&space->lock);
	mas_for_each(&mas, area, ULONG_MAX) {
		iova_area_gone(space, area);
		iova_area_free(area);
		cond_resched();
	}
	__mt_destroy(&space->areas);
	up_write(&space->lock);
	iova_ranges_free(&space->allowed);
	iova_ranges_free(&space->reserved);
	xa_destroy(&space->members);
}

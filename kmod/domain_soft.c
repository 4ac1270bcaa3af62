// SPDX-License-Identifier: GPL-2.0-only
/*
 * Software domains: their life, mapping and unmapping. What the tables look like
 * and who may look at them when is in domain_soft_tree.h.
 */
#include "domain_soft.h"

#include <linux/bitfield.h>
#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "compat.h"
#include "domain_soft_tree.h"
#include "fail.h"

static struct kmem_cache *soft_cache;

/**
 * struct soft_stock - Tables that a map may need
 * @nr: how many
 * @table: the tables, zeroed
 */
struct soft_stock {
	unsigned int nr;
	u64 *table[SOFT_LEVELS_MAX];
};

/* ---- mapping ---- */

/* @nr entries of the table that the lowest one is in are used now. */
static void soft_use(struct soft_domain *soft, struct soft_path *path,
		     unsigned int nr)
{
	u64 *slot;

	lockdep_assert_held(&soft->lock);
	if (path->level == soft->levels)
		return;
	slot = path->slot[path->level + 1];
	WRITE_ONCE(*slot, *slot + FIELD_PREP(SOFT_USED, nr));
}

/*
 * @nr of them are not any more. A table in which nothing is used leaves the
 * tree. Whoever still looks at it finds nothing, also where it holds the address
 * of the next one to be freed.
 */
static void soft_unuse(struct soft_domain *soft, struct soft_path *path,
		       unsigned int nr, struct domain_gather *gather)
{
	unsigned int level;

	lockdep_assert_held(&soft->lock);
	for (level = path->level + 1; level <= soft->levels; level++) {
		u64 *slot = path->slot[level];
		u64 entry = *slot - FIELD_PREP(SOFT_USED, nr);

		if (entry & SOFT_USED) {
			WRITE_ONCE(*slot, entry);
			return;
		}
		WRITE_ONCE(*slot, 0);
		WRITE_ONCE(*soft_table(entry), gather->tables);
		gather->tables = entry & SOFT_ADDRESS;
		nr = 1;
	}
}

/* Lengthen a path to @level by empty tables; there are enough in stock. */
static void soft_extend(struct soft_domain *soft, struct soft_path *path,
			unsigned long iova, unsigned int level,
			struct soft_stock *stock)
{
	while (path->level > level) {
		u64 *table = stock->table[--stock->nr];

		/* Readers must not see what was there before it was zeroed. */
		smp_store_release(path->slot[path->level],
				  virt_to_phys(table) | SOFT_TABLE);
		soft_use(soft, path, 1);
		path->level--;
		path->slot[path->level] = soft_slot(soft, table, iova,
						    path->level);
	}
}

/* The level of the largest page that fits; everything is aligned. */
static unsigned int soft_fitting_level(const struct soft_domain *soft,
				       unsigned long iova, phys_addr_t phys,
				       size_t length)
{
	unsigned long sizes = soft->leaves;

	sizes &= GENMASK(__fls(length), 0);
	if (iova | phys)
		sizes &= GENMASK(__ffs(iova | phys), 0);
	return (__fls(sizes) - soft->shift) / SOFT_BITS;
}

/*
 * Map as much as one table takes. Returns the number of bytes; -EEXIST; -EAGAIN
 * if there are not enough tables in stock. On an error nothing has changed.
 */
static ssize_t soft_map_step(struct soft_domain *soft, unsigned long iova,
			     phys_addr_t phys, size_t length, unsigned int prot,
			     struct soft_stock *stock)
{
	unsigned int level = soft_fitting_level(soft, iova, phys, length);
	unsigned long size = soft_size(soft, level);
	struct soft_path path;
	unsigned int nr, i;
	u64 *slot;

	lockdep_assert_held(&soft->lock);
	if (soft_walk(soft, iova, &path) || path.level < level)
		return -EEXIST;
	if (path.level - level > stock->nr)
		return -EAGAIN;
	/* An end that is no whole page waits for the next step. */
	nr = soft_count(soft, iova, iova + (round_down(length, size) - 1),
			level);
	if (path.level == level)
		for (i = 1, slot = path.slot[level]; i < nr; i++)
			if (slot[i])
				return -EEXIST;

	soft_extend(soft, &path, iova, level, stock);
	slot = path.slot[level];
	for (i = 0; i < nr; i++)
		WRITE_ONCE(slot[i], (phys + i * size) | prot);
	soft_use(soft, &path, nr);
	return nr * size;
}

static int soft_stock_add(struct soft_stock *stock, gfp_t gfp)
{
	u64 *table = fail_alloc(kmem_cache_zalloc(soft_cache, gfp));

	if (!table)
		return -ENOMEM;
	stock->table[stock->nr++] = table;
	return 0;
}

/*
 * Unmap from @iova to the end of a table or to @last, and move @iova on: to 0 from
 * the last of all addresses. Returns whether there is more.
 */
static bool soft_unmap_step(struct soft_domain *soft, unsigned long *iova,
			    unsigned long last, size_t *unmapped,
			    struct domain_gather *gather)
{
	unsigned int nr, i, gone = 0;
	struct soft_path path;
	unsigned long first, size;
	u64 *slot;

	lockdep_assert_held(&soft->lock);
	soft_walk(soft, *iova, &path);
	slot = path.slot[path.level];
	size = soft_size(soft, path.level);
	nr = soft_count(soft, *iova, last, path.level);
	first = soft_first(soft, *iova, path.level);
	for (i = 0; i < nr && !(slot[i] & SOFT_TABLE); i++, first += size) {
		/* A page that is cut would go as a whole. */
		if (!slot[i] || first < *iova || first + (size - 1) > last)
			continue;
		WRITE_ONCE(slot[i], 0);
		gone++;
	}
	*unmapped += gone * size;
	if (gone)
		soft_unuse(soft, &path, gone, gather);
	*iova = first;
	return first - 1 < last;
}

static size_t soft_unmap_range(struct soft_domain *soft, unsigned long iova,
			       unsigned long last, struct domain_gather *gather)
{
	size_t unmapped = 0;
	bool more;

	last = min(last, soft->domain.last);
	more = iova <= last;
	while (more) {
		spin_lock(&soft->lock);
		more = soft_unmap_step(soft, &iova, last, &unmapped, gather);
		spin_unlock(&soft->lock);
		if (!gather->nowait)
			cond_resched();
	}
	return unmapped;
}

/* ---- operations ---- */

static void soft_sync(struct domain *domain, struct domain_gather *gather)
{
	soft_readers_drain(&soft_of(domain)->readers);
	while (gather->tables) {
		u64 *table = phys_to_virt(gather->tables);

		gather->tables = *table;
		kmem_cache_free(soft_cache, table);
		if (!gather->nowait)
			cond_resched();
	}
}

static size_t soft_unmap(struct domain *domain, unsigned long iova,
			 size_t length, struct domain_gather *gather)
{
	if (!length)
		return 0;
	return soft_unmap_range(soft_of(domain), iova, iova + (length - 1),
				gather);
}

static bool soft_mappable(const struct soft_domain *soft, unsigned long iova,
			  phys_addr_t phys, size_t length, unsigned int prot)
{
	unsigned long unaligned = (1UL << soft->shift) - 1;

	return length && !((iova | phys | length) & unaligned) &&
	       iova >= soft->domain.first && iova <= soft->domain.last &&
	       length - 1 <= soft->domain.last - iova &&
	       phys + (length - 1) >= phys &&
	       !((phys + (length - 1)) & ~(SOFT_ADDRESS | unaligned)) &&
	       prot && !(prot & ~(DOMAIN_READ | DOMAIN_WRITE));
}

static int soft_map_gfp(struct domain *domain, unsigned long iova,
			phys_addr_t phys, size_t length, unsigned int prot,
			gfp_t gfp)
{
	struct soft_domain *soft = soft_of(domain);
	struct domain_gather gather;
	struct soft_stock stock;
	size_t done = 0;
	ssize_t rc;

	BUILD_BUG_ON(SOFT_READ != DOMAIN_READ || SOFT_WRITE != DOMAIN_WRITE);
	if (!soft_mappable(soft, iova, phys, length, prot))
		return -EINVAL;
	stock.nr = 0;
	for (;;) {
		spin_lock(&soft->lock);
		rc = soft_map_step(soft, iova + done, phys + done,
				   length - done, prot, &stock);
		spin_unlock(&soft->lock);
		if (rc == -EAGAIN)
			rc = soft_stock_add(&stock, gfp);
		if (rc < 0)
			break;
		done += rc;
		if (done == length)
			break;
		if (gfpflags_allow_blocking(gfp))
			cond_resched();
	}
	while (stock.nr)
		kmem_cache_free(soft_cache, stock.table[--stock.nr]);
	if (rc >= 0)
		return 0;
	domain_gather_init(&gather);
	gather.nowait = !gfpflags_allow_blocking(gfp);
	if (soft_unmap(domain, iova, done, &gather))
		soft_sync(domain, &gather);
	return rc;
}

static int soft_map(struct domain *domain, unsigned long iova,
		    phys_addr_t phys, size_t length, unsigned int prot)
{
	return soft_map_gfp(domain, iova, phys, length, prot, GFP_KERNEL);
}

static int soft_map_nowait(struct domain *domain, unsigned long iova,
			   phys_addr_t phys, size_t length, unsigned int prot)
{
	return soft_map_gfp(domain, iova, phys, length, prot,
			    GFP_NOWAIT | __GFP_NOWARN);
}

static int soft_set_dirty_tracking(struct domain *domain, bool on)
{
	WRITE_ONCE(domain->dirty_tracking, on);
	/* Writes that began before may not know of it. */
	if (on)
		soft_readers_drain(&soft_of(domain)->readers);
	return 0;
}

/* ---- life ---- */

static void soft_free(struct domain *domain)
{
	struct soft_domain *soft = soft_of(domain);
	struct domain_gather gather;

	domain_gather_init(&gather);
	soft_unmap_range(soft, domain->first, domain->last, &gather);
	soft_sync(domain, &gather);
	soft_readers_destroy(&soft->readers);
	kfree(soft);
}

static const struct domain_ops soft_ops = {
	.map = soft_map,
	.map_nowait = soft_map_nowait,
	.unmap = soft_unmap,
	.sync = soft_sync,
	.iova_to_phys = soft_iova_to_phys,
	.set_dirty_tracking = soft_set_dirty_tracking,
	.read_dirty = soft_read_dirty,
	.free = soft_free,
};

/* The smallest page fills the lowest tables; others are entries further up. */
static bool soft_page_sizes_valid(unsigned long page_sizes)
{
	unsigned int shift, bit;

	if (!page_sizes)
		return false;
	shift = __ffs(page_sizes);
	for_each_set_bit(bit, &page_sizes, BITS_PER_LONG)
		if ((bit - shift) % SOFT_BITS)
			return false;
	return shift >= __ffs(SOFT_ADDRESS);
}

/* What an entry of any table stands for; the root's may be more than a length says. */
static unsigned long soft_leaves(const struct soft_domain *soft)
{
	unsigned long leaves = 0;
	unsigned int level;

	for (level = 0; level < soft->levels; level++)
		leaves |= soft_size(soft, level);
	return leaves;
}

/**
 * domain_soft_create - create a software domain
 * @page_sizes: bit n: it has pages of 2^n bytes. The smallest are of 2048 bytes at
 *	least, and larger ones are larger by a power of 512
 * @first: first IOVA that can be mapped
 * @last: last one
 * @dirty: dirty tracking may be switched on. If not, nobody can tell pages that were
 *	mapped at once from a larger one, and they are kept like that
 *
 * Context: may sleep.
 * Return: the domain, which ends with domain_ops.free; -EINVAL if an argument
 * cannot be; -ENOMEM.
 */
struct domain *domain_soft_create(unsigned long page_sizes, unsigned long first,
				  unsigned long last, bool dirty)
{
	struct soft_domain *soft;

	if (!soft_page_sizes_valid(page_sizes) || first > last)
		return ERR_PTR(-EINVAL);
	soft = fail_alloc(kzalloc(sizeof(*soft), GFP_KERNEL_ACCOUNT));
	if (!soft)
		return ERR_PTR(-ENOMEM);
	if (soft_readers_init(&soft->readers)) {
		kfree(soft);
		return ERR_PTR(-ENOMEM);
	}
	spin_lock_init(&soft->lock);
	soft->shift = __ffs(page_sizes);
	soft->levels = DIV_ROUND_UP(fls64(last >> soft->shift), SOFT_BITS);
	soft->domain.ops = &soft_ops;
	soft->leaves = dirty ? page_sizes : soft_leaves(soft);
	soft->domain.page_sizes = page_sizes;
	soft->domain.first = first;
	soft->domain.last = last;
	return &soft->domain;
}
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(domain_soft_create);

/* Tables have a cache of their own, so one can see what they take. */
int domain_soft_cache_create(void)
{
	unsigned int size = SOFT_ENTRIES * sizeof(u64);

	soft_cache = kmem_cache_create("iommukit_soft_tables", size, size,
				       SLAB_ACCOUNT, NULL);
	return soft_cache ? 0 : -ENOMEM;
}

void domain_soft_cache_destroy(void)
{
	kmem_cache_destroy(soft_cache);
}

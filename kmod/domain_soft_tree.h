/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tree of a software domain: for domain_soft.c, which grows it, and
 * domain_soft_device.c, which looks things up in it.
 *
 * Tables have 512 entries. An entry is absent, or a page of memory, or another
 * table; the root is an entry as well, so an empty domain has no table at all. A
 * table's entry also counts how many are used in the table: when none is, the
 * table goes.
 *
 * Who maps or unmaps holds @lock, for one table at a time. Who looks something up
 * is one of @readers. A table that has left the tree may still be looked at by those
 * who found it before; so it is freed after these were drained. That is what
 * domain_ops.sync waits for, rather than for a grace period.
 */
#ifndef IOMMUKIT_DOMAIN_SOFT_TREE_H
#define IOMMUKIT_DOMAIN_SOFT_TREE_H

#include <linux/bits.h>
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/spinlock.h>

#include "domain.h"
#include "soft_readers.h"

#define SOFT_BITS 9U
#define SOFT_ENTRIES (1U << SOFT_BITS)
/* For all 64 bits, with the smallest pages that SOFT_ADDRESS leaves room for */
#define SOFT_LEVELS_MAX 6U

/* Permissions: an entry that has any is a page */
#define SOFT_READ BIT_ULL(0)
#define SOFT_WRITE BIT_ULL(1)
/* A page that was written; set and cleared without @lock */
#define SOFT_DIRTY BIT_ULL(2)
/* A table */
#define SOFT_TABLE BIT_ULL(3)
#define SOFT_ADDRESS GENMASK_ULL(51, 11)
/* How many entries of the table are used */
#define SOFT_USED GENMASK_ULL(61, 52)

/**
 * struct soft_domain - A software domain
 * @domain: the domain
 * @readers: one over each lookup, and each use of what it found
 * @root: the topmost entry
 * @shift: of the smallest page
 * @levels: of tables
 * @leaves: bit n: an entry may be 2^n bytes of memory; all page sizes, at least
 * @lock: protects all entries, but for SOFT_DIRTY
 */
struct soft_domain {
	struct domain domain;
	struct soft_readers readers;
	u64 root;
	unsigned int shift;
	unsigned int levels;
	unsigned long leaves;
	spinlock_t lock ____cacheline_aligned_in_smp;
};

/**
 * struct soft_path - The way to an IOVA
 * @level: of the lowest entry on it; pages of level 0 are the smallest
 * @slot: the entries, from slot[levels], the root, down to slot[level]
 */
struct soft_path {
	unsigned int level;
	u64 *slot[SOFT_LEVELS_MAX + 1];
};

static inline struct soft_domain *soft_of(struct domain *domain)
{
	return container_of(domain, struct soft_domain, domain);
}

static inline bool soft_is_page(u64 entry)
{
	return entry & (SOFT_READ | SOFT_WRITE);
}

static inline u64 *soft_table(u64 entry)
{
	return phys_to_virt(entry & SOFT_ADDRESS);
}

static inline unsigned int soft_shift(const struct soft_domain *soft,
				      unsigned int level)
{
	return soft->shift + level * SOFT_BITS;
}

/* Bytes that an entry stands for; 0 says 2^64 or more, as the root may. */
static inline unsigned long soft_size(const struct soft_domain *soft,
				      unsigned int level)
{
	unsigned int shift = soft_shift(soft, level);

	return shift < BITS_PER_LONG ? 1UL << shift : 0;
}

/* First IOVA of the entry that @iova has on a level */
static inline unsigned long soft_first(const struct soft_domain *soft,
				       unsigned long iova, unsigned int level)
{
	return iova & -soft_size(soft, level);
}

/* Last IOVA of it */
static inline unsigned long soft_last(const struct soft_domain *soft,
				      unsigned long iova, unsigned int level)
{
	return iova | (soft_size(soft, level) - 1);
}

/* How many entries there are from that of @iova to that of @last, in one table */
static inline unsigned int soft_count(const struct soft_domain *soft,
				      unsigned long iova, unsigned long last,
				      unsigned int level)
{
	unsigned int shift = soft_shift(soft, level);

	if (level == soft->levels)
		return 1;
	last = min(last, soft_last(soft, iova, level + 1));
	return (last >> shift) - (iova >> shift) + 1;
}

static inline u64 *soft_slot(const struct soft_domain *soft, u64 *table,
			     unsigned long iova, unsigned int level)
{
	return &table[(iova >> soft_shift(soft, level)) % SOFT_ENTRIES];
}

/*
 * Go down as far as there are tables, and return the entry at the end. @lock or
 * one of the readers' is held, and @iova is not beyond the aperture.
 */
static inline u64 soft_walk(struct soft_domain *soft, unsigned long iova,
			    struct soft_path *path)
{
	unsigned int level = soft->levels;
	u64 *slot = &soft->root;
	u64 entry = READ_ONCE(*slot);

	path->slot[level] = slot;
	while (entry & SOFT_TABLE) {
		slot = soft_slot(soft, soft_table(entry), iova, --level);
		entry = READ_ONCE(*slot);
		path->slot[level] = slot;
	}
	path->level = level;
	return entry;
}

/* Of struct domain_ops, in domain_soft_device.c */
phys_addr_t soft_iova_to_phys(struct domain *domain, unsigned long iova);
int soft_read_dirty(struct domain *domain, unsigned long iova,
		    unsigned long last, unsigned int flags,
		    int (*record)(void *opaque, unsigned long iova,
				  size_t length),
		    void *opaque);

#endif /* IOMMUKIT_DOMAIN_SOFT_TREE_H */

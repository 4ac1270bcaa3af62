/* SPDX-License-Identifier: GPL-2.0-only */
/* Entries of an IOTLB, for those who change them; wlock is held throughout. */
#ifndef IOMMUKIT_IOTLB_TABLE_H
#define IOMMUKIT_IOTLB_TABLE_H

#include <linux/gfp.h>
#include <linux/lockdep.h>
#include <linux/rcupdate.h>

#include "iotlb.h"

/* Nobody is to be charged for taking something away, nor does it matter if it fails. */
#define GFP_REMOVE (GFP_KERNEL | __GFP_NOWARN)

static inline struct iotlb_table *
iotlb_space_table(const struct iotlb_space *space)
{
	return rcu_dereference_protected(space->table,
					 lockdep_is_held(&space->iotlb->wlock));
}

static inline bool entry_is_pinned(const struct iotlb_entry *entry)
{
	return entry->flags & IOMMUKIT_IOTLB_ENTRY_PINNED;
}

void iotlb_entry_free(struct iotlb_entry *entry);
void iotlb_entry_kill(struct iotlb *iotlb, struct iotlb_table *table,
		      struct iotlb_entry *entry);
void iotlb_entry_remove(struct iotlb *iotlb, struct iotlb_table *table,
			struct iotlb_entry *entry);
int iotlb_map_store(struct iotlb_table *table, u64 first, u64 last,
		    struct iotlb_entry *entry, gfp_t gfp);
void iotlb_log_removal(struct iotlb_space *space, u64 first, u64 last,
		       struct iotlb_changes *changes);
void iotlb_raise_gen(struct iotlb_space *space);
int iotlb_invalidate_locked(struct iotlb_space *space, u64 first, u64 last,
			    bool pinned, struct iotlb_changes *changes);

#endif /* IOMMUKIT_IOTLB_TABLE_H */

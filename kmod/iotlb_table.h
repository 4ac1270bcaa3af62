/* SPDX-License-Identifier: GPL-2.0-only */
/* Entries of an IOTLB, for those who change them; wlock is held throughout. */
#ifndef IOMMUKIT_IOTLB_TABLE_H
#define IOMMUKIT_IOTLB_TABLE_H

#include <linux/atomic.h>
#include <linux/lockdep.h>
#include <linux/rcupdate.h>

#include "iotlb.h"

/* Entries and nodes of trees that wait for a grace period, of all IOTLBs */
extern atomic_long_t iotlb_nr_deferred;

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
void iotlb_log_removal(struct iotlb_space *space, u64 first, u64 last,
		       struct iotlb_changes *changes);
void iotlb_raise_gen(struct iotlb_space *space);
int iotlb_invalidate_locked(struct iotlb_space *space, u64 first, u64 last,
			    bool pinned, struct iotlb_changes *changes);

#endif /* IOMMUKIT_IOTLB_TABLE_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Domains: IO page tables as the floors above see them. A domain knows addresses
 * and lengths only. Whoever maps a page holds a reference to it until the page is
 * unmapped and the unmap is synced: a domain neither pins nor unpins.
 *
 * The tables of a nested domain are user space's, and lead to addresses of another
 * one, its parent: it has none of the operations but @invalidate and @free, and no
 * other domain has @invalidate.
 *
 * All operations may sleep and may run side by side, as long as map, unmap and
 * sync of one IOVA exclude each other.
 */
#ifndef IOMMUKIT_DOMAIN_H
#define IOMMUKIT_DOMAIN_H

#include <linux/atomic.h>
#include <linux/iommu.h>
#include <linux/llist.h>
#include <linux/types.h>
#include <asm/barrier.h>

struct domain;

/* Permissions of a mapping: at least one */
enum {
	DOMAIN_READ = 1 << 0,
	DOMAIN_WRITE = 1 << 1,
};

/* Flags of domain_ops.read_dirty */
enum {
	/* leave the marks where they are */
	DOMAIN_DIRTY_NO_CLEAR = 1 << 0,
};

/**
 * struct domain_gather - What was unmapped and may still be reached
 * @tables: for tables of software: physical address of the first one that became
 *	empty, or 0; it holds the address of the next one
 * @hw: for hardware: as the kernel's IOMMU drivers gather it
 * @hw_pending: there is something in @hw
 * @nowait: whoever unmaps, and syncs, may not sleep; only with a domain that @faults
 *
 * Belongs to whoever unmaps, and to one domain.
 */
struct domain_gather {
	phys_addr_t tables;
	struct iommu_iotlb_gather hw;
	bool hw_pending;
	bool nowait;
};

/* Before the first unmap; sync leaves it the same way, but for @nowait. */
static inline void domain_gather_init(struct domain_gather *gather)
{
	gather->tables = 0;
	iommu_iotlb_gather_init(&gather->hw);
	gather->hw_pending = false;
	gather->nowait = false;
}

/**
 * struct domain_requests - What user space asks a nested domain to forget
 * @data: array of requests
 * @type: what they are: the domain's own numbers
 * @entry_len: bytes of each, up to PAGE_SIZE
 * @nr: how many; if 0, only @type is of interest
 * @done: gets how many were carried out
 */
struct domain_requests {
	const void __user *data;
	u32 type;
	u32 entry_len;
	u32 nr;
	u32 done;
};

/**
 * struct domain_ops - A kind of domain
 * @map: map @length bytes of memory that is physically contiguous, in the largest
 *	pages that the alignment of both addresses and the length allow. All or
 *	nothing. @prot: DOMAIN_READ, DOMAIN_WRITE.
 *	Returns 0; -ENOMEM; -EEXIST if something is mapped there; -EINVAL if an
 *	address or the length is not a multiple of the smallest page, or the range
 *	is empty, outside of the aperture or without any permission. All but
 *	-ENOMEM are mistakes of the caller.
 * @map_nowait: as @map, but without sleeping, and without waiting for memory. Only if the
 *	domain @faults.
 * @unmap: unmap a range that begins and ends where ranges of @map did; holes do
 *	not matter. Until @sync the memory may still be reached. Returns the number
 *	of bytes that were unmapped; a page that lies in the range only partly
 *	stays. Cannot fail and needs no memory.
 * @sync: wait until nobody reaches what the gather stands for, and free its
 *	tables. Every user of the domain that was at work when it was called has
 *	looked again or left when it returns, also if the gather is empty.
 * @iova_to_phys: where an IOVA leads, whatever is permitted there, or
 *	PHYS_ADDR_MAX if nowhere. Nothing but the caller keeps it that way.
 * @set_dirty_tracking: note writes from now on, or no longer. What is marked
 *	stays marked. All writes that end after it returned are noted. Returns 0
 *	or an errno.
 * @read_dirty: call @record for what was written from @first to @last, ascending and
 *	inside that range; then, without DOMAIN_DIRTY_NO_CLEAR, clear the marks of what was
 *	recorded, but for pages that lie in the range only partly: their other part
 *	is not recorded. @record may sleep; NULL records nothing and clears.
 *	Works whether writes are being noted or not; may race with map and unmap.
 *	Memory that is read after it returned has all writes that are no longer
 *	marked. Returns 0; the first error of @record, with that and all that
 *	follows still marked; -EINTR on a fatal signal, likewise.
 * @invalidate: carry out requests in order, up to the first that is bad. Returns 0;
 *	-EINVAL if the type is not known, or the length or a field of a request is
 *	wrong; -EOPNOTSUPP if a flag is not known; -EFAULT.
 * @free: the end. What is mapped is forgotten; nobody uses the domain any more.
 */
struct domain_ops {
	int (*map)(struct domain *domain, unsigned long iova, phys_addr_t phys,
		   size_t length, unsigned int prot);
	int (*map_nowait)(struct domain *domain, unsigned long iova,
			  phys_addr_t phys, size_t length, unsigned int prot);
	size_t (*unmap)(struct domain *domain, unsigned long iova, size_t length,
			struct domain_gather *gather);
	void (*sync)(struct domain *domain, struct domain_gather *gather);
	phys_addr_t (*iova_to_phys)(struct domain *domain, unsigned long iova);
	int (*set_dirty_tracking)(struct domain *domain, bool on);
	int (*read_dirty)(struct domain *domain, unsigned long first,
			  unsigned long last, unsigned int flags,
			  int (*record)(void *opaque, unsigned long iova,
					size_t length),
			  void *opaque);
	int (*invalidate)(struct domain *domain,
			  struct domain_requests *requests);
	void (*free)(struct domain *domain);
};

/**
 * struct domain_observer - Who is told what devices write into a domain
 * @written: told of each write that is about to end, or NULL. Only software can
 *	tell. Called where the tables may be looked at: @sync waits for it. In any
 *	context but NMI.
 * @opaque: argument for it
 */
struct domain_observer {
	void (*written)(void *opaque, unsigned long iova, size_t length);
	void *opaque;
};

/**
 * struct domain_owner - Who answers for a domain that does not let go of memory
 * @kept: told when there is something in domain.kept, and was nothing before. Called
 *	with the lock of the memory held, possibly in the midst of an allocation: may
 *	neither sleep nor allocate. [@iova, @iova + @length - 1] is the first of what it
 *	has kept. NULL only if the domain never has on-demand memory.
 * @opaque: argument for it
 */
struct domain_owner {
	void (*kept)(void *opaque, unsigned long iova, size_t length);
	void *opaque;
};

/**
 * struct domain - An IO page table
 * @ops: its kind
 * @observer: who is told of writes
 * @owner: who keeps devices from it when it fails; calls ondemand_release_kept() then,
 *	and before its end
 * @kept: on-demand memory of which it has kept pages
 * @ctx_id: number of the context of the HWPT, for those who look on
 * @hwpt_id: id of the HWPT
 * @page_sizes: bit n: there are pages of 2^n bytes
 * @first: first IOVA that can be mapped
 * @last: last one
 * @dirty_tracking: writes are noted
 * @faults: devices ask for what is not mapped, and wait for it
 * @anomalous: it has unmapped something else than asked, and listeners were told
 * @failed: it has kept pages: nothing comes into it any more
 *
 * All but @observer, @kept, @dirty_tracking, @anomalous and @failed is constant once the
 * domain is used.
 */
struct domain {
	const struct domain_ops *ops;
	struct domain_observer observer;
	struct domain_owner owner;
	struct llist_head kept;
	u32 ctx_id;
	u32 hwpt_id;
	unsigned long page_sizes;
	unsigned long first;
	unsigned long last;
	bool dirty_tracking;
	bool faults;
	atomic_t anomalous;
	bool failed;
};

/* A device has written, and its access has not ended yet. */
static inline void domain_observe(const struct domain *domain,
				  unsigned long iova, size_t length)
{
	void (*written)(void *opaque, unsigned long iova, size_t length);

	/* Before @opaque; pairs with iova_space_watch_domain(). */
	written = smp_load_acquire(&domain->observer.written);
	if (written)
		written(READ_ONCE(domain->observer.opaque), iova, length);
}

#endif /* IOMMUKIT_DOMAIN_H */

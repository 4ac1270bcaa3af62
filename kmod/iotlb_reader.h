/* SPDX-License-Identifier: GPL-2.0-only */
/* Clients of IOTLBs and their readers. */
#ifndef IOMMUKIT_IOTLB_READER_H
#define IOMMUKIT_IOTLB_READER_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/completion.h>
#include <linux/list.h>
#include <linux/refcount.h>

#include "iotlb.h"

struct iommukit_access;

/**
 * struct iommukit_iotlb_client - A driver's attachment to an address space
 * @link: in the list of the IOTLB
 * @iotlb: the IOTLB; a user of it, and holds the context's file
 * @space: the address space
 * @ops: the driver's
 * @data: argument for them
 * @access: to the target IOAS, or NULL
 * @calls: callbacks that are running; under clients_lock of the IOTLB
 * @leaving: none is to begin any more; as well
 * @nr_readers: its readers
 * @cancelled: blocking calls fail; written under the lock of the channel
 * @sleepers: struct iotlb_waiter of its threads; as well
 * @revoking: somebody who is called back may need a lock that a waiting thread has:
 *	nobody waits; as well
 * @gone: what readers had counted that are gone; under readers_lock of the space
 */
struct iommukit_iotlb_client {
	struct list_head link;
	struct iotlb *iotlb;
	struct iotlb_space *space;
	const struct iommukit_iotlb_client_ops *ops;
	void *data;
	struct iommukit_access *access;
	unsigned int calls;
	bool leaving;
	atomic_t nr_readers;
	bool cancelled;
	struct list_head sleepers;
	unsigned int revoking;
	u64 gone[IOTLB_NR_COUNTS];
};

#define IOTLB_CACHE_BITS 6
#define IOTLB_CACHE_SETS (1 << IOTLB_CACHE_BITS)
#define IOTLB_CACHE_WAYS 4

/**
 * struct iotlb_cache_set - Translations that a reader has kept, of one hash
 * @page: of the IOVA that each is for; it may reach beyond, or not cover all of it
 * @kept: the translations
 */
struct iotlb_cache_set {
	u64 page[IOTLB_CACHE_WAYS];
	struct iotlb_translation kept[IOTLB_CACHE_WAYS];
};

/**
 * struct iommukit_iotlb_reader - A thread or a queue that translates
 * @seq: what the epoch of the space was at the gate; outside, without IOTLB_EPOCH_INSIDE
 * @depth: how often the gate was entered
 * @victim: way of the cache that is overwritten next
 * @space: the address space
 * @gen: a generation; the map is seen as it was then, or later
 * @counts: by enum iotlb_reader_count
 * @client: whose it is
 * @priv: argument for its resume
 * @flags: IOMMUKIT_IOTLB_READER_*
 * @waiter: for translate_nowait; under the lock of the channel, as what follows
 * @error: how its last miss has ended, if it was not an answer; given out once
 * @error_iova: which miss
 * @error_perm: what for
 * @reported_iova: granule of the failure that was reported last
 * @reported_gen: generation at that time
 * @link: in the list of the space, under RCU
 * @refs: one of the driver, others of who look at it
 * @unused: completed by the last of them
 * @rcu: for its end
 * @cache: translations, by a hash of the page
 */
struct iommukit_iotlb_reader {
	unsigned long seq;
	unsigned int depth;
	unsigned int victim;
	struct iotlb_space *space;
	u64 gen;
	u64 counts[IOTLB_NR_COUNTS];

	struct iommukit_iotlb_client *client;
	void *priv;
	unsigned int flags;
	struct iotlb_waiter waiter;
	int error;
	u64 error_iova;
	u32 error_perm;
	u64 reported_iova;
	u64 reported_gen;
	struct list_head link;
	refcount_t refs;
	struct completion unused;
	struct rcu_head rcu;

	struct iotlb_cache_set cache[IOTLB_CACHE_SETS] ____cacheline_aligned;
};

int iotlb_translate(struct iommukit_iotlb_reader *reader, u64 iova, u64 length,
		    u32 prot, struct iommukit_iotlb_seg *segs, unsigned int max,
		    unsigned int *nsegs, u64 *done, unsigned int flags,
		    unsigned int timeout_ms);
void iotlb_reader_keep(struct iommukit_iotlb_reader *reader, u64 iova,
		       const struct iotlb_translation *t);

/* iotlb_client.c */
int iotlb_rw(struct iommukit_iotlb_reader *reader, u64 iova, void *buf,
	     size_t length, unsigned int flags);
void iotlb_clients_invalidate(struct iotlb_space *space, u64 first, u64 last);
void iotlb_clients_tell(struct iotlb *iotlb, bool up);
void iotlb_clients_count(struct iotlb *iotlb, u64 *counts, bool reset);

#endif /* IOMMUKIT_IOTLB_READER_H */

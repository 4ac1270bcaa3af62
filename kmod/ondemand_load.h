/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What domains have of on-demand memory: for ondemand_load.c and ondemand_log.c.
 */
#ifndef IOMMUKIT_ONDEMAND_LOAD_H
#define IOMMUKIT_ONDEMAND_LOAD_H

#include <linux/list.h>
#include <linux/rbtree.h>

#include "domain.h"
#include "ondemand.h"

/**
 * struct ondemand_attachment - A part of the range, and a domain that it belongs in
 * @node: in ondemand.attachments, by domain and IOVA; those of a domain do not overlap
 * @domain: the domain
 * @iova: of the first address
 * @first: first address
 * @last: last one
 * @prot: DOMAIN_READ, DOMAIN_WRITE: what devices may do
 * @step: most pages of an extent
 * @gather: what was taken out of the domain, and may still be reached. Here, since
 *	there is no memory to be had when it is needed.
 * @unsynced: that is something: in ondemand.unsynced
 * @od: the memory, with a reference if @listed
 * @refs: one until it is detached, one if @listed, one while pages are given back
 * @listed: in domain.kept: pages are kept that nobody has begun to give back
 * @kept: the link there
 *
 * All that changes does so under the lock of the memory.
 */
struct ondemand_attachment {
	struct rb_node node;
	struct domain *domain;
	unsigned long iova;
	unsigned long first;
	unsigned long last;
	unsigned int prot;
	unsigned long step;
	struct domain_gather gather;
	struct list_head unsynced;
	struct ondemand *od;
	unsigned int refs;
	bool listed;
	struct llist_node kept;
};

/**
 * struct ondemand_load - What an attachment has of a chunk
 * @node: in ondemand_chunk.loads, by attachment
 * @att: the attachment, which may be detached already, with pages kept
 * @cuts: changes that took out more than had changed, one soon after the other
 * @cut_at: when the last one came, in jiffies
 * @loaded: pages that are in the domain
 * @starts: the first page of each extent
 * @writable: which devices can write
 * @log: which they could, and which went while the domain noted writes
 * @kept: which the domain did not let go of; each has a reference
 * @kept_writable: which of those devices could write
 */
struct ondemand_load {
	struct rb_node node;
	struct ondemand_attachment *att;
	unsigned int cuts;
	unsigned long cut_at;
	DECLARE_BITMAP(loaded, ONDEMAND_CHUNK_PAGES);
	DECLARE_BITMAP(starts, ONDEMAND_CHUNK_PAGES);
	DECLARE_BITMAP(writable, ONDEMAND_CHUNK_PAGES);
	DECLARE_BITMAP(log, ONDEMAND_CHUNK_PAGES);
	DECLARE_BITMAP(kept, ONDEMAND_CHUNK_PAGES);
	DECLARE_BITMAP(kept_writable, ONDEMAND_CHUNK_PAGES);
};

struct ondemand_attachment *
ondemand_find_attachment(const struct ondemand *od, const struct domain *domain,
			 unsigned long iova);
struct ondemand_load *ondemand_find_load(const struct ondemand_chunk *chunk,
					 const struct ondemand_attachment *att);

#endif /* IOMMUKIT_ONDEMAND_LOAD_H */

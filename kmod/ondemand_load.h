/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What domains have of on-demand memory: for ondemand_load.c and ondemand_log.c.
 */
#ifndef IOMMUKIT_ONDEMAND_LOAD_H
#define IOMMUKIT_ONDEMAND_LOAD_H

#include "domain.h"
#include "ondemand.h"

/**
 * struct ondemand_attachment - A part of the range, and a domain that it belongs in
 * @link: in ondemand.attachments
 * @domain: the domain
 * @iova: of the first address
 * @first: first address
 * @last: last one
 * @prot: DOMAIN_READ, DOMAIN_WRITE: what devices may do
 * @step: most pages of an extent
 * @gather: what was taken out of the domain, and may still be reached. Here, since
 *	there is no memory to be had when it is needed.
 * @unsynced: that is something
 * @od: the memory, with a reference if @listed
 * @refs: one until it is detached, one if @listed, one while pages are given back
 * @listed: in domain.kept: pages are kept that nobody has begun to give back
 * @kept: the link there
 *
 * All that changes does so under the lock of the memory.
 */
struct ondemand_attachment {
	struct list_head link;
	struct domain *domain;
	unsigned long iova;
	unsigned long first;
	unsigned long last;
	unsigned int prot;
	unsigned long step;
	struct domain_gather gather;
	bool unsynced;
	struct ondemand *od;
	unsigned int refs;
	bool listed;
	struct llist_node kept;
};

/**
 * struct ondemand_load - What an attachment has of a chunk
 * @next: of the chunk's
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
	struct ondemand_load *next;
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

/* The attachment of a domain that has @iova */
static inline struct ondemand_attachment *
ondemand_find_attachment(struct ondemand *od, const struct domain *domain,
			 unsigned long iova)
{
	struct ondemand_attachment *att;

	list_for_each_entry(att, &od->attachments, link)
		if (att->domain == domain && att->iova <= iova &&
		    iova - att->iova <= att->last - att->first)
			return att;
	return NULL;
}

/* What it has of a chunk, or NULL */
static inline struct ondemand_load *
ondemand_find_load(struct ondemand_chunk *chunk,
		   const struct ondemand_attachment *att)
{
	struct ondemand_load *load = chunk->loads;

	while (load && load->att != att)
		load = load->next;
	return load;
}

#endif /* IOMMUKIT_ONDEMAND_LOAD_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * In-kernel interface of iommukit: device IOTLBs, for drivers of software devices. A
 * part of <linux/iommukit.h>.
 */
#ifndef __LINUX_IOMMUKIT_IOTLB_CLIENT_H
#define __LINUX_IOMMUKIT_IOTLB_CLIENT_H

#include <linux/bits.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/types.h>

struct iommukit_ctx;
struct iommukit_iotlb_client;
struct iommukit_iotlb_reader;
struct page;

/**
 * DOC: IOTLBs
 *
 * An IOTLB translates addresses of a device (IOVA) into IOVAs of an IOAS, or addresses of
 * its owner, as user space tells; what user space has not told yet is a *miss*, and is
 * asked for. There are two ways to use one:
 *
 * **An access** takes an IOTLB where it takes an IOAS: iommukit_access_attach(). All that
 * is known of accesses stays true; an invalidation is an unmap. Nothing else of this
 * header is needed.
 *
 * **A client with readers** sees translations, may use them without sleeping, and decides
 * what to do about a miss. A *reader* belongs to one thread or one queue, used by one
 * context at a time; it has a cache of its own and its lookups take no lock.
 *
 * **The gate.** Translations are good while the reader is inside its gate, from
 * iommukit_iotlb_enter() to iommukit_iotlb_exit(), and no longer. An invalidation waits for
 * readers to leave; so a gate is short, and inside it the reader does not wait for user
 * space but for page faults. Forbidden there, of any IOTLB: translate, rw, detach,
 * reader_destroy; waiting for somebody who does these, or for a command on an IOTLB.
 *
 * **The lock rule.** iommukit_iotlb_translate() and iommukit_iotlb_rw() wait for the
 * server, a program. They are called without locks that the server's progress, a release
 * of a file, or @invalidate of the client needs; the best is none.
 *
 * **Thread per request**: loop { translate with PARTIAL; copy or pin; exit } until done.
 * To end: iommukit_iotlb_cancel(), stop the thread, reader_destroy, detach. Cancel comes
 * first, for the server may be the very process that is exiting.
 *
 * **Worker of a queue**: lock the queue, enter, translate_nowait each descriptor. On EAGAIN
 * exit, unlock, return, and leave the descriptor where it is: @resume queues the work
 * again. Now and then iommukit_iotlb_relax(), after which all translations are void if it
 * returned true.
 *
 * **Guarantees.** A translation got inside a gate is good until the gate is left. When an
 * invalidation has completed there is, and will be, no access through what it removed,
 * and @invalidate has returned. A lookup that begins after an update has returned finds it,
 * unless it was evicted or invalidated since. What was copied before an invalidation
 * completed is visible to the server after it.
 */

/* Permissions, of prot arguments and segments */
enum {
	IOMMUKIT_IOTLB_READ = BIT(0),
	IOMMUKIT_IOTLB_WRITE = BIT(1),
};

/* Flags of iommukit_iotlb_translate() */
enum {
	/* return what is translated rather than wait for the rest */
	IOMMUKIT_IOTLB_TRANSLATE_PARTIAL = BIT(0),
	/* do not wait at all */
	IOMMUKIT_IOTLB_TRANSLATE_NOMISS = BIT(1),
};

/* iommukit_iotlb_translate(): wait for ever */
#define IOMMUKIT_IOTLB_FOR_EVER (~0U)

/* Flags of iommukit_iotlb_reader_create() */
enum {
	/* waiting ends with kthread_stop() of the thread that waits */
	IOMMUKIT_IOTLB_READER_KTHREAD_STOP = BIT(0),
	/* waiting ends with any signal */
	IOMMUKIT_IOTLB_READER_INTERRUPTIBLE = BIT(1),
};

/**
 * struct iommukit_iotlb_seg - A translated piece
 * @iova: first IOVA
 * @target: what it is translated to
 * @length: bytes
 * @perm: what is allowed, IOMMUKIT_IOTLB_READ and IOMMUKIT_IOTLB_WRITE
 * @flags: 0
 */
struct iommukit_iotlb_seg {
	u64 iova;
	u64 target;
	u64 length;
	u32 perm;
	u32 flags;
};

/**
 * struct iommukit_iotlb_range - What to prefetch
 * @iova: first IOVA
 * @length: bytes
 */
struct iommukit_iotlb_range {
	u64 iova;
	u64 length;
};

/**
 * struct iommukit_iotlb_client_ops - What the core needs to know of a client
 * @invalidate: what was derived from translations of [first, last], such as pins, has
 *	gone when it returns. Optional. May sleep; called without locks and outside of
 *	gates, beside itself, @resume and new translations; for too much now and then.
 *	Must not wait for misses of any IOTLB.
 * @resume: a miss that translate_nowait has raised has come to its end, or there is room
 *	for it: try again. Called once for each EAGAIN, at most. In any context but NMI,
 *	perhaps with interrupts off: queue work, nothing else. Without it translate_nowait
 *	raises no misses.
 * @server_state: the server has come, or gone. May sleep. Optional.
 * @stage2_unmap: give back what is pinned behind the IOVAs of the IOAS, as the unmap of
 *	an access; needed for iommukit_iotlb_pin(). Must not wait for a gate.
 */
struct iommukit_iotlb_client_ops {
	void (*invalidate)(void *data, u64 first, u64 last);
	void (*resume)(void *data, void *reader_priv);
	void (*server_state)(void *data, bool up);
	void (*stage2_unmap)(void *data, unsigned long iova,
			     unsigned long length);
};

/**
 * struct iommukit_iotlb_client_stats - Sums over the readers of a client
 * @lookups: lookups
 * @cache_hits: found in the reader's cache
 * @map_hits: found in the table
 * @perm_failures: found without the permission
 * @negative_hits: found to have no translation
 */
struct iommukit_iotlb_client_stats {
	u64 lookups;
	u64 cache_hits;
	u64 map_hits;
	u64 perm_failures;
	u64 negative_hits;
};

#if IS_ENABLED(CONFIG_MMU)

struct iommukit_iotlb_client *
iommukit_iotlb_attach(struct iommukit_ctx *ictx, u32 iotlb_id, u32 asid,
		      const struct iommukit_iotlb_client_ops *ops, void *data);
void iommukit_iotlb_detach(struct iommukit_iotlb_client *client);
void iommukit_iotlb_cancel(struct iommukit_iotlb_client *client);
void iommukit_iotlb_uncancel(struct iommukit_iotlb_client *client);
void iommukit_iotlb_stats(struct iommukit_iotlb_client *client,
			  struct iommukit_iotlb_client_stats *stats);
int iommukit_iotlb_prefetch(struct iommukit_iotlb_client *client,
			    const struct iommukit_iotlb_range *ranges,
			    unsigned int nr, u32 prot);

struct iommukit_iotlb_reader *
iommukit_iotlb_reader_create(struct iommukit_iotlb_client *client,
			     unsigned int flags, void *priv);
void iommukit_iotlb_reader_destroy(struct iommukit_iotlb_reader *reader);
void iommukit_iotlb_enter(struct iommukit_iotlb_reader *reader);
void iommukit_iotlb_exit(struct iommukit_iotlb_reader *reader);
bool iommukit_iotlb_relax(struct iommukit_iotlb_reader *reader);

int iommukit_iotlb_translate(struct iommukit_iotlb_reader *reader, u64 iova,
			     u64 length, u32 prot,
			     struct iommukit_iotlb_seg *segs, unsigned int max,
			     unsigned int *nsegs, u64 *done, unsigned int flags,
			     unsigned int timeout_ms);
int iommukit_iotlb_translate_nowait(struct iommukit_iotlb_reader *reader,
				    u64 iova, u64 length, u32 prot,
				    struct iommukit_iotlb_seg *segs,
				    unsigned int max, unsigned int *nsegs,
				    u64 *done);
int iommukit_iotlb_probe(struct iommukit_iotlb_reader *reader, u64 iova,
			 u64 length, u32 prot, struct iommukit_iotlb_seg *segs,
			 unsigned int max, unsigned int *nsegs, u64 *done);

int iommukit_iotlb_rw(struct iommukit_iotlb_reader *reader, u64 iova, void *buf,
		      size_t length, unsigned int flags);
int iommukit_iotlb_copy(struct iommukit_iotlb_reader *reader,
			const struct iommukit_iotlb_seg *segs, unsigned int n,
			u64 offset, void *buf, size_t length,
			unsigned int flags);
int iommukit_iotlb_pin(struct iommukit_iotlb_reader *reader,
		       const struct iommukit_iotlb_seg *seg,
		       struct page **pages, unsigned int flags);
void iommukit_iotlb_unpin(struct iommukit_iotlb_client *client,
			  const struct iommukit_iotlb_seg *seg);

#endif /* CONFIG_MMU */

#endif /* __LINUX_IOMMUKIT_IOTLB_CLIENT_H */

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clients: drivers that are attached to an IOTLB, and what they reach by its targets.
 *
 * Only the first stage is cached. The second is gone through at each access: that of an
 * IOAS by an access of the client's own, so whatever is unmapped there needs no
 * invalidation here; that of the owner's memory as if all of it were mapped.
 */
#include <linux/file.h>
#include <linux/rculist.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "access.h"
#include "compat.h"
#include "fail.h"
#include "ioas.h"
#include "iotlb.h"
#include "iotlb_reader.h"
#include "pages.h"
#include "private.h"

/* Segments that are copied in one gate */
#define RW_SEGS 16

/* ---- life ---- */

static void client_stage2_unmap(void *data, unsigned long iova,
				unsigned long length)
{
	struct iommukit_iotlb_client *client = data;

	client->ops->stage2_unmap(client->data, iova, length);
}

static const struct iommukit_access_ops copy_ops = {};

static const struct iommukit_access_ops pin_ops = {
	.needs_pin_pages = 1,
	.unmap = client_stage2_unmap,
};

static int client_open_ioas(struct iommukit_iotlb_client *client)
{
	struct iotlb *iotlb = client->iotlb;
	struct iommukit_access *access;
	u32 id;
	int rc;

	if (!iotlb->ioas)
		return 0;
	access = iommukit_access_create(iotlb->ctx, client->ops->stage2_unmap ?
					&pin_ops : &copy_ops, client, &id);
	if (IS_ERR(access))
		return PTR_ERR(access);
	/* The client may be an access, and its lock held while this one's is taken. */
	lockdep_set_subclass(&access->lock, SINGLE_DEPTH_NESTING);
	rc = iommukit_access_attach(access, iotlb->ioas->obj.id);
	if (rc) {
		iommukit_access_destroy(access);
		return rc;
	}
	client->access = access;
	return 0;
}

static struct iommukit_iotlb_client *
client_create(struct iotlb *iotlb, u32 asid,
	      const struct iommukit_iotlb_client_ops *ops, void *data)
{
	struct iommukit_iotlb_client *client;
	struct iotlb_space *space;
	int rc;

	if (asid >= iotlb->num_asids)
		return ERR_PTR(-EINVAL);
	space = iotlb_space_make(iotlb, asid);
	if (IS_ERR(space))
		return ERR_CAST(space);
	client = fail_alloc(kzalloc(sizeof(*client), GFP_KERNEL_ACCOUNT));
	if (!client)
		return ERR_PTR(-ENOMEM);
	client->iotlb = iotlb;
	client->space = space;
	client->ops = ops;
	client->data = data;
	INIT_LIST_HEAD(&client->sleepers);
	rc = client_open_ioas(client);
	if (rc) {
		kfree(client);
		return ERR_PTR(rc);
	}
	return client;
}

/**
 * iommukit_iotlb_attach - become a client of an IOTLB
 * @ictx: the context; the client holds it
 * @iotlb_id: the IOTLB
 * @asid: address space of it
 * @ops: what the core needs to know of the driver
 * @data: argument for @ops
 *
 * Callbacks may come before this returns. @ops and @data stay valid until
 * iommukit_iotlb_detach() has returned.
 *
 * Context: process context, may sleep, no mmap_lock held, and no lock that callbacks
 * take.
 * Return: the client; -ENOENT if there is no such IOTLB; -EINVAL if it has no such address
 * space, or an argument is missing; -EIO if the context is dead; -ENOMEM; -EBUSY,
 * -EADDRINUSE, -EINTR of the access to its IOAS.
 */
struct iommukit_iotlb_client *
iommukit_iotlb_attach(struct iommukit_ctx *ictx, u32 iotlb_id, u32 asid,
		      const struct iommukit_iotlb_client_ops *ops, void *data)
{
	struct iommukit_iotlb_client *client;
	struct iotlb *iotlb;
	int rc;

	if (!ictx || !ops)
		return ERR_PTR(-EINVAL);
	rc = ctx_check(ictx);
	if (rc)
		return ERR_PTR(rc);
	iotlb = iotlb_get(ictx, iotlb_id);
	if (IS_ERR(iotlb))
		return ERR_CAST(iotlb);
	client = client_create(iotlb, asid, ops, data);
	if (!IS_ERR(client)) {
		object_hold(&iotlb->obj);
		iommukit_ctx_get(ictx);
		spin_lock(&iotlb->clients_lock);
		list_add_tail(&client->link, &iotlb->clients);
		spin_unlock(&iotlb->clients_lock);
	}
	iotlb_put(iotlb);
	return client;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_iotlb_attach);

/**
 * iommukit_iotlb_detach - end a client
 * @client: the client, without readers; NULL and error pointers are ignored
 *
 * Waits for callbacks that are running; none runs when it returns. With pins in the IOAS,
 * stage2_unmap is called for everything.
 *
 * Context: process context, may sleep, and no lock that callbacks take.
 */
void iommukit_iotlb_detach(struct iommukit_iotlb_client *client)
{
	struct iommukit_ctx *ctx;
	struct iotlb *iotlb;

	if (IS_ERR_OR_NULL(client))
		return;
	iotlb = client->iotlb;
	ctx = iotlb->ctx;
	if (atomic_read(&client->nr_readers)) {
		pr_warn_once("driver with invalidate %ps: detaches with readers\n",
			     client->ops->invalidate);
		wait_var_event(&client->nr_readers,
			       !atomic_read(&client->nr_readers));
	}
	/* It stays in the list while somebody is at it there. */
	spin_lock(&iotlb->clients_lock);
	client->leaving = true;
	spin_unlock(&iotlb->clients_lock);
	wait_var_event(&client->calls, !READ_ONCE(client->calls));
	spin_lock(&iotlb->clients_lock);
	list_del(&client->link);
	spin_unlock(&iotlb->clients_lock);
	iommukit_access_destroy(client->access);
	kfree(client);
	/* A DESTROY that found this user does not wait; nobody to wake. */
	object_release(&iotlb->obj);
	iommukit_ctx_put(ctx);
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_iotlb_detach);

/**
 * iommukit_iotlb_cancel - let blocking calls fail
 * @client: the client
 *
 * All that wait, and all to come, fail with -ECANCELED until iommukit_iotlb_uncancel(). A
 * driver calls it before it waits for its threads: the server may be the process that is
 * just exiting.
 *
 * Context: any but NMI.
 */
void iommukit_iotlb_cancel(struct iommukit_iotlb_client *client)
{
	iotlb_miss_cancel(client, true);
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_iotlb_cancel);

/**
 * iommukit_iotlb_uncancel - undo iommukit_iotlb_cancel()
 * @client: the client
 *
 * Context: any but NMI.
 */
void iommukit_iotlb_uncancel(struct iommukit_iotlb_client *client)
{
	iotlb_miss_cancel(client, false);
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_iotlb_uncancel);

/* ---- what clients are told, and tell ---- */

/*
 * The next client to be called, after @client, whose call has ended. No lock is held over
 * a call: a driver may wait there for somebody who attaches.
 */
static struct iommukit_iotlb_client *
next_client(struct iotlb *iotlb, struct iommukit_iotlb_client *client)
{
	struct iommukit_iotlb_client *next, *last = client;

	spin_lock(&iotlb->clients_lock);
	next = list_prepare_entry(client, &iotlb->clients, link);
	list_for_each_entry_continue(next, &iotlb->clients, link)
		if (!next->leaving)
			break;
	if (list_entry_is_head(next, &iotlb->clients, link))
		next = NULL;
	else
		next->calls++;
	if (last && !--last->calls) {
		smp_mb(); /* or a waiter that sees the old value is not seen */
		wake_up_var(&last->calls);
	}
	spin_unlock(&iotlb->clients_lock);
	return next;
}

/**
 * iotlb_clients_invalidate - have clients give up what they have derived
 * @space: the address space, whose readers were waited for
 * @first: first IOVA
 * @last: last one
 *
 * Context: may sleep; no lock is held, nor a gate.
 */
void iotlb_clients_invalidate(struct iotlb_space *space, u64 first, u64 last)
{
	struct iommukit_iotlb_client *client = NULL;

	while ((client = next_client(space->iotlb, client)))
		if (client->space == space && client->ops->invalidate)
			client->ops->invalidate(client->data, first, last);
}

/**
 * iotlb_clients_tell - tell clients that the server has come or gone
 * @iotlb: the IOTLB
 * @up: which
 *
 * Context: may sleep; no lock is held, nor a gate.
 */
void iotlb_clients_tell(struct iotlb *iotlb, bool up)
{
	struct iommukit_iotlb_client *client = NULL;

	while ((client = next_client(iotlb, client)))
		if (client->ops->server_state)
			client->ops->server_state(client->data, up);
}

static void counts_add(u64 *counts, const u64 *more)
{
	unsigned int i;

	for (i = 0; i < IOTLB_NR_COUNTS; i++)
		counts[i] += READ_ONCE(more[i]);
}

/* Add what readers of @space have counted: those of @only, or all. */
static void readers_count(struct iotlb_space *space,
			  const struct iommukit_iotlb_client *only, u64 *counts)
{
	const struct iommukit_iotlb_reader *reader;

	spin_lock(&space->readers_lock);
	counts_add(counts, only ? only->gone : space->gone);
	list_for_each_entry(reader, &space->readers, link)
		if (!only || reader->client == only)
			counts_add(counts, reader->counts);
	spin_unlock(&space->readers_lock);
}

/**
 * iotlb_clients_count - sum up what readers count
 * @iotlb: the IOTLB
 * @counts: IOTLB_NR_COUNTS sums
 * @reset: begin anew
 *
 * By spaces, for of clients there may be many more.
 *
 * Context: any but interrupts.
 */
void iotlb_clients_count(struct iotlb *iotlb, u64 *counts, bool reset)
{
	struct iotlb_space *space;
	unsigned long asid;
	unsigned int i;

	memset(counts, 0, IOTLB_NR_COUNTS * sizeof(*counts));
	spin_lock(&iotlb->clients_lock);
	xa_for_each(&iotlb->spaces, asid, space)
		readers_count(space, NULL, counts);
	for (i = 0; i < IOTLB_NR_COUNTS; i++) {
		u64 sum = counts[i];

		counts[i] -= iotlb->read_base[i];
		if (reset)
			iotlb->read_base[i] = sum;
	}
	spin_unlock(&iotlb->clients_lock);
}

/**
 * iommukit_iotlb_stats - what the readers of a client have counted
 * @client: the client
 * @stats: gets it
 *
 * Context: may sleep.
 */
void iommukit_iotlb_stats(struct iommukit_iotlb_client *client,
			  struct iommukit_iotlb_client_stats *stats)
{
	u64 counts[IOTLB_NR_COUNTS] = {};

	readers_count(client->space, client, counts);
	*stats = (struct iommukit_iotlb_client_stats){
		.lookups = counts[IOTLB_COUNT_LOOKUPS],
		.cache_hits = counts[IOTLB_COUNT_CACHE_HITS],
		.map_hits = counts[IOTLB_COUNT_MAP_HITS],
		.perm_failures = counts[IOTLB_COUNT_PERM_FAILURES],
		.negative_hits = counts[IOTLB_COUNT_NEGATIVE_HITS],
	};
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_iotlb_stats);

/**
 * iommukit_iotlb_prefetch - say what will be needed soon
 * @client: the client
 * @ranges: what
 * @nr: ranges
 * @prot: IOMMUKIT_IOTLB_READ, IOMMUKIT_IOTLB_WRITE or both
 *
 * Of each range the first byte is asked for, with the length as a hint, if the server
 * understands that nobody waits.
 *
 * Context: any but NMI.
 * Return: how many are asked for; -EINVAL for an impossible range, or no permission; -EIO
 * if the context is dead.
 */
int iommukit_iotlb_prefetch(struct iommukit_iotlb_client *client,
			    const struct iommukit_iotlb_range *ranges,
			    unsigned int nr, u32 prot)
{
	const struct iotlb *iotlb = client->iotlb;
	unsigned int i, asked = 0;
	int rc;

	if (!prot || (prot & ~(IOMMUKIT_IOTLB_READ | IOMMUKIT_IOTLB_WRITE)))
		return -EINVAL;
	for (i = 0; i < nr; i++) {
		u64 last;

		if (!ranges[i].length ||
		    check_add_overflow(ranges[i].iova, ranges[i].length - 1,
				       &last) ||
		    ranges[i].iova < iotlb->first || last > iotlb->last)
			return -EINVAL;
	}
	rc = ctx_check(iotlb->ctx);
	if (rc)
		return rc;
	for (i = 0; i < nr; i++)
		asked += iotlb_miss_prefetch(client->space, ranges[i].iova,
					     ranges[i].length, prot);
	return asked;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_iotlb_prefetch);

/* ---- the second stage ---- */

static u32 needed_perm(unsigned int rw_flags)
{
	return rw_flags & IOMMUKIT_ACCESS_RW_WRITE ? IOMMUKIT_IOTLB_WRITE :
						     IOMMUKIT_IOTLB_READ;
}

static int stage2_rw(struct iommukit_iotlb_client *client, u64 target,
		     void *buf, size_t length, unsigned int flags)
{
	unsigned long done;

	if (client->access)
		return iommukit_access_rw(client->access, target, buf, length,
					  flags);
	return access_check_rw_flags(flags) ?: ctx_check(client->iotlb->ctx) ?:
	       pages_rw(client->iotlb->uva, target, buf, length, flags, &done);
}

/**
 * iommukit_iotlb_copy - copy between a buffer and what segments lead to
 * @reader: the reader, in the gate in which it has got them
 * @segs: the segments
 * @n: how many
 * @offset: byte in them to begin with
 * @buf: kernel memory as for iommukit_access_rw()
 * @length: bytes, which they must cover
 * @flags: as for iommukit_access_rw()
 *
 * Context: process context, may sleep and fault, no mmap_lock held, and no lock that
 * invalidate needs.
 * Return: 0; -EINVAL if they are too short; -EPERM if they do not allow it; errnos of
 * iommukit_access_rw(). On failure a part may have been copied.
 */
int iommukit_iotlb_copy(struct iommukit_iotlb_reader *reader,
			const struct iommukit_iotlb_seg *segs, unsigned int n,
			u64 offset, void *buf, size_t length,
			unsigned int flags)
{
	for (; length && n; segs++, n--) {
		size_t part;
		int rc;

		if (offset >= segs->length) {
			offset -= segs->length;
			continue;
		}
		if (needed_perm(flags) & ~segs->perm)
			return -EPERM;
		part = min_t(u64, length, segs->length - offset);
		rc = stage2_rw(reader->client, segs->target + offset, buf, part,
			       flags);
		if (rc)
			return rc;
		offset = 0;
		buf += part;
		length -= part;
	}
	return length ? -EINVAL : 0;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_iotlb_copy);

/**
 * iotlb_rw - iommukit_iotlb_rw() under locks that the caller answers for
 * @reader: as there, as what follows
 * @iova: as there
 * @buf: as there
 * @length: as there
 * @flags: as there
 *
 * Context: may sleep, as long as server and owner take.
 * Return: as there; -EAGAIN if somebody who revokes may need a lock of the caller.
 */
int iotlb_rw(struct iommukit_iotlb_reader *reader, u64 iova, void *buf,
	     size_t length, unsigned int flags)
{
	if (!length)
		return -EINVAL;
	while (length) {
		struct iommukit_iotlb_seg segs[RW_SEGS];
		unsigned int nsegs;
		u64 done;
		int rc;

		rc = iotlb_translate(reader, iova, length, needed_perm(flags),
				     segs, RW_SEGS, &nsegs, &done,
				     IOMMUKIT_IOTLB_TRANSLATE_PARTIAL, 0);
		if (rc)
			return rc;
		rc = iommukit_iotlb_copy(reader, segs, nsegs, 0, buf, done,
					 flags);
		iommukit_iotlb_exit(reader);
		if (rc)
			return rc;
		iova += done;
		buf += done;
		length -= done;
		if (length && fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/**
 * iommukit_iotlb_rw - translate and copy
 * @reader: the reader, outside of its gate
 * @iova: first IOVA
 * @buf: kernel memory as for iommukit_access_rw()
 * @length: bytes
 * @flags: as for iommukit_access_rw()
 *
 * Not atomic: on failure a part may have been copied. The timeout of the IOTLB is for each
 * piece.
 *
 * Context: process context, may sleep as long as server and owner take, no mmap_lock held;
 * see "The lock rule".
 * Return: 0; errnos of iommukit_iotlb_translate() and iommukit_access_rw().
 */
int iommukit_iotlb_rw(struct iommukit_iotlb_reader *reader, u64 iova, void *buf,
		      size_t length, unsigned int flags)
{
	lockdep_assert_none_held_once();
	return iotlb_rw(reader, iova, buf, length, flags);
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_iotlb_rw);

/**
 * iommukit_iotlb_pin - pin the pages that a segment leads to
 * @reader: the reader, in the gate in which it has got it
 * @seg: the segment; its target begins at a page
 * @pages: gets them, as iommukit_access_pin_pages()
 * @flags: IOMMUKIT_ACCESS_RW_WRITE if they will be written, or 0
 *
 * They stay until iommukit_iotlb_unpin(), also when the gate is left; the driver gives them
 * up when invalidate is called for the IOVA, or stage2_unmap for the target. It takes note
 * of the pin before it leaves the gate.
 *
 * Context: process context, may sleep, no mmap_lock held, and no lock that invalidate or
 * stage2_unmap needs, but one that is held over taking note as well.
 * Return: 0; -EOPNOTSUPP without an IOAS, or if the client lacks invalidate or
 * stage2_unmap; -EPERM if the segment does not allow it; errnos of
 * iommukit_access_pin_pages().
 */
int iommukit_iotlb_pin(struct iommukit_iotlb_reader *reader,
		       const struct iommukit_iotlb_seg *seg,
		       struct page **pages, unsigned int flags)
{
	struct iommukit_iotlb_client *client = reader->client;

	if (!client->access || !client->ops->stage2_unmap ||
	    !client->ops->invalidate)
		return -EOPNOTSUPP;
	if (needed_perm(flags) & ~seg->perm)
		return -EPERM;
	return iommukit_access_pin_pages(client->access, seg->target,
					 seg->length, pages, flags);
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_iotlb_pin);

/**
 * iommukit_iotlb_unpin - undo iommukit_iotlb_pin()
 * @client: the client
 * @seg: as pinned
 *
 * Context: process context, may sleep, no mmap_lock held; in a gate or not, and from
 * invalidate and stage2_unmap as well.
 */
void iommukit_iotlb_unpin(struct iommukit_iotlb_client *client,
			  const struct iommukit_iotlb_seg *seg)
{
	iommukit_access_unpin_pages(client->access, seg->target, seg->length);
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_iotlb_unpin);

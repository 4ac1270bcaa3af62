// SPDX-License-Identifier: GPL-2.0-only
/*
 * An access whose IOVAs go through an IOTLB: a client of that, with as many readers as
 * threads use the access at a time.
 *
 * A pin is made and noted in one gate. So an invalidation, which waits for gates before it
 * comes here, finds all pins that were made by what it has removed. Each has a number:
 * later ones were made by something newer, and are none of its business.
 *
 * The driver's unmap may need a lock with which another thread of the driver waits for the
 * server, which may be the one that invalidates. So nobody waits while unmap runs.
 */
#include <linux/interval_tree.h>
#include <linux/iommukit.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "access.h"
#include "compat.h"
#include "fail.h"
#include "ioas.h"
#include "iotlb.h"
#include "iotlb_reader.h"

/* Segments that a pin has room for at first */
#define PIN_SEGS 8

/**
 * struct stage_pin - A pin
 * @node: the range
 * @number: counts pins
 * @write: the pages may be written
 * @nr: segments
 * @segs: what was pinned
 */
struct stage_pin {
	struct interval_tree_node node;
	u64 number;
	bool write;
	unsigned int nr;
	struct iommukit_iotlb_seg segs[];
};

/**
 * struct stage_reader - A reader that a thread borrows
 * @link: in the list of those that nobody uses
 * @reader: the reader
 */
struct stage_reader {
	struct list_head link;
	struct iommukit_iotlb_reader *reader;
};

/**
 * struct access_stage - The attachment of an access to an IOTLB
 * @access: the access
 * @client: the client; set before there are pins
 * @lock: spinlock: protects all that follows
 * @idle: struct stage_reader that nobody uses
 * @pins: struct stage_pin by IOVA
 * @numbers: how many there ever were
 * @stopped: only who changes the access calls the driver's unmap
 * @running: calls of it by others
 * @wait: woken when there are fewer calls, or pins
 */
struct access_stage {
	struct iommukit_access *access;
	struct iommukit_iotlb_client *client;
	spinlock_t lock;
	struct list_head idle;
	struct rb_root_cached pins;
	u64 numbers;
	bool stopped;
	unsigned int running;
	wait_queue_head_t wait;
};

static struct stage_pin *to_pin(struct interval_tree_node *node)
{
	return container_of(node, struct stage_pin, node);
}

/* ---- revoking ---- */

/**
 * struct revocation - What is taken away
 * @first: first address
 * @last: last one
 * @targets: they are of the IOAS, else of the device
 * @numbers: pins from this number on are not meant
 */
struct revocation {
	unsigned long first;
	unsigned long last;
	bool targets;
	u64 numbers;
};

static bool pin_leads_to(const struct stage_pin *pin, unsigned long first,
			 unsigned long last)
{
	unsigned int i;

	for (i = 0; i < pin->nr; i++)
		if (pin->segs[i].target <= last &&
		    pin->segs[i].target + (pin->segs[i].length - 1) >= first)
			return true;
	return false;
}

/* The first pin that is meant and is numbered @from or higher; by number. */
static struct stage_pin *find_pin(struct access_stage *stage,
				  const struct revocation *what, u64 from)
{
	unsigned long first = what->targets ? 0 : what->first;
	unsigned long last = what->targets ? ULONG_MAX : what->last;
	struct interval_tree_node *node;
	struct stage_pin *found = NULL;

	for (node = interval_tree_iter_first(&stage->pins, first, last); node;
	     node = interval_tree_iter_next(node, first, last)) {
		struct stage_pin *pin = to_pin(node);

		if (pin->number < from || pin->number >= what->numbers ||
		    (found && found->number < pin->number) ||
		    (what->targets && !pin_leads_to(pin, what->first, what->last)))
			continue;
		found = pin;
	}
	return found;
}

static bool has_pin(struct access_stage *stage, const struct revocation *what)
{
	bool has;

	spin_lock(&stage->lock);
	has = find_pin(stage, what, 0);
	spin_unlock(&stage->lock);
	return has;
}

/* Let the driver give up one pin after the other; @stage->lock is held. */
static void revoke_pins(struct access_stage *stage, const struct revocation *what)
{
	struct iommukit_access *access = stage->access;
	struct stage_pin *pin;
	u64 from = 0;

	while ((pin = find_pin(stage, what, from))) {
		unsigned long iova = pin->node.start;
		unsigned long length = pin->node.last - iova + 1;
		struct revocation same = {
			.first = iova,
			.last = pin->node.last,
			.numbers = pin->number + 1,
		};

		from = pin->number;
		spin_unlock(&stage->lock);
		access->ops->unmap(access->data, iova, length);
		spin_lock(&stage->lock);
		pin = find_pin(stage, &same, from);
		from++;
		if (pin)
			access_misuse(access, "returned with pins left in an unmapped range");
	}
}

static void revoke(struct access_stage *stage, unsigned long first,
		   unsigned long last, bool targets)
{
	struct revocation what = {
		.first = first,
		.last = last,
		.targets = targets,
	};

	spin_lock(&stage->lock);
	what.numbers = stage->numbers;
	if (!find_pin(stage, &what, 0)) {
		spin_unlock(&stage->lock);
		return;
	}
	if (stage->stopped) {
		/* Somebody else has the driver give up everything. */
		spin_unlock(&stage->lock);
		wait_event(stage->wait, !has_pin(stage, &what));
		return;
	}
	stage->running++;
	spin_unlock(&stage->lock);
	iotlb_miss_revoke(stage->client, true);
	spin_lock(&stage->lock);
	revoke_pins(stage, &what);
	spin_unlock(&stage->lock);
	iotlb_miss_revoke(stage->client, false);
	spin_lock(&stage->lock);
	stage->running--;
	wake_up_all(&stage->wait);
	spin_unlock(&stage->lock);
}

static void stage_invalidate(void *data, u64 first, u64 last)
{
	revoke(data, first, last, false);
}

static void stage_unmap(void *data, unsigned long iova, unsigned long length)
{
	revoke(data, iova, length == ULONG_MAX ? ULONG_MAX : iova + (length - 1),
	       true);
}

static const struct iommukit_iotlb_client_ops stage_copy_ops = {};

static const struct iommukit_iotlb_client_ops stage_pin_ops = {
	.invalidate = stage_invalidate,
	.stage2_unmap = stage_unmap,
};

/* ---- life ---- */

/**
 * access_stage_attach - attach an access to an IOTLB
 * @access: the access
 * @id: the IOTLB
 *
 * Context: may sleep; access.lock is held.
 * Return: the attachment, or an errno of iommukit_access_attach().
 */
struct access_stage *access_stage_attach(struct iommukit_access *access, u32 id)
{
	bool pins = access->ops->needs_pin_pages;
	struct iommukit_iotlb_client *client;
	struct access_stage *stage;

	stage = fail_alloc(kzalloc(sizeof(*stage), GFP_KERNEL_ACCOUNT));
	if (!stage)
		return ERR_PTR(-ENOMEM);
	stage->access = access;
	spin_lock_init(&stage->lock);
	INIT_LIST_HEAD(&stage->idle);
	stage->pins = RB_ROOT_CACHED;
	init_waitqueue_head(&stage->wait);
	client = iommukit_iotlb_attach(access->ctx, id, 0,
				       pins ? &stage_pin_ops : &stage_copy_ops,
				       stage);
	if (!IS_ERR(client) && pins && !client->access) {
		iommukit_iotlb_detach(client);
		client = ERR_PTR(-EOPNOTSUPP);
	}
	if (IS_ERR(client)) {
		kfree(stage);
		return ERR_CAST(client);
	}
	if (client->access)
		client->access->relays = true;
	stage->client = client;
	return stage;
}

/**
 * access_stage_id - id of the IOTLB that an access is attached to
 * @stage: the attachment
 *
 * Context: any.
 */
u32 access_stage_id(const struct access_stage *stage)
{
	return stage->client->iotlb->obj.id;
}

/**
 * access_stage_cancel - let nobody wait for the server, for good
 * @stage: the attachment, which is about to be detached
 *
 * Context: any but NMI.
 */
void access_stage_cancel(struct access_stage *stage)
{
	iommukit_iotlb_cancel(stage->client);
}

/**
 * access_stage_stop - the caller is the only one to call the driver's unmap
 * @stage: the attachment
 *
 * Waits for calls that are running. Later revocations wait until the driver has given up
 * everything.
 *
 * Context: may sleep.
 */
void access_stage_stop(struct access_stage *stage)
{
	spin_lock(&stage->lock);
	stage->stopped = true;
	spin_unlock(&stage->lock);
	wait_event(stage->wait, !READ_ONCE(stage->running));
}

/**
 * access_stage_forget - nobody waits for what the driver did not give back
 * @stage: the attachment, stopped
 *
 * Context: may sleep; access.lock is held for writing.
 */
void access_stage_forget(struct access_stage *stage)
{
	struct stage_pin *pin, *next;
	struct rb_root_cached pins;

	spin_lock(&stage->lock);
	pins = stage->pins;
	stage->pins = RB_ROOT_CACHED;
	WRITE_ONCE(stage->access->nr_pins, 0);
	wake_up_all(&stage->wait);
	spin_unlock(&stage->lock);
	if (RB_EMPTY_ROOT(&pins.rb_root))
		return;
	access_misuse(stage->access, "left an IOTLB without unpinning");
	rbtree_postorder_for_each_entry_safe(pin, next, &pins.rb_root, node.rb)
		kvfree(pin);
}

/**
 * access_stage_detach - end an attachment
 * @stage: the attachment, that nobody uses any more
 *
 * Context: may sleep, without locks.
 */
void access_stage_detach(struct access_stage *stage)
{
	struct stage_reader *reader, *next;

	list_for_each_entry_safe(reader, next, &stage->idle, link) {
		iommukit_iotlb_reader_destroy(reader->reader);
		kfree(reader);
	}
	iommukit_iotlb_detach(stage->client);
	kfree(stage);
}

/* ---- readers ---- */

static struct stage_reader *reader_make(struct access_stage *stage)
{
	struct iommukit_iotlb_reader *reader;
	struct stage_reader *out;

	out = fail_alloc(kzalloc(sizeof(*out), GFP_KERNEL_ACCOUNT));
	if (!out)
		return ERR_PTR(-ENOMEM);
	reader = iommukit_iotlb_reader_create(stage->client,
					      IOMMUKIT_IOTLB_READER_KTHREAD_STOP,
					      NULL);
	if (IS_ERR(reader)) {
		kfree(out);
		return ERR_CAST(reader);
	}
	out->reader = reader;
	return out;
}

/* The one that was used last: its cache is warm. */
static struct stage_reader *reader_borrow(struct access_stage *stage)
{
	struct stage_reader *reader;

	spin_lock(&stage->lock);
	reader = list_first_entry_or_null(&stage->idle, struct stage_reader,
					  link);
	if (reader)
		list_del(&reader->link);
	spin_unlock(&stage->lock);
	return reader ?: reader_make(stage);
}

static void reader_return(struct access_stage *stage,
			  struct stage_reader *reader)
{
	spin_lock(&stage->lock);
	list_add(&reader->link, &stage->idle);
	spin_unlock(&stage->lock);
}

/* ---- what drivers do ---- */

static void count_pin(struct access_stage *stage, int change)
{
	struct iommukit_access *access = stage->access;

	lockdep_assert_held(&stage->lock);
	WRITE_ONCE(access->nr_pins, access->nr_pins + change);
}

static struct stage_pin *pin_alloc(unsigned int nr)
{
	struct stage_pin *pin;

	return fail_alloc(kvmalloc(struct_size(pin, segs, nr),
				   GFP_KERNEL_ACCOUNT | __GFP_NOWARN));
}

/* Pages must follow each other without a gap but at both ends. */
static bool pin_is_aligned(const struct stage_pin *pin)
{
	unsigned int i;

	for (i = 0; i < pin->nr; i++)
		if (!PAGE_ALIGNED(pin->segs[i].target) ||
		    (i + 1 < pin->nr && !PAGE_ALIGNED(pin->segs[i].length)))
			return false;
	return true;
}

/* The range translated, in the gate of @reader */
static struct stage_pin *pin_translate(struct iommukit_iotlb_reader *reader,
				       unsigned long iova, unsigned long last,
				       u32 prot)
{
	unsigned int max = PIN_SEGS;

	for (;;) {
		struct stage_pin *pin = pin_alloc(max);
		u64 done;
		int rc;

		if (!pin)
			return ERR_PTR(-ENOMEM);
		rc = iotlb_translate(reader, iova, last - iova + 1, prot,
				     pin->segs, max, &pin->nr, &done, 0, 0);
		if (!rc)
			return pin;
		kvfree(pin);
		/* There cannot be more of them than pages, if they are aligned. */
		if (rc == -ENOBUFS && max > (last - iova) / PAGE_SIZE + 1)
			rc = -EINVAL;
		if (rc != -ENOBUFS)
			return ERR_PTR(rc);
		max *= 2;
	}
}

static int pin_segs(struct iommukit_iotlb_reader *reader, struct stage_pin *pin,
		    struct page **out, unsigned int flags)
{
	unsigned int i;
	int rc = 0;

	if (!pin_is_aligned(pin))
		return -EINVAL;
	for (i = 0; i < pin->nr && !rc; i++) {
		rc = iommukit_iotlb_pin(reader, &pin->segs[i], out, flags);
		out += DIV_ROUND_UP(pin->segs[i].length, PAGE_SIZE);
	}
	if (rc)
		for (i--; i; i--)
			iommukit_iotlb_unpin(reader->client, &pin->segs[i - 1]);
	return rc;
}

static int pin_by_reader(struct access_stage *stage,
			 struct iommukit_iotlb_reader *reader,
			 unsigned long iova, unsigned long last,
			 struct page **out, unsigned int flags)
{
	bool write = flags & IOMMUKIT_ACCESS_RW_WRITE;
	struct stage_pin *pin;
	int rc;

	pin = pin_translate(reader, iova, last, write ? IOMMUKIT_IOTLB_WRITE :
							IOMMUKIT_IOTLB_READ);
	if (IS_ERR(pin))
		return PTR_ERR(pin);
	rc = pin_segs(reader, pin, out, flags);
	if (!rc) {
		pin->node.start = iova;
		pin->node.last = last;
		pin->write = write;
		spin_lock(&stage->lock);
		pin->number = stage->numbers++;
		interval_tree_insert(&pin->node, &stage->pins);
		count_pin(stage, 1);
		spin_unlock(&stage->lock);
		/* An unmap of the IOAS that did not find it yet asks again. */
		iova_space_pins_changed(&reader->client->iotlb->ioas->space);
	}
	iommukit_iotlb_exit(reader);
	if (rc)
		kvfree(pin);
	return rc;
}

/**
 * access_stage_pin - pin the pages behind a range of IOVA
 * @stage: the attachment
 * @iova: first IOVA
 * @last: last one
 * @out: gets the pages
 * @flags: IOMMUKIT_ACCESS_RW_WRITE or 0
 *
 * Context: may sleep, as long as server and owner take; access.lock is held for reading.
 * Return: 0 or an errno of iommukit_access_pin_pages().
 */
int access_stage_pin(struct access_stage *stage, unsigned long iova,
		     unsigned long last, struct page **out, unsigned int flags)
{
	struct stage_reader *reader = reader_borrow(stage);
	int rc;

	if (IS_ERR(reader))
		return PTR_ERR(reader);
	rc = pin_by_reader(stage, reader->reader, iova, last, out, flags);
	reader_return(stage, reader);
	return rc;
}

/* Take a pin of exactly this range out, one for reading if there is one. */
static struct stage_pin *take_pin(struct access_stage *stage,
				  unsigned long iova, unsigned long last)
{
	struct interval_tree_node *node;
	struct stage_pin *found = NULL;

	spin_lock(&stage->lock);
	for (node = interval_tree_iter_first(&stage->pins, iova, iova);
	     node && (!found || found->write);
	     node = interval_tree_iter_next(node, iova, iova)) {
		struct stage_pin *pin = to_pin(node);

		if (node->start == iova && node->last == last &&
		    (!found || !pin->write))
			found = pin;
	}
	if (found) {
		interval_tree_remove(&found->node, &stage->pins);
		count_pin(stage, -1);
	}
	spin_unlock(&stage->lock);
	return found;
}

/**
 * access_stage_unpin - undo access_stage_pin()
 * @stage: the attachment
 * @iova: as pinned
 * @last: as pinned
 *
 * Context: may sleep; access.lock is held for reading.
 * Return: whether it was pinned.
 */
bool access_stage_unpin(struct access_stage *stage, unsigned long iova,
			unsigned long last)
{
	struct stage_pin *pin = take_pin(stage, iova, last);
	unsigned int i;

	if (!pin)
		return false;
	for (i = 0; i < pin->nr; i++)
		iommukit_iotlb_unpin(stage->client, &pin->segs[i]);
	kvfree(pin);
	/* Who waits for it can go on only now. */
	wake_up_all(&stage->wait);
	return true;
}

/**
 * access_stage_rw - copy between a buffer and the memory behind IOVA
 * @stage: the attachment
 * @iova: first IOVA
 * @data: the buffer
 * @length: bytes
 * @flags: as for iommukit_access_rw(), and checked
 *
 * Context: may sleep, as long as server and owner take; access.lock is held for reading.
 * Return: 0 or an errno of iommukit_access_rw().
 */
int access_stage_rw(struct access_stage *stage, unsigned long iova, void *data,
		    size_t length, unsigned int flags)
{
	struct stage_reader *reader = reader_borrow(stage);
	int rc;

	if (IS_ERR(reader))
		return PTR_ERR(reader);
	rc = iotlb_rw(reader->reader, iova, data, length, flags);
	reader_return(stage, reader);
	return rc;
}

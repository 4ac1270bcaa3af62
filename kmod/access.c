// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses: a driver's handle on an IOAS. The rules for drivers, and who calls
 * unmap when, are in <linux/iommukit.h>.
 *
 * @ioas is where rw and pin work, @ioas_unpin where unpin does. They are equal
 * but while the access changes: then @ioas is NULL already and the driver's
 * unmap may still give pins back. All three run in parallel under the read side
 * of @lock; a change takes the write side, but never while it calls unmap.
 *
 * Each pin is written down with the areas and the indexes it took, so that
 * unpinning walks neither areas nor address spaces. An area cannot go while it
 * is pinned, so a pin may point at it.
 */
#include <linux/file.h>
#include <linux/interval_tree.h>
#include <linux/iommukit.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat.h"
#include "fail.h"
#include "ioas.h"
#include "pages.h"
#include "private.h"
#include "test_hooks.h"

/**
 * struct pin_slice - The part of a pin that lies in one area
 * @area: the area
 * @first: index of the first page in the area's pages object
 * @last: index of the last page
 */
struct pin_slice {
	struct iova_area *area;
	unsigned long first;
	unsigned long last;
};

/**
 * struct access_pin - One pin: a range of IOVA; pinned twice, there are two
 * @node: the range
 * @nr: number of slices
 * @settled: the call that pinned needs it no more; under @pins_lock
 * @write: the pages may be written
 * @slices: what was pinned
 */
struct access_pin {
	struct interval_tree_node node;
	unsigned int nr;
	bool settled;
	bool write;
	struct pin_slice slices[];
};

/**
 * struct iommukit_access - Access object
 * @obj: the object
 * @ctx: its context, whose file it holds
 * @ops: the driver's
 * @data: argument of the driver's unmap
 * @lock: see above
 * @ioas: where rw and pin work
 * @ioas_unpin: where unpin works
 * @member: membership of @ioas_unpin
 * @pins_lock: protects @pins; inside the lock of a space's members
 * @pins: struct access_pin by IOVA
 */
struct iommukit_access {
	struct iommukit_object obj;
	struct iommukit_ctx *ctx;
	const struct iommukit_access_ops *ops;
	void *data;
	struct rw_semaphore lock;
	struct ioas *ioas;
	struct ioas *ioas_unpin;
	struct iova_member *member;
	spinlock_t pins_lock;
	struct rb_root_cached pins;
};

/* Reports of a driver's mistakes name the driver, once. */
#define access_misuse(access, fmt, ...) \
	pr_warn_once("driver with unmap %ps: " fmt "\n", (access)->ops->unmap, \
		     ##__VA_ARGS__)

/* The table holds one user, the driver another: only the driver can end it. */
static const struct object_ops access_object_ops = {};

/* ---- membership ---- */

static bool access_holds(void *owner, unsigned long first, unsigned long last)
{
	struct iommukit_access *access = owner;
	bool holds;

	spin_lock(&access->pins_lock);
	holds = interval_tree_iter_first(&access->pins, first, last);
	spin_unlock(&access->pins_lock);
	return holds;
}

static void access_unmap(void *owner, unsigned long iova, unsigned long length)
{
	struct iommukit_access *access = owner;

	access->ops->unmap(access->data, iova, length);
	if (access_holds(access, iova, iova + length - 1))
		access_misuse(access, "returned with pins left in an unmapped range");
}

/* The areas stay while the pin is there. */
static void pin_mark(const struct access_pin *pin)
{
	unsigned long iova = pin->node.start;
	unsigned int i;

	for (i = 0; pin->write && i < pin->nr; i++) {
		struct iova_area *area = pin->slices[i].area;
		unsigned long end = min(area->last, pin->node.last);

		iova_area_mark(area, iova, end);
		iova = end + 1;
	}
}

static void access_mark(void *owner, unsigned long first, unsigned long last)
{
	struct iommukit_access *access = owner;
	struct interval_tree_node *node;

	spin_lock(&access->pins_lock);
	for (node = interval_tree_iter_first(&access->pins, first, last); node;
	     node = interval_tree_iter_next(node, first, last))
		pin_mark(container_of(node, struct access_pin, node));
	spin_unlock(&access->pins_lock);
}

static const struct iova_member_ops access_member_ops = {
	.holds = access_holds,
	.mark = access_mark,
	.unmap = access_unmap,
};

/* Look an IOAS up and use it for long. */
static struct ioas *access_hold_ioas(struct iommukit_access *access, u32 id)
{
	struct ioas *ioas = ioas_get(access->ctx, id);

	if (IS_ERR(ioas))
		return ioas;
	object_hold(&ioas->obj);
	ioas_put(access->ctx, ioas);
	return ioas;
}

static void access_release_ioas(struct iommukit_access *access,
				struct ioas *ioas)
{
	object_release(&ioas->obj);
	/* A DESTROY that found this user does not wait; nobody to wake. */
}

static struct iova_member *access_join(struct iommukit_access *access,
				       struct ioas *ioas)
{
	struct iova_member *member;
	int rc;

	member = fail_alloc(kzalloc(sizeof(*member), GFP_KERNEL_ACCOUNT));
	if (!member)
		return ERR_PTR(-ENOMEM);
	member->ops = &access_member_ops;
	member->owner = access;
	member->needs_page_alignment = access->ops->needs_pin_pages;
	rc = iova_space_join(&ioas->space, member);
	if (rc) {
		kfree(member);
		return ERR_PTR(rc);
	}
	return member;
}

/* Pins that the driver did not give back stay pinned for ever. */
static void access_forget_pins(struct iommukit_access *access)
{
	struct access_pin *pin, *next;
	struct rb_root_cached pins;

	spin_lock(&access->pins_lock);
	pins = access->pins;
	access->pins = RB_ROOT_CACHED;
	spin_unlock(&access->pins_lock);
	if (RB_EMPTY_ROOT(&pins.rb_root))
		return;
	access_misuse(access, "left an IOAS without unpinning; the pages are lost");
	rbtree_postorder_for_each_entry_safe(pin, next, &pins.rb_root, node.rb)
		kvfree(pin);
}

/*
 * Leave the IOAS and make @ioas, if any, the new one. The caller emptied
 * access->ioas, so nobody else changes the access meanwhile.
 */
static void access_drain(struct iommukit_access *access, struct ioas *ioas,
			 struct iova_member *member)
{
	struct ioas *old = access->ioas_unpin;
	struct iova_member *old_member = access->member;

	iova_member_stop(&old->space, old_member);
	if (access->ops->unmap)
		access->ops->unmap(access->data, 0, ULONG_MAX);

	down_write(&access->lock);
	access_forget_pins(access);
	iova_space_leave(&old->space, old_member);
	if (member)
		iova_member_activate(&ioas->space, member);
	access->ioas_unpin = ioas;
	access->member = member;
	access->ioas = ioas;
	up_write(&access->lock);
	kfree(old_member);
	access_release_ioas(access, old);
}

/* ---- life ---- */

/**
 * iommukit_access_create - create an access that is not attached yet
 * @ictx: the context
 * @ops: what the core needs to know of the driver
 * @data: passed to @ops->unmap
 * @id: gets the id of the object, for reports to user space
 *
 * The access holds the context; the caller may put its own reference.
 * @ops and @data must stay valid until iommukit_access_destroy() has returned.
 *
 * Context: process context, may sleep, no mmap_lock held.
 * Return: the access; -EINVAL if an argument is missing, or @ops->unmap while
 * @ops->needs_pin_pages is set; -ENOMEM; -EBUSY if the context has no id left.
 */
struct iommukit_access *
iommukit_access_create(struct iommukit_ctx *ictx,
		       const struct iommukit_access_ops *ops, void *data,
		       u32 *id)
{
	struct iommukit_access *access;
	struct iommukit_object *obj;

	BUILD_BUG_ON(offsetof(struct iommukit_access, obj));
	if (!ictx || !ops || !id || (ops->needs_pin_pages && !ops->unmap))
		return ERR_PTR(-EINVAL);
	obj = object_reserve(ictx, sizeof(*access), &access_object_ops);
	if (IS_ERR(obj))
		return ERR_CAST(obj);
	access = container_of(obj, struct iommukit_access, obj);
	access->ctx = ictx;
	access->ops = ops;
	access->data = data;
	init_rwsem(&access->lock);
	spin_lock_init(&access->pins_lock);
	access->pins = RB_ROOT_CACHED;
	object_hold(obj);
	get_file(ictx->file);
	*id = obj->id;
	object_publish(ictx, obj);
	return access;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_access_create);

/**
 * iommukit_access_create_attached - create an access and attach it
 * @ictx: the context
 * @ioas_id: the IOAS
 * @ops: what the core needs to know of the driver
 * @data: passed to @ops->unmap
 * @id: gets the id of the object; undefined on failure
 *
 * @ops->unmap may be called before this returns, while the caller's variable
 * for the result is not set yet. It finds no pins then, and so needs no access.
 *
 * Context: process context, may sleep, no mmap_lock held, and no lock that
 * @ops->unmap takes.
 * Return: the access, or an errno of iommukit_access_create() or
 * iommukit_access_attach().
 */
struct iommukit_access *
iommukit_access_create_attached(struct iommukit_ctx *ictx, u32 ioas_id,
				const struct iommukit_access_ops *ops,
				void *data, u32 *id)
{
	struct iommukit_access *access;
	int rc;

	access = iommukit_access_create(ictx, ops, data, id);
	if (IS_ERR(access))
		return access;
	rc = iommukit_access_attach(access, ioas_id);
	if (rc) {
		iommukit_access_destroy(access);
		return ERR_PTR(rc);
	}
	return access;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_access_create_attached);

/**
 * iommukit_access_destroy - end an access
 * @access: the access; NULL and error pointers are ignored
 *
 * Waits until running calls of the driver's unmap have returned. If the access
 * is attached it then calls unmap for everything, from this thread, and leaves
 * the IOAS. After return unmap is not running and will not run.
 *
 * The driver must have ended all its other calls on the access, but for unpin
 * from within unmap.
 *
 * Context: process context, may sleep, no mmap_lock held, no lock that the
 * driver's unmap takes, and not from within unmap.
 */
void iommukit_access_destroy(struct iommukit_access *access)
{
	struct iommukit_ctx *ctx;

	if (IS_ERR_OR_NULL(access))
		return;
	ctx = access->ctx;
	down_write(&access->lock);
	access->ioas = NULL;
	up_write(&access->lock);
	if (access->ioas_unpin)
		access_drain(access, NULL, NULL);
	object_remove(ctx, &access->obj);
	kfree(access);
	fput(ctx->file);
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_access_destroy);

/**
 * iommukit_access_attach - attach an access to an IOAS
 * @access: an access that is not attached
 * @ioas_id: the IOAS
 *
 * Context: process context, may sleep, no mmap_lock held, and no lock that the
 * driver's unmap takes.
 * Return: 0; -EINVAL if it is attached already, which is the driver's mistake;
 * -ENOENT if there is no such IOAS; -EBUSY if it is being detached or replaced,
 * or the IOAS has 65536 accesses; -ENOMEM; -EADDRINUSE if pages shall be pinned
 * and mappings are not aligned to pages; -EINTR on a fatal signal.
 */
int iommukit_access_attach(struct iommukit_access *access, u32 ioas_id)
{
	struct iova_member *member;
	struct ioas *ioas;
	int rc = 0;

	if (down_write_killable(&access->lock))
		return -EINTR;
	if (access->ioas) {
		access_misuse(access, "attach of an attached access");
		rc = -EINVAL;
		goto out_unlock;
	}
	ioas = access_hold_ioas(access, ioas_id);
	if (IS_ERR(ioas)) {
		rc = PTR_ERR(ioas);
		goto out_unlock;
	}
	rc = -EBUSY;
	if (access->ioas_unpin)
		goto err_release;
	member = access_join(access, ioas);
	if (IS_ERR(member)) {
		rc = PTR_ERR(member);
		goto err_release;
	}
	iova_member_activate(&ioas->space, member);
	access->member = member;
	access->ioas_unpin = ioas;
	access->ioas = ioas;
	up_write(&access->lock);
	return 0;

err_release:
	access_release_ioas(access, ioas);
out_unlock:
	up_write(&access->lock);
	return rc;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_access_attach);

/**
 * iommukit_access_replace - move an access to another IOAS
 * @access: an attached access
 * @ioas_id: the IOAS to move to; the present one is no move
 *
 * Calls the driver's unmap for everything once the new IOAS has accepted the
 * access. Until the move is done pin and rw of other threads fail with -ENOENT.
 * On failure the attachment and all pins are as before.
 *
 * Context: process context, may sleep, no mmap_lock held, no lock that the
 * driver's unmap takes, and not from within unmap.
 * Return: 0; -ENOENT if it is not attached, is being changed by another thread,
 * or there is no such IOAS; -ENOMEM, -EBUSY, -EADDRINUSE, -EINTR as
 * iommukit_access_attach().
 */
int iommukit_access_replace(struct iommukit_access *access, u32 ioas_id)
{
	struct iova_member *member;
	struct ioas *ioas;
	int rc;

	if (down_write_killable(&access->lock))
		return -EINTR;
	rc = -ENOENT;
	if (!access->ioas)
		goto out_unlock;
	ioas = access_hold_ioas(access, ioas_id);
	if (IS_ERR(ioas)) {
		rc = PTR_ERR(ioas);
		goto out_unlock;
	}
	rc = 0;
	if (ioas == access->ioas)
		goto out_release;
	member = access_join(access, ioas);
	if (IS_ERR(member)) {
		rc = PTR_ERR(member);
		goto out_release;
	}
	access->ioas = NULL;
	up_write(&access->lock);
	access_drain(access, ioas, member);
	return 0;

out_release:
	access_release_ioas(access, ioas);
out_unlock:
	up_write(&access->lock);
	return rc;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_access_replace);

/**
 * iommukit_access_detach - leave the IOAS
 * @access: an attached access; else nothing happens but a report
 *
 * Waits until running calls of rw and pin have returned, which may depend on
 * user space, then calls the driver's unmap for everything.
 *
 * Context: process context, may sleep, no mmap_lock held, no lock that the
 * driver's unmap takes, and not from within unmap.
 */
void iommukit_access_detach(struct iommukit_access *access)
{
	bool attached;

	down_write(&access->lock);
	attached = access->ioas;
	access->ioas = NULL;
	up_write(&access->lock);
	if (attached)
		access_drain(access, NULL, NULL);
	else
		access_misuse(access, "detach of an access that is not attached");
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_access_detach);

/* ---- pinning ---- */

/* Whether there is an area at @iova; if so, @last gets its last IOVA. */
static bool find_last(struct iova_space *space, unsigned long iova,
		      unsigned long *last)
{
	struct iova_area *area;

	rcu_read_lock();
	area = iova_space_lookup(space, iova);
	if (area)
		*last = area->last;
	rcu_read_unlock();
	return area;
}

/*
 * How many areas without a hole between them lie in [iova, last]. They may come
 * and go meanwhile: it is for the size of a pin's records only.
 */
static unsigned int count_areas(struct iova_space *space, unsigned long iova,
				unsigned long last)
{
	unsigned int nr = 0;
	unsigned long end;

	while (find_last(space, iova, &end)) {
		nr++;
		if (end >= last || fatal_signal_pending(current))
			break;
		iova = end + 1;
		cond_resched();
	}
	return nr;
}

static bool area_allows(const struct iova_area *area, unsigned int flags)
{
	bool write = flags & IOMMUKIT_ACCESS_RW_WRITE;

	return area->prot & (write ? IOVA_WRITE : IOVA_READ);
}

/* Make the part of [iova, last] in @area, which was entered, a slice of a pin. */
static int take_slice(struct pin_slice *slice, struct iova_area *area,
		      unsigned long iova, unsigned long last,
		      unsigned int flags)
{
	unsigned long start = area->offset + (iova - area->iova);
	unsigned long end = area->offset + (min(last, area->last) - area->iova);

	/* The pages of the next area must go on where this one's end. */
	if (offset_in_page(start) ||
	    (last > area->last && offset_in_page(end + 1)))
		return -EINVAL;
	slice->area = area;
	slice->first = start >> PAGE_SHIFT;
	slice->last = end >> PAGE_SHIFT;
	return area_allows(area, flags) ? 0 : -EPERM;
}

/*
 * Enter the areas of [iova, last]. Returns what is wrong after the last area
 * entered: that shows only when the pages before it are pinned, for what is
 * wrong with them goes first.
 */
static int take_areas(struct access_pin *pin, struct iova_space *space,
		      unsigned long iova, unsigned long last,
		      unsigned int flags)
{
	unsigned int nr = pin->nr;
	struct iova_area *area;
	int rc;

	for (pin->nr = 0; pin->nr < nr; pin->nr++) {
		area = iova_area_get(space, iova);
		if (IS_ERR(area))
			return PTR_ERR(area);
		rc = take_slice(&pin->slices[pin->nr], area, iova, last, flags);
		if (rc) {
			iova_area_idle(space, area);
			return rc;
		}
		iova = area->last + 1;
	}
	return area->last < last ? -ENOENT : 0;
}

static void unpin_slices(struct ioas *ioas, const struct pin_slice *slices,
			 unsigned int nr)
{
	for (; nr; nr--, slices++) {
		pages_unpin(slices->area->pages, slices->first, slices->last);
		iova_area_unpinned(&ioas->space, slices->area);
	}
}

/*
 * Take a pin of exactly this range out of the records. Equal ones are as good as
 * each other, but one that another thread is just making is still in its hands.
 */
static struct access_pin *take_pin(struct iommukit_access *access,
				   unsigned long iova, unsigned long last)
{
	struct interval_tree_node *node;

	spin_lock(&access->pins_lock);
	for (node = interval_tree_iter_first(&access->pins, iova, iova); node;
	     node = interval_tree_iter_next(node, iova, iova)) {
		if (node->start == iova && node->last == last &&
		    container_of(node, struct access_pin, node)->settled) {
			interval_tree_remove(node, &access->pins);
			break;
		}
	}
	spin_unlock(&access->pins_lock);
	return node ? container_of(node, struct access_pin, node) : NULL;
}

/* Pin the slices one after the other; on failure none is. */
static int pin_slices(struct ioas *ioas, struct access_pin *pin, int wrong,
		      struct page **out)
{
	unsigned int i;
	int rc = 0;

	for (i = 0; i < pin->nr; i++) {
		struct pin_slice *slice = &pin->slices[i];

		rc = pages_pin(slice->area->pages, slice->first, slice->last,
			       out);
		if (rc)
			break;
		atomic_inc(&slice->area->pins);
		out += slice->last - slice->first + 1;
	}
	rc = rc ?: wrong;
	if (rc)
		unpin_slices(ioas, pin->slices, i);
	return rc;
}

static int pin_in_ioas(struct iommukit_access *access, struct ioas *ioas,
		       unsigned long iova, unsigned long last,
		       struct page **out, unsigned int flags)
{
	struct iova_space *space = &ioas->space;
	struct access_pin *pin;
	unsigned int i, nr;
	int rc;

	nr = count_areas(space, iova, last);
	if (fatal_signal_pending(current))
		return -EINTR;
	if (!nr)
		return -ENOENT;
	pin = fail_alloc(kvmalloc(struct_size(pin, slices, nr),
				  GFP_KERNEL_ACCOUNT | __GFP_NOWARN));
	if (!pin)
		return -ENOMEM;
	pin->node.start = iova;
	pin->node.last = last;
	pin->nr = nr;
	pin->settled = false;
	pin->write = flags & IOMMUKIT_ACCESS_RW_WRITE;
	rc = take_areas(pin, space, iova, last, flags);
	rc = pin_slices(ioas, pin, rc, out);
	nr = pin->nr;
	if (!rc) {
		spin_lock(&access->pins_lock);
		interval_tree_insert(&pin->node, &access->pins);
		spin_unlock(&access->pins_lock);
		pin_mark(pin);
	}
	/* Only now may an unmap go on: it finds the pin. */
	for (i = 0; i < nr; i++)
		iova_area_idle(space, pin->slices[i].area);
	if (rc) {
		kvfree(pin);
		return rc;
	}
	spin_lock(&access->pins_lock);
	pin->settled = true;
	spin_unlock(&access->pins_lock);
	return 0;
}

/**
 * iommukit_access_pin_pages - pin the pages behind a range of IOVA
 * @access: an access with needs_pin_pages
 * @iova: first IOVA; its byte must be the first of a page
 * @length: bytes; the last page may be used in part
 * @out_pages: gets the pages, DIV_ROUND_UP(@length, PAGE_SIZE) of them; the
 *	content is undefined on failure
 * @flags: IOMMUKIT_ACCESS_RW_WRITE if the pages will be written, or 0
 *
 * The pages stay what they are until iommukit_access_unpin_pages() is called
 * with the same @iova and @length, as often as they were pinned, even if the
 * process unmaps or maps something else at the address. They count against the
 * memlock limit of the process that mapped them. All or nothing.
 *
 * Context: process context, may sleep, no mmap_lock held. The lock that the
 * driver's unmap takes may be held, and should be: see "Unmapping, and the lock
 * of the driver".
 * Return: 0; -EINVAL for an access without needs_pin_pages, unknown flags, no
 * length, wrong alignment, or a mapping that is being unmapped; -EOVERFLOW if
 * the range wraps; -ENOENT if the access is not attached or the range has a
 * hole; -EPERM if the mapping does not allow it; -ENOMEM, also for the memlock
 * limit; -EFAULT if the memory or its process is not there; -EINTR on a fatal
 * signal; other errnos of get_user_pages().
 */
int iommukit_access_pin_pages(struct iommukit_access *access,
			      unsigned long iova, unsigned long length,
			      struct page **out_pages, unsigned int flags)
{
	unsigned long last;
	int rc = -ENOENT;

	if (!access->ops->needs_pin_pages) {
		access_misuse(access, "pins without needs_pin_pages");
		return -EINVAL;
	}
	if ((flags & ~IOMMUKIT_ACCESS_RW_WRITE) || !length)
		return -EINVAL;
	if (check_add_overflow(iova, length - 1, &last))
		return -EOVERFLOW;
	if (down_read_killable(&access->lock))
		return -EINTR;
	if (access->ioas)
		rc = pin_in_ioas(access, access->ioas, iova, last, out_pages,
				 flags);
	up_read(&access->lock);
	return rc;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_access_pin_pages);

/**
 * iommukit_access_unpin_pages - undo iommukit_access_pin_pages()
 * @access: the access that pinned
 * @iova: as pinned
 * @length: as pinned
 *
 * The caller no longer uses the pages. They are marked dirty if the memory was
 * mapped writable. A range that this access has not pinned is the driver's
 * mistake: it is reported, and nothing happens.
 *
 * Context: process context, may sleep, no mmap_lock held. The lock that the
 * driver's unmap takes may be held; meant to be called from unmap.
 */
void iommukit_access_unpin_pages(struct iommukit_access *access,
				 unsigned long iova, unsigned long length)
{
	struct access_pin *pin = NULL;
	unsigned long last;

	if (!length || check_add_overflow(iova, length - 1, &last)) {
		access_misuse(access, "unpin of an impossible range");
		return;
	}
	down_read(&access->lock);
	if (access->ioas_unpin)
		pin = take_pin(access, iova, last);
	if (pin) {
		/* The driver's last write was before. */
		pin_mark(pin);
		unpin_slices(access->ioas_unpin, pin->slices, pin->nr);
	} else {
		access_misuse(access, "unpin of what it has not pinned");
	}
	up_read(&access->lock);
	kvfree(pin);
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_access_unpin_pages);

/* ---- copying ---- */

static int rw_in_ioas(struct iova_space *space, unsigned long iova,
		      unsigned long last, void *data, unsigned int flags)
{
	for (;;) {
		struct iova_area *area = iova_area_get(space, iova);
		unsigned long end, n;
		int rc = -EPERM;

		if (IS_ERR(area))
			return PTR_ERR(area);
		end = min(last, area->last);
		n = end - iova + 1;
		if (area_allows(area, flags)) {
			rc = pages_rw(area->pages,
				      area->offset + (iova - area->iova),
				      data, n, flags);
			/* Also if it failed: a part may be written. */
			if (flags & IOMMUKIT_ACCESS_RW_WRITE)
				iova_area_mark(area, iova, end);
		}
		iova_area_idle(space, area);
		if (rc || end == last)
			return rc;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		data += n;
		iova = end + 1;
	}
}

/**
 * iommukit_access_rw - copy between a buffer and the memory behind IOVA
 * @access: the access
 * @iova: first IOVA; no alignment is needed
 * @data: kernel memory that is legal for user copies: not inside an object of
 *	a slab cache without a usercopy window, not beyond an object's end.
 *	Some paths check that and stop the kernel, others do not.
 * @length: bytes
 * @flags: IOMMUKIT_ACCESS_RW_READ (memory to @data), IOMMUKIT_ACCESS_RW_WRITE
 *	(@data to memory); with IOMMUKIT_ACCESS_RW_KTHREAD a kernel thread that
 *	has no mm borrows that of the process, in other threads it is ignored
 *
 * Not atomic: a hole or an error further on leaves a part copied that is not
 * reported. After a failed read treat all of @data as garbage. Nothing stays
 * pinned and nothing is charged.
 *
 * Context: process context, may sleep, no mmap_lock held. The lock that the
 * driver's unmap takes may be held.
 * Return: 0; -EINVAL for unknown flags, no length, or a mapping that is being
 * unmapped; -EOVERFLOW if the range wraps; -ENOENT if the access is not
 * attached or the range has a hole; -EPERM if the mapping does not allow it;
 * -EFAULT if the memory or its process is not there; -ENOMEM; -EINTR on a fatal
 * signal; other errnos of get_user_pages().
 */
int iommukit_access_rw(struct iommukit_access *access, unsigned long iova,
		       void *data, size_t length, unsigned int flags)
{
	unsigned int known = IOMMUKIT_ACCESS_RW_WRITE |
			     IOMMUKIT_ACCESS_RW_KTHREAD;
	unsigned long last;
	int rc = -ENOENT;

	if (iommukit_test_present())
		known |= __IOMMUKIT_ACCESS_RW_SLOW_PATH;
	if (!length)
		return -EINVAL;
	if (check_add_overflow(iova, length - 1, &last))
		return -EOVERFLOW;
	if (flags & ~known)
		return -EINVAL;
	if (down_read_killable(&access->lock))
		return -EINTR;
	if (access->ioas)
		rc = rw_in_ioas(&access->ioas->space, iova, last, data, flags);
	up_read(&access->lock);
	return rc;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_access_rw);

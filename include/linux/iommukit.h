/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * In-kernel interface of iommukit: drivers reach user memory through the IOVAs
 * of an IO address space (IOAS) that user space set up on /dev/iommukit.
 *
 * A module that uses it needs
 *
 *	IOMMUKIT_IMPORT_NS;
 *
 * once, next to its MODULE_LICENSE().
 */
#ifndef __LINUX_IOMMUKIT_H
#define __LINUX_IOMMUKIT_H

#include <linux/bits.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/module.h>
#include <linux/types.h>

struct device;
struct file;
struct iommu_group;
struct page;
struct iommukit_access;
struct iommukit_ctx;
struct iommukit_device;
struct iommukit_iova_bitmap;
struct iommukit_offer;
struct iommukit_soft_device;

/*
 * What MODULE_IMPORT_NS() comes to on every kernel: its own argument is a bare
 * token before 6.13 and a string since.
 */
#define IOMMUKIT_IMPORT_NS MODULE_INFO(import_ns, "IOMMUKIT")

/**
 * DOC: Unmapping, and the lock of the driver
 *
 * An access is a driver's handle on one IOAS. Pages that the driver pinned
 * through it are its own until user space wants to unmap the IOVA: then the
 * core calls &iommukit_access_ops.unmap and the driver gives them back.
 *
 * **Who calls.** The thread of the unmap command calls it for each mapping in
 * which this access holds pins, with the first IOVA and the length of the whole
 * mapping. iommukit_access_detach(), iommukit_access_replace() and
 * iommukit_access_destroy() call it themselves, from their own thread, with
 * iova 0 and length ULONG_MAX: everything. It is not called for mappings in
 * which the access has no pins, nor when the process that owns the memory ends.
 *
 * **What it must do.** Before it returns, every use of the pages of every pin
 * that intersects the range has ended, and iommukit_access_unpin_pages() was
 * called for each, with exactly the iova and length it was pinned with. It may
 * sleep; the core holds no lock. It may be called from several threads at once,
 * and again for a range that was announced before.
 *
 * **What it must not do.** Attach, replace, detach or destroy the access, or
 * wait for somebody who does; wait for user space; pin in the range.
 *
 * **The lock.** Let L be the lock that unmap takes to find the pins. Pin and
 * write the pin down in one critical section of L: the moment
 * iommukit_access_pin_pages() returns, an unmap may start, and if it does not
 * find the pin it fails with EDEADLOCK after a while. L may be held over
 * pin_pages, unpin_pages and rw. It must not be held over attach, replace,
 * detach, destroy and create_attached, for they call or wait for unmap. L must
 * be a sleeping lock and must not be taken under any mmap_lock.
 *
 * **Destroy while another thread unmaps.** An access that is being detached,
 * replaced or destroyed is not notified by unmapping threads any more: the
 * thread that changes it calls unmap for everything, and the unmapping threads
 * wait for that. When iommukit_access_destroy() has returned, unmap is not
 * running and will not run again.
 *
 * **Through an IOTLB.** An access that is attached to an IOTLB works on IOVAs that it
 * translates into those of its IOAS. Unmap is called when what was pinned is invalidated,
 * and when the IOAS loses what is behind it, with the range that was pinned. What the IOTLB
 * does not know is waited for in pin_pages and rw, as long as its owner allows; so they may
 * fail with what iommukit_iotlb_translate() says. While unmap is running they do not wait,
 * for it may need a lock of theirs, but fail with -EAGAIN: release your locks, and call
 * again. That is so for one access: a lock that the unmap of one needs must not be held
 * over pin_pages or rw of another one.
 *
 * **Closing.** An access keeps the context's file open. User space closing its
 * descriptor is not announced; a driver ties the life of the access to a file
 * of its own.
 */

/**
 * struct iommukit_access_ops - What the core needs to know of a driver
 * @needs_pin_pages: the driver will call iommukit_access_pin_pages(); all
 *	mappings of the IOAS are then aligned to pages. Needs @unmap.
 * @unmap: release what intersects [iova, iova + length - 1]; see "Unmapping,
 *	and the lock of the driver". @data is what was given to create. May be
 *	NULL if the driver never pins.
 *
 * Must stay valid until iommukit_access_destroy() has returned; may be const
 * and shared by many accesses.
 */
struct iommukit_access_ops {
	u8 needs_pin_pages : 1;
	void (*unmap)(void *data, unsigned long iova, unsigned long length);
};

/*
 * Flags of iommukit_access_rw() and iommukit_access_pin_pages(). READ is the
 * absence of WRITE.
 */
enum {
	/* read user memory */
	IOMMUKIT_ACCESS_RW_READ = 0,
	/* write user memory */
	IOMMUKIT_ACCESS_RW_WRITE = BIT(0),
	/* rw only: the caller is a kernel thread without an mm */
	IOMMUKIT_ACCESS_RW_KTHREAD = BIT(1),
	/* rw only, and only while the test module is loaded */
	__IOMMUKIT_ACCESS_RW_SLOW_PATH = BIT(2),
};

/**
 * DOC: IOVA bitmaps
 *
 * Who knows that a range of IOVA was written, a walker of IO page tables or a
 * device, says so with iommukit_iova_bitmap_set(): in bytes, whatever granules the
 * bitmap has and wherever it is.
 *
 * **Layout.** An array of u64 in native byte order. With k = (x - iova) /
 * page_size, the bit of IOVA x is bit k % 64 of word k / 64. Exactly the bytes
 * that hold bits are touched, and those need no alignment. Bits are only ever
 * set, also beside other writers of the same words: none loses anything.
 *
 * **Record, then clear.** A source whose dirty state is cleared by reading it
 * records a range first, and clears it only if that returned 0. After an error,
 * reading once more into the same bitmap gives all that was dirty.
 *
 * There are three kinds. They differ in when user memory is faulted in, and so in
 * where iommukit_iova_bitmap_set() may be called:
 *
 * **User memory, on demand** (no flag): by one thread at a time, in the mm that
 * made the bitmap, and where user memory may be faulted in: without a spinlock, RCU
 * read section, mmap_lock, or a lock that an MMU notifier takes. Pages are pinned
 * as records come, few for few; iommukit_iova_bitmap_for_each() calls once for all.
 *
 * **User memory, pinned before** (IOMMUKIT_IOVA_BITMAP_PREPIN):
 * iommukit_iova_bitmap_for_each() pins a window of the bitmap, then calls for the
 * part of the range that it covers, and so on. That function takes what locks it
 * needs to read the dirty state, and one thread at a time records, in any context:
 * it never sleeps. A record may begin or end outside of the window, as that of a
 * huge page does; the rest is written when the function has returned, and should
 * that fail, @undelivered of the arguments is told what to mark dirty again. A
 * record that does not touch the window is refused.
 *
 * **Kernel memory** (IOMMUKIT_IOVA_BITMAP_KBUF): any number of threads, in any
 * context. It cannot fail. Its bits go to user memory by
 * iommukit_iova_bitmap_or_bits().
 */

/**
 * typedef iommukit_iova_bitmap_fn_t - Records a part of the range
 * @bitmap: the bitmap
 * @iova: first IOVA of the part
 * @length: its bytes
 * @opaque: as given to iommukit_iova_bitmap_for_each()
 *
 * Return: 0, also if there is nothing to record, or what ends the iteration.
 */
typedef int (*iommukit_iova_bitmap_fn_t)(struct iommukit_iova_bitmap *bitmap,
					 unsigned long iova, size_t length,
					 void *opaque);

enum {
	/* pin user memory before it is recorded into */
	IOMMUKIT_IOVA_BITMAP_PREPIN = BIT(0),
	/* the bitmap is in kernel memory */
	IOMMUKIT_IOVA_BITMAP_KBUF = BIT(1),
};

/**
 * struct iommukit_iova_bitmap_run - What was recorded last, and is not written yet
 * @iova: first IOVA
 * @last: last one
 * @limit: how far it may go on
 *
 * Each bitmap begins with it; for iommukit_iova_bitmap_set() only.
 */
struct iommukit_iova_bitmap_run {
	unsigned long iova;
	unsigned long last;
	unsigned long limit;
};

/**
 * struct iommukit_iova_bitmap_args - Of iommukit_iova_bitmap_alloc()
 * @iova: first IOVA, a multiple of @page_size
 * @length: bytes of IOVA; the last granule may be short
 * @page_size: bytes of IOVA that a bit stands for, a power of two
 * @data: the bitmap, unless it is in kernel memory
 * @kbuf: KBUF: the bitmap, aligned to 8 bytes; may come from vmalloc()
 * @kbuf_bytes: KBUF: its size, a multiple of 8
 * @flags: IOMMUKIT_IOVA_BITMAP_*
 * @window_pages: most pages of the bitmap that are pinned at a time, up to 512;
 *	0: as many
 * @undelivered: PREPIN, optional: recorded with success, but then not to be
 *	written: [iova, iova + length - 1], rounded to granules. Called by
 *	iommukit_iova_bitmap_for_each(), without locks, with its @opaque. Who
 *	clears dirty state must supply it, or that range is lost.
 */
struct iommukit_iova_bitmap_args {
	unsigned long iova;
	size_t length;
	size_t page_size;
	u64 __user *data;
	unsigned long *kbuf;
	size_t kbuf_bytes;
	unsigned int flags;
	unsigned int window_pages;
	void (*undelivered)(struct iommukit_iova_bitmap *bitmap,
			    unsigned long iova, size_t length, void *opaque);
};

/**
 * DOC: Software devices
 *
 * A driver whose device is software has two ways to user memory. An access follows
 * what an IOAS maps: nothing is pinned before it is used, and copying may sleep. A
 * software device goes through an IO page table, as a device of hardware would:
 * everything is pinned and in place, copying takes no lock that sleeps and may be
 * done in interrupts, user space may replace the table while the device works
 * (iommukit_soft_device_replace()), and reads out what it has written
 * (IOMMUKIT_HWPT_GET_DIRTY_BITMAP). There is no callback: an unmap waits for the
 * copies that run, which is a matter of microseconds.
 *
 * On-demand memory is the exception to both. An access that copies has to do nothing for
 * it; one that pins gets what is there at that moment, and the pages do not follow the
 * address afterwards. In an IO page table it is not in place before it is asked for, and
 * goes again whenever its process changes it. So a driver that gets -ENOENT or -EPERM from
 * a copy or translation asks, where it may sleep (iommukit_soft_device_fault()), and tries
 * again, until that says -ENOENT, too.
 */

/**
 * DOC: Dead contexts
 *
 * When an IOMMU does not let go of a page of an on-demand mapping, the context is dead from
 * then on, see <uapi/linux/iommukit_ondemand.h>: to copy, pin, translate by asking, bind,
 * attach and replace, and to have something found for a device fail with -EIO. Devices
 * that the failure concerns reach nothing any more, as if they were detached. What brings
 * things to their end works as ever: unpin, detach, unbind, destroy. What is pinned stays
 * what it is.
 */

/**
 * DOC: Devices of hardware
 *
 * There are two ways to give a device behind an IOMMU to a context. In both its driver
 * sets driver_managed_dma, and does no DMA of its own; a group of devices that the
 * IOMMU cannot tell apart goes to one context as a whole, or not at all.
 *
 * **A driver with a file of its own** binds the device itself: iommukit_device_bind(),
 * then attach, replace and detach as its user says, then detach and unbind, at the
 * latest in its remove. It keeps the device from the bus before it detaches it for
 * good. The device keeps the context.
 *
 * **A driver that has nothing to say** offers the device: iommukit_offer_add() in its
 * probe, iommukit_offer_remove() in its remove, and user space takes it by name
 * (IOMMUKIT_DEVICE_BIND). The context owns the device then.
 */

/**
 * struct iommukit_offer_ops - The driver of a device that user space may take
 * @start: user space has it from now on: make it work, and let it master the bus. Its
 *	DMA is refused at that time, or goes where others of its group are attached.
 *	Returns 0, or the errno of the command, after which the device is as before.
 * @stop: keep it from the bus. May be called more than once, beside commands that run
 *	on it, and beside itself.
 * @end: user space does not have it any more: undo @start. @stop was called, for its
 *	DMA may be let through again.
 *
 * All are called in process context and may sleep. @start and @end exclude each other.
 */
struct iommukit_offer_ops {
	int (*start)(struct device *dev);
	void (*stop)(struct device *dev);
	void (*end)(struct device *dev);
};

#if IS_ENABLED(CONFIG_MMU)

struct iommukit_ctx *iommukit_ctx_from_file(struct file *file);
struct iommukit_ctx *iommukit_ctx_from_fd(int fd);
void iommukit_ctx_get(struct iommukit_ctx *ictx);
void iommukit_ctx_put(struct iommukit_ctx *ictx);

struct iommukit_access *
__iommukit_access_create(struct iommukit_ctx *ictx,
			 const struct iommukit_access_ops *ops, void *data,
			 u32 *id, const char *driver);
struct iommukit_access *
__iommukit_access_create_attached(struct iommukit_ctx *ictx, u32 ioas_id,
				  const struct iommukit_access_ops *ops,
				  void *data, u32 *id, const char *driver);

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
static inline struct iommukit_access *
iommukit_access_create(struct iommukit_ctx *ictx,
		       const struct iommukit_access_ops *ops, void *data,
		       u32 *id)
{
	return __iommukit_access_create(ictx, ops, data, id, KBUILD_MODNAME);
}

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
static inline struct iommukit_access *
iommukit_access_create_attached(struct iommukit_ctx *ictx, u32 ioas_id,
				const struct iommukit_access_ops *ops,
				void *data, u32 *id)
{
	return __iommukit_access_create_attached(ictx, ioas_id, ops, data, id,
						 KBUILD_MODNAME);
}

void iommukit_access_destroy(struct iommukit_access *access);
int iommukit_access_attach(struct iommukit_access *access, u32 ioas_id);
int iommukit_access_replace(struct iommukit_access *access, u32 ioas_id);
void iommukit_access_detach(struct iommukit_access *access);

int iommukit_access_pin_pages(struct iommukit_access *access,
			      unsigned long iova, unsigned long length,
			      struct page **out_pages, unsigned int flags);
void iommukit_access_unpin_pages(struct iommukit_access *access,
				 unsigned long iova, unsigned long length);
int iommukit_access_rw(struct iommukit_access *access, unsigned long iova,
		       void *data, size_t length, unsigned int flags);

struct iommukit_soft_device *
__iommukit_soft_device_bind(struct iommukit_ctx *ictx, u32 *id,
			    const char *driver);

/**
 * iommukit_soft_device_bind - make a device in a context
 * @ictx: the context
 * @id: gets the id of the device
 *
 * The device holds the context; the caller may put its own reference.
 *
 * Context: process context, may sleep.
 * Return: the device; -EINVAL if an argument is missing; -ENOMEM; -EBUSY if the
 * context has no id left; -EIO if it is dead.
 */
static inline struct iommukit_soft_device *
iommukit_soft_device_bind(struct iommukit_ctx *ictx, u32 *id)
{
	return __iommukit_soft_device_bind(ictx, id, KBUILD_MODNAME);
}

void iommukit_soft_device_unbind(struct iommukit_soft_device *sdev);
int iommukit_soft_device_attach(struct iommukit_soft_device *sdev, u32 *pt_id);
int iommukit_soft_device_replace(struct iommukit_soft_device *sdev, u32 *pt_id);
void iommukit_soft_device_detach(struct iommukit_soft_device *sdev);
int iommukit_soft_device_translate(struct iommukit_soft_device *sdev,
				   unsigned long iova, unsigned int flags,
				   phys_addr_t *phys);
int iommukit_soft_device_rw(struct iommukit_soft_device *sdev,
			    unsigned long iova, void *data, size_t length,
			    unsigned int flags);
int iommukit_soft_device_fault(struct iommukit_soft_device *sdev,
			       unsigned long iova, size_t length,
			       unsigned int flags);

#ifdef CONFIG_IOMMU_API
struct iommukit_device *iommukit_device_bind(struct iommukit_ctx *ictx,
					     struct device *dev, u32 *id);
bool iommukit_ctx_has_group(struct iommukit_ctx *ictx, struct iommu_group *group);
#endif
void iommukit_device_unbind(struct iommukit_device *idev);
int iommukit_device_attach(struct iommukit_device *idev, u32 *pt_id);
int iommukit_device_replace(struct iommukit_device *idev, u32 *pt_id);
void iommukit_device_detach(struct iommukit_device *idev);
struct iommukit_ctx *iommukit_device_to_ctx(struct iommukit_device *idev);
u32 iommukit_device_to_id(struct iommukit_device *idev);

struct iommukit_offer *iommukit_offer_add(struct device *dev,
					  const struct iommukit_offer_ops *ops);
void iommukit_offer_remove(struct iommukit_offer *offer);

struct iommukit_iova_bitmap *
iommukit_iova_bitmap_alloc(const struct iommukit_iova_bitmap_args *args);
void iommukit_iova_bitmap_free(struct iommukit_iova_bitmap *bitmap);
int iommukit_iova_bitmap_for_each(struct iommukit_iova_bitmap *bitmap,
				  void *opaque, iommukit_iova_bitmap_fn_t fn);
int __iommukit_iova_bitmap_set(struct iommukit_iova_bitmap *bitmap,
			       unsigned long iova, size_t length);
int iommukit_iova_bitmap_or_bits(struct iommukit_iova_bitmap *bitmap,
				 unsigned long iova, const unsigned long *src,
				 unsigned long nbits, unsigned int src_shift);
int iommukit_iova_bitmap_error(const struct iommukit_iova_bitmap *bitmap);

#else /* the core cannot be built: every call says so */

static inline struct iommukit_ctx *iommukit_ctx_from_file(struct file *file)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline struct iommukit_ctx *iommukit_ctx_from_fd(int fd)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline void iommukit_ctx_get(struct iommukit_ctx *ictx)
{
}

static inline void iommukit_ctx_put(struct iommukit_ctx *ictx)
{
}

static inline struct iommukit_access *
iommukit_access_create(struct iommukit_ctx *ictx,
		       const struct iommukit_access_ops *ops, void *data,
		       u32 *id)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline struct iommukit_access *
iommukit_access_create_attached(struct iommukit_ctx *ictx, u32 ioas_id,
				const struct iommukit_access_ops *ops,
				void *data, u32 *id)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline void iommukit_access_destroy(struct iommukit_access *access)
{
}

static inline int iommukit_access_attach(struct iommukit_access *access,
					 u32 ioas_id)
{
	return -EOPNOTSUPP;
}

static inline int iommukit_access_replace(struct iommukit_access *access,
					  u32 ioas_id)
{
	return -EOPNOTSUPP;
}

static inline void iommukit_access_detach(struct iommukit_access *access)
{
}

static inline int iommukit_access_pin_pages(struct iommukit_access *access,
					    unsigned long iova,
					    unsigned long length,
					    struct page **out_pages,
					    unsigned int flags)
{
	return -EOPNOTSUPP;
}

static inline void iommukit_access_unpin_pages(struct iommukit_access *access,
					       unsigned long iova,
					       unsigned long length)
{
}

static inline int iommukit_access_rw(struct iommukit_access *access,
				     unsigned long iova, void *data,
				     size_t length, unsigned int flags)
{
	return -EOPNOTSUPP;
}

static inline void iommukit_device_unbind(struct iommukit_device *idev)
{
}

static inline int iommukit_device_attach(struct iommukit_device *idev, u32 *pt_id)
{
	return -EOPNOTSUPP;
}

static inline int iommukit_device_replace(struct iommukit_device *idev, u32 *pt_id)
{
	return -EOPNOTSUPP;
}

static inline void iommukit_device_detach(struct iommukit_device *idev)
{
}

static inline struct iommukit_ctx *
iommukit_device_to_ctx(struct iommukit_device *idev)
{
	return NULL;
}

static inline u32 iommukit_device_to_id(struct iommukit_device *idev)
{
	return 0;
}

static inline struct iommukit_offer *
iommukit_offer_add(struct device *dev, const struct iommukit_offer_ops *ops)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline void iommukit_offer_remove(struct iommukit_offer *offer)
{
}

static inline struct iommukit_soft_device *
iommukit_soft_device_bind(struct iommukit_ctx *ictx, u32 *id)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline void
iommukit_soft_device_unbind(struct iommukit_soft_device *sdev)
{
}

static inline int
iommukit_soft_device_attach(struct iommukit_soft_device *sdev, u32 *pt_id)
{
	return -EOPNOTSUPP;
}

static inline int
iommukit_soft_device_replace(struct iommukit_soft_device *sdev, u32 *pt_id)
{
	return -EOPNOTSUPP;
}

static inline void
iommukit_soft_device_detach(struct iommukit_soft_device *sdev)
{
}

static inline int
iommukit_soft_device_translate(struct iommukit_soft_device *sdev,
			       unsigned long iova, unsigned int flags,
			       phys_addr_t *phys)
{
	return -EOPNOTSUPP;
}

static inline int
iommukit_soft_device_rw(struct iommukit_soft_device *sdev, unsigned long iova,
			void *data, size_t length, unsigned int flags)
{
	return -EOPNOTSUPP;
}

static inline int
iommukit_soft_device_fault(struct iommukit_soft_device *sdev, unsigned long iova,
			   size_t length, unsigned int flags)
{
	return -EOPNOTSUPP;
}

static inline struct iommukit_iova_bitmap *
iommukit_iova_bitmap_alloc(const struct iommukit_iova_bitmap_args *args)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline void
iommukit_iova_bitmap_free(struct iommukit_iova_bitmap *bitmap)
{
}

static inline int
iommukit_iova_bitmap_for_each(struct iommukit_iova_bitmap *bitmap, void *opaque,
			      iommukit_iova_bitmap_fn_t fn)
{
	return -EOPNOTSUPP;
}

static inline int
__iommukit_iova_bitmap_set(struct iommukit_iova_bitmap *bitmap,
			   unsigned long iova, size_t length)
{
	return -EOPNOTSUPP;
}

static inline int
iommukit_iova_bitmap_or_bits(struct iommukit_iova_bitmap *bitmap,
			     unsigned long iova, const unsigned long *src,
			     unsigned long nbits, unsigned int src_shift)
{
	return -EOPNOTSUPP;
}

static inline int
iommukit_iova_bitmap_error(const struct iommukit_iova_bitmap *bitmap)
{
	return -EOPNOTSUPP;
}

#endif /* CONFIG_MMU */

#if !IS_ENABLED(CONFIG_MMU) || !defined(CONFIG_IOMMU_API)

static inline struct iommukit_device *
iommukit_device_bind(struct iommukit_ctx *ictx, struct device *dev, u32 *id)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline bool iommukit_ctx_has_group(struct iommukit_ctx *ictx,
					  struct iommu_group *group)
{
	return false;
}

#endif

/**
 * iommukit_iova_bitmap_set - record that a range of IOVA was written
 * @bitmap: the bitmap
 * @iova: first IOVA, aligned or not
 * @length: bytes; 0 records nothing
 *
 * Every granule that the range touches is marked. What lies outside of the bitmap
 * is ignored: page table walkers round.
 *
 * Context: see "IOVA bitmaps". Unless the bitmap is in kernel memory or its pages
 * are pinned before, may sleep and fault in user memory: the caller holds neither
 * mmap_lock nor any lock that an MMU notifier takes.
 * Return: 0: the range is recorded, and dirty state may be cleared at its source;
 * otherwise it is not, and must stay. -EFAULT if the user's memory is not there or
 * cannot be written; -ENOMEM; -EINTR on a fatal signal; -EINVAL if pages must be
 * pinned and the caller does not run in the mm that made the bitmap, or if with
 * PREPIN the range does not touch the window of the callback, or there is none. All
 * but the last stay: from then on every record fails like that.
 */
static inline int
iommukit_iova_bitmap_set(struct iommukit_iova_bitmap *bitmap,
			 unsigned long iova, size_t length)
{
	struct iommukit_iova_bitmap_run *run =
		(struct iommukit_iova_bitmap_run *)bitmap;
	unsigned long last = iova + length - 1;

	/* One that goes on where the last one ended costs no call. */
	if (likely(length && iova >= run->iova && iova - 1 <= run->last &&
		   last >= iova && last <= run->limit)) {
		if (last > run->last)
			run->last = last;
		return 0;
	}
	return __iommukit_iova_bitmap_set(bitmap, iova, length);
}

#include <linux/iommukit_iotlb_client.h>

#endif /* __LINUX_IOMMUKIT_H */

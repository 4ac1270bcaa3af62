// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that are software: a driver's code is the device, and what it does by IOVA
 * goes through the domain that its group uses at that moment.
 */
#include <linux/err.h>
#include <linux/iommukit.h>
#include <linux/slab.h>

#include "compat.h"
#include "device.h"
#include "domain.h"
#include "domain_soft.h"
#include "fail.h"
#include "private.h"
#include "soft_readers.h"

/* 4 KiB, 2 MiB and 1 GiB where pages are of 4 KiB */
#define SOFT_PAGE_SIZES (PAGE_SIZE | PAGE_SIZE << 9 | PAGE_SIZE << 18)

/**
 * struct iommukit_soft_device - A device, and the group that it is
 * @desc: what the core knows of it
 * @dev: the device object
 * @readers: those who use @domain
 * @domain: what it translates by, or NULL
 */
struct iommukit_soft_device {
	struct device_desc desc;
	struct iommukit_device *dev;
	struct soft_readers readers;
	struct domain *domain;
};

static struct domain *soft_domain_create(void *priv, unsigned int flags)
{
	struct domain *domain;

	if (flags & DOMAIN_CREATE_PARENT)
		return ERR_PTR(-EOPNOTSUPP);
	domain = domain_soft_create(SOFT_PAGE_SIZES, 0, ULONG_MAX,
				    flags & DOMAIN_CREATE_DIRTY);
	/* Drivers have iommukit_soft_device_fault(). */
	if (!IS_ERR(domain))
		domain->faults = true;
	return domain;
}

static int soft_set_domain(void *priv, struct domain *domain)
{
	struct iommukit_soft_device *sdev = priv;

	WRITE_ONCE(sdev->domain, domain);
	soft_readers_drain(&sdev->readers);
	return 0;
}

static const struct device_ops soft_device_ops = {
	.domain = IOMMUKIT_NL_DOMAIN_SOFTWARE,
	.domain_create = soft_domain_create,
	.set_domain = soft_set_domain,
};

/**
 * __iommukit_soft_device_bind - iommukit_soft_device_bind() of a module
 * @ictx: the context
 * @id: gets the id of the device
 * @driver: name of the module
 *
 * Context: as there.
 * Return: as there.
 */
struct iommukit_soft_device *
__iommukit_soft_device_bind(struct iommukit_ctx *ictx, u32 *id,
			    const char *driver)
{
	struct iommukit_soft_device *sdev;
	int rc = -ENOMEM;

	if (!ictx || !id)
		return ERR_PTR(-EINVAL);
	sdev = fail_alloc(kzalloc(sizeof(*sdev), GFP_KERNEL_ACCOUNT));
	if (!sdev)
		return ERR_PTR(-ENOMEM);
	if (soft_readers_init(&sdev->readers))
		goto err_free;
	sdev->desc.ops = &soft_device_ops;
	sdev->desc.priv = sdev;
	sdev->desc.group = sdev;
	sdev->desc.driver = driver;
	sdev->desc.abilities = DEVICE_USER_DOMAINS | DEVICE_DIRTY_TRACKING;
	sdev->dev = iommukit_device_add(ictx, &sdev->desc, id);
	if (!IS_ERR(sdev->dev))
		return sdev;

	rc = PTR_ERR(sdev->dev);
	soft_readers_destroy(&sdev->readers);
err_free:
	kfree(sdev);
	return ERR_PTR(rc);
}
EXPORT_SYMBOL_IOMMUKIT(__iommukit_soft_device_bind);

/**
 * iommukit_soft_device_unbind - end a device
 * @sdev: the device, not attached; NULL and error pointers are ignored
 *
 * Waits for running commands on it. The driver must have ended all its other calls
 * on the device.
 *
 * Context: process context, may sleep.
 */
void iommukit_soft_device_unbind(struct iommukit_soft_device *sdev)
{
	if (IS_ERR_OR_NULL(sdev))
		return;
	iommukit_device_unbind(sdev->dev);
	soft_readers_destroy(&sdev->readers);
	kfree(sdev);
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_soft_device_unbind);

/**
 * iommukit_soft_device_attach - let a device translate
 * @sdev: the device, not attached
 * @pt_id: an IOAS or a HWPT; on success the HWPT, else not changed
 *
 * The driver serialises attach, replace, detach and unbind of a device. Copies and
 * translations may run meanwhile.
 *
 * Context: process context, may sleep; killable. No mmap_lock held.
 * Return: 0; -ENOENT if there is no such object; -EINVAL if it is of another kind,
 * or for other devices; -EBUSY if the device is attached; -EADDRINUSE if the
 * alignment of a mapping does not suit; -EIO if the context is dead; -ENOMEM; -EINTR;
 * -EFAULT and other errnos of iommukit_access_pin_pages(), for all that is mapped is
 * pinned.
 */
int iommukit_soft_device_attach(struct iommukit_soft_device *sdev, u32 *pt_id)
{
	return iommukit_device_attach(sdev->dev, pt_id);
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_soft_device_attach);

/**
 * iommukit_soft_device_replace - let a device translate by something else
 * @sdev: an attached device
 * @pt_id: as for iommukit_soft_device_attach()
 *
 * Each page of a copy that runs meanwhile goes by the old HWPT or by the new one;
 * on return no more by the old one.
 *
 * Context: as iommukit_soft_device_attach().
 * Return: as iommukit_soft_device_attach(), after which nothing has changed; but
 * -EINVAL if the device is not attached.
 */
int iommukit_soft_device_replace(struct iommukit_soft_device *sdev, u32 *pt_id)
{
	return iommukit_device_replace(sdev->dev, pt_id);
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_soft_device_replace);

/**
 * iommukit_soft_device_detach - let a device translate no more
 * @sdev: an attached device
 *
 * Context: process context, may sleep. Cannot fail.
 */
void iommukit_soft_device_detach(struct iommukit_soft_device *sdev)
{
	iommukit_device_detach(sdev->dev);
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_soft_device_detach);

/**
 * iommukit_soft_device_translate - where an IOVA leads
 * @sdev: the device
 * @iova: the IOVA
 * @flags: IOMMUKIT_ACCESS_RW_WRITE if the device wants to write there, or 0
 * @phys: gets the physical address
 *
 * Nothing keeps the memory there when this has returned, and writing to it leaves no
 * trace in dirty bitmaps: it is for looking, not for copying.
 *
 * Context: any but NMI.
 * Return: 0; -EINVAL for unknown flags; -ENOENT if nothing is mapped there, or the
 * device is not attached; -EPERM if the mapping does not allow it.
 */
int iommukit_soft_device_translate(struct iommukit_soft_device *sdev,
				   unsigned long iova, unsigned int flags,
				   phys_addr_t *phys)
{
	rwlock_t *lock = soft_reader(&sdev->readers);
	unsigned long irq;
	struct domain *domain;
	int rc = -ENOENT;

	if (flags & ~IOMMUKIT_ACCESS_RW_WRITE)
		return -EINVAL;
	read_lock_irqsave(lock, irq);
	domain = READ_ONCE(sdev->domain);
	if (domain)
		rc = domain_soft_translate(domain, iova,
					   flags & IOMMUKIT_ACCESS_RW_WRITE,
					   phys);
	read_unlock_irqrestore(lock, irq);
	return rc;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_soft_device_translate);

/**
 * iommukit_soft_device_fault - have what is behind IOVA found
 * @sdev: the device
 * @iova: first IOVA
 * @length: bytes
 * @flags: IOMMUKIT_ACCESS_RW_WRITE if the device wants to write there, or 0
 *
 * For what a copy or translation did not find, or may not write: on-demand memory comes
 * into the HWPT only when it is asked for. Then try again; what was found may be gone by
 * then, so there is no number of times after which a device may give up, other than the
 * driver's own.
 *
 * Context: process context, may sleep, as long as user space takes if a userfaultfd has
 * the memory; killable. No mmap_lock held, and no lock that user space needs to go on.
 * Return: 0; -EINVAL for unknown flags, no length or a mapping that is being unmapped;
 * -EOVERFLOW if the range wraps; -ENOENT if the device is not attached, or there is nothing
 * to be found: what was not there is not there; -EPERM if the mapping does not allow it;
 * -EFAULT if the memory or its process is not there; -EIO if the context is dead, see
 * "Dead contexts"; -ENOMEM; -EINTR on a fatal signal.
 */
int iommukit_soft_device_fault(struct iommukit_soft_device *sdev,
			       unsigned long iova, size_t length,
			       unsigned int flags)
{
	if ((flags & ~IOMMUKIT_ACCESS_RW_WRITE) || !length)
		return -EINVAL;
	return device_fault(sdev->dev, iova, length,
			    flags & IOMMUKIT_ACCESS_RW_WRITE);
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_soft_device_fault);

static int rw_page(struct iommukit_soft_device *sdev, unsigned long iova,
		   void *data, size_t length, bool write)
{
	rwlock_t *lock = soft_reader(&sdev->readers);
	unsigned long irq;
	struct domain *domain;
	int rc = -ENOENT;

	read_lock_irqsave(lock, irq);
	domain = READ_ONCE(sdev->domain);
	if (domain)
		rc = domain_soft_rw(domain, iova, data, length, write);
	read_unlock_irqrestore(lock, irq);
	return rc;
}

/**
 * iommukit_soft_device_rw - copy between a buffer and the memory behind IOVA
 * @sdev: the device
 * @iova: first IOVA; no alignment is needed
 * @data: kernel memory
 * @length: bytes
 * @flags: IOMMUKIT_ACCESS_RW_READ (memory to @data), IOMMUKIT_ACCESS_RW_WRITE
 *	(@data to memory)
 *
 * Once an unmap command has returned, nothing is read or written any more that was
 * mapped there. Not atomic: on failure, what lies before the IOVA that failed has
 * been copied. Does not yield the CPU: a caller with very much to copy does so
 * between parts.
 *
 * Context: any but NMI; with PREEMPT_RT not in hard interrupts.
 * Return: 0; -EINVAL for unknown flags or no length; -EOVERFLOW if the range wraps;
 * -ENOENT if something of it is not mapped, or the device is not attached; -EPERM if
 * the mapping does not allow it.
 */
int iommukit_soft_device_rw(struct iommukit_soft_device *sdev,
			    unsigned long iova, void *data, size_t length,
			    unsigned int flags)
{
	unsigned long last;

	if ((flags & ~IOMMUKIT_ACCESS_RW_WRITE) || !length)
		return -EINVAL;
	if (check_add_overflow(iova, length - 1, &last))
		return -EOVERFLOW;
	while (length) {
		size_t n = min_t(size_t, length,
				 PAGE_SIZE - offset_in_page(iova));
		int rc = rw_page(sdev, iova, data, n,
				 flags & IOMMUKIT_ACCESS_RW_WRITE);

		if (rc)
			return rc;
		iova += n;
		data += n;
		length -= n;
	}
	return 0;
}
EXPORT_SYMBOL_IOMMUKIT(iommukit_soft_device_rw);

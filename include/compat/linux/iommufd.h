/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Upstream's names for iommukit's in-kernel interface, for a driver that is
 * written against <linux/iommufd.h>. It is built for iommukit by letting this
 * directory come before the kernel's own headers, in the driver's Kbuild:
 *
 *	LINUXINCLUDE := -I.../include/compat -I.../include $(LINUXINCLUDE)
 *
 * Its sources stay as they are: this file imports iommukit's symbol namespace,
 * and importing IOMMUFD as well does no harm.
 *
 * The names are those of accesses and contexts, the same from Linux 6.12 to 7.2, and
 * those of devices as 6.12 has them: attach, replace and detach take no PASID. vIOMMUs
 * and the helpers for VFIO are not there.
 *
 * The meaning is that of <linux/iommukit.h>. What a driver may notice:
 *
 * - Arguments that upstream trusts or ignores are -EINVAL: unknown flags, and
 *   pinning through an access without needs_pin_pages.
 * - unmap is called only for mappings in which the access holds pins.
 * - Unpinning takes effect only for a range that the same access pinned.
 */
#ifndef __LINUX_IOMMUFD_H
/* The guard is upstream's: whichever file comes first is the only one. */
#define __LINUX_IOMMUFD_H

#include <linux/iommukit.h>

IOMMUKIT_IMPORT_NS;

#define iommufd_ctx			iommukit_ctx
#define iommufd_ctx_from_file		iommukit_ctx_from_file
#define iommufd_ctx_from_fd		iommukit_ctx_from_fd
#define iommufd_ctx_get			iommukit_ctx_get
#define iommufd_ctx_put			iommukit_ctx_put

#define iommufd_ctx_has_group		iommukit_ctx_has_group

#define iommufd_device			iommukit_device
#define iommufd_device_bind		iommukit_device_bind
#define iommufd_device_unbind		iommukit_device_unbind
#define iommufd_device_attach		iommukit_device_attach
#define iommufd_device_replace		iommukit_device_replace
#define iommufd_device_detach		iommukit_device_detach
#define iommufd_device_to_ictx		iommukit_device_to_ctx
#define iommufd_device_to_id		iommukit_device_to_id

#define iommufd_access			iommukit_access
#define iommufd_access_ops		iommukit_access_ops
#define iommufd_access_create		iommukit_access_create
#define iommufd_access_destroy		iommukit_access_destroy
#define iommufd_access_attach		iommukit_access_attach
#define iommufd_access_replace		iommukit_access_replace
#define iommufd_access_detach		iommukit_access_detach
#define iommufd_access_pin_pages	iommukit_access_pin_pages
#define iommufd_access_unpin_pages	iommukit_access_unpin_pages
#define iommufd_access_rw		iommukit_access_rw

#define IOMMUFD_ACCESS_RW_READ		IOMMUKIT_ACCESS_RW_READ
#define IOMMUFD_ACCESS_RW_WRITE		IOMMUKIT_ACCESS_RW_WRITE
#define IOMMUFD_ACCESS_RW_KTHREAD	IOMMUKIT_ACCESS_RW_KTHREAD
#define __IOMMUFD_ACCESS_RW_SLOW_PATH	__IOMMUKIT_ACCESS_RW_SLOW_PATH

#endif /* __LINUX_IOMMUFD_H */

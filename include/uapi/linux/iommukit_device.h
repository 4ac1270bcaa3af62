/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Userspace ABI of iommukit: devices of hardware, which a driver offers and a context
 * takes. A part of <linux/iommukit.h>, which has the rules and numbers of all commands.
 */
#ifndef _UAPI_LINUX_IOMMUKIT_DEVICE_H
#define _UAPI_LINUX_IOMMUKIT_DEVICE_H

#ifndef _UAPI_LINUX_IOMMUKIT_H
#include <linux/iommukit.h>
#endif

#define IOMMUKIT_DEVICE_NAME_MAX 48

/**
 * struct iommukit_device_bind - ioctl(IOMMUKIT_DEVICE_BIND)
 * @size: sizeof(struct iommukit_device_bind)
 * @flags: Must be 0
 * @out_dev_id: Output id of the new object
 * @__reserved: Must be 0
 * @name: Name of the device in the kernel, as "0000:00:05.0", with a 0 at its end
 *
 * Take a device that a driver of ours offers, iommukit_pci for those of PCI: with the
 * driver an administrator gives a device to all who can open /dev/iommukit. Its memory
 * can be accessed and it may master the bus; but all DMA of its IOMMU group is refused
 * until one of the group is attached. The device is reset; if it cannot be, what it was
 * told by a former user may still happen.
 *
 *  - ENODEV: no driver of ours offers a device of that name
 *  - EBUSY: the device is bound already, or somebody is at work on it, as for a reset;
 *    or the group is not in its default domain
 *  - EPERM: another device of the group is in use by its driver, or by another
 *    context; or interrupts that the device makes up cannot be kept from other
 *    devices, and the module parameter allow_unsafe_interrupts is off
 *  - EINVAL: @name has no end; the device has no IOMMU, or one that does not keep
 *    caches coherent; or the firmware needs the device to reach certain memory
 *  - errnos of the driver
 *
 * The object ends with IOMMUKIT_DESTROY, with its context, or with the device: when
 * that is unplugged or taken from its driver, its id is gone (ENOENT). In each case
 * it is kept from the bus, detached, and given back, in that order.
 */
struct iommukit_device_bind {
	__u32 size;
	__u32 flags;
	__u32 out_dev_id;
	__u32 __reserved;
	__u8 name[IOMMUKIT_DEVICE_NAME_MAX];
};
#define IOMMUKIT_DEVICE_BIND _IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_DEVICE_BIND)

/**
 * enum iommukit_device_attach_flags - Flags of DEVICE_ATTACH
 * @IOMMUKIT_DEVICE_ATTACH_REPLACE: The device is attached, to something else
 */
enum iommukit_device_attach_flags {
	IOMMUKIT_DEVICE_ATTACH_REPLACE = 1 << 0,
};

/**
 * struct iommukit_device_attach - ioctl(IOMMUKIT_DEVICE_ATTACH)
 * @size: sizeof(struct iommukit_device_attach)
 * @flags: Combination of enum iommukit_device_attach_flags
 * @dev_id: A device of IOMMUKIT_DEVICE_BIND
 * @pt_id: An IOAS or a HWPT; on success the HWPT
 *
 * Let the DMA of a device be translated. For an IOAS a HWPT is made if none of it
 * suits, which ends with the last device that is attached to it. What the device does
 * not translate is taken out of the IOVA of the IOAS.
 *
 * All devices of an IOMMU group use the same HWPT. The first one that is attached
 * brings the group there; the others can be attached to nothing else (EINVAL), and
 * replacing moves all of them. What the device has under way when it is moved may be
 * lost, with an IOMMU that cannot change over in one step; it never goes anywhere but
 * to the memory of the old HWPT or of the new one, and to the old one no more when the
 * command has returned.
 *
 *  - ENOENT: no such device, IOAS or HWPT
 *  - EINVAL: @pt_id is of another kind, or does not suit the device or its group; to
 *    replace, the device is not attached
 *  - EBUSY: the device is attached already, or is being reset
 *  - EADDRINUSE: something is mapped or allowed where the device does not translate,
 *    or what is mapped is not aligned as its IOMMU needs
 *  - EIO: the IOMMU has refused to go on with the old HWPT when it could not go over
 *    to another one; the group is kept from all memory until all of it is detached. Or
 *    the context is dead
 *  - ENOMEM, EFAULT, EPERM: what is mapped cannot be pinned
 *
 * After a failure everything is as before, but with the former EIO; and if the structure
 * can be written at first, but not at the end (EFAULT), a replace has been done.
 */
struct iommukit_device_attach {
	__u32 size;
	__u32 flags;
	__u32 dev_id;
	__u32 pt_id;
};
#define IOMMUKIT_DEVICE_ATTACH _IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_DEVICE_ATTACH)

/**
 * struct iommukit_device_detach - ioctl(IOMMUKIT_DEVICE_DETACH)
 * @size: sizeof(struct iommukit_device_detach)
 * @dev_id: A device of IOMMUKIT_DEVICE_BIND (ENOENT)
 *
 * Undo IOMMUKIT_DEVICE_ATTACH; EINVAL if it is not attached. The DMA of the group is
 * refused once its last device is detached, and translated until then.
 */
struct iommukit_device_detach {
	__u32 size;
	__u32 dev_id;
};
#define IOMMUKIT_DEVICE_DETACH _IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_DEVICE_DETACH)

#endif /* _UAPI_LINUX_IOMMUKIT_DEVICE_H */

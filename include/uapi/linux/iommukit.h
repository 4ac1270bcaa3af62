/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Userspace ABI of iommukit, the IO address space subsystem behind
 * /dev/iommukit.
 *
 * Commands 0x80..0xa0 are binary compatible with /dev/iommu: same numbers,
 * same structures, same errno. Commands 0xc0..0xdf are extensions. Those of a
 * VFIO container with a type1 IOMMU, from <linux/vfio.h>, are served on the same
 * descriptor: see "VFIO type1".
 */
#ifndef _UAPI_LINUX_IOMMUKIT_H
#define _UAPI_LINUX_IOMMUKIT_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define IOMMUKIT_TYPE (';')

/**
 * DOC: General ioctl format
 *
 * Every command takes a pointer to a structure whose first member is a __u32
 * *size*. User space sets it to the sizeof() it was compiled with, and the
 * kernel negotiates:
 *
 *  - *size* below the first version of the command fails with EINVAL;
 *  - a *size* larger than the kernel's structure is accepted if all bytes the
 *    kernel does not know are zero, otherwise E2BIG;
 *  - bytes that an older user space did not pass are taken as zero.
 *
 * On success the kernel writes min(*size*, its own size) bytes back. On
 * failure nothing is written unless the command says so.
 *
 * These errnos mean the same for every command:
 *
 *  - ENOTTY: the command number is not known
 *  - E2BIG: the structure has unknown non-zero bytes at its end
 *  - EOPNOTSUPP: a known member (flags, reserved, op) has an unsupported value
 *  - EINVAL: everything about the request was understood, but it is wrong
 *  - ENOENT: an id or an IOVA does not exist
 *  - ENOMEM: out of memory, or RLIMIT_MEMLOCK would be exceeded
 *  - EOVERFLOW: mathematics overflowed
 *  - EFAULT: a user pointer could not be read or written
 *  - EINTR: a fatal signal arrived while waiting
 *  - EIO: the context is dead, see "Dead contexts" in <linux/iommukit_ondemand.h>; not of
 *    IOMMUKIT_DESTROY, IOMMUKIT_IOAS_UNMAP and IOMMUKIT_ONDEMAND_QUERY
 *
 * Ranges of IOVA are inclusive of their last byte wherever a *last* is named.
 * All objects live as long as the file descriptor of their context unless they
 * are destroyed before. A 32-bit process on a 64-bit kernel gets ENOTTY.
 */
enum {
	IOMMUKIT_CMD_BASE = 0x80,
	IOMMUKIT_CMD_DESTROY = IOMMUKIT_CMD_BASE,
	IOMMUKIT_CMD_IOAS_ALLOC = 0x81,
	IOMMUKIT_CMD_IOAS_ALLOW_IOVAS = 0x82,
	IOMMUKIT_CMD_IOAS_COPY = 0x83,
	IOMMUKIT_CMD_IOAS_IOVA_RANGES = 0x84,
	IOMMUKIT_CMD_IOAS_MAP = 0x85,
	IOMMUKIT_CMD_IOAS_UNMAP = 0x86,
	IOMMUKIT_CMD_OPTION = 0x87,
	IOMMUKIT_CMD_VFIO_IOAS = 0x88,
	IOMMUKIT_CMD_HWPT_ALLOC = 0x89,
	IOMMUKIT_CMD_GET_HW_INFO = 0x8a,
	IOMMUKIT_CMD_HWPT_SET_DIRTY_TRACKING = 0x8b,
	IOMMUKIT_CMD_HWPT_GET_DIRTY_BITMAP = 0x8c,
	IOMMUKIT_CMD_HWPT_INVALIDATE = 0x8d,
	IOMMUKIT_CMD_FAULT_QUEUE_ALLOC = 0x8e,
	IOMMUKIT_CMD_IOAS_MAP_FILE = 0x8f,

	IOMMUKIT_CMD_EXT_BASE = 0xc0,
	IOMMUKIT_CMD_INFO = IOMMUKIT_CMD_EXT_BASE,
	IOMMUKIT_CMD_IOAS_MAP_ONDEMAND = 0xc1,
	IOMMUKIT_CMD_IOAS_PREFETCH = 0xc2,
	IOMMUKIT_CMD_ONDEMAND_QUERY = 0xc3,
	IOMMUKIT_CMD_DEVICE_BIND = 0xc8,
	IOMMUKIT_CMD_DEVICE_ATTACH = 0xc9,
	IOMMUKIT_CMD_DEVICE_DETACH = 0xca,
	IOMMUKIT_CMD_IOAS_SET_DIRTY_TRACKING = 0xcc,
	IOMMUKIT_CMD_IOAS_GET_DIRTY_BITMAP = 0xcd,
	IOMMUKIT_CMD_IOTLB_ALLOC = 0xd0,
	IOMMUKIT_CMD_IOTLB_SUBMIT = 0xd1,
	IOMMUKIT_CMD_IOTLB_QUERY = 0xd2,
	IOMMUKIT_CMD_IOTLB_STATS = 0xd3,
	IOMMUKIT_CMD_IOTLB_SET = 0xd4,
	IOMMUKIT_CMD_IOTLB_CHANNEL_OPEN = 0xd5,
	IOMMUKIT_CMD_IOTLB_GET_CAPS = 0xd6,
};

/**
 * struct iommukit_destroy - ioctl(IOMMUKIT_DESTROY)
 * @size: sizeof(struct iommukit_destroy)
 * @id: Any object id
 *
 * Destroy an object of this context. Waits for other threads' commands on the
 * object to end; then fails with EBUSY if the object is used by another object
 * or by a kernel driver, with ENOENT if there is no such object.
 */
struct iommukit_destroy {
	__u32 size;
	__u32 id;
};
#define IOMMUKIT_DESTROY _IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_DESTROY)

/**
 * struct iommukit_ioas_alloc - ioctl(IOMMUKIT_IOAS_ALLOC)
 * @size: sizeof(struct iommukit_ioas_alloc)
 * @flags: Must be 0
 * @out_ioas_id: Output id of the new object
 *
 * Create an IO address space (IOAS): a map from IOVA to user memory, empty, all
 * of the IOVA space usable, alignment 1.
 */
struct iommukit_ioas_alloc {
	__u32 size;
	__u32 flags;
	__u32 out_ioas_id;
};
#define IOMMUKIT_IOAS_ALLOC _IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_IOAS_ALLOC)

/**
 * struct iommukit_iova_range - A closed interval of IOVA
 * @start: First IOVA
 * @last: Last IOVA, inclusive
 */
struct iommukit_iova_range {
	__aligned_u64 start;
	__aligned_u64 last;
};

/**
 * struct iommukit_ioas_iova_ranges - ioctl(IOMMUKIT_IOAS_IOVA_RANGES)
 * @size: sizeof(struct iommukit_ioas_iova_ranges)
 * @ioas_id: IOAS to read the ranges from
 * @num_iovas: In: elements of @allowed_iovas. Out: number of ranges there are
 * @__reserved: Must be 0
 * @allowed_iovas: Pointer to an array of struct iommukit_iova_range
 * @out_iova_alignment: Smallest alignment of IOVA, length and user address that
 *                      a mapping must have
 *
 * Report the ranges of IOVA that may be mapped, ascending. They shrink when
 * devices with reserved regions join and grow when they leave; the list given
 * to IOMMUKIT_IOAS_ALLOW_IOVAS and the existing mappings play no role.
 *
 * If there are more ranges than @num_iovas the command fails with EMSGSIZE,
 * still fills the elements there is room for, and sets @num_iovas and
 * @out_iova_alignment.
 */
struct iommukit_ioas_iova_ranges {
	__u32 size;
	__u32 ioas_id;
	__u32 num_iovas;
	__u32 __reserved;
	__aligned_u64 allowed_iovas;
	__aligned_u64 out_iova_alignment;
};
#define IOMMUKIT_IOAS_IOVA_RANGES \
	_IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_IOAS_IOVA_RANGES)

/**
 * struct iommukit_ioas_allow_iovas - ioctl(IOMMUKIT_IOAS_ALLOW_IOVAS)
 * @size: sizeof(struct iommukit_ioas_allow_iovas)
 * @ioas_id: IOAS to restrict
 * @num_iovas: Elements of @allowed_iovas; 0 removes the restriction
 * @__reserved: Must be 0
 * @allowed_iovas: Pointer to an array of struct iommukit_iova_range
 *
 * Replace the list of ranges that automatic placement chooses from, and that no
 * device joining later may reserve. Ranges must not overlap each other and must
 * be longer than one byte (EINVAL), nor may they touch reserved IOVA
 * (EADDRINUSE). On failure the old list stays. Mappings at a fixed IOVA are not
 * restricted.
 */
struct iommukit_ioas_allow_iovas {
	__u32 size;
	__u32 ioas_id;
	__u32 num_iovas;
	__u32 __reserved;
	__aligned_u64 allowed_iovas;
};
#define IOMMUKIT_IOAS_ALLOW_IOVAS \
	_IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_IOAS_ALLOW_IOVAS)

/**
 * enum iommukit_ioas_map_flags - Flags for map and copy
 * @IOMMUKIT_IOAS_MAP_FIXED_IOVA: Map at the given IOVA instead of choosing one
 * @IOMMUKIT_IOAS_MAP_WRITEABLE: Devices and drivers may write
 * @IOMMUKIT_IOAS_MAP_READABLE: Devices and drivers may read
 */
enum iommukit_ioas_map_flags {
	IOMMUKIT_IOAS_MAP_FIXED_IOVA = 1 << 0,
	IOMMUKIT_IOAS_MAP_WRITEABLE = 1 << 1,
	IOMMUKIT_IOAS_MAP_READABLE = 1 << 2,
};

/**
 * struct iommukit_ioas_map - ioctl(IOMMUKIT_IOAS_MAP)
 * @size: sizeof(struct iommukit_ioas_map)
 * @flags: Combination of enum iommukit_ioas_map_flags
 * @ioas_id: IOAS to change
 * @__reserved: Must be 0
 * @user_va: Address in the caller's memory to map
 * @length: Bytes to map
 * @iova: In: where to map if FIXED_IOVA is set. Out: where it is mapped
 *
 * Let [@iova, @iova + @length) stand for the caller's memory at @user_va. The
 * memory is not touched before somebody needs its pages. At least one of
 * READABLE and WRITEABLE must be given (EINVAL). A fixed IOVA that intersects
 * an existing mapping fails with EEXIST, one that intersects reserved IOVA or
 * is misaligned with EINVAL. Without FIXED_IOVA the lowest suitable IOVA is
 * taken, ENOSPC if there is none.
 *
 * If only writing back the result fails (EFAULT), the mapping stays.
 */
struct iommukit_ioas_map {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__u32 __reserved;
	__aligned_u64 user_va;
	__aligned_u64 length;
	__aligned_u64 iova;
};
#define IOMMUKIT_IOAS_MAP _IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_IOAS_MAP)

/**
 * struct iommukit_ioas_map_file - ioctl(IOMMUKIT_IOAS_MAP_FILE)
 * @size: sizeof(struct iommukit_ioas_map_file)
 * @flags: Combination of enum iommukit_ioas_map_flags
 * @ioas_id: IOAS to change
 * @fd: A memfd, or a file of tmpfs or hugetlbfs
 * @start: Byte offset in the file
 * @length: Bytes to map
 * @iova: In: where to map if FIXED_IOVA is set. Out: where it is mapped
 *
 * As IOMMUKIT_IOAS_MAP, with a file in place of memory of the process; its
 * pages stay reachable after the process is gone. The kind of the file and its
 * size are looked at when pages are needed (EINVAL then). EBADF if @fd is not
 * open; EPERM if WRITEABLE is given and the file is not open for writing or is
 * sealed against it. While a writeable mapping exists the file cannot be sealed
 * against writing.
 */
struct iommukit_ioas_map_file {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__s32 fd;
	__aligned_u64 start;
	__aligned_u64 length;
	__aligned_u64 iova;
};
#define IOMMUKIT_IOAS_MAP_FILE _IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_IOAS_MAP_FILE)

/**
 * struct iommukit_ioas_copy - ioctl(IOMMUKIT_IOAS_COPY)
 * @size: sizeof(struct iommukit_ioas_copy)
 * @flags: Combination of enum iommukit_ioas_map_flags
 * @dst_ioas_id: IOAS to change
 * @src_ioas_id: IOAS to copy from
 * @length: Bytes to copy
 * @dst_iova: In: where to map if FIXED_IOVA is set. Out: where it is mapped
 * @src_iova: First byte to copy
 *
 * Map in @dst_ioas_id the memory that [@src_iova, @src_iova + @length) stands
 * for. The range may be any part of one or several adjacent mappings, without a
 * hole (ENOENT). Pages are shared: they are pinned and charged once. EPERM if
 * WRITEABLE is asked for memory that was mapped without it.
 */
struct iommukit_ioas_copy {
	__u32 size;
	__u32 flags;
	__u32 dst_ioas_id;
	__u32 src_ioas_id;
	__aligned_u64 length;
	__aligned_u64 dst_iova;
	__aligned_u64 src_iova;
};
#define IOMMUKIT_IOAS_COPY _IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_IOAS_COPY)

/**
 * struct iommukit_ioas_unmap - ioctl(IOMMUKIT_IOAS_UNMAP)
 * @size: sizeof(struct iommukit_ioas_unmap)
 * @ioas_id: IOAS to change
 * @iova: First IOVA to unmap
 * @length: In: bytes to unmap. Out: bytes that were unmapped
 *
 * Remove the mappings inside [@iova, @iova + @length); there may be holes.
 * ENOENT if there is none, or if one sticks out of the range: mappings are
 * removed whole. @iova 0 with @length 2^64-1 removes all and never fails for
 * lack of a mapping. Not atomic: what was removed before an error stays
 * removed.
 *
 * Drivers that pinned pages of a mapping are asked to release them. If one does
 * not do so in time the mapping stays and the command fails with EDEADLOCK.
 * The mapping then refuses new pins, reads and writes until it is unmapped.
 *
 * EIO says that all is unmapped, but that an IOMMU may still lead devices to some of
 * the memory, which was pinned. It stays so until the module is unloaded. With on-demand
 * mappings the context is dead instead.
 */
struct iommukit_ioas_unmap {
	__u32 size;
	__u32 ioas_id;
	__aligned_u64 iova;
	__aligned_u64 length;
};
#define IOMMUKIT_IOAS_UNMAP _IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_IOAS_UNMAP)

/**
 * enum iommukit_option_id - Values of @option_id of struct iommukit_option
 * @IOMMUKIT_OPTION_RLIMIT_MODE: Where pinned pages are counted against
 *    RLIMIT_MEMLOCK: 0 per user (the default), 1 per process. @object_id must
 *    be 0. Setting needs CAP_SYS_RESOURCE and a context without objects.
 * @IOMMUKIT_OPTION_HUGE_PAGES: 1 (the default) lets contiguous pages be mapped
 *    together; 0 maps page by page. @object_id is an IOAS.
 */
enum iommukit_option_id {
	IOMMUKIT_OPTION_RLIMIT_MODE = 0,
	IOMMUKIT_OPTION_HUGE_PAGES = 1,
};

/**
 * enum iommukit_option_ops - Values of @op of struct iommukit_option
 * @IOMMUKIT_OPTION_OP_SET: Set the option to @val64
 * @IOMMUKIT_OPTION_OP_GET: Read the option into @val64
 */
enum iommukit_option_ops {
	IOMMUKIT_OPTION_OP_SET = 0,
	IOMMUKIT_OPTION_OP_GET = 1,
};

/**
 * struct iommukit_option - ioctl(IOMMUKIT_OPTION)
 * @size: sizeof(struct iommukit_option)
 * @option_id: One of enum iommukit_option_id
 * @op: One of enum iommukit_option_ops
 * @__reserved: Must be 0
 * @object_id: The object the option belongs to
 * @val64: Value to set, or the value read
 *
 * EPERM without CAP_SYS_RESOURCE and EBUSY if the context has objects, when
 * setting RLIMIT_MODE. EADDRINUSE if switching HUGE_PAGES off would raise the
 * alignment above that of an existing mapping. Only @val64 is written back.
 */
struct iommukit_option {
	__u32 size;
	__u32 option_id;
	__u16 op;
	__u16 __reserved;
	__u32 object_id;
	__aligned_u64 val64;
};
#define IOMMUKIT_OPTION _IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_OPTION)

/**
 * enum iommukit_vfio_ioas_op - Values of @op of struct iommukit_vfio_ioas
 * @IOMMUKIT_VFIO_IOAS_GET: Read the id of the compatibility IOAS
 * @IOMMUKIT_VFIO_IOAS_SET: Make @ioas_id the compatibility IOAS
 * @IOMMUKIT_VFIO_IOAS_CLEAR: Have none; the IOAS itself stays
 */
enum iommukit_vfio_ioas_op {
	IOMMUKIT_VFIO_IOAS_GET = 0,
	IOMMUKIT_VFIO_IOAS_SET = 1,
	IOMMUKIT_VFIO_IOAS_CLEAR = 2,
};

/**
 * struct iommukit_vfio_ioas - ioctl(IOMMUKIT_VFIO_IOAS)
 * @size: sizeof(struct iommukit_vfio_ioas)
 * @ioas_id: In: the IOAS to SET. Out: the one that GET found
 * @op: One of enum iommukit_vfio_ioas_op
 * @__reserved: Must be 0
 *
 * Choose the IOAS that the ioctls of VFIO type1 work on. Being chosen does not
 * keep an IOAS from being destroyed; then there is none. GET fails with ENODEV
 * if there is none.
 */
struct iommukit_vfio_ioas {
	__u32 size;
	__u32 ioas_id;
	__u16 op;
	__u16 __reserved;
};
#define IOMMUKIT_VFIO_IOAS _IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_VFIO_IOAS)

/**
 * DOC: VFIO type1
 *
 * A program that only knows VFIO containers uses these ioctls of <linux/vfio.h>.
 * They work on the compatibility IOAS and fail with ENODEV without one; structures
 * are as there, with *argsz* in place of *size*: EINVAL if it is too small.
 *
 *  - VFIO_GET_API_VERSION returns 0.
 *  - VFIO_CHECK_EXTENSION returns 1 for VFIO_TYPE1_IOMMU, VFIO_TYPE1v2_IOMMU,
 *    VFIO_UNMAP_ALL and, with a compatibility IOAS, VFIO_DMA_CC_IOMMU; else 0.
 *  - VFIO_SET_IOMMU accepts VFIO_TYPE1v2_IOMMU, and VFIO_TYPE1_IOMMU, which
 *    switches IOMMUKIT_OPTION_HUGE_PAGES off and is in effect until that is
 *    switched on again. EADDRINUSE as there.
 *  - VFIO_IOMMU_MAP_DMA is IOMMUKIT_IOAS_MAP at a fixed IOVA; it may give no
 *    permission at all.
 *  - VFIO_IOMMU_UNMAP_DMA is IOMMUKIT_IOAS_UNMAP, but it succeeds if nothing is
 *    mapped there, and tells what was unmapped also if it fails on the way. Of the
 *    flags it knows VFIO_DMA_UNMAP_FLAG_ALL. With huge pages off a mapping that
 *    sticks out of the range is cut at its ends: EINVAL if they are not aligned or
 *    a driver has pinned pages of the mapping, EBUSY if it is being unmapped.
 *  - VFIO_IOMMU_GET_INFO reports page sizes, and the usable ranges of IOVA and the
 *    number of further mappings (unlimited) as capabilities.
 *
 * The others are not known: ENOTTY.
 */

/**
 * enum iommukit_features - Bits of @out_features of struct iommukit_info
 * @IOMMUKIT_FEATURE_MAP_FILE: IOMMUKIT_IOAS_MAP_FILE is there
 * @IOMMUKIT_FEATURE_TEST: the test module is loaded
 * @IOMMUKIT_FEATURE_IOAS_DIRTY: IOMMUKIT_IOAS_SET_DIRTY_TRACKING is there
 * @IOMMUKIT_FEATURE_DEVICE_BIND: IOMMUKIT_DEVICE_BIND is there, and the kernel knows
 *                                IOMMUs; a machine may have none
 * @IOMMUKIT_FEATURE_IOTLB: IOMMUKIT_IOTLB_ALLOC is there, and accesses can be attached
 *                          to IOTLBs
 * @IOMMUKIT_FEATURE_ONDEMAND: IOMMUKIT_IOAS_MAP_ONDEMAND is there; without this bit it
 *                             fails with EOPNOTSUPP
 */
enum iommukit_features {
	IOMMUKIT_FEATURE_MAP_FILE = 1 << 0,
	IOMMUKIT_FEATURE_TEST = 1 << 1,
	IOMMUKIT_FEATURE_IOAS_DIRTY = 1 << 2,
	IOMMUKIT_FEATURE_DEVICE_BIND = 1 << 3,
	IOMMUKIT_FEATURE_IOTLB = 1 << 4,
	IOMMUKIT_FEATURE_ONDEMAND = 1 << 5,
};

/**
 * struct iommukit_info - ioctl(IOMMUKIT_INFO)
 * @size: sizeof(struct iommukit_info)
 * @flags: Must be 0
 * @out_version_major: Version of the module: major
 * @out_version_minor: Version of the module: minor
 * @out_version_patch: Version of the module: patch level
 * @__reserved: Must be 0
 * @out_features: Bits of enum iommukit_features
 * @out_page_sizes: One bit for each size a page of memory can have: the
 *                  smallest one is the size that pinning works in
 *
 * An extension; it needs no object. Tool and module compare versions by it.
 */
struct iommukit_info {
	__u32 size;
	__u32 flags;
	__u16 out_version_major;
	__u16 out_version_minor;
	__u16 out_version_patch;
	__u16 __reserved;
	__aligned_u64 out_features;
	__aligned_u64 out_page_sizes;
};
#define IOMMUKIT_INFO _IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_INFO)

/**
 * enum iommukit_ioas_set_dirty_tracking_flags - Flags of IOAS_SET_DIRTY_TRACKING
 * @IOMMUKIT_IOAS_DIRTY_TRACKING_ENABLE: On, else off
 */
enum iommukit_ioas_set_dirty_tracking_flags {
	IOMMUKIT_IOAS_DIRTY_TRACKING_ENABLE = 1 << 0,
};

/**
 * struct iommukit_ioas_set_dirty_tracking - ioctl(IOMMUKIT_IOAS_SET_DIRTY_TRACKING)
 * @size: sizeof(struct iommukit_ioas_set_dirty_tracking)
 * @flags: Combination of enum iommukit_ioas_set_dirty_tracking_flags
 * @ioas_id: The IOAS
 * @__reserved: Must be 0
 *
 * Note what is written by way of an IOAS from now on, or no longer: by drivers, and
 * by devices that are software, whatever HWPT of the IOAS they use. What devices of
 * hardware write, HWPT_GET_DIRTY_BITMAP tells. Switching on forgets what was noted
 * before, also if it was on. It takes one bit for each page that is mapped (ENOMEM;
 * it is off then).
 */
struct iommukit_ioas_set_dirty_tracking {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__u32 __reserved;
};
#define IOMMUKIT_IOAS_SET_DIRTY_TRACKING \
	_IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_IOAS_SET_DIRTY_TRACKING)

/**
 * enum iommukit_ioas_get_dirty_bitmap_flags - Flags of IOAS_GET_DIRTY_BITMAP
 * @IOMMUKIT_IOAS_GET_DIRTY_BITMAP_NO_CLEAR: Report again next time
 */
enum iommukit_ioas_get_dirty_bitmap_flags {
	IOMMUKIT_IOAS_GET_DIRTY_BITMAP_NO_CLEAR = 1 << 0,
};

/**
 * struct iommukit_ioas_get_dirty_bitmap - ioctl(IOMMUKIT_IOAS_GET_DIRTY_BITMAP)
 * @size: sizeof(struct iommukit_ioas_get_dirty_bitmap)
 * @ioas_id: The IOAS
 * @flags: Combination of enum iommukit_ioas_get_dirty_bitmap_flags
 * @__reserved: Must be 0
 * @iova: First byte; the first bit of the bitmap is for it
 * @length: Bytes
 * @page_size: Bytes that a bit stands for, a power of two
 * @data: Bitmap of the caller, an array of 64 bit words, at any address
 *
 * As IOMMUKIT_HWPT_GET_DIRTY_BITMAP. Pages are noted as a whole, and those that a
 * driver has pinned for writing are reported each time. What is being unmapped, or what
 * an unmap has given up on (EDEADLOCK), is a hole.
 */
struct iommukit_ioas_get_dirty_bitmap {
	__u32 size;
	__u32 ioas_id;
	__u32 flags;
	__u32 __reserved;
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 page_size;
	__aligned_u64 data;
};
#define IOMMUKIT_IOAS_GET_DIRTY_BITMAP \
	_IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_IOAS_GET_DIRTY_BITMAP)

#include <linux/iommukit_hwpt.h>
#include <linux/iommukit_device.h>
#include <linux/iommukit_iotlb.h>
#include <linux/iommukit_ondemand.h>

#endif /* _UAPI_LINUX_IOMMUKIT_H */

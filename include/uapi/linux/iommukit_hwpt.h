/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Userspace ABI of iommukit: IO page tables (HWPT) and the devices that use them.
 * A part of <linux/iommukit.h>, which has the rules and numbers of all commands.
 */
#ifndef _UAPI_LINUX_IOMMUKIT_HWPT_H
#define _UAPI_LINUX_IOMMUKIT_HWPT_H

#ifndef _UAPI_LINUX_IOMMUKIT_H
#include <linux/iommukit.h>
#endif

/**
 * enum iommukit_hwpt_alloc_flags - Flags of HWPT_ALLOC
 * @IOMMUKIT_HWPT_ALLOC_NEST_PARENT: Nested HWPTs may be made on it
 * @IOMMUKIT_HWPT_ALLOC_DIRTY_TRACKING: It can note what devices write. Only
 *                                      devices that can do so may use it.
 * @IOMMUKIT_HWPT_FAULT_ID_VALID: fault_id is given; not for a HWPT on an IOAS
 */
enum iommukit_hwpt_alloc_flags {
	IOMMUKIT_HWPT_ALLOC_NEST_PARENT = 1 << 0,
	IOMMUKIT_HWPT_ALLOC_DIRTY_TRACKING = 1 << 1,
	IOMMUKIT_HWPT_FAULT_ID_VALID = 1 << 2,
};

/**
 * enum iommukit_hwpt_data_type - What data_uptr of HWPT_ALLOC points to
 * @IOMMUKIT_HWPT_DATA_NONE: Nothing
 * @IOMMUKIT_HWPT_DATA_VTD_S1: A first stage page table of Intel VT-d
 */
enum iommukit_hwpt_data_type {
	IOMMUKIT_HWPT_DATA_NONE = 0,
	IOMMUKIT_HWPT_DATA_VTD_S1 = 1,
};

/**
 * struct iommukit_hwpt_alloc - ioctl(IOMMUKIT_HWPT_ALLOC)
 * @size: sizeof(struct iommukit_hwpt_alloc)
 * @flags: Combination of enum iommukit_hwpt_alloc_flags
 * @dev_id: The device that it shall suit
 * @pt_id: IOAS that it mirrors, or HWPT that it is nested in
 * @out_hwpt_id: Output id of the new object
 * @__reserved: Must be 0
 * @data_type: enum iommukit_hwpt_data_type
 * @data_len: Bytes at @data_uptr; 0 if and only if there is no data
 * @data_uptr: Data for the driver of the device's IOMMU
 * @fault_id: Fault queue, with FAULT_ID_VALID
 * @__reserved2: Not looked at
 *
 * On an IOAS: make an IO page table (HWPT) that has all mappings of the IOAS when
 * the command returns, and follows every change from then on, whether a device
 * uses it or not. The pages are pinned. It limits the IOVA of the IOAS to what it
 * can map, and their alignment to its smallest page (EADDRINUSE if a mapping or an
 * allowed range contradicts; nothing is changed then).
 *
 * On a HWPT made with NEST_PARENT: make one whose tables are in memory of the
 * caller, as the data says, and lead to addresses of the parent. If they change,
 * IOMMUKIT_HWPT_INVALIDATE has to be called. EINVAL if the parent does not allow it,
 * is automatic or of another kind of devices; EOPNOTSUPP if the driver cannot nest
 * or does not know the type of the data; EINVAL if the data has a wrong length.
 *
 * A HWPT ends by IOMMUKIT_DESTROY, which is refused (EBUSY) while a device is
 * attached or another one is nested in it. A @pt_id that does not exist is EINVAL, a
 * @dev_id or @fault_id ENOENT.
 */
struct iommukit_hwpt_alloc {
	__u32 size;
	__u32 flags;
	__u32 dev_id;
	__u32 pt_id;
	__u32 out_hwpt_id;
	__u32 __reserved;
	__u32 data_type;
	__u32 data_len;
	__aligned_u64 data_uptr;
	__u32 fault_id;
	__u32 __reserved2;
};
#define IOMMUKIT_HWPT_ALLOC _IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_HWPT_ALLOC)

/**
 * enum iommukit_hw_info_flags - Flags of GET_HW_INFO
 * @IOMMUKIT_HW_INFO_FLAG_INPUT_TYPE: in_data_type says what is asked for
 */
enum iommukit_hw_info_flags {
	IOMMUKIT_HW_INFO_FLAG_INPUT_TYPE = 1 << 0,
};

/**
 * enum iommukit_hw_info_type - What GET_HW_INFO says
 * @IOMMUKIT_HW_INFO_TYPE_NONE: Nothing. As a question: what the driver chooses
 * @IOMMUKIT_HW_INFO_TYPE_DEFAULT: The same number
 * @IOMMUKIT_HW_INFO_TYPE_INTEL_VTD: Registers of Intel VT-d
 */
enum iommukit_hw_info_type {
	IOMMUKIT_HW_INFO_TYPE_NONE = 0,
	IOMMUKIT_HW_INFO_TYPE_DEFAULT = 0,
	IOMMUKIT_HW_INFO_TYPE_INTEL_VTD = 1,
};

/**
 * enum iommukit_hw_capabilities - What a device and its IOMMU can do
 * @IOMMUKIT_HW_CAP_DIRTY_TRACKING: HWPTs made with DIRTY_TRACKING
 * @IOMMUKIT_HW_CAP_PCI_PASID_EXEC: Requests with PASID may execute
 * @IOMMUKIT_HW_CAP_PCI_PASID_PRIV: Requests with PASID may be privileged
 */
enum iommukit_hw_capabilities {
	IOMMUKIT_HW_CAP_DIRTY_TRACKING = 1 << 0,
	IOMMUKIT_HW_CAP_PCI_PASID_EXEC = 1 << 1,
	IOMMUKIT_HW_CAP_PCI_PASID_PRIV = 1 << 2,
};

/**
 * struct iommukit_hw_info - ioctl(IOMMUKIT_GET_HW_INFO)
 * @size: sizeof(struct iommukit_hw_info)
 * @flags: Combination of enum iommukit_hw_info_flags
 * @dev_id: The device
 * @data_len: In: bytes at @data_uptr, or 0. Out: bytes that there are to say
 * @data_uptr: Gets as much of it as there is room for; the rest is zeroed
 * @out_data_type: Output: what it is, enum iommukit_hw_info_type
 * @in_data_type: What it shall be, with INPUT_TYPE
 * @out_max_pasid_log2: Output: bits of a PASID, 0 if the device has none
 * @__reserved: Must be 0
 * @out_capabilities: Output: enum iommukit_hw_capabilities
 *
 * Ask what the IOMMU of a device is. EOPNOTSUPP if the driver does not know the
 * type that is asked for.
 */
struct iommukit_hw_info {
	__u32 size;
	__u32 flags;
	__u32 dev_id;
	__u32 data_len;
	__aligned_u64 data_uptr;
	union {
		__u32 out_data_type;
		__u32 in_data_type;
	};
	__u8 out_max_pasid_log2;
	__u8 __reserved[3];
	__aligned_u64 out_capabilities;
};
#define IOMMUKIT_GET_HW_INFO _IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_GET_HW_INFO)

/**
 * enum iommukit_hwpt_set_dirty_tracking_flags - Flags of HWPT_SET_DIRTY_TRACKING
 * @IOMMUKIT_HWPT_DIRTY_TRACKING_ENABLE: On, else off
 */
enum iommukit_hwpt_set_dirty_tracking_flags {
	IOMMUKIT_HWPT_DIRTY_TRACKING_ENABLE = 1 << 0,
};

/**
 * struct iommukit_hwpt_set_dirty_tracking - ioctl(IOMMUKIT_HWPT_SET_DIRTY_TRACKING)
 * @size: sizeof(struct iommukit_hwpt_set_dirty_tracking)
 * @flags: Combination of enum iommukit_hwpt_set_dirty_tracking_flags
 * @hwpt_id: A HWPT made with DIRTY_TRACKING (else EOPNOTSUPP)
 * @__reserved: Not looked at
 *
 * Note what devices write from now on, or no longer. Switching on forgets what was
 * noted before, also if it was on.
 */
struct iommukit_hwpt_set_dirty_tracking {
	__u32 size;
	__u32 flags;
	__u32 hwpt_id;
	__u32 __reserved;
};
#define IOMMUKIT_HWPT_SET_DIRTY_TRACKING \
	_IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_HWPT_SET_DIRTY_TRACKING)

/**
 * enum iommukit_hwpt_get_dirty_bitmap_flags - Flags of HWPT_GET_DIRTY_BITMAP
 * @IOMMUKIT_HWPT_GET_DIRTY_BITMAP_NO_CLEAR: Report again next time
 */
enum iommukit_hwpt_get_dirty_bitmap_flags {
	IOMMUKIT_HWPT_GET_DIRTY_BITMAP_NO_CLEAR = 1 << 0,
};

/**
 * struct iommukit_hwpt_get_dirty_bitmap - ioctl(IOMMUKIT_HWPT_GET_DIRTY_BITMAP)
 * @size: sizeof(struct iommukit_hwpt_get_dirty_bitmap)
 * @hwpt_id: A HWPT made with DIRTY_TRACKING (else EOPNOTSUPP)
 * @flags: Combination of enum iommukit_hwpt_get_dirty_bitmap_flags
 * @__reserved: Must be 0
 * @iova: First byte; the first bit of the bitmap is for it
 * @length: Bytes
 * @page_size: Bytes that a bit stands for, a power of two
 * @data: Bitmap of the caller, an array of 64 bit words, at any address
 *
 * Read what was written since it was last read. Bits are set, never cleared: the
 * caller begins with zeros. What was not recorded, because the command failed, will
 * be reported next time; what was recorded before that is in the bitmap.
 *
 * The range must be mapped without a hole: at the first hole the command ends with
 * EINVAL. EINVAL as well if tracking is off, or the range is empty or not aligned to
 * @page_size and to the IOAS; EOVERFLOW if it wraps around; EFAULT if the bitmap
 * cannot be written.
 *
 * A page of the IOMMU that lies in the range only in part is reported, and again next
 * time: whole mappings are the best ranges. Unmapping forgets. To lose nothing, see
 * that devices write no more, read with NO_CLEAR, then unmap.
 */
struct iommukit_hwpt_get_dirty_bitmap {
	__u32 size;
	__u32 hwpt_id;
	__u32 flags;
	__u32 __reserved;
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 page_size;
	__aligned_u64 data;
};
#define IOMMUKIT_HWPT_GET_DIRTY_BITMAP \
	_IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_HWPT_GET_DIRTY_BITMAP)

/**
 * enum iommukit_hwpt_invalidate_data_type - What data_uptr of HWPT_INVALIDATE is
 * @IOMMUKIT_HWPT_INVALIDATE_DATA_VTD_S1: Requests of Intel VT-d
 */
enum iommukit_hwpt_invalidate_data_type {
	IOMMUKIT_HWPT_INVALIDATE_DATA_VTD_S1 = 0,
};

/**
 * struct iommukit_hwpt_invalidate - ioctl(IOMMUKIT_HWPT_INVALIDATE)
 * @size: sizeof(struct iommukit_hwpt_invalidate)
 * @hwpt_id: A nested HWPT
 * @data_uptr: Array of requests
 * @data_type: What they are, enum iommukit_hwpt_invalidate_data_type
 * @entry_len: Bytes of each
 * @entry_num: In: how many. Out, also on failure: how many were carried out
 * @__reserved: Must be 0
 *
 * Let devices look again at nested tables that were changed. Requests are carried
 * out one after the other up to the first that is bad. None asks whether the type is
 * known (EINVAL).
 */
struct iommukit_hwpt_invalidate {
	__u32 size;
	__u32 hwpt_id;
	__aligned_u64 data_uptr;
	__u32 data_type;
	__u32 entry_len;
	__u32 entry_num;
	__u32 __reserved;
};
#define IOMMUKIT_HWPT_INVALIDATE _IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_HWPT_INVALIDATE)

/**
 * enum iommukit_hwpt_pgfault_flags - Flags of a page fault
 * @IOMMUKIT_PGFAULT_FLAGS_PASID_VALID: It has a PASID
 * @IOMMUKIT_PGFAULT_FLAGS_LAST_PAGE: It is the last one of its group
 */
enum iommukit_hwpt_pgfault_flags {
	IOMMUKIT_PGFAULT_FLAGS_PASID_VALID = 1 << 0,
	IOMMUKIT_PGFAULT_FLAGS_LAST_PAGE = 1 << 1,
};

/**
 * enum iommukit_hwpt_pgfault_perm - What the device wants
 * @IOMMUKIT_PGFAULT_PERM_READ: Read
 * @IOMMUKIT_PGFAULT_PERM_WRITE: Write
 * @IOMMUKIT_PGFAULT_PERM_EXEC: Execute, with a PASID
 * @IOMMUKIT_PGFAULT_PERM_PRIV: As a privileged user, with a PASID
 */
enum iommukit_hwpt_pgfault_perm {
	IOMMUKIT_PGFAULT_PERM_READ = 1 << 0,
	IOMMUKIT_PGFAULT_PERM_WRITE = 1 << 1,
	IOMMUKIT_PGFAULT_PERM_EXEC = 1 << 2,
	IOMMUKIT_PGFAULT_PERM_PRIV = 1 << 3,
};

/**
 * struct iommukit_hwpt_pgfault - What read() of a fault queue gives
 * @flags: Combination of enum iommukit_hwpt_pgfault_flags
 * @dev_id: The device
 * @pasid: Its PASID, if valid
 * @grpid: The device's own number of the group
 * @perm: Combination of enum iommukit_hwpt_pgfault_perm
 * @__reserved: 0
 * @addr: The address
 * @length: 0: not known
 * @cookie: For the response; the same in all faults of a group
 */
struct iommukit_hwpt_pgfault {
	__u32 flags;
	__u32 dev_id;
	__u32 pasid;
	__u32 grpid;
	__u32 perm;
	__u32 __reserved;
	__aligned_u64 addr;
	__u32 length;
	__u32 cookie;
};

/**
 * enum iommukit_page_response_code - Answers to a group of page faults
 * @IOMMUKIT_PAGE_RESP_SUCCESS: Try again
 * @IOMMUKIT_PAGE_RESP_INVALID: There is nothing
 */
enum iommukit_page_response_code {
	IOMMUKIT_PAGE_RESP_SUCCESS = 0,
	IOMMUKIT_PAGE_RESP_INVALID = 1,
};

/**
 * struct iommukit_hwpt_page_response - What write() of a fault queue takes
 * @cookie: Of the group
 * @code: enum iommukit_page_response_code
 */
struct iommukit_hwpt_page_response {
	__u32 cookie;
	__u32 code;
};

/**
 * struct iommukit_fault_alloc - ioctl(IOMMUKIT_FAULT_QUEUE_ALLOC)
 * @size: sizeof(struct iommukit_fault_alloc)
 * @flags: Must be 0
 * @out_fault_id: Output id of the new object
 * @out_fault_fd: Output file descriptor of the queue
 *
 * Create a queue for page faults of devices attached to HWPTs made with it.
 *
 * read() gives whole groups of struct iommukit_hwpt_pgfault, as many as fit, and 0 if
 * there is none; it does not wait, poll() does. EINVAL if not even the first group
 * fits, ESPIPE if the size is not a multiple of the structure's. write() takes
 * struct iommukit_hwpt_page_response, one for each group, up to the first that is bad
 * (EINVAL if that is the first). Groups of a device that is detached or moved to
 * another HWPT are answered INVALID by the kernel, and their cookies are void.
 *
 * Devices on a HWPT without a queue have the kernel answer: see "On-demand mappings".
 *
 * The object can be destroyed when its descriptor is closed and no HWPT uses it.
 */
struct iommukit_fault_alloc {
	__u32 size;
	__u32 flags;
	__u32 out_fault_id;
	__u32 out_fault_fd;
};
#define IOMMUKIT_FAULT_QUEUE_ALLOC \
	_IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_FAULT_QUEUE_ALLOC)

#endif /* _UAPI_LINUX_IOMMUKIT_HWPT_H */

/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * ABI of iommukit_test.ko: IOMMUKIT_TEST_CMD on the main device. Numbers and
 * layout are those of /dev/iommu's test command, so that its test suite runs.
 * Not for programs: nothing here is stable.
 */
#ifndef _IOMMUKIT_TEST_ABI_H
#define _IOMMUKIT_TEST_ABI_H

/**
 * DOC: Fault injection
 *
 * Each open of debugfs's iommukit_test/fail_nth is an injector. Writing n to it
 * lets the n-th point fail that the writing task hits from then on, once; 0
 * disarms it. A point is a place in the core that can fail:
 *
 *	ENOENT	an object is looked up by its id
 *	ENOMEM	anything is allocated, a temporary buffer for instance, or pinned
 *		pages are charged
 *	EFAULT	pages of user space or of a file are got, each step of it; the
 *		response of a command is written back
 *	EINVAL	a segment of pinned pages is stored; a copy inside one page takes
 *		the slow path
 *
 * Reading gives "LEFT ERROR WHERE": the points left, 0 if one failed; the
 * positive errno of that one, or 0; its place in the code. So a sweep arms 1, 2,
 * 3, ... around a call until LEFT is not 0 after it: the call has no more points.
 *
 * Closing the file disarms it, and so the end of its process. Kernel threads
 * that work for the task are not injected into, nor is the way of a command that
 * ends something: UNMAP and DESTROY can be refused, but not fail half way. As
 * ever, an answer that cannot be written is EFAULT with everything done.
 */

#include <linux/ioctl.h>
#include <linux/types.h>

/* Ops of this module; the numbers between belong to mock devices. */
enum {
	IOMMUKIT_TEST_OP_ADD_RESERVED = 1,
	IOMMUKIT_TEST_OP_MOCK_DOMAIN = 2,
	IOMMUKIT_TEST_OP_MD_CHECK_MAP = 3,
	IOMMUKIT_TEST_OP_MD_CHECK_REFS = 4,
	IOMMUKIT_TEST_OP_CREATE_ACCESS = 5,
	IOMMUKIT_TEST_OP_DESTROY_ACCESS_PAGES = 6,
	IOMMUKIT_TEST_OP_ACCESS_PAGES = 7,
	IOMMUKIT_TEST_OP_ACCESS_RW = 8,
	IOMMUKIT_TEST_OP_SET_TEMP_MEMORY_LIMIT = 9,
	IOMMUKIT_TEST_OP_MOCK_DOMAIN_REPLACE = 10,
	IOMMUKIT_TEST_OP_ACCESS_REPLACE_IOAS = 11,
	IOMMUKIT_TEST_OP_MOCK_DOMAIN_FLAGS = 12,
	IOMMUKIT_TEST_OP_DIRTY = 13,
	IOMMUKIT_TEST_OP_MD_CHECK_IOTLB = 14,
	IOMMUKIT_TEST_OP_TRIGGER_IOPF = 15,

	/*
	 * Not of /dev/iommu: what its test command cannot reach. @id is an
	 * access fd of either create op, except for ACCESS_CREATE.
	 */
	IOMMUKIT_TEST_OP_EXT_BASE = 0x100,
	/* @id is an IOAS, or 0 for an access that is not attached yet */
	IOMMUKIT_TEST_OP_ACCESS_CREATE = 0x100,
	/* How its unmap callback behaves from now on */
	IOMMUKIT_TEST_OP_ACCESS_BEHAVIOUR = 0x101,
	/* What its unmap callback has seen */
	IOMMUKIT_TEST_OP_ACCESS_STATS = 0x102,
	/* The calls of the kAPI, misuse included: the core warns of that */
	IOMMUKIT_TEST_OP_ACCESS_ATTACH = 0x103,
	IOMMUKIT_TEST_OP_ACCESS_DETACH = 0x104,
	/* As ACCESS_RW; flags unchecked, optionally from a kernel thread */
	IOMMUKIT_TEST_OP_ACCESS_RW_RAW = 0x105,
	/* As ACCESS_PAGES; flags unchecked, also without NEEDS_PIN_PAGES */
	IOMMUKIT_TEST_OP_ACCESS_PAGES_RAW = 0x106,
	/* iommukit_ctx_from_fd(@id): 0 or its errno */
	IOMMUKIT_TEST_OP_CTX_FROM_FD = 0x107,
	/* Unpins a range behind the back of the items, as misuse does */
	IOMMUKIT_TEST_OP_ACCESS_UNPIN_RAW = 0x108,
	/* Pins a range without the lock and without an item: UNPIN_RAW undoes it */
	IOMMUKIT_TEST_OP_ACCESS_PIN_RAW = 0x109,

	/* Without @id: the life of an IOVA bitmap, see below */
	IOMMUKIT_TEST_OP_BITMAP = 0x110,

	/*
	 * A software domain, which lasts as long as its fd; @id is that, except
	 * for DOMAIN_CREATE. The calls are those of struct domain_ops, and the
	 * errnos theirs.
	 */
	IOMMUKIT_TEST_OP_DOMAIN_CREATE = 0x120,
	/* Maps run by run what is at @address; on failure nothing stays */
	IOMMUKIT_TEST_OP_DOMAIN_MAP = 0x121,
	/* Unmaps, syncs and unpins what was mapped in the range */
	IOMMUKIT_TEST_OP_DOMAIN_UNMAP = 0x122,
	/* Does the range lead to what is at @address? EINVAL says no */
	IOMMUKIT_TEST_OP_DOMAIN_CHECK = 0x123,
	/* What a device may do: the errno of a translation */
	IOMMUKIT_TEST_OP_DOMAIN_TRANSLATE = 0x124,
	/* A device's copy between the range and @uptr, made @times + 1 times */
	IOMMUKIT_TEST_OP_DOMAIN_RW = 0x125,
	IOMMUKIT_TEST_OP_DOMAIN_SET_DIRTY_TRACKING = 0x126,
	/*
	 * Writes at most @max records to @uptr, and the number of them even if
	 * it fails. If there are more, recording fails with ENOSPC.
	 */
	IOMMUKIT_TEST_OP_DOMAIN_READ_DIRTY = 0x127,
	/*
	 * Two threads, without a system call in between: CHASE fills the page at
	 * @iova, of which the last word is 1, 2, 3, ..., @last, and waits after every
	 * second time until that is the word at @uptr; ETIME if it takes a second.
	 * FOLLOW reads the mark of the page, and if there is one, the last word of
	 * the page, which it puts to @uptr; until it is @last.
	 */
	IOMMUKIT_TEST_OP_DOMAIN_CHASE = 0x128,
	IOMMUKIT_TEST_OP_DOMAIN_FOLLOW = 0x129,

	/* As MOCK_DOMAIN_FLAGS, with what its device cannot have */
	IOMMUKIT_TEST_OP_MOCK_CREATE = 0x130,
	/* As TRIGGER_IOPF: @count faults, @addr and pages behind it, as one group */
	IOMMUKIT_TEST_OP_MOCK_FAULTS = 0x131,
	/* What a mock device, @id, has seen */
	IOMMUKIT_TEST_OP_MOCK_STATS = 0x132,
	/* What a mock device, @id, lacks is found, as if it had asked for it */
	IOMMUKIT_TEST_OP_MOCK_FAULT = 0x133,
	/* Without @id: how domains of DEVICE_FAULTS unmap from now on */
	IOMMUKIT_TEST_OP_MOCK_UNMAP_HOW = 0x134,
	/* A mock device, @id, reports a group of faults, as often as it is told */
	IOMMUKIT_TEST_OP_MOCK_REPORT = 0x135,
	/* Waits until @id waits for no more than so many answers; ETIME after a minute */
	IOMMUKIT_TEST_OP_MOCK_AWAIT = 0x136,
	/* Its driver detaches @id, which is the last thing it does but for its end */
	IOMMUKIT_TEST_OP_MOCK_DETACH = 0x137,
	/* A mock device, @id, reads or writes up to a page, by what it is attached to */
	IOMMUKIT_TEST_OP_MOCK_RW = 0x138,
	/* Without @id: from now on no group of devices leaves what it is attached to */
	IOMMUKIT_TEST_OP_MOCK_CLING = 0x139,

	/*
	 * A client of the IOTLB @id, and its readers, which last as long as its fd;
	 * @id is that for the others. What they refuse themselves is EBADRQC.
	 */
	IOMMUKIT_TEST_OP_IOTLB_CLIENT_CREATE = 0x140,
	/* How its invalidate callback and its close behave from now on */
	IOMMUKIT_TEST_OP_IOTLB_BEHAVIOUR = 0x141,
	IOMMUKIT_TEST_OP_IOTLB_CANCEL = 0x142,
	/* What its callbacks have seen, and its counters */
	IOMMUKIT_TEST_OP_IOTLB_STATS = 0x143,
	IOMMUKIT_TEST_OP_IOTLB_PREFETCH = 0x144,
	IOMMUKIT_TEST_OP_IOTLB_READER_CREATE = 0x145,
	IOMMUKIT_TEST_OP_IOTLB_READER_DESTROY = 0x146,
	/* kthread_stop() of a reader's thread, which does what was begun before */
	IOMMUKIT_TEST_OP_IOTLB_READER_STOP = 0x147,
	/* A reader does something, see below */
	IOMMUKIT_TEST_OP_IOTLB_RUN = 0x148,

	/* Without @id: trouble for whoever resolves on-demand pages, see below */
	IOMMUKIT_TEST_OP_ONDEMAND_TROUBLE = 0x150,
};

enum {
	IOMMUKIT_TEST_ACCESS_WRITE = 1 << 0,
	IOMMUKIT_TEST_ACCESS_RW_WRITE = 1 << 0,
	IOMMUKIT_TEST_ACCESS_RW_SLOW_PATH = 1 << 2,
	IOMMUKIT_TEST_ACCESS_CREATE_NEEDS_PIN_PAGES = 1 << 0,

	/* ACCESS_CREATE, beside NEEDS_PIN_PAGES: the driver has no callback */
	IOMMUKIT_TEST_ACCESS_CREATE_NO_UNMAP = 1 << 1,
	/* ACCESS_CREATE: created attached, in one call, not in two */
	IOMMUKIT_TEST_ACCESS_CREATE_ATTACHED = 1 << 2,

	/*
	 * ACCESS_BEHAVIOUR: the callback of an unmap releases nothing; items
	 * stay until DESTROY_ACCESS_PAGES or close. Leaving an IOAS releases
	 * them nevertheless, or they were lost for good.
	 */
	IOMMUKIT_TEST_ACCESS_STUBBORN = 1 << 0,

	/* ACCESS_RW_RAW: from a kernel thread without an mm */
	IOMMUKIT_TEST_ACCESS_FROM_KTHREAD = 1 << 0,

	/* DOMAIN_MAP, TRANSLATE, RW: permissions */
	IOMMUKIT_TEST_DOMAIN_READ = 1 << 0,
	IOMMUKIT_TEST_DOMAIN_WRITE = 1 << 1,

	/* DOMAIN_CREATE: dirty tracking will not be switched on */
	IOMMUKIT_TEST_DOMAIN_NO_DIRTY = 1 << 0,

	/* DOMAIN_MAP, CHECK: @address is ... */
	/* ... an address of the caller, whose pages are pinned meanwhile */
	IOMMUKIT_TEST_DOMAIN_USER = 0,
	/* ... an offset in 2 MiB that the domain has in one piece */
	IOMMUKIT_TEST_DOMAIN_BUFFER = 1,
	/* ... a physical address, which need not exist: no DOMAIN_RW any more */
	IOMMUKIT_TEST_DOMAIN_PHYS = 2,

	/* DOMAIN_MAP, UNMAP: by as many calls as there are smallest pages */
	IOMMUKIT_TEST_DOMAIN_BY_PAGE = 1 << 0,
	/* DOMAIN_UNMAP: pages of the caller are zeroed at once after the sync */
	IOMMUKIT_TEST_DOMAIN_WIPE = 1 << 1,

	/* DOMAIN_READ_DIRTY */
	IOMMUKIT_TEST_DOMAIN_NO_CLEAR = 1 << 0,
	/* Only clears, without a record function */
	IOMMUKIT_TEST_DOMAIN_NO_RECORD = 1 << 1,

	/* IOTLB_CLIENT_CREATE: the driver lacks that callback, or has none at all */
	IOMMUKIT_TEST_IOTLB_NO_INVALIDATE = 1 << 0,
	IOMMUKIT_TEST_IOTLB_NO_RESUME = 1 << 1,
	IOMMUKIT_TEST_IOTLB_NO_STAGE2_UNMAP = 1 << 2,
	IOMMUKIT_TEST_IOTLB_NO_OPS = 1 << 3,

	/* IOTLB_BEHAVIOUR: the invalidate callback waits until this is not set */
	IOMMUKIT_TEST_IOTLB_HOLD = 1 << 0,
	/* Closing the client does not cancel before it ends the readers' threads */
	IOMMUKIT_TEST_IOTLB_NO_CANCEL = 1 << 1,

	/* IOTLB_READER_CREATE, beside flags of the kAPI: it has a kernel thread */
	IOMMUKIT_TEST_IOTLB_THREAD = 1 << 16,

	/* ONDEMAND_TROUBLE, each for all mappings, until set to 0: */
	/* each copy of present pages holds its lock for so many milliseconds more */
	IOMMUKIT_TEST_ONDEMAND_HOLD_MS = 0,
	/* the next so many times that pages were found, the memory seems to have changed */
	IOMMUKIT_TEST_ONDEMAND_RETRIES = 1,
	/* the next so many times that pages are looked for, there is no memory for it */
	IOMMUKIT_TEST_ONDEMAND_NOMEM = 2,
	/* a device waits so many milliseconds for a page, rather than 1000 */
	IOMMUKIT_TEST_ONDEMAND_PATIENCE_MS = 3,
};

/* MOCK_REPORT: a page that a mock device asks for, as struct iommukit_hwpt_pgfault */
struct iommukit_test_page_fault {
	__aligned_u64 addr;
	__u32 perm;
	__u32 flags;
};

/* Flags of MOCK_REPORT: out of an interrupt */
#define IOMMUKIT_TEST_REPORT_IRQ 1U

#define IOMMUKIT_TEST_REPORT_MAX 64U

/* What was written, as read_dirty recorded it */
struct iommukit_test_dirty {
	__aligned_u64 iova;
	__aligned_u64 length;
};

/* Flags of a mock device */
enum {
	IOMMUKIT_TEST_DEVICE_NO_DIRTY = 1 << 0,
	IOMMUKIT_TEST_DEVICE_HUGE_IOVA = 1 << 1,
	IOMMUKIT_TEST_DEVICE_PASID = 1 << 2,

	/* MOCK_CREATE: [first, last] is not translated */
	IOMMUKIT_TEST_DEVICE_REGION = 1 << 16,
	/* The same, but for interrupts of the device, wherever they have to go */
	IOMMUKIT_TEST_DEVICE_SW_MSI = 1 << 17,
	/* Its domains keep the last page of what is unmapped */
	IOMMUKIT_TEST_DEVICE_KEEPS = 1 << 18,
	/* It asks for what is not mapped, and waits for it */
	IOMMUKIT_TEST_DEVICE_FAULTS = 1 << 19,
};

enum {
	IOMMUKIT_TEST_UNMAP_AS_ASKED = 0,
	/* Also what follows, up to the next multiple of 2 MiB or hole */
	IOMMUKIT_TEST_UNMAP_MORE = 1,
	/* One page of the kernel, if it was more */
	IOMMUKIT_TEST_UNMAP_LESS = 2,
	IOMMUKIT_TEST_UNMAP_NOTHING = 3,
};

/* What GET_HW_INFO says of a mock device */
#define IOMMUKIT_TEST_HW_INFO_TYPE 0xfeedbeefU
#define IOMMUKIT_TEST_HW_INFO_REGVAL 0xdeadbeefU
#define IOMMUKIT_TEST_PASID_WIDTH 20

struct iommukit_test_hw_info {
	__u32 flags;
	__u32 test_reg;
};

/* Data of a nested HWPT: what its cache is filled with */
#define IOMMUKIT_TEST_HWPT_DATA_TYPE 0xdeadU
#define IOMMUKIT_TEST_IOTLB_DEFAULT 0x0badbeefU
#define IOMMUKIT_TEST_IOTLB_NUM 4

struct iommukit_test_hwpt {
	__u32 iotlb;
};

/* Requests of HWPT_INVALIDATE: zero one entry of the cache, or all */
#define IOMMUKIT_TEST_INVALIDATE_TYPE 0xdeadbeefU
#define IOMMUKIT_TEST_INVALIDATE_ALL (1U << 0)

struct iommukit_test_invalidate {
	__u32 flags;
	__u32 iotlb_id;
};

/* What a mock domain can map, in pages of half of the kernel's */
#define IOMMUKIT_TEST_APERTURE_FIRST 0x01000000UL
#define IOMMUKIT_TEST_APERTURE_LAST 0x7fffffffUL

#define IOMMUKIT_TEST_ACCESS_LENGTH_MAX (16U << 20)
#define IOMMUKIT_TEST_TEMP_MEMORY_DEFAULT 65536U
#define IOMMUKIT_TEST_TEMP_MEMORY_MIN 12U

struct iommukit_test_cmd {
	__u32 size;
	__u32 op;
	__u32 id;
	__u32 __reserved;
	union {
		struct {
			__aligned_u64 start;
			__aligned_u64 length;
		} add_reserved;
		struct {
			__u32 out_stdev_id;
			__u32 out_hwpt_id;
			__u32 out_idev_id;
			__u32 dev_flags;
		} mock_domain;
		struct {
			__u32 pt_id;
		} mock_domain_replace;
		struct {
			__aligned_u64 iova;
			__aligned_u64 length;
			__aligned_u64 uptr;
		} check_map;
		struct {
			__aligned_u64 length;
			__aligned_u64 uptr;
			__u32 refs;
		} check_refs;
		struct {
			__u32 out_access_fd;
			__u32 flags;
		} create_access;
		struct {
			__u32 access_pages_id;
		} destroy_access_pages;
		struct {
			__u32 flags;
			__aligned_u64 iova;
			__aligned_u64 length;
			__aligned_u64 page_size;
			__aligned_u64 uptr;
			__aligned_u64 out_nr_dirty;
		} dirty;
		struct {
			__u32 id;
			__u32 iotlb;
		} check_iotlb;
		struct {
			__u32 what;
			__u32 value;
		} ondemand_trouble;
		struct {
			__u32 dev_id;
			__u32 pasid;
			__u32 grpid;
			__u32 perm;
			__aligned_u64 addr;
			/* MOCK_FAULTS, 1 to 8 */
			__u32 count;
		} trigger_iopf;
		struct {
			__u32 out_stdev_id;
			__u32 out_hwpt_id;
			__u32 out_idev_id;
			__u32 dev_flags;
			/* A mock device whose group it joins, or 0 */
			__u32 sibling;
			__u32 __reserved;
			__aligned_u64 first;
			__aligned_u64 last;
		} mock_create;
		struct {
			/* Groups of faults that were answered like that */
			__u32 out_success;
			__u32 out_invalid;
			/* Of its group: how often it got another domain, or none */
			__u32 out_switches;
			/* ... whether it has one */
			__u32 out_attached;
			/* ... how often a domain was prepared for interrupts */
			__u32 out_msi;
			/* Groups of faults that were answered by a failure */
			__u32 out_failure;
			/* Groups that were not taken: the device is to ask again */
			__u32 out_again;
		} mock_stats;
		struct {
			__aligned_u64 iova;
			__aligned_u64 length;
			__u32 write;
		} mock_fault;
		struct {
			__u32 how;
		} mock_unmap_how;
		struct {
			/* struct iommukit_test_page_fault */
			__aligned_u64 uptr;
			/* How many, 1 to IOMMUKIT_TEST_REPORT_MAX */
			__u32 nr;
			/* Number of reports */
			__u32 times;
			__u32 flags;
		} mock_report;
		struct {
			__u32 pending;
		} mock_await;
		struct {
			__aligned_u64 iova;
			__aligned_u64 length;
			__aligned_u64 uptr;
			__u32 write;
		} mock_rw;
		struct {
			__u32 on;
		} mock_cling;
		struct {
			__u32 flags;
			__u32 out_access_pages_id;
			__aligned_u64 iova;
			__aligned_u64 length;
			__aligned_u64 uptr;
		} access_pages;
		struct {
			__aligned_u64 iova;
			__aligned_u64 length;
			__aligned_u64 uptr;
			__u32 flags;
		} access_rw;
		struct {
			__u32 limit;
		} memory_limit;
		struct {
			__u32 ioas_id;
		} access_replace_ioas;
		struct {
			__u32 out_access_fd;
			__u32 flags;
			__u32 out_access_id;
		} access_create;
		struct {
			__u32 flags;
			/* Slept in each callback before anything is unpinned */
			__u32 delay_ms;
		} access_behaviour;
		struct {
			/* Calls; of these, running now; most at a time */
			__u32 out_calls;
			__u32 out_running;
			__u32 out_max_running;
			/* Items pinned now */
			__u32 out_items;
			/* Arguments of the latest call */
			__aligned_u64 out_last_iova;
			__aligned_u64 out_last_length;
		} access_stats;
		struct {
			__u32 ioas_id;
		} access_attach;
		struct {
			__aligned_u64 iova;
			__aligned_u64 length;
			__aligned_u64 uptr;
			/* For the kAPI as they are */
			__u32 rw_flags;
			__u32 how;
		} access_rw_raw;
		struct {
			__aligned_u64 iova;
			__aligned_u64 length;
		} access_unpin_raw;
		struct {
			__aligned_u64 iova;
			__aligned_u64 length;
		} access_pin_raw;
		struct {
			/* struct iommukit_test_bitmap */
			__aligned_u64 uptr;
		} bitmap;
		struct {
			__aligned_u64 page_sizes;
			__aligned_u64 first;
			__aligned_u64 last;
			__u32 out_fd;
			__u32 flags;
		} domain_create;
		struct {
			__aligned_u64 iova;
			__aligned_u64 length;
			__aligned_u64 address;
			__u32 source;
			__u32 prot;
			__u32 flags;
		} domain_map;
		struct {
			__aligned_u64 iova;
			__aligned_u64 length;
			__aligned_u64 out_unmapped;
			__u32 flags;
		} domain_unmap;
		struct {
			__aligned_u64 iova;
			__aligned_u64 length;
			__aligned_u64 uptr;
			__u32 prot;
			__u32 times;
		} domain_rw;
		struct {
			__u32 on;
		} domain_dirty_tracking;
		struct {
			__aligned_u64 iova;
			__aligned_u64 length;
			__aligned_u64 uptr;
			__u32 flags;
			__u32 max;
			__u32 out_nr;
		} domain_read_dirty;
		struct {
			__aligned_u64 iova;
			__aligned_u64 uptr;
			__aligned_u64 last;
		} domain_chase;
		struct {
			__u32 asid;
			__u32 flags;
			__u32 out_fd;
		} iotlb_client_create;
		struct {
			__u32 flags;
			/* Slept in each invalidate callback */
			__u32 delay_ms;
		} iotlb_behaviour;
		struct {
			/* Else uncancel */
			__u32 on;
		} iotlb_cancel;
		struct {
			/* struct iommukit_test_iotlb_stats */
			__aligned_u64 uptr;
		} iotlb_stats;
		struct {
			/* Pairs of __u64: IOVA and length */
			__aligned_u64 uptr;
			__u32 count;
			__u32 prot;
			__u32 how;
			/* Of the kAPI */
			__s32 out_result;
		} iotlb_prefetch;
		struct {
			__u32 flags;
			__u32 out_reader;
		} iotlb_reader_create;
		struct {
			__u32 reader;
		} iotlb_reader;
		struct {
			/* struct iommukit_test_iotlb */
			__aligned_u64 uptr;
		} iotlb_run;
		__u64 __raw[6];
	};
	__u32 last;
};

#define IOMMUKIT_TEST_CMD _IO(';', 0xa0)

/**
 * DOC: IOVA bitmaps
 *
 * IOMMUKIT_TEST_OP_BITMAP makes a bitmap, performs the steps of a script with it,
 * and frees it. Its errno is that of making it, or of a script that makes no
 * sense; everything else is in the structure. Of a bitmap in kernel memory, that
 * memory is a copy of the caller's at @data, with what is around it, and is copied
 * back at the end.
 */

/* Bytes in front of and behind a bitmap in kernel memory that are copied as well */
#define IOMMUKIT_TEST_BITMAP_GUARD 64U
#define IOMMUKIT_TEST_BITMAP_STEPS_MAX 4096U
#define IOMMUKIT_TEST_BITMAP_BYTES_MAX (16U << 20)

/* What a step does; its result is the first that is not 0. */
enum {
	/* Records [iova, iova + length - 1], then @count - 1 more, @stride apart */
	IOMMUKIT_TEST_BITMAP_SET,
	/* The same under a spinlock */
	IOMMUKIT_TEST_BITMAP_SET_ATOMIC,
	/* The same in a kernel thread */
	IOMMUKIT_TEST_BITMAP_SET_KTHREAD,
	/* The same, every other record in a kernel thread at the same time */
	IOMMUKIT_TEST_BITMAP_SET_PARALLEL,
	/* Records the @length bits at @uptr, each 1 << @stride bytes */
	IOMMUKIT_TEST_BITMAP_OR_BITS,
	/* Sets the u32 at @uptr to 1 and waits until it is 2 */
	IOMMUKIT_TEST_BITMAP_MEET,
	/* Iterates, which must be refused within an iteration */
	IOMMUKIT_TEST_BITMAP_ITERATE,
	/* Ends the callback, which returns @length */
	IOMMUKIT_TEST_BITMAP_RETURN,
};

/* When: else the number of the callback, from 1 on */
enum {
	IOMMUKIT_TEST_BITMAP_BEFORE = 0,
	IOMMUKIT_TEST_BITMAP_AFTER = 0x7fffffff,
};

struct iommukit_test_bitmap_step {
	__u32 what;
	__u32 when;
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 stride;
	__aligned_u64 uptr;
	__u32 count;
	__s32 out_result;
};

/* A callback, or what was not delivered */
struct iommukit_test_bitmap_call {
	__aligned_u64 iova;
	__aligned_u64 length;
	__u32 undelivered;
	__u32 __reserved;
};

enum {
	/* There is no iteration: the steps before and after follow each other */
	IOMMUKIT_TEST_BITMAP_NO_EACH = 1 << 0,
	/* The bitmap has a function for what is not delivered */
	IOMMUKIT_TEST_BITMAP_UNDELIVERED = 1 << 1,
	/* A kernel thread makes it */
	IOMMUKIT_TEST_BITMAP_KTHREAD = 1 << 2,
	/* It is said to be at @data, though it is in kernel memory */
	IOMMUKIT_TEST_BITMAP_BOTH = 1 << 3,
};

struct iommukit_test_bitmap {
	/* For the kAPI as they are */
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 page_size;
	__aligned_u64 data;
	__aligned_u64 kbuf_bytes;
	__u32 flags;
	__u32 window_pages;

	__aligned_u64 steps;
	__u32 nsteps;
	__u32 how;
	/* Room for this many calls; all are counted */
	__aligned_u64 calls;
	__u32 ncalls;
	__u32 out_ncalls;

	/* Of the iteration; 0 if there is none */
	__s32 out_result;
	/* The sticky error at the end */
	__s32 out_error;
	__aligned_u64 out_windows;
	__aligned_u64 out_pages;
	__aligned_u64 out_clipped;
};

#endif /* _IOMMUKIT_TEST_ABI_H */

/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Who has opened /dev/iommukit, what objects there are, and what becomes of them,
 * as seen from any process of the initial network namespace. Requests are checked
 * strictly, and every refusal says why. Contexts and objects can be read by
 * everybody. What is mapped where, and what an IOTLB translates, needs
 * CAP_SYS_ADMIN: an IOVA is often the address in the process. To listen to events
 * needs CAP_NET_ADMIN, though those of failures name IOVA, and to those of
 * mappings CAP_SYS_ADMIN.
 *
 * Made from Documentation/netlink/iommukit.yaml by scripts/netlink-spec.
 */
#ifndef _UAPI_LINUX_IOMMUKIT_NETLINK_H
#define _UAPI_LINUX_IOMMUKIT_NETLINK_H

#define IOMMUKIT_FAMILY_NAME "iommukit"
#define IOMMUKIT_FAMILY_VERSION 1

/* Where the pages are counted that the owner of a context lets be pinned. */
enum iommukit_nl_account {
	/* nowhere, for the owner has CAP_IPC_LOCK */
	IOMMUKIT_NL_ACCOUNT_NONE = 0,
	/* with those of the user, against RLIMIT_MEMLOCK */
	IOMMUKIT_NL_ACCOUNT_USER,
	/* with those of the address space, against RLIMIT_MEMLOCK */
	IOMMUKIT_NL_ACCOUNT_MM,
};

/* Why on-demand memory is of no use any more. */
enum iommukit_nl_od_reason {
	/* an IO page table did not let go of pages; they are kept from others */
	IOMMUKIT_NL_OD_REASON_UNMAP = 1,
};

/* What an area is, and what may be done with it. */
enum iommukit_nl_area_flags {
	/* devices may read */
	IOMMUKIT_NL_AREA_READABLE = 1 << 0,
	/* devices may write */
	IOMMUKIT_NL_AREA_WRITEABLE = 1 << 1,
	/* nothing of it is pinned; pages come when they are used */
	IOMMUKIT_NL_AREA_ONDEMAND = 1 << 2,
	/* its pages are those of a file, not of a process */
	IOMMUKIT_NL_AREA_FILE = 1 << 3,
	/* on demand, and of no use any more */
	IOMMUKIT_NL_AREA_DEAD = 1 << 4,
};

/* What an IO page table is. */
enum iommukit_nl_hwpt_flags {
	/* made for a device that was attached to an IOAS, and goes with the last */
	IOMMUKIT_NL_HWPT_AUTO = 1 << 0,
	/* dirty tracking is on */
	IOMMUKIT_NL_HWPT_DIRTY_TRACKING = 1 << 1,
	/* others may be nested in it */
	IOMMUKIT_NL_HWPT_NEST_PARENT = 1 << 2,
	/* it did not let go of pages */
	IOMMUKIT_NL_HWPT_DEAD = 1 << 3,
};

/* Who translates by an IO page table. */
enum iommukit_nl_domain {
	/* an IOMMU */
	IOMMUKIT_NL_DOMAIN_HARDWARE = 1,
	/* a table of the kernel */
	IOMMUKIT_NL_DOMAIN_SOFTWARE,
	/* the driver of the device, with a table of its own */
	IOMMUKIT_NL_DOMAIN_DRIVER,
};

/* An open file of /dev/iommukit. */
enum iommukit_nl_a_context {
	IOMMUKIT_NL_A_CONTEXT_PAD = 1,
	/* number of the context, not used again before all others had their turn */
	IOMMUKIT_NL_A_CONTEXT_ID,
	/*
	 * the process that opened it, in the PID namespace of the reader, and absent if
	 * it is not seen from there; in events, in the initial one
	 */
	IOMMUKIT_NL_A_CONTEXT_PID,
	/* what that process was called then */
	IOMMUKIT_NL_A_CONTEXT_COMM,
	/*
	 * its real user then, in the user namespace of the reader; in events, in the
	 * initial one
	 */
	IOMMUKIT_NL_A_CONTEXT_UID,
	/* milliseconds since then, including those of suspension */
	IOMMUKIT_NL_A_CONTEXT_AGE_MS,
	/* where pages would be counted that it had pinned now */
	IOMMUKIT_NL_A_CONTEXT_ACCOUNT,
	/* memory that is pinned for the context */
	IOMMUKIT_NL_A_CONTEXT_PINNED_BYTES,
	/*
	 * RLIMIT_MEMLOCK of the process in bytes, all ones if there is no limit; absent
	 * if the process has gone, or nothing is counted
	 */
	IOMMUKIT_NL_A_CONTEXT_MEMLOCK_LIMIT,
	/* how many bytes more may be pinned; absent as the limit is */
	IOMMUKIT_NL_A_CONTEXT_MEMLOCK_HEADROOM,
	/* number of objects in the context */
	IOMMUKIT_NL_A_CONTEXT_OBJECTS,
	/* how much more was to be pinned at once */
	IOMMUKIT_NL_A_CONTEXT_REFUSED_BYTES,

	__IOMMUKIT_NL_A_CONTEXT_MAX,
	IOMMUKIT_NL_A_CONTEXT_MAX = __IOMMUKIT_NL_A_CONTEXT_MAX - 1
};

/* An object in a context. */
enum iommukit_nl_a_object {
	/* number of the context */
	IOMMUKIT_NL_A_OBJECT_CONTEXT_ID = 1,
	/* id of the object, of use in that context only */
	IOMMUKIT_NL_A_OBJECT_ID,
	/* what it is, as ioas, hwpt, hwpt-nested, device, access, iotlb, fault-queue */
	IOMMUKIT_NL_A_OBJECT_TYPE,
	/* how many others use it, and keep it from being destroyed */
	IOMMUKIT_NL_A_OBJECT_USERS,
	/* if it is an IOAS */
	IOMMUKIT_NL_A_OBJECT_IOAS,
	/* if it is an IO page table */
	IOMMUKIT_NL_A_OBJECT_HWPT,
	/* if it is a device */
	IOMMUKIT_NL_A_OBJECT_DEVICE,
	/* if it is an access */
	IOMMUKIT_NL_A_OBJECT_ACCESS,
	/* if it is an IOTLB */
	IOMMUKIT_NL_A_OBJECT_IOTLB,
	/* if it is a fault queue */
	IOMMUKIT_NL_A_OBJECT_FAULT_QUEUE,

	__IOMMUKIT_NL_A_OBJECT_MAX,
	IOMMUKIT_NL_A_OBJECT_MAX = __IOMMUKIT_NL_A_OBJECT_MAX - 1
};

/* State of an IOAS. */
enum iommukit_nl_a_ioas {
	IOMMUKIT_NL_A_IOAS_PAD = 1,
	/* how many areas are mapped, or about to be */
	IOMMUKIT_NL_A_IOAS_AREAS,
	/* how many bytes are in them */
	IOMMUKIT_NL_A_IOAS_MAPPED_BYTES,
	/* how many IO page tables have what is mapped */
	IOMMUKIT_NL_A_IOAS_HWPTS,
	/* 1 if what accesses and software domains write is recorded, else 0 */
	IOMMUKIT_NL_A_IOAS_DIRTY_TRACKING,
	/*
	 * how many pages were recorded since that is on; one that was read out, and is
	 * written again, counts again
	 */
	IOMMUKIT_NL_A_IOAS_DIRTIED_PAGES,
	/*
	 * how many pages, or runs of them, were asked for of on-demand memory that was
	 * mapped here first, wherever it was copied to
	 */
	IOMMUKIT_NL_A_IOAS_OD_FAULTS,
	/* how often such memory changed */
	IOMMUKIT_NL_A_IOAS_OD_INVALIDATIONS,

	__IOMMUKIT_NL_A_IOAS_MAX,
	IOMMUKIT_NL_A_IOAS_MAX = __IOMMUKIT_NL_A_IOAS_MAX - 1
};

/* State of an IO page table. */
enum iommukit_nl_a_hwpt {
	/* the IOAS it has the areas of; absent if it is nested */
	IOMMUKIT_NL_A_HWPT_IOAS_ID = 1,
	/* the HWPT it is nested in; absent if it is not */
	IOMMUKIT_NL_A_HWPT_PARENT_ID,
	/* who translates */
	IOMMUKIT_NL_A_HWPT_DOMAIN,
	/* what it is */
	IOMMUKIT_NL_A_HWPT_FLAGS,
	/* the fault queue of its devices; absent if there is none */
	IOMMUKIT_NL_A_HWPT_FAULT_ID,
	/* how many groups of devices use it */
	IOMMUKIT_NL_A_HWPT_DEVICES,

	__IOMMUKIT_NL_A_HWPT_MAX,
	IOMMUKIT_NL_A_HWPT_MAX = __IOMMUKIT_NL_A_HWPT_MAX - 1
};

/* State of a device. */
enum iommukit_nl_a_device {
	/* what the kernel calls it; absent if it is software */
	IOMMUKIT_NL_A_DEVICE_NAME = 1,
	/*
	 * the driver it is bound to, or the module that it is software of; absent if
	 * there is none
	 */
	IOMMUKIT_NL_A_DEVICE_DRIVER,
	/* number of its IOMMU group; absent if it is in none */
	IOMMUKIT_NL_A_DEVICE_IOMMU_GROUP,
	/* the HWPT it is attached to; absent if it is to none */
	IOMMUKIT_NL_A_DEVICE_HWPT_ID,
	/* faults of it that are not answered yet */
	IOMMUKIT_NL_A_DEVICE_OUTSTANDING_FAULTS,

	__IOMMUKIT_NL_A_DEVICE_MAX,
	IOMMUKIT_NL_A_DEVICE_MAX = __IOMMUKIT_NL_A_DEVICE_MAX - 1
};

/* State of an access. */
enum iommukit_nl_a_access {
	IOMMUKIT_NL_A_ACCESS_PAD = 1,
	/* the IOAS or IOTLB it is attached to; absent if it is to none */
	IOMMUKIT_NL_A_ACCESS_STAGE_ID,
	/* name of the module that made it */
	IOMMUKIT_NL_A_ACCESS_DRIVER,
	/* how many pins it has */
	IOMMUKIT_NL_A_ACCESS_PINS,
	/* how often it has read or written memory with success */
	IOMMUKIT_NL_A_ACCESS_COPIES,

	__IOMMUKIT_NL_A_ACCESS_MAX,
	IOMMUKIT_NL_A_ACCESS_MAX = __IOMMUKIT_NL_A_ACCESS_MAX - 1
};

/* State of an IOTLB. */
enum iommukit_nl_a_iotlb_state {
	/* the IOAS its entries lead to; absent if that is memory of its owner */
	IOMMUKIT_NL_A_IOTLB_STATE_IOAS_ID = 1,
	/* how many address spaces it has */
	IOMMUKIT_NL_A_IOTLB_STATE_ASIDS,
	/* 1 if misses have somebody who answers them, else 0 */
	IOMMUKIT_NL_A_IOTLB_STATE_SERVER,
	/* how many entries it may have */
	IOMMUKIT_NL_A_IOTLB_STATE_MAX_ENTRIES,
	/*
	 * an array of u64, as IOMMUKIT_IOTLB_STATS gives it, but each of its own moment
	 */
	IOMMUKIT_NL_A_IOTLB_STATE_COUNTERS,

	__IOMMUKIT_NL_A_IOTLB_STATE_MAX,
	IOMMUKIT_NL_A_IOTLB_STATE_MAX = __IOMMUKIT_NL_A_IOTLB_STATE_MAX - 1
};

/* State of a fault queue. */
enum iommukit_nl_a_fault_queue {
	/* faults that nobody has read */
	IOMMUKIT_NL_A_FAULT_QUEUE_UNREAD = 1,
	/* faults that were read and not answered yet */
	IOMMUKIT_NL_A_FAULT_QUEUE_UNANSWERED,

	__IOMMUKIT_NL_A_FAULT_QUEUE_MAX,
	IOMMUKIT_NL_A_FAULT_QUEUE_MAX = __IOMMUKIT_NL_A_FAULT_QUEUE_MAX - 1
};

/* An area of an IOAS. */
enum iommukit_nl_a_area {
	IOMMUKIT_NL_A_AREA_PAD = 1,
	/* number of the context */
	IOMMUKIT_NL_A_AREA_CONTEXT_ID,
	/* the IOAS */
	IOMMUKIT_NL_A_AREA_IOAS_ID,
	/* its first IOVA; in a request, areas that end before it are left out */
	IOMMUKIT_NL_A_AREA_IOVA,
	/* its last IOVA; in a request, areas that begin behind it are left out */
	IOMMUKIT_NL_A_AREA_LAST,
	/* what it is */
	IOMMUKIT_NL_A_AREA_FLAGS,
	/* where it is in the process that mapped it, or at which offset in the file */
	IOMMUKIT_NL_A_AREA_USER_ADDRESS,
	/*
	 * of an on-demand area, how much of its memory, wherever it is mapped, is
	 * reached without a fault; not in events, as what follows
	 */
	IOMMUKIT_NL_A_AREA_PRESENT_BYTES,
	/* of an on-demand area, an array of u64, as IOMMUKIT_ONDEMAND_QUERY gives it */
	IOMMUKIT_NL_A_AREA_COUNTERS,

	__IOMMUKIT_NL_A_AREA_MAX,
	IOMMUKIT_NL_A_AREA_MAX = __IOMMUKIT_NL_A_AREA_MAX - 1
};

/* A translation of an IOTLB. */
enum iommukit_nl_a_entry {
	IOMMUKIT_NL_A_ENTRY_PAD = 1,
	/* number of the context */
	IOMMUKIT_NL_A_ENTRY_CONTEXT_ID,
	/* the IOTLB */
	IOMMUKIT_NL_A_ENTRY_IOTLB_ID,
	/* the address space */
	IOMMUKIT_NL_A_ENTRY_ASID,
	/* first IOVA of the device */
	IOMMUKIT_NL_A_ENTRY_FIRST,
	/* last one */
	IOMMUKIT_NL_A_ENTRY_LAST,
	/* IOVA of the IOAS that the first one leads to */
	IOMMUKIT_NL_A_ENTRY_TARGET,
	/* 1 reading, 2 writing; 0 if it says that there is nothing */
	IOMMUKIT_NL_A_ENTRY_PERM,
	/* as in struct iommukit_iotlb_entry */
	IOMMUKIT_NL_A_ENTRY_FLAGS,

	__IOMMUKIT_NL_A_ENTRY_MAX,
	IOMMUKIT_NL_A_ENTRY_MAX = __IOMMUKIT_NL_A_ENTRY_MAX - 1
};

/* Something that happened to on-demand memory. */
enum iommukit_nl_a_ondemand {
	IOMMUKIT_NL_A_OD_PAD = 1,
	/* number of the context */
	IOMMUKIT_NL_A_OD_CONTEXT_ID,
	/* the IOAS that it was mapped in */
	IOMMUKIT_NL_A_OD_IOAS_ID,
	/* where */
	IOMMUKIT_NL_A_OD_IOVA,
	/* bytes that were mapped */
	IOMMUKIT_NL_A_OD_LENGTH,
	/* why it is of no use */
	IOMMUKIT_NL_A_OD_REASON,
	/* first IOVA that an IO page table was to let go of */
	IOMMUKIT_NL_A_OD_UNMAP_IOVA,
	/* how many bytes */
	IOMMUKIT_NL_A_OD_UNMAP_ASKED,
	/* how many it said that it did */
	IOMMUKIT_NL_A_OD_UNMAP_DONE,

	__IOMMUKIT_NL_A_OD_MAX,
	IOMMUKIT_NL_A_OD_MAX = __IOMMUKIT_NL_A_OD_MAX - 1
};

/* Something that happened to an IOTLB. */
enum iommukit_nl_a_iotlb {
	IOMMUKIT_NL_A_IOTLB_PAD = 1,
	/* number of the context */
	IOMMUKIT_NL_A_IOTLB_CONTEXT_ID,
	/* id of the IOTLB */
	IOMMUKIT_NL_A_IOTLB_ID,
	/* what its owner called it */
	IOMMUKIT_NL_A_IOTLB_USER_TAG,

	__IOMMUKIT_NL_A_IOTLB_MAX,
	IOMMUKIT_NL_A_IOTLB_MAX = __IOMMUKIT_NL_A_IOTLB_MAX - 1
};

/* Requests, answers and events. */
enum iommukit_nl_cmd {
	/* One context, or all of them. */
	IOMMUKIT_NL_CMD_CONTEXT_GET = 1,
	/* A context has come. */
	IOMMUKIT_NL_CMD_CONTEXT_NEW,
	/* A context has gone, after all of its objects. */
	IOMMUKIT_NL_CMD_CONTEXT_DEL,
	/* One object, all of a context, or all there are. */
	IOMMUKIT_NL_CMD_OBJECT_GET,
	/* An object has come. */
	IOMMUKIT_NL_CMD_OBJECT_NEW,
	/* An object is not found any more, and is about to end. */
	IOMMUKIT_NL_CMD_OBJECT_DEL,
	/* On-demand memory is of no use any more. */
	IOMMUKIT_NL_CMD_OD_DEAD,
	/* The process whose memory is mapped on demand has gone. */
	IOMMUKIT_NL_CMD_OD_MM_EXIT,
	/*
	 * An IO page table let go of more or less than was asked, for the first time.
	 * Memory that is not mapped on demand and was kept stays pinned until the
	 * module is unloaded.
	 */
	IOMMUKIT_NL_CMD_OD_UNMAP_ANOMALY,
	/* The server of an IOTLB has gone, and with it what it had not answered. */
	IOMMUKIT_NL_CMD_IOTLB_SERVER_LOST,
	/* All areas of an IOAS, or those in a range of IOVA, from low to high. */
	IOMMUKIT_NL_CMD_AREA_GET,
	/* Memory was mapped. */
	IOMMUKIT_NL_CMD_AREA_NEW,
	/* Memory is not mapped any more. */
	IOMMUKIT_NL_CMD_AREA_DEL,
	/* All translations of an IOTLB, or those of an address space of it. */
	IOMMUKIT_NL_CMD_ENTRY_GET,
	/* Memory was not pinned, for RLIMIT_MEMLOCK would have been exceeded. */
	IOMMUKIT_NL_CMD_CONTEXT_LIMIT,

	__IOMMUKIT_NL_CMD_MAX,
	IOMMUKIT_NL_CMD_MAX = __IOMMUKIT_NL_CMD_MAX - 1
};

#define IOMMUKIT_NL_MCGRP_EVENTS "events"
#define IOMMUKIT_NL_MCGRP_MAPPINGS "mappings"

#endif /* _UAPI_LINUX_IOMMUKIT_NETLINK_H */

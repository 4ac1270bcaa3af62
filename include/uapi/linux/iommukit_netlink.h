/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Who has opened /dev/iommukit, what objects there are, and what becomes of them,
 * as seen from any process of the initial network namespace. Requests are checked
 * strictly, and every refusal says why. Reading needs no privilege, and tells no
 * addresses; to listen to events, which name IOVA, needs CAP_NET_ADMIN.
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

	__IOMMUKIT_NL_A_OBJECT_MAX,
	IOMMUKIT_NL_A_OBJECT_MAX = __IOMMUKIT_NL_A_OBJECT_MAX - 1
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
	 */
	IOMMUKIT_NL_CMD_OD_UNMAP_ANOMALY,
	/* The server of an IOTLB has gone, and with it what it had not answered. */
	IOMMUKIT_NL_CMD_IOTLB_SERVER_LOST,

	__IOMMUKIT_NL_CMD_MAX,
	IOMMUKIT_NL_CMD_MAX = __IOMMUKIT_NL_CMD_MAX - 1
};

#define IOMMUKIT_NL_MCGRP_EVENTS "events"

#endif /* _UAPI_LINUX_IOMMUKIT_NETLINK_H */

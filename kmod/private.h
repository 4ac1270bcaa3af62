/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of iommukit.ko share: the context behind one open of
 * /dev/iommukit and the command being run on it.
 *
 * Locks, outermost first:
 *
 *   driver's lock       of the driver that calls in; see <linux/iommukit.h>
 *   access.lock         rwsem: what an access is attached to. Read by rw, pin and
 *                       unpin; written by attach, replace, detach. Never held over
 *                       an unmap callback, but over the faulting of rw and pin, and
 *                       over their waiting for the server of an IOTLB: a change
 *                       waits for those. The access of a client of an IOTLB is
 *                       inside that of the access which is the client.
 *   gate of a reader    as a lock: held by who uses translations of an IOTLB, over
 *                       the faulting of rw and pin; waited for by who invalidates,
 *                       without any lock
 *   iommukit_offer.lock mutex: who has a device that a driver offers. Taken by the
 *                       driver's remove, with the device's lock held, and by the
 *                       end of the device as an object. User memory is not touched
 *                       under it.
 *   iommukit_offer.change
 *                       mutex: one attach, replace or detach of such a device at a
 *                       time
 *   ioas.lock           mutex: one HWPT of an IOAS comes or goes at a time
 *   device_group.lock   mutex: which HWPT a group of devices uses
 *   claims_lock         mutex, inside iommukit_offer.lock: which IOMMU groups contexts
 *                       have; outside of the kernel's locks of groups
 *   group_claim.lock    mutex, inside device_group.lock: the domain of an IOMMU group;
 *                       as well
 *   iova_space.domains_lock
 *                       rwsem: which domains mirror a space. Read while areas
 *                       are put into them or taken out. No page is waited for
 *                       under it.
 *   iova_space.lock     rwsem: areas, allowed and reserved ranges, alignment.
 *                       Read by copy's source; written by whoever changes
 *                       them. Never held over an unmap callback. rw and pin
 *                       do without: they find areas under RCU and keep them by
 *                       their busy counts, and wait while one is being cut. Netlink's
 *                       dumps read some areas at a time; inside it: netlink's, to
 *                       tell what came and went.
 *   pages.lock          mutex: the pinned segments of one pages object. User
 *                       memory is never faulted in under it.
 *   mmap_lock           of the memory's owner. Under it, under locks of pages and of
 *                       file systems, and in the midst of any allocation that sleeps,
 *                       the kernel's notifications may come, which take:
 *   ondemand.lock       rwsem: the pages of on-demand memory that are known. Read over
 *                       a copy of up to 2 MiB, written when pages are entered or
 *                       forgotten. Neither memory nor user space is waited for under
 *                       it. To register memory, or to end that, no lock is held. The
 *                       owner of a domain that keeps pages is told under it, and has a
 *                       work do what comes of that.
 *
 *   iova_space.members  spinlock of the xarray: who is notified of unmaps.
 *                       Inside it:
 *   access.pins_lock    spinlock: the pins of one access
 *
 *   iotlb.wlock         mutex: the entries of an IOTLB. Neither user memory nor a gate
 *                       is waited for under it. Inside it:
 *   iotlb_channel.lock  spinlock, in interrupts as well, and in gates: misses, who waits
 *                       for them, and the server's ring and settings
 *   iotlb.clients_lock  spinlock: who is called back. Inside it:
 *   iotlb_space.readers_lock
 *                       spinlock: readers come and go
 *   access_stage.lock   spinlock: pins of an access through an IOTLB
 *
 *   ctx.objects         spinlock of the xarray: ids and both counts of objects,
 *                       and which one is marked. Objects are described under it:
 *                       inside it, for IOTLBs, iotlb_channel.lock, and
 *                       iotlb.clients_lock with what is inside of that.
 *   contexts            spinlock of the xarray in context.c: which contexts there are
 *                       Inside both: netlink's, to tell what came and went
 *
 *   msi_lock            mutex, inside device_group.lock: domains are prepared for
 *                       interrupts
 *   fault_queue.lock    mutex, inside device_group.lock: faults that are read and
 *                       answered. User memory is never touched under it.
 *   fault_resolver.lock spinlock, in interrupts as well: pages that a device has asked
 *                       the kernel for. Areas are looked up under it. Who finds the
 *                       pages holds no lock; who takes them away from him, with
 *                       device_group.lock held, does not wait for him.
 *   iommukit_device.faults_lock
 *                       spinlock, in interrupts as well: where the faults of a
 *                       device go. Inside it:
 *   fault_queue.unread_lock
 *                       spinlock: faults that are not read yet
 *
 *   soft_domain.lock    spinlock: the tables of a software domain, against others
 *                       who change them
 *   soft device's readers
 *                       rwlocks, one for each CPU, in interrupts as well: read by
 *                       whoever uses the domain of a device; written to wait for
 *                       those. Inside them:
 *   soft_domain.readers rwlocks of the same kind: who looks something up in a domain
 *
 * All from the spinlocks on are leaves towards the others. An MMU notifier may
 * take none of the sleeping locks but ondemand.lock.
 *
 * With access.lock held, rw, pin and unpin may drop the last reference to an
 * address space, whose end takes locks of other subsystems, and a pin of
 * hugetlbfs pages takes the lock of the inode.
 */
#ifndef IOMMUKIT_PRIVATE_H
#define IOMMUKIT_PRIVATE_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <linux/uaccess.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "fail.h"

/* Without them nobody tells what becomes of memory that is not pinned. */
#define IOMMUKIT_HAS_ONDEMAND (IS_ENABLED(CONFIG_MMU_NOTIFIER) && \
			       IS_ENABLED(CONFIG_HMM_MIRROR))

struct file;
struct mm_struct;
struct pid;
struct user_struct;

/**
 * struct iommukit_ctx - State behind one open file of /dev/iommukit
 * @file: that file. Whoever needs the context to stay holds the file.
 * @refs: who needs no more than this structure, which outlives the file: see
 *	context.h
 * @id: number of the context, see there; fixed, like all up to @created
 * @pid: the thread group that opened the file, its owner
 * @mm: address space of the owner, the structure only; NULL if it had none
 * @user: the owner's user, for its count of locked pages
 * @uid: the same, as an id
 * @comm: what the owner was called then
 * @created: when, in ns since boot
 * @npinned: pages that are pinned for the context
 * @objects: all objects by id; reserved ids hold no object yet. The marked one is
 *	the compatibility IOAS of VFIO.
 * @wait: woken when a short-term count of an object, or @taken, falls
 * @taken: objects that are not in the table any more and have not come to their end,
 *	under the lock of @objects
 * @nr_objects: published ones in the table, under the same lock
 * @ending: the file is closed: nothing is found in the table any more; as well
 * @account_mm: count pinned pages against the owner's mm instead of its user;
 *	latched into each pages object. Changed only while @objects is empty.
 * @dead: a HWPT has failed to let go of memory: for ever, nothing is done any more but
 *	what brings things to their end
 * @groups_lock: mutex: protects @groups; a leaf
 * @groups: struct device_group with devices in the context
 * @nr_iotlbs: IOTLBs in the context
 */
struct iommukit_ctx {
	struct file *file;
	refcount_t refs;
	u32 id;
	struct pid *pid;
	struct mm_struct *mm;
	struct user_struct *user;
	kuid_t uid;
	char comm[TASK_COMM_LEN];
	u64 created;
	atomic_long_t npinned;
	struct xarray objects;
	wait_queue_head_t wait;
	unsigned int taken;
	unsigned int nr_objects;
	bool ending;
	bool account_mm;
	bool dead;
	struct mutex groups_lock;
	struct list_head groups;
	atomic_t nr_iotlbs;
};

/* 0, or -EIO if the context is dead. It may be from the next moment on. */
static inline int ctx_check(const struct iommukit_ctx *ctx)
{
	return unlikely(READ_ONCE(ctx->dead)) ? -EIO : 0;
}

/**
 * struct iommukit_ucmd - A command being run
 * @ctx: the context it was issued on
 * @ubuffer: the caller's structure
 * @user_size: its size as the caller sees it
 * @cmd: the kernel's copy, zero filled to the full size
 */
struct iommukit_ucmd {
	struct iommukit_ctx *ctx;
	void __user *ubuffer;
	u32 user_size;
	void *cmd;
};

/**
 * ucmd_respond - write a command's structure back to its caller
 * @ucmd: the command
 * @size: size of the kernel's structure
 *
 * Return: 0 or -EFAULT.
 */
static inline int ucmd_respond(struct iommukit_ucmd *ucmd, size_t size)
{
	if (fail_point(-EFAULT))
		return -EFAULT;
	size = min_t(size_t, ucmd->user_size, size);
	return copy_to_user(ucmd->ubuffer, ucmd->cmd, size) ? -EFAULT : 0;
}

#endif /* IOMMUKIT_PRIVATE_H */

/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Userspace ABI of iommukit: on-demand mappings. A part of <linux/iommukit.h>, which
 * has the rules and numbers of all commands.
 */
#ifndef _UAPI_LINUX_IOMMUKIT_ONDEMAND_H
#define _UAPI_LINUX_IOMMUKIT_ONDEMAND_H

#ifndef _UAPI_LINUX_IOMMUKIT_H
#include <linux/iommukit.h>
#endif

/**
 * DOC: On-demand mappings
 *
 * A mapping of IOMMUKIT_IOAS_MAP stands for the pages that were there when they were
 * first needed. An on-demand mapping stands for addresses of the process that mapped
 * it: what an IOVA shows is what the address shows, at any time. After munmap() the
 * IOVA faults; after a new mmap() at the same place it shows that.
 *
 * Pages are found when somebody touches the IOVA. They are neither pinned nor counted
 * against RLIMIT_MEMLOCK; they may be swapped, migrated, merged and reclaimed, and are
 * forgotten before that happens. So to map takes the same time and memory whatever the
 * length is. What has to be found counts as memory of the process, whoever asks. The
 * tables of what was found are kept to the module parameter ondemand_table_bytes, in
 * bytes of each mapping, unless it is 0: parts of 2 MiB that have not been used for long
 * are forgotten then, and found again.
 *
 * The memory is that of the process which issued the command, wherever the descriptor
 * goes. When it has exited or called execve() nothing can be reached any more (EFAULT);
 * the mapping stays until it is unmapped.
 *
 * What the process itself cannot read or write faults (EFAULT): a mapping asks for no
 * more than read() and write() on the addresses do. Nor can memory be reached that has
 * no page of its own, as that of devices, or that nobody else may see, as that of
 * a secret memfd. A page that userfaultfd has registered is waited for, without a lock
 * of this descriptor; if that userfaultfd handles faults of user mode only: EFAULT.
 *
 * Drivers that pin pages get a pin of what is there then, which is charged as ever and
 * stays what it is whatever the process does: reads and writes by IOVA follow the
 * address, pins do not. While a page is pinned, others who pin it get the same one.
 *
 * HWPTs of devices that cannot wait for pages do not go together with on-demand
 * mappings: neither can be added to an IOAS that has the other (EOPNOTSUPP).
 *
 * A device that can, and misses a page, sends a group of page faults and waits for one
 * answer to it. If its HWPT has no fault queue, the kernel finds the pages, and answers
 * when it has looked for all of them; the first of which something is to be said
 * decides:
 *
 *	look again (SUCCESS)	it is there, or was a moment ago, or is mapped otherwise;
 *				the mapping went meanwhile; the device was moved to
 *				another HWPT; more than 1024 pages of the device were
 *				being looked for; it took a second, be it that a
 *				userfaultfd has the page, or that the memory changes all
 *				the time; kernel memory was short, but not the fourth
 *				time in a row
 *	there is nothing	nothing was mapped when the device asked, or for less than
 *	(INVALID)		it asks for; the process has no memory there, or has gone;
 *				the device wants to execute, asks as a privileged user or
 *				with a PASID; it was detached
 *	failure			pages of this memory could not be taken away from an IO
 *				page table (EIO elsewhere)
 *
 * A device that looks again gets the second answer in its turn if the mapping has gone
 * for good. Without a queue the HWPT may also be a nested one; then the addresses are
 * those of the HWPT that it is nested in. Nobody who detaches or moves a device waits
 * for a page, nor does the end of a context.
 */

/**
 * DOC: Dead contexts
 *
 * A page that the kernel takes back has to leave all HWPTs at once. If an IOMMU does not
 * let go of it, the process is rid of the page nevertheless, but nobody else gets it: it
 * is kept, for a device may still reach it. All devices of the HWPT, and of those nested
 * in it, are then cut off: they stay attached, but reach nothing any more. When that is
 * done the page is given back; if it cannot be done, the page stays until the devices are
 * detached, or if that does not help, until they are unbound, and with it the HWPT and
 * the module. The kernel's log says so.
 *
 * Where that has happened the context is dead, for ever: each command fails with EIO, but
 * for IOMMUKIT_DESTROY, IOMMUKIT_IOAS_UNMAP, IOMMUKIT_ONDEMAND_QUERY and VFIO's unmap,
 * which work as ever, as does close(). So do drivers' reads, writes and pins, and whatever
 * devices ask for. What is pinned stays as it is until it is unpinned; devices of other
 * HWPTs go on with what is mapped there.
 */

#define IOMMUKIT_ONDEMAND_FAULT_AROUND_DEFAULT 0xffffffffU
#define IOMMUKIT_ONDEMAND_FAULT_AROUND_MAX 9

/**
 * struct iommukit_ioas_map_ondemand - ioctl(IOMMUKIT_IOAS_MAP_ONDEMAND)
 * @size: sizeof(struct iommukit_ioas_map_ondemand)
 * @flags: Combination of enum iommukit_ioas_map_flags
 * @ioas_id: IOAS to change
 * @fault_around: Two to the power of this are the pages that are looked at around one
 *                that is touched, and taken along if they are there already: 0 to 9,
 *                or IOMMUKIT_ONDEMAND_FAULT_AROUND_DEFAULT, which is 4
 * @user_va: Address in the caller's memory to map
 * @length: Bytes to map
 * @iova: In: where to map if FIXED_IOVA is set. Out: where it is mapped
 *
 * As IOMMUKIT_IOAS_MAP, see above for what is different. @user_va, @length and a fixed
 * @iova must be multiples of the page size (EINVAL), and the range one that the process
 * could have (EFAULT); whether anything is there plays no role. EINTR if a signal was
 * pending, of any kind: nothing was done, try again.
 */
struct iommukit_ioas_map_ondemand {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__u32 fault_around;
	__aligned_u64 user_va;
	__aligned_u64 length;
	__aligned_u64 iova;
};
#define IOMMUKIT_IOAS_MAP_ONDEMAND \
	_IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_IOAS_MAP_ONDEMAND)

/**
 * enum iommukit_ioas_prefetch_flags - Flags of IOAS_PREFETCH
 * @IOMMUKIT_IOAS_PREFETCH_WRITE: Pages will be written: take them so that they can
 * @IOMMUKIT_IOAS_PREFETCH_NO_FAULT: Only take what the process has in its page table
 */
enum iommukit_ioas_prefetch_flags {
	IOMMUKIT_IOAS_PREFETCH_WRITE = 1 << 0,
	IOMMUKIT_IOAS_PREFETCH_NO_FAULT = 1 << 1,
};

/**
 * struct iommukit_ioas_prefetch - ioctl(IOMMUKIT_IOAS_PREFETCH)
 * @size: sizeof(struct iommukit_ioas_prefetch)
 * @flags: Combination of enum iommukit_ioas_prefetch_flags
 * @ioas_id: The IOAS
 * @__reserved: Must be 0
 * @iova: First byte
 * @length: Bytes
 * @out_pages: Output number of pages that are there now, from @iova on
 *
 * Find the pages that have a byte of [@iova, @iova + @length) before they are needed, in
 * order; those of mappings that are not on demand are taken as found. It ends before the
 * first page that cannot be had; if that is the first of all, its errno is returned:
 * EFAULT; EPERM if WRITE is given and the mapping is not WRITEABLE; ENOENT if nothing is
 * mapped there; with NO_FAULT, EFAULT also if the process has not touched it. EINTR on a
 * fatal signal. What was found may be gone again at any time.
 */
struct iommukit_ioas_prefetch {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__u32 __reserved;
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 out_pages;
};
#define IOMMUKIT_IOAS_PREFETCH _IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_IOAS_PREFETCH)

/**
 * enum iommukit_ondemand_query_flags - Flags of ONDEMAND_QUERY
 * @IOMMUKIT_ONDEMAND_QUERY_RESET: Set counters of events to 0 after reading them
 */
enum iommukit_ondemand_query_flags {
	IOMMUKIT_ONDEMAND_QUERY_RESET = 1 << 0,
};

/**
 * enum iommukit_ondemand_state - What has become of an on-demand mapping
 * @IOMMUKIT_ONDEMAND_DEAD_MM: Its process has exited, or runs another program
 * @IOMMUKIT_ONDEMAND_QUARANTINED: Pages were kept, since an IOMMU did not let go of them;
 *                                 @out_quarantined_pages says how many still are
 * @IOMMUKIT_ONDEMAND_DEAD_CTX: The context is dead, because of this mapping or another
 */
enum iommukit_ondemand_state {
	IOMMUKIT_ONDEMAND_DEAD_MM = 1 << 0,
	IOMMUKIT_ONDEMAND_QUARANTINED = 1 << 1,
	IOMMUKIT_ONDEMAND_DEAD_CTX = 1 << 2,
};

/* What invalidations are counted by: numbers of the kernel's events */
#define IOMMUKIT_ONDEMAND_NR_EVENTS 8

#define IOMMUKIT_ONDEMAND_QUERY_SUM (~0ULL)

/**
 * struct iommukit_ondemand_query - ioctl(IOMMUKIT_ONDEMAND_QUERY)
 * @size: sizeof(struct iommukit_ondemand_query); 32 or more
 * @flags: Combination of enum iommukit_ondemand_query_flags
 * @ioas_id: The IOAS
 * @__reserved: Must be 0
 * @iova: An IOVA of the mapping, or IOMMUKIT_ONDEMAND_QUERY_SUM for all of the IOAS
 * @out_state: Output combination of enum iommukit_ondemand_state; of a sum, of any
 * @out_faults_read: Output number of times that pages were found for reading
 * @out_faults_write: Output number of times that pages were found for writing
 * @out_upgrades: Output number of pages of which only writing was new
 * @out_fault_errors: Output number of times that they could not be found
 * @out_around_pages: Output number of pages taken along
 * @out_prefetch_pages: Output number of pages found by IOMMUKIT_IOAS_PREFETCH
 * @out_hits: Output number of copies, each of up to 2 MiB, that found all they needed
 * @out_retries: Output number of times that the memory changed meanwhile
 * @out_retry_max: Output most times in a row
 * @out_wait_max_us: Output longest wait for a change to be over, in microseconds
 * @out_userfault_waits: Output number of waits for a userfaultfd
 * @out_by_page: Output number of pages copied one by one, since the memory changed all
 *               the time
 * @out_invalidations: Output number of changes of the memory that were announced
 * @out_invalidations_empty: Output number of those that concerned no page
 * @out_by_event: Output number of them by what they were: unmap, clear, change of
 *                permissions, of a page's permissions, soft dirty, end of the memory,
 *                migration, exclusive use
 * @out_zapped_pages: Output number of pages forgotten, be it to keep a table small
 * @out_downgraded_pages: Output number of pages that cannot be written any more
 * @out_refused: Output number of announcements that could not wait and were put off
 * @out_present_pages: Output number of pages there are
 * @out_present_peak: Output most pages there were
 * @out_huge: Output number of blocks of 2 MiB that are one page
 * @out_chunks: Output number of blocks of 2 MiB with a table
 * @out_table_bytes: Output memory of the tables, in bytes
 * @out_dirtied_pages: Output number of pages said to be dirty
 * @out_hw_maps: Output number of calls that put pages into IO page tables
 * @out_hw_unmaps: Output number of calls that took pages out
 * @out_hw_unmap_over: Output number of those that took more out than asked
 * @out_hw_unmap_short: Output number of those that took less
 * @out_tlb_syncs: Output number of times that IOMMUs were waited for
 * @out_quarantined_pages: Output number of pages that are kept, for each HWPT that does
 * @out_pins_live: Output number of pages that drivers have pinned
 * @out_pins_outlived: Output number of pages that changed while they were pinned
 *
 * What has happened to a mapping. ENOENT if there is no on-demand mapping. Mappings made
 * by IOMMUKIT_IOAS_COPY share all of this; in a sum they count once. RESET leaves what
 * is there (pages, pages that are huge, blocks, bytes, pages kept, pins) as it is. More
 * members may come at the end.
 */
struct iommukit_ondemand_query {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__u32 __reserved;
	__aligned_u64 iova;
	__aligned_u64 out_state;
	__aligned_u64 out_faults_read;
	__aligned_u64 out_faults_write;
	__aligned_u64 out_upgrades;
	__aligned_u64 out_fault_errors;
	__aligned_u64 out_around_pages;
	__aligned_u64 out_prefetch_pages;
	__aligned_u64 out_hits;
	__aligned_u64 out_retries;
	__aligned_u64 out_retry_max;
	__aligned_u64 out_wait_max_us;
	__aligned_u64 out_userfault_waits;
	__aligned_u64 out_by_page;
	__aligned_u64 out_invalidations;
	__aligned_u64 out_invalidations_empty;
	__aligned_u64 out_by_event[IOMMUKIT_ONDEMAND_NR_EVENTS];
	__aligned_u64 out_zapped_pages;
	__aligned_u64 out_downgraded_pages;
	__aligned_u64 out_refused;
	__aligned_u64 out_present_pages;
	__aligned_u64 out_present_peak;
	__aligned_u64 out_huge;
	__aligned_u64 out_chunks;
	__aligned_u64 out_table_bytes;
	__aligned_u64 out_dirtied_pages;
	__aligned_u64 out_hw_maps;
	__aligned_u64 out_hw_unmaps;
	__aligned_u64 out_hw_unmap_over;
	__aligned_u64 out_hw_unmap_short;
	__aligned_u64 out_tlb_syncs;
	__aligned_u64 out_quarantined_pages;
	__aligned_u64 out_pins_live;
	__aligned_u64 out_pins_outlived;
};
#define IOMMUKIT_ONDEMAND_QUERY \
	_IO(IOMMUKIT_TYPE, IOMMUKIT_CMD_ONDEMAND_QUERY)

#endif /* _UAPI_LINUX_IOMMUKIT_ONDEMAND_H */

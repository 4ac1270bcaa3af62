/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All that differs between the kernels iommukit runs on: 6.1, 6.12 and 7.2.
 * The other files are written against the newest of them; what older ones lack
 * is supplied here. Each shim names the version that makes it superfluous.
 */
#ifndef IOMMUKIT_COMPAT_H
#define IOMMUKIT_COMPAT_H

#include <linux/cred.h>
#include <linux/eventfd.h>
#include <linux/export.h>
#include <linux/falloc.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/iommu.h>
#include <linux/irqdomain.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>
#include <linux/timer.h>
#include <linux/version.h>
#include <net/genetlink.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "iommukit needs Linux 6.1 or newer"
#endif

#if BITS_PER_LONG != 64
#error "iommukit needs a 64-bit kernel: IOVA and user addresses are unsigned long"
#endif

/* 6.13: the namespace became a string. Remove with 6.12. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define EXPORT_SYMBOL_IOMMUKIT(sym) EXPORT_SYMBOL_NS_GPL(sym, IOMMUKIT)
#define EXPORT_SYMBOL_IOMMUKIT_INTERNAL(sym) EXPORT_SYMBOL_NS_GPL(sym, IOMMUKIT_INTERNAL)
#else
#define EXPORT_SYMBOL_IOMMUKIT(sym) EXPORT_SYMBOL_NS_GPL(sym, "IOMMUKIT")
#define EXPORT_SYMBOL_IOMMUKIT_INTERNAL(sym) EXPORT_SYMBOL_NS_GPL(sym, "IOMMUKIT_INTERNAL")
#endif

/**
 * compat_can_pin_fast() - whether the fast ways to pages may serve
 * @gup_flags: FOLL_* flags
 *
 * 6.2: a long-term pin for reading gives a private page to the process first.
 * Before, each VMA must be looked at; see compat_pin_user_pages_remote().
 * Remove with 6.1.
 */
static inline bool compat_can_pin_fast(unsigned int gup_flags)
{
	return LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0) ||
	       !(gup_flags & FOLL_LONGTERM) || (gup_flags & FOLL_WRITE);
}

/**
 * compat_pin_user_pages_remote() - pin_user_pages_remote()
 * @mm: whose memory; its mmap_lock is held for reading
 * @start: page aligned address
 * @npages: pages wanted; less may be pinned
 * @gup_flags: FOLL_* flags
 * @pages: gets the pages
 * @locked: 1; set to 0 if the lock was dropped for good
 *
 * 6.5: the argument for VMAs went, and long-term pins may drop the lock; before
 * they cannot wait for a page that user space serves: -EFAULT. 6.2: see
 * compat_can_pin_fast(); before, a read-only long-term pin of a copy-on-write
 * mapping must break the copying itself, by pinning for write, or the pin would
 * stay on a page that the process leaves with its next store. Remove with 6.1.
 *
 * Return: the number of pages pinned, or a negative errno.
 */
static inline long compat_pin_user_pages_remote(struct mm_struct *mm,
						unsigned long start,
						unsigned long npages,
						unsigned int gup_flags,
						struct page **pages,
						int *locked)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
	if ((gup_flags & FOLL_LONGTERM) && !(gup_flags & FOLL_WRITE)) {
		struct vm_area_struct *vma = vma_lookup(mm, start);

		if (!vma)
			return -EFAULT;
		npages = min(npages, (vma->vm_end - start) >> PAGE_SHIFT);
		/* Forcing is for what may be read but not written. */
		if (is_cow_mapping(vma->vm_flags) &&
		    (vma->vm_flags & VM_READ)) {
			if (vma->vm_flags & VM_WRITE)
				gup_flags |= FOLL_WRITE;
			else if (!is_vm_hugetlb_page(vma))
				gup_flags |= FOLL_WRITE | FOLL_FORCE;
		}
	}
#endif
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
	return pin_user_pages_remote(mm, start, npages, gup_flags, pages, NULL,
				     gup_flags & FOLL_LONGTERM ? NULL : locked);
#else
	return pin_user_pages_remote(mm, start, npages, gup_flags, pages,
				     locked);
#endif
}

/**
 * compat_get_user_pages_remote() - get_user_pages_remote()
 * @mm: whose memory; its mmap_lock is held for reading
 * @start: page aligned address
 * @npages: pages wanted; less may be got
 * @gup_flags: FOLL_* flags
 * @pages: gets the pages, each with a reference
 * @locked: 1; set to 0 if the lock was dropped for good
 *
 * 6.5: the argument for VMAs went. Remove with 6.1.
 *
 * Return: the number of pages, or a negative errno.
 */
static inline long compat_get_user_pages_remote(struct mm_struct *mm,
						unsigned long start,
						unsigned long npages,
						unsigned int gup_flags,
						struct page **pages,
						int *locked)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
	return get_user_pages_remote(mm, start, npages, gup_flags, pages, NULL,
				     locked);
#else
	return get_user_pages_remote(mm, start, npages, gup_flags, pages,
				     locked);
#endif
}

/* 6.3: flags of a VMA are changed by functions. Remove with 6.1. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

#if IS_ENABLED(CONFIG_NET)
/* 6.7: a dump has what a request has. Remove with 6.1. */
static inline struct nlattr **compat_genl_dump_attrs(struct netlink_callback *cb)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
	return genl_dumpit_info(cb)->attrs;
#else
	return genl_info_dump(cb)->attrs;
#endif
}
#endif

/* 6.8: an eventfd is always signalled once. Remove with 6.1. */
static inline void compat_eventfd_signal(struct eventfd_ctx *eventfd)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
	eventfd_signal(eventfd, 1);
#else
	eventfd_signal(eventfd);
#endif
}

/* 6.13: exported by the kernel. Remove with 6.12. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
/**
 * folio_add_pins() - pin a folio the caller has pinned already again
 * @folio: the folio
 * @pins: how many more pins
 *
 * Return: 0; -ENOMEM if the count is about to overflow.
 */
static inline int folio_add_pins(struct folio *folio, unsigned int pins)
{
	if (folio_ref_count(folio) <= 0)
		return -ENOMEM;
	if (folio_test_large(folio)) {
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
		atomic_add(pins, folio_pincount_ptr(folio));
#else
		atomic_add(pins, &folio->_pincount);
#endif
		folio_ref_add(folio, pins);
	} else {
		folio_ref_add(folio, pins * GUP_PIN_COUNTING_BIAS);
	}
	mod_node_page_state(folio_pgdat(folio), NR_FOLL_PIN_ACQUIRED, pins);
	return 0;
}
#endif

/* 7.0: memfd_pin_folios() does it all. Remove with 6.12. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 0, 0)
/*
 * Only hugetlbfs itself can allocate its pages, and fallocate() is the door to
 * it. It wants the file open for writing; a page of zeroes is no writing, so
 * that is between us and it. It gives way to any signal.
 */
static inline int compat_hugetlb_fill(struct file *file, loff_t pos,
				      loff_t size)
{
	struct file *writer = dentry_open(&file->f_path, O_RDWR | O_LARGEFILE,
					  current_cred());
	int rc;

	if (IS_ERR(writer))
		return PTR_ERR(writer);
	rc = vfs_fallocate(writer, FALLOC_FL_KEEP_SIZE, pos, size);
	fput(writer);
	return rc;
}

/*
 * The folio of a hugetlbfs file at byte @pos, allocated if it is missing, with
 * a reference. 6.7: its page cache counts in base pages, not in huge ones, which
 * are its blocks. 6.3: what is missing is an error, not NULL.
 */
static inline struct folio *compat_hugetlb_folio(struct file *file, loff_t pos)
{
	struct inode *inode = file_inode(file);
	unsigned int shift = LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0) ?
			     inode->i_blkbits : PAGE_SHIFT;
	loff_t size = i_blocksize(inode);
	struct folio *folio;
	int rc;

	pos = round_down(pos, size);
	folio = filemap_get_folio(inode->i_mapping, pos >> shift);
	if (!IS_ERR_OR_NULL(folio))
		return folio;
	rc = compat_hugetlb_fill(file, pos, size);
	if (rc)
		return ERR_PTR(rc);
	folio = filemap_get_folio(inode->i_mapping, pos >> shift);
	return IS_ERR_OR_NULL(folio) ? ERR_PTR(-EFAULT) : folio;
}

static inline struct folio *compat_memfd_folio(struct file *file, loff_t pos)
{
	struct page *page;

	if (file_inode(file)->i_sb->s_magic == HUGETLBFS_MAGIC)
		return compat_hugetlb_folio(file, pos);
	page = shmem_read_mapping_page(file->f_mapping, pos >> PAGE_SHIFT);
	return IS_ERR(page) ? ERR_CAST(page) : page_folio(page);
}
#endif

/**
 * compat_memfd_pin_folios() - memfd_pin_folios()
 * @memfd: a file of shmem or hugetlbfs; else -EINVAL
 * @start: first byte
 * @end: last byte; -EINVAL if it is not in the file
 * @folios: gets the folios, each once
 * @max_folios: room in @folios
 * @offset: gets the offset of @start in the first folio
 *
 * 6.11 has it, and it also moves folios out of movable memory. Before 7.0 it
 * takes pages of hugetlbfs from the reservations of others.
 *
 * Return: the number of folios, or a negative errno.
 */
static inline long compat_memfd_pin_folios(struct file *memfd, loff_t start,
					   loff_t end, struct folio **folios,
					   unsigned int max_folios,
					   pgoff_t *offset)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 0, 0)
	struct inode *inode = file_inode(memfd);
	loff_t pos = start;
	long nr = 0;
	int rc;

	if (!S_ISREG(inode->i_mode) || end >= i_size_read(inode) ||
	    (inode->i_sb->s_magic != TMPFS_MAGIC &&
	     inode->i_sb->s_magic != HUGETLBFS_MAGIC))
		return -EINVAL;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
	if (inode->i_sb->s_magic == TMPFS_MAGIC)
		return memfd_pin_folios(memfd, start, end, folios, max_folios,
					offset);
#endif
	while (pos <= end && nr < max_folios) {
		struct folio *folio = compat_memfd_folio(memfd, pos);

		if (IS_ERR(folio)) {
			rc = PTR_ERR(folio);
			goto err_unpin;
		}
		if (!nr)
			*offset = pos & (folio_size(folio) - 1);
		pos = round_down(pos, folio_size(folio)) + folio_size(folio);
		rc = folio_add_pins(folio, 1);
		folio_put(folio);
		if (rc)
			goto err_unpin;
		folios[nr++] = folio;
	}
	return nr;

err_unpin:
	unpin_user_pages((struct page **)folios, nr);
	return rc;
#else
	return memfd_pin_folios(memfd, start, end, folios, max_folios, offset);
#endif
}

/* 6.6: shadow stacks, which the page table shows as writable. Remove with 6.1. */
static inline bool compat_vma_is_shadow_stack(const struct vm_area_struct *vma)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
	return false;
#else
	return vma->vm_flags & VM_SHADOW_STACK;
#endif
}

/**
 * compat_vma_is_secret() - whether nobody but the process may see its memory
 * @vma: the mapping
 *
 * Of a secret memfd the kernel has no address, nor a function for modules that tells.
 * 6.11: mappings say so of themselves. Remove that with 6.1.
 */
static inline bool compat_vma_is_secret(const struct vm_area_struct *vma)
{
	struct inode *inode;

	if (!vma->vm_file)
		return false;
	inode = file_inode(vma->vm_file);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
	if (mapping_inaccessible(vma->vm_file->f_mapping))
		return true;
#endif
	return inode->i_sb->s_magic == SECRETMEM_MAGIC;
}

/* 6.16: was destroy_timer_on_stack(). Remove with 6.12. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
#define timer_destroy_on_stack(timer) destroy_timer_on_stack(timer)
#endif

#ifdef CONFIG_IOMMU_API

/* 6.3: maps take what memory for tables may be had from. Remove with 6.1. */
static inline int compat_iommu_map(struct iommu_domain *domain,
				   unsigned long iova, phys_addr_t phys,
				   size_t length, int prot)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
	return iommu_map(domain, iova, phys, length, prot);
#else
	return iommu_map(domain, iova, phys, length, prot, GFP_KERNEL_ACCOUNT);
#endif
}

/**
 * compat_iommu_domain_alloc() - iommu_paging_domain_alloc()
 * @dev: the device, which has an IOMMU
 *
 * 6.13: the domain is always made for the device. 6.11: drivers make those for user
 * space so, and leave it to the caller to say whose they are; other domains know
 * neither their width nor their page sizes before they are attached. Before 6.11
 * there are only those. Remove with 6.12.
 *
 * Return: the domain or an errno.
 */
static inline struct iommu_domain *compat_iommu_domain_alloc(struct device *dev)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
	return iommu_domain_alloc(dev->bus) ?: ERR_PTR(-ENOMEM);
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
	const struct iommu_ops *ops = dev->iommu->iommu_dev->ops;
	struct iommu_domain *domain;

	if (!ops->domain_alloc_user)
		return iommu_paging_domain_alloc(dev);
	domain = ops->domain_alloc_user(dev, 0, NULL, NULL);
	if (!IS_ERR(domain))
		domain->owner = ops;
	return domain;
#else
	return iommu_paging_domain_alloc(dev);
#endif
}

/**
 * compat_iommu_enforces_coherency() - whether devices need not be believed
 * @dev: a device, which may say that caches need not be looked at
 * @guess: what to say if the kernel does not know
 *
 * 6.2: IOMMUs tell whether they can override that. Before, they only refuse to attach
 * a device to a domain of which they cannot. Remove with 6.1.
 *
 * Return: whether they can.
 */
static inline bool compat_iommu_enforces_coherency(struct device *dev, bool guess)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
	return guess;
#else
	return device_iommu_capable(dev, IOMMU_CAP_ENFORCE_CACHE_COHERENCY);
#endif
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline int compat_lacks_msi_remap(struct device *dev, void *unused)
{
	return !device_iommu_capable(dev, IOMMU_CAP_INTR_REMAP);
}
#endif

/* 6.3: iommu_group_has_isolated_msi(). Remove with 6.1. */
static inline bool compat_iommu_group_has_isolated_msi(struct iommu_group *group)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
	return irq_domain_check_msi_remap() ||
	       !iommu_group_for_each_dev(group, NULL, compat_lacks_msi_remap);
#else
	return iommu_group_has_isolated_msi(group);
#endif
}

/* 6.2: iommu_get_resv_regions() is exported. Remove with 6.1. */
static inline void compat_iommu_get_resv_regions(struct device *dev,
						 struct list_head *list)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
	const struct iommu_ops *ops = dev->iommu->iommu_dev->ops;

	if (ops->get_resv_regions)
		ops->get_resv_regions(dev, list);
#else
	iommu_get_resv_regions(dev, list);
#endif
}

/**
 * compat_iommu_hw_info() - what a device's IOMMU says of itself
 * @dev: the device
 * @length: gets the number of bytes
 * @type: gets what they are
 *
 * 6.7 has it. Later the type is an enum, of the same size. Remove with 6.1.
 *
 * Return: data to be freed with kfree(), NULL if there is none, or an errno.
 */
static inline void *compat_iommu_hw_info(struct device *dev, u32 *length,
					 u32 *type)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
	return NULL;
#else
	const struct iommu_ops *ops = dev->iommu->iommu_dev->ops;

	return ops->hw_info ? ops->hw_info(dev, length, (void *)type) : NULL;
#endif
}

/*
 * 6.11: attachments have handles. The header that declares these functions is the
 * kernel's own; whoever uses them imports the namespace IOMMUFD_INTERNAL.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
struct iommu_attach_handle {
	struct iommu_domain *domain;
};

static inline int iommu_attach_group_handle(struct iommu_domain *domain,
					    struct iommu_group *group,
					    struct iommu_attach_handle *handle)
{
	return iommu_attach_group(domain, group);
}

static inline void iommu_detach_group_handle(struct iommu_domain *domain,
					     struct iommu_group *group)
{
	iommu_detach_group(domain, group);
}
#else
int iommu_attach_group_handle(struct iommu_domain *domain,
			      struct iommu_group *group,
			      struct iommu_attach_handle *handle);
void iommu_detach_group_handle(struct iommu_domain *domain,
			       struct iommu_group *group);
int iommu_replace_group_handle(struct iommu_group *group,
			       struct iommu_domain *domain,
			       struct iommu_attach_handle *handle);
#endif

/**
 * compat_iommu_replace_group() - iommu_replace_group_handle()
 * @group: the group, whose DMA the caller owns
 * @from: the domain that it is attached to
 * @to: another one, of the same driver
 * @handle: a new handle for @to
 *
 * 6.11: the driver is asked to go over, which it may do without a moment of
 * nothing. Before, the group is detached and attached: what it accesses meanwhile
 * is refused. Remove with 6.1.
 *
 * Return: 0 or an errno, after which the group may be attached to nothing.
 */
static inline int compat_iommu_replace_group(struct iommu_group *group,
					     struct iommu_domain *from,
					     struct iommu_domain *to,
					     struct iommu_attach_handle *handle)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
	iommu_detach_group(from, group);
	return iommu_attach_group(to, group);
#else
	return iommu_replace_group_handle(group, to, handle);
#endif
}

#endif /* CONFIG_IOMMU_API */

#endif /* IOMMUKIT_COMPAT_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All that differs between the kernels iommukit runs on: 6.1, 6.12 and 7.2.
 * The other files are written against the newest of them; what older ones lack
 * is supplied here. Each shim names the version that makes it superfluous.
 */
#ifndef IOMMUKIT_COMPAT_H
#define IOMMUKIT_COMPAT_H

#include <linux/export.h>
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "iommukit needs Linux 6.1 or newer"
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
 * compat_can_pin_fast() - whether pin_user_pages_fast() may serve
 * @gup_flags: FOLL_* flags, FOLL_LONGTERM included
 *
 * 6.2: a long-term pin for reading gives a private page to the process first.
 * Before, each VMA must be looked at; see compat_pin_user_pages_remote().
 * Remove with 6.1.
 */
static inline bool compat_can_pin_fast(unsigned int gup_flags)
{
	return LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0) ||
	       (gup_flags & FOLL_WRITE);
}

/**
 * compat_pin_user_pages_remote() - pin_user_pages_remote() under a held lock
 * @mm: whose memory; its mmap_lock is held for reading and stays held
 * @start: page aligned address
 * @npages: pages wanted; less may be pinned
 * @gup_flags: FOLL_* flags
 * @pages: gets the pages
 *
 * 6.5: the argument for VMAs went. 6.2: see compat_can_pin_fast(); before, a
 * read-only long-term pin of a copy-on-write mapping must break the copying
 * itself, by pinning for write, or the pin would stay on a page that the
 * process leaves with its next store. Remove with 6.1.
 *
 * Return: the number of pages pinned, or a negative errno.
 */
static inline long compat_pin_user_pages_remote(struct mm_struct *mm,
						unsigned long start,
						unsigned long npages,
						unsigned int gup_flags,
						struct page **pages)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
	if ((gup_flags & FOLL_LONGTERM) && !(gup_flags & FOLL_WRITE)) {
		struct vm_area_struct *vma = vma_lookup(mm, start);

		if (!vma)
			return -EFAULT;
		npages = min(npages, (vma->vm_end - start) >> PAGE_SHIFT);
		if (is_cow_mapping(vma->vm_flags)) {
			if (vma->vm_flags & VM_WRITE)
				gup_flags |= FOLL_WRITE;
			else if (!is_vm_hugetlb_page(vma))
				gup_flags |= FOLL_WRITE | FOLL_FORCE;
		}
	}
#endif
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
	return pin_user_pages_remote(mm, start, npages, gup_flags, pages, NULL,
				     NULL);
#else
	return pin_user_pages_remote(mm, start, npages, gup_flags, pages, NULL);
#endif
}

/* 6.13: exported by the kernel. Remove with 6.12. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
/**
 * folio_add_pins() - pin a folio the caller has pinned already again
 * @folio: the folio
 * @pins: how many more pins
 *
 * Return: 0.
 */
static inline int folio_add_pins(struct folio *folio, unsigned int pins)
{
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

/* 6.11: exported by the kernel. Remove with 6.1. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
/*
 * The folio of a shmem or hugetlbfs file at byte @pos, allocated if it is
 * missing, with a reference. Only hugetlbfs itself can allocate its pages, and
 * fallocate() is the door to it.
 */
static inline struct folio *compat_memfd_folio(struct file *memfd, loff_t pos)
{
	struct inode *inode = file_inode(memfd);
	struct folio *folio;
	struct page *page;

	if (inode->i_sb->s_magic == TMPFS_MAGIC) {
		page = shmem_read_mapping_page(inode->i_mapping,
					       pos >> PAGE_SHIFT);
		return IS_ERR(page) ? ERR_CAST(page) : page_folio(page);
	}

	/* The block of hugetlbfs is its huge page, and so is the unit of its
	 * page cache.
	 */
	folio = filemap_get_folio(inode->i_mapping, pos >> inode->i_blkbits);
	if (!folio) {
		loff_t size = i_blocksize(inode);
		int rc = vfs_fallocate(memfd, 0, round_down(pos, size), size);

		if (rc)
			return ERR_PTR(rc);
		folio = filemap_get_folio(inode->i_mapping,
					  pos >> inode->i_blkbits);
	}
	return folio ?: ERR_PTR(-EFAULT);
}

/**
 * memfd_pin_folios() - pin the folios of a range of a memfd
 * @memfd: a file of shmem or hugetlbfs
 * @start: first byte
 * @end: last byte
 * @folios: gets the folios, each once
 * @max_folios: room in @folios
 * @offset: gets the offset of @start in the first folio
 *
 * The kernel's own also moves the folios out of movable memory.
 *
 * Return: the number of folios, or a negative errno.
 */
static inline long memfd_pin_folios(struct file *memfd, loff_t start,
				    loff_t end, struct folio **folios,
				    unsigned int max_folios, pgoff_t *offset)
{
	struct inode *inode = file_inode(memfd);
	loff_t pos = start;
	long nr = 0;

	if (!S_ISREG(inode->i_mode) || end >= i_size_read(inode) ||
	    (inode->i_sb->s_magic != TMPFS_MAGIC &&
	     inode->i_sb->s_magic != HUGETLBFS_MAGIC))
		return -EINVAL;

	while (pos <= end && nr < max_folios) {
		struct folio *folio = compat_memfd_folio(memfd, pos);

		if (IS_ERR(folio)) {
			unpin_user_pages((struct page **)folios, nr);
			return PTR_ERR(folio);
		}
		if (!nr)
			*offset = pos & (folio_size(folio) - 1);
		pos = round_down(pos, folio_size(folio)) + folio_size(folio);
		folio_add_pins(folio, 1);
		folio_put(folio);
		folios[nr++] = folio;
	}
	return nr;
}
#endif

#endif /* IOMMUKIT_COMPAT_H */

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of a memfd, or of a file of tmpfs or hugetlbfs. They are reached through
 * the file, so they outlive the process that mapped them.
 *
 * What kind of file it is and how long it is are looked at when pages are
 * needed; whether it may be written is decided at once, and holds: a writable
 * pages object counts as a writable mapping of the file, which keeps it from
 * being sealed.
 */
#include <linux/file.h>
#include <linux/iommukit.h>
#include <linux/mm.h>

#include "compat.h"
#include "fail.h"
#include "pages.h"
#include "private.h"

#define FILE_FOLIO_BATCH 16

/*
 * List the pages of a folio that was pinned once, from its byte @offset on,
 * each with a pin of its own. Returns how many they are.
 */
static unsigned long file_spread(struct folio *folio, unsigned long offset,
				 unsigned long max, struct page **out)
{
	unsigned long skip = offset >> PAGE_SHIFT;
	unsigned long npages = min(max, folio_nr_pages(folio) - skip);
	unsigned long i;

	for (i = 0; i < npages; i++)
		out[i] = folio_page(folio, skip + i);
	return npages;
}

static int file_pin(struct pages *pages, unsigned long index,
		    unsigned long npages, struct page **out)
{
	loff_t last = pages->base + (index + npages) * PAGE_SIZE - 1;
	struct folio *folios[FILE_FOLIO_BATCH];
	unsigned long done = 0, n;
	long nr = 0, i;
	int rc = 0;

	/* Offsets of files end at LLONG_MAX. */
	if (last < 0)
		return -EINVAL;
	while (done < npages) {
		pgoff_t offset = 0;

		nr = fail_point(-EFAULT) ?:
		     compat_memfd_pin_folios(pages->file,
					     pages->base + (index + done) * PAGE_SIZE,
					     last, folios, FILE_FOLIO_BATCH,
					     &offset);
		if (nr <= 0)
			break;
		for (i = 0; i < nr; i++) {
			n = file_spread(folios[i], i ? 0 : offset,
					npages - done, out + done);
			if (!rc && n > 1)
				rc = fail_point(-ENOMEM) ?:
				     folio_add_pins(folios[i], n - 1);
			if (rc)
				unpin_user_page(&folios[i]->page);
			else
				done += n;
		}
		if (rc)
			break;
		cond_resched();
	}
	if (!rc && nr > 0)
		return 0;
	unpin_user_pages(out, done);
	return rc ?: nr ?: -EFAULT;
}

static int file_get(struct pages *pages, unsigned long index,
		    unsigned long npages, bool write, struct page **out)
{
	return file_pin(pages, index, npages, out);
}

static void file_put(struct page **out, unsigned long npages, bool write)
{
	unpin_user_pages_dirty_lock(out, npages, write);
}

static void file_release(struct pages *pages)
{
	if (pages->writable)
		mapping_unmap_writable(pages->file->f_mapping);
	fput(pages->file);
}

static const struct pages_ops file_pages_ops = {
	.pin = file_pin,
	.get = file_get,
	.put = file_put,
	.release = file_release,
};

static bool file_sealed_for_future(struct file *file)
{
	struct inode *inode = file_inode(file);

	if (!S_ISREG(inode->i_mode))
		return false;
	if (inode->i_sb->s_magic == TMPFS_MAGIC)
		return SHMEM_I(inode)->seals & F_SEAL_FUTURE_WRITE;
#ifdef CONFIG_HUGETLBFS
	if (inode->i_sb->s_magic == HUGETLBFS_MAGIC)
		return HUGETLBFS_I(inode)->seals & F_SEAL_FUTURE_WRITE;
#endif
	return false;
}

/* As mmap() would: reading is always implied, writing must still be allowed. */
static int file_open_mapping(struct file *file, bool writable)
{
	if (!(file->f_mode & FMODE_READ))
		return -EPERM;
	if (!writable)
		return 0;
	if (!(file->f_mode & FMODE_WRITE) || file_sealed_for_future(file))
		return -EPERM;
	return mapping_map_writable(file->f_mapping);
}

/**
 * pages_create_file - create a pages object for a part of a file
 * @ctx: the context
 * @fd: descriptor of the file
 * @start: offset of the first byte
 * @length: bytes, at least 1
 * @writable: whether the pages may be written
 *
 * Context: process context, may sleep.
 * Return: the object; -EBADF; -EINVAL if @length is beyond reason; -EPERM if the
 * file is not open for reading or, when @writable, not for writing or is sealed
 * against it; or -ENOMEM.
 */
struct pages *pages_create_file(struct iommukit_ctx *ctx, int fd,
				unsigned long start, unsigned long length,
				bool writable)
{
	struct file *file = fget(fd);
	struct pages *pages;
	int rc;

	if (!file)
		return ERR_PTR(-EBADF);
	rc = -EINVAL;
	if (length > SIZE_MAX - PAGE_SIZE)
		goto err_fput;
	rc = file_open_mapping(file, writable);
	if (rc)
		goto err_fput;
	pages = pages_alloc(ctx, &file_pages_ops, start, writable);
	if (!pages) {
		rc = -ENOMEM;
		goto err_close_mapping;
	}
	pages->file = file;
	return pages;

err_close_mapping:
	if (writable)
		mapping_unmap_writable(file->f_mapping);
err_fput:
	fput(file);
	return ERR_PTR(rc);
}

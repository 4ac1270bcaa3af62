/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages objects: a linear array of pages that one process gave, by one map
 * command. Areas of any number of IO address spaces refer to slices of it.
 *
 * A page is pinned and charged once, no matter how many pins cover it. What is
 * pinned is kept in segments, each with a count of the pins that cover it.
 */
#ifndef IOMMUKIT_PAGES_H
#define IOMMUKIT_PAGES_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/types.h>

struct file;
struct iommukit_ctx;
struct mm_struct;
struct ondemand;
struct ondemand_totals;
struct page;
struct pages;
struct task_struct;
struct user_struct;

/* What pages_ops.rw says when the memory must be reached page by page */
#define PAGES_RW_BY_PAGE 1
/* ... and when pages must be found first, by pages_find() */
#define PAGES_RW_ABSENT 2

/* Besides the flags of iommukit_access_rw(): a page that is found does not stay found */
#define PAGES_RW_FLEETING (1U << 31)

/**
 * struct pages_ops - Where the pages come from
 * @pin: pin @npages pages from @index on, all or none, for as long as the
 *	caller likes, and list them in @out. Context: may sleep and fault;
 *	pages.lock is not held. Returns 0 or an errno.
 * @unpinned: such pages are not pinned any more, or will not be at once; NULL if
 *	of no interest. Context: may sleep.
 * @get: as @pin, for the time of a copy; @write if they will be written. NULL if
 *	@rw never says PAGES_RW_BY_PAGE.
 * @put: undo @get, and mark what was written dirty. Context: may sleep.
 * @rw: copy between @data and the byte at @offset, looking at what is at the
 *	address now rather than at what is pinned, if the calling thread can;
 *	else return PAGES_RW_BY_PAGE. PAGES_RW_ABSENT as pages_rw(), with @done
 *	set. NULL if never.
 * @find: have pages found, so that @rw can go on; see pages_find(). NULL if @rw
 *	never says PAGES_RW_ABSENT.
 * @release: drop what the backing holds.
 */
struct pages_ops {
	int (*pin)(struct pages *pages, unsigned long index,
		   unsigned long npages, struct page **out);
	void (*unpinned)(struct pages *pages, unsigned long index,
			 unsigned long npages);
	int (*get)(struct pages *pages, unsigned long index,
		   unsigned long npages, bool write, struct page **out);
	void (*put)(struct page **out, unsigned long npages, bool write);
	int (*rw)(struct pages *pages, unsigned long offset, void *data,
		  unsigned long length, unsigned int flags, unsigned long *done);
	int (*find)(struct pages *pages, unsigned long offset,
		    unsigned long length, bool write);
	void (*release)(struct pages *pages);
};

/**
 * enum pages_account - Where pinned pages are counted against RLIMIT_MEMLOCK
 * @PAGES_ACCOUNT_NONE: nowhere; the owner has CAP_IPC_LOCK
 * @PAGES_ACCOUNT_USER: the owner's user
 * @PAGES_ACCOUNT_MM: the owner's address space
 */
enum pages_account {
	PAGES_ACCOUNT_NONE,
	PAGES_ACCOUNT_USER,
	PAGES_ACCOUNT_MM,
};

/**
 * struct pages - An array of pages
 * @ops: where they come from
 * @ctx: the context that they are pinned for; the structure only is held
 * @refs: the areas that use it
 * @account: how they are charged; fixed at creation, like all up to @ondemand
 * @writable: whether they may be written
 * @base: user address, or offset in @file, of the first page
 * @mm: the owner's address space; the structure only is held
 * @task: the owner's thread group leader, for its limit
 * @user: the owner's user, for its count
 * @file: the file, for file pages
 * @ondemand: the pages that are there, for on-demand pages, else NULL
 * @lock: protects @segments
 * @segments: what is pinned, by index; segments do not overlap
 * @lost: in the list of what a domain has kept
 */
struct pages {
	const struct pages_ops *ops;
	struct iommukit_ctx *ctx;
	refcount_t refs;
	u8 account;
	bool writable;
	unsigned long base;
	struct mm_struct *mm;
	struct task_struct *task;
	struct user_struct *user;
	struct file *file;
	struct ondemand *ondemand;
	struct mutex lock;
	struct rb_root_cached segments;
	struct list_head lost;
};

struct pages *pages_create_user(struct iommukit_ctx *ctx, unsigned long uva,
				bool writable);
struct pages *pages_create_file(struct iommukit_ctx *ctx, int fd,
				unsigned long start, unsigned long length,
				bool writable);
struct pages *pages_create_ondemand(struct iommukit_ctx *ctx, unsigned long uva,
				    unsigned long length, bool writable,
				    unsigned int around,
				    struct ondemand_totals *totals);
void pages_put(struct pages *pages);
void pages_lose(struct pages *pages);

int pages_pin(struct pages *pages, unsigned long first, unsigned long last,
	      struct page **out);
void pages_unpin(struct pages *pages, unsigned long first, unsigned long last);

/* @npages frames from @pfn on are the pages from @index on. */
typedef int (*pages_run_fn)(void *opaque, unsigned long index,
			    unsigned long pfn, unsigned long npages);
int pages_walk(struct pages *pages, unsigned long first, unsigned long last,
	       pages_run_fn fn, void *opaque);

int pages_rw(struct pages *pages, unsigned long offset, void *data,
	     unsigned long length, unsigned int flags, unsigned long *done);
int pages_find(struct pages *pages, unsigned long offset, unsigned long length,
	       bool write);

void pages_set_batch(unsigned int npages);

/* For the backings */
struct pages *pages_alloc(struct iommukit_ctx *ctx, const struct pages_ops *ops,
			  unsigned long start, bool writable);
void pages_copy(struct page **pages, unsigned long offset, void *data,
		unsigned long length, bool write);

/* Memory of a process, for whatever backing it is */
int pages_user_pin(struct pages *pages, unsigned long index,
		   unsigned long npages, struct page **out);
int pages_user_rw(struct pages *pages, unsigned long offset, void *data,
		  unsigned long length, unsigned int flags);
int pages_user_rw_page(struct pages *pages, unsigned long offset, void *data,
		       unsigned long length, bool write);

int pages_cache_create(void);
void pages_cache_destroy(void);

#endif /* IOMMUKIT_PAGES_H */

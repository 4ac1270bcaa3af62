/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * On-demand memory: a range of addresses of one process, and which pages are there.
 * Nothing of it is pinned.
 *
 *	ondemand.c		its life, and the kernel's notifications
 *	ondemand_chunk.c	the parts of the table
 *	ondemand_table.c	the pages that are known: copying, entering, forgetting
 *	ondemand_fault.c	finding pages
 *	ondemand_load.c		IO page tables that have some of them
 *	ondemand_log.c		what their devices have written
 *
 * A page that the table has is the one that the process has at that address, with at
 * least the permission that the table says; for before the kernel changes anything of
 * that it calls us, and waits. So pages of the table may be touched under the lock of
 * the table, without a reference, and nowhere else.
 *
 * Pages are found without that lock, and may have changed when they are: the notifier
 * counts changes. The count is read before the process's page table, and compared
 * under the lock, under which the notification also sets it.
 *
 * What is not there is never remembered: that it comes is not announced.
 */
#ifndef IOMMUKIT_ONDEMAND_H
#define IOMMUKIT_ONDEMAND_H

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/percpu.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/sizes.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <uapi/linux/iommukit.h>

#include "netlink.h"
#include "private.h"

/* A part of the table: what the kernel maps by one entry if it is a huge page */
#define ONDEMAND_CHUNK SZ_2M
#define ONDEMAND_CHUNK_PAGES (ONDEMAND_CHUNK / PAGE_SIZE)

#if IOMMUKIT_HAS_ONDEMAND

struct domain;
struct mm_struct;
struct page;
struct ondemand_load;
struct sk_buff;

/* What is counted for all memory that was mapped in an IOAS */
enum ondemand_total {
	ONDEMAND_TOTAL_FAULTS,
	ONDEMAND_TOTAL_INVALIDATIONS,
	ONDEMAND_NR_TOTALS,
};

/**
 * struct ondemand_counts - One CPU's
 * @counts: by enum ondemand_total
 */
struct ondemand_counts {
	u64 counts[ONDEMAND_NR_TOTALS];
};

/**
 * struct ondemand_totals - What is counted for an IOAS
 * @refs: one of the IOAS, one of each memory
 * @cpu: for each CPU
 */
struct ondemand_totals {
	refcount_t refs;
	struct ondemand_counts __percpu *cpu;
};

/* As the members of struct iommukit_ondemand_query, from the first counter on */
enum ondemand_stat {
	ONDEMAND_FAULTS_READ,
	ONDEMAND_FAULTS_WRITE,
	ONDEMAND_UPGRADES,
	ONDEMAND_FAULT_ERRORS,
	ONDEMAND_AROUND_PAGES,
	ONDEMAND_PREFETCH_PAGES,
	ONDEMAND_HITS,
	ONDEMAND_RETRIES,
	ONDEMAND_RETRY_MAX,
	ONDEMAND_WAIT_MAX_US,
	ONDEMAND_USERFAULT_WAITS,
	ONDEMAND_BY_PAGE,
	ONDEMAND_INVALIDATIONS,
	ONDEMAND_INVALIDATIONS_EMPTY,
	ONDEMAND_BY_EVENT,
	ONDEMAND_ZAPPED_PAGES = ONDEMAND_BY_EVENT + IOMMUKIT_ONDEMAND_NR_EVENTS,
	ONDEMAND_DOWNGRADED_PAGES,
	ONDEMAND_REFUSED,
	ONDEMAND_PRESENT_PAGES,
	ONDEMAND_PRESENT_PEAK,
	ONDEMAND_HUGE,
	ONDEMAND_CHUNKS,
	ONDEMAND_TABLE_BYTES,
	ONDEMAND_DIRTIED_PAGES,
	ONDEMAND_HW_MAPS,
	ONDEMAND_HW_UNMAPS,
	ONDEMAND_HW_UNMAP_OVER,
	ONDEMAND_HW_UNMAP_SHORT,
	ONDEMAND_TLB_SYNCS,
	ONDEMAND_QUARANTINED_PAGES,
	ONDEMAND_PINS_LIVE,
	ONDEMAND_PINS_OUTLIVED,
	ONDEMAND_NR_STATS,
};

/**
 * struct ondemand_chunk - The pages of a chunk of addresses
 * @present: which are there; under the lock, as all but @written
 * @writable: which of those can be written
 * @written: which of those were written, and are not said to be dirty yet
 * @pinned: which a driver has pinned, and have not changed since
 * @huge: they are one page
 * @loads: which IO page tables have which of them
 * @accessed: when the kernel was told last that they are in use, in jiffies
 * @used: when somebody looked for some of them, or the above
 * @users: who need the chunk without the lock; see ondemand_chunk.c
 * @pfns: the page frames
 */
struct ondemand_chunk {
	DECLARE_BITMAP(present, ONDEMAND_CHUNK_PAGES);
	DECLARE_BITMAP(writable, ONDEMAND_CHUNK_PAGES);
	DECLARE_BITMAP(written, ONDEMAND_CHUNK_PAGES);
	DECLARE_BITMAP(pinned, ONDEMAND_CHUNK_PAGES);
	bool huge;
	struct rb_root loads;
	unsigned long accessed;
	unsigned long used;
	atomic_t users;
	unsigned long *pfns;
};

/* What listeners shall be told of */
enum ondemand_report {
	ONDEMAND_REPORT_DEAD = 1 << 0,
	ONDEMAND_REPORT_MM_EXIT = 1 << 1,
	ONDEMAND_REPORT_UNMAP = 1 << 2,
};

/**
 * struct ondemand - A range of addresses of one process
 * @notifier: calls us before it changes; holds the mm, but not what is mapped there
 * @lock: the lock of the table, see above. Taken by the notification, which may come
 *	from the midst of any allocation that sleeps, and therefore by nobody who does
 *	one. Held for reading over one copy at most.
 * @chunks: struct ondemand_chunk by address
 * @attachments: struct ondemand_attachment: IO page tables that a part of the range
 *	belongs in; under the lock
 * @unsynced: of those, which have something that devices may still reach; likewise
 * @first: first address
 * @last: last one
 * @writable: pages may be written
 * @dead_mm: the process has gone
 * @dead: an IO page table has kept pages that were to be forgotten; no page is found any
 *	more, and those that are noted stay what they were
 * @around: pages that are looked at around one, a power of two
 * @window: what that is now; larger while pages are needed one behind the other
 * @next: where that would go on, after the pages that were needed last
 * @beyond: and after those that were looked at along with them
 * @drop_next: the next chunk to be dropped is looked for there; under the lock
 * @hits: for each CPU
 * @totals: of the IOAS that it was mapped in first
 * @stats: see enum ondemand_stat; ONDEMAND_HITS is in @hits
 * @turn: number of the last sum that has it; see ioas_ondemand.c
 * @refs: one until ondemand_destroy(), one of each attachment that has kept pages
 * @reports: combination of enum ondemand_report: what is to be told; under the lock, as
 *	all up to @unmap
 * @placed: @mapping is set, without which nothing is told
 * @mapping: what was mapped
 * @unmap: of ONDEMAND_REPORT_UNMAP
 * @report: tells it
 * @end: ends it
 */
struct ondemand {
	struct mmu_interval_notifier notifier;
	struct rw_semaphore lock;
	struct xarray chunks;
	struct rb_root attachments;
	struct list_head unsynced;
	unsigned long first;
	unsigned long last;
	bool writable;
	bool dead_mm;
	bool dead;
	unsigned int around;
	unsigned int window;
	unsigned long next;
	unsigned long beyond;
	unsigned long drop_next;
	u64 __percpu *hits;
	struct ondemand_totals *totals;
	atomic64_t stats[ONDEMAND_NR_STATS];
	unsigned long turn;
	refcount_t refs;
	unsigned int reports;
	bool placed;
	struct netlink_mapping mapping;
	struct netlink_unmap unmap;
	struct work_struct report;
	struct work_struct end;
};

/**
 * struct ondemand_loading - Pages that go into an IO page table
 * @domain: the table
 * @iova: where the first page that is needed goes
 * @address: its address; that of others follows from these two
 * @first: the first page that is needed, in the chunk
 * @last: the last one
 * @from: the first page that may go along
 * @to: the last one
 * @write: those that are needed will be written
 * @spare: what is noted of them; taken from there if it is the first time
 */
struct ondemand_loading {
	const struct domain *domain;
	unsigned long iova;
	unsigned long address;
	unsigned int first;
	unsigned int last;
	unsigned int from;
	unsigned int to;
	bool write;
	struct ondemand_load **spare;
};

static inline void ondemand_count(struct ondemand *od, enum ondemand_stat stat,
				  s64 n)
{
	atomic64_add(n, &od->stats[stat]);
}

/*
 * What is counted under the lock, held for writing, and nowhere else: a notification that
 * finds nothing should cost no more than that lock.
 */
static inline void ondemand_count_locked(struct ondemand *od,
					 enum ondemand_stat stat)
{
	lockdep_assert_held_write(&od->lock);
	atomic64_set(&od->stats[stat], atomic64_read(&od->stats[stat]) + 1);
}

/* For who holds the lock of the memory, and so nearly never loses one. */
static inline void ondemand_count_total(struct ondemand *od,
					enum ondemand_total total)
{
	raw_cpu_inc(od->totals->cpu->counts[total]);
}

/* The highest of several; two at once may lose one, which is no harm. */
static inline void ondemand_count_max(struct ondemand *od,
				      enum ondemand_stat stat, s64 n)
{
	if (n > atomic64_read(&od->stats[stat]))
		atomic64_set(&od->stats[stat], n);
}

/*
 * Where a tracepoint says that an address is: where it was mapped first. Whoever uses it
 * before it is known where that is says something else.
 */
static inline u64 ondemand_iova(const struct ondemand *od, unsigned long address)
{
	return READ_ONCE(od->mapping.iova) + (address - od->first);
}

static inline unsigned long ondemand_chunk_nr(unsigned long address)
{
	return address / ONDEMAND_CHUNK;
}

static inline unsigned int ondemand_page_nr(unsigned long address)
{
	return (address / PAGE_SIZE) % ONDEMAND_CHUNK_PAGES;
}

/* The pages of chunk @nr that lie in [@first, @last], which has some of it. */
static inline void ondemand_chunk_part(unsigned long nr, unsigned long first,
				       unsigned long last, unsigned int *from,
				       unsigned int *to)
{
	*from = nr == ondemand_chunk_nr(first) ? ondemand_page_nr(first) : 0;
	*to = nr == ondemand_chunk_nr(last) ? ondemand_page_nr(last) :
					      ONDEMAND_CHUNK_PAGES - 1;
}

/* ondemand.c */
struct ondemand_totals *ondemand_totals_create(void);
void ondemand_totals_put(struct ondemand_totals *totals);
u64 ondemand_total(const struct ondemand_totals *totals,
		   enum ondemand_total total);
struct ondemand *ondemand_create(unsigned long first, unsigned long length,
				 bool writable, unsigned int around,
				 struct ondemand_totals *totals);
void ondemand_destroy(struct ondemand *od);
void ondemand_put(struct ondemand *od);
void ondemand_placed(struct ondemand *od, const struct netlink_mapping *mapping);
void ondemand_report(struct ondemand *od, enum ondemand_report report);
void ondemand_report_unmap(struct ondemand *od, struct domain *domain,
			   const struct netlink_unmap *unmap);
void ondemand_query(struct ondemand *od, u64 *state, u64 *stats, bool reset);
void ondemand_sum(u64 *sum, const u64 *stats);
int ondemand_describe(const struct ondemand *od, struct sk_buff *skb);
bool ondemand_is_useless(const struct ondemand *od);
int ondemand_init(void);
void ondemand_exit(void);

/* ondemand_chunk.c */
struct ondemand_chunk *ondemand_chunk_find(struct ondemand *od,
					   unsigned long nr);
struct ondemand_chunk *ondemand_chunk_get(struct ondemand *od, unsigned long nr);
void ondemand_chunk_put(struct ondemand_chunk *chunk);
void ondemand_free_chunks(struct ondemand *od);

/* ondemand_table.c */
unsigned long ondemand_copy(struct ondemand *od, unsigned long address,
			    void *data, unsigned long length, bool write);
void ondemand_enter(struct ondemand *od, struct ondemand_chunk *chunk,
		    unsigned int from, unsigned int to,
		    const unsigned long *hmm_pfns);
void ondemand_mark_needed(struct ondemand *od, struct ondemand_chunk *chunk,
			  unsigned int from, unsigned int to);
unsigned long ondemand_zap(struct ondemand *od, unsigned long first,
			   unsigned long last, bool keep_readable, bool may_sleep);
int ondemand_note_pins(struct ondemand *od, unsigned long address,
		       unsigned long npages);
void ondemand_drop_pins(struct ondemand *od, unsigned long address,
			unsigned long npages);

/* ondemand_fault.c */
enum {
	ONDEMAND_FAULT_WRITE = 1 << 0,
	ONDEMAND_FAULT_PREFETCH = 1 << 1,
	ONDEMAND_FAULT_NOTHING = 1 << 2,
	ONDEMAND_FAULT_ENDLESS = 1 << 3,
};

long ondemand_fault(struct ondemand *od, unsigned long address,
		    unsigned long npages, unsigned int flags,
		    const struct domain *domain, unsigned long iova);
int ondemand_fault_until(struct ondemand *od, unsigned long address, bool write,
			 const struct domain *domain, unsigned long iova,
			 unsigned long deadline);

/* ondemand_load.c */
int ondemand_attach(struct ondemand *od, struct domain *domain,
		    unsigned long iova, unsigned long address,
		    unsigned long length, unsigned int prot,
		    unsigned long step);
void ondemand_detach(struct ondemand *od, const struct domain *domain,
		     unsigned long iova);
struct ondemand_load *ondemand_load_alloc(void);
void ondemand_load_free(struct ondemand_load *load);
int ondemand_load_pages(struct ondemand *od, struct ondemand_chunk *chunk,
			const struct ondemand_loading *loading);
void ondemand_unload(struct ondemand *od, unsigned long first,
		     unsigned long last, bool keep_readable, bool may_sleep);
bool ondemand_has_notes(const struct ondemand_chunk *chunk);
void ondemand_free_loads(struct ondemand_chunk *chunk);
void ondemand_release_kept(struct domain *domain);

/* ondemand_log.c */
int ondemand_read_log(struct ondemand *od, const struct domain *domain,
		      unsigned long iova, unsigned long address,
		      unsigned long length, bool clear,
		      int (*record)(void *opaque, unsigned long iova,
				    size_t length),
		      void *opaque);

/* For the test module */
void ondemand_set_hold_ms(unsigned int ms);
void ondemand_set_retries(unsigned int n);
void ondemand_set_nomem(unsigned int n);

#else /* !IOMMUKIT_HAS_ONDEMAND: there is none, so none of this is called */

struct ondemand;
struct ondemand_totals;
struct domain;
struct sk_buff;

enum {
	ONDEMAND_FAULT_WRITE = 1 << 0,
};

enum ondemand_total {
	ONDEMAND_TOTAL_FAULTS,
	ONDEMAND_TOTAL_INVALIDATIONS,
};

static inline void ondemand_totals_put(struct ondemand_totals *totals)
{
}

static inline u64 ondemand_total(const struct ondemand_totals *totals,
				 enum ondemand_total total)
{
	return 0;
}

static inline int ondemand_describe(const struct ondemand *od,
				    struct sk_buff *skb)
{
	return 0;
}

static inline bool ondemand_is_useless(const struct ondemand *od)
{
	return false;
}

static inline long ondemand_fault(struct ondemand *od, unsigned long address,
				  unsigned long npages, unsigned int flags,
				  const struct domain *domain,
				  unsigned long iova)
{
	return -EOPNOTSUPP;
}

static inline int ondemand_fault_until(struct ondemand *od,
				       unsigned long address, bool write,
				       const struct domain *domain,
				       unsigned long iova,
				       unsigned long deadline)
{
	return -EOPNOTSUPP;
}

static inline int ondemand_attach(struct ondemand *od, struct domain *domain,
				  unsigned long iova, unsigned long address,
				  unsigned long length, unsigned int prot,
				  unsigned long step)
{
	return -EOPNOTSUPP;
}

static inline void ondemand_detach(struct ondemand *od,
				   const struct domain *domain,
				   unsigned long iova)
{
}

static inline void ondemand_release_kept(struct domain *domain)
{
}

static inline int ondemand_read_log(struct ondemand *od,
				    const struct domain *domain,
				    unsigned long iova, unsigned long address,
				    unsigned long length, bool clear,
				    int (*record)(void *opaque,
						  unsigned long iova,
						  size_t length),
				    void *opaque)
{
	return 0;
}

static inline int ondemand_init(void)
{
	return 0;
}

static inline void ondemand_exit(void)
{
}

static inline void ondemand_set_hold_ms(unsigned int ms)
{
}

static inline void ondemand_set_retries(unsigned int n)
{
}

static inline void ondemand_set_nomem(unsigned int n)
{
}

#endif

#endif /* IOMMUKIT_ONDEMAND_H */

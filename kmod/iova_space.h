/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IOVA space: which IOVA stand for which bytes of which pages object, which may
 * be used, and who must be asked before they go.
 */
#ifndef IOMMUKIT_IOVA_SPACE_H
#define IOMMUKIT_IOVA_SPACE_H

#include <linux/list.h>
#include <linux/maple_tree.h>
#include <linux/rbtree.h>
#include <linux/rwsem.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/xarray.h>

struct area_log;
struct domain;
struct iommukit_iova_range;
struct pages;

/* Permissions of an area */
enum {
	IOVA_READ = 1 << 0,
	IOVA_WRITE = 1 << 1,
};

/*
 * In both counts of an area that drivers may not enter: it is not all there yet,
 * or an unmap waits for the counts to fall. Whoever then makes one 0 wakes it.
 */
#define IOVA_AREA_CLOSED INT_MIN

/*
 * Besides in the busy count of an area that a cut has closed: drivers wait, for two
 * others take its place, or it opens again.
 */
#define IOVA_AREA_CUT (1 << 30)

/**
 * struct iova_area - A stretch of IOVA made by one map or copy command
 * @iova: first IOVA
 * @last: last IOVA
 * @pages: what it stands for; holds a reference
 * @offset: byte of @pages that @iova stands for
 * @next: links areas that are not in a space yet
 * @rcu: for freeing it after the last iova_area_get() that may have seen it
 * @pins: pins of drivers. Raised while @busy is, dropped anywhere.
 * @busy: calls at work on the area. Raised and dropped without a lock. The area
 *	cannot go while either is not 0.
 * @prot: IOVA_READ, IOVA_WRITE
 * @revoked: an unmap asked drivers to unpin it; it stays closed even if they do
 *	not
 * @setup: its mapping thread has not yet put it into the domains, nor opened it
 * @going: an unmap takes it out of the domains, without a lock, and then away
 * @held: its pages are pinned for the domains
 * @lost: for ever, since a domain kept a part of it
 * @in_moving: it is in iova_space.moving; says so if @turn is the space's
 * @turn: see iova_domain.c
 * @log: what was written, or NULL; see iova_log.c
 */
struct iova_area {
	unsigned long iova;
	unsigned long last;
	struct pages *pages;
	unsigned long offset;
	union {
		struct iova_area *next;
		struct rcu_head rcu;
	};
	atomic_t pins;
	atomic_t busy;
	u8 prot;
	bool revoked;
	bool setup;
	bool going;
	bool held;
	bool lost;
	bool in_moving;
	unsigned long turn;
	struct area_log __rcu *log;
};

/**
 * struct iova_domain - A domain that mirrors a space
 * @link: in the list of the space
 * @domain: the IO page table
 */
struct iova_domain {
	struct list_head link;
	struct domain *domain;
};

/**
 * struct iova_space - The map
 * @domains_lock: read by those who put areas into domains or take them out;
 *	written when @domains or what is moving changes, for a moment
 * @domains: struct iova_domain: who mirrors the space. Changes under both locks.
 * @moving: the one that is being filled or emptied
 * @moving_default: the areas that it has not come to are in it
 * @leaving: @moving is being emptied
 * @turn: number of the last move
 * @lock: protects all but the above, @members, @pin_drops and the counts of areas
 * @areas: struct iova_area by IOVA; also finds gaps. May be walked under RCU.
 * @recent: the area entered last, which most often is the next one as well, or
 *	NULL. Set by those who are in it, so never to an area that was erased.
 * @allowed: where automatic placement may go, if not empty; no overlaps
 * @reserved: where nothing may be mapped; may overlap each other
 * @alignment: of IOVA, length and offset in the page of every area
 * @no_huge: map page by page
 * @ctx_id: number of its context, and
 * @ioas_id: id of its IOAS, for those who are told of areas
 * @changes: counts areas that come, are there, and go, from some number on that another
 *	space is not likely to have
 * @nr_areas: areas in @areas
 * @mapped: bytes of them
 * @logging: areas have logs
 * @dirtied: marks that were set in the logs since there are any
 * @page_members: members that need alignment to pages
 * @members: who pins pages of this space; its spinlock protects them
 * @pin_drops: counts events that an unmap may be waiting for
 * @wait: woken at each of them
 */
struct iova_space {
	struct rw_semaphore domains_lock;
	struct list_head domains;
	struct iova_domain *moving;
	bool moving_default;
	bool leaving;
	unsigned long turn;
	struct rw_semaphore lock;
	struct maple_tree areas;
	struct iova_area __rcu *recent;
	struct rb_root_cached allowed;
	struct rb_root_cached reserved;
	unsigned long alignment;
	bool no_huge;
	u32 ctx_id;
	u32 ioas_id;
	u32 changes;
	unsigned long nr_areas;
	unsigned long mapped;
	bool logging;
	atomic64_t dirtied;
	unsigned int page_members;
	struct xarray members;
	atomic_t pin_drops;
	wait_queue_head_t wait;
};

/**
 * struct iova_member_ops - How to ask a member to unpin
 * @holds: whether it has pins in [first, last]. Called under the members' lock.
 * @unmap: ask it to unpin; returns when it answered. No lock is held.
 * @mark: mark in the log what it has pinned for writing in [first, last]. Called
 *	under the members' lock.
 */
struct iova_member_ops {
	bool (*holds)(void *owner, unsigned long first, unsigned long last);
	void (*unmap)(void *owner, unsigned long iova, unsigned long length);
	void (*mark)(void *owner, unsigned long first, unsigned long last);
};

/**
 * struct iova_member - Somebody who pins pages of a space
 * @ops: its answers
 * @owner: argument for them
 * @needs_page_alignment: it pins whole pages
 * @slot: where it is in the space's members
 * @notifying: running calls of iova_member_ops.unmap
 * @active: it works in this space, no longer in the one it comes from
 * @leaving: it unpins everything by itself; do not call it any more
 */
struct iova_member {
	const struct iova_member_ops *ops;
	void *owner;
	bool needs_page_alignment;
	u32 slot;
	unsigned int notifying;
	bool active;
	bool leaving;
};

void iova_space_init(struct iova_space *space, u32 ctx_id, u32 ioas_id);
void iova_space_destroy(struct iova_space *space);

struct iova_area *iova_area_alloc(struct pages *pages, unsigned long offset,
				  unsigned long length, u8 prot);
void iova_area_free(struct iova_area *area);
void iova_areas_free(struct iova_area *areas);
void iova_area_count(struct iova_space *space, const struct iova_area *area,
		     bool there);
void iova_area_came(struct iova_space *space, const struct iova_area *area);
void iova_area_gone(struct iova_space *space, const struct iova_area *area);
void iova_area_no_map(const struct iova_space *space, unsigned long iova,
		      unsigned long length, int error);
void iova_area_no_unmap(const struct iova_space *space, unsigned long first,
			unsigned long last, int error);
void iova_area_erase(struct iova_space *space, const struct iova_area *area);
int iova_space_insert(struct iova_space *space, struct iova_area *areas,
		      unsigned long length, unsigned long hint, bool fixed,
		      unsigned long *iova);
int iova_space_collect(struct iova_space *space, unsigned long iova,
		       unsigned long length, u8 prot, struct iova_area **out);
int iova_space_reach(struct iova_space *space, unsigned long first,
		     unsigned long last, unsigned long *reach);
struct iova_area *iova_space_find(struct iova_space *space, unsigned long first,
				  unsigned long last);
struct iova_area *iova_space_lookup(struct iova_space *space,
				    unsigned long iova);
struct iova_area *iova_area_get(struct iova_space *space, unsigned long iova);
struct iova_area *iova_area_get_now(struct iova_space *space, unsigned long iova);
void iova_space_erase(struct iova_space *space, struct iova_area *area);
int iova_area_split(struct iova_space *space, struct iova_area *area,
		    unsigned long last);

int iova_space_allow(struct iova_space *space, struct rb_root_cached *allowed);
int iova_space_reserve(struct iova_space *space, unsigned long first,
		       unsigned long last, const void *owner);
void iova_space_unreserve(struct iova_space *space, const void *owner);
int iova_space_usable(struct iova_space *space,
		      struct iommukit_iova_range **ranges, u32 max, u32 *count);
int iova_space_set_no_huge(struct iova_space *space, bool no_huge);

int iova_ranges_add(struct rb_root_cached *root, unsigned long first,
		    unsigned long last, const void *owner);
bool iova_ranges_intersect(struct rb_root_cached *root, unsigned long first,
			   unsigned long last);
void iova_ranges_free(struct rb_root_cached *root);

int iova_place(struct iova_space *space, unsigned long length,
	       unsigned long hint, unsigned long *iova);

int iova_space_join(struct iova_space *space, struct iova_member *member);
void iova_member_activate(struct iova_space *space, struct iova_member *member);
void iova_member_stop(struct iova_space *space, struct iova_member *member);
void iova_space_leave(struct iova_space *space, struct iova_member *member);
int iova_space_unmap(struct iova_space *space, unsigned long first,
		     unsigned long last, unsigned long *unmapped);
void iova_area_unpinned(struct iova_space *space, struct iova_area *area);
void iova_area_idle(struct iova_space *space, struct iova_area *area);
void iova_space_pins_changed(struct iova_space *space);

int iova_space_cut(struct iova_space *space, unsigned long last);
int iova_cut_wait(struct iova_space *space, unsigned long iova);

int iova_align_page_members(struct iova_space *space, int change);
int iova_update_alignment(struct iova_space *space);
unsigned long iova_space_page_sizes(const struct iova_space *space);
int iova_reserve_locked(struct iova_space *space, unsigned long first,
			unsigned long last, const void *owner);
void iova_unreserve_locked(struct iova_space *space, const void *owner);

int iova_space_add_domain(struct iova_space *space, struct iova_domain *d);
void iova_space_remove_domain(struct iova_space *space, struct iova_domain *d);
int iova_areas_enter_domains(struct iova_space *space, struct iova_area *areas);
bool iova_areas_leave_domains(struct iova_space *space,
			      struct iova_area *areas);
int iova_area_hold_parts(const struct iova_area *area, struct iova_area *low,
			 struct iova_area *high);
void iova_area_unhold(struct iova_area *area);

int iova_space_start_log(struct iova_space *space);
void iova_space_stop_log(struct iova_space *space);
void iova_space_watch_domain(struct iova_space *space, struct domain *domain,
			     bool on);
int iova_area_add_log(struct iova_space *space, struct iova_area *area,
		      bool marked);
void iova_area_free_log(struct iova_area *area);
void iova_area_mark(struct iova_area *area, unsigned long first,
		    unsigned long last);
int iova_space_read_log(struct iova_space *space, unsigned long first,
			unsigned long last, bool clear,
			int (*record)(void *opaque, unsigned long iova,
				      size_t length),
			void *opaque);

bool iova_space_has_ondemand(struct iova_space *space);
bool iova_space_faults(const struct iova_space *space);
int iova_space_fault(struct iova_space *space, const struct domain *domain,
		     unsigned long *iova, unsigned long last, bool write);
int iova_space_fault_now(struct iova_space *space, unsigned long iova,
			 unsigned int prot, struct pages **pages,
			 unsigned long *address);
bool iova_space_shows(struct iova_space *space, unsigned long iova,
		      const struct pages *pages, unsigned long address);
int iova_space_read_unloaded(struct iova_space *space,
			     const struct domain *domain, unsigned long first,
			     unsigned long last, bool clear,
			     int (*record)(void *opaque, unsigned long iova,
					   size_t length),
			     void *opaque);

int iova_cache_create(void);
void iova_cache_destroy(void);

#endif /* IOMMUKIT_IOVA_SPACE_H */

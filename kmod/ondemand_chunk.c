// SPDX-License-Identifier: GPL-2.0-only
/*
 * The chunks of on-demand memory: how they come, and go.
 *
 * They come when they are first needed, outside of the lock, and go with the memory, or
 * before if there is a limit: what is in them can be found again. Notifications neither
 * make nor free any.
 *
 * Everybody who looks at a chunk has the lock, or is one of the chunk's users. There is
 * a first one only under the lock, or in a chunk that is just being made: so one that
 * has no user under the lock for writing is nobody else's.
 */
#include <linux/atomic.h>
#include <linux/jiffies.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "fail.h"
#include "ondemand.h"

/* Of so many chunks one goes: it takes no longer in a large table. */
#define LOOKED_AT 16

/* So many go when one comes: more than one, or a lower limit would not be reached. */
#define DROPPED_AT_ONCE 2

static unsigned long ondemand_table_bytes;
module_param(ondemand_table_bytes, ulong, 0644);
MODULE_PARM_DESC(ondemand_table_bytes,
		 "Bytes that the table of each on-demand mapping is kept to; 0: no limit (0)");

static struct ondemand_chunk *chunk_alloc(void)
{
	struct ondemand_chunk *chunk =
		fail_alloc(kzalloc(sizeof(*chunk), GFP_KERNEL_ACCOUNT));

	if (!chunk)
		return NULL;
	chunk->pfns = fail_alloc(kmalloc_array(ONDEMAND_CHUNK_PAGES,
					       sizeof(*chunk->pfns),
					       GFP_KERNEL_ACCOUNT));
	if (!chunk->pfns) {
		kfree(chunk);
		return NULL;
	}
	atomic_set(&chunk->users, 1);
	chunk->used = jiffies;
	return chunk;
}

/* No domain has any of it. */
static void chunk_free(struct ondemand_chunk *chunk)
{
	ondemand_free_loads(chunk);
	kfree(chunk->pfns);
	kfree(chunk);
}

static size_t chunk_size(void)
{
	return sizeof(struct ondemand_chunk) +
	       ONDEMAND_CHUNK_PAGES * sizeof(unsigned long);
}

static void count_chunks(struct ondemand *od, s64 n)
{
	ondemand_count(od, ONDEMAND_CHUNKS, n);
	ondemand_count(od, ONDEMAND_TABLE_BYTES, n * (s64)chunk_size());
}

/* ---- the limit ---- */

static bool is_idle(const struct ondemand_chunk *chunk)
{
	/* Pairs with the release in ondemand_chunk_put(). */
	return !atomic_read_acquire(&chunk->users) &&
	       bitmap_empty(chunk->pinned, ONDEMAND_CHUNK_PAGES) &&
	       !ondemand_has_notes(chunk);
}

/* That of the next few which has not been used for longest. */
static struct ondemand_chunk *find_idle(struct ondemand *od, unsigned long *at)
{
	struct ondemand_chunk *chunk, *found = NULL;
	unsigned int looked_at = 0;
	unsigned long nr;

	xa_for_each_start(&od->chunks, nr, chunk, od->drop_next) {
		if (looked_at++ == LOOKED_AT)
			break;
		if (!is_idle(chunk))
			continue;
		if (found && !time_before(READ_ONCE(chunk->used),
					  READ_ONCE(found->used)))
			continue;
		found = chunk;
		*at = nr;
	}
	/* After the last one comes the first. */
	od->drop_next = chunk ? nr : 0;
	return found;
}

/* Returns whether there was one that could go. */
static bool drop_one(struct ondemand *od)
{
	struct ondemand_chunk *chunk;
	unsigned long nr;

	down_write(&od->lock);
	chunk = find_idle(od, &nr);
	if (chunk) {
		ondemand_zap(od, nr * ONDEMAND_CHUNK,
			     nr * ONDEMAND_CHUNK + ONDEMAND_CHUNK - 1, false,
			     false);
		/* Domains may have kept pages, or devices have written to them. */
		if (ondemand_has_notes(chunk)) {
			chunk = NULL;
		} else {
			xa_erase(&od->chunks, nr);
			count_chunks(od, -1);
		}
	}
	up_write(&od->lock);
	if (chunk)
		chunk_free(chunk);
	return chunk;
}

static bool is_full(struct ondemand *od)
{
	unsigned long limit = READ_ONCE(ondemand_table_bytes);

	return limit && atomic64_read(&od->stats[ONDEMAND_TABLE_BYTES]) +
			chunk_size() > limit;
}

/* Before one comes. If nothing can go now, it will another time. */
static void make_room(struct ondemand *od)
{
	unsigned int n;

	for (n = 0; n < DROPPED_AT_ONCE && is_full(od); n++)
		if (!drop_one(od))
			return;
}

/* ---- coming and going ---- */

/**
 * ondemand_chunk_find - become a user of a chunk, if it is there
 * @od: the memory
 * @nr: its number
 *
 * Context: may sleep; the lock is not held.
 * Return: the chunk, for ondemand_chunk_put(), or NULL.
 */
struct ondemand_chunk *ondemand_chunk_find(struct ondemand *od, unsigned long nr)
{
	struct ondemand_chunk *chunk;

	down_read(&od->lock);
	chunk = xa_load(&od->chunks, nr);
	if (chunk) {
		atomic_inc(&chunk->users);
		WRITE_ONCE(chunk->used, jiffies);
	}
	up_read(&od->lock);
	return chunk;
}

/**
 * ondemand_chunk_get - become a user of a chunk, which is made if need be
 * @od: the memory
 * @nr: its number
 *
 * Others may have to go for it.
 *
 * Context: may sleep; the lock is not held.
 * Return: the chunk, for ondemand_chunk_put(), or NULL if there is no memory.
 */
struct ondemand_chunk *ondemand_chunk_get(struct ondemand *od, unsigned long nr)
{
	struct ondemand_chunk *chunk, *fresh;
	int rc;

	for (;;) {
		chunk = ondemand_chunk_find(od, nr);
		if (chunk)
			return chunk;
		make_room(od);
		fresh = chunk_alloc();
		if (!fresh)
			return NULL;
		rc = fail_point(-ENOMEM) ?:
		     xa_insert(&od->chunks, nr, fresh, GFP_KERNEL_ACCOUNT);
		if (!rc) {
			count_chunks(od, 1);
			return fresh;
		}
		chunk_free(fresh);
		/* Another one came first, and may have gone again. */
		if (rc != -EBUSY)
			return NULL;
	}
}

/**
 * ondemand_chunk_put - undo ondemand_chunk_get() or ondemand_chunk_find()
 * @chunk: what it returned
 *
 * Context: any.
 */
void ondemand_chunk_put(struct ondemand_chunk *chunk)
{
	/* Pairs with is_idle(). */
	atomic_fetch_dec_release(&chunk->users);
}

/**
 * ondemand_free_chunks - free the table
 * @od: memory that nobody uses, of which no change is announced any more, and no domain
 *	has kept a page
 *
 * Context: may sleep.
 */
void ondemand_free_chunks(struct ondemand *od)
{
	struct ondemand_chunk *chunk;
	unsigned long nr;

	xa_for_each(&od->chunks, nr, chunk) {
		WARN_ON_ONCE(!RB_EMPTY_ROOT(&chunk->loads));
		chunk_free(chunk);
		cond_resched();
	}
	xa_destroy(&od->chunks);
}

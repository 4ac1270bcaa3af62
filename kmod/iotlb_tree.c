// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tree of iotlb_tree.h. Readers walk it under RCU, one writer at a time changes it.
 *
 * How a node is divided never changes: to divide a slot is to make a new node, which
 * leaves out what the old one does not need any more, and to publish that. What is in a
 * slot is one word, that is replaced in place: so to take something out needs no memory
 * and cannot fail. A reader finds what a slot has now or had before.
 *
 * A slot of an inner node always leads to a node, and a leaf has at least one entry. A
 * node that becomes empty goes at once; its slot gets the node beside it, where nothing
 * is found that goes so far.
 */
#include "iotlb_tree.h"

#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "fail.h"
#include "iotlb_table.h"

static struct kmem_cache *node_cache;

/* ---- nodes ---- */

static void *slot_of(const struct iotlb_node *node, unsigned int i)
{
	/* Under RCU, or by the one who writes. */
	return rcu_dereference_raw(node->slot[i]);
}

static void node_free_rcu(struct rcu_head *rcu)
{
	kmem_cache_free(node_cache, container_of(rcu, struct iotlb_node, rcu));
	atomic_long_dec(&iotlb_nr_deferred);
}

static void node_retire(struct iotlb_node *node)
{
	atomic_long_inc(&iotlb_nr_deferred);
	call_rcu(&node->rcu, node_free_rcu);
}

static bool node_is_empty(const struct iotlb_node *node)
{
	unsigned int i;

	for (i = 0; i < node->nr; i++)
		if (slot_of(node, i))
			return false;
	return true;
}

static void node_free(struct iotlb_node *node)
{
	if (node)
		kmem_cache_free(node_cache, node);
}

/* The last IOVA of a slot; for the last one, what is above knows better. */
static u64 slot_end(const struct iotlb_node *node, unsigned int i)
{
	return i < IOTLB_NODE_SLOTS - 1 ? node->end[i] : U64_MAX;
}

/* ---- drafts ---- */

/**
 * struct draft - Slots that may be too many for one node
 * @nr: how many
 * @end: last IOVA of each
 * @slot: what is in them
 */
struct draft {
	unsigned int nr;
	u64 end[IOTLB_NODE_SLOTS + 2];
	void *slot[IOTLB_NODE_SLOTS + 2];
};

static void draft_add(struct draft *draft, u64 end, void *slot)
{
	draft->end[draft->nr] = end;
	draft->slot[draft->nr++] = slot;
}

/* Slots [from, to) of a node; those that need not be apart become one. */
static void draft_add_node(struct draft *draft, const struct iotlb_node *node,
			   unsigned int from, unsigned int to)
{
	void *before = NULL, *slot;
	unsigned int i;

	for (i = from; i < to; i++) {
		slot = slot_of(node, i);
		if (i == from || (slot && before && slot != before)) {
			draft_add(draft, slot_end(node, i), slot);
			before = slot;
			continue;
		}
		before = before ?: slot;
		draft->end[draft->nr - 1] = slot_end(node, i);
		draft->slot[draft->nr - 1] = before;
	}
}

/* A node of slots [from, to); NULL if there is no memory. */
static struct iotlb_node *draft_node(const struct draft *draft, u8 level,
				     unsigned int from, unsigned int to,
				     gfp_t gfp)
{
	struct iotlb_node *node;
	unsigned int i;

	node = fail_alloc(kmem_cache_zalloc(node_cache, gfp));
	if (!node)
		return NULL;
	node->level = level;
	node->nr = to - from;
	for (i = 0; i < node->nr; i++)
		RCU_INIT_POINTER(node->slot[i], draft->slot[from + i]);
	for (i = 0; i < IOTLB_NODE_SLOTS - 1; i++)
		node->end[i] = i + 1 < node->nr ? draft->end[from + i] : U64_MAX;
	return node;
}

/* ---- paths ---- */

/**
 * struct tree_step - Where a path goes through a node
 * @node: the node; NULL if there is none yet
 * @from: first slot of those, side by side, that lead on
 * @to: last one
 * @fresh: one or two nodes that are to take its place
 */
struct tree_step {
	struct iotlb_node *node;
	unsigned int from;
	unsigned int to;
	struct iotlb_node *fresh[2];
};

/**
 * struct tree_path - The way to a leaf
 * @top: level of the root
 * @first: first IOVA of the leaf
 * @last: last one
 * @steps: by level
 */
struct tree_path {
	unsigned int top;
	u64 first;
	u64 last;
	struct tree_step steps[IOTLB_TREE_LEVELS];
};

/* Returns the leaf, or NULL if the tree is empty. */
static struct iotlb_node *path_find(const struct iotlb_tree *tree, u64 iova,
				    struct tree_path *path)
{
	struct iotlb_node *node = rcu_dereference_raw(tree->root);
	struct tree_step *step = path->steps;

	path->top = node ? node->level : 0;
	path->first = 0;
	path->last = U64_MAX;
	step->node = NULL;
	while (node) {
		void *slot;

		step = &path->steps[node->level];
		step->node = node;
		step->from = iotlb_node_find(node, iova);
		step->to = step->from;
		if (!node->level)
			return node;
		slot = slot_of(node, step->from);
		while (step->from && slot_of(node, step->from - 1) == slot)
			step->from--;
		while (step->to + 1 < node->nr &&
		       slot_of(node, step->to + 1) == slot)
			step->to++;
		if (step->from)
			path->first = node->end[step->from - 1] + 1;
		path->last = min(path->last, slot_end(node, step->to));
		node = slot;
	}
	return NULL;
}

/* The bounds of slots of the leaf */
static u64 path_slot_first(const struct tree_path *path, unsigned int i)
{
	return i ? path->steps[0].node->end[i - 1] + 1 : path->first;
}

static u64 path_slot_last(const struct tree_path *path, unsigned int i)
{
	return min(path->last, slot_end(path->steps[0].node, i));
}

/* What leads to a level leads to another node from now on. */
static void path_publish(struct iotlb_tree *tree, const struct tree_path *path,
			 unsigned int level, struct iotlb_node *node)
{
	const struct tree_step *above = &path->steps[level + 1];
	unsigned int i;

	if (level == path->top) {
		rcu_assign_pointer(tree->root, node);
		return;
	}
	for (i = above->from; i <= above->to; i++)
		rcu_assign_pointer(above->node->slot[i], node);
}

/* New nodes of a level, with slots replaced by others. @split: the end of the first one. */
static int step_renew(struct tree_step *step, const struct draft *add, u8 level,
		      u64 *split, gfp_t gfp)
{
	struct draft draft = {};
	unsigned int i, half;

	step->fresh[0] = NULL;
	step->fresh[1] = NULL;
	if (step->node)
		draft_add_node(&draft, step->node, 0, step->from);
	for (i = 0; i < add->nr; i++)
		draft_add(&draft, add->end[i], add->slot[i]);
	if (step->node)
		draft_add_node(&draft, step->node, step->to + 1, step->node->nr);
	half = draft.nr;
	if (half > IOTLB_NODE_SLOTS)
		/* What comes in order fills nodes. */
		half = step->to + 1 < step->node->nr ? half / 2 :
						       IOTLB_NODE_SLOTS - 1;
	*split = draft.end[half - 1];
	step->fresh[0] = draft_node(&draft, level, 0, half, gfp);
	if (!step->fresh[0])
		return -ENOMEM;
	if (half == draft.nr)
		return 0;
	step->fresh[1] = draft_node(&draft, level, half, draft.nr, gfp);
	return step->fresh[1] ? 0 : -ENOMEM;
}

/* @level: gets the level up to which there are new nodes for those of the path. */
static int path_renew(struct tree_path *path, struct draft *add,
		      unsigned int *level, gfp_t gfp)
{
	struct tree_step *step;
	u64 split;
	int rc;

	for (*level = 0;; ++*level) {
		step = &path->steps[*level];
		rc = step_renew(step, add, *level, &split, gfp);
		if (rc || !step->fresh[1])
			return rc;
		if (*level == path->top) {
			if (path->top == IOTLB_TREE_LEVELS - 1)
				return -ENOMEM;
			path->steps[++path->top].node = NULL;
		}
		add->nr = 0;
		draft_add(add, split, step->fresh[0]);
		step++;
		draft_add(add, step->node ? slot_end(step->node, step->to) : U64_MAX,
			  step[-1].fresh[1]);
	}
}

/*
 * Replace slots of the leaf, those of its step, by others; the caller has no use for them
 * then. Returns -ENOMEM, and nothing has changed.
 */
static int path_replace(struct iotlb_tree *tree, struct tree_path *path,
			struct draft *add, gfp_t gfp)
{
	unsigned int level, i;
	struct tree_step *step;
	int rc = path_renew(path, add, &level, gfp);

	if (!rc)
		path_publish(tree, path, level, path->steps[level].fresh[0]);
	for (i = 0; i <= level; i++) {
		step = &path->steps[i];
		if (rc) {
			node_free(step->fresh[0]);
			node_free(step->fresh[1]);
		} else if (step->node) {
			node_retire(step->node);
		}
	}
	return rc;
}

/* The leaf is empty: what leads to it leads to a neighbour. */
static void path_prune(struct iotlb_tree *tree, struct tree_path *path)
{
	struct iotlb_node *beside = NULL;
	unsigned int level, i;

	for (level = 0; level < path->top; level++) {
		const struct tree_step *above = &path->steps[level + 1];

		if (above->from)
			beside = slot_of(above->node, above->from - 1);
		else if (above->to + 1 < above->node->nr)
			beside = slot_of(above->node, above->to + 1);
		if (beside)
			break;
	}
	path_publish(tree, path, level, beside);
	for (i = 0; i <= level; i++)
		node_retire(path->steps[i].node);
}

/* ---- looking ---- */

/**
 * iotlb_tree_next - find the first entry of which something is in a range
 * @tree: the tree
 * @first: first IOVA
 * @last: last one
 *
 * Context: any but NMI; under RCU, or nobody changes the tree.
 * Return: the entry or NULL.
 */
struct iotlb_entry *iotlb_tree_next(const struct iotlb_tree *tree, u64 first,
				    u64 last)
{
	const struct iotlb_node *node;
	struct iotlb_entry *entry;
	unsigned int i;
	u64 end;

	for (;; first = end + 1) {
		end = U64_MAX;
		node = rcu_dereference_raw(tree->root);
		while (node && node->level) {
			i = iotlb_node_find(node, first);
			end = min(end, slot_end(node, i));
			node = slot_of(node, i);
		}
		for (i = node ? iotlb_node_find(node, first) : 0;
		     node && i < node->nr; i++) {
			entry = slot_of(node, i);
			if (entry && READ_ONCE(entry->last) >= first)
				return READ_ONCE(entry->first) <= last ? entry :
									 NULL;
		}
		if (end >= last)
			return NULL;
	}
}

/**
 * iotlb_tree_after - go on to the next entry of a range
 * @tree: the tree
 * @entry: an entry
 * @last: last IOVA
 *
 * Context: as iotlb_tree_next().
 * Return: the next entry or NULL.
 */
struct iotlb_entry *iotlb_tree_after(const struct iotlb_tree *tree,
				     const struct iotlb_entry *entry, u64 last)
{
	u64 end = READ_ONCE(entry->last);

	return end < last ? iotlb_tree_next(tree, end + 1, last) : NULL;
}

/* ---- changes ---- */

/* What the slots of a leaf from an IOVA on are to have in [first, last]. */
static void leaf_fill(const struct tree_path *path, u64 first, u64 last,
		      struct iotlb_entry *entry)
{
	struct iotlb_node *leaf = path->steps[0].node;
	unsigned int i;

	for (i = path->steps[0].from; i < leaf->nr; i++) {
		struct iotlb_entry *old = slot_of(leaf, i);
		u64 start = path_slot_first(path, i);

		if (start > last)
			break;
		/* Something of it stays in this slot. */
		if (old && old->first < first && start < first)
			continue;
		if (old && old->last > last && path_slot_last(path, i) > last)
			continue;
		rcu_assign_pointer(leaf->slot[i], entry);
	}
}

/* Nothing has to be divided any more. */
static void tree_fill(struct iotlb_tree *tree, u64 first, u64 last,
		      struct iotlb_entry *entry)
{
	struct tree_path path;
	u64 at = first;

	while (path_find(tree, at, &path)) {
		leaf_fill(&path, first, last, entry);
		if (!entry && node_is_empty(path.steps[0].node))
			path_prune(tree, &path);
		if (path.last >= last)
			break;
		at = path.last + 1;
		cond_resched();
	}
}

/* Whether what is in a slot of the leaf begins before a range, or ends behind it. */
static bool sticks_out_left(const struct tree_path *path, unsigned int i, u64 first)
{
	const struct iotlb_entry *entry = slot_of(path->steps[0].node, i);

	return entry && entry->first < first && path_slot_first(path, i) < first;
}

static bool sticks_out_right(const struct tree_path *path, unsigned int i, u64 last)
{
	const struct iotlb_entry *entry = slot_of(path->steps[0].node, i);

	return entry && entry->last > last && path_slot_last(path, i) > last;
}

/* A slot is to end with @last, unless what is in it does. */
static int divide_after(struct iotlb_tree *tree, u64 last, gfp_t gfp)
{
	struct iotlb_entry *entry;
	struct draft add = {};
	struct tree_path path;
	unsigned int i;

	path_find(tree, last, &path);
	i = path.steps[0].from;
	if (!sticks_out_right(&path, i, last))
		return 0;
	entry = slot_of(path.steps[0].node, i);
	draft_add(&add, last, entry->first <= last ? entry : NULL);
	draft_add(&add, slot_end(path.steps[0].node, i), entry);
	return path_replace(tree, &path, &add, gfp);
}

/* The leaf of the path is changed for an entry, up to its own end or that of the entry. */
static int divide_for(struct iotlb_tree *tree, struct tree_path *path,
		      struct iotlb_entry *entry, gfp_t gfp)
{
	struct tree_step *step = &path->steps[0];
	bool ends = entry->last <= path->last, left, right;
	struct draft add = {};
	unsigned int to;

	to = ends ? iotlb_node_find(step->node, entry->last) : step->node->nr - 1;
	left = sticks_out_left(path, step->from, entry->first);
	right = ends && sticks_out_right(path, to, entry->last);
	if (!left && !right)
		return 0;
	if (left)
		draft_add(&add, entry->first - 1, slot_of(step->node, step->from));
	draft_add(&add, right ? entry->last : slot_end(step->node, to), entry);
	if (right)
		draft_add(&add, slot_end(step->node, to), slot_of(step->node, to));
	step->to = to;
	return path_replace(tree, path, &add, gfp);
}

/**
 * iotlb_tree_store - put an entry in
 * @tree: the tree; nobody else changes it
 * @entry: the entry; none that is there begins before and ends behind it
 * @gfp: what memory may be had
 *
 * Others are not found in its place any more; the caller makes them shorter, or frees
 * them, then.
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM, and nothing has changed for readers.
 */
int iotlb_tree_store(struct iotlb_tree *tree, struct iotlb_entry *entry,
		     gfp_t gfp)
{
	struct draft add = {};
	struct tree_path path;
	int rc;

	if (!path_find(tree, entry->first, &path)) {
		draft_add(&add, U64_MAX, entry);
		return path_replace(tree, &path, &add, gfp);
	}
	if (entry->last > path.last) {
		rc = divide_after(tree, entry->last, gfp);
		if (rc)
			return rc;
		path_find(tree, entry->first, &path);
	}
	rc = divide_for(tree, &path, entry, gfp);
	if (rc)
		return rc;
	tree_fill(tree, entry->first, entry->last, entry);
	return 0;
}

/**
 * iotlb_tree_erase - take out what is in a range
 * @tree: the tree; nobody else changes it
 * @first: first IOVA
 * @last: last one
 *
 * Entries that begin before it or end behind it stay as they are; the caller makes them
 * shorter then. None does both.
 *
 * Context: may sleep.
 */
void iotlb_tree_erase(struct iotlb_tree *tree, u64 first, u64 last)
{
	tree_fill(tree, first, last, NULL);
}

/* ---- life ---- */

static void destroy_node(struct iotlb_node *node)
{
	void *before = NULL, *slot;
	unsigned int i;

	for (i = 0; node->level && i < node->nr; i++) {
		slot = slot_of(node, i);
		if (slot != before)
			destroy_node(slot);
		before = slot;
	}
	node_free(node);
	cond_resched();
}

/**
 * iotlb_tree_destroy - make a tree empty
 * @tree: one that nobody can see
 *
 * Context: may sleep.
 */
void iotlb_tree_destroy(struct iotlb_tree *tree)
{
	struct iotlb_node *root = rcu_dereference_raw(tree->root);

	if (root)
		destroy_node(root);
	RCU_INIT_POINTER(tree->root, NULL);
}

int iotlb_nodes_create(void)
{
	node_cache = kmem_cache_create("iommukit_iotlb_node",
				       sizeof(struct iotlb_node),
				       __alignof__(struct iotlb_node), 0, NULL);
	return node_cache ? 0 : -ENOMEM;
}

/* Nodes are freed by callbacks: after rcu_barrier(). */
void iotlb_nodes_destroy(void)
{
	kmem_cache_destroy(node_cache);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The map of an address space: which entry may have an IOVA.
 *
 * A tree divides all IOVAs into slots, each of which has at most one entry in it. An entry
 * that reaches over several slots is in each of them. How far an entry goes is written in
 * the entry, nowhere else: to make it shorter takes no change of the tree.
 */
#ifndef IOMMUKIT_IOTLB_TREE_H
#define IOMMUKIT_IOTLB_TREE_H

#include <linux/cache.h>
#include <linux/gfp.h>
#include <linux/prefetch.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

struct iotlb_entry;

#define IOTLB_NODE_SLOTS 32
/* Each needs 16 times the changes of the one below before there is another one. */
#define IOTLB_TREE_LEVELS 12

/**
 * struct iotlb_node - A node of a tree
 * @level: 0 for a leaf; does not change, as what follows
 * @nr: how many slots it has
 * @end: the last IOVA of each slot but the last one; U64_MAX for all others
 * @slot: what is in them: struct iotlb_entry or NULL in a leaf, else nodes. The same one
 *	may be in several, side by side. Changes, one at a time
 * @rcu: for its end
 */
struct iotlb_node {
	u8 level;
	u8 nr;
	u64 end[IOTLB_NODE_SLOTS - 1];
	void __rcu *slot[IOTLB_NODE_SLOTS];
	struct rcu_head rcu;
} ____cacheline_aligned;

/**
 * struct iotlb_tree - A tree
 * @root: NULL if it is empty
 */
struct iotlb_tree {
	struct iotlb_node __rcu *root;
};

/* Which slot of a node an IOVA is in: no branches, and few loads that wait for others. */
static inline unsigned int iotlb_node_find(const struct iotlb_node *node, u64 iova)
{
	const u64 *end = node->end;
	unsigned int at;

	at = 8 * ((end[7] < iova) + (end[15] < iova) + (end[23] < iova));
	end += at;
	return at + (end[0] < iova) + (end[1] < iova) + (end[2] < iova) +
	       (end[3] < iova) + (end[4] < iova) + (end[5] < iova) +
	       (end[6] < iova);
}

/**
 * iotlb_tree_find - find the entry that may have an IOVA
 * @tree: the tree
 * @iova: the IOVA
 *
 * Context: any but NMI, under RCU.
 * Return: the only one that may; how far it goes is for the caller to find out. NULL if
 * there is none.
 */
static inline struct iotlb_entry *iotlb_tree_find(const struct iotlb_tree *tree,
						  u64 iova)
{
	const struct iotlb_node *node = rcu_dereference(tree->root);

	while (node) {
		void *slot = rcu_dereference(node->slot[iotlb_node_find(node, iova)]);

		if (!node->level)
			return slot;
		node = slot;
		/* Its slots are read after the search, and may be no nearer then. */
		prefetch(&node->slot[0]);
		prefetch(&node->slot[8]);
		prefetch(&node->slot[16]);
		prefetch(&node->slot[24]);
	}
	return NULL;
}

struct iotlb_entry *iotlb_tree_next(const struct iotlb_tree *tree, u64 first,
				    u64 last);
struct iotlb_entry *iotlb_tree_after(const struct iotlb_tree *tree,
				     const struct iotlb_entry *entry, u64 last);

/* Every entry of which something is in [first, last], in order */
#define iotlb_tree_for_each(tree, entry, first, last)			\
	for ((entry) = iotlb_tree_next(tree, first, last); (entry);	\
	     (entry) = iotlb_tree_after(tree, entry, last))

int iotlb_tree_store(struct iotlb_tree *tree, struct iotlb_entry *entry,
		     gfp_t gfp);
void iotlb_tree_erase(struct iotlb_tree *tree, u64 first, u64 last);
void iotlb_tree_destroy(struct iotlb_tree *tree);
int iotlb_nodes_create(void);
void iotlb_nodes_destroy(void);

#endif /* IOMMUKIT_IOTLB_TREE_H */

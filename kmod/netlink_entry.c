// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests of the netlink family: entries of an IOTLB, one address space after the other,
 * in the order of their IOVA. A dump goes on behind the last one, and marks none as used.
 */
#include "netlink_request.h"

#include "compat.h"
#include "iotlb.h"

/* So many entries are copied under the lock of the IOTLB. */
#define ENTRY_BATCH 16

/**
 * struct entry_dump - Where a dump of entries goes on
 * @place: the IOTLB
 * @asid: the next address space
 * @only: and no other one
 * @begun: the request has been looked at
 * @over: there is nothing any more
 * @next: the first IOVA there that is of interest still
 */
struct entry_dump {
	struct dump_place place;
	u32 asid;
	bool only;
	bool begun;
	bool over;
	u64 next;
};

static struct entry_dump *entry_dump(struct netlink_callback *cb)
{
	BUILD_BUG_ON(sizeof(struct entry_dump) > sizeof(cb->ctx));
	return (struct entry_dump *)cb->ctx;
}

static int put_entry(struct sk_buff *skb, const struct dump_place *place,
		     const struct iommukit_iotlb_entry *entry)
{
	return nla_put_u32(skb, IOMMUKIT_NL_A_ENTRY_CONTEXT_ID, place->ctx_id) ?:
	       nla_put_u32(skb, IOMMUKIT_NL_A_ENTRY_IOTLB_ID, place->id) ?:
	       nla_put_u32(skb, IOMMUKIT_NL_A_ENTRY_ASID, entry->asid) ?:
	       nla_put_u64_64bit(skb, IOMMUKIT_NL_A_ENTRY_FIRST, entry->first,
				 IOMMUKIT_NL_A_ENTRY_PAD) ?:
	       nla_put_u64_64bit(skb, IOMMUKIT_NL_A_ENTRY_LAST, entry->last,
				 IOMMUKIT_NL_A_ENTRY_PAD) ?:
	       nla_put_u64_64bit(skb, IOMMUKIT_NL_A_ENTRY_TARGET, entry->target,
				 IOMMUKIT_NL_A_ENTRY_PAD) ?:
	       nla_put_u32(skb, IOMMUKIT_NL_A_ENTRY_PERM, entry->perm) ?:
	       nla_put_u32(skb, IOMMUKIT_NL_A_ENTRY_FLAGS, entry->flags);
}

static void next_space(struct entry_dump *dump, const struct iotlb *iotlb)
{
	dump->next = 0;
	dump->over = dump->only || ++dump->asid >= iotlb->num_asids;
}

/* Some entries of an address space. Returns -EMSGSIZE if the messages are full. */
static int tell_entries(struct sk_buff *skb, struct netlink_callback *cb,
			struct iotlb *iotlb, struct iotlb_space *space)
{
	struct iommukit_iotlb_entry entries[ENTRY_BATCH];
	struct entry_dump *dump = entry_dump(cb);
	u64 next = dump->next;
	unsigned int i, nr;
	u32 changes;

	nr = iotlb_table_dump(space, &next, U64_MAX, entries, ENTRY_BATCH,
			      &changes);
	cb->seq = dump_seq(changes);
	for (i = 0; i < nr; i++) {
		void *head = netlink_dump_put(skb, cb, IOMMUKIT_NL_CMD_ENTRY_GET);
		int rc = netlink_dump_end(skb, cb, head,
					  head ? put_entry(skb, &dump->place,
							   &entries[i]) : 0);

		if (rc)
			return rc;
		dump->next = entries[i].last + 1;
	}
	/* Behind the last IOVA of all there is 0. */
	if (nr < ENTRY_BATCH || !dump->next)
		next_space(dump, iotlb);
	return 0;
}

static int entry_get_begin(struct netlink_callback *cb)
{
	struct nlattr **attrs = compat_genl_dump_attrs(cb);
	struct entry_dump *dump = entry_dump(cb);
	int rc;

	rc = netlink_require_dump(cb, IOMMUKIT_NL_A_ENTRY_CONTEXT_ID,
				  "entries of which context? Its number is missing") ?:
	     netlink_require_dump(cb, IOMMUKIT_NL_A_ENTRY_IOTLB_ID,
				  "entries of which IOTLB? Its id is missing");
	if (rc)
		return rc;
	dump->begun = true;
	dump->place.ctx_id = nla_get_u32(attrs[IOMMUKIT_NL_A_ENTRY_CONTEXT_ID]);
	dump->place.id = nla_get_u32(attrs[IOMMUKIT_NL_A_ENTRY_IOTLB_ID]);
	dump->only = attrs[IOMMUKIT_NL_A_ENTRY_ASID];
	if (dump->only)
		dump->asid = nla_get_u32(attrs[IOMMUKIT_NL_A_ENTRY_ASID]);
	return 0;
}

static int tell_iotlb(struct sk_buff *skb, struct netlink_callback *cb,
		      struct iotlb *iotlb)
{
	struct entry_dump *dump = entry_dump(cb);
	int rc = 0;

	if (dump->asid >= iotlb->num_asids)
		return netlink_refuse(cb->extack,
				      compat_genl_dump_attrs(cb)[IOMMUKIT_NL_A_ENTRY_ASID],
				      "the IOTLB has no such address space",
				      -EINVAL);
	while (!rc && !dump->over) {
		struct iotlb_space *space = iotlb_space(iotlb, dump->asid);

		/* What was never used has nothing in it. */
		if (space)
			rc = tell_entries(skb, cb, iotlb, space);
		else
			next_space(dump, iotlb);
		cond_resched();
	}
	return rc;
}

int entry_get_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct entry_dump *dump = entry_dump(cb);
	struct iommukit_object *obj;
	int rc = dump->begun ? 0 : entry_get_begin(cb);

	if (rc || dump->over)
		return rc;
	obj = netlink_dump_object(cb, &dump->place, &iotlb_object_ops,
				  "the context has no such IOTLB");
	if (IS_ERR(obj))
		return dump->place.seen ? 0 : PTR_ERR(obj);
	rc = tell_iotlb(skb, cb, container_of(obj, struct iotlb, obj));
	netlink_dump_object_put(&dump->place, obj);
	return skb->len ?: rc;
}

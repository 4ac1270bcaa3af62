// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests of the netlink family: areas of an IOAS, in the order of their IOVA.
 *
 * A dump goes on behind the last area that it has told of, and so tells of each that
 * stays exactly once, whatever else comes and goes. The space is locked for some areas at
 * a time, and the IOAS used for one message.
 */
#include "netlink_request.h"

#include "compat.h"
#include "ioas.h"
#include "iova_space.h"
#include "ondemand.h"
#include "pages.h"

/* So many areas are looked at before others get the lock. */
#define AREA_BATCH 64

/**
 * struct area_dump - Where a dump of areas goes on
 * @place: the IOAS
 * @next: the first IOVA that is of interest still
 * @last: the last one
 * @begun: the request has been looked at
 * @over: there is nothing any more
 */
struct area_dump {
	struct dump_place place;
	u64 next;
	u64 last;
	bool begun;
	bool over;
};

static struct area_dump *area_dump(struct netlink_callback *cb)
{
	BUILD_BUG_ON(sizeof(struct area_dump) > sizeof(cb->ctx));
	return (struct area_dump *)cb->ctx;
}

static u32 area_flags(const struct iova_area *area)
{
	const struct pages *pages = area->pages;
	u32 flags = (area->prot & IOVA_READ ? IOMMUKIT_NL_AREA_READABLE : 0) |
		    (area->prot & IOVA_WRITE ? IOMMUKIT_NL_AREA_WRITEABLE : 0);

	if (pages->file)
		flags |= IOMMUKIT_NL_AREA_FILE;
	if (pages->ondemand)
		flags |= IOMMUKIT_NL_AREA_ONDEMAND |
			 (ondemand_is_useless(pages->ondemand) ?
				  IOMMUKIT_NL_AREA_DEAD : 0);
	return flags;
}

/**
 * netlink_put_area - put what is said of an area
 * @skb: the message
 * @space: its space, whose lock is held
 * @area: the area
 *
 * Context: any.
 * Return: 0 or -EMSGSIZE.
 */
int netlink_put_area(struct sk_buff *skb, const struct iova_space *space,
		     const struct iova_area *area)
{
	return nla_put_u32(skb, IOMMUKIT_NL_A_AREA_CONTEXT_ID, space->ctx_id) ?:
	       nla_put_u32(skb, IOMMUKIT_NL_A_AREA_IOAS_ID, space->ioas_id) ?:
	       nla_put_u64_64bit(skb, IOMMUKIT_NL_A_AREA_IOVA, area->iova,
				 IOMMUKIT_NL_A_AREA_PAD) ?:
	       nla_put_u64_64bit(skb, IOMMUKIT_NL_A_AREA_LAST, area->last,
				 IOMMUKIT_NL_A_AREA_PAD) ?:
	       nla_put_u32(skb, IOMMUKIT_NL_A_AREA_FLAGS, area_flags(area)) ?:
	       nla_put_u64_64bit(skb, IOMMUKIT_NL_A_AREA_USER_ADDRESS,
				 area->pages->base + area->offset,
				 IOMMUKIT_NL_A_AREA_PAD);
}

static int tell_area(struct sk_buff *skb, struct netlink_callback *cb,
		     const struct iova_space *space, const struct iova_area *area)
{
	void *head = netlink_dump_put(skb, cb, IOMMUKIT_NL_CMD_AREA_GET);
	int rc = 0;

	if (head)
		rc = netlink_put_area(skb, space, area);
	if (head && !rc && area->pages->ondemand)
		rc = ondemand_describe(area->pages->ondemand, skb);
	return netlink_dump_end(skb, cb, head, rc);
}

/* Some areas. Returns -EMSGSIZE if the messages are full; -EINTR. */
static int tell_areas(struct sk_buff *skb, struct netlink_callback *cb,
		      struct iova_space *space)
{
	MA_STATE(mas, &space->areas, area_dump(cb)->next, area_dump(cb)->next);
	struct area_dump *dump = area_dump(cb);
	struct iova_area *area;
	unsigned int n = 0;
	int rc = 0;

	if (down_read_killable(&space->lock))
		return -EINTR;
	cb->seq = dump_seq(space->changes);
	mas_for_each(&mas, area, dump->last) {
		/* Listeners are told of it when it is there. */
		rc = area->setup ? 0 : tell_area(skb, cb, space, area);
		if (rc)
			break;
		dump->over = area->last >= dump->last;
		dump->next = area->last + 1;
		if (++n == AREA_BATCH)
			break;
	}
	up_read(&space->lock);
	if (!area)
		dump->over = true;
	return rc;
}

static int area_get_begin(struct netlink_callback *cb)
{
	struct nlattr **attrs = compat_genl_dump_attrs(cb);
	struct area_dump *dump = area_dump(cb);
	int rc;

	rc = netlink_require_dump(cb, IOMMUKIT_NL_A_AREA_CONTEXT_ID,
				  "areas of which context? Its number is missing") ?:
	     netlink_require_dump(cb, IOMMUKIT_NL_A_AREA_IOAS_ID,
				  "areas of which IOAS? Its id is missing");
	if (rc)
		return rc;
	dump->begun = true;
	dump->place.ctx_id = nla_get_u32(attrs[IOMMUKIT_NL_A_AREA_CONTEXT_ID]);
	dump->place.id = nla_get_u32(attrs[IOMMUKIT_NL_A_AREA_IOAS_ID]);
	dump->last = U64_MAX;
	if (attrs[IOMMUKIT_NL_A_AREA_IOVA])
		dump->next = nla_get_u64(attrs[IOMMUKIT_NL_A_AREA_IOVA]);
	if (attrs[IOMMUKIT_NL_A_AREA_LAST])
		dump->last = nla_get_u64(attrs[IOMMUKIT_NL_A_AREA_LAST]);
	if (dump->next > dump->last)
		return netlink_refuse(cb->extack, attrs[IOMMUKIT_NL_A_AREA_LAST],
				      "the range ends before it begins", -EINVAL);
	return 0;
}

int area_get_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct area_dump *dump = area_dump(cb);
	struct iommukit_object *obj;
	int rc = dump->begun ? 0 : area_get_begin(cb);

	if (rc || dump->over)
		return rc;
	obj = netlink_dump_object(cb, &dump->place, &ioas_object_ops,
				  "the context has no such IOAS");
	if (IS_ERR(obj))
		return dump->place.seen ? 0 : PTR_ERR(obj);
	while (!rc && !dump->over) {
		rc = tell_areas(skb, cb,
				&container_of(obj, struct ioas, obj)->space);
		cond_resched();
	}
	netlink_dump_object_put(&dump->place, obj);
	return skb->len ?: rc;
}

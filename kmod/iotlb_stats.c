// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an IOTLB has counted, for its owner and for those who look on. Only for the owner
 * all counters are of one moment.
 */
#include <linux/spinlock.h>
#include <linux/uaccess.h>

#include "describe.h"
#include "iotlb.h"
#include "iotlb_reader.h"
#include "ioas.h"
#include "private.h"

/* Begin anew with those that can; the sums go on to agree with what is there now. */
static void stats_reset(struct iotlb *iotlb)
{
	struct iotlb_channel *chan = iotlb->chan;

	memset(iotlb->counts, 0, sizeof(iotlb->counts));
	memset(chan->counts, 0, sizeof(chan->counts));
	iotlb->counts[IOMMUKIT_IOTLB_STAT_MAX_ENTRIES] = iotlb->nr_entries;
	chan->counts[IOMMUKIT_IOTLB_STAT_CREATED] = chan->nr_pending;
	chan->counts[IOMMUKIT_IOTLB_STAT_MAX_PENDING] = chan->nr_pending;
}

/* Those that are counted under chan->lock, and what there is now; that lock is held. */
static void stats_sum(const struct iotlb *iotlb, u64 *stats)
{
	const struct iotlb_channel *chan = iotlb->chan;
	unsigned int i;

	for (i = 0; i < IOMMUKIT_IOTLB_NR_STATS; i++)
		stats[i] = READ_ONCE(iotlb->counts[i]) + chan->counts[i];
	stats[IOMMUKIT_IOTLB_STAT_ENTRIES] = READ_ONCE(iotlb->nr_entries);
	stats[IOMMUKIT_IOTLB_STAT_PINNED] = READ_ONCE(iotlb->nr_pinned);
	stats[IOMMUKIT_IOTLB_STAT_PENDING] = chan->nr_pending;
	stats[IOMMUKIT_IOTLB_STAT_DEFERRED] = iotlb_deferred();
}

static int stats_read(struct iotlb *iotlb, u64 *stats, bool reset)
{
	struct iotlb_channel *chan = iotlb->chan;

	if (mutex_lock_killable(&iotlb->wlock))
		return -EINTR;
	spin_lock_irq(&chan->lock);
	stats_sum(iotlb, stats);
	if (reset)
		stats_reset(iotlb);
	spin_unlock_irq(&chan->lock);
	mutex_unlock(&iotlb->wlock);
	iotlb_clients_count(iotlb, &stats[IOMMUKIT_IOTLB_STAT_LOOKUPS], reset);
	return 0;
}

int iotlb_cmd_stats(struct iommukit_ucmd *ucmd)
{
	struct iommukit_iotlb_stats *cmd = ucmd->cmd;
	u64 stats[IOMMUKIT_IOTLB_NR_STATS];
	struct iotlb *iotlb;
	u32 nr;
	int rc;

	if (cmd->flags & ~IOMMUKIT_IOTLB_STATS_RESET)
		return -EOPNOTSUPP;
	iotlb = iotlb_get(ucmd->ctx, cmd->iotlb_id);
	if (IS_ERR(iotlb))
		return PTR_ERR(iotlb);
	rc = stats_read(iotlb, stats, cmd->flags & IOMMUKIT_IOTLB_STATS_RESET);
	iotlb_put(iotlb);
	if (rc)
		return rc;
	nr = min_t(u32, cmd->count, IOMMUKIT_IOTLB_NR_STATS);
	if (copy_to_user(u64_to_user_ptr(cmd->array), stats, nr * sizeof(u64)))
		return -EFAULT;
	cmd->count = IOMMUKIT_IOTLB_NR_STATS;
	return ucmd_respond(ucmd, sizeof(*cmd));
}

/* ---- to those who look on ---- */

static int describe_counters(struct iotlb *iotlb, struct sk_buff *skb)
{
	struct iotlb_channel *chan = iotlb->chan;
	u64 stats[IOMMUKIT_IOTLB_NR_STATS];
	unsigned long flags;
	bool server;

	spin_lock_irqsave(&chan->lock, flags);
	stats_sum(iotlb, stats);
	server = chan->state == IOMMUKIT_IOTLB_CHAN_STATE_OPEN;
	spin_unlock_irqrestore(&chan->lock, flags);
	iotlb_clients_count(iotlb, &stats[IOMMUKIT_IOTLB_STAT_LOOKUPS], false);
	return describe_u32(skb, IOMMUKIT_NL_A_IOTLB_STATE_SERVER, server) ?:
	       describe_array(skb, IOMMUKIT_NL_A_IOTLB_STATE_COUNTERS, stats,
			      ARRAY_SIZE(stats));
}

/**
 * iotlb_describe - say what state an IOTLB is in; object_ops.describe
 * @obj: the IOTLB
 * @skb: where
 *
 * Does without wlock, so counters may not agree with each other while they change.
 *
 * Context: any but interrupts.
 * Return: 0 or -EMSGSIZE.
 */
int iotlb_describe(struct iommukit_object *obj, struct sk_buff *skb)
{
	struct iotlb *iotlb = container_of(obj, struct iotlb, obj);
	int rc = 0;

	if (iotlb->ioas)
		rc = describe_u32(skb, IOMMUKIT_NL_A_IOTLB_STATE_IOAS_ID,
				  iotlb->ioas->obj.id);
	return rc ?:
	       describe_u32(skb, IOMMUKIT_NL_A_IOTLB_STATE_ASIDS,
			    iotlb->num_asids) ?:
	       describe_u32(skb, IOMMUKIT_NL_A_IOTLB_STATE_MAX_ENTRIES,
			    READ_ONCE(iotlb->max_entries)) ?:
	       describe_counters(iotlb, skb);
}

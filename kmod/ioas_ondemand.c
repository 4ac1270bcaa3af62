// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commands of on-demand mappings. The order of the checks is ABI.
 *
 * No lock of an IOAS is held while memory is registered or found: both wait for the
 * process whose memory it is.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <uapi/linux/iommukit.h>

#include "ioas.h"
#include "netlink.h"
#include "ondemand.h"
#include "pages.h"
#include "private.h"

#define FAULT_AROUND_DEFAULT 4

/* ---- mapping ---- */

static int check_memory(const struct iommukit_ioas_map_ondemand *cmd)
{
	u64 end;

	if (!cmd->length)
		return -EINVAL;
	if (check_add_overflow(cmd->user_va, cmd->length, &end))
		return -EOVERFLOW;
	if (!PAGE_ALIGNED(cmd->user_va | cmd->length))
		return -EINVAL;
	if ((cmd->flags & IOMMUKIT_IOAS_MAP_FIXED_IOVA) &&
	    !PAGE_ALIGNED(cmd->iova))
		return -EINVAL;
	if (!current->mm)
		return -EINVAL;
	return end > current->mm->task_size ? -EFAULT : 0;
}

/* Whether it could be mapped at all, before it is made known to the kernel. */
static int check_domains(struct ioas *ioas)
{
	int rc;

	if (down_read_killable(&ioas->space.lock))
		return -EINTR;
	rc = iova_space_faults(&ioas->space) ? 0 : -EOPNOTSUPP;
	up_read(&ioas->space.lock);
	return rc;
}

/* Of the IOAS; they stay as long as that. */
static struct ondemand_totals *ioas_totals(struct ioas *ioas)
{
	struct ondemand_totals *totals = READ_ONCE(ioas->totals), *other;

	if (totals)
		return totals;
	totals = ondemand_totals_create();
	if (!totals)
		return NULL;
	other = cmpxchg(&ioas->totals, NULL, totals);
	if (!other)
		return totals;
	ondemand_totals_put(totals);
	return other;
}

static int map_ondemand(struct iommukit_ctx *ctx, struct ioas *ioas,
			struct iommukit_ioas_map_ondemand *cmd)
{
	struct netlink_mapping mapping = {
		.ctx_id = ctx->id,
		.ioas_id = cmd->ioas_id,
		.length = cmd->length,
	};
	u32 around = cmd->fault_around;
	struct ondemand_totals *totals;
	struct pages *pages;
	int rc;

	if (around == IOMMUKIT_ONDEMAND_FAULT_AROUND_DEFAULT)
		around = FAULT_AROUND_DEFAULT;
	rc = check_memory(cmd) ?: check_domains(ioas);
	if (rc)
		return rc;
	totals = ioas_totals(ioas);
	if (!totals)
		return -ENOMEM;
	pages = pages_create_ondemand(ctx, cmd->user_va, cmd->length,
				      cmd->flags & IOMMUKIT_IOAS_MAP_WRITEABLE,
				      1U << around, totals);
	if (IS_ERR(pages))
		return PTR_ERR(pages);
	/* It may be unmapped as soon as it is mapped. */
	refcount_inc(&pages->refs);
	rc = ioas_map_pages(ioas, pages, cmd->user_va, cmd->length, cmd->flags,
			    &cmd->iova);
	if (!rc) {
		mapping.iova = cmd->iova;
		ondemand_placed(pages->ondemand, &mapping);
	}
	pages_put(pages);
	return rc;
}

int ioas_cmd_map_ondemand(struct iommukit_ucmd *ucmd)
{
	struct iommukit_ioas_map_ondemand *cmd = ucmd->cmd;
	struct ioas *ioas;
	int rc;

	if (cmd->flags & ~IOAS_MAP_FLAGS)
		return -EOPNOTSUPP;
	if (cmd->fault_around > IOMMUKIT_ONDEMAND_FAULT_AROUND_MAX &&
	    cmd->fault_around != IOMMUKIT_ONDEMAND_FAULT_AROUND_DEFAULT)
		return -EINVAL;
	rc = ioas_check_map(cmd->flags, cmd->iova, cmd->length);
	if (rc)
		return rc;
	ioas = ioas_get(ucmd->ctx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = map_ondemand(ucmd->ctx, ioas, cmd);
	ioas_put(ucmd->ctx, ioas);
	return rc ?: ucmd_respond(ucmd, sizeof(*cmd));
}

/* ---- finding pages before they are needed ---- */

/* Up to the end of a chunk; if not all of it can be had, then the first page. */
static long find_pages(struct pages *pages, unsigned long offset,
		       unsigned long npages, u32 flags)
{
	unsigned int how = ONDEMAND_FAULT_PREFETCH | ONDEMAND_FAULT_ENDLESS |
			   (flags & IOMMUKIT_IOAS_PREFETCH_WRITE ?
			    ONDEMAND_FAULT_WRITE : 0) |
			   (flags & IOMMUKIT_IOAS_PREFETCH_NO_FAULT ?
			    ONDEMAND_FAULT_NOTHING : 0);
	unsigned long address = pages->base + offset;
	long rc = ondemand_fault(pages->ondemand, address, npages, how, NULL, 0);

	if (rc == -EFAULT && npages > 1)
		rc = ondemand_fault(pages->ondemand, address, 1, how, NULL, 0);
	return rc;
}

/*
 * The pages of one area, from @iova on, which gets where they end. The area may go
 * meanwhile, and what it stands for be found for nothing.
 */
static int prefetch_area(struct iova_space *space, u64 *iova, u64 last,
			 u32 flags)
{
	struct iova_area *area = iova_area_get(space, *iova);
	bool write = flags & IOMMUKIT_IOAS_PREFETCH_WRITE;
	unsigned long offset, npages;
	struct pages *pages;
	int rc = 0;

	if (IS_ERR(area))
		return PTR_ERR(area);
	/* Of on-demand memory areas have whole pages. */
	offset = (area->offset + (*iova - area->iova)) & PAGE_MASK;
	last = min_t(u64, last, area->last);
	npages = last / PAGE_SIZE - *iova / PAGE_SIZE + 1;
	if (write && !(area->prot & IOVA_WRITE))
		rc = -EPERM;
	pages = area->pages;
	refcount_inc(&pages->refs);
	iova_area_idle(space, area);

	while (!rc && npages) {
		long n = npages;

		if (pages->ondemand)
			n = find_pages(pages, offset, npages, flags);
		if (n < 0) {
			rc = n;
			break;
		}
		*iova = min((*iova & PAGE_MASK) + n * PAGE_SIZE - 1, last) + 1;
		offset += n * PAGE_SIZE;
		npages -= n;
		if (fatal_signal_pending(current))
			rc = -EINTR;
		cond_resched();
	}
	pages_put(pages);
	return rc;
}

static int prefetch_all(struct ioas *ioas, struct iommukit_ioas_prefetch *cmd)
{
	u64 iova = cmd->iova, last;
	int rc;

	if (!cmd->length)
		return -EINVAL;
	if (check_add_overflow(cmd->iova, cmd->length - 1, &last))
		return -EOVERFLOW;
	do {
		rc = prefetch_area(&ioas->space, &iova, last, cmd->flags);
	} while (!rc && iova - 1 != last);
	/* Behind the last byte of all there is 0. */
	cmd->out_pages = iova == cmd->iova ? 0 :
			 (iova - 1) / PAGE_SIZE - cmd->iova / PAGE_SIZE + 1;
	return cmd->out_pages && rc != -EINTR ? 0 : rc;
}

int ioas_cmd_prefetch(struct iommukit_ucmd *ucmd)
{
	struct iommukit_ioas_prefetch *cmd = ucmd->cmd;
	struct ioas *ioas;
	int rc;

	if (cmd->__reserved || (cmd->flags & ~(IOMMUKIT_IOAS_PREFETCH_WRITE |
					       IOMMUKIT_IOAS_PREFETCH_NO_FAULT)))
		return -EOPNOTSUPP;
	ioas = ioas_get(ucmd->ctx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = prefetch_all(ioas, cmd);
	ioas_put(ucmd->ctx, ioas);
	return rc ?: ucmd_respond(ucmd, sizeof(*cmd));
}

/* ---- what has happened ---- */

static DEFINE_MUTEX(sum_lock);
static unsigned long sum_turn;

/* So many areas are looked at before others get the lock. */
#define SUM_BATCH 1024

/*
 * Add a batch of areas from @next on, which gets where to go on, or 0 at the end. Those
 * that share their memory count once. Returns whether any was on demand.
 */
static bool sum_batch(struct iova_space *space, unsigned long *next, u64 *state,
		      u64 *sum, bool reset)
{
	MA_STATE(mas, &space->areas, *next, *next);
	u64 stats[ONDEMAND_NR_STATS];
	struct iova_area *area;
	unsigned int n = 0;
	bool any = false;

	*next = 0;
	mas_for_each(&mas, area, ULONG_MAX) {
		struct ondemand *od = area->pages->ondemand;

		if (od && od->turn != sum_turn) {
			od->turn = sum_turn;
			ondemand_query(od, state, stats, reset);
			ondemand_sum(sum, stats);
			any = true;
		}
		if (++n == SUM_BATCH) {
			*next = area->last + 1;
			break;
		}
	}
	return any;
}

static int query_sum(struct iova_space *space, u64 *state, u64 *sum, bool reset)
{
	unsigned long next = 0;
	int rc = -ENOENT;

	memset(sum, 0, ONDEMAND_NR_STATS * sizeof(*sum));
	if (mutex_lock_killable(&sum_lock))
		return -EINTR;
	sum_turn++;
	do {
		if (down_read_killable(&space->lock)) {
			rc = -EINTR;
			break;
		}
		if (sum_batch(space, &next, state, sum, reset))
			rc = 0;
		up_read(&space->lock);
		cond_resched();
	} while (next);
	mutex_unlock(&sum_lock);
	return rc;
}

static int query_area(struct iova_space *space, unsigned long iova, u64 *state,
		      u64 *stats, bool reset)
{
	struct iova_area *area;
	int rc = -ENOENT;

	if (down_read_killable(&space->lock))
		return -EINTR;
	area = iova_space_find(space, iova, iova);
	if (area && area->pages->ondemand) {
		ondemand_query(area->pages->ondemand, state, stats, reset);
		rc = 0;
	}
	up_read(&space->lock);
	return rc;
}

int ioas_cmd_ondemand_query(struct iommukit_ucmd *ucmd)
{
	struct iommukit_ondemand_query *cmd = ucmd->cmd;
	u64 *stats = ucmd->cmd + offsetof(typeof(*cmd), out_faults_read);
	bool reset = cmd->flags & IOMMUKIT_ONDEMAND_QUERY_RESET;
	struct ioas *ioas;
	int rc;

	BUILD_BUG_ON(sizeof(*cmd) != offsetof(typeof(*cmd), out_faults_read) +
		     ONDEMAND_NR_STATS * sizeof(u64));
	if (cmd->__reserved || (cmd->flags & ~IOMMUKIT_ONDEMAND_QUERY_RESET))
		return -EOPNOTSUPP;
	ioas = ioas_get(ucmd->ctx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	cmd->out_state = ctx_check(ucmd->ctx) ? IOMMUKIT_ONDEMAND_DEAD_CTX : 0;
	if (cmd->iova == IOMMUKIT_ONDEMAND_QUERY_SUM)
		rc = query_sum(&ioas->space, &cmd->out_state, stats, reset);
	else
		rc = query_area(&ioas->space, cmd->iova, &cmd->out_state, stats,
				reset);
	ioas_put(ucmd->ctx, ioas);
	return rc ?: ucmd_respond(ucmd, sizeof(*cmd));
}

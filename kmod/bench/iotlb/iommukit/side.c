// SPDX-License-Identifier: GPL-2.0-only
#include "side.h"

#include <linux/err.h>

#include "iotlb_bench_abi.h"

/* Without resume, lookups ask for nothing; nothing is kept beyond a gate either. */
static const struct iommukit_iotlb_client_ops side_ops = {};

int side_attach(struct side *side, const struct iotlb_bench_attach *attach)
{
	struct iommukit_iotlb_client *client;
	struct iommukit_ctx *ictx;

	if (attach->limit || attach->retire)
		return -EOPNOTSUPP;
	ictx = iommukit_ctx_from_fd(attach->fd);
	if (IS_ERR(ictx))
		return PTR_ERR(ictx);
	client = iommukit_iotlb_attach(ictx, attach->iotlb_id, 0, &side_ops, side);
	iommukit_ctx_put(ictx);
	if (IS_ERR(client))
		return PTR_ERR(client);
	side->client = client;
	return 0;
}

void side_detach(struct side *side)
{
	iommukit_iotlb_detach(side->client);
}

int side_reader_create(struct side *side, struct side_reader *reader)
{
	struct iommukit_iotlb_reader *new;

	new = iommukit_iotlb_reader_create(side->client, 0, NULL);
	if (IS_ERR(new))
		return PTR_ERR(new);
	reader->reader = new;
	return 0;
}

void side_reader_destroy(struct side_reader *reader)
{
	iommukit_iotlb_reader_destroy(reader->reader);
}

IOMMUKIT_IMPORT_NS;

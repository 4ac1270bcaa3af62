/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the server's descriptor share.
 */
#ifndef IOMMUKIT_IOTLB_CHANNEL_H
#define IOMMUKIT_IOTLB_CHANNEL_H

#include "iotlb.h"

struct file;

/**
 * struct iotlb_server - What is behind a descriptor
 * @chan: the channel; counted once the descriptor is started
 * @instance: what the channel's was then, or 0; never changes after that
 */
struct iotlb_server {
	struct iotlb_channel *chan;
	u64 instance;
};

/**
 * iotlb_server_is_current - whether this is the server that the channel has
 * @server: the server; the lock of its channel is held
 *
 * Context: any.
 */
static inline bool iotlb_server_is_current(const struct iotlb_server *server)
{
	const struct iotlb_channel *chan = server->chan;

	lockdep_assert_held(&chan->lock);
	return chan->state == IOMMUKIT_IOTLB_CHAN_STATE_OPEN &&
	       chan->instance == server->instance;
}

/* iotlb_channel.c */
struct iotlb *iotlb_server_enter(const struct iotlb_server *server);
void iotlb_server_leave(const struct iotlb_server *server);
int iotlb_server_bring_in(const struct iotlb_server *server);
u32 iotlb_chan_format(const struct iotlb_channel *chan);
void iotlb_eventfd_put(struct eventfd_ctx *eventfd);

/* iotlb_channel_cmd.c */
long iotlb_server_ioctl(struct file *file, unsigned int word, unsigned long arg);

#endif /* IOMMUKIT_IOTLB_CHANNEL_H */

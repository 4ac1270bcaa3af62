/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How objects say what state they are in, see object_ops.describe. In a kernel without
 * networks nobody asks them.
 */
#ifndef IOMMUKIT_DESCRIBE_H
#define IOMMUKIT_DESCRIBE_H

#include <linux/kconfig.h>
#include <linux/types.h>
#include <net/netlink.h>
#include <uapi/linux/iommukit_netlink.h>

static inline int describe_u32(struct sk_buff *skb, int attr, u32 value)
{
	return IS_ENABLED(CONFIG_NET) ? nla_put_u32(skb, attr, value) : 0;
}

/* @pad: the attribute of its set for what has to be skipped */
static inline int describe_u64(struct sk_buff *skb, int attr, u64 value, int pad)
{
	return IS_ENABLED(CONFIG_NET) ?
	       nla_put_u64_64bit(skb, attr, value, pad) : 0;
}

static inline int describe_string(struct sk_buff *skb, int attr,
				  const char *text)
{
	return IS_ENABLED(CONFIG_NET) ? nla_put_string(skb, attr, text) : 0;
}

static inline int describe_array(struct sk_buff *skb, int attr,
				 const u64 *values, unsigned int nr)
{
	return IS_ENABLED(CONFIG_NET) ?
	       nla_put(skb, attr, nr * sizeof(*values), values) : 0;
}

#endif /* IOMMUKIT_DESCRIBE_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/* The ioctls of a VFIO container, and the IOAS they work on. */
#ifndef IOMMUKIT_VFIO_COMPAT_H
#define IOMMUKIT_VFIO_COMPAT_H

struct iommukit_ctx;
struct iommukit_ucmd;

int vfio_compat_cmd_ioas(struct iommukit_ucmd *ucmd);
long vfio_compat_ioctl(struct iommukit_ctx *ctx, unsigned int word,
		       unsigned long arg);

#endif /* IOMMUKIT_VFIO_COMPAT_H */

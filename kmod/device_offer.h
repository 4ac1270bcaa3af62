/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices that drivers offer and user space takes, by name.
 */
#ifndef IOMMUKIT_DEVICE_OFFER_H
#define IOMMUKIT_DEVICE_OFFER_H

struct iommukit_ucmd;

int device_cmd_bind(struct iommukit_ucmd *ucmd);
int device_cmd_attach(struct iommukit_ucmd *ucmd);
int device_cmd_detach(struct iommukit_ucmd *ucmd);

#endif /* IOMMUKIT_DEVICE_OFFER_H */

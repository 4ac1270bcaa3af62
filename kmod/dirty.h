/* SPDX-License-Identifier: GPL-2.0-only */
/* Dirty tracking, as user space asks for it. */
#ifndef IOMMUKIT_DIRTY_H
#define IOMMUKIT_DIRTY_H

struct iommukit_ucmd;

int hwpt_cmd_set_dirty_tracking(struct iommukit_ucmd *ucmd);
int hwpt_cmd_get_dirty_bitmap(struct iommukit_ucmd *ucmd);
int ioas_cmd_set_dirty_tracking(struct iommukit_ucmd *ucmd);
int ioas_cmd_get_dirty_bitmap(struct iommukit_ucmd *ucmd);

#endif /* IOMMUKIT_DIRTY_H */

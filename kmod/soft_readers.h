/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Readers of something that changes, in any context but NMI, and a way to wait for
 * them that takes microseconds, not a grace period: a rwlock for each CPU. Who reads
 * holds that of the CPU it starts on, which is cheap since nobody else uses it but
 * by accident. Who has changed something holds each for writing once; then all that
 * came before have left, and all that come see the change. Readers disable interrupts:
 * what came upon one might wait for somebody who waits for the lock.
 */
#ifndef IOMMUKIT_SOFT_READERS_H
#define IOMMUKIT_SOFT_READERS_H

#include <linux/percpu.h>
#include <linux/spinlock.h>

#include "fail.h"

/**
 * struct soft_readers - Readers of one thing
 * @locks: the locks
 */
struct soft_readers {
	rwlock_t __percpu *locks;
};

/* Inline, for lockdep: the locks of each user of this header are a class. */
static inline int soft_readers_init(struct soft_readers *readers)
{
	int cpu;

	readers->locks = fail_alloc(alloc_percpu_gfp(rwlock_t,
						     GFP_KERNEL_ACCOUNT));
	if (!readers->locks)
		return -ENOMEM;
	for_each_possible_cpu(cpu)
		rwlock_init(per_cpu_ptr(readers->locks, cpu));
	return 0;
}

static inline void soft_readers_destroy(struct soft_readers *readers)
{
	free_percpu(readers->locks);
}

/* The lock to read under. Any will do, should the thread be moved meanwhile. */
static inline rwlock_t *soft_reader(const struct soft_readers *readers)
{
	return raw_cpu_ptr(readers->locks);
}

/* Wait for everybody who reads. Who comes later sees what was changed before. */
static inline void soft_readers_drain(const struct soft_readers *readers)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		rwlock_t *lock = per_cpu_ptr(readers->locks, cpu);

		/* Interrupts read as well. */
		write_lock_irq(lock);
		write_unlock_irq(lock);
	}
}

#endif /* IOMMUKIT_SOFT_READERS_H */

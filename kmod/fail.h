/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fault injection: points at which the core can be made to fail, one after the
 * other, as if memory had run out or user space had withdrawn something. Every
 * kernel has it; the kernel's own injection needs one built for debugging.
 *
 * A point is a place that can fail anyway. Ends of things (unmap, detach, destroy)
 * cannot fail and have none, but for the lookups of the commands that ask for
 * them, and for writing a command's answer, which comes after its effect.
 *
 * While nobody injects, a point is one branch that is patched out.
 */
#ifndef IOMMUKIT_FAIL_H
#define IOMMUKIT_FAIL_H

#include <linux/errno.h>
#include <linux/jump_label.h>
#include <linux/list.h>
#include <linux/types.h>

struct task_struct;

/**
 * struct fail_nth - Makes the n-th point that one task hits fail
 * @link: in the list of all of them
 * @task: the task, referenced; NULL if never armed
 * @left: how many points away; 0 if it fired or is disarmed
 * @error: errno, negative, of the point that failed; 0 if none did
 * @where: its address
 */
struct fail_nth {
	struct list_head link;
	struct task_struct *task;
	unsigned int left;
	int error;
	unsigned long where;
};

DECLARE_STATIC_KEY_FALSE(fail_key);
bool fail_point_hit(int error);

/**
 * fail_point - a point that fails if it is told to
 * @error: negative errno to fail with
 *
 * Context: task context, but for that any.
 * Return: @error or 0.
 */
static inline int fail_point(int error)
{
	if (static_branch_unlikely(&fail_key) && fail_point_hit(error))
		return error;
	return 0;
}

/* An allocation, which is not made if the point fails: NULL. */
#define fail_alloc(alloc) (fail_point(-ENOMEM) ? NULL : (alloc))

/* For the test module */
void fail_nth_add(struct fail_nth *fail);
void fail_nth_remove(struct fail_nth *fail);
void fail_nth_arm(struct fail_nth *fail, unsigned int n);
struct fail_nth fail_nth_state(struct fail_nth *fail);

#endif /* IOMMUKIT_FAIL_H */

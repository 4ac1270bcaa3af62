// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who injects faults: a short list, looked through at each point while it is not
 * empty. An injector counts for the task that armed it and holds a reference to
 * it, so a task that has ended does not match one that comes after it.
 */
#include "fail.h"

#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/spinlock.h>

#include "compat.h"

DEFINE_STATIC_KEY_FALSE(fail_key);

static DEFINE_SPINLOCK(fail_lock);
static LIST_HEAD(fail_list);

/**
 * fail_point_hit - count a point for the running task; see fail_point()
 * @error: negative errno it would fail with
 *
 * Return: whether it shall fail.
 */
noinline bool fail_point_hit(int error)
{
	struct fail_nth *fail;
	bool hit = false;

	/* It is no point of the task that was interrupted. */
	if (!in_task())
		return false;
	spin_lock(&fail_lock);
	list_for_each_entry(fail, &fail_list, link) {
		if (fail->task != current || !fail->left || --fail->left)
			continue;
		fail->error = error;
		fail->where = _RET_IP_;
		hit = true;
	}
	spin_unlock(&fail_lock);
	return hit;
}

/**
 * fail_nth_add - begin to inject
 * @fail: zeroed; nothing fails before it is armed
 *
 * Context: may sleep. Undone by fail_nth_remove().
 */
void fail_nth_add(struct fail_nth *fail)
{
	spin_lock(&fail_lock);
	list_add(&fail->link, &fail_list);
	spin_unlock(&fail_lock);
	static_branch_inc(&fail_key);
}
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(fail_nth_add);

/**
 * fail_nth_remove - inject no more
 * @fail: from fail_nth_add(); not used any more on return
 *
 * Context: may sleep.
 */
void fail_nth_remove(struct fail_nth *fail)
{
	static_branch_dec(&fail_key);
	spin_lock(&fail_lock);
	list_del(&fail->link);
	spin_unlock(&fail_lock);
	if (fail->task)
		put_task_struct(fail->task);
}
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(fail_nth_remove);

/**
 * fail_nth_arm - let the n-th point fail that the calling task hits from now on
 * @fail: from fail_nth_add()
 * @n: 1 is the next point, 0 none
 *
 * Context: may sleep.
 */
void fail_nth_arm(struct fail_nth *fail, unsigned int n)
{
	struct task_struct *task = n ? get_task_struct(current) : NULL;

	spin_lock(&fail_lock);
	swap(fail->task, task);
	fail->left = n;
	fail->error = 0;
	fail->where = 0;
	spin_unlock(&fail_lock);
	if (task)
		put_task_struct(task);
}
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(fail_nth_arm);

/**
 * fail_nth_state - what has happened since fail_nth_arm()
 * @fail: from fail_nth_add()
 *
 * Return: a copy, of which @left, @error and @where have a meaning.
 */
struct fail_nth fail_nth_state(struct fail_nth *fail)
{
	struct fail_nth state;

	spin_lock(&fail_lock);
	state = *fail;
	spin_unlock(&fail_lock);
	return state;
}
EXPORT_SYMBOL_IOMMUKIT_INTERNAL(fail_nth_state);

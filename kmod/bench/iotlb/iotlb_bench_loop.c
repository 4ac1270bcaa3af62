// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is timed. Keys come from a generator that costs next to nothing, the same for
 * both sides: an array of them would take the caches that the tables need.
 */
#include "iotlb_bench.h"

#include <linux/cpumask.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

/* How many iterations go between two looks at signals and the scheduler. */
#define LOOP_BATCH 64U

/* A number below @n: the high half of the state is random, the low bits are not. */
static u32 loop_random(u64 *state, u32 n)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (*state >> 32) * n >> 32;
}

static u64 loop_key(struct iotlb_loop *loop)
{
	const struct iotlb_bench_run *run = loop->run;
	u32 key = loop_random(&loop->random, loop->nr);

	if (loop->hot)
		key = loop->hot[key];
	return run->iova + key * run->stride;
}

static int loop_idle(struct iotlb_loop *loop, u32 n)
{
	for (; n; n--)
		loop->sum += loop_key(loop);
	return 0;
}

static int loop_look_up(struct iotlb_loop *loop, u64 iova)
{
	u64 target;
	int ret = side_lookup(&loop->reader, iova, loop->run->length, &target);

	if (!ret)
		loop->sum += target;
	else if (ret == -ENOENT)
		loop->missed++;
	else
		return ret;
	return 0;
}

static int loop_lookup(struct iotlb_loop *loop, u32 n)
{
	u32 gate;
	int ret = 0;

	while (n && !ret) {
		gate = min(n, loop->run->per_gate);
		n -= gate;
		side_enter(&loop->reader);
		for (; gate && !ret; gate--)
			ret = loop_look_up(loop, loop_key(loop));
		side_exit(&loop->reader);
	}
	return ret;
}

static int loop_watch(struct iotlb_loop *loop, u32 n)
{
	ktime_t before;
	u64 took;
	u64 iova;
	int ret = 0;

	for (; n && !ret; n--) {
		iova = loop_key(loop);
		before = ktime_get();
		side_enter(&loop->reader);
		ret = loop_look_up(loop, iova);
		side_exit(&loop->reader);
		took = ktime_to_ns(ktime_sub(ktime_get(), before));
		loop->worst_ns = max(loop->worst_ns, took);
	}
	return ret;
}

static int loop_miss(struct iotlb_loop *loop, u32 n)
{
	u64 target;
	int ret = 0;

	for (; n && !ret; n--) {
		ret = side_translate(&loop->reader, loop->iova,
				     loop->run->length, &target);
		if (!ret)
			loop->sum += target;
		loop->iova += loop->run->stride;
	}
	return ret;
}

static int (*const loop_ops[])(struct iotlb_loop *loop, u32 n) = {
	[IOTLB_BENCH_OP_IDLE] = loop_idle,
	[IOTLB_BENCH_OP_LOOKUP] = loop_lookup,
	[IOTLB_BENCH_OP_WATCH] = loop_watch,
	[IOTLB_BENCH_OP_MISS] = loop_miss,
};

static int loop_main(struct bench_thread *thread)
{
	struct iotlb_loop *loop = container_of(thread, struct iotlb_loop, thread);
	u32 left = loop->run->iterations;
	u32 n;
	int ret;

	thread->begin = ktime_get();
	while (left && !READ_ONCE(loop->session->stop)) {
		n = min(left, LOOP_BATCH);
		ret = loop_ops[loop->run->op](loop, n);
		if (ret)
			return ret;
		left -= n;
		if (fatal_signal_pending(current) || READ_ONCE(thread->stop))
			return -EINTR;
		cond_resched();
	}
	thread->end = ktime_get();
	loop->lookups = loop->run->iterations - left;
	return 0;
}

/* The keys that are used; NULL for all. */
static u32 *loop_choose_hot(const struct iotlb_bench_run *run)
{
	u64 state = 0;
	u32 *hot;
	u32 i;

	if (!run->hot)
		return NULL;
	hot = kmalloc_array(run->hot, sizeof(*hot), GFP_KERNEL_ACCOUNT);
	if (!hot)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < run->hot; i++)
		hot[i] = loop_random(&state, run->keys);
	return hot;
}

static void loop_sum_up(const struct iotlb_loop *loops,
			struct iotlb_bench_run *run)
{
	u32 i;

	run->out_lookups = 0;
	run->out_missed = 0;
	run->out_sum = 0;
	run->out_worst_ns = 0;
	for (i = 0; i < run->threads; i++) {
		run->out_lookups += loops[i].lookups;
		run->out_missed += loops[i].missed;
		run->out_sum += loops[i].sum;
		run->out_worst_ns = max(run->out_worst_ns, loops[i].worst_ns);
	}
}

static int loop_run_all(struct iotlb_session *session, struct iotlb_loop *loops,
			struct iotlb_bench_run *run, const u32 *hot)
{
	struct bench_thread *threads[IOTLB_BENCH_THREADS_MAX];
	u32 created = 0;
	int ret = 0;
	u32 i;

	for (i = 0; i < run->threads; i++) {
		loops[i].thread.loop = loop_main;
		loops[i].run = run;
		loops[i].session = session;
		loops[i].hot = hot;
		loops[i].nr = hot ? run->hot : run->keys;
		loops[i].random = run->seed + i * 0x9e3779b97f4a7c15ULL;
		loops[i].iova = run->iova;
		threads[i] = &loops[i].thread;
		ret = side_reader_create(&session->side, &loops[i].reader);
		if (ret)
			break;
		created++;
	}
	if (!ret)
		ret = bench_threads_run(threads, run->threads, &run->out_ns);
	for (i = 0; i < created; i++)
		side_reader_destroy(&loops[i].reader);
	return ret;
}

int iotlb_loop_check(const struct iotlb_bench_run *run)
{
	u64 span;

	if (run->op >= ARRAY_SIZE(loop_ops) ||
	    (run->op == IOTLB_BENCH_OP_MISS && !SIDE_HAS_MISSES))
		return -EOPNOTSUPP;
	if (!run->keys || run->keys > IOTLB_BENCH_ENTRIES_MAX ||
	    run->hot > min(run->keys, IOTLB_BENCH_HOT_MAX) || !run->length ||
	    !run->per_gate || run->per_gate > IOTLB_BENCH_PER_GATE_MAX ||
	    !run->iterations || !run->threads ||
	    run->threads > IOTLB_BENCH_THREADS_MAX ||
	    run->threads > num_online_cpus())
		return -EINVAL;
	if (check_mul_overflow(run->stride, (u64)run->keys, &span) ||
	    check_add_overflow(span, run->iova, &span) ||
	    check_add_overflow(span, (u64)run->length, &span))
		return -EOVERFLOW;
	return 0;
}

int iotlb_loop_run(struct iotlb_session *session, struct iotlb_bench_run *run)
{
	struct iotlb_loop *loops;
	u32 *hot;
	int ret;

	hot = loop_choose_hot(run);
	if (IS_ERR(hot))
		return PTR_ERR(hot);
	loops = kcalloc(run->threads, sizeof(*loops), GFP_KERNEL_ACCOUNT);
	if (!loops) {
		kfree(hot);
		return -ENOMEM;
	}
	ret = loop_run_all(session, loops, run, hot);
	loop_sum_up(loops, run);
	kfree(loops);
	kfree(hot);
	return ret;
}

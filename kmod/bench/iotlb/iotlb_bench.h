/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside of iotlb_bench.ko and vhost_iotlb_bench.ko: iotlb_bench_main.c has the device,
 * iotlb_bench_loop.c what is repeated. What differs between the two is in side.h and
 * side.c of a directory each: functions of the same names, inline where they are timed,
 * so that neither side pays for a call that the other one saves.
 */
#ifndef IOMMUKIT_IOTLB_BENCH_H
#define IOMMUKIT_IOTLB_BENCH_H

#include <linux/mutex.h>
#include <linux/types.h>

#include "bench_threads.h"
#include "iotlb_bench_abi.h"
#include "side.h"

/**
 * struct iotlb_session - A descriptor
 * @lock: mutex: one attach or run at a time
 * @attached: @side is there, until the end; smp_load_acquire()
 * @stop: runs are to end; READ_ONCE()
 * @side: what is looked up in
 */
struct iotlb_session {
	struct mutex lock;
	bool attached;
	bool stop;
	struct side side;
};

/**
 * struct iotlb_loop - What one thread does
 * @thread: the thread
 * @run: the request
 * @session: whose it is
 * @reader: its own
 * @hot: numbers of the keys that are used, or NULL: all
 * @nr: how many these are
 * @random: state of the generator
 * @iova: MISS: the next key
 * @lookups: so many were made
 * @missed: of which found nothing
 * @sum: of targets
 * @worst_ns: longest one
 */
struct iotlb_loop {
	struct bench_thread thread;
	const struct iotlb_bench_run *run;
	struct iotlb_session *session;
	struct side_reader reader;
	const u32 *hot;
	u32 nr;
	u64 random;
	u64 iova;
	u64 lookups;
	u64 missed;
	u64 sum;
	u64 worst_ns;
} ____cacheline_aligned;

int iotlb_loop_check(const struct iotlb_bench_run *run);
int iotlb_loop_run(struct iotlb_session *session, struct iotlb_bench_run *run);

#endif /* IOMMUKIT_IOTLB_BENCH_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs: page frames as (index, pfn) pairs, one for each stretch of pages whose
 * frame numbers are consecutive. A 2 MiB folio is one run.
 */
#ifndef IOMMUKIT_RUNS_H
#define IOMMUKIT_RUNS_H

#include <linux/types.h>

struct page;

/**
 * struct pfn_run - Consecutive page frames
 * @index: position of the first page in the owner's array of pages
 * @pfn: its frame number
 *
 * A run ends where the next one begins.
 */
struct pfn_run {
	unsigned long index;
	unsigned long pfn;
};

/**
 * struct pfn_runs - The frames of the pages from run[0].index to @last
 * @last: index of the last page
 * @nr: number of runs, at least 1
 * @run: the runs, ascending
 */
struct pfn_runs {
	unsigned long last;
	unsigned long nr;
	struct pfn_run run[];
};

unsigned long runs_scan(unsigned long index, struct page *const *pages,
			unsigned long npages, struct pfn_run *run,
			unsigned long max);
unsigned long runs_find(const struct pfn_runs *runs, unsigned long index);
unsigned long runs_slice_count(const struct pfn_runs *runs, unsigned long first,
			       unsigned long last);
void runs_slice(const struct pfn_runs *runs, unsigned long first,
		unsigned long last, struct pfn_runs *out);
void runs_to_pages(const struct pfn_runs *runs, unsigned long first,
		   unsigned long last, struct page **out);
void runs_unpin(const struct pfn_runs *runs, bool dirty);

/**
 * run_last - index of the last page of a run
 * @runs: the runs
 * @i: which of them
 */
static inline unsigned long run_last(const struct pfn_runs *runs,
				     unsigned long i)
{
	return i + 1 < runs->nr ? runs->run[i + 1].index - 1 : runs->last;
}

#endif /* IOMMUKIT_RUNS_H */

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Building, slicing and walking runs of page frames. Nothing here allocates or
 * locks: the memory of a struct pfn_runs is its owner's.
 */
#include "runs.h"

#include <linux/mm.h>

/* Pages that are compared at a time */
#define RUN_STEP 8

/*
 * What is 0 only if @page is the @n-th after @first. Page structures lie like their
 * frames, but where each section of memory has an array of its own.
 */
static unsigned long run_differs(const struct page *first, unsigned long n,
				 const struct page *page)
{
	if (IS_ENABLED(CONFIG_SPARSEMEM) && !IS_ENABLED(CONFIG_SPARSEMEM_VMEMMAP))
		return (page_to_pfn(first) + n) ^ page_to_pfn(page);
	return (unsigned long)(first + n) ^ (unsigned long)page;
}

/*
 * How many pages follow each other from the first one on. With huge pages, looking at
 * each page takes as long as getting them does: no branch for each.
 */
static unsigned long run_length(struct page *const *pages, unsigned long npages)
{
	const struct page *first = pages[0];
	unsigned long n = 1;

	while (n < npages && n < RUN_STEP) {
		if (run_differs(first, n, pages[n]))
			return n;
		n++;
	}
	while (n + RUN_STEP <= npages) {
		unsigned long differs = 0;
		unsigned int i;

#pragma GCC unroll 8
		for (i = 0; i < RUN_STEP; i++)
			differs |= run_differs(first, n + i, pages[n + i]);
		if (differs)
			break;
		n += RUN_STEP;
	}
	while (n < npages && !run_differs(first, n, pages[n]))
		n++;
	return n;
}

/**
 * runs_scan - describe an array of pages as runs
 * @index: index of the first page
 * @pages: the pages, in order
 * @npages: how many, at least 1
 * @run: gets the runs
 * @max: most that it takes
 *
 * Return: how many runs there are, be it more than @max.
 */
unsigned long runs_scan(unsigned long index, struct page *const *pages,
			unsigned long npages, struct pfn_run *run,
			unsigned long max)
{
	unsigned long nr = 0;
	unsigned long i, n;

	for (i = 0; i < npages; i += n, nr++) {
		n = run_length(pages + i, npages - i);
		if (nr < max)
			run[nr] = (struct pfn_run){
				.index = index + i,
				.pfn = page_to_pfn(pages[i]),
			};
	}
	return nr;
}

/**
 * runs_find - which run holds a page
 * @runs: the runs
 * @index: index of the page, one of those described
 *
 * Return: the number of the run.
 */
unsigned long runs_find(const struct pfn_runs *runs, unsigned long index)
{
	unsigned long low = 0, high = runs->nr - 1;

	while (low < high) {
		unsigned long mid = high - (high - low) / 2;

		if (runs->run[mid].index <= index)
			low = mid;
		else
			high = mid - 1;
	}
	return low;
}

/**
 * runs_slice_count - how many runs a part has
 * @runs: the runs
 * @first: index of the first page of the part
 * @last: index of its last page
 */
unsigned long runs_slice_count(const struct pfn_runs *runs, unsigned long first,
			       unsigned long last)
{
	return runs_find(runs, last) - runs_find(runs, first) + 1;
}

/**
 * runs_slice - copy a part
 * @runs: the runs
 * @first: index of the first page of the part
 * @last: index of its last page
 * @out: with room for runs_slice_count() runs
 */
void runs_slice(const struct pfn_runs *runs, unsigned long first,
		unsigned long last, struct pfn_runs *out)
{
	unsigned long i = runs_find(runs, first);

	out->last = last;
	out->nr = runs_find(runs, last) - i + 1;
	memcpy(out->run, &runs->run[i], out->nr * sizeof(*out->run));
	out->run[0].pfn += first - out->run[0].index;
	out->run[0].index = first;
}

/**
 * runs_to_pages - list a range of pages one by one
 * @runs: the runs
 * @first: index of the first page
 * @last: index of the last page
 * @out: gets last - first + 1 pages
 */
void runs_to_pages(const struct pfn_runs *runs, unsigned long first,
		   unsigned long last, struct page **out)
{
	unsigned long i = runs_find(runs, first);
	unsigned long index = first;

	for (; index <= last; i++) {
		const struct pfn_run *run = &runs->run[i];
		unsigned long end = min(run_last(runs, i), last);

		for (; index <= end; index++)
			*out++ = pfn_to_page(run->pfn + (index - run->index));
	}
}

/**
 * runs_unpin - unpin all pages, folio by folio
 * @runs: the runs
 * @dirty: mark the pages dirty first
 *
 * Context: may sleep if @dirty.
 */
void runs_unpin(const struct pfn_runs *runs, bool dirty)
{
	unsigned long i;

	for (i = 0; i < runs->nr; i++)
		unpin_user_page_range_dirty_lock(pfn_to_page(runs->run[i].pfn),
						 run_last(runs, i) - runs->run[i].index + 1,
						 dirty);
}

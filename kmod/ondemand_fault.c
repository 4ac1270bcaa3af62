// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finding the pages of on-demand memory. The steps, and what each may hold, are those
 * of fault_once(); they follow Documentation/mm/hmm.rst.
 *
 * No lock of ours is held while the process's memory is faulted in: that may call our
 * notification in this thread, or wait for user space, which may call us.
 */
#include <linux/hmm.h>
#include <linux/ktime.h>
#include <linux/memcontrol.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/userfaultfd_k.h>

#include "compat.h"
#include "fail.h"
#include "ondemand.h"
#include "trace.h"

/* After so many changes in a row one who copies goes page by page. */
#define RETRIES_MAX 8

/* So often what an IO page table needs is waited for. */
#define NOMEM_MAX 3

/* Who waits for user space longer than it may is woken so often, in jiffies. */
#define ALARM_PERIOD (HZ / 10 + 1)

static atomic_t forced_retries;
static atomic_t forced_nomem;

/**
 * ondemand_set_retries - let memory seem to have changed
 * @n: the next so many times that pages were found
 */
void ondemand_set_retries(unsigned int n)
{
	atomic_set(&forced_retries, n);
}

/**
 * ondemand_set_nomem - let memory seem to be short
 * @n: the next so many times that pages are looked for
 */
void ondemand_set_nomem(unsigned int n)
{
	atomic_set(&forced_nomem, n);
}

/**
 * struct fault - Pages that are to be found, all in one chunk
 * @od: the memory
 * @chunk: the chunk
 * @base: address of the chunk
 * @first: first page that is needed, in the chunk
 * @last: last one
 * @from: first page that is looked at, since it is near
 * @to: last one
 * @flags: ONDEMAND_FAULT_*
 * @limited: there is a time ...
 * @deadline: ... when it is too late, in jiffies
 * @userfault: user space may have pages that are needed
 * @seq: changes before the page table was read
 * @pfns: what was found, for each page of the chunk
 * @domain: the IO page table that they go into, or NULL
 * @iova: where the first page goes there
 * @spare: see struct ondemand_loading
 */
struct fault {
	struct ondemand *od;
	struct ondemand_chunk *chunk;
	unsigned long base;
	unsigned int first;
	unsigned int last;
	unsigned int from;
	unsigned int to;
	unsigned int flags;
	bool limited;
	unsigned long deadline;
	bool userfault;
	unsigned long seq;
	unsigned long *pfns;
	const struct domain *domain;
	unsigned long iova;
	struct ondemand_load *spare;
};

static struct mm_struct *fault_mm(const struct fault *f)
{
	return f->od->notifier.mm;
}

static unsigned long page_address_of(const struct fault *f, unsigned int nr)
{
	return f->base + nr * PAGE_SIZE;
}

/* ---- what may be looked at ---- */

/*
 * Not memory without pages, or of which pages have no address in the kernel. Nor a
 * shadow stack, of which the page table says that it can be written.
 */
static bool vma_is_open(struct vm_area_struct *vma, bool write)
{
	if (vma->vm_flags & (VM_IO | VM_PFNMAP))
		return false;
	if (!(vma->vm_flags & VM_READ) ||
	    (write && !(vma->vm_flags & VM_WRITE)))
		return false;
	return !compat_vma_is_shadow_stack(vma) && !compat_vma_is_secret(vma);
}

/*
 * Look at the mappings of the pages that are needed. If one is not open, user space cannot
 * help with the others.
 */
static int check_needed(struct fault *f)
{
	unsigned long at = page_address_of(f, f->first);
	unsigned long end = page_address_of(f, f->last + 1);
	bool write = f->flags & ONDEMAND_FAULT_WRITE;
	struct mm_struct *mm = fault_mm(f);
	struct vm_area_struct *vma;

	for (; at < end; at = vma->vm_end) {
		vma = vma_lookup(mm, at);
		if (!vma || !vma_is_open(vma, write)) {
			f->userfault = false;
			return -EFAULT;
		}
		f->userfault = f->userfault || userfaultfd_armed(vma);
	}
	return 0;
}

/* Pages around them end where a mapping is not open. */
static void shrink_window(struct fault *f)
{
	unsigned long at = page_address_of(f, f->from);
	unsigned long needed = page_address_of(f, f->first);
	struct mm_struct *mm = fault_mm(f);
	struct vm_area_struct *vma;

	while ((vma = find_vma(mm, at)) &&
	       vma->vm_start < page_address_of(f, f->to + 1)) {
		at = vma->vm_end;
		if (vma_is_open(vma, false))
			continue;
		if (vma->vm_end <= needed)
			f->from = (vma->vm_end - f->base) / PAGE_SIZE;
		else
			f->to = (vma->vm_start - f->base) / PAGE_SIZE - 1;
	}
}

/*
 * As much around the pages as was asked for, or more if they are read one by one: those
 * that were needed, or all that was found.
 */
static void choose_window(struct fault *f)
{
	struct ondemand *od = f->od;
	unsigned int window = READ_ONCE(od->around);
	unsigned long at = page_address_of(f, f->first);

	if (at == READ_ONCE(od->next) || at == READ_ONCE(od->beyond))
		window = min_t(unsigned int, 2 * READ_ONCE(od->window),
			       ONDEMAND_CHUNK_PAGES);
	f->from = round_down(f->first, window);
	f->to = round_up(f->last + 1, window) - 1;
	if (page_address_of(f, f->from) < od->first)
		f->from = ondemand_page_nr(od->first);
	if (page_address_of(f, f->to) > od->last)
		f->to = ondemand_page_nr(od->last);
	WRITE_ONCE(od->window, window);
	WRITE_ONCE(od->next, page_address_of(f, f->last + 1));
	WRITE_ONCE(od->beyond, page_address_of(f, f->to + 1));
}

/* ---- one attempt ---- */

/* Pages of devices' own memory go back to the process rather than to us. */
static char nobody;

static int look(struct fault *f, unsigned int from, unsigned int to,
		unsigned long request)
{
	struct hmm_range range = {
		.notifier = &f->od->notifier,
		.notifier_seq = f->seq,
		.start = page_address_of(f, from),
		.end = page_address_of(f, to + 1),
		.hmm_pfns = f->pfns + from,
		.default_flags = request,
		.dev_private_owner = &nobody,
	};
	int rc;

	memset(f->pfns + from, 0, (to - from + 1) * sizeof(*f->pfns));
	rc = hmm_range_fault(&range);
	return rc == 0 || rc == -EBUSY || rc == -EINTR ? rc : -EFAULT;
}

/* Memory of devices is not memory to everybody. Nothing has changed since. */
static void leave_out_devices(struct fault *f)
{
	unsigned int nr;

	for (nr = f->from; nr <= f->to; nr++)
		if ((f->pfns[nr] & HMM_PFN_VALID) &&
		    is_pci_p2pdma_page(hmm_pfn_to_page(f->pfns[nr])))
			f->pfns[nr] = 0;
}

/* How many of the pages that are needed were found, from the first one on */
static long found(const struct fault *f)
{
	unsigned long want = HMM_PFN_VALID |
			     (f->flags & ONDEMAND_FAULT_WRITE ? HMM_PFN_WRITE : 0);
	unsigned int nr;

	for (nr = f->first; nr <= f->last; nr++)
		if ((f->pfns[nr] & want) != want)
			break;
	return nr - f->first;
}

/*
 * The pages that are needed are asked for by themselves: who asks for one page in a
 * range gets all that follow. What is around them is only looked at.
 *
 * So are those that user space may have: while a userfaultfd is being closed kernels
 * up to 6.1 say that the page is there, and hmm_range_fault() would look for it without
 * end, with the mmap_lock that the close waits for. wait_for_user() lets go of it.
 */
static int look_around(struct fault *f)
{
	bool nothing = f->flags & ONDEMAND_FAULT_NOTHING;
	unsigned long request = HMM_PFN_REQ_FAULT;
	int rc;

	if (f->flags & ONDEMAND_FAULT_WRITE)
		request |= HMM_PFN_REQ_WRITE;
	if (nothing || f->userfault)
		request = 0;
	rc = look(f, f->first, f->last, request);
	if (rc)
		return rc;
	if (!nothing && found(f) <= f->last - f->first) {
		/* Nor with what is no memory. */
		if (f->pfns[f->first + found(f)] & HMM_PFN_ERROR)
			f->userfault = false;
		return -EFAULT;
	}
	/* A huge page costs the same in whole. */
	if (hmm_pfn_to_map_order(f->pfns[f->first]) >= ilog2(ONDEMAND_CHUNK_PAGES) &&
	    f->base >= f->od->first && f->base + ONDEMAND_CHUNK - 1 <= f->od->last) {
		f->from = 0;
		f->to = ONDEMAND_CHUNK_PAGES - 1;
	}
	if (f->from < f->first && look(f, f->from, f->first - 1, 0))
		f->from = f->first;
	if (f->to > f->last && look(f, f->last + 1, f->to, 0))
		f->to = f->last;
	return 0;
}

static void read_begin(struct fault *f)
{
	u64 begin = ktime_get_ns();

	f->seq = mmu_interval_read_begin(&f->od->notifier);
	ondemand_count_max(f->od, ONDEMAND_WAIT_MAX_US,
			   (ktime_get_ns() - begin) / NSEC_PER_USEC);
}

static bool has_changed(struct fault *f)
{
	return mmu_interval_read_retry(&f->od->notifier, f->seq) ||
	       atomic_dec_if_positive(&forced_retries) >= 0;
}

/* Put what there is into the domain that asked for it. The lock is held. */
static int load(struct fault *f)
{
	struct ondemand_loading loading = {
		.domain = f->domain,
		.iova = f->iova,
		.address = page_address_of(f, f->first),
		.first = f->first,
		.last = f->last,
		.from = f->from,
		.to = f->to,
		.write = f->flags & ONDEMAND_FAULT_WRITE,
		.spare = &f->spare,
	};

	return f->domain ? ondemand_load_pages(f->od, f->chunk, &loading) : 0;
}

/* Before they are entered. */
static void count_found(const struct fault *f)
{
	struct ondemand *od = f->od;
	unsigned int nr, around = 0;

	for (nr = f->from; nr <= f->to; nr++)
		around += (nr < f->first || nr > f->last) &&
			  (f->pfns[nr] & HMM_PFN_VALID) &&
			  !test_bit(nr, f->chunk->present);
	ondemand_count(od, ONDEMAND_AROUND_PAGES, around);
	if (!(f->flags & ONDEMAND_FAULT_PREFETCH))
		ondemand_count_total(od, ONDEMAND_TOTAL_FAULTS);
	if (f->flags & ONDEMAND_FAULT_PREFETCH)
		ondemand_count(od, ONDEMAND_PREFETCH_PAGES, found(f));
	else if (f->flags & ONDEMAND_FAULT_WRITE)
		ondemand_count(od, ONDEMAND_FAULTS_WRITE, 1);
	else
		ondemand_count(od, ONDEMAND_FAULTS_READ, 1);
}

/*
 * Returns the number of pages found; -EBUSY if the memory has changed meanwhile. On
 * -EFAULT, @f->userfault says that user space may have the page.
 */
static long fault_once(struct fault *f)
{
	struct mm_struct *mm = fault_mm(f);
	long rc;

	f->userfault = false;
	choose_window(f);
	read_begin(f);
	if (mmap_read_lock_killable(mm))
		return -EINTR;
	rc = check_needed(f);
	if (!rc) {
		shrink_window(f);
		rc = look_around(f);
	}
	mmap_read_unlock(mm);
	if (rc)
		return rc;

	f->userfault = false;
	down_write(&f->od->lock);
	if (has_changed(f)) {
		rc = -EBUSY;
	} else if (f->od->dead) {
		rc = -EIO;
	} else {
		leave_out_devices(f);
		count_found(f);
		ondemand_enter(f->od, f->chunk, f->from, f->to, f->pfns);
		ondemand_mark_needed(f->od, f->chunk, f->first, f->last);
		rc = load(f) ?: found(f) ?: -EFAULT;
	}
	up_write(&f->od->lock);
	return rc;
}

/* ---- waiting for user space ---- */

static bool is_late(const struct fault *f)
{
	return f->limited && time_after_eq(jiffies, f->deadline);
}

/**
 * struct fault_alarm - Wakes a task, again and again: the first time it may not sleep yet
 * @timer: rings
 * @task: the task
 */
struct fault_alarm {
	struct timer_list timer;
	struct task_struct *task;
};

static void alarm_ring(struct timer_list *timer)
{
	struct fault_alarm *alarm = container_of(timer, struct fault_alarm, timer);

	wake_up_process(alarm->task);
	mod_timer(timer, jiffies + ALARM_PERIOD);
}

/*
 * Let the kernel fault once. If that is to wait for user space, it ends when somebody
 * wakes us, whoever it is. The mmap_lock is held, and dropped.
 */
static int touch(struct fault *f, unsigned long address)
{
	bool write = f->flags & ONDEMAND_FAULT_WRITE;
	unsigned int how = FAULT_FLAG_DEFAULT | FAULT_FLAG_REMOTE |
			   (write ? FAULT_FLAG_WRITE : 0);
	struct mm_struct *mm = fault_mm(f);
	struct vm_area_struct *vma = vma_lookup(mm, address);
	vm_fault_t rc = VM_FAULT_SIGSEGV;

	if (vma && vma_is_open(vma, write))
		rc = handle_mm_fault(vma, address, how, NULL);
	if (!(rc & (VM_FAULT_RETRY | VM_FAULT_COMPLETED)))
		mmap_read_unlock(mm);
	return rc & VM_FAULT_ERROR ? -EFAULT : 0;
}

/* Threads of the kernel cannot be killed, so they must not depend on user space. */
static int wait_until_late(struct fault *f)
{
	struct fault_alarm alarm = { .task = current };
	unsigned int nr;
	int rc = 0;

	timer_setup_on_stack(&alarm.timer, alarm_ring, 0);
	mod_timer(&alarm.timer, f->deadline);
	for (nr = f->first; nr <= f->last && !rc && !is_late(f); nr++) {
		mmap_read_lock(fault_mm(f));
		rc = touch(f, page_address_of(f, nr));
	}
	timer_delete_sync(&alarm.timer);
	timer_destroy_on_stack(&alarm.timer);
	return rc;
}

/* Let the kernel fault as it does for the process itself, which waits for user space. */
static int wait_for_user(struct fault *f)
{
	unsigned int how = FAULT_FLAG_REMOTE |
			   (f->flags & ONDEMAND_FAULT_WRITE ? FAULT_FLAG_WRITE : 0);
	struct mm_struct *mm = fault_mm(f);
	unsigned int nr;
	int rc = 0;

	ondemand_count(f->od, ONDEMAND_USERFAULT_WAITS, 1);
	if (f->limited)
		return wait_until_late(f);
	if (mmap_read_lock_killable(mm))
		return -EINTR;
	for (nr = f->first; nr <= f->last && !rc; nr++) {
		bool unlocked = false;

		rc = fixup_user_fault(mm, page_address_of(f, nr), how,
				      &unlocked);
		if (fatal_signal_pending(current))
			rc = -EINTR;
	}
	mmap_read_unlock(mm);
	return rc && rc != -EINTR ? -EFAULT : rc;
}

/* ---- until it is done ---- */

/* Others may have found them, which no domain knows of but theirs. */
static long load_known(struct fault *f)
{
	unsigned long end = f->last + 1;
	unsigned long *bits = f->flags & ONDEMAND_FAULT_WRITE ?
			      f->chunk->writable : f->chunk->present;
	long rc = 0;

	f->from = f->first;
	f->to = f->last;
	down_write(&f->od->lock);
	if (find_next_zero_bit(bits, end, f->first) == end) {
		rc = load(f);
		if (!rc)
			rc = end - f->first;
	}
	up_write(&f->od->lock);
	return rc;
}

/* An attempt that failed may have used it up, for an attachment that has gone since. */
static bool fill_spare(struct fault *f)
{
	if (!f->spare)
		f->spare = ondemand_load_alloc();
	return f->spare;
}

static bool gives_up(const struct fault *f, unsigned int retries)
{
	if (f->limited)
		return is_late(f);
	return retries >= RETRIES_MAX && !(f->flags & ONDEMAND_FAULT_ENDLESS);
}

static long fault_until_done(struct fault *f)
{
	unsigned int retries = 0, short_of_memory = 0;

	for (;;) {
		long rc;

		if (f->domain && !fill_spare(f))
			return -ENOMEM;
		rc = f->domain ? load_known(f) : 0;
		rc = rc ?: fault_once(f);
		if (rc == -ENOMEM && f->domain && short_of_memory++ < NOMEM_MAX) {
			/* It could not wait for memory, but we can. */
			schedule_timeout_killable(1);
			rc = 0;
		}
		if (rc == -EFAULT && f->userfault &&
		    !(f->flags & ONDEMAND_FAULT_NOTHING)) {
			rc = wait_for_user(f);
		} else if (rc == -EBUSY) {
			ondemand_count(f->od, ONDEMAND_RETRIES, 1);
			ondemand_count_max(f->od, ONDEMAND_RETRY_MAX, ++retries);
			rc = 0;
		}
		if (rc)
			return rc;
		if (gives_up(f, retries))
			return -EAGAIN;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
}

static long fault_with_memory(struct fault *f)
{
	long rc = -ENOMEM;

	f->pfns = fail_alloc(kmalloc_array(ONDEMAND_CHUNK_PAGES,
					   sizeof(*f->pfns), GFP_KERNEL));
	f->chunk = ondemand_chunk_get(f->od, ondemand_chunk_nr(f->base));
	if (f->pfns && f->chunk)
		rc = fault_until_done(f);
	if (f->chunk)
		ondemand_chunk_put(f->chunk);
	ondemand_load_free(f->spare);
	kfree(f->pfns);
	return rc;
}

static long fault_in_chunk(struct fault *f)
{
	struct mm_struct *mm = fault_mm(f);
	struct mem_cgroup *owner, *outer;
	long rc;

	if (READ_ONCE(f->od->dead))
		return -EIO;
	if (atomic_dec_if_positive(&forced_nomem) >= 0)
		return -ENOMEM;
	/* If it is about to go, that is noted when it is announced. */
	if (!mmget_not_zero(mm))
		return -EFAULT;
	/* Tables are charged to whose memory it is, whoever needs them. */
	owner = get_mem_cgroup_from_mm(mm);
	outer = set_active_memcg(owner);
	rc = fault_with_memory(f);
	set_active_memcg(outer);
	mem_cgroup_put(owner);
	mmput_async(mm);
	return rc;
}

static long fault_and_count(struct fault *f)
{
	long rc = fault_in_chunk(f);

	trace_ondemand_fault(READ_ONCE(f->od->mapping.ctx_id),
			     READ_ONCE(f->od->mapping.ioas_id),
			     ondemand_iova(f->od, page_address_of(f, f->first)),
			     (f->last - f->first + 1) * PAGE_SIZE, min(rc, 0L));
	if (rc < 0 && rc != -EAGAIN)
		ondemand_count(f->od, ONDEMAND_FAULT_ERRORS, 1);
	return rc;
}

/* For one page at first */
static struct fault fault_from(struct ondemand *od, unsigned long address,
			       unsigned int flags, const struct domain *domain,
			       unsigned long iova)
{
	return (struct fault){
		.od = od,
		.domain = domain,
		.iova = iova,
		.base = round_down(address, ONDEMAND_CHUNK),
		.first = ondemand_page_nr(address),
		.last = ondemand_page_nr(address),
		.flags = flags,
	};
}

/**
 * ondemand_fault - find pages
 * @od: the memory, which the caller keeps from ending
 * @address: of the first page
 * @npages: how many, at least 1, not beyond the end of the range
 * @flags: ONDEMAND_FAULT_WRITE: they will be written, which the memory allows;
 *	ONDEMAND_FAULT_PREFETCH: count them so;
 *	ONDEMAND_FAULT_NOTHING: take what the process has in its page table;
 *	ONDEMAND_FAULT_ENDLESS: try again whenever the memory changes
 * @domain: an IO page table that they go into as well, or NULL
 * @iova: where the first one goes there; if it does not belong there any more, it is left
 *	out
 *
 * All of them, or with FAULT_NOTHING as many as are there; not beyond the end of the
 * chunk. They may have gone again on return.
 *
 * Context: process context, may sleep and fault in the memory, which may depend on user
 * space; no lock is held that user space needs to go on, nor mmap_lock.
 * Return: how many pages were found, at least 1; -EFAULT if one cannot be had, or the
 * process has gone; -EIO if an IO page table has kept pages of this memory; -ENOMEM; -EINTR
 * on a fatal signal; -EAGAIN if the memory changes all the time.
 */
long ondemand_fault(struct ondemand *od, unsigned long address,
		    unsigned long npages, unsigned int flags,
		    const struct domain *domain, unsigned long iova)
{
	struct fault f = fault_from(od, address, flags, domain, iova);

	f.last = min(f.first + npages, ONDEMAND_CHUNK_PAGES) - 1;
	return fault_and_count(&f);
}

/**
 * ondemand_fault_until - find a page, or give up
 * @od: the memory, which the caller keeps from ending
 * @address: of the page
 * @write: it will be written, which the memory allows
 * @domain: as of ondemand_fault()
 * @iova: likewise
 * @deadline: in jiffies; it is tried once in any case
 *
 * For threads of the kernel: user space cannot make it last longer. Whoever changes
 * the memory all the time, or its file system, can.
 *
 * Context: as ondemand_fault(), but no task is running that minds being woken.
 * Return: 0; -EAGAIN if it is too late; -EFAULT, -EIO, -ENOMEM as ondemand_fault().
 */
int ondemand_fault_until(struct ondemand *od, unsigned long address, bool write,
			 const struct domain *domain, unsigned long iova,
			 unsigned long deadline)
{
	struct fault f = fault_from(od, address,
				    write ? ONDEMAND_FAULT_WRITE : 0, domain,
				    iova);

	f.limited = true;
	f.deadline = deadline;
	return min(fault_and_count(&f), 0L);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside of iommukit_dma.ko. Each open file is one engine:
 *
 *	dma_main.c	device node, table of commands
 *	dma_port.c	accesses and devices: bind, attach, replace, detach, unbind
 *	dma_pin.c	pinned pages and the unmap callback
 *	dma_op.c	one pass of an operation over its data
 *	dma_job.c	passes done by a kernel thread, once or again and again
 *
 * Locks of an engine, outermost first:
 *
 *	command_lock	one command at a time; owns what the commands change:
 *			ports and the passes that no thread has yet
 *	attach_lock	held over each rw of a pass by an access, and over its replace,
 *			so that no pass continues in an IOAS it was not started on
 *	pin_lock	the lock L of "Unmapping, and the lock of the driver" in
 *			<linux/iommukit.h>: pins and the state of the job
 *
 * The unmap callback takes pin_lock and nothing else. Therefore pin_lock is
 * never held over a call that calls or waits for it (attach, replace, detach,
 * destroy), nor over an access to the caller's user memory.
 */
#ifndef IOMMUKIT_DMA_H
#define IOMMUKIT_DMA_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/iommukit.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>

#include <linux/iommukit_dma.h>

struct ikdma_engine;
struct shash_desc;
struct task_struct;

/**
 * struct ikdma_port - One access or device of an engine
 * @engine: The engine it is part of
 * @access: NULL if the port is not bound, or a device. Set before the access can
 *	have pins and cleared after it is destroyed, so the unmap callback may use it
 * @device: Device of a port that is one
 * @ioas_id: What it is attached to, or 0
 * @may_pin: The access was created with needs_pin_pages
 * @pins: Pins made through the access; under pin_lock
 */
struct ikdma_port {
	struct ikdma_engine *engine;
	struct iommukit_access *access;
	struct iommukit_soft_device *device;
	u32 ioas_id;
	bool may_pin;
	struct list_head pins;
};

/**
 * struct ikdma_pin - Some pages pinned in one call
 * @item: In the list of the port while pinned, else empty
 * @port: Port that pinned them
 * @iova: As given to pin_pages, and to be given to unpin_pages
 * @length: As @iova
 * @pages: Room for @max_pages
 * @max_pages: Room in @pages
 * @revoked: The unmap callback released it; nothing may be pinned anew
 */
struct ikdma_pin {
	struct list_head item;
	struct ikdma_port *port;
	unsigned long iova;
	unsigned long length;
	struct page **pages;
	unsigned int max_pages;
	bool revoked;
};

/**
 * struct ikdma_side - Source or destination of a pass
 * @port: NULL if the operation has no such side
 * @iova: Of its first byte
 * @rw_flags: For iommukit_access_rw()
 * @pin: In pinning mode: the pages at hand
 */
struct ikdma_side {
	struct ikdma_port *port;
	unsigned long iova;
	unsigned int rw_flags;
	struct ikdma_pin pin;
};

/**
 * struct ikdma_pass - One operation, from its first byte to its last
 * @engine: Who runs it
 * @op: enum iommukit_dma_op
 * @pinned: Works on pinned pages, not through rw
 * @backward: Overlapping copy that has to start at its end
 * @stop: Somebody wants it to end early; READ_ONCE()
 * @length: Bytes
 * @user: The caller's buffer, for READ and WRITE
 * @src: Source
 * @dst: Destination
 * @buf: All data goes through it; kvmalloc() because rw may be a user copy
 *	beneath, which takes no memory from arbitrary slab caches
 * @buf_size: Of @buf
 * @hash: For the operations that have a digest, else NULL
 * @digest: Of the latest complete run
 */
struct ikdma_pass {
	struct ikdma_engine *engine;
	u32 op;
	bool pinned;
	bool backward;
	bool stop;
	unsigned long length;
	u8 __user *user;
	struct ikdma_side src;
	struct ikdma_side dst;
	u8 *buf;
	size_t buf_size;
	struct shash_desc *hash;
	u8 digest[IOMMUKIT_DMA_DIGEST_MAX];
};

/**
 * struct ikdma_job - What IOMMUKIT_DMA_START started
 * @task: Its thread, NULL if there is none to be reaped; command_lock
 * @pass: What it repeats; valid while @task is set
 * @state: enum iommukit_dma_state; @stop of @pass is set whenever this ceases
 *	to be RUNNING. This and the following under pin_lock
 * @error: Why it failed, positive
 * @passes: Complete passes
 * @digest: Of the latest of them
 */
struct ikdma_job {
	struct task_struct *task;
	struct ikdma_pass pass;
	u32 state;
	u32 error;
	u64 passes;
	u8 digest[IOMMUKIT_DMA_DIGEST_MAX];
};

/**
 * struct ikdma_engine - One open file
 * @command_lock: Outermost lock; see the head of this file
 * @attach_lock: Between the two others
 * @pin_lock: L, the lock of the unmap callback
 * @ports: The ports
 * @job: The job
 * @bytes: Moved or read since open
 * @pinned_pages: Under pin_lock, as are the following
 * @unmap_calls: Calls of the unmap callback
 * @unmap_iova: Argument of the latest
 * @unmap_length: Argument of the latest
 */
struct ikdma_engine {
	struct mutex command_lock; /* one command at a time */
	struct mutex attach_lock; /* no rw while the IOAS changes */
	struct mutex pin_lock; /* pins, state of the job, and what follows */
	struct ikdma_port ports[IOMMUKIT_DMA_NR_PORTS];
	struct ikdma_job job;
	atomic64_t bytes;
	u64 pinned_pages;
	u64 unmap_calls;
	u64 unmap_iova;
	u64 unmap_length;
};

/* Argument of any command. */
union ikdma_arg {
	struct iommukit_dma_bind bind;
	struct iommukit_dma_port port;
	struct iommukit_dma_attach attach;
	struct iommukit_dma_transfer transfer;
	struct iommukit_dma_start start;
	struct iommukit_dma_stop stop;
	struct iommukit_dma_status status;
};

/* Commands: called with command_lock held, except for status. */
int ikdma_bind(struct ikdma_engine *engine, union ikdma_arg *arg);
int ikdma_unbind(struct ikdma_engine *engine, union ikdma_arg *arg);
int ikdma_attach(struct ikdma_engine *engine, union ikdma_arg *arg);
int ikdma_replace(struct ikdma_engine *engine, union ikdma_arg *arg);
int ikdma_detach(struct ikdma_engine *engine, union ikdma_arg *arg);
int ikdma_transfer(struct ikdma_engine *engine, union ikdma_arg *arg);
int ikdma_start(struct ikdma_engine *engine, union ikdma_arg *arg);
int ikdma_stop(struct ikdma_engine *engine, union ikdma_arg *arg);
int ikdma_status(struct ikdma_engine *engine, union ikdma_arg *arg);

void ikdma_port_destroy(struct ikdma_port *port);

int ikdma_pin_alloc(struct ikdma_pin *pin, struct ikdma_port *port,
		    unsigned long max_pages);
void ikdma_pin_free(struct ikdma_pin *pin);
int ikdma_pin_locked(struct ikdma_pin *pin, unsigned long first,
		     unsigned long last, unsigned int rw_flags);
void ikdma_pin_release_locked(struct ikdma_pin *pin);
int ikdma_pin_copy(const struct ikdma_pass *pass, struct ikdma_side *side,
		   unsigned long offset, void *buf, size_t len);
void ikdma_port_unmap(void *data, unsigned long iova, unsigned long length);

int ikdma_pass_init(struct ikdma_pass *pass, struct ikdma_engine *engine,
		    const struct iommukit_dma_transfer *request,
		    bool pin_whole);
int ikdma_pass_pin_locked(struct ikdma_pass *pass);
void ikdma_pass_unpin_locked(struct ikdma_pass *pass);
int ikdma_pass_run(struct ikdma_pass *pass);
void ikdma_pass_exit(struct ikdma_pass *pass);

int ikdma_pass_run_kthread(struct ikdma_pass *pass);
void ikdma_job_revoke_locked(struct ikdma_engine *engine);
void ikdma_job_stop(struct ikdma_engine *engine, u32 state);

static inline bool ikdma_port_bound(const struct ikdma_port *port)
{
	return port->access || port->device;
}

static inline bool ikdma_pass_uses(const struct ikdma_pass *pass,
				   const struct ikdma_port *port)
{
	return pass->src.port == port || pass->dst.port == port;
}

#endif /* IOMMUKIT_DMA_H */

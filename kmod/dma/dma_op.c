// SPDX-License-Identifier: GPL-2.0-only
/*
 * One pass of an operation. All data goes in chunks through one bounce buffer:
 * a chunk is what the unmap callback may have to wait for, and what is done
 * between two looks at signals. User memory is only touched between the chunks,
 * with no lock held.
 */
#include <crypto/hash.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "dma.h"

#define IKDMA_CHUNK SZ_64K
/* What a job may have pinned on each side. */
#define IKDMA_PIN_MAX SZ_1G

struct ikdma_op {
	bool src;
	bool dst;
	bool user;
	const char *hash;
	unsigned int digest_size;
};

static const struct ikdma_op ikdma_ops[] = {
	[IOMMUKIT_DMA_OP_READ] = { .src = true, .user = true },
	[IOMMUKIT_DMA_OP_WRITE] = { .dst = true, .user = true },
	[IOMMUKIT_DMA_OP_COPY] = { .src = true, .dst = true },
	[IOMMUKIT_DMA_OP_FILL] = { .dst = true },
	[IOMMUKIT_DMA_OP_CRC32C] = { .src = true, .hash = "crc32c",
				     .digest_size = 4 },
	[IOMMUKIT_DMA_OP_SHA256] = { .src = true, .hash = "sha256",
				     .digest_size = 32 },
};

static int ikdma_hash_init(struct ikdma_pass *pass, const struct ikdma_op *op)
{
	struct crypto_shash *tfm;
	int ret = -ENOMEM;

	tfm = crypto_alloc_shash(op->hash, 0, 0);
	/* ENOENT would read as a hole in the range. */
	if (IS_ERR(tfm))
		return tfm == ERR_PTR(-ENOENT) ? -EOPNOTSUPP : PTR_ERR(tfm);
	if (crypto_shash_digestsize(tfm) != op->digest_size) {
		ret = -EOPNOTSUPP;
		goto err_tfm;
	}
	pass->hash = kzalloc(sizeof(*pass->hash) + crypto_shash_descsize(tfm),
			     GFP_KERNEL_ACCOUNT);
	if (!pass->hash)
		goto err_tfm;
	pass->hash->tfm = tfm;
	return 0;

err_tfm:
	crypto_free_shash(tfm);
	return ret;
}

static void ikdma_hash_exit(struct ikdma_pass *pass)
{
	if (!pass->hash)
		return;
	crypto_free_shash(pass->hash->tfm);
	kfree_sensitive(pass->hash);
	pass->hash = NULL;
}

static int ikdma_buf_init(struct ikdma_pass *pass, u64 pattern)
{
	size_t i;

	pass->buf_size = min_t(unsigned long, pass->length, IKDMA_CHUNK);
	/* Room for the last, partial repetition of the pattern. */
	pass->buf = kvmalloc(ALIGN(pass->buf_size, sizeof(u64)),
			     GFP_KERNEL_ACCOUNT);
	if (!pass->buf)
		return -ENOMEM;
	/* Chunks begin at multiples of the pattern: it is laid out once. */
	if (pass->op == IOMMUKIT_DMA_OP_FILL)
		for (i = 0; i < pass->buf_size; i += sizeof(u64))
			*(__le64 *)(pass->buf + i) = cpu_to_le64(pattern);
	return 0;
}

/* Check one side of the request and set it up. */
static int ikdma_side_init(struct ikdma_side *side, struct ikdma_pass *pass,
			   u32 port_nr, u64 iova, unsigned int rw_flags)
{
	struct ikdma_port *port = &pass->engine->ports[port_nr];
	unsigned long last;

	if (check_add_overflow(iova, (u64)pass->length - 1, &last))
		return -EOVERFLOW;
	if (!ikdma_port_bound(port))
		return -ENODEV;
	if (pass->pinned && !port->may_pin)
		return -EINVAL;
	side->iova = iova;
	side->rw_flags = rw_flags;
	side->port = port;
	return 0;
}

static int ikdma_side_init_pin(struct ikdma_side *side,
			       const struct ikdma_pass *pass, bool whole)
{
	unsigned long npages;

	if (!pass->pinned || !side->port)
		return 0;
	/* Pins begin at a page; KTHREAD means nothing to them. */
	side->rw_flags &= IOMMUKIT_ACCESS_RW_WRITE;
	npages = (offset_in_page(side->iova) + pass->length - 1) / PAGE_SIZE + 1;
	return ikdma_pin_alloc(&side->pin, side->port, whole ? npages : 0);
}

static int ikdma_request_check(const struct iommukit_dma_transfer *request)
{
	if (request->flags & ~(IOMMUKIT_DMA_PIN | IOMMUKIT_DMA_KTHREAD) ||
	    request->op >= ARRAY_SIZE(ikdma_ops) || request->__reserved)
		return -EOPNOTSUPP;
	if (request->src_port >= IOMMUKIT_DMA_NR_PORTS ||
	    request->dst_port >= IOMMUKIT_DMA_NR_PORTS || !request->length)
		return -EINVAL;
	/* The thread has no user memory to read from or write to. */
	if (request->flags & IOMMUKIT_DMA_KTHREAD &&
	    ikdma_ops[request->op].user)
		return -EINVAL;
	if (request->length > ULONG_MAX)
		return -EOVERFLOW;
	return 0;
}

/**
 * ikdma_pass_init() - Check a request and get ready for it
 * @pass: What to set up
 * @engine: The engine
 * @request: As user space gave it
 * @pin_whole: With IOMMUKIT_DMA_PIN: make room to pin all of it at once
 *
 * Context: Sleeps; command_lock is held.
 * Return: 0, then ikdma_pass_exit() is due, or an errno
 */
int ikdma_pass_init(struct ikdma_pass *pass, struct ikdma_engine *engine,
		    const struct iommukit_dma_transfer *request, bool pin_whole)
{
	unsigned int kthread = request->flags & IOMMUKIT_DMA_KTHREAD ?
			       IOMMUKIT_ACCESS_RW_KTHREAD : 0;
	const struct ikdma_op *op;
	int ret;

	ret = ikdma_request_check(request);
	if (ret)
		return ret;
	op = &ikdma_ops[request->op];
	*pass = (struct ikdma_pass){
		.engine = engine,
		.op = request->op,
		.pinned = request->flags & IOMMUKIT_DMA_PIN,
		.length = request->length,
		.user = u64_to_user_ptr(request->user_va),
	};
	if (pass->pinned && pin_whole && pass->length > IKDMA_PIN_MAX)
		return -EINVAL;
	/*
	 * Of two ranges of different address spaces this may be true as well;
	 * the order does not matter there.
	 */
	pass->backward = op->src && op->dst &&
			 request->dst_iova > request->src_iova &&
			 request->dst_iova - request->src_iova < pass->length;

	if (op->src)
		ret = ikdma_side_init(&pass->src, pass, request->src_port,
				      request->src_iova,
				      IOMMUKIT_ACCESS_RW_READ | kthread);
	if (!ret && op->dst)
		ret = ikdma_side_init(&pass->dst, pass, request->dst_port,
				      request->dst_iova,
				      IOMMUKIT_ACCESS_RW_WRITE | kthread);
	if (!ret)
		ret = ikdma_side_init_pin(&pass->src, pass, pin_whole);
	if (!ret)
		ret = ikdma_side_init_pin(&pass->dst, pass, pin_whole);
	if (!ret)
		ret = ikdma_buf_init(pass, request->pattern);
	if (!ret && op->hash)
		ret = ikdma_hash_init(pass, op);
	if (ret)
		ikdma_pass_exit(pass);
	return ret;
}

/* Also for a pass that was set up in part. Leaves no trace of the ports. */
void ikdma_pass_exit(struct ikdma_pass *pass)
{
	struct ikdma_engine *engine = pass->engine;

	if (pass->pinned) {
		mutex_lock(&engine->pin_lock);
		ikdma_pass_unpin_locked(pass);
		mutex_unlock(&engine->pin_lock);
		ikdma_pin_free(&pass->src.pin);
		ikdma_pin_free(&pass->dst.pin);
	}
	ikdma_hash_exit(pass);
	kvfree(pass->buf);
	memset(pass, 0, sizeof(*pass));
}

static int ikdma_side_pin_locked(struct ikdma_side *side,
				 const struct ikdma_pass *pass)
{
	if (!side->port)
		return 0;
	return ikdma_pin_locked(&side->pin, side->iova & PAGE_MASK,
				side->iova + (pass->length - 1),
				side->rw_flags);
}

/* Pin all of it, both sides or none. */
int ikdma_pass_pin_locked(struct ikdma_pass *pass)
{
	int ret;

	ret = ikdma_side_pin_locked(&pass->src, pass);
	if (!ret)
		ret = ikdma_side_pin_locked(&pass->dst, pass);
	if (ret)
		ikdma_pass_unpin_locked(pass);
	return ret;
}

void ikdma_pass_unpin_locked(struct ikdma_pass *pass)
{
	/* A side without pages never got as far as to have a list. */
	if (pass->src.pin.pages)
		ikdma_pin_release_locked(&pass->src.pin);
	if (pass->dst.pin.pages)
		ikdma_pin_release_locked(&pass->dst.pin);
}

/*
 * By a HWPT, which may well be another one meanwhile. What is on demand is not there
 * before it is asked for, and may go again before it is copied.
 */
static int ikdma_device_copy(const struct ikdma_pass *pass,
			     struct iommukit_soft_device *device,
			     unsigned long iova, size_t len, unsigned int flags)
{
	int ret, fault;

	for (;;) {
		ret = iommukit_soft_device_rw(device, iova, pass->buf, len,
					      flags);
		if (ret != -ENOENT && ret != -EPERM)
			return ret;
		fault = iommukit_soft_device_fault(device, iova, len, flags);
		if (fault)
			return fault == -ENOENT ? ret : fault;
		if (READ_ONCE(pass->stop))
			return -ECANCELED;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
}

/* Move a chunk between the buffer and one side. */
static int ikdma_side_copy(const struct ikdma_pass *pass,
			   struct ikdma_side *side, unsigned long offset,
			   size_t len)
{
	struct ikdma_engine *engine = pass->engine;
	int ret;

	if (pass->pinned)
		return ikdma_pin_copy(pass, side, offset, pass->buf, len);
	if (side->port->device)
		return ikdma_device_copy(pass, side->port->device,
					 side->iova + offset, len,
					 side->rw_flags &
					 IOMMUKIT_ACCESS_RW_WRITE);

	ret = mutex_lock_killable(&engine->attach_lock);
	if (ret)
		return ret;
	/* Not after the port has moved to another IOAS. */
	if (READ_ONCE(pass->stop))
		ret = -ECANCELED;
	else
		ret = iommukit_access_rw(side->port->access,
					 side->iova + offset, pass->buf, len,
					 side->rw_flags);
	mutex_unlock(&engine->attach_lock);
	return ret;
}

static int ikdma_chunk(struct ikdma_pass *pass, unsigned long offset,
		       size_t len)
{
	int ret;

	if (READ_ONCE(pass->stop))
		return -ECANCELED;
	if (fatal_signal_pending(current))
		return -EINTR;

	if (pass->src.port) {
		ret = ikdma_side_copy(pass, &pass->src, offset, len);
		if (ret)
			return ret;
	} else if (pass->op == IOMMUKIT_DMA_OP_WRITE &&
		   copy_from_user(pass->buf, pass->user + offset, len)) {
		return -EFAULT;
	}

	if (pass->dst.port)
		return ikdma_side_copy(pass, &pass->dst, offset, len);
	if (pass->hash)
		return crypto_shash_update(pass->hash, pass->buf, len);
	return copy_to_user(pass->user + offset, pass->buf, len) ? -EFAULT : 0;
}

/**
 * ikdma_pass_run() - Do the operation once, from end to end
 * @pass: What to do
 *
 * Context: Sleeps and may fault in user memory; no lock that the unmap callback
 *	takes may be held. Ends early on a fatal signal.
 * Return: 0, ECANCELED if the pages were revoked or @stop is set, EINTR, or an
 *	error of the core
 */
int ikdma_pass_run(struct ikdma_pass *pass)
{
	unsigned long done = 0;
	int ret;

	if (pass->hash) {
		ret = crypto_shash_init(pass->hash);
		if (ret)
			return ret;
	}
	while (done < pass->length) {
		size_t len = min_t(unsigned long, pass->length - done,
				   pass->buf_size);

		ret = ikdma_chunk(pass, pass->backward ?
				  pass->length - done - len : done, len);
		if (ret)
			return ret;
		done += len;
		atomic64_add(len, &pass->engine->bytes);
		cond_resched();
	}
	return pass->hash ? crypto_shash_final(pass->hash, pass->digest) : 0;
}

int ikdma_transfer(struct ikdma_engine *engine, union ikdma_arg *arg)
{
	struct iommukit_dma_transfer *transfer = &arg->transfer;
	struct ikdma_pass pass;
	int ret;

	ret = ikdma_pass_init(&pass, engine, transfer, false);
	if (ret)
		return ret;
	if (transfer->flags & IOMMUKIT_DMA_KTHREAD)
		ret = ikdma_pass_run_kthread(&pass);
	else
		ret = ikdma_pass_run(&pass);
	memcpy(transfer->out_digest, pass.digest, sizeof(pass.digest));
	ikdma_pass_exit(&pass);
	return ret;
}

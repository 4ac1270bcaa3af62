/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Userspace ABI of iommukit_dma, a software DMA engine behind
 * /dev/iommukit-dma that works on IOVAs of iommukit's IO address spaces.
 *
 * One open file is one engine. An engine has two ports; each is bound to a
 * context (a descriptor of /dev/iommukit) and attached to one IOAS of it, so a
 * copy may go between two address spaces and even between two contexts. Through an IOTLB
 * transfers wait for what its server has not told yet, and fail as it says.
 */
#ifndef _UAPI_LINUX_IOMMUKIT_DMA_H
#define _UAPI_LINUX_IOMMUKIT_DMA_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: Rules of all commands
 *
 * @size is negotiated as on /dev/iommukit (EINVAL, E2BIG). Unknown flags, ops
 * and non-zero reserved members give EOPNOTSUPP; a port other than 0 and 1
 * EINVAL; a command number that does not exist ENOTTY. Errors of the core are
 * passed on unchanged: ENOENT (hole in the IOVA range), EPERM (mapping does not
 * allow it), EINVAL, EOVERFLOW, EFAULT, ENOMEM. If only writing back the result
 * fails (EFAULT), the command has taken effect.
 *
 * Commands of one engine run one after the other, except for
 * IOMMUKIT_DMA_STATUS; waiting for one's turn ends with EINTR on a fatal signal.
 */
#define IOMMUKIT_DMA_TYPE (';')
#define IOMMUKIT_DMA_NR_PORTS 2
#define IOMMUKIT_DMA_DIGEST_MAX 32

/**
 * enum iommukit_dma_port_flags - How a port works
 * @IOMMUKIT_DMA_PORT_PIN: The port may pin pages; without it the port only
 *	copies, and mappings need not be page aligned
 * @IOMMUKIT_DMA_PORT_HWPT: The port is a device, which goes through a HWPT; not
 *	with PIN
 */
enum iommukit_dma_port_flags {
	IOMMUKIT_DMA_PORT_PIN = 1 << 0,
	IOMMUKIT_DMA_PORT_HWPT = 1 << 1,
};

/**
 * struct iommukit_dma_bind - ioctl(IOMMUKIT_DMA_BIND)
 * @size: sizeof(struct iommukit_dma_bind)
 * @flags: Combination of enum iommukit_dma_port_flags
 * @port: Port to bind
 * @fd: Descriptor of /dev/iommukit
 * @out_access_id: Id of the access or device object in that context
 * @__reserved: Must be 0
 *
 * Create the port's access or device in the context of @fd. EBUSY if the port is
 * bound; EBADF if @fd is not open, EBADFD if it is not a context.
 */
struct iommukit_dma_bind {
	__u32 size;
	__u32 flags;
	__u32 port;
	__s32 fd;
	__u32 out_access_id;
	__u32 __reserved;
};
#define IOMMUKIT_DMA_BIND _IO(IOMMUKIT_DMA_TYPE, 0xe0)

/**
 * struct iommukit_dma_port - A command that needs just a port
 * @size: sizeof(struct iommukit_dma_port)
 * @port: The port
 *
 * IOMMUKIT_DMA_UNBIND stops a job that uses the port and destroys its access.
 * IOMMUKIT_DMA_DETACH stops such a job and leaves the IOAS. ENODEV if the port
 * is not bound; DETACH also ENOENT if it is not attached.
 */
struct iommukit_dma_port {
	__u32 size;
	__u32 port;
};
#define IOMMUKIT_DMA_UNBIND _IO(IOMMUKIT_DMA_TYPE, 0xe1)
#define IOMMUKIT_DMA_DETACH _IO(IOMMUKIT_DMA_TYPE, 0xe4)

/**
 * struct iommukit_dma_attach - ioctl(IOMMUKIT_DMA_ATTACH), _REPLACE
 * @size: sizeof(struct iommukit_dma_attach)
 * @port: The port
 * @ioas_id: IOAS of the port's context, or an IOTLB, which is gone through; with
 *	PORT_HWPT an IOAS or a HWPT, and on success the HWPT
 * @__reserved: Must be 0
 *
 * ATTACH joins an IOAS: EINVAL if attached already. REPLACE moves to another
 * one, which stops a job that uses the port, unless it fails or the port is
 * attached to that IOAS already: ENOENT if not attached. Both: ENODEV if not
 * bound, ENOENT if there is no such IOAS, EADDRINUSE if a port that pins meets
 * mappings that are not page aligned.
 *
 * With PORT_HWPT, REPLACE does not stop a job, which goes on by the new HWPT; not
 * even ATTACH or REPLACE of an explicit HWPT pins anything, for a HWPT has all that
 * is mapped. EINVAL if the HWPT is for other devices.
 */
struct iommukit_dma_attach {
	__u32 size;
	__u32 port;
	__u32 ioas_id;
	__u32 __reserved;
};
#define IOMMUKIT_DMA_ATTACH _IO(IOMMUKIT_DMA_TYPE, 0xe2)
#define IOMMUKIT_DMA_REPLACE _IO(IOMMUKIT_DMA_TYPE, 0xe3)

/**
 * enum iommukit_dma_op - What a transfer does
 * @IOMMUKIT_DMA_OP_READ: Copy from source IOVA to @user_va
 * @IOMMUKIT_DMA_OP_WRITE: Copy from @user_va to destination IOVA
 * @IOMMUKIT_DMA_OP_COPY: Copy from source IOVA to destination IOVA; in one
 *	address space overlapping ranges behave as memmove()
 * @IOMMUKIT_DMA_OP_FILL: Fill the destination with @pattern, low byte first,
 *	starting anew at the first byte
 * @IOMMUKIT_DMA_OP_CRC32C: CRC32C (Castagnoli, seed ~0, final inversion) of the
 *	source; 4 bytes, little endian
 * @IOMMUKIT_DMA_OP_SHA256: SHA-256 of the source; 32 bytes
 */
enum iommukit_dma_op {
	IOMMUKIT_DMA_OP_READ = 0,
	IOMMUKIT_DMA_OP_WRITE = 1,
	IOMMUKIT_DMA_OP_COPY = 2,
	IOMMUKIT_DMA_OP_FILL = 3,
	IOMMUKIT_DMA_OP_CRC32C = 4,
	IOMMUKIT_DMA_OP_SHA256 = 5,
};

/**
 * enum iommukit_dma_flags - How a transfer is done
 * @IOMMUKIT_DMA_PIN: Pin the pages and work on them; without it data goes
 *	through the core's copying call. The ports must be bound with
 *	IOMMUKIT_DMA_PORT_PIN (else EINVAL)
 * @IOMMUKIT_DMA_KTHREAD: The engine's own kernel thread does the work and
 *	borrows the owner's memory; READ and WRITE are refused with EINVAL
 */
enum iommukit_dma_flags {
	IOMMUKIT_DMA_PIN = 1 << 0,
	IOMMUKIT_DMA_KTHREAD = 1 << 1,
};

/**
 * struct iommukit_dma_transfer - ioctl(IOMMUKIT_DMA_TRANSFER)
 * @size: sizeof(struct iommukit_dma_transfer)
 * @flags: Combination of enum iommukit_dma_flags
 * @op: One of enum iommukit_dma_op
 * @src_port: Port that @src_iova belongs to, if the op has a source; else any
 * @dst_port: Port that @dst_iova belongs to, if the op has a destination; else
 *	any
 * @__reserved: Must be 0
 * @src_iova: First byte of the source
 * @dst_iova: First byte of the destination
 * @length: Bytes, at least 1 (EINVAL)
 * @user_va: The caller's buffer for READ and WRITE
 * @pattern: Eight bytes for FILL
 * @out_digest: Result of CRC32C and SHA256; rest zero
 *
 * Runs to its end and returns. Not atomic: on error a part may have been done.
 * ENODEV if a port it needs is not bound; ECANCELED if pages in use were
 * unmapped meanwhile; EINTR on a fatal signal; EOPNOTSUPP if the kernel lacks
 * the digest.
 */
struct iommukit_dma_transfer {
	__u32 size;
	__u32 flags;
	__u32 op;
	__u32 src_port;
	__u32 dst_port;
	__u32 __reserved;
	__aligned_u64 src_iova;
	__aligned_u64 dst_iova;
	__aligned_u64 length;
	__aligned_u64 user_va;
	__aligned_u64 pattern;
	__u8 out_digest[IOMMUKIT_DMA_DIGEST_MAX];
};
#define IOMMUKIT_DMA_TRANSFER _IO(IOMMUKIT_DMA_TYPE, 0xe5)

/**
 * struct iommukit_dma_start - ioctl(IOMMUKIT_DMA_START)
 * @size: sizeof(struct iommukit_dma_start)
 * @flags: IOMMUKIT_DMA_PIN or 0
 * @op: FILL, COPY, CRC32C or SHA256 of enum iommukit_dma_op; READ and WRITE are
 *	refused with EOPNOTSUPP
 * @src_port: As in struct iommukit_dma_transfer
 * @dst_port: As in struct iommukit_dma_transfer
 * @__reserved: Must be 0
 * @src_iova: As in struct iommukit_dma_transfer
 * @dst_iova: As in struct iommukit_dma_transfer
 * @length: Bytes of one pass; with IOMMUKIT_DMA_PIN at most 1 GiB
 * @pattern: Eight bytes for FILL
 *
 * Let the engine's kernel thread repeat a transfer until it is stopped. With
 * IOMMUKIT_DMA_PIN the pages are pinned once, before the command returns, and
 * stay pinned; when user space unmaps them, or the port is detached, replaced
 * or unbound, the engine stops and releases them. One job at a time: EBUSY.
 */
struct iommukit_dma_start {
	__u32 size;
	__u32 flags;
	__u32 op;
	__u32 src_port;
	__u32 dst_port;
	__u32 __reserved;
	__aligned_u64 src_iova;
	__aligned_u64 dst_iova;
	__aligned_u64 length;
	__aligned_u64 pattern;
};
#define IOMMUKIT_DMA_START _IO(IOMMUKIT_DMA_TYPE, 0xe6)

/**
 * struct iommukit_dma_stop - ioctl(IOMMUKIT_DMA_STOP)
 * @size: sizeof(struct iommukit_dma_stop)
 * @flags: Must be 0
 *
 * Stop the job and release its pages. No job is no error, and one that ended by
 * itself keeps its state.
 */
struct iommukit_dma_stop {
	__u32 size;
	__u32 flags;
};
#define IOMMUKIT_DMA_STOP _IO(IOMMUKIT_DMA_TYPE, 0xe7)

/**
 * enum iommukit_dma_state - State of an engine's job
 * @IOMMUKIT_DMA_IDLE: No job was started yet, or it was stopped by command
 * @IOMMUKIT_DMA_RUNNING: The job is running
 * @IOMMUKIT_DMA_REVOKED: The unmap callback, or a change of the port, ended it
 * @IOMMUKIT_DMA_FAILED: A pass failed; @out_error tells why
 */
enum iommukit_dma_state {
	IOMMUKIT_DMA_IDLE = 0,
	IOMMUKIT_DMA_RUNNING = 1,
	IOMMUKIT_DMA_REVOKED = 2,
	IOMMUKIT_DMA_FAILED = 3,
};

/**
 * struct iommukit_dma_status - ioctl(IOMMUKIT_DMA_STATUS)
 * @size: sizeof(struct iommukit_dma_status)
 * @flags: Must be 0
 * @out_state: One of enum iommukit_dma_state
 * @out_error: Positive errno of the failed pass, or 0
 * @out_passes: Completed passes of the job
 * @out_bytes: Bytes moved or read by the engine since it was opened
 * @out_unmap_calls: How often the unmap callback was called, both ports
 * @out_unmap_iova: First IOVA of the latest call
 * @out_unmap_length: Length of the latest call
 * @out_pinned_pages: Pages that the engine has pinned now
 * @out_digest: Digest of the latest completed pass of a CRC32C or SHA256 job
 */
struct iommukit_dma_status {
	__u32 size;
	__u32 flags;
	__u32 out_state;
	__u32 out_error;
	__aligned_u64 out_passes;
	__aligned_u64 out_bytes;
	__aligned_u64 out_unmap_calls;
	__aligned_u64 out_unmap_iova;
	__aligned_u64 out_unmap_length;
	__aligned_u64 out_pinned_pages;
	__u8 out_digest[IOMMUKIT_DMA_DIGEST_MAX];
};
#define IOMMUKIT_DMA_STATUS _IO(IOMMUKIT_DMA_TYPE, 0xe8)

#endif /* _UAPI_LINUX_IOMMUKIT_DMA_H */

// SPDX-License-Identifier: GPL-2.0-only
/* A DMA engine whose commands return their errno. */
#pragma once

#include "kit.h"

#include <linux/iommukit_dma.h>

namespace guest {

constexpr std::uint32_t dma_pin = IOMMUKIT_DMA_PIN;
constexpr std::uint32_t dma_kthread = IOMMUKIT_DMA_KTHREAD;

class Engine {
    public:
	Engine();
	/* Binds port 0 for pinning and attaches it. */
	Engine(const Context &context, std::uint32_t ioas);

	int fd() const { return device.get(); }
	void close() { device.reset(); }

	Errno try_bind(std::uint32_t port, int context_fd,
		       std::uint32_t flags = IOMMUKIT_DMA_PORT_PIN) const;
	/* @hwpt gets what a port that is a device is attached to, on success. */
	Errno try_attach(std::uint32_t port, std::uint32_t ioas,
			 std::uint32_t *hwpt = nullptr) const;
	Errno try_replace(std::uint32_t port, std::uint32_t ioas,
			  std::uint32_t *hwpt = nullptr) const;
	Errno try_detach(std::uint32_t port) const;
	Errno try_unbind(std::uint32_t port) const;
	/* Binds and attaches, which must succeed. */
	void join(std::uint32_t port, const Context &context, std::uint32_t ioas,
		  std::uint32_t flags = IOMMUKIT_DMA_PORT_PIN) const;

	/* Makes a port a device, and returns its id. */
	std::uint32_t bind_device(std::uint32_t port, const Context &context) const;

	Errno try_transfer(iommukit_dma_transfer &cmd) const;
	Errno try_start(iommukit_dma_start cmd) const;
	void start(iommukit_dma_start cmd) const;
	Errno try_stop() const;
	iommukit_dma_status status() const;
	/* Waits until the job has made that many passes. */
	void await_passes(std::uint64_t passes) const;
	/* Waits until the job has ended, and returns how. */
	std::uint32_t await_end() const;

    private:
	Fd device;
};

/* A transfer of port 0, and the same for a job. */
iommukit_dma_transfer dma_transfer(std::uint32_t op, std::uint64_t src_iova,
				   std::uint64_t dst_iova, std::uint64_t length,
				   std::uint32_t flags = 0);
iommukit_dma_start dma_job(std::uint32_t op, std::uint64_t src_iova,
			   std::uint64_t dst_iova, std::uint64_t length,
			   std::uint32_t flags = 0);

} // namespace guest

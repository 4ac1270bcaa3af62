// SPDX-License-Identifier: GPL-2.0-only
/* VFIO's type1 ioctls, as a program that knows nothing else would use them. */
#pragma once

#include "access.h"

#include <linux/vfio.h>

namespace guest {

constexpr std::uint32_t dma_rw = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;

/* The compatibility IOAS; void and value returning steps must succeed. */
void vfio_set(const Context &context, std::uint32_t ioas);
void vfio_clear(const Context &context);
std::uint32_t vfio_get(const Context &context);
Errno try_vfio_set(const Context &context, std::uint32_t ioas);
Errno try_vfio_get(const Context &context, std::uint32_t *ioas);

/* What an ioctl with a number as its argument returns; -errno if it fails. */
int vfio_answer(const Context &context, unsigned long request, unsigned long argument);

vfio_iommu_type1_dma_map map_dma(std::uint64_t va, std::uint64_t size, std::uint64_t iova,
				 std::uint32_t flags = dma_rw);
Errno try_map_dma(const Context &context, std::uint64_t va, std::uint64_t size,
		  std::uint64_t iova, std::uint32_t flags = dma_rw);

vfio_iommu_type1_dma_unmap unmap_dma(std::uint64_t iova, std::uint64_t size);
/* @unmapped gets the size as it is afterwards, also after a failure. */
Errno try_unmap_dma(const Context &context, std::uint64_t iova, std::uint64_t size,
		    std::uint64_t *unmapped = nullptr);

} // namespace guest

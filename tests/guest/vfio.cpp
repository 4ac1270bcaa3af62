// SPDX-License-Identifier: GPL-2.0-only
#include "vfio.h"

#include <sys/ioctl.h>

#include <cerrno>

namespace guest {

namespace {

Errno vfio_ioas(const Context &context, std::uint16_t op, std::uint32_t *id)
{
	auto cmd = command<iommukit_vfio_ioas>();

	cmd.op = op;
	cmd.ioas_id = *id;
	const Errno error = call(context.fd(), IOMMUKIT_VFIO_IOAS, &cmd);

	*id = cmd.ioas_id;
	return error;
}

} // namespace

Errno try_vfio_set(const Context &context, std::uint32_t ioas)
{
	return vfio_ioas(context, IOMMUKIT_VFIO_IOAS_SET, &ioas);
}

void vfio_set(const Context &context, std::uint32_t ioas)
{
	REQUIRE(try_vfio_set(context, ioas) == ok);
}

void vfio_clear(const Context &context)
{
	std::uint32_t none = 0;

	REQUIRE(vfio_ioas(context, IOMMUKIT_VFIO_IOAS_CLEAR, &none) == ok);
}

Errno try_vfio_get(const Context &context, std::uint32_t *ioas)
{
	return vfio_ioas(context, IOMMUKIT_VFIO_IOAS_GET, ioas);
}

std::uint32_t vfio_get(const Context &context)
{
	std::uint32_t id = 0;

	REQUIRE(try_vfio_get(context, &id) == ok);
	return id;
}

int vfio_answer(const Context &context, unsigned long request, unsigned long argument)
{
	const int value = ioctl(context.fd(), request, argument);

	return value < 0 ? -errno : value;
}

vfio_iommu_type1_dma_map map_dma(std::uint64_t va, std::uint64_t size, std::uint64_t iova,
				 std::uint32_t flags)
{
	vfio_iommu_type1_dma_map cmd{};

	cmd.argsz = sizeof(cmd);
	cmd.flags = flags;
	cmd.vaddr = va;
	cmd.iova = iova;
	cmd.size = size;
	return cmd;
}

Errno try_map_dma(const Context &context, std::uint64_t va, std::uint64_t size,
		  std::uint64_t iova, std::uint32_t flags)
{
	auto cmd = map_dma(va, size, iova, flags);

	return call(context.fd(), VFIO_IOMMU_MAP_DMA, &cmd);
}

vfio_iommu_type1_dma_unmap unmap_dma(std::uint64_t iova, std::uint64_t size)
{
	vfio_iommu_type1_dma_unmap cmd{};

	cmd.argsz = sizeof(cmd);
	cmd.iova = iova;
	cmd.size = size;
	return cmd;
}

Errno try_unmap_dma(const Context &context, std::uint64_t iova, std::uint64_t size,
		    std::uint64_t *unmapped)
{
	auto cmd = unmap_dma(iova, size);
	const Errno error = call(context.fd(), VFIO_IOMMU_UNMAP_DMA, &cmd);

	if (unmapped)
		*unmapped = cmd.size;
	return error;
}

} // namespace guest

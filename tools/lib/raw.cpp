// SPDX-License-Identifier: GPL-2.0-only
// No retry and no check in any of these: a test that wants EINTR, or a structure
// that no sane program would pass, gets what it asks for.
#include "raw.h"

#include <sys/ioctl.h>

namespace iommukit {

std::error_code raw(int fd, unsigned long request, void *arg) noexcept
{
	if (::ioctl(fd, request, arg) < 0)
		return last_error();
	return {};
}

std::error_code raw(const Context &context, unsigned long request, void *arg) noexcept
{
	return context.channel().issue(request, arg);
}

std::error_code raw(const DmaEngine &engine, unsigned long request, void *arg) noexcept
{
	return engine.channel().issue(request, arg);
}

std::error_code try_open(const std::string &path, std::optional<Context> &out) noexcept
{
	std::shared_ptr<Channel> channel;

	if (auto error = try_open_channel(path, channel))
		return error;
	out.emplace(std::move(channel));
	return {};
}

std::error_code try_open(const std::string &path, std::optional<DmaEngine> &out) noexcept
{
	std::shared_ptr<Channel> channel;

	if (auto error = try_open_channel(path, channel))
		return error;
	out.emplace(std::move(channel));
	return {};
}

std::error_code try_destroy(const Context &context, iommukit_destroy &cmd) noexcept
{
	return raw(context, IOMMUKIT_DESTROY, &cmd);
}

std::error_code try_ioas_alloc(const Context &context, iommukit_ioas_alloc &cmd) noexcept
{
	return raw(context, IOMMUKIT_IOAS_ALLOC, &cmd);
}

std::error_code try_iova_ranges(const Context &context,
				iommukit_ioas_iova_ranges &cmd) noexcept
{
	return raw(context, IOMMUKIT_IOAS_IOVA_RANGES, &cmd);
}

std::error_code try_allow_iovas(const Context &context,
				iommukit_ioas_allow_iovas &cmd) noexcept
{
	return raw(context, IOMMUKIT_IOAS_ALLOW_IOVAS, &cmd);
}

std::error_code try_ioas_map(const Context &context, iommukit_ioas_map &cmd) noexcept
{
	return raw(context, IOMMUKIT_IOAS_MAP, &cmd);
}

std::error_code try_ioas_map_file(const Context &context,
				  iommukit_ioas_map_file &cmd) noexcept
{
	return raw(context, IOMMUKIT_IOAS_MAP_FILE, &cmd);
}

std::error_code try_ioas_copy(const Context &context, iommukit_ioas_copy &cmd) noexcept
{
	return raw(context, IOMMUKIT_IOAS_COPY, &cmd);
}

std::error_code try_ioas_unmap(const Context &context, iommukit_ioas_unmap &cmd) noexcept
{
	return raw(context, IOMMUKIT_IOAS_UNMAP, &cmd);
}

std::error_code try_option(const Context &context, iommukit_option &cmd) noexcept
{
	return raw(context, IOMMUKIT_OPTION, &cmd);
}

std::error_code try_vfio_ioas(const Context &context, iommukit_vfio_ioas &cmd) noexcept
{
	return raw(context, IOMMUKIT_VFIO_IOAS, &cmd);
}

std::error_code try_info(const Context &context, iommukit_info &cmd) noexcept
{
	return raw(context, IOMMUKIT_INFO, &cmd);
}

std::error_code try_bind(const DmaEngine &engine, iommukit_dma_bind &cmd) noexcept
{
	return raw(engine, IOMMUKIT_DMA_BIND, &cmd);
}

std::error_code try_unbind(const DmaEngine &engine, iommukit_dma_port &cmd) noexcept
{
	return raw(engine, IOMMUKIT_DMA_UNBIND, &cmd);
}

std::error_code try_attach(const DmaEngine &engine, iommukit_dma_attach &cmd) noexcept
{
	return raw(engine, IOMMUKIT_DMA_ATTACH, &cmd);
}

std::error_code try_replace(const DmaEngine &engine, iommukit_dma_attach &cmd) noexcept
{
	return raw(engine, IOMMUKIT_DMA_REPLACE, &cmd);
}

std::error_code try_detach(const DmaEngine &engine, iommukit_dma_port &cmd) noexcept
{
	return raw(engine, IOMMUKIT_DMA_DETACH, &cmd);
}

std::error_code try_transfer(const DmaEngine &engine, iommukit_dma_transfer &cmd) noexcept
{
	return raw(engine, IOMMUKIT_DMA_TRANSFER, &cmd);
}

std::error_code try_start(const DmaEngine &engine, iommukit_dma_start &cmd) noexcept
{
	return raw(engine, IOMMUKIT_DMA_START, &cmd);
}

std::error_code try_stop(const DmaEngine &engine, iommukit_dma_stop &cmd) noexcept
{
	return raw(engine, IOMMUKIT_DMA_STOP, &cmd);
}

std::error_code try_status(const DmaEngine &engine, iommukit_dma_status &cmd) noexcept
{
	return raw(engine, IOMMUKIT_DMA_STATUS, &cmd);
}

} // namespace iommukit

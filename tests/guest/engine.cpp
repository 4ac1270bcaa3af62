// SPDX-License-Identifier: GPL-2.0-only
#include "engine.h"

#include <fcntl.h>

namespace guest {

Engine::Engine() : device(open("/dev/iommukit-dma", O_RDWR | O_CLOEXEC))
{
	REQUIRE(device);
}

Engine::Engine(const Context &context, std::uint32_t ioas) : Engine()
{
	join(0, context, ioas);
}

Errno Engine::try_bind(std::uint32_t port, int context_fd, std::uint32_t flags) const
{
	auto cmd = command<iommukit_dma_bind>();

	cmd.flags = flags;
	cmd.port = port;
	cmd.fd = context_fd;
	return call(fd(), IOMMUKIT_DMA_BIND, &cmd);
}

namespace {

Errno change_port(int fd, unsigned long request, std::uint32_t port, std::uint32_t ioas,
		  std::uint32_t *hwpt)
{
	auto cmd = command<iommukit_dma_attach>();

	cmd.port = port;
	cmd.ioas_id = ioas;
	const Errno error = call(fd, request, &cmd);

	if (error == ok && hwpt)
		*hwpt = cmd.ioas_id;
	return error;
}

Errno leave_port(int fd, unsigned long request, std::uint32_t port)
{
	auto cmd = command<iommukit_dma_port>();

	cmd.port = port;
	return call(fd, request, &cmd);
}

} // namespace

Errno Engine::try_attach(std::uint32_t port, std::uint32_t ioas,
			 std::uint32_t *hwpt) const
{
	return change_port(fd(), IOMMUKIT_DMA_ATTACH, port, ioas, hwpt);
}

Errno Engine::try_replace(std::uint32_t port, std::uint32_t ioas,
			  std::uint32_t *hwpt) const
{
	return change_port(fd(), IOMMUKIT_DMA_REPLACE, port, ioas, hwpt);
}

std::uint32_t Engine::bind_device(std::uint32_t port, const Context &context) const
{
	auto cmd = command<iommukit_dma_bind>();

	cmd.flags = IOMMUKIT_DMA_PORT_HWPT;
	cmd.port = port;
	cmd.fd = context.fd();
	REQUIRE(call(fd(), IOMMUKIT_DMA_BIND, &cmd) == ok);
	return cmd.out_access_id;
}

Errno Engine::try_detach(std::uint32_t port) const
{
	return leave_port(fd(), IOMMUKIT_DMA_DETACH, port);
}

Errno Engine::try_unbind(std::uint32_t port) const
{
	return leave_port(fd(), IOMMUKIT_DMA_UNBIND, port);
}

void Engine::join(std::uint32_t port, const Context &context, std::uint32_t ioas,
		  std::uint32_t flags) const
{
	REQUIRE(try_bind(port, context.fd(), flags) == ok);
	REQUIRE(try_attach(port, ioas) == ok);
}

Errno Engine::try_transfer(iommukit_dma_transfer &cmd) const
{
	return call(fd(), IOMMUKIT_DMA_TRANSFER, &cmd);
}

Errno Engine::try_start(iommukit_dma_start cmd) const
{
	return call(fd(), IOMMUKIT_DMA_START, &cmd);
}

void Engine::start(iommukit_dma_start cmd) const
{
	REQUIRE(try_start(cmd) == ok);
}

Errno Engine::try_stop() const
{
	auto cmd = command<iommukit_dma_stop>();

	return call(fd(), IOMMUKIT_DMA_STOP, &cmd);
}

iommukit_dma_status Engine::status() const
{
	auto cmd = command<iommukit_dma_status>();

	REQUIRE(call(fd(), IOMMUKIT_DMA_STATUS, &cmd) == ok);
	return cmd;
}

void Engine::await_passes(std::uint64_t passes) const
{
	REQUIRE(wait_until([&] { return status().out_passes >= passes; }));
}

std::uint32_t Engine::await_end() const
{
	REQUIRE(wait_until([&] { return status().out_state != IOMMUKIT_DMA_RUNNING; }));
	return status().out_state;
}

iommukit_dma_transfer dma_transfer(std::uint32_t op, std::uint64_t src_iova,
				   std::uint64_t dst_iova, std::uint64_t length,
				   std::uint32_t flags)
{
	auto cmd = command<iommukit_dma_transfer>();

	cmd.flags = flags;
	cmd.op = op;
	cmd.src_iova = src_iova;
	cmd.dst_iova = dst_iova;
	cmd.length = length;
	return cmd;
}

iommukit_dma_start dma_job(std::uint32_t op, std::uint64_t src_iova,
			   std::uint64_t dst_iova, std::uint64_t length,
			   std::uint32_t flags)
{
	auto cmd = command<iommukit_dma_start>();

	cmd.flags = flags;
	cmd.op = op;
	cmd.src_iova = src_iova;
	cmd.dst_iova = dst_iova;
	cmd.length = length;
	return cmd;
}

} // namespace guest

// SPDX-License-Identifier: GPL-2.0-only
// Each transfer fills in only the members that its operation uses. Digests come
// back as bytes in memory order; crc32c() turns them into the number they stand
// for, on any machine.
#include "dma_engine.h"

#include "command.h"

#include <algorithm>
#include <cstdlib>

namespace iommukit {

namespace {

iommukit_dma_transfer transfer(iommukit_dma_op op, Bytes length, Mode mode)
{
	auto cmd = command<iommukit_dma_transfer>();

	cmd.flags = static_cast<std::uint32_t>(mode);
	cmd.op = op;
	cmd.length = length.value;
	return cmd;
}

void set_source(auto &cmd, const PortIova &from)
{
	cmd.src_port = from.port;
	cmd.src_iova = from.iova.value;
}

void set_destination(auto &cmd, const PortIova &to)
{
	cmd.dst_port = to.port;
	cmd.dst_iova = to.iova.value;
}

void run(Channel &channel, iommukit_dma_transfer &cmd, const PortIova &place)
{
	call(channel, IOMMUKIT_DMA_TRANSFER, &cmd,
	     {.iova = place.iova, .length = Bytes(cmd.length)});
}

ObjectId join(Channel &channel, unsigned long request, std::uint32_t port, ObjectId pt)
{
	auto cmd = command<iommukit_dma_attach>();

	cmd.port = port;
	cmd.ioas_id = pt.value;
	call(channel, request, &cmd, {.object = pt});
	return ObjectId(cmd.ioas_id);
}

} // namespace

std::string default_dma_device()
{
	const char *path = std::getenv("IOMMUKIT_DMA_DEVICE");

	return path && *path ? path : "/dev/iommukit-dma";
}

ObjectId DmaEngine::bind(std::uint32_t port, const Context &context, PortUse use) const
{
	auto cmd = command<iommukit_dma_bind>();

	cmd.flags = static_cast<std::uint32_t>(use);
	cmd.port = port;
	cmd.fd = context.fd();
	call(channel(), IOMMUKIT_DMA_BIND, &cmd);
	if (!cmd.out_access_id)
		bad_answer(IOMMUKIT_DMA_BIND, {});
	return ObjectId(cmd.out_access_id);
}

void DmaEngine::unbind(std::uint32_t port) const
{
	auto cmd = command<iommukit_dma_port>();

	cmd.port = port;
	call(channel(), IOMMUKIT_DMA_UNBIND, &cmd);
}

ObjectId DmaEngine::attach(std::uint32_t port, ObjectId pt) const
{
	return join(channel(), IOMMUKIT_DMA_ATTACH, port, pt);
}

ObjectId DmaEngine::replace(std::uint32_t port, ObjectId pt) const
{
	return join(channel(), IOMMUKIT_DMA_REPLACE, port, pt);
}

void DmaEngine::detach(std::uint32_t port) const
{
	auto cmd = command<iommukit_dma_port>();

	cmd.port = port;
	call(channel(), IOMMUKIT_DMA_DETACH, &cmd);
}

void DmaEngine::read(PortIova from, std::span<std::byte> to, Mode mode) const
{
	auto cmd = transfer(IOMMUKIT_DMA_OP_READ, Bytes(to.size()), mode);

	set_source(cmd, from);
	cmd.user_va = reinterpret_cast<std::uintptr_t>(to.data());
	run(channel(), cmd, from);
}

void DmaEngine::write(PortIova to, std::span<const std::byte> from, Mode mode) const
{
	auto cmd = transfer(IOMMUKIT_DMA_OP_WRITE, Bytes(from.size()), mode);

	set_destination(cmd, to);
	cmd.user_va = reinterpret_cast<std::uintptr_t>(from.data());
	run(channel(), cmd, to);
}

void DmaEngine::copy(PortIova from, PortIova to, Bytes length, Mode mode) const
{
	auto cmd = transfer(IOMMUKIT_DMA_OP_COPY, length, mode);

	set_source(cmd, from);
	set_destination(cmd, to);
	run(channel(), cmd, from);
}

void DmaEngine::fill(PortIova to, Bytes length, std::uint64_t pattern, Mode mode) const
{
	auto cmd = transfer(IOMMUKIT_DMA_OP_FILL, length, mode);

	set_destination(cmd, to);
	cmd.pattern = pattern;
	run(channel(), cmd, to);
}

std::uint32_t DmaEngine::crc32c(PortIova from, Bytes length, Mode mode) const
{
	auto cmd = transfer(IOMMUKIT_DMA_OP_CRC32C, length, mode);
	std::uint32_t crc = 0;

	set_source(cmd, from);
	run(channel(), cmd, from);
	for (int i = 3; i >= 0; i--)
		crc = crc << 8 | cmd.out_digest[i];
	return crc;
}

Sha256 DmaEngine::sha256(PortIova from, Bytes length, Mode mode) const
{
	auto cmd = transfer(IOMMUKIT_DMA_OP_SHA256, length, mode);
	Sha256 digest;

	set_source(cmd, from);
	run(channel(), cmd, from);
	std::ranges::copy(cmd.out_digest, digest.begin());
	return digest;
}

void DmaEngine::start(const JobSpec &job) const
{
	auto cmd = command<iommukit_dma_start>();

	cmd.flags = job.pin ? IOMMUKIT_DMA_PIN : 0;
	cmd.op = job.op;
	set_source(cmd, job.source);
	set_destination(cmd, job.destination);
	cmd.length = job.length.value;
	cmd.pattern = job.pattern;
	const PortIova &place =
		job.op == IOMMUKIT_DMA_OP_FILL ? job.destination : job.source;
	call(channel(), IOMMUKIT_DMA_START, &cmd,
	     {.iova = place.iova, .length = job.length});
}

void DmaEngine::stop() const
{
	auto cmd = command<iommukit_dma_stop>();

	call(channel(), IOMMUKIT_DMA_STOP, &cmd);
}

DmaStatus DmaEngine::status() const
{
	auto cmd = command<iommukit_dma_status>();
	DmaStatus status;

	call(channel(), IOMMUKIT_DMA_STATUS, &cmd);
	if (cmd.out_state > IOMMUKIT_DMA_FAILED)
		bad_answer(IOMMUKIT_DMA_STATUS, {});
	status.state = static_cast<iommukit_dma_state>(cmd.out_state);
	status.error = static_cast<int>(cmd.out_error);
	status.passes = cmd.out_passes;
	status.bytes = Bytes(cmd.out_bytes);
	status.unmap_calls = cmd.out_unmap_calls;
	status.unmap_iova = Iova(cmd.out_unmap_iova);
	status.unmap_length = Bytes(cmd.out_unmap_length);
	status.pinned_pages = cmd.out_pinned_pages;
	std::ranges::copy(cmd.out_digest, status.digest.begin());
	return status;
}

} // namespace iommukit

// SPDX-License-Identifier: GPL-2.0-only
// The software DMA engine of iommukit_dma: one open descriptor is one engine
// with two ports. Closing it stops the job and unbinds the ports.
#pragma once

#include "channel.h"
#include "context.h"
#include "types.h"

#include <linux/iommukit_dma.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace iommukit {

// $IOMMUKIT_DMA_DEVICE if it is set, else /dev/iommukit-dma.
std::string default_dma_device();

enum class PortUse : std::uint32_t {
	copying = 0,
	pinning = IOMMUKIT_DMA_PORT_PIN,
	device = IOMMUKIT_DMA_PORT_HWPT,
};

// How a transfer is done: flags of enum iommukit_dma_flags.
enum class Mode : std::uint32_t {
	copying = 0,
	pinning = IOMMUKIT_DMA_PIN,
	kthread = IOMMUKIT_DMA_KTHREAD,
	pinning_kthread = IOMMUKIT_DMA_PIN | IOMMUKIT_DMA_KTHREAD,
};

// A place in the address space that a port is attached to.
struct PortIova {
	std::uint32_t port = 0;
	Iova iova;
};

using Sha256 = std::array<std::uint8_t, 32>;

struct JobSpec {
	iommukit_dma_op op = IOMMUKIT_DMA_OP_SHA256;
	PortIova source = {};
	PortIova destination = {};
	Bytes length = {};
	std::uint64_t pattern = 0;
	bool pin = false;
};

struct DmaStatus {
	iommukit_dma_state state = IOMMUKIT_DMA_IDLE;
	int error = 0;
	std::uint64_t passes = 0;
	Bytes bytes;
	std::uint64_t unmap_calls = 0;
	Iova unmap_iova;
	Bytes unmap_length;
	std::uint64_t pinned_pages = 0;
	Sha256 digest = {};
};

class DmaEngine {
    public:
	DmaEngine() : DmaEngine(default_dma_device()) {}
	explicit DmaEngine(const std::string &path) : DmaEngine(open_channel(path)) {}
	explicit DmaEngine(std::shared_ptr<Channel> channel) noexcept
		: channel_(std::move(channel))
	{
	}

	int fd() const noexcept { return channel_->fd(); }
	Channel &channel() const noexcept { return *channel_; }

	// The id is that of the access or device object in the context.
	ObjectId bind(std::uint32_t port, const Context &context,
		      PortUse use = PortUse::copying) const;
	void unbind(std::uint32_t port) const;
	// A device takes an IOAS or a HWPT, others an IOAS. They return what the
	// port works with then: a HWPT if it is a device, else the IOAS.
	ObjectId attach(std::uint32_t port, ObjectId pt) const;
	ObjectId replace(std::uint32_t port, ObjectId pt) const;
	void detach(std::uint32_t port) const;

	void read(PortIova from, std::span<std::byte> to,
		  Mode mode = Mode::copying) const;
	void write(PortIova to, std::span<const std::byte> from,
		   Mode mode = Mode::copying) const;
	void copy(PortIova from, PortIova to, Bytes length,
		  Mode mode = Mode::copying) const;
	void fill(PortIova to, Bytes length, std::uint64_t pattern,
		  Mode mode = Mode::copying) const;
	std::uint32_t crc32c(PortIova from, Bytes length,
			     Mode mode = Mode::copying) const;
	Sha256 sha256(PortIova from, Bytes length, Mode mode = Mode::copying) const;

	void start(const JobSpec &job) const;
	void stop() const;
	DmaStatus status() const;

    private:
	std::shared_ptr<Channel> channel_;
};

} // namespace iommukit

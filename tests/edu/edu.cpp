// SPDX-License-Identifier: GPL-2.0-only
#include "edu.h"

#include "error.h"
#include "fd.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <chrono>
#include <stdexcept>
#include <thread>

namespace edu {

namespace {

constexpr std::uint16_t vendor = 0x1234, product = 0x11e8;

constexpr std::size_t bar_size = 1UL << 20;
/* The buffer, as the device sees it; this is no IOVA. */
constexpr std::uint64_t buffer = 0x40000;

constexpr std::uint32_t identification = 0x010000ed;

constexpr std::size_t dma_src = 0x80;
constexpr std::size_t dma_dst = 0x88;
constexpr std::size_t dma_count = 0x90;
constexpr std::size_t dma_command = 0x98;

constexpr std::uint64_t command_start = 1 << 0;
constexpr std::uint64_t from_memory = 0;
constexpr std::uint64_t to_memory = 1 << 1;

/* Far above what any machine needs: it decides nothing but hangs. */
constexpr std::chrono::minutes patience{2};

volatile std::byte *map_bar(const std::string &path)
{
	const iommukit::Fd file(::open(path.c_str(), O_RDWR | O_SYNC | O_CLOEXEC));

	if (!file)
		throw iommukit::Error(iommukit::last_error(), "open", {.path = path});
	void *start = ::mmap(nullptr, bar_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			     file.get(), 0);
	if (start == MAP_FAILED)
		throw iommukit::Error(iommukit::last_error(), "mmap", {.path = path});
	return static_cast<volatile std::byte *>(start);
}

} // namespace

bool is_edu(const iommukit::PciFunction &function)
{
	return function.vendor() == vendor && function.device() == product;
}

Device::Device(const iommukit::PciFunction &function)
	: bar(map_bar("/sys/bus/pci/devices/" + function.address() + "/resource0"))
{
	/* Registers below 0x80 have 32 bits. All ones: its memory is not enabled. */
	if (*reinterpret_cast<volatile std::uint32_t *>(bar) == identification)
		return;
	::munmap(const_cast<std::byte *>(bar), bar_size);
	throw std::runtime_error(function.address() + " does not answer as an edu");
}

Device::~Device()
{
	::munmap(const_cast<std::byte *>(bar), bar_size);
}

std::uint64_t Device::get(std::size_t reg) const
{
	return *reinterpret_cast<volatile std::uint64_t *>(bar + reg);
}

void Device::set(std::size_t reg, std::uint64_t value) const
{
	*reinterpret_cast<volatile std::uint64_t *>(bar + reg) = value;
}

/* While something is under way, perhaps of a user before, registers cannot be set. */
void Device::start(std::uint64_t src, std::uint64_t dst, std::uint64_t length,
		   std::uint64_t direction) const
{
	if (!length || length > most)
		throw std::invalid_argument("an edu cannot copy that many bytes");
	wait();
	set(dma_src, src);
	set(dma_dst, dst);
	set(dma_count, length);
	set(dma_command, command_start | direction);
}

void Device::start_read(std::uint64_t iova, std::uint64_t length) const
{
	if (iova > address_mask)
		throw std::invalid_argument("an edu does not reach that IOVA");
	start(iova, buffer, length, from_memory);
}

void Device::start_write(std::uint64_t iova, std::uint64_t length) const
{
	if (iova > address_mask)
		throw std::invalid_argument("an edu does not reach that IOVA");
	start(buffer, iova, length, to_memory);
}

bool Device::running() const
{
	return (get(dma_command) & command_start) != 0;
}

/* Each look at it stops QEMU, so not too often. */
void Device::wait() const
{
	const auto end = std::chrono::steady_clock::now() + patience;

	while (running()) {
		if (std::chrono::steady_clock::now() > end)
			throw std::runtime_error("an edu did not come to an end");
		std::this_thread::sleep_for(std::chrono::milliseconds(1));
	}
}

void Device::read(std::uint64_t iova, std::uint64_t length) const
{
	start_read(iova, length);
	wait();
}

void Device::write(std::uint64_t iova, std::uint64_t length) const
{
	start_write(iova, length);
	wait();
}

} // namespace edu

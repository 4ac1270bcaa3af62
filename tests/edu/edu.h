// SPDX-License-Identifier: GPL-2.0-only
/*
 * QEMU's edu device, driven through its registers: it copies between memory, by IOVA,
 * and a buffer of its own that nothing else can reach.
 */
#pragma once

#include "pci.h"

#include <cstddef>
#include <cstdint>

namespace edu {

bool is_edu(const iommukit::PciFunction &function);

class Device {
    public:
	/*
	 * The most that it copies at once. It has a page, but a QEMU before 8.1 takes
	 * the last byte for one too many, and ends.
	 */
	static constexpr std::uint64_t most = 4095;
	/* Of the addresses in memory; it drops what is above. */
	static constexpr std::uint64_t address_mask = (1UL << 28) - 1;

	/*
	 * Its memory must be enabled: a context has bound it. This and all that follows
	 * throws if the device is not, or does not do, what it should.
	 */
	explicit Device(const iommukit::PciFunction &function);
	Device(const Device &) = delete;
	Device &operator=(const Device &) = delete;
	~Device();

	/*
	 * Copies from memory to the start of the buffer, and back. What was started
	 * happens 100 ms later, at once; it ends, also if the IOMMU refuses it.
	 */
	void start_read(std::uint64_t iova, std::uint64_t length = most) const;
	void start_write(std::uint64_t iova, std::uint64_t length = most) const;
	bool running() const;
	void wait() const;

	void read(std::uint64_t iova, std::uint64_t length = most) const;
	void write(std::uint64_t iova, std::uint64_t length = most) const;

    private:
	std::uint64_t get(std::size_t reg) const;
	void set(std::size_t reg, std::uint64_t value) const;
	void start(std::uint64_t src, std::uint64_t dst, std::uint64_t length,
		   std::uint64_t direction) const;

	volatile std::byte *bar;
};

} // namespace edu

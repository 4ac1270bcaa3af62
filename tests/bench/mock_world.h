// SPDX-License-Identifier: GPL-2.0-only
// A context with a mock device, of iommukit or of the kernel's own iommufd: their
// commands are the same, those of the test modules included.
#pragma once

#include <iommukit.hpp>

#include <string>

namespace bench {

// Two IOASes, of which the first has memory mapped in it. The device is attached to
// the second one.
class MockWorld {
    public:
	MockWorld(const std::string &device, iommukit::Memory memory);

	// A HWPT of the first IOAS, with everything that is mapped there.
	std::uint32_t add_hwpt() const;
	void destroy(std::uint32_t id) const;

	void attach_to_first() const { replace(first_); }
	void attach_to_second() const { replace(second_); }

	// Maps memory in the first IOAS and unmaps it again.
	void map_and_unmap(const iommukit::Memory &memory) const;

    private:
	std::uint32_t add_ioas() const;
	std::uint64_t map(const iommukit::Memory &memory) const;
	void replace(std::uint32_t pt) const;

	iommukit::Context context_;
	iommukit::Memory memory_;
	std::uint32_t first_, second_;
	std::uint32_t mock_ = 0, device_ = 0;
};

} // namespace bench

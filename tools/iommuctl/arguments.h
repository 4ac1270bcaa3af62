// SPDX-License-Identifier: GPL-2.0-only
// The arguments of one command, checked against its parameters.
#pragma once

#include "iotlb_faults.h"
#include "types.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ctl {

struct Param;

class Arguments {
    public:
	bool has(std::string_view name) const;
	std::optional<std::uint64_t> number(std::string_view name) const;
	std::optional<iommukit::Bytes> size(std::string_view name) const;
	std::optional<iommukit::Iova> iova(std::string_view name) const;
	std::optional<iommukit::ObjectId> id(std::string_view name) const;
	// Of a PCI function, as the kernel writes it.
	std::optional<std::string> address(std::string_view name) const;
	std::optional<std::chrono::nanoseconds> duration(std::string_view name) const;
	std::optional<iommukit::IotlbFaultRate> rate(std::string_view name) const;
	std::optional<std::string> text(std::string_view name) const;
	const std::vector<iommukit::IovaRange> &ranges() const { return ranges_; }
	// For parameters that the parser has made sure of.
	std::uint64_t need_number(std::string_view name) const;
	std::string need_text(std::string_view name) const;

	// Checks a value against its parameter and stores it.
	void set(const Param &param, std::string_view value, std::string_view command);

    private:
	std::map<std::string, std::string, std::less<>> texts_;
	std::map<std::string, std::uint64_t, std::less<>> numbers_;
	std::map<std::string, std::string, std::less<>> addresses_;
	std::vector<iommukit::IovaRange> ranges_;
};

} // namespace ctl

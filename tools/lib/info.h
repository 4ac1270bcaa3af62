// SPDX-License-Identifier: GPL-2.0-only
// Who is who: the version of this library, and what the module says of itself.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace iommukit {

struct Version {
	unsigned major = 0;
	unsigned minor = 0;
	unsigned patch = 0;

	auto operator<=>(const Version &) const = default;
	std::string text() const;
	// "1.2.3", anything after it ("-4-gabcdef") ignored.
	static std::optional<Version> parse(std::string_view text);
};

// The version of this library and of the programs built with it.
Version tool_version();

struct ModuleInfo {
	Version version;
	std::uint64_t features = 0;
	std::uint64_t page_sizes = 0;

	bool has(std::uint64_t feature) const noexcept
	{
		return (features & feature) == feature;
	}
	std::uint64_t page_size() const noexcept { return page_sizes & -page_sizes; }
};

} // namespace iommukit

// SPDX-License-Identifier: GPL-2.0-only
// Attributes of sysfs: short files that are read or written as a whole.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace iommukit::sysfs {

// Below $IOMMUKIT_SYSFS if that is set, else below /sys.
std::filesystem::path path(std::string_view below);

bool exists(const std::filesystem::path &path) noexcept;
// The first line; none if it cannot be read.
std::optional<std::string> read(const std::filesystem::path &attribute);
std::vector<std::string> read_lines(const std::filesystem::path &attribute);
// Throws Error with what the kernel answers.
void write(const std::filesystem::path &attribute, std::string_view value);
// The last part of what a symbolic link names; none if there is no link.
std::optional<std::string> link(const std::filesystem::path &path);
// The names in a directory, sorted; none if there is no such directory.
std::vector<std::string> list(const std::filesystem::path &directory);

} // namespace iommukit::sysfs

// SPDX-License-Identifier: GPL-2.0-only
// Loading and unloading the project's modules through libkmod, and what /sys
// tells about them.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ctl {

struct KernelModule {
	std::string_view word; // what the command line calls it
	std::string_view name;
	std::string_view node; // device node, empty if it has none
};

// In the order of loading.
std::span<const KernelModule> kernel_modules();
const KernelModule &kernel_module(std::string_view word);

bool module_loaded(std::string_view name);
// From /sys/module, which needs no permission.
std::optional<std::string> loaded_version(std::string_view name);
std::optional<unsigned> reference_count(std::string_view name);
std::vector<std::string> module_holders(std::string_view name);
// Where modprobe would take it from.
std::optional<std::string> installed_file(std::string_view name);
// What modinfo would print of a file: "version", "signer"; the first value.
std::optional<std::string> module_info(const std::string &file, std::string_view key);
// What to do if that is nowhere.
std::string how_to_install();

// The file to load: the installed one (empty path), a file, or NAME.ko
// somewhere below a directory.
std::string module_file(const KernelModule &module, const std::string &path);

// Loads a file and waits until its node can be opened; true if it was not
// loaded before.
bool load_module(const KernelModule &module, const std::string &file,
		 std::chrono::milliseconds limit);
// Removes a module, trying again until the limit while somebody is just about
// to let it go; true if it was loaded.
bool unload_module(std::string_view name, std::chrono::milliseconds limit);

} // namespace ctl

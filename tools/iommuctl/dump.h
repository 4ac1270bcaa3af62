// SPDX-License-Identifier: GPL-2.0-only
// What is generated from the command table and checked in: the man page and
// the completions. "iommuctl __dump man|bash|zsh|fish" prints them.
#pragma once

#include <string>
#include <string_view>

namespace ctl {

std::string dump(std::string_view what);

std::string dump_man();
std::string dump_bash();
std::string dump_zsh();
std::string dump_fish();

// Sections of the man page.
extern const std::string_view man_iotlb;
extern const std::string_view man_ondemand;
// The section of the man page on contexts of other processes.
extern const std::string_view man_administration;

} // namespace ctl

// SPDX-License-Identifier: GPL-2.0-only
// Who keeps a module from being unloaded.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ctl {

// "1234 (qemu)" for each process that has the node open, as far as one may look.
std::vector<std::string> processes_using(const std::string &node);

// "iommukit_dma, process 1234 (qemu)": other modules, processes, and open contexts that
// none of these explains. Empty if nobody is found.
std::string users_of_module(std::string_view name);

} // namespace ctl

// SPDX-License-Identifier: GPL-2.0-only
// What to do about a refusal of the kernel: the next command to type.
#pragma once

#include <string>
#include <string_view>

namespace ctl {

// For a command that has failed with an errno.
std::string find_hint(std::string_view command, int number);

} // namespace ctl

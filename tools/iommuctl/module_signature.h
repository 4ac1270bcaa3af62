// SPDX-License-Identifier: GPL-2.0-only
// Signatures of modules, and what the kernel thinks of them.
#pragma once

#include <string>

namespace ctl {

// The kernel refuses modules that nobody it trusts has signed; false also if it does
// not say.
bool locked_down();

// What to do about a file that was refused for its signature.
std::string signature_hint(const std::string &file);

} // namespace ctl

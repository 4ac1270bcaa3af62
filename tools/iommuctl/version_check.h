// SPDX-License-Identifier: GPL-2.0-only
// The versions of module and tool: which is older, and how to get them equal.
#pragma once

#include "info.h"

#include <string>

namespace ctl {

// "the module (0.1.0) is older than this tool (0.2.0)", empty if they match.
std::string version_mismatch(const iommukit::Version &module);

// What to do about it.
std::string version_advice(const iommukit::Version &module);

} // namespace ctl

// SPDX-License-Identifier: GPL-2.0-only
// The kernel's own iommufd, beside ours.
#pragma once

namespace bench {

constexpr const char *our_device = "/dev/iommukit";
constexpr const char *our_loops = "/dev/iommukit-bench";
constexpr const char *their_device = "/dev/iommu";
constexpr const char *their_loops = "/dev/iommufd-bench";

// Throws NotHere if it is not there.
void need_upstream();

} // namespace bench

// SPDX-License-Identifier: GPL-2.0-only
// How many misses took how long, as bars: a picture made of text, or an SVG file.
#pragma once

#include "iotlb.h"
#include "output.h"

#include <string>

namespace ctl {

std::string latency_text(const Output &output, const iommukit::IotlbStats &stats);
std::string latency_svg(const iommukit::IotlbStats &stats, const std::string &title);

} // namespace ctl

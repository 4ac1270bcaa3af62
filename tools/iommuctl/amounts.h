// SPDX-License-Identifier: GPL-2.0-only
// Times and rates as they are typed.
#pragma once

#include "iotlb_faults.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace ctl {

// A whole number and us, ms or s; of milliseconds without a unit.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);

// "10%": by chance; "10": each tenth time.
std::optional<iommukit::IotlbFaultRate> parse_rate(std::string_view text);

// How much in a second, rounded for people.
double per_second(double amount, std::chrono::nanoseconds time);

} // namespace ctl

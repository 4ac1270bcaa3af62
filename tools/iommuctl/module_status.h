// SPDX-License-Identifier: GPL-2.0-only
// Everything that decides whether iommukit can be used here, and what to do
// about what does not fit.
#pragma once

#include "report.h"

namespace ctl {

extern const FieldTable status_table;
extern const FieldTable advice_table;

Report module_status(const std::optional<std::string> &field);

} // namespace ctl

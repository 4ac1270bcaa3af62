// SPDX-License-Identifier: GPL-2.0-only
// What can be known of a PCI function without binding it.
#pragma once

#include "report.h"
#include "session.h"

#include <string>

namespace ctl {

extern const FieldTable function_table;
extern const FieldTable sibling_table;
extern const FieldTable region_table;

// Of one function, and what the session has done with it.
Report function_report(Session &session, const std::string &address);
// Of all functions.
Report functions_report(Session &session);

} // namespace ctl

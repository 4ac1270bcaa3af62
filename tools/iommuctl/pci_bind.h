// SPDX-License-Identifier: GPL-2.0-only
// The PCI functions that a session has bound: taken from their drivers, and given back
// when nothing of their IOMMU group is bound any more.
#pragma once

#include "devices.h"
#include "session.h"

#include <string>

namespace ctl {

// The record of a function, none if it is not bound in the current context. Opens no
// context.
PciRecord *find_function(Session &session, const std::string &address);

iommukit::ObjectId bind_function(Session &session, const std::string &address);
void unbind_function(ContextRecord &context, PciRecord &record);
// Gives back what another session has left, or still has.
void reclaim_function(Session &session, const std::string &address);

// The kernel first, then the session's books.
void attach_function(PciRecord &record, const Target &target);
void replace_function(ContextRecord &context, PciRecord &record, const Target &target);
void detach_function(PciRecord &record);

} // namespace ctl

// SPDX-License-Identifier: GPL-2.0-only
// What stands in the way of binding a PCI function, or of mapping on demand, and what
// can be done about it.
#pragma once

#include "failure.h"
#include "pci.h"
#include "types.h"

#include <string>
#include <vector>

namespace ctl {

class Session;

// The functions of its IOMMU group with drivers that do DMA, all of which would see
// what a context maps.
std::vector<iommukit::PciFunction> in_the_way(const iommukit::PciFunction &function);
// Whether its group is one that a context can have.
bool is_viable(const iommukit::PciFunction &function);

// How the IOMMU is turned on that the kernel does not use.
std::string how_to_get_iommu();

// Throws Failure if there is no need to ask the kernel.
void check_bindable(const iommukit::PciFunction &function);
// Why the kernel has refused DEVICE_BIND.
Failure bind_failure(const iommukit::PciFunction &function, const iommukit::Error &error);
// Why the kernel has refused IOAS_MAP_ONDEMAND.
Failure ondemand_failure(Session &session, iommukit::ObjectId ioas,
			 const iommukit::Error &error);

} // namespace ctl

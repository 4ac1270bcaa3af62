// SPDX-License-Identifier: GPL-2.0-only
/* DMA of a function that VT-d has refused, as the kernel's log tells since it is looked
 * at. */
#pragma once

#include "kit.h"

#include "pci.h"

namespace guest {

class IommuFaults {
    public:
	explicit IommuFaults(const iommukit::PciFunction &function);

	/* So far. At most that many: the kernel leaves out some if there are many. */
	unsigned int count();

    private:
	std::string device;
	Fd log;
	unsigned int faults = 0;
};

} // namespace guest

// SPDX-License-Identifier: GPL-2.0-only
// A device of hardware, owned by a context: taken from the driver that offers it, and
// given back with this. All its DMA is refused unless it is attached.
#pragma once

#include "owned_object.h"

#include <string_view>

namespace iommukit {

class BoundDevice : public OwnedObject {
    public:
	// The name is that of the device in the kernel, as "0000:00:05.0".
	BoundDevice(const Context &context, std::string_view name);

	// To an IOAS or a HWPT; returns the HWPT.
	ObjectId attach(ObjectId table) const;
	// To something else, with all of its group that is attached.
	ObjectId replace(ObjectId table) const;
	void detach() const;
};

} // namespace iommukit

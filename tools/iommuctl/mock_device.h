// SPDX-License-Identifier: GPL-2.0-only
// A device of the test module, owned. Its IOMMU is made up, but whatever the core
// does with it is what it does with a real one.
#pragma once

#include "owned_object.h"

#include <cstdint>

namespace ctl {

struct MockUse {
	bool no_dirty = false;
	bool huge_iova = false;
	bool pasid = false;
};

// What is owned is the test module's object: destroying it takes the device away.
class MockDevice : public iommukit::OwnedObject {
    public:
	// Attached to an IOAS or a HWPT from the beginning to the end.
	static MockDevice make(const iommukit::Context &context, iommukit::ObjectId pt,
			       MockUse use);

	iommukit::ObjectId device() const noexcept { return device_; }
	// The HWPT it goes through.
	iommukit::ObjectId hwpt() const noexcept { return hwpt_; }
	void replace(iommukit::ObjectId pt);

    private:
	MockDevice(const iommukit::Context &context, iommukit::ObjectId self,
		   iommukit::ObjectId device, iommukit::ObjectId hwpt)
		: OwnedObject(context, self), device_(device), hwpt_(hwpt)
	{
	}

	iommukit::ObjectId device_;
	iommukit::ObjectId hwpt_;
};

} // namespace ctl

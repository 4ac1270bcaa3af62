// SPDX-License-Identifier: GPL-2.0-only
// A hardware page table, owned: it mirrors an IOAS for devices, whether one uses
// it or not.
#pragma once

#include "dirty.h"
#include "ioas.h"
#include "owned_object.h"

namespace iommukit {

struct HwptUse {
	bool dirty_tracking = false;
	bool nest_parent = false;
};

class Hwpt : public OwnedObject {
    public:
	// Suits the device, and has all that the IOAS has.
	Hwpt(const Ioas &ioas, ObjectId device, HwptUse use = {});

	// As of an IOAS, but what any device writes by this page table.
	void track_dirty(bool on) const;
	void read_dirty(DirtyBitmap &bitmap, Marks marks = Marks::clear) const;
};

} // namespace iommukit

// SPDX-License-Identifier: GPL-2.0-only
// Nested page tables are not made here: what their data is only the driver of an
// IOMMU knows.
#include "hwpt.h"

#include "command.h"

#include <cstdint>

namespace iommukit {

namespace {

ObjectId alloc(const Ioas &ioas, ObjectId device, HwptUse use)
{
	auto cmd = command<iommukit_hwpt_alloc>();
	const Subject subject{.object = ioas.id()};

	if (use.dirty_tracking)
		cmd.flags |= IOMMUKIT_HWPT_ALLOC_DIRTY_TRACKING;
	if (use.nest_parent)
		cmd.flags |= IOMMUKIT_HWPT_ALLOC_NEST_PARENT;
	cmd.dev_id = device.value;
	cmd.pt_id = ioas.id().value;
	call(ioas.context().channel(), IOMMUKIT_HWPT_ALLOC, &cmd, subject);
	if (!cmd.out_hwpt_id)
		bad_answer(IOMMUKIT_HWPT_ALLOC, subject);
	return ObjectId(cmd.out_hwpt_id);
}

} // namespace

Hwpt::Hwpt(const Ioas &ioas, ObjectId device, HwptUse use)
	: OwnedObject(ioas.context(), alloc(ioas, device, use))
{
}

void Hwpt::track_dirty(bool on) const
{
	auto cmd = command<iommukit_hwpt_set_dirty_tracking>();

	cmd.flags = on ? IOMMUKIT_HWPT_DIRTY_TRACKING_ENABLE : 0;
	cmd.hwpt_id = id().value;
	call(context().channel(), IOMMUKIT_HWPT_SET_DIRTY_TRACKING, &cmd,
	     {.object = id()});
}

void Hwpt::read_dirty(DirtyBitmap &bitmap, Marks marks) const
{
	auto cmd = command<iommukit_hwpt_get_dirty_bitmap>();

	cmd.hwpt_id = id().value;
	cmd.flags = marks == Marks::keep ? IOMMUKIT_HWPT_GET_DIRTY_BITMAP_NO_CLEAR : 0;
	cmd.iova = bitmap.range().first.value;
	cmd.length = bitmap.length().value;
	cmd.page_size = bitmap.page_size().value;
	cmd.data = reinterpret_cast<std::uintptr_t>(bitmap.words().data());
	call(context().channel(), IOMMUKIT_HWPT_GET_DIRTY_BITMAP, &cmd,
	     {.object = id(), .iova = bitmap.range().first, .length = bitmap.length()});
}

} // namespace iommukit

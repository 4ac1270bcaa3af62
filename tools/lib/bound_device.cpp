// SPDX-License-Identifier: GPL-2.0-only
// A name that does not fit is not cut: it would be that of another device.
#include "bound_device.h"

#include "command.h"

#include <algorithm>
#include <cerrno>

namespace iommukit {

namespace {

ObjectId bind(const Context &context, std::string_view name)
{
	auto cmd = command<iommukit_device_bind>();
	const Subject subject{.path = std::string(name)};

	if (name.size() >= sizeof(cmd.name))
		throw Error(make_errno(ENAMETOOLONG),
			    std::string(command_name(IOMMUKIT_DEVICE_BIND)), subject);
	std::ranges::copy(name, cmd.name);
	call(context.channel(), IOMMUKIT_DEVICE_BIND, &cmd, subject);
	if (!cmd.out_dev_id)
		bad_answer(IOMMUKIT_DEVICE_BIND, subject);
	return ObjectId(cmd.out_dev_id);
}

ObjectId join(const BoundDevice &device, ObjectId table, std::uint32_t flags)
{
	auto cmd = command<iommukit_device_attach>();
	const Subject subject{.object = device.id()};

	cmd.flags = flags;
	cmd.dev_id = device.id().value;
	cmd.pt_id = table.value;
	call(device.context().channel(), IOMMUKIT_DEVICE_ATTACH, &cmd, subject);
	return ObjectId(cmd.pt_id);
}

} // namespace

BoundDevice::BoundDevice(const Context &context, std::string_view name)
	: OwnedObject(context, bind(context, name))
{
}

ObjectId BoundDevice::attach(ObjectId table) const
{
	return join(*this, table, 0);
}

ObjectId BoundDevice::replace(ObjectId table) const
{
	return join(*this, table, IOMMUKIT_DEVICE_ATTACH_REPLACE);
}

void BoundDevice::detach() const
{
	auto cmd = command<iommukit_device_detach>();

	cmd.dev_id = id().value;
	call(context().channel(), IOMMUKIT_DEVICE_DETACH, &cmd, {.object = id()});
}

} // namespace iommukit

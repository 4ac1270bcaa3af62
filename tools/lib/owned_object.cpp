// SPDX-License-Identifier: GPL-2.0-only
// Id 0 is that of no object: moved from, released or destroyed.
#include "owned_object.h"

#include "command.h"
#include "raw.h"

#include <utility>

namespace iommukit {

OwnedObject::OwnedObject(OwnedObject &&other) noexcept
	: context_(other.context_), id_(std::exchange(other.id_, ObjectId(0)))
{
}

OwnedObject &OwnedObject::operator=(OwnedObject &&other) noexcept
{
	if (this != &other) {
		drop();
		context_ = other.context_;
		id_ = std::exchange(other.id_, ObjectId(0));
	}
	return *this;
}

OwnedObject::~OwnedObject()
{
	drop();
}

void OwnedObject::drop() noexcept
{
	if (id_ == ObjectId(0))
		return;
	auto cmd = command<iommukit_destroy>();
	cmd.id = id_.value;
	// Whatever refuses, the end of the context destroys it.
	(void)try_destroy(context_, cmd);
	id_ = ObjectId(0);
}

void OwnedObject::destroy()
{
	context_.destroy(id_);
	id_ = ObjectId(0);
}

ObjectId OwnedObject::release() noexcept
{
	return std::exchange(id_, ObjectId(0));
}

} // namespace iommukit

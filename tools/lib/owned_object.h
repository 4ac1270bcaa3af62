// SPDX-License-Identifier: GPL-2.0-only
// A kernel object that is owned: destroyed with this, before its context. If
// something still uses it then, the kernel keeps it until the context closes;
// destroy() reports that, the destructor cannot.
#pragma once

#include "context.h"
#include "types.h"

namespace iommukit {

class OwnedObject {
    public:
	OwnedObject(const Context &context, ObjectId id) noexcept
		: context_(context), id_(id)
	{
	}
	OwnedObject(OwnedObject &&other) noexcept;
	OwnedObject &operator=(OwnedObject &&other) noexcept;
	~OwnedObject();

	ObjectId id() const noexcept { return id_; }
	const Context &context() const noexcept { return context_; }

	void destroy();
	// Gives the object up without destroying it.
	ObjectId release() noexcept;

    private:
	void drop() noexcept;

	Context context_;
	ObjectId id_; // 0: nothing is owned
};

} // namespace iommukit

// SPDX-License-Identifier: GPL-2.0-only
// One mapping of an IOAS, owned: unmapped with the object. The IOAS must
// outlive it, or be destroyed with the mapping's help no longer needed: then
// unmapping finds nothing, which is no error of a destructor.
#pragma once

#include "ioas.h"
#include "types.h"

namespace iommukit {

class Mapping {
    public:
	// Takes over what Ioas::map(), map_file() or copy() made.
	Mapping(const Ioas &ioas, Iova iova, Bytes length)
		: context_(ioas.context()), ioas_(ioas.id()), iova_(iova), length_(length)
	{
	}
	Mapping(Mapping &&other) noexcept;
	Mapping &operator=(Mapping &&other) noexcept;
	~Mapping();

	ObjectId ioas() const noexcept { return ioas_; }
	Iova iova() const noexcept { return iova_; }
	Bytes length() const noexcept { return length_; }
	bool mapped() const noexcept { return length_ != Bytes(0); }
	Iova at(std::uint64_t offset) const noexcept { return iova_ + Bytes(offset); }

	// Unmaps now, and throws unless exactly this mapping went away.
	void unmap();
	// Leaves the mapping in place for good.
	void release() noexcept { length_ = Bytes(0); }

    private:
	std::error_code drop(Bytes &removed) noexcept;

	Context context_;
	ObjectId ioas_;
	Iova iova_;
	Bytes length_;
};

} // namespace iommukit

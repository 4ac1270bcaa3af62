// SPDX-License-Identifier: GPL-2.0-only
// An IO address space, owned.
#pragma once

#include "dirty.h"
#include "owned_object.h"
#include "types.h"

#include <linux/iommukit.h>

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace iommukit {

enum class Permission : std::uint32_t {
	read = IOMMUKIT_IOAS_MAP_READABLE,
	write = IOMMUKIT_IOAS_MAP_WRITEABLE,
	read_write = IOMMUKIT_IOAS_MAP_READABLE | IOMMUKIT_IOAS_MAP_WRITEABLE,
};

struct UsableRanges {
	std::vector<IovaRange> ranges;
	Bytes alignment;
};

class Ioas : public OwnedObject {
    public:
	explicit Ioas(const Context &context);

	// Maps memory of this process; without a fixed IOVA the kernel chooses.
	Iova map(const void *memory, Bytes length,
		 Permission permission = Permission::read_write,
		 std::optional<Iova> fixed = {}) const;
	// Maps a part of a memfd, or of a file of tmpfs or hugetlbfs.
	Iova map_file(int fd, Bytes offset, Bytes length,
		      Permission permission = Permission::read_write,
		      std::optional<Iova> fixed = {}) const;
	// Maps here what [iova, iova + length) of the source stands for.
	Iova copy(const Ioas &source, Iova iova, Bytes length,
		  Permission permission = Permission::read_write,
		  std::optional<Iova> fixed = {}) const;
	// Both return how much was mapped there.
	Bytes unmap(Iova iova, Bytes length) const;
	Bytes unmap_all() const;

	UsableRanges ranges() const;
	void allow(std::span<const IovaRange> ranges) const;
	bool huge_pages() const;
	void set_huge_pages(bool on) const;

	// Notes what drivers and software devices write. Switching on forgets
	// what was noted before.
	void track_dirty(bool on) const;
	// Adds what was written to the bitmap, whose range must be mapped.
	void read_dirty(DirtyBitmap &bitmap, Marks marks = Marks::clear) const;
};

} // namespace iommukit

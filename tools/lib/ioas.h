// SPDX-License-Identifier: GPL-2.0-only
// An IO address space, owned: destroyed with the object, before its context.
// If a driver still uses it then, the kernel keeps it until the context closes;
// destroy() reports that, the destructor cannot.
#pragma once

#include "context.h"
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

class Ioas {
    public:
	explicit Ioas(const Context &context);
	Ioas(Ioas &&other) noexcept;
	Ioas &operator=(Ioas &&other) noexcept;
	~Ioas();

	ObjectId id() const noexcept { return id_; }
	const Context &context() const noexcept { return context_; }

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

	void destroy();
	// Gives the object up without destroying it.
	ObjectId release() noexcept;

    private:
	void drop() noexcept;

	Context context_;
	ObjectId id_;
};

} // namespace iommukit

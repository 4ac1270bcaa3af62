// SPDX-License-Identifier: GPL-2.0-only
// Memory to be mapped: anonymous, of huge pages, of a file, or a memfd.
#pragma once

#include "fd.h"
#include "types.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>

namespace iommukit {

Bytes page_size() noexcept;

// An mmap()ed region, unmapped with the object.
class Memory {
    public:
	enum class Share { private_copy, shared };

	Memory() noexcept = default;
	Memory(Memory &&other) noexcept;
	Memory &operator=(Memory &&other) noexcept;
	~Memory();

	// Zeroed pages that appear when they are touched.
	static Memory anonymous(Bytes length);
	// Pages of 2 MiB (or the size given) of the system's pool; the length is
	// a multiple of that size. ENOMEM if the pool is exhausted.
	static Memory huge(Bytes length, Bytes page = Bytes(2 << 20));
	static Memory of_file(int fd, Bytes offset, Bytes length, Share share,
			      bool writable = true);

	std::byte *data() const noexcept { return data_; }
	Bytes size() const noexcept { return Bytes(size_); }
	std::span<std::byte> bytes() const noexcept { return {data_, size_}; }

	// Give pages, all from the offset on if no length is given, or the addresses,
	// back early.
	void discard_pages(Bytes offset = {}, std::optional<Bytes> length = {}) const;
	void unmap() noexcept;

    private:
	Memory(void *data, std::size_t size) noexcept
		: data_(static_cast<std::byte *>(data)), size_(size)
	{
	}
	static Memory make(Bytes length, int prot, int flags, int fd, Bytes offset);

	std::byte *data_ = nullptr;
	std::size_t size_ = 0;
};

// A file without a name, of tmpfs or (with huge pages) of hugetlbfs.
class MemFd {
    public:
	enum class Pages { normal, huge };

	explicit MemFd(Bytes length, Pages pages = Pages::normal,
		       const std::string &name = "iommukit");

	int fd() const noexcept { return fd_.get(); }
	Bytes size() const noexcept { return size_; }
	Memory map(bool writable = true) const;
	void write(Bytes offset, std::span<const std::byte> data) const;
	// F_SEAL_* of <fcntl.h>; the file is created with sealing allowed.
	void seal(int seals) const;

    private:
	Fd fd_;
	Bytes size_;
};

} // namespace iommukit

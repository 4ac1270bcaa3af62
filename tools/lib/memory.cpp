// SPDX-License-Identifier: GPL-2.0-only
// Memory for mappings. Lengths are taken as they are, never rounded: what is
// mapped into an IOAS must be what was allocated.
#include "memory.h"

#include "error.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <bit>
#include <cerrno>
#include <utility>

namespace iommukit {

Bytes page_size() noexcept
{
	return Bytes(static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)));
}

Memory::Memory(Memory &&other) noexcept
	: data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0))
{
}

Memory &Memory::operator=(Memory &&other) noexcept
{
	if (this != &other) {
		unmap();
		data_ = std::exchange(other.data_, nullptr);
		size_ = std::exchange(other.size_, 0);
	}
	return *this;
}

Memory::~Memory()
{
	unmap();
}

void Memory::unmap() noexcept
{
	// Fails only for a range that is not ours.
	if (data_)
		::munmap(data_, size_);
	data_ = nullptr;
	size_ = 0;
}

Memory Memory::make(Bytes length, int prot, int flags, int fd, Bytes offset)
{
	void *data = ::mmap(nullptr, length.value, prot, flags, fd,
			    static_cast<off_t>(offset.value));

	if (data == MAP_FAILED)
		throw Error(last_error(), "mmap", {.length = length});
	return {data, static_cast<std::size_t>(length.value)};
}

Memory Memory::anonymous(Bytes length)
{
	return make(length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    Bytes(0));
}

Memory Memory::huge(Bytes length, Bytes page)
{
	// The kernel would round up here and refuse the munmap() later.
	if (!std::has_single_bit(page.value) || length.value % page.value)
		throw Error(make_errno(EINVAL), "mmap", {.length = length});
	int size_flag = std::countr_zero(page.value) << MAP_HUGE_SHIFT;
	return make(length, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | size_flag, -1, Bytes(0));
}

Memory Memory::of_file(int fd, Bytes offset, Bytes length, Share share, bool writable)
{
	int prot = writable ? PROT_READ | PROT_WRITE : PROT_READ;
	int flags = share == Share::shared ? MAP_SHARED : MAP_PRIVATE;

	return make(length, prot, flags, fd, offset);
}

void Memory::discard_pages(Bytes offset, std::optional<Bytes> length) const
{
	Bytes rest = length.value_or(Bytes(size_ - offset.value));

	if (::madvise(data_ + offset.value, rest.value, MADV_DONTNEED) < 0)
		throw Error(last_error(), "madvise", {.length = rest});
}

MemFd::MemFd(Bytes length, Pages pages, const std::string &name) : size_(length)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;

	if (pages == Pages::huge)
		flags |= MFD_HUGETLB;
	fd_ = Fd(::memfd_create(name.c_str(), flags));
	if (!fd_)
		throw Error(last_error(), "memfd_create", {.length = length});
	if (::ftruncate(fd_.get(), static_cast<off_t>(length.value)) < 0)
		throw Error(last_error(), "ftruncate", {.length = length});
}

Memory MemFd::map(bool writable) const
{
	return Memory::of_file(fd(), Bytes(0), size_, Memory::Share::shared, writable);
}

void MemFd::write(Bytes offset, std::span<const std::byte> data) const
{
	auto at = static_cast<off_t>(offset.value);

	while (!data.empty()) {
		ssize_t n = ::pwrite(fd(), data.data(), data.size(), at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			throw Error(last_error(), "pwrite",
				    {.length = Bytes(data.size())});
		data = data.subspan(static_cast<std::size_t>(n));
		at += n;
	}
}

void MemFd::seal(int seals) const
{
	if (::fcntl(fd(), F_ADD_SEALS, seals) < 0)
		throw Error(last_error(), "fcntl(F_ADD_SEALS)");
}

} // namespace iommukit

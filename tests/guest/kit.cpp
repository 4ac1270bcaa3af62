// SPDX-License-Identifier: GPL-2.0-only
#include "kit.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "raw.h"

namespace guest {

std::ostream &operator<<(std::ostream &out, Errno error)
{
	return out << (error == ok ? "success" : iommukit::errno_name(error.value));
}

Errno call(int fd, unsigned long request, void *argument) noexcept
{
	return Errno{iommukit::raw(fd, request, argument).value()};
}

std::uint64_t alignment_cap()
{
	return access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK) == 0
		       ? huge_size
		       : page_size;
}

bool wait_until(const std::function<bool()> &reached)
{
	const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);

	while (!reached()) {
		if (std::chrono::steady_clock::now() > limit)
			return false;
		sched_yield();
	}
	return true;
}

namespace {

int kind_flags(Memory::Kind kind)
{
	switch (kind) {
	case Memory::Kind::private_anonymous:
		return MAP_PRIVATE | MAP_ANONYMOUS;
	case Memory::Kind::huge:
		return MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB;
	case Memory::Kind::shared_anonymous:
		break;
	}
	return MAP_SHARED | MAP_ANONYMOUS;
}

/*
 * Addresses aligned to huge pages make the results of automatic placement
 * depend on the length alone.
 */
void *aligned_address(std::size_t length)
{
	const std::size_t room = length + huge_size;
	void *start = mmap(nullptr, room, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	REQUIRE(start != MAP_FAILED);
	REQUIRE(munmap(start, room) == 0);
	return reinterpret_cast<void *>(
		(reinterpret_cast<std::uint64_t>(start) + huge_size - 1) &
		~(huge_size - 1));
}

} // namespace

Memory::Memory(std::size_t length, Kind kind)
	: Memory(length, -1, PROT_READ | PROT_WRITE, kind_flags(kind))
{
}

Memory::Memory(std::size_t bytes, int fd, int protection, int flags) : length(bytes)
{
	void *start = mmap(aligned_address(length), length, protection, flags, fd, 0);

	INFO("mmap of " << length << " bytes: " << Errno{errno});
	if (start == MAP_FAILED && (flags & MAP_HUGETLB) &&
	    access("/sys/kernel/mm/hugepages", F_OK))
		skip("the kernel has no huge pages");
	REQUIRE(start != MAP_FAILED);
	base = static_cast<std::byte *>(start);
}

/* What was unmapped before may belong to somebody else by now. */
Memory::~Memory()
{
	std::uint64_t done = 0;

	std::sort(holes.begin(), holes.end(),
		  [](const Hole &a, const Hole &b) { return a.offset < b.offset; });
	for (const Hole &hole : holes) {
		if (hole.offset > done)
			munmap(base + done, hole.offset - done);
		done = hole.offset + hole.bytes;
	}
	if (done < length)
		munmap(base + done, length - done);
}

std::byte pattern(unsigned int salt, std::uint64_t offset)
{
	std::uint64_t mix = (offset + 1) * 0x9e3779b97f4a7c15UL + salt;

	mix ^= mix >> 29;
	return static_cast<std::byte>(mix * 0xbf58476d1ce4e5b9UL >> 56);
}

std::vector<std::byte> pattern_of(unsigned int salt, std::uint64_t offset,
				  std::size_t length)
{
	std::vector<std::byte> bytes(length);

	for (std::size_t i = 0; i < length; i++)
		bytes[i] = pattern(salt, offset + i);
	return bytes;
}

void Memory::fill(unsigned int salt) const
{
	for (std::size_t i = 0; i < length; i++)
		base[i] = pattern(salt, i);
}

void Memory::protect(int protection) const
{
	REQUIRE(mprotect(base, length, protection) == 0);
}

void Memory::discard(std::uint64_t offset, std::size_t bytes) const
{
	REQUIRE(madvise(base + offset, bytes, MADV_DONTNEED) == 0);
}

void Memory::unmap(std::uint64_t offset, std::size_t bytes) const
{
	REQUIRE(munmap(base + offset, bytes) == 0);
	holes.push_back({offset, bytes});
}

PageAndHole::PageAndHole() : memory(2 * page_size, Memory::Kind::private_anonymous)
{
	REQUIRE(mprotect(hole(), page_size, PROT_NONE) == 0);
}

void PageAndHole::write_protect() const
{
	REQUIRE(mprotect(memory.data(), page_size, PROT_READ) == 0);
}

void PageAndHole::make_writable() const
{
	REQUIRE(mprotect(memory.data(), page_size, PROT_READ | PROT_WRITE) == 0);
}

Context::Context() : device(open("/dev/iommukit", O_RDWR | O_CLOEXEC))
{
	INFO("open /dev/iommukit: " << Errno{errno});
	REQUIRE(device);
}

Errno Context::try_ioas(std::uint32_t *id) const
{
	auto cmd = command<iommukit_ioas_alloc>();
	const Errno error = call(fd(), IOMMUKIT_IOAS_ALLOC, &cmd);

	*id = cmd.out_ioas_id;
	return error;
}

std::uint32_t Context::ioas() const
{
	std::uint32_t id = 0;

	REQUIRE(try_ioas(&id) == ok);
	REQUIRE(id != 0);
	return id;
}

Errno Context::try_destroy(std::uint32_t id) const
{
	auto cmd = command<iommukit_destroy>();

	cmd.id = id;
	return call(fd(), IOMMUKIT_DESTROY, &cmd);
}

void Context::destroy(std::uint32_t id) const
{
	REQUIRE(try_destroy(id) == ok);
}

Errno Context::try_map(std::uint32_t ioas, std::uint64_t va, std::uint64_t length,
		       std::uint64_t iova, std::uint32_t flags) const
{
	auto cmd = command<iommukit_ioas_map>();

	cmd.flags = flags;
	cmd.ioas_id = ioas;
	cmd.user_va = va;
	cmd.length = length;
	cmd.iova = iova;
	return call(fd(), IOMMUKIT_IOAS_MAP, &cmd);
}

void Context::map(std::uint32_t ioas, const Memory &memory, std::uint64_t iova,
		  std::uint32_t flags) const
{
	REQUIRE(try_map(ioas, memory.va(), memory.size(), iova, flags | map_fixed) == ok);
}

Errno Context::try_map_auto(std::uint32_t ioas, std::uint64_t va, std::uint64_t length,
			    std::uint64_t *iova) const
{
	auto cmd = command<iommukit_ioas_map>();

	cmd.flags = map_rw;
	cmd.ioas_id = ioas;
	cmd.user_va = va;
	cmd.length = length;
	const Errno error = call(fd(), IOMMUKIT_IOAS_MAP, &cmd);

	*iova = cmd.iova;
	return error;
}

Errno Context::try_map_file(std::uint32_t ioas, int file, std::uint64_t start,
			    std::uint64_t length, std::uint64_t iova,
			    std::uint32_t flags) const
{
	auto cmd = command<iommukit_ioas_map_file>();

	cmd.flags = flags;
	cmd.ioas_id = ioas;
	cmd.fd = file;
	cmd.start = start;
	cmd.length = length;
	cmd.iova = iova;
	return call(fd(), IOMMUKIT_IOAS_MAP_FILE, &cmd);
}

Errno Context::try_copy(std::uint32_t dst, std::uint64_t dst_iova, std::uint32_t src,
			std::uint64_t src_iova, std::uint64_t length,
			std::uint32_t flags) const
{
	auto cmd = command<iommukit_ioas_copy>();

	cmd.flags = flags;
	cmd.dst_ioas_id = dst;
	cmd.src_ioas_id = src;
	cmd.length = length;
	cmd.dst_iova = dst_iova;
	cmd.src_iova = src_iova;
	return call(fd(), IOMMUKIT_IOAS_COPY, &cmd);
}

Errno Context::try_unmap(std::uint32_t ioas, std::uint64_t iova, std::uint64_t length,
			 std::uint64_t *unmapped) const
{
	auto cmd = command<iommukit_ioas_unmap>();

	cmd.ioas_id = ioas;
	cmd.iova = iova;
	cmd.length = length;
	const Errno error = call(fd(), IOMMUKIT_IOAS_UNMAP, &cmd);

	if (unmapped)
		*unmapped = cmd.length;
	return error;
}

std::uint64_t Context::unmap(std::uint32_t ioas, std::uint64_t iova,
			     std::uint64_t length) const
{
	std::uint64_t unmapped = 0;

	REQUIRE(try_unmap(ioas, iova, length, &unmapped) == ok);
	return unmapped;
}

Errno Context::try_allow(std::uint32_t ioas,
			 std::vector<iommukit_iova_range> ranges) const
{
	auto cmd = command<iommukit_ioas_allow_iovas>();

	cmd.ioas_id = ioas;
	cmd.num_iovas = static_cast<std::uint32_t>(ranges.size());
	cmd.allowed_iovas = reinterpret_cast<std::uint64_t>(ranges.data());
	return call(fd(), IOMMUKIT_IOAS_ALLOW_IOVAS, &cmd);
}

std::vector<iommukit_iova_range> Context::ranges(std::uint32_t ioas,
						 std::uint64_t *alignment) const
{
	std::vector<iommukit_iova_range> found(64);
	auto cmd = command<iommukit_ioas_iova_ranges>();

	cmd.ioas_id = ioas;
	cmd.num_iovas = static_cast<std::uint32_t>(found.size());
	cmd.allowed_iovas = reinterpret_cast<std::uint64_t>(found.data());
	REQUIRE(call(fd(), IOMMUKIT_IOAS_IOVA_RANGES, &cmd) == ok);
	found.resize(cmd.num_iovas);
	if (alignment)
		*alignment = cmd.out_iova_alignment;
	return found;
}

std::uint64_t Context::alignment(std::uint32_t ioas) const
{
	std::uint64_t value = 0;

	ranges(ioas, &value);
	return value;
}

Errno Context::try_option(std::uint32_t option, std::uint16_t op, std::uint32_t object,
			  std::uint64_t *value) const
{
	auto cmd = command<iommukit_option>();

	cmd.option_id = option;
	cmd.op = op;
	cmd.object_id = object;
	cmd.val64 = *value;
	const Errno error = call(fd(), IOMMUKIT_OPTION, &cmd);

	*value = cmd.val64;
	return error;
}

Errno Context::try_set_option(std::uint32_t option, std::uint32_t object,
			      std::uint64_t value) const
{
	return try_option(option, IOMMUKIT_OPTION_OP_SET, object, &value);
}

} // namespace guest

// SPDX-License-Identifier: GPL-2.0-only
#include "mm_region.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace guest {

namespace {

std::uint64_t length_of(Kind kind)
{
	const bool huge = kind == Kind::large || kind == Kind::reserved;

	return huge ? 2 * huge_size : Region::pages * page_size;
}

} // namespace

Region::Region(const OndemandWorld &in, Kind of)
	: world(in), kind(of), length(length_of(of))
{
	make_file();
	memory.emplace(length, file ? file.get() : -1, PROT_READ | PROT_WRITE, flags());
	/* Of no use to reserved pages and files, which refuse it. */
	madvise(at(0), length, kind == Kind::large ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	memory->fill(1);
}

void Region::make_file()
{
	if (kind == Kind::memfd || kind == Kind::memfd_private)
		file.reset(memfd_create("region", MFD_CLOEXEC));
	else if (kind == Kind::disk)
		file.reset(open((std::string(disk_directory) + "/region").c_str(),
				O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
	else
		return;
	const auto content = pattern_of(1, 0, length);

	REQUIRE(file);
	REQUIRE(pwrite(file.get(), content.data(), length, 0) ==
		static_cast<ssize_t>(length));
}

int Region::flags() const
{
	switch (kind) {
	case Kind::anonymous:
	case Kind::large:
		return MAP_PRIVATE | MAP_ANONYMOUS;
	case Kind::shared:
		return MAP_SHARED | MAP_ANONYMOUS;
	case Kind::reserved:
		return MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB;
	case Kind::memfd_private:
		return MAP_PRIVATE;
	case Kind::memfd:
	case Kind::disk:
		break;
	}
	return MAP_SHARED;
}

void Region::advise(int advice, std::uint64_t offset, std::uint64_t bytes) const
{
	const Errno error{madvise(at(offset), bytes, advice) < 0 ? errno : 0};

	INFO("madvise " << advice);
	REQUIRE(error == ok);
}

void Region::replace(unsigned int salt) const
{
	REQUIRE(mmap(at(0), length, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at(0));
	memory->fill(salt);
}

void Region::fork_one(unsigned int salt, const std::function<void()> &first)
{
	child = std::make_unique<Child>([&, salt, first](const Child::Steps &step) {
		if (first)
			first();
		step.meet();
		for (std::uint64_t o = 0; o < length; o += page_size)
			if (at(o)[0] != pattern(salt, o) ||
			    at(o)[page_size - 1] != pattern(salt, o + page_size - 1))
				return 1;
		return 0;
	});
	child->await();
}

int Region::join() const
{
	child->resume();
	return child->join();
}

} // namespace guest

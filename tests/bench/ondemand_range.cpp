// SPDX-License-Identifier: GPL-2.0-only
#include "ondemand_range.h"

#include "bench.h"

#include "../../kmod/test/iommukit_test_abi.h"

#include <sys/ioctl.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

namespace bench {

using namespace iommukit;

namespace {

void forget_all(const Reservation &memory, Bytes length)
{
	::madvise(memory.data(), length.value, MADV_DONTNEED);
}

// Or one page of the process would be many. Fails where there are no larger ones.
void keep_small(const Reservation &memory, Bytes length)
{
	::madvise(memory.data(), length.value, MADV_NOHUGEPAGE);
}

} // namespace

MockDevice::MockDevice(const Ioas &ioas, Kind kind) : fd_(ioas.context().fd())
{
	iommukit_test_cmd cmd{};

	cmd.size = sizeof(cmd);
	cmd.op = IOMMUKIT_TEST_OP_MOCK_CREATE;
	cmd.id = ioas.id().value;
	if (kind == Kind::waits)
		cmd.mock_create.dev_flags = IOMMUKIT_TEST_DEVICE_FAULTS;
	if (::ioctl(fd_, IOMMUKIT_TEST_CMD, &cmd))
		throw NotHere(std::string("there is no mock device: ") +
			      std::strerror(errno));
	id_ = cmd.mock_create.out_stdev_id;
}

void MockDevice::fault(Iova iova, Bytes length, bool write) const
{
	iommukit_test_cmd cmd{};

	cmd.size = sizeof(cmd);
	cmd.op = IOMMUKIT_TEST_OP_MOCK_FAULT;
	cmd.id = id_;
	cmd.mock_fault.iova = iova.value;
	cmd.mock_fault.length = length.value;
	cmd.mock_fault.write = write;
	if (::ioctl(fd_, IOMMUKIT_TEST_CMD, &cmd))
		throw Error(last_error(), "MOCK_FAULT", {.iova = iova, .length = length});
}

Range::Range(Bytes length, FaultAround around)
	: ioas_(context_), memory_(length), length_(length)
{
	map_ondemand(ioas_, memory_.data(), length, Permission::read_write, first_iova,
		     around);
	keep_small(memory_, length);
}

void Range::find(Bytes offset, Bytes length, bool write) const
{
	prefetch(ioas_, Iova(first_iova.value + offset.value), length,
		 write ? IOMMUKIT_IOAS_PREFETCH_WRITE : 0);
}

void Range::touch(Bytes offset, Bytes length) const
{
	touch_pages(static_cast<char *>(memory_.data()) + offset.value, length);
}

void Range::forget() const
{
	forget_all(memory_, length_);
}

void touch_pages(void *first, Bytes length)
{
	for (std::uint64_t i = 0; i < length.value; i += page.value)
		*(static_cast<volatile char *>(first) + i) = 1;
}

PinnedRange::PinnedRange(Bytes length)
	: ioas_(context_), device_(ioas_, MockDevice::Kind::plain), memory_(length),
	  length_(length)
{
	keep_small(memory_, length);
}

void PinnedRange::map() const
{
	ioas_.map(memory_.data(), length_, Permission::read_write, first_iova);
}

void PinnedRange::unmap() const
{
	ioas_.unmap(first_iova, length_);
}

void PinnedRange::forget() const
{
	forget_all(memory_, length_);
}

} // namespace bench

// SPDX-License-Identifier: GPL-2.0-only
#include "stress_calls.h"

#include <sys/ioctl.h>
#include <sys/mman.h>

#include <cerrno>
#include <system_error>

namespace fuzz {

namespace {

[[noreturn]] void fail(const char *what)
{
	throw std::system_error(errno, std::generic_category(), what);
}

} // namespace

int issue(int fd, unsigned long request, void *cmd)
{
	return ioctl(fd, request, cmd) < 0 ? errno : 0;
}

iommukit_test_cmd test_command(std::uint32_t op, int id)
{
	auto cmd = iommukit::command<iommukit_test_cmd>();

	cmd.op = op;
	cmd.id = static_cast<std::uint32_t>(id);
	return cmd;
}

iommukit_ioas_map map_command(std::uint32_t ioas, const unsigned char *from,
			      std::uint64_t number)
{
	auto cmd = iommukit::command<iommukit_ioas_map>();

	cmd.ioas_id = ioas;
	cmd.flags = IOMMUKIT_IOAS_MAP_READABLE | IOMMUKIT_IOAS_MAP_WRITEABLE;
	cmd.user_va = reinterpret_cast<std::uint64_t>(from);
	cmd.length = number * page_size;
	return cmd;
}

iommukit_iotlb_alloc iotlb_command(std::uint32_t ioas)
{
	auto cmd = iommukit::command<iommukit_iotlb_alloc>();

	cmd.flags = IOMMUKIT_IOTLB_NO_CHANNEL;
	cmd.ioas_id = ioas;
	cmd.max_pending = 1;
	cmd.evict_policy = IOMMUKIT_IOTLB_EVICT_NONE;
	return cmd;
}

iommukit_iotlb_msg element(std::uint8_t op, std::uint64_t iova, std::uint64_t length)
{
	iommukit_iotlb_msg message = {};

	message.op = op;
	message.iova = iova;
	message.length = length;
	return message;
}

iommukit_iotlb_msg update_element(std::uint64_t iova, std::uint64_t length,
				  std::uint64_t target)
{
	auto message = element(IOMMUKIT_IOTLB_OP_UPDATE, iova, length);

	message.target = target;
	message.perm = IOMMUKIT_IOTLB_PERM_RW;
	return message;
}

iommukit_iotlb_submit submit_command(std::uint32_t iotlb,
				     const std::vector<iommukit_iotlb_msg> &elements)
{
	auto cmd = iommukit::command<iommukit_iotlb_submit>();

	cmd.iotlb_id = iotlb;
	cmd.count = static_cast<std::uint32_t>(elements.size());
	cmd.array = reinterpret_cast<std::uint64_t>(elements.data());
	cmd.entry_size = sizeof(elements[0]);
	return cmd;
}

std::uint32_t make_ioas(int fd)
{
	auto cmd = iommukit::command<iommukit_ioas_alloc>();

	errno = issue(fd, IOMMUKIT_IOAS_ALLOC, &cmd);
	if (errno)
		fail("IOAS_ALLOC");
	return cmd.out_ioas_id;
}

std::uint32_t make_iotlb(int fd, iommukit_iotlb_alloc cmd)
{
	errno = issue(fd, IOMMUKIT_IOTLB_ALLOC, &cmd);
	if (errno)
		fail("IOTLB_ALLOC");
	return cmd.out_iotlb_id;
}

iommukit::Fd make_access(int fd, std::uint32_t to)
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_CREATE_ACCESS, static_cast<int>(to));

	cmd.create_access.flags = IOMMUKIT_TEST_ACCESS_CREATE_NEEDS_PIN_PAGES;
	errno = issue(fd, IOMMUKIT_TEST_CMD, &cmd);
	if (errno)
		fail("CREATE_ACCESS");
	return iommukit::Fd(static_cast<int>(cmd.create_access.out_access_fd));
}

unsigned char *map_pages(std::uint64_t number)
{
	void *at = mmap(nullptr, number * page_size, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		fail("mmap");
	return static_cast<unsigned char *>(at);
}

bool unpinned(int fd, const unsigned char *from, std::uint64_t number)
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_MD_CHECK_REFS, 0);

	cmd.check_refs.uptr = reinterpret_cast<std::uint64_t>(from);
	cmd.check_refs.length = number * page_size;
	return issue(fd, IOMMUKIT_TEST_CMD, &cmd) == 0;
}

} // namespace fuzz

// SPDX-License-Identifier: GPL-2.0-only
#include "mock_world.h"

#include "bench.h"

#include "../../kmod/test/iommukit_test_abi.h"

#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace bench {

using namespace iommukit;

namespace {

void issue(const Context &context, unsigned long request, void *cmd, const char *name)
{
	if (::ioctl(context.fd(), request, cmd) == 0)
		return;
	throw std::runtime_error(std::string(name) + ": " + std::strerror(errno));
}

} // namespace

MockWorld::MockWorld(const std::string &device, Memory memory)
	: context_(device), memory_(std::move(memory)), first_(add_ioas()),
	  second_(add_ioas())
{
	iommukit_test_cmd cmd{};

	std::memset(memory_.data(), 1, memory_.size().value);
	cmd.size = sizeof(cmd);
	cmd.op = IOMMUKIT_TEST_OP_MOCK_DOMAIN;
	cmd.id = second_;
	if (::ioctl(context_.fd(), IOMMUKIT_TEST_CMD, &cmd))
		throw NotHere(device + " makes no mock device: " + std::strerror(errno));
	mock_ = cmd.mock_domain.out_stdev_id;
	device_ = cmd.mock_domain.out_idev_id;
	map(memory_);
}

std::uint32_t MockWorld::add_ioas() const
{
	auto cmd = command<iommukit_ioas_alloc>();

	issue(context_, IOMMUKIT_IOAS_ALLOC, &cmd, "IOAS_ALLOC");

	// Where a mock device can translate, whether it is there or not.
	iommukit_iova_range range = {IOMMUKIT_TEST_APERTURE_FIRST,
				     IOMMUKIT_TEST_APERTURE_LAST};
	auto allow = command<iommukit_ioas_allow_iovas>();

	allow.ioas_id = cmd.out_ioas_id;
	allow.num_iovas = 1;
	allow.allowed_iovas = reinterpret_cast<std::uint64_t>(&range);
	issue(context_, IOMMUKIT_IOAS_ALLOW_IOVAS, &allow, "IOAS_ALLOW_IOVAS");
	return cmd.out_ioas_id;
}

std::uint64_t MockWorld::map(const Memory &memory) const
{
	auto cmd = command<iommukit_ioas_map>();

	cmd.flags = IOMMUKIT_IOAS_MAP_READABLE | IOMMUKIT_IOAS_MAP_WRITEABLE;
	cmd.ioas_id = first_;
	cmd.user_va = reinterpret_cast<std::uint64_t>(memory.data());
	cmd.length = memory.size().value;
	issue(context_, IOMMUKIT_IOAS_MAP, &cmd, "IOAS_MAP");
	return cmd.iova;
}

void MockWorld::map_and_unmap(const Memory &memory) const
{
	auto cmd = command<iommukit_ioas_unmap>();

	cmd.ioas_id = first_;
	cmd.iova = map(memory);
	cmd.length = memory.size().value;
	issue(context_, IOMMUKIT_IOAS_UNMAP, &cmd, "IOAS_UNMAP");
}

void MockWorld::replace(std::uint32_t pt) const
{
	iommukit_test_cmd cmd{};

	cmd.size = sizeof(cmd);
	cmd.op = IOMMUKIT_TEST_OP_MOCK_DOMAIN_REPLACE;
	cmd.id = mock_;
	cmd.mock_domain_replace.pt_id = pt;
	issue(context_, IOMMUKIT_TEST_CMD, &cmd, "MOCK_DOMAIN_REPLACE");
}

std::uint32_t MockWorld::add_hwpt() const
{
	auto cmd = command<iommukit_hwpt_alloc>();

	cmd.dev_id = device_;
	cmd.pt_id = first_;
	issue(context_, IOMMUKIT_HWPT_ALLOC, &cmd, "HWPT_ALLOC");
	return cmd.out_hwpt_id;
}

void MockWorld::destroy(std::uint32_t id) const
{
	auto cmd = command<iommukit_destroy>();

	cmd.id = id;
	issue(context_, IOMMUKIT_DESTROY, &cmd, "DESTROY");
}

} // namespace bench

// SPDX-License-Identifier: GPL-2.0-only
#include "mock.h"

namespace guest {

Errno try_mock(const Context &context, std::uint32_t pt, Mock *mock, std::uint32_t flags)
{
	auto cmd = test_command(flags ? IOMMUKIT_TEST_OP_MOCK_DOMAIN_FLAGS
				      : IOMMUKIT_TEST_OP_MOCK_DOMAIN,
				pt);

	cmd.mock_domain.dev_flags = flags;
	const Errno error = test_call(context, cmd);

	if (error == ok)
		*mock = {cmd.mock_domain.out_stdev_id, cmd.mock_domain.out_hwpt_id,
			 cmd.mock_domain.out_idev_id};
	return error;
}

Mock make_mock(const Context &context, std::uint32_t pt, std::uint32_t flags)
{
	Mock mock;

	REQUIRE(try_mock(context, pt, &mock, flags) == ok);
	return mock;
}

Errno try_mock_replace(const Context &context, const Mock &mock, std::uint32_t *pt)
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_MOCK_DOMAIN_REPLACE, mock.stdev);

	cmd.mock_domain_replace.pt_id = *pt;
	const Errno error = test_call(context, cmd);

	*pt = cmd.mock_domain_replace.pt_id;
	return error;
}

Errno try_hwpt(const Context &context, std::uint32_t device, std::uint32_t pt,
	       std::uint32_t *hwpt, std::uint32_t flags)
{
	auto cmd = command<iommukit_hwpt_alloc>();

	cmd.flags = flags;
	cmd.dev_id = device;
	cmd.pt_id = pt;
	const Errno error = call(context.fd(), IOMMUKIT_HWPT_ALLOC, &cmd);

	if (error == ok)
		*hwpt = cmd.out_hwpt_id;
	return error;
}

std::uint32_t make_hwpt(const Context &context, std::uint32_t device, std::uint32_t pt,
			std::uint32_t flags)
{
	std::uint32_t hwpt = 0;

	REQUIRE(try_hwpt(context, device, pt, &hwpt, flags) == ok);
	return hwpt;
}

Errno check_map(const Context &context, std::uint32_t hwpt, std::uint64_t iova,
		std::uint64_t length, std::uint64_t va)
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_MD_CHECK_MAP, hwpt);

	cmd.check_map.iova = iova;
	cmd.check_map.length = length;
	cmd.check_map.uptr = va;
	return test_call(context, cmd);
}

} // namespace guest

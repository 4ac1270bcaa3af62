// SPDX-License-Identifier: GPL-2.0-only
// The commands of devices and HWPTs, and their answers.
#include "machine.h"

namespace fuzz {

void Machine::build_device(const Op &op)
{
	const auto flags = static_cast<std::uint32_t>(op[F::flags]);
	const auto id = static_cast<std::uint32_t>(op[F::id]);
	const auto source = static_cast<std::uint32_t>(op[F::source]);

	switch (op.kind) {
	case Kind::mock:
		start_test(op, flags ? IOMMUKIT_TEST_OP_MOCK_DOMAIN_FLAGS
				     : IOMMUKIT_TEST_OP_MOCK_DOMAIN)
			.mock_domain.dev_flags = flags;
		return;
	case Kind::mock_new: {
		auto &cmd = start_test(op, IOMMUKIT_TEST_OP_MOCK_CREATE);
		cmd.mock_create.dev_flags = flags;
		cmd.mock_create.sibling = source;
		cmd.mock_create.first = op[F::first1];
		cmd.mock_create.last = op[F::last1];
		return;
	}
	case Kind::mock_replace: {
		auto &cmd = start_test(op, IOMMUKIT_TEST_OP_MOCK_DOMAIN_REPLACE);
		cmd.mock_domain_replace.pt_id = id;
		cmd.id = source;
		return;
	}
	case Kind::hwpt_alloc: {
		auto &cmd = start<iommukit_hwpt_alloc>(op, IOMMUKIT_HWPT_ALLOC);
		cmd.flags = flags;
		cmd.dev_id = source;
		cmd.pt_id = id;
		cmd.__reserved = static_cast<std::uint32_t>(op[F::reserved]);
		cmd.data_len = static_cast<std::uint32_t>(op[F::length]);
		return;
	}
	default: {
		auto &cmd = start_test(op, IOMMUKIT_TEST_OP_MD_CHECK_MAP);
		cmd.check_map.iova = op[F::iova];
		cmd.check_map.length = op[F::length];
		cmd.check_map.uptr = op[F::va];
	}
	}
}

void Machine::answer_device(const Op &op, const Expect &expect)
{
	const auto out = static_cast<std::uint32_t>(expect.out);
	auto &test = *reinterpret_cast<iommukit_test_cmd *>(expected.data());

	switch (op.kind) {
	case Kind::mock:
	case Kind::mock_new: // at the same place in both
		test.mock_domain.out_stdev_id = out;
		test.mock_domain.out_hwpt_id = static_cast<std::uint32_t>(expect.more);
		test.mock_domain.out_idev_id =
			static_cast<std::uint32_t>(expect.ranges[0].first);
		return;
	case Kind::mock_replace:
		test.mock_domain_replace.pt_id = out;
		return;
	case Kind::hwpt_alloc:
		reinterpret_cast<iommukit_hwpt_alloc *>(expected.data())->out_hwpt_id =
			out;
		return;
	default:
		return;
	}
}

} // namespace fuzz

// SPDX-License-Identifier: GPL-2.0-only
// The commands of the test module are not for programs, and this is the only part
// of the tool that uses them.
#include "mock_device.h"

#include "channel.h"
#include "command.h"
#include "failure.h"

#include "../../kmod/test/iommukit_test_abi.h"

#include <cerrno>

namespace ctl {

using namespace iommukit;

namespace {

// The core knows the command only while the test module is loaded.
void test_call(const Context &context, iommukit_test_cmd &cmd, ObjectId object)
{
	try {
		call(context.channel(), IOMMUKIT_TEST_CMD, &cmd, {.object = object});
	} catch (const Error &error) {
		if (error.number() != ENOTTY)
			throw;
		throw Failure(Exit::absent,
			      "mock devices are those of the test module, which is not "
			      "loaded",
			      "load it: iommuctl module load test", ENOTTY,
			      error.command());
	}
}

} // namespace

MockDevice MockDevice::make(const Context &context, ObjectId pt, MockUse use)
{
	auto cmd = command<iommukit_test_cmd>();

	cmd.op = IOMMUKIT_TEST_OP_MOCK_DOMAIN_FLAGS;
	cmd.id = pt.value;
	if (use.no_dirty)
		cmd.mock_domain.dev_flags |= IOMMUKIT_TEST_DEVICE_NO_DIRTY;
	if (use.huge_iova)
		cmd.mock_domain.dev_flags |= IOMMUKIT_TEST_DEVICE_HUGE_IOVA;
	if (use.pasid)
		cmd.mock_domain.dev_flags |= IOMMUKIT_TEST_DEVICE_PASID;
	test_call(context, cmd, pt);
	return {context, ObjectId(cmd.mock_domain.out_stdev_id),
		ObjectId(cmd.mock_domain.out_idev_id),
		ObjectId(cmd.mock_domain.out_hwpt_id)};
}

void MockDevice::replace(ObjectId pt)
{
	auto cmd = command<iommukit_test_cmd>();

	cmd.op = IOMMUKIT_TEST_OP_MOCK_DOMAIN_REPLACE;
	cmd.id = id().value;
	cmd.mock_domain_replace.pt_id = pt.value;
	test_call(context(), cmd, pt);
	hwpt_ = ObjectId(cmd.mock_domain_replace.pt_id);
}

} // namespace ctl

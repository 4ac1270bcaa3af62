// SPDX-License-Identifier: GPL-2.0-only
// The kernel says how much there is to say, whatever room there is: so it is asked
// for the length first.
#include "hw_info.h"

#include "command.h"

#include <cstdint>

namespace iommukit {

HwInfo hw_info(const Context &context, ObjectId device)
{
	const Subject subject{.object = device};
	auto cmd = command<iommukit_hw_info>();
	HwInfo info;

	cmd.dev_id = device.value;
	call(context.channel(), IOMMUKIT_GET_HW_INFO, &cmd, subject);
	if (cmd.data_len) {
		info.data.resize(cmd.data_len);
		cmd = command<iommukit_hw_info>();
		cmd.dev_id = device.value;
		cmd.data_len = static_cast<std::uint32_t>(info.data.size());
		cmd.data_uptr = reinterpret_cast<std::uintptr_t>(info.data.data());
		call(context.channel(), IOMMUKIT_GET_HW_INFO, &cmd, subject);
		// It is the same device and the same driver.
		if (cmd.data_len != info.data.size())
			bad_answer(IOMMUKIT_GET_HW_INFO, subject);
	}
	info.type = cmd.out_data_type;
	info.pasid_bits = cmd.out_max_pasid_log2;
	info.capabilities = cmd.out_capabilities;
	return info;
}

} // namespace iommukit

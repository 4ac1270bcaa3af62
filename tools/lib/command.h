// SPDX-License-Identifier: GPL-2.0-only
// The commands of both devices, and of the channels of IOTLBs, by name and number, and
// their empty structures.
#pragma once

#include <linux/iommukit.h>
#include <linux/iommukit_dma.h>

#include <string_view>
#include <type_traits>

namespace iommukit {

// "IOAS_MAP"; "command" for a request that is not known.
std::string_view command_name(unsigned long request) noexcept;

// A zeroed structure whose size member is filled in.
template <class T> T command() noexcept
{
	static_assert(std::is_trivially_copyable_v<T>);
	T cmd{};

	cmd.size = sizeof(cmd);
	return cmd;
}

} // namespace iommukit

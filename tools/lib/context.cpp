// SPDX-License-Identifier: GPL-2.0-only
// Commands of a context that belong to no IOAS.
#include "context.h"

#include "command.h"

#include <cstdlib>

namespace iommukit {

std::string default_device()
{
	const char *path = std::getenv("IOMMUKIT_DEVICE");

	return path && *path ? path : "/dev/iommukit";
}

ModuleInfo Context::info() const
{
	auto cmd = command<iommukit_info>();

	call(channel(), IOMMUKIT_INFO, &cmd);
	// Pinning works in the smallest page size; without one nothing does.
	if (!cmd.out_page_sizes)
		bad_answer(IOMMUKIT_INFO, {});
	return {
		.version = {cmd.out_version_major, cmd.out_version_minor,
			    cmd.out_version_patch},
		.features = cmd.out_features,
		.page_sizes = cmd.out_page_sizes,
	};
}

void Context::destroy(ObjectId id) const
{
	auto cmd = command<iommukit_destroy>();

	cmd.id = id.value;
	call(channel(), IOMMUKIT_DESTROY, &cmd, {.object = id});
}

std::uint64_t option_get(const Context &context, std::uint32_t option, ObjectId object)
{
	auto cmd = command<iommukit_option>();

	cmd.option_id = option;
	cmd.op = IOMMUKIT_OPTION_OP_GET;
	cmd.object_id = object.value;
	call(context.channel(), IOMMUKIT_OPTION, &cmd, {.object = object});
	return cmd.val64;
}

void option_set(const Context &context, std::uint32_t option, ObjectId object,
		std::uint64_t value)
{
	auto cmd = command<iommukit_option>();

	cmd.option_id = option;
	cmd.op = IOMMUKIT_OPTION_OP_SET;
	cmd.object_id = object.value;
	cmd.val64 = value;
	call(context.channel(), IOMMUKIT_OPTION, &cmd, {.object = object});
}

bool Context::per_process_accounting() const
{
	return option_get(*this, IOMMUKIT_OPTION_RLIMIT_MODE, ObjectId(0)) != 0;
}

void Context::set_per_process_accounting(bool on) const
{
	option_set(*this, IOMMUKIT_OPTION_RLIMIT_MODE, ObjectId(0), on);
}

} // namespace iommukit

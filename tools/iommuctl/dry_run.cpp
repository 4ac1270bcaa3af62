// SPDX-License-Identifier: GPL-2.0-only
// Shows a structure as strace would: names for flags, "?" for what only a real
// run knows (pointers, descriptors, and everything that the kernel fills in).
#include "dry_run.h"

#include "command.h"
#include "info.h"
#include "struct_layout.h"

#include <cerrno>

namespace ctl {

using namespace iommukit;

namespace {

bool is_answer(const StructLayout &layout, const void *cmd, const Member &member)
{
	switch (member.role) {
	case Role::output:
	case Role::at_run:
		return true;
	case Role::chosen: {
		const Member *flags = find_member(layout, "flags");
		return !(member_value(cmd, *flags) & IOMMUKIT_IOAS_MAP_FIXED_IOVA);
	}
	case Role::option_val: {
		const Member *op = find_member(layout, "op");
		return member_value(cmd, *op) == IOMMUKIT_OPTION_OP_GET;
	}
	default:
		return false;
	}
}

Json ranges_json(const void *cmd)
{
	auto *allow = static_cast<const iommukit_ioas_allow_iovas *>(cmd);
	auto *ranges =
		reinterpret_cast<const iommukit_iova_range *>(allow->allowed_iovas);
	Json out = Json::array();

	for (std::uint32_t i = 0; i < allow->num_iovas; i++)
		out.push_back({{"start", ranges[i].start}, {"last", ranges[i].last}});
	return out;
}

std::string ranges_text(const void *cmd)
{
	std::string out;

	for (const auto &range : ranges_json(cmd))
		out += (out.empty() ? "" : ", ") +
		       hex(range["start"].get<std::uint64_t>()) + "-" +
		       hex(range["last"].get<std::uint64_t>());
	return "[" + out + "]";
}

std::string member_text(const void *cmd, const Member &member);
Json member_json(const void *cmd, const Member &member);

std::span<const iommukit_iotlb_msg> messages(const void *cmd)
{
	auto *submit = static_cast<const iommukit_iotlb_submit *>(cmd);

	return {reinterpret_cast<const iommukit_iotlb_msg *>(submit->array),
		submit->count};
}

std::string messages_text(const void *cmd)
{
	std::string out;

	for (const iommukit_iotlb_msg &message : messages(cmd)) {
		std::string text;
		for (const Member &member : iotlb_message_layout().members)
			text += (text.empty() ? "" : ", ") + std::string(member.name) +
				"=" + member_text(&message, member);
		out += (out.empty() ? "{" : ", {") + text + "}";
	}
	return "[" + out + "]";
}

Json messages_json(const void *cmd)
{
	Json out = Json::array();

	for (const iommukit_iotlb_msg &message : messages(cmd)) {
		Json members = Json::object();
		for (const Member &member : iotlb_message_layout().members)
			members[std::string(member.name)] = member_json(&message, member);
		out.push_back(std::move(members));
	}
	return out;
}

std::string member_text(const void *cmd, const Member &member)
{
	std::uint64_t value = member_value(cmd, member);
	std::string names = symbols(member.role, value);

	if (!names.empty())
		return names;
	switch (member.role) {
	case Role::text:
		return '"' + std::string(member_string(cmd, member)) + '"';
	case Role::hex:
	case Role::map_flags:
	case Role::port_flags:
	case Role::dma_flags:
	case Role::hwpt_flags:
	case Role::hwpt_track_flags:
	case Role::hwpt_read_flags:
	case Role::ioas_track_flags:
	case Role::ioas_read_flags:
	case Role::device_flags:
	case Role::mock_flags:
	case Role::iotlb_flags:
	case Role::iotlb_query_flags:
	case Role::iotlb_stats_flags:
	case Role::chan_features:
	case Role::msg_flags:
	case Role::prefetch_flags:
	case Role::ondemand_query_flags:
	case Role::ondemand_iova:
	case Role::chosen:
		return hex(value);
	case Role::ranges:
		return ranges_text(cmd);
	case Role::messages:
		return messages_text(cmd);
	default:
		return std::to_string(value);
	}
}

Json member_json(const void *cmd, const Member &member)
{
	switch (member.role) {
	case Role::ranges:
		return ranges_json(cmd);
	case Role::messages:
		return messages_json(cmd);
	case Role::text:
		return member_string(cmd, member);
	default:
		return member_value(cmd, member);
	}
}

} // namespace

void DryRunChannel::show(unsigned long request, const void *arg) const
{
	const StructLayout &layout = struct_layout(request, arg);
	std::string name = "IOMMUKIT_" + std::string(command_name(request));
	std::string text = "ioctl(" + device_ + ", " + name + ", {";
	Json members = Json::object();
	const char *comma = "";

	for (const auto &member : layout.members) {
		std::string key(member.name);
		if (is_answer(layout, arg, member)) {
			text += comma + key + "=?";
			members[key] = nullptr;
		} else {
			text += comma + key + "=" + member_text(arg, member);
			members[key] = member_json(arg, member);
		}
		comma = ", ";
	}
	if (!output_.json())
		return output_.text(text + "})\n");
	Json ioctl{{"device", device_},
		   {"command", name},
		   {"request", request},
		   {"struct", members}};
	output_.document(Json{{"version", 1}, {"ioctl", ioctl}});
}

void DryRunChannel::answer(unsigned long request, void *arg)
{
	const StructLayout &layout = struct_layout(request, arg);

	for (const char *name :
	     {"out_ioas_id", "out_access_id", "out_hwpt_id", "out_dev_id",
	      "mock_domain.out_stdev_id", "mock_domain.out_hwpt_id",
	      "mock_domain.out_idev_id", "out_iotlb_id"})
		if (const Member *member = find_member(layout, name))
			set_member(arg, *member, ++last_id_);
	// There is no descriptor, and no entry.
	for (const char *name : {"out_channel_fd", "out_fd"})
		if (const Member *member = find_member(layout, name))
			set_member(arg, *member, UINT32_MAX);
	if (request == IOMMUKIT_IOTLB_QUERY)
		static_cast<iommukit_iotlb_query *>(arg)->count = 0;
	// At least one page is there.
	if (request == IOMMUKIT_IOAS_PREFETCH)
		static_cast<iommukit_ioas_prefetch *>(arg)->out_pages = 1;
	if (request == IOMMUKIT_INFO) {
		auto *info = static_cast<iommukit_info *>(arg);
		Version version = tool_version();
		info->out_version_major = static_cast<std::uint16_t>(version.major);
		info->out_version_minor = static_cast<std::uint16_t>(version.minor);
		info->out_version_patch = static_cast<std::uint16_t>(version.patch);
		info->out_features = IOMMUKIT_FEATURE_MAP_FILE |
				     IOMMUKIT_FEATURE_IOAS_DIRTY |
				     IOMMUKIT_FEATURE_IOTLB | IOMMUKIT_FEATURE_ONDEMAND;
		info->out_page_sizes = 4096;
	}
}

std::error_code DryRunChannel::issue(unsigned long request, void *arg) noexcept
{
	// A channel does not throw; the only failure here is that of the output.
	try {
		show(request, arg);
		answer(request, arg);
	} catch (const Failure &failure) {
		return make_errno(failure.number());
	} catch (const std::exception &) {
		return make_errno(ENOMEM);
	}
	return {};
}

} // namespace ctl

// SPDX-License-Identifier: GPL-2.0-only
// One table per structure, in the order of its members. Reserved members are left
// out: they are always zero, and say nothing to a reader.
#include "struct_layout.h"

#include "command.h"
#include "types.h"

#include "../../kmod/test/iommukit_test_abi.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>

namespace ctl {

namespace {

constexpr std::array destroy = {
	CTL_MEMBER(iommukit_destroy, size, number),
	CTL_MEMBER(iommukit_destroy, id, number),
};

constexpr std::array ioas_alloc = {
	CTL_MEMBER(iommukit_ioas_alloc, size, number),
	CTL_MEMBER(iommukit_ioas_alloc, flags, hex),
	CTL_MEMBER(iommukit_ioas_alloc, out_ioas_id, output),
};

constexpr std::array iova_ranges = {
	CTL_MEMBER(iommukit_ioas_iova_ranges, size, number),
	CTL_MEMBER(iommukit_ioas_iova_ranges, ioas_id, number),
	CTL_MEMBER(iommukit_ioas_iova_ranges, num_iovas, number),
	CTL_MEMBER(iommukit_ioas_iova_ranges, allowed_iovas, at_run),
	CTL_MEMBER(iommukit_ioas_iova_ranges, out_iova_alignment, output),
};

constexpr std::array allow_iovas = {
	CTL_MEMBER(iommukit_ioas_allow_iovas, size, number),
	CTL_MEMBER(iommukit_ioas_allow_iovas, ioas_id, number),
	CTL_MEMBER(iommukit_ioas_allow_iovas, num_iovas, number),
	CTL_MEMBER(iommukit_ioas_allow_iovas, allowed_iovas, ranges),
};

constexpr std::array map = {
	CTL_MEMBER(iommukit_ioas_map, size, number),
	CTL_MEMBER(iommukit_ioas_map, flags, map_flags),
	CTL_MEMBER(iommukit_ioas_map, ioas_id, number),
	CTL_MEMBER(iommukit_ioas_map, user_va, at_run),
	CTL_MEMBER(iommukit_ioas_map, length, hex),
	CTL_MEMBER(iommukit_ioas_map, iova, chosen),
};

constexpr std::array map_file = {
	CTL_MEMBER(iommukit_ioas_map_file, size, number),
	CTL_MEMBER(iommukit_ioas_map_file, flags, map_flags),
	CTL_MEMBER(iommukit_ioas_map_file, ioas_id, number),
	CTL_MEMBER(iommukit_ioas_map_file, fd, at_run),
	CTL_MEMBER(iommukit_ioas_map_file, start, hex),
	CTL_MEMBER(iommukit_ioas_map_file, length, hex),
	CTL_MEMBER(iommukit_ioas_map_file, iova, chosen),
};

constexpr std::array copy = {
	CTL_MEMBER(iommukit_ioas_copy, size, number),
	CTL_MEMBER(iommukit_ioas_copy, flags, map_flags),
	CTL_MEMBER(iommukit_ioas_copy, dst_ioas_id, number),
	CTL_MEMBER(iommukit_ioas_copy, src_ioas_id, number),
	CTL_MEMBER(iommukit_ioas_copy, length, hex),
	CTL_MEMBER(iommukit_ioas_copy, dst_iova, chosen),
	CTL_MEMBER(iommukit_ioas_copy, src_iova, hex),
};

constexpr std::array unmap = {
	CTL_MEMBER(iommukit_ioas_unmap, size, number),
	CTL_MEMBER(iommukit_ioas_unmap, ioas_id, number),
	CTL_MEMBER(iommukit_ioas_unmap, iova, hex),
	CTL_MEMBER(iommukit_ioas_unmap, length, hex),
};

constexpr std::array option = {
	CTL_MEMBER(iommukit_option, size, number),
	CTL_MEMBER(iommukit_option, option_id, option),
	CTL_MEMBER(iommukit_option, op, option_op),
	CTL_MEMBER(iommukit_option, object_id, number),
	CTL_MEMBER(iommukit_option, val64, option_val),
};

constexpr std::array info = {
	CTL_MEMBER(iommukit_info, size, number),
	CTL_MEMBER(iommukit_info, flags, hex),
	CTL_MEMBER(iommukit_info, out_version_major, output),
	CTL_MEMBER(iommukit_info, out_version_minor, output),
	CTL_MEMBER(iommukit_info, out_version_patch, output),
	CTL_MEMBER(iommukit_info, out_features, output),
	CTL_MEMBER(iommukit_info, out_page_sizes, output),
};

constexpr std::array bind = {
	CTL_MEMBER(iommukit_dma_bind, size, number),
	CTL_MEMBER(iommukit_dma_bind, flags, port_flags),
	CTL_MEMBER(iommukit_dma_bind, port, number),
	CTL_MEMBER(iommukit_dma_bind, fd, at_run),
	CTL_MEMBER(iommukit_dma_bind, out_access_id, output),
};

constexpr std::array port = {
	CTL_MEMBER(iommukit_dma_port, size, number),
	CTL_MEMBER(iommukit_dma_port, port, number),
};

constexpr std::array attach = {
	CTL_MEMBER(iommukit_dma_attach, size, number),
	CTL_MEMBER(iommukit_dma_attach, port, number),
	CTL_MEMBER(iommukit_dma_attach, ioas_id, number),
};

constexpr std::array transfer = {
	CTL_MEMBER(iommukit_dma_transfer, size, number),
	CTL_MEMBER(iommukit_dma_transfer, flags, dma_flags),
	CTL_MEMBER(iommukit_dma_transfer, op, dma_op),
	CTL_MEMBER(iommukit_dma_transfer, src_port, number),
	CTL_MEMBER(iommukit_dma_transfer, dst_port, number),
	CTL_MEMBER(iommukit_dma_transfer, src_iova, hex),
	CTL_MEMBER(iommukit_dma_transfer, dst_iova, hex),
	CTL_MEMBER(iommukit_dma_transfer, length, hex),
	CTL_MEMBER(iommukit_dma_transfer, user_va, at_run),
	CTL_MEMBER(iommukit_dma_transfer, pattern, hex),
	CTL_MEMBER(iommukit_dma_transfer, out_digest, output),
};

constexpr std::array start = {
	CTL_MEMBER(iommukit_dma_start, size, number),
	CTL_MEMBER(iommukit_dma_start, flags, dma_flags),
	CTL_MEMBER(iommukit_dma_start, op, dma_op),
	CTL_MEMBER(iommukit_dma_start, src_port, number),
	CTL_MEMBER(iommukit_dma_start, dst_port, number),
	CTL_MEMBER(iommukit_dma_start, src_iova, hex),
	CTL_MEMBER(iommukit_dma_start, dst_iova, hex),
	CTL_MEMBER(iommukit_dma_start, length, hex),
	CTL_MEMBER(iommukit_dma_start, pattern, hex),
};

constexpr std::array stop = {
	CTL_MEMBER(iommukit_dma_stop, size, number),
	CTL_MEMBER(iommukit_dma_stop, flags, hex),
};

constexpr std::array status = {
	CTL_MEMBER(iommukit_dma_status, size, number),
	CTL_MEMBER(iommukit_dma_status, flags, hex),
	CTL_MEMBER(iommukit_dma_status, out_state, output),
	CTL_MEMBER(iommukit_dma_status, out_error, output),
	CTL_MEMBER(iommukit_dma_status, out_passes, output),
	CTL_MEMBER(iommukit_dma_status, out_bytes, output),
	CTL_MEMBER(iommukit_dma_status, out_unmap_calls, output),
	CTL_MEMBER(iommukit_dma_status, out_unmap_iova, output),
	CTL_MEMBER(iommukit_dma_status, out_unmap_length, output),
	CTL_MEMBER(iommukit_dma_status, out_pinned_pages, output),
	CTL_MEMBER(iommukit_dma_status, out_digest, output),
};

constexpr std::array hwpt_alloc = {
	CTL_MEMBER(iommukit_hwpt_alloc, size, number),
	CTL_MEMBER(iommukit_hwpt_alloc, flags, hwpt_flags),
	CTL_MEMBER(iommukit_hwpt_alloc, dev_id, number),
	CTL_MEMBER(iommukit_hwpt_alloc, pt_id, number),
	CTL_MEMBER(iommukit_hwpt_alloc, out_hwpt_id, output),
	CTL_MEMBER(iommukit_hwpt_alloc, data_type, number),
	CTL_MEMBER(iommukit_hwpt_alloc, data_len, number),
	CTL_MEMBER(iommukit_hwpt_alloc, data_uptr, hex),
	CTL_MEMBER(iommukit_hwpt_alloc, fault_id, number),
};

constexpr std::array hw_info = {
	CTL_MEMBER(iommukit_hw_info, size, number),
	CTL_MEMBER(iommukit_hw_info, flags, hex),
	CTL_MEMBER(iommukit_hw_info, dev_id, number),
	CTL_MEMBER(iommukit_hw_info, data_len, number),
	CTL_MEMBER(iommukit_hw_info, data_uptr, hex),
	CTL_MEMBER(iommukit_hw_info, out_data_type, output),
	CTL_MEMBER(iommukit_hw_info, out_max_pasid_log2, output),
	CTL_MEMBER(iommukit_hw_info, out_capabilities, output),
};

constexpr std::array hwpt_track = {
	CTL_MEMBER(iommukit_hwpt_set_dirty_tracking, size, number),
	CTL_MEMBER(iommukit_hwpt_set_dirty_tracking, flags, hwpt_track_flags),
	CTL_MEMBER(iommukit_hwpt_set_dirty_tracking, hwpt_id, number),
};

constexpr std::array hwpt_read = {
	CTL_MEMBER(iommukit_hwpt_get_dirty_bitmap, size, number),
	CTL_MEMBER(iommukit_hwpt_get_dirty_bitmap, hwpt_id, number),
	CTL_MEMBER(iommukit_hwpt_get_dirty_bitmap, flags, hwpt_read_flags),
	CTL_MEMBER(iommukit_hwpt_get_dirty_bitmap, iova, hex),
	CTL_MEMBER(iommukit_hwpt_get_dirty_bitmap, length, hex),
	CTL_MEMBER(iommukit_hwpt_get_dirty_bitmap, page_size, hex),
	CTL_MEMBER(iommukit_hwpt_get_dirty_bitmap, data, at_run),
};

constexpr std::array ioas_track = {
	CTL_MEMBER(iommukit_ioas_set_dirty_tracking, size, number),
	CTL_MEMBER(iommukit_ioas_set_dirty_tracking, flags, ioas_track_flags),
	CTL_MEMBER(iommukit_ioas_set_dirty_tracking, ioas_id, number),
};

constexpr std::array ioas_read = {
	CTL_MEMBER(iommukit_ioas_get_dirty_bitmap, size, number),
	CTL_MEMBER(iommukit_ioas_get_dirty_bitmap, ioas_id, number),
	CTL_MEMBER(iommukit_ioas_get_dirty_bitmap, flags, ioas_read_flags),
	CTL_MEMBER(iommukit_ioas_get_dirty_bitmap, iova, hex),
	CTL_MEMBER(iommukit_ioas_get_dirty_bitmap, length, hex),
	CTL_MEMBER(iommukit_ioas_get_dirty_bitmap, page_size, hex),
	CTL_MEMBER(iommukit_ioas_get_dirty_bitmap, data, at_run),
};

constexpr std::array device_bind = {
	CTL_MEMBER(iommukit_device_bind, size, number),
	CTL_MEMBER(iommukit_device_bind, flags, hex),
	CTL_MEMBER(iommukit_device_bind, out_dev_id, output),
	CTL_MEMBER(iommukit_device_bind, name, text),
};

constexpr std::array device_attach = {
	CTL_MEMBER(iommukit_device_attach, size, number),
	CTL_MEMBER(iommukit_device_attach, flags, device_flags),
	CTL_MEMBER(iommukit_device_attach, dev_id, number),
	CTL_MEMBER(iommukit_device_attach, pt_id, number),
};

constexpr std::array device_detach = {
	CTL_MEMBER(iommukit_device_detach, size, number),
	CTL_MEMBER(iommukit_device_detach, dev_id, number),
};

constexpr std::array mock_add = {
	CTL_MEMBER(iommukit_test_cmd, size, number),
	CTL_MEMBER(iommukit_test_cmd, op, test_op),
	CTL_MEMBER(iommukit_test_cmd, id, number),
	CTL_MEMBER(iommukit_test_cmd, mock_domain.out_stdev_id, output),
	CTL_MEMBER(iommukit_test_cmd, mock_domain.out_hwpt_id, output),
	CTL_MEMBER(iommukit_test_cmd, mock_domain.out_idev_id, output),
	CTL_MEMBER(iommukit_test_cmd, mock_domain.dev_flags, mock_flags),
};

constexpr std::array mock_replace = {
	CTL_MEMBER(iommukit_test_cmd, size, number),
	CTL_MEMBER(iommukit_test_cmd, op, test_op),
	CTL_MEMBER(iommukit_test_cmd, id, number),
	CTL_MEMBER(iommukit_test_cmd, mock_domain_replace.pt_id, number),
};

constexpr std::array layouts = {
	StructLayout{IOMMUKIT_DESTROY, destroy},
	StructLayout{IOMMUKIT_IOAS_ALLOC, ioas_alloc},
	StructLayout{IOMMUKIT_IOAS_IOVA_RANGES, iova_ranges},
	StructLayout{IOMMUKIT_IOAS_ALLOW_IOVAS, allow_iovas},
	StructLayout{IOMMUKIT_IOAS_MAP, map},
	StructLayout{IOMMUKIT_IOAS_MAP_FILE, map_file},
	StructLayout{IOMMUKIT_IOAS_COPY, copy},
	StructLayout{IOMMUKIT_IOAS_UNMAP, unmap},
	StructLayout{IOMMUKIT_OPTION, option},
	StructLayout{IOMMUKIT_INFO, info},
	StructLayout{IOMMUKIT_HWPT_ALLOC, hwpt_alloc},
	StructLayout{IOMMUKIT_GET_HW_INFO, hw_info},
	StructLayout{IOMMUKIT_HWPT_SET_DIRTY_TRACKING, hwpt_track},
	StructLayout{IOMMUKIT_HWPT_GET_DIRTY_BITMAP, hwpt_read},
	StructLayout{IOMMUKIT_IOAS_SET_DIRTY_TRACKING, ioas_track},
	StructLayout{IOMMUKIT_IOAS_GET_DIRTY_BITMAP, ioas_read},
	StructLayout{IOMMUKIT_DEVICE_BIND, device_bind},
	StructLayout{IOMMUKIT_DEVICE_ATTACH, device_attach},
	StructLayout{IOMMUKIT_DEVICE_DETACH, device_detach},
	StructLayout{IOMMUKIT_DMA_BIND, bind},
	StructLayout{IOMMUKIT_DMA_UNBIND, port},
	StructLayout{IOMMUKIT_DMA_ATTACH, attach},
	StructLayout{IOMMUKIT_DMA_REPLACE, attach},
	StructLayout{IOMMUKIT_DMA_DETACH, port},
	StructLayout{IOMMUKIT_DMA_TRANSFER, transfer},
	StructLayout{IOMMUKIT_DMA_START, start},
	StructLayout{IOMMUKIT_DMA_STOP, stop},
	StructLayout{IOMMUKIT_DMA_STATUS, status},
};

constexpr StructLayout mock_add_layout{IOMMUKIT_TEST_CMD, mock_add};
constexpr StructLayout mock_replace_layout{IOMMUKIT_TEST_CMD, mock_replace};

constexpr std::array flag_symbols = {
	Symbol{Role::map_flags, IOMMUKIT_IOAS_MAP_FIXED_IOVA, "FIXED_IOVA"},
	Symbol{Role::map_flags, IOMMUKIT_IOAS_MAP_WRITEABLE, "WRITEABLE"},
	Symbol{Role::map_flags, IOMMUKIT_IOAS_MAP_READABLE, "READABLE"},
	Symbol{Role::port_flags, IOMMUKIT_DMA_PORT_PIN, "PORT_PIN"},
	Symbol{Role::port_flags, IOMMUKIT_DMA_PORT_HWPT, "PORT_HWPT"},
	Symbol{Role::dma_flags, IOMMUKIT_DMA_PIN, "PIN"},
	Symbol{Role::dma_flags, IOMMUKIT_DMA_KTHREAD, "KTHREAD"},
	Symbol{Role::hwpt_flags, IOMMUKIT_HWPT_ALLOC_NEST_PARENT, "NEST_PARENT"},
	Symbol{Role::hwpt_flags, IOMMUKIT_HWPT_ALLOC_DIRTY_TRACKING, "DIRTY_TRACKING"},
	Symbol{Role::hwpt_track_flags, IOMMUKIT_HWPT_DIRTY_TRACKING_ENABLE, "ENABLE"},
	Symbol{Role::hwpt_read_flags, IOMMUKIT_HWPT_GET_DIRTY_BITMAP_NO_CLEAR,
	       "NO_CLEAR"},
	Symbol{Role::ioas_track_flags, IOMMUKIT_IOAS_DIRTY_TRACKING_ENABLE, "ENABLE"},
	Symbol{Role::ioas_read_flags, IOMMUKIT_IOAS_GET_DIRTY_BITMAP_NO_CLEAR,
	       "NO_CLEAR"},
	Symbol{Role::device_flags, IOMMUKIT_DEVICE_ATTACH_REPLACE, "REPLACE"},
	Symbol{Role::mock_flags, IOMMUKIT_TEST_DEVICE_NO_DIRTY, "NO_DIRTY"},
	Symbol{Role::mock_flags, IOMMUKIT_TEST_DEVICE_HUGE_IOVA, "HUGE_IOVA"},
	Symbol{Role::mock_flags, IOMMUKIT_TEST_DEVICE_PASID, "PASID"},
};

constexpr std::array value_symbols = {
	Symbol{Role::dma_op, IOMMUKIT_DMA_OP_READ, "READ"},
	Symbol{Role::dma_op, IOMMUKIT_DMA_OP_WRITE, "WRITE"},
	Symbol{Role::dma_op, IOMMUKIT_DMA_OP_COPY, "COPY"},
	Symbol{Role::dma_op, IOMMUKIT_DMA_OP_FILL, "FILL"},
	Symbol{Role::dma_op, IOMMUKIT_DMA_OP_CRC32C, "CRC32C"},
	Symbol{Role::dma_op, IOMMUKIT_DMA_OP_SHA256, "SHA256"},
	Symbol{Role::option, IOMMUKIT_OPTION_RLIMIT_MODE, "RLIMIT_MODE"},
	Symbol{Role::option, IOMMUKIT_OPTION_HUGE_PAGES, "HUGE_PAGES"},
	Symbol{Role::option_op, IOMMUKIT_OPTION_OP_SET, "SET"},
	Symbol{Role::option_op, IOMMUKIT_OPTION_OP_GET, "GET"},
	Symbol{Role::test_op, IOMMUKIT_TEST_OP_MOCK_DOMAIN_FLAGS, "MOCK_DOMAIN_FLAGS"},
	Symbol{Role::test_op, IOMMUKIT_TEST_OP_MOCK_DOMAIN_REPLACE,
	       "MOCK_DOMAIN_REPLACE"},
};

} // namespace

const StructLayout &struct_layout(unsigned long request, const void *cmd)
{
	if (request == IOMMUKIT_TEST_CMD) {
		auto *test = static_cast<const iommukit_test_cmd *>(cmd);
		return test->op == IOMMUKIT_TEST_OP_MOCK_DOMAIN_REPLACE
			       ? mock_replace_layout
			       : mock_add_layout;
	}
	for (std::span<const StructLayout> list : {std::span<const StructLayout>(layouts),
						   iotlb_layouts(), ondemand_layouts()}) {
		auto it = std::ranges::find(list, request, &StructLayout::request);
		if (it != list.end())
			return *it;
	}
	throw std::logic_error("no layout for request " + iommukit::hex(request));
}

const Member *find_member(const StructLayout &layout, std::string_view name)
{
	auto it = std::ranges::find(layout.members, name, &Member::name);

	return it == layout.members.end() ? nullptr : &*it;
}

std::uint64_t member_value(const void *cmd, const Member &member)
{
	std::uint64_t value = 0;

	// Little endian, as every machine with an IOMMU that this runs on.
	std::memcpy(&value, static_cast<const char *>(cmd) + member.offset,
		    std::min(member.size, sizeof(value)));
	return value;
}

std::string_view member_string(const void *cmd, const Member &member)
{
	const char *text = static_cast<const char *>(cmd) + member.offset;

	return {text, ::strnlen(text, member.size)};
}

void set_member(void *cmd, const Member &member, std::uint64_t value)
{
	std::memcpy(static_cast<char *>(cmd) + member.offset, &value,
		    std::min(member.size, sizeof(value)));
}

std::string symbols(Role role, std::uint64_t value)
{
	std::string out;

	for (std::span<const Symbol> list :
	     {std::span<const Symbol>(value_symbols), iotlb_value_symbols(),
	      ondemand_value_symbols()})
		for (const auto &symbol : list)
			if (symbol.role == role && symbol.value == value)
				return std::string(symbol.name);
	for (std::span<const Symbol> list :
	     {std::span<const Symbol>(flag_symbols), iotlb_flag_symbols(),
	      ondemand_flag_symbols()})
		for (const auto &symbol : list)
			if (symbol.role == role && (value & symbol.value))
				out += (out.empty() ? "" : "|") +
				       std::string(symbol.name);
	return out;
}

} // namespace ctl

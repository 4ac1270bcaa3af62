// SPDX-License-Identifier: GPL-2.0-only
// Names as in the uAPI header, without the prefix that all of them share.
#include "command.h"

#include "../../kmod/test/iommukit_test_abi.h"

#include <algorithm>
#include <array>

namespace iommukit {

namespace {

struct CommandInfo {
	unsigned long request;
	std::string_view name;
};

constexpr std::array table = {
	CommandInfo{IOMMUKIT_DESTROY, "DESTROY"},
	CommandInfo{IOMMUKIT_IOAS_ALLOC, "IOAS_ALLOC"},
	CommandInfo{IOMMUKIT_IOAS_ALLOW_IOVAS, "IOAS_ALLOW_IOVAS"},
	CommandInfo{IOMMUKIT_IOAS_COPY, "IOAS_COPY"},
	CommandInfo{IOMMUKIT_IOAS_IOVA_RANGES, "IOAS_IOVA_RANGES"},
	CommandInfo{IOMMUKIT_IOAS_MAP, "IOAS_MAP"},
	CommandInfo{IOMMUKIT_IOAS_UNMAP, "IOAS_UNMAP"},
	CommandInfo{IOMMUKIT_OPTION, "OPTION"},
	CommandInfo{IOMMUKIT_VFIO_IOAS, "VFIO_IOAS"},
	CommandInfo{IOMMUKIT_HWPT_ALLOC, "HWPT_ALLOC"},
	CommandInfo{IOMMUKIT_GET_HW_INFO, "GET_HW_INFO"},
	CommandInfo{IOMMUKIT_HWPT_SET_DIRTY_TRACKING, "HWPT_SET_DIRTY_TRACKING"},
	CommandInfo{IOMMUKIT_HWPT_GET_DIRTY_BITMAP, "HWPT_GET_DIRTY_BITMAP"},
	CommandInfo{IOMMUKIT_IOAS_MAP_FILE, "IOAS_MAP_FILE"},
	CommandInfo{IOMMUKIT_TEST_CMD, "TEST_CMD"},
	CommandInfo{IOMMUKIT_INFO, "INFO"},
	CommandInfo{IOMMUKIT_IOAS_MAP_ONDEMAND, "IOAS_MAP_ONDEMAND"},
	CommandInfo{IOMMUKIT_IOAS_PREFETCH, "IOAS_PREFETCH"},
	CommandInfo{IOMMUKIT_ONDEMAND_QUERY, "ONDEMAND_QUERY"},
	CommandInfo{IOMMUKIT_DEVICE_BIND, "DEVICE_BIND"},
	CommandInfo{IOMMUKIT_DEVICE_ATTACH, "DEVICE_ATTACH"},
	CommandInfo{IOMMUKIT_DEVICE_DETACH, "DEVICE_DETACH"},
	CommandInfo{IOMMUKIT_IOAS_SET_DIRTY_TRACKING, "IOAS_SET_DIRTY_TRACKING"},
	CommandInfo{IOMMUKIT_IOAS_GET_DIRTY_BITMAP, "IOAS_GET_DIRTY_BITMAP"},
	CommandInfo{IOMMUKIT_IOTLB_ALLOC, "IOTLB_ALLOC"},
	CommandInfo{IOMMUKIT_IOTLB_SUBMIT, "IOTLB_SUBMIT"},
	CommandInfo{IOMMUKIT_IOTLB_QUERY, "IOTLB_QUERY"},
	CommandInfo{IOMMUKIT_IOTLB_STATS, "IOTLB_STATS"},
	CommandInfo{IOMMUKIT_IOTLB_SET, "IOTLB_SET"},
	CommandInfo{IOMMUKIT_IOTLB_CHANNEL_OPEN, "IOTLB_CHANNEL_OPEN"},
	CommandInfo{IOMMUKIT_IOTLB_GET_CAPS, "IOTLB_GET_CAPS"},
	CommandInfo{IOMMUKIT_IOTLB_CHAN_CONFIG, "IOTLB_CHAN_CONFIG"},
	CommandInfo{IOMMUKIT_IOTLB_CHAN_KICK, "IOTLB_CHAN_KICK"},
	CommandInfo{IOMMUKIT_IOTLB_CHAN_INFO, "IOTLB_CHAN_INFO"},
	CommandInfo{IOMMUKIT_DMA_BIND, "DMA_BIND"},
	CommandInfo{IOMMUKIT_DMA_UNBIND, "DMA_UNBIND"},
	CommandInfo{IOMMUKIT_DMA_ATTACH, "DMA_ATTACH"},
	CommandInfo{IOMMUKIT_DMA_REPLACE, "DMA_REPLACE"},
	CommandInfo{IOMMUKIT_DMA_DETACH, "DMA_DETACH"},
	CommandInfo{IOMMUKIT_DMA_TRANSFER, "DMA_TRANSFER"},
	CommandInfo{IOMMUKIT_DMA_START, "DMA_START"},
	CommandInfo{IOMMUKIT_DMA_STOP, "DMA_STOP"},
	CommandInfo{IOMMUKIT_DMA_STATUS, "DMA_STATUS"},
};

} // namespace

std::string_view command_name(unsigned long request) noexcept
{
	auto it = std::ranges::find(table, request, &CommandInfo::request);

	return it == table.end() ? std::string_view("command") : it->name;
}

} // namespace iommukit

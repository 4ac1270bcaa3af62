// SPDX-License-Identifier: GPL-2.0-only
// Commands as threads issue them: from their own stack, nothing around them.
#pragma once

#include "op.h"

#include "command.h"
#include "fd.h"

#include "../../kmod/test/iommukit_test_abi.h"

#include <linux/iommukit.h>

namespace fuzz {

// 0 or an errno.
int issue(int fd, unsigned long request, void *cmd);
// The id is one, or the descriptor of an access.
iommukit_test_cmd test_command(std::uint32_t op, int id);
iommukit_ioas_map map_command(std::uint32_t ioas, const unsigned char *from,
			      std::uint64_t number);
// Without a channel, and it forgets nothing.
iommukit_iotlb_alloc iotlb_command(std::uint32_t ioas);
iommukit_iotlb_msg element(std::uint8_t op, std::uint64_t iova, std::uint64_t length);
// An UPDATE with all permissions.
iommukit_iotlb_msg update_element(std::uint64_t iova, std::uint64_t length,
				  std::uint64_t target);
iommukit_iotlb_submit submit_command(std::uint32_t iotlb,
				     const std::vector<iommukit_iotlb_msg> &elements);
// These throw std::system_error if they fail.
std::uint32_t make_ioas(int fd);
std::uint32_t make_iotlb(int fd, iommukit_iotlb_alloc cmd);
iommukit::Fd make_access(int fd, std::uint32_t to);
unsigned char *map_pages(std::uint64_t number);
// Is none of the pages pinned?
bool unpinned(int fd, const unsigned char *from, std::uint64_t number);

} // namespace fuzz

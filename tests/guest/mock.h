// SPDX-License-Identifier: GPL-2.0-only
/* Mock devices of the test module, and the page tables (HWPT) that they use. */
#pragma once

#include "access.h"
#include "kit.h"

namespace guest {

constexpr std::uint64_t mock_page = page_size / 2;
constexpr std::uint64_t mock_huge = 512 * mock_page;
constexpr std::uint64_t aperture_first = IOMMUKIT_TEST_APERTURE_FIRST;
constexpr std::uint64_t aperture_last = IOMMUKIT_TEST_APERTURE_LAST;

constexpr std::uint32_t mock_no_dirty = IOMMUKIT_TEST_DEVICE_NO_DIRTY;
constexpr std::uint32_t mock_huge_pages = IOMMUKIT_TEST_DEVICE_HUGE_IOVA;
constexpr std::uint32_t hwpt_dirty = IOMMUKIT_HWPT_ALLOC_DIRTY_TRACKING;
constexpr std::uint32_t hwpt_parent = IOMMUKIT_HWPT_ALLOC_NEST_PARENT;

/* The ids of a mock device. It lives until it is destroyed, or its context. */
struct Mock {
	std::uint32_t stdev = 0;
	std::uint32_t hwpt = 0;
	std::uint32_t device = 0;
};

Errno try_mock(const Context &context, std::uint32_t pt, Mock *mock,
	       std::uint32_t flags = 0);
Mock make_mock(const Context &context, std::uint32_t pt, std::uint32_t flags = 0);
/* @pt gets the HWPT on success only. */
Errno try_mock_replace(const Context &context, const Mock &mock, std::uint32_t *pt);

Errno try_hwpt(const Context &context, std::uint32_t device, std::uint32_t pt,
	       std::uint32_t *hwpt, std::uint32_t flags = 0);
std::uint32_t make_hwpt(const Context &context, std::uint32_t device, std::uint32_t pt,
			std::uint32_t flags = 0);

/* Does the HWPT lead to the memory at @va? EINVAL says no. */
Errno check_map(const Context &context, std::uint32_t hwpt, std::uint64_t iova,
		std::uint64_t length, std::uint64_t va);

} // namespace guest

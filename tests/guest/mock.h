// SPDX-License-Identifier: GPL-2.0-only
/* Mock devices of the test module, and the page tables (HWPT) that they use. */
#pragma once

#include "bitmap.h"
#include "kit.h"

namespace guest {

constexpr std::uint64_t mock_page = page_size / 2;
constexpr std::uint64_t mock_huge = 512 * mock_page;
constexpr std::uint64_t aperture_first = IOMMUKIT_TEST_APERTURE_FIRST;
constexpr std::uint64_t aperture_last = IOMMUKIT_TEST_APERTURE_LAST;

constexpr std::uint32_t mock_no_dirty = IOMMUKIT_TEST_DEVICE_NO_DIRTY;
constexpr std::uint32_t mock_huge_pages = IOMMUKIT_TEST_DEVICE_HUGE_IOVA;
constexpr std::uint32_t mock_pasid = IOMMUKIT_TEST_DEVICE_PASID;
constexpr std::uint32_t mock_region = IOMMUKIT_TEST_DEVICE_REGION;
constexpr std::uint32_t mock_msi = IOMMUKIT_TEST_DEVICE_SW_MSI;
constexpr std::uint32_t mock_keeps = IOMMUKIT_TEST_DEVICE_KEEPS;
constexpr std::uint32_t mock_faults = IOMMUKIT_TEST_DEVICE_FAULTS;
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

/* What the mock devices of /dev/iommu cannot have. */
struct MockOptions {
	std::uint32_t flags = 0;
	/* The stdev of one whose group it joins. */
	std::uint32_t sibling = 0;
	/* Of mock_region or mock_msi. */
	std::uint64_t first = 0, last = 0;
};

Errno try_mock_create(const Context &context, std::uint32_t pt,
		      const MockOptions &options, Mock *mock);
Mock mock_create(const Context &context, std::uint32_t pt, const MockOptions &options);

struct MockStats {
	/* Groups of faults, by how they were answered. */
	std::uint32_t success, invalid;
	/* Of its group of devices. */
	std::uint32_t switches, attached, msi;
	/* Groups that ended in a failure, and that were not taken at all. */
	std::uint32_t failure, again;
};

MockStats mock_stats(const Context &context, const Mock &mock);

/* What devices of mock_faults ask for; the answers come later. */
using PageRequest = iommukit_test_page_fault;

constexpr std::uint32_t fault_read = IOMMUKIT_PGFAULT_PERM_READ;
constexpr std::uint32_t fault_write = IOMMUKIT_PGFAULT_PERM_WRITE;

/* One group, as often as it is told. */
Errno try_mock_report(const Context &context, const Mock &mock,
		      const std::vector<PageRequest> &requests, std::uint32_t times = 1,
		      std::uint32_t flags = 0);
/* Until no more than so many answers are missing; ETIME after a minute. */
Errno mock_await(const Context &context, const Mock &mock, std::uint32_t pending = 0);
/* Its driver lets go of it. */
Errno mock_detach(const Context &context, const Mock &mock);

/* What a device of mock_faults does when it finds nothing, or may not write. */
Errno try_mock_fault(const Context &context, const Mock &mock, std::uint64_t iova,
		     std::uint64_t length, bool write = false);

/* What a device does by itself, up to a page: ENOENT if it gets to nothing. */
Errno try_mock_read(const Context &context, const Mock &mock, std::uint64_t iova,
		    void *to, std::uint64_t length);
Errno try_mock_write(const Context &context, const Mock &mock, std::uint64_t iova,
		     const void *from, std::uint64_t length);

/* Devices do not leave what they are attached to when they shall, until its end. */
class Cling {
    public:
	explicit Cling(const Context &context);
	Cling(const Cling &) = delete;
	Cling &operator=(const Cling &) = delete;
	~Cling();

    private:
	Errno set(bool on) const;

	const Context &of;
};

/* IOMMUKIT_TEST_UNMAP_*, of the domains of all mock_faults until its end. */
class UnmapHow {
    public:
	UnmapHow(const Context &context, std::uint32_t how);
	UnmapHow(const UnmapHow &) = delete;
	UnmapHow &operator=(const UnmapHow &) = delete;
	~UnmapHow();

    private:
	Errno set(std::uint32_t how) const;

	const Context &of;
};

Errno try_hwpt(const Context &context, std::uint32_t device, std::uint32_t pt,
	       std::uint32_t *hwpt, std::uint32_t flags = 0);
std::uint32_t make_hwpt(const Context &context, std::uint32_t device, std::uint32_t pt,
			std::uint32_t flags = 0);
/* HWPT_ALLOC as it is given; a HWPT that comes of it is destroyed. */
Errno probe_hwpt(const Context &context, iommukit_hwpt_alloc &cmd);

/* Does the HWPT lead to the memory at @va? EINVAL says no. */
Errno check_map(const Context &context, std::uint32_t hwpt, std::uint64_t iova,
		std::uint64_t length, std::uint64_t va);

/* A valid HWPT_ALLOC; @fault is a queue, or 0. */
iommukit_hwpt_alloc nested_command(std::uint32_t device, std::uint32_t parent,
				   std::uint32_t fault = 0);
Errno try_nested(const Context &context, std::uint32_t device, std::uint32_t parent,
		 std::uint32_t *hwpt, std::uint32_t fault = 0);
std::uint32_t make_nested(const Context &context, std::uint32_t device,
			  std::uint32_t parent, std::uint32_t fault = 0);

using Invalidation = iommukit_test_invalidate;

/* @requests are to live as long as the command. */
iommukit_hwpt_invalidate invalidate_command(std::uint32_t hwpt,
					    const std::vector<Invalidation> &requests);
Errno invalidate(const Context &context, std::uint32_t hwpt,
		 const std::vector<Invalidation> &requests,
		 std::uint32_t *handled = nullptr);
/* Is this the entry of the HWPT's cache? EINVAL says no. */
Errno check_iotlb(const Context &context, std::uint32_t hwpt, std::uint32_t entry,
		  std::uint32_t value);

using Bits = std::vector<std::uint8_t>;

Errno set_dirty(const Context &context, std::uint32_t hwpt, bool on);
Errno get_dirty(const Context &context, std::uint32_t hwpt, const BitmapGeometry &range,
		std::uint64_t data, std::uint32_t flags = 0);
/* The bits of a read that must succeed. */
Bits dirty_bits(const Context &context, std::uint32_t hwpt, const BitmapGeometry &range,
		std::uint32_t flags = 0);
/* As if a device wrote: a bit for each mock_page of the range. */
Errno try_mark_dirty(const Context &context, std::uint32_t hwpt, const IovaRange &range,
		     const Bits &bits, std::uint64_t *marked = nullptr);
std::uint64_t mark_dirty(const Context &context, std::uint32_t hwpt,
			 const IovaRange &range, const Bits &bits);

/* @info gets the answer on success only. */
Errno hw_info(const Context &context, std::uint32_t device, void *data,
	      std::uint32_t length, iommukit_hw_info *info = nullptr);

struct FaultQueue {
	std::uint32_t id = 0;
	Fd fd;
};

using PageFault = iommukit_hwpt_pgfault;
using PageResponse = iommukit_hwpt_page_response;

constexpr std::uint32_t resp_success = IOMMUKIT_PAGE_RESP_SUCCESS;
constexpr std::uint32_t resp_invalid = IOMMUKIT_PAGE_RESP_INVALID;

Errno try_fault_queue(const Context &context, FaultQueue *queue);
FaultQueue make_fault_queue(const Context &context);

/* What read() and write() return, or -errno. */
long read_queue(const FaultQueue &queue, void *buffer, std::size_t bytes);
long write_queue(const FaultQueue &queue, const void *buffer, std::size_t bytes);
/* The groups that fit; the read must succeed. */
std::vector<PageFault> read_faults(const FaultQueue &queue, std::size_t most = 64);
long answer(const FaultQueue &queue, std::uint32_t cookie,
	    std::uint32_t code = resp_success);
/* POLLIN, POLLOUT, as poll() says at once. */
short poll_queue(const FaultQueue &queue);

/* A fault of a device, or a group of @count that begins with it. */
struct Trigger {
	std::uint32_t device;
	std::uint64_t addr = 0;
	std::uint32_t count = 0;
	std::uint32_t grpid = 0;
	std::uint32_t pasid = 0;
	std::uint32_t perm = IOMMUKIT_PGFAULT_PERM_READ;
};

Errno trigger_fault(const Context &context, const Trigger &trigger);

} // namespace guest

// SPDX-License-Identifier: GPL-2.0-only
#include "mock.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace guest {

Errno try_mock(const Context &context, std::uint32_t pt, Mock *mock, std::uint32_t flags)
{
	auto cmd = test_command(flags ? IOMMUKIT_TEST_OP_MOCK_DOMAIN_FLAGS
				      : IOMMUKIT_TEST_OP_MOCK_DOMAIN,
				pt);

	cmd.mock_domain.dev_flags = flags;
	const Errno error = test_call(context, cmd);

	if (error == ok)
		*mock = {cmd.mock_domain.out_stdev_id, cmd.mock_domain.out_hwpt_id,
			 cmd.mock_domain.out_idev_id};
	return error;
}

Mock make_mock(const Context &context, std::uint32_t pt, std::uint32_t flags)
{
	Mock mock;

	REQUIRE(try_mock(context, pt, &mock, flags) == ok);
	return mock;
}

Errno try_mock_replace(const Context &context, const Mock &mock, std::uint32_t *pt)
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_MOCK_DOMAIN_REPLACE, mock.stdev);

	cmd.mock_domain_replace.pt_id = *pt;
	const Errno error = test_call(context, cmd);

	*pt = cmd.mock_domain_replace.pt_id;
	return error;
}

Errno try_mock_create(const Context &context, std::uint32_t pt,
		      const MockOptions &options, Mock *mock)
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_MOCK_CREATE, pt);

	cmd.mock_create.dev_flags = options.flags;
	cmd.mock_create.sibling = options.sibling;
	cmd.mock_create.first = options.first;
	cmd.mock_create.last = options.last;
	const Errno error = test_call(context, cmd);

	if (error == ok)
		*mock = {cmd.mock_create.out_stdev_id, cmd.mock_create.out_hwpt_id,
			 cmd.mock_create.out_idev_id};
	return error;
}

Mock mock_create(const Context &context, std::uint32_t pt, const MockOptions &options)
{
	Mock mock;

	REQUIRE(try_mock_create(context, pt, options, &mock) == ok);
	return mock;
}

MockStats mock_stats(const Context &context, const Mock &mock)
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_MOCK_STATS, mock.stdev);

	REQUIRE(test_call(context, cmd) == ok);
	return {cmd.mock_stats.out_success,  cmd.mock_stats.out_invalid,
		cmd.mock_stats.out_switches, cmd.mock_stats.out_attached,
		cmd.mock_stats.out_msi,	     cmd.mock_stats.out_failure,
		cmd.mock_stats.out_again};
}

Errno try_mock_report(const Context &context, const Mock &mock,
		      const std::vector<PageRequest> &requests, std::uint32_t times,
		      std::uint32_t flags)
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_MOCK_REPORT, mock.stdev);

	cmd.mock_report.uptr = reinterpret_cast<std::uint64_t>(requests.data());
	cmd.mock_report.nr = static_cast<std::uint32_t>(requests.size());
	cmd.mock_report.times = times;
	cmd.mock_report.flags = flags;
	return test_call(context, cmd);
}

Errno mock_await(const Context &context, const Mock &mock, std::uint32_t pending)
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_MOCK_AWAIT, mock.stdev);

	cmd.mock_await.pending = pending;
	return test_call(context, cmd);
}

Errno mock_detach(const Context &context, const Mock &mock)
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_MOCK_DETACH, mock.stdev);

	return test_call(context, cmd);
}

Errno try_mock_fault(const Context &context, const Mock &mock, std::uint64_t iova,
		     std::uint64_t length, bool write)
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_MOCK_FAULT, mock.stdev);

	cmd.mock_fault.iova = iova;
	cmd.mock_fault.length = length;
	cmd.mock_fault.write = write;
	return test_call(context, cmd);
}

static Errno mock_rw(const Context &context, const Mock &mock, std::uint64_t iova,
		     const void *data, std::uint64_t length, bool write)
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_MOCK_RW, mock.stdev);

	cmd.mock_rw.iova = iova;
	cmd.mock_rw.length = length;
	cmd.mock_rw.uptr = reinterpret_cast<std::uint64_t>(data);
	cmd.mock_rw.write = write;
	return test_call(context, cmd);
}

Errno try_mock_read(const Context &context, const Mock &mock, std::uint64_t iova,
		    void *to, std::uint64_t length)
{
	return mock_rw(context, mock, iova, to, length, false);
}

Errno try_mock_write(const Context &context, const Mock &mock, std::uint64_t iova,
		     const void *from, std::uint64_t length)
{
	return mock_rw(context, mock, iova, from, length, true);
}

Cling::Cling(const Context &context) : of(context)
{
	REQUIRE(set(true) == ok);
}

Cling::~Cling()
{
	CHECK(set(false) == ok);
}

Errno Cling::set(bool on) const
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_MOCK_CLING);

	cmd.mock_cling.on = on;
	return test_call(of, cmd);
}

UnmapHow::UnmapHow(const Context &context, std::uint32_t how) : of(context)
{
	REQUIRE(set(how) == ok);
}

UnmapHow::~UnmapHow()
{
	CHECK(set(IOMMUKIT_TEST_UNMAP_AS_ASKED) == ok);
}

Errno UnmapHow::set(std::uint32_t how) const
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_MOCK_UNMAP_HOW);

	cmd.mock_unmap_how.how = how;
	return test_call(of, cmd);
}

Errno try_hwpt(const Context &context, std::uint32_t device, std::uint32_t pt,
	       std::uint32_t *hwpt, std::uint32_t flags)
{
	auto cmd = command<iommukit_hwpt_alloc>();

	cmd.flags = flags;
	cmd.dev_id = device;
	cmd.pt_id = pt;
	const Errno error = call(context.fd(), IOMMUKIT_HWPT_ALLOC, &cmd);

	if (error == ok)
		*hwpt = cmd.out_hwpt_id;
	return error;
}

std::uint32_t make_hwpt(const Context &context, std::uint32_t device, std::uint32_t pt,
			std::uint32_t flags)
{
	std::uint32_t hwpt = 0;

	REQUIRE(try_hwpt(context, device, pt, &hwpt, flags) == ok);
	return hwpt;
}

Errno probe_hwpt(const Context &context, iommukit_hwpt_alloc &cmd)
{
	const Errno error = call(context.fd(), IOMMUKIT_HWPT_ALLOC, &cmd);

	if (error == ok)
		context.destroy(cmd.out_hwpt_id);
	return error;
}

Errno check_map(const Context &context, std::uint32_t hwpt, std::uint64_t iova,
		std::uint64_t length, std::uint64_t va)
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_MD_CHECK_MAP, hwpt);

	cmd.check_map.iova = iova;
	cmd.check_map.length = length;
	cmd.check_map.uptr = va;
	return test_call(context, cmd);
}

iommukit_hwpt_alloc nested_command(std::uint32_t device, std::uint32_t parent,
				   std::uint32_t fault)
{
	static const iommukit_test_hwpt data{IOMMUKIT_TEST_IOTLB_DEFAULT};
	auto cmd = command<iommukit_hwpt_alloc>();

	cmd.flags = fault ? IOMMUKIT_HWPT_FAULT_ID_VALID : 0;
	cmd.dev_id = device;
	cmd.pt_id = parent;
	cmd.data_type = IOMMUKIT_TEST_HWPT_DATA_TYPE;
	cmd.data_len = sizeof(data);
	cmd.data_uptr = reinterpret_cast<std::uint64_t>(&data);
	cmd.fault_id = fault;
	return cmd;
}

Errno try_nested(const Context &context, std::uint32_t device, std::uint32_t parent,
		 std::uint32_t *hwpt, std::uint32_t fault)
{
	auto cmd = nested_command(device, parent, fault);
	const Errno error = call(context.fd(), IOMMUKIT_HWPT_ALLOC, &cmd);

	if (error == ok)
		*hwpt = cmd.out_hwpt_id;
	return error;
}

std::uint32_t make_nested(const Context &context, std::uint32_t device,
			  std::uint32_t parent, std::uint32_t fault)
{
	std::uint32_t hwpt = 0;

	REQUIRE(try_nested(context, device, parent, &hwpt, fault) == ok);
	return hwpt;
}

iommukit_hwpt_invalidate invalidate_command(std::uint32_t hwpt,
					    const std::vector<Invalidation> &requests)
{
	auto cmd = command<iommukit_hwpt_invalidate>();

	cmd.hwpt_id = hwpt;
	cmd.data_uptr = reinterpret_cast<std::uint64_t>(requests.data());
	cmd.data_type = IOMMUKIT_TEST_INVALIDATE_TYPE;
	cmd.entry_len = sizeof(Invalidation);
	cmd.entry_num = static_cast<std::uint32_t>(requests.size());
	return cmd;
}

Errno invalidate(const Context &context, std::uint32_t hwpt,
		 const std::vector<Invalidation> &requests, std::uint32_t *handled)
{
	auto cmd = invalidate_command(hwpt, requests);
	const Errno error = call(context.fd(), IOMMUKIT_HWPT_INVALIDATE, &cmd);

	if (handled)
		*handled = cmd.entry_num;
	return error;
}

Errno check_iotlb(const Context &context, std::uint32_t hwpt, std::uint32_t entry,
		  std::uint32_t value)
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_MD_CHECK_IOTLB, hwpt);

	cmd.check_iotlb.id = entry;
	cmd.check_iotlb.iotlb = value;
	return test_call(context, cmd);
}

Errno set_dirty(const Context &context, std::uint32_t hwpt, bool on)
{
	auto cmd = command<iommukit_hwpt_set_dirty_tracking>();

	cmd.flags = on ? IOMMUKIT_HWPT_DIRTY_TRACKING_ENABLE : 0;
	cmd.hwpt_id = hwpt;
	return call(context.fd(), IOMMUKIT_HWPT_SET_DIRTY_TRACKING, &cmd);
}

Errno get_dirty(const Context &context, std::uint32_t hwpt, const BitmapGeometry &range,
		std::uint64_t data, std::uint32_t flags)
{
	auto cmd = command<iommukit_hwpt_get_dirty_bitmap>();

	cmd.hwpt_id = hwpt;
	cmd.flags = flags;
	cmd.iova = range.iova;
	cmd.length = range.length;
	cmd.page_size = range.page_size;
	cmd.data = data;
	return call(context.fd(), IOMMUKIT_HWPT_GET_DIRTY_BITMAP, &cmd);
}

Bits dirty_bits(const Context &context, std::uint32_t hwpt, const BitmapGeometry &range,
		std::uint32_t flags)
{
	Bits bits(range.nbytes());

	REQUIRE(get_dirty(context, hwpt, range,
			  reinterpret_cast<std::uint64_t>(bits.data()), flags) == ok);
	return bits;
}

Errno try_mark_dirty(const Context &context, std::uint32_t hwpt, const IovaRange &range,
		     const Bits &bits, std::uint64_t *marked)
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_DIRTY, hwpt);

	cmd.dirty.iova = range.iova;
	cmd.dirty.length = range.length;
	cmd.dirty.page_size = mock_page;
	cmd.dirty.uptr = reinterpret_cast<std::uint64_t>(bits.data());
	const Errno error = test_call(context, cmd);

	if (marked)
		*marked = cmd.dirty.out_nr_dirty;
	return error;
}

std::uint64_t mark_dirty(const Context &context, std::uint32_t hwpt,
			 const IovaRange &range, const Bits &bits)
{
	std::uint64_t marked = 0;

	REQUIRE(bits.size() * 8 >= range.length / mock_page);
	REQUIRE(try_mark_dirty(context, hwpt, range, bits, &marked) == ok);
	return marked;
}

Errno hw_info(const Context &context, std::uint32_t device, void *data,
	      std::uint32_t length, iommukit_hw_info *info)
{
	auto cmd = command<iommukit_hw_info>();

	cmd.dev_id = device;
	cmd.data_len = length;
	cmd.data_uptr = reinterpret_cast<std::uint64_t>(data);
	const Errno error = call(context.fd(), IOMMUKIT_GET_HW_INFO, &cmd);

	if (error == ok && info)
		*info = cmd;
	return error;
}

Errno try_fault_queue(const Context &context, FaultQueue *queue)
{
	auto cmd = command<iommukit_fault_alloc>();
	const Errno error = call(context.fd(), IOMMUKIT_FAULT_QUEUE_ALLOC, &cmd);

	if (error == ok) {
		queue->id = cmd.out_fault_id;
		queue->fd.reset(static_cast<int>(cmd.out_fault_fd));
	}
	return error;
}

FaultQueue make_fault_queue(const Context &context)
{
	FaultQueue queue;

	REQUIRE(try_fault_queue(context, &queue) == ok);
	return queue;
}

long read_queue(const FaultQueue &queue, void *buffer, std::size_t bytes)
{
	const ssize_t got = read(queue.fd.get(), buffer, bytes);

	return got < 0 ? -errno : got;
}

long write_queue(const FaultQueue &queue, const void *buffer, std::size_t bytes)
{
	const ssize_t done = write(queue.fd.get(), buffer, bytes);

	return done < 0 ? -errno : done;
}

std::vector<PageFault> read_faults(const FaultQueue &queue, std::size_t most)
{
	std::vector<PageFault> faults(most);
	const long bytes = read_queue(queue, faults.data(), most * sizeof(PageFault));

	REQUIRE(bytes >= 0);
	REQUIRE(bytes % long(sizeof(PageFault)) == 0);
	faults.resize(static_cast<std::size_t>(bytes) / sizeof(PageFault));
	return faults;
}

long answer(const FaultQueue &queue, std::uint32_t cookie, std::uint32_t code)
{
	const PageResponse response{cookie, code};

	return write_queue(queue, &response, sizeof(response));
}

short poll_queue(const FaultQueue &queue)
{
	pollfd wait{.fd = queue.fd.get(), .events = POLLIN | POLLOUT, .revents = 0};

	REQUIRE(poll(&wait, 1, 0) >= 0);
	return wait.revents;
}

Errno trigger_fault(const Context &context, const Trigger &trigger)
{
	auto cmd = test_command(trigger.count ? IOMMUKIT_TEST_OP_MOCK_FAULTS
					      : IOMMUKIT_TEST_OP_TRIGGER_IOPF);

	cmd.trigger_iopf.dev_id = trigger.device;
	cmd.trigger_iopf.pasid = trigger.pasid;
	cmd.trigger_iopf.grpid = trigger.grpid;
	cmd.trigger_iopf.perm = trigger.perm;
	cmd.trigger_iopf.addr = trigger.addr;
	cmd.trigger_iopf.count = trigger.count;
	return test_call(context, cmd);
}

} // namespace guest

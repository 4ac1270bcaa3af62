// SPDX-License-Identifier: GPL-2.0-only
#include "queue_world.h"

namespace guest {

Numbers groups(const std::vector<PageFault> &faults)
{
	Numbers numbers;

	for (const PageFault &fault : faults)
		if (fault.flags & last_page)
			numbers.push_back(fault.grpid);
	return numbers;
}

Numbers cookies(const std::vector<PageFault> &faults)
{
	Numbers numbers;

	for (const PageFault &fault : faults)
		if (fault.flags & last_page)
			numbers.push_back(fault.cookie);
	return numbers;
}

QueueWorld::QueueWorld()
	: ioas(context.ioas()), queue(make_fault_queue(context)),
	  mock(make_mock(context, ioas)),
	  parent(make_hwpt(context, mock.device, ioas, hwpt_parent)),
	  nested(make_nested(context, mock.device, parent, queue.id))
{
	replace(mock, nested);
}

void QueueWorld::replace(const Mock &which, std::uint32_t to) const
{
	REQUIRE(try_mock_replace(context, which, &to) == ok);
}

void QueueWorld::fault(const Mock &which, std::uint32_t grpid, std::uint32_t count) const
{
	REQUIRE(trigger_fault(context, {.device = which.device,
					.addr = fault_iova,
					.count = count,
					.grpid = grpid}) == ok);
}

bool QueueWorld::answered(std::uint32_t success, std::uint32_t invalid) const
{
	const MockStats stats = mock_stats(context, mock);

	return stats.success == success && stats.invalid == invalid;
}

} // namespace guest

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault queues, and the devices whose faults they have: who answers when one of them
 * goes, and who keeps whom alive.
 */
#include "queue_world.h"
#include "threads.h"

#include <fcntl.h>
#include <poll.h>

#include <atomic>

using namespace guest;

namespace {

using World = QueueWorld;

/* Two groups of a device, one of them read. Returns the cookie. */
std::uint32_t leave_two(const World &world, const Mock &mock)
{
	world.fault(mock, 1, 2);
	const auto faults = read_faults(world.queue);

	REQUIRE(faults.size() == 2);
	world.fault(mock, 2);
	return faults[0].cookie;
}

/* Neither can be read nor answered any more. */
void check_void(const World &world, std::uint32_t cookie)
{
	CHECK(poll_queue(world.queue) == POLLOUT);
	CHECK(read_faults(world.queue).empty());
	CHECK(answer(world.queue, cookie) == -EINVAL);
}

} // namespace

TEST_CASE("the kernel answers when a device is moved")
{
	const World world;
	const FaultQueue other = make_fault_queue(world.context);
	const std::uint32_t targets[] = {
		make_nested(world.context, world.mock.device, world.parent),
		make_nested(world.context, world.mock.device, world.parent, other.id),
		make_nested(world.context, world.mock.device, world.parent,
			    world.queue.id),
		world.parent,
		world.ioas,
	};
	std::uint32_t invalid = 0;

	for (const std::uint32_t target : targets) {
		const std::uint32_t cookie = leave_two(world, world.mock);

		INFO("target " << target);
		CHECK(world.answered(0, invalid));
		world.replace(world.mock, target);
		invalid += 2;
		CHECK(world.answered(0, invalid));
		check_void(world, cookie);
		CHECK(read_faults(other).empty());
		world.replace(world.mock, world.nested);
		CHECK(world.answered(0, invalid));
	}
}

TEST_CASE("a replace that changes nothing or fails answers nothing")
{
	const World world;
	const std::uint32_t cookie = leave_two(world, world.mock);
	std::uint32_t pt = world.mock.device;

	world.replace(world.mock, world.nested);
	CHECK(try_mock_replace(world.context, world.mock, &pt) == Errno{EINVAL});
	pt = 0;
	CHECK(try_mock_replace(world.context, world.mock, &pt) == Errno{ENOENT});
	CHECK(world.answered(0, 0));
	CHECK(groups(read_faults(world.queue)) == Numbers{2});
	CHECK(answer(world.queue, cookie) == 8);
	CHECK(answer(world.queue, cookie + 1) == 8);
	CHECK(world.answered(2, 0));
}

TEST_CASE("a device that is destroyed takes its faults away, but no others")
{
	const World world;
	const Mock other = make_mock(world.context, world.nested);
	const std::uint32_t void_cookie = leave_two(world, other);

	/* Of both, in turns. */
	world.fault(3);
	world.fault(other, 4);
	world.fault(5, 2);
	world.context.destroy(other.stdev);
	CHECK(answer(world.queue, void_cookie) == -EINVAL);
	const auto faults = read_faults(world.queue);
	CHECK(groups(faults) == Numbers{3, 5});
	CHECK(cookies(faults) == Numbers{1, 2});
	CHECK(answer(world.queue, 1) == 8);
	CHECK(answer(world.queue, 2) == 8);
	CHECK(world.answered(2, 0));
}

TEST_CASE("messages name the device that faults")
{
	const World world;
	const Mock alone = make_mock(world.context, world.nested);
	const Mock sibling =
		mock_create(world.context, world.nested, {.sibling = world.mock.stdev});

	for (const Mock &mock : {world.mock, alone, sibling, world.mock}) {
		world.fault(mock, 1, 2);
		const auto faults = read_faults(world.queue);

		REQUIRE(faults.size() == 2);
		CHECK(faults[0].dev_id == mock.device);
		CHECK(faults[1].dev_id == mock.device);
		CHECK(answer(world.queue, faults[0].cookie) == 8);
		CHECK(mock_stats(world.context, mock).invalid == 0);
	}
	CHECK(world.answered(2, 0));
	CHECK(mock_stats(world.context, alone).success == 1);
	CHECK(mock_stats(world.context, sibling).success == 1);
}

TEST_CASE("of a group of devices, the one that attached first leaves first")
{
	const World world;
	const Mock sibling =
		mock_create(world.context, world.nested, {.sibling = world.mock.stdev});
	const std::uint32_t void_cookie = leave_two(world, world.mock);

	world.fault(sibling, 3);
	world.context.destroy(world.mock.stdev);
	CHECK(answer(world.queue, void_cookie) == -EINVAL);
	CHECK(groups(read_faults(world.queue)) == Numbers{3});
	world.fault(sibling, 4);
	const auto faults = read_faults(world.queue);
	REQUIRE(faults.size() == 1);
	CHECK(faults[0].dev_id == sibling.device);
	CHECK(answer(world.queue, 1) == 8);
	CHECK(answer(world.queue, 2) == 8);
	CHECK(mock_stats(world.context, sibling).success == 2);
}

TEST_CASE("a group of devices is moved with the faults of all")
{
	const World world;
	const Mock sibling =
		mock_create(world.context, world.nested, {.sibling = world.mock.stdev});
	const std::uint32_t one = leave_two(world, world.mock);

	world.fault(sibling, 3);
	world.fault(sibling, 4, 3);
	world.replace(sibling, world.parent);
	check_void(world, one);
	CHECK(world.answered(0, 2));
	CHECK(mock_stats(world.context, sibling).invalid == 2);
	world.fault(5);
	CHECK(read_faults(world.queue).empty());
	CHECK(world.answered(0, 3));
	world.replace(world.mock, world.nested);
	world.fault(sibling, 6);
	CHECK(groups(read_faults(world.queue)) == Numbers{6});
}

TEST_CASE("without a queue the answer comes from the kernel")
{
	const World world;
	const std::uint32_t plain =
		make_nested(world.context, world.mock.device, world.parent);
	std::uint32_t invalid = 0;

	for (const std::uint32_t target : {plain, world.parent, world.ioas}) {
		world.replace(world.mock, target);
		world.fault(1);
		world.fault(2, 4);
		CHECK(trigger_fault(world.context,
				    {.device = world.mock.device, .pasid = 3}) == ok);
		invalid += 3;
		CHECK(world.answered(0, invalid));
		CHECK(read_faults(world.queue).empty());
	}
}

TEST_CASE("two HWPTs with one queue, and two queues")
{
	const World world;
	const FaultQueue queue = make_fault_queue(world.context);
	const Mock one =
		make_mock(world.context, make_nested(world.context, world.mock.device,
						     world.parent, world.queue.id));
	const Mock two =
		make_mock(world.context, make_nested(world.context, world.mock.device,
						     world.parent, queue.id));

	world.fault(world.mock, 1);
	world.fault(two, 2);
	world.fault(one, 3);
	const auto faults = read_faults(world.queue);
	CHECK(groups(faults) == Numbers{1, 3});
	CHECK(cookies(faults) == Numbers{1, 2});
	/* Each has cookies of its own. */
	CHECK(answer(queue, 1) == -EINVAL);
	CHECK(cookies(read_faults(queue)) == Numbers{1});
	CHECK(answer(queue, 1, resp_invalid) == 8);
	CHECK(answer(world.queue, 2) == 8);
	CHECK(world.answered(0, 0));
	CHECK(mock_stats(world.context, one).success == 1);
	CHECK(mock_stats(world.context, two).invalid == 1);
}

TEST_CASE("what keeps a queue's id")
{
	World world;
	const std::uint32_t plain =
		make_nested(world.context, world.mock.device, world.parent);

	CHECK(world.context.try_destroy(world.queue.id) == Errno{EBUSY});
	Fd copy(fcntl(world.queue.fd.get(), F_DUPFD_CLOEXEC, 0));
	REQUIRE(copy);
	world.replace(world.mock, plain);
	world.context.destroy(world.nested);
	CHECK(world.context.try_destroy(world.queue.id) == Errno{EBUSY});
	world.queue.fd.reset();
	CHECK(world.context.try_destroy(world.queue.id) == Errno{EBUSY});
	copy.reset();
	CHECK(world.context.try_destroy(world.queue.id) == ok);
	CHECK(world.context.try_destroy(world.queue.id) == Errno{ENOENT});
}

TEST_CASE("a queue without descriptor stays until its HWPTs go")
{
	World world;

	world.fault(1);
	read_faults(world.queue);
	world.fault(2);
	world.queue.fd.reset();
	CHECK(world.context.try_destroy(world.queue.id) == Errno{EBUSY});
	/* Nobody reads them, but the device waits for an answer. */
	world.fault(3);
	CHECK(world.answered(0, 0));
	/* The id is good as before. */
	const std::uint32_t more = make_nested(world.context, world.mock.device,
					       world.parent, world.queue.id);
	world.replace(world.mock, world.parent);
	CHECK(world.answered(0, 3));
	world.context.destroy(world.nested);
	CHECK(world.context.try_destroy(world.queue.id) == Errno{EBUSY});
	world.context.destroy(more);
	CHECK(world.context.try_destroy(world.queue.id) == ok);
}

TEST_CASE("a queue that nobody uses")
{
	const NothingLeft nothing_left;
	const Context context;
	FaultQueue queue = make_fault_queue(context);

	CHECK(read_faults(queue).empty());
	CHECK(poll_queue(queue) == POLLOUT);
	CHECK(answer(queue, 1) == -EINVAL);
	CHECK(context.try_destroy(queue.id) == Errno{EBUSY});
	queue.fd.reset();
	CHECK(context.try_destroy(queue.id) == ok);
}

TEST_CASE("an open queue keeps its context")
{
	const NothingLeft nothing_left;
	const Context observer;
	const Memory memory(4 * page_size);
	FaultQueue queue;
	{
		World world;

		memory.fill(1);
		world.context.map(world.ioas, memory, aperture_first);
		world.fault(1, 2);
		world.fault(2);
		queue = std::move(world.queue);
		world.context.close();
		CHECK(check_refs(observer, memory, 1) == ok);
		const auto faults = read_faults(queue, 2);
		CHECK(groups(faults) == Numbers{1});
		CHECK(faults[0].dev_id == world.mock.device);
		CHECK(answer(queue, 1) == 8);
		CHECK(poll_queue(queue) == (POLLIN | POLLOUT));
		queue.fd.reset();
		CHECK(wait_until([&] { return check_refs(observer, memory, 0) == ok; }));
	}
}

TEST_CASE("faults, readers and answers while the device is moved")
{
	const unsigned int rounds = 3000 / slowness();
	const World world;
	const std::uint32_t other = make_nested(world.context, world.mock.device,
						world.parent, world.queue.id);
	Verdict verdict;
	Threads threads;
	std::atomic<bool> done = false;

	threads.start(1, [&](std::size_t, auto &random) {
		for (unsigned int i = 0; i < rounds; i++)
			verdict.expect(
				"fault",
				trigger_fault(world.context,
					      {.device = world.mock.device,
					       .addr = fault_iova,
					       .count = std::uint32_t(1 + random() % 8)}),
				{0});
		done = true;
	});
	threads.start(2, [&](std::size_t, auto &) {
		PageFault faults[16];

		while (!done) {
			const long bytes =
				read_queue(world.queue, faults, sizeof(faults));

			verdict.expect("read",
				       bytes >= 0 && bytes % long(fault_bytes) == 0);
			for (long i = 0; i < bytes / long(fault_bytes); i++) {
				if (!(faults[i].flags & last_page))
					continue;
				/* It may be void, or another reader's by now. */
				const long result = answer(world.queue, faults[i].cookie);

				verdict.expect("answer",
					       result == 8 || result == -EINVAL);
				verdict.hit();
			}
		}
	});
	threads.start(1, [&](std::size_t, auto &random) {
		const std::uint32_t targets[] = {other, world.nested, world.parent,
						 world.ioas};

		while (!done) {
			std::uint32_t pt = targets[random() % 4];

			verdict.expect("replace",
				       try_mock_replace(world.context, world.mock, &pt),
				       {0});
			std::this_thread::yield();
		}
	});
	threads.join();
	verdict.check();
	world.replace(world.mock, world.ioas);
	const MockStats stats = mock_stats(world.context, world.mock);
	CHECK(stats.success + stats.invalid == rounds);
	CHECK(read_faults(world.queue).empty());
}

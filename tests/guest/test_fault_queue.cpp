// SPDX-License-Identifier: GPL-2.0-only
/* Fault queues: their descriptor, and how groups of faults are read and answered. */
#include "queue_world.h"
#include "threads.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>

using namespace guest;

namespace {

using World = QueueWorld;

/* The lowest number that no descriptor has. */
int next_fd()
{
	const Fd fd(dup(0));

	REQUIRE(fd);
	return fd.get();
}

} // namespace

TEST_CASE("FAULT_QUEUE_ALLOC")
{
	const Context context;
	const FaultQueue queue = make_fault_queue(context);
	const int fd = queue.fd.get();
	auto cmd = command<iommukit_fault_alloc>();

	CHECK(queue.id != 0);
	CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	CHECK((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR);
	CHECK(std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd)) ==
	      "anon_inode:[iommukit-pgfault]");
	for (const std::uint32_t flags : {1U, 1U << 31}) {
		cmd.flags = flags;
		CHECK(call(context.fd(), IOMMUKIT_FAULT_QUEUE_ALLOC, &cmd) ==
		      Errno{EOPNOTSUPP});
	}
	CHECK(make_fault_queue(context).id != queue.id);
	CHECK(call(fd, IOMMUKIT_IOAS_ALLOC, &cmd) == Errno{ENOTTY});
}

TEST_CASE("FAULT_QUEUE_ALLOC that fails leaves neither an id nor a descriptor")
{
	const NothingLeft nothing_left;
	const Context context;
	const int fd = next_fd();
	const std::uint32_t id = context.ioas();
	FaultQueue queue;

	context.destroy(id);
	SECTION("the answer cannot be written")
	{
		const PageAndHole page;
		auto *at = static_cast<iommukit_fault_alloc *>(
			page.tail(sizeof(iommukit_fault_alloc)));

		*at = command<iommukit_fault_alloc>();
		page.write_protect();
		CHECK(call(context.fd(), IOMMUKIT_FAULT_QUEUE_ALLOC, at) ==
		      Errno{EFAULT});
	}
	SECTION("there is no descriptor left")
	{
		rlimit limit;
		REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
		const rlimit none{static_cast<rlim_t>(fd), limit.rlim_max};

		REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
		const Errno error = try_fault_queue(context, &queue);
		REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
		CHECK(error == Errno{EMFILE});
	}
	CHECK(next_fd() == fd);
	CHECK(context.ioas() == id);
}

TEST_CASE("a fault, and an answer")
{
	const World world;

	CHECK(trigger_fault(world.context, {.device = world.mock.stdev}) ==
	      Errno{ENOENT});
	CHECK(trigger_fault(world.context, {.device = 0}) == Errno{ENOENT});
	REQUIRE(trigger_fault(world.context, {.device = world.mock.device,
					      .addr = 0xdeadbeaf,
					      .grpid = 2,
					      .pasid = 1,
					      .perm = IOMMUKIT_PGFAULT_PERM_READ |
						      IOMMUKIT_PGFAULT_PERM_WRITE}) ==
		ok);
	const auto faults = read_faults(world.queue);

	REQUIRE(faults.size() == 1);
	const PageFault &fault = faults[0];
	CHECK(fault.flags == (pasid_valid | last_page));
	CHECK(fault.dev_id == world.mock.device);
	CHECK(fault.pasid == 1);
	CHECK(fault.grpid == 2);
	CHECK(fault.perm == 3);
	CHECK(fault.__reserved == 0);
	CHECK(fault.addr == 0xdeadbeaf);
	CHECK(fault.length == 0);
	CHECK(fault.cookie == 1);
	CHECK(read_faults(world.queue).empty());
	CHECK(world.answered(0, 0));
	CHECK(answer(world.queue, 1) == sizeof(PageResponse));
	CHECK(world.answered(1, 0));
	CHECK(answer(world.queue, 1) == -EINVAL);
	CHECK(world.answered(1, 0));
}

TEST_CASE("permissions, and no PASID")
{
	const World world;

	for (const std::uint32_t perm : {1, 2, 4, 8, 15}) {
		REQUIRE(trigger_fault(world.context, {.device = world.mock.device,
						      .addr = all_ones - 4095,
						      .grpid = 511,
						      .perm = perm}) == ok);
		const auto faults = read_faults(world.queue);

		REQUIRE(faults.size() == 1);
		CHECK(faults[0].flags == last_page);
		CHECK(faults[0].pasid == 0);
		CHECK(faults[0].grpid == 511);
		CHECK(faults[0].perm == perm);
		CHECK(faults[0].addr == all_ones - 4095);
		CHECK(answer(world.queue, faults[0].cookie, resp_invalid) == 8);
	}
	CHECK(world.answered(0, 5));
}

TEST_CASE("a group of several faults has one cookie and one answer")
{
	const World world;

	for (const std::uint32_t count : {8, 2, 1}) {
		world.fault(7, count);
		const auto faults = read_faults(world.queue);

		REQUIRE(faults.size() == count);
		for (std::uint32_t i = 0; i < count; i++) {
			CHECK(faults[i].flags == (i + 1 == count ? last_page : 0));
			CHECK(faults[i].addr == fault_iova + i * page_size);
			CHECK(faults[i].grpid == 7);
			CHECK(faults[i].dev_id == world.mock.device);
			CHECK(faults[i].cookie == 1);
		}
		CHECK(answer(world.queue, 1) == sizeof(PageResponse));
	}
	CHECK(world.answered(3, 0));
}

TEST_CASE("reads give whole groups, the oldest first")
{
	const World world;
	std::array<PageFault, 16> buffer;

	world.fault(1, 3);
	world.fault(2);
	world.fault(3, 2);
	for (const std::size_t room : {0, 1, 2})
		CHECK(read_queue(world.queue, buffer.data(), room * fault_bytes) ==
		      -EINVAL);
	CHECK(groups(read_faults(world.queue, 3)) == Numbers{1});
	/* The third does not fit, though there is room. */
	CHECK(groups(read_faults(world.queue, 2)) == Numbers{2});
	CHECK(read_queue(world.queue, buffer.data(), fault_bytes) == -EINVAL);
	world.fault(4);
	CHECK(groups(read_faults(world.queue)) == Numbers{3, 4});
	CHECK(read_queue(world.queue, buffer.data(), sizeof(buffer)) == 0);
	CHECK(read_queue(world.queue, buffer.data(), 0) == 0);
}

TEST_CASE("what a read refuses")
{
	const World world;
	std::array<std::byte, 4 * fault_bytes> buffer;
	const int fd = world.queue.fd.get();

	for (const bool full : {false, true}) {
		if (full)
			world.fault(1);
		for (const std::size_t bytes :
		     {1UL, fault_bytes - 1, fault_bytes + 1, 2 * fault_bytes + 8})
			CHECK(read_queue(world.queue, buffer.data(), bytes) == -ESPIPE);
		CHECK(lseek(fd, 0, SEEK_SET) == -1);
		CHECK(errno == ESPIPE);
		CHECK(pread(fd, buffer.data(), fault_bytes, fault_bytes) == -1);
		CHECK(errno == ESPIPE);
	}
	CHECK(groups(read_faults(world.queue)) == Numbers{1});
	const PageResponse response{1, resp_success};
	CHECK(pwrite(fd, &response, sizeof(response), sizeof(response)) == -1);
	CHECK(errno == ESPIPE);
	CHECK(answer(world.queue, 1) == sizeof(response));
}

TEST_CASE("a group that cannot be copied stays the first of the queue")
{
	const World world;
	const PageAndHole page;

	world.fault(1);
	world.fault(2, 2);
	world.fault(3);
	/* Nothing, the first only, and the first with half of the second. */
	CHECK(read_queue(world.queue, bad_pointer(), 8 * fault_bytes) == -EFAULT);
	CHECK(read_queue(world.queue, page.tail(fault_bytes / 2), 8 * fault_bytes) ==
	      -EFAULT);
	CHECK(read_queue(world.queue, page.tail(2 * fault_bytes), 8 * fault_bytes) ==
	      fault_bytes);
	CHECK(read_queue(world.queue, page.tail(fault_bytes), 2 * fault_bytes) ==
	      -EFAULT);
	CHECK((poll_queue(world.queue) & POLLIN) != 0);
	/* Nor did it take a cookie. */
	const auto faults = read_faults(world.queue);
	CHECK(groups(faults) == Numbers{2, 3});
	CHECK(cookies(faults) == Numbers{2, 3});
	for (const std::uint32_t cookie : {3, 1, 2})
		CHECK(answer(world.queue, cookie) == sizeof(PageResponse));
	CHECK(world.answered(3, 0));
}

TEST_CASE("cookies are the lowest free numbers")
{
	const World world;

	for (std::uint32_t i = 0; i < 5; i++)
		world.fault(i);
	CHECK(cookies(read_faults(world.queue, 2)) == Numbers{1, 2});
	CHECK(cookies(read_faults(world.queue)) == Numbers{3, 4, 5});
	CHECK(answer(world.queue, 4) == sizeof(PageResponse));
	CHECK(answer(world.queue, 2, resp_invalid) == sizeof(PageResponse));
	for (std::uint32_t i = 5; i < 8; i++)
		world.fault(i);
	CHECK(cookies(read_faults(world.queue)) == Numbers{2, 4, 6});
	CHECK(world.answered(1, 1));
	world.replace(world.mock, world.parent);
	CHECK(world.answered(1, 7));
	world.replace(world.mock, world.nested);
	world.fault(9);
	CHECK(cookies(read_faults(world.queue)) == Numbers{1});
}

TEST_CASE("what a write refuses, and what of it counts nevertheless")
{
	const World world;
	const PageAndHole page;
	const auto write = [&](const std::vector<PageResponse> &all) {
		return write_queue(world.queue, all.data(), all.size() * 8);
	};

	for (std::uint32_t i = 0; i < 6; i++)
		world.fault(i);
	CHECK(read_faults(world.queue, 5).size() == 5);
	const PageResponse good{1, resp_success};
	for (const std::size_t bytes : {1, 7, 9, 12})
		CHECK(write_queue(world.queue, page.tail(16), bytes) == -ESPIPE);
	CHECK(write_queue(world.queue, &good, 0) == 0);
	CHECK(write_queue(world.queue, bad_pointer(), 8) == -EFAULT);
	CHECK(write({{1, 2}}) == -EINVAL);
	CHECK(write({{1, ~0U}}) == -EINVAL);
	CHECK(write({{0, resp_success}}) == -EINVAL);
	/* The sixth was not read yet. */
	CHECK(write({{6, resp_success}}) == -EINVAL);
	CHECK(write({{6, resp_success}, {1, resp_success}}) == -EINVAL);
	CHECK(world.answered(0, 0));

	CHECK(write({{1, resp_success}, {99, resp_success}, {2, resp_success}}) == 8);
	CHECK(world.answered(1, 0));
	CHECK(write({{2, resp_success}, {3, resp_invalid}, {4, 2}}) == 16);
	CHECK(world.answered(2, 1));
	CHECK(write({{4, resp_success}, {4, resp_success}}) == 8);
	*static_cast<PageResponse *>(page.tail(8)) = {5, resp_success};
	CHECK(write_queue(world.queue, page.tail(8), 16) == 8);
	CHECK(world.answered(4, 1));
	CHECK(cookies(read_faults(world.queue)) == Numbers{1});
	CHECK(write({{1, resp_success}}) == 8);
}

TEST_CASE("poll")
{
	const World world;

	CHECK(poll_queue(world.queue) == POLLOUT);
	world.fault(1, 2);
	CHECK(poll_queue(world.queue) == (POLLIN | POLLOUT));
	PageFault one;
	CHECK(read_queue(world.queue, &one, fault_bytes) == -EINVAL);
	CHECK(poll_queue(world.queue) == (POLLIN | POLLOUT));
	read_faults(world.queue);
	CHECK(poll_queue(world.queue) == POLLOUT);
	world.fault(2);
	world.replace(world.mock, world.parent);
	CHECK(poll_queue(world.queue) == POLLOUT);
}

TEST_CASE("poll wakes up for a fault")
{
	const unsigned int rounds = 200 / slowness() + 1;
	const World world;
	Verdict verdict;
	Threads threads;

	threads.start(1, [&](std::size_t, auto &) {
		pollfd wait{.fd = world.queue.fd.get(), .events = POLLIN, .revents = 0};
		PageFault fault;

		for (unsigned int i = 0; i < rounds; i++) {
			verdict.expect("poll", poll(&wait, 1, 60000) == 1);
			verdict.expect("read", read_queue(world.queue, &fault,
							  fault_bytes) == fault_bytes);
			verdict.expect("group", fault.grpid == i);
			verdict.expect("answer", answer(world.queue, fault.cookie) == 8);
		}
	});
	threads.start(1, [&](std::size_t, auto &) {
		for (unsigned int i = 0; i < rounds; i++) {
			verdict.expect(
				"fault",
				trigger_fault(world.context,
					      {.device = world.mock.device, .grpid = i}),
				{0});
			if (i % 2)
				std::this_thread::yield();
		}
	});
	threads.join();
	verdict.check();
	CHECK(world.answered(rounds, 0));
}

// SPDX-License-Identifier: GPL-2.0-only
/* Clients of IOTLBs and their readers, in the test module: a driver under control. */
#pragma once

#include "iotlb.h"

#include "../../kmod/test/iommukit_test_abi.h"
#include "../../kmod/test/iommukit_test_iotlb_abi.h"

#include <unistd.h>

#include <atomic>
#include <thread>

namespace guest {

constexpr std::uint32_t reader_thread = IOMMUKIT_TEST_IOTLB_THREAD;
/* Flags of the kernel's own interface; only a driver reaches it. */
constexpr std::uint32_t reader_kthread_stop = 1 << 0;
constexpr std::uint32_t reader_interruptible = 1 << 1;
constexpr std::uint32_t translate_partial = 1 << 0;
constexpr std::uint32_t translate_nomiss = 1 << 1;
constexpr std::uint32_t copy_write = 1 << 0;
constexpr std::uint32_t copy_kthread = 1 << 1;
constexpr std::uint32_t for_ever = ~0U;
/* What the test module itself refuses. */
constexpr Errno no_sense{EBADRQC};
/* What a system call is repeated for; only drivers see it. */
constexpr Errno restarted{512};

/* What the callbacks of a client have seen, and its counters. */
using ClientStats = iommukit_test_iotlb_stats;

class IotlbClient {
    public:
	IotlbClient(const Context &context, std::uint32_t iotlb, std::uint32_t flags = 0,
		    std::uint32_t asid = 0);
	static Errno attempt(const Context &context, std::uint32_t iotlb,
			     std::uint32_t flags, std::uint32_t asid, Fd *client);
	/* One that somebody else has made; commands go through @context. */
	IotlbClient(const Context &context, Fd client);

	int fd() const { return client.get(); }
	void close() { client.reset(); }

	void cancel(bool on = true) const;
	/* Makes the invalidate callback wait until hold(false); NO_CANCEL. */
	void behave(std::uint32_t flags, std::uint32_t delay_ms = 0) const;
	ClientStats stats(std::uint32_t reader = ~0U) const;
	/* @result: what the kernel returned, the number of misses asked for */
	Errno try_prefetch(const std::vector<std::pair<std::uint64_t, std::uint64_t>> &,
			   std::uint32_t prot, int *result, std::uint32_t how = 0) const;

	Errno try_reader(std::uint32_t flags, std::uint32_t *index) const;
	Errno try_destroy_reader(std::uint32_t index) const;
	Errno try_stop_reader(std::uint32_t index) const;
	Errno try_run(iommukit_test_iotlb &cmd) const;

    private:
	iommukit_test_cmd command(std::uint32_t op) const;

	Fd device;
	Fd client;
};

/* What a lookup has found. */
struct Lookup {
	Errno error;
	std::uint64_t done = 0;
	std::vector<iommukit_test_iotlb_seg> segs = {};
	std::vector<std::byte> data = {};
};

/* How it is done. */
struct Look {
	std::uint32_t flags = 0;
	std::uint32_t timeout_ms = 0;
	std::uint32_t max = IOMMUKIT_TEST_IOTLB_SEGS;
	std::uint32_t how = 0;
	std::uint32_t copy_flags = 0;
};

/* Lookups of a loop, and what it found. */
struct Loop {
	std::uint64_t iova = 0;
	/* Bytes from one word to the next, and how many words. */
	std::uint64_t stride = page_size;
	std::uint32_t words = 1;
	std::uint64_t count = 1;
	/* What must not be read; or what is written. */
	std::uint64_t value = 0;
	bool write = false;
	std::uint32_t how = 0;
	std::uint32_t timeout_ms = 0;

	std::uint64_t copied = 0, equal = 0, missed = 0;
};

/*
 * A reader; nothing of it asserts but its making, relax() and stop(). Of one with a
 * thread, what it does is done by that.
 */
class Reader {
    public:
	explicit Reader(const IotlbClient &client, std::uint32_t flags = 0);
	Reader(const Reader &) = delete;
	Reader &operator=(const Reader &) = delete;
	~Reader() { (void)client.try_destroy_reader(number); }

	std::uint32_t index() const { return number; }
	std::uint32_t resumed() const { return client.stats(number).out_resumed; }

	Lookup translate(std::uint64_t iova, std::uint64_t length,
			 std::uint32_t prot = perm_read, const Look &look = {}) const;
	Lookup nowait(std::uint64_t iova, std::uint64_t length,
		      std::uint32_t prot = perm_read, const Look &look = {}) const;
	Lookup probe(std::uint64_t iova, std::uint64_t length,
		     std::uint32_t prot = perm_read, const Look &look = {}) const;
	Errno try_read(std::uint64_t iova, void *to, std::uint64_t length,
		       std::uint32_t flags = 0, std::uint32_t how = 0) const;
	Errno try_write(std::uint64_t iova, const void *from, std::uint64_t length,
			std::uint32_t flags = 0) const;
	Errno try_loop(Loop &loop) const;

	/* With a thread only: inside of the gate. */
	Errno enter() const { return simple(IOMMUKIT_TEST_IOTLB_ENTER); }
	Errno exit() const { return simple(IOMMUKIT_TEST_IOTLB_EXIT); }
	bool relax() const;
	Errno copy(std::uint64_t offset, void *data, std::uint64_t length,
		   std::uint32_t flags = copy_kthread) const;
	Errno pin(std::uint64_t segment = 0, std::uint32_t flags = 0) const;
	Errno unpin(std::uint64_t iova) const;

	/* Begins a translation in the thread, and gets its result. */
	Errno begin(std::uint64_t iova, std::uint64_t length,
		    std::uint32_t prot = perm_read, const Look &look = {}) const;
	Errno begin_read(std::uint64_t iova, std::uint64_t length) const;
	Lookup finish(std::uint64_t length = 1) const;
	void stop() const;

    private:
	iommukit_test_iotlb action(std::uint32_t what) const;
	Errno run(iommukit_test_iotlb &cmd) const;
	Errno simple(std::uint32_t what) const;
	Lookup lookup(std::uint32_t what, std::uint64_t iova, std::uint64_t length,
		      std::uint32_t prot, const Look &look) const;

	const IotlbClient &client;
	std::uint32_t number = 0;
};

/* Do segments lead from all of the range to the same offsets behind @target? */
bool leads(const Lookup &lookup, std::uint64_t iova, std::uint64_t length,
	   std::uint64_t target);

/* The state of a thread of this process, as ps shows it. */
char thread_state(int tid);

/* Something that a thread of its own does; it must not assert. */
template <class Result> class Running {
    public:
	explicit Running(std::function<Result()> body)
		: thread([this, body] {
			  tid = gettid();
			  result = body();
			  over = true;
		  })
	{
	}

	bool finished() const { return over; }
	/* Waits until it sleeps or is over; true if it sleeps. */
	bool sleeps() const
	{
		REQUIRE(wait_until([&] {
			const char state = tid ? thread_state(tid) : '?';

			return over || state == 'S' || state == 'D';
		}));
		return !over;
	}
	Result get()
	{
		thread.join();
		return result;
	}

    private:
	std::atomic<int> tid = 0;
	std::atomic<bool> over = false;
	Result result{};
	/* Started last: it uses the rest. */
	std::jthread thread;
};

/* A descriptor of another process. */
Fd descriptor_of(pid_t process, int fd);

template <class Body> auto in_background(Body body)
{
	return Running<decltype(body())>(body);
}

} // namespace guest

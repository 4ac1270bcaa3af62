// SPDX-License-Identifier: GPL-2.0-only
/* Threads that race, and what they have seen. */
#pragma once

#include "kit.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <initializer_list>
#include <random>
#include <thread>
#include <vector>

namespace guest {

/* What went wrong in a thread: Catch2's assertions belong to the main one. */
class Verdict {
    public:
	void expect(const char *what, Errno got, std::initializer_list<int> allowed)
	{
		if (std::find(allowed.begin(), allowed.end(), got.value) == allowed.end())
			fail(what, got.value);
	}
	void expect(const char *what, bool holds)
	{
		if (!holds)
			fail(what, 0);
	}
	/* Counts what the other side of a race should get through at times. */
	void hit() { hits++; }
	/*
	 * Is this the last of that many steps? If the other side has not got
	 * through by then, it gets more of them, but not for ever.
	 */
	bool done(unsigned int step, unsigned int planned) const
	{
		return step >= planned * 50 || (step >= planned && hits > 0);
	}
	void check(unsigned int least_hits = 0) const
	{
		CHECK(hits >= least_hits);
		INFO("first: " << (first ? first.load() : "") << " "
			       << Errno{error.load()});
		CHECK(failures == 0);
	}

    private:
	void fail(const char *what, int value)
	{
		const char *none = nullptr;

		failures++;
		if (first.compare_exchange_strong(none, what))
			error = value;
	}

	std::atomic<unsigned int> hits = 0;
	std::atomic<unsigned int> failures = 0;
	std::atomic<const char *> first = nullptr;
	std::atomic<int> error = 0;
};

/* Threads that begin together, when the main one waits for their end. */
class Threads {
    public:
	~Threads() { join(); }
	template <class Body> void start(unsigned int count, Body body)
	{
		for (unsigned int i = 0; i < count; i++)
			threads.emplace_back([this, body, number = threads.size()] {
				std::mt19937_64 random(seed() + number * 7919);

				gate.wait(false);
				body(number, random);
			});
	}
	void join()
	{
		gate = true;
		gate.notify_all();
		for (std::thread &thread : threads)
			thread.join();
		threads.clear();
	}

    private:
	std::atomic<bool> gate = false;
	std::vector<std::thread> threads;
};

/* How long threads go on, on whatever machine. */
class Clock {
    public:
	explicit Clock(unsigned int milliseconds = 2000)
		: end(std::chrono::steady_clock::now() +
		      std::chrono::milliseconds(milliseconds))
	{
	}
	bool over() const { return std::chrono::steady_clock::now() > end; }

    private:
	std::chrono::steady_clock::time_point end;
};

/* Threads that rest when they are told to. */
class Pause {
    public:
	void begin(unsigned int threads)
	{
		wanted = true;
		while (resting < threads)
			std::this_thread::yield();
	}
	void end()
	{
		wanted = false;
		wanted.notify_all();
		while (resting > 0)
			std::this_thread::yield();
	}
	void rest_if_wanted()
	{
		if (!wanted)
			return;
		resting++;
		wanted.wait(true);
		resting--;
	}

    private:
	std::atomic<bool> wanted = false;
	std::atomic<unsigned int> resting = 0;
};

} // namespace guest

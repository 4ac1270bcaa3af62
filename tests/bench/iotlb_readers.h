// SPDX-License-Identifier: GPL-2.0-only
// Readers that have company: a second one, somebody who changes the table, or both.
#pragma once

#include "iotlb_side.h"

#include <atomic>
#include <future>

namespace bench {

// How a side is told that a page has another translation: vhost replaces nothing.
enum class Replace { update, invalidate_update };

// A thread that changes entries, as many a second, as long as it lives.
class Updater {
    public:
	Updater(const IotlbSide &side, const IotlbPages &pages, Replace how,
		unsigned per_second);
	Updater(const Updater &) = delete;
	Updater &operator=(const Updater &) = delete;
	~Updater();

	std::uint64_t updates() const noexcept { return done_; }
	// Ends it, and throws what it has failed with.
	void stop();

    private:
	void work();
	void change(unsigned n);

	const IotlbSide &side_;
	const IotlbPages pages_;
	const Replace how_;
	const unsigned per_second_;
	std::atomic<bool> stop_ = false;
	std::atomic<std::uint64_t> done_ = 0;
	std::uint64_t random_ = 1;
	std::future<void> thread_;
};

// A reader inside the kernel, and the longest of its lookups as long as this lives. It
// has the first processor.
class Watch {
    public:
	Watch(const IotlbSide &side, const IotlbPages &pages);
	Watch(const Watch &) = delete;
	Watch &operator=(const Watch &) = delete;
	~Watch();

	// Ends it. In nanoseconds.
	double worst();

    private:
	const IotlbSide &side_;
	std::future<iotlb_bench_run> thread_;
};

} // namespace bench

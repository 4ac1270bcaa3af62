// SPDX-License-Identifier: GPL-2.0-only
#include "iotlb_readers.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <stdexcept>
#include <thread>

namespace bench {

using namespace iommukit;
using namespace std::chrono_literals;

Updater::Updater(const IotlbSide &side, const IotlbPages &pages, Replace how,
		 unsigned per_second)
	: side_(side), pages_(pages), how_(how), per_second_(per_second),
	  thread_(std::async(std::launch::async, [this] { work(); }))
{
}

Updater::~Updater()
{
	stop_ = true;
}

void Updater::stop()
{
	stop_ = true;
	thread_.get();
}

void Updater::change(unsigned n)
{
	std::vector<IotlbMessage> messages;

	for (unsigned i = 0; i < n; i++) {
		random_ = random_ * 6364136223846793005ULL + 1442695040888963407ULL;
		const auto page =
			static_cast<std::uint32_t>((random_ >> 32) * pages_.count >> 32);

		if (how_ == Replace::invalidate_update)
			messages.push_back(pages_.invalidation(page));
		messages.push_back(pages_.update(page, static_cast<unsigned>(done_ + i)));
	}
	side_.submit_pieces(messages);
	done_ += n;
}

// A little each time, as a guest that maps and unmaps does it; what was not done in time
// is made up for.
void Updater::work()
{
	constexpr auto tick = 5ms;
	constexpr unsigned most = 1000;
	const auto begin = std::chrono::steady_clock::now();

	for (auto next = begin + tick; !stop_; next += tick) {
		std::this_thread::sleep_until(next);
		const std::chrono::duration<double> passed =
			std::chrono::steady_clock::now() - begin;
		const double due =
			passed.count() * per_second_ - static_cast<double>(done_);

		if (due >= 1)
			change(static_cast<unsigned>(std::min<double>(due, most)));
	}
}

Watch::Watch(const IotlbSide &side, const IotlbPages &pages)
	: side_(side), thread_(std::async(std::launch::async, [&side, pages] {
		  return side.run({.op = IOTLB_BENCH_OP_WATCH, .pages = pages},
				  std::numeric_limits<std::uint32_t>::max());
	  }))
{
	// It may take a moment to begin.
	std::this_thread::sleep_for(50ms);
}

Watch::~Watch()
{
	// The future waits for the end.
	if (thread_.valid())
		side_.stop();
}

double Watch::worst()
{
	side_.stop();
	const auto result = thread_.get();

	if (!result.out_lookups)
		throw std::runtime_error("the reader has not begun in time");
	return static_cast<double>(result.out_worst_ns);
}

} // namespace bench

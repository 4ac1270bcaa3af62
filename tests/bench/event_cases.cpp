// SPDX-License-Identifier: GPL-2.0-only
// netlink/: what it costs that others could be told, while nobody wants to know, and how
// much can be told to one who does.
#include "bench.h"
#include "crowd.h"
#include "iotlb_side.h"
#include "kernel_loop.h"
#include "module_swap.h"
#include "pinned.h"
#include "upstream.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <thread>

namespace bench {

using namespace iommukit;
using namespace iommukit::literals;

namespace {

/* ---- nobody listens ---- */

// Each round loads both builds anew: where a module comes to lie matters as well, and so
// is not the same all the time.
constexpr unsigned loads = 60;

double fastest(const std::function<Slice()> &measure)
{
	double taken = 0, best = HUGE_VAL;

	while (taken < round_ns) {
		const Slice slice = measure();

		taken += slice.taken;
		best = std::min(best, slice.figure);
	}
	return best;
}

Figures compare_builds(const std::string &needs, const std::function<double()> &measure)
{
	ModuleSwap modules;
	Figures figures;

	for (unsigned i = 0; i < loads; i++) {
		modules.load(ModuleSwap::Build::whole, needs);
		figures.ours.push_back(measure());
		modules.load(ModuleSwap::Build::without_events, needs);
		figures.peer.push_back(measure());
	}
	return figures;
}

double map_once()
{
	const Context context;
	const Ioas ioas(context);
	const Reservation memory(4_KiB);
	MapLoop loop(our_loops, ioas, memory.data(), 4_KiB);
	const Timed timed = loop.timed();
	const auto n = timed.kernel.calibrate(timed.loop, slice_ns);

	return fastest([&] {
		const double ns = timed.kernel.run(timed.loop, n);
		return Slice{ns, ns / n};
	});
}

double look_up_once()
{
	const IotlbPages pages{.count = 2048};
	const OurIotlb iotlb({.max_entries = pages.count});
	const IotlbLoop loop{.pages = pages};
	const auto n = (iotlb.side().fill(pages), iotlb.side().calibrate(loop, slice_ns));

	return fastest([&] {
		const double ns = iotlb.side().time(loop, n);
		return Slice{ns, ns / n};
	});
}

/* ---- one listens ---- */

// Reads many messages by one call; only counts them.
class Reader {
    public:
	Reader()
	{
		// All events of a round, should they come that fast.
		constexpr int room = 256 << 20;

		socket_.join({IOMMUKIT_NL_MCGRP_MAPPINGS});
		if (::setsockopt(socket_.fd(), SOL_SOCKET, SO_RCVBUFFORCE, &room,
				 sizeof(room)))
			throw Error(last_error(), "setsockopt");
		for (std::size_t i = 0; i < messages_.size(); i++) {
			rooms_[i] = {bytes_[i].data(), bytes_[i].size()};
			messages_[i].msg_hdr.msg_iov = &rooms_[i];
			messages_[i].msg_hdr.msg_iovlen = 1;
		}
	}

	// Those that are there; it does not wait.
	unsigned read()
	{
		const int n = ::recvmmsg(socket_.fd(), messages_.data(), messages_.size(),
					 MSG_DONTWAIT, nullptr);

		return n > 0 ? static_cast<unsigned>(n) : 0;
	}
	std::uint32_t lost() const { return socket_.backlog().lost; }

    private:
	NetlinkSocket socket_;
	std::array<std::array<std::byte, 256>, 64> bytes_;
	std::array<iovec, 64> rooms_;
	std::array<mmsghdr, 64> messages_ = {};
};

// Events of maps and unmaps per second that one process has read, of which none is lost.
class Listened {
    public:
	Listened() : loop_(our_loops, ioas_, memory_.data(), 4_KiB) {}

	// Without anybody who listens
	double alone()
	{
		const Timed timed = loop_.timed();

		return events / timed.kernel.run(timed.loop, pairs) * 1e9;
	}
	double listened()
	{
		const Timed timed = loop_.timed();
		std::uint64_t read = 0;
		Reader reader;
		std::thread listener([&] {
			while (read < events && !reader.lost())
				read += reader.read();
		});
		const double taken = seconds([&] {
			timed.kernel.run(timed.loop, pairs);
			listener.join();
		});

		if (reader.lost())
			throw std::runtime_error("the listener has missed some events");
		return events / taken;
	}

    private:
	static constexpr std::uint32_t pairs = 5000;
	static constexpr double events = 2.0 * pairs;

	Context context_;
	Ioas ioas_{context_};
	Reservation memory_{4_KiB};
	MapLoop loop_;
};

// Of each round the best counts, as of times the shortest.
Figures measure_listener()
{
	constexpr unsigned slices = 10;
	Figures figures;

	need_two_processors();
	Listened listened;
	for (unsigned round = 0; round < default_rounds; round++) {
		double ours = 0, peer = 0;

		for (unsigned i = 0; i < slices; i++) {
			ours = std::max(ours, listened.listened());
			peer = std::max(peer, listened.alone());
		}
		figures.ours.push_back(ours);
		figures.peer.push_back(peer);
	}
	return figures;
}

constexpr Bound at_most_a_hundredth = {Bound::Of::ratio, Bound::Sense::at_most, 1.01};
constexpr Bound at_least_100k = {Bound::Of::ours, Bound::Sense::at_least, 100'000};

} // namespace

void add_event_cases(std::vector<Case> &cases)
{
	cases.push_back(
		{.name = "netlink/unwatched-map-4k",
		 .unit = "ns",
		 .peer_name = "without events",
		 .measure = [] { return compare_builds("iommukit_bench", map_once); },
		 .bound = at_most_a_hundredth});
	cases.push_back(
		{.name = "netlink/unwatched-lookup-2k",
		 .unit = "ns",
		 .peer_name = "without events",
		 .measure = [] { return compare_builds("iotlb_bench", look_up_once); },
		 .bound = at_most_a_hundredth});
	cases.push_back({.name = "netlink/events-1",
			 .unit = "1/s",
			 .peer_name = "nobody listens",
			 .measure = measure_listener,
			 .bound = at_least_100k});
}

} // namespace bench

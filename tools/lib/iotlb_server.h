// SPDX-License-Identifier: GPL-2.0-only
// The reference server, for authors of virtual machine monitors: it answers every miss
// of a channel from a source of translations, and denies what that does not know. It is
// one thread; that thread must not use a device behind the IOTLB, or it waits for
// itself.
//
// The source may change at any time. Who changes it invalidates, with a copy of the
// channel, when it gives the old translation no more: an answer that is under way is
// then refused by the kernel, which asks once more.
#pragma once

#include "fd.h"
#include "iotlb_channel.h"
#include "iotlb_faults.h"
#include "iotlb_ring.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace iommukit {

// The translation of a byte, and of as many around it as are known; none: there is no
// translation. It is asked by the server's thread, and must not throw.
using IotlbSource =
	std::function<std::optional<IotlbTranslation>(std::uint32_t asid, Iova iova)>;

struct IotlbServerOptions {
	// Entries of a ring; 0: messages are read.
	std::uint32_t ring_entries = 0;
	// So many translations more, at most, than the one that was missed, if its
	// reader is going to need them.
	std::uint32_t ahead = 0;
	// An end after so many misses.
	std::optional<std::uint64_t> count = {};
	// Time from the arrival of a miss to its answer. Misses do not wait for others.
	std::chrono::nanoseconds latency{0};
	IotlbFaultPlan faults = {};
};

// Since it began.
struct IotlbServerCounts {
	std::uint64_t misses = 0;
	std::uint64_t updates = 0; // written, those ahead included
	std::uint64_t denied = 0;
	std::uint64_t dropped = 0;  // on purpose
	std::uint64_t wrong = 0;    // on purpose
	std::uint64_t stale = 0;    // updates that came too late
	std::uint64_t requeued = 0; // misses that were asked for once more
	std::uint64_t refused = 0;  // updates that the kernel has refused otherwise
};

class IotlbServer {
    public:
	// Configures the channel, which must not have delivered a message yet.
	IotlbServer(IotlbChannel channel, IotlbSource source,
		    const IotlbServerOptions &options = {});

	// What it understands: enum iommukit_iotlb_chan_features.
	static std::uint64_t features(const IotlbServerOptions &options) noexcept;

	enum class End {
		stopped, // by stop()
		counted, // after as many misses as it was to answer
		gone,	 // with the IOTLB
	};
	// Serves until its end, once. Misses that were not answered stay so until the
	// channel is closed: with this, or the last copy of the channel.
	End run();

	// Both may be called by any thread.
	void stop() noexcept;
	IotlbServerCounts counts() const noexcept;

    private:
	using Clock = std::chrono::steady_clock;

	struct Waiting {
		IotlbMessage miss;
		Clock::time_point due;
	};
	struct Counters {
		std::atomic<std::uint64_t> misses = 0, updates = 0, denied = 0,
					   dropped = 0, wrong = 0, stale = 0,
					   requeued = 0, refused = 0;
	};

	End serve();
	void receive();
	std::size_t fetch(std::span<IotlbMessage> to);
	void answer_due();
	void answer(const IotlbMessage &miss);
	void look_ahead(const IotlbMessage &miss, Iova last);
	void add_update(const IotlbMessage &miss, const IotlbTranslation &translation,
			std::uint64_t cookie);
	std::optional<IotlbTranslation> translate(std::uint32_t asid, Iova iova) const;
	void send();
	bool replace_refused(IotlbMessage &message, int number);
	bool wait();
	bool counted() const noexcept;

	IotlbSource source_;
	IotlbServerOptions options_;
	IotlbFaults faults_;
	IovaRange aperture_;
	Fd stop_;
	Fd wakeup_; // of the ring
	// The ring keeps the channel open, so it goes first.
	IotlbChannel channel_;
	std::unique_ptr<IotlbRing> ring_;
	std::deque<Waiting> waiting_; // by the time they are due
	std::vector<IotlbMessage> answers_;
	Counters counters_;
};

} // namespace iommukit

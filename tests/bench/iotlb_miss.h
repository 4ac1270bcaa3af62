// SPDX-License-Identifier: GPL-2.0-only
// Misses of a reader inside the kernel, and a server that does nothing but to answer
// them.
#pragma once

#include "iotlb_side.h"

#include <atomic>
#include <latch>
#include <memory>
#include <optional>

namespace bench {

class MissWorld {
    public:
	// How the server learns of misses. It answers by write in both cases.
	enum class Way {
		// It sleeps in read(), and the reader until it is woken. They share a
		// processor, for waking another one takes longer, on User Mode Linux up
		// to a tick.
		read,
		// It polls the ring, and the reader spins, each on its own processor.
		ring,
	};

	explicit MissWorld(Way way);
	~MissWorld();

	// So many misses, each in another page.
	Slice slice();

    private:
	double run_reader();
	void serve(std::uint32_t misses, std::latch &ready);
	std::size_t fetch(std::span<iommukit::IotlbMessage> to);
	void answer(const iommukit::IotlbMessage &miss) const;

	// Destroyed early to wake a server that nobody asks any more.
	std::optional<OurIotlb> iotlb_;
	iommukit::IotlbChannel channel_;
	std::unique_ptr<iommukit::IotlbRing> ring_;
	std::atomic<bool> give_up_ = false;
};

// As many times there and back between two threads on one processor, by two pipes: what
// it costs to wake somebody up and to be woken.
Slice slice_of_pipes();

} // namespace bench

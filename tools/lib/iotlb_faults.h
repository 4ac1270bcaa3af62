// SPDX-License-Identifier: GPL-2.0-only
// What a server is to do wrong, so that those who depend on it can be tested. The same
// seed and the same misses give the same faults.
#pragma once

#include "iotlb_message.h"

#include <cstdint>
#include <optional>
#include <random>

namespace iommukit {

// How often something happens: by chance, or each so many times. Never by default.
struct IotlbFaultRate {
	double chance = 0;	 // of 1
	std::uint64_t every = 0; // 0: by chance
};

struct IotlbFaultPlan {
	// A miss is not answered at all: its readers wait as long as they may.
	IotlbFaultRate drop = {};
	// An answer gives another target, and the next one of these less permission
	// than is needed, in turns.
	IotlbFaultRate wrong = {};
	std::uint64_t seed = 0;
};

class IotlbFaults {
    public:
	explicit IotlbFaults(const IotlbFaultPlan &plan) : plan_(plan), random_(plan.seed)
	{
	}

	// Each is asked once for each miss, and for each answer.
	bool drop() { return happens(plan_.drop, drops_asked_); }
	bool wrong() { return happens(plan_.wrong, wrongs_asked_); }
	// What is said instead of a translation.
	void spoil(IotlbMessage &update, const IotlbMessage &miss) noexcept;

    private:
	bool happens(const IotlbFaultRate &rate, std::uint64_t &asked);

	IotlbFaultPlan plan_;
	std::mt19937_64 random_;
	std::uint64_t drops_asked_ = 0;
	std::uint64_t wrongs_asked_ = 0;
	std::uint64_t spoilt_ = 0;
};

} // namespace iommukit

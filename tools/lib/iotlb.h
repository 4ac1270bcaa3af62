// SPDX-License-Identifier: GPL-2.0-only
// A device IOTLB, owned: a cache of translations that drivers use, and a server fills.
// This is the side of the owner, who may change it, too. What a command means, and each
// of its errnos, is told by <linux/iommukit_iotlb.h>.
#pragma once

#include "fd.h"
#include "iotlb_message.h"
#include "owned_object.h"

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace iommukit {

inline constexpr IovaRange all_iovas{Iova(0), Iova(UINT64_MAX)};

// What an IOTLB is made with; 0 is what the kernel thinks right.
struct IotlbUse {
	std::uint32_t num_asids = 0;
	std::uint32_t max_entries = 0;
	// Misses at a time.
	std::uint32_t max_pending = 0;
	// How long a reader waits; IOMMUKIT_IOTLB_NO_TIMEOUT: for ever.
	std::uint32_t timeout_ms = 0;
	iommukit_iotlb_evict evict = IOMMUKIT_IOTLB_EVICT_CLOCK;
	// Outside of it there are no entries.
	IovaRange aperture = all_iovas;
	// Misses in one granule of 2^n bytes are asked for once.
	std::uint32_t granule_shift = 0;
	// How long a reader spins before it sleeps.
	std::uint32_t spin_us = 0;
	// Entries stay when the server goes.
	bool keep_on_close = false;
	// Without, open_channel() makes the first one.
	bool channel = true;
};

struct IotlbEntry {
	IovaRange range;
	std::uint64_t target = 0;
	// None: it is known that there is no translation.
	std::optional<Permission> permission = {};
	// Of enum iommukit_iotlb_entry_flags.
	std::uint32_t flags = 0;
	std::uint32_t asid = 0;
};

// Counters by enum iommukit_iotlb_stat; those that the kernel lacks are 0.
struct IotlbStats {
	static constexpr std::size_t buckets =
		IOMMUKIT_IOTLB_NR_STATS - IOMMUKIT_IOTLB_STAT_LATENCY_HIST;

	std::uint64_t operator[](iommukit_iotlb_stat stat) const { return values[stat]; }
	// Misses by the time to their answer: less than 2, 4, 8, ... microseconds.
	std::span<const std::uint64_t, buckets> latency() const noexcept
	{
		return std::span(values).last<buckets>();
	}

	std::array<std::uint64_t, IOMMUKIT_IOTLB_NR_STATS> values = {};
};

struct IotlbSubmitted {
	// Elements that were done.
	std::uint32_t done = 0;
	// Of the latest invalidation.
	std::uint64_t epoch = 0;
};

class Iotlb : public OwnedObject {
    public:
	// Targets are IOVAs of the IOAS, which must outlive it.
	explicit Iotlb(const Ioas &ioas, const IotlbUse &use = {});
	// Targets are addresses of this process.
	explicit Iotlb(const Context &context, const IotlbUse &use = {});

	// The channel that it was made with, once; no descriptor if there is none.
	Fd take_channel() noexcept { return std::move(channel_); }
	// The first, or another one when that is closed; EBUSY before.
	Fd open_channel() const;

	// Changes it as its owner: UPDATE, INVALIDATE and FLUSH, in their order, to the
	// first that fails. When it returns, no reader uses what was removed.
	IotlbSubmitted submit(std::span<const IotlbMessage> messages) const;

	// The entry of one byte, if there is one.
	std::optional<IotlbEntry> query(Iova iova, std::uint32_t asid = 0) const;
	// Those that lie in a range, or stick out of it; no snapshot.
	std::vector<IotlbEntry> entries(const IovaRange &range = all_iovas,
					std::uint32_t asid = 0) const;

	enum class Reset { no, yes };
	IotlbStats stats(Reset reset = Reset::no) const;
	// Each as at allocation, 0 being the default.
	void set(iommukit_iotlb_param param, std::uint64_t value) const;

    private:
	struct Allocated {
		ObjectId id;
		Fd channel;
	};
	Iotlb(const Context &context, Allocated allocated) noexcept
		: OwnedObject(context, allocated.id),
		  channel_(std::move(allocated.channel))
	{
	}
	static Allocated alloc(const Context &context, std::optional<ObjectId> ioas,
			       const IotlbUse &use);

	Fd channel_;
};

// What the kernel can do; members of struct iommukit_iotlb_get_caps.
iommukit_iotlb_get_caps iotlb_caps(const Context &context);

} // namespace iommukit

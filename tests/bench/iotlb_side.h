// SPDX-License-Identifier: GPL-2.0-only
// An IOTLB of ours and a table of vhost_iotlb: filled by the same commands, and looked
// up in by the same loops inside the kernel.
#pragma once

#include "bench.h"

#include <iommukit.hpp>

#include "../../kmod/bench/iotlb/iotlb_bench_abi.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bench {

// Entries of one page each, by number. Targets are so different that nothing can be
// merged, and each generation has others.
struct IotlbPages {
	std::uint32_t count = 0;
	// From one to the next: with gaps, or without.
	iommukit::Bytes stride = iommukit::Bytes(8192);

	bool operator==(const IotlbPages &) const = default;
	iommukit::IovaRange range(std::uint32_t page) const;
	iommukit::IotlbMessage update(std::uint32_t page, unsigned generation = 0) const;
	iommukit::IotlbMessage invalidation(std::uint32_t page) const;
	// All numbers, in an order without any order, always the same.
	std::vector<std::uint32_t> shuffled() const;
};

// What a loop inside the kernel does.
struct IotlbLoop {
	iotlb_bench_op op = IOTLB_BENCH_OP_LOOKUP;
	IotlbPages pages;
	// Only so many of them, chosen at random; 0: all.
	std::uint32_t hot = 0;
	std::uint32_t per_gate = 1;
	unsigned threads = 1;
};

class IotlbSide {
    public:
	// A new session of the module's device.
	explicit IotlbSide(const std::string &device);

	// What commands are sent to, and loops look up in.
	void attach(const iommukit::Iotlb &iotlb);
	void attach_table(std::uint32_t limit, bool retire);

	// One command.
	void submit(std::span<const iommukit::IotlbMessage> messages) const;
	void submit_pieces(std::span<const iommukit::IotlbMessage> messages) const;
	void fill(const IotlbPages &pages) const;
	void flush() const;

	// With one seed the same keys; without, others each time.
	iotlb_bench_run run(const IotlbLoop &loop, std::uint32_t iterations) const;
	iotlb_bench_run run(const IotlbLoop &loop, std::uint32_t iterations,
			    std::uint64_t seed) const;
	// Nanoseconds from the first start to the last end; everything must be found.
	double time(const IotlbLoop &loop, std::uint32_t iterations) const;
	// Ends a run of another thread.
	void stop() const;
	// How many iterations take that long, for one thread.
	std::uint32_t calibrate(IotlbLoop loop, double wanted_ns) const;

    private:
	void attach(const iotlb_bench_attach &cmd) const;

	iommukit::Fd fd_;
	int submit_fd_ = -1;
	std::uint32_t iotlb_id_ = 0;
};

class OurIotlb {
    public:
	explicit OurIotlb(const iommukit::IotlbUse &use);

	const IotlbSide &side() const noexcept { return side_; }
	iommukit::Fd take_channel() noexcept { return iotlb_.take_channel(); }

    private:
	iommukit::Context context_;
	iommukit::Ioas ioas_;
	iommukit::Iotlb iotlb_;
	// A client of the IOTLB, so it goes first.
	IotlbSide side_;
};

// Throws NotHere without the module, or without vhost_iotlb.
class VhostIotlb {
    public:
	explicit VhostIotlb(std::uint32_t limit, bool retire = false);

	const IotlbSide &side() const noexcept { return side_; }

    private:
	IotlbSide side_;
};

// Both, with the same entries, which are all that there is room for.
class IotlbPair {
    public:
	explicit IotlbPair(const IotlbPages &pages);

	const IotlbPages &pages() const noexcept { return pages_; }
	const IotlbSide &ours() const noexcept { return ours_.side(); }
	const IotlbSide &vhost() const noexcept { return vhost_.side(); }

    private:
	void check() const;

	IotlbPages pages_;
	VhostIotlb vhost_;
	OurIotlb ours_;
};

} // namespace bench

// SPDX-License-Identifier: GPL-2.0-only
// What the kernel would refuse is left to it, but for what it would take for something
// else: 0 is the default of most.
#include "iotlb_use.h"

#include "failure.h"

#include <bit>

namespace ctl {

using namespace iommukit;
using namespace std::chrono;

namespace {

std::uint32_t small_number(const Arguments &args, std::string_view name)
{
	std::uint64_t value = args.number(name).value_or(0);

	if (value > UINT32_MAX)
		throw usage_failure(std::string(name) + " " + std::to_string(value) +
					    " is too large",
				    "help iotlb");
	return static_cast<std::uint32_t>(value);
}

// 0 would be the default.
std::uint32_t timeout(const Arguments &args)
{
	auto time = args.duration("timeout");

	if (args.has("no-timeout")) {
		if (time)
			throw usage_failure("timeout and no-timeout exclude each other",
					    "help iotlb");
		return IOMMUKIT_IOTLB_NO_TIMEOUT;
	}
	if (time && *time < milliseconds(1))
		throw usage_failure("a timeout is a millisecond at least",
				    "no-timeout waits for ever");
	return time ? static_cast<std::uint32_t>(*time / milliseconds(1)) : 0;
}

std::uint32_t spin(const Arguments &args)
{
	return static_cast<std::uint32_t>(args.duration("spin").value_or(nanoseconds(0)) /
					  microseconds(1));
}

iommukit_iotlb_evict policy(const Arguments &args)
{
	std::string name = args.text("evict").value_or("clock");

	if (name == "fifo")
		return IOMMUKIT_IOTLB_EVICT_FIFO;
	return name == "none" ? IOMMUKIT_IOTLB_EVICT_NONE : IOMMUKIT_IOTLB_EVICT_CLOCK;
}

std::uint32_t granule_shift(const Arguments &args)
{
	Bytes granule = args.size("granule").value_or(Bytes(4096));

	if (granule < Bytes(2) || !std::has_single_bit(granule.value))
		throw usage_failure("granule " + hex(granule.value) +
					    " is no power of two from 2 on",
				    "4K or 64K, for instance");
	return static_cast<std::uint32_t>(std::countr_zero(granule.value));
}

} // namespace

IotlbUse iotlb_use(const Arguments &args)
{
	return {.num_asids = small_number(args, "asids"),
		.max_entries = small_number(args, "entries"),
		.max_pending = small_number(args, "pending"),
		.timeout_ms = timeout(args),
		.evict = policy(args),
		.aperture = args.ranges().empty() ? all_iovas : args.ranges().front(),
		.granule_shift = granule_shift(args),
		.spin_us = spin(args),
		.keep_on_close = args.has("keep"),
		.channel = !args.has("no-channel")};
}

void set_iotlb(IotlbRecord &record, const Arguments &args)
{
	bool any = false;
	auto set = [&](iommukit_iotlb_param param, auto value, auto &kept) {
		record.iotlb.set(param, value);
		kept = value;
		any = true;
	};

	if (args.has("entries"))
		set(IOMMUKIT_IOTLB_PARAM_MAX_ENTRIES, small_number(args, "entries"),
		    record.use.max_entries);
	if (args.has("timeout") || args.has("no-timeout"))
		set(IOMMUKIT_IOTLB_PARAM_MISS_TIMEOUT_MS, timeout(args),
		    record.use.timeout_ms);
	if (args.has("evict"))
		set(IOMMUKIT_IOTLB_PARAM_EVICT_POLICY, policy(args), record.use.evict);
	if (args.has("spin"))
		set(IOMMUKIT_IOTLB_PARAM_SPIN_US, spin(args), record.use.spin_us);
	if (!any)
		throw usage_failure("iotlb set needs something to set",
				    "entries, timeout, no-timeout, evict or spin");
}

} // namespace ctl

// SPDX-License-Identifier: GPL-2.0-only
// Faults by chance draw from one sequence, faults by number from none.
#include "iotlb_faults.h"

namespace iommukit {

bool IotlbFaults::happens(const IotlbFaultRate &rate, std::uint64_t &asked)
{
	asked++;
	if (rate.every)
		return asked % rate.every == 0;
	// What cannot happen must not change the course of what can.
	return rate.chance > 0 && std::bernoulli_distribution(rate.chance)(random_);
}

void IotlbFaults::spoil(IotlbMessage &update, const IotlbMessage &miss) noexcept
{
	// The page beside the right one, on either side.
	constexpr std::uint64_t page = 4096;

	if (spoilt_++ % 2 == 0) {
		update.target ^= page;
		return;
	}
	update.perm = IOMMUKIT_IOTLB_PERM_RW & ~miss.perm;
	// Who needs both must do with one.
	if (!update.perm)
		update.perm = IOMMUKIT_IOTLB_PERM_READ;
}

} // namespace iommukit

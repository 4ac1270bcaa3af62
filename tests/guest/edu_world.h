// SPDX-License-Identifier: GPL-2.0-only
/* An edu that a context has, memory for it, and what its DMA has done to that. */
#pragma once

#include "../edu/edu.h"
#include "pci_device.h"

#include <functional>

namespace guest {

using Edu = edu::Device;
using edu::is_edu;

/*
 * Edus behind VT-d, by what they are good for. Each call ends the case as skipped if
 * the guest has none.
 */
PciFunction lone_edu();
std::vector<PciFunction> lone_edus(std::size_t least);
/* Two that share a group, and nobody else is in it. */
std::vector<PciFunction> edu_group();
/* The first one is an edu, the second one in its group has another driver. */
std::vector<PciFunction> crowded_edu();

/* Memory::fill() of what a device copies, and of what it should leave alone. */
constexpr unsigned int data_salt = 1, clean_salt = 2;

/* Has all that the device copies come here, and does nothing else differ? */
bool landed(const Memory &memory, std::uint64_t offset = 0,
	    unsigned int salt = data_salt);
/* Is this what was filled with clean_salt? */
bool untouched(const Memory &memory);
bool untouched(const Memory &memory, std::uint64_t offset, std::uint64_t length);
/* Is there nowhere in the page what fill() puts there? */
bool nothing_of(unsigned int salt, const Memory &memory);

/* A device that is bound, and an IOAS which it is not attached to yet. */
struct EduWorld {
	static constexpr std::uint64_t source_iova = 0x100000;
	static constexpr std::uint64_t target_iova = 0x200000;

	explicit EduWorld(const PciFunction &of = lone_edu());

	/* Attaches the device, and has it read the data. Returns the HWPT. */
	std::uint32_t load() const;
	/*
	 * Starts to write to @iova, does something, and waits. Tells whether that was
	 * over before the device wrote.
	 */
	bool overtake(std::uint64_t iova, const std::function<void()> &something) const;

	PciFunction function;
	Loan loan;
	Context context;
	PciDevice device;
	Edu edu;
	std::uint32_t ioas;
	Memory source{page_size}, target{4 * page_size};
};

} // namespace guest

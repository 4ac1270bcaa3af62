// SPDX-License-Identifier: GPL-2.0-only
// A PCI function on loan: taken from its driver for iommukit_pci, and given back with
// this to whom it belonged.
#pragma once

#include "output.h"
#include "pci.h"

namespace ctl {

class PciLoan {
    public:
	// In a dry run it only says what would be done.
	PciLoan(const iommukit::PciFunction &function, const Output &output,
		bool dry_run);
	PciLoan(const PciLoan &) = delete;
	PciLoan &operator=(const PciLoan &) = delete;
	~PciLoan();

	const iommukit::PciFunction &function() const noexcept { return function_; }

    private:
	iommukit::PciFunction function_;
	iommukit::PciOwner before_;
	const Output &output_;
	bool dry_run_;
};

// What a dry run says in place of moving a function to another driver; "?" if the
// kernel chooses it.
void say_move(const Output &output, const iommukit::PciFunction &function,
	      const std::string &from, const std::string &to);

} // namespace ctl

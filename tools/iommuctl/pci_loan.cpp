// SPDX-License-Identifier: GPL-2.0-only
// Whoever else has moved the function meanwhile knows why: it is left alone then.
#include "pci_loan.h"

#include "end_signal.h"
#include "failure.h"

namespace ctl {

using namespace iommukit;

namespace {

constexpr char none[] = "none";

const std::string ours(pci_offer_driver);

} // namespace

void say_move(const Output &output, const PciFunction &function, const std::string &from,
	      const std::string &to)
{
	auto json = [](const std::string &driver) {
		return driver == none || driver == "?" ? Json() : Json(driver);
	};

	if (output.json())
		output.document({{"version", 1},
				 {"driver",
				  {{"device", function.address()},
				   {"from", json(from)},
				   {"to", json(to)}}}});
	else
		output.text("driver(" + function.address() + ", from=" + from +
			    ", to=" + to + ")\n");
}

PciLoan::PciLoan(const PciFunction &function, const Output &output, bool dry_run)
	: function_(function), before_(function.owner()), output_(output),
	  dry_run_(dry_run)
{
	if (dry_run_) {
		say_move(output_, function_, before_.driver.value_or(none), ours);
	} else {
		note_end_signals();
		function_.give_to(ours);
	}
}

PciLoan::~PciLoan()
{
	try {
		if (dry_run_)
			say_move(output_, function_, ours, before_.driver.value_or(none));
		else if (function_.owner().wanted == ours)
			function_.give_back(before_);
	} catch (const Error &error) {
		Failure failure = explain(error);
		output_.warning(function_.address() + " was not given back to " +
					before_.driver.value_or("nobody") + ": " +
					failure.what(),
				failure.hint());
	} catch (const std::exception &) {
		// Of the output: whoever writes next will find it out, too.
	}
}

} // namespace ctl

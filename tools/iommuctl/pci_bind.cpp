// SPDX-License-Identifier: GPL-2.0-only
// A driver cannot have a function while another one of its group is bound: so loans
// end by groups. All of a group use one page table, so replacing it for one of them
// is done for all that are attached.
#include "pci_bind.h"

#include "failure.h"
#include "obstacles.h"

#include <algorithm>
#include <cerrno>

namespace ctl {

using namespace iommukit;

namespace {

void end_loans(ContextRecord &context, const std::optional<unsigned int> &group)
{
	if (std::ranges::find(context.functions, group, [](const auto &record) {
		    return record->group;
	    }) != context.functions.end())
		return;
	std::erase_if(context.loans, [&](const auto &loan) {
		return loan->function().group() == group;
	});
}

void lend(Session &session, ContextRecord &context, const PciFunction &function)
{
	// It still is on loan if another one of its group has stayed bound.
	if (std::ranges::find(context.loans, function, [](const auto &loan) {
		    return loan->function();
	    }) != context.loans.end())
		return;
	context.loans.push_back(
		std::make_unique<PciLoan>(function, session.output(), session.dry_run()));
}

void remember(PciRecord &record, const Target &target, ObjectId hwpt)
{
	record.ioas = target.ioas;
	record.hwpt = hwpt;
}

} // namespace

PciRecord *find_function(Session &session, const std::string &address)
{
	if (session.contexts().empty())
		return nullptr;
	auto &functions = session.context().functions;
	auto it = std::ranges::find(functions, address, [](const auto &record) {
		return record->function.address();
	});
	return it == functions.end() ? nullptr : it->get();
}

ObjectId bind_function(Session &session, const std::string &address)
{
	PciFunction function(address);

	if (PciRecord *record = find_function(session, address))
		throw usage_failure(address + " is bound already",
				    "it is device " +
					    std::to_string(record->device.id().value));
	if (!session.dry_run())
		check_bindable(function);
	ContextRecord &context = session.context();
	lend(session, context, function);
	try {
		context.functions.push_back(
			std::make_unique<PciRecord>(context.context, function));
	} catch (const Error &error) {
		Failure failure = bind_failure(function, error);
		end_loans(context, function.group());
		throw failure;
	}
	return context.functions.back()->device.id();
}

void unbind_function(ContextRecord &context, PciRecord &record)
{
	std::optional<unsigned int> group = record.group;

	try {
		record.device.destroy();
	} catch (const Error &error) {
		// It was unplugged, or taken from its driver.
		if (error.number() != ENOENT)
			throw;
		record.device.release();
	}
	std::erase_if(context.functions,
		      [&](const auto &other) { return other.get() == &record; });
	end_loans(context, group);
}

void reclaim_function(Session &session, const std::string &address)
{
	PciFunction function(address);

	if (function.driver() != pci_offer_driver)
		throw usage_failure(
			address + " is not bound",
			"device show lists what is, device list the functions");
	if (session.dry_run())
		say_move(session.output(), function, std::string(pci_offer_driver), "?");
	else
		function.give_back();
}

void attach_function(PciRecord &record, const Target &target)
{
	remember(record, target, record.device.attach(target.id));
}

void replace_function(ContextRecord &context, PciRecord &record, const Target &target)
{
	ObjectId hwpt = record.device.replace(target.id);

	for (auto &other : context.functions)
		if (other->group == record.group && other->hwpt)
			remember(*other, target, hwpt);
}

void detach_function(PciRecord &record)
{
	record.device.detach();
	record.ioas.reset();
	record.hwpt.reset();
}

} // namespace ctl

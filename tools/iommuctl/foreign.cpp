// SPDX-License-Identifier: GPL-2.0-only
// The kernel says what was wrong with a question; the commands that help are known here.
#include "foreign.h"

#include <cerrno>
#include <limits>

namespace ctl {

using namespace iommukit;

std::optional<std::uint32_t> wanted_context(const Arguments &args)
{
	auto number = args.number("context");

	if (number && *number > std::numeric_limits<std::uint32_t>::max())
		throw usage_failure("no context has number " + std::to_string(*number),
				    "context list");
	return number;
}

std::optional<std::uint32_t> wanted_object(const Arguments &args, std::string_view name)
{
	auto id = args.id(name);

	return id ? std::optional(id->value) : std::nullopt;
}

namespace {

std::string object_text(const Error &error, std::uint32_t object)
{
	std::string what = error.command() == "AREA_GET"    ? "IOAS "
			   : error.command() == "ENTRY_GET" ? "IOTLB "
							    : "object ";

	return what + std::to_string(object);
}

// Not of an object in it, or its address spaces.
bool lacks_context(const Error &error)
{
	return error.command() == "CONTEXT_GET" ||
	       error.subject().path.starts_with("no context");
}

} // namespace

Failure explain_foreign(const Error &error, std::optional<std::uint32_t> context,
			std::optional<std::uint32_t> object)
{
	if (!error.command().ends_with("_GET"))
		return explain(error);
	if (error.number() == EPERM)
		return {Exit::not_permitted,
			"only an administrator may see addresses of other processes",
			"run as root; show tells anybody how much there is", EPERM,
			error.command()};
	if (!context)
		return explain(error);
	std::string number = std::to_string(*context);
	if (object && error.subject().path.ends_with("address space"))
		return {Exit::refused,
			object_text(error, *object) + " of context " + number +
				" has no such address space",
			"show context " + number + " object " + std::to_string(*object) +
				" asids",
			error.number(), error.command()};
	if (error.number() != ENOENT)
		return explain(error);
	if (!object || lacks_context(error))
		return {Exit::refused, "there is no context " + number, "context list",
			ENOENT, error.command()};
	return {Exit::refused,
		"context " + number + " has no " + object_text(error, *object),
		"show context " + number, ENOENT, error.command()};
}

std::map<std::uint32_t, ContextFacts> contexts_by_number(Administration &administration)
{
	std::map<std::uint32_t, ContextFacts> out;

	for (auto &facts : administration.contexts())
		out.emplace(facts.id, std::move(facts));
	return out;
}

std::string account_text(iommukit_nl_account account)
{
	switch (account) {
	case IOMMUKIT_NL_ACCOUNT_USER:
		return "user";
	case IOMMUKIT_NL_ACCOUNT_MM:
		return "process";
	default:
		return "none";
	}
}

Json limit_json(std::optional<Bytes> limit)
{
	if (!limit || limit->value == std::numeric_limits<std::uint64_t>::max())
		return {};
	return limit->value;
}

Json pid_json(const ContextFacts &facts)
{
	return facts.pid ? Json(*facts.pid) : Json();
}

} // namespace ctl

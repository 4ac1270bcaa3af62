// SPDX-License-Identifier: GPL-2.0-only
// The kernel knows best what is mapped on demand: the session's books are not asked.
#include "ondemand_target.h"

#include "failure.h"
#include "words.h"

namespace ctl {

using namespace iommukit;

std::string OndemandTarget::name() const
{
	return "ioas " + std::to_string(ioas.ioas.id().value) +
	       (iova ? " " + hex(iova->value) : std::string());
}

OndemandTarget find_ondemand(Session &session, const Arguments &args)
{
	IoasRecord &ioas = session.ioas(args.id("ioas"));
	std::string where = args.text("where").value_or("all");

	if (where == "all")
		return {ioas, std::nullopt};
	auto number = parse_number(where);
	if (!number)
		throw usage_failure("'" + where + "' is neither an IOVA nor 'all'",
				    "ioas show lists the mappings");
	return {ioas, Iova(*number)};
}

} // namespace ctl

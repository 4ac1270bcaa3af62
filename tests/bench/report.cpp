// SPDX-License-Identifier: GPL-2.0-only
// The same results as a table for people and as JSON for programs.
#include "bench.h"

#include <nlohmann/json.hpp>

#include <cstdio>

namespace bench {

void print_head()
{
	std::printf("%-30s %12s %-6s %12s  %-22s %7s %7s  %s\n", "case", "ours", "unit",
		    "peer", "peer is", "ratio", "of min", "must hold");
	std::fflush(stdout);
}

void print_row(const Result &result)
{
	const Case &origin = *result.origin;
	std::string verdict;

	if (origin.bound)
		verdict = origin.bound->text() + (result.holds() ? ": yes" : ": NO");
	std::printf("%-30s %12.2f %-6s %12.2f  %-22s %7.3f %7.3f  %s\n",
		    origin.name.c_str(), result.ours, origin.unit.c_str(), result.peer,
		    origin.peer_name.c_str(), result.ratio(), result.ratio_min(),
		    verdict.c_str());
	// The next case may take long, or the machine may end first.
	std::fflush(stdout);
}

void print_notes(const std::vector<Result> &results)
{
	for (const auto &result : results)
		if (!result.note.empty())
			std::printf("%s: %s\n", result.origin->name.c_str(),
				    result.note.c_str());
}

std::string to_json(const std::vector<Result> &results)
{
	auto array = nlohmann::ordered_json::array();

	for (const auto &result : results)
		array.push_back({{"case", result.origin->name},
				 {"unit", result.origin->unit},
				 {"ours", result.ours},
				 {"peer_name", result.origin->peer_name},
				 {"peer", result.peer},
				 {"ratio", result.ratio()},
				 {"rounds", result.rounds},
				 {"ours_min", result.ours_min},
				 {"peer_min", result.peer_min},
				 {"ratio_min", result.ratio_min()}});
	return array.dump(1) + "\n";
}

} // namespace bench

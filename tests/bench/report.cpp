// SPDX-License-Identifier: GPL-2.0-only
// The same results as a table for people and as JSON for programs.
#include "bench.h"

#include <nlohmann/json.hpp>

#include <cstdio>

namespace bench {

void print_head()
{
	std::printf("%-28s %12s %-8s %12s  %-22s %8s  %s\n", "case", "ours", "unit",
		    "peer", "peer is", "ratio", "must hold");
	std::fflush(stdout);
}

void print_row(const Result &result)
{
	const Case &origin = *result.origin;
	std::string verdict;

	if (origin.bound)
		verdict = origin.bound->text() + (result.holds() ? ": yes" : ": NO");
	std::printf("%-28s %12.2f %-8s %12.2f  %-22s %8.2f  %s\n", origin.name.c_str(),
		    result.figures.ours, origin.unit.c_str(), result.figures.peer,
		    origin.peer_name.c_str(), result.ratio(), verdict.c_str());
	// The next case may take long, or the machine may end first.
	std::fflush(stdout);
}

void print_notes(const std::vector<Result> &results)
{
	for (const auto &result : results)
		if (!result.figures.note.empty())
			std::printf("%s: %s\n", result.origin->name.c_str(),
				    result.figures.note.c_str());
}

std::string to_json(const std::vector<Result> &results)
{
	auto array = nlohmann::ordered_json::array();

	for (const auto &result : results)
		array.push_back({{"case", result.origin->name},
				 {"unit", result.origin->unit},
				 {"ours", result.figures.ours},
				 {"peer_name", result.origin->peer_name},
				 {"peer", result.figures.peer},
				 {"ratio", result.ratio()},
				 {"rounds", result.figures.rounds}});
	return array.dump(1) + "\n";
}

} // namespace bench

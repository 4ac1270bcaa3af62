// SPDX-License-Identifier: GPL-2.0-only
// iommukit-bench: what things cost, next to a peer measured in the same run.
// Exit status: 0, 1 if a bound does not hold, a case failed or none could be
// measured, 2 wrong usage.
#include "bench.h"

#include <CLI/CLI.hpp>

#include <fnmatch.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <map>

namespace {

struct Options {
	std::string pattern;
	std::string json;
	bool upstream = false;
	bool list = false;
};

bool matches(const std::string &pattern, const std::string &name)
{
	if (pattern.empty() || name.find(pattern) != std::string::npos)
		return true;
	return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
}

std::vector<bench::Case> chosen_cases(const std::string &pattern)
{
	std::vector<bench::Case> cases;

	bench::add_access_cases(cases);
	bench::add_alloc_cases(cases);
	bench::add_bitmap_cases(cases);
	bench::add_domain_cases(cases);
	bench::add_event_cases(cases);
	bench::add_ioas_cases(cases);
	bench::add_iotlb_cases(cases);
	bench::add_memory_cases(cases);
	bench::add_netlink_cases(cases);
	bench::add_ondemand_cases(cases);
	bench::add_ondemand_first_cases(cases);
	bench::add_ondemand_flow_cases(cases);
	bench::add_ondemand_zap_cases(cases);
	bench::add_upstream_cases(cases);
	std::erase_if(cases,
		      [&](const auto &origin) { return !matches(pattern, origin.name); });
	return cases;
}

// With "-" the array is all there is on stdout, so the table keeps silent.
void write_json(const std::string &path, const std::string &text)
{
	if (path == "-") {
		std::cout << text << std::flush;
		return;
	}
	std::ofstream file(path);

	if (!(file << text << std::flush))
		throw std::runtime_error("cannot write " + path);
}

// What became of the cases.
struct Outcome {
	std::vector<bench::Result> results;
	std::map<std::string, std::string> left_out; // names by reason
	std::vector<std::string> bad;
};

void measure(const bench::Case &origin, const Options &options, Outcome &outcome)
{
	const bool required = options.upstream && origin.name.starts_with("upstream/");

	try {
		outcome.results.emplace_back(origin, origin.measure());
	} catch (const bench::NotHere &reason) {
		if (required)
			outcome.bad.push_back(origin.name + ": " + reason.what());
		else
			outcome.left_out[reason.what()] += ' ' + origin.name;
		return;
	} catch (const std::exception &error) {
		outcome.bad.push_back(origin.name + " failed: " + error.what());
		return;
	}
	const auto &result = outcome.results.back();
	if (options.json != "-")
		bench::print_row(result);
	if (!result.holds())
		outcome.bad.push_back(origin.name + " must hold " + origin.bound->text());
}

int run(const Options &options)
{
	const auto cases = chosen_cases(options.pattern);
	const bool table = options.json != "-";
	Outcome outcome;

	if (cases.empty()) {
		std::cerr << "iommukit-bench: no case matches '" << options.pattern
			  << "'\n"
			  << "hint: iommukit-bench --list\n";
		return 2;
	}
	if (table)
		bench::print_head();
	for (const auto &origin : cases)
		measure(origin, options, outcome);
	if (table)
		bench::print_notes(outcome.results);
	if (!options.json.empty())
		write_json(options.json, bench::to_json(outcome.results));
	for (const auto &[reason, names] : outcome.left_out)
		std::cerr << "iommukit-bench: left out, because " << reason << ':'
			  << names << '\n';
	for (const auto &line : outcome.bad)
		std::cerr << "iommukit-bench: " << line << '\n';
	return outcome.bad.empty() && !outcome.results.empty() ? 0 : 1;
}

} // namespace

int main(int argc, char **argv)
{
	Options options;
	CLI::App app("Measures iommukit; needs its modules, iommukit_bench included.");

	app.add_option("--case", options.pattern,
		       "Only cases whose name contains it or matches it (*?[])")
		->envname("CASE");
	app.add_option("--json", options.json,
		       "Write one JSON array to this file; '-': to stdout, no table")
		->expected(0, 1)
		->default_str("-")
		->envname("JSON");
	app.add_flag("--upstream", options.upstream,
		     "Fail if the kernel's own iommufd is not there to compare with");
	app.add_flag("--list", options.list, "Print the names of the cases");
	try {
		app.parse(argc, argv);
	} catch (const CLI::ParseError &error) {
		return app.exit(error) == 0 ? 0 : 2;
	}
	try {
		if (options.list) {
			for (const auto &origin : chosen_cases(options.pattern))
				std::cout << origin.name << '\n';
			return 0;
		}
		return run(options);
	} catch (const std::exception &error) {
		std::cerr << "iommukit-bench: " << error.what() << '\n';
		return 1;
	}
}

// SPDX-License-Identifier: GPL-2.0-only
// iommukit-bench: what things cost, next to a peer measured in the same run.
// Exit status: 0, 1 if a bound does not hold or a case failed, 2 wrong usage.
#include "bench.h"

#include <CLI/CLI.hpp>

#include <fnmatch.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>

namespace {

struct Options {
	std::string pattern;
	std::string json;
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
	bench::add_ioas_cases(cases);
	bench::add_memory_cases(cases);
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

int run(const Options &options)
{
	const auto cases = chosen_cases(options.pattern);
	const bool table = options.json != "-";
	std::vector<bench::Result> results;
	std::vector<std::string> bad;

	if (cases.empty()) {
		std::cerr << "iommukit-bench: no case matches '" << options.pattern
			  << "'\n"
			  << "hint: iommukit-bench --list\n";
		return 2;
	}
	if (table)
		bench::print_head();
	for (const auto &origin : cases) {
		try {
			results.push_back({&origin, origin.measure()});
		} catch (const std::exception &error) {
			bad.push_back(origin.name + " failed: " + error.what());
			continue;
		}
		if (table)
			bench::print_row(results.back());
		if (!results.back().holds())
			bad.push_back(origin.name + " must hold " + origin.bound->text());
	}
	if (results.empty() && bad.empty()) {
		std::cerr << "iommukit-bench: no case matches '" << options.pattern
			  << "'\n"
			  << "hint: iommukit-bench --list\n";
		return 2;
	}
	if (table)
		bench::print_notes(results);
	if (!options.json.empty())
		write_json(options.json, bench::to_json(results));
	for (const auto &line : bad)
		std::cerr << "iommukit-bench: " << line << '\n';
	return bad.empty() ? 0 : 1;
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

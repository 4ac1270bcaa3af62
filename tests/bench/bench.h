// SPDX-License-Identifier: GPL-2.0-only
// What a benchmark is: a case with a name, which measures ours against a peer
// in alternating rounds, and may have a bound that must hold.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace bench {

struct Figures {
	double ours = 0;
	double peer = 0;
	unsigned rounds = 1;
	// Something worth a line below the table.
	std::string note = {};
};

// A figure of the issue that the project promises.
struct Bound {
	enum class Of { ours, ratio };
	enum class Sense { at_most, at_least };

	Of of;
	Sense sense;
	double value;

	bool holds(double figure) const;
	std::string text() const;
};

struct Case {
	std::string name; // room/what-size
	std::string unit;
	std::string peer_name;
	std::function<Figures()> measure;
	std::optional<Bound> bound = {};
};

struct Result {
	const Case *origin;
	Figures figures;

	double ratio() const;
	bool holds() const;
};

double median(std::vector<double> values);

// Calls both in turn, and takes the median of each.
Figures alternate(unsigned rounds, const std::function<double()> &ours,
		  const std::function<double()> &peer);

// Seconds of CLOCK_MONOTONIC that the call takes.
double seconds(const std::function<void()> &what);

constexpr unsigned default_rounds = 7;

void add_access_cases(std::vector<Case> &cases);
void add_alloc_cases(std::vector<Case> &cases);
void add_ioas_cases(std::vector<Case> &cases);
void add_memory_cases(std::vector<Case> &cases);

void print_head();
void print_row(const Result &result);
void print_notes(const std::vector<Result> &results);
std::string to_json(const std::vector<Result> &results);

} // namespace bench

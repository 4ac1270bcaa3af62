// SPDX-License-Identifier: GPL-2.0-only
// What a benchmark is: a case with a name, which measures ours against a peer
// in alternating rounds, and may have a bound that must hold.
#pragma once

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

// One figure of each round.
struct Figures {
	std::vector<double> ours;
	std::vector<double> peer;
	// Something worth a line below the table.
	std::string note = {};
};

// Thrown by a case for which this machine or kernel lacks something: it is left
// out, and the reason is printed.
struct NotHere : std::runtime_error {
	using std::runtime_error::runtime_error;
};

// A figure of the issue that the project promises.
struct Bound {
	enum class Of { ours, ratio };
	enum class Sense { at_most, at_least };

	Of of;
	Sense sense;
	double value;
	// What the figure may be off by, as a part of it: where both sides spend
	// all their time in the same code, they cannot be told apart better.
	double blur = 0;

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

// Medians and minima over the rounds.
struct Result {
	const Case *origin;
	double ours, peer, ours_min, peer_min;
	std::size_t rounds;
	std::string note;

	Result(const Case &origin, const Figures &figures);

	double ratio() const;
	double ratio_min() const;
	bool holds() const;
};

double median(std::vector<double> values);

// Seconds of CLOCK_MONOTONIC that the call takes.
double seconds(const std::function<void()> &what);

// A short measurement: how long it took in all, and the figure of one operation,
// in nanoseconds.
struct Slice {
	double taken;
	double figure;
};

// In a round ours and the peer take turns, a slice each, and of each side the
// fastest slice counts: for the time of some slices the machine left the
// processor to us alone.
Figures alternate(const std::function<Slice()> &ours, const std::function<Slice()> &peer);

// A hundred calls.
Slice slice_of_calls(const std::function<void()> &what);

constexpr unsigned default_rounds = 7;
// How long each side measures in a round, and in a slice if it can choose.
constexpr double round_ns = 50e6;
constexpr double slice_ns = 1e6;

void add_access_cases(std::vector<Case> &cases);
void add_alloc_cases(std::vector<Case> &cases);
void add_bitmap_cases(std::vector<Case> &cases);
void add_domain_cases(std::vector<Case> &cases);
void add_ioas_cases(std::vector<Case> &cases);
void add_event_cases(std::vector<Case> &cases);
void add_iotlb_cases(std::vector<Case> &cases);
void add_memory_cases(std::vector<Case> &cases);
void add_netlink_cases(std::vector<Case> &cases);
void add_ondemand_cases(std::vector<Case> &cases);
void add_ondemand_first_cases(std::vector<Case> &cases);
void add_ondemand_flow_cases(std::vector<Case> &cases);
void add_ondemand_zap_cases(std::vector<Case> &cases);
void add_upstream_cases(std::vector<Case> &cases);

void print_head();
void print_row(const Result &result);
void print_notes(const std::vector<Result> &results);
std::string to_json(const std::vector<Result> &results);

} // namespace bench

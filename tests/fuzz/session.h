// SPDX-License-Identifier: GPL-2.0-only
// Sequences of operations, run against the model and the machine side by side.
#pragma once

#include "machine.h"

#include <functional>
#include <map>

namespace fuzz {

struct Failure {
	// How many operations it took; all, if it shows at the end only.
	std::size_t operations;
	std::string what;
};

// How often each kind of operation had each result.
class Statistics {
    public:
	void count(Kind kind, int error) { counts[{kind, error}]++; }
	std::string table() const;

    private:
	std::map<std::pair<Kind, int>, std::uint64_t> counts;
};

class Session {
    public:
	explicit Session(Machine &machine, Statistics *statistics = nullptr);

	// Runs a sequence on fresh objects.
	std::optional<Failure> run(const Sequence &sequence);
	// Runs that many operations at random, if it may, keeping them in the sequence.
	std::optional<Failure> run_random(std::uint64_t seed, std::size_t operations,
					  Sequence &sequence,
					  const std::function<bool()> &may_go_on);
	// Operations that were really done.
	std::uint64_t operations() const { return done; }

    private:
	std::optional<std::string> step(Model &model, const Op &op);

	Machine &machine;
	Statistics *statistics;
	Environment environment;
	std::uint64_t done = 0;
};

// A shortest sequence that still fails in the same way, by leaving out more and more.
Sequence shrink(Sequence sequence,
		const std::function<std::optional<Failure>(const Sequence &)> &run,
		const Failure &first);

} // namespace fuzz

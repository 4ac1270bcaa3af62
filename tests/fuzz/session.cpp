// SPDX-License-Identifier: GPL-2.0-only
#include "session.h"
#include "generator.h"

#include "error.h"

#include <algorithm>
#include <chrono>
#include <iomanip>
#include <sstream>

namespace fuzz {

std::string Statistics::table() const
{
	std::ostringstream text;

	for (unsigned n = 0; n < static_cast<unsigned>(Kind::count); n++) {
		const auto kind = static_cast<Kind>(n);
		std::string never;

		if (info(kind).errors.empty())
			continue;
		text << "# " << std::left << std::setw(14) << info(kind).name;
		for (const int error : info(kind).errors) {
			const auto found = counts.find({kind, error});
			const std::string name =
				error ? iommukit::errno_name(error) : "ok";

			if (found == counts.end())
				never += " " + name;
			else
				text << ' ' << name << ' ' << found->second;
		}
		if (!never.empty())
			text << "; never:" << never;
		text << '\n';
	}
	return text.str();
}

Session::Session(Machine &m, Statistics *s)
	: machine(m), statistics(s), environment(find_environment())
{
}

std::optional<std::string> Session::step(Model &model, const Op &op)
{
	const Expect expect = model.apply(op);

	if (expect.skip)
		return {};
	const auto difference = machine.execute(op, expect);
	done++;
	if (statistics)
		statistics->count(op.kind, machine.last_error());
	return difference;
}

std::optional<Failure> Session::run(const Sequence &sequence)
{
	Model model(environment);

	machine.reset();
	for (std::size_t n = 0; n < sequence.size(); n++)
		if (auto difference = step(model, sequence[n]))
			return Failure{n + 1, *difference};
	if (auto difference = machine.finish(model))
		return Failure{sequence.size(), *difference};
	return {};
}

std::optional<Failure> Session::run_random(std::uint64_t seed, std::size_t operations,
					   Sequence &sequence,
					   const std::function<bool()> &may_go_on)
{
	constexpr std::size_t between = 128;
	Model model(environment);
	Generator generator(model, seed);

	sequence.clear();
	machine.reset();
	while (sequence.size() < operations &&
	       (sequence.size() % between || may_go_on())) {
		sequence.push_back(generator.next());
		if (auto difference = step(model, sequence.back()))
			return Failure{sequence.size(), *difference};
	}
	if (auto difference = machine.finish(model))
		return Failure{sequence.size(), *difference};
	return {};
}

namespace {

constexpr std::chrono::seconds shrink_time(180);

// Numbers change while a sequence shrinks; what is wrong must not.
std::string gist(const Sequence &sequence, const Failure &failure)
{
	std::string text = info(sequence[failure.operations - 1].kind).name;

	for (const char c : failure.what)
		if (!isxdigit(c))
			text += c;
	return text;
}

} // namespace

Sequence shrink(Sequence sequence,
		const std::function<std::optional<Failure>(const Sequence &)> &run,
		const Failure &first)
{
	using Clock = std::chrono::steady_clock;
	const auto limit = Clock::now() + shrink_time;
	const std::string wanted = gist(sequence, first);
	std::size_t chunk = std::max<std::size_t>(sequence.size() / 2, 1);

	for (;;) {
		bool shorter = false;

		for (std::size_t at = 0; at < sequence.size();) {
			// On a slow kernel, better than nothing.
			if (Clock::now() > limit)
				return sequence;
			Sequence without = sequence;
			const auto from = without.begin() + static_cast<long>(at);
			const auto to =
				from +
				static_cast<long>(std::min(chunk, sequence.size() - at));

			without.erase(from, to);
			const auto failure =
				without.empty() ? std::nullopt : run(without);
			if (!failure || gist(without, *failure) != wanted) {
				at += chunk;
				continue;
			}
			without.resize(failure->operations);
			sequence = without;
			shorter = true;
		}
		if (chunk > 1)
			chunk /= 2;
		else if (!shorter)
			return sequence;
	}
}

} // namespace fuzz

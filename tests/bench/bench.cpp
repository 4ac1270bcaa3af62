// SPDX-License-Identifier: GPL-2.0-only
#include "bench.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <sstream>

namespace bench {

bool Bound::holds(double figure) const
{
	return sense == Sense::at_most ? figure <= value * (1 + blur)
				       : figure >= value * (1 - blur);
}

std::string Bound::text() const
{
	std::ostringstream out;

	out << (of == Of::ratio ? "ratio " : "")
	    << (sense == Sense::at_most ? "<= " : ">= ") << value;
	if (blur > 0)
		out << " (+-" << 100 * blur << " %)";
	return out.str();
}

static double minimum(const std::vector<double> &values)
{
	return *std::min_element(values.begin(), values.end());
}

Result::Result(const Case &case_, const Figures &figures)
	: origin(&case_), ours(median(figures.ours)), peer(median(figures.peer)),
	  ours_min(minimum(figures.ours)), peer_min(minimum(figures.peer)),
	  rounds(figures.ours.size()), note(figures.note)
{
}

double Result::ratio() const
{
	return peer > 0 ? ours / peer : 0;
}

double Result::ratio_min() const
{
	return peer_min > 0 ? ours_min / peer_min : 0;
}

bool Result::holds() const
{
	const auto &bound = origin->bound;

	return !bound || bound->holds(bound->of == Bound::Of::ratio ? ratio() : ours);
}

double median(std::vector<double> values)
{
	auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);

	std::nth_element(values.begin(), middle, values.end());
	return *middle;
}

double seconds(const std::function<void()> &what)
{
	using clock = std::chrono::steady_clock;
	const auto begin = clock::now();

	what();
	return std::chrono::duration<double>(clock::now() - begin).count();
}

namespace {

// One side of a round.
struct Side {
	const std::function<Slice()> &measure;
	double taken = 0;
	double fastest = HUGE_VAL;

	void slice()
	{
		const Slice one = measure();

		taken += one.taken;
		fastest = std::min(fastest, one.figure);
	}
};

} // namespace

Figures alternate(const std::function<Slice()> &ours, const std::function<Slice()> &peer)
{
	constexpr unsigned slices_min = 5;
	Figures figures;

	for (unsigned round = 0; round < default_rounds; round++) {
		Side a{ours}, b{peer};

		for (unsigned i = 0;
		     i < slices_min || a.taken < round_ns || b.taken < round_ns; i++) {
			a.slice();
			b.slice();
		}
		figures.ours.push_back(a.fastest);
		figures.peer.push_back(b.fastest);
	}
	return figures;
}

Slice slice_of_calls(const std::function<void()> &what)
{
	constexpr unsigned calls = 100;
	const double ns = 1e9 * seconds([&] {
				  for (unsigned i = 0; i < calls; i++)
					  what();
			  });

	return {ns, ns / calls};
}

} // namespace bench

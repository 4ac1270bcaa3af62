// SPDX-License-Identifier: GPL-2.0-only
#include "bench.h"

#include <algorithm>
#include <chrono>
#include <sstream>

namespace bench {

bool Bound::holds(double figure) const
{
	return sense == Sense::at_most ? figure <= value : figure >= value;
}

std::string Bound::text() const
{
	std::ostringstream out;

	out << (of == Of::ratio ? "ratio " : "")
	    << (sense == Sense::at_most ? "<= " : ">= ") << value;
	return out.str();
}

double Result::ratio() const
{
	return figures.peer > 0 ? figures.ours / figures.peer : 0;
}

bool Result::holds() const
{
	const auto &bound = origin->bound;

	return !bound ||
	       bound->holds(bound->of == Bound::Of::ratio ? ratio() : figures.ours);
}

double median(std::vector<double> values)
{
	auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);

	std::nth_element(values.begin(), middle, values.end());
	return *middle;
}

Figures alternate(unsigned rounds, const std::function<double()> &ours,
		  const std::function<double()> &peer)
{
	std::vector<double> a, b;

	for (unsigned i = 0; i < rounds; i++) {
		a.push_back(ours());
		b.push_back(peer());
	}
	return {.ours = median(a), .peer = median(b), .rounds = rounds};
}

double seconds(const std::function<void()> &what)
{
	using clock = std::chrono::steady_clock;
	const auto begin = clock::now();

	what();
	return std::chrono::duration<double>(clock::now() - begin).count();
}

} // namespace bench

// SPDX-License-Identifier: GPL-2.0-only
// A day is longer than anything that is to be waited for, and short enough to be
// counted in nanoseconds.
#include "amounts.h"

#include <charconv>
#include <cmath>
#include <cstdint>

namespace ctl {

using namespace std::chrono;

namespace {

constexpr std::uint64_t most_seconds = 24 * 60 * 60;

// The number at the beginning of the text, which is left with the rest.
template <class T> std::optional<T> take_number(std::string_view &text)
{
	T value{};
	auto [end, error] =
		std::from_chars(text.data(), text.data() + text.size(), value);

	if (error != std::errc())
		return std::nullopt;
	text.remove_prefix(static_cast<std::size_t>(end - text.data()));
	return value;
}

std::optional<std::uint64_t> units_per_second(std::string_view unit)
{
	if (unit == "us")
		return 1000000;
	if (unit.empty() || unit == "ms")
		return 1000;
	if (unit == "s")
		return 1;
	return std::nullopt;
}

} // namespace

std::optional<nanoseconds> parse_duration(std::string_view text)
{
	auto value = take_number<std::uint64_t>(text);
	auto units = units_per_second(text);

	if (!value || !units || *value > most_seconds * *units)
		return std::nullopt;
	return nanoseconds(*value * (1000000000 / *units));
}

std::optional<iommukit::IotlbFaultRate> parse_rate(std::string_view text)
{
	if (text.ends_with('%')) {
		auto percent = take_number<double>(text);
		if (!percent || text != "%" || !(*percent >= 0 && *percent <= 100))
			return std::nullopt;
		return iommukit::IotlbFaultRate{.chance = *percent / 100};
	}
	auto every = take_number<std::uint64_t>(text);
	if (!every || !*every || !text.empty())
		return std::nullopt;
	return iommukit::IotlbFaultRate{.every = *every};
}

double per_second(double amount, nanoseconds time)
{
	double seconds = duration<double>(time).count();

	return seconds > 0 ? std::round(amount / seconds * 10) / 10 : 0;
}

} // namespace ctl

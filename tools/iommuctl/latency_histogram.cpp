// SPDX-License-Identifier: GPL-2.0-only
// A bar for each power of two of microseconds, from the fastest miss to the slowest. The
// longest bar is that of most misses; one miss can be seen beside a million.
#include "latency_histogram.h"

#include "svg.h"
#include "words.h"

#include <algorithm>
#include <vector>

namespace ctl {

using namespace iommukit;

namespace {

// "  < 32768 us  |" in front, "| 1234567890" behind.
constexpr std::size_t label_width = 13;
constexpr std::size_t count_width = 12;

struct Bar {
	std::string label; // without "<", which means something in SVG
	bool above = false;
	std::uint64_t misses = 0;
};

std::vector<Bar> bars(const IotlbStats &stats)
{
	auto latency = stats.latency();
	std::vector<Bar> out;

	for (std::size_t i = 0; i < latency.size(); i++) {
		bool above = i + 1 == latency.size();
		std::uint64_t us = above ? std::uint64_t(1) << i : std::uint64_t(2) << i;
		out.push_back({std::to_string(us) + " us", above, latency[i]});
	}
	auto used = [](const Bar &bar) { return bar.misses != 0; };
	while (!out.empty() && !used(out.back()))
		out.pop_back();
	out.erase(out.begin(), std::ranges::find_if(out, used));
	return out;
}

std::uint64_t most(const std::vector<Bar> &list)
{
	return std::ranges::max_element(list, {}, &Bar::misses)->misses;
}

std::size_t length(const Bar &bar, std::uint64_t most, std::size_t width)
{
	if (!bar.misses)
		return 0;
	auto share = static_cast<double>(bar.misses) / static_cast<double>(most);
	return std::max<std::size_t>(
		1, static_cast<std::size_t>(share * static_cast<double>(width)));
}

} // namespace

std::string latency_text(const Output &output, const IotlbStats &stats)
{
	std::vector<Bar> list = bars(stats);
	std::size_t columns = output.columns();
	std::size_t others = label_width + 2 + count_width;
	std::size_t width = columns > others ? columns - others : 1;
	std::string out;

	if (list.empty())
		return "  no miss was answered yet\n";
	for (const Bar &bar : list) {
		std::size_t filled = length(bar, most(list), width);
		out += pad_left((bar.above ? ">= " : "< ") + bar.label, label_width) +
		       " |" + output.coloured(Colour::green, std::string(filled, '#')) +
		       std::string(width - filled, ' ') + "| " +
		       std::to_string(bar.misses) + "\n";
	}
	return out;
}

std::string latency_svg(const IotlbStats &stats, const std::string &title)
{
	constexpr std::size_t left = 130;
	constexpr std::size_t top = 48;
	constexpr std::size_t height = 20;
	constexpr std::size_t width = 480;
	std::vector<Bar> list = bars(stats);
	std::string body;

	for (std::size_t i = 0; i < list.size(); i++) {
		const Bar &bar = list[i];
		std::size_t y = top + i * height;
		std::size_t filled = length(bar, most(list), width);
		std::string name = (bar.above ? "from " : "below ") + bar.label;
		body += svg_label(left - 8, y + 13, name, " text-anchor='end'") +
			svg_box({left, y, filled, height - 4, "#3465a4",
				 name + ": " + std::to_string(bar.misses)}) +
			svg_label(left + filled + 8, y + 13, std::to_string(bar.misses));
	}
	if (list.empty())
		body = svg_label(20, top + 13, "no miss was answered yet");
	// The title needs room as well as the counts behind the bars.
	return svg_picture(std::max(left + width + 100, 40 + title.size() * 8),
			   top + std::max<std::size_t>(list.size(), 1) * height + 20,
			   title, body);
}

} // namespace ctl

// SPDX-License-Identifier: GPL-2.0-only
// The space is cut at every border of a usable range, an allowed range or a
// mapping; between two borders everything is alike. Pieces that look the same are
// joined again, so that the picture has no lines without a meaning.
#include "layout.h"

#include "words.h"

#include <algorithm>
#include <bit>
#include <set>

namespace ctl {

using namespace iommukit;

namespace {

constexpr std::size_t bar_width = 16;
constexpr std::size_t most_lines = 64;

bool inside(const std::vector<IovaRange> &ranges, Iova iova)
{
	return std::ranges::any_of(
		ranges, [&](const IovaRange &range) { return range.contains(iova); });
}

// Every IOVA at which something begins.
std::set<Iova> borders(const IoasRecord &ioas, const std::vector<IovaRange> &usable)
{
	constexpr Iova end(UINT64_MAX);
	std::set<Iova> out{Iova(0)};

	auto add = [&](Iova first, Iova last) {
		out.insert(first);
		if (last < end)
			out.insert(last + Bytes(1));
	};
	for (const auto &range : usable)
		add(range.first, range.last);
	for (const auto &range : ioas.allowed)
		add(range.first, range.last);
	for (const auto &[iova, mapping] : ioas.mappings)
		add(iova, mapping.last());
	return out;
}

Segment::Use use_of(const IoasRecord &ioas, const std::vector<IovaRange> &usable,
		    Iova iova)
{
	if (!inside(usable, iova))
		return Segment::Use::reserved;
	return inside(ioas.allowed, iova) ? Segment::Use::allowed : Segment::Use::free;
}

// Sizes differ by many powers of two, so the bar shows the logarithm.
std::string bar(char fill, std::uint64_t size_minus_1)
{
	auto bits = static_cast<std::size_t>(std::bit_width(size_minus_1));
	std::size_t length = std::max<std::size_t>(1, bits * bar_width / 64);
	std::string out(length, fill);

	out.resize(bar_width, ' ');
	return out;
}

std::string size_text(std::uint64_t size_minus_1)
{
	if (size_minus_1 == UINT64_MAX)
		return "16 EiB";
	return human_size(size_minus_1 + 1);
}

std::string mapping_text(const MappingRecord &mapping)
{
	std::string out =
		permission_text(mapping.permission) + " " + mapping.backing->kind;

	if (!mapping.backing->source.empty())
		out += " " + mapping.backing->source;
	if (mapping.backing->ondemand)
		out += " (on demand)";
	if (mapping.uncertain)
		out += " (an unmap failed: may be gone)";
	return out;
}

std::string line(const Output &output, const Segment &segment)
{
	struct Look {
		char fill;
		Colour colour;
		const char *name;
	};
	constexpr std::array<Look, 4> looks = {{
		{'.', Colour::dim, "free"},
		{'+', Colour::none, "free, allowed"},
		{'x', Colour::red, "reserved"},
		{'#', Colour::green, "mapped"},
	}};
	const Look &look = looks[static_cast<std::size_t>(segment.use)];
	std::uint64_t size = segment.range.last.value - segment.range.first.value;
	std::string text = "  " + pad_left(hex(segment.range.first.value), 18) + "  " +
			   pad_left(hex(segment.range.last.value), 18) + "  " +
			   pad_left(size_text(size), 10) + "  " +
			   output.coloured(look.colour, bar(look.fill, size)) + "  ";

	return text + (segment.mapping ? mapping_text(*segment.mapping) : look.name) +
	       "\n";
}

} // namespace

std::vector<Segment> segments(const IoasRecord &ioas,
			      const std::vector<IovaRange> &usable)
{
	std::set<Iova> starts = borders(ioas, usable);
	std::vector<Segment> out;

	for (auto it = starts.begin(); it != starts.end(); ++it) {
		auto next = std::next(it);
		Iova last = next == starts.end() ? Iova(UINT64_MAX) : *next - Bytes(1);
		const MappingRecord *mapping = ioas.find(*it);
		auto use = mapping ? Segment::Use::mapped : use_of(ioas, usable, *it);
		// A border of the allowed list inside a mapping does not divide it.
		if (!out.empty() && out.back().use == use &&
		    out.back().mapping == mapping)
			out.back().range.last = last;
		else
			out.push_back({{*it, last}, use, mapping});
	}
	return out;
}

std::string draw(const Output &output, const std::vector<Segment> &segments)
{
	return "  " + pad_left("first", 18) + "  " + pad_left("last", 18) + "  " +
	       pad_left("size", 10) + "\n" +
	       stack_lines(segments.size(), most_lines,
			   [&](std::size_t i) { return line(output, segments[i]); });
}

} // namespace ctl

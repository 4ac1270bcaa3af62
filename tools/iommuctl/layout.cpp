// SPDX-License-Identifier: GPL-2.0-only
// The space is cut at every border of a usable range, an allowed range or a
// mapping; between two borders everything is alike. Pieces that look the same are
// joined again, so that the picture has no lines without a meaning.
#include "layout.h"

#include "words.h"

#include <algorithm>
#include <array>
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

Segment segment_of(const IoasRecord &ioas, const std::vector<IovaRange> &usable,
		   const IovaRange &range)
{
	if (!inside(usable, range.first))
		return {range, Segment::Use::reserved, "reserved"};
	if (inside(ioas.allowed, range.first))
		return {range, Segment::Use::allowed, "free, allowed"};
	return {range, Segment::Use::free, "free"};
}

std::string mapping_text(const MappingRecord &mapping)
{
	const Backing &backing = *mapping.backing;
	std::string what(backing.kind);

	if (!backing.source.empty())
		what += " " + backing.source;
	return mapped_text(permission_text(mapping.permission), what,
			   backing.ondemand.has_value()) +
	       (mapping.uncertain ? " (an unmap failed: may be gone)" : "");
}

std::string bar(char fill, const IovaRange &range)
{
	std::string out(bar_length(range, bar_width), fill);

	out.resize(bar_width, ' ');
	return out;
}

std::string line(const Output &output, const Segment &segment)
{
	struct Look {
		char fill;
		Colour colour;
	};
	constexpr std::array<Look, 4> looks = {{
		{'.', Colour::dim},
		{'+', Colour::none},
		{'x', Colour::red},
		{'#', Colour::green},
	}};
	const Look &look = looks[static_cast<std::size_t>(segment.use)];

	return "  " + pad_left(hex(segment.range.first.value), 18) + "  " +
	       pad_left(hex(segment.range.last.value), 18) + "  " +
	       pad_left(range_size_text(segment.range), 10) + "  " +
	       output.coloured(look.colour, bar(look.fill, segment.range)) + "  " +
	       segment.text + "\n";
}

} // namespace

std::string mapped_text(const std::string &permission, const std::string &what,
			bool ondemand)
{
	return permission + " " + what + (ondemand ? " (on demand)" : "");
}

// Sizes differ by many powers of two, so the bar shows the logarithm.
std::size_t bar_length(const IovaRange &range, std::size_t width)
{
	auto bits = static_cast<std::size_t>(
		std::bit_width(range.last.value - range.first.value));

	return std::max<std::size_t>(1, bits * width / 64);
}

std::string range_size_text(const IovaRange &range)
{
	std::uint64_t size_minus_1 = range.last.value - range.first.value;

	return size_minus_1 == UINT64_MAX ? "16 EiB" : human_size(size_minus_1 + 1);
}

std::vector<Segment> segments(const IoasRecord &ioas,
			      const std::vector<IovaRange> &usable)
{
	std::set<Iova> starts = borders(ioas, usable);
	const MappingRecord *before = nullptr;
	std::vector<Segment> out;

	for (auto it = starts.begin(); it != starts.end(); ++it) {
		auto next = std::next(it);
		Iova last = next == starts.end() ? Iova(UINT64_MAX) : *next - Bytes(1);
		const MappingRecord *mapping = ioas.find(*it);
		Segment segment = mapping ? Segment{{*it, last},
						    Segment::Use::mapped,
						    mapping_text(*mapping)}
					  : segment_of(ioas, usable, {*it, last});
		// A border of the allowed list inside a mapping does not divide it.
		if (!out.empty() && out.back().use == segment.use && mapping == before)
			out.back().range.last = last;
		else
			out.push_back(std::move(segment));
		before = mapping;
	}
	return out;
}

std::vector<Segment> with_gaps(std::vector<Segment> mapped, const IovaRange &whole)
{
	std::vector<Segment> out;
	// The first IOVA that nothing has been said of; none behind the last there is.
	std::optional<Iova> at = whole.first;

	auto gap = [&](Iova last) {
		if (at && *at <= last)
			out.push_back({{*at, last}, Segment::Use::free, "not mapped"});
	};
	for (auto &segment : mapped) {
		IovaRange range = segment.range;
		if (range.first.value)
			gap(range.first - Bytes(1));
		out.push_back(std::move(segment));
		at = range.last.value == UINT64_MAX
			     ? std::nullopt
			     : std::optional(range.last + Bytes(1));
	}
	gap(whole.last);
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

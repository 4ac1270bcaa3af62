// SPDX-License-Identifier: GPL-2.0-only
// The part of the model that knows where HWPTs lead to, and what was written by way
// of them or of an IOAS.
#include "model.h"

#include <algorithm>
#include <cerrno>
#include <optional>

namespace fuzz {

namespace {

// Flags of all the commands.
constexpr std::uint64_t track_on = 1, get_no_clear = 1;
constexpr std::uint64_t most_bytes = page_size;

std::uint64_t page_of(std::uint64_t iova)
{
	return iova / page_size;
}

// Once it is certain it stays so.
void set_mark(std::map<std::uint64_t, Mark> &marks, std::uint64_t page, Mark mark)
{
	auto &found = marks.try_emplace(page, mark).first->second;

	found = std::max(found, mark);
}

// The part of a page of IOVA that an area has.
Range part_of(std::uint64_t page, const Range &area)
{
	return {std::max(page * page_size, area.first),
		std::min(page * page_size + (page_size - 1), area.last)};
}

// What a command reads of a range, up to the first hole. By way of an IOAS an area is
// one that an UNMAP has given up on.
class Reading {
    public:
	enum class Way { hwpt, ioas };

	Reading(Ioas &ioas, const Op &op, Way way);

	void add(const Range &written, Mark mark);
	bool contains(const Range &part) const
	{
		return part.first >= first && part.last <= last;
	}
	// What cannot be told is not forgotten.
	bool clears(const Op &op) const
	{
		return !(op[F::flags] & get_no_clear) && !bad_buffer;
	}
	Expect answer() const;

	const std::uint64_t first;
	// The last byte without a hole in front of it.
	std::uint64_t last;
	bool empty = false;

    private:
	const std::uint64_t granule;
	const bool bad_buffer;
	bool hole = false, some = false, lost = false;
	std::vector<std::uint8_t> bits, unsure;
};

void check_range(const Ioas &ioas, const Op &op)
{
	const std::uint64_t end = op[F::iova] + op[F::length], page = op[F::page];

	demand(op[F::length], EINVAL);
	demand(!wraps(op[F::iova], op[F::length]), EOVERFLOW);
	demand((op[F::iova] | end) % ioas.alignment() == 0, EINVAL);
	demand(page && (page & (page - 1)) == 0, EINVAL);
	demand((op[F::iova] | end) % page == 0, EINVAL);
}

std::uint64_t bytes_of(const Op &op)
{
	return ((op[F::length] - 1) / op[F::page] + 8) / 8;
}

// A bitmap that reaches beyond all memory may be refused for that alone.
void check_size(const Op &op)
{
	demand(bytes_of(op) <= most_bytes, unmodelled);
}

Reading::Reading(Ioas &ioas, const Op &op, Way way)
	: first(op[F::iova]), last(first), granule(op[F::page]), bad_buffer(op[F::va])
{
	const std::uint64_t wanted = last_of(first, op[F::length]);
	auto area = ioas.at(first);
	const auto is_hole = [&](const auto &found) {
		return way == Way::ioas && found->second.closed;
	};

	bits.resize(bytes_of(op));
	unsure.resize(bits.size());
	empty = area == ioas.areas.end() || area->first > first || is_hole(area);
	if (empty) {
		hole = true;
		return;
	}
	for (last = area->second.last; last < wanted; last = area->second.last)
		if (++area == ioas.areas.end() || area->first != last + 1 ||
		    is_hole(area))
			break;
	hole = last < wanted;
	last = std::min(last, wanted);
}

void Reading::add(const Range &written, Mark mark)
{
	const std::uint64_t from = std::max(written.first, first);
	const std::uint64_t to = std::min(written.last, last);
	auto &set = mark == Mark::certain ? bits : unsure;

	if (empty || from > to)
		return;
	(mark == Mark::certain ? lost : some) |= bad_buffer || mark == Mark::unsure;
	for (std::uint64_t n = (from - first) / granule; n <= (to - first) / granule; n++)
		set[n / 8] |= static_cast<std::uint8_t>(1U << n % 8);
}

Expect Reading::answer() const
{
	const int error = hole ? EINVAL : 0;

	// Whether the hole or the buffer is met first is open.
	if (lost)
		return {.error = EFAULT, .other = error};
	Expect expect{.error = error, .bits = bits, .unsure = unsure};
	if (bad_buffer) {
		expect.bits.clear();
		expect.other = some ? EFAULT : 0;
	}
	return expect;
}

// What is pinned for writing is written all the time, in whole pages of each area.
void add_pinned(const Ioas &ioas, const Range &pinned, Reading &reading)
{
	for (const auto &[first, area] : ioas.areas) {
		if (!overlap(pinned, {first, area.last}))
			continue;
		const std::uint64_t from = std::max(first, pinned.first);
		const std::uint64_t to = std::min(area.last, pinned.last);

		for (std::uint64_t n = page_of(from); n <= page_of(to); n++)
			reading.add(part_of(n, {first, area.last}), Mark::certain);
	}
}

} // namespace

void Model::note(Ioas &ioas, const Range &range, Mark mark)
{
	if (!ioas.notes_writes)
		return;
	for (auto area = ioas.at(range.first);
	     area != ioas.areas.end() && area->first <= range.last; area++) {
		const std::uint64_t from = std::max(area->first, range.first);
		const std::uint64_t to = std::min(area->second.last, range.last);

		for (std::uint64_t n = page_of(from); n <= page_of(to); n++)
			set_mark(area->second.written, n, mark);
	}
}

// What was pinned for writing was written, as far as it was pinned.
void Model::note(Ioas &ioas, const Item &item, Mark mark)
{
	if (item.write)
		for (const Range &target : item.targets)
			note(ioas, target, mark);
}

void Model::forget_marks(Ioas &ioas, const Range &range)
{
	for (Hwpt *hwpt : ioas.hwpts)
		hwpt->marks.erase(hwpt->marks.lower_bound(range.first / hwpt->reach.page),
				  hwpt->marks.upper_bound(range.last / hwpt->reach.page));
}

// Does a HWPT lead to the caller's memory?
Expect Model::check_map(const Op &op)
{
	const std::uint64_t length = op[F::length];

	demand((op[F::iova] | length | op[F::va]) % mock_page == 0, EINVAL);
	demand(op[F::va] + length >= op[F::va], EINVAL);
	const auto hwpt = context[op.ctx]->hwpt(op[F::id]);
	demand(hwpt != nullptr, ENOENT);
	demand(length <= io_room, unmodelled);
	for (std::uint64_t n = 0; n < length; n += mock_page) {
		const std::uint64_t iova = op[F::iova] + n, va = op[F::va] + n;
		const auto area = hwpt->ioas->at(iova);
		PageRef page;
		const int error =
			world.process[op.who]->look_up(va & -page_size, false, page);

		demand(!error, error);
		demand(area != hwpt->ioas->areas.end() && area->first <= iova, EINVAL);
		const std::uint64_t byte = area->second.offset + (iova - area->first);
		demand(area->second.backing->held.at(byte / page_size).page == page &&
			       byte % page_size == va % page_size,
		       EINVAL);
	}
	return {};
}

Expect Model::track_hwpt(const Op &op)
{
	demand(!(op[F::flags] & ~track_on), EOPNOTSUPP);
	const auto hwpt = context[op.ctx]->hwpt(op[F::id]);
	demand(hwpt != nullptr, ENOENT);
	demand(hwpt->tracks, EOPNOTSUPP);
	hwpt->tracking = op[F::flags];
	hwpt->marks.clear();
	return {};
}

Expect Model::get_hwpt_dirty(const Op &op)
{
	demand(!(op[F::flags] & ~get_no_clear) && !op[F::reserved], EOPNOTSUPP);
	const auto hwpt = context[op.ctx]->hwpt(op[F::id]);
	demand(hwpt != nullptr, ENOENT);
	check_range(*hwpt->ioas, op);
	demand(hwpt->tracks, EOPNOTSUPP);
	check_size(op);
	demand(hwpt->tracking, EINVAL);
	const std::uint64_t page = hwpt->reach.page;
	Reading reading(*hwpt->ioas, op, Reading::Way::hwpt);
	const auto from = hwpt->marks.lower_bound(reading.first / page);
	const auto to = hwpt->marks.upper_bound(reading.last / page);
	for (auto mark = from; mark != to; mark++)
		reading.add({mark->first * page, mark->first * page + (page - 1)},
			    mark->second);
	if (reading.clears(op) && !reading.empty)
		hwpt->marks.erase(from, to);
	return reading.answer();
}

Expect Model::mark_hwpt(const Op &op)
{
	const std::uint64_t page = op[F::page], first = op[F::iova];
	const std::uint64_t number = page ? op[F::length] / page : 0;
	std::array<unsigned char, page_size> pattern;
	Expect expect;

	demand(number && first % page == 0 && op[F::length] % page == 0, EINVAL);
	const auto hwpt = context[op.ctx]->hwpt(op[F::id]);
	demand(hwpt != nullptr, ENOENT);
	demand(hwpt->tracking, EINVAL);
	// Other sizes mean nothing to it.
	demand(page == mock_page && number <= pattern.size() * 8, unmodelled);
	demand(!wraps(first, op[F::length]), unmodelled);
	fill_pattern(op[F::value], pattern.data(), (number + 7) / 8);
	for (std::uint64_t n = 0; n < number; n++) {
		const std::uint64_t iova = first + n * page;

		if (!(pattern[n / 8] >> n % 8 & 1) || !hwpt->ioas->mapped({iova, iova}))
			continue;
		set_mark(hwpt->marks, iova / page, Mark::certain);
		expect.out++;
	}
	return expect;
}

Expect Model::track_ioas(const Op &op)
{
	demand(!(op[F::flags] & ~track_on) && !op[F::reserved], EOPNOTSUPP);
	const auto ioas = find(op);
	for (auto &[first, area] : ioas->areas) {
		demand(!op[F::flags] || area.last - first < most_noted, unmodelled);
		area.written.clear();
	}
	ioas->notes_writes = op[F::flags];
	return {};
}

Expect Model::get_ioas_dirty(const Op &op)
{
	demand(!(op[F::flags] & ~get_no_clear) && !op[F::reserved], EOPNOTSUPP);
	const auto ioas = find(op);
	check_range(*ioas, op);
	check_size(op);
	demand(ioas->notes_writes, EINVAL);
	Reading reading(*ioas, op, Reading::Way::ioas);
	for (const Access *user : ioas->users)
		for (const auto &[id, item] : user->items)
			for (const Range &target : item.targets)
				if (item.write)
					add_pinned(*ioas, target, reading);
	for (const auto &[first, area] : ioas->areas)
		for (const auto &[page, mark] : area.written)
			reading.add(part_of(page, {first, area.last}), mark);
	if (reading.clears(op) && !reading.empty)
		for (auto &[first, area] : ioas->areas) {
			const Range all{first, area.last};

			// What is told in part only will be told again.
			std::erase_if(area.written, [&](const auto &entry) {
				return reading.contains(part_of(entry.first, all));
			});
		}
	return reading.answer();
}

} // namespace fuzz

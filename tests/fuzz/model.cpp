// SPDX-License-Identifier: GPL-2.0-only
#include "model.h"

#include <linux/iommukit.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <optional>
#include <utility>

namespace fuzz {

namespace {

constexpr std::uint64_t read_write =
	IOMMUKIT_IOAS_MAP_READABLE | IOMMUKIT_IOAS_MAP_WRITEABLE;
constexpr std::uint64_t map_flags = read_write | IOMMUKIT_IOAS_MAP_FIXED_IOVA;

// Where placement looks, touching ranges as one.
std::vector<Range> windows(std::vector<Range> allowed)
{
	const Range usable{page_size, all_ones - page_size};
	std::vector<Range> merged;

	if (allowed.empty())
		return {usable};
	sort(allowed);
	for (const Range &range : allowed) {
		const Range window{std::max(range.first, usable.first),
				   std::min(range.last, usable.last)};

		if (window.first > window.last)
			continue;
		if (!merged.empty() && merged.back().last + 1 == window.first)
			merged.back().last = window.last;
		else
			merged.push_back(window);
	}
	return merged;
}

// Where a range begins in a hole, aligned and at an offset in its page.
std::optional<std::uint64_t> fit(const Range &hole, std::uint64_t alignment,
				 std::uint64_t offset, std::uint64_t length)
{
	std::uint64_t start = hole.first + alignment - 1;

	if (start < hole.first)
		return {};
	start = (start & -alignment) | offset;
	if (start >= hole.last || hole.last - start < length - 1)
		return {};
	return start;
}

// Has the command an answer whose fault leaves its effect?
bool keeps_effect(Kind kind)
{
	return kind == Kind::map || kind == Kind::map_file || kind == Kind::copy ||
	       kind == Kind::unmap || kind == Kind::ranges || kind == Kind::option ||
	       kind == Kind::mock_replace || kind == Kind::hwpt_mark ||
	       kind == Kind::iotlb_submit || kind == Kind::iotlb_query ||
	       kind == Kind::map_ondemand || kind == Kind::prefetch ||
	       kind == Kind::ondemand_query;
}

// Do on-demand mappings not notice it?
bool keeps_still(Kind kind)
{
	return kind == Kind::ioas_alloc || kind == Kind::ranges || kind == Kind::option ||
	       kind == Kind::stats || kind == Kind::ondemand_query;
}

} // namespace

std::uint64_t Ioas::alignment() const
{
	const bool pinned = std::any_of(users.begin(), users.end(),
					[](const Access *user) { return user->pins; });
	std::uint64_t most = pinned || !huge ? page_size : 1;

	for (const Hwpt *hwpt : hwpts)
		most = std::max(most, hwpt->reach.page);
	return most;
}

bool Ioas::conforms(std::uint64_t to) const
{
	return std::all_of(areas.begin(), areas.end(), [to](const auto &entry) {
		const auto &[first, area] = entry;

		return (first | (area.last + 1) | area.offset) % to == 0;
	});
}

std::map<std::uint64_t, Area>::iterator Ioas::at(std::uint64_t iova)
{
	auto next = areas.upper_bound(iova);

	if (next != areas.begin() && std::prev(next)->second.last >= iova)
		next--;
	return next;
}

bool Ioas::mapped(const Range &range)
{
	const auto area = at(range.first);

	return area != areas.end() && area->first <= range.last;
}

std::uint64_t Context::free_id() const
{
	std::uint64_t id = 1;

	while (objects.count(id))
		id++;
	return id;
}

std::shared_ptr<Ioas> Context::ioas(std::uint64_t id) const
{
	const auto object = objects.find(id);

	return object == objects.end() ? nullptr : object->second;
}

// Null handlers are those of the world.
const Model::Handler Model::handlers[] = {
	&Model::reopen,
	&Model::reopen,
	&Model::alloc,
	&Model::destroy,
	&Model::map,
	&Model::map,
	&Model::copy,
	&Model::unmap,
	&Model::allow,
	&Model::ranges,
	&Model::option,
	&Model::reserve,
	&Model::create,
	&Model::create,
	&Model::close_access,
	&Model::replace,
	&Model::attach,
	&Model::detach,
	&Model::pin,
	&Model::unpin,
	&Model::rw,
	&Model::rw,
	&Model::stats,
	&Model::stubborn,
	nullptr,
	nullptr,
	nullptr,
	nullptr,
	nullptr,
	nullptr,
	nullptr,
	nullptr,
	&Model::raw,
	&Model::create_mock,
	&Model::create_mock,
	&Model::replace_mock,
	&Model::alloc_hwpt,
	&Model::check_map,
	&Model::track_hwpt,
	&Model::get_hwpt_dirty,
	&Model::mark_hwpt,
	&Model::track_ioas,
	&Model::get_ioas_dirty,
	&Model::alloc_iotlb,
	&Model::keep_element,
	&Model::submit,
	&Model::query,
	&Model::set_iotlb,
	&Model::map_ondemand,
	&Model::prefetch,
	&Model::query_ondemand,
};

Model::Model(const Environment &environment)
	: world(environment), cap(environment.alignment_cap)
{
	for (auto &c : context)
		c = std::make_shared<Context>();
}

Expect Model::apply(const Op &op)
{
	const Handler handler = handlers[static_cast<unsigned>(op.kind)];
	Expect expect;

	static_assert(std::size(handlers) == static_cast<unsigned>(Kind::count));
	// Every command needs a descriptor, though an access's not a certain one.
	if (!world.can_act(op) || ((handler || op.kind == Kind::check_refs) &&
				   !context[op.ctx] != (op.kind == Kind::open)))
		return {.skip = true};
	now += !keeps_still(op.kind);
	if (!handler) {
		expect = world.apply(op);
		if (!expect.skip)
			notice(op);
		return expect;
	}
	try {
		demand(op.pass != Pass::null && op.pass != Pass::cut, EFAULT);
		demand(op.pass != Pass::too_short, EINVAL);
		demand(op.pass != Pass::garbage, E2BIG);
		expect = (this->*handler)(op);
	} catch (const Refused &refused) {
		expect.error = refused.error;
		expect.other = refused.other;
		expect.skip = refused.error == unmodelled;
	}
	if (op.pass == Pass::read_only && keeps_effect(op.kind) &&
	    (!expect.error || expect.error == EMSGSIZE))
		expect.error = EFAULT;
	return expect;
}

std::shared_ptr<Ioas> Model::find(const Op &op, F id)
{
	const auto ioas = context[op.ctx]->ioas(op[id]);

	demand(ioas != nullptr, ENOENT);
	return ioas;
}

Expect Model::reopen(const Op &op)
{
	close(std::exchange(context[op.ctx], op.kind == Kind::open
						     ? std::make_shared<Context>()
						     : nullptr));
	return {};
}

Expect Model::alloc(const Op &op)
{
	const std::uint64_t id = context[op.ctx]->free_id();

	demand(!op[F::flags], EOPNOTSUPP);
	demand(op.pass != Pass::read_only, EFAULT);
	context[op.ctx]->objects[id] = std::make_shared<Ioas>();
	return {.out = id};
}

Expect Model::destroy(const Op &op)
{
	auto &objects = context[op.ctx]->objects;
	const auto object = objects.find(op[F::id]);

	demand(object != objects.end(), ENOENT);
	if (end_device(op) || end_iotlb(op))
		return {};
	demand(object->second && object->second->users.empty() &&
		       object->second->hwpts.empty() && !object->second->iotlbs,
	       EBUSY);
	objects.erase(object);
	return {};
}

std::shared_ptr<Backing> Model::make_backing(const Op &op)
{
	const bool of_file = op.kind == Kind::map_file;
	const bool too_long = op[F::length] > all_ones - page_size;
	const auto owner = world.process[op.who];
	Mode mode = context[op.ctx]->mm_mode ? Mode::mm : Mode::user;
	OpenFile file;

	demand(op[F::length] && (of_file || !too_long), EINVAL);
	if (of_file) {
		demand(!wraps(op[F::va], op[F::length]), EOVERFLOW);
		demand(op[F::file] < files, EBADF);
		file = world.file[op[F::file]];
		demand(file.readable, EPERM, too_long ? EINVAL : 0);
		demand(file.writable || !(op[F::flags] & IOMMUKIT_IOAS_MAP_WRITEABLE),
		       EPERM, too_long ? EINVAL : 0);
		demand(!too_long, EINVAL);
	} else {
		demand(op[F::va] + op[F::length] >= op[F::va], EOVERFLOW);
	}
	if (owner->privileged)
		mode = Mode::none;
	return std::make_shared<Backing>(
		Backing{owner,
			of_file,
			(op[F::flags] & IOMMUKIT_IOAS_MAP_WRITEABLE) != 0,
			file.inode,
			op[F::va] & -page_size,
			mode,
			{}});
}

std::uint64_t Model::place(Ioas &ioas, const Op &op, std::uint64_t hint) const
{
	const std::uint64_t length = op[F::length], alignment = ioas.alignment();
	std::vector<Range> taken = ioas.reserved;

	demand(length % alignment == 0, EINVAL);
	if (op[F::flags] & IOMMUKIT_IOAS_MAP_FIXED_IOVA) {
		const Range range{op[F::iova], last_of(op[F::iova], length)};

		demand(range.first % alignment == 0, EINVAL);
		demand(range.first <= range.last, EOVERFLOW);
		demand(!hits(ioas.reserved, range), EINVAL);
		demand(!ioas.mapped(range), EEXIST);
		return range.first;
	}
	demand(length < all_ones / 2, EOVERFLOW);
	std::uint64_t preferred = std::min(std::bit_ceil(length), cap);
	if (hint)
		preferred = std::min(preferred, hint & -hint);
	demand(preferred >= alignment, EINVAL);
	for (const auto &[first, area] : ioas.areas)
		taken.push_back({first, area.last});
	for (const Range &window : windows(ioas.allowed)) {
		const auto from = fit(window, preferred, hint % page_size, length);

		if (!from)
			continue;
		for (const Range &hole : holes(taken, {*from, window.last}))
			if (auto at = fit(hole, preferred, hint % page_size, length))
				return *at;
	}
	throw Refused{ENOSPC};
}

Expect Model::map(const Op &op)
{
	demand(!(op[F::flags] & ~map_flags) && !op[F::reserved], EOPNOTSUPP);
	demand(op[F::iova] != all_ones && op[F::length] != all_ones, EOVERFLOW);
	demand(op[F::flags] & read_write, EINVAL);
	const auto ioas = find(op);
	const auto backing = make_backing(op);
	const std::uint64_t iova = place(*ioas, op, op[F::va]);
	const std::uint64_t offset = op[F::va] % page_size;
	demand(offset % ioas->alignment() == 0, EINVAL);
	const Area area{last_of(iova, op[F::length]), backing, offset,
			(op[F::flags] & IOMMUKIT_IOAS_MAP_READABLE) != 0,
			backing->writable};
	demand(!ioas->notes_writes || op[F::length] <= most_noted, unmodelled);
	if (!ioas->hwpts.empty())
		hold(whole(iova, area));
	ioas->areas[iova] = area;
	return {.out = iova};
}

// The areas from an IOVA on, up to the first gap.
std::vector<Part> Model::walk(Ioas &ioas, std::uint64_t first, std::uint64_t last,
			      int &error)
{
	std::vector<Part> parts;

	for (auto area = ioas.at(first); area != ioas.areas.end(); area++) {
		const auto &[start, found] = *area;
		const std::uint64_t end = std::min(last, found.last);

		if (start > first)
			break;
		parts.push_back({&found, found.backing, found.offset + (first - start),
				 found.offset + (end - start)});
		first = end + 1;
		if (end == last)
			return parts;
	}
	error = ENOENT;
	return parts;
}

// The areas that a copy consists of.
std::map<std::uint64_t, Area> Model::lay_out(Ioas &to, const Op &op,
					     const std::vector<Part> &parts) const
{
	const bool read = op[F::flags] & IOMMUKIT_IOAS_MAP_READABLE;
	const bool write = op[F::flags] & IOMMUKIT_IOAS_MAP_WRITEABLE;
	const Part &head = parts.front();
	std::uint64_t at = place(to, op, head.backing->base + head.first);
	std::map<std::uint64_t, Area> added;

	for (const Part &part : parts) {
		const std::uint64_t last = at + (part.last - part.first);

		demand(!write || part.backing->writable, EPERM);
		demand((at | (last + 1) | part.first) % to.alignment() == 0, EINVAL);
		added[at] = {last, part.backing, part.first, read, write};
		at = last + 1;
	}
	return added;
}

Expect Model::copy(const Op &op)
{
	const std::uint64_t first = op[F::source_iova], length = op[F::length];
	int error = 0;

	demand(!(op[F::flags] & ~map_flags), EOPNOTSUPP);
	demand(length != all_ones && first != all_ones && op[F::iova] != all_ones,
	       EOVERFLOW);
	demand(op[F::flags] & read_write, EINVAL);
	const auto from = find(op, F::source);
	demand(length, EINVAL);
	demand(!wraps(first, length), EOVERFLOW);
	const auto parts = walk(*from, first, last_of(first, length), error);
	demand(!error, error);
	const auto to = find(op);
	demand(!to->notes_writes || length <= most_noted, unmodelled);
	const Refused unfit = unfit_for_ondemand(*to, op, parts);
	try {
		const auto added = lay_out(*to, op, parts);
		const std::uint64_t iova = added.begin()->first;

		demand(!unfit.error, unfit.error, unfit.other);
		if (!to->hwpts.empty())
			hold_all(added);
		to->areas.insert(added.begin(), added.end());
		return {.out = iova};
	} catch (Refused refused) {
		// Which of two is told is open.
		for (const int error : {unfit.error, unfit.other})
			if (error && error != refused.error && error != refused.other)
				demand(!std::exchange(refused.other, error), unmodelled);
		// Nor which comes first of a part's permission and of where it begins.
		if (refused.error == EPERM && !refused.other && first % page_size)
			refused.other = EINVAL;
		throw refused;
	}
}

Expect Model::unmap(const Op &op)
{
	const std::uint64_t first = op[F::iova], length = op[F::length];
	const bool all = first == 0 && length == all_ones;
	const std::uint64_t last = all ? all_ones : last_of(first, length);
	const auto ioas = find(op);
	Expect expect;

	demand(all || (first != all_ones && length != all_ones), EOVERFLOW);
	demand(length, EINVAL);
	demand(all || !wraps(first, length), EOVERFLOW);
	for (const Access *user : ioas->users)
		if (user->iotlb)
			check_order(*user, [&](const Item &item) {
				return item.inside({first, last});
			});
	for (auto area = ioas->at(first);
	     area != ioas->areas.end() && area->first <= last;
	     area = ioas->areas.erase(area)) {
		demand(area->first >= first && area->second.last <= last, ENOENT);
		area->second.closed = !notify(*ioas, {area->first, area->second.last});
		demand(!area->second.closed, EDEADLOCK);
		if (!ioas->hwpts.empty())
			release(whole(area->first, area->second));
		forget_marks(*ioas, {area->first, area->second.last});
		expect.out += area->second.last - area->first + 1;
		expect.more++;
	}
	demand(all || expect.more, ENOENT);
	return expect;
}

Expect Model::allow(const Op &op)
{
	const Range given[] = {{op[F::first1], op[F::last1]},
			       {op[F::first2], op[F::last2]},
			       {op[F::first3], op[F::last3]}};
	std::vector<Range> list;

	demand(!op[F::reserved], EOPNOTSUPP);
	const auto ioas = find(op);
	for (std::uint64_t n = 0; n < op[F::num]; n++) {
		// The list ends where nothing can be read.
		demand(n < std::size(given), EFAULT);
		demand(given[n].first < given[n].last, EINVAL);
		demand(!hits(list, given[n]), EINVAL);
		list.push_back(given[n]);
	}
	for (const Range &range : list)
		demand(!hits(ioas->reserved, range), EADDRINUSE);
	ioas->allowed = list;
	return {};
}

Expect Model::ranges(const Op &op)
{
	Expect expect;

	demand(!op[F::reserved], EOPNOTSUPP);
	const auto ioas = find(op);
	expect.ranges = holes(ioas->reserved, {0, all_ones});
	expect.out = expect.ranges.size();
	expect.more = ioas->alignment();
	if (expect.out > op[F::num]) {
		expect.error = EMSGSIZE;
		expect.ranges.resize(op[F::num]);
	}
	// With a value, the array is where nothing can be written.
	demand(expect.ranges.empty() || !op[F::value], EFAULT);
	return expect;
}

Expect Model::option(const Op &op)
{
	const bool get = op[F::num] == IOMMUKIT_OPTION_OP_GET;
	const std::uint64_t value = op[F::value];
	Context &c = *context[op.ctx];

	demand(!op[F::reserved] && op[F::option] <= IOMMUKIT_OPTION_HUGE_PAGES,
	       EOPNOTSUPP);
	if (op[F::option] == IOMMUKIT_OPTION_RLIMIT_MODE) {
		demand(!op[F::id] && op[F::num] <= IOMMUKIT_OPTION_OP_GET, EOPNOTSUPP);
		if (get)
			return {.out = c.mm_mode};
		demand(world.process[op.who]->privileged, EPERM);
		demand(c.objects.empty(), EBUSY);
		demand(value <= 1, EINVAL);
		c.mm_mode = value;
		return {.out = value};
	}
	const auto ioas = find(op);
	demand(op[F::num] <= IOMMUKIT_OPTION_OP_GET, EOPNOTSUPP);
	if (get)
		return {.out = ioas->huge};
	demand(value <= 1, EINVAL);
	demand(value || !ioas->huge || ioas->hwpts.empty() || ioas->areas.empty(),
	       EINVAL);
	demand(value || ioas->alignment() == page_size || ioas->conforms(), EADDRINUSE);
	ioas->huge = value;
	return {.out = value};
}

Expect Model::reserve(const Op &op)
{
	const Range range{op[F::iova], last_of(op[F::iova], op[F::length])};

	demand(op[F::length], EINVAL);
	demand(range.first <= range.last, EOVERFLOW);
	const auto ioas = find(op);
	demand(!ioas->mapped(range) && !hits(ioas->allowed, range), EADDRINUSE);
	ioas->added.push_back(range);
	ioas->collect_reserved();
	return {};
}

Expect Model::raw(const Op &)
{
	throw Refused{ENOTTY};
}

} // namespace fuzz

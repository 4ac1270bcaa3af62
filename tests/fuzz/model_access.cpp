// SPDX-License-Identifier: GPL-2.0-only
// The other half of the model: accesses, what they pin, who pays for it, and which
// bytes they read and write.
#include "model.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace fuzz {

namespace {

// Flags of the test module's commands.
constexpr std::uint64_t pin_write = 1;
constexpr std::uint64_t create_pins = 1, create_attached = 4;

} // namespace

int Backing::page_at(std::uint64_t index, bool write, PageRef &page) const
{
	if (!of_file)
		return owner->alive
			       ? owner->look_up(base + index * page_size, write, page)
			       : EFAULT;
	index += base / page_size;
	if (!inode || index >= inode->size / page_size)
		return EINVAL;
	page = inode->page(index);
	return 0;
}

Access &Model::find_access(const Op &op)
{
	demand(op[F::slot] < accesses && access[op[F::slot]], EBADFD);
	return *access[op[F::slot]];
}

// Of what has a driver to be told?
std::vector<Range> Model::told(const Access &a, const About &about)
{
	std::vector<Range> ranges;

	for (const auto &[id, item] : a.items)
		if (about(item))
			ranges.push_back(item.range);
	return ranges;
}

// Does what it gives back depend on which it is told of first? Then it is open.
void Model::check_order(const Access &a, const About &about)
{
	const std::vector<Range> ranges = told(a, about);
	const auto meets = [](const Item &item) {
		return [&](const Range &range) { return overlap(item.range, range); };
	};

	for (const auto &[id, item] : a.items)
		demand(about(item) || !hits(ranges, item.range) ||
			       std::all_of(ranges.begin(), ranges.end(), meets(item)),
		       unmodelled);
}

// A driver is told of pins behind an IOTLB, one after the other. It gives back all that
// intersects the range of one of them.
void Model::call_back(Access &a, const About &about)
{
	const std::vector<Range> told = Model::told(a, about);

	if (told.empty())
		return;
	a.calls++;
	a.last_iova = told.front().first;
	a.last_length = told.front().last - told.front().first + 1;
	// Of several pins it may hear one by one, or not any more.
	a.calls_known &= told.size() == 1 && !a.stubborn;
	if (a.stubborn)
		return;
	std::erase_if(a.items, [&](const auto &item) {
		if (!hits(told, item.second.range))
			return false;
		note(*a.ioas, item.second, Mark::certain);
		release(item.second);
		return true;
	});
}

// Does everybody who has pins in an area give them back?
bool Model::notify(Ioas &ioas, const Range &area)
{
	const auto inside = [&](const auto &item) { return item.second.inside(area); };
	bool released = true;

	for (Access *user : ioas.users) {
		if (std::none_of(user->items.begin(), user->items.end(), inside))
			continue;
		released &= !user->stubborn;
		if (user->iotlb) {
			call_back(*user,
				  [&](const Item &item) { return item.inside(area); });
			continue;
		}
		user->calls++;
		user->last_iova = area.first;
		user->last_length = area.last - area.first + 1;
		user->calls_known &= !user->stubborn;
		if (user->stubborn)
			continue;
		for (const auto &item : user->items)
			if (inside(item)) {
				note(ioas, item.second, Mark::certain);
				release(item.second);
			}
		std::erase_if(user->items, inside);
	}
	return released;
}

Anchor Model::find_anchor(const Context &c, std::uint64_t id)
{
	Anchor found{c.ioas(id), c.iotlb(id)};

	if (found.iotlb)
		found.ioas = found.iotlb->ioas;
	demand(found.ioas != nullptr, ENOENT);
	return found;
}

// The id of what it needs there.
std::uint64_t Model::admit(const Access &a, const Anchor &to)
{
	std::uint64_t id = 0;

	// From the first attempt on, its invalidations are counted.
	if (to.iotlb)
		to.iotlb->spaces[access_asid];
	demand(!a.pins || to.ioas->alignment() == page_size || to.ioas->conforms(),
	       EADDRINUSE);
	if (to.iotlb) {
		id = a.context->free_id();
		a.context->objects[id] = nullptr;
	}
	return id;
}

void Model::join(Access &a, const Anchor &to, std::uint64_t inner)
{
	to.ioas->users.push_back(&a);
	a.ioas = to.ioas;
	a.iotlb = to.iotlb;
	a.inner = inner;
}

// Releases everything, like a driver that is told to.
void Model::leave(Access &a)
{
	for (const auto &item : a.items) {
		note(*a.ioas, item.second, Mark::certain);
		release(item.second);
	}
	a.items.clear();
	if (a.iotlb)
		a.context->objects.erase(a.inner);
	std::erase(a.ioas->users, &a);
	a.ioas.reset();
	a.iotlb.reset();
	a.calls++;
	a.last_iova = 0;
	a.last_length = all_ones;
}

Expect Model::create(const Op &op)
{
	const bool extended = op.kind == Kind::access_new;
	const auto &c = context[op.ctx];

	// The test module's own create takes what no other has a use for.
	demand(op[F::slot] < accesses && !access[op[F::slot]], unmodelled);
	demand(!extended || !(op[F::flags] & ~(create_pins | create_attached)),
	       unmodelled);
	demand(!extended || op[F::id] || !(op[F::flags] & create_attached), unmodelled);
	demand(extended || !(op[F::flags] & ~create_pins), EOPNOTSUPP);
	auto created = std::make_unique<Access>(
		Access{c, c->free_id(), (op[F::flags] & create_pins) != 0});
	demand(op[F::id] || extended, ENOENT);
	try {
		c->objects[created->id] = nullptr;
		if (op[F::id]) {
			const Anchor to = find_anchor(*c, op[F::id]);

			join(*created, to, admit(*created, to));
		}
		if (op.pass == Pass::read_only) {
			leave(*created);
			throw Refused{EFAULT};
		}
	} catch (const Refused &) {
		c->objects.erase(created->id);
		throw;
	}
	access[op[F::slot]] = std::move(created);
	return {.out = access[op[F::slot]]->id};
}

Expect Model::close_access(const Op &op)
{
	demand(op[F::slot] < accesses && access[op[F::slot]], unmodelled);
	Access &a = *access[op[F::slot]];
	if (a.ioas)
		leave(a);
	a.context->objects.erase(a.id);
	auto c = a.context;
	access[op[F::slot]].reset();
	close(std::move(c));
	return {};
}

Expect Model::replace(const Op &op)
{
	Access &a = find_access(op);

	demand(a.ioas != nullptr, ENOENT);
	const Anchor to = find_anchor(*a.context, op[F::id]);
	if (to == Anchor{a.ioas, a.iotlb})
		return {};
	const std::uint64_t inner = admit(a, to);
	leave(a);
	join(a, to, inner);
	return {};
}

Expect Model::attach(const Op &op)
{
	Access &a = find_access(op);

	demand(!a.ioas, EINVAL);
	const Anchor to = find_anchor(*a.context, op[F::id]);
	join(a, to, admit(a, to));
	return {};
}

Expect Model::detach(const Op &op)
{
	Access &a = find_access(op);

	if (a.ioas)
		leave(a);
	return {};
}

// The errno of charging pages, if they are so many.
int Model::charge(Backing &b, std::uint64_t pages)
{
	if (b.mode == Mode::none || !pages)
		return 0;
	if (b.mode == Mode::user)
		return charged[b.owner->uid] + pages > b.owner->limit ? ENOMEM : 0;
	if (!b.owner->alive)
		return EINVAL;
	return b.owner->locked + pages > b.owner->limit ? ENOMEM : 0;
}

// Pins a part, all of it or nothing.
void Model::hold(const Part &part)
{
	const std::uint64_t first = part.first / page_size, last = part.last / page_size;
	std::map<std::uint64_t, Backing::Held> fresh;
	Backing &b = *part.backing;
	int error = 0;

	for (std::uint64_t n = first; n <= last && !error; n++)
		if (PageRef page; !b.held.count(n)) {
			error = b.page_at(n, b.writable, page);
			fresh[n] = {page, 0};
			// To be pinned, it may have to move.
			if (!b.of_file)
				disturb(*b.owner, b.base + n * page_size);
		}
	const int over = charge(b, fresh.size());
	// Pages are charged once they are there; how many at a time is open.
	demand(!error, error, over);
	demand(!over, over);
	for (const auto &[n, held] : fresh)
		held.page->pins++;
	b.owner->pinned += fresh.size();
	charged[b.owner->uid] += b.mode == Mode::user ? fresh.size() : 0;
	b.owner->locked += b.mode == Mode::mm ? fresh.size() : 0;
	b.held.merge(fresh);
	for (std::uint64_t n = first; n <= last; n++)
		b.held[n].users++;
}

void Model::release(const Part &part)
{
	Backing &b = *part.backing;

	for (std::uint64_t n = part.first / page_size; n <= part.last / page_size; n++) {
		if (--b.held[n].users)
			continue;
		b.held[n].page->pins--;
		b.held.erase(n);
		if (b.ondemand)
			b.ondemand->outlived.erase(n);
		b.owner->pinned--;
		charged[b.owner->uid] -= b.mode == Mode::user;
		b.owner->locked -= b.mode == Mode::mm;
	}
}

void Model::release(const Item &item)
{
	for (const Part &part : item.parts)
		release(part);
}

// Are the pages of an item those at the caller's address?
void Model::compare_pages(const Op &op, const Item &item)
{
	std::uint64_t va = op[F::va];
	Refused found{0};

	for (const Part &part : item.parts)
		for (std::uint64_t n = part.first / page_size; n <= part.last / page_size;
		     n++, va += page_size) {
			PageRef page;
			int error = world.process[op.who]->look_up(va, false, page);

			demand(error != unmodelled, unmodelled);
			if (!error && page != part.backing->held[n].page)
				error = EBADE;
			// Which of several comes first is open.
			(found.error ? found.other : found.error) = error;
		}
	demand(!found.error, found.error, found.other);
}

// A driver does not say which of several pins of a range it gives back: as long as
// there are others, it may go on writing.
void Model::pass_on(Access &a, Item &gone)
{
	for (auto &[id, item] : a.items)
		if (gone.write && !item.write && item.targets == gone.targets) {
			item.write = true;
			gone.write = false;
		}
}

// Pins what a range of the IOAS leads to.
void Model::hold(const Access &a, const Range &target, Item &item)
{
	int error = 0;

	for (const Part &part : walk(*a.ioas, target.first, target.last, error)) {
		demand(!part.area->closed && part.first % page_size == 0, EINVAL);
		demand(item.write ? part.area->writable : part.area->readable, EPERM);
		hold(part);
		item.parts.push_back(part);
	}
	demand(!error, error);
}

// Behind an IOTLB, pages must begin where each piece does, and end where it does but for
// the last.
int Model::Reached::unaligned() const
{
	for (const Range &target : targets)
		if (target.first % page_size ||
		    (&target != &targets.back() && (target.last + 1) % page_size))
			return EINVAL;
	return 0;
}

Expect Model::pin(const Op &op)
{
	const bool write = op[F::flags] & pin_write;
	const Range range{op[F::iova], last_of(op[F::iova], op[F::length])};
	bool pinned = false;

	demand(op[F::length] <= io_limit, ENOMEM);
	demand(!(op[F::flags] & ~pin_write), EOPNOTSUPP);
	Access &a = find_access(op);
	demand(a.pins, EOPNOTSUPP);
	demand(op[F::length], EINVAL);
	demand(range.first <= range.last, EOVERFLOW);
	demand(a.ioas != nullptr, ENOENT);
	const Reached reached = translate(a, range, write);
	demand(!reached.may_miss, unmodelled);
	// The test module compares pages from the start of that of the IOVA on.
	demand(!a.iotlb || !op[F::va] || range.first % page_size == 0, unmodelled);
	Item item{range, reached.targets, {}, write};
	try {
		for (const Range &target : reached.targets)
			hold(a, target, item);
		demand(!reached.error, reached.error);
		demand(!a.iotlb || !reached.unaligned(), EINVAL);
		pinned = true;
		if (op[F::va])
			compare_pages(op, item);
		demand(op.pass != Pass::read_only, EFAULT);
	} catch (Refused refused) {
		note(*a.ioas, item, Mark::unsure);
		if (pinned)
			pass_on(a, item);
		release(item);
		// Whether all is translated before anything is pinned is open.
		for (const int early : {reached.error, reached.unaligned()})
			if (a.iotlb && early && refused.error != early) {
				demand(!refused.other || refused.other == early,
				       unmodelled);
				refused.other = early;
			}
		throw refused;
	}
	a.items[a.next_item] = item;
	return {.out = a.next_item++};
}

Expect Model::unpin(const Op &op)
{
	Access &a = find_access(op);
	const auto item = a.items.find(op[F::value]);

	demand(item != a.items.end(), ENOENT);
	Item gone = std::move(item->second);
	a.items.erase(item);
	pass_on(a, gone);
	note(*a.ioas, gone, Mark::certain);
	release(gone);
	return {};
}

// Adds the pieces up to an error, of which so many are certain.
int Model::get_pieces(const Op &op, Access &a, const Range &target,
		      std::vector<Piece> &pieces, std::size_t &certain)
{
	const bool write = op.kind == Kind::write;
	std::uint64_t at = target.first;
	int gap = 0;

	for (const Part &part : walk(*a.ioas, target.first, target.last, gap)) {
		const Range iova{at, at + (part.last - part.first)};

		certain = pieces.size();
		const int error = get_pieces(op, part, pieces);
		// By way of an IOTLB it depends on the rest.
		if (write && error != unmodelled)
			note(*a.ioas, iova,
			     error || a.iotlb ? Mark::unsure : Mark::certain);
		if (error)
			return error;
		certain = pieces.size();
		at = iova.last + 1;
	}
	return gap;
}

// What the pieces are depends on who copies.
int Model::get_pieces(const Op &op, const Part &part, std::vector<Piece> &pieces)
{
	const bool write = op.kind == Kind::write;
	const Backing &b = *part.backing;
	const bool own = b.owner == world.process[op.who] && !(op[F::flags] & rw_slow);
	const bool single = part.first / page_size == part.last / page_size;
	const bool by_address = !b.of_file && (own || (single && b.owner->alive));

	if (part.area->closed)
		return EINVAL;
	if (write ? !part.area->writable : !part.area->readable)
		return EPERM;
	if (b.ondemand)
		return get_ondemand_pieces(op, part, pieces);
	for (std::uint64_t at = part.first; at <= part.last;) {
		const std::uint64_t index = at / page_size;
		const std::uint64_t end = std::min(part.last, at | (page_size - 1));
		const std::uint64_t va = b.base + index * page_size;
		PageRef page;
		int error = 0;

		if (own && !write && by_address && world.may_read_anyway(*b.owner, va))
			return unmodelled;
		// Another way than this may find another page there, or move it.
		if (!b.of_file && (write || !by_address))
			disturb(*b.owner, va);
		if (by_address)
			error = b.owner->look_up(va, write, page);
		else if (b.held.count(index))
			page = b.held.at(index).page;
		else
			error = b.page_at(index, write, page);
		if (error)
			return error;
		pieces.push_back({page, at % page_size, end - at + 1});
		at = end + 1;
	}
	return 0;
}

Expect Model::rw(const Op &op)
{
	const bool write = op.kind == Kind::write, bad_buffer = op[F::va];
	const Range range{op[F::iova], last_of(op[F::iova], op[F::length])};
	static std::array<unsigned char, io_room> bytes;
	std::size_t certain = 0;
	int error = 0;
	Expect expect;

	demand(op[F::length] <= io_limit, ENOMEM);
	demand(!(op[F::flags] & ~rw_slow), EOPNOTSUPP);
	Access &a = find_access(op);
	demand(!write || !bad_buffer || !op[F::length], EFAULT);
	demand(op[F::length] <= io_room, unmodelled);
	demand(op[F::length], EINVAL);
	demand(range.first <= range.last, EOVERFLOW);
	demand(a.ioas != nullptr, ENOENT);
	const Reached reached = translate(a, range, write);
	touches.clear();
	for (const Range &target : reached.targets)
		if (!error)
			error = get_pieces(op, a, target, expect.pieces, certain);
	demand(error != unmodelled, unmodelled);
	// Of a request that may fail half way, any byte may be written.
	if (a.iotlb && (error || reached.error || reached.may_miss))
		certain = 0;
	else if (a.iotlb && write)
		for (const Range &target : reached.targets)
			note(*a.ioas, target, Mark::certain);
	fill_pattern(op[F::value], bytes.data(), write ? op[F::length] : 0);
	// Within the area of an error, any bytes in front of it may be written.
	const unsigned char *from = bytes.data();
	for (std::size_t n = 0; write && n < expect.pieces.size(); n++) {
		if (n < certain)
			expect.pieces[n].store(from);
		else
			expect.pieces[n].forget();
		from += expect.pieces[n].length;
	}
	expect.error = error ? error : reached.error;
	expect.error = expect.error ? expect.error : bad_buffer ? EFAULT : 0;
	// Of a request that fails, it is open what was looked for.
	if (a.iotlb && (expect.error || reached.may_miss))
		touches.clear();
	settle(write, !expect.error);
	// Whether all is translated before anything is copied is open.
	expect.other = error ? reached.error : 0;
	if (reached.may_miss) {
		demand(!expect.other, unmodelled);
		expect.other = ENOTCONN;
	}
	return expect;
}

Expect Model::stats(const Op &op)
{
	const Access &a = find_access(op);
	Expect expect{.out = a.items.size(), .more = a.calls};

	if (a.calls_known && a.calls)
		expect.ranges = {{a.last_iova, a.last_length}};
	return expect;
}

Expect Model::stubborn(const Op &op)
{
	find_access(op).stubborn = op[F::value];
	return {};
}

} // namespace fuzz

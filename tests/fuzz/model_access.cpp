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
constexpr std::uint64_t pin_write = 1, rw_slow = 4;
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

// Does everybody who has pins in an area give them back?
bool Model::notify(Ioas &ioas, const Range &area)
{
	const auto inside = [&](const auto &item) {
		return overlap(item.second.range, area);
	};
	bool released = true;

	for (Access *user : ioas.users) {
		if (std::none_of(user->items.begin(), user->items.end(), inside))
			continue;
		user->calls++;
		user->last_iova = area.first;
		user->last_length = area.last - area.first + 1;
		if (user->stubborn) {
			user->calls_known = released = false;
			continue;
		}
		for (const auto &item : user->items)
			if (inside(item)) {
				note(ioas, item.second, Mark::certain);
				release(item.second);
			}
		std::erase_if(user->items, inside);
	}
	return released;
}

void Model::join(Access &a, std::shared_ptr<Ioas> ioas)
{
	demand(ioas != nullptr, ENOENT);
	demand(!a.pins || ioas->alignment() == page_size || ioas->conforms(), EADDRINUSE);
	ioas->users.push_back(&a);
	a.ioas = std::move(ioas);
}

// Releases everything, like a driver that is told to.
void Model::leave(Access &a)
{
	for (const auto &item : a.items) {
		note(*a.ioas, item.second, Mark::certain);
		release(item.second);
	}
	a.items.clear();
	std::erase(a.ioas->users, &a);
	a.ioas.reset();
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
	if (op[F::id])
		join(*created, c->ioas(op[F::id]));
	if (op.pass == Pass::read_only) {
		leave(*created);
		throw Refused{EFAULT};
	}
	c->objects[created->id] = nullptr;
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
	const auto to = a.context->ioas(op[F::id]), from = a.ioas;

	demand(from && to, ENOENT);
	if (from == to)
		return {};
	join(a, to);
	a.ioas = from;
	leave(a);
	a.ioas = to;
	return {};
}

Expect Model::attach(const Op &op)
{
	Access &a = find_access(op);

	demand(!a.ioas, EINVAL);
	join(a, a.context->ioas(op[F::id]));
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
		if (gone.write && !item.write && item.range == gone.range) {
			item.write = true;
			gone.write = false;
		}
}

Expect Model::pin(const Op &op)
{
	const bool write = op[F::flags] & pin_write;
	const Range range{op[F::iova], last_of(op[F::iova], op[F::length])};
	Item item{range, {}, write};
	bool pinned = false;
	int error = 0;

	demand(op[F::length] <= io_limit, ENOMEM);
	demand(!(op[F::flags] & ~pin_write), EOPNOTSUPP);
	Access &a = find_access(op);
	demand(a.pins, EOPNOTSUPP);
	demand(op[F::length], EINVAL);
	demand(range.first <= range.last, EOVERFLOW);
	demand(a.ioas != nullptr, ENOENT);
	try {
		for (const Part &part : walk(*a.ioas, range.first, range.last, error)) {
			demand(!part.area->closed && part.first % page_size == 0, EINVAL);
			demand(write ? part.area->writable : part.area->readable, EPERM);
			hold(part);
			item.parts.push_back(part);
		}
		demand(!error, error);
		pinned = true;
		if (op[F::va])
			compare_pages(op, item);
		demand(op.pass != Pass::read_only, EFAULT);
	} catch (const Refused &) {
		note(*a.ioas, item, Mark::unsure);
		if (pinned)
			pass_on(a, item);
		release(item);
		throw;
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

// Adds the pieces up to an error; what they are depends on who copies.
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
	for (std::uint64_t at = part.first; at <= part.last;) {
		const std::uint64_t index = at / page_size;
		const std::uint64_t end = std::min(part.last, at | (page_size - 1));
		PageRef page;
		int error = 0;

		if (by_address)
			error = b.owner->look_up(b.base + index * page_size, write, page);
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
	int gap = 0, error = 0;
	Expect expect;

	demand(op[F::length] <= io_limit, ENOMEM);
	demand(!(op[F::flags] & ~rw_slow), EOPNOTSUPP);
	Access &a = find_access(op);
	demand(!write || !bad_buffer || !op[F::length], EFAULT);
	demand(op[F::length] <= io_room, unmodelled);
	demand(op[F::length], EINVAL);
	demand(range.first <= range.last, EOVERFLOW);
	demand(a.ioas != nullptr, ENOENT);
	std::uint64_t at = range.first;
	for (const Part &part : walk(*a.ioas, range.first, range.last, gap)) {
		const Range iova{at, at + (part.last - part.first)};

		certain = expect.pieces.size();
		error = get_pieces(op, part, expect.pieces);
		demand(error != unmodelled, unmodelled);
		if (write)
			note(*a.ioas, iova, error ? Mark::unsure : Mark::certain);
		if (error)
			break;
		certain = expect.pieces.size();
		at = iova.last + 1;
	}
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
	demand(!error && !gap, error ? error : gap);
	demand(!bad_buffer, EFAULT);
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

// SPDX-License-Identifier: GPL-2.0-only
#include "world.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace fuzz {

namespace {

// Nothing of the program is ever below, above, or around the arena.
constexpr std::uint64_t low_end = 0x10000;
constexpr std::uint64_t user_end = 1UL << 47;

Slot of_file(const std::shared_ptr<Inode> &inode, std::uint64_t index)
{
	return {nullptr, inode, index, true, true, Known::open};
}

Slot fresh_slot()
{
	return {std::make_shared<Page>(), nullptr, 0, true, true, Known::nothing};
}

} // namespace

std::uint64_t Piece::disagrees(const unsigned char *bytes) const
{
	unsigned char *mine = page->data.data() + offset;

	if (page->unknown.any())
		for (std::uint64_t n = 0; n < length; n++)
			if (page->unknown[offset + n]) {
				mine[n] = bytes[n];
				page->unknown[offset + n] = false;
			}
	if (std::memcmp(mine, bytes, length) == 0)
		return length;
	return static_cast<std::uint64_t>(
		std::mismatch(mine, mine + length, bytes).first - mine);
}

void Piece::store(const unsigned char *bytes) const
{
	std::memcpy(page->data.data() + offset, bytes, length);
	if (page->unknown.any())
		for (std::uint64_t n = 0; n < length; n++)
			page->unknown[offset + n] = false;
}

void Piece::forget() const
{
	for (std::uint64_t n = 0; n < length; n++)
		page->unknown[offset + n] = true;
}

PageRef Inode::page(std::uint64_t index)
{
	PageRef &page = pages[index];

	if (!page)
		page = std::make_shared<Page>();
	return page;
}

void Inode::truncate(std::uint64_t to)
{
	static const std::array<unsigned char, page_size> zeros{};
	const std::uint64_t part = to % page_size;

	pages.erase(pages.lower_bound((to + page_size - 1) / page_size), pages.end());
	// The rest of a page that is cut reads as zeros, pinned or not.
	if (to < size && part && pages.count(to / page_size))
		Piece{pages[to / page_size], part, page_size - part}.store(zeros.data());
	// What was written behind the end of a file is there again, or is not.
	const std::uint64_t over = size % page_size;
	if (to > size && over && pages.count(size / page_size))
		Piece{pages[size / page_size], over, page_size - over}.forget();
	size = to;
}

void Inode::punch(std::uint64_t first, std::uint64_t number)
{
	pages.erase(pages.lower_bound(first), pages.lower_bound(first + number));
}

PageRef Slot::page() const
{
	if (!inode)
		return own;
	return index < (inode->size + page_size - 1) / page_size ? inode->page(index)
								 : nullptr;
}

Slot *Process::slot_at(std::uint64_t va)
{
	if (va < arena_base || va >= arena_base + slots * page_size)
		return nullptr;
	return &memory[(va - arena_base) / page_size];
}

int Process::look_up(std::uint64_t va, bool write, PageRef &page)
{
	if (va < low_end || va >= user_end)
		return EFAULT;
	if (va < arena_base - arena_room || va >= arena_base + arena_room)
		return unmodelled;
	Slot *slot = slot_at(va);

	if (!slot || (write ? !slot->writable : !slot->readable))
		return EFAULT;
	page = slot->page();
	if (!page)
		return EFAULT;
	slot->known = std::max(slot->known, Known::open);
	return 0;
}

World::World(const Environment &environment)
	: reads_forbidden(environment.reads_forbidden)
{
	const auto shared = std::make_shared<Inode>(), cut = std::make_shared<Inode>(),
		   sealed = std::make_shared<Inode>();

	shared->size = shared_slots * page_size;
	cut->size = sealed->size = 8 * page_size;
	file[file_shared] = {shared};
	file[file_cut] = {cut};
	file[file_read_only] = {shared, true, false};
	file[file_write_only] = {cut, false, true};
	file[file_sealed] = {sealed, true, false};
	process[0] = std::make_shared<Process>();
	for (unsigned n = 0; n < slots; n++)
		process[0]->memory[n] =
			n < shared_slots ? of_file(shared, n) : fresh_slot();
}

bool World::can_act(const Op &op) const
{
	const bool alive = process[op.who] && process[op.who]->alive;

	if (op.kind == Kind::fork)
		return op.who != 0 && !alive;
	return alive && (op.kind != Kind::exit || op.who != 0);
}

bool World::may_read_anyway(Process &owner, std::uint64_t va) const
{
	const Slot *slot = owner.slot_at(va);

	return reads_forbidden && slot && slot->mapped() && !slot->readable;
}

// Does the kernel do it, and is it known what comes of it?
bool World::can_change(const Process &actor, const Op &op)
{
	const std::uint64_t first = op[F::first], number = op[F::number];
	const auto what = static_cast<Change>(op[F::value]);
	const auto all = [&](const auto &is_good) {
		return std::all_of(&actor.memory[first], &actor.memory[first] + number,
				   is_good);
	};

	if (first >= slots || number == 0 || number > slots - first)
		return false;
	switch (what) {
	case Change::shared:
	case Change::cut:
		return op[F::page] < shared_slots && number <= shared_slots - op[F::page];
	case Change::none:
	case Change::readable:
	case Change::writable:
		// A permission would bring back what is not there.
		return all([](const Slot &slot) { return slot.mapped(); });
	case Change::free:
		return all([](const Slot &slot) { return slot.own != nullptr; });
	case Change::move:
		return number == 1 && op[F::page] < slots && op[F::page] != first;
	default:
		return what < Change::count;
	}
}

bool World::change(Process &actor, const Op &op) const
{
	const std::uint64_t first = op[F::first];
	const auto what = static_cast<Change>(op[F::value]);

	if (!can_change(actor, op))
		return false;
	if (what == Change::move) {
		Slot &to = actor.memory[op[F::page]] = actor.memory[first];

		to.known = std::min(to.known, Known::read);
	}
	for (std::uint64_t n = 0; n < op[F::number]; n++) {
		Slot &slot = actor.memory[first + n];

		if (what == Change::unmap || what == Change::move) {
			slot = {};
		} else if (what == Change::fresh) {
			slot = fresh_slot();
		} else if (what == Change::shared) {
			slot = of_file(file[file_shared].inode, op[F::page] + n);
		} else if (what == Change::cut) {
			slot = of_file(file[file_cut].inode, op[F::page] + n);
		} else if (what == Change::discard) {
			slot.known = slot.inode ? Known::open : Known::nothing;
			if (slot.own)
				slot.own = std::make_shared<Page>();
		} else if (what != Change::free) {
			slot.readable = what != Change::none;
			slot.writable = what == Change::writable;
		}
		// No more than that: whether it can be written without a fault is open.
		slot.known = std::min(slot.known, Known::read);
	}
	return true;
}

// The file becomes longer or shorter, or gets a hole.
bool World::cut(const Op &op)
{
	Inode &inode = *file[file_cut].inode;

	if ((op[F::value] | op[F::length]) % page_size && op[F::length])
		return false;
	if (op[F::length])
		inode.punch(op[F::value] / page_size, op[F::length] / page_size);
	else
		inode.truncate(op[F::value]);
	for (auto &each : process)
		for (std::size_t n = 0; each && n < slots; n++)
			if (Slot &slot = each->memory[n]; slot.inode.get() == &inode)
				slot.known = Known::open;
	return true;
}

bool World::poke(Process &actor, const Op &op)
{
	const std::uint64_t in_page = op[F::va] % page_size;
	std::array<unsigned char, page_size> bytes;
	PageRef page;

	if (op[F::length] == 0 || op[F::length] > page_size - in_page ||
	    actor.look_up(op[F::va], true, page) != 0)
		return false;
	fill_pattern(op[F::value], bytes.data(), op[F::length]);
	Piece{page, in_page, op[F::length]}.store(bytes.data());
	actor.slot_at(op[F::va])->known = Known::write;
	return true;
}

void World::fork(const Op &op)
{
	// Who writes next makes a copy.
	for (Slot &slot : process[0]->memory)
		if (slot.own)
			slot.known = std::min(slot.known, Known::read);
	auto child = std::make_shared<Process>(*process[0]);

	child->pinned = child->locked = 0;
	child->privileged = op[F::value] == 0;
	child->uid = first_uid + static_cast<unsigned>(op[F::value]);
	child->limit = user_limit;
	for (Slot &slot : child->memory) {
		if (slot.inode)
			slot.known = Known::open;
		if (!slot.own)
			continue;
		slot.own = std::make_shared<Page>(*slot.own);
		slot.own->pins = 0;
	}
	process[op.who] = child;
}

Expect World::apply(const Op &op)
{
	auto &actor = process[op.who];

	switch (op.kind) {
	case Kind::memory:
		return {.skip = !change(*actor, op)};
	case Kind::poke:
		return {.skip = !poke(*actor, op)};
	case Kind::truncate:
		return {.skip = !cut(op)};
	case Kind::fork:
		fork(op);
		return {};
	case Kind::exit:
		actor->alive = false;
		return {};
	case Kind::limit:
		if (actor->privileged || op[F::value] > user_hard_limit)
			return {.skip = true};
		actor->limit = op[F::value];
		return {};
	case Kind::check_account:
		return {.out = actor->pinned, .more = actor->locked};
	default: // Kind::check_refs
		PageRef page;

		if (actor->look_up(op[F::va], false, page) != 0)
			return {.skip = true};
		return {.out = page->pins};
	}
}

} // namespace fuzz

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
	size = to;
}

int Process::look_up(std::uint64_t va, bool write, PageRef &page) const
{
	if (va < low_end || va >= user_end)
		return EFAULT;
	if (va < arena_base - arena_room || va >= arena_base + arena_room)
		return unmodelled;
	if (va < arena_base || va >= arena_base + slots * page_size)
		return EFAULT;
	const Slot &slot = memory[(va - arena_base) / page_size];

	if (write ? !slot.writable : !slot.readable)
		return EFAULT;
	page = slot.page;
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
		process[0]->memory[n] = {n < shared_slots ? shared->page(n)
							  : std::make_shared<Page>(),
					 n < shared_slots, true, true};
}

bool World::can_act(const Op &op) const
{
	const bool alive = process[op.who] && process[op.who]->alive;

	if (op.kind == Kind::fork)
		return op.who != 0 && !alive;
	return alive && (op.kind != Kind::exit || op.who != 0);
}

bool World::change(Process &actor, const Op &op) const
{
	const std::uint64_t first = op[F::first], number = op[F::number];
	const auto what = static_cast<Change>(op[F::value]);

	if (first >= slots || number == 0 || number > slots - first ||
	    what >= Change::count)
		return false;
	if (what == Change::shared &&
	    (op[F::page] >= shared_slots || number > shared_slots - op[F::page]))
		return false;
	if (what == Change::none && reads_forbidden)
		return false;
	// A permission would bring back what is not there.
	if (what == Change::none || what == Change::readable || what == Change::writable)
		for (std::uint64_t n = 0; n < number; n++)
			if (!actor.memory[first + n].page)
				return false;
	for (std::uint64_t n = 0; n < number; n++) {
		Slot &slot = actor.memory[first + n];

		if (what == Change::unmap) {
			slot = {};
		} else if (what == Change::fresh) {
			slot = {std::make_shared<Page>(), false, true, true};
		} else if (what == Change::shared) {
			slot = {file[file_shared].inode->page(op[F::page] + n), true,
				true, true};
		} else if (what == Change::discard) {
			if (slot.page && !slot.shared)
				slot.page = std::make_shared<Page>();
		} else {
			slot.readable = what != Change::none;
			slot.writable = what == Change::writable;
		}
	}
	return true;
}

bool World::poke(const Process &actor, const Op &op)
{
	const std::uint64_t in_page = op[F::va] % page_size;
	std::array<unsigned char, page_size> bytes;
	PageRef page;

	if (op[F::length] == 0 || op[F::length] > page_size - in_page ||
	    actor.look_up(op[F::va], true, page) != 0)
		return false;
	fill_pattern(op[F::value], bytes.data(), op[F::length]);
	Piece{page, in_page, op[F::length]}.store(bytes.data());
	return true;
}

void World::fork(const Op &op)
{
	auto child = std::make_shared<Process>(*process[0]);

	child->pinned = child->locked = 0;
	child->privileged = op[F::value] == 0;
	child->uid = first_uid + static_cast<unsigned>(op[F::value]);
	child->limit = user_limit;
	for (Slot &slot : child->memory)
		if (slot.page && !slot.shared) {
			slot.page = std::make_shared<Page>(*slot.page);
			slot.page->pins = 0;
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
		file[file_cut].inode->truncate(op[F::value]);
		return {};
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

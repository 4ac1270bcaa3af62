// SPDX-License-Identifier: GPL-2.0-only
#include "stress_iotlb.h"
#include "stress_calls.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace fuzz {

namespace {

constexpr unsigned all_pages = MovingMemory::iotlbs * MovingMemory::slots * 2;
constexpr std::uint64_t words_of_page = page_size / 8;
constexpr std::uint64_t stage = 0x10000000;
constexpr std::uint64_t mark = 0xdeaddeaddeaddeadUL;
constexpr std::uint64_t tag = 0x5107UL << 48;
constexpr std::uint64_t random_bits = 0x7fffffff;
constexpr std::size_t most_items = 6;
constexpr std::uint32_t few_entries = 16;

std::uint64_t address(const void *at)
{
	return reinterpret_cast<std::uint64_t>(at);
}

// Every word of a slot tells where it lies; the rest of it is random.
std::uint64_t word(unsigned iotlb, unsigned slot, std::uint64_t index,
		   std::uint64_t random)
{
	return tag | ((iotlb * 64 + slot) * words_of_page + index) << 31 |
	       (random & random_bits);
}

bool is_word(std::uint64_t value, unsigned iotlb, std::uint64_t index)
{
	const auto slot = static_cast<unsigned>(index / words_of_page);

	return (value & ~random_bits) == word(iotlb, slot, index % words_of_page, 0);
}

void fill_page(unsigned char *page, std::uint64_t value)
{
	for (std::uint64_t n = 0; n < words_of_page; n++)
		std::memcpy(page + n * 8, &value, 8);
}

bool is_marked(const unsigned char *page)
{
	for (std::uint64_t n = 0; n < words_of_page; n++)
		if (std::memcmp(page + n * 8, &mark, 8) != 0)
			return false;
	return true;
}

} // namespace

MovingMemory::MovingMemory(int device)
	: ioas(make_ioas(device)), base(map_pages(all_pages))
{
	auto map = map_command(ioas, base, all_pages);

	for (unsigned n = 0; n < all_pages; n++)
		fill_page(base + n * page_size, mark);
	map.flags |= IOMMUKIT_IOAS_MAP_FIXED_IOVA;
	map.iova = stage;
	errno = issue(device, IOMMUKIT_IOAS_MAP, &map);
	if (errno)
		throw std::system_error(errno, std::generic_category(), "IOAS_MAP");
	auto cmd = iotlb_command(ioas);
	id[0] = make_iotlb(device, cmd);
	cmd.max_entries = few_entries;
	cmd.evict_policy = IOMMUKIT_IOTLB_EVICT_CLOCK;
	id[1] = make_iotlb(device, cmd);
}

MovingMemory::~MovingMemory()
{
	munmap(base, all_pages * page_size);
}

bool MovingMemory::unpinned(int device) const
{
	return fuzz::unpinned(device, base, all_pages);
}

unsigned char *MovingMemory::page(unsigned iotlb, unsigned slot, unsigned which) const
{
	return base + ((iotlb * slots + slot) * 2 + which) * page_size;
}

std::uint64_t MovingMemory::target(unsigned iotlb, unsigned slot, unsigned which)
{
	return stage + ((iotlb * slots + slot) * 2 + which) * page_size;
}

Mover::Mover(MovingMemory &m, Random &r, unsigned n, unsigned of, Call c, Blame b)
	: memory(m), random(r), number(n), threads(of), call(std::move(c)),
	  blame(std::move(b))
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_CREATE_ACCESS,
				static_cast<int>(memory.id[at]));

	cmd.create_access.flags = IOMMUKIT_TEST_ACCESS_CREATE_NEEDS_PIN_PAGES;
	errno = call(Kind::access, IOMMUKIT_TEST_CMD, &cmd);
	if (errno)
		throw std::system_error(errno, std::generic_category(), "CREATE_ACCESS");
	access.reset(static_cast<int>(cmd.create_access.out_access_fd));
}

void Mover::demand(bool holds, const char *what) const
{
	if (!holds)
		blame(what);
}

// Of more threads than slots, some have none.
bool Mover::owns(unsigned slot) const
{
	return slot % threads == number;
}

void Mover::submit(unsigned iotlb, const std::vector<iommukit_iotlb_msg> &elements)
{
	auto cmd = submit_command(memory.id[iotlb], elements);
	const int error = call(Kind::iotlb_submit, IOMMUKIT_IOTLB_SUBMIT, &cmd);
	demand(error == 0 && cmd.out_done == elements.size(),
	       "a translation could not be changed");
}

// Nobody has the slot's page any more: neither those who read and write, nor pins.
void Mover::retire(unsigned iotlb, unsigned slot)
{
	const State was = state[iotlb][slot];

	if (was != State::absent)
		fill_page(memory.page(iotlb, slot, was == State::second), mark);
	if (iotlb != at)
		return;
	for (const Item &item : items)
		if (item.slot == slot)
			demand(release(item.id) == ENOENT,
			       "a pin has outlived its translation");
	std::erase_if(items, [&](const Item &item) { return item.slot == slot; });
}

void Mover::move()
{
	const auto iotlb = static_cast<unsigned>(random.below(MovingMemory::iotlbs));
	const auto slot = static_cast<unsigned>(random.below(MovingMemory::slots));
	State &now = state[iotlb][slot];
	const State next = now == State::first ? State::second : State::first;
	unsigned char *page = memory.page(iotlb, slot, next == State::second);
	const auto gone =
		element(IOMMUKIT_IOTLB_OP_INVALIDATE, slot * page_size, page_size);
	const auto update =
		update_element(slot * page_size, page_size,
			       MovingMemory::target(iotlb, slot, next == State::second));

	if (!owns(slot))
		return use();
	memory.hot[iotlb] = slot;
	if (now != State::absent && random.one_in(4)) {
		submit(iotlb, {gone});
		retire(iotlb, slot);
		now = State::absent;
		return;
	}
	demand(is_marked(page), "written by way of a translation that was gone");
	for (std::uint64_t n = 0; n < words_of_page; n++) {
		const std::uint64_t value = word(iotlb, slot, n, random.next());

		std::memcpy(page + n * 8, &value, 8);
	}
	// What may have been forgotten is not there to be replaced.
	if (iotlb || random.one_in(2))
		submit(iotlb, {gone, update});
	else
		submit(iotlb, {update});
	retire(iotlb, slot);
	now = next;
}

unsigned Mover::pick_slot()
{
	return random.one_in(2)
		       ? memory.hot[at].load()
		       : static_cast<unsigned>(random.below(MovingMemory::slots));
}

// Reads or writes some of it, perhaps beyond the end of a slot.
void Mover::use()
{
	const bool write = random.one_in(3);
	const std::uint64_t all = MovingMemory::slots * words_of_page;
	const unsigned slot = pick_slot();
	const std::uint64_t first = slot * words_of_page + random.below(words_of_page);
	const std::uint64_t most =
		random.one_in(2) ? std::min(words.size(), all - first) : 1;
	const std::uint64_t length = 1 + random.below(most);
	const bool whole = (first + length - 1) / words_of_page == slot;
	auto cmd = test_command(IOMMUKIT_TEST_OP_ACCESS_RW, access.get());

	for (std::uint64_t n = 0; write && n < length; n++) {
		const std::uint64_t index = first + n;

		words[n] = word(at, static_cast<unsigned>(index / words_of_page),
				index % words_of_page, random.next());
	}
	cmd.access_rw.iova = first * 8;
	cmd.access_rw.length = length * 8;
	cmd.access_rw.uptr = address(words.data());
	cmd.access_rw.flags = (write ? IOMMUKIT_TEST_ACCESS_RW_WRITE : 0) |
			      (random.one_in(3) ? IOMMUKIT_TEST_ACCESS_RW_SLOW_PATH : 0);
	const int error = call(write ? Kind::write : Kind::read, IOMMUKIT_TEST_CMD, &cmd);
	demand(!error || error == ENOTCONN || error == EAGAIN,
	       "another error than that a translation is missing");
	if (whole && owns(slot)) {
		const bool absent = state[at][slot] == State::absent;

		demand(!absent || error, "a translation was used that is not there");
		demand(absent || at || !error, "the thread's own translation is missing");
	}
	for (std::uint64_t n = 0; !write && !error && n < length; n++) {
		demand(words[n] != mark, "read by way of a translation that was gone");
		demand(is_word(words[n], at, first + n),
		       "read what was not written to that slot");
	}
}

void Mover::pin()
{
	const unsigned slot = pick_slot();
	// A driver that is told of one gives back what intersects it as well.
	const std::uint64_t number_of_pages = at && random.one_in(3) ? 2 : 1;
	auto cmd = test_command(IOMMUKIT_TEST_OP_ACCESS_PAGES, access.get());

	if (items.size() >= most_items)
		return unpin();
	cmd.access_pages.iova = slot * page_size;
	cmd.access_pages.length = number_of_pages * page_size;
	if (call(Kind::pin, IOMMUKIT_TEST_CMD, &cmd) == 0)
		items.push_back({number_of_pages == 1 ? slot : MovingMemory::slots,
				 cmd.access_pages.out_access_pages_id});
}

int Mover::release(std::uint32_t item)
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_DESTROY_ACCESS_PAGES, access.get());

	cmd.destroy_access_pages.access_pages_id = item;
	return call(Kind::unpin, IOMMUKIT_TEST_CMD, &cmd);
}

// Another thread may have moved it away.
void Mover::unpin()
{
	if (items.empty())
		return pin();
	const Item item = items.back();
	items.pop_back();
	const int error = release(item.id);
	if (!at && item.slot < MovingMemory::slots && owns(item.slot))
		demand(error == 0, "a pin is gone, its translation is not");
}

// Every entry is of a slot, and leads to one of its pages.
void Mover::look()
{
	const auto iotlb = static_cast<unsigned>(random.below(MovingMemory::iotlbs));
	std::array<iommukit_iotlb_entry, 64> entries;
	auto cmd = iommukit::command<iommukit_iotlb_query>();

	cmd.flags = IOMMUKIT_IOTLB_QUERY_DUMP;
	cmd.iotlb_id = memory.id[iotlb];
	cmd.iova_last = all_ones;
	cmd.array = address(entries.data());
	cmd.count = entries.size();
	cmd.entry_size = sizeof(entries[0]);
	const int error = call(Kind::iotlb_query, IOMMUKIT_IOTLB_QUERY, &cmd);
	demand(error == 0, "entries could not be listed");
	for (std::uint32_t n = 0; n < cmd.count && !error; n++) {
		const auto &entry = entries[n];
		const auto slot = static_cast<unsigned>(entry.first / page_size);
		const std::uint64_t first = MovingMemory::target(iotlb, slot, 0);

		demand(n == 0 || entry.first > entries[n - 1].last,
		       "entries are out of order, or overlap");
		demand(entry.first % page_size == 0 && slot < MovingMemory::slots &&
			       entry.last == entry.first + page_size - 1 &&
			       (entry.target == first ||
				entry.target == first + page_size),
		       "an entry that nobody has put in");
	}
}

// A list is no snapshot, and may have more than there are at a time.
void Mover::count()
{
	std::array<std::uint64_t, IOMMUKIT_IOTLB_NR_STATS> counters{};
	auto cmd = iommukit::command<iommukit_iotlb_stats>();

	cmd.iotlb_id = memory.id[1];
	cmd.count = counters.size();
	cmd.array = address(counters.data());
	const int error = call(Kind::iotlb_query, IOMMUKIT_IOTLB_STATS, &cmd);
	demand(error == 0, "entries could not be counted");
	demand(counters[IOMMUKIT_IOTLB_STAT_ENTRIES] <= few_entries,
	       "more entries than there may be");
}

// To the other IOTLB, perhaps by way of what both lead to.
void Mover::hop()
{
	auto cmd = test_command(IOMMUKIT_TEST_OP_ACCESS_REPLACE_IOAS, access.get());

	if (random.one_in(2)) {
		cmd.access_replace_ioas.ioas_id = memory.ioas;
		demand(call(Kind::replace, IOMMUKIT_TEST_CMD, &cmd) == 0,
		       "an IOTLB could not be left for its IOAS");
	}
	at = (at + 1) % MovingMemory::iotlbs;
	cmd.access_replace_ioas.ioas_id = memory.id[at];
	demand(call(Kind::replace, IOMMUKIT_TEST_CMD, &cmd) == 0,
	       "an access could not be attached to an IOTLB");
	for (const Item &item : items)
		demand(release(item.id) == ENOENT, "a pin has outlived its attachment");
	items.clear();
}

// Comes, is used, and goes.
void Mover::short_iotlb()
{
	auto cmd = iotlb_command(memory.ioas);
	auto gone = iommukit::command<iommukit_destroy>();

	if (call(Kind::iotlb, IOMMUKIT_IOTLB_ALLOC, &cmd))
		return blame("no IOTLB could be made");
	gone.id = cmd.out_iotlb_id;
	{
		auto create = test_command(IOMMUKIT_TEST_OP_CREATE_ACCESS,
					   static_cast<int>(gone.id));

		if (call(Kind::access, IOMMUKIT_TEST_CMD, &create))
			return blame("no access to a new IOTLB");
		const iommukit::Fd user(
			static_cast<int>(create.create_access.out_access_fd));
		demand(call(Kind::destroy, IOMMUKIT_DESTROY, &gone) == EBUSY,
		       "an IOTLB was destroyed while it was in use");
	}
	demand(call(Kind::destroy, IOMMUKIT_DESTROY, &gone) == 0,
	       "an unused IOTLB could not be destroyed");
}

void Mover::step()
{
	const std::uint64_t what = random.below(100);

	if (what < 30)
		move();
	else if (what < 75)
		use();
	else if (what < 87)
		pin();
	else if (what < 93)
		unpin();
	else if (what < 95)
		look();
	else if (what < 96)
		count();
	else if (what < 99)
		hop();
	else
		short_iotlb();
}

} // namespace fuzz

// SPDX-License-Identifier: GPL-2.0-only
// The part of the model that knows of on-demand mappings: what an IOVA shows is what
// the address shows, whoever asks; pins are of what was there.
#include "model.h"

#include <algorithm>
#include <cerrno>

namespace fuzz {

namespace {

constexpr std::uint64_t read_write =
	IOMMUKIT_IOAS_MAP_READABLE | IOMMUKIT_IOAS_MAP_WRITEABLE;
constexpr std::uint64_t map_flags = read_write | IOMMUKIT_IOAS_MAP_FIXED_IOVA;
constexpr std::uint64_t prefetch_flags =
	IOMMUKIT_IOAS_PREFETCH_WRITE | IOMMUKIT_IOAS_PREFETCH_NO_FAULT;
// What every process can have, and what none can, with page tables of any depth. The
// kernel's limit is in between.
constexpr std::uint64_t surely_below = 0x700000000000, surely_above = 1UL << 56;

// The address of a page, and back, if the mapping has it.
std::uint64_t address_of(const Backing &b, std::uint64_t index)
{
	return b.base + index * page_size;
}

bool covers(const Backing &b, std::uint64_t va)
{
	return va >= b.base && va - b.base < b.length;
}

std::uint64_t index_of(const Backing &b, std::uint64_t va)
{
	return (va - b.base) / page_size;
}

// Is something else at the address afterwards?
bool replaces(Change what)
{
	return what == Change::unmap || what == Change::fresh || what == Change::shared ||
	       what == Change::cut || what == Change::move;
}

// How many pages the process can have in its page table.
std::uint64_t most_present(const Backing &b)
{
	std::uint64_t number = 0;

	for (unsigned n = 0; n < slots && b.owner->alive; n++) {
		const Slot &slot = b.owner->memory[n];

		number += covers(b, arena_base + n * page_size) && slot.readable &&
			  slot.known != Known::nothing && slot.page();
	}
	return number;
}

} // namespace

bool Ioas::ondemand() const
{
	return std::any_of(areas.begin(), areas.end(), [](const auto &entry) {
		return entry.second.backing->ondemand != nullptr;
	});
}

Expect Model::map_ondemand(const Op &op)
{
	const std::uint64_t va = op[F::va], length = op[F::length], flags = op[F::flags];
	const bool fixed = flags & IOMMUKIT_IOAS_MAP_FIXED_IOVA;
	const bool too_long = length > all_ones - page_size;

	demand(!(flags & ~map_flags), EOPNOTSUPP);
	demand(op[F::num] <= IOMMUKIT_ONDEMAND_FAULT_AROUND_MAX ||
		       op[F::num] == IOMMUKIT_ONDEMAND_FAULT_AROUND_DEFAULT,
	       EINVAL);
	demand(op[F::iova] != all_ones && length != all_ones, EOVERFLOW);
	demand(flags & read_write, EINVAL);
	const auto ioas = find(op);
	demand(length, EINVAL);
	// A length beyond all is EINVAL for other mappings.
	demand(va + length >= va, EOVERFLOW, too_long ? EINVAL : 0);
	demand((va | length | (fixed ? op[F::iova] : 0)) % page_size == 0, EINVAL);
	demand(va < surely_above && va + length <= surely_above, EFAULT);
	demand(va + length <= surely_below, unmodelled);
	demand(ioas->hwpts.empty(), EOPNOTSUPP);
	const std::uint64_t iova = place(*ioas, op, va);
	demand(!ioas->notes_writes || length <= most_noted, unmodelled);
	const auto owner = world.process[op.who];
	const Mode mode = owner->privileged	     ? Mode::none
			  : context[op.ctx]->mm_mode ? Mode::mm
						     : Mode::user;
	const bool writable = flags & IOMMUKIT_IOAS_MAP_WRITEABLE;
	const auto backing =
		std::make_shared<Backing>(Backing{owner,
						  false,
						  writable,
						  nullptr,
						  va,
						  mode,
						  {},
						  std::make_shared<Ondemand>(),
						  length});
	ondemands.push_back(backing);
	ioas->areas[iova] = {last_of(iova, length), backing, 0,
			     (flags & IOMMUKIT_IOAS_MAP_READABLE) != 0, writable};
	return {.out = iova};
}

// Why parts of an IOAS, of which some are on demand, cannot be copied; or 0. They are
// whole pages, even where others need not be.
Refused Model::unfit_for_ondemand(const Ioas &to, const Op &op,
				  const std::vector<Part> &parts)
{
	const bool fixed = op[F::flags] & IOMMUKIT_IOAS_MAP_FIXED_IOVA;
	std::uint64_t at = fixed ? op[F::iova] : parts.front().first;
	bool some = false, whole = true;

	for (const Part &part : parts) {
		const std::uint64_t end = at + (part.last - part.first) + 1;

		if (part.backing->ondemand) {
			some = true;
			whole &= (at | end | part.first) % page_size == 0;
		}
		at = end;
	}
	if (some && !to.hwpts.empty())
		return {EOPNOTSUPP, whole ? 0 : EINVAL};
	return {whole ? 0 : EINVAL};
}

void Model::each_ondemand(const Process &owner, const Visit &visit)
{
	std::erase_if(ondemands, [](const auto &each) { return each.expired(); });
	for (const auto &each : ondemands)
		if (const auto b = each.lock(); b && b->owner.get() == &owner)
			visit(*b, *b->ondemand);
}

// The process has another page at an address, or will write to the one there is: who
// knows the old one must have forgotten it.
void Model::disturb(const Process &owner, std::uint64_t va)
{
	each_ondemand(owner, [&](const Backing &b, Ondemand &of) {
		if (covers(b, va))
			of.found.erase(index_of(b, va));
	});
}

// What an operation on memory means for who knows its pages.
void Model::notice_change(const Op &op)
{
	const auto what = static_cast<Change>(op[F::value]);
	const bool zaps = replaces(what) || what == Change::discard;
	Process &actor = *world.process[op.who];
	std::vector<unsigned> changed;

	for (std::uint64_t n = 0; n < op[F::number]; n++)
		changed.push_back(static_cast<unsigned>(op[F::first] + n));
	if (what == Change::move)
		changed.push_back(static_cast<unsigned>(op[F::page]));
	each_ondemand(actor, [&](Backing &b, Ondemand &of) {
		bool hit = false;

		for (const unsigned n : changed) {
			const std::uint64_t va = arena_base + n * page_size;

			if (!covers(b, va))
				continue;
			const std::uint64_t index = index_of(b, va);
			const std::uint64_t gone = of.found.erase(index);
			const bool other =
				replaces(what) || (zaps && actor.memory[n].own);

			hit = true;
			of.least[zapped_pages] += zaps ? gone : 0;
			if (other && b.held.count(index) &&
			    of.outlived.insert(index).second)
				of.least[pins_outlived]++;
		}
		if (hit && zaps) {
			of.least[invalidations]++;
			of.least[replaces(what) ? unmap_event : clear_event]++;
		}
	});
}

// The same for all others.
void Model::notice(const Op &op)
{
	const auto is_private = [](const Slot &slot) { return slot.own != nullptr; };
	const auto is_cut = [&](const Slot &slot) {
		return slot.inode && slot.inode == world.file[file_cut].inode;
	};
	const auto disturb_all = [&](const Process &owner, const auto &about) {
		for (unsigned n = 0; n < slots; n++)
			if (about(owner.memory[n]))
				disturb(owner, arena_base + n * page_size);
	};
	Process &actor = *world.process[op.who];

	switch (op.kind) {
	case Kind::memory:
		return notice_change(op);
	case Kind::poke:
		if (is_private(*actor.slot_at(op[F::va])))
			disturb(actor, op[F::va]);
		return;
	case Kind::fork:
		return disturb_all(*world.process[0], is_private);
	case Kind::truncate:
		for (const auto &process : world.process)
			if (process)
				disturb_all(*process, is_cut);
		return;
	case Kind::exit:
		return each_ondemand(actor, [](const Backing &, Ondemand &of) {
			of.least[zapped_pages] += of.found.size();
			of.least[invalidations]++;
			of.least[release_event]++;
			of.found.clear();
		});
	default:
		return;
	}
}

// Who copies for another process, or says that he does, finds pages and keeps them in
// mind; the owner himself goes by way of his own memory.
int Model::get_ondemand_pieces(const Op &op, const Part &part, std::vector<Piece> &pieces)
{
	const bool write = op.kind == Kind::write;
	Backing &b = *part.backing;
	const bool own = b.owner == world.process[op.who] && !(op[F::flags] & rw_slow);

	for (std::uint64_t at = part.first; at <= part.last;) {
		const std::uint64_t index = at / page_size;
		const std::uint64_t end = std::min(part.last, at | (page_size - 1));
		Slot *slot = b.owner->slot_at(address_of(b, index));
		const bool absent = slot && slot->known == Known::nothing;
		PageRef page;

		if (own && !write &&
		    world.may_read_anyway(*b.owner, address_of(b, index)))
			return unmodelled;
		const int error = b.page_at(index, write, page);
		if (error == EFAULT && !own && b.owner->alive)
			touches.push_back({&b, index, absent, false});
		if (error)
			return error;
		if (write && slot->own && slot->known != Known::write)
			disturb(*b.owner, address_of(b, index));
		if (!own)
			touches.push_back({&b, index, absent, true});
		pieces.push_back({page, at % page_size, end - at + 1});
		at = end + 1;
	}
	return 0;
}

// What was certainly found, or not, on the way.
void Model::settle(bool write, bool done)
{
	std::set<Ondemand *> counted;

	for (const Touch &touch : touches) {
		Ondemand &of = *touch.backing->ondemand;
		Process &owner = *touch.backing->owner;

		if (!touch.there) {
			of.least[fault_errors]++;
			continue;
		}
		if (!done)
			continue;
		Slot &slot = *owner.slot_at(address_of(*touch.backing, touch.index));
		slot.known = std::max(slot.known, write ? Known::write : Known::read);
		of.found.insert(touch.index);
		// Several may be found at once.
		if (touch.absent && counted.insert(&of).second)
			of.least[write ? faults_write : faults_read]++;
	}
	touches.clear();
}

// Of a range that a PREFETCH is about, the pages up to an address.
std::uint64_t Model::Prefetched::pages(std::uint64_t end) const
{
	return end == first ? 0 : (end - 1) / page_size - first / page_size + 1;
}

// Is the page there, or can it be? 0, EFAULT, or unmodelled if that is open.
int Model::prefetch_page(const Op &op, Backing &b, std::uint64_t index)
{
	const bool write = op[F::flags] & IOMMUKIT_IOAS_PREFETCH_WRITE;
	const bool quiet = op[F::flags] & IOMMUKIT_IOAS_PREFETCH_NO_FAULT;
	const std::uint64_t va = address_of(b, index);
	const Known wanted = write ? Known::write : Known::read;
	Slot *const slot = b.owner->slot_at(va);
	const Known before = slot ? slot->known : Known::nothing;
	PageRef page;

	const int error = b.page_at(index, write, page);
	demand(error != unmodelled, unmodelled);
	if (quiet && slot)
		slot->known = before;
	if (error)
		return error;
	if (quiet && before < wanted)
		return before == Known::nothing ? EFAULT : unmodelled;
	return 0;
}

// What a PREFETCH that can be foretold has done.
void Model::settle_prefetch(const Op &op)
{
	const bool write = op[F::flags] & IOMMUKIT_IOAS_PREFETCH_WRITE;
	const bool quiet = op[F::flags] & IOMMUKIT_IOAS_PREFETCH_NO_FAULT;

	for (const Touch &touch : touches) {
		Ondemand &of = *touch.backing->ondemand;
		const std::uint64_t va = address_of(*touch.backing, touch.index);

		if (!touch.there) {
			of.least[fault_errors]++;
			continue;
		}
		Slot &slot = *touch.backing->owner->slot_at(va);
		if (write && slot.own && slot.known != Known::write && !quiet)
			disturb(*touch.backing->owner, va);
		of.found.insert(touch.index);
		if (quiet)
			continue;
		slot.known = std::max(slot.known, write ? Known::write : Known::read);
		of.least[prefetch_pages] += touch.absent;
	}
	touches.clear();
}

// Adds what is there of an area, up to an IOVA.
void Model::prefetch(const Op &op, std::uint64_t begin, const Area &area,
		     std::uint64_t last, Prefetched &pages)
{
	const bool write = op[F::flags] & IOMMUKIT_IOAS_PREFETCH_WRITE;
	Backing &b = *area.backing;

	// Whether that matters without one of both is open.
	demand(!area.closed, unmodelled);
	demand(write ? area.writable || b.ondemand : area.readable, unmodelled);
	if (!b.ondemand)
		return pages.pass(last + 1);
	pages.error = write && !area.writable ? EPERM : 0;
	while (!pages.error && pages.most <= last) {
		const std::uint64_t index =
			(area.offset + (pages.most - begin)) / page_size;
		const Slot *slot = b.owner->slot_at(address_of(b, index));
		const bool absent = slot && slot->known == Known::nothing;
		const int error = prefetch_page(op, b, index);

		pages.open |= error == unmodelled;
		pages.error = error == unmodelled ? 0 : error;
		if (pages.error)
			break;
		if (!pages.open)
			touches.push_back({&b, index, absent, true});
		pages.pass(std::min(last, pages.most | (page_size - 1)) + 1);
	}
	if (pages.error != EFAULT || op[F::flags] & IOMMUKIT_IOAS_PREFETCH_NO_FAULT)
		return;
	if (pages.most == pages.first && b.owner->alive)
		touches.push_back({&b, 0, false, false});
	// It is not told how far it has looked.
	for (std::uint64_t n = 0; n < slots; n++)
		if (Slot &slot = b.owner->memory[n];
		    covers(b, arena_base + n * page_size) && slot.page())
			slot.known = std::max(slot.known, Known::open);
}

Expect Model::prefetch(const Op &op)
{
	const std::uint64_t first = op[F::iova], length = op[F::length];
	const std::uint64_t last = last_of(first, length);
	const int wrong = !length ? EINVAL : wraps(first, length) ? EOVERFLOW : 0;
	Prefetched pages{first, first, first};

	demand(!(op[F::flags] & ~prefetch_flags) && !op[F::reserved], EOPNOTSUPP);
	touches.clear();
	// Which comes first is open.
	demand(context[op.ctx]->ioas(op[F::id]) != nullptr, ENOENT, wrong);
	demand(!wrong, wrong);
	demand(last != all_ones && length != all_ones, unmodelled);
	const auto ioas = find(op);
	for (auto area = ioas->at(first); !pages.error && pages.most <= last; area++) {
		if (area != ioas->areas.end() && area->first <= pages.most) {
			prefetch(op, area->first, area->second,
				 std::min(last, area->second.last), pages);
			continue;
		}
		pages.error = ENOENT;
	}
	const std::uint64_t sure = pages.pages(pages.sure),
			    most = pages.pages(pages.most);
	settle_prefetch(op);
	return {.error = most ? 0 : pages.error,
		.other = sure	? 0
			 : most ? EFAULT
				: 0,
		.out = sure,
		.more = most};
}

// What has to be there of a mapping, and what can be.
void Model::count(const Backing &b, OndemandAnswer &answer) const
{
	const Ondemand &of = *b.ondemand;
	const bool quiet = of.reset_at == now;
	Counts least = of.least, most;

	most.fill(all_ones);
	for (const Counter never : {userfault_waits, refused, quarantined_pages, huge})
		most[never] = 0;
	for (std::size_t n = hw_maps; n < quarantined_pages; n++)
		most[n] = 0;
	most[soft_dirty_event] = most[exclusive_event] = 0;
	if (b.owner->alive)
		most[release_event] = 0;
	for (std::size_t n = 0; n < query_counters && quiet; n++)
		if (!is_state(n) && n != present_peak)
			most[n] = 0;
	least[present_pages] = of.found.size();
	most[present_pages] = most_present(b);
	least[pins_live] = most[pins_live] = b.held.size();
	answer.state |= b.owner->alive ? 0 : IOMMUKIT_ONDEMAND_DEAD_MM;
	for (std::size_t n = 0; n < query_counters; n++) {
		answer.least[n] += least[n];
		answer.most[n] = most[n] > all_ones - answer.most[n]
					 ? all_ones
					 : answer.most[n] + most[n];
	}
}

Expect Model::query_ondemand(const Op &op)
{
	const bool all = op[F::iova] == IOMMUKIT_ONDEMAND_QUERY_SUM;
	const bool reset = op[F::flags] & IOMMUKIT_ONDEMAND_QUERY_RESET;
	auto answer = std::make_shared<OndemandAnswer>();
	std::set<Backing *> asked;

	demand(!(op[F::flags] & ~std::uint64_t(IOMMUKIT_ONDEMAND_QUERY_RESET)) &&
		       !op[F::reserved],
	       EOPNOTSUPP);
	demand(!op[F::length] || (op[F::length] >= offsetof(iommukit_ondemand_query,
							    out_faults_read) &&
				  op[F::length] <= sizeof(iommukit_ondemand_query)),
	       unmodelled);
	const auto ioas = find(op);
	for (auto area = all ? ioas->areas.begin() : ioas->at(op[F::iova]);
	     area != ioas->areas.end() && (all || area->first <= op[F::iova]); area++)
		if (area->second.backing->ondemand)
			asked.insert(area->second.backing.get());
	demand(!asked.empty(), ENOENT);
	for (Backing *b : asked) {
		count(*b, *answer);
		if (!all)
			answer->of = b->ondemand;
		if (!reset)
			continue;
		b->ondemand->least.fill(0);
		b->ondemand->reset_at = now;
	}
	// If it cannot be told, whether it is reset is open.
	if (reset && (all || op.pass == Pass::read_only))
		for (Backing *b : asked)
			b->ondemand->seen.fill(0);
	if (reset && op.pass == Pass::read_only)
		for (Backing *b : asked)
			b->ondemand->reset_at = 0;
	answer->reset = reset;
	Expect expect;
	expect.ondemand = answer;
	return expect;
}

} // namespace fuzz

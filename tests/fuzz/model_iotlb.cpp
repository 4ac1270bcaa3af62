// SPDX-License-Identifier: GPL-2.0-only
// The part of the model that knows the commands of IOTLBs, and where an access that is
// attached to one ends up.
#include "model.h"
#include "submission.h"

#include <linux/iommukit.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace fuzz {

namespace {

constexpr std::uint64_t alloc_flags = IOMMUKIT_IOTLB_TARGET_UVA |
				      IOMMUKIT_IOTLB_KEEP_ON_CLOSE |
				      IOMMUKIT_IOTLB_NO_CHANNEL;
constexpr std::uint64_t submit_flags =
	IOMMUKIT_IOTLB_SUBMIT_WRITE_STATUS | IOMMUKIT_IOTLB_SUBMIT_CONTINUE;
constexpr std::uint64_t default_entries = 65536, most_entries = 1UL << 20;
constexpr std::uint64_t least_entries = 16, most_asids = 4096, most_pending = 65536;
constexpr std::uint64_t hour_ms = 3600000, most_granule = 30, most_spin_us = 1000;
constexpr std::uint64_t most_submitted = 65536;
// Longer arrays are not worth it, and a hull of many ranges would be invalidated.
constexpr std::size_t longest = 16;

bool is_max_entries(std::uint64_t value)
{
	return !value || (value >= least_entries && value <= most_entries);
}

bool is_timeout(std::uint64_t value)
{
	return value <= hour_ms || value == IOMMUKIT_IOTLB_NO_TIMEOUT;
}

bool goes_on_after(int error)
{
	return error == ESTALE || error == EEXIST || error == ENOSPC;
}

} // namespace

std::shared_ptr<Iotlb> Context::iotlb(std::uint64_t id) const
{
	const auto found = iotlbs.find(id);

	return found == iotlbs.end() ? nullptr : found->second;
}

Expect Model::alloc_iotlb(const Op &op)
{
	Context &c = *context[op.ctx];
	const auto made = std::make_shared<Iotlb>();
	const Range given{op[F::first1], op[F::last1]};
	const bool user = op[F::flags] & IOMMUKIT_IOTLB_TARGET_UVA;

	demand(!(op[F::flags] & ~alloc_flags) && !op[F::reserved], EOPNOTSUPP);
	demand(!user || !op[F::id], EINVAL);
	demand(op[F::num] <= most_asids, EINVAL);
	demand(is_max_entries(op[F::number]), EINVAL);
	demand(op[F::value] <= most_pending, EINVAL);
	demand(is_timeout(op[F::source]), EINVAL);
	demand(op[F::option] <= IOMMUKIT_IOTLB_EVICT_NONE, EOPNOTSUPP);
	demand(given.first <= given.last, EINVAL);
	demand(op[F::length] <= most_granule && op[F::page] <= most_spin_us, EINVAL);
	// Nobody shall wait for a server.
	demand(!user && op[F::flags] & IOMMUKIT_IOTLB_NO_CHANNEL, unmodelled);
	made->ioas = find(op);
	demand(op.pass != Pass::read_only, EFAULT);
	made->id = c.free_id();
	made->policy = op[F::option];
	made->max_entries = op[F::number] ? op[F::number] : default_entries;
	made->asids = std::max<std::uint64_t>(op[F::num], 1);
	if (given.last)
		made->aperture = given;
	made->ioas->iotlbs++;
	c.objects[made->id] = nullptr;
	c.iotlbs[made->id] = made;
	return {.out = made->id};
}

// Destroys an IOTLB, if it is one.
bool Model::end_iotlb(const Op &op)
{
	Context &c = *context[op.ctx];
	const auto iotlb = c.iotlb(op[F::id]);

	if (!iotlb)
		return false;
	for (const Access *user : iotlb->ioas->users)
		demand(user->iotlb != iotlb, EBUSY);
	iotlb->ioas->iotlbs--;
	c.iotlbs.erase(iotlb->id);
	c.objects.erase(iotlb->id);
	return true;
}

// What else is wrong may be told instead.
Iotlb &Model::find_iotlb(const Op &op, int otherwise)
{
	const auto iotlb = context[op.ctx]->iotlb(op[F::id]);

	demand(iotlb != nullptr, ENOENT, otherwise);
	return *iotlb;
}

Expect Model::keep_element(const Op &op)
{
	if (elements.size() < longest)
		elements.push_back(op);
	return {.skip = true};
}

// Accesses give back what was invalidated; the driver hears of each pin.
void Model::revoke(const Iotlb &iotlb, const std::vector<Range> &gone)
{
	for (Access *user : iotlb.ioas->users)
		if (user->iotlb.get() == &iotlb)
			call_back(*user, [&](const Item &item) {
				return hits(gone, item.range);
			});
}

Expect Model::submit(const Op &op)
{
	const auto answer = std::make_shared<IotlbAnswer>();
	const bool told = op[F::flags] & IOMMUKIT_IOTLB_SUBMIT_WRITE_STATUS;
	Expect expect{.iotlb = answer};

	answer->elements = std::exchange(elements, {});
	const auto &given = answer->elements;
	const auto count = static_cast<std::uint32_t>(given.size() + op[F::num]);
	const bool too_short = !count || op[F::length] > all_ones / 2;
	const bool too_many = count > most_submitted;
	try {
		demand(!(op[F::flags] & ~submit_flags) && !op[F::reserved], EOPNOTSUPP);
		Iotlb &iotlb = find_iotlb(op, too_many ? E2BIG : too_short ? EINVAL : 0);
		demand(!too_short, EINVAL, too_many ? E2BIG : 0);
		demand(!too_many, E2BIG);
		submit(op, iotlb, count, *answer, expect);
	} catch (const Refused &refused) {
		demand(refused.error != unmodelled, unmodelled);
		expect.error = refused.error;
		expect.other = refused.other;
	}
	if (!told)
		answer->status.clear();
	return expect;
}

// One after the other, up to one that fails.
void Model::submit(const Op &op, Iotlb &iotlb, std::uint32_t count, IotlbAnswer &answer,
		   Expect &expect)
{
	constexpr std::uint64_t nobody = all_ones;
	std::uint64_t last_asid = nobody;
	Submission work(iotlb);

	for (; expect.out < count; expect.out++) {
		const bool beyond = expect.out >= answer.elements.size();
		const bool garbage = op[F::length] && op[F::value] == expect.out + 1;
		int error = beyond ? EFAULT : garbage ? E2BIG : 0;

		last_asid = error ? nobody : answer.elements[expect.out][F::num];
		// What cannot be read is not told anything.
		if (!error) {
			error = work.apply(answer.elements[expect.out]);
			answer.status.push_back(error);
		}
		expect.error = expect.error ? expect.error : error;
		if (error && !(goes_on_after(error) &&
			       op[F::flags] & IOMMUKIT_IOTLB_SUBMIT_CONTINUE))
			break;
	}
	// What a driver does that keeps its pages, and what happens to pins whose
	// translation may be forgotten by the time it is replaced, is open.
	for (const Access *user : iotlb.ioas->users) {
		if (user->iotlb.get() != &iotlb)
			continue;
		for (const auto &[id, item] : user->items)
			demand(!(user->stubborn && hits(work.gone, item.range)) &&
				       !(work.after.forgets &&
					 hits(work.put, item.range)),
			       unmodelled);
		check_order(*user, [&](const Item &item) {
			return hits(work.gone, item.range);
		});
	}
	const Space &last = work.after.space(last_asid);
	answer.epoch = work.epoch ? work.epoch : last.epoch;
	// That of an address space that is not there is anything.
	answer.epoch_known = work.epoch ? work.epoch_known
					: last.epoch_known && last_asid < iotlb.asids;
	// The answer is written even then.
	if (expect.error && op.pass == Pass::read_only)
		expect.other = EFAULT;
	work.after.forgets &= work.after.entries() != work.after.pinned();
	iotlb = std::move(work.after);
	revoke(iotlb, work.gone);
}

Expect Model::query(const Op &op)
{
	const auto answer = std::make_shared<IotlbAnswer>();
	const bool dump = op[F::flags] & IOMMUKIT_IOTLB_QUERY_DUMP;
	const bool short_entries = op[F::length] > all_ones / 2;
	const Range range{op[F::first1], dump ? op[F::last1] : op[F::first1]};
	const bool good =
		!short_entries && range.first <= range.last && (dump || op[F::number]);
	bool certain = false;

	demand(!(op[F::flags] & ~std::uint64_t(IOMMUKIT_IOTLB_QUERY_DUMP)), EOPNOTSUPP);
	const Iotlb &iotlb = find_iotlb(op, good ? 0 : EINVAL);
	demand(op[F::num] < iotlb.asids && good, EINVAL);
	const Space &space = iotlb.space(op[F::num]);
	for (const auto &[first, entry] : space.overlapping(range)) {
		answer->rows.push_back({{first, entry.last}, entry.content});
		certain |= !iotlb.forgets || entry.content.pinned;
	}
	answer->some_gone = iotlb.forgets;
	answer->most = iotlb.max_entries;
	answer->epoch = space.epoch;
	answer->epoch_known = space.epoch_known;
	Expect expect{.iotlb = answer};
	demand(dump || !answer->rows.empty(), ENOENT);
	if (!dump && !certain)
		expect.other = ENOENT;
	if (op[F::va] && op[F::number] && !answer->rows.empty()) {
		demand(!certain, EFAULT);
		demand(dump, ENOENT, EFAULT);
		expect.other = EFAULT;
	}
	return expect;
}

Expect Model::set_iotlb(const Op &op)
{
	const std::uint64_t value = op[F::value];

	demand(!op[F::flags], EOPNOTSUPP);
	Iotlb &iotlb = find_iotlb(op);
	switch (op[F::option]) {
	case IOMMUKIT_IOTLB_PARAM_MAX_ENTRIES: {
		const std::uint64_t most = value ? value : default_entries;

		demand(is_max_entries(value), EINVAL);
		demand(iotlb.pinned() <= most, EBUSY);
		if (iotlb.policy == IOMMUKIT_IOTLB_EVICT_NONE)
			demand(iotlb.entries() <= most,
			       iotlb.forgets ? unmodelled : EBUSY);
		iotlb.max_entries = most;
		iotlb.forgets |= iotlb.entries() > most;
		return {};
	}
	case IOMMUKIT_IOTLB_PARAM_MISS_TIMEOUT_MS:
		demand(is_timeout(value), EINVAL);
		return {};
	case IOMMUKIT_IOTLB_PARAM_EVICT_POLICY:
		demand(value <= IOMMUKIT_IOTLB_EVICT_NONE, EOPNOTSUPP);
		iotlb.policy = value;
		return {};
	case IOMMUKIT_IOTLB_PARAM_SPIN_US:
		demand(value <= most_spin_us, EINVAL);
		return {};
	default:
		throw Refused{EOPNOTSUPP};
	}
}

// Where a range of an access leads to, up to what has no translation: without a server
// nobody is asked. Adjacent pieces that are translated alike are one.
Model::Reached Model::translate(const Access &a, const Range &range, bool write)
{
	const int needed = write ? IOMMUKIT_IOTLB_PERM_WRITE : IOMMUKIT_IOTLB_PERM_READ;
	Reached reached;

	if (!a.iotlb) {
		reached.targets.push_back(range);
		return reached;
	}
	if (range.first < a.iotlb->aperture.first ||
	    range.last > a.iotlb->aperture.last) {
		reached.error = EFAULT;
		return reached;
	}
	const Space &space = a.iotlb->space(access_asid);
	std::uint64_t at = range.first, delta = 0;
	for (auto entry = space.at(at);; entry++) {
		reached.error = ENOTCONN;
		if (entry == space.entries.end() || entry->first > at)
			return reached;
		const Content &content = entry->second.content;
		const std::uint64_t last = std::min(range.last, entry->second.last);
		demand(!entry->second.stale, unmodelled);
		reached.may_miss |= a.iotlb->forgets && !content.pinned;
		reached.error = content.negative	   ? EFAULT
				: !(content.perm & needed) ? EPERM
							   : 0;
		if (reached.error)
			return reached;
		// Behind the last IOVA of the IOAS comes none.
		if (!reached.targets.empty() && delta == content.delta && at + delta)
			reached.targets.back().last = last + delta;
		else
			reached.targets.push_back(
				{at + content.delta, last + content.delta});
		delta = content.delta;
		at = last + 1;
		if (last == range.last)
			return reached;
	}
}

} // namespace fuzz

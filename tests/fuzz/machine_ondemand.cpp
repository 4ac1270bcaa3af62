// SPDX-License-Identifier: GPL-2.0-only
// The commands of on-demand mappings, and their answers.
#include "machine.h"

#include <algorithm>
#include <numeric>

namespace fuzz {

void Machine::build_ondemand(const Op &op)
{
	const auto flags = static_cast<std::uint32_t>(op[F::flags]);
	const auto id = static_cast<std::uint32_t>(op[F::id]);
	const auto reserved = static_cast<std::uint32_t>(op[F::reserved]);

	switch (op.kind) {
	case Kind::map_ondemand: {
		auto &cmd =
			start<iommukit_ioas_map_ondemand>(op, IOMMUKIT_IOAS_MAP_ONDEMAND);
		cmd.flags = flags;
		cmd.ioas_id = id;
		cmd.fault_around = static_cast<std::uint32_t>(op[F::num]);
		cmd.user_va = op[F::va];
		cmd.length = op[F::length];
		cmd.iova = op[F::iova];
		return;
	}
	case Kind::prefetch: {
		auto &cmd = start<iommukit_ioas_prefetch>(op, IOMMUKIT_IOAS_PREFETCH);
		cmd.flags = flags;
		cmd.ioas_id = id;
		cmd.__reserved = reserved;
		cmd.iova = op[F::iova];
		cmd.length = op[F::length];
		return;
	}
	default: {
		auto &cmd = start<iommukit_ondemand_query>(op, IOMMUKIT_ONDEMAND_QUERY);
		cmd.flags = flags;
		cmd.ioas_id = id;
		cmd.__reserved = reserved;
		cmd.iova = op[F::iova];
		if (op.pass == Pass::normal && op[F::length])
			cmd.size = static_cast<std::uint32_t>(op[F::length]);
	}
	}
}

// Each that the structure has room for: no less than surely happened, nor than last time,
// and no more than can have.
Machine::Difference Machine::compare_counters(const Op &op, const Expect &expect) const
{
	const OndemandAnswer &answer = *expect.ondemand;
	const bool is_short = op.pass == Pass::normal && op[F::length];
	const std::uint64_t bytes = (is_short ? op[F::length] : size) - query_head;
	const std::size_t number = bytes / sizeof(std::uint64_t);
	Counts got{};

	std::memcpy(got.data(), mailbox.command + query_head, number * 8);
	for (std::size_t n = 0; n < number; n++) {
		const std::uint64_t before =
			answer.of && !is_state(n) ? answer.of->seen[n] : 0;
		const std::uint64_t least = std::max(answer.least[n], before);

		if (got[n] < least || got[n] > answer.most[n])
			return say("the counter at offset ",
				   query_head + n * sizeof(std::uint64_t), " is ", got[n],
				   ", not ", least, " to ", answer.most[n]);
		if (answer.of)
			answer.of->seen[n] = answer.reset ? 0 : got[n];
	}
	if (answer.of && answer.reset)
		answer.of->seen.fill(0);
	if (number < query_counters)
		return {};
	const auto *const events = &got[by_event];
	if (got[invalidations] != std::accumulate(events,
						  events + IOMMUKIT_ONDEMAND_NR_EVENTS,
						  std::uint64_t(0)))
		return say("the events are not ", got[invalidations], " together");
	if (got[invalidations_empty] > got[invalidations])
		return say("of ", got[invalidations], " invalidations, ",
			   got[invalidations_empty], " are empty");
	if (!got[chunks] && got[present_pages])
		return say(got[present_pages], " pages in no block");
	return {};
}

void Machine::answer_ondemand(const Op &op, const Expect &expect)
{
	auto *to = expected.data();
	const unsigned char *got = mailbox.command;

	switch (op.kind) {
	case Kind::map_ondemand:
		reinterpret_cast<iommukit_ioas_map_ondemand *>(to)->iova = expect.out;
		return;
	case Kind::prefetch: {
		auto &pages = reinterpret_cast<iommukit_ioas_prefetch *>(to)->out_pages;
		const std::uint64_t found =
			reinterpret_cast<const iommukit_ioas_prefetch *>(got)->out_pages;

		// At the limits, it may as well have been refused.
		pages = std::clamp(found, std::max(expect.out, std::uint64_t(1)),
				   expect.more);
		return;
	}
	case Kind::ondemand_query: {
		const bool is_short = op.pass == Pass::normal && op[F::length];
		const std::uint64_t bytes = is_short ? op[F::length] : size;

		reinterpret_cast<iommukit_ondemand_query *>(to)->out_state =
			expect.ondemand->state;
		std::memcpy(to + query_head, got + query_head, bytes - query_head);
		return;
	}
	default:
		return;
	}
}

} // namespace fuzz

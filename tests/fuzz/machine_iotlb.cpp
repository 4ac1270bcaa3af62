// SPDX-License-Identifier: GPL-2.0-only
// The commands of IOTLBs, and their answers.
#include "machine.h"

#include <algorithm>
#include <cerrno>

namespace fuzz {

namespace {

// What elements have where nothing is to be read, and before it is written.
constexpr std::uint32_t garbage = 0xa5a5a5a5;

const IotlbAnswer &answer_of(const Expect &expect)
{
	static const IotlbAnswer none;

	return expect.iotlb ? *expect.iotlb : none;
}

std::uint64_t address(const void *at)
{
	return reinterpret_cast<std::uint64_t>(at);
}

iommukit_iotlb_msg make_element(const Op &op)
{
	iommukit_iotlb_msg message = {};

	message.type = garbage;
	message.asid = static_cast<std::uint32_t>(op[F::num]);
	message.iova = op[F::iova];
	message.length = op[F::length];
	message.target = op[F::va];
	message.perm = static_cast<std::uint8_t>(op[F::option]);
	message.op = static_cast<std::uint8_t>(op[F::value]);
	message.flags = static_cast<std::uint16_t>(op[F::flags]);
	message.status = static_cast<std::int32_t>(garbage);
	message.cookie = op[F::number];
	message.epoch = op[F::page];
	message.aux = op[F::reserved];
	return message;
}

// Without what a reader may have changed.
iommukit_iotlb_entry make_entry(const IotlbAnswer::Row &row, std::uint64_t asid)
{
	const Content &content = row.content;
	iommukit_iotlb_entry entry = {};

	entry.first = row.range.first;
	entry.last = row.range.last;
	entry.target = content.negative ? 0 : row.range.first + content.delta;
	entry.perm = content.perm;
	entry.flags = (content.pinned ? IOMMUKIT_IOTLB_ENTRY_PINNED : 0) |
		      (content.negative ? IOMMUKIT_IOTLB_ENTRY_NEGATIVE : 0);
	entry.asid = static_cast<std::uint32_t>(asid);
	return entry;
}

// What was left to the kernel may come back as what it has taken for it.
void accept_defaults(const iommukit_iotlb_alloc &got, iommukit_iotlb_alloc &cmd)
{
	const auto accept = [](auto is, auto by_default, auto &member) {
		if (!member && is == by_default)
			member = is;
	};

	accept(got.num_asids, 1U, cmd.num_asids);
	accept(got.max_entries, 65536U, cmd.max_entries);
	accept(got.max_pending, 256U, cmd.max_pending);
	accept(got.miss_timeout_ms, 5000U, cmd.miss_timeout_ms);
	accept(got.granule_shift, 12U, cmd.granule_shift);
	if (!cmd.iova_first && !cmd.iova_last && got.iova_last == all_ones)
		cmd.iova_last = all_ones;
}

bool same(const iommukit_iotlb_entry &a, const iommukit_iotlb_entry &b)
{
	return std::memcmp(&a, &b, sizeof(a)) == 0;
}

// Is it a part of something that was put in, or something pinned as it is?
bool is_part(const iommukit_iotlb_entry &got, const IotlbAnswer::Row &row,
	     std::uint64_t asid)
{
	IotlbAnswer::Row part = row;

	if (got.first < row.range.first || got.last > row.range.last)
		return false;
	if (!row.content.pinned)
		part.range = {got.first, got.last};
	return same(got, make_entry(part, asid));
}

std::string show(const iommukit_iotlb_entry &entry)
{
	return say(entry.first, "-", entry.last, " to ", entry.target, " perm ",
		   entry.perm, " flags ", entry.flags, " asid ", entry.asid);
}

} // namespace

void Machine::build_submit(const Op &op, const Expect &expect)
{
	const auto &elements = answer_of(expect).elements;
	const std::uint64_t step = sizeof(iommukit_iotlb_msg) + op[F::length];
	const std::uint64_t room = std::min(elements.size() * step, io_room);
	auto &cmd = start<iommukit_iotlb_submit>(op, IOMMUKIT_IOTLB_SUBMIT);
	unsigned char *to = mailbox.data_end - room;

	std::memset(to, 0, room);
	cmd.array = address(to);
	for (std::size_t n = 0; n < elements.size() && step >= sizeof(iommukit_iotlb_msg);
	     n++, to += step) {
		const auto message = make_element(elements[n]);

		std::memcpy(to, &message, sizeof(message));
		if (step > sizeof(message))
			to[step - 1] = op[F::value] == n + 1;
	}
	cmd.flags = static_cast<std::uint32_t>(op[F::flags]);
	cmd.iotlb_id = static_cast<std::uint32_t>(op[F::id]);
	cmd.count = static_cast<std::uint32_t>(elements.size() + op[F::num]);
	cmd.entry_size = static_cast<std::uint32_t>(step);
	cmd.__reserved = op[F::reserved];
}

void Machine::build_iotlb(const Op &op)
{
	const auto id = static_cast<std::uint32_t>(op[F::id]);
	const auto flags = static_cast<std::uint32_t>(op[F::flags]);

	if (op.kind == Kind::iotlb) {
		auto &cmd = start<iommukit_iotlb_alloc>(op, IOMMUKIT_IOTLB_ALLOC);

		cmd.flags = flags;
		cmd.ioas_id = id;
		cmd.num_asids = static_cast<std::uint32_t>(op[F::num]);
		cmd.max_entries = static_cast<std::uint32_t>(op[F::number]);
		cmd.max_pending = static_cast<std::uint32_t>(op[F::value]);
		cmd.miss_timeout_ms = static_cast<std::uint32_t>(op[F::source]);
		cmd.evict_policy = static_cast<std::uint32_t>(op[F::option]);
		cmd.iova_first = op[F::first1];
		cmd.iova_last = op[F::last1];
		cmd.user_tag = op[F::first1] ^ op[F::value];
		cmd.granule_shift = static_cast<std::uint32_t>(op[F::length]);
		cmd.spin_us = static_cast<std::uint32_t>(op[F::page]);
		cmd.__reserved = op[F::reserved];
		return;
	}
	if (op.kind == Kind::iotlb_set) {
		auto &cmd = start<iommukit_iotlb_set>(op, IOMMUKIT_IOTLB_SET);

		cmd.flags = flags;
		cmd.iotlb_id = id;
		cmd.param = static_cast<std::uint32_t>(op[F::option]);
		cmd.value = op[F::value];
		return;
	}
	auto &cmd = start<iommukit_iotlb_query>(op, IOMMUKIT_IOTLB_QUERY);
	const std::uint64_t step = sizeof(iommukit_iotlb_entry) + op[F::length];
	unsigned char *to = rows_of(op);

	std::memset(to, untouched, static_cast<std::size_t>(mailbox.data_end - to));
	cmd.flags = flags;
	cmd.iotlb_id = id;
	cmd.asid = static_cast<std::uint32_t>(op[F::num]);
	cmd.iova_first = op[F::first1];
	cmd.iova_last = op[F::last1];
	cmd.array = address(op[F::va] ? hole : to);
	cmd.count = static_cast<std::uint32_t>(op[F::number]);
	cmd.entry_size = static_cast<std::uint32_t>(step);
}

unsigned char *Machine::rows_of(const Op &op) const
{
	const std::uint64_t step = sizeof(iommukit_iotlb_entry) + op[F::length];

	return mailbox.data_end - std::min(op[F::number] * step, io_room);
}

iommukit_iotlb_entry Machine::listed(const Op &op, std::uint64_t n) const
{
	iommukit_iotlb_entry got;

	std::memcpy(&got, rows_of(op) + n * (sizeof(got) + op[F::length]), sizeof(got));
	got.flags &= ~std::uint32_t(IOMMUKIT_IOTLB_ENTRY_REFERENCED);
	return got;
}

// Some of it is told by the answer itself, where the model leaves it open.
void Machine::answer_iotlb(const Op &op, const Expect &expect)
{
	auto *to = expected.data();
	const auto *got = mailbox.command;

	if (op.kind == Kind::iotlb && !error) {
		auto &cmd = *reinterpret_cast<iommukit_iotlb_alloc *>(to);

		cmd.out_iotlb_id = static_cast<std::uint32_t>(expect.out);
		cmd.out_channel_fd = -1;
		accept_defaults(*reinterpret_cast<const iommukit_iotlb_alloc *>(got),
				cmd);
	}
	if (op.kind == Kind::iotlb_submit && answer_of(expect).epoch) {
		auto &cmd = *reinterpret_cast<iommukit_iotlb_submit *>(to);

		if (error == EFAULT && op.pass == Pass::read_only)
			return;
		cmd.out_done = static_cast<std::uint32_t>(expect.out);
		cmd.out_epoch = expect.iotlb->epoch;
		if (!expect.iotlb->epoch_known)
			cmd.out_epoch =
				reinterpret_cast<const iommukit_iotlb_submit *>(got)
					->out_epoch;
	}
	if (op.kind != Kind::iotlb_query || error)
		return;
	auto &cmd = *reinterpret_cast<iommukit_iotlb_query *>(to);
	const auto &real = *reinterpret_cast<const iommukit_iotlb_query *>(got);
	const auto &rows = expect.iotlb->rows;
	const std::uint64_t number = op[F::number];
	const bool dump = op[F::flags] & IOMMUKIT_IOTLB_QUERY_DUMP;
	cmd.out_epoch = expect.iotlb->epoch_known ? expect.iotlb->epoch : real.out_epoch;
	if (expect.iotlb->some_gone) {
		cmd.count = real.count;
		cmd.flags |= real.flags & IOMMUKIT_IOTLB_QUERY_MORE;
		if (real.flags & IOMMUKIT_IOTLB_QUERY_MORE && real.count)
			cmd.out_next = listed(op, real.count - 1).last + 1;
		return;
	}
	cmd.count = static_cast<std::uint32_t>(
		number && dump ? std::min<std::uint64_t>(number, rows.size())
			       : rows.size());
	if (dump && number && rows.size() > number) {
		cmd.flags |= IOMMUKIT_IOTLB_QUERY_MORE;
		cmd.out_next = rows[number - 1].range.last + 1;
	}
}

// What was submitted is as it was, but for the status.
Machine::Difference Machine::compare_submitted(const Op &op, const Expect &expect) const
{
	const auto &elements = answer_of(expect).elements;
	const auto &status = answer_of(expect).status;
	const std::uint64_t step = sizeof(iommukit_iotlb_msg) + op[F::length];
	const unsigned char *at =
		mailbox.data_end - std::min(elements.size() * step, io_room);

	if (step < sizeof(iommukit_iotlb_msg))
		return {};
	for (std::size_t n = 0; n < elements.size(); n++, at += step) {
		auto wanted = make_element(elements[n]);
		const auto &got = *reinterpret_cast<const iommukit_iotlb_msg *>(at);

		if (n < status.size())
			wanted.status = status[n];
		if (got.status != wanted.status)
			return say("status of element ", n, " is ", got.status, ", not ",
				   wanted.status);
		if (std::memcmp(&got, &wanted, sizeof(got)) != 0)
			return say("element ", n, " has been changed");
	}
	return {};
}

Machine::Difference Machine::compare_entries(const Op &op, const Expect &expect) const
{
	const IotlbAnswer &answer = answer_of(expect);
	const auto &cmd =
		*reinterpret_cast<const iommukit_iotlb_query *>(expected.data());
	const std::uint64_t step = sizeof(iommukit_iotlb_entry) + op[F::length];
	const std::uint64_t written = op[F::number] ? cmd.count : 0;
	std::size_t row = 0;

	if (error)
		return {};
	if (written > op[F::number] || (answer.some_gone && cmd.count > answer.most))
		return say(cmd.count, " entries");
	for (std::uint64_t n = 0; n < written; n++) {
		const iommukit_iotlb_entry got = listed(op, n);

		if (!answer.some_gone) {
			const auto wanted = make_entry(answer.rows[n], op[F::num]);

			if (!same(got, wanted))
				return say("entry ", n, " is ", show(got), ", not ",
					   show(wanted));
			continue;
		}
		while (row < answer.rows.size() &&
		       !is_part(got, answer.rows[row], op[F::num]) &&
		       !answer.rows[row].content.pinned)
			row++;
		if (row == answer.rows.size() ||
		    !is_part(got, answer.rows[row], op[F::num]))
			return say("entry ", n, " is ", show(got),
				   ", which nobody has put in, or one that is pinned "
				   "is missing");
		row += answer.rows[row].content.pinned;
	}
	const bool all = !(cmd.flags & IOMMUKIT_IOTLB_QUERY_MORE) && op[F::number];
	for (; answer.some_gone && all && row < answer.rows.size(); row++)
		if (answer.rows[row].content.pinned)
			return say("what is pinned at ", answer.rows[row].range.first,
				   " is missing");
	for (const auto *at = rows_of(op) + written * step; at < mailbox.data_end; at++)
		if (*at != untouched)
			return say("written beyond entry ", written);
	return {};
}

} // namespace fuzz

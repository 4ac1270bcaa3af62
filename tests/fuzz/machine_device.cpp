// SPDX-License-Identifier: GPL-2.0-only
// The commands of devices and HWPTs, and their answers.
#include "machine.h"

#include <algorithm>
#include <cerrno>

namespace fuzz {

namespace {

// Around a bitmap.
constexpr std::uint64_t guard = 64;
constexpr std::uint64_t most_bitmap = page_size;

// What a bitmap consists of before it is written.
unsigned char before(const Op &op)
{
	return op[F::value] & 1 ? 0x11 : 0;
}

} // namespace

void Machine::build_device(const Op &op)
{
	const auto flags = static_cast<std::uint32_t>(op[F::flags]);
	const auto id = static_cast<std::uint32_t>(op[F::id]);
	const auto source = static_cast<std::uint32_t>(op[F::source]);

	switch (op.kind) {
	case Kind::mock:
		start_test(op, flags ? IOMMUKIT_TEST_OP_MOCK_DOMAIN_FLAGS
				     : IOMMUKIT_TEST_OP_MOCK_DOMAIN)
			.mock_domain.dev_flags = flags;
		return;
	case Kind::mock_new: {
		auto &cmd = start_test(op, IOMMUKIT_TEST_OP_MOCK_CREATE);
		cmd.mock_create.dev_flags = flags;
		cmd.mock_create.sibling = source;
		cmd.mock_create.first = op[F::first1];
		cmd.mock_create.last = op[F::last1];
		return;
	}
	case Kind::mock_replace: {
		auto &cmd = start_test(op, IOMMUKIT_TEST_OP_MOCK_DOMAIN_REPLACE);
		cmd.mock_domain_replace.pt_id = id;
		cmd.id = source;
		return;
	}
	case Kind::hwpt_alloc: {
		auto &cmd = start<iommukit_hwpt_alloc>(op, IOMMUKIT_HWPT_ALLOC);
		cmd.flags = flags;
		cmd.dev_id = source;
		cmd.pt_id = id;
		cmd.__reserved = static_cast<std::uint32_t>(op[F::reserved]);
		cmd.data_len = static_cast<std::uint32_t>(op[F::length]);
		return;
	}
	case Kind::check_map: {
		auto &cmd = start_test(op, IOMMUKIT_TEST_OP_MD_CHECK_MAP);
		cmd.check_map.iova = op[F::iova];
		cmd.check_map.length = op[F::length];
		cmd.check_map.uptr = op[F::va];
		return;
	}
	default:
		build_dirty(op);
	}
}

// Anywhere in its words.
unsigned char *Machine::bitmap(const Op &op) const
{
	return mailbox.data + guard + op[F::value] % guard;
}

void Machine::build_dirty(const Op &op)
{
	const auto flags = static_cast<std::uint32_t>(op[F::flags]);
	const auto id = static_cast<std::uint32_t>(op[F::id]);
	const auto reserved = static_cast<std::uint32_t>(op[F::reserved]);
	const auto data = reinterpret_cast<std::uint64_t>(op[F::va] ? hole : bitmap(op));
	const std::uint64_t bits = op[F::page] ? op[F::length] / op[F::page] : 0;

	switch (op.kind) {
	case Kind::hwpt_track: {
		auto &cmd = start<iommukit_hwpt_set_dirty_tracking>(
			op, IOMMUKIT_HWPT_SET_DIRTY_TRACKING);
		cmd.flags = flags;
		cmd.hwpt_id = id;
		return;
	}
	case Kind::ioas_track: {
		auto &cmd = start<iommukit_ioas_set_dirty_tracking>(
			op, IOMMUKIT_IOAS_SET_DIRTY_TRACKING);
		cmd.flags = flags;
		cmd.ioas_id = id;
		cmd.__reserved = reserved;
		return;
	}
	case Kind::hwpt_mark: {
		auto &cmd = start_test(op, IOMMUKIT_TEST_OP_DIRTY);
		cmd.dirty.iova = op[F::iova];
		cmd.dirty.length = op[F::length];
		cmd.dirty.page_size = op[F::page];
		cmd.dirty.uptr = data;
		fill_pattern(op[F::value], bitmap(op),
			     std::min((bits + 7) / 8, page_size));
		return;
	}
	case Kind::hwpt_dirty: {
		auto &cmd = start<iommukit_hwpt_get_dirty_bitmap>(
			op, IOMMUKIT_HWPT_GET_DIRTY_BITMAP);
		cmd.flags = flags;
		cmd.hwpt_id = id;
		cmd.__reserved = reserved;
		cmd.iova = op[F::iova];
		cmd.length = op[F::length];
		cmd.page_size = op[F::page];
		cmd.data = data;
		break;
	}
	default: {
		auto &cmd = start<iommukit_ioas_get_dirty_bitmap>(
			op, IOMMUKIT_IOAS_GET_DIRTY_BITMAP);
		cmd.flags = flags;
		cmd.ioas_id = id;
		cmd.__reserved = reserved;
		cmd.iova = op[F::iova];
		cmd.length = op[F::length];
		cmd.page_size = op[F::page];
		cmd.data = data;
	}
	}
	std::memset(mailbox.data, before(op), most_bitmap + 3 * guard);
}

// No bit may be set but those, and none be cleared.
Machine::Difference Machine::compare_bits(const Op &op, const Expect &expect) const
{
	const auto *const from = bitmap(op);
	const std::uint64_t bytes = error && error != EINVAL ? 0 : expect.bits.size();

	for (const auto *at = mailbox.data; at < mailbox.data + most_bitmap + 3 * guard;
	     at++) {
		const auto n = static_cast<std::uint64_t>(at - from);
		const unsigned char set = n < bytes ? expect.bits[n] : 0;
		const unsigned char open = n < bytes ? expect.unsure[n] : 0;

		if ((*at & ~open) != ((before(op) | set) & ~open))
			return say("byte ", static_cast<std::int64_t>(n),
				   " of the bitmap is ", unsigned(*at), ", not ",
				   unsigned(before(op) | set), ", which was ",
				   unsigned(before(op)));
	}
	return {};
}

void Machine::answer_device(const Op &op, const Expect &expect)
{
	const auto out = static_cast<std::uint32_t>(expect.out);
	auto &test = *reinterpret_cast<iommukit_test_cmd *>(expected.data());

	switch (op.kind) {
	case Kind::mock:
	case Kind::mock_new: // at the same place in both
		test.mock_domain.out_stdev_id = out;
		test.mock_domain.out_hwpt_id = static_cast<std::uint32_t>(expect.more);
		test.mock_domain.out_idev_id =
			static_cast<std::uint32_t>(expect.ranges[0].first);
		return;
	case Kind::mock_replace:
		test.mock_domain_replace.pt_id = out;
		return;
	case Kind::hwpt_alloc:
		reinterpret_cast<iommukit_hwpt_alloc *>(expected.data())->out_hwpt_id =
			out;
		return;
	case Kind::hwpt_mark:
		test.dirty.out_nr_dirty = expect.out;
		return;
	default:
		return;
	}
}

} // namespace fuzz

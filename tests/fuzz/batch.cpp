// SPDX-License-Identifier: GPL-2.0-only
// Sequences as batches of iommuctl: what the tool cannot do becomes a comment.
#include "op.h"

#include <linux/iommukit.h>

#include <algorithm>
#include <sstream>

namespace fuzz {

namespace {

constexpr std::uint64_t read_write =
	IOMMUKIT_IOAS_MAP_READABLE | IOMMUKIT_IOAS_MAP_WRITEABLE;
// The software DMA engine stands for the accesses, as far as it has ports.
constexpr std::uint64_t ports = 2;
constexpr std::uint64_t prefetch_flags =
	IOMMUKIT_IOAS_PREFETCH_WRITE | IOMMUKIT_IOAS_PREFETCH_NO_FAULT;

std::string hex(std::uint64_t value)
{
	std::ostringstream text;

	text << "0x" << std::hex << value;
	return text.str();
}

std::string place(const Op &op)
{
	const std::uint64_t flags = op[F::flags];
	std::string text;

	if (flags & IOMMUKIT_IOAS_MAP_FIXED_IOVA)
		text += " iova " + hex(op[F::iova]);
	if ((flags & read_write) == read_write)
		return text + " perm rw";
	return text + (flags & IOMMUKIT_IOAS_MAP_READABLE ? " perm r" : " perm w");
}

std::string ioas(const Op &op)
{
	return std::to_string(op[F::id]);
}

std::string port(const Op &op)
{
	return " port " + std::to_string(op[F::slot]);
}

// Whole pages of memory or of a file that is as long, with flags that exist.
bool can_map(const Op &op)
{
	constexpr std::uint64_t known = read_write | IOMMUKIT_IOAS_MAP_FIXED_IOVA;

	return op[F::length] && op[F::length] < all_ones / 2 && !op[F::reserved] &&
	       (op[F::va] | op[F::length]) % page_size == 0 && !(op[F::flags] & ~known) &&
	       (op[F::flags] & read_write);
}

std::string map_command(const Op &op)
{
	const bool of_file = op.kind == Kind::map_file;

	if (!can_map(op) || (of_file ? op[F::file] > file_cut : op[F::va] < arena_base))
		return {};
	return std::string(of_file ? "map memfd " : "map anonymous ") +
	       hex(op[F::length]) + " ioas " + ioas(op) + place(op);
}

std::string map_ondemand_command(const Op &op)
{
	Op same = op;
	std::string text;

	same.kind = Kind::map;
	text = map_command(same);
	if (text.empty())
		return {};
	if (op[F::num] == IOMMUKIT_ONDEMAND_FAULT_AROUND_DEFAULT)
		return text + " ondemand";
	if (op[F::num] > IOMMUKIT_ONDEMAND_FAULT_AROUND_MAX)
		return {};
	return text + " ondemand fault-around " + std::to_string(1UL << op[F::num]);
}

std::string prefetch_command(const Op &op)
{
	std::string text = "prefetch " + hex(op[F::iova]) + " length " +
			   hex(op[F::length]) + " ioas " + ioas(op);

	if (op[F::reserved] || op[F::flags] & ~prefetch_flags)
		return {};
	if (op[F::flags] & IOMMUKIT_IOAS_PREFETCH_WRITE)
		text += " write";
	if (op[F::flags] & IOMMUKIT_IOAS_PREFETCH_NO_FAULT)
		text += " no-fault";
	return text;
}

std::string query_command(const Op &op)
{
	const std::string where =
		op[F::iova] == IOMMUKIT_ONDEMAND_QUERY_SUM ? "all" : hex(op[F::iova]);

	if (op[F::reserved] || op[F::length] ||
	    op[F::flags] & ~std::uint64_t(IOMMUKIT_ONDEMAND_QUERY_RESET))
		return {};
	return "ondemand show " + where + " ioas " + ioas(op) +
	       (op[F::flags] ? " reset" : "");
}

// The tool's mappings have memory of their own: what becomes of slots becomes of each
// that is where it is said to be.
std::string discard_commands(const Op &op, const Sequence &maps)
{
	const std::uint64_t first = arena_base + op[F::first] * page_size;
	const std::uint64_t end = first + op[F::number] * page_size;
	std::string text;

	if (op[F::value] != static_cast<std::uint64_t>(Change::discard) || op.who)
		return {};
	for (const Op &map : maps) {
		const std::uint64_t from = std::max(first, map[F::va]);
		const std::uint64_t to = std::min(end, map[F::va] + map[F::length]);

		if (from < to)
			text += (text.empty() ? "" : "\n") +
				("ondemand discard " +
				 hex(map[F::iova] + (from - map[F::va])) + " length " +
				 hex(to - from) + " ioas " + ioas(map));
	}
	return text;
}

std::string copy_command(const Op &op)
{
	if (!(op[F::flags] & read_write))
		return {};
	return "copy " + hex(op[F::source_iova]) + " length " + hex(op[F::length]) +
	       " from " + std::to_string(op[F::source]) + " to " + ioas(op) + place(op);
}

std::string allow_command(const Op &op)
{
	const std::pair<F, F> list[] = {
		{F::first1, F::last1}, {F::first2, F::last2}, {F::first3, F::last3}};
	std::string text = "ioas allow " + ioas(op);

	if (op[F::num] > std::size(list) || op[F::reserved])
		return {};
	for (std::uint64_t n = 0; n < op[F::num]; n++)
		text += " " + hex(op[list[n].first]) + "-" + hex(op[list[n].second]);
	return text;
}

std::string option_command(const Op &op)
{
	const bool huge = op[F::option] == IOMMUKIT_OPTION_HUGE_PAGES;
	std::string text = huge ? "ioas option " + ioas(op) + " huge-pages"
				: "context option rlimit-mode";

	if (op[F::reserved] || op[F::option] > IOMMUKIT_OPTION_HUGE_PAGES ||
	    op[F::num] > IOMMUKIT_OPTION_OP_GET || op[F::value] > 1)
		return {};
	if (op[F::num] == IOMMUKIT_OPTION_OP_GET)
		return text;
	if (huge)
		return text + (op[F::value] ? " on" : " off");
	return text + (op[F::value] ? " process" : " user");
}

std::string access_command(const Op &op)
{
	if (op[F::slot] >= ports)
		return {};
	switch (op.kind) {
	case Kind::access:
		return "dma bind" + port(op) + (op[F::flags] ? " pin" : "") +
		       "\ndma attach" + port(op) + " ioas " + ioas(op);
	case Kind::access_close:
		return "dma unbind" + port(op);
	case Kind::replace:
		return "dma replace" + port(op) + " ioas " + ioas(op);
	case Kind::attach:
		return "dma attach" + port(op) + " ioas " + ioas(op);
	case Kind::detach:
		return "dma detach" + port(op);
	case Kind::read:
	case Kind::write: // with other bytes
		if (op[F::va] || op[F::flags])
			return {};
		return (op.kind == Kind::read ? "dma read " : "dma fill ") +
		       hex(op[F::iova]) + " length " + hex(op[F::length]) + port(op);
	default:
		return {};
	}
}

std::string evict(std::uint64_t policy)
{
	const char *const names[] = {" evict clock", " evict fifo", " evict none"};

	return policy < std::size(names) ? names[policy] : "";
}

// What is 0 is left to the kernel.
std::string add_iotlb_command(const Op &op)
{
	constexpr std::uint64_t known =
		IOMMUKIT_IOTLB_KEEP_ON_CLOSE | IOMMUKIT_IOTLB_NO_CHANNEL;
	const std::pair<const char *, F> numbers[] = {
		{"asids", F::num}, {"entries", F::number}, {"pending", F::value}};
	std::string text = "iotlb add ioas " + ioas(op);

	if (op[F::flags] & ~known || op[F::reserved] ||
	    op[F::option] > IOMMUKIT_IOTLB_EVICT_NONE || op[F::length] > 30)
		return {};
	for (const auto &[name, field] : numbers)
		if (op[field])
			text += std::string(" ") + name + " " + std::to_string(op[field]);
	if (op[F::source])
		text += " timeout " + std::to_string(op[F::source]) + "ms";
	if (op[F::first1] || op[F::last1])
		text += " aperture " + hex(op[F::first1]) + "-" + hex(op[F::last1]);
	if (op[F::length])
		text += " granule " + hex(1UL << op[F::length]);
	if (op[F::page])
		text += " spin " + std::to_string(op[F::page]) + "us";
	if (op[F::flags] & IOMMUKIT_IOTLB_KEEP_ON_CLOSE)
		text += " keep";
	if (op[F::flags] & IOMMUKIT_IOTLB_NO_CHANNEL)
		text += " no-channel";
	return text + evict(op[F::option]);
}

// Each is a command of its own.
std::string element_command(const Op &element, const Op &submit)
{
	constexpr std::uint64_t known =
		IOMMUKIT_IOTLB_MSG_PINNED | IOMMUKIT_IOTLB_MSG_PREFETCH |
		IOMMUKIT_IOTLB_MSG_NO_REPLACE | IOMMUKIT_IOTLB_MSG_NEGATIVE;
	const char *const perms[] = {"", " perm r", " perm w", " perm rw"};
	const bool negative = element[F::flags] & IOMMUKIT_IOTLB_MSG_NEGATIVE;
	const std::string range = " " + ioas(submit) + " " + hex(element[F::iova]) + " " +
				  hex(element[F::length]);
	std::string text, flags;

	if (element[F::flags] & ~known || element[F::reserved] || element[F::page])
		return {};
	if (element[F::num])
		flags = " asid " + std::to_string(element[F::num]);
	if (element[F::flags] & IOMMUKIT_IOTLB_MSG_PINNED)
		flags += " pinned";
	if (element[F::value] == IOMMUKIT_IOTLB_OP_FLUSH)
		return "iotlb flush " + ioas(submit) + flags;
	if (element[F::value] == IOMMUKIT_IOTLB_OP_INVALIDATE)
		return "iotlb invalidate" + range + flags;
	if (element[F::value] != IOMMUKIT_IOTLB_OP_UPDATE ||
	    element[F::option] >= std::size(perms) || negative != !element[F::option])
		return {};
	text = "iotlb update" + range;
	text += negative ? " negative"
			 : " " + hex(element[F::va]) + perms[element[F::option]];
	if (element[F::flags] & IOMMUKIT_IOTLB_MSG_PREFETCH)
		flags += " prefetch";
	if (element[F::flags] & IOMMUKIT_IOTLB_MSG_NO_REPLACE)
		flags += " no-replace";
	return text + flags;
}

std::string set_iotlb_command(const Op &op)
{
	const std::string text = "iotlb set " + ioas(op);

	if (op[F::flags])
		return {};
	switch (op[F::option]) {
	case IOMMUKIT_IOTLB_PARAM_MAX_ENTRIES:
		return text + " entries " + std::to_string(op[F::value]);
	case IOMMUKIT_IOTLB_PARAM_EVICT_POLICY:
		return op[F::value] > IOMMUKIT_IOTLB_EVICT_NONE
			       ? ""
			       : text + evict(op[F::value]);
	case IOMMUKIT_IOTLB_PARAM_SPIN_US:
		return text + " spin " + std::to_string(op[F::value]) + "us";
	default:
		return {};
	}
}

std::string dump_command(const Op &op)
{
	const std::uint64_t last =
		op[F::flags] & IOMMUKIT_IOTLB_QUERY_DUMP ? op[F::last1] : op[F::first1];

	if (op[F::flags] & ~std::uint64_t(IOMMUKIT_IOTLB_QUERY_DUMP))
		return {};
	return "iotlb dump " + ioas(op) + " asid " + std::to_string(op[F::num]) +
	       " range " + hex(op[F::first1]) + "-" + hex(last);
}

std::string to_command(const Op &op)
{
	if (op.who || op.ctx || op.pass != Pass::normal)
		return {};
	switch (op.kind) {
	case Kind::ioas_alloc:
		return op[F::flags] ? "" : "ioas add";
	case Kind::destroy:
		return "ioas del " + ioas(op);
	case Kind::map:
	case Kind::map_file:
		return map_command(op);
	case Kind::copy:
		return copy_command(op);
	case Kind::unmap:
		if (!op[F::iova] && op[F::length] == all_ones)
			return "unmap all ioas " + ioas(op);
		return "unmap " + hex(op[F::iova]) + " length " + hex(op[F::length]) +
		       " ioas " + ioas(op);
	case Kind::allow:
		return allow_command(op);
	case Kind::ranges:
		return op[F::reserved] ? "" : "ioas ranges " + ioas(op);
	case Kind::option:
		return option_command(op);
	case Kind::iotlb:
		return add_iotlb_command(op);
	case Kind::iotlb_query:
		return dump_command(op);
	case Kind::iotlb_set:
		return set_iotlb_command(op);
	case Kind::map_ondemand:
		return map_ondemand_command(op);
	case Kind::prefetch:
		return prefetch_command(op);
	case Kind::ondemand_query:
		return query_command(op);
	default:
		return access_command(op);
	}
}

} // namespace

std::string to_batch(const Sequence &sequence)
{
	std::vector<std::uint64_t> used, iotlbs;
	Sequence elements, maps;
	std::string text;
	const auto add = [&](const Op &op, const std::string &command) {
		text += (command.empty() ? "# cannot be said: " + to_text(op) : command) +
			"\n";
	};
	const auto elsewhere = [&](const Op &op) { return op.ctx != sequence[0].ctx; };
	const bool one_context =
		std::none_of(sequence.begin(), sequence.end(), elsewhere);

	for (Op op : sequence) {
		if (one_context)
			op.ctx = 0;
		// The first accesses get the ports, whatever their slots are.
		if (info(op.kind).has(F::slot)) {
			auto at = std::find(used.begin(), used.end(), op[F::slot]);

			at = at == used.end() ? used.insert(at, op[F::slot]) : at;
			op[F::slot] = static_cast<std::uint64_t>(at - used.begin());
		}
		if (op.kind == Kind::iotlb_submit || op.kind == Kind::iotlb_query)
			iotlbs.push_back(op[F::id]);
		const bool is_iotlb = std::find(iotlbs.begin(), iotlbs.end(),
						op[F::id]) != iotlbs.end();

		if (op.kind == Kind::destroy && is_iotlb && !op.ctx && !op.who) {
			add(op, "iotlb del " + ioas(op));
		} else if (op.kind == Kind::iotlb_element) {
			elements.push_back(op);
		} else if (op.kind == Kind::iotlb_submit) {
			for (const Op &element : elements)
				add(element, element_command(element, op));
			elements.clear();
		} else if (op.kind == Kind::memory) {
			add(op, discard_commands(op, maps));
		} else {
			const std::string command = to_command(op);
			const bool is_map =
				op.kind == Kind::map || op.kind == Kind::map_ondemand;

			if (is_map && !command.empty() &&
			    op[F::flags] & IOMMUKIT_IOAS_MAP_FIXED_IOVA)
				maps.push_back(op);
			add(op, command);
		}
	}
	return text;
}

} // namespace fuzz

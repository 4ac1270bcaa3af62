// SPDX-License-Identifier: GPL-2.0-only
// iommuctl map, copy and unmap: what an IOAS consists of. The kernel comes first
// in all of them, and the session's books follow what it did: a refused command
// leaves no trace in them, and one that stopped half way is followed as far as
// the kernel's rules tell.
#include "failure.h"
#include "mapping_table.h"
#include "objects.h"
#include "obstacles.h"
#include "session.h"
#include "words.h"

#include <array>
#include <bit>
#include <cerrno>

namespace ctl {

using namespace iommukit;

namespace {

constexpr std::array mapping_fields = {
	Field{"iova", Show::address, "first IOVA"},
	Field{"length", Show::size, "bytes mapped: whole pages of the backing"},
	Field{"content", Show::number, "bytes without the padding of the last page"},
	Field{"ioas", Show::number, "id of the IOAS"},
	Field{"permission", Show::text, "r, w or rw: what drivers may do"},
	Field{"kind", Show::text,
	      "anonymous, huge, memfd, file, or copy-of-file (loaded into a memfd)"},
	Field{"source", Show::text, "path of the file, if there is one"},
	Field{"address", Show::address,
	      "address in the memory of iommuctl, if it is mapped from there"},
	Field{"fault_around", Show::number,
	      "pages that are looked at around one that is touched; none: not on demand"},
};

constexpr std::array unmap_fields = {
	Field{"iova", Show::address, "first IOVA of the range"},
	Field{"unmapped", Show::size, "bytes that were mapped there"},
	Field{"ioas", Show::number, "id of the IOAS"},
};
constexpr FieldTable unmap_table = {"unmap", unmap_fields};

FaultAround parse_fault_around(std::uint64_t pages)
{
	constexpr std::uint64_t most = 1 << IOMMUKIT_ONDEMAND_FAULT_AROUND_MAX;

	if (!std::has_single_bit(pages) || pages > most)
		throw usage_failure("cannot look at " + std::to_string(pages) +
					    " pages at a time",
				    "fault-around is a power of two, at most " +
					    std::to_string(most));
	return {static_cast<std::uint32_t>(std::countr_zero(pages))};
}

// Whether it is to be mapped on demand, and how.
std::optional<FaultAround> ondemand_use(Session &session, const Arguments &args)
{
	auto pages = args.number("fault-around");

	if (!args.has("ondemand") && pages)
		throw usage_failure("fault-around is for what is mapped on demand",
				    "give ondemand, too");
	if (!args.has("ondemand"))
		return std::nullopt;
	if (!session.context().info.has(IOMMUKIT_FEATURE_ONDEMAND))
		throw Failure(Exit::unsupported, "this module has no on-demand mappings",
			      "iommuctl module status compares the versions");
	return pages ? parse_fault_around(*pages) : FaultAround();
}

// In pages; the kernel does not say what it has taken for the default, the header does.
Json fault_around_pages(const Backing &backing)
{
	constexpr std::uint64_t default_pages = 16;

	if (!backing.ondemand)
		return {};
	if (backing.ondemand->order == IOMMUKIT_ONDEMAND_FAULT_AROUND_DEFAULT)
		return default_pages;
	return std::uint64_t(1) << backing.ondemand->order;
}

BackingOptions backing_options(Session &session, const Arguments &args,
			       Permission permission)
{
	return session.backing_options(permission, ondemand_use(session, args));
}

Iova map_backing(Session &session, const IoasRecord &ioas, const Backing &backing,
		 Permission permission, std::optional<Iova> fixed)
{
	const void *memory = backing.memory.data();

	if (backing.as_file)
		return ioas.ioas.map_file(backing.fd(), backing.offset, backing.length,
					  permission, fixed);
	if (!backing.ondemand)
		return ioas.ioas.map(memory, backing.length, permission, fixed);
	try {
		return map_ondemand(ioas.ioas, memory, backing.length, permission, fixed,
				    *backing.ondemand);
	} catch (const Error &error) {
		throw ondemand_failure(session, ioas.ioas.id(), error);
	}
}

// Puts a backing into the kernel's address space and into the session's books.
Report add_mapping(Session &session, IoasRecord &ioas, BackingPtr backing,
		   Permission permission, std::optional<Iova> fixed)
{
	Iova iova = map_backing(session, ioas, *backing, permission, fixed);
	MappingRecord record{iova,    backing->length, backing->content, permission,
			     backing, false,	       Bytes(0)};
	const MappingRecord &added = ioas.add(std::move(record));

	return Report(mapping_table, Report::Style::line, {mapping_row(ioas, added)})
		.primary("iova");
}

Report run_anonymous(Session &session, const Arguments &args)
{
	IoasRecord &ioas = session.ioas(args.id("ioas"));
	auto permission = parse_permission(args.text("perm"), Permission::read_write);

	return add_mapping(session, ioas,
			   anonymous_backing(backing_options(session, args, permission),
					     *args.size("size")),
			   permission, args.iova("iova"));
}

Report run_huge(Session &session, const Arguments &args)
{
	constexpr Bytes default_page(2 << 20);
	IoasRecord &ioas = session.ioas(args.id("ioas"));
	auto permission = parse_permission(args.text("perm"), Permission::read_write);

	return add_mapping(session, ioas,
			   huge_backing(backing_options(session, args, permission),
					*args.size("size"),
					args.size("page").value_or(default_page)),
			   permission, args.iova("iova"));
}

Report run_memfd(Session &session, const Arguments &args)
{
	IoasRecord &ioas = session.ioas(args.id("ioas"));
	auto permission = parse_permission(args.text("perm"), Permission::read_write);

	return add_mapping(session, ioas,
			   memfd_backing(backing_options(session, args, permission),
					 *args.size("size"), args.has("huge")),
			   permission, args.iova("iova"));
}

Report run_file(Session &session, const Arguments &args)
{
	IoasRecord &ioas = session.ioas(args.id("ioas"));
	// Nobody expects a device to scribble over a file that was only named.
	auto permission = parse_permission(args.text("perm"), Permission::read);

	return add_mapping(session, ioas,
			   file_backing(backing_options(session, args, permission),
					args.need_text("path"),
					args.size("offset").value_or(Bytes(0)),
					args.size("length")),
			   permission, args.iova("iova"));
}

// One record per mapping that the range touches, as the kernel does.
void record_copies(const IoasRecord &from, IoasRecord &to, Iova source, Iova target,
		   Bytes length, Permission permission)
{
	Iova last = source + length - Bytes(1);

	for (Iova at = source;;) {
		const MappingRecord *mapping = from.find(at);
		// The session did not see how this range came to be mapped.
		if (!mapping)
			return;
		Iova end = std::min(last, mapping->last());
		Bytes piece = end - at + Bytes(1);
		Iova place = target + (at - source);
		Bytes skipped = at - mapping->iova;
		std::uint64_t rest = mapping->content > skipped
					     ? mapping->content.value - skipped.value
					     : 0;
		BackingPtr backing = mapping->backing;
		to.add({place, piece, Bytes(std::min(rest, piece.value)), permission,
			std::move(backing), false, mapping->skipped + skipped});
		if (end == last)
			return;
		at = end + Bytes(1);
	}
}

Report run_copy(Session &session, const Arguments &args)
{
	Iova source = *args.iova("source");
	IoasRecord &from = session.ioas(args.id("from"));
	IoasRecord &to = session.ioas(args.id("to"));
	const MappingRecord *mapping = from.find(source);

	if (!args.has("length") && !mapping)
		throw usage_failure("nothing is mapped at " + hex(source.value),
				    "give length, or an IOVA of ioas show");
	Bytes length = args.size("length").value_or(
		mapping ? mapping->last() - source + Bytes(1) : Bytes(0));
	auto permission = parse_permission(
		args.text("perm"), mapping ? mapping->permission : Permission::read);
	Iova target =
		to.ioas.copy(from.ioas, source, length, permission, args.iova("iova"));
	record_copies(from, to, source, target, length, permission);
	const MappingRecord *copied = to.find(target);
	if (!copied)
		throw Failure(Exit::refused, "the copy is not in this session's books",
			      "copy ranges that this session has mapped");
	return Report(mapping_table, Report::Style::line, {mapping_row(to, *copied)})
		.primary("iova");
}

// Follows what the kernel did: mappings go in ascending order, and the first
// one that sticks out of the range (ENOENT) ends it. After another error
// nobody told how far it came.
void forget(IoasRecord &ioas, const IovaRange &range, int number)
{
	for (auto it = ioas.mappings.begin(); it != ioas.mappings.end();) {
		MappingRecord &mapping = it->second;
		if (mapping.last() < range.first || range.last < mapping.iova) {
			++it;
			continue;
		}
		bool whole =
			range.contains(mapping.iova) && range.contains(mapping.last());
		if (number && !whole)
			return;
		if (number && number != ENOENT) {
			mapping.uncertain = true;
			++it;
			continue;
		}
		it = ioas.mappings.erase(it);
	}
}

Report unmap_report(const IoasRecord &ioas, Iova iova, Bytes removed)
{
	return Report(unmap_table, Report::Style::line,
		      {{iova.value, removed.value, ioas.ioas.id().value}})
		.primary("unmapped");
}

Report unmap_all(IoasRecord &ioas)
{
	constexpr IovaRange everything{Iova(0), Iova(UINT64_MAX)};

	try {
		Bytes removed = ioas.ioas.unmap_all();
		ioas.mappings.clear();
		return unmap_report(ioas, Iova(0), removed);
	} catch (const Error &error) {
		forget(ioas, everything, error.number());
		throw;
	}
}

Report run_unmap(Session &session, const Arguments &args)
{
	IoasRecord &ioas = session.ioas(args.id("ioas"));
	std::string where = args.need_text("where");

	if (where == "all")
		return unmap_all(ioas);
	auto number = parse_number(where);
	if (!number)
		throw usage_failure("'" + where + "' is neither an IOVA nor 'all'",
				    "ioas show lists the mappings");
	Iova iova(*number);
	const MappingRecord *mapping = ioas.find(iova);
	if (!args.has("length") && !mapping)
		throw Failure(Exit::refused, "nothing is mapped at " + hex(iova.value),
			      "ioas show lists the mappings");
	Bytes length = args.size("length").value_or(
		mapping ? mapping->last() - iova + Bytes(1) : Bytes(0));
	// A range beyond the last IOVA is the kernel's to refuse.
	Iova last = iova + length - Bytes(1);
	try {
		Bytes removed = ioas.ioas.unmap(iova, length);
		forget(ioas, {iova, last}, 0);
		return unmap_report(ioas, iova, removed);
	} catch (const Error &error) {
		forget(ioas, {iova, last}, error.number());
		throw;
	}
}

constexpr std::array<std::string_view, 3> permissions = {"r", "w", "rw"};

constexpr Param size_param = {"size", Kind::size, Place::operand,
			      "bytes to map, rounded up to whole pages"};
constexpr Param ioas_param = {"ioas", Kind::id, Place::key,
			      "the IOAS; the only one if left out"};
constexpr Param iova_param = {"iova", Kind::address, Place::key,
			      "where; the kernel chooses if left out"};
constexpr Param perm_param = {"perm", Kind::choice, Place::key,
			      "what drivers may do; rw if left out", permissions};

constexpr Param ondemand_param = {
	"ondemand", Kind::text, Place::flag,
	"map the addresses, not the pages: those are found when they are touched, and "
	"never pinned"};
constexpr Param around_param = {
	"fault-around", Kind::number, Place::key,
	"pages that are looked at around one that is touched, and taken along if they are "
	"there: a power of two up to 512; 16 if left out"};

constexpr std::array anonymous_params = {size_param, ioas_param,     iova_param,
					 perm_param, ondemand_param, around_param};
constexpr std::array huge_params = {
	size_param,
	ioas_param,
	iova_param,
	perm_param,
	Param{"page", Kind::size, Place::key, "size of a huge page; 2M if left out"},
	ondemand_param,
	around_param,
};
constexpr std::array memfd_params = {
	size_param,
	ioas_param,
	iova_param,
	perm_param,
	Param{"huge", Kind::text, Place::flag, "of huge pages"},
	ondemand_param,
	around_param,
};
constexpr std::array file_params = {
	Param{"path", Kind::path, Place::operand, "the file"},
	ioas_param,
	iova_param,
	Param{"perm", Kind::choice, Place::key, "what drivers may do; r if left out",
	      permissions},
	Param{"offset", Kind::number, Place::key, "first byte of the file to map"},
	Param{"length", Kind::size, Place::key, "bytes to map; to its end if left out"},
	ondemand_param,
	around_param,
};
constexpr std::array copy_params = {
	Param{"source", Kind::address, Place::operand, "first IOVA to copy"},
	Param{"length", Kind::size, Place::key,
	      "bytes; to the end of its mapping if left out"},
	Param{"from", Kind::id, Place::key, "IOAS to copy from"},
	Param{"to", Kind::id, Place::key, "IOAS to copy to"},
	iova_param,
	Param{"perm", Kind::choice, Place::key,
	      "what drivers may do; as the source if left out", permissions},
};
constexpr std::array unmap_params = {
	Param{"where", Kind::text, Place::operand, "first IOVA of the range, or all"},
	Param{"length", Kind::size, Place::key,
	      "bytes; to the end of its mapping if left out"},
	ioas_param,
};

constexpr std::array map_verbs = {
	Verb{"anonymous", "map fresh memory", anonymous_params, run_anonymous},
	Verb{"huge", "map fresh memory of huge pages", huge_params, run_huge},
	Verb{"memfd", "map a new memfd", memfd_params, run_memfd},
	Verb{"file", "map the contents of a file", file_params, run_file},
};
constexpr std::array copy_verbs = {
	Verb{"", "let a range of another IOAS, or of the same, stand for the same memory",
	     copy_params, run_copy},
};
constexpr std::array unmap_verbs = {
	Verb{"", "remove the mappings in a range; mappings go as a whole", unmap_params,
	     run_unmap},
};
constexpr std::array<const FieldTable *, 1> map_tables = {&mapping_table};
constexpr std::array<const FieldTable *, 1> unmap_tables = {&unmap_table};

} // namespace

constinit const FieldTable mapping_table = {"mapping", mapping_fields};

Row mapping_row(const IoasRecord &ioas, const MappingRecord &mapping)
{
	const Backing &backing = *mapping.backing;
	auto address = reinterpret_cast<std::uintptr_t>(backing.memory.data());

	return {mapping.iova.value,
		mapping.length.value,
		mapping.content.value,
		ioas.ioas.id().value,
		permission_text(mapping.permission),
		backing.kind,
		backing.source.empty() ? Json() : Json(backing.source),
		backing.as_file ? Json() : Json(address + mapping.skipped.value),
		fault_around_pages(backing)};
}

const Object map_object = {"map", "memory and files in an IOAS", map_verbs, "",
			   map_tables};
const Object copy_object = {"copy", "the same memory at another IOVA", copy_verbs, "",
			    map_tables};
const Object unmap_object = {"unmap", "remove mappings", unmap_verbs, "", unmap_tables};

} // namespace ctl

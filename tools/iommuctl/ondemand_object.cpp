// SPDX-License-Identifier: GPL-2.0-only
// iommuctl ondemand and prefetch: what has become of mappings that stand for addresses,
// and finding their pages before they are needed.
#include "failure.h"
#include "objects.h"
#include "ondemand_target.h"
#include "ondemand_watch.h"
#include "records.h"
#include "session.h"

#include <algorithm>
#include <array>

namespace ctl {

using namespace iommukit;

namespace {

// Behind the first five the counters of the kernel, by their names.
constexpr std::array ondemand_fields = {
	Field{"ioas", Show::number, "id of the IOAS"},
	Field{"iova", Show::address, "an IOVA of the mapping; none: all of the IOAS"},
	Field{"dead_process", Show::boolean,
	      "the process that mapped has exited, or runs another program"},
	Field{"quarantined", Show::boolean,
	      "pages were kept, since an IOMMU did not let go of them"},
	Field{"dead_context", Show::boolean,
	      "that has happened in the context, which is of no use any more"},
	Field{"present_pages", Show::number, "pages there are"},
	Field{"present_peak", Show::number, "most pages there were"},
	Field{"huge", Show::number, "blocks of 2 MiB that are one page"},
	Field{"chunks", Show::number, "blocks of 2 MiB with a table"},
	Field{"table_bytes", Show::size, "memory of the tables"},
	Field{"faults_read", Show::number, "finds of pages to read"},
	Field{"faults_write", Show::number, "finds of pages to write"},
	Field{"upgrades", Show::number, "pages of which only writing was new"},
	Field{"fault_errors", Show::number, "finds that failed"},
	Field{"around_pages", Show::number, "pages taken along"},
	Field{"prefetch_pages", Show::number, "pages found by prefetch"},
	Field{"hits", Show::number, "copies that found all they needed"},
	Field{"retries", Show::number, "finds that the memory changed under"},
	Field{"retry_max", Show::number, "most times in a row"},
	Field{"wait_max_us", Show::number,
	      "longest wait for a change to be over, microseconds"},
	Field{"userfault_waits", Show::number, "waits for a userfaultfd"},
	Field{"by_page", Show::number,
	      "pages copied one by one, since the memory changed all the time"},
	Field{"invalidations", Show::number, "announced changes of the memory"},
	Field{"invalidations_empty", Show::number, "those that concerned no page"},
	Field{"by_event_unmap", Show::number, "those by munmap and mremap"},
	Field{"by_event_clear", Show::number,
	      "those by madvise, truncation, reclaim, copy on write"},
	Field{"by_event_protection", Show::number, "those by mprotect and its kin"},
	Field{"by_event_protection_page", Show::number,
	      "those of the permissions of single pages"},
	Field{"by_event_soft_dirty", Show::number, "those by clear_refs"},
	Field{"by_event_release", Show::number, "the end of the memory"},
	Field{"by_event_migrate", Show::number, "those by migration to devices"},
	Field{"by_event_exclusive", Show::number, "those by exclusive use of devices"},
	Field{"zapped_pages", Show::number, "pages forgotten"},
	Field{"downgraded_pages", Show::number, "pages that cannot be written any more"},
	Field{"refused", Show::number, "announcements that could not wait"},
	Field{"dirtied_pages", Show::number, "pages said to be dirty"},
	Field{"hw_maps", Show::number, "calls that put pages into IO page tables"},
	Field{"hw_unmaps", Show::number, "calls that took pages out"},
	Field{"hw_unmap_over", Show::number, "those that took out more than asked"},
	Field{"hw_unmap_short", Show::number, "those that took out less"},
	Field{"tlb_syncs", Show::number, "waits for IOMMUs"},
	Field{"quarantined_pages", Show::number, "pages that are kept"},
	Field{"pins_live", Show::number, "pages that drivers have pinned"},
	Field{"pins_outlived", Show::number, "pages that changed while they were pinned"},
};
constexpr FieldTable ondemand_table = {"ondemand", ondemand_fields};

constexpr std::array prefetch_fields = {
	Field{"iova", Show::address, "first byte"},
	Field{"length", Show::size, "bytes that were asked for"},
	Field{"pages", Show::number, "pages that are there now, from the first on"},
	Field{"ioas", Show::number, "id of the IOAS"},
};
constexpr FieldTable prefetch_table = {"prefetch", prefetch_fields};

constexpr std::array discard_fields = {
	Field{"iova", Show::address, "first byte"},
	Field{"length", Show::size, "bytes whose pages were given back"},
	Field{"ioas", Show::number, "id of the IOAS"},
};
constexpr FieldTable discard_table = {"discard", discard_fields};

std::uint64_t counter(const std::vector<OndemandCounter> &counters, std::string_view name)
{
	return std::ranges::find(counters, name, &OndemandCounter::name)->value;
}

Row ondemand_row(const OndemandTarget &target, const OndemandStats &stats)
{
	Row row{target.ioas.ioas.id().value,
		target.iova ? Json(target.iova->value) : Json(), stats.dead_process,
		stats.quarantined, stats.dead_context};
	auto counters = stats.by_name();

	for (std::size_t i = row.size(); i < ondemand_fields.size(); i++)
		row.push_back(counter(counters, ondemand_fields[i].name));
	return row;
}

Report run_show(Session &session, const Arguments &args)
{
	OndemandTarget target = find_ondemand(session, args);
	OndemandStats stats =
		target.stats(args.has("reset") ? OndemandReset::yes : OndemandReset::no);
	Report report(ondemand_table, Report::Style::block,
		      {ondemand_row(target, stats)});

	report.primary("present_pages");
	return selected(std::move(report), args);
}

// The length given, or to the end of the mapping at the IOVA.
Bytes range_length(const IoasRecord &ioas, const Arguments &args)
{
	Iova iova = *args.iova("iova");
	const MappingRecord *mapping = ioas.find(iova);

	if (auto length = args.size("length"))
		return *length;
	if (!mapping)
		throw usage_failure("nothing is mapped at " + hex(iova.value),
				    "give length, or an IOVA of ioas show");
	return mapping->last() - iova + Bytes(1);
}

Report run_prefetch(Session &session, const Arguments &args)
{
	IoasRecord &ioas = session.ioas(args.id("ioas"));
	Iova iova = *args.iova("iova");
	Bytes length = range_length(ioas, args);
	std::uint32_t flags = 0;

	if (args.has("write"))
		flags |= IOMMUKIT_IOAS_PREFETCH_WRITE;
	if (args.has("no-fault"))
		flags |= IOMMUKIT_IOAS_PREFETCH_NO_FAULT;
	std::uint64_t pages = prefetch(ioas.ioas, iova, length, flags);
	return Report(prefetch_table, Report::Style::line,
		      {{iova.value, length.value, pages, ioas.ioas.id().value}})
		.primary("pages");
}

// The memory is that of this process, so only the session itself can do that.
Report run_discard(Session &session, const Arguments &args)
{
	IoasRecord &ioas = session.ioas(args.id("ioas"));
	Iova iova = *args.iova("iova");
	Bytes length = range_length(ioas, args);
	const MappingRecord *mapping = ioas.find(iova);

	if (!mapping || mapping->backing->as_file)
		throw usage_failure("no memory of iommuctl is mapped at " +
					    hex(iova.value),
				    "ioas show ID mappings shows what has an address");
	Bytes offset = iova - mapping->iova;
	if (length > mapping->last() - iova + Bytes(1))
		throw usage_failure("length " + hex(length.value) +
					    " goes beyond the end of the mapping",
				    "ioas show lists the mappings");
	if (!session.dry_run())
		mapping->backing->memory.discard_pages(mapping->skipped + offset, length);
	return Report(discard_table, Report::Style::line,
		      {{iova.value, length.value, ioas.ioas.id().value}})
		.primary("length");
}

constexpr std::array show_params = {
	ondemand_where_param,
	Param{"field", Kind::text, Place::optional_operand,
	      "print only this field, bare"},
	ondemand_ioas_param,
	Param{"reset", Kind::text, Place::flag,
	      "set the counters of events to 0 afterwards"},
};

constexpr Param iova_param = {"iova", Kind::address, Place::operand, "first byte"};
constexpr Param length_param = {"length", Kind::size, Place::key,
				"bytes; to the end of its mapping if left out"};

constexpr std::array discard_params = {iova_param, length_param, ondemand_ioas_param};
constexpr std::array prefetch_params = {
	iova_param,
	length_param,
	ondemand_ioas_param,
	Param{"write", Kind::text, Place::flag, "find them so that they can be written"},
	Param{"no-fault", Kind::text, Place::flag,
	      "only take what the process has in its page table"},
};

constexpr std::array verbs = {
	Verb{"show", "show the pages there are, and what has happened", show_params,
	     run_show},
	Verb{"watch", "watch the counters, as rates", ondemand_watch_params,
	     watch_ondemand},
	Verb{"discard",
	     "give the pages of a mapping's memory back, as madvise(MADV_DONTNEED) does: "
	     "those of files are found again, others are zeroes then",
	     discard_params, run_discard},
};
constexpr std::array<const FieldTable *, 4> tables = {
	&ondemand_table, &discard_table, &ondemand_tick_table, &ondemand_watch_table};

constexpr std::array prefetch_verbs = {
	Verb{"", "find the pages of a range before they are needed", prefetch_params,
	     run_prefetch},
};
constexpr std::array<const FieldTable *, 1> prefetch_tables = {&prefetch_table};

} // namespace

const Object ondemand_object = {"ondemand",
				"mappings that stand for addresses, not pages", verbs,
				"show", tables};
const Object prefetch_object = {"prefetch", "find pages of on-demand mappings",
				prefetch_verbs, "", prefetch_tables};

} // namespace ctl

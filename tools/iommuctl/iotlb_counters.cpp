// SPDX-License-Identifier: GPL-2.0-only
// The fields stand in the order of the kernel's counters, behind the id, so there is no
// second list of them.
#include "iotlb_counters.h"

#include "records.h"
#include "session.h"

#include <algorithm>
#include <cmath>

namespace ctl {

using namespace iommukit;

namespace {

constexpr std::array latency_fields = {
	Field{"from_us", Show::number, "microseconds from a miss to its answer"},
	Field{"below_us", Show::number, "less than that; none: any time"},
	Field{"misses", Show::number, "misses that took so long"},
};

constexpr std::array stats_fields = {
	Field{"id", Show::number, "id of the IOTLB"},
	Field{"entries", Show::number, "entries now"},
	Field{"most_entries", Show::number, "most that there were"},
	Field{"pinned", Show::number, "pinned entries now"},
	Field{"updates", Show::number, "updates"},
	Field{"replaced", Show::number, "entries that an update covered"},
	Field{"lookups", Show::number, "lookups of readers"},
	Field{"cache_hits", Show::number, "found in the cache of the reader"},
	Field{"map_hits", Show::number, "found in the table"},
	Field{"perm_failures", Show::number, "found without the permission"},
	Field{"negative_hits", Show::number, "found to have no translation"},
	Field{"created", Show::number, "misses asked for"},
	Field{"delivered", Show::number, "deliveries to the server"},
	Field{"resolved", Show::number, "misses that ended with an update"},
	Field{"denied", Show::number, "misses that the server has denied"},
	Field{"lost", Show::number, "misses lost with the server"},
	Field{"withdrawn", Show::number, "misses that nobody waited for any more"},
	Field{"pending", Show::number, "misses that wait now"},
	Field{"joined", Show::number, "readers that joined a miss asked for already"},
	Field{"timed_out", Show::number, "readers that got no answer in time"},
	Field{"interrupted", Show::number, "readers that a signal has ended"},
	Field{"cancelled", Show::number, "readers that their driver has ended"},
	Field{"space_waits", Show::number, "waits for room for a miss"},
	Field{"thrash", Show::number,
	      "requests given up, for they were forgotten too soon"},
	Field{"upgrades", Show::number, "misses of permission"},
	Field{"stale", Show::number, "updates that came too late"},
	Field{"requeued", Show::number, "misses asked for once more"},
	Field{"most_pending", Show::number, "most misses that waited"},
	Field{"invalidations", Show::number, "invalidations of a range"},
	Field{"flushes", Show::number, "invalidations of a whole address space"},
	Field{"removed", Show::number, "entries that both have removed"},
	Field{"trims", Show::number, "entries that were cut"},
	Field{"evictions", Show::number, "entries forgotten"},
	Field{"drains", Show::number, "waits for readers"},
	Field{"drain_sleeps", Show::number, "of those, waits that slept"},
	Field{"drain_max_ns", Show::number, "the longest, nanoseconds"},
	Field{"prefetches", Show::number, "prefetches asked for"},
	Field{"prefetch_drops", Show::number, "prefetches given up"},
	Field{"ring_backlog", Show::number, "messages that found the ring full"},
	Field{"ring_corrupt", Show::number, "tails of the ring that cannot be"},
	Field{"events_lost", Show::number, "reports that found no room"},
	Field{"deferred", Show::number, "entries that wait to be freed now"},
	Field{"fallbacks", Show::number, "removals without memory"},
	Field{"latency_sum_ns", Show::number, "from miss to answer, all, nanoseconds"},
	Field{"latency_max_ns", Show::number, "the longest, nanoseconds"},
	Field{"latency", Show::rows, "misses by the time to their answer",
	      &latency_table},
};
static_assert(stats_fields.size() == IOMMUKIT_IOTLB_STAT_LATENCY_HIST + 2);

constexpr std::array now_only = {IOMMUKIT_IOTLB_STAT_ENTRIES, IOMMUKIT_IOTLB_STAT_PINNED,
				 IOMMUKIT_IOTLB_STAT_PENDING,
				 IOMMUKIT_IOTLB_STAT_DEFERRED};

double rounded(double value)
{
	return std::round(value * 10) / 10;
}

} // namespace

constinit const FieldTable stats_table = {"stats", stats_fields};
constinit const FieldTable latency_table = {"latency", latency_fields};

Json latency_rows(const IotlbStats &stats)
{
	auto latency = stats.latency();
	Json out = Json::array();
	std::size_t end = latency.size();

	while (end && !latency[end - 1])
		end--;
	for (std::size_t i = 0; i < end; i++) {
		bool last = i + 1 == latency.size();
		out.push_back(row_to_json(latency_table,
					  {i ? std::uint64_t(1) << i : 0,
					   last ? Json() : Json(std::uint64_t(2) << i),
					   latency[i]}));
	}
	return out;
}

Json hit_percent(const IotlbStats &stats)
{
	auto lookups = static_cast<double>(stats[IOMMUKIT_IOTLB_STAT_LOOKUPS]);
	auto hits = static_cast<double>(stats[IOMMUKIT_IOTLB_STAT_CACHE_HITS] +
					stats[IOMMUKIT_IOTLB_STAT_MAP_HITS]);

	return lookups > 0 ? Json(rounded(hits / lookups * 100)) : Json();
}

Json mean_latency_us(const IotlbStats &stats)
{
	auto latency = stats.latency();
	double answers = 0;

	for (std::uint64_t misses : latency)
		answers += static_cast<double>(misses);
	if (answers == 0)
		return {};
	return rounded(static_cast<double>(stats[IOMMUKIT_IOTLB_STAT_LATENCY_SUM_NS]) /
		       answers / 1000);
}

IotlbStats stats_since(const IotlbStats &now, const IotlbStats &then)
{
	IotlbStats out = now;

	for (std::size_t i = 0; i < now.values.size(); i++) {
		auto stat = static_cast<iommukit_iotlb_stat>(i);
		// What is smaller than before was reset meanwhile.
		if (std::ranges::find(now_only, stat) == now_only.end() &&
		    now.values[i] >= then.values[i])
			out.values[i] -= then.values[i];
	}
	return out;
}

Row stats_row(std::uint32_t iotlb, const IotlbStats &stats)
{
	Row row{iotlb};

	for (std::size_t i = 0; i < IOMMUKIT_IOTLB_STAT_LATENCY_HIST; i++)
		row.push_back(stats.values[i]);
	row.push_back(latency_rows(stats));
	return row;
}

Report run_stats(Session &session, const Arguments &args)
{
	IotlbRecord &record = session.iotlb(args.id("id"));
	bool reset = args.has("reset");
	IotlbStats stats =
		record.iotlb.stats(reset ? Iotlb::Reset::yes : Iotlb::Reset::no);

	// iotlb top begins there, too.
	if (reset) {
		record.seen = {};
		record.since = std::chrono::steady_clock::now();
	}
	Report report(stats_table, Report::Style::block,
		      {stats_row(record.iotlb.id().value, stats)});
	report.primary("created");
	return selected(std::move(report), args);
}

} // namespace ctl

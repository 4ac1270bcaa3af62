// SPDX-License-Identifier: GPL-2.0-only
// iommuctl iotlb: caches of translations that a server fills. This file makes, shows and
// ends them; what is in them, their counters and their servers have files of their own.
#include "failure.h"
#include "iotlb_counters.h"
#include "iotlb_entries.h"
#include "iotlb_serve.h"
#include "iotlb_top.h"
#include "iotlb_use.h"
#include "objects.h"
#include "records.h"
#include "session.h"

#include <array>

namespace ctl {

using namespace iommukit;

namespace {

constexpr std::array iotlb_fields = {
	Field{"id", Show::number, "id of the IOTLB in its context"},
	Field{"context", Show::number, "number of the context"},
	Field{"ioas", Show::number,
	      "the IOAS that its targets are IOVAs of; none: addresses of iommuctl"},
	Field{"channel", Show::text,
	      "none: never opened, open: nobody serves it yet, served, or closed"},
	Field{"server", Show::text, "what its misses are answered from"},
	Field{"entries", Show::number, "entries now"},
	Field{"max_entries", Show::number, "most that it may have"},
	Field{"pending", Show::number, "misses that wait now"},
	Field{"max_pending", Show::number, "most that may wait"},
	Field{"hit_percent", Show::number, "lookups that found their translation"},
	Field{"asids", Show::number, "address spaces"},
	Field{"timeout_ms", Show::number,
	      "milliseconds that a reader waits for an answer; none: for ever"},
	Field{"evict", Show::text, "what it forgets when it is full"},
	Field{"first", Show::address, "first IOVA that may have a translation"},
	Field{"last", Show::address, "last one"},
	Field{"granule", Show::size, "misses in so many bytes are asked for once"},
	Field{"spin_us", Show::number,
	      "microseconds that a reader spins before it sleeps"},
	Field{"keep", Show::boolean, "entries stay when the server goes"},
};
constexpr FieldTable iotlb_table = {"iotlb", iotlb_fields};

// What add and set print: some fields of an IOTLB, of the same names.
constexpr std::array setup_fields = {
	Field{"id", Show::number, "id of the IOTLB in its context"},
	Field{"context", Show::number, "number of the context"},
	Field{"ioas", Show::number, "the IOAS that its targets are IOVAs of"},
	Field{"channel", Show::text, "none, open, served or closed"},
	Field{"max_entries", Show::number, "most entries that it may have"},
	Field{"timeout_ms", Show::number, "milliseconds that a reader waits"},
	Field{"evict", Show::text, "what it forgets when it is full"},
	Field{"spin_us", Show::number, "microseconds that a reader spins"},
};
constexpr FieldTable setup_table = {"iotlb", setup_fields};

// The kernel does not say what it has taken for a 0; the header does.
template <class T> T otherwise(T value, T fallback)
{
	return value ? value : fallback;
}

Json timeout_json(const IotlbUse &use)
{
	if (use.timeout_ms == IOMMUKIT_IOTLB_NO_TIMEOUT)
		return {};
	return otherwise(use.timeout_ms, 5000U);
}

std::string channel_state(const IotlbRecord &record)
{
	if (record.channel)
		return "open";
	if (!record.service)
		return record.use.channel ? "closed" : "none";
	return record.service->running() ? "served" : "closed";
}

Row iotlb_row(const ContextRecord &context, const IotlbRecord &record)
{
	const IotlbUse &use = record.use;
	IotlbStats stats = record.iotlb.stats();
	bool served = record.service && record.service->running();

	return {record.iotlb.id().value,
		context.number,
		record.ioas ? Json(record.ioas->value) : Json(),
		channel_state(record),
		served ? Json(record.service->name()) : Json(),
		stats[IOMMUKIT_IOTLB_STAT_ENTRIES],
		otherwise(use.max_entries, 65536U),
		stats[IOMMUKIT_IOTLB_STAT_PENDING],
		otherwise(use.max_pending, 256U),
		hit_percent(stats),
		otherwise(use.num_asids, 1U),
		timeout_json(use),
		iotlb_policies[use.evict],
		use.aperture.first.value,
		use.aperture.last.value,
		std::uint64_t(1) << otherwise(use.granule_shift, 12U),
		use.spin_us,
		use.keep_on_close};
}

// What was made, or set: all that needs no look at the counters.
Report iotlb_report(Session &session, const IotlbRecord &record)
{
	const IotlbUse &use = record.use;

	return Report(setup_table, Report::Style::line,
		      {{record.iotlb.id().value, session.context().number,
			record.ioas ? Json(record.ioas->value) : Json(),
			channel_state(record), otherwise(use.max_entries, 65536U),
			timeout_json(use), iotlb_policies[use.evict], use.spin_us}})
		.primary("id");
}

void need_iotlbs(const ContextRecord &context)
{
	if (!context.info.has(IOMMUKIT_FEATURE_IOTLB))
		throw Failure(Exit::unsupported, "this module has no IOTLBs",
			      "iommuctl module status compares the versions");
}

Report run_add(Session &session, const Arguments &args)
{
	ContextRecord &context = session.context();
	IotlbUse use = iotlb_use(args);

	need_iotlbs(context);
	if (args.has("uva") && args.has("ioas"))
		throw usage_failure("uva and ioas exclude each other",
				    "targets are addresses of iommuctl, or IOVAs of an "
				    "IOAS");
	auto make = [&] {
		if (args.has("uva"))
			return std::make_unique<IotlbRecord>(Iotlb(context.context, use),
							     std::nullopt, use);
		const Ioas &ioas = session.ioas(args.id("ioas")).ioas;
		return std::make_unique<IotlbRecord>(Iotlb(ioas, use), ioas.id(), use);
	};
	auto record = make();
	if (use.channel)
		record->channel = session.iotlb_channel(record->iotlb.take_channel());
	context.iotlbs.push_back(std::move(record));
	return iotlb_report(session, *context.iotlbs.back());
}

// The server finds out that there is nothing left to serve.
Report run_del(Session &session, const Arguments &args)
{
	IotlbRecord &record = session.iotlb(args.id("id"));

	record.iotlb.destroy();
	forget(session.context().iotlbs, record);
	return {};
}

Report run_show(Session &session, const Arguments &args)
{
	ContextRecord &context = session.context();
	auto named = [&]() -> IotlbRecord & { return session.iotlb(args.id("id")); };
	auto row = [&](const IotlbRecord &record) { return iotlb_row(context, record); };

	return listed(Report(iotlb_table, Report::Style::block,
			     rows_of(context.iotlbs, args, named, row)),
		      "id", args);
}

Report run_set(Session &session, const Arguments &args)
{
	IotlbRecord &record = session.iotlb(args.id("id"));

	set_iotlb(record, args);
	return iotlb_report(session, record);
}

constexpr std::array show_params = {
	Param{"id", Kind::id, Place::optional_operand, "the IOTLB; all if left out"},
	Param{"field", Kind::text, Place::optional_operand,
	      "print only this field, bare"},
};
constexpr std::array del_params = {
	Param{"id", Kind::id, Place::operand, "the IOTLB"},
};

constexpr std::array verbs = {
	Verb{"show", "show the IOTLBs of the session", show_params, run_show},
	Verb{"add", "make an IOTLB, and open its channel", iotlb_add_params, run_add},
	Verb{"set", "change an IOTLB that may be in use", iotlb_set_params, run_set},
	Verb{"serve",
	     "answer its misses, until Ctrl-C or in the background; then the channel is "
	     "closed",
	     serve_params, run_serve},
	Verb{"stop", "end the server, and close the channel", stop_params, run_stop},
	Verb{"dump", "list the entries", dump_params, run_dump},
	Verb{"update", "put a translation in, as the owner", update_params, run_update},
	Verb{"invalidate", "take translations out; then no driver uses them any more",
	     invalidate_params, run_invalidate},
	Verb{"flush", "take out all of an address space", flush_params, run_flush},
	Verb{"stats", "show all counters", stats_params, run_stats},
	Verb{"top", "watch the counters, and draw how long misses take", top_params,
	     run_top},
	Verb{"del", "destroy an IOTLB that no port is attached to", del_params, run_del},
};
constexpr std::array<const FieldTable *, 8> tables = {
	&iotlb_table, &service_table, &entry_table, &change_table,
	&stats_table, &latency_table, &tick_table,  &top_table};

} // namespace

const Object iotlb_object = {"iotlb", "device IOTLBs, and servers that fill them", verbs,
			     "show", tables};

} // namespace ctl

// SPDX-License-Identifier: GPL-2.0-only
// One table has the fields of all types, and an object those that its type has. In a list
// they share a column, without what is 0: an object is told of by what there is.
#include "object_states.h"

#include "iotlb_counters.h"
#include "records.h"
#include "session.h"
#include "words.h"

#include <algorithm>

namespace ctl {

using namespace iommukit;

namespace {

constexpr std::array state_fields = {
	Field{"context", Show::number, "number of the context in the kernel"},
	Field{"pid", Show::number, "process that opened it, if it is seen from here"},
	Field{"process", Show::text, "what it was called then"},
	Field{"uid", Show::number, "its user then"},
	Field{"id", Show::number, "id of the object, of use in that context"},
	Field{"type", Show::text, "what it is"},
	Field{"users", Show::number, "others that use it, and keep it from being ended"},
	Field{"areas", Show::number, "of an IOAS: areas that are mapped"},
	Field{"mapped", Show::size, "of an IOAS: bytes in them"},
	Field{"hwpts", Show::number, "of an IOAS: page tables that have what is mapped"},
	Field{"dirty_tracking", Show::boolean,
	      "of an IOAS: whether writes of software are noted; of a HWPT: whether those "
	      "of devices are"},
	Field{"dirtied_pages", Show::number,
	      "of an IOAS: pages noted since, again and again"},
	Field{"faults", Show::number,
	      "of an IOAS: finds of pages on demand, of memory that was mapped here first"},
	Field{"invalidations", Show::number,
	      "of an IOAS: announced changes of such memory"},
	Field{"ioas", Show::number,
	      "of a HWPT: the IOAS it has the areas of; of an IOTLB: the one its targets "
	      "are IOVAs of; none: addresses of the process"},
	Field{"parent", Show::number, "of a nested HWPT: the one it is nested in"},
	Field{"domain", Show::text,
	      "of a HWPT: who translates; hardware, software, or the driver of the device"},
	Field{"flags", Show::words,
	      "of a HWPT: auto (made for a device, and goes with the last), nest-parent, "
	      "dead (it did not let go of pages)"},
	Field{"fault_queue", Show::number, "of a HWPT: the fault queue of its devices"},
	Field{"groups", Show::number, "of a HWPT: groups of devices that use it"},
	Field{"name", Show::text,
	      "of a device: what the kernel calls it; none: it is software"},
	Field{"driver", Show::text, "of a device, or an access: the driver, or module"},
	Field{"iommu_group", Show::number, "of a device: number of its IOMMU group"},
	Field{"hwpt", Show::number, "of a device: the HWPT it is attached to"},
	Field{"outstanding_faults", Show::number,
	      "of a device: faults that are not answered yet"},
	Field{"stage", Show::number,
	      "of an access: the IOAS or IOTLB that it is attached to"},
	Field{"pins", Show::number, "of an access: pins it has"},
	Field{"copies", Show::number,
	      "of an access: how often it has read or written memory"},
	Field{"asids", Show::number, "of an IOTLB: address spaces"},
	Field{"served", Show::boolean, "of an IOTLB: somebody answers its misses"},
	Field{"max_entries", Show::number, "of an IOTLB: entries it may have"},
	Field{"entries", Show::number, "of an IOTLB: entries now"},
	Field{"lookups", Show::number, "of an IOTLB: lookups of readers"},
	Field{"hit_percent", Show::number,
	      "of an IOTLB: lookups that found their translation"},
	Field{"misses", Show::number, "of an IOTLB: misses asked for"},
	Field{"pending", Show::number, "of an IOTLB: misses that wait now"},
	Field{"latency_us", Show::number,
	      "of an IOTLB: from miss to answer, the mean, microseconds"},
	Field{"unread", Show::number, "of a fault queue: faults that nobody has read"},
	Field{"unanswered", Show::number,
	      "of a fault queue: faults that were read and not answered yet"},
};

// Behind it come the fields of types.
constexpr std::string_view last_common = "users";

constexpr std::array summary_fields = {
	Field{"context", Show::number, "number of the context in the kernel"},
	Field{"process", Show::text, "the process that opened it"},
	Field{"id", Show::number, "id of the object"},
	Field{"type", Show::text, "what it is"},
	Field{"users", Show::number, "others that use it"},
	Field{"state", Show::text, "the state it is in"},
};
constexpr FieldTable summary_table = {"objects", summary_fields};

std::string domain_text(std::uint32_t domain)
{
	switch (domain) {
	case IOMMUKIT_NL_DOMAIN_HARDWARE:
		return "hardware";
	case IOMMUKIT_NL_DOMAIN_SOFTWARE:
		return "software";
	case IOMMUKIT_NL_DOMAIN_DRIVER:
		return "driver";
	default:
		return "domain-" + std::to_string(domain);
	}
}

Json hwpt_flags(std::uint32_t flags)
{
	Json out = Json::array();

	if (flags & IOMMUKIT_NL_HWPT_AUTO)
		out.push_back("auto");
	if (flags & IOMMUKIT_NL_HWPT_NEST_PARENT)
		out.push_back("nest-parent");
	if (flags & IOMMUKIT_NL_HWPT_DEAD)
		out.push_back("dead");
	return out;
}

// A row that gets its values by name; what it does not get stays null.
class StateRow {
    public:
	StateRow(const ObjectFacts &facts, const ContextFacts *context);
	Row row = Row(state_fields.size());

	void add(std::monostate) {}
	void add(const IoasState &state);
	void add(const HwptState &state);
	void add(const DeviceState &state);
	void add(const AccessState &state);
	void add(const IotlbState &state);
	void add(const FaultQueueState &state);

    private:
	void set(std::string_view name, Json value)
	{
		row.at(*object_state_table.index(name)) = std::move(value);
	}
	template <class T>
	void maybe(std::string_view name, const std::optional<T> &value)
	{
		if (value)
			set(name, *value);
	}
};

// A context may have come after they were listed.
StateRow::StateRow(const ObjectFacts &facts, const ContextFacts *context)
{
	set("context", facts.context);
	if (context) {
		set("pid", pid_json(*context));
		set("process", printable(context->comm));
		set("uid", context->uid);
	}
	set("id", facts.id);
	set("type", facts.type);
	set("users", facts.users);
	std::visit([this](const auto &state) { add(state); }, facts.state);
}

void StateRow::add(const IoasState &state)
{
	set("areas", state.areas);
	set("mapped", state.mapped.value);
	set("hwpts", state.hwpts);
	set("dirty_tracking", state.dirty_tracking);
	set("dirtied_pages", state.dirtied_pages);
	set("faults", state.faults);
	set("invalidations", state.invalidations);
}

void StateRow::add(const HwptState &state)
{
	maybe("ioas", state.ioas);
	maybe("parent", state.parent);
	set("domain", domain_text(state.domain));
	set("dirty_tracking", (state.flags & IOMMUKIT_NL_HWPT_DIRTY_TRACKING) != 0);
	set("flags", hwpt_flags(state.flags));
	maybe("fault_queue", state.fault_queue);
	set("groups", state.groups);
}

void StateRow::add(const DeviceState &state)
{
	if (!state.name.empty())
		set("name", state.name);
	if (!state.driver.empty())
		set("driver", state.driver);
	maybe("iommu_group", state.iommu_group);
	maybe("hwpt", state.hwpt);
	set("outstanding_faults", state.outstanding_faults);
}

void StateRow::add(const AccessState &state)
{
	set("driver", state.driver);
	maybe("stage", state.stage);
	set("pins", state.pins);
	set("copies", state.copies);
}

void StateRow::add(const IotlbState &state)
{
	const IotlbStats &stats = state.stats;

	maybe("ioas", state.ioas);
	set("asids", state.asids);
	set("served", state.served);
	set("max_entries", state.max_entries);
	set("entries", stats[IOMMUKIT_IOTLB_STAT_ENTRIES]);
	set("lookups", stats[IOMMUKIT_IOTLB_STAT_LOOKUPS]);
	set("hit_percent", hit_percent(stats));
	set("misses", stats[IOMMUKIT_IOTLB_STAT_CREATED]);
	set("pending", stats[IOMMUKIT_IOTLB_STAT_PENDING]);
	set("latency_us", mean_latency_us(stats));
}

void StateRow::add(const FaultQueueState &state)
{
	set("unread", state.unread);
	set("unanswered", state.unanswered);
}

// Nothing that is worth a word in a list; a group may have the number 0.
bool is_quiet(const Field &field, const Json &value)
{
	return value.is_null() || (value.is_boolean() && !value.get<bool>()) ||
	       (value.is_array() && value.empty()) ||
	       (value.is_number() && value == 0 && field.name != "iommu_group");
}

std::string state_text(const Row &row)
{
	std::size_t first = *object_state_table.index(last_common) + 1;
	std::string out;

	for (std::size_t i = first; i < row.size(); i++) {
		const Field &field = state_fields[i];
		if (!is_quiet(field, row[i]))
			out += (out.empty() ? "" : " ") + std::string(field.name) + " " +
			       value_text(field, row[i]);
	}
	return out.empty() ? "-" : out;
}

std::string list_text(const std::vector<Row> &rows)
{
	std::vector<Row> lines;

	for (const auto &row : rows) {
		Row line;
		for (const auto &field : summary_fields)
			line.push_back(
				field.name == "state"
					? Json(state_text(row))
					: row[*object_state_table.index(field.name)]);
		lines.push_back(std::move(line));
	}
	return Report(summary_table, Report::Style::table, std::move(lines)).text();
}

std::vector<Row> object_rows(Administration &administration,
			     std::optional<std::uint32_t> context,
			     std::optional<std::uint32_t> object)
{
	auto contexts = contexts_by_number(administration);
	std::vector<ObjectFacts> objects;
	std::vector<Row> rows;

	if (object)
		objects.push_back(administration.object(*context, *object));
	else
		objects = administration.objects(context);
	for (const auto &facts : objects) {
		auto of = contexts.find(facts.context);
		rows.push_back(
			StateRow(facts, of == contexts.end() ? nullptr : &of->second)
				.row);
	}
	return rows;
}

} // namespace

constinit const FieldTable object_state_table = {"objects", state_fields};

Report show_objects(Session &session, const Arguments &args)
{
	auto context = wanted_context(args);
	auto object = wanted_object(args, "object");

	if (object && !context)
		throw usage_failure("object " + std::to_string(*object) +
					    " of which context?",
				    "show context N object ID");
	if (session.dry_run())
		return {};
	auto rows = ask_foreign(context, object, [&](Administration &administration) {
		return object_rows(administration, context, object);
	});
	if (object)
		return listed(
			Report(object_state_table, Report::Style::block, std::move(rows))
				.sparse(),
			"id", args);
	std::string text = list_text(rows);
	return listed(Report::drawn(object_state_table, std::move(rows), std::move(text))
			      .sparse(),
		      "id", args);
}

} // namespace ctl

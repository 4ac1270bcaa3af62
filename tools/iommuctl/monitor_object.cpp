// SPDX-License-Identifier: GPL-2.0-only
// iommuctl monitor: what happens to contexts and objects of all processes, one line for
// each event. What has been lost because too little was read is told, and made up for.
#include "administration.h"
#include "interruption.h"
#include "objects.h"
#include "records.h"
#include "session.h"
#include "words.h"

#include <array>
#include <stdexcept>

namespace ctl {

using namespace iommukit;

namespace {

constexpr std::array event_fields = {
	Field{"event", Show::text,
	      "listening, as the first one: from here on nothing is missed; context-new, "
	      "context-del, object-new, object-del, od-dead, od-mm-exit, "
	      "od-unmap-anomaly, iotlb-server-lost, or events-lost"},
	Field{"context", Show::number, "number of the context in the kernel"},
	Field{"pid", Show::number, "of a context: the process that opened it"},
	Field{"process", Show::text, "of a context: what that is called"},
	Field{"uid", Show::number, "of a context: its user"},
	Field{"id", Show::number, "id of the object, in its context"},
	Field{"type", Show::text, "what the object is"},
	Field{"iova", Show::address, "of on-demand memory: where it is mapped"},
	Field{"length", Show::size, "of on-demand memory: how much"},
	Field{"reason", Show::text, "of od-dead: why it is of no use any more"},
	Field{"unmap_iova", Show::address,
	      "of od-unmap-anomaly: where a page table was to let go"},
	Field{"unmap_asked", Show::size, "how much it was to let go of"},
	Field{"unmap_done", Show::size, "how much it said it did"},
	Field{"user_tag", Show::address, "of an IOTLB: what its owner calls it"},
	Field{"repaired", Show::boolean, "it was found out after events were lost"},
};
constexpr FieldTable event_table = {"event", event_fields};

constexpr std::array summary_fields = {
	Field{"events", Show::number, "how many there were"},
	Field{"losses", Show::number, "how often some were lost"},
};
constexpr FieldTable summary_table = {"monitor", summary_fields};

std::string event_name(const Event &event)
{
	switch (event.command) {
	case 0:
		return "events-lost";
	case IOMMUKIT_NL_CMD_CONTEXT_NEW:
		return "context-new";
	case IOMMUKIT_NL_CMD_CONTEXT_DEL:
		return "context-del";
	case IOMMUKIT_NL_CMD_OBJECT_NEW:
		return "object-new";
	case IOMMUKIT_NL_CMD_OBJECT_DEL:
		return "object-del";
	case IOMMUKIT_NL_CMD_OD_DEAD:
		return "od-dead";
	case IOMMUKIT_NL_CMD_OD_MM_EXIT:
		return "od-mm-exit";
	case IOMMUKIT_NL_CMD_OD_UNMAP_ANOMALY:
		return "od-unmap-anomaly";
	case IOMMUKIT_NL_CMD_IOTLB_SERVER_LOST:
		return "iotlb-server-lost";
	default:
		throw std::logic_error("an event without a name");
	}
}

std::string reason_text(std::uint32_t reason)
{
	return reason == IOMMUKIT_NL_OD_REASON_UNMAP ? "unmap"
						     : "reason-" + std::to_string(reason);
}

// Only what the event has: its names, and its values.
class EventFields {
    public:
	explicit EventFields(const char *name) { set("event", name); }
	explicit EventFields(const Event &event)
	{
		set("event", event_name(event));
		std::visit([this](const auto &facts) { add(facts); }, event.facts);
		if (event.repaired)
			set("repaired", true);
	}

	Json json() const { return values_; }
	std::string text() const
	{
		std::string out;

		for (const auto &field : event_fields) {
			auto it = values_.find(field.name);

			if (it == values_.end())
				continue;
			if (out.empty())
				out = bare_text(field, *it);
			else
				out += " " + std::string(field.name) + " " +
				       value_text(field, *it);
		}
		return out + "\n";
	}

    private:
	void set(const char *name, Json value) { values_[name] = std::move(value); }
	template <class T> void maybe(const char *name, const std::optional<T> &value)
	{
		if (value)
			set(name, value->value);
	}

	void add(const EventsLost &) {}
	void add(const ContextFacts &facts)
	{
		set("context", facts.id);
		if (facts.pid)
			set("pid", *facts.pid);
		set("process", printable(facts.comm));
		set("uid", facts.uid);
	}
	void add(const ObjectFacts &facts)
	{
		set("context", facts.context);
		set("id", facts.id);
		set("type", facts.type);
	}
	void add(const OndemandFacts &facts)
	{
		set("context", facts.context);
		set("id", facts.ioas);
		set("type", "ioas");
		set("iova", facts.iova.value);
		set("length", facts.length.value);
		if (facts.reason)
			set("reason", reason_text(*facts.reason));
		maybe("unmap_iova", facts.unmap_iova);
		maybe("unmap_asked", facts.unmap_asked);
		maybe("unmap_done", facts.unmap_done);
	}
	void add(const IotlbFacts &facts)
	{
		set("context", facts.context);
		set("id", facts.id);
		set("type", "iotlb");
		set("user_tag", facts.user_tag);
	}

	Json values_;
};

void print(const Output &output, const EventFields &fields)
{
	if (output.json())
		output.document(fields.json());
	else
		output.text(fields.text());
}

Report run_monitor(Session &session, const Arguments &args)
{
	const Output &output = session.output();
	auto most = args.number("count");
	std::uint64_t events = 0;

	if (session.dry_run())
		return {};
	Interruption interruption;
	EventStream stream;
	print(output, EventFields("listening"));
	while (!most || events < *most) {
		auto event = stream.next();

		if (event) {
			print(output, EventFields(*event));
			events++;
		} else if (interruption.wait_readable(stream.fd())) {
			break;
		}
	}
	return Report(summary_table, Report::Style::line, {{events, stream.losses()}})
		.primary("events");
}

constexpr std::array params = {
	Param{"count", Kind::number, Place::key, "events; until Ctrl-C if left out"},
};
constexpr std::array verbs = {
	Verb{"", "tell what happens to the contexts and objects of all processes", params,
	     run_monitor},
};
constexpr std::array<const FieldTable *, 2> tables = {&event_table, &summary_table};

} // namespace

const Object monitor_object = {"monitor", "what happens to contexts and objects", verbs,
			       "", tables};

} // namespace ctl

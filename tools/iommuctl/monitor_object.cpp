// SPDX-License-Identifier: GPL-2.0-only
// iommuctl monitor: what happens to contexts and objects of all processes, one line for
// each event. What has been lost because too little was read is told, and made up for. On
// demand, mappings as well, and what the tracepoints of the module record: these come by
// another way, so events of both are in order among themselves only.
#include "administration.h"
#include "end_signal.h"
#include "interruption.h"
#include "objects.h"
#include "records.h"
#include "session.h"
#include "trace_stream.h"
#include "words.h"

#include <array>
#include <charconv>
#include <stdexcept>
#include <system_error>

namespace ctl {

using namespace iommukit;

namespace {

constexpr std::array event_fields = {
	Field{"event", Show::text,
	      "listening, as the first one: from here on nothing is missed; context-new, "
	      "context-del, context-limit, object-new, object-del, od-dead, od-mm-exit, "
	      "od-unmap-anomaly, iotlb-server-lost, or events-lost; with mappings, area-new "
	      "and area-del; with trace, the name of a tracepoint, trace-lost, or "
	      "trace-unknown"},
	Field{"context", Show::number, "number of the context in the kernel"},
	Field{"pid", Show::number,
	      "of a context: the process that opened it; of a tracepoint: the thread that "
	      "came by"},
	Field{"process", Show::text, "what that is called"},
	Field{"uid", Show::number, "of a context: its user"},
	Field{"id", Show::number, "id of the object, in its context"},
	Field{"type", Show::text, "what the object is"},
	Field{"asid", Show::number, "of a tracepoint: address space of an IOTLB"},
	Field{"iova", Show::address, "of memory: where it is mapped"},
	Field{"length", Show::size, "of memory: how much; all ones: everything"},
	Field{"perm", Show::text, "r, w, rw or none: what may be done with it"},
	Field{"backing", Show::text,
	      "of area-new, area-del: pinned, ondemand or file: what is mapped there"},
	Field{"address", Show::address,
	      "its address in the process, or offset in the file"},
	Field{"pt_id", Show::number,
	      "of a tracepoint: what a device is attached to, or was to be"},
	Field{"cookie", Show::address, "of a tracepoint: which miss it is, or answers"},
	Field{"result", Show::text, "of a tracepoint: 0, or the errno"},
	Field{"cpu", Show::number, "of a tracepoint: where that thread was"},
	Field{"time", Show::text, "of a tracepoint: seconds of the monotonic clock"},
	Field{"lost", Show::number,
	      "of events-lost, trace-lost: how many, if that is known"},
	Field{"line", Show::text,
	      "of trace-unknown: what the kernel has written that cannot be made out"},
	Field{"refused", Show::size,
	      "of context-limit: what RLIMIT_MEMLOCK has kept from being pinned; see "
	      "explain"},
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
	case IOMMUKIT_NL_CMD_CONTEXT_LIMIT:
		return "context-limit";
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
	case IOMMUKIT_NL_CMD_AREA_NEW:
		return "area-new";
	case IOMMUKIT_NL_CMD_AREA_DEL:
		return "area-del";
	default:
		throw std::logic_error("an event without a name");
	}
}

std::string reason_text(std::uint32_t reason)
{
	return reason == IOMMUKIT_NL_OD_REASON_UNMAP ? "unmap"
						     : "reason-" + std::to_string(reason);
}

std::string perm_text(std::uint64_t read_write)
{
	constexpr const char *names[] = {"none", "r", "w", "rw"};

	return names[read_write & 3];
}

const char *backing_text(std::uint32_t flags)
{
	return flags & IOMMUKIT_NL_AREA_ONDEMAND ? "ondemand"
	       : flags & IOMMUKIT_NL_AREA_FILE	 ? "file"
						 : "pinned";
}

// As the kernel prints them: decimal, or hexadecimal with 0x.
std::optional<std::int64_t> number_of(std::string_view text)
{
	const bool hexadecimal = text.starts_with("0x");
	std::int64_t value = 0;
	std::from_chars_result result;

	if (hexadecimal) {
		std::uint64_t bits = 0;

		text.remove_prefix(2);
		result =
			std::from_chars(text.data(), text.data() + text.size(), bits, 16);
		value = static_cast<std::int64_t>(bits);
	} else {
		result = std::from_chars(text.data(), text.data() + text.size(), value);
	}
	if (result.ec != std::errc() || result.ptr != text.data() + text.size())
		return std::nullopt;
	return value;
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

	explicit EventFields(const TraceEvent &event)
	{
		if (event.lost) {
			set("event", "trace-lost");
			set("lost", event.lost);
			return;
		}
		if (!event.unknown.empty()) {
			set("event", "trace-unknown");
			set("line", printable(event.unknown));
			return;
		}
		set("event", printable(event.name));
		for (const auto &[name, value] : event.fields)
			add(name, value);
		set("pid", event.pid);
		if (!event.process.empty())
			set("process", printable(event.process));
		set("cpu", event.cpu);
		set("time", event.time);
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

	// A field of a tracepoint; one that a newer module has is left out.
	void add(const std::string &name, const std::string &text)
	{
		auto value = number_of(text);

		if (!value)
			return;
		if (name == "ctx")
			set("context", *value);
		else if (name == "perm")
			set("perm", perm_text(static_cast<std::uint64_t>(*value)));
		else if (name == "result")
			set("result",
			    *value ? errno_name(static_cast<int>(-*value)) : "0");
		else if (name == "iova" || name == "length" || name == "cookie")
			set(name.c_str(), static_cast<std::uint64_t>(*value));
		else if (name == "id" || name == "asid" || name == "pt_id")
			set(name.c_str(), *value);
	}
	void add(const EventsLost &facts)
	{
		if (facts.count)
			set("lost", facts.count);
	}
	void add(const MappingFacts &facts)
	{
		set("context", facts.context);
		set("id", facts.ioas);
		set("type", "ioas");
		set("iova", facts.range.first.value);
		set("length", facts.length().value);
		// READABLE and WRITEABLE are the lowest bits.
		set("perm", perm_text(facts.flags));
		set("backing", backing_text(facts.flags));
		set("address", facts.user_address);
	}
	void add(const ContextFacts &facts)
	{
		set("context", facts.id);
		if (facts.pid)
			set("pid", *facts.pid);
		set("process", printable(facts.comm));
		set("uid", facts.uid);
		maybe("refused", facts.refused);
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

// "all", or names with commas between them.
std::vector<std::string> trace_names(std::string_view text)
{
	std::vector<std::string> names;

	if (text == "all")
		return names;
	for (;;) {
		const auto comma = text.find(',');

		names.emplace_back(text.substr(0, comma));
		if (names.back().empty())
			throw usage_failure(
				"a name is missing in the list of tracepoints",
				"monitor trace all, or NAME,NAME");
		if (comma == text.npos)
			return names;
		text.remove_prefix(comma + 1);
	}
}

// Both sources, of which the second is there if it was asked for.
class Sources {
    public:
	explicit Sources(const Arguments &args)
		: events_(args.has("mappings") ? EventScope::mappings
					       : EventScope::objects)
	{
		auto names = args.text("trace");

		if (!names)
			return;
		// Or its instance would stay, and go on to record.
		note_end_signals();
		trace_.emplace(trace_names(*names));
	}

	// What there is to be told, if anything: it does not wait. They take turns, so
	// that neither is kept from being read by what the other has to tell.
	std::optional<EventFields> next()
	{
		traced_ = trace_ && !traced_;
		auto fields = traced_ ? next_traced() : next_told();

		if (fields || !trace_)
			return fields;
		return traced_ ? next_told() : next_traced();
	}
	bool wait(const Interruption &interruption) const
	{
		return trace_ ? interruption.wait_readable({events_.fd(), trace_->fd()})
			      : interruption.wait_readable(events_.fd());
	}
	std::uint64_t losses() const { return events_.losses() + trace_losses_; }

    private:
	std::optional<EventFields> next_told()
	{
		auto event = events_.next();

		return event ? std::optional(EventFields(*event)) : std::nullopt;
	}
	std::optional<EventFields> next_traced()
	{
		auto event = trace_->next();

		if (!event)
			return std::nullopt;
		trace_losses_ += event->lost != 0;
		return EventFields(*event);
	}

	EventStream events_;
	std::optional<TraceStream> trace_;
	bool traced_ = false;
	std::uint64_t trace_losses_ = 0;
};

Report run_monitor(Session &session, const Arguments &args)
{
	const Output &output = session.output();
	auto most = args.number("count");
	std::uint64_t events = 0;

	if (session.dry_run())
		return {};
	Interruption interruption;
	Sources sources(args);
	print(output, EventFields("listening"));
	while (!most || events < *most) {
		// There may be something to tell for ever.
		if (interruption.wait(std::chrono::nanoseconds(0)))
			break;
		auto fields = sources.next();

		if (fields) {
			print(output, *fields);
			events++;
		} else if (sources.wait(interruption)) {
			break;
		}
	}
	return Report(summary_table, Report::Style::line, {{events, sources.losses()}})
		.primary("events");
}

constexpr std::array params = {
	Param{"count", Kind::number, Place::key, "events; until Ctrl-C if left out"},
	Param{"mappings", Kind::text, Place::flag,
	      "what is mapped and unmapped as well; needs CAP_SYS_ADMIN"},
	Param{"trace", Kind::text, Place::key,
	      "tracepoints as well: all, or names with commas between them"},
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

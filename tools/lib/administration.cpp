// SPDX-License-Identifier: GPL-2.0-only
// Events and dumps come by different sockets, so some events are older than what was
// dumped. They do no harm: of each number the last one told is true, and one that tells
// what is known is dropped.
#include "administration.h"

#include <algorithm>
#include <set>

namespace iommukit {

namespace {

std::optional<Bytes> bytes(const NetlinkMessage &message, int attribute)
{
	auto value = message.u64(attribute);

	return value ? std::optional(Bytes(*value)) : std::nullopt;
}

ContextFacts context_of(const NetlinkMessage &m)
{
	ContextFacts facts;

	facts.id = m.u32(IOMMUKIT_NL_A_CONTEXT_ID).value_or(0);
	facts.pid = m.u32(IOMMUKIT_NL_A_CONTEXT_PID);
	facts.comm = m.text(IOMMUKIT_NL_A_CONTEXT_COMM);
	facts.uid = m.u32(IOMMUKIT_NL_A_CONTEXT_UID).value_or(0);
	facts.age_ms = m.u64(IOMMUKIT_NL_A_CONTEXT_AGE_MS).value_or(0);
	facts.account = static_cast<iommukit_nl_account>(
		m.u32(IOMMUKIT_NL_A_CONTEXT_ACCOUNT).value_or(0));
	facts.pinned = bytes(m, IOMMUKIT_NL_A_CONTEXT_PINNED_BYTES).value_or(Bytes());
	facts.memlock_limit = bytes(m, IOMMUKIT_NL_A_CONTEXT_MEMLOCK_LIMIT);
	facts.memlock_headroom = bytes(m, IOMMUKIT_NL_A_CONTEXT_MEMLOCK_HEADROOM);
	facts.objects = m.u32(IOMMUKIT_NL_A_CONTEXT_OBJECTS).value_or(0);
	return facts;
}

ObjectFacts object_of(const NetlinkMessage &m)
{
	return {m.u32(IOMMUKIT_NL_A_OBJECT_CONTEXT_ID).value_or(0),
		m.u32(IOMMUKIT_NL_A_OBJECT_ID).value_or(0),
		m.text(IOMMUKIT_NL_A_OBJECT_TYPE),
		m.u32(IOMMUKIT_NL_A_OBJECT_USERS).value_or(0)};
}

OndemandFacts ondemand_of(const NetlinkMessage &m)
{
	OndemandFacts facts;

	facts.context = m.u32(IOMMUKIT_NL_A_OD_CONTEXT_ID).value_or(0);
	facts.ioas = m.u32(IOMMUKIT_NL_A_OD_IOAS_ID).value_or(0);
	facts.iova = Iova(m.u64(IOMMUKIT_NL_A_OD_IOVA).value_or(0));
	facts.length = bytes(m, IOMMUKIT_NL_A_OD_LENGTH).value_or(Bytes());
	facts.reason = m.u32(IOMMUKIT_NL_A_OD_REASON);
	if (auto iova = m.u64(IOMMUKIT_NL_A_OD_UNMAP_IOVA))
		facts.unmap_iova = Iova(*iova);
	facts.unmap_asked = bytes(m, IOMMUKIT_NL_A_OD_UNMAP_ASKED);
	facts.unmap_done = bytes(m, IOMMUKIT_NL_A_OD_UNMAP_DONE);
	return facts;
}

IotlbFacts iotlb_of(const NetlinkMessage &m)
{
	return {m.u32(IOMMUKIT_NL_A_IOTLB_CONTEXT_ID).value_or(0),
		m.u32(IOMMUKIT_NL_A_IOTLB_ID).value_or(0),
		m.u64(IOMMUKIT_NL_A_IOTLB_USER_TAG).value_or(0)};
}

// nullopt: a newer module has events that are not known here.
std::optional<Event> event_of(const NetlinkMessage &message)
{
	switch (message.command) {
	case IOMMUKIT_NL_CMD_CONTEXT_NEW:
	case IOMMUKIT_NL_CMD_CONTEXT_DEL:
		return Event{message.command, context_of(message)};
	case IOMMUKIT_NL_CMD_OBJECT_NEW:
	case IOMMUKIT_NL_CMD_OBJECT_DEL:
		return Event{message.command, object_of(message)};
	case IOMMUKIT_NL_CMD_OD_DEAD:
	case IOMMUKIT_NL_CMD_OD_MM_EXIT:
	case IOMMUKIT_NL_CMD_OD_UNMAP_ANOMALY:
		return Event{message.command, ondemand_of(message)};
	case IOMMUKIT_NL_CMD_IOTLB_SERVER_LOST:
		return Event{message.command, iotlb_of(message)};
	default:
		return std::nullopt;
	}
}

// Makes @known what is @true_now, and tells @gone and @came of what was different.
template <class Map, class Gone, class Came>
void replace_by(Map &known, Map true_now, Gone gone, Came came)
{
	for (const auto &[key, facts] : known)
		if (!true_now.contains(key))
			gone(facts);
	for (const auto &[key, facts] : true_now)
		if (!known.contains(key))
			came(facts);
	known = std::move(true_now);
}

// Keeps a map by key up to date. Returns whether that was news.
template <class Map, class Facts>
bool note(Map &known, const typename Map::key_type &key, const Facts &facts, bool came)
{
	return came ? known.emplace(key, facts).second : known.erase(key) != 0;
}

} // namespace

/* ---- requests ---- */

std::vector<ContextFacts> Administration::contexts()
{
	std::vector<ContextFacts> out;

	for (const auto &message :
	     socket_.dump("CONTEXT_GET", IOMMUKIT_NL_CMD_CONTEXT_GET, {}))
		out.push_back(context_of(message));
	return out;
}

ContextFacts Administration::context(std::uint32_t id)
{
	return context_of(socket_.ask("CONTEXT_GET", IOMMUKIT_NL_CMD_CONTEXT_GET,
				      {{IOMMUKIT_NL_A_CONTEXT_ID, id}}));
}

std::vector<ObjectFacts> Administration::objects(std::optional<std::uint32_t> context)
{
	std::vector<NetlinkAttribute> filter;
	std::vector<ObjectFacts> out;

	if (context)
		filter.push_back({IOMMUKIT_NL_A_OBJECT_CONTEXT_ID, *context});
	for (const auto &message :
	     socket_.dump("OBJECT_GET", IOMMUKIT_NL_CMD_OBJECT_GET, filter))
		out.push_back(object_of(message));
	return out;
}

/* ---- events ---- */

EventStream::EventStream()
{
	socket_.join(IOMMUKIT_NL_MCGRP_EVENTS);
	repair();
	// What there is already is no event.
	events_.clear();
}

std::optional<Event> EventStream::next()
{
	if (events_.empty())
		read();
	if (events_.empty())
		return std::nullopt;
	Event event = std::move(events_.front());
	events_.pop_front();
	return event;
}

void EventStream::read()
{
	bool lost = false;

	for (;;) {
		auto messages = socket_.receive();

		if (!messages) {
			lost = true;
			continue;
		}
		for (const auto &message : *messages)
			take(message);
		// After a loss it must be empty, or the next loss would not be told.
		if (messages->empty() || (!lost && !events_.empty()))
			break;
	}
	if (!lost)
		return;
	losses_++;
	events_.push_back(Event());
	repair();
}

void EventStream::take(const NetlinkMessage &message)
{
	auto event = event_of(message);

	if (event && update(*event))
		events_.push_back(std::move(*event));
}

// Returns whether that was news.
bool EventStream::update(const Event &event)
{
	if (auto *context = std::get_if<ContextFacts>(&event.facts))
		return note(contexts_, context->id, *context,
			    event.command == IOMMUKIT_NL_CMD_CONTEXT_NEW);
	if (auto *object = std::get_if<ObjectFacts>(&event.facts))
		return note(objects_, Key(object->context, object->id), *object,
			    event.command == IOMMUKIT_NL_CMD_OBJECT_NEW);
	return true;
}

void EventStream::repair()
{
	std::map<std::uint32_t, ContextFacts> contexts;
	std::map<Key, ObjectFacts> objects;
	auto tell = [this](iommukit_nl_cmd command, const auto &facts) {
		events_.push_back(Event{static_cast<std::uint8_t>(command), facts, true});
	};
	auto new_context = [&](const auto &f) { tell(IOMMUKIT_NL_CMD_CONTEXT_NEW, f); };
	auto del_context = [&](const auto &f) { tell(IOMMUKIT_NL_CMD_CONTEXT_DEL, f); };
	auto new_object = [&](const auto &f) { tell(IOMMUKIT_NL_CMD_OBJECT_NEW, f); };
	auto del_object = [&](const auto &f) { tell(IOMMUKIT_NL_CMD_OBJECT_DEL, f); };

	for (auto &facts : administration_.contexts())
		contexts.emplace(facts.id, std::move(facts));
	for (auto &facts : administration_.objects())
		objects.emplace(Key(facts.context, facts.id), std::move(facts));
	replace_by(contexts_, std::move(contexts), del_context, new_context);
	replace_by(objects_, std::move(objects), del_object, new_object);
}

} // namespace iommukit

// SPDX-License-Identifier: GPL-2.0-only
// Events and dumps come by different sockets, so some events are older than what was
// dumped. They do no harm as long as none is missing among them: of each number the last
// one told is true, and one that tells what is known is dropped. So what came before some
// were lost is read before everything is asked for again.
#include "administration.h"

#include "error.h"

#include <algorithm>
#include <cerrno>

namespace iommukit {

namespace {

template <class Facts>
std::vector<Facts> dump(NetlinkSocket &socket, const char *name, std::uint8_t command,
			const std::vector<NetlinkAttribute> &filter,
			Facts (*facts_of)(const NetlinkMessage &))
{
	std::vector<Facts> out;

	for (const auto &message : socket.dump(name, command, filter))
		out.push_back(facts_of(message));
	return out;
}

// nullopt: a newer module has events that are not known here.
std::optional<Event> event_of(const NetlinkMessage &message)
{
	switch (message.command) {
	case IOMMUKIT_NL_CMD_CONTEXT_NEW:
	case IOMMUKIT_NL_CMD_CONTEXT_DEL:
	case IOMMUKIT_NL_CMD_CONTEXT_LIMIT:
		return Event{message.command, context_facts(message)};
	case IOMMUKIT_NL_CMD_OBJECT_NEW:
	case IOMMUKIT_NL_CMD_OBJECT_DEL:
		return Event{message.command, object_facts(message)};
	case IOMMUKIT_NL_CMD_OD_DEAD:
	case IOMMUKIT_NL_CMD_OD_MM_EXIT:
	case IOMMUKIT_NL_CMD_OD_UNMAP_ANOMALY:
		return Event{message.command, ondemand_facts(message)};
	case IOMMUKIT_NL_CMD_IOTLB_SERVER_LOST:
		return Event{message.command, iotlb_facts(message)};
	case IOMMUKIT_NL_CMD_AREA_NEW:
	case IOMMUKIT_NL_CMD_AREA_DEL:
		return Event{message.command, mapping_facts(area_facts(message))};
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

// The same of what is its own key
template <class Facts, class Gone, class Came>
void replace_by(std::set<Facts> &known, std::set<Facts> true_now, Gone gone, Came came)
{
	for (const auto &facts : known)
		if (!true_now.contains(facts))
			gone(facts);
	for (const auto &facts : true_now)
		if (!known.contains(facts))
			came(facts);
	known = std::move(true_now);
}

template <class Facts> bool note(std::set<Facts> &known, const Facts &facts, bool came)
{
	return came ? known.insert(facts).second : known.erase(facts) != 0;
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
	return dump(socket_, "CONTEXT_GET", IOMMUKIT_NL_CMD_CONTEXT_GET, {},
		    context_facts);
}

ContextFacts Administration::context(std::uint32_t id)
{
	return context_facts(socket_.ask("CONTEXT_GET", IOMMUKIT_NL_CMD_CONTEXT_GET,
					 {{IOMMUKIT_NL_A_CONTEXT_ID, id}}));
}

std::vector<ObjectFacts> Administration::objects(std::optional<std::uint32_t> context)
{
	std::vector<NetlinkAttribute> filter;

	if (context)
		filter.push_back({IOMMUKIT_NL_A_OBJECT_CONTEXT_ID, *context});
	return dump(socket_, "OBJECT_GET", IOMMUKIT_NL_CMD_OBJECT_GET, filter,
		    object_facts);
}

ObjectFacts Administration::object(std::uint32_t context, std::uint32_t id)
{
	return object_facts(socket_.ask("OBJECT_GET", IOMMUKIT_NL_CMD_OBJECT_GET,
					{{IOMMUKIT_NL_A_OBJECT_CONTEXT_ID, context},
					 {IOMMUKIT_NL_A_OBJECT_ID, id}}));
}

std::vector<AreaFacts> Administration::areas(std::uint32_t context, std::uint32_t ioas,
					     std::optional<IovaRange> range)
{
	std::vector<NetlinkAttribute> filter{{IOMMUKIT_NL_A_AREA_CONTEXT_ID, context},
					     {IOMMUKIT_NL_A_AREA_IOAS_ID, ioas}};

	if (range) {
		filter.push_back({IOMMUKIT_NL_A_AREA_IOVA, range->first.value});
		filter.push_back({IOMMUKIT_NL_A_AREA_LAST, range->last.value});
	}
	return dump(socket_, "AREA_GET", IOMMUKIT_NL_CMD_AREA_GET, filter, area_facts);
}

std::vector<EntryFacts> Administration::entries(std::uint32_t context,
						std::uint32_t iotlb,
						std::optional<std::uint32_t> asid)
{
	std::vector<NetlinkAttribute> filter{{IOMMUKIT_NL_A_ENTRY_CONTEXT_ID, context},
					     {IOMMUKIT_NL_A_ENTRY_IOTLB_ID, iotlb}};

	if (asid)
		filter.push_back({IOMMUKIT_NL_A_ENTRY_ASID, *asid});
	return dump(socket_, "ENTRY_GET", IOMMUKIT_NL_CMD_ENTRY_GET, filter, entry_facts);
}

/* ---- events ---- */

EventStream::EventStream(EventScope scope) : scope_(scope)
{
	if (scope == EventScope::mappings)
		socket_.join({IOMMUKIT_NL_MCGRP_EVENTS, IOMMUKIT_NL_MCGRP_MAPPINGS});
	else
		socket_.join({IOMMUKIT_NL_MCGRP_EVENTS});
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
	bool lost = std::exchange(lost_again_, false);

	do {
		auto messages = socket_.receive();

		if (!messages) {
			lost = true;
			break;
		}
		for (const auto &message : *messages)
			take(message);
		// News or not, there may be more.
		if (messages->empty())
			break;
	} while (events_.empty() && !lost);
	std::uint32_t so_far = socket_.backlog().lost;
	if (!lost && so_far == lost_)
		return;

	// What is lost from here on is another loss.
	events_.push_back(Event{0, EventsLost{so_far - lost_}});
	lost_ = so_far;
	losses_++;
	read_backlog();
	repair();
}

// All that has come by now. More may come all the time, so it is not read until nothing
// is left: whoever cannot keep up would never do anything else.
void EventStream::read_backlog()
{
	for (std::uint64_t left = socket_.backlog().waiting; left;) {
		auto messages = socket_.receive();

		if (!messages) {
			// Maybe that which is being repaired: once more does no harm.
			lost_again_ = true;
			continue;
		}
		if (messages->empty())
			break;
		for (const auto &message : *messages)
			take(message);
		left -= std::min<std::uint64_t>(left, messages->size());
	}
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
	if (event.command == IOMMUKIT_NL_CMD_CONTEXT_LIMIT)
		return true;
	if (auto *context = std::get_if<ContextFacts>(&event.facts))
		return note(contexts_, context->id, *context,
			    event.command == IOMMUKIT_NL_CMD_CONTEXT_NEW);
	if (auto *object = std::get_if<ObjectFacts>(&event.facts))
		return note(objects_, Key(object->context, object->id), *object,
			    event.command == IOMMUKIT_NL_CMD_OBJECT_NEW);
	if (auto *mapping = std::get_if<MappingFacts>(&event.facts))
		return note(mappings_, *mapping,
			    event.command == IOMMUKIT_NL_CMD_AREA_NEW);
	return true;
}

// Of all IOAS that are known
std::set<MappingFacts> EventStream::ask_mappings()
{
	std::set<MappingFacts> mappings;

	for (const auto &[key, object] : objects_) {
		if (object.type != "ioas")
			continue;
		try {
			for (const auto &area :
			     administration_.areas(object.context, object.id))
				mappings.insert(mapping_facts(area));
		} catch (const Error &error) {
			// It has gone meanwhile, and so will be told.
			if (error.number() != ENOENT)
				throw;
		}
	}
	return mappings;
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
	auto new_mapping = [&](const auto &f) { tell(IOMMUKIT_NL_CMD_AREA_NEW, f); };
	auto del_mapping = [&](const auto &f) { tell(IOMMUKIT_NL_CMD_AREA_DEL, f); };
	auto del_object = [&](const auto &f) { tell(IOMMUKIT_NL_CMD_OBJECT_DEL, f); };

	for (auto &facts : administration_.contexts())
		contexts.emplace(facts.id, std::move(facts));
	for (auto &facts : administration_.objects())
		objects.emplace(Key(facts.context, facts.id), std::move(facts));
	replace_by(contexts_, std::move(contexts), del_context, new_context);
	// Its id may be that of something else since.
	std::erase_if(objects_, [&](const auto &known) {
		auto it = objects.find(known.first);
		bool gone = it != objects.end() && it->second.type != known.second.type;

		if (gone)
			del_object(known.second);
		return gone;
	});
	replace_by(objects_, std::move(objects), del_object, new_object);
	if (scope_ == EventScope::mappings)
		replace_by(mappings_, ask_mappings(), del_mapping, new_mapping);
}

} // namespace iommukit

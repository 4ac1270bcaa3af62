// SPDX-License-Identifier: GPL-2.0-only
// All contexts and objects of a machine, whosever they are, and what becomes of them.
#pragma once

#include "netlink.h"
#include "types.h"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace iommukit {

// What an event leaves out is empty or 0.
struct ContextFacts {
	std::uint32_t id = 0;
	// Absent if it is not seen from here.
	std::optional<std::uint32_t> pid = {};
	std::string comm = {};
	std::uint32_t uid = 0;
	std::uint64_t age_ms = 0;
	iommukit_nl_account account = IOMMUKIT_NL_ACCOUNT_NONE;
	Bytes pinned = {};
	// Absent if nothing is counted, or the process has gone. All ones: no limit.
	std::optional<Bytes> memlock_limit = {};
	std::optional<Bytes> memlock_headroom = {};
	std::uint32_t objects = 0;
};

struct ObjectFacts {
	std::uint32_t context = 0;
	std::uint32_t id = 0;
	std::string type = {};
	std::uint32_t users = 0;
};

struct OndemandFacts {
	std::uint32_t context = 0;
	std::uint32_t ioas = 0;
	Iova iova = {};
	Bytes length = {};
	// Of OD_DEAD
	std::optional<std::uint32_t> reason = {};
	// Of OD_UNMAP_ANOMALY: where, and how much was to be unmapped, and was
	std::optional<Iova> unmap_iova = {};
	std::optional<Bytes> unmap_asked = {};
	std::optional<Bytes> unmap_done = {};
};

struct IotlbFacts {
	std::uint32_t context = 0;
	std::uint32_t id = 0;
	std::uint64_t user_tag = 0;
};

// Events were lost; what follows repairs what is known.
struct EventsLost {};

struct Event {
	// One of iommukit_nl_cmd; 0 of EventsLost.
	std::uint8_t command = 0;
	std::variant<EventsLost, ContextFacts, ObjectFacts, OndemandFacts, IotlbFacts>
		facts = EventsLost();
	// It was not told, but found out after others were lost.
	bool repaired = false;
};

class Administration {
    public:
	std::vector<ContextFacts> contexts();
	ContextFacts context(std::uint32_t id);
	// Of one context, or of all.
	std::vector<ObjectFacts> objects(std::optional<std::uint32_t> context = {});

    private:
	NetlinkSocket socket_;
};

// Which contexts and objects there are, kept up to date by events. If those are lost it
// asks for everything again, and makes events of what is different then.
class EventStream {
    public:
	// Begins to listen, and then asks for what there is.
	EventStream();

	// Becomes readable when there may be events.
	int fd() const noexcept { return socket_.fd(); }
	// The next event, if there is one: it does not wait.
	std::optional<Event> next();
	// How often events were lost.
	std::uint64_t losses() const noexcept { return losses_; }

    private:
	using Key = std::pair<std::uint32_t, std::uint32_t>;

	void read();
	void take(const NetlinkMessage &message);
	bool update(const Event &event);
	void repair();

	NetlinkSocket socket_;
	Administration administration_;
	std::map<std::uint32_t, ContextFacts> contexts_;
	std::map<Key, ObjectFacts> objects_;
	std::deque<Event> events_;
	std::uint64_t losses_ = 0;
};

} // namespace iommukit

// SPDX-License-Identifier: GPL-2.0-only
// All contexts and objects of a machine, whosever they are, and what becomes of them.
#pragma once

#include "facts.h"
#include "netlink.h"
#include "types.h"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

namespace iommukit {

// Events were lost; what follows repairs what is known.
struct EventsLost {
	// How many messages; 0 if the kernel has not counted them.
	std::uint32_t count = 0;
};

struct Event {
	// One of iommukit_nl_cmd; 0 of EventsLost.
	std::uint8_t command = 0;
	std::variant<EventsLost, ContextFacts, ObjectFacts, OndemandFacts, IotlbFacts,
		     MappingFacts>
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
	ObjectFacts object(std::uint32_t context, std::uint32_t id);
	// Those of an IOAS that touch the range, from low to high. Needs CAP_SYS_ADMIN,
	// as entries() does: an IOVA is often the address in the process.
	std::vector<AreaFacts> areas(std::uint32_t context, std::uint32_t ioas,
				     std::optional<IovaRange> range = {});
	// Of one address space of an IOTLB, or of all.
	std::vector<EntryFacts> entries(std::uint32_t context, std::uint32_t iotlb,
					std::optional<std::uint32_t> asid = {});

    private:
	NetlinkSocket socket_;
};

enum class EventScope {
	objects,
	// As well; needs CAP_SYS_ADMIN
	mappings,
};

// Which contexts and objects there are, and maybe mappings, kept up to date by events. If
// those are lost it asks for everything again, and makes events of what is different
// then.
class EventStream {
    public:
	// Begins to listen, and then asks for what there is.
	explicit EventStream(EventScope scope = EventScope::objects);

	// Becomes readable when there may be events.
	int fd() const noexcept { return socket_.fd(); }
	// The next event, if there is one: it does not wait. Throws Error: command
	// "netlink" with ENODEV if the module was unloaded.
	std::optional<Event> next();
	// How often it was noticed that events were lost.
	std::uint64_t losses() const noexcept { return losses_; }

    private:
	using Key = std::pair<std::uint32_t, std::uint32_t>;

	void read();
	void read_backlog();
	void take(const NetlinkMessage &message);
	bool update(const Event &event);
	void repair();
	std::set<MappingFacts> ask_mappings();

	EventScope scope_;
	NetlinkSocket socket_;
	Administration administration_;
	std::map<std::uint32_t, ContextFacts> contexts_;
	std::map<Key, ObjectFacts> objects_;
	std::set<MappingFacts> mappings_;
	std::deque<Event> events_;
	std::uint64_t losses_ = 0;
	// As of the last repair
	std::uint32_t lost_ = 0;
	bool lost_again_ = false;
};

} // namespace iommukit

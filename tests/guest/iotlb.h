// SPDX-License-Identifier: GPL-2.0-only
/* Device IOTLBs, as their owner sees them. */
#pragma once

#include "iotlb_channel.h"

namespace guest {

/* How long readers wait, unless a test is about that: it decides nothing but hangs. */
constexpr std::uint32_t patience_ms = 60000;

/* An ALLOC of a small IOTLB on an IOAS. */
iommukit_iotlb_alloc iotlb_alloc(std::uint32_t ioas, std::uint32_t flags = 0);

/* An entry without what the IOTLB finds out by itself. */
struct IotlbEntry {
	std::uint64_t first, last, target;
	std::uint32_t perm = perm_rw, flags = 0;

	bool operator==(const IotlbEntry &) const = default;
};
std::ostream &operator<<(std::ostream &out, const IotlbEntry &entry);

/* What became of a SUBMIT. */
struct Submitted {
	Errno error;
	std::uint32_t done;
	std::uint64_t epoch;
};

/* The object goes with its context. Methods that return an Errno never assert. */
class Iotlb {
    public:
	Iotlb(const Context &context, iommukit_iotlb_alloc how);
	Iotlb(const Context &context, std::uint32_t ioas)
		: Iotlb(context, iotlb_alloc(ioas))
	{
	}

	std::uint32_t id() const { return object; }

	Submitted submit(std::vector<IotlbMessage> &messages,
			 std::uint32_t flags = 0) const;
	Errno try_submit(const IotlbMessage &message) const;
	Errno try_submit(std::vector<IotlbMessage> messages) const;
	/* Must succeed; in address space @asid. */
	void submit(IotlbMessage message, std::uint32_t asid = 0) const;
	void update(std::uint64_t iova, std::uint64_t length, std::uint64_t target,
		    std::uint8_t perm = perm_rw, std::uint16_t flags = 0) const;
	void invalidate(std::uint64_t iova, std::uint64_t length,
			std::uint16_t flags = 0) const;
	void flush(std::uint16_t flags = 0, std::uint32_t asid = 0) const;

	Errno try_query(std::uint64_t iova, iommukit_iotlb_entry *entry,
			std::uint32_t asid = 0) const;
	/* Is there an entry? */
	bool holds(std::uint64_t iova, std::uint32_t asid = 0) const;
	/* Those that intersect the range, some at a time. */
	std::vector<IotlbEntry> dump(std::uint32_t asid = 0, std::uint64_t first = 0,
				     std::uint64_t last = all_ones) const;
	std::uint64_t stat(iommukit_iotlb_stat counter) const;
	void reset_stats() const;
	/* Waits until a counter is that large. */
	bool await(iommukit_iotlb_stat counter, std::uint64_t value) const;
	Errno try_set(std::uint32_t param, std::uint64_t value) const;
	Errno try_open(Fd *channel) const;
	/* CHANNEL_OPEN, which must succeed. */
	void open();

	/* As ALLOC has opened it. */
	Channel channel;

    private:
	std::vector<std::uint64_t> stats(std::uint32_t flags) const;

	const Context &context;
	std::uint32_t object = 0;
};

Errno try_iotlb(const Context &context, iommukit_iotlb_alloc &cmd);
/* Opens a channel of an IOTLB by its id. */
Errno try_channel_open(const Context &context, std::uint32_t iotlb, Fd *channel);

} // namespace guest

template <> struct Catch::StringMaker<guest::IotlbEntry> {
	static std::string convert(const guest::IotlbEntry &entry)
	{
		Catch::ReusableStringStream text;

		text << entry;
		return text.str();
	}
};

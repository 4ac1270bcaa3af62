// SPDX-License-Identifier: GPL-2.0-only
/*
 * On-demand mappings, and who touches them: each way to pages that the kernel has
 * for drivers, from this process or from another.
 */
#pragma once

#include "access.h"
#include "process.h"

#include <memory>
#include <optional>
#include <string>

namespace guest {

constexpr std::uint32_t around_default = IOMMUKIT_ONDEMAND_FAULT_AROUND_DEFAULT;
constexpr std::uint32_t prefetch_write = IOMMUKIT_IOAS_PREFETCH_WRITE;
constexpr std::uint32_t prefetch_present = IOMMUKIT_IOAS_PREFETCH_NO_FAULT;

/* A valid command that maps all of @va at @iova. */
iommukit_ioas_map_ondemand ondemand_command(std::uint32_t ioas, std::uint64_t va,
					    std::uint64_t length, std::uint64_t iova);

/* Repeated when a signal came first. */
Errno try_map_ondemand(const Context &context, std::uint32_t ioas, std::uint64_t va,
		       std::uint64_t length, std::uint64_t iova,
		       std::uint32_t flags = map_rw_fixed,
		       std::uint32_t around = around_default);

Errno try_prefetch(const Context &context, std::uint32_t ioas, std::uint64_t iova,
		   std::uint64_t length, std::uint32_t flags = 0,
		   std::uint64_t *pages = nullptr);

using Stats = iommukit_ondemand_query;

Errno try_query(const Context &context, std::uint32_t ioas, std::uint64_t iova,
		Stats *stats, std::uint32_t flags = 0);
Stats query(const Context &context, std::uint32_t ioas,
	    std::uint64_t iova = IOMMUKIT_ONDEMAND_QUERY_SUM, std::uint32_t flags = 0);

/* IOMMUKIT_TEST_ONDEMAND_*, for all mappings until its end. */
class Trouble {
    public:
	Trouble(const Context &context, std::uint32_t what, std::uint32_t value);
	Trouble(const Trouble &) = delete;
	Trouble &operator=(const Trouble &) = delete;
	~Trouble();

    private:
	Errno set(std::uint32_t value) const;

	const Context &of;
	std::uint32_t what;
};

/* Whose thread touches an IOVA, and by which way. */
enum class Who {
	/* The owner of the memory, as copies go by themselves */
	owner,
	/* ... through the table of present pages */
	owner_slow,
	/* Another process, for which that is the only way */
	other,
	/* A kernel thread, which may borrow the owner's memory */
	kthread,
};

constexpr Who all_who[] = {Who::owner, Who::owner_slow, Who::other, Who::kthread};
/* Those of whom the table of present pages is known to be used. */
constexpr Who table_who[] = {Who::owner_slow, Who::other};
const char *name_of(Who who);

/*
 * What reads and writes by IOVA. Another process is forked at once, so before there
 * is memory that it could share.
 */
class Device {
    public:
	Device(const Context &context, std::uint32_t ioas, Who who);
	Device(const Device &) = delete;
	Device &operator=(const Device &) = delete;
	~Device();

	/* At most this much at a time. */
	static constexpr std::uint64_t most = huge_size;

	Errno read(std::uint64_t iova, void *to, std::uint64_t length) const;
	Errno write(std::uint64_t iova, const void *from, std::uint64_t length) const;
	/* One byte; as a rule that says enough. */
	Errno touch(std::uint64_t iova) const;
	Errno put(std::uint64_t iova, std::byte value) const;
	/* What is there, which must be possible. */
	std::byte get(std::uint64_t iova) const;

	/* An access in the IOAS, of this process. */
	const Access &access() const { return entry; }
	Who who() const { return kind; }
	/* 0: of this process. */
	pid_t pid() const { return peer ? peer->pid() : 0; }
	/* Kills the other process in the midst of what it does. */
	void kill_other() const { peer->kill(); }

    private:
	struct Request {
		std::uint64_t iova, length;
		bool write;
	};
	struct Room {
		std::byte data[most];
	};

	Errno issue(std::uint64_t iova, void *data, std::uint64_t length,
		    bool write) const;
	Errno ask(const Request &request) const;
	int serve(int requests, int answers) const;

	Who kind;
	Access entry;
	std::optional<Shared<Room>> room;
	Fd to_peer, from_peer;
	std::unique_ptr<Child> peer;
};

/* A context, an IOAS, somebody who touches it, and then memory, mapped on demand. */
class OndemandWorld {
    public:
	static constexpr std::uint64_t iova = 0x40000000;

	explicit OndemandWorld(Who who = Who::owner_slow);

	/* The void and value returning steps must succeed. */
	void map(std::uint64_t va, std::uint64_t length,
		 std::uint32_t flags = map_rw_fixed, std::uint64_t at = iova,
		 std::uint32_t around = around_default) const;
	void map(const Memory &memory, std::uint32_t flags = map_rw_fixed) const
	{
		map(memory.va(), memory.size(), flags);
	}
	Stats stats(std::uint32_t flags = 0) const
	{
		return query(context, ioas, iova, flags);
	}
	std::uint64_t prefetch(std::uint64_t offset, std::uint64_t length,
			       std::uint32_t flags = 0) const;

	Errno read(std::uint64_t offset, void *to, std::uint64_t length) const
	{
		return device.read(iova + offset, to, length);
	}
	Errno write(std::uint64_t offset, const void *from, std::uint64_t length) const
	{
		return device.write(iova + offset, from, length);
	}
	Errno touch(std::uint64_t offset) const { return device.touch(iova + offset); }
	Errno put(std::uint64_t offset, std::byte value) const
	{
		return device.put(iova + offset, value);
	}
	std::byte get(std::uint64_t offset) const { return device.get(iova + offset); }
	/* Is there what Memory::fill(@salt) has put at the same offset? */
	bool shows(unsigned int salt, std::uint64_t offset, std::uint64_t length) const;
	bool shows_zeros(std::uint64_t offset, std::uint64_t length) const;

	Context context;
	std::uint32_t ioas;
	Device device;
};

} // namespace guest

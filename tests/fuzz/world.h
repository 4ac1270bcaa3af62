// SPDX-License-Identifier: GPL-2.0-only
// The memory that the model maps: pages with their bytes, processes with slots of
// pages, files. What the kernel does here is no business of the module.
#pragma once

#include "op.h"
#include "ranges.h"

#include <bitset>
#include <map>
#include <memory>

namespace fuzz {

// Unknown are bytes that a failed write may have written.
struct Page {
	std::array<unsigned char, page_size> data{};
	std::bitset<page_size> unknown;
	// How often it is pinned.
	unsigned pins = 0;
};
using PageRef = std::shared_ptr<Page>;

// A part of a page that an operation reads or writes.
struct Piece {
	PageRef page;
	std::uint64_t offset, length;

	// The first byte that was read and is another one, or the length. Unknown
	// ones are known then.
	std::uint64_t disagrees(const unsigned char *bytes) const;
	void store(const unsigned char *bytes) const;
	void forget() const;
};

struct IotlbAnswer;
struct OndemandAnswer;

// What an operation must answer.
struct Expect {
	// The operation makes no sense now, or touches what is not modelled.
	bool skip = false;
	int error = 0;
	// Another errno that the specification leaves room for.
	int other = 0;
	// An id, IOVA, length, value or count: it depends on the kind.
	std::uint64_t out = 0, more = 0;
	std::vector<Range> ranges = {};
	std::vector<Piece> pieces = {};
	// Of a bitmap: what is set, and what may be.
	std::vector<std::uint8_t> bits = {}, unsure = {};
	std::shared_ptr<const IotlbAnswer> iotlb = {};
	std::shared_ptr<const OndemandAnswer> ondemand = {};
};

// Thrown by the checks, which stand in the order of the specification.
struct Refused {
	int error;
	int other = 0;
};

inline void demand(bool met, int error, int other = 0)
{
	if (!met)
		throw Refused{error, other};
}

// What a file descriptor leads to; without an inode it is no shmem.
struct Inode {
	std::map<std::uint64_t, PageRef> pages;
	std::uint64_t size = 0;

	PageRef page(std::uint64_t index);
	void truncate(std::uint64_t to);
	void punch(std::uint64_t first, std::uint64_t number);
};

// What the page table of a process is known to have. Pages of files come along with
// their neighbours, so of those it is never sure that there is nothing.
enum class Known { nothing, open, read, write };

struct Slot {
	// Of its own, or page @index of a file, which may have been cut off.
	PageRef own;
	std::shared_ptr<Inode> inode = {};
	std::uint64_t index = 0;
	bool readable = false, writable = false;
	Known known = Known::nothing;

	bool mapped() const { return own || inode; }
	// What is there, if anything is.
	PageRef page() const;
};

struct OpenFile {
	std::shared_ptr<Inode> inode;
	bool readable = true, writable = true;
};

// No errno: what lies at an address is not modelled.
constexpr int unmodelled = -1;

struct Process {
	bool alive = true;
	// Has CAP_IPC_LOCK and CAP_SYS_RESOURCE, or is of a user with a limit.
	bool privileged = true;
	unsigned uid = 0;
	// Pages: RLIMIT_MEMLOCK, VmPin, VmLck.
	std::uint64_t limit = 0, pinned = 0, locked = 0;
	std::array<Slot, slots> memory;

	// 0 and the page at an address, EFAULT, or unmodelled. Who looks may bring it.
	int look_up(std::uint64_t va, bool write, PageRef &page);
	// What is at an address, if a slot is.
	Slot *slot_at(std::uint64_t va);
};

constexpr std::uint64_t user_limit = 8, user_hard_limit = 64;
constexpr unsigned first_uid = 61000;

// What a page table can map, in which steps.
struct Reach {
	Range aperture = {0, all_ones};
	std::uint64_t page = 1;
};

// Where kernels differ, and the module is not to blame.
struct Environment {
	// Of placement: a huge page, if the kernel has such.
	std::uint64_t alignment_cap = 2UL << 20;
	// User Mode Linux reads pages that the process may not.
	bool reads_forbidden = false;
};

struct World {
	explicit World(const Environment &environment);
	// Operations that are none of the device.
	Expect apply(const Op &op);
	// Can the process of an operation do it?
	bool can_act(const Op &op) const;
	// Does the kernel perhaps give its own memory to a process that may not read it?
	bool may_read_anyway(Process &process, std::uint64_t va) const;

	std::array<std::shared_ptr<Process>, processes> process;
	std::array<OpenFile, files> file;
	const bool reads_forbidden;

    private:
	static bool can_change(const Process &process, const Op &op);
	bool change(Process &process, const Op &op) const;
	bool cut(const Op &op);
	static bool poke(Process &process, const Op &op);
	void fork(const Op &op);
};

} // namespace fuzz

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel can do with the memory of a process. Much of it is a matter of
 * configuration: lacks_*() say what is missing, or nothing.
 */
#pragma once

#include "kit.h"

#include <linux/userfaultfd.h>
#include <sys/types.h>

#include <atomic>
#include <optional>
#include <string>
#include <thread>

namespace guest {

bool write_text(const std::string &path, const std::string &text);
std::optional<std::uint64_t> read_number(const std::string &path);

constexpr std::uint64_t pagemap_present = 1UL << 63;
constexpr std::uint64_t pagemap_swapped = 1UL << 62;
constexpr std::uint64_t pagemap_soft_dirty = 1UL << 55;
/* The entry of one page of this process. */
std::uint64_t pagemap_entry(std::uint64_t va);
/* The page frame of what is there; this process may see it. */
std::uint64_t frame_of(std::uint64_t va);
/* How many pages are there. */
std::uint64_t there(const Memory &memory);

/* VmRSS, VmSwap, ... of this process in pages. */
long own_pages(const std::string &field);

/* Makes a swap area in memory, which goes with the program. */
std::string lacks_swap();
/* Until the first page of the memory is out; some may stay in. */
bool swap_out(void *memory, std::uint64_t length);
/* Mounts a real file system in memory, which goes with the program, too. */
std::string lacks_disk();
extern const char disk_directory[];

std::string lacks_ksm();
std::string lacks_thp();
std::string lacks_huge_pages(std::uint64_t number);
std::string lacks_userfault(std::uint64_t features = 0);
std::string lacks_soft_dirty();
/* Writing to read-only memory through /proc/self/mem. */
std::string lacks_forced_write();
/*
 * Do plain copies of the kernel go by the page table, as those of a process do? Those of
 * User Mode Linux go around it: they neither stop at PROT_NONE nor make pages dirty.
 */
bool copies_use_page_table();
std::string lacks_secret_memory();
/* A group of version 1 or 2 whose memory can be limited. */
std::string lacks_memory_groups();

/* Lets ksmd run at full speed. */
class Ksm {
    public:
	Ksm();
	Ksm(const Ksm &) = delete;
	Ksm &operator=(const Ksm &) = delete;
	~Ksm();

	static std::uint64_t sharing();
	/* Two rounds over all that is to be merged. */
	bool await_scan() const;
};

/* A userfaultfd of this process, and a thread that answers. */
class Userfault {
    public:
	explicit Userfault(std::uint64_t features = 0);
	Userfault(const Userfault &) = delete;
	Userfault &operator=(const Userfault &) = delete;
	~Userfault();

	void watch(std::uint64_t va, std::uint64_t length, std::uint64_t mode) const;
	Errno try_copy(std::uint64_t to, const void *from, std::uint64_t length) const;
	Errno try_zero(std::uint64_t to, std::uint64_t length) const;
	Errno try_protect(std::uint64_t va, std::uint64_t length, bool on) const;
	void wake(std::uint64_t va, std::uint64_t length) const;
	/* Has somebody touched what is not there, and waits? Where? */
	std::optional<std::uint64_t> await_touch(int limit_ms = 60000) const;
	/* From now on each touch is answered by @answer, with the page that it is in. */
	void serve(std::function<void(std::uint64_t page)> answer);
	unsigned int served() const { return count; }
	int fd() const { return faults.get(); }

    private:
	Fd faults;
	std::atomic<unsigned int> count = 0;
	std::jthread monitor;
};

/* A group of processes whose memory is limited and counted, removed at the end. */
class MemoryGroup {
    public:
	explicit MemoryGroup(std::uint64_t limit);
	MemoryGroup(const MemoryGroup &) = delete;
	MemoryGroup &operator=(const MemoryGroup &) = delete;
	~MemoryGroup();

	/* Moves a process here, or back. */
	bool enter(pid_t pid) const;
	static bool leave(pid_t pid);
	std::uint64_t usage() const;
	void set_limit(std::uint64_t limit) const;
	/* How often it was out of memory. */
	std::uint64_t oom_kills() const;

    private:
	std::string path;
};

/* What [begin, end) of the process is, by its name in /proc/self/maps. */
struct AddressRange {
	std::uint64_t begin, end;
};
std::optional<AddressRange> find_mapping(const std::string &name);

} // namespace guest

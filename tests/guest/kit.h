// SPDX-License-Identifier: GPL-2.0-only
/*
 * What every guest test needs: commands whose errno is the result, memory with
 * a known content, and a context whose plain steps must succeed.
 */
#pragma once

#include <catch2/catch.hpp>

#include <linux/iommukit.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "command.h"
#include "fd.h"

namespace guest {

using iommukit::command;
using iommukit::Fd;

constexpr std::uint64_t page_size = 4096;
constexpr std::uint64_t huge_size = 2UL << 20;
constexpr std::uint64_t all_ones = ~0UL;

constexpr std::uint32_t map_fixed = IOMMUKIT_IOAS_MAP_FIXED_IOVA;
constexpr std::uint32_t map_write = IOMMUKIT_IOAS_MAP_WRITEABLE;
constexpr std::uint32_t map_read = IOMMUKIT_IOAS_MAP_READABLE;
constexpr std::uint32_t map_rw = map_read | map_write;
constexpr std::uint32_t map_rw_fixed = map_rw | map_fixed;

/* The most that placement aligns to: a huge page only if the kernel has such. */
std::uint64_t alignment_cap();

/* Ends the case (or the section) and lists it as skipped. */
[[noreturn]] void skip(const std::string &reason);

/* The seed of this run: all randomness of a test derives from it. */
unsigned int seed();

/*
 * How many times slower than a stock kernel on an idle machine this one is, about,
 * as the box says: what is done many times is done fewer times there. At least 1.
 */
unsigned int slowness();

/* The result of a command, 0 or an errno, printed by its name. */
struct Errno {
	int value = 0;

	bool operator==(const Errno &) const = default;
};
std::ostream &operator<<(std::ostream &out, Errno error);

constexpr Errno ok{0};

/* Issues any command, however wrong it is. */
Errno call(int fd, unsigned long request, void *argument) noexcept;

/*
 * Waits for a state that sends no event. Gives up after a limit that is far
 * above what any machine needs, so that it decides nothing but hangs.
 */
bool wait_until(const std::function<bool()> &reached);

/* A private or shared mapping of the process. */
class Memory {
    public:
	enum class Kind { private_anonymous, shared_anonymous, huge };

	explicit Memory(std::size_t length, Kind kind = Kind::shared_anonymous);
	/* Maps a file; its descriptor stays the caller's. */
	Memory(std::size_t length, int fd, int protection, int flags);
	Memory(const Memory &) = delete;
	Memory &operator=(const Memory &) = delete;
	~Memory();

	std::byte *data() const { return base; }
	std::uint64_t va() const { return reinterpret_cast<std::uint64_t>(base); }
	std::size_t size() const { return length; }

	/* Content that tells every byte's position, for each @salt another. */
	void fill(unsigned int salt) const;
	void protect(int protection) const;
	void discard(std::uint64_t offset, std::size_t bytes) const;
	/* Unmaps a part, once; the rest goes with the object. */
	void unmap(std::uint64_t offset, std::size_t bytes) const;

    private:
	struct Hole {
		std::uint64_t offset;
		std::size_t bytes;
	};

	std::byte *base;
	std::size_t length;
	mutable std::vector<Hole> holes;
};

/* The byte that Memory::fill() puts at @offset. */
std::byte pattern(unsigned int salt, std::uint64_t offset);
std::vector<std::byte> pattern_of(unsigned int salt, std::uint64_t offset,
				  std::size_t length);

/*
 * A page with an unmapped one behind it: @tail(n) is where an object of n bytes
 * ends exactly at the hole.
 */
class PageAndHole {
    public:
	PageAndHole();
	void *tail(std::size_t bytes) const { return memory.data() + page_size - bytes; }
	void *hole() const { return memory.data() + page_size; }
	void write_protect() const;
	void make_writable() const;

    private:
	Memory memory;
};

/* An address in which nothing is ever mapped. */
inline void *bad_pointer()
{
	return reinterpret_cast<void *>(16);
}

/* One open of /dev/iommukit. The void and value returning steps must succeed. */
class Context {
    public:
	Context();

	int fd() const { return device.get(); }
	void close() { device.reset(); }

	std::uint32_t ioas() const;
	Errno try_ioas(std::uint32_t *id) const;
	Errno try_destroy(std::uint32_t id) const;
	void destroy(std::uint32_t id) const;

	Errno try_map(std::uint32_t ioas, std::uint64_t va, std::uint64_t length,
		      std::uint64_t iova, std::uint32_t flags = map_rw_fixed) const;
	void map(std::uint32_t ioas, const Memory &memory, std::uint64_t iova,
		 std::uint32_t flags = map_rw_fixed) const;
	Errno try_map_auto(std::uint32_t ioas, std::uint64_t va, std::uint64_t length,
			   std::uint64_t *iova) const;

	Errno try_map_file(std::uint32_t ioas, int file, std::uint64_t start,
			   std::uint64_t length, std::uint64_t iova,
			   std::uint32_t flags = map_rw_fixed) const;

	Errno try_copy(std::uint32_t dst, std::uint64_t dst_iova, std::uint32_t src,
		       std::uint64_t src_iova, std::uint64_t length,
		       std::uint32_t flags = map_rw_fixed) const;

	Errno try_unmap(std::uint32_t ioas, std::uint64_t iova, std::uint64_t length,
			std::uint64_t *unmapped = nullptr) const;
	/* Returns the bytes that were unmapped. */
	std::uint64_t unmap(std::uint32_t ioas, std::uint64_t iova,
			    std::uint64_t length) const;
	std::uint64_t unmap_all(std::uint32_t ioas) const
	{
		return unmap(ioas, 0, all_ones);
	}

	Errno try_allow(std::uint32_t ioas,
			std::vector<iommukit_iova_range> ranges) const;
	std::vector<iommukit_iova_range> ranges(std::uint32_t ioas,
						std::uint64_t *alignment = nullptr) const;
	std::uint64_t alignment(std::uint32_t ioas) const;

	Errno try_option(std::uint32_t option, std::uint16_t op, std::uint32_t object,
			 std::uint64_t *value) const;
	Errno try_set_option(std::uint32_t option, std::uint32_t object,
			     std::uint64_t value) const;

    private:
	Fd device;
};

/*
 * A fault that turns a valid command into a refused one. Faults of one member
 * of the structure exclude each other.
 */
template <class Command> struct Fault {
	const char *name;
	const char *member;
	std::function<void(Command &)> inject;
	int error;
};

/*
 * Checks a list of faults, given in the order of the specification: each alone
 * decides the errno, and of two the earlier one does. @issue runs a command on
 * a fresh fixture.
 */
template <class Command>
void check_ordered(const std::vector<Fault<Command>> &faults, const Command &valid,
		   const std::function<Errno(Command &)> &issue)
{
	for (std::size_t i = 0; i < faults.size(); i++) {
		Command one = valid;

		INFO("fault: " << faults[i].name);
		faults[i].inject(one);
		CHECK(issue(one) == Errno{faults[i].error});
		for (std::size_t j = i + 1; j < faults.size(); j++) {
			Command two = valid;

			if (std::string(faults[i].member) == faults[j].member)
				continue;
			INFO("and a later one: " << faults[j].name);
			faults[i].inject(two);
			faults[j].inject(two);
			CHECK(issue(two) == Errno{faults[i].error});
		}
	}
}

} // namespace guest

template <> struct Catch::StringMaker<guest::Errno> {
	static std::string convert(guest::Errno error)
	{
		Catch::ReusableStringStream text;

		text << error;
		return text.str();
	}
};

// SPDX-License-Identifier: GPL-2.0-only
/* Memory of each kind that a process can have, mapped on demand. */
#pragma once

#include "mm_tools.h"
#include "ondemand.h"

namespace guest {

enum class Kind {
	/* Of pages of 4 KiB, even where larger ones would do */
	anonymous,
	shared,
	memfd,
	memfd_private,
	/* On a disk, not in memory */
	disk,
	/* Two transparent huge pages, two reserved ones */
	large,
	reserved,
};

/* Filled with 1; and what an operation on it leaves behind. */
class Region {
    public:
	static constexpr std::uint64_t pages = 8;

	Region(const OndemandWorld &in, Kind of);

	std::byte *at(std::uint64_t offset) const { return memory->data() + offset; }
	void advise(int advice) const { advise(advice, 0, length); }
	void advise(int advice, std::uint64_t offset, std::uint64_t bytes) const;
	/* New memory at the same place, filled with @salt. */
	void replace(unsigned int salt) const;
	/*
	 * A process with a copy, which does @first at once, and compares all with
	 * @salt when it goes on.
	 */
	void fork_one(unsigned int salt, const std::function<void()> &first = {});
	/* 0 if that is the same. */
	int join() const;

	const OndemandWorld &world;
	Kind kind;
	std::uint64_t length;
	Fd file;
	std::optional<Memory> memory;
	std::unique_ptr<Memory> elsewhere;
	std::unique_ptr<Child> child;
	std::unique_ptr<Userfault> faults;
	std::unique_ptr<Ksm> ksm;

    private:
	void make_file();
	int flags() const;
};

} // namespace guest

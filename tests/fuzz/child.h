// SPDX-License-Identifier: GPL-2.0-only
// A process with a memory of its own, but with the descriptors of the fuzzer, that
// makes calls on demand.
#pragma once

#include "op.h"

#include "fd.h"

#include <sys/types.h>

namespace fuzz {

// What a process is asked to do: an ioctl, or an operation on its own memory.
struct Call {
	int fd = -1;
	unsigned long request = 0;
	void *argument = nullptr;
	Op op = {};
	// Of which the first slots are mapped.
	int shared_file = -1;
	// Another one, that may be shorter than what is mapped of it.
	int cut_file = -1;
};

// Does it in this process; 0 or an errno.
int perform(const Call &call);

class Child {
    public:
	// 0: as privileged as the fuzzer; else the number of a user.
	explicit Child(std::uint64_t user);
	Child(const Child &) = delete;
	Child &operator=(const Child &) = delete;
	// Kills it, and waits until its memory is gone.
	~Child();

	int call(const Call &call) const;
	pid_t pid() const { return process; }

    private:
	pid_t process;
	iommukit::Fd orders, to_child, answers, from_child;
};

} // namespace fuzz

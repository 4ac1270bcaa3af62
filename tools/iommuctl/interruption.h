// SPDX-License-Identifier: GPL-2.0-only
// Keeps Ctrl-C from ending the process, and waits for it instead: it is the usual way
// to end what would last for ever, and so no error. The session goes on.
#pragma once

#include <signal.h>

#include <chrono>
#include <initializer_list>

namespace ctl {

class Interruption {
    public:
	Interruption();
	Interruption(const Interruption &) = delete;
	Interruption &operator=(const Interruption &) = delete;
	~Interruption();

	// True if it came before the time was over.
	bool wait(std::chrono::nanoseconds time) const;
	// True if it came before one of the descriptors was readable.
	bool wait_readable(std::initializer_list<int> fds) const;
	bool wait_readable(int fd) const { return wait_readable({fd}); }

    private:
	sigset_t signals_;
	sigset_t before_;
};

} // namespace ctl

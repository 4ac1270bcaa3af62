// SPDX-License-Identifier: GPL-2.0-only
// Keeps Ctrl-C from ending the process, and waits for it instead: it is the usual way
// to end what would last for ever, and so no error. The session goes on.
#pragma once

#include <signal.h>

#include <chrono>

namespace ctl {

class Interruption {
    public:
	Interruption();
	Interruption(const Interruption &) = delete;
	Interruption &operator=(const Interruption &) = delete;
	~Interruption();

	// True if it came before the time was over.
	bool wait(std::chrono::nanoseconds time) const;
	// True if it came before the descriptor was readable.
	bool wait_readable(int fd) const;

    private:
	sigset_t signals_;
	sigset_t before_;
};

} // namespace ctl

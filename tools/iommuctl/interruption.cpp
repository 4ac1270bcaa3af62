// SPDX-License-Identifier: GPL-2.0-only
// SIGINT is blocked, and taken from those that are pending.
#include "interruption.h"

#include "end_signal.h"

#include <pthread.h>

#include <algorithm>
#include <cerrno>

namespace ctl {

using namespace std::chrono;

Interruption::Interruption()
{
	::sigemptyset(&signals_);
	::sigaddset(&signals_, SIGINT);
	::pthread_sigmask(SIG_BLOCK, &signals_, &before_);
}

Interruption::~Interruption()
{
	// One that comes too late was meant for what is over.
	(void)wait(nanoseconds(0));
	::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

bool Interruption::wait(nanoseconds time) const
{
	auto end = steady_clock::now() + time;

	for (;;) {
		auto left = std::max(end - steady_clock::now(),
				     steady_clock::duration::zero());
		timespec limit{duration_cast<seconds>(left).count(),
			       (left % seconds(1)).count()};
		if (::sigtimedwait(&signals_, nullptr, &limit) == SIGINT)
			return true;
		if (end_signal())
			return true;
		// Anything but the end of the time is a signal of others.
		if (errno != EINTR)
			return false;
	}
}

} // namespace ctl

// SPDX-License-Identifier: GPL-2.0-only
// SIGINT is blocked, and taken from those that are pending.
#include "interruption.h"

#include "end_signal.h"
#include "error.h"
#include "fd.h"

#include <poll.h>
#include <pthread.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace ctl {

using namespace std::chrono;

namespace {

constexpr int end_signal_poll_ms = 500;

} // namespace

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

bool Interruption::wait_readable(std::initializer_list<int> fds) const
{
	// Becomes readable when a signal is pending, which stays so.
	const iommukit::Fd pending(::signalfd(-1, &signals_, SFD_CLOEXEC));
	std::vector<pollfd> poll_for = {{pending.get(), POLLIN, 0}};

	for (int fd : fds)
		poll_for.push_back({fd, POLLIN, 0});
	if (!pending)
		throw iommukit::Error(iommukit::last_error(), "signalfd");
	for (;;) {
		if (end_signal())
			return true;
		// A signal that only leaves a note may come just before.
		int ready = ::poll(poll_for.data(), poll_for.size(), end_signal_poll_ms);
		if (ready < 0 && errno != EINTR)
			throw iommukit::Error(iommukit::last_error(), "poll");
		if (ready > 0)
			return poll_for[0].revents && wait(nanoseconds(0));
	}
}

} // namespace ctl

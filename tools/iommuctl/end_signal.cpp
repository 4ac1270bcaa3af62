// SPDX-License-Identifier: GPL-2.0-only
// Without SA_RESTART, so that a shell which waits for a line is woken up.
#include "end_signal.h"

#include <signal.h>

#include <array>

namespace ctl {

namespace {

constexpr std::array signals = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

volatile sig_atomic_t noted;

void note(int number)
{
	noted = number;
}

} // namespace

void note_end_signals()
{
	struct sigaction action = {};
	struct sigaction before;

	action.sa_handler = note;
	action.sa_flags = static_cast<int>(SA_RESETHAND);
	for (int number : signals) {
		::sigaction(number, nullptr, &before);
		// nohup and the like have their reasons.
		if (before.sa_handler == SIG_DFL)
			::sigaction(number, &action, nullptr);
	}
}

int end_signal() noexcept
{
	return noted;
}

void obey_end_signal()
{
	// Its action was reset when it came.
	if (noted)
		::raise(noted);
}

} // namespace ctl

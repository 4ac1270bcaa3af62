// SPDX-License-Identifier: GPL-2.0-only
// A session that has something to give back is not to die half way: a signal lets it
// end after the current command, a second one at once.
#pragma once

namespace ctl {

// From now on SIGINT, SIGTERM, SIGHUP and SIGQUIT are noted and not obeyed.
void note_end_signals();
// The one that has come, 0 if none.
int end_signal() noexcept;
// Does what it would have done, if one has come.
void obey_end_signal();

} // namespace ctl

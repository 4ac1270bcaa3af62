// SPDX-License-Identifier: GPL-2.0-only
// What to do about a refusal of the kernel: the next command to type.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ctl {

struct Hint {
	// Of the kernel; empty: any
	std::string_view command;
	int number;
	std::string_view text;
};

// For a command that has failed with an errno.
std::string find_hint(std::string_view command, int number);
// All for an errno, that for any command first.
std::vector<Hint> hints_for(int number);

} // namespace ctl

// SPDX-License-Identifier: GPL-2.0-only
// How a command of iommuctl fails: what failed on what value, the errno if a
// kernel said so, the next command to try, and the exit status.
#pragma once

#include "error.h"

#include <stdexcept>
#include <string>
#include <string_view>

namespace ctl {

enum class Exit {
	ok = 0,
	refused = 1,
	usage = 2,
	absent = 3,
	not_permitted = 4,
	unsupported = 5,
};

class Failure : public std::runtime_error {
    public:
	Failure(Exit exit, const std::string &what, std::string hint, int number = 0,
		std::string command = {})
		: std::runtime_error(what), exit_(exit), hint_(std::move(hint)),
		  number_(number), command_(std::move(command))
	{
	}

	Exit exit() const noexcept { return exit_; }
	const std::string &hint() const noexcept { return hint_; }
	// The errno, 0 if none was involved.
	int number() const noexcept { return number_; }
	// The ioctl or system call that failed, empty if none was involved.
	const std::string &command() const noexcept { return command_; }

    private:
	Exit exit_;
	std::string hint_;
	int number_;
	std::string command_;
};

// A mistake in what was typed; the hint is usually a help command.
Failure usage_failure(const std::string &what, std::string hint);

// A failed system call on a file that the user named.
Failure file_failure(const std::string &path, std::string_view doing, int number);

// What the kernel's refusal means and what to do about it.
Failure explain(const iommukit::Error &error);

} // namespace ctl

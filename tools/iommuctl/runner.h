// SPDX-License-Identifier: GPL-2.0-only
// Runs commands, one after the other, in one session: from the command line,
// a batch, or a person at a terminal.
#pragma once

#include "session.h"

#include <iosfwd>
#include <span>
#include <string>

namespace ctl {

class Runner {
    public:
	Runner(const Options &options, const Output &output)
		: options_(options), output_(output), session_(options, output)
	{
	}

	// Each returns false if the session is not to go on, and leaves the exit
	// status of the first failure in status().
	bool words(std::span<const std::string> words, const Position &position);
	bool line(const std::string &text, const Position &position);
	Exit status() const noexcept { return status_; }

    private:
	void execute(std::span<const std::string> words,
		     const std::optional<std::string> &variable,
		     const Position &position);
	bool builtin(std::span<const std::string> words, const Position &position);
	bool attempt(const Position &position, const auto &action);
	void fail(const Failure &failure, const Position &position);
	void batch(const std::string &path);
	void stream(std::istream &in, const std::string &name);
	void echo(const std::string &text) const;
	void shell();

	const Options &options_;
	const Output &output_;
	Session session_;
	Exit status_ = Exit::ok;
	bool ended_ = false;
};

} // namespace ctl

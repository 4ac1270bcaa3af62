// SPDX-License-Identifier: GPL-2.0-only
// Where everything goes: data to stdout, messages to stderr, each as text or
// as one JSON document a line.
#pragma once

#include "failure.h"
#include "report.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace ctl {

enum class Format { text, json, pretty };

enum class Colour { none, green, red, yellow, dim };

// Where in a batch file a command stands; empty for the command line.
struct Position {
	std::string file;
	std::size_t line = 0;
};

class Output {
    public:
	explicit Output(Format format);

	bool json() const noexcept { return format_ != Format::text; }
	void data(const Report &report) const;
	void document(const Json &json) const;
	void text(std::string_view text) const;
	void error(const Failure &failure, const Position &position) const;
	void warning(const std::string &what, const std::string &hint) const;
	// Wraps text in an escape sequence if stdout is a terminal that wants it.
	std::string coloured(Colour colour, std::string_view text) const;
	// stdout is a terminal that can be drawn on again.
	bool live() const noexcept { return !json() && terminal_; }
	// Columns and lines of that terminal; 80 and 24 of anything else.
	std::size_t columns() const;
	std::size_t lines() const;

    private:
	Format format_;
	bool terminal_;
	bool colours_;
};

// A bar on stderr, drawn only on a terminal and only for work that lasts.
class Progress {
    public:
	Progress(const Output &output, std::string what, std::uint64_t total);
	Progress(const Progress &) = delete;
	Progress &operator=(const Progress &) = delete;
	~Progress();

	bool enabled() const noexcept { return enabled_; }
	void update(std::uint64_t done);

    private:
	std::string what_;
	std::uint64_t total_;
	std::int64_t started_ms_;
	std::int64_t drawn_ms_ = 0;
	bool enabled_;
	bool visible_ = false;
};

} // namespace ctl

// SPDX-License-Identifier: GPL-2.0-only
// stdout is checked after every write: a script must not take a full disk or a
// closed pipe for success. What goes to stderr cannot be reported anywhere else,
// so its failures are ignored.
#include "output.h"

#include "words.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace ctl {

namespace {

bool is_terminal()
{
	const char *term = std::getenv("TERM");

	return ::isatty(STDOUT_FILENO) && term && std::strcmp(term, "dumb");
}

bool wants_colours()
{
	// https://no-color.org: set to anything but the empty string.
	const char *no_color = std::getenv("NO_COLOR");

	return !no_color || !*no_color;
}

// Output that cannot be written is an error, not silence: a full disk, a
// closed pipe.
void write_stdout(std::string_view text)
{
	std::size_t written = std::fwrite(text.data(), 1, text.size(), stdout);

	if (written != text.size() || std::fflush(stdout)) {
		int number = errno;
		throw Failure(Exit::refused, "cannot write to the standard output",
			      "see where the output goes", number);
	}
}

void write_stderr(const std::string &text)
{
	// There is no place left to report a failure of this to.
	std::fwrite(text.data(), 1, text.size(), stderr);
}

// All 0 if it does not tell.
winsize terminal_size()
{
	winsize size = {};

	(void)::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	return size;
}

// Names of files are bytes, and JSON is UTF-8.
std::string json_text(const Json &json, int indent = -1)
{
	return json.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::int64_t now_ms()
{
	using namespace std::chrono;

	return duration_cast<milliseconds>(steady_clock::now().time_since_epoch())
		.count();
}

} // namespace

Output::Output(Format format)
	: format_(format), terminal_(is_terminal()),
	  colours_(terminal_ && wants_colours())
{
}

std::size_t Output::columns() const
{
	std::size_t columns = terminal_ ? terminal_size().ws_col : 0;

	return columns ? columns : 80;
}

std::size_t Output::lines() const
{
	std::size_t lines = terminal_ ? terminal_size().ws_row : 0;

	// Less than that shows nothing.
	return lines ? std::max<std::size_t>(lines, 8) : 24;
}

void Output::text(std::string_view text) const
{
	write_stdout(text);
}

void Output::document(const Json &json) const
{
	write_stdout(json_text(json, format_ == Format::pretty ? 4 : -1));
}

void Output::data(const Report &report) const
{
	if (report.style() == Report::Style::raw)
		write_stdout(report.text());
	else if (!json())
		write_stdout(report.text());
	else if (!report.empty())
		document(report.json());
}

void Output::error(const Failure &failure, const Position &position) const
{
	if (json()) {
		Json body;
		body["message"] = failure.what();
		if (!failure.command().empty())
			body["command"] = failure.command();
		if (failure.number()) {
			body["errno"] = iommukit::errno_name(failure.number());
			body["number"] = failure.number();
		}
		body["hint"] = failure.hint();
		body["exit"] = static_cast<int>(failure.exit());
		if (!position.file.empty()) {
			body["file"] = position.file;
			body["line"] = position.line;
		}
		write_stderr(json_text({{"version", 1}, {"error", body}}));
		return;
	}
	std::string text = "iommuctl: ";
	if (!position.file.empty())
		text += position.file + ":" + std::to_string(position.line) + ": ";
	text += failure.what();
	if (failure.number())
		text += std::string(": ") + std::strerror(failure.number()) + " (" +
			iommukit::errno_name(failure.number()) + ")";
	write_stderr(text + "\n");
	if (!failure.hint().empty())
		write_stderr("hint: " + failure.hint() + "\n");
}

void Output::warning(const std::string &what, const std::string &hint) const
{
	if (json()) {
		Json body{{"message", what}, {"hint", hint}};
		write_stderr(json_text({{"version", 1}, {"warning", body}}));
		return;
	}
	write_stderr("iommuctl: warning: " + what + "\nhint: " + hint + "\n");
}

std::string Output::coloured(Colour colour, std::string_view text) const
{
	constexpr std::array codes = {"0", "32", "31", "33", "2"};

	if (!colours_ || colour == Colour::none)
		return std::string(text);
	return std::string("\033[") + codes[static_cast<std::size_t>(colour)] + "m" +
	       std::string(text) + "\033[0m";
}

Progress::Progress(const Output &output, std::string what, std::uint64_t total)
	: what_(std::move(what)), total_(total), started_ms_(now_ms()),
	  enabled_(!output.json() && total && ::isatty(STDERR_FILENO))
{
}

void Progress::update(std::uint64_t done)
{
	constexpr std::int64_t appear_after_ms = 300;
	constexpr std::int64_t redraw_every_ms = 100;
	constexpr std::size_t width = 30;
	std::int64_t now = enabled_ ? now_ms() : 0;

	if (!enabled_ || now - started_ms_ < appear_after_ms ||
	    now - drawn_ms_ < redraw_every_ms)
		return;
	drawn_ms_ = now;
	visible_ = true;
	double share = static_cast<double>(done) / static_cast<double>(total_);
	std::string bar(static_cast<std::size_t>(share * width), '#');
	bar.resize(width, '.');
	char percent[8];
	std::snprintf(percent, sizeof(percent), "%3.0f%%", share * 100);
	write_stderr("\r" + what_ + " [" + bar + "] " + percent + " of " +
		     human_size(total_));
}

Progress::~Progress()
{
	if (visible_)
		std::fputs("\r\033[K", stderr);
}

} // namespace ctl

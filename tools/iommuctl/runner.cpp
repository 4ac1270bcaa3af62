// SPDX-License-Identifier: GPL-2.0-only
// A failure is an exception up to here, and a message and a status from here on.
// In a batch the first one ends everything, because the later lines were written
// for a session in which the earlier ones had worked; at a terminal a person has
// seen it and decides.
#include "runner.h"

#include "command_table.h"
#include "dump.h"
#include "end_signal.h"
#include "failure.h"
#include "help.h"
#include "words.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <new>

namespace ctl {

namespace {

// Stops a batch whose failure has been reported already.
struct Stop {};

void expect_words(std::span<const std::string> words, std::size_t most)
{
	if (words.size() > most)
		throw usage_failure(words[0] + " does not know '" + words[most] + "'",
				    "iommuctl help " + words[0]);
}

} // namespace

void Runner::fail(const Failure &failure, const Position &position)
{
	output_.error(failure, position);
	if (status_ == Exit::ok)
		status_ = failure.exit();
}

bool Runner::attempt(const Position &position, const auto &action)
{
	if (end_signal())
		return false;
	try {
		action();
		return !ended_;
	} catch (const Failure &failure) {
		fail(failure, position);
	} catch (const iommukit::Error &error) {
		fail(explain(error), position);
	} catch (const std::bad_alloc &) {
		fail({Exit::refused, "out of memory", "try it with less", ENOMEM},
		     position);
	} catch (const Stop &) {
		return false;
	} catch (const std::exception &error) {
		fail({Exit::refused, error.what(), "please report this as a bug"},
		     position);
	}
	return false;
}

bool Runner::words(std::span<const std::string> words, const Position &position)
{
	return attempt(position, [&] { execute(words, std::nullopt, position); });
}

bool Runner::line(const std::string &text, const Position &position)
{
	return attempt(position, [&] {
		Line line = split_line(text, [&](std::string_view name) {
			return session_.variable(name);
		});
		if (!line.words.empty())
			execute(line.words, line.variable, position);
	});
}

void Runner::execute(std::span<const std::string> words,
		     const std::optional<std::string> &variable, const Position &position)
{
	if (!variable && builtin(words, position))
		return;
	// "ioas help" is "help ioas".
	if (words.size() == 2 && words[1] == "help" && find_object(words[0]))
		return output_.text(topic_help(words[0]));
	Invocation call = parse_command(words);
	Report report = call.verb->run(session_, call.args);
	if (variable)
		session_.set_variable(*variable, report);
	if (report.exit() != Exit::ok && status_ == Exit::ok)
		status_ = report.exit();
	// A dry run has shown what would be done; results it has none.
	if (!session_.dry_run() || words[0] == "module")
		output_.data(report);
}

bool Runner::builtin(std::span<const std::string> words, const Position &position)
{
	const std::string &name = words[0];

	if (name == "help") {
		expect_words(words, 2);
		output_.text(words.size() > 1 ? topic_help(words[1]) : help_text());
	} else if (name == "version") {
		expect_words(words, 1);
		print_version(output_);
	} else if (name == "exit" || name == "quit") {
		expect_words(words, 1);
		ended_ = true;
	} else if (name == "shell" || name == "batch") {
		if (!position.file.empty())
			throw usage_failure(name + " inside a session",
					    "write the commands here instead");
		expect_words(words, name == "shell" ? 1 : 2);
		if (name == "shell")
			shell();
		else if (words.size() < 2)
			throw usage_failure("batch needs a file",
					    "batch FILE, or batch -");
		else
			batch(words[1]);
	} else if (name == "__dump") {
		expect_words(words, 2);
		output_.text(dump(words.size() > 1 ? words[1] : ""));
	} else {
		return false;
	}
	return true;
}

void Runner::batch(const std::string &path)
{
	if (path == "-")
		return stream(std::cin, "<stdin>");
	// Opening a directory works, reading it does not.
	if (std::error_code ignored; std::filesystem::is_directory(path, ignored))
		throw file_failure(path, "read", EISDIR);
	std::ifstream file(path);
	if (!file)
		throw file_failure(path, "open", errno);
	stream(file, path);
}

// Comments stand as they are, so that a batch can tell what it does.
void Runner::echo(const std::string &text) const
{
	std::size_t start = text.find_first_not_of(" \t");
	bool comment = start == std::string::npos || text[start] == '#';

	// Between JSON documents it would be in the way.
	if (!output_.json())
		output_.text((comment ? text : "> " + text) + "\n");
}

void Runner::stream(std::istream &in, const std::string &name)
{
	std::string text;

	for (std::size_t number = 1; std::getline(in, text); number++) {
		if (options_.echo)
			echo(text);
		bool worked = line(text, {name, number});
		if (ended_)
			return;
		if (!worked && !options_.force)
			throw Stop();
	}
	if (in.bad())
		throw file_failure(name, "read", EIO);
}

void Runner::shell()
{
	std::string text;

	if (!::isatty(STDIN_FILENO))
		return stream(std::cin, "<stdin>");
	bool prompt = ::isatty(STDOUT_FILENO);
	for (std::size_t number = 1; !ended_ && !end_signal(); number++) {
		if (prompt)
			output_.text("iommuctl> ");
		if (!std::getline(std::cin, text)) {
			if (prompt)
				output_.text("\n");
			return;
		}
		// A person sees the error and goes on; it is not the shell's.
		(void)line(text, {"<shell>", number});
		status_ = Exit::ok;
	}
}

} // namespace ctl

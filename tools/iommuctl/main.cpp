// SPDX-License-Identifier: GPL-2.0-only
// iommuctl: global options, then commands. CLI11 takes the options; what
// follows belongs to the command table.
#include "end_signal.h"
#include "failure.h"
#include "help.h"
#include "runner.h"

#include <CLI/CLI.hpp>

#include <csignal>
#include <string>
#include <vector>

namespace ctl {

namespace {

struct CommandLine {
	Options options;
	std::vector<std::string> commands; // of -c
	std::vector<std::string> words;
	bool help = false;
	bool version = false;
};

std::string flags(Global option)
{
	return std::string(global_option(option).flags);
}

// Known before parsing, so that a message about a bad option is JSON, too.
Format wanted_format(int argc, char **argv)
{
	Format format = Format::text;

	for (int i = 1; i < argc && argv[i][0] == '-'; i++) {
		std::string_view word = argv[i];
		if (word == "-p" || word == "--pretty")
			return Format::pretty;
		if (word == "-j" || word == "--json")
			format = Format::json;
	}
	return format;
}

// CLI11 has exit codes and messages of its own; both become ours.
CommandLine parse(int argc, char **argv)
{
	CLI::App app;
	CommandLine line;
	bool json = false;
	bool pretty = false;

	app.set_help_flag();
	app.prefix_command();
	app.add_flag(flags(Global::json), json);
	app.add_flag(flags(Global::pretty), pretty);
	app.add_flag(flags(Global::dry_run), line.options.dry_run);
	app.add_flag(flags(Global::force), line.options.force);
	app.add_flag(flags(Global::echo), line.options.echo);
	app.add_flag(flags(Global::version), line.version);
	app.add_flag(flags(Global::help), line.help);
	app.add_option(flags(Global::command), line.commands)->allow_extra_args(false);
	try {
		app.parse(argc, argv);
	} catch (const CLI::Error &error) {
		throw usage_failure(error.what(), "iommuctl --help");
	}
	line.words = app.remaining();
	// prefix_command() also ends at an option that does not exist.
	if (!line.words.empty() && line.words[0].starts_with('-'))
		throw usage_failure("unknown option " + line.words[0], "iommuctl --help");
	if (json || pretty)
		line.options.format = pretty ? Format::pretty : Format::json;
	return line;
}

Exit run(const CommandLine &line, const Output &output)
{
	Runner runner(line.options, output);

	if (line.help) {
		output.text(help_text());
		return Exit::ok;
	}
	if (line.version) {
		print_version(output);
		return Exit::ok;
	}
	if (line.commands.empty() && line.words.empty())
		throw usage_failure("nothing to do", "iommuctl help");
	for (std::size_t i = 0; i < line.commands.size(); i++)
		if (!runner.line(line.commands[i], {"-c", i + 1}) &&
		    !(line.options.force && runner.status() != Exit::ok))
			return runner.status();
	if (!line.words.empty())
		runner.words(line.words, {});
	return runner.status();
}

} // namespace

} // namespace ctl

int main(int argc, char **argv)
{
	using namespace ctl;
	CommandLine line;
	Exit exit;

	// A reader that went away is reported like any failed write.
	std::signal(SIGPIPE, SIG_IGN);
	line.options.format = wanted_format(argc, argv);
	try {
		line = parse(argc, argv);
		Output output(line.options.format);
		exit = run(line, output);
	} catch (const Failure &failure) {
		Output(line.options.format).error(failure, {});
		exit = failure.exit();
	}
	obey_end_signal();
	return static_cast<int>(exit);
}

// SPDX-License-Identifier: GPL-2.0-only
// Help, made from the command table, and what is not an object in it: global
// options and the commands that steer a session.
#pragma once

#include "command_table.h"
#include "output.h"

#include <span>
#include <string>
#include <string_view>

namespace ctl {

struct GlobalOption {
	std::string_view flags; // as CLI11 wants them: "-j,--json"
	std::string_view value; // placeholder, empty for a flag
	std::string_view help;
};

struct Builtin {
	std::string_view name;
	std::string_view synopsis;
	std::string_view summary;
};

struct ExitStatus {
	int status;
	std::string_view meaning;
};

// Indexes into global_options().
enum class Global { json, pretty, dry_run, command, force, echo, version, help };

std::span<const GlobalOption> global_options();
const GlobalOption &global_option(Global option);
std::span<const Builtin> builtins();
std::span<const ExitStatus> exit_statuses();

std::string help_text();
std::string object_help(const Object &object);
// Throws Failure for an unknown topic.
std::string topic_help(std::string_view topic);
void print_version(const Output &output);

} // namespace ctl

// SPDX-License-Identifier: GPL-2.0-only
// The texts that people read. Nothing is said here that the command table knows;
// only the options and the commands of a session have their tables in this file.
#include "help.h"

#include "failure.h"
#include "info.h"

#include <algorithm>
#include <array>

namespace ctl {

namespace {

constexpr std::array options = {
	GlobalOption{"-j,--json", "", "print JSON, one document a line"},
	GlobalOption{"-p,--pretty", "", "print JSON for people"},
	GlobalOption{"--dry-run", "",
		     "print the ioctl structures instead of issuing them"},
	GlobalOption{"-c,--command", "CMD",
		     "run a command line; several of them share one session"},
	GlobalOption{"-f,--force", "", "let a batch go on after an error"},
	GlobalOption{"-e,--echo", "", "print each line of a batch before it is run"},
	GlobalOption{"-V,--version", "", "print the version"},
	GlobalOption{"-h,--help", "", "print this help"},
};

constexpr std::array builtin_table = {
	Builtin{"shell", "shell", "run commands as they are typed, in one session"},
	Builtin{"batch", "batch FILE|-",
		"run the lines of a file; stops at the first error"},
	Builtin{"help", "help [OBJECT]", "print help"},
	Builtin{"version", "version", "print the version"},
	Builtin{"exit", "exit", "end a session"},
};

constexpr std::array statuses = {
	ExitStatus{0, "it worked"},
	ExitStatus{1, "the kernel refused"},
	ExitStatus{2, "the command line, or a file it names, is wrong"},
	ExitStatus{3, "the module or its device is absent"},
	ExitStatus{4, "not permitted"},
	ExitStatus{5, "this version of the module does not support it"},
};

std::string padded(std::string_view text, std::size_t width)
{
	std::string out(text);

	if (out.size() < width)
		out.append(width - out.size(), ' ');
	return out;
}

std::string option_left(const GlobalOption &option)
{
	std::string out;

	for (char c : option.flags)
		out += c == ',' ? ", " : std::string(1, c);
	return option.value.empty() ? out : out + " " + std::string(option.value);
}

std::string param_left(const Param &param)
{
	std::string name(param.name);

	switch (param.place) {
	case Place::operand:
	case Place::optional_operand:
	case Place::rest:
		return placeholder(param);
	case Place::flag:
		return name;
	case Place::key:
	case Place::required_key:
		break;
	}
	return name + " " + placeholder(param);
}

std::string fields_help(const FieldTable &table)
{
	std::string out = "\nfields of " + std::string(table.name) + ":\n";

	for (const auto &field : table.fields)
		out += "  " + padded(field.name, 22) + std::string(field.help) + "\n";
	return out;
}

} // namespace

std::span<const GlobalOption> global_options()
{
	return options;
}

const GlobalOption &global_option(Global option)
{
	return options.at(static_cast<std::size_t>(option));
}

std::span<const Builtin> builtins()
{
	return builtin_table;
}

std::span<const ExitStatus> exit_statuses()
{
	return statuses;
}

std::string help_text()
{
	std::string out = "usage: iommuctl [OPTION]... OBJECT VERB [ARGUMENT]...\n"
			  "\nIO address spaces behind /dev/iommukit.\n\nobjects:\n";

	for (const Object *object : objects())
		out += "  " + padded(object->name, 22) + std::string(object->summary) +
		       "\n";
	out += "\nother commands:\n";
	for (const auto &builtin : builtins())
		out += "  " + padded(builtin.synopsis, 22) +
		       std::string(builtin.summary) + "\n";
	out += "\noptions:\n";
	for (const auto &option : options)
		out += "  " + padded(option_left(option), 22) + std::string(option.help) +
		       "\n";
	out += "\nexit status:\n";
	for (const auto &status : statuses)
		out += "  " + padded(std::to_string(status.status), 22) +
		       std::string(status.meaning) + "\n";
	out += "\nObjects die with the command that made them, so work runs in one "
	       "session:\n"
	       "  iommuctl -c '$io = ioas add' -c '$m = map file PATH' -c 'ioas show'\n"
	       "\niommuctl help OBJECT lists its verbs.\n";
	return out;
}

std::string object_help(const Object &object)
{
	std::string out =
		std::string(object.name) + ": " + std::string(object.summary) + "\n";

	for (const auto &verb : object.verbs) {
		out += "\n  " + synopsis(object, verb) + "\n      " +
		       std::string(verb.summary);
		if (!verb.name.empty() && verb.name == object.default_verb)
			out += " (the default)";
		out += "\n";
		for (const auto &param : verb.params)
			out += "        " + padded(param_left(param), 24) + " " +
			       std::string(param.help) + "\n";
	}
	for (const FieldTable *table : object.tables)
		out += fields_help(*table);
	return out;
}

std::string topic_help(std::string_view topic)
{
	if (const Object *object = find_object(topic))
		return object_help(*object);
	auto it = std::ranges::find(builtin_table, topic, &Builtin::name);
	if (it == builtin_table.end())
		throw usage_failure("there is no help on '" + std::string(topic) + "'",
				    "iommuctl help lists the objects");
	return std::string(it->synopsis) + "\n      " + std::string(it->summary) + "\n";
}

void print_version(const Output &output)
{
	std::string version = iommukit::tool_version().text();

	if (output.json())
		output.document({{"version", 1}, {"iommuctl", version}});
	else
		output.text("iommuctl " + version + "\n");
}

} // namespace ctl

// SPDX-License-Identifier: GPL-2.0-only
// The command table: every object, verb and parameter of iommuctl. Parsing,
// help, man page and completions are all made from it. Each object's source
// file defines its own part.
#pragma once

#include "arguments.h"
#include "report.h"

#include <span>
#include <string_view>

namespace ctl {

class Session;

enum class Kind {
	number,
	size,
	address,
	id,
	device, // an id, or a PCI address
	pci,
	cause, // the number of a context, or the name of an errno
	choice,
	path,
	text,
	duration, // a number of us, ms or s
	rate,	  // how often: a percentage, or each so many times
	ranges,	  // FIRST-LAST, as a key or as the rest of the line
};

enum class Place {
	operand, // positional, must be there
	optional_operand,
	key, // "name VALUE"
	required_key,
	flag, // "name"
	rest, // all remaining words
};

struct Param {
	std::string_view name;
	Kind kind;
	Place place;
	std::string_view help;
	std::span<const std::string_view> choices = {};
};

struct Verb {
	std::string_view name; // empty: the object word alone is the command
	std::string_view summary;
	std::span<const Param> params;
	Report (*run)(Session &session, const Arguments &args);
};

struct Object {
	std::string_view name;
	std::string_view summary;
	std::span<const Verb> verbs;
	std::string_view default_verb; // empty: a verb must be given
	std::span<const FieldTable *const> tables = {};
};

// "name VALUE"
bool takes_value(const Param &param);

std::span<const Object *const> objects();
const Object *find_object(std::string_view name);
const Verb *find_verb(const Object &object, std::string_view name);

// "map file PATH [ioas ID] [iova ADDR]"
std::string synopsis(const Object &object, const Verb &verb);
// "PATH", "ID", "r|w|rw": what stands for a value in help.
std::string placeholder(const Param &param);

// Splits the words of a command into verb and arguments.
struct Invocation {
	const Object *object;
	const Verb *verb;
	Arguments args;
};
Invocation parse_command(std::span<const std::string> words);

} // namespace ctl

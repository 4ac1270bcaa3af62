// SPDX-License-Identifier: GPL-2.0-only
// Matching words against the table. The rules, in their order:
//
//  - a verb is found by its whole name, never by a prefix: a script must not
//    change its meaning because a verb was added;
//  - a word in its place that is a key with a value is one of the default verb;
//  - the first operand, if one must be there, is taken as it is, so that a file
//    may be called like a key;
//  - after that a word that is a key is a key, and everything else an operand.
#include "command_table.h"

#include "failure.h"
#include "objects.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace ctl {

namespace {

constexpr std::array table = {
	&module_object,	  &context_object,  &ioas_object,   &map_object,
	&unmap_object,	  &copy_object,	    &ranges_object, &dma_object,
	&device_object,	  &hwpt_object,	    &dirty_object,  &iotlb_object,
	&prefetch_object, &ondemand_object, &show_object,   &top_object,
	&explain_object,  &monitor_object,
};

bool is_operand(const Param &param)
{
	return param.place == Place::operand || param.place == Place::optional_operand;
}

// Keys may be written as options too: "path X" and "--path X" are one.
const Param *find_key(const Verb &verb, std::string_view word)
{
	if (word.starts_with("--"))
		word.remove_prefix(2);
	auto it = std::ranges::find_if(verb.params, [&](const Param &param) {
		return !is_operand(param) && param.place != Place::rest &&
		       param.name == word;
	});
	return it == verb.params.end() ? nullptr : &*it;
}

bool is_value_key(const Param *param)
{
	return param && takes_value(*param);
}

std::string command_words(const Object &object, const Verb &verb)
{
	std::string out(object.name);

	return verb.name.empty() ? out : out + " " + std::string(verb.name);
}

std::string verb_names(const Object &object)
{
	std::string out;

	for (const auto &verb : object.verbs)
		out += (out.empty() ? "" : ", ") + std::string(verb.name);
	return out;
}

// The verb that the words name, and how many words that took.
std::pair<const Verb *, std::size_t> choose_verb(const Object &object,
						 std::span<const std::string> words)
{
	if (const Verb *bare = find_verb(object, ""))
		return {bare, 0};
	if (!words.empty())
		if (const Verb *verb = find_verb(object, words[0]))
			return {verb, 1};
	if (const Verb *verb = find_verb(object, object.default_verb);
	    verb && (words.empty() || is_value_key(find_key(*verb, words[0]))))
		return {verb, 0};
	std::string hint = "verbs are " + verb_names(object);
	if (words.empty())
		throw usage_failure(std::string(object.name) + " needs a verb",
				    std::move(hint));
	throw usage_failure(std::string(object.name) + " has no verb '" + words[0] + "'",
			    std::move(hint));
}

class Matcher {
    public:
	Matcher(const Object &object, const Verb &verb)
		: verb_(verb), command_(command_words(object, verb)),
		  help_("help " + std::string(object.name))
	{
	}

	Arguments run(std::span<const std::string> words);

    private:
	const Param *next_operand();

	const Verb &verb_;
	std::string command_;
	std::string help_;
	std::size_t operands_ = 0;
};

const Param *Matcher::next_operand()
{
	std::size_t seen = 0;

	for (const auto &param : verb_.params) {
		if (param.place == Place::rest)
			return &param;
		if (is_operand(param) && seen++ == operands_) {
			operands_++;
			return &param;
		}
	}
	return nullptr;
}

Arguments Matcher::run(std::span<const std::string> words)
{
	Arguments args;

	for (std::size_t i = 0; i < words.size(); i++) {
		const std::string &word = words[i];
		bool operands_first = operands_ == 0 && !verb_.params.empty() &&
				      verb_.params[0].place == Place::operand;
		const Param *param = operands_first ? nullptr : find_key(verb_, word);
		if (param && param->place == Place::flag) {
			args.set(*param, param->name, command_);
			continue;
		}
		if (param) {
			if (i + 1 == words.size())
				throw usage_failure(command_ + ": " +
							    std::string(param->name) +
							    " needs a value",
						    help_);
			args.set(*param, words[++i], command_);
			continue;
		}
		param = next_operand();
		if (!param)
			throw usage_failure(command_ + " does not know '" + word + "'",
					    help_);
		args.set(*param, word, command_);
	}
	for (const auto &param : verb_.params)
		if ((param.place == Place::operand ||
		     param.place == Place::required_key) &&
		    !args.has(param.name))
			throw usage_failure(command_ + " needs " +
						    (param.place == Place::operand
							     ? placeholder(param)
							     : std::string(param.name)),
					    help_);
	return args;
}

} // namespace

std::span<const Object *const> objects()
{
	return table;
}

const Object *find_object(std::string_view name)
{
	auto it =
		std::ranges::find(table, name, [](auto *object) { return object->name; });

	return it == table.end() ? nullptr : *it;
}

bool takes_value(const Param &param)
{
	return param.place == Place::key || param.place == Place::required_key;
}

const Verb *find_verb(const Object &object, std::string_view name)
{
	auto it = std::ranges::find(object.verbs, name, &Verb::name);

	return it == object.verbs.end() ? nullptr : &*it;
}

std::string placeholder(const Param &param)
{
	std::string out;

	switch (param.kind) {
	case Kind::number:
		out = "N";
		break;
	case Kind::size:
		out = "SIZE";
		break;
	case Kind::address:
		out = "IOVA";
		break;
	case Kind::id:
		out = "ID";
		break;
	case Kind::device:
		out = "ID|PCI-ADDRESS";
		break;
	case Kind::pci:
		out = "PCI-ADDRESS";
		break;
	case Kind::cause:
		return "CONTEXT|ERRNO";
	case Kind::duration:
		out = "TIME";
		break;
	case Kind::rate:
		out = "N|N%";
		break;
	case Kind::ranges:
		out = "FIRST-LAST";
		break;
	case Kind::choice:
		for (auto choice : param.choices)
			out += (out.empty() ? "" : "|") + std::string(choice);
		return out;
	case Kind::path:
	case Kind::text:
		break;
	}
	// Operands are known by their own name: SOURCE rather than IOVA, IOAS than ID.
	bool named = param.kind == Kind::address ||
		     (param.kind == Kind::id && param.name != "id") ||
		     (param.kind == Kind::number && param.name != "number");
	if (out.empty() || (is_operand(param) && named)) {
		out = std::string(param.name);
		std::ranges::transform(out, out.begin(), [](unsigned char c) {
			return static_cast<char>(std::toupper(c));
		});
	}
	return out;
}

std::string synopsis(const Object &object, const Verb &verb)
{
	std::string out = command_words(object, verb);

	for (const auto &param : verb.params) {
		std::string name(param.name);
		switch (param.place) {
		case Place::operand:
			out += " " + placeholder(param);
			break;
		case Place::optional_operand:
			out += " [" + placeholder(param) + "]";
			break;
		case Place::key:
			out += " [" + name + " " + placeholder(param) + "]";
			break;
		case Place::required_key:
			out += " " + name + " " + placeholder(param);
			break;
		case Place::flag:
			out += " [" + name + "]";
			break;
		case Place::rest:
			out += " [" + placeholder(param) + "]...";
			break;
		}
	}
	return out;
}

Invocation parse_command(std::span<const std::string> words)
{
	const Object *object = find_object(words[0]);

	if (!object)
		throw usage_failure("unknown object '" + words[0] + "'",
				    "iommuctl help lists the objects");
	auto [verb, used] = choose_verb(*object, words.subspan(1));
	Matcher matcher(*object, *verb);
	return {object, verb, matcher.run(words.subspan(1 + used))};
}

} // namespace ctl

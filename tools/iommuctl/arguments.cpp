// SPDX-License-Identifier: GPL-2.0-only
// Every value is checked here, once, when it is stored: a verb that asks for a
// number by name gets one that was found to be a number. What cannot be decided
// without the session (does this IOAS exist?) is left to the verb.
#include "arguments.h"

#include "amounts.h"
#include "command_table.h"
#include "error.h"
#include "failure.h"
#include "pci.h"
#include "words.h"

#include <algorithm>

namespace ctl {

using namespace iommukit;

namespace {

std::string quote(std::string_view text)
{
	return "'" + std::string(text) + "'";
}

Failure bad_value(const Param &param, std::string_view value, std::string hint)
{
	return usage_failure(quote(value) + " is no value for " + std::string(param.name),
			     std::move(hint));
}

std::uint64_t check_number(const Param &param, std::string_view value)
{
	auto number = parse_number(value);

	if (!number)
		throw bad_value(param, value,
				"write a number like 4096, 4K or 0x1000, up to 2^64-1");
	if (param.kind == Kind::id && *number > UINT32_MAX)
		throw bad_value(param, value, "ids have 32 bits: ioas show");
	if (param.kind == Kind::size && !*number)
		throw bad_value(param, value, "it must be at least 1 byte");
	return *number;
}

std::string check_address(const Param &param, std::string_view value)
{
	constexpr std::string_view hint = "a PCI address like 0000:00:05.0 or 00:05.0";

	if (auto address = pci_address(value))
		return *address;
	throw bad_value(param, value,
			(param.kind == Kind::device ? "write an id, or " : "write ") +
				std::string(hint));
}

IovaRange check_range(const Param &param, std::string_view value)
{
	auto dash = value.find('-');

	if (dash != std::string_view::npos) {
		auto first = parse_number(value.substr(0, dash));
		auto last = parse_number(value.substr(dash + 1));
		if (first && last && *first <= *last)
			return {Iova(*first), Iova(*last)};
	}
	throw bad_value(param, value, "write FIRST-LAST, both inclusive: 0x1000-0x1fff");
}

std::string join(std::span<const std::string_view> words)
{
	std::string out;

	for (auto word : words)
		out += (out.empty() ? "" : ", ") + std::string(word);
	return out;
}

} // namespace

bool Arguments::has(std::string_view name) const
{
	return texts_.contains(name);
}

std::optional<std::uint64_t> Arguments::number(std::string_view name) const
{
	auto it = numbers_.find(name);

	if (it == numbers_.end())
		return std::nullopt;
	return it->second;
}

std::optional<Bytes> Arguments::size(std::string_view name) const
{
	auto value = number(name);

	return value ? std::optional(Bytes(*value)) : std::nullopt;
}

std::optional<Iova> Arguments::iova(std::string_view name) const
{
	auto value = number(name);

	return value ? std::optional(Iova(*value)) : std::nullopt;
}

std::optional<ObjectId> Arguments::id(std::string_view name) const
{
	auto value = number(name);

	if (!value)
		return std::nullopt;
	return ObjectId(static_cast<std::uint32_t>(*value));
}

std::optional<std::string> Arguments::address(std::string_view name) const
{
	auto it = addresses_.find(name);

	if (it == addresses_.end())
		return std::nullopt;
	return it->second;
}

std::optional<std::chrono::nanoseconds> Arguments::duration(std::string_view name) const
{
	auto it = texts_.find(name);

	return it == texts_.end() ? std::nullopt : parse_duration(it->second);
}

std::optional<IotlbFaultRate> Arguments::rate(std::string_view name) const
{
	auto it = texts_.find(name);

	return it == texts_.end() ? std::nullopt : parse_rate(it->second);
}

std::optional<std::string> Arguments::text(std::string_view name) const
{
	auto it = texts_.find(name);

	if (it == texts_.end())
		return std::nullopt;
	return it->second;
}

std::uint64_t Arguments::need_number(std::string_view name) const
{
	return numbers_.at(std::string(name));
}

std::string Arguments::need_text(std::string_view name) const
{
	return texts_.at(std::string(name));
}

void Arguments::set(const Param &param, std::string_view value, std::string_view command)
{
	if (param.place != Place::rest && has(param.name))
		throw usage_failure(std::string(param.name) + " is given twice",
				    "help " + std::string(command));
	switch (param.kind) {
	case Kind::device:
		if (auto id = parse_number(value); id && *id <= UINT32_MAX) {
			numbers_.emplace(param.name, *id);
			break;
		}
		[[fallthrough]];
	case Kind::pci:
		addresses_.emplace(param.name, check_address(param, value));
		break;
	case Kind::cause:
		if (errno_number(value))
			break;
		if (!parse_number(value))
			throw bad_value(param, value,
					"write the number of a context (context list), "
					"or an errno like ENOMEM");
		[[fallthrough]];
	case Kind::number:
	case Kind::size:
	case Kind::address:
	case Kind::id:
		numbers_.emplace(param.name, check_number(param, value));
		break;
	case Kind::ranges:
		ranges_.push_back(check_range(param, value));
		break;
	case Kind::duration:
		if (!parse_duration(value))
			throw bad_value(param, value,
					"write a time like 20us, 5ms or 1s, at most a "
					"day; milliseconds without a unit");
		break;
	case Kind::rate:
		if (!parse_rate(value))
			throw bad_value(param, value,
					"write 10% for a chance, or 10 for each tenth");
		break;
	case Kind::choice:
		if (std::ranges::find(param.choices, value) == param.choices.end())
			throw bad_value(param, value,
					"choose one of " + join(param.choices));
		break;
	case Kind::path:
	case Kind::text:
		if (value.empty())
			throw bad_value(param, value, "it must not be empty");
		break;
	}
	texts_.emplace(param.name, value);
}

} // namespace ctl

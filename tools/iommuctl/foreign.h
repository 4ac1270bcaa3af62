// SPDX-License-Identifier: GPL-2.0-only
// What commands on contexts of other processes have in common: naming them, and what it
// means if the module refuses.
#pragma once

#include "administration.h"
#include "command_table.h"
#include "failure.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace ctl {

// The number of a context of the kernel's, which are 32 bits.
std::optional<std::uint32_t> wanted_context(const Arguments &args);
std::optional<std::uint32_t> wanted_object(const Arguments &args, std::string_view name);

// What the refusal of a question on a context means.
Failure explain_foreign(const iommukit::Error &error,
			std::optional<std::uint32_t> context,
			std::optional<std::uint32_t> object = {});

// Asks, and lets a refusal say what was wrong.
template <class Question>
auto ask_foreign(std::optional<std::uint32_t> context,
		 std::optional<std::uint32_t> object, Question question)
{
	try {
		iommukit::Administration administration;
		return question(administration);
	} catch (const iommukit::Error &error) {
		throw explain_foreign(error, context, object);
	}
}

// All of them by number; those that have just gone are not there.
std::map<std::uint32_t, iommukit::ContextFacts>
contexts_by_number(iommukit::Administration &administration);

// "user", "process" or "none": where pages are counted.
std::string account_text(iommukit_nl_account account);
// null is no limit: none is counted, the process has gone, or it may have anything.
Json limit_json(std::optional<iommukit::Bytes> limit);
// null: it is not seen from here.
Json pid_json(const iommukit::ContextFacts &facts);

inline constexpr Param context_operand = {"context", Kind::number, Place::operand,
					  "the context, by its number in context list"};
inline constexpr Param context_key = {"context", Kind::number, Place::key,
				      "only this one, by its number in context list"};
inline constexpr Param field_operand = {"field", Kind::text, Place::optional_operand,
					"print only this field, bare"};

} // namespace ctl

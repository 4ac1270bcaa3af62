// SPDX-License-Identifier: GPL-2.0-only
// What the objects of a session have in common: they are shown, one or all, and end.
#pragma once

#include "arguments.h"
#include "report.h"

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace ctl {

// Only the field that was asked for, if one was.
inline Report selected(Report report, const Arguments &args)
{
	if (auto field = args.text("field"))
		report.select(*field);
	return report;
}

// A list, also if there is one row or none, and of that the field that was asked for.
inline Report listed(Report report, std::string_view primary, const Arguments &args)
{
	report.primary(primary).as_list();
	return selected(std::move(report), args);
}

// The row of the one that is named, or those of all.
template <class Record, class Named, class RowOf>
std::vector<Row> rows_of(const std::vector<std::unique_ptr<Record>> &records,
			 const Arguments &args, Named named, RowOf row)
{
	std::vector<Row> rows;

	if (args.has("id"))
		rows.push_back(row(named()));
	else
		for (const auto &record : records)
			rows.push_back(row(*record));
	return rows;
}

// Of one that has ended; its record is gone then.
template <class Record>
void forget(std::vector<std::unique_ptr<Record>> &records, const Record &record)
{
	std::erase_if(records, [&](const auto &other) { return other.get() == &record; });
}

} // namespace ctl

// SPDX-License-Identifier: GPL-2.0-only
// iommuctl ioas: IO address spaces, their usable and allowed ranges, and the
// picture of what lies where. Usable ranges come from the kernel each time, for
// devices that join change them; the allowed list and the mappings cannot be
// asked for, and come from the session's books.
#include "failure.h"
#include "layout.h"
#include "mapping_table.h"
#include "objects.h"
#include "records.h"
#include "session.h"
#include "svg.h"
#include "words.h"

#include <algorithm>
#include <array>

namespace ctl {

using namespace iommukit;

namespace {

constexpr std::array range_fields = {
	Field{"first", Show::address, "first IOVA of the range"},
	Field{"last", Show::address, "last IOVA, inclusive"},
};
constexpr FieldTable range_table = {"range", range_fields};

// What ioas ranges prints: the kernel gives both with one answer.
constexpr std::array usable_fields = {
	Field{"first", Show::address, "first IOVA that may be mapped"},
	Field{"last", Show::address, "last IOVA of the range, inclusive"},
	Field{"alignment", Show::address, "smallest alignment of a mapping"},
};
constexpr FieldTable usable_table = {"usable", usable_fields};

constexpr std::array ioas_fields = {
	Field{"id", Show::number, "id of the IOAS in its context"},
	Field{"context", Show::number, "number of the context"},
	Field{"alignment", Show::address, "smallest alignment of a mapping"},
	Field{"huge_pages", Show::boolean, "contiguous pages may be mapped together"},
	Field{"mapped", Show::size, "bytes that this session has mapped"},
	Field{"usable", Show::rows, "ranges that may be mapped", &range_table},
	Field{"allowed", Show::rows, "ranges for automatic placement; none: all usable",
	      &range_table},
	Field{"mappings", Show::rows, "what this session has mapped", &mapping_table},
};
constexpr FieldTable ioas_table = {"ioas", ioas_fields};

constexpr std::array option_fields = {
	Field{"object", Show::text, "what the option belongs to"},
	Field{"id", Show::number, "id of the IOAS"},
	Field{"option", Show::text, "name of the option"},
	Field{"value", Show::text, "its value"},
};
constexpr FieldTable option_table = {"option", option_fields};

constexpr std::array add_fields = {
	Field{"id", Show::number, "id of the new IOAS"},
	Field{"context", Show::number, "number of the context"},
};
constexpr FieldTable add_table = {"ioas", add_fields};

std::vector<Row> range_rows(const std::vector<IovaRange> &ranges)
{
	std::vector<Row> rows;

	for (const auto &range : ranges)
		rows.push_back({range.first.value, range.last.value});
	return rows;
}

Json rows_json(const FieldTable &table, const std::vector<Row> &rows)
{
	Json out = Json::array();

	for (const auto &row : rows)
		out.push_back(row_to_json(table, row));
	return out;
}

// The kernel's answer, or all of it in a dry run that has none.
UsableRanges usable_ranges(const Session &session, const IoasRecord &record)
{
	UsableRanges usable = record.ioas.ranges();

	if (session.dry_run())
		return {{{Iova(0), Iova(UINT64_MAX)}}, Bytes(1)};
	return usable;
}

Row ioas_row(const ContextRecord &context, const IoasRecord &record,
	     const UsableRanges &usable)
{
	std::vector<Row> mappings;

	for (const auto &[iova, mapping] : record.mappings)
		mappings.push_back(mapping_row(record, mapping));
	return {record.ioas.id().value,
		context.number,
		usable.alignment.value,
		record.ioas.huge_pages(),
		record.mapped().value,
		rows_json(range_table, range_rows(usable.ranges)),
		rows_json(range_table, range_rows(record.allowed)),
		rows_json(mapping_table, mappings)};
}

std::string heading(const IoasRecord &record, const Row &row)
{
	std::size_t count = record.mappings.size();

	return "ioas " + row[0].dump() + "  context " + row[1].dump() + "  alignment " +
	       hex(row[2].get<std::uint64_t>()) + "  huge pages " +
	       (row[3].get<bool>() ? "on" : "off") + "  " + std::to_string(count) +
	       (count == 1 ? " mapping, " : " mappings, ") +
	       human_size(record.mapped().value) + "\n";
}

Report run_add(Session &session, const Arguments &)
{
	ContextRecord &context = session.context();
	auto record = std::make_unique<IoasRecord>(context.context);
	std::uint32_t id = record->ioas.id().value;

	context.ioases.push_back(std::move(record));
	return Report(add_table, Report::Style::line, {{id, context.number}})
		.primary("id");
}

Report run_del(Session &session, const Arguments &args)
{
	IoasRecord &record = session.ioas(args.id("id"));

	record.ioas.destroy();
	forget(session.context().ioases, record);
	return {};
}

void draw_svg(const Session &session, const IoasRecord &record, const std::string &path)
{
	std::string number = std::to_string(record.ioas.id().value);

	if (session.dry_run())
		return;
	SvgFile svg(path);
	svg.write(layout_svg(segments(record, usable_ranges(session, record).ranges),
			     "IOAS " + number));
}

Report run_show(Session &session, const Arguments &args)
{
	std::vector<Row> rows;
	std::string text;
	ContextRecord &context = session.context();

	// One picture is of one IOAS.
	if (auto path = args.text("svg"))
		draw_svg(session, session.ioas(args.id("id")), *path);
	for (const auto &record : context.ioases) {
		if (auto id = args.id("id"); id && record->ioas.id() != *id)
			continue;
		UsableRanges usable = usable_ranges(session, *record);
		rows.push_back(ioas_row(context, *record, usable));
		text += (text.empty() ? "" : "\n") + heading(*record, rows.back()) +
			draw(session.output(), segments(*record, usable.ranges));
	}
	if (rows.empty() && args.has("id"))
		(void)session.ioas(args.id("id")); // says what is wrong
	if (rows.empty())
		text = "no IOAS in this session\n";
	return listed(Report::drawn(ioas_table, std::move(rows), std::move(text)), "id",
		      args);
}

Report run_allow(Session &session, const Arguments &args)
{
	IoasRecord &record = session.ioas(args.id("id"));

	record.ioas.allow(args.ranges());
	record.allowed = args.ranges();
	std::ranges::sort(record.allowed);
	return Report(range_table, Report::Style::table, range_rows(record.allowed))
		.as_list();
}

Report run_ranges(Session &session, const Arguments &args)
{
	UsableRanges usable = usable_ranges(session, session.ioas(args.id("id")));
	std::vector<Row> rows;

	for (const auto &range : usable.ranges)
		rows.push_back(
			{range.first.value, range.last.value, usable.alignment.value});
	return Report(usable_table, Report::Style::table, std::move(rows))
		.primary("first")
		.as_list();
}

Report run_option(Session &session, const Arguments &args)
{
	IoasRecord &record = session.ioas(args.id("id"));

	if (auto value = args.text("value"))
		record.ioas.set_huge_pages(*value == "on");
	return Report(option_table, Report::Style::line,
		      {{"ioas", record.ioas.id().value, "huge-pages",
			record.ioas.huge_pages() ? "on" : "off"}})
		.primary("value");
}

constexpr std::array<std::string_view, 1> options = {"huge-pages"};
constexpr std::array<std::string_view, 2> on_off = {"on", "off"};

constexpr std::array id_param = {
	Param{"id", Kind::id, Place::operand, "the IOAS"},
};
constexpr std::array optional_id_param = {
	Param{"id", Kind::id, Place::optional_operand,
	      "the IOAS; the only one if left out"},
};
constexpr std::array show_params = {
	Param{"id", Kind::id, Place::optional_operand, "the IOAS; all if left out"},
	Param{"field", Kind::text, Place::optional_operand,
	      "print only this field, bare"},
	Param{"svg", Kind::path, Place::key,
	      "draw the layout of one IOAS to a file, too"},
};
constexpr std::array allow_params = {
	Param{"id", Kind::id, Place::operand, "the IOAS"},
	Param{"ranges", Kind::ranges, Place::rest,
	      "the ranges, both ends inclusive; none at all lifts the restriction"},
};
constexpr std::array option_params = {
	Param{"id", Kind::id, Place::operand, "the IOAS"},
	Param{"option", Kind::choice, Place::operand, "the option", options},
	Param{"value", Kind::choice, Place::optional_operand, "set it", on_off},
};

constexpr std::array verbs = {
	Verb{"show", "draw the IOVA layout", show_params, run_show},
	Verb{"add", "make an empty IOAS", {}, run_add},
	Verb{"del", "destroy an IOAS and its mappings", id_param, run_del},
	Verb{"allow", "restrict automatic placement to ranges", allow_params, run_allow},
	Verb{"ranges", "list the ranges that may be mapped", optional_id_param,
	     run_ranges},
	Verb{"option", "show or set an option", option_params, run_option},
};
constexpr std::array<const FieldTable *, 4> tables = {&ioas_table, &range_table,
						      &usable_table, &option_table};

// The short form of ioas ranges.
constexpr std::array ranges_verbs = {
	Verb{"", "list the ranges that may be mapped", optional_id_param, run_ranges},
};
constexpr std::array<const FieldTable *, 1> ranges_tables = {&usable_table};

} // namespace

const Object ioas_object = {"ioas", "IO address spaces", verbs, "show", tables};
const Object ranges_object = {"ranges", "short for ioas ranges", ranges_verbs, "",
			      ranges_tables};

} // namespace ctl

// SPDX-License-Identifier: GPL-2.0-only
// The two renderers walk the same table and the same rows, so a field that is in
// one of them is in the other. What does not apply is null: left out of a line,
// "-" where a column or a script expects something.
#include "report.h"

#include "types.h"
#include "words.h"

#include <algorithm>
#include <stdexcept>

namespace ctl {

std::optional<std::size_t> FieldTable::index(std::string_view field) const
{
	auto it = std::ranges::find(fields, field, &Field::name);

	if (it == fields.end())
		return std::nullopt;
	return static_cast<std::size_t>(it - fields.begin());
}

Json row_to_json(const FieldTable &table, const Row &row)
{
	Json out = Json::object();

	if (row.size() != table.fields.size())
		throw std::logic_error("row does not fit table " +
				       std::string(table.name));
	for (std::size_t i = 0; i < row.size(); i++)
		out[std::string(table.fields[i].name)] = row[i];
	return out;
}

namespace {

std::string size_text(std::uint64_t size, bool human)
{
	std::string text = iommukit::hex(size);

	return human ? text + " (" + human_size(size) + ")" : text;
}

std::string list_text(const Json &list)
{
	std::string out;

	for (const auto &item : list)
		out += (out.empty() ? "" : " ") +
		       (item.is_string() ? item.get<std::string>()
					 : iommukit::hex(item.get<std::uint64_t>()));
	return out.empty() ? "none" : out;
}

std::string field_text(const Field &field, const Json &value, bool human)
{
	if (value.is_null())
		return field.show == Show::limit ? "unlimited" : "-";
	switch (field.show) {
	case Show::address:
		return iommukit::hex(value.get<std::uint64_t>());
	case Show::size:
	case Show::limit:
		return size_text(value.get<std::uint64_t>(), human);
	case Show::boolean:
		return value.get<bool>() ? "yes" : "no";
	case Show::sizes:
	case Show::words:
		return list_text(value);
	case Show::number:
	case Show::text:
	case Show::rows:
		break;
	}
	return value.is_string() ? value.get<std::string>() : value.dump();
}

Json without_nulls(const Json &row)
{
	Json out = Json::object();

	for (const auto &[name, value] : row.items())
		if (!value.is_null())
			out[name] = value;
	return out;
}

} // namespace

std::string bare_text(const Field &field, const Json &value)
{
	return field_text(field, value, false);
}

std::string value_text(const Field &field, const Json &value)
{
	return field_text(field, value, true);
}

namespace {

// A row in a row, as row_to_json() has made it.
std::string inner_text(const FieldTable &table, const Json &row)
{
	std::string out;

	for (const auto &field : table.fields)
		out += (out.empty() ? "" : " ") +
		       value_text(field, row[std::string(field.name)]);
	return out;
}

} // namespace

Report::Report(const FieldTable &table, Style style, std::vector<Row> rows)
	: table_(&table), style_(style), rows_(std::move(rows))
{
	for (const auto &row : rows_)
		if (row.size() != table.fields.size())
			throw std::logic_error("row does not fit table " +
					       std::string(table.name));
}

Report Report::drawn(const FieldTable &table, std::vector<Row> rows, std::string text)
{
	Report report(table, Style::drawn, std::move(rows));

	report.drawn_ = std::move(text);
	return report;
}

Report Report::raw(std::string bytes)
{
	Report report;

	report.style_ = Style::raw;
	report.drawn_ = std::move(bytes);
	return report;
}

Report &Report::primary(std::string_view field)
{
	primary_ = field;
	return *this;
}

Report &Report::as_list()
{
	list_ = true;
	return *this;
}

Report &Report::sparse()
{
	sparse_ = true;
	return *this;
}

Report &Report::exits(Exit exit)
{
	exit_ = exit;
	return *this;
}

void Report::select(std::string_view field)
{
	selected_ = table_->index(field);
	if (selected_)
		return;
	std::string names;
	for (const auto &known : table_->fields)
		names += (names.empty() ? "" : ", ") + std::string(known.name);
	throw usage_failure(std::string(table_->name) + " has no field '" +
				    std::string(field) + "'",
			    "fields are " + names);
}

std::string Report::line_text(const Row &row) const
{
	std::string out(table_->name);

	for (std::size_t i = 0; i < row.size(); i++) {
		const Field &field = table_->fields[i];
		if (row[i].is_null() || field.show == Show::rows)
			continue;
		// The first field is what the row is about: "ioas 1", "port 0".
		if (i)
			out += " " + std::string(field.name);
		out += " " + value_text(field, row[i]);
	}
	return out + "\n";
}

std::string Report::block_text(const Row &row) const
{
	std::size_t width = 0;
	std::string out;

	for (const auto &field : table_->fields)
		width = std::max(width, field.name.size());
	for (std::size_t i = 0; i < row.size(); i++) {
		const Field &field = table_->fields[i];
		if (row[i].is_null())
			continue;
		std::string name(field.name);
		name.append(width + 2 - name.size(), ' ');
		if (field.show != Show::rows)
			out += name + value_text(field, row[i]) + "\n";
		else
			for (const auto &inner : row[i])
				out += name + inner_text(*field.rows, inner) + "\n";
	}
	return out;
}

std::string Report::table_text() const
{
	std::vector<std::vector<std::string>> cells(1);
	std::vector<std::size_t> widths;
	std::string out;

	for (const auto &field : table_->fields)
		if (field.show != Show::rows)
			cells[0].emplace_back(field.name);
	for (const auto &row : rows_) {
		auto &line = cells.emplace_back();
		for (std::size_t i = 0; i < row.size(); i++)
			if (table_->fields[i].show != Show::rows)
				line.push_back(value_text(table_->fields[i], row[i]));
	}
	widths.resize(cells[0].size());
	for (const auto &line : cells)
		for (std::size_t i = 0; i < line.size(); i++)
			widths[i] = std::max(widths[i], line[i].size());
	for (const auto &line : cells) {
		for (std::size_t i = 0; i < line.size(); i++) {
			out += line[i];
			// No blanks at the end of a line.
			if (i + 1 < line.size())
				out.append(widths[i] + 2 - line[i].size(), ' ');
		}
		out += "\n";
	}
	return out;
}

std::string Report::text() const
{
	std::string out;

	if (selected_) {
		for (const auto &row : rows_)
			out += bare_text(table_->fields[*selected_], row[*selected_]) +
			       "\n";
		return out;
	}
	switch (style_) {
	case Style::nothing:
		return {};
	case Style::drawn:
	case Style::raw:
		return drawn_;
	case Style::table:
		return rows_.empty() ? std::string() : table_text();
	case Style::line:
		for (const auto &row : rows_)
			out += line_text(row);
		return out;
	case Style::block:
		for (const auto &row : rows_)
			out += block_text(row);
		return out;
	}
	return out;
}

Json Report::json() const
{
	Json list = Json::array();
	Json out;

	for (const auto &row : rows_) {
		Json entry = row_to_json(*table_, row);
		if (selected_) {
			std::string name(table_->fields[*selected_].name);
			entry = Json{{name, entry[name]}};
		} else if (sparse_) {
			entry = without_nulls(entry);
		}
		list.push_back(std::move(entry));
	}
	out["version"] = 1;
	if (table_)
		out[std::string(table_->name)] =
			list_ || list.size() != 1 ? std::move(list) : std::move(list[0]);
	return out;
}

std::string Report::primary_value() const
{
	if (!primary_.empty())
		if (auto value = field_value(primary_))
			return *value;
	throw usage_failure("this command has no result to keep in a variable",
			    "assign the result of ioas add, map, copy or dma sha256");
}

std::optional<std::string> Report::field_value(std::string_view field) const
{
	if (!table_ || rows_.empty())
		return std::nullopt;
	auto at = table_->index(field);
	if (!at)
		return std::nullopt;
	return bare_text(table_->fields[*at], rows_[0][*at]);
}

} // namespace ctl

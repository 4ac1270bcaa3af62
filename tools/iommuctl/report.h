// SPDX-License-Identifier: GPL-2.0-only
// What a command has to say: rows of one object's fields. The field table is
// the only description of an object; text, JSON and "show FIELD" come from it.
#pragma once

#include "failure.h"

#include <nlohmann/json.hpp>

#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ctl {

using Json = nlohmann::ordered_json;

// How a value looks as text; in JSON a number stays a number.
enum class Show {
	number,
	address, // hexadecimal
	size,	 // hexadecimal, and human readable beside it
	text,
	boolean,
	limit, // a size; null is no limit
	sizes, // a list of sizes
	words, // a list of words
	rows,  // a list of rows of another table
};

struct FieldTable;

struct Field {
	std::string_view name;
	Show show;
	std::string_view help;
	const FieldTable *rows = nullptr;
};

struct FieldTable {
	std::string_view name;
	std::span<const Field> fields;

	std::optional<std::size_t> index(std::string_view field) const;
};

using Row = std::vector<Json>;

// A row as a JSON object; throws std::logic_error if it does not fit the table.
Json row_to_json(const FieldTable &table, const Row &row);
// One value as a person reads it.
std::string value_text(const Field &field, const Json &value);
// The bare value for scripts.
std::string bare_text(const Field &field, const Json &value);

class Report {
    public:
	enum class Style {
		nothing, // the command has no result
		line,	 // "mapping 0x1000 length ..."
		block,	 // one field a line
		table,	 // one row a line below a heading
		drawn,	 // the text is made by the command itself
		raw,	 // bytes for stdout, neither text nor JSON
	};

	Report() = default;
	Report(const FieldTable &table, Style style, std::vector<Row> rows);

	static Report drawn(const FieldTable &table, std::vector<Row> rows,
			    std::string text);
	static Report raw(std::string bytes);

	// The field that "$name = ..." stores.
	Report &primary(std::string_view field);
	// JSON is a list even if there is one row.
	Report &as_list();
	// JSON leaves out what does not apply, of which there is much.
	Report &sparse();
	// The state that is reported is itself an answer: module status.
	Report &exits(Exit exit);
	// Reduces the report to one field.
	void select(std::string_view field);

	bool empty() const noexcept { return style_ == Style::nothing; }
	Style style() const noexcept { return style_; }
	Exit exit() const noexcept { return exit_; }
	std::string text() const;
	Json json() const;

	// For variables: the primary value, and every field of the first row.
	std::string primary_value() const;
	std::optional<std::string> field_value(std::string_view field) const;

    private:
	std::string line_text(const Row &row) const;
	std::string block_text(const Row &row) const;
	std::string table_text() const;

	const FieldTable *table_ = nullptr;
	Style style_ = Style::nothing;
	std::vector<Row> rows_;
	std::string drawn_;
	std::string_view primary_;
	std::optional<std::size_t> selected_;
	bool list_ = false;
	bool sparse_ = false;
	Exit exit_ = Exit::ok;
};

} // namespace ctl

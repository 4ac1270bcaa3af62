// SPDX-License-Identifier: GPL-2.0-only
// The splitter reads a line once, from left to right. Variables are replaced while
// it reads, and their values are not split again: a path with blanks stays one
// word.
#include "words.h"

#include "failure.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdio>

namespace ctl {

namespace {

bool is_name(char c)
{
	return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
}

class Splitter {
    public:
	Splitter(std::string_view text, const Lookup &lookup)
		: text_(text), lookup_(lookup)
	{
	}

	std::optional<std::string> variable();
	std::vector<std::string> words();

    private:
	bool more() const { return at_ < text_.size(); }
	char peek() const { return more() ? text_[at_] : '\0'; }
	void skip_blanks();
	std::string name();
	std::string value();
	std::string quoted(char quote);
	std::string word();

	std::string_view text_;
	const Lookup &lookup_;
	std::size_t at_ = 0;
};

void Splitter::skip_blanks()
{
	while (more() && std::isspace(static_cast<unsigned char>(text_[at_])))
		at_++;
}

std::string Splitter::name()
{
	std::size_t from = at_;

	while (is_name(peek()))
		at_++;
	return std::string(text_.substr(from, at_ - from));
}

// Returns the name of "$name =" at the start of the line, which it consumes.
std::optional<std::string> Splitter::variable()
{
	skip_blanks();
	if (peek() != '$')
		return std::nullopt;
	std::size_t start = at_++;
	std::string found = name();
	skip_blanks();
	if (found.empty() || peek() != '=') {
		at_ = start;
		return std::nullopt;
	}
	at_++;
	return found;
}

std::string Splitter::value()
{
	bool braces = peek() == '{';

	if (braces)
		at_++;
	std::string found = name();
	// A dot ends the name unless a field follows: "$m." is text.
	if (peek() == '.' && at_ + 1 < text_.size() && is_name(text_[at_ + 1])) {
		at_++;
		found += "." + name();
	}
	if (found.empty() || (braces && peek() != '}'))
		throw usage_failure("malformed variable in: " + std::string(text_),
				    "write $name, $name.field or ${name}");
	if (braces)
		at_++;
	return lookup_(found);
}

std::string Splitter::quoted(char quote)
{
	std::string out;

	for (at_++; more() && peek() != quote;) {
		if (quote == '"' && peek() == '$') {
			at_++;
			out += value();
			continue;
		}
		if (quote == '"' && peek() == '\\' && at_ + 1 < text_.size())
			at_++;
		out += text_[at_++];
	}
	if (!more())
		throw usage_failure("unterminated quote in: " + std::string(text_),
				    std::string("close it with ") + quote);
	at_++;
	return out;
}

std::string Splitter::word()
{
	std::string out;

	while (more() && !std::isspace(static_cast<unsigned char>(peek()))) {
		char c = peek();
		if (c == '\'' || c == '"') {
			out += quoted(c);
		} else if (c == '$') {
			at_++;
			out += value();
		} else {
			if (c == '\\' && at_ + 1 < text_.size())
				at_++;
			out += text_[at_++];
		}
	}
	return out;
}

std::vector<std::string> Splitter::words()
{
	std::vector<std::string> out;

	for (skip_blanks(); more() && peek() != '#'; skip_blanks())
		out.push_back(word());
	return out;
}

std::optional<unsigned> suffix_shift(std::string_view suffix)
{
	constexpr std::string_view units = "KMGT";

	if (suffix.empty() || suffix == "B")
		return 0;
	auto unit = units.find(
		static_cast<char>(std::toupper(static_cast<unsigned char>(suffix[0]))));
	suffix.remove_prefix(1);
	if (unit == std::string_view::npos ||
	    (!suffix.empty() && suffix != "B" && suffix != "iB"))
		return std::nullopt;
	return 10 * static_cast<unsigned>(unit + 1);
}

std::optional<std::uint64_t> parse_term(std::string_view text)
{
	std::uint64_t value = 0;
	int base = 10;

	if (text.starts_with("0x") || text.starts_with("0X")) {
		base = 16;
		text.remove_prefix(2);
	} else if (text.size() > 1 && text[0] == '0' && text[1] >= '0' &&
		   text[1] <= '7') {
		base = 8;
	}
	auto [end, error] =
		std::from_chars(text.data(), text.data() + text.size(), value, base);
	if (error != std::errc())
		return std::nullopt;
	auto shift =
		suffix_shift(text.substr(static_cast<std::size_t>(end - text.data())));
	if (!shift || (value << *shift) >> *shift != value)
		return std::nullopt;
	return value << *shift;
}

// Bytes of the printable character that the text begins with, 0 if there is none. Codes
// that are too long, surrogates and C1 controls are none.
std::size_t character(std::string_view text)
{
	struct Form {
		unsigned char mask, lead;
		std::uint32_t least;
	};
	constexpr std::array<Form, 3> forms = {
		{{0xe0, 0xc0, 0xa0}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}}};
	auto first = static_cast<unsigned char>(text[0]);

	if (first < 0x80)
		return first >= 0x20 && first != 0x7f;
	for (std::size_t i = 0; i < forms.size(); i++) {
		std::uint32_t code = first & ~forms[i].mask;
		if ((first & forms[i].mask) != forms[i].lead || text.size() < i + 2)
			continue;
		for (auto c : text.substr(1, i + 1)) {
			if ((c & 0xc0) != 0x80)
				return 0;
			code = code << 6 | (c & 0x3f);
		}
		bool surrogate = code >= 0xd800 && code <= 0xdfff;
		return code >= forms[i].least && code <= 0x10ffff && !surrogate ? i + 2
										: 0;
	}
	return 0;
}

} // namespace

Line split_line(std::string_view text, const Lookup &lookup)
{
	Splitter splitter(text, lookup);
	Line line;

	line.variable = splitter.variable();
	line.words = splitter.words();
	if (line.variable && line.words.empty())
		throw usage_failure("nothing is assigned to $" + *line.variable,
				    "write $name = OBJECT VERB ...");
	return line;
}

std::optional<std::uint64_t> parse_number(std::string_view text)
{
	std::uint64_t sum = 0;
	char sign = '+';

	for (;;) {
		std::size_t end = text.find_first_of("+-");
		auto term = parse_term(text.substr(0, end));
		if (!term)
			return std::nullopt;
		if (sign == '+' ? __builtin_add_overflow(sum, *term, &sum)
				: __builtin_sub_overflow(sum, *term, &sum))
			return std::nullopt;
		if (end == std::string_view::npos)
			return sum;
		sign = text[end];
		text.remove_prefix(end + 1);
	}
}

std::string human_size(std::uint64_t bytes)
{
	constexpr std::array units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	std::size_t unit = 0;
	auto value = static_cast<double>(bytes);
	char text[32];

	while (value >= 1024 && unit + 1 < units.size()) {
		value /= 1024;
		unit++;
	}
	// Whole numbers without a fraction: "4 KiB", but "1.5 MiB".
	bool whole = value == static_cast<double>(static_cast<std::uint64_t>(value));
	std::snprintf(text, sizeof(text), "%.*f %s", whole ? 0 : 1, value, units[unit]);
	return text;
}

std::string printable(std::string_view text)
{
	std::string out;

	while (!text.empty()) {
		std::size_t length = character(text);
		out += length ? text.substr(0, length) : "?";
		text.remove_prefix(std::max<std::size_t>(length, 1));
	}
	return out;
}

std::string pad_left(const std::string &text, std::size_t width)
{
	return text.size() < width ? std::string(width - text.size(), ' ') + text : text;
}

std::string stack_lines(std::size_t count, std::size_t most,
			const std::function<std::string(std::size_t)> &line)
{
	std::size_t cut = count > most ? most / 2 : count;
	std::string out;

	for (std::size_t i = 0; i < count; i++) {
		if (i == cut) {
			i = count - cut;
			out += "  ... " + std::to_string(i - cut) +
			       " more lines (--json has them all) ...\n";
		}
		out += line(i);
	}
	return out;
}

} // namespace ctl

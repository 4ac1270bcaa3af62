// SPDX-License-Identifier: GPL-2.0-only
// A command line as words: quoting as in a shell, $variables, and the numbers
// that iommuctl understands.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ctl {

struct Line {
	std::optional<std::string> variable; // of "$name = ..."
	std::vector<std::string> words;
};

// Finds the value of "name" or "name.field"; throws Failure if there is none.
using Lookup = std::function<std::string(std::string_view name)>;

// Splits a line at blanks; '...' is literal, "..." and bare words may contain
// $name, $name.field and ${name}; # begins a comment at the start of a word.
Line split_line(std::string_view text, const Lookup &lookup);

// Decimal, 0x hexadecimal or 0 octal, suffix K, M, G, T (powers of 1024; KiB
// and KB too), and sums and differences of such: 0x200000+4K.
std::optional<std::uint64_t> parse_number(std::string_view text);

// "1.5 MiB", exact bytes below 1 KiB.
std::string human_size(std::uint64_t bytes);

// What somebody else has called something: without what would steer a terminal, and as
// UTF-8, which JSON and XML want.
std::string printable(std::string_view text);

std::string pad_left(const std::string &text, std::size_t width);

// Lines one below the other; of more than most the middle is left out, for a
// picture is to be taken in at a glance.
std::string stack_lines(std::size_t count, std::size_t most,
			const std::function<std::string(std::size_t)> &line);

} // namespace ctl

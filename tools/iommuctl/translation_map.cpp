// SPDX-License-Identifier: GPL-2.0-only
// A line is split as one of a session, so that both have the same numbers, quotes and
// comments.
#include "translation_map.h"

#include "failure.h"
#include "iotlb.h"
#include "session.h"

#include <cerrno>
#include <filesystem>
#include <fstream>

namespace ctl {

using namespace iommukit;

namespace {

constexpr const char *format = "a line is IOVA LENGTH TARGET PERM: 0x1000 64K 0 rw";

// A message in front of which its caller puts file and line.
Failure wrong(const std::string &what, const char *hint = format)
{
	return usage_failure(what, hint);
}

std::uint64_t number(const std::string &word)
{
	auto value = parse_number(word);

	if (!value)
		throw wrong("'" + word + "' is no number");
	return *value;
}

IotlbTranslation translation(const std::vector<std::string> &words)
{
	if (words.size() != 4)
		throw wrong(std::to_string(words.size()) + " words are no translation");
	std::uint64_t iova = number(words[0]);
	std::uint64_t length = number(words[1]);
	std::uint64_t target = number(words[2]);
	if (!length)
		throw wrong("the length is 0");
	if (iova > UINT64_MAX - (length - 1) || target > UINT64_MAX - (length - 1))
		throw wrong("the translation ends beyond the last IOVA or target");
	if (words[3] != "r" && words[3] != "w" && words[3] != "rw")
		throw wrong("'" + words[3] + "' is no permission: r, w or rw");
	return {{Iova(iova), Iova(iova + (length - 1))},
		target,
		parse_permission(words[3], Permission::read_write)};
}

} // namespace

std::optional<IotlbTranslation> TranslationMap::find(Iova iova) const
{
	auto it = translations_.upper_bound(iova);

	if (it == translations_.begin())
		return std::nullopt;
	--it;
	return it->second.range.contains(iova) ? std::optional(it->second) : std::nullopt;
}

TranslationMap TranslationMap::load(const std::string &path, const Lookup &variables)
{
	TranslationMap map;
	std::string text;
	std::size_t at = 0;

	if (std::error_code ignored; std::filesystem::is_directory(path, ignored))
		throw file_failure(path, "read", EISDIR);
	std::ifstream file(path);
	if (!file)
		throw file_failure(path, "open", errno);
	try {
		while (std::getline(file, text)) {
			at++;
			Line line = split_line(text, variables);
			if (line.variable)
				throw wrong("a map file sets no variables");
			if (line.words.empty())
				continue;
			IotlbTranslation added = translation(line.words);
			auto next = map.translations_.upper_bound(added.range.last);
			if (next != map.translations_.begin() &&
			    std::prev(next)->second.range.last >= added.range.first)
				throw wrong("the translation overlaps another one",
					    "each IOVA may be in one line only");
			map.translations_.emplace(added.range.first, added);
		}
	} catch (const Failure &failure) {
		throw usage_failure(path + ":" + std::to_string(at) + ": " +
					    failure.what(),
				    failure.hint());
	}
	if (file.bad())
		throw file_failure(path, "read", EIO);
	if (map.translations_.empty())
		throw usage_failure(path + " has no translation", format);
	return map;
}

IotlbSource map_source(TranslationMap map)
{
	return [map = std::move(map)](std::uint32_t, Iova iova) {
		return map.find(iova);
	};
}

IotlbSource identity_source()
{
	return [](std::uint32_t, Iova) {
		return IotlbTranslation{all_iovas, 0, Permission::read_write};
	};
}

IotlbSource paged_source(IotlbSource source, Bytes page)
{
	return [source = std::move(source), mask = page.value - 1](
		       std::uint32_t asid, Iova iova) -> std::optional<IotlbTranslation> {
		auto found = source(asid, iova);
		if (!found || !found->range.contains(iova))
			return found;
		return found->clip({Iova(iova.value & ~mask), Iova(iova.value | mask)});
	};
}

} // namespace ctl

// SPDX-License-Identifier: GPL-2.0-only
#include "op.h"

#include <algorithm>
#include <cerrno>
#include <istream>
#include <sstream>
#include <stdexcept>

namespace fuzz {

namespace {

const char *const field_names[] = {
	"id",	  "flags",	 "reserved", "va",    "length", "iova",
	"source", "source_iova", "file",     "num",   "first1", "last1",
	"first2", "last2",	 "first3",   "last3", "option", "value",
	"slot",	  "first",	 "number",   "page",
};
static_assert(std::size(field_names) == static_cast<unsigned>(F::count));

const char *const pass_names[] = {
	"normal", "null", "too_short", "longer", "garbage", "cut", "read_only",
};
static_assert(std::size(pass_names) == static_cast<unsigned>(Pass::count));

// EFAULT, EINVAL and E2BIG of the structure itself belong to every command.
const KindInfo kinds[] = {
	{"open", {0}, {}},
	{"close", {0}, {}},
	{"ioas_alloc", {0, EOPNOTSUPP, EFAULT, EINVAL, E2BIG}, {F::flags}},
	{"destroy", {0, ENOENT, EBUSY, EFAULT, EINVAL, E2BIG}, {F::id}},
	{"map",
	 {0, EOPNOTSUPP, EOVERFLOW, EINVAL, ENOENT, ENOSPC, EEXIST, ENOMEM, EFAULT,
	  E2BIG},
	 {F::id, F::flags, F::reserved, F::va, F::length, F::iova}},
	{"map_file",
	 {0, EOPNOTSUPP, EOVERFLOW, EINVAL, ENOENT, EBADF, EPERM, ENOSPC, EEXIST, ENOMEM,
	  EFAULT, E2BIG},
	 {F::id, F::flags, F::file, F::va, F::length, F::iova}},
	{"copy",
	 {0, EOPNOTSUPP, EOVERFLOW, EINVAL, ENOENT, EPERM, ENOSPC, EEXIST, ENOMEM, EFAULT,
	  E2BIG},
	 {F::id, F::flags, F::source, F::source_iova, F::length, F::iova}},
	{"unmap",
	 {0, ENOENT, EOVERFLOW, EINVAL, EDEADLOCK, EFAULT, E2BIG},
	 {F::id, F::iova, F::length}},
	{"allow",
	 {0, EOPNOTSUPP, ENOENT, EFAULT, EINVAL, EADDRINUSE, E2BIG},
	 {F::id, F::reserved, F::num, F::first1, F::last1, F::first2, F::last2, F::first3,
	  F::last3}},
	{"ranges",
	 {0, EOPNOTSUPP, ENOENT, EFAULT, EMSGSIZE, EINVAL, E2BIG},
	 {F::id, F::reserved, F::num, F::value}},
	{"option",
	 {0, EOPNOTSUPP, EPERM, EBUSY, EINVAL, ENOENT, EADDRINUSE, EFAULT, E2BIG},
	 {F::id, F::reserved, F::option, F::num, F::value}},
	{"reserve",
	 {0, EINVAL, EOVERFLOW, ENOENT, EADDRINUSE, EFAULT, E2BIG},
	 {F::id, F::iova, F::length}},
	{"access",
	 {0, EOPNOTSUPP, ENOENT, EADDRINUSE, EFAULT, EINVAL, E2BIG},
	 {F::slot, F::id, F::flags}},
	{"access_new", {0, ENOENT, EADDRINUSE}, {F::slot, F::id, F::flags}},
	{"access_close", {0}, {F::slot}},
	{"replace",
	 {0, EBADFD, ENOENT, EADDRINUSE, EFAULT, EINVAL, E2BIG},
	 {F::slot, F::id}},
	{"attach", {0, EBADFD, EINVAL, ENOENT, EADDRINUSE}, {F::slot, F::id}},
	{"detach", {0, EBADFD}, {F::slot}},
	{"pin",
	 {0, ENOMEM, EOPNOTSUPP, EBADFD, EINVAL, EOVERFLOW, ENOENT, EPERM, EFAULT, EBADE,
	  ENOTCONN, E2BIG},
	 {F::slot, F::flags, F::iova, F::length, F::va}},
	{"unpin", {0, EBADFD, ENOENT, EFAULT, EINVAL, E2BIG}, {F::slot, F::value}},
	{"read",
	 {0, ENOMEM, EOPNOTSUPP, EBADFD, EINVAL, EOVERFLOW, ENOENT, EPERM, EFAULT,
	  ENOTCONN, E2BIG},
	 {F::slot, F::flags, F::iova, F::length, F::va}},
	{"write",
	 {0, ENOMEM, EOPNOTSUPP, EBADFD, EINVAL, EOVERFLOW, ENOENT, EPERM, EFAULT,
	  ENOTCONN, E2BIG},
	 {F::slot, F::flags, F::iova, F::length, F::va, F::value}},
	{"stats", {0, EBADFD}, {F::slot}},
	{"stubborn", {0}, {F::slot, F::value}},
	{"memory", {0}, {F::value, F::first, F::number, F::page}},
	{"poke", {0}, {F::va, F::length, F::value}},
	{"truncate", {0}, {F::value, F::length}},
	{"fork", {0}, {F::value}},
	{"exit", {0}, {}},
	{"limit", {0}, {F::value}},
	{"check_refs", {0}, {F::va}},
	{"check_account", {0}, {}},
	{"raw", {ENOTTY, EFAULT}, {F::value}},
	{"mock",
	 {0, EOPNOTSUPP, EINVAL, ENOENT, EADDRINUSE, ENOMEM, EFAULT, E2BIG},
	 {F::id, F::flags}},
	{"mock_new",
	 {0, EOPNOTSUPP, EINVAL, ENOENT, EADDRINUSE, ENOMEM, EFAULT, E2BIG},
	 {F::id, F::flags, F::source, F::first1, F::last1}},
	{"mock_replace",
	 {0, EOPNOTSUPP, EINVAL, ENOENT, EADDRINUSE, ENOMEM, EFAULT, E2BIG},
	 {F::id, F::source}},
	{"hwpt_alloc",
	 {0, EOPNOTSUPP, EINVAL, ENOENT, EADDRINUSE, ENOMEM, EFAULT, E2BIG},
	 {F::id, F::flags, F::reserved, F::source, F::length}},
	{"check_map",
	 {0, EINVAL, ENOENT, EFAULT, E2BIG},
	 {F::id, F::iova, F::length, F::va}},
	{"hwpt_track", {0, EOPNOTSUPP, ENOENT, EFAULT, EINVAL, E2BIG}, {F::id, F::flags}},
	{"hwpt_dirty",
	 {0, EOPNOTSUPP, ENOENT, EOVERFLOW, EINVAL, EFAULT, E2BIG},
	 {F::id, F::flags, F::reserved, F::iova, F::length, F::page, F::va, F::value}},
	{"hwpt_mark",
	 {0, EINVAL, ENOENT, EFAULT, E2BIG},
	 {F::id, F::iova, F::length, F::page, F::value}},
	{"ioas_track",
	 {0, EOPNOTSUPP, ENOENT, ENOMEM, EFAULT, EINVAL, E2BIG},
	 {F::id, F::flags, F::reserved}},
	{"ioas_dirty",
	 {0, EOPNOTSUPP, ENOENT, EOVERFLOW, EINVAL, EFAULT, E2BIG},
	 {F::id, F::flags, F::reserved, F::iova, F::length, F::page, F::va, F::value}},
	{"iotlb",
	 {0, EOPNOTSUPP, EINVAL, ENOENT, ENOMEM, EFAULT, E2BIG},
	 {F::id, F::flags, F::reserved, F::num, F::number, F::value, F::option, F::first1,
	  F::last1, F::length, F::page, F::source}},
	{"iotlb_element",
	 {},
	 {F::num, F::iova, F::length, F::va, F::option, F::value, F::flags, F::page,
	  F::number, F::reserved}},
	{"iotlb_submit",
	 {0, EOPNOTSUPP, ENOENT, EINVAL, EOVERFLOW, ERANGE, EEXIST, ESTALE, ENOSPC,
	  ENOMEM, EFAULT, E2BIG},
	 {F::id, F::flags, F::reserved, F::num, F::length, F::value}},
	{"iotlb_query",
	 {0, EOPNOTSUPP, ENOENT, EINVAL, EFAULT, E2BIG},
	 {F::id, F::flags, F::num, F::first1, F::last1, F::number, F::length, F::va}},
	{"iotlb_set",
	 {0, EOPNOTSUPP, ENOENT, EINVAL, EBUSY, EFAULT, E2BIG},
	 {F::id, F::flags, F::option, F::value}},
	{"map_ondemand",
	 {0, EOPNOTSUPP, EOVERFLOW, EINVAL, ENOENT, ENOSPC, EEXIST, EFAULT, E2BIG},
	 {F::id, F::flags, F::num, F::va, F::length, F::iova}},
	{"prefetch",
	 {0, EOPNOTSUPP, EOVERFLOW, EINVAL, ENOENT, EPERM, EFAULT, E2BIG},
	 {F::id, F::flags, F::reserved, F::iova, F::length}},
	{"ondemand_query",
	 {0, EOPNOTSUPP, ENOENT, EINVAL, EFAULT, E2BIG},
	 {F::id, F::flags, F::reserved, F::iova, F::length}},
};
static_assert(std::size(kinds) == static_cast<unsigned>(Kind::count));

std::string hex(std::uint64_t value)
{
	std::ostringstream text;

	text << "0x" << std::hex << value;
	return text.str();
}

template <class Names> int find(const Names &names, const std::string &name)
{
	const auto at = std::find(std::begin(names), std::end(names), name);

	return at == std::end(names) ? -1 : static_cast<int>(at - std::begin(names));
}

std::uint64_t parse_number(const std::string &text)
{
	std::size_t used = 0;
	const std::uint64_t value = std::stoull(text, &used, 0);

	if (used != text.size())
		throw std::invalid_argument(text);
	return value;
}

void set_field(Op &op, const std::string &key, const std::string &text)
{
	int n;

	if (key == "pass") {
		if ((n = find(pass_names, text)) < 0)
			throw std::invalid_argument(text);
		op.pass = static_cast<Pass>(n);
		return;
	}
	const std::uint64_t value = parse_number(text);

	if (key == "who" && value < processes)
		op.who = static_cast<std::uint8_t>(value);
	else if (key == "ctx" && value < contexts)
		op.ctx = static_cast<std::uint8_t>(value);
	else if ((n = find(field_names, key)) >= 0)
		op.field[static_cast<unsigned>(n)] = value;
	else
		throw std::invalid_argument(key);
}

} // namespace

const KindInfo &info(Kind kind)
{
	return kinds[static_cast<unsigned>(kind)];
}

bool KindInfo::has(F field) const
{
	return std::find(fields.begin(), fields.end(), field) != fields.end();
}

bool specified(Kind kind, int error)
{
	const auto &errors = info(kind).errors;

	return std::find(errors.begin(), errors.end(), error) != errors.end();
}

std::string to_text(const Op &op)
{
	std::string text = info(op.kind).name;

	if (op.ctx)
		text += " ctx=" + std::to_string(op.ctx);
	if (op.who)
		text += " who=" + std::to_string(op.who);
	if (op.pass != Pass::normal)
		text += std::string(" pass=") +
			pass_names[static_cast<unsigned>(op.pass)];
	for (unsigned n = 0; n < op.field.size(); n++)
		if (op.field[n])
			text += std::string(" ") + field_names[n] + "=" +
				hex(op.field[n]);
	return text;
}

Op parse_op(const std::string &line)
{
	std::istringstream words(line);
	std::string word;
	Op op;

	words >> word;
	const auto kind = std::find_if(std::begin(kinds), std::end(kinds),
				       [&](const KindInfo &k) { return word == k.name; });
	if (kind == std::end(kinds))
		throw std::runtime_error("no operation: " + line);
	op.kind = static_cast<Kind>(kind - std::begin(kinds));
	while (words >> word) {
		const auto equals = word.find('=');

		try {
			if (equals == std::string::npos)
				throw std::invalid_argument(word);
			set_field(op, word.substr(0, equals), word.substr(equals + 1));
		} catch (const std::logic_error &) {
			throw std::runtime_error("what is '" + word + "' in: " + line);
		}
	}
	return op;
}

Sequence parse(std::istream &in, const std::string &name)
{
	Sequence sequence;
	std::string line;

	for (unsigned number = 1; std::getline(in, line); number++) {
		if (line.empty() || line[0] == '#')
			continue;
		try {
			sequence.push_back(parse_op(line));
		} catch (const std::runtime_error &error) {
			throw std::runtime_error(name + ":" + std::to_string(number) +
						 ": " + error.what());
		}
	}
	return sequence;
}

void fill_pattern(std::uint64_t seed, unsigned char *to, std::uint64_t length)
{
	std::uint64_t state = (seed + 1) * 0x9e3779b97f4a7c15UL;

	for (std::uint64_t n = 0; n < length; n++) {
		if (n % 8 == 0)
			state = state * 6364136223846793005UL + 1442695040888963407UL;
		to[n] = static_cast<unsigned char>(state >> (n % 8 * 8));
	}
}

} // namespace fuzz

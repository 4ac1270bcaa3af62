// SPDX-License-Identifier: GPL-2.0-only
// How the types look in messages and in the output of failed tests.
#include "types.h"

#include <array>
#include <charconv>

namespace iommukit {

std::string hex(std::uint64_t value)
{
	std::array<char, 16> digits;
	auto end = std::to_chars(digits.begin(), digits.end(), value, 16).ptr;

	return "0x" + std::string(digits.begin(), end);
}

std::ostream &operator<<(std::ostream &out, Bytes bytes)
{
	return out << bytes.value << " bytes";
}

std::ostream &operator<<(std::ostream &out, Iova iova)
{
	return out << hex(iova.value);
}

std::ostream &operator<<(std::ostream &out, ObjectId id)
{
	return out << id.value;
}

std::ostream &operator<<(std::ostream &out, const IovaRange &range)
{
	return out << range.first << ".." << range.last;
}

} // namespace iommukit

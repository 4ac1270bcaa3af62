// SPDX-License-Identifier: GPL-2.0-only
// The text of an error names the command and what it was about; std::system_error
// adds what the errno means.
#include "error.h"

#include <cerrno>
#include <cstring>
#include <sstream>

namespace iommukit {

namespace {

std::string describe(const std::string &command, const Subject &subject)
{
	std::string about = subject.text();

	return about.empty() ? command : command + " " + about;
}

} // namespace

std::string Subject::text() const
{
	std::ostringstream out;
	const char *space = "";

	if (object) {
		out << "object " << *object;
		space = " ";
	}
	if (iova) {
		out << space << "iova " << *iova;
		space = " ";
	}
	if (length) {
		out << space << "length " << hex(length->value);
		space = " ";
	}
	if (!path.empty())
		out << space << path;
	return out.str();
}

Error::Error(std::error_code code, std::string command, Subject subject)
	: std::system_error(code, describe(command, subject)),
	  command_(std::move(command)), subject_(std::move(subject))
{
}

std::error_code last_error() noexcept
{
	return make_errno(errno);
}

std::error_code make_errno(int number) noexcept
{
	return {number, std::system_category()};
}

std::string errno_name(int number)
{
	const char *name = ::strerrorname_np(number);

	return name ? name : std::to_string(number);
}

std::optional<int> errno_number(std::string_view name)
{
	// MAX_ERRNO, include/linux/err.h
	constexpr int last = 4095;

	for (int number = 1; number <= last; number++)
		if (const char *other = ::strerrorname_np(number); other && name == other)
			return number;
	return std::nullopt;
}

} // namespace iommukit

// SPDX-License-Identifier: GPL-2.0-only
// Devices come and go while one looks: what is gone reads as if it never had been.
// Only a write that is refused is an error.
#include "sysfs.h"

#include "error.h"
#include "fd.h"

#include <fcntl.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

namespace iommukit::sysfs {

namespace fs = std::filesystem;

fs::path path(std::string_view below)
{
	const char *root = std::getenv("IOMMUKIT_SYSFS");

	return fs::path(root && *root ? root : "/sys") / below;
}

bool exists(const fs::path &path) noexcept
{
	std::error_code ignored;

	return fs::exists(path, ignored);
}

std::vector<std::string> read_lines(const fs::path &attribute)
{
	std::ifstream file(attribute);
	std::vector<std::string> lines;

	for (std::string line; std::getline(file, line);)
		lines.push_back(line);
	return lines;
}

std::optional<std::string> read(const fs::path &attribute)
{
	std::vector<std::string> lines = read_lines(attribute);

	return lines.empty() ? std::nullopt : std::optional(lines[0]);
}

void write(const fs::path &attribute, std::string_view value)
{
	Fd fd(::open(attribute.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));

	// In one piece: each write() is a value of its own.
	if (!fd || ::write(fd.get(), value.data(), value.size()) < 0)
		throw Error(last_error(), "write", {.path = attribute});
}

std::optional<std::string> link(const fs::path &path)
{
	std::error_code error;
	fs::path target = fs::read_symlink(path, error);

	return error ? std::nullopt : std::optional(target.filename().string());
}

std::vector<std::string> list(const fs::path &directory)
{
	std::vector<std::string> names;
	std::error_code error;

	for (fs::directory_iterator it(directory, error), end; !error && it != end;
	     it.increment(error))
		names.push_back(it->path().filename());
	std::ranges::sort(names);
	return names;
}

} // namespace iommukit::sysfs

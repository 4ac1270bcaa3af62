// SPDX-License-Identifier: GPL-2.0-only
// Turns refusals of the kernel into sentences: what failed, and the hint of the table.
#include "dma_engine.h"
#include "failure.h"
#include "hints.h"

#include <cerrno>

namespace ctl {

namespace {

// A node that is missing: the two devices belong to two modules.
std::string open_hint(const std::string &path, int number)
{
	if (number != ENOENT || path != iommukit::default_dma_device())
		return find_hint("open", number);
	return "the engine is a module of its own: iommuctl module load dma";
}

Exit classify(std::string_view command, int number)
{
	switch (number) {
	case EPERM:
	case EACCES:
		return Exit::not_permitted;
	case ENOTTY:
	case EOPNOTSUPP:
		return Exit::unsupported;
	case ENOENT:
	case ENODEV:
	case ENXIO:
		// Only a missing node, or family, means a missing module.
		return command == "open" || command == "netlink" ? Exit::absent
								 : Exit::refused;
	default:
		return Exit::refused;
	}
}

} // namespace

Failure usage_failure(const std::string &what, std::string hint)
{
	return {Exit::usage, what, std::move(hint)};
}

Failure file_failure(const std::string &path, std::string_view doing, int number)
{
	std::string what = "cannot " + std::string(doing) + " " + path;

	switch (number) {
	case ENOENT:
	case ENOTDIR:
		return {Exit::usage, what, "check the path: ls -l " + path, number};
	case EACCES:
	case EPERM:
		return {Exit::not_permitted, what,
			"the file must be accessible to this user: ls -l " + path,
			number};
	case EISDIR:
		return {Exit::usage, what, "name a regular file in it", number};
	default:
		return {Exit::refused, what, "see ls -l " + path, number};
	}
}

Failure explain(const iommukit::Error &error)
{
	std::string what = error.command();
	std::string about = error.subject().text();

	if (!about.empty())
		what += " " + about;
	std::string hint = error.command() == "open"
				   ? open_hint(error.subject().path, error.number())
				   : find_hint(error.command(), error.number());
	return {classify(error.command(), error.number()), what + " failed",
		std::move(hint), error.number(), error.command()};
}

} // namespace ctl

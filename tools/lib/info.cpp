// SPDX-License-Identifier: GPL-2.0-only
// Versions are compared as three numbers; anything behind them is for people.
#include "info.h"

#include <charconv>

// The build passes the version of the tree; there is no second copy of it.
#ifndef IOMMUKIT_VERSION
#error "build with -DIOMMUKIT_VERSION=\"major.minor.patch\""
#endif

namespace iommukit {

std::string Version::text() const
{
	return std::to_string(major) + "." + std::to_string(minor) + "." +
	       std::to_string(patch);
}

std::optional<Version> Version::parse(std::string_view text)
{
	Version version;
	const char *at = text.data();
	const char *end = at + text.size();

	for (unsigned *part : {&version.major, &version.minor, &version.patch}) {
		auto [next, error] = std::from_chars(at, end, *part);
		if (error != std::errc())
			return std::nullopt;
		at = next;
		if (part != &version.patch) {
			if (at == end || *at != '.')
				return std::nullopt;
			at++;
		}
	}
	return version;
}

Version tool_version()
{
	// A tree that cannot be parsed would make every comparison a lie.
	return Version::parse(IOMMUKIT_VERSION).value();
}

} // namespace iommukit

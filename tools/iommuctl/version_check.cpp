// SPDX-License-Identifier: GPL-2.0-only
// After an upgrade the old module is often still loaded: then nothing has to be
// installed, and what is told to somebody who would install it once more is wrong.
#include "version_check.h"

#include "module_control.h"

namespace ctl {

using iommukit::tool_version;
using iommukit::Version;

namespace {

constexpr const char *reload = "iommuctl module unload, iommuctl module load";

std::optional<Version> installed_version()
{
	auto file = installed_file("iommukit");
	auto text = file ? module_info(*file, "version") : std::nullopt;

	return text ? Version::parse(*text) : std::nullopt;
}

} // namespace

std::string version_mismatch(const Version &module)
{
	Version tool = tool_version();

	if (module == tool)
		return {};
	return "the module (" + module.text() + ") is " +
	       (module < tool ? "older" : "newer") + " than this tool (" + tool.text() +
	       ")";
}

std::string version_advice(const Version &module)
{
	Version tool = tool_version();

	if (installed_version() == tool)
		return "the installed one (" + tool.text() +
		       ") is not loaded yet: " + reload;
	if (module < tool)
		return "upgrade the package iommukit-dkms, or make install, then " +
		       std::string(reload);
	return "upgrade the package iommuctl, or make install";
}

} // namespace ctl

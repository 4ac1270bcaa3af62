// SPDX-License-Identifier: GPL-2.0-only
// /proc tells who has the node open, but not of processes that may not be looked into, or
// are of another PID namespace, nor of descriptors that are on their way to somebody. The
// core knows of every context, and who opened it.
#include "module_users.h"

#include "administration.h"
#include "error.h"
#include "module_control.h"
#include "sysfs.h"
#include "words.h"

#include <algorithm>
#include <cctype>
#include <filesystem>

namespace ctl {

namespace fs = std::filesystem;
namespace sysfs = iommukit::sysfs;

namespace {

std::string join(const std::vector<std::string> &words)
{
	std::string out;

	for (const auto &word : words)
		out += (out.empty() ? "" : ", ") + word;
	return out;
}

// Those of the kernel, or none if it does not tell.
std::vector<iommukit::ContextFacts> open_contexts()
{
	try {
		return iommukit::Administration().contexts();
	} catch (const iommukit::Error &) {
		return {};
	}
}

std::string opener_text(const iommukit::ContextFacts &facts)
{
	std::string out = "context " + std::to_string(facts.id) + ", opened by ";

	if (!facts.pid)
		return out + "a process of user " + std::to_string(facts.uid) +
		       " that is not seen from here";
	std::string pid = std::to_string(*facts.pid);
	out += "process " + pid + " (" + printable(facts.comm) + ")";
	return fs::exists("/proc/" + pid) ? out : out + ", which has gone";
}

} // namespace

std::vector<std::string> processes_using(const std::string &node)
{
	std::vector<std::string> out;
	std::error_code ignored;

	// Processes come and go, and those of others may not be looked into: what
	// cannot be read is skipped, the answer is a help and no proof.
	for (const auto &process : fs::directory_iterator("/proc", ignored)) {
		std::string pid = process.path().filename();
		if (!std::isdigit(static_cast<unsigned char>(pid[0])))
			continue;
		for (const auto &fd :
		     fs::directory_iterator(process.path() / "fd", ignored)) {
			if (fs::read_symlink(fd.path(), ignored) != node)
				continue;
			auto name = sysfs::read(process.path() / "comm");
			out.push_back(pid + " (" + printable(name.value_or("?")) + ")");
			break;
		}
	}
	return out;
}

std::string users_of_module(std::string_view name)
{
	std::vector<std::string> users = module_holders(name);
	auto modules = kernel_modules();
	auto module = std::ranges::find(modules, name, &KernelModule::name);
	std::vector<std::string> processes;

	if (module != modules.end() && !module->node.empty())
		processes = processes_using(std::string(module->node));
	for (const auto &process : processes)
		users.push_back("process " + process);
	if (module == modules.end() || module->word != "core")
		return join(users);
	for (const auto &facts : open_contexts()) {
		std::string pid = std::to_string(facts.pid.value_or(0)) + " ";
		if (std::ranges::none_of(processes, [&](const std::string &process) {
			    return process.starts_with(pid);
		    }))
			users.push_back(opener_text(facts));
	}
	return join(users);
}

} // namespace ctl

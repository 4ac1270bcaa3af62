// SPDX-License-Identifier: GPL-2.0-only
#include "modules.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>

namespace guest {

Errno unload(const std::string &name)
{
	return Errno{syscall(SYS_delete_module, name.c_str(), O_NONBLOCK) < 0 ? errno
									      : 0};
}

Errno load(const std::string &name)
{
	const Fd file(
		open(("/lib/iommukit/" + name + ".ko").c_str(), O_RDONLY | O_CLOEXEC));

	if (!file)
		return Errno{errno};
	return Errno{syscall(SYS_finit_module, file.get(), "", 0) < 0 ? errno : 0};
}

std::vector<std::string> loaded()
{
	std::ifstream modules("/proc/modules");
	std::vector<std::string> names;
	std::string line, name;

	while (std::getline(modules, line)) {
		std::istringstream(line) >> name;
		if (name.starts_with(core))
			names.push_back(name);
	}
	std::sort(names.begin(), names.end(), std::greater<>());
	return names;
}

Modules::Modules() : names(loaded())
{
	REQUIRE(std::find(names.begin(), names.end(), core) != names.end());
}

Modules::~Modules()
{
	std::for_each(names.rbegin(), names.rend(), load);
}

void Modules::unload_dependents() const
{
	for (const std::string &name : names)
		if (name != core)
			unload_soon(name);
}

void Modules::unload_all() const
{
	unload_dependents();
	unload_soon(core);
}

void Modules::load_all() const
{
	for (auto name = names.rbegin(); name != names.rend(); name++) {
		INFO(*name);
		REQUIRE(load(*name) == ok);
	}
}

void Modules::unload_soon(const std::string &name)
{
	Errno error;

	INFO(name);
	CHECK(wait_until([&] {
		error = unload(name);
		return error != Errno{in_use};
	}));
	CHECK(error == ok);
}

bool exists(const std::string &path)
{
	struct stat info {};

	return lstat(path.c_str(), &info) == 0;
}

Parameter::Parameter(const std::string &name, const std::string &value)
	: path("/sys/module/" + core + "/parameters/" + name)
{
	REQUIRE(std::ifstream(path) >> before);
	set(value);
}

Parameter::~Parameter()
{
	std::ofstream(path) << before;
}

void Parameter::set(const std::string &value) const
{
	std::string now;

	REQUIRE(std::ofstream(path) << value << std::flush);
	REQUIRE(std::ifstream(path) >> now);
	REQUIRE(now == value);
}

std::vector<std::string> slab_caches()
{
	std::vector<std::string> names;
	DIR *directory = opendir("/sys/kernel/slab");

	REQUIRE(directory != nullptr);
	while (const dirent *entry = readdir(directory))
		if (std::string(entry->d_name).starts_with(core))
			names.push_back(entry->d_name);
	closedir(directory);
	return names;
}

std::optional<unsigned long> slab_objects(const std::string &cache)
{
	const std::string path = "/sys/kernel/slab/" + cache;
	struct stat info {};
	unsigned long objects = 0;

	REQUIRE(lstat(path.c_str(), &info) == 0);
	if (S_ISLNK(info.st_mode))
		return {};
	std::ofstream(path + "/shrink") << 1;
	REQUIRE(std::ifstream(path + "/objects") >> objects);
	return objects;
}

} // namespace guest

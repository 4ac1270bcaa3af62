// SPDX-License-Identifier: GPL-2.0-only
#include "module_swap.h"

#include "bench.h"

#include <iommukit.hpp>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace bench {

using namespace iommukit;

namespace {

constexpr const char *core = "iommukit";
const std::string box = "/lib/iommukit/";
// Where scripts/bench has it put.
const std::string without_events = "/root/iommukit.ko";

struct Loaded {
	std::string name;
	std::vector<std::string> users;
};

std::vector<Loaded> loaded_modules()
{
	std::ifstream file("/proc/modules");
	std::vector<Loaded> modules;

	for (std::string line; std::getline(file, line);) {
		std::istringstream words(line);
		std::string size, count, users;
		Loaded module;

		words >> module.name >> size >> count >> users;
		std::istringstream names(users == "-" ? "" : users);
		for (std::string user; std::getline(names, user, ',');)
			module.users.push_back(user);
		modules.push_back(module);
	}
	return modules;
}

// Those that need it, directly or not, before what they need.
void collect(const std::vector<Loaded> &modules, const std::string &name,
	     std::vector<std::string> &order)
{
	for (const auto &module : modules)
		if (module.name == name)
			for (const auto &user : module.users)
				collect(modules, user, order);
	if (std::ranges::find(order, name) == order.end())
		order.push_back(name);
}

void unload(const std::string &name)
{
	// What was closed a moment ago may need some more.
	for (int tries = 0; ::syscall(SYS_delete_module, name.c_str(), O_NONBLOCK);
	     tries++) {
		if ((errno != EAGAIN && errno != EWOULDBLOCK) || tries == 500)
			throw Error(last_error(), "delete_module", {.path = name});
		::usleep(10'000);
	}
}

void load_file(const std::string &path)
{
	const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));

	if (!fd || ::syscall(SYS_finit_module, fd.get(), "", 0))
		throw Error(last_error(), "finit_module", {.path = path});
}

} // namespace

ModuleSwap::ModuleSwap()
{
	if (::access(without_events.c_str(), R_OK))
		throw NotHere("there is no build without events: make bench has one");
	collect(loaded_modules(), core, before_);
	unload_all();
}

void ModuleSwap::unload_all()
{
	std::vector<std::string> order;

	for (const auto &module : loaded_modules())
		if (module.name == core)
			collect(loaded_modules(), core, order);
	for (const auto &name : order)
		unload(name);
}

ModuleSwap::~ModuleSwap()
{
	try {
		unload_all();
		for (auto name = before_.rbegin(); name != before_.rend(); name++)
			load_file(box + *name + ".ko");
	} catch (const std::exception &error) {
		// All cases that follow will say so as well.
		std::fprintf(stderr, "iommukit-bench: %s\n", error.what());
	}
}

void ModuleSwap::load(Build build, const std::string &needs_it)
{
	unload_all();
	load_file(build == Build::whole ? box + core + ".ko" : without_events);
	load_file(box + needs_it + ".ko");
}

} // namespace bench

// SPDX-License-Identifier: GPL-2.0-only
/* The project's modules in the running kernel, and what they leave there. */
#pragma once

#include "kit.h"

#include <cerrno>
#include <optional>
#include <string>
#include <vector>

namespace guest {

/* What the kernel says of a module that is in use. */
constexpr int in_use = EWOULDBLOCK;
inline const std::string core = "iommukit";

Errno unload(const std::string &name);
Errno load(const std::string &name);

/* Names of loaded modules of ours, the core last: the order of unloading. */
std::vector<std::string> loaded();

/*
 * Remembers what is loaded, and restores it. The last reference to a file may
 * be dropped a moment after its process was reaped, so unloading is repeated.
 */
class Modules {
    public:
	Modules();
	Modules(const Modules &) = delete;
	Modules &operator=(const Modules &) = delete;
	~Modules();

	void unload_dependents() const;
	void unload_all() const;
	void load_all() const;
	static void unload_soon(const std::string &name);

    private:
	std::vector<std::string> names;
};

bool exists(const std::string &path);

/* A parameter of the core has another value, as long as this lives. */
class Parameter {
    public:
	Parameter(const std::string &name, const std::string &value);
	Parameter(const Parameter &) = delete;
	Parameter &operator=(const Parameter &) = delete;
	~Parameter();

	void set(const std::string &value) const;

    private:
	std::string path, before;
};

/* The slab caches of the module, by their names in sysfs. */
std::vector<std::string> slab_caches();

/*
 * Objects in use of a cache; nothing if the kernel has merged it with others.
 * Shrinking brings back what the processors keep for themselves.
 */
std::optional<unsigned long> slab_objects(const std::string &cache);

} // namespace guest

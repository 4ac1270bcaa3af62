// SPDX-License-Identifier: GPL-2.0-only
// Two builds of the core module, of which one is loaded at a time: as it is, and without
// events and tracepoints. In the test box only.
#pragma once

#include <string>
#include <vector>

namespace bench {

class ModuleSwap {
    public:
	enum class Build { whole, without_events };

	// Unloads the core, and all that needs it; nothing of it may be open. Throws
	// NotHere if there is nothing to change it for.
	ModuleSwap();
	ModuleSwap(const ModuleSwap &) = delete;
	ModuleSwap &operator=(const ModuleSwap &) = delete;
	// Loads what was loaded.
	~ModuleSwap();

	// Loads a build, in place of the other one, and a module that needs it.
	void load(Build build, const std::string &needs_it);

    private:
	void unload_all();

	std::vector<std::string> before_;
};

} // namespace bench

// SPDX-License-Identifier: GPL-2.0-only
// Devices of the model, and the page tables (HWPT) that they use.
#pragma once

#include "world.h"

#include <optional>
#include <set>

namespace fuzz {

// The smallest page of a HWPT of mock devices.
constexpr std::uint64_t mock_page = page_size / 2;

// Whether something was written; what a command that fails does on its way is open.
enum class Mark { unsure, certain };

struct Context;
struct Ioas;

struct Hwpt {
	std::uint64_t id = 0;
	std::shared_ptr<Ioas> ioas = {};
	bool automatic = false;
	// Can it note what is written?
	bool tracks = false;
	Reach reach = {};
	bool tracking = false;
	// Its pages that are marked, by number.
	std::map<std::uint64_t, Mark> marks = {};
	// How many devices are attached to it.
	std::size_t users = 0;
};

struct Device;

// Devices that the hardware cannot tell apart.
struct Group {
	std::shared_ptr<Hwpt> hwpt = {};
	std::vector<const Device *> attached = {};
};

struct Device {
	bool tracks = true;
	std::optional<Range> region = {};
	std::shared_ptr<Group> group = std::make_shared<Group>();
	std::uint64_t id = 0;

	bool attached() const;
};

} // namespace fuzz

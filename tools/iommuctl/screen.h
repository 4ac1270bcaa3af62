// SPDX-License-Identifier: GPL-2.0-only
// A picture on a terminal that is drawn over the one before.
#pragma once

#include "output.h"

#include <algorithm>
#include <cstddef>
#include <string>

namespace ctl {

class Screen {
    public:
	explicit Screen(const Output &output) : output_(output) {}

	void show(const std::string &picture)
	{
		if (lines_)
			output_.text("\033[" + std::to_string(lines_) + "A\033[J");
		output_.text(picture);
		lines_ = std::ranges::count(picture, '\n');
	}

    private:
	const Output &output_;
	std::ptrdiff_t lines_ = 0;
};

} // namespace ctl

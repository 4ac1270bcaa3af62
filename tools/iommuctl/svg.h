// SPDX-License-Identifier: GPL-2.0-only
// Pictures as SVG: their parts, and the file that one is written to.
#pragma once

#include <cstddef>
#include <fstream>
#include <string>
#include <string_view>

namespace ctl {

struct SvgBox {
	std::size_t x;
	std::size_t y;
	std::size_t width;
	std::size_t height;
	std::string fill;
	std::string title; // when the pointer rests on it
};

std::string svg_box(const SvgBox &box);
// Attributes, if any, begin with a blank.
std::string svg_label(std::size_t x, std::size_t y, const std::string &text,
		      const std::string &attributes = "");
// The whole file, with a title on top.
std::string svg_picture(std::size_t width, std::size_t height, const std::string &title,
			const std::string &body);

// Opened before anything is watched: a path that is wrong is better known at once.
class SvgFile {
    public:
	explicit SvgFile(std::string path);

	void write(const std::string &text);

    private:
	void check(std::string_view doing) const;

	std::string path_;
	std::ofstream file_;
};

} // namespace ctl

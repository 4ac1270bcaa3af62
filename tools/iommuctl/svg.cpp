// SPDX-License-Identifier: GPL-2.0-only
// Titles and labels may have names that others gave to files and processes.
#include "svg.h"

#include "failure.h"
#include "words.h"

#include <cerrno>

namespace ctl {

namespace {

// Without what has a meaning in XML, or must not be in it.
std::string escaped(const std::string &text)
{
	std::string out;

	for (char c : printable(text)) {
		switch (c) {
		case '<':
			out += "&lt;";
			break;
		case '>':
			out += "&gt;";
			break;
		case '&':
			out += "&amp;";
			break;
		default:
			out += c;
		}
	}
	return out;
}

} // namespace

std::string svg_box(const SvgBox &box)
{
	return "<rect x='" + std::to_string(box.x) + "' y='" + std::to_string(box.y) +
	       "' width='" + std::to_string(box.width) + "' height='" +
	       std::to_string(box.height) + "' fill='" + box.fill + "'>" +
	       (box.title.empty() ? "" : "<title>" + escaped(box.title) + "</title>") +
	       "</rect>\n";
}

std::string svg_label(std::size_t x, std::size_t y, const std::string &text,
		      const std::string &attributes)
{
	return "<text x='" + std::to_string(x) + "' y='" + std::to_string(y) + "'" +
	       attributes + ">" + escaped(text) + "</text>\n";
}

std::string svg_picture(std::size_t width, std::size_t height, const std::string &title,
			const std::string &body)
{
	return "<svg xmlns='http://www.w3.org/2000/svg' width='" + std::to_string(width) +
	       "' height='" + std::to_string(height) +
	       "' font-family='monospace' font-size='12'>\n"
	       "<rect width='100%' height='100%' fill='white'/>\n" +
	       svg_label(20, 24, title) + body + "</svg>\n";
}

// What it was stays until there is something else to write.
SvgFile::SvgFile(std::string path)
	: path_(std::move(path)), file_(path_, std::ios::out | std::ios::app)
{
	check("create");
}

void SvgFile::write(const std::string &text)
{
	file_.close();
	file_.open(path_, std::ios::out | std::ios::trunc);
	check("create");
	file_ << text << std::flush;
	check("write");
}

void SvgFile::check(std::string_view doing) const
{
	if (!file_)
		throw file_failure(path_, doing, errno);
}

} // namespace ctl

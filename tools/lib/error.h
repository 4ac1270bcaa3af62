// SPDX-License-Identifier: GPL-2.0-only
// The one exception of the library: a command that failed, on which object and
// on which range. Callers that expect a failure use the try_ functions of
// raw.h, which return std::error_code and never throw.
#pragma once

#include "types.h"

#include <optional>
#include <string>
#include <system_error>

namespace iommukit {

// What a command was about; everything that does not apply stays empty.
struct Subject {
	std::optional<ObjectId> object = {};
	std::optional<Iova> iova = {};
	std::optional<Bytes> length = {};
	std::string path = {};

	std::string text() const;
};

class Error : public std::system_error {
    public:
	Error(std::error_code code, std::string command, Subject subject = {});

	int number() const noexcept { return code().value(); }
	const std::string &command() const noexcept { return command_; }
	const Subject &subject() const noexcept { return subject_; }

    private:
	std::string command_;
	Subject subject_;
};

std::error_code last_error() noexcept;
std::error_code make_errno(int number) noexcept;

// The symbol of an errno ("ENOENT"), or its number if it has none.
std::string errno_name(int number);
// "ENOENT" is 2; nullopt: there is no such name.
std::optional<int> errno_number(std::string_view name);

} // namespace iommukit

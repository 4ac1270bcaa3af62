// SPDX-License-Identifier: GPL-2.0-only
// The way a command takes to the kernel. Objects share the channel of the
// context they belong to, so the descriptor closes after the last of them.
// The second implementation is the dry run of iommuctl.
#pragma once

#include "error.h"
#include "fd.h"

#include <memory>
#include <string>

namespace iommukit {

class Channel {
    public:
	Channel() = default;
	Channel(const Channel &) = delete;
	Channel &operator=(const Channel &) = delete;
	virtual ~Channel() = default;

	// Issues the command once; EINTR is reported like any other errno.
	virtual std::error_code issue(unsigned long request, void *arg) noexcept = 0;
	virtual int fd() const noexcept = 0;
};

class DeviceChannel final : public Channel {
    public:
	explicit DeviceChannel(Fd fd) noexcept : fd_(std::move(fd)) {}

	std::error_code issue(unsigned long request, void *arg) noexcept override;
	int fd() const noexcept override { return fd_.get(); }

    private:
	Fd fd_;
};

// Opens a device node for reading and writing, close-on-exec.
std::shared_ptr<Channel> open_channel(const std::string &path);
std::error_code try_open_channel(const std::string &path,
				 std::shared_ptr<Channel> &out) noexcept;

// Issues a command, repeats it on EINTR, and throws Error if it fails.
void call(Channel &channel, unsigned long request, void *arg,
	  const Subject &subject = {});

// For an answer that breaks the ABI although the command succeeded.
[[noreturn]] void bad_answer(unsigned long request, const Subject &subject);

} // namespace iommukit
